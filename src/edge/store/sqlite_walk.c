/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite_walk: the rows out: a merge of all tables, each in the order of its key.
 *
 * Each table but queries has a cursor; before a query is shown every cursor passes what belongs to no query before it (strays), then
 * gathers what is the query's.
 */
#include "edge/store/sqlite_internal.h"

#include <stdlib.h>
#include <string.h>

#define WALK_ARENA_BYTES_MAX ((size_t)256 << 20) /* the calls of one query */

/* A statement that stands on a row, or has none left. */
struct cursor {
    sqlite3_stmt *statement; /* NULL: its table is left out */
    bool has_row;
};

struct walk {
    struct database *db;
    const struct database_visitor *visitor;
    sqlite3_stmt *queries;
    struct cursor calls;
    struct cursor routes;
    struct cursor labels;
    struct arena arena; /* of what belongs to the current query */
    struct row_call *list;
    size_t list_cap;
    struct ledger_label label_list[LABEL_SOURCE_COUNT];
};

static enum err cursor_next(struct walk *w, struct cursor *c)
{
    int code = c->statement ? sqlite3_step(c->statement) : SQLITE_DONE;

    c->has_row = code == SQLITE_ROW;
    return code == SQLITE_ROW || code == SQLITE_DONE ? OK : database_failed(w->db, code);
}

/* Its row is of a query before `id`; any row is when there is none left. */
static bool cursor_is_before(const struct cursor *c, int64_t id, bool is_last)
{
    return c->has_row && (is_last || sqlite3_column_int64(c->statement, 0) < id);
}

static bool cursor_is_at(const struct cursor *c, int64_t id)
{
    return c->has_row && sqlite3_column_int64(c->statement, 0) == id;
}

/* ---- what belongs to no query ---- */

static void stray_call(struct walk *w)
{
    struct row_call call = { 0 };

    rows_read_call(w->calls.statement, &w->arena, &call);
    if (!arena_failed(&w->arena) && w->visitor->on_stray_call)
        w->visitor->on_stray_call(w->visitor->ctx, &call);
}

static void stray_route(struct walk *w)
{
    struct ledger_route route = { 0 };

    rows_read_route(w->routes.statement, &w->arena, &route);
    if (!arena_failed(&w->arena) && w->visitor->on_stray_route)
        w->visitor->on_stray_route(w->visitor->ctx, &route);
}

static void stray_label(struct walk *w)
{
    struct ledger_label label = { 0 };

    rows_read_label(w->labels.statement, &w->arena, &label);
    if (!arena_failed(&w->arena) && w->visitor->on_stray_label)
        w->visitor->on_stray_label(w->visitor->ctx, &label);
}

static enum err walk_strays(struct walk *w, int64_t id, bool is_last)
{
    const struct {
        struct cursor *cursor;
        void (*show)(struct walk *w);
    } tables[] = {
        { &w->calls, stray_call },
        { &w->routes, stray_route },
        { &w->labels, stray_label },
    };
    enum err e = OK;

    for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
        while (e == OK && cursor_is_before(tables[i].cursor, id, is_last)) {
            tables[i].show(w);
            if (arena_failed(&w->arena))
                return WEIR_NO_MEMORY;
            arena_fini(&w->arena);
            e = cursor_next(w, tables[i].cursor);
        }
    }
    return e;
}

/* ---- what belongs to one ---- */

static enum err walk_calls(struct walk *w, struct row_query *q)
{
    enum err e = OK;

    while (e == OK && cursor_is_at(&w->calls, q->begin.id)) {
        if (q->calls_len == w->list_cap) {
            size_t cap = w->list_cap > 0 ? w->list_cap * 2 : 16;
            struct row_call *bigger = realloc(w->list, cap * sizeof(*bigger));
            if (!bigger)
                return WEIR_NO_MEMORY;
            w->list = bigger;
            w->list_cap = cap;
        }
        memset(&w->list[q->calls_len], 0, sizeof(w->list[0]));
        rows_read_call(w->calls.statement, &w->arena, &w->list[q->calls_len++]);
        e = cursor_next(w, &w->calls);
    }
    q->calls = w->list;
    return e;
}

