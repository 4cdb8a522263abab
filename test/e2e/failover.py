#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The failover wall: sixteen faults of a provider, each scored from both sides: what the client got, and what the provider saw
(how many attempts, how far apart, none after the first byte was relayed). failover.py WEIR [stock]

Each scenario has a provider of its own behind one gateway, and a healthy second provider to fall back to. All run at once; the
last lines say which passed. With `stock` only keys that every release knows are written, for a score without fallbacks.
"""
import socket
import sys
import threading

import harness
from harness import completion, free_port, stream, wait_until

FOREVER = 0
ERROR = {"error": {"message": "something", "type": "x", "param": None, "code": None}}
WORDS = ["from ", "the ", "first"]
EVENTS = stream(WORDS)
GOOD = {"body": completion("from the first"), "repeat": FOREVER}
FIRST, SECOND = "from the first", "from the second"
HTML = {"headers": {"content-type": "text/html"}, "body": "<html>welcome</html>", "repeat": FOREVER}
BREAKER_FAILURES = 5


class Case:
    """One request, or several, against a provider of its own.

    wants: FIRST or SECOND, the text of a whole answer; else the fault that ends a stream which has begun.
    attempts: at the first provider; keys: which it was asked with; gap_ms: at least, between its first two requests."""

    def __init__(self, number, name, script, wants, attempts, streams=False, gap_ms=0, keys=None, gone=None, requests=1):
        self.number, self.name, self.script, self.wants, self.attempts = number, name, script, wants, attempts
        self.streams, self.gap_ms, self.keys, self.gone, self.requests = streams, gap_ms, keys, gone, requests
        self.model = f"m{number}-" + name.replace(" ", "-").replace(",", "").replace("[", "").replace("]", "")
        self.second = "second-streams" if streams else "second"
        self.failures, self.answers, self.upstream = [], [], None

    def expect(self, what, got, want):
        if got != want:
            self.failures.append(f"{what}: got {got!r}, want {want!r}")


def cases():
    broken_json = {"body": '{"id": "chatcmpl-1", "choices": [', "repeat": FOREVER}
    broken_sse = {"headers": {"content-type": "text/event-stream"}, "body": "data: {\"choices\": [\n\ndata: [DONE]\n\n", "repeat": FOREVER}
    limited = {"status": 429, "body": ERROR}
    return [
        Case(1, "refused connection", None, SECOND, 2),
        Case(2, "TLS failure", "tls", SECOND, 2),
        Case(3, "header hang", [{"delay_ms": 600000, **GOOD}], SECOND, 2, gone=2),
        Case(4, "first-token stall", [{"events": EVENTS, "stall_ms": 600000, "repeat": FOREVER}], SECOND, 2, streams=True, gone=2),
        Case(5, "mid-stream stall", [{"events": EVENTS, "stall_ms": 600000, "stall_after_events": 2, "repeat": FOREVER}], "PROVIDER_STALLED", 1,
             streams=True, gone=1),
        Case(6, "mid-stream cut", [{"events": EVENTS, "cut_after_events": 3, "repeat": FOREVER}], "PROVIDER_CUT", 1, streams=True),
        Case(7, "mid-stream error event", [{"events": [*EVENTS[:2], ERROR, "[DONE]"], "repeat": FOREVER}], "PROVIDER_FAILED", 1, streams=True),
        Case(8, "429, seconds", [{**limited, "headers": {"retry-after": "1"}}, GOOD], FIRST, 2, gap_ms=1000),
        Case(8, "429, a date", [{**limited, "headers": {"retry-after": "@date+2"}}, GOOD], FIRST, 2, gap_ms=900),
        Case(8, "429 without", [limited, GOOD], FIRST, 2),
        Case(9, "500 once", [{"status": 500, "body": ERROR}, GOOD], FIRST, 2),
        Case(10, "503 storm", [{"status": 503, "body": ERROR, "repeat": FOREVER}], SECOND, BREAKER_FAILURES, requests=12),
        Case(11, "401 on one key", [{"status": 401, "body": ERROR}, GOOD], FIRST, 3, keys=["keyA", "keyB", "keyB"], requests=2),
        Case(12, "malformed JSON", [broken_json], SECOND, 2),
        Case(13, "malformed SSE", [broken_sse], SECOND, 2, streams=True),
        Case(13, "malformed SSE in the middle", [{"events": [*EVENTS[:2], '{"choices": [', "[DONE]"], "repeat": FOREVER}], "PROVIDER_GARBAGE", 1,
             streams=True),
        Case(14, "wrong content type", [HTML], SECOND, 2),
        Case(14, "wrong content type of a stream", [HTML], SECOND, 2, streams=True),
        Case(15, "200 with an error body", [{"body": ERROR, "repeat": FOREVER}], SECOND, 2),
        Case(15, "200 with an error event", [{"events": [ERROR, "[DONE]"], "repeat": FOREVER}], SECOND, 2, streams=True),
        Case(16, "slow drip", [{"events": EVENTS, "drip_bytes": 250, "drip_ms": 200, "repeat": FOREVER}], FIRST, 1, streams=True),
    ]


class NoTls:
    """Accepts, answers what is no handshake, and counts."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port, self.count = self.listener.getsockname()[1], 0
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.count += 1
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n")

    def requests(self):
        """Without the look that readiness takes at each provider once."""
        return [{"at_ms": 0}] * (self.count - 1)


