/* SPDX-License-Identifier: Apache-2.0 */
/* store_version_1_test: ledgers and journals from before there were routes and labels are migrated. */
#include <fcntl.h>

#include "edge/store/samples_rig_test.h"

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

TESTS(TEST(ledgers_of_version_1_are_migrated), TEST(journals_of_version_1_are_imported))
