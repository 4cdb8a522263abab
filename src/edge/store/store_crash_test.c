/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_crash_test: what survives: kill -9 at any instant, journals copied back, torn and broken, a disk that is full.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/rng.h"
#include "edge/store/store_world.h"

/* Runs `body` in a process of its own, which ends without closing anything. */
static void in_a_crash(struct world *w, void (*body)(struct world *w))
{
    int status = 0;
    pid_t pid;

    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        w->options.import_interval = 3600 * NSEC_PER_SEC; /* the journals stay as they are */
        if (world_open(w))
            body(w);
        _exit(check_failures > 0);
    }
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
}

static void leave_open(struct world *w)
{
    int64_t id = ledger_query_id(w->ledger);

    query_begin(w->ledger, id);
    query_route(w->ledger, id);
    call_begin(w->ledger, id, 1);
    call_begin(w->ledger, id, 2);
    CHECK_ERR(ledger_commit(w->ledger), OK);
    call_done(w->ledger, id, 1);
    CHECK_ERR(ledger_commit(w->ledger), OK);
    query_label(w->ledger, query_whole(w->ledger), LABEL_FEEDBACK, 1, 1);
    CHECK_ERR(ledger_commit(w->ledger), OK);
    query_whole(w->ledger); /* never committed */
}

static void open_queries_are_interrupted(void)
{
    struct world w;

    world_init(&w);
    in_a_crash(&w, leave_open);
    CHECK_INT(world_files(&w, "journal-", NULL), 1);
    struct ledger_check check = world_verify(&w); /* recovers, as an open does */
    CHECK_INT(world_files(&w, "journal-", NULL), 0);
    CHECK(check.rows == 2 && check.calls == 3 && check.interrupted == 1 && check.mismatches == 0);
    CHECK_INT(check.sum_nano_usd, CALL_COST + 5000 + CALL_COST);
    CHECK_INT(world_sql(&w, "SELECT cost_nano_usd FROM queries WHERE fault = 'WEIR_INTERRUPTED'"),
              CALL_COST + 5000);
    CHECK_INT(world_sql(&w, "SELECT number FROM calls WHERE is_interrupted"), 2);
    CHECK_INT(world_sql(&w, "SELECT count(*) FROM routes JOIN queries ON id = query_id WHERE fault "
                            "= 'WEIR_INTERRUPTED'"),
              1);
    CHECK_INT(world_sql(&w, "SELECT count(*) FROM labels JOIN queries ON id = query_id"), 1);
    world_fini(&w);
}

static void leave_a_label_of_nobody(struct world *w)
{
    query_whole(w->ledger);
    query_label(w->ledger, INT64_MAX, LABEL_FEEDBACK, 1, 1);
    CHECK_ERR(ledger_commit(w->ledger), OK);
}

/* Ids go on from what the journals hold; what others say is a query does not count there. */
static void labels_do_not_move_ids(void)
{
    struct world w;

    world_init(&w);
    in_a_crash(&w, leave_a_label_of_nobody);
    REQUIRE(world_open(&w));
    int64_t id = world_sql(&w, "SELECT id FROM queries"), next = ledger_query_id(w.ledger);
    CHECK(next > id && next < id + (INT64_C(3600000) << 21)); /* within the hour */
    CHECK_INT(world_sql(&w, "SELECT count(*) FROM labels"), 1);
    world_fini(&w);
}

