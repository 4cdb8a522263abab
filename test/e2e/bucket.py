#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""weir bucket: the hash against other SHA-256s, assignment recomputed from the documented rule, refusals: bucket.py WEIR"""
import hashlib
import json
import random
import shutil
import subprocess

import harness

WHOLE = 10**6


def run(world, *words):
    done = subprocess.run([world.weir, "bucket", *map(str, words)], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          cwd=world.directory, check=False)
    return done.returncode, done.stdout, done.stderr


def hash_of(salt, unit):
    return int.from_bytes(hashlib.sha256(salt.encode() + b"\x1f" + unit.encode()).digest()[:8], "big")


def position_of(salt, unit):
    return hash_of(salt, unit) * WHOLE >> 64


def hashes(checks, world):
    """The top 64 bits of SHA-256(salt, 0x1f, unit), for texts around the block's length and beyond ASCII."""
    texts = random.Random(4)
    units = ["u", "conversation-17", "ü€😀", "x" * 46, "x" * 47, "x" * 53, "x" * 54, "x" * 55, "x" * 117, "x" * 118, "y" * 5000]
    units += ["".join(texts.choices("abcdefgh-0123", k=texts.randrange(1, 200))) for _ in range(20)]
    for unit in units:
        status, out, err = run(world, "hash", "--salt", "salt/1/variant", "--unit", unit, "--json")
        answer = json.loads(out)
        want = hash_of("salt/1/variant", unit)
        checks.equal("hash: exit", status, 0)
        checks.equal(f"bucket of {unit[:20]!r} ({len(unit)})", (answer["bucket"], answer["position_ppm"]), (want, want * WHOLE >> 64))
    if shutil.which("openssl"):
        done = subprocess.run(["openssl", "dgst", "-sha256", "-r"], input=b"s\x1fu", capture_output=True, check=True)
        answer = json.loads(run(world, "hash", "--salt", "s", "--unit", "u", "--json")[1])
        checks.equal("openssl's digest begins with the bucket", done.stdout[:16].decode(), f"{answer['bucket']:016x}")
    for unit, want in [("a", 0.0505), ("b", 0.2696)]:
        answer = json.loads(run(world, "hash", "--scheme", "growthbook_v2", "--salt", "seed", "--unit", unit, "--json")[1])
        checks.equal(f"growthbook_v2 of {unit}", (answer["bucket"], answer["scheme"]), (want, "growthbook_v2"))
    status, out, _ = run(world, "hash", "--scheme", "growthbook_v2", "--salt", "seed", "--unit", "a")
    checks.equal("for people", (status, out), (0, "5.05%\n"))


def explanations(checks, world):
    """Arms as the documentation's rule gives them, for many units."""
    path = world.path("experiment.json")
    path.write_text(json.dumps({"id": "mcts", "seed": 3, "layer": "reasoning", "inclusion": [0.25, "75%"], "arms": [
        {"name": "control", "share": 0.07}, {"name": "b", "share": 0.1, "overlay": {"use_mcts": True}}, {"name": "c", "share": 0.3}]}))
    seen = set()
    for i in range(80):
        unit = f"conversation-{i}"
        status, out, err = run(world, "explain", unit, "--experiment", path, "--json")
        answer = json.loads(out)
        included = 250000 <= position_of("reasoning//layer", unit) < 750000
        at = position_of("mcts/3/variant", unit)
        arm = "control" if at < 70000 else "b" if 333333 <= at < 433333 else "c" if 666666 <= at < 966666 else None
        checks.equal(f"{unit}: exit", status, 0)
        checks.equal(f"{unit}: arm", (answer["arm"], answer["position_ppm"]), (arm if included else None, at))
        checks.equal(f"{unit}: bucket", answer["bucket"], hash_of("mcts/3/variant", unit))
        checks.true(f"{unit}: why", ("not included" in answer["why"]) != included, answer["why"])
        status, out, _ = run(world, "explain", unit, "--experiment", path)
        checks.equal(f"{unit}: for people", (status, out), (0, answer["why"] + "\n"))
        seen.add(answer["arm"])
    checks.equal("all arms were seen", seen, {None, "control", "b", "c"})


def refusals(checks, world):
    bad = world.path("bad.json")
    bad.write_text('{"id": "x",\n "arms": [{"name": "a", "share": 0.6},\n   {"name": "b", "share": 0.6}]}\n')
    broken = world.path("broken.json")
    broken.write_text('{"id": "x",\n "arms" [}\n')
    for words, part in [
        ([], "weir bucket hash"), (["frob"], "weir bucket explain"), (["explain"], "UNIT"), (["explain", "u"], "--experiment"),
        (["explain", "u", "--experiment", "nowhere"], "No such file"), (["explain", "u", "--experiment", "/"], "cannot be read"),
        (["explain", "u", "--experiment", bad], f"{bad}:3:27: arms.1.share: 60% from its start reaches over 100%"),
        (["explain", "u", "--experiment", broken], f"{broken}:2:9: this is not JSON"),
        (["explain", "", "--experiment", bad], "UNIT"),
        (["hash", "--salt", "s"], "--unit"), (["hash", "--unit", "s"], "--salt"),
        (["hash", "--salt", "s", "--unit", "u", "--scheme", "md5"], "growthbook_v2"), (["hash", "x", "--salt", "s", "--unit", "u"], "hash"),
    ]:
        status, out, err = run(world, *words)
        checks.equal(f"bucket {' '.join(map(str, words))}: exit", status, 2)
        checks.true(f"bucket {' '.join(map(str, words))}: says", part in err and not out, out + err)
    status, out, _ = run(world, "--help")
    checks.true("help has an example", status == 0 and "Example:" in out, out)


def explains_experiments_files(checks, world):
    """The files that `weir experiment start` takes, too; their arms' configurations need not be there."""
    path = world.path("test.yaml")
    path.write_text("name: t\narms:\n  a: {share: 50%}\n  b: {share: 50%, profile: nowhere.yaml}\n")
    arms = set()
    for unit in range(40):
        done = subprocess.run([world.weir, "bucket", "explain", f"u{unit}", "--experiment", path, "--json"], capture_output=True, text=True, check=False)
        checks.equal(f"yaml: u{unit}", done.returncode, 0)
        arms.add(json.loads(done.stdout)["arm"])
    checks.equal("yaml: both arms", arms, {"a", "b"})
    path.write_text("nmae: t\n")
    done = subprocess.run([world.weir, "bucket", "explain", "u", "--experiment", path], capture_output=True, text=True, check=False)
    checks.true("yaml: a typing error has its place", done.returncode == 2 and f"{path}:1:1: unknown key 'nmae'" in done.stderr, done.stderr)


def main(world, checks):
    for part in [hashes, explanations, refusals, explains_experiments_files]:
        part(checks, world)


if __name__ == "__main__":
    harness.run(main)
