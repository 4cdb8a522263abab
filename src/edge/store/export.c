/* SPDX-License-Identifier: Apache-2.0 */
/*
 * export: queries as JSON; the ledger as JSON Lines, for the command line.
 */
#include "edge/store/internal.h"

#include <stdio.h>

#include "base/utc.h"
#include "core/json/json.h"

struct export
{
    struct buf line;
    void (*on_line)(void *ctx, str line);
    void *ctx;
    bool failed;
};

static void member_or_null(struct buf *out, const char *name, int64_t v, bool is_null)
{
    json_key(out, name);
    if (is_null)
        buf_add(out, STR("null"));
    else
        buf_add_i64(out, v);
}

static void member_cost(struct buf *out, const char *name, nano_usd v)
{
    member_or_null(out, name, v, v == COST_UNPRICED);
}

static void member_natural(struct buf *out, const char *name, int64_t v)
{
    member_or_null(out, name, v, v < 0);
}

static void member_share(struct buf *out, const char *name, double v)
{
    json_key(out, name);
    if (v < 0)
        buf_add(out, STR("null"));
    else
        json_write_double(out, v);
}

static void member_result(struct buf *out, enum err fault)
{
    json_member_str(out, "result", str_from(err_info(fault)->name));
}

static void member_time(struct buf *out, const char *name, usec_utc at)
{
    char text[UTC_TEXT_MAX];

    json_member_str(out, name, utc_format(at, text));
}

static void write_call(struct buf *out, const struct row_call *c)
{
    const struct ledger_call_end *done = &c->done;

    buf_add_char(out, '{');
    json_member_i64(out, "number", c->begin.number);
    json_member_str(out, "role", c->begin.role);
    json_member_str(out, "model", c->begin.model);
    json_member_str(out, "provider", c->begin.provider);
    json_member_bool(out, "interrupted", c->is_interrupted);
    member_result(out, done->fault);
    json_member_i64(out, "http_status", done->http_status);
    json_member_i64(out, "attempts", done->attempts);
    json_member_i64(out, "input_tokens", done->usage.input);
    json_member_i64(out, "output_tokens", done->usage.output);
    json_member_i64(out, "cached_tokens", done->usage.cached);
    json_member_i64(out, "cache_write_tokens", done->usage.cache_write);
    json_member_i64(out, "reasoning_tokens", done->usage.reasoning);
    json_member_bool(out, "usage_known", done->usage.is_known);
    json_member_bool(out, "estimated", done->usage.is_estimated);
    member_natural(out, "started_us", c->begin.started_us);
    member_cost(out, "reserved_nano_usd", c->begin.reserved);
    member_cost(out, "cost_nano_usd", done->cost);
    member_natural(out, "price_input_nano_usd", done->price_input);
    member_natural(out, "price_output_nano_usd", done->price_output);
    member_natural(out, "price_cached_nano_usd", done->price_cached);
    json_member_i64(out, "latency_us", done->latency_us);
    json_member_i64(out, "first_byte_us", done->first_byte_us);
    json_member_bool(out, "simulated", done->is_simulated);
    buf_add_char(out, '}');
}

/* The features are the program's own (features.h); of them only whether they are there. */
static void write_route(struct buf *out, const struct row_query *q)
{
    const struct ledger_route *r = &q->route;

    json_key(out, "route");
    if (!q->has_route) {
        buf_add(out, STR("null"));
        return;
    }
    buf_add_char(out, '{');
    json_member_str(out, "scorer", r->scorer);
    member_share(out, "score", r->score);
    member_natural(out, "seed_score_hundredths", r->seed_score);
    member_natural(out, "words_score_hundredths", r->words_score);
    json_member_str(out, "strategy", r->strategy);
    json_member_str(out, "model", r->model);
    member_share(out, "propensity", r->propensity);
    json_member_double(out, "epsilon", r->epsilon);
    json_member_bool(out, "explored", r->is_explored);
    json_member_str(out, "domain", r->domain);
    member_share(out, "domain_probability", r->domain_probability);
    member_share(out, "estimated_quality", r->quality);
    member_cost(out, "estimated_cost_nano_usd", r->cost);
    json_member_str(out, "reasons", r->reasons);
    json_member_bool(out, "features", r->features.len > 0);
    buf_add_char(out, '}');
}

