/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the ledger: round trips, crashes at random instants, a locked database, a full disk, tampering. */
#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test/check.h"

#include "base/rng.h"
#include "core/json/json.h"
#include "edge/store/journal.h"
#include "edge/store/store.h"

struct place {
    char directory[64];
    char why[256];
};

static void place_make(struct place *p)
{
    snprintf(p->directory, sizeof(p->directory), "/tmp/weir-store-XXXXXX");
    CHECK(mkdtemp(p->directory) != NULL);
}

static void place_remove(const struct place *p)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -rf '%s'", p->directory);
    CHECK_INT(system(command), 0);
}

static struct store *open_at(struct place *p)
{
    struct store *s = NULL;
    struct store_options options = { .directory = str_from(p->directory),
                                     .import_interval = 2 * NSEC_PER_MS,
                                     .segment_bytes = 4096 };
    enum err e = store_open(&s, &options, p->why);
    CHECK_ERR(e, OK);
    return s;
}

/* One query with one call of 100 and 10 tokens at 150 and 600: 21,000 nano-dollars. */
static int64_t add_query(struct ledger *l)
{
    int64_t id = ledger_query_id(l);
    ledger_begin(l, &(struct ledger_query){ .id = id,
                                            .started = 1,
                                            .strategy = STR("plain"),
                                            .requested_model = STR("gpt-4o-mini") });
    ledger_call_begin(l, &(struct ledger_call){ .query = id,
                                                .number = 1,
                                                .role = STR("plain"),
                                                .model = STR("gpt-4o-mini"),
                                                .provider = STR("openai"),
                                                .reserved = 99000 });
    return id;
}

static void end_query(struct ledger *l, int64_t id)
{
    ledger_call_done(
        l, &(struct ledger_call_end){ .query = id,
                                      .number = 1,
                                      .http_status = 200,
                                      .attempts = 1,
                                      .usage = { .input = 100, .output = 10, .is_known = true },
                                      .cost = 21000,
                                      .price_input = 150,
                                      .price_output = 600,
                                      .price_cached = 75 });
    ledger_end(l, &(struct ledger_end){ .id = id,
                                        .http_status = 200,
                                        .model = STR("gpt-4o-mini"),
                                        .hrm_confidence = -1,
                                        .trm_confidence = -1,
                                        .confidence = 0.5,
                                        .latency_us = 42 });
}

static void on_mismatch(void *ctx, str sentence)
{
    (void)ctx;
    fprintf(stderr, "    mismatch: %.*s\n", STR_ARG(sentence));
}

static struct ledger_check verify(struct place *p)
{
    struct ledger_check check = { 0 };
    CHECK_ERR(store_verify(str_from(p->directory), &check, on_mismatch, NULL, p->why), OK);
    return check;
}

static void records_survive_a_round_trip(void)
{
    struct buf bytes = { 0 };
    struct journal_record in = {
        .kind = JOURNAL_CALL_END,
        .call_end = { .query = 7,
                      .number = 3,
                      .fault = PROVIDER_CUT,
                      .usage = { .input = 1, .output = 2, .cached = 3, .is_estimated = true },
                      .cost = COST_UNPRICED,
                      .price_cached = -1,
                      .is_simulated = true }
    };
    struct journal_record out;
    size_t used;
    journal_write(&bytes, &in);
    REQUIRE(journal_read(buf_str(&bytes), &out, &used) == JOURNAL_RECORD);
    CHECK_INT(used, bytes.len);
    CHECK_INT(out.call_end.query, 7);
    CHECK_INT(out.call_end.number, 3);
    CHECK_ERR(out.call_end.fault, PROVIDER_CUT);
    CHECK_INT(out.call_end.usage.cached, 3);
    CHECK(out.call_end.usage.is_estimated && !out.call_end.usage.is_known &&
          out.call_end.is_simulated);
    CHECK(out.call_end.cost == COST_UNPRICED);
    for (size_t n = 0; n < bytes.len; n++)
        CHECK(journal_read(str_slice(buf_str(&bytes), 0, n), &out, &used) == JOURNAL_MORE);
    for (size_t n = 4; n < bytes.len; n++) {
        bytes.ptr[n] ^= 4;
        CHECK(journal_read(buf_str(&bytes), &out, &used) == JOURNAL_BROKEN);
        bytes.ptr[n] ^= 4;
    }
    buf_fini(&bytes);
}

