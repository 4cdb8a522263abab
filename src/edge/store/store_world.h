/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_world: what the ledger's tests share: a directory of their own, queries with known costs, what the directory holds.
 */
#ifndef WEIR_EDGE_STORE_STORE_WORLD_H
#define WEIR_EDGE_STORE_STORE_WORLD_H

#include <dirent.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "edge/store/internal.h"
#include "test/check.h"

struct world {
    char directory[256];
    struct store_options options;
    struct store *store;
    struct ledger *ledger;
    char why[256];
};

__attribute__((unused)) static void world_init(struct world *w)
{
    const char *base = getenv("TMPDIR");

    memset(w, 0, sizeof(*w));
    snprintf(w->directory, sizeof(w->directory), "%.200s/weir-store-XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(w->directory))
        check_note(__FILE__, __LINE__, "no temporary directory");
    w->options.directory = str_from(w->directory);
    w->options.import_interval = 2 * NSEC_PER_MS;
}

__attribute__((unused)) static bool world_open(struct world *w)
{
    enum err e = store_open(&w->store, &w->options, w->why);

    if (e == OK)
        e = ledger_open(&w->ledger, w->store, 3);
    CHECK_ERR(e, OK);
    return e == OK;
}

__attribute__((unused)) static void world_close(struct world *w)
{
    ledger_close(w->ledger);
    store_close(w->store);
    w->ledger = NULL;
    w->store = NULL;
}

/* Calls `each` with the path of every file whose name has the part; gives their number. */
__attribute__((unused)) static int world_files(const struct world *w, const char *part,
                                               void (*each)(const char *path))
{
    DIR *directory = opendir(w->directory);
    int count = 0;

    for (const struct dirent *entry; directory && (entry = readdir(directory)) != NULL;) {
        char path[600];
        if (entry->d_name[0] == '.' || !strstr(entry->d_name, part))
            continue;
        count++;
        snprintf(path, sizeof(path), "%s/%s", w->directory, entry->d_name);
        if (each)
            each(path);
    }
    if (directory)
        closedir(directory);
    return count;
}

__attribute__((unused)) static void remove_file(const char *path)
{
    IGNORE(unlink(path));
}

__attribute__((unused)) static void world_fini(struct world *w)
{
    world_close(w);
    world_files(w, "", remove_file);
    IGNORE(rmdir(w->directory));
}

__attribute__((unused)) static void sleep_ms(int ms)
{
    struct timespec t = { ms / 1000, (long)(ms % 1000) * 1000000 };

    nanosleep(&t, NULL);
}

__attribute__((unused)) static void query_begin(struct ledger *l, int64_t id)
{
    const struct ledger_query q = { .id = id,
                                    .started = id >> 21 << 10,
                                    .tenant = STR("acme"),
                                    .domain = STR("math"),
                                    .requested_model = STR("gpt-4o"),
                                    .strategy = STR("plain"),
                                    .arm = STR("a"),
                                    .reserved = 5000 };
    ledger_begin(l, &q);
}

__attribute__((unused)) static void call_begin(struct ledger *l, int64_t id, uint32_t number)
{
    const struct ledger_call c = {
        id, number, STR("plain"), STR("gpt-4o"), STR("openai"), 5000, 10
    };

    ledger_call_begin(l, &c);
}

/* 100 tokens in, 40 of them cached, at 10 and 5; 20 out at 40: 1,600 nano-dollars. */
#define CALL_COST 1600
__attribute__((unused)) static void call_done(struct ledger *l, int64_t id, uint32_t number)
{
    const struct ledger_call_end c = {
        .query = id,
        .number = number,
        .http_status = 200,
        .attempts = 1,
        .usage = { .input = 100, .output = 20, .cached = 40, .is_known = true },
        .cost = CALL_COST,
        .price_input = 10,
        .price_output = 40,
        .price_cached = 5,
        .latency_us = 1000,
        .first_byte_us = 500
    };
    ledger_call_done(l, &c);
}

__attribute__((unused)) static void query_end(struct ledger *l, int64_t id)
{
    const struct ledger_end e = { .id = id,
                                  .http_status = 200,
                                  .model = STR("gpt-4o"),
                                  .hrm_confidence = -1,
                                  .trm_confidence = 0.5,
                                  .confidence = 0.5,
                                  .latency_us = 1100,
                                  .raw = { -1, 0.25, 0.25 } };
    ledger_end(l, &e);
}

__attribute__((unused)) static void query_route(struct ledger *l, int64_t id)
{
    const struct ledger_route r = { .query = id,
                                    .scorer = STR("seed_v1"),
                                    .score = 0.85,
                                    .seed_score = 85,
                                    .words_score = -1,
                                    .strategy = STR("full_stack"),
                                    .model = STR("gpt-4o"),
                                    .propensity = 0.925,
                                    .epsilon = 0.1,
                                    .domain = STR("math"),
                                    .domain_probability = 0.75,
                                    .quality = 0.5,
                                    .cost = 12345,
                                    .reasons = STR("score 0.85 >= 0.80") };
    ledger_route(l, &r);
}

__attribute__((unused)) static void query_label(struct ledger *l, int64_t id,
                                                enum ledger_source source, double value,
                                                usec_utc labelled)
{
    const struct ledger_label label = {
        .query = id, .source = source, .value = value, .labelled = labelled, .text = STR("said so")
    };
    ledger_label(l, &label);
}

__attribute__((unused)) static int64_t query_whole(struct ledger *l)
{
    int64_t id = ledger_query_id(l);

    query_begin(l, id);
    call_begin(l, id, 1);
    call_done(l, id, 1);
    query_end(l, id);
    return id;
}

/* Makes a record of ours one of version 1, where both have the same payload. */
__attribute__((unused)) static void record_as_version_1(uint8_t *bytes)
{
    bytes[3] = 1;
    uint32_t sum = record_checksum(bytes);
    for (int i = 0; i < 4; i++)
        bytes[4 + i] = (uint8_t)(sum >> 8 * i & 0xff);
}

/* As version 1 wrote it; the raw confidences and what else is newer must be none. */
__attribute__((unused)) static size_t record_put_end_version_1(uint8_t *bytes,
                                                               const struct ledger_end *e)
{
    size_t len = record_put_end(bytes, e) - 1;

    bytes[0]--;
    record_as_version_1(bytes);
    return len;
}

/* One integer from the database; -1 when it cannot be had. */
__attribute__((unused)) static int64_t world_sql(const struct world *w, const char *sql)
{
    char path[300];
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    int64_t result = -1;

    snprintf(path, sizeof(path), "%s/ledger.db", w->directory);
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
        sqlite3_busy_timeout(db, 5000) == SQLITE_OK &&
        sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK) {
        int code = sqlite3_step(statement);
        if (code == SQLITE_ROW)
            result = sqlite3_column_int64(statement, 0);
        else if (code == SQLITE_DONE)
            result = 0;
    }
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return result;
}

__attribute__((unused)) static void print_sentence(void *ctx, str sentence)
{
    (void)ctx;
    fprintf(stderr, "    %.*s\n", STR_ARG(sentence));
}

__attribute__((unused)) static struct ledger_check world_verify(struct world *w)
{
    struct ledger_check check = { .mismatches = -1 };

    CHECK_ERR(store_verify(w->options.directory, &check, print_sentence, NULL, w->why), OK);
    return check;
}

#endif
