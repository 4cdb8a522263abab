#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 at random instants under load: crash.py WEIR [ROUNDS] [SEED]

Every answer that a client received whole is in the ledger, once, at the cost that the client was told; `weir ledger verify`
agrees with itself. The instants fall into start, recovery and service alike; what a round left behind is imported by the next
start, and each tenth time by verify.
"""
import http.client
import json
import random
import sys
import threading
import time

import harness
from harness import MODEL

CLIENTS = 6
LONGEST_ROUND = 0.6  # seconds


class Client(threading.Thread):
    """Asks until told to stop; keeps (id, cost) of what it received whole."""

    def __init__(self, gateway, number):
        super().__init__(daemon=True)
        self.gateway, self.number = gateway, number
        self.stopping = threading.Event()
        self.received = []
        self.strange = []

    def run(self):
        connection, asked = None, 0
        while not self.stopping.is_set():
            asked += 1
            try:
                connection = connection or self.gateway.connect()
                self.ask(connection, asked)
            except (OSError, http.client.HTTPException):  # it was killed, or is not up yet
                if connection:
                    connection.close()
                connection = None
                time.sleep(0.003)

    def ask(self, connection, asked):
        streamed = (self.number + asked) % 2 == 0
        model = "weir/direct" if not streamed and asked % 4 == 0 else MODEL
        body = {"model": model, "messages": [{"role": "user", "content": "What is 2 + 2?"}], "stream": streamed}
        connection.request("POST", "/v1/chat/completions", json.dumps(body), {"content-type": "application/json"})
        answer = harness.read_answer(connection)
        if answer.status != 200:
            self.strange.append((answer.status, answer.body[:300]))
        elif not streamed:
            self.received.append((answer.id, answer.headers.get("x-weir-cost-usd")))
        elif answer.body.rstrip().endswith(b"data: [DONE]"):
            self.received.append((answer.id, None))


def nano(text):
    dollars, _, fraction = text.partition(".")
    return int(dollars) * 10**9 + int(fraction.ljust(9, "0"))


def main(world, checks):
    rounds = int(world.arguments[0]) if world.arguments else 100
    seed = int(world.arguments[1]) if len(world.arguments) > 1 else random.SystemRandom().randrange(2**32)
    print(f"seed {seed}", file=sys.stderr)
    chance = random.Random(seed)
    upstream = world.upstream("echo", "--delay-ms", "3", "--delta-interval-ms", "1")
    gateway = world.gateway(upstream, {"server": {"workers": 2}}, start=False)
    before = upstream.counts()["requests"]
    clients = [Client(gateway, number) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    for number in range(rounds):
        gateway.start(wait=False)
        time.sleep(chance.choice((chance.uniform(0, 0.05), chance.uniform(0, LONGEST_ROUND))))
        if not gateway.process.is_running():
            raise RuntimeError(f"round {number}: weir ended by itself: {gateway.process.output()[-3000:]}")
        gateway.process.kill()
        if number % 10 == 9:
            checks.equal(f"round {number}: ledger verify", gateway.verify()[0], 0)
    for client in clients:
        client.stopping.set()
    for client in clients:
        client.join()
    judge(checks, gateway, clients, upstream.counts()["requests"] - before)


def judge(checks, gateway, clients, calls_seen):
    received = [pair for client in clients for pair in client.received]
    strange = [pair for client in clients for pair in client.strange]
    status, verified, errors = gateway.verify()
    checks.equal("ledger verify", (status, errors), (0, ""))
    rows = gateway.rows()
    by_id = {row["id"]: row for row in rows}
    print(f"{len(received)} answers received, {calls_seen} calls seen by the provider, {len(rows)} rows, {(verified or {}).get('interrupted')} interrupted", file=sys.stderr)
    checks.true("there was load", len(received) > 100, len(received))
    checks.true("queries were interrupted", verified and verified["interrupted"] > 0)
    checks.true("nothing but answers was received", not strange, strange[:3])
    checks.equal("no query is counted twice", len(by_id), len(rows))
    checks.equal("verify counts as export does", verified and (verified["rows"], verified["sum_nano_usd"]),
                 (len(rows), sum(call["cost_nano_usd"] or 0 for row in rows for call in row["calls"])))
    checks.equal("no id was given twice", len({pair[0] for pair in received}), len(received))
    calls = sum(len(row["calls"]) for row in rows)
    checks.true("no call left before its intent was committed", calls_seen <= calls, f"{calls_seen} seen, {calls} recorded")
    lost = [pair for pair in received if pair[0] not in by_id]
    checks.true("every answer received is in the ledger", not lost, f"{len(lost)} lost, as {lost[:3]}")
    wrong = [(pair, by_id[pair[0]]) for pair in received if pair[0] in by_id and by_id[pair[0]]["result"] != "OK"]
    checks.true("and as a success", not wrong, wrong[:3])
    costly = [(pair, by_id[pair[0]]["cost_nano_usd"]) for pair in received
              if pair[1] and pair[0] in by_id and by_id[pair[0]]["cost_nano_usd"] != nano(pair[1])]
    checks.true("at the cost that the client was told", not costly, costly[:3])


if __name__ == "__main__":
    harness.run(main)