static void ids_grow_and_read_back(void)
{
    struct place p;
    char text[20];
    int64_t last = 0, back;
    place_make(&p);
    for (int run = 0; run < 2; run++) {
        struct store *s = open_at(&p);
        struct ledger *l;
        REQUIRE(ledger_open(&l, s, 3) == OK);
        for (int i = 0; i < 20000; i++) {
            int64_t id = ledger_query_id(l);
            REQUIRE(id > last);
            last = id;
        }
        REQUIRE(ledger_id_parse(ledger_id_format(last, text), &back));
        CHECK_INT(back, last);
        end_query(l, add_query(l));
        last = ledger_query_id(l) - 1;
        CHECK_ERR(ledger_commit(l), OK);
        ledger_close(l);
        store_close(s);
    }
    CHECK(!ledger_id_parse(STR("q00000000000000G0"), &back));
    CHECK(!ledger_id_parse(STR("x0000000000000000"), &back));
    place_remove(&p);
}

static void count_line(void *ctx, str line)
{
    struct arena arena;
    struct json v;
    int64_t cost = 0;
    arena_init(&arena, 1 << 20);
    CHECK_ERR(json_parse(&arena, line, &v, NULL), OK);
    CHECK(json_i64(json_path(v, STR("calls.0.cost_nano_usd")), &cost));
    CHECK_INT(cost, 21000);
    (*(int *)ctx)++;
    arena_fini(&arena);
}

static void queries_become_rows_over_many_segments(void)
{
    struct place p;
    int lines = 0;
    place_make(&p);
    struct store *s = open_at(&p);
    struct ledger *l;
    REQUIRE(ledger_open(&l, s, 0) == OK);
    for (int i = 0; i < 500; i++) {
        end_query(l, add_query(l));
        CHECK_ERR(ledger_commit(l), OK);
    }
    ledger_close(l);
    store_close(s);
    struct ledger_check check = verify(&p);
    CHECK_INT(check.rows, 500);
    CHECK_INT(check.calls, 500);
    CHECK_INT(check.sum_nano_usd, 500 * 21000);
    CHECK_INT(check.mismatches, 0);
    CHECK_ERR(store_export(str_from(p.directory), 0, count_line, &lines, p.why), OK);
    CHECK_INT(lines, 500);
    place_remove(&p);
}

/* The child tells each query that it may acknowledge through the pipe; whatever came through must be in the ledger. */
static void child_main(struct place *p, int out)
{
    struct store *s = open_at(p);
    struct ledger *l;
    if (ledger_open(&l, s, 0) != OK)
        _exit(2);
    for (;;) {
        int64_t ids[8];
        for (int i = 0; i < 8; i++)
            ids[i] = add_query(l);
        if (ledger_commit(l) != OK)
            _exit(3);
        for (int i = 0; i < 8; i++)
            end_query(l, ids[i]);
        if (ledger_commit(l) != OK)
            _exit(4);
        if (write(out, ids, sizeof(ids)) != (ssize_t)sizeof(ids))
            _exit(5);
    }
}

static int count_ids(const char *directory, const int64_t *ids, size_t n)
{
    char path[96];
    sqlite3 *db;
    sqlite3_stmt *statement;
    int found = 0;
    snprintf(path, sizeof(path), "%s/ledger.db", directory);
    if (sqlite3_open(path, &db) != SQLITE_OK ||
        sqlite3_prepare_v2(db,
                           "SELECT count(*) FROM queries WHERE id = ?1 AND result = 'OK' AND "
                           "cost_nano_usd = 21000",
                           -1, &statement, NULL) != SQLITE_OK)
        return -1;
    for (size_t i = 0; i < n; i++) {
        sqlite3_bind_int64(statement, 1, ids[i]);
        if (sqlite3_step(statement) == SQLITE_ROW)
            found += sqlite3_column_int(statement, 0);
        sqlite3_reset(statement);
    }
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return found;
}

static void nothing_acknowledged_is_lost_by_kill_9(void)
{
    enum { ROUNDS = 30, IDS_MAX = 1 << 16 };
    static int64_t ids[IDS_MAX];
    struct place p;
    struct rng rng;
    size_t n = 0;
    rng_init(&rng, 11);
    place_make(&p);
    for (int round = 0; round < ROUNDS; round++) {
        int ends[2];
        REQUIRE(pipe(ends) == 0);
        pid_t child = fork();
        REQUIRE(child >= 0);
        if (child == 0)
            child_main(&p, ends[1]);
        close(ends[1]);
        usleep(2000 + (useconds_t)rng_below(&rng, 20000));
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        while (n + 8 <= IDS_MAX &&
               read(ends[0], &ids[n], 8 * sizeof(*ids)) == (ssize_t)(8 * sizeof(*ids)))
            n += 8;
        close(ends[0]);
        if (round % 3 == 0)
            CHECK_INT(verify(&p).mismatches, 0);
    }
    struct ledger_check check = verify(&p);
    CHECK_INT(check.mismatches, 0);
    CHECK(n > 0);
    CHECK_INT(count_ids(p.directory, ids, n), (int)n);
    CHECK(check.rows >= (int64_t)n);
    place_remove(&p);
}

