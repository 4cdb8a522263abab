// rollout: where it stands, every guard's evidence against what it takes to trip, what was done and by whom, and the levers.

import { get, post, reader } from "../api.js";
import { ask, done } from "../actions.js";
import { card, el, empty, note, pill, replace, table } from "../dom.js";
import * as format from "../format.js";
import { gauge } from "../drawings.js";
import { HOLDS, stateKind } from "../parts.js";

export const title = "Rollout";
export const about =
  "A staged change of configuration on live traffic. Guards watch every answer and go back by themselves; what you do here is written down with your reason.";

// What each state takes, as docs/rollouts.md has it.
const OPERATIONS = {
  pause: { verb: "Pause", from: ["running", "baking"], words: "It stays where it is; guards still go back." },
  resume: { verb: "Resume", from: ["paused"], words: "It goes on, under the configurations as they are now." },
  promote: {
    verb: "Promote",
    from: ["running", "baking", "paused"],
    words: "The next step, before this one has shown what it was to show. Never over a guard that has tripped.",
  },
  "promote-full": {
    verb: "Promote fully",
    from: ["running", "baking", "paused"],
    words: "The last step at once. Never over a guard that has tripped.",
  },
  rollback: {
    verb: "Roll back",
    from: ["running", "baking", "paused", "completed"],
    danger: true,
    words: "The configuration before, for the next request.",
  },
  abort: {
    verb: "Abort",
    from: ["running", "baking", "paused"],
    danger: true,
    words: "The old configuration, for the next request. It stays so until somebody retries.",
  },
  retry: { verb: "Retry", from: ["aborted"], words: "A new attempt from the first step, with fresh sums." },
};

const VERDICTS = {
  tripped: "bad",
  warned: "warn",
  warning: "warn",
  shown: "good",
  holds: "good",
  undecided: "",
  no_data: "",
};

const NAMES = {
  success_rate: "Success rate",
  error_rate: "Error rate",
  hrm_confidence_mean: "HRM confidence",
  trm_confidence_mean: "TRM confidence",
  cost_per_query: "Cost a query",
  latency_p95: "Latency p95",
};

function named(name) {
  return NAMES[name] ?? name.replaceAll("_", " ");
}

function value(g, v) {
  if (g.unit === "usd") return format.dollars(v);
  return g.unit === "confidence" ? format.share(v) : format.percent(v);
}

// Latency is judged by the share of queries over the limit, of which 5 % may be.
function thresholds(g) {
  return g.unit === "share over trip" ? { warn: null, trip: 0.05 } : { warn: g.warn, trip: g.trip };
}

function scale(g) {
  const { warn, trip } = thresholds(g),
    marks = [g.estimate, warn, trip, g.n ? g.lower : null, g.n ? g.upper : null].filter(
      (v) => v !== null && v !== undefined && Number.isFinite(v),
    );
  const low = Math.min(...marks),
    high = Math.max(...marks),
    pad = (high - low || Math.abs(high) || 1) * 0.12;
  const bounded = g.unit !== "usd";
  return { warn, trip, low: Math.max(0, low - pad), high: bounded ? Math.min(1, high + pad) : high + pad };
}

function guard(g) {
  const at = scale(g),
    filled = Math.max(0, Math.min(1, g.log_e / g.log_e_trips));
  const range = g.n > 0 ? `${value(g, g.lower)} to ${value(g, g.upper)}` : "no data yet";
  const words = `${named(g.name)}: ${value(g, g.n ? g.estimate : null)}, interval ${range}, trips at ${value(g, at.trip)}`;
  return el(
    "li",
    { class: "guard" },
    el(
      "div",
      { class: "guard-name" },
      el("h3", {}, named(g.name)),
      el("span", {}, pill(g.verdict.replaceAll("_", " "), VERDICTS[g.verdict]), g.dry_run ? pill("dry run") : null),
    ),
    el(
      "div",
      { class: "guard-value" },
      el("span", { class: "big" }, value(g, g.n ? g.estimate : null)),
      el(
        "span",
        { class: "muted" },
        `${range}, ${format.n(g.n)}${g.missing ? `, ${format.count(g.missing)} without` : ""}`,
      ),
      g.unit === "share over trip" ? el("span", { class: "muted" }, `of queries over ${format.ms(g.trip)}`) : null,
      el("span", { class: "muted" }, g.control_n ? `control ${value(g, g.control)}, ${format.n(g.control_n)}` : ""),
    ),
    el(
      "div",
      { class: "guard-scale" },
      gauge(words, g.n ? g.estimate : null, {
        ...at,
        lower: g.n ? g.lower : null,
        upper: g.n ? (g.upper ?? at.high) : null,
      }),
      el("div", { class: "scale-ends muted" }, el("span", {}, value(g, at.low)), el("span", {}, value(g, at.high))),
    ),
    el(
      "div",
      { class: "guard-evidence" },
      el(
        "div",
        {
          class: "meter",
          role: "meter",
          "aria-valuemin": "0",
          "aria-valuemax": format.number(g.log_e_trips),
          "aria-valuenow": format.number(Math.max(0, g.log_e)),
          "aria-label": `evidence against ${named(g.name)}`,
        },
        el("span", { class: filled > 0.6 ? "meter-fill bad" : "meter-fill", style: { width: `${filled * 100}%` } }),
      ),
      el("span", { class: "muted" }, `log E ${format.number(g.log_e)} of ${format.number(g.log_e_trips)}`),
    ),
    el("p", { class: "guard-trips" }, `Trips if ${g.trips_if.replace(g.name, named(g.name)).replace(">=", "≥")}.`),
  );
}

