#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""weir's growthbook_v2 against GrowthBook's own SDK: hashes and the arms of whole experiments: bucket.py WEIR

The SDK is installed once, at the version below, into build/oracle-growthbook; where that cannot be done (no registry within
reach) the test is skipped, with the reason. Last line: 'N passed, N failed', and ', N skipped' then.
"""
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))
from packages import BUILD, held, node_with

SDK = "@growthbook/growthbook@1.8.0"
NODE = BUILD / "oracle-growthbook"


def weir_says(weir, *words):
    done = subprocess.run([weir, "bucket", *words, "--json"], capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
    return json.loads(done.stdout)


def questions(rng):
    """Seeds and units of ASCII text, and experiments of two to four arms whose shares may leave some out."""
    def text():
        return "u" + "".join(rng.choices("abcdefghijklmnopqrstuvwxyz0123456789-_.", k=rng.randrange(40)))
    hashes = [{"seed": text(), "unit": text()} for _ in range(150)]
    experiments = []
    for _ in range(8):
        count = rng.randrange(2, 5)
        coverage = rng.choice([1, 0.5, 0.2])
        experiments.append({"id": text(), "count": count, "coverage": coverage, "units": [text() for _ in range(25)]})
    return {"hashes": hashes, "experiments": experiments}


def main(weir):
    with held("oracle-growthbook"):
        reason = node_with(NODE, SDK, seconds=600)
    if reason:
        print(f"skipped: {reason}", file=sys.stderr)
        print("0 passed, 0 failed, 1 skipped")
        return 0
    asked = questions(random.Random(9))
    done = subprocess.run(["node", HERE / "bucket.mjs"], input=json.dumps(asked), capture_output=True, text=True, cwd=NODE,
                          timeout=120, check=True)
    told = json.loads(done.stdout)
    failed = passed = 0
    for question, want in zip(asked["hashes"], told["hashes"]):
        got = weir_says(weir, "hash", "--scheme", "growthbook_v2", "--salt", question["seed"], "--unit", question["unit"])["bucket"]
        good = got == want
        passed, failed = passed + good, failed + (not good)
        if not good:
            print(f"FAILED {question}: weir {got}, GrowthBook {want}", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="weir-oracle-") as directory:
        file = pathlib.Path(directory) / "experiment.json"
        for question, answers in zip(asked["experiments"], told["experiments"]):
            # GrowthBook's arm i of k starts at i/k and takes its share of that; ours by default starts there too.
            share = int(question["coverage"] * 10**6 / question["count"])
            arms = [{"name": f"arm{i}", "share": f"{share / 10**6:.6f}"} for i in range(question["count"])]
            file.write_text(json.dumps({"id": question["id"], "scheme": "growthbook_v2", "arms": arms}))
            for unit, want in zip(question["units"], answers):
                arm = weir_says(weir, "explain", unit, "--experiment", str(file))["arm"]
                got = int(arm[3:]) if arm else -1
                good = got == want
                passed, failed = passed + good, failed + (not good)
                if not good:
                    print(f"FAILED {question['id']} {unit}: weir {got}, GrowthBook {want}", file=sys.stderr)
    print(f"{passed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main(os.path.abspath(sys.argv[1])))
