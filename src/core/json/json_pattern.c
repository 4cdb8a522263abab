/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_pattern: ECMA patterns, as schemas hold them, translated to POSIX extended ones.
 *
 * What both languages share goes through. \d, \w, \s and (?: have a POSIX form. What would silently
 * mean something else (back-references, look-around, \b, escapes within brackets) is refused, as are
 * repetitions whose product could make compiling explode. Matching is by bytes.
 */
#include "core/json/json_pattern.h"

#include <regex.h>
#include <string.h>

#define PATTERN_BYTES_MAX 512u
#define REPEAT_PRODUCT_MAX 1024u

struct translation {
    struct buf out;
    uint64_t repeats; /* the product of all upper bounds */
};

/* Writes what a backslash and this byte stand for; false when POSIX has no such thing. */
static bool escape_translate(struct buf *out, char c)
{
    static const struct {
        char letter;
        const char *posix;
    } rows[] = {
        { 'd', "[0-9]" },
        { 'D', "[^0-9]" },
        { 'w', "[A-Za-z0-9_]" },
        { 'W', "[^A-Za-z0-9_]" },
        { 's', "[[:space:]]" },
        { 'S', "[^[:space:]]" },
        { 't', "\t" },
        { 'n', "\n" },
        { 'r', "\r" },
        { '-', "-" },
        { '/', "/" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].letter == c) {
            buf_add(out, str_from(rows[i].posix));
            return true;
        }
    }
    if (c == '\0' || !strchr("^$.[]|()*+?{}\\", c))
        return false;
    buf_add(out, (str){ (const char[]){ '\\', c }, 2 });
    return true;
}

/* Copies a bracket expression; gives the bytes read, 0 for one that means something else in POSIX. */
static size_t bracket_copy(struct buf *out, str rest)
{
    size_t i = 1;

    if (i < rest.len && rest.ptr[i] == '^')
        i++;
    /* ECMA: empty, matching nothing or anything. POSIX: a literal bracket. */
    if (i < rest.len && rest.ptr[i] == ']')
        return 0;
    for (; i < rest.len && rest.ptr[i] != ']'; i++) {
        if (rest.ptr[i] == '\\' || rest.ptr[i] == '[')
            return 0;
    }
    if (i == rest.len)
        return 0;
    buf_add(out, str_slice(rest, 0, i + 1));
    return i + 1;
}

/* Counts a repetition "{n}", "{n,}" or "{n,m}" into the product. */
static bool repeat_count(struct translation *t, str rest)
{
    uint64_t low = 0, high = 0;
    size_t end = str_find_char(rest, '}');

    if (end == STR_NPOS)
        return false;
    str inside = str_slice(rest, 1, end), first = { 0 };
    if (!str_next(&inside, ',', &first) || !str_to_u64(first, &low))
        return false;
    high = low;
    if (inside.len != STR_NPOS && inside.len > 0 && !str_to_u64(inside, &high))
        return false;
    if (high < low || high > REPEAT_PRODUCT_MAX)
        return false;
    t->repeats *= high > 0 ? high : 1;
    return t->repeats <= REPEAT_PRODUCT_MAX;
}

static bool translate(struct translation *t, str pattern)
{
    for (size_t i = 0; i < pattern.len;) {
        str rest = str_slice(pattern, i, pattern.len);
        size_t taken = 1;
        if (rest.ptr[0] == '\\') {
            if (rest.len < 2 || !escape_translate(&t->out, rest.ptr[1]))
                return false;
            taken = 2;
        } else if (rest.ptr[0] == '[') {
            taken = bracket_copy(&t->out, rest);
            if (taken == 0)
                return false;
        } else if (rest.ptr[0] == '.') {
            /* ECMA's dot stops at line ends, and POSIX's, here, at NUL. */
            buf_add(&t->out, STR("[^\n\r]"));
        } else if (str_starts(rest, STR("(?:"))) {
            buf_add_char(&t->out, '(');
            taken = 3;
        } else if (str_starts(rest, STR("(?")) || rest.ptr[0] == '\0' ||
                   (rest.ptr[0] == '{' && !repeat_count(t, rest))) {
            return false;
        } else {
            buf_add_char(&t->out, rest.ptr[0]);
        }
        i += taken;
    }
    return true;
}

enum err json_pattern_match(struct arena *arena, str pattern, str text, bool *out_match)
{
    struct translation t = { .repeats = 1 };
    regex_t compiled;
    enum err e = CALLER_BAD_REQUEST;

    if (pattern.len <= PATTERN_BYTES_MAX && translate(&t, pattern)) {
        const char *posix = arena_str(arena, buf_str(&t.out)).ptr;
        int status = posix && !t.out.failed ? regcomp(&compiled, posix, REG_EXTENDED) : REG_ESPACE;
        if (status == REG_ESPACE)
            e = WEIR_NO_MEMORY;
        if (status == 0) {
            /* The match is told where the text ends, as it may hold NUL bytes. */
            regmatch_t whole = { .rm_so = 0, .rm_eo = (regoff_t)text.len };
            int result = text.len > INT_MAX ? REG_ESPACE
                                            : regexec(&compiled, text.len > 0 ? text.ptr : "", 1,
                                                      &whole, REG_STARTEND);
            regfree(&compiled);
            e = result == REG_ESPACE ? WEIR_NO_MEMORY : OK;
            if (e == OK)
                *out_match = result == 0;
        }
    }
    buf_fini(&t.out);
    return e;
}
