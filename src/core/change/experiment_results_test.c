/* SPDX-License-Identifier: Apache-2.0 */
/* The results of experiments: verdicts at any time, the sample ratio, adaptive shares, sums that survive being written. */
#include <math.h>

#include "base/rng.h"
#include "core/change/experiment.h"
#include "core/json/json.h"
#include "test/check.h"

/* Arms of equal shares. */
static struct experiment make(size_t arms, uint32_t share)
{
    static const char *const names[] = { "control", "b", "c", "d" };
    struct arena arena;
    struct change_issues issues = { .arena = &arena };
    struct experiment e = { .id = STR("x"), .inclusion = { 0, SHARE_WHOLE }, .arm_count = arms };

    arena_init(&arena, 1 << 16);
    for (size_t i = 0; i < arms; i++)
        e.arms[i] = (struct experiment_arm){ .name = str_from(names[i]),
                                             .start = (uint32_t)(i * SHARE_WHOLE / arms),
                                             .share = share };
    CHECK_ERR(experiment_prepare(&e, &issues), OK);
    arena_fini(&arena);
    return e;
}

static struct outcome draw(struct rng *rng, double failure, double cost_usd)
{
    double confidence = fmin(fmax(0.85 + 0.08 * rng_normal(rng), 0), 1);

    return (struct outcome){ .is_success = !(rng_unit(rng) < failure),
                             .is_error = rng_unit(rng) < 0.03,
                             .hrm_confidence = confidence,
                             .trm_confidence = rng_unit(rng) < 0.5 ? -1 : confidence,
                             .cost = (nano_usd)(cost_usd * NANO_PER_USD *
                                                exp(0.5 * rng_normal(rng) - 0.125)),
                             .latency = rng_unit(rng) < 0.05 ? 3 * NSEC_PER_SEC : NSEC_PER_SEC };
}

static void see(struct experiment_sums *sums, int arm, const struct outcome *o)
{
    struct experiment_assignment a = { .arm = arm, .why = EXPERIMENT_ASSIGNED };

    experiment_expose(sums, &a);
    experiment_observe(sums, &a, o);
}

static void sums_are_of_the_metrics_values(void)
{
    struct experiment_sums sums = { .arms = { { .exposures = 0 } } };
    struct outcome o = { .is_success = true,
                         .hrm_confidence = 0.5,
                         .trm_confidence = -1,
                         .cost = 7,
                         .latency = 3 * NSEC_PER_SEC };
    struct outcome cached = { .is_cached = true };

    see(&sums, 1, &o);
    o.cost = COST_UNPRICED;
    o.latency = EXPERIMENT_LATENCY_LIMIT;
    see(&sums, 1, &o);
    see(&sums, 1, &cached);
    see(&sums, EXPERIMENT_ARM_NONE, &o);
    CHECK_INT(sums.arms[1].exposures, 3);
    CHECK_INT(sums.arms[1].cached, 1);
    CHECK_INT(sums.arms[0].exposures, 0);
    CHECK_NEAR(sums.arms[1].metrics[CHANGE_SUCCESS_RATE].sum, 2, 0);
    CHECK_INT(sums.arms[1].metrics[CHANGE_ERROR_RATE].n, 2);
    CHECK_NEAR(sums.arms[1].metrics[CHANGE_ERROR_RATE].sum, 0, 0);
    CHECK_NEAR(sums.arms[1].metrics[CHANGE_HRM_CONFIDENCE_MEAN].sum, 1, 0);
    CHECK_INT(sums.arms[1].metrics[CHANGE_TRM_CONFIDENCE_MEAN].n, 0);
    CHECK_INT(sums.arms[1].metrics[CHANGE_COST_PER_QUERY].n, 1);
    CHECK_NEAR(sums.arms[1].metrics[CHANGE_LATENCY_P95].sum, 1, 0);
}

