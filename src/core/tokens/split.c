/* SPDX-License-Identifier: Apache-2.0 */
/*
 * split: the encodings' patterns, by hand. What a pattern finds by backtracking is found here in one pass.
 *
 * o200k_base, alternatives in this order (U = Lu Lt Lm Lo M, l = Ll Lm Lo M; 's means any of 's 't 're 've 'm 'll 'd in
 * any case, U+017F being an s as well):
 *     [^\r\n\p{L}\p{N}]? U* l+ ('s)?       a word that has or ends in lower case
 *     [^\r\n\p{L}\p{N}]? U+ l* ('s)?       one that does not
 *     \p{N}{1,3}
 *      ?[^\s\p{L}\p{N}]+[\r\n/]*
 *     \s*[\r\n]+   |   \s+(?!\S)   |   \s+
 *
 * cl100k_base:
 *     's   |   [^\r\n\p{L}\p{N}]?\p{L}+   |   \p{N}{1,3}   |    ?[^\s\p{L}\p{N}]+[\r\n]*
 *     \s+$   |   \s*[\r\n]   |   \s+(?!\S)   |   \s
 */
#include "core/tokens/tokens_internal.h"

enum {
    LETTER = CHAR_UPPER | CHAR_LOWER | CHAR_CASELESS,
    EITHER_CASE = CHAR_CASELESS | CHAR_MARK,
    UPPER_RUN = CHAR_UPPER | EITHER_CASE,
    LOWER_RUN = CHAR_LOWER | EITHER_CASE,
    SYMBOL = CHAR_MARK | CHAR_OTHER,
    WHITE = CHAR_SPACE | CHAR_NEWLINE
};

#define DIGITS_MAX 3

struct scan {
    const uint8_t *bytes;
    size_t len;
    bool has_met_end;
    bool has_invalid;
};

/* The class of the character at a place and where the next begins; CHAR_END at the text's end, which is noted. */
static inline uint8_t peek(struct scan *s, size_t at, size_t *out_next)
{
    if (at >= s->len) {
        s->has_met_end = true;
        return CHAR_END;
    }
    if (s->bytes[at] < 0x80) {
        *out_next = at + 1;
        return token_char_class(s->bytes[at]);
    }
    struct token_char c = token_char_read(s->bytes + at, s->len - at);
    s->has_met_end |= c.is_cut;
    s->has_invalid |= c.is_invalid;
    *out_next = at + c.len;
    return token_char_class(c.code);
}

static size_t run(struct scan *s, size_t at, uint8_t set)
{
    size_t next = at;

    while (peek(s, at, &next) & set)
        at = next;
    return at;
}

static uint8_t byte_at(struct scan *s, size_t at)
{
    if (at < s->len)
        return s->bytes[at];
    s->has_met_end = true;
    return 0;
}

/* The end of a contraction that begins at a place; the place itself when none does. */
static size_t contraction(struct scan *s, size_t at)
{
    if (byte_at(s, at) != '\'')
        return at;
    uint8_t first = byte_at(s, at + 1);
    switch (first | 0x20) {
    case 's':
    case 't':
    case 'm':
    case 'd':
        return at + 2;
    case 'r':
    case 'v':
        return (byte_at(s, at + 2) | 0x20) == 'e' ? at + 3 : at;
    case 'l':
        return (byte_at(s, at + 2) | 0x20) == 'l' ? at + 3 : at;
    }
    if (first == 0xC5 && byte_at(s, at + 2) == 0xBF) /* U+017F, the long s */
        return at + 3;
    return at;
}

static size_t digits(struct scan *s, size_t at)
{
    size_t next = at;

    for (int i = 0; i < DIGITS_MAX && peek(s, at, &next) & CHAR_NUMBER; i++)
        at = next;
    return at;
}

/* The end of white space that begins at a place. */
static size_t white(struct scan *s, enum token_encoding encoding, size_t from)
{
    size_t at = from, last = from, next = from, newline_end = 0;
    uint8_t class;

    while ((class = peek(s, at, &next)) & WHITE) {
        if (class == CHAR_NEWLINE)
            newline_end = next;
        last = at;
        at = next;
    }
    if (class == CHAR_END && encoding == TOKEN_CL100K_BASE)
        return at;
    if (newline_end)
        return newline_end;
    /* The last one of several is left to what comes: it may stand before a word. */
    return class != CHAR_END && last > from ? last : at;
}

/* Symbols at a place, and the line ends (slashes too, in o200k_base) right behind them; the place itself when there are none. */
static size_t symbols(struct scan *s, enum token_encoding encoding, size_t from)
{
    size_t at = run(s, from, SYMBOL);

    if (at == from)
        return from;
    for (;;) {
        uint8_t byte = byte_at(s, at);
        if (byte != '\r' && byte != '\n' && !(byte == '/' && encoding == TOKEN_O200K_BASE))
            return at;
        at++;
    }
}

/* What is neither word nor number, seen from its first character. */
static size_t rest(struct scan *s, enum token_encoding encoding, size_t from, size_t next)
{
    size_t start = s->bytes[from] == ' ' ? next : from;
    size_t end = symbols(s, encoding, start);

    return end > start ? end : white(s, encoding, from);
}

/*
 * U* l+ from a place: when a lower-case letter follows the run of U, l+ goes on from there; else the run is given back down to
 * its last character that is of either case. 0 when there is none. *out_upper is the end of the run of U.
 */
static size_t word_with_lower(struct scan *s, size_t from, size_t *out_upper)
{
    size_t at = from, next = from, either_end = 0;
    uint8_t class;

    while ((class = peek(s, at, &next)) & UPPER_RUN) {
        if (class & EITHER_CASE)
            either_end = next;
        at = next;
    }
    *out_upper = at;
    return class == CHAR_LOWER ? run(s, next, LOWER_RUN) : either_end;
}

static size_t piece_o200k(struct scan *s)
{
    size_t next = 0, upper = 0;
    uint8_t class = peek(s, 0, &next);

    if (class == CHAR_NUMBER)
        return digits(s, 0);
    if (class == CHAR_NEWLINE)
        return white(s, TOKEN_O200K_BASE, 0);
    size_t start = class & LETTER ? 0 : next;
    size_t end = word_with_lower(s, start, &upper);
    if (!end && class == CHAR_MARK)
        end = next; /* it stands before no such word, but is one */
    if (!end && upper > start)
        end = upper;
    if (end)
        return contraction(s, end);
    return rest(s, TOKEN_O200K_BASE, 0, next);
}

static size_t piece_cl100k(struct scan *s)
{
    size_t next = 0;
    size_t end = contraction(s, 0);

    if (end > 0)
        return end;
    uint8_t class = peek(s, 0, &next);
    if (class == CHAR_NUMBER)
        return digits(s, 0);
    if (class == CHAR_NEWLINE)
        return white(s, TOKEN_CL100K_BASE, 0);
    end = run(s, next, LETTER);
    if (end > next || class & LETTER)
        return end;
    return rest(s, TOKEN_CL100K_BASE, 0, next);
}

struct token_piece token_piece_read(enum token_encoding encoding, str text)
{
    struct scan s = { .bytes = (const uint8_t *)text.ptr, .len = text.len };

    assert(text.len > 0);
    size_t end = encoding == TOKEN_O200K_BASE ? piece_o200k(&s) : piece_cl100k(&s);
    assert(end > 0 && end <= text.len);
    return (struct token_piece){
        .bytes = { text.ptr, end },
        .is_open = s.has_met_end,
        .has_invalid = s.has_invalid,
    };
}
