/* SPDX-License-Identifier: Apache-2.0 */
/* What facts mean to a rollout, without a store: a controller that has nothing but the rollout. */
#include "app/control/control_internal.h"

#include <stdlib.h>

#include "test/check.h"

static const char file_text[] =
    "name: r\ncanary: none.yaml\nsteps: [{share: 50%, min: 1h}, {share: 100%, min: 1h}]\n";

struct rig {
    struct controller c;
    struct live_rollout *l;
};

static void rig_open(struct rig *rig)
{
    struct config_issues issues;
    struct rollout_file *file = NULL;
    struct rollout_row row;
    const struct rollout_request start = { .operation = ROLLOUT_START,
                                           .actor = STR("ada"),
                                           .generation = ROLLOUT_ANY_GENERATION };

    *rig = (struct rig){ .c.wall = INT64_C(1764000000000000) };
    CHECK_ERR(rollout_file_load_text(STR("r.yaml"), str_from(file_text), false, &file, &issues),
              OK);
    config_issues_fini(&issues);
    CHECK_ERR(live_rollout_open(&rig->c, file, &rig->l), OK);
    assert(rig->l);
    rig->c.rollout = rig->l;
    rollout_operate(&rig->l->machine, rig->c.wall, &start, &row);
    CHECK_ERR(rollout_apply(&rig->l->machine, &row), OK);
}

static struct feed_fact a_fact(const struct rig *rig, unsigned flags)
{
    return (struct feed_fact){
        .assignment = { .rollout_phase = rig->l->machine.phase,
                        .rollout = rig->l->number,
                        .rollout_arm = ARM_CANARY },
        .cost = 2000000,
        .latency = NSEC_PER_SEC,
        .hrm_confidence = 0.5f,
        .trm_confidence = -1,
        .confidence = -1,
        .verdict = -1,
        .flags = (uint8_t)flags,
    };
}

static const struct arm_sums *canary(const struct rig *rig)
{
    return &rig->l->machine.sums.arms[SIDE_CANARY];
}

static void facts_are_outcomes(void)
{
    struct rig rig;

    rig_open(&rig);
    struct feed_fact f = a_fact(&rig, FEED_ANSWERED);
    rollout_fact(&rig.c, &f); /* right */
    f.verdict = 0;
    rollout_fact(&rig.c, &f); /* answered, and wrong */
    f = a_fact(&rig, FEED_FAILED);
    rollout_fact(&rig.c, &f);
    const struct guard_sums *metrics = canary(&rig)->metrics;
    CHECK_INT(canary(&rig)->outcomes, 3);
    CHECK_INT(metrics[CHANGE_SUCCESS_RATE].over_trip, 2);
    CHECK_INT(metrics[CHANGE_ERROR_RATE].over_trip, 1);
    CHECK_INT(metrics[CHANGE_HRM_CONFIDENCE_MEAN].n, 3);
    CHECK_INT(metrics[CHANGE_TRM_CONFIDENCE_MEAN].missing, 3);
    CHECK_INT(metrics[CHANGE_COST_PER_QUERY].n, 3);
    f.cost = COST_UNPRICED;
    rollout_fact(&rig.c, &f);
    CHECK_INT(metrics[CHANGE_COST_PER_QUERY].missing, 1);
    f = a_fact(&rig, FEED_ANSWERED | FEED_CACHED);
    rollout_fact(&rig.c, &f);
    CHECK(canary(&rig)->cached == 1 && canary(&rig)->outcomes == 4);
    CHECK_INT(rig.l->machine.last_outcome[SIDE_CANARY], rig.c.wall);
    rollouts_close(&rig.c);
}

/* Who leaves says nothing, but who was kept waiting beyond the limit says that it takes too long. */
static void a_client_that_left(void)
{
    struct rig rig;

    rig_open(&rig);
    struct feed_fact f = a_fact(&rig, FEED_GONE);
    f.latency = 5 * NSEC_PER_SEC;
    rollout_fact(&rig.c, &f);
    CHECK(rig.l->gone == 1 && canary(&rig)->outcomes == 0);
    f.latency = 5 * NSEC_PER_SEC + 1;
    rollout_fact(&rig.c, &f);
    CHECK(rig.l->gone == 1 && canary(&rig)->outcomes == 1);
    CHECK_INT(canary(&rig)->metrics[CHANGE_ERROR_RATE].over_trip, 1);
    CHECK_INT(canary(&rig)->metrics[CHANGE_LATENCY_P95].over_trip, 1);
    rollouts_close(&rig.c);
}

