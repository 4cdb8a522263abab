/* SPDX-License-Identifier: Apache-2.0 */
/* rollout: the table of states, the one function that moves, what a move resets, routing, what is seen. */
#include <string.h>

#include "core/change/rollout_internal.h"

#define TO(state) (1u << (state))

/* See the drawing in rollout.h. A paused one may be paused again for another reason. */
static const unsigned successors[ROLLOUT_STATE_COUNT] = {
    /* clang-format off */
    [ROLLOUT_DRAFT]      = TO(ROLLOUT_RUNNING) | TO(ROLLOUT_BAKING) | TO(ROLLOUT_ABORTED) | TO(ROLLOUT_SUPERSEDED),
    [ROLLOUT_RUNNING]    = TO(ROLLOUT_RUNNING) | TO(ROLLOUT_PAUSED) | TO(ROLLOUT_BAKING) | TO(ROLLOUT_ABORTED) | TO(ROLLOUT_SUPERSEDED),
    [ROLLOUT_PAUSED]     = TO(ROLLOUT_RUNNING) | TO(ROLLOUT_PAUSED) | TO(ROLLOUT_BAKING) | TO(ROLLOUT_COMPLETED) | TO(ROLLOUT_ABORTED) | TO(ROLLOUT_SUPERSEDED),
    [ROLLOUT_BAKING]     = TO(ROLLOUT_PAUSED) | TO(ROLLOUT_COMPLETED) | TO(ROLLOUT_ABORTED) | TO(ROLLOUT_SUPERSEDED),
    [ROLLOUT_COMPLETED]  = TO(ROLLOUT_ABORTED) | TO(ROLLOUT_SUPERSEDED),
    [ROLLOUT_ABORTED]    = TO(ROLLOUT_RUNNING) | TO(ROLLOUT_BAKING) | TO(ROLLOUT_SUPERSEDED),
    [ROLLOUT_SUPERSEDED] = 0,
    /* clang-format on */
};

/* ---- places ---- */

bool rollout_may_move(enum rollout_state from, enum rollout_state to)
{
    return (successors[from] & TO(to)) != 0;
}

struct rollout_place rollout_step_place(const struct rollout_spec *spec, size_t step)
{
    bool is_last = step + 1 == spec->step_count;

    return (struct rollout_place){ is_last ? ROLLOUT_BAKING : ROLLOUT_RUNNING, step };
}

struct rollout_place rollout_next_place(const struct rollout_spec *spec, size_t step)
{
    if (step + 1 == spec->step_count)
        return (struct rollout_place){ ROLLOUT_COMPLETED, step };
    return rollout_step_place(spec, step + 1);
}

bool rollout_place_is_sound(const struct rollout_spec *spec, struct rollout_place place)
{
    bool is_last = place.step + 1 == spec->step_count;

    if (place.step >= spec->step_count)
        return false;
    if (place.state == ROLLOUT_RUNNING)
        return !is_last;
    return is_last || (place.state != ROLLOUT_BAKING && place.state != ROLLOUT_COMPLETED);
}

struct rollout_shares rollout_shares_of(const struct rollout_spec *spec, size_t step)
{
    uint32_t share = spec->steps[step].share;

    if (step + 1 == spec->step_count)
        return (struct rollout_shares){ SHARE_WHOLE - spec->holdback, spec->holdback };
    return (struct rollout_shares){ share,
                                    share < SHARE_WHOLE - share ? share : SHARE_WHOLE - share };
}

/* ---- moving ---- */

enum err rollout_init(struct rollout *r, const struct rollout_spec *spec,
                      struct change_issues *issues)
{
    struct guard_options options = spec->guard_options;
    struct rollout fresh = {
        .spec = spec,
        .attempt = 1,
        .reason = ROLLOUT_FOR_MANUAL,
        .last_outcome = { ROLLOUT_NEVER, ROLLOUT_NEVER },
    };
    enum err e = rollout_spec_check(spec, issues);

    if (e != OK)
        return e;
    options.phases = (int)spec->step_count;
    e = guard_plan_init(&fresh.plan, spec->guards, spec->guard_count, &options, issues);
    if (e != OK)
        return e;
    bucket_salt_init(&fresh.salt, spec->id, spec->seed, STR("rollout"));
    *r = fresh;
    return OK;
}

void rollout_row_init(const struct rollout *r, usec_utc now, struct rollout_row *row)
{
    *row = (struct rollout_row){
        .sequence = r->sequence + 1,
        .time = now,
        .actor = STR("weir"),
        .generation = r->generation,
        .attempt = r->attempt,
        .from = r->place,
        .to = r->place,
        .reason = r->reason,
        .config_hash = r->config_hash,
    };
}

void rollout_row_move(const struct rollout *r, struct rollout_place to, enum rollout_reason reason,
                      struct rollout_row *row)
{
    row->generation = r->generation + 1;
    row->to = to;
    row->reason = reason;
    row->evidence_count = rollout_evidence(r, row->evidence);
}

/* The only place where the state changes. */
static void place_set(struct rollout *r, struct rollout_place to)
{
    assert(rollout_may_move(r->place.state, to.state));
    r->place = to;
}

/* Does a move leave the sums as they are? Pausing does, and going on in the same step after a pause that says nothing about
 * the data. */
static bool keeps_phase(const struct rollout *r, const struct rollout_row *row)
{
    bool is_harmless = r->reason == ROLLOUT_FOR_MANUAL || r->reason == ROLLOUT_FOR_APPROVAL;

    if (row->to.state == ROLLOUT_PAUSED)
        return true;
    return row->from.state == ROLLOUT_PAUSED && row->to.step == row->from.step && is_harmless &&
           row->operation == ROLLOUT_RESUME;
}

