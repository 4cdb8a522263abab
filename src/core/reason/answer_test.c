/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of canonical answers and of the extraction of answers from a model's output. */
#include "base/rng.h"
#include "core/reason/answer_internal.h"
#include "core/reason/reason.h"
#include "test/check.h"

#define S(text)                                                                                    \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }

/* clang-format off */
static const struct {
    str answer;
    str want;
} forms[] = {
    { S("$1,200.50"), S("2401/2 usd") },
    { S("1200.5 dollars"), S("2401/2 usd") },
    { S("-$5"), S("-5 usd") },
    { S("$-5"), S("-5 usd") },
    { S("50%"), S("1/2") },
    { S("50\\%"), S("1/2") },
    { S("50 percent"), S("1/2") },
    { S("$50\\,\\%$"), S("1/2") },
    { S("2\\,\\mathrm{km}"), S("2000 m") },
    { S("2 \\text{ km}"), S("2000 m") },
    { S("2~\\text{apples}"), S("2 apple") },
    { S("2\\text{}"), S("2") },
    { S("5\\pi"), S("5\\pi") },
    { S("0.5"), S("1/2") },
    { S(".5"), S("1/2") },
    { S("5."), S("5") },
    { S("5.00"), S("5") },
    { S("+5"), S("5") },
    { S("\xE2\x88\x92" "5"), S("-5") },
    { S("007"), S("7") },
    { S("\\frac{3}{6}"), S("1/2") },
    { S("-\\frac{3}{4}"), S("-3/4") },
    { S("$\\frac{3}{4}$"), S("3/4") },
    { S("\\boxed{\\frac{3}{4}}"), S("3/4") },
    { S("3/4"), S("3/4") },
    { S("1 1/2"), S("3/2") },
    { S("1 1/2 h"), S("5400 s") },
    { S("90 min"), S("5400 s") },
    { S("90 minutes"), S("5400 s") },
    { S("2 km"), S("2000 m") },
    { S("36 km/h"), S("10 m/s") },
    { S("20 ms"), S("1/50 s") },
    { S("3e8 m/s"), S("300000000 m/s") },
    { S("3 \xC3\x97 10^8 m/s"), S("300000000 m/s") },
    { S("3 \\times 10^{-2}"), S("3/100") },
    { S("2^10"), S("1024") },
    { S("5 million"), S("5000000") },
    { S("12 apples"), S("12 apple") },
    { S("12 Apple"), S("12 apple") },
    { S("x = 5"), S("5") },
    { S("**5**"), S("5") },
    { S("`5`"), S("5") },
    { S("Answer: 5."), S("5") },
    { S("the 5"), S("5") },
    { S("1,2,3"), S("1,2,3") },
    { S("1,234"), S("1234") },
    { S("1,23"), S("1,23") },
    { S("1,2345"), S("1,2345") },
    { S("1,267,650,600,228,229,401,496,703,205,376"), S("1267650600228229401496703205376") },
    { S("2024-01-01"), S("2024-01-01") },
    { S("12/25/2024"), S("12/25/2024") },
    { S("1/0"), S("1/0") },
    { S("5 or 6"), S("5 or 6") },
    { S("2 to 3"), S("2 to 3") },
    { S("7:30"), S("7:30") },
    { S("1st"), S("1st") },
    { S("3D"), S("3d") },
    { S("$5 per hour"), S("$5 per hour") },
    { S("(B)"), S("choice:b") },
    { S("b"), S("choice:b") },
    { S("B."), S("choice:b") },
    { S("B)"), S("choice:b") },
    { S("(B) Paris"), S("choice:b") },
    { S("Option B"), S("choice:b") },
    { S("option B: Paris"), S("choice:b") },
    { S("a"), S("choice:a") },
    { S("E. coli"), S("e. coli") },
    { S("(B"), S("(b") },
    { S("[1, 2.0, 'a']"), S("[1,2,\"a\"]") },
    { S("[1,2,\"a\"]"), S("[1,2,\"a\"]") },
    { S("{\"b\": 1, \"a\": [true, null]}"), S("{\"a\":[true,null],\"b\":1}") },
    { S("{'a': [True, None], 'b': 1.0}"), S("{\"a\":[true,null],\"b\":1}") },
    { S("{3, 1, 3}"), S("{1,3}") },
    { S("(1, 2)"), S("(1,2)") },
    { S("(1,)"), S("(1,)") },
    { S("[\"caf\\u00e9\"]"), S("[\"caf\xC3\xA9\"]") },
    { S("[\"A\", \"b c\"]"), S("[\"A\",\"b c\"]") },
    { S("[1, 2"), S("[1, 2") },
    { S("[x, y]"), S("[x, y]") },
    { S("The Eiffel  Tower."), S("eiffel tower") },
    { S("eiffel tower"), S("eiffel tower") },
    { S("\"Paris\""), S("paris") },
    { S("Yes!"), S("yes") },
    { S("\\frac{\\sqrt{3}}{2}"), S("\\frac{\\sqrt{3}}{2}") },
    { S("\\frac{ \\sqrt{3} }{2}"), S("\\frac{\\sqrt{3}}{2}") },
    { S("..."), S("...") },
    { S("the"), S("the") },
    { S("20!"), S("20!") },
    { S(""), S("") },
    { S(" \n "), S("") },
};

