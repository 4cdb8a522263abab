/* SPDX-License-Identifier: Apache-2.0 */
/* report: rows, pairs, frontier and refusals of runs that a test made up. */
#include <math.h>

#include "app/eval/eval_rig.h"

static const struct eval_cell_row *row_of(const struct rig *rig, size_t cell, size_t domain)
{
    const struct eval_report *r = rig->eval.report;

    for (size_t i = 0; i < r->cell_count; i++) {
        if (r->cells[i].cell == cell && r->cells[i].domain == domain)
            return &r->cells[i];
    }
    return NULL;
}

static const struct eval_pair_row *pair_of(const struct rig *rig, size_t at, size_t domain)
{
    const struct eval_report *r = rig->eval.report;

    for (size_t i = 0; i < r->pair_count; i++) {
        if (r->pairs[i].domain == domain && at-- == 0)
            return &r->pairs[i];
    }
    return NULL;
}

static bool refuses(const struct rig *rig, const char *part)
{
    return str_find(buf_str(&rig->eval.report->refusals), str_from(part)) != STR_NPOS;
}

/* a is right on 60 of 100 questions, b on the same and 20 more; b costs half. */
static bool hundred(struct rig *rig)
{
    if (!rig_open(rig, 100, "a/direct,b/direct", 1))
        return false;
    for (size_t q = 0; q < 100; q++) {
        rig_run(rig, q, 0, 0, q < 60);
        rig_run(rig, q, 1, 0, q < 80)->cost = 500;
    }
    return true;
}

static void counts_cells(void)
{
    struct rig rig;

    REQUIRE(hundred(&rig));
    struct eval_run *faulted = eval_run_at(&rig.eval.runs, 99, 1, 0);
    faulted->fault = PROVIDER_CUT;
    faulted->latency_us = 900000000;
    REQUIRE(eval_report(&rig.eval) == OK);
    const struct eval_cell_row *row = row_of(&rig, 1, EVAL_OVERALL);
    CHECK(row == eval_row_overall(&rig.eval, 1));
    CHECK_INT(row->n, 100);
    CHECK_INT(row->questions, 100);
    CHECK_INT(row->missing, 0);
    CHECK_INT(row->right, 80);
    CHECK_INT(row->faulted, 1);
    CHECK_INT(row->faults[PROVIDER_CUT], 1);
    CHECK_NEAR(row->success.estimate, 0.8, 1e-12);
    CHECK_NEAR(row->success.lower, 0.708157, 1e-6); /* Clopper and Pearson, 80 of 100 */
    CHECK_NEAR(row->success.upper, 0.873344, 1e-6);
    CHECK_INT(row->cost, 50000);
    CHECK_NEAR(row->cost_per_query, 500, 1e-9);
    CHECK_INT(row->latency.n, 99); /* of answered runs only */
    CHECK_NEAR(row->latency.p50_ms, 50, 1e-9);
    CHECK_NEAR(row->latency.p95_ms, 95, 1e-9); /* rank ceil(.95 * 99) */
    CHECK(!row->latency.p95_is_maximum);
    CHECK_INT(row->confidence.n, 0);
    CHECK_INT(row_of(&rig, 0, 0)->right, 50);
    CHECK_INT(row_of(&rig, 0, 1)->right, 10);
    CHECK_INT(row_of(&rig, 0, 1)->n, 50);
    CHECK_STR(eval_domain_name(&rig.eval, 1), STR("y"));
    CHECK_STR(eval_domain_name(&rig.eval, EVAL_OVERALL), STR("overall"));
    CHECK(!rig.eval.report->is_partial);
    rig_close(&rig);
}

static void shows_the_maximum_of_few(void)
{
    struct rig rig;

    REQUIRE(rig_open(&rig, 19, "a/direct", 1));
    for (size_t q = 0; q < 19; q++)
        rig_run(&rig, q, 0, 0, true);
    REQUIRE(eval_report(&rig.eval) == OK);
    CHECK(eval_row_overall(&rig.eval, 0)->latency.p95_is_maximum);
    CHECK_NEAR(eval_row_overall(&rig.eval, 0)->latency.p95_ms, 19, 1e-9);
    CHECK_NEAR(eval_row_overall(&rig.eval, 0)->latency.p50_ms, 10, 1e-9);
    rig_close(&rig);
}

