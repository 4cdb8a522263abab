/* SPDX-License-Identifier: Apache-2.0 */
/* The key figures: each verdict on both sides of its target, and what is drawn from a day's sums. */
#include <pthread.h>

#include "app/report/daily_internal.h"
#include "app/report/report_rig_test.h"
#include "edge/config/config.h"
#include "edge/store/control.h"

static struct config *config_default(void)
{
    struct config_issues issues;
    struct config *config = NULL;

    CHECK_ERR(config_load(STR(""), &config, &issues), OK);
    config_issues_fini(&issues);
    return config;
}

/* Sums of a day that nobody wrote. */
struct sums {
    struct ledger_report ledger;
    struct histogram latency;
    struct report_pair pairs[3];
    struct report_part strategies[3], arms[3];
};

static void sums_of(struct sums *s, int64_t n, int64_t succeeded)
{
    memset(s, 0, sizeof(*s));
    s->ledger.total.queries = n;
    s->ledger.total.succeeded = succeeded;
    s->ledger.total.latency = &s->latency;
}

static struct moments moments_with(int64_t n, double mean, double sd)
{
    double spread = n > 1 ? sd * sd * (double)(n - 1) : 0;

    return (struct moments){ n, mean * (double)n, mean * mean * (double)n + spread };
}

static struct daily make_span(const struct sums *s, const struct config *config, const char *last,
                              struct daily_activity activity, struct arena *arena)
{
    struct price_table table = { 0 };
    struct daily_options options = {
        .baseline = STR("big"), .prices = &table, .config = config, .activity = activity
    };
    const struct day_query query = {
        .date = STR("2026-11-24"), .last_date = str_from(last), .zone = STR("UTC"), .now = DAY_TO
    };
    struct daily d = { 0 };
    char why[256];

    CHECK_ERR(day_find(&query, &options.day, why), OK);
    CHECK_ERR(daily_make(&d, &options, &s->ledger, arena), OK);
    return d;
}

static struct daily make(const struct sums *s, const struct config *config,
                         struct daily_activity activity, struct arena *arena)
{
    return make_span(s, config, "", activity, arena);
}

static const struct daily_kpi *kpi(const struct daily *d, const char *key)
{
    for (size_t i = 0; i < d->kpis_count; i++) {
        if (strcmp(d->kpis[i].key, key) == 0)
            return &d->kpis[i];
    }
    check_note(__FILE__, __LINE__, "no such figure");
    return &d->kpis[0];
}

static void means_have_verdicts(void)
{
    static const struct {
        int64_t n;
        double mean, sd;
        enum daily_verdict cost; /* target: at most .002 */
    } rows[] = {
        { 0, 0, 0, VERDICT_NOT_MEASURED },         { 10000, 0.0019, 0.001, VERDICT_SHOWN },
        { 29, 0.0001, 0, VERDICT_NOT_SHOWN },      { 30, 0.0001, 0, VERDICT_SHOWN },
        { 100, 0.0019, 0.001, VERDICT_NOT_SHOWN }, { 100, 0.0021, 0.001, VERDICT_NOT_SHOWN },
        { 10000, 0.0021, 0.001, VERDICT_MISSED },
    };
    struct config *config = config_default();
    static struct sums s;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena arena;
        arena_init(&arena, (size_t)1 << 20);
        sums_of(&s, rows[i].n, rows[i].n);
        s.ledger.total.priced = moments_with(rows[i].n, rows[i].mean, rows[i].sd);
        /* Confidences lie as far above .85 as costs below .002, in thousandths. */
        s.ledger.total.hrm =
            moments_with(rows[i].n, 0.85 + (0.002 - rows[i].mean) * 100, rows[i].sd * 100);
        struct daily d = make(&s, config, (struct daily_activity){ 0 }, &arena);
        CHECK_INT(kpi(&d, "cost_per_query")->verdict, rows[i].cost);
        CHECK_INT(kpi(&d, "hrm_confidence")->verdict, rows[i].cost);
        CHECK_INT(kpi(&d, "trm_confidence")->verdict, VERDICT_NOT_MEASURED);
        arena_fini(&arena);
    }
    config_close(config);
}

