/* SPDX-License-Identifier: Apache-2.0 */
/* store_routes_test: routes and labels in the ledger, what training reads of them, and ledgers from before there were any. */
#include <fcntl.h>

#include "core/json/json.h"
#include "edge/store/features.h"
#include "edge/store/store_world.h"

/* ---- what training reads ---- */

struct samples {
    int count;
    int64_t ids[8];
    struct ledger_sample last; /* its texts are gone */
    char arm[64];
    char reasons[64];
    struct ledger_route route;
    struct route_features features;
    struct ledger_label labels[LABEL_SOURCE_COUNT];
};

static void take_sample(void *ctx, const struct ledger_sample *s)
{
    struct samples *samples = ctx;

    REQUIRE(samples->count < (int)ARRAY_LEN(samples->ids) && s->label_count <= LABEL_SOURCE_COUNT);
    samples->ids[samples->count++] = s->id;
    samples->last = *s;
    snprintf(samples->arm, sizeof(samples->arm), "%.*s %.*s %.*s", STR_ARG(s->domain),
             STR_ARG(s->strategy), STR_ARG(s->model));
    if (s->route) {
        samples->route = *s->route;
        snprintf(samples->reasons, sizeof(samples->reasons), "%.*s", STR_ARG(s->route->reasons));
    }
    if (s->features)
        samples->features = *s->features;
    for (size_t i = 0; i < s->label_count; i++)
        samples->labels[i] = s->labels[i];
}

static struct samples read_samples(struct world *w, usec_utc since)
{
    struct samples samples = { 0 };

    CHECK_ERR(store_read_routes(w->options.directory, since, take_sample, &samples, w->why), OK);
    return samples;
}

static int64_t routed_begin(struct ledger *l)
{
    int64_t id = ledger_query_id(l);

    query_begin(l, id);
    query_route(l, id);
    call_begin(l, id, 1);
    return id;
}

static void query_finish(struct ledger *l, int64_t id)
{
    call_done(l, id, 1);
    query_end(l, id);
}

static void a_route_and_its_label_come_back(void)
{
    struct world w;
    uint8_t packed[LEDGER_FEATURES_MAX];
    struct route_features features = { .gram_count = 2,
                                       .grams = { { .bucket = 4000 }, { .bucket = 3 } } };

    features.dense[7] = 0.5f;
    world_init(&w);
    REQUIRE(world_open(&w));
    query_whole(w.ledger); /* neither routed nor labelled: no sample */
    int64_t id = ledger_query_id(w.ledger);
    query_begin(w.ledger, id);
    const struct ledger_route route = {
        .query = id,
        .scorer = STR("learned_v1"),
        .score = -1,
        .seed_score = -1,
        .words_score = 40,
        .strategy = STR("cascade"),
        .model = STR("gpt-4o-mini"),
        .propensity = 0.5,
        .epsilon = 0.25,
        .is_explored = true,
        .domain = STR("stem"),
        .domain_probability = -1,
        .quality = -1,
        .cost = COST_UNPRICED,
        .reasons = STR("digits +0.42"),
        .features = { (const char *)packed, features_pack(packed, &features) },
    };
    ledger_route(w.ledger, &route);
    call_begin(w.ledger, id, 1);
    query_finish(w.ledger, id);
    query_label(w.ledger, id, LABEL_FEEDBACK, 1, 77);
    world_close(&w);

    struct samples s = read_samples(&w, INT64_MIN);
    REQUIRE(s.count == 1 && s.ids[0] == id);
    CHECK_STR(str_from(s.arm), STR("stem cascade gpt-4o-mini"));
    CHECK_STR(str_from(s.reasons), route.reasons);
    CHECK(s.last.cost == CALL_COST && s.last.latency_us == 1100 && s.last.fault == OK);
    CHECK_NEAR(s.last.confidence, 0.5, 0);
    CHECK_NEAR(s.last.raw.confidence, 0.25, 0);
    CHECK(!s.last.is_calibrated && s.last.answer_hash == 0);
    REQUIRE(s.last.route && s.last.features);
    CHECK_NEAR(s.route.propensity, 0.5, 0);
    CHECK_NEAR(s.route.epsilon, 0.25, 0);
    CHECK_NEAR(s.route.score, -1, 0);
    CHECK(s.route.seed_score == -1 && s.route.words_score == 40);
    CHECK_NEAR(s.route.quality, -1, 0);
    CHECK_NEAR(s.route.domain_probability, -1, 0);
    CHECK(s.route.is_explored && s.route.cost == COST_UNPRICED);
    CHECK_NEAR((double)s.features.dense[7], 0.5, 0);
    CHECK(s.features.gram_count == 2 && s.features.grams[1].bucket == 4000);
    REQUIRE(s.last.label_count == 1);
    CHECK(s.labels[0].source == LABEL_FEEDBACK && s.labels[0].labelled == 77);
    CHECK_NEAR(s.labels[0].value, 1, 0);
    CHECK_INT(world_sql(&w,
                        "SELECT score IS NULL AND quality IS NULL AND cost_nano_usd IS NULL AND "
                        "domain_probability IS NULL FROM routes"),
              1);
    struct ledger_check check = world_verify(&w);
    CHECK(check.routes == 1 && check.labels == 1 && check.labels_unknown == 0);
    CHECK_INT(check.mismatches, 0);
    CHECK_INT(read_samples(&w, s.last.started).count, 1);
    CHECK_INT(read_samples(&w, s.last.started + 1).count, 0);
    CHECK_ERR(store_read_routes(STR("/nonexistent"), 0, take_sample, &s, w.why), WEIR_STORE);
    world_fini(&w);
}

