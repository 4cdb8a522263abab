/* SPDX-License-Identifier: Apache-2.0 */
/* Recorded models: an evaluation's folder becomes answers by arm and domain; what is drawn from them is what is expected of them, with
 * events or without. */
#include <math.h>

#include "app/sim/answers_rig_test.h"

#define BOTH                                                                                       \
    "models: {baseline: {recorded: {from: %, cell: a/direct}, " TYPED                              \
    "}, canary: {recorded: {from: %, cell: b/hrm}}}"

/* The questions of a domain in their order, from what their figures say. */
static void check_answers(const struct scenario_answers *a, enum scenario_domain domain,
                          size_t cell, int runs)
{
    size_t n = 0, right = 0;

    for (int q = 0; q < QUESTIONS; q++) {
        enum scenario_domain d = q % 2 == 0   ? SCENARIO_TACTICAL
                                 : q % 6 == 5 ? SCENARIO_GENERIC
                                              : SCENARIO_STEM;
        for (int run = 1; d == domain && run <= runs; run++) {
            struct line want = line_of(q, cell, run);
            REQUIRE(n < a->count);
            const struct scenario_answer *got = &a->items[n++];
            CHECK_INT(got->cost, want.cost);
            CHECK_INT(got->latency, (int64_t)(want.latency_ms * 1e6));
            CHECK(got->is_right == want.is_right && got->is_error == want.is_error);
            CHECK(want.is_error || cell != 1 || fabs(got->hrm - want.confidence) < 1e-9);
            CHECK(want.is_error || cell != 2 || fabs(got->trm - want.confidence) < 1e-9);
            right += want.is_right;
        }
    }
    CHECK_INT(a->count, n);
    CHECK_NEAR(a->right, (double)right / (double)n, 1e-12);
    CHECK_INT(a->latencies.count, n);
    CHECK_INT(a->latencies_right.count, right);
    for (size_t i = 1; i < n; i++)
        CHECK(a->latencies.sorted[i - 1] <= a->latencies.sorted[i]);
}

/* The same place is the same question in both arms, and domains are as in the recording. */
static void a_folder_becomes_answers(void)
{
    for (int runs = 1; runs <= 2; runs++) {
        struct folder f;
        folder_open(&f, runs);
        struct tried t = try(&f, BOTH, ROLLOUT);
        CHECK_STR(str_from(t.first), STR(""));
        REQUIRE(t.s);
        CHECK_INT(t.s->recorded_questions, QUESTIONS);
        CHECK_NEAR(t.s->traffic.shares[SCENARIO_TACTICAL], 6.0 / 12, 1e-12);
        CHECK_NEAR(t.s->traffic.shares[SCENARIO_STEM], 4.0 / 12, 1e-12);
        CHECK_NEAR(t.s->traffic.shares[SCENARIO_GENERIC], 2.0 / 12, 1e-12);
        CHECK_NEAR(t.s->traffic.shares[SCENARIO_CYBERSECURITY], 0, 0);
        CHECK(!t.s->answers[SCENARIO_CANARY][SCENARIO_CYBERSECURITY].items);
        for (size_t arm = 0; arm < SCENARIO_ARM_COUNT; arm++) {
            const struct scenario_answers *a = t.s->answers[arm];
            check_answers(&a[SCENARIO_TACTICAL], SCENARIO_TACTICAL, arm, runs);
            check_answers(&a[SCENARIO_STEM], SCENARIO_STEM, arm, runs);
            check_answers(&a[SCENARIO_GENERIC], SCENARIO_GENERIC, arm, runs);
            CHECK(a[SCENARIO_STEM].has[SCENARIO_COST] && a[SCENARIO_STEM].has[SCENARIO_LATENCY]);
            CHECK_INT(a[SCENARIO_STEM].has[SCENARIO_HRM], arm == SCENARIO_CANARY);
            CHECK(!a[SCENARIO_STEM].has[SCENARIO_TRM]);
        }
        done(&t);
        folder_remove(&f);
    }
}

