/* SPDX-License-Identifier: Apache-2.0 */
/* daily: from ledgers written through the store to the figures: parts add up, savings are what they say. */
#include "app/report/report_rig_test.h"
#include "base/rng.h"

/* ---- sums ---- */

#define NAMES 6
static const str names[NAMES] = {
    { "stem", 4 }, { "", 0 },           { "x/canary", 8 },
    { "=1+1", 4 }, { "\x1b[2J\0a", 6 }, { "x/control", 9 },
};
static const str models[] = { { "big", 3 }, { "small", 5 }, { "unknown", 7 } };

static str name_draw(struct rng *r)
{
    return names[rng_below(r, NAMES)];
}

/* What a sum over the samples themselves gives, by whether they are simulated. */
struct expected {
    int64_t queries[2], calls[2], unpriced[2], succeeded;
    nano_usd cost[2], interrupted, failed, retried, failed_queries;
    nano_usd domain[NAMES];
};

static void expect_call(struct expected *x, const struct sample *s, bool is_failed, size_t domain)
{
    x->calls[s->is_simulated]++;
    if (s->is_unpriced && !s->is_interrupted) {
        x->unpriced[s->is_simulated]++;
        return;
    }
    x->cost[s->is_simulated] += s->cost;
    if (s->is_simulated)
        return;
    x->domain[domain] += s->cost;
    x->failed_queries += is_failed ? s->cost : 0;
    if (s->is_interrupted)
        x->interrupted += s->cost;
    else if (s->call_fault != OK)
        x->failed += s->cost;
    else if (s->attempts > 1)
        x->retried += s->cost;
}

static void random_query(struct world *w, struct rng *r, struct expected *x)
{
    size_t domain = rng_below(r, NAMES), calls = rng_below(r, 4);
    bool kinds[2] = { false, false }, is_outside = rng_below(r, 8) == 0;
    struct sample s = { .domain = names[domain],
                        .arm = name_draw(r),
                        .tenant = name_draw(r),
                        .strategy = name_draw(r),
                        .hrm = -1,
                        .trm = -1 };

    s.started = is_outside ? (rng_below(r, 2) ? DAY_FROM - 1 : DAY_TO)
                           : DAY_FROM + (int64_t)rng_below(r, (uint64_t)(24 * HOUR));
    s.query_fault = rng_below(r, 5) == 0 ? PROVIDER_CUT : OK;
    int64_t id = sample_begin(w, &s);
    for (size_t i = 0; i < calls; i++) {
        s.model = models[rng_below(r, ARRAY_LEN(models))];
        s.call_fault = rng_below(r, 6) == 0 ? PROVIDER_STALLED : OK;
        s.attempts = 1 + (int)rng_below(r, 3);
        s.is_simulated = rng_below(r, 4) == 0;
        s.is_unpriced = rng_below(r, 6) == 0;
        s.is_interrupted = !s.is_simulated && rng_below(r, 8) == 0;
        s.cost = (nano_usd)rng_below(r, INT64_C(1) << 40);
        s.input = (int64_t)rng_below(r, 5000);
        sample_call(w, id, (uint32_t)i + 1, &s);
        kinds[s.is_simulated] = true;
        if (!is_outside)
            expect_call(x, &s, s.query_fault != OK, domain);
    }
    sample_end(w, id, &s);
    if (is_outside)
        return;
    bool is_ours = kinds[0] || calls == 0;
    x->queries[0] += is_ours;
    x->queries[1] += kinds[1];
    x->succeeded += is_ours && s.query_fault == OK;
}

static nano_usd parts_sum(const struct report_parts *parts, int64_t *out_queries)
{
    nano_usd sum = 0;

    *out_queries = 0;
    for (size_t i = 0; i < parts->count; i++) {
        sum += parts->items[i].cost;
        *out_queries += parts->items[i].queries;
    }
    return sum;
}