/* b succeeds more and costs more; c is as the control. Verdicts are for people: a higher cost is inferior. */
static void verdicts_are_for_people(void)
{
    struct experiment e = make(3, 100000);
    struct experiment_sums sums = { .arms = { { .exposures = 0 } } };
    struct experiment_results r;
    struct rng rng;

    rng_init(&rng, 31);
    experiment_results(&e, &sums, 0.05, &r);
    CHECK(r.is_trusted);
    CHECK_INT(r.cells[1][CHANGE_SUCCESS_RATE].against_control.verdict, STATS_INCONCLUSIVE);
    for (int i = 0; i < 6000; i++) {
        static const double failures[] = { 0.15, 0.05, 0.15 }, costs[] = { 0.002, 0.004, 0.002 };
        for (int arm = 0; arm < 3; arm++) {
            struct outcome o = draw(&rng, failures[arm], costs[arm]);
            see(&sums, arm, &o);
        }
        if (i == 50) {
            experiment_results(&e, &sums, 0.05, &r);
            CHECK(!r.cells[1][CHANGE_SUCCESS_RATE].against_control.is_valid);
            CHECK_INT(r.cells[1][CHANGE_COST_PER_QUERY].against_control.verdict,
                      STATS_INCONCLUSIVE);
        }
    }
    experiment_results(&e, &sums, 0.05, &r);
    CHECK(r.is_trusted);
    const struct experiment_comparison *success = &r.cells[1][CHANGE_SUCCESS_RATE].against_control;
    CHECK_INT(success->verdict, STATS_SUPERIOR);
    CHECK_NEAR(success->diff.estimate, 0.10, 0.02);
    CHECK(success->diff.lower > 0.05 && success->diff.upper < 0.15);
    CHECK_INT(r.cells[1][CHANGE_COST_PER_QUERY].against_control.verdict, STATS_INFERIOR);
    CHECK_NEAR(r.cells[1][CHANGE_COST_PER_QUERY].against_control.diff.estimate, 1, 0.1);
    CHECK_NEAR(r.cells[1][CHANGE_COST_PER_QUERY].mean, 4000000, 200000);
    CHECK_INT(r.cells[1][CHANGE_ERROR_RATE].against_control.verdict, STATS_INCONCLUSIVE);
    for (size_t m = 0; m < CHANGE_METRIC_COUNT; m++) {
        CHECK_INT(r.cells[2][m].against_control.verdict, STATS_INCONCLUSIVE);
        CHECK(!r.cells[0][m].against_control.is_valid);
        CHECK(r.cells[2][m].against_control.p_adjusted >= r.cells[2][m].against_control.p);
    }
    CHECK_INT(r.cells[2][CHANGE_TRM_CONFIDENCE_MEAN].n,
              (int)sums.arms[2].metrics[CHANGE_TRM_CONFIDENCE_MEAN].n);
}

/* Looked at after every tenth outcome, arms that are alike are called different in at most alpha of the experiments. */
static void peeking_costs_nothing(void)
{
    struct experiment e = make(2, 500000);
    struct rng rng;
    int wrong = 0;

    rng_init(&rng, 32);
    for (int run = 0; run < 40; run++) {
        struct experiment_sums sums = { .arms = { { .exposures = 0 } } };
        bool is_wrong = false;
        for (int i = 0; i < 1500 && !is_wrong; i++) {
            struct experiment_results r;
            struct outcome a = draw(&rng, 0.1, 0.002), b = draw(&rng, 0.1, 0.002);
            see(&sums, 0, &a);
            see(&sums, 1, &b);
            if (i % 10 != 0)
                continue;
            experiment_results(&e, &sums, 0.05, &r);
            for (size_t m = 0; m < CHANGE_METRIC_COUNT; m++)
                is_wrong = is_wrong || r.cells[1][m].against_control.verdict != STATS_INCONCLUSIVE;
        }
        wrong += is_wrong;
    }
    CHECK(wrong <= 5);
}

/* Six metrics are six chances to be wrong: a p of .03 in one of them is nothing. */
static void many_comparisons_are_adjusted(void)
{
    struct experiment e = make(2, 500000);
    struct experiment_results r;
    bool is_tried = false;

    for (int extra = 0; extra < 200 && !is_tried; extra++) {
        struct experiment_sums sums = { .arms = { { .exposures = 0 } } };
        for (int i = 0; i < 2000; i++) {
            for (int arm = 0; arm < 2; arm++) {
                double confidence = i % 2 ? 0.8 : 0.9;
                struct outcome o = { .is_success = i % 10 != 0 &&
                                                   (arm == 0 || i % 10 != 1 || i / 10 >= extra),
                                     .is_error = i % 20 == 0,
                                     .hrm_confidence = confidence,
                                     .trm_confidence = confidence,
                                     .cost = i % 2 ? 1000 : 2000,
                                     .latency = i % 20 ? 1 : 3 * NSEC_PER_SEC };
                see(&sums, arm, &o);
            }
        }
        experiment_results(&e, &sums, 0.05, &r);
        const struct experiment_comparison *c = &r.cells[1][CHANGE_SUCCESS_RATE].against_control;
        if (c->p > 0.04 || c->p < 0.01)
            continue;
        is_tried = true;
        CHECK_NEAR(c->p_adjusted, 6 * c->p, 1e-12);
        CHECK_INT(c->verdict, STATS_INCONCLUSIVE);
        CHECK(c->diff.upper < 0); /* by itself it would be called inferior */
    }
    CHECK(is_tried);
}

