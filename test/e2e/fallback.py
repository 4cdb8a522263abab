#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fallbacks beyond the failover wall: who may fall back, which error survives, what it costs; a breaker's life seen from outside;
several keys."""
import urllib.request

import harness
from harness import chunk, completion, free_port, http_json, stream, wait_until
from keys import bearer, create
from limits import at_once

FOREVER = 0
ERROR = {"error": {"message": "something", "type": "x", "param": None, "code": None}}
DOWN = {"status": 500, "body": ERROR, "repeat": FOREVER}
NOBODY = free_port()


def provider(upstream, **members):
    return {"base_url": f"http://127.0.0.1:{getattr(upstream, 'port', upstream)}/v1", **members}


def gateway_of(world, providers, models, **extra):
    config = {"providers": providers, "models": models, "timeout_seconds": 8, "server": {"ready_needs_provider": False},
              "upstream": {"backoff_seconds": 0.01, "first_byte_timeout_seconds": 1, "idle_timeout_seconds": 1}, **extra}
    return world.gateway(NOBODY, config)


def chains(checks, world):
    refuses = world.script([{"status": 400, "body": ERROR, "repeat": FOREVER}])
    lacks = world.script([{"status": 404, "body": ERROR, "repeat": FOREVER}])
    down, busy = world.script([DOWN]), world.script([{"status": 503, "body": ERROR, "repeat": FOREVER}])
    good = world.script([{"body": completion("good", 100, 10), "repeat": FOREVER}])
    gateway = gateway_of(
        world, {"refuses": provider(refuses), "lacks": provider(lacks), "down": provider(down), "busy": provider(busy), "good": provider(good)},
        {"asks-wrongly": {"provider": "refuses", "fallback": ["gpt-4o"]}, "unknown": {"provider": "lacks", "fallback": ["gpt-4o"]},
         "a": {"provider": "down", "fallback": ["b", "c"]}, "b": {"provider": "busy", "fallback": ["c"]}, "c": {"provider": "busy"},
         "nested": {"provider": "down", "fallback": ["b2"]}, "b2": {"provider": "busy", "fallback": ["gpt-4o"]},
         "gpt-4o": {"provider": "good", "output_tokens_max": 50000}, "weir-model": {"provider": "down", "fallback": ["gpt-4o"]}},
        max_retries=1, breaker={"failures": 0})
    checks.error("a request that is wrong is wrong everywhere", gateway.chat("asks-wrongly", "Hi"), 400)
    checks.equal("a model that is not there", gateway.chat("unknown", "Hi").text, "good")
    checks.error("all fail: the error of the model that was asked for", gateway.chat("a", "Hi"), 502)
    seen = len(down.requests()), len(busy.requests())
    # a: 2 attempts; b and c: one each, and the budget is used up. Each model once, though b names c too.
    checks.equal("one budget of attempts", seen, (2, 2))
    checks.equal("a chain goes on", gateway.chat("nested", "Hi").headers["x-weir-model"], "gpt-4o")
    before = len(good.requests())
    answer = gateway.chat("nested", "Hi", {"x-weir-fallback": "off"})
    checks.error("who forbids it gets the error", answer, 502)
    checks.equal("and nobody else is asked", len(good.requests()), before)
    answer = gateway.post({"model": "weir/direct", "messages": [{"role": "user", "content": "Hi"}], "weir": {"model": "weir-model"}})
    checks.equal("a strategy's call falls back", answer.status, 200)
    checks.equal("under the other's name", good.requests()[-1]["model"], "gpt-4o")
    checks.equal("stops", gateway.stop(), 0)
    rows(checks, gateway)


def rows(checks, gateway):
    found = {}
    for row in gateway.rows():
        found.setdefault(row["requested_model"], row)
    row = found["a"]
    checks.equal("all fail: row", (row["result"], row["http_status"], row["model"]), ("PROVIDER_FAILED", 502, "a"))
    checks.equal("all fail: calls", [(call["model"], call["attempts"], call["result"]) for call in row["calls"]],
                 [("a", 2, "PROVIDER_FAILED"), ("b", 1, "PROVIDER_OVERLOADED"), ("c", 1, "PROVIDER_OVERLOADED")])
    row = found["nested"]
    checks.equal("requested and served", (row["model"], [call["model"] for call in row["calls"]]), ("gpt-4o", ["nested", "b2", "gpt-4o"]))
    checks.equal("the price is the one's that answered", row["calls"][2]["cost_nano_usd"], 100 * 2500 + 10 * 10000)
    checks.equal("what it may cost at worst, too", row["calls"][2]["reserved_nano_usd"] // (50000 * 10000), 1)
    checks.equal("a wrong request: one call", len(found["asks-wrongly"]["calls"]), 1)
    checks.equal("ledger verify", gateway.verify()[0], 0)


CLAUDE = {"id": "msg_1", "type": "message", "role": "assistant", "model": "c", "content": [{"type": "text", "text": "from the other"}],
          "stop_reason": "end_turn", "usage": {"input_tokens": 12, "output_tokens": 3}}


def dialects(checks, world):
    """The request goes on in the other provider's own words, and the answer comes back in the client's; a strategy's call too."""
    down, other = world.script([DOWN]), world.script([{"body": CLAUDE, "repeat": FOREVER}])
    gateway = gateway_of(
        world, {"down": provider(down), "other": provider(other, dialect="anthropic", api_key="env:WEIR_E2E_PROVIDER_KEY")},
        {"a": {"provider": "down", "fallback": ["claude"]}, "claude": {"provider": "other", "upstream_name": "claude-3"}},
        max_retries=0, breaker={"failures": 0})
    answer = gateway.chat("a", "Hi")
    checks.equal("another dialect answers", (answer.status, answer.text, answer.headers["x-weir-model"]), (200, "from the other", "claude"))
    sent = other.requests()[-1]
    checks.equal("under the name that its provider knows", sent["model"], "claude-3")
    answer = gateway.post({"model": "weir/direct", "messages": [{"role": "user", "content": "Hi"}], "weir": {"model": "a"}})
    checks.equal("a strategy's call too", (answer.status, answer.json["choices"][0]["message"]["content"]), (200, "from the other"))
    checks.equal("stops", gateway.stop(), 0)


