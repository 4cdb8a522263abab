/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answer: canonical forms, and the final answer inside a model's output.
 *
 * A canonical form is found in this order: choice letter, quantity, literal, normalised text. The
 * form of a form is itself, so that forms may be compared with forms.
 */
#include <string.h>

#include "core/reason/answer_internal.h"
#include "core/reason/reason_internal.h"

#define CANONICAL_ROUNDS_MAX 6

/* ---- taking wrappers off ---- */

struct wrapper {
    str open;
    str close;
};

/* clang-format off */
static const struct wrapper wrappers[] = {
    { { "**", 2 },       { "**", 2 } },
    { { "\\(", 2 },      { "\\)", 2 } },
    { { "\\[", 2 },      { "\\]", 2 } },
    { { "\\boxed{", 7 }, { "}", 1 } },
    { { "\\text{", 6 },  { "}", 1 } },
    { { "\\mathrm{", 8 }, { "}", 1 } },
    { { "$$", 2 },       { "$$", 2 } },
    { { "$", 1 },        { "$", 1 } },
    { { "`", 1 },        { "`", 1 } },
    { { "\"", 1 },       { "\"", 1 } },
    { { "'", 1 },        { "'", 1 } },
};
static const str lead_ins[] = {
    { "final answer:", 13 }, { "the answer is:", 14 }, { "the answer is", 13 }, { "answer:", 7 },
};
static const str articles[] = { { "the", 3 }, { "a", 1 }, { "an", 2 } };
static const str latex_spaces[] = {
    { "\\left", 5 }, { "\\right", 6 }, { "\\,", 2 }, { "\\;", 2 }, { "\\!", 2 }, { "\\ ", 2 },
};
/* clang-format on */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool is_letter(char c)
{
    return lower(c) >= 'a' && lower(c) <= 'z';
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

static bool starts_nocase(str s, str prefix)
{
    return s.len >= prefix.len && str_eq_nocase(str_slice(s, 0, prefix.len), prefix);
}

/* The wrapper must hold the whole text: inside, neither end may occur again. */
static bool unwrap_once(str *s)
{
    for (size_t i = 0; i < ARRAY_LEN(wrappers); i++) {
        const struct wrapper *w = &wrappers[i];
        if (s->len <= w->open.len + w->close.len || !str_starts(*s, w->open) ||
            !str_ends(*s, w->close))
            continue;
        str inside = str_slice(*s, w->open.len, s->len - w->close.len);
        if (str_trim(inside).len == 0 || str_find(inside, w->open) != STR_NPOS)
            continue;
        /* \boxed{\frac{1}{2}} closes with a brace of its own; a quoted text must not. */
        if (w->close.ptr[0] != '}' && str_find(inside, w->close) != STR_NPOS)
            continue;
        if (w->close.ptr[0] == '}' && str_find(inside, STR("{")) == STR_NPOS &&
            str_find(inside, STR("}")) != STR_NPOS)
            continue;
        *s = str_trim(inside);
        return true;
    }
    return false;
}

/* "x = 5" is 5; "a = b = c" and "a == b" stay. */
static void drop_assignment(str *s)
{
    size_t at = str_find_char(*s, '=');

    if (at == STR_NPOS || at == 0 || at > 12 || !is_letter(s->ptr[0]))
        return;
    str name = str_trim(str_slice(*s, 0, at));
    str value = str_trim(str_slice(*s, at + 1, s->len));
    for (size_t i = 0; i < name.len; i++) {
        if (!is_letter(name.ptr[i]) && name.ptr[i] != '_' &&
            !(name.ptr[i] >= '0' && name.ptr[i] <= '9'))
            return;
    }
    if (value.len > 0 && str_find_char(value, '=') == STR_NPOS)
        *s = value;
}

static bool is_final_mark(char c)
{
    return c == '.' || c == ',' || c == ';' || c == ':' || c == '!' || c == '?';
}

/* Without final marks, unless nothing else would be left; 20! keeps its mark. */
static str drop_final_marks(str s)
{
    size_t n = s.len;

    while (n > 0 && (is_final_mark(s.ptr[n - 1]) || is_space(s.ptr[n - 1]))) {
        if (s.ptr[n - 1] == '!' && n > 1 && s.ptr[n - 2] >= '0' && s.ptr[n - 2] <= '9')
            break;
        n--;
    }
    return n > 0 ? str_slice(s, 0, n) : s;
}

str answer_unwrap(str answer)
{
    str s = str_trim(answer);

    for (int i = 0; i < CANONICAL_ROUNDS_MAX; i++) {
        str before = s;
        s = drop_final_marks(s);
        while (unwrap_once(&s))
            continue;
        for (size_t k = 0; k < ARRAY_LEN(lead_ins); k++) {
            str after = starts_nocase(s, lead_ins[k])
                            ? str_trim(str_slice(s, lead_ins[k].len, s.len))
                            : (str){ 0 };
            if (after.len > 0)
                s = after;
        }
        drop_assignment(&s);
        if (s.len == before.len)
            break;
    }
    return s;
}

/* ---- choice letters ---- */

/* "B", "b.", "(B)", "B)", "(B) with text behind", "option B", "choice:b". */
static bool choice_parse(str s, char *out)
{
    bool is_named = false;

    if (starts_nocase(s, STR("option ")) || starts_nocase(s, STR("choice ")) ||
        starts_nocase(s, STR("choice:"))) {
        s = str_trim(str_slice(s, 7, s.len));
        is_named = true;
    }
    bool has_open = s.len > 0 && s.ptr[0] == '(';
    if (has_open)
        s = str_slice(s, 1, s.len);
    if (s.len == 0 || !is_letter(s.ptr[0]))
        return false;
    bool has_close = s.len > 1 && s.ptr[1] == ')';
    bool ends = s.len == 1 || (s.len == 2 && has_close);
    bool has_text = s.len > 2 && has_close && is_space(s.ptr[2]);
    bool is_named_text = is_named && s.len > 1 && (s.ptr[1] == ':' || s.ptr[1] == '.');
    if (has_open && !has_close)
        return false;
    if (!ends && !has_text && !is_named_text)
        return false;
    *out = lower(s.ptr[0]);
    return true;
}

/* ---- text ---- */

static bool is_formula(str s)
{
    return str_find_char(s, '\\') != STR_NPOS || str_find_char(s, '^') != STR_NPOS;
}

/* Lower case; white space made single, or dropped in formulas, where it means nothing. */
static str squeeze(struct arena *arena, str s)
{
    char *out = arena_alloc(arena, s.len);
    bool drops_space = is_formula(s);
    size_t n = 0;

    if (!out)
        return (str){ 0 };
    while (s.len > 0) {
        size_t skip = 0;
        for (size_t i = 0; drops_space && i < ARRAY_LEN(latex_spaces) && skip == 0; i++)
            skip = str_starts(s, latex_spaces[i]) ? latex_spaces[i].len : 0;
        if (skip > 0) {
            s = str_slice(s, skip, s.len);
            continue;
        }
        if (!is_space(s.ptr[0]))
            out[n++] = lower(s.ptr[0]);
        else if (!drops_space && n > 0 && out[n - 1] != ' ')
            out[n++] = ' ';
        s = str_slice(s, 1, s.len);
    }
    return str_trim((str){ out, n });
}

str text_canonical(struct arena *arena, str text)
{
    return drop_final_marks(squeeze(arena, text));
}

static str drop_articles(str s)
{
    for (size_t i = 0; i < ARRAY_LEN(articles); i++) {
        if (s.len > articles[i].len + 1 && str_starts(s, articles[i]) &&
            s.ptr[articles[i].len] == ' ')
            return str_trim(str_slice(s, articles[i].len + 1, s.len));
    }
    return s;
}

/* Whole numbers too long for 64 bits still lose their commas. */
static str long_number(struct arena *arena, str s)
{
    char *out = arena_alloc(arena, s.len);
    size_t n = 0;

    if (!out)
        return (str){ 0 };
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] >= '0' && s.ptr[i] <= '9')
            out[n++] = s.ptr[i];
        else if (s.ptr[i] != ',' || i % 4 != s.len % 4)
            return s;
    }
    return (str){ out, n };
}

