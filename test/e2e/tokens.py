#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""weir tokens: what it prints and refuses, with a table of single bytes and pairs that needs no registry: tokens.py WEIR"""
import json
import pathlib
import subprocess
import sys

import harness

SETUP = pathlib.Path(__file__).resolve().parents[2] / "tools" / "setup-tokens"


def run(world, *words, text=b""):
    done = subprocess.run([world.weir, "tokens", *map(str, words)], input=text, capture_output=True, cwd=world.directory, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def tables(world):
    """A directory with a table for each encoding: every pair of bytes is a token."""
    directory = world.path("ranks")
    directory.mkdir()
    subprocess.run([sys.executable, SETUP, "--pairs", directory / "pairs"], check=True)
    for number, name in enumerate(["o200k_base", "cl100k_base"]):
        (directory / f"pairs.{number}").rename(directory / f"{name}.bin")
    return directory


def counts(checks, world, ranks):
    file = world.path("text")
    file.write_bytes("ab don't 12345 ".encode())
    for words, text in [([file], b""), (["-"], file.read_bytes()), ([], file.read_bytes())]:
        status, out, err = run(world, *words, "--ranks", ranks, "--json", text=text)
        answer = json.loads(out)
        checks.equal(f"{words}: exit", (status, err), (0, ""))
        checks.equal(f"{words}: members", list(answer), ["encoding", "tokens", "bytes"])
        checks.equal(f"{words}: encoding and bytes", (answer["encoding"], answer["bytes"]), ("o200k_base", 15))
        checks.equal(f"{words}: for people", run(world, *words, "--ranks", ranks, text=text)[:2], (0, f"{answer['tokens']}\n"))
    for text, o200k, cl100k in [(b"", 0, 0), (b"ab", 1, 1), (b"it's", 2, 2), (b"x'm", 2, 2), (b"ab'm", 2, 2), (b"\n ", 2, 1),
                                (b"!/\n/", 2, 3), (b"12" * 100000, 133333, 133333), (b"ab " * 100000, 200000, 200000), (b"\xff\xfe", 3, 3)]:
        for name, want in [("o200k_base", o200k), ("cl100k_base", cl100k)]:
            status, out, err = run(world, "--encoding", name, "--ranks", ranks, "--json", text=text)
            checks.equal(f"{text[:20]} in {name}", (status, err, out and json.loads(out)), (0, "", {"encoding": name, "tokens": want, "bytes": len(text)}))


def refusals(checks, world, ranks):
    empty = world.path("empty")
    empty.mkdir()
    status, out, err = run(world, "--ranks", empty, text=b"a")
    checks.equal("no ranks: exit", (status, out), (3, ""))
    for part in ["o200k_base.bin", str(empty), "tools/setup-tokens", "--ranks"]:
        checks.true(f"no ranks: says {part}", part in err, err)
    damaged = world.path("damaged")
    damaged.mkdir()
    table = (ranks / "o200k_base.bin").read_bytes()
    for what, content in [("cut", table[:-1]), ("empty", b""), ("another encoding", (ranks / "cl100k_base.bin").read_bytes()), ("text", b"x" * 5000)]:
        (damaged / "o200k_base.bin").write_bytes(content)
        status, out, err = run(world, "--ranks", damaged, text=b"a")
        checks.equal(f"{what}: exit", (status, out), (2, ""))
        checks.true(f"{what}: what to do", "tools/setup-tokens" in err, err)
    for words, part in [(["--encoding", "p50k"], "o200k_base or cl100k_base"), (["a", "b"], "one FILE"), ([world.path("nowhere")], "nowhere"),
                        (["--frob"], "--frob")]:
        status, out, err = run(world, *words)
        checks.equal(f"{words}: exit", (status, out), (2, ""))
        checks.true(f"{words}: says {part}", part in err, err)
    status, out, err = run(world, world.directory, "--ranks", ranks)
    checks.equal("a directory: exit", (status, out), (3, ""))
    status, out, err = run(world, "--help")
    checks.true("help has an example", status == 0 and "Example:" in out)


def main(world, checks):
    ranks = tables(world)
    counts(checks, world, ranks)
    refusals(checks, world, ranks)


if __name__ == "__main__":
    harness.run(main)