static void knows_what_has_no_price(void)
{
    struct rig rig;

    REQUIRE(hundred(&rig));
    eval_run_at(&rig.eval.runs, 3, 1, 0)->cost = COST_UNPRICED;
    REQUIRE(eval_report(&rig.eval) == OK);
    CHECK(eval_row_overall(&rig.eval, 1)->cost == COST_UNPRICED);
    CHECK_INT(row_of(&rig, 1, 1)->cost, 25000);
    CHECK(!pair_of(&rig, 0, EVAL_OVERALL)->has_cost);
    CHECK(pair_of(&rig, 0, 1)->has_cost);
    CHECK_INT(rig.eval.report->frontier_count, 1); /* what cannot be placed is left out */
    rig_close(&rig);
}

static void compares_pairs(void)
{
    struct rig rig;

    REQUIRE(hundred(&rig));
    REQUIRE(eval_report(&rig.eval) == OK);
    const struct eval_pair_row *pair = pair_of(&rig, 0, EVAL_OVERALL);
    CHECK_INT(pair->a, 0);
    CHECK_INT(pair->b, 1);
    CHECK_INT(pair->n, 100);
    CHECK_NEAR(pair->diff.estimate, 0.2, 1e-12);
    CHECK(pair->diff.lower > 0.1 && pair->diff.upper < 0.3);
    CHECK_INT(pair->verdict, STATS_SUPERIOR);
    CHECK_NEAR(pair->p, 2 * pow(0.5, 20), 1e-12); /* exact McNemar: 20 against 0 */
    CHECK(pair->p_holm >= pair->p);
    CHECK_NEAR(pair->p_holm, 3 * pair->p, 1e-12); /* the smallest of three rows */
    CHECK(pair->has_cost);
    CHECK_NEAR(pair->cost.estimate, -0.5, 1e-12);
    CHECK_NEAR(pair->cost.lower, -0.5, 1e-12); /* every question costs half */
    CHECK_NEAR(pair->cost.upper, -0.5, 1e-12);
    CHECK(!pair->is_clustered);
    /* The same on all 50 questions: so few cannot say so much. */
    CHECK_INT(pair_of(&rig, 0, 0)->verdict, STATS_INCONCLUSIVE);
    CHECK_NEAR(pair_of(&rig, 0, 0)->diff.estimate, 0, 0);
    CHECK(pair_of(&rig, 0, 0)->resolvable > 0.04);
    rig.eval.options.baseline = STR("b/direct");
    REQUIRE(eval_report(&rig.eval) == OK);
    pair = pair_of(&rig, 0, EVAL_OVERALL);
    CHECK_INT(pair->a, 1); /* the baseline comes first */
    CHECK_NEAR(pair->diff.estimate, -0.2, 1e-12);
    CHECK_INT(pair->verdict, STATS_INFERIOR);
    rig_close(&rig);
}

static void the_cost_s_interval_covers_it(void)
{
    struct rig rig;

    REQUIRE(hundred(&rig));
    for (size_t q = 0; q < 100; q++)
        eval_run_at(&rig.eval.runs, q, 1, 0)->cost = q % 4 == 0 ? 2000 : 0;
    REQUIRE(eval_report(&rig.eval) == OK);
    struct interval cost = pair_of(&rig, 0, EVAL_OVERALL)->cost;
    CHECK_NEAR(cost.estimate, -0.5, 1e-12);
    /* 25 of 100 at 2: the standard error is 2 * sqrt(.25 * .75 / 100) = .0866. */
    CHECK_NEAR(cost.lower, -0.5 - 1.96 * 0.0866, 0.02);
    CHECK_NEAR(cost.upper, -0.5 + 1.96 * 0.0866, 0.02);
    rig_close(&rig);
}