static str canonical_once(struct arena *arena, str answer)
{
    str s = answer_unwrap(answer);
    struct quantity q;
    str literal;
    char letter;

    if (choice_parse(s, &letter))
        return arena_printf(arena, "choice:%c", letter);
    if (quantity_parse(arena, s, &q)) {
        str number = rational_text(arena, q.value);
        if (q.unit.len == 0)
            return number;
        return arena_printf(arena, "%.*s %.*s", STR_ARG(number), STR_ARG(q.unit));
    }
    if (literal_canonical(arena, s, &literal))
        return literal;
    str text = long_number(arena, drop_articles(drop_final_marks(squeeze(arena, s))));
    return text.len > 0 ? text : squeeze(arena, str_trim(answer));
}

str answer_canonical(struct arena *arena, str answer)
{
    str form = str_trim(answer);

    if (form.len == 0)
        return (str){ 0 };
    /* A form may uncover another ("the 5" → "5"), so go on until nothing changes. */
    for (int i = 0; i < CANONICAL_ROUNDS_MAX; i++) {
        str next = canonical_once(arena, form);
        if (next.len == 0 || str_eq(next, form))
            break;
        form = next;
    }
    return form;
}

/* ---- comparisons ---- */

bool answer_agrees(struct arena *arena, str a, str b)
{
    return forms_agree(arena, answer_canonical(arena, a), answer_canonical(arena, b));
}

