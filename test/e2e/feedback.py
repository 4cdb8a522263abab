#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What is said about answers: by clients (POST /v1/feedback), by verifiers, by audits; and that it survives kill -9."""
import http.client
import json
import random
import sqlite3
import sys
import threading
import time

import harness
from harness import CLIENT_KEY, MODEL, PROVIDER_KEY

UNKNOWN = "q00000000000000aa"


def say(gateway, body, headers=None):
    return gateway.request("POST", "/v1/feedback", body, headers)


def labels_of(gateway):
    """{query id: {source: label}} of a gateway that was stopped."""
    return {row["id"]: {label["source"]: label for label in row["labels"]} for row in gateway.rows()}


def said_is_recorded(checks, world, provider):
    gateway = world.gateway(provider)
    ids = [gateway.chat(MODEL, f"Question {n}").id for n in range(7)]
    completion = gateway.chat("weir/direct", "What is 2 + 2?")
    for query, body, value in [
        (ids[0], {"correct": True}, 1), (ids[1], {"correct": False, "label": "Paris is no river"}, 0),
        (ids[2], {"score": 0.25}, 0.25), (ids[3], {"label": "wrong"}, 0), (ids[4], {"label": " Right "}, 1),
        (ids[5], {"score": 1, "label": "wrong"}, 1), (UNKNOWN, {"correct": True}, 1),
    ]:
        answer = say(gateway, {"query_id": query, **body})
        checks.equal(f"{body}: answer", (answer.status, answer.json),
                     (200, {"object": "weir.feedback", "query_id": query, "value": value}))
    checks.equal("a completion's own id will do", say(gateway, {"query_id": completion.json["id"], "correct": True}).json["query_id"],
                 completion.id)
    for value in (0.5, 0, 1, 0.75):
        say(gateway, {"query_id": ids[6], "score": value})
    gateway.stop()
    labels = labels_of(gateway)
    got = [labels[query].get("feedback", {}).get("value") for query in ids]
    checks.equal("values", got, [1, 0, 0.25, 0, 1, 1, 0.75])  # of the last, the newest
    checks.equal("words are kept", labels[ids[1]]["feedback"]["text"], "Paris is no river")
    checks.equal("feedback is not noisy", labels[ids[0]]["feedback"]["noisy"], False)
    checks.equal("of the completion", labels[completion.id]["feedback"]["value"], 1)
    status, report, errors = gateway.verify()
    checks.equal("verify", (status, report["labels"], report["labels_unknown"], report["mismatches"]), (0, 9, 1, 0))
    checks.equal("no row for feedback itself", report["rows"], 8)


def bad_is_refused(checks, world, provider):
    gateway = world.gateway(provider)
    good = {"query_id": UNKNOWN, "correct": True}
    for name, body in [
        ("no JSON", "nonsense"), ("no object", "[]"), ("nothing", {}), ("no id", {"correct": True}), ("an empty id", {**good, "query_id": ""}),
        ("an id of another form", {**good, "query_id": "chatcmpl-123"}), ("an id that is a number", {**good, "query_id": 170}),
        ("an id in upper case", {**good, "query_id": "q00000000000000AA"}), ("an id past 63 bits", {**good, "query_id": "q8000000000000000"}),
        ("no opinion", {"query_id": UNKNOWN}), ("correct as a text", {**good, "correct": "true"}), ("correct null", {**good, "correct": None}),
        ("score too high", {"query_id": UNKNOWN, "score": 1.01}), ("score too low", {"query_id": UNKNOWN, "score": -0.01}),
        ("score as a text", {"query_id": UNKNOWN, "score": "1"}), ("both", {**good, "score": 1}), ("label no text", {**good, "label": 1}),
        ("a label that says nothing", {"query_id": UNKNOWN, "label": "hm"}),
        ("twice the same name", '{"query_id": "%s", "correct": true, "correct": false}' % UNKNOWN),
    ]:
        checks.error(f"feedback, {name}", say(gateway, body), 400)
    checks.error("GET", gateway.request("GET", "/v1/feedback"), 405)
    long = say(gateway, {**good, "label": "é" * 500})
    checks.equal("a long text is cut, not refused", long.status, 200)
    gateway.stop()
    status, report, _ = gateway.verify()
    checks.equal("only what was sound is there", (status, report["rows"], report["labels"], report["mismatches"]), (0, 0, 1, 0))
    locked = world.gateway(provider, {"server": {"keys": ["env:WEIR_E2E_CLIENT_KEY"]}})
    checks.error("without a key", say(locked, good), 401)
    checks.error("with another key", say(locked, good, {"authorization": "Bearer sk-other"}), 401)
    checks.equal("with the key", say(locked, good, {"authorization": f"Bearer {CLIENT_KEY}"}).status, 200)
    locked.stop()
    checks.equal("one label", locked.verify()[1]["labels"], 1)


