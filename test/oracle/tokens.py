#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Token counts beside tiktoken, gpt-tokenizer's test plans and recorded usage: tokens.py WEIR DRIVER [TEXTS]

tools/setup-tokens fetches the ranks into build/tokens, pip tiktoken into build/oracle-tokens; what cannot be had is skipped, with
the reason; all is, when WEIR_OFFLINE is set. tiktoken is given the fetched ranks, since its own are not in a registry.
Last line: 'N passed, N failed', and ', N skipped'.
"""
import fcntl
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
VENV = ROOT / "build" / "oracle-tokens"
PACKAGE = "tiktoken==0.14.0"


def skip(reason):
    print(f"skipped: {reason}", file=sys.stderr)
    print("0 passed, 0 failed, 1 skipped")
    return 0


def install():
    """The reason why not, or None."""
    stamp = VENV / "installed"
    if stamp.exists() and stamp.read_text() == PACKAGE:
        return None
    subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=True)
    try:
        done = subprocess.run([VENV / "bin" / "pip", "install", "-q", "--disable-pip-version-check", "--retries", "1", "--only-binary",
                               ":all:", PACKAGE], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600, check=False)
    except subprocess.TimeoutExpired:
        return f"pip install {PACKAGE}: took too long"
    if done.returncode != 0:
        return f"pip install {PACKAGE}: {' '.join((done.stdout + done.stderr).split())[-300:]}"
    stamp.write_text(PACKAGE)
    return None


def main(weir, driver, texts="4000"):
    if os.environ.get("WEIR_OFFLINE"):
        return skip("WEIR_OFFLINE is set")
    done = subprocess.run([ROOT / "tools" / "setup-tokens"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode == 3:
        return skip(done.stderr.strip())
    if done.returncode != 0:
        print(done.stderr, file=sys.stderr)
        print("0 passed, 1 failed")
        return 1
    with open(ROOT / "build" / "oracle-tokens.lock", "w") as lock:  # both builds' tests may run at once
        fcntl.flock(lock, fcntl.LOCK_EX)
        reason = install()
    if reason:
        print(f"skipped tiktoken: {reason}", file=sys.stderr)
    python = sys.executable if reason else VENV / "bin" / "python"
    return subprocess.run([python, HERE / "tokens_compare.py", weir, driver, texts], stdin=subprocess.DEVNULL, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(*map(os.path.abspath, sys.argv[1:3]), *sys.argv[3:]))
