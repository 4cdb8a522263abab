#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""weir's runs beside those of LangSmith's own SDK: langsmith.py WEIR

PyPI's langsmith sends a query with a call below it to a recorder, and so does weir; every key of ours must be one of the SDK's with a value of the
same form, part by part and in both of LangSmith's ways in. Then the recorder answers as servers do when they do not want something. Skipped,
with the reason, where the SDK cannot be had.
"""
import json
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1] / "tools"), str(HERE.parent / "e2e")]
import harness
from packages import BUILD, held, python_with
from recorder import Recorder

SDK = "langsmith==0.15.1"
KEY = "lsv2_pt_0123456789abcdef"
MULTIPART, BATCH = "/runs/multipart", "/runs/batch"
# What the SDK sends for itself: its streaming events, and how its own objects were made.
ONLY_SDK = {"events", "serialized"}
SEND = """
import sys, json
from langsmith import Client
from langsmith.run_trees import RunTree
url, key = sys.argv[1:]
client = Client(api_url=url, api_key=key)
root = RunTree(name="hrm_trm", run_type="chain", inputs={"messages": [{"role": "user", "content": "hi"}]}, client=client, project_name="weir",
               tags=["production"], extra={"metadata": {"a": "b"}})
root.post()
child = root.create_child(name="solve", run_type="llm", inputs={"messages": [{"role": "user", "content": "hi"}]}, tags=["production"],
                          extra={"metadata": {"ls_provider": "openai", "ls_model_name": "m", "ls_model_type": "chat"}})
