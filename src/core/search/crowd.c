/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crowd: the children of an ab node once they are many. Thompson's draw wants the greatest of K independent
 * draws, and K may be tens of thousands; here it costs a few dozen at most, with the same distribution.
 *
 * Members are an array grouped by how much was observed of them (1, 2-3, 4-7, …), the dead last. In a
 * group every belief lies below one bound (largest parameters seen in it). A draw is a quantile Q_i(u) of a
 * uniform u; the uniforms of the K members of a group can be had in descending order, each at a random
 * member (u_1 = U^(1/K), u_2 = u_1·U^(1/(K-1)), …), and as soon as the bound's quantile of the next u
 * cannot beat the best draw so far, no later one can.
 *
 * An array is pieces of 64, 64, 128, 256, … entries that never move, so twice as many entries as nodes
 * always suffice. A child's position stands in its `next`.
 */
#include <math.h>

#include "core/search/search_internal.h"

#define SIZES 8 /* groups by how much was observed: 1, 2-3, 4-7, … 128- */
#define LEVELS 4 /* and by the mean, the high ones first */
#define GROUPS (SIZES * LEVELS)
#define GROUP_DEAD GROUPS
#define PIECE_FIRST UINT32_C(64)
#define PIECES 23 /* 64·2^22 entries = SEARCH_NODES_MAX */
#define GROUP_SMALL 8 /* members whose draws are simply made */

_Static_assert(PIECE_FIRST << (PIECES - 1) == SEARCH_NODES_MAX, "the pieces hold every node");
_Static_assert(PIECE_FIRST <= CROWD_FROM, "a crowd fills at least half of its pieces");

struct crowd {
    uint32_t piece[PIECES]; /* offsets into the pool */
    uint32_t end[GROUPS + 1]; /* positions behind each group; group g begins at end[g - 1] */
    float bound[GROUPS][2]; /* beta: largest a, smallest b; student: largest location, scale */
    uint64_t generated_sum, generated_square;
};

struct crowds {
    struct crowd *crowds;
    uint32_t count, max;
    uint32_t *pool;
    uint32_t pool_used, pool_max;
};

bool crowds_open(struct search_tree *t, struct arena *arena)
{
    uint32_t max = t->config.nodes_max / CROWD_FROM;
    struct crowds *c = ARENA_NEW(arena, struct crowds);

    if (!c)
        return false;
    t->crowds = c;
    c->max = max;
    c->pool_max = max > 0 ? 2 * t->config.nodes_max : 0;
    if (max > 0) {
        c->crowds = ARENA_ARRAY(arena, max, struct crowd);
        c->pool = ARENA_ARRAY(arena, c->pool_max, uint32_t);
    }
    t->bytes_per_node +=
        ((double)max * sizeof(struct crowd) + 4.0 * c->pool_max) / (double)t->config.nodes_max;
    return !arena_failed(arena);
}

static struct crowd *crowd_of(const struct search_tree *t, uint32_t state)
{
    return &t->crowds->crowds[t->last[state]];
}

/* ---- the array ---- */

static uint32_t bit_length(uint32_t x)
{
    return x == 0 ? 0 : 32 - (uint32_t)__builtin_clz(x);
}

static uint32_t piece_of(uint32_t position)
{
    return bit_length(position / PIECE_FIRST);
}

static uint32_t *entry(const struct search_tree *t, const struct crowd *c, uint32_t position)
{
    uint32_t piece = piece_of(position);
    uint32_t start = piece == 0 ? 0 : PIECE_FIRST << (piece - 1);

    return &t->crowds->pool[c->piece[piece] + position - start];
}

static void place(struct search_tree *t, const struct crowd *c, uint32_t position, uint32_t child)
{
    *entry(t, c, position) = child;
    t->next[child] = position;
}

static void swap(struct search_tree *t, const struct crowd *c, uint32_t a, uint32_t b)
{
    uint32_t at_a = *entry(t, c, a), at_b = *entry(t, c, b);

    place(t, c, a, at_b);
    place(t, c, b, at_a);
}

