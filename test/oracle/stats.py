#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""core/stats and `weir stats` beside published implementations, on random inputs: stats.py WEIR DRIVER [ROUNDS]

scipy (with numpy), gbstats and confseq are installed once, at the versions below and from wheels only, into build/oracle. What
cannot be had is skipped, with the reason; all is, when WEIR_OFFLINE is set. Last line: 'N passed, N failed', and ', N skipped'.
"""
import fcntl
import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
VENV = ROOT / "build" / "oracle"
# numpy as gbstats wants it, so that the one installation does not undo the other.
PACKAGES = {"scipy": ["scipy==1.17.1", "numpy==1.26.4"], "gbstats": ["gbstats==0.8.0"], "confseq": ["confseq==0.0.11"]}


def install(name):
    """The reason why not, or None. A version that has no wheel here is not asked for again."""
    stamp = VENV / f"tried-{name}"
    wanted = " ".join(PACKAGES[name])
    if stamp.exists():
        tried, _, reason = stamp.read_text().partition("\n")
        if tried == wanted:
            return reason or None
    try:
        done = subprocess.run([VENV / "bin" / "pip", "install", "-q", "--disable-pip-version-check", "--retries", "1", "--only-binary", ":all:",
                               *PACKAGES[name]], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600, check=False)
    except subprocess.TimeoutExpired:
        return f"pip install {wanted}: took too long"
    if done.returncode == 0:
        stamp.write_text(wanted + "\n")
        return None
    said = " ".join((done.stdout + done.stderr).split())
    reason = f"pip install --only-binary :all: {wanted}: {said[-300:]}"
    if "No matching distribution" in said and "connection" not in said.lower():
        stamp.write_text(f"{wanted}\n{reason}")
    return reason


def main(weir, driver, rounds="200"):
    if os.environ.get("WEIR_OFFLINE"):
        print("skipped: WEIR_OFFLINE is set", file=sys.stderr)
        print("0 passed, 0 failed, 1 skipped")
        return 0
    (ROOT / "build").mkdir(exist_ok=True)
    with open(ROOT / "build" / "oracle.lock", "w") as lock:  # both builds' tests may run at once
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (VENV / "bin" / "pip").exists():
            shutil.rmtree(VENV, ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
        reasons = {}
        for name in PACKAGES:
            reasons[name] = install(name) if not reasons.get("scipy") else reasons["scipy"]
    for name, reason in reasons.items():
        if reason:
            print(f"skipped {name}: {reason}", file=sys.stderr)
    skipped = sum(bool(reason) for reason in reasons.values())
    if reasons["scipy"]:
        print(f"0 passed, 0 failed, {skipped} skipped")
        return 0
    available = ",".join(name for name, reason in reasons.items() if not reason)
    return subprocess.run([VENV / "bin" / "python", HERE / "compare.py", weir, driver, rounds, available, str(skipped)],
                          stdin=subprocess.DEVNULL, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(*map(os.path.abspath, sys.argv[1:3]), *sys.argv[3:]))
