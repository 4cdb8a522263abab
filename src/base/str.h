/* SPDX-License-Identifier: Apache-2.0 */
/*
 * str: text as pointer and length, passed by value, never owning; and buf, a growable byte buffer
 * with a ceiling.
 *
 * A str may hold any bytes. ptr may be NULL only when len is 0.
 */
#ifndef WEIR_BASE_STR_H
#define WEIR_BASE_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    const char *ptr;
    size_t len;
} str;

#define STR(literal) ((str){ (literal), sizeof(literal) - 1 })
/* For printf's "%.*s". */
#define STR_ARG(s) (int)(s).len, ((s).ptr ? (s).ptr : "")

str str_from(const char *nul_terminated); /* NULL gives the empty str */
bool str_eq(str a, str b);
bool str_eq_nocase(str a, str b); /* ASCII letters only */
/* In a time that depends on the lengths only, not on where they differ: for keys. */
bool str_eq_secret(str a, str b);
int hex_digit(char c); /* 0 to 15, of either case; -1: it is none */
void hex_write(char *out, const uint8_t *bytes, size_t n); /* 2 n digits in lower case, no NUL */
int str_cmp(str a, str b); /* bytewise, shorter first */
bool str_starts(str s, str prefix);
bool str_ends(str s, str suffix);
/* The bytes [from, to), both clamped to the text. */
str str_slice(str s, size_t from, size_t to);
str str_trim(str s); /* without ASCII white space at both ends */
#define STR_NPOS SIZE_MAX
size_t str_find(str s, str needle); /* first offset, or STR_NPOS; an empty needle is at 0 */
size_t str_find_char(str s, char c);
size_t str_find_nocase(str s, str needle);
/* Cuts the next field off *rest at the separator; false when *rest was exhausted before. An empty
 * text is one empty field. Start with *rest = text. */
bool str_next(str *rest, char separator, str *out_field);
/* Decimal integers, the whole text, optional sign for i64; false on anything else or overflow. */
bool str_to_i64(str s, int64_t *out);
bool str_to_u64(str s, uint64_t *out);
/* A decimal floating-point number, the whole text; no hex, no inf, no nan. */
bool str_to_double(str s, double *out);
/* Of the first character in bytes; 0 when there is none or it is malformed in the sense of str_is_utf8. */
size_t str_utf8_length(str s);
bool str_is_utf8(str s); /* strict: no overlong forms, no surrogates, at most U+10FFFF */
uint64_t str_hash(str s); /* 64-bit FNV-1a; not for adversarial keys */
/* Edit distance in bytes (Levenshtein), for "nearest known name"; at most 64 bytes of each count. */
size_t str_distance(str a, str b);

/*
 * A growable buffer on the heap. Zero-initialised is empty with the default ceiling. When it would
 * pass its ceiling, or memory ends, `failed` becomes sticky and every later append is a no-op:
 * append freely, check once.
 */
struct buf {
    char *ptr;
    size_t len;
    size_t cap;
    size_t max; /* bytes; 0 means BUF_MAX_DEFAULT */
    bool failed;
};
#define BUF_MAX_DEFAULT ((size_t)64 << 20)

void buf_fini(struct buf *b); /* frees; leaves it empty and usable */
void buf_reset(struct buf *b); /* empties, keeps the memory, clears failed */
void buf_add(struct buf *b, str s);
void buf_add_char(struct buf *b, char c);
void buf_add_i64(struct buf *b, int64_t v);
void buf_add_base64(struct buf *b, str bytes); /* RFC 4648, section 4, with padding */
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *fmt, va_list args)
    __attribute__((format(printf, 2, 0)));
/* Room for at least n more bytes at ptr + len; NULL when it failed. Then add what you wrote to len. */
char *buf_reserve(struct buf *b, size_t n);
/* Drops the first n bytes (n <= len) by moving the rest down. */
void buf_consume(struct buf *b, size_t n);
str buf_str(const struct buf *b);
/* The content with a NUL behind it, not counted in len; "" when failed. */
const char *buf_cstr(struct buf *b);

#endif
