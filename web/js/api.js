// api: the admin API, and the live events of it.

export class Refused extends Error {
  constructor(status, error) {
    super(error?.message ?? `the gateway answered with ${status}`);
    this.status = status;
    this.code = error?.code ?? "";
  }
}

let onSignIn = () => {};
// What to do when the gateway wants a key.
export function whenKeyIsAsked(callback) {
  onSignIn = callback;
}

async function call(method, path, options = {}) {
  const headers = { accept: "application/json" };
  if (options.body !== undefined) headers["content-type"] = "application/json";
  if (options.generation !== undefined) headers["if-match"] = `"${options.generation}"`;
  let answer;
  try {
    answer = await fetch(`/admin/v1/${path}`, {
      method,
      headers,
      cache: "no-store",
      credentials: "same-origin",
      signal: options.signal,
      body: options.body === undefined ? undefined : JSON.stringify(options.body),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, { message: "the gateway cannot be reached; is weir serve running?" });
  }
  let value = null;
  try {
    value = await answer.json();
  } catch {
    // Not JSON: the status says enough.
  }
  if (answer.ok) return value;
  if (answer.status === 401 && path !== "session") onSignIn();
  throw new Refused(answer.status, value?.error);
}

export const get = (path, signal) => call("GET", path, { signal });
export const post = (path, body, generation) => call("POST", path, { body, generation });
export const remove = (path, body) => call("DELETE", path, { body });

// Rows that are only ever added to, oldest first, in pages: gives what reads those that are new, behind what was read before.
export function reader(path) {
  const rows = [];
  return async (signal) => {
    for (;;) {
      const last = rows.length ? rows[rows.length - 1].event : 0;
      const page = (await get(`${path}?after=${last}`, signal)).data;
      rows.push(...page);
      if (page.length < 1000) return rows;
    }
  };
}

// ---- live ----

const listeners = new Set();
let source = null;
let last = null;

export function snapshot() {
  return last;
}

// Calls back with each snapshot; gives what ends that.
export function listen(callback) {
  listeners.add(callback);
  if (last) callback(last);
  return () => listeners.delete(callback);
}

export function connect(onState) {
  source?.close();
  source = new EventSource("/admin/v1/events");
  source.onopen = () => onState("live");
  source.onmessage = (event) => {
    last = JSON.parse(event.data);
    for (const callback of listeners) callback(last);
  };
  source.onerror = () => onState(source.readyState === EventSource.CLOSED ? "lost" : "reconnecting");
}

export function disconnect() {
  source?.close();
  source = null;
}