static void check_kinds(const struct world *w, const struct expected *x)
{
    struct daily_kind kinds[DAILY_KINDS];
    nano_usd sum = 0;
    int64_t calls = 0;

    daily_kinds(&w->daily.calls, kinds);
    for (size_t i = 0; i < DAILY_KINDS; i++) {
        sum += kinds[i].cost;
        calls += kinds[i].calls;
    }
    CHECK_INT(sum, x->cost[0]);
    CHECK_INT(calls, x->calls[0]);
    CHECK_INT(kinds[1].cost, x->retried);
    CHECK_INT(kinds[2].cost, x->failed);
    CHECK_INT(kinds[3].cost, x->interrupted);
}

static void check_report(const struct world *w, const struct expected *x, bool sim)
{
    nano_usd sum = 0;
    int64_t queries, unpriced = 0;

    CHECK_INT(w->sums.total.queries, x->queries[sim]);
    CHECK_INT(w->sums.total.cost, x->cost[sim]);
    CHECK_INT(w->sums.total.unpriced_calls, x->unpriced[sim]);
    CHECK_INT(w->sums.other_cost, x->cost[!sim]);
    CHECK_INT(w->sums.other_calls, x->calls[!sim]);
    for (size_t a = REPORT_TOTAL + 1; a < REPORT_AXIS_COUNT; a++) {
        CHECK_INT(parts_sum(&w->sums.parts[a], &queries), x->cost[sim]);
        CHECK_INT(queries, x->queries[sim]);
    }
    for (size_t i = 0; i < w->daily.models_count; i++) {
        sum += w->daily.models[i].cost;
        unpriced += w->daily.models[i].unpriced;
    }
    CHECK_INT(sum, x->cost[sim]);
    CHECK_INT(unpriced, x->unpriced[sim]);
    CHECK_INT(w->daily.calls.calls, x->calls[sim]);
}

static void check_domains(const struct world *w, const struct expected *x)
{
    const struct report_parts *parts = &w->sums.parts[REPORT_DOMAIN];

    for (size_t i = 0; i < parts->count; i++) {
        CHECK(i == 0 || parts->items[i - 1].cost >= parts->items[i].cost);
        for (size_t n = 0; n < NAMES; n++) {
            if (str_eq(names[n], parts->items[i].name))
                CHECK_INT(parts->items[i].cost, x->domain[n]);
        }
    }
}

static void parts_add_up_to_the_nano_dollar(void)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct world w;
        struct expected x = { 0 };
        struct rng r;
        REQUIRE(world_open(&w));
        rng_init(&r, seed);
        for (int i = 0; i < 200; i++)
            random_query(&w, &r, &x);
        world_seal(&w);
        world_report(&w, false, "big");
        check_report(&w, &x, false);
        check_kinds(&w, &x);
        check_domains(&w, &x);
        CHECK_INT(w.sums.total.succeeded, x.succeeded);
        CHECK_INT(w.sums.total.failed_cost, x.failed_queries);
        world_report(&w, true, "big");
        check_report(&w, &x, true);
        world_fini(&w);
    }
}

/* ---- what the figures say ---- */

static void repriced_goes_by_the_price_of_the_day(void)
{
    struct world w;

    REQUIRE(world_open(&w));
    sample_add(&w, &(struct sample){ SMALL_1000 });
    sample_add(&w, &(struct sample){ SMALL_1000, .is_unpriced = true });
    sample_add(&w, &(struct sample){ SMALL_1000, .is_interrupted = true });
    world_seal(&w);
    world_report(&w, false, "big");
    /* 600 × 2000 + 400 × 1000 + 100 × 8000: today's price, cached tokens apart. */
    CHECK(w.daily.repriced.is_priced);
    CHECK_INT(w.daily.repriced.baseline_cost, 2400000);
    CHECK_INT(w.daily.repriced.cost, 120000);
    CHECK_INT(w.daily.repriced.savings, 2280000);
    CHECK_NEAR(w.daily.repriced.percentage, 95, 1e-12);
    CHECK_INT(w.daily.repriced.left_out, 2);
    CHECK_INT(w.daily.average,
              120000); /* (120000 + 120000) / 2: the interrupted one counts at its reserve */
    CHECK_INT(w.sums.total.priced.n, 2);
    world_report(&w, false, "nobody");
    CHECK(!w.daily.repriced.is_priced);
    CHECK_INT(w.daily.repriced.left_out, 3);
    CHECK(str_find(world_write(&w, DAILY_JSON), STR("\"baseline_cost_nano_usd\":null")) !=
          STR_NPOS);
    world_fini(&w);
}

