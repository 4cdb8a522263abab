#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Streams that break: cut by the provider at every event, left by the client at every event; and a client that leaves while a
strategy works. One ledger row each; the provider sees the client's departure."""
import http.client
import json
import socket

import harness
from harness import MODEL, completion, stream, wait_until

WORDS = ["one ", "two ", "three ", "four"]
EVENTS = stream(WORDS)
CONTENT = len(WORDS) + 1  # the role and the words


def cut_by_provider(checks, world):
    cuts = range(len(EVENTS))  # a cut after the last event comes after [DONE] and is none
    gateway = world.gateway(world.script([{"events": EVENTS, "cut_after_events": cut} for cut in cuts]))
    for cut in cuts:
        answer = gateway.chat(MODEL, "Count", stream=True)
        name = f"cut after {cut} events"
        if answer.status != 200:
            checks.error(name, answer, 502)
            continue
        events = answer.events()
        checks.true(f"{name}: an error event, never [DONE]",
                    events and events != "[DONE]" and "error" in events[-1] and "[DONE]" not in events, events)
        checks.equal(f"{name}: what came was relayed", answer.streamed_text(), "".join(WORDS[:max(0, cut - 1)]))
    checks.equal("stops", gateway.stop(), 0)
    rows = gateway.rows()
    checks.equal("cut: one row each", len(rows), len(cuts))
    for cut, row in zip(cuts, rows):
        checks.equal(f"cut after {cut} events: row", (row["result"], row["truncated"], row["confidence"], row["call_count"]),
                     ("PROVIDER_CUT", int(cut >= 2), None, 1))
    checks.equal("cut: ledger verify", gateway.verify()[0], 0)


class Leaver:
    """A client that reads so many events of a stream and hangs up."""

    def __init__(self, gateway, body, headers=None):
        self.socket = socket.create_connection(("127.0.0.1", gateway.port), timeout=harness.PATIENCE)
        data = json.dumps(body).encode()
        more = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items()).encode()
        self.socket.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n%s\r\n"
                            % (len(data), more) + data)
        self.answer = None

    def read_events(self, count):
        """The query's id."""
        self.answer = http.client.HTTPResponse(self.socket)
        self.answer.begin()
        while count > 0:
            count -= self.answer.readline().startswith(b"data: ")
        return self.answer.getheader("x-weir-query-id")

    def leave(self):
        if self.answer:
            self.answer.close()
        self.socket.close()


def left_by_client(checks, world):
    places = range(1, CONTENT + 1)
    upstream = world.script([{"events": EVENTS, "stall_after_events": place, "stall_ms": 600000} for place in places])
    gateway = world.gateway(upstream, {"timeout_seconds": 3000, "upstream": {"idle_timeout_seconds": 2000}})
    ids = []
    for number, place in enumerate(places, 1):
        client = Leaver(gateway, {"model": MODEL, "messages": [{"role": "user", "content": "Count"}], "stream": True})
        ids.append(client.read_events(place))
        client.leave()
        checks.true(f"left after {place} events: the provider sees it", wait_until(lambda n=number: upstream.counts()["gone"] >= n),
                    upstream.counts())
    checks.equal("left: stops", gateway.stop(), 0)
    rows = gateway.rows()
    checks.equal("left: one row each", [row["id"] for row in rows], ids)
    for place, row in zip(places, rows):
        checks.equal(f"left after {place} events: row", (row["result"], row["truncated"], row["confidence"], len(row["calls"])),
                     ("CALLER_GONE", int(place >= 2), None, 1))
        checks.true(f"left after {place} events: what was sent is priced", row["cost_nano_usd"] is not None and row["cost_nano_usd"] > 0)
    checks.equal("left: ledger verify", gateway.verify()[0], 0)


def left_before_answer(checks, world):
    upstream = world.script([{"body": completion(), "delay_ms": 600000, "repeat": 0}])
    gateway = world.gateway(upstream, {"timeout_seconds": 3000, "upstream": {"first_byte_timeout_seconds": 2000}})
    models = (MODEL, "weir/direct", "weir/hrm_trm")
    for model in models:
        before = upstream.counts()
        client = Leaver(gateway, {"model": model, "messages": [{"role": "user", "content": "What is 2 + 2?"}]})
        checks.true(f"{model}: the call arrives", wait_until(lambda b=before: upstream.counts()["open"] > b["open"]))
        client.leave()
        checks.true(f"{model}: every call is ended when its client leaves",
                    wait_until(lambda b=before: upstream.counts()["gone"] > b["gone"] and upstream.counts()["open"] <= b["open"]),
                    upstream.counts())
    checks.equal("left early: stops", gateway.stop(), 0)
    checks.equal("left early: one row each", [row["result"] for row in gateway.rows()], ["CALLER_GONE"] * len(models))


def main(world, checks):
    cut_by_provider(checks, world)
    left_by_client(checks, world)
    left_before_answer(checks, world)


if __name__ == "__main__":
    harness.run(main)
