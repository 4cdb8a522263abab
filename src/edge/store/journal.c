/* SPDX-License-Identifier: Apache-2.0 */
/* journal: see journal.h. Each kind's fields are listed once, in put_ and take_ order. */
#include "edge/store/journal.h"

#include <string.h>

#include "base/rng.h"

/* Eight bytes at a time through a 64-bit mixer: it has to notice a torn tail, not an adversary. */
static uint32_t checksum_of(str bytes)
{
    uint64_t h = bytes.len, word;

    for (size_t i = 0; i < bytes.len; i += sizeof(word)) {
        size_t n = bytes.len - i < sizeof(word) ? bytes.len - i : sizeof(word);
        word = 0;
        memcpy(&word, bytes.ptr + i, n);
        h = rng_mix(h ^ word) + UINT64_C(0x9e3779b97f4a7c15);
    }
    return (uint32_t)(h ^ (h >> 32));
}

/* ---- writing ---- */

static void put(struct buf *out, const void *bytes, size_t n)
{
    buf_add(out, (str){ bytes, n });
}

static void put_i64(struct buf *out, int64_t v)
{
    put(out, &v, sizeof(v));
}

static void put_u32(struct buf *out, uint32_t v)
{
    put(out, &v, sizeof(v));
}

static void put_double(struct buf *out, double v)
{
    put(out, &v, sizeof(v));
}

static void put_text(struct buf *out, str s)
{
    s = str_slice(s, 0, JOURNAL_TEXT_MAX);
    buf_add_char(out, (char)(unsigned char)s.len);
    buf_add(out, s);
}

static void put_begin(struct buf *out, const struct ledger_query *q)
{
    put_i64(out, q->id);
    put_i64(out, q->started);
    put_i64(out, q->reserved);
    put_u32(out, q->is_stream);
    put_text(out, q->tenant);
    put_text(out, q->domain);
    put_text(out, q->requested_model);
    put_text(out, q->strategy);
    put_text(out, q->arm);
}

static void put_call_begin(struct buf *out, const struct ledger_call *c)
{
    put_i64(out, c->query);
    put_u32(out, c->number);
    put_i64(out, c->reserved);
    put_text(out, c->role);
    put_text(out, c->model);
    put_text(out, c->provider);
}

static void put_call_end(struct buf *out, const struct ledger_call_end *c)
{
    const int64_t fields[] = { c->query,        c->usage.input,       c->usage.output,
                               c->usage.cached, c->usage.cache_write, c->usage.reasoning,
                               c->cost,         c->price_input,       c->price_output,
                               c->price_cached, c->latency_us,        c->first_byte_us };
    uint32_t flags = (c->usage.is_known ? 1u : 0) | (c->usage.is_estimated ? 2u : 0) |
                     (c->is_simulated ? 4u : 0);

    put(out, fields, sizeof(fields));
    put_u32(out, c->number);
    put_u32(out, (uint32_t)c->fault);
    put_u32(out, (uint32_t)c->http_status);
    put_u32(out, (uint32_t)c->attempts);
    put_u32(out, flags);
}

static void put_end(struct buf *out, const struct ledger_end *e)
{
    put_i64(out, e->id);
    put_i64(out, e->latency_us);
    put_u32(out, (uint32_t)e->fault);
    put_u32(out, (uint32_t)e->http_status);
    put_u32(out, e->is_truncated);
    put_double(out, e->hrm_confidence);
    put_double(out, e->trm_confidence);
    put_double(out, e->confidence);
    put_text(out, e->model);
}

void journal_write(struct buf *out, const struct journal_record *record)
{
    static const char head[JOURNAL_HEAD_BYTES];
    size_t start = out->len;

    put(out, head, sizeof(head));
    switch (record->kind) {
    case JOURNAL_BEGIN:
        put_begin(out, &record->begin);
        break;
    case JOURNAL_CALL_BEGIN:
        put_call_begin(out, &record->call_begin);
        break;
    case JOURNAL_CALL_END:
        put_call_end(out, &record->call_end);
        break;
    case JOURNAL_END:
        put_end(out, &record->end);
        break;
    }
    if (out->failed) {
        out->len = start < out->len ? start : out->len; /* never half a record */
        return;
    }
    uint32_t length = (uint32_t)(out->len - start - JOURNAL_HEAD_BYTES);
    char *at = out->ptr + start;
    at[8] = (char)record->kind;
    uint32_t checksum = checksum_of((str){ at + 8, length + 1 });
    memcpy(at, &length, sizeof(length));
    memcpy(at + 4, &checksum, sizeof(checksum));
}

/* ---- reading ---- */

/* What is left of a payload; running over its end is sticky. */
struct cursor {
    str rest;
    bool failed;
};

static void take(struct cursor *c, void *out, size_t n)
{
    if (c->rest.len < n) {
        c->failed = true;
        memset(out, 0, n);
        return;
    }
    memcpy(out, c->rest.ptr, n);
    c->rest = (str){ c->rest.ptr + n, c->rest.len - n };
}

