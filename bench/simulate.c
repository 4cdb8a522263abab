/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-simulate: simulated queries a second of one thread, in its own processor time, and the nanoseconds of what it shares
 * with production: adding an outcome to all six guards, and looking at them. One JSON object.
 */
#include <stdio.h>
#include <time.h>

#include "app/sim/rehearsal.h"
#include "base/rng.h"
#include "edge/config/config.h"

#define SEEDS 10
#define UPDATES 2000000
#define LOOKS 20000

static const char text[] = "traffic: {per_second: 20, domains: {generic: 0.4, tactical: 0.2, "
                           "cybersecurity: 0.2, stem: 0.2}}\n"
                           "rollout:\n  name: bench\n  steps:\n"
                           "    - {share: 10%, min: 30m, max: 4h, n_min: 1000}\n"
                           "    - {share: 50%, min: 30m, max: 4h, n_min: 1000}\n"
                           "    - {share: 100%, min: 30m, max: 4h, n_min: 1000}\n";

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double queries_per_second(void)
{
    struct scenario *s;
    struct config_issues issues;
    int64_t queries = 0;

    if (scenario_load_text(STR("bench.yaml"), STR(text), false, &s, &issues) != OK)
        return 0;
    config_issues_fini(&issues);
    double start = seconds();
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct rehearsal r;
        if (rehearsal_run(s, seed, &r, NULL) == OK)
            queries += r.queries;
    }
    double took = seconds() - start;
    scenario_close(s);
    return (double)queries / took;
}

struct guards {
    struct guard_plan plan;
    struct change_sums sums;
};

static bool guards_open(struct guards *g, size_t first, size_t count)
{
    struct change_issues issues = { .arena = NULL };

    return guard_plan_init(&g->plan, guard_defaults + first, count, &guard_options_default,
                           &issues) == OK;
}

/* Nanoseconds of one outcome on `count` guards from the first on. */
static double update_ns(size_t first, size_t count, bool is_promoted)
{
    static const struct outcome outcomes[] = {
        { true, false, false, 0.87, 0.83, 2000000, 800000000 },
        { true, false, false, 0.91, 0.80, 1500000, 600000000 },
        { false, true, false, -1, -1, 0, 30000000000 },
        { true, false, false, 0.84, 0.86, 3000000, 1200000000 },
    };
    struct guards g = { .sums = { .is_promoted = is_promoted } };

    if (!guards_open(&g, first, count))
        return -1;
    double start = seconds();
    for (size_t i = 0; i < UPDATES; i++)
        change_sums_add(&g.sums, &g.plan, (enum change_side)(i & 1), &outcomes[i / 2 % 4]);
    return (seconds() - start) / UPDATES * 1e9;
}

static double look_ns(void)
{
    struct guards g = { .sums = { .is_promoted = false } };
    struct guard_evidence e;
    double sum = 0;

    if (!guards_open(&g, 0, CHANGE_METRIC_COUNT))
        return -1;
    double start = seconds();
    for (size_t i = 0; i < LOOKS; i++) {
        struct outcome o = { true, false, false, 0.87, 0.83, 2000000, 800000000 };
        change_sums_add(&g.sums, &g.plan, (enum change_side)(i & 1), &o);
        for (size_t k = 0; k < g.plan.count; k++) {
            guard_judge(&g.plan, &g.sums, k, &e);
            sum += e.log_e;
        }
    }
    double took = seconds() - start;
    return sum > 1e300 ? -1 : took / LOOKS * 1e9;
}

int main(void)
{
    double slowest = 0;

    for (size_t i = 0; i < CHANGE_METRIC_COUNT; i++) {
        double ns = update_ns(i, 1, false);
        slowest = ns > slowest ? ns : slowest;
    }
    printf("{\"queries_per_second\":%.0f,\"guard_update_ns\":%.1f,\"six_guards_update_ns\":%.1f,"
           "\"six_guards_promoted_update_ns\":%.1f,\"six_guards_look_ns\":%.0f}\n",
           queries_per_second(), slowest, update_ns(0, CHANGE_METRIC_COUNT, false),
           update_ns(0, CHANGE_METRIC_COUNT, true), look_ns());
    return 0;
}
