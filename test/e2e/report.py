#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""weir report: through the whole program, from a gateway's answers to the report: report.py WEIR"""
import csv
import datetime
import html.parser
import io
import json
import os
import random
import re
import subprocess

import harness
import old_ledger

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
        (["--from", "2026-11-01"], 2, "both --from and --to"), (["--to", "2026-11-01"], 2, "both --from and --to"),
        (["--from", "2026-11-02", "--to", "2026-11-01"], 2, "before the first"),
        (["--from", "2026-11-02", "--to", "2026-11-03", "--date", "2026-11-02"], 2, "both --from and --to"),
        (["--from", "2025-01-01", "--to", "2026-11-03"], 2, "366 days"), (["--tolerance", "1"], 2, "go with --reconcile"),
        (["--reconcile", ledger / "no.csv"], 2, "cannot read"), (["--reconcile", "/dev/null"], 2, "empty"),
        (["--reconcile", "/dev/null", "--tolerance", "some"], 2, "must be dollars"), (["--reconcile", "x", "--format", "html"], 2, "text or json"),
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
    kpis = {kpi["name"]: kpi for kpi in report["kpis"]}
    checks.equal("json: key figures", list(kpis), ["cost_per_query", "success_rate", "hrm_confidence", "trm_confidence", "latency_p95",
                                                   "monthly_savings", "model_share", "mcts_share", "alerts_per_day", "dashboard_days"])
    checks.true("json: verdicts", all(kpi["verdict"] in ("shown", "not shown", "missed", "not measured") for kpi in report["kpis"]), kpis)
    checks.equal("json: four queries show little", kpis["cost_per_query"]["verdict"], "not shown")
    checks.equal("json: no control, no savings", kpis["monthly_savings"]["verdict"], "not measured")
    checks.equal("json: latency of all", report["latency_ms"]["n"], 4)
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
    checks.true("html: charts, key figures, calibration's place", all(part in out for part in [
        'class="chart"', "Cost by hour", "Key figures against their targets", "Model Distribution", "Latency"]), out[:500])
    widths = [float(width) for width in re.findall(r"(?:width|height):([0-9.]+)%", out.split("<body>")[1])]
    checks.true("html: every bar is a part", len(widths) > 24 and all(0 <= width <= 100 for width in widths), widths)
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


def span(world, checks, ledger, zone, first, last):
    """Each day's report adds up to the report of all of them; gives the hours of the days."""
    _, out, err = run(world, "report", "--ledger", ledger, "--from", first, "--to", last, "--tz", zone, "--json")
    whole = json.loads(out)
    day, end = datetime.date.fromisoformat(first), datetime.date.fromisoformat(last)
    queries = cost = labels = 0
    hours = {}
    while day <= end:
        _, out, _ = run(world, "report", "--ledger", ledger, "--date", day, "--tz", zone, "--json")
        one = json.loads(out)
        queries += one["total_queries"]
        cost += one["total_cost_nano_usd"]
        labels += one["labels"]["feedback"]["n"]
        hours[str(day)] = (one["to_us"] - one["from_us"]) / 3.6e9
        in_series = [bar for bar in whole["series"] if bar["label"] == str(day)]
        checks.equal(f"{zone} {day}: the series has it", [bar["cost_nano_usd"] for bar in in_series], [one["total_cost_nano_usd"]])
        checks.equal(f"{zone} {day}: its hours add up", sum(bar["queries"] for bar in one["series"]), one["total_queries"])
        day += datetime.timedelta(days=1)
    checks.equal(f"{zone}: the days add up", (queries, cost, labels),
                 (whole["total_queries"], whole["total_cost_nano_usd"], whole["labels"]["feedback"]["n"]))
    checks.true(f"{zone}: nothing is missing", whole["total_queries"] > 300, whole["total_queries"])
    return hours


HOSTILE = ["<script>alert(1)</script>", "=HYPERLINK(\"http://x\",\"y\")", "@SUM(A1)", "+1", "-1", "\x1b[2J\x1b]0;owned\x07", "a\tb\r\nc",
           "\u202egpj.exe", '"><img src=x onerror=alert(1)>', "'; DROP TABLE queries;--", "x" * 200, "\u0000nul"]