static void a_wrong_split_is_not_believed(void)
{
    struct experiment e = make(2, 100000);
    struct experiment_sums sums = { .arms = { { .exposures = 0 } } };
    struct experiment_results r;
    struct rng rng;

    rng_init(&rng, 33);
    for (int i = 0; i < 4000; i++) {
        struct outcome a = draw(&rng, 0.3, 0.002), b = draw(&rng, 0.05, 0.002);
        see(&sums, 0, &a);
        see(&sums, 1, &b);
    }
    experiment_results(&e, &sums, 0.05, &r);
    CHECK(r.is_trusted &&
          r.cells[1][CHANGE_SUCCESS_RATE].against_control.verdict == STATS_SUPERIOR);
    sums.arms[1].exposures = 3400;
    experiment_results(&e, &sums, 0.05, &r);
    CHECK(!r.is_trusted && r.srm_log_bayes > STATS_SRM_ALARM);
    CHECK_INT(r.cells[1][CHANGE_SUCCESS_RATE].against_control.verdict, STATS_INCONCLUSIVE);
    CHECK(
        r.cells[1][CHANGE_SUCCESS_RATE].against_control.is_valid); /* the figures are still there */
    e.arms[1].share = 85000; /* as it was meant */
    experiment_results(&e, &sums, 0.05, &r);
    CHECK(r.is_trusted);
}

static void sums_come_back(void)
{
    static const char *const bad[][2] = {
        { "\"version\":1", "\"version\":2" },
        { "\"exposures\":", "\"exposures\":-" },
        { "\"cached\":0", "\"cached\":null" },
        { "\"success_rate\":[", "\"success_rate\":[1," },
        { "\"success_rate\":[", "\"success_rate\":[-" },
        { "\"cost_per_query\":[", "\"cost\":[" },
        { "\"arms\":[", "\"arms\":[{}," },
    };
    struct experiment_sums sums = { .arms = { { .exposures = 0 } } }, back, half = sums;
    struct buf once = { 0 }, twice = { 0 };
    struct arena arena;
    struct json v;
    struct rng rng;

    rng_init(&rng, 35);
    arena_init(&arena, 1 << 20);
    for (int i = 0; i < 500; i++) {
        struct outcome o = draw(&rng, 0.1, 0.002);
        see(&sums, (int)rng_below(&rng, 2), &o);
    }
    experiment_sums_write(&sums, 2, &once);
    REQUIRE(json_parse(&arena, buf_str(&once), &v, NULL) == OK);
    REQUIRE(experiment_sums_read(v, 2, &back) == OK);
    experiment_sums_write(&back, 2, &twice);
    CHECK_STR(buf_str(&twice), buf_str(&once));
    CHECK_ERR(experiment_sums_read(v, 3, &back), CALLER_BAD_REQUEST);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        str text = buf_str(&once);
        size_t at = str_find(text, str_from(bad[i][0]));
        REQUIRE(at != STR_NPOS);
        buf_reset(&twice);
        buf_add(&twice, str_slice(text, 0, at));
        buf_add(&twice, str_from(bad[i][1]));
        buf_add(&twice, str_slice(text, at + str_from(bad[i][0]).len, text.len));
        REQUIRE(json_parse(&arena, buf_str(&twice), &v, NULL) == OK);
        CHECK_ERR(experiment_sums_read(v, 2, &back), CALLER_BAD_REQUEST);
    }
    experiment_sums_merge(&half, &sums);
    experiment_sums_merge(&half, &sums);
    CHECK_INT(half.arms[1].exposures, 2 * sums.arms[1].exposures);
    CHECK_NEAR(half.arms[0].metrics[CHANGE_COST_PER_QUERY].sum_squares,
               2 * sums.arms[0].metrics[CHANGE_COST_PER_QUERY].sum_squares, 1);
    arena_fini(&arena);
    buf_fini(&once);
    buf_fini(&twice);
}

TESTS(TEST(sums_are_of_the_metrics_values), TEST(verdicts_are_for_people),
      TEST(peeking_costs_nothing), TEST(many_comparisons_are_adjusted),
      TEST(a_wrong_split_is_not_believed), TEST(sums_come_back))
