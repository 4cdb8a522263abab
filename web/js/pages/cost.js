// cost: what was spent, on what, and what the same tokens would have cost at the baseline's price.

import { get } from "../api.js";
import { card, el, note, replace, table, tile } from "../dom.js";
import * as format from "../format.js";
import { bars, lines } from "../charts.js";
import { costAQuery, ledgerPage, name, ratios } from "../ledger.js";

export const title = "Cost";
export const about =
  "From the ledger: every cent is in one of its rows. Calls that failed and attempts that were repeated are in the cost of their query.";

const usd = (v) => (v === null ? null : v / 1e9);

function savings(total) {
  if (total.baseline_cost_nano_usd === null || total.comparable_calls === 0) return null;
  return total.baseline_cost_nano_usd - total.comparable_cost_nano_usd;
}

function tiles(s) {
  const t = s.total,
    saved = savings(t);
  return el(
    "div",
    { class: "tiles" },
    tile(
      "Spent",
      format.nano(t.cost_nano_usd),
      `${format.count(t.n)} queries${t.unpriced_calls ? `, ${format.count(t.unpriced_calls)} calls without a price` : ""}`,
    ),
    tile("Cost a query", costAQuery(t), `mean, ${format.n(t.priced)}`),
    tile(
      `At ${s.baseline}'s price`,
      format.nano(t.baseline_cost_nano_usd),
      `the same tokens, ${format.count(t.comparable_calls)} calls`,
    ),
    tile(
      "Saved, repriced",
      format.nano(saved),
      saved === null
        ? `${s.baseline} has no price`
        : `${format.percent(saved / t.baseline_cost_nano_usd)} of the baseline`,
    ),
  );
}

// What had been saved by the end of each bucket.
function cumulated(b) {
  let sum = 0;
  return b.at.map((_, i) => {
    if (b.baseline_cost_nano_usd[i] === null) return null;
    sum += b.baseline_cost_nano_usd[i] - b.comparable_cost_nano_usd[i];
    return sum / 1e9;
  });
}

function models(s) {
  return table(
    "Models, by calls",
    [
      { title: "Model", cell: (m) => m.name },
      { title: "Calls", number: true, cell: (m) => format.count(m.calls) },
      { title: "Failed", number: true, cell: (m) => format.count(m.failed) },
      { title: "Tokens in", number: true, cell: (m) => format.compact(m.input_tokens) },
      { title: "Tokens out", number: true, cell: (m) => format.compact(m.output_tokens) },
      { title: "Cost", number: true, cell: (m) => format.nano(m.cost_nano_usd) },
      { title: "No price", number: true, cell: (m) => format.count(m.unpriced) },
    ],
    [...s.models].sort((a, b) => b.cost_nano_usd - a.cost_nano_usd),
  );
}

function whole(s) {
  const b = s.buckets,
    byCost = (list) =>
      [...list]
        .sort((x, y) => y.cost_nano_usd - x.cost_nano_usd)
        .map((g) => ({ name: name(g), values: [g.cost_nano_usd / 1e9], n: g.n }));
  const each = (list) =>
    [...list]
      .filter((g) => g.priced > 0)
      .map((g) => ({ name: name(g), values: [g.priced_cost_nano_usd / g.priced / 1e9], n: g.priced }))
      .sort((x, y) => y.values[0] - x.values[0]);
  const one = [{ name: "Cost", color: "--series-2" }];
  return [
    tiles(s),
    el(
      "div",
      { class: "grid two" },
      card(
        null,
        lines(
          "Cost a query",
          b.at,
          [
            {
              name: "Mean",
              color: "--series-2",
              fill: true,
              values: ratios(b.priced_cost_nano_usd, b.priced).map(usd),
            },
          ],
          { format: format.dollars, n: b.priced, detail: `every ${format.span(s.width)}` },
        ),
      ),
      card(
        null,
        lines(
          "Savings against the baseline, added up",
          b.at,
          [
            {
              name: "Saved",
              color: "--good",
              fill: true,
              values: savings(s.total) === null ? b.at.map(() => null) : cumulated(b),
            },
          ],
          { format: format.dollars, detail: `repriced at ${s.baseline}` },
        ),
      ),
      card(null, bars("Cost by domain", byCost(s.domains), one, { format: format.dollars })),
      card(null, bars("Cost a query by domain", each(s.domains), one, { format: format.dollars })),
      card(
        null,
        lines(
          "Spent",
          b.at,
          [{ name: "Spent", color: "--series-1", fill: true, values: b.cost_nano_usd.map(usd) }],
          { format: format.dollars, detail: `every ${format.span(s.width)}`, n: b.n },
        ),
      ),
      card(null, bars("Cost by strategy", byCost(s.strategies), one, { format: format.dollars })),
    ),
    card("Models", models(s)),
    note(
      "Repriced savings are arithmetic: the same tokens at another price. Another model would have used other tokens and given other answers; what a change really saved is measured by a rollout or an experiment, and weir report keeps the two apart.",
    ),
  ];
}

// ---- what was measured against a control ----

function measured(m) {
  if (!m.is_measured)
    return note(
      `${m.why[0].toUpperCase()}${m.why.slice(1)}. A rollout or an experiment keeps some traffic on the old configuration to compare with.`,
    );
  return table(
    "Measured savings",
    [
      { title: "Arm", cell: (c) => `${c.experiment} / ${c.arm}` },
      {
        title: "Saved a query",
        number: true,
        cell: (c) => (c.is_valid ? format.dollars(c.saved_usd_per_query.estimate) : format.NONE),
      },
      {
        title: "95 % interval",
        number: true,
        cell: (c) =>
          c.is_valid
            ? `${format.dollars(c.saved_usd_per_query.lower)} to ${format.dollars(c.saved_usd_per_query.upper)}`
            : "too few",
      },
      {
        title: "Of the control's cost",
        number: true,
        cell: (c) => (c.is_valid ? format.percent(c.saved_percentage / 100) : format.NONE),
      },
      { title: "n", number: true, cell: (c) => format.count(c.priced_queries) },
      { title: "n of the control", number: true, cell: (c) => format.count(c.control_priced_queries) },
    ],
    m.comparisons,
  );
}

// Read when it is asked for: a day's report passes over the whole day.
function today(page) {
  const body = el("div", {}, note("Reading the ledger…")),
    box = el(
      "details",
      { class: "card" },
      el(
        "summary",
        {},
        el("strong", {}, "Savings measured today (UTC)"),
        " against the control of rollouts and experiments",
      ),
      body,
    );
  box.addEventListener("toggle", async () => {
    if (!box.open) return;
    try {
      const paid = await get("reports", page.signal),
        report = paid.total_queries > 0 ? paid : await get("reports?simulated=1", page.signal);
      replace(
        body,
        report.is_simulated ? note(el("strong", {}, "Simulated. "), "Nothing was paid for today.") : null,
        measured(report.measured),
        el("p", { class: "recommendation" }, el("strong", {}, "Recommendation: "), report.recommendation),
      );
    } catch (error) {
      if (error.name !== "AbortError") replace(body, note(error.message));
    }
  });
  return box;
}

export async function show(root, page) {
  const box = today(page);
  await ledgerPage(root, page, whole);
  root.append(box);
}
