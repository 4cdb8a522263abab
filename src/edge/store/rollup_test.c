/* SPDX-License-Identifier: Apache-2.0 */
/* The rollups follow the rows: whatever comes, in whatever order and however often it is cut, verify adds up the same. */
#include "base/rng.h"
#include "edge/store/report.h"
#include "edge/store/rollup.h"
#include "edge/store/store_world.h"

#define NOON INT64_C(1795521600000000) /* 2026-11-24 12:00 UTC */
#define MINUTE (INT64_C(60) * 1000000)
#define DAY_FROM (NOON - 12 * 60 * MINUTE)
#define DAY_TO (NOON + 12 * 60 * MINUTE)

/* ---- a day of drawn queries ---- */

static const str tenants[] = { { "acme", 4 }, { "globex", 6 } };
static const str domains[] = { { "stem", 4 }, { "tactical", 8 }, { "", 0 } };
static const str models[] = { { "big", 3 }, { "small", 5 } };

static void drawn_call(struct ledger *l, struct rng *r, int64_t id, uint32_t number)
{
    str model = models[rng_below(r, ARRAY_LEN(models))];
    int64_t input = (int64_t)rng_below(r, 1000), cached = (int64_t)rng_below(r, 1000);
    bool is_priced = rng_below(r, 8) > 0, has_cache = cached <= input;
    int64_t price_cached = rng_below(r, 2) ? 4 : -1; /* none: as input */

    ledger_call_begin(l,
                      &(struct ledger_call){ id, number, STR("plan"), model, STR("p"), 7000, 10 });
    if (rng_below(r, 10) == 0)
        return; /* interrupted */
    ledger_call_done(
        l, &(struct ledger_call_end){ .query = id,
                                      .number = number,
                                      .fault = rng_below(r, 10) == 0 ? PROVIDER_CUT : OK,
                                      .http_status = 200,
                                      .attempts = rng_below(r, 5) == 0 ? 3 : 1,
                                      .usage = { .input = input,
                                                 .cached = has_cache ? cached : 0,
                                                 .is_known = true,
                                                 .is_estimated = rng_below(r, 4) == 0 },
                                      .cost = !is_priced  ? COST_UNPRICED
                                              : has_cache ? (input - cached) * 10 +
                                                                cached * (price_cached < 0 ? 10 : 4)
                                                          : input * 10,
                                      .price_input = is_priced ? 10 : -1,
                                      .price_output = is_priced ? 40 : -1,
                                      .price_cached = is_priced ? price_cached : -1,
                                      .is_simulated = rng_below(r, 3) == 0 });
}

static void drawn_query(struct ledger *l, struct rng *r, int64_t id)
{
    bool is_failed = rng_below(r, 6) == 0;

    ledger_begin(l, &(struct ledger_query){ .id = id,
                                            .started = NOON + (int64_t)rng_below(r, 50) * MINUTE,
                                            .tenant = tenants[rng_below(r, ARRAY_LEN(tenants))],
                                            .domain = domains[rng_below(r, ARRAY_LEN(domains))],
                                            .strategy = STR("hrm"),
                                            .arm = STR("a/control"),
                                            .reserved = 5000 });
    if (rng_below(r, 3) == 0)
        query_route(l, id);
    for (uint32_t i = (uint32_t)rng_below(r, 4); i > 0; i--)
        drawn_call(l, r, id, i);
    ledger_end(l, &(struct ledger_end){ .id = id,
                                        .fault = is_failed ? CALLER_GONE : OK,
                                        .http_status = 200,
                                        .model = models[rng_below(r, ARRAY_LEN(models))],
                                        .hrm_confidence = rng_below(r, 2) ? rng_unit(r) : -1,
                                        .trm_confidence = rng_below(r, 2) ? rng_unit(r) : -1,
                                        .confidence = rng_below(r, 8) == 0 ? 1
                                                      : rng_below(r, 2)    ? rng_unit(r)
                                                                           : -1,
                                        .is_calibrated = false,
                                        .latency_us = (int64_t)rng_below(r, 5000000),
                                        .raw = LEDGER_RAW_NONE });
}

