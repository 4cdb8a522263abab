/* SPDX-License-Identifier: Apache-2.0 */
/* experiment_track: adaptive shares: when an epoch ends, what the next one's shares are, and when the best arm is known. */
#include <math.h>

#include "core/change/experiment.h"

/* clang-format off */
static const struct experiment_measure_info measures[EXPERIMENT_MEASURE_COUNT] = {
    [EXPERIMENT_SUCCESS_RATE]   = { "success_rate",   false },
    [EXPERIMENT_COST_USD]       = { "cost_usd",       true },
    [EXPERIMENT_LATENCY_MS]     = { "latency_ms",     true },
    [EXPERIMENT_HRM_CONFIDENCE] = { "hrm_confidence", false },
    [EXPERIMENT_TRM_CONFIDENCE] = { "trm_confidence", false },
};
/* clang-format on */

const struct experiment_measure_info *experiment_measure_info(enum experiment_measure measure)
{
    return &measures[measure];
}

bool experiment_measure_find(str name, enum experiment_measure *out)
{
    for (size_t i = 0; i < EXPERIMENT_MEASURE_COUNT; i++) {
        if (str_eq(name, str_from(measures[i].name))) {
            *out = (enum experiment_measure)i;
            return true;
        }
    }
    return false;
}

/* ---- what can be tracked ---- */

static uint32_t share_total(const struct experiment *e)
{
    uint32_t total = 0;

    for (size_t i = 0; i < e->arm_count; i++)
        total += e->arms[i].share;
    return total;
}

/* How far an arm may grow: to where the next one starts. */
static uint32_t room_of(const struct experiment *e, size_t arm)
{
    uint32_t end = SHARE_WHOLE;

    for (size_t i = 0; i < e->arm_count; i++) {
        if (e->arms[i].start > e->arms[arm].start && e->arms[i].start < end)
            end = e->arms[i].start;
    }
    return end - e->arms[arm].start;
}

static void room_check(const struct experiment *e, size_t arm, struct change_issues *issues)
{
    uint32_t total = share_total(e), room = room_of(e, arm);
    char have[16], need[16];

    if (room < total)
        change_issue_add(
            issues, change_issue_place(issues, "arms", arm, "share"),
            "with track_and_stop an arm may get nearly all of the %s that the arms have together, "
            "and there is room for %s before the next one starts: lower the shares to a sum of at "
            "most 1/%zu, or move the starts",
            share_format(total, need).ptr, share_format(room, have).ptr, e->arm_count);
}

void experiment_tracking_check(const struct experiment *e, struct change_issues *issues)
{
    const struct experiment_tracking *t = &e->tracking;

    if (!t->is_on)
        return;
    if (!(t->epsilon >= 0) || isinf(t->epsilon))
        change_issue_add(issues, STR("epsilon"),
                         "it must be a difference that does not matter, in the metric's unit: 0.01 "
                         "of a rate, 5 of milliseconds");
    if (!(t->delta > 0 && t->delta < 1))
        change_issue_add(issues, STR("delta"), "it must lie between 0 and 1");
    if (!(t->floor >= EXPERIMENT_FLOOR_MIN && t->floor <= EXPERIMENT_FLOOR_MAX))
        change_issue_add(issues, STR("floor"),
                         "it must be 1%% to 5%%: less never corrects an early mistake, more wastes "
                         "traffic");
    if (t->every < EXPERIMENT_EVERY_MIN)
        change_issue_add(issues, STR("every"), "shares change once a second at most");
    for (size_t i = 0; i < e->arm_count; i++)
        room_check(e, i, issues);
}

/* ---- a look ---- */

/* Whole parts that sum to the total exactly; what rounding leaves is the best arm's. */
static void shares_round(const struct experiment *e, const double *shares, size_t best,
                         uint32_t *out)
{
    uint32_t total = share_total(e), given = 0;

    for (size_t i = 0; i < e->arm_count; i++) {
        out[i] = (uint32_t)floor(shares[i] * total);
        given += out[i];
    }
    assert(given <= total);
    out[best] += total - given;
}

/* The part of the experiment's units that would be shown something else. */
static double moved_part(const struct experiment *e, const uint32_t *shares)
{
    double moved = 0;

    for (size_t i = 0; i < e->arm_count; i++)
        moved += fabs((double)shares[i] - (double)e->arms[i].share) / 2;
    return moved / share_total(e);
}

static bool epoch_has_enough(const struct strata *seen)
{
    const struct moments *cells = &seen->cells[(seen->count - 1) * seen->arms];

    for (size_t i = 0; i < seen->arms; i++) {
        if (cells[i].n < EXPERIMENT_EPOCH_N_MIN)
            return false;
    }
    return true;
}

enum experiment_look experiment_track(const struct experiment *e, const struct strata *seen,
                                      struct experiment_allocation *out)
{
    const struct experiment_tracking *t = &e->tracking;
    double sign = measures[t->measure].less_is_better ? -1 : 1;
    struct arm_moments arms[EXPERIMENT_ARMS_MAX];
    double shares[EXPERIMENT_ARMS_MAX];

    assert(t->is_on && seen->arms == e->arm_count && seen->count > 0);
    *out = (struct experiment_allocation){ .best = 0 };
    if (!epoch_has_enough(seen))
        return EXPERIMENT_WAITS;
    for (size_t i = 0; i < e->arm_count; i++) {
        stats_strata_arm(seen, i, &arms[i]);
        arms[i].mean *= sign;
        if (!(arms[i].variance > 0))
            return EXPERIMENT_WAITS;
        if (arms[i].mean > arms[out->best].mean)
            out->best = i;
    }
    stats_allocation(arms, e->arm_count, t->floor, shares);
    shares_round(e, shares, out->best, out->shares);
    if (stats_allocation_stops(arms, e->arm_count, t->epsilon, t->delta))
        return EXPERIMENT_KNOWS;
    if (seen->count >= EXPERIMENT_EPOCHS_MAX || moved_part(e, out->shares) < EXPERIMENT_MOVE_MIN)
        return EXPERIMENT_STAYS;
    return EXPERIMENT_MOVES;
}
