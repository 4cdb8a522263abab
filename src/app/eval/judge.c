/* SPDX-License-Identifier: Apache-2.0 */
/*
 * judge: is an answer right? A key is compared by what it is:
 *
 *     a quoted literal ('aB\n')    exactly this text: case, spaces and marks count. An answer in quotes is read as a literal
 *                                  too; without quotes, spaces at its ends cannot be told from layout and do not count
 *     a number without a unit      the number as the answer writes it, whatever its unit: 18 is "18 miles", 60 is "60%"
 *                                  (and .6 is, too), 2 is "2:00 pm"; but neither "18 or 19" nor "18x"
 *     a tuple                      also without its outer parentheses
 *     anything else                equal canonical forms (core/reason)
 */
#include <string.h>

#include "app/eval/eval_internal.h"

#define UNIT_WORDS_MAX 3

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* ---- quoted literals ---- */

/* The value of 1 to `digits` hexadecimal digits; false when there are fewer. */
static bool hex_value(str s, size_t digits, unsigned *out)
{
    unsigned value = 0;

    if (s.len < digits)
        return false;
    for (size_t i = 0; i < digits; i++) {
        char c = s.ptr[i];
        unsigned digit = is_digit(c) ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a' + 10);
        if (!is_digit(c) && ((c | 0x20) < 'a' || (c | 0x20) > 'f'))
            return false;
        value = value * 16 + digit;
    }
    *out = value;
    return true;
}

/* One escape behind its backslash as a byte; what is none stands for itself, backslash included. Gives the bytes read. */
static size_t escape_read(str rest, char *out)
{
    static const char names[] = "ntr0\\'\"", bytes[] = "\n\t\r\0\\'\"";
    const char *name = rest.len > 0 && rest.ptr[0] != '\0' ? strchr(names, rest.ptr[0]) : NULL;
    unsigned value;

    if (name) {
        *out = bytes[name - names];
        return 1;
    }
    if (rest.len > 0 && rest.ptr[0] == 'x' && hex_value(str_slice(rest, 1, rest.len), 2, &value) &&
        value < 0x80) {
        *out = (char)value;
        return 3;
    }
    *out = '\\';
    return 0;
}

static str unescape(struct arena *arena, str s)
{
    char *out = arena_alloc(arena, s.len + 1);
    size_t n = 0;

    for (size_t i = 0; out && i < s.len; i++) {
        if (s.ptr[i] == '\\')
            i += escape_read(str_slice(s, i + 1, s.len), &out[n++]);
        else
            out[n++] = s.ptr[i];
    }
    return out ? (str){ out, n } : (str){ 0 };
}

/* The inside of a text that is one quoted literal from end to end. */
static bool literal_inside(str s, str *out)
{
    s = str_trim(s);
    if (s.len < 2 || (s.ptr[0] != '\'' && s.ptr[0] != '"') || s.ptr[s.len - 1] != s.ptr[0])
        return false;
    str inside = str_slice(s, 1, s.len - 1);
    for (size_t i = 0; i < inside.len; i++) {
        if (inside.ptr[i] == s.ptr[0] || (inside.ptr[i] == '\\' && i + 1 == inside.len))
            return false;
        i += inside.ptr[i] == '\\';
    }
    *out = inside;
    return true;
}

/* Without a fence's backticks or a formula's $ around it. */
static str bare(str s)
{
    static const str ends[] = { { "```", 3 }, { "`", 1 }, { "$", 1 } };

    s = str_trim(s);
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        if (s.len > 2 * ends[i].len && str_starts(s, ends[i]) && str_ends(s, ends[i]))
            s = str_trim(str_slice(s, ends[i].len, s.len - ends[i].len));
    }
    return s;
}

static bool literal_agrees(struct arena *arena, str inside, str answer)
{
    str key = unescape(arena, inside), given;

    answer = bare(answer);
    if (literal_inside(answer, &given))
        return str_eq(key, unescape(arena, given));
    key = str_trim(key);
    return key.len > 0 &&
           (str_eq(key, str_trim(answer)) || str_eq(key, str_trim(unescape(arena, answer))));
}

/* ---- numbers as they are written ---- */

/* Is this what may follow a number without changing it: a percent or degree sign, or a few words of letters? */
static bool is_unit(str s)
{
    static const str signs[] = { { "%", 1 }, { "\\%", 2 }, { "\xC2\xB0", 2 } };
    static const str joints[] = { { "or", 2 }, { "and", 3 }, { "to", 2 }, { "not", 3 } };
    size_t words = 0;
    str word;

    for (size_t i = 0; i < ARRAY_LEN(signs); i++) {
        if (str_eq(s, signs[i]))
            return true;
    }
    while (str_next(&s, ' ', &word)) {
        if (word.len == 0)
            continue;
        for (size_t i = 0; i < word.len; i++) {
            if (!is_letter(word.ptr[i]))
                return false;
        }
        for (size_t i = 0; i < ARRAY_LEN(joints); i++) {
            if (str_eq_nocase(word, joints[i]))
                return false;
        }
        /* One letter behind a number is a variable more often than a unit. */
        if (word.len < 2)
            return false;
        words++;
    }
    return words > 0 && words <= UNIT_WORDS_MAX;
}

