#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Experiments on live traffic: arms, counts, results that are valid at every look, restarts, what may not run together."""
import json
import subprocess
import time

import harness
from control_kit import Traffic, admin, canary_file, rollout_file, wait_for, write_yaml


def found(gateway, name="fast"):
    return admin(gateway, "GET", f"experiments/{name}").json


def experiment_file(world, profile, **changes):
    return write_yaml(world, "experiment.yaml", {"name": "fast", "arms": {
        "control": {"share": "50%"}, "fast": {"share": "50%", "profile": str(profile)}}, **changes})


def counts(world, checks):
    up = world.upstream("sim", "--time-scale", "0")
    gateway = world.gateway(up, {"strategy": "direct"})
    # Wrong answers without an error: the arm's model is unknown at its provider.
    nowhere = world.script([{"status": 404, "body": '{"error":{"message":"no such model"}}'}])
    profile = canary_file(world, gateway, model="broken", model_provider="bad",
                          providers={"bad": {"base_url": f"http://127.0.0.1:{nowhere.port}/v1"}})
    path = experiment_file(world, profile)
    checks.equal("no experiment yet", gateway.command("experiment", "results").returncode, 2)
    done = gateway.command("experiment", "start", path, "--json")
    checks.equal("start", (done.returncode, json.loads(done.stdout)["state"]), (0, "running"))
    with Traffic(gateway, pause=0.002) as traffic:
        wait_for(lambda: all(arm["n"] >= 150 for arm in found(gateway)["arms"]))
    answered = [arm for _, status, arm in traffic.answers if status == 200]
    checks.equal("whoever was answered was in the control", set(answered), {"fast/control"})
    results = json.loads(gateway.command("experiment", "results", "--json").stdout)
    checks.true("it has what the interface promises", all(key in results for key in ("state", "generation", "arms", "srm")))
    success = next(row for row in results["comparisons"] if row["metric"] == "success_rate")
    checks.equal("a broken arm is inferior", (success["arm"], success["verdict"]), ("fast", "inferior"))
    checks.true("its interval says by how much", success["upper"] < -0.5, success)
    checks.equal("the split is as meant", results["srm"]["alarm"], False)
    text = gateway.command("experiment", "results").stdout
    checks.true("people read it", "inferior" in text and "as meant" in text, text)
    checks.error("twice the same", admin(gateway, "POST", "experiments", {"file": str(path)}), 409)
    time.sleep(0.5)
    before = found(gateway)
    gateway.stop()
    gateway.start()
    after = found(gateway)
    checks.equal("a restart keeps the counts", [arm["n"] for arm in after["arms"]], [arm["n"] for arm in before["arms"]])
    checks.equal("and the arms", after["comparisons"], before["comparisons"])
    arms = [gateway.chat("weir/direct", f"What is {i} + 1?", {"x-weir-conversation": "c"}).status for i in range(4)]
    checks.equal("a conversation stays in its arm", len(set(arms)), 1)
    checks.error("a stale generation", admin(gateway, "POST", "experiments/fast/stop", {}, 7), 409)
    stopped = gateway.command("experiment", "stop", "fast", "--reason", "clear", "--json")
    checks.equal("stop", (stopped.returncode, json.loads(stopped.stdout)["state"]), (0, "stopped"))
    checks.equal("nobody is in it then", gateway.chat("weir/direct", "What is 1 + 1?").json["weir"]["arm"], None)
    checks.error("only once", admin(gateway, "POST", "experiments/fast/stop", {}), 409)
    history = admin(gateway, "GET", "experiments/fast/history").json["data"]
    checks.equal("who did what", [(row["row"]["operation"], row["row"]["note"]) for row in history],
                 [("start", ""), ("stop", "clear")])


def changed_and_refused(world, checks):
    up = world.upstream("sim", "--time-scale", "0")
    gateway = world.gateway(up, {"strategy": "direct"})
    profile = canary_file(world, gateway, temperature=0.2)
    checks.equal("start", admin(gateway, "POST", "experiments", {"file": str(experiment_file(world, profile, layer="l"))}).status, 200)
    other = experiment_file(world, profile, name="other", layer="l", **{"from": "50%", "to": "100%"})
    checks.error("one layer, one unit", admin(gateway, "POST", "experiments", {"file": str(other)}), 409)
    bad = write_yaml(world, "bad.yaml", {"name": "x", "arms": {"a": {"share": "60%"}, "b": {"share": "50%"}}})
    done = gateway.command("experiment", "start", bad)
    checks.true("overlapping arms are refused with their place", done.returncode == 2 and "overlap" in done.stderr, done.stderr)
    gateway.stop()
    profile.write_text(json.dumps({"extends": str(gateway.config), "temperature": 0.3}))
    gateway.start()
    checks.equal("a changed arm stops it", found(gateway)["state"], "stopped")


