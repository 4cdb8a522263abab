/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds arithmetic in running text and evaluates it exactly.
 *
 *     sum     = product { ('+' | '-' | "plus" | "minus") product }
 *     product = operand { ('*' | '/' | "times" | …) operand }
 *     operand = ['-'] (number | '(' sum ')')
 *
 * An operator without an operand behind it ends the expression before the operator, so "3 - a" is just 3.
 */
#include "core/sim/sim_internal.h"

#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 24 /* parentheses within parentheses */
#define TEXT_MAX ((size_t)64 << 10) /* bytes of a text that are looked at */

struct parser {
    str text;
    size_t at;
    int depth;
    bool failed; /* a value does not fit, or the normal form is too long */
    struct sim_expression result;
};

/* Longer spellings stand before their prefixes. */
static const struct operator_word {
    const char *word;
    char sign;
    bool is_word; /* must end at a word's end */
} operator_words[] = {
    { "+", '+', false },
    { "-", '-', false },
    { "\xe2\x88\x92", '-', false }, /* U+2212 */
    { "*", '*', false },
    { "\xc3\x97", '*', false }, /* U+00D7 */
    { "\xc2\xb7", '*', false }, /* U+00B7 */
    { "/", '/', false },
    { "\xc3\xb7", '/', false }, /* U+00F7 */
    { "plus", '+', true },
    { "minus", '-', true },
    { "times", '*', true },
    { "multiplied by", '*', true },
    { "divided by", '/', true },
    { "x", '*', false },
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word_char(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static char char_at(const struct parser *p, size_t at)
{
    return at < p->text.len ? p->text.ptr[at] : '\0';
}

static void skip_spaces(struct parser *p)
{
    while (char_at(p, p->at) == ' ')
        p->at++;
}

static void emit(struct parser *p, str s)
{
    if (s.len > SIM_EXPRESSION_MAX - p->result.len) {
        p->failed = true;
        return;
    }
    memcpy(p->result.text + p->result.len, s.ptr, s.len);
    p->result.len += s.len;
}

/* ---- exact numbers ---- */

static int64_t greatest_common_divisor(int64_t a, int64_t b)
{
    while (b != 0) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a < 0 ? -a : a;
}

/* Brings numerator/denominator to normal form; INT64_MIN is refused since its negation does not fit. */
static bool number_make(int64_t numerator, int64_t denominator, struct sim_number *out)
{
    if (denominator == 0 || numerator == INT64_MIN || denominator == INT64_MIN)
        return false;
    int64_t divisor = greatest_common_divisor(numerator, denominator);
    if (denominator < 0)
        divisor = -divisor;
    *out = (struct sim_number){ numerator / divisor, denominator / divisor };
    return true;
}

bool sim_number_add(struct sim_number a, struct sim_number b, struct sim_number *out)
{
    int64_t left, right, sum, denominator;

    return i64_mul(a.numerator, b.denominator, &left) &&
           i64_mul(b.numerator, a.denominator, &right) && i64_add(left, right, &sum) &&
           i64_mul(a.denominator, b.denominator, &denominator) &&
           number_make(sum, denominator, out);
}

static bool number_multiply(struct sim_number a, struct sim_number b, struct sim_number *out)
{
    int64_t numerator, denominator;

    return i64_mul(a.numerator, b.numerator, &numerator) &&
           i64_mul(a.denominator, b.denominator, &denominator) &&
           number_make(numerator, denominator, out);
}

static bool number_apply(char sign, struct sim_number a, struct sim_number b,
                         struct sim_number *out)
{
    switch (sign) {
    case '+':
        return sim_number_add(a, b, out);
    case '-':
        return sim_number_add(a, (struct sim_number){ -b.numerator, b.denominator }, out);
    case '*':
        return number_multiply(a, b, out);
    case '/':
        return b.numerator != 0 &&
               number_multiply(a, (struct sim_number){ b.denominator, b.numerator }, out);
    }
    return false;
}

str sim_number_format(struct sim_number n, char out[SIM_NUMBER_MAX])
{
    int64_t scaled = n.numerator, denominator = n.denominator;
    int decimals = 0, len;

    /* Multiplying by ten until the denominator is gone finds the finite decimals; nine are enough here. */
    while (denominator != 1 && decimals < 9) {
        int64_t next;
        if (!i64_mul(scaled, 10, &next))
            break;
        int64_t divisor = greatest_common_divisor(10, denominator);
        denominator /= divisor;
        scaled = next / divisor;
        /* What was divided out of the denominator leaves the scaled numerator by the same factor. */
        decimals++;
    }
    if (denominator != 1) {
        len = snprintf(out, SIM_NUMBER_MAX, "%" PRId64 "/%" PRId64, n.numerator, n.denominator);
    } else if (decimals == 0) {
        len = snprintf(out, SIM_NUMBER_MAX, "%" PRId64, scaled);
    } else {
        int64_t power = 1;
        for (int i = 0; i < decimals; i++)
            power *= 10;
        int64_t magnitude = scaled < 0 ? -scaled : scaled;
        len = snprintf(out, SIM_NUMBER_MAX, "%s%" PRId64 ".%0*" PRId64, scaled < 0 ? "-" : "",
                       magnitude / power, decimals, magnitude % power);
    }
    assert(len > 0 && len < SIM_NUMBER_MAX);
    return (str){ out, (size_t)len };
}

/* ---- the grammar ---- */

static bool parse_sum(struct parser *p, struct sim_number *out);

/* Appends a decimal digit to a count of units; false on overflow. */
static bool digit_append(int64_t *value, char digit)
{
    int64_t tens, sum;

    if (!i64_mul(*value, 10, &tens) || !i64_add(tens, digit - '0', &sum))
        return false;
    *value = sum;
    return true;
}

/* Commas between groups of three digits are dropped: "1,200". */
static bool is_group_comma(const struct parser *p, size_t at)
{
    return char_at(p, at) == ',' && is_digit(char_at(p, at + 1)) && is_digit(char_at(p, at + 2)) &&
           is_digit(char_at(p, at + 3)) && !is_digit(char_at(p, at + 4));
}

static bool parse_number(struct parser *p, struct sim_number *out)
{
    int64_t value = 0, denominator = 1;

    if (char_at(p, p->at) == '$')
        p->at++;
    size_t start = p->at;
    /* A leading zero before a digit is a date or a code, not a number to calculate with. */
    if (!is_digit(char_at(p, start)) ||
        (char_at(p, start) == '0' && is_digit(char_at(p, start + 1))))
        return false;
    for (;; p->at++) {
        char c = char_at(p, p->at);
        if (is_group_comma(p, p->at))
            continue;
        if (!is_digit(c))
            break;
        if (!digit_append(&value, c))
            return false;
        emit(p, (str){ p->text.ptr + p->at, 1 });
    }
    if (char_at(p, p->at) == '.' && is_digit(char_at(p, p->at + 1))) {
        emit(p, STR("."));
        for (p->at++; is_digit(char_at(p, p->at)); p->at++) {
            if (!digit_append(&value, char_at(p, p->at)) || !i64_mul(denominator, 10, &denominator))
                return false;
            emit(p, (str){ p->text.ptr + p->at, 1 });
        }
    }
    return number_make(value, denominator, out);
}

static bool parse_operand(struct parser *p, struct sim_number *out)
{
    struct sim_number value;
    bool is_negative = false;

    skip_spaces(p);
    if (char_at(p, p->at) == '-') {
        is_negative = true;
        p->at++;
        emit(p, STR("-"));
    }
    if (char_at(p, p->at) != '(') {
        if (!parse_number(p, &value))
            return false;
    } else {
        if (p->depth == DEPTH_MAX)
            return false;
        p->depth++;
        p->at++;
        emit(p, STR("("));
        bool is_sum = parse_sum(p, &value);
        p->depth--;
        skip_spaces(p);
        if (!is_sum || char_at(p, p->at) != ')')
            return false;
        p->at++;
        emit(p, STR(")"));
    }
    if (is_negative)
        value.numerator = -value.numerator;
    *out = value;
    return true;
}

/* The operator at the parser's place, passed over; '\0' for none. */
static char parse_operator(struct parser *p)
{
    skip_spaces(p);
    str rest = str_slice(p->text, p->at, p->text.len);
    for (size_t i = 0; i < ARRAY_LEN(operator_words); i++) {
        const struct operator_word *o = &operator_words[i];
        str word = str_from(o->word);
        if (!str_eq_nocase(str_slice(rest, 0, word.len), word))
            continue;
        if (o->is_word && is_word_char(char_at(p, p->at + word.len)))
            continue;
        p->at += word.len;
        return o->sign;
    }
    return '\0';
}

static bool is_product_sign(char sign)
{
    return sign == '*' || sign == '/';
}

/* One level of the grammar: operands of the next level joined by this level's operators. */
static bool parse_level(struct parser *p, bool is_product, struct sim_number *out)
{
    struct sim_number value, operand;

    if (!(is_product ? parse_operand(p, &value) : parse_level(p, true, &value)))
        return false;
    for (;;) {
        struct parser before = *p;
        char sign = parse_operator(p);
        if (sign == '\0' || is_product_sign(sign) != is_product) {
            *p = before;
            break;
        }
        emit(p, (str){ &sign, 1 });
        if (!(is_product ? parse_operand(p, &operand) : parse_level(p, true, &operand))) {
            *p = before;
            break;
        }
        if (!number_apply(sign, value, operand, &value)) {
            p->failed = true;
            return false;
        }
        p->result.operators++;
    }
    *out = value;
    return true;
}

static bool parse_sum(struct parser *p, struct sim_number *out)
{
    return parse_level(p, false, out);
}

static bool may_start(str text, size_t at)
{
    char c = text.ptr[at];
    char before = at > 0 ? text.ptr[at - 1] : ' ';

    if (c == '(')
        return true;
    if (is_word_char(before) || before == '.')
        return false;
    return is_digit(c) || (c == '-' && before != '-');
}

bool sim_expression_find(str text, struct sim_expression *out)
{
    struct sim_expression best = { .operators = 0 };

    text = str_slice(text, 0, TEXT_MAX);
    for (size_t at = 0; at < text.len;) {
        struct parser p = { .text = text, .at = at };
        if (!may_start(text, at) || !parse_sum(&p, &p.result.value)) {
            at++;
            continue;
        }
        assert(p.at > at);
        at = p.at;
        if (!p.failed && p.result.operators > best.operators)
            best = p.result;
    }
    if (best.operators == 0)
        return false;
    *out = best;
    return true;
}
