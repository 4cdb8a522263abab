/* SPDX-License-Identifier: Apache-2.0 */
/* Experiments whose shares follow their results: epochs, what is counted in which, and what control.db keeps of them. */
#include "app/control/control_internal.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/rng.h"
#include "test/check.h"

static const char file_text[] = "name: e\nallocation: track_and_stop\nmetric: "
                                "success_rate\nepsilon: 0.01\ndelta: 0.1\nevery: 1s\n"
                                "arms: {control: {share: 10%}, b: {share: 10%}, c: {share: 10%}}\n";

struct rig {
    struct controller c;
    struct config config;
    struct log log;
    struct arms_slot slot;
    char directory[64];
    struct live_experiment *x;
};

static void rig_store_open(struct rig *rig)
{
    char why[256];

    CHECK_ERR(control_open(&rig->c.store, str_from(rig->directory), CONTROL_WRITE, why), OK);
    CHECK_ERR(term_take(&rig->c, why), OK);
    transaction_patience(&rig->c, PATIENCE_TURN);
}

static void rig_open(struct rig *rig)
{
    struct config_issues issues;
    char why[256] = "", path[128];

    *rig = (struct rig){ .log = { LOG_ERROR, STDERR_FILENO },
                         .c = { .now = NSEC_PER_SEC, .wall = INT64_C(1764000000000000) } };
    rig->c.options.config = &rig->config;
    rig->c.options.log = &rig->log;
    rig->c.options.arms = &rig->slot;
    snprintf(rig->directory, sizeof(rig->directory), "/tmp/weir-experiment-XXXXXX");
    REQUIRE(mkdtemp(rig->directory) != NULL);
    rig_store_open(rig);
    snprintf(path, sizeof(path), "%s/e.yaml", rig->directory);
    FILE *file = fopen(path, "w");
    REQUIRE(file != NULL);
    fputs(file_text, file);
    fclose(file);
    const struct rollout_start start = { .path = str_from(path), .actor = STR("ada") };
    CHECK_INT(experiment_begin(&rig->c, &start, &issues, why), START_DONE);
    config_issues_fini(&issues);
    rig->x = rig->c.experiments[0];
}

static void rig_stop(struct rig *rig)
{
    experiments_close(&rig->c);
    arms_slot_fini(&rig->slot);
    control_close(rig->c.store);
}

static void rig_close(struct rig *rig)
{
    static const char *const names[] = { "control.db", "control.db-wal", "control.db-shm",
                                         "e.yaml" };

    rig_stop(rig);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char path[128];
        snprintf(path, sizeof(path), "%s/%s", rig->directory, names[i]);
        IGNORE(unlink(path));
    }
    CHECK_INT(rmdir(rig->directory), 0);
}

/* n answers of an arm in an epoch, of which some are right, and as many new units. */
static void answer(struct rig *rig, size_t epoch, size_t arm, int n, double rate)
{
    for (int i = 0; i < n; i++) {
        struct feed_fact f = {
            .assignment = { .experiment = rig->x->number,
                            .experiment_arm = (uint8_t)arm,
                            .experiment_epoch = (uint8_t)epoch },
            .cost = 1000000,
            .latency = NSEC_PER_MS,
            .hrm_confidence = -1,
            .trm_confidence = -1,
            .verdict = i < n * rate ? 1 : 0,
            .flags = FEED_ANSWERED,
        };
        experiment_fact(&rig->c, &f);
        f.flags = FEED_EXPOSURE;
        experiment_fact(&rig->c, &f);
    }
}

static void turn(struct rig *rig, nsec later)
{
    rig->c.now += later;
    rig->c.wall += later / NSEC_PER_USEC;
    transaction_patience(&rig->c, PATIENCE_TURN);
    experiments_turn(&rig->c);
}

static void answers_count_in_the_epoch_that_assigned_them(void)
{
    struct rig rig;

    rig_open(&rig);
    answer(&rig, 0, 1, 10, 1);
    answer(&rig, 1, 1, 5, 1); /* an epoch that never was */
    CHECK_INT(rig.x->epochs[0].arms[1].outcomes, 10);
    struct experiment_epoch second = { .began = 7, .shares = { 20000, 200000, 80000 } };
    CHECK_ERR(experiment_epoch_add(rig.x, &second), OK);
    answer(&rig, 0, 1, 3, 1); /* late */
    answer(&rig, 1, 2, 4, 0.5);
    CHECK_INT(rig.x->epochs[0].arms[1].outcomes, 13);
    CHECK_INT(rig.x->epochs[1].arms[1].outcomes, 0);
    CHECK_INT(rig.x->epochs[1].arms[2].outcomes, 4);
    CHECK_NEAR(rig.x->epochs[1].arms[2].measures[EXPERIMENT_SUCCESS_RATE].sum, 2, 0);
    CHECK_INT(rig.x->epochs[1].arms[2].exposures, 4);
    const struct experiment now = experiment_now(rig.x);
    CHECK(now.arms[0].share == 20000 && now.arms[1].share == 200000);
    CHECK(rig.x->file->experiment.arms[1].share == 100000);
    rig_close(&rig);
}

