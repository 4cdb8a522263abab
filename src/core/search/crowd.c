/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crowd: the children of an ab node once they are many. Thompson's draw wants the greatest of K independent
 * draws, and K may be tens of thousands; here it costs some dozens, with the same distribution.
 *
 * A draw is the quantile Q_i(u) of a uniform u. The uniforms of K members can be had in descending order,
 * each at a random member: u_1 = U^(1/K), u_2 = u_1·U^(1/(K-1)), … (order statistics). Where one belief
 * lies above those of all K, nobody is left to look at as soon as even its quantile of the next u does not
 * beat the best draw so far.
 *
 * So members are kept in cells of similar beliefs: octaves by how much was observed of them (1, 2-3, 4-7, …), and in an
 * octave levels by their reach, the high ones first: by some upper point of the belief, for it is its upper end that
 * wins. The cells are ranges of one array, the long known first, the dead last; a member changes its cell by
 * swaps. The array is pieces of 64, 64, 128, 256, … entries that never move, so twice as many entries as nodes
 * always suffice. A child's position stands in its `next`.
 */
#include <math.h>

#include "core/search/search_internal.h"

#define OCTAVES 12 /* the last is open-ended: 2,048 observations and more */
#define CELLS 522
#define CELL_DEAD CELLS
/* The first cell and the number of levels of each octave: a level is about half a standard deviation wide. */
static const struct {
    uint16_t first, levels;
} octaves[OCTAVES] = {
    { 498, 24 }, { 474, 24 }, { 446, 28 }, { 414, 32 }, { 374, 40 }, { 326, 48 },
    { 270, 56 }, { 210, 60 }, { 150, 60 }, { 94, 56 },  { 44, 50 },  { 0, 44 },
};
/* Beta's reach is what it exceeds with this chance. Its levels are even in asin(sqrt(reach)) up to 3/4, where the deviation of
 * a mean of n values of 0 and 1 is 1/(2·sqrt(n)), and in ln(1 - reach) from there up to BETA_REACH_MAX. */
#define BETA_TAIL 0.1
#define BETA_LOW_LEVELS 0.4 /* of all */
#define BETA_REACH_MAX (1 - 1e-8)
/* Student's is so many scales above its location; its levels are even up to a highest reach. Above that is one more. */
#define STUDENT_SCALES 1.5
#define STUDENT_REACH_MAX 1.25

#define PIECE_FIRST UINT32_C(64)
#define PIECES 23 /* 64·2^22 entries = SEARCH_NODES_MAX */
/* One crowd for so many nodes of the tree, and one more; when they are used up, rings stay rings. */
#define CROWD_NODES 384
#define CELL_SMALL 3 /* members that cost no more to look at than a closer bound */

_Static_assert(PIECE_FIRST << (PIECES - 1) == SEARCH_NODES_MAX, "the pieces hold every node");
_Static_assert(PIECE_FIRST <= CROWD_FROM, "a crowd fills at least half of its pieces");

struct crowd {
    uint32_t piece[PIECES]; /* offsets into the pool */
    uint32_t end[CELLS + 1]; /* positions behind each cell; a cell begins where one ends */
    uint8_t scale[CELLS]; /* student: code of the largest seen in the cell since it was empty */
    uint64_t generated_sum, generated_square;
    uint32_t octave; /* of the last draw's winner: looked at first, for a good draw early */
};

struct crowds {
    struct crowd *crowds;
    uint32_t count, max;
    uint32_t *pool;
    uint32_t pool_used, pool_max;
    /* Likelier than the beliefs of the cell, and of the lower levels of its octave, to beat what is above their
     * reach: with the highest reach and the fewest observations. */
    struct bound {
        double first, second; /* a and b, or reach and freedom */
        double log_beta;
    } bounds[CELLS];
};

/* ---- bounds ---- */

/* The Beta of this a + b that exceeds the reach with the chance BETA_TAIL, and a little more. */
static struct posterior beta_of_reach(double sum, double reach)
{
    double low = 0, high = 1;
    struct posterior p = { .kind = POSTERIOR_BETA };

    for (int i = 0; i < 50; i++) {
        double mean = (low + high) / 2;
        p.a = mean * sum;
        p.b = (1 - mean) * sum;
        if (posterior_tail(&p, reach) > BETA_TAIL * (1 + 1e-4))
            high = mean;
        else
            low = mean;
    }
    p.a = high * sum;
    p.b = (1 - high) * sum;
    return p;
}

/* From a reach to its level among those of an octave, 0 to 1, and back. */
static double beta_level(double reach)
{
    if (reach <= 0.75)
        return asin(sqrt(reach)) / asin(sqrt(0.75)) * BETA_LOW_LEVELS;
    return BETA_LOW_LEVELS +
           (1 - BETA_LOW_LEVELS) * log((1 - reach) / 0.25) / log((1 - BETA_REACH_MAX) / 0.25);
}

