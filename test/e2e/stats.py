#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""weir stats: what it prints, what programs may rely on, and what it says to bad input: stats.py WEIR"""
import json
import os
import subprocess

import harness

RATE = ["interval", "--successes", "700", "--trials", "1000"]
COMPARE = ["compare", "--a", "1396.87,52377.9767,3000", "--b", "2422.7,134698.29,3461", "--relative", "--n-star", "1000"]
GUARD = ["guard", "--limit", ".05", "--failures", "30", "--trials", "150"]
SRM = ["srm", "--weights", "50,50", "--counts", "5300,4700"]
PAIRED = ["paired", "--both", "800", "--only-a", "30", "--only-b", "50", "--neither", "120", "--margin", ".02"]
PLAN = ["plan", "--margin", ".02", "--discordance", ".126"]


def run(world, *words):
    done = subprocess.run([world.weir, "stats", *words], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          cwd=world.directory, env={**os.environ, "NO_COLOR": "1"})
    return done.returncode, done.stdout, done.stderr


def answer(checks, world, *words):
    status, out, err = run(world, *words, "--json")
    checks.equal(f"{' '.join(words)}: exit", (status, err), (0, ""))
    return json.loads(out)


def near(checks, what, got, want, tolerance=5e-6):
    checks.true(f"{what}: {got}, should be {want}", abs(got - want) <= tolerance)


def values(checks, world):
    rate = answer(checks, world, *RATE)
    checks.equal("interval: members", list(rate), ["n", "estimate", "lower", "upper", "wilson", "exact", "exact_lower_one_sided", "alpha"])
    for member, want in [("estimate", .7), ("lower", .651629), ("upper", .745949)]:
        near(checks, f"interval: {member}", rate[member], want, 1e-6)
    near(checks, "interval: Wilson", rate["wilson"]["lower"], .6708761)
    near(checks, "interval: exact", rate["exact"]["upper"], .7282789)
    near(checks, "interval: 115 of 115 show 97.4 %",
         answer(checks, world, "interval", "--successes", "115", "--trials", "115")["exact_lower_one_sided"], .974, .0005)
    wider = answer(checks, world, *RATE, "--alpha", ".001", "--t-opt", "10")
    checks.true("interval: a smaller alpha is wider", wider["lower"] < rate["lower"] and wider["upper"] > rate["upper"])
    none = answer(checks, world, "interval", "--successes", "0", "--trials", "0")
    checks.equal("interval: no data", (none["estimate"], none["lower"], none["upper"]), (0, 0, 1))

    difference = answer(checks, world, *COMPARE)
    for member, want in [("estimate", .50336), ("lower", -.55844), ("upper", 1.56516), ("se", .33341)]:
        near(checks, f"compare: {member}", difference[member], want)
    checks.equal("compare: verdict", (difference["n"], difference["valid"], difference["verdict"]), (6461, True, "inconclusive"))
    plain = ["compare", "--a", "500,500,1000", "--b", "700,700,1000"]
    checks.equal("compare: higher", answer(checks, world, *plain)["verdict"], "higher")
    checks.equal("compare: lower", answer(checks, world, "compare", "--b", "500,500,1000", "--a", "700,700,1000")["verdict"], "lower")
    both = answer(checks, world, *plain)
    one = answer(checks, world, *plain, "--one-sided")
    checks.true("compare: one-sided is narrower", one["lower"] > both["lower"])
    few = answer(checks, world, "compare", "--a", "5,5,10", "--b", "9,9,10")
    checks.equal("compare: too few", (few["valid"], few["verdict"]), (False, "inconclusive"))
    same = answer(checks, world, "compare", "--a", "500,250,1000", "--b", "700,700,1000")
    checks.equal("compare: no variance", (same["valid"], same["lower"], same["upper"], same["se"]), (False, None, None, None))

    guard = answer(checks, world, *GUARD)
    checks.equal("guard: trips", (guard["verdict"], guard["log_e"] > guard["threshold"], guard["n"]), ("trip", True, 150))
    near(checks, "guard: p", guard["p"], 2.718281828459045 ** -guard["log_e"], 1e-12)
    calm = answer(checks, world, "guard", "--limit", ".05", "--failures", "1", "--trials", "400", "--alpha", ".01")
    checks.equal("guard: holds", (calm["verdict"], calm["p"], calm["log_e_below"] > calm["threshold"]), ("hold", 1, True))

    split = answer(checks, world, *SRM)
    checks.equal("srm: mismatch", (split["verdict"], split["n"], split["counts"], split["expected"]),
                 ("mismatch", 10000, [5300, 4700], [5000, 5000]))
    even = answer(checks, world, "srm", "--weights", "1, 1,2", "--counts", "2500,2500,5000")
    checks.equal("srm: match", (even["verdict"], even["p"]), ("match", 1))

    paired = answer(checks, world, *PAIRED)
    checks.equal("paired: verdict", (paired["verdict"], paired["equivalent"], paired["n"]), ("superior", False, 1000))
    for member, want in [("estimate", .02), ("success_a", .83), ("success_b", .85), ("p", .0329926), ("lower", .0025264),
                         ("upper", .0381663), ("resolvable", .0222397)]:
        near(checks, f"paired: {member}", paired[member], want, 1e-7)
    checks.true("paired: one-sided bounds lie inside", paired["lower"] < paired["lower_one_sided"] < paired["upper_one_sided"] < paired["upper"])

    checks.equal("plan: pairs", answer(checks, world, *PLAN)["pairs"], 1948)
    near(checks, "plan: margin", answer(checks, world, "plan", "--pairs", "23", "--discordance", ".126")["margin"], .184, .0005)


