/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rollout_tick: what happens now. The checks are a table in the order in which they count: what must stop comes before what
 * would go on, and the first that decides ends the tick.
 */
#include <string.h>

#include "core/change/rollout_internal.h"

struct tick {
    struct rollout *r;
    usec_utc now;
    const struct rollout_inputs *in;
    struct guard_evidence evidence[CHANGE_METRIC_COUNT]; /* by guard */
    struct rollout_decision *out;
};

/* A check says whether it has decided. */
typedef bool check_function(struct tick *t);

/* ---- decisions ---- */

static bool hold(struct tick *t, enum rollout_hold why)
{
    t->out->hold = why;
    return true;
}

static bool move(struct tick *t, struct rollout_place to, enum rollout_reason reason)
{
    rollout_row_init(t->r, t->now, &t->out->row);
    rollout_row_move(t->r, to, reason, &t->out->row);
    t->out->row.guards = t->out->tripped;
    t->out->has_row = true;
    return hold(t, HOLD_NONE);
}

static struct rollout_place here(const struct tick *t, enum rollout_state state)
{
    return (struct rollout_place){ state, t->r->place.step };
}

static bool pause_for(struct tick *t, enum rollout_reason reason)
{
    return move(t, here(t, ROLLOUT_PAUSED), reason);
}

static bool step_is_over(const struct tick *t)
{
    return t->r->watched_us >= rollout_step_of(t->r)->time_max_us;
}

/* Too little data: wait, and at the end of the step do what the policy says. Data from before a restart ship nothing. */
static bool thin(struct tick *t, enum rollout_hold why)
{
    if (!step_is_over(t))
        return hold(t, why);
    switch (t->r->spec->thin_data) {
    case THIN_PAUSE:
        break;
    case THIN_SHIP:
        if (t->r->is_restored)
            break;
        if (rollout_step_of(t->r)->needs_approval)
            return pause_for(t, ROLLOUT_FOR_APPROVAL);
        return move(t, rollout_next_place(t->r->spec, t->r->place.step), ROLLOUT_FOR_THIN_DATA);
    case THIN_ROLL_BACK:
        return move(t, here(t, ROLLOUT_ABORTED), ROLLOUT_FOR_THIN_DATA);
    }
    return pause_for(t, ROLLOUT_FOR_NO_DATA);
}

/* ---- 1: is it still the configuration that was started, and are we still those who move it? ---- */

static bool check_config(struct tick *t)
{
    const struct rollout *r = t->r;
    bool is_known = r->place.state == ROLLOUT_PAUSED && r->reason == ROLLOUT_FOR_CONFIG_CHANGED;

    if (t->in->generation != r->generation)
        return hold(t, HOLD_OUTRUN);
    if (t->in->config_hash != r->config_hash && !is_known)
        return pause_for(t, ROLLOUT_FOR_CONFIG_CHANGED);
    return false;
}

/* ---- 2: was an abort asked for? ---- */

static bool check_abort(struct tick *t)
{
    if (!t->in->abort)
        return false;
    rollout_operate(t->r, t->now, t->in->abort, &t->out->row);
    t->out->has_row = true;
    return hold(t, HOLD_NONE);
}

/* ---- 3: guards ---- */

static enum judge_verdict guard_judged(struct tick *t, const struct guard_evidence *e)
{
    const struct rollout_spec *spec = t->r->spec;
    struct judge *judge = &t->r->judges[e->metric];
    bool has_control = rollout_shares_of(spec, t->r->place.step).control > 0;

    if (e->tripped_by & GUARD_BY_CONTROL)
        return JUDGE_GUILTY; /* measured against the control to begin with */
    if (e->tripped_by != 0 && (spec->common_cause == COMMON_ROLL_BACK || !has_control))
        return JUDGE_GUILTY;
    if (e->tripped_by != 0 && judge->verdict == JUDGE_NONE)
        judge_open(judge, &t->r->sums, e->metric, t->now);
    if (judge->verdict != JUDGE_NONE)
        judge_read(judge, &t->r->plan, &t->r->sums, e, t->now, spec->judge_us);
    return judge->verdict;
}

