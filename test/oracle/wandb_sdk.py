#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""weir's run beside one of Weights & Biases' own SDK: wandb_sdk.py WEIR

PyPI's wandb logs to a recorder, and so does weir: the same requests with the same keys of the same form. Then the run goes on where it was left, and the
recorder refuses, stalls and stops. Skipped, with the reason, where the SDK cannot be had.
"""
import base64
import json
import os
import pathlib
import re
import subprocess
import sys
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1] / "tools"), str(HERE.parent / "e2e")]
import harness
from packages import BUILD, held, python_with
from recorder import Recorder

SDK = "wandb==0.31.0"
KEY = "0123456789abcdef0123456789abcdef01234567"
STREAM = "/files/me/weir/run1/file_stream"
HISTORY, SUMMARY = "wandb-history.jsonl", "wandb-summary.json"
LOG = """
import os, sys
os.environ.update(WANDB_BASE_URL=sys.argv[1], WANDB_API_KEY=sys.argv[2], WANDB_DIR=sys.argv[3], WANDB_SILENT="true", WANDB_CONSOLE="off",
                  WANDB_DISABLE_GIT="true", WANDB_DISABLE_CODE="true")
import wandb
run = wandb.init(project="weir", entity="me", id="run1", config={"model": "m"}, tags=["production"], job_type="gateway",
                 settings=wandb.Settings(x_disable_stats=True, x_disable_meta=True, x_save_requirements=False))
run.log({"success_rate": 1.0})
run.log({"success_rate": 0.5})
run.finish()
"""


class Server(Recorder):
    """Keeps a run's lines as the service does: what is sent at an offset lies there."""

    def __init__(self, lines=0, summary=None, answers=None, stopped=False):
        self.lines, self.summary, self.complete = [None] * lines, summary, None
        self.answers, self.stopped = list(answers or []), stopped
        super().__init__(self.respond)

    def respond(self, request):
        if self.answers:
            answer = self.answers.pop(0)
            if answer != "go on":
                return answer
        if request.path == "/graphql":
            return self.graphql(request.json)
        if request.path.endswith("/file_stream"):
            return self.stream(request.json)
        return 200, {}, {}

    def graphql(self, body):
        variables = body.get("variables") or {}
        if "upsertBucket" in body["query"]:
            bucket = {"id": "cnVu", "name": variables["name"] or "run1", "displayName": "d", "description": None, "config": None, "sweepName": None,
                      "historyLineCount": len(self.lines), "summaryMetrics": self.summary,
                      "project": {"id": "p", "name": variables["project"] or "weir", "entity": {"id": "e", "name": variables["entity"] or "me"}}}
            return 200, {}, {"data": {"upsertBucket": {"bucket": bucket, "inserted": not self.lines}}}
        if "createRunFiles" in body["query"]:
            files = [{"name": name, "uploadUrl": self.url + "/upload"} for name in variables.get("files", [])]
            return 200, {}, {"data": {"createRunFiles": {"runID": "cnVu", "uploadHeaders": [], "files": files}}}
        return 200, {}, {"data": {}}

    def stream(self, body):
        history = body.get("files", {}).get(HISTORY)
        if history:
            at = history["offset"]
            assert at <= len(self.lines), f"a gap: {at} behind {len(self.lines)}"
            self.lines[at:at + len(history["content"])] = [json.loads(line) for line in history["content"]]
        if SUMMARY in body.get("files", {}):
            self.summary = body["files"][SUMMARY]["content"][0]
        if body.get("complete"):
            self.complete = body
        return 200, {}, {"stopped": self.stopped}


def gateway_for(world, server, upstream="sim", run="run1", **telemetry):
    return world.gateway(world.upstream(upstream), {
        "monitoring": {"wandb_enabled": True},
        "wandb": {"endpoint": server.url, "api_key": "env:WEIR_E2E_WANDB", "entity": "me", **({"run": run} if run else {})},
        "telemetry": {"interval_seconds": 0.05, "metrics_interval_seconds": 0.3, "timeout_seconds": 2, **telemetry}})


