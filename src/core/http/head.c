/* SPDX-License-Identifier: Apache-2.0 */
/*
 * head: reads a request's head. A scan over new bytes finds line ends and refuses bytes that no head
 * may hold; each whole line is then read once. The scan comes first whatever the splits, so the same
 * bytes are refused for the same reason however they arrive.
 */
#include "core/http/http.h"

#include <string.h>

const struct http_refusal_info *http_refusal_info(enum http_refusal refusal)
{
    static const struct http_refusal_info rows[HTTP_REFUSAL_COUNT] = {
        [HTTP_FINE] = { "HTTP_FINE", 200, "nothing is wrong" },
#define X(name, status, text) [name] = { #name, status, text },
        HTTP_REFUSAL_TABLE(X)
#undef X
    };

    assert((unsigned)refusal < HTTP_REFUSAL_COUNT);
    return &rows[refusal];
}

/* ---- classes of bytes ---- */

enum {
    CLASS_TOKEN = 1, /* RFC 9110 5.6.2 */
    CLASS_TARGET = 2, /* of a path or query, RFC 3986; '%' is checked apart */
    CLASS_HOST = 4, /* of a host and port, brackets of IPv6 included */
};

#define T CLASS_TOKEN
#define P CLASS_TARGET
#define H CLASS_HOST
/* clang-format off */
static const unsigned char classes[256] = {
    ['!'] = T | P | H, ['#'] = T, ['$'] = T | P | H, ['%'] = T | P | H, ['&'] = T | P | H, ['\''] = T | P | H,
    ['*'] = T | P | H, ['+'] = T | P | H, ['-'] = T | P | H, ['.'] = T | P | H, ['^'] = T, ['_'] = T | P | H,
    ['`'] = T, ['|'] = T, ['~'] = T | P | H, ['('] = P | H, [')'] = P | H, [','] = P, [';'] = P | H,
    ['='] = P | H, [':'] = P | H, ['@'] = P, ['/'] = P, ['?'] = P, ['['] = P | H, [']'] = P | H,
    ['0' ... '9'] = T | P | H, ['A' ... 'Z'] = T | P | H, ['a' ... 'z'] = T | P | H,
};
/* clang-format on */
#undef T
#undef P
#undef H

static bool is_all(str s, unsigned char class)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!(classes[(unsigned char)s.ptr[i]] & class))
            return false;
    }
    return true;
}

bool http_is_token(str s)
{
    return s.len > 0 && is_all(s, CLASS_TOKEN);
}

static bool is_target(str s)
{
    if (!is_all(s, CLASS_TARGET))
        return false;
    for (size_t i = str_find_char(s, '%'); i < s.len; i++) {
        if (s.ptr[i] == '%' &&
            (s.len - i < 3 || hex_digit(s.ptr[i + 1]) < 0 || hex_digit(s.ptr[i + 2]) < 0))
            return false;
    }
    return true;
}

/* The first offset at or after `from` of a control byte other than a tab, or the length. */
static size_t control_find(str s, size_t from)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const uint64_t highs = ones * 0x80;
    size_t i = from;

    while (i < s.len) {
        uint64_t eight;
        if (s.len - i >= sizeof(eight)) {
            /* Borrows can mark too much (then the bytes are looked at singly), never too little. */
            memcpy(&eight, s.ptr + i, sizeof(eight));
            uint64_t deletes = eight ^ (ones * 0x7F);
            uint64_t marks = ((eight - ones * 0x20) & ~eight) | ((deletes - ones) & ~deletes);
            if ((marks & highs) == 0) {
                i += sizeof(eight);
                continue;
            }
        }
        size_t end = s.len - i < sizeof(eight) ? s.len : i + sizeof(eight);
        for (; i < end; i++) {
            unsigned char c = (unsigned char)s.ptr[i];
            if ((c < 0x20 && c != '\t') || c == 0x7F)
                return i;
        }
    }
    return s.len;
}

/* ---- the request line ---- */

static struct http_span span_of(str part, str bytes)
{
    if (part.len == 0)
        return (struct http_span){ 0, 0 };
    return (struct http_span){ (uint32_t)(part.ptr - bytes.ptr), (uint32_t)part.len };
}

str http_span_str(struct http_span span, str bytes)
{
    return str_slice(bytes, span.at, (size_t)span.at + span.len);
}

static bool is_host(str s)
{
    return is_all(s, CLASS_HOST);
}

