/* SPDX-License-Identifier: Apache-2.0 */
/* control: see control.h. */
#include "edge/store/control.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define PATH_BYTES_MAX 1088
#define PATIENCE_MS 5000

/* migrations[n] takes a database from user_version n to n + 1. Never change one that was released. */
static const char *const migrations[] = {
    "CREATE TABLE documents (key TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE events ("
    " sequence INTEGER PRIMARY KEY AUTOINCREMENT,"
    " at INTEGER NOT NULL,"
    " kind TEXT NOT NULL,"
    " subject TEXT NOT NULL,"
    " text TEXT NOT NULL"
    ");"
    "CREATE INDEX events_of ON events (kind, subject, sequence);"
    "CREATE TABLE outbox ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " key TEXT NOT NULL UNIQUE,"
    " channel TEXT NOT NULL,"
    " body TEXT NOT NULL,"
    " created INTEGER NOT NULL,"
    " due INTEGER NOT NULL,"
    " attempts INTEGER NOT NULL,"
    " state INTEGER NOT NULL,"
    " error TEXT NOT NULL"
    ");"
    "CREATE INDEX outbox_pending ON outbox (state, channel, id);",

    "CREATE TABLE parts ("
    " key TEXT NOT NULL,"
    " number INTEGER NOT NULL,"
    " bytes BLOB NOT NULL,"
    " PRIMARY KEY (key, number)"
    ");",
};

enum statement {
    STATEMENT_BEGIN,
    STATEMENT_COMMIT,
    STATEMENT_PUT,
    STATEMENT_GET,
    STATEMENT_PART_PUT,
    STATEMENT_PARTS,
    STATEMENT_PARTS_FORGET,
    STATEMENT_APPEND,
    STATEMENT_EVENTS,
    STATEMENT_OUTBOX_ADD,
    STATEMENT_OUTBOX_FIRST,
    STATEMENT_OUTBOX_UPDATE,
    STATEMENT_OUTBOX_EACH,
    STATEMENT_OUTBOX_COUNT,
    STATEMENT_OUTBOX_PRUNE,
    STATEMENT_COUNT
};

#define OUTBOX_COLUMNS "id, key, channel, body, created, due, attempts, state, error"

