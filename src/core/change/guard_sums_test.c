/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of what guards count: wagers against core/stats, what each metric takes for harm, sums that merge
 * and survive being written, evidence that does.
 */
#include "core/change/guards_rig_test.h"

static void a_wager_is_a_guard(void)
{
    struct rng rng;

    rng_init(&rng, 1);
    for (int run = 0; run < 50; run++) {
        struct guard slow = { .n = 0 };
        struct wager fast = { .pending = 0 }, parts[2] = { { .pending = 0 } };
        size_t n = rng_below(&rng, 200);
        for (size_t i = 0; i < n; i++) {
            double x = run % 2 ? rng_unit(&rng) : exp(3 * rng_normal(&rng)), limit = 0.05;
            guard_add(&slow, x, limit);
            wager_add(&fast, x / limit - 1);
            wager_add(&parts[rng_below(&rng, 2)], x / limit - 1);
            if (rng_below(&rng, 40) == 0)
                wager_settle(&fast);
        }
        double want = guard_log_e(&slow), tolerance = 1e-11 * (1 + fabs(want));
        CHECK_NEAR(wager_log_e(&fast), want, tolerance);
        wager_merge(&parts[0], &parts[1]);
        CHECK_NEAR(wager_log_e(&parts[0]), want, tolerance);
        wager_settle(&fast);
        CHECK_INT(fast.pending, 0);
        CHECK_NEAR(wager_log_e(&fast), want, tolerance);
    }
}

static void a_wager_stays_finite(void)
{
    struct wager rich = { .pending = 0 }, poor = { .pending = 0 };

    for (int i = 0; i < 1000; i++) {
        wager_add(&rich, WAGER_GAIN_MAX);
        wager_add(&poor, -1);
    }
    CHECK(isfinite(wager_log_e(&rich)) && wager_log_e(&rich) > 40000);
    CHECK(isfinite(wager_log_e(&poor)) && wager_log_e(&poor) < 0);
    CHECK_NEAR(wager_log_e(&(struct wager){ .pending = 0 }), 0, 0);
}

static void harm_is_what_lies_beyond_the_limit(void)
{
    struct {
        const char *name;
        enum change_metric metric;
        struct outcome outcome;
        int n, missing, over_warn, over_trip;
    } rows[] = {
        { "success", CHANGE_SUCCESS_RATE, good, 1, 0, 0, 0 },
        { "failure", CHANGE_SUCCESS_RATE, good, 1, 0, 1, 1 },
        { "a failure is no error by itself", CHANGE_ERROR_RATE, good, 1, 0, 0, 0 },
        { "error", CHANGE_ERROR_RATE, good, 1, 0, 1, 1 },
        { "confidence at the floor", CHANGE_HRM_CONFIDENCE_MEAN, good, 1, 0, 1, 0 },
        { "confidence between warn and trip", CHANGE_HRM_CONFIDENCE_MEAN, good, 1, 0, 1, 0 },
        { "low confidence", CHANGE_TRM_CONFIDENCE_MEAN, good, 1, 0, 1, 1 },
        { "no confidence", CHANGE_TRM_CONFIDENCE_MEAN, good, 0, 1, 0, 0 },
        { "no number", CHANGE_TRM_CONFIDENCE_MEAN, good, 0, 1, 0, 0 },
        { "cost at the limit", CHANGE_COST_PER_QUERY, good, 1, 0, 1, 0 },
        { "costly", CHANGE_COST_PER_QUERY, good, 1, 0, 1, 1 },
        { "free", CHANGE_COST_PER_QUERY, good, 1, 0, 0, 0 },
        { "unpriced", CHANGE_COST_PER_QUERY, good, 0, 1, 0, 0 },
        { "at the latency limit", CHANGE_LATENCY_P95, good, 1, 0, 1, 0 },
        { "slow", CHANGE_LATENCY_P95, good, 1, 0, 1, 1 },
    };
    struct guard_plan plan = default_plan();

    rows[1].outcome.is_success = false;
    rows[2].outcome.is_success = false;
    rows[3].outcome.is_error = true;
    rows[4].outcome.hrm_confidence = 0.75;
    rows[5].outcome.hrm_confidence = 0.79;
    rows[6].outcome.trm_confidence = 0.69;
    rows[7].outcome.trm_confidence = -1;
    rows[8].outcome.trm_confidence = NAN;
    rows[9].outcome.cost = 10000000;
    rows[10].outcome.cost = 10000001;
    rows[11].outcome.cost = 0;
    rows[12].outcome.cost = COST_UNPRICED;
    rows[13].outcome.latency = 5 * NSEC_PER_SEC;
    rows[14].outcome.latency = 5 * NSEC_PER_SEC + 1;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct change_sums sums = { .is_promoted = false };
        const struct guard_sums *s = &sums.arms[SIDE_CONTROL].metrics[rows[i].metric];
        change_sums_add(&sums, &plan, SIDE_CONTROL, &rows[i].outcome);
        if (s->n != rows[i].n || s->over_trip != rows[i].over_trip ||
            s->over_warn != rows[i].over_warn)
            fprintf(stderr, "row '%s'\n", rows[i].name);
        CHECK_INT(s->n, rows[i].n);
        CHECK_INT(s->missing, rows[i].missing);
        CHECK_INT(s->over_warn, rows[i].over_warn);
        CHECK_INT(s->over_trip, rows[i].over_trip);
        CHECK_INT(sums.arms[SIDE_CANARY].outcomes, 0);
    }
}

