/* SPDX-License-Identifier: Apache-2.0 */
/*
 * adaptive: adaptive branching (AB-MCTS-A, arXiv 2503.04412, section 3.3). At every node two beliefs are
 * drawn from: what a new child would score (GEN: the own values of the children that there are), and
 * what going on below a child brings (CONT: all values further down). Wider wins or deeper; deeper means
 * a draw for every child, from its own value and all below it.
 *
 * Everything follows from two sums, each child's over itself and below, and the children's own values:
 *     below(n) = subtree(n) - own(n)      CONT(n) = below(n) - GEN(n)
 */
#include "core/search/search_internal.h"

static struct posterior posterior_of(const struct search_tree *t, const struct tally *y)
{
    double sum = (double)y->sum * 0x1p-24, square = (double)y->square * 0x1p-24;

    if (t->config.policy == SEARCH_AB_BETA)
        return posterior_beta(t->config.prior.beta_a, t->config.prior.beta_b, y->count, sum);
    const struct student_prior prior = { .mean = t->config.prior.mean,
                                         .mean_weight = t->config.prior.mean_weight,
                                         .variance = t->config.prior.variance,
                                         .variance_weight = t->config.prior.variance_weight };
    return posterior_student(&prior, y->count, sum, square);
}

static struct tally subtree_tally(const struct search_tree *t, uint32_t state)
{
    return (struct tally){ .count = t->visits[state],
                           .sum = t->sum[state],
                           .square = t->square ? t->square[state] : 0 };
}

static struct tally tally_minus(struct tally a, const struct tally *b)
{
    a.count -= b->count;
    a.sum -= b->sum;
    a.square -= b->square;
    return a;
}

struct posterior node_posterior(const struct search_tree *t, uint32_t state)
{
    const struct tally y = subtree_tally(t, state);

    return posterior_of(t, &y);
}

static struct tally generated_tally(const struct search_tree *t, uint32_t state)
{
    struct tally y = { 0 };
    uint32_t at = SEARCH_NONE;

    if (t->flags[state] & NODE_CROWD)
        return crowd_generated(t, state);
    while (ring_next(t, state, &at))
        tally_add(&y, t->own[at]);
    return y;
}

/* Thompson's choice between a new child and one of those there are. */
static bool draws_wider(struct search_tree *t, uint32_t state)
{
    struct tally own = { 0 }, generated = generated_tally(t, state);

    if (t->own[state] != VALUE_NONE)
        tally_add(&own, t->own[state]);
    struct tally below = tally_minus(subtree_tally(t, state), &own);
    below = tally_minus(below, &generated);
    struct posterior wider = posterior_of(t, &generated), deeper = posterior_of(t, &below);
    double wider_draw = posterior_draw(&wider, &t->rng);
    return wider_draw >= posterior_draw(&deeper, &t->rng);
}

uint32_t adaptive_child_each(struct search_tree *t, uint32_t state)
{
    bool is_crowd = t->flags[state] & NODE_CROWD;
    uint32_t best = SEARCH_NONE, at = SEARCH_NONE;
    double best_draw = 0;

    while (is_crowd ? search_child_next(t, state, &at) : ring_next(t, state, &at)) {
        if (t->flags[at] & NODE_DEAD)
            continue;
        const struct posterior p = node_posterior(t, at);
        double draw = posterior_draw(&p, &t->rng);
        if (best == SEARCH_NONE || draw > best_draw) {
            best = at;
            best_draw = draw;
        }
    }
    return best;
}

static uint32_t choose(struct search_tree *t, uint32_t state)
{
    t->selections++;
    if (t->flags[state] & NODE_CROWD)
        return adaptive_child_crowd(t, state);
    return adaptive_child_each(t, state);
}

static void node_bury(struct search_tree *t, uint32_t state)
{
    t->flags[state] |= NODE_DEAD;
    if (state != SEARCH_ROOT && t->flags[t->parent[state]] & NODE_CROWD)
        crowd_update(t, t->parent[state], state);
}

enum walk_end walk_down_adaptive(struct search_tree *t, struct walk *w)
{
    if (t->count == t->config.nodes_max || t->is_full)
        return WALK_NOTHING;
    if (t->count + t->open >= t->config.nodes_max)
        return WALK_BLOCKED; /* what is under way may take the last node */
    while (!(t->flags[SEARCH_ROOT] & NODE_DEAD)) {
        uint32_t state = w->path[w->depth], child = SEARCH_NONE;
        bool can_widen = is_growable(t, state);
        bool has_children = t->child_count[state] > 0;
        w->want = has_children ? SEARCH_WIDEN : SEARCH_EXPAND;
        if (can_widen && (!has_children || draws_wider(t, state)))
            return WALK_WANTS;
        if (has_children)
            child = choose(t, state);
        if (child != SEARCH_NONE) {
            w->path[++w->depth] = child;
            continue;
        }
        if (can_widen)
            return WALK_WANTS;
        node_bury(t, state);
        walk_restart(w);
    }
    return WALK_NOTHING;
}
