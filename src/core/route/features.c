/* SPDX-License-Identifier: Apache-2.0 */
/*
 * features: what of a question can be seen before anybody has answered it. One pass over its bytes; counts enter as
 * log(1 + count), parts as shares, so that no question is far out of scale.
 */
#include <math.h>

#include "core/route/words.h"

enum dense {
    LENGTH,
    WORDS,
    TOKENS,
    WORD_LENGTH,
    LONG_WORDS,
    DIGITS,
    NUMBERS,
    LARGE_NUMBERS,
    OPERATORS,
    LATEX,
    CODE,
    NESTING,
    LINES,
    SENTENCES,
    QUESTIONS,
    ENUMERATIONS,
    CAPITALS,
    REASONING_WORDS,
    PLANNING_WORDS,
    CONSTRAINT_WORDS,
    MATHEMATICS_WORDS,
    TURNS,
    TOOLS,
    SCHEMA,
    LANGUAGE,
    DENSE_COUNT
};
_Static_assert(DENSE_COUNT == ROUTE_DENSE, "the public number of features is that of the table");
_Static_assert(REASONING_WORDS + LEXICON_KINDS == TURNS, "a feature for each lexicon, in order");

/* How what was counted becomes a feature. */
enum scale {
    SCALE_COUNT, /* log(1 + count) */
    SCALE_BYTES, /* count / bytes */
    SCALE_WORDS /* count / words */
};
static const struct {
    const char *name;
    enum scale scale;
} table[DENSE_COUNT] = {
    [LENGTH] = { "length", SCALE_COUNT }, /* bytes */
    [WORDS] = { "words", SCALE_COUNT },
    [TOKENS] = { "tokens", SCALE_COUNT }, /* estimated */
    [WORD_LENGTH] = { "word_length", SCALE_WORDS }, /* bytes of words */
    [LONG_WORDS] = { "long_words", SCALE_WORDS },
    [DIGITS] = { "digits", SCALE_BYTES },
    [NUMBERS] = { "numbers", SCALE_COUNT },
    [LARGE_NUMBERS] = { "large_numbers", SCALE_COUNT },
    [OPERATORS] = { "operators", SCALE_COUNT },
    [LATEX] = { "latex", SCALE_COUNT }, /* backslashes and dollars */
    [CODE] = { "code", SCALE_COUNT }, /* marks and names that prose does not have */
    [NESTING] = { "nesting", SCALE_COUNT }, /* depth of brackets */
    [LINES] = { "lines", SCALE_COUNT },
    [SENTENCES] = { "sentences", SCALE_COUNT },
    [QUESTIONS] = { "questions", SCALE_COUNT },
    [ENUMERATIONS] = { "enumerations",
                       SCALE_COUNT }, /* lines that begin with a bullet or a number */
    [CAPITALS] = { "capitals", SCALE_BYTES },
    [REASONING_WORDS] = { "reasoning_words", SCALE_COUNT },
    [PLANNING_WORDS] = { "planning_words", SCALE_COUNT },
    [CONSTRAINT_WORDS] = { "constraint_words", SCALE_COUNT },
    [MATHEMATICS_WORDS] = { "mathematics_words", SCALE_COUNT },
    [TURNS] = { "turns", SCALE_COUNT },
    [TOOLS] = { "tools", SCALE_COUNT },
    [SCHEMA] = { "schema", SCALE_COUNT },
    [LANGUAGE] = { "language", SCALE_BYTES }, /* bytes beyond ASCII */
};

#define LONG_WORD_BYTES 8
#define LARGE_NUMBER_DIGITS 4
/* A rule of thumb: a token is a short word, a piece of a long one, or a mark. */
#define TOKEN_BYTES 8

const char *route_feature_name(size_t dense_index)
{
    assert(dense_index < DENSE_COUNT);
    return table[dense_index].name;
}

/* ---- what single marks count for ---- */

enum mark {
    MARK_NONE,
    MARK_SPACE,
    MARK_LINE,
    MARK_OPERATOR,
    MARK_LATEX,
    MARK_CODE,
    MARK_OPEN,
    MARK_CLOSE,
    MARK_STOP,
    MARK_QUESTION,
    MARK_OTHER,
    MARK_COUNT
};

