/* SPDX-License-Identifier: Apache-2.0 */
/*
 * profile: what `route` brings in: the trained model; the fallback, a whole snapshot of its own within this one, and its models
 * among ours; and what must hold between `route`, `cascade`, `strategy` and the models.
 *
 * The engine calls models by this configuration alone, so whatever the fallback calls must be the same here.
 */
#include "edge/config/internal.h"

#include "core/route/route.h"

static const struct yaml_node *route_node(const struct config_build *build, str name)
{
    return yaml_get(yaml_get(build->root, STR("route")), name);
}

/* ---- the fallback ---- */

static bool file_is_same(const struct config_file *a, const struct config_file *b)
{
    return a->inode == b->inode && a->device == b->device;
}

/* Why it cannot be read; NULL when its text is in content. */
static const char *fallback_read(struct config_build *build, struct config_file *file,
                                 struct buf *content)
{
    if (!build->may_read_files)
        return "files are not read here";
    return file_read(file->name, CONFIG_FILE_BYTES_MAX, content, file);
}

static bool model_is_same(const struct config *c, const struct config *profile,
                          const struct config_model *theirs, const struct config_model *ours)
{
    const struct config_provider *a = config_provider_find(profile, theirs->provider);
    const struct config_provider *b = config_provider_find(c, theirs->provider);

    return a && b && str_eq(a->base_url, b->base_url) && str_eq(a->dialect, b->dialect) &&
           (!ours || (str_eq(ours->provider, theirs->provider) &&
                      str_eq(ours->upstream_name, theirs->upstream_name)));
}

static void fallback_model_add(struct config_build *build, const struct config *profile, str name)
{
    struct config *c = &build->snapshot->config;
    const struct config_model *theirs = config_model_find(profile, name);
    const struct config_model *ours = config_model_find(c, name);
    struct config_place place = place_in(build, route_node(build, STR("fallback")));

    if (!theirs)
        return; /* none, or said already where it stands */
    if (!model_is_same(c, profile, theirs, ours)) {
        issue_add(build->issues, &place,
                  "route.fallback: its model %.*s or the model's provider %.*s is another one here",
                  STR_ARG(issue_text(&build->scratch, theirs->name)),
                  STR_ARG(issue_text(&build->scratch, theirs->provider)));
        return;
    }
    if (ours)
        return;
    build->snapshot->models[c->model_count] = *theirs;
    build->snapshot->models[c->model_count].is_hidden = true;
    c->model_count++;
}

static void fallback_load(struct config_build *build)
{
    struct config_snapshot *snapshot = build->snapshot;
    const struct yaml_node *node = route_node(build, STR("fallback"));
    struct buf content = { .max = CONFIG_FILE_BYTES_MAX + ((size_t)64 << 10) };
    struct config_file *file = ARENA_NEW(&build->scratch, struct config_file);
    struct config_place place = place_of(node);
    const char *why = "out of memory";

    if (file) {
        file->name = path_beside(&build->scratch, node->file, snapshot->fallback_file);
        why = fallback_read(build, file, &content);
    }
    if (!why && file_is_same(file, build->file)) {
        /* The fallback itself was named, and extends the file that names it: it then has none. */
        if (node->file == build->file)
            issue_add(build->issues, &place, "route.fallback is this very file");
    } else if (why) {
        issue_add(build->issues, &place, "route.fallback cannot be read from '%.*s': %s",
                  STR_ARG(issue_text(&build->scratch, snapshot->fallback_file)), why);
    } else {
        struct config_text text = { .name = file->name,
                                    .text = buf_str(&content),
                                    .may_read_files = true,
                                    .is_profile = true };
        if (config_load_file(file, &text, &snapshot->fallback, build->issues) == OK)
            snapshot->config.route.fallback = snapshot->fallback;
    }
    buf_fini(&content);
}

/* ---- the trained model ---- */

static void route_model_load(struct config_build *build)
{
    struct config_snapshot *snapshot = build->snapshot;
    const struct yaml_node *node = route_node(build, STR("model"));
    struct buf content = { .max = ROUTE_MODEL_BYTES_MAX + ((size_t)64 << 10) };
    str path = path_beside(&build->scratch, node->file, snapshot->route_model_file);
    struct config_place place = place_of(node);
    const char *why = "files are not read here";
    str what = { 0 };

    if (build->may_read_files)
        why = file_read(path, ROUTE_MODEL_BYTES_MAX, &content, NULL);
    if (why) {
        issue_add(build->issues, &place,
                  "route.model cannot be read from '%.*s': %s; `weir train --out FILE` writes one",
                  STR_ARG(issue_text(&build->scratch, path)), why);
    } else if (route_model_read(&snapshot->config.arena, buf_str(&content),
                                &snapshot->config.route.model, &what) == OK) {
        snapshot->route_model_hash = str_hash(buf_str(&content));
    } else {
        issue_add(build->issues, &place,
                  "route.model is not what `weir train` of this version writes: %.*s",
                  STR_ARG(issue_text(&build->scratch, what)));
    }
    buf_fini(&content);
}

