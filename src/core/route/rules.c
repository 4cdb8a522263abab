/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rules: the seed's scorer, and the same rules on whole words.
 *
 * All keywords are looked for at once by Shift-And (Baeza-Yates and Gonnet 1992): a bit stands for a letter of a keyword
 * and is set while the text read last ends with the keyword up to that letter. One step a byte, no branch, so that
 * no text is slower than another.
 *
 * The seed lower-cases as Python does, which knows all of Unicode. Only two characters beyond ASCII become
 * something with an ASCII letter in it: U+0130 gives 'i' and a combining dot, U+212A gives 'k'. No keyword has a 'k', and in
 * none is an 'i' followed by a dot, so bytes beyond ASCII match nothing.
 */
#include "core/route/route_internal.h"

/* Hundredths, as in the seed. */
#define MULTI_STEP 25
#define CONSTRAINT_EACH 5
#define CONSTRAINTS_MAX 20
#define AMBIGUITY 15
#define QUESTION_EACH 10
#define QUESTIONS_MAX 20
#define OPTIMISATION 20

static int at_most(int value, int max)
{
    return value < max ? value : max;
}

/* All bits that were ever set. */
static rule_bits substrings_find(str text)
{
    rule_bits now = { 0, 0 }, seen = { 0, 0 };

    for (size_t i = 0; i < text.len; i++) {
        const struct rule_letter *letter = &route_rule_letters[(unsigned char)text.ptr[i]];
        now = ((now << 1) & letter->later) | letter->first;
        seen |= now;
    }
    return seen;
}

/* As above, but a keyword begins only at a word's beginning, and only bits set at a word's end count.
 * Words are of letters, digits, the underscore, and all that is not ASCII: 'thené' is not the word 'then'. */
static rule_bits words_find(str text)
{
    static const rule_bits gaps[2] = { { UINT64_MAX, UINT64_MAX }, { 0, 0 } };
    rule_bits now = { 0, 0 }, seen = { 0, 0 }, begin = gaps[0];

    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.ptr[i];
        const struct rule_letter *letter = &route_rule_letters[byte];
        const rule_bits gap = gaps[route_word_bytes[byte] != 0];
        seen |= now & gap;
        now = ((now << 1) & letter->later) | (letter->first & begin);
        begin = gap;
    }
    return seen | now;
}

/* More than enough to reach the maximum are not counted. */
static int questions_count(str text)
{
    int n = 0;

    while (n * QUESTION_EACH < QUESTIONS_MAX) {
        size_t at = str_find_char(text, '?');
        if (at == STR_NPOS)
            break;
        text = str_slice(text, at + 1, text.len);
        n++;
    }
    return n;
}

static struct rule_score rules_score(rule_bits seen, str question, str domain)
{
    int found[RULE_COUNT] = { 0 };
    struct rule_score score = { 0 };

    for (size_t i = 0; i < route_rule_keyword_count; i++) {
        const struct rule_keyword *k = &route_rule_keywords[i];
        found[k->rule] += (int)(seen[k->word] >> k->bit & 1);
    }
    score.multi_step = found[RULE_MULTI_STEP] > 0 ? MULTI_STEP : 0;
    score.constraints = at_most(found[RULE_CONSTRAINTS] * CONSTRAINT_EACH, CONSTRAINTS_MAX);
    score.ambiguity = found[RULE_AMBIGUITY] > 0 ? AMBIGUITY : 0;
    score.questions = at_most(questions_count(question) * QUESTION_EACH, QUESTIONS_MAX);
    if (str_eq(domain, STR("stem")) && found[RULE_OPTIMISATION] > 0)
        score.optimisation = OPTIMISATION;
    score.total = at_most(score.multi_step + score.constraints + score.ambiguity + score.questions +
                              score.optimisation,
                          100);
    return score;
}

struct rule_score route_score_seed(str question, str domain)
{
    return rules_score(substrings_find(question), question, domain);
}

struct rule_score route_score_words(str question, str domain)
{
    return rules_score(words_find(question), question, domain);
}

bool route_should_use_mcts(int score_hundredths, int threshold_hundredths)
{
    return score_hundredths >= threshold_hundredths;
}
