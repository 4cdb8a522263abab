/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target of the HTTP codec: the first byte seeds the splits, the rest is a request. Reading it
 * whole and in pieces must find the same.
 */
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "core/http/http.h"

#define HEAD_MAX 512
#define BODY_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct reading {
    struct http_head head;
    enum http_progress progress; /* of the head, then of the body */
    enum http_refusal body_refusal;
    size_t body_read;
    struct buf body;
};

static void must(bool condition)
{
    if (!condition)
        abort();
}

static size_t next_end(struct rng *rng, size_t at, size_t len)
{
    size_t end = rng ? at + 1 + (size_t)rng_below(rng, 9) : len;

    return end < len ? end : len;
}

static void read_body(struct reading *r, str raw, struct rng *rng)
{
    struct http_chunked chunked;

    http_chunked_init(&chunked, BODY_MAX);
    r->progress = HTTP_MORE;
    while (r->body_read < raw.len && r->progress == HTTP_MORE) {
        size_t end = next_end(rng, r->body_read, raw.len), read, written;
        str piece = str_slice(raw, r->body_read, end);
        char *room = buf_reserve(&r->body, piece.len);
        must(room != NULL);
        r->progress = http_chunked_read(&chunked, piece, room, &read, &written);
        must(read <= piece.len && written <= read);
        must(r->progress != HTTP_MORE || read == piece.len);
        r->body.len += written;
        r->body_read += read;
    }
    r->body_refusal = chunked.refusal;
    must((r->progress == HTTP_REFUSED) == (chunked.refusal != HTTP_FINE));
    must(r->progress != HTTP_COMPLETE || chunked.body_bytes == r->body.len);
    must(r->body.len <= BODY_MAX);
}

static void read_request(struct reading *r, str bytes, struct rng *rng)
{
    http_head_init(&r->head);
    r->progress = HTTP_MORE;
    for (size_t at = 0; at < bytes.len && r->progress == HTTP_MORE;) {
        at = next_end(rng, at, bytes.len);
        r->progress = http_head_read(&r->head, str_slice(bytes, 0, at), HEAD_MAX);
    }
    must((r->progress == HTTP_REFUSED) == (r->head.refusal != HTTP_FINE));
    if (r->progress == HTTP_COMPLETE && r->head.is_chunked)
        read_body(r, str_slice(bytes, r->head.size, bytes.len), rng);
}

static void check_head(const struct http_head *head, str bytes)
{
    str lines = http_span_str(head->lines, bytes);
    struct http_header header;
    size_t count = 0;

    must(head->size <= HEAD_MAX && head->size <= bytes.len);
    must(http_is_token(http_span_str(head->method, bytes)));
    must(!head->is_chunked || head->content_length == 0);
    while (http_header_next(&lines, &header)) {
        must(http_is_token(header.name));
        must(str_find_char(header.value, '\r') == STR_NPOS);
        must(str_find_char(header.value, '\n') == STR_NPOS);
        must(str_find_char(header.value, '\0') == STR_NPOS);
        count++;
    }
    must(lines.len == 0 && count <= HTTP_HEADERS_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reading whole = { .body_read = 0 }, split = { .body_read = 0 };
    struct rng rng;

    if (size == 0)
        return 0;
    str bytes = { (const char *)data + 1, size - 1 };
    rng_init(&rng, data[0]);
    read_request(&whole, bytes, NULL);
    read_request(&split, bytes, &rng);
    must(whole.progress == split.progress && whole.head.refusal == split.head.refusal);
    must(whole.body_refusal == split.body_refusal && whole.body_read == split.body_read);
    must(str_eq(buf_str(&whole.body), buf_str(&split.body)));
    if (whole.head.size > 0) {
        must(memcmp(&whole.head.method, &split.head.method, sizeof(struct http_span)) == 0);
        must(memcmp(&whole.head.path, &split.head.path, sizeof(struct http_span)) == 0);
        must(memcmp(&whole.head.query, &split.head.query, sizeof(struct http_span)) == 0);
        must(memcmp(&whole.head.lines, &split.head.lines, sizeof(struct http_span)) == 0);
        must(whole.head.size == split.head.size);
        must(whole.head.content_length == split.head.content_length);
        check_head(&whole.head, bytes);
    }
    buf_fini(&whole.body);
    buf_fini(&split.body);
    return 0;
}
