/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load: trees to a snapshot. The files of an `extends:` chain are laid over each other, the deepest
 * first, as trees; the one tree that results is then read through the key table, once.
 */
#include "edge/config/internal.h"

/* ---- records ---- */

static void key_apply(struct config_build *build, const struct record *record,
                      const struct config_key *key, const struct yaml_node *node, str shown)
{
    setting_apply(&(struct setting){ .build = build,
                                     .key = key,
                                     .base = record->base,
                                     .node = node,
                                     .text = node ? node->text : str_from(key->fallback),
                                     .shown = shown,
                                     .owner = record->owner });
}

str path_join(struct arena *arena, str path, str name)
{
    if (path.len == 0)
        return name;
    return arena_printf(arena, "%.*s.%.*s", STR_ARG(path), STR_ARG(name));
}

static bool is_free_map(str pattern)
{
    return str_eq(pattern, STR("providers")) || str_eq(pattern, STR("models")) ||
           str_eq(pattern, STR("tenants")) || str_eq(pattern, STR("alerts.channels")) ||
           str_eq(pattern, STR("alerts.rules")) || str_eq(pattern, STR("rollout-file.guards")) ||
           str_eq(pattern, STR("experiment-file.arms"));
}

/* Lists and parts that are read by those who know them. */
static bool is_list(str pattern)
{
    return str_eq(pattern, STR("rollout-file.steps")) ||
           str_eq(pattern, STR("scenario-file.rollout")) ||
           str_eq(pattern, STR("scenario-file.models")) ||
           str_eq(pattern, STR("scenario-file.models.*.domains")) ||
           str_eq(pattern, STR("scenario-file.events"));
}

/* The entries of one mapping; its own mappings follow by recursion, as deep as the table's paths are. */
static void entries_load(struct config_build *build, const struct record *record,
                         const struct yaml_node *mapping, str pattern, str shown)
{
    for (const struct yaml_node *node = mapping->first; node; node = node->next) {
        str path = path_join(&build->scratch, pattern, node->key);
        str name = path_join(&build->scratch, shown, node->key);
        const struct config_key *key = key_find(path);
        struct config_place place = place_of(node);

        if (is_list(path))
            continue;
        if (key && key->record == record->kind) {
            key_apply(build, record, key, node, issue_text(&build->scratch, name));
        } else if (!key_is_section(path)) {
            place = place_of_key(node);
            str message = key_unknown(&build->scratch, pattern, shown, node->key);
            issue_add(build->issues, &place, "%.*s", STR_ARG(message));
        } else if (node->kind != YAML_MAPPING && !node->is_null) {
            issue_add(build->issues, &place, "%.*s must be a mapping of keys", STR_ARG(name));
        } else if (!is_free_map(path)) {
            entries_load(build, record, node, path, name);
        }
    }
}

void record_load(struct config_build *build, const struct record *record,
                 const struct yaml_node *node)
{
    size_t n;
    const struct config_key *keys = config_keys(&n);
    str pattern = record_pattern(record->kind);

    for (size_t i = 0; i < n; i++)
        if (keys[i].record == record->kind && keys[i].fallback)
            key_apply(build, record, &keys[i], NULL, str_from(keys[i].path));
    if (!node)
        return;
    if (node->kind == YAML_MAPPING) {
        entries_load(build, record, node, pattern, record->shown);
    } else if (!node->is_null) {
        struct config_place place = place_of(node);
        issue_add(build->issues, &place, "%.*s must be a mapping of keys", STR_ARG(record->shown));
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (keys[i].record != record->kind || !keys[i].is_required)
            continue;
        str path = str_from(keys[i].path);
        str name = str_slice(path, pattern.len + 1, path.len);
        struct config_place place = node->key.len > 0 ? place_of_key(node) : place_of(node);
        if (!yaml_get(node, name))
            issue_add(build->issues, &place, "%.*s.%.*s is required", STR_ARG(record->shown),
                      STR_ARG(name));
    }
}

/* ---- names that the operator chooses ---- */

static bool name_is_valid(str name)
{
    for (size_t i = 0; i < name.len; i++)
        if ((unsigned char)name.ptr[i] <= 0x20 || name.ptr[i] == 0x7F)
            return false;
    return name.len > 0;
}

str name_take(struct config_build *build, const struct yaml_node *node, const char *what)
{
    struct config_place place = place_of_key(node);

    if (!name_is_valid(node->key))
        issue_add(build->issues, &place,
                  "the name of a %s must not hold spaces or control characters", what);
    return arena_str(&build->snapshot->config.arena, node->key);
}

