#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Alerts on live traffic: one message when it fires, none twice after a restart, one when it resolves; silences; a receiver that
is down; what a rollout says."""
import datetime
import json

import harness
from control_kit import QUICK_GUARDS, Receiver, Traffic, admin, canary_file, rollout_file, wait_for
from harness import completion, free_port

GOOD = {"body": json.dumps(completion("4"))}
BAD = {"status": 500, "body": "{}"}
RULE = {"metric": "error_rate", "severity": "critical", "threshold": 0.3, "window": "5s", "for": "0s", "keep_firing": "1s",
        "n_min": 5}
OFF = {"enabled": False}
DEFAULTS = ("success_rate_low", "error_rate_high", "error_budget_fast", "error_budget_medium", "error_budget_slow",
            "hrm_confidence_low", "trm_confidence_low", "cost_per_query_high", "latency_p95_high")


def alerting(world, receivers, rules):
    """Channels of these receivers, none of the default rules, these instead."""
    channels = {}
    for name, receiver in receivers.items():
        secret = world.path("url")
        secret.write_text(f"http://127.0.0.1:{receiver.port}/hook\n")
        channels[name] = {"kind": "slack", "url": f"file:{secret}"}
    return {"channels": channels, "group_wait": "0s", "group_interval": "1s", "repeat_interval": "1h",
            "rules": {**{name: OFF for name in DEFAULTS}, **rules}}


def firing(gateway, rule="test_errors"):
    return [a for a in admin(gateway, "GET", "alerts").json["data"] if a["rule"] == rule and a["state"] == "firing"]


def outbox(gateway):
    found = admin(gateway, "GET", "outbox").json
    return {name: found[f"{name}_count"] for name in ("pending", "sent", "dead")}


def fires_once(world, checks):
    slack = Receiver(free_port())
    up = world.script([{**BAD, "repeat": 120}, {**GOOD, "repeat": 0}])
    gateway = world.gateway(up, {"strategy": "direct", "alerts": alerting(world, {"ops": slack}, {"test_errors": RULE})})
    with Traffic(gateway, threads=1, pause=0.02):
        checks.true("it fires", wait_for(lambda: firing(gateway)), admin(gateway, "GET", "alerts").body)
        checks.true("the channel is told", wait_for(lambda: slack.got))
        gateway.process.kill()
        gateway.start()
        wait_for(lambda: not firing(gateway), 60)
        checks.true("and told when it ends", wait_for(lambda: len(slack.got) > 1), admin(gateway, "GET", "alerts").body)
        wait_for(lambda: outbox(gateway)["pending"] == 0)
    checks.equal("one message when it fires, one when it ends; a restart repeats none", len(slack.got), 2)
    checks.true("it says what is wrong", "error rate" in slack.got[0][1] and "30.00 %" in slack.got[0][1], slack.got[0][1])
    checks.true("in this order", "resolved" not in slack.got[0][1].lower() and "resolved" in slack.got[1][1].lower(),
                [body[:300] for _, body in slack.got])
    checks.equal("the outbox is done", outbox(gateway), {"pending": 0, "sent": 2, "dead": 0})
    history = json.loads(gateway.command("alert", "history", "--json").stdout)["data"]
    checks.equal("transitions are recorded", [row["row"]["to"] for row in history][-2:], ["firing", "inactive"])
    today = datetime.datetime.now(datetime.timezone.utc).date()
    report = json.loads(gateway.command("report", "--json", "--from", str(today - datetime.timedelta(days=1)), "--to", str(today)).stdout)
    checks.equal("the report counts alerts", [(kpi["n"], kpi["actual"]) for kpi in report["kpis"] if kpi["name"] == "alerts_per_day"],
                 [(sum(row["row"]["to"] == "firing" for row in history), sum(row["row"]["to"] == "firing" for row in history) / 2)])
    checks.true("a report beside a running server says so", report["is_live"])
    listed = gateway.command("alert", "list")
    checks.true("the list is empty again", listed.returncode == 0 and "no alert is pending or firing" in listed.stdout,
                listed.stdout)


def silenced_and_down(world, checks):
    slack = Receiver(free_port())
    slack.status = 500
    up = world.script([BAD])
    rules = {"test_errors": RULE, "test_success": {**RULE, "metric": "success_rate", "threshold": 0.9, "severity": "critical"}}
    gateway = world.gateway(up, {"strategy": "direct", "alerts": alerting(world, {"ops": slack}, rules)})
    done = gateway.command("alert", "silence", "alertname=test_success", "--seconds", "600", "--reason", "known", "--json")
    checks.equal("a silence is made", done.returncode, 0)
    silence = json.loads(done.stdout)["id"]
    gateway.process.kill()  # what was acknowledged is there
    gateway.start()
    checks.equal("it is durable at once", [s["id"] for s in admin(gateway, "GET", "silences").json["data"]], [silence])
    with Traffic(gateway, threads=1, pause=0.02):
        wait_for(lambda: firing(gateway) and firing(gateway, "test_success"))
        checks.true("both fire", firing(gateway) and firing(gateway, "test_success"))
        checks.equal("one is silenced", firing(gateway, "test_success")[0]["silenced"], True)
        checks.true("the message waits for its receiver", wait_for(lambda: outbox(gateway)["pending"] == 1), outbox(gateway))
        checks.true("bodies and addresses are not shown",
                    "hook" not in admin(gateway, "GET", "outbox").body.decode() and
                    "body" not in admin(gateway, "GET", "outbox").json["pending"][0])
        gateway.process.kill()
        slack.status = 200
        gateway.start()
        checks.true("nothing is lost", wait_for(lambda: slack.got))
        checks.equal("the silence outlives the restart", [s["id"] for s in admin(gateway, "GET", "silences").json["data"]], [silence])
        wait_for(lambda: outbox(gateway)["pending"] == 0)
        checks.equal("and nothing is repeated", len(slack.bodies("test_errors")), 1)
        checks.equal("what is silenced is not sent", slack.bodies("test_success"), [])
        ended = gateway.command("alert", "silence", "--end", str(silence))
        checks.equal("a silence is ended", ended.returncode, 0)
        wait_for(lambda: firing(gateway, "test_success"))
        checks.true("then it is sent", wait_for(lambda: slack.bodies("test_success")))
    checks.error("a silence that is over", admin(gateway, "DELETE", f"silences/{silence}", {}), 404)
    checks.error("a silence of nothing", admin(gateway, "POST", "silences", {"seconds": 60, "match": {}}), 400)
    checks.error("an unknown label", admin(gateway, "POST", "silences", {"seconds": 60, "match": {"colour": "red"}}), 400)
    checks.error("no time", admin(gateway, "POST", "silences", {"match": {"arm": "x"}}), 400)


def rollout_pages(world, checks):
    slack = Receiver(free_port())
    up = world.upstream("sim", "--time-scale", "0")
    bad = world.script([BAD])
    gateway = world.gateway(up, {"strategy": "direct", "alerts": alerting(world, {"ops": slack}, {})})
    canary = canary_file(world, gateway, model="broken", model_provider="bad",
                         providers={"bad": {"base_url": f"http://127.0.0.1:{bad.port}/v1"}})
    path = rollout_file(world, canary, guards=QUICK_GUARDS)
    checks.equal("start", admin(gateway, "POST", "rollouts", {"file": str(path)}).status, 200)
    with Traffic(gateway):
        checks.true("a rollback pages", wait_for(lambda: slack.got))
    body = slack.got[0][1]
    checks.true("with its evidence", "quick" in body and "guard tripped" in body and "log E" in body, body)
    checks.equal("once", len(slack.got), 1)


def main(world, checks):
    world.defaults = {"breaker": {"failures": 0}}  # a provider that fails on purpose is asked on
    fires_once(world, checks)
    silenced_and_down(world, checks)
    rollout_pages(world, checks)


if __name__ == "__main__":
    harness.run(main)
