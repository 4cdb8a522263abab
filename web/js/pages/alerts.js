// alerts: what fires, what is silenced and by whom, and which messages could not be delivered.

import { get, listen, post, reader, remove } from "../api.js";
import { ask, done } from "../actions.js";
import { card, el, empty, note, pill, replace, table } from "../dom.js";
import * as format from "../format.js";
import { stateKind } from "../parts.js";

export const title = "Alerts";
export const about =
  "Rules over windows of metrics. A firing alert is sent to the channels of the configuration, unless it is silenced or another one explains it.";

const LENGTHS = [
  ["3600", "1 hour"],
  ["14400", "4 hours"],
  ["86400", "1 day"],
  ["604800", "1 week"],
];

function silence(start, after) {
  const field = (id, label, value, help) =>
    el(
      "div",
      {},
      el("label", { for: id }, label),
      el("input", { id, value: value ?? "", placeholder: help, autocomplete: "off", maxlength: 63 }),
    );
  const length = el(
    "select",
    { id: "silence-length" },
    LENGTHS.map(([seconds, words]) => el("option", { value: seconds }, words)),
  );
  const names = [
    ["alertname", "Rule", start.rule, "any"],
    ["arm", "Arm", start.arm, "any"],
    ["domain", "Domain", start.domain, "any"],
    ["severity", "Severity", start.severity, "any"],
  ];
  const inputs = names.map(([label, words, value, help]) => field(`silence-${label}`, words, value, help));
  const fields = el(
    "div",
    { class: "fields" },
    inputs,
    el("div", {}, el("label", { for: "silence-length" }, "For"), length),
  );
  ask(
    "Silence",
    "Alerts that match everything that is filled in are not sent. * at the end stands for anything, ! in front for anything else.",
    "Silence",
    async (who) => {
      const match = Object.fromEntries(
        names
          .map(([label]) => [label, document.getElementById(`silence-${label}`).value.trim()])
          .filter(([, value]) => value),
      );
      await post("silences", { ...who, match, seconds: Number(length.value) });
      done("Silenced.");
      await after();
    },
    { fields, reasonMax: 127 },
  );
}

function alerts(list, after) {
  if (list.data.length === 0)
    return empty(
      "All quiet.",
      el("p", {}, `${format.count(list.rules)} rules are watched; none is pending or firing.`),
    );
  const order = { firing: 0, pending: 1, inactive: 2 };
  return table(
    "Alerts",
    [
      { title: "Alert", cell: (a) => el("span", { class: "wrap" }, a.rule.replaceAll("_", " ")) },
      {
        title: "State",
        cell: (a) => [
          pill(a.state, stateKind(a.state)),
          a.silenced ? pill("silenced") : null,
          a.inhibited ? pill("inhibited") : null,
        ],
      },
      {
        title: "Severity",
        cell: (a) => pill(a.severity, a.severity === "critical" ? "bad" : a.severity === "warning" ? "warn" : ""),
      },
      { title: "What", cell: (a) => el("span", { class: "wrap" }, a.sentence) },
      { title: "Since", cell: (a) => el("span", { class: "tight" }, format.ago(a.since)) },
      {
        title: "",
        cell: (a) =>
          el(
            "button",
            {
              type: "button",
              "aria-label": `Silence ${a.rule} ${a.arm}`,
              onclick: () => silence({ rule: a.rule, arm: a.arm, domain: a.domain }, after),
            },
            "Silence",
          ),
      },
    ],
    [...list.data].sort((a, b) => order[a.state] - order[b.state]),
  );
}

function silences(list, after) {
  if (list.length === 0)
    return note("None. A silence keeps alerts from being sent, for a while and with a reason.");
  return table(
    "Silences",
    [
      {
        title: "Matches",
        cell: (s) =>
          el(
            "span",
            { class: "wrap" },
            s.matchers.map((m) => `${m.label} ${m.negative ? "≠" : "="} ${m.value}`).join(", "),
          ),
      },
      { title: "State", cell: (s) => pill(s.active ? "active" : "over", s.active ? "info" : "") },
      { title: "Until", cell: (s) => format.time(s.ends) },
      { title: "By", cell: (s) => s.author },
      { title: "Why", cell: (s) => el("span", { class: "wrap" }, s.comment) },
      {
        title: "",
        cell: (s) =>
          s.active
            ? el(
                "button",
                {
                  type: "button",
                  "aria-label": `End silence ${s.id}`,
                  onclick: () =>
                    ask("End this silence", "What still fires is sent again.", "End it", async (who) => {
                      await remove(`silences/${s.id}`, who);
                      done("Ended.");
                      await after();
                    }),
                },
                "End",
              )
            : null,
      },
    ],
    list,
  );
}

function messages(title, list, count, kind) {
  if (count === 0) return null;
  return card(
    `${title} (${format.count(count)})`,
    kind === "dead"
      ? note("These were given up after their last attempt. weir alert test CHANNEL tries a channel.")
      : null,
    table(
      title,
      [
        { title: "Channel", cell: (m) => m.channel },
        { title: "Made", cell: (m) => format.time(m.created) },
        { title: "Attempts", number: true, cell: (m) => format.count(m.attempts) },
        { title: "Error", cell: (m) => el("span", { class: "wrap" }, m.error || format.NONE) },
        { title: "Key", cell: (m) => el("code", { class: "wrap" }, m.key) },
      ],
      list,
    ),
  );
}

function history(rows) {
  return el(
    "details",
    { class: "card" },
    el("summary", {}, `History (${format.count(rows.length)})`),
    table(
      "History of alerts, newest first",
      [
        { title: "When", cell: (i) => format.time(i.at_us / 1e6) },
        { title: "Alert", cell: (i) => i.row.rule?.replaceAll("_", " ") ?? i.subject },
        { title: "Move", cell: (i) => `${i.row.from ?? ""} → ${i.row.to ?? ""}` },
        { title: "What", cell: (i) => el("span", { class: "wrap" }, i.row.sentence ?? "") },
      ],
      rows.slice(-200).reverse(),
    ),
  );
}

export async function show(root, page) {
  let state = "";
  const readHistory = reader("alerts/history");
  async function read() {
    const [list, outbox, past] = await Promise.all([
      get("alerts", page.signal),
      get("outbox", page.signal),
      readHistory(page.signal),
    ]);
    const open = root.querySelector("details")?.open;
    replace(
      root,
      card("Now", alerts(list, read)),
      card(
        null,
        el(
          "div",
          { class: "row between" },
          el("h2", {}, "Silences"),
          el("button", { type: "button", id: "new-silence", onclick: () => silence({}, read) }, "New silence"),
        ),
        silences(list.silences, read),
      ),
      messages("Dead letters", outbox.dead, outbox.dead_count, "dead"),
      messages("Waiting to be sent", outbox.pending, outbox.pending_count),
      messages("Sent", outbox.sent, outbox.sent_count),
      outbox.dead_count + outbox.pending_count + outbox.sent_count === 0
        ? card(
            "Outbox",
            note("No message was sent or waits. Channels stand under alerts.channels in the configuration."),
          )
        : null,
      history(past),
    );
    if (open) root.querySelector("details").open = true;
  }
  await read();
  page.onEnd(
    listen((now) => {
      const next = `${now.alerts_firing} ${now.alerts_pending} ${now.dead_letters}`;
      if (state && next !== state && !root.contains(document.activeElement)) read().catch(() => {});
      state = next;
    }),
  );
}
