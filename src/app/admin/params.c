/* SPDX-License-Identifier: Apache-2.0 */
/* params: see params.h. */
#include "app/admin/params.h"

/* At most as long as what it is made from. */
static bool decode(str text, struct arena *arena, str *out)
{
    char *to = arena_alloc(arena, text.len + 1);
    size_t n = 0;

    if (!to)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '%') {
            int high = i + 2 < text.len ? hex_digit(text.ptr[i + 1]) : -1;
            int low = i + 2 < text.len ? hex_digit(text.ptr[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            to[n++] = (char)(high << 4 | low);
            i += 2;
        } else {
            to[n++] = c == '+' ? ' ' : c;
        }
    }
    *out = (str){ to, n };
    return str_is_utf8(*out);
}

bool param_read(str query, str name, struct arena *arena, str *out)
{
    str rest = query, pair;

    *out = (str){ 0 };
    while (str_next(&rest, '&', &pair)) {
        size_t equals = str_find_char(pair, '=');
        size_t end = equals == STR_NPOS ? pair.len : equals;
        if (str_eq(str_slice(pair, 0, end), name))
            return decode(str_slice(pair, end < pair.len ? end + 1 : end, pair.len), arena, out);
    }
    return true;
}