/* A label alone makes a sample of a plain query; features that this weir cannot read are none. */
static void samples_say_what_is_missing(void)
{
    struct world w;

    world_init(&w);
    REQUIRE(world_open(&w));
    int64_t plain = query_whole(w.ledger);
    query_label(w.ledger, plain, LABEL_VERIFIER, 0, 1);
    int64_t routed = routed_begin(w.ledger);
    query_finish(w.ledger, routed);
    int64_t open = routed_begin(w.ledger);
    query_label(w.ledger, 1, LABEL_FEEDBACK, 1, 1); /* of nobody */
    world_close(&w);
    CHECK_INT(world_sql(&w, "INSERT INTO labels SELECT id, 'rumour', 1, 0, 1, '' FROM queries"), 0);
    struct samples s = read_samples(&w, INT64_MIN);
    REQUIRE(s.count == 3 && s.ids[0] == plain && s.ids[1] == routed && s.ids[2] == open);
    CHECK_ERR(s.last.fault, WEIR_INTERRUPTED); /* its route was before it */
    CHECK(s.last.route && !s.last.features && s.last.label_count == 0 && s.last.raw.confidence < 0);
    CHECK_INT(world_sql(&w, "DELETE FROM routes"), 0);
    CHECK_INT(world_sql(&w, "DELETE FROM labels WHERE source = 'rumour'"), 0);
    s = read_samples(&w, INT64_MIN);
    REQUIRE(s.count == 1 && s.ids[0] == plain);
    CHECK(!s.last.route && !s.last.features && s.last.label_count == 1);
    CHECK_STR(str_from(s.arm), STR("math plain gpt-4o"));
    world_fini(&w);
}

