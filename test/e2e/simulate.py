#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""weir simulate: its JSON and exit codes, determinism, what it ships, bad files with line and column: simulate.py WEIR"""
import json
import os
import pathlib
import subprocess

import harness

ROOT = pathlib.Path(__file__).resolve().parents[2]
STEPS = "steps: [{share: 10%, min: 2m, max: 6h, n_min: 300}, {share: 100%, min: 2m, max: 6h, n_min: 300}]"
GOOD = f"rollout: {{name: r, {STEPS}}}\n"


def run(world, *words):
    done = subprocess.run([world.weir, "simulate", *map(str, words)], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          cwd=world.directory, check=False)
    return done.returncode, done.stdout, done.stderr


def written(world, text, name="scenario.yaml"):
    path = world.path(name)
    path.write_text(text)
    return path


def results(checks, world):
    path = written(world, "events: [{what: broken, start: 1m}]\nexpect: {outcome: rolled_back, detected_within_queries: 60}\n" + GOOD)
    status, out, err = run(world, path, "--seeds", 12, "--jobs", 3, "--json")
    answer = json.loads(out)
    checks.equal("exit", (status, err), (0, ""))
    checks.equal("seeds", [row["seed"] for row in answer["runs"]], list(range(1, 13)))
    checks.true("a run's members", all({"seed", "outcome", "detected_after_queries", "detected_after_s", "false_rollback", "guards",
                                        "extra_failures", "extra_usd", "alerts"} <= row.keys() for row in answer["runs"]), answer["runs"][0])
    checks.true("all are rolled back and found",
                all(row["outcome"] == "rolled_back" and not row["false_rollback"] and row["detected_after_queries"] > 0
                    and abs(row["detected_after_s"] - (row["ended_s"] - 60)) < 1e-6 for row in answer["runs"]), answer["runs"])
    delays = sorted(row["detected_after_queries"] for row in answer["runs"])
    summary = answer["summary"]
    checks.equal("the median is the runs'", summary["detected_after_queries"]["median"], delays[5])
    checks.equal("outcomes are counted", summary["outcomes"], {"rolled_back": 12})
    checks.equal("the rate", (summary["false_rollbacks"], summary["false_rollback_rate"]["estimate"]), (0, 0))
    checks.true("and its interval: 1 - .025^(1/12)", abs(summary["false_rollback_rate"]["upper"] - (1 - .025 ** (1 / 12))) < 1e-9, summary)
    checks.equal("checks", [(row["name"], row["ok"]) for row in answer["checks"]], [("outcome", True), ("detected_within_queries", True)])
    checks.equal("the same seeds give the same, with other threads", run(world, path, "--seeds", 12, "--jobs", 1, "--json")[1], out)
    later = json.loads(run(world, path, "--seeds", 2, "--seed", 7, "--json")[1])["runs"]
    checks.equal("--seed says where it begins", later, answer["runs"][6:8])
    status, out, _ = run(world, path, path, "--seeds", 1, "--json")
    checks.equal("several files are a list", (status, len(json.loads(out))), (0, 2))


def people(checks, world):
    path = written(world, "name: calm\nevents: [{what: outage, start: 10h}]\n" + GOOD)
    status, out, err = run(world, path, "--seeds", 3)
    checks.equal("exit", (status, err), (0, ""))
    for part in ["calm: 3 runs", "completed ", "false rollbacks", "seed 1, a column is", "traffic  |", "the first step begins"]:
        checks.true(f"says {part}", part in out, out)
    checks.true("ASCII only, and short lines", out.isascii() and max(map(len, out.splitlines())) < 160, out)
    checks.true("without the timeline", "traffic  |" not in run(world, path, "--seeds", 2, "--no-timeline")[1])
    failed = written(world, "expect: {outcome: rolled_back}\n" + GOOD)
    status, out, _ = run(world, failed, "--seeds", 2)
    checks.true("an expectation that is not met", status == 1 and "FAILED outcome" in out, out)
    status, out, _ = run(world, path, failed, "--seeds", 1, "--json")
    checks.equal("of several the worst counts", (status, [row["ok"] for row in json.loads(out)]), (1, [True, False]))


