/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arms: who runs under which configuration, as one immutable value. A worker reads it when a query starts and never again: the
 * query keeps what it was assigned, so a swap changes nothing that is under way.
 *
 *     publisher   now: A -> B    A is retired; freed unless a reader holds it, and then at a later publication
 *     reader      holds: A, still now? then it may be read; holds: nothing
 *
 * Each reader says in a line of its own which value it is reading (a hazard pointer: M. Michael, "Hazard pointers: safe memory
 * reclamation for lock-free objects", IEEE TPDS 15(6), 2004), so nobody waits for anybody.
 *
 * Plain requests and those that name their model take no part: what a client names is what it gets. While a rollout compares
 * its arms, experiments take only its baseline, so that neither shifts the other's measures.
 *
 * A caller may rely on: without a rollout and without experiments an assignment costs one load; of what was published before at
 * most one value a reader is still in memory.
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
    struct experiment experiment; /* with the shares of its epoch */
    const struct engine_profile *profiles[EXPERIMENT_ARMS_MAX]; /* NULL: what holds without it */
    str labels[EXPERIMENT_ARMS_MAX]; /* "mcts_validation/mcts" */
};

/* Whatever it points to, profiles and labels, lives as long as any query may hold it: until the program ends. */
struct arms {
    uint32_t rollout; /* its number; 0: nobody is in one */
    struct rollout_snapshot snapshot;
    const struct engine_profile *canary;
    str labels[ROLLOUT_ARM_COUNT]; /* "gpt-4o-mini/canary" */
    bool is_measured; /* experiments keep to the baseline */
    struct arms_experiment experiments[ARMS_EXPERIMENTS_MAX];
    size_t experiment_count;
    struct arms *older; /* the slot's, once it is replaced */
};

/* One a worker, in its own memory. Only its worker enters and exits, the publisher looks. */
struct arms_reader {
    _Alignas(64) _Atomic(const struct arms *) holds; /* NULL: reads nothing */
    struct arms_reader *next;
};

struct arms_slot { /* zero-initialised is empty */
    _Atomic(struct arms *) now; /* NULL: nobody is assigned anything */
    struct arms_reader *readers;
    struct arms *retired; /* the publisher's */
};

/* The publisher's, one thread. Takes arms, from malloc(); NULL: nobody is assigned anything. Never fails, never waits. */
void arms_publish(struct arms_slot *slot, struct arms *arms);
size_t arms_retired_count(const struct arms_slot *slot); /* published before and not yet freed */
/* Frees everything. Every reader has ended. */
void arms_slot_fini(struct arms_slot *slot);

/* Before the first publication that it may meet, from the thread that publishes; the reader lives until arms_slot_fini(). */
void arms_join(struct arms_slot *slot, struct arms_reader *reader);
/* What holds now, to be read until arms_exit(), in between no other. NULL: nobody is assigned anything, and there is nothing
 * to exit. */
const struct arms *arms_enter(struct arms_slot *slot, struct arms_reader *reader);
void arms_exit(struct arms_reader *reader);

/* A configuration as queries run under it: its models, endpoints, prices and strategies; the fallback of its `route` with it.
 * Immutable and shared by all workers; the configuration must outlive it. */
NODISCARD enum err engine_profile_open(struct engine_profile **out, const struct config *config);
void engine_profile_close(struct engine_profile *p); /* NULL is a no-op */

#endif
