// experiments: arms side by side, each difference with its interval, which holds at every look.

import { get, post } from "../api.js";
import { ask, done } from "../actions.js";
import { card, el, empty, note, pill, replace, table } from "../dom.js";
import * as format from "../format.js";

export const title = "Experiments";
export const about =
  "Configurations side by side on live traffic. Intervals hold at every look: you may stop when you have seen enough.";

const VALUE = {
  success_rate: (v) => format.percent(v, 2),
  cost_usd: format.dollars,
  latency_ms: format.ms,
  hrm_confidence: (v) => format.share(v),
  trm_confidence: (v) => format.share(v),
};
const NAMES = {
  success_rate: "Success rate",
  cost_usd: "Cost a query",
  latency_ms: "Latency",
  hrm_confidence: "HRM confidence",
  trm_confidence: "TRM confidence",
};
const VERDICT = { superior: "good", non_inferior: "good", inferior: "bad", inconclusive: "" };

function signed(metric, v) {
  if (!Number.isFinite(v)) return format.NONE;
  const words = metric === "latency_ms" ? `${Math.abs(v).toFixed(1)} ms` : VALUE[metric](Math.abs(v));
  return `${v < 0 ? "−" : "+"}${words}`;
}

function arms(x) {
  return table(
    `Arms of ${x.name}`,
    [
      { title: "Arm", cell: (a) => a.name },
      { title: "Share", number: true, cell: (a) => format.percent(a.share, 0) },
      { title: "Units", number: true, cell: (a) => format.count(a.units) },
      { title: "n", number: true, cell: (a) => format.count(a.n) },
      {
        title: "Success",
        number: true,
        cell: (a) =>
          a.n
            ? `${format.percent(a.success_rate.estimate)} [${format.percent(a.success_rate.lower)}, ${format.percent(a.success_rate.upper)}]`
            : format.NONE,
      },
      { title: "Cost", number: true, cell: (a) => format.dollars(a.cost_usd) },
      { title: "Mean latency", number: true, cell: (a) => format.ms(a.latency_ms) },
      { title: "HRM", number: true, cell: (a) => format.share(a.hrm_confidence) },
      { title: "TRM", number: true, cell: (a) => format.share(a.trm_confidence) },
    ],
    x.arms,
  );
}

function differences(x) {
  return table(
    `Differences from ${x.arms[0]?.name ?? "the control"}`,
    [
      { title: "Metric", cell: (c) => NAMES[c.metric] ?? c.metric },
      { title: "Arm", cell: (c) => c.arm },
      { title: "Difference", number: true, cell: (c) => signed(c.metric, c.diff) },
      {
        title: "95 % interval",
        number: true,
        cell: (c) => `${signed(c.metric, c.lower)} to ${signed(c.metric, c.upper)}`,
      },
      { title: "p", number: true, cell: (c) => format.number(c.p, 3) },
      { title: "Verdict", cell: (c) => pill(c.verdict.replaceAll("_", " "), VERDICT[c.verdict]) },
    ],
    x.comparisons,
    { shows_caption: true },
  );
}

// Where shares follow the results: by what, and whether the best arm is known.
function allocation(a) {
  if (!a || a.kind === "fixed") return null;
  const metric = NAMES[a.metric] ?? a.metric;
  return el(
    "p",
    { class: a.stop ? "good-text" : "muted" },
    a.stop
      ? a.stop.text
      : `Shares follow ${metric.toLowerCase()}, looked at every ${format.span(a.every_seconds)}; the best arm is not known yet.`,
  );
}

function one(x, after) {
  const stop = el(
    "button",
    {
      type: "button",
      class: "danger",
      onclick: () =>
        ask(
          `Stop: ${x.name}`,
          "Nobody is assigned to it any more; its results stay.",
          "Stop",
          async (who) => {
            await post(`experiments/${encodeURIComponent(x.name)}/stop`, who, x.generation);
            done("Stopped.");
            await after();
          },
          { danger: true },
        ),
    },
    "Stop",
  );
  return el(
    "section",
    { class: "card" },
    el(
      "div",
      { class: "row between" },
      el("h2", {}, x.name, " ", pill(x.state, x.state === "running" ? "info" : "")),
      x.state === "running" ? stop : null,
    ),
    el(
      "p",
      { class: "muted" },
      `since ${format.time(x.started_us / 1e6)}${x.stopped_us ? `, stopped ${format.time(x.stopped_us / 1e6)}` : ""}`,
    ),
    x.srm.alarm
      ? el(
          "p",
          { class: "bad-text" },
          "The arms were not shown as often as their shares say (sample ratio mismatch): do not trust the differences.",
        )
      : note(
          `Arms are shown as often as their shares say (log Bayes factor ${format.number(x.srm.log_bayes)}, alarm at ${format.number(x.srm.alarm_at)}).`,
        ),
    allocation(x.allocation),
    arms(x),
    differences(x),
  );
}

export async function show(root, page) {
  let shown = "";
  async function read() {
    const answer = await get("experiments", page.signal),
      key = JSON.stringify(answer);
    if (key === shown || root.contains(document.activeElement)) return;
    shown = key;
    replace(
      root,
      answer.data.length
        ? answer.data.map((x) => one(x, read))
        : empty(
            "There is no experiment.",
            el("p", {}, "An experiment deals traffic to arms and compares them. Begin one:"),
            el(
              "pre",
              { tabindex: "0" },
              "weir experiment start config/experiments/mcts.yaml --reason 'does the search pay?'",
            ),
          ),
    );
  }
  await read();
  page.every(3, read);
}