def own_rollout(checks, world):
    """A rollout's file is rehearsed as it is, with the rules of alerts of its canary's configuration."""
    (world.directory / "canary.yaml").write_text("alerts: {rules: {dear: {metric: cost_per_query, threshold: 0.001, severity: warning}}}\n")
    (world.directory / "rollout.yaml").write_text(f"name: r\ncanary: canary.yaml\n{STEPS}\n")
    path = world.directory / "own.yaml"
    path.write_text("rollout: rollout.yaml\nevents: [{what: drought, start: 100m}]\ntraffic: {per_second: 20}\n")
    status, out, err = run(world, path, "--seeds", 1, "--json")
    checks.equal("exit", (status, err), (0, ""))
    checks.true("its alerts are evaluated", isinstance(json.loads(out)["summary"]["alerts"], dict), out)
    (world.directory / "canary.yaml").write_text("timeout_secnds: 4\n")
    status, out, err = run(world, path)
    checks.true("its canary's mistakes are said", status == 2 and "canary.yaml:1:1: unknown key 'timeout_secnds'" in err and not out, err)
    (world.directory / "canary.yaml").write_text("timeout_seconds: 4\n")
    status, out, err = run(world, path)
    checks.true("a guard that can never trip", status == 2 and "guards.latency_p95" in err and "can never trip" in err, err)


def bad_files(checks, world):
    for text, place in [
        (f"rollout: {{name: r, {STEPS}, guards: {{sucess_rate: {{trip: 0.9}}}}}}\n", "guards.sucess_rate: no such metric; did you mean"),
        ("rollout:\n  name: r\n  steps: [{share: 110%, min: 1h}]\n", "3:19: steps[0].share must be a share of at most 100 %"),
        ("rollout:\n  name: r\n  steps: [{share: 10%}]\n", "3:11: steps[0].min is required"),
        ("rollout:\n  name: r\n  steps: [{share: 60%, min: 1h}, {share: 50%, min: 1h}]\n", "3:35: steps.1.share: each step must have a larger"),
        (f"rollout:\n  name: r\n  {STEPS}\n  holdback: 60%\n", "4:3: holdback: at most 50%"),
        (f"rollout:\n  name: r\n  {STEPS}\n  guards: {{error_rate: {{trip: 1}}}}\n", "4:25: guards.error_rate.trip: nothing lies beyond"),
        ("models: {canary: {timeout_ms: 3000}}\n" + GOOD, "guards.latency_p95.trip: no query reaches this limit"),
        ("events: [{what: meteor}]\n" + GOOD, "1:17: events[0].what must be one of"),
        ("events:\n  - {what: outage, size: 2}\n" + GOOD, "2:26: the size of outage must be in [0, 1]"),
        ("traffic: {domains: {stem: 0.5}}\n" + GOOD, "1:20: traffic.domains: the shares must add up to 1"),
        ("traffic: [}\n" + GOOD, "1:"),
        ("events: []\n", "rollout is required"),
    ]:
        path = written(world, text)
        status, out, err = run(world, path, "--json")
        checks.true(f"{place}", status == 2 and not out and f"{path}:" in err and place in err, f"exit {status}: {err}")
    for words, part in [([], "name a scenario"), (["nowhere.yaml"], "nowhere.yaml: cannot be read"), ([written(world, GOOD), "--seeds", 0], "--seeds"),
                        ([written(world, GOOD), "--jobs", "x"], "--jobs")]:
        status, out, err = run(world, *words)
        checks.true(f"{words}", status == 2 and part in err and not out, err)
    status, out, _ = run(world, "--help")
    checks.true("help has an example", status == 0 and "Example:" in out, out)


# ---- recorded models ----

