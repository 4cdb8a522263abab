/* SPDX-License-Identifier: Apache-2.0 */
/* names: what clients and providers called something, written where it can do no harm. */
#include "app/report/daily_internal.h"

#define UTF8_MAX 4

/* How many bytes the UTF-8 character at the beginning has; 0 when there is none. */
static size_t character_length(str s)
{
    for (size_t n = 1; n <= UTF8_MAX && n <= s.len; n++) {
        if (str_is_utf8(str_slice(s, 0, n)))
            return n;
    }
    return 0;
}

static uint32_t code_point(str c)
{
    static const uint32_t first_bits[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
    uint32_t code = (unsigned char)c.ptr[0] & first_bits[c.len];

    for (size_t i = 1; i < c.len; i++)
        code = code << 6 | ((unsigned char)c.ptr[i] & 0x3fu);
    return code;
}

/* C0, DEL, C1, line separators, and the marks, embeddings, overrides and isolates of direction. */
static bool code_is_hostile(uint32_t c)
{
    static const uint32_t ranges[][2] = {
        { 0x00, 0x1f },     { 0x7f, 0x9f },     { 0x061c, 0x061c }, { 0x200b, 0x200f },
        { 0x2028, 0x202e }, { 0x2060, 0x2069 }, { 0xfeff, 0xfeff },
    };

    for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
        if (c >= ranges[i][0] && c <= ranges[i][1])
            return true;
    }
    return false;
}

static void bytes_write_hex(struct buf *out, str bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        buf_printf(out, "\\x%02x", (unsigned)(unsigned char)bytes.ptr[i]);
}

/* Character by character; `each` writes those that are harmless. */
static void name_write(struct buf *out, str name, void (*each)(struct buf *out, str character))
{
    while (name.len > 0) {
        size_t n = character_length(name);
        str c = str_slice(name, 0, n > 0 ? n : 1);
        if (n == 0 || code_is_hostile(code_point(c)))
            bytes_write_hex(out, c);
        else
            each(out, c);
        name = str_slice(name, c.len, name.len);
    }
}

static void character_write_text(struct buf *out, str c)
{
    buf_add(out, c);
}

static void character_write_csv(struct buf *out, str c)
{
    buf_add(out, str_eq(c, STR("\"")) ? STR("\"\"") : c);
}

static void character_write_html(struct buf *out, str c)
{
    static const struct {
        char character;
        str entity;
    } entities[] = {
        { '&', { "&amp;", 5 } },  { '<', { "&lt;", 4 } },   { '>', { "&gt;", 4 } },
        { '"', { "&quot;", 6 } }, { '\'', { "&#39;", 5 } },
    };

    for (size_t i = 0; i < ARRAY_LEN(entities); i++) {
        if (c.len == 1 && c.ptr[0] == entities[i].character) {
            buf_add(out, entities[i].entity);
            return;
        }
    }
    buf_add(out, c);
}

void name_write_text(struct buf *out, str name)
{
    name_write(out, name.len > 0 ? name : STR("(none)"), character_write_text);
}

/* Blanks before the sign do not keep a spreadsheet from evaluating it. */
static bool is_formula(str name)
{
    str bare = str_trim(name);

    return bare.len > 0 && str_find_char(STR("=+-@|%"), bare.ptr[0]) != STR_NPOS;
}

void name_write_csv(struct buf *out, str name)
{
    buf_add_char(out, '"');
    if (is_formula(name))
        buf_add_char(out, '\'');
    name_write(out, name, character_write_csv);
    buf_add_char(out, '"');
}

void name_write_html(struct buf *out, str name)
{
    name_write(out, name.len > 0 ? name : STR("(none)"), character_write_html);
}
