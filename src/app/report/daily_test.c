/* SPDX-License-Identifier: Apache-2.0 */
/* daily: from ledgers written through the store to the figures: parts add up, savings are what they say, names do no harm. */
#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/report/daily_internal.h"
#include "base/rng.h"
#include "core/json/json.h"
#include "test/check.h"

#define DAY_FROM INT64_C(1795478400000000) /* 2026-11-24 UTC */
#define HOUR (INT64_C(3600) * 1000000)
#define DAY_TO (DAY_FROM + 24 * HOUR)

/* ---- a ledger of one's own ---- */

struct world {
    char directory[256];
    struct store *store;
    struct ledger *ledger;
    struct arena arena;
    struct ledger_report sums;
    struct daily daily;
    struct buf out;
};

static struct price prices[] = {
    { STR("big"), 0, 1000, 4000, 500, -1 },
    { STR("big"), 20781, 2000, 8000, 1000, -1 }, /* 2026-11-24 */
    { STR("small"), 0, 100, 400, 50, -1 },
};

static bool world_open(struct world *w)
{
    const char *base = getenv("TMPDIR");
    char why[256];

    memset(w, 0, sizeof(*w));
    arena_init(&w->arena, (size_t)64 << 20);
    snprintf(w->directory, sizeof(w->directory), "%.200s/weir-report-XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(w->directory))
        return false;
    const struct store_options options = { .directory = str_from(w->directory) };
    return store_open(&w->store, &options, why) == OK && ledger_open(&w->ledger, w->store, 1) == OK;
}

static void world_seal(struct world *w)
{
    CHECK_ERR(ledger_commit(w->ledger), OK);
    ledger_close(w->ledger);
    store_close(w->store);
    w->ledger = NULL;
    w->store = NULL;
}

static void world_report(struct world *w, bool is_simulated, const char *baseline)
{
    const struct report_span span = { DAY_FROM, DAY_TO, is_simulated };
    struct price_table table;
    char why[256] = "";

    CHECK_ERR(price_table_init(&table, prices, ARRAY_LEN(prices)), OK);
    CHECK_ERR(store_read_report(str_from(w->directory), &span, &w->arena, &w->sums, why), OK);
    struct daily_options options = { .baseline = str_from(baseline),
                                     .is_simulated = is_simulated,
                                     .prices = &table };
    CHECK_ERR(day_find(STR("2026-11-24"), STR("UTC"), DAY_TO, &options.day, why), OK);
    CHECK_ERR(daily_make(&w->daily, &options, &w->sums, &w->arena), OK);
}

static str world_write(struct world *w, enum daily_format format)
{
    buf_reset(&w->out);
    daily_write(&w->daily, format, &w->out);
    return buf_str(&w->out);
}

static void world_fini(struct world *w)
{
    DIR *directory = opendir(w->directory);

    for (const struct dirent *entry; directory && (entry = readdir(directory)) != NULL;) {
        char path[600];
        snprintf(path, sizeof(path), "%s/%s", w->directory, entry->d_name);
        if (entry->d_name[0] != '.')
            IGNORE(unlink(path));
    }
    if (directory)
        closedir(directory);
    IGNORE(rmdir(w->directory));
    arena_fini(&w->arena);
    buf_fini(&w->out);
}

/* A query of one call, with what is usual unless said otherwise. */
struct sample {
    usec_utc started; /* 0: noon */
    str domain, arm, tenant, strategy, model;
    enum err query_fault, call_fault;
    bool is_simulated, is_interrupted, is_unpriced, is_calibrated;
    int attempts;
    int64_t input, output, cached;
    nano_usd cost;
    double hrm, trm;
};

static int64_t sample_begin(struct world *w, const struct sample *s)
{
    int64_t id = ledger_query_id(w->ledger);

    ledger_begin(w->ledger,
                 &(struct ledger_query){ .id = id,
                                         .started = s->started ? s->started : DAY_FROM + 12 * HOUR,
                                         .tenant = s->tenant,
                                         .domain = s->domain,
                                         .requested_model = STR("weir/auto"),
                                         .strategy = s->strategy,
                                         .arm = s->arm });
    return id;
}

static void sample_call(struct world *w, int64_t id, uint32_t number, const struct sample *s)
{
    ledger_call_begin(w->ledger, &(struct ledger_call){ .query = id,
                                                        .number = number,
                                                        .role = STR("direct"),
                                                        .model = s->model,
                                                        .provider = STR("p"),
                                                        .reserved = s->cost });
    if (s->is_interrupted)
        return;
    ledger_call_done(w->ledger,
                     &(struct ledger_call_end){ .query = id,
                                                .number = number,
                                                .fault = s->call_fault,
                                                .http_status = 200,
                                                .attempts = s->attempts ? s->attempts : 1,
                                                .usage = { .input = s->input,
                                                           .output = s->output,
                                                           .cached = s->cached,
                                                           .is_known = true },
                                                .cost = s->is_unpriced ? COST_UNPRICED : s->cost,
                                                .is_simulated = s->is_simulated });
}

static void sample_end(struct world *w, int64_t id, const struct sample *s)
{
    ledger_end(w->ledger, &(struct ledger_end){ .id = id,
                                                .fault = s->query_fault,
                                                .http_status = 200,
                                                .model = s->model,
                                                .hrm_confidence = s->hrm,
                                                .trm_confidence = s->trm,
                                                .confidence = -1,
                                                .is_calibrated = s->is_calibrated,
                                                .raw = LEDGER_RAW_NONE });
}

static int64_t sample_add(struct world *w, const struct sample *s)
{
    int64_t id = sample_begin(w, s);

    sample_call(w, id, 1, s);
    sample_end(w, id, s);
    return id;
}

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

#define SMALL_1000                                                                                 \
    .model = STR("small"), .input = 1000, .output = 100, .cached = 400, .cost = 120000, .hrm = -1, \
    .trm = -1

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
    world_fini(&w);
}

