/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_number: numbers as exact decimals, then as int64, double or canonical text.
 *
 * A number is digits × 10^exponent; with zero digits dropped at both ends that pair is unique, so
 * equality, being an integer and the canonical form are all decided without rounding.
 */
#include "core/json/json_node.h"

#include <stdio.h>
#include <stdlib.h>

#define EXPONENT_DIGITS_MAX 17u /* more do not occur, and the sums below stay within int64 */

/* Digits of the two runs as one sequence. */
static size_t digit_count(const struct json_decimal *d)
{
    return d->whole_len + d->fraction_len;
}

static char digit_at(const struct json_decimal *d, size_t i)
{
    return i < d->whole_len ? d->whole[i] : d->fraction[i - d->whole_len];
}

static void zeros_drop(struct json_decimal *d)
{
    while (d->whole_len > 0 && d->whole[0] == '0') {
        d->whole++;
        d->whole_len--;
    }
    while (d->whole_len == 0 && d->fraction_len > 0 && d->fraction[0] == '0') {
        d->fraction++;
        d->fraction_len--;
    }
    while (digit_count(d) > 0 && digit_at(d, digit_count(d) - 1) == '0') {
        if (d->fraction_len > 0)
            d->fraction_len--;
        else
            d->whole_len--;
        d->exponent++;
    }
}

static bool exponent_read(str text, int64_t *out)
{
    bool is_negative = text.len > 0 && text.ptr[0] == '-';

    if (text.len > 0 && (text.ptr[0] == '-' || text.ptr[0] == '+'))
        text = str_slice(text, 1, text.len);
    while (text.len > 0 && text.ptr[0] == '0')
        text = str_slice(text, 1, text.len);
    int64_t value = 0;
    if (text.len > EXPONENT_DIGITS_MAX || (text.len > 0 && !str_to_i64(text, &value)))
        return false;
    *out = is_negative ? -value : value;
    return true;
}

void json_decimal_read(str number, struct json_decimal *out)
{
    struct json_decimal d = { .is_exact = true };
    str rest = number;

    d.is_negative = rest.len > 0 && rest.ptr[0] == '-';
    if (d.is_negative)
        rest = str_slice(rest, 1, rest.len);
    size_t mark = 0;
    while (mark < rest.len && rest.ptr[mark] != 'e' && rest.ptr[mark] != 'E')
        mark++;
    str digits = str_slice(rest, 0, mark);
    bool is_readable = exponent_read(str_slice(rest, mark + 1, rest.len), &d.exponent);
    size_t point = str_find_char(digits, '.');
    d.whole = digits.ptr;
    d.whole_len = point == STR_NPOS ? digits.len : point;
    if (point != STR_NPOS) {
        d.fraction = digits.ptr + point + 1;
        d.fraction_len = digits.len - point - 1;
        d.exponent -= (int64_t)d.fraction_len;
    }
    zeros_drop(&d);
    bool is_zero = digit_count(&d) == 0;
    if (is_zero)
        d = (struct json_decimal){ .whole = d.whole };
    d.is_exact = is_zero || is_readable;
    *out = d;
}

bool json_decimal_scale(const struct json_decimal *d, int64_t zeros, int64_t *out)
{
    size_t n = digit_count(d);
    int64_t value = 0; /* negative all the way: that side reaches one further */

    if (!d->is_exact || zeros < 0 || zeros > 19 || n > 19)
        return false;
    for (size_t i = 0; i < n + (size_t)zeros; i++) {
        int64_t digit = i < n ? digit_at(d, i) - '0' : 0;
        if (!i64_mul(value, 10, &value) || !i64_add(value, -digit, &value))
            return false;
    }
    if (!d->is_negative && value == INT64_MIN)
        return false;
    *out = d->is_negative ? value : -value;
    return true;
}

#define MODULUS_ZEROS_MAX 1000

bool json_decimal_divides(const struct json_decimal *d, int64_t zeros, int64_t modulus)
{
    size_t n = digit_count(d);
    int64_t rest = 0;

    assert(modulus > 0);
    if (!d->is_exact || zeros < 0 || zeros > MODULUS_ZEROS_MAX || modulus > INT64_MAX / 10 - 1)
        return false;
    for (size_t i = 0; i < n + (size_t)zeros; i++)
        rest = (rest * 10 + (i < n ? digit_at(d, i) - '0' : 0)) % modulus;
    return rest == 0;
}

