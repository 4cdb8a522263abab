#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What weir/auto runs and why: rules, the fallback profile, domains; what the answer says of it and what the ledger keeps."""
import http.server
import json
import pathlib
import subprocess
import threading

import harness
from harness import MODEL, PROVIDER_KEY

STRONG = "gpt-4o"
# By the seed's rules: several steps .25, "must" .05, "?" .10; and .40 more: "should", "need", "maybe", another "?".
MIDDLING = "First add the numbers, then say what the sum must be?"
HARD = "First plan, then act: it must, should, need, require and cannot? Maybe optimize it? Minimize what?"
# Only as parts of other words: "after" in afternoon, "must" in mustard.
HIDDEN = "Spread the mustard this afternoon"


class Recorder:
    """A provider that gives one answer and keeps what it was asked."""

    def __init__(self, answer, status=200):
        self.bodies = []
        recorder = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                recorder.bodies.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                body = json.dumps(harness.completion(json.dumps({"answer": answer, "confidence": 0.9}))).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self):
        return f"http://127.0.0.1:{self.port}/v1"


def fallback(world, **more):
    path = world.path("fallback.yaml")
    path.write_text(harness.to_yaml({
        "model": STRONG, "model_provider": "test", "strategy": "hrm", "hrm": {"confidence_threshold": 0.9}, **more}))
    return str(path)


def routed(world, provider, route, more=None, profile=None):
    """A gateway whose weir/auto is routed; the fallback profile has the gateway's own provider."""
    provider_of = {"providers": {"test": {"base_url": f"http://127.0.0.1:{provider.port}/v1", "api_key": "env:WEIR_E2E_PROVIDER_KEY",
                                          "json_schema": True}}}
    return world.gateway(provider, {"route": {"fallback": fallback(world, **provider_of, **(profile or {})), **route}, **(more or {})})


def rules(checks, world, provider):
    gateway = routed(world, provider, {"scorer": "seed_v1"})
    cases = [  # question, domain, score, strategy, model, what the reasons say
        ("What is 2 + 2?", "stem", 0.1, "hrm_trm", MODEL, ["below the threshold", "the configured strategy", "several questions +0.10"]),
        (MIDDLING, "stem", 0.4, "hrm_trm", MODEL, ["several steps +0.25", "constraints +0.05"]),
        (HARD, "stem", 1, "hrm", STRONG, ["at or above the threshold", "the fallback profile", "optimisation +0.20"]),
        (HARD, "generic", 0.8, "hrm", STRONG, ["score 0.80 is at or above the threshold 0.8"]),
        (HIDDEN, "generic", 0.3, "hrm_trm", MODEL, ["several steps +0.25"]),
    ]
    answers = []
    for question, domain, score, strategy, model, reasons in cases:
        answer = gateway.chat("weir/auto", question, {"x-weir-domain": domain})
        report = answer.json["weir"]
        name = f"seed_v1, {question[:20]!r} of {domain}"
        checks.equal(f"{name}: answered as", (answer.status, report["strategy"], report["model"], report["domain"], report["domain_guess"]),
                     (200, strategy, model, domain, None))
        checks.equal(f"{name}: route", (report["route"]["scorer"], report["route"]["score"], report["route"]["propensity"], report["route"]["explored"]),
                     ("seed_v1", score, 1, False))
        checks.true(f"{name}: reasons", all(any(reason in said for said in report["route"]["reasons"]) for reason in reasons), report["route"])
        answers.append(answer)
    gateway.stop()
    rows = {row["id"]: row for row in gateway.rows()}
    for answer, (question, domain, score, strategy, model, reasons) in zip(answers, cases):
        row = rows[answer.id]
        route = row["route"]
        checks.equal(f"{question[:20]!r} of {domain}: recorded",
                     (row["strategy"], row["model"], route["scorer"], route["score"], route["strategy"], route["model"], route["propensity"],
                      route["epsilon"], route["explored"], route["domain"], route["domain_probability"], route["features"]),
                     (strategy, model, "seed_v1", score, strategy, model, 1, 0, False, domain, None, True))
        checks.true(f"{question[:20]!r}: reasons recorded", reasons[0] in route["reasons"] and len(route["reasons"]) <= 200, route["reasons"])
        words = 0 if question == HIDDEN else round(score * 100)  # in whole words it has none
        checks.equal(f"{question[:20]!r}: both rules' scores", (route["seed_score_hundredths"], route["words_score_hundredths"]),
                     (round(score * 100), words))
        checks.true(f"{question[:20]!r}: its calls", {call["model"] for call in row["calls"]} == {model}, row["calls"])
    checks.equal("verify", (gateway.verify()[0], gateway.verify()[1]["routes"]), (0, len(cases)))

    words = routed(world, provider, {"scorer": "words_v1", "threshold": 0.4})
    for question, score, strategy in [(HIDDEN, 0, "hrm_trm"), (MIDDLING, 0.4, "hrm")]:
        report = words.chat("weir/auto", question, {"x-weir-domain": "generic"}).json["weir"]
        checks.equal(f"words_v1, {question[:20]!r}", (report["route"]["score"], report["strategy"]), (score, strategy))
    words.stop()
    lone = world.gateway(provider, {"route": {"scorer": "seed_v1"}})
    report = lone.chat("weir/auto", HARD).json["weir"]
    checks.equal("without a fallback", (report["route"]["score"], report["strategy"], report["model"]), (0.8, "hrm_trm", MODEL))
    checks.true("which is said", "there is no fallback" in report["route"]["reasons"][0], report["route"])


