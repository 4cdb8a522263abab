/* SPDX-License-Identifier: Apache-2.0 */
/* browse: pages, one query, and the sums of a span against a ledger whose every figure is known. */
#include "edge/store/browse.h"
#include "edge/store/store_world.h"

#include "core/json/json.h"

#define START (INT64_C(1700000000) * 1000000) /* microseconds */
#define MINUTE (INT64_C(60) * 1000000)

/* The id that a ledger would have given at that moment. */
static int64_t id_at(usec_utc at, int64_t sequence)
{
    return at / 1000 << 21 | sequence;
}

struct made {
    usec_utc at;
    int64_t sequence;
    const char *domain;
    const char *model;
    double hrm;
    double label; /* negative: none */
    int64_t latency_us;
    int64_t calls;
    bool is_simulated, has_failed, is_unpriced, is_interrupted;
};

static int64_t make(struct ledger *l, const struct made *m)
{
    int64_t id = id_at(m->at, m->sequence);

    ledger_begin(l, &(struct ledger_query){ .id = id,
                                            .started = m->at,
                                            .tenant = STR("acme"),
                                            .domain = str_from(m->domain),
                                            .requested_model = STR("weir/auto"),
                                            .strategy = STR("hrm"),
                                            .arm = STR("a") });
    for (uint32_t n = 1; n <= m->calls; n++) {
        ledger_call_begin(l, &(struct ledger_call){ id, n, STR("plan"), str_from(m->model),
                                                    STR("p"), 5000, 250 });
        if (m->is_interrupted)
            continue;
        struct ledger_call_end end = { .query = id,
                                       .number = n,
                                       .http_status = 200,
                                       .attempts = 1,
                                       /* More cached than there is: as a provider may say. */
                                       .usage = { .input = 100,
                                                  .output = 20,
                                                  .cached = 150,
                                                  .cache_write = 50,
                                                  .is_known = true },
                                       .cost = m->is_unpriced ? COST_UNPRICED : 1800,
                                       .price_input = m->is_unpriced ? -1 : 10,
                                       .price_output = m->is_unpriced ? -1 : 40,
                                       .price_cached = -1,
                                       .latency_us = 10,
                                       .is_simulated = m->is_simulated };
        ledger_call_done(l, &end);
    }
    ledger_end(l, &(struct ledger_end){ .id = id,
                                        .fault = m->has_failed ? PROVIDER_CUT : OK,
                                        .http_status = m->has_failed ? 502 : 200,
                                        .model = str_from(m->model),
                                        .hrm_confidence = m->hrm,
                                        .trm_confidence = -1,
                                        .confidence = -1,
                                        .latency_us = m->latency_us,
                                        .raw = LEDGER_RAW_NONE });
    if (m->label >= 0)
        query_label(l, id, LABEL_FEEDBACK, m->label, m->at + 5);
    return id;
}

static const struct made rows[] = {
    { START, 1, "stem", "mini", 0.91, 0.5, 1000, 2, false, false, false, false },
    { START + MINUTE, 2, "stem", "mini", 0.95, 0, 2000, 1, false, false, false, false },
    { START + MINUTE + 1, 3, "tactical", "big", -1, -1, 4000, 1, false, true, false, false },
    { START + 2 * MINUTE, 4, "stem", "mini", 1, -1, 8000, 1, true, false, false, false },
    { START + 3 * MINUTE, 5, "tactical", "big", 0, -1, 1000, 1, false, false, true, false },
    /* After the span, and before it: */
    { START + 4 * MINUTE, 6, "stem", "mini", 0.5, -1, 1000, 1, false, false, false, false },
    { START - 1, 7, "stem", "mini", 0.5, -1, 1000, 1, false, false, false, false },
};

struct rig {
    struct world world;
    struct browser *browser;
    struct arena arena;
    int64_t ids[ARRAY_LEN(rows)];
};

static bool rig_open(struct rig *r)
{
    memset(r, 0, sizeof(*r));
    world_init(&r->world);
    arena_init(&r->arena, (size_t)16 << 20);
    if (!world_open(&r->world))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        r->ids[i] = make(r->world.ledger, &rows[i]);
    CHECK_ERR(ledger_commit(r->world.ledger), OK);
    world_close(&r->world); /* imports everything */
    enum err e = browser_open(&r->browser, r->world.options.directory, r->world.why);
    CHECK_ERR(e, OK);
    return e == OK;
}

static void rig_close(struct rig *r)
{
    browser_close(r->browser);
    arena_fini(&r->arena);
    world_fini(&r->world);
}

