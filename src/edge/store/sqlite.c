/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite: the ledger's database: directory/ledger.db in WAL mode, schema and migrations, batches in, a walk out.
 *
 * Two tables, no index beside their primary keys: an import appends to both. Money is integer nano-dollars; NULL is 'unpriced'. A NULL
 * fault is success.
 */
#include "edge/store/sqlite_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define OPEN_BUSY_MS 5000 /* recovery waits for a reader to go */
#define WRITE_BUSY_MS 200 /* the store thread tries again anyway */
#define WALK_ARENA_BYTES_MAX ((size_t)256 << 20) /* the calls of one query */

/* migrations[n] takes a database from user_version n to n + 1. Never change one that was released. */
static const char *const migrations[] = {
    "CREATE TABLE queries ("
    " id INTEGER PRIMARY KEY," /* ledger_query_id() */
    " started INTEGER NOT NULL," /* microseconds since 1970, UTC */
    " tenant TEXT NOT NULL,"
    " domain TEXT NOT NULL,"
    " requested_model TEXT NOT NULL,"
    " strategy TEXT NOT NULL,"
    " arm TEXT NOT NULL,"
    " is_stream INTEGER NOT NULL,"
    " reserved_nano_usd INTEGER,"
    " fault TEXT," /* NULL: success */
    " http_status INTEGER NOT NULL,"
    " is_truncated INTEGER NOT NULL,"
    " model TEXT NOT NULL," /* that answered */
    " hrm_confidence REAL,"
    " trm_confidence REAL,"
    " confidence REAL,"
    " latency_us INTEGER NOT NULL,"
    " calls INTEGER NOT NULL,"
    " input_tokens INTEGER NOT NULL,"
    " output_tokens INTEGER NOT NULL,"
    " cost_nano_usd INTEGER" /* NULL: a call of it is unpriced */
    ");"
    "CREATE TABLE calls ("
    " query_id INTEGER NOT NULL,"
    " number INTEGER NOT NULL,"
    " role TEXT NOT NULL,"
    " model TEXT NOT NULL,"
    " provider TEXT NOT NULL,"
    " reserved_nano_usd INTEGER,"
    " is_interrupted INTEGER NOT NULL," /* no end was recorded: cost is the reserve */
    " fault TEXT,"
    " http_status INTEGER NOT NULL,"
    " attempts INTEGER NOT NULL,"
    " input_tokens INTEGER NOT NULL,"
    " output_tokens INTEGER NOT NULL,"
    " cached_tokens INTEGER NOT NULL,"
    " cache_write_tokens INTEGER NOT NULL,"
    " reasoning_tokens INTEGER NOT NULL,"
    " is_usage_known INTEGER NOT NULL,"
    " is_usage_estimated INTEGER NOT NULL,"
    " cost_nano_usd INTEGER," /* NULL: unpriced */
    " price_input_nano_usd INTEGER,"
    " price_output_nano_usd INTEGER,"
    " price_cached_nano_usd INTEGER,"
    " latency_us INTEGER NOT NULL,"
    " first_byte_us INTEGER NOT NULL,"
    " is_simulated INTEGER NOT NULL,"
    " PRIMARY KEY (query_id, number)"
    ") WITHOUT ROWID;",
};

enum statement {
    STATEMENT_BEGIN,
    STATEMENT_COMMIT,
    STATEMENT_ROLLBACK,
    STATEMENT_QUERY,
    STATEMENT_CALL,
    STATEMENT_ID_MAX,
    STATEMENT_SELECT_QUERIES,
    STATEMENT_SELECT_CALLS,
    STATEMENT_COUNT,
};