/* "http://host:port/path" has its authority cut off; any other text stays. False: not valid. */
static bool authority_cut(str *target)
{
    static const str schemes[] = { { "http://", 7 }, { "https://", 8 } };

    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        if (!str_eq_nocase(str_slice(*target, 0, schemes[i].len), schemes[i]))
            continue;
        size_t end = schemes[i].len;
        while (end < target->len && target->ptr[end] != '/' && target->ptr[end] != '?')
            end++;
        str host = str_slice(*target, schemes[i].len, end);
        *target = str_slice(*target, end, target->len);
        return host.len > 0 && is_host(host);
    }
    return target->len > 0 && target->ptr[0] == '/';
}

static enum http_refusal target_read(struct http_head *head, str bytes, str method, str target)
{
    bool is_of_server = str_eq(target, STR("*")) && str_eq(method, STR("OPTIONS"));

    if (!is_target(target) || (!is_of_server && !authority_cut(&target)))
        return HTTP_BAD_TARGET;
    size_t mark = str_find_char(target, '?');
    head->path = span_of(str_slice(target, 0, mark), bytes);
    if (mark != STR_NPOS)
        head->query = span_of(str_slice(target, mark + 1, target.len), bytes);
    return HTTP_FINE;
}

static enum http_refusal version_read(struct http_head *head, str version)
{
    bool has_form = version.len == 8 && str_starts(version, STR("HTTP/")) &&
                    version.ptr[5] >= '0' && version.ptr[5] <= '9' && version.ptr[6] == '.' &&
                    version.ptr[7] >= '0' && version.ptr[7] <= '9';

    if (!has_form)
        return HTTP_BAD_REQUEST_LINE;
    if (version.ptr[5] != '1' || version.ptr[7] > '1')
        return HTTP_BAD_VERSION;
    head->minor = version.ptr[7] - '0';
    return HTTP_FINE;
}

static enum http_refusal request_line_read(struct http_head *head, str bytes, str line)
{
    str rest = line, method, target, version, surplus;

    if (line.len == 0 && !head->has_skipped_line) {
        head->has_skipped_line = true; /* RFC 9112 2.2: after a body, some clients send one */
        return HTTP_FINE;
    }
    if (line.len == 0)
        return HTTP_EMPTY_LINES;
    if (!str_next(&rest, ' ', &method) || !str_next(&rest, ' ', &target) ||
        !str_next(&rest, ' ', &version) || str_next(&rest, ' ', &surplus))
        return HTTP_BAD_REQUEST_LINE;
    if (!http_is_token(method) || method.len > HTTP_METHOD_BYTES_MAX)
        return HTTP_BAD_METHOD;
    enum http_refusal refusal = version_read(head, version);
    if (refusal != HTTP_FINE)
        return refusal;
    head->has_request_line = true;
    head->method = span_of(method, bytes);
    return target_read(head, bytes, method, target);
}

/* ---- headers that decide where the request ends ---- */

static enum http_refusal host_read(struct http_head *head, str value)
{
    if (head->has_host)
        return HTTP_REPEATED_HOST;
    head->has_host = true;
    return is_host(value) ? HTTP_FINE : HTTP_BAD_HOST;
}

static enum http_refusal length_read(struct http_head *head, str value)
{
    if (head->has_length)
        return HTTP_REPEATED_LENGTH;
    head->has_length = true;
    return str_to_u64(value, &head->content_length) ? HTTP_FINE : HTTP_BAD_LENGTH;
}

static enum http_refusal coding_read(struct http_head *head, str value)
{
    if (head->is_chunked)
        return HTTP_REPEATED_CODING;
    head->is_chunked = true;
    return str_eq_nocase(value, STR("chunked")) && head->minor > 0 ? HTTP_FINE : HTTP_BAD_CODING;
}

static enum http_refusal connection_read(struct http_head *head, str value)
{
    for (str rest = value, option; str_next(&rest, ',', &option);) {
        option = str_trim(option);
        if (option.len > 0 && !http_is_token(option))
            return HTTP_BAD_CONNECTION;
        if (str_eq_nocase(option, STR("close")))
            head->wants_close = true;
        else if (str_eq_nocase(option, STR("keep-alive")))
            head->wants_keep_alive = true;
    }
    return HTTP_FINE;
}

static enum http_refusal expect_read(struct http_head *head, str value)
{
    if (!str_eq_nocase(value, STR("100-continue")))
        return HTTP_BAD_EXPECTATION;
    head->expects_continue = head->minor > 0;
    return HTTP_FINE;
}

