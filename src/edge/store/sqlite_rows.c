/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite_rows: a ledger row to a statement's parameters and back, column by column in the schema's order (sqlite.c).
 */
#include "edge/store/sqlite_rows.h"

#include <math.h>

/* ---- rows in ---- */

/* Binds a statement's parameters in order; the first failure is sticky. */
struct binder {
    sqlite3_stmt *statement;
    int column;
    int code;
};

static void bind_code(struct binder *b, int code)
{
    if (b->code == SQLITE_OK)
        b->code = code;
}

static void bind_int(struct binder *b, int64_t v)
{
    bind_code(b, sqlite3_bind_int64(b->statement, ++b->column, v));
}

static void bind_null(struct binder *b)
{
    bind_code(b, sqlite3_bind_null(b->statement, ++b->column));
}

static void bind_text(struct binder *b, str s)
{
    bind_code(b, sqlite3_bind_text64(b->statement, ++b->column, s.len > 0 ? s.ptr : "", s.len,
                                     SQLITE_STATIC, SQLITE_UTF8));
}

static void bind_cost(struct binder *b, nano_usd v)
{
    if (v == COST_UNPRICED)
        bind_null(b);
    else
        bind_int(b, v);
}

static void bind_price(struct binder *b, nano_usd v)
{
    if (v < 0)
        bind_null(b);
    else
        bind_int(b, v);
}

static void bind_confidence(struct binder *b, double v)
{
    if (!isfinite(v) || v < 0)
        bind_null(b);
    else
        bind_code(b, sqlite3_bind_double(b->statement, ++b->column, v));
}

static void bind_fault(struct binder *b, enum err fault)
{
    if (fault == OK)
        bind_null(b);
    else
        bind_text(b, str_from(err_info(fault)->name));
}

int rows_bind_query(sqlite3_stmt *statement, const struct row_query *q)
{
    struct binder bound = { .statement = statement };
    struct binder *b = &bound;

    bind_int(b, q->begin.id);
    bind_int(b, q->begin.started);
    bind_text(b, q->begin.tenant);
    bind_text(b, q->begin.domain);
    bind_text(b, q->begin.requested_model);
    bind_text(b, q->begin.strategy);
    bind_text(b, q->begin.arm);
    bind_int(b, q->begin.is_stream);
    bind_cost(b, q->begin.reserved);
    bind_fault(b, q->end.fault);
    bind_int(b, q->end.http_status);
    bind_int(b, q->end.is_truncated);
    bind_text(b, q->end.model);
    bind_confidence(b, q->end.hrm_confidence);
    bind_confidence(b, q->end.trm_confidence);
    bind_confidence(b, q->end.confidence);
    bind_int(b, q->end.latency_us);
    bind_int(b, q->calls_count);
    bind_int(b, q->input_tokens);
    bind_int(b, q->output_tokens);
    bind_cost(b, q->cost);
    return b->code;
}

int rows_bind_call(sqlite3_stmt *statement, const struct row_call *c)
{
    struct binder bound = { .statement = statement };
    struct binder *b = &bound;

    bind_int(b, c->begin.query);
    bind_int(b, c->begin.number);
    bind_text(b, c->begin.role);
    bind_text(b, c->begin.model);
    bind_text(b, c->begin.provider);
    bind_cost(b, c->begin.reserved);
    bind_int(b, c->is_interrupted);
    bind_fault(b, c->done.fault);
    bind_int(b, c->done.http_status);
    bind_int(b, c->done.attempts);
    bind_int(b, c->done.usage.input);
    bind_int(b, c->done.usage.output);
    bind_int(b, c->done.usage.cached);
    bind_int(b, c->done.usage.cache_write);
    bind_int(b, c->done.usage.reasoning);
    bind_int(b, c->done.usage.is_known);
    bind_int(b, c->done.usage.is_estimated);
    bind_cost(b, c->done.cost);
    bind_price(b, c->done.price_input);
    bind_price(b, c->done.price_output);
    bind_price(b, c->done.price_cached);
    bind_int(b, c->done.latency_us);
    bind_int(b, c->done.first_byte_us);
    bind_int(b, c->done.is_simulated);
    return b->code;
}

