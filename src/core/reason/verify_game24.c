/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify_game24: is the answer an expression that uses each given number exactly once and is 24?
 *
 * The answer is first brought into plain ASCII; what is then left to the evaluator holds digits, + - * / and
 * parentheses only. A minus sign before an operand is allowed: such an expression can always be written
 * without one.
 */
#include "core/reason/verifier_internal.h"

#define NUMBERS_MAX 8
#define NUMBER_MAX 999
#define EXPRESSION_BYTES_MAX 512

static const struct rational target = { 24, 1 };

/* clang-format off */
static const struct {
    str written;
    str plain;
} signs[] = {
    { { "\\times", 6 }, { "*", 1 } }, { { "\\cdot", 5 }, { "*", 1 } }, { { "\\div", 4 },   { "/", 1 } },
    { { "\\left", 5 },  { "", 0 } },  { { "\\right", 6 }, { "", 0 } }, { { "\xC3\x97", 2 }, { "*", 1 } },
    { { "\xC2\xB7", 2 }, { "*", 1 } }, { { "\xC3\xB7", 2 }, { "/", 1 } }, { { "\xE2\x88\x92", 3 }, { "-", 1 } },
};
/* clang-format on */

struct numbers {
    int64_t at[NUMBERS_MAX];
    size_t count;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Cuts the digits off the front; false when they are no number of the game. */
static bool take_number(str *rest, int64_t *out)
{
    size_t n = 0;

    while (n < rest->len && is_digit(rest->ptr[n]))
        n++;
    if (!str_to_i64(str_slice(*rest, 0, n), out) || *out > NUMBER_MAX)
        return false;
    *rest = str_slice(*rest, n, rest->len);
    return true;
}

static bool numbers_read(str spec, struct numbers *out)
{
    struct numbers numbers = { .count = 0 };
    str rest = str_trim(spec), field;

    while (str_next(&rest, ' ', &field)) {
        if (field.len == 0)
            continue;
        if (numbers.count == NUMBERS_MAX || !is_digit(field.ptr[0]) ||
            !take_number(&field, &numbers.at[numbers.count]) || field.len > 0)
            return false;
        numbers.count++;
    }
    *out = numbers;
    return numbers.count >= 2;
}

/* The expression in ASCII; false when anything else stands in it. */
static bool expression_plain(struct arena *arena, str text, str *out)
{
    char *plain = arena_alloc(arena, text.len);
    size_t n = 0;

    if (!plain)
        return false;
    while (text.len > 0) {
        size_t taken = 0;
        for (size_t i = 0; i < ARRAY_LEN(signs) && taken == 0; i++) {
            if (!str_starts(text, signs[i].written))
                continue;
            taken = signs[i].written.len;
            if (signs[i].plain.len > 0)
                plain[n++] = signs[i].plain.ptr[0];
        }
        if (taken == 0) {
            char c = text.ptr[0];
            bool is_allowed = is_digit(c) || str_find_char(STR("+-*/() "), c) != STR_NPOS;
            /* "**" and "//" are other operations to the evaluator. */
            if (!is_allowed || ((c == '*' || c == '/') && n > 0 && plain[n - 1] == c))
                return false;
            plain[n++] = c;
            taken = 1;
        }
        text = str_slice(text, taken, text.len);
    }
    *out = (str){ plain, n };
    return n > 0;
}

/* Each of the numbers once and nothing else. */
static bool uses_each_once(str expression, const struct numbers *numbers)
{
    bool is_used[NUMBERS_MAX] = { false };
    size_t used = 0;

    while (expression.len > 0) {
        int64_t value;
        if (!is_digit(expression.ptr[0])) {
            expression = str_slice(expression, 1, expression.len);
            continue;
        }
        if (!take_number(&expression, &value))
            return false;
        size_t i = 0;
        while (i < numbers->count && (is_used[i] || numbers->at[i] != value))
            i++;
        if (i == numbers->count)
            return false;
        is_used[i] = true;
        used++;
    }
    return used == numbers->count;
}

/* "… = 24" without its right side. */
static str without_result(str text)
{
    size_t at = str_find_char(text, '=');

    if (at == STR_NPOS || !str_eq(str_trim(str_slice(text, at + 1, text.len)), STR("24")))
        return text;
    return str_trim(str_slice(text, 0, at));
}

enum err verify_game24(struct arena *arena, const struct verifier *v, str answer,
                       struct finding *out)
{
    struct numbers numbers;
    struct rational value;
    str plain;
    str quote = finding_quote(answer);

    if (!numbers_read(v->spec, &numbers))
        return CALLER_BAD_REQUEST;
    str text = without_result(answer_unwrap(answer));
    if (text.len > EXPRESSION_BYTES_MAX || !expression_plain(arena, text, &plain)) {
        finding_refuse(
            out, arena_printf(arena,
                              "\"%.*s\" is not an expression of numbers, + - * / and parentheses.",
                              STR_ARG(quote)));
        return OK;
    }
    if (!uses_each_once(plain, &numbers)) {
        finding_refuse(out, arena_printf(arena, "\"%.*s\" does not use each of %.*s exactly once.",
                                         STR_ARG(quote), STR_ARG(str_trim(v->spec))));
        return OK;
    }
    if (!arithmetic_evaluate(plain, NULL, &value)) {
        finding_refuse(out, arena_printf(arena, "\"%.*s\" cannot be computed.", STR_ARG(quote)));
        return OK;
    }
    out->verdict = VERDICT_PASS;
    if (!rational_equal(value, target)) {
        str is = rational_text(arena, value);
        finding_refuse(
            out, arena_printf(arena, "\"%.*s\" is %.*s, not 24.", STR_ARG(quote), STR_ARG(is)));
    }
    return OK;
}

str verify_game24_format(struct arena *arena, const struct verifier *v)
{
    return arena_printf(arena,
                        "The final answer must be an expression that uses each of the numbers %.*s "
                        "exactly once, with + - * / and parentheses only, and whose value is 24.",
                        STR_ARG(str_trim(v->spec)));
}