static void phase_start(struct rollout *r)
{
    bool is_promoted = r->place.state == ROLLOUT_BAKING || r->place.state == ROLLOUT_COMPLETED;

    r->phase++;
    r->sums = (struct change_sums){ .is_promoted = is_promoted };
    memset(r->exposures, 0, sizeof(r->exposures));
    memset(r->judges, 0, sizeof(r->judges));
    memset(r->n_before, 0, sizeof(r->n_before));
    r->is_restored = false;
    r->late = 0;
    r->watched_us = 0;
    for (size_t i = 0; i < SIDE_COUNT; i++)
        r->last_outcome[i] = ROLLOUT_NEVER;
}

static bool row_follows(const struct rollout *r, const struct rollout_row *row)
{
    bool is_refused = row->refusal != ROLLOUT_ACCEPTED;
    bool stays = row->to.state == row->from.state && row->to.step == row->from.step;

    if (row->sequence != r->sequence + 1 || row->from.state != r->place.state ||
        row->from.step != r->place.step || !rollout_place_is_sound(r->spec, row->to))
        return false;
    if (is_refused)
        return stays && row->generation == r->generation && row->attempt == r->attempt;
    return rollout_may_move(row->from.state, row->to.state) &&
           row->generation == r->generation + 1 &&
           row->attempt == r->attempt + (row->operation == ROLLOUT_RETRY);
}

enum err rollout_apply(struct rollout *r, const struct rollout_row *row)
{
    if (!row_follows(r, row))
        return CALLER_BAD_REQUEST;
    r->sequence = row->sequence;
    if (row->refusal != ROLLOUT_ACCEPTED)
        return OK;
    bool keeps = keeps_phase(r, row);
    place_set(r, row->to);
    r->reason = row->reason;
    r->generation = row->generation;
    r->attempt = row->attempt;
    r->config_hash = row->config_hash;
    r->has_ticked = true; /* what was before the move is not the new place's time */
    r->last_tick = row->time;
    if (!keeps)
        phase_start(r);
    return OK;
}

/* ---- routing ---- */

void rollout_snapshot(const struct rollout *r, struct rollout_snapshot *out)
{
    struct rollout_shares shares = rollout_shares_of(r->spec, r->place.step);

    *out = (struct rollout_snapshot){
        .salt = r->salt,
        .phase = r->phase,
        .generation = r->generation,
        .control_from = SHARE_WHOLE,
        .is_baking = r->place.step + 1 == r->spec->step_count,
    };
    switch (r->place.state) {
    case ROLLOUT_RUNNING:
    case ROLLOUT_PAUSED:
    case ROLLOUT_BAKING:
        out->canary_to = shares.canary;
        out->control_from = SHARE_WHOLE - shares.control;
        break;
    case ROLLOUT_COMPLETED:
        out->canary_to = SHARE_WHOLE;
        break;
    case ROLLOUT_DRAFT:
    case ROLLOUT_ABORTED:
    case ROLLOUT_SUPERSEDED:
    case ROLLOUT_STATE_COUNT:
        break;
    }
}

struct rollout_assignment rollout_assign(const struct rollout_snapshot *s,
                                         const struct unit_ids *ids)
{
    struct rollout_assignment a = { .arm = ARM_BASELINE,
                                    .phase = s->phase,
                                    .unit = unit_pick(ids) };

    if (a.unit.kind == UNIT_NONE) {
        a.arm = s->canary_to == SHARE_WHOLE ? ARM_CANARY : ARM_BASELINE;
        return a;
    }
    a.bucket = bucket_of(BUCKET_WEIR, bucket_salt_str(&s->salt), a.unit.id);
    if (a.bucket.position < s->canary_to)
        a.arm = ARM_CANARY;
    else if (a.bucket.position >= s->control_from)
        a.arm = s->is_baking ? ARM_HOLDBACK : ARM_CONTROL;
    return a;
}

/* ---- what is seen ---- */

static bool side_of(enum rollout_arm arm, enum change_side *out)
{
    *out = arm == ARM_CANARY ? SIDE_CANARY : SIDE_CONTROL;
    return arm != ARM_BASELINE;
}

void rollout_expose(struct rollout *r, const struct rollout_assignment *a)
{
    if (a->phase == r->phase && a->unit.kind != UNIT_NONE)
        r->exposures[a->arm]++;
}

static void newest(usec_utc *at, usec_utc seen)
{
    if (seen > *at)
        *at = seen;
}

void rollout_observe(struct rollout *r, const struct rollout_assignment *a, usec_utc now,
                     const struct outcome *outcome)
{
    enum change_side side;

    if (a->phase != r->phase) {
        r->late++;
        return;
    }
    if (!side_of(a->arm, &side))
        return;
    change_sums_add(&r->sums, &r->plan, side, outcome);
    newest(&r->last_outcome[side], now);
}

void rollout_absorb(struct rollout *r, const struct rollout_shard *shard)
{
    const struct arm_sums *arms = shard->sums.arms;

    if (shard->phase != r->phase) {
        r->late += arms[SIDE_CANARY].outcomes + arms[SIDE_CONTROL].outcomes;
        return;
    }
    change_sums_merge(&r->sums, &shard->sums);
    for (size_t i = 0; i < ROLLOUT_ARM_COUNT; i++)
        r->exposures[i] += shard->exposures[i];
    for (size_t i = 0; i < SIDE_COUNT; i++)
        newest(&r->last_outcome[i], shard->last_outcome[i]);
}

size_t rollout_evidence(const struct rollout *r, struct guard_evidence out[CHANGE_METRIC_COUNT])
{
    for (size_t i = 0; i < r->plan.count; i++)
        guard_read(&r->plan, &r->sums, i, &out[i]);
    return r->plan.count;
}
