/* SPDX-License-Identifier: Apache-2.0 */
/* rules' tests: the seed's rules by hand, and against a slow statement of them on random texts. test/e2e/route.py compares
 * with Python itself. */
#include "core/route/route_internal.h"

#include <string.h>

#include "test/check.h"

/* ---- by hand ---- */

static void the_seed_by_hand(void)
{
    static const struct {
        const char *text;
        const char *domain;
        int total;
    } rows[] = {
        { "", "stem", 0 },
        { "What is 2+2?", "stem", 10 },
        { "What? Why? How?", "generic", 20 },
        { "then", "generic", 25 },
        { "Strengthen it", "generic", 25 }, /* a substring: strengTHEN */
        { "AFTER THE NEXT, THEN FOLLOWING THE SEQUENCE", "generic", 25 },
        { "You must", "generic", 5 },
        { "must must must", "generic", 5 }, /* which keywords, not how often */
        { "must should require need", "generic", 20 },
        { "must should require need cannot", "generic", 20 },
        { "mustard shoulder requires needle", "generic", 20 },
        { "Maybe possibly unclear", "generic", 15 },
        { "optimize this", "stem", 20 },
        { "optimize this", "STEM", 0 },
        { "optimize this", "stem.code", 0 },
        { "optimize this", "stem ", 0 },
        { "optimize this", "", 0 },
        { "optimise this", "stem", 0 },
        { "minimized maximizer", "stem", 20 },
        { "then must should require need maybe ? ? optimize", "stem", 100 },
        { "then must should require need maybe ? ? optimize", "tactical", 80 },
        { "th en mus t nee d", "stem", 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int got = route_score_seed(str_from(rows[i].text), str_from(rows[i].domain)).total;
        if (got != rows[i].total)
            check_note(__FILE__, __LINE__, rows[i].text);
        CHECK_INT(got, rows[i].total);
    }
}

static void the_parts_are_named(void)
{
    struct rule_score s =
        route_score_seed(STR("Then minimize it; you must, possibly?"), STR("stem"));

    CHECK_INT(s.multi_step, 25);
    CHECK_INT(s.constraints, 5);
    CHECK_INT(s.ambiguity, 15);
    CHECK_INT(s.questions, 10);
    CHECK_INT(s.optimisation, 20);
    CHECK_INT(s.total, 75);
}

/* U+0130 and U+212A are the only characters whose lower case has an ASCII letter in it; a keyword never comes of them. */
static void unicode_makes_no_keyword(void)
{
    static const char *const texts[] = {
        "requ\xC4\xB0re",
        "max\xC4\xB0mize",
        "\xC4\xB0",
        "\xE2\x84\xAA",
        "m\xC3\xBCst",
        "the\xC3\xB1",
        ("th\xCC\x81"
         "en"),
        "\xEF\xBC\x9F",
        "\xF0\x9F\x98\x80",
    };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        CHECK_INT(route_score_seed(str_from(texts[i]), STR("stem")).total, 0);
    CHECK_INT(route_score_seed(STR("\xC3\xA9then\xC3\xA9"), STR("stem")).total, 25);
    CHECK_INT(route_score_words(STR("\xC3\xA9then"), STR("stem")).total, 0);
    CHECK_INT(route_score_words(STR("then\xC3\xA9"), STR("stem")).total, 0);
}

static void words_by_hand(void)
{
    static const struct {
        const char *text;
        int total;
    } rows[] = {
        { "then", 25 },
        { "Then.", 25 },
        { "(then)", 25 },
        { "after-effects", 25 },
        { "then's", 25 },
        { "strengthen", 0 },
        { "thenceforth", 0 },
        { "then_x then2 2then", 0 },
        { "requires required", 0 },
        { "require\tneed\ncannot", 15 },
        { "must,should;require:need", 20 },
        { "optimize", 20 },
        { "optimized", 0 },
        { "an optimize r", 20 },
        { "x?y?z?", 20 },
        { "nextthen thennext", 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int got = route_score_words(str_from(rows[i].text), STR("stem")).total;
        if (got != rows[i].total)
            check_note(__FILE__, __LINE__, rows[i].text);
        CHECK_INT(got, rows[i].total);
    }
}

/* ---- against a slow statement of the rules ---- */

static bool is_word_byte(char c)
{
    unsigned char byte = (unsigned char)c;

    return byte >= 0x80 || byte == '_' || (byte >= '0' && byte <= '9') ||
           (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
}

static bool has_keyword(str text, const char *keyword, bool whole_word)
{
    str k = str_from(keyword);

    for (size_t i = 0; i + k.len <= text.len; i++) {
        if (!str_eq_nocase(str_slice(text, i, i + k.len), k))
            continue;
        bool begins = i == 0 || !is_word_byte(text.ptr[i - 1]);
        bool ends = i + k.len == text.len || !is_word_byte(text.ptr[i + k.len]);
        if (!whole_word || (begins && ends))
            return true;
    }
    return false;
}

static int slow_total(str text, bool is_stem, bool whole_words)
{
    static const char *const lists[][6] = {
        { "then", "after", "sequence", "next", "following" },
        { "must", "should", "require", "need", "cannot" },
        { "maybe", "possibly", "unclear", "uncertain", "ambiguous" },
        { "optimize", "minimize", "maximize" },
    };
    int found[4] = { 0 }, questions = 0;

    for (int list = 0; list < 4; list++)
        for (int i = 0; lists[list][i]; i++)
            found[list] += has_keyword(text, lists[list][i], whole_words);
    for (size_t i = 0; i < text.len; i++)
        questions += text.ptr[i] == '?';
    return (found[0] > 0 ? 25 : 0) + (found[1] > 4 ? 20 : found[1] * 5) + (found[2] > 0 ? 15 : 0) +
           (questions > 2 ? 20 : questions * 10) + (is_stem && found[3] > 0 ? 20 : 0);
}

static void check_both(str text, bool is_stem)
{
    str domain = is_stem ? STR("stem") : STR("generic");

    if (route_score_seed(text, domain).total != slow_total(text, is_stem, false) ||
        route_score_words(text, domain).total != slow_total(text, is_stem, true)) {
        fprintf(stderr, "    \"%.*s\"\n", STR_ARG(text));
        check_note(__FILE__, __LINE__, "the rules differ from their slow statement");
    }
}

/* Pieces of keywords, whole ones, and what may stand between, in random order and case. */
static void random_texts_agree(void)
{
    static const char *const between[] = {
        " ", "", "-", "_", "?", "\xC3\xA9", "\n", "7", "x", "."
    };
    struct rng rng;

    rng_init(&rng, 20);
    for (int round = 0; round < 20000; round++) {
        struct buf text = { 0 };
        size_t pieces = (size_t)rng_below(&rng, 8);
        for (size_t i = 0; i < pieces; i++) {
            str k = str_from(route_rule_keywords[rng_below(&rng, route_rule_keyword_count)].text);
            size_t from = rng_below(&rng, 4) == 0 ? (size_t)rng_below(&rng, k.len) : 0;
            size_t to = rng_below(&rng, 4) == 0 ? (size_t)rng_below(&rng, k.len + 1) : k.len;
            buf_add(&text, str_slice(k, from, to > from ? to : from));
            buf_add(&text, str_from(between[rng_below(&rng, ARRAY_LEN(between))]));
        }
        for (size_t i = 0; i < text.len; i++)
            if (rng_below(&rng, 5) == 0 && text.ptr[i] >= 'a' && text.ptr[i] <= 'z')
                text.ptr[i] = (char)(text.ptr[i] - 32);
        check_both(buf_str(&text), rng_below(&rng, 2) == 0);
        buf_fini(&text);
    }
}

/* One keyword's end must not help the next one to begin, in whatever order they are packed. */
static void keywords_do_not_lean_on_each_other(void)
{
    char text[64];

    CHECK_INT(route_rule_keyword_count, 18);
    for (size_t i = 0; i < route_rule_keyword_count; i++) {
        const char *a = route_rule_keywords[i].text;
        check_both(str_from(a), true);
        for (size_t cut = 1; cut < strlen(a); cut++)
            check_both(str_slice(str_from(a), 0, cut), true);
        for (size_t k = 0; k < route_rule_keyword_count; k++) {
            snprintf(text, sizeof(text), "%s%s", a, route_rule_keywords[k].text);
            check_both(str_from(text), true);
            snprintf(text, sizeof(text), "%s%s.", a, route_rule_keywords[k].text + 1);
            check_both(str_from(text), true);
        }
    }
}

static void the_threshold_is_inclusive(void)
{
    CHECK(route_should_use_mcts(80, ROUTE_MCTS_THRESHOLD));
    CHECK(!route_should_use_mcts(75, ROUTE_MCTS_THRESHOLD));
    CHECK(route_should_use_mcts(0, 0));
}

static void scorers_have_names(void)
{
    enum route_scorer found;

    for (int s = 0; s < ROUTE_SCORER_COUNT; s++) {
        const char *name = route_scorer_name((enum route_scorer)s);
        CHECK(route_scorer_find(str_from(name), &found) && (int)found == s);
    }
    CHECK(!route_scorer_find(STR("seed"), &found));
    CHECK(!route_scorer_find(STR(""), &found));
}

TESTS(TEST(the_seed_by_hand), TEST(the_parts_are_named), TEST(unicode_makes_no_keyword),
      TEST(words_by_hand), TEST(random_texts_agree), TEST(keywords_do_not_lean_on_each_other),
      TEST(the_threshold_is_inclusive), TEST(scorers_have_names))