static void uses_common_questions_only(void)
{
    struct rig rig;

    REQUIRE(hundred(&rig));
    for (size_t q = 90; q < 100; q++)
        eval_run_at(&rig.eval.runs, q, 0, 0)->is_done = false;
    REQUIRE(eval_report(&rig.eval) == OK);
    CHECK(rig.eval.report->is_partial);
    CHECK_INT(eval_row_overall(&rig.eval, 0)->missing, 10);
    CHECK_INT(eval_row_overall(&rig.eval, 0)->n, 90);
    CHECK_INT(eval_row_overall(&rig.eval, 1)->n, 100);
    CHECK_INT(pair_of(&rig, 0, EVAL_OVERALL)->n, 90);
    CHECK_NEAR(pair_of(&rig, 0, EVAL_OVERALL)->diff.estimate, 20.0 / 90, 1e-12);
    rig_close(&rig);
}

static void nothing_is_said(size_t runs)
{
    struct rig rig;

    REQUIRE(rig_open(&rig, 4, "a/direct,b/direct", runs));
    REQUIRE(eval_report(&rig.eval) == OK);
    CHECK_INT(eval_row_overall(&rig.eval, 0)->n, 0);
    CHECK_NEAR(eval_row_overall(&rig.eval, 0)->success.lower, 0, 0);
    CHECK_NEAR(eval_row_overall(&rig.eval, 0)->success.upper, 1, 0);
    CHECK_INT(pair_of(&rig, 0, EVAL_OVERALL)->verdict, STATS_INCONCLUSIVE);
    CHECK_INT(rig.eval.report->frontier_count, 0);
    CHECK_INT(rig.eval.report->refusals.len, 0);
    CHECK(!eval_is_unreachable(&rig.eval));
    rig_close(&rig);
}

static void an_empty_evaluation_says_nothing(void)
{
    nothing_is_said(1);
    nothing_is_said(2);
}

/* Three runs a question that always agree are no more than one: the interval must not shrink. */
static void clusters_runs_by_question(void)
{
    struct rig once, thrice;

    REQUIRE(rig_open(&once, 40, "a/direct,b/direct", 1));
    REQUIRE(rig_open(&thrice, 40, "a/direct,b/direct", 3));
    for (size_t q = 0; q < 40; q++) {
        for (size_t i = 0; i < 3; i++) {
            rig_run(&thrice, q, 0, i, q < 20);
            rig_run(&thrice, q, 1, i, q < 30);
        }
        rig_run(&once, q, 0, 0, q < 20);
        rig_run(&once, q, 1, 0, q < 30);
    }
    REQUIRE(eval_report(&once.eval) == OK);
    REQUIRE(eval_report(&thrice.eval) == OK);
    const struct eval_cell_row *row = eval_row_overall(&thrice.eval, 0);
    CHECK_INT(row->n, 120);
    CHECK_INT(row->questions, 40);
    double width = row->success.upper - row->success.lower;
    /* t(39, .975) = 2.0227 times sqrt(.5 * .5 / 39), doubled. */
    CHECK_NEAR(width, 2 * 2.0227 * sqrt(0.25 / 39), 1e-3);
    const struct eval_pair_row *pair = pair_of(&thrice, 0, EVAL_OVERALL);
    CHECK(pair->is_clustered);
    CHECK_INT(pair->n, 40);
    CHECK_NEAR(pair->diff.estimate, 0.25, 1e-12);
    double se = sqrt(0.25 * 0.75 / 39);
    CHECK_NEAR(pair->diff.lower, 0.25 - 2.0227 * se, 1e-3);
    CHECK_NEAR(pair->lower_one_sided, 0.25 - 1.6849 * se, 1e-3);
    CHECK_NEAR(pair->resolvable, 2.4865 * se, 1e-3);
    CHECK_INT(pair->verdict, STATS_SUPERIOR);
    CHECK_NEAR(pair->p, 0.000873, 1e-5); /* two-sided t(39) at 3.606 */
    rig_close(&once);
    rig_close(&thrice);
}

