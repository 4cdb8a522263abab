#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""TreeQuest's ABMCTSA on the task of bench-search's asks: what a step of it takes. Python, one core.

    bench/treequest.py [--seconds 4] [--nodes 100000]

Installs PyPI treequest, at the version below, into build/treequest. For each posterior and kind of scores it grows a tree until
it has so many nodes or so much time has gone, and prints one JSON object a line; one with "skipped" where it cannot be had. A
step is TreeQuest's own ask and tell of one new node, in place (without its default copy of the whole tree). `bench-search 5 NODES`
grows trees of as many nodes.
"""
import argparse
import json
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
VENV = ROOT / "build" / "treequest"
PACKAGE = "treequest==0.3.3"

MEASURE = r"""
import json, random, sys, time
import numpy
import treequest

policy, scores, seconds, nodes = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
random.seed(1)
numpy.random.seed(1)

def generate(parent):
    score = random.random()
    if scores == "near the parent's" and parent is not None:
        score = min(1.0, max(0.0, parent + 0.01 + random.gauss(0, 0.1)))
    return score, score

algorithm = treequest.ABMCTSA(dist_type=policy.removeprefix("ab_"))
tree = algorithm.init_tree()
times, start = [], time.process_time()
while len(times) < nodes and (not times or times[-1] < seconds):
    tree = algorithm.step(tree, {"generate": generate}, inplace=True)
    times.append(time.process_time() - start)
late = max(1, len(times) // 10)
before = times[-late - 1] if len(times) > late else 0.0
print(json.dumps({"bench": "treequest steps", "policy": policy, "scores": scores, "nodes": len(times),
                  "ms_per_node": round(times[-1] * 1e3 / len(times), 3),
                  "ms_per_node_last_tenth": round((times[-1] - before) * 1e3 / late, 3)}))
"""


def install():
    """The reason why not, or None."""
    stamp = VENV / "installed"
    if stamp.exists() and stamp.read_text() == PACKAGE:
        return None
    shutil.rmtree(VENV, ignore_errors=True)
    try:
        subprocess.run([sys.executable, "-m", "venv", VENV], capture_output=True, check=True, timeout=600)
        subprocess.run([VENV / "bin" / "pip", "install", "-q", "--disable-pip-version-check", PACKAGE], stdin=subprocess.DEVNULL,
                       capture_output=True, check=True, timeout=600)
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or b""
        return f"{PACKAGE} cannot be installed: {said.decode(errors='replace').strip()[-300:] or error}"
    stamp.write_text(PACKAGE)
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--nodes", type=int, default=100000)
    args = parser.parse_args()
    reason = install()
    if reason:
        print(json.dumps({"bench": "treequest steps", "skipped": reason}))
        return
    for scores in ("independent", "near the parent's"):
        for policy in ("ab_beta", "ab_gaussian"):
            done = subprocess.run([VENV / "bin" / "python", "-c", MEASURE, policy, scores, str(args.seconds), str(args.nodes)],
                                  capture_output=True, text=True, check=False, timeout=600)
            if done.returncode != 0:
                sys.exit(f"treequest.py: {done.stderr.strip()[-500:]}")
            print(done.stdout.strip(), flush=True)


if __name__ == "__main__":
    main()