static double beta_reach(double level)
{
    double above = (level - BETA_LOW_LEVELS) / (1 - BETA_LOW_LEVELS);

    if (above <= 0)
        return pow(sin(asin(sqrt(0.75)) * level / BETA_LOW_LEVELS), 2);
    return 1 - 0.25 * pow((1 - BETA_REACH_MAX) / 0.25, above);
}

/* `level` is the upper end of the cell's. */
static struct bound bound_make(const struct search_config *c, uint32_t octave, double level)
{
    double low = (double)(1u << octave);
    struct posterior p = { .kind = POSTERIOR_STUDENT, .freedom = c->prior.variance_weight + low };

    if (c->policy == SEARCH_AB_BETA) {
        if (level >= 1)
            return (struct bound){ .first = 1 }; /* b = 0: no bound */
        p = beta_of_reach(c->prior.beta_a + c->prior.beta_b + low, beta_reach(level));
        posterior_prepare(&p);
        return (struct bound){ p.a, p.b, p.log_beta };
    }
    posterior_prepare(&p);
    return (struct bound){ level < 1 ? level * STUDENT_REACH_MAX * (1 + 1e-9) : INFINITY, p.freedom,
                           p.log_beta };
}

static void bounds_make(struct crowds *all, const struct search_config *c)
{
    for (uint32_t octave = 0; octave < OCTAVES; octave++)
        for (uint32_t k = 0; k < octaves[octave].levels; k++) {
            double level = (double)(octaves[octave].levels - k) / octaves[octave].levels;
            all->bounds[octaves[octave].first + k] = bound_make(c, octave, level);
        }
}

/* A scale in eight bits, an eighth of a power of two apart, rounded up: 2^-24 to 2^8, below which the limits
 * of the prior keep it. */
static uint8_t scale_code(double scale)
{
    int exponent, code;
    double part = frexp(scale, &exponent); /* in [1/2, 1) */

    code = 8 * (exponent + 23) + (int)ceil((part - 0.5) * 16);
    return (uint8_t)(code < 0 ? 0 : code > 255 ? 255 : code);
}

static double scale_of(uint8_t code)
{
    return ldexp(0.5 + code % 8 / 16.0, code / 8 - 23);
}

/* The bound of a cell's members, given the code of their scales'. */
static struct posterior bound_of(const struct search_tree *t, uint32_t cell, uint8_t scale)
{
    const struct bound *b = &t->crowds->bounds[cell];

    if (t->config.policy == SEARCH_AB_BETA)
        return (struct posterior){
            .kind = POSTERIOR_BETA, .a = b->first, .b = b->second, .log_beta = b->log_beta
        };
    return (struct posterior){ .kind = POSTERIOR_STUDENT,
                               .location = b->first - STUDENT_SCALES * scale_of(scale),
                               .scale = scale_of(scale),
                               .freedom = b->second,
                               .log_beta = b->log_beta };
}

/* The bound of a cell and of all after it in its octave. */
static struct posterior rest_bound(const struct search_tree *t, const struct crowd *c,
                                   uint32_t octave, uint32_t cell)
{
    uint32_t end = octaves[octave].first + octaves[octave].levels;
    uint8_t scale = 0;

    for (uint32_t i = cell; t->square && i < end; i++)
        scale = c->scale[i] > scale ? c->scale[i] : scale;
    return bound_of(t, cell, scale);
}

/* The chance that a belief below the bound beats x, at most. Above the reach that they have in common, of two Student's t the
 * one of the larger scale and the lesser freedom has the larger tail, and of two Betas the one of the lesser a + b
 * (posterior_test.c goes through a grid). */
static double chance_max(const struct posterior *bound, double x)
{
    if (bound->kind == POSTERIOR_STUDENT)
        return x <= bound->location + STUDENT_SCALES * bound->scale ? 1 : posterior_tail(bound, x);
    if (x <= 0 || bound->b <= 0)
        return 1;
    double tail = posterior_tail(bound, x);
    return tail <= BETA_TAIL ? tail : 1;
}

/* May a belief below the bound beat x with more than this chance? Then *out_max is the most. */
static bool may_beat(const struct posterior *bound, double x, double chance, double *out_max)
{
    if (chance <= BETA_TAIL && bound->b > 0 && posterior_tail_chernoff(bound, x) <= chance)
        return false; /* costs half of what follows */
    *out_max = chance_max(bound, x);
    return *out_max > chance;
}

