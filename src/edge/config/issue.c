/* SPDX-License-Identifier: Apache-2.0 */
/* issue: the list of what is wrong with a configuration, bounded in number and in bytes. */
#include "edge/config/internal.h"

#include <stdio.h>

#define ISSUE_BYTES_MAX 512
#define ISSUE_TEXT_BYTES_MAX 60
#define ISSUES_ARENA_BYTES_MAX ((size_t)1 << 20)

void issues_init(struct config_issues *issues)
{
    *issues = (struct config_issues){ 0 };
    arena_init(&issues->arena, ISSUES_ARENA_BYTES_MAX);
    issues->items = ARENA_ARRAY(&issues->arena, CONFIG_ISSUES_MAX, struct config_issue);
}

void config_issues_fini(struct config_issues *issues)
{
    arena_fini(&issues->arena);
    *issues = (struct config_issues){ 0 };
}

/* Files that several files extend are read with each of them: what is wrong there is said once. */
static bool issue_is_known(const struct config_issues *issues, const struct config_place *place,
                           str message)
{
    for (size_t i = 0; i < issues->count; i++) {
        const struct config_issue *known = &issues->items[i];
        bool is_there =
            known->line == place->line && known->column == place->column &&
            (place->line == 0 || (place->file && str_eq(known->file, place->file->name)));
        if (is_there && str_eq(known->message, message))
            return true;
    }
    return false;
}

void issue_add(struct config_issues *issues, const struct config_place *place, const char *fmt, ...)
{
    char message[ISSUE_BYTES_MAX];
    va_list args;

    va_start(args, fmt);
    vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    if (issues->items && issue_is_known(issues, place, str_from(message)))
        return;
    /* The count of errors decides whether a load succeeds, so it grows even when the list is full. */
    issues->errors += !place->is_warning;
    if (!issues->items || issues->count == CONFIG_ISSUES_MAX)
        return;
    struct config_issue *item = &issues->items[issues->count++];
    bool is_last = issues->count == CONFIG_ISSUES_MAX;
    *item = (struct config_issue){
        .file = place->file ? arena_str(&issues->arena, place->file->name) : (str){ 0 },
        .line = place->line,
        .column = place->column,
        .message = is_last ? STR("and more; the rest is not shown")
                           : arena_str(&issues->arena, str_from(message)),
        .is_warning = place->is_warning,
    };
}

static bool issue_is_before(const struct config_issue *a, const struct config_issue *b)
{
    int order = str_cmp(a->file, b->file);

    if (order != 0)
        return order < 0;
    return a->line != b->line ? a->line < b->line : a->column < b->column;
}

void issues_take(struct config_issues *issues, struct config_issues *from)
{
    for (size_t i = 0; i < from->count; i++) {
        const struct config_issue *issue = &from->items[i];
        struct config_file file = { .name = issue->file };
        struct config_place place = { &file, issue->line, issue->column, issue->is_warning };
        issue_add(issues, &place, "%.*s", STR_ARG(issue->message));
    }
    config_issues_fini(from);
}

void issues_sort(struct config_issues *issues)
{
    /* The last of a full list speaks for those behind it and keeps its place. */
    size_t n = issues->count == CONFIG_ISSUES_MAX ? issues->count - 1 : issues->count;

    for (size_t i = 1; i < n; i++) {
        struct config_issue item = issues->items[i];
        size_t at = i;
        for (; at > 0 && issue_is_before(&item, &issues->items[at - 1]); at--)
            issues->items[at] = issues->items[at - 1];
        issues->items[at] = item;
    }
}

struct config_place place_of(const struct yaml_node *node)
{
    if (!node)
        return (struct config_place){ 0 };
    return (struct config_place){ .file = node->file, .line = node->line, .column = node->column };
}

struct config_place place_of_key(const struct yaml_node *node)
{
    return (struct config_place){ .file = node->file,
                                  .line = node->key_line,
                                  .column = node->key_column };
}

str issue_text(struct arena *arena, str text)
{
    bool is_cut = text.len > ISSUE_TEXT_BYTES_MAX;
    size_t len = is_cut ? ISSUE_TEXT_BYTES_MAX : text.len;

    /* Not in the middle of a UTF-8 sequence. */
    while (is_cut && len > 0 && ((unsigned char)text.ptr[len] & 0xC0) == 0x80)
        len--;
    char *copy = ARENA_ARRAY(arena, len + 1, char);
    if (!copy)
        return (str){ 0 };
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        copy[i] = c < 0x20 || c == 0x7F ? '?' : text.ptr[i];
    }
    return is_cut ? arena_printf(arena, "%.*s...", (int)len, copy) : (str){ copy, len };
}
