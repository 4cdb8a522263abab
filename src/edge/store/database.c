/* SPDX-License-Identifier: Apache-2.0 */
/* database: the ledger's SQLite file: schema, inserts, checks, export. */
#include "edge/store/store_internal.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json/json.h"

#define SCHEMA_VERSION 1

/* Costs are NULL where a price is not known. Rows are appended in the order of time, so neither table needs an index. */
static const char schema[] = "CREATE TABLE queries("
                             " id INTEGER PRIMARY KEY, started_us INTEGER NOT NULL, tenant TEXT, "
                             "domain TEXT, requested_model TEXT, strategy TEXT,"
                             " arm TEXT, stream INTEGER, model TEXT, result TEXT NOT NULL, "
                             "http_status INTEGER, truncated INTEGER,"
                             " hrm_confidence REAL, trm_confidence REAL, confidence REAL, calls "
                             "INTEGER NOT NULL, input_tokens INTEGER NOT NULL,"
                             " output_tokens INTEGER NOT NULL, cached_tokens INTEGER NOT NULL, "
                             "cost_nano_usd INTEGER, latency_us INTEGER);"
                             "CREATE TABLE calls("
                             " query_id INTEGER NOT NULL, number INTEGER NOT NULL, role TEXT, "
                             "model TEXT, provider TEXT, result TEXT NOT NULL,"
                             " http_status INTEGER, attempts INTEGER, input_tokens INTEGER, "
                             "output_tokens INTEGER, cached_tokens INTEGER,"
                             " cache_write_tokens INTEGER, reasoning_tokens INTEGER, estimated "
                             "INTEGER, simulated INTEGER, cost_nano_usd INTEGER,"
                             " reserved_nano_usd INTEGER, price_input INTEGER, price_output "
                             "INTEGER, price_cached INTEGER, latency_us INTEGER,"
                             " first_byte_us INTEGER, PRIMARY KEY(query_id, number)) WITHOUT ROWID;"
                             "PRAGMA user_version = 1;";

static const char insert_query[] =
    "INSERT OR IGNORE INTO queries "
    "VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20,?21)";
static const char insert_call[] =
    "INSERT OR IGNORE INTO calls "
    "VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20,?21,?22)";

struct database {
    sqlite3 *handle;
    sqlite3_stmt *insert_query;
    sqlite3_stmt *insert_call;
};

static enum err say(struct database *d, char why[256])
{
    snprintf(why, 256, "%s", sqlite3_errmsg(d->handle));
    return WEIR_STORE;
}

static enum err execute(struct database *d, const char *sql)
{
    return sqlite3_exec(d->handle, sql, NULL, NULL, NULL) == SQLITE_OK ? OK : WEIR_STORE;
}

static int64_t integer_of(struct database *d, const char *sql)
{
    sqlite3_stmt *s = NULL;
    int64_t value = 0;

    if (sqlite3_prepare_v2(d->handle, sql, -1, &s, NULL) == SQLITE_OK &&
        sqlite3_step(s) == SQLITE_ROW)
        value = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return value;
}

static enum err migrate(struct database *d, char why[256])
{
    int64_t version = integer_of(d, "PRAGMA user_version");

    if (version > SCHEMA_VERSION) {
        snprintf(why, 256, "the ledger was written by a newer weir (schema %" PRId64 ")", version);
        return WEIR_STORE;
    }
    if (version == SCHEMA_VERSION)
        return OK;
    if (execute(d, "BEGIN IMMEDIATE") != OK || execute(d, schema) != OK ||
        execute(d, "COMMIT") != OK)
        return say(d, why);
    return OK;
}

static enum err prepare(struct database *d, bool sync_power, char why[256])
{
    enum err e = execute(
        d, sync_power ? "PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;PRAGMA cache_size=-1024;"
                        "PRAGMA wal_autocheckpoint=2000;PRAGMA journal_size_limit=16777216"
                      : "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;PRAGMA cache_size=-1024;"
                        "PRAGMA wal_autocheckpoint=2000;PRAGMA journal_size_limit=16777216");
    if (e != OK)
        return say(d, why);
    e = migrate(d, why);
    if (e != OK)
        return e;
    if (sqlite3_prepare_v3(d->handle, insert_query, -1, SQLITE_PREPARE_PERSISTENT, &d->insert_query,
                           NULL) != SQLITE_OK ||
        sqlite3_prepare_v3(d->handle, insert_call, -1, SQLITE_PREPARE_PERSISTENT, &d->insert_call,
                           NULL) != SQLITE_OK)
        return say(d, why);
    return OK;
}

