/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay: what another configuration would have decided about logged queries, what that would have cost, and, as far as the log
 * supports it, how often the answers would have been right. Pure but for its memory.
 *
 * A decision is made again from what the ledger keeps of the query: its domain, its features, the scores of both rules. Costs are the
 * logged means of the arms. Success is estimated from labelled queries whose propensities are known, and only where the log could
 * have gone the other policy's way: a query that was decided without exploration says nothing about another arm.
 *
 * Every sample is first learned, then decided, in two passes over the same log.
 *
 * May include: base, core/route, edge/config, edge/store, app/engine.
 */
#ifndef WEIR_APP_ENGINE_REPLAY_H
#define WEIR_APP_ENGINE_REPLAY_H

#include "base/arena.h"
#include "base/base.h"
#include "core/route/route_metrics.h"

struct config;
struct ledger_sample;

#define REPLAY_ARMS_MAX 64

/* A strategy on a model: what the log knows of it, and how often it was and would have been chosen. */
struct replay_arm {
    str strategy;
    str model;
    int64_t cost_n; /* queries whose cost is known */
    double cost_sum; /* nano-dollars */
    int64_t label_n;
    double label_sum;
    bool is_explored; /* the log took it where it explored */
    int64_t before; /* decided queries */
    double after; /* expected */
};

struct replay {
    const struct config *with; /* set by the owner; the rest is zero, then read */
    struct arena arena;
    struct replay_arm arms[REPLAY_ARMS_MAX];
    size_t arm_count;
    bool has_too_many; /* arms: those seen last were left out */
    int64_t queries; /* with a route */
    int64_t named; /* by the client: another configuration does the same */
    int64_t undecided; /* what the scorer needs is not in the ledger */
    int64_t decided;
    int64_t changed; /* the arm that would be taken is another one */
    double
        cost_before; /* nano-dollars at the arms' means, of decided queries whose cost is known before and after */
    double cost_after;
    int64_t cost_unknown; /* the other decided queries */
    int64_t labelled; /* decided ones */
    int64_t without_propensity; /* of them */
    int64_t unsupported; /* of the rest: the log would never have done the same */
    struct route_logged *rows; /* what is left: what success is estimated from */
    size_t row_count;
    size_t row_cap;
    double reward_sum; /* of the rows */
    bool has_no_memory;
};

void replay_init(struct replay *r, const struct config *with);
void replay_fini(struct replay *r);
void replay_learn(struct replay *r, const struct ledger_sample *s);
void replay_decide(struct replay *r, const struct ledger_sample *s);
/* Mean cost in nano-dollars; negative: unknown. */
double replay_arm_cost(const struct replay_arm *arm);
/* At 95 %. False when fewer than two rows are left. */
bool replay_success(const struct replay *r, struct counterfactual *out);

#endif