/* By written domains only theirs are drawn; one arm alone may be recorded, and the canary is as the baseline. */
static void domains_and_arms_may_be_some(void)
{
    struct folder f;
    folder_open(&f, 1);
    struct tried t = try(&f, "traffic: {domains: {stem: 0.25, tactical: 0.75}}\n" BOTH, ROLLOUT);
    REQUIRE(t.s);
    CHECK_STR(str_from(t.first), STR(""));
    CHECK_NEAR(t.s->traffic.shares[SCENARIO_STEM], 0.25, 0);
    CHECK(!t.s->answers[SCENARIO_CANARY][SCENARIO_GENERIC].items);
    CHECK_INT(t.s->answers[SCENARIO_CANARY][SCENARIO_STEM].count, 4);
    done(&t);
    t = try(&f, "models: {canary: {recorded: {from: %, cell: c/trm}, hrm_confidence: 1}}", ROLLOUT);
    REQUIRE(t.s);
    CHECK_STR(str_from(t.first), STR(""));
    CHECK(!t.s->answers[SCENARIO_BASELINE][SCENARIO_STEM].items);
    check_answers(&t.s->answers[SCENARIO_CANARY][SCENARIO_STEM], SCENARIO_STEM, 2, 1);
    done(&t);
    t = try(&f, "models: {baseline: {recorded: {from: %, cell: a/direct}, " TYPED "}}", ROLLOUT);
    REQUIRE(t.s);
    check_answers(&t.s->answers[SCENARIO_CANARY][SCENARIO_STEM], SCENARIO_STEM, 0, 1);
    done(&t);
    folder_remove(&f);
}

/* ---- draws ---- */

struct seen {
    double failures, errors, cost, slow, hrm, trm, confident;
};

static struct seen draw_many(const struct behaviour *b, int n, nsec slow)
{
    struct seen s = { .failures = 0 };
    struct rng rng;

    rng_init(&rng, 11);
    for (int i = 0; i < n; i++) {
        struct outcome o;
        behaviour_draw(b, &rng, &o);
        s.failures += !o.is_success;
        s.errors += o.is_error;
        s.cost += (double)o.cost;
        s.slow += o.latency > slow;
        CHECK(o.latency <= b->timeout && (o.hrm_confidence < 0) == (o.is_error || b->hrm < 0));
        if (o.is_error)
            continue;
        s.confident++;
        s.hrm += o.hrm_confidence;
        s.trm += o.trm_confidence;
    }
    s.hrm /= s.confident;
    s.trm /= s.confident;
    return s;
}

static void check_draws(const struct behaviour *b)
{
    const nsec slow = 900 * NSEC_PER_MS;
    const int n = 40000;
    double few = 4.5 * 0.5 / sqrt(n);
    struct seen got = draw_many(b, n, slow);

    REQUIRE(b->answers);
    CHECK_NEAR(got.failures / n, b->failure, few);
    CHECK_NEAR(got.errors / n, b->error, few);
    CHECK_NEAR(got.cost / n / NANO_PER_USD, b->cost_usd, 0.03 * b->cost_usd);
    CHECK_NEAR(got.slow / n, behaviour_slow(b, slow), few);
    /* The mean confidence is that of all answers, also of those that come too late. */
    if (b->latency_factor != 1 || got.confident < 1000)
        return;
    CHECK_NEAR(got.hrm, b->hrm, b->hrm > 0.01 ? 0.02 : 0.04);
    CHECK_NEAR(got.trm, b->trm, b->trm > 0.01 ? 0.02 : 0.04);
}

