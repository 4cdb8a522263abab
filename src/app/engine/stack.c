/* SPDX-License-Identifier: Apache-2.0 */
/* stack: see stack.h. */
#include "app/engine/stack.h"

#include "app/engine/engine_internal.h"
#include "edge/config/config.h"
#include "edge/store/store.h"
#include "edge/telemetry/metrics.h"
#include "edge/upstream/upstream.h"
#include "edge/world/world.h"

enum err stack_store_open(struct store **out, const struct config *config, str directory,
                          char out_why[256])
{
    struct store_options options = {
        .directory = directory.len > 0 ? directory : config->ledger.directory,
        .sync_power = config->ledger.sync_power,
        .relaxed = config->ledger.durability == DURABILITY_RELAXED,
        .journal_bytes_max = (uint64_t)config->ledger.journal_bytes_max,
    };

    return store_open(out, &options, out_why);
}

static struct upstream_options upstream_options_of(const struct config *config, unsigned worker)
{
    return (struct upstream_options){
        .limits = call_limits(config),
        .connections_max = (uint32_t)config->upstream.connections_max,
        .seed = (uint64_t)world_wall() ^ ((uint64_t)worker << 56),
    };
}

static enum err shard_open(struct metrics **out, const struct config *config)
{
    str models[METRICS_MODELS_MAX];
    size_t n = 0;

    for (size_t i = 0; i < config->model_count && n < ARRAY_LEN(models); i++)
        models[n++] = config->models[i].name;
    return metrics_open(out, models, n);
}

enum err stack_open(struct stack *out, struct store *store, const struct config *config,
                    const struct log *log, unsigned worker, const struct stack_seams *seams)
{
    struct stack s = { 0 };
    struct upstream_options options = upstream_options_of(config, worker);

    enum err e = world_open(&s.world);
    if (e == OK)
        e = ledger_open(&s.ledger, store, worker);
    if (e == OK)
        e = upstream_open(&s.upstream, s.world, &options);
    if (e == OK)
        e = shard_open(&s.metrics, config);
    if (e == OK)
        e = engine_open(&s.engine,
                        &(struct engine_options){ .world = s.world,
                                                  .upstream = s.upstream,
                                                  .ledger = s.ledger,
                                                  .metrics = s.metrics,
                                                  .config = config,
                                                  .log = log,
                                                  .arms = seams ? seams->arms : NULL,
                                                  .feed = seams ? seams->feed : NULL,
                                                  .reach = seams ? seams->reach : NULL,
                                                  .lanes = seams ? seams->lanes : NULL,
                                                  .telemetry = seams ? seams->telemetry : NULL,
                                                  .tokens = seams ? seams->tokens : NULL });
    if (e != OK) {
        stack_close(&s);
        return e;
    }
    *out = s;
    return OK;
}

void stack_close(struct stack *s)
{
    engine_close(s->engine);
    metrics_close(s->metrics);
    upstream_close(s->upstream);
    ledger_close(s->ledger);
    world_close(s->world);
    *s = (struct stack){ 0 };
}
