/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rollout's tests, one behaviour each: specifications, routing, who may ask what and when, what resets its sums. Ticks are in
 * rollout_tick_test.c, trips in judge_test.c, durability in rollout_json_test.c, the whole in motion in rollout_sim_test.c.
 */
#include <math.h>

#include "core/change/rollout_rig_test.h"

/* ---- specifications ---- */

/* What makes a specification one that will not do. */
/* clang-format off */
#define SPOIL(name, change) static void name(struct rollout_spec *s) { change; }
SPOIL(nothing, (void)s)
SPOIL(without_id, s->id = STR(""))
SPOIL(with_a_slash_in_its_seed, s->seed = STR("a/b"))
SPOIL(without_steps, s->step_count = 0)
SPOIL(with_too_many_steps, s->step_count = ROLLOUT_STEPS_MAX + 1)
SPOIL(with_an_empty_step, s->steps[0].share = 0)
SPOIL(with_more_than_all, s->steps[1].share = SHARE_WHOLE + 1)
SPOIL(with_a_step_twice, s->steps[1].share = s->steps[0].share)
SPOIL(short_of_all, s->steps[2].share = 900000)
SPOIL(without_time, s->steps[1].time_min_us = 0)
SPOIL(with_less_than_the_minimum, s->steps[1].time_max_us = s->steps[1].time_min_us - 1)
SPOIL(with_endless_time, s->steps[1].time_max_us = INT64_MAX)
SPOIL(without_data, s->steps[0].n_min = 0)
SPOIL(mostly_held_back, s->holdback = 500001)
SPOIL(stale_at_once, s->stale_after_us = 0)
SPOIL(with_a_gap_below_nothing, s->tick_gap_max_us = -1)
SPOIL(without_judging, s->judge_us = 0)
SPOIL(with_a_limit_nothing_reaches, s->guards[0].trip = 0)
SPOIL(with_all_the_alpha, s->guard_options.alpha_trip = 1)
SPOIL(with_guards_that_only_watch, for (size_t i = 0; i < s->guard_count; i++) s->guards[i].is_dry_run = true)
SPOIL(compared_with_nobody, s->holdback = 0; s->guards[0].is_compared = true; s->guards[0].margin = 0.01)
SPOIL(with_too_many_guards, s->guard_count = CHANGE_METRIC_COUNT + 1)
SPOIL(with_a_metric_twice, s->guards[1].metric = CHANGE_SUCCESS_RATE)
/* clang-format on */

static const struct {
    void (*spoil)(struct rollout_spec *s);
    const char *where, *what; /* NULL: fine */
} spoiled[] = {
    { nothing, NULL, NULL },
    { without_id, "id", "1 to 64" },
    { with_a_slash_in_its_seed, "seed", "at most 64" },
    { without_steps, "steps", "1 to 8" },
    { with_too_many_steps, "steps", "1 to 8" },
    { with_an_empty_step, "steps.0.share", "tries nothing" },
    { with_more_than_all, "steps.1.share", "over 100%" },
    { with_a_step_twice, "steps.1.share", "larger" },
    { short_of_all, "steps.2.share", "must be 100%" },
    { without_time, "steps.1.time_min", "minimum time" },
    { with_less_than_the_minimum, "steps.1.time_max", "maximum time" },
    { with_endless_time, "steps.1.time_max", "maximum time" },
    { without_data, "steps.0.n_min", "no data" },
    { mostly_held_back, "holdback", "50%" },
    { stale_at_once, "stale_after", "above 0" },
    { with_a_gap_below_nothing, "tick_gap_max", "above 0" },
    { without_judging, "judge", "above 0" },
    { with_a_limit_nothing_reaches, "guards.0.trip", "never trip" },
    { with_all_the_alpha, "guards", "alpha" },
    { with_guards_that_only_watch, "guards", "dry run" },
    { compared_with_nobody, "holdback", "needs a holdback" },
    { with_too_many_guards, "guards", "1 to 6" },
    { with_a_metric_twice, "guards.1.metric", "already" },
};