/* They were read, but the database never took them. */
static void leave_labels_at_a_locked_database(struct world *w)
{
    char path[300];
    sqlite3 *locker = NULL;
    struct store_health health = { 0 };

    ledger_close(w->ledger);
    w->ledger = NULL;
    store_close(w->store);
    w->options.import_interval = NSEC_PER_MS;
    w->options.segment_bytes = 500;
    REQUIRE(world_open(w));
    snprintf(path, sizeof(path), "%s/ledger.db", w->directory);
    CHECK_INT(sqlite3_open_v2(path, &locker, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    CHECK_INT(sqlite3_exec(locker, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    for (int i = 0; i < 100; i++) {
        query_label(w->ledger, i, LABEL_FEEDBACK, 1, 1);
        CHECK_ERR(ledger_commit(w->ledger), OK);
    }
    for (int i = 0; i < 1000 && health.import_failures < 2; i++) {
        sleep_ms(5);
        store_health_read(w->store, &health);
    }
    CHECK(health.import_failures >= 2);
}

static void labels_keep_their_segments(void)
{
    struct world w;

    world_init(&w);
    in_a_crash(&w, leave_labels_at_a_locked_database);
    struct ledger_check check = world_verify(&w);
    CHECK(check.labels == 100 && check.labels_unknown == 100 && check.mismatches == 0);
    world_fini(&w);
}

static char copy_of[64 << 10];
static ssize_t copy_len;
static char copy_path[600];

static void copy_segment(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    copy_len = read(fd, copy_of, sizeof(copy_of));
    snprintf(copy_path, sizeof(copy_path), "%s", path);
    close(fd);
}

static void put_segment(const char *path, ssize_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    CHECK(write(fd, copy_of, (size_t)len) == len);
    close(fd);
}

/* Also of a part: then queries lack their ends, but their rows are there already. */
static void importing_again_changes_nothing(void)
{
    struct world w;

    world_init(&w);
    in_a_crash(&w, leave_open);
    world_files(&w, "journal-", copy_segment);
    REQUIRE(copy_len > 100);
    struct ledger_check first = world_verify(&w);
    for (ssize_t len = copy_len; len > 0; len -= 61) {
        put_segment(copy_path, len);
        struct ledger_check again = world_verify(&w);
        CHECK(memcmp(&again, &first, sizeof(first)) == 0);
        CHECK_INT(world_files(&w, "journal-", NULL), 0);
    }
    world_fini(&w);
}

/* A group that the file ends within counts for nothing; the groups before it do. */
static void torn_groups_do_not_count(void)
{
    struct world w;

    world_init(&w);
    in_a_crash(&w, leave_open);
    world_files(&w, "journal-", copy_segment);
    uint32_t first = (uint32_t)record_length((const uint8_t *)copy_of);
    struct record group;
    REQUIRE(record_decode((const uint8_t *)copy_of, &group) && group.type == RECORD_GROUP);
    first += group.group_bytes;
    /* Around the ends of its records, and at its own. */
    for (ssize_t len = (ssize_t)first; len >= 0; len -= len > (ssize_t)first - 10 ? 1 : 13) {
        struct ledger_check check;
        world_files(&w, "ledger.db", remove_file);
        put_segment(copy_path, len);
        check = world_verify(&w);
        CHECK_INT(check.rows, len == (ssize_t)first);
        CHECK_INT(check.mismatches, 0);
    }
    world_fini(&w);
}

/* The same records in two files, also of queries that are open in both. */
static void records_that_stand_twice_count_once(void)
{
    struct world w;

    world_init(&w);
    in_a_crash(&w, leave_open);
    world_files(&w, "journal-", copy_segment);
    REQUIRE(copy_len > 100);
    memcpy(copy_path + strlen(copy_path) - strlen("1.wj"), "2", 1);
    put_segment(copy_path, copy_len);
    CHECK_INT(world_files(&w, "journal-", NULL), 2);
    struct ledger_check check = world_verify(&w);
    CHECK(check.rows == 2 && check.calls == 3 && check.interrupted == 1 && check.mismatches == 0);
    CHECK_INT(check.sum_nano_usd, CALL_COST + 5000 + CALL_COST);
    world_fini(&w);
}

static void append_garbage(const char *path, ssize_t len)
{
    copy_segment(path);
    memset(copy_of + copy_len, 0x5a, (size_t)len);
    put_segment(path, copy_len + len);
}

static void append_little(const char *path)
{
    append_garbage(path, 11);
}

static void append_much(const char *path)
{
    append_garbage(path, 12);
}

static void quiet(void *ctx, str sentence)
{
    (void)ctx;
    (void)sentence;
}

/* Less than a group's head may be one that was not written to its end; more is something else. */
static void garbage_at_the_end_is_noticed(void)
{
    for (int much = 0; much < 2; much++) {
        struct world w;
        struct ledger_check check = { 0 };
        world_init(&w);
        in_a_crash(&w, leave_open);
        world_files(&w, "journal-", much ? append_much : append_little);
        CHECK_ERR(store_verify(w.options.directory, &check, quiet, NULL, w.why), OK);
        CHECK(check.rows == 2 && check.mismatches == much);
        world_fini(&w);
    }
}

/* A query's calls lie in several segments; the importer runs all the time. */
static void leave_a_long_query(struct world *w)
{
    ledger_close(w->ledger);
    w->ledger = NULL;
    store_close(w->store);
    w->options.import_interval = NSEC_PER_MS;
    w->options.segment_bytes = 2000;
    REQUIRE(world_open(w));
    int64_t id = ledger_query_id(w->ledger);
    query_begin(w->ledger, id);
    for (uint32_t number = 1; number <= 10; number++) {
        call_begin(w->ledger, id, number);
        call_done(w->ledger, id, number);
        for (int i = 0; i < 100; i++) {
            query_whole(w->ledger);
            CHECK_ERR(ledger_commit(w->ledger), OK);
        }
    }
    for (int i = 0; i < 1000 && world_sql(w, "SELECT count(*) FROM queries") < 1000; i++)
        sleep_ms(5);
    sleep_ms(50);
    /* Those with a record of it, and the last. */
    int left = world_files(w, "journal-", NULL);
    CHECK(left >= 10 && left <= 12);
}

static void long_queries_keep_their_segments_only(void)
{
    struct world w;

    world_init(&w);
    in_a_crash(&w, leave_a_long_query);
    struct ledger_check check = world_verify(&w);
    CHECK(check.rows == 1001 && check.interrupted == 1 && check.calls == 1010);
    CHECK(check.sum_nano_usd == 1010 * CALL_COST && check.mismatches == 0);
    world_fini(&w);
}

static void leave_many(struct world *w)
{
    for (int i = 0; i < 100; i++) {
        query_whole(w->ledger);
        CHECK_ERR(ledger_commit(w->ledger), OK);
    }
}

static void break_segment(const char *path)
{
    copy_segment(path);
    memset(copy_of + 1000, 0x5a, 200); /* a query and a half at most */
    put_segment(path, copy_len);
}

/* Reported and kept aside; everything else is imported. */
static void a_broken_place_loses_little(void)
{
    struct world w;
    struct ledger_check check;

    world_init(&w);
    w.options.segment_bytes = 8192;
    in_a_crash(&w, leave_many);
    int segments = world_files(&w, "journal-", NULL);
    CHECK(segments >= 2);
    world_files(&w, "-0000000001.wj", break_segment);
    REQUIRE(world_open(&w));
    CHECK(strstr(w.why, "broken in 1 place") != NULL);
    int64_t id = query_whole(w.ledger);
    CHECK_ERR(ledger_commit(w.ledger), OK);
    CHECK_INT(world_files(&w, "-0000000001.wj", NULL), 1); /* no new one takes the name */
    world_close(&w);
    REQUIRE(world_open(&w));
    id = query_whole(w.ledger);
    CHECK_ERR(ledger_commit(w.ledger), OK);
    CHECK_INT(world_files(&w, "-0000000001.wj", NULL), 1);
    world_close(&w);
    CHECK(world_sql(&w, "SELECT max(id) FROM queries") == id);
    CHECK_INT(world_files(&w, "journal-", NULL), 1);
    CHECK_INT(world_files(&w, ".corrupt", NULL), 1);
    CHECK_ERR(store_verify(w.options.directory, &check, quiet, NULL, w.why), OK);
    CHECK(check.rows >= 99 && check.rows <= 102);
    CHECK_INT(check.mismatches, 1); /* the file */
    world_files(&w, ".corrupt", remove_file);
    CHECK_INT(world_verify(&w).mismatches, 0);
    world_fini(&w);
}

/* ---- kill -9 ---- */

enum told { TOLD_BEGUN, TOLD_ENDED, TOLD_LABELLED };

struct acknowledged {
    int64_t id;
    enum told what;
};

static void tell(int pipe_fd, int64_t id, enum told what)
{
    struct acknowledged a;

    memset(&a, 0, sizeof(a));
    a.id = id;
    a.what = what;
    if (write(pipe_fd, &a, sizeof(a)) != (ssize_t)sizeof(a))
        _exit(0);
}

/* Records for ever: groups of up to eight routed queries, some of which stay open for a while; each is labelled in the group after its end. */
static void record_for_ever(struct world *w, int pipe_fd, uint64_t seed)
{
    int64_t open[8] = { 0 }, ended[8] = { 0 };
    struct rng rng;

    rng_init(&rng, seed);
    for (;;) {
        bool is_new[8] = { false };
        for (size_t i = 0; i < ARRAY_LEN(ended); i++)
            if (ended[i] != 0)
                query_label(w->ledger, ended[i], LABEL_FEEDBACK, 0.75, ended[i]);
        for (size_t i = 0; i < ARRAY_LEN(open); i++) {
            if (open[i] == 0 && rng_below(&rng, 2)) {
                open[i] = ledger_query_id(w->ledger);
                is_new[i] = true;
                query_begin(w->ledger, open[i]);
                query_route(w->ledger, open[i]);
                call_begin(w->ledger, open[i], 1);
            }
        }
        if (ledger_commit(w->ledger) != OK)
            _exit(1);
        for (size_t i = 0; i < ARRAY_LEN(open); i++) {
            if (is_new[i])
                tell(pipe_fd, open[i], TOLD_BEGUN);
            if (ended[i] != 0)
                tell(pipe_fd, ended[i], TOLD_LABELLED);
            ended[i] = 0;
        }
        for (size_t i = 0; i < ARRAY_LEN(open); i++) {
            is_new[i] = open[i] != 0 && rng_below(&rng, 2);
            if (is_new[i]) {
                call_done(w->ledger, open[i], 1);
                query_end(w->ledger, open[i]);
            }
        }
        if (ledger_commit(w->ledger) != OK)
            _exit(1);
        for (size_t i = 0; i < ARRAY_LEN(open); i++) {
            if (is_new[i]) {
                tell(pipe_fd, open[i], TOLD_ENDED);
                ended[i] = open[i];
                open[i] = 0;
            }
        }
    }
}

/* A run: a child records and is killed; gives the ids that it acknowledged. */
static size_t run_and_kill(struct world *w, uint64_t seed, struct acknowledged *out, size_t cap)
{
    int ends[2];
    size_t count = 0;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return 0;
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        close(ends[0]);
        if (world_open(w))
            record_for_ever(w, ends[1], seed);
        _exit(1);
    }
    close(ends[1]);
    /* Killed after a number of acknowledgements that the seed gives, at whatever the child is at by then. */
    size_t until = (size_t)(rng_mix(seed) % 500);
    while (count < until && read(ends[0], &out[count], sizeof(out[0])) == (ssize_t)sizeof(out[0]))
        count++;
    kill(pid, SIGKILL);
    while (count < cap && read(ends[0], &out[count], sizeof(out[0])) == (ssize_t)sizeof(out[0]))
        count++;
    close(ends[0]);
    CHECK(waitpid(pid, NULL, 0) == pid);
    return count;
}

static void kill_minus_nine_loses_nothing(void)
{
    enum { CAP = 20000 };
    static struct acknowledged seen[CAP];
    struct world w;
    int64_t rows_before = 0, total = 0, labels = 0;

    world_init(&w);
    w.options.segment_bytes = 16 << 10;
    w.options.import_interval = NSEC_PER_MS;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        if (seed % 20 == 0) { /* else each check walks all that came before */
            world_files(&w, "ledger.db", remove_file);
            rows_before = 0;
        }
        size_t count = run_and_kill(&w, seed, seen, CAP);
        struct ledger_check check = world_verify(&w);
        char path[300];
        sqlite3 *db = NULL;
        sqlite3_stmt *find = NULL;
        CHECK(check.mismatches == 0 && check.labels_unknown == 0);
        CHECK_INT(world_files(&w, "journal-", NULL), 0);
        snprintf(path, sizeof(path), "%s/ledger.db", w.directory);
        sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL);
        sqlite3_prepare_v2(db,
                           "SELECT q.fault IS NULL, c.cost_nano_usd, q.calls, "
                           "l.value = 0.75 AND l.labelled = q.id FROM queries q "
                           "JOIN calls c ON c.query_id = q.id JOIN routes r ON r.query_id = q.id "
                           "LEFT JOIN labels l ON l.query_id = q.id WHERE q.id = ?",
                           -1, &find, NULL);
        int64_t begun = 0;
        for (size_t i = 0; i < count; i++) {
            sqlite3_bind_int64(find, 1, seen[i].id);
            REQUIRE(sqlite3_step(find) == SQLITE_ROW); /* not missing */
            begun += seen[i].what == TOLD_BEGUN;
            if (seen[i].what != TOLD_BEGUN)
                CHECK(sqlite3_column_int(find, 0) == 1 && sqlite3_column_int(find, 1) == CALL_COST);
            if (seen[i].what == TOLD_LABELLED)
                CHECK_INT(sqlite3_column_int(find, 3), 1);
            labels += seen[i].what == TOLD_LABELLED;
            CHECK_INT(sqlite3_column_int(find, 2), 1);
            CHECK_INT(sqlite3_step(find), SQLITE_DONE); /* not twice */
            sqlite3_reset(find);
        }
        sqlite3_finalize(find);
        sqlite3_close(db);
        /* At most one group of eight was written but not acknowledged any more. */
        CHECK(check.rows >= rows_before + begun && check.rows <= rows_before + begun + 8);
        total += check.rows - rows_before;
        rows_before = check.rows;
    }
    CHECK(total > 5000 && labels > 2000);
    world_fini(&w);
}

/* ---- a full disk ---- */

static void fill_the_disk(struct world *w)
{
    struct rlimit limit = { 30000, RLIM_INFINITY };
    struct store_health health;
    int64_t rows = 0;
    enum err e = OK;

    signal(SIGXFSZ, SIG_IGN);
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0); /* a write across it is short */
    for (int i = 0; i < 1000 && e == OK; i++) {
        for (int n = 0; n < 7; n++, rows++)
            query_whole(w->ledger);
        e = ledger_commit(w->ledger);
    }
    CHECK_ERR(e, WEIR_STORE);
    CHECK(rows > 70 && rows < 700);
    CHECK(ledger_is_dirty(w->ledger));
    store_health_read(w->store, &health);
    world_files(w, "journal-", copy_segment); /* nothing half is left in it */
    CHECK_INT(copy_len, health.journal_bytes);
    for (int i = 0; i < 3; i++) {
        query_whole(w->ledger);
        rows++;
        CHECK_ERR(ledger_commit(w->ledger), WEIR_STORE);
    }
    /* Somebody tidied up. */
    limit.rlim_cur = RLIM_INFINITY;
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    CHECK_ERR(ledger_commit(w->ledger), OK);
    CHECK(!ledger_is_dirty(w->ledger));
    for (; rows < 1000; rows++)
        query_whole(w->ledger);
    CHECK_ERR(ledger_commit(w->ledger), OK);
}