def nothing_to_decide(checks, world, provider):
    gateway = routed(world, provider, {"scorer": "seed_v1"}, {"models": {"other": {}}})
    named = gateway.chat("weir/direct", HARD)
    plain = gateway.chat(MODEL, HARD)
    chosen = gateway.chat("weir/auto", HARD, weir={"model": "other"})
    off = world.gateway(provider)
    auto = off.chat("weir/auto", HARD)
    checks.equal("a named strategy", (named.json["weir"]["strategy"], named.json["weir"]["route"]["scorer"], named.json["weir"]["route"]["propensity"]),
                 ("direct", "named", None))
    checks.equal("a named model", (chosen.json["weir"]["strategy"], chosen.json["weir"]["model"], chosen.json["weir"]["route"]["scorer"]),
                 ("hrm_trm", "other", "named"))
    checks.equal("no scorer", (auto.json["weir"]["strategy"], auto.json["weir"]["route"]["scorer"], auto.json["weir"]["route"]["propensity"]),
                 ("hrm_trm", "none", 1))
    models = [model["id"] for model in gateway.request("GET", "/v1/models").json["data"]]
    checks.true("every strategy is listed", {"weir/auto", "weir/cascade", "weir/self_consistency", "weir/mcts", "weir/full_stack"} <= set(models), models)
    checks.true("the fallback's model is nobody's to name", STRONG not in models and "other" in models, models)
    checks.error("not even by name", gateway.chat(STRONG, "Hi"), 404)
    checks.error("nor for a strategy", gateway.chat("weir/direct", "Hi", weir={"model": STRONG}), 404)
    checks.error("an unknown strategy", gateway.chat("weir/magic", "Hi"), 404)
    gateway.stop()
    off.stop()
    rows = {row["id"]: row for row in gateway.rows()}
    checks.equal("a plain query has no route", (rows[plain.id]["route"], rows[plain.id]["domain"]), (None, "generic"))
    checks.equal("a named one has, of no propensity", (rows[named.id]["route"]["scorer"], rows[named.id]["route"]["propensity"]), ("named", None))
    checks.equal("and its scores", rows[named.id]["route"]["seed_score_hundredths"], 80)
    checks.equal("verify", gateway.verify()[1]["routes"], 2)


