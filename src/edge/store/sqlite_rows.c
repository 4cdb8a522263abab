/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite_rows: a ledger row to a statement's parameters and back, column by column in the schema's order (sqlite_schema.c).
 */
#include "edge/store/sqlite_internal.h"

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

/* Prices and scores: a negative one is none. */
static void bind_natural(struct binder *b, int64_t v)
{
    if (v < 0)
        bind_null(b);
    else
        bind_int(b, v);
}

static void bind_blob(struct binder *b, str bytes)
{
    bind_code(b, sqlite3_bind_blob64(b->statement, ++b->column, bytes.len > 0 ? bytes.ptr : "",
                                     bytes.len, SQLITE_STATIC));
}

static void bind_double(struct binder *b, double v)
{
    bind_code(b, sqlite3_bind_double(b->statement, ++b->column, v));
}

/* Confidences, probabilities and scores: a negative one is none. */
static void bind_share(struct binder *b, double v)
{
    if (!isfinite(v) || v < 0)
        bind_null(b);
    else
        bind_double(b, v);
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
    bind_share(b, q->end.hrm_confidence);
    bind_share(b, q->end.trm_confidence);
    bind_share(b, q->end.confidence);
    bind_int(b, q->end.latency_us);
    bind_int(b, q->calls_count);
    bind_int(b, q->input_tokens);
    bind_int(b, q->output_tokens);
    bind_cost(b, q->cost);
    bind_share(b, q->end.raw.hrm_confidence);
    bind_share(b, q->end.raw.trm_confidence);
    bind_share(b, q->end.raw.confidence);
    bind_int(b, q->end.is_calibrated);
    if (q->end.answer_hash == 0)
        bind_null(b);
    else
        bind_int(b, (int64_t)q->end.answer_hash);
    bind_text(b, q->begin.key);
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
    bind_natural(b, c->done.price_input);
    bind_natural(b, c->done.price_output);
    bind_natural(b, c->done.price_cached);
    bind_int(b, c->done.latency_us);
    bind_int(b, c->done.first_byte_us);
    bind_int(b, c->done.is_simulated);
    bind_natural(b, c->begin.started_us);
    return b->code;
}

int rows_bind_route(sqlite3_stmt *statement, const struct ledger_route *r)
{
    struct binder bound = { .statement = statement };
    struct binder *b = &bound;

    bind_int(b, r->query);
    bind_text(b, r->scorer);
    bind_share(b, r->score);
    bind_natural(b, r->seed_score);
    bind_natural(b, r->words_score);
    bind_text(b, r->strategy);
    bind_text(b, r->model);
    bind_share(b, r->propensity);
    bind_double(b, isfinite(r->epsilon) ? r->epsilon : 0);
    bind_int(b, r->is_explored);
    bind_text(b, r->domain);
    bind_share(b, r->domain_probability);
    bind_share(b, r->quality);
    bind_cost(b, r->cost);
    bind_text(b, r->reasons);
    bind_blob(b, r->features);
    return b->code;
}

int rows_bind_label(sqlite3_stmt *statement, const struct ledger_label *label)
{
    struct binder bound = { .statement = statement };
    struct binder *b = &bound;

    bind_int(b, label->query);
    bind_text(b, str_from(ledger_source_name(label->source)));
    bind_double(b, label->value);
    bind_int(b, label->is_noisy);
    bind_int(b, label->labelled);
    bind_text(b, label->text);
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

static double column_double(struct columns *c)
{
    return sqlite3_column_double(c->statement, c->column++);
}

static double column_share(struct columns *c)
{
    if (sqlite3_column_type(c->statement, c->column) == SQLITE_NULL) {
        c->column++;
        return -1;
    }
    return column_double(c);
}

static str column_blob(struct columns *c)
{
    int column = c->column++;
    const void *bytes = sqlite3_column_blob(c->statement, column);
    int len = sqlite3_column_bytes(c->statement, column);

    if (!bytes || len <= 0)
        return STR("");
    return (str){ (const char *)bytes, (size_t)len };
}

static str column_text(struct columns *c)
{
    return database_text(c->statement, c->column++);
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
    q->end.hrm_confidence = column_share(&c);
    q->end.trm_confidence = column_share(&c);
    q->end.confidence = column_share(&c);
    q->end.latency_us = column_int(&c);
    q->calls_count = column_int(&c);
    q->input_tokens = column_int(&c);
    q->output_tokens = column_int(&c);
    q->cost = column_int_or(&c, COST_UNPRICED);
    q->end.raw.hrm_confidence = column_share(&c);
    q->end.raw.trm_confidence = column_share(&c);
    q->end.raw.confidence = column_share(&c);
    q->end.is_calibrated = column_bool(&c);
    q->end.answer_hash = (uint64_t)column_int(&c);
    q->begin.key = column_text(&c);
    /* From before calibration: what was recorded was raw. */
    if (!q->end.is_calibrated && q->end.raw.confidence < 0)
        q->end.raw =
            (struct ledger_raw){ q->end.hrm_confidence, q->end.trm_confidence, q->end.confidence };
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
    call->begin.started_us = column_int_or(&c, -1);
}

void rows_read_route(sqlite3_stmt *statement, struct arena *arena, struct ledger_route *r)
{
    struct columns c = { statement, 0 };

    r->query = column_int(&c);
    r->scorer = arena_str(arena, column_text(&c));
    r->score = column_share(&c);
    r->seed_score = (int)column_int_or(&c, -1);
    r->words_score = (int)column_int_or(&c, -1);
    r->strategy = arena_str(arena, column_text(&c));
    r->model = arena_str(arena, column_text(&c));
    r->propensity = column_share(&c);
    r->epsilon = column_double(&c);
    r->is_explored = column_bool(&c);
    r->domain = arena_str(arena, column_text(&c));
    r->domain_probability = column_share(&c);
    r->quality = column_share(&c);
    r->cost = column_int_or(&c, COST_UNPRICED);
    r->reasons = arena_str(arena, column_text(&c));
    r->features = arena_str(arena, column_blob(&c));
}

void rows_read_label(sqlite3_stmt *statement, struct arena *arena, struct ledger_label *label)
{
    struct columns c = { statement, 0 };

    label->query = column_int(&c);
    label->source = LABEL_SOURCE_COUNT; /* of a name that nobody writes */
    IGNORE(ledger_source_find(column_text(&c), &label->source));
    label->value = column_double(&c);
    label->is_noisy = column_bool(&c);
    label->labelled = column_int(&c);
    label->text = arena_str(arena, column_text(&c));
}
