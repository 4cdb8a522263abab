// drawings: histograms, reliability, boxes, gauges, sparks and timelines as small SVGs, drawn at their real width.

import { el, note, svg, table } from "./dom.js";
import { figure, line, nothing, sized, text } from "./figure.js";
import * as format from "./format.js";

const FRAME = { left: 44, right: 18, top: 24, bottom: 34 };

function frame(width, height) {
  return {
    left: FRAME.left,
    right: width - FRAME.right,
    top: FRAME.top,
    bottom: height - FRAME.bottom,
    x: (share) => FRAME.left + share * (width - FRAME.left - FRAME.right),
    y: (share) => height - FRAME.bottom - share * (height - FRAME.top - FRAME.bottom),
  };
}

// ---- a histogram of confidences ----

// bins: counts over [0, 1]; options: {mean, target, color, detail}.
export function histogram(title, bins, options) {
  const total = bins.reduce((sum, v) => sum + v, 0);
  const detail = `${format.n(total)}${total ? `, mean ${format.share(options.mean)}` : ""}${options.detail ? `, ${options.detail}` : ""}`;
  if (total === 0) return nothing(title, detail, "No query in this span has one.");
  const top = Math.max(...bins);
  const draw = (width) => {
    const height = 190,
      f = frame(width, height),
      step = (f.right - f.left) / bins.length;
    const columns = bins.map((v, i) =>
      svg(
        "rect",
        {
          x: f.left + i * step + 1,
          y: f.y(v / top),
          width: Math.max(1, step - 2),
          height: f.bottom - f.y(v / top),
          rx: 2,
          style: { fill: `var(${options.color})` },
        },
        svg(
          "title",
          {},
          `${format.number(i / bins.length)} to ${format.number((i + 1) / bins.length)}: ${format.count(v)}`,
        ),
      ),
    );
    const mark = (at, kind, words) => [
      line(f.x(at), f.top, f.x(at), f.bottom, kind),
      text(f.x(at), f.top - 8, words, { "text-anchor": "middle" }),
    ];
    return svg(
      "svg",
      { width, height, role: "img", "aria-label": `${title}, ${detail}` },
      [0, 0.5, 1].map((s) => [
        line(f.left, f.y(s), f.right, f.y(s), "svg-grid"),
        text(f.left - 6, f.y(s) + 4, format.compact(s * top), { "text-anchor": "end" }),
      ]),
      columns,
      [0, 0.25, 0.5, 0.75, 1].map((s) =>
        text(f.x(s), height - 14, format.share(s, 2), { "text-anchor": "middle" }),
      ),
      options.target !== undefined
        ? mark(options.target, "svg-target", `alert ${format.share(options.target, 2)}`)
        : null,
    );
  };
  const numbers = () =>
    table(
      title,
      [
        { title: "From", cell: (i) => format.number(i / bins.length) },
        { title: "To", cell: (i) => format.number((i + 1) / bins.length) },
        { title: "Queries", number: true, cell: (i) => format.count(bins[i]) },
      ],
      bins.map((_, i) => i),
    );
  return figure(title, detail, sized(draw), numbers);
}

// ---- reliability: how often what was said with a confidence was right ----

// bins: [{n, confidence, accuracy, lower, upper}].
export function reliability(title, bins, options) {
  const filled = bins.filter((b) => b.n > 0),
    total = filled.reduce((sum, b) => sum + b.n, 0);
  const detail = `${format.n(total)} labelled${options.detail ? `, ${options.detail}` : ""}`;
  if (total === 0)
    return nothing(
      title,
      detail,
      "No answer in this span has a label: send POST /v1/feedback, a verifier, or set route.audit_share.",
    );
  const draw = (width) => {
    const height = 240,
      f = frame(width, height);
    const ticks = [0, 0.25, 0.5, 0.75, 1];
    return svg(
      "svg",
      { width, height, role: "img", "aria-label": `${title}, ${detail}` },
      ticks.map((s) => [
        line(f.left, f.y(s), f.right, f.y(s), "svg-grid"),
        text(f.left - 6, f.y(s) + 4, format.share(s, 2), { "text-anchor": "end" }),
        text(f.x(s), height - 16, format.share(s, 2), { "text-anchor": "middle" }),
      ]),
      line(f.x(0), f.y(0), f.x(1), f.y(1), "svg-diagonal"),
      text((f.left + f.right) / 2, height - 2, "confidence", { "text-anchor": "middle" }),
      filled.map((b) =>
        svg(
          "g",
          {},
          svg(
            "title",
            {},
            `confidence ${format.share(b.confidence)}: right ${format.share(b.accuracy)} [${format.share(b.lower)}, ${format.share(b.upper)}], ${format.n(b.n)}`,
          ),
          line(f.x(b.confidence), f.y(b.lower), f.x(b.confidence), f.y(b.upper), "svg-whisker"),
          svg("circle", {
            cx: f.x(b.confidence),
            cy: f.y(b.accuracy),
            r: Math.min(9, 3 + Math.sqrt(b.n) / 4),
            class: "svg-point",
          }),
        ),
      ),
    );
  };
  const numbers = () =>
    table(
      title,
      [
        { title: "Mean confidence", cell: (b) => format.share(b.confidence) },
        { title: "Right", number: true, cell: (b) => format.share(b.accuracy) },
        {
          title: "95 % interval",
          number: true,
          cell: (b) => `[${format.share(b.lower)}, ${format.share(b.upper)}]`,
        },
        { title: "n", number: true, cell: (b) => format.count(b.n) },
      ],
      filled,
    );
  return figure(title, detail, sized(draw), numbers);
}

