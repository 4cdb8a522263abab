/* SPDX-License-Identifier: Apache-2.0 */
/*
 * search_world: an owner of a search tree that asks and tells at random from a seed, keeps its own books of every
 * observation, and compares them with the tree. For tests and fuzz targets.
 *
 * What holds, exactly, for every tree at any time:
 *   - a state's visits = its own observations + the edge visits of its children;
 *   - a state's visits = the sum of the edge visits of all edges that lead to it (the root's: its own edge's);
 *   - an edge's unobserved count = the open tickets whose path holds it;
 *   - without transpositions, a state's sum = the sum of its own observations + its children's sums;
 *   - the root's sum = the sum of all observations.
 * Own observations are values told for a node, alone or among its siblings, and visits again of an end.
 *
 * May include: base.
 */
#ifndef WEIR_CORE_SEARCH_SEARCH_WORLD_H
#define WEIR_CORE_SEARCH_SEARCH_WORLD_H

#include <stdlib.h>

#include "core/search/search.h"
#include "test/check.h"

/* ---- a tree with no books, for tables ---- */

struct setup {
    struct arena arena;
    struct search_tree *tree;
};

static inline bool setup_open(struct setup *s, const struct search_config *c)
{
    arena_init(&s->arena, (size_t)64 << 20);
    return search_open(&s->tree, &s->arena, c) == OK;
}

static inline void setup_close(struct setup *s)
{
    arena_fini(&s->arena);
}

/* Asks and tells at once: a value (or none) and children by their values, tags from `tag` on. */
static inline uint32_t look(struct search_tree *t, double value, const double *children, size_t n,
                            uint32_t tag)
{
    struct search_child list[8];
    struct search_ticket ticket;
    struct search_result r = { .value = value, .children = list, .child_count = n };

    for (size_t i = 0; i < n; i++)
        list[i] = (struct search_child){ .value = children[i], .tag = tag + (uint32_t)i };
    if (!search_ask(t, &ticket) || search_tell(t, ticket.id, &r) != OK)
        return SEARCH_NONE;
    return ticket.node;
}

/* ---- an owner with books ---- */

#define WORLD_TICKETS 16
#define WORLD_CHILDREN 6

struct world {
    struct arena arena;
    struct search_tree *tree;
    struct search_config config;
    struct rng rng;
    struct search_ticket open[WORLD_TICKETS];
    uint32_t open_count;
    uint64_t closed; /* the last ticket that was told or dropped */
    uint32_t next_tag;
    uint32_t *own_count; /* by node: its own observations that were told */
    uint64_t *own_sum; /* in units of 2^-24 */
};

static inline struct search_config world_config(uint64_t seed)
{
    struct rng r;
    struct search_config c = search_config_default();

    rng_init(&r, seed);
    c.policy = (enum search_policy)rng_below(&r, SEARCH_POLICY_COUNT);
    bool is_adaptive = c.policy == SEARCH_AB_BETA || c.policy == SEARCH_AB_GAUSSIAN;
    c.choice = (enum search_choice)rng_below(&r, SEARCH_CHOICE_COUNT);
    c.seed = rng_u64(&r);
    c.nodes_max = (uint32_t)(rng_below(&r, 4) == 0 ? 1 + rng_below(&r, 40) : 2000);
    c.tickets_max = (uint32_t)(1 + rng_below(&r, WORLD_TICKETS));
    c.depth_max = (uint32_t)(1 + rng_below(&r, 6));
    c.exploration = rng_unit(&r) * 2;
    c.has_two_players = !is_adaptive && rng_below(&r, 3) == 0;
    c.has_transpositions = !is_adaptive && rng_below(&r, 2) == 0;
    if (rng_below(&r, 3) == 0)
        c.widening_factor = 1 + rng_unit(&r);
    return c;
}

static inline bool world_open(struct world *w, const struct search_config *config, uint64_t seed)
{
    *w = (struct world){ .config = *config };
    arena_init(&w->arena, (size_t)64 << 20);
    rng_init(&w->rng, seed);
    w->own_count = ARENA_ARRAY(&w->arena, config->nodes_max, uint32_t);
    w->own_sum = ARENA_ARRAY(&w->arena, config->nodes_max, uint64_t);
    return search_open(&w->tree, &w->arena, config) == OK;
}

static inline void world_close(struct world *w)
{
    arena_fini(&w->arena);
}

static inline bool world_has_value(double value)
{
    return value >= 0 && value <= 1;
}

static inline void world_observed(struct world *w, uint32_t node, double value)
{
    uint32_t state = search_node_at(w->tree, node).state;

    w->own_count[state]++;
    w->own_sum[state] += (uint64_t)(value * 16777216.0 + 0.5);
}

static inline bool world_is_adaptive(const struct world *w)
{
    return w->config.policy == SEARCH_AB_BETA || w->config.policy == SEARCH_AB_GAUSSIAN;
}

/* Tells an open ticket and books it: the value, and the valued children that became nodes. */
static inline bool world_tell(struct world *w, uint32_t at, const struct search_result *result)
{
    const struct search_ticket ticket = w->open[at];
    uint32_t before = search_node_count(w->tree);

    if (search_tell(w->tree, ticket.id, result) != OK)
        return false;
    if (world_has_value(result->value) && !world_is_adaptive(w))
        world_observed(w, ticket.node, result->value);
    for (size_t i = 0; i < result->child_count && before < search_node_count(w->tree); i++) {
        if (search_node_at(w->tree, before).tag != result->children[i].tag)
            continue; /* a sibling is the same state */
        if (world_has_value(result->children[i].value))
            world_observed(w, before, result->children[i].value);
        before++;
    }
    w->closed = ticket.id;
    w->open[at] = w->open[--w->open_count];
    return true;
}