void profile_load(struct config_build *build)
{
    struct config_snapshot *snapshot = build->snapshot;

    if (build->is_profile)
        return;
    if (snapshot->route_model_file.len > 0)
        route_model_load(build);
    if (snapshot->fallback_file.len == 0 || !snapshot->models)
        return;
    fallback_load(build);
    const struct config *profile = snapshot->config.route.fallback;
    if (!profile)
        return;
    fallback_model_add(build, profile, profile->model);
    fallback_model_add(build, profile, profile->cascade.peer_model);
    fallback_model_add(build, profile, profile->cascade.strong_model);
}

/* ---- what must hold ---- */

static void warn(struct config_build *build, const struct yaml_node *node, const char *message)
{
    struct config_place place = place_in(build, node);

    place.is_warning = true;
    issue_add(build->issues, &place, "%s", message);
}

static void model_name_check(struct config_build *build, str section, str key, str name)
{
    const struct config *c = &build->snapshot->config;
    struct config_place place = place_in(build, yaml_get(yaml_get(build->root, section), key));
    str names[YAML_ENTRIES_MAX + 1 + CONFIG_MODELS_HIDDEN_MAX];

    if (name.len == 0 || config_model_find(c, name))
        return;
    for (size_t i = 0; i < c->model_count; i++)
        names[i] = c->models[i].name;
    str nearest = name_nearest(names, c->model_count, name);
    str hint = { 0 };
    if (nearest.len > 0)
        hint = arena_printf(&build->scratch, "; did you mean '%.*s'?", STR_ARG(nearest));
    issue_add(build->issues, &place, "%.*s.%.*s: no model is called '%.*s'%.*s", STR_ARG(section),
              STR_ARG(key), STR_ARG(issue_text(&build->scratch, name)), STR_ARG(hint));
}

static void strategy_check(struct config_build *build)
{
    const struct config *c = &build->snapshot->config;
    const struct yaml_node *mcts = yaml_get(build->root, STR("mcts"));
    const struct yaml_node *budget = yaml_get(mcts, STR("simulation_budget"));

    if (str_eq(c->strategy, STR("cascade")) && c->cascade.strong_model.len == 0)
        warn(build, yaml_get(build->root, STR("strategy")),
             "strategy cascade has no stronger model to turn to: set cascade.strong_model");
    if (c->use_mcts && !str_eq(c->strategy, STR("hrm_trm")) &&
        !str_eq(c->strategy, STR("full_stack")) && !str_eq(c->strategy, STR("mcts")))
        warn(build, yaml_get(build->root, STR("use_mcts")),
             "use_mcts has no effect on this strategy: it acts on hrm_trm");
    if (budget && c->mcts.simulation_budget > c->mcts_iterations)
        warn(build, budget, "mcts.simulation_budget is above mcts_iterations, which holds");
}

static void route_check(struct config_build *build)
{
    const struct config *c = &build->snapshot->config;
    const struct yaml_node *scorer = route_node(build, STR("scorer"));
    const struct yaml_node *audit = route_node(build, STR("audit_share"));
    bool is_rule =
        str_eq(c->route.scorer, STR("seed_v1")) || str_eq(c->route.scorer, STR("words_v1"));

    if (is_rule && build->snapshot->fallback_file.len == 0)
        warn(build, scorer,
             "route.scorer has nothing to choose from: set route.fallback; scores are only "
             "recorded");
    if (str_eq(c->route.scorer, STR("learned_v1")) && build->snapshot->route_model_file.len == 0) {
        struct config_place place = place_in(build, scorer);
        issue_add(build->issues, &place,
                  "route.scorer learned_v1 needs route.model, a file that `weir train --out FILE` "
                  "writes");
    }
    if (c->route.audit_share > 0 && c->cascade.strong_model.len == 0)
        warn(build, audit, "route.audit_share has nobody to ask: set cascade.strong_model");
}

void profile_check(struct config_build *build)
{
    const struct config *c = &build->snapshot->config;

    model_name_check(build, STR("cascade"), STR("peer_model"), c->cascade.peer_model);
    model_name_check(build, STR("cascade"), STR("strong_model"), c->cascade.strong_model);
    strategy_check(build);
    if (!build->is_profile)
        route_check(build);
}
