#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The state of what watches and changes production: what outlives kill -9, what a locked control.db stops and what it does not,
and that there is one controller.

    control.py WEIR
"""
import os
import shutil
import signal
import sqlite3
import threading
import time

import harness
from control_kit import Traffic, admin, canary_file, rollout_file, wait_for
from harness import http_status

BAD = {"status": 500, "body": "{}"}
OFF = {"enabled": False}
RULE = {"metric": "error_rate", "severity": "critical", "threshold": 0.3, "window": "1h", "for": "0s", "n_min": 5}
LOCK_SECONDS = 8


def database(gateway):
    return sqlite3.connect(gateway.ledger / "control.db", isolation_level=None)


def value(gateway, sql, *arguments):
    """Of one row; None: there is none."""
    connection = database(gateway)
    try:
        row = connection.execute(sql, arguments).fetchone()
        return row and row[0]
    finally:
        connection.close()


def rollout(gateway):
    return admin(gateway, "GET", "rollouts/quick").json


def history(gateway):
    return [item["row"] for item in admin(gateway, "GET", "rollouts/quick/history").json["data"]]


# ---- windows ----

def watching(gateway, rule):
    """The gateway's configuration with this rule, for its next start."""
    config = gateway.config.read_text()
    rules = {name: OFF for name in ("success_rate_low", "error_rate_high", "error_budget_fast", "error_budget_medium",
                                    "error_budget_slow", "latency_p95_high", "cost_per_query_high")}
    gateway.config.write_text(config + harness.to_yaml({"alerts": {"rules": {**rules, **rule}}}))


def windows_outlive_a_kill(world, checks):
    """A rule that comes with the restart sees what was before it: nothing is asked afterwards."""
    gateway = world.gateway(world.script([BAD]), {"strategy": "direct"})
    for i in range(20):
        gateway.chat("weir/direct", f"What is {i} + 1?")
    checks.true("windows are written while it runs",
                wait_for(lambda: value(gateway, "SELECT count(*) FROM parts WHERE key = 'windows'") == 1))
    gateway.process.kill()
    watching(gateway, {"last_hour": RULE})
    gateway.start()

    def seen():
        return [a for a in admin(gateway, "GET", "alerts").json["data"] if a["rule"] == "last_hour" and a["state"] == "firing"]
    checks.true("the last hour is known after kill -9", wait_for(seen), admin(gateway, "GET", "alerts").body)
    checks.equal("all of it", [a["n"] for a in seen()], [20])
    # And after a stop, at once.
    for i in range(5):
        gateway.chat("weir/direct", f"What is {i} + 2?")
    time.sleep(0.5)
    gateway.stop()
    gateway.start()
    checks.true("a stop loses nothing", wait_for(lambda: [a["n"] for a in seen()] == [25]), seen())
    gateway.stop()
    # What cannot be read is no reason not to start.
    connection = database(gateway)
    connection.execute("UPDATE parts SET bytes = CAST(substr(bytes, 1, 60) AS BLOB) WHERE key = 'windows'")
    connection.execute("UPDATE documents SET text = '' WHERE key = 'alerts'")
    connection.close()
    gateway.start()
    checks.true("a damaged document is said", "windows in control.db cannot be read" in gateway.process.output())
    time.sleep(3)  # longer than between two evaluations
    checks.equal("and counts for nothing", seen(), [])
    gateway.stop()
    connection = database(gateway)  # as a weir before windows were kept left it
    connection.execute("DROP TABLE parts")
    connection.execute("PRAGMA user_version = 1")
    connection.close()
    gateway.start()
    checks.equal("an older control.db is taken", admin(gateway, "GET", "alerts").status, 200)


# ---- a locked control.db ----

