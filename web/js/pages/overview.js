// overview: what happens now, from memory: the last minutes, and what is under way.

import { get, listen } from "../api.js";
import { card, el, empty, pill, replace, table, tile } from "../dom.js";
import * as format from "../format.js";
import { lines } from "../charts.js";
import { spark } from "../drawings.js";
import { EXAMPLE, HOLDS, seriesColumns, stateKind } from "../parts.js";

export const title = "Overview";
export const about =
  "What happens now, from the gateway's memory, which outlasts a restart. The other pages read the ledger.";

function tiles(now, minutes) {
  const w = now.windows,
    of = (pick) => minutes.map((m) => (m.n > 0 ? pick(m) : null));
  return [
    tile(
      "Queries a second",
      format.number(w["10s"].n / 10, 1),
      `${format.count(w["1h"].n)} in the last hour`,
      spark(
        minutes.map((m) => m.n),
        "--series-1",
      ),
    ),
    tile(
      "Success",
      format.percent(w["10m"].success_rate),
      `last 10 min, ${format.n(w["10m"].n)}`,
      spark(
        of((m) => m.success_rate),
        "--good",
      ),
    ),
    tile(
      "Cost a query",
      format.dollars(w["1h"].cost_per_query_usd),
      `last hour, ${format.n(w["1h"].priced)}`,
      spark(
        of((m) => m.cost_per_query_usd),
        "--series-2",
      ),
    ),
    tile(
      "Latency p95",
      format.ms(w["10m"].latency_ms.p95),
      `last 10 min, ${format.n(w["10m"].n)}`,
      spark(
        of((m) => m.latency_ms.p95),
        "--series-3",
      ),
    ),
    tile(
      "HRM confidence",
      format.share(w["1h"].hrm_confidence),
      `last hour, ${format.n(w["1h"].hrm_n)}`,
      spark(
        of((m) => m.hrm_confidence),
        "--series-1",
      ),
    ),
    tile(
      "TRM confidence",
      format.share(w["1h"].trm_confidence),
      `last hour, ${format.n(w["1h"].trm_n)}`,
      spark(
        of((m) => m.trm_confidence),
        "--series-4",
      ),
    ),
  ];
}

function rolloutState(r) {
  if (!r) return el("p", {}, "No rollout. ", el("code", {}, "weir rollout start FILE"), " begins one.");
  return el(
    "p",
    {},
    pill(r.state, stateKind(r.state)),
    " ",
    el("a", { href: "#/rollout" }, r.name),
    ` step ${r.step} of ${r.steps}`,
    r.state === "running" || r.state === "baking" ? `; waits for ${HOLDS[r.holds] ?? r.holds}` : "",
  );
}

// Readiness is not behind the key: it is what a load balancer asks.
async function readiness(signal) {
  const answer = await fetch("/readyz", { headers: { accept: "application/json" }, cache: "no-store", signal });
  return answer.json();
}

function readyState(ready) {
  if (!ready) return null;
  const missing = (ready.parts ?? []).filter((part) => !part.ok);
  return el(
    "div",
    { class: "state" },
    el("h2", {}, "Readiness"),
    el(
      "p",
      {},
      pill(ready.status.replaceAll("_", " "), ready.status === "ready" ? "good" : "bad"),
      missing.map((part) => el("span", { class: "bad-text" }, ` ${part.name}: ${part.detail ?? "not available"}`)),
    ),
  );
}

function states(now, ready) {
  const firing = now.alerts_firing;
  return [
    readyState(ready),
    el("div", { class: "state" }, el("h2", {}, "Rollout"), rolloutState(now.rollout)),
    el(
      "div",
      { class: "state" },
      el("h2", {}, "Alerts"),
      el(
        "p",
        {},
        pill(firing ? `${firing} firing` : "quiet", firing ? "bad" : "good"),
        " ",
        el("a", { href: "#/alerts" }, `${now.alerts_pending} pending`),
        now.dead_letters ? el("span", { class: "bad-text" }, `, ${now.dead_letters} messages undelivered`) : null,
      ),
    ),
    el(
      "div",
      { class: "state" },
      el("h2", {}, "Experiments"),
      el("p", {}, el("a", { href: "#/experiments" }, `${now.experiments_running} running`)),
    ),
  ];
}

function charts(minutes) {
  const x = minutes.map((m) => m.at),
    quiet = (m, v) => (m.n > 0 ? v : null);
  return [
    lines(
      "Queries a minute",
      x,
      [
        { name: "Answered", color: "--series-1", fill: true, values: minutes.map((m) => m.n - m.failed) },
        { name: "Failed", color: "--bad", values: minutes.map((m) => m.failed) },
      ],
      { format: format.compact, detail: "last hour" },
    ),
    lines(
      "Latency",
      x,
      [
        { name: "p50", color: "--series-1", values: minutes.map((m) => quiet(m, m.latency_ms.p50)) },
        { name: "p95", color: "--series-3", values: minutes.map((m) => quiet(m, m.latency_ms.p95)) },
      ],
      { format: format.ms, detail: "last hour, by minute", n: minutes.map((m) => m.n) },
    ),
  ];
}

function nobody() {
  return empty(
    "No query has ended here in the last day.",
    el("p", {}, "Ask one, and it appears within a second:"),
    el("pre", { tabindex: "0" }, EXAMPLE),
  );
}

export async function show(root, page) {
  const top = el("div", { class: "tiles" }),
    under = el("div", { class: "states card" }),
    plots = el("div", { class: "grid two" }),
    rest = el("div", { class: "grid two" });
  let [data, ready] = await Promise.all([get("overview", page.signal), readiness(page.signal).catch(() => null)]);
  const live = (now) => {
    replace(top, tiles(now, data.minutes));
    replace(under, states(now, ready));
  };
  const whole = () => {
    live(data);
    if (data.windows["24h"].n === 0) {
      replace(plots);
      replace(rest, nobody());
      return;
    }
    replace(
      plots,
      charts(data.minutes).map((c) => card(null, c)),
    );
    replace(
      rest,
      card("Domains, last hour", table("Domains, last hour", seriesColumns("Domain"), data.domains)),
      card("Arms, last hour", table("Arms, last hour", seriesColumns("Arm"), data.arms)),
    );
  };
  root.append(top, under, plots, rest);
  whole();
  page.onEnd(listen(live));
  page.every(10, async () => {
    [data, ready] = await Promise.all([get("overview", page.signal), readiness(page.signal).catch(() => null)]);
    whole();
  });
}
