#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""weir eval with the real binary: bad input, resuming, budgets, refusals, providers that fail: evaluation.py WEIR

The recorded answers of real models are used where they are (WEIR_RECORDED, or ../shared/data/recorded beside the
project); a small recording that this test writes is used everywhere.
"""
import csv
import http.server
import io
import json
import os
import pathlib
import pty
import random
import select
import shutil
import signal
import subprocess
import threading
import time

import harness

RECORDED = pathlib.Path(os.environ.get("WEIR_RECORDED") or pathlib.Path(__file__).resolve().parents[3] / "shared/data/recorded")
RESULTS = ["result.json", "cells.csv", "comparisons.csv", "disputes.csv", "report.md", "frontier.svg"]
KEY_MARK = "7304211"  # stands in keys only


# ---- running it ----

def run(world, *words, env=None, directory=None):
    done = subprocess.run([world.weir, "eval", *map(str, words)], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          cwd=directory or world.directory, env={**os.environ, **(env or {})})
    return done.returncode, done.stdout, done.stderr


def evaluate(world, *words):
    """(status, JSON, messages)."""
    status, out, err = run(world, *words, "--json")
    return status, json.loads(out) if out else None, err


def cell_of(result, cell, domain="overall"):
    return next(row for row in result["cells"] if row["cell"] == cell and row["domain"] == domain)


def pair_of(result, a, b, domain="overall"):
    return next(row for row in result["comparisons"] if (row["a"], row["b"], row["domain"]) == (a, b, domain))


def write_lines(path, lines):
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


def sums(n, domain=lambda i: "odd" if i % 2 else "even"):
    return [{"id": f"s{i}", "domain": domain(i), "prompt": f"What is {i} + {i + 1}?", "answer": str(2 * i + 1)} for i in range(n)]


def results_of(folder):
    return {name: (folder / name).read_bytes() for name in RESULTS}


# ---- a provider that knows the sums ----

class Oracle(http.server.ThreadingHTTPServer):
    """answer(question, model, count) gives the text, or (status, body); count is of this request, from 1."""
    daemon_threads = True

    def __init__(self, answer):
        super().__init__(("127.0.0.1", 0), OracleHandler)
        self.answer, self.requests, self.lock = answer, [], threading.Lock()
        threading.Thread(target=self.serve_forever, daemon=True).start()
        self.port = self.server_address[1]

    def handle_error(self, *_):
        pass  # clients may leave


class OracleHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        text = self.rfile.read(int(self.headers["content-length"])).decode()
        request = json.loads(text)
        with self.server.lock:
            self.server.requests.append(text)
            count = len(self.server.requests)
        time.sleep(random.uniform(0.001, 0.004))
        answer = self.server.answer(request["messages"][-1]["content"], request["model"], count)
        status, body = answer if isinstance(answer, tuple) else (200, json.dumps(harness.completion(answer)))
        body = body.encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def sum_of(question):
    """What 'What is 3 + 4?' asks for."""
    words = question[question.rindex("What is "):].split("?")[0].split()
    return int(words[2]) + int(words[4])


def as_json(answer, confidence):
    return json.dumps({"steps": "s", "answer": str(answer), "confidence": confidence})


def knowing(question, model, count):
    """gpt-4o is always right, others on even sums' halves only; as sure as the number is small."""
    total = sum_of(question)
    right = model == "gpt-4o" or total % 4 == 1
    return as_json(total if right else total + 1, round(0.5 + (total % 40) / 100, 2))


def configuration(world, port, **extra):
    path = world.path("weir.yaml")
    path.write_text(harness.to_yaml({
        "model": "gpt-4o-mini", "model_provider": "test", "max_retries": 0,
        "providers": {"test": {"base_url": f"http://127.0.0.1:{port}/v1"}},
        "models": {"gpt-4o": {"provider": "test"}, "gpt-4o-mini": {"provider": "test"}, "nobody": {"provider": "test"}},
        "ledger": {"directory": str(world.path("ledger"))}, **extra}))
    return path


# ---- a small recording ----

def recording(world, n=24):
    """Model a is right on all, b on two of three, c on all and dear; all answer in JSON with a line around it."""
    folder = world.path("recorded")
    (folder / "answers").mkdir(parents=True)
    questions = sums(n)
    write_lines(folder / "questions.jsonl", questions)
    for model, right, tokens in [("gpt-4o-2024-08-06", lambda i: True, 400), ("gpt-4o-mini-2024-07-18", lambda i: i % 3 > 0, 300),
                                 ("gemini-1.5-flash", lambda i: i % 3 > 0 and i % 5 > 0, 200)]:
        write_lines(folder / "answers" / f"{model}.jsonl", [
            {"id": f"s{i}", "output": f"Well.\n```json\n{{\"reasoning\": \"r\", \"answer\": \"{2 * i + 1 + (not right(i))}\"}}\n```",
             "prompt_tokens": 50 + i, "completion_tokens": tokens + i, "correct": right(i)} for i in range(n)])
    return folder