def several_models(checks, world, _):
    """A cascade's calls go to the models that the configuration names for them, each at its own price."""
    peer_name = "llama-3.1-8b-instruct"
    for main_says, peer_says, answered, classes in [("4", "4.0", "4", [MODEL, peer_name]), ("4", "5", "6", [MODEL, peer_name, STRONG])]:
        main, peer, strong = Recorder(main_says), Recorder(peer_says), Recorder("6")
        gateway = world.gateway(main, {
            "cascade": {"peer_model": peer_name, "strong_model": STRONG}, "strategy": "cascade",
            "models": {peer_name: {"provider": "peer"}, STRONG: {"provider": "strong", "upstream_name": "gpt-4o-2024-08-06"}},
            "providers": {"peer": {"base_url": peer.url()}, "strong": {"base_url": strong.url(), "json_schema": True}}})
        answer = gateway.chat("weir/auto", "What is 2 + 2?")
        gateway.stop()
        row = gateway.rows()[0]
        prices = {MODEL: (150, 600), peer_name: (50, 80), STRONG: (2500, 10000)}
        calls = [(call["model"], call["provider"], call["cost_nano_usd"]) for call in row["calls"]]
        providers = {MODEL: "test", peer_name: "peer", STRONG: "strong"}
        checks.equal(f"{peer_says}: answered", (answer.status, answer.text), (200, answered))
        checks.equal(f"{peer_says}: calls", calls, [(name, providers[name], 100 * prices[name][0] + 10 * prices[name][1]) for name in classes])
        checks.equal(f"{peer_says}: cost", (row["cost_nano_usd"], row["strategy"], row["model"]), (sum(call[2] for call in calls), "cascade", MODEL))
        checks.equal(f"{peer_says}: as their providers call them", [[body["model"] for body in provider.bodies] for provider in (main, peer, strong)],
                     [[MODEL], [peer_name], ["gpt-4o-2024-08-06"] if len(classes) == 3 else []])
        checks.equal(f"{peer_says}: a schema where the provider takes one", ["response_format" in body for body in main.bodies + peer.bodies + strong.bodies],
                     [True, False, True][:len(classes)])
        checks.equal(f"{peer_says}: verify", gateway.verify()[0], 0)
    alone = Recorder("4")
    gateway = world.gateway(alone)
    for strategy in ["self_consistency", "cascade", "mcts", "full_stack"]:
        answer = gateway.chat(f"weir/{strategy}", "What is 2 + 2?")
        checks.equal(f"{strategy} on one model", (answer.status, answer.text, answer.json["weir"]["strategy"]), (200, "4", strategy))
    checks.equal("only that model was asked", {body["model"] for body in alone.bodies}, {MODEL})
    gateway.stop()
    checks.equal("one model: verify", gateway.verify()[0], 0)
    down = Recorder("6", status=500)
    gateway = world.gateway(Recorder("4"), {
        "cascade": {"peer_model": peer_name, "strong_model": STRONG}, "models": {peer_name: {"provider": "peer"}, STRONG: {"provider": "strong"}},
        "providers": {"peer": {"base_url": Recorder("5").url()}, "strong": {"base_url": down.url()}}})
    answer = gateway.chat("weir/cascade", "What is 2 + 2?")
    checks.true("a strong model that fails leaves the better of the two", answer.status == 200 and answer.text in ("4", "5"), answer.body)
    gateway.stop()
    checks.equal("its call is recorded as failed", [call["result"] for call in gateway.rows()[0]["calls"] if call["model"] == STRONG][:1], ["PROVIDER_FAILED"])


def fallback_settings(checks, world, _):
    """Above the threshold the fallback's own settings hold, below it the configuration's."""
    recorder = Recorder("4")
    gateway = routed(world, recorder, {"scorer": "seed_v1"}, {"temperature": 0.3}, {"temperature": 0.9, "strategy": "direct"})
    for question, temperature, model in [("What is 2 + 2?", 0.3, MODEL), (HARD, 0.9, STRONG)]:
        recorder.bodies.clear()
        checks.equal(f"{temperature}: answered", gateway.chat("weir/auto", question).status, 200)
        checks.equal(f"{temperature}: as the profile says", {(body["model"], body["temperature"]) for body in recorder.bodies}, {(model, temperature)})