/* 1.959964 standard errors to each side. */
static void the_interval_of_a_mean_is_the_normal_one(void)
{
    struct config *config = config_default();
    static struct sums s;
    struct arena arena;

    arena_init(&arena, (size_t)1 << 20);
    sums_of(&s, 400, 400);
    s.ledger.total.priced = moments_with(400, 0.001, 0.0005);
    struct daily d = make(&s, config, (struct daily_activity){ 0 }, &arena);
    CHECK_NEAR(kpi(&d, "cost_per_query")->interval.lower, 0.001 - 1.959964 * 0.0005 / 20, 1e-9);
    CHECK_NEAR(kpi(&d, "cost_per_query")->interval.upper, 0.001 + 1.959964 * 0.0005 / 20, 1e-9);
    arena_fini(&arena);
    config_close(config);
}

static void rates_have_verdicts(void)
{
    static const struct {
        int64_t n, k;
        enum daily_verdict verdict; /* target: at least .99 */
    } rows[] = {
        { 0, 0, VERDICT_NOT_MEASURED },  { 100, 100, VERDICT_NOT_SHOWN },
        { 1000, 1000, VERDICT_SHOWN },   { 1000, 992, VERDICT_NOT_SHOWN },
        { 10000, 9850, VERDICT_MISSED },
    };
    struct config *config = config_default();
    static struct sums s;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena arena;
        arena_init(&arena, (size_t)1 << 20);
        sums_of(&s, rows[i].n, rows[i].k);
        struct daily d = make(&s, config, (struct daily_activity){ 0 }, &arena);
        CHECK_INT(kpi(&d, "success_rate")->verdict, rows[i].verdict);
        arena_fini(&arena);
    }
    config_close(config);
}

static void percentiles_have_verdicts(void)
{
    static const struct {
        int n;
        double
            scale_ms; /* latencies are spread evenly from 0 to this: its 95 % are the percentile */
        enum daily_verdict verdict; /* target: below 2000 ms */
    } rows[] = {
        { 0, 1000, VERDICT_NOT_MEASURED }, { 10, 1000, VERDICT_NOT_SHOWN },
        { 60, 1000, VERDICT_NOT_SHOWN }, /* the upper rank is beyond the last */
        { 100, 1000, VERDICT_SHOWN },      { 1000, 2100, VERDICT_NOT_SHOWN },
        { 1000, 2500, VERDICT_MISSED },
    };
    struct config *config = config_default();
    static struct sums s;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena arena;
        arena_init(&arena, (size_t)1 << 20);
        sums_of(&s, 10, 10);
        for (int j = 0; j < rows[i].n; j++)
            histogram_add(&s.latency, rows[i].scale_ms * 1000 * j / rows[i].n);
        struct daily d = make(&s, config, (struct daily_activity){ 0 }, &arena);
        const struct daily_kpi *k = kpi(&d, "latency_p95");
        CHECK_INT(k->verdict, rows[i].verdict);
        CHECK_INT(d.latency.n, rows[i].n);
        if (rows[i].n >= 100) {
            CHECK_NEAR(k->actual, rows[i].scale_ms * 0.95, rows[i].scale_ms * 0.025);
            CHECK(k->interval.lower < k->actual && k->actual < k->interval.upper);
            CHECK(d.latency.p50_ms < d.latency.p95_ms && d.latency.p95_ms < d.latency.p99_ms);
        }
        arena_fini(&arena);
    }
    config_close(config);
}