/* Labels of queries that were there, that come now, or that never were. */
static void drawn_labels(struct ledger *l, struct rng *r, int64_t id)
{
    for (uint64_t i = rng_below(r, 4); i > 0; i--)
        query_label(l, id, (enum ledger_source)rng_below(r, LABEL_SOURCE_COUNT), rng_unit(r),
                    (usec_utc)rng_below(r, 5));
    if (rng_below(r, 20) == 0)
        query_label(l, (int64_t)rng_below(r, 1000), LABEL_AUDIT, 1, 1);
}

static void write_day(struct world *w, uint64_t seed, int queries)
{
    struct rng r;

    rng_init(&r, seed);
    for (int i = 0; i < queries; i++) {
        int64_t id = ledger_query_id(w->ledger);
        if (rng_below(&r, 4) == 0) { /* its labels come first */
            drawn_labels(w->ledger, &r, id);
            if (rng_below(&r, 4) == 0) {
                CHECK_ERR(ledger_commit(w->ledger), OK);
                sleep_ms(4);
            }
        }
        drawn_query(w->ledger, &r, id);
        drawn_labels(w->ledger, &r, id);
        if (rng_below(&r, 10) == 0) {
            CHECK_ERR(ledger_commit(w->ledger), OK);
            sleep_ms((int)rng_below(&r, 4)); /* an import may happen between, or not */
        }
    }
    CHECK_ERR(ledger_commit(w->ledger), OK);
}

/* ---- a report in few numbers, to be held against another ---- */

struct figures {
    int64_t queries, succeeded, cost, failed_cost, unpriced, routed, calls;
    int64_t cached_cost, cached_saved, binned_right, slot_succeeded, pair_succeeded;
    int64_t estimated, labels, right, binned, other_queries, other_cost, slot_queries, slot_cost;
    int64_t tenants, domains, models, pairs, latency_n;
    double hrm, dollars_squared, latency_sum, latency_p95;
};

static struct figures read_figures(struct world *w, usec_utc from, usec_utc to, bool is_simulated)
{
    const struct report_span span = { from, to, is_simulated };
    struct figures f;
    struct ledger_report report;
    struct arena arena;

    memset(&f, 0, sizeof(f));
    memset(&report, 0, sizeof(report));
    arena_init(&arena, (size_t)64 << 20);
    CHECK_ERR(store_read_report(w->options.directory, &span, &arena, &report, w->why), OK);
    const struct report_part *total = &report.total;
    f.queries = total->queries;
    f.succeeded = total->succeeded;
    f.cost = total->cost;
    f.failed_cost = total->failed_cost;
    f.unpriced = total->unpriced_calls;
    f.routed = report.routed;
    f.other_queries = report.other_queries;
    f.other_cost = report.other_cost;
    f.tenants = (int64_t)report.parts[REPORT_TENANT].count;
    f.domains = (int64_t)report.parts[REPORT_DOMAIN].count;
    f.models = (int64_t)report.parts[REPORT_MODEL].count;
    f.pairs = (int64_t)report.pairs_count;
    f.hrm = total->hrm.sum;
    f.dollars_squared = total->priced.sum_squares;
    for (size_t i = 0; i < report.calls_count; i++) {
        f.calls += report.calls[i].calls;
        f.estimated += report.calls[i].estimated;
        f.cached_cost += report.calls[i].cached_cost;
        f.cached_saved += report.calls[i].cached_saved;
    }
    for (size_t i = 0; i < report.slots_count; i++) {
        f.slot_queries += report.slots[i].queries;
        f.slot_succeeded += report.slots[i].succeeded;
        f.slot_cost += report.slots[i].cost;
    }
    for (size_t s = 0; s < LABEL_SOURCE_COUNT; s++) {
        f.labels += report.labels[s].n;
        f.right += report.labels[s].right;
        for (size_t i = 0; i < REPORT_BINS; i++) {
            f.binned += report.labels[s].bins[0][i].n;
            f.binned_right += report.labels[s].bins[0][i].right;
        }
    }
    for (size_t i = 0; i < report.pairs_count; i++)
        f.pair_succeeded += report.pairs[i].succeeded;
    if (total->latency) {
        f.latency_n = (int64_t)total->latency->n;
        f.latency_sum = total->latency->sum;
        f.latency_p95 = histogram_quantile(total->latency, 0.95).value;
    }
    arena_fini(&arena);
    return f;
}