/* clang-format off */
static const uint8_t marks[256] = {
    [0 ... 9] = MARK_SPACE, [11 ... 31] = MARK_SPACE, [' '] = MARK_SPACE, ['\n'] = MARK_LINE,
    ['+'] = MARK_OPERATOR, ['*'] = MARK_OPERATOR, ['/'] = MARK_OPERATOR, ['='] = MARK_OPERATOR, ['<'] = MARK_OPERATOR,
    ['>'] = MARK_OPERATOR, ['^'] = MARK_OPERATOR, ['%'] = MARK_OPERATOR, ['|'] = MARK_OPERATOR,
    ['\\'] = MARK_LATEX, ['$'] = MARK_LATEX,
    [';'] = MARK_CODE, ['`'] = MARK_CODE, ['#'] = MARK_CODE,
    ['('] = MARK_OPEN, ['['] = MARK_OPEN, ['{'] = MARK_OPEN,
    [')'] = MARK_CLOSE, [']'] = MARK_CLOSE, ['}'] = MARK_CLOSE,
    ['.'] = MARK_STOP, ['!'] = MARK_STOP, ['?'] = MARK_QUESTION,
    ['"'] = MARK_OTHER, ['&'] = MARK_OTHER, ['\''] = MARK_OTHER, [','] = MARK_OTHER, ['-'] = MARK_OTHER,
    [':'] = MARK_OTHER, ['@'] = MARK_OTHER, ['~'] = MARK_OTHER, [127] = MARK_OTHER,
};
/* clang-format on */

struct reading {
    str text;
    uint32_t counts[DENSE_COUNT];
    uint32_t marks[MARK_COUNT];
    int depth; /* of brackets */
    uint32_t previous; /* hash of the word before; 0: none */
    size_t previous_start;
    uint64_t seen[ROUTE_GRAMS / 64]; /* buckets */
    struct route_features *out;
};

/* ---- words and grams ---- */

static void gram_add(struct reading *r, uint32_t hash, size_t start, size_t end)
{
    uint32_t bucket = hash * UINT32_C(0x9e3779b1) >> 20;
    uint64_t bit = UINT64_C(1) << (bucket % 64);

    _Static_assert(ROUTE_GRAMS == 1 << 12, "the hash's upper 12 bits are the bucket");
    if ((r->seen[bucket / 64] & bit) || r->out->gram_count == ROUTE_GRAMS_MAX)
        return;
    r->seen[bucket / 64] |= bit;
    r->out->grams[r->out->gram_count++] =
        (struct route_gram){ .bucket = (uint16_t)bucket,
                             .len = (uint16_t)(end - start > UINT16_MAX ? UINT16_MAX : end - start),
                             .start = (uint32_t)start };
}

static void word_count(struct reading *r, const struct word *word)
{
    uint32_t len = (uint32_t)(word->end - word->start);
    bool is_number = word->digits == len;
    unsigned kinds = word_kinds(r->text, word);

    r->counts[WORDS]++;
    r->counts[TOKENS] += 1 + (len - 1) / TOKEN_BYTES;
    r->counts[WORD_LENGTH] += len;
    r->counts[LONG_WORDS] += len >= LONG_WORD_BYTES;
    r->counts[DIGITS] += word->digits;
    r->counts[NUMBERS] += is_number;
    r->counts[LARGE_NUMBERS] += is_number && len >= LARGE_NUMBER_DIGITS;
    r->counts[CAPITALS] += word->capitals;
    r->counts[LANGUAGE] += word->foreign;
    r->counts[CODE] += word->has_underscore;
    for (unsigned kind = 0; kind < LEXICON_KINDS; kind++)
        r->counts[REASONING_WORDS + kind] += kinds >> kind & 1;
    gram_add(r, word->hash, word->start, word->end);
    if (r->previous != 0)
        gram_add(r, r->previous * 31 + word->hash, r->previous_start, word->end);
    r->previous = word->hash;
    r->previous_start = word->start;
}

/* ---- marks ---- */

