#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rollouts on live traffic: complete, roll back, pause, operate, refuse; who is counted; and kill -9 at random instants.

    rollout.py WEIR [ROUNDS]
"""
import json
import random
import sqlite3
import threading
import time

import harness
from control_kit import Receiver, Traffic, admin, canary_file, rollout_file, wait_for, write_yaml
from harness import completion


def status(gateway, name="quick"):
    return admin(gateway, "GET", f"rollouts/{name}").json


def state(gateway):
    return status(gateway)["state"]


def rows(gateway, name="quick"):
    return [item["row"] for item in admin(gateway, "GET", f"rollouts/{name}/history").json["data"]]


def chain_is_whole(checks, name, history):
    """Consecutive rows, each from where the one before it went to; a new rollout of the name begins at 1."""
    before = None
    for row in history:
        if row["sequence"] == 1:
            before = None
            checks.equal(f"{name}: a rollout begins as a draft", row["from"]["state"], "draft")
        elif before is None or row["sequence"] != before["sequence"] + 1:
            checks.true(f"{name}: rows are consecutive", False, f"{row['sequence']} after {before and before['sequence']}")
        elif row["from"] != before["to"]:
            checks.true(f"{name}: rows follow each other", False, f"{row['from']} after {before['to']}")
        if row["refusal"] == "accepted" and row["reason"] == "shown" and row["to"]["state"] != "completed":
            checks.equal(f"{name}: an advance is by one step", row["to"]["step"], row["from"]["step"] + 1)
        before = row
    checks.true(f"{name}: there are rows", bool(history))


def pager(world, receiver):
    """A PagerDuty channel to the receiver."""
    key = world.path("routing-key")
    key.write_text("0123456789abcdef0123456789abcdef\n")
    return {"channels": {"pager": {"kind": "pagerduty", "url": f"http://127.0.0.1:{receiver.port}/v2/enqueue", "secrets": [f"file:{key}"]}}}


def advances_are_changes(checks, receiver):
    wait_for(lambda: len(receiver.got) >= 3)
    checks.equal("PagerDuty is told of each advance as of a change", set(receiver.paths), {"/v2/change/enqueue"})
    checks.true("and no incident is opened", all("event_action" not in json.loads(body) for _, body in receiver.got), receiver.got)


def healthy(world, checks):
    up = world.upstream("sim", "--time-scale", "0")
    receiver = Receiver(0)
    gateway = world.gateway(up, {"strategy": "direct", "alerts": pager(world, receiver)})
    path = rollout_file(world, canary_file(world, gateway, temperature=0.5))
    checks.equal("nobody is in a rollout before", gateway.chat("weir/direct", "What is 1 + 1?").json["weir"]["arm"], None)
    done = gateway.command("rollout", "start", path, "--reason", "cheaper", "--actor", "ada", "--json")
    checks.equal("start", done.returncode, 0)
    started = json.loads(done.stdout)
    checks.true("its status has what the interface promises",
                all(key in started for key in ("state", "step", "generation", "arms", "guards")) and
                all(key in guard for guard in started["guards"]
                    for key in ("name", "n", "estimate", "lower", "upper", "log_e", "verdict")))
    conversation = [gateway.chat("weir/direct", f"What is {i} + 1?", {"x-weir-conversation": "c1"}).json["weir"]["arm"]
                    for i in range(5)]
    checks.equal("a conversation stays in its arm", len(set(conversation)), 1)
    time.sleep(0.5)
    checks.equal("and is one unit", sum(arm["units"] for arm in status(gateway)["arms"]), 1)
    checks.true("a model that is named is nobody's arm", "weir" not in gateway.chat("gpt-4o-mini", "Hi").json)
    with Traffic(gateway) as traffic:
        checks.true("a healthy rollout completes", wait_for(lambda: state(gateway) == "completed"), status(gateway))
        time.sleep(0.3)
    advances_are_changes(checks, receiver)
    arms = {arm for _, _, arm in traffic.answers}
    checks.true("queries were answered by every arm",
                {"quick/canary", "quick/control", "quick/holdback"} <= arms, arms)
    checks.equal("no query was lost", (traffic.broken, {code for _, code, _ in traffic.answers}), ([], {200}))
    history = rows(gateway)
    chain_is_whole(checks, "healthy", history)
    checks.equal("its moves", [(row["to"]["state"], row["to"]["step"]) for row in history],
                 [("running", 0), ("running", 1), ("baking", 2), ("completed", 2)])
    checks.true("evidence is in the rows", all(row["evidence"][0]["n"] >= 10 for row in history[1:]))
    checks.equal("who started it", (history[0]["actor"], history[0]["note"]), ("ada", "cheaper"))
    text = gateway.command("rollout", "status").stdout
    checks.true("people see when a guard trips", "trips if" in text and "success_rate below 0.5" in text, text)
    exported = gateway.command("rollout", "history", "--json")
    checks.equal("the post-mortem is the history", json.loads(exported.stdout)["data"][-1]["row"]["sequence"], 4)
    checks.true("people read the history", "running(1) -> running(2)" in gateway.command("rollout", "history").stdout)
    gateway.stop()
    gateway.start()
    checks.equal("a restart keeps it", state(gateway), "completed")
    arm = gateway.chat("weir/direct", "What is 2 + 2?").json["weir"]["arm"]
    checks.equal("and its configuration serves all", arm, "quick/canary")
    found = status(gateway)
    back = gateway.command("rollout", "rollback", "--to", "before", "--reason", "second thoughts")
    checks.equal("rollback of a completed one", (back.returncode, state(gateway)), (0, "aborted"))
    checks.equal("the revision is in the row", rows(gateway)[-1]["revision"], found["revision_before"])
    checks.equal("the next request is the old configuration's",
                 gateway.chat("weir/direct", "What is 3 + 2?").json["weir"]["arm"], None)
    gateway.stop()
    ledger = {row.get("arm") for row in gateway.rows()}
    checks.equal("plain requests are in no arm", {row["arm"] for row in gateway.rows() if row["strategy"] == "plain"}, {""})
    checks.true("the ledger names arms", {"quick/canary", "quick/control"} <= ledger, ledger)
    checks.equal("the ledger adds up", gateway.verify()[0], 0)


def bad_model(world, gateway, upstream):
    return canary_file(world, gateway, model="broken", model_provider="bad",
                       providers={"bad": {"base_url": f"http://127.0.0.1:{upstream.port}/v1", "json_schema": True}})


def broken_canary(world, checks):
    up = world.upstream("sim", "--time-scale", "0")
    bad = world.script([{"status": 500, "body": "{}"}])
    gateway = world.gateway(up, {"strategy": "direct"})
    path = rollout_file(world, bad_model(world, gateway, bad))
    checks.equal("start", admin(gateway, "POST", "rollouts", {"file": str(path)}).status, 200)
    with Traffic(gateway) as traffic:
        found = wait_for(lambda: (s := status(gateway))["state"] == "aborted" and s)
        moved = time.monotonic()
        time.sleep(0.5)
    checks.true("a broken canary is rolled back", found, status(gateway))
    last = rows(gateway)[-1]
    checks.equal("by a guard", (last["operation"], last["reason"]), ("tick", "guard"))
    checks.true("after a bounded number of its queries", 0 < last["evidence"][0]["n"] <= 100, last["evidence"][0]["n"])
    after = [code for at, code, _ in traffic.answers if at > moved + 0.2]
    checks.true("the next requests are the old configuration's", after and set(after) == {200}, set(after))
    checks.equal("every request was answered", traffic.broken, [])
    checks.true("failures were only the canary's", {code for _, code, _ in traffic.answers} <= {200, 502})
    generation = status(gateway)["generation"]
    stale = admin(gateway, "POST", "rollouts/quick/retry", {}, generation - 1)
    checks.error("a stale generation is refused", stale, 409)
    checks.equal("with its name", stale.json["error"]["code"], "stale_generation")
    checks.equal("and recorded", rows(gateway)[-1]["refusal"], "stale_generation")
    checks.error("a write needs the generation", admin(gateway, "POST", "rollouts/quick/retry", {}), 400)
    checks.error("aborted is sticky", admin(gateway, "POST", "rollouts/quick/resume", {}, generation), 409)
    checks.equal("retry begins anew", admin(gateway, "POST", "rollouts/quick/retry", {}, generation).json["attempt"], 2)
    checks.error("one at a time", admin(gateway, "POST", "rollouts", {"file": str(path)}), 409)
    checks.equal("abort needs no generation", admin(gateway, "POST", "rollouts/quick/abort", {}).json["state"], "aborted")
    chain_is_whole(checks, "broken", rows(gateway))


def operations(world, checks):
    up = world.upstream("sim", "--time-scale", "0")
    gateway = world.gateway(up, {"strategy": "direct"})
    canary = canary_file(world, gateway, temperature=0.5)
    path = rollout_file(world, canary, steps=[{"share": "50%", "min": "1h"}, {"share": "100%", "min": "1h"}])
    checks.equal("nothing to look at", gateway.command("rollout", "status").returncode, 2)
    for words, want in ((["start", path], "running"), (["pause"], "paused"), (["resume"], "running"), (["promote"], "baking"),
                        (["pause"], "paused"), (["abort"], "aborted"), (["retry"], "running"),
                        (["promote", "--full"], "baking"), (["rollback"], "aborted")):
        done = gateway.command("rollout", *words, "--json")
        checks.equal(f"rollout {words[0]}", (done.returncode, json.loads(done.stdout)["state"]), (0, want))
    refused = gateway.command("rollout", "pause")
    checks.equal("what is not allowed", (refused.returncode, refused.stdout), (1, ""))
    checks.true("is said", "aborted does not take pause" in refused.stderr, refused.stderr)
    chain_is_whole(checks, "operations", rows(gateway))
    bad = write_yaml(world, "bad.yaml", {"name": "x", "canary": str(canary), "steps": [{"share": "10%", "min": "1h"}]})
    done = gateway.command("rollout", "start", bad)
    checks.true("a bad file is refused with its place",
                done.returncode == 2 and done.stderr.startswith(f"{bad}:1:") and "the last step must be 100%" in done.stderr,
                done.stderr)
    checks.error("an unknown rollout", admin(gateway, "GET", "rollouts/nobody"), 404)
    checks.error("an unknown word", admin(gateway, "POST", "rollouts/quick/explode", {}), 404)
    checks.error("a body that is no JSON", admin(gateway, "POST", "rollouts", None), 400)
    checks.error("an operation without an actor", admin(gateway, "POST", "rollouts/quick/retry", {"actor": ""}), 400)
    checks.error("an unknown revision", admin(gateway, "POST", "rollouts/quick/rollback", {"to": "v7"}, 1), 400)
    gateway.stop()
    checks.equal("nobody listens", gateway.command("rollout", "status").returncode, 3)
    # The canary's file changes while weir is down: what was started is no longer what would run.
    gateway.start()
    checks.equal("retried", gateway.command("rollout", "retry").returncode, 0)
    gateway.stop()
    canary.write_text(json.dumps({"extends": str(gateway.config), "temperature": 0.9}))
    gateway.start()
    checks.true("a changed configuration pauses it", wait_for(lambda: state(gateway) == "paused"))
    checks.equal("with its reason", status(gateway)["reason"], "config_changed")
    gateway.stop()
    canary.unlink()
    gateway.start()
    checks.equal("a canary that is gone serves nobody", gateway.chat("weir/direct", "What is 1 + 2?").json["weir"]["arm"], None)
    checks.error("and is not resumed", admin(gateway, "POST", "rollouts/quick/resume", {}, status(gateway)["generation"]), 409)


def common_cause(world, checks):
    up = world.script([{"body": json.dumps(completion("4")), "repeat": 60}, {"status": 500, "body": "{}", "repeat": 0}])
    gateway = world.gateway(up, {"strategy": "direct"})
    path = rollout_file(world, canary_file(world, gateway, temperature=0.5),
                        steps=[{"share": "50%", "min": "1h"}, {"share": "100%", "min": "1h"}])
    checks.equal("start", admin(gateway, "POST", "rollouts", {"file": str(path)}).status, 200)
    with Traffic(gateway):
        found = wait_for(lambda: (s := status(gateway))["state"] == "paused" and s)
    checks.true("when both go bad it pauses", found, status(gateway))
    checks.equal("for a common cause", found and found["reason"], "common_cause")
    chain_is_whole(checks, "common cause", rows(gateway))


def in_flight(world, checks):
    """What has begun ends where it began."""
    up = world.upstream("sim", "--time-scale", "0")
    slow = world.script([{"body": json.dumps(completion("4")), "delay_ms": 1500}])
    gateway = world.gateway(up, {"strategy": "direct"})
    path = rollout_file(world, bad_model(world, gateway, slow), holdback="0%", steps=[{"share": "100%", "min": "1h"}])
    checks.equal("start", admin(gateway, "POST", "rollouts", {"file": str(path)}).status, 200)
    answers = []
    asking = threading.Thread(target=lambda: answers.append(gateway.chat("weir/direct", "What is 2 + 2?")))
    asking.start()
    wait_for(lambda: slow.counts()["requests"] == 1)
    checks.equal("abort", admin(gateway, "POST", "rollouts/quick/abort", {}).json["state"], "aborted")
    checks.equal("the next request goes to the old one", gateway.chat("weir/direct", "What is 1 + 2?").json["weir"]["arm"], None)
    asking.join()
    weir = answers[0].json["weir"]
    checks.equal("the one under way ends on the new one", (answers[0].status, weir["arm"], weir["model"]), (200, "quick/canary", "broken"))


def locked(world, checks):
    """A rollback that cannot be written serves nobody by the canary all the same, and is written when it can be."""
    up = world.upstream("sim", "--time-scale", "0")
    bad = world.script([{"status": 500, "body": "{}"}])
    gateway = world.gateway(up, {"strategy": "direct"})
    path = rollout_file(world, bad_model(world, gateway, bad))
    checks.equal("start", admin(gateway, "POST", "rollouts", {"file": str(path)}).status, 200)
    lock = sqlite3.connect(gateway.ledger / "control.db", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    with Traffic(gateway, pause=0.01) as traffic:
        def is_old_only():
            return len(traffic.answers) > 50 and all(arm is None for _, _, arm in traffic.answers[-40:]) \
                and all(status == 200 for _, status, _ in traffic.answers[-40:])
        checks.true("the canary serves nobody", wait_for(is_old_only), traffic.answers[-3:])
        lock.execute("ROLLBACK")
        lock.close()
        checks.true("and its end is written when it can be", wait_for(lambda: state(gateway) == "aborted"))
    chain_is_whole(checks, "locked", rows(gateway))
    checks.equal("no more than its two rows", len(rows(gateway)), 2)


def outrun(world, checks):
    """Somebody else has moved it: this process touches nothing."""
    up = world.upstream("sim", "--time-scale", "0")
    gateway = world.gateway(up, {"strategy": "direct"})
    path = rollout_file(world, canary_file(world, gateway, temperature=0.5), steps=[{"share": "100%", "min": "1h"}])
    checks.equal("start", admin(gateway, "POST", "rollouts", {"file": str(path)}).status, 200)
    other = sqlite3.connect(gateway.ledger / "control.db", isolation_level=None)
    other.execute("UPDATE documents SET text = 'quick@0 9' WHERE key = 'rollout.fence'")
    checks.error("a move is refused", admin(gateway, "POST", "rollouts/quick/pause", {}, 1), 503)
    checks.equal("and changed nothing", (state(gateway), status(gateway)["holds"], len(rows(gateway))), ("baking", "outrun", 1))
    checks.true("and is logged", "another process moves this rollout" in gateway.process.output())
    other.close()


def returning(world, checks):
    """Conversations that come back after kill -9 are the units that they were: in the rollout, and in an experiment."""
    up = world.upstream("sim", "--time-scale", "0")
    for what in ("rollouts", "experiments"):
        gateway = world.gateway(up, {"strategy": "direct"})
        canary = canary_file(world, gateway, temperature=0.5)
        path = rollout_file(world, canary, steps=[{"share": "50%", "min": "1h"}, {"share": "100%", "min": "1h"}]) \
            if what == "rollouts" else write_yaml(world, "experiment.yaml", {"name": "quick", "arms": {
                "control": {"share": "50%"}, "fast": {"share": "50%", "profile": str(canary)}}})
        checks.equal(f"{what}: start", admin(gateway, "POST", what, {"file": str(path)}).status, 200)

        def ask(names):
            for name in names:
                gateway.chat("weir/direct", "What is 1 + 1?", {"x-weir-conversation": name})

        def arms():
            return admin(gateway, "GET", f"{what}/quick").json["arms"]

        def written():
            """As of the last checkpoint."""
            found = sqlite3.connect(gateway.ledger / "control.db")
            key = "rollout.checkpoint" if what == "rollouts" else "experiment.quick"
            text = found.execute("SELECT text FROM documents WHERE key = ?", (key,)).fetchone()[0]
            found.close()
            exposures = json.loads(text)
            if what == "rollouts":
                return sum(exposures["exposures"])
            return sum(arm["exposures"] for epoch in exposures["epochs"] for arm in epoch["arms"])

        names = [f"c{i}" for i in range(40)]
        ask(names)
        checks.true(f"{what}: they are counted, durably", wait_for(lambda: written() == len(names)), written())
        before = arms()
        gateway.process.kill()
        gateway.start()
        checks.equal(f"{what}: the counts are there", [arm["units"] for arm in arms()], [arm["units"] for arm in before])
        answered = sum(arm.get("n", 0) for arm in before)
        ask(names + ["new"])
        wait_for(lambda: sum(arm.get("n", 0) for arm in arms()) == answered * 2 + 1)
        checks.equal(f"{what}: who comes back is not counted again", sum(arm["units"] for arm in arms()), len(names) + 1)
        checks.true(f"{what}: of each arm", all(0 <= now["units"] - was["units"] <= 1 for now, was in zip(arms(), before)),
                    (before, arms()))
        gateway.stop()


def killed(world, checks, rounds):
    """kill -9 at random instants while a rollout runs, is paused and resumed: what was acknowledged is there, no step is
    skipped or repeated."""
    up = world.upstream("sim", "--time-scale", "0")
    gateway = world.gateway(up, {"strategy": "direct"})
    path = rollout_file(world, canary_file(world, gateway, temperature=0.5),
                        steps=[{"share": f"{share}%", "min": "0.2s", "max": "600s", "n_min": 4} for share in range(30, 101, 10)])
    random.seed(7)
    acknowledged = [admin(gateway, "POST", "rollouts", {"file": str(path)}).json["sequence"]]
    with Traffic(gateway, pause=0.001):
        for number in range(rounds):
            until = time.monotonic() + random.random() * 1.2
            while time.monotonic() < until:
                now = status(gateway)
                verb = random.choice(("pause", "resume", None, None, None))
                if now["state"] == "completed":
                    verb = "start"
                if verb == "start":
                    answer = admin(gateway, "POST", "rollouts", {"file": str(path), "supersede": True})
                    acknowledged = []
                elif verb:
                    answer = admin(gateway, "POST", f"rollouts/quick/{verb}", {}, now["generation"])
                if verb and answer.status == 200:
                    acknowledged.append(answer.json["sequence"])
                time.sleep(0.02)
            before = status(gateway)
            gateway.process.kill()
            gateway.start()
            history = rows(gateway)
            after = status(gateway)
            chain_is_whole(checks, f"round {number}", history)
            current = history[max(i for i, row in enumerate(history) if row["sequence"] == 1):]
            have = {row["sequence"] for row in current}
            checks.true(f"round {number}: what was acknowledged is there", set(acknowledged) <= have, (acknowledged, have))
            checks.true(f"round {number}: it goes on from its last row",
                        after["generation"] >= before["generation"] and after["sequence"] == len(current),
                        (before["generation"], after["generation"], after["sequence"], len(current)))
            if after["state"] == "paused":
                admin(gateway, "POST", "rollouts/quick/resume", {}, after["generation"])
                acknowledged.append(after["sequence"] + 1)
        wait_for(lambda: state(gateway) in ("completed", "paused"))
    history = rows(gateway)
    chain_is_whole(checks, "at the end", history)
    runs, run = [], []
    for row in history:
        if row["sequence"] == 1:
            runs.append(run := [])
        if row["operation"] == "tick" and row["reason"] == "shown":
            run.append((row["to"]["state"], row["to"]["step"]))
    whole = [("running", step) for step in range(1, 7)] + [("baking", 7), ("completed", 7)]
    for run in runs:
        checks.equal("no step is skipped or repeated", run, whole[:len(run)])
    checks.true("it advanced meanwhile", sum(len(run) for run in runs) >= 3, runs)
    print(f"{rounds} rounds, {len(runs)} rollouts, {len(history)} rows")


def main(world, checks):
    world.defaults = {"breaker": {"failures": 0}}  # a provider that fails on purpose is asked on
    rounds = int(world.arguments[0]) if world.arguments else 30
    healthy(world, checks)
    broken_canary(world, checks)
    operations(world, checks)
    common_cause(world, checks)
    in_flight(world, checks)
    locked(world, checks)
    outrun(world, checks)
    returning(world, checks)
    killed(world, checks, rounds)


if __name__ == "__main__":
    harness.run(main)