function progress(label, have, want, words) {
  const share = want > 0 ? Math.min(1, have / want) : 1;
  return el(
    "div",
    {},
    el("p", { class: "label" }, label),
    el("div", { class: "meter" }, el("span", { class: "meter-fill", style: { width: `${share * 100}%` } })),
    el("p", { class: "tile-detail" }, words),
  );
}

function steps(r) {
  const canary = r.arms.find((a) => a.name === "canary"),
    over = ["completed", "aborted", "superseded"].includes(r.state);
  const dots = Array.from({ length: r.steps }, (_, i) =>
    el(
      "li",
      { class: i + 1 < r.step || r.state === "completed" ? "passed" : i + 1 === r.step && !over ? "at" : "" },
      el("span", { "aria-hidden": "true" }, i + 1),
      el("span", { class: "unseen" }, `step ${i + 1}`),
    ),
  );
  return el(
    "div",
    { class: "steps-box" },
    el("ol", { class: "steps", "aria-label": `Step ${r.step} of ${r.steps}` }, dots),
    over
      ? null
      : progress(
          "Time in this step",
          r.watched_seconds,
          r.step_min_seconds,
          `${format.span(r.watched_seconds)} watched, at least ${format.span(r.step_min_seconds)}, at most ${format.span(r.step_max_seconds)}`,
        ),
    over
      ? null
      : progress(
          "Answers of the canary",
          canary?.n ?? 0,
          r.step_n_min,
          `${format.count(canary?.n)} of at least ${format.count(r.step_n_min)}`,
        ),
  );
}

const ARM_COLORS = { canary: "--series-1", control: "--series-4", holdback: "--series-4", baseline: "--muted" };

function arms(r) {
  return el(
    "div",
    {},
    el(
      "div",
      { class: "shares", "aria-hidden": "true" },
      r.arms.map((a) => el("span", { style: { "flex-grow": a.share, background: `var(${ARM_COLORS[a.name]})` } })),
    ),
    table(
      "Arms",
      [
        {
          title: "Arm",
          cell: (a) =>
            el(
              "span",
              { class: "arm" },
              el("span", { class: "swatch", style: { background: `var(${ARM_COLORS[a.name]})` } }),
              a.name,
            ),
        },
        { title: "Share", number: true, cell: (a) => format.percent(a.share, 0) },
        { title: "Units", number: true, cell: (a) => format.count(a.units) },
        { title: "Answers", number: true, cell: (a) => (a.n === undefined ? "not measured" : format.count(a.n)) },
      ],
      r.arms,
    ),
  );
}

function facts(r) {
  const holds = r.state === "running" || r.state === "baking" ? `Waits for ${HOLDS[r.holds] ?? r.holds}.` : null;
  return el(
    "div",
    { class: "rollout-facts" },
    el(
      "p",
      { class: "row" },
      pill(r.state, stateKind(r.state)),
      el("strong", { class: "big" }, r.name),
      el("span", { class: "muted" }, `attempt ${r.attempt}, generation ${r.generation}`),
    ),
    el("p", {}, `${r.reason_text[0].toUpperCase()}${r.reason_text.slice(1)}. `, holds),
    r.canary_loaded ? null : note("The canary's configuration could not be loaded when weir started: see its log."),
    r.suspended ? note("It goes back, but that cannot be written yet; nobody is served by it meanwhile.") : null,
  );
}

function moved(row) {
  const from = `${row.from.state}${row.from.state === "running" ? ` ${row.from.step + 1}` : ""}`,
    to = `${row.to.state}${row.to.state === "running" ? ` ${row.to.step + 1}` : ""}`;
  return row.refusal === "accepted" ? `${from} → ${to}` : `refused: ${row.refusal.replaceAll("_", " ")}`;
}

