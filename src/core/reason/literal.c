/* SPDX-License-Identifier: Apache-2.0 */
/*
 * literal: lists, tuples, sets and dictionaries as JSON and Python write them, in one spelling:
 * no white space, strings in double quotes, numbers as exact rationals, members of dictionaries and
 * sets in the order of their bytes, true/false/null for both families. Tuples keep round brackets.
 */
#include <string.h>

#include "core/reason/answer_internal.h"

#define LITERAL_BYTES_MAX 4096
#define LITERAL_DEPTH_MAX 24
#define LITERAL_ITEMS_MAX 256
/* The longest growth is a decimal such as ".1" (1/10) or an escaped control byte. */
#define LITERAL_GROWTH 8

struct reader {
    str rest;
    char *out;
    size_t len;
    size_t max;
    int depth;
    struct arena *arena;
};

static bool read_value(struct reader *r);

static bool emit(struct reader *r, str s)
{
    if (s.len > r->max - r->len)
        return false;
    if (s.len > 0)
        memcpy(r->out + r->len, s.ptr, s.len);
    r->len += s.len;
    return true;
}

static void skip_space(struct reader *r)
{
    r->rest = str_trim(r->rest);
}

static bool accept(struct reader *r, char c)
{
    skip_space(r);
    if (r->rest.len == 0 || r->rest.ptr[0] != c)
        return false;
    r->rest = str_slice(r->rest, 1, r->rest.len);
    return true;
}

static bool emit_byte(struct reader *r, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    const char escaped[6] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };

    if (c == '"' || c == '\\')
        return emit(r, STR("\\")) && emit(r, (str){ (const char *)&c, 1 });
    if (c < 0x20)
        return emit(r, (str){ escaped, sizeof(escaped) });
    return emit(r, (str){ (const char *)&c, 1 });
}

/* \uXXXX outside the surrogates as UTF-8; 0 when there is none. */
static size_t read_code_point(str rest, char out[4], size_t *out_len)
{
    uint32_t code = 0;

    if (rest.len < 6 || rest.ptr[1] != 'u')
        return 0;
    for (size_t i = 2; i < 6; i++) {
        static const char hex[] = "0123456789abcdef0123456789ABCDEF";
        const char *digit = rest.ptr[i] ? strchr(hex, rest.ptr[i]) : NULL;
        if (!digit)
            return 0;
        code = code * 16 + (uint32_t)((digit - hex) & 15);
    }
    if (code >= 0xD800 && code < 0xE000)
        return 0;
    if (code < 0x80) {
        out[0] = (char)code;
        *out_len = 1;
    } else if (code < 0x800) {
        out[0] = (char)(0xC0 | (code >> 6));
        out[1] = (char)(0x80 | (code & 0x3F));
        *out_len = 2;
    } else {
        out[0] = (char)(0xE0 | (code >> 12));
        out[1] = (char)(0x80 | ((code >> 6) & 0x3F));
        out[2] = (char)(0x80 | (code & 0x3F));
        *out_len = 3;
    }
    return 6;
}

/* Undoes one escape or takes one byte; gives how much was read. */
static size_t read_character(str rest, char out[4], size_t *out_len)
{
    /* Escapes that both families know; another backslash stays what it is. */
    static const char letters[] = "ntr\"'\\/";
    static const char bytes[] = "\n\t\r\"'\\/";

    if (rest.ptr[0] == '\\' && rest.len > 1) {
        size_t used = read_code_point(rest, out, out_len);
        const char *known = rest.ptr[1] ? strchr(letters, rest.ptr[1]) : NULL;
        if (used > 0)
            return used;
        if (known) {
            out[0] = bytes[known - letters];
            *out_len = 1;
            return 2;
        }
    }
    out[0] = rest.ptr[0];
    *out_len = 1;
    return 1;
}

static bool read_string(struct reader *r, char quote)
{
    if (!emit(r, STR("\"")))
        return false;
    while (r->rest.len > 0 && r->rest.ptr[0] != quote) {
        char bytes[4];
        size_t count, used = read_character(r->rest, bytes, &count);
        for (size_t i = 0; i < count; i++) {
            if (!emit_byte(r, (unsigned char)bytes[i]))
                return false;
        }
        r->rest = str_slice(r->rest, used, r->rest.len);
    }
    return accept(r, quote) && emit(r, STR("\""));
}

