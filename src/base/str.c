/* SPDX-License-Identifier: Apache-2.0 */
/* str, buf: see str.h. */
#include "base/base.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

str str_from(const char *nul_terminated)
{
    return nul_terminated ? (str){ nul_terminated, strlen(nul_terminated) } : (str){ NULL, 0 };
}

bool str_eq(str a, str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool str_eq_nocase(str a, str b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (lower(a.ptr[i]) != lower(b.ptr[i]))
            return false;
    }
    return true;
}

bool str_eq_secret(str a, str b)
{
    unsigned char difference = a.len == b.len ? 0 : 1;

    for (size_t i = 0; i < a.len && i < b.len; i++)
        difference |= (unsigned char)(a.ptr[i] ^ b.ptr[i]);
    return difference == 0;
}

int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

void hex_write(char *out, const uint8_t *bytes, size_t n)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
}

int str_cmp(str a, str b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common > 0 ? memcmp(a.ptr, b.ptr, common) : 0;

    if (order != 0)
        return order;
    return a.len < b.len ? -1 : a.len > b.len;
}

bool str_starts(str s, str prefix)
{
    return s.len >= prefix.len && str_eq(str_slice(s, 0, prefix.len), prefix);
}

bool str_ends(str s, str suffix)
{
    return s.len >= suffix.len && str_eq(str_slice(s, s.len - suffix.len, s.len), suffix);
}

str str_slice(str s, size_t from, size_t to)
{
    if (to > s.len)
        to = s.len;
    if (from >= to)
        return (str){ NULL, 0 };
    return (str){ s.ptr + from, to - from };
}

str str_trim(str s)
{
    size_t from = 0, to = s.len;

    while (from < to && is_space(s.ptr[from]))
        from++;
    while (to > from && is_space(s.ptr[to - 1]))
        to--;
    return str_slice(s, from, to);
}

size_t str_find(str s, str needle)
{
    if (needle.len == 0)
        return 0;
    if (s.len < needle.len)
        return STR_NPOS;
    const char *hit = memmem(s.ptr, s.len, needle.ptr, needle.len);
    return hit ? (size_t)(hit - s.ptr) : STR_NPOS;
}

size_t str_find_char(str s, char c)
{
    const char *hit = s.len > 0 ? memchr(s.ptr, c, s.len) : NULL;

    return hit ? (size_t)(hit - s.ptr) : STR_NPOS;
}

size_t str_find_nocase(str s, str needle)
{
    for (size_t i = 0; i + needle.len <= s.len; i++) {
        if (str_eq_nocase(str_slice(s, i, i + needle.len), needle))
            return i;
    }
    return STR_NPOS;
}

bool str_next(str *rest, char separator, str *out_field)
{
    if (rest->len == STR_NPOS)
        return false;
    size_t at = str_find_char(*rest, separator);
    if (at == STR_NPOS) {
        *out_field = *rest;
        *rest = (str){ NULL, STR_NPOS };
    } else {
        *out_field = (str){ rest->ptr, at };
        *rest = (str){ rest->ptr + at + 1, rest->len - at - 1 };
    }
    return true;
}

bool str_to_u64(str s, uint64_t *out)
{
    uint64_t value = 0;

    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
        if (__builtin_mul_overflow(value, UINT64_C(10), &value) ||
            __builtin_add_overflow(value, (uint64_t)(s.ptr[i] - '0'), &value))
            return false;
    }
    *out = value;
    return true;
}

bool str_to_i64(str s, int64_t *out)
{
    bool negative = s.len > 0 && s.ptr[0] == '-';
    bool has_sign = negative || (s.len > 0 && s.ptr[0] == '+');
    uint64_t magnitude;

    if (!str_to_u64(str_slice(s, has_sign ? 1 : 0, s.len), &magnitude))
        return false;
    if (magnitude > (uint64_t)INT64_MAX + (negative ? 1 : 0))
        return false;
    if (negative)
        *out = magnitude == (uint64_t)INT64_MAX + 1 ? INT64_MIN : -(int64_t)magnitude;
    else
        *out = (int64_t)magnitude;
    return true;
}

bool str_to_double(str s, double *out)
{
    char text[64];
    char *end;

    if (s.len == 0 || s.len >= sizeof(text))
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool is_ok =
            (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.' || c == 'e' || c == 'E';
        if (!is_ok)
            return false;
    }
    memcpy(text, s.ptr, s.len);
    text[s.len] = '\0';
    double value = strtod(text, &end);
    if (end != text + s.len || !__builtin_isfinite(value))
        return false;
    *out = value;
    return true;
}

