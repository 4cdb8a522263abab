/* SPDX-License-Identifier: Apache-2.0 */
/* json_text: the bytes of JSON strings: scanning, escapes, code points, the order of names. */
#include "core/json/json_node.h"

#include <string.h>

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))
#define RUNE_REPLACEMENT UINT32_C(0xFFFD)

/* The eight bytes at p, the first in the lowest place on every machine. */
static inline uint64_t word_at(const char *p)
{
    uint64_t word;

    memcpy(&word, p, sizeof(word));
    return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? __builtin_bswap64(word) : word;
}

/* The top bit of the lowest byte that is '"', '\', below 0x20 or above 0x7F; bits above it may be set falsely. */
static inline uint64_t special_mark(uint64_t word)
{
    uint64_t quote = word ^ EACH('"');
    uint64_t backslash = word ^ EACH('\\');

    return ((quote - EACH(1)) | (backslash - EACH(1)) | (word - EACH(0x20)) | word) & EACH(0x80);
}

static inline bool is_plain(char c)
{
    return (unsigned char)c >= 0x20 && (unsigned char)c < 0x80 && c != '"' && c != '\\';
}

size_t json_plain_len(const char *at, const char *end)
{
    const char *p = at;

    while (end - p >= 8) {
        uint64_t mark = special_mark(word_at(p));
        if (mark != 0)
            return (size_t)(p - at) + ((size_t)__builtin_ctzll(mark) >> 3);
        p += 8;
    }
    while (p < end && is_plain(*p))
        p++;
    return (size_t)(p - at);
}

static inline bool is_tail(unsigned char c)
{
    return (c & 0xC0) == 0x80;
}

size_t json_utf8_len(const char *at, const char *end)
{
    const unsigned char *p = (const unsigned char *)at;
    size_t left = (size_t)(end - at);

    if (p[0] < 0xC2 || p[0] > 0xF4)
        return 0;
    if (p[0] < 0xE0)
        return left >= 2 && is_tail(p[1]) ? 2 : 0;
    if (p[0] < 0xF0) {
        if (left < 3 || !is_tail(p[1]) || !is_tail(p[2]))
            return 0;
        bool is_overlong = p[0] == 0xE0 && p[1] < 0xA0;
        bool is_surrogate = p[0] == 0xED && p[1] >= 0xA0;
        return is_overlong || is_surrogate ? 0 : 3;
    }
    if (left < 4 || !is_tail(p[1]) || !is_tail(p[2]) || !is_tail(p[3]))
        return 0;
    bool is_overlong = p[0] == 0xF0 && p[1] < 0x90;
    bool is_too_high = p[0] == 0xF4 && p[1] >= 0x90;
    return is_overlong || is_too_high ? 0 : 4;
}

static uint32_t hex_value(const char *four)
{
    uint32_t value = 0;

    for (int i = 0; i < 4; i++) {
        unsigned char c = (unsigned char)four[i];
        uint32_t digit = c <= '9' ? c - (uint32_t)'0' : (c | 0x20u) - (uint32_t)'a' + 10;
        value = value << 4 | digit;
    }
    return value;
}

/* The rune of the escape at r->at, which is a backslash. */
static uint32_t escape_next(struct json_runes *r)
{
    static const char plain[] = "bfnrt";
    static const char meaning[] = "\b\f\n\r\t";
    char c = r->at[1];
    const char *hit = memchr(plain, c, sizeof(plain) - 1);

    if (c != 'u') {
        r->at += 2;
        return (unsigned char)(hit ? meaning[hit - plain] : c);
    }
    uint32_t rune = hex_value(r->at + 2);
    r->at += 6;
    bool is_high = rune >= 0xD800 && rune < 0xDC00;
    if (is_high && r->end - r->at >= 6 && r->at[0] == '\\' && r->at[1] == 'u') {
        uint32_t low = hex_value(r->at + 2);
        if (low >= 0xDC00 && low < 0xE000) {
            r->at += 6;
            return 0x10000 + ((rune - 0xD800) << 10) + (low - 0xDC00);
        }
    }
    return rune;
}

bool json_rune_next(struct json_runes *r, uint32_t *out)
{
    if (r->at == r->end)
        return false;
    const unsigned char *p = (const unsigned char *)r->at;
    if (*p == '\\') {
        *out = escape_next(r);
        return true;
    }
    if (*p < 0x80) {
        *out = *p;
        r->at += 1;
    } else if (*p < 0xE0) {
        *out = (p[0] & 0x1Fu) << 6 | (p[1] & 0x3Fu);
        r->at += 2;
    } else if (*p < 0xF0) {
        *out = (p[0] & 0x0Fu) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu);
        r->at += 3;
    } else {
        *out = (p[0] & 0x07u) << 18 | (p[1] & 0x3Fu) << 12 | (p[2] & 0x3Fu) << 6 | (p[3] & 0x3Fu);
        r->at += 4;
    }
    return true;
}

static uint32_t surrogate_replace(uint32_t rune)
{
    return rune >= 0xD800 && rune < 0xE000 ? RUNE_REPLACEMENT : rune;
}

size_t json_rune_encode(uint32_t rune, char out[4])
{
    rune = surrogate_replace(rune);
    if (rune < 0x80) {
        out[0] = (char)rune;
        return 1;
    }
    if (rune < 0x800) {
        out[0] = (char)(0xC0 | rune >> 6);
        out[1] = (char)(0x80 | (rune & 0x3F));
        return 2;
    }
    if (rune < 0x10000) {
        out[0] = (char)(0xE0 | rune >> 12);
        out[1] = (char)(0x80 | (rune >> 6 & 0x3F));
        out[2] = (char)(0x80 | (rune & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | rune >> 18);
    out[1] = (char)(0x80 | (rune >> 12 & 0x3F));
    out[2] = (char)(0x80 | (rune >> 6 & 0x3F));
    out[3] = (char)(0x80 | (rune & 0x3F));
    return 4;
}

struct json_name json_name_of(const struct json_node *node, const char *text)
{
    return (struct json_name){ .ptr = text + node->name_start,
                               .len = node->name_len,
                               .has_escapes = node->name_has_escapes,
                               .node = node };
}

int json_name_cmp(const struct json_name *a, const struct json_name *b)
{
    if (!a->has_escapes && !b->has_escapes)
        return str_cmp((str){ a->ptr, a->len }, (str){ b->ptr, b->len });
    /* The order of code points is the order of their UTF-8 bytes. */
    struct json_runes left = { a->ptr, a->ptr + a->len }, right = { b->ptr, b->ptr + b->len };
    for (;;) {
        uint32_t x = 0, y = 0;
        bool has_left = json_rune_next(&left, &x), has_right = json_rune_next(&right, &y);
        if (!has_left || !has_right)
            return (int)has_left - (int)has_right;
        x = surrogate_replace(x);
        y = surrogate_replace(y);
        if (x != y)
            return x < y ? -1 : 1;
    }
}