static const char *const statements[STATEMENT_COUNT] = {
    [STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
    [STATEMENT_COMMIT] = "COMMIT",
    [STATEMENT_ROLLBACK] = "ROLLBACK",
    [STATEMENT_QUERY] = "INSERT OR IGNORE INTO queries VALUES (?,?,?,?,?,?,?,?,?,?,"
                        "?,?,?,?,?,?,?,?,?,?,?)",
    [STATEMENT_CALL] = "INSERT OR IGNORE INTO calls VALUES (?,?,?,?,?,?,?,?,?,?,?,?,"
                       "?,?,?,?,?,?,?,?,?,?,?,?)",
    [STATEMENT_ID_MAX] = "SELECT max(id) FROM queries",
    [STATEMENT_SELECT_QUERIES] = "SELECT * FROM queries ORDER BY id",
    [STATEMENT_SELECT_CALLS] = "SELECT * FROM calls ORDER BY query_id, number",
};

struct database {
    sqlite3 *connection;
    sqlite3_stmt *prepared[STATEMENT_COUNT];
    int code; /* of the last failure */
    char message[200];
};

static enum err database_failed(struct database *db, int code)
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

static enum err database_exec(struct database *db, const char *sql)
{
    int code = sqlite3_exec(db->connection, sql, NULL, NULL, NULL);

    return code == SQLITE_OK ? OK : database_failed(db, code);
}

static enum err database_version(struct database *db, int *out)
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

static enum err database_migrate(struct database *db)
{
    int version = 0;
    enum err e = database_exec(db, "BEGIN IMMEDIATE");

    if (e == OK)
        e = database_version(db, &version);
    for (; e == OK && version < (int)ARRAY_LEN(migrations); version++) {
        char done[64];
        snprintf(done, sizeof(done), "PRAGMA user_version = %d", version + 1);
        e = database_exec(db, migrations[version]);
        if (e == OK)
            e = database_exec(db, done);
    }
    return e == OK ? database_exec(db, "COMMIT") : e;
}

/* A ledger of a later weir must not be written by this one. */
static enum err database_check_version(struct database *db)
{
    int version = 0;
    enum err e = database_version(db, &version);

    if (e != OK || version == (int)ARRAY_LEN(migrations))
        return e;
    snprintf(db->message, sizeof(db->message), "its schema has version %d, this weir knows %d",
             version, (int)ARRAY_LEN(migrations));
    return WEIR_STORE;
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
    for (size_t i = 0; i < ARRAY_LEN(db->prepared); i++)
        sqlite3_finalize(db->prepared[i]);
    sqlite3_close(db->connection);
    free(db);
}

/* ---- statements ---- */

static enum err database_statement(struct database *db, enum statement which, sqlite3_stmt **out)
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

enum err database_commit(struct database *db)
{
    return database_do(db, STATEMENT_COMMIT);
}

void database_rollback(struct database *db)
{
    int code = db->code;
    char message[sizeof(db->message)];

    /* What went wrong before is what people need to read. */
    memcpy(message, db->message, sizeof(message));
    if (!sqlite3_get_autocommit(db->connection))
        IGNORE(database_do(db, STATEMENT_ROLLBACK));
    db->code = code;
    memcpy(db->message, message, sizeof(message));
}

enum err database_id_max(struct database *db, int64_t *out)
{
    sqlite3_stmt *statement = NULL;
    enum err e = database_statement(db, STATEMENT_ID_MAX, &statement);

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

/* ---- rows in ---- */

static enum err bound_finish(struct database *db, sqlite3_stmt *statement, int code)
{
    return code == SQLITE_OK ? statement_finish(db, statement) : database_failed(db, code);
}

enum err database_insert(struct database *db, const struct row_query *q)
{
    sqlite3_stmt *statement = NULL;
    enum err e = database_statement(db, STATEMENT_QUERY, &statement);

    if (e == OK)
        e = bound_finish(db, statement, rows_bind_query(statement, q));
    /* A query that was there has all its calls, too: they came in one transaction. */
    if (e != OK || sqlite3_changes(db->connection) == 0 || q->calls_len == 0)
        return e;
    e = database_statement(db, STATEMENT_CALL, &statement);
    for (size_t i = 0; e == OK && i < q->calls_len; i++)
        e = bound_finish(db, statement, rows_bind_call(statement, &q->calls[i]));
    return e;
}

/* ---- rows out ---- */

/* A merge of both tables, each in the order of its key. */
struct walk {
    struct database *db;
    const struct database_visitor *visitor;
    sqlite3_stmt *queries;
    sqlite3_stmt *calls;
    bool has_call; /* `calls` stands on a row */
    struct arena arena; /* of the calls of the current query */
    struct row_call *list;
    size_t list_cap;
};

static enum err walk_next_call(struct walk *w)
{
    int code = sqlite3_step(w->calls);

    w->has_call = code == SQLITE_ROW;
    return code == SQLITE_ROW || code == SQLITE_DONE ? OK : database_failed(w->db, code);
}

/* Calls before the query `id` belong to none. */
static enum err walk_strays(struct walk *w, int64_t id, bool is_last)
{
    enum err e = OK;

    while (e == OK && w->has_call && (is_last || sqlite3_column_int64(w->calls, 0) < id)) {
        struct row_call call = { 0 };
        rows_read_call(w->calls, &w->arena, &call);
        if (arena_failed(&w->arena))
            return WEIR_NO_MEMORY;
        if (w->visitor->on_stray)
            w->visitor->on_stray(w->visitor->ctx, &call);
        arena_fini(&w->arena);
        e = walk_next_call(w);
    }
    return e;
}

static enum err walk_calls(struct walk *w, struct row_query *q)
{
    enum err e = OK;

    while (e == OK && w->has_call && sqlite3_column_int64(w->calls, 0) == q->begin.id) {
        if (q->calls_len == w->list_cap) {
            size_t cap = w->list_cap > 0 ? w->list_cap * 2 : 16;
            struct row_call *bigger = realloc(w->list, cap * sizeof(*bigger));
            if (!bigger)
                return WEIR_NO_MEMORY;
            w->list = bigger;
            w->list_cap = cap;
        }
        memset(&w->list[q->calls_len], 0, sizeof(w->list[0]));
        rows_read_call(w->calls, &w->arena, &w->list[q->calls_len++]);
        if (arena_failed(&w->arena))
            return WEIR_NO_MEMORY;
        e = walk_next_call(w);
    }
    q->calls = w->list;
    return e;
}

static enum err walk_queries(struct walk *w, usec_utc since)
{
    int code = SQLITE_DONE;
    enum err e = walk_next_call(w);

    while (e == OK && (code = sqlite3_step(w->queries)) == SQLITE_ROW) {
        struct row_query q = { 0 };
        rows_read_query(w->queries, &q);
        e = walk_strays(w, q.begin.id, false);
        if (e == OK)
            e = walk_calls(w, &q);
        if (e == OK && q.begin.started >= since && w->visitor->on_query)
            w->visitor->on_query(w->visitor->ctx, &q);
        arena_fini(&w->arena);
    }
    if (e == OK && code != SQLITE_DONE)
        e = database_failed(w->db, code);
    return e == OK ? walk_strays(w, 0, true) : e;
}

enum err database_walk(struct database *db, usec_utc since, const struct database_visitor *visitor)
{
    struct walk w = { .db = db, .visitor = visitor };
    enum err e = database_exec(db, "BEGIN");

    if (e != OK)
        return e;
    arena_init(&w.arena, WALK_ARENA_BYTES_MAX);
    e = database_statement(db, STATEMENT_SELECT_QUERIES, &w.queries);
    if (e == OK)
        e = database_statement(db, STATEMENT_SELECT_CALLS, &w.calls);
    if (e == OK)
        e = walk_queries(&w, since);
    sqlite3_reset(w.queries); /* NULL is a no-op */
    sqlite3_reset(w.calls);
    arena_fini(&w.arena);
    free(w.list);
    database_rollback(db);
    return e;
}
