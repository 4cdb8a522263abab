/* SPDX-License-Identifier: Apache-2.0 */
/* reach: see reach.h. */
#include "app/engine/reach.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "edge/config/config.h"

/* Finer than anybody asks; coarse enough that workers do not take the line from each other. */
#define REACH_GRAIN (50 * NSEC_PER_MS)

struct reach {
    const struct config *config;
    _Atomic nsec last[]; /* one a provider */
};

enum err reach_open(struct reach **out, const struct config *config)
{
    struct reach *r = calloc(1, sizeof(*r) + config->provider_count * sizeof(r->last[0]));

    if (!r)
        return WEIR_NO_MEMORY;
    r->config = config;
    for (size_t i = 0; i < config->provider_count; i++)
        atomic_init(&r->last[i], REACH_NEVER);
    *out = r;
    return OK;
}

void reach_close(struct reach *r)
{
    free(r);
}

bool reach_is_answer(int http_status)
{
    return http_status != 0 && http_status != 401 && http_status != 403;
}

static bool is_same(const struct config_provider *a, const struct config_provider *b)
{
    return a == b || (str_eq(a->base_url, b->base_url) && str_eq(a->api_key, b->api_key));
}

void reach_note(struct reach *r, const struct config_provider *provider, int http_status, nsec now)
{
    if (!r || !reach_is_answer(http_status))
        return;
    for (size_t i = 0; i < r->config->provider_count; i++) {
        if (!is_same(&r->config->providers[i], provider))
            continue;
        nsec last = atomic_load_explicit(&r->last[i], memory_order_relaxed);
        if (last == REACH_NEVER || now - last >= REACH_GRAIN)
            atomic_store_explicit(&r->last[i], now, memory_order_relaxed);
    }
}

nsec reach_last(const struct reach *r, size_t provider)
{
    assert(provider < r->config->provider_count);
    return atomic_load_explicit(&r->last[provider], memory_order_relaxed);
}
