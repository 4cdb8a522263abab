/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of whose fault a trip is: in a rollout that ticks, and the judge by itself. */
#include "core/change/rollout_rig_test.h"

/* ---- whose fault it is ---- */

static void a_broken_canary_is_rolled_back_at_once(void)
{
    struct rig rig;
    int n = 0;

    rig_open(&rig, NULL);
    rig_bring(&rig, ROLLOUT_RUNNING);
    while (rig.rollout.place.state == ROLLOUT_RUNNING && n < 100) {
        rig_see(&rig, ARM_CONTROL, &rig_good);
        rig_see(&rig, ARM_CANARY, &rig_broken);
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
        rig_bring(&rig, ROLLOUT_RUNNING);
        rig_feed(&rig, &(struct rig_feed){ healthy, 0, 0 });
        for (int i = 0; i < 1000 && rig.rollout.place.state == ROLLOUT_RUNNING; i++) {
            rig_see(&rig, i % 3 == 0 ? ARM_CONTROL : ARM_CANARY,
                    &rig_broken); /* the control's come more slowly */
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
        rig_bring(&rig, row == 0 ? ROLLOUT_RUNNING : ROLLOUT_BAKING);
        while (rig.rollout.place.state != ROLLOUT_ABORTED && n < 100) {
            rig_see(&rig, ARM_CANARY, &rig_broken);
            if (row == 0)
                rig_see(&rig, ARM_CONTROL, &rig_broken);
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
    rig_bring(&rig, ROLLOUT_RUNNING);
    for (int i = 0; i < 10; i++)
        rig_see(&rig, ARM_CANARY, &rig_broken);
    CHECK_INT(rig_tick(&rig), HOLD_JUDGING);
    CHECK(rig.last.tripped != 0);
    rig_pass(&rig, 15 * MINUTE - 1);
    CHECK_INT(rig.last.hold, HOLD_JUDGING);
    rig_pass(&rig, 1);
    CHECK_INT(rig.rollout.place.state, ROLLOUT_ABORTED);
    rig_close(&rig);
}

static void a_clock_that_goes_back_does_not_delay_a_verdict(void)
{
    struct rig rig;

    rig_open(&rig, NULL);
    rig_bring(&rig, ROLLOUT_RUNNING);
    for (int i = 0; i < 10; i++)
        rig_see(&rig, ARM_CANARY, &rig_broken);
    CHECK_INT(rig_tick(&rig), HOLD_JUDGING);
    rig.now -= 24 * HOUR;
    CHECK_INT(rig_tick(&rig), HOLD_JUDGING);
    rig_pass(&rig, 15 * MINUTE);
    CHECK_INT(rig.rollout.place.state, ROLLOUT_ABORTED);
    rig_close(&rig);
}

/* Worse than the control by more than the margin, though well within the limit: measured against the control, so nobody asks
 * whose fault it is. */
static void a_compared_guard_rolls_back_by_itself(void)
{
    struct rollout_spec spec;
    struct rig rig;

    rig_spec(&spec);
    spec.guards[CHANGE_SUCCESS_RATE] = (struct guard_spec){
        .metric = CHANGE_SUCCESS_RATE, .trip = 0.5, .is_compared = true, .margin = 0.02
    };
    rig_open(&rig, &spec);
    rig_bring(&rig, ROLLOUT_RUNNING);
    rig_feed(&rig, &(struct rig_feed){ 150, 50, 50 });
    CHECK_INT(rig_tick(&rig), HOLD_TIME);
    rig.rollout.watched_us = HOUR;
    rig_feed(&rig, &(struct rig_feed){ 300, 0, 0 });
    CHECK_INT(rig_tick(&rig), HOLD_EVIDENCE); /* too few to be sure that it is not inferior */
    rig_feed(&rig, &(struct rig_feed){ 1000, 4, 50 });
    CHECK_INT(rig_tick(&rig), HOLD_NONE);
    CHECK_INT(rig.rollout.place.state, ROLLOUT_ABORTED);
    CHECK_INT(rig.last.row.guards, 1u << CHANGE_SUCCESS_RATE);
    CHECK_INT(rig.last.row.evidence[CHANGE_SUCCESS_RATE].tripped_by, GUARD_BY_CONTROL);
    rig_close(&rig);
}

/* ---- judge, by itself ---- */

/* Blocks of one and one of which the canary's are bad, and of which neither is. */
static void blocks_see(struct change_sums *sums, int64_t bad, int64_t fine)
{
    struct block_counts *c = &sums->blocks[CHANGE_SUCCESS_RATE].sizes[0];

    c->canary[1] += bad;
    c->canary[0] += fine;
    c->control[0] += bad + fine;
}

static const struct {
    const char *name;
    int control_fine_before,
        control_bad_before; /* the canary had as many, fine ones, and tripped by eight bad ones */
    int canary_bad, canary_fine, control_bad, control_fine; /* since */
    int blocks_bad_before, blocks_fine_before, blocks_bad; /* the last since */
    bool is_late;
    enum judge_verdict want;
} weighings[] = {
    { "nothing yet", 1000, 20, 0, 0, 0, 0, 0, 0, 0, false, JUDGE_OPEN },
    { "the canary fails beside the control", 1000, 20, 8, 0, 0, 8, 0, 0, 8, false, JUDGE_GUILTY },
    { "not often enough", 1000, 20, 6, 0, 0, 6, 0, 0, 6, false, JUDGE_OPEN },
    { "what was before the trip counts", 1000, 20, 4, 0, 0, 4, 5, 0, 4, false, JUDGE_GUILTY },
    { "what went well before does not", 3000, 60, 8, 0, 0, 8, 0, 3000, 8, false, JUDGE_GUILTY },
    { "both fail", 1000, 20, 12, 0, 4, 0, 0, 0, 0, false, JUDGE_COMMON },
    { "both fail half of the time", 1000, 20, 10, 10, 10, 10, 0, 0, 5, false, JUDGE_COMMON },
    { "the canary is well again", 1000, 20, 0, 40, 0, 40, 0, 0, 0, false, JUDGE_OPEN },
    { "time is up, the canary is well again", 1000, 20, 0, 40, 0, 40, 1, 0, 0, true,
      JUDGE_UNCLEAR },
    { "time is up, 100 to 1", 1000, 20, 5, 0, 0, 5, 0, 0, 5, true, JUDGE_GUILTY },
    { "time is up, less than that", 1000, 20, 3, 0, 0, 3, 0, 0, 3, true, JUDGE_UNCLEAR },
    { "enough was seen, and it does not tell", 1000, 20, 40, 984, 20, 1004, 0, 0, 0, false,
      JUDGE_UNCLEAR },
    { "nearly enough was seen, and it does not tell", 1000, 20, 40, 984, 20, 1003, 0, 0, 0, false,
      JUDGE_OPEN },
    { "the control was beyond its limit before", 200, 30, 4, 4, 0, 4, 0, 0, 4, true, JUDGE_COMMON },
    { "the control has tripped, though fine since", 0, 5, 12, 0, 0, 2, 0, 0, 2, false,
      JUDGE_COMMON },
    { "nearly so, which still speaks for it", 251, 33, 13, 18, 1, 27, 0, 0, 0, false, JUDGE_OPEN },
    { "common weighs more than the blocks", 251, 33, 13, 80, 4, 27, 0, 0, 7, false, JUDGE_COMMON },
    { "the canary is better than the control was", 970, 30, 0, 200, 0, 64, 0, 0, 0, true,
      JUDGE_UNCLEAR },
    { "time is up, the control was silent", 1000, 20, 30, 0, 0, 0, 0, 0, 0, true, JUDGE_GUILTY },
    { "time is up, the control's only one failed", 1000, 20, 30, 0, 1, 0, 0, 0, 0, true,
      JUDGE_COMMON },
    { "time is up, the control's only one did not", 1000, 20, 30, 0, 0, 1, 0, 0, 1, true,
      JUDGE_UNCLEAR },
    { "no history, both fail", 0, 0, 4, 0, 4, 0, 0, 0, 0, false, JUDGE_COMMON },
    { "no history, the control is fine", 0, 0, 12, 0, 0, 8, 0, 0, 8, false, JUDGE_GUILTY },
};

static void the_judge_weighs_what_came_since(void)
{
    for (size_t i = 0; i < ARRAY_LEN(weighings); i++) {
        struct change_sums sums = { .is_promoted = false };
        struct guard_sums *canary = &sums.arms[SIDE_CANARY].metrics[CHANGE_SUCCESS_RATE];
        struct guard_sums *control = &sums.arms[SIDE_CONTROL].metrics[CHANGE_SUCCESS_RATE];
        struct judge judge = { .verdict = JUDGE_NONE };
        struct guard_evidence e;
        struct rig rig;
        rig_open(&rig, NULL);
        control->n = weighings[i].control_fine_before + weighings[i].control_bad_before;
        control->over_trip = weighings[i].control_bad_before;
        canary->n = control->n + 8;
        canary->over_trip = 8;
        blocks_see(&sums, weighings[i].blocks_bad_before, weighings[i].blocks_fine_before);
        judge_open(&judge, &sums, CHANGE_SUCCESS_RATE, 1000);
        canary->n += weighings[i].canary_bad + weighings[i].canary_fine;
        canary->over_trip += weighings[i].canary_bad;
        control->n += weighings[i].control_bad + weighings[i].control_fine;
        control->over_trip += weighings[i].control_bad;
        blocks_see(&sums, weighings[i].blocks_bad, 0);
        guard_judge(&rig.rollout.plan, &sums, 0, &e);
        judge_read(&judge, &rig.rollout.plan, &sums, &e, weighings[i].is_late ? 2000 : 1999, 1000);
        if (judge.verdict != weighings[i].want)
            fprintf(stderr, "row '%s': %s\n", weighings[i].name, judge_verdict_name(judge.verdict));
        CHECK_INT(judge.verdict, weighings[i].want);
        rig_close(&rig);
    }
}

/* The canary's failures are over before the control can say anything: it pauses and pages, and what is seen meanwhile decides. */
static void what_stays_unclear_pauses_and_is_judged_on(void)
{
    static const struct {
        const char *name;
        const struct outcome *canary, *control;
        enum rollout_state want;
        enum rollout_reason reason;
    } rows[] = {
        { "both are fine", &rig_good, &rig_good, ROLLOUT_PAUSED, ROLLOUT_FOR_INCONCLUSIVE },
        { "the canary fails again", &rig_broken, &rig_good, ROLLOUT_ABORTED, ROLLOUT_FOR_GUARD },
        { "now both fail", &rig_broken, &rig_broken, ROLLOUT_PAUSED, ROLLOUT_FOR_COMMON_CAUSE },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct rig rig;
        rig_open(&rig, NULL);
        rig_bring(&rig, ROLLOUT_RUNNING);
        rig_feed(&rig, &(struct rig_feed){ 100, 0, 0 });
        for (int k = 0; k < 12; k++)
            rig_see(&rig, ARM_CANARY, &rig_broken);
        CHECK_INT(rig_tick(&rig), HOLD_JUDGING);
        rig_feed(&rig, &(struct rig_feed){ 20, 0, 0 });
        rig_pass(&rig, 15 * MINUTE);
        CHECK_INT(rig.rollout.place.state, ROLLOUT_PAUSED);
        CHECK_INT(rig.rollout.reason, ROLLOUT_FOR_INCONCLUSIVE);
        CHECK(rig.last.row.guards & 1u << CHANGE_SUCCESS_RATE);
        CHECK_INT(rig_operate(&rig, ROLLOUT_PROMOTE), ROLLOUT_GUARD_TRIPPED);
        for (int k = 0; k < 60 && rig.rollout.place.state == ROLLOUT_PAUSED; k++) {
            rig_see(&rig, ARM_CONTROL, rows[i].control);
            rig_see(&rig, ARM_CANARY, rows[i].canary);
            rig_tick(&rig);
        }
        if (rig.rollout.reason != rows[i].reason)
            fprintf(stderr, "row '%s'\n", rows[i].name);
        CHECK_INT(rig.rollout.place.state, rows[i].want);
        CHECK_INT(rig.rollout.reason, rows[i].reason);
        if (rows[i].want == ROLLOUT_PAUSED) {
            CHECK_INT(rig_operate(&rig, ROLLOUT_RESUME), ROLLOUT_ACCEPTED);
            CHECK_INT(rig.rollout.sums.arms[SIDE_CANARY].outcomes, 0); /* afresh */
            CHECK_INT(rig.rollout.judges[CHANGE_SUCCESS_RATE].verdict, JUDGE_NONE);
        }
        rig_close(&rig);
    }
}

/* A trip is not undone by better luck afterwards: the wealth sinks again, the verdict is still due. */
static void a_trip_stays_one(void)
{
    struct guard_evidence e[CHANGE_METRIC_COUNT];
    struct rig rig;

    rig_open(&rig, NULL);
    rig_bring(&rig, ROLLOUT_RUNNING);
    for (int i = 0; i < 5; i++)
        rig_see(&rig, ARM_CANARY, &rig_broken);
    CHECK_INT(rig_tick(&rig), HOLD_JUDGING);
    for (int i = 0; i < 200; i++)
        rig_see(&rig, ARM_CANARY, &rig_good);
    rollout_evidence(&rig.rollout, e);
    CHECK_INT(e[CHANGE_SUCCESS_RATE].tripped_by, 0);
    CHECK_INT(rig_tick(&rig), HOLD_JUDGING);
    CHECK_INT(rig_operate(&rig, ROLLOUT_PROMOTE), ROLLOUT_GUARD_TRIPPED);
    rig_pass(&rig, 15 * MINUTE);
    CHECK_INT(rig.rollout.place.state, ROLLOUT_ABORTED);
    rig_close(&rig);
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
    blocks_see(&sums, 9, 0);
    guard_judge(&rig.rollout.plan, &sums, 0, &e);
    judge_read(&judge, &rig.rollout.plan, &sums, &e, 10 * HOUR, 1000);
    CHECK_INT(judge.verdict, JUDGE_GUILTY);
    rig_close(&rig);
}

TESTS(TEST(a_broken_canary_is_rolled_back_at_once), TEST(when_all_fails_it_pauses),
      TEST(policy_or_a_missing_control_decides_at_once),
      TEST(a_silent_control_delays_a_rollback_but_does_not_prevent_it),
      TEST(a_clock_that_goes_back_does_not_delay_a_verdict),
      TEST(a_compared_guard_rolls_back_by_itself), TEST(the_judge_weighs_what_came_since),
      TEST(what_stays_unclear_pauses_and_is_judged_on), TEST(a_trip_stays_one),
      TEST(blocks_convict_even_later))
