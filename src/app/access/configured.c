/* SPDX-License-Identifier: Apache-2.0 */
/* configured: the keys and tenants that a configuration names. */
#include "app/access/access.h"
#include "edge/config/config.h"

/* A limit that is not set is negative. */
static size_t rules_of(const struct config_tenant *t, struct limit_rule out[LIMIT_RULES_MAX])
{
    enum limit_window per = LIMIT_MONTH;
    size_t count = 0;

    IGNORE(limit_window_find(t->budget_per, &per)); /* the key table allows no other word */
    const struct limit_rule all[] = {
        { LIMIT_REQUESTS, LIMIT_MINUTE, t->requests_per_minute },
        { LIMIT_TOKENS, LIMIT_MINUTE, t->tokens_per_minute },
        { LIMIT_COST, per, t->budget },
        { LIMIT_CONCURRENT, LIMIT_MINUTE, t->concurrent },
    };
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        if (all[i].most >= 0)
            out[count++] = all[i];
    }
    return count;
}

enum err access_open_configured(struct access **out, const struct config *config)
{
    struct arena arena;

    arena_init(&arena, (size_t)64 << 20);
    struct access_tenant *tenants =
        ARENA_ARRAY(&arena, config->tenant_count + 1, struct access_tenant);
    size_t count = 0;
    for (size_t i = 0; tenants && i < config->tenant_count; i++) {
        struct limit_rule *rules = ARENA_ARRAY(&arena, LIMIT_RULES_MAX, struct limit_rule);
        size_t rule_count = rules ? rules_of(&config->tenants[i], rules) : 0;
        if (rule_count > 0)
            tenants[count++] = (struct access_tenant){ config->tenants[i].name, rules, rule_count };
    }
    const struct access_options options = { config->server.keys, config->server.key_count, tenants,
                                            count };
    enum err e = arena_failed(&arena) ? WEIR_NO_MEMORY : access_open(out, &options);
    arena_fini(&arena);
    return e;
}
