/* SPDX-License-Identifier: Apache-2.0 */
/* telemetry: what exporters need beside their keys: secrets that go by a usual name, and texts of a form. */
#include "edge/config/internal.h"

/* A service that is switched on without naming its key has the variable that its own SDK reads. */
struct usual_key {
    const char *switch_name; /* below `monitoring` */
    const char *variable;
};

static void usual_key_take(struct config_build *build, const struct usual_key *usual, str source,
                           str *key)
{
    const struct yaml_node *node =
        yaml_get(yaml_get(build->root, STR("monitoring")), str_from(usual->switch_name));
    struct config_place place = node ? place_of_key(node) : place_in(build, NULL);
    str named = arena_printf(&build->scratch, "env:%s", usual->variable);

    if (source.len > 0)
        return; /* said already when it is not there */
    if (secret_read(build, build->file, named, key) == SECRET_FOUND)
        return;
    place.is_warning = true;
    issue_add(build->issues, &place, "monitoring.%s has no effect: %s is not set",
              usual->switch_name, usual->variable);
}

static void keys_take(struct config_build *build)
{
    static const struct usual_key langsmith = { "langsmith_enabled", "LANGSMITH_API_KEY" };
    static const struct usual_key wandb = { "wandb_enabled", "WANDB_API_KEY" };
    struct config *c = &build->snapshot->config;

    if (c->monitoring.langsmith_enabled)
        usual_key_take(build, &langsmith, c->langsmith.api_key_source, &c->langsmith.api_key);
    if (c->monitoring.wandb_enabled)
        usual_key_take(build, &wandb, c->wandb.api_key_source, &c->wandb.api_key);
}

/* A header that cannot be one is found here, not when it is sent; its value is never shown. */
static void headers_check(struct config_build *build)
{
    const struct config *c = &build->snapshot->config;
    struct config_place place = place_in(build, yaml_get(build->root, STR("otlp")));

    for (size_t i = 0; i < c->otlp.header_count; i++) {
        size_t colon = str_find_char(c->otlp.headers[i], ':');
        if (colon == STR_NPOS || colon == 0)
            issue_add(build->issues, &place, "otlp.headers[%zu] must hold a line 'Name: value'", i);
    }
    for (size_t i = 0; i < c->otlp.resource_count; i++) {
        size_t sign = str_find_char(c->otlp.resource[i], '=');
        if (sign == STR_NPOS || sign == 0)
            issue_add(build->issues, &place, "otlp.resource[%zu] must be name=value", i);
    }
    if (c->otlp.header_count > CONFIG_OTLP_HEADERS_MAX)
        issue_add(build->issues, &place, "otlp.headers has more than %d", CONFIG_OTLP_HEADERS_MAX);
}

void telemetry_load(struct config_build *build)
{
    struct config_snapshot *s = build->snapshot;

    s->config.otlp.headers = s->otlp_headers.values;
    s->config.otlp.header_count = s->otlp_headers.count;
    s->config.otlp.resource = s->otlp_resource.items;
    s->config.otlp.resource_count = s->otlp_resource.count;
    headers_check(build);
    if (!build->is_profile) /* whose monitoring is not asked */
        keys_take(build);
}