def open_upstream(world, case):
    if case.script is None:
        return free_port(), "http"
    if case.script == "tls":
        case.upstream = NoTls()
        return case.upstream.port, "https"
    case.upstream = world.script(case.script)
    return case.upstream.port, "http"


def configuration(world, all_cases, is_stock):
    # A script cannot tell who streams from who does not, so there is a second provider for each.
    whole = world.script([{"body": completion(SECOND), "repeat": FOREVER}])
    streaming = world.script([{"events": stream(["from ", "the ", "second"]), "repeat": FOREVER}])
    providers = {"second": {"base_url": f"http://127.0.0.1:{whole.port}/v1"},
                 "second-streams": {"base_url": f"http://127.0.0.1:{streaming.port}/v1"}}
    models = {name: {"provider": name, "upstream_name": "other"} for name in providers}
    for case in all_cases:
        port, scheme = open_upstream(world, case)
        provider = {"base_url": f"{scheme}://127.0.0.1:{port}/v1"}
        if case.keys and not is_stock:
            provider["api_keys"] = ["env:WEIR_E2E_KEY_A", "env:WEIR_E2E_KEY_B"]
        providers[case.model] = provider
        models[case.model] = {"provider": case.model, **({} if is_stock else {"fallback": [case.second]})}
    extra = {} if is_stock else {"breaker": {"failures": BREAKER_FAILURES, "open_seconds": 60}}
    return {"max_retries": 1, "timeout_seconds": 12, "providers": providers, "models": models,
            "upstream": {"first_byte_timeout_seconds": 0.6, "idle_timeout_seconds": 0.6, "backoff_seconds": 0.02, "backoff_max_seconds": 3},
            "server": {"ready_needs_provider": False, "ready_probe_seconds": 3600}, **extra}


# ---- what the client got ----

def judge_answer(case, answer):
    whole = case.wants in (FIRST, SECOND)
    if not whole:
        events = answer.events() if answer.status == 200 else []
        case.expect("status", answer.status, 200)
        case.expect("ends with an error event", bool(events) and "error" in events[-1] and "[DONE]" not in events, True)
        return
    case.expect("status", answer.status, 200)
    if answer.status != 200:
        return
    case.expect("text", answer.streamed_text() if case.streams else answer.text, case.wants)
    case.expect("x-weir-model", answer.headers.get("x-weir-model"), case.second if case.wants == SECOND else case.model)
    if case.streams:
        case.expect("one [DONE], at the end", [event == "[DONE]" for event in answer.events()].index(True), len(answer.events()) - 1)


def run_case(case, gateway):
    try:
        for _ in range(case.requests):
            answer = gateway.chat(case.model, "Hi", **({"stream": True} if case.streams else {}))
            case.answers.append(answer)
            judge_answer(case, answer)
    except Exception as error:  # a gateway that does not answer fails the scenario, not the test
        case.failures.append(repr(error))


# ---- what the provider saw ----

def judge_provider(case):
    if case.upstream is None:
        return
    seen = case.upstream.requests()
    case.expect("attempts", len(seen), case.attempts)
    if len(seen) > 1 and case.gap_ms:
        case.expect(f"at least {case.gap_ms} ms apart", seen[1]["at_ms"] - seen[0]["at_ms"] >= case.gap_ms, True)
    if case.keys:
        case.expect("keys", [request["key"] for request in seen], case.keys)
    if case.gone is not None:
        wait_until(lambda: case.upstream.counts()["gone"] >= case.gone)
        case.expect("connections that were closed", case.upstream.counts()["gone"], case.gone)


# ---- what the ledger says ----

def judge_row(case, row):
    calls = row["calls"]
    if case.wants in (FIRST, SECOND):
        case.expect("ledger: result", row["result"], "OK")
        case.expect("ledger: served model", row["model"], case.second if case.wants == SECOND else case.model)
    else:
        case.expect("ledger: result", row["result"], case.wants)
        case.expect("ledger: truncated", row["truncated"], 1)
    if case.requests == 1:
        case.expect("ledger: attempts at the first", calls[0]["attempts"], case.attempts)
        case.expect("ledger: calls", [call["model"] for call in calls], [case.model] + [case.second] * (case.wants == SECOND))
    case.expect("ledger: cost", row["cost_nano_usd"], sum(call["cost_nano_usd"] or 0 for call in calls)
                if all(call["cost_nano_usd"] is not None for call in calls) else None)


def main(world, checks):
    is_stock = "stock" in world.arguments
    all_cases = cases()
    gateway = world.gateway(free_port(), configuration(world, all_cases, is_stock), start=False)
    threads = [threading.Thread(target=run_case, args=(case, gateway)) for case in all_cases]
    gateway.start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for case in all_cases:
        judge_provider(case)
    checks.equal("stops", gateway.stop(), 0)
    rows = {}
    for row in gateway.rows():
        rows.setdefault(row["requested_model"], row)
    for case in all_cases:
        judge_row(case, rows[case.model])
    score(checks, all_cases)
    checks.equal("ledger verify", gateway.verify()[0], 0)


def score(checks, all_cases):
    passed = 0
    for number in sorted({case.number for case in all_cases}):
        failures = [f"{case.name}: {failure}" for case in all_cases if case.number == number for failure in case.failures]
        names = " / ".join(case.name for case in all_cases if case.number == number)
        passed += checks.true(f"S{number:02} {names}", not failures, "; ".join(failures))
        print(f"S{number:02} {'pass' if not failures else 'FAIL'} {names}")
    print(f"failover wall: {passed} of {len({case.number for case in all_cases})}")


if __name__ == "__main__":
    harness.run(main)
