/* SPDX-License-Identifier: Apache-2.0 */
/* guards' tests: what is refused, what guards say and when, by the reference's figures, and against the control. */
#include <stdlib.h>

#include "core/change/guards_rig_test.h"

/* ---- the plan ---- */

static const struct {
    struct guard_spec spec;
    const char *where; /* NULL: fine */
    const char *what;
} limits[] = {
    { { .metric = CHANGE_SUCCESS_RATE, .trip = 0.95 }, NULL, NULL },
    { { .metric = CHANGE_SUCCESS_RATE, .trip = 0 }, "guards.0.trip", "never trip" },
    { { .metric = CHANGE_SUCCESS_RATE, .trip = -1 }, "guards.0.trip", "never trip" },
    { { .metric = CHANGE_SUCCESS_RATE, .trip = 1 }, "guards.0.trip", "always trips" },
    { { .metric = CHANGE_SUCCESS_RATE, .trip = 95 }, "guards.0.trip", "always trips" },
    { { .metric = CHANGE_SUCCESS_RATE, .trip = NAN }, "guards.0.trip", "never trip" },
    { { .metric = CHANGE_ERROR_RATE, .trip = 1 }, "guards.0.trip", "never trip" },
    { { .metric = CHANGE_ERROR_RATE, .trip = 0 }, "guards.0.trip", "always trips" },
    { { .metric = CHANGE_HRM_CONFIDENCE_MEAN, .trip = 0 }, "guards.0.trip", "never trip" },
    { { .metric = CHANGE_COST_PER_QUERY, .trip = 50000000 }, "guards.0.trip", "never trip" },
    { { .metric = CHANGE_COST_PER_QUERY, .trip = 49999999 }, NULL, NULL },
    { { .metric = CHANGE_COST_PER_QUERY, .trip = 0.01 }, "guards.0.trip", "at least 1" },
    { { .metric = CHANGE_LATENCY_P95, .trip = 30e9 }, "guards.0.trip", "never trip" },
    { { .metric = CHANGE_LATENCY_P95, .trip = 29e9 }, NULL, NULL },
    { { .metric = CHANGE_LATENCY_P95, .trip = INFINITY }, "guards.0.trip", "at least 1" },
    { { .metric = CHANGE_LATENCY_P95, .trip = 5e9, .warn = 6e9 },
      "guards.0.warn",
      "before it warns" },
    { { .metric = CHANGE_SUCCESS_RATE, .trip = 0.95, .warn = 0.9 },
      "guards.0.warn",
      "before it warns" },
    { { .metric = CHANGE_SUCCESS_RATE, .trip = 0.95, .warn = 1.5 },
      "guards.0.warn",
      "always trips" },
    { { .metric = CHANGE_SUCCESS_RATE, .trip = 0.95, .is_compared = true },
      "guards.0.margin",
      "margin" },
    { { .metric = CHANGE_SUCCESS_RATE, .trip = 0.95, .is_compared = true, .margin = NAN },
      "guards.0.margin",
      "margin" },
    { { .metric = CHANGE_SUCCESS_RATE, .trip = 0.95, .advance = 0.99 }, NULL, NULL },
    { { .metric = CHANGE_SUCCESS_RATE, .trip = 0.95, .advance = 0.95 }, NULL, NULL },
    { { .metric = CHANGE_SUCCESS_RATE, .trip = 0.95, .advance = 0.94 },
      "guards.0.advance",
      "where it trips" },
    { { .metric = CHANGE_SUCCESS_RATE, .trip = 0.95, .advance = 1 },
      "guards.0.advance",
      "always trips" },
    { { .metric = CHANGE_LATENCY_P95, .trip = 5e9, .advance = 6e9 },
      "guards.0.advance",
      "where it trips" },
    { { .metric = CHANGE_METRIC_COUNT, .trip = 0.95 }, "guards.0.metric", "unknown" },
    { { .metric = (enum change_metric) - 1, .trip = 0.95 }, "guards.0.metric", "unknown" },
};