def sentences(checks, world):
    for words, part in [
        (RATE, "from 65.16 % to 74.59 % with 95 % confidence"), (COMPARE, "not known whether B's mean differs"),
        (["compare", "--a", "500,500,1000", "--b", "700,700,1000"], "B's mean is higher than A's"),
        (["compare", "--a", "5,5,10", "--b", "9,9,10"], "Nothing may be decided yet"),
        (GUARD, "The guard trips: the rate is above 5 %."), (["guard", "--limit", ".05", "--failures", "1", "--trials", "400"], "shown to be below 5 %"),
        (["guard", "--limit", ".05", "--failures", "5", "--trials", "100"], "not shown that the rate is above 5 %"),
        (SRM, "not split as the weights say"), (["srm", "--weights", "1,1", "--counts", "500,510"], "Nothing says"),
        (PAIRED, "B is better than A"), (PLAN, "1948 questions"),
        (["paired", "--both", "80000", "--only-a", "3500", "--only-b", "3000", "--neither", "12000", "--margin", ".02"], "although somewhat worse"),
        (["paired", "--both", "5", "--only-a", "0", "--only-b", "0", "--neither", "0", "--margin", ".02"], "It is not decided"),
        (["paired", "--both", "5", "--only-a", "90", "--only-b", "0", "--neither", "0", "--margin", ".02"], "B is worse than A"),
    ]:
        status, out, err = run(world, *words)
        checks.equal(f"{' '.join(words)}: exit", (status, err), (0, ""))
        checks.true(f"{' '.join(words)}: says '{part}'", part in out, out)
    status, out, err = run(world, "--help")
    for word in ["interval", "compare", "guard", "srm", "paired", "plan"]:
        checks.true(f"help: an example of {word}", f"weir stats {word} --" in out, out)


def bad_input(checks, world):
    for words, part in [
        ([], "give one calculation"), (["magic"], "interval, compare, guard"), (["interval", "guard"], "give one calculation"),
        (["interval", "--trials", "5"], "interval needs --successes"), (["guard", *GUARD[3:]], "guard needs --limit"),
        (["interval", "--successes", "6", "--trials", "5"], "cannot exceed --trials"),
        (["interval", "--successes", "-1", "--trials", "5"], "--successes must be an integer from 0"),
        (["interval", "--successes", "1.5", "--trials", "5"], "--successes must be an integer"),
        ([*RATE, "--alpha", "0"], "--alpha must be a number above 0 and below 1"), ([*RATE, "--alpha", "1"], "--alpha must be"),
        ([*RATE, "--alpha", "x"], "not 'x'"), ([*RATE, "--t-opt", "0"], "--t-opt must be"),
        ([*RATE, "--limit", ".05"], "--limit does not belong to 'interval'"), ([*PLAN, "--alpha", ".1"], "--alpha does not belong to 'plan'"),
        ([*SRM, "--relative"], "--relative does not belong to 'srm', which needs: weights counts; and takes: nothing more"),
        (["compare", "--a", "1,2", "--b", "1,2,3"], "--a must be SUM,SUM_OF_SQUARES,N"),
        (["compare", "--a", "1,2,3,4", "--b", "1,2,3"], "--a must be SUM,SUM_OF_SQUARES,N"),
        (["compare", "--a", "1,2,0", "--b", "1,2,3"], "N an integer from 1 on"), (["compare", "--a", "1,2,1.5", "--b", "1,2,3"], "N an integer"),
        (["compare", "--a", "30,2,3", "--b", "1,2,3"], "squares that sum to 2 only"), (["compare", "--a", "x,2,3", "--b", "1,2,3"], "not 'x,2,3'"),
        (["guard", "--limit", "1", *GUARD[3:]], "--limit must be"), (["guard", "--limit", "5", *GUARD[3:]], "--limit must be"),
        (["srm", "--weights", "1,1", "--counts", "1,2,3"], "for the same arms"), (["srm", "--weights", "1", "--counts", "1"], "two at least"),
        (["srm", "--weights", "1,0", "--counts", "1,2"], "--weights must be above 0"), (["srm", "--weights", "1,1", "--counts", "1,2.5"], "integers"),
        (["srm", "--weights", "1,1", "--counts", "1,-2"], "integers"), (["srm", "--weights", ",".join(["1"] * 17), "--counts", "1,2"], "at most 16"),
        (["srm", "--weights", "", "--counts", "1,2"], "--weights must be"), ([*PAIRED[:-1], "0"], "--margin must be"),
        (["plan", "--discordance", ".1"], "--margin to learn"), ([*PLAN, "--pairs", "5"], "or --pairs"),
        (["plan", "--margin", ".02"], "plan needs --discordance"), (["plan", "--margin", "2", "--discordance", ".1"], "--margin must be"),
    ]:
        for extra in [[], ["--json"]]:
            status, out, err = run(world, *words, *extra)
            checks.equal(f"{' '.join(words + extra)}: exit", (status, out), (2, ""))
            checks.true(f"{' '.join(words)}: says '{part}'", part in err, err)


def main(world, checks):
    for part in [values, sentences, bad_input]:
        part(checks, world)


if __name__ == "__main__":
    harness.run(main)
