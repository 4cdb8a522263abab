/* SPDX-License-Identifier: Apache-2.0 */
/* config_check: what the tests of edge/config share: loading, and saying what was found. */
#ifndef WEIR_EDGE_CONFIG_CONFIG_CHECK_H
#define WEIR_EDGE_CONFIG_CONFIG_CHECK_H

#include "edge/config/internal.h"
#include "test/check.h"

struct loaded {
    struct config *c;
    struct config_issues issues;
    enum err e;
    char first[512]; /* "line:column message" of the first error, else of the first warning */
};

__attribute__((unused)) static void issue_show(struct loaded *l)
{
    const struct config_issue *shown = NULL;

    for (size_t i = 0; i < l->issues.count; i++)
        if (!shown || (shown->is_warning && !l->issues.items[i].is_warning))
            shown = &l->issues.items[i];
    l->first[0] = '\0';
    if (shown)
        snprintf(l->first, sizeof(l->first), "%d:%d %.*s", shown->line, shown->column,
                 STR_ARG(shown->message));
}

__attribute__((unused)) static struct loaded load(str text)
{
    struct loaded l = { 0 };
    struct config_text options = { .name = STR("test.yaml"), .text = text, .may_read_files = true };

    l.e = config_load_text(&options, &l.c, &l.issues);
    issue_show(&l);
    return l;
}

__attribute__((unused)) static struct loaded load_file(const char *path)
{
    struct loaded l = { 0 };

    l.e = config_load(str_from(path), &l.c, &l.issues);
    issue_show(&l);
    return l;
}

__attribute__((unused)) static void unload(struct loaded *l)
{
    config_close(l->c);
    config_issues_fini(&l->issues);
}

/* The hash of a file that sets one key; 0 and a note when it does not load. */
__attribute__((unused)) static uint64_t hash_of(const char *text)
{
    struct loaded l = load(str_from(text));
    uint64_t hash = l.c ? l.c->hash : 0;

    if (!l.c)
        fprintf(stderr, "%s\n    %s\n", text, l.first);
    CHECK(l.c != NULL);
    unload(&l);
    return hash;
}

#endif
