/* SPDX-License-Identifier: Apache-2.0 */
/* What facts mean to an experiment, without a store: a controller that has nothing but two of them. */
#include "app/control/control_internal.h"

#include "test/check.h"

struct rig {
    struct controller c;
    struct live_experiment first, second;
    struct experiment_epoch epochs[2]; /* one each */
};

static void rig_open(struct rig *rig)
{
    *rig = (struct rig){ .first = { .number = 3 }, .second = { .number = 7 } };
    rig->first.epochs = &rig->epochs[0];
    rig->second.epochs = &rig->epochs[1];
    rig->first.epoch_count = rig->second.epoch_count = 1;
    rig->c.experiments[0] = &rig->first;
    rig->c.experiments[1] = &rig->second;
    rig->c.experiment_count = 2;
}

static void rig_close(struct rig *rig)
{
    units_fini(&rig->first.units);
    units_fini(&rig->second.units);
}

static struct feed_fact a_fact(unsigned flags)
{
    return (struct feed_fact){ .assignment = { .experiment = 7, .experiment_arm = 1 },
                               .cost = 2000000,
                               .latency = 1500 * NSEC_PER_MS,
                               .hrm_confidence = 0.5f,
                               .trm_confidence = -1,
                               .confidence = -1,
                               .verdict = -1,
                               .flags = (uint8_t)flags };
}

static void a_unit_is_exposed_once(void)
{
    struct rig rig;

    rig_open(&rig);
    struct feed_fact f = a_fact(FEED_EXPOSURE | FEED_IS_REPEATED);
    for (int again = 0; again < 4; again++) {
        for (f.unit = 1; f.unit <= 3; f.unit++)
            experiment_fact(&rig.c, &f);
    }
    CHECK_INT(rig.epochs[1].arms[1].exposures, 3);
    f.flags = FEED_EXPOSURE; /* a query without a conversation is a unit of its own */
    experiment_fact(&rig.c, &f);
    experiment_fact(&rig.c, &f);
    CHECK_INT(rig.epochs[1].arms[1].exposures, 5);
    CHECK_INT(rig.epochs[1].arms[0].exposures + rig.epochs[1].arms[1].outcomes, 0);
    CHECK_INT(rig.epochs[0].arms[1].exposures, 0);
    /* Each experiment has its own units. */
    f = a_fact(FEED_EXPOSURE | FEED_IS_REPEATED);
    f.unit = 1;
    f.assignment.experiment = 3;
    experiment_fact(&rig.c, &f);
    CHECK_INT(rig.epochs[0].arms[1].exposures, 1);
    rig_close(&rig);
}

static void facts_are_outcomes_of_their_arm(void)
{
    struct rig rig;

    rig_open(&rig);
    struct feed_fact f = a_fact(FEED_ANSWERED);
    const struct arm_counts *arm = &rig.epochs[1].arms[1];
    experiment_fact(&rig.c, &f); /* nobody says that it is wrong */
    f.verdict = 1;
    experiment_fact(&rig.c, &f);
    f.verdict = 0;
    experiment_fact(&rig.c, &f); /* answered, and wrong */
    f = a_fact(FEED_FAILED);
    f.cost = COST_UNPRICED;
    f.hrm_confidence = -1;
    experiment_fact(&rig.c, &f);
    f.flags = FEED_GONE; /* says nothing */
    experiment_fact(&rig.c, &f);
    CHECK_INT(arm->outcomes, 4);
    CHECK_INT(arm->errors, 1);
    CHECK(arm->measures[EXPERIMENT_SUCCESS_RATE].n == 4 &&
          arm->measures[EXPERIMENT_SUCCESS_RATE].sum == 2);
    CHECK(arm->measures[EXPERIMENT_COST_USD].n == 3 &&
          arm->measures[EXPERIMENT_LATENCY_MS].n == 4 &&
          arm->measures[EXPERIMENT_HRM_CONFIDENCE].n == 3 &&
          arm->measures[EXPERIMENT_TRM_CONFIDENCE].n == 0);
    CHECK_NEAR(arm->measures[EXPERIMENT_COST_USD].sum, 0.006, 1e-12);
    CHECK_NEAR(arm->measures[EXPERIMENT_LATENCY_MS].sum, 6000, 1e-9);
    CHECK_INT(arm->exposures, 0);
    f.assignment.experiment = 8; /* of one that is gone */
    f.flags = FEED_ANSWERED;
    rig.c.experiments_changed = false;
    experiment_fact(&rig.c, &f);
    CHECK(arm->outcomes == 4 && !rig.c.experiments_changed);
    rig_close(&rig);
}

TESTS(TEST(a_unit_is_exposed_once), TEST(facts_are_outcomes_of_their_arm))
