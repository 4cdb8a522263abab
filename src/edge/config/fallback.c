/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fallback: the models that answer when another one cannot. A model's chain is its own list, each name followed by that one's
 * list, every model once. A list that leads back to its model is refused at load; that a chain names each model once holds beside it.
 */
#include "edge/config/internal.h"

static bool chain_has(const struct config_model *const *chain, size_t n,
                      const struct config_model *model)
{
    for (size_t i = 0; i < n; i++)
        if (chain[i] == model)
            return true;
    return false;
}

/* Depth is bounded by the chain's length: each step down adds a model. */
static size_t chain_extend(const struct config *c, const struct config_model *model,
                           const struct config_model *chain[], size_t n)
{
    for (size_t i = 0; i < model->fallback.count; i++) {
        const struct config_model *next = config_model_find(c, model->fallback.items[i]);
        if (!next || n == CONFIG_FALLBACKS_MAX + 1 || chain_has(chain, n, next))
            continue;
        chain[n++] = next;
        n = chain_extend(c, next, chain, n);
    }
    return n;
}

size_t config_fallbacks(const struct config *c, const struct config_model *model,
                        const struct config_model *out[CONFIG_FALLBACKS_MAX])
{
    const struct config_model *chain[CONFIG_FALLBACKS_MAX + 1] = { model };
    size_t n = chain_extend(c, model, chain, 1);

    for (size_t i = 1; i < n; i++)
        out[i - 1] = chain[i];
    return n - 1;
}

/* ---- what is refused at load ---- */

static const struct yaml_node *item_at(const struct yaml_node *list, size_t at)
{
    const struct yaml_node *item = list ? list->first : NULL;

    for (; item && at > 0; at--)
        item = item->next;
    return item;
}

static const struct yaml_node *list_of(const struct config_build *build, str model)
{
    return yaml_get(yaml_get(yaml_get(build->root, STR("models")), model), STR("fallback"));
}

static void name_check(struct config_build *build, const struct config_model *model, size_t at)
{
    const struct config *c = &build->snapshot->config;
    str name = model->fallback.items[at], names[YAML_ENTRIES_MAX];
    size_t n = 0;

    for (size_t i = 0; i < c->model_count && n < ARRAY_LEN(names); i++)
        if (&c->models[i] != model)
            names[n++] = c->models[i].name;
    str nearest = name_nearest(names, n, name);
    struct config_place place = place_in(build, item_at(list_of(build, model->name), at));
    str hint = nearest.len > 0
                   ? arena_printf(&build->scratch, "; did you mean '%.*s'?", STR_ARG(nearest))
                   : (str){ 0 };
    issue_add(build->issues, &place, "models.%.*s.fallback: no model is called '%.*s'%.*s",
              STR_ARG(issue_text(&build->scratch, model->name)),
              STR_ARG(issue_text(&build->scratch, name)), STR_ARG(hint));
}

/* Whether target can be reached from model; the way there, without its ends, is appended to *way. seen: a byte a model. */
static bool leads_to(const struct config *c, const struct config_model *model,
                     const struct config_model *target, bool *seen, struct buf *way)
{
    size_t before = way->len;

    if (model == target)
        return true;
    if (seen[model - c->models])
        return false;
    seen[model - c->models] = true;
    buf_printf(way, "%.*s -> ", STR_ARG(model->name));
    for (size_t i = 0; i < model->fallback.count; i++) {
        const struct config_model *next = config_model_find(c, model->fallback.items[i]);
        if (next && leads_to(c, next, target, seen, way))
            return true;
    }
    way->len = before;
    return false;
}

static void cycle_check(struct config_build *build, const struct config_model *model, size_t at)
{
    const struct config *c = &build->snapshot->config;
    const struct config_model *next = config_model_find(c, model->fallback.items[at]);
    bool *seen = ARENA_ARRAY(&build->scratch, c->model_count, bool);
    struct buf way = { 0 };

    if (!next) {
        name_check(build, model, at);
        return;
    }
    if (seen && leads_to(c, next, model, seen, &way)) {
        struct config_place place = place_in(build, item_at(list_of(build, model->name), at));
        str name = issue_text(&build->scratch, model->name);
        issue_add(build->issues, &place,
                  "models.%.*s.fallback goes round in a circle: %.*s -> %.*s%.*s", STR_ARG(name),
                  STR_ARG(name), STR_ARG(issue_text(&build->scratch, buf_str(&way))),
                  STR_ARG(name));
    }
    buf_fini(&way);
}

void fallbacks_check(struct config_build *build)
{
    const struct config *c = &build->snapshot->config;

    for (size_t i = 0; i < c->model_count; i++) {
        const struct config_model *model = &c->models[i];
        struct config_place place = place_in(build, list_of(build, model->name));
        if (model->fallback.count > CONFIG_FALLBACKS_MAX)
            issue_add(build->issues, &place, "models.%.*s.fallback names more than %d models",
                      STR_ARG(issue_text(&build->scratch, model->name)), CONFIG_FALLBACKS_MAX);
        for (size_t at = 0; at < model->fallback.count; at++)
            cycle_check(build, model, at);
    }
}