static void what_is_wrong_with_a_specification_is_named(void)
{
    for (size_t i = 0; i < ARRAY_LEN(spoiled); i++) {
        struct arena arena;
        struct change_issues issues = { .arena = &arena };
        struct rollout_spec spec;
        struct rollout r = { .attempt = 77 };
        arena_init(&arena, 1 << 16);
        rig_spec(&spec);
        spoiled[i].spoil(&spec);
        CHECK_ERR(rollout_spec_check(&spec, &issues), spoiled[i].where ? CALLER_BAD_REQUEST : OK);
        CHECK(spoiled[i].where == NULL || issues.count > 0);
        if (spoiled[i].where && issues.count > 0) {
            if (str_find(issues.items[0].what, str_from(spoiled[i].what)) == STR_NPOS)
                fprintf(stderr, "row %zu: %.*s\n", i, STR_ARG(issues.items[0].what));
            CHECK_STR(issues.items[0].where, str_from(spoiled[i].where));
            CHECK(str_find(issues.items[0].what, str_from(spoiled[i].what)) != STR_NPOS);
        }
        CHECK_ERR(rollout_init(&r, &spec, &issues), spoiled[i].where ? CALLER_BAD_REQUEST : OK);
        CHECK_INT(r.attempt, spoiled[i].where ? 77 : 1);
        CHECK_INT(r.plan.options.phases, spoiled[i].where ? 0 : 3);
        arena_fini(&arena);
    }
}

static void every_value_is_in_the_fingerprint(void)
{
    struct rollout_spec spec;
    uint64_t seen[ARRAY_LEN(spoiled)];

    for (size_t i = 0; i < ARRAY_LEN(spoiled); i++) {
        rig_spec(&spec);
        spoiled[i].spoil(&spec);
        /* Only what the specification has room for is read. */
        if (spoiled[i].spoil == without_steps || spoiled[i].spoil == with_too_many_steps)
            spec.step_count = spoiled[i].spoil == without_steps ? 1 : 2;
        if (spoiled[i].spoil == with_too_many_guards)
            spec.guard_count = 1;
        seen[i] = rollout_spec_hash(&spec);
        for (size_t j = 0; j < i; j++)
            CHECK(seen[i] != seen[j]);
    }
    rig_spec(&spec);
    CHECK(rollout_spec_hash(&spec) == seen[0]);
    spec.holdback++;
    CHECK(rollout_spec_hash(&spec) != seen[0]);
    rig_spec(&spec);
    spec.thin_data = THIN_SHIP;
    CHECK(rollout_spec_hash(&spec) != seen[0]);
    rig_spec(&spec);
    spec.common_cause = COMMON_ROLL_BACK;
    CHECK(rollout_spec_hash(&spec) != seen[0]);
    rig_spec(&spec);
    spec.steps[0].needs_approval = true;
    CHECK(rollout_spec_hash(&spec) != seen[0]);
    rig_spec(&spec);
    spec.guards[0].warn = 0.96;
    CHECK(rollout_spec_hash(&spec) != seen[0]);
}

/* ---- routing ---- */

#define UNITS 20000

static enum rollout_arm arm_of(const struct rollout_snapshot *s, size_t unit)
{
    char name[32];
    int n = snprintf(name, sizeof(name), "conversation-%zu", unit);

    return rollout_assign(s, &(struct unit_ids){ .conversation = { name, (size_t)n } }).arm;
}

