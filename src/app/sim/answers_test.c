/* SPDX-License-Identifier: Apache-2.0 */
/* Recorded models: an evaluation's folder becomes answers by arm and domain; what is drawn from them is what is expected of them, with
 * events or without; what a recording lacks is said where the scenario names it. */
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/sim/sim_rig_test.h"

#define CELLS "\"a/direct\",\"b/hrm\",\"c/trm\""
#define QUESTIONS 12

/* ---- a folder ---- */

struct folder {
    char path[64];
    struct buf plan, questions, runs;
};

static const char *const names[] = { "plan.json", "questions.jsonl", "runs.jsonl" };

static void file_path(const struct folder *f, size_t i, char out[128])
{
    snprintf(out, 128, "%s/%s", f->path, names[i]);
}

static void folder_write(struct folder *f)
{
    const struct buf *contents[] = { &f->plan, &f->questions, &f->runs };
    char path[128];

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        file_path(f, i, path);
        FILE *file = fopen(path, "we");
        REQUIRE(file);
        CHECK(fwrite(contents[i]->ptr, 1, contents[i]->len, file) == contents[i]->len);
        CHECK(fclose(file) == 0);
    }
}

static void folder_remove(struct folder *f)
{
    char path[128];

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        file_path(f, i, path);
        unlink(path);
    }
    rmdir(f->path);
    buf_fini(&f->plan);
    buf_fini(&f->questions);
    buf_fini(&f->runs);
}

struct line {
    int question, run; /* run from 1 */
    const char *cell; /* model and strategy */
    bool is_right, is_error;
    int64_t cost; /* negative: null */
    double latency_ms, confidence; /* negative: null */
    bool is_simulated;
};

static void null_or(struct buf *out, const char *name, double value)
{
    if (value < 0)
        buf_printf(out, ",\"%s\":null", name);
    else
        buf_printf(out, ",\"%s\":%.12g", name, value);
}

static void line_add(struct folder *f, const struct line *l)
{
    str cell = str_from(l->cell);
    size_t slash = str_find_char(cell, '/');

    buf_printf(&f->runs,
               "{\"id\":\"q%d\",\"model\":\"%.*s\",\"strategy\":\"%.*s\",\"run\":%d,\"right\":%s,"
               "\"answer\":\"1\",\"tokens\":{\"input\":1,\"output\":1},\"calls\":1,\"halt\":\"x\"",
               l->question, STR_ARG(str_slice(cell, 0, slash)),
               STR_ARG(str_slice(cell, slash + 1, cell.len)), l->run,
               l->is_right ? "true" : "false");
    null_or(&f->runs, "cost_nano_usd", (double)l->cost);
    null_or(&f->runs, "latency_ms", l->latency_ms);
    null_or(&f->runs, "raw_confidence", l->confidence);
    buf_printf(&f->runs, ",\"confidence\":null,\"fault\":%s,\"simulated\":%s}\n",
               l->is_error ? "\"PROVIDER_CUT\"" : "null", l->is_simulated ? "true" : "false");
}

/* Of the question q in a cell: its figures tell it from every other. Of each domain's answers some are wrong, one is an error. */
static struct line line_of(int q, size_t cell, int run)
{
    static const char *const cells[] = { "a/direct", "b/hrm", "c/trm" };

    return (struct line){ .question = q,
                          .run = run,
                          .cell = cells[cell],
                          .is_right = q % 3 != 2 && q < 10,
                          .is_error = q >= 10,
                          .cost = 1000000 * (q + 1) + 100000 * (int)cell + run,
                          .latency_ms = 100 * (q + 1) + 10 * (int)cell + run,
                          .confidence =
                              cell == 0 || q >= 10 ? -1 : 0.5 + 0.03 * q + 0.01 * (double)cell };
}

/* Half of the twelve questions are tactical, a third of them stem's, two of a domain that weir does not know. */
static void folder_open(struct folder *f, int runs)
{
    *f = (struct folder){ .path = "/tmp/weir-sim-test-XXXXXX" };
    REQUIRE(mkdtemp(f->path));
    buf_printf(&f->plan, "{\"version\":1,\"cells\":[" CELLS "],\"runs\":%d}\n", runs);
    for (int q = 0; q < QUESTIONS; q++) {
        const char *domain = q % 2 == 0 ? "tactical" : q % 6 == 5 ? "chess" : "stem.code";
        buf_printf(&f->questions,
                   "{\"id\":\"q%d\",\"domain\":\"%s\",\"prompt\":\"p%d\",\"answer\":1}\n", q,
                   domain, q);
        for (size_t cell = 0; cell < 3; cell++) {
            for (int run = 1; run <= runs; run++) {
                struct line line = line_of(q, cell, run);
                line_add(f, &line);
            }
        }
    }
    folder_write(f);
}

/* ---- scenarios over it ---- */

#define TYPED "latency_ms: 900, hrm_confidence: 0.9, trm_confidence: 0.85"

struct tried {
    struct scenario *s;
    struct config_issues issues;
    char first[512];
};

/* Every %s is the folder. */
static struct tried try(const struct folder *f, const char *models, const char *rest)
{
    struct tried t = { .s = NULL };
    struct buf text = { 0 };