static void a_unit_is_exposed_once(void)
{
    struct rig rig;

    rig_open(&rig);
    struct feed_fact f = a_fact(&rig, FEED_EXPOSURE | FEED_IS_REPEATED);
    for (uint64_t unit = 1; unit <= 3; unit++) {
        for (int again = 0; again < 4; again++) {
            f.unit = unit;
            rollout_fact(&rig.c, &f);
        }
    }
    CHECK_INT(rig.l->machine.exposures[ARM_CANARY], 3);
    f.flags = FEED_EXPOSURE; /* a query without a conversation is a unit of its own */
    rollout_fact(&rig.c, &f);
    rollout_fact(&rig.c, &f);
    CHECK_INT(rig.l->machine.exposures[ARM_CANARY], 5);
    CHECK_INT(canary(&rig)->outcomes, 0);
    /* In the next phase everybody is new, and who began in the last one is late. */
    f.flags = FEED_EXPOSURE | FEED_IS_REPEATED;
    rig.l->machine.phase++;
    rollout_fact(&rig.c, &f);
    CHECK_INT(rig.l->machine.exposures[ARM_CANARY], 5);
    f.assignment.rollout_phase++;
    rollout_fact(&rig.c, &f);
    rollout_fact(&rig.c, &f);
    CHECK_INT(rig.l->machine.exposures[ARM_CANARY], 6);
    rollouts_close(&rig.c);
}

static void others_do_not_count(void)
{
    struct rig rig;

    rig_open(&rig);
    struct feed_fact f = a_fact(&rig, FEED_ANSWERED);
    f.assignment.rollout++;
    rollout_fact(&rig.c, &f); /* of another rollout */
    CHECK(canary(&rig)->outcomes == 0 && rig.l->machine.late == 0);
    f = a_fact(&rig, FEED_ANSWERED);
    f.assignment.rollout_phase--;
    rollout_fact(&rig.c, &f); /* of another phase */
    CHECK(canary(&rig)->outcomes == 0 && rig.l->machine.late == 1);
    struct rollout_file *file = rig.l->file;
    CHECK_STR(str_from(rig.l->labels[ARM_HOLDBACK]), STR("r/holdback"));
    CHECK(rig.l->canary == NULL && file->canary == NULL);
    rollouts_close(&rig.c);
}

/* Nobody is served by a canary that is not there, is suspended, or is over. */
static void only_a_live_canary_is_published(void)
{
    struct arms_slot slot = { .now = NULL };
    struct arms_reader reader;
    struct rig rig;

    arms_join(&slot, &reader);
    rig_open(&rig);
    rig.c.options.arms = &slot;
    arms_update(&rig.c);
    CHECK(arms_enter(&slot, &reader) == NULL);
    rig.l->canary = (struct engine_profile *)(void *)&rig; /* only its address matters */
    arms_update(&rig.c);
    const struct arms *arms = arms_enter(&slot, &reader);
    REQUIRE(arms);
    CHECK(arms->rollout == rig.l->number && arms->is_measured &&
          arms->snapshot.canary_to == 500000);
    rig.l->is_suspended = true;
    arms_update(&rig.c);
    CHECK(atomic_load(&slot.now) == NULL);
    CHECK(arms->snapshot.canary_to == 500000); /* what was published stays as it was */
    rig.l->is_suspended = false;
    rig.l->machine.place.state = ROLLOUT_ABORTED;
    arms_update(&rig.c);
    CHECK(atomic_load(&slot.now) == NULL);
    rig.l->machine.place = (struct rollout_place){ ROLLOUT_COMPLETED, 1 };
    arms_update(&rig.c);
    arms = arms_enter(&slot, &reader);
    REQUIRE(arms);
    CHECK(!arms->is_measured && arms->snapshot.canary_to == SHARE_WHOLE);
    rig.l->canary = NULL;
    rollouts_close(&rig.c);
    arms_exit(&reader);
    arms_slot_fini(&slot);
}

TESTS(TEST(facts_are_outcomes), TEST(a_client_that_left), TEST(a_unit_is_exposed_once),
      TEST(others_do_not_count), TEST(only_a_live_canary_is_published))