/* All right in all runs: the interval has a width all the same, that of so many questions. */
static void no_variance_is_no_certainty(void)
{
    struct rig rig;

    REQUIRE(rig_open(&rig, 23, "a/direct,b/direct", 5));
    for (size_t q = 0; q < 23; q++) {
        for (size_t i = 0; i < 5; i++) {
            rig_run(&rig, q, 0, i, true);
            rig_run(&rig, q, 1, i, true);
        }
    }
    REQUIRE(eval_report(&rig.eval) == OK);
    CHECK_NEAR(eval_row_overall(&rig.eval, 0)->success.estimate, 1, 0);
    CHECK_NEAR(eval_row_overall(&rig.eval, 0)->success.lower, 0.8518, 1e-3); /* .025^(1/23) */
    CHECK_INT(pair_of(&rig, 0, EVAL_OVERALL)->verdict, STATS_INCONCLUSIVE);
    CHECK(pair_of(&rig, 0, EVAL_OVERALL)->diff.upper > 0.1);
    CHECK_NEAR(pair_of(&rig, 0, EVAL_OVERALL)->p, 1, 0);
    rig_close(&rig);
}

/* a is right once of three, b twice, on every question: no variance, and no question that decides. */
static void constant_fractions_have_no_interval(void)
{
    struct rig rig;

    REQUIRE(rig_open(&rig, 30, "a/direct,b/direct", 3));
    for (size_t q = 0; q < 30; q++) {
        for (size_t i = 0; i < 3; i++) {
            rig_run(&rig, q, 0, i, i < 1);
            rig_run(&rig, q, 1, i, i < 2);
        }
    }
    REQUIRE(eval_report(&rig.eval) == OK);
    const struct eval_pair_row *pair = pair_of(&rig, 0, EVAL_OVERALL);
    CHECK_NEAR(pair->diff.estimate, 1.0 / 3, 1e-12);
    CHECK(pair->diff.lower <= -1 && pair->diff.upper >= 1);
    CHECK_INT(pair->verdict, STATS_INCONCLUSIVE);
    CHECK_NEAR(pair->p, 1, 0);
    rig_close(&rig);
}

/* One question with several runs, and few that differ: intervals stay within what can be. */
static void few_questions_have_wide_intervals(void)
{
    for (size_t n = 1; n <= 3; n++) {
        struct rig rig;
        REQUIRE(rig_open(&rig, n, "a/direct,b/direct", 2));
        for (size_t q = 0; q < n; q++) {
            for (size_t i = 0; i < 2; i++) {
                rig_run(&rig, q, 0, i, q == 0);
                rig_run(&rig, q, 1, i, q == 0 && i == 0);
            }
        }
        REQUIRE(eval_report(&rig.eval) == OK);
        const struct eval_cell_row *row = eval_row_overall(&rig.eval, 0);
        const struct eval_pair_row *pair = pair_of(&rig, 0, EVAL_OVERALL);
        CHECK(row->success.lower >= 0 && row->success.upper <= 1);
        CHECK(row->success.upper - row->success.lower > 0.5);
        CHECK(pair->diff.lower >= -1 && pair->diff.upper <= 1);
        CHECK(pair->lower_one_sided >= -1 && pair->upper_one_sided <= 1);
        CHECK_INT(pair->verdict, STATS_INCONCLUSIVE);
        rig_close(&rig);
    }
}

static void finds_the_frontier(void)
{
    /* success of 100, cost; c is dominated by b, d by a of the same cost, e equals b */
    static const struct {
        size_t right;
        nano_usd cost;
        bool is_optimal;
    } cells[] = { { 50, 100, true },
                  { 70, 200, true },
                  { 60, 300, false },
                  { 40, 100, false },
                  { 70, 200, true } };
    struct rig rig;

    REQUIRE(rig_open(&rig, 100, "a/direct,b/direct,c/direct,d/direct,e/direct", 1));
    for (size_t c = 0; c < ARRAY_LEN(cells); c++) {
        for (size_t q = 0; q < 100; q++)
            rig_run(&rig, q, c, 0, q < cells[c].right)->cost = cells[c].cost;
    }
    REQUIRE(eval_report(&rig.eval) == OK);
    const struct eval_report *r = rig.eval.report;
    REQUIRE(r->frontier_count == 5);
    for (size_t i = 0; i < 5; i++) {
        const struct eval_cell_row *row = &r->cells[r->frontier[i]];
        CHECK(row->domain == EVAL_OVERALL);
        CHECK(i == 0 || row->cost_per_query >= r->cells[r->frontier[i - 1]].cost_per_query);
        CHECK(r->is_optimal[i] == cells[row->cell].is_optimal);
    }
    rig_close(&rig);
}

