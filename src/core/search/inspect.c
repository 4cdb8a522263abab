/* SPDX-License-Identifier: Apache-2.0 */
/* inspect: what a tree shows: nodes, the best so far, its hash. Nothing here changes one, but for a tag. */
#include <math.h>

#include "core/search/search_internal.h"

uint32_t search_node_count(const struct search_tree *t)
{
    return t->count;
}

double search_node_bytes(const struct search_tree *t)
{
    return t->bytes_per_node;
}

uint64_t search_selections(const struct search_tree *t)
{
    return t->selections;
}

static double state_mean(const struct search_tree *t, uint32_t state)
{
    if (t->visits[state] == 0)
        return SEARCH_NO_VALUE;
    return (double)t->sum[state] * 0x1p-24 / (double)t->visits[state];
}

struct search_node search_node_at(const struct search_tree *t, uint32_t node)
{
    assert(node < t->count);
    uint32_t state = state_of(t, node);

    return (struct search_node){
        .parent = t->parent[node],
        .state = state,
        .depth = t->depth[node],
        .tag = t->tag[node],
        .visits = t->visits[state],
        .edge_visits = t->edge_visits[node],
        .unobserved = t->edge_unobserved[node],
        .child_count = t->child_count[state],
        .mean = state_mean(t, state),
        .own_value = t->own[state] == VALUE_NONE ? SEARCH_NO_VALUE : value_to_double(t->own[state]),
        .prior = t->prior ? (double)t->prior[node] : 0,
        .is_terminal = t->flags[state] & NODE_TERMINAL,
        .is_closed = t->flags[state] & NODE_CLOSED,
    };
}

bool search_child_next(const struct search_tree *t, uint32_t node, uint32_t *at)
{
    uint32_t state = state_of(t, node);

    if (!(t->flags[state] & NODE_CROWD))
        return ring_next(t, state, at);
    uint32_t position = *at == SEARCH_NONE ? 0 : t->next[*at] + 1;
    if (position == t->child_count[state])
        return false;
    *at = crowd_child_at(t, state, position);
    return true;
}

void search_tag_set(struct search_tree *t, uint32_t node, uint32_t tag)
{
    assert(node < t->count);
    log_tag(t, node, tag);
    t->tag[node] = tag;
}

size_t search_path(const struct search_tree *t, uint32_t node, uint32_t *out)
{
    assert(node < t->count);
    size_t n = t->depth[node] + 1u;

    for (size_t i = n; i-- > 0; node = t->parent[node])
        out[i] = node;
    return n;
}

/* ---- the best ---- */

struct candidate {
    double score;
    double mean; /* as the chooser likes it */
};

static struct candidate candidate_of(const struct search_tree *t, uint32_t parent, uint32_t edge)
{
    uint32_t state = state_of(t, edge), visits = t->edge_visits[edge];
    bool wants_low = t->config.has_two_players && t->depth[parent] % 2 == 1;
    double mean = state_mean(t, state);

    mean = wants_low ? 1 - mean : mean;
    switch (t->config.choice) {
    case SEARCH_BY_VISITS:
        return (struct candidate){ visits, mean };
    case SEARCH_BY_VALUE:
        return (struct candidate){ mean, mean };
    case SEARCH_BY_LOWER_BOUND:
        return (struct candidate){ mean - t->config.exploration *
                                              sqrt(log((double)t->visits[parent]) / (double)visits),
                                   mean };
    case SEARCH_CHOICE_COUNT:
        break;
    }
    return (struct candidate){ 0, 0 };
}

static uint32_t best_child(const struct search_tree *t, uint32_t node)
{
    uint32_t state = state_of(t, node), best = SEARCH_NONE, at = SEARCH_NONE;
    struct candidate best_candidate = { 0 };

    while (search_child_next(t, state, &at)) {
        if (t->edge_visits[at] == 0)
            continue;
        const struct candidate c = candidate_of(t, state, at);
        if (best == SEARCH_NONE || c.score > best_candidate.score ||
            (c.score == best_candidate.score && c.mean > best_candidate.mean)) {
            best = at;
            best_candidate = c;
        }
    }
    return best;
}

struct search_best search_best(const struct search_tree *t)
{
    uint32_t node = best_child(t, SEARCH_ROOT);

    if (node == SEARCH_NONE)
        return (struct search_best){ .node = SEARCH_NONE, .mean = SEARCH_NO_VALUE };
    return (struct search_best){ .node = node,
                                 .tag = t->tag[node],
                                 .visits = t->edge_visits[node],
                                 .mean = state_mean(t, state_of(t, node)) };
}

size_t search_best_line(const struct search_tree *t, uint32_t *out, size_t max)
{
    uint32_t node = SEARCH_ROOT;
    size_t n = 0;

    while (n < max && (node = best_child(t, node)) != SEARCH_NONE)
        out[n++] = node;
    return n;
}

uint32_t search_best_terminal(const struct search_tree *t)
{
    return t->best_terminal;
}

uint32_t search_best_valued(const struct search_tree *t)
{
    return t->best_valued;
}

/* ---- the hash ---- */

static uint64_t node_hash(const struct search_tree *t, uint32_t n, uint64_t hash)
{
    hash = rng_mix(hash ^ ((uint64_t)t->parent[n] << 32 | t->last[n]));
    hash = rng_mix(hash ^ ((uint64_t)t->next[n] << 32 | t->child_count[n]));
    hash = rng_mix(hash ^ ((uint64_t)t->visits[n] << 32 | t->tag[n]));
    hash = rng_mix(hash ^ t->sum[n]);
    hash = rng_mix(hash ^ ((uint64_t)t->own[n] << 32 | (uint32_t)t->unobserved[n] << 16 |
                           (uint32_t)t->depth[n] << 8 | t->flags[n]));
    hash = rng_mix(hash ^ ((uint64_t)t->edge_visits[n] << 32 | t->edge_unobserved[n]));
    if (t->square)
        hash = rng_mix(hash ^ t->square[n]);
    if (t->key)
        hash = rng_mix(hash ^ t->key[n]);
    if (t->prior) {
        uint32_t bits;
        memcpy(&bits, &t->prior[n], sizeof(bits));
        hash = rng_mix(hash ^ bits);
    }
    return hash;
}

uint64_t search_hash(const struct search_tree *t)
{
    uint64_t hash = rng_mix(t->count);

    for (uint32_t n = 0; n < t->count; n++)
        hash = node_hash(t, n, hash + n);
    if (t->crowds)
        hash = crowds_hash(t, hash);
    for (int i = 0; i < 4; i++)
        hash = rng_mix(hash ^ t->rng.s[i]);
    hash = rng_mix(hash ^ t->sequence);
    hash = rng_mix(hash ^ ((uint64_t)t->best_terminal << 32 | t->best_valued));
    return rng_mix(hash ^ ((uint64_t)t->open << 1 | t->is_full));
}