enum err database_open(struct database **out, str directory, bool sync_power, bool read_only,
                       char why[256])
{
    struct database *d = calloc(1, sizeof(*d));
    struct buf path = { 0 };

    if (!d)
        return WEIR_NO_MEMORY;
    buf_add(&path, directory);
    buf_add(&path, STR("/ledger.db"));
    int flags = read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    int opened = sqlite3_open_v2(buf_cstr(&path), &d->handle, flags | SQLITE_OPEN_NOMUTEX, NULL);
    buf_fini(&path);
    enum err e = OK;
    if (opened != SQLITE_OK) {
        e = say(d, why);
    } else {
        sqlite3_busy_timeout(d->handle, read_only ? 5000 : 1000);
        if (!read_only)
            e = prepare(d, sync_power, why);
    }
    if (e != OK) {
        database_close(d);
        return e;
    }
    *out = d;
    return OK;
}

void database_close(struct database *d)
{
    if (!d)
        return;
    sqlite3_finalize(d->insert_query);
    sqlite3_finalize(d->insert_call);
    sqlite3_close(d->handle);
    free(d);
}

enum err database_begin(struct database *d)
{
    return execute(d, "BEGIN IMMEDIATE");
}

enum err database_commit(struct database *d)
{
    return execute(d, "COMMIT");
}

void database_rollback(struct database *d)
{
    IGNORE(execute(d, "ROLLBACK"));
}

int64_t database_last_id(struct database *d)
{
    return integer_of(d, "SELECT max(id) FROM queries");
}

/* ---- inserting ---- */

/* Binds in order; parameter n counts itself. */
struct binder {
    sqlite3_stmt *statement;
    int n;
};

static void bind_integer(struct binder *b, int64_t v)
{
    sqlite3_bind_int64(b->statement, ++b->n, v);
}

static void bind_text(struct binder *b, str s)
{
    sqlite3_bind_text(b->statement, ++b->n, s.ptr ? s.ptr : "", (int)s.len, SQLITE_STATIC);
}

static void bind_cost(struct binder *b, nano_usd cost)
{
    b->n++;
    if (cost == COST_UNPRICED)
        sqlite3_bind_null(b->statement, b->n);
    else
        sqlite3_bind_int64(b->statement, b->n, cost);
}

static void bind_confidence(struct binder *b, double v)
{
    b->n++;
    if (v >= 0)
        sqlite3_bind_double(b->statement, b->n, v);
    else
        sqlite3_bind_null(b->statement, b->n);
}

static enum err run(sqlite3_stmt *s)
{
    int result = sqlite3_step(s);

    sqlite3_reset(s);
    return result == SQLITE_DONE ? OK : WEIR_STORE;
}

static enum err insert_call_row(struct database *d, const struct imported_call *c)
{
    struct binder b = { d->insert_call, 0 };
    const struct ledger_call_end *e = &c->end;

    bind_integer(&b, c->begin.query);
    bind_integer(&b, c->begin.number);
    bind_text(&b, c->begin.role);
    bind_text(&b, c->begin.model);
    bind_text(&b, c->begin.provider);
    bind_text(&b, str_from(err_info(e->fault)->name));
    bind_integer(&b, e->http_status);
    bind_integer(&b, e->attempts);
    bind_integer(&b, e->usage.input);
    bind_integer(&b, e->usage.output);
    bind_integer(&b, e->usage.cached);
    bind_integer(&b, e->usage.cache_write);
    bind_integer(&b, e->usage.reasoning);
    bind_integer(&b, e->usage.is_estimated);
    bind_integer(&b, e->is_simulated);
    bind_cost(&b, e->cost);
    bind_cost(&b, c->begin.reserved);
    bind_integer(&b, e->price_input);
    bind_integer(&b, e->price_output);
    bind_integer(&b, e->price_cached);
    bind_integer(&b, e->latency_us);
    bind_integer(&b, e->first_byte_us);
    return run(d->insert_call);
}

