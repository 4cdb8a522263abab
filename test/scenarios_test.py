#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""config/questions/scenarios.jsonl: its form, and every key, recomputed: scenarios_test.py [WEIR]

Each scenario has a solver (scenarios_solvers.py) that gives right answers and tempting wrong ones; the scenario's check must
take every right one and no wrong one. What a check takes is said here a second time, in accepts(), independently of core/reason;
then `weir eval` judges the same answers. Last line: 'N passed, N failed'.
"""
import ast
import fractions
import itertools
import json
import operator
import pathlib
import re
import subprocess
import sys
import tempfile

from scenarios_solvers import SOLVERS, SPECIFIED

FILE = pathlib.Path(__file__).resolve().parent.parent / "config/questions/scenarios.jsonl"
DOCUMENT = FILE.parents[2] / "docs/questions.md"
COUNTS = {"tactical": 3, "cybersecurity": 3, "stem": 12, "generic": 5}
TEXTS = {"id", "domain", "theme", "prompt"}
SPECS = {"arithmetic": str, "regex": str, "game24": str, "number": dict, "schedule": dict, "rubric": dict}
WORDS = range(60, 251)


# ---- what a check takes ----

def number_of(text):
    """The number that the text begins with, and the unit behind it."""
    match = re.fullmatch(r"\$?(-?[\d,]*\.?\d+)\s*([a-z]*)", text.strip())
    return (fractions.Fraction(match[1].replace(",", "")), match[2]) if match else (None, None)


def canonical(text):
    try:
        return json.loads(text, parse_float=fractions.Fraction)
    except ValueError:
        number, unit = number_of(text)
        return number if number is not None and not unit else text.strip().rstrip(".").lower()


OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
             ast.USub: operator.neg}


def evaluate(expression, used=None):
    """Exact value of + - * / min and brackets; the numbers that occur go into used."""
    def value(node):
        if isinstance(node, ast.Constant):
            if used is not None:
                used.append(node.value)
            return fractions.Fraction(str(node.value))
        if isinstance(node, ast.UnaryOp):
            return OPERATORS[type(node.op)](value(node.operand))
        if isinstance(node, ast.Call) and node.func.id == "min":
            return min(map(value, node.args))
        return OPERATORS[type(node.op)](value(node.left), value(node.right))
    return value(ast.parse(expression, mode="eval").body)


def is_24(expression, numbers):
    used = []
    try:
        return re.fullmatch(r"[\d+\-*/() ]+", expression) and evaluate(expression, used) == 24 and sorted(used) == sorted(numbers)
    except (SyntaxError, ZeroDivisionError):
        return False


def is_schedule(text, jobs, makespan):
    """Each operation once, in order within its job, alone on its machine, none ending after the makespan."""
    try:
        starts = {(row["job"], row["operation"]): row["start"] for row in json.loads(text)}
        if len(json.loads(text)) != len(starts):
            return False
        busy = {}
        for j, job in enumerate(jobs, 1):
            ready = 0
            for o, (machine, duration) in enumerate(job, 1):
                start = starts.pop((j, o))
                if start < ready or start + duration > makespan:
                    return False
                ready = start + duration
                busy.setdefault(machine, []).append((start, ready))
        return not starts and all(a[1] <= b[0] for rows in busy.values() for a, b in itertools.pairwise(sorted(rows)))
    except (ValueError, KeyError, TypeError):
        return False


def has_points(text, rubric):
    text = text.lower()
    points = sum(any(phrase in text for phrase in point["any"]) for point in rubric["points"])
    return points >= rubric["need"] and not any(phrase in text for phrase in rubric["never"])


def accepts(scenario, answer):
    if "answer" in scenario:
        return canonical(answer) == canonical(scenario["answer"])
    kind, spec = scenario["verifier"]["kind"], scenario["verifier"]["spec"]
    number, unit = number_of(answer)
    if kind == "arithmetic":
        return number == evaluate(spec)
    if kind == "number":
        return number is not None and abs(float(number) - spec["value"]) <= spec["tolerance"] * (1 + 1e-9) \
            and unit in ("", spec.get("unit", ""))
    if kind == "regex":
        return re.fullmatch(spec, answer) is not None
    if kind == "game24":
        return bool(is_24(answer, [int(n) for n in spec.split()]))
    if kind == "schedule":
        return is_schedule(answer, spec["jobs"], spec["makespan"])
    return has_points(answer, spec)


# ---- the file ----

def refuse_twice(pairs):
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ValueError(f"a member occurs twice: {names}")
    return dict(pairs)


def form_faults(scenarios):
    document = DOCUMENT.read_text(encoding="utf-8")
    ids = [scenario.get("id") for scenario in scenarios]
    domains = [scenario.get("domain") for scenario in scenarios]
    yield len(set(ids)) == len(ids), "ids are unique"
    yield set(ids) == set(SOLVERS), f"each has a solver, each solver a scenario: {set(ids) ^ set(SOLVERS)}"
    yield {domain: domains.count(domain) for domain in set(domains)} == COUNTS, f"as many of each domain as wanted: {COUNTS}"
    for member in ("prompt", "theme"):
        yield len({scenario[member] for scenario in scenarios}) == len(ids), f"no {member} twice"
    for scenario in scenarios:
        name, verifier = scenario["id"], scenario.get("verifier")
        yield set(scenario) in (TEXTS | {"answer"}, TEXTS | {"verifier"}), f"{name}: every member, one way of checking"
        texts = [value for member, value in scenario.items() if member != "verifier"]
        yield all(isinstance(text, str) and text.strip() == text != "" for text in texts), f"{name}: members are text"
        yield len(scenario["prompt"].split()) in WORDS, f"{name}: {len(scenario['prompt'].split())} words"
        yield scenario["prompt"].splitlines()[-1].startswith("Final answer: "), f"{name}: says what form the answer has"
        row = f"| {name} | {scenario['domain']} | {scenario['theme']} | `{verifier['kind'] if verifier else 'answer'}`: "
        yield f"\n{row}" in document, f"{name}: no such row in {DOCUMENT.name}"
        if verifier:
            fits = set(verifier) == {"kind", "spec"} and isinstance(verifier["spec"], SPECS[verifier["kind"]])
            yield fits, f"{name}: {verifier}"


def solution_faults(scenario):
    name = scenario["id"]
    try:
        right, wrong = SOLVERS[name](scenario["prompt"])
    except Exception as error:  # whatever a changed prompt makes of it
        yield False, f"{name}: the solver does not understand the prompt: {error!r}"
        return
    yield len(right) > 0 and len(wrong) >= 2, f"{name}: has right and wrong answers"
    for answer in right:
        yield accepts(scenario, answer), f"{name}: refuses the right answer {answer!r}"
    if scenario.get("verifier", {}).get("kind") == "number":  # no wider than the digits that the prompt asks for
        number, digits = number_of(right[0])[0], len(right[0].split()[0].partition(".")[2])
        wrong = [*wrong, *(f"{float(number + fractions.Fraction(step, 10 ** digits)):.{digits}f}" for step in (-2, 2))]
    for answer in wrong:
        yield not accepts(scenario, answer), f"{name}: takes the wrong answer {answer!r}"
    if name in SPECIFIED:
        yield scenario["verifier"]["spec"] == SPECIFIED[name], f"{name}: the verifier and the prompt differ"


# ---- weir's own judgement ----

def recording(folder, scenarios, are_right):
    """What a model would have been recorded to say that gives all right answers, or all wrong ones: plain, and as JSON."""
    questions, answers = [], []
    for scenario in scenarios:
        for n, answer in enumerate(SOLVERS[scenario["id"]](scenario["prompt"])[0 if are_right else 1]):
            value = json.loads(answer) if answer[:1] in ("[", "{") else answer
            for form, output in (("plain", answer), ("json", json.dumps({"steps": "so", "answer": value}))):
                name = f"{scenario['id']}-{n}-{form}"
                questions.append({**scenario, "id": name, "prompt": f"{scenario['prompt']} ({n}, {form})"})
                answers.append({"id": name, "output": output, "final": answer, "correct": are_right, "prompt_tokens": 300,
                                "completion_tokens": 30})
    (folder / "answers").mkdir(parents=True)
    for path, rows in (("questions.jsonl", questions), ("answers/gpt-4o.jsonl", answers)):
        (folder / path).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return len(questions)


def judgements(weir, scenarios):
    for are_right in (True, False):
        with tempfile.TemporaryDirectory(prefix="weir-scenarios-") as directory:
            folder = pathlib.Path(directory, "recorded")
            count = recording(folder, scenarios, are_right)
            words = ["--questions", folder / "questions.jsonl", "--provider", f"recorded:{folder}", "--cells", "gpt-4o/direct",
                     "--allow-simulated", "--json"]
            done = subprocess.run([weir, "eval", *words], capture_output=True, text=True, check=False, cwd=directory,
                                  stdin=subprocess.DEVNULL)
            cells = json.loads(done.stdout)["cells"] if done.returncode in (0, 1) and done.stdout else []
            overall = [(cell["n"], cell["success"]) for cell in cells if cell["domain"] == "overall"]
            wanted = [(count, float(are_right))]
            yield overall == wanted, f"weir eval: got {overall}, want {wanted}: {done.stderr}"


def can_evaluate(weir):
    return subprocess.run([weir, "eval", "--help"], capture_output=True, check=False).returncode == 0


def main():
    text = FILE.read_text(encoding="utf-8")
    scenarios = [json.loads(line, object_pairs_hook=refuse_twice) for line in text.splitlines()]
    checks = [(text.endswith("\n") and "\n\n" not in text, "lines end with a newline, none is empty"), *form_faults(scenarios)]
    checks += [check for scenario in scenarios for check in solution_faults(scenario)]
    is_skipped = len(sys.argv) < 2 or not can_evaluate(sys.argv[1])
    if is_skipped:
        print("skipped: no weir that can evaluate was named")
    else:
        checks += judgements(pathlib.Path(sys.argv[1]).resolve(), scenarios)
    for passed, what in checks:
        if not passed:
            print(f"FAILED {what}", file=sys.stderr)
    failed = sum(not passed for passed, _ in checks)
    print(f"{len(checks) - failed} passed, {failed} failed{', 1 skipped' if is_skipped else ''}")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