static void check_alike(const struct figures *a, const struct figures *b)
{
    CHECK(memcmp(a, b, offsetof(struct figures, hrm)) == 0);
    CHECK_NEAR(a->hrm, b->hrm, 1e-9);
    CHECK_NEAR(a->dollars_squared, b->dollars_squared, 1e-12);
    CHECK_NEAR(a->latency_sum, b->latency_sum, 0);
    CHECK_NEAR(a->latency_p95, b->latency_p95, 0);
}

/* A ledger of version 2, which knew no rollups: the next opening migrates it. */
static void make_version_2(struct world *w)
{
    static const char *const steps[] = {
        "DROP TABLE rollup_queries",
        "DROP TABLE rollup_calls",
        "DROP TABLE rollup_labels",
        "DROP TABLE rollup_waiting",
        "DROP TABLE rollup_state",
        "ALTER TABLE calls DROP COLUMN started_us",
        "ALTER TABLE queries DROP COLUMN key_id",
        "PRAGMA user_version = 2",
    };

    for (size_t i = 0; i < ARRAY_LEN(steps); i++)
        CHECK_INT(world_sql(w, steps[i]), 0);
}

/* ---- tests ---- */

#define PAID_CALLS                                                                                 \
    " FROM calls WHERE is_simulated = 0 AND cost_nano_usd IS NOT NULL AND NOT is_interrupted"
#define PAID_LABELS                                                                                \
    "SELECT count(*) FROM labels l JOIN queries q ON q.id = l.query_id WHERE (q.calls = 0 OR"      \
    " EXISTS (SELECT 1 FROM calls c WHERE c.query_id = q.id AND c.is_simulated = 0))"

/* The same sums in another language. */
static void check_by_sql(const struct world *w, const struct figures *paid)
{
    CHECK_INT(paid->cached_cost,
              world_sql(w, "SELECT sum(cached_tokens * coalesce(price_cached_nano_usd,"
                           " price_input_nano_usd))" PAID_CALLS));
    CHECK_INT(paid->cached_saved,
              world_sql(w, "SELECT sum(cached_tokens * (price_input_nano_usd -"
                           " coalesce(price_cached_nano_usd, price_input_nano_usd)))" PAID_CALLS));
    CHECK_INT(paid->labels, world_sql(w, PAID_LABELS));
    CHECK_INT(paid->right, world_sql(w, PAID_LABELS " AND l.value >= 0.5"));
    CHECK_INT(paid->binned, world_sql(w, PAID_LABELS " AND q.confidence IS NOT NULL"));
    CHECK_INT(paid->binned_right,
              world_sql(w, PAID_LABELS " AND q.confidence IS NOT NULL AND l.value >= 0.5"));
    CHECK_INT(paid->latency_n,
              world_sql(w, "SELECT count(*) FROM queries q WHERE q.calls = 0 OR EXISTS (SELECT 1"
                           " FROM calls c WHERE c.query_id = q.id AND c.is_simulated = 0)"));
}

