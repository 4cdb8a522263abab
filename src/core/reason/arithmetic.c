/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arithmetic: an evaluator of expressions over exact rationals, by recursive descent:
 *
 *     sum     = product { (+|-) product }
 *     product = signed { (*|/|//|%) signed }
 *     signed  = { +|- } power
 *     power   = postfix [ (^|**) signed ]          binds to the right
 *     postfix = atom { ! | % }
 *     atom    = number | name | name ( sum {, sum} ) | ( sum )
 *
 * A % with an operand behind it is the remainder; otherwise it means hundredths.
 */
#include <math.h>

#include "core/reason/answer_internal.h"

#define EXPRESSION_BYTES_MAX 4096
#define EXPRESSION_DEPTH_MAX 64
#define ARGUMENTS_MAX 16

struct scanner {
    str rest;
    const struct variables *variables;
    int depth;
};

static bool parse_sum(struct scanner *s, struct rational *out);
static bool parse_signed(struct scanner *s, struct rational *out);

/* ---- functions ---- */

static bool make_floor(const struct rational *a, size_t n, struct rational *out)
{
    (void)n;
    return rational_make(rational_floor(a[0]), 1, out);
}

static bool make_ceiling(const struct rational *a, size_t n, struct rational *out)
{
    (void)n;
    return rational_make(-rational_floor((struct rational){ -a[0].numerator, a[0].denominator }), 1,
                         out);
}

static bool make_round(const struct rational *a, size_t n, struct rational *out)
{
    struct rational scale = { 1, 1 }, scaled;

    if (n == 2 && (!rational_is_integer(a[1]) ||
                   !rational_power((struct rational){ 10, 1 }, a[1].numerator, &scale)))
        return false;
    /* Halves go up, as people do it; a model that meant banker's rounding is not contradicted by much. */
    if (!rational_multiply(a[0], scale, &scaled) ||
        !rational_add(scaled, (struct rational){ 1, 2 }, &scaled) ||
        !rational_make(rational_floor(scaled), 1, &scaled))
        return false;
    return rational_divide(scaled, scale, out);
}

static bool make_absolute(const struct rational *a, size_t n, struct rational *out)
{
    (void)n;
    *out = a[0];
    if (out->numerator < 0)
        out->numerator = -out->numerator;
    return true;
}

/* Which of two is less; false in the result's sense when the difference does not fit. */
static bool pick_extreme(const struct rational *a, size_t n, int sign, struct rational *out)
{
    struct rational best = a[0];

    for (size_t i = 1; i < n; i++) {
        struct rational difference;
        if (!rational_subtract(a[i], best, &difference))
            return false;
        if ((difference.numerator > 0 && sign > 0) || (difference.numerator < 0 && sign < 0))
            best = a[i];
    }
    *out = best;
    return true;
}

static bool make_minimum(const struct rational *a, size_t n, struct rational *out)
{
    return pick_extreme(a, n, -1, out);
}

static bool make_maximum(const struct rational *a, size_t n, struct rational *out)
{
    return pick_extreme(a, n, 1, out);
}

static bool make_sum(const struct rational *a, size_t n, struct rational *out)
{
    struct rational total = { 0, 1 };

    for (size_t i = 0; i < n; i++) {
        if (!rational_add(total, a[i], &total))
            return false;
    }
    *out = total;
    return true;
}

/* The exact square root of a perfect square below 2^63. */
static bool whole_root(int64_t square, int64_t *out)
{
    int64_t root = (int64_t)sqrt((double)square), product;

    for (int64_t candidate = root > 0 ? root - 1 : 0; candidate <= root + 1; candidate++) {
        if (i64_mul(candidate, candidate, &product) && product == square) {
            *out = candidate;
            return true;
        }
    }
    return false;
}

static bool make_root(const struct rational *a, size_t n, struct rational *out)
{
    int64_t numerator, denominator;

    (void)n;
    if (a[0].numerator < 0 || !whole_root(a[0].numerator, &numerator) ||
        !whole_root(a[0].denominator, &denominator))
        return false;
    return rational_make(numerator, denominator, out);
}

static bool make_combinations(const struct rational *a, size_t n, struct rational *out)
{
    struct rational result = { 1, 1 };

    (void)n;
    if (!rational_is_integer(a[0]) || !rational_is_integer(a[1]) || a[0].numerator < 0 ||
        a[1].numerator < 0)
        return false;
    int64_t from = a[0].numerator, chosen = a[1].numerator;
    if (chosen > from) {
        *out = (struct rational){ 0, 1 };
        return true;
    }
    if (chosen > from - chosen)
        chosen = from - chosen;
    for (int64_t i = 1; i <= chosen; i++) {
        /* Ends early: a product of more than 64 factors above 1 does not fit anyway. */
        struct rational factor;
        if (!rational_make(from - chosen + i, i, &factor) ||
            !rational_multiply(result, factor, &result))
            return false;
    }
    *out = result;
    return true;
}

static bool make_factorial(const struct rational *a, size_t n, struct rational *out)
{
    int64_t product = 1;

    (void)n;
    if (!rational_is_integer(a[0]) || a[0].numerator < 0 || a[0].numerator > 20)
        return false;
    for (int64_t i = 2; i <= a[0].numerator; i++)
        product *= i; /* 20! fits */
    return rational_make(product, 1, out);
}

static bool make_divisor(const struct rational *a, size_t n, struct rational *out)
{
    (void)n;
    if (!rational_is_integer(a[0]) || !rational_is_integer(a[1]))
        return false;
    int64_t x = a[0].numerator, y = a[1].numerator;
    while (y != 0) {
        int64_t rest = x % y;
        x = y;
        y = rest;
    }
    return rational_make(x < 0 ? -x : x, 1, out);
}

static bool make_remainder(const struct rational *a, size_t n, struct rational *out)
{
    struct rational quotient;

    (void)n;
    if (!rational_divide(a[0], a[1], &quotient) ||
        !rational_make(rational_floor(quotient), 1, &quotient) ||
        !rational_multiply(quotient, a[1], &quotient))
        return false;
    return rational_subtract(a[0], quotient, out);
}

static bool make_power(const struct rational *a, size_t n, struct rational *out)
{
    (void)n;
    if (rational_is_integer(a[1]))
        return rational_power(a[0], a[1].numerator, out);
    if (a[1].denominator != 2)
        return false;
    struct rational root;
    if (!make_root(a, 1, &root))
        return false;
    return rational_power(root, a[1].numerator, out);
}

struct function {
    str name;
    size_t arguments_min;
    size_t arguments_max;
    bool (*make)(const struct rational *a, size_t n, struct rational *out);
};

/* clang-format off */
static const struct function functions[] = {
    { { "floor",     5 }, 1, 1,             make_floor },
    { { "ceil",      4 }, 1, 1,             make_ceiling },
    { { "int",       3 }, 1, 1,             make_floor },
    { { "round",     5 }, 1, 2,             make_round },
    { { "abs",       3 }, 1, 1,             make_absolute },
    { { "min",       3 }, 1, ARGUMENTS_MAX, make_minimum },
    { { "max",       3 }, 1, ARGUMENTS_MAX, make_maximum },
    { { "sum",       3 }, 1, ARGUMENTS_MAX, make_sum },
    { { "sqrt",      4 }, 1, 1,             make_root },
    { { "comb",      4 }, 2, 2,             make_combinations },
    { { "factorial", 9 }, 1, 1,             make_factorial },
    { { "gcd",       3 }, 2, 2,             make_divisor },
    { { "mod",       3 }, 2, 2,             make_remainder },
    { { "pow",       3 }, 2, 2,             make_power },
};
/* clang-format on */

/* ---- scanning ---- */

static void skip_space(struct scanner *s)
{
    while (s->rest.len > 0 && (s->rest.ptr[0] == ' ' || s->rest.ptr[0] == '\t' ||
                               s->rest.ptr[0] == '\n' || s->rest.ptr[0] == '\r'))
        s->rest = str_slice(s->rest, 1, s->rest.len);
}

static bool accept(struct scanner *s, str token)
{
    skip_space(s);
    if (!str_starts(s->rest, token))
        return false;
    s->rest = str_slice(s->rest, token.len, s->rest.len);
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || is_digit(c);
}

static bool starts_operand(const struct scanner *s)
{
    struct scanner ahead = *s;

    skip_space(&ahead);
    return ahead.rest.len > 0 && (is_name_byte(ahead.rest.ptr[0]) || ahead.rest.ptr[0] == '(' ||
                                  ahead.rest.ptr[0] == '.');
}

static bool parse_number(struct scanner *s, struct rational *out)
{
    int64_t digits = 0, scale = 1;
    bool has_digit = false, has_point = false;
    size_t i = 0;

    for (; i < s->rest.len; i++) {
        char c = s->rest.ptr[i];
        if (c == '.' && !has_point) {
            has_point = true;
            continue;
        }
        if (!is_digit(c))
            break;
        has_digit = true;
        if (!i64_mul(digits, 10, &digits) || !i64_add(digits, c - '0', &digits) ||
            (has_point && !i64_mul(scale, 10, &scale)))
            return false;
    }
    if (!has_digit || !rational_make(digits, scale, out))
        return false;
    s->rest = str_slice(s->rest, i, s->rest.len);
    return true;
}

static bool parse_arguments(struct scanner *s, struct rational *arguments, size_t *out_count)
{
    size_t n = 0;

    do {
        if (n == ARGUMENTS_MAX || !parse_sum(s, &arguments[n]))
            return false;
        n++;
    } while (accept(s, STR(",")));
    *out_count = n;
    return accept(s, STR(")"));
}

static bool parse_name(struct scanner *s, struct rational *out)
{
    size_t n = 0;

    while (n < s->rest.len && is_name_byte(s->rest.ptr[n]))
        n++;
    str name = str_slice(s->rest, 0, n);
    s->rest = str_slice(s->rest, n, s->rest.len);
    for (size_t i = 0; s->variables && i < s->variables->count; i++) {
        if (str_eq(s->variables->items[i].name, name)) {
            *out = s->variables->items[i].value;
            return true;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(functions); i++) {
        struct rational arguments[ARGUMENTS_MAX];
        size_t count;
        if (!str_eq_nocase(functions[i].name, name))
            continue;
        return accept(s, STR("(")) && parse_arguments(s, arguments, &count) &&
               count >= functions[i].arguments_min && count <= functions[i].arguments_max &&
               functions[i].make(arguments, count, out);
    }
    return false;
}

static bool parse_atom(struct scanner *s, struct rational *out)
{
    skip_space(s);
    if (s->rest.len == 0)
        return false;
    if (accept(s, STR("(")))
        return parse_sum(s, out) && accept(s, STR(")"));
    if (is_digit(s->rest.ptr[0]) || s->rest.ptr[0] == '.')
        return parse_number(s, out);
    return parse_name(s, out);
}

static bool parse_postfix(struct scanner *s, struct rational *out)
{
    struct rational value;

    if (!parse_atom(s, &value))
        return false;
    for (;;) {
        struct scanner ahead = *s;
        if (accept(s, STR("!"))) {
            if (!make_factorial(&value, 1, &value))
                return false;
        } else if (accept(&ahead, STR("%")) && !starts_operand(&ahead)) {
            *s = ahead;
            if (!rational_divide(value, (struct rational){ 100, 1 }, &value))
                return false;
        } else {
            *out = value;
            return true;
        }
    }
}

static bool parse_signed(struct scanner *s, struct rational *out)
{
    struct rational value[2];
    bool is_negative = false;

    /* Counted here because signs and exponents recurse without brackets too. */
    if (s->depth >= EXPRESSION_DEPTH_MAX)
        return false;
    s->depth++;
    for (;;) {
        if (accept(s, STR("-")) || accept(s, STR("\xE2\x88\x92")))
            is_negative = !is_negative;
        else if (!accept(s, STR("+")))
            break;
    }
    if (!parse_postfix(s, &value[0]))
        return false;
    if (accept(s, STR("**")) || accept(s, STR("^"))) {
        if (!parse_signed(s, &value[1]) || !make_power(value, 2, &value[0]))
            return false;
    }
    s->depth--;
    if (is_negative)
        value[0].numerator = -value[0].numerator;
    *out = value[0];
    return true;
}

enum operation { MULTIPLY, DIVIDE, DIVIDE_DOWN, REMAINDER, NO_OPERATION };

static enum operation accept_operation(struct scanner *s)
{
    /* Longer spellings come first; ** belongs to parse_signed and never reaches this. */
    static const struct {
        str text;
        enum operation operation;
    } spellings[] = {
        { { "//", 2 }, DIVIDE_DOWN },    { { "*", 1 }, MULTIPLY },
        { { "/", 1 }, DIVIDE },          { { "%", 1 }, REMAINDER },
        { { "\xC3\x97", 2 }, MULTIPLY }, { { "\xC3\xB7", 2 }, DIVIDE },
        { { "\xC2\xB7", 2 }, MULTIPLY },
    };

    for (size_t i = 0; i < ARRAY_LEN(spellings); i++) {
        if (accept(s, spellings[i].text))
            return spellings[i].operation;
    }
    return NO_OPERATION;
}

static bool operate(enum operation operation, const struct rational operands[2],
                    struct rational *out)
{
    struct rational quotient;

    switch (operation) {
    case MULTIPLY:
        return rational_multiply(operands[0], operands[1], out);
    case DIVIDE:
        return rational_divide(operands[0], operands[1], out);
    case DIVIDE_DOWN:
        return rational_divide(operands[0], operands[1], &quotient) &&
               make_floor(&quotient, 1, out);
    case REMAINDER:
        return make_remainder(operands, 2, out);
    case NO_OPERATION:
        break;
    }
    return false;
}

static bool parse_product(struct scanner *s, struct rational *out)
{
    struct rational operands[2];

    if (!parse_signed(s, &operands[0]))
        return false;
    for (;;) {
        enum operation operation = accept_operation(s);
        if (operation == NO_OPERATION)
            break;
        if (!parse_signed(s, &operands[1]) || !operate(operation, operands, &operands[0]))
            return false;
    }
    *out = operands[0];
    return true;
}

static bool parse_sum(struct scanner *s, struct rational *out)
{
    struct rational total, term;

    if (!parse_product(s, &total))
        return false;
    for (;;) {
        if (accept(s, STR("+"))) {
            if (!parse_product(s, &term) || !rational_add(total, term, &total))
                return false;
        } else if (accept(s, STR("-")) || accept(s, STR("\xE2\x88\x92"))) {
            if (!parse_product(s, &term) || !rational_subtract(total, term, &total))
                return false;
        } else {
            *out = total;
            return true;
        }
    }
}

bool arithmetic_evaluate(str expression, const struct variables *variables, struct rational *out)
{
    struct scanner s = { .rest = expression, .variables = variables };
    struct rational value;

    if (expression.len > EXPRESSION_BYTES_MAX || !parse_sum(&s, &value))
        return false;
    skip_space(&s);
    if (s.rest.len > 0)
        return false;
    *out = value;
    return true;
}
