#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The dashboard's side of the admin listener, without a browser: its files, who may, what it reads from the ledger, its events."""
import gzip
import http.client
import json
import re
import socket
import subprocess
import time

import harness
from control_kit import admin, wait_for
from harness import read_answer

KEY_ENV = "env:WEIR_E2E_CLIENT_KEY"


def request(port, method, path, body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers or {})
        return read_answer(connection)
    finally:
        connection.close()


def get(gateway, path, **headers):
    return request(gateway.admin_port, "GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})


def files(checks, gateway):
    page = get(gateway, "/")
    checks.equal("/ is a page", (page.status, page.headers.get("content-type")), (200, "text/html; charset=utf-8"))
    policy = page.headers.get("content-security-policy", "")
    checks.true("nothing but its own files may run", "default-src 'none'" in policy and "script-src 'self';" in policy
                and "frame-ancestors 'none'" in policy and "unsafe" not in policy, policy)
    checks.equal("nosniff", page.headers.get("x-content-type-options"), "nosniff")
    checks.true("no script or style inside the page", b"<style" not in page.body and not re.search(rb"<script(?![^>]*src=)", page.body)
                and not re.search(rb"\son\w+=|\sstyle=", page.body))
    names = re.findall(rb'(?:href|src)="(/[^"#]+)"', page.body)
    checks.true("it names its files", len(names) >= 5, names)
    for name in sorted(set(names)):
        plain, packed = get(gateway, name.decode()), get(gateway, name.decode(), accept_encoding="gzip, br")
        checks.true(f"{name.decode()} is there, packed or not", plain.status == packed.status == 200
                    and packed.headers.get("content-encoding") == "gzip" and gzip.decompress(packed.body) == plain.body
                    and "content-encoding" not in plain.headers)
    again = get(gateway, "/app.css", if_none_match=get(gateway, "/app.css").headers["etag"])
    checks.equal("what has not changed is not sent again", (again.status, again.body), (304, b""))
    checks.equal("a file takes no POST", request(gateway.admin_port, "POST", "/app.css", {}).status, 405)
    checks.equal("HEAD has no body", (lambda a: (a.status, a.body))(request(gateway.admin_port, "HEAD", "/")), (200, b""))
    checks.error("nothing else is there", get(gateway, "/js/../secret"), 404)


def hosts(checks, gateway):
    checks.error("no other site's name leads here", get(gateway, "/admin/v1/overview", host="evil.example"), 403)
    checks.error("nor for signing in", get(gateway, "/admin/v1/session", host="evil.example"), 403)
    checks.equal("this machine's does", get(gateway, "/admin/v1/overview", host=f"localhost:{gateway.admin_port}").status, 200)
    for headers in ({"origin": "http://evil.example"}, {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"origin": "null"}):
        answer = request(gateway.admin_port, "POST", "/admin/v1/silences", {"actor": "eve"}, {"content-type": "application/json", **headers})
        checks.equal(f"{headers} changes nothing", (answer.status, answer.json["error"]["code"]), (403, "bad_origin"))
    checks.equal("without a key nobody signs in", get(gateway, "/admin/v1/session").json, {"required": False, "signed_in": True})


def ledger(checks, gateway):
    """What the admin API says is what the export says."""
    for number in range(12):
        gateway.chat("weir/direct", f"What is {number} + 1?", weir={"domain": "stem" if number % 2 else "tactical"})
    gateway.chat("no-such-model", "Hi")
    checks.true("an answer is made anew when it is no longer fresh", wait_for(lambda: len(get(gateway, "/admin/v1/queries?limit=200").json["data"]) == 13))
    rows = gateway.rows()
    listed = get(gateway, "/admin/v1/queries?limit=200&all").json
    checks.equal("every query is listed, newest first", [q["id"] for q in listed["data"]], [q["id"] for q in reversed(rows)])
    checks.equal("and no more are further back", (listed["next"], listed["cut"]), (None, False))
    first = get(gateway, "/admin/v1/queries?limit=5").json
    rest = get(gateway, f"/admin/v1/queries?limit=200&before={first['next']}").json
    checks.equal("pages meet", [q["id"] for q in first["data"] + rest["data"]], [q["id"] for q in listed["data"]])
    for query, want in (("domain=stem", 6), ("domain=STE", 6), ("result=failed", 1), ("result=ok", 12), ("result=CALLER_UNKNOWN_MODEL", 1),
                        ("model=no-such", 1), ("strategy=direct&domain=tactical", 6), ("tenant=nobody", 0), ("since=2999-01-01", 0)):
        checks.equal(f"queries?{query}", len(get(gateway, f"/admin/v1/queries?{query}").json["data"]), want)
    for query in ("limit=0", "limit=201", "limit=x", "before=1", "since=yesterday", "model=%25%ff", "model=%c3"):
        answer = get(gateway, f"/admin/v1/queries?{query}")
        checks.true(f"queries?{query} is refused", answer.status == 400, answer.body[:200])
    one = get(gateway, f"/admin/v1/queries/{rows[0]['id']}").json
    checks.equal("one query is its row", one, rows[0])
    checks.true("its calls say when they began", all(call["started_us"] >= 0 for call in one["calls"]) and one["calls"], one)
    for name in ("q0000000000000001", "x", "q", rows[0]["id"] + "/x"):
        checks.error(f"queries/{name}", get(gateway, f"/admin/v1/queries/{name}"), 404)
    sums(checks, gateway, rows)


def sums(checks, gateway, rows):
    series = get(gateway, "/admin/v1/series?range=1h").json
    total, buckets = series["total"], series["buckets"]
    cost = sum(row["cost_nano_usd"] for row in rows)
    checks.equal("the sums are the ledger's", (total["n"], total["succeeded"], total["cost_nano_usd"]), (13, 12, cost))
    checks.equal("each bucket adds up", (sum(buckets["n"]), sum(buckets["cost_nano_usd"])), (13, cost))
    checks.equal("each domain adds up", (sum(d["n"] for d in series["domains"]), sum(d["cost_nano_usd"] for d in series["domains"])), (13, cost))
    checks.equal("an hour is 60 minutes", (len(buckets["at"]), {len(column) for column in buckets.values()}), (60, {60}))
    checks.true("it was paid for", series["simulated"] is False and series["other_queries"] == 0)
    checks.true("the same tokens would have cost more", total["baseline_cost_nano_usd"] > total["comparable_cost_nano_usd"] == cost)
    unpriced = get(gateway, "/admin/v1/series?range=1h&baseline=nobody%27s").json["total"]
    checks.equal("a baseline without a price has no cost", unpriced["baseline_cost_nano_usd"], None)
    checks.equal("nothing was simulated", get(gateway, "/admin/v1/series?range=1h&simulated=1").json["total"]["n"], 0)
    checks.error("an unknown range", get(gateway, "/admin/v1/series?range=2h"), 400)
    day = time.strftime("%Y-%m-%d", time.gmtime())
    report = get(gateway, f"/admin/v1/reports?date={day}").json
    checks.true("the day's report has the same cost", report["total_cost_nano_usd"] in (cost, 0), report["total_cost_nano_usd"])  # 0: midnight has passed
    checks.error("no day", get(gateway, "/admin/v1/reports?date=2026-02-30"), 400)
    wait_for(lambda: get(gateway, "/admin/v1/overview").json["windows"]["1h"]["n"] >= 12)
    overview = get(gateway, "/admin/v1/overview").json
    checks.true("what is in memory agrees", overview["windows"]["1h"]["n"] in (12, 13) and overview["windows"]["24h"]["failed"] == 0
                and abs(overview["windows"]["1h"]["cost_usd"] * 1e9 - cost) < 1, overview["windows"]["1h"])
    minutes = overview["minutes"]
    checks.equal("its minutes add up, too", sum(m["n"] for m in minutes), overview["windows"]["1h"]["n"])
    checks.true("each is a minute after the one before, and the last is this one",
                all(b["at"] - a["at"] == 60 for a, b in zip(minutes, minutes[1:])) and abs(minutes[-1]["at"] * 1e6 - overview["at_us"]) < 61e6, [overview["at_us"], [m["at"] for m in minutes]])


def simulated(checks, world, up):
    """What simulated providers answered is kept apart, and shown by itself only where nothing was paid for."""
    port = up.port
    gateway = world.gateway(up, {"providers": {"pretend": {"base_url": f"http://127.0.0.1:{port}/v1", "simulated": True}},
                                 "report": {"baseline": "gpt-4o-mini", "validated_domains": ["stem"]},
                                 "models": {"made-up": {"provider": "pretend"}, harness.MODEL: {"provider": "test"}}})
    gateway.chat("made-up", "Hi")
    gateway.chat("no-such-model", "Hi")
    gateway.chat("made-up", "Hi")
    wait_for(lambda: len(get(gateway, "/admin/v1/queries").json["data"]) == 3)
    series = get(gateway, "/admin/v1/series?range=1h").json
    checks.equal("of what was simulated", (series["simulated"], series["total"]["n"], series["other_queries"]), (True, 2, 1))
    report = get(gateway, "/admin/v1/reports?simulated=1").json
    said = json.loads(gateway.command("report", "--simulated", "--json", "--tz", "UTC", "--date", report["date"]).stdout)
    checks.equal("the day's report is that of weir report", report, said)
    checks.equal("the baseline is the configuration's", (series["baseline"], report["repriced"]["baseline"]), ("gpt-4o-mini", "gpt-4o-mini"))
    gateway.chat(harness.MODEL, "Hi")
    # Asked so seldom that every answer is an old one that must be made anew.
    checks.true("an old answer is not given again", wait_for(lambda: time.sleep(1.1) or len(get(gateway, "/admin/v1/queries").json["data"]) == 4, 15))
    series = get(gateway, "/admin/v1/series?range=6h").json
    checks.equal("of what was paid for, once there is any", (series["simulated"], series["total"]["n"], series["other_queries"]), (False, 2, 2))
    gateway.stop()


def configuration(checks, gateway):
    answer = get(gateway, "/admin/v1/config")
    keys = {k["key"]: k["value"] for k in answer.json["keys"]}
    checks.equal("the configuration that holds", (keys["model"], keys["max_retries"], keys["server.drain_timeout_seconds"]), (harness.MODEL, 0, 5))
    checks.equal("of a secret only where it comes from", keys["providers.test.api_key"], "env:WEIR_E2E_PROVIDER_KEY")
    checks.true("and never the secret", not harness.has_secret(answer.body.decode()))
    checks.error("config takes no POST", request(gateway.admin_port, "POST", "/admin/v1/config", {}, {"content-type": "application/json"}), 405)
    checks.error("nothing below it", get(gateway, "/admin/v1/config/x"), 404)


def read_events(stream, count):
    events, text = [], b""
    while len(events) < count:
        text += stream.recv(65536)
        events = [json.loads(line[6:]) for line in text.decode(errors="replace").splitlines() if line.startswith("data: ") and line.endswith("}")]
    return events


def events(checks, gateway):
    """Viewers are sent snapshots; too many are refused; who goes away is forgotten."""
    def viewer():
        stream = socket.create_connection(("127.0.0.1", gateway.admin_port), timeout=30)
        stream.sendall(b"GET /admin/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return stream
    first = viewer()
    got = read_events(first, 4)
    checks.true("snapshots come, each newer", got[0]["at_us"] < got[1]["at_us"] and got[0]["rollout"] is None and "1m" in got[0]["windows"], got)
    crowd = [viewer() for _ in range(255)]
    for stream in crowd:
        read_events(stream, 1)
    checks.error("one too many", get(gateway, "/admin/v1/events"), 503)
    for stream in crowd:
        stream.close()
    checks.true("those who left make room", wait_for(lambda: socket_is_live(viewer())))
    checks.true("the first goes on", read_events(first, 1) != [])
    first.close()


def socket_is_live(stream):
    head = stream.recv(64)
    stream.close()
    return b" 200 " in head


def keys(checks, world, up):
    gateway = world.gateway(up, {"server": {"admin_key": KEY_ENV}})
    port, key = gateway.admin_port, harness.CLIENT_KEY
    json_type = {"content-type": "application/json"}
    checks.equal("the page itself is open", get(gateway, "/").status, 200)
    for path in ("overview", "queries", "series", "config", "events", "rollouts", "alerts"):
        checks.error(f"{path} wants the key", get(gateway, f"/admin/v1/{path}"), 401)
        checks.error(f"{path} wants the right one", get(gateway, f"/admin/v1/{path}", authorization=f"Bearer {key}x"), 401)
    checks.equal("with it", get(gateway, "/admin/v1/overview", authorization=f"Bearer {key}", host="weir.example").status, 200)
    checks.equal("probes need none", (get(gateway, "/healthz").status, get(gateway, "/metrics").status), (200, 200))
    signed = request(port, "POST", "/admin/v1/session", {"key": key}, {**json_type, "host": "weir.example"})
    cookie = signed.headers.get("set-cookie", "")
    checks.true("a session's cookie", signed.status == 200 and re.match(r"weir_session_\w*=[0-9a-f]{64}; Path=/; HttpOnly; SameSite=Strict; Max-Age=43200$", cookie), cookie)
    pair = {"cookie": f"other=1; {cookie.split(';')[0]}", "host": "weir.example"}
    checks.equal("lets its bearer read", request(port, "GET", "/admin/v1/overview", headers=pair).status, 200)
    silence = {"actor": "ada", "reason": "x", "seconds": 60, "match": {"arm": "a"}}
    for headers, want in (({}, 403), ({"origin": "https://evil.example"}, 403), ({"sec-fetch-site": "cross-site", "origin": "https://weir.example"}, 403),
                          ({"origin": "https://weir.example"}, 200), ({"sec-fetch-site": "same-origin"}, 200)):
        checks.equal(f"a change with {headers}", request(port, "POST", "/admin/v1/silences", silence, {**json_type, **pair, **headers}).status, want)
    checks.equal("the key itself needs no origin", request(port, "POST", "/admin/v1/silences", silence, {**json_type, "authorization": f"Bearer {key}"}).status, 200)
    checks.error("a made-up session", request(port, "GET", "/admin/v1/overview", headers={"cookie": re.sub("=.{8}", "=00000000", pair["cookie"], count=2), "host": "weir.example"}), 401)
    out = request(port, "DELETE", "/admin/v1/session", headers={**pair, "origin": "https://weir.example"})
    checks.true("signing out", out.status == 200 and "Max-Age=0" in out.headers.get("set-cookie", ""))
    checks.error("is the session's end", request(port, "GET", "/admin/v1/overview", headers=pair), 401)
    checks.equal("the commands send the key", gateway.command("alert", "list").returncode, 0)
    for body in ({}, {"key": 7}, []):
        checks.error(f"signing in with {body}", request(port, "POST", "/admin/v1/session", body, json_type), 400)
    tries = [request(port, "POST", "/admin/v1/session", {"key": f"guess-{i}"}, json_type).status for i in range(12)]
    checks.equal("guessing ends", tries, [401] * 10 + [429] * 2)
    checks.equal("for all", request(port, "POST", "/admin/v1/session", {"key": key}, json_type).status, 429)
    log = gateway.process.output()
    checks.true("the log has neither keys nor guesses", "guess-" not in log and not harness.has_secret(log))
    gateway.stop()


def listens_elsewhere(checks, world, up):
    gateway = world.gateway(up, {"server": {"admin": f"0.0.0.0:{harness.free_port()}"}}, start=False)
    done = subprocess.run([world.weir, "serve", "--config", gateway.config], env={"WEIR_E2E_PROVIDER_KEY": "x", "WEIR_E2E_CLIENT_KEY": "y"},
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    checks.true("without a key it listens on this machine only", done.returncode == 3 and "server.admin_key" in done.stderr, done.stderr)


def main(world, checks):
    up = world.script([{"body": harness.completion()}])
    gateway = world.gateway(up)
    files(checks, gateway)
    hosts(checks, gateway)
    ledger(checks, gateway)
    configuration(checks, gateway)
    events(checks, gateway)
    simulated(checks, world, up)
    listens_elsewhere(checks, world, up)
    keys(checks, world, up)
    checks.equal("it ends with viewers there", (admin(gateway, "GET", "overview").status, gateway.stop()), (200, 0))


if __name__ == "__main__":
    harness.run(main)