static void cached_answers_are_counted_apart(void)
{
    struct guard_plan plan = default_plan();
    struct change_sums sums = { .is_promoted = true };
    struct outcome cached = good;

    cached.is_cached = true;
    cached.is_success = false;
    for (int i = 0; i < 50; i++)
        change_sums_add(&sums, &plan, SIDE_CANARY, &cached);
    CHECK_INT(sums.arms[SIDE_CANARY].cached, 50);
    CHECK_INT(sums.arms[SIDE_CANARY].outcomes, 0);
    CHECK_INT(sums.arms[SIDE_CANARY].metrics[CHANGE_SUCCESS_RATE].n, 0);
    CHECK_INT(sums.waiting[CHANGE_SUCCESS_RATE].canary_n, 0);
}

/* Each metric has its own: an outcome without a confidence waits for no block of confidences. */
static void each_metric_has_its_blocks(void)
{
    struct guard_plan plan = default_plan();
    struct change_sums sums = { .is_promoted = false };
    struct outcome bad = good;
    const struct block_counts *success = &sums.blocks[CHANGE_SUCCESS_RATE].sizes[0],
                              *trm = &sums.blocks[CHANGE_TRM_CONFIDENCE_MEAN].sizes[0];

    bad.is_success = false;
    bad.trm_confidence = -1;
    change_sums_add(&sums, &plan, SIDE_CANARY, &bad);
    change_sums_add(&sums, &plan, SIDE_CONTROL, &good);
    CHECK_INT(success->canary[1], 1);
    CHECK_INT(success->control[0], 1);
    CHECK_INT(trm->canary[0] + trm->canary[1], 0);
    change_sums_add(&sums, &plan, SIDE_CANARY, &good);
    CHECK_INT(trm->canary[0], 1); /* with the control's that has waited */
    CHECK_INT(trm->control[0], 1);
    CHECK_INT(sums.waiting[CHANGE_SUCCESS_RATE].canary_n, 1);
}

static void sums_merge(void)
{
    struct guard_plan plan = default_plan();
    struct change_sums whole = { .is_promoted = true }, parts[3] = { { .is_promoted = true } },
                       total = whole;
    struct rng rng;

    rng_init(&rng, 18);
    for (int i = 0; i < 3000; i++) {
        struct outcome o = outcome_draw(&rng, 0.03);
        enum change_side side = (enum change_side)rng_below(&rng, SIDE_COUNT);
        parts[1].is_promoted = parts[2].is_promoted = true;
        change_sums_add(&whole, &plan, side, &o);
        change_sums_add(&parts[rng_below(&rng, 3)], &plan, side, &o);
    }
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        change_sums_merge(&total, &parts[i]);
    for (size_t g = 0; g < plan.count; g++) {
        struct guard_evidence a, b;
        guard_read(&plan, &whole, g, &a);
        guard_read(&plan, &total, g, &b);
        CHECK_INT(b.n, a.n);
        CHECK_INT(b.missing, a.missing);
        CHECK_INT(b.control_n, a.control_n);
        CHECK(b.log_e >= a.log_e - 1e-9 * fabs(a.log_e)); /* what began later is less diluted */
        CHECK(b.log_e <= a.log_e + 5);
        CHECK_NEAR(b.log_e_warn, a.log_e_warn, 1e-9 * fabs(a.log_e_warn));
        CHECK_NEAR(b.log_e_shown, a.log_e_shown, 1e-9 * fabs(a.log_e_shown));
        CHECK_NEAR(b.control_log_e, a.control_log_e, 1e-9 * fabs(a.control_log_e));
        CHECK_NEAR(b.value.upper, a.value.upper, 1e-9 * fabs(a.value.upper));
        CHECK(b.detector > 0);
    }
    CHECK(total.blocks[CHANGE_SUCCESS_RATE].sizes[0].control[0] > 500);
    CHECK_INT(total.arms[0].outcomes + total.arms[1].outcomes, 3000);
}