# ---- tests ----

def usage(checks, world):
    good = write_lines(world.path("q.jsonl"), sums(3))
    grid = ["--questions", good, "--models", "a", "--strategies", "direct", "--provider", "sim"]
    for words, part in [
        ([], "--questions is needed"), (["x"], "takes options only"), (["--questions", good], "nothing to evaluate"),
        (["--questions", "nowhere.jsonl", "--cells", "a/direct"], "nowhere.jsonl: "),
        (["--questions", good, "--models", "a"], "belong together"),
        (["--questions", good, "--cells", "a/magic"], "there is no strategy 'magic'; there are: direct"),
        (["--questions", good, "--cells", "direct"], "MODEL/STRATEGY"),
        ([*grid, "--provider", "nonsense"], "configured, sim or recorded:DIR"),
        ([*grid, "--provider", "recorded:/nowhere"], "/nowhere"),
        ([*grid, "--margin", "0"], "--margin must be"), ([*grid, "--margin", "1"], "--margin must be"),
        ([*grid, "--budget-usd", "ten"], "--budget-usd must be"), ([*grid, "--runs", "0"], "--runs must be"),
        ([*grid, "--limit", "0"], "--limit must be"), ([*grid, "--parallel", "0"], "--parallel must be"),
        ([*grid, "--expect", "better"], "--expect must be"), ([*grid, "--expect", "superior"], "needs a --baseline"),
        ([*grid, "--baseline", "b/direct"], "none of the cells: a/direct"),
        ([*grid, "--budget-usd", "1", "--models", "nobody-knows-it"], "has no price"),
        (["--questions", good, "--cells", "unheard-of/direct"], "no model 'unheard-of' is configured; there are:"),
    ]:
        status, out, err = run(world, *words)
        checks.equal(f"eval {' '.join(map(str, words))}: exit", status, 2)
        checks.true(f"eval {' '.join(map(str, words))}: says", part in err and out == "", err)


def bad_questions(checks, world):
    good = '{"id":"a","prompt":"p","answer":"1"}'
    oracle = Oracle(knowing)
    config = configuration(world, oracle.port)
    for name, lines, wants in [
        ("empty", [], [":1: there is no question"]),
        ("bad JSON and a missing prompt", [good, "{oops", '{"id":"b","answer":"1"}'],
         [":2: not valid JSON", ':3: there is no "prompt"']),
        ("missing id and answer", ['{"prompt":"p"}'], [':1: there is no "id"', ':1: there is no "answer", "verifier" or "rubric"']),
        ("twice", [good, "", good], [':3: the id "a" stands in line 1 already']),
        ("bad verifier", ['{"id":"a","prompt":"p","verifier":{"kind":"regex","spec":"("}}'], [':1: "verifier": ']),
        ("no object", ["[]"], [":1: a question must be a JSON object"]),
    ]:
        path, out = write_lines(world.path("bad.jsonl"), lines), world.path("out")
        status, stdout, err = run(world, "--questions", path, "--cells", "gpt-4o/direct", "--config", config, "--out", out)
        checks.equal(f"{name}: exit", status, 2)
        checks.true(f"{name}: all of it, by line", all(f"{path}{want}" in err for want in wants), err)
        checks.equal(f"{name}: a line each", len(err.splitlines()), len(wants))
        checks.true(f"{name}: nothing is left behind", stdout == "" and not out.exists())
    checks.equal("nobody was asked", oracle.requests, [])


