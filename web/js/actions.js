// actions: what changes something asks who does it and why, and says what became of it.

import { el, toast } from "./dom.js";

function remembered() {
  try {
    return localStorage.getItem("weir-actor") ?? "";
  } catch {
    return "";
  }
}

function remember(actor) {
  try {
    localStorage.setItem("weir-actor", actor);
  } catch {
    // Asked again next time.
  }
}

// A dialog with a form; onDo gets {actor, reason} and may throw, which is shown in the dialog.
export function ask(title, words, verb, onDo, options = {}) {
  const wrong = el("p", { class: "form-error", role: "alert" });
  const reason = el("input", {
    id: "ask-reason",
    required: true,
    maxlength: options.reasonMax ?? 1000,
    autocomplete: "off",
  });
  const actor = el("input", {
    id: "ask-actor",
    required: true,
    maxlength: 63,
    value: remembered(),
    autocomplete: "nickname",
  });
  const does = el("button", { type: "submit", class: options.danger ? "danger" : "primary" }, verb);
  const opener = document.activeElement;
  const dialog = el("dialog", { "aria-labelledby": "ask-title" });
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (opener?.isConnected) opener.focus();
  });
  dialog.append(
    el(
      "form",
      {
        onsubmit: async (event) => {
          event.preventDefault();
          does.disabled = true;
          try {
            remember(actor.value);
            await onDo({ actor: actor.value, reason: reason.value });
            dialog.close();
          } catch (error) {
            wrong.textContent = error.message;
            does.disabled = false;
          }
        },
      },
      el("h2", { id: "ask-title" }, title),
      el("p", {}, words),
      options.fields,
      el("div", {}, el("label", { for: "ask-reason" }, "Reason, for the record"), reason),
      el("div", {}, el("label", { for: "ask-actor" }, "Who does it"), actor),
      wrong,
      el("div", { class: "row" }, el("button", { type: "button", onclick: () => dialog.close() }, "Cancel"), does),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  reason.focus();
}

export function done(words) {
  toast(words, "good");
}
