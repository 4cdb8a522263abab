#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Bad input from clients and from providers: the right status in OpenAI's shape, one ledger row, no confidence, no secret in
the log, and a gateway that still answers."""
import json

import harness
from harness import CLIENT_KEY, MODEL, completion, has_secret, stream

USER = {"role": "user", "content": "Hi"}
GOOD = {"model": MODEL, "messages": [USER]}
KEY = {"authorization": f"Bearer {CLIENT_KEY}"}

# name, body, status, the ledger's result
CLIENT_CASES = [
    ("malformed JSON", b'{"model": ', 400, "CALLER_BAD_JSON"),
    ("no body", b"", 400, "CALLER_BAD_JSON"),
    ("something after the JSON", json.dumps(GOOD) + "x", 400, "CALLER_BAD_JSON"),
    ("a name twice", '{"model": "a", "model": "b", "messages": [{"role": "user", "content": "Hi"}]}', 400, "CALLER_BAD_JSON"),
    ("bad UTF-8", json.dumps(GOOD).encode().replace(b"Hi", b"H\xff\xc0\xaf"), 400, "CALLER_BAD_JSON"),
    ("deeply nested", b"[" * 100000, 400, "CALLER_BAD_JSON"),
    ("an array", [GOOD], 400, "CALLER_BAD_REQUEST"),
    ("no model", {"messages": [USER]}, 400, "CALLER_BAD_REQUEST"),
    ("model is a number", {**GOOD, "model": 4}, 400, "CALLER_BAD_REQUEST"),
    ("no messages", {"model": MODEL}, 400, "CALLER_BAD_REQUEST"),
    ("messages empty", {**GOOD, "messages": []}, 400, "CALLER_BAD_REQUEST"),
    ("messages is a string", {**GOOD, "messages": "Hi"}, 400, "CALLER_BAD_REQUEST"),
    ("a message is a number", {**GOOD, "messages": [1]}, 400, "CALLER_BAD_REQUEST"),
    ("role unknown", {**GOOD, "messages": [{"role": "wizard", "content": "Hi"}]}, 400, "CALLER_BAD_REQUEST"),
    ("stream is a string", {**GOOD, "stream": "yes"}, 400, "CALLER_BAD_REQUEST"),
    ("temperature is a string", {**GOOD, "temperature": "hot"}, 400, "CALLER_BAD_REQUEST"),
    ("max_tokens negative", {**GOOD, "max_tokens": -1}, 400, "CALLER_BAD_REQUEST"),
    ("empty question", {**GOOD, "messages": [{"role": "user", "content": ""}]}, 400, "CALLER_EMPTY_QUESTION"),
    ("blank question", {**GOOD, "messages": [{"role": "user", "content": " \n\t "}]}, 400, "CALLER_EMPTY_QUESTION"),
    ("unknown model", {**GOOD, "model": "no-such-model"}, 404, "CALLER_UNKNOWN_MODEL"),
    ("unknown strategy", {**GOOD, "model": "weir/magic"}, 404, "CALLER_UNKNOWN_MODEL"),
    ("tools for a strategy", {**GOOD, "model": "weir/direct", "tools": [
        {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]}, 501, "WEIR_NOT_SUPPORTED"),
    ("verifier unknown", {**GOOD, "model": "weir/direct", "weir": {"verifier": {"kind": "oracle", "spec": ""}}}, 400, "CALLER_BAD_REQUEST"),
]


def clients(checks, world):
    gateway = world.gateway(world.upstream("echo"), {"server": {"keys": ["env:WEIR_E2E_CLIENT_KEY"]}})
    for name, body, status, _ in CLIENT_CASES:
        checks.error(name, gateway.post(body, KEY), status)

    # Turned away at the door, before the question was read: a row all the same.
    checks.error("no key", gateway.post(GOOD), 401)
    checks.error("wrong key", gateway.post(GOOD, {"authorization": f"Bearer {CLIENT_KEY}x"}), 401)
    checks.error("key without its scheme", gateway.post(GOOD, {"authorization": CLIENT_KEY}), 401)
    checks.error("10 MB body", gateway.raw(
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer " + CLIENT_KEY.encode() +
        b"\r\ncontent-length: 10485760\r\n\r\n" + b"x" * 10485760), 413)
    checks.error("malformed HTTP", gateway.raw(b"POST /v1/chat/completions\r\n\r\n"), 400)
    checks.error("two lengths", gateway.raw(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"), 400)
    checks.error("headers too large", gateway.raw(b"GET / HTTP/1.1\r\nhost: x\r\na: " + b"b" * 100000 + b"\r\n\r\n"), 431)
    checks.error("GET where POST belongs", gateway.request("GET", "/v1/chat/completions", headers=KEY), 405)
    checks.error("unknown path", gateway.request("GET", "/v1/nothing", headers=KEY), 404)

    answer = gateway.chat(MODEL, "Hi", KEY)
    checks.equal("still answers", answer.status, 200)
    checks.equal("stops", gateway.stop(), 0)
    door = [("CALLER_UNAUTHORIZED", 401, None)] * 3 + [("CALLER_TOO_LARGE", 413, None)]
    wanted = [(result, status, None) for _, _, status, result in CLIENT_CASES] + door + [("OK", 200, None)]
    rows = [(row["result"], row["http_status"], row["confidence"]) for row in gateway.rows()]
    checks.equal("one row each", len(rows), len(wanted))
    for (name, *_), got, want in zip(CLIENT_CASES, rows, wanted):
        checks.equal(f"{name}: row", got, want)
    checks.equal("rows of those turned away at the door", rows[len(CLIENT_CASES):], wanted[len(CLIENT_CASES):])
    checks.true("no secret in the log", not has_secret(gateway.process.output()))


# name, the provider's answer, may this status be given, the ledger's result
ERROR = {"error": {"message": "something", "type": "x", "param": None, "code": None}}
PROVIDER_CASES = [
    ("500", {"status": 500, "body": ERROR}, 502, "PROVIDER_FAILED"),
    ("503", {"status": 503, "body": ERROR}, 503, "PROVIDER_OVERLOADED"),
    ("429", {"status": 429, "headers": {"retry-after": "7"}, "body": ERROR}, 429, "PROVIDER_RATE_LIMITED"),
    ("401", {"status": 401, "body": {"error": {"message": f"bad key {harness.PROVIDER_KEY}", "type": "x"}}}, 502, "PROVIDER_AUTH"),
    ("400", {"status": 400, "body": ERROR}, 400, "PROVIDER_REJECTED"),
    ("404", {"status": 404, "body": ERROR}, 404, "PROVIDER_NO_MODEL"),
    ("500 with HTML", {"status": 500, "headers": {"content-type": "text/html"}, "body": "<html>sorry</html>"}, 502, "PROVIDER_FAILED"),
    ("no JSON", {"body": "hello"}, 502, "PROVIDER_GARBAGE"),
    ("HTML", {"headers": {"content-type": "text/html"}, "body": "<html>welcome</html>"}, 502, "PROVIDER_GARBAGE"),
    ("nothing", {"body": ""}, 502, "PROVIDER_GARBAGE"),
    ("another JSON", {"body": {"answer": 4}}, 502, "PROVIDER_GARBAGE"),
    ("half a JSON", {"body": json.dumps(completion())[:80]}, 502, "PROVIDER_GARBAGE"),
    ("an error with status 200", {"body": ERROR}, 502, "PROVIDER_FAILED"),
    ("cut in the body", {"body": completion(), "cut_after_bytes": 40}, 502, "PROVIDER_CUT"),
    ("cut before the head", {"body": completion(), "cut_after_bytes": -1}, 502, "PROVIDER_CUT"),
    ("silent", {"body": completion(), "delay_ms": 60000}, 504, "PROVIDER_FIRST_BYTE"),
    ("stalls in the body", {"body": completion(), "stall_ms": 60000, "stall_after_bytes": 40}, 504, "PROVIDER_STALLED"),
]

STREAM_CASES = [
    ("stream: 500", {"status": 500, "body": ERROR}),
    ("stream: broken JSON", {"events": [*stream(["a"])[:2], '{"choices": [', "[DONE]"]}),
    ("stream: no JSON", {"events": ["hello", "[DONE]"]}),
    ("stream: an error event", {"events": [*stream(["a"])[:2], ERROR, "[DONE]"]}),
    ("stream: HTML", {"headers": {"content-type": "text/html"}, "body": "<html>welcome</html>"}),
    ("stream: garbage", {"headers": {"content-type": "text/event-stream"}, "body": "\x01\x02garbage\n\nmore\n\n"}),
    ("stream: nothing", {"headers": {"content-type": "text/event-stream"}, "body": ""}),
    ("stream: without [DONE]", {"events": stream(["a", "b"])[:-1]}),
    ("stream: stalls", {"events": stream(["a", "b"]), "stall_ms": 60000, "stall_after_events": 2}),
]

TIMEOUTS = {"breaker": {"failures": 0}, "upstream": {"first_byte_timeout_seconds": 1, "idle_timeout_seconds": 1}}


def providers(checks, world):
    lines = [case[1] for case in PROVIDER_CASES] + [case[1] for case in STREAM_CASES] + [{"body": completion()}]
    gateway = world.gateway(world.script(lines), TIMEOUTS)
    for name, _, status, _ in PROVIDER_CASES:
        answer = gateway.post(GOOD)
        checks.error(f"provider: {name}", answer, status)
        if name == "429":
            checks.equal("provider: 429 says when to come back", answer.headers.get("retry-after"), "7")
    for name, _ in STREAM_CASES:
        broken_stream(checks, name, gateway.post({**GOOD, "stream": True}))
    checks.equal("providers: still answers", gateway.post(GOOD).status, 200)
    checks.equal("stops", gateway.stop(), 0)
    rows = gateway.rows()
    checks.equal("providers: one row each", len(rows), len(lines))
    for (name, _, status, result), row in zip(PROVIDER_CASES, rows):
        checks.equal(f"provider: {name}: row", (row["result"], row["http_status"], row["confidence"], row["call_count"]),
                     (result, status, None, 1))
    for (name, _), row in zip(STREAM_CASES, rows[len(PROVIDER_CASES):]):
        checks.true(f"{name}: row", row["result"].startswith("PROVIDER_") and row["confidence"] is None, row)
    checks.equal("providers: ledger verify", gateway.verify()[0], 0)
    checks.true("providers: no secret in the log", not has_secret(gateway.process.output()))


def broken_stream(checks, name, answer):
    """Either an error before the stream begins, or an error event at its end; never [DONE]."""
    if answer.status != 200:
        checks.error(name, answer, (400, 429, 502, 503, 504))
        return
    events = answer.events()
    checks.true(name, events and isinstance(events[-1], dict) and "message" in events[-1].get("error", {})
                and "[DONE]" not in events, answer.body[-500:])


def strategies(checks, world):
    """A strategy without one good call fails and has no confidence."""
    gateway = world.gateway(world.script([{"status": 500, "body": ERROR}]))
    for strategy in ("direct", "hrm", "trm", "hrm_trm"):
        checks.error(f"{strategy}: the provider fails", gateway.chat(f"weir/{strategy}", "What is 2 + 2?"), 502)
    checks.equal("stops", gateway.stop(), 0)
    for row in gateway.rows():
        checks.equal(f"{row['strategy']}: row", (row["result"], row["confidence"], row["hrm_confidence"], row["trm_confidence"]),
                     ("PROVIDER_FAILED", None, None, None))


def dead(checks, world):
    gateway = world.gateway(harness.free_port(), {"max_retries": 1, "upstream": {"backoff_seconds": 0.01}}, ready=False)
    for name, body in (("plain", GOOD), ("stream", {**GOOD, "stream": True}), ("direct", {**GOOD, "model": "weir/direct"}),
                       ("hrm_trm", {**GOOD, "model": "weir/hrm_trm"})):
        checks.error(f"dead provider: {name}", gateway.post(body), 502)
    checks.equal("stops", gateway.stop(), 0)
    rows = gateway.rows()
    checks.equal("dead provider: rows", [(row["result"], row["confidence"]) for row in rows], [("PROVIDER_UNREACHABLE", None)] * 4)
    checks.equal("dead provider: both attempts counted", rows[0]["calls"][0]["attempts"], 2)


def main(world, checks):
    clients(checks, world)
    providers(checks, world)
    strategies(checks, world)
    dead(checks, world)


if __name__ == "__main__":
    harness.run(main)
