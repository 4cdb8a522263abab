#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Canaries planted in keys, headers and prompts: after a run of faults they are in no log, error, metric or file of weir's, and in
no answer of its admin API (requirement 28)."""
import json

import harness
from control_kit import admin
from harness import CLIENT_KEY, MODEL, PROVIDER_KEY, chunk, completion, http_status
from keys import bearer, create
from streams import Leaver

HEADER, PROMPT, WRONG, USER = "canary-header-51c0", "canary-prompt-9d7e", "weir-0badc0de-canarykey11aa", "canary-user-77f2"


def error(status, **more):
    """A provider that repeats what it was sent, the key too."""
    message = f"you sent {PROMPT} with the key {PROVIDER_KEY}"
    return {"status": status, "body": {"error": {"message": message, "type": "x", "param": None, "code": None}}, **more}


SCRIPT = [
    error(401), error(400), error(403), error(404), error(429), error(500), error(503),
    {"body": {"nonsense": PROVIDER_KEY}},
    {"events": [chunk({"content": "a"}), {"error": {"message": f"key {PROVIDER_KEY}", "type": "x"}}]},
    {"events": [chunk({"content": PROMPT}), chunk({"content": "b"})], "cut_after_events": 1},
    {"body": completion(f"you said {PROMPT}")},
]


def question(**members):
    return {"model": MODEL, "messages": [{"role": "user", "content": f"Repeat {PROMPT}"}], "user": USER,
            "metadata": {"note": PROMPT}, **members}


def texts_of(value):
    return json.dumps(value) if isinstance(value, (dict, list)) else str(value)


def main(world, checks):
    gateway = world.gateway(world.script(SCRIPT), {"server": {"keys": ["env:WEIR_E2E_CLIENT_KEY"]}, "max_retries": 0})
    created, _ = create(gateway, "--tenant", "acme", "--requests-per-minute", "100000", "--budget-usd", "50")
    revoked, _ = create(gateway, "--tenant", "gone")
    gateway.command("key", "revoke", revoked["id"])
    headers = {"cookie": HEADER, "x-custom": HEADER, "x-weir-domain": "generic", "traceparent": HEADER}
    keys = [created["key"], CLIENT_KEY, WRONG, revoked["key"]]
    secrets = {"header": HEADER, "wrong key": WRONG, "user": USER, "provider's key": PROVIDER_KEY, "client's key": CLIENT_KEY,
               "created key": created["key"][14:], "revoked key": revoked["key"][14:]}
    errors = []
    for number in range(8 * len(SCRIPT)):
        key = keys[number % len(keys)]
        stream = number // len(keys) % 3 == 1
        model = (MODEL, "weir/direct", "weir/hrm_trm")[number // 7 % 3]
        answer = gateway.post(question(stream=stream, model=model), {**headers, **bearer(key)})
        errors += [answer] if answer.status != 200 or b"error" in answer.body else []
    for body in [f"{{\"messages\": \"{PROMPT}\"", f"[\"{PROMPT}\"]", json.dumps({"model": MODEL, "messages": PROMPT})]:
        errors.append(gateway.post(body, {**headers, **bearer(created["key"])}))
    errors.append(gateway.request("GET", "/v1/nowhere", headers={**headers, **bearer(created["key"])}))
    errors.append(gateway.raw(f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {created['key']}\r\n"
                              f"x-bad: {HEADER}\rTransfer-Encoding: chunked\r\n\r\n".encode()))
    leaver = Leaver(gateway, question(stream=True), {**headers, **bearer(created["key"])})
    leaver.leave()
    checks.true("there were errors of every kind", {400, 401, 404, 429, 502}.issubset({a.status for a in errors}), {a.status for a in errors})

    seen = {f"answer {i} ({a.status})": a.body.decode(errors="replace") + texts_of(a.headers) for i, a in enumerate(errors)}
    for path in ["keys", "alerts", "alerts/history", "rollouts", "experiments", "silences", "outbox"]:
        seen[f"admin {path}"] = admin(gateway, "GET", path).body.decode()
    metrics = f"http://127.0.0.1:{gateway.admin_port}/metrics"
    checks.equal("metrics are there", http_status(metrics), 200)
    import urllib.request
    with urllib.request.urlopen(metrics, timeout=30) as answer:
        seen["metrics"] = answer.read().decode()
    for verb in (["key", "list"], ["key", "list", "--json"], ["check"], ["ledger", "export"]):
        done = gateway.command(*verb)
        seen[" ".join(verb)] = done.stdout + done.stderr
    gateway.process.kill()
    gateway.start()
    checks.equal("stops", gateway.stop(), 0)
    seen["export"] = json.dumps(gateway.rows())
    checks.true("the ledger has its rows", len(gateway.rows()) > 40)
    for file in [gateway.log, *gateway.ledger.iterdir()]:
        seen[f"file {file.name}"] = file.read_bytes().decode("latin-1")
    for place, text in seen.items():
        for name, secret in secrets.items():
            checks.true(f"{place}: no {name}", secret not in text, text[:400])
        # What a client asked may come back to it in a provider's words, and nowhere else.
        if not place.startswith("answer"):
            checks.true(f"{place}: no prompt", PROMPT not in text, text[:400])


if __name__ == "__main__":
    harness.run(main)
