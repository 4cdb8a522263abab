// figure: what every chart stands in: a caption, a drawing, and the same numbers as a table for those who cannot see it or want them.

import { el, svg } from "./dom.js";

// A box that draws itself again whenever its width changes.
export function sized(draw) {
  const box = el("div", { class: "sized" });
  let width = 0;
  new ResizeObserver(() => {
    const now = Math.floor(box.clientWidth);
    if (now === 0 || now === width) return;
    width = now;
    box.replaceChildren(draw(width));
  }).observe(box);
  return box;
}

export function figure(title, detail, drawing, numbers) {
  const caption = el(
    "figcaption",
    {},
    el("span", { class: "figure-title" }, title),
    detail ? el("span", { class: "figure-detail" }, detail) : null,
  );
  const asTable = numbers
    ? el("details", { class: "numbers" }, el("summary", {}, "Show as table"), el("div", {}))
    : null;
  // Made when it is opened: a long series is a long table.
  asTable?.addEventListener("toggle", () => {
    if (asTable.open) asTable.lastChild.replaceChildren(numbers());
  });
  return el("figure", { class: "figure" }, caption, drawing, asTable);
}

export function nothing(title, detail, why) {
  return figure(title, detail, el("p", { class: "figure-empty" }, why ?? "Nothing in this span."), null);
}

// ---- pieces of SVGs ----

export function text(x, y, words, more) {
  return svg("text", { x, y, class: "svg-text", ...more }, words);
}

export function line(x1, y1, x2, y2, kind) {
  return svg("line", { x1, y1, x2, y2, class: kind });
}
