# SPDX-License-Identifier: Apache-2.0
"""A solver for each scenario of config/questions/scenarios.jsonl, for scenarios_test.py.

A solver reads the numbers out of the prompt, so that a changed prompt does not go unnoticed, and computes the answer in its own
way: by trying everything, by a textbook algorithm, by SQLite. It gives right answers as a good model would write them, and the
wrong ones that are tempting.
"""
import fractions
import itertools
import json
import math
import re
import sqlite3

SOLVERS = {}  # by the scenario's id
SPECIFIED = {}  # what a verifier's spec must repeat of the prompt, by id; solvers fill it


def solver(function):
    """def stem_carnot(prompt): … → right answers, wrong answers; for the scenario stem-carnot."""
    SOLVERS[function.__name__.replace("_", "-")] = function
    return function


# ---- reading prompts ----

def found(pattern, prompt):
    """The groups of the one place in the prompt that fits, numbers as numbers."""
    matches = re.findall(pattern, prompt)
    if len(matches) != 1:
        raise ValueError(f"{len(matches)} places fit {pattern!r}")
    groups = matches[0] if isinstance(matches[0], tuple) else (matches[0],)
    values = [fractions.Fraction(group.replace(",", "")) for group in groups]
    return values if len(values) > 1 else values[0]


def need(prompt, *sentences):
    """The solver has these rules built in, so they must be what the prompt says."""
    for sentence in sentences:
        if sentence not in prompt:
            raise ValueError(f"the prompt no longer says {sentence!r}")


def minutes(clock):
    return int(clock[:2]) * 60 + int(clock[3:])


# ---- tactical ----

def watches_of_one(watches, gap):
    """The most watches that one sentry can stand with gap free ones in between."""
    return max(sum(chosen) for chosen in itertools.product((0, 1), repeat=watches)
               if all(b - a > gap for a, b in itertools.pairwise(i for i in range(watches) if chosen[i])))


@solver
def tactical_night_defence(prompt):
    need(prompt, "sector 4 (the ford) and sector 9 (the gate) must be seen from at least two",
         "Sites A and F hang on one power cable", "from 18:00 to 06:00")
    sites = {name: set(map(int, sectors.split(", "))) for name, sectors in re.findall(r"^([A-H]): ([\d, ]+)$", prompt, re.M)}
    hours, sentries = found(r"watches of (\d+) hours", prompt), found(r"needs (\d+) sentries", prompt)
    rest, sectors = found(r"at least (\d+) hours of rest", prompt), found(r"into (\d+) sectors", prompt)
    seen_by = {sector: 2 if sector in (4, 9) else 1 for sector in range(1, int(sectors) + 1)}

    def fewest(cable):
        return next(n for n in range(1, len(sites) + 1) for chosen in itertools.combinations(sites, n)
                    if not (cable and {"A", "F"} <= set(chosen))
                    and all(sum(sector in sites[s] for s in chosen) >= times for sector, times in seen_by.items()))

    watches = int(12 / hours)
    each = watches_of_one(watches, int(rest / hours))
    assert each == 2 and watches == 6 and len(sites) == 8  # so pairs fill the night: watches 1 and 4, 2 and 5, 3 and 6
    posts, slots = fewest(True), sentries * watches
    return [f"{posts * slots / each}"], [f"{fewest(False) * slots / each}", f"{posts * slots}", f"{posts}", f"{posts * sentries}"]


@solver
def tactical_three_positions(prompt):
    need(prompt, "Seven reconnaissance flights", "it can be given at most 2 flights")
    prior = found(r"probabilities at ([\d.]+) for the ford, ([\d.]+) for the quarry and ([\d.]+) for the wood", prompt)
    seen = found(r"probability ([\d.]+) at the ford, ([\d.]+) at the quarry and ([\d.]+) at the wood", prompt)
    plans = sorted(((sum(p * (1 - (1 - d) ** n) for p, d, n in zip(prior, seen, flights)), flights[2] <= 2)
                    for flights in itertools.product(range(8), repeat=3) if sum(flights) == 7), reverse=True)
    best = [value for value, allowed in plans if allowed]
    return [f"{float(best[0]):.4f}"], [f"{float(value):.4f}" for value in (best[1], best[2], plans[0][0])]


