#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A configuration read anew while weir serves: under load no request fails, a file that is wrong changes nothing and is said where,
what needs a restart is named; queries under way end under what they began with. And the orderly end: SIGTERM."""
import http.client
import signal
import threading

import harness
from harness import MODEL, completion, http_json, http_status, stream, wait_until

FOREVER = 0


def reload(gateway, method="POST", content_type="application/json"):
    connection = http.client.HTTPConnection("127.0.0.1", gateway.admin_port, timeout=60)
    try:
        connection.request(method, "/admin/v1/config/reload", b"{}", {"content-type": content_type})
        return harness.read_answer(connection)
    finally:
        connection.close()


def rewrite(gateway, old, new):
    text = gateway.config.read_text()
    assert old in text, (old, text)
    gateway.config.write_text(text.replace(old, new))


class Load:
    """Clients that ask all the time until they are stopped."""

    def __init__(self, gateway, clients=4):
        self.gateway, self.stopped, self.answers = gateway, threading.Event(), []
        self.threads = [threading.Thread(target=self.ask) for _ in range(clients)]
        for thread in self.threads:
            thread.start()

    def ask(self):
        while not self.stopped.is_set():
            try:
                answer = self.gateway.chat(MODEL, "Hi")
                self.answers.append((answer.status, answer.text if answer.status == 200 else answer.body[:200]))
            except Exception as error:
                self.answers.append((0, repr(error)))

    def stop(self):
        self.stopped.set()
        for thread in self.threads:
            thread.join()
        return self.answers


def swaps(checks, world):
    first = world.script([{"body": completion("one"), "repeat": FOREVER}])
    second = world.script([{"body": completion("two"), "repeat": FOREVER}])
    gateway = world.gateway(first, {"server": {"workers": 2}})
    load = Load(gateway)
    checks.true("load runs", wait_until(lambda: len(load.answers) > 50))
    ports = [str(first.port), str(second.port)]
    for number in range(10):
        rewrite(gateway, f":{ports[0]}/", f":{ports[1]}/")
        ports.reverse()
        answer = reload(gateway)
        checks.equal(f"reload {number}", (answer.status, answer.json and answer.json["applied"], answer.json and answer.json["needs_restart"]),
                     (200, True, []))
        text = "two" if number % 2 == 0 else "one"
        checks.equal(f"reload {number}: what is asked next runs under it", gateway.chat(MODEL, "Hi").text, text)
        checks.equal(f"reload {number}: stays ready", http_status(f"http://127.0.0.1:{gateway.admin_port}/readyz"), 200)
    answers = load.stop()
    checks.equal("no request failed", [answer for answer in answers if answer[0] != 200], [])
    checks.equal("both answered", {text for _, text in answers}, {"one", "two"})
    broken(checks, gateway)
    restarts(checks, gateway)
    by_signal(checks, gateway, first)
    checks.equal("stops", gateway.stop(), 0)
    checks.equal("a row each", len(gateway.rows()), len(answers) + 10 + 3)
    checks.equal("ledger verify", gateway.verify()[0], 0)


def broken(checks, gateway):
    good = gateway.config.read_text()
    gateway.config.write_text(good + "models: {a: {fallback: [b]}, b: {fallback: [a]}}\n")
    answer = reload(gateway)
    line = good.count("\n") + 1
    checks.equal("a circle: refused", (answer.status, answer.json["applied"], len(answer.json["issues"])), (422, False, 2))
    checks.true("a circle: file, line and column", answer.json["issues"][0].startswith(f"{gateway.config}:{line}:25: "), answer.json)
    checks.true("a circle: in the log too", f"weir.yaml:{line}:25: models.a.fallback goes round" in gateway.process.output())
    for what, status, code in (({"method": "GET"}, 405, "caller_bad_method"), ({"content_type": "text/plain"}, 415, "caller_bad_request")):
        answer = reload(gateway, **what)
        checks.equal(f"{what}: refused", (answer.status, answer.json["error"]["code"], answer.json["error"]["type"]),
                     (status, code, "invalid_request_error"))
    checks.equal("a circle: serves on", gateway.chat(MODEL, "Hi").status, 200)
    gateway.config.write_text(good)


def settings(gateway):
    _, answer = http_json(f"http://127.0.0.1:{gateway.admin_port}/admin/v1/config")
    return answer["hash"], {key["key"]: key["value"] for key in answer["keys"]}


def restarts(checks, gateway):
    before, _ = settings(gateway)
    rewrite(gateway, '"workers": 2', '"workers": 3')
    rewrite(gateway, '"max_retries": 0', '"max_retries": 2')
    answer = reload(gateway)
    shown, values = settings(gateway)
    checks.equal("the settings: what was reloaded, and what waits for a restart as it holds", (values["max_retries"], values["server.workers"]), (2, 2))
    checks.equal("the settings: the hash is the reload's", (shown, shown != before), (answer.json["config_hash"], True))
    rewrite(gateway, '"max_retries": 2', '"max_retries": 0')
    checks.equal("what needs a restart is named", (answer.status, answer.json["needs_restart"]), (200, ["server.workers"]))
    checks.equal("and serves on", gateway.chat(MODEL, "Hi").status, 200)
    rewrite(gateway, '"workers": 3', '"workers": 2')
    good = gateway.config.read_text()
    gateway.config.write_text(good + "tenants: {acme: {concurrent: 1}}\n")
    checks.equal("so are tenants", reload(gateway).json["needs_restart"], ["tenants"])
    gateway.config.write_text(good)
    checks.equal("and no longer when they are as before", reload(gateway).json["needs_restart"], [])


def by_signal(checks, gateway, first):
    rewrite(gateway, '"max_retries": 0', '"max_retries": 1')
    before = gateway.process.output().count("INFO reloaded")
    gateway.process.child.send_signal(signal.SIGHUP)
    checks.true("SIGHUP reloads", wait_until(lambda: gateway.process.output().count("INFO reloaded") > before), gateway.process.output()[-500:])
    checks.equal("SIGHUP: serves on", gateway.chat(MODEL, "Hi").status, 200)


def under_way(checks, world):
    """A stream that began before two reloads ends whole, under what it began with."""
    slow = world.script([{"events": stream(["a ", "b"]), "stall_ms": 1500, "stall_after_events": 2}])
    other = world.script([{"body": completion("other"), "repeat": FOREVER}])
    gateway = world.gateway(slow)
    answers = []
    client = threading.Thread(target=lambda: answers.append(gateway.chat(MODEL, "Hi", stream=True)))
    client.start()
    checks.true("the stream begins", wait_until(lambda: slow.counts()["open"] == 1))
    rewrite(gateway, f":{slow.port}/", f":{other.port}/")
    checks.equal("reload under a stream", reload(gateway).status, 200)
    checks.equal("reload under a stream again", reload(gateway).status, 200)
    checks.equal("the new one answers", gateway.chat(MODEL, "Hi").text, "other")
    client.join()
    checks.equal("the stream ends whole", (answers[0].streamed_text(), answers[0].events()[-1]), ("a b", "[DONE]"))
    checks.equal("stops", gateway.stop(), 0)


def drain(checks, world):
    """SIGTERM: not ready, what is under way ends, what does not end in time is cut; the ledger has a row for each."""
    upstream = world.script([{"events": stream(["a ", "b"]), "stall_ms": 1000, "stall_after_events": 2},
                             {"events": stream(["a ", "b"]), "stall_ms": 600000, "stall_after_events": 2}])
    gateway = world.gateway(upstream, {"server": {"drain_timeout_seconds": 2}, "upstream": {"idle_timeout_seconds": 600}, "timeout_seconds": 600})
    answers = {}
    clients = []
    for number in range(2):
        clients.append(threading.Thread(target=lambda n=number: answers.update({n: gateway.chat(MODEL, "Hi", stream=True)})))
        clients[-1].start()
        checks.true("a stream begins", wait_until(lambda n=number: upstream.counts()["open"] == n + 1))
    gateway.process.child.send_signal(signal.SIGTERM)
    checks.true("not ready while it drains", wait_until(lambda: http_status(f"http://127.0.0.1:{gateway.admin_port}/readyz") == 503))
    for client in clients:
        client.join()
    checks.equal("ends by itself", gateway.process.child.wait(20), 0)
    checks.equal("a stream that ends in time is whole", answers[0].events()[-1], "[DONE]")
    checks.true("one that does not is cut with an error", "error" in answers[1].events()[-1], answers[1].body)
    checks.equal("a row each", sorted(row["result"] for row in gateway.rows()), ["OK", "WEIR_STOPPING"])
    checks.equal("drain: ledger verify", gateway.verify()[0], 0)


def main(world, checks):
    swaps(checks, world)
    under_way(checks, world)
    drain(checks, world)


if __name__ == "__main__":
    harness.run(main)