bool forms_agree(struct arena *arena, str a, str b)
{
    struct quantity left, right;

    if (a.len == 0 || b.len == 0)
        return false;
    if (str_eq(a, b))
        return true;
    if (!quantity_parse(arena, a, &left) || !quantity_parse(arena, b, &right))
        return false;
    return rational_equal(left.value, right.value) && (left.unit.len == 0 || right.unit.len == 0);
}

bool answer_states(struct arena *arena, str answer, struct rational exact)
{
    struct quantity q;
    str written = answer_unwrap(answer);

    if (!quantity_parse(arena, written, &q))
        return false;
    if (rational_rounds_to(exact, q.value))
        return true;
    /* The number as written, before a unit scaled it ("90 min" for 90, "50%" for 50). */
    size_t digits = 0;
    while (digits < written.len && ((written.ptr[digits] >= '0' && written.ptr[digits] <= '9') ||
                                    strchr("+-.,/", written.ptr[digits]) != NULL))
        digits++;
    return digits < written.len && quantity_parse(arena, str_slice(written, 0, digits), &q) &&
           rational_rounds_to(exact, q.value);
}

/* ---- extraction ---- */

/* The content of the last \boxed{…}, its braces balanced; an open one reaches to the end. */
static bool extract_boxed(str text, str *out)
{
    bool is_found = false;
    size_t at;

    while ((at = str_find(text, STR("\\boxed{"))) != STR_NPOS) {
        int depth = 1;
        size_t i = at + 7;
        for (; i < text.len; i++) {
            if (text.ptr[i] == '{')
                depth++;
            else if (text.ptr[i] == '}' && --depth == 0)
                break;
        }
        str inside = str_trim(str_slice(text, at + 7, i));
        if (inside.len > 0) {
            *out = inside;
            is_found = true;
        }
        text = str_slice(text, i, text.len);
    }
    return is_found;
}

static str first_line(str s)
{
    str line;

    s = str_trim(s);
    if (!str_next(&s, '\n', &line))
        return (str){ 0 };
    return str_trim(line);
}

/* Behind the last "answer:" or "answer is", or the "####" of school problems. */
static bool extract_marked(str text, str *out)
{
    static const str marks[] = {
        { "answer:", 7 }, { "answer is", 9 }, { "####", 4 }, { "answer**:", 9 }
    };
    bool is_found = false;

    for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
        str rest = text;
        size_t at;
        while ((at = str_find_nocase(rest, marks[i])) != STR_NPOS) {
            rest = str_slice(rest, at + marks[i].len, rest.len);
            str line = first_line(rest);
            /* "**Answer:** 8" leaves stars that close nothing; "Answer: **8**" leaves a pair. */
            if (str_starts(line, STR("**")) &&
                str_find(str_slice(line, 2, line.len), STR("**")) == STR_NPOS)
                line = str_trim(str_slice(line, 2, line.len));
            if (str_starts(line, STR(":")))
                line = str_trim(str_slice(line, 1, line.len));
            /* The mark that stands last in the text wins. */
            if (line.len > 0 && (!is_found || line.ptr > out->ptr)) {
                *out = line;
                is_found = true;
            }
        }
    }
    return is_found;
}

static str last_line(str text)
{
    str last = { 0 }, line;

    while (str_next(&text, '\n', &line)) {
        line = str_trim(line);
        if (line.len > 0 && !str_starts(line, STR("```")))
            last = line;
    }
    return last;
}

str answer_extract(struct arena *arena, str text)
{
    str found;
    size_t thought;

    while ((thought = str_find(text, STR("</think>"))) != STR_NPOS &&
           str_trim(str_slice(text, thought + 8, text.len)).len > 0)
        text = str_slice(text, thought + 8, text.len);
    if (reply_answer(arena, text, &found))
        return found;
    if (!extract_boxed(text, &found) && !extract_marked(text, &found))
        found = last_line(text);
    if (found.len == 0)
        found = str_trim(text);
    str plain = drop_final_marks(found);
    while (unwrap_once(&plain))
        continue;
    return plain.len > 0 ? plain : found;
}
