# SPDX-License-Identifier: Apache-2.0
"""What the end-to-end tests share: weir's processes in a temporary directory, requests, the ledger's rows, and the count.

    def main(world, checks):
        upstream = world.upstream("echo")
        gateway = world.gateway(upstream)
        checks.equal("answers", gateway.chat("gpt-4o-mini", "Hi").status, 200)

    if __name__ == "__main__":
        harness.run(main)

A test is run as PROGRAM WEIR [ARGUMENT …]; its last line is 'N passed, N failed', and ', N skipped' where something was. No check is about how long something took.
"""
import http.client
import json
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
from processes import Process, free_port, http_json, http_status, to_yaml  # noqa: F401, the tests take them from here

MODEL = "gpt-4o-mini"
PROVIDER_KEY = "sk-provider-secret-8c1f"  # must never be seen in a log or an answer
CLIENT_KEY = "sk-client-secret-27d0"
KEYS = {"WEIR_E2E_KEY_A": "sk-of-several-keyA", "WEIR_E2E_KEY_B": "sk-of-several-keyB"}  # of providers with more than one
PATIENCE = 20  # seconds until something that should happen counts as not happening


# ---- counting ----

class Checks:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def true(self, name, condition, detail=""):
        if condition:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAILED {name}" + (f": {detail}" if detail != "" else ""), file=sys.stderr)
        return bool(condition)

    def equal(self, name, got, want):
        return self.true(name, got == want, f"got {got!r}, want {want!r}")

    def skip(self, reason):
        self.skipped += 1
        print(f"skipped: {reason}", file=sys.stderr)

    def error(self, name, answer, statuses):
        """One of these statuses, in OpenAI's shape of an error, without a secret."""
        statuses = statuses if isinstance(statuses, tuple) else (statuses,)
        error = answer.json.get("error") if isinstance(answer.json, dict) else None
        shape = (isinstance(error, dict) and bool(error.get("message")) and isinstance(error.get("type"), str)
                 and "param" in error and isinstance(error.get("code"), str))
        self.true(name, answer.status in statuses and shape and not has_secret(answer.body.decode(errors="replace")),
                  f"want {statuses}, got {answer.status} {answer.body[:300]!r}")


def has_secret(text):
    return PROVIDER_KEY in text or CLIENT_KEY in text


def run(main):
    checks = Checks()
    try:
        with tempfile.TemporaryDirectory(prefix="weir-e2e-") as directory:
            world = World(pathlib.Path(directory), sys.argv[1], sys.argv[2:])
            try:
                main(world, checks)
            except Exception:
                world.show_logs()
                raise
            finally:
                world.stop(checks)
    except Exception:  # whatever it was, the count is printed
        traceback.print_exc()
        checks.failed += 1
    print(f"{checks.passed} passed, {checks.failed} failed" + (f", {checks.skipped} skipped" if checks.skipped else ""))
    sys.exit(checks.failed > 0)


# ---- processes ----

class World:
    def __init__(self, directory, weir, arguments):
        self.directory, self.weir, self.arguments = directory, pathlib.Path(weir).resolve(), arguments
        self.processes = []
        self.number = 0
        self.defaults = {}  # of each gateway's configuration

    def path(self, name):
        self.number += 1
        return self.directory / f"{self.number}-{name}"

    def start(self, words, log, env=None):
        process = Process([self.weir, *words], log, env)
        self.processes.append(process)
        return process

    def upstream(self, mode, *options):
        port = free_port()
        process = self.start(["upstream", "--mode", mode, "--listen", f"127.0.0.1:{port}", *options],
                             self.path("upstream.log"))
        process.wait_for(f"http://127.0.0.1:{port}/v1/models")
        return Upstream(process, port)

    def script(self, lines):
        """A provider that gives these answers in order, from the first again at the end."""
        path = self.path("script.jsonl")
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return self.upstream(f"script:{path}")

    def gateway(self, upstream, config=None, start=True, ready=True):
        """Upstream: one, or the port of nobody, with which it never becomes ready."""
        gateway = Gateway(self, getattr(upstream, "port", upstream), {**self.defaults, **(config or {})})
        if start:
            gateway.start(ready=ready)
        return gateway

    def stop(self, checks):
        for process in reversed(self.processes):
            if process.is_running():
                status = process.stop()
                checks.true(f"{process.command[1]} ends when told to", status == 0, f"status {status}: {process.output()[-2000:]}")

    def show_logs(self):
        for process in self.processes:
            print(f"---- {' '.join(process.command[1:])}\n{process.output()[-3000:]}", file=sys.stderr)


class Upstream:
    def __init__(self, process, port):
        self.process, self.port = process, port

    def counts(self):
        return http_json(f"http://127.0.0.1:{self.port}/weir/provider")[1]

    def requests(self):
        """Of a script, in order: at_ms, the end of the key, the model."""
        return http_json(f"http://127.0.0.1:{self.port}/weir/provider/requests")[1]["requests"]