def first_error(checks, world):
    """A wait that is longer than a backoff is left for the fallback; when that fails too, all that is said is the first one's."""
    said = {"error": {"message": "first is busy", "type": "x", "param": None, "code": None}}
    limited = world.script([{"status": 429, "headers": {"retry-after": "5"}, "body": said, "repeat": FOREVER}])
    down = world.script([DOWN])
    gateway = gateway_of(world, {"limited": provider(limited), "down": provider(down)},
                         {"m": {"provider": "limited", "fallback": ["n"]}, "n": {"provider": "down"}}, max_retries=1)
    answer = gateway.chat("m", "Hi")
    checks.error("first error", answer, 429)
    checks.equal("its text and its wait", (answer.json["error"]["message"], answer.headers.get("retry-after")), ("first is busy", "5"))
    # Of the budget of 2 + 1 attempts the first took one and left two.
    checks.equal("no long wait where somebody else can be asked", (len(limited.requests()), len(down.requests())), (1, 2))
    checks.equal("first error: stops", gateway.stop(), 0)


def refused_fallback(checks, world):
    """A fallback that a key's budget does not carry is not asked, and the client gets what the first one said."""
    down = world.script([{**DOWN, "body": {"error": {"message": "first is down", "type": "x", "param": None, "code": None}}}])
    good = world.script([{"events": stream(["a", "b"])}])
    gateway = gateway_of(world, {"down": provider(down), "good": provider(good)},
                         {"gpt-4o-mini": {"provider": "down", "fallback": ["unpriced"]}, "gpt-4o": {"provider": "good"},
                          "unpriced": {"provider": "good"}}, max_retries=0, breaker={"failures": 0})
    key, _ = create(gateway, "--tenant", "acme", "--budget-usd", "5", "--per", "day")
    # So that the next calls are made of ones whose answers were given away.
    at_once(2, lambda _: gateway.chat("gpt-4o", "Hi", bearer(key["key"]), stream=True))
    answer = gateway.chat("gpt-4o-mini", "Hi", bearer(key["key"]))
    checks.equal("refused fallback", (answer.status, answer.json["error"]["message"]), (502, "first is down"))
    checks.equal("it is not asked", len(good.requests()), 2)
    checks.equal("refused fallback: stops", gateway.stop(), 0)
    calls = gateway.rows()[-1]["calls"]
    checks.equal("refused fallback: calls", [(call["attempts"], call["result"]) for call in calls], [(1, "PROVIDER_FAILED"), (0, "POLICY_QUOTA")])


