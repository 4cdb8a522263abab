/* SPDX-License-Identifier: Apache-2.0 */
/* judge: keys and answers as models write them. */
#include "app/eval/eval_rig.h"

static const struct {
    const char *key;
    const char *answer;
    bool is_right;
} comparisons[] = {
    /* numbers, whatever the unit */
    { "18", "18", true },
    { "18", "18 miles", true },
    { "18", "**18 miles**.", true },
    { "18", "$18.00", true },
    { "70000", "$70,000", true },
    { "2", "$2 per hour", true },
    { "60", "60%", true },
    { "0.6", "60%", true },
    { "60", "60 %", true },
    { "2", "2:00 pm", true },
    { "2", "2:00", true },
    { "45", "45\xC2\xB0", true },
    { "-4", "-4", true },
    { "5", "5 hours", true },
    { "5 hours", "5", true },
    { "5 hours", "5 h", true },
    { "1/2", "0.5", true },
    { "18", "19 miles", false },
    { "18", "18 or 19", false },
    { "18", "18 or nineteen", false },
    { "18", "18x", false },
    { "18", "18 x", false },
    { "2", "2:30 pm", false },
    { "1", "1 + 1/S - Sb", false },
    { "-6", "-6 - 2a - 2b", false },
    { "-4", "-4, 1", false },
    { "-4", "[-4, -5]", false },
    { "4", "4*sqrt(2)", false },
    { "60", "0.6", false },
    { "5 hours", "6", false },
    { "18", "about 18 miles", false },
    { "18", "", false },
    /* quoted literals, exactly */
    { "'aB'", "'aB'", true },
    { "'aB'", "\"aB\"", true },
    { "'aB'", "aB", true },
    { "'aB'", "`aB`", true },
    { "'aB'", "'ab'", false },
    { "'aB'", "ab", false },
    { "'aB'", "'aB '", false },
    { "'a b'", "'a  b'", false },
    { "'t\\nZA'", "'t\\nZA'", true },
    { "'t\\nZA'", "t\nZA", true },
    { "'t\\nZA'", "t\\nZA", true },
    { "'t\\nZA'", "'t\\\\nZA'", false },
    { "' f'", "f", true },
    { "' f'", "'f'", false },
    { "' '", "''", false },
    { "' '", "' '", true },
    { "' '", "\n", false },
    { "''", "''", true },
    { "''", "' '", false },
    { "'08999'", "8999", false },
    { "'08999'", "08999", true },
    { "'a,b,'", "a,b", false },
    { "'it\\'s'", "\"it's\"", true },
    { "'\\x41'", "A", true },
    { "'mty'", "mTY", false },
    /* code: tuples, dictionaries */
    { "(('a', 1), ('b', 2))", "('a', 1), ('b', 2)", true },
    { "([], [1])", "[], [1]", true },
    { "([], [1])", "([], [2])", false },
    { "{2: 1, 4: 3}", "{4: 3, 2: 1}", true },
    { "['a', 'b']", "[\"a\", \"b\"]", true },
    { "True", "True", true },
    { "True", "False", false },
    /* text */
    { "Paris", "paris.", true },
    { "B", "(B)", true },
    { "B", "C", false },
    { "Paris", "", false },
};

static void compares_by_what_the_key_is(void)
{
    struct arena arena;

    for (size_t i = 0; i < ARRAY_LEN(comparisons); i++) {
        arena_init(&arena, 1 << 20);
        bool is_right =
            eval_key_agrees(&arena, str_from(comparisons[i].key), str_from(comparisons[i].answer));
        if (is_right != comparisons[i].is_right)
            fprintf(stderr, "    key <%s> answer <%s>\n", comparisons[i].key,
                    comparisons[i].answer);
        CHECK(is_right == comparisons[i].is_right);
        arena_fini(&arena);
    }
}

/* Whatever a key is, it is its own answer. */
static void a_key_agrees_with_itself(void)
{
    static const char *const keys[] = { "7",        "-1/3", "'a\\nb'", "\"\"",         "(1, 2)",
                                        "{'a': 1}", "[]",   "x^2+1",   "\\frac{1}{2}", "noon",
                                        "'",        "'a",   "\\",      "3 apples" };
    struct arena arena;

    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (!eval_key_agrees(&arena, str_from(keys[i]), str_from(keys[i])))
            fprintf(stderr, "    key <%s>\n", keys[i]);
        CHECK(eval_key_agrees(&arena, str_from(keys[i]), str_from(keys[i])));
    }
    arena_fini(&arena);
}

static bool judge(const struct eval_question *q, const char *answer)
{
    struct arena arena;
    bool is_right = false;

    arena_init(&arena, 1 << 20);
    CHECK_ERR(eval_judge(&arena, q, str_from(answer), &is_right), OK);
    arena_fini(&arena);
    return is_right;
}

static void asks_verifiers_too(void)
{
    struct eval_question game = { .verifier = { VERIFY_GAME24, STR("4 6 1 1") } };
    struct eval_question exact = { .verifier = { VERIFY_EXACT, STR("'aB'") } };
    struct eval_question any = { .verifier = { VERIFY_REGEX, STR("x*") } };
    struct eval_question both = { .key = STR("7"), .verifier = { VERIFY_REGEX, STR("[0-9]") } };

    CHECK(judge(&game, "4*6*1*1"));
    CHECK(!judge(&game, "24"));
    CHECK(judge(&exact, "aB"));
    CHECK(!judge(&exact, "ab")); /* a key is a key, whoever holds it */
    CHECK(judge(&both, "7"));
    CHECK(!judge(&both, "8"));
    CHECK(!judge(&both, "7.0"));
    CHECK(!judge(&both, ""));
    CHECK(judge(&any, "x"));
    CHECK(!judge(&any, "")); /* no answer is not right, whatever a verifier says of it */
}

TESTS(TEST(compares_by_what_the_key_is), TEST(a_key_agrees_with_itself), TEST(asks_verifiers_too))