def domains(checks, world, provider):
    gateway = world.gateway(provider)
    question = "Ransomware encrypted our backups and the intruder still has command-and-control beacons in the network. Contain it."
    guessed = gateway.chat("weir/direct", question)
    report = guessed.json["weir"]
    checks.equal("a guessed domain", report["domain"], "cybersecurity")
    checks.true("and how sure that is", 0.5 < report["domain_guess"]["probability"] <= 1, report["domain_guess"])
    ways = [("header", {"x-weir-domain": "tactical"}, {}), ("metadata", {}, {"metadata": {"domain": "tactical"}}),
            ("member", {}, {"weir": {"domain": "tactical"}}), ("member over header", {"x-weir-domain": "stem"}, {"weir": {"domain": "tactical"}}),
            ("metadata over header", {"x-weir-domain": "stem"}, {"metadata": {"domain": "tactical"}})]
    for name, headers, members in ways:
        report = gateway.chat("weir/direct", question, headers, **members).json["weir"]
        checks.equal(f"a domain by {name}", (report["domain"], report["domain_guess"]), ("tactical", None))
    gateway.stop()
    row = next(row for row in gateway.rows() if row["id"] == guessed.id)
    checks.equal("recorded", (row["domain"], row["route"]["domain"]), ("cybersecurity", "cybersecurity"))
    checks.true("as a guess", 0.5 < row["route"]["domain_probability"] <= 1, row["route"])


def ask(checks, world, provider):
    gateway = routed(world, provider, {"scorer": "seed_v1"})
    gateway.stop()

    def run(*words):
        return subprocess.run([world.weir, "ask", *words, "--config", gateway.config], capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL, env={"WEIR_E2E_PROVIDER_KEY": PROVIDER_KEY})
    told = run(HARD)
    checks.true("ask shows domain and route", "domain generic (guessed" in told.stdout and "route seed_v1 0.80:" in told.stdout, told.stdout)
    checks.true("and whether it is calibrated", "raw, uncalibrated" in told.stdout, told.stdout)
    told = run("2 + 2", "--domain", "stem", "--json")
    answer = json.loads(told.stdout)
    checks.equal("ask --json", (answer["domain"], answer["domain_guess"], answer["route"]["score"], answer["confidence"]["calibrated"]),
                 ("stem", None, 0, False))
    told = run("Hi", "--strategy", "magic")
    checks.true("strategies are listed", told.returncode == 2 and "self_consistency, cascade, mcts, full_stack" in told.stderr, told.stderr)


def command(world, *words):
    return subprocess.run([world.weir, *map(str, words)], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
                          env={"WEIR_E2E_PROVIDER_KEY": PROVIDER_KEY})


def trained(checks, world, provider):
    """A router of `weir train` decides: digits are beyond the cheap model here. What it explores is as likely as it says."""
    rows, router = world.path("rows.jsonl"), world.path("router.json")
    hard, easy = "What is {0} * {1} + 17?", "Name a river near the town of letter {2}"
    rows.write_text("".join(json.dumps({
        "id": f"r{n}", "domain": "stem", "prompt": (hard if n % 2 else easy).format(n + 100, n * 7 + 13, chr(97 + n % 26)), "weak_right": n % 2 == 0,
        "strong_right": True, "weak_cost_nano_usd": 20000, "strong_cost_nano_usd": 400000}) + "\n" for n in range(200)))
    done = command(world, "train", "--from", rows, "--weak", MODEL, "--strong", STRONG, "--out", router)
    if not checks.equal("train", done.returncode, 0):
        return
    config = {"models": {STRONG: {}}, "route": {"scorer": "learned_v1", "model": str(router)}}
    sure = world.gateway(provider, config)
    for question, model, is_hard in [(hard.format(4711, 815, ""), STRONG, True), (easy.format("", "", "q"), MODEL, False)]:
        answer = sure.chat("weir/auto", question, {"x-weir-domain": "stem"})
        report = answer.json["weir"]
        name = "a hard question" if is_hard else "an easy question"
        checks.equal(f"{name}: route", (report["strategy"], report["model"], report["route"]["scorer"], report["route"]["propensity"], report["route"]["explored"]),
                     ("direct", model, "learned_v1", 1, False))
        checks.true(f"{name}: score", (report["route"]["score"] > 0.5) == is_hard, report["route"])
        checks.true(f"{name}: reasons", f"direct on {model}" in report["route"]["reasons"][0] and len(report["route"]["reasons"]) > 1, report["route"])
    sure.stop()
    row = sure.rows()[0]
    checks.true("estimates are recorded", row["route"]["estimated_quality"] > 0.5 and abs(row["route"]["estimated_cost_nano_usd"] - 400000) < 2, row["route"])
    curious = world.gateway(provider, {**config, "route": {**config["route"], "epsilon": 0.5}})
    for _ in range(400):
        curious.chat("weir/auto", hard.format(4711, 815, ""), {"x-weir-domain": "stem"})
    curious.stop()
    routes = [row["route"] for row in curious.rows()]
    for model, propensity in [(STRONG, 0.75), (MODEL, 0.25)]:
        took = [route for route in routes if route["model"] == model]
        checks.true(f"{model} is taken as often as it says", abs(len(took) / 400 - propensity) < 0.1, len(took))  # more than four standard deviations
        checks.equal(f"{model}: propensity", {round(route["propensity"], 9) for route in took}, {propensity})
    checks.true("half is explored", 150 < sum(route["explored"] for route in routes) < 250, sum(route["explored"] for route in routes))
    checks.equal("epsilon is recorded", {route["epsilon"] for route in routes}, {0.5})
    checks.equal("verify", curious.verify()[0], 0)
    again = json.loads(command(world, "replay", "--config", curious.config, "--with", sure.config, "--json").stdout)
    checks.equal("replayed without exploration: all of them the strong model's",
                 sorted((arm["model"], arm["after"]) for arm in again["arms"]), [(STRONG, 400), (MODEL, 0)])
    poor = world.gateway(provider, {**config, "budget": {"usd_max": 0.0001}})
    report = poor.chat("weir/auto", hard.format(4711, 815, ""), {"x-weir-domain": "stem"}).json["weir"]
    checks.equal("what the budget does not cover is not taken", report["model"], MODEL)
    missing = world.gateway(provider, {"route": {"scorer": "learned_v1", "model": "/nowhere.json"}}, start=False)
    done = command(world, "check", "--config", missing.config)
    checks.true("a model that is not there: what to do", done.returncode == 2 and "`weir train --out FILE` writes one" in done.stdout, done.stdout)


