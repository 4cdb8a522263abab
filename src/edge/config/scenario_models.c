/* SPDX-License-Identifier: Apache-2.0 */
/* scenario_models: what a scenario writes of its two models: figures, by domain, or whose recorded answers they give. */
#include "edge/config/scenario_internal.h"

static const struct scenario_model model_default = {
    .success = 0.98,
    .errors = 0.5,
    .cost_usd = 0.002,
    .cost_sd = 0.001,
    .latency_ms = 800,
    .latency_sigma = 0.4,
    .timeout_ms = 30000,
    .hrm_confidence = 0.87,
    .hrm_sd = 0.06,
    .trm_confidence = 0.83,
    .trm_sd = 0.06,
};

static struct scenario_model model_over(const struct plan_model *w, struct scenario_model m)
{
    m.success = scenario_or_else(w->success, m.success);
    m.errors = scenario_or_else(w->errors, m.errors);
    m.cost_usd = scenario_or_else(w->cost_usd, m.cost_usd);
    m.cost_sd = scenario_or_else(w->cost_sd, m.cost_sd);
    m.latency_ms = scenario_or_else(w->latency_ms, m.latency_ms);
    m.latency_sigma = scenario_or_else(w->latency_sigma, m.latency_sigma);
    m.timeout_ms = scenario_or_else(w->timeout_ms, m.timeout_ms);
    m.hrm_confidence = scenario_or_else(w->hrm_confidence, m.hrm_confidence);
    m.hrm_sd = scenario_or_else(w->hrm_sd, m.hrm_sd);
    m.trm_confidence = scenario_or_else(w->trm_confidence, m.trm_confidence);
    m.trm_sd = scenario_or_else(w->trm_sd, m.trm_sd);
    if (w->confidence.len > 0)
        m.is_calibrated = str_eq(w->confidence, STR("calibrated"));
    m.is_written[SCENARIO_COST] |= w->cost_usd >= 0;
    m.is_written[SCENARIO_LATENCY] |= w->latency_ms >= 0;
    m.is_written[SCENARIO_HRM] |= w->hrm_confidence >= 0;
    m.is_written[SCENARIO_TRM] |= w->trm_confidence >= 0;
    return m;
}

static struct plan_model model_read(struct plan_build *p, const struct yaml_node *node, str shown)
{
    struct plan_model w = { SCENARIO_NOT_WRITTEN,
                            SCENARIO_NOT_WRITTEN,
                            SCENARIO_NOT_WRITTEN,
                            SCENARIO_NOT_WRITTEN,
                            SCENARIO_NOT_WRITTEN,
                            SCENARIO_NOT_WRITTEN,
                            SCENARIO_NOT_WRITTEN,
                            SCENARIO_NOT_WRITTEN,
                            SCENARIO_NOT_WRITTEN,
                            SCENARIO_NOT_WRITTEN,
                            SCENARIO_NOT_WRITTEN,
                            { 0 },
                            { 0 },
                            { 0 } };

    record_load(&p->build,
                &(struct record){ .kind = RECORD_SCENARIO_MODEL, .base = &w, .shown = shown },
                node);
    return w;
}

/* An entry of a mapping whose names are a closed set; the count, having said so, for another. */
static size_t entry_at(struct plan_build *p, const struct yaml_node *node, const char *const *names,
                       size_t count)
{
    size_t at = scenario_name_at(names, count, node->key);
    struct config_place place = place_of_key(node);
    str known = str_from(names[0]);

    for (size_t i = 1; i < count; i++)
        known = arena_printf(&p->build.scratch, "%.*s, %s", STR_ARG(known), names[i]);
    if (at == count)
        issue_add(p->build.issues, &place, "unknown key '%.*s'; it must be one of %.*s",
                  STR_ARG(issue_text(&p->build.scratch, node->key)), STR_ARG(known));
    return at;
}

