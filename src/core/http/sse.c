/* SPDX-License-Identifier: Apache-2.0 */
/* sse: see sse.h. Nothing is copied while an event of one data line lies within one call's bytes. */
#include "core/http/sse.h"

#include <string.h>

#define LINE_SLACK_BYTES 64 /* a field's name, its colon, a byte order mark */
#define LINE_SEARCH_BYTES 512

void sse_decoder_init(struct sse_decoder *decoder, size_t event_bytes_max)
{
    assert(event_bytes_max > 0 && event_bytes_max < SIZE_MAX / 4);
    *decoder = (struct sse_decoder){ .event_bytes_max = event_bytes_max };
    decoder->line.max = event_bytes_max + LINE_SLACK_BYTES;
    decoder->data.max = event_bytes_max;
}

void sse_decoder_fini(struct sse_decoder *decoder)
{
    buf_fini(&decoder->line);
    buf_fini(&decoder->data);
}

/* Moves the data line out of the caller's bytes. */
static void data_keep(struct sse_decoder *decoder)
{
    if (!decoder->is_data_near || decoder->result != OK)
        return;
    decoder->is_data_near = false;
    buf_reset(&decoder->data);
    buf_add(&decoder->data, decoder->data_near);
    if (decoder->data.failed)
        decoder->result = WEIR_NO_MEMORY;
}

static void data_add(struct sse_decoder *decoder, str value)
{
    if (!decoder->has_data) {
        decoder->has_data = true;
        decoder->is_data_near = true;
        decoder->data_near = value;
        if (value.len > decoder->event_bytes_max)
            decoder->result = PROVIDER_GARBAGE;
        return;
    }
    data_keep(decoder);
    if (decoder->result != OK)
        return;
    if (value.len + 1 > decoder->event_bytes_max - decoder->data.len) {
        decoder->result = PROVIDER_GARBAGE;
        return;
    }
    buf_add_char(&decoder->data, '\n');
    buf_add(&decoder->data, value);
    if (decoder->data.failed)
        decoder->result = WEIR_NO_MEMORY;
}

static void event_end(struct sse_decoder *decoder, void (*on_event)(void *ctx, str data), void *ctx)
{
    if (!decoder->has_data)
        return;
    str data = decoder->is_data_near ? decoder->data_near : buf_str(&decoder->data);
    decoder->has_data = false;
    decoder->is_data_near = false;
    on_event(ctx, data);
}

static void line_take(struct sse_decoder *decoder, str line, void (*on_event)(void *ctx, str data),
                      void *ctx)
{
    if (!decoder->has_begun && str_starts(line, STR("\xEF\xBB\xBF")))
        line = str_slice(line, 3, line.len);
    decoder->has_begun = true;
    if (line.len == 0) {
        event_end(decoder, on_event, ctx);
        return;
    }
    size_t colon = str_find_char(line, ':');
    if (!str_eq(str_slice(line, 0, colon), STR("data")))
        return; /* a comment has nothing before its colon */
    str value = colon == STR_NPOS ? STR("") : str_slice(line, colon + 1, line.len);
    if (value.len > 0 && value.ptr[0] == ' ')
        value = str_slice(value, 1, value.len);
    data_add(decoder, value);
}

/* The offset of the first CR or LF, or STR_NPOS. In steps, so that a text with only one kind of line
 * end is not searched to its end for the other kind at every line. */
static size_t line_end_find(str bytes)
{
    for (size_t at = 0; at < bytes.len; at += LINE_SEARCH_BYTES) {
        str step = str_slice(bytes, at, at + LINE_SEARCH_BYTES);
        size_t feed = str_find_char(step, '\n');
        size_t carriage = str_find_char(str_slice(step, 0, feed), '\r');
        size_t first = carriage < feed ? carriage : feed;
        if (first != STR_NPOS)
            return at + first;
    }
    return STR_NPOS;
}

static void line_keep(struct sse_decoder *decoder, str part)
{
    if (part.len > decoder->line.max - decoder->line.len) {
        decoder->result = PROVIDER_GARBAGE;
        return;
    }
    buf_add(&decoder->line, part);
    if (decoder->line.failed)
        decoder->result = WEIR_NO_MEMORY;
}

enum err sse_decoder_feed(struct sse_decoder *decoder, str bytes,
                          void (*on_event)(void *ctx, str data), void *ctx)
{
    while (decoder->result == OK && bytes.len > 0) {
        if (decoder->is_after_cr) {
            decoder->is_after_cr = false;
            if (bytes.ptr[0] == '\n') {
                bytes = str_slice(bytes, 1, bytes.len);
                continue;
            }
        }
        size_t end = line_end_find(bytes);
        str part = str_slice(bytes, 0, end);
        if (end == STR_NPOS || decoder->line.len > 0 || part.len > decoder->line.max)
            line_keep(decoder, part);
        if (end == STR_NPOS || decoder->result != OK)
            break;
        bool is_kept = decoder->line.len > 0;
        line_take(decoder, is_kept ? buf_str(&decoder->line) : part, on_event, ctx);
        if (is_kept) {
            data_keep(decoder); /* the line's memory is used again */
            buf_reset(&decoder->line);
        }
        decoder->is_after_cr = bytes.ptr[end] == '\r';
        bytes = str_slice(bytes, end + 1, bytes.len);
    }
    data_keep(decoder);
    return decoder->result;
}

void sse_event_write(struct buf *out, str data)
{
    for (;;) {
        size_t end = line_end_find(data);
        buf_add(out, STR("data: "));
        buf_add(out, str_slice(data, 0, end));
        buf_add_char(out, '\n');
        if (end == STR_NPOS)
            break;
        bool is_pair = data.ptr[end] == '\r' && end + 1 < data.len && data.ptr[end + 1] == '\n';
        data = str_slice(data, end + (is_pair ? 2 : 1), data.len);
    }
    buf_add_char(out, '\n');
}

void sse_comment_write(struct buf *out, str text)
{
    buf_add(out, STR(": "));
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        buf_add_char(out, c == '\r' || c == '\n' ? ' ' : c);
    }
    buf_add(out, STR("\n\n"));
}