def locked(world, checks):
    up = world.upstream("sim", "--time-scale", "0")
    bad = world.script([BAD])
    gateway = world.gateway(up, {"strategy": "direct"})
    path = rollout_file(world, canary_file(
        world, gateway, model="broken", model_provider="bad",
        providers={"bad": {"base_url": f"http://127.0.0.1:{bad.port}/v1", "json_schema": True}}))
    checks.equal("start", admin(gateway, "POST", "rollouts", {"file": str(path)}).status, 200)
    lock = database(gateway)
    lock.execute("BEGIN EXCLUSIVE")
    until = time.monotonic() + LOCK_SECONDS
    healthy = suspended = 0
    with Traffic(gateway, pause=0.01) as traffic:
        while time.monotonic() < until:
            healthy += http_status(f"http://127.0.0.1:{gateway.admin_port}/healthz") == 200
            suspended += rollout(gateway)["suspended"]
            time.sleep(0.02)
        # Of a loop that waits five seconds for a lock there would be a few.
        checks.true("the admin listener goes on", healthy >= 30, healthy)
        checks.true("what has tripped serves nobody", suspended > 0 and rollout(gateway)["suspended"], rollout(gateway))
        checks.true("answers are the old configuration's",
                    all(status == 200 and arm is None for _, status, arm in traffic.answers[-20:]), traffic.answers[-3:])
        refused = admin(gateway, "POST", "rollouts/quick/pause", {}, rollout(gateway)["generation"])
        checks.error("an operation is refused", refused, 503)
        checks.true("with when to come again", int(refused.headers.get("retry-after", 0)) >= 1, refused.headers)
        checks.error("so is a silence", admin(gateway, "POST", "silences",
                                              {"match": {"alertname": "x"}, "seconds": 60}), 503)
        checks.equal("nothing was written", len(history(gateway)), 1)
        lock.execute("ROLLBACK")
        lock.close()
        checks.true("then the rollback is written", wait_for(lambda: rollout(gateway)["state"] == "aborted"), rollout(gateway))
    rows = history(gateway)
    checks.equal("once", [(row["sequence"], row["to"]["state"], row["reason"]) for row in rows][1:], [(2, "aborted", "guard")])
    checks.equal("it is not suspended any more", rollout(gateway)["suspended"], False)
    checks.equal("every question was answered", traffic.broken, [])
    checks.equal("no silence was made", admin(gateway, "GET", "silences").json["data"], [])
    said = gateway.process.output().count("control.db cannot be written")
    checks.true("the log says so, not in every turn", 1 <= said <= 6, said)
    checks.true("and when it is over", "control.db is written again" in gateway.process.output())
    gateway.process.kill()
    gateway.start()
    checks.equal("a restart finds the same", history(gateway), rows)


def locked_abort(world, checks):
    """An abort that cannot be written is refused, and serves nobody by the canary all the same, until somebody decides."""
    gateway = world.gateway(world.upstream("sim", "--time-scale", "0"), {"strategy": "direct"})
    path = rollout_file(world, canary_file(world, gateway, temperature=0.5), holdback="0%",
                        steps=[{"share": "100%", "min": "1h"}])
    checks.equal("start", admin(gateway, "POST", "rollouts", {"file": str(path)}).status, 200)

    def arm():
        return gateway.chat("weir/direct", "What is 1 + 1?").json["weir"]["arm"]
    checks.equal("the canary serves", arm(), "quick/canary")
    lock = database(gateway)
    lock.execute("BEGIN EXCLUSIVE")
    refused_abort = admin(gateway, "POST", "rollouts/quick/abort", {})
    checks.error("the abort cannot be written", refused_abort, 503)
    checks.equal("it says that it holds all the same", refused_abort.json["error"]["code"], "suspended")
    checks.equal("the canary serves nobody", (arm(), rollout(gateway)["suspended"]), (None, True))
    lock.execute("ROLLBACK")
    lock.close()
    checks.error("a refusal is a row", admin(gateway, "POST", "rollouts/quick/pause", {}, 77), 409)
    checks.equal("and brings nobody back", (arm(), rollout(gateway)["suspended"]), (None, True))
    checks.equal("again", admin(gateway, "POST", "rollouts/quick/abort", {}).json["state"], "aborted")
    checks.equal("once", [row["operation"] for row in history(gateway)], ["start", "pause", "abort"])


