/* SPDX-License-Identifier: Apache-2.0 */
/* names: what clients and providers called something, written where it can do no harm. */
#include "app/report/daily_internal.h"
#include "base/glyph.h"

static void bytes_write_hex(struct buf *out, str bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        buf_printf(out, "\\x%02x", (unsigned)(unsigned char)bytes.ptr[i]);
}

/* Character by character; `each` writes those that are harmless. */
static void name_write(struct buf *out, str name, void (*each)(struct buf *out, str character))
{
    for (struct glyph g; glyph_next(&name, &g);) {
        if (g.kind == GLYPH_PLAIN)
            each(out, g.bytes);
        else
            bytes_write_hex(out, g.bytes);
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
