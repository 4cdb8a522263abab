/* SPDX-License-Identifier: Apache-2.0 */
/* walk: from the root down to what wants a look, by ucb1 or puct; ab's way down is in adaptive.c. */
#include <math.h>

#include "core/search/search_internal.h"

/* What one choice among siblings needs to know of their parent. */
struct choice {
    uint32_t first; /* child */
    uint32_t considered; /* the first so many of its children */
    uint32_t looks; /* N + O of the parent */
    double mean; /* stands in for a child that nothing is known of but that it is being looked at */
    bool wants_low; /* the other player chooses here */
    bool skips_pending;
};

/* ceil(factor·N^exponent), at least 1. */
static uint32_t considered_max(const struct search_tree *t, uint32_t state)
{
    double n = t->visits[state];
    double limit = ceil(t->config.widening_factor * pow(n, t->config.widening_exponent));

    return limit < 1 ? 1 : limit > SEARCH_NODES_MAX ? SEARCH_NODES_MAX : (uint32_t)limit;
}

static double child_mean(const struct search_tree *t, const struct choice *c, uint32_t state)
{
    if (t->visits[state] == 0)
        return c->mean;
    double mean = (double)t->sum[state] * 0x1p-24 / (double)t->visits[state];
    return c->wants_low ? 1 - mean : mean;
}

/* The first child that nobody looked at or is looking at; else the highest score, the first of equals.
 * SEARCH_NONE when all are pending. */
static uint32_t choose_ucb1(const struct search_tree *t, const struct choice *c)
{
    uint32_t best = SEARCH_NONE, edge = c->first;
    double best_score = -INFINITY;
    double spread = t->config.exploration * sqrt(log((double)c->looks));

    for (uint32_t i = 0; i < c->considered; i++, edge = t->next[edge]) {
        uint32_t state = state_of(t, edge);
        uint32_t looks = t->edge_visits[edge] + t->edge_unobserved[edge];
        if (c->skips_pending && t->flags[state] & NODE_PENDING)
            continue;
        if (looks == 0)
            return edge;
        double score = child_mean(t, c, state) + spread / sqrt((double)looks);
        if (score > best_score) {
            best_score = score;
            best = edge;
        }
    }
    return best;
}

static uint32_t choose_puct(const struct search_tree *t, const struct choice *c)
{
    uint32_t best = SEARCH_NONE, edge = c->first;
    double best_score = -INFINITY;
    double spread = t->config.exploration * sqrt((double)c->looks);

    for (uint32_t i = 0; i < c->considered; i++, edge = t->next[edge]) {
        uint32_t state = state_of(t, edge);
        uint32_t looks = t->edge_visits[edge] + t->edge_unobserved[edge];
        if (c->skips_pending && t->flags[state] & NODE_PENDING)
            continue;
        double score = child_mean(t, c, state) + spread * (double)t->prior[edge] / (1.0 + looks);
        if (score > best_score) {
            best_score = score;
            best = edge;
        }
    }
    return best;
}

static uint32_t choose(struct search_tree *t, uint32_t state, uint32_t considered,
                       enum walk_mode mode)
{
    struct choice c = {
        .first = t->next[t->last[state]],
        .considered = considered,
        .looks = t->visits[state] + t->unobserved[state],
        .wants_low = t->config.has_two_players && t->depth[state] % 2 == 1,
        .skips_pending = mode == WALK_TO_ASK && t->open > 0,
    };

    c.looks = c.looks > 0 ? c.looks : 1;
    c.mean = 0.5;
    if (t->visits[state] > 0)
        c.mean = child_mean(t, &c, state);
    t->selections++;
    return t->config.policy == SEARCH_PUCT ? choose_puct(t, &c) : choose_ucb1(t, &c);
}

static enum walk_end leaf_end(const struct search_tree *t, uint32_t state, enum walk_mode mode,
                              struct walk *w)
{
    w->want = SEARCH_EVALUATE;
    if (mode == WALK_TO_ASK && t->flags[state] & NODE_PENDING)
        return WALK_BLOCKED;
    if (t->own[state] == VALUE_NONE)
        return WALK_WANTS;
    if (is_growable(t, state)) {
        w->want = SEARCH_EXPAND;
        return WALK_WANTS;
    }
    bool is_final = t->flags[state] & (NODE_TERMINAL | NODE_CLOSED);
    return mode == WALK_TO_ASK || is_final ? WALK_REVISITS : WALK_WANTS;
}

/* Does progressive widening ask for children that the state does not have? */
static bool wants_wider(const struct search_tree *t, uint32_t state, uint32_t considered)
{
    return considered > t->child_count[state] && is_growable(t, state) &&
           !(t->flags[state] & NODE_WIDENING);
}

void walk_restart(struct walk *w)
{
    w->depth = 0;
    w->path[0] = SEARCH_ROOT;
}

void walk_revisit(struct search_tree *t, const struct walk *w)
{
    struct tally one = { 0 };

    tally_add(&one, t->own[state_of(t, w->path[w->depth])]);
    path_backup(t, w->path, w->depth, &one);
}

enum walk_end walk_down(struct search_tree *t, enum walk_mode mode, struct walk *w)
{
    if (t->is_adaptive)
        return walk_down_adaptive(t, w);
    for (;;) {
        uint32_t state = state_of(t, w->path[w->depth]), considered = t->child_count[state];
        if (considered == 0)
            return leaf_end(t, state, mode, w);
        if (t->config.widening_factor > 0) {
            uint32_t limit = considered_max(t, state);
            if (mode == WALK_TO_ASK && wants_wider(t, state, limit)) {
                w->want = SEARCH_WIDEN;
                return WALK_WANTS;
            }
            considered = limit < considered ? limit : considered;
        }
        uint32_t edge = choose(t, state, considered, mode);
        if (edge == SEARCH_NONE)
            return WALK_BLOCKED;
        w->path[++w->depth] = edge;
    }
}