static void each_epoch_is_held_against_its_own_shares(void)
{
    struct rig rig;
    struct experiment_epoch second = { .began = 7, .shares = { 15000, 270000, 15000 } };

    rig_open(&rig);
    for (size_t arm = 0; arm < 3; arm++)
        answer(&rig, 0, arm, 1000, 1);
    CHECK_ERR(experiment_epoch_add(rig.x, &second), OK);
    answer(&rig, 1, 0, 100, 1);
    answer(&rig, 1, 1, 1800, 1);
    answer(&rig, 1, 2, 100, 1);
    CHECK(experiment_srm(rig.x) < 0);
    answer(&rig, 1, 2, 200, 1); /* something drops the others */
    CHECK(experiment_srm(rig.x) > STATS_SRM_ALARM);
    CHECK_ERR(experiment_epoch_add(rig.x, &second), OK); /* a new epoch does not forgive it */
    CHECK(experiment_srm(rig.x) > STATS_SRM_ALARM);
    rig_close(&rig);
}

static void shares_follow_and_the_best_is_said_once(void)
{
    static const double rates[] = { 0.3, 0.8, 0.84 };
    struct rig rig;
    struct buf events = { 0 };

    rig_open(&rig);
    for (size_t arm = 0; arm < 3; arm++)
        answer(&rig, 0, arm, 200, rates[arm]);
    turn(&rig, NSEC_PER_SEC - 1);
    CHECK_INT(rig.x->epoch_count, 1); /* too early */
    turn(&rig, 1);
    REQUIRE(rig.x->epoch_count == 2);
    const struct arms *arms = atomic_load(&rig.slot.now);
    REQUIRE(arms && arms->experiment_count == 1);
    CHECK_INT(arms->experiments[0].epoch, 1); /* published */
    CHECK_INT(arms->experiments[0].experiment.arms[0].share, rig.x->epochs[1].shares[0]);
    CHECK(rig.x->epochs[1].shares[0] < 50000 && rig.x->epochs[1].shares[2] > 100000);
    turn(&rig, 2 * NSEC_PER_SEC);
    CHECK_INT(rig.x->epoch_count, 2); /* nothing was seen since */
    for (size_t arm = 0; arm < 3; arm++)
        answer(&rig, 1, arm, 6000, rates[arm]);
    turn(&rig, 2 * NSEC_PER_SEC);
    CHECK(rig.x->best.is_known && rig.x->best.arm == 2 && rig.x->best.at == rig.c.wall);
    CHECK(rig.x->is_running && rig.x->epoch_count == 2); /* said, and nothing done */
    turn(&rig, 2 * NSEC_PER_SEC);
    CHECK_ERR(api_events(&rig.c, STR("experiment"), STR("e"), 0, &events), OK);
    str text = buf_str(&events);
    size_t first = str_find(text, STR("best_known"));
    REQUIRE(first != STR_NPOS);
    CHECK(str_find(str_slice(text, first + 1, text.len), STR("best_known")) == STR_NPOS);
    CHECK(str_find(text, STR("epoch 1: control ")) != STR_NPOS);
    CHECK(str_find(text, STR("stop: arm c is best in success_rate at delta 0.1")) != STR_NPOS);
    buf_fini(&events);
    rig_close(&rig);
}

/* A unit counts once in each epoch: who was there before belongs to the split of the new shares, too. */
static void units_count_once_in_each_epoch(void)
{
    static const double rates[] = { 0.3, 0.8, 0.84 };
    struct rig rig;
    struct feed_fact f = { .unit = 77, .flags = FEED_EXPOSURE | FEED_IS_REPEATED };

    rig_open(&rig);
    f.assignment = (struct feed_assignment){ .experiment = rig.x->number, .experiment_arm = 2 };
    for (int i = 0; i < 3; i++)
        experiment_fact(&rig.c, &f);
    CHECK_INT(rig.x->epochs[0].arms[2].exposures, 1);
    for (size_t arm = 0; arm < 3; arm++)
        answer(&rig, 0, arm, 200, rates[arm]);
    turn(&rig, NSEC_PER_SEC);
    REQUIRE(rig.x->epoch_count == 2);
    f.assignment.experiment_epoch = 1;
    for (int i = 0; i < 3; i++)
        experiment_fact(&rig.c, &f);
    CHECK_INT(rig.x->epochs[1].arms[2].exposures, 1);
    rig_close(&rig);
}