static inline void world_drop(struct world *w, uint32_t at)
{
    w->closed = w->open[at].id;
    search_drop(w->tree, w->open[at].id);
    w->open[at] = w->open[--w->open_count];
}

static inline bool world_ask(struct world *w)
{
    struct search_ticket ticket;

    if (w->open_count == WORLD_TICKETS || !search_ask(w->tree, &ticket))
        return false;
    w->open[w->open_count++] = ticket;
    return true;
}

/* A random result that fits what the ticket wants; now and then more, or nothing. */
static inline struct search_result world_result(struct world *w, const struct search_ticket *ticket,
                                                struct search_child children[WORLD_CHILDREN])
{
    struct rng *r = &w->rng;
    struct search_result result = { .value = SEARCH_NO_VALUE, .children = children };
    bool is_scored = world_is_adaptive(w) || rng_below(r, 2) == 0;

    if (ticket->want == SEARCH_EVALUATE || rng_below(r, 8) == 0)
        result.value = rng_unit(r);
    if (ticket->want != SEARCH_EVALUATE || rng_below(r, 4) > 0)
        result.child_count = rng_below(r, WORLD_CHILDREN + 1);
    for (size_t i = 0; i < result.child_count; i++)
        children[i] = (struct search_child){ .value = is_scored ? rng_unit(r) : SEARCH_NO_VALUE,
                                             .prior = rng_below(r, 3) == 0 ? 0 : rng_unit(r),
                                             .key = rng_below(r, 2) == 0 ? 1 + rng_below(r, 12) : 0,
                                             .tag = ++w->next_tag,
                                             .is_terminal = rng_below(r, 8) == 0 };
    result.is_terminal = ticket->depth > 0 && rng_below(r, 20) == 0;
    result.is_closed = rng_below(r, 12) == 0;
    return result;
}

/* One random thing that an owner may do; false when nothing is left to do. */
static inline bool world_step(struct world *w)
{
    struct search_child children[WORLD_CHILDREN];

    if (w->open_count == 0 || rng_below(&w->rng, 2) == 0)
        return world_ask(w) || w->open_count > 0;
    uint32_t at = (uint32_t)rng_below(&w->rng, w->open_count);
    if (rng_below(&w->rng, 8) == 0) {
        world_drop(w, at);
        return true;
    }
    const struct search_result result = world_result(w, &w->open[at], children);
    CHECK(world_tell(w, at, &result));
    return true;
}

/* ---- the books against the tree ---- */

struct world_sums {
    uint32_t edges_in; /* edge visits of the edges that lead to the state */
    uint32_t below; /* edge visits of its children */
    uint32_t unobserved; /* open tickets through the edge */
    uint64_t sum_below;
};

static inline uint64_t world_sum(const struct search_node *x)
{
    return x->visits == 0 ? 0 : (uint64_t)(x->mean * x->visits * 16777216.0 + 0.5);
}

static inline void world_gather(const struct world *w, struct world_sums *sums)
{
    uint32_t n = search_node_count(w->tree);

    for (uint32_t i = 0; i < n; i++) {
        const struct search_node x = search_node_at(w->tree, i);
        sums[x.state].edges_in += x.edge_visits;
        if (x.parent != SEARCH_NONE) {
            sums[x.parent].below += x.edge_visits;
            sums[x.parent].sum_below += world_sum(&x);
        }
    }
    for (uint32_t i = 0; i < w->open_count; i++)
        for (uint32_t d = 0; d <= w->open[i].depth; d++)
            sums[w->open[i].path[d]].unobserved++;
}

static inline void world_check_node(const struct world *w, uint32_t i, const struct world_sums *s)
{
    const struct search_node x = search_node_at(w->tree, i);
    uint32_t at = SEARCH_NONE, children = 0;

    CHECK_INT(x.unobserved, s->unobserved);
    if (x.parent != SEARCH_NONE)
        CHECK_INT(x.depth, search_node_at(w->tree, x.parent).depth + 1);
    CHECK(x.depth <= w->config.depth_max);
    if (x.state != i) {
        CHECK(w->config.has_transpositions);
        CHECK_INT(search_node_at(w->tree, x.state).depth, x.depth);
        CHECK_INT(search_node_at(w->tree, x.state).state, x.state);
        return;
    }
    while (search_child_next(w->tree, i, &at)) {
        CHECK_INT(search_node_at(w->tree, at).parent, i);
        children++;
    }
    CHECK_INT(children, x.child_count);
    CHECK_INT(x.visits, s->edges_in);
    CHECK(x.visits > 0 ? x.mean >= 0 && x.mean <= 1 : x.mean == SEARCH_NO_VALUE);
    if (x.child_count == 0) { /* ends are visited again */
        CHECK(x.visits >= w->own_count[i]);
        return;
    }
    CHECK_INT(x.visits, w->own_count[i] + s->below);
    if (!w->config.has_transpositions)
        CHECK_INT(world_sum(&x), w->own_sum[i] + s->sum_below);
}

static inline void world_check(const struct world *w)
{
    uint32_t n = search_node_count(w->tree);
    struct world_sums *sums = calloc(n, sizeof(*sums));

    REQUIRE(sums);
    CHECK_INT(search_open_tickets(w->tree), w->open_count);
    CHECK(n <= w->config.nodes_max);
    world_gather(w, sums);
    for (uint32_t i = 0; i < n; i++)
        world_check_node(w, i, &sums[i]);
    free(sums);
}

#endif
