/* SPDX-License-Identifier: Apache-2.0 */
/*
 * strata: arms whose shares changed, compared without the error that pooling would make: each stretch of fixed shares is a
 * stratum of its own, and an arm's mean is that of its strata, each weighed by the part of all values that came in it.
 */
#include "core/stats/stats_internal.h"

/* Fewer values of some arm say nothing about its spread: the stratum waits. */
#define STRATUM_N_MIN 30

static const struct moments *cell_of(const struct strata *s, size_t stratum, size_t arm)
{
    return &s->cells[stratum * s->arms + arm];
}

/* What a stratum weighs: its values of all arms; 0 while some arm has too few. */
static double weight_of(const struct strata *s, size_t stratum)
{
    double n = 0;

    for (size_t arm = 0; arm < s->arms; arm++) {
        const struct moments *m = cell_of(s, stratum, arm);
        if (m->n < STRATUM_N_MIN && s->count > 1)
            return 0;
        n += (double)m->n;
    }
    return n;
}

static struct compare_side side_of(const struct strata *s, size_t arm)
{
    struct compare_side side = { .mean = 0 };
    double total = 0;

    assert(arm < s->arms);
    for (size_t k = 0; k < s->count; k++)
        total += weight_of(s, k);
    for (size_t k = 0; k < s->count; k++) {
        const struct moments *m = cell_of(s, k, arm);
        double weight = total > 0 ? weight_of(s, k) / total : 0;
        if (!(weight > 0) || m->n == 0)
            continue;
        side.mean += weight * moments_mean(m);
        side.variance += weight * weight * stats_arm_variance(m) / (double)m->n;
        moments_merge(&side.all, m);
    }
    return side;
}

void stats_strata_arm(const struct strata *s, size_t arm, struct arm_moments *out)
{
    struct compare_side side = side_of(s, arm);

    *out = (struct arm_moments){ side.mean, side.variance * (double)side.all.n, side.all.n };
}

struct interval stats_strata_mean(const struct strata *s, size_t arm,
                                  const struct compare_options *options)
{
    struct compare_side side = side_of(s, arm);

    return stats_side_interval(&side, options);
}

struct comparison stats_strata_compare(const struct strata *s, size_t a, size_t b,
                                       const struct compare_options *options)
{
    const struct compare_side side_a = side_of(s, a), side_b = side_of(s, b);

    return stats_compare_sides(&side_a, &side_b, options);
}