def lines_written(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def recording(world, n=60):
    """Of an arithmetic that gpt-4o always gets right and gpt-4o-mini on two questions of three, in two domains."""
    folder = world.path("recording")
    (folder / "answers").mkdir(parents=True)
    lines_written(folder / "questions.jsonl", [
        {"id": f"s{i}", "domain": "stem.sums" if i % 2 else "tactical", "prompt": f"What is {i} + {i + 1}?", "answer": str(2 * i + 1)} for i in range(n)])
    for model, right in [("gpt-4o-2024-08-06", lambda i: True), ("gpt-4o-mini-2024-07-18", lambda i: i % 3 > 0)]:
        lines_written(folder / "answers" / f"{model}.jsonl", [
            {"id": f"s{i}", "output": f"```json\n{{\"answer\": \"{2 * i + 1 + (not right(i))}\"}}\n```", "prompt_tokens": 50, "completion_tokens": 200}
            for i in range(n)])
    return folder


def recorded(checks, world):
    folder, out = recording(world), world.directory / "evaluation"
    done = subprocess.run([world.weir, "eval", "--questions", folder / "questions.jsonl", "--models", "gpt-4o,gpt-4o-mini", "--strategies", "direct",
                           "--provider", f"recorded:{folder}", "--out", out], capture_output=True, text=True, check=False)
    checks.equal("the evaluation", done.returncode, 0)
    typed = "latency_ms: 800, hrm_confidence: 0.9, trm_confidence: 0.85"
    large, small = (f"{{recorded: {{from: evaluation, cell: {model}/direct}}, {typed}}}" for model in ["gpt-4o", "gpt-4o-mini"])

    def rehearsed(models, rest="", seeds=8):
        path = written(world, f"alerts_every: 0s\nmodels: {models}\n{rest}{GOOD}")
        status, text, err = run(world, path, "--seeds", seeds, "--json")
        checks.equal(f"{models[:30]}: exit", (status, err), (0, ""))
        return json.loads(text)

    answer = rehearsed(f"{{baseline: {large}, canary: {small}}}")
    checks.equal("whose answers", answer["recorded"], {"questions": 60, "baseline": "gpt-4o/direct", "canary": "gpt-4o-mini/direct"})
    checks.true("and how many conversations saw the canary", all(1 < row["units"]["canary"] <= row["canary_queries"] + 20 and row["units"]["holdback"] == 0
                                                                 for row in answer["runs"]), answer["runs"][0])
    checks.equal("a third of wrong answers is rolled back", answer["summary"]["outcomes"], {"rolled_back": 8})
    checks.equal("by the success", answer["summary"]["guards"], {"success_rate": 8})
    checks.true("a third of the canary's queries failed more",
                all(abs(row["extra_failures"] - row["canary_queries"] / 3) < 5 for row in answer["runs"]), answer["runs"][0])
    # 50 tokens of input and 200 of output: $2.50 and $10 a million of the one, $.15 and $.60 of the other.
    per_query = (50 * (0.15 - 2.5) + 200 * (0.6 - 10)) / 1e6
    checks.true("at the price table", all(row["canary_queries"] * per_query * 1.3 <= row["extra_usd"] <= row["canary_queries"] * per_query + 1e-9
                                          for row in answer["runs"]), answer["runs"][0])
    checks.equal("a seed is a run", rehearsed(f"{{baseline: {large}, canary: {small}}}")["runs"], answer["runs"])
    answer = rehearsed(f"{{baseline: {large}}}")
    checks.equal("the canary is as the baseline", (answer["recorded"]["canary"], answer["summary"]["outcomes"]), ("gpt-4o/direct", {"completed": 8}))
    answer = rehearsed(f"{{baseline: {large}}}", "events: [{what: quality_drop, start: 1m, size: 0.3, domain: stem}]\n")
    checks.equal("events act on them", answer["summary"]["outcomes"], {"rolled_back": 8})
    answer = rehearsed(f"{{baseline: {large}}}", "events: [{what: quality_drop, start: 1m, size: 0.3, domain: generic}]\n")
    checks.equal("in their domains", answer["summary"]["outcomes"], {"completed": 8})
    answer = rehearsed("{canary: {success: 0.98}}")
    checks.equal("nothing is recorded", answer["recorded"], None)
    status, text, _ = run(world, written(world, f"models: {{baseline: {large}}}\n{GOOD}"), "--seeds", 1, "--no-timeline")
    checks.true("people read whose answers", status == 0 and "recorded answers to 60 questions: baseline gpt-4o/direct, canary gpt-4o/direct" in text, text)

    simulated = world.directory / "simulated"
    subprocess.run([world.weir, "eval", "--questions", folder / "questions.jsonl", "--models", "gpt-4o", "--strategies", "direct", "--provider", "sim",
                    "--allow-simulated", "--out", simulated], capture_output=True, check=False)
    for models, place in [
        ("{canary: {recorded: {from: nowhere, cell: a/direct}}}", "1:19: recorded: "),
        ("{canary: {recorded: {from: evaluation, cell: gpt-4o/hrm}}}",
         "has no cell 'gpt-4o/hrm'; it has: gpt-4o/direct, gpt-4o-mini/direct"),
        ("{canary: {recorded: {from: evaluation, cell: gpt-4o/direct}}}", "1:19: recorded: not every answer of gpt-4o/direct has a latency; write "
         "models.canary.latency_ms"),
        ("{canary: {recorded: {from: evaluation}}}", "1:19: recorded needs both"),
        ("{canary: {recorded: {from: evaluation, cell: gpt-4o/direct}, success: 1}}", "1:79: success: a recorded model has it"),
        (f"{{canary: {{recorded: {{from: simulated, cell: gpt-4o/direct}}, {typed}}}}}", "1:19: recorded: the answers in "),
    ]:
        path = written(world, f"models: {models}\n" + GOOD)
        status, text, err = run(world, path, "--json")
        checks.true(f"{place}", status == 2 and not text and f"{path}:" in err and place in err, f"exit {status}: {err}")


def real_recording(checks, world):
    """The recorded answers of real models, where they are, under the rollout that is shipped for them: gpt-4o-mini does not get through."""
    source = pathlib.Path(os.environ.get("WEIR_RECORDED") or ROOT.parent / "shared/data/recorded")
    if not (source / "questions.jsonl").exists():
        print("skipped real_recording: no recorded answers", flush=True)
        return
    out = world.directory / "real"
    done = subprocess.run([world.weir, "eval", "--questions", source / "questions.jsonl", "--models", "gpt-4o,gpt-4o-mini", "--strategies", "direct",
                           "--provider", f"recorded:{source}", "--out", out], capture_output=True, text=True, check=False)
    checks.equal("the evaluation", done.returncode, 0)
    path = written(world, f"""
rollout: {ROOT / 'config/rollouts/gpt-4o-mini.yaml'}
traffic: {{per_second: 0.2}}
models:
  baseline: {{recorded: {{from: real, cell: gpt-4o/direct}}, latency_ms: 900, hrm_confidence: 0.87, trm_confidence: 0.83}}
  canary: {{recorded: {{from: real, cell: gpt-4o-mini/direct}}}}
""")
    status, text, err = run(world, path, "--seeds", 40, "--json")
    answer = json.loads(text)
    outcomes = answer["summary"]["outcomes"]
    checks.equal("real: exit", (status, err), (0, ""))
    checks.equal("real: questions", answer["recorded"]["questions"], 1482)
    checks.true("real: the old model is no better than the limit, so most runs pause", outcomes.keys() <= {"paused:common_cause", "paused:inconclusive", "rolled_back"}
                and outcomes["paused:common_cause"] > 20, outcomes)


def shipped(checks, world):
    files = sorted((ROOT / "config/scenarios").glob("*.yaml"))
    checks.true("at least ten scenarios are shipped", len(files) >= 10, len(files))
    seeds = world.arguments[0] if world.arguments else "4"
    status, out, err = run(world, *files, "--seeds", seeds, "--json")
    answer = json.loads(out)
    checks.equal("all meet their expectations", (status, err), (0, ""))
    for row in answer:
        checks.true(f"{row['scenario']} expects something, and gets it", row["checks"] and row["ok"], row["checks"])
        checks.equal(f"{row['scenario']}: named as its file", pathlib.Path(row["file"]).stem, row["scenario"])


def main(world, checks):
    for part in [results, people, own_rollout, bad_files, recorded, real_recording, shipped]:
        part(checks, world)


if __name__ == "__main__":
    harness.run(main)