static void what_can_never_trip_is_refused(void)
{
    struct guard_options options = guard_options_default;

    options.cost_max = 50000000;
    options.latency_max = 30 * NSEC_PER_SEC;
    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        struct arena arena;
        struct change_issues issues = { .arena = &arena };
        struct guard_plan plan = { .count = 77 };
        arena_init(&arena, 1 << 16);
        enum err result = guard_plan_init(&plan, &limits[i].spec, 1, &options, &issues);
        CHECK_ERR(result, limits[i].where ? CALLER_BAD_REQUEST : OK);
        CHECK_INT(plan.count, limits[i].where ? 77 : 1);
        CHECK_INT(issues.count, limits[i].where != NULL);
        if (limits[i].where && issues.count > 0) {
            CHECK_STR(issues.items[0].where, str_from(limits[i].where));
            if (str_find(issues.items[0].what, str_from(limits[i].what)) == STR_NPOS)
                fprintf(stderr, "row %zu: %.*s\n", i, STR_ARG(issues.items[0].what));
            CHECK(str_find(issues.items[0].what, str_from(limits[i].what)) != STR_NPOS);
        }
        arena_fini(&arena);
    }
}

/* Between the limit to advance and the one that trips a guard neither goes on nor back; better than the former it is shown. */
static void a_step_is_left_only_at_its_own_limit(void)
{
    static const struct guard_spec specs[] = {
        { .metric = CHANGE_SUCCESS_RATE, .trip = 0.95, .advance = 0.99 },
        { .metric = CHANGE_ERROR_RATE, .trip = 0.10, .advance = 0.01 },
        { .metric = CHANGE_HRM_CONFIDENCE_MEAN, .trip = 0.75, .advance = 0.90 },
        { .metric = CHANGE_TRM_CONFIDENCE_MEAN, .trip = 0.70, .advance = 0.85 },
        { .metric = CHANGE_COST_PER_QUERY, .trip = 10000000, .advance = 1000000 },
        { .metric = CHANGE_LATENCY_P95, .trip = 5e9, .advance = 500e6 },
    };
    struct guard_plan plan = make_plan(specs, ARRAY_LEN(specs), 0.001);

    for (int is_better = 0; is_better < 2; is_better++) {
        struct change_sums sums = { .is_promoted = false };
        for (int i = 0; i < 4000; i++) {
            struct outcome o = good; /* .87 and .83, $.002, 900 ms */
            o.is_error = !is_better && i % 50 == 0; /* 2 % */
            o.is_success = !o.is_error;
            o.cost += i % 2;
            if (is_better) {
                o.hrm_confidence = o.trm_confidence = 0.95;
                o.cost = 900000 + i % 2;
                o.latency = 400 * NSEC_PER_MS;
            }
            change_sums_add(&sums, &plan, SIDE_CANARY, &o);
        }
        for (size_t g = 0; g < plan.count; g++) {
            struct guard_evidence e;
            guard_judge(&plan, &sums, g, &e);
            if (e.is_shown != is_better || e.tripped_by != 0)
                fprintf(stderr, "%s\n", change_metric_info(specs[g].metric)->name);
            CHECK(e.is_shown == is_better);
            CHECK_INT(e.tripped_by, 0);
        }
    }
}

static void tables_and_options_are_checked(void)
{
    static const struct guard_spec twice[] = { { .metric = CHANGE_ERROR_RATE, .trip = 0.1 },
                                               { .metric = CHANGE_SUCCESS_RATE, .trip = 0.9 },
                                               { .metric = CHANGE_ERROR_RATE, .trip = 0.2 } };
    static const struct guard_options bad[] = {
        { 0, 0.05, 0.05, 20000, 1, 0, 0 },     { 0.001, 1, 0.05, 20000, 1, 0, 0 },
        { 0.001, 0.05, NAN, 20000, 1, 0, 0 },  { 0.001, 0.05, 0.05, 1, 1, 0, 0 },
        { 0.001, 0.05, 0.05, 20000, 0, 0, 0 },
    };
    struct arena arena;
    struct change_issues issues = { .arena = &arena };
    struct guard_plan plan;

    arena_init(&arena, 1 << 16);
    CHECK_ERR(guard_plan_init(&plan, twice, 3, &guard_options_default, &issues),
              CALLER_BAD_REQUEST);
    CHECK_STR(issues.items[0].where, STR("guards.2.metric"));
    CHECK_ERR(guard_plan_init(&plan, twice, 0, &guard_options_default, &issues),
              CALLER_BAD_REQUEST);
    CHECK_ERR(guard_plan_init(&plan, guard_defaults, CHANGE_METRIC_COUNT, &guard_options_default,
                              &issues),
              OK);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK_ERR(guard_plan_init(&plan, twice, 2, &bad[i], &issues), CALLER_BAD_REQUEST);
    arena_fini(&arena);
}