static const char *const statements[STATEMENT_COUNT] = {
    [STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
    [STATEMENT_COMMIT] = "COMMIT",
    [STATEMENT_PUT] =
        "INSERT INTO documents VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET text = ?2",
    [STATEMENT_GET] = "SELECT text FROM documents WHERE key = ?1",
    [STATEMENT_PART_PUT] = "INSERT INTO parts VALUES (?1, ?2, ?3) "
                           "ON CONFLICT (key, number) DO UPDATE SET bytes = ?3",
    [STATEMENT_PARTS] = "SELECT number, bytes FROM parts WHERE key = ?1 ORDER BY number",
    [STATEMENT_PARTS_FORGET] =
        "DELETE FROM parts WHERE substr(key, 1, length(?1)) = ?1 AND key <> ?2",
    [STATEMENT_APPEND] = "INSERT INTO events (at, kind, subject, text) VALUES (?1, ?2, ?3, ?4)",
    [STATEMENT_EVENTS] = "SELECT sequence, at, kind, subject, text FROM events WHERE kind = ?1 AND "
                         "(?2 = '' OR subject = ?2) AND sequence > ?3 ORDER BY sequence LIMIT ?4",
    [STATEMENT_OUTBOX_ADD] =
        "INSERT INTO outbox (key, channel, body, created, due, attempts, state, error) "
        "VALUES (?1, ?2, ?3, ?4, ?5, 0, 0, '') ON CONFLICT (key) DO NOTHING",
    [STATEMENT_OUTBOX_FIRST] = "SELECT " OUTBOX_COLUMNS
                               " FROM outbox WHERE state = 0 AND channel = ?1 ORDER BY id LIMIT 1",
    [STATEMENT_OUTBOX_UPDATE] =
        "UPDATE outbox SET attempts = ?2, due = ?3, state = ?4, error = ?5 WHERE id = ?1",
    [STATEMENT_OUTBOX_EACH] =
        "SELECT " OUTBOX_COLUMNS " FROM outbox WHERE state = ?1 ORDER BY id DESC LIMIT ?2",
    [STATEMENT_OUTBOX_COUNT] = "SELECT count(*) FROM outbox WHERE state = ?1",
    [STATEMENT_OUTBOX_PRUNE] = "DELETE FROM outbox WHERE state = 1 AND created < ?1",
};

struct control_store {
    sqlite3 *connection;
    sqlite3_stmt *prepared[STATEMENT_COUNT];
    int code; /* of the last failure */
    char message[200];
    int patience_ms;
    bool has_failed; /* the newest failure is newer than the newest write */
};

static enum err failed(struct control_store *s)
{
    s->code = sqlite3_errcode(s->connection);
    snprintf(s->message, sizeof(s->message), "%s", sqlite3_errmsg(s->connection));
    s->has_failed = true;
    return WEIR_STORE;
}

bool control_is_locked(const struct control_store *s)
{
    return s->code == SQLITE_BUSY || s->code == SQLITE_LOCKED;
}

void control_set_patience(struct control_store *s, int milliseconds)
{
    s->patience_ms = milliseconds;
    sqlite3_busy_timeout(s->connection, milliseconds);
}

const char *control_message(const struct control_store *s)
{
    return s->message;
}

static enum err exec(struct control_store *s, const char *sql)
{
    return sqlite3_exec(s->connection, sql, NULL, NULL, NULL) == SQLITE_OK ? OK : failed(s);
}

/* ---- opening ---- */

static enum err version_read(struct control_store *s, int *out)
{
    sqlite3_stmt *statement = NULL;
    enum err e = OK;

    if (sqlite3_prepare_v2(s->connection, "PRAGMA user_version", -1, &statement, NULL) !=
            SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW)
        e = failed(s);
    else
        *out = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return e;
}

static enum err migrate(struct control_store *s)
{
    int version = 0;
    enum err e = exec(s, "BEGIN IMMEDIATE");

    if (e == OK)
        e = version_read(s, &version);
    for (; e == OK && version < (int)ARRAY_LEN(migrations); version++) {
        char done[64];
        snprintf(done, sizeof(done), "PRAGMA user_version = %d", version + 1);
        e = exec(s, migrations[version]);
        if (e == OK)
            e = exec(s, done);
    }
    return e == OK ? exec(s, "COMMIT") : e;
}

static enum err names_check(struct control_store *s, const char *path)
{
    struct stat info;

    if (stat(path, &info) != 0 || info.st_nlink <= 1)
        return OK;
    snprintf(
        s->message, sizeof(s->message),
        "it has %lu names (hard links): remove all but the one in the directory that is served",
        (unsigned long)info.st_nlink);
    return WEIR_STORE;
}

static enum err setup(struct control_store *s, const char *path, enum control_mode mode)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    int version = 0;

    if (names_check(s, path) != OK)
        return WEIR_STORE;
    if (mode == CONTROL_WRITE)
        flags |= SQLITE_OPEN_CREATE;
    if (sqlite3_open_v2(path, &s->connection, flags, NULL) != SQLITE_OK)
        return failed(s);
    control_set_patience(s, PATIENCE_MS);
    enum err e = exec(s, "PRAGMA cache_size = -512; PRAGMA temp_store = MEMORY;");
    if (e == OK && mode == CONTROL_READ)
        e = exec(s, "PRAGMA query_only = 1");
    if (e == OK && mode == CONTROL_WRITE) {
        IGNORE(chmod(path, 0600));
        e = exec(s, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
    }
    if (e == OK && mode == CONTROL_WRITE)
        e = migrate(s);
    if (e == OK)
        e = version_read(s, &version);
    if (e == OK && version != (int)ARRAY_LEN(migrations)) {
        snprintf(s->message, sizeof(s->message), "its schema has version %d, this weir knows %d",
                 version, (int)ARRAY_LEN(migrations));
        e = WEIR_STORE;
    }
    return e;
}

enum err control_open(struct control_store **out, str directory, enum control_mode mode,
                      char out_why[256])
{
    struct control_store *s = calloc(1, sizeof(*s));
    char path[PATH_BYTES_MAX];

    if (!s) {
        snprintf(out_why, 256, "out of memory");
        return WEIR_NO_MEMORY;
    }
    int length = snprintf(path, sizeof(path), "%.*s/control.db", STR_ARG(directory));
    enum err e = length < (int)sizeof(path) ? setup(s, path, mode) : WEIR_STORE;
    if (e != OK) {
        snprintf(out_why, 256, "control.db: %s",
                 s->message[0] ? s->message : "its path is too long");
        control_close(s);
        return e;
    }
    *out = s;
    return OK;
}

void control_close(struct control_store *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < ARRAY_LEN(s->prepared); i++)
        sqlite3_finalize(s->prepared[i]);
    sqlite3_close(s->connection);
    free(s);
}

/* ---- statements ---- */