/* What is not noisy first, then by source; a model that repeats itself says nothing. */
static void of_several_labels_one_counts(void)
{
    static const struct {
        int count;
        struct ledger_label labels[3];
        int counts; /* index; -1: none */
    } cases[] = {
        { 0, { { 0 } }, -1 },
        { 3,
          { { .source = LABEL_AUDIT }, { .source = LABEL_VERIFIER }, { .source = LABEL_FEEDBACK } },
          2 },
        { 2, { { .source = LABEL_AUDIT }, { .source = LABEL_VERIFIER } }, 1 },
        { 2, { { .source = LABEL_FEEDBACK, .is_noisy = true }, { .source = LABEL_VERIFIER } }, 1 },
        { 2,
          { { .source = LABEL_AUDIT, .is_noisy = true },
            { .source = LABEL_FEEDBACK, .is_noisy = true } },
          1 },
        { 1, { { .source = LABEL_AUDIT, .is_noisy = true, .text = { "large", 5 } } }, 0 },
        { 1, { { .source = LABEL_AUDIT, .is_noisy = true, .text = { "mini", 4 } } }, -1 },
        { 1, { { .source = LABEL_FEEDBACK, .text = { "mini", 4 } } }, 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct ledger_sample sample = { .model = STR("mini"),
                                              .labels = cases[i].labels,
                                              .label_count = (size_t)cases[i].count };
        const struct ledger_label *label = ledger_sample_label(&sample);
        CHECK_INT(label ? label - cases[i].labels : -1, cases[i].counts);
    }
}

static void of_two_routes_the_first_counts(void)
{
    struct world w;

    world_init(&w);
    REQUIRE(world_open(&w));
    int64_t id = routed_begin(w.ledger);
    const struct ledger_route again = { .query = id, .scorer = STR("other"), .propensity = 1 };
    ledger_route(w.ledger, &again);
    query_finish(w.ledger, id);
    world_close(&w);
    CHECK_INT(world_sql(&w, "SELECT count(*) FROM routes WHERE scorer = 'seed_v1'"), 1);
    CHECK_INT(world_verify(&w).mismatches, 0);
    world_fini(&w);
}

/* ---- labels ---- */

/* In each order, in one journal or several, before their query, within it or long after. */
static void the_newest_label_of_a_source_holds(void)
{
    static const int orders[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
                                      { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };

    for (size_t order = 0; order < ARRAY_LEN(orders); order++) {
        for (int restarts = 0; restarts < 2; restarts++) {
            struct world w;
            world_init(&w);
            REQUIRE(world_open(&w));
            int64_t id = routed_begin(w.ledger);
            for (int i = 0; i < 3; i++) {
                int n = orders[order][i];
                query_label(w.ledger, id, LABEL_FEEDBACK, n / 2.0, 1000 + n);
                query_label(w.ledger, id, LABEL_FEEDBACK, n / 2.0, 1000 + n); /* twice */
                if (i == 1)
                    query_finish(w.ledger, id);
                CHECK_ERR(ledger_commit(w.ledger), OK);
                if (restarts && i >= 1) {
                    world_close(&w);
                    REQUIRE(world_open(&w));
                }
            }
            query_label(w.ledger, id, LABEL_AUDIT, 0.25, 1);
            world_close(&w);
            CHECK_INT(world_sql(&w, "SELECT labelled FROM labels WHERE source = 'feedback'"), 1002);
            CHECK_INT(world_sql(&w, "SELECT 100 * value FROM labels WHERE source = 'feedback'"),
                      100);
            CHECK_INT(world_sql(&w, "SELECT 100 * value FROM labels WHERE source = 'audit'"), 25);
            struct ledger_check check = world_verify(&w);
            CHECK(check.labels == 2 && check.labels_unknown == 0 && check.mismatches == 0);
            CHECK_INT(read_samples(&w, INT64_MIN).last.label_count, 2);
            world_fini(&w);
        }
    }
}

/* Two of the same instant: whichever is imported first, the same one stays. */
static void labels_of_one_instant_do_not_depend_on_their_order(void)
{
    for (int order = 0; order < 2; order++) {
        struct world w;
        world_init(&w);
        REQUIRE(world_open(&w));
        int64_t id = query_whole(w.ledger);
        query_label(w.ledger, id, LABEL_FEEDBACK, order, 5);
        query_label(w.ledger, id, LABEL_FEEDBACK, 1 - order, 5);
        world_close(&w);
        CHECK_INT(world_sql(&w, "SELECT value FROM labels"), 1);
        world_fini(&w);
    }
}

/* Whoever gives feedback may name any query; ids of queries to come must not depend on it. */
static void labels_of_unknown_queries_are_kept_apart(void)
{
    struct world w;

    world_init(&w);
    REQUIRE(world_open(&w));
    query_label(w.ledger, INT64_MAX, LABEL_FEEDBACK, 1, 1);
    query_label(w.ledger, 0, LABEL_FEEDBACK, 1, 1);
    int64_t id = query_whole(w.ledger);
    world_close(&w);
    struct ledger_check check = world_verify(&w);
    CHECK(check.labels == 2 && check.labels_unknown == 2 && check.mismatches == 0);
    REQUIRE(world_open(&w));
    int64_t next = ledger_query_id(w.ledger);
    CHECK(next > id && next < id + (INT64_C(3600000) << 21)); /* within the hour */
    query_label(w.ledger, id, LABEL_FEEDBACK, 1, 1);
    world_close(&w);
    check = world_verify(&w);
    CHECK(check.labels == 3 && check.labels_unknown == 2);
    /* A query that was pruned leaves its label. */
    CHECK_INT(world_sql(&w, "DELETE FROM calls"), 0);
    CHECK_INT(world_sql(&w, "DELETE FROM queries"), 0);
    check = world_verify(&w);
    CHECK(check.labels == 3 && check.labels_unknown == 3 && check.mismatches == 0);
    world_fini(&w);
}

/* A segment that holds a label stays until the label is in the database. */
static void labels_wait_for_a_locked_database(void)
{
    struct world w;
    char path[300];
    sqlite3 *locker = NULL;
    struct store_health health = { 0 };

    world_init(&w);
    w.options.segment_bytes = 2000;
    REQUIRE(world_open(&w));
    snprintf(path, sizeof(path), "%s/ledger.db", w.directory);
    CHECK_INT(sqlite3_open_v2(path, &locker, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    sqlite3_busy_timeout(locker, 5000);
    CHECK_INT(sqlite3_exec(locker, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    for (int i = 0; i < 5000; i++) { /* more than a batch */
        query_label(w.ledger, i, LABEL_FEEDBACK, 1, 1);
        if (i % 10 == 9)
            CHECK_ERR(ledger_commit(w.ledger), OK);
    }
    for (int i = 0; i < 1000 && health.import_failures == 0; i++) {
        sleep_ms(5);
        store_health_read(w.store, &health);
    }
    CHECK(health.import_failures > 0);
    sqlite3_close(locker);
    world_close(&w);
    CHECK_INT(world_files(&w, "journal-", NULL), 0);
    CHECK_INT(world_sql(&w, "SELECT count(*) FROM labels"), 5000);
    world_fini(&w);
}

/* While nothing can be written labels are refused at the bound of starts, and ends of known queries are still taken. */
static void labels_do_not_crowd_out_ends(void)
{
    struct world w;

    world_init(&w);
    REQUIRE(world_open(&w));
    w.store->options.journal_bytes_max = 1;
    int64_t id = ledger_query_id(w.ledger);
    query_begin(w.ledger, id);
    for (int i = 0; i < 300000; i++)
        query_label(w.ledger, i, LABEL_FEEDBACK, 1, 1);
    query_end(w.ledger, id);
    CHECK_ERR(ledger_commit(w.ledger), WEIR_STORE);
    w.store->options.journal_bytes_max = UINT64_MAX;
    CHECK_ERR(ledger_commit(w.ledger), OK);
    world_close(&w);
    CHECK_INT(world_sql(&w, "SELECT count(*) FROM queries WHERE fault IS NULL"), 1);
    int64_t labels = world_sql(&w, "SELECT count(*) FROM labels");
    CHECK(labels > 10000 && labels < 40000); /* a mebibyte of them */
    world_fini(&w);
}

/* ---- export and verify ---- */

struct lines {
    struct arena arena;
    int count;
    struct json items[4];
};

static void take_line(void *ctx, str line)
{
    struct lines *lines = ctx;

    REQUIRE(lines->count < (int)ARRAY_LEN(lines->items));
    CHECK_ERR(json_parse(&lines->arena, arena_str(&lines->arena, line),
                         &lines->items[lines->count++], NULL),
              OK);
}

static struct json member(struct json of, const char *path)
{
    str rest = str_from(path), name;

    while (str_next(&rest, '.', &name))
        of = json_get(of, name);
    return of;
}

static void exports_show_routes_and_labels(void)
{
    static const struct {
        const char *path, *want;
    } cases[] = {
        { "route.scorer", "\"seed_v1\"" },
        { "route.score", "0.85" },
        { "route.seed_score_hundredths", "85" },
        { "route.words_score_hundredths", "null" },
        { "route.strategy", "\"full_stack\"" },
        { "route.model", "\"gpt-4o\"" },
        { "route.propensity", "0.925" },
        { "route.epsilon", "0.1" },
        { "route.explored", "false" },
        { "route.domain", "\"math\"" },
        { "route.domain_probability", "0.75" },
        { "route.estimated_quality", "0.5" },
        { "route.estimated_cost_nano_usd", "12345" },
        { "route.reasons", "\"score 0.85 >= 0.80\"" },
        { "route.features", "false" },
        { "raw_confidence", "0.25" },
        { "raw_trm_confidence", "0.25" },
        { "raw_hrm_confidence", "null" },
        { "calibrated", "true" },
        { "answer_hash", "\"ffffffffffffffff\"" },
        { "labels", "[{\"source\":\"verifier\",\"value\":1,\"noisy\":false,"
                    "\"labelled\":\"1970-01-01T00:00:00.000001Z\",\"text\":\"said so\"}]" },
    };
    struct world w;
    struct lines lines = { 0 };

    world_init(&w);
    REQUIRE(world_open(&w));
    query_whole(w.ledger);
    int64_t id = routed_begin(w.ledger);
    call_done(w.ledger, id, 1);
    const struct ledger_end end = { .id = id,
                                    .hrm_confidence = -1,
                                    .trm_confidence = 0.5,
                                    .confidence = 0.5,
                                    .raw = { -1, 0.25, 0.25 },
                                    .is_calibrated = true,
                                    .answer_hash = UINT64_MAX };
    ledger_end(w.ledger, &end);
    query_label(w.ledger, id, LABEL_VERIFIER, 1, 1);
    world_close(&w);
    arena_init(&lines.arena, 1 << 20);
    CHECK_ERR(store_export(w.options.directory, INT64_MIN, take_line, &lines, w.why), OK);
    REQUIRE(lines.count == 2);
    CHECK_STR(json_raw(member(lines.items[0], "route")), STR("null"));
    CHECK_STR(json_raw(member(lines.items[0], "labels")), STR("[]"));
    CHECK_STR(json_raw(member(lines.items[0], "answer_hash")), STR("null"));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        CHECK_STR(json_raw(member(lines.items[1], cases[i].path)), str_from(cases[i].want));
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
        { "UPDATE routes SET scorer = 'x', propensity = NULL, score = NULL", 0, 0 },
        { "UPDATE routes SET propensity = 0", 1, 0 },
        { "UPDATE routes SET propensity = 1.5", 1, 0 },
        { "UPDATE routes SET propensity = 1, epsilon = 1", 0, 0 },
        { "UPDATE routes SET epsilon = -0.5", 1, 0 },
        { "UPDATE routes SET epsilon = 1.5", 1, 0 },
        { "UPDATE routes SET features = x'07'", 1, 0 },
        { "UPDATE routes SET query_id = 7", 1, 1 },
        { "UPDATE routes SET query_id = query_id + 1", 1, 1 },
        { "UPDATE labels SET value = 1.5", 1, 0 },
        { "UPDATE labels SET value = -0.5", 1, 1 },
        { "UPDATE labels SET value = 1.5, query_id = 7", 1, 1 },
        { "UPDATE labels SET source = 'rumour'", 0, 1 },
        { "UPDATE queries SET is_calibrated = 1", 0, 2 },
        { "UPDATE queries SET is_calibrated = 1, raw_confidence = NULL", 1, 2 },
        { "UPDATE queries SET is_calibrated = 1, confidence = NULL", 1, 2 },
        { "UPDATE queries SET raw_confidence = NULL", 0, 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct world w;
        struct ledger_check check = { 0 };
        world_init(&w);
        REQUIRE(world_open(&w));
        int64_t id = routed_begin(w.ledger);
        query_finish(w.ledger, id);
        query_label(w.ledger, id, LABEL_FEEDBACK, 1, 1);
        world_close(&w);
        CHECK_INT(world_verify(&w).mismatches, 0);
        CHECK_INT(world_sql(&w, cases[i].sql), 0);
        CHECK_ERR(store_verify(w.options.directory, &check, quiet, NULL, w.why), OK);
        if (check.mismatches != cases[i].mismatches + cases[i].rollups)
            fprintf(stderr, "%s\n", cases[i].sql);
        CHECK_INT(check.mismatches - check.rollup_mismatches, cases[i].mismatches);
        CHECK_INT(check.rollup_mismatches, cases[i].rollups);
        CHECK_INT(check.routes, 1);
        world_fini(&w);
    }
}

/* ---- from before ---- */

/* The schema of version 1 as it was released, and two rows. */
static const char schema_1[] =
    "PRAGMA journal_mode = WAL;"
    "CREATE TABLE queries (id INTEGER PRIMARY KEY, started INTEGER NOT NULL, tenant TEXT NOT NULL,"
    " domain TEXT NOT NULL, requested_model TEXT NOT NULL, strategy TEXT NOT NULL, arm TEXT NOT "
    "NULL,"
    " is_stream INTEGER NOT NULL, reserved_nano_usd INTEGER, fault TEXT, http_status INTEGER NOT "
    "NULL,"
    " is_truncated INTEGER NOT NULL, model TEXT NOT NULL, hrm_confidence REAL, trm_confidence REAL,"
    " confidence REAL, latency_us INTEGER NOT NULL, calls INTEGER NOT NULL,"
    " input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, cost_nano_usd INTEGER);"
    "CREATE TABLE calls (query_id INTEGER NOT NULL, number INTEGER NOT NULL, role TEXT NOT NULL,"
    " model TEXT NOT NULL, provider TEXT NOT NULL, reserved_nano_usd INTEGER,"
    " is_interrupted INTEGER NOT NULL, fault TEXT, http_status INTEGER NOT NULL,"
    " attempts INTEGER NOT NULL, input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL,"
    " cached_tokens INTEGER NOT NULL, cache_write_tokens INTEGER NOT NULL,"
    " reasoning_tokens INTEGER NOT NULL, is_usage_known INTEGER NOT NULL,"
    " is_usage_estimated INTEGER NOT NULL, cost_nano_usd INTEGER, price_input_nano_usd INTEGER,"
    " price_output_nano_usd INTEGER, price_cached_nano_usd INTEGER, latency_us INTEGER NOT NULL,"
    " first_byte_us INTEGER NOT NULL, is_simulated INTEGER NOT NULL,"
    " PRIMARY KEY (query_id, number)) WITHOUT ROWID;"
    "INSERT INTO queries VALUES (1000, 5, 'acme', 'stem', 'weir/auto', 'hrm_trm', '', 0, 5000, "
    "NULL,"
    " 200, 0, 'gpt-4o-mini', 0.75, 0.5, 0.5, 10, 1, 100, 20, 1600);"
    "INSERT INTO calls VALUES (1000, 1, 'plan', 'gpt-4o-mini', 'openai', 5000, 0, NULL, 200, 1, "
    "100, 20,"
    " 40, 0, 0, 1, 0, 1600, 10, 40, 5, 9, 8, 0);"
    "INSERT INTO queries VALUES (1001, 6, 'acme', 'stem', 'gpt-4o-mini', 'plain', '', 0, 0,"
    " 'PROVIDER_CUT', 502, 0, 'gpt-4o-mini', NULL, NULL, NULL, 10, 0, 0, 0, 0);"
    "PRAGMA user_version = 1;";

static void make_version_1(const struct world *w)
{
    char path[300];
    sqlite3 *db = NULL;

    snprintf(path, sizeof(path), "%s/ledger.db", w->directory);
    CHECK_INT(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL),
              SQLITE_OK);
    CHECK_INT(sqlite3_exec(db, schema_1, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void ledgers_of_version_1_are_migrated(void)
{
    for (int opened = 0; opened < 2; opened++) { /* by verify alone, or by a server */
        struct world w;
        world_init(&w);
        make_version_1(&w);
        int64_t id = 0;
        if (opened) {
            REQUIRE(world_open(&w));
            id = routed_begin(w.ledger);
            query_finish(w.ledger, id);
            query_label(w.ledger, id, LABEL_FEEDBACK, 1, 1);
            query_label(w.ledger, 1000, LABEL_FEEDBACK, 0, 2);
            world_close(&w);
        }
        struct ledger_check check = world_verify(&w);
        CHECK_INT(world_sql(&w, "PRAGMA user_version"), 5);
        CHECK(check.rows == 2 + opened && check.calls == 1 + opened && check.mismatches == 0);
        CHECK_INT(check.sum_nano_usd, 1600 * (1 + opened));
        CHECK_INT(check.labels, 2 * opened);
        CHECK_INT(world_sql(&w, "SELECT count(*) FROM queries WHERE is_calibrated = 0 AND "
                                "answer_hash IS NULL AND tenant = 'acme'"),
                  2 + opened);
        struct samples s = read_samples(&w, INT64_MIN);
        CHECK_INT(s.count, 2 * opened);
        s = read_samples(&w, 7);
        CHECK_INT(s.count, opened);
        if (opened) {
            CHECK(s.last.id == id && s.last.label_count == 1);
            CHECK_INT(world_sql(&w, "DELETE FROM routes"), 0);
            CHECK_INT(world_sql(&w, "DELETE FROM labels WHERE query_id > 1000"), 0);
            /* What was recorded before calibration was raw. */
            s = read_samples(&w, INT64_MIN);
            REQUIRE(s.count == 1 && s.ids[0] == 1000);
            CHECK_STR(str_from(s.arm), STR("stem hrm_trm gpt-4o-mini"));
            CHECK_NEAR(s.last.raw.hrm_confidence, 0.75, 0);
            CHECK_NEAR(s.last.raw.trm_confidence, 0.5, 0);
            CHECK_NEAR(s.last.raw.confidence, 0.5, 0);
        }
        world_fini(&w);
    }
}

/* A journal that a weir of version 1 left behind: its records, then one of ours behind them in the same directory. */
static void journals_of_version_1_are_imported(void)
{
    struct world w;
    uint8_t bytes[4 * RECORD_BYTES_MAX];
    char path[300];
    const struct ledger_query begin = { .id = 4242, .started = 9, .strategy = STR("hrm") };
    const struct ledger_end end = { .id = 4242,
                                    .http_status = 200,
                                    .model = STR("m"),
                                    .hrm_confidence = 0.75,
                                    .trm_confidence = -1,
                                    .confidence = 0.75,
                                    .raw = LEDGER_RAW_NONE };
    size_t len = RECORD_GROUP_BYTES, at = len;

    world_init(&w);
    make_version_1(&w);
    len += record_put_begin(bytes + len, &begin);
    record_as_version_1(bytes + at);
    len += record_put_end_version_1(bytes + len, &end);
    record_put_group(bytes, (uint32_t)(len - RECORD_GROUP_BYTES));
    record_as_version_1(bytes);
    snprintf(path, sizeof(path), "%s/journal-003-0000000001.wj", w.directory);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    CHECK(write(fd, bytes, len) == (ssize_t)len);
    close(fd);

    REQUIRE(world_open(&w));
    CHECK(w.why[0] == '\0');
    int64_t id = query_whole(w.ledger);
    query_label(w.ledger, 4242, LABEL_FEEDBACK, 1, 1);
    world_close(&w);
    struct ledger_check check = world_verify(&w);
    CHECK(check.rows == 4 && check.interrupted == 0 && check.mismatches == 0);
    CHECK_INT(world_files(&w, "journal-", NULL), 0);
    CHECK(world_sql(&w, "SELECT max(id) FROM queries") == id);
    struct samples s = read_samples(&w, INT64_MIN);
    REQUIRE(s.count == 1 && s.ids[0] == 4242);
    CHECK_NEAR(s.last.raw.confidence, 0.75, 0);
    CHECK_NEAR(s.last.raw.trm_confidence, -1, 0);
    CHECK(!s.last.is_calibrated);
    world_fini(&w);
}

TESTS(TEST(a_route_and_its_label_come_back), TEST(samples_say_what_is_missing),
      TEST(of_several_labels_one_counts), TEST(of_two_routes_the_first_counts),
      TEST(the_newest_label_of_a_source_holds),
      TEST(labels_of_one_instant_do_not_depend_on_their_order),
      TEST(labels_of_unknown_queries_are_kept_apart), TEST(labels_wait_for_a_locked_database),
      TEST(labels_do_not_crowd_out_ends), TEST(exports_show_routes_and_labels),
      TEST(tampering_is_found), TEST(ledgers_of_version_1_are_migrated),
      TEST(journals_of_version_1_are_imported))
