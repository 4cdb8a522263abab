/* SPDX-License-Identifier: Apache-2.0 */
/*
 * browse: pages of queries, and one query. Ids grow with time, so a page is read backwards from an id, without an index beside the
 * primary key; what a filter leaves out is passed over here, up to a bound.
 */
#include "edge/store/browse_internal.h"

#include <stdlib.h>

#define QUERY_ARENA_BYTES_MAX ((size_t)64 << 20) /* the calls of one query */

static const char sql_page[] = "SELECT * FROM queries WHERE id < ?1 AND id >= ?2 ORDER BY id DESC";
static const char sql_query[] = "SELECT * FROM queries WHERE id = ?1";
static const char sql_calls[] = "SELECT * FROM calls WHERE query_id = ?1 ORDER BY number";
static const char sql_route[] = "SELECT * FROM routes WHERE query_id = ?1";
static const char sql_labels[] = "SELECT * FROM labels WHERE query_id = ?1 ORDER BY source";

/* ---- the connection ---- */

enum err browser_open(struct browser **out, str directory, char out_why[256])
{
    struct browser *b = calloc(1, sizeof(*b));

    if (!b)
        return WEIR_NO_MEMORY;
    enum err e = database_open(&b->db, directory, DATABASE_READ, false, out_why);
    if (e != OK)
        free(b);
    else
        *out = b;
    return e;
}

void browser_close(struct browser *b)
{
    if (!b)
        return;
    database_close(b->db);
    free(b);
}

void browser_interrupt(struct browser *b)
{
    sqlite3_interrupt(b->db->connection);
}

const char *browser_message(const struct browser *b)
{
    return database_message(b->db);
}

/* ---- a page ---- */

static bool has_part(str name, str part)
{
    return part.len == 0 || str_find_nocase(name, part) != STR_NPOS;
}

static bool is_wanted(const struct browse_filter *f, const struct row_query *q)
{
    bool is_success = q->end.fault == OK;

    if (q->begin.started < f->since || (f->outcome == BROWSE_SUCCEEDED && !is_success) ||
        (f->outcome == BROWSE_FAILED && is_success))
        return false;
    return (has_part(q->end.model, f->model) || has_part(q->begin.requested_model, f->model)) &&
           has_part(q->begin.domain, f->domain) && has_part(q->begin.strategy, f->strategy) &&
           has_part(q->begin.tenant, f->tenant) && has_part(q->begin.arm, f->arm) &&
           has_part(str_from(err_info(q->end.fault)->name), f->fault);
}

static enum err page_read(struct browser *b, sqlite3_stmt *statement,
                          const struct browse_filter *filter, struct buf *out,
                          struct browse_page *page)
{
    int64_t passed = 0;
    int code;

    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        struct row_query q = { .calls = NULL };
        rows_read_query(statement, &q);
        page->is_cut = passed++ == BROWSE_ROWS_MAX;
        if (page->count == filter->limit || page->is_cut)
            return OK; /* `next` is the last that was looked at, and there is more */
        page->next = q.begin.id;
        if (!is_wanted(filter, &q))
            continue;
        if (page->count++ > 0)
            buf_add_char(out, ',');
        buf_add_char(out, '{');
        export_query_members(out, &q);
        buf_add_char(out, '}');
    }
    page->next = 0;
    return code == SQLITE_DONE ? OK : database_failed(b->db, code);
}

enum err browse_queries(struct browser *b, const struct browse_filter *filter, struct buf *out,
                        struct browse_page *out_page)
{
    const int64_t values[] = { filter->before > 0 ? filter->before : INT64_MAX,
                               ledger_id_floor(filter->since) };
    struct browse_page page = { 0 };
    sqlite3_stmt *statement = NULL;
    enum err e = database_prepare(b->db, sql_page, values, ARRAY_LEN(values), &statement);

    assert(filter->limit > 0 && filter->limit <= BROWSE_LIMIT_MAX);
    if (e == OK)
        e = page_read(b, statement, filter, out, &page);
    sqlite3_finalize(statement);
    if (e == OK && out->failed)
        e = WEIR_NO_MEMORY;
    if (e == OK)
        *out_page = page;
    return e;
}

/* ---- one query ---- */

struct whole {
    struct browser *b;
    struct arena arena;
    struct row_query row;
    struct row_call *calls;
    size_t cap;
    struct ledger_label labels[LABEL_SOURCE_COUNT];
};

static enum err calls_take(struct whole *w, sqlite3_stmt *statement)
{
    struct row_query *q = &w->row;

    if (q->calls_len == w->cap) {
        size_t cap = w->cap > 0 ? 2 * w->cap : 16;
        struct row_call *wider = realloc(w->calls, cap * sizeof(*wider));
        if (!wider)
            return WEIR_NO_MEMORY;
        w->calls = wider;
        w->cap = cap;
    }
    w->calls[q->calls_len] = (struct row_call){ .is_done = false };
    rows_read_call(statement, &w->arena, &w->calls[q->calls_len++]);
    q->calls = w->calls;
    return OK;
}

static enum err route_take(struct whole *w, sqlite3_stmt *statement)
{
    w->row.has_route = true;
    rows_read_route(statement, &w->arena, &w->row.route);
    return OK;
}

static enum err label_take(struct whole *w, sqlite3_stmt *statement)
{
    struct ledger_label label;

    rows_read_label(statement, &w->arena, &label);
    if (label.source != LABEL_SOURCE_COUNT && w->row.labels_len < LABEL_SOURCE_COUNT)
        w->labels[w->row.labels_len++] = label;
    w->row.labels = w->labels;
    return OK;
}

static enum err part_read(struct whole *w, const char *sql,
                          enum err (*take)(struct whole *w, sqlite3_stmt *statement))
{
    sqlite3_stmt *statement = NULL;
    int code = SQLITE_DONE;
    enum err e = database_prepare(w->b->db, sql, &w->row.begin.id, 1, &statement);

    while (e == OK && (code = sqlite3_step(statement)) == SQLITE_ROW)
        e = take(w, statement);
    if (e == OK && code != SQLITE_DONE)
        e = database_failed(w->b->db, code);
    if (e == OK && arena_failed(&w->arena))
        e = WEIR_NO_MEMORY;
    sqlite3_finalize(statement);
    return e;
}

/* The statement stands on the query's row while the rest is read: its texts are the row's. */
static enum err whole_read(struct whole *w, sqlite3_stmt *statement, struct buf *out)
{
    rows_read_query(statement, &w->row);
    enum err e = part_read(w, sql_calls, calls_take);

    if (e == OK)
        e = part_read(w, sql_route, route_take);
    if (e == OK)
        e = part_read(w, sql_labels, label_take);
    if (e == OK)
        export_query_write(out, &w->row);
    return e == OK && out->failed ? WEIR_NO_MEMORY : e;
}

enum err browse_query(struct browser *b, int64_t id, struct buf *out, bool *out_found)
{
    struct whole w = { .b = b };
    sqlite3_stmt *statement = NULL;
    int code = SQLITE_DONE;
    enum err e = database_prepare(b->db, sql_query, &id, 1, &statement);

    arena_init(&w.arena, QUERY_ARENA_BYTES_MAX);
    if (e == OK) {
        code = sqlite3_step(statement);
        if (code == SQLITE_ROW)
            e = whole_read(&w, statement, out);
        else if (code != SQLITE_DONE)
            e = database_failed(b->db, code);
    }
    sqlite3_finalize(statement);
    free(w.calls);
    arena_fini(&w.arena);
    if (e == OK)
        *out_found = code == SQLITE_ROW;
    return e;
}
