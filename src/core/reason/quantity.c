/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quantity: a text that is one number, perhaps with a unit, as an exact rational in a base unit.
 * Known units are scaled to their base (90 min and 1.5 h are both 5400 s); an unknown unit stays as
 * it is, in lower case and singular. A text with anything more in it is not a quantity.
 */
#include "core/reason/answer_internal.h"

#define QUANTITY_BYTES_MAX 128
#define UNIT_BYTES_MAX 32
#define EXPONENT_MAX 18

struct unit {
    str name; /* lower case, singular */
    str base;
    struct rational scale;
};

/* clang-format off */
static const struct unit units[] = {
    { { "$",          1 }, { "usd", 3 }, { 1, 1 } },
    { { "usd",        3 }, { "usd", 3 }, { 1, 1 } },
    { { "us$",        3 }, { "usd", 3 }, { 1, 1 } },
    { { "dollar",     6 }, { "usd", 3 }, { 1, 1 } },
    { { "us dollar",  9 }, { "usd", 3 }, { 1, 1 } },
    { { "cent",       4 }, { "usd", 3 }, { 1, 100 } },
    { { "eur",        3 }, { "eur", 3 }, { 1, 1 } },
    { { "euro",       4 }, { "eur", 3 }, { 1, 1 } },
    { { "\xE2\x82\xAC", 3 }, { "eur", 3 }, { 1, 1 } },
    { { "gbp",        3 }, { "gbp", 3 }, { 1, 1 } },
    { { "\xC2\xA3",   2 }, { "gbp", 3 }, { 1, 1 } },
    { { "%",          1 }, { "",    0 }, { 1, 100 } },
    { { "percent",    7 }, { "",    0 }, { 1, 100 } },
    { { "\xC2\xB0",   2 }, { "deg", 3 }, { 1, 1 } },
    { { "deg",        3 }, { "deg", 3 }, { 1, 1 } },
    { { "degree",     6 }, { "deg", 3 }, { 1, 1 } },
    { { "m",          1 }, { "m",   1 }, { 1, 1 } },
    { { "meter",      5 }, { "m",   1 }, { 1, 1 } },
    { { "metre",      5 }, { "m",   1 }, { 1, 1 } },
    { { "km",         2 }, { "m",   1 }, { 1000, 1 } },
    { { "kilometer",  9 }, { "m",   1 }, { 1000, 1 } },
    { { "kilometre",  9 }, { "m",   1 }, { 1000, 1 } },
    { { "cm",         2 }, { "m",   1 }, { 1, 100 } },
    { { "centimeter", 10 }, { "m",  1 }, { 1, 100 } },
    { { "mm",         2 }, { "m",   1 }, { 1, 1000 } },
    { { "mile",       4 }, { "m",   1 }, { 201168, 125 } },
    { { "foot",       4 }, { "m",   1 }, { 381, 1250 } },
    { { "feet",       4 }, { "m",   1 }, { 381, 1250 } },
    { { "ft",         2 }, { "m",   1 }, { 381, 1250 } },
    { { "inch",       4 }, { "m",   1 }, { 127, 5000 } },
    { { "inche",      5 }, { "m",   1 }, { 127, 5000 } },
    { { "yard",       4 }, { "m",   1 }, { 1143, 1250 } },
    { { "s",          1 }, { "s",   1 }, { 1, 1 } },
    { { "sec",        3 }, { "s",   1 }, { 1, 1 } },
    { { "second",     6 }, { "s",   1 }, { 1, 1 } },
    { { "ms",         2 }, { "s",   1 }, { 1, 1000 } },
    { { "millisecond", 11 }, { "s", 1 }, { 1, 1000 } },
    { { "min",        3 }, { "s",   1 }, { 60, 1 } },
    { { "minute",     6 }, { "s",   1 }, { 60, 1 } },
    { { "h",          1 }, { "s",   1 }, { 3600, 1 } },
    { { "hr",         2 }, { "s",   1 }, { 3600, 1 } },
    { { "hour",       4 }, { "s",   1 }, { 3600, 1 } },
    { { "day",        3 }, { "s",   1 }, { 86400, 1 } },
    { { "week",       4 }, { "s",   1 }, { 604800, 1 } },
    { { "kg",         2 }, { "kg",  2 }, { 1, 1 } },
    { { "kilogram",   8 }, { "kg",  2 }, { 1, 1 } },
    { { "g",          1 }, { "kg",  2 }, { 1, 1000 } },
    { { "gram",       4 }, { "kg",  2 }, { 1, 1000 } },
    { { "j",          1 }, { "j",   1 }, { 1, 1 } },
    { { "joule",      5 }, { "j",   1 }, { 1, 1 } },
    { { "kj",         2 }, { "j",   1 }, { 1000, 1 } },
    { { "w",          1 }, { "w",   1 }, { 1, 1 } },
    { { "watt",       4 }, { "w",   1 }, { 1, 1 } },
    { { "kw",         2 }, { "w",   1 }, { 1000, 1 } },
    { { "n",          1 }, { "n",   1 }, { 1, 1 } },
    { { "newton",     6 }, { "n",   1 }, { 1, 1 } },
    { { "k",          1 }, { "k",   1 }, { 1, 1 } },
    { { "kelvin",     6 }, { "k",   1 }, { 1, 1 } },
    { { "hz",         2 }, { "hz",  2 }, { 1, 1 } },
    { { "khz",        3 }, { "hz",  2 }, { 1000, 1 } },
    { { "mhz",        3 }, { "hz",  2 }, { 1000000, 1 } },
    { { "ghz",        3 }, { "hz",  2 }, { 1000000000, 1 } },
    { { "m/s",        3 }, { "m/s", 3 }, { 1, 1 } },
    { { "meters per second", 17 }, { "m/s", 3 }, { 1, 1 } },
    { { "km/h",       4 }, { "m/s", 3 }, { 5, 18 } },
    { { "mph",        3 }, { "m/s", 3 }, { 1397, 3125 } },
    { { "l",          1 }, { "l",   1 }, { 1, 1 } },
    { { "liter",      5 }, { "l",   1 }, { 1, 1 } },
    { { "litre",      5 }, { "l",   1 }, { 1, 1 } },
    { { "ml",         2 }, { "l",   1 }, { 1, 1000 } },
};

