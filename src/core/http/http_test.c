/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the HTTP codec: what is refused and why, what is accepted, and that splits change nothing. */
#include <stdlib.h>
#include <string.h>

#include "test/check.h"

#include "base/rng.h"
#include "core/http/http.h"

/* STR() for constant tables. */
#define TEXT(literal)                                                                              \
    {                                                                                              \
        (literal), sizeof(literal) - 1                                                             \
    }

#define HEAD_MAX 1024

/* Reads a head as a whole and in every split into two, and wants the same of all. */
static enum http_progress read_head(str bytes, size_t bytes_max, struct http_head *out)
{
    struct http_head split;

    http_head_init(out);
    enum http_progress progress = http_head_read(out, bytes, bytes_max);
    for (size_t i = 0; i < bytes.len; i++) {
        http_head_init(&split);
        IGNORE(http_head_read(&split, str_slice(bytes, 0, i), bytes_max));
        CHECK_INT(http_head_read(&split, bytes, bytes_max), progress);
        CHECK_INT(split.refusal, out->refusal);
        CHECK_INT(split.size, out->size);
    }
    return progress;
}

static void refuses(str bytes, enum http_refusal why, int status)
{
    struct http_head head;

    CHECK_INT(read_head(bytes, HEAD_MAX, &head), HTTP_REFUSED);
    CHECK_STR(str_from(http_refusal_info(head.refusal)->name),
              str_from(http_refusal_info(why)->name));
    CHECK_INT(http_refusal_info(head.refusal)->status, status);
}

/* A request to example.org with the given header lines. */
#define REQUEST(lines) STR("POST /x HTTP/1.1\r\nHost: example.org\r\n" lines "\r\n")

/* ---- the vectors by which one request could smuggle another ---- */

static void refuses_a_bare_cr_before_a_header(void)
{
    refuses(REQUEST("X-Abc: \rTransfer-Encoding: chunked\r\n"), HTTP_BARE_CR, 400);
}

static void refuses_folded_header_lines(void)
{
    refuses(REQUEST("X-Abc: 1\r\n 2\r\n"), HTTP_FOLDED_LINE, 400);
    refuses(REQUEST("X-Abc: 1\r\n\tTransfer-Encoding: chunked\r\n"), HTTP_FOLDED_LINE, 400);
}

static void refuses_a_space_before_the_first_header(void)
{
    refuses(STR("GET / HTTP/1.1\r\n Host: a\r\n\r\n"), HTTP_FOLDED_LINE, 400);
}

static void refuses_a_space_before_a_colon(void)
{
    refuses(REQUEST("Content-Length : 5\r\n"), HTTP_BAD_HEADER_NAME, 400);
    refuses(REQUEST("Transfer-Encoding\t: chunked\r\n"), HTTP_BAD_HEADER_NAME, 400);
}

static void refuses_bare_line_feeds(void)
{
    refuses(STR("GET / HTTP/1.1\nHost: a\n\n"), HTTP_BARE_LF, 400);
    refuses(REQUEST("X: 1\nContent-Length: 5\r\n"), HTTP_BARE_LF, 400);
    refuses(STR("GET / HTTP/1.1\r\nHost: a\r\n\n"), HTTP_BARE_LF, 400);
}

static void refuses_a_cr_and_another_byte_as_the_end_of_headers(void)
{
    refuses(STR("GET / HTTP/1.1\r\nHost: a\r\n\rX"), HTTP_BARE_CR, 400);
}

