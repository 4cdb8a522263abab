/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of a rollout's tick: which time counts, what holds a step and what ends it, and the order of the checks. */
#include "core/change/rollout_rig_test.h"

/* ---- the clock ---- */

static void only_watched_time_counts(void)
{
    struct rig rig;

    rig_open(&rig, NULL);
    rig_bring(&rig, ROLLOUT_RUNNING);
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
    rig_bring(&rig, ROLLOUT_RUNNING);
    rig_feed(&rig, &(struct rig_feed){ 10, 0, 0 });
    rig_tick(&rig);
    rig.now -= HOUR;
    CHECK_INT(rig_tick(&rig), HOLD_TIME);
    rig_pass(&rig, 10 * MINUTE);
    CHECK_INT(rig.last.hold, HOLD_TIME);
    rig_pass(&rig, 1);
    CHECK_INT(rig.last.hold, HOLD_STALE_DATA);
    rig_close(&rig);
}

/* ---- what holds a step ---- */

static void a_step_holds_until_all_is_shown(void)
{
    struct rig rig;

    rig_open(&rig, NULL);
    rig_bring(&rig, ROLLOUT_RUNNING);
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
    CHECK_INT(rig.last.row.time, rig.now);
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
    rig_bring(&rig, ROLLOUT_RUNNING);
    slow.latency = 20 * NSEC_PER_SEC;
    for (int i = 0; i < 400; i++) {
        rig_see(&rig, ARM_CANARY, &slow);
        rig_see(&rig, ARM_CONTROL, &rig_good);
        rig.rollout.exposures[ARM_BASELINE] += 8;
    }
    CHECK_INT(rig_tick(&rig), HOLD_TIME);
    CHECK_INT(rig.last.dry_tripped, 1u << CHANGE_LATENCY_P95);
    struct rollout_request promote = rig_request(&rig, ROLLOUT_PROMOTE);
    struct rollout_row row;
    rollout_operate(&rig.rollout, rig.now, &promote, &row);
    CHECK_INT(row.refusal, ROLLOUT_ACCEPTED);
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
    rig_bring(&rig, ROLLOUT_BAKING);
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

/* One unit after another lands in the control, until the split cannot be believed: at odds of 1000 to 1. */
static void a_split_is_believed_up_to_the_alarm(void)
{
    const double weights[] = { 0.1, 0.1, 0.8 };
    struct rig rig;
    int n = 0;

    rig_open(&rig, NULL);
    rig_bring(&rig, ROLLOUT_RUNNING);
    rig_feed(&rig, &(struct rig_feed){ 1000, 0, 0 });
    for (bool is_off = false; !is_off && n < 2000; n++) {
        int64_t *exposures = rig.rollout.exposures;
        const int64_t counts[] = { exposures[ARM_CANARY], exposures[ARM_CONTROL],
                                   exposures[ARM_BASELINE] };
        is_off = stats_srm_log_bayes(weights, counts, 3) >= STATS_SRM_ALARM;
        rig_tick(&rig);
        CHECK(rig.last.has_row == is_off);
        exposures[ARM_CONTROL]++;
    }
    CHECK(n > 50 && n < 2000);
    CHECK_INT(rig.rollout.reason, ROLLOUT_FOR_SAMPLE_RATIO);
    rig_close(&rig);
}

static void approval_comes_last(void)
{
    struct rollout_spec spec;
    struct rig rig;

    rig_spec(&spec);
    spec.steps[0].needs_approval = true;
    rig_open(&rig, &spec);
    rig_bring(&rig, ROLLOUT_RUNNING);
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
        rig_bring(&rig, ROLLOUT_RUNNING);
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
    rig_bring(rig, ROLLOUT_RUNNING);
    rig_tick(rig);
    rig_feed(rig,
             &(struct rig_feed){ facts & FACT_THIN ? 150 : 500, facts & FACT_UNSHOWN ? 24 : 0, 0 });
    if (facts & FACT_GUARD) {
        for (int i = 0; i < 200; i++)
            rig_see(rig, ARM_CANARY, &rig_broken);
        for (int i = 0; i < 50; i++) {
            rig_see(rig, ARM_CANARY, &rig_broken);
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
    rig_bring(&rig, ROLLOUT_PAUSED);
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
        rig_see(&rig, ARM_CANARY, &rig_broken);
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
    rig_bring(&rig, ROLLOUT_RUNNING);
    for (int i = 0; i < 20; i++)
        rig_see(&rig, ARM_CANARY, &rig_broken);
    CHECK_INT(rig_operate(&rig, ROLLOUT_PROMOTE), ROLLOUT_GUARD_TRIPPED);
    CHECK_INT(rig_operate(&rig, ROLLOUT_PROMOTE_FULL), ROLLOUT_GUARD_TRIPPED);
    CHECK_INT(rig_operate(&rig, ROLLOUT_PAUSE), ROLLOUT_ACCEPTED);
    CHECK_INT(rig_operate(&rig, ROLLOUT_PROMOTE), ROLLOUT_GUARD_TRIPPED);
    CHECK_INT(rig.rollout.place.step, 0);
    rig_close(&rig);
}

TESTS(TEST(only_watched_time_counts), TEST(a_clock_that_goes_back_does_not_freshen_data),
      TEST(a_step_holds_until_all_is_shown), TEST(dry_runs_are_recorded_and_never_act),
      TEST(a_holdback_needs_its_share_of_outcomes), TEST(a_split_is_believed_up_to_the_alarm),
      TEST(approval_comes_last), TEST(the_end_of_a_step_is_decided_by_policy),
      TEST(what_must_stop_comes_before_what_would_go_on), TEST(a_pause_does_not_blind),
      TEST(nobody_is_promoted_over_a_tripped_guard))
