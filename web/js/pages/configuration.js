// configuration: what holds, key by key; of a secret only where it comes from.

import { get } from "../api.js";
import { card, el, note, pill, replace, table } from "../dom.js";
import * as format from "../format.js";

export const title = "Configuration";
export const about = "What holds now, after every reload; what needs a restart is as this process began. Secrets are shown by their source alone.";

function words(v) {
  if (Array.isArray(v)) return v.length ? v.join(", ") : "none";
  if (v === "" || v === null) return "none";
  return String(v);
}

function isChanged(k) {
  if (k.default === null) return !["", "none", "0", "false"].includes(words(k.value)) && k.value !== null;
  const time = /^([\d.]+)(s|m|h|d)$/.exec(k.default);
  const number = time ? Number(time[1]) * { s: 1, m: 60, h: 3600, d: 86400 }[time[2]] : Number(k.default);
  return typeof k.value === "number" && Number.isFinite(number) ? k.value !== number : words(k.value) !== k.default;
}

function section(name, keys) {
  return card(
    name,
    table(
      name,
      [
        { title: "Key", cell: (k) => el("code", { class: "wrap" }, k.key) },
        {
          title: "Value",
          cell: (k) =>
            el(
              "span",
              { class: "wrap" },
              el("strong", {}, words(k.value)),
              k.unit && k.value !== "" ? ` ${k.unit}` : "",
              " ",
              isChanged(k) ? pill("set", "info") : null,
            ),
        },
        { title: "Default", cell: (k) => el("span", { class: "wrap muted" }, k.default ?? "none") },
        { title: "What it is", cell: (k) => el("span", { class: "wrap" }, k.text) },
      ],
      keys,
    ),
  );
}

export async function show(root, page) {
  const config = await get("config", page.signal),
    input = el("input", {
      id: "config-filter",
      type: "search",
      placeholder: "part of a key, a value or its text",
      autocomplete: "off",
    });
  const only = el("input", { id: "config-only", type: "checkbox" }),
    body = el("div", { class: "page" });
  const draw = () => {
    const part = input.value.trim().toLowerCase(),
      groups = new Map();
    for (const k of config.keys) {
      const text = `${k.key} ${words(k.value)} ${k.text}`.toLowerCase();
      if ((part && !text.includes(part)) || (only.checked && !isChanged(k))) continue;
      const name = k.key.includes(".") ? k.key.split(".")[0] : "general";
      groups.set(name, [...(groups.get(name) ?? []), k]);
    }
    replace(
      body,
      [...groups].map(([name, keys]) => section(name, keys)),
      groups.size === 0 ? note("Nothing matches.") : null,
    );
  };
  input.addEventListener("input", draw);
  only.addEventListener("change", draw);
  root.append(
    el(
      "div",
      { class: "card" },
      el(
        "div",
        { class: "fields" },
        el("div", {}, el("label", { for: "config-filter" }, "Search"), input),
        el("div", { class: "check" }, only, el("label", { for: "config-only" }, "Only what was set")),
      ),
      note(`Hash ${config.hash}: two gateways with the same one run under the same values.`),
    ),
    body,
    card(
      "Alert channels",
      config.channels.length
        ? table(
            "Channels",
            [
              { title: "Channel", cell: (c) => c.name },
              { title: "From severity", cell: (c) => c.severity_min },
            ],
            config.channels,
          )
        : note(
            "None: alerts are shown here and nowhere else. alerts.channels adds Slack, PagerDuty, webhooks, Alertmanager or e-mail.",
          ),
    ),
    card(
      "Prices, US dollars a million tokens",
      table(
        "Prices",
        [
          { title: "Model", cell: (p) => p.model },
          { title: "From", cell: (p) => new Date(p.from_day * 86400e3).toISOString().slice(0, 10) },
          { title: "Input", number: true, cell: (p) => format.number(p.input_nano_usd / 1000, 3) },
          {
            title: "Cached input",
            number: true,
            cell: (p) => (p.cached_nano_usd < 0 ? format.NONE : format.number(p.cached_nano_usd / 1000, 3)),
          },
          { title: "Output", number: true, cell: (p) => format.number(p.output_nano_usd / 1000, 3) },
        ],
        config.prices,
      ),
    ),
  );
  draw();
}