static bool json_of(struct arena *a, const struct buf *text, struct json *out)
{
    return json_parse(a, buf_str(text), out, NULL) == OK;
}

static void sums_come_back_in_every_bit(void)
{
    struct guard_plan plan = default_plan();
    struct rng rng;

    rng_init(&rng, 19);
    for (int run = 0; run < 60; run++) {
        struct change_sums sums = { .is_promoted = run % 2 == 1 }, back;
        struct buf once = { 0 }, twice = { 0 };
        struct arena a;
        struct json v;
        const char *what = "";
        size_t n = rng_below(&rng, run < 5 ? 3 : 400);
        arena_init(&a, 1 << 20);
        for (size_t i = 0; i < n; i++) {
            struct outcome o = outcome_draw(&rng, 0.05);
            o.is_cached = rng_below(&rng, 20) == 0;
            change_sums_add(&sums, &plan, (enum change_side)rng_below(&rng, SIDE_COUNT), &o);
        }
        change_sums_write(&sums, &once);
        REQUIRE(json_of(&a, &once, &v));
        CHECK_ERR(change_sums_read(v, &back, &what), OK);
        change_sums_write(&back, &twice);
        CHECK_STR(buf_str(&twice), buf_str(&once));
        for (int i = 0; i < 40; i++) { /* and goes on as the other does */
            struct outcome o = outcome_draw(&rng, 0.5);
            enum change_side side = (enum change_side)rng_below(&rng, SIDE_COUNT);
            change_sums_add(&sums, &plan, side, &o);
            change_sums_add(&back, &plan, side, &o);
        }
        for (size_t g = 0; g < plan.count; g++) {
            struct guard_evidence e, f;
            memset(&e, 0, sizeof(e));
            memset(&f, 0, sizeof(f));
            guard_read(&plan, &sums, g, &e);
            guard_read(&plan, &back, g, &f);
            CHECK_NEAR(f.log_e, e.log_e, 0);
            CHECK_NEAR(f.log_e_shown, e.log_e_shown, 0);
            CHECK_NEAR(f.control_log_e, e.control_log_e, 0);
            CHECK_NEAR(f.blocks_log_e, e.blocks_log_e, 0);
            CHECK_NEAR(f.detector, e.detector, 0);
            CHECK_NEAR(f.value.lower, e.value.lower, 0);
        }
        arena_fini(&a);
        buf_fini(&once);
        buf_fini(&twice);
    }
}

/* The text with one occurrence of `from` replaced. */
static void replaced(struct buf *out, str text, const char *from, const char *to)
{
    size_t at = str_find(text, str_from(from));

    buf_reset(out);
    REQUIRE(at != STR_NPOS);
    buf_add(out, str_slice(text, 0, at));
    buf_add(out, str_from(to));
    buf_add(out, str_slice(text, at + strlen(from), text.len));
}