static void confidences_say_what_they_are(void)
{
    struct world w;
    static const double hrm[] = { 0.8, 0.9, 1.0 };

    REQUIRE(world_open(&w));
    for (size_t i = 0; i < ARRAY_LEN(hrm); i++)
        sample_add(&w, &(struct sample){ .hrm = hrm[i], .trm = -1, .is_calibrated = i < 2 });
    sample_add(&w, &(struct sample){ .hrm = -1, .trm = -1 });
    world_seal(&w);
    world_report(&w, false, "big");
    CHECK_INT(w.daily.hrm.n, 3);
    CHECK_NEAR(w.daily.hrm.mean, 0.9, 1e-12);
    CHECK_NEAR(w.daily.hrm.sd, 0.1, 1e-9);
    CHECK_INT(w.daily.trm.n, 0);
    CHECK_STR(str_from(daily_confidence_label(&w.daily)), STR("partly calibrated"));
    world_fini(&w);
}

static void days_have_only_their_own(void)
{
    struct world w;

    REQUIRE(world_open(&w));
    sample_add(&w, &(struct sample){ SMALL_1000, .started = DAY_FROM - 1 });
    sample_add(&w, &(struct sample){ SMALL_1000, .started = DAY_FROM });
    sample_add(&w, &(struct sample){ SMALL_1000, .started = DAY_TO - 1 });
    sample_add(&w, &(struct sample){ SMALL_1000, .started = DAY_TO });
    world_seal(&w);
    world_report(&w, false, "big");
    CHECK_INT(w.sums.total.queries, 2);
    CHECK_INT(w.daily.calls.calls, 2);
    world_fini(&w);
}

static void nothing_is_said_of_no_traffic(void)
{
    struct world w;

    REQUIRE(world_open(&w));
    world_seal(&w);
    world_report(&w, false, "big");
    CHECK(w.daily.basis == BASIS_NO_TRAFFIC);
    CHECK(w.daily.average == COST_UNPRICED);
    CHECK(str_find(world_write(&w, DAILY_TEXT), STR("no queries of this day")) != STR_NPOS);
    CHECK(str_find(world_write(&w, DAILY_JSON), STR("\"success_rate\":null")) != STR_NPOS);
    world_fini(&w);
}

/* ---- the recommendation, and what it follows from ---- */

/* n queries an arm; costs spread by ±10 %, every `fails`-th query fails. */
static void arm_add(struct world *w, const char *label, int n, nano_usd cost, int fails)
{
    for (int i = 1; i <= n; i++) {
        struct sample s = { SMALL_1000, .arm = str_from(label) };
        s.cost = cost + cost / 10 * (i % 3 - 1);
        s.query_fault = fails && i % fails == 0 ? PROVIDER_CUT : OK;
        sample_add(w, &s);
    }
}

