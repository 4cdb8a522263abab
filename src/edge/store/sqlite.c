/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite: the ledger's database: directory/ledger.db in WAL mode; opening it, and batches in.
 */
#include "edge/store/sqlite_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define OPEN_BUSY_MS 5000 /* recovery waits for a reader to go */
#define WRITE_BUSY_MS 200 /* the store thread tries again anyway */

static const char *const statements[STATEMENT_COUNT] = {
    [STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
    [STATEMENT_COMMIT] = "COMMIT",
    [STATEMENT_ROLLBACK] = "ROLLBACK",
    [STATEMENT_QUERY] = "INSERT OR IGNORE INTO queries VALUES (?,?,?,?,?,?,?,?,?,?,"
                        "?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    [STATEMENT_CALL] = "INSERT OR IGNORE INTO calls VALUES (?,?,?,?,?,?,?,?,?,?,?,?,"
                       "?,?,?,?,?,?,?,?,?,?,?,?,?)",
    [STATEMENT_ROUTE] = "INSERT OR IGNORE INTO routes VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    /* The greatest of all columns in this order stays, so it does not matter in what order labels come, or how often. */
    [STATEMENT_LABEL] =
        "INSERT INTO labels VALUES (?,?,?,?,?,?) ON CONFLICT (query_id, source) DO UPDATE SET"
        " labelled = excluded.labelled, value = excluded.value, is_noisy = excluded.is_noisy,"
        " text = excluded.text"
        " WHERE (excluded.labelled, excluded.value, excluded.is_noisy, excluded.text) >"
        " (labels.labelled, labels.value, labels.is_noisy, labels.text)",
    [STATEMENT_ID_MAX] = "SELECT max(id) FROM queries",
    [STATEMENT_ROLLUP_STATE] =
        "SELECT done, last, (SELECT max(query_id) FROM rollup_waiting) FROM rollup_state",
    [STATEMENT_ROLLUP_DONE] = "UPDATE rollup_state SET done = ?1",
    [STATEMENT_ROLLUP_CHUNK] =
        "SELECT count(*), max(id) FROM (SELECT id FROM queries WHERE id > ?1 AND id <= ?2"
        " ORDER BY id LIMIT ?3)",
    [STATEMENT_ROLLUP_PENDING] = "SELECT count(*) FROM queries, rollup_state"
                                 " WHERE id > done AND id <= last",
    [STATEMENT_SUBJECT] =
        "SELECT started, domain, confidence, is_calibrated,"
        " calls = 0 OR EXISTS (SELECT 1 FROM calls WHERE query_id = id AND is_simulated = 0),"
        " EXISTS (SELECT 1 FROM calls WHERE query_id = id AND is_simulated = 1)"
        " FROM queries WHERE id = ?1",
    [STATEMENT_LABEL_FIND] = "SELECT value FROM labels WHERE query_id = ?1 AND source = ?2",
    [STATEMENT_LABELS_OF] = "SELECT * FROM labels WHERE query_id = ?1",
    [STATEMENT_WAITING_ADD] = "INSERT OR IGNORE INTO rollup_waiting VALUES (?1)",
    [STATEMENT_WAITING_TAKE] = "DELETE FROM rollup_waiting WHERE query_id = ?1",
    [STATEMENT_SELECT_QUERIES] = "SELECT * FROM queries WHERE id > ?1 AND id <= ?2 ORDER BY id",
    [STATEMENT_SELECT_CALLS] =
        "SELECT * FROM calls WHERE query_id > ?1 AND query_id <= ?2 ORDER BY query_id, number",
    [STATEMENT_SELECT_ROUTES] =
        "SELECT * FROM routes WHERE query_id > ?1 AND query_id <= ?2 ORDER BY query_id",
    [STATEMENT_SELECT_LABELS] =
        "SELECT * FROM labels WHERE query_id > ?1 AND query_id <= ?2 ORDER BY query_id, source",
    [STATEMENT_SELECT_SAMPLES] =
        "SELECT * FROM queries WHERE id > ?1 AND id <= ?2 AND id IN (SELECT query_id FROM routes"
        " UNION SELECT query_id FROM labels) ORDER BY id",
};

enum err database_failed(struct database *db, int code)
{
    db->code = code;
    snprintf(db->message, sizeof(db->message), "%s",
             db->connection ? sqlite3_errmsg(db->connection) : sqlite3_errstr(code));
    return WEIR_STORE;
}

const char *database_message(const struct database *db)
{
    return db->message;
}

bool database_is_busy(const struct database *db)
{
    return (db->code & 0xff) == SQLITE_BUSY || (db->code & 0xff) == SQLITE_LOCKED;
}

/* ---- opening ---- */

enum err database_exec(struct database *db, const char *sql)
{
    int code = sqlite3_exec(db->connection, sql, NULL, NULL, NULL);

    return code == SQLITE_OK ? OK : database_failed(db, code);
}

enum err database_version(struct database *db, int *out)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db->connection, "PRAGMA user_version", -1, &statement, NULL);

    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        *out = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return code == SQLITE_ROW ? OK : database_failed(db, code);
}

