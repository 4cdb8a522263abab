#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The dashboard in Debian's Chromium, driven by Playwright: run.py WEIR

Every page at two widths in both themes: nothing in the console, nothing that the content policy refuses, nothing wider than the
window, nothing that axe finds; then the levers of a running rollout, a silence, the keyboard, signing in. Pictures of all go to
build/browser-pictures, to be looked at.

playwright-core and axe-core are installed once, at the versions below, into build/browser-node; where that cannot be done, or where there is
no Chromium, the test is skipped with the reason. Last line: 'N passed, N failed', and ', N skipped' then.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1] / "tools"), str(HERE.parent / "e2e")]
from control_kit import QUICK_GUARDS
from packages import BUILD, held, node_with
from processes import Process, free_port, http_json, to_yaml

PACKAGES = ["playwright-core@1.65.1", "axe-core@4.14.1"]
NODE = BUILD / "browser-node"
PICTURES = BUILD / "browser-pictures"
KEY = "sk-dashboard-7d1c"
HOSTILE = "<img src=x onerror=alert(1)>\"'&"


def gateway(weir, directory, name, upstream_port, server):
    port, admin = free_port(), free_port()
    config = directory / f"{name}.yaml"
    config.write_text(to_yaml({
        "model": "gpt-4o-mini", "model_provider": "sim", "strategy": "hrm_trm", "max_retries": 0,
        "providers": {"sim": {"base_url": f"http://127.0.0.1:{upstream_port}/v1", "simulated": True, "json_schema": True}},
        "server": {"listen": f"127.0.0.1:{port}", "admin": f"127.0.0.1:{admin}", "workers": 1, **server},
        "ledger": {"directory": str(directory / f"ledger-{name}")},
    }))
    process = Process([weir, "serve", "--config", config], directory / f"{name}.log", {"WEIR_BROWSER_KEY": KEY})
    process.wait_for(f"http://127.0.0.1:{admin}/readyz")
    return process, port, admin, config


def ask(port, number, model="weir/auto", domain="stem"):
    return http_json(f"http://127.0.0.1:{port}/v1/chat/completions", {
        "model": model, "messages": [{"role": "user", "content": f"What is {number} + {number % 7}?"}], "weir": {"domain": domain}})


def traffic(port, stopping):
    """Enough that every page has something, with names that no page may act on; then a trickle."""
    domains = ["stem", "tactical", "cybersecurity", "generic"]
    for number in range(80):
        _, answer = ask(port, number, ["weir/auto", "weir/direct", "gpt-4o-mini"][number % 3], domains[number % 4])
        if number % 4 == 0 and "weir" in answer:
            http_json(f"http://127.0.0.1:{port}/v1/feedback", {"query_id": answer["weir"]["query_id"], "correct": number % 8 == 0})
    for model, domain in ((HOSTILE, "stem"), ("weir/direct", HOSTILE)):
        ask(port, 1, model, domain)

    def trickle():
        number = 0
        while not stopping.wait(0.1):
            number += 1
            try:
                ask(port, number)
            except OSError:
                return
    threading.Thread(target=trickle, daemon=True).start()


def start_rollout(weir, directory, admin, config):
    canary, rollout, experiment = (directory / f"{name}.yaml" for name in ("canary", "rollout", "experiment"))
    canary.write_text(json.dumps({"extends": str(config), "temperature": 0.3}))
    rollout.write_text(json.dumps({"name": "cheaper", "canary": str(canary), "guards": {**QUICK_GUARDS, "cost_per_query": {"warn": 0.005, "trip": 0.01}},
                                   "steps": [{"share": share, "min": "1h", "max": "2h", "n_min": 1000} for share in ("10%", "50%", "100%")]}))
    experiment.write_text(json.dumps({"name": "cooler", "from": "0%", "to": "20%", "arms": {"control": {"share": "50%"}, "cool": {"share": "50%", "profile": str(canary)}}}))
    for words in (["rollout", "start", rollout], ["experiment", "start", experiment]):
        subprocess.run([weir, *words, "--target", f"http://127.0.0.1:{admin}", "--actor", "ada", "--reason", "half the price"], check=True, stdout=subprocess.DEVNULL)


def main(weir):
    with held("browser"):
        reason = node_with(NODE, *PACKAGES) if shutil.which("chromium") else "there is no chromium"
    if reason:
        print(f"skipped: {reason}", file=sys.stderr)
        print("0 passed, 0 failed, 1 skipped")
        return False
    with tempfile.TemporaryDirectory(prefix="weir-browser-") as name:
        directory, stopping = pathlib.Path(name), threading.Event()
        upstream_port = free_port()
        upstream = Process([weir, "upstream", "--mode", "sim", "--time-scale", "0", "--listen", f"127.0.0.1:{upstream_port}"], directory / "upstream.log")
        upstream.wait_for(f"http://127.0.0.1:{upstream_port}/v1/models")
        busy, port, admin, config = gateway(weir, directory, "busy", upstream_port, {})
        locked, _, locked_admin, _ = gateway(weir, directory, "locked", upstream_port, {"admin_key": "env:WEIR_BROWSER_KEY"})
        traffic(port, stopping)
        start_rollout(weir, directory, admin, config)
        time.sleep(1)  # the ledger is a moment behind
        world = {"busy": f"http://127.0.0.1:{admin}", "locked": f"http://127.0.0.1:{locked_admin}", "key": KEY, "hostile": HOSTILE,
                 "modules": str(NODE), "pictures": str(PICTURES / pathlib.Path(weir).parent.name), "chromium": shutil.which("chromium")}
        done = subprocess.run(["node", HERE / "dashboard.mjs", json.dumps(world)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False)
        stopping.set()
        print(done.stderr, end="", file=sys.stderr)
        closing = re.search(r"(\d+) passed, (\d+) failed\s*$", done.stdout)
        counts = list(map(int, closing.groups())) if closing else [0, 1]
        for process in (busy, locked, upstream):
            clean = process.stop() == 0
            counts[not clean] += 1
            if not clean:
                print(f"FAILED: {process.command[1]} did not end cleanly\n{process.output()[-3000:]}", file=sys.stderr)
    print(f"{counts[0]} passed, {counts[1]} failed")
    return counts[1] > 0


if __name__ == "__main__":
    sys.exit(main(os.path.abspath(sys.argv[1])))