@solver
def tactical_pursue_or_hold(prompt):
    need(prompt, "pursues if every scout reports \"clear\" and holds otherwise")
    genuine, ambush = found(r"retreat with probability ([\d.]+) and for the bait of an ambush with probability ([\d.]+)", prompt)
    hold, cost = found(r"holding the depot is worth (\d+) point", prompt), found(r"Each costs ([\d.]+) points", prompt)
    won, lost = found(r"worth (\d+) points when the retreat is genuine and (-\d+) points when", prompt)
    clear, wrong = found(r"\"clear\" with probability ([\d.]+) when .* genuine and with probability ([\d.]+) when", prompt)
    late, later = found(r"only (\d+) points after one or two scouts and (\d+) points after three", prompt)
    assert genuine + ambush == 1 and found(r"an ambush still costs (\d+) points", prompt) == -lost

    def scouted(scouts):
        chase, trap = genuine * clear ** scouts, ambush * wrong ** scouts
        return chase * (late if scouts < 3 else later) + trap * lost + (1 - chase - trap) * hold - scouts * cost

    values = sorted([hold, genuine * won + ambush * lost, *map(scouted, (1, 2, 3))], reverse=True)
    assert values[0] == scouted(2)
    return [f"{float(values[0]):.3f}"], [f"{float(value):.3f}" for value in (*values[1:], values[0] + 2 * cost)]


# ---- cybersecurity ----

@solver
def cyber_containment(prompt):
    need(prompt, "An intruder has controlled workstation W7 since 02:00",
         "from that minute on, if it comes from a compromised host or uses a stolen account",
         "once it is used in a login that comes from a compromised host or enters one",
         "a host from which a login comes is not compromised by it")
    logins = re.findall(r"(\d\d:\d\d) (\w+) (\w\d)>(\w\d)", prompt)

    def spread(rows):
        hosts, accounts = {"W7"}, set()
        for time, account, source, target in rows:
            if source == "W7" and time < "02:00":
                continue
            if source in hosts or account in accounts:
                hosts.add(target)
            if source in hosts or target in hosts:
                accounts.add(account)
        return json.dumps({"hosts": sorted(hosts), "accounts": sorted(accounts)})

    right = spread(sorted(logins))
    assert len(logins) == 14
    untimed = json.loads(right)
    untimed["hosts"].append("D2")
    return [right, right.replace(" ", "")], [spread(logins), json.dumps(untimed), right.replace('"W7", ', "")]


@solver
def cyber_ransomware(prompt):
    need(prompt, "first logged in on 3 March", "beginning with RESTORE=NAME PAY=YES or RESTORE=NAME PAY=NO")
    copies = re.findall(r"^- (\w+): ([\w ]+?)(?: of (\d+) (\w+))?, ", prompt, re.M)
    # Out of reach, and from before the first login; the latest of those.
    clean = max((int(day) + 31 * ["January", "February", "March"].index(month), name) for name, what, day, month in copies
                if ("immutable" in what or "offline" in what) and (month != "March" or int(day) < 3))[1]
    marker = f"RESTORE={clean} PAY=NO"
    parts = [
        "In the first hour disconnect the internal network and the VPN so that nothing more is encrypted.",
        "Switch nothing off before memory images of the file server and a domain controller are taken as evidence.",
        "Rebuild the domain controllers and servers from known media.",
        "Reset every password twice, krbtgt included, and revoke the contractor's account.",
        "Restore the copy there, scan it, and compare it with the paper records before ward after ward goes back.",
        "Notify the data protection authority within 72 hours, the police and the patients.",
    ]
    good = " ".join([marker, *parts])
    terse = (f"restore={clean.lower()} pay=no. Isolate all; preserve logs for forensics; reinstall; rotate all credentials; "
             "inform the regulator; test before users return.")
    bad = [good.replace(clean, name) for name, *_ in copies if name != clean]
    bad += [" ".join([marker, *parts[:i], *parts[i + 1:]]) for i in range(len(parts))]
    bad += [" ".join(parts), good.replace("NO", "YES"), marker, "", prompt, good + f" If it fails: RESTORE={copies[0][0]}."]
    return [good, terse], bad


