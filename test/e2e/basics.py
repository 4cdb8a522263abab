#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A gateway that works: plain calls, streams, strategies, models, health, metrics, the ledger's rows and costs."""
import harness
from harness import MODEL, completion, http_json, http_status, stream

PLAIN_COST = 100 * 150 + 10 * 600  # nano-dollars of completion()'s tokens at gpt-4o-mini's price


def plain(checks, world):
    upstream = world.script([{"body": completion("four")}, {"events": stream(["fo", "ur"])}, {"events": stream(["fo", "ur"])}])
    gateway = world.gateway(upstream)
    answer = gateway.chat(MODEL, "What is 2+2?")
    checks.equal("plain: status", answer.status, 200)
    checks.equal("plain: the provider's body, as it was", answer.json, completion("four"))
    checks.equal("plain: cost in a header", answer.headers.get("x-weir-cost-usd"), f"0.{PLAIN_COST:09d}")
    streamed = gateway.chat(MODEL, "What is 2+2?", stream=True)
    checks.equal("stream: text", streamed.streamed_text(), "four")
    checks.equal("stream: ends with [DONE]", streamed.events()[-1], "[DONE]")
    checks.true("stream: usage that was not asked for is kept back",
                not any(event.get("usage") for event in streamed.events()[:-1]))
    with_usage = gateway.chat(MODEL, "What is 2+2?", stream=True, stream_options={"include_usage": True})
    checks.true("stream: usage that was asked for", any(event.get("usage") for event in with_usage.events()[:-1]))
    ids = [answer.id, streamed.id, with_usage.id]
    checks.equal("stops", gateway.stop(), 0)
    rows = gateway.rows()
    checks.equal("rows: those answers, in order", [row["id"] for row in rows], ids)
    checks.equal("rows: results", [(row["result"], row["http_status"], row["stream"]) for row in rows],
                 [("OK", 200, 0), ("OK", 200, 1), ("OK", 200, 1)])
    checks.equal("rows: costs", [row["cost_nano_usd"] for row in rows], [PLAIN_COST] * 3)
    checks.equal("rows: tokens", [(row["input_tokens"], row["output_tokens"]) for row in rows], [(100, 10)] * 3)
    status, verified, errors = gateway.verify()
    checks.equal("ledger verify", (status, verified and verified["rows"], verified and verified["mismatches"], errors), (0, 3, 0, ""))


def strategies(checks, world):
    gateway = world.gateway(world.upstream("sim", "--time-scale", "0"))
    reports = []
    for strategy in ("direct", "hrm", "trm", "hrm_trm"):
        answer = gateway.chat(f"weir/{strategy}", "What is 17 * 24?", weir={"domain": "stem"})
        checks.equal(f"{strategy}: status", answer.status, 200)
        report = (answer.json or {}).get("weir") or {}
        reports.append(report)
        checks.equal(f"{strategy}: report", (report.get("strategy"), report.get("domain"), report.get("model"), report.get("simulated"),
                                             report.get("query_id")), (strategy, "stem", MODEL, True, answer.id))
        checks.true(f"{strategy}: an answer", answer.status == 200 and answer.text.strip())
        checks.true(f"{strategy}: at least a call", report.get("calls", 0) >= 1)
        checks.equal(f"{strategy}: confidence is not called calibrated", (report.get("confidence") or {}).get("calibrated"), False)
        checks.true(f"{strategy}: marked in a header too", answer.headers.get("x-weir-simulated") == "true")
    streamed = gateway.chat("weir/hrm_trm", "What is 17 * 24?", stream=True)
    checks.true("hrm_trm, streamed: text and [DONE]", streamed.streamed_text().strip() and streamed.events()[-1] == "[DONE]")
    checks.equal("auto: status", gateway.chat("weir/auto", "What is 2 + 2?").status, 200)
    checks.equal("stops", gateway.stop(), 0)
    rows = gateway.rows()
    checks.equal("one row a query", len(rows), 6)
    for row, report in zip(rows, reports):
        checks.equal(f"{row['strategy']}: the row says what the answer said",
                     (row["id"], row["call_count"], row["cost_nano_usd"], row["input_tokens"], row["output_tokens"], row["domain"]),
                     (report["query_id"], report["calls"], report["cost_nano_usd"], report["tokens"]["input"],
                      report["tokens"]["output"], "stem"))
        checks.equal(f"{row['strategy']}: a call's row for each call", len(row["calls"]), row["call_count"])


def faces(checks, world):
    gateway = world.gateway(world.upstream("echo"))
    base, admin = f"http://127.0.0.1:{gateway.port}", f"http://127.0.0.1:{gateway.admin_port}"
    status, listing = http_json(f"{base}/v1/models")
    names = [entry["id"] for entry in listing["data"]]
    checks.true("models: the strategies and the configured model",
                status == 200 and {"weir/auto", "weir/direct", "weir/hrm_trm", MODEL} <= set(names), names)
    refused = gateway.chat(MODEL, "Hi", weir={"model": MODEL})
    checks.equal("plain: the request's own model alone counts", (refused.status, refused.json["error"]["param"]), (400, "weir.model"))
    refused = gateway.chat("weir/direct", "Hi", weir={"model": "unknown"})
    checks.equal("a strategy's model must be there", (refused.status, refused.json["error"]["param"]), (404, "weir.model"))
    for where in (base, admin):
        checks.equal("health", (http_status(f"{where}/healthz"), http_status(f"{where}/readyz")), (200, 200))
    checks.equal("metrics are not public", http_status(f"{base}/metrics"), 404)
    gateway.chat(MODEL, "Hi")
    gateway.chat("no-such-model", "Hi")
    metrics = metrics_of(gateway)
    checks.equal("metrics: a query", metrics.get(f'weir_queries_total{{strategy="plain",model="{MODEL}",arm="none",outcome="answered"}}'), 1)
    checks.true("metrics: all finite", metrics and all(value == value for value in metrics.values()))
    connection = gateway.connect()
    for number in range(3):  # one connection, several requests
        connection.request("POST", "/v1/chat/completions",
                           '{"model": "%s", "messages": [{"role": "user", "content": "Hi"}]}' % MODEL)
        checks.equal(f"keep-alive {number}", harness.read_answer(connection).status, 200)
    connection.close()


def metrics_of(gateway):
    import urllib.request
    text = urllib.request.urlopen(f"http://127.0.0.1:{gateway.admin_port}/metrics", timeout=10).read().decode()
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line and line[0] != "#"}


def main(world, checks):
    plain(checks, world)
    strategies(checks, world)
    faces(checks, world)


if __name__ == "__main__":
    harness.run(main)
