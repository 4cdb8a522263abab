#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Limits of keys and tenants: nobody spends more than they may, refusals say what to do, counters are the ledger's
(requirements 1, 2, 8, 9): limits.py WEIR [ROUNDS of kill -9]"""
import json
import random
import re
import threading
import time
import urllib.request

import harness
from control_kit import admin
from harness import MODEL, completion, stream
from keys import bearer, create

INPUT_PRICE, OUTPUT_PRICE = 150, 600  # of gpt-4o-mini, nano-dollars a token


def usage_of(gateway, key):
    """{(of, per): limit} of a key, as the running gateway counts."""
    answer = admin(gateway, "GET", "keys")
    found = next(k for k in answer.json["data"] if k["id"] == key["id"])
    return {(limit["of"], limit.get("per")): limit for limit in found["limits"]}


def calls_made(gateway):
    with urllib.request.urlopen(f"http://127.0.0.1:{gateway.admin_port}/metrics", timeout=30) as answer:
        return sum(int(count) for count in re.findall(r"^weir_model_calls_total\S* (\d+)$", answer.read().decode(), re.M))


def at_once(count, ask):
    answers, threads = [], []
    for number in range(count):
        threads.append(threading.Thread(target=lambda n=number: answers.append(ask(n)), daemon=True))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def parallel_at_the_limit(checks, world):
    """200 at once, of which the budget carries some: no more are answered than it can pay for at their worst."""
    upstream = world.script([{"body": completion(prompt_tokens=10, completion_tokens=100), "delay_ms": 300}])
    gateway = world.gateway(upstream, {"server": {"workers": 2}})
    budget = 2_000_000  # nano-dollars; the worst case of a request below is about 100 * 600 + 15 * 150
    key, _ = create(gateway, "--tenant", "acme", "--budget-usd", "0.002", "--per", "day")
    answers = at_once(200, lambda n: gateway.chat(MODEL, f"Question {n}", bearer(key["key"]), max_tokens=100))
    done = [a for a in answers if a.status == 200]
    refused = [a for a in answers if a.status == 429]
    checks.equal("each is answered or refused", len(done) + len(refused), 200)
    checks.true("some of each", 25 <= len(done) <= 33, len(done))
    for answer in refused[:3]:
        checks.error("refusal", answer, 429)
        checks.equal("its code", answer.json["error"]["code"], "insufficient_quota")
        checks.true("which limit, what is left", "$0.002000 a day" in answer.json["error"]["message"] and "left" in answer.json["error"]["message"], answer.json)
        checks.true("when to come back", int(answer.headers.get("retry-after", 0)) > 80000, answer.headers)
    limit = usage_of(gateway, key)["nano_usd", "day"]
    checks.true("not overspent", limit["used"] <= budget and limit["reserved"] == 0, limit)
    checks.equal("settled at what it came to", limit["used"], len(done) * (10 * INPUT_PRICE + 100 * OUTPUT_PRICE))
    has_room = budget - limit["used"] >= 70_000
    again = [gateway.chat(MODEL, "More", bearer(key["key"]), max_tokens=100).status for _ in range(12)]
    limit = usage_of(gateway, key)["nano_usd", "day"]
    checks.true("what was not used is there again, to the limit", again.count(200) >= has_room and limit["used"] <= budget, (again, limit))
    status, verified, _ = gateway.verify()
    checks.equal("verify while it runs", (status, verified["counters"], verified["counters_busy"], verified["mismatches"]), (0, 1, 0, 0))
    checks.equal("stops", gateway.stop(), 0)
    rows = gateway.rows()
    checks.equal("a row each", len(rows), 212)
    checks.equal("counter = ledger", limit["used"], sum(r["cost_nano_usd"] for r in rows if r["key"] == key["id"]))
    checks.true("refusals have no calls", all(not r["calls"] and r["tenant"] == "acme" for r in rows if r["result"] == "POLICY_QUOTA"))
    checks.equal("verify", gateway.verify()[0], 0)


def each_limit(checks, world):
    upstream = world.script([{"body": completion(prompt_tokens=10, completion_tokens=20)}])
    gateway = world.gateway(upstream, {"models": {"short": {"upstream_name": MODEL, "output_tokens_max": 50}}})
    few, _ = create(gateway, "--tenant", "few", "--requests-per-minute", "3")
    first = gateway.chat(MODEL, "Hi", bearer(few["key"]))
    checks.equal("headers", [first.headers.get(f"x-ratelimit-{name}-requests") for name in ("limit", "remaining")], ["3", "2"])
    checks.true("reset", first.headers["x-ratelimit-reset-requests"] in ("1m0s", "1m1s", "60s", "59s"), first.headers)
    checks.true("no headers of what is not limited", "x-ratelimit-limit-tokens" not in first.headers)
    answers = [gateway.chat(MODEL, "Hi", bearer(few["key"])) for _ in range(4)]
    checks.equal("three a minute", [a.status for a in answers], [200, 200, 429, 429])
    checks.error("refusal", answers[-1], 429)
    checks.equal("code, type", (answers[-1].json["error"]["code"], answers[-1].json["error"]["type"]), ("rate_limit_exceeded", "rate_limit_error"))
    checks.true("retry-after", 50 <= int(answers[-1].headers["retry-after"]) <= 61, answers[-1].headers)

    # What one limit refuses counts with no other, and is no call.
    both, _ = create(gateway, "--tenant", "both", "--requests-per-minute", "9", "--tokens-per-minute", "10")
    calls = calls_made(gateway)
    for model in (MODEL, "weir/direct"):
        checks.error(f"refused by tokens, {model}", gateway.chat(model, "Hi", bearer(both["key"])), 429)
    checks.equal("no request was taken", usage_of(gateway, both)["requests", "minute"]["used"], 0)
    checks.equal("no call was made by the one that was only relayed", calls_made(gateway) - calls, 1)

    # Without max_tokens in the request (requirement 9): an output of so many tokens is assumed.
    tight, _ = create(gateway, "--tenant", "tight", "--tokens-per-minute", "4000")
    checks.error("the worst case does not fit", gateway.chat(MODEL, "Hi", bearer(tight["key"])), 429)
    checks.true("which no waiting helps", "retry-after" not in gateway.chat(MODEL, "Hi", bearer(tight["key"])).headers)
    wide, _ = create(gateway, "--tenant", "wide", "--tokens-per-minute", "4155")
    answers = [gateway.chat(MODEL, "Hi", bearer(wide["key"])) for _ in range(4)]
    checks.equal("until what was used leaves no room for it", [a.status for a in answers], [200, 200, 429, 429])
    limit = usage_of(gateway, wide)["tokens", "minute"]
    checks.equal("used", (limit["used"], limit["reserved"]), (60, 0))
    checks.equal("remaining", answers[-1].headers["x-ratelimit-remaining-tokens"], "4095")
    checks.equal("strategies too", gateway.chat("weir/direct", "What is 2 + 2?", bearer(wide["key"])).status, 200)
    # Every one of n answers may be as long as that, and a model says what it may give when the request does not.
    several, _ = create(gateway, "--tenant", "several", "--tokens-per-minute", "400")
    ask = lambda model=MODEL, **more: gateway.chat(model, "Hi", bearer(several["key"]), **more).status
    checks.equal("n answers", (ask(max_tokens=100, n=4), ask(max_tokens=100, n=3), ask(max_tokens=2**62, n=2)), (429, 200, 429))
    checks.equal("a model's own maximum", (ask("short"), ask()), (200, 429))
    strict, _ = create(gateway, "--tenant", "strict", "--tokens-per-minute", "40")
    answer = gateway.chat("weir/hrm_trm", "What is 2 + 2?", bearer(strict["key"]))
    checks.error("a strategy whose first call does not fit", answer, 429)
    checks.equal("takes nothing", usage_of(gateway, strict)["tokens", "minute"]["used"], 0)

    unpriced, _ = create(gateway, "--tenant", "dollars", "--budget-usd", "5")
    checks.equal("a month, if nothing is said", list(usage_of(gateway, unpriced)), [("nano_usd", "month")])
    checks.equal("stops", gateway.stop(), 0)
    tight_rows = [r["result"] for r in gateway.rows() if r["tenant"] == "tight"]
    checks.equal("rows of the refused", tight_rows, ["POLICY_LIMIT"] * 2)


def at_once_and_not_more(checks, world):
    upstream = world.script([{"events": stream(["a", "b"]), "stall_after_events": 2, "stall_ms": 600000}])
    gateway = world.gateway(upstream, {"timeout_seconds": 3000, "upstream": {"idle_timeout_seconds": 2000}})
    key, _ = create(gateway, "--tenant", "acme", "--concurrent", "2", "--tokens-per-minute", "100000")
    from streams import Leaver
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], "stream": True}
    leavers = [Leaver(gateway, body, bearer(key["key"])) for _ in range(2)]
    for leaver in leavers:
        leaver.read_events(1)
    limits = usage_of(gateway, key)
    checks.equal("two at work", (limits["concurrent", None]["used"], limits["concurrent", None]["left"]), (2, 0))
    checks.true("their worst case is reserved", limits["tokens", "minute"]["reserved"] > 8000, limits)
    answer = gateway.chat(MODEL, "Hi", bearer(key["key"]), stream=True)
    checks.error("a third", answer, 429)
    checks.equal("comes back soon", answer.headers["retry-after"], "1")
    for leaver in leavers:
        leaver.leave()
    checks.true("left: nothing is held", harness.wait_until(lambda: all(limit["reserved"] == 0 for limit in usage_of(gateway, key).values())), usage_of(gateway, key))
    used = usage_of(gateway, key)["tokens", "minute"]["used"]
    checks.equal("stops", gateway.stop(), 0)
    tokens = sum(r["input_tokens"] + r["output_tokens"] for r in gateway.rows() if r["key"] == key["id"])
    checks.equal("counter = ledger", used, tokens)


def what_fails_gives_back(checks, world):
    """Time that runs out, providers that fail or are not there, and what is cut at the end: nothing stays reserved."""
    upstream = world.script([{"body": completion(), "delay_ms": 600000}, {"status": 500, "body": {}}, {"body": {"no": "answer"}},
                             {"events": stream(["a", "b"]), "cut_after_events": 2}])
    gateway = world.gateway(upstream, {"timeout_seconds": 0.5})
    key, _ = create(gateway, "--tenant", "acme", "--tokens-per-minute", "1000000", "--budget-usd", "9", "--per", "day", "--concurrent", "5")
    statuses = [gateway.chat(MODEL, "Hi", bearer(key["key"]), stream=n == 3, max_tokens=9).status for n in range(4)]
    checks.equal("each fails in its way", statuses, [504, 502, 502, 200])
    limits = usage_of(gateway, key)
    checks.equal("nothing is reserved", [limit["reserved"] for limit in limits.values()], [0, 0, 0])
    upstream.process.stop()
    checks.equal("nobody is there", gateway.chat(MODEL, "Hi", bearer(key["key"])).status, 502)
    checks.equal("and that costs nothing", usage_of(gateway, key), limits)
    checks.equal("verify: counters", gateway.verify()[1]["counters"], 1)
    checks.equal("stops", gateway.stop(), 0)
    rows = gateway.rows()
    for of, ledger in [("tokens", "input_tokens"), ("nano_usd", "cost_nano_usd")]:
        [used] = [limit["used"] for (kind, _), limit in limits.items() if kind == of]
        checks.equal(f"{of}: counter = ledger", used, sum(row[ledger] + (row["output_tokens"] if of == "tokens" else 0) for row in rows))


def tenants(checks, world):
    """Two keys of a tenant share its limits, each within its own; another tenant's are another's."""
    upstream = world.script([{"body": completion(prompt_tokens=10, completion_tokens=20)}])
    gateway = world.gateway(upstream, {"tenants": {"acme": {"requests_per_minute": 4, "budget_usd": 1, "budget_per": "day"}}})
    first, _ = create(gateway, "--tenant", "acme", "--requests-per-minute", "3")
    second, _ = create(gateway, "--tenant", "acme")
    other, _ = create(gateway, "--tenant", "other")
    statuses = [gateway.chat(MODEL, "Hi", bearer(key["key"])).status for key in [first] * 4 + [second] * 3 + [other] * 5]
    checks.equal("its own limit, then the tenant's", statuses, [200] * 3 + [429] + [200] + [429] * 2 + [200] * 5)
    limits = [(limit["of"], limit["used"], limit["is_tenants"]) for limit in admin(gateway, "GET", "keys").json["data"][0]["limits"]]
    cost = 10 * INPUT_PRICE + 20 * OUTPUT_PRICE
    checks.equal("refused by one, taken from neither", limits, [("requests", 3, False), ("requests", 4, True), ("nano_usd", 4 * cost, True)])
    gateway.process.kill()
    gateway.start()
    limits = [(limit["of"], limit["used"]) for limit in admin(gateway, "GET", "keys").json["data"][1]["limits"]]
    checks.equal("after kill -9, as the ledger has it", limits, [("requests", 4), ("nano_usd", 4 * cost)])
    checks.equal("and still refused", gateway.chat(MODEL, "Hi", bearer(second["key"])).status, 429)


def unpriced_models(checks, world):
    upstream = world.script([{"body": completion()}])
    gateway = world.gateway(upstream, {"models": {"local": {"provider": "test"}}})
    key, _ = create(gateway, "--tenant", "acme", "--budget-usd", "5", "--per", "day")
    answer = gateway.chat("local", "Hi", bearer(key["key"]))
    checks.error("no price, no budget", answer, 429)
    checks.true("and it says so", "no price" in answer.json["error"]["message"], answer.json)
    checks.equal("priced ones go on", gateway.chat(MODEL, "Hi", bearer(key["key"])).status, 200)


def killed(checks, world):
    """kill -9 at random instants under load: after each start the counters are what the ledger says, and at the end nothing was overspent."""
    rounds = int(world.arguments[0]) if world.arguments else 10
    chance = random.Random(20261125)
    upstream = world.upstream("echo", "--delay-ms", "5", "--delta-interval-ms", "1")
    gateway = world.gateway(upstream, {"server": {"workers": 2}}, start=False)
    gateway.start()
    budget = 3_000_000
    rich, _ = create(gateway, "--tenant", "acme", "--tokens-per-minute", "100000000", "--budget-usd", "100", "--per", "month")
    poor, _ = create(gateway, "--tenant", "poor", "--budget-usd", "0.003", "--per", "day")
    stopping = threading.Event()

    def ask(number):
        turn = 0
        while not stopping.is_set():
            turn += 1
            key = (rich, poor)[(number + turn) % 2]
            try:
                gateway.chat((MODEL, "weir/direct")[turn % 3 == 0], "What is 2 + 2?", bearer(key["key"]), stream=turn % 5 == 0, max_tokens=50)
            except Exception:
                time.sleep(0.005)

    threads = [threading.Thread(target=ask, args=(n,), daemon=True) for n in range(6)]
    for thread in threads:
        thread.start()
    for number in range(rounds):
        time.sleep(chance.uniform(0.02, 0.4))
        gateway.process.kill()
        gateway.start()
    stopping.set()
    for thread in threads:
        thread.join()
    gateway.process.kill()
    checks.equal("verify", gateway.verify()[0], 0)
    rows = gateway.rows()
    gateway.start()
    status, verified, errors = gateway.verify()
    checks.equal("verify: counters", (status, verified["counters"], verified["counters_busy"]), (0, 2, 0))
    for key in (rich, poor):
        mine = [r for r in rows if r["key"] == key["id"] and r["result"] not in ("POLICY_LIMIT", "POLICY_QUOTA")]
        limits = usage_of(gateway, key)
        cost = sum(r["cost_nano_usd"] for r in mine)
        name = "rich" if key is rich else "poor"
        [limit] = [v for (of, _), v in limits.items() if of == "nano_usd"]
        checks.true(f"{name}: there was load", len(mine) > 20, len(mine))
        checks.equal(f"{name}: counter = ledger, nothing held", (limit["used"], limit["reserved"]), (cost, 0))
    checks.true("interrupted calls are among them", any(r["result"] == "WEIR_INTERRUPTED" for r in rows))
    checks.true("never overspent", cost <= budget, cost)


def main(world, checks):
    parallel_at_the_limit(checks, world)
    each_limit(checks, world)
    at_once_and_not_more(checks, world)
    what_fails_gives_back(checks, world)
    tenants(checks, world)
    unpriced_models(checks, world)
    killed(checks, world)


if __name__ == "__main__":
    harness.run(main)
