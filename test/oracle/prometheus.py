#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What Prometheus thinks of weir's metrics, rules and dashboard: prometheus.py WEIR

promtool (Debian's package, unpacked into build/) checks the exposition of a gateway that has worked, the rules of share/prometheus with their
own tests, and every expression of the Grafana dashboard; PyPI's prometheus_client reads the OpenMetrics form. What cannot be had is
skipped, with the reason.
"""
import json
import pathlib
import re
import subprocess
import sys
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1] / "tools"), str(HERE.parent / "e2e")]
import harness
from packages import BUILD, held, python_with, unpack
from processes import ROOT

SHARE = ROOT / "share"
CLIENT = "prometheus_client==0.26.0"
OPENMETRICS = "application/openmetrics-text"
# Exists only while something is configured or has happened.
NOT_ALWAYS = {"weir_export_sent_total", "weir_export_dropped_total", "weir_notifications_dead"}


def scrape(gateway, accept="text/plain"):
    request = urllib.request.Request(f"http://127.0.0.1:{gateway.admin_port}/metrics", headers={"accept": accept})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.headers["content-type"], answer.read().decode()


def worked(world):
    """A gateway that has seen answers, faults and strategies."""
    gateway = world.gateway(world.upstream("sim"))
    for number in range(3):
        gateway.chat("weir/hrm_trm", f"What is {number} + 2?")
    gateway.chat(harness.MODEL, "Hi")
    gateway.chat("no-such\nmodel", "Hi")
    broken = world.gateway(harness.free_port(), {"max_retries": 1, "upstream": {"backoff_seconds": 0.01}}, ready=False)
    broken.chat(harness.MODEL, "Hi")
    return gateway, broken


def families_of(text):
    return set(re.findall(r"^# TYPE (\S+)", text, re.M))


def expressions_of(dashboard):
    return [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]


def names_in(expression):
    """Metrics that an expression reads, as families."""
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in re.findall(r"\b((?:weir|process)_[a-z0-9_]+)", expression)}


def promtool(checks, directory, gateways):
    tool, reason = unpack("prometheus", BUILD / "prometheus", "usr/bin/promtool")
    if reason:
        return checks.skip(reason)

    def run(name, *words, text=None):
        done = subprocess.run([tool, *words], input=text or "", capture_output=True, text=True, check=False)
        checks.true(name, done.returncode == 0 and "linting" not in done.stderr, (done.stdout + done.stderr)[-1000:])
        return done
    for name, gateway in zip(("worked", "broken"), gateways):
        done = run(f"promtool check metrics: {name}", "check", "metrics", text=scrape(gateway)[1])
        checks.equal(f"promtool says nothing: {name}", done.stdout + done.stderr, "")
    bad = subprocess.run([tool, "check", "metrics"], input="# TYPE a_total gauge\na_total 1\n", capture_output=True, text=True, check=False)
    checks.true("promtool would say something", bad.returncode != 0 and bad.stderr + bad.stdout, bad)
    run("promtool check rules", "check", "rules", SHARE / "prometheus/weir.rules.yml")
    run("promtool test rules", "test", "rules", SHARE / "prometheus/weir.rules.test.yml")
    dashboard = json.loads((SHARE / "grafana/weir.json").read_text())
    rules = [{"record": f"panel:{i}", "expr": expression.replace("$__rate_interval", "5m").replace("$instance", ".*")}
             for i, expression in enumerate(expressions_of(dashboard))]
    path = directory / "panels.yml"
    path.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))  # JSON is YAML
    checks.true("the dashboard has expressions", len(rules) > 20, len(rules))
    run("promtool: the dashboard's expressions", "check", "rules", path)
    return None


def names(checks, gateways):
    """Rules and dashboard read only what is there."""
    there = set.union(*(families_of(scrape(gateway)[1]) for gateway in gateways)) | NOT_ALWAYS
    dashboard = json.loads((SHARE / "grafana/weir.json").read_text())
    for expression in expressions_of(dashboard):
        checks.equal(f"dashboard: {expression}", names_in(expression) - there, set())
    rules = (SHARE / "prometheus/weir.rules.yml").read_text()
    expressions = re.findall(r"expr: (.*(?:\n {10}.*)*)", rules)
    checks.true("rules have expressions", len(expressions) >= 17, len(expressions))
    for expression in expressions:
        checks.equal(f"rule: {expression}", names_in(expression) - there, set())


def openmetrics(checks, gateways):
    kind, text = scrape(gateways[0], f"{OPENMETRICS}; version=1.0.0, text/plain;q=0.5")
    checks.true("OpenMetrics: its type", kind.startswith(OPENMETRICS), kind)
    python, reason = python_with(BUILD / "prometheus-venv", CLIENT)
    if reason:
        return checks.skip(reason)
    script = ("import sys; from prometheus_client.openmetrics.parser import text_string_to_metric_families as read;"
              "print(len([s for f in read(sys.stdin.read()) for s in f.samples]))")
    for name, given, is_good in (("whole", text, True), ("without its end", text.replace("# EOF\n", ""), False)):
        done = subprocess.run([python, "-c", script], input=given, capture_output=True, text=True, check=False)
        checks.equal(f"OpenMetrics: prometheus_client reads it, {name}", done.returncode == 0, is_good)
        if is_good:
            checks.true("OpenMetrics: samples", done.returncode == 0 and int(done.stdout) > 50, done.stderr[-500:])
    return None


def closed(checks, gateways):
    """What a client writes is in no label."""
    text = scrape(gateways[0])[1]
    checks.true("no client's word in a label", "no-such" not in text)
    checks.true("overhead in microseconds", 'weir_query_overhead_seconds_bucket{le="5e-06"}' in text)
    checks.true("a fault is named", 'weir_query_faults_total{result="PROVIDER_UNREACHABLE"} 1' in scrape(gateways[1])[1])
    checks.true("a retry is counted", f'weir_model_call_retries_total{{model="{harness.MODEL}"}} 1' in scrape(gateways[1])[1])


def main(world, checks):
    gateways = worked(world)
    promtool(checks, world.directory, gateways)
    names(checks, gateways)
    openmetrics(checks, gateways)
    closed(checks, gateways)


if __name__ == "__main__":
    with held("oracle-prometheus"):
        harness.run(main)