    for (const char *at = models; *at; at++) {
        if (at[0] == '%')
            buf_printf(&text, "%s", f->path);
        else
            buf_add_char(&text, *at);
    }
    buf_printf(&text, "\n%s", rest);
    CHECK_ERR(scenario_load_text(STR("s.yaml"), buf_str(&text), true, &t.s, &t.issues), OK);
    if (t.s)
        CHECK(rehearsal_answers_add(t.s, &t.issues) ==
              (t.issues.errors == 0 ? OK : CALLER_BAD_REQUEST));
    if (t.issues.count > 0)
        snprintf(t.first, sizeof(t.first), "%d:%d %.*s", t.issues.items[0].line,
                 t.issues.items[0].column, STR_ARG(t.issues.items[0].message));
    buf_fini(&text);
    return t;
}

static void done(struct tried *t)
{
    scenario_close(t->s);
    config_issues_fini(&t->issues);
}

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

/* ---- what is wrong is said where it stands ---- */

static void a_folder_that_will_not_do(void)
{
    static const struct {
        const char *models, *want; /* % is the folder */
    } cases[] = {
        { "models: {canary: {recorded: {from: /nowhere, cell: a/direct}}}",
          "1:19 recorded: /nowhere/plan.json" },
        { "models: {canary: {recorded: {from: %, cell: a/hrm}}}",
          "1:19 the evaluation in % has no cell 'a/hrm'; it has: a/direct, b/hrm, c/trm" },
        { "models:\n  canary:\n    recorded: {from: %, cell: a/direct}",
          "3:5 recorded: not every answer of a/direct has a HRM confidence; write "
          "models.canary.hrm_confidence" },
        { "models:\n  canary:\n    recorded: {from: %, cell: b/hrm}",
          "3:5 recorded: not every answer of b/hrm has a TRM confidence; write "
          "models.canary.trm_confidence" },
        { "models:\n  canary:\n    recorded: {from: %, cell: c/trm}\n    domains: {stem: "
          "{hrm_confidence: 1}}",
          "3:5 recorded: not every answer of c/trm has a HRM confidence; write "
          "models.canary.hrm_confidence" },
        { "traffic: {domains: {cybersecurity: 1}}\nmodels: {canary: {recorded: {from: %, cell: "
          "a/direct}}}",
          "2:19 recorded: traffic.domains has cybersecurity, but no question of that domain is "
          "recorded" },
    };
    struct folder f;

    folder_open(&f, 1);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tried t = try(&f, cases[i].models, ROLLOUT);
        struct buf want = { 0 };
        for (const char *at = cases[i].want; *at; at++)
            buf_printf(&want, at[0] == '%' ? "%s" : "%.1s", at[0] == '%' ? f.path : at);
        CHECK_STR(str_slice(str_from(t.first), 0, want.len), buf_str(&want));
        buf_fini(&want);
        done(&t);
    }
    folder_remove(&f);
}

/* What a recording lacks: a line of it is changed. */
static void a_recording_that_lacks_something(void)
{
    static const char typed[] =
        "models: {canary: {recorded: {from: %, cell: a/direct}, " TYPED ", cost_usd: 0.01}}";
    static const char bare[] = "models: {canary: {recorded: {from: %, cell: a/direct}, "
                               "hrm_confidence: 0.9, trm_confidence: 0.9}}";
    static const char unsure[] = "models: {canary: {recorded: {from: %, cell: b/hrm}, "
                                 "trm_confidence: 0.9}}";
    const struct line line = line_of(0, 0, 1);
    struct line unpriced = line, unmeasured = line, simulated = line, failed = line;
    struct line doubtful = line_of(0, 1, 1);
    doubtful.confidence = -1;
    unpriced.cost = -1;
    unmeasured.latency_ms = -1;
    simulated.is_simulated = true;
    failed.is_error = true;
    failed.cost = -1;
    const struct {
        struct line line;
        const char *models, *want;
    } cases[] = {
        { line, bare, "" },
        { unpriced, bare,
          "1:19 recorded: not every answer of a/direct has a cost; write models.canary.cost_usd" },
        { unpriced, typed, "" },
        { failed, bare, "" }, /* what failed need not have cost anything */
        { unmeasured, bare,
          "1:19 recorded: not every answer of a/direct has a latency; write "
          "models.canary.latency_ms" },
        { unmeasured, typed, "" },
        { line_of(0, 1, 1), unsure, "" },
        { doubtful, unsure,
          "1:19 recorded: not every answer of b/hrm has a HRM confidence; write "
          "models.canary.hrm_confidence" },
        { simulated, typed,
          "1:19 recorded: the answers in % are simulated; name an evaluation of real models" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct folder f;
        struct buf want = { 0 };
        folder_open(&f, 1);
        line_add(&f, &cases[i].line); /* the last line of a run counts */
        folder_write(&f);
        struct tried t = try(&f, cases[i].models, ROLLOUT);
        for (const char *at = cases[i].want; *at; at++)
            buf_printf(&want, at[0] == '%' ? "%s" : "%.1s", at[0] == '%' ? f.path : at);
        CHECK_STR(str_from(t.first), buf_str(&want));
        CHECK(t.s && t.s->answers[SCENARIO_CANARY][SCENARIO_TACTICAL].has[SCENARIO_COST] ==
                         (cases[i].line.cost >= 0 || cases[i].line.is_error));
        buf_fini(&want);
        done(&t);
        folder_remove(&f);
    }
}

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
      TEST(a_rehearsal_of_recorded_models), TEST(a_folder_that_will_not_do),
      TEST(a_recording_that_lacks_something), TEST(what_a_recording_lacks_is_drawn),
      TEST(two_folders_share_their_questions))