child.post()
child.end(outputs={"choices": [], "usage_metadata": {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}}, error="PROVIDER_CUT")
child.patch()
root.end(outputs={"choices": []})
root.patch()
client.flush()
import time; time.sleep(0.5)
"""
DOTTED = """
import sys, json, datetime, uuid
from langsmith.run_trees import _create_current_dotted_order as dotted
print(json.dumps([dotted(datetime.datetime.fromisoformat(start), uuid.UUID(run)) for start, run in json.load(sys.stdin)]))
"""
FORMS = {
    "uuid": re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"),
    "time": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|\+00:00)$"),
    "dotted": re.compile(r"\d{8}T\d{12}Z[0-9a-f-]{36}(\.\d{8}T\d{12}Z[0-9a-f-]{36})*$"),
}


def server(multipart, answers=None, **config):
    """Answers GET /info; POSTs by the list while it lasts, then 202."""
    left = list(answers or [])

    def answer(request):
        if request.path == "/info":
            return 200, {}, {"version": "0.10.0", "batch_ingest_config": {"use_multipart_endpoint": multipart, "size_limit": 100,
                                                                          "size_limit_bytes": 20971520, "scale_up_qsize_trigger": 1000,
                                                                          "scale_up_nthreads_limit": 16, "scale_down_nempty_trigger": 4, **config}}
        return left.pop(0) if left else (202, {}, {})
    return Recorder(answer)


def form_of(value):
    if isinstance(value, str):
        return next((name for name, form in FORMS.items() if form.match(value)), "text")
    return type(value).__name__


def runs_of(requests):
    """{id: run}, whichever way they came; the parts put back together, their headers checked."""
    runs = {}
    for request in requests:
        if request.path == BATCH:
            assert set(request.json) <= {"post", "patch"} and request.headers["content-type"] == "application/json"
            runs.update({run["id"]: run for run in request.json["post"]})
        elif request.path == MULTIPART:
            for name, headers, body in request.parts():
                assert headers["Content-Type"] == "application/json" and int(headers["Content-Length"]) == len(body), headers
                verb, run, *member = name.split(".")
                assert verb == "post", name
                if member:
                    runs[run][member[0]] = json.loads(body)
                else:
                    runs[run] = json.loads(body)
                    assert runs[run]["id"] == run
    return runs


def parts_of(requests):
    """By type of run: the names of its parts."""
    types, parts = {}, {}
    for request in requests:
        for name, _, body in request.parts():
            _, run, *member = name.split(".")
            if not member:
                types[run] = json.loads(body)["run_type"]
            parts.setdefault(types[run], set()).add(member[0] if member else "")
    return parts


def split(runs):
    roots = [run for run in runs.values() if run["run_type"] == "chain"]
    return roots, [run for run in runs.values() if run["run_type"] == "llm"]


def compare(checks, what, ours, theirs):
    """Key by key: nothing that the SDK does not send, nothing missing that it does, each of the same form."""
    checks.equal(f"{what}: keys", set(ours), set(theirs) - ONLY_SDK)
    for key in set(ours) & set(theirs):
        checks.equal(f"{what}: form of {key}", form_of(ours[key]), form_of(theirs[key]))


def ordered(checks, python, runs):
    """dotted_order as the SDK makes it, each child's below its parent's."""
    mine = list(runs.values())
    done = subprocess.run([python, "-c", DOTTED], input=json.dumps([[run["start_time"].replace("Z", "+00:00"), run["id"]] for run in mine]),
                          capture_output=True, text=True, check=True)
    for run, last in zip(mine, json.loads(done.stdout)):
        parent = runs.get(run.get("parent_run_id"))
        want = f"{parent['dotted_order']}.{last}" if parent else last
        checks.equal("dotted_order as the SDK has it", run["dotted_order"], want)
        checks.equal("trace_id is the root's", run["dotted_order"].split(".")[0].split("Z", 1)[1], run["trace_id"])
        checks.true("no child starts before its parent", not parent or run["start_time"] >= parent["start_time"])
        checks.true("none ends before it starts", run["end_time"] >= run["start_time"])


def gateway_for(world, recorder, upstream="sim", **changes):
    return world.gateway(world.upstream(upstream) if isinstance(upstream, str) else upstream, {
        "monitoring": {"langsmith_enabled": True}, "langsmith": {"endpoint": recorder.url, "api_key": "env:WEIR_E2E_LANGSMITH"},
        "telemetry": {"interval_seconds": 0.1, **changes}}, ready=isinstance(upstream, str))


def shapes(checks, world, python):
    for multipart in (True, False):
        theirs, ours = server(multipart), server(multipart)
        done = subprocess.run(["timeout", "60", python, "-c", SEND, theirs.url, KEY], capture_output=True, text=True, check=False,
                              env={**os.environ, "LANGSMITH_DISABLE_RUN_COMPRESSION": "true"})
        path = MULTIPART if multipart else BATCH
        if not checks.true("the SDK sends", done.returncode == 0 and theirs.at(path), done.stderr[-1000:]):
            continue
        gateway = gateway_for(world, ours, capture_content=True)
        report = gateway.post({"model": "weir/hrm_trm", "messages": [{"role": "user", "content": "What is 17 + 4?"}]}).json["weir"]
        gateway.chat(harness.MODEL, "Hi")
        failing = gateway_for(world, ours, upstream=harness.free_port(), capture_content=True)
        failing.chat(harness.MODEL, "Hi")
        gateway.stop()
        failing.stop()
        checks.true(f"{path}: asked first what the server takes", ours.requests[0].path == "/info" and ours.requests[0].method == "GET")
        checks.true(f"{path}: every request has the key", all(request.headers["x-api-key"] == KEY for request in ours.requests))
        checks.equal(f"{path}: only that way", {request.path for request in ours.requests}, {"/info", path})
        runs, sdk = runs_of(ours.requests), runs_of(theirs.requests)
        (their_root,), (their_call,) = split(sdk)
        roots, calls = split(runs)
        checks.equal(f"{path}: a chain for each query", len(roots), 3)
        checks.equal(f"{path}: an llm for each call", len(calls), report["calls"] + 2)
        failed_root, = [run for run in roots if "error" in run]
        failed_call, = [run for run in calls if "error" in run]
        whole_root = [run for run in roots if run["name"] == "hrm_trm"][0]
        compare(checks, f"{path}: chain", whole_root, their_root)
        compare(checks, f"{path}: llm", failed_call, their_call)
        checks.equal(f"{path}: error", (failed_root["error"], failed_call["error"]), ("PROVIDER_UNREACHABLE",) * 2)
        checks.true(f"{path}: runtime", {"sdk", "sdk_version"} <= set(whole_root["extra"]["runtime"]) & set(their_root["extra"]["runtime"]))
        checks.true(f"{path}: metadata of a model", set(their_call["extra"]["metadata"]) & {"ls_provider", "ls_model_name", "ls_model_type"}
                    <= set(calls[0]["extra"]["metadata"]))
        usage = [call["outputs"]["usage_metadata"] for call in calls if call["trace_id"] == whole_root["id"]]
        checks.true(f"{path}: usage has the SDK's keys", all(set(their_call["outputs"]["usage_metadata"]) <= set(one) for one in usage))
        checks.true(f"{path}: usage is whole", all(one["input_tokens"] + one["output_tokens"] == one["total_tokens"] for one in usage))
        checks.equal(f"{path}: tokens add up", sum(one["output_tokens"] for one in usage), report["tokens"]["output"])
        checks.equal(f"{path}: cost adds up", round(sum(one["total_cost"] for one in usage) * 1e9), report["cost_nano_usd"])
        checks.equal(f"{path}: the query's id", whole_root["extra"]["metadata"]["weir_query_id"], report["query_id"])
        checks.equal(f"{path}: the prompt", whole_root["inputs"]["messages"], [{"role": "user", "content": "What is 17 + 4?"}])
        if multipart:
            checks.equal("parts of a chain", parts_of(ours.at(path))["chain"] - {"error"}, parts_of(theirs.at(path))["chain"] - ONLY_SDK)
            checks.equal("parts of an llm", parts_of(ours.at(path))["llm"], parts_of(theirs.at(path))["llm"] - ONLY_SDK)
        ordered(checks, python, runs)
        theirs.close()
        ours.close()


def refusals(checks, world):
    """What a server does not want, and what becomes of it."""
    full = [{"count": 1, "answers": [(404, {}, {})], "paths": [MULTIPART, BATCH], "kept": True, "name": "no multipart: batch"},
            {"answers": [(409, {}, {})], "paths": [MULTIPART], "kept": True, "name": "409: it is there already"},
            {"answers": [(429, {"retry-after": "0"}, {}), (503, {}, {})], "paths": [MULTIPART] * 3, "kept": True, "name": "429, 503: again"},
            {"answers": [(422, {}, {"detail": KEY})], "paths": [MULTIPART], "kept": False, "name": "422: dropped"},
            {"answers": [(413, {}, {})], "paths": [MULTIPART], "kept": False, "name": "413 to one trace: dropped"}]
    for row in full:
        recorder = server(True, row["answers"])
        gateway = gateway_for(world, recorder)
        gateway.chat(harness.MODEL, "Hi")
        enough = len(row["paths"])
        harness.wait_until(lambda: len(recorder.requests) > enough)
        harness.wait_until(lambda: 'weir_export_queue_traces{exporter="langsmith"} 0' in metrics_text(gateway))
        harness.wait_until(lambda: counted(gateway, "sent") + counted(gateway, "dropped") == 1)
        checks.equal(row["name"], [request.path for request in recorder.requests[1:]], row["paths"])
        checks.equal(f"{row['name']}: counted", (counted(gateway, "sent"), counted(gateway, "dropped")), (1, 0) if row["kept"] else (0, 1))
        bodies = [set(runs_of([request])) for request in recorder.requests[1:]]
        checks.true(f"{row['name']}: the same runs each time", all(body == bodies[0] for body in bodies))
        gateway.stop()
        checks.true(f"{row['name']}: no key in the log", KEY not in gateway.log.read_text())
        recorder.close()


def limits(checks, world):
    """No request has more runs than the server said, and none is lost."""
    recorder = server(True, size_limit=3)
    gateway = gateway_for(world, recorder, interval_seconds=0.5)
    calls = sum(gateway.chat("weir/hrm_trm", f"What is {i} + 4?").json["weir"]["calls"] for i in range(3))
    gateway.stop()
    requests = recorder.at(MULTIPART)
    checks.true("at most three runs a request", all(1 <= len(runs_of_one(request)) <= 3 for request in requests))
    checks.equal("and all of them", sum(len(runs_of_one(request)) for request in requests), calls + 3)
    recorder.close()


def runs_of_one(request):
    return {name.split(".")[1] for name, _, _ in request.parts()}


def metrics_text(gateway):
    import urllib.request
    return urllib.request.urlopen(f"http://127.0.0.1:{gateway.admin_port}/metrics", timeout=10).read().decode()


def counted(gateway, what):
    found = re.search(rf'weir_export_{what}_total{{exporter="langsmith"}} (\d+)', metrics_text(gateway))
    return int(found[1])


def main(world, checks):
    os.environ["WEIR_E2E_LANGSMITH"] = KEY
    python, reason = python_with(BUILD / "langsmith-venv", SDK)
    if reason:
        checks.skip(reason)
    else:
        shapes(checks, world, python)
    refusals(checks, world)
    limits(checks, world)


if __name__ == "__main__":
    with held("oracle-langsmith"):
        harness.run(main)
