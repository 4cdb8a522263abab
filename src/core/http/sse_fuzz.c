/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target of event streams: the first byte seeds the splits, the rest is a stream. Reading it
 * whole and in pieces must yield the same events and the same result; what was yielded survives
 * being written and read again.
 */
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "core/http/sse.h"

#define EVENT_MAX 200

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct events {
    struct buf shown; /* each event's length and data */
    struct buf stream; /* written again */
};

static void must(bool condition)
{
    if (!condition)
        abort();
}

static void take(void *ctx, str data)
{
    struct events *events = ctx;

    must(data.len <= EVENT_MAX);
    buf_printf(&events->shown, "%zu:", data.len);
    buf_add(&events->shown, data);
    sse_event_write(&events->stream, data);
}

static enum err read_stream(struct events *events, str bytes, struct rng *rng)
{
    struct sse_decoder decoder;
    enum err e = OK;

    sse_decoder_init(&decoder, EVENT_MAX);
    for (size_t at = 0, end; at < bytes.len; at = end) {
        end = rng ? at + 1 + (size_t)rng_below(rng, 9) : bytes.len;
        e = sse_decoder_feed(&decoder, str_slice(bytes, at, end), take, events);
    }
    sse_decoder_fini(&decoder);
    return e;
}

static void events_fini(struct events *events)
{
    buf_fini(&events->shown);
    buf_fini(&events->stream);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct events whole = { { 0 }, { 0 } }, split = { { 0 }, { 0 } }, again = { { 0 }, { 0 } };
    struct rng rng;

    if (size == 0)
        return 0;
    str bytes = { (const char *)data + 1, size - 1 };
    rng_init(&rng, data[0]);
    enum err e = read_stream(&whole, bytes, NULL);
    must(read_stream(&split, bytes, &rng) == e);
    must(str_eq(buf_str(&whole.shown), buf_str(&split.shown)));
    must(read_stream(&again, buf_str(&whole.stream), NULL) == OK);
    must(str_eq(buf_str(&whole.shown), buf_str(&again.shown)));
    events_fini(&whole);
    events_fini(&split);
    events_fini(&again);
    return 0;
}