@solver
def cyber_beaconing(prompt):
    connections, spread = found(r"has at least (\d+) connections, the bytes sent differ by at most (\d+) between", prompt)
    ratio = found(r"is below ([\d.]+)\. Exactly", prompt)
    means, tempting = [], []
    line = re.compile(r"^[A-Z]( \(on the allow list\))?: ([\d: ]+); bytes (\d+) to ([\d,]+)$", re.M)
    for listed, starts, low, high in line.findall(prompt):
        times = [minutes(start) for start in starts.split()]
        gaps = [b - a for a, b in itertools.pairwise(times)]
        mean = sum(gaps) / len(gaps)
        deviation = math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps))
        alike = int(high.replace(",", "")) - int(low) <= spread and deviation / mean < ratio
        fits = alike and not listed and len(times) >= connections
        (means if fits else tempting).append(f"{mean:g}")
    assert len(means) == 1 and len(tempting) == 5
    return means, tempting


# ---- stem ----

def shortest_schedule(jobs):
    """The optimum, by depth-first search over the orders of operations with a bound, and its starting times."""
    tails = [[sum(duration for _, duration in job[k:]) for k in range(len(job) + 1)] for job in jobs]
    best, seen = [math.inf, None], set()

    def descend(at, ready, busy, starts):
        bound = max(r + tails[j][at[j]] for j, r in enumerate(ready))
        bound = max(bound, *(busy[m] + sum(d for j, job in enumerate(jobs) for n, d in job[at[j]:] if n == m) for m in busy))
        if bound >= best[0] or (at, ready, tuple(busy.values())) in seen:
            return
        seen.add((at, ready, tuple(busy.values())))
        if all(at[j] == len(job) for j, job in enumerate(jobs)):
            best[:] = [max(ready), starts]
        for j, job in enumerate(jobs):
            if at[j] < len(job):
                machine, duration = job[at[j]]
                start = max(ready[j], busy[machine])
                end = start + duration
                descend(at[:j] + (at[j] + 1,) + at[j + 1:], ready[:j] + (end,) + ready[j + 1:], {**busy, machine: end},
                        [*starts, {"job": j + 1, "operation": at[j] + 1, "start": start}])

    descend((0,) * len(jobs), (0,) * len(jobs), {machine: 0 for job in jobs for machine, _ in job}, [])
    return best


@solver
def stem_job_shop(prompt):
    lines = re.findall(r"^Job \d: (.*)$", prompt, re.M)
    jobs = [[[int(machine), int(duration)] for machine, duration in re.findall(r"M(\d) (\d+)", line)] for line in lines]
    makespan, starts = shortest_schedule(jobs)
    assert [len(job) for job in jobs] == [5, 5, 5] and all({m for m, _ in job} == set(range(1, 6)) for job in jobs)
    # The bound is no accident of one long job or one busy machine.
    assert makespan > max(sum(d for _, d in job) for job in jobs)
    last = max(starts, key=lambda row: row["start"] + jobs[row["job"] - 1][row["operation"] - 1][1])
    late = [{**row, "start": row["start"] + (row is last)} for row in starts]
    crossed = [{**row, "start": 0} if row["operation"] == 1 else row for row in starts]  # two jobs begin on M3
    swapped = [{**row, "operation": {1: 2, 2: 1}.get(row["operation"], row["operation"])} for row in starts]
    SPECIFIED["stem-job-shop"] = {"jobs": jobs, "makespan": makespan}
    wrong = [late, crossed, swapped, starts[1:], starts + starts[:1], [], makespan]
    return [json.dumps(starts), json.dumps(starts[::-1])], [json.dumps(rows) for rows in wrong]


@solver
def stem_shortest_path(prompt):
    edges = [(a, b, int(w)) for a, b, w in re.findall(r"\b([A-Z]) to ([A-Z]) (-?\d+)", prompt)]
    nodes = {node for a, b, _ in edges for node in (a, b)}
    cost, before = {node: 0 if node == "S" else math.inf for node in nodes}, {}
    for _ in nodes:  # Bellman and Ford; the last round must change nothing
        changed = [(a, b, w) for a, b, w in edges if cost[a] + w < cost[b]]
        for a, b, w in edges:
            if cost[a] + w < cost[b]:
                cost[b], before[b] = cost[a] + w, a
    assert len(edges) == 15 and not changed

    def routes(path, total):
        if path[-1] == "T":
            yield total, path
        for a, b, w in edges:
            if a == path[-1] and b not in path:
                yield from routes(path + b, total + w)

    best, second, *others = sorted(routes("S", 0))
    path = "T"
    while path[0] != "S":
        path = before[path[0]] + path
    assert best == (cost["T"], path) and second[0] > best[0]
    return [path, path.lower()], [second[1], others[0][1], path[::-1], str(best[0])]


