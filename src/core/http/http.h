/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http: a strict codec of HTTP/1.1 messages (RFC 9112 and no more): request heads, chunked bodies,
 * answer heads. Pure: bytes in, facts out; nothing is allocated but by the growth of a caller's buf.
 *
 * What one reader could take for another request than the next reader does is refused, never
 * repaired: bare CR or LF, folded lines, spaces around a header's name, a length beside chunks,
 * repeated lengths, codings or hosts, control bytes. A refusal is final: answer it and close.
 *
 * A caller may rely on: how the bytes were split over calls never changes what is found.
 *
 * May include: base.
 */
#ifndef WEIR_CORE_HTTP_HTTP_H
#define WEIR_CORE_HTTP_HTTP_H

#include "base/base.h"

#define HTTP_HEADERS_MAX 100 /* header lines of one request; 431 past it */
#define HTTP_METHOD_BYTES_MAX 20
#define HTTP_CHUNK_LINE_BYTES_MAX 256 /* a chunk's size and its extensions */
#define HTTP_TRAILER_BYTES_MAX 4096 /* all lines behind the last chunk */

/* clang-format off */
/* Columns: name, HTTP status of the answer, text for people. */
#define HTTP_REFUSAL_TABLE(X)                                                                       \
    X(HTTP_BARE_CR,             400, "a carriage return stands alone")                              \
    X(HTTP_BARE_LF,             400, "a line ends without a carriage return")                       \
    X(HTTP_CONTROL_BYTE,        400, "the head holds a control byte")                               \
    X(HTTP_EMPTY_LINES,         400, "empty lines stand before the request line")                   \
    X(HTTP_BAD_REQUEST_LINE,    400, "the request line is not METHOD TARGET VERSION")               \
    X(HTTP_BAD_METHOD,          400, "the method is not a token")                                   \
    X(HTTP_BAD_TARGET,          400, "the request target is not valid")                             \
    X(HTTP_BAD_VERSION,         505, "only HTTP/1.1 and HTTP/1.0 are spoken here")                  \
    X(HTTP_FOLDED_LINE,         400, "a header line begins with a space")                           \
    X(HTTP_BAD_HEADER_NAME,     400, "a header name is not a token followed by a colon")            \
    X(HTTP_BAD_HOST,            400, "the Host header is not valid")                                \
    X(HTTP_REPEATED_HOST,       400, "there are two Host headers")                                  \
    X(HTTP_NO_HOST,             400, "there is no Host header")                                     \
    X(HTTP_BAD_LENGTH,          400, "the Content-Length is not a number")                          \
    X(HTTP_REPEATED_LENGTH,     400, "there are two Content-Length headers")                        \
    X(HTTP_BAD_CODING,          400, "the only Transfer-Encoding accepted is chunked")              \
    X(HTTP_REPEATED_CODING,     400, "there are two Transfer-Encoding headers")                     \
    X(HTTP_LENGTH_AND_CHUNKS,   400, "there is a Content-Length beside a Transfer-Encoding")        \
    X(HTTP_BAD_CONNECTION,      400, "the Connection header is not a list of tokens")               \
    X(HTTP_BAD_EXPECTATION,     417, "the only expectation met is 100-continue")                    \
    X(HTTP_HEAD_TOO_LARGE,      431, "the headers are too large")                                   \
    X(HTTP_TOO_MANY_HEADERS,    431, "there are too many headers")                                  \
    X(HTTP_BAD_CHUNK,           400, "the chunked body is malformed")                               \
    X(HTTP_BAD_TRAILER,         400, "the lines behind the last chunk are malformed or too long")   \
    X(HTTP_BODY_TOO_LARGE,      413, "the body is too large")
/* clang-format on */

enum http_refusal {
    HTTP_FINE = 0,
#define X(name, status, text) name,
    HTTP_REFUSAL_TABLE(X)
#undef X
        HTTP_REFUSAL_COUNT
};

struct http_refusal_info {
    const char *name;
    int status;
    const char *text; /* one clause, without quotes or backslashes */
};
const struct http_refusal_info *http_refusal_info(enum http_refusal refusal); /* never NULL */

enum http_progress {
    HTTP_MORE, /* all bytes were read, more are needed */
    HTTP_COMPLETE,
    HTTP_REFUSED, /* see `refusal`; stays so */
};

/* ---- request heads ---- */

/* Bytes of the request, as offsets: the buffer may move while it grows. */
struct http_span {
    uint32_t at;
    uint32_t len;
};

