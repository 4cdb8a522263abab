/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config: a load from its first byte to the snapshot, what must hold between keys, the hash, and
 * look-up.
 */
#include "edge/config/internal.h"

#include "core/json/json.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/route/route.h"

/* ---- what must hold between keys ---- */

struct config_place place_in(const struct config_build *build, const struct yaml_node *node)
{
    struct config_place place = place_of(node);

    place.file = node ? node->file : build->file;
    return place;
}

static void model_check(struct config_build *build, const struct config_model *model)
{
    const struct config *c = &build->snapshot->config;
    const struct yaml_node *own = yaml_get(build->root, STR("models"));
    const struct yaml_node *node = yaml_get(yaml_get(own, model->name), STR("provider"));
    bool is_own = node != NULL;
    str names[YAML_ENTRIES_MAX + 1];

    if (config_provider_find(c, model->provider))
        return;
    if (!is_own)
        node = yaml_get(build->root, STR("model_provider"));
    for (size_t i = 0; i < c->provider_count; i++)
        names[i] = c->providers[i].name;
    str nearest = name_nearest(names, c->provider_count, model->provider);
    struct config_place place = place_in(build, node);
    str model_shown = issue_text(&build->scratch, model->name);
    str shown = issue_text(&build->scratch, model->provider);
    str hint = { 0 };
    if (nearest.len > 0)
        hint = arena_printf(&build->scratch, "; did you mean '%.*s'?", STR_ARG(nearest));
    issue_add(build->issues, &place, "model %.*s: no provider is called '%.*s'%.*s",
              STR_ARG(model_shown), STR_ARG(shown), STR_ARG(hint));
}

/* The built-in provider's key is asked for only when a model needs it and nobody wrote about it. */
static void builtin_key_check(struct config_build *build)
{
    const struct config *c = &build->snapshot->config;
    struct config_place place = { .file = build->file, .is_warning = true };

    if (yaml_get(yaml_get(build->root, STR("providers")), STR("openai")))
        return;
    for (size_t i = 0; i < c->model_count; i++) {
        const struct config_provider *provider = config_provider_find(c, c->models[i].provider);
        if (provider && str_eq(provider->name, STR("openai")) && provider->api_key.len == 0) {
            issue_add(build->issues, &place,
                      "OPENAI_API_KEY is not set: calls to provider openai will be refused");
            return;
        }
    }
}

static void pairs_check(struct config_build *build)
{
    const struct config *c = &build->snapshot->config;
    const struct yaml_node *upstream = yaml_get(build->root, STR("upstream"));
    const struct yaml_node *server = yaml_get(build->root, STR("server"));
    struct config_place place;

    if (c->upstream.backoff > c->upstream.backoff_max) {
        const struct yaml_node *node = yaml_get(upstream, STR("backoff_seconds"));
        place = place_in(build, node ? node : yaml_get(upstream, STR("backoff_max_seconds")));
        issue_add(build->issues, &place,
                  "upstream.backoff_seconds must not be above upstream.backoff_max_seconds");
    }
    if (c->breaker.pause > c->breaker.pause_max) {
        const struct yaml_node *breaker = yaml_get(build->root, STR("breaker"));
        const struct yaml_node *node = yaml_get(breaker, STR("open_seconds"));
        place = place_in(build, node ? node : yaml_get(breaker, STR("open_max_seconds")));
        issue_add(build->issues, &place,
                  "breaker.open_seconds must not be above breaker.open_max_seconds");
    }
    if (str_eq(c->server.listen, c->server.admin) && !str_ends(c->server.admin, STR(":0"))) {
        const struct yaml_node *node = yaml_get(server, STR("admin"));
        place = place_in(build, node ? node : yaml_get(server, STR("listen")));
        issue_add(build->issues, &place, "server.admin must differ from server.listen");
    }
}

/* ---- hash ---- */

void record_print(enum key_record record, const void *base, struct buf *out)
{
    size_t n;
    const struct config_key *keys = config_keys(&n);

    for (size_t i = 0; i < n; i++)
        if (keys[i].record == record)
            setting_print(&keys[i], base, out);
}

void entry_print(const struct record *record, str name, struct buf *out)
{
    json_write_str(out, name);
    record_print(record->kind, record->base, out);
}