@solver
def stem_projectile(prompt):
    height, speed, angle = found(r"(\d+) m above the water at (\d+) m/s, at an angle of (\d+)°", prompt)
    gravity = found(r"gravity as ([\d.]+) m/s²", prompt)
    across, up = (float(speed) * f(math.radians(angle)) for f in (math.cos, math.sin))
    far = across * (up + math.sqrt(up ** 2 + 2 * float(gravity * height))) / float(gravity)
    level = float(speed ** 2 / gravity) * math.sin(2 * math.radians(angle))
    return [f"{far:.1f} m", f"{far:.1f}"], [f"{level:.1f} m", f"{far + .3:.1f}", f"{far:.1f} s", f"{level + float(height):.1f}"]


@solver
def stem_carnot(prompt):
    hot, cold = found(r"hot reservoir at (\d+) K and a cold one at (\d+) K", prompt)
    cycles, heat, share = found(r"through (\d+) cycles per second and takes ([\d,]+) J .* with (\d+) % of the efficiency", prompt)
    taken = cycles * heat
    given = taken * (1 - share / 100 * (1 - cold / hot))
    rate = given / cold - taken / hot
    wrong = (given / cold, taken / cold - taken / hot, rate / cycles, rate + 1)
    return [f"{float(rate):.2f}"], [f"{float(value):.2f}" for value in wrong]