struct http_head {
    /* Valid once the head is complete. */
    struct http_span method;
    struct http_span path; /* without the query; empty only for "http://host", which means "/" */
    struct http_span query; /* behind the '?' */
    struct http_span lines; /* the header lines, for http_header_next() */
    size_t size; /* bytes of the head; the body begins there */
    int minor; /* HTTP/1.minor: 0 or 1 */
    bool is_chunked;
    bool is_keep_alive;
    bool expects_continue;
    uint64_t content_length; /* 0 when there is none */

    enum http_refusal refusal;

    /* private */
    size_t scanned; /* bytes known to be fine */
    size_t line_at; /* of the line being read */
    uint32_t header_count;
    bool has_skipped_line;
    bool has_request_line;
    bool has_host;
    bool has_length;
    bool wants_close;
    bool wants_keep_alive;
};

void http_head_init(struct http_head *head);

/*
 * Reads on. bytes: the request from its first byte on, a little more at each call; what was there
 * must not have changed. bytes_max: of the head, the same at each call, at most UINT32_MAX.
 */
NODISCARD enum http_progress http_head_read(struct http_head *head, str bytes, size_t bytes_max);

str http_span_str(struct http_span span, str bytes);

struct http_header {
    str name;
    str value; /* without the white space around it */
};
/* Cuts the next header off *rest, which starts as http_span_str(head->lines, bytes). */
bool http_header_next(str *rest, struct http_header *out);
/* The first header of that name, in any case; ptr NULL when there is none. */
str http_header_find(str lines, str name);

bool http_is_token(str s);

/* ---- chunked bodies ---- */

enum http_chunk_state {
    HTTP_CHUNK_SIZE,
    HTTP_CHUNK_EXTENSION,
    HTTP_CHUNK_LINE_LF,
    HTTP_CHUNK_DATA,
    HTTP_CHUNK_DATA_CR,
    HTTP_CHUNK_DATA_LF,
    HTTP_CHUNK_TRAILER_START, /* of a line: another one, or the end */
    HTTP_CHUNK_TRAILER_NAME,
    HTTP_CHUNK_TRAILER_VALUE,
    HTTP_CHUNK_TRAILER_LF,
    HTTP_CHUNK_END_LF,
    HTTP_CHUNK_DONE,
    HTTP_CHUNK_STATE_COUNT
};

/* Trailers are checked and dropped. */
struct http_chunked {
    enum http_refusal refusal;
    uint64_t body_bytes; /* announced so far */

    /* private */
    enum http_chunk_state state;
    uint64_t body_bytes_max;
    uint64_t left; /* of the chunk being read */
    uint32_t line_bytes;
    uint32_t trailer_bytes;
};

void http_chunked_init(struct http_chunked *chunked, uint64_t body_bytes_max);

/*
 * Decodes raw into `out`, which has room for raw.len bytes and may be raw.ptr or lie before it in
 * the same buffer. *out_read: raw bytes used, all of them unless the body is complete; *out_written:
 * bytes of the body. HTTP_BODY_TOO_LARGE comes as soon as a chunk is announced that would not fit.
 */
NODISCARD enum http_progress http_chunked_read(struct http_chunked *chunked, str raw, char *out,
                                               size_t *out_read, size_t *out_written);

/* ---- answers ---- */

const char *http_reason(int status); /* "Not Found"; "" for a status without a customary phrase */
bool http_status_has_body(int status); /* not 1xx, 204, 304 */

/* An answer's head is http_answer_start, headers, http_answer_finish. */
void http_answer_start(struct buf *out, int status);
/* Drops the header and says false when the name is no token or the value has a control byte. */
bool http_answer_header(struct buf *out, str name, str value);
void http_answer_finish(struct buf *out);

#define HTTP_DATE_BYTES 29
/* "Sun, 06 Nov 1994 08:49:37 GMT", without a NUL; for years 1970 to 9999. */
void http_date_format(usec_utc at, char out[HTTP_DATE_BYTES]);

#define HTTP_CHUNK_HEAD_BYTES 18 /* sixteen digits, CR, LF */
/* The line before a chunk of so many bytes (more than none); its length. CR LF follows the chunk. */
size_t http_chunk_head_format(size_t bytes, char out[HTTP_CHUNK_HEAD_BYTES]);
#define HTTP_LAST_CHUNK "0\r\n\r\n"

#endif
