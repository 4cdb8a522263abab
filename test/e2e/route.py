#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Scoring and training: `weir score` against the seed's rules in Python, `weir train` on made-up and on recorded answers: route.py WEIR"""
import json
import os
import pathlib
import random
import subprocess

import harness

RECORDED = pathlib.Path(os.environ.get("WEIR_RECORDED") or pathlib.Path(__file__).resolve().parents[3] / "shared/data/recorded")


def run(world, *words, given=""):
    done = subprocess.run([world.weir, *map(str, words)], input=given.encode(errors="surrogateescape"), capture_output=True,
                          cwd=world.directory)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


# ---- the seed's rules, stated once more ----

KEYWORDS = {
    "multi_step": ("then", "after", "sequence", "next", "following"),
    "constraints": ("must", "should", "require", "need", "cannot"),
    "ambiguity": ("maybe", "possibly", "unclear", "uncertain", "ambiguous"),
    "optimisation": ("optimize", "minimize", "maximize"),
}
ALL = [keyword for keywords in KEYWORDS.values() for keyword in keywords]


def seed_score(query, domain):
    """The seed's arithmetic, in its own floats, and each part."""
    text = query.lower()
    found = {rule: sum(keyword in text for keyword in keywords) for rule, keywords in KEYWORDS.items()}
    parts = {
        "multi_step": 0.25 if found["multi_step"] else 0.0,
        "constraints": min(found["constraints"] * 0.05, 0.20),
        "ambiguity": 0.15 if found["ambiguity"] else 0.0,
        "questions": min(query.count("?") * 0.10, 0.20),
        "optimisation": 0.20 if domain == "stem" and found["optimisation"] else 0.0,
    }
    score = 0.0
    for part in parts.values():
        score += part
    return min(score, 1.0), parts


ALPHABET = "abehkimnoqrstuxyzABEIKNTU ??..,-_'\"0é" + "\u0130\u0131\u212a\u017f\u03a3\u03c2\u1e9e\uff1f\u0301\u200d\U0001f600"


def random_query(rng):
    pieces = []
    for _ in range(rng.randrange(12)):
        kind = rng.randrange(4)
        if kind == 0:
            pieces.append("".join(rng.choice(ALPHABET) for _ in range(rng.randrange(6))))
        else:
            keyword = rng.choice(ALL)
            if kind == 1:  # broken or bent
                at = rng.randrange(len(keyword))
                keyword = keyword[:at] + rng.choice(["", " ", "\u0130", "\u212a", "\u0307", keyword[at].upper()]) + keyword[at + 1:]
            pieces.append("".join(rng.choice((letter, letter.upper())) for letter in keyword))
        pieces.append(rng.choice(["", " ", " ", "?", "-", "\u00e9"]))
    return "".join(pieces)


def compare(checks, world, name, queries, domain):
    """The numbers as they are printed: exact hundredths."""
    queries = [" ".join(query.splitlines()) for query in queries]
    status, out, err = run(world, "score", "--scorer", "seed_v1", "--domain", domain, "--json", given="\n".join(queries) + "\n")
    lines = out.splitlines()
    if not checks.equal(f"{name}: a line each", (status, len(lines)), (0, len(queries))):
        return
    for query, line in zip(queries, lines):
        score, parts = seed_score(query, domain)
        head = f'{{"score":{round(score * 100) / 100:.2f},"features":{{'
        got = json.loads(line)
        same = line.startswith(head) and all(abs(got["features"][part] - value) < 1e-9 for part, value in parts.items())
        if not (same and got["use_mcts"] == (score >= 0.8)):
            checks.true(f"{name}: as the seed", False, f"{query!r}: {line}, want {score} {parts}")
            return
    checks.true(f"{name}: as the seed, {len(queries)} questions", True)


