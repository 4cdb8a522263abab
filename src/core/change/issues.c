/* SPDX-License-Identifier: Apache-2.0 */
/* issues: a list of what is wrong. */
#include "core/change/issues.h"

#include <stdio.h>

void change_issue_add(struct change_issues *issues, str where, const char *fmt, ...)
{
    char text[256];
    va_list list;

    if (issues->count < CHANGE_ISSUES_MAX) {
        va_start(list, fmt);
        vsnprintf(text, sizeof(text), fmt, list);
        va_end(list);
        issues->items[issues->count] = (struct change_issue){
            .where = arena_str(issues->arena, where),
            .what = arena_str(issues->arena, str_from(text)),
            .offset = CHANGE_OFFSET_NONE,
        };
    }
    issues->count++;
}

str change_issue_place(struct change_issues *issues, const char *list, size_t index,
                       const char *member)
{
    return arena_printf(issues->arena, "%s.%zu.%s", list, index, member);
}
