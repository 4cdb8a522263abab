/* SPDX-License-Identifier: Apache-2.0 */
/* store_routes_test: routes and labels in the ledger, and what training reads of them. */
#include "core/json/json.h"
#include "edge/store/samples_rig_test.h"

/* ---- what training reads ---- */

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

TESTS(TEST(a_route_and_its_label_come_back), TEST(samples_say_what_is_missing),
      TEST(of_several_labels_one_counts), TEST(of_two_routes_the_first_counts),
      TEST(the_newest_label_of_a_source_holds),
      TEST(labels_of_one_instant_do_not_depend_on_their_order),
      TEST(labels_of_unknown_queries_are_kept_apart), TEST(labels_wait_for_a_locked_database),
      TEST(labels_do_not_crowd_out_ends), TEST(exports_show_routes_and_labels),
      TEST(tampering_is_found))
