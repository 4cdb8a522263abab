/* SPDX-License-Identifier: Apache-2.0 */
/* The rollups follow the rows: whatever comes, in whatever order and however often it is cut, verify adds up the same. */
#include "edge/store/rollup_rig_test.h"

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

TESTS(TEST(sums_are_those_of_the_rows), TEST(cut_quarter_hours_are_read_from_rows),
      TEST(many_names_are_many_cells), TEST(sums_outlive_their_rows), TEST(tampered_sums_are_found),
      TEST(interrupted_queries_have_no_latency))