/* A statement with its parameters bound: 't' str, 'b' a str of any bytes, 'i' int64_t. NULL: it failed, and why is kept. */
static sqlite3_stmt *bound(struct control_store *s, enum statement which, const char *types, ...)
{
    sqlite3_stmt **statement = &s->prepared[which];
    int code = SQLITE_OK;
    va_list args;

    if (!*statement)
        code = sqlite3_prepare_v3(s->connection, statements[which], -1, SQLITE_PREPARE_PERSISTENT,
                                  statement, NULL);
    va_start(args, types);
    for (int i = 0; code == SQLITE_OK && types[i]; i++) {
        if (types[i] == 'i') {
            code = sqlite3_bind_int64(*statement, i + 1, va_arg(args, int64_t));
        } else if (types[i] == 'b') {
            str bytes = va_arg(args, str);
            code = sqlite3_bind_blob64(*statement, i + 1, bytes.len > 0 ? bytes.ptr : "", bytes.len,
                                       SQLITE_STATIC);
        } else {
            str text = va_arg(args, str);
            code = sqlite3_bind_text64(*statement, i + 1, text.len > 0 ? text.ptr : "", text.len,
                                       SQLITE_STATIC, SQLITE_UTF8);
        }
    }
    va_end(args);
    if (code == SQLITE_OK)
        return *statement;
    IGNORE(failed(s));
    return NULL;
}

static void release(sqlite3_stmt *statement)
{
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
}

/* Steps a statement that gives no rows. */
static enum err finish(struct control_store *s, sqlite3_stmt *statement)
{
    if (!statement)
        return WEIR_STORE;
    enum err e = sqlite3_step(statement) == SQLITE_DONE ? OK : failed(s);
    release(statement);
    if (e == OK && sqlite3_get_autocommit(s->connection))
        s->has_failed = false; /* it is on the disk */
    return e;
}

static str column(sqlite3_stmt *statement, int i)
{
    const char *text = (const char *)sqlite3_column_text(statement, i);

    return (str){ text, text ? (size_t)sqlite3_column_bytes(statement, i) : 0 };
}

enum err control_begin(struct control_store *s)
{
    return finish(s, bound(s, STATEMENT_BEGIN, ""));
}

enum err control_commit(struct control_store *s)
{
    return finish(s, bound(s, STATEMENT_COMMIT, ""));
}

void control_rollback(struct control_store *s)
{
    if (!sqlite3_get_autocommit(s->connection))
        IGNORE(sqlite3_exec(s->connection, "ROLLBACK", NULL, NULL, NULL));
}

enum err control_probe(struct control_store *s)
{
    bool has_failed = s->has_failed;
    enum err e;

    assert(sqlite3_get_autocommit(s->connection));
    sqlite3_busy_timeout(s->connection, 0);
    if (has_failed) {
        e = control_put(s, STR("probe"), STR("{}"));
    } else {
        e = control_begin(s);
        control_rollback(s);
    }
    bool is_busy = e != OK && (sqlite3_errcode(s->connection) & 0xff) == SQLITE_BUSY;
    sqlite3_busy_timeout(s->connection, s->patience_ms);
    if (!is_busy || has_failed)
        return e;
    s->has_failed = false; /* somebody else writes: so can we, in a moment */
    return OK;
}

/* ---- documents ---- */

enum err control_put(struct control_store *s, str key, str text)
{
    return finish(s, bound(s, STATEMENT_PUT, "tt", key, text));
}

enum err control_get(struct control_store *s, str key, struct buf *out, bool *out_found)
{
    sqlite3_stmt *statement = bound(s, STATEMENT_GET, "t", key);

    if (!statement)
        return WEIR_STORE;
    int code = sqlite3_step(statement);
    enum err e = code == SQLITE_ROW || code == SQLITE_DONE ? OK : failed(s);
    if (code == SQLITE_ROW)
        buf_add(out, column(statement, 0));
    if (e == OK && out->failed)
        e = WEIR_NO_MEMORY;
    if (e == OK)
        *out_found = code == SQLITE_ROW;
    release(statement);
    return e;
}

/* ---- parts ---- */

enum err control_part_put(struct control_store *s, str key, int64_t number, str bytes)
{
    return finish(s, bound(s, STATEMENT_PART_PUT, "tib", key, number, bytes));
}

enum err control_parts(struct control_store *s, str key,
                       void (*on_part)(void *ctx, int64_t number, str bytes), void *ctx)
{
    sqlite3_stmt *statement = bound(s, STATEMENT_PARTS, "t", key);
    int code = SQLITE_DONE;

    if (!statement)
        return WEIR_STORE;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        const char *bytes = sqlite3_column_blob(statement, 1);
        size_t len = (size_t)sqlite3_column_bytes(statement, 1);
        on_part(ctx, sqlite3_column_int64(statement, 0), (str){ bytes, len });
    }
    enum err e = code == SQLITE_DONE ? OK : failed(s);
    release(statement);
    return e;
}

enum err control_parts_forget(struct control_store *s, str prefix, str keep)
{
    return finish(s, bound(s, STATEMENT_PARTS_FORGET, "tt", prefix, keep));
}

