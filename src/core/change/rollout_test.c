/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rollout's tests, one behaviour each: specifications, routing, who may ask what and when, the order of a tick, what holds
 * it, what resets its sums. The whole in motion is in rollout_sim_test.c, its durability in rollout_json_test.c.
 */
#include <math.h>

#include "core/change/rollout_rig_test.h"

/* ---- specifications ---- */

static void spoil(struct rollout_spec *s, size_t row)
{
    switch (row) {
    case 0:
        break;
    case 1:
        s->id = STR("");
        break;
    case 2:
        s->seed = STR("a/b");
        break;
    case 3:
        s->step_count = 0;
        break;
    case 4:
        s->step_count = ROLLOUT_STEPS_MAX + 1;
        break;
    case 5:
        s->steps[0].share = 0;
        break;
    case 6:
        s->steps[1].share = SHARE_WHOLE + 1;
        break;
    case 7:
        s->steps[1].share = s->steps[0].share;
        break;
    case 8:
        s->steps[2].share = 900000;
        break;
    case 9:
        s->steps[1].time_min_us = 0;
        break;
    case 10:
        s->steps[1].time_max_us = s->steps[1].time_min_us - 1;
        break;
    case 11:
        s->steps[1].time_max_us = INT64_MAX;
        break;
    case 12:
        s->steps[0].n_min = 0;
        break;
    case 13:
        s->holdback = 500001;
        break;
    case 14:
        s->stale_after_us = 0;
        break;
    case 15:
        s->tick_gap_max_us = -1;
        break;
    case 16:
        s->judge_us = 0;
        break;
    case 17:
        s->guards[0].trip = 0;
        break;
    case 18:
        s->guard_options.alpha_trip = 1;
        break;
    case 19:
        for (size_t i = 0; i < s->guard_count; i++)
            s->guards[i].is_dry_run = true;
        break;
    case 20:
        s->holdback = 0;
        s->guards[0].is_compared = true;
        s->guards[0].margin = 0.01;
        break;
    case 21:
        s->guard_count = CHANGE_METRIC_COUNT + 1;
        break;
    case 22:
        s->guards[1].metric = CHANGE_SUCCESS_RATE;
        break;
    default:
        break;
    }
}