size_t str_utf8_length(str s)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    /* clang-format off */
    static const struct { unsigned char lead_min, lead_max, second_min, second_max, len; } forms[] = {
        { 0x00, 0x7F, 0x00, 0x00, 1 }, { 0xC2, 0xDF, 0x80, 0xBF, 2 }, { 0xE0, 0xE0, 0xA0, 0xBF, 3 },
        { 0xE1, 0xEC, 0x80, 0xBF, 3 }, { 0xED, 0xED, 0x80, 0x9F, 3 }, { 0xEE, 0xEF, 0x80, 0xBF, 3 },
        { 0xF0, 0xF0, 0x90, 0xBF, 4 }, { 0xF1, 0xF3, 0x80, 0xBF, 4 }, { 0xF4, 0xF4, 0x80, 0x8F, 4 },
    };
    /* clang-format on */
    for (size_t f = 0; s.len > 0 && f < ARRAY_LEN(forms); f++) {
        if (p[0] < forms[f].lead_min || p[0] > forms[f].lead_max)
            continue;
        if (forms[f].len > s.len)
            return 0;
        if (forms[f].len > 1 && (p[1] < forms[f].second_min || p[1] > forms[f].second_max))
            return 0;
        for (size_t i = 2; i < forms[f].len; i++) {
            if ((p[i] & 0xC0) != 0x80)
                return 0;
        }
        return forms[f].len;
    }
    return 0;
}

bool str_is_utf8(str s)
{
    const unsigned char *p = (const unsigned char *)s.ptr;

    for (size_t i = 0; i < s.len;) {
        uint64_t eight;
        if (s.len - i >= 8 &&
            (memcpy(&eight, p + i, 8), (eight & UINT64_C(0x8080808080808080)) == 0)) {
            i += 8;
            continue;
        }
        size_t len = str_utf8_length((str){ s.ptr + i, s.len - i });
        if (len == 0)
            return false;
        i += len;
    }
    return true;
}

uint64_t str_hash(str s)
{
    uint64_t h = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < s.len; i++)
        h = (h ^ (unsigned char)s.ptr[i]) * UINT64_C(1099511628211);
    return h;
}

size_t str_distance(str a, str b)
{
    size_t row[65];

    a = str_slice(a, 0, 64);
    b = str_slice(b, 0, 64);
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t best = diagonal + (a.ptr[i - 1] == b.ptr[j - 1] ? 0 : 1);
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[b.len];
}

void buf_fini(struct buf *b)
{
    free(b->ptr);
    *b = (struct buf){ .max = b->max };
}

void buf_reset(struct buf *b)
{
    b->len = 0;
    b->failed = false;
}

char *buf_reserve(struct buf *b, size_t n)
{
    size_t max = b->max > 0 ? b->max : BUF_MAX_DEFAULT;
    size_t need;

    if (b->failed || !size_add(b->len, n, &need) || need > max) {
        b->failed = true;
        return NULL;
    }
    if (need > b->cap) {
        size_t cap = b->cap < 64 ? 64 : b->cap;
        while (cap < need)
            cap *= 2;
        char *grown = realloc(b->ptr, cap);
        if (!grown) {
            b->failed = true;
            return NULL;
        }
        b->ptr = grown;
        b->cap = cap;
    }
    return b->ptr + b->len;
}

void buf_add(struct buf *b, str s)
{
    if (s.len == 0)
        return;
    char *at = buf_reserve(b, s.len);
    if (!at)
        return;
    memcpy(at, s.ptr, s.len);
    b->len += s.len;
}

void buf_add_char(struct buf *b, char c)
{
    buf_add(b, (str){ &c, 1 });
}

void buf_add_i64(struct buf *b, int64_t v)
{
    char digits[20];
    size_t n = 0;
    uint64_t rest = v < 0 ? ~(uint64_t)v + 1 : (uint64_t)v;

    do {
        digits[sizeof(digits) - ++n] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (v < 0)
        buf_add_char(b, '-');
    buf_add(b, (str){ digits + sizeof(digits) - n, n });
}

void buf_add_base64(struct buf *b, str bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < bytes.len; i += 3) {
        uint32_t bits = 0;
        for (size_t k = 0; k < 3; k++)
            bits = bits << 8 | (i + k < bytes.len ? (unsigned char)bytes.ptr[i + k] : 0u);
        for (size_t k = 0; k < 4; k++)
            buf_add_char(b, i + k <= bytes.len ? digits[bits >> (18 - 6 * k) & 63] : '=');
    }
}

void buf_vprintf(struct buf *b, const char *fmt, va_list args)
{
    va_list again;

    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    char *at = n >= 0 ? buf_reserve(b, (size_t)n + 1) : NULL;
    if (at) {
        vsnprintf(at, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    buf_vprintf(b, fmt, args);
    va_end(args);
}

void buf_consume(struct buf *b, size_t n)
{
    assert(n <= b->len);
    if (n < b->len)
        memmove(b->ptr, b->ptr + n, b->len - n);
    b->len -= n;
}

str buf_str(const struct buf *b)
{
    return (str){ b->ptr, b->len };
}

const char *buf_cstr(struct buf *b)
{
    char *at = buf_reserve(b, 1);

    if (!at)
        return "";
    *at = '\0';
    return b->ptr;
}
