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
 * So members are kept in cells of similar beliefs: octaves by how much was observed of them (1, 2-3, 4-7, …), and
 * in an octave levels by their mean, about half a standard deviation wide, the high ones first. The cells
 * are ranges of one array, the long known first, the dead last; a member changes its cell by swaps. The
 * array is pieces of 64, 64, 128, 256, … entries that never move, so twice as many entries as nodes always
 * suffice. A child's position stands in its `next`.
 */
#include <math.h>

#include "core/search/search_internal.h"

#define OCTAVES 12 /* the last is open-ended: 2,048 observations and more */
#define CELLS 522
#define CELL_DEAD CELLS
/* The first cell and the number of levels of each octave: 2π·sqrt(n) levels, as far as that is worth it, on the scale
 * of asin(sqrt(mean)), where a mean of n values of 0 and 1 has the standard deviation 1/(2·sqrt(n))
 * wherever it lies. */
static const struct {
    uint16_t first, levels;
} octaves[OCTAVES] = {
    { 514, 8 },  { 504, 10 }, { 490, 14 }, { 472, 18 }, { 446, 26 }, { 410, 36 },
    { 360, 50 }, { 288, 72 }, { 216, 72 }, { 144, 72 }, { 72, 72 },  { 0, 72 },
};

#define PIECE_FIRST UINT32_C(64)
#define PIECES 23 /* 64·2^22 entries = SEARCH_NODES_MAX */
/* One crowd for so many nodes of the tree, and one more; when they are used up, rings stay rings. */
#define CROWD_NODES 384

_Static_assert(PIECE_FIRST << (PIECES - 1) == SEARCH_NODES_MAX, "the pieces hold every node");
_Static_assert(PIECE_FIRST <= CROWD_FROM, "a crowd fills at least half of its pieces");

struct crowd {
    uint32_t piece[PIECES]; /* offsets into the pool */
    uint32_t
        end[CELLS + 1]; /* positions behind each cell, which begins where the one before ends */
    uint8_t scale[CELLS]; /* student: code of the largest seen in the cell since it was empty */
    uint64_t generated_sum, generated_square;
    uint32_t
        octave; /* of the last draw's winner: it is looked at first, to have a good draw early */
};

struct crowds {
    struct crowd *crowds;
    uint32_t count, max;
    uint32_t *pool;
    uint32_t pool_used, pool_max;
    /* Likelier than the beliefs of the cell, and of the lower levels of its octave, to beat what is far above: with the
     * highest mean and the fewest observations; student's scale is not set. */
    struct bound {
        double first, second; /* a and b, or location and freedom */
        double log_beta;
    } bounds[CELLS];
};

/* ---- bounds ---- */

/* (weight·mean + n·x) / (weight + n), what a prior makes of a mean x of n, at most for the n of an octave. */
static double shrunk_max(double weight, double mean, uint32_t octave, double x)
{
    double low = (double)(1u << octave), high = 2 * low - 1;
    double at_low = (weight * mean + low * x) / (weight + low);
    double at_high = (weight * mean + high * x) / (weight + high);

    return fmax(at_low, octave == OCTAVES - 1 ? x : at_high);
}

static struct bound bound_make(const struct search_config *c, uint32_t octave, double mean)
{
    double low = (double)(1u << octave), sum = c->prior.beta_a + c->prior.beta_b + low;
    struct posterior p = { .kind = POSTERIOR_STUDENT,
                           .location =
                               shrunk_max(c->prior.mean_weight, c->prior.mean, octave, mean),
                           .freedom = c->prior.variance_weight + low };

    if (c->policy == SEARCH_AB_BETA) {
        mean = shrunk_max(sum - low, c->prior.beta_a / (sum - low), octave, mean);
        p = (struct posterior){ .kind = POSTERIOR_BETA, .a = mean * sum, .b = (1 - mean) * sum };
        posterior_prepare(&p);
        return (struct bound){ p.a, p.b, p.log_beta };
    }
    posterior_prepare(&p);
    return (struct bound){ p.location, p.freedom, p.log_beta };
}