def verdicts_are_labels(checks, world):
    provider = world.script([{"body": harness.completion('{"answer": "4", "confidence": 0.9}')}])
    gateway = world.gateway(provider)
    ids = []
    for verifier, value, noisy in [
        ({"kind": "exact", "spec": "4"}, 1, False), ({"kind": "exact", "spec": "5"}, 0, False),
        ({"kind": "arithmetic", "spec": "2+2"}, 1, False), ({"kind": "regex", "spec": "[0-9]"}, 1, True),
        ({"kind": "regex", "spec": "[a-z]"}, 0, False), ({"kind": "number", "spec": {"value": 4}}, 1, False), (None, None, None),
    ]:
        weir = {"verifier": verifier} if verifier else {}
        answer = gateway.chat("weir/direct", "What is 2 + 2?", weir=weir)
        checks.equal(f"{verifier}: answered", answer.status, 200)
        ids.append((answer.id, verifier, value, noisy))
    gateway.stop()
    labels = labels_of(gateway)
    for query, verifier, value, noisy in ids:
        label = labels[query].get("verifier", {})
        checks.equal(f"{verifier}: label", (label.get("value"), label.get("noisy")), (value, noisy))
    checks.equal("verify", gateway.verify()[0], 0)


def audits_label(checks, world):
    """The strong model agrees or not; each audit is a query with a cost of its own."""
    cheap = world.script([{"body": harness.completion('{"answer": "4", "confidence": 0.9}')}])
    for name, says, value in [("agrees", "4.0", 1), ("differs", "5", 0)]:
        strong = world.script([{"body": harness.completion(json.dumps({"answer": says, "confidence": 0.9}))}])
        gateway = world.gateway(cheap, {
            "route": {"audit_share": 0.2}, "cascade": {"strong_model": "gpt-4o"}, "models": {"gpt-4o": {"provider": "strong"}},
            "providers": {"strong": {"base_url": f"http://127.0.0.1:{strong.port}/v1"}}})
        answers = [gateway.chat("weir/direct", "What is 2 + 2?") for _ in range(100)]
        plain = [gateway.chat(MODEL, "What is 2 + 2?") for _ in range(30)]
        gateway.stop()  # waits for audits under way
        rows = gateway.rows()
        audits = [row for row in rows if row["strategy"] == "audit"]
        labelled = [row for row in rows if row["labels"]]
        asked = strong.counts()["requests"]
        checks.true(f"{name}: about a fifth is audited", 5 <= len(audits) <= 40, len(audits))
        checks.equal(f"{name}: one call an audit", (asked, len(labelled)), (len(audits), len(audits)))
        checks.true(f"{name}: by the strong model, at its price", all(
            row["result"] == "OK" and [call["model"] for call in row["calls"]] == ["gpt-4o"] and row["cost_nano_usd"] == 100 * 2500 + 10 * 10000
            for row in audits), audits[:1])
        checks.true(f"{name}: nothing was decided about them", all(row["route"] is None for row in audits), audits[:1])
        checks.true(f"{name}: labels", all(
            [(label["source"], label["value"], label["noisy"]) for label in row["labels"]] == [("audit", value, True)] for row in labelled), labelled[:1])
        checks.true(f"{name}: only strategies are audited", not {row["id"] for row in labelled} & {answer.id for answer in plain})
        checks.true(f"{name}: nobody waits for one", all(answer.status == 200 for answer in answers + plain))
        checks.equal(f"{name}: verify", gateway.verify()[0], 0)


