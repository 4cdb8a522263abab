/* SPDX-License-Identifier: Apache-2.0 */
/* profile: a configuration made ready for queries: its providers' endpoints, what a call may take, and what strategies need of it. */
#include "app/engine/engine_internal.h"

#include <stdlib.h>

#define ARENA_BYTES_MAX ((size_t)1 << 20)

/* What is a provider's own holds for it, what is not is everybody's. */
static struct upstream_limits limits_of(const struct config *config,
                                        const struct config_provider *provider)
{
    struct upstream_limits limits = call_limits(config);

    if (provider->connect_timeout > 0)
        limits.connect_timeout = provider->connect_timeout;
    if (provider->first_byte_timeout > 0)
        limits.first_byte_timeout = provider->first_byte_timeout;
    if (provider->idle_timeout > 0)
        limits.idle_timeout = provider->idle_timeout;
    limits.total_timeout = provider->timeout;
    return limits;
}

const struct wire *provider_wire(const struct config_provider *provider, enum api api)
{
    const struct dialect *dialect = dialect_find(provider->dialect);

    assert(dialect); /* the configuration takes no other */
    return api == API_RESPONSES && !provider->has_responses ? NULL : dialect->wires[api];
}

static void endpoint_make(struct arena *arena, struct endpoint *endpoint,
                          const struct config_provider *provider)
{
    endpoint->provider = provider;
    endpoint->dialect = dialect_find(provider->dialect);
    for (size_t api = 0; api < API_COUNT; api++) {
        const struct wire *wire = provider_wire(provider, (enum api)api);
        if (!wire)
            continue;
        endpoint->wires[api] = wire;
        endpoint->urls[api] =
            arena_printf(arena, "%.*s%s", STR_ARG(provider->base_url), wire->path);
    }
    endpoint->headers = dialect_headers(endpoint->dialect, arena, provider->api_key);
}

static bool endpoints_make(struct engine_profile *p)
{
    const struct config *config = p->config;
    struct endpoint *endpoints = ARENA_ARRAY(&p->arena, config->provider_count, struct endpoint);

    for (size_t i = 0; endpoints && i < config->provider_count; i++) {
        endpoint_make(&p->arena, &endpoints[i], &config->providers[i]);
        endpoints[i].limits = limits_of(config, &config->providers[i]);
    }
    p->endpoints = endpoints;
    return !arena_failed(&p->arena);
}

static struct lane *lane_of(struct engine_profile *p, struct lanes *lanes,
                            const struct call_target *target, str key, unsigned number)
{
    const struct config_provider *provider = target->endpoint->provider;
    struct lane_name name = { .provider = provider->name,
                              .model = target->model->upstream_name,
                              .key = number };
    str identity = arena_printf(&p->arena, "%.*s %.*s %.*s", STR_ARG(provider->base_url),
                                STR_ARG(name.model), STR_ARG(key));

    name.identity = str_hash(identity);
    return lanes ? lanes_find(lanes, &name) : NULL;
}

/* A provider without a key has one all the same, which sends no header. */
static void keys_make(struct engine_profile *p, struct lanes *lanes, struct call_target *target)
{
    const struct config_provider *provider = target->endpoint->provider;
    bool is_list = provider->api_keys.count > 0;
    size_t n = is_list ? provider->api_keys.count : 1;
    struct upstream_key *keys = ARENA_ARRAY(&p->arena, n, struct upstream_key);

    for (size_t i = 0; keys && i < n; i++) {
        str key = is_list ? provider->api_keys.values[i] : provider->api_key;
        keys[i].authorization = dialect_authorization(target->endpoint->dialect, &p->arena, key);
        keys[i].lane = lane_of(p, lanes, target, key, key.len > 0 ? (unsigned)i + 1 : 0);
    }
    target->keys = keys;
    target->key_count = n;
}

static bool targets_make(struct engine_profile *p, struct lanes *lanes)
{
    const struct config *config = p->config;
    struct call_target *targets = ARENA_ARRAY(&p->arena, config->model_count, struct call_target);

    for (size_t i = 0; targets && i < config->model_count; i++) {
        const struct config_model *model = &config->models[i];
        const struct config_provider *provider = config_provider_find(config, model->provider);
        targets[i].model = model;
        if (!provider)
            continue; /* nobody can be asked: call_aim() */
        targets[i].endpoint = &p->endpoints[provider - config->providers];
        targets[i].fallback_count = config_fallbacks(config, model, targets[i].fallback);
        keys_make(p, lanes, &targets[i]);
    }
    p->targets = targets;
    return !arena_failed(&p->arena);
}

struct upstream_limits call_limits(const struct config *config)
{
    return (struct upstream_limits){
        .attempts_max = (int)config->max_retries + 1,
        .connect_timeout = config->upstream.connect_timeout,
        .first_byte_timeout = config->upstream.first_byte_timeout,
        .idle_timeout = config->upstream.idle_timeout,
        .backoff_base = config->upstream.backoff,
        .backoff_max = config->upstream.backoff_max,
        .key_rest = config->upstream.key_rest,
        .answer_bytes_max = (size_t)config->upstream.answer_bytes_max,
        .breaker = { .failures = (int32_t)config->breaker.failures,
                     .pause = config->breaker.pause,
                     .pause_max = config->breaker.pause_max,
                     .ramp = config->breaker.ramp },
    };
}

enum err engine_profile_open(struct engine_profile **out, const struct config *config,
                             struct lanes *lanes)
{
    struct engine_profile *p = calloc(1, sizeof(*p));

    if (!p)
        return WEIR_NO_MEMORY;
    p->config = config;
    p->reason = config_reason(config);
    if (config->route.fallback) {
        p->reason_fallback = config_reason(config->route.fallback);
        p->reason_fallback.confidences = p->reason.confidences;
    }
    arena_init(&p->arena, ARENA_BYTES_MAX);
    if (!endpoints_make(p) || !targets_make(p, lanes)) {
        engine_profile_close(p);
        return WEIR_NO_MEMORY;
    }
    *out = p;
    return OK;
}

void engine_profile_close(struct engine_profile *p)
{
    if (!p)
        return;
    arena_fini(&p->arena);
    free(p);
}
