/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of cutting: texts with what each pattern makes of them (as the regular expressions themselves say, run by Python's
 * regex module), and characters from bytes.
 */
#include "core/tokens/tokens_internal.h"
#include "test/check.h"

struct row {
    const char *text;
    const char *cut[TOKEN_ENCODING_COUNT]; /* with '~' between pieces */
};

/* clang-format off */
static const struct row rows[] = {
    { "Hello world", { "Hello~ world", "Hello~ world" } },
    { "don't", { "don't", "don~'t" } },
    { "DON'T", { "DON'T", "DON~'T" } },
    { "we'llx", { "we'll~x", "we~'ll~x" } },
    { "I'Ve'd", { "I'Ve~'d", "I~'Ve~'d" } },
    { "x'\305\277y", { "x'\305\277~y", "x~'\305\277~y" } },
    { "it's's", { "it's~'s", "it~'s~'s" } },
    { " 'S", { " '~S", " '~S" } },
    { "'tis", { "'tis", "'t~is" } },
    { "HelloWorld", { "Hello~World", "HelloWorld" } },
    { "HTTPServer", { "HTTPServer", "HTTPServer" } },
    { "ABC\344\270\255DEF", { "ABC\344\270\255~DEF", "ABC\344\270\255DEF" } },
    { "ABC\344\270\255DEFg", { "ABC\344\270\255DEFg", "ABC\344\270\255DEFg" } },
    { "\344\270\255A", { "\344\270\255~A", "\344\270\255A" } },
    { "\314\201ABC", { "\314\201~ABC", "\314\201ABC" } },
    { "!\314\201ab", { "!\314\201ab", "!\314\201~ab" } },
    { "!!\314\201ab", { "!!\314\201~ab", "!!\314\201~ab" } },
    { "\314\201", { "\314\201", "\314\201" } },
    { "1\314\201", { "1~\314\201", "1~\314\201" } },
    { "12345678", { "123~456~78", "123~456~78" } },
    { "\340\245\247\340\245\250\340\245\251\340\245\252", { "\340\245\247\340\245\250\340\245\251~\340\245\252", "\340\245\247\340\245\250\340\245\251~\340\245\252" } },
    { "3a", { "3~a", "3~a" } },
    { "\302\262\302\275\342\205\247x", { "\302\262\302\275\342\205\247~x", "\302\262\302\275\342\205\247~x" } },
    { " 1", { " ~1", " ~1" } },
    { "  1", { " ~ ~1", " ~ ~1" } },
    { "a  b", { "a~ ~ b", "a~ ~ b" } },
    { "a   b", { "a~  ~ b", "a~  ~ b" } },
    { "a \n b", { "a~ \n~ b", "a~ \n~ b" } },
    { "a\n\n b", { "a~\n\n~ b", "a~\n\n~ b" } },
    { "\n \n", { "\n \n", "\n \n" } },
    { "a\n  ", { "a~\n~  ", "a~\n  " } },
    { "  ", { "  ", "  " } },
    { "a  ", { "a~  ", "a~  " } },
    { "\r\n\r\nx", { "\r\n\r\n~x", "\r\n\r\n~x" } },
    { " \302\240x", { " ~\302\240x", " ~\302\240x" } },
    { "\302\240\302\240x", { "\302\240~\302\240x", "\302\240~\302\240x" } },
    { "\tfoo", { "\tfoo", "\tfoo" } },
    { "\t\tfoo", { "\t~\tfoo", "\t~\tfoo" } },
    { "\013foo", { "\013foo", "\013foo" } },
    { "a\302\205b", { "a~\302\205b", "a~\302\205b" } },
    { "...\n\n/x", { "...\n\n/~x", "...\n\n~/x" } },
    { " !!\r\n//y", { " !!\r\n//~y", " !!\r\n~//~y" } },
    { "!\n !", { "!\n~ !", "!\n~ !" } },
    { "/a/b", { "/a~/b", "/a~/b" } },
    { " //\n", { " //\n", " //\n" } },
    { "<|endoftext|>", { "<|~endoftext~|>", "<|~endoftext~|>" } },
    { "\360\237\221\251\342\200\215\360\237\221\247 x", { "\360\237\221\251\342\200\215\360\237\221\247~ x", "\360\237\221\251\342\200\215\360\237\221\247~ x" } },
    { "\307\205ungla", { "\307\205ungla", "\307\205ungla" } },
    { "\312\260A", { "\312\260~A", "\312\260A" } },
    { "A\312\260b", { "A\312\260b", "A\312\260b" } },
    { "\357\273\277BOM", { "\357\273\277BOM", "\357\273\277BOM" } },
    { "x_y", { "x~_y", "x~_y" } },
    { "\000\037", { "\000\037", "\000\037" } },
    { "a\342\200\250b", { "a~\342\200\250b", "a~\342\200\250b" } },
    { "\343\200\200\343\201\202", { "\343\200\200\343\201\202", "\343\200\200\343\201\202" } },
    { "\342\200\213a", { "\342\200\213a", "\342\200\213a" } },
};
/* clang-format on */

static void cut(enum token_encoding encoding, str text, struct buf *out)
{
    for (size_t at = 0; at < text.len;) {
        struct token_piece piece = token_piece_read(encoding, str_slice(text, at, text.len));
        if (at > 0)
            buf_add_char(out, '~');
        buf_add(out, piece.bytes);
        at += piece.bytes.len;
    }
}