static bool check_guards(struct tick *t)
{
    uint32_t by_verdict[JUDGE_GUILTY + 1] = { 0 };
    bool is_live = t->r->place.state != ROLLOUT_PAUSED;

    for (size_t i = 0; i < t->r->plan.count; i++) {
        const struct guard_evidence *e = &t->evidence[i];
        uint32_t bit = 1u << e->metric;
        if (e->is_warned)
            t->out->warned |= bit;
        if (e->is_dry_run)
            t->out->dry_tripped |= e->tripped_by != 0 ? bit : 0;
        else
            by_verdict[guard_judged(t, e)] |= bit;
    }
    for (size_t v = JUDGE_OPEN; v <= JUDGE_GUILTY; v++)
        t->out->tripped |= by_verdict[v];
    if (by_verdict[JUDGE_GUILTY] != 0) {
        t->out->tripped = by_verdict[JUDGE_GUILTY];
        return move(t, here(t, ROLLOUT_ABORTED), ROLLOUT_FOR_GUARD);
    }
    if (by_verdict[JUDGE_COMMON] != 0 && (is_live || t->r->reason == ROLLOUT_FOR_INCONCLUSIVE))
        return pause_for(t, ROLLOUT_FOR_COMMON_CAUSE);
    if (by_verdict[JUDGE_UNCLEAR] != 0 && is_live)
        return pause_for(t, ROLLOUT_FOR_INCONCLUSIVE);
    if (by_verdict[JUDGE_OPEN] != 0)
        return hold(t, HOLD_JUDGING);
    return false;
}

/* ---- 4: can the data be believed? ---- */

static bool ratio_is_off(const struct rollout *r)
{
    struct rollout_shares shares = rollout_shares_of(r->spec, r->place.step);
    const double weights[] = { shares.canary, shares.control,
                               SHARE_WHOLE - shares.canary - shares.control };
    const int64_t counts[] = { r->exposures[ARM_CANARY],
                               r->exposures[ARM_CONTROL] + r->exposures[ARM_HOLDBACK],
                               r->exposures[ARM_BASELINE] };

    return stats_srm_log_bayes(weights, counts, ARRAY_LEN(weights)) >= STATS_SRM_ALARM;
}

static bool check_data(struct tick *t)
{
    const struct rollout *r = t->r;
    struct rollout_shares shares = rollout_shares_of(r->spec, r->place.step);

    if (ratio_is_off(r))
        return pause_for(t, ROLLOUT_FOR_SAMPLE_RATIO);
    for (size_t side = 0; side < SIDE_COUNT; side++) {
        if (side == SIDE_CONTROL && shares.control == 0)
            continue;
        if (r->last_outcome[side] == ROLLOUT_NEVER)
            return thin(t, HOLD_NO_TRAFFIC);
        if (t->now - r->last_outcome[side] > r->spec->stale_after_us)
            return thin(t, HOLD_STALE_DATA);
    }
    return false;
}

/* ---- 5 to 7: time, number, evidence ---- */

static bool check_time(struct tick *t)
{
    if (t->r->watched_us < rollout_step_of(t->r)->time_min_us)
        return hold(t, HOLD_TIME);
    return false;
}

/* The control's minimum is in proportion to its share; of a holdback of 5 % that is a nineteenth. */
static int64_t n_needed(const struct rollout *r, enum change_side side)
{
    struct rollout_shares shares = rollout_shares_of(r->spec, r->place.step);
    int64_t n_min = rollout_step_of(r)->n_min;

    if (side == SIDE_CANARY || shares.control >= shares.canary)
        return n_min;
    if (shares.control == 0)
        return 0;
    return (n_min * shares.control + shares.canary - 1) / shares.canary;
}

static bool check_samples(struct tick *t)
{
    const struct rollout *r = t->r;

    for (size_t side = 0; side < SIDE_COUNT; side++) {
        int64_t n = r->sums.arms[side].outcomes, needed = n_needed(r, (enum change_side)side);
        if (n < needed)
            return thin(t, HOLD_SAMPLES);
        if (n - r->n_before[side] < needed)
            return thin(t, HOLD_FRESH_SAMPLES);
    }
    return false;
}