class Gateway:
    def __init__(self, world, upstream_port, extra):
        self.world = world
        self.port, self.admin_port = free_port(), free_port()
        self.ledger = world.path("ledger")
        self.log = world.path("weir.log")
        self.config = world.path("weir.yaml")
        self.process = None
        config = {
            "model": MODEL,
            "model_provider": "test",
            "max_retries": 0,
            "monitoring": {"log_level": "DEBUG"},
            "providers": {"test": {"base_url": f"http://127.0.0.1:{upstream_port}/v1", "api_key": "env:WEIR_E2E_PROVIDER_KEY",
                                   "json_schema": True}},
            "server": {"listen": f"127.0.0.1:{self.port}", "admin": f"127.0.0.1:{self.admin_port}", "workers": 1,
                       "drain_timeout_seconds": 5},
            "ledger": {"directory": str(self.ledger)},
        }
        for section, values in extra.items():
            config[section] = {**config.get(section, {}), **values} if isinstance(values, dict) else values
        self.config.write_text(to_yaml(config))

    def start(self, wait=True, ready=True):
        env = {"WEIR_E2E_PROVIDER_KEY": PROVIDER_KEY, "WEIR_E2E_CLIENT_KEY": CLIENT_KEY, **KEYS}
        self.process = self.world.start(["serve", "--config", self.config], self.log, env)
        if wait:
            self.process.wait_for(f"http://127.0.0.1:{self.admin_port}/{'readyz' if ready else 'healthz'}")

    def stop(self):
        return self.process.stop()

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def request(self, method, path, body=None, headers=None):
        connection = self.connect()
        try:
            if isinstance(body, (dict, list)):
                body = json.dumps(body)
            if isinstance(body, str):
                body = body.encode()
            connection.request(method, path, body, {"content-type": "application/json", **(headers or {})})
            return read_answer(connection)
        finally:
            connection.close()

    def post(self, body, headers=None):
        return self.request("POST", "/v1/chat/completions", body, headers)

    def chat(self, model, question, headers=None, **members):
        return self.post({"model": model, "messages": [{"role": "user", "content": question}], **members}, headers)

    def raw(self, data):
        """Sends bytes as they are and reads until the other side closes, or answers whole."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
            try:
                connection.sendall(data)
            except OSError:
                pass  # it may have answered and closed before it read everything; the answer must still be there
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())

    # ---- its ledger ----

    def command(self, *words):
        env = {"WEIR_E2E_PROVIDER_KEY": PROVIDER_KEY, "WEIR_E2E_CLIENT_KEY": CLIENT_KEY, **KEYS}
        return subprocess.run([self.world.weir, *words, "--config", self.config], env=env, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False)

    def rows(self):
        """Of a gateway that was stopped: all. Of a running one: what it has imported so far."""
        done = self.command("ledger", "export", "--json")
        if done.returncode != 0:
            raise RuntimeError(f"ledger export: status {done.returncode}: {done.stderr}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def verify(self):
        """(status, JSON) of weir ledger verify."""
        done = self.command("ledger", "verify", "--json")
        return done.returncode, json.loads(done.stdout or "null"), done.stderr


def wait_until(condition):
    until = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


# ---- answers ----

class Answer:
    def __init__(self, status, headers, body):
        self.status, self.body = status, body
        self.headers = {name.lower(): value for name, value in headers.items()}
        try:
            self.json = json.loads(body)
        except ValueError:
            self.json = None

    @property
    def text(self):
        return self.json["choices"][0]["message"]["content"]

    @property
    def id(self):
        return self.headers.get("x-weir-query-id")

    def events(self):
        """The payloads of a streamed answer: JSON where they are, '[DONE]' as it is."""
        payloads = [line[6:] for line in self.body.decode().splitlines() if line.startswith("data: ")]
        return [payload if payload == "[DONE]" else json.loads(payload) for payload in payloads]

    def streamed_text(self):
        return "".join(choice["delta"].get("content") or "" for event in self.events() if event != "[DONE]"
                       for choice in event.get("choices", []))


def read_answer(connection):
    answer = connection.getresponse()
    return Answer(answer.status, dict(answer.getheaders()), answer.read())


# ---- what providers say ----

def completion(text="four", prompt_tokens=100, completion_tokens=10):
    return {"id": "chatcmpl-1", "object": "chat.completion", "created": 1700000000, "model": MODEL,
            "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens,
                      "total_tokens": prompt_tokens + completion_tokens}}


def chunk(delta=None, finish=None, usage=None):
    event = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1700000000, "model": MODEL,
             "choices": [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]}
    return {**event, "usage": usage} if usage else event


def stream(words, prompt_tokens=100, completion_tokens=10):
    """The events of a whole streamed answer: a role, each word, the end, the usage, [DONE]."""
    return [chunk({"role": "assistant", "content": ""}), *[chunk({"content": word}) for word in words],
            chunk({}, "stop"), chunk(usage={"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens,
                                            "total_tokens": prompt_tokens + completion_tokens}), "[DONE]"]