/* "2:00 pm": the number of a full hour is its hour. */
static bool is_full_hour(str s)
{
    static const str halves[] = { { "", 0 },    { "am", 2 },   { "pm", 2 },   { "a.m", 3 },
                                  { "p.m", 3 }, { "a.m.", 4 }, { "p.m.", 4 }, { "o'clock", 7 } };

    if (!str_starts(s, STR(":00")))
        return false;
    s = str_trim(str_slice(s, 3, s.len));
    for (size_t i = 0; i < ARRAY_LEN(halves); i++) {
        if (str_eq_nocase(s, halves[i]))
            return true;
    }
    return false;
}

/* The number that an answer of a number and its unit is written with: "18" of "**18 miles**." */
static bool number_written(str answer, str *out)
{
    size_t from = 0, to;

    while (from < answer.len && strchr(" \t\n*$\\([{\"'`", answer.ptr[from]))
        from++;
    to = from + (from < answer.len && (answer.ptr[from] == '-' || answer.ptr[from] == '+'));
    if (to >= answer.len || !(is_digit(answer.ptr[to]) || answer.ptr[to] == '.'))
        return false;
    while (to < answer.len && (is_digit(answer.ptr[to]) || answer.ptr[to] == '.' ||
                               answer.ptr[to] == ',' || answer.ptr[to] == '/'))
        to++;
    str unit = str_trim(str_slice(answer, to, answer.len));
    while (unit.len > 0 && strchr(" \t\n*$)]}\"'`.", unit.ptr[unit.len - 1]))
        unit.len--;
    *out = str_slice(answer, from, to);
    return is_unit(unit) || is_full_hour(unit);
}

/* The number of a canonical form with a unit: "18" of "18 usd". */
static bool number_of_form(str form, str *out)
{
    size_t space = str_find_char(form, ' ');

    if (space == STR_NPOS || !is_unit(str_slice(form, space + 1, form.len)))
        return false;
    *out = str_slice(form, 0, space);
    return true;
}

/* The canonical form of a number without a unit: "-7", "2401/2". */
static bool is_bare_number(str form)
{
    size_t digits = 0;

    for (size_t i = 0; i < form.len; i++) {
        digits += is_digit(form.ptr[i]);
        if (!is_digit(form.ptr[i]) && form.ptr[i] != '/' && !(i == 0 && form.ptr[i] == '-'))
            return false;
    }
    return digits > 0;
}

/* Is a bare number the one that a text with a unit is written with? */
static bool number_agrees(struct arena *arena, str bare_number, str form, str written)
{
    str number;

    if (number_of_form(form, &number) && str_eq(bare_number, number))
        return true;
    return number_written(written, &number) && str_eq(bare_number, answer_canonical(arena, number));
}

bool eval_key_agrees(struct arena *arena, str key, str answer)
{
    str inside;

    if (literal_inside(key, &inside))
        return literal_agrees(arena, inside, answer);
    str wanted = answer_canonical(arena, key);
    str given = answer_canonical(arena, answer);
    if (wanted.len == 0 || given.len == 0)
        return false;
    if (str_eq(wanted, given))
        return true;
    if (is_bare_number(wanted))
        return number_agrees(arena, wanted, given, answer);
    if (is_bare_number(given))
        return number_agrees(arena, given, wanted, key);
    if (str_starts(wanted, STR("(")))
        return str_eq(wanted,
                      answer_canonical(arena, arena_printf(arena, "(%.*s)", STR_ARG(answer))));
    return false;
}

enum err eval_judge(struct arena *arena, const struct eval_question *question, str answer,
                    bool *out_right)
{
    bool is_right = answer.len > 0;
    enum verdict verdict = VERDICT_PASS;
    str why;

    if (is_right && question->key.ptr)
        is_right = eval_key_agrees(arena, question->key, answer);
    if (is_right && question->verifier.kind == VERIFY_EXACT) {
        is_right = eval_key_agrees(arena, question->verifier.spec, answer);
    } else if (is_right && question->verifier.kind != VERIFY_NONE) {
        enum err e = verifier_check(&question->verifier, answer, arena, &verdict, &why);
        if (e != OK)
            return e;
        is_right = verdict == VERDICT_PASS;
    }
    if (arena_failed(arena))
        return WEIR_NO_MEMORY;
    *out_right = is_right;
    return OK;
}
