/* SPDX-License-Identifier: Apache-2.0 */
/* Ledgers from before there were rollups: while they are rolled up, in one go or beside a server's work, reports stay right and
 * nothing counts twice. */
#include "edge/store/rollup_rig_test.h"

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

TESTS(TEST(a_report_is_right_while_it_is_rolled_up), TEST(a_server_rolls_up_beside_its_work),
      TEST(a_command_rolls_up_with_progress), TEST(what_is_pending_is_counted_once),
      TEST(labels_wait_across_the_migration))