static void sums_are_those_of_the_rows(void)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct world w;
        world_init(&w);
        REQUIRE(world_open(&w));
        write_day(&w, seed, 150);
        world_close(&w);
        REQUIRE(world_open(&w)); /* the same ids' labels, again and newer */
        int64_t id = ledger_query_id(w.ledger);
        drawn_query(w.ledger, &(struct rng){ .s = { seed, 2, 3, 4 } }, id);
        query_label(w.ledger, id, LABEL_FEEDBACK, 0.25, 7);
        world_close(&w);
        CHECK_INT(world_verify(&w).mismatches, 0);
        struct figures paid = read_figures(&w, DAY_FROM, DAY_TO, false);
        struct figures simulated = read_figures(&w, DAY_FROM, DAY_TO, true);
        CHECK_INT(paid.queries + paid.other_queries, 151);
        CHECK_INT(simulated.queries + simulated.other_queries, 151);
        CHECK(paid.queries + simulated.queries > 151); /* some have calls of both kinds */
        CHECK(paid.labels > 50 && paid.binned > 10 && paid.binned < paid.labels);
        CHECK(paid.cached_saved > 0 && paid.failed_cost > 0 && paid.routed > 0);
        CHECK(paid.estimated > 0 && paid.estimated < paid.calls);
        CHECK_INT(paid.cost, simulated.other_cost);
        CHECK_INT(paid.slot_cost, paid.cost);
        CHECK_INT(paid.slot_queries, paid.queries);
        CHECK_INT(paid.slot_succeeded, paid.succeeded);
        CHECK_INT(paid.pair_succeeded, paid.succeeded);
        check_by_sql(&w, &paid);
        world_fini(&w);
    }
}

/* The rows of a ledger from before, rolled up in part, are read as rows, the rest as rollups: the report is the same. */
static void a_report_is_right_while_it_is_rolled_up(void)
{
    struct world w;
    struct database *db = NULL;
    struct figures want[2];
    bool is_done = false;
    int64_t rows, sum = 0;

    world_init(&w);
    REQUIRE(world_open(&w));
    write_day(&w, 11, 120);
    world_close(&w);
    for (int simulated = 0; simulated < 2; simulated++)
        want[simulated] = read_figures(&w, DAY_FROM, DAY_TO, simulated);
    make_version_2(&w);
    while (!is_done) {
        for (int simulated = 0; simulated < 2; simulated++) {
            struct figures got = read_figures(&w, DAY_FROM, DAY_TO, simulated);
            check_alike(&got, &want[simulated]);
        }
        CHECK_INT(world_verify(&w).mismatches, 0);
        REQUIRE(database_open(&db, w.options.directory, DATABASE_WRITE, false, w.why) == OK);
        CHECK_ERR(database_roll_up(db, 25, &rows, &is_done), OK);
        database_close(db);
        sum += rows;
    }
    CHECK_INT(sum, 120);
    CHECK_INT(world_verify(&w).mismatches, 0);
    for (int simulated = 0; simulated < 2; simulated++) {
        struct figures got = read_figures(&w, DAY_FROM, DAY_TO, simulated);
        check_alike(&got, &want[simulated]);
    }
    world_fini(&w);
}

/* A server that takes over such a ledger rolls it up beside its work, and new rows and labels of old ones come between. */
static void a_server_rolls_up_beside_its_work(void)
{
    enum { MANY = 10500 }; /* more than a chunk */
    struct world w;

    world_init(&w);
    REQUIRE(world_open(&w));
    int64_t old = query_whole(w.ledger);
    for (int i = 1; i <= MANY; i++) {
        query_whole(w.ledger);
        if (i % 500 == 0)
            CHECK_ERR(ledger_commit(w.ledger), OK);
    }
    write_day(&w, 12, 100);
    world_close(&w);
    make_version_2(&w);
    REQUIRE(world_open(&w));
    query_label(w.ledger, old, LABEL_FEEDBACK, 1, 100);
    write_day(&w, 13, 100);
    for (int i = 0; i < 500 && world_sql(&w, "SELECT done < last FROM rollup_state") != 0; i++)
        sleep_ms(10);
    CHECK_INT(world_sql(&w, "SELECT done < last FROM rollup_state"), 0);
    query_label(w.ledger, old, LABEL_FEEDBACK, 0, 101);
    world_close(&w);
    struct ledger_check check = world_verify(&w);
    CHECK_INT(check.mismatches, 0);
    CHECK_INT(check.rows, 201 + MANY);
    CHECK_INT(read_figures(&w, DAY_FROM, DAY_TO, false).queries +
                  read_figures(&w, DAY_FROM, DAY_TO, false).other_queries,
              200);
    world_fini(&w);
}