static void call_sums(const struct imported *q, struct usage *out_usage, nano_usd *out_cost)
{
    *out_usage = (struct usage){ 0 };
    *out_cost = 0;
    for (uint32_t i = 0; i < q->call_count; i++) {
        usage_add(out_usage, &q->calls[i].end.usage);
        *out_cost = cost_add(*out_cost, q->calls[i].end.cost);
    }
}

enum err database_insert(struct database *d, const struct imported *q)
{
    struct binder b = { d->insert_query, 0 };
    struct usage usage;
    nano_usd cost;

    call_sums(q, &usage, &cost);
    bind_integer(&b, q->begin.id);
    bind_integer(&b, q->begin.started);
    bind_text(&b, q->begin.tenant);
    bind_text(&b, q->begin.domain);
    bind_text(&b, q->begin.requested_model);
    bind_text(&b, q->begin.strategy);
    bind_text(&b, q->begin.arm);
    bind_integer(&b, q->begin.is_stream);
    bind_text(&b, q->end.model);
    bind_text(&b, str_from(err_info(q->end.fault)->name));
    bind_integer(&b, q->end.http_status);
    bind_integer(&b, q->end.is_truncated);
    bind_confidence(&b, q->end.hrm_confidence);
    bind_confidence(&b, q->end.trm_confidence);
    bind_confidence(&b, q->end.confidence);
    bind_integer(&b, q->call_count);
    bind_integer(&b, usage.input);
    bind_integer(&b, usage.output);
    bind_integer(&b, usage.cached);
    bind_cost(&b, cost);
    bind_integer(&b, q->end.latency_us);
    enum err e = run(d->insert_query);
    for (uint32_t i = 0; e == OK && i < q->call_count; i++)
        e = insert_call_row(d, &q->calls[i]);
    return e;
}

/* ---- checking ---- */

/* clang-format off */
static const char *const mismatches[] = {
    "SELECT 'query ' || q.id || ' says ' || q.calls || ' calls and has ' || (SELECT count(*) FROM calls c WHERE c.query_id = q.id)"
    " FROM queries q WHERE q.calls != (SELECT count(*) FROM calls c WHERE c.query_id = q.id)",
    "SELECT 'query ' || q.id || ' costs ' || coalesce(q.cost_nano_usd, 'unpriced') || ' and its calls cost ' || coalesce(s.total, 'unpriced')"
    " FROM queries q JOIN (SELECT query_id, CASE WHEN count(*) = count(cost_nano_usd) THEN sum(cost_nano_usd) END AS total"
    " FROM calls GROUP BY query_id) s ON s.query_id = q.id WHERE q.cost_nano_usd IS NOT s.total",
    "SELECT 'query ' || id || ' has no call and a cost of ' || cost_nano_usd FROM queries WHERE calls = 0 AND cost_nano_usd != 0",
    "SELECT 'call ' || query_id || '.' || number || ' costs ' || coalesce(cost_nano_usd, 'unpriced') || ', not its tokens times its prices'"
    " FROM calls WHERE result != 'WEIR_INTERRUPTED' AND cache_write_tokens = 0 AND (CASE WHEN price_input < 0 THEN cost_nano_usd IS NOT NULL ELSE"
    " cost_nano_usd IS NOT (input_tokens - cached_tokens) * price_input + output_tokens * price_output"
    " + cached_tokens * (CASE WHEN price_cached < 0 THEN price_input ELSE price_cached END) END)",
    "SELECT 'call ' || query_id || '.' || number || ' belongs to no query' FROM calls WHERE query_id NOT IN (SELECT id FROM queries)",
};
/* clang-format on */

static enum err report_rows(struct database *d, const char *sql, struct ledger_check *out,
                            void (*on_mismatch)(void *ctx, str sentence), void *ctx)
{
    sqlite3_stmt *s = NULL;

    if (sqlite3_prepare_v2(d->handle, sql, -1, &s, NULL) != SQLITE_OK)
        return WEIR_STORE;
    int step;
    while ((step = sqlite3_step(s)) == SQLITE_ROW) {
        out->mismatches++;
        on_mismatch(ctx, (str){ (const char *)sqlite3_column_text(s, 0),
                                (size_t)sqlite3_column_bytes(s, 0) });
    }
    sqlite3_finalize(s);
    return step == SQLITE_DONE ? OK : WEIR_STORE;
}