static void metrics_have_names(void)
{
    for (size_t i = 0; i < CHANGE_METRIC_COUNT; i++) {
        enum change_metric found = CHANGE_METRIC_COUNT;
        CHECK(
            change_metric_find(str_from(change_metric_info((enum change_metric)i)->name), &found));
        CHECK_INT(found, i);
        CHECK_INT(guard_defaults[i].metric, i);
    }
    CHECK(!change_metric_find(STR("sucess_rate"), &(enum change_metric){ 0 }));
}

static void a_plan_holds_the_means_that_limits_allow(void)
{
    struct guard_plan plan = default_plan();

    CHECK_NEAR(plan.trip[CHANGE_SUCCESS_RATE].mean, 0.05, 1e-12);
    CHECK_NEAR(plan.trip[CHANGE_ERROR_RATE].mean, 0.10, 0);
    CHECK_NEAR(plan.trip[CHANGE_HRM_CONFIDENCE_MEAN].mean, 0.25, 1e-12);
    CHECK_NEAR(plan.warn[CHANGE_HRM_CONFIDENCE_MEAN].mean, 0.20, 1e-12);
    CHECK_NEAR(plan.trip[CHANGE_COST_PER_QUERY].mean, 1e7, 0);
    CHECK_NEAR(plan.trip[CHANGE_LATENCY_P95].mean, 0.05, 0);
    CHECK_INT(plan.trip[CHANGE_LATENCY_P95].latency, 5 * NSEC_PER_SEC);
    CHECK_INT(plan.warn[CHANGE_LATENCY_P95].latency, 2 * NSEC_PER_SEC);
}

/* ---- what guards say ---- */

/* Queries until the guard trips, by the failure rate; -1: not within n. */
static int delay(const struct guard_plan *plan, struct rng *rng, double failure, int n)
{
    struct change_sums sums = { .is_promoted = false };
    struct guard_evidence e;

    for (int i = 1; i <= n; i++) {
        struct outcome o = good;
        o.is_success = !(rng_unit(rng) < failure);
        change_sums_add(&sums, plan, SIDE_CANARY, &o);
        if (o.is_success)
            continue; /* only a failure raises the wealth */
        guard_judge(plan, &sums, 0, &e);
        if (e.tripped_by & GUARD_BY_LIMIT)
            return i;
    }
    return -1;
}

static int by_value(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

static int median_of(int *x, size_t n)
{
    qsort(x, n, sizeof(x[0]), by_value);
    return x[n / 2];
}

#define RUNS 201

/* The reference simulated for m = 5 %, alpha = 1 %: 10 % is seen at 265, 15 % at 77, 20 % at 39, 50 % at 7, 100 % at 3. */
static void delays_are_those_of_the_reference(void)
{
    static const struct {
        double failure;
        double want, tolerance;
    } rows[] = {
        { 0.10, 265, 50 }, { 0.15, 77, 14 }, { 0.20, 39, 7 }, { 0.50, 7, 1 }, { 1.0, 3, 0 }
    };
    static const struct guard_spec spec = { .metric = CHANGE_SUCCESS_RATE, .trip = 0.95 };
    struct guard_plan plan = make_plan(&spec, 1, 0.01);
    struct rng rng;

    rng_init(&rng, 11);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int delays[RUNS];
        for (int run = 0; run < RUNS; run++) {
            delays[run] = delay(&plan, &rng, rows[i].failure, 20000);
            CHECK(delays[run] > 0);
        }
        CHECK_NEAR(median_of(delays, RUNS), rows[i].want, rows[i].tolerance);
    }
}