def published(world, checks):
    """Who runs under what is replaced many times under traffic: no query is lost, none is in an arm that is not there."""
    gateway = world.gateway(world.upstream("sim", "--time-scale", "0"), {"strategy": "direct", "server": {"workers": 2}})
    path = rollout_file(world, canary_file(world, gateway, temperature=0.5), steps=[{"share": "100%", "min": "1h"}])
    found = admin(gateway, "POST", "rollouts", {"file": str(path)}).json
    with Traffic(gateway, pause=0.001) as traffic:
        for i in range(100):
            found = admin(gateway, "POST", f"rollouts/quick/{('pause', 'resume')[i % 2]}", {}, found["generation"]).json
        wait_for(lambda: len(traffic.answers) > 100)
    checks.equal("a hundred moves", (found["state"], found["sequence"]), ("baking", 101))
    checks.equal("no query was lost", (traffic.broken, {status for _, status, _ in traffic.answers}), ([], {200}))
    checks.true("each has its arm", {arm for _, _, arm in traffic.answers} <= {"quick/canary", "quick/holdback"})


# ---- one controller ----

def refused(world, checks, name, gateway, upstream):
    """A second process on this directory ends at once, saying why; the first does not notice."""
    second = world.gateway(upstream, {"strategy": "direct", "ledger": {"directory": str(gateway)}}, start=False)
    second.start(wait=False)
    checks.true(f"{name}: it ends", wait_for(lambda: not second.process.is_running()))
    checks.true(f"{name}: with a fault", second.process.stop() not in (0, None))
    checks.true(f"{name}: and says why", "another process holds" in second.process.output(), second.process.output()[-300:])


def one_controller(world, checks):
    up = world.upstream("sim", "--time-scale", "0")
    first = world.gateway(up, {"strategy": "direct"})
    path = rollout_file(world, canary_file(world, first, temperature=0.5), steps=[{"share": "100%", "min": "1h"}])
    checks.equal("start", admin(first, "POST", "rollouts", {"file": str(path)}).status, 200)
    refused(world, checks, "the same directory", first.ledger, up)
    link = world.path("symlink")
    link.symlink_to(first.ledger)
    refused(world, checks, "a symbolic link", link, up)
    copy = world.path("links")
    shutil.copytree(first.ledger, copy, copy_function=os.link)
    refused(world, checks, "a directory of hard links", copy, up)
    shutil.rmtree(copy)
    os.kill(first.process.pid, signal.SIGSTOP)
    refused(world, checks, "while the first stands still", first.ledger, up)
    # The lock is taken away from under it, the second starts and moves the rollout, and then the first goes on.
    (first.ledger / "lock").unlink()
    second = world.gateway(up, {"strategy": "direct", "ledger": {"directory": str(first.ledger)}}, start=False)
    second.start()
    with Traffic(second, threads=1, pause=0.005) as traffic:
        wait_for(lambda: len(traffic.answers) > 50)
        found = rollout(second)
        if found["state"] == "paused":
            admin(second, "POST", "rollouts/quick/resume", {}, found["generation"])
        os.kill(first.process.pid, signal.SIGCONT)
        before = history(second)
        stale = wait_for(lambda: "another process has taken over control.db" in first.process.output())
        checks.true("the first one sees that it is no longer the one", stale, first.process.output()[-300:])
        stale = admin(first, "POST", "rollouts/quick/abort", {})
        checks.error("and moves nothing", stale, 503)
        checks.equal("it sends people to the other", stale.json["error"]["code"], "outrun")
        checks.error("nor makes silences", admin(first, "POST", "silences", {"match": {"alertname": "x"}, "seconds": 60}), 503)
        checks.equal("its status says so", rollout(first)["holds"], "outrun")
        checks.equal("the second one's rows are as they were", history(second), before)
        checks.equal("which goes on", rollout(second)["holds"] != "outrun", True)
        aborted = admin(second, "POST", "rollouts/quick/abort", {})
        checks.equal("and moves it", aborted.status, 200)
    checks.equal("it is said once", first.process.output().count("another process has taken over"), 1)


def main(world, checks):
    windows_outlive_a_kill(world, checks)
    locked(world, checks)
    locked_abort(world, checks)
    published(world, checks)
    one_controller(world, checks)


if __name__ == "__main__":
    harness.run(main)
