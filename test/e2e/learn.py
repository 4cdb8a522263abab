#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Learning from one's own traffic: a server answers, clients judge, `weir train --from ledger` makes the model that the next one decides
by: first arms and confidences, then, with exploration and enough labels of both models, a router: learn.py WEIR"""
import json
import random
import subprocess

import harness
from harness import MODEL, PROVIDER_KEY

STRONG = "gpt-4o"
MODELS = {"models": {STRONG: {}}, "strategy": "direct"}
DOMAIN = {"x-weir-domain": "generic"}


def command(world, *words):
    return subprocess.run([world.weir, *map(str, words)], capture_output=True, text=True, check=False, cwd=world.directory,
                          stdin=subprocess.DEVNULL, env={"WEIR_E2E_PROVIDER_KEY": PROVIDER_KEY})


def train(world, gateway, *options, out=None):
    """(model's path, its content, report) of a training that worked."""
    path = out or world.path("router.json")
    done = command(world, "train", "--from", "ledger", "--config", gateway.config, "--out", path, "--json", *options)
    if done.returncode != 0:
        raise RuntimeError(f"train: status {done.returncode}: {done.stderr}")
    return path, json.loads(path.read_text()), json.loads(done.stdout)


def feedback(gateway, answer, right):
    given = {"correct": right} if isinstance(right, bool) else {"score": right}
    return gateway.request("POST", "/v1/feedback", {"query_id": answer.id, **given})


def question(rng, is_tricky):
    return f"{'Zorgle' if is_tricky else 'Mumble'} the {rng.choice('abcdefgh')} of {rng.randrange(10000)} and {rng.randrange(10000)}."


def judged(rng, is_tricky, model):
    """Tricky questions are the weak model's weakness."""
    return rng.random() < (0.25 if is_tricky and model == MODEL else 0.9)


def named(checks, world, provider):
    """Without exploration and without the models' names there are arms, and confidences that are calibrated."""
    rng = random.Random(1)
    gateway = world.gateway(provider, MODELS)
    plain = gateway.chat(MODEL, "Hi")
    feedback(gateway, plain, True)
    right = 0
    for number in range(60):
        answer = gateway.chat("weir/direct", question(rng, False), DOMAIN)
        said = rng.random() < 0.7
        right += said
        feedback(gateway, answer, said if number % 2 == 0 else 0.5 if said else 0.49)
    gateway.chat("weir/direct", "nobody judges this", DOMAIN)
    gateway.stop()
    path, model, report = train(world, gateway)
    checks.equal("named: counts", (report["n"], report["labels"], report["noisy"], report["propensities"], report["left_out"]),
                 (60, {"feedback": 60, "verifier": 0, "audit": 0}, 0, {"known": 0, "unknown": 60},
                  {"unlabelled": 1, "faulted": 0, "plain": 1, "without_features": 0}))
    checks.equal("named: what cannot be measured is absent",
                 [report[name] for name in ("auc", "apgr", "ece", "holdout", "router", "scorer")], [None] * 5 + ["none"])
    checks.true("named: and why", "--weak and --strong" in report["router_why"], report)
    checks.equal("named: the file has no scorer", model["facts"]["n"], 0)
    arm = next(arm for arm in model["arms"] if arm["domain"] == "generic")
    checks.equal("named: the arm", (arm["strategy"], arm["model"], arm["n"], arm["right"]), ("direct", MODEL, 60, right))
    checks.true("named: its cost and latency", arm["cost_n"] == 60 and arm["cost_mean_nano_usd"] > 0 and arm["latency_n"] == 60, arm)
    everything = report["confidence"][0]
    checks.true("named: confidences", everything["n"] == 60 and 0 <= everything["after"]["ece"] <= 1, report["confidence"])
    _, _, few = train(world, gateway, "--weak", MODEL, "--strong", STRONG)
    checks.equal("too few", few["router_why"], "not enough labelled queries of both models: 60 and 0, 20 needed")
    told = command(world, "train", "--from", "ledger", "--ledger", gateway.ledger, "--out", path, "--weak", MODEL, "--strong", STRONG)
    for part in ["60 labelled: by feedback 60, verifier 0, audit 0", "0 known, 60 unknown", "1 routed queries that nobody has judged",
                 "router          not enough labelled queries of both models: 60 and 0, 20 needed", "confidence of"]:
        checks.true(f"people read: {part}", told.returncode == 0 and part in told.stdout, told.stdout + told.stderr)
    checks.true("no scorer to score with", "has no scorer" in command(world, "score", "--scorer", "learned_v1", "--model-file", path).stderr)
    return gateway, path, model


def calibrated(checks, world, provider, path, model):
    """The next server calls its confidences calibrated, and says what they were made to be."""
    gateway = world.gateway(provider, {**MODELS, "route": {"model": str(path)}})
    answer = gateway.chat("weir/direct", question(random.Random(2), False), DOMAIN)
    confidence = answer.json["weir"]["confidence"]
    checks.equal("calibrated", confidence["calibrated"], True)
    rate = next(arm["right"] / arm["n"] for arm in model["arms"] if arm["domain"] == "generic")
    checks.true("to about the rate that was seen", abs(confidence["value"] - rate) < 0.25, (confidence, rate))
    other = gateway.chat("weir/direct", "Hi", {"x-weir-domain": "tactical"}).json["weir"]["confidence"]
    checks.equal("not where nothing was labelled", other["calibrated"], False)
    gateway.stop()


def learned(checks, world, provider, path):
    """learned_v1 by arms alone, exploring, makes a log of both models with propensities; that makes a router."""
    rng = random.Random(3)
    more = {**MODELS, "budget": {"usd_max": 1}}
    gateway = world.gateway(provider, {**more, "route": {"scorer": "learned_v1", "model": str(path), "epsilon": 0.5}})
    only = gateway.chat("weir/auto", "Hi", DOMAIN).json["weir"]["route"]
    checks.equal("arms alone: decided without a score", (only["scorer"], only["score"]), ("learned_v1", None))
    gateway.stop()
    # The strong model becomes an arm when it has been labelled once.
    first = world.gateway(provider, {**more, "ledger": {"directory": str(gateway.ledger)}})
    for model in [MODEL, STRONG]:
        feedback(first, first.chat("weir/direct", "Hi", DOMAIN, weir={"model": model}), True)
    first.stop()
    path, _, _ = train(world, first)
    route = {"scorer": "learned_v1", "model": str(path), "epsilon": 0.5, "value_usd": 0.01}
    gateway = world.gateway(provider, {**more, "route": route, "ledger": {"directory": str(gateway.ledger)}})
    counts = {MODEL: 0, STRONG: 0}
    for number in range(1200):  # so many that no luck makes the checks below fail
        is_tricky = number % 2 == 0
        answer = gateway.chat("weir/auto", question(rng, is_tricky), DOMAIN)
        model = answer.json["weir"]["model"]
        counts[model] += 1
        feedback(gateway, answer, judged(rng, is_tricky, model))
    gateway.stop()
    checks.true("both models were explored", min(counts.values()) > 200, counts)
    options = ["--weak", MODEL, "--strong", STRONG]
    path, model, report = train(world, gateway, *options)
    router = report["router"]
    checks.equal("router: rows", (router["weak"]["n"], router["strong"]["n"], report["holdout"], report["n"]),
                 (counts[MODEL] + 1, counts[STRONG] + 1, 1202, 1202))
    checks.equal("router: propensities", (report["propensities"], router["propensities_known"], router["propensities_clipped"]),
                 ({"known": 1200, "unknown": 2}, 1200, 0))
    checks.equal("router: explored", (router["weak"]["explored"], router["strong"]["explored"]), (counts[MODEL], counts[STRONG]))
    checks.equal("router: gain was never seen", (report["auc"], report["ece"], model["facts"]["auc"], model["facts"]["ece"], router["gain_from"],
                 router["agreement"]), (None, None, None, None, "independence", None))
    checks.true("router: the weak model's weakness is found", router["weak"]["auroc"] > 0.7 and report["scorer"] == "learned", router)
    checks.true("router: better than by lot", report["apgr"] > 0.52 and router["apgr_learned"]["lower"] < report["apgr"], report)
    checks.equal("router: the file says the same", (model["facts"]["basis"], model["facts"]["apgr"]), ("sides", report["apgr"]))
    again, _, _ = train(world, gateway, *options)
    checks.equal("router: the same again", again.read_bytes(), path.read_bytes())
    told = command(world, "train", "--from", "ledger", "--config", gateway.config, "--out", again, *options)
    for part in ["AUC and ECE of gain cannot be measured", "APGR, held out, by inverse propensity", "as if the two were right independently",
                 "1200 of 1202 by inverse propensity, 0 of them clipped at 0.02", "chosen: learned"]:
        checks.true(f"router: people read: {part}", part in told.stdout, told.stdout + told.stderr)
    checks.equal("router: since tomorrow there is nothing", command(
        world, "train", "--from", "ledger", "--config", gateway.config, "--out", again, "--since", "2999-01-01").returncode, 2)
    # A right answer is worth so much that the strong model pays where it is right 30 % more often.
    cost = {arm["model"]: arm["cost_mean_nano_usd"] for arm in model["arms"] if arm["domain"] == ""}
    return path, {**route, "value_usd": round((cost[STRONG] - cost[MODEL]) / 0.3 / 1e9, 9)}, gateway


def routes(checks, world, provider, path, route, before):
    """What was learned decides."""
    gateway = world.gateway(provider, {**MODELS, "route": {**route, "model": str(path), "epsilon": 0}, "ledger": {"directory": str(before.ledger)}})
    rng = random.Random(4)
    for is_tricky, model in [(True, STRONG), (False, MODEL)] * 3:
        text = question(rng, is_tricky)
        report = gateway.chat("weir/auto", text, DOMAIN).json["weir"]
        checks.equal(f"routed: {text[:6]}", (report["model"], report["route"]["scorer"], report["confidence"]["calibrated"]), (model, "learned_v1", True))
    gateway.stop()


def audited(checks, world, provider):
    """Audits count as noisy labels where nobody else has judged, and beside feedback they say how often both agree; the strong model that
    repeats itself says nothing."""
    more = {**MODELS, "cascade": {"strong_model": STRONG}, "route": {"audit_share": 0.2}}
    gateway = world.gateway(provider, more)
    answers = [gateway.chat("weir/direct", f"What is {number} + 1?", DOMAIN) for number in range(250)]
    strong = [gateway.chat("weir/direct", f"What is {number} + 1?", DOMAIN, weir={"model": STRONG}) for number in range(160)]
    for answer in answers[::2] + strong[::2]:
        feedback(gateway, answer, True)
    gateway.stop()
    audits = {row["id"]: label for row in gateway.rows() for label in row["labels"] if label["source"] == "audit"}
    unjudged = [answer.id for answer in answers[1::2]]
    noisy = sum(name in audits for name in unjudged)
    checks.true("audits were drawn", noisy > 0 and any(answer.id in audits for answer in strong[1::2]), audits)
    _, _, report = train(world, gateway)
    checks.equal("audits: what counts", (report["labels"], report["noisy"], report["left_out"]["unlabelled"]),
                 ({"feedback": 205, "verifier": 0, "audit": noisy}, noisy, 125 - noisy + 80))
    _, _, report = train(world, gateway, "--weak", MODEL, "--strong", STRONG)
    agreeing = [audits[answer.id]["value"] for answer in answers[::2] if answer.id in audits]
    checks.equal("audits: agreement", (report["router"]["agreement_n"], report["router"]["agreement"]), (len(agreeing), None)
                 if len(agreeing) < 20 else (len(agreeing), (sum(agreeing) + 0.5) / (len(agreeing) + 1)))


def refusals(checks, world, gateway):
    config = ["--config", gateway.config]
    empty = world.gateway(1, start=False)
    empty.ledger.mkdir()
    for options, status, part in [
        ([*config, "--since", "yesterday"], 2, "--since must be"), ([*config, "--weak", "a"], 2, "--weak and --strong go together"),
        ([*config, "--weak", "a", "--strong", "a"], 2, "must be two models"), (["--ledger", "/nowhere"], 3, "there is no ledger"),
        (["--config", empty.config], 2, "no answer in the ledger is labelled"), ([*config, "--folds", "1"], 2, "--folds"),
    ]:
        done = command(world, "train", "--from", "ledger", "--out", world.path("m.json"), *options)
        checks.true(f"train --from ledger {' '.join(map(str, options))[-40:]}", done.returncode == status and part in done.stderr and done.stdout == "",
                    (done.returncode, done.stderr))
    done = command(world, "train", "--from", "ledger", *config, "--out", "no/such/directory/m.json")
    checks.true("nowhere to write", done.returncode == 3 and "no/such/directory" in done.stderr, done.stderr)


def main(world, checks):
    provider = world.upstream("sim", "--time-scale", "0")
    gateway, path, model = named(checks, world, provider)
    calibrated(checks, world, provider, path, model)
    routes(checks, world, provider, *learned(checks, world, provider, path))
    audited(checks, world, provider)
    refusals(checks, world, gateway)


if __name__ == "__main__":
    harness.run(main)
