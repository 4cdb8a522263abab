/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lanes: a lane is a provider, one of its models and one of its keys: what fails, is limited or is refused by itself. All workers
 * share the lanes, so that a provider is left alone by all at once and is probed by one.
 *
 * Each lane has a breaker (core/breaker) behind a lock that is held for a few dozen instructions, and a time until which its key
 * rests because the provider refused or limited it.
 *
 * A caller may rely on: nothing waits for the network or the disk here; a lane lives until lanes_close(); past LANES_MAX there are
 * no more, and what has none is never refused.
 *
 * May include: base, core/breaker, core/json, core/telemetry.
 */
#ifndef WEIR_EDGE_UPSTREAM_LANES_H
#define WEIR_EDGE_UPSTREAM_LANES_H

#include "base/base.h"
#include "core/breaker/breaker.h"
#include "core/telemetry/metric.h"

#define LANES_MAX 4096

struct lane;
struct lanes;

struct lane_name {
    str provider;
    str model; /* as the provider calls it */
    unsigned key; /* from 1; 0: none is sent */
    uint64_t
        identity; /* of address, model and key: who has the same shares the lane, in whichever configuration */
};

NODISCARD enum err lanes_open(struct lanes **out);
void lanes_close(struct lanes *l); /* nobody uses a lane any more; NULL is a no-op */
/* The lane of this identity, made when there is none; texts are copied. NULL: there are too many, or no memory. */
struct lane *lanes_find(struct lanes *l, const struct lane_name *name);

/* breaker_admit() and so on of a lane's breaker. A NULL lane admits everything and notes nothing. */
bool lane_admit(struct lane *lane, const struct breaker_options *options, nsec now,
                bool has_alternative, struct breaker_ticket *out);
void lane_note(struct lane *lane, const struct breaker_options *options, nsec now,
               struct breaker_ticket ticket, bool is_fault);
void lane_forget(struct lane *lane, struct breaker_ticket ticket);
/* Its key is not to be used before then, unless there is no other. */
void lane_rest(struct lane *lane, nsec until);
bool lane_is_resting(const struct lane *lane, nsec now);

/* The state and the openings of each lane, as metrics. */
void lanes_walk(struct lanes *l, const struct metric_sink *sink);
/* Appends a JSON array: provider, model, key, state, score, opened, seconds until the next probe, seconds that the key rests. */
void lanes_write(struct lanes *l, nsec now, struct buf *out);

#endif