static uint32_t group_start(const struct crowd *c, uint32_t group)
{
    return group == 0 ? 0 : c->end[group - 1];
}

static uint32_t group_at(const struct crowd *c, uint32_t position)
{
    uint32_t group = 0;

    while (position >= c->end[group])
        group++;
    return group;
}

/* ---- membership ---- */

static uint32_t group_wanted(const struct search_tree *t, uint32_t child)
{
    if (t->flags[child] & NODE_DEAD)
        return GROUP_DEAD;
    uint32_t visits = t->visits[child]; /* at least 1: an ab child has its own value */
    uint32_t length = bit_length(visits), size = length > SIZES ? SIZES - 1 : length - 1;
    uint32_t level = (uint32_t)(t->sum[child] * LEVELS / ((uint64_t)visits * VALUE_ONE));
    return size * LEVELS + LEVELS - 1 - (level < LEVELS ? level : LEVELS - 1);
}

/* Moves a member from group to group by swaps with their ends, so that every move is a few steps. */
static void member_move(struct search_tree *t, struct crowd *c, uint32_t child, uint32_t from,
                        uint32_t to)
{
    for (uint32_t g = from; g < to; g++) {
        swap(t, c, t->next[child], c->end[g] - 1);
        c->end[g]--;
    }
    for (uint32_t g = from; g > to; g--) {
        swap(t, c, t->next[child], c->end[g - 1]);
        c->end[g - 1]++;
    }
}

/* A float not below x >= 0, or not above it. */
static float float_above(double x)
{
    return (float)(x * (1 + 1e-6));
}

static float float_below(double x)
{
    return (float)(x * (1 - 1e-6));
}

static void bound_stretch(const struct search_tree *t, struct crowd *c, uint32_t group,
                          uint32_t child)
{
    const struct posterior p = node_posterior(t, child);
    bool is_alone = c->end[group] - group_start(c, group) == 1;
    bool is_beta = p.kind == POSTERIOR_BETA;
    float first = float_above(is_beta ? p.a : p.location);
    float second = is_beta ? float_below(p.b) : float_above(p.scale);
    float *bound = c->bound[group];

    if (is_alone || first > bound[0])
        bound[0] = first;
    if (is_alone || (is_beta ? second < bound[1] : second > bound[1]))
        bound[1] = second;
}

void crowd_update(struct search_tree *t, uint32_t state, uint32_t child)
{
    struct crowd *c = crowd_of(t, state);
    uint32_t group = group_wanted(t, child);

    member_move(t, c, child, group_at(c, t->next[child]), group);
    if (group != GROUP_DEAD)
        bound_stretch(t, c, group, child);
}

void crowd_add(struct search_tree *t, uint32_t state, uint32_t child)
{
    struct crowds *all = t->crowds;
    struct crowd *c = crowd_of(t, state);
    struct tally own = { 0 };
    uint32_t position = c->end[GROUP_DEAD], piece = piece_of(position);

    if (position == 0 || (position >= PIECE_FIRST && (position & (position - 1)) == 0)) {
        uint32_t size = piece == 0 ? PIECE_FIRST : PIECE_FIRST << (piece - 1);
        assert(size <= all->pool_max - all->pool_used);
        c->piece[piece] = all->pool_used;
        all->pool_used += size;
    }
    c->end[GROUP_DEAD]++;
    place(t, c, position, child);
    tally_add(&own, t->own[child]);
    c->generated_sum += own.sum;
    c->generated_square += own.square;
    crowd_update(t, state, child);
}

void crowd_make(struct search_tree *t, uint32_t state)
{
    uint32_t last = t->last[state], child = t->next[last], n = t->child_count[state];

    assert(t->crowds->count < t->crowds->max);
    t->last[state] = t->crowds->count++;
    t->flags[state] |= NODE_CROWD;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t following = t->next[child];
        crowd_add(t, state, child);
        child = following;
    }
}

struct tally crowd_generated(const struct search_tree *t, uint32_t state)
{
    const struct crowd *c = crowd_of(t, state);

    return (struct tally){ .count = t->child_count[state],
                           .sum = c->generated_sum,
                           .square = c->generated_square };
}