/* All arms get better together, and the one that gets more then is no better for that. */
static void what_is_shown_is_over_epochs_and_not_pooled(void)
{
    struct rig rig;
    struct experiment_epoch second = { .began = 7, .shares = { 15000, 270000, 15000 } };
    struct buf status = { 0 };
    struct arena arena;
    struct json v;
    double diff = NAN, mean = NAN;

    arena_init(&arena, 1 << 20);
    rig_open(&rig);
    for (size_t arm = 0; arm < 3; arm++)
        answer(&rig, 0, arm, 1000, 0.5);
    CHECK_ERR(experiment_epoch_add(rig.x, &second), OK);
    answer(&rig, 1, 0, 100, 0.8);
    answer(&rig, 1, 1, 2800, 0.9);
    answer(&rig, 1, 2, 100, 0.9);
    experiment_status_write(rig.x, &status);
    REQUIRE(json_parse(&arena, buf_str(&status), &v, NULL) == OK);
    struct json first = json_at(json_get(v, STR("comparisons")), 0);
    CHECK(json_double(json_get(first, STR("diff")), &diff));
    CHECK_NEAR(diff, 0.05, 1e-12);
    struct json arm = json_at(json_get(v, STR("arms")), 1);
    CHECK(json_double(json_path(arm, STR("success_rate.estimate")), &mean));
    CHECK_NEAR(mean, 0.7, 1e-12);
    CHECK(json_double(json_get(arm, STR("share")), &mean));
    CHECK_NEAR(mean, 0.27, 1e-12);
    arena_fini(&arena);
    buf_fini(&status);
    rig_close(&rig);
}

static void what_cannot_be_written_does_not_hold(void)
{
    static const double rates[] = { 0.3, 0.8, 0.84 };
    struct rig rig;

    rig_open(&rig);
    for (size_t arm = 0; arm < 3; arm++)
        answer(&rig, 0, arm, 200, rates[arm]);
    rig.log.fd = -1;
    CHECK_ERR(control_begin(rig.c.store), OK); /* so that no other transaction can begin */
    turn(&rig, 2 * NSEC_PER_SEC);
    CHECK_INT(rig.x->epoch_count, 1);
    const struct arms *arms = atomic_load(&rig.slot.now);
    CHECK_INT(arms->experiments[0].epoch, 0);
    control_rollback(rig.c.store);
    turn(&rig, 2 * NSEC_PER_SEC);
    CHECK_INT(rig.x->epoch_count, 2);
    for (size_t arm = 0; arm < 3; arm++)
        answer(&rig, 1, arm, 6000, rates[arm]);
    CHECK_ERR(control_begin(rig.c.store), OK);
    turn(&rig, 2 * NSEC_PER_SEC);
    CHECK(!rig.x->best.is_known); /* nobody was told */
    control_rollback(rig.c.store);
    turn(&rig, 2 * NSEC_PER_SEC);
    CHECK(rig.x->best.is_known);
    rig_close(&rig);
}

static int64_t exposed_again(struct rig *rig, size_t epoch)
{
    struct feed_fact f = { .assignment = { .experiment = rig->x->number,
                                           .experiment_arm = 1,
                                           .experiment_epoch = (uint8_t)epoch },
                           .unit = 77,
                           .flags = FEED_EXPOSURE | FEED_IS_REPEATED };
    int64_t before = rig->x->epochs[epoch].arms[1].exposures;

    experiment_fact(&rig->c, &f);
    return rig->x->epochs[epoch].arms[1].exposures - before;
}

/* A unit counts once in each epoch, also when it comes back after a restart. */
static void a_restart_keeps_the_units_of_the_epoch(void)
{
    static const double rates[] = { 0.3, 0.8, 0.84 };
    struct rig rig;
    char why[256] = "";

    rig_open(&rig);
    CHECK_INT(exposed_again(&rig, 0), 1);
    for (size_t arm = 0; arm < 3; arm++)
        answer(&rig, 0, arm, 200, rates[arm]);
    turn(&rig, NSEC_PER_SEC);
    REQUIRE(rig.x->epoch_count == 2);
    CHECK_INT(exposed_again(&rig, 1), 1);
    turn(&rig, CHECKPOINT_EVERY);
    rig_stop(&rig);
    rig_store_open(&rig);
    CHECK_ERR(experiments_restore(&rig.c, why), OK);
    rig.x = rig.c.experiments[0];
    CHECK_INT(exposed_again(&rig, 1), 0);
    rig_close(&rig);
}