static const struct {
    str text;
    str want;
} outputs[] = {
    { S("{\"answer\": \"42\", \"confidence\": 0.9}"), S("42") },
    { S("{\"answer\": 42}"), S("42") },
    { S("{\"answer\": [1, 2]}"), S("[1, 2]") },
    { S("Sure:\n```json\n{\"steps\": \"{a}\", \"answer\": \"x\"}\n```\nDone."), S("x") },
    { S("{bad} then {\"answer\": \"7\"}"), S("7") },
    { S("{\"steps\": \"so\", \"answer\": \"seven and"), S("seven and") },
    { S("{\"steps\": \"so\", \"answer\": 12, }"), S("12") },
    { S("{'a': 1} so \\boxed{1} or \\boxed{\\frac{1}{2}}"), S("\\frac{1}{2}") },
    { S("We get 5.\nAnswer: 6\nthanks"), S("6") },
    { S("Answer: 5 no wait.\nThe final answer is **8**."), S("8") },
    { S("**Answer:** 8"), S("8") },
    { S("so 3*4=12\n#### 12"), S("12") },
    { S("one\ntwo\nthree.\n\n"), S("three") },
    { S("<think>Answer: 3</think>\n4"), S("4") },
    { S("x"), S("x") },
    { S(""), S("") },
    { S("\n\n"), S("") },
};
/* clang-format on */

static void finds_canonical_forms(void)
{
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        struct arena a;
        arena_init(&a, 1 << 20);
        str form = answer_canonical(&a, forms[i].answer);
        CHECK_STR(form, forms[i].want);
        CHECK_STR(answer_canonical(&a, form), form);
        arena_fini(&a);
    }
}

static void extracts_answers(void)
{
    for (size_t i = 0; i < ARRAY_LEN(outputs); i++) {
        struct arena a;
        arena_init(&a, 1 << 20);
        CHECK_STR(answer_extract(&a, outputs[i].text), outputs[i].want);
        arena_fini(&a);
    }
}

/* A number written as a decimal, with commas, or as a fraction has one form. */
static void numbers_have_one_form(void)
{
    struct rng rng;

    rng_init(&rng, 7);
    for (int i = 0; i < 500; i++) {
        struct arena a;
        arena_init(&a, 1 << 20);
        int whole = (int)rng_below(&rng, 999), tail = (int)rng_below(&rng, 1000);
        int cents = (int)rng_below(&rng, 100);
        str plain = arena_printf(&a, "%d%03d.%02d", whole + 1, tail, cents);
        str grouped = arena_printf(&a, " %d,%03d.%02d0.", whole + 1, tail, cents);
        str fraction = arena_printf(&a, "\\frac{%d%03d%02d}{100}", whole + 1, tail, cents);
        CHECK_STR(answer_canonical(&a, grouped), answer_canonical(&a, plain));
        CHECK_STR(answer_canonical(&a, fraction), answer_canonical(&a, plain));
        arena_fini(&a);
    }
}

/* Texts of the marks that the parsers look for: a form is its own form, and empty only for blanks. */
static void forms_are_stable(void)
{
    static const char *const pieces[] = { "the ", "(",        ")",       "b", "12", ",", ".",  "$",
                                          "%",    "\"",       "'",       "[", "]",  "{", "}",  "\\",
                                          "/",    "-",        "=",       " ", "e",  "1", "**", "m",
                                          "x",    "\\boxed{", "answer:", "^", "!",  "s", "\n" };
    struct rng rng;

    rng_init(&rng, 11);
    for (int i = 0; i < 20000; i++) {
        struct arena a;
        struct buf text = { 0 };
        arena_init(&a, 1 << 20);
        for (uint64_t n = rng_below(&rng, 8); n > 0; n--)
            buf_add(&text, str_from(pieces[rng_below(&rng, ARRAY_LEN(pieces))]));
        str form = answer_canonical(&a, buf_str(&text));
        CHECK((form.len == 0) == (str_trim(buf_str(&text)).len == 0));
        CHECK_STR(answer_canonical(&a, form), form);
        CHECK(!arena_failed(&a));
        buf_fini(&text);
        arena_fini(&a);
    }
}

static void agrees_beyond_equal_bytes(void)
{
    static const struct {
        str a, b;
        bool want;
    } pairs[] = {
        { S("$72"), S("72"), true },     { S("72 usd"), S("72 eur"), false },
        { S("72"), S("73"), false },     { S("Paris"), S("paris."), true },
        { S(""), S(""), false },         { S("12 apples"), S("12"), true },
        { S("1 h"), S("60 min"), true },
    };
    static const struct {
        str answer;
        struct rational exact;
        bool want;
    } statements[] = {
        { S("0.33"), { 1, 3 }, true },    { S("0.34"), { 1, 3 }, false },
        { S("2"), { 12, 5 }, false },     { S("2.5"), { 5, 2 }, true },
        { S("50%"), { 50, 1 }, true },    { S("50%"), { 1, 2 }, true },
        { S("90 min"), { 90, 1 }, true }, { S("$72"), { 72, 1 }, true },
        { S("many"), { 72, 1 }, false },  { S("33.3%"), { 1, 3 }, true },
    };

    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        struct arena a;
        arena_init(&a, 1 << 20);
        CHECK_INT(answer_agrees(&a, pairs[i].a, pairs[i].b), pairs[i].want);
        CHECK_INT(answer_agrees(&a, pairs[i].b, pairs[i].a), pairs[i].want);
        arena_fini(&a);
    }
    for (size_t i = 0; i < ARRAY_LEN(statements); i++) {
        struct arena a;
        arena_init(&a, 1 << 20);
        if (answer_states(&a, statements[i].answer, statements[i].exact) != statements[i].want)
            check_note(statements[i].answer.ptr, 0, "states another value");
        arena_fini(&a);
    }
}

TESTS(TEST(finds_canonical_forms), TEST(extracts_answers), TEST(numbers_have_one_form),
      TEST(forms_are_stable), TEST(agrees_beyond_equal_bytes))