static bool hash_compute(struct config_snapshot *snapshot)
{
    struct config *c = &snapshot->config;
    struct buf text = { 0 };

    record_print(RECORD_ROOT, snapshot, &text);
    for (size_t i = 0; i < c->provider_count; i++) {
        buf_printf(&text, "provider %.*s\n", STR_ARG(c->providers[i].name));
        record_print(RECORD_PROVIDER, &c->providers[i], &text);
    }
    for (size_t i = 0; i < c->model_count; i++) {
        buf_printf(&text, "model %.*s\n", STR_ARG(c->models[i].name));
        record_print(RECORD_MODEL, &c->models[i], &text);
    }
    for (size_t i = 0; i < c->tenant_count; i++) {
        buf_printf(&text, "tenant %.*s\n", STR_ARG(c->tenants[i].name));
        record_print(RECORD_TENANT, &c->tenants[i], &text);
    }
    for (size_t i = 0; i < c->prices.count; i++)
        record_print(RECORD_PRICE, &c->prices.rows[i], &text);
    if (c->route.model)
        buf_printf(&text, "route model %016" PRIx64 "\n", snapshot->route_model_hash);
    if (c->route.fallback)
        buf_printf(&text, "fallback %016" PRIx64 "\n", c->route.fallback->hash);
    if (c->prompts)
        buf_printf(&text, "prompts %016" PRIx64 "\n", reason_prompts_hash(c->prompts));
    bool is_whole = !text.failed;
    if (is_whole)
        c->hash = str_hash(buf_str(&text));
    buf_fini(&text);
    return is_whole;
}

/* ---- loading ---- */

static void snapshot_fill(struct config_build *build, str text)
{
    struct config_snapshot *snapshot = build->snapshot;
    struct config *c = &snapshot->config;
    struct record root = { .kind = RECORD_ROOT, .base = snapshot };

    if (tree_load(build, text) != OK)
        return;
    record_load(build, &root, build->root);
    c->server.keys = snapshot->keys.values;
    c->server.key_count = snapshot->keys.count;
    telemetry_load(build);
    parts_load(build);
    profile_load(build);
    struct config_place whole = { .file = build->file };
    bool is_whole = !arena_failed(&c->arena) && !arena_failed(&build->scratch);
    if (is_whole) {
        for (size_t i = 0; i < c->model_count; i++)
            model_check(build, &c->models[i]);
        fallbacks_check(build);
        builtin_key_check(build);
        pairs_check(build);
        profile_check(build);
        is_whole = hash_compute(snapshot);
    }
    if (!is_whole)
        issue_add(build->issues, &whole, "out of memory");
}

enum err config_load_file(const struct config_file *file, const struct config_text *text,
                          struct config **out, struct config_issues *issues)
{
    struct config_snapshot *snapshot = calloc(1, sizeof(*snapshot));
    struct config_build build = { .snapshot = snapshot,
                                  .issues = issues,
                                  .file = file,
                                  .may_read_files = text->may_read_files,
                                  .is_profile = text->is_profile };

    if (!snapshot) {
        issue_add(issues, &(struct config_place){ .file = file }, "out of memory");
        return CALLER_BAD_REQUEST;
    }
    arena_init(&snapshot->config.arena, CONFIG_ARENA_BYTES_MAX);
    arena_init(&build.scratch, CONFIG_SCRATCH_BYTES_MAX);
    snapshot_fill(&build, text->text);
    if (text->is_arm && issues->errors == 0)
        arm_check(&build, text->own);
    issues_sort(issues);
    arena_fini(&build.scratch);
    if (issues->errors > 0) {
        config_close(&snapshot->config);
        return CALLER_BAD_REQUEST;
    }
    *out = &snapshot->config;
    return OK;
}

enum err config_load_text(const struct config_text *text, struct config **out,
                          struct config_issues *issues)
{
    struct config_file file = { .name = text->name };

    issues_init(issues);
    return config_load_file(&file, text, out, issues);
}

/* The file of a path, under what `how` says beside its name and text. */
static enum err load_path(str path, const struct config_text *how, struct config **out,
                          struct config_issues *issues)
{
    struct config_file file = { .name = path.len > 0 ? path : STR("built-in defaults") };
    struct buf content = { .max = CONFIG_FILE_BYTES_MAX + ((size_t)64 << 10) };
    struct config_text text = *how;
    const char *why = NULL;
    enum err e = CALLER_BAD_REQUEST;