/* ---- rows out ---- */

/* Reads a row's columns in order. */
struct columns {
    sqlite3_stmt *statement;
    int column;
};

static int64_t column_int(struct columns *c)
{
    return sqlite3_column_int64(c->statement, c->column++);
}

static bool column_bool(struct columns *c)
{
    return column_int(c) != 0;
}

static int64_t column_int_or(struct columns *c, int64_t missing)
{
    if (sqlite3_column_type(c->statement, c->column) == SQLITE_NULL) {
        c->column++;
        return missing;
    }
    return column_int(c);
}

static double column_confidence(struct columns *c)
{
    int column = c->column++;

    if (sqlite3_column_type(c->statement, column) == SQLITE_NULL)
        return -1;
    return sqlite3_column_double(c->statement, column);
}

static str column_text(struct columns *c)
{
    int column = c->column++;
    const unsigned char *text = sqlite3_column_text(c->statement, column);
    int len = sqlite3_column_bytes(c->statement, column);

    if (!text || len <= 0)
        return STR("");
    return (str){ (const char *)text, (size_t)len };
}

static enum err column_fault(struct columns *c)
{
    str name = column_text(c); /* sqlite ends it with a NUL */
    enum err fault = name.len == 0 ? OK : err_from_name(name.ptr);

    return fault == ERR_COUNT ? WEIR_DEFECT : fault;
}

void rows_read_query(sqlite3_stmt *statement, struct row_query *q)
{
    struct columns c = { statement, 0 };

    q->begin.id = column_int(&c);
    q->begin.started = column_int(&c);
    q->begin.tenant = column_text(&c);
    q->begin.domain = column_text(&c);
    q->begin.requested_model = column_text(&c);
    q->begin.strategy = column_text(&c);
    q->begin.arm = column_text(&c);
    q->begin.is_stream = column_bool(&c);
    q->begin.reserved = column_int_or(&c, COST_UNPRICED);
    q->end.id = q->begin.id;
    q->end.fault = column_fault(&c);
    q->end.http_status = (int)column_int(&c);
    q->end.is_truncated = column_bool(&c);
    q->end.model = column_text(&c);
    q->end.hrm_confidence = column_confidence(&c);
    q->end.trm_confidence = column_confidence(&c);
    q->end.confidence = column_confidence(&c);
    q->end.latency_us = column_int(&c);
    q->calls_count = column_int(&c);
    q->input_tokens = column_int(&c);
    q->output_tokens = column_int(&c);
    q->cost = column_int_or(&c, COST_UNPRICED);
}

void rows_read_call(sqlite3_stmt *statement, struct arena *arena, struct row_call *call)
{
    struct columns c = { statement, 0 };

    call->begin.query = column_int(&c);
    call->begin.number = (uint32_t)column_int(&c);
    call->begin.role = arena_str(arena, column_text(&c));
    call->begin.model = arena_str(arena, column_text(&c));
    call->begin.provider = arena_str(arena, column_text(&c));
    call->begin.reserved = column_int_or(&c, COST_UNPRICED);
    call->is_interrupted = column_bool(&c);
    call->is_done = !call->is_interrupted;
    call->done.query = call->begin.query;
    call->done.number = call->begin.number;
    call->done.fault = column_fault(&c);
    call->done.http_status = (int)column_int(&c);
    call->done.attempts = (int)column_int(&c);
    call->done.usage.input = column_int(&c);
    call->done.usage.output = column_int(&c);
    call->done.usage.cached = column_int(&c);
    call->done.usage.cache_write = column_int(&c);
    call->done.usage.reasoning = column_int(&c);
    call->done.usage.is_known = column_bool(&c);
    call->done.usage.is_estimated = column_bool(&c);
    call->done.cost = column_int_or(&c, COST_UNPRICED);
    call->done.price_input = column_int_or(&c, -1);
    call->done.price_output = column_int_or(&c, -1);
    call->done.price_cached = column_int_or(&c, -1);
    call->done.latency_us = column_int(&c);
    call->done.first_byte_us = column_int(&c);
    call->done.is_simulated = column_bool(&c);
}