def never_left(checks, world):
    """A call that no budget carries says nothing of what an earlier query's call met."""
    said = {"error": {"message": "of somebody else", "type": "x", "param": None, "code": None}}
    down = world.script([{"status": 400, "body": said, "repeat": FOREVER}])
    gateway = gateway_of(world, {"down": provider(down)}, {"gpt-4o": {"provider": "down"}}, budget={"usd_max": 0.0001})
    checks.equal("what it said", gateway.chat("gpt-4o", "Hi").json["error"]["message"], "of somebody else")
    answer = gateway.post({"model": "weir/direct", "messages": [{"role": "user", "content": "Hi"}], "weir": {"model": "gpt-4o"}})
    checks.true("is said to nobody else", answer.status != 200 and "somebody" not in answer.body.decode(), answer.body)
    checks.equal("never left: stops", gateway.stop(), 0)


def tried_again(checks, world):
    """What a broken stream had said of its usage is not the next attempt's."""
    usage = chunk(usage={"prompt_tokens": 99999, "completion_tokens": 99999, "total_tokens": 199998})
    events = [chunk({"role": "assistant", "content": "four"}), chunk({}, "stop"), "[DONE]"]
    gateway = gateway_of(world, {"p": provider(world.script([{"events": [usage], "cut_after_events": 1}, {"events": events}]))},
                         {"m": {"provider": "p"}}, max_retries=1)
    checks.equal("a stream that broke before its first event is tried again", gateway.chat("m", "Hi", stream=True).streamed_text(), "four")
    checks.equal("tried again: stops", gateway.stop(), 0)
    call = gateway.rows()[0]["calls"][0]
    checks.true("tried again: usage", call["attempts"] == 2 and "99999" not in str(call), call)


def one_deadline(checks, world):
    """A provider that hangs may take its own share of the time alone; the deadline covers the whole chain."""
    silent = world.script([{"body": completion(), "delay_ms": 600000, "repeat": FOREVER}])
    good = world.script([{"body": completion("good"), "repeat": FOREVER}])
    gateway = gateway_of(world, {"hasty": provider(silent, timeout_seconds=1), "patient": provider(silent, first_byte_timeout_seconds=600),
                                 "good": provider(good)},
                         {"hasty": {"provider": "hasty", "fallback": ["good"]}, "patient": {"provider": "patient", "fallback": ["good"]},
                          "good": {"provider": "good"}}, timeout_seconds=3, max_retries=5, upstream={"first_byte_timeout_seconds": 600})
    checks.equal("its share of the time is over", gateway.chat("hasty", "Hi").text, "good")
    before = len(good.requests())
    checks.error("no time is left for a fallback", gateway.chat("patient", "Hi"), 504)
    checks.equal("so none is asked", len(good.requests()), before)
    checks.equal("deadline: stops", gateway.stop(), 0)


def breakers_of(gateway):
    return {row["provider"]: row for row in http_json(f"http://127.0.0.1:{gateway.admin_port}/admin/v1/breakers")[1]["breakers"]}


