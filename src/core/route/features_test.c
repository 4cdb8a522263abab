/* SPDX-License-Identifier: Apache-2.0 */
/* features' tests: each feature sees what it is named after, grams point at their words, domains are guessed. */
#include "core/route/words.h"

#include <math.h>
#include <string.h>

#include "test/check.h"

static const struct route_context no_context = { .turns = 0 };

static double feature_of(str text, const char *name)
{
    struct route_features f;

    route_features_read(&f, text, &no_context);
    for (size_t i = 0; i < ROUTE_DENSE; i++)
        if (strcmp(route_feature_name(i), name) == 0)
            return (double)f.dense[i];
    check_note(__FILE__, __LINE__, name);
    return -1;
}

/* want: the count behind log(1 + count). */
static void counts(void)
{
    static const struct {
        const char *feature;
        const char *text;
        int want;
    } rows[] = {
        { "length", "abc d", 5 },
        { "length", "", 0 },
        { "words", "one two, three-four", 4 },
        { "words", " .,- ", 0 },
        { "tokens", "a bc, d", 4 },
        { "tokens", "internationalisation", 3 }, /* 20 bytes: pieces of 8 */
        { "tokens", "bandages", 1 },
        { "numbers", "7 apples, 12.5 pears, x2", 3 },
        { "large_numbers", "999 1000 12345", 2 },
        { "operators", "a+b = c*d < 3", 4 },
        { "latex", "$\\frac{1}{2}$", 3 },
        { "code", "x = f(); y_z == 3", 4 }, /* (), ;, y_z, == */
        { "code", "def f(x):", 1 },
        { "code", "Plain words (in brackets): no code.", 1 },
        { "nesting", "f(g(h[1]))", 3 },
        { "nesting", ")))(", 1 },
        { "nesting", "()()()", 1 },
        { "lines", "a\nb\nc", 2 },
        { "sentences", "One. Two! Three? 3.5 e.g.", 4 },
        { "questions", "What? Why?", 2 },
        { "enumerations", "1. a\n2) b\n- c\n* d\n(e) f\n 10. g", 6 },
        { "enumerations", "a 1. b\n-c\n1a\n.", 0 },
        { "enumerations", "1", 0 },
        { "reasoning_words", "Prove or explain why", 3 },
        { "planning_words", "the schedules come first", 2 }, /* plural, too */
        { "constraint_words", "at most three, never more", 2 },
        { "mathematics_words", "the matrix polynomial", 2 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        double got = expm1(feature_of(str_from(rows[i].text), rows[i].feature));
        if (fabs(got - rows[i].want) > 1e-3) {
            fprintf(stderr, "    %s of \"%s\": %g, want %d\n", rows[i].feature, rows[i].text, got,
                    rows[i].want);
            check_note(__FILE__, __LINE__, rows[i].feature);
        }
    }
}

static void shares(void)
{
    CHECK_NEAR(feature_of(STR("ab12"), "digits"), 0.5, 1e-6);
    CHECK_NEAR(feature_of(STR("ABc1"), "capitals"), 0.5, 1e-6);
    CHECK_NEAR(feature_of(STR("\xC3\xA9"
                              "ab"),
                          "language"),
               0.5, 1e-6);
    CHECK_NEAR(feature_of(STR("ab abcd"), "word_length"), 3, 1e-6);
    CHECK_NEAR(feature_of(STR("a algorithm"), "long_words"), 0.5, 1e-6);
    CHECK_NEAR(feature_of(STR(""), "word_length"), 0, 0);
}

static void what_surrounds_the_question_counts(void)
{
    struct route_features f;
    const struct route_context context = { .turns = 3, .tools = 2, .has_schema = true };
    const struct route_context odd = { .turns = -3, .tools = -1 };

    route_features_read(&f, STR("Hi"), &context);
    CHECK_NEAR((double)f.dense[21], log(4), 1e-6);
    CHECK_NEAR((double)f.dense[22], log(3), 1e-6);
    CHECK_NEAR((double)f.dense[23], log(2), 1e-6);
    CHECK(strcmp(route_feature_name(21), "turns") == 0);
    route_features_read(&f, STR("Hi"), &odd);
    CHECK_NEAR((double)f.dense[21], 0, 0);
    CHECK_NEAR((double)f.dense[22], 0, 0);
}

static void large_counts_are_logarithms_too(void)
{
    struct buf text = { 0 };

    for (int i = 0; i < 5000; i++) {
        buf_add(&text, STR("x "));
        if (i < 30 || i == 4999)
            CHECK_NEAR(feature_of(buf_str(&text), "words"), log1p(i + 1), 1e-5);
    }
    buf_fini(&text);
}

static void grams_point_at_their_words(void)
{
    str text = STR("Sort the list, then sort THE list. 1234 5678");
    static const char *const want[] = { "Sort",       "the",  "Sort the",   "list",
                                        "the list",   "then", "list, then", "then sort",
                                        "list. 1234", "1234", "1234 5678" };
    struct route_features f;
    size_t found = 0;

    route_features_read(&f, text, &no_context);
    for (size_t i = 0; i < f.gram_count; i++) {
        str words = str_slice(text, f.grams[i].start, f.grams[i].start + f.grams[i].len);
        for (size_t k = 0; k < ARRAY_LEN(want); k++)
            found += str_eq(words, str_from(want[k]));
        for (size_t k = 0; k < i; k++)
            CHECK(f.grams[k].bucket != f.grams[i].bucket);
    }
    CHECK_INT(f.gram_count, ARRAY_LEN(want)); /* "sort the", "THE list", "5678" came before */
    CHECK_INT(found, ARRAY_LEN(want));
}

/* Words are compared in lower case, numbers by their number of digits. */
static void equal_words_share_a_bucket(void)
{
    struct route_features a, b;

    route_features_read(&a, STR("Prove 1234 now"), &no_context);
    route_features_read(&b, STR("pROVE 9999 NOW"), &no_context);
    REQUIRE(a.gram_count == b.gram_count && a.gram_count == 5);
    for (size_t i = 0; i < a.gram_count; i++)
        CHECK_INT(a.grams[i].bucket, b.grams[i].bucket);
    route_features_read(&b, STR("Prove 123 now"), &no_context);
    CHECK(a.grams[1].bucket != b.grams[1].bucket);
    /* The order of two words matters. */
    route_features_read(&a, STR("dog bites"), &no_context);
    route_features_read(&b, STR("bites dog"), &no_context);
    CHECK(a.grams[2].bucket != b.grams[2].bucket);
}

static void limits(void)
{
    struct buf text = { 0 };
    struct route_features f;

    for (int i = 0; i < 40000; i++)
        buf_printf(&text, "w%x ", i);
    route_features_read(&f, buf_str(&text), &no_context);
    CHECK_INT(f.gram_count, ROUTE_GRAMS_MAX);
    CHECK_NEAR((double)f.dense[0], log1p((double)text.len), 1e-4);
    CHECK(expm1((double)f.dense[1]) < ROUTE_QUESTION_BYTES_MAX / 3);
    buf_reset(&text);
    for (int i = 0; i < 70000; i++)
        buf_add_char(&text, 'a');
    route_features_read(&f, buf_str(&text), &no_context);
    CHECK_INT(f.gram_count, 1);
    CHECK_INT(f.grams[0].len, UINT16_MAX);
    buf_fini(&text);
}

static void every_word_of_the_lists_is_found(void)
{
    static const struct {
        const char *word;
        unsigned kinds;
    } rows[] = {
        { "prove", WORD_REASONING | WORD_STEM },
        { "ransomware", WORD_CYBERSECURITY | WORD_STRONG },
        { "sniper", WORD_TACTICAL | WORD_STRONG },
        { "polynomial", WORD_MATHEMATICS | WORD_STEM | WORD_STRONG },
        { "the", 0 },
        { "", 0 },
        { "proves", WORD_REASONING | WORD_STEM },
        { "bus", 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        str text = str_from(rows[i].word);
        struct word word = { .hash = WORD_HASH_EMPTY };
        if (text.len > 0)
            word = word_read(text, 0);
        CHECK_INT(text.len > 0 ? word_kinds(text, &word) : lexicon_kinds(word.hash), rows[i].kinds);
    }
    size_t slots = 0;
    for (size_t i = 0; i < LEXICON_SLOTS; i++) {
        if (route_lexicon[i].kinds == 0)
            continue;
        slots++;
        CHECK_INT(lexicon_kinds(route_lexicon[i].hash), route_lexicon[i].kinds);
    }
    CHECK(slots > 500);
    CHECK(slots < LEXICON_SLOTS / 2);
}

static void domains_are_guessed(void)
{
    static const struct {
        const char *text;
        const char *domain;
    } rows[] = {
        { "Enemy infantry advances on the ridge at night; where do you place the mortar platoon?",
          "tactical" },
        { "Pursue the retreating force or hold the position with two squads in reserve?",
          "tactical" },
        { "Ransomware has encrypted the file servers and the backups are compromised.",
          "cybersecurity" },
        { "A host beacons to a command and control domain every 60 seconds; contain the intrusion.",
          "cybersecurity" },
        { "Find the shortest path in a graph with negative weights.", "stem" },
        { "A Carnot engine works between 600 K and 300 K. What is its efficiency?", "stem" },
        { "What is the derivative of x^3?", "stem" },
        { "Suggest a name for my cat.", "generic" },
        { "Write a short poem about autumn.", "generic" },
        { "", "generic" },
        { "The squad left.", "generic" }, /* one word is not enough */
        { "attack", "generic" }, /* of two domains: unsure */
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct domain_guess guess = route_domain_guess(str_from(rows[i].text));
        CHECK_STR(guess.domain, str_from(rows[i].domain));
        CHECK(guess.probability > 0 && guess.probability <= 1);
    }
}

/* However long a text, no probability under- or overflows. */
static void long_texts_have_a_domain(void)
{
    struct buf text = { 0 };

    for (int i = 0; i < 3000; i++)
        buf_add(&text, STR("artillery polynomial "));
    struct domain_guess guess = route_domain_guess(buf_str(&text));
    CHECK(guess.probability >= 0 && guess.probability <= 1);
    buf_reset(&text);
    for (int i = 0; i < 6000; i++)
        buf_add(&text, STR("artillery "));
    CHECK_STR(route_domain_guess(buf_str(&text)).domain, STR("tactical"));
    buf_fini(&text);
}

TESTS(TEST(counts), TEST(shares), TEST(what_surrounds_the_question_counts),
      TEST(large_counts_are_logarithms_too), TEST(grams_point_at_their_words),
      TEST(equal_words_share_a_bucket), TEST(limits), TEST(every_word_of_the_lists_is_found),
      TEST(domains_are_guessed), TEST(long_texts_have_a_domain))