def seed(checks, world):
    rng = random.Random(7)
    queries = [random_query(rng) for _ in range(4000)]
    for domain in ("stem", "generic", "STEM"):
        compare(checks, world, f"random, {domain}", queries, domain)
    # Every character whose lower case has an ASCII letter in it, inside and around every keyword.
    odd = [chr(code) for code in range(128, 0x110000) if not 0xD800 <= code < 0xE000 and any(c < "\x80" for c in chr(code).lower())]
    checks.equal("characters that become ASCII letters", odd, ["\u0130", "\u212a"])
    bent = [keyword[:at] + character + keyword[end:] for keyword in ALL for character in odd
            for at in range(len(keyword) + 1) for end in (at, at + 1)]
    compare(checks, world, "bent keywords", bent, "stem")
    if RECORDED.is_dir():
        questions = [json.loads(line) for line in (RECORDED / "questions.jsonl").read_text().splitlines()]
        compare(checks, world, "recorded", [question["prompt"] for question in questions], "stem")
    status, out, _ = run(world, "score", "--scorer", "seed_v1", "--json", given="optimize? then")
    checks.equal("no domain, no last newline", (status, out), (0, '{"score":0.35,"features":{"multi_step":0.25,"constraints":0.00,'
                 '"ambiguity":0.00,"questions":0.10,"optimisation":0.00},"use_mcts":false}\n'))
    status, out, _ = run(world, "score", "--scorer", "words_v1", "--domain", "stem", "--json", given="strengthen\nthen\n\n")
    checks.equal("words_v1: whole words", [json.loads(line)["score"] for line in out.splitlines()], [0, 0.25, 0])
    for threshold, use in (("0.35", True), ("0.36", False), ("0", True), ("1", False)):
        _, out, _ = run(world, "score", "--scorer", "seed_v1", "--json", "--threshold", threshold, given="optimize? then\n")
        checks.equal(f"threshold {threshold}", json.loads(out)["use_mcts"], use)
    status, out, _ = run(world, "score", "--scorer", "seed_v1", given="Then? You must.\n")
    checks.true("for people", status == 0 and "0.40" in out and "multi_step 0.25" in out, out)
    status, out, _ = run(world, "score", "--scorer", "seed_v1", "--json", given="\udcff\udcfe then \x00 ?\n")
    checks.equal("any bytes", (status, json.loads(out)["score"]), (0, 0.35))


def usage(checks, world):
    for words, status, part in [
        (["score"], 2, "seed_v1, words_v1 or learned_v1"), (["score", "--scorer", "magic"], 2, "seed_v1"),
        (["score", "--scorer", "learned_v1"], 2, "--model-file"), (["score", "--scorer", "seed_v1", "--threshold", "0.805"], 2, "hundredths"),
        (["score", "--scorer", "seed_v1", "--threshold", "2"], 2, "from 0 to 1"), (["score", "--help"], 0, "Example:"),
        (["score", "--scorer", "learned_v1", "--model-file", "nowhere.json"], 3, "nowhere.json"),
        (["train", "--help"], 0, "Example:"), (["train"], 2, "--from and --out"), (["train", "--from", "ledger", "--ledger", "nowhere", "--out", "m"], 3, "there is no ledger"),
        (["train", "--from", "x", "--since", "7d", "--out", "m"], 2, "--from ledger"),
        (["train", "--from", "nowhere", "--out", "m"], 3, "nowhere"), (["train", "--from", ".", "--out", "m"], 2, "runs.jsonl"),
        (["train", "--from", ".", "--out", "m", "--folds", "1"], 2, "--folds"),
    ]:
        got, out, err = run(world, *words)
        checks.equal(f"weir {' '.join(words)}: exit", got, status)
        checks.true(f"weir {' '.join(words)}: says", part in out + err, out + err)


# ---- training ----

def pair(number, **more):
    rng = random.Random(number)
    tricky = rng.random() < 0.3
    return {"id": f"q{number}", "domain": rng.choice(["stem.code", "stem.math", "law"]),
            "prompt": f"Please {'zorgle' if tricky else 'mumble'} something about {rng.choice('abcdefgh')} and {rng.randrange(100)}.",
            "weak_right": rng.random() < (0.3 if tricky else 0.9), "strong_right": rng.random() < 0.9, **more}