    issues_init(issues);
    text.name = file.name;
    text.may_read_files = true;
    if (path.len > 0)
        why = file_read(path, CONFIG_FILE_BYTES_MAX, &content, &file);
    text.text = buf_str(&content);
    if (why)
        issue_add(issues, &(struct config_place){ .file = &file }, "cannot be read: %s", why);
    else
        e = config_load_file(&file, &text, out, issues);
    buf_fini(&content);
    return e;
}

enum err config_load(str path, struct config **out, struct config_issues *issues)
{
    return load_path(path, &(struct config_text){ .is_arm = false }, out, issues);
}

enum err config_arm_load(str path, const struct config *own, struct config **out,
                         struct config_issues *issues)
{
    return load_path(path, &(struct config_text){ .is_arm = true, .own = own }, out, issues);
}

void config_close(struct config *c)
{
    if (!c)
        return;
    struct config_snapshot *snapshot = CONTAINER_OF(c, struct config_snapshot, config);
    config_close(snapshot->fallback);
    arena_fini(&c->arena);
    free(snapshot);
}

str config_default_path(void)
{
    static const char *const paths[] = { "./weir.yaml", "/etc/weir/weir.yaml" };

    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        if (access(paths[i], F_OK) == 0)
            return str_from(paths[i]);
    return (str){ 0 };
}

/* ---- look-up ---- */

const struct config_model *config_model_find(const struct config *c, str name)
{
    for (size_t i = 0; i < c->model_count; i++)
        if (str_eq(c->models[i].name, name))
            return &c->models[i];
    return NULL;
}

const struct config_model *config_model_offered(const struct config *c, str name)
{
    const struct config_model *model = config_model_find(c, name);

    return model && !model->is_hidden ? model : NULL;
}

const struct config_provider *config_provider_find(const struct config *c, str name)
{
    for (size_t i = 0; i < c->provider_count; i++)
        if (str_eq(c->providers[i].name, name))
            return &c->providers[i];
    return NULL;
}

static enum reason_policy policy_of(const struct config *c)
{
    enum reason_policy policy = REASON_POLICY_UCB1;
    bool is_known = reason_policy_find(c->mcts.selection_policy, &policy);

    assert(is_known); /* the key's choices are the policies' names */
    return policy;
}

/* The casts are safe: the key table bounds these values far below INT_MAX. */
struct reason_config config_reason(const struct config *c)
{
    const struct config_model *model = config_model_find(c, c->model);
    const struct config_provider *provider =
        model ? config_provider_find(c, model->provider) : NULL;
    int64_t simulations = c->mcts.simulation_budget < c->mcts_iterations ? c->mcts.simulation_budget
                                                                         : c->mcts_iterations;

    return (struct reason_config){
        .temperature = c->temperature,
        .hrm = { .h_module_layers = (int)c->hrm.h_module_layers,
                 .l_module_iterations = (int)c->hrm.l_module_iterations,
                 .confidence_threshold = c->hrm.confidence_threshold,
                 .max_decomposition_depth = (int)c->hrm.max_decomposition_depth },
        .trm = { .max_refinement_iterations = (int)c->trm.max_refinement_iterations,
                 .convergence_threshold = c->trm.convergence_threshold,
                 .confidence_threshold = c->trm.confidence_threshold,
                 .min_improvement_delta = c->trm.min_improvement_delta },
        .self_consistency = { .samples_max = (int)c->self_consistency.samples_max,
                              .stop_probability = c->self_consistency.stop_probability },
        .cascade = { .has_peer = c->cascade.peer_model.len > 0,
                     .has_strong = c->cascade.strong_model.len > 0 },
        .mcts = { .exploration_constant = c->mcts.exploration_constant,
                  .max_tree_depth = (int)c->mcts.max_tree_depth,
                  .simulation_budget = (int)simulations,
                  .policy = policy_of(c) },
        .max_tokens = (uint32_t)c->budget.output_tokens_max,
        .use_json_schema = provider && provider->has_json_schema,
        .prompts = c->prompts,
        .confidences = route_model_confidence(c->route.model),
        .model = c->model,
    };
}