static void recommendations_follow_from_evidence(void)
{
    static const struct {
        nano_usd canary, control;
        int canary_n, canary_fails, control_fails;
        enum daily_basis basis;
        const char *says;
    } rows[] = {
        { 100000, 900000, 300, 0, 0, BASIS_MEASURED, "Continue with x/canary" },
        { 900000, 100000, 300, 0, 0, BASIS_MEASURED, "Reconsider x/canary" },
        { 100000, 900000, 300, 12, 0, BASIS_MEASURED, "Do not widen x/canary" },
        { 100000, 900000, 300, 3, 3, BASIS_FAILURES, "PROVIDER_CUT" },
        { 100000, 900000, 20, 0, 0, BASIS_REPRICED, "Give a share" },
        { 100000, 100000, 300, 0, 0, BASIS_REPRICED, "Give a share" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct world w;
        REQUIRE(world_open(&w));
        arm_add(&w, "x/canary", rows[i].canary_n, rows[i].canary, rows[i].canary_fails);
        arm_add(&w, "x/control", 200, rows[i].control, rows[i].control_fails);
        arm_add(&w, "x/holdback", 100, rows[i].control, rows[i].control_fails);
        arm_add(&w, "y/control", 50, 77, 0); /* of another rollout: no control of x */
        world_seal(&w);
        world_report(&w, false, "big");
        REQUIRE(w.daily.measures_count == 1);
        CHECK_INT(w.daily.measures[0].control.n, 300);
        CHECK_INT(w.daily.basis, rows[i].basis);
        if (str_find(w.daily.recommendation, str_from(rows[i].says)) == STR_NPOS)
            CHECK_STR(w.daily.recommendation, str_from(rows[i].says));
        world_fini(&w);
    }
}

static void the_measured_saving_is_the_difference_of_means(void)
{
    struct world w;

    REQUIRE(world_open(&w));
    arm_add(&w, "x/canary", 300, 100000000, 0);
    arm_add(&w, "x/control", 300, 400000000, 0);
    world_seal(&w);
    world_report(&w, false, "big");
    REQUIRE(w.daily.measures_count == 1);
    const struct daily_measure *m = &w.daily.measures[0];
    CHECK(m->saved.is_valid);
    CHECK_NEAR(m->saved.diff.estimate, 0.3, 1e-12);
    CHECK(m->saved.diff.lower > 0.28 && m->saved.diff.lower < 0.3 && m->saved.diff.upper > 0.3);
    CHECK_NEAR(m->saved_percentage, 75, 1e-9);
    CHECK_STR(m->experiment, STR("x"));
    CHECK_STR(m->arm, STR("canary"));
    world_fini(&w);
}

/* Queries of no arm are no experiment's, an arm without a control cannot be compared. */
static void only_arms_with_a_control_are_measured(void)
{
    struct world w;

    REQUIRE(world_open(&w));
    arm_add(&w, "", 5, 100, 0);
    arm_add(&w, "control", 5, 100, 0);
    arm_add(&w, "x/canary", 5, 100, 0);
    world_seal(&w);
    world_report(&w, false, "big");
    CHECK_INT(w.daily.measures_count, 0);
    CHECK(str_find(world_write(&w, DAILY_TEXT), STR("not measured: no control traffic")) !=
          STR_NPOS);
    CHECK(str_find(world_write(&w, DAILY_JSON), STR("\"is_measured\":false")) != STR_NPOS);
    world_fini(&w);
}

static void averages_are_rounded_to_the_nearest(void)
{
    static const struct {
        nano_usd costs[3];
        size_t n;
        nano_usd average;
    } rows[] = {
        { { 1, 2 }, 2, 2 },    { { 1, 1, 2 }, 3, 1 }, { { 1, 2, 2 }, 3, 2 },
        { { 0, 0, 1 }, 3, 0 }, { { 7 }, 1, 7 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct world w;
        REQUIRE(world_open(&w));
        for (size_t n = 0; n < rows[i].n; n++)
            sample_add(&w, &(struct sample){ .cost = rows[i].costs[n], .hrm = -1, .trm = -1 });
        world_seal(&w);
        world_report(&w, false, "big");
        CHECK_INT(w.daily.average, rows[i].average);
        world_fini(&w);
    }
}

static void route_add(struct world *w, int64_t id, bool is_explored)
{
    ledger_route(w->ledger, &(struct ledger_route){ .query = id,
                                                    .scorer = STR("seed_v1"),
                                                    .score = 0.5,
                                                    .strategy = STR("direct"),
                                                    .model = STR("small"),
                                                    .propensity = 1,
                                                    .is_explored = is_explored,
                                                    .domain = STR("stem"),
                                                    .domain_probability = -1,
                                                    .quality = -1,
                                                    .cost = COST_UNPRICED });
}

static void labels_and_routes_are_counted(void)
{
    static const double values[] = { 0, 0.49, 0.5, 0.55, 1 };
    struct world w;

    REQUIRE(world_open(&w));
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        const struct sample s = { SMALL_1000, .is_simulated = i == 4 };
        int64_t id = sample_begin(&w, &s);
        route_add(&w, id, i < 2);
        sample_call(&w, id, 1, &s);
        sample_end(&w, id, &s);
        ledger_label(w.ledger, &(struct ledger_label){ .query = id,
                                                       .source = LABEL_FEEDBACK,
                                                       .value = values[i],
                                                       .labelled = DAY_TO });
    }
    /* Of a query that is not there. */
    ledger_label(w.ledger, &(struct ledger_label){ .query = 1, .source = LABEL_AUDIT, .value = 1 });
    world_seal(&w);
    world_report(&w, false, "big");
    CHECK_INT(w.sums.labels[LABEL_FEEDBACK].n, 4);
    CHECK_INT(w.sums.labels[LABEL_FEEDBACK].right, 2);
    CHECK_INT(w.sums.labels[LABEL_AUDIT].n, 0);
    CHECK_INT(w.sums.routed, 4);
    CHECK_INT(w.sums.explored, 2);
    CHECK(str_find(world_write(&w, DAILY_TEXT), STR("50.0% (2 of 4;")) != STR_NPOS);
    world_report(&w, true, "big");
    CHECK_INT(w.sums.labels[LABEL_FEEDBACK].right, 1);
    CHECK_INT(w.sums.routed, 1);
    world_fini(&w);
}

/* Sums that no integer holds are refused, not wrapped. */
static void sums_beyond_64_bits_are_refused(void)
{
    const struct report_span span = { DAY_FROM, DAY_TO, false };
    struct world w;
    char why[256] = "";

    REQUIRE(world_open(&w));
    for (int i = 0; i < 2; i++)
        sample_add(&w, &(struct sample){ .cost = INT64_MAX - 1, .hrm = -1, .trm = -1 });
    world_seal(&w);
    CHECK_ERR(store_read_report(str_from(w.directory), &span, &w.arena, &w.sums, why), WEIR_STORE);
    CHECK(str_find(str_from(why), STR("overflow")) != STR_NPOS);
    world_fini(&w);
}

static void unpriced_calls_are_said(void)
{
    struct world w;

    REQUIRE(world_open(&w));
    sample_add(&w, &(struct sample){ SMALL_1000 });
    sample_add(&w, &(struct sample){
                       .model = STR("new\nmodel"), .is_unpriced = true, .hrm = -1, .trm = -1 });
    world_seal(&w);
    world_report(&w, false, "big");
    CHECK(w.daily.basis == BASIS_UNPRICED);
    CHECK(str_find(w.daily.recommendation, STR("new\\x0amodel: 1 of 2 calls")) != STR_NPOS);
    /* Of an hour nobody counted them: the field is empty, and not 0. */
    str csv = world_write(&w, DAILY_CSV);
    CHECK(str_find(csv, STR("total,\"\",2,2,1.000000,0.342380,1.000000,,1,120000,")) != STR_NPOS);
    CHECK(str_find(csv, STR("hour,\"12:00\",2,2,1.000000,0.342380,1.000000,,,120000,")) !=
          STR_NPOS);
    world_fini(&w);
}

TESTS(TEST(parts_add_up_to_the_nano_dollar), TEST(repriced_goes_by_the_price_of_the_day),
      TEST(confidences_say_what_they_are), TEST(days_have_only_their_own),
      TEST(nothing_is_said_of_no_traffic), TEST(recommendations_follow_from_evidence),
      TEST(the_measured_saving_is_the_difference_of_means),
      TEST(only_arms_with_a_control_are_measured), TEST(averages_are_rounded_to_the_nearest),
      TEST(labels_and_routes_are_counted), TEST(sums_beyond_64_bits_are_refused),
      TEST(unpriced_calls_are_said))
