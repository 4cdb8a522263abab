/* SPDX-License-Identifier: Apache-2.0 */
/* store_test: the ledger as its callers see it: round trips, ids, limits, a locked database, verify and export. */
#include "core/json/json.h"
#include "edge/store/store_world.h"

static void a_query_comes_back(void)
{
    struct world w;

    world_init(&w);
    REQUIRE(world_open(&w));
    CHECK(!ledger_is_dirty(w.ledger));
    CHECK_ERR(ledger_commit(w.ledger), OK);
    int64_t id = ledger_query_id(w.ledger);
    query_begin(w.ledger, id);
    call_begin(w.ledger, id, 1);
    call_begin(w.ledger, id, 2);
    CHECK(ledger_is_dirty(w.ledger));
    CHECK_ERR(ledger_commit(w.ledger), OK);
    CHECK(!ledger_is_dirty(w.ledger));
    call_done(w.ledger, id, 2); /* in another order than begun */
    call_done(w.ledger, id, 1);
    query_end(w.ledger, id);
    CHECK_ERR(ledger_commit(w.ledger), OK);
    world_close(&w);

    CHECK_INT(world_files(&w, "journal-", NULL), 0);
    CHECK(world_sql(&w, "SELECT id FROM queries") == id);
    CHECK_INT(world_sql(&w, "SELECT cost_nano_usd FROM queries"), 2 * CALL_COST);
    CHECK_INT(world_sql(&w, "SELECT calls FROM queries"), 2);
    CHECK_INT(world_sql(&w, "SELECT input_tokens * 1000 + output_tokens FROM queries"), 200040);
    CHECK_INT(world_sql(&w, "SELECT count(*) FROM calls WHERE cost_nano_usd = 1600 AND NOT "
                            "is_interrupted AND fault IS NULL AND cached_tokens = 40"),
              2);
    CHECK_INT(world_sql(&w, "SELECT hrm_confidence IS NULL AND trm_confidence = 0.5 FROM queries"),
              1);
    struct ledger_check check = world_verify(&w);
    CHECK(check.rows == 1 && check.calls == 2 && check.interrupted == 0 && check.unpriced == 0);
    CHECK_INT(check.sum_nano_usd, 2 * CALL_COST);
    CHECK_INT(check.mismatches, 0);
    CHECK(!check.is_live);
    world_fini(&w);
}

/* Unknown is not nothing. */
static void unpriced_is_null(void)
{
    struct world w;

    world_init(&w);
    REQUIRE(world_open(&w));
    int64_t id = ledger_query_id(w.ledger);
    query_begin(w.ledger, id);
    call_begin(w.ledger, id, 1);
    call_done(w.ledger, id, 1);
    call_begin(w.ledger, id, 2);
    const struct ledger_call_end unpriced = { .query = id,
                                              .number = 2,
                                              .fault = PROVIDER_CUT,
                                              .usage = { .input = 5, .is_estimated = true },
                                              .cost = COST_UNPRICED,
                                              .price_input = -1,
                                              .price_output = -1,
                                              .price_cached = -1 };
    ledger_call_done(w.ledger, &unpriced);
    query_end(w.ledger, id);
    world_close(&w);
    CHECK_INT(world_sql(&w, "SELECT cost_nano_usd IS NULL FROM queries"), 1);
    CHECK_INT(world_sql(&w, "SELECT cost_nano_usd IS NULL AND fault = 'PROVIDER_CUT' FROM calls "
                            "WHERE number = 2"),
              1);
    struct ledger_check check = world_verify(&w);
    CHECK(check.unpriced == 1 && check.sum_nano_usd == CALL_COST && check.mismatches == 0);
    world_fini(&w);
}