static enum err walk_route(struct walk *w, struct row_query *q)
{
    if (!cursor_is_at(&w->routes, q->begin.id))
        return OK;
    q->has_route = true;
    rows_read_route(w->routes.statement, &w->arena, &q->route);
    return cursor_next(w, &w->routes);
}

/* One of a source that this weir does not know is passed over. */
static enum err walk_labels(struct walk *w, struct row_query *q)
{
    enum err e = OK;

    while (e == OK && cursor_is_at(&w->labels, q->begin.id)) {
        struct ledger_label label;
        rows_read_label(w->labels.statement, &w->arena, &label);
        if (label.source != LABEL_SOURCE_COUNT && q->labels_len < LABEL_SOURCE_COUNT)
            w->label_list[q->labels_len++] = label;
        e = cursor_next(w, &w->labels);
    }
    q->labels = w->label_list;
    return e;
}

static enum err walk_query(struct walk *w, usec_utc since)
{
    struct row_query q = { 0 };
    enum err e;

    rows_read_query(w->queries, &q);
    e = walk_strays(w, q.begin.id, false);
    if (e == OK)
        e = walk_calls(w, &q);
    if (e == OK)
        e = walk_route(w, &q);
    if (e == OK)
        e = walk_labels(w, &q);
    if (e == OK && arena_failed(&w->arena))
        e = WEIR_NO_MEMORY;
    if (e == OK && q.begin.started >= since && w->visitor->on_query)
        w->visitor->on_query(w->visitor->ctx, &q);
    arena_fini(&w->arena);
    return e;
}

static enum err walk_all(struct walk *w, usec_utc since)
{
    int code = SQLITE_DONE;
    enum err e = cursor_next(w, &w->calls);

    if (e == OK)
        e = cursor_next(w, &w->routes);
    if (e == OK)
        e = cursor_next(w, &w->labels);
    while (e == OK && (code = sqlite3_step(w->queries)) == SQLITE_ROW)
        e = walk_query(w, since);
    if (e == OK && code != SQLITE_DONE)
        e = database_failed(w->db, code);
    return e == OK ? walk_strays(w, 0, true) : e;
}

/* A table's rows in the visitor's range of ids. */
static enum err walk_open(struct walk *w, enum statement which, sqlite3_stmt **out)
{
    bool is_whole = w->visitor->id_after == 0 && w->visitor->id_last == 0;
    sqlite3_stmt *statement = NULL;
    enum err e = database_statement(w->db, which, &statement);

    if (e != OK)
        return e;
    int code = sqlite3_bind_int64(statement, 1, is_whole ? INT64_MIN : w->visitor->id_after);
    if (code == SQLITE_OK)
        code = sqlite3_bind_int64(statement, 2, is_whole ? INT64_MAX : w->visitor->id_last);
    if (code != SQLITE_OK)
        return database_failed(w->db, code);
    *out = statement;
    return OK;
}

enum err database_walk_rows(struct database *db, usec_utc since,
                            const struct database_visitor *visitor)
{
    struct walk w = { .db = db, .visitor = visitor };
    bool is_all = visitor->scope == SCOPE_ALL;

    arena_init(&w.arena, WALK_ARENA_BYTES_MAX);
    enum err e =
        walk_open(&w, is_all ? STATEMENT_SELECT_QUERIES : STATEMENT_SELECT_SAMPLES, &w.queries);
    if (e == OK && is_all)
        e = walk_open(&w, STATEMENT_SELECT_CALLS, &w.calls.statement);
    if (e == OK)
        e = walk_open(&w, STATEMENT_SELECT_ROUTES, &w.routes.statement);
    if (e == OK)
        e = walk_open(&w, STATEMENT_SELECT_LABELS, &w.labels.statement);
    if (e == OK)
        e = walk_all(&w, since);
    sqlite3_reset(w.queries); /* NULL is a no-op */
    sqlite3_reset(w.calls.statement);
    sqlite3_reset(w.routes.statement);
    sqlite3_reset(w.labels.statement);
    arena_fini(&w.arena);
    free(w.list);
    return e;
}

enum err database_walk(struct database *db, usec_utc since, const struct database_visitor *visitor)
{
    enum err e = database_exec(db, "BEGIN");

    if (e != OK)
        return e;
    e = database_walk_rows(db, since, visitor);
    database_rollback(db);
    return e;
}