/* ---- events ---- */

enum err control_append(struct control_store *s, const struct control_event *event,
                        int64_t *out_sequence)
{
    enum err e = finish(
        s, bound(s, STATEMENT_APPEND, "ittt", event->at, event->kind, event->subject, event->text));

    if (e == OK)
        *out_sequence = sqlite3_last_insert_rowid(s->connection);
    return e;
}

enum err control_events(struct control_store *s, str kind, str subject, int64_t after, int64_t max,
                        void (*on_event)(void *ctx, const struct control_event *event), void *ctx)
{
    sqlite3_stmt *statement = bound(s, STATEMENT_EVENTS, "ttii", kind, subject, after, max);
    int code = SQLITE_DONE;

    if (!statement)
        return WEIR_STORE;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        struct control_event event = { .sequence = sqlite3_column_int64(statement, 0),
                                       .at = sqlite3_column_int64(statement, 1),
                                       .kind = column(statement, 2),
                                       .subject = column(statement, 3),
                                       .text = column(statement, 4) };
        on_event(ctx, &event);
    }
    enum err e = code == SQLITE_DONE ? OK : failed(s);
    release(statement);
    return e;
}

/* ---- the outbox ---- */

static struct outbox_message message_of(sqlite3_stmt *statement)
{
    return (struct outbox_message){ .id = sqlite3_column_int64(statement, 0),
                                    .key = column(statement, 1),
                                    .channel = column(statement, 2),
                                    .body = column(statement, 3),
                                    .created = sqlite3_column_int64(statement, 4),
                                    .due = sqlite3_column_int64(statement, 5),
                                    .attempts = sqlite3_column_int64(statement, 6),
                                    .state = (enum outbox_state)sqlite3_column_int(statement, 7),
                                    .error = column(statement, 8) };
}

enum err outbox_add(struct control_store *s, const struct outbox_message *message)
{
    return finish(s, bound(s, STATEMENT_OUTBOX_ADD, "tttii", message->key, message->channel,
                           message->body, message->created, message->due));
}

/* Moves the message's texts into the space, which may move while it grows: hence all first, then the pointers. */
static enum err message_keep(struct outbox_message *m, struct buf *space)
{
    str *const texts[] = { &m->key, &m->channel, &m->body, &m->error };
    size_t at = space->len;

    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        buf_add(space, *texts[i]);
    if (space->failed)
        return WEIR_NO_MEMORY;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        texts[i]->ptr = space->ptr + at;
        at += texts[i]->len;
    }
    return OK;
}

enum err outbox_first(struct control_store *s, str channel, struct outbox_message *out,
                      struct buf *space, bool *out_found)
{
    sqlite3_stmt *statement = bound(s, STATEMENT_OUTBOX_FIRST, "t", channel);
    struct outbox_message message = { 0 };

    if (!statement)
        return WEIR_STORE;
    int code = sqlite3_step(statement);
    enum err e = code == SQLITE_ROW || code == SQLITE_DONE ? OK : failed(s);
    if (code == SQLITE_ROW) {
        message = message_of(statement);
        e = message_keep(&message, space);
    }
    release(statement);
    if (e != OK)
        return e;
    *out = message;
    *out_found = code == SQLITE_ROW;
    return OK;
}

enum err outbox_update(struct control_store *s, const struct outbox_message *message)
{
    return finish(s, bound(s, STATEMENT_OUTBOX_UPDATE, "iiiit", message->id, message->attempts,
                           message->due, (int64_t)message->state, message->error));
}

enum err outbox_each(struct control_store *s, enum outbox_state state, int64_t max,
                     void (*on_message)(void *ctx, const struct outbox_message *message), void *ctx)
{
    sqlite3_stmt *statement = bound(s, STATEMENT_OUTBOX_EACH, "ii", (int64_t)state, max);
    int code = SQLITE_DONE;

    if (!statement)
        return WEIR_STORE;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        struct outbox_message message = message_of(statement);
        on_message(ctx, &message);
    }
    enum err e = code == SQLITE_DONE ? OK : failed(s);
    release(statement);
    return e;
}

enum err outbox_count(struct control_store *s, enum outbox_state state, int64_t *out)
{
    sqlite3_stmt *statement = bound(s, STATEMENT_OUTBOX_COUNT, "i", (int64_t)state);

    if (!statement)
        return WEIR_STORE;
    enum err e = sqlite3_step(statement) == SQLITE_ROW ? OK : failed(s);
    if (e == OK)
        *out = sqlite3_column_int64(statement, 0);
    release(statement);
    return e;
}

enum err outbox_prune(struct control_store *s, usec_utc before)
{
    return finish(s, bound(s, STATEMENT_OUTBOX_PRUNE, "i", before));
}