// ---- boxes ----

// rows: [{name, n, low, q1, median, q3, p95}] in milliseconds.
export function boxes(title, rows, options) {
  if (rows.length === 0) return nothing(title, options.detail);
  const top = Math.max(...rows.map((r) => r.p95), options.target ?? 0) * 1.08 || 1;
  const draw = (width) => {
    const each = 34,
      height = rows.length * each + 40,
      left = Math.min(120, width * 0.3),
      right = width - 60,
      x = (v) => left + (Math.min(v, top) / top) * (right - left);
    const row = (r, i) => {
      const y = 10 + i * each + each / 2;
      return svg(
        "g",
        {},
        svg(
          "title",
          {},
          `${r.name}: 5 % ${format.ms(r.low)}, 25 % ${format.ms(r.q1)}, median ${format.ms(r.median)}, 75 % ${format.ms(r.q3)}, 95 % ${format.ms(r.p95)}, ${format.n(r.n)}`,
        ),
        text(left - 8, y + 4, r.name.length > 16 ? `${r.name.slice(0, 15)}…` : r.name, { "text-anchor": "end" }),
        line(x(r.low), y, x(r.p95), y, "svg-whisker"),
        line(x(r.low), y - 5, x(r.low), y + 5, "svg-whisker"),
        line(x(r.p95), y - 5, x(r.p95), y + 5, "svg-whisker"),
        svg("rect", {
          x: x(r.q1),
          y: y - 9,
          width: Math.max(2, x(r.q3) - x(r.q1)),
          height: 18,
          rx: 3,
          class: "svg-box",
        }),
        line(x(r.median), y - 9, x(r.median), y + 9, "svg-median"),
        text(width, y + 4, format.n(r.n), { "text-anchor": "end" }),
      );
    };
    return svg(
      "svg",
      { width, height, role: "img", "aria-label": title },
      [0, 0.5, 1].map((s) => [
        line(x(s * top), 8, x(s * top), height - 28, "svg-grid"),
        text(x(s * top), height - 12, format.ms(s * top), { "text-anchor": s === 0 ? "start" : "middle" }),
      ]),
      options.target !== undefined
        ? line(x(options.target), 6, x(options.target), height - 28, "svg-target")
        : null,
      rows.map(row),
    );
  };
  const numbers = () =>
    table(
      title,
      [
        { title: "Domain", cell: (r) => r.name },
        { title: "n", number: true, cell: (r) => format.count(r.n) },
        ...[
          ["5 %", "low"],
          ["25 %", "q1"],
          ["Median", "median"],
          ["75 %", "q3"],
          ["95 %", "p95"],
        ].map(([words, key]) => ({ title: words, number: true, cell: (r) => format.ms(r[key]) })),
      ],
      rows,
    );
  return figure(title, options.detail, sized(draw), numbers);
}

// ---- one value with its interval on a scale, and the thresholds ----