/* What happened is counted, not estimated. */
static void counts_need_no_interval(void)
{
    struct config *config = config_default();
    static struct sums s;
    struct arena arena;

    arena_init(&arena, (size_t)1 << 20);
    sums_of(&s, 100, 100);
    s.pairs[0] = (struct report_pair){ STR("stem"), STR("gpt-4o-mini"), 60, 50, 0 };
    s.pairs[1] = (struct report_pair){ STR("stem"), STR("gpt-4o"), 30, 25, 0 };
    s.pairs[2] = (struct report_pair){ STR("other"), STR("gpt-4o-mini"), 10, 5, 0 };
    s.ledger.pairs = s.pairs;
    s.ledger.pairs_count = 3;
    s.strategies[0] = (struct report_part){ .name = STR("hrm_trm"), .queries = 96 };
    s.strategies[1] = (struct report_part){ .name = STR("mcts"), .queries = 1 };
    s.strategies[2] = (struct report_part){ .name = STR("full_stack"), .queries = 3 };
    s.ledger.parts[REPORT_STRATEGY] = (struct report_parts){ s.strategies, 3 };
    struct daily_activity seen = { .is_known = true, .alerts = 1 };
    struct daily d = make(&s, config, seen, &arena);
    CHECK_NEAR(kpi(&d, "model_share")->actual, 55.0 / 80, 1e-12);
    CHECK_INT(kpi(&d, "model_share")->verdict, VERDICT_MISSED);
    CHECK_NEAR(kpi(&d, "mcts_share")->actual, 0.04, 1e-12);
    CHECK_INT(kpi(&d, "mcts_share")->verdict, VERDICT_SHOWN);
    CHECK_INT(kpi(&d, "alerts_per_day")->verdict, VERDICT_MISSED); /* one is not below one */
    CHECK_INT(kpi(&d, "dashboard_days")->verdict, VERDICT_NOT_MEASURED);
    s.strategies[1].queries = 2;
    str validated[] = { STR("other") };
    config->report.validated_domains = (struct config_texts){ validated, 1 };
    seen = (struct daily_activity){ .is_known = true, .has_sessions = true, .session_days = 1 };
    d = make(&s, config, seen, &arena);
    CHECK_INT(kpi(&d, "model_share")->verdict, VERDICT_SHOWN);
    CHECK_INT(kpi(&d, "mcts_share")->verdict, VERDICT_MISSED); /* five of a hundred are not below */
    CHECK_INT(kpi(&d, "alerts_per_day")->verdict, VERDICT_SHOWN);
    CHECK_INT(kpi(&d, "dashboard_days")->verdict, VERDICT_SHOWN);
    seen.session_days = 0;
    d = make(&s, config, seen, &arena);
    CHECK_INT(kpi(&d, "dashboard_days")->verdict, VERDICT_MISSED);
    d = make(&s, NULL, seen, &arena);
    CHECK_INT((int64_t)d.kpis_count, 0);
    arena_fini(&arena);
    config_close(config);
}

/* 1,000 queries at $.002 less each, 30 times: $60, which an interval says; never what was repriced. */
static void savings_are_the_measured_ones(void)
{
    struct config *config = config_default();
    static struct sums s;
    struct arena arena;

    arena_init(&arena, (size_t)1 << 20);
    sums_of(&s, 2000, 2000);
    struct daily d = make(&s, config, (struct daily_activity){ 0 }, &arena);
    CHECK_INT(kpi(&d, "monthly_savings")->verdict, VERDICT_NOT_MEASURED);
    s.arms[0] = (struct report_part){ .name = STR("x/control"),
                                      .queries = 1000,
                                      .succeeded = 1000,
                                      .priced = moments_with(1000, 0.003, 0.0001) };
    s.arms[1] = (struct report_part){ .name = STR("x/canary"),
                                      .queries = 1000,
                                      .succeeded = 1000,
                                      .priced = moments_with(1000, 0.001, 0.0001) };
    s.ledger.parts[REPORT_ARM] = (struct report_parts){ s.arms, 2 };
    config->report.monthly_savings = 59 * NANO_PER_USD;
    d = make(&s, config, (struct daily_activity){ 0 }, &arena);
    const struct daily_kpi *k = kpi(&d, "monthly_savings");
    CHECK_NEAR(k->actual, 60, 1e-6);
    CHECK(k->interval.lower > 59 && k->interval.lower < 60 && k->interval.upper > 60);
    CHECK_INT(k->verdict, VERDICT_SHOWN);
    config->report.monthly_savings = 60 * NANO_PER_USD;
    d = make(&s, config, (struct daily_activity){ 0 }, &arena);
    CHECK_INT(kpi(&d, "monthly_savings")->verdict, VERDICT_NOT_SHOWN);
    config->report.monthly_savings = 61 * NANO_PER_USD;
    d = make(&s, config, (struct daily_activity){ 0 }, &arena);
    CHECK_INT(kpi(&d, "monthly_savings")->verdict, VERDICT_MISSED);
    /* Two days are half the pace; an arm of which nothing can be said adds nothing. */
    s.arms[2] = (struct report_part){ .name = STR("x/new"),
                                      .queries = 50,
                                      .succeeded = 50,
                                      .priced = moments_with(50, 0.001, 0.0001) };
    s.ledger.parts[REPORT_ARM].count = 3;
    d = make_span(&s, config, "2026-11-25", (struct daily_activity){ 0 }, &arena);
    CHECK_NEAR(kpi(&d, "monthly_savings")->actual, 30, 1e-6);
    CHECK_INT(kpi(&d, "monthly_savings")->n, 1000);
    struct daily_activity seen = { .is_known = true, .alerts = 3 };
    d = make_span(&s, config, "2026-11-25", seen, &arena);
    CHECK_NEAR(kpi(&d, "alerts_per_day")->actual, 1.5, 1e-12);
    CHECK_NEAR(kpi(&d, "dashboard_days")->target, 2, 0);
    arena_fini(&arena);
    config_close(config);
}