static void provider_builtin(struct config_build *build, struct config_provider *provider)
{
    *provider = (struct config_provider){ .name = STR("openai"),
                                          .base_url = STR("https://api.openai.com/v1"),
                                          .api_key_source = STR("env:OPENAI_API_KEY"),
                                          .has_json_schema = true,
                                          .dialect = STR("openai"),
                                          .has_responses = true };
    /* Whether its key is missing matters only once a model needs it. */
    IGNORE(secret_read(build, build->file, provider->api_key_source, &provider->api_key) !=
           SECRET_FOUND);
}

/* One key is a list of one. */
static void keys_settle(struct config_build *build, struct config_provider *provider,
                        const struct yaml_node *node)
{
    const struct yaml_node *list = yaml_get(node, STR("api_keys"));
    struct config_place place = place_of(list);

    if (provider->api_keys.count == 0)
        return;
    if (yaml_get(node, STR("api_key")))
        issue_add(build->issues, &place,
                  "providers.%.*s has both api_key and api_keys; write the list alone",
                  STR_ARG(provider->name));
    if (provider->api_keys.count > CONFIG_API_KEYS_MAX)
        issue_add(build->issues, &place, "providers.%.*s.api_keys holds more than %d keys",
                  STR_ARG(provider->name), CONFIG_API_KEYS_MAX);
    if (provider->api_keys.count > 1 && str_eq(provider->dialect, STR("anthropic")))
        issue_add(build->issues, &place,
                  "providers.%.*s.api_keys: of this dialect one key is used; write it as api_key",
                  STR_ARG(provider->name));
    provider->api_key = provider->api_keys.values[0];
    provider->api_key_source = provider->api_keys.sources[0];
}

static bool is_openai_itself(const struct config_provider *provider)
{
    str host = STR("https://api.openai.com");

    return str_starts(provider->base_url, host) &&
           (provider->base_url.len == host.len || provider->base_url.ptr[host.len] == '/');
}

static void providers_load(struct config_build *build)
{
    struct config *c = &build->snapshot->config;
    const struct yaml_node *map = yaml_get(build->root, STR("providers"));
    const struct yaml_node *node = map && map->kind == YAML_MAPPING ? map->first : NULL;
    size_t n = node ? map->count : 0;
    struct config_provider *providers = ARENA_ARRAY(&c->arena, n + 1, struct config_provider);

    if (!providers)
        return;
    for (size_t i = 0; node; node = node->next, i++) {
        providers[i].name = name_take(build, node, "provider");
        struct record record = { .kind = RECORD_PROVIDER,
                                 .base = &providers[i],
                                 .shown = path_join(&build->scratch, STR("providers"), node->key),
                                 .owner = node->key };
        record_load(build, &record, node);
        keys_settle(build, &providers[i], node);
        if (!yaml_get(node, STR("responses")))
            providers[i].has_responses = is_openai_itself(&providers[i]);
    }
    if (!yaml_get(map, STR("openai")))
        provider_builtin(build, &providers[n++]);
    c->providers = providers;
    c->provider_count = n;
}

static void models_load(struct config_build *build)
{
    struct config *c = &build->snapshot->config;
    const struct yaml_node *map = yaml_get(build->root, STR("models"));
    const struct yaml_node *node = map && map->kind == YAML_MAPPING ? map->first : NULL;
    size_t n = node ? map->count : 0;
    /* And `model` itself, and what a fallback adds. */
    struct config_model *models =
        ARENA_ARRAY(&c->arena, n + 1 + CONFIG_MODELS_HIDDEN_MAX, struct config_model);

    if (!models)
        return;
    for (size_t i = 0; node; node = node->next, i++) {
        str name = name_take(build, node, "model");
        models[i] = (struct config_model){ .name = name,
                                           .provider = c->model_provider,
                                           .upstream_name = name };
        struct record record = { .kind = RECORD_MODEL,
                                 .base = &models[i],
                                 .shown = path_join(&build->scratch, STR("models"), node->key),
                                 .owner = node->key };
        record_load(build, &record, node);
    }
    if (!yaml_get(map, c->model))
        models[n++] = (struct config_model){ .name = c->model,
                                             .provider = c->model_provider,
                                             .upstream_name = c->model };
    build->snapshot->models = models;
    c->models = models;
    c->model_count = n;
}

static void tenants_load(struct config_build *build)
{
    struct config *c = &build->snapshot->config;
    const struct yaml_node *map = yaml_get(build->root, STR("tenants"));
    const struct yaml_node *node = map && map->kind == YAML_MAPPING ? map->first : NULL;
    struct config_tenant *tenants =
        node ? ARENA_ARRAY(&c->arena, map->count, struct config_tenant) : NULL;
    struct buf written = { 0 };

    if (!tenants)
        return;
    c->tenants = tenants;
    c->tenant_count = map->count;
    for (size_t i = 0; node; node = node->next, i++) {
        tenants[i] = (struct config_tenant){ .name = name_take(build, node, "tenant"),
                                             .budget = -1,
                                             .requests_per_minute = -1,
                                             .tokens_per_minute = -1,
                                             .concurrent = -1 };
        struct record record = { .kind = RECORD_TENANT,
                                 .base = &tenants[i],
                                 .shown = path_join(&build->scratch, STR("tenants"), node->key),
                                 .owner = node->key };
        record_load(build, &record, node);
        entry_print(&record, node->key, &written);
    }
    build->snapshot->tenants_hash = str_hash(buf_str(&written));
    buf_fini(&written);
}