/* What is expected in closed form is what many draws give: without events, and with each of them. */
static void draws_are_as_expected(void)
{
    static const struct {
        const char *events;
        double failure,
            error; /* of stem, whose answers are all right; negative: it is not reckoned here */
    } cases[] = {
        { "", -1, -1 },
        { "{what: quality_drop, size: 0.3}", -1, -1 },
        { "{what: quality_drop, size: 1}", 1, 0 },
        { "{what: latency_step, size: 4}", -1, -1 },
        { "{what: latency_step, size: 1000}", 1, 1 },
        { "{what: broken, size: 0.4}", -1, 0.4 },
        { "{what: cost_creep, size: 3.5}", -1, -1 },
        { "{what: confidence_drift, size: 0.2}", -1, -1 },
        { "{what: confidence_drift, size: 1}", -1, -1 },
        { "{what: broken, size: 0.5}, {what: latency_step, size: 2}, {what: quality_drop, size: "
          "0.2}, {what: cost_creep, size: 2}",
          -1, 0.5 },
    };
    static const char *const models[] = {
        "models: {canary: {recorded: {from: %, cell: b/hrm}, confidence: calibrated, timeout_ms: "
        "3050, trm_confidence: 0.85}}",
        "models: {canary: {recorded: {from: %, cell: c/trm}, timeout_ms: 3050, hrm_confidence: "
        "0.8}}",
    };
    struct folder f;

    folder_open(&f, 2);
    for (size_t i = 0; i < ARRAY_LEN(cases) * ARRAY_LEN(models); i++) {
        size_t of = i / ARRAY_LEN(models);
        char rest[512];
        snprintf(rest, sizeof(rest), "events: [%s]\n%s", cases[of].events,
                 ROLLOUT "  guards: {latency_p95: {enabled: false}}\n");
        struct tried t = try(&f, models[i % ARRAY_LEN(models)], rest);
        REQUIRE(t.s);
        CHECK_STR(str_from(t.first), STR(""));
        struct behaviours b = { .scenario = t.s };
        behaviours_renew(&b, 0);
        const struct behaviour *canary = b.now[SCENARIO_CANARY];
        check_draws(&canary[SCENARIO_TACTICAL]);
        check_draws(&canary[SCENARIO_STEM]);
        check_draws(&canary[SCENARIO_GENERIC]);
        if (cases[of].failure >= 0)
            CHECK_NEAR(canary[SCENARIO_STEM].failure, cases[of].failure, 1e-9);
        if (cases[of].error >= 0)
            CHECK_NEAR(canary[SCENARIO_STEM].error, cases[of].error, 1e-9);
        done(&t);
    }
    folder_remove(&f);
}

/* Figures that can be reckoned by hand: stem's q1, q3, q7 and q9 are right, tactical's q0, 4, 6 are, q2 and q8 wrong, q10 an error. */
static void expectations_are_the_recordings(void)
{
    struct folder f;
    folder_open(&f, 1);
    struct tried t = try(&f, BOTH,
                         "events: [{what: quality_drop, start: 1h, size: 0.25}, {what: "
                         "latency_step, start: 2h, size: 100}]\n" ROLLOUT);
    REQUIRE(t.s);
    struct behaviours b = { .scenario = t.s };
    const struct behaviour *canary = b.now[SCENARIO_CANARY], *baseline = b.now[SCENARIO_BASELINE];

    behaviours_renew(&b, 0);
    CHECK_NEAR(canary[SCENARIO_STEM].failure, 0, 1e-12);
    CHECK_NEAR(canary[SCENARIO_TACTICAL].failure, 0.5, 1e-12);
    CHECK_NEAR(canary[SCENARIO_TACTICAL].error, 1.0 / 6, 1e-12);
    CHECK_NEAR(canary[SCENARIO_TACTICAL].hrm, (0.51 + 0.57 + 0.63 + 0.69 + 0.75) / 5, 1e-9);
    CHECK_NEAR(canary[SCENARIO_TACTICAL].trm, 0.85, 1e-12);
    CHECK_NEAR(baseline[SCENARIO_TACTICAL].hrm, 0.9, 1e-12);
    CHECK_NEAR(baseline[SCENARIO_STEM].cost_usd, (2 + 4 + 8 + 10) / 4.0 * 1e-3 + 1e-9, 1e-12);
    /* Above 800 ms are 820 and 1,020 of stem's 220, 420, 820 and 1,020: each plus a millisecond for the run. */
    CHECK_NEAR(behaviour_slow(&canary[SCENARIO_STEM], 800 * NSEC_PER_MS), 0.5, 1e-12);
    CHECK_NEAR(behaviour_slow(&canary[SCENARIO_STEM], 811 * NSEC_PER_MS), 0.25, 1e-12);
    CHECK_NEAR(behaviour_slow(&canary[SCENARIO_STEM], 810 * NSEC_PER_MS + 999999), 0.5, 1e-12);
    behaviours_renew(&b, HOUR_US);
    CHECK_NEAR(canary[SCENARIO_TACTICAL].failure, 0.75, 1e-12);
    CHECK_NEAR(canary[SCENARIO_STEM].failure, 0.25, 1e-12);
    CHECK_NEAR(baseline[SCENARIO_STEM].failure, 0, 1e-12);
    CHECK_NEAR(canary[SCENARIO_STEM].hrm, canary[SCENARIO_STEM].answers->hrm, 1e-12); /* raw */
    t.s->models[SCENARIO_CANARY][SCENARIO_STEM].is_calibrated = true;
    behaviours_renew(&b, HOUR_US);
    CHECK_NEAR(canary[SCENARIO_STEM].hrm, canary[SCENARIO_STEM].answers->hrm - 0.25, 1e-12);
    behaviours_renew(&b, 2 * HOUR_US); /* 21, 41, 81 and 101 s, of 30 */
    CHECK_NEAR(canary[SCENARIO_STEM].error, 0.75, 1e-12);
    CHECK_NEAR(canary[SCENARIO_STEM].failure, 1 - 0.25 * 0.75, 1e-12);
    done(&t);
    folder_remove(&f);
}

