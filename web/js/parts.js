// parts: what several pages show alike.

import { el } from "./dom.js";
import * as format from "./format.js";

const KINDS = {
  running: "info",
  baking: "info",
  completed: "good",
  paused: "warn",
  aborted: "bad",
  draft: "",
  superseded: "",
  firing: "bad",
  pending: "warn",
  inactive: "good",
  stopped: "",
};

// A question from a shell, to have something to look at.
export const EXAMPLE = `curl http://127.0.0.1:8080/v1/chat/completions \\
  -H 'content-type: application/json' \\
  -d '{"model": "weir/auto", "messages": [
       {"role": "user", "content": "What is 17 * 24?"}]}'`;

// The thresholds of the alert rules that ship with weir.
export const ALERT = { success: 0.95, hrm: 0.8, trm: 0.75, latency: 2000 };

// What a rollout waits for before it advances.
export const HOLDS = {
  none: "nothing: it advances",
  idle: "it is over",
  paused: "it is paused",
  outrun: "another process moves it",
  judging: "a guard is being judged",
  no_traffic: "there is no traffic",
  stale_data: "data are old",
  time: "the step's minimum time",
  samples: "the step's minimum of answers",
  fresh_samples: "answers newer than the restart",
  evidence: "the guards have not yet been shown to hold",
};

export function stateKind(state) {
  return KINDS[state] ?? "";
}

export function seriesColumns(first) {
  return [
    { title: first, cell: (s) => s.name },
    { title: "n", number: true, cell: (s) => format.count(s.n) },
    { title: "Success", number: true, cell: (s) => format.percent(s.success_rate) },
    { title: "Cost", number: true, cell: (s) => format.dollars(s.cost_per_query_usd) },
    { title: "p95", number: true, cell: (s) => format.ms(s.latency_ms.p95) },
    { title: "HRM", number: true, cell: (s) => format.share(s.hrm_confidence) },
    { title: "TRM", number: true, cell: (s) => format.share(s.trm_confidence) },
  ];
}

// A row of choices, one of them pressed.
export function choices(label, values, chosen, onChoose) {
  return el(
    "div",
    { class: "choices", role: "group", "aria-label": label },
    values.map(([value, words]) =>
      el(
        "button",
        { type: "button", "aria-pressed": value === chosen ? "true" : "false", onclick: () => onChoose(value) },
        words,
      ),
    ),
  );
}