static void measures_confidence(void)
{
    struct rig rig;

    REQUIRE(hundred(&rig));
    for (size_t q = 0; q < 100; q++) {
        struct eval_run *a = eval_run_at(&rig.eval.runs, q, 0, 0);
        struct eval_run *b = eval_run_at(&rig.eval.runs, q, 1, 0);
        a->raw_confidence = q % 2 == 0 ? 0.9 : 0.8;
        b->raw_confidence = 0.3 + (double)q / 1000;
        b->confidence = b->is_right ? 1 : 0;
    }
    REQUIRE(eval_report(&rig.eval) == OK);
    CHECK_NEAR(eval_row_overall(&rig.eval, 0)->confidence.mean, 0.85, 1e-9);
    CHECK(!eval_row_overall(&rig.eval, 0)->confidence.is_calibrated);
    CHECK(eval_row_overall(&rig.eval, 1)->confidence.is_calibrated);
    CHECK_NEAR(eval_row_overall(&rig.eval, 1)->confidence.mean, 0.8, 1e-9);
    CHECK_NEAR(eval_row_overall(&rig.eval, 1)->confidence.ece, 0, 1e-9);
    eval_run_at(&rig.eval.runs, 5, 1, 0)->confidence =
        -1; /* one that is not calibrated makes the row raw */
    REQUIRE(eval_report(&rig.eval) == OK);
    CHECK(!eval_row_overall(&rig.eval, 1)->confidence.is_calibrated);
    rig_close(&rig);
}

/* ---- refusals ---- */

static void refuses_latencies_without_variance(void)
{
    static const struct {
        int64_t latency_us;
        bool is_live;
        size_t questions;
        const char *refusal; /* NULL: none */
    } cases[] = {
        { 0, true, 5, "a/direct: every answer took no time" },
        { 700, true, 5, "a/direct: every answer took the same time" },
        { 700, true, 4, NULL },
        { 0, false, 5, NULL },
        { -1, true, 5, NULL },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig rig;
        REQUIRE(rig_open(&rig, cases[i].questions, "a/direct", 1));
        rig.kind.has_latency = cases[i].is_live;
        for (size_t q = 0; q < cases[i].questions; q++)
            rig_run(&rig, q, 0, 0, true)->latency_us = cases[i].latency_us;
        REQUIRE(eval_report(&rig.eval) == OK);
        CHECK(eval_is_refused(&rig.eval) == (cases[i].refusal != NULL));
        CHECK(!cases[i].refusal || refuses(&rig, cases[i].refusal));
        if (cases[i].questions == 5 && cases[i].refusal) {
            eval_run_at(&rig.eval.runs, 3, 0, 0)->latency_us++;
            REQUIRE(eval_report(&rig.eval) == OK);
            CHECK(!eval_is_refused(&rig.eval));
        }
        rig_close(&rig);
    }
}

static void refuses_one_answer_to_everything(void)
{
    struct rig rig;

    REQUIRE(rig_open(&rig, 6, "a/direct", 1));
    for (size_t q = 0; q < 6; q++)
        rig_run(&rig, q, 0, 0, q == 0)->answer = 77;
    REQUIRE(eval_report(&rig.eval) == OK);
    CHECK(refuses(&rig, "a/direct: every answer is the same"));
    eval_run_at(&rig.eval.runs, 5, 0, 0)->answer = 78;
    REQUIRE(eval_report(&rig.eval) == OK);
    CHECK(!eval_is_refused(&rig.eval));
    eval_run_at(&rig.eval.runs, 5, 0, 0)->answer = 77;
    for (size_t q = 0; q < 6; q++) /* five questions with one key may have one answer */
        rig.eval.questions.items[q].key = STR("yes");
    REQUIRE(eval_report(&rig.eval) == OK);
    CHECK(!eval_is_refused(&rig.eval));
    rig_close(&rig);
}

