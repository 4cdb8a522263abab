// performance: are answers right and quick, and is confidence worth what it says.

import { card, el, note, tile } from "../dom.js";
import * as format from "../format.js";
import { lines } from "../charts.js";
import { boxes, histogram, reliability } from "../drawings.js";
import { ledgerPage, name, ratios } from "../ledger.js";
import { ALERT } from "../parts.js";

export const title = "Performance";
export const about =
  "Success, latency and confidence, from the ledger. Beside each figure stands how many queries it is made of.";

function tiles(t) {
  return el(
    "div",
    { class: "tiles" },
    tile(
      "Success",
      format.percent(t.succeeded / t.n),
      `${format.n(t.n)}, 95 % interval from ${format.percent(t.success_lower, 2)} to ${format.percent(t.success_upper, 2)}`,
    ),
    tile("Latency p50", format.ms(t.latency_ms.p50), format.n(t.n)),
    tile("Latency p95", format.ms(t.latency_ms.p95), format.n(t.n)),
    tile("Latency p99", format.ms(t.latency_ms.p99), format.n(t.n)),
    tile("HRM confidence", format.share(t.hrm_confidence), `mean, ${format.n(t.hrm_n)}`),
    tile("TRM confidence", format.share(t.trm_confidence), `mean, ${format.n(t.trm_n)}`),
  );
}

function whole(s) {
  const b = s.buckets,
    t = s.total,
    c = s.confidences,
    success = ratios(b.succeeded, b.n),
    kind = s.calibrated === 0 ? "raw, not calibrated" : s.calibrated === t.n ? "calibrated" : "partly calibrated";
  const rows = s.domains.map((d) => ({
    name: name(d),
    n: d.n,
    low: d.latency_ms.p5,
    q1: d.latency_ms.p25,
    median: d.latency_ms.p50,
    q3: d.latency_ms.p75,
    p95: d.latency_ms.p95,
  }));
  const far = t.latency_ms.p95 > ALERT.latency / 4;
  return [
    tiles(t),
    el(
      "div",
      { class: "grid two" },
      card(
        null,
        lines(
          "Success",
          b.at,
          [{ name: "Success", color: "--good", values: success }],
          {
            format: (v) => format.percent(v),
            target: ALERT.success,
            zero: false,
            range: [Math.min(0.9, ...success.map((v) => v ?? 1)) - 0.01, 1.005],
            n: b.n,
            detail: "dashed: alert below 95 %",
          },
        ),
      ),
      card(
        null,
        lines(
          "Latency",
          b.at,
          [
            { name: "p50", color: "--series-1", values: b.p50_ms },
            { name: "p95", color: "--series-3", values: b.p95_ms },
            { name: "p99", color: "--series-4", values: b.p99_ms },
          ],
          {
            format: format.ms,
            n: b.n,
            target: far ? ALERT.latency : undefined,
            detail: far ? "dashed: alert above 2 s" : "the alert is at 2 s",
          },
        ),
      ),
      card(
        null,
        histogram("HRM confidence", c.hrm.bins, {
          mean: t.hrm_confidence,
          target: ALERT.hrm,
          color: "--series-1",
          detail: kind,
        }),
      ),
      card(
        null,
        histogram("TRM confidence", c.trm.bins, {
          mean: t.trm_confidence,
          target: ALERT.trm,
          color: "--series-4",
          detail: kind,
        }),
      ),
      card(null, reliability("Reliability of HRM confidence", c.hrm.tenths, { detail: kind })),
      card(null, reliability("Reliability of TRM confidence", c.trm.tenths, { detail: kind })),
      card(
        null,
        boxes("Latency by domain", rows, {
          detail: "5, 25, 50, 75 and 95 %",
          target: far ? ALERT.latency : undefined,
        }),
      ),
      card(null, reliability("Reliability of the final confidence", c.final.tenths, { detail: kind })),
    ),
    note(
      "On the diagonal, confidence is worth what it says: of answers given with .8, eight in ten are right. Below it, it promises too much. Whiskers are 95 % intervals (Wilson). Quantiles are right to 1.1 %; of fewer than 20 queries they are the maximum.",
    ),
  ];
}

export const show = (root, page) => ledgerPage(root, page, whole);