static enum err database_setup(struct database *db, const char *path, enum database_mode mode,
                               bool sync_power)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    int code = sqlite3_open_v2(path, &db->connection,
                               mode == DATABASE_WRITE ? flags | SQLITE_OPEN_CREATE : flags, NULL);
    enum err e;

    if (code != SQLITE_OK)
        return database_failed(db, code);
    if (mode == DATABASE_WRITE)
        IGNORE(chmod(path, 0600)); /* the directory keeps others out already */
    sqlite3_busy_timeout(db->connection, OPEN_BUSY_MS);
    e = database_exec(db, "PRAGMA cache_size = -1024; PRAGMA mmap_size = 0;"
                          "PRAGMA temp_store = MEMORY;");
    if (e == OK && mode == DATABASE_READ)
        e = database_exec(db, "PRAGMA query_only = 1");
    if (e == OK && mode == DATABASE_WRITE)
        e = database_exec(db, "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 2000;"
                              "PRAGMA journal_size_limit = 16777216;");
    if (e == OK && mode == DATABASE_WRITE)
        e = database_exec(db,
                          sync_power ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
    if (e == OK && mode == DATABASE_WRITE)
        e = database_migrate(db);
    if (e == OK)
        e = database_check_version(db);
    if (e == OK)
        e = upkeep_open(db, mode);
    if (e == OK && mode == DATABASE_WRITE)
        sqlite3_busy_timeout(db->connection, WRITE_BUSY_MS);
    return e;
}

enum err database_open(struct database **out, str directory, enum database_mode mode,
                       bool sync_power, char out_why[256])
{
    struct database *db = calloc(1, sizeof(*db));
    char path[STORE_PATH_MAX + 16];
    enum err e;

    if (!db) {
        snprintf(out_why, 256, "out of memory");
        return WEIR_NO_MEMORY;
    }
    snprintf(path, sizeof(path), "%.*s/ledger.db", STR_ARG(directory));
    e = database_setup(db, path, mode, sync_power);
    if (e != OK) {
        snprintf(out_why, 256, "ledger.db: %s", db->message);
        database_close(db);
        return e;
    }
    *out = db;
    return OK;
}

void database_close(struct database *db)
{
    if (!db)
        return;
    upkeep_close(db);
    for (size_t i = 0; i < ARRAY_LEN(db->prepared); i++)
        sqlite3_finalize(db->prepared[i]);
    sqlite3_close(db->connection);
    free(db);
}

/* ---- statements ---- */

enum err database_statement(struct database *db, enum statement which, sqlite3_stmt **out)
{
    if (!db->prepared[which]) {
        int code = sqlite3_prepare_v3(db->connection, statements[which], -1,
                                      SQLITE_PREPARE_PERSISTENT, &db->prepared[which], NULL);
        if (code != SQLITE_OK)
            return database_failed(db, code);
    }
    *out = db->prepared[which];
    return OK;
}

enum err database_prepare(struct database *db, const char *sql, const int64_t *values, int count,
                          sqlite3_stmt **out)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db->connection, sql, -1, &statement, NULL);

    for (int i = 0; code == SQLITE_OK && i < count; i++)
        code = sqlite3_bind_int64(statement, i + 1, values[i]);
    if (code == SQLITE_OK) {
        *out = statement;
        return OK;
    }
    enum err e = database_failed(db, code);
    sqlite3_finalize(statement);
    return e;
}