def files_of(server):
    """Every key of every file that was sent, with its form."""
    forms = {}
    for request in server.requests:
        if not request.path.endswith("/file_stream"):
            continue
        for name, value in request.json.get("files", {}).items():
            forms[name] = {key: type(content).__name__ for key, content in value.items()} | {"line": type(value["content"][0]).__name__}
    return forms


def beside_the_sdk(checks, world, python):
    theirs, ours = Server(), Server()
    done = subprocess.run(["timeout", "90", python, "-c", LOG, theirs.url, KEY, str(world.directory)], capture_output=True, text=True, check=False)
    if not checks.true("the SDK logs", done.returncode == 0 and theirs.complete, done.stderr[-1000:]):
        return
    gateway = gateway_for(world, ours)
    for i in range(5):
        gateway.chat("weir/hrm_trm", f"What is {i} + 4?")
    gateway.chat(harness.MODEL, "Hi")
    harness.wait_until(lambda: sum(line["queries"] for line in ours.lines) == 6)
    gateway.stop()

    sdk, mine = theirs.requests[0], ours.requests[0]
    checks.equal("begins at the same place", (mine.method, mine.path), (sdk.method, sdk.path))
    checks.equal("the same authorization", mine.headers["authorization"], sdk.headers["authorization"])
    checks.equal("which is the key's", mine.headers["authorization"], "Basic " + base64.b64encode(f"api:{KEY}".encode()).decode())
    checks.equal("the same operation", mine.json["operationName"], sdk.json["operationName"])
    theirs_given, ours_given = sdk.json["variables"], mine.json["variables"]
    checks.equal("no variable that the SDK does not have", set(ours_given) - set(theirs_given), set())
    for name in ("name", "project", "entity", "jobType", "tags"):
        checks.equal(f"variable {name}", (type(ours_given[name]), ours_given[name]), (type(theirs_given[name]), theirs_given[name]))
    checks.equal("config is JSON in a string, values in objects", {type(value).__name__ + "/" + ",".join(value) for value in json.loads(ours_given["config"]).values()},
                 {type(value).__name__ + "/" + ",".join(value) for value in json.loads(theirs_given["config"]).values()})
    declared = re.findall(r"\$(\w+): (\[?\w+!?\]?)", mine.json["query"])
    checks.equal("the query's variables have the SDK's types", set(declared) - set(re.findall(r"\$(\w+): (\[?\w+!?\]?)", sdk.json["query"])), set())
    checks.equal("the same input fields", set(re.findall(r"(\w+): ?\$(\w+)", mine.json["query"].split("input:")[1]))
                 - set(re.findall(r"(\w+): ?\$(\w+)", sdk.json["query"].split("input:")[1])), set())
    checks.true("files go to the same place", any(request.path == STREAM for request in theirs.requests)
                and {request.path for request in ours.requests} == {"/graphql", STREAM}, {request.path for request in ours.requests})
    checks.equal("files: the same keys and forms", files_of(ours), files_of(theirs))
    checks.true("lines: the SDK's own members", {"_step", "_runtime", "_timestamp"} <= set(ours.lines[0]) & set(theirs.lines[0]))
    for name in ("_step", "_runtime", "_timestamp", "success_rate"):
        line = [line for line in ours.lines if name in line][0]
        checks.true(f"lines: {name} is a number", isinstance(line[name], (int, float)) and isinstance(theirs.lines[1][name], (int, float)))
    checks.equal("the end: the same keys", {key: ours.complete[key] for key in ("complete", "exitcode")},
                 {key: theirs.complete[key] for key in ("complete", "exitcode")})
    content(checks, ours)
    theirs.close()
    ours.close()