def calibrated(checks, world, provider):
    """With a trained calibration confidences are probabilities, and what they were before is kept."""
    trained_before = json.loads((pathlib.Path(__file__).resolve().parents[1] / "corpus/route_model/with_confidence.json").read_text())
    trained_before["confidence"]["maps"][1]["domain"] = "stem"  # of the model "large", asked directly
    model = world.path("calibrated.json")
    model.write_text(json.dumps(trained_before))
    gateway = world.gateway(provider, {"model": "large", "models": {"other": {}}, "route": {"model": str(model)}})
    own = gateway.chat("weir/direct", "What is 12 * 34?", weir={"domain": "stem"})
    foreign = gateway.chat("weir/direct", "What is 12 * 34?", weir={"domain": "stem", "model": "other"})  # has no labels of its own: all labels speak for it
    for name, answer, is_calibrated in [("its own labels", own, True), ("others' labels", foreign, False)]:
        confidence = answer.json["weir"]["confidence"]
        checks.true(f"by {name}", confidence["calibrated"] is is_calibrated and 0 < confidence["value"] <= 1 and confidence["value"] != confidence["raw"],
                    confidence)
    gateway.stop()
    rows = {row["id"]: row for row in gateway.rows()}
    for name, answer, is_calibrated in [("own", own, True), ("others'", foreign, False)]:
        confidence, row = answer.json["weir"]["confidence"], rows[answer.id]
        checks.equal(f"by {name} labels: recorded", (row["calibrated"], round(row["confidence"], 4), round(row["raw_confidence"], 4), row["raw_hrm_confidence"]),
                     (is_calibrated, confidence["value"], confidence["raw"], None))
        checks.true("the answer's hash is kept", len(row["answer_hash"]) == 16, row["answer_hash"])
    checks.equal("equal answers have equal hashes", rows[own.id]["answer_hash"] == rows[foreign.id]["answer_hash"], own.text == foreign.text)
    for options, said in [([], "confidence (calibrated: a probability)"), (["--model", "other"], "confidence (by other answers' labels, uncalibrated)")]:
        done = command(world, "ask", "What is 12 * 34?", "--strategy", "direct", "--domain", "stem", *options, "--config", gateway.config)
        checks.true(f"ask says {said}", said in done.stdout and "  raw 0." in done.stdout, done.stdout)
    checks.equal("verify", gateway.verify()[0], 0)