enum err database_verify(struct database *d, struct ledger_check *out,
                         void (*on_mismatch)(void *ctx, str sentence), void *ctx)
{
    struct ledger_check check = { 0 };

    check.rows = integer_of(d, "SELECT count(*) FROM queries");
    check.calls = integer_of(d, "SELECT count(*) FROM calls");
    check.interrupted =
        integer_of(d, "SELECT count(*) FROM queries WHERE result = 'WEIR_INTERRUPTED'");
    check.unpriced = integer_of(d, "SELECT count(*) FROM calls WHERE cost_nano_usd IS NULL");
    check.sum_nano_usd = integer_of(d, "SELECT coalesce(sum(cost_nano_usd), 0) FROM calls");
    for (size_t i = 0; i < ARRAY_LEN(mismatches); i++) {
        enum err e = report_rows(d, mismatches[i], &check, on_mismatch, ctx);
        if (e != OK)
            return e;
    }
    *out = check;
    return OK;
}

/* ---- export ---- */

/* One member per column of the row, under the column's name. */
static void write_columns(struct buf *out, sqlite3_stmt *s, int first)
{
    char id[20];

    for (int i = first; i < sqlite3_column_count(s); i++) {
        const char *name = sqlite3_column_name(s, i);
        if (strcmp(name, "id") == 0) {
            json_member_str(out, name, ledger_id_format(sqlite3_column_int64(s, i), id));
            continue;
        }
        switch (sqlite3_column_type(s, i)) {
        case SQLITE_INTEGER:
            json_member_i64(out, name, sqlite3_column_int64(s, i));
            break;
        case SQLITE_FLOAT:
            json_member_double(out, name, sqlite3_column_double(s, i));
            break;
        case SQLITE_TEXT:
            json_member_str(out, name,
                            (str){ (const char *)sqlite3_column_text(s, i),
                                   (size_t)sqlite3_column_bytes(s, i) });
            break;
        default:
            json_key(out, name);
            buf_add(out, STR("null"));
            break;
        }
    }
}

static void write_calls(struct buf *out, sqlite3_stmt *calls, int64_t id)
{
    json_key(out, "calls");
    buf_add_char(out, '[');
    sqlite3_bind_int64(calls, 1, id);
    for (bool is_first = true; sqlite3_step(calls) == SQLITE_ROW; is_first = false) {
        buf_add(out, is_first ? STR("{") : STR(",{"));
        write_columns(out, calls, 1);
        buf_add_char(out, '}');
    }
    sqlite3_reset(calls);
    buf_add_char(out, ']');
}

enum err database_export(struct database *d, usec_utc since, void (*on_line)(void *ctx, str line),
                         void *ctx)
{
    sqlite3_stmt *queries = NULL, *calls = NULL;
    struct buf line = { 0 };
    int step = SQLITE_ERROR;

    if (sqlite3_prepare_v2(d->handle,
                           "SELECT id, started_us, tenant, domain, requested_model, strategy, arm, "
                           "stream, model, result, http_status,"
                           " truncated, hrm_confidence, trm_confidence, confidence, calls AS "
                           "call_count, input_tokens, output_tokens,"
                           " cached_tokens, cost_nano_usd, latency_us FROM queries WHERE "
                           "started_us >= ?1 ORDER BY id",
                           -1, &queries, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(d->handle, "SELECT * FROM calls WHERE query_id = ?1 ORDER BY number", -1,
                           &calls, NULL) == SQLITE_OK) {
        sqlite3_bind_int64(queries, 1, since);
        while ((step = sqlite3_step(queries)) == SQLITE_ROW) {
            buf_reset(&line);
            buf_add_char(&line, '{');
            write_columns(&line, queries, 0);
            write_calls(&line, calls, sqlite3_column_int64(queries, 0));
            buf_add_char(&line, '}');
            on_line(ctx, buf_str(&line));
        }
    }
    sqlite3_finalize(queries);
    sqlite3_finalize(calls);
    buf_fini(&line);
    return step == SQLITE_DONE ? OK : WEIR_STORE;
}
