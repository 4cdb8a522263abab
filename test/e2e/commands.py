#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The commands: exit codes, what stands on stdout, what programs may rely on: commands.py WEIR"""
import json
import os
import pathlib
import subprocess

import harness

RECORDED = pathlib.Path(os.environ.get("WEIR_RECORDED") or pathlib.Path(__file__).resolve().parents[3] / "shared/data/recorded")


def run(world, *words, env=None):
    done = subprocess.run([world.weir, *map(str, words)], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          cwd=world.directory, env={**os.environ, "NO_COLOR": "1", **(env or {})})
    return done.returncode, done.stdout, done.stderr


def usage(checks, world):
    for words, status, part in [
        (["--help"], 0, "Commands:"), (["ask", "--help"], 0, "Example:"), (["--version"], 0, "weir "),
        ([], 2, "Usage:"), (["srve"], 2, "did you mean 'serve'?"), (["key"], 2, "create, list or revoke"),
        (["ask"], 2, "give one question"), (["ask", "x", "--nonsense"], 2, "unknown option '--nonsense'"),
        (["ask", "x", "--strategy", "magic"], 2, "hrm_trm"),
        (["price"], 2, "--model is needed"), (["price", "--model", "gpt-4o", "--input", "-1"], 2, "--input must be"),
        (["price", "--model", "gpt-4o", "--input", "1", "--cached", "2"], 2, "cannot exceed"),
        (["ledger"], 2, "weir ledger verify"), (["upstream", "--mode", "nonsense"], 2, "echo"),
        (["ledger", "verify", "--ledger", world.directory / "nowhere"], 3, "there is no ledger"),
    ]:
        got, out, err = run(world, *words)
        checks.equal(f"weir {' '.join(map(str, words))}: exit", got, status)
        checks.true(f"weir {' '.join(map(str, words))}: says", part in out + err, out + err)


def configuration(checks, world):
    bad = world.path("bad.yaml")
    bad.write_text("model: gpt-4o-mini\nmodle: x\ntrm:\n  confidence_threshold: 1.5\nproviders:\n"
                   "  a: {base_url: 'http://127.0.0.1:1/v1', api_key: sk-plain-secret}\n")
    status, out, _ = run(world, "check", "--config", bad)
    checks.equal("bad configuration: exit", status, 2)
    checks.true("place and nearest key", f"{bad}:2:1: unknown key 'modle'; did you mean 'model'?" in out, out)
    checks.true("range", f"{bad}:4:" in out and "1.5" in out, out)
    checks.true("a secret in plain text is refused and not shown", "env:" in out and "sk-plain-secret" not in out, out)
    status, out, _ = run(world, "check", "--config", bad, "--json")
    report = json.loads(out)
    checks.equal("json: ok", report["ok"], False)
    checks.equal("json: members", sorted(report["errors"][0]), ["column", "file", "line", "message"])
    status, _, err = run(world, "serve", "--config", bad)
    checks.true("serve refuses it", status == 2 and "modle" in err, err)
    root = pathlib.Path(__file__).resolve().parents[2]
    for name in ["production", "fallback"]:
        status, out, _ = run(world, "check", "--config", root / f"config/{name}.yaml", "--json")
        report = json.loads(out)
        checks.true(f"{name}.yaml is valid", status == 0 and report["ok"], out)
        checks.true(f"{name}.yaml: what is not built is named",
                    any("no effect yet" in warning["message"] for warning in report["warnings"]), out)
    _, out, _ = run(world, "check", "--document")
    checks.equal("docs/configuration.md is the table's", out, (root / "docs/configuration.md").read_text())


def prices(checks, world):
    for words, cost in [
        (["gpt-4o", "--input", 1000, "--output", 100], 3500000), (["gpt-4o-mini", "--input", 1000, "--output", 100], 210000),
        (["gpt-4o-mini-2024-07-18", "--input", 1, "--output", 0], 150), (["gpt-4o", "--input", 10, "--cached", 10], 12500),
        (["smollm2-135m-instruct", "--input", 1000000], 0), (["nobody-knows-me", "--input", 1], None),
    ]:
        status, out, _ = run(world, "price", "--model", *words, "--json")
        checks.equal(f"price {words}: exit", status, 0)
        checks.equal(f"price {words}", json.loads(out)["cost_nano_usd"], cost)


