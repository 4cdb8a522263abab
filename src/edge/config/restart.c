/* SPDX-License-Identifier: Apache-2.0 */
/* restart: which keys differ between the configuration that a process runs under and a new one, and need a restart to apply. */
#include "edge/config/internal.h"

static bool is_same(const struct config_key *key, const void *a, const void *b)
{
    struct buf first = { 0 }, second = { 0 };

    setting_print(key, a, &first);
    setting_print(key, b, &second);
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
        if (keys[i].record == RECORD_ROOT && keys[i].reload == RESTART && !is_same(&keys[i], a, b))
            on_key(ctx, str_from(keys[i].path));
    }
    if (a->channels_hash != b->channels_hash)
        on_key(ctx, STR("alerts.channels"));
    if (a->rules_hash != b->rules_hash)
        on_key(ctx, STR("alerts.rules"));
}