def replay(checks, world, provider):
    """Traffic that went one way is decided again under a configuration that is not in use."""
    gateway = world.gateway(provider)
    answers = [gateway.chat("weir/auto", question, {"x-weir-domain": "generic"}) for question in [HARD, HARD, MIDDLING, "Hi there", "What is 1 + 1?"]]
    gateway.chat("weir/direct", HARD)  # by name: nothing to decide
    gateway.chat(MODEL, HARD)  # not routed at all
    for answer in answers:
        gateway.request("POST", "/v1/feedback", {"query_id": answer.id, "correct": True})
    candidate = routed(world, provider, {"scorer": "seed_v1"})
    candidate.stop()
    words = routed(world, provider, {"scorer": "words_v1", "threshold": 0})
    words.stop()

    def run(*options):
        return subprocess.run([world.weir, "replay", "--config", gateway.config, *map(str, options)], capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL, env={"WEIR_E2E_PROVIDER_KEY": PROVIDER_KEY})
    checks.true("it reads beside a running server", harness.wait_until(
        lambda: json.loads(run("--with", candidate.config, "--json").stdout)["labelled"] == 5), run("--with", candidate.config, "--json"))
    gateway.stop()
    rows = {row["id"]: row for row in gateway.rows()}
    report = json.loads(run("--with", candidate.config, "--json").stdout)
    checks.equal("counts", [report[name] for name in ("queries", "named", "undecided", "decided", "changed", "labelled", "without_propensity", "unsupported")],
                 [6, 1, 0, 5, 2, 5, 0, 2])
    checks.equal("arms", sorted((arm["strategy"], arm["model"], arm["before"], arm["after"]) for arm in report["arms"]),
                 [("hrm", STRONG, 0, 2), ("hrm_trm", MODEL, 5, 3)])
    checks.equal("nobody knows what the other arm costs", report["cost_unknown"], 2)
    mean = sum(rows[answer.id]["cost_nano_usd"] for answer in answers) / 5
    checks.true("the rest at its mean", abs(report["cost_before_nano_usd"] - 3 * mean) < 1 and report["cost_after_nano_usd"] == report["cost_before_nano_usd"], report)
    checks.equal("success where the log supports it", (report["success"]["n"], report["success"]["ips"]["estimate"], report["success"]["logged"]), (3, 1, 1))
    same = json.loads(run("--with", gateway.config, "--json").stdout)
    checks.equal("the same configuration changes nothing", (same["changed"], same["unsupported"], same["success"]["n"]), (0, 0, 5))
    all_of_it = json.loads(run("--with", words.config, "--json").stdout)
    checks.equal("threshold 0: all", (all_of_it["changed"], all_of_it["unsupported"], all_of_it["success"]), (5, 5, None))
    told = run("--with", candidate.config)
    for part in ["6 routed queries: 5 decided again, 1 named by clients", "2 would go another way", "hrm_trm", "2 would go where the log never explored",
                 "as it was", "doubly robust"]:
        checks.true(f"people read: {part}", part in told.stdout, told.stdout)
    checks.equal("since tomorrow: nothing", json.loads(run("--with", candidate.config, "--since", "2999-01-01", "--json").stdout)["queries"], 0)
    for since in ["7d", "12h", "30m", "2020-01-01", "2020-01-01T00:00:00Z"]:
        checks.equal(f"since {since}", json.loads(run("--with", candidate.config, "--since", since, "--json").stdout)["queries"], 6)
    bad = world.path("bad.yaml")
    bad.write_text("route: {scorer: oracle}\n")
    for options, status, part in [([], 2, "--with FILE is needed"), (["--with", bad], 2, "route.scorer must be one of"), (["--with", "/nowhere.yaml"], 2, "cannot be read"),
                                  (["--with", candidate.config, "--since", "yesterday"], 2, "--since must be"),
                                  (["--with", candidate.config, "--ledger", "/nowhere"], 3, "there is no ledger")]:
        told = run(*options)
        checks.true(f"replay {' '.join(map(str, options))[:40]}", told.returncode == status and part in told.stderr and told.stdout == "", told.stderr)


def main(world, checks):
    provider = world.upstream("sim", "--time-scale", "0")
    for part in [rules, nothing_to_decide, several_models, fallback_settings, domains, ask, trained, calibrated, replay]:
        part(checks, world, provider)


if __name__ == "__main__":
    harness.run(main)