/* Shares of the arms at each step; whoever is in the canary stays there to the end. */
static void shares_grow_and_move_nobody_out(void)
{
    static const double want[4][ROLLOUT_ARM_COUNT] = {
        /* baseline, control, canary, holdback */
        { 0.8, 0.1, 0.1, 0 },
        { 0, 0.5, 0.5, 0 },
        { 0, 0, 0.95, 0.05 },
        { 0, 0, 1, 0 },
    };
    static const enum rollout_state states[] = { ROLLOUT_RUNNING, ROLLOUT_RUNNING, ROLLOUT_BAKING,
                                                 ROLLOUT_COMPLETED };
    struct rollout_snapshot snapshots[4];
    double counts[4][ROLLOUT_ARM_COUNT] = { { 0 } };
    struct rig rig;

    rig_open(&rig, NULL);
    for (size_t i = 0; i < 4; i++) {
        CHECK_INT(rig_operate(&rig, i == 0 ? ROLLOUT_START : ROLLOUT_PROMOTE), ROLLOUT_ACCEPTED);
        CHECK_INT(rig.rollout.place.state, states[i]);
        rollout_snapshot(&rig.rollout, &snapshots[i]);
        CHECK_INT(snapshots[i].generation, (int)i + 1);
    }
    for (size_t unit = 0; unit < UNITS; unit++) {
        bool was_canary = false, was_held = true;
        for (size_t i = 0; i < 4; i++) {
            enum rollout_arm arm = arm_of(&snapshots[i], unit);
            counts[i][arm]++;
            CHECK(arm == ARM_CANARY || !was_canary);
            CHECK(arm != ARM_HOLDBACK || was_held);
            was_canary = arm == ARM_CANARY;
            was_held = arm == ARM_CONTROL || (was_held && i == 0);
        }
    }
    for (size_t i = 0; i < 4; i++) {
        for (size_t arm = 0; arm < ROLLOUT_ARM_COUNT; arm++) {
            double p = want[i][arm];
            CHECK_NEAR(counts[i][arm], p * UNITS, 5 * sqrt(p * (1 - p) * UNITS));
        }
    }
    rig_close(&rig);
}

/* The boundaries are exact: position 99,999 is the last of a canary of 10 %, 900,000 the first of its control. */
static void boundaries_are_exact(void)
{
    struct rollout_snapshot s;
    struct rig rig;
    bool is_seen[4] = { false };

    rig_open(&rig, NULL);
    rig_operate(&rig, ROLLOUT_START);
    rollout_snapshot(&rig.rollout, &s);
    CHECK_INT(s.canary_to, 100000);
    CHECK_INT(s.control_from, 900000);
    for (size_t unit = 0; unit < UNITS; unit++) {
        char name[32];
        int n = snprintf(name, sizeof(name), "u%zu", unit);
        struct rollout_assignment a =
            rollout_assign(&s, &(struct unit_ids){ .user = { name, (size_t)n } });
        s.canary_to = a.bucket.position;
        CHECK_INT(rollout_assign(&s, &(struct unit_ids){ .user = { name, (size_t)n } }).arm,
                  a.bucket.position >= 900000 ? ARM_CONTROL : ARM_BASELINE);
        s.canary_to = a.bucket.position + 1;
        CHECK_INT(rollout_assign(&s, &(struct unit_ids){ .user = { name, (size_t)n } }).arm,
                  ARM_CANARY);
        s.canary_to = 0;
        s.control_from = a.bucket.position + 1;
        CHECK_INT(rollout_assign(&s, &(struct unit_ids){ .user = { name, (size_t)n } }).arm,
                  ARM_BASELINE);
        s.control_from = a.bucket.position;
        CHECK_INT(rollout_assign(&s, &(struct unit_ids){ .user = { name, (size_t)n } }).arm,
                  ARM_CONTROL);
        rollout_snapshot(&rig.rollout, &s);
        is_seen[a.arm] = true;
    }
    CHECK(is_seen[ARM_BASELINE] && is_seen[ARM_CONTROL] && is_seen[ARM_CANARY]);
    rig_close(&rig);
}