static void calibration_is_the_gap(void)
{
    struct config *config = config_default();
    static struct sums s;
    struct arena arena;

    arena_init(&arena, (size_t)1 << 20);
    sums_of(&s, 100, 100);
    struct report_label *label = &s.ledger.labels[LABEL_FEEDBACK];
    label->bins[0][18] = (struct report_bin){ 30, 24, 27.6 }; /* says .92, is .8 */
    label->bins[0][10] = (struct report_bin){ 10, 8, 5.2 }; /* says .52, is .8 */
    label->bins[1][19] = (struct report_bin){ 5, 5, 4.9 };
    struct daily d = make(&s, config, (struct daily_activity){ 0 }, &arena);
    REQUIRE(d.calibrations_count == 2);
    CHECK_NEAR(d.calibrations[0].ece, (3.6 + 2.8) / 40, 1e-12);
    CHECK(d.calibrations[0].n == 40 && !d.calibrations[0].is_calibrated);
    CHECK(d.calibrations[1].n == 5 && d.calibrations[1].is_calibrated);
    arena_fini(&arena);
    config_close(config);
}

static void event_add(struct control_store *store, const char *kind, usec_utc at, const char *text)
{
    const struct control_event event = {
        .at = at, .kind = str_from(kind), .subject = STR("s"), .text = str_from(text)
    };
    int64_t sequence;

    CHECK_ERR(control_append(store, &event, &sequence), OK);
}

static void activity_is_counted(void)
{
    const struct day_query one = { .date = STR("2026-11-24"), .zone = STR("UTC"), .now = DAY_TO };
    const struct day_query three = {
        .date = STR("2026-11-23"), .last_date = STR("2026-11-25"), .zone = STR("UTC"), .now = DAY_TO
    };
    struct control_store *store = NULL;
    struct daily_activity a = { .alerts = 7 };
    struct world w;
    struct day day, days;
    char why[256] = "";

    REQUIRE(world_open(&w));
    CHECK_ERR(day_find(&one, &day, why), OK);
    CHECK_ERR(day_find(&three, &days, why), OK);
    CHECK_ERR(daily_activity_read(str_from(w.directory), &day, &a, why), OK);
    CHECK(!a.is_known && a.alerts == 0);
    REQUIRE(control_open(&store, str_from(w.directory), CONTROL_WRITE, why) == OK);
    event_add(store, "alert", DAY_FROM - 1, "{\"to\":\"firing\"}");
    event_add(store, "alert", DAY_FROM, "{\"to\":\"firing\"}");
    event_add(store, "alert", DAY_FROM + HOUR, "{\"to\":\"inactive\"}");
    event_add(store, "alert", DAY_FROM + HOUR, "not JSON");
    event_add(store, "alert", DAY_TO - 1, "{\"from\":\"pending\",\"to\":\"firing\"}");
    event_add(store, "alert", DAY_TO, "{\"to\":\"firing\"}");
    CHECK_ERR(daily_activity_read(str_from(w.directory), &day, &a, why), OK);
    CHECK(a.is_known && a.alerts == 2 && !a.has_sessions);
    event_add(store, "session", DAY_TO + HOUR, "{}");
    event_add(store, "session", DAY_TO + 2 * HOUR, "{}");
    CHECK_ERR(daily_activity_read(str_from(w.directory), &day, &a, why), OK);
    CHECK(a.has_sessions && a.session_days == 0);
    event_add(store, "session", DAY_FROM + HOUR, "{}");
    event_add(store, "session", DAY_FROM + 5 * HOUR, "{}");
    CHECK_ERR(daily_activity_read(str_from(w.directory), &day, &a, why), OK);
    CHECK_INT(a.session_days, 1);
    CHECK_ERR(daily_activity_read(str_from(w.directory), &days, &a, why), OK);
    CHECK(a.session_days == 2 && a.alerts == 4);
    control_close(store);
    world_seal(&w);
    world_fini(&w);
}

