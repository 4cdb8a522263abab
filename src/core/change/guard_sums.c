/* SPDX-License-Identifier: Apache-2.0 */
/* guard_sums: outcomes into sums: the hot path, once a measured query. */
#include "core/change/guards.h"

#include <math.h>

/* One outcome as one metric sees it. */
struct sighting {
    bool is_there;
    bool is_over_warn; /* the harm is over the mean that the limit allows */
    bool is_over_trip;
    bool is_over_advance;
    double harm; /* of continuous metrics */
};

/* What is kept of an arm beside its sums; each includes those before it. */
enum watch { WATCH_LIMIT, WATCH_ONSET, WATCH_PROMOTED };

static struct sighting binary_sighting(bool is_harm)
{
    return (struct sighting){ true, is_harm, is_harm, is_harm, 0 };
}

static struct sighting continuous_sighting(double harm, const struct guard_plan *plan, size_t guard)
{
    return (struct sighting){ true, harm > plan->warn[guard].mean, harm > plan->trip[guard].mean,
                              harm > plan->advance[guard].mean, harm };
}

static struct sighting confidence_sighting(double confidence, const struct guard_plan *plan,
                                           size_t guard)
{
    if (!(confidence >= 0 && confidence <= 1))
        return (struct sighting){ .is_there = false };
    return continuous_sighting(1 - confidence, plan, guard);
}

static struct sighting sight(const struct outcome *o, const struct guard_plan *plan, size_t guard)
{
    switch (plan->specs[guard].metric) {
    case CHANGE_SUCCESS_RATE:
        return binary_sighting(!o->is_success);
    case CHANGE_ERROR_RATE:
        return binary_sighting(o->is_error);
    case CHANGE_HRM_CONFIDENCE_MEAN:
        return confidence_sighting(o->hrm_confidence, plan, guard);
    case CHANGE_TRM_CONFIDENCE_MEAN:
        return confidence_sighting(o->trm_confidence, plan, guard);
    case CHANGE_COST_PER_QUERY:
        if (o->cost < 0)
            break;
        return continuous_sighting((double)o->cost, plan, guard);
    case CHANGE_LATENCY_P95:
        return (struct sighting){ true, o->latency > plan->warn[guard].latency,
                                  o->latency > plan->trip[guard].latency,
                                  o->latency > plan->advance[guard].latency, 0 };
    case CHANGE_METRIC_COUNT:
        break;
    }
    return (struct sighting){ .is_there = false };
}

static void continuous_add(struct guard_sums *sums, const struct guard_plan *plan, size_t guard,
                           double harm)
{
    const struct guard_limit *warn = &plan->warn[guard], *advance = &plan->advance[guard];

    sums->sum += harm;
    sums->sum_squares += harm * harm;
    if (warn->mean > 0)
        wager_add(&sums->warn, harm * warn->inverse - 1);
    wager_add(&sums->trip, harm * plan->trip[guard].inverse - 1);
    if (change_metric_info(plan->specs[guard].metric)->kind == METRIC_BOUNDED)
        wager_add(&sums->below, (advance->mean - harm) / (1 - advance->mean));
}

static struct sighting metric_add(struct guard_sums *sums, const struct guard_plan *plan,
                                  size_t guard, const struct outcome *outcome, enum watch watch)
{
    const struct guard_limit *trip = &plan->trip[guard];
    struct sighting s = sight(outcome, plan, guard);

    if (!s.is_there) {
        sums->missing++;
        return s;
    }
    sums->n++;
    sums->over_warn += s.is_over_warn;
    sums->over_trip += s.is_over_trip;
    sums->over_advance += s.is_over_advance;
    if (change_metric_info(plan->specs[guard].metric)->kind == METRIC_BINARY)
        s.harm = s.is_over_trip;
    else
        continuous_add(sums, plan, guard, s.harm);
    if (watch >= WATCH_ONSET)
        onset_add(&sums->onset, s.harm, trip->mean);
    if (watch >= WATCH_PROMOTED)
        detector_add(&sums->detector, s.harm, trip->mean);
    return s;
}

void change_sums_add(struct change_sums *sums, const struct guard_plan *plan, enum change_side side,
                     const struct outcome *outcome)
{
    struct arm_sums *arm = &sums->arms[side];
    void (*add_to_block)(struct blocks *, struct block_waiting *, bool) =
        side == SIDE_CANARY ? blocks_add_canary : blocks_add_control;
    enum watch watch = side == SIDE_CONTROL ? WATCH_LIMIT
                       : sums->is_promoted  ? WATCH_PROMOTED
                                            : WATCH_ONSET;

    if (outcome->is_cached) {
        arm->cached++;
        return;
    }
    arm->outcomes++;
    for (size_t i = 0; i < plan->count; i++) {
        enum change_metric metric = plan->specs[i].metric;
        struct sighting s = metric_add(&arm->metrics[metric], plan, i, outcome, watch);
        if (s.is_there)
            add_to_block(&sums->blocks[metric], &sums->waiting[metric], s.is_over_trip);
    }
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
    to->over_advance += from->over_advance;
    to->sum += from->sum;
    to->sum_squares += from->sum_squares;
    wager_merge(&to->warn, &from->warn);
    wager_merge(&to->trip, &from->trip);
    wager_merge(&to->below, &from->below);
    onset_merge(&to->onset, &from->onset);
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
    for (size_t m = 0; m < CHANGE_METRIC_COUNT; m++)
        blocks_merge(&sums->blocks[m], &other->blocks[m]);
}
