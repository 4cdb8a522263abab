/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows: from the records of one query to its row: ends to their calls, sums, what was interrupted. Pure but for the calls' memory.
 */
#include "edge/store/internal.h"

#include <stdlib.h>
#include <string.h>

static int64_t add_saturating(int64_t a, int64_t b)
{
    int64_t sum;

    return i64_add(a, b, &sum) ? sum : b > 0 ? INT64_MAX : INT64_MIN + 1;
}

/* The call of the number; numbers mostly grow and ends come soon, so the search is from the back. NULL when there is none. */
static struct row_call *row_call_find(const struct row_query *row, uint32_t number)
{
    for (size_t i = row->calls_len; i > 0; i--)
        if (row->calls[i - 1].begin.number == number)
            return &row->calls[i - 1];
    return NULL;
}

static struct row_call *row_call_add(struct row_space *space, struct row_query *row,
                                     const struct ledger_call *begin)
{
    if (row->calls_len == space->cap) {
        size_t cap = space->cap > 0 ? space->cap * 2 : 16;
        struct row_call *bigger = realloc(space->calls, cap * sizeof(*bigger));
        if (!bigger)
            return NULL;
        space->calls = bigger;
        space->cap = cap;
        row->calls = bigger;
    }
    struct row_call *call = &row->calls[row->calls_len++];
    memset(call, 0, sizeof(*call));
    call->begin = *begin;
    return call;
}

static enum err row_take(struct row_space *space, struct row_query *row, const struct record *r)
{
    struct row_call *call;

    switch (r->type) {
    case RECORD_GROUP:
        break;
    case RECORD_BEGIN:
        row->begin = r->begin;
        break;
    case RECORD_CALL_BEGIN:
        call = row_call_find(row, r->call_begin.number);
        if (!call && !row_call_add(space, row, &r->call_begin))
            return WEIR_NO_MEMORY;
        break;
    case RECORD_CALL_DONE:
        call = row_call_find(row, r->call_done.number);
        if (!call) {
            /* Its begin was lost in a broken place: what was paid counts all the same. */
            const struct ledger_call unknown = { .query = r->call_done.query,
                                                 .number = r->call_done.number,
                                                 .reserved = COST_UNPRICED,
                                                 .started_us = -1 };
            call = row_call_add(space, row, &unknown);
            if (!call)
                return WEIR_NO_MEMORY;
        }
        if (!call->is_done)
            call->done = r->call_done;
        call->is_done = true;
        break;
    case RECORD_END:
        row->end = r->end;
        break;
    case RECORD_ROUTE:
        if (!row->has_route)
            row->route = r->route;
        row->has_route = true;
        break;
    case RECORD_LABEL:
        break; /* has a row of its own */
    }
    return OK;
}

static void row_finish(struct row_query *row)
{
    for (size_t i = 0; i < row->calls_len; i++) {
        struct row_call *call = &row->calls[i];
        if (!call->is_done) {
            /* It may have reached the provider: its worst case is what it cost. */
            call->is_interrupted = true;
            call->done.fault = WEIR_INTERRUPTED;
            call->done.cost = call->begin.reserved;
            call->done.price_input = call->done.price_output = call->done.price_cached = -1;
        }
        row->cost = cost_add(row->cost, call->done.cost);
        row->input_tokens = add_saturating(row->input_tokens, call->done.usage.input);
        row->output_tokens = add_saturating(row->output_tokens, call->done.usage.output);
    }
    row->calls_count = (int64_t)row->calls_len;
}

enum err row_assemble(struct row_space *space, const uint8_t *bytes, size_t len,
                      struct row_query *out)
{
    struct row_query row;

    memset(&row, 0, sizeof(row));
    row.calls = space->calls;
    row.end = (struct ledger_end){ .fault = WEIR_INTERRUPTED,
                                   .http_status = err_info(WEIR_INTERRUPTED)->http_status,
                                   .hrm_confidence = -1,
                                   .trm_confidence = -1,
                                   .confidence = -1,
                                   .raw = LEDGER_RAW_NONE };
    for (size_t at = 0; at < len; at += record_length(bytes + at)) {
        struct record r;
        bool is_sound = record_decode(bytes + at, &r);
        assert(is_sound); /* it was, when it was read */
        enum err e = row_take(space, &row, &r);
        if (e != OK)
            return e;
    }
    row_finish(&row);
    *out = row;
    return OK;
}