@solver
def stem_anomaly_stream(prompt):
    need(prompt, "for each minute of the last 24 hours", "When any one node is lost")
    events, sensors = found(r"stream of ([\d,]+) events per second from ([\d,]+) sensors", prompt)
    micros, busy = found(r"takes (\d+) µs on one core, and the cores must be busy for at most (\d+) %", prompt)
    header, aggregate = found(r"a header of (\d+) bytes and one aggregate of (\d+) bytes", prompt)
    copies, cores, gigabytes, usable = found(r"in (\d+) copies .* has (\d+) cores and (\d+) GB .*, of which (\d+) %", prompt)
    wrong = found(r"wrongly flagged with probability ([\d.]+)", prompt)
    needed = math.ceil(events * micros / 10 ** 6 / (busy / 100))
    state = sensors * (header + 24 * 60 * aggregate) * copies
    nodes = max(math.ceil(fractions.Fraction(needed) / cores), math.ceil(state / (gigabytes * 10 ** 9 * usable / 100)))

    def text(*values):
        return json.dumps(dict(zip(("cores", "nodes", "false_alarms_per_hour"), map(int, values))))

    alarms = events * 3600 * wrong
    return [text(needed, nodes + 1, alarms)], [text(needed, nodes, alarms), text(5, nodes + 1, alarms),
                                               text(needed, nodes + 1, alarms / 60), text(needed, nodes // 2 + 1, alarms)]


@solver
def stem_four_tables(prompt):
    base = sqlite3.connect(":memory:")
    for table, columns, rows in re.findall(r"^(\w+)\(([\w, ]+)\): (\(.*\))$", prompt, re.M):
        base.execute(f"CREATE TABLE {table} ({columns})")
        base.execute(f"INSERT INTO {table} VALUES {rows}")
    query = re.search(r"SELECT .*;", prompt)[0]
    variants = [query.replace("LEFT JOIN shipments", "JOIN shipments").replace(" AND s.carrier <> 'south'", ""),
                query.replace("s.carrier <> 'south'", "(s.carrier IS NULL OR s.carrier <> 'south')"),
                re.sub(r"LEFT JOIN .*'south'", "WHERE c.country = 'NL' AND o.id NOT IN "
                       "(SELECT order_id FROM shipments WHERE carrier = 'south')", query)]
    right, *wrong = (str(base.execute(q).fetchone()[0]) for q in [query, *variants])
    tables = ("customers", "orders", "items", "shipments")
    assert [base.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] for table in tables] == [5, 7, 9, 9]
    return [right], wrong


@solver
def stem_shop_services(prompt):
    need(prompt, "exactly four modules each", "the catalog must stay outside it")
    calls = {(a, b): int(n) for a, b, n in re.findall(r"\b([a-z]+)-([a-z]+) (\d+)", prompt)}
    modules = {module for pair in calls for module in pair}

    def across(service):
        return sum(n for (a, b), n in calls.items() if (a in service) != (b in service))

    cuts = sorted((across(service), size) for size in range(1, 8) for service in map(set, itertools.combinations(modules, size))
                  if "payment" in service and "catalog" not in service)
    halves = [cut for cut, size in cuts if size == 4]
    greedy = {"payment"}
    while len(greedy) < 4:
        ties = {module: sum(n for pair, n in calls.items() if module in pair and set(pair) & greedy)
                for module in modules - greedy - {"catalog"}}
        greedy.add(max(ties, key=ties.get))
    assert len(calls) == 14 and len(modules) == 8 and across(greedy) > halves[0]
    return [str(halves[0])], [str(value) for value in (halves[1], cuts[0][0], across(greedy))]


@solver
def stem_equilibrium(prompt):
    need(prompt, "a piston halves the volume")
    start, constant = found(r"partial pressure of ([\d.]+) bar", prompt), found(r"Kp = ([\d.]+)", prompt)

    def chlorine(pressure):  # x of x² / (pressure - x) = Kp, by halving
        low, high = 0.0, float(pressure)
        for _ in range(200):
            middle = (low + high) / 2
            low, high = (middle, high) if middle ** 2 < float(constant) * (float(pressure) - middle) else (low, middle)
        return low

    right = chlorine(2 * start)
    wrong = (chlorine(start), 2 * chlorine(start), chlorine(start / 2), right / 2, right + .02)
    return [f"{right:.2f}"], [f"{value:.2f}" for value in wrong]


@solver
def stem_classifier(prompt):
    payments, frauds = found(r"scores ([\d,]+) card payments a day, of which ([\d.]+) % are fraudulent", prompt)
    review, missed = found(r"costs \$(\d+) and always finds the truth\. .* is not flagged costs \$(\d+)\.", prompt)
    team = found(r"can review at most ([\d,]+) payments a day", prompt)
    bad = payments * frauds / 100
    choices = []
    for recall, rate in re.findall(r"^[\d.]+: recall (\d+) %, false positive rate ([\d.]+) %$", prompt, re.M):
        caught, false = bad * int(recall) / 100, (payments - bad) * fractions.Fraction(rate) / 100
        flagged = caught + false
        choices.append((flagged * review + (bad - caught) * missed, flagged <= team, f"{float(100 * caught / flagged):.1f}"))
    choices.sort()
    right = next(precision for _, possible, precision in choices if possible)
    assert len(choices) == 5 and not choices[0][1]  # the cheapest is beyond the team
    return [right], [precision for *_, precision in choices if precision != right]


@solver
def stem_byzantine(prompt):
    need(prompt, "Five replicas, one commander and four lieutenants", "and \"wait\" if there is none",
         "\"advance\" to lieutenants 1 and 2, \"wait\" to lieutenant 3 and nothing to lieutenant 4")

    def messages(replicas, rounds):
        return replicas - 1 + ((replicas - 1) * messages(replicas - 1, rounds - 1) if rounds else 0)

    def tolerated(replicas):  # fewer than a third, Lamport, Shostak and Pease 1982
        return (replicas - 1) // 3

    held = ["advance", "advance", "wait", "wait"]  # by every lieutenant: its own and what the three others relay
    decision = next((value for value in set(held) if held.count(value) > len(held) / 2), "wait")
    more = next(n for n in range(5, 20) if tolerated(n) == tolerated(5) + 1)

    def text(**changes):
        return json.dumps({"faults": tolerated(5), "replicas": more, "messages": messages(5, 1),
                           "messages_more": messages(more, 2), "decision": decision, **changes})

    assert more == 7
    return [text()], [text(faults=2), text(replicas=6), text(messages=20), text(messages_more=messages(7, 1)),
                      text(decision="advance"), "wait"]


@solver
def stem_post_quantum(prompt):
    need(prompt, "nothing overlaps")
    clock, delay = found(r"processor at (\d+) MHz", prompt), found(r"answers (\d+) ms after", prompt)
    generate, encapsulate, decapsulate = found(r"generation ([\d,]+), encapsulation ([\d,]+), decapsulation ([\d,]+)", prompt)
    scalar, hashing = found(r"scalar multiplication ([\d,]+); all hashing and key derivation together ([\d,]+)", prompt)
    sent = found(r"both public keys \(([\d,]+) and 32 bytes\)", prompt)
    received = found(r"its own X25519 key \(([\d,]+) and 32 bytes\)", prompt)
    rate, bits = found(r"carries ([\d,]+) bits per second, a byte takes (\d+) bits", prompt)

    def total(cycles, byte_bits=bits):
        return f"{float(cycles / clock / 1000 + (sent + received + 64) * byte_bits * 1000 / rate + delay):.1f}"

    cycles = generate + decapsulate + 2 * scalar + hashing
    wrong = [total(cycles + encapsulate), total(cycles - scalar), total(cycles, 8), total(cycles) + " s"]
    return [total(cycles) + " ms", total(cycles)], wrong


@solver
def stem_protein(prompt):
    need(prompt, "the energy is -1 for each contact", "lies at x = 0, y = 0; the chain runs to the right to x = 19, steps up to "
         "y = 1, runs back to the left to x = 0, steps up to y = 2")
    pattern = re.search(r"pattern ([HP]+), repeated", prompt)[1]
    rows, columns = map(int, found(r"of (\d+) rows with (\d+) residues each", prompt))
    assert found(r"cut off after (\d+) residues", prompt) == rows * columns == 200

    def energy(pattern, serpentine=True):
        sequence = (pattern * 200)[:200]
        at = {}
        for i in range(200):
            row, column = divmod(i, columns)
            at[row, columns - 1 - column if serpentine and row % 2 else column] = i
        pairs = ((i, at[place]) for (row, column), i in at.items() for place in ((row + 1, column), (row, column + 1))
                 if place in at)
        return -sum(abs(i - j) > 1 and sequence[i] == sequence[j] == "H" for i, j in pairs)

    assert energy("H") == -(9 * 20 - 9)  # every vertical pair but the nine steps upwards
    right = energy(pattern)
    return [str(right)], [str(-right), str(energy(pattern, serpentine=False)), str(energy("H")), str(right - 1)]


# ---- generic ----

@solver
def generic_make_24(prompt):
    need(prompt, "Make 24 from the four numbers")
    numbers = [int(n) for n in re.search(r"numbers (\d+), (\d+), (\d+) and (\d+)", prompt).groups()]

    def ways(items):
        if len(items) == 1:
            if items[0][0] == 24:
                yield items[0][1]
            return
        for i, j in itertools.permutations(range(len(items)), 2):
            rest = [item for k, item in enumerate(items) if k not in (i, j)]
            (a, left), (b, right) = items[i], items[j]
            for sign, value in (("+", a + b), ("-", a - b), ("*", a * b), ("/", a / b if b else None)):
                if value is not None:
                    yield from ways([*rest, (value, f"({left}{sign}{right})")])

    solutions = sorted(set(ways([(fractions.Fraction(n), str(n)) for n in numbers])))
    SPECIFIED["generic-make-24"] = " ".join(map(str, numbers))
    wrong = ["5*5-2/10*5", "24", "5*5-2+10-5-5", "2+5+5+10", "10+5+5+2*2", "5*(5-2/10", "5+5+10+2+2", ""]
    return solutions, wrong


@solver
def generic_meeting(prompt):
    need(prompt, "common call of 45 minutes", "a minute that is a multiple of five")
    zones = {name: (1 if sign == "+" else -1) * (int(hours) * 60 + int(rest or 0))
             for name, sign, hours, rest in re.findall(r"(\w+)(?: is)? in \w+ \(UTC([+-])(\d+)(?::(\d\d))?\)", prompt)}
    line = re.compile(r"^(\w+) is available from (\S+) to (\S+), but busy from (\S+) to (\d\d:\d\d)\.$", re.M)
    times = {name: [minutes(clock) for clock in clocks] for name, *clocks in line.findall(prompt)}

    def free(start, name):
        local = start + zones[name]
        opens, closes, busy, ready = times[name]
        return opens <= local and local + 45 <= closes and (local + 45 <= busy or local >= ready)

    starts = [start for start in range(0, 24 * 60, 5) if all(free(start, name) for name in times)]

    def clock(minute):
        return f"{minute // 60:02d}:{minute % 60:02d}"

    assert len(zones) == len(times) == 3
    there = starts[0] + zones["Prakash"]
    return [clock(there)], [clock(starts[0]), clock(there + 5), clock(there - 15)]


@solver
def generic_laundry(prompt):
    memories = {
        "Adler washes earlier in the week than Costa, but not on the day just before Costa.": lambda a, b, c, d, e: a < c - 1,
        "Ek washes on the day just before or just after Adler.": lambda a, b, c, d, e: abs(e - a) == 1,
        "Brandt washes later in the week than Ek.": lambda a, b, c, d, e: b > e,
        "The days of Brandt and Duarte lie exactly three apart, as Monday and Thursday do.":
            lambda a, b, c, d, e: abs(b - d) == 3,
        "Brandt and Adler do not wash on neighbouring days.": lambda a, b, c, d, e: abs(a - b) != 1,
    }
    assert [line[2:] for line in prompt.splitlines() if line.startswith("- ")] == list(memories)

    def plans(rules):
        rules = list(rules)
        return ["".join(sorted("ABCDE", key=dict(zip("ABCDE", days)).get)) for days in itertools.permutations(range(5))
                if all(rule(*days) for rule in rules)]

    right = plans(memories.values())
    fewer = [plans(rule for rule in memories.values() if rule is not one) for one in memories.values()]
    assert len(right) == 1 and all(len(more) > 1 for more in fewer)
    return right, [next(plan for plan in more if plan not in right) for more in fewer]


@solver
def generic_mnemonic(prompt):
    need(prompt, "exactly five words, whose first letters are S, L, A, N and T", "The first word has at least six letters, the "
         "second exactly five, the third exactly four, and the last at least seven", "fourth word ends in the letter g",
         "letters and single spaces only")
    right = ["Sleepy lions also nodding tonight", "seventy lambs amid nagging turbulence"]

    def fits(sentence):
        words = sentence.split(" ")
        lengths = [len(word) for word in words]
        return ("".join(word[:1] for word in words).upper() == "SLANT" and lengths[0] >= 6 and lengths[1:3] == [5, 4]
                and lengths[4] >= 7 and words[3].endswith("g") and all(re.fullmatch("[A-Z]?[a-z]*", word) for word in words))

    wrong = ["Stop look assess notify treat", "Sleepy lions, also nodding tonight", "Sleepy lions also nod tonight",
             "Sleepy lions nodding also tonight", "Sleepy lion also nodding tonight", "Sleepy lions always nodding tonight",
             "Sleepy  lions also nodding tonight", "SLEEPY lions also nodding tonight", "Sleepy lions also nodding today",
             "Slow lions also nodding tonight", "Sleepy lions also nodding tonight again"]
    assert all(map(fits, right)) and not any(map(fits, wrong))
    return right, wrong


@solver
def generic_tickets(prompt):
    need(prompt, "In ten months of the year", "in August not at all")
    often, seldom = found(r"she rides (\d+) times a month, in December (\d+) times", prompt)
    single, card = found(r"single ride for \$([\d.]+)", prompt), found(r"card of ten rides for \$([\d.]+)", prompt)
    month, year = found(r"calendar month for \$([\d.]+)", prompt), found(r"whole year for \$(\d+)", prompt)
    back, back_most = found(r"her employer pays back (\d+) %, but not more than \$(\d+)", prompt)

    def without_pass(rides):
        return min(cards * card + max(0, rides - 10 * cards) * single for cards in range(int(rides) // 10 + 2))

    # Months with a pass: some of the ten, and perhaps December; the rest of the rides on cards and singles.
    mixes = {(n + december) * month + without_pass((10 - n) * often + (0 if december else seldom))
             for n in range(11) for december in (0, 1)}
    whole = year - min(back_most, year * back / 100)
    right = min(whole, *mixes)
    others = (whole, 11 * month, without_pass(10 * often + seldom), year, 10 * month + card)
    return [f"${float(right):.2f}", f"{float(right):.2f}"], [f"${float(value):.2f}" for value in others]
