#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""weir report: through the whole program, from a gateway's answers to the report: report.py WEIR"""
import csv
import html.parser
import io
import json
import os
import subprocess

import harness

MEMBERS = ["date", "total_queries", "total_cost_nano_usd", "avg_cost_nano_usd", "baseline_cost_nano_usd", "savings_nano_usd",
           "savings_percentage", "measured", "domains", "success_rate", "hrm_confidence", "trm_confidence", "recommendation"]


def run(world, *words):
    done = subprocess.run([world.weir, *map(str, words)], capture_output=True, text=True, stdin=subprocess.DEVNULL, cwd=world.directory,
                          env={**os.environ, "NO_COLOR": "1", "WEIR_E2E_PROVIDER_KEY": harness.PROVIDER_KEY})
    return done.returncode, done.stdout, done.stderr


def usage(checks, world):
    ledger = world.directory / "nowhere"
    for words, status, part in [
        (["--help"], 0, "Example:"), (["today"], 2, "no option"), (["--format", "pdf"], 2, "text, json"),
        (["--date", "2026-02-30"], 2, "the calendar"), (["--date", ""], 2, "the calendar"), (["--tz", "Mars/Base"], 2, "tz database"),
        (["--tz", "../zone"], 2, "tz database"), (["--ledger", ledger], 3, "there is no ledger"),
    ]:
        got, out, err = run(world, "report", *words)
        checks.equal(f"report {words}: exit", got, status)
        checks.true(f"report {words}: says", part in out + err, out + err)


def parts(checks, world, config):
    status, out, err = run(world, "report", "--config", config, "--simulated", "--json")
    checks.equal("json: exit", (status, err), (0, ""))
    report = json.loads(out)
    checks.true("json: the interface's members", all(member in report for member in MEMBERS), sorted(report))
    checks.equal("json: queries", report["total_queries"], 4)
    checks.equal("json: simulated, and says so", report["is_simulated"], True)
    checks.true("json: it cost something", report["total_cost_nano_usd"] > 0)
    for name in ["domains", "strategies", "arms", "tenants", "models"]:
        checks.equal(f"json: {name} add up", sum(part["cost_nano_usd"] for part in report[name]), report["total_cost_nano_usd"])
    _, out, _ = run(world, "ledger", "verify", "--config", config, "--json")
    checks.equal("the ledger's own sum", report["total_cost_nano_usd"], json.loads(out)["sum_nano_usd"])
    checks.equal("json: repriced", report["savings_nano_usd"], report["baseline_cost_nano_usd"] - report["repriced"]["cost_nano_usd"])
    checks.true("json: the price ratio of the two models", abs(report["savings_percentage"] - 94) < 1e-9, report["savings_percentage"])
    checks.equal("json: not measured", report["measured"]["why"], "not measured: no control traffic")
    checks.equal("json: raw", report["hrm_confidence"]["kind"], "raw")
    return report


def formats(checks, world, config, report):
    status, out, _ = run(world, "report", "--config", config, "--simulated")
    checks.equal("text: exit", status, 0)
    for part in ["Daily Cost Report - ", "SIMULATED", "Total Queries:        4", "not measured: no control traffic", "Recommendation: ",
                 "Top Domains by Cost:", "so far"]:
        checks.true(f"text: {part}", part in out, out)
    status, out, _ = run(world, "report", "--config", config, "--simulated", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out, newline="")))
    total = [row for row in rows if row["section"] == "total"]
    checks.equal("csv: one total", [int(row["cost_nano_usd"]) for row in total], [report["total_cost_nano_usd"]])
    for section in ["domain", "strategy", "arm", "tenant", "model", "calls"]:
        checks.equal(f"csv: {section} adds up", sum(int(row["cost_nano_usd"]) for row in rows if row["section"] == section),
                     report["total_cost_nano_usd"])
    status, out, _ = run(world, "report", "--config", config, "--simulated", "--format", "html")
    parser = html.parser.HTMLParser()
    tags = []
    parser.handle_starttag = lambda tag, _: tags.append(tag)
    parser.feed(out)
    checks.true("html: self-contained", status == 0 and "svg" in tags and not {"script", "link", "img", "iframe"} & set(tags), set(tags))
    checks.true("csv: no formula", all(not row["name"].startswith(tuple("=+-@")) for row in rows), out)


def days(checks, world, config):
    status, out, _ = run(world, "report", "--config", config)
    checks.true("simulated queries are set apart", status == 0 and "simulated ones" in out and "Total Cost" not in out, out)
    status, out, _ = run(world, "report", "--config", config, "--date", "2020-02-29", "--format", "json")
    report = json.loads(out)
    checks.equal("a date without data", (status, report["total_queries"], report["success_rate"], report["recommendation_basis"]),
                 (0, 0, None, "no_traffic"))
    if os.path.exists("/usr/share/zoneinfo/Europe/Berlin"):
        for date, hours in [("2026-03-29", 23), ("2026-10-25", 25)]:
            _, out, _ = run(world, "report", "--config", config, "--date", date, "--tz", "Europe/Berlin", "--json")
            report = json.loads(out)
            checks.equal(f"{date} in Berlin: hours", (report["to_us"] - report["from_us"]) / 3.6e9, hours)


def main(world, checks):
    usage(checks, world)
    provider = world.upstream("sim", "--time-scale", "0")
    config = world.gateway(provider, start=False).config
    for i, domain in enumerate(["stem", "stem", "generic", "=1+2"]):
        status, _, err = run(world, "ask", f"What is 12 * {i}?", "--config", config, "--domain", domain)
        checks.equal(f"ask in {domain}: exit", status, 0) or print(err)
    report = parts(checks, world, config)
    formats(checks, world, config, report)
    days(checks, world, config)


if __name__ == "__main__":
    harness.run(main)
