# SPDX-License-Identifier: Apache-2.0
"""The comparisons of stats.py, in the environment that has the oracles: compare.py WEIR DRIVER ROUNDS ORACLES SKIPPED

Every comparison draws its inputs from its own seed. A check is one number of weir's beside the oracle's.
"""
import json
import math
import random
import subprocess
import sys

import numpy as np
from scipy import optimize, special, stats

WEIR, DRIVER, ROUNDS, ORACLES, SKIPPED = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4].split(","), int(sys.argv[5])
COUNTS = {"passed": 0, "failed": 0}


def check(what, got, want, relative=1e-9, absolute=1e-12):
    got, want = float(got), float(want)
    is_near = abs(got - want) <= max(absolute, relative * abs(want))
    COUNTS["passed" if is_near else "failed"] += 1
    if not is_near and COUNTS["failed"] < 20:
        print(f"FAILED {what}: weir {got!r}, oracle {want!r}", file=sys.stderr)


def check_all(what, got, want, absolute):
    """One check of many numbers: the farthest."""
    check(f"{what}: how many", len(got), len(want), 0, 0)
    check(f"{what}: farthest", max(map(abs, np.subtract(got, want))), 0, 0, absolute)


def weir(*words):
    done = subprocess.run([WEIR, "stats", *map(str, words), "--json"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


class Driver:
    def __init__(self):
        self.process = subprocess.Popen([DRIVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, name, *numbers):
        self.process.stdin.write(f"{name} {' '.join(repr(float(x)) for x in numbers)}\n")
        self.process.stdin.flush()
        return [float(word) for word in self.process.stdout.readline().split()]


def draw_share(draw):
    n = int(10 ** draw.uniform(0, 6))
    return draw.choice([0, n, draw.randint(0, n), int(n * draw.random() ** 5)]), n


# ---- rates ----

def log_martingale(k, n, p, t_opt, alpha_opt=.05):
    """Howard et al. 2021's Bernoulli mixture, from scipy's betaln."""
    level = 2 * math.log(1 / alpha_opt)
    r = max(p * (1 - p) * t_opt / (level + math.log(1 + level)) - p * (1 - p), 1e-3 * p * (1 - p))
    return (-special.xlogy(k, p) - special.xlog1py(n - k, -p) + special.betaln(r / p + n - k, r / (1 - p) + k)
            - special.betaln(r / p, r / (1 - p)))


def rates(draw):
    for _ in range(ROUNDS):
        k, n = draw_share(draw)
        alpha = draw.choice([.05, .01, .2, 1e-6])
        got = weir("interval", "--successes", k, "--trials", n, "--alpha", alpha)
        test = stats.binomtest(k, n)
        for name, method in [("exact", "exact"), ("wilson", "wilson")]:
            want = test.proportion_ci(1 - alpha, method)
            check(f"{name} lower {k}/{n} {alpha}", got[name]["lower"], want.low, 1e-7)
            check(f"{name} upper {k}/{n} {alpha}", got[name]["upper"], want.high, 1e-7)
        check(f"one-sided {k}/{n} {alpha}", got["exact_lower_one_sided"], stats.beta.ppf(alpha, k, n - k + 1) if k else 0, 1e-7)


def rate_sequences(draw):
    for _ in range(ROUNDS):
        n = int(10 ** draw.uniform(0, 4))
        k, alpha, t_opt = draw.randint(0, n), draw.choice([.05, .001]), draw.choice([10, 100, 1000])
        got = weir("interval", "--successes", k, "--trials", n, "--alpha", alpha, "--t-opt", t_opt)

        def excess(p, k=k, n=n, t_opt=t_opt, alpha=alpha):
            return log_martingale(k, n, p, t_opt) - math.log(1 / alpha)

        lower = optimize.brentq(excess, 1e-12, min(k / n, 1 - 1e-12), xtol=1e-13) if k and excess(1e-12) > 0 else 0
        upper = optimize.brentq(excess, max(k / n, 1e-12), 1 - 1e-12, xtol=1e-13) if k < n and excess(1 - 1e-12) > 0 else 1
        check(f"sequence lower {k}/{n}", got["lower"], lower, 1e-7, 1e-8)
        check(f"sequence upper {k}/{n}", got["upper"], upper, 1e-7, 1e-8)


def rate_sequences_confseq(draw):
    from confseq import boundaries
    for _ in range(ROUNDS):
        n = int(10 ** draw.uniform(.5, 4))
        k = draw.randint(1, n - 1)
        want = boundaries.bernoulli_confidence_interval(k, n, .05, 100)
        got = weir("interval", "--successes", k, "--trials", n)
        check(f"confseq lower {k}/{n}", got["lower"], want[0], 1e-7)
        check(f"confseq upper {k}/{n}", got["upper"], want[1], 1e-7)


# ---- guards and splits ----

def guards(draw):
    stakes = 2.0 ** -(.15 + np.arange(16) / 2)
    for _ in range(ROUNDS):
        k, n = draw_share(draw)
        limit, alpha = draw.uniform(.001, .9), draw.choice([.001, .05])
        got = weir("guard", "--limit", limit, "--alpha", alpha, "--failures", k, "--trials", n)
        above = special.logsumexp(k * np.log1p(stakes * (1 / limit - 1)) + (n - k) * np.log1p(-stakes)) - math.log(16)
        below = special.logsumexp(k * np.log1p(-stakes) + (n - k) * np.log1p(stakes * limit / (1 - limit))) - math.log(16)
        check(f"guard {k}/{n} {limit}", got["log_e"], above, 1e-9, 1e-8)
        check(f"guard below {k}/{n} {limit}", got["log_e_below"], below, 1e-9, 1e-8)
        check(f"guard verdict {k}/{n} {limit}", got["verdict"] == "trip", above >= math.log(1 / alpha))


def splits(draw):
    for _ in range(ROUNDS):
        arms = draw.randint(2, 6)
        weights = np.array([draw.uniform(.5, 5) for _ in range(arms)])
        total = 10 ** draw.uniform(1, 5)
        counts = np.array([int(total * w / weights.sum() * draw.uniform(.9, 1.1)) for w in weights])
        got = weir("srm", "--weights", ",".join(map(str, weights)), "--counts", ",".join(map(str, counts)))
        p = weights / weights.sum()
        a = 10000 * p
        want = (special.gammaln(10000) - special.gammaln(10000 + counts.sum()) + (special.gammaln(a + counts) - special.gammaln(a)).sum()
                - (counts * np.log(p)).sum())
        check(f"srm {counts} {weights}", got["log_e"], want, 1e-7, 1e-6)


# ---- pairs ----

def tango_score(both, only_a, only_b, neither, delta):
    """The score at delta, its nuisance parameter found by maximising the restricted likelihood numerically."""
    n = both + only_a + only_b + neither

    def loss(q):  # q: the chance that only A is right
        return -(special.xlogy(only_b, q + delta) + special.xlogy(only_a, q) + special.xlogy(both + neither, 1 - 2 * q - delta))

    low, high = max(0, -delta), (1 - delta) / 2
    q = optimize.minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-12}).x
    return (only_b - only_a - n * delta) / math.sqrt(n * (2 * q + delta * (1 - delta)))


def tango_bound(table, z):
    edge = 1 - 1e-9
    return optimize.brentq(lambda delta: tango_score(*table, delta) - z, -edge, edge, xtol=1e-12)


def pairs(draw):
    for _ in range(ROUNDS):
        most = draw.choice([6, 60, 2000])
        table = [draw.randint(0, most) for _ in range(3)] + [draw.randint(1, most)]
        both, only_a, only_b, neither = table
        margin = draw.uniform(.005, .2)
        got = weir("paired", "--both", both, "--only-a", only_a, "--only-b", only_b, "--neither", neither, "--margin", margin)
        name = f"{table} {margin}"
        p = stats.binomtest(only_a, only_a + only_b, .5).pvalue if only_a + only_b else 1
        check(f"McNemar {name}", got["p"], p, 1e-9)
        for member, z in [("lower", 1.959963984540054), ("upper", -1.959963984540054), ("lower_one_sided", 1.6448536269514722),
                          ("upper_one_sided", -1.6448536269514722)]:
            check(f"Tango {member} {name}", got[member], tango_bound(table, z), 1e-5, 2e-6)
        two, one = [tango_bound(table, z) for z in (1.959963984540054, 1.6448536269514722)]
        top = tango_bound(table, -1.959963984540054)
        want = "superior" if two > 0 else "non_inferior" if one > -margin else "inferior" if top < 0 else "inconclusive"
        check(f"verdict {name} {got['verdict']} {want}", got["verdict"] == want, True)


def plans(draw):
    z = stats.norm.ppf(.95) + stats.norm.ppf(.8)
    for _ in range(ROUNDS // 4):
        margin, discordance = draw.uniform(.005, .2), draw.uniform(.01, .5)
        check(f"plan {margin} {discordance}", weir("plan", "--margin", margin, "--discordance", discordance)["pairs"],
              math.ceil(z * z * discordance / margin ** 2), 0, 0)


# ---- means ----

def means_gbstats(draw):
    from gbstats.frequentist.tests import SequentialConfig, SequentialTwoSidedTTest
    from gbstats.models.statistics import SampleMeanStatistic
    for _ in range(ROUNDS):
        arms, given = [], []
        for _ in range(2):
            n = int(10 ** draw.uniform(2.1, 6))
            mean, deviation = draw.uniform(1, 20), draw.uniform(.1, 30)
            arms.append(SampleMeanStatistic(n=n, sum=n * mean, sum_squares=n * (mean ** 2 + deviation ** 2)))
            given.append(f"{arms[-1].sum!r},{arms[-1].sum_squares!r},{n}")
        relative, alpha, n_star = draw.random() < .5, draw.choice([.05, .01, .1]), draw.choice([500, 5000, 1e6])
        config = SequentialConfig(difference_type="relative" if relative else "absolute", alpha=alpha, sequential_tuning_parameter=n_star)
        with np.errstate(over="ignore"):  # a p of 0
            want = SequentialTwoSidedTTest(*arms, config).compute_result()
        got = weir("compare", "--a", given[0], "--b", given[1], "--alpha", alpha, "--n-star", n_star, *(["--relative"] if relative else []))
        for member, value in [("estimate", want.expected), ("lower", want.ci[0]), ("upper", want.ci[1]), ("se", want.uplift.stddev),
                              ("p", want.p_value)]:
            check(f"gbstats {member} {given} {relative} {alpha} {n_star}", got[member], value, 1e-7)


# ---- what only the driver shows ----

def distributions(draw, driver):
    for _ in range(ROUNDS):
        a, b = 10 ** draw.uniform(-.3, 5), 10 ** draw.uniform(-.3, 5)
        x = stats.beta.ppf(draw.uniform(.001, .999), a, b)
        p, back = driver.ask("beta", x, a, b)
        check(f"beta {x} {a} {b}", p, special.betainc(a, b, x), 1e-8)
        check(f"beta quantile {x} {a} {b}", back, x, 1e-7)
        alpha, degrees = draw.uniform(1e-4, .5), 10 ** draw.uniform(0, 5)
        check(f"t {alpha} {degrees}", driver.ask("student", alpha, degrees)[0], stats.t.isf(alpha / 2, degrees), 1e-8)


def tables(draw, driver):
    for _ in range(ROUNDS // 4):
        p = [draw.random() ** 3 for _ in range(draw.randint(1, 40))]
        order, most, want = np.argsort(p), 0, [0.0] * len(p)
        for rank, i in enumerate(order):
            most = max(most, min(1, (len(p) - rank) * p[i]))
            want[i] = most
        check_all(f"Holm {p}", driver.ask("holm", *p), want, 1e-12)
        sizes = [draw.randint(1, 5) for _ in range(draw.randint(2, 30))]
        sums = [sum(draw.gauss(1, 2) for _ in range(n)) for n in sizes]
        mean = sum(sums) / sum(sizes)
        groups = len(sizes)
        se = math.sqrt(groups / (groups - 1) * sum((s - n * mean) ** 2 for s, n in zip(sums, sizes))) / sum(sizes)
        half = stats.t.isf(.025, groups - 1) * se
        for got, expected in zip(driver.ask("clusters", *np.column_stack([sizes, sums]).ravel()), [mean, se, mean - half, mean + half]):
            check(f"clusters {sizes} {sums}", got, expected, 1e-8)


def labels(draw, n, levels):
    scores = np.array([draw.random() if not levels else draw.randint(0, levels) / levels for _ in range(n)])
    return scores, np.array([float(draw.random() < s) for s in scores])


def metrics(draw, driver):
    for _ in range(ROUNDS // 2):
        scores, right = labels(draw, draw.randint(15, 1500), 0)
        ece, brier, auroc, accuracy, confidence = driver.ask("measure", *np.column_stack([scores, right]).ravel())
        order = np.argsort(scores)
        bins = np.arange(len(scores)) * 15 // len(scores)
        want = sum(abs((scores[order] - right[order])[bins == b].sum()) for b in range(15)) / len(scores)
        check("ECE", ece, want, 1e-9)
        check("Brier", brier, np.mean((scores - right) ** 2))
        check("accuracy", accuracy, right.mean())
        check("confidence", confidence, scores.mean())
        tied, tied_right = labels(draw, 400, 12)
        if 0 < tied_right.sum() < len(tied):
            u = stats.mannwhitneyu(tied[tied_right == 1], tied[tied_right == 0]).statistic
            got = driver.ask("measure", *np.column_stack([tied, tied_right]).ravel())[2]
            check("AUROC with ties", got, u / (tied_right.sum() * (1 - tied_right).sum()))


def fits(draw, driver):
    for _ in range(ROUNDS // 8):
        scores, right = labels(draw, draw.randint(200, 1200), draw.choice([0, 15, 25]))
        kind, *got = driver.ask("fit", *np.column_stack([scores, right]).ravel())
        levels, which = np.unique(scores, return_inverse=True)
        weights = np.bincount(which)
        want = optimize.isotonic_regression(np.bincount(which, right) / weights, weights=weights).x[which]
        check("isotonic", kind, 2, 0)
        check_all("isotonic values", got, want, 1e-9)
        scores, right = labels(draw, draw.randint(30, 199), 0)
        kind, *got = driver.ask("fit", *np.column_stack([scores, right]).ravel())
        targets = np.where(right > 0, (right.sum() + 1) / (right.sum() + 2), 1 / ((1 - right).sum() + 2))

        def loss(w, scores=scores, targets=targets):
            x = w[0] * scores + w[1]
            return np.sum(np.logaddexp(0, x) - targets * x)

        best = optimize.minimize(loss, [1.0, 0.0], method="BFGS", options={"gtol": 1e-9}).x
        check("Platt", kind, 1, 0)
        if best[0] > .01:
            check_all("Platt values", got, special.expit(best[0] * scores + best[1]), 1e-4)


def main():
    parts = [rates, rate_sequences, guards, splits, pairs, plans]
    parts += [means_gbstats] if "gbstats" in ORACLES else []
    parts += [rate_sequences_confseq] if "confseq" in ORACLES else []
    driver = Driver()
    for number, part in enumerate(parts):
        part(random.Random(number))
    for number, part in enumerate([distributions, tables, metrics, fits]):
        part(random.Random(100 + number), driver)
    print(f"{COUNTS['passed']} passed, {COUNTS['failed']} failed" + (f", {SKIPPED} skipped" if SKIPPED else ""))
    return COUNTS["failed"] > 0


if __name__ == "__main__":
    sys.exit(main())