def recorded(checks, world):
    folder = recording(world)
    words = ["--questions", folder / "questions.jsonl", "--provider", f"recorded:{folder}"]
    status, result, err = evaluate(world, *words, "--models", "gpt-4o,gpt-4o-mini", "--strategies", "direct")
    checks.equal("recorded: exit", status, 0)
    checks.true("nothing is spent", "nothing is spent" in err, err)
    small, large = cell_of(result, "gpt-4o-mini/direct"), cell_of(result, "gpt-4o/direct")
    checks.equal("n and success", [small["n"], small["right"], small["success"], large["success"]], [24, 16, round(16 / 24, 12), 1])
    checks.equal("latency is not recorded", [small["latency_ms"], large["latency_ms"]], [None, None])
    checks.equal("confidence is not recorded", small["confidence"], None)
    checks.true("the interval holds it", small["success_ci"][0] < small["success"] < small["success_ci"][1])
    tokens = sum(50 + i for i in range(24)), sum(300 + i for i in range(24))
    checks.equal("cost at the price table", small["cost_nano_usd"], tokens[0] * 150 + tokens[1] * 600)
    checks.equal("labels", small["labels"], {"n": 24, "right": 16, "disputed": 0})
    checks.equal("domains", sorted({row["domain"] for row in result["cells"]}), ["even", "odd", "overall"])
    checks.equal("domains add up", sum(cell_of(result, "gpt-4o-mini/direct", d)["right"] for d in ["even", "odd"]), 16)
    pair = pair_of(result, "gpt-4o/direct", "gpt-4o-mini/direct")
    checks.equal("pair", [pair["n"], round(pair["diff"], 6), pair["verdict"], pair["mcnemar_p"]], [24, -0.333333, "inferior", 2 * 0.5 ** 8])
    checks.equal("members of a pair", sorted(pair), sorted(["a", "b", "domain", "n", "diff", "lower", "upper", "lower_one_sided",
                 "upper_one_sided", "verdict", "mcnemar_p", "p", "p_holm", "resolvable", "cost_change"]))
    checks.equal("frontier", [point["optimal"] for point in result["frontier"]], [True, True])
    checks.equal("refused, partial, simulated", [result["refused"], result["partial"], result["simulated"]], [[], False, False])
    status, out, _ = run(world, *words, "--models", "gpt-4o,gpt-4o-mini", "--strategies", "direct")
    checks.true("people read that latency was not recorded", "not recorded" in out and "\x1b[" not in out, out)
    for extra, want in [([], 0), (["--baseline", "gpt-4o-mini/direct", "--expect", "superior"], 0),
                        (["--baseline", "gpt-4o/direct", "--expect", "non_inferior"], 1), (["--baseline", "gpt-4o/direct"], 0)]:
        status, _, _ = run(world, *words, "--models", "gpt-4o,gpt-4o-mini", "--strategies", "direct", *extra)
        checks.equal(f"exit with {extra}", status, want)
    cascade = ["--cells", "gpt-4o-mini/cascade", "--peer", "gemini-1.5-flash", "--strong", "gpt-4o", "--out", world.path("out")]
    status, result, _ = evaluate(world, *words, *cascade)
    row, asked = cell_of(result, "gpt-4o-mini/cascade"), [5, 10, 20]  # where the two cheap ones differ
    checks.equal("cascade: right where the cheap ones agree on it, or the strong one was asked", [status, row["right"]], [0, 16])
    checks.equal("cascade: costs the two, and the strong one where they differ", row["cost_nano_usd"],
                 small["cost_nano_usd"] + sum((50 + i) * 75 + (200 + i) * 300 for i in range(24))
                 + sum((50 + i) * 2500 + (400 + i) * 10000 for i in asked))
    lines = [json.loads(line) for line in (cascade[-1] / "runs.jsonl").read_text().splitlines()]
    checks.equal("cascade: calls", sorted(int(line["id"][1:]) for line in lines if line["calls"] == 3), asked)
    checks.equal("cascade: labels of the chosen answers", row["labels"], {"n": 24, "right": 16, "disputed": 0})
    checks.true("cascade: agreement gives a confidence, raw", row["confidence"]["n"] == 24 and not row["confidence"]["calibrated"])
    other = write_lines(world.path("q.jsonl"), [{"id": "s1", "prompt": "Something else?", "answer": "1"}, {"id": "z", "prompt": "p", "answer": "1"}])
    changed = write_lines(world.path("q.jsonl"), [{"id": "s1", "prompt": "Something else?", "answer": "1"}])
    for extra, part in [
        (["--cells", "gpt-4o/direct", "--questions", changed], "the question s1 was recorded with another prompt"),
        (["--cells", "gpt-4o/hrm_trm"], "recorded answers hold direct answers only: strategies direct and cascade"),
        (["--cells", "gpt-4o/self_consistency"], "direct answers only"), (["--cells", "gpt-5/direct"], "no answers of 'gpt-5' are recorded"),
        (["--cells", "gpt-4o/cascade"], "needs --peer and --strong"), (["--cells", "gpt-4o/direct", "--runs", "2"], "--runs 1"),
        (["--cells", "gpt-4o/direct", "--questions", other], "the question s1 was recorded with another prompt"),
        (["--cells", "gpt-4o/direct", "--questions", other], "the question z is not recorded"),
    ]:
        status, _, err = run(world, *words, *extra)
        checks.true(f"recorded, {extra}: refused up front", status == 2 and part in err, err)


