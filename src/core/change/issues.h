/* SPDX-License-Identifier: Apache-2.0 */
/*
 * issues: what is wrong with a specification, each with the place by its path ("steps.1.share"), so that whoever read
 * the file can say line and column.
 *
 * May include: base.
 */
#ifndef WEIR_CORE_CHANGE_ISSUES_H
#define WEIR_CORE_CHANGE_ISSUES_H

#include "base/arena.h"
#include "base/base.h"

#define CHANGE_ISSUES_MAX 32

struct change_issue {
    str where; /* a dotted path; empty: the whole */
    str what; /* what is wrong and what to do */
    size_t
        offset; /* byte of the text it was read from; CHANGE_OFFSET_NONE when it was not read from one */
};
#define CHANGE_OFFSET_NONE SIZE_MAX

struct change_issues {
    struct arena *arena; /* the caller's; owns the texts */
    struct change_issue items[CHANGE_ISSUES_MAX];
    size_t count; /* of all that were found; items holds the first CHANGE_ISSUES_MAX */
};

static inline size_t change_issues_kept(const struct change_issues *issues)
{
    return issues->count < CHANGE_ISSUES_MAX ? issues->count : CHANGE_ISSUES_MAX;
}
/* where is copied. */
void change_issue_add(struct change_issues *issues, str where, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* "arms.2.share", in the issues' arena. */
str change_issue_place(struct change_issues *issues, const char *list, size_t index,
                       const char *member);

#endif
