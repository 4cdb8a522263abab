#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What OpenTelemetry makes of weir's traces and metrics: otlp.py WEIR

PyPI's opentelemetry-proto decodes every byte that arrives at a recorder; a real Phoenix (PyPI's arize-phoenix) receives traces and shows
them. What cannot be had is skipped, with the reason; Phoenix takes under a minute to install the first time.
"""
import json
import os
import pathlib
import subprocess
import sys
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1] / "tools"), str(HERE.parent / "e2e")]
import harness
from packages import BUILD, held, python_with
from processes import Process, free_port
from recorder import Recorder

PROTO = "opentelemetry-proto==1.45.2"
PHOENIX = "arize-phoenix==20.26.1"
PHOENIX_SECONDS = 240
HEADER = "secret-header-4711"
LEAK = "sk-abcdefghijklmnop1234567890"
DECODE = """
import sys, json
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest as T
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest as M
out = []
for kind, path in json.load(sys.stdin):
    message = (T if kind == "traces" else M)()
    data = open(path, "rb").read()
    message.ParseFromString(data)
    # What is not known to the schema would be a field number of ours that is wrong.
    same = message.SerializeToString(deterministic=True)
    out.append([kind, MessageToDict(message), len(same) == len(data)])
print(json.dumps(out))
"""


def configuration(endpoint, **changes):
    return {"telemetry": {"interval_seconds": 0.1, "metrics_interval_seconds": 0.2, **changes},
            "otlp": {"endpoint": endpoint, "headers": ["env:WEIR_E2E_OTLP_HEADER"], "metrics": True, "resource": ["deployment.environment=test"]}}


def ask(gateway):
    """A plain question, a streamed one, a strategy, and one that fails; their ids."""
    plain = gateway.chat(harness.MODEL, f"Is {LEAK} a key? And {harness.PROVIDER_KEY}?", temperature=0.5, max_tokens=50)
    stream = gateway.chat(harness.MODEL, "Stream this", stream=True)
    strategy = gateway.post({"model": "weir/hrm_trm", "messages": [{"role": "user", "content": "What is 17 + 4?"}],
                             "metadata": {"domain": "stem"}})
    return plain.id, stream.id, strategy.id, strategy.json["weir"]


def value_of(value):
    (kind, content), = value.items()
    return int(content) if kind == "intValue" else content


def attributes_of(item):
    return {pair["key"]: value_of(pair["value"]) for pair in item.get("attributes", [])}


def decoded(checks, python, directory, recorder):
    given = []
    for i, request in enumerate(recorder.requests):
        path = directory / f"{i}.bin"
        path.write_bytes(request.body)
        given.append((request.path.removeprefix("/v1/"), str(path)))
        checks.equal("content type", request.headers["content-type"], "application/x-protobuf")
        checks.equal("header", request.headers.get("x-test"), HEADER)
    done = subprocess.run([python, "-c", DECODE], input=json.dumps(given), capture_output=True, text=True, check=False)
    if not checks.true("opentelemetry-proto decodes everything", done.returncode == 0 and given, done.stderr[-1000:]):
        return [], []
    messages = json.loads(done.stdout)
    checks.true("and knows every field", all(same for _, _, same in messages))
    return [m for kind, m, _ in messages if kind == "traces"], [m for kind, m, _ in messages if kind == "metrics"]


def spans_in(messages):
    return [span for message in messages for resource in message["resourceSpans"] for scope in resource["scopeSpans"]
            for span in scope.get("spans", [])]


def traces(checks, messages, asked):
    plain, stream, strategy, report = asked
    resource = attributes_of(messages[0]["resourceSpans"][0]["resource"])
    checks.true("resource", resource["service.name"] == "weir" and resource["deployment.environment"] == "test"
                and resource["service.version"], resource)
    spans = spans_in(messages)
    checks.equal("no span twice", len({span["spanId"] for span in spans}), len(spans))
    by_query = {}
    for span in spans:
        by_query.setdefault(span["traceId"], []).append(span)
    roots = {attributes_of(span)["weir.query.id"]: span for span in spans if "parentSpanId" not in span}
    checks.equal("a trace for each query", set(roots), {plain, stream, strategy})
    for name, root in roots.items():
        family = by_query[root["traceId"]]
        ids = {span["spanId"] for span in family}
        checks.true(f"{name}: every parent is there", all(span["parentSpanId"] in ids for span in family if span is not root))
        checks.true(f"{name}: no child begins before its root or ends after it", all(
            int(root["startTimeUnixNano"]) <= int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"]) <= int(root["endTimeUnixNano"]) + 2000000
            for span in family))
    plain_root, = [span for span in by_query[roots[plain]["traceId"]] if "parentSpanId" not in span]
    call, = [span for span in by_query[roots[plain]["traceId"]] if "parentSpanId" in span]
    checks.equal("plain: names and kinds", (plain_root["name"], plain_root["kind"], call["name"], call["kind"]),
                 (f"chat {harness.MODEL}", "SPAN_KIND_SERVER", f"chat {harness.MODEL}", "SPAN_KIND_CLIENT"))
    got = attributes_of(call)
    for name, want in {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "test", "gen_ai.request.model": harness.MODEL,
                       "openinference.span.kind": "LLM", "http.response.status_code": 200, "weir.call.role": "plain"}.items():
        checks.equal(f"plain: {name}", got.get(name), want)
    checks.true("plain: tokens", got["gen_ai.usage.input_tokens"] > 0 and got["llm.token_count.total"]
                == got["gen_ai.usage.input_tokens"] + got["gen_ai.usage.output_tokens"], got)
    checks.true("plain: time to first chunk", 0 < got["gen_ai.response.time_to_first_chunk"] < 60, got)
    root = attributes_of(plain_root)
    checks.true("plain: what was asked for", root["gen_ai.request.temperature"] == 0.5 and root["gen_ai.request.max_tokens"] == 50, root)
    root = attributes_of(roots[strategy])
    family = by_query[roots[strategy]["traceId"]]
    calls = [attributes_of(span) for span in family if "parentSpanId" in span]
    checks.equal("strategy: name", roots[strategy]["name"], "invoke_workflow hrm_trm")
    checks.equal("strategy: a span for each call", (len(calls), root["weir.calls"]), (report["calls"], report["calls"]))
    checks.equal("strategy: cost adds up", sum(call["weir.cost.nano_usd"] for call in calls), report["cost_nano_usd"])
    checks.equal("strategy: tokens add up", sum(call["gen_ai.usage.output_tokens"] for call in calls), report["tokens"]["output"])
    checks.true("strategy: confidence", abs(root["weir.confidence"] - report["confidence"]["value"]) < 1e-3, root)
    checks.true("strategy: only calls have costs", "weir.cost.nano_usd" not in root)
    checks.equal("strategy: domain", root.get("weir.domain"), report["domain"])


def content(checks, messages, captures):
    text = json.dumps(messages)
    checks.equal(f"prompts are there: {captures}", "What is 17 + 4?" in text, captures)
    for name, secret in (("a key by its looks", LEAK), ("a key that is known", harness.PROVIDER_KEY)):
        checks.true(f"captured {captures}: {name} is not", secret not in text)
    if captures:
        spans = [attributes_of(span) for span in spans_in(messages)]
        talks = [json.loads(span["gen_ai.input.messages"]) for span in spans if "gen_ai.input.messages" in span]
        checks.true("captured: messages have their form", talks and all(message["parts"][0]["type"] == "text" and message["role"]
                                                                        for talk in talks for message in talk), talks)
        checks.true("captured: redacted in place", "Is [redacted] a key? And [redacted]?" in text)
        answered = [span for span in spans if "gen_ai.output.messages" in span]
        checks.true("captured: answers", answered)
        streamed = [span for span in spans if span.get("gen_ai.request.stream")]
        checks.true("captured: streamed answers", streamed and all(json.loads(span["gen_ai.output.messages"])[0]["parts"][0]["content"] for span in streamed), streamed)


def metrics(checks, messages):
    if not checks.true("metrics came", messages):
        return
    last = [metric for scope in messages[-1]["resourceMetrics"][0]["scopeMetrics"] for metric in scope["metrics"]]
    by_name = {metric["name"]: metric for metric in last}
    queries = by_name["weir_queries_total"]["sum"]
    checks.true("metrics: a sum", queries["isMonotonic"] and queries["aggregationTemporality"] == "AGGREGATION_TEMPORALITY_CUMULATIVE", queries)
    checks.equal("metrics: queries", sum(int(point["asInt"]) for point in queries["dataPoints"]), 3)
    duration = by_name["weir_query_duration_seconds"]["histogram"]["dataPoints"][0]
    checks.equal("metrics: buckets", len(duration["bucketCounts"]), len(duration["explicitBounds"]) + 1)
    checks.equal("metrics: count", sum(map(int, duration["bucketCounts"])), int(duration["count"]))
    checks.equal("metrics: unit", by_name["weir_query_duration_seconds"]["unit"], "s")
    checks.equal("metrics: unit of money", by_name["weir_cost_usd_total"]["unit"], "{USD}")
    checks.true("metrics: a gauge", "gauge" in by_name["weir_queries_in_flight"])


def bytes_are_right(checks, world):
    python, reason = python_with(BUILD / "otlp-venv", PROTO)
    if reason:
        return checks.skip(reason)
    for captures in (False, True):
        recorder = Recorder()
        gateway = world.gateway(world.upstream("sim"), configuration(recorder.url, capture_content=captures))
        asked = ask(gateway)
        gateway.stop()
        folder = world.directory / f"captured-{captures}"
        folder.mkdir()
        got_traces, got_metrics = decoded(checks, python, folder, recorder)
        if got_traces:
            traces(checks, got_traces, asked)
            content(checks, got_traces, captures)
        metrics(checks, got_metrics)
        recorder.close()
    return None


GRAPHQL = """{projects {edges {node {name traceCount spans(first: 50) {edges {node {name spanKind statusCode parentId
  tokenCountTotal cumulativeTokenCountTotal attributes}}}}}}}"""


def phoenix(checks, world):
    python, reason = python_with(BUILD / "phoenix-venv", PHOENIX, seconds=PHOENIX_SECONDS)
    if reason:
        return checks.skip(reason)
    port = free_port()
    server = Process([python, "-m", "phoenix.server.main", "serve"], world.directory / "phoenix.log",
                     {"PHOENIX_PORT": str(port), "PHOENIX_HOST": "127.0.0.1", "PHOENIX_GRPC_PORT": str(free_port()),
                      "PHOENIX_WORKING_DIR": str(world.directory / "phoenix"), "PHOENIX_TELEMETRY_ENABLED": "false"})
    try:
        server.wait_for(f"http://127.0.0.1:{port}/healthz", seconds=120)
        gateway = world.gateway(world.upstream("sim"), configuration(f"http://127.0.0.1:{port}"))
        asked = ask(gateway)
        gateway.stop()

        def spans():
            request = urllib.request.Request(f"http://127.0.0.1:{port}/graphql", json.dumps({"query": GRAPHQL}).encode(),
                                             {"content-type": "application/json"})
            answer = json.loads(urllib.request.urlopen(request, timeout=20).read())
            return [span["node"] for project in answer["data"]["projects"]["edges"] for span in project["node"]["spans"]["edges"]]
        wanted = 2 + 2 + 1 + asked[3]["calls"]
        harness.wait_until(lambda: len(spans()) >= wanted)
        got = spans()
        checks.equal("Phoenix shows every span", len(got), wanted)
        calls = [span for span in got if span["spanKind"] == "llm"]
        checks.equal("Phoenix knows calls of models", len(calls), wanted - 3)
        checks.true("Phoenix counts their tokens", all(span["tokenCountTotal"] for span in calls), calls[:1])
        root, = [span for span in got if span["name"] == "invoke_workflow hrm_trm"]
        checks.equal("Phoenix adds up a query's tokens", root["cumulativeTokenCountTotal"],
                     asked[3]["tokens"]["input"] + asked[3]["tokens"]["output"])
        checks.true("Phoenix shows what weir decided", json.loads(root["attributes"])["weir"]["query"]["id"] == asked[2], root)
    finally:
        if server.is_running():
            server.stop()
    return None


def main(world, checks):
    os.environ["WEIR_E2E_OTLP_HEADER"] = f"X-Test: {HEADER}"
    bytes_are_right(checks, world)
    phoenix(checks, world)


if __name__ == "__main__":
    with held("oracle-otlp"):
        harness.run(main)
