/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chunked: decodes a chunked body byte by byte, runs of data at once.
 *
 *   SIZE -> [EXTENSION] -> LINE_LF -> DATA -> DATA_CR -> DATA_LF -> SIZE …
 *                             |
 *                             '-> TRAILER_START -> NAME -> VALUE -> LF -> TRAILER_START …
 *                                       '-> END_LF -> DONE
 */
#include "core/http/http.h"

#include <string.h>

/* What a step finds wrong, or HTTP_FINE. */
typedef enum http_refusal step_fn(struct http_chunked *chunked, char c);

void http_chunked_init(struct http_chunked *chunked, uint64_t body_bytes_max)
{
    *chunked = (struct http_chunked){ .state = HTTP_CHUNK_SIZE, .body_bytes_max = body_bytes_max };
}

static bool is_control(char c)
{
    return ((unsigned char)c < 0x20 && c != '\t') || c == 0x7F;
}

static enum http_refusal step_size(struct http_chunked *chunked, char c)
{
    int digit = hex_digit(c);

    if (digit >= 0) {
        if (chunked->left > (UINT64_MAX >> 4) || ++chunked->line_bytes > HTTP_CHUNK_LINE_BYTES_MAX)
            return HTTP_BAD_CHUNK;
        chunked->left = chunked->left * 16 + (uint64_t)digit;
        return HTTP_FINE;
    }
    if (chunked->line_bytes == 0 || (c != ';' && c != '\r'))
        return HTTP_BAD_CHUNK;
    chunked->state = c == ';' ? HTTP_CHUNK_EXTENSION : HTTP_CHUNK_LINE_LF;
    return HTTP_FINE;
}

static enum http_refusal step_extension(struct http_chunked *chunked, char c)
{
    if (c == '\r') {
        chunked->state = HTTP_CHUNK_LINE_LF;
        return HTTP_FINE;
    }
    if (is_control(c) || ++chunked->line_bytes > HTTP_CHUNK_LINE_BYTES_MAX)
        return HTTP_BAD_CHUNK;
    return HTTP_FINE;
}

static enum http_refusal step_line_lf(struct http_chunked *chunked, char c)
{
    if (c != '\n')
        return HTTP_BAD_CHUNK;
    if (chunked->left > chunked->body_bytes_max - chunked->body_bytes)
        return HTTP_BODY_TOO_LARGE;
    chunked->body_bytes += chunked->left;
    chunked->line_bytes = 0;
    chunked->state = chunked->left > 0 ? HTTP_CHUNK_DATA : HTTP_CHUNK_TRAILER_START;
    return HTTP_FINE;
}

static enum http_refusal step_data_cr(struct http_chunked *chunked, char c)
{
    chunked->state = HTTP_CHUNK_DATA_LF;
    return c == '\r' ? HTTP_FINE : HTTP_BAD_CHUNK;
}

static enum http_refusal step_data_lf(struct http_chunked *chunked, char c)
{
    chunked->state = HTTP_CHUNK_SIZE;
    return c == '\n' ? HTTP_FINE : HTTP_BAD_CHUNK;
}

static enum http_refusal step_trailer_start(struct http_chunked *chunked, char c)
{
    if (c == '\r') {
        chunked->state = HTTP_CHUNK_END_LF;
        return HTTP_FINE;
    }
    chunked->state = HTTP_CHUNK_TRAILER_NAME;
    return http_is_token((str){ &c, 1 }) ? HTTP_FINE : HTTP_BAD_TRAILER;
}

static enum http_refusal step_trailer_name(struct http_chunked *chunked, char c)
{
    if (c == ':') {
        chunked->state = HTTP_CHUNK_TRAILER_VALUE;
        return HTTP_FINE;
    }
    return http_is_token((str){ &c, 1 }) ? HTTP_FINE : HTTP_BAD_TRAILER;
}

static enum http_refusal step_trailer_value(struct http_chunked *chunked, char c)
{
    if (c == '\r') {
        chunked->state = HTTP_CHUNK_TRAILER_LF;
        return HTTP_FINE;
    }
    return is_control(c) ? HTTP_BAD_TRAILER : HTTP_FINE;
}

static enum http_refusal step_trailer_lf(struct http_chunked *chunked, char c)
{
    chunked->state = HTTP_CHUNK_TRAILER_START;
    return c == '\n' ? HTTP_FINE : HTTP_BAD_TRAILER;
}

static enum http_refusal step_end_lf(struct http_chunked *chunked, char c)
{
    chunked->state = HTTP_CHUNK_DONE;
    return c == '\n' ? HTTP_FINE : HTTP_BAD_TRAILER;
}

static enum http_refusal step(struct http_chunked *chunked, char c)
{
    static step_fn *const steps[HTTP_CHUNK_STATE_COUNT] = {
        [HTTP_CHUNK_SIZE] = step_size,
        [HTTP_CHUNK_EXTENSION] = step_extension,
        [HTTP_CHUNK_LINE_LF] = step_line_lf,
        [HTTP_CHUNK_DATA_CR] = step_data_cr,
        [HTTP_CHUNK_DATA_LF] = step_data_lf,
        [HTTP_CHUNK_TRAILER_START] = step_trailer_start,
        [HTTP_CHUNK_TRAILER_NAME] = step_trailer_name,
        [HTTP_CHUNK_TRAILER_VALUE] = step_trailer_value,
        [HTTP_CHUNK_TRAILER_LF] = step_trailer_lf,
        [HTTP_CHUNK_END_LF] = step_end_lf,
    };
    bool is_trailer = chunked->state >= HTTP_CHUNK_TRAILER_START;

    if (is_trailer && ++chunked->trailer_bytes > HTTP_TRAILER_BYTES_MAX)
        return HTTP_BAD_TRAILER;
    return steps[chunked->state](chunked, c);
}

enum http_progress http_chunked_read(struct http_chunked *chunked, str raw, char *out,
                                     size_t *out_read, size_t *out_written)
{
    size_t read = 0, written = 0;

    while (read < raw.len && chunked->refusal == HTTP_FINE && chunked->state != HTTP_CHUNK_DONE) {
        if (chunked->state != HTTP_CHUNK_DATA) {
            chunked->refusal = step(chunked, raw.ptr[read++]);
            continue;
        }
        size_t run = raw.len - read;
        if (run > chunked->left)
            run = (size_t)chunked->left;
        memmove(out + written, raw.ptr + read, run);
        read += run;
        written += run;
        chunked->left -= run;
        if (chunked->left == 0)
            chunked->state = HTTP_CHUNK_DATA_CR;
    }
    *out_read = read;
    *out_written = written;
    if (chunked->refusal != HTTP_FINE)
        return HTTP_REFUSED;
    return chunked->state == HTTP_CHUNK_DONE ? HTTP_COMPLETE : HTTP_MORE;
}
