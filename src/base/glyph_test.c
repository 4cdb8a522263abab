/* SPDX-License-Identifier: Apache-2.0 */
/* glyph: every border of what is hostile and unseen, broken bytes, and that nothing of a text is lost. */
#include "base/glyph.h"

#include <string.h>

#include "base/rng.h"
#include "test/check.h"

static void kinds_have_their_borders(void)
{
    static const struct {
        str text;
        enum glyph_kind kind;
    } rows[] = {
        { STR("\0"), GLYPH_HOSTILE },       { STR("\t"), GLYPH_HOSTILE },
        { STR("\n"), GLYPH_HOSTILE },       { STR("\x1b"), GLYPH_HOSTILE },
        { STR("\x1f"), GLYPH_HOSTILE },     { STR(" "), GLYPH_PLAIN },
        { STR("~"), GLYPH_PLAIN },          { STR("\x7f"), GLYPH_HOSTILE },
        { STR("\xc2\x80"), GLYPH_HOSTILE }, { STR("\xc2\x9b"), GLYPH_HOSTILE }, /* C1's CSI */
        { STR("\xc2\x9f"), GLYPH_HOSTILE }, { STR("\u00a0"), GLYPH_PLAIN },
        { STR("ü"), GLYPH_PLAIN },          { STR("\u061b"), GLYPH_PLAIN },
        { STR("\u061c"), GLYPH_HOSTILE },   { STR("\u061d"), GLYPH_PLAIN },
        { STR("\u200a"), GLYPH_PLAIN },     { STR("\u200b"), GLYPH_UNSEEN },
        { STR("\u200d"), GLYPH_UNSEEN },    { STR("\u200e"), GLYPH_HOSTILE },
        { STR("\u200f"), GLYPH_HOSTILE },   { STR("\u2010"), GLYPH_PLAIN },
        { STR("\u2027"), GLYPH_PLAIN },     { STR("\u2028"), GLYPH_HOSTILE },
        { STR("\u202e"), GLYPH_HOSTILE },   { STR("\u202f"), GLYPH_PLAIN },
        { STR("\u205f"), GLYPH_PLAIN },     { STR("\u2060"), GLYPH_UNSEEN },
        { STR("\u2065"), GLYPH_UNSEEN },    { STR("\u2066"), GLYPH_HOSTILE },
        { STR("\u2069"), GLYPH_HOSTILE },   { STR("\u206a"), GLYPH_PLAIN },
        { STR("\ufefe"), GLYPH_PLAIN },     { STR("\ufeff"), GLYPH_UNSEEN },
        { STR("\uff00"), GLYPH_PLAIN },     { STR("🚀"), GLYPH_PLAIN },
        { STR("\U0010061c"), GLYPH_PLAIN }, /* not its lower bits alone */
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        str rest = rows[i].text;
        struct glyph g;
        REQUIRE(glyph_next(&rest, &g));
        CHECK_INT(g.kind, rows[i].kind);
        CHECK_STR(g.bytes, rows[i].text);
        CHECK(!glyph_next(&rest, &g));
    }
}

static void broken_bytes_come_alone(void)
{
    static const struct {
        str text;
        size_t broken, plain;
    } rows[] = {
        { STR("\xff\xfe"), 2, 0 },
        { STR("a\x80z"), 1, 2 },
        { STR("\xc3"), 1, 0 }, /* cut off */
        { STR("\xe2\x82"), 2, 0 },
        { STR("\xc0\xaf"), 2, 0 }, /* overlong */
        { STR("\xed\xa0\x80"), 3, 0 }, /* a surrogate */
        { STR("\xf4\x90\x80\x80"), 4, 0 }, /* beyond U+10FFFF */
        { STR("\xc3(ü"), 1, 2 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        str rest = rows[i].text;
        size_t counts[GLYPH_BROKEN + 1] = { 0 };
        for (struct glyph g; glyph_next(&rest, &g);) {
            counts[g.kind]++;
            CHECK(g.kind != GLYPH_BROKEN || g.bytes.len == 1);
        }
        CHECK_INT(counts[GLYPH_BROKEN], rows[i].broken);
        CHECK_INT(counts[GLYPH_PLAIN], rows[i].plain);
    }
}

/* One behind the other they are the text again, and only what is no UTF-8 is broken. */
static void nothing_is_lost(void)
{
    static const char leads[] = "az\x1b\x7f\x80\xbf\xc2\xc3\xe2\xed\xef\xf0\xf4\xff";
    struct rng rng;
    char text[24];

    rng_init(&rng, 7);
    for (int round = 0; round < 20000; round++) {
        size_t len = rng_below(&rng, sizeof(text) + 1), at = 0;
        for (size_t i = 0; i < len; i++)
            text[i] = leads[rng_below(&rng, sizeof(leads) - 1)];
        str rest = { text, len };
        bool has_broken = false;
        for (struct glyph g; glyph_next(&rest, &g); at += g.bytes.len) {
            REQUIRE(g.bytes.ptr == text + at && g.bytes.len >= 1 && g.bytes.len <= 4);
            CHECK_INT(str_is_utf8(g.bytes), g.kind != GLYPH_BROKEN);
            has_broken |= g.kind == GLYPH_BROKEN;
        }
        CHECK_INT(at, len);
        CHECK_INT(has_broken, !str_is_utf8((str){ text, len }));
    }
}

TESTS(TEST(kinds_have_their_borders), TEST(broken_bytes_come_alone), TEST(nothing_is_lost))