def write_lines(world, name, rows):
    path = world.path(name)
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def pairs(checks, world):
    rows = [pair(number, weak_cost_nano_usd=100, strong_cost_nano_usd=1700) for number in range(400)]
    source, model = write_lines(world, "pairs.jsonl", rows), world.path("router.json")
    status, out, err = run(world, "train", "--from", source, "--out", model, "--json")
    if not checks.equal("pairs: exit", (status, err), (0, "")):
        return
    report = json.loads(out)
    checks.equal("pairs: counts", (report["n"], report["holdout"], report["folds"]), (400, 400, 5))
    checks.true("pairs: figures", 0.7 < report["auc"] < 1 and report["apgr"] > 0.6 and 0 <= report["ece"] < 0.1, out)
    checks.equal("pairs: scorers", list(report["scorers"]),
                 ["learned", "domain_table", "seed_v1", "words_v1", "length", "random"])
    for name, scorer in report["scorers"].items():
        checks.true(f"pairs: {name} has its interval", scorer["lower"] <= scorer["apgr"] <= scorer["upper"], scorer)
        checks.true(f"pairs: {name} has an AIQ", scorer["aiq"]["lower"] > 0, scorer)
    checks.equal("pairs: no confidences", report["confidence"], [])
    weak = sum(row["weak_right"] for row in rows) / 400
    checks.true("pairs: the weak model's success", abs(report["weak_success"] - weak) < 1e-9, report["weak_success"])
    checks.true("pairs: the model is small", model.stat().st_size < 200000)
    learned(checks, world, model)
    few, again = write_lines(world, "few.jsonl", rows[:60]), world.path("again.json")
    run(world, "train", "--from", few, "--out", model, "--folds", "2", "--seed", "9", "--json")
    run(world, "train", "--from", few, "--out", again, "--folds", "2", "--seed", "9", "--json")
    checks.true("pairs: the same rows and seed, the same model", model.read_bytes() == again.read_bytes())
    status, out, _ = run(world, "train", "--from", few, "--out", model, "--weak", "mini", "--strong", "large")
    checks.true("pairs: for people", status == 0 and "APGR" in out and "mini" in out and "chosen:" in out, out)
    unpriced = write_lines(world, "unpriced.jsonl", [pair(number) for number in range(60)])
    status, out, _ = run(world, "train", "--from", unpriced, "--out", model, "--json")
    checks.equal("pairs: without costs no AIQ", json.loads(out)["scorers"]["learned"]["aiq"], None)
    hopeless = write_lines(world, "hopeless.jsonl", [{**pair(number), "weak_right": True} for number in range(60)])
    status, out, _ = run(world, "train", "--from", hopeless, "--out", model, "--json")
    checks.equal("pairs: nothing to recover, no APGR", (json.loads(out)["apgr"], json.loads(out)["scorer"]), (None, "domain_table"))


def learned(checks, world, model):
    lines = "Please zorgle something about a and 77.\nPlease mumble something about b and 99.\n\n"
    status, out, err = run(world, "score", "--scorer", "learned_v1", "--domain", "law", "--model-file", model, "--json", given=lines)
    if not checks.equal("learned: exit", (status, err), (0, "")):
        return
    hard, easy, empty = (json.loads(line) for line in out.splitlines())
    checks.true("learned: it has learned", hard["score"] > 2 * easy["score"] and hard["weak_success"] < easy["weak_success"], out)
    checks.true("learned: probabilities", all(0 <= row[name] <= 1 for row in (hard, easy, empty) for name in ("score", "weak_success")))
    checks.true("learned: the words are named", any(reason["kind"] == "words" and "zorgle" in reason["name"] for reason in hard["reasons"]),
                hard["reasons"])
    sizes = [abs(reason["contribution"]) for reason in hard["reasons"]]
    checks.equal("learned: the largest first", sizes, sorted(sizes, reverse=True))
    checks.equal("learned: 25 features", len(hard["features"]), 25)
    checks.equal("learned: the domain is given", (hard["domain"], hard["domain_guessed"]), ("law", False))
    _, out, _ = run(world, "score", "--scorer", "learned_v1", "--model-file", model, "--json", given="Ransomware on the file server!\n")
    guessed = json.loads(out)
    checks.equal("learned: the domain is guessed, and that is said", (guessed["domain"], guessed["domain_guessed"]), ("cybersecurity", True))
    status, out, _ = run(world, "score", "--scorer", "learned_v1", "--model-file", model, given=lines)
    checks.true("learned: for people", status == 0 and "weak" in out and "guessed" in out, out)
    broken = world.path("broken.json")
    broken.write_text(model.read_text().replace('"version":1', '"version":9'))
    status, out, err = run(world, "score", "--scorer", "learned_v1", "--model-file", broken, given=lines)
    checks.true("learned: another version is refused", status == 2 and "version" in err and str(broken) in err, err)
    broken.write_bytes(b"x" * (3 << 20))
    status, out, err = run(world, "score", "--scorer", "learned_v1", "--model-file", broken, given=lines)
    checks.equal("learned: too large", status, 2)


