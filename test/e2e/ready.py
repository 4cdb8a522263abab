#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Readiness: a gateway is ready while its ledger takes rows, control.db can be used and a provider answers: ready.py WEIR"""
import http.server
import json
import resource
import threading
import urllib.request

import harness
from harness import Upstream, completion, free_port, http_status, wait_until

OFTEN = {"server": {"ready_probe_seconds": 0.1}}
SELDOM = {"server": {"ready_probe_seconds": 3600}}


def get(url, accept="*/*"):
    """(status, JSON) whatever the status."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers={"accept": accept}), timeout=20) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def ready(gateway, words="", **options):
    return get(f"http://127.0.0.1:{gateway.admin_port}/readyz{words}", **options)


def faults(gateway):
    """The parts that keep it from being ready."""
    return [part["name"] for part in ready(gateway)[1].get("parts", [])]


def is_ready(gateway):
    return ready(gateway)[0] == 200


def is_alive(gateway):
    return [http_status(f"http://127.0.0.1:{port}/healthz") for port in (gateway.port, gateway.admin_port)] == [200, 200]


def upstream_at(world, port):
    process = world.start(["upstream", "--mode", "echo", "--listen", f"127.0.0.1:{port}"], world.path("upstream.log"))
    process.wait_for(f"http://127.0.0.1:{port}/v1/models")
    return Upstream(process, port)


class Fickle:
    """A provider whose list of models is answered with any status, or not at all; chats are always answered."""

    def __init__(self, status):
        self.status, self.asked, self.keys = status, 0, set()
        self.release = threading.Event()
        fickle = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self, status, body):
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                fickle.asked += 1
                fickle.keys.add((self.path, self.headers.get("authorization"), self.headers.get("x-api-key")))
                if fickle.status is None:
                    fickle.release.wait()
                    return
                self.answer(fickle.status, b'{"data": []}')

            def do_POST(self):
                self.rfile.read(int(self.headers["content-length"]))
                self.answer(200, json.dumps(completion()).encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def provider_goes_and_comes(world, checks):
    port = free_port()
    gateway = world.gateway(port, OFTEN, ready=False)
    checks.true("nobody there: not ready", wait_until(lambda: ready(gateway)[1]["status"] == "not_ready"))
    status, answer = ready(gateway)
    part = answer["parts"][0]
    checks.equal("which part", (status, [p["name"] for p in answer["parts"]], part["ok"]), (503, ["provider"], False))
    checks.true("since when, and why", part["since"].startswith("2") and "cannot be reached" in part["detail"], part)
    checks.true("it lives all the same", is_alive(gateway))
    upstream = upstream_at(world, port)
    checks.true("ready once it is there", wait_until(lambda: is_ready(gateway)))
    checks.equal("a short answer", ready(gateway)[1], {"status": "ready"})
    for name, (_, answer) in {"?verbose": ready(gateway, "?verbose"), "JSON": ready(gateway, accept="application/json")}.items():
        checks.equal(f"{name}: all parts", [(p["name"], p["ok"]) for p in answer["parts"]],
                     [("ledger", True), ("control", True), ("provider", True)])
    _, public = get(f"http://127.0.0.1:{gateway.port}/readyz?verbose")
    checks.true("who needs no key is told no details", len(public["parts"]) == 3 and all("detail" not in p for p in public["parts"]), public)
    with urllib.request.urlopen(f"http://127.0.0.1:{gateway.admin_port}/metrics", timeout=20) as answer:
        checks.true("a gauge for each part", 'weir_ready{part="provider"} 1' in answer.read().decode())
    upstream.process.stop()
    checks.true("not ready when it goes", wait_until(lambda: faults(gateway) == ["provider"]))
    upstream_at(world, port)
    checks.true("and ready when it is back", wait_until(lambda: is_ready(gateway)))
    gateway.stop()
    log = gateway.process.output()
    checks.true("the log has the turns", log.count("not ready") >= 2 and "part=provider" in log and not harness.has_secret(log), log[-800:])


def what_counts_as_an_answer(world, checks):
    fickle = Fickle(403)
    gateway = world.gateway(fickle, OFTEN, ready=False)
    for status, wanted in ((403, False), (500, True), (401, False), (429, True), (404, True), (200, True)):
        fickle.status = status
        checks.true(f"{status}: {'ready' if wanted else 'not ready'}", wait_until(lambda: is_ready(gateway) == wanted))
    checks.equal("it is asked with its key", fickle.keys, {("/v1/models", f"Bearer {harness.PROVIDER_KEY}", None)})


def a_key_in_the_dialects_own_way(world, checks):
    fickle = Fickle(200)
    provider = {"test": {"base_url": f"http://127.0.0.1:{fickle.port}/v1", "dialect": "anthropic", "api_key": "env:WEIR_E2E_PROVIDER_KEY"}}
    gateway = world.gateway(fickle, {**OFTEN, "providers": provider}, ready=False)
    checks.true("ready", wait_until(lambda: is_ready(gateway)))
    checks.equal("Anthropic is asked with x-api-key", fickle.keys, {("/v1/models", None, harness.PROVIDER_KEY)})


def whose_providers_count(world, checks):
    up, down = world.upstream("echo").port, free_port()
    providers = {name: {"base_url": f"http://127.0.0.1:{port}/v1"} for name, port in (("up", up), ("down", down))}
    unused = world.gateway(down, {**SELDOM, "providers": providers}, ready=False)
    checks.true("one that no model uses is nobody's", wait_until(lambda: faults(unused) == ["provider"]
                                                                 and ready(unused)[1]["status"] == "not_ready"))
    several = world.gateway(down, {**SELDOM, "providers": providers, "models": {"m": {"provider": "up"}}}, ready=False)
    checks.true("one of several is enough", wait_until(lambda: is_ready(several)))
    checks.true("and which is down is said", wait_until(
        lambda: "1 of 2 answer; 'test': " in ready(several, "?verbose")[1]["parts"][2]["detail"]), ready(several, "?verbose"))


def asked_seldom(world, checks):
    fickle = Fickle(403)
    gateway = world.gateway(fickle, SELDOM, ready=False)
    checks.true("a refused key", wait_until(lambda: faults(gateway) == ["provider"]))
    answers = {ready(gateway, "?verbose")[0] for _ in range(200)}
    checks.equal("asking readiness asks no provider", (answers, fickle.asked), ({503}, 1))
    checks.equal("a query is answered", gateway.chat("weir/direct", "What is 1 + 1?").status, 200)
    checks.true("which shows that it is there", wait_until(lambda: is_ready(gateway)))
    checks.equal("without another probe", fickle.asked, 1)


def a_silent_provider(world, checks):
    fickle = Fickle(None)
    gateway = world.gateway(fickle, SELDOM, ready=False)
    checks.true("it was asked", wait_until(lambda: fickle.asked == 1))
    checks.true("only its answer is missing", wait_until(lambda: faults(gateway) == ["provider"]))
    checks.equal("until then: starting", (ready(gateway)[0], ready(gateway)[1]["status"]), (503, "starting"))
    checks.true("alive, and serving", is_alive(gateway) and gateway.chat("weir/direct", "What is 1 + 1?").status == 200)
    fickle.release.set()


def providers_that_need_not_be(world, checks):
    gateway = world.gateway(free_port(), {"server": {"ready_probe_seconds": 0.1, "ready_needs_provider": False}})
    wait_until(lambda: "cannot be reached" in json.dumps(ready(gateway, "?verbose")[1]))
    status, answer = ready(gateway, "?verbose")
    checks.equal("shown, not counted", (status, [(p["name"], p["ok"], p["required"]) for p in answer["parts"]]),
                 (200, [("ledger", True, True), ("control", True, True), ("provider", False, False)]))


def a_broken_store(world, checks):
    gateway = world.gateway(world.upstream("echo"), OFTEN)
    away = gateway.ledger.with_suffix(".away")
    gateway.ledger.rename(away)
    checks.true("the ledger's directory is gone", wait_until(lambda: "ledger" in faults(gateway)))
    checks.true("it lives", is_alive(gateway))
    away.rename(gateway.ledger)
    checks.true("and is back", wait_until(lambda: is_ready(gateway)))

    checks.equal("a query is answered", gateway.chat("weir/direct", "What is 1 + 1?").status, 200)
    process = gateway.process.child.pid
    before = resource.prlimit(process, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    checks.true("no file may grow", wait_until(lambda: "ledger" in faults(gateway)))
    checks.error("a query that cannot be recorded", gateway.chat("weir/direct", "What is 1 + 1?"), 503)
    resource.prlimit(process, resource.RLIMIT_FSIZE, before)
    checks.true("there is room again", wait_until(lambda: is_ready(gateway)))
    checks.equal("and queries are answered", gateway.chat("weir/direct", "What is 1 + 1?").status, 200)
    checks.equal("stops", gateway.stop(), 0)
    checks.equal("the ledger is sound", gateway.verify()[0], 0)
    calls = [call for row in gateway.rows() for call in row["calls"]]
    checks.equal("what never left has no attempt, no status and no cost",
                 [(call["attempts"], call["http_status"], call["cost_nano_usd"]) for call in calls if call["result"] == "WEIR_STORE"],
                 [(0, 0, 0)])


def main(world, checks):
    provider_goes_and_comes(world, checks)
    what_counts_as_an_answer(world, checks)
    a_key_in_the_dialects_own_way(world, checks)
    whose_providers_count(world, checks)
    asked_seldom(world, checks)
    a_silent_provider(world, checks)
    providers_that_need_not_be(world, checks)
    a_broken_store(world, checks)


if __name__ == "__main__":
    harness.run(main)
