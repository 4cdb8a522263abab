// queries: what was asked of whom, and one query's calls in time.

import { get } from "../api.js";
import { card, el, empty, note, pill, replace, table, tile } from "../dom.js";
import * as format from "../format.js";
import { timeline } from "../drawings.js";

export const title = "Queries";
export const about =
  "Every query has a row, whatever became of it. What was asked and answered is not kept: the ledger holds figures.";

const FIELDS = [
  ["model", "Model"],
  ["domain", "Domain"],
  ["strategy", "Strategy"],
  ["tenant", "Tenant"],
  ["arm", "Arm"],
];

function result(q) {
  return pill(
    q.result === "OK" ? "ok" : q.result.toLowerCase().replaceAll("_", " "),
    q.result === "OK" ? "good" : "bad",
  );
}

function list(rows) {
  return table(
    "Queries, newest first",
    [
      {
        title: "Query",
        cell: (q) => el("a", { href: `#/queries/${encodeURIComponent(q.id)}`, class: "mono" }, q.id),
      },
      { title: "When", cell: (q) => format.time(q.started) },
      { title: "Result", cell: result },
      { title: "Domain", cell: (q) => q.domain },
      { title: "Strategy", cell: (q) => q.strategy },
      { title: "Model", cell: (q) => el("span", { class: "tight" }, q.model || q.requested_model) },
      { title: "Arm", cell: (q) => el("span", { class: "tight" }, q.arm) },
      { title: "Calls", number: true, cell: (q) => format.count(q.call_count) },
      { title: "Cost", number: true, cell: (q) => format.nano(q.cost_nano_usd) },
      { title: "Latency", number: true, cell: (q) => format.ms(q.latency_us / 1000) },
      { title: "Confidence", number: true, cell: (q) => format.share(q.confidence) },
    ],
    rows,
  );
}

async function search(root, page) {
  const inputs = FIELDS.map(([name, words]) => [
    name,
    el("input", { id: `filter-${name}`, autocomplete: "off", placeholder: "part of it" }),
    words,
  ]);
  const outcome = el(
    "select",
    { id: "filter-result" },
    [
      ["", "any"],
      ["ok", "ok"],
      ["failed", "failed"],
    ].map(([value, words]) => el("option", { value }, words)),
  );
  const id = el("input", { id: "filter-id", autocomplete: "off", placeholder: "q…", class: "mono" });
  const body = el("div", { class: "page" }),
    more = el("div", { class: "row" });
  let rows = [];
  async function read(before) {
    const query = new URLSearchParams({ limit: "50" });
    for (const [name, input] of inputs) if (input.value.trim()) query.set(name, input.value.trim());
    if (outcome.value) query.set("result", outcome.value);
    if (before) query.set("before", before);
    const answer = await get(`queries?${query}`, page.signal);
    rows = before ? rows.concat(answer.data) : answer.data;
    replace(
      body,
      rows.length
        ? card(null, list(rows))
        : empty(
            answer.next ? "None among those that were looked at." : "No query matches.",
            el(
              "p",
              {},
              answer.next
                ? "There are more further back."
                : "Leave fields empty to see all. A query appears here when it has ended.",
            ),
          ),
    );
    replace(
      more,
      answer.next
        ? el(
            "button",
            { type: "button", onclick: () => read(answer.next) },
            answer.cut ? "Look further back" : "Show more",
          )
        : null,
      note(rows.length ? `${format.count(rows.length)} shown` : ""),
    );
  }
  const form = el(
    "form",
    {
      class: "card",
      role: "search",
      onsubmit: (event) => {
        event.preventDefault();
        if (id.value.trim()) location.hash = `#/queries/${encodeURIComponent(id.value.trim())}`;
        else read().catch((error) => replace(body, empty("This cannot be shown.", el("p", {}, error.message))));
      },
    },
    el(
      "div",
      { class: "fields" },
      el("div", {}, el("label", { for: "filter-id" }, "Id"), id),
      inputs.map(([name, input, words]) => el("div", {}, el("label", { for: `filter-${name}` }, words), input)),
      el("div", {}, el("label", { for: "filter-result" }, "Result"), outcome),
      el("div", {}, el("button", { type: "submit", class: "primary" }, "Search")),
    ),
  );
  root.append(form, body, more);
  await read();
}

// ---- one query ----

function facts(pairs) {
  return el(
    "dl",
    { class: "facts" },
    pairs
      .filter(([, v]) => v !== null && v !== "" && v !== undefined)
      .map(([name, v]) => el("div", {}, el("dt", {}, name), el("dd", {}, v))),
  );
}