static void an_unfinished_query_is_interrupted_at_its_reserve(void)
{
    struct place p;
    place_make(&p);
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        struct store *s = open_at(&p);
        struct ledger *l;
        if (ledger_open(&l, s, 0) != OK)
            _exit(1);
        add_query(l);
        _exit(ledger_commit(l) == OK ? 0 : 1);
    }
    int status = 1;
    waitpid(child, &status, 0);
    CHECK_INT(status, 0);
    for (int i = 0; i < 2; i++) {
        struct ledger_check check = verify(&p);
        CHECK_INT(check.rows, 1);
        CHECK_INT(check.interrupted, 1);
        CHECK_INT(check.sum_nano_usd, 99000);
        CHECK_INT(check.mismatches, 0);
    }
    place_remove(&p);
}

static void serving_goes_on_while_the_database_is_locked(void)
{
    struct place p;
    char path[96];
    sqlite3 *other;
    place_make(&p);
    struct store *s = open_at(&p);
    struct ledger *l;
    REQUIRE(ledger_open(&l, s, 0) == OK);
    snprintf(path, sizeof(path), "%s/ledger.db", p.directory);
    REQUIRE(sqlite3_open(path, &other) == SQLITE_OK);
    REQUIRE(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK);
    for (int i = 0; i < 300; i++) {
        end_query(l, add_query(l));
        CHECK_ERR(ledger_commit(l), OK);
        usleep(100);
    }
    sqlite3_exec(other, "COMMIT", NULL, NULL, NULL);
    sqlite3_close(other);
    ledger_close(l);
    store_close(s);
    CHECK_INT(verify(&p).rows, 300);
    place_remove(&p);
}

static void a_full_disk_refuses_and_recovers(void)
{
    struct place p;
    struct rlimit before, small = { .rlim_cur = 4096 };
    int refused = 0;
    place_make(&p);
    struct store *s = NULL;
    struct store_options options = { .directory = str_from(p.directory),
                                     .import_interval = 10 * NSEC_PER_SEC };
    REQUIRE(store_open(&s, &options, p.why) == OK);
    struct ledger *l;
    REQUIRE(ledger_open(&l, s, 0) == OK);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    small.rlim_max = before.rlim_max;
    setrlimit(RLIMIT_FSIZE, &small);
    for (int i = 0; i < 50; i++) {
        end_query(l, add_query(l));
        if (ledger_commit(l) == WEIR_STORE)
            refused++;
    }
    CHECK(refused > 0);
    setrlimit(RLIMIT_FSIZE, &before);
    CHECK_ERR(ledger_commit(l), OK);
    ledger_close(l);
    store_close(s);
    struct ledger_check check = verify(&p);
    CHECK_INT(check.rows, 50);
    CHECK_INT(check.mismatches, 0);
    place_remove(&p);
}

static void tampering_is_found(void)
{
    static const char *const changes[] = {
        "UPDATE calls SET cost_nano_usd = cost_nano_usd + 1",
        "UPDATE queries SET cost_nano_usd = 0",
        "UPDATE queries SET calls = 2",
        "UPDATE calls SET output_tokens = 11",
        "DELETE FROM queries",
    };
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        struct place p;
        char path[96];
        sqlite3 *db;
        place_make(&p);
        struct store *s = open_at(&p);
        struct ledger *l;
        REQUIRE(ledger_open(&l, s, 0) == OK);
        end_query(l, add_query(l));
        ledger_close(l);
        store_close(s);
        CHECK_INT(verify(&p).mismatches, 0);
        snprintf(path, sizeof(path), "%s/ledger.db", p.directory);
        REQUIRE(sqlite3_open(path, &db) == SQLITE_OK);
        REQUIRE(sqlite3_exec(db, changes[i], NULL, NULL, NULL) == SQLITE_OK);
        sqlite3_close(db);
        CHECK(verify(&p).mismatches > 0);
        place_remove(&p);
    }
}

static void a_second_process_is_refused(void)
{
    struct place p;
    struct store *second = NULL;
    place_make(&p);
    struct store *s = open_at(&p);
    struct store_options options = { .directory = str_from(p.directory) };
    CHECK_ERR(store_open(&second, &options, p.why), WEIR_STORE);
    CHECK(str_find(str_from(p.why), STR("another weir")) != STR_NPOS);
    CHECK(verify(&p).is_live);
    store_close(s);
    place_remove(&p);
}

TESTS(TEST(records_survive_a_round_trip), TEST(ids_grow_and_read_back),
      TEST(queries_become_rows_over_many_segments), TEST(nothing_acknowledged_is_lost_by_kill_9),
      TEST(an_unfinished_query_is_interrupted_at_its_reserve),
      TEST(serving_goes_on_while_the_database_is_locked), TEST(a_full_disk_refuses_and_recovers),
      TEST(tampering_is_found), TEST(a_second_process_is_refused))
