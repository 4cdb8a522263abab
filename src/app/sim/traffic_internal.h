/* SPDX-License-Identifier: Apache-2.0 */
/*
 * traffic: when queries arrive and to which conversation they belong.
 *
 * Arrivals are a Poisson process whose rate is constant for each hour of the day and changed by droughts. A query
 * begins a new conversation with probability 1/k, else it continues one of the open ones, chosen uniformly; a new one
 * takes the place of one of them. So a conversation has a geometric number of queries with mean k, arrivals stay Poisson, and
 * neither needs memory or time that grows with the traffic.
 */
#ifndef WEIR_APP_SIM_TRAFFIC_INTERNAL_H
#define WEIR_APP_SIM_TRAFFIC_INTERNAL_H

#include "base/rng.h"
#include "core/change/rollout.h"
#include "edge/config/scenario.h"

#define HOUR_US INT64_C(3600000000)

struct conversation {
    char id[40];
    size_t id_length; /* 0: a free place */
    enum scenario_domain domain;
    struct rollout_assignment assignment; /* of the generation below */
    int64_t generation;
    bool is_lost; /* sample ratio: its arm forgets to report it */
    double luck; /* [0, 1): whether a share of the units holds it */
};

struct traffic {
    const struct scenario *scenario;
    uint64_t seed;
    struct rng rng;
    double at_us; /* from the start */
    double until_us; /* the rate holds until then */
    double end_us;
    double rate; /* queries a microsecond */
    int64_t begun; /* conversations */
    struct conversation *open; /* scenario->traffic.open places */
};

/* open: zeroed, the caller's. */
void traffic_init(struct traffic *t, const struct scenario *s, uint64_t seed,
                  struct conversation *open);
/* The next arrival, in microseconds from the start; false: the traffic has ended. */
bool traffic_next(struct traffic *t, int64_t *out_us);
/* Whose query that is; is_new when it begins. */
struct conversation *traffic_pick(struct traffic *t, bool *out_is_new);

#endif