/* A call that was begun but not ended before its query ended may have been paid for. */
static void calls_without_end_cost_their_reserve(void)
{
    struct world w;

    world_init(&w);
    REQUIRE(world_open(&w));
    int64_t id = ledger_query_id(w.ledger);
    query_begin(w.ledger, id);
    call_begin(w.ledger, id, 1);
    query_end(w.ledger, id);
    int64_t open = ledger_query_id(w.ledger);
    query_begin(w.ledger, open);
    world_close(&w);
    CHECK_INT(world_sql(&w, "SELECT cost_nano_usd FROM queries WHERE fault IS NULL"), 5000);
    CHECK_INT(world_sql(&w, "SELECT is_interrupted FROM calls"), 1);
    CHECK(world_sql(&w, "SELECT id FROM queries WHERE fault = 'WEIR_INTERRUPTED'") == open);
    struct ledger_check check = world_verify(&w);
    CHECK(check.rows == 2 && check.interrupted == 1 && check.mismatches == 0);
    world_fini(&w);
}

static void the_first_end_of_a_call_counts(void)
{
    struct world w;

    world_init(&w);
    REQUIRE(world_open(&w));
    int64_t id = ledger_query_id(w.ledger);
    query_begin(w.ledger, id);
    call_begin(w.ledger, id, 1);
    call_done(w.ledger, id, 1);
    const struct ledger_call_end again = { .query = id, .number = 1, .cost = 7 };
    ledger_call_done(w.ledger, &again);
    query_end(w.ledger, id);
    world_close(&w);
    struct ledger_check check = world_verify(&w);
    CHECK(check.calls == 1 && check.sum_nano_usd == CALL_COST && check.mismatches == 0);
    world_fini(&w);
}

static void ids_grow(void)
{
    struct world w;
    int64_t last = 0;

    world_init(&w);
    REQUIRE(world_open(&w));
    for (int i = 0; i < 100000; i++) { /* many more than a millisecond holds */
        int64_t id = ledger_query_id(w.ledger);
        REQUIRE(id > last);
        CHECK_INT(id >> 13 & 0xff, 3);
        last = id;
    }
    query_begin(w.ledger, last);
    query_end(w.ledger, last);
    ledger_close(w.ledger);
    CHECK_ERR(ledger_open(&w.ledger, w.store, 3), OK);
    CHECK(ledger_query_id(w.ledger) > last);
    world_close(&w);

    /* As if the clock had been ahead by years when the last query was recorded. */
    int64_t future = INT64_C(0x3ffffffff00) << 21 | 7 << 13 | 5;
    char sql[100];
    snprintf(sql, sizeof(sql), "UPDATE queries SET id = %" PRId64, future);
    CHECK_INT(world_sql(&w, sql), 0);
    REQUIRE(world_open(&w));
    int64_t next = ledger_query_id(w.ledger);
    CHECK(next > future && (next >> 13 & 0xff) == 3);
    world_fini(&w);
}