/* For statements that give no rows. */
static enum err statement_finish(struct database *db, sqlite3_stmt *statement)
{
    int code = sqlite3_step(statement);
    enum err e = code == SQLITE_DONE ? OK : database_failed(db, code);

    sqlite3_reset(statement);
    return e;
}

static enum err database_do(struct database *db, enum statement which)
{
    sqlite3_stmt *statement = NULL;
    enum err e = database_statement(db, which, &statement);

    return e == OK ? statement_finish(db, statement) : e;
}

enum err database_begin(struct database *db)
{
    return database_do(db, STATEMENT_BEGIN);
}

/* The rollups become durable with the rows that they are sums of. */
enum err database_commit(struct database *db)
{
    enum err e = rollup_flush(db->rollup);

    return e == OK ? database_do(db, STATEMENT_COMMIT) : e;
}

void database_rollback(struct database *db)
{
    int code = db->code;
    char message[sizeof(db->message)];

    /* What went wrong before is what people need to read. */
    memcpy(message, db->message, sizeof(message));
    if (db->rollup)
        rollup_clear(db->rollup);
    if (!sqlite3_get_autocommit(db->connection))
        IGNORE(database_do(db, STATEMENT_ROLLBACK));
    db->code = code;
    memcpy(db->message, message, sizeof(message));
}

enum err database_integer(struct database *db, enum statement which, int64_t *out)
{
    sqlite3_stmt *statement = NULL;
    enum err e = database_statement(db, which, &statement);

    if (e != OK)
        return e;
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        *out = sqlite3_column_int64(statement, 0);
    else
        e = database_failed(db, code);
    sqlite3_reset(statement);
    return e;
}

str database_text(sqlite3_stmt *statement, int column)
{
    const unsigned char *text = sqlite3_column_text(statement, column);
    int len = sqlite3_column_bytes(statement, column);

    if (!text || len <= 0)
        return STR("");
    return (str){ (const char *)text, (size_t)len };
}

enum err database_id_max(struct database *db, int64_t *out)
{
    return database_integer(db, STATEMENT_ID_MAX, out);
}

/* ---- rows in ---- */

enum err database_finish(struct database *db, sqlite3_stmt *statement, int code)
{
    return code == SQLITE_OK ? statement_finish(db, statement) : database_failed(db, code);
}

static enum err database_insert_route(struct database *db, const struct ledger_route *r)
{
    sqlite3_stmt *statement = NULL;
    enum err e = database_statement(db, STATEMENT_ROUTE, &statement);

    return e == OK ? database_finish(db, statement, rows_bind_route(statement, r)) : e;
}

enum err database_insert(struct database *db, const struct row_query *q)
{
    sqlite3_stmt *statement = NULL;
    enum err e = database_statement(db, STATEMENT_QUERY, &statement);

    if (e == OK)
        e = database_finish(db, statement, rows_bind_query(statement, q));
    /* A query that was there has its route, all its calls and its place in the rollups, too: they came in one transaction. */
    if (e != OK || sqlite3_changes(db->connection) == 0)
        return e;
    if (q->has_route)
        e = database_insert_route(db, &q->route);
    if (e == OK && q->calls_len > 0)
        e = database_statement(db, STATEMENT_CALL, &statement);
    for (size_t i = 0; e == OK && i < q->calls_len; i++)
        e = database_finish(db, statement, rows_bind_call(statement, &q->calls[i]));
    return e == OK ? upkeep_query(db, q) : e;
}

enum err database_label(struct database *db, const struct ledger_label *label)
{
    struct ledger_label old;
    sqlite3_stmt *statement = NULL;
    bool had_old = false;
    enum err e = upkeep_label_find(db, label, &old, &had_old);

    if (e == OK)
        e = database_statement(db, STATEMENT_LABEL, &statement);
    if (e == OK)
        e = database_finish(db, statement, rows_bind_label(statement, label));
    if (e != OK || sqlite3_changes(db->connection) == 0)
        return e;
    return upkeep_label(db, had_old ? &old : NULL, label);
}