static void count_progress(void *ctx, int64_t done, int64_t all)
{
    int64_t *seen = ctx;

    CHECK(done <= all && done >= seen[0]);
    seen[0] = done;
    seen[1] = all;
}

static void a_command_rolls_up_with_progress(void)
{
    struct world w;
    int64_t seen[2] = { 0, 0 };

    world_init(&w);
    REQUIRE(world_open(&w));
    write_day(&w, 14, 60);
    CHECK_ERR(store_roll_up(w.options.directory, count_progress, seen, w.why),
              OK); /* a server runs */
    CHECK_INT(seen[1], 0);
    world_close(&w);
    make_version_2(&w);
    CHECK_ERR(store_roll_up(w.options.directory, count_progress, seen, w.why), OK);
    CHECK(seen[0] == 60 && seen[1] == 60);
    CHECK_INT(world_sql(&w, "SELECT done < last FROM rollup_state"), 0);
    CHECK_INT(world_verify(&w).mismatches, 0);
    CHECK_ERR(store_roll_up(STR("/nonexistent"), NULL, NULL, w.why), WEIR_STORE);
    world_fini(&w);
}

static struct row_query row_of(int64_t id)
{
    return (struct row_query){ .begin = { .id = id, .started = NOON, .tenant = STR("t") },
                               .end = { .id = id,
                                        .hrm_confidence = 0.5,
                                        .trm_confidence = -1,
                                        .confidence = 0.5,
                                        .raw = LEDGER_RAW_NONE } };
}

static void insert(struct database *db, int64_t id, bool has_query, bool has_label)
{
    const struct row_query row = row_of(id);
    const struct ledger_label label = { .query = id, .source = LABEL_AUDIT, .value = 1 };

    if (has_query)
        CHECK_ERR(database_insert(db, &row), OK);
    if (has_label)
        CHECK_ERR(database_label(db, &label), OK);
}

/* What comes for ids that are not rolled up yet is left to the roll-up; what was taken back was not counted; labels that had no
 * query when they were passed wait for it. */
static void what_is_pending_is_counted_once(void)
{
    struct world w;
    struct database *db = NULL;
    int64_t rows;
    bool is_done = false;

    world_init(&w);
    REQUIRE(database_open(&db, w.options.directory, DATABASE_WRITE, false, w.why) == OK);
    CHECK_ERR(database_begin(db), OK);
    insert(db, 100, true, false);
    insert(db, 200, true, false);
    database_rollback(db);
    CHECK_ERR(database_begin(db), OK);
    insert(db, 100, true, false);
    insert(db, 900, true, false);
    CHECK_ERR(database_commit(db), OK);
    database_close(db);
    CHECK_INT(world_sql(&w, "SELECT sum(queries) FROM rollup_queries"), 2);
    make_version_2(&w);
    REQUIRE(database_open(&db, w.options.directory, DATABASE_WRITE, false, w.why) == OK);
    CHECK_ERR(database_begin(db), OK);
    insert(db, 200, true, true); /* pending, as are those that follow */
    insert(db, 300, false, true);
    insert(db, 900, false, true);
    insert(db, 950, true, true); /* new */
    CHECK_ERR(database_commit(db), OK);
    CHECK_INT(world_sql(&w, "SELECT sum(queries) FROM rollup_queries"), 1);
    while (!is_done)
        CHECK_ERR(database_roll_up(db, 1, &rows, &is_done), OK);
    CHECK_INT(world_sql(&w, "SELECT sum(queries) FROM rollup_queries"), 4);
    CHECK_INT(world_sql(&w, "SELECT sum(labels) FROM rollup_labels"), 3);
    CHECK_ERR(database_begin(db), OK);
    insert(db, 300, true, false);
    CHECK_ERR(database_commit(db), OK);
    CHECK_INT(world_sql(&w, "SELECT sum(labels) FROM rollup_labels"), 4);
    CHECK_INT(world_sql(&w, "SELECT count(*) FROM rollup_waiting"), 0);
    database_close(db);
    CHECK_INT(world_verify(&w).mismatches, 0);
    world_fini(&w);
}