static void cuts_as_the_patterns_do(void)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        /* NUL is a character like others, and the only one that C's literals cannot end with. */
        size_t len = rows[i].text[0] ? strlen(rows[i].text) : 2;
        for (int e = 0; e < TOKEN_ENCODING_COUNT; e++) {
            size_t cut_len = rows[i].text[0] ? strlen(rows[i].cut[e]) : 2;
            struct buf got = { 0 };
            cut((enum token_encoding)e, (str){ rows[i].text, len }, &got);
            CHECK_STR(buf_str(&got), ((str){ rows[i].cut[e], cut_len }));
            buf_fini(&got);
        }
    }
}

/* A piece is open exactly when some text behind it would change it; closed ones never do. */
static void knows_which_pieces_are_open(void)
{
    static const struct {
        const char *text;
        bool is_open[TOKEN_ENCODING_COUNT];
    } cases[] = {
        { "word", { true, true } },
        { "word ", { false, false } },
        { "don'", { true, false } },
        { "don't ", { false, false } },
        { "don'r", { true, false } },
        { "'", { true, true } },
        { "123", { false, false } },
        { "12", { true, true } },
        { " ", { true, true } },
        { " \n", { true, true } },
        { "\n a", { false, false } },
        { "!!a", { false, false } },
        { "!!\n", { true, true } },
        { "!!/a", { false, false } },
        { "a\xE4", { true, true } },
        { "a\xE4\xB8", { true, true } },
        { "a\xFF", { false, false } },
        { "a\xE4!", { false, false } },
        { "ABC\xE4\xB8\xAD", { true, true } },
        { "\xE4\xB8\xAD"
          "ABC",
          { true, true } },
        { "don\xC5", { true, true } },
        { "x'\xC5", { true, false } },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (int e = 0; e < TOKEN_ENCODING_COUNT; e++) {
            struct token_piece piece =
                token_piece_read((enum token_encoding)e, str_from(cases[i].text));
            if (piece.is_open != cases[i].is_open[e])
                fprintf(stderr, "'%s' in %s\n", cases[i].text,
                        token_encoding_name((enum token_encoding)e));
            CHECK_INT(piece.is_open, cases[i].is_open[e]);
        }
    }
}

/* U+FFFD for each maximal part that cannot go on: as Python's decoder and the Unicode standard (table 3-8) have it. */
static void replaces_what_is_no_text(void)
{
#define R "\xEF\xBF\xBD"
    static const struct {
        const char *bytes, *clean;
    } cases[] = {
        { "a", "a" },
        { "\xC3\xA9\xE4\xB8\xAD\xF0\x9F\x98\x80", "\xC3\xA9\xE4\xB8\xAD\xF0\x9F\x98\x80" },
        { "\x80", R },
        { "\xC0\xAF", R R },
        { "\xC2", R },
        { "\xC2g", R "g" },
        { "\xE0\x9F\xBF", R R R },
        { "\xE0\xA0\x80", "\xE0\xA0\x80" },
        { "\xED\xA0\x80", R R R },
        { "\xED\x9F\xBF", "\xED\x9F\xBF" },
        { "\xE4\xB8", R },
        { "\xE4\xB8g", R "g" },
        { "\xE4\xB8\xE4\xB8\xAD", R "\xE4\xB8\xAD" },
        { "\xF0\x80\x80g", R R R "g" },
        { "\xF0\x90\x80g", R "g" },
        { "\xF4\x8F\xBF\xBF", "\xF4\x8F\xBF\xBF" },
        { "\xF4\x90\x80\x80", R R R R },
        { "\xF5\xFF", R R },
        { "\xF1\x80\xC2\xA9", R "\xC2\xA9" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint8_t clean[64];
        size_t len = token_text_clean(str_from(cases[i].bytes), clean);
        CHECK_STR(((str){ (const char *)clean, len }), str_from(cases[i].clean));
    }
#undef R
}

static void knows_characters(void)
{
    static const struct {
        uint32_t code;
        uint8_t class;
    } cases[] = {
        { 'A', CHAR_UPPER },     { 0x1C5, CHAR_UPPER },    { 'z', CHAR_LOWER },
        { 0xDF, CHAR_LOWER },    { 0x2B0, CHAR_CASELESS }, { 0x4E2D, CHAR_CASELESS },
        { 0x301, CHAR_MARK },    { 0x20E3, CHAR_MARK },    { '7', CHAR_NUMBER },
        { 0x2167, CHAR_NUMBER }, { 0xBD, CHAR_NUMBER },    { ' ', CHAR_SPACE },
        { 0x85, CHAR_SPACE },    { 0x3000, CHAR_SPACE },   { 0x1F, CHAR_OTHER },
        { 0x200B, CHAR_OTHER },  { 0xFEFF, CHAR_OTHER },   { '\n', CHAR_NEWLINE },
        { '\r', CHAR_NEWLINE },  { 0x2028, CHAR_SPACE },   { 0xFFFD, CHAR_OTHER },
        { 0x1F600, CHAR_OTHER }, { 0x10FFFF, CHAR_OTHER }, { 0x2EBF0, CHAR_CASELESS },
        { 0x1C89, CHAR_UPPER },  { 0x11F5A, CHAR_MARK },   { 0x323AF, CHAR_CASELESS },
        { 0x323B0, CHAR_OTHER }, { 0x10D40, CHAR_NUMBER },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        CHECK_INT(token_char_class(cases[i].code), cases[i].class);
}

TESTS(TEST(cuts_as_the_patterns_do), TEST(knows_which_pieces_are_open),
      TEST(replaces_what_is_no_text), TEST(knows_characters))