static void a_span_is_summed(void)
{
    struct rig r;
    struct browse_summary s;
    const struct browse_span span = { START, START + 4 * MINUTE, MINUTE, false };

    REQUIRE(rig_open(&r));
    CHECK_ERR(browse_summarise(r.browser, &span, &r.arena, &s), OK);
    CHECK_INT(s.bucket_count, 4);
    CHECK(s.total.queries == 4 && s.total.succeeded == 3 && s.other_queries == 1);
    CHECK(s.total.cost == 4 * 1800 && s.total.priced_cost == 4 * 1800);
    CHECK(s.total.priced == 3 && s.total.unpriced_calls == 1);
    CHECK(s.total.comparable == 4 && s.total.comparable_cost == 4 * 1800);
    CHECK(s.total.usage.input == 400 && s.total.usage.output == 80);
    CHECK(s.total.usage.cached == 400 && s.total.usage.cache_write == 0);
    CHECK(s.buckets[0].queries == 1 && s.buckets[0].cost == 3600);
    CHECK(s.buckets[1].queries == 2 && s.buckets[1].succeeded == 1);
    CHECK_INT(s.buckets[2].queries, 0); /* the simulated one is not of this span */
    CHECK(s.buckets[3].queries == 1 && s.buckets[3].priced == 0);
    CHECK(s.buckets[1].latency.n == 2 && s.buckets[1].latency.max == 4000);
    CHECK_INT(s.domain_count, 2);
    CHECK_STR(s.domains[0].name, STR("stem"));
    CHECK(s.domains[0].sums.queries == 2 && s.domains[1].sums.queries == 2);
    CHECK_NEAR(s.domains[0].sums.hrm_sum, 1.86, 1e-12);
    CHECK(s.strategy_count == 1 && s.strategies[0].sums.queries == 4);
    CHECK_INT(s.model_count, 2);
    CHECK(s.models[0].calls == 3 && s.models[0].cost == 5400);
    CHECK(s.models[1].calls == 2 && s.models[1].unpriced == 1 && s.models[1].input_tokens == 200);
    rig_close(&r);
}

static void confidences_are_binned_and_held_against_labels(void)
{
    struct rig r;
    struct browse_summary s;
    const struct browse_span span = { START, START + 4 * MINUTE, MINUTE, false };

    REQUIRE(rig_open(&r));
    CHECK_ERR(browse_summarise(r.browser, &span, &r.arena, &s), OK);
    CHECK(s.bins[BROWSE_HRM][18] == 1 && s.bins[BROWSE_HRM][19] == 1 && s.bins[BROWSE_HRM][0] == 1);
    CHECK(s.tenths[BROWSE_HRM][9].n == 2 && s.tenths[BROWSE_HRM][9].right == 1);
    CHECK_NEAR(s.tenths[BROWSE_HRM][9].confidence, 1.86, 1e-12);
    CHECK_INT(s.tenths[BROWSE_HRM][0].n, 0); /* it has no label */
    CHECK_INT(s.bins[BROWSE_TRM][0], 0);
    rig_close(&r);
}

/* A confidence of 1 is in the last bin, not behind it. */
static void a_simulated_span_is_of_the_rest(void)
{
    struct rig r;
    struct browse_summary s;
    const struct browse_span span = { START, START + 4 * MINUTE, 4 * MINUTE, true };

    REQUIRE(rig_open(&r));
    CHECK_ERR(browse_summarise(r.browser, &span, &r.arena, &s), OK);
    CHECK(s.bucket_count == 1 && s.total.queries == 1 && s.other_queries == 4);
    CHECK_INT(s.total.cost, 1800);
    CHECK_INT(s.bins[BROWSE_HRM][19], 1);
    rig_close(&r);
}

/* What was cut off has no tokens to compare: its cost is the reserve. */
static void interrupted_calls_are_not_compared(void)
{
    struct world w;
    struct browser *b = NULL;
    struct browse_summary s;
    struct arena arena;
    const struct browse_span span = { START, START + MINUTE, MINUTE, false };
    const struct made m = { START, 1, "stem", "mini", -1, -1, 1, 1, false, false, false, true };

    world_init(&w);
    arena_init(&arena, (size_t)4 << 20);
    REQUIRE(world_open(&w));
    make(w.ledger, &m);
    CHECK_ERR(ledger_commit(w.ledger), OK);
    world_close(&w);
    CHECK_ERR(browser_open(&b, w.options.directory, w.why), OK);
    CHECK_ERR(browse_summarise(b, &span, &arena, &s), OK);
    CHECK(s.total.cost == 5000 && s.total.comparable == 0 && s.total.usage.input == 0);
    browser_close(b);
    arena_fini(&arena);
    world_fini(&w);
}

static void many_names_share_the_last_place(void)
{
    struct world w;
    struct browser *b = NULL;
    struct browse_summary s;
    struct arena arena;
    const struct browse_span span = { START, START + MINUTE, MINUTE, false };

    world_init(&w);
    arena_init(&arena, (size_t)4 << 20);
    REQUIRE(world_open(&w));
    for (int i = 0; i < BROWSE_NAMES_MAX + 10; i++) {
        char name[16];
        snprintf(name, sizeof(name), "d%d", i);
        const struct made m = {
            START + i, i, name, name, -1, -1, 1, 1, false, false, false, false
        };
        make(w.ledger, &m);
    }
    CHECK_ERR(ledger_commit(w.ledger), OK);
    world_close(&w);
    CHECK_ERR(browser_open(&b, w.options.directory, w.why), OK);
    CHECK_ERR(browse_summarise(b, &span, &arena, &s), OK);
    CHECK(s.domain_count == BROWSE_NAMES_MAX && s.model_count == BROWSE_NAMES_MAX);
    CHECK_STR(s.domains[BROWSE_NAMES_MAX - 1].name, STR("(others)"));
    CHECK_INT(s.domains[BROWSE_NAMES_MAX - 1].sums.queries, 11);
    CHECK_INT(s.models[BROWSE_NAMES_MAX - 1].calls, 11);
    browser_close(b);
    arena_fini(&arena);
    world_fini(&w);
}