uint32_t crowd_child_at(const struct search_tree *t, uint32_t state, uint32_t position)
{
    return *entry(t, crowd_of(t, state), position);
}

/* ---- the draw ---- */

struct leader {
    uint32_t child;
    double draw;
};

static void draw_each(struct search_tree *t, const struct crowd *c, uint32_t start, uint32_t end,
                      struct leader *best)
{
    for (uint32_t position = start; position < end; position++) {
        uint32_t child = *entry(t, c, position);
        const struct posterior p = node_posterior(t, child);
        double draw = posterior_draw(&p, &t->rng);
        if (best->child == SEARCH_NONE || draw > best->draw)
            *best = (struct leader){ child, draw };
    }
}

/* A belief above those of all members, at every draw from its upper half. */
static struct posterior group_bound(const struct search_tree *t, const struct crowd *c,
                                    uint32_t group)
{
    double first = (double)c->bound[group][0], second = (double)c->bound[group][1];

    if (t->config.policy == SEARCH_AB_BETA)
        return (struct posterior){ .kind = POSTERIOR_BETA, .a = first, .b = second };
    return (struct posterior){ .kind = POSTERIOR_STUDENT,
                               .location = first,
                               .scale = second,
                               .freedom = t->config.prior.variance_weight +
                                          (double)(1u << group / LEVELS) };
}

/* How much of the bound's upper tail lies above the best draw: members whose uniform leaves a larger
 * tail cannot beat it. */
static double tail_to_beat(const struct posterior *bound, const struct leader *best)
{
    if (best->child == SEARCH_NONE)
        return 1;
    if (bound->kind == POSTERIOR_STUDENT && best->draw <= bound->location)
        return 1; /* in the lower half a smaller scale is the higher one */
    return posterior_tail(bound, best->draw);
}

static bool member_beats(const struct posterior *p, double tail, struct leader *best,
                         uint32_t child)
{
    if (best->child != SEARCH_NONE && p->kind == POSTERIOR_BETA &&
        posterior_tail(p, best->draw) <= tail)
        return false; /* cheaper than the inverse */
    double draw = posterior_tail_inverse(p, tail);
    if (best->child != SEARCH_NONE && draw <= best->draw)
        return false;
    *best = (struct leader){ child, draw };
    return true;
}

static void draw_descending(struct search_tree *t, const struct crowd *c, uint32_t group,
                            struct leader *best)
{
    const struct posterior bound = group_bound(t, c, group);
    uint32_t start = group_start(c, group), size = c->end[group] - start;
    double limit = tail_to_beat(&bound, best), log_u = 0;

    for (uint32_t k = 0; k < size; k++) {
        log_u += log(1 - rng_unit(&t->rng)) / (double)(size - k);
        double tail = -expm1(log_u);
        if (tail >= limit)
            return;
        swap(t, c, start + k, start + k + (uint32_t)rng_below(&t->rng, size - k));
        uint32_t child = *entry(t, c, start + k);
        const struct posterior p = node_posterior(t, child);
        if (tail > 0 && member_beats(&p, tail, best, child))
            limit = tail_to_beat(&bound, best);
    }
}

uint32_t adaptive_child_crowd(struct search_tree *t, uint32_t state)
{
    const struct crowd *c = crowd_of(t, state);
    struct leader best = { SEARCH_NONE, 0 };

    for (uint32_t group = 0; group < GROUPS; group++) {
        uint32_t start = group_start(c, group), end = c->end[group];
        if (end - start <= GROUP_SMALL)
            draw_each(t, c, start, end, &best);
        else
            draw_descending(t, c, group, &best);
    }
    return best.child;
}

uint64_t crowds_hash(const struct search_tree *t, uint64_t hash)
{
    const struct crowds *all = t->crowds;

    for (uint32_t i = 0; i < all->count; i++) {
        const struct crowd *c = &all->crowds[i];
        for (int g = 0; g <= GROUPS; g++)
            hash = rng_mix(hash ^ c->end[g]);
        hash = rng_mix(hash ^ c->generated_sum);
        hash = rng_mix(hash ^ c->generated_square);
    }
    return hash;
}