def shares_follow(world, checks):
    """track_and_stop: epochs on live traffic, a restart in between, nobody from one arm into another, the best arm is said."""
    good, bad = {"body": harness.completion()}, {"status": 400, "body": '{"error":{"message":"no"}}'}
    gateway = world.gateway(world.script([good] * 3 + [bad]), {"strategy": "direct"})

    def arm(answers):
        provider = {"base_url": f"http://127.0.0.1:{world.script(answers).port}/v1"}
        return str(canary_file(world, gateway, model="m", model_provider="p", providers={"p": provider}))

    broken = arm([bad])
    files = {"control": {"share": "11%"}, "better": {"share": "11%", "profile": arm([good] * 6 + [bad])},
            "broken": {"share": "11%", "profile": broken}}
    tracked = {"allocation": "track_and_stop", "metric": "success_rate", "epsilon": 0.01, "delta": 0.05, "floor": 0.05, "every": "1s"}
    path = experiment_file(world, broken, arms=files, **tracked)
    done = gateway.command("experiment", "start", path)
    checks.equal("start", done.returncode, 0)
    allocation = found(gateway)["allocation"]
    checks.equal("it begins with the file's shares", [arm["share"] for arm in allocation["epochs"][0]["arms"]], [0.11, 0.11, 0.11])
    met = {}  # conversation: the arms that it met

    def ask(i):
        name = f"c{i % 1500}"
        answer = gateway.chat("weir/direct", f"What is {i} + 1?", {"x-weir-conversation": name})
        if answer.status == 200 and answer.json["weir"]["arm"]:
            met.setdefault(name, set()).add(answer.json["weir"]["arm"])
        return answer

    def asked_until(condition):
        for i in range(30000):
            ask(i)
            if i % 100 == 99 and condition():
                return True
        return False

    for i in range(600):  # enough for other shares, too few to know
        ask(i)
    checks.true("an epoch begins", wait_for(lambda: len(found(gateway)["allocation"]["epochs"]) > 1), found(gateway))
    time.sleep(0.5)
    before = found(gateway)
    shares = [arm["share"] for arm in before["arms"]]
    checks.true("the shares keep their sum", shares[2] < 0.1 and abs(sum(shares) - 0.33) < 1e-9, shares)
    gateway.stop()
    gateway.start()
    after = found(gateway)
    checks.equal("a restart keeps the epochs and what was counted in them", after["allocation"], before["allocation"])
    checks.equal("and what it shows", after["comparisons"], before["comparisons"])
    share = {arm["label"]: arm["share"] for arm in after["arms"]}
    answer = next(a for a in map(ask, range(3000)) if a.status == 200 and a.json["weir"]["arm"])
    checks.equal("an answer says how likely its arm was", answer.json["weir"]["arm_share"], share[answer.json["weir"]["arm"]])
    checks.true("the best is known", asked_until(lambda: found(gateway)["allocation"]["stop"]), found(gateway)["allocation"])
    result = found(gateway)
    checks.equal("which it is; and the experiment goes on", (result["allocation"]["stop"]["arm"], result["state"]), ("better", "running"))
    checks.equal("each epoch's split is as meant", result["srm"]["alarm"], False)
    checks.equal("nobody went from one arm into another", [arms for arms in met.values() if len(arms) > 1], [])
    rows = [row["row"] for row in admin(gateway, "GET", "experiments/fast/history").json["data"]]
    checks.equal("the history says it once", [row["operation"] for row in rows].count("best_known"), 1)
    checks.true("and each epoch", any(row["operation"] == "reallocate" and "epoch 1: control" in row["note"] for row in rows), rows)
    text = gateway.command("experiment", "status").stdout
    checks.true("people read it", "epoch 1 since" in text and "stop: arm " in text, text)
    narrow = experiment_file(world, broken, arms={"control": {"share": "50%"}, "b": {"share": "5%"}}, name="narrow", **tracked)
    done = gateway.command("experiment", "start", narrow)
    checks.true("arms without room are refused with their place", done.returncode == 2 and "there is room for" in done.stderr, done.stderr)