def old(world, checks):
    """A ledger of an older weir, over days on which clocks change, in zones of odd offsets, with names that want to do harm."""
    ledger = world.directory / "old"
    first = int(datetime.datetime(2026, 3, 27, tzinfo=datetime.timezone.utc).timestamp() * 1e6)
    quarter = 900 * 10**6
    queries = [old_ledger.query(first + i * quarter + 1, cost=150 * (i + 1), domain=["stem", "generic"][i % 2],
                                label=[None, 1.0, 0.0][i % 3], fault="PROVIDER_CUT" if i % 7 == 0 else None) for i in range(96 * 5)]
    old_ledger.make(ledger, queries)
    status, out, err = run(world, "report", "--ledger", ledger, "--date", "2026-03-29", "--json")
    checks.true("old: summed, and says so", status == 0 and "480 of 480 queries summed" in err, err)
    status, out, err = run(world, "report", "--ledger", ledger, "--date", "2026-03-29", "--json")
    checks.equal("old: once only", (status, err), (0, ""))
    checks.equal("old: a day of UTC", json.loads(out)["total_cost_nano_usd"], sum(150 * (i + 1) for i in range(192, 288)))
    status, out, _ = run(world, "ledger", "verify", "--ledger", ledger, "--json")
    checks.equal("old: verified", (status, json.loads(out)["mismatches"], json.loads(out)["rows"]), (0, 0, 480))
    zones = ["UTC"]
    if os.path.exists("/usr/share/zoneinfo/Europe/Berlin"):
        zones += ["Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns"]
    for zone in zones:
        hours = span(world, checks, ledger, zone, "2026-03-26", "2026-04-01")
        if zone == "Europe/Berlin":
            checks.equal("23 hours", hours["2026-03-29"], 23)
    _, out, _ = run(world, "report", "--ledger", ledger, "--from", "2026-03-01", "--to", "2026-03-31")
    checks.true("text: a span", "Cost Report - 2026-03-01 to 2026-03-31 (UTC)" in out and "Daily" not in out, out[:200])


def killed(world, checks):
    """kill -9 at any instant of the summing of an old ledger: what was summed is, what was not will be, nothing twice."""
    ledger = world.directory / "killed"
    first = int(datetime.datetime(2026, 5, 5, tzinfo=datetime.timezone.utc).timestamp() * 1e6)
    count = 120_000  # more than one transaction of a command
    old_ledger.make(ledger, [old_ledger.query(first + i * 700_000, cost=150 * (i % 50), tenant=str(i % 20)) for i in range(count)])
    kills, seed = 0, random.randrange(2**32)
    print("seed", seed)
    draw = random.Random(seed)
    for _ in range(12):
        process = subprocess.Popen([world.weir, "report", "--ledger", ledger, "--date", "2026-05-05", "--json"], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, cwd=world.directory)
        try:
            process.wait(draw.uniform(0, 0.3))
            break
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            kills += 1
    status, out, _ = run(world, "ledger", "verify", "--ledger", ledger, "--json")
    checks.equal("killed: verified", (status, json.loads(out)["mismatches"]), (0, 0))
    status, out, err = run(world, "report", "--ledger", ledger, "--date", "2026-05-05", "--json")
    report = json.loads(out)
    checks.equal(f"killed {kills} times: the sums", (report["total_queries"], report["total_cost_nano_usd"]),
                 (count, sum(150 * (i % 50) for i in range(count))))
    status, out, _ = run(world, "ledger", "verify", "--ledger", ledger, "--json")
    checks.equal("killed: verified again", (status, json.loads(out)["mismatches"]), (0, 0))


