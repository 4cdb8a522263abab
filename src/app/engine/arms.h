/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arms: who runs under which configuration, as one immutable value. A worker reads the pointer when a query starts and
 * never again: the query keeps what it was assigned, so a swap changes nothing that is under way.
 *
 * Plain requests and those that name their model take no part: what a client names is what it gets. While a rollout compares
 * its arms, experiments take only its baseline, so that neither shifts the other's measures.
 *
 * A caller may rely on: without a rollout and without experiments an assignment costs one load.
 *
 * May include: base, core/change.
 */
#ifndef WEIR_APP_ENGINE_ARMS_H
#define WEIR_APP_ENGINE_ARMS_H

#include <stdatomic.h>

#include "base/base.h"
#include "core/change/experiment.h"
#include "core/change/rollout.h"

struct config;
struct engine_profile;

#define ARMS_EXPERIMENTS_MAX 4

struct arms_experiment {
    uint32_t number; /* > 0 */
    uint8_t epoch; /* of its shares */
    const struct experiment *experiment;
    const struct engine_profile *profiles[EXPERIMENT_ARMS_MAX]; /* NULL: what holds without it */
    str labels[EXPERIMENT_ARMS_MAX]; /* "mcts_validation/mcts" */
};

/* Everything that it points to lives as long as any query may hold it: until the program ends. */
struct arms {
    uint32_t rollout; /* its number; 0: nobody is in one */
    struct rollout_snapshot snapshot;
    const struct engine_profile *canary;
    str labels[ROLLOUT_ARM_COUNT]; /* "gpt-4o-mini/canary" */
    bool is_measured; /* experiments keep to the baseline */
    struct arms_experiment experiments[ARMS_EXPERIMENTS_MAX];
    size_t experiment_count;
};

struct arms_slot {
    _Atomic(const struct arms *) now; /* NULL: nobody is assigned anything */
};
static inline void arms_publish(struct arms_slot *slot, const struct arms *arms)
{
    atomic_store_explicit(&slot->now, arms, memory_order_release);
}

/* A configuration as queries run under it: its models, endpoints, prices and strategies; the fallback of its `route` with it.
 * Immutable and shared by all workers; the configuration must outlive it. */
NODISCARD enum err engine_profile_open(struct engine_profile **out, const struct config *config);
void engine_profile_close(struct engine_profile *p); /* NULL is a no-op */

#endif
