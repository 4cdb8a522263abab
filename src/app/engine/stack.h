/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stack: what an engine stands on, opened together from a configuration and closed in reverse: a loop,
 * a ledger writer, upstream, metrics, the engine.
 *
 * May include: base, edge/world, edge/config, edge/store, edge/upstream, edge/telemetry, app/engine.
 */
#ifndef WEIR_APP_ENGINE_STACK_H
#define WEIR_APP_ENGINE_STACK_H

#include "base/base.h"

struct arms_slot;
struct config;
struct engine;
struct feed;
struct lanes;
struct ledger;
struct log;
struct metrics;
struct reach;
struct store;
struct telemetry;
struct token_table;
struct upstream;
struct world;

/* What the engine of a worker is given beside its stack; all may be zero. */
struct stack_seams {
    struct arms_slot *arms;
    struct feed *feed;
    struct reach *reach;
    struct lanes *lanes;
    struct telemetry *telemetry;
    const struct token_table *const *tokens; /* see engine_options */
};

struct stack {
    struct world *world;
    struct ledger *ledger;
    struct upstream *upstream;
    struct metrics *metrics;
    struct engine *engine;
};

/* The ledger's store as the configuration says; directory overrides its place when not empty. */
NODISCARD enum err stack_store_open(struct store **out, const struct config *config, str directory,
                                    char out_why[256]);
NODISCARD enum err stack_open(struct stack *out, struct store *store, const struct config *config,
                              const struct log *log, unsigned worker,
                              const struct stack_seams *seams); /* seams may be NULL */
void stack_close(struct stack *s); /* half-opened ones too */

#endif