def hostile(world, checks):
    ledger = world.directory / "hostile"
    noon = int(datetime.datetime(2026, 5, 5, 12, tzinfo=datetime.timezone.utc).timestamp() * 1e6)
    old_ledger.make(ledger, [old_ledger.query(noon, domain=name, tenant=name, arm=name, strategy=name, model=name) for name in HOSTILE])
    for form in ["text", "csv", "html", "json"]:
        status, out, err = run(world, "report", "--ledger", ledger, "--date", "2026-05-05", "--format", form)
        checks.equal(f"hostile {form}: exit", status, 0) or print(err)
        checks.true(f"hostile {form}: no control characters", not any(ord(c) < 32 and c not in "\r\n" for c in out), repr(out))
        checks.true(f"hostile {form}: no turned text", form == "json" or "\u202e" not in out)
        if form == "html":
            checks.true("hostile html: no tag of theirs", "<script" not in out and "<img" not in out, out)
        if form == "csv":
            rows = list(csv.reader(io.StringIO(out, newline="")))
            checks.true("hostile csv: one width", len({len(row) for row in rows}) == 1, {len(row) for row in rows})
            checks.true("hostile csv: no formula", not any(cell.startswith(tuple("=+@")) or cell[:1] == "-" for row in rows for cell in row), out)
        if form == "json":
            names = {part["name"] for part in json.loads(out)["domains"]}
            checks.equal("hostile json: as they are", names, set(HOSTILE))


def reconcile(world, checks):
    ledger, invoice = world.directory / "paid", world.directory / "invoice.csv"
    noon = int(datetime.datetime(2026, 5, 5, 12, tzinfo=datetime.timezone.utc).timestamp() * 1e6)
    day = noon // 10**6 // 86400 * 86400
    old_ledger.make(ledger, [old_ledger.query(noon + i, cost=1_500_000_000) for i in range(4)]
                    + [old_ledger.query(noon + 86400 * 10**6, model="gpt-4o", cost=3_000_000_000)])
    def said(lines, *words):
        invoice.write_bytes(("start_time,amount_value,amount_currency,line_item\r\n" + "\r\n".join(lines)).encode("utf-8-sig"))
        return run(world, "report", "--ledger", ledger, "--reconcile", invoice, "--json", *words)
    same = [f'{day + 86400},3e0,usd,"gpt-4o-2024-08-06, input"', f'{day},2,usd,"gpt-4o-mini-2024-07-18, input"', f'{day},4.001,USD,"gpt-4o-mini, output"']
    status, out, err = said(same)
    report = json.loads(out)
    checks.equal("reconcile: the same", (status, report["ok"], report["difference_nano_usd"]), (0, True, 1_000_000))
    status, out, _ = said(same, "--tolerance", "0.0001")
    checks.equal("reconcile: beyond the tolerance", (status, json.loads(out)["rows_beyond"]), (1, 1))
    status, out, _ = said(same[1:])
    report = json.loads(out)
    checks.equal("reconcile: the invoice's days", (status, len(report["rows"]), report["ledger_nano_usd"]), (0, 1, 6_000_000_000))
    status, out, _ = said(same[1:], "--from", "2026-05-05", "--to", "2026-05-06")
    checks.equal("reconcile: a day that only the ledger has", (status, [row["in_invoice"] for row in json.loads(out)["rows"]]), (1, [True, False]))
    status, out, _ = said(same, "--provider", "other")
    checks.equal("reconcile: of no such provider", (status, json.loads(out)["ledger_nano_usd"]), (1, 0))
    status, out, err = said(['%d,"1,234.56",usd,gpt-4o' % day])
    checks.true("reconcile: thousands separators are refused", status == 2 and "line 2" in err and "thousands" in err, err)
    status, out, err = said(['%d,1,eur,gpt-4o' % day])
    checks.true("reconcile: so is another currency", status == 2 and "currency" in err, err)
    status, out, err = said(same, "--tz", "Europe/Berlin")
    checks.true("reconcile: by UTC days only", status == 2 and "--tz" in err, err)
    said(same)
    status, out, _ = run(world, "report", "--ledger", ledger, "--reconcile", invoice)
    checks.true("reconcile: text", status == 0 and "2 of 2 rows, and the total" in out and "interrupted" in out, out)


def main(world, checks):
    old(world, checks)
    killed(world, checks)
    hostile(world, checks)
    reconcile(world, checks)
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
