/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retry: whether another attempt is made, and after which wait. Pure.
 *
 * The wait before attempt n + 1 is uniform in [0, min(backoff_max, backoff_base * 2^(n-1))] (full jitter, see
 * Brooker, "Exponential backoff and jitter", 2015), but never shorter than the provider's Retry-After.
 *
 * May include: base, edge/upstream/upstream.h.
 */
#ifndef WEIR_EDGE_UPSTREAM_RETRY_H
#define WEIR_EDGE_UPSTREAM_RETRY_H

#include "edge/upstream/upstream.h"

struct retry_facts {
    enum err fault; /* how the last attempt ended */
    bool is_final; /* bytes were given away, or the same end is certain */
    int attempts; /* started so far, at least 1 */
    nsec retry_after; /* negative: none */
    nsec now;
    nsec deadline;
};

/* True with the wait when another attempt is to be made; false when the call is over. A wait that
 * would reach the deadline is never begun. */
bool retry_plan(const struct retry_facts *facts, const struct upstream_limits *limits,
                struct rng *rng, nsec *out_delay);

#endif
