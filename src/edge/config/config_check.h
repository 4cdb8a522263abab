/* SPDX-License-Identifier: Apache-2.0 */
/* config_check: what the tests of edge/config share: loading, and saying what was found. */
#ifndef WEIR_EDGE_CONFIG_CONFIG_CHECK_H
#define WEIR_EDGE_CONFIG_CONFIG_CHECK_H

#include <stdlib.h>
#include <unistd.h>

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

/* ---- files in a directory of their own ---- */

struct nest {
    char directory[64];
};

__attribute__((unused)) static bool nest_open(struct nest *nest)
{
    snprintf(nest->directory, sizeof(nest->directory), "/tmp/weir-config-XXXXXX");
    return mkdtemp(nest->directory) != NULL;
}

__attribute__((unused)) static const char *nest_path(const struct nest *nest, const char *name,
                                                     char out[160])
{
    snprintf(out, 160, "%s/%s", nest->directory, name);
    return out;
}

__attribute__((unused)) static void nest_write(const struct nest *nest, const char *name,
                                               const char *text)
{
    char path[160];
    FILE *file = fopen(nest_path(nest, name, path), "wb");

    CHECK(file != NULL);
    if (!file)
        return;
    fputs(text, file);
    fclose(file);
}

__attribute__((unused)) static void nest_close(const struct nest *nest)
{
    static const char *const names[] = { "a.yaml", "b.yaml",      "c.yaml",
                                         "r.yaml", "prices.yaml", "key" };
    char path[160];

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        IGNORE(unlink(nest_path(nest, names[i], path)) != 0);
    CHECK(rmdir(nest->directory) == 0);
}

#endif
