/* SPDX-License-Identifier: Apache-2.0 */
/* text: characters from bytes, and bytes that make none. */
#include <string.h>

#include "core/tokens/tokens_internal.h"

#define REPLACEMENT 0xFFFDu

/*
 * The Unicode standard's table 3-7, well-formed UTF-8: by the first byte, how many follow and in what range the second lies.
 * The range is what rules out overlong forms, surrogates and code points above U+10FFFF.
 */
struct lead {
    uint8_t first, last;
    uint8_t following;
    uint8_t second_min, second_max;
};

static const struct lead leads[] = {
    { 0xC2, 0xDF, 1, 0x80, 0xBF }, { 0xE0, 0xE0, 2, 0xA0, 0xBF }, { 0xE1, 0xEC, 2, 0x80, 0xBF },
    { 0xED, 0xED, 2, 0x80, 0x9F }, { 0xEE, 0xEF, 2, 0x80, 0xBF }, { 0xF0, 0xF0, 3, 0x90, 0xBF },
    { 0xF1, 0xF3, 3, 0x80, 0xBF }, { 0xF4, 0xF4, 3, 0x80, 0x8F },
};

static const struct lead *lead_find(uint8_t byte)
{
    for (size_t i = 0; i < ARRAY_LEN(leads); i++) {
        if (byte >= leads[i].first && byte <= leads[i].last)
            return &leads[i];
    }
    return NULL;
}

struct token_char token_char_read(const uint8_t *bytes, size_t len)
{
    struct token_char bad = { .code = REPLACEMENT, .len = 1, .is_invalid = true };

    if (bytes[0] < 0x80)
        return (struct token_char){ .code = bytes[0], .len = 1 };
    const struct lead *lead = lead_find(bytes[0]);
    if (!lead)
        return bad;
    uint32_t code = bytes[0] & (0x3Fu >> lead->following);
    for (uint32_t i = 1; i <= lead->following; i++) {
        if (i == len) {
            bad.is_cut = true;
            return bad;
        }
        uint8_t min = i == 1 ? lead->second_min : 0x80, max = i == 1 ? lead->second_max : 0xBF;
        if (bytes[i] < min || bytes[i] > max)
            return bad;
        code = code << 6 | (bytes[i] & 0x3Fu);
        bad.len = i + 1;
    }
    return (struct token_char){ .code = code, .len = bad.len };
}

size_t token_text_clean(str text, uint8_t *out)
{
    const uint8_t *bytes = (const uint8_t *)text.ptr;
    size_t written = 0;

    for (size_t at = 0; at < text.len;) {
        struct token_char c = token_char_read(bytes + at, text.len - at);
        const uint8_t *source = c.is_invalid ? (const uint8_t *)"\xEF\xBF\xBD" : bytes + at;
        size_t len = c.is_invalid ? 3 : c.len;
        memcpy(out + written, source, len);
        written += len;
        at += c.len;
    }
    return written;
}