/* ---- pages ---- */

/* The ids of a page, newest first. */
static size_t page_of(struct rig *r, const struct browse_filter *filter, str out_ids[16],
                      struct browse_page *page)
{
    struct buf text = { 0 };
    struct json list;
    size_t n = 0;

    buf_add_char(&text, '[');
    CHECK_ERR(browse_queries(r->browser, filter, &text, page), OK);
    buf_add_char(&text, ']');
    str kept = arena_str(&r->arena, buf_str(&text));
    buf_fini(&text);
    CHECK_ERR(json_parse(&r->arena, kept, &list, NULL), OK);
    for (struct json_iter it = json_iter(list); json_next(&it) && n < 16; n++)
        CHECK(json_str(json_get(it.value, STR("id")), &r->arena, &out_ids[n]));
    CHECK_INT(n, page->count);
    return n;
}

static void pages_go_back_in_time(void)
{
    struct rig r;
    struct browse_page page;
    str ids[16];
    char id[20];

    REQUIRE(rig_open(&r));
    CHECK_INT(page_of(&r, &(struct browse_filter){ .limit = 3 }, ids, &page), 3);
    CHECK(str_eq(ids[0], ledger_id_format(r.ids[5], id)));
    CHECK(page.next == r.ids[3] && !page.is_cut);
    const struct browse_filter rest = { .limit = 10, .before = page.next };
    CHECK_INT(page_of(&r, &rest, ids, &page), 4);
    CHECK(str_eq(ids[3], ledger_id_format(r.ids[6], id)));
    CHECK_INT(page.next, 0);
    rig_close(&r);
}

static void filters_leave_out(void)
{
    static const struct {
        struct browse_filter filter;
        size_t want;
    } cases[] = {
        { { .outcome = BROWSE_FAILED }, 1 },
        { { .outcome = BROWSE_SUCCEEDED }, 6 },
        { { .domain = { "TACT", 4 } }, 2 },
        { { .model = { "big", 3 } }, 2 },
        { { .model = { "auto", 4 } }, 7 }, /* what was asked for counts, too */
        { { .tenant = { "acme", 4 }, .strategy = { "hrm", 3 }, .arm = { "a", 1 } }, 7 },
        { { .tenant = { "acme2", 5 } }, 0 },
        { { .strategy = { "trm", 3 } }, 0 },
        { { .arm = { "b", 1 } }, 0 },
        { { .fault = { "provider_cut", 12 } }, 1 },
        { { .since = START + 2 * MINUTE }, 3 },
    };
    struct rig r;
    struct browse_page page;
    str ids[16];

    REQUIRE(rig_open(&r));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct browse_filter filter = cases[i].filter;
        filter.limit = 10;
        CHECK_INT(page_of(&r, &filter, ids, &page), cases[i].want);
        CHECK_INT(page.next, 0);
    }
    rig_close(&r);
}

static void one_query_is_whole(void)
{
    struct rig r;
    struct buf text = { 0 };
    struct json query;
    bool is_found = false;

    REQUIRE(rig_open(&r));
    CHECK_ERR(browse_query(r.browser, r.ids[0], &text, &is_found), OK);
    CHECK(is_found);
    REQUIRE(json_parse(&r.arena, buf_str(&text), &query, NULL) == OK);
    CHECK_INT(json_count(json_get(query, STR("calls"))), 2);
    int64_t started_us = 0;
    CHECK(json_i64(json_path(query, STR("calls.1.started_us")), &started_us));
    CHECK_INT(started_us, 250);
    CHECK_INT(json_count(json_get(query, STR("labels"))), 1);
    CHECK(json_is(json_get(query, STR("route")), JSON_NULL));
    buf_reset(&text);
    CHECK_ERR(browse_query(r.browser, 12345, &text, &is_found), OK);
    CHECK(!is_found && text.len == 0);
    buf_fini(&text);
    rig_close(&r);
}

static void without_a_ledger_there_is_none(void)
{
    struct browser *b = NULL;
    char why[256] = "";

    CHECK_ERR(browser_open(&b, STR("/nonexistent"), why), WEIR_STORE);
    CHECK(!b && why[0] != '\0');
}

TESTS(TEST(a_span_is_summed), TEST(confidences_are_binned_and_held_against_labels),
      TEST(a_simulated_span_is_of_the_rest), TEST(interrupted_calls_are_not_compared),
      TEST(many_names_share_the_last_place), TEST(pages_go_back_in_time), TEST(filters_leave_out),
      TEST(one_query_is_whole), TEST(without_a_ledger_there_is_none))