/* Whose answers the model gives. It is recorded as what it is like unless it has a success of its own. */
static void source_make(struct plan_build *p, const struct yaml_node *node,
                        const struct plan_model *w, struct scenario_source *out)
{
    const struct yaml_node *recorded = yaml_get(node, STR("recorded"));

    if (!recorded) {
        if (w->success >= 0)
            *out = (struct scenario_source){ .line = 0 };
        return;
    }
    struct config_place place = place_of_key(recorded);
    if (!p->build.may_read_files)
        issue_add(p->build.issues, &place, "recorded: no other file is read here");
    else if (w->recorded_from.len == 0 || w->recorded_cell.len == 0)
        issue_add(p->build.issues, &place,
                  "recorded needs both: from, the folder of an evaluation, and cell, one of its");
    *out = (struct scenario_source){ .folder = path_beside(&p->holder.config.arena, &p->file,
                                                           w->recorded_from),
                                     .cell = w->recorded_cell,
                                     .line = place.line,
                                     .column = place.column };
}

/* What a recording always says is not written beside it. */
static void figures_check(struct plan_build *p, const struct yaml_node *node)
{
    static const char *const known[] = { "success", "errors" };

    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        const struct yaml_node *figure = yaml_get(node, str_from(known[i]));
        if (figure)
            scenario_fault(p, figure,
                           arena_printf(&p->build.scratch,
                                        "%s: a recorded model has it from its recording",
                                        known[i]));
    }
}

/* What is written of one arm, over what it is like otherwise. */
static void model_make(struct plan_build *p, const struct yaml_node *node,
                       struct scenario_model out[SCENARIO_DOMAIN_COUNT],
                       struct scenario_source *source)
{
    struct arena *scratch = &p->build.scratch;
    str shown = path_join(scratch, STR("models"), node->key);
    struct plan_model whole = model_read(p, node, shown);
    const struct yaml_node *map = yaml_get(node, STR("domains"));

    source_make(p, node, &whole, source);
    if (source->line > 0)
        figures_check(p, node);
    for (size_t d = 0; d < SCENARIO_DOMAIN_COUNT; d++)
        out[d] = model_over(&whole, out[d]);
    for (const struct yaml_node *n = map && map->kind == YAML_MAPPING ? map->first : NULL; n;
         n = n->next) {
        size_t d = entry_at(p, n, scenario_domains, SCENARIO_DOMAIN_COUNT);
        if (d == SCENARIO_DOMAIN_COUNT)
            continue;
        struct plan_model one = model_read(
            p, n, arena_printf(scratch, "%.*s.domains.%s", STR_ARG(shown), scenario_domains[d]));
        out[d] = model_over(&one, out[d]);
        if (source->line > 0)
            figures_check(p, n);
        if (yaml_get(n, STR("recorded")))
            scenario_fault(p, yaml_get(n, STR("recorded")),
                           STR("recorded: a model is recorded as a whole, not in one domain"));
    }
}

void scenario_models_make(struct plan_build *p, struct scenario *s)
{
    const struct yaml_node *map = yaml_get(p->build.root, STR("models"));

    for (size_t d = 0; d < SCENARIO_DOMAIN_COUNT; d++)
        s->models[SCENARIO_BASELINE][d] = model_default;
    if (map && map->kind != YAML_MAPPING) {
        scenario_fault(p, map, STR("models must be a mapping of baseline and canary"));
        return;
    }
    const struct yaml_node *baseline = yaml_get(map, STR("baseline"));
    if (baseline)
        model_make(p, baseline, s->models[SCENARIO_BASELINE], &s->sources[SCENARIO_BASELINE]);
    for (size_t d = 0; d < SCENARIO_DOMAIN_COUNT; d++)
        s->models[SCENARIO_CANARY][d] = s->models[SCENARIO_BASELINE][d];
    s->sources[SCENARIO_CANARY] = s->sources[SCENARIO_BASELINE];
    const struct yaml_node *canary = yaml_get(map, STR("canary"));
    if (canary)
        model_make(p, canary, s->models[SCENARIO_CANARY], &s->sources[SCENARIO_CANARY]);
    for (const struct yaml_node *n = map ? map->first : NULL; n; n = n->next)
        IGNORE(entry_at(p, n, scenario_arms, SCENARIO_ARM_COUNT) == 0);
}
