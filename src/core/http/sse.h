/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sse: the framing of text/event-stream (WHATWG HTML, section 9.2): a decoder that yields the data
 * of each event, and a writer. Event types, ids and retry times are skipped: the wires that weir
 * speaks repeat in the data what matters.
 *
 * A caller may rely on: how the bytes were split over calls never changes the events; an event
 * without its closing empty line is never yielded.
 *
 * May include: base.
 */
#ifndef WEIR_CORE_HTTP_SSE_H
#define WEIR_CORE_HTTP_SSE_H

#include "base/base.h"

struct sse_decoder {
    size_t event_bytes_max;
    struct buf line; /* a line that is not yet whole */
    struct buf data; /* of the event being read, when it spans lines or calls */
    str data_near; /* a single data line, still in the caller's bytes */
    bool has_data; /* the event has a data line */
    bool is_data_near;
    bool is_after_cr; /* a line feed that comes next belongs to the line before */
    bool has_begun; /* the first line, which may have a byte order mark, is over */
    enum err result; /* sticky */
};

void sse_decoder_init(struct sse_decoder *decoder, size_t event_bytes_max);
void sse_decoder_fini(struct sse_decoder *decoder); /* may be repeated */

/*
 * Reads on; calls on_event for each event that these bytes end, with its data lines joined by line
 * feeds, valid during that call only. on_event must not end the decoder. PROVIDER_GARBAGE when an
 * event's data, or any line, is longer than event_bytes_max (a line may have a field's name more);
 * WEIR_NO_MEMORY. After a failure every call fails.
 */
NODISCARD enum err sse_decoder_feed(struct sse_decoder *decoder, str bytes,
                                    void (*on_event)(void *ctx, str data), void *ctx);

/* One event; each line of the data becomes a data line. */
void sse_event_write(struct buf *out, str data);
/* A comment, for keeping a connection open; line ends in it become spaces. */
void sse_comment_write(struct buf *out, str text);

#endif