static void refuses_constant_confidence(void)
{
    struct rig rig;

    REQUIRE(rig_open(&rig, 20, "a/direct", 1));
    for (size_t q = 0; q < 20; q++)
        rig_run(&rig, q, 0, 0, true)->raw_confidence = 0.95;
    REQUIRE(eval_report(&rig.eval) == OK);
    CHECK(refuses(&rig, "a/direct: the confidence of all 20 answers is 0.95"));
    CHECK(eval_is_refused(&rig.eval));
    rig.eval.options.allows_simulated = true;
    REQUIRE(eval_report(&rig.eval) == OK);
    CHECK(!eval_is_refused(&rig.eval)); /* the sentence stays, as a label */
    CHECK(rig.eval.report->refusals.len > 0);
    rig.eval.options.allows_simulated = false;
    eval_run_at(&rig.eval.runs, 7, 0, 0)->raw_confidence = -1; /* 19 are too few to say so */
    REQUIRE(eval_report(&rig.eval) == OK);
    CHECK(!eval_is_refused(&rig.eval));
    eval_run_at(&rig.eval.runs, 7, 0, 0)->raw_confidence = 0.9;
    REQUIRE(eval_report(&rig.eval) == OK);
    CHECK(!eval_is_refused(&rig.eval));
    rig_close(&rig);
}

static void refuses_simulated_answers(void)
{
    struct rig rig;

    REQUIRE(rig_open(&rig, 6, "a/direct", 1));
    for (size_t q = 0; q < 6; q++)
        rig_run(&rig, q, 0, 0, true)->is_simulated = q == 4;
    REQUIRE(eval_report(&rig.eval) == OK);
    CHECK(refuses(&rig, "the provider is simulated"));
    CHECK(rig.eval.report->is_simulated);
    rig_close(&rig);
}

/* ---- what the exit code says ---- */

static void checks_expectations(void)
{
    static const struct {
        enum eval_expectation expects;
        const char *baseline;
        bool is_met;
    } cases[] = {
        { EVAL_EXPECT_NOTHING, "", true },
        { EVAL_EXPECT_NON_INFERIOR, "a/direct", true },
        { EVAL_EXPECT_SUPERIOR, "a/direct", true },
        { EVAL_EXPECT_NON_INFERIOR, "b/direct", false },
        { EVAL_EXPECT_SUPERIOR, "b/direct", false },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig rig;
        REQUIRE(hundred(&rig));
        rig.eval.options.expects = cases[i].expects;
        rig.eval.options.baseline = str_from(cases[i].baseline);
        REQUIRE(eval_report(&rig.eval) == OK);
        CHECK(eval_meets_expectation(&rig.eval) == cases[i].is_met);
        rig_close(&rig);
    }
}

/* Significantly worse, and still within the margin that was asked for. */
static void a_small_loss_within_the_margin_is_non_inferior(void)
{
    struct rig rig;

    REQUIRE(hundred(&rig));
    for (size_t q = 0; q < 100; q++)
        eval_run_at(&rig.eval.runs, q, 1, 0)->is_right = q < 54;
    rig.eval.options.margin = 0.2;
    rig.eval.options.baseline = STR("a/direct");
    rig.eval.options.expects = EVAL_EXPECT_NON_INFERIOR;
    REQUIRE(eval_report(&rig.eval) == OK);
    CHECK(pair_of(&rig, 0, EVAL_OVERALL)->diff.upper < 0);
    CHECK(eval_meets_expectation(&rig.eval));
    rig.eval.options.margin = 0.05;
    REQUIRE(eval_report(&rig.eval) == OK);
    CHECK(!eval_meets_expectation(&rig.eval));
    rig_close(&rig);
}

