// ledger: pages that show a span of the ledger: the choice of the span, the reading, and what is said when there is nothing.

import { get } from "./api.js";
import { el, empty, note, replace } from "./dom.js";
import * as format from "./format.js";
import { choices, EXAMPLE } from "./parts.js";

const RANGES = [
  ["1h", "1 h"],
  ["6h", "6 h"],
  ["24h", "24 h"],
  ["7d", "7 d"],
  ["30d", "30 d"],
];
const chosen = { range: "24h", simulated: null };

function nobody(s) {
  return empty(
    "No query in this span.",
    el(
      "p",
      {},
      `The ledger has none from ${format.time(s.from)} to now${s.other_queries ? ` but ${format.count(s.other_queries)} that ${s.simulated ? "were paid for" : "simulated providers answered"}` : ""}. Choose a longer span, or ask something:`,
    ),
    el("pre", { tabindex: "0" }, EXAMPLE),
  );
}

function warnings(s) {
  return [
    s.simulated
      ? note(
          el("strong", {}, "Simulated. "),
          "These queries were answered by a simulated provider: tokens, costs and latencies are made up.",
        )
      : null,
    s.cut
      ? note(
          el("strong", {}, "Cut. "),
          "The span holds more queries than one look passes over; the newest are missing. Choose a shorter one.",
        )
      : null,
  ];
}

// ---- what several of these pages make of the sums ----

export const name = (group) => group.name || "(none)";

// One column over another, bucket by bucket; null where there is nothing to be a share of.
export const ratios = (parts, wholes) => parts.map((v, i) => (wholes[i] > 0 ? v / wholes[i] : null));

export const costAQuery = (sums) =>
  sums.priced ? format.nano(sums.priced_cost_nano_usd / sums.priced) : format.NONE;

export async function ledgerPage(root, page, whole) {
  const bar = el("div", { class: "row between" }),
    body = el("div", { class: "page" });
  root.append(bar, body);
  const choose = (more) => {
    Object.assign(chosen, more);
    return read(true);
  };
  const controls = (s) => {
    const both = s && (s.other_queries > 0 || chosen.simulated !== null);
    replace(
      bar,
      choices("Span", RANGES, chosen.range, (range) => choose({ range })),
      both
        ? choices(
            "Which",
            [
              ["0", "Paid for"],
              ["1", "Simulated"],
            ],
            s.simulated ? "1" : "0",
            (simulated) => choose({ simulated }),
          )
        : null,
    );
  };
  async function read(isAsked) {
    body.setAttribute("aria-busy", "true");
    if (isAsked) controls(null);
    const s = await get(
      `series?range=${chosen.range}${chosen.simulated === null ? "" : `&simulated=${chosen.simulated}`}`,
      page.signal,
    );
    const focus = document.activeElement?.closest(".choices")?.getAttribute("aria-label");
    controls(s);
    if (focus) bar.querySelector(`[aria-label="${focus}"] [aria-pressed="true"]`)?.focus();
    // A table that somebody has opened stays as it is until they come back.
    if (!isAsked && body.querySelector("details[open]")) return;
    replace(body, warnings(s), s.total.n === 0 ? nobody(s) : whole(s));
    body.removeAttribute("aria-busy");
  }
  await read(true);
  page.every(30, () => read(false));
}