/* Spans that cut quarter hours: the parts of an hour are the hour. */
static void cut_quarter_hours_are_read_from_rows(void)
{
    static const usec_utc cuts[] = {
        0, 1, 7 * MINUTE, 15 * MINUTE, 16 * MINUTE + 1, 44 * MINUTE, 45 * MINUTE, 60 * MINUTE
    };
    struct world w;
    int64_t queries = 0, cost = 0, labels = 0, latency = 0;

    world_init(&w);
    REQUIRE(world_open(&w));
    write_day(&w, 15, 150);
    world_close(&w);
    for (size_t i = 0; i + 1 < ARRAY_LEN(cuts); i++) {
        struct figures f = read_figures(&w, NOON + cuts[i], NOON + cuts[i + 1], false);
        queries += f.queries;
        cost += f.cost;
        labels += f.labels;
        latency += f.latency_n;
        CHECK_INT(f.slot_cost, f.cost);
    }
    struct figures hour = read_figures(&w, NOON, NOON + 60 * MINUTE, false);
    CHECK(queries == hour.queries && cost == hour.cost && labels == hour.labels);
    CHECK_INT(latency, hour.latency_n);
    CHECK_INT(read_figures(&w, NOON, NOON, false).queries, 0);
    world_fini(&w);
}

/* More names than the accumulator holds at once. */
static void many_names_are_many_cells(void)
{
    struct world w;
    char name[32];
    enum { NAMES = 3000 };

    world_init(&w);
    REQUIRE(world_open(&w));
    for (int i = 0; i < NAMES; i++) {
        int64_t id = ledger_query_id(w.ledger);
        snprintf(name, sizeof(name), "tenant %d", i % (NAMES / 2)); /* each again, later */
        ledger_begin(w.ledger,
                     &(struct ledger_query){ .id = id,
                                             .started = NOON + i / (NAMES / 2) * 30 * MINUTE,
                                             .tenant = str_from(name) });
        call_begin(w.ledger, id, 1);
        call_done(w.ledger, id, 1);
        query_end(w.ledger, id);
        CHECK_ERR(ledger_commit(w.ledger), OK);
    }
    world_close(&w);
    CHECK_INT(world_verify(&w).mismatches, 0);
    CHECK_INT(world_sql(&w, "SELECT count(*) FROM rollup_queries"), NAMES);
    CHECK_INT(world_sql(&w, "SELECT sum(calls) FROM rollup_calls"), NAMES);
    CHECK_INT(read_figures(&w, DAY_FROM, DAY_TO, false).cost, NAMES * CALL_COST);
    CHECK_INT(read_figures(&w, DAY_FROM, DAY_TO, false).tenants, NAMES / 2);
    world_fini(&w);
}

/* Rows that were deleted, oldest first, leave their sums behind: reports of then stay right. */
static void sums_outlive_their_rows(void)
{
    struct world w;

    world_init(&w);
    REQUIRE(world_open(&w));
    write_day(&w, 16, 80);
    world_close(&w);
    struct figures before = read_figures(&w, DAY_FROM, DAY_TO, false);
    CHECK_INT(world_sql(&w, "DELETE FROM calls WHERE query_id IN (SELECT id FROM queries WHERE "
                            "started < 1795522500000000)"),
              0);
    CHECK_INT(world_sql(&w, "DELETE FROM routes"), 0);
    CHECK_INT(world_sql(&w, "DELETE FROM queries WHERE started < 1795522500000000"), 0);
    CHECK(world_sql(&w, "SELECT count(*) FROM queries") < 80);
    struct figures after = read_figures(&w, DAY_FROM, DAY_TO, false);
    check_alike(&after, &before);
    /* Routes that go without their queries are no sums of old rows. */
    struct ledger_check check = { 0 };
    CHECK_ERR(store_verify(w.options.directory, &check, NULL, NULL, w.why), OK);
    CHECK_INT(check.rollup_mismatches, 1);
    world_fini(&w);
}