export function gauge(words, value, options) {
  const { lower, upper, warn, trip, low, high } = options;
  const place = (v) => Math.max(0, Math.min(1, (v - low) / (high - low || 1)));
  const draw = (width) => {
    const height = 30,
      x = (v) => 6 + place(v) * (width - 12),
      y = 15;
    return svg(
      "svg",
      { width, height, role: "img", "aria-label": words },
      svg("rect", { x: 6, y: y - 3, width: width - 12, height: 6, rx: 3, class: "svg-track" }),
      lower !== null && upper !== null
        ? svg("rect", {
            x: x(lower),
            y: y - 5,
            width: Math.max(3, x(upper) - x(lower)),
            height: 10,
            rx: 3,
            class: "svg-band",
          })
        : null,
      warn !== null ? line(x(warn), 3, x(warn), 27, "svg-warn") : null,
      trip !== null ? line(x(trip), 3, x(trip), 27, "svg-trip") : null,
      value !== null ? svg("circle", { cx: x(value), cy: y, r: 5, class: "svg-point" }) : null,
    );
  };
  return sized(draw);
}

// ---- a small line without axes ----

export function spark(values, color) {
  const known = values.filter((v) => v !== null && v !== undefined);
  if (known.length < 4) return null; // a dot says nothing
  const top = Math.max(...known),
    bottom = Math.min(0, ...known),
    width = 120,
    height = 28;
  const points = values
    .map((v, i) =>
      v === null || v === undefined
        ? null
        : `${(i / (values.length - 1)) * width},${height - 2 - ((v - bottom) / (top - bottom || 1)) * (height - 4)}`,
    )
    .filter(Boolean);
  return svg(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, class: "spark", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("polyline", { points: points.join(" "), style: { stroke: `var(${color})` } }),
  );
}

// ---- one query's calls in time ----

// Where a call began is recorded from version 3 of the ledger on; before that calls are drawn one behind the other.
function starts(q) {
  let at = 0;
  return q.calls.map((c) => {
    const start = c.started_us ?? at;
    at = start + c.latency_us;
    return start;
  });
}

export function timeline(q) {
  const at = starts(q),
    isKnown = q.calls.every((c) => c.started_us !== undefined && c.started_us !== null);
  const end = Math.max(q.latency_us, ...q.calls.map((c, i) => at[i] + c.latency_us), 1),
    roles = [...new Set(q.calls.map((c) => c.role))],
    colors = ["--series-1", "--series-2", "--series-3", "--series-4"];
  const draw = (width) => {
    const each = 26,
      left = Math.min(150, width * 0.32),
      right = width - 8,
      top = 10,
      height = top + (q.calls.length + 1) * each + 26,
      x = (us) => left + (us / end) * (right - left);
    const row = (i) => top + i * each + each / 2;
    const bar = (name, start, length, i, color, words, first) =>
      svg(
        "g",
        {},
        svg("title", {}, words),
        text(i > 0 ? 20 : 0, row(i) + 4, name.length > 18 ? `${name.slice(0, 17)}…` : name, {}),
        svg("rect", {
          x: x(start),
          y: row(i) - 8,
          width: Math.max(2, x(start + length) - x(start)),
          height: 16,
          rx: 4,
          style: { fill: `var(${color})` },
        }),
        first > 0 && first < length
          ? line(x(start + first), row(i) - 8, x(start + first), row(i) + 8, "svg-first")
          : null,
        i > 0 ? svg("path", { d: `M6 ${row(0) + 8}V${row(i)}H15`, class: "svg-branch" }) : null,
      );
    return svg(
      "svg",
      {
        width,
        height,
        role: "img",
        "aria-label": `${q.calls.length} calls within ${format.ms(end / 1000)}; the same as a table follows`,
      },
      (width < 520 ? [0, 0.5, 1] : [0, 0.25, 0.5, 0.75, 1]).map((s) => [
        line(x(s * end), top, x(s * end), height - 24, "svg-grid"),
        text(x(s * end), height - 8, format.ms((s * end) / 1000), {
          "text-anchor": s === 0 ? "start" : s === 1 ? "end" : "middle",
        }),
      ]),
      bar(q.strategy, 0, q.latency_us, 0, "--muted", `the query: ${format.ms(q.latency_us / 1000)}`, 0),
      q.calls.map((c, i) =>
        bar(
          `${c.number} ${c.role}`,
          at[i],
          c.latency_us,
          i + 1,
          c.result === "OK" ? colors[roles.indexOf(c.role) % colors.length] : "--bad",
          `${c.number} ${c.role}, ${c.model}: ${c.result}, ${format.ms(c.latency_us / 1000)} from ${format.ms(at[i] / 1000)}`,
          c.first_byte_us,
        ),
      ),
    );
  };
  return el(
    "div",
    {},
    sized(draw),
    isKnown
      ? null
      : note(
          "When each call began was not recorded: they are drawn one behind the other, though some may have run at the same time.",
        ),
  );
}
