/* SPDX-License-Identifier: Apache-2.0 */
/* glyph: see glyph.h. */
#include "base/glyph.h"

#include "base/base.h"

/* Of a valid sequence of UTF-8. */
static uint32_t code_point(str bytes)
{
    static const uint32_t first_bits[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
    uint32_t code = (unsigned char)bytes.ptr[0] & first_bits[bytes.len];

    for (size_t i = 1; i < bytes.len; i++)
        code = code << 6 | ((unsigned char)bytes.ptr[i] & 0x3fu);
    return code;
}

static enum glyph_kind kind_of(uint32_t code)
{
    static const struct {
        uint32_t first, last;
        enum glyph_kind kind;
    } ranges[] = {
        { 0x0000, 0x001f, GLYPH_HOSTILE }, { 0x007f, 0x009f, GLYPH_HOSTILE },
        { 0x061c, 0x061c, GLYPH_HOSTILE }, { 0x200b, 0x200d, GLYPH_UNSEEN },
        { 0x200e, 0x200f, GLYPH_HOSTILE }, { 0x2028, 0x202e, GLYPH_HOSTILE },
        { 0x2060, 0x2065, GLYPH_UNSEEN },  { 0x2066, 0x2069, GLYPH_HOSTILE },
        { 0xfeff, 0xfeff, GLYPH_UNSEEN },
    };

    for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
        if (code >= ranges[i].first && code <= ranges[i].last)
            return ranges[i].kind;
    }
    return GLYPH_PLAIN;
}

bool glyph_next(str *text, struct glyph *out)
{
    if (text->len == 0)
        return false;
    size_t length = str_utf8_length(*text);

    out->bytes = str_slice(*text, 0, length > 0 ? length : 1);
    out->kind = length > 0 ? kind_of(code_point(out->bytes)) : GLYPH_BROKEN;
    *text = str_slice(*text, out->bytes.len, text->len);
    return true;
}