/* After a line's beginning: '-', '*', "1.", "2)" or "(a)". */
static bool is_enumerated(str text, size_t at)
{
    size_t digits = 0;

    while (at < text.len && (text.ptr[at] == ' ' || text.ptr[at] == '\t'))
        at++;
    if (at + 1 >= text.len)
        return false;
    if ((text.ptr[at] == '-' || text.ptr[at] == '*') && text.ptr[at + 1] == ' ')
        return true;
    if (text.ptr[at] == '(' && at + 2 < text.len && text.ptr[at + 2] == ')')
        return true;
    while (at < text.len && digits < 3 && route_word_bytes[(unsigned char)text.ptr[at]] == '0') {
        digits++;
        at++;
    }
    return digits > 0 && at < text.len && (text.ptr[at] == '.' || text.ptr[at] == ')');
}

static void mark_count(struct reading *r, size_t at)
{
    unsigned char byte = (unsigned char)r->text.ptr[at];
    unsigned char next = at + 1 < r->text.len ? (unsigned char)r->text.ptr[at + 1] : '\n';
    enum mark mark = (enum mark)marks[byte];

    r->marks[mark]++;
    if (mark == MARK_LINE) {
        r->counts[ENUMERATIONS] += is_enumerated(r->text, at + 1);
    } else if (mark == MARK_OPEN) {
        r->depth++;
        r->counts[CODE] += byte == '(' && next == ')';
        if (r->depth > (int)r->counts[NESTING])
            r->counts[NESTING] = (uint32_t)r->depth;
    } else if (mark == MARK_CLOSE) {
        r->depth -= r->depth > 0;
        r->counts[CODE] += byte == ')' && next == ':';
    } else if (mark == MARK_OPERATOR) {
        r->counts[CODE] += byte == '=' && next == '=';
    } else if (mark == MARK_STOP || mark == MARK_QUESTION) {
        r->counts[SENTENCES] += marks[next] == MARK_SPACE || marks[next] == MARK_LINE;
    }
}

static void text_read(struct reading *r)
{
    r->counts[ENUMERATIONS] = is_enumerated(r->text, 0);
    for (size_t at = 0; at < r->text.len;) {
        if (route_word_bytes[(unsigned char)r->text.ptr[at]] != 0) {
            struct word word = word_read(r->text, at);
            word_count(r, &word);
            at = word.end;
        } else {
            mark_count(r, at++);
        }
    }
}

/* ---- features ---- */

static void counts_finish(struct reading *r, size_t bytes, const struct route_context *context)
{
    const uint32_t *m = r->marks;

    r->counts[LENGTH] = (uint32_t)(bytes < UINT32_MAX ? bytes : UINT32_MAX);
    for (int mark = MARK_OPERATOR; mark < MARK_COUNT; mark++)
        r->counts[TOKENS] += m[mark];
    r->counts[OPERATORS] = m[MARK_OPERATOR];
    r->counts[LATEX] = m[MARK_LATEX];
    r->counts[CODE] += m[MARK_CODE];
    r->counts[LINES] = m[MARK_LINE];
    r->counts[QUESTIONS] = m[MARK_QUESTION];
    r->counts[TURNS] = context->turns > 0 ? (uint32_t)context->turns : 0;
    r->counts[TOOLS] = context->tools > 0 ? (uint32_t)context->tools : 0;
    r->counts[SCHEMA] = context->has_schema;
}

/* log(1 + n) of small counts, which most are, without the library. */
static float log_count(uint32_t n)
{
    static const float few[] = { 0.0f,       0.6931472f, 1.0986123f, 1.3862944f, 1.6094379f,
                                 1.7917595f, 1.9459101f, 2.0794415f, 2.1972246f, 2.3025851f };

    return n < ARRAY_LEN(few) ? few[n] : (float)log1p((double)n);
}

void route_features_read(struct route_features *out, str question,
                         const struct route_context *context)
{
    struct reading r = { .text = str_slice(question, 0, ROUTE_QUESTION_BYTES_MAX), .out = out };

    out->gram_count = 0;
    text_read(&r);
    counts_finish(&r, question.len, context);
    float bytes = r.text.len > 0 ? (float)r.text.len : 1.0f;
    float words = r.counts[WORDS] > 0 ? (float)r.counts[WORDS] : 1.0f;
    for (int i = 0; i < DENSE_COUNT; i++) {
        float count = (float)r.counts[i];
        switch (table[i].scale) {
        case SCALE_COUNT:
            out->dense[i] = log_count(r.counts[i]);
            break;
        case SCALE_BYTES:
            out->dense[i] = count / bytes;
            break;
        case SCALE_WORDS:
            out->dense[i] = count / words;
            break;
        }
    }
}
