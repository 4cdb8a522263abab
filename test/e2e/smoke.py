#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""weir smoke against running gateways: sound, open, failing, absent: smoke.py WEIR"""
import json
import os
import subprocess

import harness

NAMES = ["liveness", "readiness", "API description", "query through hrm_trm", "query through full_stack", "a bad key is refused",
         "an empty question is refused", "metrics", "HRM confidence", "TRM confidence", "latency p95", "cost per query"]


def smoke(world, gateway, *words):
    env = {**os.environ, "WEIR_E2E_PROVIDER_KEY": harness.PROVIDER_KEY, "WEIR_E2E_CLIENT_KEY": harness.CLIENT_KEY}
    done = subprocess.run([world.weir, "smoke", "--config", gateway.config, *words], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          check=False, env=env)
    return done.returncode, done.stdout, done.stderr


def results(text):
    report = json.loads(text)
    return report, {check["name"]: check["ok"] for check in report["checks"]}


def main(world, checks):
    provider = world.upstream("sim", "--time-scale", "0")
    gateway = world.gateway(provider, {"server": {"keys": ["env:WEIR_E2E_CLIENT_KEY"]}})
    status, out, err = smoke(world, gateway, "--json", "--queries", "60")
    report, ok = results(out)
    checks.equal("a sound gateway: the checks", list(ok), NAMES)
    checks.equal("a sound gateway: the eight pass", [ok[name] for name in NAMES[:8]], [True] * 8)
    checks.equal("sixty fast answers show the p95 and the price", (ok["latency p95"], ok["cost per query"]), (True, True))
    checks.equal("exit follows the failures", status, 1 if report["failed"] else 0)
    checks.equal("queries", report["queries"], 60)
    checks.true("n stands beside each", all("n = 60" in check["value"] for check in report["checks"] if "confidence" in check["name"]), out)
    ready = next(check["value"] for check in report["checks"] if check["name"] == "readiness")
    checks.equal("readiness names the parts that were reached", ready, "200: ledger, control, provider")
    status, out, err = smoke(world, gateway, "--json", "--queries", "10")
    checks.equal("ten answers cannot show a p95", results(out)[1]["latency p95"], None)
    status, out, err = smoke(world, gateway)
    checks.true("people read a table", "passed     liveness" in out and "not shown" in out and harness.CLIENT_KEY not in out + err, out)

    everyone = world.gateway(provider)
    status, out, _ = smoke(world, everyone, "--json")
    report, ok = results(out)
    checks.equal("an open gateway fails", (status, ok["a bad key is refused"]), (1, False))
    checks.true("and says what to do", "server.keys" in out, out)

    broken = world.gateway(world.script([{"status": 500, "body": {"error": {"message": "down"}}, "repeat": 0}]))
    status, out, _ = smoke(world, broken, "--json", "--queries", "5")
    report, ok = results(out)
    checks.equal("a dead provider", (ok["liveness"], ok["query through hrm_trm"], ok["latency p95"], ok["cost per query"]),
                 (True, False, False, None))
    nobody = world.gateway(harness.free_port(), ready=False)
    status, out, _ = smoke(world, nobody, "--json", "--queries", "2")
    report, ok = results(out)
    checks.equal("no provider: alive, not ready", (ok["liveness"], ok["readiness"]), (True, False))
    checks.true("and which part", "not provider (0 of 1 answer; 'test': " in out, out)
    absent = world.gateway(provider, start=False)
    status, _, err = smoke(world, absent, "--queries", "2")
    checks.true("nobody there", status == 3 and "is weir serve running?" in err, (status, err))
    for words, part in [(["--queries", "1"], "--queries must be"), (["--key", "sk-plain"], "env:NAME"), (["now"], "options only")]:
        status, _, err = smoke(world, absent, *words)
        checks.true(f"{words}", status == 2 and part in err, err)


if __name__ == "__main__":
    harness.run(main)