static void a_full_disk_loses_nothing(void)
{
    struct world w;

    world_init(&w);
    in_a_crash(&w, fill_the_disk);
    struct ledger_check check = world_verify(&w);
    CHECK(check.rows == 1000 && check.calls == 1000 && check.interrupted == 0);
    CHECK_INT(check.mismatches, 0);
    world_fini(&w);
}

/* The database meets the limit, the journals do not. */
static void fill_the_database(struct world *w)
{
    struct rlimit limit = { 100000, RLIM_INFINITY };
    struct store_health health = { 0 };

    ledger_close(w->ledger);
    w->ledger = NULL;
    store_close(w->store);
    w->options.import_interval = NSEC_PER_MS;
    w->options.segment_bytes = 20000;
    REQUIRE(world_open(w));
    signal(SIGXFSZ, SIG_IGN);
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    for (int i = 0; i < 1000; i++) {
        query_whole(w->ledger);
        CHECK_ERR(ledger_commit(w->ledger), OK);
    }
    for (int i = 0; i < 1000 && health.import_failures < 3; i++) {
        sleep_ms(2);
        store_health_read(w->store, &health);
    }
    CHECK(health.import_failures >= 3);
    limit.rlim_cur = RLIM_INFINITY;
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    world_close(w);
    CHECK_INT(world_files(w, "journal-", NULL), 0);
}

static void a_full_database_stops_nobody(void)
{
    struct world w;

    world_init(&w);
    in_a_crash(&w, fill_the_database);
    struct ledger_check check = world_verify(&w);
    CHECK(check.rows == 1000 && check.interrupted == 0 && check.mismatches == 0);
    world_fini(&w);
}

TESTS(TEST(open_queries_are_interrupted), TEST(labels_do_not_move_ids),
      TEST(labels_keep_their_segments), TEST(importing_again_changes_nothing),
      TEST(torn_groups_do_not_count), TEST(records_that_stand_twice_count_once),
      TEST(garbage_at_the_end_is_noticed), TEST(long_queries_keep_their_segments_only),
      TEST(a_broken_place_loses_little), TEST(kill_minus_nine_loses_nothing),
      TEST(a_full_disk_loses_nothing), TEST(a_full_database_stops_nobody))