static void nobody_is_in_the_canary_but_while_it_is_live(void)
{
    static const struct {
        enum rollout_operation operations[4];
        double canary;
    } rows[] = {
        { { ROLLOUT_TICK }, 0 },
        { { ROLLOUT_START, ROLLOUT_PAUSE }, 0.1 },
        { { ROLLOUT_START, ROLLOUT_PROMOTE, ROLLOUT_PAUSE }, 0.5 },
        { { ROLLOUT_START, ROLLOUT_ABORT }, 0 },
        { { ROLLOUT_START, ROLLOUT_PROMOTE_FULL, ROLLOUT_PROMOTE }, 1 },
        { { ROLLOUT_START, ROLLOUT_PROMOTE_FULL, ROLLOUT_ROLL_BACK }, 0 },
        { { ROLLOUT_START, ROLLOUT_PROMOTE, ROLLOUT_SUPERSEDE }, 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct rollout_snapshot s;
        struct rig rig;
        double canary = 0;
        rig_open(&rig, NULL);
        for (size_t j = 0; j < 4 && rows[i].operations[j] != ROLLOUT_TICK; j++)
            CHECK_INT(rig_operate(&rig, rows[i].operations[j]), ROLLOUT_ACCEPTED);
        rollout_snapshot(&rig.rollout, &s);
        for (size_t unit = 0; unit < 2000; unit++)
            canary += arm_of(&s, unit) == ARM_CANARY;
        CHECK_NEAR(canary, rows[i].canary * 2000,
                   rows[i].canary > 0 && rows[i].canary < 1 ? 112 : 0);
        struct rollout_assignment unknown =
            rollout_assign(&s, &(struct unit_ids){ .user = STR("") });
        CHECK_INT(unknown.arm, rows[i].canary >= 1 ? ARM_CANARY : ARM_BASELINE);
        rig_close(&rig);
    }
}

/* ---- operations ---- */

/* Where each operation leads from each state; "-" is refused. Rows: operations; columns: states, in the enums' order. */
static void operations_are_allowed_where_they_make_sense(void)
{
    static const char *const want[ROLLOUT_OPERATION_COUNT][ROLLOUT_STATE_COUNT] = {
        /* clang-format off */
        /*                         draft         running       paused        baking        completed     aborted       superseded */
        [ROLLOUT_TICK]         = { "-",          "-",          "-",          "-",          "-",          "-",          "-" },
        [ROLLOUT_START]        = { "running",    "-",          "-",          "-",          "-",          "-",          "-" },
        [ROLLOUT_PAUSE]        = { "-",          "paused",     "-",          "paused",     "-",          "-",          "-" },
        [ROLLOUT_RESUME]       = { "-",          "-",          "running",    "-",          "-",          "-",          "-" },
        [ROLLOUT_PROMOTE]      = { "-",          "running",    "running",    "completed",  "-",          "-",          "-" },
        [ROLLOUT_PROMOTE_FULL] = { "-",          "baking",     "baking",     "-",          "-",          "-",          "-" },
        [ROLLOUT_ABORT]        = { "aborted",    "aborted",    "aborted",    "aborted",    "-",          "-",          "-" },
        [ROLLOUT_ROLL_BACK]    = { "-",          "aborted",    "aborted",    "aborted",    "aborted",    "-",          "-" },
        [ROLLOUT_RETRY]        = { "-",          "-",          "-",          "-",          "-",          "running",    "-" },
        [ROLLOUT_SUPERSEDE]    = { "superseded", "superseded", "superseded", "superseded", "superseded", "superseded", "-" },
        /* clang-format on */
    };

    for (size_t o = 0; o < ROLLOUT_OPERATION_COUNT; o++) {
        for (size_t s = 0; s < ROLLOUT_STATE_COUNT; s++) {
            struct rig rig;
            rig_open(&rig, NULL);
            rig_bring(&rig, (enum rollout_state)s);
            int64_t sequence = rig.rollout.sequence, generation = rig.rollout.generation;
            enum rollout_refusal refusal = rig_operate(&rig, (enum rollout_operation)o);
            const struct rollout_row *row = &rig.rows[rig.row_count - 1];
            bool is_allowed = want[o][s][0] != '-';
            CHECK_INT(refusal, is_allowed ? ROLLOUT_ACCEPTED : ROLLOUT_NOT_ALLOWED);
            CHECK_STR(
                str_from(rollout_state_name(rig.rollout.place.state)),
                str_from(is_allowed ? want[o][s] : rollout_state_name((enum rollout_state)s)));
            CHECK_INT(rig.rollout.sequence, sequence + 1); /* refused ones are rows too */
            CHECK_INT(rig.rollout.generation, generation + is_allowed);
            CHECK_INT(row->generation, generation + is_allowed);
            CHECK_INT(row->operation, o);
            CHECK_STR(row->actor, STR("ada"));
            CHECK_STR(row->note, STR("because"));
            CHECK_INT(row->time, rig.now);
            rig_close(&rig);
        }
    }
}

static void there_is_no_fuller_than_full(void)
{
    struct rig rig;

    rig_open(&rig, NULL);
    rig_bring(&rig, ROLLOUT_BAKING);
    rig_operate(&rig, ROLLOUT_PAUSE);
    CHECK_INT(rig_operate(&rig, ROLLOUT_PROMOTE_FULL), ROLLOUT_NOT_ALLOWED);
    CHECK_INT(rig_operate(&rig, ROLLOUT_PROMOTE), ROLLOUT_ACCEPTED);
    CHECK_INT(rig.rollout.place.state, ROLLOUT_COMPLETED);
    rig_close(&rig);
}

static void stale_generations_are_refused(void)
{
    struct rollout_request request;
    struct rollout_row row;
    struct rig rig;

    rig_open(&rig, NULL);
    rig_bring(&rig, ROLLOUT_RUNNING);
    request = rig_request(&rig, ROLLOUT_ABORT);
    rig_operate(&rig, ROLLOUT_PAUSE);
    rollout_operate(&rig.rollout, rig.now, &request, &row);
    CHECK_INT(row.refusal, ROLLOUT_STALE_GENERATION);
    CHECK_INT(row.to.state, ROLLOUT_PAUSED);
    rig_commit(&rig, &row);
    CHECK_INT(rig.rollout.place.state, ROLLOUT_PAUSED);
    request.generation = rig.rollout.generation + 1;
    rollout_operate(&rig.rollout, rig.now, &request, &row);
    CHECK_INT(row.refusal, ROLLOUT_STALE_GENERATION);
    request.generation = ROLLOUT_ANY_GENERATION;
    rollout_operate(&rig.rollout, rig.now, &request, &row);
    CHECK_INT(row.refusal, ROLLOUT_ACCEPTED);
    rig_commit(&rig, &row);
    CHECK_INT(rig.rollout.place.state, ROLLOUT_ABORTED);
    rig_close(&rig);
}

static void rows_apply_once_and_in_order(void)
{
    struct rollout_request request;
    struct rollout_row first, second, bad;
    struct rig rig;

    rig_open(&rig, NULL);
    request = rig_request(&rig, ROLLOUT_START);
    rollout_operate(&rig.rollout, rig.now, &request, &first);
    rollout_operate(&rig.rollout, rig.now, &request,
                    &second); /* nothing was committed: the same row */
    CHECK_INT(second.sequence, first.sequence);
    CHECK_ERR(rollout_apply(&rig.rollout, &first), OK);
    CHECK_ERR(rollout_apply(&rig.rollout, &second), CALLER_BAD_REQUEST); /* a second controller's */
    CHECK_INT(rig.rollout.generation, 1);
    request = rig_request(&rig, ROLLOUT_PAUSE);
    rollout_operate(&rig.rollout, rig.now, &request, &first);
    static const enum rollout_state bad_targets[] = { ROLLOUT_DRAFT, ROLLOUT_COMPLETED };
    for (size_t i = 0; i < ARRAY_LEN(bad_targets); i++) {
        bad = first;
        bad.to.state = bad_targets[i];
        CHECK_ERR(rollout_apply(&rig.rollout, &bad), CALLER_BAD_REQUEST);
    }
    bad = first;
    bad.sequence++;
    CHECK_ERR(rollout_apply(&rig.rollout, &bad), CALLER_BAD_REQUEST);
    bad = first;
    bad.generation++;
    CHECK_ERR(rollout_apply(&rig.rollout, &bad), CALLER_BAD_REQUEST);
    bad = first;
    bad.attempt++;
    CHECK_ERR(rollout_apply(&rig.rollout, &bad), CALLER_BAD_REQUEST);
    bad = first;
    bad.from.step = 1;
    CHECK_ERR(rollout_apply(&rig.rollout, &bad), CALLER_BAD_REQUEST);
    bad = first;
    bad.to.step = 3;
    CHECK_ERR(rollout_apply(&rig.rollout, &bad), CALLER_BAD_REQUEST);
    bad = first;
    bad.refusal = ROLLOUT_NOT_ALLOWED; /* a refused one moves nothing */
    CHECK_ERR(rollout_apply(&rig.rollout, &bad), CALLER_BAD_REQUEST);
    bad.generation = rig.rollout.generation;
    CHECK_ERR(rollout_apply(&rig.rollout, &bad), CALLER_BAD_REQUEST);
    CHECK_INT(rig.rollout.place.state, ROLLOUT_RUNNING);
    CHECK_ERR(rollout_apply(&rig.rollout, &first), OK);
    rig_close(&rig);
}

static void a_rollback_names_its_revision_and_sticks(void)
{
    struct rollout_request request;
    struct rollout_row row;
    struct rig rig;

    rig_open(&rig, NULL);
    rig_bring(&rig, ROLLOUT_COMPLETED);
    request = rig_request(&rig, ROLLOUT_ROLL_BACK);
    request.revision = STR("r41");
    rollout_operate(&rig.rollout, rig.now, &request, &row);
    CHECK_STR(row.revision, STR("r41"));
    CHECK_INT(row.reason, ROLLOUT_FOR_ROLLBACK);
    rig_commit(&rig, &row);
    CHECK(!rig_pass(&rig, 24 * HOUR));
    CHECK_INT(rig.last.hold, HOLD_IDLE);
    CHECK_INT(rig.rollout.place.state, ROLLOUT_ABORTED);
    CHECK_INT(rig_operate(&rig, ROLLOUT_RETRY), ROLLOUT_ACCEPTED);
    CHECK_INT(rig.rollout.attempt, 2);
    CHECK_INT(rig.rollout.place.step, 0);
    rig_close(&rig);
}

/* ---- what a phase keeps ---- */

static void sums_begin_anew_with_each_phase(void)
{
    static const struct {
        const char *name;
        enum rollout_operation operations[3];
        bool keeps;
    } rows[] = {
        { "pause", { ROLLOUT_PAUSE }, true },
        { "pause and resume", { ROLLOUT_PAUSE, ROLLOUT_RESUME }, true },
        { "promote", { ROLLOUT_PROMOTE }, false },
        { "pause and promote", { ROLLOUT_PAUSE, ROLLOUT_PROMOTE }, false },
        { "abort", { ROLLOUT_ABORT }, false },
        { "retry", { ROLLOUT_ABORT, ROLLOUT_RETRY }, false },
        { "refused", { ROLLOUT_START }, true },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct rig rig;
        rig_open(&rig, NULL);
        rig_bring(&rig, ROLLOUT_RUNNING);
        rig_feed(&rig, &(struct rig_feed){ 50, 0, 0 });
        rig_pass(&rig, 10 * MINUTE);
        int64_t phase = rig.rollout.phase;
        struct rollout_assignment old = { .arm = ARM_CANARY, .phase = phase };
        for (size_t j = 0; j < 3 && rows[i].operations[j] != ROLLOUT_TICK; j++)
            rig_operate(&rig, rows[i].operations[j]);
        if ((rig.rollout.sums.arms[SIDE_CANARY].outcomes == 50) != rows[i].keeps)
            fprintf(stderr, "row '%s'\n", rows[i].name);
        CHECK_INT(rig.rollout.sums.arms[SIDE_CANARY].outcomes, rows[i].keeps ? 50 : 0);
        CHECK_INT(rig.rollout.exposures[ARM_CANARY], rows[i].keeps ? 50 : 0);
        CHECK_INT(rig.rollout.watched_us, rows[i].keeps ? 10 * MINUTE : 0);
        CHECK((rig.rollout.phase == phase) == rows[i].keeps);
        /* A request that was assigned before and ends now. */
        rollout_observe(&rig.rollout, &old, rig.now, &rig_good);
        rollout_expose(&rig.rollout, &old);
        CHECK_INT(rig.rollout.sums.arms[SIDE_CANARY].outcomes, rows[i].keeps ? 51 : 0);
        CHECK_INT(rig.rollout.exposures[ARM_CANARY], rows[i].keeps ? 51 : 0);
        CHECK_INT(rig.rollout.late, !rows[i].keeps);
        rig_close(&rig);
    }
}

static void detectors_run_once_promoted(void)
{
    struct rig rig;

    rig_open(&rig, NULL);
    rig_bring(&rig, ROLLOUT_RUNNING);
    CHECK(!rig.rollout.sums.is_promoted);
    rig_operate(&rig, ROLLOUT_PROMOTE_FULL);
    CHECK(rig.rollout.sums.is_promoted);
    rig_operate(&rig, ROLLOUT_PROMOTE);
    CHECK(rig.rollout.sums.is_promoted);
    for (int i = 0; i < 30; i++)
        rig_see(&rig, ARM_CANARY,
                &(struct outcome){ .hrm_confidence = -1, .trm_confidence = -1, .cost = 1 });
    CHECK_INT(rig_tick(&rig), HOLD_IDLE); /* nothing moves by itself any more, but it is said */
    CHECK_INT(rig.last.alarms, 1u << CHANGE_SUCCESS_RATE);
    CHECK(!rig.last.has_row);
    rig_close(&rig);
}

static void shards_add_up(void)
{
    struct rollout_shard shard = { .exposures = { 800, 100, 100, 0 } };
    struct rig rig;

    rig_open(&rig, NULL);
    rig_bring(&rig, ROLLOUT_RUNNING);
    shard.phase = rig.rollout.phase;
    shard.last_outcome[SIDE_CANARY] = rig.now + 5;
    shard.last_outcome[SIDE_CONTROL] = INT64_MIN;
    change_sums_add(&shard.sums, &rig.rollout.plan, SIDE_CANARY, &rig_good);
    rollout_absorb(&rig.rollout, &shard);
    rollout_absorb(&rig.rollout, &shard);
    CHECK_INT(rig.rollout.sums.arms[SIDE_CANARY].outcomes, 2);
    CHECK_INT(rig.rollout.exposures[ARM_BASELINE], 1600);
    CHECK_INT(rig.rollout.last_outcome[SIDE_CANARY], rig.now + 5);
    CHECK(rig.rollout.last_outcome[SIDE_CONTROL] == INT64_MIN);
    shard.phase--;
    rollout_absorb(&rig.rollout, &shard);
    CHECK_INT(rig.rollout.sums.arms[SIDE_CANARY].outcomes, 2);
    CHECK_INT(rig.rollout.late, 1);
    rig_close(&rig);
}

/* The baseline is not measured: it is exposed, and its outcomes count nowhere. */
static void the_baseline_is_not_measured(void)
{
    struct rig rig;

    rig_open(&rig, NULL);
    rig_bring(&rig, ROLLOUT_RUNNING);
    rig_see(&rig, ARM_CONTROL, &rig_good);
    CHECK_INT(rig.rollout.last_outcome[SIDE_CONTROL], rig.now);
    rig.now -= SECOND; /* outcomes may come in any order */
    rig_see(&rig, ARM_CONTROL, &rig_good);
    CHECK_INT(rig.rollout.last_outcome[SIDE_CONTROL], rig.now + SECOND);
    rig_see(&rig, ARM_BASELINE, &rig_good);
    CHECK_INT(rig.rollout.exposures[ARM_BASELINE], 1);
    CHECK_INT(rig.rollout.sums.arms[SIDE_CANARY].outcomes +
                  rig.rollout.sums.arms[SIDE_CONTROL].outcomes,
              2);
    rig_see(&rig, ARM_HOLDBACK, &rig_good);
    CHECK_INT(rig.rollout.sums.arms[SIDE_CONTROL].outcomes, 3);
    struct rollout_snapshot snapshot;
    rollout_snapshot(&rig.rollout, &snapshot);
    struct rollout_assignment nobody =
        rollout_assign(&snapshot, &(struct unit_ids){ .user = STR("") });
    rollout_expose(&rig.rollout, &nobody);
    CHECK_INT(rig.rollout.exposures[ARM_BASELINE], 1); /* who has no id was not dealt */
    rig_close(&rig);
}

TESTS(TEST(what_is_wrong_with_a_specification_is_named), TEST(every_value_is_in_the_fingerprint),
      TEST(shares_grow_and_move_nobody_out), TEST(boundaries_are_exact),
      TEST(nobody_is_in_the_canary_but_while_it_is_live),
      TEST(operations_are_allowed_where_they_make_sense), TEST(there_is_no_fuller_than_full),
      TEST(stale_generations_are_refused), TEST(rows_apply_once_and_in_order),
      TEST(a_rollback_names_its_revision_and_sticks), TEST(sums_begin_anew_with_each_phase),
      TEST(detectors_run_once_promoted), TEST(shards_add_up), TEST(the_baseline_is_not_measured))
