/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arm: what the configuration of a rollout's or an experiment's arm may not say. Some settings belong to the process, and an arm's
 * would have no effect: one that differs from the process's own is an error where it stands. What an arm does not set, or has from
 * the very file that the process runs, is fine.
 */
#include "edge/config/internal.h"

static const char *const process_keys[] = {
    "server", "ledger",  "upstream.connections_max", "monitoring.log_level", "route.audit_share",
    "alerts", "tenants",
};

struct comparison {
    struct config_build *build; /* of the arm */
    const struct config_snapshot *own; /* of the process */
};

/* Where an arm's own file has a part in a node, and else the node. */
static const struct yaml_node *node_of_file(const struct yaml_node *node,
                                            const struct config_file *file)
{
    for (const struct yaml_node *child = node->first; child; child = child->next) {
        const struct yaml_node *found = node_of_file(child, file);
        if (found->file == file)
            return found;
    }
    return node;
}

static void refuse(const struct comparison *c, const struct yaml_node *node, str path)
{
    struct config_place place = place_of_key(node_of_file(node, c->build->file));

    issue_add(c->build->issues, &place,
              "%.*s belongs to the process: an arm cannot set it to something else than the "
              "gateway's own configuration",
              STR_ARG(path));
}

static const struct config_map *map_find(str path)
{
    size_t count;
    const struct config_map *maps = config_maps(&count);

    for (size_t i = 0; i < count; i++) {
        if (str_eq(path, str_from(maps[i].path)))
            return &maps[i];
    }
    return NULL;
}

/* As deep as the table's paths are. */
static void compare(const struct comparison *c, const struct yaml_node *node, str path)
{
    const struct config_snapshot *arm = c->build->snapshot;
    const struct config_key *key = key_find(path);
    const struct config_map *map = map_find(path);

    if (key || map) {
        if (key ? !setting_is_same(key, arm, c->own) : !config_map_is_same(map, arm, c->own))
            refuse(c, node, path);
    } else {
        for (const struct yaml_node *child = node->first; child; child = child->next)
            compare(c, child, path_join(&c->build->scratch, path, child->key));
    }
}

static const struct yaml_node *node_at(const struct yaml_node *node, str path)
{
    str part;

    while (node && path.len > 0 && str_next(&path, '.', &part))
        node = yaml_get(node, part);
    return node;
}

static void compare_all(struct config_build *build, const struct config *own)
{
    const struct comparison c = {
        .build = build,
        .own = CONTAINER_OF_CONST(own, struct config_snapshot, config),
    };

    for (size_t i = 0; i < ARRAY_LEN(process_keys); i++) {
        str path = str_from(process_keys[i]);
        const struct yaml_node *node = node_at(build->root, path);
        if (node)
            compare(&c, node, path);
    }
}

void arm_check(struct config_build *build, const struct config *own)
{
    const struct yaml_node *extends = yaml_get(build->root, STR("extends"));
    struct config_issues issues;
    struct config *base = NULL;

    if (own) {
        compare_all(build, own);
        return;
    }
    if (!extends)
        return; /* nothing is known of the process */
    if (config_load(path_beside(&build->scratch, extends->file, extends->text), &base, &issues) ==
        OK)
        compare_all(build, base);
    config_issues_fini(&issues);
    config_close(base);
}