def breaker(checks, world):
    """Opens, is probed by one, comes back; without a fallback the client is told."""
    sick = world.script([{"status": 500, "body": ERROR, "repeat": 6}, {"body": completion("well"), "repeat": FOREVER}])
    gateway = gateway_of(world, {"sick": provider(sick)}, {"m": {"provider": "sick"}}, max_retries=0,
                         breaker={"failures": 5, "open_seconds": 0.3, "open_max_seconds": 30, "ramp_seconds": 0.3})
    for _ in range(5):
        checks.error("it fails", gateway.chat("m", "Hi"), 502)
    answer = gateway.chat("m", "Hi")
    checks.error("left alone", answer, 503)
    checks.equal("and said so", answer.json["error"]["code"], "provider_resting")
    checks.equal("nobody was sent there", len(sick.requests()), 5)
    checks.equal("operators see it", (breakers_of(gateway)["sick"]["state"], breakers_of(gateway)["sick"]["opened"]), ("open", 1))
    metrics = urllib.request.urlopen(f"http://127.0.0.1:{gateway.admin_port}/metrics").read().decode()
    checks.true("metrics too", 'weir_breaker_state{provider="sick",model="m",key="0"} 1' in metrics
                and 'weir_breaker_opened_total{provider="sick",model="m",key="0"} 1' in metrics)
    checks.true("a probe fails: it opens again", wait_until(lambda: gateway.chat("m", "Hi").status == 502))
    checks.equal("for twice as long", len(sick.requests()), 6)
    checks.true("a probe succeeds", wait_until(lambda: gateway.chat("m", "Hi").status == 200))
    requests = sick.requests()
    checks.true("the second pause was the longer one", requests[6]["at_ms"] - requests[5]["at_ms"] >= 600 - 1, requests[4:])
    checks.equal("where nobody else can answer a ramp refuses nobody", [gateway.chat("m", "Hi").status for _ in range(5)], [200] * 5)
    checks.true("and it closes", wait_until(lambda: gateway.chat("m", "Hi").status == 200 and breakers_of(gateway)["sick"]["state"] == "closed"))
    checks.equal("breaker: stops", gateway.stop(), 0)


def ramp(checks, world):
    """With a fallback, one that comes back gets a growing share, not all at once."""
    sick = world.script([{"status": 500, "body": ERROR, "repeat": 5}, {"body": completion("first"), "repeat": FOREVER}])
    good = world.script([{"body": completion("second"), "repeat": FOREVER}])
    gateway = gateway_of(world, {"sick": provider(sick), "good": provider(good)},
                         {"m": {"provider": "sick", "fallback": ["other"]}, "other": {"provider": "good"}}, max_retries=0,
                         breaker={"failures": 5, "open_seconds": 0.2, "ramp_seconds": 600})
    for _ in range(5):
        checks.equal("falls back", gateway.chat("m", "Hi").text, "second")
    checks.true("the probe answers", wait_until(lambda: gateway.chat("m", "Hi").text == "first"))
    texts = [gateway.chat("m", "Hi").text for _ in range(81)]
    checks.true("then about one in eight", 9 <= texts.count("first") <= 12, texts.count("first"))
    checks.equal("nobody fails", set(texts), {"first", "second"})
    checks.equal("ramp: stops", gateway.stop(), 0)


def keys(checks, world):
    """429 and 403 on a key go to the next at once; only where all are refused does the client hear of it."""
    limited = {"status": 429, "headers": {"retry-after": "60"}, "body": ERROR}
    upstream = world.script([limited, {"body": completion(), "repeat": 2}, {"status": 403, "body": ERROR}, limited])
    gateway = gateway_of(world, {"p": provider(upstream, api_keys=["env:WEIR_E2E_KEY_A", "env:WEIR_E2E_KEY_B"])}, {"m": {"provider": "p"}},
                         max_retries=0)
    checks.equal("a limited key: the next one answers, without a retry", gateway.chat("m", "Hi").status, 200)
    checks.equal("it rests", gateway.chat("m", "Hi").status, 200)
    answer = gateway.chat("m", "Hi")
    checks.error("both refused", answer, 429)
    checks.equal("keys in order", [request["key"] for request in upstream.requests()], ["keyA", "keyB", "keyB", "keyB", "keyA"])
    checks.true("operators see which key rests", any(row["key_rests_seconds"] > 20 for row in
                http_json(f"http://127.0.0.1:{gateway.admin_port}/admin/v1/breakers")[1]["breakers"]))
    checks.equal("keys: stops", gateway.stop(), 0)
    output = gateway.process.output()
    checks.true("no key in the log", "sk-of-several" not in output)


def main(world, checks):
    chains(checks, world)
    dialects(checks, world)
    first_error(checks, world)
    refused_fallback(checks, world)
    never_left(checks, world)
    tried_again(checks, world)
    one_deadline(checks, world)
    breaker(checks, world)
    ramp(checks, world)
    keys(checks, world)


if __name__ == "__main__":
    harness.run(main)