/* ---- whole runs ---- */

static void a_rehearsal_of_recorded_models(void)
{
    static const struct {
        const char *models;
        const char *guards;
        const char *outcome;
    } cases[] = {
        /* Half of all answers are wrong or errors: of both, so the limit is nobody's fault. */
        { BOTH, "  guards: {hrm_confidence_mean: {enabled: false}}\n", "paused:common_cause" },
        { BOTH,
          "  guards: {success_rate: {trip: 0.4}, error_rate: {trip: 0.5, warn: 0.5}, "
          "cost_per_query: {trip: 0.1}, "
          "hrm_confidence_mean: {enabled: false}}\n",
          "completed" },
        /* The recorded canary against a baseline that is typed in. */
        { "models: {canary: {recorded: {from: %, cell: a/direct}, " TYPED "}}",
          "  guards: {hrm_confidence_mean: {enabled: false}}\n", "rolled_back" },
    };
    struct folder f;

    folder_open(&f, 1);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char rest[1024], text[48];
        snprintf(rest, sizeof(rest), "%s%s", ROLLOUT, cases[i].guards);
        struct tried t = try(&f, cases[i].models, rest);
        CHECK_STR(str_from(t.first), STR(""));
        REQUIRE(t.s && t.issues.errors == 0);
        struct rehearsal a, b, c;
        CHECK_ERR(rehearsal_run(t.s, 3, &a, NULL), OK);
        CHECK_ERR(rehearsal_run(t.s, 3, &b, NULL), OK);
        CHECK_ERR(rehearsal_run(t.s, 4, &c, NULL), OK);
        CHECK_STR(rehearsal_outcome(a.end, a.reason, text), str_from(cases[i].outcome));
        CHECK_STR(rehearsal_outcome(c.end, c.reason, text), str_from(cases[i].outcome));
        CHECK(a.queries == b.queries && a.extra_failures == b.extra_failures &&
              a.extra_usd == b.extra_usd);
        CHECK(!a.is_false_rollback);
        CHECK(a.queries != c.queries || a.canary_queries != c.canary_queries);
        done(&t);
    }
    folder_remove(&f);
}

/* ---- what only some have ---- */

/* What it lacks is drawn from what is written; and a confidence that no guard asks for, and nobody wrote, is none. */
static void what_a_recording_lacks_is_drawn(void)
{
    struct line line = line_of(1, 0, 1);
    struct folder f;

    folder_open(&f, 1);
    line.cost = -1;
    line.latency_ms = -1;
    line_add(&f, &line);
    folder_write(&f);
    struct tried t = try(&f,
                         "models: {canary: {recorded: {from: %, cell: a/direct}, latency_ms: 4000, "
                         "latency_sigma: 0, cost_usd: 0.5, cost_sd: 0, trm_confidence: 0.7}}",
                         ROLLOUT "  guards: {hrm_confidence_mean: {enabled: false}}\n");
    CHECK_STR(str_from(t.first), STR(""));
    REQUIRE(t.s);
    struct behaviours b = { .scenario = t.s };
    behaviours_renew(&b, 0);
    const struct behaviour *stem = &b.now[SCENARIO_CANARY][SCENARIO_STEM];
    struct seen got = draw_many(stem, 1000, 3999 * NSEC_PER_MS);
    CHECK_NEAR(got.cost / 1000, 5e8, 1e3);
    CHECK_NEAR(stem->cost_usd, 0.5, 1e-9);
    CHECK_INT((int64_t)got.slow, 1000);
    CHECK_NEAR(behaviour_slow(stem, 3999 * NSEC_PER_MS), 1, 0);
    CHECK_NEAR(got.hrm, -1, 1e-12);
    CHECK_NEAR(got.trm, 0.7, 0.01);
    done(&t);
    /* Every query takes its time, whether a guard looks at it or not. */
    t = try(&f, "models: {canary: {recorded: {from: %, cell: a/direct}, cost_usd: 0.5}}",
            ROLLOUT "  guards: {hrm_confidence_mean: {enabled: false}, trm_confidence_mean: "
                    "{enabled: false}, latency_p95: {enabled: false}}\n");
    CHECK(str_ends(str_from(t.first), STR("write models.canary.latency_ms")));
    done(&t);
    /* Of both kinds, the other way round. */
    t = try(&f, "models: {canary: {recorded: {from: %, cell: b/hrm}}}",
            ROLLOUT "  guards: {trm_confidence_mean: {enabled: false}}\n");
    CHECK_STR(str_from(t.first), STR(""));
    REQUIRE(t.s);
    b = (struct behaviours){ .scenario = t.s };
    behaviours_renew(&b, 0);
    got = draw_many(&b.now[SCENARIO_CANARY][SCENARIO_STEM], 1000, 0);
    CHECK_NEAR(got.trm, -1, 1e-12);
    CHECK(got.hrm > 0.5);
    done(&t);
    folder_remove(&f);
}

