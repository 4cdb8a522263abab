/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the verifiers. */
#include "core/reason/reason_internal.h"
#include "test/check.h"

#define S(text)                                                                                    \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }

static const struct {
    enum verifier_kind kind;
    str spec;
    str answer;
    enum verdict want;
} rows[] = {
    { VERIFY_NONE, S(""), S("x"), VERDICT_UNKNOWN },
    { VERIFY_ARITHMETIC, S("12*(3+4)"), S("84"), VERDICT_PASS },
    { VERIFY_ARITHMETIC, S("12*(3+4)"), S("$84.00"), VERDICT_PASS },
    { VERIFY_ARITHMETIC, S("12*(3+4)"), S("85"), VERDICT_FAIL },
    { VERIFY_ARITHMETIC, S("12*(3+4)"), S("eighty-four"), VERDICT_FAIL },
    { VERIFY_ARITHMETIC, S("1/3"), S("0.33"), VERDICT_PASS },
    { VERIFY_ARITHMETIC, S("1/3"), S("0.3"), VERDICT_FAIL },
    { VERIFY_ARITHMETIC, S("2.456"), S("2.46"), VERDICT_FAIL },
    { VERIFY_REGEX, S("[0-9]{4}"), S("2024"), VERDICT_PASS },
    { VERIFY_REGEX, S("[0-9]{4}"), S("in 2024"), VERDICT_FAIL },
    { VERIFY_REGEX, S("a|ab"), S("ab"), VERDICT_PASS },
    { VERIFY_REGEX, S("a|ab"), S("abc"), VERDICT_FAIL },
    { VERIFY_REGEX, S("a*"), S(""), VERDICT_PASS },
    { VERIFY_REGEX, S("a.b"), S("a\0b"), VERDICT_FAIL },
    { VERIFY_EXACT, S("Paris"), S("paris."), VERDICT_PASS },
    { VERIFY_EXACT, S("Paris"), S("Rome"), VERDICT_FAIL },
    { VERIFY_EXACT, S("72"), S("$72"), VERDICT_PASS },
    { VERIFY_EXACT, S("72 usd"), S("72"), VERDICT_FAIL },
    { VERIFY_EXACT, S("3600"), S("1 h"), VERDICT_FAIL },
    { VERIFY_EXACT, S("(B)"), S("b"), VERDICT_PASS },
    { VERIFY_EXACT, S("72"), S(""), VERDICT_FAIL },
    { VERIFY_JSON_SCHEMA, S("{\"type\":\"object\",\"required\":[\"a\"]}"), S("{\"a\":1}"),
      VERDICT_PASS },
    { VERIFY_JSON_SCHEMA, S("{\"type\":\"object\",\"required\":[\"a\"]}"),
      S("```json\n{\"a\":1}\n```"), VERDICT_PASS },
    { VERIFY_JSON_SCHEMA, S("{\"type\":\"object\",\"required\":[\"a\"]}"), S("{\"b\":1}"),
      VERDICT_FAIL },
    { VERIFY_JSON_SCHEMA, S("{\"type\":\"object\",\"required\":[\"a\"]}"), S("{\"b\":"),
      VERDICT_FAIL },
};

static void gives_verdicts(void)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena a;
        const struct verifier v = { rows[i].kind, rows[i].spec };
        enum verdict got = VERDICT_UNKNOWN;
        str why = { 0 };
        arena_init(&a, 1 << 20);
        CHECK_ERR(verifier_check(&v, rows[i].answer, &a, &got, &why), OK);
        if (got != rows[i].want)
            fprintf(stderr, "row %zu: %.*s\n", i, STR_ARG(rows[i].answer));
        CHECK_INT(got, rows[i].want);
        CHECK_INT(why.len > 0, got == VERDICT_FAIL);
        arena_fini(&a);
    }
}

static void refuses_bad_specs(void)
{
    static const struct verifier bad[] = {
        { VERIFY_ARITHMETIC, S("1+") },
        { VERIFY_ARITHMETIC, S("") },
        { VERIFY_REGEX, S("(") },
        { VERIFY_REGEX, S("") },
        { VERIFY_REGEX, S("a\0b") },
        { VERIFY_REGEX, S("(a)\\1") },
        { VERIFY_REGEX, S("((a{1,99}){1,99}){1,99}") },
        { VERIFY_EXACT, S("  ") },
        { VERIFY_JSON_SCHEMA, S("{") },
        { VERIFY_JSON_SCHEMA, S("{\"no such keyword\":1}") },
    };

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct arena a;
        enum verdict got = VERDICT_PASS;
        str why = STR("kept");
        arena_init(&a, 1 << 20);
        CHECK_ERR(verifier_check(&bad[i], STR("0"), &a, &got, &why), CALLER_BAD_REQUEST);
        CHECK_INT(got, VERDICT_PASS);
        CHECK_STR(why, STR("kept"));
        arena_fini(&a);
    }
}

/* The model must not learn the answer from the verifier. */
static void never_tells_the_answer(void)
{
    const struct verifier secret[] = { { VERIFY_ARITHMETIC, S("6*7") }, { VERIFY_EXACT, S("42") } };

    for (size_t i = 0; i < ARRAY_LEN(secret); i++) {
        struct arena a;
        enum verdict got;
        str why;
        arena_init(&a, 1 << 20);
        REQUIRE(verifier_check(&secret[i], STR("41"), &a, &got, &why) == OK);
        CHECK_INT(got, VERDICT_FAIL);
        CHECK(str_find(why, STR("42")) == STR_NPOS);
        CHECK(str_find(why, secret[i].spec) == STR_NPOS);
        arena_fini(&a);
    }
}

static void combines_signals(void)
{
    const struct signals none = { -1, -1, -1, -1, -1, -1, -1 };
    struct signals s = none;

    CHECK(confidence_combine(&s, -1) < 0);
    s.stated = 0.7;
    CHECK_NEAR(confidence_combine(&s, -1), 0.7, 1e-12);
    s.agreement = 1.0;
    CHECK_NEAR(confidence_combine(&s, -1), (0.3 * 0.7 + 0.4) / 0.7, 1e-12);
    s.agreement = 0.0;
    CHECK_NEAR(confidence_combine(&s, -1), 0.3, 1e-12);
    s.verifier = 1.0;
    CHECK_NEAR(confidence_combine(&s, -1), 0.93, 1e-12);
    s.verifier = 0.0;
    CHECK_NEAR(confidence_combine(&s, -1), 0.03, 1e-12);
    s = none;
    s.verifier = 1.0;
    CHECK_NEAR(confidence_combine(&s, -1), 0.9, 1e-12);
    s.verifier = 0.0;
    CHECK_NEAR(confidence_combine(&s, -1), 0.1, 1e-12);
    s = none;
    CHECK_NEAR(confidence_combine(&s, 0.5), 0.5, 1e-12);
}

TESTS(TEST(gives_verdicts), TEST(refuses_bad_specs), TEST(never_tells_the_answer),
      TEST(combines_signals))