/* ---- prices ---- */

static void price_check_twice(struct config_build *build, const struct price *prices, size_t at,
                              const struct yaml_node *node)
{
    struct config_place place = place_of(node);

    for (size_t i = 0; i < at; i++) {
        if (prices[i].from_day == prices[at].from_day &&
            str_eq(prices[i].model, prices[at].model)) {
            issue_add(build->issues, &place, "a price of %.*s from this day stands above already",
                      STR_ARG(prices[at].model));
            return;
        }
    }
}

static void prices_read(struct config_build *build, const struct yaml_node *list)
{
    struct config *c = &build->snapshot->config;
    struct config_place place = place_of(list);
    size_t errors = build->issues->errors, n = 0;
    struct price *prices = ARENA_ARRAY(&c->arena, list->count + 1, struct price);

    if (list->kind != YAML_SEQUENCE) {
        issue_add(build->issues, &place, "a file of prices must be a list");
        return;
    }
    if (!prices)
        return;
    for (const struct yaml_node *node = list->first; node; node = node->next, n++) {
        prices[n] = (struct price){ .cached = -1, .cache_write = -1 };
        struct record record = { .kind = RECORD_PRICE,
                                 .base = &prices[n],
                                 .shown = arena_printf(&build->scratch, "prices[%zu]", n) };
        size_t before = build->issues->errors;
        record_load(build, &record, node);
        if (build->issues->errors == before)
            price_check_twice(build, prices, n, node);
    }
    if (build->issues->errors == errors && price_table_init(&c->prices, prices, n) != OK)
        issue_add(build->issues, &place, "the prices contradict each other");
}

static str prices_text(struct config_build *build, struct config_file *file)
{
    const struct yaml_node *node = yaml_get(build->root, STR("prices"));
    struct buf content = { .max = CONFIG_FILE_BYTES_MAX + ((size_t)64 << 10) };
    struct config_place place = place_of(node);
    str text = { 0 };

    if (!node || build->snapshot->prices_file.len == 0) {
        file->name = STR("built-in prices.yaml");
        return config_prices_builtin[0];
    }
    file->name = path_beside(&build->scratch, node->file, build->snapshot->prices_file);
    const char *why = "files are not read here";
    if (build->may_read_files)
        why = file_read(file->name, CONFIG_FILE_BYTES_MAX, &content, NULL);
    if (why)
        issue_add(build->issues, &place, "prices cannot be read from '%.*s': %s",
                  STR_ARG(file->name), why);
    if (!why)
        text = arena_str(&build->scratch, buf_str(&content));
    buf_fini(&content);
    return text;
}

static void prices_load(struct config_build *build)
{
    struct config_file *file = ARENA_NEW(&build->scratch, struct config_file);
    struct yaml_node *list;

    if (!file)
        return;
    size_t errors = build->issues->errors;
    str text = prices_text(build, file);
    if (build->issues->errors != errors)
        return;
    if (yaml_parse(&build->scratch, file, text, build->issues, &list) == OK)
        prices_read(build, list);
}

/* ---- prompts ---- */

/* One role's text beside the others; an issue and the empty text when it cannot be read. */
static str prompt_read(struct config_build *build, const struct yaml_node *node,
                       enum reason_role role)
{
    struct arena *scratch = &build->scratch;
    str directory = path_beside(scratch, node->file, build->snapshot->prompts_directory);
    str path = arena_printf(scratch, "%.*s/%s.txt", STR_ARG(directory), reason_role_name(role));
    struct buf content = { .max = CONFIG_FILE_BYTES_MAX + ((size_t)64 << 10) };
    struct config_place place = place_of(node);
    str text = { 0 };

    const char *why = file_read(path, CONFIG_FILE_BYTES_MAX, &content, NULL);
    if (why)
        issue_add(build->issues, &place, "prompts cannot be read from '%.*s': %s", STR_ARG(path),
                  why);
    else
        text = arena_str(&build->snapshot->config.arena, buf_str(&content));
    buf_fini(&content);
    return text;
}