bool crowds_open(struct search_tree *t, struct arena *arena)
{
    uint32_t nodes = t->config.nodes_max, max = nodes / CROWD_NODES + (nodes > CROWD_NODES);
    struct crowds *c = ARENA_NEW(arena, struct crowds);

    if (!c)
        return false;
    t->crowds = c;
    c->max = max;
    c->pool_max = max > 0 ? 2 * nodes : 0;
    if (max > 0) {
        bounds_make(c, &t->config);
        c->crowds = ARENA_ARRAY(arena, max, struct crowd);
        c->pool = ARENA_ARRAY(arena, c->pool_max, uint32_t);
    }
    t->bytes_per_node += ((double)max * sizeof(struct crowd) + 4.0 * c->pool_max) / (double)nodes;
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

static void swap(struct search_tree *t, const struct crowd *c, uint32_t a, uint32_t b)
{
    uint32_t *at_a = entry(t, c, a), *at_b = entry(t, c, b), child = *at_a;

    *at_a = *at_b;
    *at_b = child;
    t->next[*at_a] = a;
    t->next[*at_b] = b;
}

static uint32_t cell_start(const struct crowd *c, uint32_t cell)
{
    return cell == 0 ? 0 : c->end[cell - 1];
}

/* The cell that holds a position: the first that ends behind it. */
static uint32_t cell_at(const struct crowd *c, uint32_t position)
{
    uint32_t low = 0, high = CELL_DEAD;

    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (position < c->end[middle])
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* The members of an octave: from *start, so many. */
static uint32_t octave_size(const struct crowd *c, uint32_t octave, uint32_t *start)
{
    *start = cell_start(c, octaves[octave].first);
    return c->end[octaves[octave].first + octaves[octave].levels - 1] - *start;
}

/* ---- membership ---- */

static uint32_t octave_of(uint32_t visits)
{
    uint32_t octave = bit_length(visits) - 1; /* at least 1: an ab child has its own value */

    return octave < OCTAVES ? octave : OCTAVES - 1;
}

/* Where a belief's reach stands among those of its octave, from 0 to 1 and beyond. */
static double level_of(const struct search_tree *t, uint32_t child)
{
    const struct posterior p = node_posterior(t, child);

    if (p.kind == POSTERIOR_BETA)
        return beta_level(posterior_tail_inverse(&p, BETA_TAIL));
    return (p.location + STUDENT_SCALES * p.scale) / STUDENT_REACH_MAX;
}

static uint32_t cell_wanted(const struct search_tree *t, uint32_t child)
{
    if (t->flags[child] & NODE_DEAD)
        return CELL_DEAD;
    uint32_t octave = octave_of(t->visits[child]), levels = octaves[octave].levels;
    double level = level_of(t, child) * levels;
    return octaves[octave].first + levels - 1 - (level < levels ? (uint32_t)level : levels - 1);
}

/* Moves a member from cell to cell by swaps with their ends. */
static void member_move(struct search_tree *t, struct crowd *c, uint32_t child, uint32_t from,
                        uint32_t to)
{
    for (uint32_t cell = from; cell < to; cell++) {
        uint32_t last = --c->end[cell];
        if (t->next[child] != last)
            swap(t, c, t->next[child], last);
    }
    for (uint32_t cell = from; cell > to; cell--) {
        uint32_t first = c->end[cell - 1]++;
        if (t->next[child] != first)
            swap(t, c, t->next[child], first);
    }
}

/* The scale's bound grows with the cell's members and starts anew with the first one. */
static void scale_stretch(const struct search_tree *t, struct crowd *c, uint32_t cell,
                          uint32_t child)
{
    uint8_t code = scale_code(node_posterior(t, child).scale);

    if (c->end[cell] - cell_start(c, cell) == 1 || code > c->scale[cell])
        c->scale[cell] = code;
}

void crowd_update(struct search_tree *t, uint32_t state, uint32_t child)
{
    struct crowd *c = crowd_of(t, state);
    uint32_t cell = cell_wanted(t, child);

    member_move(t, c, child, cell_at(c, t->next[child]), cell);
    if (cell != CELL_DEAD && t->square)
        scale_stretch(t, c, cell, child);
}

void crowd_add(struct search_tree *t, uint32_t state, uint32_t child)
{
    struct crowds *all = t->crowds;
    struct crowd *c = crowd_of(t, state);
    struct tally own = { 0 };
    uint32_t position = c->end[CELL_DEAD], piece = piece_of(position);

    if (position == 0 || (position >= PIECE_FIRST && (position & (position - 1)) == 0)) {
        uint32_t size = piece == 0 ? PIECE_FIRST : PIECE_FIRST << (piece - 1);
        assert(size <= all->pool_max - all->pool_used);
        c->piece[piece] = all->pool_used;
        all->pool_used += size;
    }
    c->end[CELL_DEAD]++;
    *entry(t, c, position) = child;
    t->next[child] = position;
    tally_add(&own, t->own[child]);
    c->generated_sum += own.sum;
    c->generated_square += own.square;
    crowd_update(t, state, child);
}

void crowd_make(struct search_tree *t, uint32_t state)
{
    uint32_t last = t->last[state], child = t->next[last], n = t->child_count[state];

    if (t->crowds->count == t->crowds->max)
        return;
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

/* ln of the greatest of n uniforms below u, from ln u. */
static double log_greatest(struct rng *rng, double log_u, uint32_t n)
{
    return log_u + log(1 - rng_unit(rng)) / (double)n;
}

/* Uniform below n, but for n/2^64, without a division (Lemire 2019). */
static uint32_t index_draw(struct rng *rng, uint32_t n)
{
    return (uint32_t)((unsigned __int128)rng_u64(rng) * n >> 64);
}

/* 1 - u, without losing what is small. */
static double tail_of(double log_u)
{
    return log_u > -1e-5 ? -log_u * (1 + log_u / 2) : -expm1(log_u);
}

/* What cannot be beaten by a member of the cell at hand. */
struct drawing {
    struct posterior bound;
    double chance; /* of the bound, to beat the best */
};

/* The draws of a cell's members, the highest uniform first, which is given. */
static void draw_cell(struct search_tree *t, const struct crowd *c, struct drawing *d,
                      uint32_t cell, double log_u, struct leader *best)
{
    uint32_t start = cell_start(c, cell), size = c->end[cell] - start;

    if (t->square && size > CELL_SMALL) { /* its own scale may be smaller than the rest's */
        d->bound = bound_of(t, cell, c->scale[cell]);
        d->chance = chance_max(&d->bound, best->draw);
    }
    for (uint32_t k = 0; k < size; k++) {
        double tail = tail_of(log_u);
        if (tail >= d->chance)
            return;
        swap(t, c, start + k, start + k + index_draw(&t->rng, size - k));
        uint32_t child = *entry(t, c, start + k);
        const struct posterior p = node_posterior(t, child);
        if (tail > 0 && posterior_tail_exceeds(&p, tail, best->draw, &best->draw)) {
            best->child = child;
            d->chance = chance_max(&d->bound, best->draw);
        }
        if (k + 1 < size)
            log_u = log_greatest(&t->rng, log_u, size - k - 1);
    }
}

/* An octave's cells from the high levels down, until nobody below can beat the best. `log_u` is that of the
 * greatest uniform of all who are left, which is in the cell at hand with the chance of its share. */
static void draw_octave(struct search_tree *t, const struct crowd *c, uint32_t octave,
                        struct leader *best)
{
    uint32_t start, left = octave_size(c, octave, &start);
    double log_u = left > 0 ? log_greatest(&t->rng, 0, left) : 0;
    struct drawing d;

    for (uint32_t cell = octaves[octave].first; left > 0; cell++) {
        uint32_t size = c->end[cell] - cell_start(c, cell);
        if (size == 0)
            continue;
        double tail = tail_of(log_u);
        d.bound = rest_bound(t, c, octave, cell);
        if (!may_beat(&d.bound, best->draw, tail, &d.chance))
            return;
        bool is_here = index_draw(&t->rng, left) < size;
        draw_cell(t, c, &d, cell, is_here ? log_u : log_greatest(&t->rng, log_u, size), best);
        left -= size;
        if (is_here && left > 0)
            log_u = log_greatest(&t->rng, log_u, left);
    }
}

bool crowd_may_beat(const struct search_tree *t, uint32_t state, uint32_t child, double x,
                    double chance)
{
    const struct crowd *c = crowd_of(t, state);
    uint32_t octave = octave_of(t->visits[child]), cell = cell_at(c, t->next[child]);
    const struct posterior bound = rest_bound(t, c, octave, cell);
    double unused;

    return may_beat(&bound, x, chance, &unused);
}

uint32_t adaptive_child_crowd(struct search_tree *t, uint32_t state)
{
    struct crowd *c = crowd_of(t, state);
    struct leader best = { SEARCH_NONE, -INFINITY };

    draw_octave(t, c, c->octave, &best);
    for (uint32_t octave = 0; octave < OCTAVES; octave++)
        if (octave != c->octave)
            draw_octave(t, c, octave, &best);
    if (best.child != SEARCH_NONE)
        c->octave = octave_of(t->visits[best.child]);
    return best.child;
}

uint64_t crowds_hash(const struct search_tree *t, uint64_t hash)
{
    const struct crowds *all = t->crowds;

    for (uint32_t i = 0; i < all->count; i++) {
        const struct crowd *c = &all->crowds[i];
        for (int cell = 0; cell <= CELLS; cell++)
            hash = rng_mix(hash ^ c->end[cell]);
        hash = rng_mix(hash ^ c->generated_sum);
        hash = rng_mix(hash ^ c->generated_square);
        hash = rng_mix(hash ^ c->octave);
    }
    return hash;
}