static void a_limit_that_is_kept_does_not_trip(void)
{
    static const struct guard_spec spec = { .metric = CHANGE_SUCCESS_RATE, .trip = 0.95 };
    struct guard_plan plan = make_plan(&spec, 1, 0.01);
    struct rng rng;
    int tripped = 0;

    rng_init(&rng, 12);
    for (int run = 0; run < 40; run++) {
        CHECK_INT(delay(&plan, &rng, 0.03, 5000), -1);
        tripped += delay(&plan, &rng, 0.05, 5000) > 0;
    }
    CHECK(tripped <= 3); /* at the limit itself: 40 runs at no more than 1 % */
}

/* Log-normal costs against $.005, alpha .1 %: a mean of $.016 is seen within some 16 queries, $.008 within some 100. */
static void costs_are_seen(void)
{
    static const struct guard_spec spec = { .metric = CHANGE_COST_PER_QUERY, .trip = 5000000 };
    static const struct {
        double mean;
        int least, most;
    } rows[] = { { 16e6, 6, 24 }, { 8e6, 35, 150 } };
    struct guard_plan plan = make_plan(&spec, 1, 0.001);
    struct rng rng;

    rng_init(&rng, 13);
    for (size_t r = 0; r < ARRAY_LEN(rows); r++) {
        int delays[RUNS];
        for (int run = 0; run < RUNS; run++) {
            struct change_sums sums = { .is_promoted = false };
            struct guard_evidence e = { .tripped_by = 0 };
            int n = 0;
            while (e.tripped_by == 0 && n < 5000) {
                struct outcome o = good;
                o.cost = (nano_usd)(rows[r].mean * exp(0.8 * rng_normal(&rng) - 0.32));
                change_sums_add(&sums, &plan, SIDE_CANARY, &o);
                guard_judge(&plan, &sums, 0, &e);
                n++;
            }
            delays[run] = n;
        }
        int median = median_of(delays, RUNS);
        if (median < rows[r].least || median > rows[r].most)
            fprintf(stderr, "mean %.0f: median %d\n", rows[r].mean, median);
        CHECK(median >= rows[r].least && median <= rows[r].most);
    }
}

/* 1 % failures for 20,000 queries, then 10 %: the detector sees it some 317 queries later, the plain guard thousands. */
static void the_detector_does_not_tire(void)
{
    static const struct guard_spec spec = { .metric = CHANGE_SUCCESS_RATE, .trip = 0.95 };
    struct guard_plan plan = make_plan(&spec, 1, 0.001);
    struct rng rng;
    int delays[41];

    rng_init(&rng, 14);
    for (size_t run = 0; run < ARRAY_LEN(delays); run++) {
        struct change_sums sums = { .is_promoted = true };
        struct guard_evidence e = { .tripped_by = 0 };
        int n = 0;
        for (int i = 0; i < 20000; i++) {
            struct outcome o = good;
            o.is_success = !(rng_unit(&rng) < 0.01);
            change_sums_add(&sums, &plan, SIDE_CANARY, &o);
        }
        while (e.tripped_by == 0 && n < 5000) {
            struct outcome o = good;
            o.is_success = !(rng_unit(&rng) < 0.1);
            change_sums_add(&sums, &plan, SIDE_CANARY, &o);
            guard_judge(&plan, &sums, 0, &e);
            n++;
        }
        CHECK_INT(e.tripped_by, GUARD_BY_DETECTOR);
        delays[run] = n;
    }
    CHECK_NEAR(median_of(delays, ARRAY_LEN(delays)), 317, 80);
}