def resumes(checks, world):
    folder = recording(world)
    words = ["--questions", folder / "questions.jsonl", "--provider", f"recorded:{folder}", "--cells",
             "gpt-4o/direct,gpt-4o-mini/direct,gemini-1.5-flash/direct", "--limit", "20"]
    whole, cut = world.path("whole"), world.path("cut")
    checks.equal("whole: exit", run(world, *words, "--out", whole)[0], 0)
    lines = (whole / "runs.jsonl").read_bytes().splitlines(keepends=True)
    checks.equal("a line a run", len(lines), 60)
    checks.equal("the questions used", len((whole / "questions.jsonl").read_text().splitlines()), 20)
    for keep, torn in [(0, 0), (1, 40), (31, 1), (59, 200), (60, 0)]:
        shutil.rmtree(cut, ignore_errors=True)
        cut.mkdir()
        for name in ["plan.json", "questions.jsonl"]:
            shutil.copy(whole / name, cut / name)
        (cut / "runs.jsonl").write_bytes(b"".join(lines[:keep]) + (lines[keep][:torn] if keep < 60 else b""))
        status, _, err = run(world, *words, "--out", cut)
        checks.equal(f"resumed after {keep}: exit", status, 0)
        checks.true(f"resumed after {keep}: says what is left", f"{60 - keep} runs" in err, err)
        checks.equal(f"resumed after {keep}: the same bytes", results_of(cut), results_of(whole))
        checks.equal(f"resumed after {keep}: no run twice", len((cut / "runs.jsonl").read_bytes().splitlines()), 60)
    for extra, part in [(["--seed", "2"], "seed"), (["--limit", "19"], "questions"), (["--cells", "gpt-4o/direct"], "cells")]:
        status, _, err = run(world, *words, *extra, "--out", whole)
        checks.true(f"{part}: another evaluation", status == 2 and "holds another evaluation" in err and part in err, err)
    (cut / "runs.jsonl").write_bytes(lines[0] + b"{}\n" + lines[1])
    status, _, err = run(world, *words, "--out", cut)
    checks.true("a broken line is named", status == 2 and "runs.jsonl:2: not a run of this evaluation" in err, err)


def budgets(checks, world):
    folder = recording(world)
    words = ["--questions", folder / "questions.jsonl", "--provider", f"recorded:{folder}", "--cells",
             "gpt-4o/direct,gpt-4o-mini/direct"]
    whole, part = world.path("whole"), world.path("part")
    _, full, _ = evaluate(world, *words, "--out", whole)
    total = sum(cell_of(full, cell)["cost_nano_usd"] for cell in ["gpt-4o/direct", "gpt-4o-mini/direct"])
    for share in [0, 0.01, 0.4, 0.99]:
        status, result, _ = evaluate(world, *words, "--budget-usd", f"{total * share / 1e9:.9f}")
        rows = [cell_of(result, cell) for cell in ["gpt-4o/direct", "gpt-4o-mini/direct"]]
        spent = sum(row["cost_nano_usd"] for row in rows)
        checks.true(f"{share} of the cost: within the budget", status == 0 and spent <= total * share, (status, spent, total * share))
        checks.true(f"{share}: labelled partial, what is missing said", result["partial"] and all(
            row["missing"] == 24 - row["n"] for row in rows) and sum(row["missing"] for row in rows) > 0, rows)
        checks.equal(f"{share}: pairs on common questions", pair_of(result, "gpt-4o/direct", "gpt-4o-mini/direct")["n"],
                     min(row["n"] for row in rows))
        checks.true(f"{share}: cells are level", abs(rows[0]["n"] - rows[1]["n"]) <= 1, rows)
    status, out, _ = run(world, *words, "--out", part, "--budget-usd", f"{total * 0.4 / 1e9:.9f}")
    checks.true("people see PARTIAL", status == 0 and "PARTIAL" in out and "missing" in out, out)
    checks.equal("a larger budget goes on", run(world, *words, "--out", part, "--budget-usd", "5")[0], 0)
    checks.equal("and ends at the same bytes", results_of(part), results_of(whole))