static bool check_evidence(struct tick *t)
{
    for (size_t i = 0; i < t->r->plan.count; i++) {
        if (t->evidence[i].is_shown || t->evidence[i].is_dry_run)
            continue;
        return step_is_over(t) ? pause_for(t, ROLLOUT_FOR_INCONCLUSIVE) : hold(t, HOLD_EVIDENCE);
    }
    return false;
}

/* ---- 8 and 9 ---- */

static bool check_approval(struct tick *t)
{
    if (rollout_step_of(t->r)->needs_approval)
        return pause_for(t, ROLLOUT_FOR_APPROVAL);
    return false;
}

static bool advance(struct tick *t)
{
    return move(t, rollout_next_place(t->r->spec, t->r->place.step), ROLLOUT_FOR_SHOWN);
}

/* ---- by state ---- */

static check_function *const live_order[] = {
    check_config,  check_abort,    check_guards,   check_data, check_time,
    check_samples, check_evidence, check_approval, advance,    NULL,
};
/* What would go on waits until it is resumed; what must stop does not. */
static check_function *const paused_order[] = { check_config, check_abort, check_guards, NULL };
static check_function *const idle_order[] = { check_abort, NULL };

static const struct {
    check_function *const *order;
    enum rollout_hold otherwise; /* when no check decides */
    bool is_judged;
} steps[ROLLOUT_STATE_COUNT] = {
    [ROLLOUT_DRAFT] = { idle_order, HOLD_IDLE, false },
    [ROLLOUT_RUNNING] = { live_order, HOLD_NONE, true },
    [ROLLOUT_PAUSED] = { paused_order, HOLD_PAUSED, true },
    [ROLLOUT_BAKING] = { live_order, HOLD_NONE, true },
    [ROLLOUT_COMPLETED] = { idle_order, HOLD_IDLE, true },
    [ROLLOUT_ABORTED] = { idle_order, HOLD_IDLE, false },
    [ROLLOUT_SUPERSEDED] = { idle_order, HOLD_IDLE, false },
};

/* ---- the tick ---- */

/* Time that was watched: from tick to tick, unless the clock went back or nobody ticked for long. */
static void clock_read(struct tick *t)
{
    struct rollout *r = t->r;
    bool is_live = r->place.state == ROLLOUT_RUNNING || r->place.state == ROLLOUT_BAKING;

    if (r->has_ticked && t->now < r->last_tick) {
        t->out->clock_went_back = true;
        for (size_t side = 0; side < SIDE_COUNT; side++) {
            if (r->last_outcome[side] > t->now)
                r->last_outcome[side] =
                    t->now; /* else it would look fresh until the clock is there again */
        }
        for (size_t i = 0; i < CHANGE_METRIC_COUNT; i++) {
            if (r->judges[i].since > t->now)
                r->judges[i].since = t->now;
        }
    } else if (r->has_ticked && is_live && t->now - r->last_tick <= r->spec->tick_gap_max_us) {
        r->watched_us += t->now - r->last_tick;
    }
    r->has_ticked = true;
    r->last_tick = t->now;
}

static void evidence_read(struct tick *t)
{
    const struct rollout *r = t->r;

    for (size_t i = 0; i < r->plan.count; i++) {
        guard_judge(&r->plan, &r->sums, i, &t->evidence[i]);
        if (r->place.state == ROLLOUT_COMPLETED && (t->evidence[i].tripped_by & GUARD_BY_DETECTOR))
            t->out->alarms |= 1u << t->evidence[i].metric;
    }
}

void rollout_tick(struct rollout *r, usec_utc now, const struct rollout_inputs *in,
                  struct rollout_decision *out)
{
    struct tick t = { .r = r, .now = now, .in = in, .out = out };
    enum rollout_state state = r->place.state;

    *out = (struct rollout_decision){ .hold = steps[state].otherwise };
    clock_read(&t);
    if (steps[state].is_judged)
        evidence_read(&t);
    for (check_function *const *check = steps[state].order; *check; check++) {
        if ((*check)(&t))
            return;
    }
}