static void the_margin_is_one_sided(void)
{
    struct rig rig;

    REQUIRE(hundred(&rig));
    for (size_t q = 0; q < 100; q++)
        eval_run_at(&rig.eval.runs, q, 1, 0)->is_right = q < 54;
    rig.eval.options.baseline = STR("a/direct");
    rig.eval.options.expects = EVAL_EXPECT_NON_INFERIOR;
    REQUIRE(eval_report(&rig.eval) == OK);
    const struct eval_pair_row *pair = pair_of(&rig, 0, EVAL_OVERALL);
    REQUIRE(pair->lower_one_sided > pair->diff.lower);
    rig.eval.options.margin = -(pair->lower_one_sided + pair->diff.lower) / 2;
    CHECK(eval_meets_expectation(&rig.eval));
    rig.eval.options.margin = -pair->lower_one_sided;
    CHECK(!eval_meets_expectation(&rig.eval));
    rig_close(&rig);
}

static void what_is_due(void)
{
    static const struct {
        bool is_done, is_live;
        enum err fault;
        bool is_due;
    } cases[] = { { false, true, OK, true },
                  { true, true, OK, false },
                  { true, true, PROVIDER_CUT, true },
                  { true, false, PROVIDER_CUT, false },
                  { true, true, PROVIDER_AUTH, false },
                  { true, true, PROVIDER_GARBAGE, false },
                  { true, true, POLICY_BUDGET, false } };
    struct rig rig;

    REQUIRE(rig_open(&rig, 1, "a/direct", 1));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct eval_run run = { .is_done = cases[i].is_done, .fault = cases[i].fault };
        rig.kind.is_live = cases[i].is_live;
        CHECK(eval_run_is_due(&rig.eval, &run) == cases[i].is_due);
    }
    rig_close(&rig);
}

static void knows_an_unreachable_provider(void)
{
    struct rig rig;

    REQUIRE(rig_open(&rig, 3, "a/direct", 1));
    for (size_t q = 0; q < 3; q++)
        rig_run(&rig, q, 0, 0, false)->fault = PROVIDER_UNREACHABLE;
    REQUIRE(eval_report(&rig.eval) == OK);
    CHECK(eval_is_unreachable(&rig.eval));
    eval_run_at(&rig.eval.runs, 1, 0, 0)->fault = POLICY_BUDGET; /* ours, not theirs */
    REQUIRE(eval_report(&rig.eval) == OK);
    CHECK(!eval_is_unreachable(&rig.eval));
    eval_run_at(&rig.eval.runs, 1, 0, 0)->fault = OK;
    REQUIRE(eval_report(&rig.eval) == OK);
    CHECK(!eval_is_unreachable(&rig.eval));
    rig_close(&rig);
}

static void counts_labels(void)
{
    struct rig rig;

    REQUIRE(hundred(&rig));
    for (size_t q = 0; q < 10; q++)
        eval_run_at(&rig.eval.runs, q, 0, 0)->label = q < 7 ? EVAL_LABEL_RIGHT : EVAL_LABEL_WRONG;
    REQUIRE(eval_report(&rig.eval) == OK);
    CHECK_INT(eval_row_overall(&rig.eval, 0)->labelled, 10);
    CHECK_INT(eval_row_overall(&rig.eval, 0)->label_right, 7);
    CHECK_INT(eval_row_overall(&rig.eval, 0)->disputed, 3);
    CHECK_INT(eval_row_overall(&rig.eval, 1)->labelled, 0);
    rig_close(&rig);
}

TESTS(TEST(counts_cells), TEST(shows_the_maximum_of_few), TEST(knows_what_has_no_price),
      TEST(compares_pairs), TEST(the_cost_s_interval_covers_it), TEST(uses_common_questions_only),
      TEST(an_empty_evaluation_says_nothing), TEST(clusters_runs_by_question),
      TEST(no_variance_is_no_certainty), TEST(few_questions_have_wide_intervals),
      TEST(constant_fractions_have_no_interval), TEST(what_is_due), TEST(the_margin_is_one_sided),
      TEST(finds_the_frontier), TEST(measures_confidence), TEST(refuses_latencies_without_variance),
      TEST(refuses_one_answer_to_everything), TEST(refuses_constant_confidence),
      TEST(refuses_simulated_answers), TEST(checks_expectations),
      TEST(a_small_loss_within_the_margin_is_non_inferior), TEST(knows_an_unreachable_provider),
      TEST(counts_labels))