/* ---- as a server calls it ---- */

struct caller {
    pthread_t thread;
    struct daily_request request;
    struct buf out;
    enum err result;
    char why[256];
};

static void *caller_run(void *arg)
{
    struct caller *c = arg;

    for (int i = 0; i < 20 && c->result == OK; i++) {
        buf_reset(&c->out);
        c->result = daily_report(&c->request, &c->out, c->why);
    }
    return NULL;
}

/* Several threads, each in a zone and a format of its own, in the process that writes the ledger, while it writes. */
static void threads_may_report_beside_a_running_store(void)
{
    static const char *const zones[] = { "UTC", "Asia/Kathmandu", "America/New_York" };
    struct caller callers[DAILY_FORMAT_COUNT];
    struct config *config = config_default();
    struct world w;

    REQUIRE(world_open(&w));
    sample_add(&w, &(struct sample){ SMALL_1000 });
    CHECK_ERR(ledger_commit(w.ledger), OK);
    memset(callers, 0, sizeof(callers));
    for (size_t i = 0; i < DAILY_FORMAT_COUNT; i++) {
        struct day_query query = { .date = STR("2026-11-24"),
                                   .zone = str_from(zones[i % ARRAY_LEN(zones)]),
                                   .now = DAY_TO };
        struct caller *c = &callers[i];
        c->request = (struct daily_request){ .directory = str_from(w.directory),
                                             .config = config,
                                             .format = (enum daily_format)i };
        if (day_find(&query, &c->request.day, c->why) != OK) { /* no tz database */
            query.zone = STR("UTC");
            CHECK_ERR(day_find(&query, &c->request.day, c->why), OK);
        }
        REQUIRE(pthread_create(&c->thread, NULL, caller_run, c) == 0);
    }
    for (int i = 0; i < 500; i++) {
        sample_add(&w, &(struct sample){ SMALL_1000 });
        CHECK_ERR(ledger_commit(w.ledger), OK);
    }
    for (size_t i = 0; i < DAILY_FORMAT_COUNT; i++) {
        struct caller *c = &callers[i];
        pthread_join(c->thread, NULL);
        CHECK_ERR(c->result, OK);
        CHECK_STR(str_from(c->why), STR(""));
        CHECK(str_find(buf_str(&c->out), str_from(c->request.day.date)) != STR_NPOS);
        buf_fini(&c->out);
    }
    world_seal(&w);
    world_report(&w, false, "big");
    CHECK_INT(w.sums.total.queries, 501);
    world_fini(&w);
    config_close(config);
}

TESTS(TEST(means_have_verdicts), TEST(the_interval_of_a_mean_is_the_normal_one),
      TEST(rates_have_verdicts), TEST(percentiles_have_verdicts), TEST(counts_need_no_interval),
      TEST(savings_are_the_measured_ones), TEST(calibration_is_the_gap), TEST(activity_is_counted),
      TEST(threads_may_report_beside_a_running_store))