static void damaged_sums_are_refused(void)
{
    static const char *const rows[][2] = {
        { "\"version\":1", "\"version\":2" },
        { "\"version\":1", "\"version\":\"1\"" },
        { "\"outcomes\":4", "\"outcomes\":-1" },
        { "\"outcomes\":4", "\"outcomes\":1e300" },
        { "\"cached\":0", "\"cached\":0.5" },
        { "\"n\":4", "\"n\":1" },
        { "\"n\":4", "\"n\":null" },
        { "\"over_warn\":2", "\"over_warn\":5" },
        { "\"over_trip\":2", "\"over_trip\":5" },
        { "\"sum\":0", "\"sum\":-1" },
        { "\"sum_squares\":0", "\"sum_squares\":\"x\"" },
        { "\"trip\":[", "\"trip\":[0," },
        { "\"trip\":[", "\"trip\":7,\"x\":[" },
        { "\"detector\":[", "\"detector\":[-1],\"x\":[" },
        { "\"detector_n\":4", "\"detector_n\":5" },
        { "\"success_rate\":", "\"sucess_rate\":" },
        { "\"success_rate\":[", "\"success_rate\":[1," },
        { "\"success_rate\":[1", "\"success_rate\":[-1" },
        { "\"over_advance\":2", "\"over_advance\":5" },
        { "\"onset\":[", "\"onset\":[-1],\"x\":[" },
        { "\"onset_n\":4", "\"onset_n\":5" },
        { "\"onset_n\":4", "\"onset_n\":0" },
        { "\"onset_streams\":1", "\"onset_streams\":5" },
        { "\"onset_streams\":1", "\"onset_streams\":0" },
        { "\"is_promoted\":true", "\"is_promoted\":1" },
        { "\"canary\":", "\"canery\":" },
        { "\"control\":", "\"contrl\":" },
        { "\"blocks\":", "\"block\":" },
    };
    struct guard_plan plan = default_plan();
    struct change_sums sums = { .is_promoted = true };
    struct buf text = { 0 }, bad = { 0 };
    struct outcome failed = good;

    failed.is_success = false;
    change_sums_add(&sums, &plan, SIDE_CANARY, &good);
    change_sums_add(&sums, &plan, SIDE_CONTROL, &good);
    change_sums_add(&sums, &plan, SIDE_CANARY, &good);
    change_sums_add(&sums, &plan, SIDE_CANARY, &failed);
    change_sums_add(&sums, &plan, SIDE_CANARY, &failed);
    change_sums_write(&sums, &text);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct change_sums out = { .is_promoted = false };
        const char *what = NULL;
        struct arena a;
        struct json v;
        arena_init(&a, 1 << 20);
        replaced(&bad, buf_str(&text), rows[i][0], rows[i][1]);
        REQUIRE(json_of(&a, &bad, &v));
        enum err result = change_sums_read(v, &out, &what);
        if (result == OK)
            fprintf(stderr, "row '%s'\n", rows[i][1]);
        CHECK_ERR(result, CALLER_BAD_REQUEST);
        CHECK(what != NULL);
        CHECK(!out.is_promoted);
        arena_fini(&a);
    }
    buf_fini(&text);
    buf_fini(&bad);
}

static void evidence_comes_back(void)
{
    struct guard_evidence e = {
        .metric = CHANGE_LATENCY_P95,
        .verdict = GUARD_TRIPPED,
        .is_warned = true,
        .is_compared = true,
        .tripped_by = GUARD_BY_LIMIT | GUARD_BY_CONTROL,
        .n = 12,
        .missing = 1,
        .value = { 0.5, 0.25, 0.75 },
        .log_e = 9.5,
        .log_e_warn = 10,
        .log_e_shown = -3,
        .detector = 1.5,
        .control_n = 10,
        .control_value = 0.1,
        .control_log_e = -1,
        .blocks_log_e = 7,
        .diff = { 0.4, 0.1, INFINITY },
    };
    struct guard_evidence back;
    struct buf once = { 0 }, twice = { 0 };
    struct arena a;
    struct json v;

    arena_init(&a, 1 << 20);
    guard_evidence_write(&e, &once);
    REQUIRE(json_of(&a, &once, &v));
    REQUIRE(guard_evidence_read(v, &back) == OK);
    CHECK_INT(back.metric, e.metric);
    CHECK_INT(back.verdict, e.verdict);
    CHECK_INT(back.tripped_by, e.tripped_by);
    CHECK(isinf(back.diff.upper));
    guard_evidence_write(&back, &twice);
    CHECK_STR(buf_str(&twice), buf_str(&once));
    CHECK(str_find(buf_str(&once), STR("\"tripped_by\":[\"limit\",\"control\"]")) != STR_NPOS);
    static const char *const rows[][2] = {
        { "latency_p95", "latency" },          { "tripped\"", "triped\"" },
        { "\"limit\"", "\"limits\"" },         { "\"n\":12", "\"n\":-12" },
        { "\"log_e\":9.5", "\"log_e\":null" }, { "\"is_warned\":true", "\"is_warned\":1" }
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        replaced(&twice, buf_str(&once), rows[i][0], rows[i][1]);
        REQUIRE(json_of(&a, &twice, &v));
        CHECK_ERR(guard_evidence_read(v, &back), CALLER_BAD_REQUEST);
    }
    arena_fini(&a);
    buf_fini(&once);
    buf_fini(&twice);
}

TESTS(TEST(harm_is_what_lies_beyond_the_limit), TEST(cached_answers_are_counted_apart),
      TEST(a_wager_is_a_guard), TEST(a_wager_stays_finite), TEST(each_metric_has_its_blocks),
      TEST(sums_merge), TEST(sums_come_back_in_every_bit), TEST(damaged_sums_are_refused),
      TEST(evidence_comes_back))