static void bounds_make(struct crowds *all, const struct search_config *c)
{
    for (uint32_t octave = 0; octave < OCTAVES; octave++)
        for (uint32_t k = 0; k < octaves[octave].levels; k++) {
            double edge = sin(HALF_PI * (octaves[octave].levels - k) / octaves[octave].levels);
            double mean = fmin(1, edge * edge * (1 + 1e-9)); /* no mean in the cell is higher */
            all->bounds[octaves[octave].first + k] = bound_make(c, octave, mean);
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
                               .location = b->first,
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

/* The chance that a belief below the bound beats x, at most. Of two t, that of the larger scale and the lesser freedom
 * has the larger tail above its location. Of two Betas of one mean, that of the lesser a + b has where its tail is
 * at most a quarter, if a >= 1, or a tenth, if a >= 1/2 (adaptive_test.c goes through a grid); in the first octave
 * a + b is the same. */
static double chance_max(const struct posterior *bound, uint32_t octave, double x)
{
    if (bound->kind == POSTERIOR_STUDENT)
        return x <= bound->location ? 1 : posterior_tail(bound, x);
    if (x <= 0 || bound->a < 0.5 || bound->b <= 0)
        return 1;
    double tail = posterior_tail(bound, x);
    return octave == 0 || tail <= (bound->a < 1 ? 0.1 : 0.25) ? tail : 1;
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

static uint32_t cell_wanted(const struct search_tree *t, uint32_t child)
{
    if (t->flags[child] & NODE_DEAD)
        return CELL_DEAD;
    uint32_t octave = octave_of(t->visits[child]), levels = octaves[octave].levels;
    double mean = (double)t->sum[child] * 0x1p-24 / (double)t->visits[child];
    uint32_t level = (uint32_t)(asin(sqrt(mean)) / HALF_PI * levels);
    return octaves[octave].first + levels - 1 - (level < levels ? level : levels - 1);
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
    place(t, c, position, child);
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

/* 1 - u, without losing what is small. */
static double tail_of(double log_u)
{
    return log_u > -1e-5 ? -log_u * (1 + log_u / 2) : -expm1(log_u);
}

/* What an octave's cells have in common while they are drawn from. */
struct drawing {
    uint32_t octave;
    struct posterior bound;
    double chance; /* of the bound, to beat the best */
};

/* The draws of a cell's members, the highest uniform first, which is given. */
static void draw_cell(struct search_tree *t, const struct crowd *c, struct drawing *d,
                      uint32_t cell, double log_u, struct leader *best)
{
    uint32_t start = cell_start(c, cell), size = c->end[cell] - start;

    if (t->square) { /* the cell's own scale may be smaller than the rest's */
        d->bound = bound_of(t, cell, c->scale[cell]);
        d->chance = chance_max(&d->bound, d->octave, best->draw);
    }
    for (uint32_t k = 0; k < size; k++) {
        double tail = tail_of(log_u);
        if (tail >= d->chance)
            return;
        swap(t, c, start + k, start + k + (uint32_t)rng_below(&t->rng, size - k));
        uint32_t child = *entry(t, c, start + k);
        const struct posterior p = node_posterior(t, child);
        if (tail > 0 && posterior_tail_exceeds(&p, tail, best->draw, &best->draw)) {
            best->child = child;
            d->chance = chance_max(&d->bound, d->octave, best->draw);
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
    struct drawing d = { .octave = octave };

    for (uint32_t cell = octaves[octave].first; left > 0; cell++) {
        uint32_t size = c->end[cell] - cell_start(c, cell);
        if (size == 0)
            continue;
        double tail = tail_of(log_u);
        d.bound = rest_bound(t, c, octave, cell);
        if (posterior_tail_chernoff(&d.bound, best->draw) <= tail)
            return;
        d.chance = chance_max(&d.bound, octave, best->draw);
        if (d.chance <= tail)
            return;
        bool is_here = rng_below(&t->rng, left) < size;
        draw_cell(t, c, &d, cell, is_here ? log_u : log_greatest(&t->rng, log_u, size), best);
        left -= size;
        if (is_here && left > 0)
            log_u = log_greatest(&t->rng, log_u, left);
    }
}

double crowd_chance_max(const struct search_tree *t, uint32_t state, uint32_t child, double x)
{
    const struct crowd *c = crowd_of(t, state);
    uint32_t octave = octave_of(t->visits[child]), cell = cell_at(c, t->next[child]);
    const struct posterior bound = rest_bound(t, c, octave, cell);

    return chance_max(&bound, octave, x);
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
