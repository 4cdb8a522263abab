/* SPDX-License-Identifier: Apache-2.0 */
/* count: whole texts and streams: one piece after the other. */
#include <string.h>

#include "core/tokens/tokens_internal.h"

#define TEXT_MAX (TOKEN_PIECE_MAX / 3) /* each byte may be replaced by three */
#define PENDING_MIN ((size_t)256)

static enum err piece_add(const struct token_table *table, struct token_scratch *scratch,
                          const struct token_piece *piece, int64_t *count)
{
    str bytes = piece->bytes;
    int64_t tokens;

    if (bytes.len > TEXT_MAX)
        return CALLER_TOO_LARGE;
    if (piece->has_invalid) {
        if (scratch->clean_cap < 3 * bytes.len) {
            uint8_t *clean = arena_alloc(scratch->arena, 6 * bytes.len);
            if (!clean)
                return WEIR_NO_MEMORY;
            scratch->clean = clean;
            scratch->clean_cap = 6 * bytes.len;
        }
        bytes = (str){ (const char *)scratch->clean, token_text_clean(bytes, scratch->clean) };
    }
    enum err e = token_piece_count(table, scratch, bytes, &tokens);
    if (e == OK)
        *count += tokens;
    return e;
}

/* Counts the pieces of a text; with keep_open, only up to the first that may go on behind it. *out_used: bytes counted. */
static enum err pieces_add(const struct token_table *table, struct token_scratch *scratch, str text,
                           bool keep_open, size_t *out_used, int64_t *count)
{
    size_t at = 0;

    while (at < text.len) {
        str rest = { text.ptr + at, text.len - at };
        struct token_piece piece = token_piece_read(table->encoding, rest);
        if (keep_open && piece.is_open)
            break;
        enum err e = piece_add(table, scratch, &piece, count);
        if (e != OK)
            return e;
        at += piece.bytes.len;
    }
    *out_used = at;
    return OK;
}

enum err token_count(const struct token_table *table, str text, struct arena *arena,
                     int64_t *out_count)
{
    struct token_scratch scratch = { .arena = arena };
    int64_t count = 0;
    size_t used;

    enum err e = pieces_add(table, &scratch, text, false, &used, &count);
    if (e == OK)
        *out_count = count;
    return e;
}

void token_stream_init(struct token_stream *stream, const struct token_table *table,
                       struct arena *arena)
{
    *stream = (struct token_stream){ .table = table, .scratch.arena = arena, .due = PENDING_MIN };
}

static enum err pending_add(struct token_stream *stream, str bytes)
{
    size_t need = stream->pending_len + bytes.len;

    if (need > TEXT_MAX)
        return CALLER_TOO_LARGE;
    if (need > stream->pending_cap) {
        size_t cap = need > PENDING_MIN ? 2 * need : 2 * PENDING_MIN;
        uint8_t *moved = arena_alloc(stream->scratch.arena, cap);
        if (!moved)
            return WEIR_NO_MEMORY;
        if (stream->pending_len > 0)
            memcpy(moved, stream->pending, stream->pending_len);
        stream->pending = moved;
        stream->pending_cap = cap;
    }
    memcpy(stream->pending + stream->pending_len, bytes.ptr, bytes.len);
    stream->pending_len = need;
    return OK;
}

/* What stays pending must double before it is looked at again, so a piece that never ends costs linear time. */
static enum err pending_settle(struct token_stream *stream)
{
    str pending = { (const char *)stream->pending, stream->pending_len };
    size_t used = 0;

    enum err e =
        pieces_add(stream->table, &stream->scratch, pending, true, &used, &stream->settled);
    if (e != OK)
        return e;
    stream->pending_len -= used;
    memmove(stream->pending, stream->pending + used, stream->pending_len);
    stream->due = 2 * stream->pending_len > PENDING_MIN ? 2 * stream->pending_len : PENDING_MIN;
    return OK;
}

#define FEED_STEP ((size_t)64 << 10)

enum err token_stream_feed(struct token_stream *stream, str bytes)
{
    while (stream->result == OK && bytes.len > 0) {
        str part = str_slice(bytes, 0, FEED_STEP);
        bytes = str_slice(bytes, part.len, bytes.len);
        stream->result = pending_add(stream, part);
        if (stream->result == OK && stream->pending_len >= stream->due)
            stream->result = pending_settle(stream);
    }
    return stream->result;
}

enum err token_stream_count(struct token_stream *stream, int64_t *out_count)
{
    str pending = { (const char *)stream->pending, stream->pending_len };
    int64_t count = stream->settled;
    size_t used;

    if (stream->result != OK)
        return stream->result;
    stream->result = pieces_add(stream->table, &stream->scratch, pending, false, &used, &count);
    if (stream->result == OK)
        *out_count = count;
    return stream->result;
}
