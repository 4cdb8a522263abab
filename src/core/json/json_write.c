/* SPDX-License-Identifier: Apache-2.0 */
/* json_write: writers into a buffer, and the canonical form. */
#include "core/json/json_node.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Writes the escape that one ASCII byte needs. */
static void escape_write(struct buf *out, unsigned char c)
{
    static const char letters[0x20] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'
    };
    static const char hex[] = "0123456789abcdef";

    if (c == '"' || c == '\\') {
        buf_add(out, (str){ (const char[]){ '\\', (char)c }, 2 });
    } else if (letters[c] != '\0') {
        buf_add(out, (str){ (const char[]){ '\\', letters[c] }, 2 });
    } else {
        buf_add(out, STR("\\u00"));
        buf_add(out, (str){ (const char[]){ hex[c >> 4], hex[c & 15] }, 2 });
    }
}

void json_write_str(struct buf *out, str s)
{
    const char *at = s.ptr, *end = s.len > 0 ? s.ptr + s.len : s.ptr;

    if (s.len <= SIZE_MAX - 2)
        buf_reserve(out, s.len + 2);
    buf_add_char(out, '"');
    while (at < end) {
        const char *from = at;
        size_t len = 1;
        /* One run of what may stand as it is: plain ASCII and well-formed sequences. */
        for (at += json_plain_len(at, end); at < end && (unsigned char)*at >= 0x80 && len > 0;) {
            len = json_utf8_len(at, end);
            at += len;
            at += len > 0 ? json_plain_len(at, end) : 0;
        }
        buf_add(out, (str){ from, (size_t)(at - from) });
        if (at == end)
            break;
        if (len == 0)
            buf_add(out, STR("\xEF\xBF\xBD"));
        else
            escape_write(out, (unsigned char)*at);
        at++;
    }
    buf_add_char(out, '"');
}

void json_write_double(struct buf *out, double v)
{
    char text[32];
    /* Fifteen digits give the shortest form wherever it has no more, but for denormal numbers, which hold fewer. */
    bool is_denormal = v != 0 && fabs(v) < 0x1p-1022;

    if (!isfinite(v)) {
        buf_add(out, STR("null"));
        return;
    }
    if (v != 0 && fabs(v) < 0x1p53 && trunc(v) == v) {
        buf_add_i64(out, (int64_t)v);
        return;
    }
    for (int digits = is_denormal ? 1 : 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, v);
        if (!(strtod(text, NULL) < v) && !(strtod(text, NULL) > v))
            break;
    }
    buf_add(out, str_from(text));
}

void json_write_bool(struct buf *out, bool v)
{
    buf_add(out, v ? STR("true") : STR("false"));
}

void json_comma(struct buf *out)
{
    char last = out->len > 0 ? out->ptr[out->len - 1] : '{';

    if (last != '{' && last != '[' && last != ':')
        buf_add_char(out, ',');
}

void json_key(struct buf *out, const char *name)
{
    json_comma(out);
    json_write_str(out, str_from(name));
    buf_add_char(out, ':');
}

void json_member_str(struct buf *out, const char *name, str s)
{
    json_key(out, name);
    json_write_str(out, s);
}

void json_member_i64(struct buf *out, const char *name, int64_t v)
{
    json_key(out, name);
    buf_add_i64(out, v);
}

void json_member_double(struct buf *out, const char *name, double v)
{
    json_key(out, name);
    json_write_double(out, v);
}

void json_member_bool(struct buf *out, const char *name, bool v)
{
    json_key(out, name);
    json_write_bool(out, v);
}

void json_member_null(struct buf *out, const char *name)
{
    json_key(out, name);
    buf_add(out, STR("null"));
}

void json_member_str_or_null(struct buf *out, const char *name, str s)
{
    if (s.len > 0)
        json_member_str(out, name, s);
    else
        json_member_null(out, name);
}

/* Content of a string in the one form that each text has. Lone surrogates stay escapes, so that texts that differ in
 * them alone keep different bytes. */
static void canonical_string(struct buf *out, struct json_runes runes)
{
    uint32_t rune;

    buf_add_char(out, '"');
    for (;;) {
        size_t plain = json_plain_len(runes.at, runes.end);
        buf_add(out, (str){ runes.at, plain });
        runes.at += plain;
        if (!json_rune_next(&runes, &rune))
            break;
        if (rune < 0x20 || rune == '"' || rune == '\\') {
            escape_write(out, (unsigned char)rune);
        } else if (rune >= 0xD800 && rune < 0xE000) {
            buf_printf(out, "\\u%04x", (unsigned)rune);
        } else {
            char bytes[4];
            buf_add(out, (str){ bytes, json_rune_encode(rune, bytes) });
        }
    }
    buf_add_char(out, '"');
}

static int member_cmp(const void *a, const void *b)
{
    return json_name_cmp(a, b);
}

#define MEMBERS_ON_STACK 16u

static void canonical_value(struct buf *out, struct json v);

static void canonical_object(struct buf *out, struct json v)
{
    struct json_name few[MEMBERS_ON_STACK], *members = few;
    size_t n = 0;

    if (json_count(v) > MEMBERS_ON_STACK)
        members = calloc(json_count(v), sizeof(*members));
    if (!members) {
        out->failed = true;
        return;
    }
    for (const struct json_node *m = v.node->child; m; m = m->next)
        members[n++] = json_name_of(m, v.text);
    qsort(members, n, sizeof(*members), member_cmp);
    buf_add_char(out, '{');
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buf_add_char(out, ',');
        canonical_string(out,
                         (struct json_runes){ members[i].ptr, members[i].ptr + members[i].len });
        buf_add_char(out, ':');
        canonical_value(out, (struct json){ members[i].node, v.text });
    }
    buf_add_char(out, '}');
    if (members != few)
        free(members);
}

static void canonical_array(struct buf *out, struct json v)
{
    struct json_iter it = json_iter(v);

    buf_add_char(out, '[');
    while (json_next(&it)) {
        json_comma(out);
        canonical_value(out, it.value);
    }
    buf_add_char(out, ']');
}

/* Recursion is bounded by JSON_DEPTH_MAX. */
static void canonical_value(struct buf *out, struct json v)
{
    str raw = json_raw(v);

    switch (json_type_of(v)) {
    case JSON_NULL:
    case JSON_FALSE:
    case JSON_TRUE:
        buf_add(out, raw);
        break;
    case JSON_NUMBER:
        json_number_write_canonical(out, raw);
        break;
    case JSON_STRING:
        canonical_string(out, (struct json_runes){ raw.ptr + 1, raw.ptr + raw.len - 1 });
        break;
    case JSON_ARRAY:
        canonical_array(out, v);
        break;
    case JSON_OBJECT:
        canonical_object(out, v);
        break;
    }
}

void json_write_canonical(struct buf *out, struct json v)
{
    if (json_exists(v))
        canonical_value(out, v);
}