def beside_a_rollout(world, checks):
    """Measured arms of a rollout are not experimented with."""
    up = world.upstream("sim", "--time-scale", "0")
    gateway = world.gateway(up, {"strategy": "direct"})
    profile = canary_file(world, gateway, temperature=0.2)
    rollout = rollout_file(world, profile, steps=[{"share": "10%", "min": "1h"}, {"share": "100%", "min": "1h"}])
    checks.equal("rollout", admin(gateway, "POST", "rollouts", {"file": str(rollout)}).status, 200)
    checks.equal("experiment", admin(gateway, "POST", "experiments", {"file": str(experiment_file(world, profile))}).status, 200)
    with Traffic(gateway, pause=0.001) as traffic:
        wait_for(lambda: len(traffic.answers) > 400)
    arms = {arm for _, _, arm in traffic.answers}
    checks.equal("each query is in one arm", arms, {"quick/canary", "quick/control", "fast/control", "fast/fast"})
    time.sleep(0.5)
    units = {arm["name"]: arm["units"] for arm in admin(gateway, "GET", "rollouts/quick").json["arms"]}
    checks.true("the baseline's units are counted too", units["baseline"] > units["canary"], units)
    checks.equal("nothing was lost", traffic.broken, [])


def each_arm_has_its_patience(world, checks):
    """max_retries and upstream's times hold for each arm."""
    busy = world.script([{"status": 503, "body": "{}"}])
    silent = world.script([{"body": harness.completion(), "delay_ms": 60000}])
    gateway = world.gateway(busy, {"strategy": "direct", "upstream": {"backoff_seconds": 0.01}})
    stubborn = write_yaml(world, "stubborn.yaml", {"extends": str(gateway.config), "max_retries": 2})
    impatient = write_yaml(world, "impatient.yaml", {
        "extends": str(gateway.config), "model": "late", "model_provider": "silent", "upstream": {"first_byte_timeout_seconds": 0.1},
        "providers": {"silent": {"base_url": f"http://127.0.0.1:{silent.port}/v1"}}})
    path = write_yaml(world, "experiment.yaml", {"name": "fast", "arms": {
        "control": {"share": "30%"}, "stubborn": {"share": "30%", "profile": str(stubborn)},
        "impatient": {"share": "30%", "profile": str(impatient)}}})
    checks.equal("start", admin(gateway, "POST", "experiments", {"file": str(path)}).status, 200)
    for i in range(40):
        gateway.chat("weir/direct", f"What is {i} + 1?")
    gateway.stop()
    seen = {(row["arm"], row["result"], call["attempts"]) for row in gateway.rows() for call in row["calls"] if row["arm"]}
    checks.equal("each arm tries as often, and waits as long, as its configuration says", seen, {
        ("fast/control", "PROVIDER_OVERLOADED", 1), ("fast/stubborn", "PROVIDER_OVERLOADED", 3), ("fast/impatient", "PROVIDER_FIRST_BYTE", 1)})


def what_is_the_process_s(world, checks):
    """An arm that sets what belongs to the process is refused with its place, by the gateway and by `weir check`."""
    up = world.upstream("sim", "--time-scale", "0")
    gateway = world.gateway(up, {"strategy": "direct"})
    profile = canary_file(world, gateway, ledger={"directory": "/elsewhere"})
    for kind, path in (("experiment", experiment_file(world, profile)), ("rollout", rollout_file(world, profile))):
        for name, done in (("start", gateway.command(kind, "start", path)),
                           ("check beside the gateway's", gateway.command("check", f"--{kind}", path)),
                           ("check alone", subprocess.run([world.weir, "check", f"--{kind}", path], capture_output=True, text=True,
                                                          env={"WEIR_E2E_PROVIDER_KEY": harness.PROVIDER_KEY}))):
            said = done.stdout + done.stderr
            checks.true(f"{kind} {name}: refused with its place", done.returncode == 2 and "canary.yaml:1:" in said and
                        "ledger.directory belongs to the process" in said, said)
    checks.equal("nothing was started", admin(gateway, "GET", "experiments").json["data"], [])


def main(world, checks):
    world.defaults = {"breaker": {"failures": 0}}  # a provider that fails on purpose is asked on
    each_arm_has_its_patience(world, checks)
    what_is_the_process_s(world, checks)
    counts(world, checks)
    changed_and_refused(world, checks)
    beside_a_rollout(world, checks)
    shares_follow(world, checks)


if __name__ == "__main__":
    harness.run(main)
