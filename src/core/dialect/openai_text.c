/* SPDX-License-Identifier: Apache-2.0 */
/* openai_text: see openai_text.h. */
#include "core/dialect/openai_text.h"

#include <string.h>

static bool is_part(struct json part)
{
    return json_is(json_get(part, STR("type")), JSON_STRING);
}

/* The text of a part, when it is one of text. */
static bool part_text(struct arena *arena, struct json part, str *out)
{
    str type = { 0 };

    if (!json_str(json_get(part, STR("type")), arena, &type) || !str_eq(type, STR("text")))
        return false;
    return json_str(json_get(part, STR("text")), arena, out);
}

/* Parts that carry words of the assistant but are no text to build on. */
static bool part_is_refusal(struct json part)
{
    return str_eq(json_raw(json_get(part, STR("type"))), STR("\"refusal\""));
}

static enum content_form parts_read(struct arena *arena, struct json parts, str *out)
{
    enum content_form form = CONTENT_TEXT;
    struct json_iter it = json_iter(parts);
    size_t len = 0, count = 0;
    str text = { 0 };

    while (json_next(&it)) {
        if (!is_part(it.value))
            return CONTENT_WRONG;
        if (part_text(arena, it.value, &text)) {
            len += text.len + 1;
            count++;
        } else if (!part_is_refusal(it.value)) {
            form = CONTENT_RICH;
        }
    }
    *out = (str){ NULL, 0 };
    if (count == 0)
        return form;
    char *joined = arena_alloc(arena, len);
    if (!joined)
        return form;
    size_t at = 0;
    it = json_iter(parts);
    while (json_next(&it)) {
        if (!part_text(arena, it.value, &text))
            continue;
        if (at > 0 || count == 0)
            joined[at++] = '\n';
        if (text.len > 0)
            memcpy(joined + at, text.ptr, text.len);
        at += text.len;
        count = 0; /* from the second text on, even behind an empty one, a line end goes first */
    }
    *out = (str){ joined, at };
    return form;
}

enum content_form content_read(struct arena *arena, struct json content, str *out)
{
    if (!json_exists(content) || json_is(content, JSON_NULL)) {
        *out = (str){ NULL, 0 };
        return CONTENT_TEXT;
    }
    if (json_is(content, JSON_ARRAY))
        return parts_read(arena, content, out);
    if (!json_is(content, JSON_STRING))
        return CONTENT_WRONG;
    if (!json_str(content, arena, out))
        *out = (str){ NULL, 0 };
    return CONTENT_TEXT;
}

/* The code point at s.ptr[*at], which moves on. The text is valid UTF-8. */
static uint32_t rune_next(str s, size_t *at)
{
    static const uint8_t lens[16] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 3, 4 };
    unsigned char lead = (unsigned char)s.ptr[*at];
    size_t len = lens[lead >> 4];
    uint32_t rune = len == 1 ? lead : lead & (0x7Fu >> len);

    for (size_t i = 1; i < len && *at + i < s.len; i++)
        rune = rune << 6 | ((unsigned char)s.ptr[*at + i] & 0x3Fu);
    *at += len;
    return rune;
}

bool text_is_visible(str text)
{
    /* Sorted: white space, control characters, marks of no width, fillers that draw nothing. */
    static const struct {
        uint32_t first;
        uint32_t last;
    } invisible[] = {
        { 0x0000, 0x0020 }, { 0x007F, 0x00A0 }, { 0x00AD, 0x00AD },   { 0x034F, 0x034F },
        { 0x061C, 0x061C }, { 0x115F, 0x1160 }, { 0x1680, 0x1680 },   { 0x17B4, 0x17B5 },
        { 0x180B, 0x180F }, { 0x2000, 0x200F }, { 0x2028, 0x202F },   { 0x205F, 0x206F },
        { 0x2800, 0x2800 }, { 0x3000, 0x3000 }, { 0x3164, 0x3164 },   { 0xFE00, 0xFE0F },
        { 0xFEFF, 0xFEFF }, { 0xFFA0, 0xFFA0 }, { 0xE0000, 0xE0FFF },
    };

    for (size_t at = 0; at < text.len;) {
        uint32_t rune = rune_next(text, &at);
        bool is_seen = true;
        for (size_t i = 0; i < ARRAY_LEN(invisible) && rune >= invisible[i].first; i++)
            is_seen = is_seen && rune > invisible[i].last;
        if (is_seen)
            return true;
    }
    return false;
}
