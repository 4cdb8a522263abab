/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-change: the pure core of changing production: nanoseconds for a bucket, for a worker's look at who runs under
 * what, for an outcome into all six guards, for a tick; and whole simulated queries a second (assignment, a drawn outcome, guards, a tick every hundred queries).
 *
 *     bench-change [QUERIES]       4000000
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/engine/arms.h"
#include "base/rng.h"
#include "core/change/rollout.h"
#include "edge/world/world.h"

#define SECOND INT64_C(1000000)
#define QUERIES_PER_TICK 100
#define OUTCOMES 4096

static double ns_since(nsec start, long n)
{
    return (double)(world_now_exact() - start) / (double)n;
}

static void rollout_start(struct rollout *r, struct rollout_spec *spec)
{
    struct arena arena;
    struct change_issues issues = { .arena = &arena };
    struct rollout_request start = { .operation = ROLLOUT_START,
                                     .actor = STR("bench"),
                                     .generation = 0 };
    struct rollout_row row;

    rollout_spec_init(spec, STR("bench"));
    spec->step_count = 2;
    spec->steps[0] = (struct rollout_step){ 500000, INT64_C(86400) * SECOND,
                                            INT64_C(864000) * SECOND, 1000, false };
    spec->steps[1] = (struct rollout_step){ SHARE_WHOLE, INT64_C(86400) * SECOND,
                                            INT64_C(864000) * SECOND, 1000, false };
    arena_init(&arena, 1 << 16);
    if (rollout_init(r, spec, &issues) != OK)
        exit(1);
    arena_fini(&arena);
    rollout_operate(r, SECOND, &start, &row);
    if (rollout_apply(r, &row) != OK)
        exit(1);
}

static struct outcome outcome_draw(struct rng *rng)
{
    double confidence = fmin(fmax(0.87 + 0.08 * rng_normal(rng), 0), 1);

    return (struct outcome){ .is_success = rng_unit(rng) > 0.02,
                             .hrm_confidence = confidence,
                             .trm_confidence = confidence,
                             .cost = (nano_usd)(2e6 * exp(0.5 * rng_normal(rng))),
                             .latency = (nsec)(9e8 * exp(0.4 * rng_normal(rng))) };
}

static double bucket_ns(long n)
{
    uint64_t sum = 0;
    nsec start = world_now_exact();

    for (long i = 0; i < n; i++)
        sum += bucket_of(BUCKET_WEIR, STR("experiment/1/variant"),
                         (str){ (const char *)&i, sizeof(i) })
                   .hash;
    double ns = ns_since(start, n);
    return sum == 1 ? 0 : ns; /* so that the sum is needed */
}

static double guards_ns(struct rollout *r, const struct outcome *outcomes, long n)
{
    nsec start = world_now_exact();

    for (long i = 0; i < n; i++)
        change_sums_add(&r->sums, &r->plan, (enum change_side)(i & 1), &outcomes[i % OUTCOMES]);
    return ns_since(start, n);
}

static double tick_ns(struct rollout *r, long n)
{
    struct rollout_inputs in = { .generation = r->generation };
    struct rollout_decision decision;
    nsec start = world_now_exact();

    for (long i = 0; i < n; i++)
        rollout_tick(r, SECOND + i, &in, &decision);
    return ns_since(start, n);
}

/* A worker's side of a snapshot that others may replace: taken and given back. */
static double snapshot_ns(long n)
{
    struct arms_slot slot = { .now = NULL };
    struct arms_reader reader;
    struct arms *arms = calloc(1, sizeof(*arms));
    uint64_t sum = 0;

    if (!arms)
        exit(1);
    arms->rollout = 1;
    arms_join(&slot, &reader);
    arms_publish(&slot, arms);
    nsec start = world_now_exact();
    for (long i = 0; i < n; i++) {
        sum += arms_enter(&slot, &reader)->rollout;
        arms_exit(&reader);
    }
    double ns = ns_since(start, n);
    arms_slot_fini(&slot);
    return sum == 1 ? 0 : ns; /* so that the sum is needed */
}

static double queries_per_second(struct rollout *r, long n)
{
    struct rollout_inputs in = { .generation = r->generation };
    struct rollout_decision decision;
    struct rollout_snapshot snapshot;
    struct rng rng;
    nsec start = world_now_exact();

    rng_init(&rng, 1);
    rollout_snapshot(r, &snapshot);
    for (long i = 0; i < n; i++) {
        usec_utc now = SECOND + i * 1000;
        struct rollout_assignment a = rollout_assign(
            &snapshot, &(struct unit_ids){ .request = { (const char *)&i, sizeof(i) } });
        struct outcome outcome = outcome_draw(&rng);
        rollout_expose(r, &a);
        rollout_observe(r, &a, now, &outcome);
        if (i % QUERIES_PER_TICK == 0)
            rollout_tick(r, now, &in, &decision);
    }
    return 1e9 / ns_since(start, n);
}

int main(int argc, char **argv)
{
    static struct outcome outcomes[OUTCOMES];
    static struct rollout r;
    struct rollout_spec spec;
    struct rng rng;
    long n = argc > 1 ? atol(argv[1]) : 4000000;

    if (n < 1000)
        return 2;
    rng_init(&rng, 2);
    for (size_t i = 0; i < OUTCOMES; i++)
        outcomes[i] = outcome_draw(&rng);
    rollout_start(&r, &spec);
    printf("bucket %.0f ns", bucket_ns(n));
    printf(", a snapshot taken and given back %.1f ns", snapshot_ns(n));
    printf(", an outcome into six guards %.0f ns", guards_ns(&r, outcomes, n));
    printf(", a tick %.1f us", tick_ns(&r, n / 1000) / 1000);
    rollout_start(&r, &spec);
    printf(", simulated queries %.0f/s\n", queries_per_second(&r, n));
    return 0;
}
