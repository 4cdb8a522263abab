#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The released OpenAI and Anthropic SDKs for Python and Node talk to weir: run.py WEIR

They are installed once, at the versions below, each into a folder of its own below build/; where that cannot be done (no
registry within reach) they are skipped, with the reason. Last line: 'N passed, N failed', and ', N skipped' then.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1] / "tools"), str(HERE.parent / "e2e")]
from packages import BUILD, held, node_with, python_with
from processes import Process, free_port, to_yaml
from provider import Provider

SDKS = {  # its package, its folder below build/, the program that uses it
    "python": ("openai==3.54.0", "interop-venv", "sdk.py"),
    "node": ("openai@7.57.0", "interop-node", "sdk.mjs"),
    "anthropic python": ("anthropic==2.13.0", "interop-anthropic-venv", "claude.py"),
    "anthropic node": ("@anthropic-ai/sdk@1.13.0", "interop-anthropic-node", "claude.mjs"),
}
KEY = "sk-interop"


def install(package, folder, program):
    """The reason why not, or None."""
    if program.endswith(".py"):
        return python_with(BUILD / folder, package, seconds=600)[1]
    return node_with(BUILD / folder, package, seconds=600)


def command_of(folder, program, *arguments):
    """The command and how to start it: the SDK is found in its folder."""
    folder = BUILD / folder
    if program.endswith(".py"):
        return [folder / "bin" / "python", HERE / program, *arguments], {}
    return ["node", HERE / program, *arguments], {"cwd": folder}


def start_gateway(weir, directory, provider_port):
    simulated_port, port, admin_port = free_port(), free_port(), free_port()
    upstream = Process([weir, "upstream", "--mode", "sim", "--time-scale", "0", "--listen", f"127.0.0.1:{simulated_port}"],
                       directory / "upstream.log")
    upstream.wait_for(f"http://127.0.0.1:{simulated_port}/v1/models")
    config = directory / "weir.yaml"
    config.write_text(to_yaml({
        "model": "gpt-4o-mini", "model_provider": "python", "max_retries": 0,
        "providers": {"python": {"base_url": f"http://127.0.0.1:{provider_port}/v1"},
                      "sim": {"base_url": f"http://127.0.0.1:{simulated_port}/v1", "simulated": True, "json_schema": True},
                      "anthropic": {"base_url": f"http://127.0.0.1:{provider_port}/v1", "dialect": "anthropic"},
                      "full": {"base_url": f"http://127.0.0.1:{provider_port}/v1", "responses": True}},
        "models": {"gpt-4o-mini": {"provider": "python"}, "simulated": {"provider": "sim"}, "claude": {"provider": "anthropic"},
                   "full": {"provider": "full"}},
        "server": {"listen": f"127.0.0.1:{port}", "admin": f"127.0.0.1:{admin_port}", "workers": 1, "keys": ["env:WEIR_INTEROP_KEY"]},
        "ledger": {"directory": str(directory / "ledger")},
    }))
    gateway = Process([weir, "serve", "--config", config], directory / "weir.log", {"WEIR_INTEROP_KEY": KEY})
    gateway.wait_for(f"http://127.0.0.1:{admin_port}/readyz")
    return gateway, upstream, port


def run_sdk(command, provider, **more):
    """(passed, failed) of an SDK's program, and whether the provider saw that its stream was left."""
    gone = provider.gone
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False, **more)
    print(done.stderr, end="", file=sys.stderr)
    closing = re.search(r"(\d+) passed, (\d+) failed\s*$", done.stdout)
    passed, failed = map(int, closing.groups()) if closing else (0, 1)
    until = time.monotonic() + 20
    while provider.gone == gone and time.monotonic() < until:
        time.sleep(0.05)
    saw_it = provider.gone == gone + 1
    if not saw_it:
        print(f"FAILED {command[0]}: the provider saw {provider.gone - gone} clients leave, not 1", file=sys.stderr)
    return passed + saw_it, failed + (not saw_it)


def main(weir):
    with held("interop"):
        reasons = {name: install(*sdk) for name, sdk in SDKS.items()}
    skipped = [reason for reason in reasons.values() if reason]
    for reason in skipped:
        print(f"skipped: {reason}", file=sys.stderr)
    counts = [0, 0]
    with tempfile.TemporaryDirectory(prefix="weir-interop-") as directory:
        provider = Provider(free_port())
        gateway, upstream, port = start_gateway(weir, pathlib.Path(directory), provider.server_port)
        base_url = f"http://127.0.0.1:{port}/v1"
        for name, (_, folder, program) in SDKS.items():
            if not reasons[name]:
                command, more = command_of(folder, program, base_url, KEY)
                counts = [a + b for a, b in zip(counts, run_sdk(command, provider, **more))]
        for process in (gateway, upstream):
            clean = process.stop() == 0
            counts[not clean] += 1
            if not clean:
                print(f"FAILED: {process.command[1]} did not end cleanly\n{process.output()[-3000:]}", file=sys.stderr)
    print(f"{counts[0]} passed, {counts[1]} failed" + (f", {len(skipped)} skipped" if skipped else ""))
    return counts[1] > 0


if __name__ == "__main__":
    sys.exit(main(os.path.abspath(sys.argv[1])))