static void what_is_wrong_with_a_specification_is_named(void)
{
    static const char *const rows[][2] = {
        { NULL, NULL },
        { "id", "1 to 64" },
        { "seed", "at most 64" },
        { "steps", "1 to 8" },
        { "steps", "1 to 8" },
        { "steps.0.share", "tries nothing" },
        { "steps.1.share", "over 100%" },
        { "steps.1.share", "larger" },
        { "steps.2.share", "must be 100%" },
        { "steps.1.time_min", "minimum time" },
        { "steps.1.time_max", "maximum time" },
        { "steps.1.time_max", "maximum time" },
        { "steps.0.n_min", "no data" },
        { "holdback", "50%" },
        { "stale_after", "above 0" },
        { "tick_gap_max", "above 0" },
        { "judge", "above 0" },
        { "guards.0.trip", "never trip" },
        { "guards", "alpha" },
        { "guards", "dry run" },
        { "holdback", "needs a holdback" },
        { "guards", "1 to 6" },
        { "guards.1.metric", "already" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena arena;
        struct change_issues issues = { .arena = &arena };
        struct rollout_spec spec;
        struct rollout r = { .attempt = 77 };
        arena_init(&arena, 1 << 16);
        rig_spec(&spec);
        spoil(&spec, i);
        CHECK_ERR(rollout_spec_check(&spec, &issues), rows[i][0] ? CALLER_BAD_REQUEST : OK);
        CHECK(rows[i][0] == NULL || issues.count > 0);
        for (size_t j = 0; rows[i][0] && j < 1 && issues.count > 0; j++) {
            if (str_find(issues.items[0].what, str_from(rows[i][1])) == STR_NPOS)
                fprintf(stderr, "row %zu: %.*s\n", i, STR_ARG(issues.items[0].what));
            CHECK_STR(issues.items[0].where, str_from(rows[i][0]));
            CHECK(str_find(issues.items[0].what, str_from(rows[i][1])) != STR_NPOS);
        }
        CHECK_ERR(rollout_init(&r, &spec, &issues), rows[i][0] ? CALLER_BAD_REQUEST : OK);
        CHECK_INT(r.attempt, rows[i][0] ? 77 : 1);
        arena_fini(&arena);
    }
}

static void every_value_is_in_the_fingerprint(void)
{
    struct rollout_spec spec;
    uint64_t seen[24];

    for (size_t i = 0; i < 23; i++) {
        rig_spec(&spec);
        spoil(&spec, i == 21 ? 0 : i);
        spec.holdback += i == 21;
        if (i == 3 || i == 4)
            spec.step_count = i == 3 ? 1 : 2;
        seen[i] = rollout_spec_hash(&spec);
        for (size_t j = 0; j < i; j++)
            CHECK(seen[i] != seen[j]);
    }
    rig_spec(&spec);
    CHECK(rollout_spec_hash(&spec) == seen[0]);
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

/* Brings a fresh rollout to a state by operations. */
static void bring(struct rig *rig, enum rollout_state state)
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
            bring(&rig, (enum rollout_state)s);
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

static void stale_generations_are_refused(void)
{
    struct rollout_request request;
    struct rollout_row row;
    struct rig rig;

    rig_open(&rig, NULL);
    bring(&rig, ROLLOUT_RUNNING);
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
    bring(&rig, ROLLOUT_COMPLETED);
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
        bring(&rig, ROLLOUT_RUNNING);
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
    bring(&rig, ROLLOUT_RUNNING);
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
    bring(&rig, ROLLOUT_RUNNING);
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
    bring(&rig, ROLLOUT_RUNNING);
    rig_see(&rig, ARM_BASELINE, &rig_good);
    CHECK_INT(rig.rollout.exposures[ARM_BASELINE], 1);
    CHECK_INT(rig.rollout.sums.arms[SIDE_CANARY].outcomes +
                  rig.rollout.sums.arms[SIDE_CONTROL].outcomes,
              0);
    rig_see(&rig, ARM_HOLDBACK, &rig_good);
    CHECK_INT(rig.rollout.sums.arms[SIDE_CONTROL].outcomes, 1);
    rig_close(&rig);
}

/* ---- the clock ---- */

static void only_watched_time_counts(void)
{
    struct rig rig;

    rig_open(&rig, NULL);
    bring(&rig, ROLLOUT_RUNNING);
    rig_feed(&rig, &(struct rig_feed){ 10, 0, 0 });
    CHECK_INT(rig_tick(&rig), HOLD_TIME); /* the first tick of all watched nothing before it */
    CHECK_INT(rig.rollout.watched_us, 0);
    rig.now += 5 * MINUTE;
    rig_tick(&rig);
    CHECK_INT(rig.rollout.watched_us, 5 * MINUTE);
    rig.now += 5 * MINUTE + 1; /* longer than anybody watched */
    rig_tick(&rig);
    CHECK_INT(rig.rollout.watched_us, 5 * MINUTE);
    rig.now += 10 * 24 * HOUR; /* a clock that jumps ahead */
    rig_tick(&rig);
    CHECK_INT(rig.rollout.watched_us, 5 * MINUTE);
    CHECK(!rig.last.clock_went_back);
    rig.now -= 20 * 24 * HOUR; /* and back */
    rig_tick(&rig);
    CHECK(rig.last.clock_went_back);
    CHECK_INT(rig.rollout.watched_us, 5 * MINUTE);
    rig.now += MINUTE; /* from there it goes on */
    rig_tick(&rig);
    CHECK(!rig.last.clock_went_back);
    CHECK_INT(rig.rollout.watched_us, 6 * MINUTE);
    rig_operate(&rig, ROLLOUT_PAUSE);
    rig_pass(&rig, 30 * MINUTE);
    CHECK_INT(rig.rollout.watched_us, 6 * MINUTE);
    rig_operate(&rig, ROLLOUT_RESUME);
    rig.now += MINUTE;
    rig_tick(&rig);
    CHECK_INT(rig.rollout.watched_us, 7 * MINUTE);
    rig_close(&rig);
}

/* After the clock went back, what was seen before must not look fresh until the clock is there again. */
static void a_clock_that_goes_back_does_not_freshen_data(void)
{
    struct rig rig;

    rig_open(&rig, NULL);
    bring(&rig, ROLLOUT_RUNNING);
    rig_feed(&rig, &(struct rig_feed){ 10, 0, 0 });
    rig_tick(&rig);
    rig.now -= HOUR;
    CHECK_INT(rig_tick(&rig), HOLD_TIME);
    rig_pass(&rig, 10 * MINUTE);
    CHECK_INT(rig.last.hold, HOLD_TIME);
    rig_pass(&rig, MINUTE);
    CHECK_INT(rig.last.hold, HOLD_STALE_DATA);
    rig_close(&rig);
}

/* ---- what holds a step ---- */

static void a_step_holds_until_all_is_shown(void)
{
    struct rig rig;

    rig_open(&rig, NULL);
    bring(&rig, ROLLOUT_RUNNING);
    CHECK_INT(rig_tick(&rig), HOLD_NO_TRAFFIC);
    rig_see(&rig, ARM_CANARY, &rig_good);
    CHECK_INT(rig_tick(&rig), HOLD_NO_TRAFFIC); /* of the control */
    rig_see(&rig, ARM_CONTROL, &rig_good);
    CHECK_INT(rig_tick(&rig), HOLD_TIME);
    rig_pass(&rig, 11 * MINUTE);
    CHECK_INT(rig.last.hold, HOLD_STALE_DATA);
    rig_feed(&rig, &(struct rig_feed){ 100, 0, 0 });
    CHECK_INT(rig_tick(&rig), HOLD_TIME);
    for (int i = 0; i < 12; i++) {
        rig_feed(&rig, &(struct rig_feed){ 1, 0, 0 });
        rig_pass(&rig, 4 * MINUTE);
    }
    CHECK_INT(rig.rollout.watched_us, 59 * MINUTE);
    rig_pass(&rig, MINUTE - 1);
    CHECK_INT(rig.last.hold, HOLD_TIME);
    rig.now += 1;
    CHECK_INT(rig_tick(&rig), HOLD_SAMPLES);
    while (rig.rollout.sums.arms[SIDE_CONTROL].outcomes < 200)
        rig_see(&rig, ARM_CONTROL, &rig_good);
    CHECK_INT(rig_tick(&rig), HOLD_SAMPLES);
    while (rig.rollout.sums.arms[SIDE_CANARY].outcomes < 199)
        rig_see(&rig, ARM_CANARY, &rig_good);
    rig.rollout.exposures[ARM_BASELINE] = 1600;
    CHECK_INT(rig_tick(&rig), HOLD_SAMPLES);
    struct outcome failed = rig_good;
    failed.is_success = false;
    rig_see(&rig, ARM_CANARY, &failed);
    for (int i = 0; i < 5; i++)
        rig_see(&rig, ARM_CANARY, &failed);
    CHECK_INT(rig_tick(&rig), HOLD_EVIDENCE);
    CHECK_INT(rig.rollout.place.step, 0);
    rig_feed(&rig, &(struct rig_feed){ 200, 0, 0 });
    CHECK_INT(rig_tick(&rig), HOLD_NONE);
    CHECK(rig.last.has_row);
    CHECK_INT(rig.last.row.reason, ROLLOUT_FOR_SHOWN);
    CHECK_INT(rig.last.row.evidence_count, CHANGE_METRIC_COUNT);
    CHECK_INT(rig.last.row.evidence[0].n, 405);
    CHECK_STR(rig.last.row.actor, STR("weir"));
    CHECK_INT(rig.rollout.place.step, 1);
    CHECK_INT(rig.rollout.place.state, ROLLOUT_RUNNING);
    rig_close(&rig);
}

/* Each guard that acts must be shown; a dry run need not, and never acts. */
static void dry_runs_are_recorded_and_never_act(void)
{
    struct rollout_spec spec;
    struct outcome slow = rig_good;
    struct rig rig;

    rig_spec(&spec);
    spec.guards[CHANGE_LATENCY_P95].is_dry_run = true;
    rig_open(&rig, &spec);
    bring(&rig, ROLLOUT_RUNNING);
    slow.latency = 20 * NSEC_PER_SEC;
    for (int i = 0; i < 400; i++) {
        rig_see(&rig, ARM_CANARY, &slow);
        rig_see(&rig, ARM_CONTROL, &rig_good);
        rig.rollout.exposures[ARM_BASELINE] += 8;
    }
    CHECK_INT(rig_tick(&rig), HOLD_TIME);
    CHECK_INT(rig.last.dry_tripped, 1u << CHANGE_LATENCY_P95);
    CHECK_INT(rig.last.tripped, 0);
    for (int i = 0; i < 20 && !rig.last.has_row; i++) {
        rig_feed(&rig, &(struct rig_feed){ 20, 0, 0 });
        rig_pass(&rig, 5 * MINUTE);
    }
    CHECK_INT(rig.last.row.reason, ROLLOUT_FOR_SHOWN);
    CHECK(rig.last.row.evidence[CHANGE_LATENCY_P95].is_dry_run);
    CHECK_INT(rig.last.row.evidence[CHANGE_LATENCY_P95].verdict, GUARD_TRIPPED);
    rig_close(&rig);
}

/* While baking the control is the holdback, whose minimum is in proportion to its share. */
static void a_holdback_needs_its_share_of_outcomes(void)
{
    struct rig rig;

    rig_open(&rig, NULL);
    bring(&rig, ROLLOUT_BAKING);
    rig_feed(&rig, &(struct rig_feed){ 199, 0, 0 });
    for (int i = 0; i < 2 * 24 * 12 && rig.last.hold != HOLD_SAMPLES; i++) {
        rig.rollout.last_outcome[SIDE_CANARY] = rig.rollout.last_outcome[SIDE_CONTROL] = rig.now;
        rig_pass(&rig, 5 * MINUTE);
    }
    CHECK_INT(rig.last.hold, HOLD_SAMPLES);
    CHECK_INT(rig.rollout.sums.arms[SIDE_CONTROL].outcomes, 10);
    rig_see(&rig, ARM_CANARY, &rig_good);
    CHECK_INT(rig_tick(&rig), HOLD_SAMPLES); /* 200 * 5/95 = 10.5: eleven are needed */
    rig_see(&rig, ARM_HOLDBACK, &rig_good);
    CHECK_INT(rig_tick(&rig), HOLD_NONE);
    CHECK_INT(rig.rollout.place.state, ROLLOUT_COMPLETED);
    rig_close(&rig);
}

static void approval_comes_last(void)
{
    struct rollout_spec spec;
    struct rig rig;

    rig_spec(&spec);
    spec.steps[0].needs_approval = true;
    rig_open(&rig, &spec);
    bring(&rig, ROLLOUT_RUNNING);
    rig_feed(&rig, &(struct rig_feed){ 400, 0, 0 });
    for (int i = 0; i < 20 && rig.rollout.place.state == ROLLOUT_RUNNING; i++) {
        rig_feed(&rig, &(struct rig_feed){ 10, 0, 0 });
        rig_pass(&rig, 5 * MINUTE);
    }
    CHECK_INT(rig.rollout.place.state, ROLLOUT_PAUSED);
    CHECK_INT(rig.rollout.reason, ROLLOUT_FOR_APPROVAL);
    CHECK_INT(rig_tick(&rig), HOLD_PAUSED);
    CHECK_INT(rig_operate(&rig, ROLLOUT_RESUME), ROLLOUT_ACCEPTED); /* is no approval */
    CHECK(rig.rollout.sums.arms[SIDE_CANARY].outcomes > 0);
    rig_tick(&rig);
    CHECK_INT(rig.rollout.reason, ROLLOUT_FOR_APPROVAL);
    CHECK_INT(rig_operate(&rig, ROLLOUT_PROMOTE), ROLLOUT_ACCEPTED);
    CHECK_INT(rig.rollout.place.step, 1);
    CHECK_INT(rig.rollout.place.state, ROLLOUT_RUNNING);
    rig_close(&rig);
}

/* Past the step's maximum time: what becomes of it by what was seen and by the policy. */
static void the_end_of_a_step_is_decided_by_policy(void)
{
    static const struct {
        const char *name;
        enum rollout_thin_policy policy;
        int n;
        int canary_every; /* one failure in so many */
        bool needs_approval;
        bool is_restored;
        enum rollout_state want;
        enum rollout_reason reason;
    } rows[] = {
        { "nothing came", THIN_PAUSE, 0, 0, false, false, ROLLOUT_PAUSED, ROLLOUT_FOR_NO_DATA },
        { "too little came", THIN_PAUSE, 20, 0, false, false, ROLLOUT_PAUSED, ROLLOUT_FOR_NO_DATA },
        { "ship nothing", THIN_SHIP, 0, 0, false, false, ROLLOUT_RUNNING, ROLLOUT_FOR_THIN_DATA },
        { "ship little", THIN_SHIP, 20, 0, false, false, ROLLOUT_RUNNING, ROLLOUT_FOR_THIN_DATA },
        { "ship with approval", THIN_SHIP, 20, 0, true, false, ROLLOUT_PAUSED,
          ROLLOUT_FOR_APPROVAL },
        { "ship after a restart", THIN_SHIP, 20, 0, false, true, ROLLOUT_PAUSED,
          ROLLOUT_FOR_NO_DATA },
        { "go back on little", THIN_ROLL_BACK, 20, 0, false, false, ROLLOUT_ABORTED,
          ROLLOUT_FOR_THIN_DATA },
        { "enough, but undecided", THIN_SHIP, 300, 25, false, false, ROLLOUT_PAUSED,
          ROLLOUT_FOR_INCONCLUSIVE },
        { "enough, undecided, other policy", THIN_ROLL_BACK, 300, 25, false, false, ROLLOUT_PAUSED,
          ROLLOUT_FOR_INCONCLUSIVE },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct rollout_spec spec;
        struct rig rig;
        rig_spec(&spec);
        spec.thin_data = rows[i].policy;
        spec.steps[0].needs_approval = rows[i].needs_approval;
        spec.stale_after_us = 100 * HOUR;
        rig_open(&rig, &spec);
        bring(&rig, ROLLOUT_RUNNING);
        rig.rollout.is_restored = rows[i].is_restored;
        rig_feed(&rig, &(struct rig_feed){ rows[i].n, rows[i].canary_every, 0 });
        rig_tick(&rig);
        CHECK(!rig_pass(&rig, 48 * HOUR - 1));
        CHECK(rig_pass(&rig, 1));
        if (rig.rollout.place.state != rows[i].want || rig.rollout.reason != rows[i].reason)
            fprintf(stderr, "row '%s'\n", rows[i].name);
        CHECK_INT(rig.rollout.place.state, rows[i].want);
        CHECK_INT(rig.rollout.reason, rows[i].reason);
        rig_close(&rig);
    }
}

/* ---- the order of a tick ---- */

static const struct outcome broken = {
    .is_success = false, .is_error = true, .hrm_confidence = -1, .trm_confidence = -1, .cost = 1
};

/* Facts that a tick may meet, each of which alone has a result; together the first of the order wins. */
enum {
    FACT_OUTRUN = 1,
    FACT_CONFIG = 2,
    FACT_ABORT = 4,
    FACT_GUARD = 8,
    FACT_RATIO = 16,
    FACT_STALE = 32,
    FACT_TIME = 64,
    FACT_THIN = 128,
    FACT_UNSHOWN = 256,
    FACT_APPROVAL = 512,
    FACT_COUNT = 10
};

static void establish(struct rig *rig, unsigned facts)
{
    struct rollout *r = &rig->rollout;

    rig->spec.steps[0].needs_approval = (facts & FACT_APPROVAL) != 0;
    bring(rig, ROLLOUT_RUNNING);
    rig_tick(rig);
    rig_feed(rig,
             &(struct rig_feed){ facts & FACT_THIN ? 150 : 500, facts & FACT_UNSHOWN ? 24 : 0, 0 });
    if (facts & FACT_GUARD) {
        for (int i = 0; i < 200; i++)
            rig_see(rig, ARM_CANARY, &broken);
        for (int i = 0; i < 50; i++) {
            rig_see(rig, ARM_CANARY, &broken);
            rig_see(rig, ARM_CONTROL, &rig_good);
        }
        r->exposures[ARM_CANARY] = r->exposures[ARM_CONTROL];
        r->exposures[ARM_BASELINE] = 8 * r->exposures[ARM_CONTROL];
    }
    if (facts & FACT_RATIO)
        r->exposures[ARM_BASELINE] *= 2;
    r->watched_us = facts & FACT_TIME ? HOUR - 1 : HOUR;
    if (facts & FACT_STALE)
        r->last_outcome[SIDE_CONTROL] = rig->now - r->spec->stale_after_us - 1;
    if (facts & FACT_CONFIG)
        rig->config_hash++;
}

static void what_must_stop_comes_before_what_would_go_on(void)
{
    static const struct {
        enum rollout_hold hold;
        enum rollout_state state;
        enum rollout_reason reason;
    } want[FACT_COUNT + 1] = {
        { HOLD_OUTRUN, ROLLOUT_RUNNING, ROLLOUT_FOR_STARTED },
        { HOLD_NONE, ROLLOUT_PAUSED, ROLLOUT_FOR_CONFIG_CHANGED },
        { HOLD_NONE, ROLLOUT_ABORTED, ROLLOUT_FOR_MANUAL },
        { HOLD_NONE, ROLLOUT_ABORTED, ROLLOUT_FOR_GUARD },
        { HOLD_NONE, ROLLOUT_PAUSED, ROLLOUT_FOR_SAMPLE_RATIO },
        { HOLD_STALE_DATA, ROLLOUT_RUNNING, ROLLOUT_FOR_STARTED },
        { HOLD_TIME, ROLLOUT_RUNNING, ROLLOUT_FOR_STARTED },
        { HOLD_SAMPLES, ROLLOUT_RUNNING, ROLLOUT_FOR_STARTED },
        { HOLD_EVIDENCE, ROLLOUT_RUNNING, ROLLOUT_FOR_STARTED },
        { HOLD_NONE, ROLLOUT_PAUSED, ROLLOUT_FOR_APPROVAL },
        { HOLD_NONE, ROLLOUT_RUNNING, ROLLOUT_FOR_SHOWN },
    };

    for (unsigned facts = 0; facts < 1u << FACT_COUNT; facts++) {
        struct rollout_request abort;
        struct rig rig;
        size_t first = 0;
        rig_open(&rig, NULL);
        establish(&rig, facts);
        abort = rig_request(&rig, ROLLOUT_ABORT);
        struct rollout_inputs in = { .config_hash = rig.config_hash,
                                     .generation =
                                         rig.rollout.generation + ((facts & FACT_OUTRUN) != 0),
                                     .abort = facts & FACT_ABORT ? &abort : NULL };
        rollout_tick(&rig.rollout, rig.now, &in, &rig.last);
        if (rig.last.has_row)
            rig_commit(&rig, &rig.last.row);
        while (first < FACT_COUNT && (facts >> first & 1) == 0)
            first++;
        if (rig.last.hold != want[first].hold || rig.rollout.place.state != want[first].state)
            fprintf(stderr, "facts %x: %s, %s\n", facts, rollout_hold_name(rig.last.hold),
                    rollout_state_name(rig.rollout.place.state));
        CHECK_INT(rig.last.hold, want[first].hold);
        CHECK_INT(rig.rollout.place.state, want[first].state);
        CHECK_INT(rig.rollout.reason, want[first].reason);
        CHECK_INT(rig.rollout.place.step, first == FACT_COUNT);
        rig_close(&rig);
    }
}

/* A pause stops what would go on; what must stop still stops. */
static void a_pause_does_not_blind(void)
{
    struct rollout_request abort;
    struct rig rig;

    rig_open(&rig, NULL);
    bring(&rig, ROLLOUT_PAUSED);
    rig_feed(&rig, &(struct rig_feed){ 500, 0, 0 });
    rig_pass(&rig, 3 * HOUR);
    CHECK_INT(rig.rollout.place.state, ROLLOUT_PAUSED);
    rig.config_hash++;
    rig_tick(&rig);
    CHECK_INT(rig.rollout.reason, ROLLOUT_FOR_CONFIG_CHANGED);
    CHECK_INT(rig_tick(&rig), HOLD_PAUSED); /* said once */
    abort = rig_request(&rig, ROLLOUT_ABORT);
    struct rollout_inputs in = { rig.config_hash, rig.rollout.generation, &abort };
    rollout_tick(&rig.rollout, rig.now, &in, &rig.last);
    CHECK_INT(rig.last.row.to.state, ROLLOUT_ABORTED);
    CHECK_INT(rig_operate(&rig, ROLLOUT_RESUME), ROLLOUT_ACCEPTED);
    CHECK(rig.rollout.config_hash == rig.config_hash); /* adopted, with fresh sums */
    CHECK_INT(rig.rollout.sums.arms[SIDE_CANARY].outcomes, 0);
    rig_operate(&rig, ROLLOUT_PAUSE);
    for (int i = 0; i < 20; i++) {
        rig_see(&rig, ARM_CONTROL, &rig_good);
        rig_see(&rig, ARM_CANARY, &broken);
    }
    rig_tick(&rig);
    CHECK_INT(rig.rollout.place.state, ROLLOUT_ABORTED);
    CHECK_INT(rig.rollout.reason, ROLLOUT_FOR_GUARD);
    rig_close(&rig);
}

static void nobody_is_promoted_over_a_tripped_guard(void)
{
    struct rig rig;

    rig_open(&rig, NULL);
    bring(&rig, ROLLOUT_RUNNING);
    for (int i = 0; i < 20; i++)
        rig_see(&rig, ARM_CANARY, &broken);
    CHECK_INT(rig_operate(&rig, ROLLOUT_PROMOTE), ROLLOUT_GUARD_TRIPPED);
    CHECK_INT(rig_operate(&rig, ROLLOUT_PROMOTE_FULL), ROLLOUT_GUARD_TRIPPED);
    CHECK_INT(rig_operate(&rig, ROLLOUT_PAUSE), ROLLOUT_ACCEPTED);
    CHECK_INT(rig_operate(&rig, ROLLOUT_PROMOTE), ROLLOUT_GUARD_TRIPPED);
    CHECK_INT(rig.rollout.place.step, 0);
    rig_close(&rig);
}

/* ---- whose fault it is ---- */

static void a_broken_canary_is_rolled_back_at_once(void)
{
    struct rig rig;
    int n = 0;

    rig_open(&rig, NULL);
    bring(&rig, ROLLOUT_RUNNING);
    while (rig.rollout.place.state == ROLLOUT_RUNNING && n < 100) {
        rig_see(&rig, ARM_CONTROL, &rig_good);
        rig_see(&rig, ARM_CANARY, &broken);
        rig.now += SECOND;
        rig_tick(&rig);
        n++;
    }
    CHECK_INT(rig.rollout.place.state, ROLLOUT_ABORTED);
    CHECK_INT(rig.rollout.reason, ROLLOUT_FOR_GUARD);
    CHECK_INT(rig.last.row.guards, 1u << CHANGE_SUCCESS_RATE | 1u << CHANGE_ERROR_RATE);
    CHECK(n <= 8);
    CHECK_INT(rig.last.row.evidence[0].verdict, GUARD_TRIPPED);
    rig_close(&rig);
}

static void when_all_fails_it_pauses(void)
{
    struct rig rig;

    for (int healthy = 0; healthy <= 2000; healthy += 500) { /* before the outage */
        rig_open(&rig, NULL);
        bring(&rig, ROLLOUT_RUNNING);
        rig_feed(&rig, &(struct rig_feed){ healthy, 0, 0 });
        for (int i = 0; i < 1000 && rig.rollout.place.state == ROLLOUT_RUNNING; i++) {
            rig_see(&rig, i % 3 == 0 ? ARM_CONTROL : ARM_CANARY,
                    &broken); /* the control's come more slowly */
            rig.now += SECOND;
            rig_tick(&rig);
        }
        CHECK_INT(rig.rollout.place.state, ROLLOUT_PAUSED);
        CHECK_INT(rig.rollout.reason, ROLLOUT_FOR_COMMON_CAUSE);
        CHECK(!rig_pass(&rig, 2 * HOUR)); /* nor later */
        CHECK_INT(rig_operate(&rig, ROLLOUT_PROMOTE), ROLLOUT_GUARD_TRIPPED);
        CHECK_INT(rig_operate(&rig, ROLLOUT_RESUME), ROLLOUT_ACCEPTED);
        CHECK_INT(rig.rollout.sums.arms[SIDE_CANARY].outcomes,
                  0); /* what failed everywhere is forgotten */
        CHECK_INT(rig_tick(&rig), HOLD_NO_TRAFFIC);
        rig_close(&rig);
    }
}

static void policy_or_a_missing_control_decides_at_once(void)
{
    for (int row = 0; row < 2; row++) {
        struct rollout_spec spec;
        struct rig rig;
        int n = 0;
        rig_spec(&spec);
        if (row == 0)
            spec.common_cause = COMMON_ROLL_BACK;
        else
            spec.holdback = 0;
        rig_open(&rig, &spec);
        bring(&rig, row == 0 ? ROLLOUT_RUNNING : ROLLOUT_BAKING);
        while (rig.rollout.place.state != ROLLOUT_ABORTED && n < 100) {
            rig_see(&rig, ARM_CANARY, &broken);
            if (row == 0)
                rig_see(&rig, ARM_CONTROL, &broken);
            rig_tick(&rig);
            n++;
        }
        CHECK(n <= 5);
        CHECK_INT(rig.rollout.reason, ROLLOUT_FOR_GUARD);
        rig_close(&rig);
    }
}

/* With a silent control a trip waits, holding, and no longer than the specification says. */
static void a_silent_control_delays_a_rollback_but_does_not_prevent_it(void)
{
    struct rig rig;

    rig_open(&rig, NULL);
    bring(&rig, ROLLOUT_RUNNING);
    for (int i = 0; i < 10; i++)
        rig_see(&rig, ARM_CANARY, &broken);
    CHECK_INT(rig_tick(&rig), HOLD_JUDGING);
    CHECK(rig.last.tripped != 0);
    rig_pass(&rig, 15 * MINUTE - 1);
    CHECK_INT(rig.last.hold, HOLD_JUDGING);
    rig_pass(&rig, 1);
    CHECK_INT(rig.rollout.place.state, ROLLOUT_ABORTED);
    rig_close(&rig);
}

/* ---- judge, by itself ---- */

static void the_judge_weighs_what_came_since(void)
{
    static const struct {
        const char *name;
        int control_fine_before,
            control_bad_before; /* the canary had as many, fine ones, and tripped by eight bad ones */
        int canary_bad, canary_fine, control_bad, control_fine; /* since */
        bool is_late;
        enum judge_verdict want;
    } rows[] = {
        { "nothing yet", 1000, 20, 0, 0, 0, 0, false, JUDGE_OPEN },
        { "the canary fails, the control does not", 1000, 20, 12, 0, 0, 4, false, JUDGE_GUILTY },
        { "one of the control's is not enough", 1000, 20, 12, 0, 0, 1, false, JUDGE_OPEN },
        { "both fail", 1000, 20, 12, 0, 4, 0, false, JUDGE_COMMON },
        { "both fail half of the time", 1000, 20, 10, 10, 10, 10, false, JUDGE_COMMON },
        { "the canary is well again", 1000, 20, 0, 40, 0, 40, false, JUDGE_OPEN },
        { "time is up, the canary is well again", 1000, 20, 0, 40, 0, 40, true, JUDGE_GUILTY },
        { "enough was seen, and it does not tell", 1000, 20, 10, 246, 5, 251, false, JUDGE_GUILTY },
        { "nearly enough was seen, and it does not tell", 1000, 20, 10, 246, 5, 250, false,
          JUDGE_OPEN },
        { "the control was beyond its limit before", 200, 30, 4, 4, 0, 4, true, JUDGE_COMMON },
        { "time is up, the control was silent", 1000, 20, 30, 0, 0, 0, true, JUDGE_GUILTY },
        { "time is up, the control's only one failed", 1000, 20, 30, 0, 1, 0, true, JUDGE_COMMON },
        { "time is up, the control's only one did not", 1000, 20, 30, 0, 0, 1, true, JUDGE_GUILTY },
        { "no history, both fail", 0, 0, 4, 0, 4, 0, false, JUDGE_COMMON },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct change_sums sums = { .is_promoted = false };
        struct guard_sums *canary = &sums.arms[SIDE_CANARY].metrics[CHANGE_SUCCESS_RATE];
        struct guard_sums *control = &sums.arms[SIDE_CONTROL].metrics[CHANGE_SUCCESS_RATE];
        struct judge judge = { .verdict = JUDGE_NONE };
        struct guard_evidence e;
        struct rig rig;
        rig_open(&rig, NULL);
        control->n = rows[i].control_fine_before + rows[i].control_bad_before;
        control->over_trip = rows[i].control_bad_before;
        canary->n = control->n + 8;
        canary->over_trip = 8;
        guard_judge(&rig.rollout.plan, &sums, 0, &e);
        judge_open(&judge, &sums, &e, 1000);
        canary->n += rows[i].canary_bad + rows[i].canary_fine;
        canary->over_trip += rows[i].canary_bad;
        control->n += rows[i].control_bad + rows[i].control_fine;
        control->over_trip += rows[i].control_bad;
        guard_judge(&rig.rollout.plan, &sums, 0, &e);
        judge_read(&judge, &rig.rollout.plan, &sums, &e, rows[i].is_late ? 2000 : 1999, 1000);
        if (judge.verdict != rows[i].want)
            fprintf(stderr, "row '%s': %s\n", rows[i].name, judge_verdict_name(judge.verdict));
        CHECK_INT(judge.verdict, rows[i].want);
        rig_close(&rig);
    }
}

static void blocks_convict_even_later(void)
{
    struct change_sums sums = { .is_promoted = false };
    struct judge judge = { .verdict = JUDGE_COMMON };
    struct guard_evidence e;
    struct rig rig;

    rig_open(&rig, NULL);
    guard_judge(&rig.rollout.plan, &sums, 0, &e);
    judge_read(&judge, &rig.rollout.plan, &sums, &e, 10 * HOUR, 1000);
    CHECK_INT(judge.verdict, JUDGE_COMMON); /* time alone changes nothing */
    sums.blocks[CHANGE_SUCCESS_RATE].counts[1][0] = 9;
    guard_judge(&rig.rollout.plan, &sums, 0, &e);
    judge_read(&judge, &rig.rollout.plan, &sums, &e, 10 * HOUR, 1000);
    CHECK_INT(judge.verdict, JUDGE_GUILTY);
    rig_close(&rig);
}

TESTS(TEST(what_is_wrong_with_a_specification_is_named), TEST(every_value_is_in_the_fingerprint),
      TEST(shares_grow_and_move_nobody_out), TEST(boundaries_are_exact),
      TEST(nobody_is_in_the_canary_but_while_it_is_live),
      TEST(operations_are_allowed_where_they_make_sense), TEST(stale_generations_are_refused),
      TEST(rows_apply_once_and_in_order), TEST(a_rollback_names_its_revision_and_sticks),
      TEST(sums_begin_anew_with_each_phase), TEST(detectors_run_once_promoted), TEST(shards_add_up),
      TEST(the_baseline_is_not_measured), TEST(only_watched_time_counts),
      TEST(a_clock_that_goes_back_does_not_freshen_data), TEST(a_step_holds_until_all_is_shown),
      TEST(dry_runs_are_recorded_and_never_act), TEST(a_holdback_needs_its_share_of_outcomes),
      TEST(approval_comes_last), TEST(the_end_of_a_step_is_decided_by_policy),
      TEST(what_must_stop_comes_before_what_would_go_on), TEST(a_pause_does_not_blind),
      TEST(nobody_is_promoted_over_a_tripped_guard), TEST(a_broken_canary_is_rolled_back_at_once),
      TEST(when_all_fails_it_pauses), TEST(policy_or_a_missing_control_decides_at_once),
      TEST(a_silent_control_delays_a_rollback_but_does_not_prevent_it),
      TEST(the_judge_weighs_what_came_since), TEST(blocks_convict_even_later))