function route(r) {
  if (!r) return note("It named its model: nothing was decided.");
  return facts([
    ["Decided by", r.scorer],
    ["Reasons", r.reasons],
    ["Score", r.score === null ? null : format.share(r.score)],
    ["Arm", `${r.strategy} on ${r.model}`],
    ["Propensity", r.propensity === null ? null : format.share(r.propensity)],
    ["Explored", r.explored ? "yes, drawn by lot" : "no"],
    ["Domain", r.domain],
    ["Estimated quality", r.estimated_quality === null ? null : format.share(r.estimated_quality)],
    ["Estimated cost", r.estimated_cost_nano_usd === null ? null : format.nano(r.estimated_cost_nano_usd)],
  ]);
}

function labels(list) {
  if (list.length === 0) return note("Nobody has said yet whether it was right. POST /v1/feedback does.");
  return table(
    "Labels",
    [
      { title: "Source", cell: (l) => l.source },
      { title: "Right", number: true, cell: (l) => format.share(l.value, 2) },
      { title: "When", cell: (l) => format.time(l.labelled) },
      { title: "Words", cell: (l) => el("span", { class: "wrap" }, l.text) },
    ],
    list,
  );
}

function calls(list) {
  return table(
    "Calls",
    [
      { title: "#", cell: (c) => c.number },
      { title: "Role", cell: (c) => c.role },
      { title: "Model", cell: (c) => el("span", { class: "tight" }, `${c.model} (${c.provider})`) },
      { title: "Result", cell: (c) => (c.interrupted ? pill("interrupted", "warn") : result(c)) },
      { title: "Attempts", number: true, cell: (c) => format.count(c.attempts) },
      {
        title: "Tokens in",
        number: true,
        cell: (c) =>
          `${format.count(c.input_tokens)}${c.cached_tokens ? ` (${format.count(c.cached_tokens)} cached)` : ""}`,
      },
      { title: "Tokens out", number: true, cell: (c) => format.count(c.output_tokens) },
      {
        title: "Cost",
        number: true,
        cell: (c) => (c.cost_nano_usd === null ? "no price" : format.nano(c.cost_nano_usd)),
      },
      { title: "First byte", number: true, cell: (c) => format.ms(c.first_byte_us / 1000) },
      { title: "Latency", number: true, cell: (c) => format.ms(c.latency_us / 1000) },
    ],
    list,
  );
}

async function one(root, page, id) {
  const back = el("p", {}, el("a", { href: "#/queries" }, "← All queries"));
  let q;
  try {
    q = await get(`queries/${encodeURIComponent(id)}`, page.signal);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    root.append(back, empty("There is no such query.", el("p", {}, error.message)));
    return;
  }
  root.append(
    back,
    el(
      "div",
      { class: "row" },
      el("h2", { class: "mono query-id" }, q.id),
      result(q),
      q.calls.some((c) => c.simulated) ? pill("simulated", "warn") : null,
      q.truncated ? pill("broke off", "bad") : null,
    ),
    el(
      "div",
      { class: "tiles" },
      tile(
        "Cost",
        q.cost_nano_usd === null ? "no price" : format.nano(q.cost_nano_usd),
        `${format.count(q.call_count)} calls`,
      ),
      tile("Latency", format.ms(q.latency_us / 1000), q.stream ? "streamed" : "in one piece"),
      tile("Confidence", format.share(q.confidence), q.calibrated ? "calibrated" : "raw, not calibrated"),
      tile("Tokens", `${format.compact(q.input_tokens)} / ${format.compact(q.output_tokens)}`, "in / out"),
    ),
    card("Calls in time", q.calls.length ? [timeline(q), calls(q.calls)] : note("It made no call.")),
    el(
      "div",
      { class: "grid two" },
      card(
        "The query",
        facts([
          ["Started", `${format.time(q.started)} (${q.started})`],
          ["Asked for", q.requested_model],
          ["Answered by", q.model],
          ["Strategy", q.strategy],
          ["Domain", q.domain],
          ["Arm", q.arm || "none"],
          ["Tenant", q.tenant || "none"],
          ["Status", String(q.http_status)],
          ["HRM confidence", q.hrm_confidence === null ? null : format.share(q.hrm_confidence)],
          ["TRM confidence", q.trm_confidence === null ? null : format.share(q.trm_confidence)],
        ]),
      ),
      card("The decision", route(q.route)),
    ),
    card("Labels", labels(q.labels)),
  );
}

export const show = (root, page, [id]) => (id ? one(root, page, id) : search(root, page));
