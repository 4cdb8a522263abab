/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rational: exact arithmetic on 64-bit fractions. Every operation reduces before it multiplies, so
 * that products fail only where the result itself does not fit.
 */
#include "core/reason/answer_internal.h"

static int64_t magnitude(int64_t v)
{
    return v < 0 ? -v : v;
}

static int64_t greatest_common_divisor(int64_t a, int64_t b)
{
    a = magnitude(a);
    b = magnitude(b);
    while (b != 0) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

bool rational_make(int64_t numerator, int64_t denominator, struct rational *out)
{
    /* INT64_MIN has no magnitude; refusing it here keeps every later negation safe. */
    if (denominator == 0 || numerator == INT64_MIN || denominator == INT64_MIN)
        return false;
    int64_t divisor = greatest_common_divisor(numerator, denominator);
    if (denominator < 0)
        divisor = -divisor;
    *out = (struct rational){ numerator / divisor, denominator / divisor };
    return true;
}

bool rational_add(struct rational a, struct rational b, struct rational *out)
{
    int64_t divisor = greatest_common_divisor(a.denominator, b.denominator);
    int64_t left, right, sum, denominator;

    if (!i64_mul(a.numerator, b.denominator / divisor, &left) ||
        !i64_mul(b.numerator, a.denominator / divisor, &right) || !i64_add(left, right, &sum) ||
        !i64_mul(a.denominator, b.denominator / divisor, &denominator))
        return false;
    return rational_make(sum, denominator, out);
}

bool rational_subtract(struct rational a, struct rational b, struct rational *out)
{
    return rational_add(a, (struct rational){ -b.numerator, b.denominator }, out);
}

bool rational_multiply(struct rational a, struct rational b, struct rational *out)
{
    int64_t first = greatest_common_divisor(a.numerator, b.denominator);
    int64_t second = greatest_common_divisor(b.numerator, a.denominator);
    int64_t numerator, denominator;

    /* A divisor is at least 1, because denominators are. */
    if (!i64_mul(a.numerator / first, b.numerator / second, &numerator) ||
        !i64_mul(a.denominator / second, b.denominator / first, &denominator))
        return false;
    return rational_make(numerator, denominator, out);
}

bool rational_divide(struct rational a, struct rational b, struct rational *out)
{
    struct rational inverse;

    if (!rational_make(b.denominator, b.numerator, &inverse))
        return false;
    return rational_multiply(a, inverse, out);
}

bool rational_power(struct rational base, int64_t exponent, struct rational *out)
{
    struct rational result = { 1, 1 };
    struct rational factor = base;

    if (exponent == INT64_MIN)
        return false;
    if (exponent < 0) {
        if (!rational_make(base.denominator, base.numerator, &factor))
            return false;
        exponent = -exponent;
    }
    while (exponent > 0) {
        if ((exponent & 1) && !rational_multiply(result, factor, &result))
            return false;
        exponent >>= 1;
        /* The square after the last bit is not needed and must not fail the whole. */
        if (exponent > 0 && !rational_multiply(factor, factor, &factor))
            return false;
    }
    *out = result;
    return true;
}

bool rational_equal(struct rational a, struct rational b)
{
    return a.numerator == b.numerator && a.denominator == b.denominator;
}

bool rational_is_integer(struct rational a)
{
    return a.denominator == 1;
}

int64_t rational_floor(struct rational a)
{
    int64_t quotient = a.numerator / a.denominator;

    return a.numerator % a.denominator < 0 ? quotient - 1 : quotient;
}

int rational_decimals(struct rational a)
{
    int64_t denominator = a.denominator;
    int twos = 0, fives = 0;

    for (; denominator % 2 == 0; denominator /= 2)
        twos++;
    for (; denominator % 5 == 0; denominator /= 5)
        fives++;
    if (denominator != 1)
        return -1;
    return twos > fives ? twos : fives;
}

str rational_text(struct arena *arena, struct rational a)
{
    if (rational_is_integer(a))
        return arena_printf(arena, "%" PRId64, a.numerator);
    return arena_printf(arena, "%" PRId64 "/%" PRId64, a.numerator, a.denominator);
}

bool rational_rounds_to(struct rational exact, struct rational stated)
{
    int decimals = rational_decimals(stated);
    struct rational difference, scale;

    if (rational_equal(exact, stated))
        return true;
    /* A whole number is no rounding: 2 buses are not 2.4 buses. */
    if (decimals < 1 || decimals > 15)
        return false;
    if (!rational_subtract(exact, stated, &difference) ||
        !rational_power((struct rational){ 10, 1 }, decimals, &scale) ||
        !rational_multiply(difference, scale, &difference))
        return false;
    return magnitude(difference.numerator) <= difference.denominator / 2;
}