static void tampered_sums_are_found(void)
{
    static const char *const cases[] = {
        "UPDATE rollup_queries SET latency = x'' WHERE length(latency) > 0",
        "UPDATE rollup_queries SET cost_nano_usd = cost_nano_usd + 1",
        "UPDATE rollup_queries SET hrm_sum = hrm_sum + 0.001",
        "UPDATE rollup_queries SET queries = 1.5",
        "UPDATE rollup_queries SET domain = domain || 'x'",
        "DELETE FROM rollup_queries WHERE fault <> ''",
        "UPDATE rollup_calls SET cached_saved_nano_usd = cached_saved_nano_usd - 1",
        "DELETE FROM rollup_calls WHERE model = 'big'",
        "UPDATE rollup_labels SET are_right = are_right + 1",
        ("INSERT INTO rollup_labels SELECT slot + 1, 0, 0, 20, source, '', 1, 1, 1, 1"
         " FROM rollup_labels LIMIT 1"),
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ledger_check check = { 0 };
        struct world w;
        world_init(&w);
        REQUIRE(world_open(&w));
        write_day(&w, 20, 60);
        world_close(&w);
        CHECK_INT(world_sql(&w, cases[i]), 0);
        CHECK_ERR(store_verify(w.options.directory, &check, NULL, NULL, w.why), OK);
        if (check.mismatches != 1 || check.rollup_mismatches != 1)
            check_note(__FILE__, __LINE__, cases[i]);
        world_fini(&w);
    }
}

/* Labels that a ledger of version 2 has of queries that came after it, or that never came. */
static void labels_wait_across_the_migration(void)
{
    struct world w;
    struct database *db = NULL;
    int64_t rows;
    bool is_done;

    world_init(&w);
    REQUIRE(database_open(&db, w.options.directory, DATABASE_WRITE, false, w.why) == OK);
    CHECK_ERR(database_begin(db), OK);
    insert(db, 100, true, true);
    insert(db, 150, false, true);
    insert(db, 200, true, false);
    insert(db, 50, false, true);
    insert(db, 250, false, true);
    CHECK_ERR(database_commit(db), OK);
    database_close(db);
    make_version_2(&w);
    REQUIRE(database_open(&db, w.options.directory, DATABASE_WRITE, false, w.why) == OK);
    CHECK_ERR(database_roll_up(db, 100, &rows, &is_done), OK);
    CHECK(rows == 2 && is_done);
    CHECK_INT(world_sql(&w, "SELECT sum(labels) FROM rollup_labels"), 1);
    CHECK_ERR(database_begin(db), OK);
    insert(db, 50, true, false);
    insert(db, 150, true, false);
    insert(db, 250, true, false);
    CHECK_ERR(database_commit(db), OK);
    database_close(db);
    CHECK_INT(world_sql(&w, "SELECT sum(labels) FROM rollup_labels"), 4);
    CHECK_INT(world_verify(&w).mismatches, 0);
    world_fini(&w);
}

/* How long a query would have taken that was stopped with weir, nobody knows. */
static void interrupted_queries_have_no_latency(void)
{
    struct world w;

    world_init(&w);
    REQUIRE(world_open(&w));
    struct rng r;
    rng_init(&r, 1);
    drawn_query(w.ledger, &r, ledger_query_id(w.ledger));
    ledger_begin(w.ledger,
                 &(struct ledger_query){ .id = ledger_query_id(w.ledger), .started = NOON });
    CHECK_ERR(ledger_commit(w.ledger), OK);
    world_close(&w);
    struct figures f = read_figures(&w, DAY_FROM, DAY_TO, false);
    CHECK_INT(f.queries, 2);
    CHECK_INT(f.latency_n, 1);
    world_fini(&w);
}

TESTS(TEST(sums_are_those_of_the_rows), TEST(a_report_is_right_while_it_is_rolled_up),
      TEST(what_is_pending_is_counted_once), TEST(a_server_rolls_up_beside_its_work),
      TEST(a_command_rolls_up_with_progress), TEST(cut_quarter_hours_are_read_from_rows),
      TEST(many_names_are_many_cells), TEST(sums_outlive_their_rows), TEST(tampered_sums_are_found),
      TEST(labels_wait_across_the_migration), TEST(interrupted_queries_have_no_latency))
