/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_node: what the files of core/json share; nobody else includes it.
 *
 * A document is a tree of nodes in the caller's arena. A node is written once and never moves, so
 * its address may be kept in struct json.
 */
#ifndef WEIR_CORE_JSON_JSON_NODE_H
#define WEIR_CORE_JSON_JSON_NODE_H

#include "core/json/json.h"

struct json_node {
    uint32_t start; /* the value is text[start, end), quotes and brackets included */
    uint32_t end;
    uint32_t name_start; /* a member's name as written, without its quotes */
    uint32_t name_len;
    uint32_t count; /* elements or members */
    uint8_t type; /* enum json_type */
    bool has_escapes; /* a string's content */
    bool name_has_escapes;
    const struct json_node *child; /* the first element or member */
    const struct json_node *next; /* the next one of the same container */
};

/* The raw content of a string: between the quotes, escapes not undone. Always well formed, as the reader checked it. */
struct json_runes {
    const char *at;
    const char *end;
};

/* The next code point with escapes undone; false at the end. An escaped surrogate without its partner comes out as
 * it is, in U+D800..U+DFFF. */
bool json_rune_next(struct json_runes *runes, uint32_t *out);
/* Writes 1 to 4 bytes of UTF-8 and gives their number; a surrogate becomes U+FFFD. */
size_t json_rune_encode(uint32_t rune, char out[4]);

/* Two names of one object, unescaped, in the order of their bytes; 0 when they are the same name. */
struct json_name {
    const char *ptr;
    uint32_t len;
    bool has_escapes;
    const struct json_node *node;
};
int json_name_cmp(const struct json_name *a, const struct json_name *b);
struct json_name json_name_of(const struct json_node *node, const char *text);

/* The length of the leading bytes of [at, end) that stand for themselves in a string and are ASCII: no quote,
 * backslash or control byte. */
size_t json_plain_len(const char *at, const char *end);
/* The length of the UTF-8 sequence of two to four bytes at `at`; 0 when it is malformed or cut. */
size_t json_utf8_len(const char *at, const char *end);

/* A number's text as sign, significant digits and power of ten: value = digits × 10^exponent. */
struct json_decimal {
    bool is_negative;
    bool is_exact; /* false: the exponent does not fit; nothing else is meaningful then */
    const char
        *whole; /* the digits lie in up to two runs of the text, before and behind the point */
    size_t whole_len;
    const char *fraction;
    size_t fraction_len;
    int64_t exponent;
};
/* number is valid by the grammar. No leading or trailing zero digits are left; zero has no digits. */
void json_decimal_read(str number, struct json_decimal *out);
/* The digits, followed by that many zeros, as an integer with the sign; false when it does not fit. */
bool json_decimal_scale(const struct json_decimal *d, int64_t zeros, int64_t *out);
/* Is the integer of the digits and that many zeros a multiple of the modulus (> 0)? False also when the zeros or the
 * modulus are beyond what anybody means (1000; INT64_MAX / 10). */
bool json_decimal_divides(const struct json_decimal *d, int64_t zeros, int64_t modulus);
/* The shortest exact form; equal numbers give equal bytes. */
void json_number_write_canonical(struct buf *out, str number);

#endif