static const struct {
    str word;
    struct rational scale;
} magnitudes[] = {
    { { "hundred",  7 }, { 100, 1 } },
    { { "thousand", 8 }, { 1000, 1 } },
    { { "million",  7 }, { 1000000, 1 } },
    { { "billion",  7 }, { 1000000000, 1 } },
    { { "trillion", 8 }, { 1000000000000, 1 } },
};

static const str currencies[] = { { "us$", 3 }, { "$", 1 }, { "\xE2\x82\xAC", 3 }, { "\xC2\xA3", 2 } };
static const str times_signs[] = { { "\\times", 6 }, { "\\cdot", 5 }, { "\xC3\x97", 2 }, { "*", 1 }, { "x", 1 } };
static const str unit_spaces[] = { { "\\,", 2 }, { "\\;", 2 }, { "\\ ", 2 }, { "~", 1 } };
static const str unit_words[] = { { "\\text{", 6 }, { "\\mathrm{", 8 } };
static const str fraction_words[] = { { "\\frac", 5 }, { "\\dfrac", 6 }, { "\\tfrac", 6 } };
/* What people write before a number without changing it. */
static const str lead_ins[] = { { "=", 1 }, { "~", 1 }, { "\xE2\x89\x88", 3 }, { "about ", 6 }, { "approximately ", 14 } };
/* clang-format on */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool accept(str *rest, str token)
{
    if (rest->len < token.len || !str_eq_nocase(str_slice(*rest, 0, token.len), token))
        return false;
    *rest = str_slice(*rest, token.len, rest->len);
    return true;
}

static bool accept_any(str *rest, const str *tokens, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (accept(rest, tokens[i]))
            return true;
    }
    return false;
}

/* "1,234,567": groups of three after a first group of one to three; anything else is a list. */
static bool comma_groups(str rest, size_t at)
{
    size_t digits = 0;

    while (at + 1 + digits < rest.len && is_digit(rest.ptr[at + 1 + digits]))
        digits++;
    return digits == 3;
}