def bad_lines(checks, world):
    good = [pair(number) for number in range(30)]
    for row, part in [
        ("{", "unexpected"), ("[]", "a line must be a JSON object"), ({**good[0], "weak_right": 1}, '"weak_right"'),
        ({key: value for key, value in good[0].items() if key != "prompt"}, '"prompt"'), ({**good[0], "id": ""}, '"id"'),
        ({**good[0], "domain": 7}, '"domain"'), ({**good[0], "strong_cost_nano_usd": 1.5}, "a cost"), ('{"id":"a","id":"b"}', "duplicate"),
    ]:
        source = write_lines(world, "bad.jsonl", [*good, "", row])
        status, out, err = run(world, "train", "--from", source, "--out", world.path("m.json"))
        checks.true(f"bad line {row}", status == 2 and err.startswith(f"{source}:32: ") and part in err, err)
    few = write_lines(world, "few.jsonl", good[:19])
    status, out, err = run(world, "train", "--from", few, "--out", world.path("m.json"))
    checks.true("too few", status == 2 and "19 questions" in err, err)
    good_file, pipe = write_lines(world, "ok.jsonl", good), world.path("pipe")
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE)
    status, out, err = run(world, "train", "--from", good_file, "--out", pipe)
    written = json.loads(reader.communicate()[0])
    checks.true("what is no file is written to, not replaced", status == 0 and pipe.is_fifo() and written["version"] == 1, err)
    status, out, err = run(world, "train", "--from", good_file, "--out", "no/such/directory/m.json")
    checks.true("nowhere to write", status == 3 and "no/such/directory" in err, err)