def ask(checks, world):
    provider = world.upstream("sim", "--time-scale", "0")
    config = world.gateway(provider, start=False).config
    env = {"WEIR_E2E_PROVIDER_KEY": harness.PROVIDER_KEY}
    status, out, err = run(world, "ask", "What is 12 * 34?", "--config", config, "--domain", "stem", "--json", "--trace", env=env)
    checks.equal("ask: exit", status, 0)
    answer = json.loads(out)
    for member in ["answer", "strategy", "model", "success", "hrm_confidence", "trm_confidence", "confidence", "calls", "tokens",
                   "cost_nano_usd", "latency_ms", "route", "arm"]:
        checks.true(f"ask: {member}", member in answer, sorted(answer))
    checks.equal("ask: strategy", answer["strategy"], "hrm_trm")
    checks.equal("ask: simulated, and says so", answer["simulated"], True)
    checks.equal("ask: not calibrated, and says so", answer["confidence"]["calibrated"], False)
    checks.equal("ask: the trace has every call", len(answer["trace"]), answer["calls"])
    checks.equal("ask: cost = the calls' cost", sum(call["cost_nano_usd"] for call in answer["trace"]), answer["cost_nano_usd"])
    for strategy in ["direct", "hrm", "trm", "hrm_trm"]:
        status, out, err = run(world, "ask", "What is 12 * 34?", "--config", config, "--strategy", strategy, "--trace", env=env)
        checks.true(f"ask {strategy}", status == 0 and "[simulated]" in out and "calls:" in out, out + err)
    status, out, _ = run(world, "ledger", "verify", "--config", config, "--json", env=env)
    checks.equal("ledger verify: exit", status, 0)
    report = json.loads(out)
    checks.equal("ledger verify", (report["rows"], report["mismatches"]), (5, 0))
    untracked = world.gateway(provider, {"monitoring": {"track_cost": False, "track_confidence": False, "track_latency": False}},
                              start=False)
    status, out, _ = run(world, "ask", "Hi", "--config", untracked.config, "--json", env=env)
    checks.equal("track_cost off: unpriced", json.loads(out)["cost_nano_usd"], None)
    row = untracked.rows()[0]
    checks.equal("not tracked, not recorded", (row["cost_nano_usd"], row["confidence"], row["calls"][0]["latency_us"]), (None, None, 0))
    status, out, err = run(world, "ask", "   ", "--config", config, env=env)
    checks.true("an empty question", status == 1 and "CALLER_EMPTY_QUESTION" in err, err)
    provider.process.stop()
    status, out, err = run(world, "ask", "Hi", "--config", config, "--json", env=env)
    checks.equal("nobody answers: exit", status, 3)
    answer = json.loads(out)
    checks.equal("nobody answers", (answer["success"], answer["answer"], answer["confidence"]["value"]), (False, None, None))
    checks.true("no secret is shown", not harness.has_secret(out + err), out + err)


def budgets(checks, world):
    """Caps hold, and what could be had under them is the answer."""
    provider = world.upstream("sim", "--time-scale", "0")
    env = {"WEIR_E2E_PROVIDER_KEY": harness.PROVIDER_KEY}
    before = provider.counts()["requests"]
    poor = world.gateway(provider, {"budget": {"usd_max": 777}}, start=False)
    poor.config.write_text(poor.config.read_text().replace("777", "0.000001"))  # Python would write 1e-06
    status, out, err = run(world, "ask", "What is 12 * 34?", "--config", poor.config, "--json", env=env)
    answer = json.loads(out)
    checks.equal("too few dollars: refused", (status, answer["success"], answer["error"]), (1, False, "POLICY_BUDGET"))
    checks.equal("too few dollars: no confidence", answer["confidence"]["value"], None)
    checks.equal("too few dollars: nothing was sent", provider.counts()["requests"], before)
    checks.equal("too few dollars: its row", [row["result"] for row in poor.rows()], ["POLICY_BUDGET"])
    short = world.gateway(provider, {"budget": {"calls_max": 1}, "hrm": {"confidence_threshold": 1}, "trm": {"confidence_threshold": 1}},
                          start=False)
    status, out, err = run(world, "ask", "What is 12 * 34?", "--config", short.config, "--json", env=env)
    answer = json.loads(out)
    checks.equal("one call only", (status, answer["success"], answer["calls"]), (0, True, 1))
    slow = world.gateway(world.upstream("echo", "--delay-ms", "60000"), {"timeout_seconds": 0.3}, start=False)
    status, out, err = run(world, "ask", "Hi", "--config", slow.config, "--json", env=env)
    answer = json.loads(out)
    checks.equal("no time", (status, answer["error"]), (3, "DEADLINE_EXCEEDED"))
    checks.equal("ledgers agree with themselves", [gateway.verify()[0] for gateway in (poor, short, slow)], [0, 0, 0])


def recorded(checks, world):
    if not RECORDED.is_dir():
        return
    provider = world.upstream(f"recorded:{RECORDED}")
    config = world.gateway(provider, start=False).config
    question = json.loads((RECORDED / "questions.jsonl").read_text().splitlines()[0])
    answers = (json.loads(line) for line in (RECORDED / "answers/gpt-4o-mini-2024-07-18.jsonl").read_text().splitlines())
    known = next(answer for answer in answers if answer["id"] == question["id"])
    status, out, err = run(world, "ask", question["prompt"], "--config", config, "--strategy", "direct", "--json",
                           env={"WEIR_E2E_PROVIDER_KEY": harness.PROVIDER_KEY})
    answer = json.loads(out)
    checks.equal("recorded: tokens", (answer["tokens"]["input"], answer["tokens"]["output"]),
                 (known["prompt_tokens"], known["completion_tokens"]))
    checks.equal("recorded: cost at gpt-4o-mini's price", answer["cost_nano_usd"],
                 known["prompt_tokens"] * 150 + known["completion_tokens"] * 600)


def main(world, checks):
    for part in [usage, configuration, prices, ask, budgets, recorded]:
        part(checks, world)


if __name__ == "__main__":
    harness.run(main)