/* Digits with grouping commas and one point. */
static bool parse_decimal(str *rest, struct rational *out)
{
    int64_t digits = 0, scale = 1;
    bool has_digit = false, has_point = false, has_comma = false;
    size_t i = 0;

    for (; i < rest->len; i++) {
        char c = rest->ptr[i];
        if (c == ',' && has_digit && !has_point && (has_comma || i <= 3) &&
            comma_groups(*rest, i)) {
            has_comma = true;
            continue;
        }
        if (c == '.' && !has_point &&
            (has_digit || (i + 1 < rest->len && is_digit(rest->ptr[i + 1])))) {
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
    *rest = str_slice(*rest, i, rest->len);
    return true;
}

static bool parse_sign(str *rest)
{
    if (accept(rest, STR("-")) || accept(rest, STR("\xE2\x88\x92")))
        return true;
    (void)accept(rest, STR("+"));
    return false;
}

/* An exponent's integer, perhaps in braces. */
static bool parse_exponent(str *rest, int64_t *out)
{
    str left = *rest;
    bool has_brace = accept(&left, STR("{"));
    bool is_negative = parse_sign(&left);
    struct rational value;

    if (!parse_decimal(&left, &value) || !rational_is_integer(value) ||
        value.numerator > EXPONENT_MAX || (has_brace && !accept(&left, STR("}"))))
        return false;
    *out = is_negative ? -value.numerator : value.numerator;
    *rest = left;
    return true;
}

/* "e8", "×10^8", "*10^{-3}", "^3" behind a number; all optional. */
static bool parse_scale(str *rest, struct rational *value)
{
    str left = *rest;
    int64_t exponent;
    struct rational power;

    if (left.len > 1 && (left.ptr[0] == 'e' || left.ptr[0] == 'E') &&
        (is_digit(left.ptr[1]) || left.ptr[1] == '-' || left.ptr[1] == '+')) {
        left = str_slice(left, 1, left.len);
    } else {
        left = str_trim(left);
        if (accept(&left, STR("^"))) {
            if (!parse_exponent(&left, &exponent) || !rational_power(*value, exponent, value))
                return false;
            *rest = left;
            return true;
        }
        if (!accept_any(&left, times_signs, ARRAY_LEN(times_signs)))
            return true;
        left = str_trim(left);
        if (!accept(&left, STR("10^")))
            return true;
    }
    if (!parse_exponent(&left, &exponent) ||
        !rational_power((struct rational){ 10, 1 }, exponent, &power) ||
        !rational_multiply(*value, power, value))
        return false;
    *rest = left;
    return true;
}

/* \frac{a}{b} with plain numbers. */
static bool parse_latex_fraction(str *rest, struct rational *out)
{
    str left = *rest;
    struct rational parts[2];

    if (!accept_any(&left, fraction_words, ARRAY_LEN(fraction_words)))
        return false;
    for (size_t i = 0; i < 2; i++) {
        if (!accept(&left, STR("{")))
            return false;
        left = str_trim(left);
        bool is_negative = parse_sign(&left);
        if (!parse_decimal(&left, &parts[i]))
            return false;
        left = str_trim(left);
        if (!accept(&left, STR("}")))
            return false;
        if (is_negative)
            parts[i].numerator = -parts[i].numerator;
    }
    if (!rational_divide(parts[0], parts[1], out))
        return false;
    *rest = left;
    return true;
}

/* "/4" behind a number. A third part, as in a date, is left over and refuses the whole. */
static bool parse_denominator(str *rest, struct rational *value)
{
    str left = str_trim(*rest);
    struct rational divisor;

    if (!accept(&left, STR("/")))
        return true;
    left = str_trim(left);
    if (left.len == 0 || !is_digit(left.ptr[0]))
        return true; /* a unit such as "/s" */
    if (!parse_decimal(&left, &divisor) || !rational_divide(*value, divisor, value))
        return false;
    *rest = left;
    return true;
}

/* " 1/2" behind a whole number. */
static bool parse_mixed(str *rest, struct rational *value)
{
    str left = *rest;
    struct rational part;

    if (!rational_is_integer(*value) || !accept(&left, STR(" ")))
        return true;
    left = str_trim(left);
    if (left.len == 0 || !(is_digit(left.ptr[0]) || left.ptr[0] == '\\'))
        return true;
    if (!parse_latex_fraction(&left, &part) &&
        (!parse_decimal(&left, &part) || !parse_denominator(&left, &part)))
        return false;
    if (rational_is_integer(part) || part.numerator >= part.denominator || part.numerator < 0 ||
        !rational_add(*value, part, value))
        return false;
    *rest = left;
    return true;
}

static bool parse_magnitude(str *rest, struct rational *value)
{
    str left = str_trim(*rest);

    for (size_t i = 0; i < ARRAY_LEN(magnitudes); i++) {
        str after = left;
        if (!accept(&after, magnitudes[i].word) || (after.len > 0 && is_letter(after.ptr[0])))
            continue;
        if (!rational_multiply(*value, magnitudes[i].scale, value))
            return false;
        *rest = after;
        return true;
    }
    return true;
}

/* Up to three words of letters, with marks of powers and quotients; "and" makes it a sentence. */
static bool is_unit_text(str unit)
{
    size_t words = 1;

    if (unit.len == 0 || unit.len > UNIT_BYTES_MAX || !is_letter(unit.ptr[0]))
        return false;
    for (size_t i = 0; i < unit.len; i++) {
        char c = unit.ptr[i];
        if (c == ' ')
            words++;
        else if (!is_letter(c) && c != '/' && c != '^' && !(is_digit(c) && unit.ptr[i - 1] != ' '))
            return false;
    }
    return words <= 3 && str_find_nocase(unit, STR(" and ")) == STR_NPOS &&
           str_find_nocase(unit, STR("or ")) != 0 && str_find_nocase(unit, STR("and ")) != 0 &&
           str_find_nocase(unit, STR("to ")) != 0;
}

static const struct unit *unit_find(str name)
{
    str singular = name.len > 1 && (name.ptr[name.len - 1] == 's' || name.ptr[name.len - 1] == 'S')
                       ? str_slice(name, 0, name.len - 1)
                       : name;

    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (str_eq_nocase(units[i].name, name))
            return &units[i];
    }
    /* One letter less only for words: "ms" are not many metres. */
    for (size_t i = 0; singular.len > 2 && i < ARRAY_LEN(units); i++) {
        if (str_eq_nocase(units[i].name, singular))
            return &units[i];
    }
    return NULL;
}

static str unknown_unit(struct arena *arena, str text)
{
    bool is_plural = text.len > 3 && (text.ptr[text.len - 1] | 0x20) == 's' &&
                     (text.ptr[text.len - 2] | 0x20) != 's';
    size_t n = is_plural ? text.len - 1 : text.len;
    char *lower = arena_alloc(arena, n);

    if (!lower)
        return (str){ 0 };
    for (size_t i = 0; i < n; i++) {
        char c = text.ptr[i];
        lower[i] = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
    }
    return (str){ lower, n };
}

/* "\,\mathrm{km}" and "\text{ km}" are " km", "\%" is "%". is_apart: something stood between number and unit. */
static str without_latex(str rest, bool *out_is_apart)
{
    str text = str_trim(rest);
    bool is_apart = rest.len > 0 && rest.ptr[0] == ' ';

    while (accept_any(&text, unit_spaces, ARRAY_LEN(unit_spaces))) {
        text = str_trim(text);
        is_apart = true;
    }
    str inside = text;
    if (str_ends(text, STR("}")) && accept_any(&inside, unit_words, ARRAY_LEN(unit_words))) {
        text = str_trim(str_slice(inside, 0, inside.len - 1));
        is_apart = true;
    }
    *out_is_apart = is_apart;
    return text.len > 0 && text.ptr[0] == '\\' ? str_slice(text, 1, text.len) : text;
}

/* What stands behind the number: nothing, a known unit, or an unknown one set off by a space. */
static bool parse_unit(struct arena *arena, str rest, struct quantity *q)
{
    bool is_apart;
    str text = without_latex(rest, &is_apart);

    if (text.len == 0)
        return true;
    const struct unit *unit = unit_find(text);
    if (unit) {
        q->is_percent = unit->base.len == 0;
        q->is_scaled = unit->scale.numerator != unit->scale.denominator;
        q->scale = unit->scale;
        q->unit = unit->base;
        return rational_multiply(q->value, unit->scale, &q->value);
    }
    if (!is_apart || !is_unit_text(text))
        return false;
    q->unit = unknown_unit(arena, text);
    return q->unit.len > 0;
}

bool quantity_parse(struct arena *arena, str text, struct quantity *out)
{
    struct quantity q = { .scale = { 1, 1 } };
    str rest = str_trim(text);

    if (rest.len == 0 || rest.len > QUANTITY_BYTES_MAX)
        return false;
    if (accept_any(&rest, lead_ins, ARRAY_LEN(lead_ins)))
        rest = str_trim(rest);
    bool is_negative = parse_sign(&rest);
    str before = rest;
    bool has_currency = accept_any(&rest, currencies, ARRAY_LEN(currencies));
    const struct unit *currency =
        has_currency ? unit_find(str_slice(before, 0, before.len - rest.len)) : NULL;
    is_negative = parse_sign(&rest) != is_negative;
    rest = str_trim(rest);
    if (!parse_latex_fraction(&rest, &q.value)) {
        if (!parse_decimal(&rest, &q.value) || !parse_scale(&rest, &q.value) ||
            !parse_denominator(&rest, &q.value) || !parse_mixed(&rest, &q.value))
            return false;
    }
    if (!parse_magnitude(&rest, &q.value))
        return false;
    if (is_negative)
        q.value.numerator = -q.value.numerator;
    if (!parse_unit(arena, rest, &q))
        return false;
    if (currency) {
        /* "$5" and "$5 USD" are one thing; "$5 per hour" another, kept as text. */
        if (q.unit.len > 0 && !str_eq(q.unit, currency->base))
            return false;
        if (q.is_percent)
            return false;
        q.unit = currency->base;
    }
    *out = q;
    return true;
}
