// domains: the same figures side by side, by what questions are about.

import { card, el, table } from "../dom.js";
import * as format from "../format.js";
import { bars } from "../charts.js";
import { costAQuery, ledgerPage, name } from "../ledger.js";
import { ALERT } from "../parts.js";

export const title = "Domains";
export const about = "What questions are about, and how well each kind is answered.";

function whole(s) {
  const list = [...s.domains].sort((a, b) => b.n - a.n),
    total = s.total.cost_nano_usd || 1;
  const confident = list.filter((d) => d.hrm_n + d.trm_n > 0);
  return [
    el(
      "div",
      { class: "grid two" },
      card(
        null,
        bars(
          "Success by domain",
          list.map((d) => ({ name: name(d), values: [d.succeeded / d.n], n: d.n })),
          [{ name: "Success", color: "--good" }],
          { format: (v) => format.percent(v), max: 1, target: ALERT.success, detail: "mark: alert below 95 %" },
        ),
      ),
      card(
        null,
        bars(
          "Confidence by domain",
          confident.map((d) => ({
            name: name(d),
            values: [d.hrm_confidence, d.trm_confidence],
            n: Math.max(d.hrm_n, d.trm_n),
          })),
          [
            { name: "HRM", color: "--series-1" },
            { name: "TRM", color: "--series-4" },
          ],
          { format: (v) => format.share(v), max: 1 },
        ),
      ),
      card(
        null,
        bars(
          "Share of the cost",
          list.map((d) => ({ name: name(d), values: [d.cost_nano_usd / total], n: d.n, cost: d.cost_nano_usd })),
          [{ name: "Cost", color: "--series-2" }],
          { format: (v) => format.percent(v), max: 1, count: (r) => format.nano(r.cost) },
        ),
      ),
      card(
        null,
        bars(
          "Share of the queries",
          list.map((d) => ({ name: name(d), values: [d.n / s.total.n], n: d.n })),
          [{ name: "Queries", color: "--series-1" }],
          { format: (v) => format.percent(v), max: 1 },
        ),
      ),
    ),
    card(
      "All figures",
      table(
        "Domains",
        [
          { title: "Domain", cell: name },
          { title: "n", number: true, cell: (d) => format.count(d.n) },
          { title: "Success", number: true, cell: (d) => format.percent(d.succeeded / d.n, 2) },
          {
            title: "95 % interval",
            number: true,
            cell: (d) => `${format.percent(d.success_lower)} – ${format.percent(d.success_upper)}`,
          },
          { title: "Cost a query", number: true, cell: costAQuery },
          { title: "Cost", number: true, cell: (d) => format.nano(d.cost_nano_usd) },
          { title: "p50", number: true, cell: (d) => format.ms(d.latency_ms.p50) },
          { title: "p95", number: true, cell: (d) => format.ms(d.latency_ms.p95) },
          {
            title: "HRM (n)",
            number: true,
            cell: (d) => `${format.share(d.hrm_confidence)} (${format.count(d.hrm_n)})`,
          },
          {
            title: "TRM (n)",
            number: true,
            cell: (d) => `${format.share(d.trm_confidence)} (${format.count(d.trm_n)})`,
          },
        ],
        list,
      ),
    ),
    card(
      "Strategies",
      table(
        "Strategies",
        [
          { title: "Strategy", cell: name },
          { title: "n", number: true, cell: (d) => format.count(d.n) },
          { title: "Success", number: true, cell: (d) => format.percent(d.succeeded / d.n, 2) },
          { title: "Cost a query", number: true, cell: costAQuery },
          { title: "p95", number: true, cell: (d) => format.ms(d.latency_ms.p95) },
        ],
        [...s.strategies].sort((a, b) => b.n - a.n),
      ),
    ),
  ];
}

export const show = (root, page) => ledgerPage(root, page, whole);