static void write_labels(struct buf *out, const struct row_query *q)
{
    json_key(out, "labels");
    buf_add_char(out, '[');
    for (size_t i = 0; i < q->labels_len; i++) {
        const struct ledger_label *label = &q->labels[i];
        json_comma(out);
        buf_add_char(out, '{');
        json_member_str(out, "source", str_from(ledger_source_name(label->source)));
        json_member_double(out, "value", label->value);
        json_member_bool(out, "noisy", label->is_noisy);
        member_time(out, "labelled", label->labelled);
        json_member_str(out, "text", label->text);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

/* Hexadecimal: JSON's numbers do not hold 64 bits everywhere. */
static void write_answer(struct buf *out, const struct ledger_end *e)
{
    char hash[20];
    int len = snprintf(hash, sizeof(hash), "%016" PRIx64, e->answer_hash);

    member_share(out, "raw_hrm_confidence", e->raw.hrm_confidence);
    member_share(out, "raw_trm_confidence", e->raw.trm_confidence);
    member_share(out, "raw_confidence", e->raw.confidence);
    json_member_bool(out, "calibrated", e->is_calibrated);
    json_member_str_or_null(out, "answer_hash",
                            (str){ hash, e->answer_hash == 0 ? 0 : (size_t)len });
}

void export_query_members(struct buf *out, const struct row_query *q)
{
    char id[20];

    json_member_str(out, "id", ledger_id_format(q->begin.id, id));
    member_time(out, "started", q->begin.started);
    json_member_str(out, "tenant", q->begin.tenant);
    json_member_str(out, "key", q->begin.key);
    json_member_str(out, "domain", q->begin.domain);
    json_member_str(out, "requested_model", q->begin.requested_model);
    json_member_str(out, "strategy", q->begin.strategy);
    json_member_str(out, "arm", q->begin.arm);
    json_member_bool(out, "stream", q->begin.is_stream);
    member_result(out, q->end.fault);
    json_member_i64(out, "http_status", q->end.http_status);
    json_member_bool(out, "truncated", q->end.is_truncated);
    json_member_str(out, "model", q->end.model);
    member_share(out, "hrm_confidence", q->end.hrm_confidence);
    member_share(out, "trm_confidence", q->end.trm_confidence);
    member_share(out, "confidence", q->end.confidence);
    write_answer(out, &q->end);
    json_member_i64(out, "latency_us", q->end.latency_us);
    json_member_i64(out, "call_count", q->calls_count);
    json_member_i64(out, "input_tokens", q->input_tokens);
    json_member_i64(out, "output_tokens", q->output_tokens);
    member_cost(out, "reserved_nano_usd", q->begin.reserved);
    member_cost(out, "cost_nano_usd", q->cost);
}

void export_query_write(struct buf *out, const struct row_query *q)
{
    buf_add_char(out, '{');
    export_query_members(out, q);
    write_route(out, q);
    write_labels(out, q);
    json_key(out, "calls");
    buf_add_char(out, '[');
    for (size_t i = 0; i < q->calls_len; i++) {
        json_comma(out);
        write_call(out, &q->calls[i]);
    }
    buf_add(out, STR("]}"));
}

static void export_query(void *ctx, const struct row_query *q)
{
    struct export *x = ctx;

    buf_reset(&x->line);
    export_query_write(&x->line, q);
    if (x->line.failed)
        x->failed = true;
    else
        x->on_line(x->ctx, buf_str(&x->line));
}

enum err store_export(str directory, usec_utc since, void (*on_line)(void *ctx, str line),
                      void *ctx, char out_why[256])
{
    struct export x = { .on_line = on_line, .ctx = ctx };
    const struct database_visitor visitor = { .on_query = export_query, .ctx = &x };
    struct database *db = NULL;
    bool is_live;
    enum err e = directory_read(directory, &db, &is_live, out_why);

    if (e == OK)
        e = database_visit(db, since, &visitor, out_why);
    if (e == OK && x.failed) {
        snprintf(out_why, 256, "out of memory");
        e = WEIR_NO_MEMORY;
    }
    database_close(db);
    buf_fini(&x.line);
    return e;
}