static void detectors_are_of_the_canary_and_alarm_at_their_run(void)
{
    struct guard_plan plan = default_plan();
    struct change_sums sums = { .is_promoted = true };
    struct detector *d = &sums.arms[SIDE_CANARY].metrics[CHANGE_SUCCESS_RATE].detector;
    struct guard_evidence e;

    change_sums_add(&sums, &plan, SIDE_CONTROL, &good);
    change_sums_add(&sums, &plan, SIDE_CANARY, &good);
    CHECK_INT(sums.arms[SIDE_CONTROL].metrics[CHANGE_SUCCESS_RATE].detector.n, 0);
    CHECK_INT(d->n, 1);
    for (size_t j = 0; j < STATS_BETS; j++)
        d->level[j] = 19999;
    guard_judge(&plan, &sums, 0, &e);
    CHECK_INT(e.tripped_by, 0);
    for (size_t j = 0; j < STATS_BETS; j++)
        d->level[j] = 20001;
    guard_judge(&plan, &sums, 0, &e);
    CHECK_INT(e.tripped_by, GUARD_BY_DETECTOR);
}

static void what_is_shown_is_shown_by_core_stats(void)
{
    struct guard_plan plan = default_plan();
    struct change_sums sums = { .is_promoted = false };
    struct guard below = { .n = 0 };
    struct guard_evidence e;
    struct rng rng;

    rng_init(&rng, 20);
    for (int i = 0; i < 300; i++) {
        struct outcome o = outcome_draw(&rng, 0.02);
        change_sums_add(&sums, &plan, SIDE_CANARY, &o);
        guard_add_below(&below, 1 - o.hrm_confidence, 0.25);
    }
    guard_judge(&plan, &sums, CHANGE_HRM_CONFIDENCE_MEAN, &e);
    CHECK_NEAR(e.log_e_shown, guard_log_e(&below), 1e-9);
    CHECK(e.log_e_shown > 3);
}

/* The interval of a mean is asymptotic: it decides nothing before a hundred outcomes; equal outcomes have a spread too. */
static void costs_are_shown_by_a_hundred_queries(void)
{
    struct guard_plan plan = default_plan();
    struct change_sums sums = { .is_promoted = false };
    struct guard_evidence e;

    for (int i = 0; i < 99; i++)
        change_sums_add(&sums, &plan, SIDE_CANARY, &good);
    guard_read(&plan, &sums, CHANGE_COST_PER_QUERY, &e);
    CHECK(!e.is_shown);
    CHECK_NEAR(e.value.estimate, 2e6, 0);
    CHECK(e.value.lower < 1.99e6 && e.value.upper > 2.01e6);
    change_sums_add(&sums, &plan, SIDE_CANARY, &good);
    guard_judge(&plan, &sums, CHANGE_COST_PER_QUERY, &e);
    CHECK(e.is_shown);
}

static void alpha_is_divided_among_phases(void)
{
    struct guard_plan plan = default_plan();
    struct change_sums sums = { .is_promoted = false };
    struct outcome bad = good;
    struct guard_evidence e;

    bad.is_success = false;
    change_sums_add(&sums, &plan, SIDE_CANARY, &bad);
    change_sums_add(&sums, &plan, SIDE_CANARY, &bad);
    guard_judge(&plan, &sums, 0, &e);
    double level = exp(-e.log_e);
    plan.options.alpha_trip = level * 3.01;
    guard_judge(&plan, &sums, 0, &e);
    CHECK_INT(e.tripped_by, GUARD_BY_LIMIT);
    plan.options.phases = 3;
    guard_judge(&plan, &sums, 0, &e);
    CHECK_INT(e.tripped_by, GUARD_BY_LIMIT);
    plan.options.phases = 4;
    guard_judge(&plan, &sums, 0, &e);
    CHECK_INT(e.tripped_by, 0);
}