/* Two folders: what only one has is left out, and another prompt under the same id is no such question. */
static void two_folders_share_their_questions(void)
{
    static const char plan[] = "models: {baseline: {recorded: {from: %, cell: a/direct}, " TYPED
                               "}, canary: {recorded: {from: ";
    struct folder f, g;
    char models[512];

    folder_open(&f, 2);
    folder_open(&g, 1);
    snprintf(models, sizeof(models), "%s%s, cell: a/direct}}}", plan, g.path);
    /* The second folder lacks q1 and has not answered q3. */
    buf_reset(&g.questions);
    buf_reset(&g.runs);
    for (int q = QUESTIONS - 1; q >= 0; q--) { /* in another order */
        struct line line = line_of(q, 0, 1);
        if (q == 1)
            continue;
        buf_printf(&g.questions,
                   "{\"id\":\"q%d\",\"domain\":\"x\",\"prompt\":\"p%d\",\"answer\":1}\n", q, q);
        if (q != 3)
            line_add(&g, &line);
    }
    folder_write(&g);
    struct tried t = try(&f, models, ROLLOUT);
    CHECK_STR(str_from(t.first), STR(""));
    REQUIRE(t.s);
    CHECK_INT(t.s->recorded_questions, QUESTIONS - 2);
    /* The domains are the baseline's, and so is the order; two runs here are one there. */
    CHECK_INT(t.s->answers[SCENARIO_BASELINE][SCENARIO_STEM].count, 4);
    REQUIRE(t.s->answers[SCENARIO_CANARY][SCENARIO_STEM].count == 2);
    CHECK_INT(t.s->answers[SCENARIO_CANARY][SCENARIO_STEM].items[0].cost, line_of(7, 0, 1).cost);
    done(&t);

    buf_reset(&g.questions);
    buf_add(&g.questions, STR("{\"id\":\"q0\",\"prompt\":\"other\",\"answer\":1}\n"));
    buf_reset(&g.runs);
    struct line line = line_of(0, 0, 1);
    line_add(&g, &line);
    folder_write(&g);
    t = try(&f, models, ROLLOUT);
    CHECK(str_find(str_from(t.first),
                   STR("recorded: the question q0 has another prompt than in ")) != STR_NPOS);
    CHECK_INT(t.issues.errors, 1);
    done(&t);
    buf_reset(&g.runs);
    folder_write(&g);
    t = try(&f, models, ROLLOUT);
    CHECK(str_find(str_from(t.first),
                   STR("recorded: no question has been answered by each recorded model")) !=
          STR_NPOS);
    done(&t);
    folder_remove(&f);
    folder_remove(&g);
}

TESTS(TEST(a_folder_becomes_answers), TEST(domains_and_arms_may_be_some),
      TEST(draws_are_as_expected), TEST(expectations_are_the_recordings),
      TEST(a_rehearsal_of_recorded_models), TEST(what_a_recording_lacks_is_drawn),
      TEST(two_folders_share_their_questions))
