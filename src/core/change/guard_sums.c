/* SPDX-License-Identifier: Apache-2.0 */
/* guard_sums: outcomes into sums: the hot path, once a measured query. */
#include "core/change/guards.h"

#include <math.h>

/* One outcome as one metric sees it. */
struct sighting {
    bool is_there;
    bool is_over_warn; /* the harm is over the mean that the limit allows */
    bool is_over_trip;
    double harm; /* of continuous metrics */
};

static struct sighting binary_sighting(bool is_harm)
{
    return (struct sighting){ true, is_harm, is_harm, 0 };
}

static struct sighting confidence_sighting(double confidence, const struct guard_limit *warn,
                                           const struct guard_limit *trip)
{
    double harm = 1 - confidence;

    if (!(confidence >= 0 && confidence <= 1))
        return (struct sighting){ .is_there = false };
    return (struct sighting){ true, harm > warn->mean, harm > trip->mean, harm };
}

static struct sighting sight(enum change_metric metric, const struct outcome *o,
                             const struct guard_limit *warn, const struct guard_limit *trip)
{
    switch (metric) {
    case CHANGE_SUCCESS_RATE:
        return binary_sighting(!o->is_success);
    case CHANGE_ERROR_RATE:
        return binary_sighting(o->is_error);
    case CHANGE_HRM_CONFIDENCE_MEAN:
        return confidence_sighting(o->hrm_confidence, warn, trip);
    case CHANGE_TRM_CONFIDENCE_MEAN:
        return confidence_sighting(o->trm_confidence, warn, trip);
    case CHANGE_COST_PER_QUERY:
        if (o->cost < 0)
            break;
        return (struct sighting){ true, (double)o->cost > warn->mean, (double)o->cost > trip->mean,
                                  (double)o->cost };
    case CHANGE_LATENCY_P95:
        return (struct sighting){ true, o->latency > warn->latency, o->latency > trip->latency, 0 };
    case CHANGE_METRIC_COUNT:
        break;
    }
    return (struct sighting){ .is_there = false };
}

static void continuous_add(struct guard_sums *sums, enum change_metric_kind kind, double harm,
                           const struct guard_limit *warn, const struct guard_limit *trip)
{
    sums->sum += harm;
    sums->sum_squares += harm * harm;
    if (warn->mean > 0)
        wager_add(&sums->warn, harm * warn->inverse - 1);
    wager_add(&sums->trip, harm * trip->inverse - 1);
    if (kind == METRIC_BOUNDED)
        wager_add(&sums->below, (trip->mean - harm) / (1 - trip->mean));
}

static struct sighting metric_add(struct guard_sums *sums, const struct guard_plan *plan,
                                  size_t guard, const struct outcome *outcome, bool is_promoted)
{
    const struct guard_limit *warn = &plan->warn[guard], *trip = &plan->trip[guard];
    enum change_metric metric = plan->specs[guard].metric;
    enum change_metric_kind kind = change_metric_info(metric)->kind;
    struct sighting s = sight(metric, outcome, warn, trip);

    if (!s.is_there) {
        sums->missing++;
        return s;
    }
    sums->n++;
    sums->over_warn += s.is_over_warn;
    sums->over_trip += s.is_over_trip;
    if (kind != METRIC_BINARY)
        continuous_add(sums, kind, s.harm, warn, trip);
    if (is_promoted)
        detector_add(&sums->detector, kind == METRIC_BINARY ? s.is_over_trip : s.harm, trip->mean);
    return s;
}

/* Completes a block with the other arm's waiting outcome, or waits; a newer one of the same arm takes the older one's place,
 * so that the two of a block are never far apart. */
static void block_add(struct change_sums *sums, enum change_side side, uint32_t has,
                      uint32_t is_over)
{
    bool is_pair = sums->waiting.is_there && sums->waiting.side != side;

    if (!is_pair) {
        sums->waiting.is_there = true;
        sums->waiting.side = side;
        sums->waiting.has = has;
        sums->waiting.is_over = is_over;
        return;
    }
    uint32_t canary = side == SIDE_CANARY ? is_over : sums->waiting.is_over;
    uint32_t control = side == SIDE_CANARY ? sums->waiting.is_over : is_over;
    uint32_t both = has & sums->waiting.has;
    for (size_t m = 0; m < CHANGE_METRIC_COUNT; m++) {
        if (both >> m & 1)
            sums->blocks[m].counts[canary >> m & 1][control >> m & 1]++;
    }
    sums->waiting.is_there = false;
    sums->waiting.has = sums->waiting.is_over = 0;
}

void change_sums_add(struct change_sums *sums, const struct guard_plan *plan, enum change_side side,
                     const struct outcome *outcome)
{
    struct arm_sums *arm = &sums->arms[side];
    uint32_t has = 0, is_over = 0;

    if (outcome->is_cached) {
        arm->cached++;
        return;
    }
    arm->outcomes++;
    for (size_t i = 0; i < plan->count; i++) {
        enum change_metric metric = plan->specs[i].metric;
        struct sighting s = metric_add(&arm->metrics[metric], plan, i, outcome,
                                       sums->is_promoted && side == SIDE_CANARY);
        has |= (uint32_t)s.is_there << metric;
        is_over |= (uint32_t)s.is_over_trip << metric;
    }
    block_add(sums, side, has, is_over);
}

/* ---- merging ---- */

/* A level beyond this has long raised its alarm. */
#define LEVEL_MAX 1e300

static void guard_sums_merge(struct guard_sums *to, const struct guard_sums *from)
{
    to->n += from->n;
    to->missing += from->missing;
    to->over_warn += from->over_warn;
    to->over_trip += from->over_trip;
    to->sum += from->sum;
    to->sum_squares += from->sum_squares;
    wager_merge(&to->warn, &from->warn);
    wager_merge(&to->trip, &from->trip);
    wager_merge(&to->below, &from->below);
    for (size_t j = 0; j < STATS_BETS; j++)
        to->detector.level[j] = fmin(to->detector.level[j] + from->detector.level[j], LEVEL_MAX);
    to->detector.n += from->detector.n;
}

void change_sums_merge(struct change_sums *sums, const struct change_sums *other)
{
    for (size_t side = 0; side < SIDE_COUNT; side++) {
        struct arm_sums *to = &sums->arms[side];
        const struct arm_sums *from = &other->arms[side];
        to->outcomes += from->outcomes;
        to->cached += from->cached;
        for (size_t m = 0; m < CHANGE_METRIC_COUNT; m++)
            guard_sums_merge(&to->metrics[m], &from->metrics[m]);
    }
    for (size_t m = 0; m < CHANGE_METRIC_COUNT; m++) {
        for (size_t cell = 0; cell < 4; cell++)
            sums->blocks[m].counts[cell / 2][cell % 2] +=
                other->blocks[m].counts[cell / 2][cell % 2];
    }
    if (!sums->waiting.is_there)
        sums->waiting = other->waiting;
}
