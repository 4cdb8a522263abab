# SPDX-License-Identifier: Apache-2.0
"""What the tests of rollouts, experiments and alerts share: the admin API, traffic in the background, files, a receiver."""
import http.client
import http.server
import json
import threading
import time

from harness import Answer, PATIENCE, read_answer  # noqa: F401

# Guards that a handful of answers can satisfy.
QUICK_GUARDS = {
    "success_rate": {"warn": 0, "trip": 0.5},
    "error_rate": {"warn": 0, "trip": 0.5},
    "latency_p95": {"enabled": False},
    "hrm_confidence_mean": {"enabled": False},
    "trm_confidence_mean": {"enabled": False},
    "cost_per_query": {"enabled": False},
}


def admin(gateway, method, path, body=None, generation=None):
    connection = http.client.HTTPConnection("127.0.0.1", gateway.admin_port, timeout=30)
    headers = {"content-type": "application/json"}
    if generation is not None:
        headers["if-match"] = f'"{generation}"'
    if body is not None:
        body = {"actor": "ada", "reason": "a test", **body}
    try:
        connection.request(method, "/admin/v1/" + path, None if body is None else json.dumps(body), headers)
        return read_answer(connection)
    finally:
        connection.close()


def write_yaml(world, name, value):
    """JSON is YAML."""
    path = world.path(name)
    path.write_text(json.dumps(value))
    return path


def canary_file(world, gateway, **changes):
    return write_yaml(world, "canary.yaml", {"extends": str(gateway.config), **changes})


def rollout_file(world, canary, **changes):
    return write_yaml(world, "rollout.yaml", {
        "name": "quick", "canary": str(canary), "holdback": "20%", "guards": QUICK_GUARDS,
        "steps": [{"share": "30%", "min": "0.5s", "max": "600s", "n_min": 10},
                  {"share": "60%", "min": "0.5s", "max": "600s", "n_min": 10},
                  {"share": "100%", "min": "0.5s", "max": "600s", "n_min": 10}], **changes})


class Traffic:
    """Questions from threads of its own until it is stopped; every answer, or what went wrong instead, is kept."""

    def __init__(self, gateway, threads=3, pause=0.004, model="weir/direct"):
        self.gateway, self.pause, self.model = gateway, pause, model
        self.answers, self.broken = [], []
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.ask, args=(i,), daemon=True) for i in range(threads)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def ask(self, number):
        i = 0
        while not self.stopping.is_set():
            i += 1
            try:
                answer = self.gateway.chat(self.model, f"What is {i} + {number}?")
                arm = (answer.json or {}).get("weir", {}).get("arm") if answer.status == 200 else None
                self.answers.append((time.monotonic(), answer.status, arm))
            except (OSError, http.client.HTTPException) as error:
                self.broken.append((time.monotonic(), repr(error)))
                time.sleep(0.02)
            time.sleep(self.pause)


def wait_for(condition, seconds=60):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    return None


class Receiver:
    """Takes what channels send and keeps it; can be told to fail."""

    def __init__(self, port):
        self.got, self.paths, self.status = [], [], 200
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                if receiver.status == 200:
                    receiver.paths.append(self.path)
                    receiver.got.append((dict(self.headers), body.decode()))
                self.send_response(receiver.status)
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def bodies(self, *words):
        return [body for _, body in self.got if all(word in body for word in words)]