def what_cannot_be_written_is_refused(checks, world, provider):
    """The database is locked and the journal full: nobody is told that an opinion was kept, and what was kept stays."""
    gateway = world.gateway(provider, {"ledger": {"journal_max_bytes": 1 << 20}})
    query = gateway.chat(MODEL, "Hi").id
    checks.true("the ledger is there", harness.wait_until(lambda: len(gateway.rows()) == 1))
    lock = sqlite3.connect(gateway.ledger / "ledger.db", isolation_level=None, timeout=10)
    lock.execute("BEGIN EXCLUSIVE")
    connection, kept, refused = gateway.connect(), 0, None
    for number in range(20000):
        body = json.dumps({"query_id": f"q{number + 1:016x}", "correct": True, "label": "x" * 200})
        connection.request("POST", "/v1/feedback", body, {"content-type": "application/json"})
        answer = harness.read_answer(connection)
        if answer.status != 200:
            refused = answer
            break
        kept += 1
    checks.true("in the end it is refused", refused is not None and kept > 1000, kept)
    checks.error("as what it is", refused, 503)
    lock.close()
    checks.true("and taken again", harness.wait_until(lambda: say(gateway, {"query_id": query, "correct": True}).status == 200))
    gateway.stop()
    report = gateway.verify()[1]
    checks.true("what was acknowledged is there", report["labels"] >= kept + 1 and report["mismatches"] == 0, (kept, report))


class Critic(threading.Thread):
    """Asks and says what it thinks until told to stop; keeps what was acknowledged: {id: (value, instant)}."""

    def __init__(self, gateway, number):
        super().__init__(daemon=True)
        self.gateway, self.number = gateway, number
        self.stopping = threading.Event()
        self.acknowledged, self.strange = {}, []

    def run(self):
        said = 0
        while not self.stopping.is_set():
            try:
                answer = self.gateway.chat(MODEL, "What is 2 + 2?")
                for _ in range(2):
                    said += 1
                    value = (said * 7 + self.number) % 100 / 100
                    if answer.id:
                        self.acknowledged.pop(answer.id, None)  # until it is acknowledged either may hold
                        told = say(self.gateway, {"query_id": answer.id, "score": value})
                        if told.status == 200:
                            self.acknowledged[answer.id] = value
                        else:
                            self.strange.append((told.status, told.body[:200]))
            except (OSError, http.client.HTTPException):  # it was killed, or is not up yet
                time.sleep(0.003)


def kills_lose_nothing(checks, world, provider):
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}", file=sys.stderr)
    chance = random.Random(seed)
    gateway = world.gateway(provider, {"server": {"workers": 2}}, start=False)
    critics = [Critic(gateway, number) for number in range(4)]
    for critic in critics:
        critic.start()
    for _ in range(12):
        gateway.start(wait=False)
        time.sleep(chance.uniform(0.1, 0.5))
        gateway.process.kill()
    for critic in critics:
        critic.stopping.set()
    for critic in critics:
        critic.join()
    acknowledged = {query: value for critic in critics for query, value in critic.acknowledged.items()}
    status, report, errors = gateway.verify()
    checks.equal("killed: verify", (status, errors), (0, ""))
    labels = labels_of(gateway)
    checks.true("killed: there was feedback", len(acknowledged) > 50, len(acknowledged))
    wrong = {query: (value, labels.get(query)) for query, value in acknowledged.items()
             if labels.get(query, {}).get("feedback", {}).get("value") != value}
    checks.true("killed: every acknowledged label is there, the newest", not wrong, list(wrong.items())[:3])
    checks.equal("killed: of queries that are there", report["labels_unknown"], 0)
    checks.true("killed: nothing strange", not any(critic.strange for critic in critics), [critic.strange[:2] for critic in critics])


def main(world, checks):
    provider = world.upstream("echo")
    said_is_recorded(checks, world, provider)
    bad_is_refused(checks, world, provider)
    verdicts_are_labels(checks, world)
    audits_label(checks, world)
    what_cannot_be_written_is_refused(checks, world, provider)
    kills_lose_nothing(checks, world, provider)
    for process in world.processes:
        checks.true("no secret is logged", PROVIDER_KEY not in process.output() and CLIENT_KEY not in process.output())


if __name__ == "__main__":
    harness.run(main)
