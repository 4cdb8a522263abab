/* SPDX-License-Identifier: Apache-2.0 */
/* restart: which keys differ between the configuration that a process runs under and a new one, and need a restart to apply. */
#include "edge/config/internal.h"

static const struct config_map maps[] = {
    { "alerts.channels", offsetof(struct config_snapshot, channels_hash) },
    { "alerts.rules", offsetof(struct config_snapshot, rules_hash) },
    { "tenants", offsetof(struct config_snapshot, tenants_hash) },
};

const struct config_map *config_maps(size_t *out_count)
{
    *out_count = ARRAY_LEN(maps);
    return maps;
}

static uint64_t hash_of(const struct config_map *map, const struct config_snapshot *snapshot)
{
    return *(const uint64_t *)(const void *)((const char *)snapshot + map->hash);
}

bool config_map_is_same(const struct config_map *map, const struct config_snapshot *a,
                        const struct config_snapshot *b)
{
    return hash_of(map, a) == hash_of(map, b);
}

bool setting_is_same(const struct config_key *key, const void *base, const void *other)
{
    struct buf first = { 0 }, second = { 0 };

    setting_print(key, base, &first);
    setting_print(key, other, &second);
    bool same = str_eq(buf_str(&first), buf_str(&second));
    buf_fini(&first);
    buf_fini(&second);
    return same;
}

void config_restart_keys(const struct config *running, const struct config *wanted,
                         void (*on_key)(void *ctx, str path), void *ctx)
{
    const struct config_snapshot *a = CONTAINER_OF_CONST(running, struct config_snapshot, config);
    const struct config_snapshot *b = CONTAINER_OF_CONST(wanted, struct config_snapshot, config);
    size_t n;
    const struct config_key *keys = config_keys(&n);

    for (size_t i = 0; i < n; i++) {
        if (keys[i].record == RECORD_ROOT && keys[i].reload == RESTART &&
            !setting_is_same(&keys[i], a, b))
            on_key(ctx, str_from(keys[i].path));
    }
    for (size_t i = 0; i < ARRAY_LEN(maps); i++) {
        if (!config_map_is_same(&maps[i], a, b))
            on_key(ctx, str_from(maps[i].path));
    }
}
