// charts: lines over time, which uPlot draws, and bars by name.

import { el, note, table } from "./dom.js";
import { figure, nothing } from "./figure.js";
import * as format from "./format.js";

const HEIGHT = 210;
const plots = new Set();

function css(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

export function redraw() {
  for (const plot of plots) plot.redraw(false, true);
}

// ---- lines over time ----

function axes(options) {
  const common = {
    stroke: () => css("--muted"),
    grid: { stroke: () => css("--grid"), width: 1 },
    ticks: { show: false },
    font: "12px system-ui, sans-serif",
  };
  return [
    { ...common, grid: { show: false }, space: 64, size: 32, values: (u, ticks) => instants(u, ticks) },
    { ...common, size: 62, values: (_, ticks) => ticks.map((v) => (v === null ? "" : options.format(v))) },
  ];
}

// Hours within a day or two, dates beyond.
function instants(u, ticks) {
  const wide = u.scales.x.max - u.scales.x.min > 2 * 86400;
  const shape = new Intl.DateTimeFormat(
    "en-GB",
    wide ? { day: "2-digit", month: "short" } : { hour: "2-digit", minute: "2-digit" },
  );
  return ticks.map((at) => shape.format(new Date(at * 1000)));
}

function target(options) {
  return (u) => {
    if (options.target === undefined) return;
    const y = u.valToPos(options.target, "y", true);
    if (y < u.bbox.top || y > u.bbox.top + u.bbox.height) return;
    u.ctx.save();
    u.ctx.strokeStyle = css("--warn");
    u.ctx.setLineDash([5, 5]);
    u.ctx.lineWidth = 1.5;
    u.ctx.beginPath();
    u.ctx.moveTo(u.bbox.left, y);
    u.ctx.lineTo(u.bbox.left + u.bbox.width, y);
    u.ctx.stroke();
    u.ctx.restore();
  };
}

function plot(box, x, series, options) {
  const shown = series.map((s) => ({
    label: s.name,
    stroke: () => css(s.color),
    width: 2,
    spanGaps: true,
    points: { show: s.values.filter((v) => v !== null).length < 40, size: 5, fill: () => css(s.color) },
    fill: s.fill ? () => `${css(s.color)}26` : undefined,
    value: (_, v) => (v === null || v === undefined ? format.NONE : options.format(v)),
  }));
  const range = (_, low, high) => {
    const top = Math.max(high ?? 0, options.target ?? -Infinity);
    const bottom = options.zero === false ? low : Math.min(0, low);
    const lowest = options.target === undefined ? bottom : Math.min(bottom, options.target);
    return options.range ?? [lowest, top > lowest ? top + (top - lowest) * 0.08 : lowest + 1];
  };
  // Without a pointer over it, the legend says the newest values.
  const newest = x.findLastIndex((_, i) => series.some((s) => s.values[i] !== null));
  const rest = (u) => (u.cursor.idx === null || u.cursor.left < 0) && u.setLegend({ idx: newest }, false);
  const made = new uPlot(
    {
      width: box.clientWidth || 300,
      height: HEIGHT,
      legend: { live: true },
      cursor: { y: false, points: { size: 7 } },
      scales: { x: { time: true }, y: { range } },
      axes: axes(options),
      series: [{ value: (_, v) => (v === null ? format.NONE : format.time(v)) }, ...shown],
      hooks: { draw: [target(options)], setCursor: [rest], ready: [rest] },
    },
    [x, ...series.map((s) => s.values)],
    box,
  );
  plots.add(made);
  new ResizeObserver((_, observer) => {
    if (!box.isConnected) {
      observer.disconnect();
      plots.delete(made);
      made.destroy();
    } else if (box.clientWidth > 0) {
      made.setSize({ width: box.clientWidth, height: HEIGHT });
    }
  }).observe(box);
}

// series: [{name, values, color, fill}], values null where there is none; options: {format, detail, target, range, zero, n}.
export function lines(title, x, series, options) {
  const numbers = () =>
    table(
      title,
      [
        { title: "Time", cell: (i) => format.time(x[i]) },
        ...series.map((s) => ({ title: s.name, number: true, cell: (i) => options.format(s.values[i]) })),
        ...(options.n ? [{ title: "n", number: true, cell: (i) => format.count(options.n[i]) }] : []),
      ],
      x
        .map((_, i) => i)
        .filter((i) => series.some((s) => s.values[i] !== null))
        .reverse(),
    );
  if (!series.some((s) => s.values.some((v) => v !== null && v !== undefined)))
    return nothing(title, options.detail);
  if (typeof uPlot === "undefined") {
    return figure(
      title,
      options.detail,
      el(
        "div",
        { class: "numbers" },
        note(
          "This weir was built without uPlot (tools/setup-charts could not fetch it), so lines are shown as tables.",
        ),
        numbers(),
      ),
      null,
    );
  }
  const box = el("div", {
    class: "plot",
    role: "img",
    "aria-label": `${title}: a line chart; the same as a table follows`,
  });
  const shape = figure(title, options.detail, box, numbers);
  // Its width is known once it stands in the page.
  requestAnimationFrame(() => box.isConnected && plot(box, x, series, options));
  return shape;
}

// ---- bars by name ----

// rows: [{name, values: [..], n}]; series: [{name, color}]; options: {format, detail, max, target, count}.
export function bars(title, rows, series, options) {
  if (rows.length === 0) return nothing(title, options.detail);
  const top = options.max ?? Math.max(...rows.flatMap((r) => r.values.map((v) => v ?? 0)), 1e-12);
  const bar = (v, color) =>
    el(
      "span",
      { class: "bar-track" },
      el("span", {
        class: "bar-fill",
        style: { width: `${Math.max(0, Math.min(1, (v ?? 0) / top)) * 100}%`, background: `var(${color})` },
      }),
      options.target !== undefined
        ? el("span", { class: "bar-target", style: { left: `${(options.target / top) * 100}%` } })
        : null,
    );
  const items = rows.map((r) =>
    el(
      "li",
      {},
      el("span", { class: "bar-name" }, r.name),
      el(
        "span",
        { class: "bar-set" },
        r.values.map((v, i) =>
          el(
            "span",
            { class: "bar-row" },
            bar(v, series[i].color),
            el(
              "span",
              { class: "bar-value" },
              series.length > 1 ? el("span", { class: "bar-series" }, series[i].name) : null,
              options.format(v),
            ),
          ),
        ),
      ),
      el("span", { class: "bar-n" }, options.count ? options.count(r) : format.n(r.n)),
    ),
  );
  return figure(title, options.detail, el("ul", { class: "bars" }, items), null);
}
