/* SPDX-License-Identifier: Apache-2.0 */
/* allocation: how to share trials among arms so that the best is found soonest (track and stop, Garivier and Kaufmann 2016). */
#include <math.h>

#include "core/stats/stats.h"

static bool is_measured(const struct arm_moments *arms, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!(arms[i].variance > 0) || isinf(arms[i].variance) || !isfinite(arms[i].mean))
            return false;
    }
    return true;
}

static size_t best_arm(const struct arm_moments *arms, size_t count)
{
    size_t best = 0;

    for (size_t i = 1; i < count; i++) {
        if (arms[i].mean > arms[best].mean)
            best = i;
    }
    return best;
}

/* ---- shares ---- */

/* Gaps to the best arm, squared, in units of the smallest one: 1 for the nearest. An arm that ties with the best leaves all
 * others infinitely far behind. */
struct race {
    const struct arm_moments *arms;
    size_t count;
    size_t best;
    double gap_min;
};

static double gap_ratio(const struct race *race, size_t i)
{
    double gap = race->arms[race->best].mean - race->arms[i].mean;

    if (gap <= race->gap_min)
        return 1;
    return gap / race->gap_min * (gap / race->gap_min);
}

/*
 * The trials of arm i for one of the best: σᵢ² / (Δᵢ²/2y - σ_b²). With y = Δmin²/(2 σ_b² (1 + slack)) this is
 * (σᵢ²/σ_b²) / (rᵢ (1 + slack) - 1), r the gap's ratio, and slack goes over (0, ∞) instead of y over (0, Δmin²/2σ_b²).
 */
static double trials_for_one(const struct race *race, size_t i, double slack)
{
    double ratio = gap_ratio(race, i);

    return race->arms[i].variance / race->arms[race->best].variance / (ratio - 1 + ratio * slack);
}

/* Σ xᵢ² σ_b²/σᵢ² is 1 at the optimum, above it for a smaller slack. */
static bool is_slack_small(const struct race *race, double slack)
{
    double sum = 0;

    for (size_t i = 0; i < race->count; i++) {
        if (i == race->best)
            continue;
        double x = trials_for_one(race, i, slack);
        sum += x * x * (race->arms[race->best].variance / race->arms[i].variance);
    }
    return sum > 1;
}

#define LOG_SLACK_MAX 300.0
#define BISECTION_STEPS 80

static double slack_solve(const struct race *race)
{
    double lo = -LOG_SLACK_MAX, hi = LOG_SLACK_MAX;

    for (int step = 0; step < BISECTION_STEPS; step++) {
        double middle = (lo + hi) / 2;
        if (is_slack_small(race, exp(middle)))
            lo = middle;
        else
            hi = middle;
    }
    return exp((lo + hi) / 2);
}

static void shares_optimal(const struct arm_moments *arms, size_t count, double *out)
{
    struct race race = { arms, count, best_arm(arms, count), INFINITY };
    double sum = 0;

    for (size_t i = 0; i < count; i++) {
        if (i != race.best)
            race.gap_min = fmin(race.gap_min, arms[race.best].mean - arms[i].mean);
    }
    double slack = slack_solve(&race);
    for (size_t i = 0; i < count; i++) {
        out[i] = i == race.best ? 1 : trials_for_one(&race, i, slack);
        sum += out[i];
    }
    for (size_t i = 0; i < count; i++)
        out[i] /= sum;
}

void stats_allocation(const struct arm_moments *arms, size_t count, double floor,
                      double *out_shares)
{
    double each = count > 0 ? 1 / (double)count : 0, least = fmin(fmax(floor, 0), each);

    if (count < 2 || !is_measured(arms, count)) {
        for (size_t i = 0; i < count; i++)
            out_shares[i] = each;
        return;
    }
    shares_optimal(arms, count, out_shares);
    for (size_t i = 0; i < count; i++)
        out_shares[i] = least + (1 - (double)count * least) * out_shares[i];
}

/* ---- stopping ---- */

bool stats_allocation_stops(const struct arm_moments *arms, size_t count, double epsilon,
                            double delta)
{
    double total = 0, least = INFINITY;

    assert(epsilon >= 0 && delta > 0 && delta < 1);
    if (count < 2)
        return true;
    if (!is_measured(arms, count))
        return false;
    const struct arm_moments *best = &arms[best_arm(arms, count)];
    for (size_t i = 0; i < count; i++) {
        const struct arm_moments *arm = &arms[i];
        total += (double)arm->n;
        if (arm == best)
            continue;
        double gap = best->mean - arm->mean + epsilon;
        double spread = best->variance / (double)best->n + arm->variance / (double)arm->n;
        least = fmin(least, gap * gap / (2 * spread));
    }
    return least > log((1 + log(total)) / delta);
}