static bool read_word(struct reader *r)
{
    static const struct {
        str word;
        str canonical;
    } words[] = {
        { { "true", 4 }, { "true", 4 } },   { { "True", 4 }, { "true", 4 } },
        { { "false", 5 }, { "false", 5 } }, { { "False", 5 }, { "false", 5 } },
        { { "null", 4 }, { "null", 4 } },   { { "None", 4 }, { "null", 4 } },
    };
    size_t n = 0;

    while (n < r->rest.len && strchr(",]})( \t\r\n:", r->rest.ptr[n]) == NULL)
        n++;
    str word = str_slice(r->rest, 0, n);
    r->rest = str_slice(r->rest, n, r->rest.len);
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (str_eq(word, words[i].word))
            return emit(r, words[i].canonical);
    }
    struct quantity q;
    if (!quantity_parse(r->arena, word, &q) || q.unit.len > 0 || q.is_percent)
        return false;
    return emit(r, rational_text(r->arena, q.value));
}

/* The spans of the items written since `from`, sorted, without repeats when it is a set. */
static bool sort_items(struct reader *r, size_t from, str *items, size_t *count, bool is_set)
{
    size_t kept = 0;
    str copy = arena_str(r->arena, (str){ r->out + from, r->len - from });

    if (copy.len != r->len - from)
        return false;
    for (size_t i = 0; i < *count; i++)
        items[i].ptr = copy.ptr + (items[i].ptr - (r->out + from));
    for (size_t i = 1; i < *count; i++) {
        str item = items[i];
        size_t j = i;
        for (; j > 0 && str_cmp(items[j - 1], item) > 0; j--)
            items[j] = items[j - 1];
        items[j] = item;
    }
    r->len = from;
    for (size_t i = 0; i < *count; i++) {
        if (is_set && kept > 0 && str_eq(items[i], items[i - 1]))
            continue;
        if ((kept > 0 && !emit(r, STR(","))) || !emit(r, items[i]))
            return false;
        kept++;
    }
    *count = kept;
    return true;
}

static bool read_braces(struct reader *r)
{
    str items[LITERAL_ITEMS_MAX];
    size_t count = 0, from;
    bool is_set = false;

    if (!emit(r, STR("{")))
        return false;
    from = r->len;
    while (!accept(r, '}')) {
        size_t start = r->len;
        if (count == LITERAL_ITEMS_MAX || !read_value(r))
            return false;
        bool has_colon = accept(r, ':');
        if (count == 0)
            is_set = !has_colon;
        if (has_colon == is_set)
            return false;
        if (has_colon && (!emit(r, STR(":")) || !read_value(r)))
            return false;
        items[count++] = (str){ r->out + start, r->len - start };
        if (!accept(r, ',')) {
            if (!accept(r, '}'))
                return false;
            break;
        }
    }
    return sort_items(r, from, items, &count, is_set) && emit(r, STR("}"));
}

static bool read_sequence(struct reader *r, char close)
{
    bool is_tuple = close == ')', has_comma = false;
    size_t count = 0;

    if (!emit(r, is_tuple ? STR("(") : STR("[")))
        return false;
    while (!accept(r, close)) {
        if ((count > 0 && !emit(r, STR(","))) || !read_value(r))
            return false;
        count++;
        has_comma = accept(r, ',');
        if (!has_comma) {
            if (!accept(r, close))
                return false;
            break;
        }
    }
    /* Round brackets around one value without a comma are no tuple. */
    if (is_tuple && count == 1 && (!has_comma || !emit(r, STR(","))))
        return false;
    return emit(r, is_tuple ? STR(")") : STR("]"));
}

static bool read_value(struct reader *r)
{
    bool done;

    skip_space(r);
    if (r->rest.len == 0 || r->depth >= LITERAL_DEPTH_MAX)
        return false;
    r->depth++;
    if (accept(r, '['))
        done = read_sequence(r, ']');
    else if (accept(r, '('))
        done = read_sequence(r, ')');
    else if (accept(r, '{'))
        done = read_braces(r);
    else if (accept(r, '"'))
        done = read_string(r, '"');
    else if (accept(r, '\''))
        done = read_string(r, '\'');
    else
        done = read_word(r);
    r->depth--;
    return done;
}

bool literal_canonical(struct arena *arena, str text, str *out)
{
    struct reader r = { .rest = str_trim(text), .arena = arena };

    if (r.rest.len < 2 || r.rest.len > LITERAL_BYTES_MAX ||
        (r.rest.ptr[0] != '[' && r.rest.ptr[0] != '{' && r.rest.ptr[0] != '('))
        return false;
    r.max = r.rest.len * LITERAL_GROWTH + 64;
    r.out = arena_alloc(arena, r.max);
    if (!r.out || !read_value(&r))
        return false;
    skip_space(&r);
    if (r.rest.len > 0)
        return false;
    *out = (str){ r.out, r.len };
    return true;
}