static void ids_have_a_text(void)
{
    static const struct {
        str text;
        bool is_sound;
        int64_t id;
    } cases[] = {
        { STR("q0000000000000000"), true, 0 },         { STR("q00000000000000ff"), true, 255 },
        { STR("q7fffffffffffffff"), true, INT64_MAX }, { STR("q8000000000000000"), false, 0 },
        { STR("q00000000000000FF"), false, 0 },        { STR("r00000000000000ff"), false, 0 },
        { STR("q0000000000000ff"), false, 0 },         { STR("q00000000000000ff0"), false, 0 },
        { STR("q00000000000000fg"), false, 0 },        { STR(""), false, 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t id = -1;
        char text[20];
        CHECK(ledger_id_parse(cases[i].text, &id) == cases[i].is_sound);
        CHECK(id == (cases[i].is_sound ? cases[i].id : -1));
        if (cases[i].is_sound)
            CHECK_STR(ledger_id_format(id, text), cases[i].text);
    }
}

static void one_process_holds_the_directory(void)
{
    struct world w;
    struct store *other = NULL;
    char why[256];

    world_init(&w);
    REQUIRE(world_open(&w));
    query_whole(w.ledger);
    CHECK_ERR(ledger_commit(w.ledger), OK);
    CHECK_ERR(store_open(&other, &w.options, why), WEIR_STORE);
    CHECK(other == NULL && strstr(why, "another process") != NULL);
    CHECK(world_verify(&w).is_live);
    world_fini(&w);

    const struct store_options unusable = { .directory = STR("/dev/null/ledger") };
    CHECK_ERR(store_open(&other, &unusable, why), WEIR_STORE);
    CHECK(strstr(why, "/dev/null/ledger") != NULL);
    const struct store_options nameless = { 0 };
    CHECK_ERR(store_open(&other, &nameless, why), WEIR_STORE);
}

static void a_newer_schema_is_refused(void)
{
    struct world w;

    world_init(&w);
    REQUIRE(world_open(&w));
    world_close(&w);
    CHECK_INT(world_sql(&w, "PRAGMA user_version = 99"), 0);
    CHECK_ERR(store_open(&w.store, &w.options, w.why), WEIR_STORE);
    CHECK(strstr(w.why, "version 99") != NULL);
    w.store = NULL;
    world_fini(&w);
}

/* Waits for the store thread, at most five seconds. */
static bool wait_for_rows(const struct world *w, int64_t rows)
{
    for (int i = 0; i < 1000; i++) {
        if (world_sql(w, "SELECT count(*) FROM queries") == rows)
            return true;
        sleep_ms(5);
    }
    return false;
}

static void segments_rotate_and_go(void)
{
    struct world w;
    struct store_health health;

    world_init(&w);
    w.options.segment_bytes = 4096;
    REQUIRE(world_open(&w));
    int64_t lasting = ledger_query_id(w.ledger);
    query_begin(w.ledger, lasting);
    for (int i = 0; i < 500; i++) {
        query_whole(w.ledger);
        CHECK_ERR(ledger_commit(w.ledger), OK);
    }
    CHECK(wait_for_rows(&w, 500));
    sleep_ms(50);
    /* The first, held by the lasting query, and the one that is written. */
    CHECK(world_files(&w, "journal-", NULL) <= 2);
    store_health_read(w.store, &health);
    CHECK(health.journal_bytes > 0 && health.journal_bytes < 3 * 4096);
    CHECK_INT(health.import_failures, 0);
    query_end(w.ledger, lasting);
    world_close(&w);
    CHECK_INT(world_files(&w, "journal-", NULL), 0);
    struct ledger_check check = world_verify(&w);
    CHECK(check.rows == 501 && check.interrupted == 0 && check.mismatches == 0);
    world_fini(&w);
}

/* The thread sleeps after the first query; a later commit must wake it. */
static void an_idle_store_wakes(void)
{
    struct world w;

    world_init(&w);
    REQUIRE(world_open(&w));
    for (int i = 1; i <= 5; i++) {
        query_whole(w.ledger);
        CHECK_ERR(ledger_commit(w.ledger), OK);
        CHECK(wait_for_rows(&w, i));
        sleep_ms(20);
    }
    world_fini(&w);
}

static void relaxed_commits_wait(void)
{
    struct world w;

    world_init(&w);
    w.options.relaxed = true;
    REQUIRE(world_open(&w));
    query_whole(w.ledger);
    CHECK_ERR(ledger_commit(w.ledger), OK); /* the first goes at once */
    CHECK(!ledger_is_dirty(w.ledger));
    query_whole(w.ledger);
    CHECK_ERR(ledger_commit(w.ledger), OK);
    CHECK(ledger_is_dirty(w.ledger));
    sleep_ms(70);
    CHECK_ERR(ledger_commit(w.ledger), OK);
    CHECK(!ledger_is_dirty(w.ledger));
    query_whole(w.ledger);
    CHECK_ERR(ledger_commit(w.ledger), OK);
    world_close(&w);
    CHECK_INT(world_verify(&w).rows, 3);
    world_fini(&w);
}

static sqlite3 *lock_database(const struct world *w)
{
    char path[300];
    sqlite3 *db = NULL;

    snprintf(path, sizeof(path), "%s/ledger.db", w->directory);
    CHECK_INT(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    CHECK_INT(sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    return db;
}

static void a_locked_database_stops_nobody(void)
{
    struct world w;
    struct store_health health = { 0 };

    world_init(&w);
    REQUIRE(world_open(&w));
    sqlite3 *locker = lock_database(&w);
    for (int i = 0; i < 300; i++) {
        for (int n = 0; n < 10; n++)
            query_whole(w.ledger);
        CHECK_ERR(ledger_commit(w.ledger), OK);
        if (i % 3 == 0)
            sleep_ms(5);
    }
    for (int i = 0; i < 1000 && health.import_failures == 0; i++) {
        sleep_ms(5);
        store_health_read(w.store, &health);
    }
    CHECK(health.import_failures > 0);
    CHECK_INT(world_sql(&w, "SELECT count(*) FROM queries"), 0);
    sqlite3_close(locker);
    CHECK(wait_for_rows(&w, 3000));
    world_close(&w);
    struct ledger_check check = world_verify(&w);
    CHECK(check.rows == 3000 && check.interrupted == 0 && check.mismatches == 0);
    world_fini(&w);
}

/* Past the journals' limit commits fail, nothing appended is lost, and it ends when the database is back. */
static void journals_are_bounded(void)
{
    struct world w;
    int64_t rows = 0;
    enum err e = OK;

    world_init(&w);
    w.options.journal_bytes_max = 64 * 1024;
    REQUIRE(world_open(&w));
    sqlite3 *locker = lock_database(&w);
    for (int i = 0; i < 10000 && e == OK; i++, rows++) {
        query_whole(w.ledger);
        e = ledger_commit(w.ledger);
    }
    CHECK_ERR(e, WEIR_STORE);
    CHECK(rows > 100 && rows < 1000);
    CHECK(ledger_is_dirty(w.ledger));
    sqlite3_close(locker);
    for (int i = 0; i < 1000 && e != OK; i++) {
        sleep_ms(5);
        e = ledger_commit(w.ledger);
    }
    CHECK_ERR(e, OK);
    CHECK(!ledger_is_dirty(w.ledger));
    world_close(&w);
    CHECK_INT(world_verify(&w).rows, rows);
    world_fini(&w);
}

/* While nothing can be written new queries are refused at a bound; ends of known ones are still taken. */
static void memory_is_bounded(void)
{
    struct world w;
    enum err e = WEIR_STORE;
    int64_t first;

    world_init(&w);
    w.options.journal_bytes_max = 64 * 1024;
    REQUIRE(world_open(&w));
    sqlite3 *locker = lock_database(&w);
    first = ledger_query_id(w.ledger);
    query_begin(w.ledger, first);
    CHECK_ERR(ledger_commit(w.ledger), OK);
    for (int i = 0; i < 100000; i++) {
        query_begin(w.ledger, ledger_query_id(w.ledger));
        if (i % 10000 == 9999)
            CHECK_ERR(ledger_commit(w.ledger), WEIR_STORE);
    }
    query_begin(w.ledger, ledger_query_id(w.ledger));
    query_end(w.ledger, first);
    CHECK_ERR(ledger_commit(w.ledger), WEIR_STORE);
    CHECK(ledger_is_dirty(w.ledger));
    sqlite3_close(locker);
    world_close(&w);
    w.options.journal_bytes_max = 0;
    CHECK_INT(world_sql(&w, "SELECT count(*) FROM queries"),
              1); /* what no commit took is nowhere */

    REQUIRE(world_open(&w));
    w.store->options.journal_bytes_max = 1;
    first = ledger_query_id(w.ledger);
    query_begin(w.ledger, first);
    for (int i = 0; i < 100000; i++)
        query_begin(w.ledger, ledger_query_id(w.ledger));
    query_end(w.ledger, first);
    CHECK_ERR(ledger_commit(w.ledger), WEIR_STORE);
    w.store->options.journal_bytes_max = UINT64_MAX;
    e = ledger_commit(w.ledger);
    CHECK_ERR(e, OK);
    world_close(&w);
    struct ledger_check check = world_verify(&w);
    /* A mebibyte of begins, and that end. */
    CHECK(check.rows > 10000 && check.rows < 40000);
    CHECK_INT(world_sql(&w, "SELECT count(*) FROM queries WHERE fault IS NULL"), 1);
    world_fini(&w);
}

struct lines {
    struct arena arena;
    int count;
    int sound;
    int64_t calls;
    str last_tenant;
    str last_started;
};

static void take_line(void *ctx, str line)
{
    struct lines *lines = ctx;
    struct json v;

    lines->count++;
    if (json_parse(&lines->arena, line, &v, NULL) != OK)
        return;
    lines->sound += json_is(v, JSON_OBJECT) && json_is(json_get(v, STR("calls")), JSON_ARRAY) &&
                    json_is(json_get(v, STR("hrm_confidence")), JSON_NULL);
    lines->calls += (int64_t)json_count(json_get(v, STR("calls")));
    /* The line is the exporter's, so what is kept is copied. */
    CHECK(json_str(json_get(v, STR("tenant")), &lines->arena, &lines->last_tenant));
    lines->last_tenant = arena_str(&lines->arena, lines->last_tenant);
    CHECK(json_str(json_get(v, STR("started")), &lines->arena, &lines->last_started));
    lines->last_started = arena_str(&lines->arena, lines->last_started);
}

static void exports_are_json(void)
{
    struct world w;
    struct lines lines = { 0 };

    world_init(&w);
    REQUIRE(world_open(&w));
    query_whole(w.ledger);
    int64_t id = ledger_query_id(w.ledger);
    const struct ledger_query odd = { .id = id,
                                      .started = 4102444800000042,
                                      .tenant = STR("a\"b\\c\n\x01\xe2\x82\xac\xff"),
                                      .reserved = COST_UNPRICED };
    ledger_begin(w.ledger, &odd);
    call_begin(w.ledger, id, 1);
    call_begin(w.ledger, id, 2);
    call_done(w.ledger, id, 1);
    query_end(w.ledger, id);
    world_close(&w);

    arena_init(&lines.arena, 1 << 20);
    CHECK_ERR(store_export(w.options.directory, INT64_MIN, take_line, &lines, w.why), OK);
    CHECK(lines.count == 2 && lines.sound == 2 && lines.calls == 3);
    CHECK_STR(lines.last_tenant, STR("a\"b\\c\n\x01\xe2\x82\xac\xef\xbf\xbd"));
    CHECK_STR(lines.last_started, STR("2100-01-01T00:00:00.000042Z"));
    lines.count = 0;
    CHECK_ERR(store_export(w.options.directory, 4102444800000042, take_line, &lines, w.why), OK);
    CHECK_INT(lines.count, 1);
    lines.count = 0;
    CHECK_ERR(store_export(w.options.directory, 4102444800000043, take_line, &lines, w.why), OK);
    CHECK_INT(lines.count, 0);
    CHECK_ERR(store_export(STR("/nonexistent"), 0, take_line, &lines, w.why), WEIR_STORE);
    arena_fini(&lines.arena);
    world_fini(&w);
}

static void quiet(void *ctx, str sentence)
{
    (void)ctx;
    (void)sentence;
}

static void tampering_is_found(void)
{
    static const struct {
        const char *sql;
        int64_t mismatches;
        int64_t rollups; /* whose sums are not the rows' any more */
    } cases[] = {
        { "UPDATE queries SET arm = 'b'", 0, 1 },
        { "UPDATE queries SET cost_nano_usd = cost_nano_usd + 1 WHERE rowid = (SELECT min(id) FROM "
          "queries)",
          1, 0 },
        { "UPDATE queries SET calls = 2", 3, 0 },
        { "UPDATE queries SET input_tokens = 0", 3, 0 },
        { "UPDATE queries SET output_tokens = 0", 3, 0 },
        { "DELETE FROM calls WHERE query_id = (SELECT max(id) FROM queries)", 3, 2 },
        { "DELETE FROM queries WHERE id = (SELECT min(id) FROM queries)", 1, 2 },
        { "DELETE FROM queries WHERE id = (SELECT max(id) FROM queries)", 1, 2 },
        { "UPDATE calls SET cost_nano_usd = 0", 6,
          2 }, /* the call's own cost, and the query's sum */
        { "UPDATE calls SET cached_tokens = 39", 3, 1 },
        { "UPDATE calls SET cached_tokens = 101", 3, 1 },
        /* What it would cost, could more be cached than there is. */
        { "UPDATE calls SET cached_tokens = 110, cost_nano_usd = 1250", 6, 2 },
        { "UPDATE calls SET price_output_nano_usd = 41", 3, 0 },
        { "UPDATE calls SET price_input_nano_usd = NULL", 3, 1 }, /* a cost without a price */
        { "UPDATE calls SET price_cached_nano_usd = NULL", 3, 1 }, /* then input's price holds */
        { "UPDATE calls SET is_interrupted = 1", 3, 1 }, /* not the reserve */
        { "UPDATE calls SET cost_nano_usd = NULL", 6, 2 }, /* a price without a cost, the sum */
        { "UPDATE calls SET cache_write_tokens = 7", 0, 1 }, /* costs 70 less, 7 at 10 */
        { "UPDATE calls SET cache_write_tokens = 7, price_input_nano_usd = 11", 3, 1 },
        { "UPDATE calls SET is_usage_known = 0, input_tokens = 0, output_tokens = 0", 6, 1 },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct world w;
        struct ledger_check check = { 0 };
        world_init(&w);
        REQUIRE(world_open(&w));
        for (int n = 0; n < 3; n++)
            query_whole(w.ledger);
        world_close(&w);
        CHECK_INT(world_verify(&w).mismatches, 0);
        CHECK_INT(world_sql(&w, cases[i].sql), 0);
        CHECK_ERR(store_verify(w.options.directory, &check, quiet, NULL, w.why), OK);
        if (check.mismatches != cases[i].mismatches + cases[i].rollups)
            fprintf(stderr, "%s\n", cases[i].sql);
        CHECK_INT(check.mismatches - check.rollup_mismatches, cases[i].mismatches);
        CHECK_INT(check.rollup_mismatches, cases[i].rollups);
        world_fini(&w);
    }
    struct ledger_check check = { .rows = 42 };
    char why[256];
    CHECK_ERR(store_verify(STR("/nonexistent"), &check, quiet, NULL, why), WEIR_STORE);
    CHECK_INT(check.rows, 42);
}

static void segment_names(void)
{
    static const struct {
        str name;
        bool is_sound;
        unsigned worker;
        uint64_t sequence;
    } cases[] = {
        { STR("journal-000-0000000001.wj"), true, 0, 1 },
        { STR("journal-255-18446744073709551615.wj"), true, 255, UINT64_MAX },
        { STR("journal-256-1.wj"), false, 0, 0 },
        { STR("journal-1.wj"), false, 0, 0 },
        { STR("journal-.wj"), false, 0, 0 },
        { STR("journal-1-.wj"), false, 0, 0 },
        { STR("journal--1.wj"), false, 0, 0 },
        { STR("journal-1-1.wj.corrupt"), false, 0, 0 },
        { STR("ledger.db"), false, 0, 0 },
        { STR(""), false, 0, 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        unsigned worker = 0;
        uint64_t sequence = 0;
        CHECK(segment_name_parse(cases[i].name, &worker, &sequence) == cases[i].is_sound);
        CHECK(worker == cases[i].worker && sequence == cases[i].sequence);
    }
}

TESTS(TEST(a_query_comes_back), TEST(unpriced_is_null), TEST(calls_without_end_cost_their_reserve),
      TEST(the_first_end_of_a_call_counts), TEST(ids_grow), TEST(ids_have_a_text),
      TEST(one_process_holds_the_directory), TEST(a_newer_schema_is_refused),
      TEST(segments_rotate_and_go), TEST(an_idle_store_wakes), TEST(relaxed_commits_wait),
      TEST(a_locked_database_stops_nobody), TEST(journals_are_bounded), TEST(memory_is_bounded),
      TEST(exports_are_json), TEST(tampering_is_found), TEST(segment_names))