static void verdicts_follow_the_evidence(void)
{
    struct guard_plan plan = default_plan();
    struct change_sums sums = { .is_promoted = false };
    struct outcome warned = good;
    struct guard_evidence e;
    struct rng rng;

    rng_init(&rng, 15);
    guard_read(&plan, &sums, CHANGE_COST_PER_QUERY, &e);
    CHECK_INT(e.verdict, GUARD_NO_DATA);
    CHECK_NEAR(e.value.lower, 0, 0);
    CHECK(isinf(e.value.upper));
    guard_read(&plan, &sums, CHANGE_SUCCESS_RATE, &e);
    CHECK_NEAR(e.value.lower, 0, 0);
    CHECK_NEAR(e.value.upper, 1, 0);
    CHECK_NEAR(e.log_e, 0, 0);
    change_sums_add(&sums, &plan, SIDE_CANARY, &good);
    for (size_t g = 0; g < plan.count; g++) {
        guard_read(&plan, &sums, g, &e);
        CHECK_INT(e.verdict, GUARD_UNDECIDED);
        CHECK_INT(e.n, 1);
    }
    for (int i = 0; i < 1000; i++) {
        struct outcome o = outcome_draw(&rng, 0.01);
        change_sums_add(&sums, &plan, SIDE_CANARY, &o);
    }
    for (size_t g = 0; g < plan.count; g++) {
        guard_read(&plan, &sums, g, &e);
        CHECK_INT(e.verdict, GUARD_SHOWN);
        CHECK(e.value.lower <= e.value.estimate && e.value.estimate <= e.value.upper);
    }
    guard_read(&plan, &sums, CHANGE_SUCCESS_RATE, &e);
    CHECK_NEAR(e.value.estimate, 0.99, 0.02);
    guard_read(&plan, &sums, CHANGE_HRM_CONFIDENCE_MEAN, &e);
    CHECK_NEAR(e.value.estimate, 0.87, 0.02);
    CHECK(e.value.lower > 0.84 && e.value.upper < 0.9);
    CHECK(e.log_e_warn < 0 && e.log_e < e.log_e_warn);

    /* $.008 a query: over the limit that warns, shown to be under the one that trips. */
    sums = (struct change_sums){ .is_promoted = false };
    warned.cost = 8000000;
    for (int i = 0; i < 300; i++)
        change_sums_add(&sums, &plan, SIDE_CANARY, &warned);
    guard_judge(&plan, &sums, CHANGE_COST_PER_QUERY, &e);
    CHECK_INT(e.verdict, GUARD_WARNED);
    CHECK(e.is_shown && e.tripped_by == 0);
    warned.cost = COST_UNPRICED;
    change_sums_add(&sums, &plan, SIDE_CANARY, &warned);
    guard_judge(&plan, &sums, CHANGE_COST_PER_QUERY, &e);
    CHECK(!e.is_shown); /* nobody knows what that one cost */
    CHECK_INT(e.missing, 1);
}

/* 1 % failures are shown to be under 5 % at a median of 164 queries, by the reference (alpha 5 %). */
static void keeping_the_limit_is_shown_in_time(void)
{
    struct guard_plan plan = default_plan();
    struct rng rng;
    int delays[RUNS];

    rng_init(&rng, 16);
    for (int run = 0; run < RUNS; run++) {
        struct change_sums sums = { .is_promoted = false };
        struct guard_evidence e = { .is_shown = false };
        int n = 0;
        while (!e.is_shown && n < 5000) {
            struct outcome o = good;
            o.is_success = !(rng_unit(&rng) < 0.01);
            change_sums_add(&sums, &plan, SIDE_CANARY, &o);
            guard_judge(&plan, &sums, CHANGE_SUCCESS_RATE, &e);
            n++;
        }
        delays[run] = n;
    }
    CHECK_NEAR(median_of(delays, RUNS), 164, 25);
}

