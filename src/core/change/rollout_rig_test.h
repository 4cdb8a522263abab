/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rollout_rig: what rollout's tests share: a rollout in virtual time, the rows that were committed, outcomes by the handful.
 * Rows are applied as an owner does it: committed first, then applied.
 */
#ifndef WEIR_CORE_CHANGE_ROLLOUT_RIG_TEST_H
#define WEIR_CORE_CHANGE_ROLLOUT_RIG_TEST_H

#include <stdlib.h>

#include "core/change/rollout.h"
#include "test/check.h"

#define SECOND INT64_C(1000000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define RIG_START (INT64_C(1764000000) * SECOND)
#define RIG_ROWS_MAX 4000
#define RIG_CONFIG 0xfeedc0de

struct rig {
    struct rollout_spec spec;
    struct rollout rollout;
    usec_utc now;
    uint64_t config_hash;
    struct rollout_row *rows; /* on the heap, RIG_ROWS_MAX of them */
    size_t row_count;
    struct rollout_decision last;
};

/* 10 % and 50 % for an hour and 200 queries each, then baking for a day; two days at most. */
__attribute__((unused)) static void rig_spec(struct rollout_spec *spec)
{
    rollout_spec_init(spec, STR("gpt-4o-mini"));
    spec->step_count = 3;
    spec->steps[0] = (struct rollout_step){ 100000, HOUR, 48 * HOUR, 200, false };
    spec->steps[1] = (struct rollout_step){ 500000, HOUR, 48 * HOUR, 200, false };
    spec->steps[2] = (struct rollout_step){ SHARE_WHOLE, 24 * HOUR, 48 * HOUR, 200, false };
}

/* spec may be NULL: rig_spec's. */
__attribute__((unused)) static void rig_open(struct rig *rig, const struct rollout_spec *spec)
{
    struct arena arena;
    struct change_issues issues = { .arena = &arena };

    memset(rig, 0, sizeof(*rig));
    rig->now = RIG_START;
    rig->config_hash = RIG_CONFIG;
    rig->rows = calloc(RIG_ROWS_MAX, sizeof(*rig->rows));
    assert(rig->rows);
    if (spec)
        rig->spec = *spec;
    else
        rig_spec(&rig->spec);
    arena_init(&arena, 1 << 16);
    CHECK_ERR(rollout_init(&rig->rollout, &rig->spec, &issues), OK);
    for (size_t i = 0; i < change_issues_kept(&issues); i++)
        fprintf(stderr, "%.*s: %.*s\n", STR_ARG(issues.items[i].where),
                STR_ARG(issues.items[i].what));
    arena_fini(&arena);
}

__attribute__((unused)) static void rig_close(struct rig *rig)
{
    free(rig->rows);
    rig->rows = NULL;
}

__attribute__((unused)) static const struct rollout_row *rig_commit(struct rig *rig,
                                                                    const struct rollout_row *row)
{
    assert(rig->row_count < RIG_ROWS_MAX);
    rig->rows[rig->row_count++] = *row;
    CHECK_ERR(rollout_apply(&rig->rollout, row), OK);
    return &rig->rows[rig->row_count - 1];
}

__attribute__((unused)) static struct rollout_request rig_request(const struct rig *rig,
                                                                  enum rollout_operation operation)
{
    return (struct rollout_request){ .operation = operation,
                                     .actor = STR("ada"),
                                     .note = STR("because"),
                                     .generation = rig->rollout.generation,
                                     .config_hash = rig->config_hash };
}

/* Asks, commits, applies; the refusal. */
__attribute__((unused)) static enum rollout_refusal rig_operate(struct rig *rig,
                                                                enum rollout_operation operation)
{
    struct rollout_request request = rig_request(rig, operation);
    struct rollout_row row;

    rollout_operate(&rig->rollout, rig->now, &request, &row);
    return rig_commit(rig, &row)->refusal;
}

/* A tick, whose row is committed and applied; what it held on. */
__attribute__((unused)) static enum rollout_hold rig_tick(struct rig *rig)
{
    struct rollout_inputs in = { .config_hash = rig->config_hash,
                                 .generation = rig->rollout.generation };

    rollout_tick(&rig->rollout, rig->now, &in, &rig->last);
    if (rig->last.has_row)
        rig_commit(rig, &rig->last.row);
    return rig->last.hold;
}