static void a_restart_keeps_epochs_and_the_best(void)
{
    static const double rates[] = { 0.3, 0.8, 0.84 };
    struct rig rig;
    struct buf before = { 0 }, after = { 0 };
    char why[256] = "";

    rig_open(&rig);
    for (size_t arm = 0; arm < 3; arm++)
        answer(&rig, 0, arm, 200, rates[arm]);
    turn(&rig, NSEC_PER_SEC);
    for (size_t arm = 0; arm < 3; arm++)
        answer(&rig, 1, arm, 6000, rates[arm]);
    turn(&rig, NSEC_PER_SEC);
    CHECK(rig.x->best.is_known);
    turn(&rig, CHECKPOINT_EVERY);
    experiment_counts_write(rig.x, &before);
    rig_stop(&rig);
    rig_store_open(&rig);
    CHECK_ERR(experiments_restore(&rig.c, why), OK);
    REQUIRE(rig.c.experiment_count == 1);
    rig.x = rig.c.experiments[0];
    experiment_counts_write(rig.x, &after);
    CHECK_STR(buf_str(&after), buf_str(&before));
    CHECK(rig.x->is_running && rig.x->epoch_count == 2 && rig.x->best.is_known);
    arms_update(&rig.c);
    const struct arms *arms = atomic_load(&rig.slot.now);
    CHECK_INT(arms->experiments[0].experiment.arms[2].share, rig.x->epochs[1].shares[2]);
    buf_fini(&before);
    buf_fini(&after);
    rig_close(&rig);
}

#define ARM_JSON                                                                                   \
    "{\"exposures\":1,\"outcomes\":2,\"errors\":0,\"success\":{\"n\":2,\"sum\":1,\"squares\":1},"  \
    "\"cost\":{\"n\":0,\"sum\":0,\"squares\":0},\"latency\":{\"n\":0,\"sum\":0,\"squares\":0},"    \
    "\"hrm\":{\"n\":0,\"sum\":0,\"squares\":0},\"trm\":{\"n\":0,\"sum\":0,\"squares\":0}}"
#define ARMS_JSON "[" ARM_JSON "," ARM_JSON "," ARM_JSON "]"
#define EPOCH_JSON(shares) "{\"began\":5,\"shares\":" shares ",\"arms\":" ARMS_JSON "}"

static void documents_are_this_experiments_or_nobodys(void)
{
    static const struct {
        const char *text;
        bool is_good;
    } rows[] = {
        { "{\"version\":1,\"arms\":" ARMS_JSON "}", true }, /* as it was without epochs */
        { "{\"version\":2,\"epochs\":[" EPOCH_JSON("[100000,100000,100000]") "]}", true },
        { "{\"version\":2,\"epochs\":[" EPOCH_JSON("[15000,15000,270000]") "]}", true },
        { "{\"version\":2,\"epochs\":[" EPOCH_JSON("[15000,15000,270001]") "]}", false },
        { "{\"version\":2,\"epochs\":[" EPOCH_JSON("[-15000,15000,300000]") "]}", false },
        { "{\"version\":2,\"epochs\":[" EPOCH_JSON("[150000,150000]") "]}", false },
        { "{\"version\":2,\"epochs\":[" EPOCH_JSON("[100000,100000,100000]") "," EPOCH_JSON(
              "[1,2,3]") "]}",
          false },
        { "{\"version\":2,\"epochs\":[" EPOCH_JSON("[100000,100000,100000]") "," EPOCH_JSON(
              "[100000,150000,50000]") "," EPOCH_JSON("[1,2,3]") "]}",
          false },
        { "{\"version\":2,\"epochs\":[]}", false },
        { "{\"version\":2,\"epochs\":[{}]}", false },
        { "{\"version\":1,\"arms\":[" ARM_JSON "]}", false },
        { "{}", false },
    };
    struct arena arena;

    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct rig rig;
        struct json v;
        rig_open(&rig);
        REQUIRE(json_parse(&arena, str_from(rows[i].text), &v, NULL) == OK);
        CHECK_INT(experiment_counts_read(rig.x, v), rows[i].is_good);
        CHECK_INT(rig.x->epoch_count, 1);
        CHECK_INT(rig.x->epochs[0].arms[2].outcomes, rows[i].is_good ? 2 : 0);
        CHECK(rows[i].is_good || rig.x->epochs[0].shares[0] == 100000);
        rig_close(&rig);
    }
    arena_fini(&arena);
}

TESTS(TEST(answers_count_in_the_epoch_that_assigned_them),
      TEST(each_epoch_is_held_against_its_own_shares),
      TEST(shares_follow_and_the_best_is_said_once), TEST(units_count_once_in_each_epoch),
      TEST(what_is_shown_is_over_epochs_and_not_pooled), TEST(what_cannot_be_written_does_not_hold),
      TEST(a_restart_keeps_the_units_of_the_epoch), TEST(a_restart_keeps_epochs_and_the_best),
      TEST(documents_are_this_experiments_or_nobodys))