static void the_control_is_a_yardstick(void)
{
    static const struct guard_spec specs[] = {
        { .metric = CHANGE_SUCCESS_RATE, .trip = 0.5, .is_compared = true, .margin = 0.02 },
        { .metric = CHANGE_COST_PER_QUERY, .trip = 50e6, .is_compared = true, .margin = 0.1 },
    };
    struct guard_plan plan = make_plan(specs, 2, 0.001);
    struct guard_evidence e;
    struct rng rng;

    rng_init(&rng, 17);
    for (int kind = 0; kind < 3; kind++) { /* alike; fails more; costs more */
        struct change_sums sums = { .is_promoted = false };
        for (int i = 0; i < 6000; i++) {
            struct outcome a = outcome_draw(&rng, 0.02),
                           b = outcome_draw(&rng, kind == 1 ? 0.09 : 0.02);
            b.cost = kind == 2 ? b.cost * 3 / 2 : b.cost;
            change_sums_add(&sums, &plan, SIDE_CONTROL, &a);
            change_sums_add(&sums, &plan, SIDE_CANARY, &b);
            if (i == 90) {
                guard_judge(&plan, &sums, 0, &e);
                CHECK(!e.is_compared && !e.is_shown);
            }
        }
        guard_judge(&plan, &sums, 0, &e);
        CHECK(e.is_compared);
        CHECK_INT(e.tripped_by, kind == 1 ? GUARD_BY_CONTROL : 0);
        CHECK(e.is_shown == (kind != 1));
        guard_judge(&plan, &sums, 1, &e);
        CHECK_INT(e.tripped_by, kind == 2 ? GUARD_BY_CONTROL : 0);
        CHECK(e.is_shown == (kind != 2));
        CHECK_NEAR(e.diff.estimate, kind == 2 ? 0.5 : 0, 0.06);
        CHECK_NEAR(e.control_value, 2000000 * exp(0.125), 80000);
    }
}

/* n outcomes of each arm, of which one in `every` fails (0: none). */
static struct guard_evidence compared(double margin, int n, int control_every, int canary_every)
{
    struct guard_spec spec = {
        .metric = CHANGE_SUCCESS_RATE, .trip = 0.2, .is_compared = true, .margin = margin
    };
    struct guard_plan plan = make_plan(&spec, 1, 0.001);
    struct change_sums sums = { .is_promoted = false };
    struct guard_evidence e;

    for (int i = 1; i <= n; i++) {
        struct outcome o = good;
        o.is_success = control_every == 0 || i % control_every != 0;
        change_sums_add(&sums, &plan, SIDE_CONTROL, &o);
        o.is_success = canary_every == 0 || i % canary_every != 0;
        change_sums_add(&sums, &plan, SIDE_CANARY, &o);
    }
    guard_judge(&plan, &sums, 0, &e);
    return e;
}

static void the_margin_is_what_may_be_worse(void)
{
    struct guard_evidence e =
        compared(0.02, 80, 0, 2); /* half of it fails, but who would say so after 80? */

    CHECK(!e.is_compared && e.tripped_by == 0 && e.diff.lower > 0.02);
    e = compared(0.02, 200, 0, 2);
    CHECK(e.is_compared && e.tripped_by == GUARD_BY_CONTROL);
    e = compared(0.10, 20000, 50, 14); /* 7.1 % against 2 %: surely worse, and within the margin */
    CHECK(e.diff.lower > 0 && e.diff.upper < 0.10);
    CHECK(e.tripped_by == 0 && e.is_shown);
    e = compared(0.04, 20000, 50, 14);
    CHECK(e.tripped_by == GUARD_BY_CONTROL && !e.is_shown);
    e = compared(0.02, 400, 40, 40); /* alike, as far as one can see */
    CHECK(e.is_compared && e.diff.estimate < 0.02 && !e.is_shown);
    e = compared(0.02, 4000, 40, 40);
    CHECK(e.is_shown);
}

TESTS(TEST(what_can_never_trip_is_refused), TEST(a_step_is_left_only_at_its_own_limit),
      TEST(tables_and_options_are_checked), TEST(metrics_have_names),
      TEST(a_plan_holds_the_means_that_limits_allow),
      TEST(detectors_are_of_the_canary_and_alarm_at_their_run),
      TEST(what_is_shown_is_shown_by_core_stats), TEST(costs_are_shown_by_a_hundred_queries),
      TEST(the_margin_is_what_may_be_worse), TEST(delays_are_those_of_the_reference),
      TEST(a_limit_that_is_kept_does_not_trip), TEST(costs_are_seen),
      TEST(the_detector_does_not_tire), TEST(alpha_is_divided_among_phases),
      TEST(verdicts_follow_the_evidence), TEST(keeping_the_limit_is_shown_in_time),
      TEST(the_control_is_a_yardstick))
