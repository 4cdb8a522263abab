// format: numbers as people read them. What is not known is a dash, never a zero.

export const NONE = "–";

function known(v) {
  return typeof v === "number" && Number.isFinite(v);
}

export function count(v) {
  return known(v) ? Math.round(v).toLocaleString("en") : NONE;
}

export function compact(v) {
  if (!known(v)) return NONE;
  return Math.abs(v) < 10000
    ? count(v)
    : new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 }).format(v);
}

export function percent(v, digits = 1) {
  return known(v) ? `${(v * 100).toFixed(digits)} %` : NONE;
}

export function share(v, digits = 3) {
  return known(v) ? v.toFixed(digits).replace(/^(-?)0\./, "$1.") : NONE;
}

// Dollars with as many digits as the size asks for.
export function dollars(v) {
  if (!known(v)) return NONE;
  const size = Math.abs(v);
  const digits =
    size === 0 || size >= 1
      ? { minimumFractionDigits: 2, maximumFractionDigits: 2 }
      : { maximumSignificantDigits: 3, minimumFractionDigits: 2, maximumFractionDigits: 9 };
  return `${v < 0 ? "−" : ""}$${size.toLocaleString("en", digits)}`;
}

export function nano(v) {
  return known(v) ? dollars(v / 1e9) : NONE;
}

export function ms(v) {
  if (!known(v)) return NONE;
  if (v === 0) return "0 ms";
  if (v >= 10000) return `${(v / 1000).toFixed(1)} s`;
  return v >= 100 ? `${Math.round(v).toLocaleString("en")} ms` : `${v.toPrecision(2)} ms`;
}

export function number(v, digits = 2) {
  return known(v) ? v.toFixed(digits).replace(/^-(0\.?0*)$/, "$1") : NONE;
}

export function span(seconds) {
  if (!known(seconds)) return NONE;
  for (const [unit, size] of [
    ["d", 86400],
    ["h", 3600],
    ["min", 60],
  ]) {
    if (seconds >= size)
      return `${(seconds / size).toFixed(seconds < 10 * size ? 1 : 0).replace(/\.0$/, "")} ${unit}`;
  }
  return `${Math.round(seconds)} s`;
}

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", {
  day: "2-digit",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
});

// An instant: seconds since 1970, or a text of one.
export function time(at) {
  const date = typeof at === "number" ? new Date(at * 1000) : new Date(at ?? NaN);
  if (Number.isNaN(date.getTime())) return NONE;
  return Math.abs(Date.now() - date.getTime()) < 12 * 3600e3 ? clock.format(date) : day.format(date);
}

export function ago(at) {
  const date = typeof at === "number" ? at * 1000 : Date.parse(at ?? "");
  return Number.isNaN(date) ? NONE : `${span(Math.max(0, (Date.now() - date) / 1000))} ago`;
}

export function n(v) {
  return `n = ${count(v)}`;
}