def runs(checks, world):
    """What weir eval --out writes: several cells, faults, repetitions."""
    folder = world.path("results")
    folder.mkdir()
    rng = random.Random(3)
    questions = [{"id": row["id"], "domain": row["domain"], "prompt": row["prompt"]} for row in (pair(number) for number in range(100))]
    lines = []
    for question in questions:
        for model, rate in (("mini", 0.6), ("large", 0.85), ("other", 0.5)):
            for strategy in ("direct", "hrm"):
                lines.append({"id": question["id"], "domain": "ignored", "model": model, "strategy": strategy, "run": 1,
                              "right": rng.random() < rate, "cost_nano_usd": 100 if model == "mini" else None, "latency_ms": 12.5,
                              "raw_confidence": rng.random(), "fault": None, "simulated": False})
    faulted = [{**lines[0], "fault": "PROVIDER_CUT", "right": False}, {**lines[1], "latency_ms": None, "raw_confidence": None}]
    write = lambda rows: (folder / "runs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    write(lines + faulted)
    (folder / "questions.jsonl").write_text("".join(json.dumps(question) + "\n" for question in questions))
    model = world.path("router.json")
    for source in (folder, folder / "runs.jsonl"):
        status, out, err = run(world, "train", "--from", source, "--weak", "mini", "--strong", "large", "--out", model, "--json")
        if not checks.equal("runs: exit", (status, err), (0, "")):
            return
    report, trained = json.loads(out), json.loads(model.read_text())
    checks.equal("runs: pairs of the direct strategy", (report["n"], report["faulted"], report["skipped"]), (100, 1, 0))
    weak = sum(row["right"] for row in lines if (row["model"], row["strategy"]) == ("mini", "direct")) / 100
    checks.true("runs: the weak model's success", abs(report["weak_success"] - weak) < 1e-9)
    arm = next(arm for arm in trained["arms"] if (arm["strategy"], arm["model"], arm["domain"]) == ("hrm", "mini", ""))
    checks.equal("runs: an arm of each cell", (arm["n"], arm["cost_mean_nano_usd"], arm["latency_ms_mean"]), (101, 100, 12.5))
    checks.true("runs: domains are the questions'", any(arm["domain"] == "stem.code" for arm in trained["arms"]))
    checks.equal("runs: confidence of each key", trained["confidence"]["maps"][0]["after"]["n"], 600)
    rows = report["confidence"]
    checks.equal("runs: confidence in the report", (rows[0]["n"], rows[0]["strategy"], len(rows)), (600, "", 1 + 6 + 18))
    checks.true("runs: its ECE has an interval", all(
        row["after"]["ece_lower"] <= row["after"]["ece"] <= row["after"]["ece_upper"] and row["before"]["brier"] > 0 for row in rows), rows[0])
    checks.equal("runs: without the models' names", run(world, "train", "--from", folder, "--out", model)[0], 2)
    write([line for line in lines if line["strategy"] == "hrm"])
    status, out, err = run(world, "train", "--from", folder, "--weak", "mini", "--strong", "large", "--out", model, "--json")
    report = json.loads(out)
    checks.equal("runs: no pairs, confidence all the same", (status, report["n"], report["auc"], report["apgr"], report["ece"],
                 report["holdout"], report["scorers"], report["confidence"][0]["n"], report["skipped"]),
                 (0, 0, None, None, None, 0, {}, 300, 100))
    status, out, _ = run(world, "train", "--from", folder, "--weak", "mini", "--strong", "large", "--out", model)
    checks.true("runs: no pairs, and says so", status == 0 and "confidence only" in out and "hrm mini stem.code" in out, out)
    write([{**line, "simulated": True} for line in lines])
    status, out, _ = run(world, "train", "--from", folder, "--weak", "mini", "--strong", "large", "--out", model)
    checks.true("runs: simulated, and says so", status == 0 and "SIMULATED" in out, out)
    for row, part in [({**lines[0], "id": "nobody"}, "no question of this id"), ({**lines[0], "right": None}, '"right"'),
                      ({**lines[0], "raw_confidence": 1.5}, "raw_confidence")]:
        write([*lines[:10], row])
        status, out, err = run(world, "train", "--from", folder, "--weak", "mini", "--strong", "large", "--out", model)
        checks.true(f"runs: bad line: {part}", status == 2 and f"{folder}/runs.jsonl:11: " in err and part in err, err)
    write(lines)
    with open(folder / "questions.jsonl", "a") as questions_file:
        questions_file.write(json.dumps(questions[0]) + "\n")
    status, out, err = run(world, "train", "--from", folder, "--weak", "mini", "--strong", "large", "--out", model)
    checks.true("runs: an id twice", status == 2 and "questions.jsonl:101: this id stands twice" in err, err)


def recorded(checks, world):
    if not RECORDED.is_dir():
        return
    model = world.path("recorded.json")
    status, out, err = run(world, "train", "--from", RECORDED, "--weak", "gpt-4o-mini", "--strong", "gpt-4o-2024-08-06", "--out", model,
                           "--json")
    if not checks.equal("recorded: exit", (status, err), (0, "")):
        return
    report = json.loads(out)
    checks.equal("recorded: n", report["n"], 1482)
    checks.equal("recorded: successes", (round(report["weak_success"] * 1482), round(report["strong_success"] * 1482)), (1186, 1241))
    scorers = report["scorers"]
    checks.true("recorded: better than chance", scorers["learned"]["apgr"] > 0.52, scorers["learned"])
    checks.true("recorded: no more claimed than found", report["apgr"] == round(max(
        scorers[name]["apgr"] for name in ("learned", "domain_table")), 6), report["apgr"])
    checks.true("recorded: the gain is calibrated", report["ece"] < 0.05, report["ece"])
    checks.true("recorded: costs are priced", scorers["random"]["aiq"] is not None)
    status, out, err = run(world, "train", "--from", RECORDED, "--weak", "gpt-4o-mini", "--strong", "nobody", "--out", model)
    checks.true("recorded: an unknown model", status == 2 and "nobody" in err, err)


def main(world, checks):
    for part in [seed, usage, pairs, bad_lines, runs, recorded]:
        part(checks, world)


if __name__ == "__main__":
    harness.run(main)