static void prompts_load(struct config_build *build)
{
    struct config *c = &build->snapshot->config;
    const struct yaml_node *node = yaml_get(build->root, STR("prompts"));
    size_t errors = build->issues->errors;
    struct config_place place = place_of(node);
    str texts[ROLE_COUNT], what = { 0 };

    c->prompts = reason_prompts_builtin();
    if (!node || build->snapshot->prompts_directory.len == 0)
        return;
    if (!build->may_read_files) {
        issue_add(build->issues, &place, "prompts cannot be read: files are not read here");
        return;
    }
    for (int role = 0; role < ROLE_COUNT; role++)
        texts[role] = prompt_read(build, node, (enum reason_role)role);
    if (build->issues->errors != errors)
        return;
    if (reason_prompts_init(&c->arena, texts, &c->prompts, &what) != OK)
        issue_add(build->issues, &place, "prompts are not usable: %.*s",
                  STR_ARG(issue_text(&build->scratch, what)));
}

/* ---- files that extend files ---- */

/* Lays top's entries over base's; what is not a mapping on both sides is replaced whole. */
static void overlay(struct yaml_node *base, struct yaml_node *top)
{
    struct yaml_node *next;

    for (struct yaml_node *node = top->first; node; node = next) {
        struct yaml_node *below = yaml_get(base, node->key);
        next = node->next;
        if (below && below->kind == YAML_MAPPING && node->kind == YAML_MAPPING) {
            overlay(below, node);
        } else if (below) {
            struct yaml_node *after = below->next;
            *below = *node;
            below->next = after;
        } else {
            node->next = NULL;
            if (base->last)
                base->last->next = node;
            else
                base->first = node;
            base->last = node;
            base->count++;
        }
    }
}

struct chain {
    const struct config_file *files[CONFIG_EXTENDS_MAX];
    struct yaml_node *roots[CONFIG_EXTENDS_MAX]; /* the named file first */
    size_t count;
};

static enum err chain_add(struct config_build *build, struct chain *chain,
                          const struct config_file *file, str text)
{
    struct yaml_node *root;
    enum err e = yaml_parse(&build->scratch, file, text, build->issues, &root);

    if (e != OK)
        return e;
    if (root->kind != YAML_MAPPING) {
        struct config_place place = place_of(root);
        issue_add(build->issues, &place, "the file must be a mapping of keys");
        return CALLER_BAD_REQUEST;
    }
    chain->files[chain->count] = file;
    chain->roots[chain->count++] = root;
    return OK;
}

/* Why a file may not be extended; NULL when its text is in content. */
static const char *extended_read(struct config_build *build, const struct chain *chain,
                                 struct config_file *file, struct buf *content)
{
    if (!build->may_read_files)
        return "files are not read here";
    if (chain->count == CONFIG_EXTENDS_MAX)
        return "more than 8 files extend each other";
    const char *why = file_read(file->name, CONFIG_FILE_BYTES_MAX, content, file);
    if (why)
        return why;
    for (size_t i = 0; i < chain->count; i++)
        if (chain->files[i]->inode == file->inode && chain->files[i]->device == file->device)
            return "the files extend each other in a circle";
    return NULL;
}

static enum err extended_add(struct config_build *build, struct chain *chain,
                             const struct yaml_node *node)
{
    struct config_place place = place_of(node);
    struct buf content = { .max = CONFIG_FILE_BYTES_MAX + ((size_t)64 << 10) };
    struct config_file *file = ARENA_NEW(&build->scratch, struct config_file);
    enum err e = CALLER_BAD_REQUEST;
    const char *why = "out of memory";

    if (file) {
        file->name = path_beside(&build->scratch, node->file, node->text);
        why = extended_read(build, chain, file, &content);
    }
    if (why)
        issue_add(build->issues, &place, "extends cannot use '%.*s': %s",
                  STR_ARG(issue_text(&build->scratch, node->text)), why);
    else
        e = chain_add(build, chain, file, arena_str(&build->scratch, buf_str(&content)));
    buf_fini(&content);
    return e;
}

enum err tree_load(struct config_build *build, str text)
{
    struct chain chain = { .count = 0 };
    enum err e = chain_add(build, &chain, build->file, text);

    while (e == OK) {
        const struct yaml_node *node = yaml_get(chain.roots[chain.count - 1], STR("extends"));
        /* Anything but a path is refused later, through the key table. */
        if (!node || node->kind != YAML_SCALAR || node->is_null || node->text.len == 0)
            break;
        e = extended_add(build, &chain, node);
    }
    if (e != OK)
        return e;
    struct yaml_node *root = chain.roots[chain.count - 1];
    for (size_t i = chain.count - 1; i > 0; i--)
        overlay(root, chain.roots[i - 1]);
    build->root = root;
    return OK;
}

void parts_load(struct config_build *build)
{
    providers_load(build);
    models_load(build);
    tenants_load(build);
    prices_load(build);
    prompts_load(build);
    alerts_load(build);
}