static int64_t take_i64(struct cursor *c)
{
    int64_t v;

    take(c, &v, sizeof(v));
    return v;
}

static uint32_t take_u32(struct cursor *c)
{
    uint32_t v;

    take(c, &v, sizeof(v));
    return v;
}

static double take_double(struct cursor *c)
{
    double v;

    take(c, &v, sizeof(v));
    return v;
}

static str take_text(struct cursor *c)
{
    unsigned char length = 0;

    take(c, &length, 1);
    if (c->failed || length > c->rest.len || length > JOURNAL_TEXT_MAX) {
        c->failed = true;
        return (str){ NULL, 0 };
    }
    str s = { c->rest.ptr, length };
    c->rest = (str){ c->rest.ptr + length, c->rest.len - length };
    return s;
}

static enum err take_fault(struct cursor *c)
{
    uint32_t v = take_u32(c);

    if (v >= ERR_COUNT) {
        c->failed = true;
        return OK;
    }
    return (enum err)v;
}

static void take_begin(struct cursor *c, struct ledger_query *q)
{
    q->id = take_i64(c);
    q->started = take_i64(c);
    q->reserved = take_i64(c);
    q->is_stream = take_u32(c) != 0;
    q->tenant = take_text(c);
    q->domain = take_text(c);
    q->requested_model = take_text(c);
    q->strategy = take_text(c);
    q->arm = take_text(c);
}

static void take_call_begin(struct cursor *c, struct ledger_call *call)
{
    call->query = take_i64(c);
    call->number = take_u32(c);
    call->reserved = take_i64(c);
    call->role = take_text(c);
    call->model = take_text(c);
    call->provider = take_text(c);
}

static void take_call_end(struct cursor *c, struct ledger_call_end *call)
{
    call->query = take_i64(c);
    call->usage.input = take_i64(c);
    call->usage.output = take_i64(c);
    call->usage.cached = take_i64(c);
    call->usage.cache_write = take_i64(c);
    call->usage.reasoning = take_i64(c);
    call->cost = take_i64(c);
    call->price_input = take_i64(c);
    call->price_output = take_i64(c);
    call->price_cached = take_i64(c);
    call->latency_us = take_i64(c);
    call->first_byte_us = take_i64(c);
    call->number = take_u32(c);
    call->fault = take_fault(c);
    call->http_status = (int)(take_u32(c) & INT_MAX);
    call->attempts = (int)(take_u32(c) & INT_MAX);
    uint32_t flags = take_u32(c);
    call->usage.is_known = (flags & 1) != 0;
    call->usage.is_estimated = (flags & 2) != 0;
    call->is_simulated = (flags & 4) != 0;
}

static void take_end(struct cursor *c, struct ledger_end *e)
{
    e->id = take_i64(c);
    e->latency_us = take_i64(c);
    e->fault = take_fault(c);
    e->http_status = (int)(take_u32(c) & INT_MAX);
    e->is_truncated = take_u32(c) != 0;
    e->hrm_confidence = take_double(c);
    e->trm_confidence = take_double(c);
    e->confidence = take_double(c);
    e->model = take_text(c);
}

static bool take_record(struct cursor *c, unsigned char kind, struct journal_record *out)
{
    switch (kind) {
    case JOURNAL_BEGIN:
        take_begin(c, &out->begin);
        break;
    case JOURNAL_CALL_BEGIN:
        take_call_begin(c, &out->call_begin);
        break;
    case JOURNAL_CALL_END:
        take_call_end(c, &out->call_end);
        break;
    case JOURNAL_END:
        take_end(c, &out->end);
        break;
    default:
        return false;
    }
    out->kind = (enum journal_kind)kind;
    return !c->failed && c->rest.len == 0;
}

enum journal_read journal_read(str bytes, struct journal_record *out, size_t *used)
{
    uint32_t length, checksum;
    struct journal_record record;

    if (bytes.len < JOURNAL_HEAD_BYTES)
        return JOURNAL_MORE;
    memcpy(&length, bytes.ptr, sizeof(length));
    memcpy(&checksum, bytes.ptr + 4, sizeof(checksum));
    if (length > JOURNAL_PAYLOAD_MAX)
        return JOURNAL_BROKEN;
    if (bytes.len < JOURNAL_HEAD_BYTES + length)
        return JOURNAL_MORE;
    if (checksum_of((str){ bytes.ptr + 8, length + 1 }) != checksum)
        return JOURNAL_BROKEN;
    struct cursor c = { .rest = { bytes.ptr + JOURNAL_HEAD_BYTES, length } };
    memset(&record, 0, sizeof(record));
    if (!take_record(&c, (unsigned char)bytes.ptr[8], &record))
        return JOURNAL_BROKEN;
    *out = record;
    *used = JOURNAL_HEAD_BYTES + length;
    return JOURNAL_RECORD;
}
