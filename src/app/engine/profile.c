/* SPDX-License-Identifier: Apache-2.0 */
/* profile: a configuration made ready for queries: its providers' endpoints, what a call may take, and what strategies need of it. */
#include "app/engine/engine_internal.h"

#include <stdlib.h>

#define ARENA_BYTES_MAX ((size_t)1 << 20)

/* The key and what else goes with every call, as the provider's dialect has them. */
static void headers_make(struct arena *arena, struct endpoint *endpoint)
{
    const struct dialect *dialect = endpoint->dialect;
    str key = endpoint->provider->api_key;

    endpoint->headers = str_from(dialect->headers);
    if (key.len > 0 && dialect->takes_bearer)
        endpoint->authorization = arena_printf(arena, "Bearer %.*s", STR_ARG(key));
    else if (key.len > 0)
        endpoint->headers =
            arena_printf(arena, "%s%.*s\n%s", dialect->key_header, STR_ARG(key), dialect->headers);
}

static void endpoint_make(struct arena *arena, struct endpoint *endpoint,
                          const struct config_provider *provider)
{
    endpoint->provider = provider;
    endpoint->dialect = dialect_find(provider->dialect);
    assert(endpoint->dialect); /* the configuration takes no other */
    for (size_t api = 0; api < API_COUNT; api++) {
        const struct wire *wire = endpoint->dialect->wires[api];
        if (!wire)
            continue;
        endpoint->wires[api] = wire;
        endpoint->urls[api] =
            arena_printf(arena, "%.*s%s", STR_ARG(provider->base_url), wire->path);
    }
    headers_make(arena, endpoint);
}

static bool endpoints_make(struct engine_profile *p)
{
    const struct config *config = p->config;
    struct endpoint *endpoints = ARENA_ARRAY(&p->arena, config->provider_count, struct endpoint);

    for (size_t i = 0; endpoints && i < config->provider_count; i++)
        endpoint_make(&p->arena, &endpoints[i], &config->providers[i]);
    p->endpoints = endpoints;
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
        .answer_bytes_max = (size_t)config->upstream.answer_bytes_max,
    };
}

enum err engine_profile_open(struct engine_profile **out, const struct config *config)
{
    struct engine_profile *p = calloc(1, sizeof(*p));

    if (!p)
        return WEIR_NO_MEMORY;
    p->config = config;
    p->limits = call_limits(config);
    p->reason = config_reason(config);
    if (config->route.fallback) {
        p->reason_fallback = config_reason(config->route.fallback);
        p->reason_fallback.confidences = p->reason.confidences;
    }
    arena_init(&p->arena, ARENA_BYTES_MAX);
    if (!endpoints_make(p)) {
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
