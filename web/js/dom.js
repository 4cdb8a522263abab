// dom: elements from plain calls. Whatever comes from outside becomes a text node, never markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, properties, children) {
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "value") node.value = value;
    else if (name === "style") for (const [key, text] of Object.entries(value)) node.style.setProperty(key, text);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  add(node, children);
  return node;
}

function add(node, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

export function el(tag, properties, ...children) {
  return fill(document.createElement(tag), properties, children);
}

export function svg(tag, properties, ...children) {
  return fill(document.createElementNS(SVG, tag), properties, children);
}

export function replace(node, ...children) {
  node.replaceChildren();
  add(node, children);
}

// ---- the pieces that pages are made of ----

export function card(title, ...children) {
  const heading = title ? el("h2", {}, title) : null;
  return el("section", { class: "card" }, heading, children);
}

export function note(...children) {
  return el("p", { class: "note" }, children);
}

// What to do where there is nothing to see.
export function empty(title, ...how) {
  return el("div", { class: "empty" }, el("p", { class: "empty-title" }, title), how);
}

export function pill(text, kind) {
  return el("span", { class: `pill ${kind ?? ""}` }, text);
}

// columns: [{title, cell(row), number, header}]; cells are texts or nodes.
export function table(caption, columns, rows, options = {}) {
  const head = el(
    "tr",
    {},
    columns.map((c) => el("th", { scope: "col", class: c.number ? "number" : null }, c.title)),
  );
  const body = rows.map((row) =>
    el(
      "tr",
      {},
      columns.map((c, i) =>
        el(
          i === 0 ? "th" : "td",
          { scope: i === 0 ? "row" : null, class: c.number ? "number" : null },
          c.cell(row),
        ),
      ),
    ),
  );
  return el(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    el(
      "table",
      {},
      el("caption", { class: options.shows_caption ? null : "unseen" }, caption),
      el("thead", {}, head),
      el("tbody", {}, body),
    ),
  );
}

export function tile(label, value, detail, extra) {
  return el(
    "div",
    { class: "tile" },
    el("p", { class: "tile-label" }, label),
    el("p", { class: "tile-value" }, value),
    el("p", { class: "tile-detail" }, detail),
    extra,
  );
}

export function toast(text, kind) {
  const box = document.getElementById("toasts");
  const shown = el("p", { class: `toast ${kind ?? ""}` }, text);
  box.append(shown);
  setTimeout(() => shown.remove(), 7000);
}