def live(checks, world):
    """Through the engine: keys stay with the judge, money is in the ledger, two kinds of cells."""
    oracle = Oracle(knowing)
    config, out = configuration(world, oracle.port), world.path("out")
    questions = [*sums(23), {"id": "k", "domain": "odd", "prompt": "What is 3 + 4?", "answer": KEY_MARK},
                 {"id": "e", "domain": "odd", "prompt": "What is 5 + 4?", "verifier": {"kind": "exact", "spec": KEY_MARK}},
                 {"id": "r", "domain": "even", "prompt": "What is 1 + 2?", "verifier": {"kind": "regex", "spec": "3(\\.0)?"}}]
    path = write_lines(world.path("q.jsonl"), questions)
    words = ["--questions", path, "--models", "gpt-4o,gpt-4o-mini", "--strategies", "direct,trm", "--config", config, "--out", out,
             "--parallel", "5", "--yes"]
    status, result, err = evaluate(world, *words)
    checks.equal("live: exit", status, 0)
    checks.true("a forecast comes first", "forecast $0." in err and "at most" in err, err)
    rows = {name: cell_of(result, name) for name in ["gpt-4o/direct", "gpt-4o/trm", "gpt-4o-mini/direct", "gpt-4o-mini/trm"]}
    checks.equal("gpt-4o is right on all but the keys nobody can know", rows["gpt-4o/direct"]["right"], 24)
    checks.true("latency is measured", all(row["latency_ms"]["p50"] > 0 and row["latency_ms"]["n"] == 26 for row in rows.values()), rows)
    checks.true("confidence is measured, raw", all(0 < row["confidence"]["mean"] < 1 and not row["confidence"]["calibrated"]
                                                   for row in rows.values()), rows)
    checks.true("no key was ever sent", not any(KEY_MARK in text for text in oracle.requests))
    checks.true("a condition that is no key was", any("3(\\\\\\\\.0)?" in text or "3(\\\\.0)?" in text for text in oracle.requests))
    verify = subprocess.run([world.weir, "ledger", "verify", "--json", "--ledger", out / "ledger", "--config", config],
                            capture_output=True, text=True)
    ledger = json.loads(verify.stdout)
    checks.equal("the ledger agrees", [ledger["rows"], ledger["mismatches"], ledger["sum_nano_usd"]],
                 [104, 0, sum(row["cost_nano_usd"] for row in rows.values())])
    calls = {(line["id"], line["model"]): line["calls"] for line in map(json.loads, (out / "runs.jsonl").read_text().splitlines())
             if line["strategy"] == "trm"}
    checks.true("a verifier that holds the key is no feedback", all(calls["e", model] == calls["k", model] for model in ["gpt-4o", "gpt-4o-mini"]),
                calls)
    asked = len(oracle.requests)
    _, again, err = evaluate(world, *words)
    checks.true("a second start asks nobody", len(oracle.requests) == asked and "0 runs (104 of 104 are done already)" in err, err)
    checks.equal("and shows the same", again, result)


def cascades(checks, world):
    """A configured cascade: three models, the strong one only where the cheap ones differ."""
    def answer(question, model, count):
        total = sum_of(question)
        i = (total - 1) // 2
        wrong = {"gpt-4o-mini": i % 2, "nobody": 2 * (i % 3 > 0), "gpt-4o": 0}[model]
        return as_json(total + wrong, 0.6 + (i % 7) / 20)
    oracle = Oracle(answer)
    path = write_lines(world.path("q.jsonl"), sums(24))
    words = ["--questions", path, "--cells", "gpt-4o-mini/cascade,gpt-4o-mini/direct", "--config", configuration(world, oracle.port)]
    status, result, _ = evaluate(world, *words, "--peer", "nobody", "--strong", "gpt-4o")
    asked = [json.loads(text)["model"] for text in oracle.requests]
    checks.equal("configured cascade", [status, cell_of(result, "gpt-4o-mini/cascade")["right"], asked.count("gpt-4o")], [0, 24, 20])
    checks.equal("direct beside it", [cell_of(result, "gpt-4o-mini/direct")["right"], asked.count("nobody")], [12, 24])
    checks.equal("what has no price is unpriced, not free", cell_of(result, "gpt-4o-mini/cascade")["cost_nano_usd"], None)


