/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of exact rationals and of the evaluator. */
#include "base/rng.h"
#include "core/reason/answer_internal.h"
#include "test/check.h"

static const struct {
    const char *expression;
    struct rational want;
} evaluated[] = {
    { "12*(3+4)", { 84, 1 } },
    { "1/3+1/6", { 1, 2 } },
    { "2-3-4", { -5, 1 } },
    { "2^3^2", { 512, 1 } },
    { "-2^2", { -4, 1 } },
    { "(-2)**2", { 4, 1 } },
    { "2^-2", { 1, 4 } },
    { "--3", { 3, 1 } },
    { "0.1+0.2", { 3, 10 } },
    { "7//2", { 3, 1 } },
    { "-7//2", { -4, 1 } },
    { "-7 % 3", { 2, 1 } },
    { "200*15%", { 30, 1 } },
    { "50%", { 1, 2 } },
    { "10 % (3)", { 1, 1 } },
    { "5!", { 120, 1 } },
    { "ceil(7/2)", { 4, 1 } },
    { "floor(-1/2)", { -1, 1 } },
    { "round(2.675, 2)", { 67, 25 } },
    { "round(5/2)", { 3, 1 } },
    { "sqrt(9/4)", { 3, 2 } },
    { "9^0.5", { 3, 1 } },
    { "min(3, 1, 2) + max(3,4)", { 5, 1 } },
    { "comb(5,2)", { 10, 1 } },
    { "comb(60,30)", { 118264581564861424, 1 } },
    { "gcd(12,18)", { 6, 1 } },
    { "abs(3-5)", { 2, 1 } },
    { "3 \xC3\x97 4 \xC3\xB7 2", { 6, 1 } },
    { "5 \xE2\x88\x92 7", { -2, 1 } },
    { "9223372036854775807", { INT64_MAX, 1 } },
};

static const char *const not_evaluated[] = {
    "",
    " ",
    "1+",
    "(1",
    "1)",
    "1 2",
    "a",
    "1/0",
    "0^-1",
    "sqrt(2)",
    "2^0.3",
    "10^19",
    "9223372036854775808",
    "21!",
    "foo(1)",
    "min()",
    "min(1",
    "sqrt(1,2)",
    "1e5",
    "1..2",
    ".",
    "5 % 0",
    "5//0",
    "comb(1/2,1)",
    "2^(2^62)",
    "comb(4611686018427387904, 2305843009213693952)",
    "1,200",
    "-9223372036854775807-1",
};

static void evaluates(void)
{
    for (size_t i = 0; i < ARRAY_LEN(evaluated); i++) {
        struct rational got = { 0, 1 };
        if (!arithmetic_evaluate(str_from(evaluated[i].expression), NULL, &got) ||
            !rational_equal(got, evaluated[i].want))
            check_note(evaluated[i].expression, 0, "evaluates to something else");
    }
    for (size_t i = 0; i < ARRAY_LEN(not_evaluated); i++) {
        struct rational got = { 17, 1 };
        if (arithmetic_evaluate(str_from(not_evaluated[i]), NULL, &got) || got.numerator != 17)
            check_note(not_evaluated[i], 0, "was not refused, or wrote its output");
    }
}

static void bounds_depth_and_length(void)
{
    struct buf deep = { 0 };
    struct rational got;

    for (int i = 0; i < 2000; i++)
        buf_add(&deep, STR("("));
    CHECK(!arithmetic_evaluate(buf_str(&deep), NULL, &got));
    buf_reset(&deep);
    for (int i = 0; i < 2000; i++)
        buf_add(&deep, STR("1^"));
    CHECK(!arithmetic_evaluate(buf_str(&deep), NULL, &got));
    buf_reset(&deep);
    for (int i = 0; i < 5000; i++)
        buf_add(&deep, STR("-"));
    CHECK(!arithmetic_evaluate(buf_str(&deep), NULL, &got));
    buf_fini(&deep);
}

static void knows_variables(void)
{
    const struct variable items[] = { { STR("a"), { 3, 1 } }, { STR("q2"), { 1, 2 } } };
    const struct variables variables = { items, 2 };
    struct rational got;

    REQUIRE(arithmetic_evaluate(STR("a*q2 + 1"), &variables, &got));
    CHECK_INT(got.numerator, 5);
    CHECK_INT(got.denominator, 2);
    CHECK(!arithmetic_evaluate(STR("a*b"), &variables, &got));
}

/* Sums and products undo themselves wherever they fit. */
static void field_laws(void)
{
    struct rng rng;

    rng_init(&rng, 3);
    for (int i = 0; i < 5000; i++) {
        struct rational a, b, sum, back;
        int64_t top = (int64_t)rng_below(&rng, 2000001) - 1000000;
        int64_t bottom = (int64_t)rng_below(&rng, 1000) + 1;
        REQUIRE(rational_make(top, bottom, &a));
        REQUIRE(rational_make((int64_t)rng_below(&rng, 1000) + 1, bottom + 7, &b));
        REQUIRE(rational_add(a, b, &sum) && rational_subtract(sum, b, &back));
        CHECK(rational_equal(back, a));
        REQUIRE(rational_multiply(a, b, &sum) && rational_divide(sum, b, &back));
        CHECK(rational_equal(back, a));
        CHECK(rational_floor(a) * a.denominator <= a.numerator);
        CHECK((rational_floor(a) + 1) * a.denominator > a.numerator);
    }
}

static void refuses_what_does_not_fit(void)
{
    const struct rational big = { INT64_MAX, 1 }, one = { 1, 1 };
    struct rational out = { 5, 1 };

    CHECK(!rational_add(big, one, &out));
    CHECK(!rational_multiply(big, big, &out));
    CHECK(!rational_make(INT64_MIN, 1, &out));
    CHECK(!rational_make(1, 0, &out));
    CHECK(!rational_divide(one, (struct rational){ 0, 1 }, &out));
    CHECK_INT(out.numerator, 5);
    CHECK_INT(rational_decimals((struct rational){ 1, 8 }), 3);
    CHECK_INT(rational_decimals((struct rational){ 1, 3 }), -1);
    CHECK_INT(rational_decimals((struct rational){ 4, 1 }), 0);
}

TESTS(TEST(evaluates), TEST(bounds_depth_and_length), TEST(knows_variables), TEST(field_laws),
      TEST(refuses_what_does_not_fit))