static enum http_refusal header_read(struct http_head *head, struct http_header header)
{
    static const struct {
        str name;
        enum http_refusal (*read)(struct http_head *head, str value);
    } known[] = {
        { { "host", 4 }, host_read },
        { { "content-length", 14 }, length_read },
        { { "transfer-encoding", 17 }, coding_read },
        { { "connection", 10 }, connection_read },
        { { "expect", 6 }, expect_read },
    };

    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (header.name.len == known[i].name.len && str_eq_nocase(header.name, known[i].name))
            return known[i].read(head, header.value);
    }
    return HTTP_FINE;
}

/* ---- header lines ---- */

static str blanks_trim(str s)
{
    size_t from = 0, to = s.len;

    while (from < to && (s.ptr[from] == ' ' || s.ptr[from] == '\t'))
        from++;
    while (to > from && (s.ptr[to - 1] == ' ' || s.ptr[to - 1] == '\t'))
        to--;
    return (str){ s.ptr + from, to - from }; /* an empty value still is a value: ptr is not NULL */
}

static bool line_split(str line, struct http_header *out)
{
    size_t colon = str_find_char(line, ':');

    if (colon == STR_NPOS)
        return false;
    out->name = str_slice(line, 0, colon);
    out->value = blanks_trim((str){ line.ptr + colon + 1, line.len - colon - 1 });
    return true;
}

static enum http_refusal header_line_read(struct http_head *head, str line)
{
    struct http_header header;

    if (line.ptr[0] == ' ' || line.ptr[0] == '\t')
        return HTTP_FOLDED_LINE;
    if (!line_split(line, &header) || !http_is_token(header.name))
        return HTTP_BAD_HEADER_NAME;
    if (++head->header_count > HTTP_HEADERS_MAX)
        return HTTP_TOO_MANY_HEADERS;
    return header_read(head, header);
}

bool http_header_next(str *rest, struct http_header *out)
{
    size_t end = str_find_char(*rest, '\r');

    if (end == STR_NPOS || !line_split(str_slice(*rest, 0, end), out))
        return false;
    *rest = str_slice(*rest, end + 2, rest->len);
    return true;
}

str http_header_find(str lines, str name)
{
    struct http_header header;

    while (http_header_next(&lines, &header)) {
        if (str_eq_nocase(header.name, name))
            return header.value;
    }
    return (str){ NULL, 0 };
}

/* ---- the whole ---- */

void http_head_init(struct http_head *head)
{
    *head = (struct http_head){ .refusal = HTTP_FINE };
}

static enum http_refusal head_finish(struct http_head *head)
{
    if (head->is_chunked && head->has_length)
        return HTTP_LENGTH_AND_CHUNKS;
    if (head->minor > 0 && !head->has_host)
        return HTTP_NO_HOST;
    head->is_keep_alive = !head->wants_close && (head->minor > 0 || head->wants_keep_alive);
    head->lines.len = (uint32_t)head->line_at - head->lines.at;
    head->size = head->scanned;
    return HTTP_FINE;
}

static enum http_refusal line_read(struct http_head *head, str bytes, str line)
{
    if (head->has_request_line)
        return line.len > 0 ? header_line_read(head, line) : head_finish(head);
    enum http_refusal refusal = request_line_read(head, bytes, line);
    head->lines.at = (uint32_t)head->scanned;
    return refusal;
}

static enum http_progress refuse(struct http_head *head, enum http_refusal refusal)
{
    head->refusal = refusal;
    return HTTP_REFUSED;
}

enum http_progress http_head_read(struct http_head *head, str bytes, size_t bytes_max)
{
    assert(bytes_max <= UINT32_MAX);
    if (head->refusal != HTTP_FINE)
        return HTTP_REFUSED;
    str within = { bytes.ptr, bytes.len < bytes_max ? bytes.len : bytes_max };
    while (head->size == 0) {
        size_t at = control_find(within, head->scanned);
        bool is_cut = at < within.len && within.ptr[at] == '\r' && at + 1 == within.len;
        head->scanned = at;
        if (at == within.len || is_cut)
            return within.len == bytes_max ? refuse(head, HTTP_HEAD_TOO_LARGE) : HTTP_MORE;
        if (within.ptr[at] == '\n')
            return refuse(head, HTTP_BARE_LF);
        if (within.ptr[at] != '\r')
            return refuse(head, HTTP_CONTROL_BYTE);
        if (within.ptr[at + 1] != '\n')
            return refuse(head, HTTP_BARE_CR);
        head->scanned = at + 2;
        str line = { within.ptr + head->line_at, at - head->line_at };
        enum http_refusal refusal = line_read(head, bytes, line);
        if (refusal != HTTP_FINE)
            return refuse(head, refusal);
        head->line_at = head->scanned;
    }
    return HTTP_COMPLETE;
}