def interrupts(checks, world):
    def slow(question, model, count):
        time.sleep(0.05)
        return knowing(question, model, count)
    oracle = Oracle(slow)
    config, out = configuration(world, oracle.port), world.path("out")
    path = write_lines(world.path("q.jsonl"), sums(40))
    words = [world.weir, "eval", "--questions", path, "--cells", "gpt-4o/direct", "--config", config, "--out", out, "--parallel", "2"]
    child = subprocess.Popen(list(map(str, words)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    harness.wait_until(lambda: len(oracle.requests) >= 8)
    child.send_signal(signal.SIGINT)
    stdout, stderr = child.communicate(timeout=60)
    checks.true("interrupted: exit 1 and how to go on", child.returncode == 1 and "the same command resumes it" in stderr
                and stdout == "", (child.returncode, stderr))
    kept = len((out / "runs.jsonl").read_text().splitlines())
    checks.equal("what was under way was waited for and kept", kept, len(oracle.requests))
    checks.true("and the rest was not begun", 8 <= kept < 40, kept)
    status, result, _ = evaluate(world, *map(str, words[2:]))
    checks.equal("resumed: all of it, each once", [status, cell_of(result, "gpt-4o/direct")["n"], len(oracle.requests)], [0, 40, 40])


def cuts(checks, world):
    """A second SIGINT does not wait: what was under way is not kept, and is run again."""
    release, begun = threading.Event(), threading.Event()

    def hanging(question, model, count):
        if count > 2:  # two at once: the fourth begins when the second has ended
            if count == 4:
                begun.set()
            release.wait(60)
        return knowing(question, model, count)
    oracle = Oracle(hanging)
    out, path = world.path("out"), write_lines(world.path("q.jsonl"), sums(12))
    words = [world.weir, "eval", "--questions", path, "--cells", "gpt-4o/direct", "--config", configuration(world, oracle.port), "--out", out,
             "--parallel", "2"]
    child = subprocess.Popen(list(map(str, words)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    begun.wait(harness.PATIENCE)
    child.send_signal(signal.SIGINT)
    seen = ""
    while "once more" not in seen and child.poll() is None:
        seen += child.stderr.readline()
    child.send_signal(signal.SIGINT)
    stderr = child.communicate(timeout=60)[1]
    checks.true("cut: exit 1, while the provider still hangs", child.returncode == 1 and not release.is_set() and "resumes" in stderr, stderr)
    checks.equal("cut: only what ended is kept", len((out / "runs.jsonl").read_text().splitlines()), 2)
    release.set()
    status, result, _ = evaluate(world, *map(str, words[2:]))
    row = cell_of(result, "gpt-4o/direct")
    checks.equal("resumed: all of it", [status, row["n"], row["faulted"]], [0, 12, 0])
    verify = subprocess.run([world.weir, "ledger", "verify", "--json", "--ledger", out / "ledger"], capture_output=True, text=True, cwd=world.directory)
    checks.equal("what was cut is in the ledger", [json.loads(verify.stdout)["rows"] >= 13, json.loads(verify.stdout)["mismatches"]], [True, 0])


def failing_provider(checks, world):
    """A provider that dies half-way: faults are counted apart, and tried again when it is back."""
    lines = [{"body": harness.completion(as_json(i, 0.5 + i / 100)), "delay_ms": 20} for i in range(30)]
    upstream = world.script(lines)
    out, path = world.path("out"), write_lines(world.path("q.jsonl"), sums(40))
    config = configuration(world, upstream.port)
    words = ["--questions", path, "--cells", "gpt-4o/direct", "--config", config, "--out", out, "--parallel", "1"]
    runs = out / "runs.jsonl"
    killer = threading.Thread(target=lambda: (harness.wait_until(lambda: runs.exists() and runs.read_text().count("\n") >= 10),
                                              upstream.process.kill()))
    killer.start()
    status, result, err = evaluate(world, *words)
    killer.join()
    row = cell_of(result, "gpt-4o/direct")
    checks.equal("half-way: exit", status, 0)
    checks.true("faults are counted apart and are no successes", 20 <= row["faulted"] <= 30 and row["n"] == 40
                and sum(row["faults"].values()) == row["faulted"] and row["right"] <= 40 - row["faulted"], row)
    checks.true("and named", set(row["faults"]) <= {"PROVIDER_UNREACHABLE", "PROVIDER_CUT"}, row["faults"])
    answered = row["n"] - row["faulted"]
    oracle = Oracle(knowing)
    config.write_text(config.read_text().replace(f":{upstream.port}/", f":{oracle.port}/"))
    status, _, err = run(world, *words)
    checks.true("another address is another configuration", status == 2 and "config_hash" in err, err)
    config.write_text(config.read_text().replace(f":{oracle.port}/", f":{upstream.port}/"))
    again = world.start(["upstream", "--mode", f"script:{write_lines(world.path('s.jsonl'), lines)}", "--listen",
                         f"127.0.0.1:{upstream.port}"], world.path("upstream.log"))
    again.wait_for(f"http://127.0.0.1:{upstream.port}/v1/models")
    status, result, err = evaluate(world, *words)
    row = cell_of(result, "gpt-4o/direct")
    checks.true("resumed: what failed is tried again, nothing else", status == 0 and f"{40 - answered} runs" in err
                and row["faulted"] == 0 and row["n"] == 40, (err, row))
    nobody = configuration(world, harness.free_port())
    status, result, _ = evaluate(world, "--questions", path, "--cells", "gpt-4o/direct", "--config", nobody, "--limit", "5")
    checks.equal("nobody there at all: exit", [status, cell_of(result, "gpt-4o/direct")["faulted"]], [3, 5])


def nonsense(checks, world):
    path = write_lines(world.path("q.jsonl"), sums(30))
    words = ["--questions", path, "--cells", "gpt-4o/direct"]
    rng = random.Random(5)
    oracle = Oracle(lambda *_: "".join(chr(rng.randrange(32, 1000)) for _ in range(rng.randrange(1, 300))))
    status, result, _ = evaluate(world, *words, "--config", configuration(world, oracle.port))
    row = cell_of(result, "gpt-4o/direct")
    checks.true("nonsense is wrong, and no crash", status == 0 and row["right"] == 0 and row["n"] == 30, (status, row))
    oracle, out = Oracle(lambda *_: (200, '{"choices":')), world.path("out")
    config = configuration(world, oracle.port)
    status, result, _ = evaluate(world, *words, "--config", config, "--out", out)
    checks.equal("answers that are no answers are faults", [status, cell_of(result, "gpt-4o/direct")["faults"]],
                 [3, {"PROVIDER_GARBAGE": 30}])
    asked = len(oracle.requests)
    evaluate(world, *words, "--config", config, "--out", out)
    checks.equal("and stay: a model gets no second chance", len(oracle.requests), asked)
    oracle = Oracle(lambda *_: as_json(4, 0.9))
    status, result, err = evaluate(world, *words, "--config", configuration(world, oracle.port))
    checks.equal("one answer to everything, always as sure: exit", status, 1)
    checks.true("refused, with reasons", len(result["refused"]) == 2 and "every answer is the same" in result["refused"][0]
                and "the confidence of all 30 answers is 0.9" in result["refused"][1] and result["cells"] == []
                and result["refused"][0] in err, result)
    status, result, _ = evaluate(world, *words, "--config", configuration(world, oracle.port), "--allow-simulated")
    checks.true("allowed: labelled", status == 0 and len(result["warnings"]) == 2 and result["refused"] == []
                and result["cells"] != [], result["warnings"])


def simulated(checks, world):
    path, out, again = write_lines(world.path("q.jsonl"), sums(25)), world.path("out"), world.path("again")
    words = ["--questions", path, "--models", "gpt-4o,gpt-4o-mini", "--strategies", "direct,hrm_trm", "--provider", "sim", "--runs", "2"]
    status, result, err = evaluate(world, *words)
    checks.true("sim is refused", status == 1 and "simulated" in result["refused"][0] and result["cells"] == [], result)
    status, stdout, _ = run(world, *words, "--allow-simulated", "--out", out)
    checks.true("allowed: SIMULATED everywhere", status == 0 and "SIMULATED" in stdout and "SIMULATED" in (out / "report.md").read_text()
                and "SIMULATED" in (out / "frontier.svg").read_text() and json.loads((out / "result.json").read_text())["simulated"])
    checks.true("and in every line", all(json.loads(line)["simulated"] for line in (out / "runs.jsonl").read_text().splitlines()))
    checks.true("and in every row", all(row["simulated"] == "1" for row in csv.DictReader((out / "cells.csv").open())))
    run(world, *words, "--allow-simulated", "--out", again)
    checks.equal("the same seed, the same bytes, latency included", results_of(again), results_of(out))
    cells = "a/direct,a/hrm,a/trm,a/hrm_trm,a/self_consistency,a/cascade,a/mcts:12,a/full_stack:12"
    status, result, _ = evaluate(world, "--questions", path, "--provider", "sim", "--allow-simulated", "--cells", cells, "--peer", "b",
                                 "--strong", "gpt-4o")
    checks.true("every strategy runs", status == 0 and all(cell_of(result, cell)["n"] == 25 for cell in cells.split(",")), result)
    upstream = world.upstream("sim", "--time-scale", "0")
    status, result, _ = evaluate(world, "--questions", path, "--cells", "gpt-4o/direct", "--config", configuration(world, upstream.port))
    checks.true("a provider that says it is simulated is refused, too", status == 1 and "simulated" in result["refused"][0], result)
    marked = configuration(world, upstream.port, providers={"test": {"base_url": f"http://127.0.0.1:{upstream.port}/v1", "simulated": True}})
    before = upstream.counts()["requests"]
    status, result, _ = evaluate(world, "--questions", path, "--cells", "gpt-4o/direct", "--config", marked)
    checks.true("one that is configured so is not even asked", status == 1 and upstream.counts()["requests"] == before, result)


def spreadsheets(checks, world):
    path, out = world.path("q.jsonl"), world.path("out")
    write_lines(path, sums(6, lambda i: "=cmd|' /C calc'!A1" if i % 2 else "a\"b,c"))
    run(world, "--questions", path, "--cells", "@SUM(A1)/direct,-x/direct", "--provider", "sim", "--allow-simulated", "--out", out)
    for name in ["cells.csv", "comparisons.csv"]:
        text = (out / name).read_bytes().decode()
        fields = [field for row in csv.reader(io.StringIO(text)) for field in row]
        checks.true(f"{name}: no field is a formula", not any(field[:1] in "=+-@\t\r" and field and not is_number(field) for field in fields), text)
        checks.true(f"{name}: nothing is lost", "'=cmd|' /C calc'!A1" in fields and "a\"b,c" in fields, text)


def is_number(text):
    try:
        return float(text) is not None
    except ValueError:
        return False


def terminals(checks, world):
    """On a terminal it asks before it spends, and shows a bar."""
    oracle = Oracle(knowing)
    path = write_lines(world.path("q.jsonl"), sums(12))
    words = list(map(str, [world.weir, "eval", "--questions", path, "--cells", "gpt-4o/direct", "--config", configuration(world, oracle.port)]))
    for answer, asked in [("n\n", 0), ("y\n", 12)]:
        status, text = on_terminal(words, answer)
        checks.true(f"asked, answered {answer!r}", "Go on? [y/N]" in text and len(oracle.requests) == asked, text)
        checks.equal(f"exit after {answer!r}", status, 1 if asked == 0 else 0)
        checks.true("a bar, a rate, the cost", asked == 0 or ("[####" in text and "a second" in text and "$0.0" in text), text)
        checks.true("colour on a terminal", asked == 0 or "\x1b[1m" in text, text)
    status, text = on_terminal(words, "", {"NO_COLOR": "1"}, "--yes")
    checks.true("--yes does not ask; NO_COLOR has none", status == 0 and "Go on?" not in text and "\x1b[1m" not in text, text)


def on_terminal(words, answer, env=None, *extra):
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(words[0], [*words, *extra], {**os.environ, **(env or {})})
    text, until = "", time.monotonic() + harness.PATIENCE
    while time.monotonic() < until:
        if select.select([fd], [], [], 0.1)[0]:
            try:
                data = os.read(fd, 65536)
            except OSError:
                break
            if not data:
                break
            text += data.decode(errors="replace")
            if answer and "[y/N]" in text:
                os.write(fd, answer.encode())
                answer = ""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), text


def real_recording(checks, world):
    """The recorded answers of real models, where they are."""
    if not (RECORDED / "questions.jsonl").exists():
        print("skipped real_recording: no recorded answers", flush=True)
        return
    out = world.path("out")
    status, result, _ = evaluate(world, "--questions", RECORDED / "questions.jsonl", "--provider", f"recorded:{RECORDED}", "--models",
                                 "gpt-4o-2024-08-06,gpt-4o-mini-2024-07-18", "--strategies", "direct", "--out", out)
    large, small = (cell_of(result, f"{model}/direct") for model in ["gpt-4o-2024-08-06", "gpt-4o-mini-2024-07-18"])
    checks.equal("real: exit", status, 0)
    checks.equal("the recording's labels", [large["labels"]["right"], small["labels"]["right"]], [1241, 1186])
    # Ours differ where a label is wrong: spaces in code literals that were ignored, escapes that were not read, a first number that
    # was taken for the answer; and where an empty text is the answer, which is no answer to a strategy.
    checks.equal("this judge", [large["right"], large["labels"]["disputed"], small["right"], small["labels"]["disputed"]], [1243, 6, 1177, 13])
    checks.equal("disputes are listed", len((out / "disputes.csv").read_text().splitlines()) - 1, 19)
    checks.true("all-mini costs about 6 % of all-4o", abs(small["cost_nano_usd"] / large["cost_nano_usd"] - 0.0626) < 0.001)
    checks.equal("verdict", pair_of(result, "gpt-4o-2024-08-06/direct", "gpt-4o-mini-2024-07-18/direct")["verdict"], "inferior")
    status, result, _ = evaluate(world, "--questions", RECORDED / "questions.jsonl", "--provider", f"recorded:{RECORDED}", "--cells",
                                 "gpt-4o-2024-08-06/direct,gpt-4o-mini-2024-07-18/cascade", "--peer", "gemini-1.5-flash", "--strong",
                                 "gpt-4o-2024-08-06", "--margin", "0.01", "--baseline", "gpt-4o-2024-08-06/direct", "--expect", "non_inferior")
    pair = pair_of(result, "gpt-4o-2024-08-06/direct", "gpt-4o-mini-2024-07-18/cascade")
    checks.equal("the cascade", [status, cell_of(result, "gpt-4o-mini-2024-07-18/cascade")["right"], pair["verdict"]], [0, 1252, "non_inferior"])
    checks.true("at under two thirds of the cost", -0.43 < pair["cost_change"]["lower"] < pair["cost_change"]["upper"] < -0.34, pair)


def main(world, checks):
    for test in [usage, bad_questions, recorded, resumes, budgets, live, cascades, interrupts, cuts, failing_provider, nonsense, simulated, spreadsheets,
                 terminals, real_recording]:
        test(checks, world)


if __name__ == "__main__":
    harness.run(main)
