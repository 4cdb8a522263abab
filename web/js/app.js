// app: the frame around the pages: which one is shown, the live connection, the theme, signing in.

import { connect, disconnect, get, listen, post, remove, whenKeyIsAsked } from "./api.js";
import { card, el, empty, note, replace, toast } from "./dom.js";
import { redraw } from "./charts.js";
import * as overview from "./pages/overview.js";
import * as cost from "./pages/cost.js";
import * as performance from "./pages/performance.js";
import * as domains from "./pages/domains.js";
import * as rollout from "./pages/rollout.js";
import * as experiments from "./pages/experiments.js";
import * as alerts from "./pages/alerts.js";
import * as queries from "./pages/queries.js";
import * as configuration from "./pages/configuration.js";

const pages = { overview, cost, performance, domains, rollout, experiments, alerts, queries, configuration };
const main = document.getElementById("main");
let current = null;

// ---- a page's life: what it started ends with it ----

class Page {
  constructor() {
    this.controller = new AbortController();
    this.signal = this.controller.signal;
    this.ends = [];
  }
  onEnd(callback) {
    this.ends.push(callback);
  }
  // Calls back every so many seconds while the page can be seen; what fails is tried again.
  every(seconds, callback) {
    const timer = setInterval(async () => {
      if (document.hidden) return;
      try {
        await callback();
      } catch {
        // The live connection says that the gateway is away.
      }
    }, seconds * 1000);
    this.onEnd(() => clearInterval(timer));
  }
  end() {
    this.controller.abort();
    for (const callback of this.ends) callback();
  }
}

function route() {
  const [name, ...rest] = location.hash.replace(/^#\/?/, "").split("/");
  return pages[name] ? { name, rest: rest.map(decodeURIComponent) } : { name: "overview", rest: [] };
}

function failed(error) {
  return empty(
    "This cannot be shown.",
    el("p", {}, error.message),
    el("button", { type: "button", onclick: show }, "Try again"),
  );
}

async function show() {
  const { name, rest } = route(),
    page = new Page(),
    shown = pages[name];
  current?.end();
  current = page;
  for (const link of document.querySelectorAll("#nav a")) {
    const isCurrent = link.dataset.page === name,
      nav = document.getElementById("nav");
    if (isCurrent) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
    // On small screens the pages are a strip that scrolls.
    if (isCurrent) nav.scrollTo({ left: link.offsetLeft - (nav.clientWidth - link.clientWidth) / 2 });
  }
  document.title = `${shown.title} · weir`;
  const root = el("div", { class: "page" });
  replace(
    main,
    el("div", { class: "head" }, el("h1", {}, shown.title), el("p", { class: "about" }, shown.about)),
    root,
  );
  root.setAttribute("aria-busy", "true");
  try {
    await shown.show(root, page, rest);
  } catch (error) {
    if (error.name !== "AbortError") replace(root, failed(error));
  }
  root.removeAttribute("aria-busy");
}

// ---- live ----

const LIVE = { live: "live", reconnecting: "reconnecting", lost: "no connection", asleep: "asleep" };

function onState(state) {
  document.getElementById("live").dataset.state = state;
  const words = document.getElementById("live-text");
  if (words.textContent !== LIVE[state]) words.textContent = LIVE[state];
  if (state === "lost") setTimeout(again, 5000);
}

// The connection is refused when the session is over, and when weir is away.
async function again() {
  if (document.getElementById("live").dataset.state !== "lost" || document.body.classList.contains("signed-out"))
    return;
  try {
    if (!(await get("session")).signed_in) signIn();
    else connect(onState);
  } catch {
    setTimeout(again, 5000);
  }
}

// A browser opens six connections to a host: what is not looked at must not hold one.
function onVisibility() {
  if (document.body.classList.contains("signed-out")) return;
  if (document.hidden) {
    disconnect();
    onState("asleep");
  } else {
    connect(onState);
  }
}

// For those who hear the page: what has changed since the last snapshot.
let heard = null;
function tell(now) {
  const state = {
    rollout: now.rollout
      ? `rollout ${now.rollout.name}: ${now.rollout.state}, step ${now.rollout.step}`
      : "no rollout",
    alerts: `${now.alerts_firing} alerts firing`,
  };
  const news = heard
    ? Object.keys(state)
        .filter((key) => state[key] !== heard[key])
        .map((key) => state[key])
    : [];
  heard = state;
  if (news.length) document.getElementById("news").textContent = news.join("; ");
}

// ---- theme ----

const THEMES = ["system", "light", "dark"];

function theme() {
  return document.documentElement.dataset.theme ?? "system";
}

function setTheme(next) {
  if (next === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = next;
  try {
    localStorage.setItem("weir-theme", next);
  } catch {
    // It holds until the page is left.
  }
  sayTheme();
  redraw();
}

function sayTheme() {
  const button = document.getElementById("theme");
  button.textContent = { system: "◐ System", light: "☀ Light", dark: "☾ Dark" }[theme()];
  button.setAttribute("aria-label", `Theme: ${theme()}. Change`);
}

// ---- signing in ----

function signIn() {
  current?.end();
  current = null;
  disconnect();
  document.title = "Sign in · weir";
  document.body.classList.add("signed-out");
  const key = el("input", {
    id: "key",
    type: "password",
    autocomplete: "current-password",
    required: true,
    spellcheck: "false",
  });
  const wrong = el("p", { class: "form-error", role: "alert" });
  const form = el(
    "form",
    {
      class: "sign-in",
      onsubmit: async (event) => {
        event.preventDefault();
        try {
          await post("session", { key: key.value });
          document.body.classList.remove("signed-out");
          await start();
        } catch (error) {
          wrong.textContent = error.message;
          key.select();
        }
      },
    },
    el("label", { for: "key" }, "Admin key"),
    key,
    wrong,
    el("button", { type: "submit", class: "primary" }, "Sign in"),
    note(
      "The key that server.admin_key names in the configuration. The session ends after twelve hours, or when weir restarts.",
    ),
  );
  replace(
    main,
    el("div", { class: "narrow" }, el("div", { class: "head" }, el("h1", {}, "Sign in")), card(null, form)),
  );
  key.focus();
}

async function signOut() {
  await remove("session");
  signIn();
}

// ---- the start ----

function frame() {
  replace(
    document.getElementById("nav"),
    el(
      "ul",
      {},
      Object.entries(pages).map(([name, page]) =>
        el(
          "li",
          {},
          el(
            "a",
            { href: `#/${name}`, "data-page": name },
            page.title,
            el("span", { class: "badge", hidden: true }),
          ),
        ),
      ),
    ),
  );
  document
    .getElementById("theme")
    .addEventListener("click", () => setTheme(THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length]));
  document.getElementById("sign-out").addEventListener("click", signOut);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  window.addEventListener("hashchange", async () => {
    const shown = show();
    main.focus({ preventScroll: true });
    window.scrollTo(0, 0);
    await shown;
  });
  listen((now) => {
    const badge = document.querySelector("[data-page=alerts] .badge");
    if (!badge) return;
    badge.hidden = now.alerts_firing === 0;
    badge.textContent = now.alerts_firing ? String(now.alerts_firing) : "";
  });
  document.addEventListener("visibilitychange", onVisibility);
  listen(tell);
  sayTheme();
}

async function start() {
  try {
    const session = await get("session");
    document.getElementById("sign-out").hidden = !(session.required && session.signed_in);
    if (!session.signed_in) {
      signIn();
      return;
    }
  } catch (error) {
    toast(error.message, "bad");
  }
  connect(onState);
  await show();
}

whenKeyIsAsked(signIn);
frame();
start();
