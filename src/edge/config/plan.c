/* SPDX-License-Identifier: Apache-2.0 */
/* plan: what files of rollouts and of experiments have in common. */
#include <string.h>

#include "edge/config/rollout_internal.h"

static void plan_init(struct plan_build *p, str path, struct config_issues *issues)
{
    *p = (struct plan_build){ .build = { .issues = issues, .may_read_files = true } };
    struct config_build *build = &p->build;

    arena_init(&p->holder.config.arena, CONFIG_ARENA_BYTES_MAX);
    arena_init(&build->scratch, CONFIG_SCRATCH_BYTES_MAX);
    p->file.name = arena_str(&p->holder.config.arena, path);
    build->snapshot = &p->holder;
    build->file = &p->file;
}

void plan_open_part(struct plan_build *p, struct yaml_node *part, struct config_issues *issues)
{
    plan_init(p, part->file->name, issues);
    p->build.root = part;
}

bool plan_open(struct plan_build *p, str path, str text, struct config_issues *issues)
{
    plan_init(p, path, issues);
    struct config_build *build = &p->build;
    struct config_place whole = { .file = &p->file };
    if (yaml_parse(&build->scratch, &p->file, text, issues, &build->root) != OK)
        return false;
    if (build->root->kind == YAML_MAPPING)
        return true;
    issue_add(issues, &whole, "the file must be a mapping of keys");
    return false;
}

enum err plan_end(struct plan_build *p, str text, const struct plan_kept *kept)
{
    struct config_issues *issues = p->build.issues;
    struct arena *arena = &p->holder.config.arena;

    if (kept)
        *kept->path = p->file.name;
    if (kept && kept->text)
        *kept->text = arena_str(arena, text);
    if (!kept || arena_failed(arena) || arena_failed(&p->build.scratch))
        issue_add(issues, &(struct config_place){ .file = &p->file }, "out of memory");
    issues_sort(issues);
    arena_fini(&p->build.scratch);
    if (kept)
        *kept->arena = *arena;
    else
        arena_fini(arena);
    return issues->errors > 0 ? CALLER_BAD_REQUEST : OK;
}

bool plan_text_read(str path, struct buf *out, struct config_issues *issues)
{
    struct config_file file = { .name = path };
    const char *why;

    out->max = CONFIG_FILE_BYTES_MAX + ((size_t)64 << 10);
    issues_init(issues);
    why = file_read(path, CONFIG_FILE_BYTES_MAX, out, &file);
    if (why)
        issue_add(issues, &(struct config_place){ .file = &file }, "cannot be read: %s", why);
    return !why;
}

struct config *plan_profile_load(struct plan_build *p, const struct yaml_node *node)
{
    struct config_build *build = &p->build;
    str path = path_beside(&build->scratch, &p->file, node->text);
    struct config_issues issues;
    struct config *config = NULL;

    enum err e = p->arms.are_checked ? config_arm_load(path, p->arms.own, &config, &issues)
                                     : config_load(path, &config, &issues);
    if (e != OK) {
        struct config_place place = place_of(node);
        issue_add(build->issues, &place, "%.*s is no valid configuration", STR_ARG(node->text));
    }
    issues_take(build->issues, &issues);
    return config;
}

/* ---- issues of a specification to places ---- */

static const struct yaml_node *child_at(const struct yaml_node *node, uint64_t index)
{
    const struct yaml_node *child = node->first;

    for (uint64_t i = 0; child && i < index; i++)
        child = child->next;
    return child;
}

static str renamed(str name, const char *const (*renames)[2])
{
    for (size_t i = 0; renames && renames[i][0]; i++)
        if (str_eq(name, str_from(renames[i][0])))
            return str_from(renames[i][1]);
    return name;
}

/* The deepest node of the path that the file has. */
static const struct yaml_node *node_of(const struct yaml_node *root, str where,
                                       const char *const (*renames)[2])
{
    const struct yaml_node *node = root;
    str rest = where, part;

    while (where.len > 0 && str_next(&rest, '.', &part)) {
        uint64_t index;
        const struct yaml_node *child = str_to_u64(part, &index)
                                            ? child_at(node, index)
                                            : yaml_get(node, renamed(part, renames));
        if (!child)
            return node;
        node = child;
    }
    return node;
}

void plan_issues_place(struct plan_build *p, const struct change_issues *issues,
                       const char *const (*renames)[2])
{
    for (size_t i = 0; i < change_issues_kept(issues); i++) {
        const struct change_issue *issue = &issues->items[i];
        const struct yaml_node *node = node_of(p->build.root, issue->where, renames);
        struct config_place place = { .file = &p->file };
        if (node != p->build.root)
            place = node->key.len > 0 ? place_of_key(node) : place_of(node);
        issue_add(p->build.issues, &place, "%.*s%s%.*s", STR_ARG(issue->where),
                  issue->where.len > 0 ? ": " : "", STR_ARG(issue->what));
    }
}
