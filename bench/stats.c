/* SPDX-License-Identifier: Apache-2.0 */
/* bench-stats: nanoseconds for what stands on the path of every answer, a guard's update, and for what decides upon it. */
#include <stdio.h>

#include "base/rng.h"
#include "core/stats/histogram.h"
#include "core/stats/stats.h"
#include "edge/world/world.h"

#define SAMPLES 4096
#define ROUNDS 500

struct work {
    double x[SAMPLES]; /* uniform in [0, 1) */
    int64_t k[SAMPLES]; /* 0 or 1 */
    struct guard guard;
    struct histogram histogram;
    struct moments a, b;
    double sum; /* of what was found, so that nothing is left out */
};

static void work_guard_add(struct work *w, size_t i)
{
    guard_add(&w->guard, w->x[i], .5);
}

static void work_guard_add_counts(struct work *w, size_t i)
{
    guard_add_counts(&w->guard, w->k[i], 1, .05);
}

static void work_guard_log_e(struct work *w, size_t i)
{
    w->sum += guard_log_e(&w->guard) + w->x[i];
}

static void work_compare(struct work *w, size_t i)
{
    moments_add(&w->a, w->x[i]);
    moments_add(&w->b, w->x[SAMPLES - 1 - i]);
    w->sum += stats_compare(&w->a, &w->b, &(struct compare_options){ .alpha = .05 }).p;
}

static void work_histogram_add(struct work *w, size_t i)
{
    histogram_add(&w->histogram, 1e6 * w->x[i]);
}

static void work_rate_exact(struct work *w, size_t i)
{
    w->sum += stats_rate_exact((int64_t)(1000 * w->x[i]), 1000, .05).lower;
}

static const struct {
    const char *name;
    void (*run)(struct work *w, size_t i);
    int rounds;
} rows[] = {
    { "guard_add", work_guard_add, ROUNDS },
    { "guard_add_counts", work_guard_add_counts, ROUNDS },
    { "guard_log_e", work_guard_log_e, ROUNDS },
    { "stats_compare", work_compare, ROUNDS },
    { "histogram_add", work_histogram_add, ROUNDS },
    { "stats_rate_exact", work_rate_exact, 10 },
};

int main(void)
{
    static struct work w;
    struct rng rng;

    rng_init(&rng, 1);
    for (size_t i = 0; i < SAMPLES; i++) {
        w.x[i] = rng_unit(&rng);
        w.k[i] = (int64_t)rng_below(&rng, 2);
    }
    for (size_t row = 0; row < ARRAY_LEN(rows); row++) {
        nsec start = world_now_exact();
        for (int round = 0; round < rows[row].rounds; round++) {
            for (size_t i = 0; i < SAMPLES; i++)
                rows[row].run(&w, i);
        }
        double ns = (double)(world_now_exact() - start) / ((double)rows[row].rounds * SAMPLES);
        printf("%-18s %8.1f ns\n", rows[row].name, ns);
    }
    return w.sum > 0 ? 0 : 1;
}