static void refuses_a_length_beside_chunks(void)
{
    refuses(REQUEST("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), HTTP_LENGTH_AND_CHUNKS,
            400);
    refuses(REQUEST("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), HTTP_LENGTH_AND_CHUNKS,
            400);
}

static void refuses_repeated_lengths(void)
{
    refuses(REQUEST("Content-Length: 5\r\nContent-Length: 6\r\n"), HTTP_REPEATED_LENGTH, 400);
    refuses(REQUEST("Content-Length: 5\r\ncontent-length: 5\r\n"), HTTP_REPEATED_LENGTH, 400);
    refuses(REQUEST("Content-Length: 5, 5\r\n"), HTTP_BAD_LENGTH, 400);
}

static void refuses_lengths_that_are_no_plain_number(void)
{
    refuses(REQUEST("Content-Length: +5\r\n"), HTTP_BAD_LENGTH, 400);
    refuses(REQUEST("Content-Length: -5\r\n"), HTTP_BAD_LENGTH, 400);
    refuses(REQUEST("Content-Length: 0x5\r\n"), HTTP_BAD_LENGTH, 400);
    refuses(REQUEST("Content-Length: 5 5\r\n"), HTTP_BAD_LENGTH, 400);
    refuses(REQUEST("Content-Length:\r\n"), HTTP_BAD_LENGTH, 400);
    refuses(REQUEST("Content-Length: 18446744073709551616\r\n"), HTTP_BAD_LENGTH, 400);
}

static void refuses_lists_of_codings(void)
{
    refuses(REQUEST("Transfer-Encoding: gzip, chunked\r\n"), HTTP_BAD_CODING, 400);
    refuses(REQUEST("Transfer-Encoding: chunked, identity\r\n"), HTTP_BAD_CODING, 400);
    refuses(REQUEST("Transfer-Encoding: identity\r\n"), HTTP_BAD_CODING, 400);
    refuses(REQUEST("Transfer-Encoding: xchunked\r\n"), HTTP_BAD_CODING, 400);
    refuses(REQUEST("Transfer-Encoding: chunked;q=1\r\n"), HTTP_BAD_CODING, 400);
    refuses(REQUEST("Transfer-Encoding:\r\n"), HTTP_BAD_CODING, 400);
    refuses(STR("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), HTTP_BAD_CODING, 400);
}

static void refuses_repeated_codings(void)
{
    refuses(REQUEST("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
            HTTP_REPEATED_CODING, 400);
}

static void refuses_control_bytes_in_values(void)
{
    refuses(REQUEST("X: a\0b\r\n"), HTTP_CONTROL_BYTE, 400);
    refuses(REQUEST("X: a\x01"
                    "b\r\n"),
            HTTP_CONTROL_BYTE, 400);
    refuses(REQUEST("X: a\x0b"
                    "b\r\n"),
            HTTP_CONTROL_BYTE, 400);
    refuses(REQUEST("X: a\x7f"
                    "b\r\n"),
            HTTP_CONTROL_BYTE, 400);
}

static void refuses_every_control_byte_at_every_place(void)
{
    for (unsigned c = 0; c < 0x100; c++) {
        bool is_control = (c < 0x20 && c != '\t' && c != '\r' && c != '\n') || c == 0x7F;
        for (size_t at = 40; is_control && at < 60; at++) {
            char text[] =
                "POST /x HTTP/1.1\r\nHost: example.org\r\nX: 0123456789012345678901\r\n\r\n";
            struct http_head head;
            text[at] = (char)c;
            http_head_init(&head);
            CHECK_INT(http_head_read(&head, (str){ text, sizeof(text) - 1 }, HEAD_MAX),
                      HTTP_REFUSED);
            CHECK_INT(head.refusal, HTTP_CONTROL_BYTE);
        }
    }
}

static void refuses_repeated_hosts(void)
{
    refuses(REQUEST("Host: example.org\r\n"), HTTP_REPEATED_HOST, 400);
    refuses(STR("GET / HTTP/1.0\r\nHost: a\r\nhOST: b\r\n\r\n"), HTTP_REPEATED_HOST, 400);
}

/* ---- other refusals ---- */

static void refuses_malformed_request_lines(void)
{
    static const struct {
        str line;
        enum http_refusal why;
        int status;
    } cases[] = {
        { TEXT("GET /\r\n"), HTTP_BAD_REQUEST_LINE, 400 },
        { TEXT("GET\r\n"), HTTP_BAD_REQUEST_LINE, 400 },
        { TEXT("GET  / HTTP/1.1\r\n"), HTTP_BAD_REQUEST_LINE, 400 },
        { TEXT("GET / HTTP/1.1 \r\n"), HTTP_BAD_REQUEST_LINE, 400 },
        { TEXT("GET /a b HTTP/1.1\r\n"), HTTP_BAD_REQUEST_LINE, 400 },
        { TEXT(" GET / HTTP/1.1\r\n"), HTTP_BAD_REQUEST_LINE, 400 },
        { TEXT("\r\n\r\nGET / HTTP/1.1\r\n"), HTTP_EMPTY_LINES, 400 },
        { TEXT("G@T / HTTP/1.1\r\n"), HTTP_BAD_METHOD, 400 },
        { TEXT("ABCDEFGHIJKLMNOPQRSTU / HTTP/1.1\r\n"), HTTP_BAD_METHOD, 400 },
        { TEXT("GET x HTTP/1.1\r\n"), HTTP_BAD_TARGET, 400 },
        { TEXT("GET * HTTP/1.1\r\n"), HTTP_BAD_TARGET, 400 },
        { TEXT("CONNECT a:443 HTTP/1.1\r\n"), HTTP_BAD_TARGET, 400 },
        { TEXT("GET /#a HTTP/1.1\r\n"), HTTP_BAD_TARGET, 400 },
        { TEXT("GET /\xc3\xa9 HTTP/1.1\r\n"), HTTP_BAD_TARGET, 400 },
        { TEXT("GET /%4 HTTP/1.1\r\n"), HTTP_BAD_TARGET, 400 },
        { TEXT("GET /%4g HTTP/1.1\r\n"), HTTP_BAD_TARGET, 400 },
        { TEXT("GET /%41%zz HTTP/1.1\r\n"), HTTP_BAD_TARGET, 400 },
        { TEXT("GET http:///x HTTP/1.1\r\n"), HTTP_BAD_TARGET, 400 },
        { TEXT("GET http://a@b/x HTTP/1.1\r\n"), HTTP_BAD_TARGET, 400 },
        { TEXT("GET ftp://a/x HTTP/1.1\r\n"), HTTP_BAD_TARGET, 400 },
        { TEXT("GET / HTTP/2.0\r\n"), HTTP_BAD_VERSION, 505 },
        { TEXT("GET / HTTP/1.2\r\n"), HTTP_BAD_VERSION, 505 },
        { TEXT("GET / HTTP/0.9\r\n"), HTTP_BAD_VERSION, 505 },
        { TEXT("GET / HTTP/11\r\n"), HTTP_BAD_REQUEST_LINE, 400 },
        { TEXT("GET / http/1.1\r\n"), HTTP_BAD_REQUEST_LINE, 400 },
        { TEXT("GET / HTTP/1.1x\r\n"), HTTP_BAD_REQUEST_LINE, 400 },
        { TEXT("GET / HTTP/1,1\r\n"), HTTP_BAD_REQUEST_LINE, 400 },
        { TEXT("\x16\x03\x01\x02"), HTTP_CONTROL_BYTE, 400 }, /* TLS on a plain port */
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        refuses(cases[i].line, cases[i].why, cases[i].status);
}

static void refuses_the_preface_of_http_2(void)
{
    refuses(STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), HTTP_BAD_VERSION, 505);
}

static void refuses_malformed_headers(void)
{
    refuses(STR("GET / HTTP/1.1\r\n\r\n"), HTTP_NO_HOST, 400);
    refuses(STR("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"), HTTP_BAD_HOST, 400);
    refuses(STR("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), HTTP_BAD_HOST, 400);
    refuses(REQUEST(": 1\r\n"), HTTP_BAD_HEADER_NAME, 400);
    refuses(REQUEST("nothing\r\n"), HTTP_BAD_HEADER_NAME, 400);
    refuses(REQUEST("a b: 1\r\n"), HTTP_BAD_HEADER_NAME, 400);
    refuses(REQUEST("a\xc3\xa9: 1\r\n"), HTTP_BAD_HEADER_NAME, 400);
    refuses(REQUEST("Connection: a b\r\n"), HTTP_BAD_CONNECTION, 400);
    refuses(REQUEST("Expect: 200-ok\r\n"), HTTP_BAD_EXPECTATION, 417);
}

static void refuses_large_heads_at_the_same_byte_however_they_come(void)
{
    str whole = STR("GET / HTTP/1.1\r\nHost: a\r\nX: 12345\r\n\r\n");
    struct http_head head;

    CHECK_INT(read_head(whole, whole.len, &head), HTTP_COMPLETE);
    for (size_t max = 0; max < whole.len; max++) {
        CHECK_INT(read_head(whole, max, &head), HTTP_REFUSED);
        CHECK_INT(head.refusal, HTTP_HEAD_TOO_LARGE);
        CHECK_INT(http_refusal_info(head.refusal)->status, 431);
    }
}

static void refuses_too_many_headers(void)
{
    struct buf text = { 0 };
    struct http_head head;

    buf_add(&text, STR("GET / HTTP/1.1\r\nHost: a\r\n"));
    for (int i = 1; i < HTTP_HEADERS_MAX; i++)
        buf_printf(&text, "x%d: 1\r\n", i);
    size_t fits = text.len;
    buf_add(&text, STR("\r\n"));
    http_head_init(&head);
    CHECK_INT(http_head_read(&head, buf_str(&text), 65536), HTTP_COMPLETE);
    text.len = fits;
    buf_add(&text, STR("y: 1\r\n\r\n"));
    http_head_init(&head);
    CHECK_INT(http_head_read(&head, buf_str(&text), 65536), HTTP_REFUSED);
    CHECK_INT(head.refusal, HTTP_TOO_MANY_HEADERS);
    buf_fini(&text);
}

static void a_refusal_is_final(void)
{
    struct http_head head;

    http_head_init(&head);
    CHECK_INT(http_head_read(&head, STR("GET\n"), HEAD_MAX), HTTP_REFUSED);
    CHECK_INT(http_head_read(&head, REQUEST(""), HEAD_MAX), HTTP_REFUSED);
    CHECK_INT(head.refusal, HTTP_BARE_LF);
}

/* ---- what is accepted ---- */

static void reads_a_request(void)
{
    str bytes = STR("\r\nPOST /v1/chat%20x?a=b&c=?d HTTP/1.1\r\nHost: [::1]:8080\r\n"
                    "Content-Length: 12\r\nX-Empty:\r\nx-tab:\ta\tb \t\r\nX-Utf8: \xc3\xa9\r\n"
                    "Expect: 100-Continue\r\nX-Tab: second\r\n\r\nbody");
    struct http_head head;

    REQUIRE(read_head(bytes, HEAD_MAX, &head) == HTTP_COMPLETE);
    CHECK_STR(http_span_str(head.method, bytes), STR("POST"));
    CHECK_STR(http_span_str(head.path, bytes), STR("/v1/chat%20x"));
    CHECK_STR(http_span_str(head.query, bytes), STR("a=b&c=?d"));
    CHECK_INT(head.minor, 1);
    CHECK_INT(head.content_length, 12);
    CHECK(head.expects_continue && head.is_keep_alive && !head.is_chunked);
    CHECK_STR(str_slice(bytes, head.size, bytes.len), STR("body"));
    str lines = http_span_str(head.lines, bytes);
    CHECK_STR(http_header_find(lines, STR("X-TAB")), STR("a\tb"));
    CHECK_STR(http_header_find(lines, STR("x-utf8")), STR("\xc3\xa9"));
    CHECK_STR(http_header_find(lines, STR("x-empty")), STR(""));
    CHECK(http_header_find(lines, STR("x-empty")).ptr != NULL);
    CHECK(http_header_find(lines, STR("x-absent")).ptr == NULL);
    size_t count = 0;
    for (struct http_header header; http_header_next(&lines, &header);)
        count++;
    CHECK_INT(count, 7);
}

static void knows_how_long_a_connection_lives(void)
{
    static const struct {
        const char *version, *line;
        bool is_keep_alive;
    } cases[] = {
        { "1.1", "", true },
        { "1.1", "Connection: close\r\n", false },
        { "1.1", "Connection: Keep-Alive, Close\r\n", false },
        { "1.1", "Connection: upgrade\r\nConnection: ,close\r\n", false },
        { "1.1", "Connection: closed\r\n", true },
        { "1.0", "", false },
        { "1.0", "Connection: keep-alive\r\n", true },
        { "1.0", "Connection: keep-alive, close\r\n", false },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf text = { 0 };
        struct http_head head;
        buf_printf(&text, "GET / HTTP/%s\r\nHost: a\r\n%s\r\n", cases[i].version, cases[i].line);
        CHECK_INT(read_head(buf_str(&text), HEAD_MAX, &head), HTTP_COMPLETE);
        CHECK_INT(head.is_keep_alive, cases[i].is_keep_alive);
        buf_fini(&text);
    }
}

static void reads_other_forms_of_targets(void)
{
    static const struct {
        str line, path, query;
    } cases[] = {
        { TEXT("GET http://a:1/x?y HTTP/1.1\r\nHost: a\r\n\r\n"), TEXT("/x"), TEXT("y") },
        { TEXT("GET HTTPS://a HTTP/1.1\r\nHost: a\r\n\r\n"), TEXT(""), TEXT("") },
        { TEXT("GET http://a?y HTTP/1.1\r\nHost: a\r\n\r\n"), TEXT(""), TEXT("y") },
        { TEXT("OPTIONS * HTTP/1.1\r\nHost:\r\n\r\n"), TEXT("*"), TEXT("") },
        { TEXT("GET /? HTTP/1.0\r\n\r\n"), TEXT("/"), TEXT("") },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_head head;
        REQUIRE(read_head(cases[i].line, HEAD_MAX, &head) == HTTP_COMPLETE);
        CHECK_STR(http_span_str(head.path, cases[i].line), cases[i].path);
        CHECK_STR(http_span_str(head.query, cases[i].line), cases[i].query);
    }
}

static void expects_nothing_of_http_1_0(void)
{
    struct http_head head;

    CHECK_INT(read_head(STR("POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n"), HEAD_MAX, &head),
              HTTP_COMPLETE);
    CHECK(!head.expects_continue);
}

/* ---- chunked bodies ---- */

/* Decodes in pieces of `step` bytes, each in place. */
static enum http_progress decode(str raw, size_t step, uint64_t max, struct buf *out,
                                 enum http_refusal *out_refusal, size_t *out_read)
{
    struct http_chunked chunked;
    enum http_progress progress = HTTP_MORE;
    size_t at = 0;

    http_chunked_init(&chunked, max);
    while (at < raw.len && progress == HTTP_MORE) {
        str piece = str_slice(raw, at, at + step);
        char *room = buf_reserve(out, piece.len);
        size_t read, written;
        memcpy(room, piece.ptr, piece.len);
        progress = http_chunked_read(&chunked, (str){ room, piece.len }, room, &read, &written);
        out->len += written;
        at += read;
    }
    *out_refusal = chunked.refusal;
    *out_read = at;
    return progress;
}

static void decodes_chunks(void)
{
    static const struct {
        str raw, body;
        size_t left;
    } cases[] = {
        { TEXT("0\r\n\r\n"), TEXT(""), 0 },
        { TEXT("5\r\nhello\r\n0\r\n\r\nGET"), TEXT("hello"), 3 },
        { TEXT("5;a=\"b;c\";d\r\nhello\r\n0\r\n\r\n"), TEXT("hello"), 0 },
        { TEXT("000A\r\n0123456789\r\n1\r\n\r\r\n00\r\n\r\n"), TEXT("0123456789\r"), 0 },
        { TEXT("1\r\na\r\n0\r\nX-T: 1\r\nY:\r\n\r\nZ"), TEXT("a"), 1 },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (size_t step = 1; step <= cases[i].raw.len; step++) {
            struct buf out = { 0 };
            enum http_refusal refusal;
            size_t read;
            CHECK_INT(decode(cases[i].raw, step, 100, &out, &refusal, &read), HTTP_COMPLETE);
            CHECK_STR(buf_str(&out), cases[i].body);
            CHECK_INT(cases[i].raw.len - read, cases[i].left);
            buf_fini(&out);
        }
    }
}

static void chunks_are_refused(str raw, enum http_refusal why)
{
    for (size_t step = 1; step <= raw.len; step++) {
        struct buf out = { 0 };
        enum http_refusal refusal;
        size_t read;
        CHECK_INT(decode(raw, step, 100, &out, &refusal, &read), HTTP_REFUSED);
        CHECK_STR(str_from(http_refusal_info(refusal)->name),
                  str_from(http_refusal_info(why)->name));
        buf_fini(&out);
    }
}

static void refuses_a_chunk_size_with_0x(void)
{
    chunks_are_refused(STR("0x1\r\na\r\n0\r\n\r\n"), HTTP_BAD_CHUNK);
}

static void refuses_a_line_feed_inside_a_chunk_extension(void)
{
    chunks_are_refused(STR("1;a\nb\r\na\r\n0\r\n\r\n"), HTTP_BAD_CHUNK);
    chunks_are_refused(STR("1;\n"), HTTP_BAD_CHUNK);
}

static void refuses_malformed_chunks(void)
{
    chunks_are_refused(STR("\r\n"), HTTP_BAD_CHUNK);
    chunks_are_refused(STR(";a\r\n"), HTTP_BAD_CHUNK);
    chunks_are_refused(STR("-1\r\n"), HTTP_BAD_CHUNK);
    chunks_are_refused(STR("+1\r\n"), HTTP_BAD_CHUNK);
    chunks_are_refused(STR(" 1\r\n"), HTTP_BAD_CHUNK);
    chunks_are_refused(STR("1 \r\n"), HTTP_BAD_CHUNK);
    chunks_are_refused(STR("1\na\r\n"), HTTP_BAD_CHUNK);
    chunks_are_refused(STR("1\rXa\r\n"), HTTP_BAD_CHUNK);
    chunks_are_refused(STR("1\r\nab\r\n"), HTTP_BAD_CHUNK);
    chunks_are_refused(STR("1\r\na\n"), HTTP_BAD_CHUNK);
    chunks_are_refused(STR("1\r\na\rX"), HTTP_BAD_CHUNK);
    chunks_are_refused(STR("1;a\0b\r\n"), HTTP_BAD_CHUNK);
    chunks_are_refused(STR("1ffffffffffffffff\r\n"), HTTP_BAD_CHUNK);
    chunks_are_refused(STR("0\r\n\n"), HTTP_BAD_TRAILER);
    chunks_are_refused(STR("0\r\n\rX"), HTTP_BAD_TRAILER);
    chunks_are_refused(STR("0\r\n a: 1\r\n"), HTTP_BAD_TRAILER);
    chunks_are_refused(STR("0\r\na : 1\r\n"), HTTP_BAD_TRAILER);
    chunks_are_refused(STR("0\r\na\r\n"), HTTP_BAD_TRAILER);
    chunks_are_refused(STR("0\r\na: 1\n"), HTTP_BAD_TRAILER);
    chunks_are_refused(STR("0\r\na: 1\rX"), HTTP_BAD_TRAILER);
}

static void refuses_chunks_past_their_limits(void)
{
    struct buf text = { 0 };

    chunks_are_refused(STR("65\r\n"), HTTP_BODY_TOO_LARGE);
    chunks_are_refused(STR("ffffffffffffffff\r\n"), HTTP_BODY_TOO_LARGE);
    chunks_are_refused(STR("1\r\na\r\n64\r\n"), HTTP_BODY_TOO_LARGE);
    buf_add(&text, STR("1;"));
    for (int i = 0; i < HTTP_CHUNK_LINE_BYTES_MAX; i++)
        buf_add_char(&text, 'x');
    chunks_are_refused(buf_str(&text), HTTP_BAD_CHUNK);
    buf_reset(&text);
    for (int i = 0; i <= HTTP_CHUNK_LINE_BYTES_MAX; i++)
        buf_add_char(&text, '0');
    chunks_are_refused(buf_str(&text), HTTP_BAD_CHUNK);
    buf_reset(&text);
    buf_add(&text, STR("0\r\na:"));
    for (int i = 0; i < HTTP_TRAILER_BYTES_MAX; i++)
        buf_add_char(&text, 'x');
    chunks_are_refused(buf_str(&text), HTTP_BAD_TRAILER);
    buf_fini(&text);
}

static void decodes_what_it_encodes(void)
{
    struct rng rng;

    rng_init(&rng, 7);
    for (int round = 0; round < 200; round++) {
        struct buf body = { 0 }, raw = { 0 }, out = { 0 };
        char line[HTTP_CHUNK_HEAD_BYTES] = { 0 };
        for (uint64_t chunk = rng_below(&rng, 6); chunk > 0; chunk--) {
            size_t bytes = 1 + (size_t)rng_below(&rng, 300);
            size_t from = body.len;
            for (size_t i = 0; i < bytes; i++)
                buf_add_char(&body, (char)rng_below(&rng, 256));
            size_t line_len = http_chunk_head_format(bytes, line);
            buf_add(&raw, (str){ line, line_len });
            buf_add(&raw, str_slice(buf_str(&body), from, body.len));
            buf_add(&raw, STR("\r\n"));
        }
        buf_add(&raw, STR(HTTP_LAST_CHUNK));
        enum http_refusal refusal;
        size_t read, step = 1 + (size_t)rng_below(&rng, raw.len);
        CHECK_INT(decode(buf_str(&raw), step, body.len, &out, &refusal, &read), HTTP_COMPLETE);
        CHECK_INT(read, raw.len);
        CHECK_STR(buf_str(&out), buf_str(&body));
        buf_fini(&body);
        buf_fini(&raw);
        buf_fini(&out);
    }
}

/* ---- answers ---- */

static void writes_heads(void)
{
    struct buf out = { 0 };

    http_answer_start(&out, 404);
    CHECK(http_answer_header(&out, STR("x-a"), STR("b c\t\xc3\xa9")));
    CHECK(http_answer_header(&out, STR("x-empty"), STR("")));
    CHECK(!http_answer_header(&out, STR("x-a"), STR("b\r\nSet-Cookie: 1")));
    CHECK(!http_answer_header(&out, STR("x-a"), STR("b\0")));
    CHECK(!http_answer_header(&out, STR("x-a:"), STR("b")));
    CHECK(!http_answer_header(&out, STR(""), STR("b")));
    http_answer_finish(&out);
    CHECK_STR(buf_str(&out),
              STR("HTTP/1.1 404 Not Found\r\nx-a: b c\t\xc3\xa9\r\nx-empty: \r\n\r\n"));
    buf_fini(&out);
    CHECK(!http_status_has_body(204) && !http_status_has_body(304) && !http_status_has_body(100));
    CHECK(http_status_has_body(200) && http_status_has_body(500));
    for (int e = 1; e < ERR_COUNT; e++)
        CHECK(http_reason(err_info((enum err)e)->http_status)[0] != '\0');
    for (int r = 1; r < HTTP_REFUSAL_COUNT; r++)
        CHECK(http_reason(http_refusal_info((enum http_refusal)r)->status)[0] != '\0');
}

static void writes_dates(void)
{
    static const struct {
        int64_t second;
        const char *text;
    } cases[] = {
        { 0, "Thu, 01 Jan 1970 00:00:00 GMT" },
        { -5, "Thu, 01 Jan 1970 00:00:00 GMT" },
        { 784111777, "Sun, 06 Nov 1994 08:49:37 GMT" },
        { 951782399, "Mon, 28 Feb 2000 23:59:59 GMT" },
        { 951782400, "Tue, 29 Feb 2000 00:00:00 GMT" },
        { 4107542400, "Mon, 01 Mar 2100 00:00:00 GMT" },
        { 253402300799, "Fri, 31 Dec 9999 23:59:59 GMT" },
        { 253402300800, "Fri, 31 Dec 9999 23:59:59 GMT" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[HTTP_DATE_BYTES];
        http_date_format(cases[i].second * 1000000, text);
        CHECK_STR(((str){ text, sizeof(text) }), str_from(cases[i].text));
    }
}

static void writes_chunk_heads(void)
{
    static const struct {
        size_t bytes;
        const char *text;
    } cases[] = {
        { 1, "1\r\n" }, { 15, "f\r\n" }, { 16, "10\r\n" }, { SIZE_MAX, "ffffffffffffffff\r\n" }
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[HTTP_CHUNK_HEAD_BYTES];
        size_t n = http_chunk_head_format(cases[i].bytes, text);
        CHECK_STR(((str){ text, n }), str_from(cases[i].text));
    }
}

TESTS(TEST(refuses_a_bare_cr_before_a_header), TEST(refuses_folded_header_lines),
      TEST(refuses_a_space_before_the_first_header), TEST(refuses_a_space_before_a_colon),
      TEST(refuses_bare_line_feeds), TEST(refuses_a_cr_and_another_byte_as_the_end_of_headers),
      TEST(refuses_a_length_beside_chunks), TEST(refuses_repeated_lengths),
      TEST(refuses_lengths_that_are_no_plain_number), TEST(refuses_lists_of_codings),
      TEST(refuses_repeated_codings), TEST(refuses_control_bytes_in_values),
      TEST(refuses_every_control_byte_at_every_place), TEST(refuses_repeated_hosts),
      TEST(refuses_malformed_request_lines), TEST(refuses_the_preface_of_http_2),
      TEST(refuses_malformed_headers), TEST(refuses_large_heads_at_the_same_byte_however_they_come),
      TEST(refuses_too_many_headers), TEST(a_refusal_is_final), TEST(reads_a_request),
      TEST(knows_how_long_a_connection_lives), TEST(reads_other_forms_of_targets),
      TEST(expects_nothing_of_http_1_0), TEST(decodes_chunks), TEST(refuses_a_chunk_size_with_0x),
      TEST(refuses_a_line_feed_inside_a_chunk_extension), TEST(refuses_malformed_chunks),
      TEST(refuses_chunks_past_their_limits), TEST(decodes_what_it_encodes), TEST(writes_heads),
      TEST(writes_dates), TEST(writes_chunk_heads))
