/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flights: the queries that are under way, by when they end: a binary heap of keys over slots that never move.
 */
#ifndef WEIR_APP_SIM_FLIGHTS_INTERNAL_H
#define WEIR_APP_SIM_FLIGHTS_INTERNAL_H

#include "core/change/rollout.h"
#include "edge/config/scenario.h"

struct flight {
    struct outcome outcome;
    int64_t phase; /* that it was assigned in */
    enum rollout_arm arm;
    enum scenario_domain domain;
};
struct flight_key {
    int64_t end_us;
    uint32_t slot;
};
struct flights {
    struct flight *slots;
    struct flight_key *heap; /* the first `count` are under way; the slots of the others are free */
    size_t count, max;
};
/* Memory in the arena; WEIR_NO_MEMORY. */
NODISCARD enum err flights_init(struct flights *f, struct arena *arena, size_t max);
/* There must be room. */
void flights_add(struct flights *f, int64_t end_us, const struct flight *flight);
static inline bool flights_are_full(const struct flights *f)
{
    return f->count == f->max;
}
/* INT64_MAX: none is under way. */
static inline int64_t flights_next(const struct flights *f)
{
    return f->count > 0 ? f->heap[0].end_us : INT64_MAX;
}
/* The one that ends first, which must be there; valid until the next flights_add(). */
const struct flight *flights_take(struct flights *f);

#endif