def content(checks, server):
    lines = server.lines
    checks.equal("steps are places", [line["_step"] for line in lines], list(range(len(lines))))
    checks.true("time goes on", all(a["_timestamp"] < b["_timestamp"] and a["_runtime"] < b["_runtime"] for a, b in zip(lines, lines[1:])))
    checks.true("now", abs(lines[0]["_timestamp"] - time.time()) < 600, lines[0])
    busy = [line for line in lines if line["queries"]]
    checks.equal("queries", (sum(line["queries"] for line in lines), lines[-1]["queries_total"]), (6, 6))
    checks.true("rates only where there was something", all(("success_rate" in line) == bool(line["queries"]) for line in lines), lines)
    checks.true("success", all(line["success_rate"] == 1 for line in busy), busy)
    checks.true("money adds up", abs(sum(line["cost_usd"] for line in lines) - lines[-1]["cost_usd_total"]) < 1e-12 and lines[-1]["cost_usd_total"] > 0)
    checks.true("latency", all(0 < line["latency_p50_ms"] <= line["latency_p95_ms"] <= line["latency_p99_ms"] for line in busy), busy)
    checks.true("confidence", any(0 < line.get("hrm_confidence", 0) <= 1 for line in busy), busy)
    summary = json.loads(server.summary)
    checks.equal("the summary is the last line", summary, lines[-1])


def goes_on(checks, world):
    server = Server(lines=40, summary='{"_runtime": 1000.5}')
    gateway = gateway_for(world, server)
    harness.wait_until(lambda: len(server.lines) > 41)
    gateway.stop()
    mine = server.lines[40:]
    checks.true("goes on behind the lines that are there", server.lines[:40] == [None] * 40 and mine[0]["_step"] == 40, mine[:1])
    checks.true("and in its time", 1000.5 < mine[0]["_runtime"] < 1100, mine[:1])
    server.close()
    server = Server()
    gateway = gateway_for(world, server, run=None)
    harness.wait_until(lambda: server.lines)
    gateway.stop()
    checks.true("without a name it is a new run", re.fullmatch(r"weir-[a-z0-9]{8}", server.requests[0].json["variables"]["name"]))
    server.close()


def counted(gateway, what):
    with urllib.request.urlopen(f"http://127.0.0.1:{gateway.admin_port}/metrics", timeout=10) as answer:
        found = re.search(rf'weir_export_{what}_total{{exporter="wandb"}} (\d+)', answer.read().decode())
    return int(found[1])


def faults(checks, world):
    server = Server(answers=["go on", (503, {}, {}), (429, {"retry-after": "0"}, {})])
    gateway = gateway_for(world, server)
    gateway.chat(harness.MODEL, "Hi")
    harness.wait_until(lambda: len(server.lines) > 3)
    gateway.stop()
    checks.true("503, 429: again, and nothing is lost or twice", [line["_step"] for line in server.lines] == list(range(len(server.lines)))
                and sum(line["queries"] for line in server.lines) == 1, server.lines)
    server.close()

    server = Server(answers=[(401, {}, {"error": KEY})] * 100)
    gateway = gateway_for(world, server)
    harness.wait_until(lambda: counted(gateway, "dropped") > 1)
    checks.equal("401: asked once", len(server.requests), 1)
    gateway.stop()
    checks.true("401: no key in the log, one line", KEY not in gateway.log.read_text() and gateway.log.read_text().count("telemetry_failed") == 1)
    server.close()

    server = Server(stopped=True)
    gateway = gateway_for(world, server)
    harness.wait_until(lambda: counted(gateway, "dropped") > 1)
    checks.equal("stopped: one line and no more", len(server.at(STREAM)), 1)
    gateway.stop()
    server.close()

    server = Server(answers=["go on"] + [None] * 50)
    gateway = gateway_for(world, server)
    harness.wait_until(lambda: len(server.requests) > 1)
    started = time.monotonic()
    checks.equal("a server that stalls does not stop anybody", gateway.chat(harness.MODEL, "Hi").status, 200)
    checks.equal("nor the end", gateway.stop(), 0)
    print(f"ended {time.monotonic() - started:.1f} s after", file=sys.stderr)
    server.close()


def main(world, checks):
    os.environ["WEIR_E2E_WANDB"] = KEY
    python, reason = python_with(BUILD / "wandb-venv", SDK)
    if reason:
        checks.skip(reason)
    else:
        beside_the_sdk(checks, world, python)
    goes_on(checks, world)
    faults(checks, world)


if __name__ == "__main__":
    with held("oracle-wandb"):
        harness.run(main)