/* ---- names ---- */

static void names_do_no_harm(void)
{
    static const struct {
        str name;
        const char *text, *csv;
    } rows[] = {
        { STR("stem"), "stem", "\"stem\"" },
        { STR(""), "(none)", "\"\"" },
        { STR("a\x1b[31m\r\nb\0c\x7f"), "a\\x1b[31m\\x0d\\x0ab\\x00c\\x7f",
          "\"a\\x1b[31m\\x0d\\x0ab\\x00c\\x7f\"" },
        { STR("=HYPERLINK(\"http://x\")"), "=HYPERLINK(\"http://x\")",
          "\"'=HYPERLINK(\"\"http://x\"\")\"" },
        { STR("  +1"), "  +1", "\"'  +1\"" },
        { STR("-1"), "-1", "\"'-1\"" },
        { STR("@SUM(A1)"), "@SUM(A1)", "\"'@SUM(A1)\"" },
        { STR("\t=1"), "\\x09=1", "\"'\\x09=1\"" },
        { STR("a,b=c"), "a,b=c", "\"a,b=c\"" },
        { STR("gr\xc3\xbc\xc3\x9f"), "gr\xc3\xbc\xc3\x9f", "\"gr\xc3\xbc\xc3\x9f\"" },
        { STR("\xff\xfe"), "\\xff\\xfe", "\"\\xff\\xfe\"" },
        { STR("\xc2\x9b"
              "31m"),
          "\\xc2\\x9b31m", "\"\\xc2\\x9b31m\"" }, /* C1's CSI */
        { STR("\xe2\x80\xae"
              "evil"),
          "\\xe2\\x80\\xaeevil", "\"\\xe2\\x80\\xaeevil\"" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf out = { 0 };
        name_write_text(&out, rows[i].name);
        CHECK_STR(buf_str(&out), str_from(rows[i].text));
        buf_reset(&out);
        name_write_csv(&out, rows[i].name);
        CHECK_STR(buf_str(&out), str_from(rows[i].csv));
        buf_fini(&out);
    }
    struct buf out = { 0 };
    name_write_html(&out, STR("<a href='x' title=\"&\">\x1b"));
    CHECK_STR(buf_str(&out), STR("&lt;a href=&#39;x&#39; title=&quot;&amp;&quot;&gt;\\x1b"));
    buf_fini(&out);
}

/* Whatever a ledger holds: no control byte but line ends, and JSON that is JSON. */
static void every_format_survives_hostile_names(void)
{
    const str hostile = STR("\"=cmd|'/C'!A0\x1b]0;x\x07\n</td><script>");
    struct world w;
    struct json parsed;

    REQUIRE(world_open(&w));
    sample_add(&w, &(struct sample){ SMALL_1000, .domain = hostile, .arm = hostile,
                                     .tenant = hostile, .strategy = hostile });
    sample_add(&w, &(struct sample){ .model = hostile, .is_unpriced = true, .hrm = -1, .trm = -1 });
    world_seal(&w);
    world_report(&w, false, "<script>\x1b");
    for (size_t f = 0; f < DAILY_FORMAT_COUNT; f++) {
        str out = world_write(&w, (enum daily_format)f);
        CHECK(out.len > 0 && str_is_utf8(out));
        for (size_t i = 0; i < out.len; i++) {
            unsigned char c = (unsigned char)out.ptr[i];
            CHECK((c >= 0x20 && c != 0x7f) || c == '\n' || (f == DAILY_CSV && c == '\r'));
        }
    }
    CHECK_ERR(json_parse(&w.arena, str_trim(world_write(&w, DAILY_JSON)), &parsed, NULL), OK);
    CHECK(str_find(world_write(&w, DAILY_CSV), STR(",\"=")) == STR_NPOS);
    CHECK(str_find(world_write(&w, DAILY_HTML), STR("<script")) == STR_NPOS);
    CHECK(str_find(buf_str(&w.out), STR("&lt;script&gt;")) != STR_NPOS);
    world_fini(&w);
}

TESTS(TEST(parts_add_up_to_the_nano_dollar), TEST(repriced_goes_by_the_price_of_the_day),
      TEST(confidences_say_what_they_are), TEST(days_have_only_their_own),
      TEST(nothing_is_said_of_no_traffic), TEST(recommendations_follow_from_evidence),
      TEST(the_measured_saving_is_the_difference_of_means), TEST(unpriced_calls_are_said),
      TEST(names_do_no_harm), TEST(every_format_survives_hostile_names))