function evidence(row) {
  const seen = row.evidence.filter((e) => e.n > 0);
  if (seen.length === 0) return format.NONE;
  return el(
    "details",
    {},
    el("summary", {}, `${seen.length} guards`),
    el(
      "ul",
      { class: "plain" },
      seen.map((e) =>
        el(
          "li",
          {},
          `${named(e.name)}: ${e.verdict.replaceAll("_", " ")}, ${format.n(e.n)}, log E ${format.number(e.log_e)}`,
        ),
      ),
    ),
  );
}

function audit(rows) {
  return table(
    "What was done, newest first",
    [
      { title: "When", cell: (i) => format.time(i.at_us / 1e6) },
      { title: "Who", cell: (i) => i.row.actor || "weir" },
      {
        title: "What",
        cell: (i) => (i.row.operation === "tick" ? "by itself" : i.row.operation.replaceAll("_", " ")),
      },
      { title: "Move", cell: (i) => moved(i.row) },
      {
        title: "Why",
        cell: (i) =>
          el(
            "span",
            { class: "wrap" },
            [i.row.note, i.row.reason.replaceAll("_", " ")].filter(Boolean).join(" · "),
          ),
      },
      { title: "Evidence", cell: (i) => evidence(i.row) },
    ],
    [...rows].reverse(),
  );
}

function levers(r, after) {
  return Object.entries(OPERATIONS)
    .filter(([, o]) => o.from.includes(r.state))
    .map(([verb, o]) =>
      el(
        "button",
        {
          type: "button",
          class: o.danger ? "danger" : null,
          "data-operation": verb,
          onclick: () =>
            ask(
              `${o.verb}: ${r.name}`,
              o.words,
              o.verb,
              async (who) => {
                await post(`rollouts/${encodeURIComponent(r.name)}/${verb}`, who, r.generation);
                done(`${o.verb}: done.`);
                await after();
              },
              { danger: o.danger },
            ),
        },
        o.verb,
      ),
    );
}

export async function show(root, page) {
  const head = el("div", { class: "card rollout-head" }),
    guards = el("div", {}),
    history = el("div", { class: "stack" });
  let shown = null,
    sequence = -1,
    name = null,
    readHistory = null;
  async function read() {
    const list = (await get("rollouts", page.signal)).data,
      r = list[0];
    if (!r) {
      if (shown !== "none")
        replace(
          root,
          empty(
            "There is no rollout.",
            el(
              "p",
              {},
              "A rollout moves traffic from this gateway's configuration to another one, step by step, and goes back by itself when a guard trips. Begin one:",
            ),
            el(
              "pre",
              { tabindex: "0" },
              "weir rollout start config/rollouts/gpt-4o-mini.yaml --reason 'cheaper by half'",
            ),
            el("p", {}, "docs/rollouts.md says what stands in such a file."),
          ),
        );
      shown = "none";
      return;
    }
    if (shown === null || shown === "none") replace(root, head, guards, history);
    const key = `${r.name} ${r.state} ${r.generation}`;
    if (key !== shown) {
      const box = el("div", { class: "row", role: "group", "aria-label": "Operations" }, levers(r, read));
      replace(
        head,
        el("div", { class: "part" }),
        box,
        el("div", { class: "grid two" }, el("div", { class: "part" }), el("div", { class: "part" })),
      );
    }
    shown = key;
    const [first, second, third] = head.querySelectorAll(".part");
    replace(first, facts(r));
    replace(second, steps(r));
    replace(third, arms(r));
    replace(
      guards,
      card(
        "Guards",
        note(
          "The bar is the interval, the dot the estimate; the orange line warns, the red one is the limit. A guard trips when its evidence, log E, reaches what it needs: looking often does not make it trip.",
        ),
        el("ul", { class: "guards" }, r.guards.map(guard)),
      ),
    );
    if (r.sequence !== sequence) {
      sequence = r.sequence;
      if (name !== r.name) readHistory = reader(`rollouts/${encodeURIComponent(r.name)}/history`);
      name = r.name;
      const rows = await readHistory(page.signal);
      replace(
        history,
        card("Audit", audit(rows)),
        list.length > 1
          ? card(
              "Before it",
              table(
                "Rollouts before",
                [
                  { title: "Rollout", cell: (o) => o.name },
                  { title: "State", cell: (o) => pill(o.state, stateKind(o.state)) },
                  { title: "Why", cell: (o) => o.reason_text },
                ],
                list.slice(1),
              ),
            )
          : null,
      );
    }
  }
  await read();
  page.every(2, read);
}