bool json_i64(struct json v, int64_t *out)
{
    struct json_decimal d;

    if (!json_is(v, JSON_NUMBER))
        return false;
    if (str_to_i64(json_raw(v), out))
        return true;
    json_decimal_read(json_raw(v), &d);
    return json_decimal_scale(&d, d.exponent, out);
}

/* Both factors are exact doubles, so one rounding gives the nearest result (Clinger 1990, the fast path). */
static bool double_fast(const struct json_decimal *d, double *out)
{
    static const double powers[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                     1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                     1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
    size_t n = digit_count(d);
    uint64_t digits = 0;

    if (n > 15 || d->exponent < -22 || d->exponent > 22)
        return false;
    for (size_t i = 0; i < n; i++)
        digits = digits * 10 + (uint64_t)(digit_at(d, i) - '0');
    double value = (double)digits;
    value = d->exponent < 0 ? value / powers[-d->exponent] : value * powers[d->exponent];
    *out = d->is_negative ? -value : value;
    return true;
}

/* Digits behind the 768th decide a rounding only by being there (a tie in binary has at most 767 digits). */
#define DOUBLE_DIGITS_MAX ((size_t)768)

static bool double_slow(const struct json_decimal *d, double *out)
{
    char text[DOUBLE_DIGITS_MAX + 32];
    size_t n = digit_count(d), kept = n > DOUBLE_DIGITS_MAX ? DOUBLE_DIGITS_MAX : n, len = 0;
    int64_t exponent = d->exponent + (int64_t)(n - kept);

    if (exponent + (int64_t)kept > 400)
        return false;
    if (exponent + (int64_t)kept < -400) {
        *out = d->is_negative ? -0.0 : 0.0;
        return true;
    }
    if (d->is_negative)
        text[len++] = '-';
    for (size_t i = 0; i < kept; i++)
        text[len++] = digit_at(d, i);
    if (n > kept) {
        text[len++] = '1';
        exponent--;
    }
    snprintf(text + len, sizeof(text) - len, "e%" PRId64, exponent);
    double value = strtod(text, NULL);
    if (!__builtin_isfinite(value))
        return false;
    *out = value;
    return true;
}

bool json_double(struct json v, double *out)
{
    struct json_decimal d;

    if (!json_is(v, JSON_NUMBER))
        return false;
    str raw = json_raw(v);
    json_decimal_read(raw, &d);
    if (digit_count(&d) == 0) {
        *out = raw.ptr[0] == '-' ? -0.0 : 0.0;
        return true;
    }
    if (!d.is_exact) {
        size_t mark = raw.len - 1;
        while (raw.ptr[mark] != '-' && raw.ptr[mark] != 'e' && raw.ptr[mark] != 'E')
            mark--;
        if (raw.ptr[mark] != '-')
            return false;
        *out = d.is_negative ? -0.0 : 0.0;
        return true;
    }
    return double_fast(&d, out) || double_slow(&d, out);
}

static void digits_write(struct buf *out, const struct json_decimal *d, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        buf_add_char(out, digit_at(d, i));
}

static void zeros_write(struct buf *out, int64_t n)
{
    while (n-- > 0)
        buf_add_char(out, '0');
}

void json_number_write_canonical(struct buf *out, str number)
{
    struct json_decimal d;

    json_decimal_read(number, &d);
    if (!d.is_exact) {
        /* Nobody means such an exponent. Kept as written, different numbers stay different. */
        buf_add(out, number);
        return;
    }
    size_t n = digit_count(&d);
    int64_t point = (int64_t)n + d.exponent; /* digits in front of the point */
    if (n == 0) {
        buf_add_char(out, '0');
        return;
    }
    if (d.is_negative)
        buf_add_char(out, '-');
    if (d.exponent >= 0 && point <= 21) {
        digits_write(out, &d, 0, n);
        zeros_write(out, d.exponent);
    } else if (d.exponent < 0 && point > 0) {
        digits_write(out, &d, 0, (size_t)point);
        buf_add_char(out, '.');
        digits_write(out, &d, (size_t)point, n);
    } else if (d.exponent < 0 && point > -6) {
        buf_add(out, STR("0."));
        zeros_write(out, -point);
        digits_write(out, &d, 0, n);
    } else {
        digits_write(out, &d, 0, 1);
        if (n > 1)
            buf_add_char(out, '.');
        digits_write(out, &d, 1, n);
        buf_add_char(out, 'e');
        buf_add_i64(out, point - 1);
    }
}