/* Lets time pass in ticks of a minute, up to and including the first that moves. */
__attribute__((unused)) static bool rig_pass(struct rig *rig, int64_t us)
{
    for (usec_utc end = rig->now + us; rig->now < end;) {
        rig->now += MINUTE < end - rig->now ? MINUTE : end - rig->now;
        rig_tick(rig);
        if (rig->last.has_row)
            return true;
    }
    return false;
}

static const struct outcome rig_good = {
    .is_success = true,
    .hrm_confidence = 0.87,
    .trm_confidence = 0.83,
    .cost = 2000000,
    .latency = 900 * NSEC_PER_MS,
};

__attribute__((unused)) static void rig_see(struct rig *rig, enum rollout_arm arm,
                                            const struct outcome *outcome)
{
    struct rollout_assignment a = { .arm = arm, .phase = rig->rollout.phase };

    rollout_expose(&rig->rollout, &a);
    rollout_observe(&rig->rollout, &a, rig->now, outcome);
}

/* n outcomes of both arms in turn, of which every `every`th fails (0: none), and the baseline's share of exposures. */
struct rig_feed {
    int n;
    int canary_every;
    int control_every;
};
__attribute__((unused)) static void rig_feed(struct rig *rig, const struct rig_feed *feed)
{
    struct rollout *r = &rig->rollout;
    bool is_baking = r->place.step + 1 == r->spec->step_count;
    uint32_t share =
        is_baking ? SHARE_WHOLE - r->spec->holdback : r->spec->steps[r->place.step].share;
    uint32_t control = is_baking                     ? r->spec->holdback
                       : share < SHARE_WHOLE - share ? share
                                                     : SHARE_WHOLE - share;

    for (int i = 1; i <= feed->n; i++) {
        struct outcome o = rig_good;
        o.is_success = feed->canary_every == 0 || i % feed->canary_every != 0;
        rig_see(rig, ARM_CANARY, &o);
        o.is_success = feed->control_every == 0 || i % feed->control_every != 0;
        for (int64_t had = (int64_t)(i - 1) * control / share; had < (int64_t)i * control / share;
             had++)
            rig_see(rig, is_baking ? ARM_HOLDBACK : ARM_CONTROL, &o);
        r->exposures[ARM_BASELINE] =
            r->exposures[ARM_CANARY] * (SHARE_WHOLE - share - control) / share;
    }
}

/* Starts it and brings it to the step, each one shown to hold. */
__attribute__((unused)) static void rig_reach(struct rig *rig, size_t step)
{
    CHECK_INT(rig_operate(rig, ROLLOUT_START), ROLLOUT_ACCEPTED);
    while (rig->rollout.place.step < step) {
        size_t before = rig->rollout.place.step;
        rig_feed(rig, &(struct rig_feed){ 400, 0, 0 });
        for (int i = 0; i < 100 && rig->rollout.place.step == before; i++) {
            rig_feed(rig, &(struct rig_feed){ 10, 0, 0 });
            rig_pass(rig, 5 * MINUTE);
        }
        REQUIRE(rig->rollout.place.step == before + 1);
    }
}

/* Brings a fresh rollout to a state by operations. */
__attribute__((unused)) static void rig_bring(struct rig *rig, enum rollout_state state)
{
    static const enum rollout_operation paths[ROLLOUT_STATE_COUNT][3] = {
        [ROLLOUT_DRAFT] = { ROLLOUT_TICK },
        [ROLLOUT_RUNNING] = { ROLLOUT_START },
        [ROLLOUT_PAUSED] = { ROLLOUT_START, ROLLOUT_PAUSE },
        [ROLLOUT_BAKING] = { ROLLOUT_START, ROLLOUT_PROMOTE_FULL },
        [ROLLOUT_COMPLETED] = { ROLLOUT_START, ROLLOUT_PROMOTE_FULL, ROLLOUT_PROMOTE },
        [ROLLOUT_ABORTED] = { ROLLOUT_START, ROLLOUT_ABORT },
        [ROLLOUT_SUPERSEDED] = { ROLLOUT_SUPERSEDE },
    };

    for (size_t i = 0; i < 3 && paths[state][i] != ROLLOUT_TICK; i++)
        rig_operate(rig, paths[state][i]);
    CHECK_INT(rig->rollout.place.state, state);
}

static const struct outcome rig_broken = {
    .is_success = false, .is_error = true, .hrm_confidence = -1, .trm_confidence = -1, .cost = 1
};

#endif
