/* SPDX-License-Identifier: Apache-2.0 */
/*
 * search_internal: the tree behind search.h, shared by its files.
 *
 * A node is an index into arrays. It is an edge (from its parent to it) and usually also the state that the edge
 * leads to; a transposed edge instead points at the node that was that state first (state_of). What belongs to the state is
 * indexed by the state: visits, sum, children, own value. What belongs to the edge by the edge: edge_visits and
 * edge_unobserved, which are the same arrays as visits and unobserved when there are no transpositions.
 *
 * Siblings are a ring through `next`, entered by the parent's last child, so that both ends are at hand. An ab node with
 * many children has an indexed crowd instead (crowd.c).
 *
 * May include: base.
 */
#ifndef WEIR_CORE_SEARCH_SEARCH_INTERNAL_H
#define WEIR_CORE_SEARCH_SEARCH_INTERNAL_H

#include <string.h>

#include "core/search/posterior.h"
#include "core/search/search.h"

#define VALUE_ONE (UINT32_C(1) << 24) /* values are integers of 2^-24 */
#define VALUE_NONE UINT32_MAX

enum node_flag {
    NODE_TERMINAL = 1, /* an end */
    NODE_CLOSED = 2, /* no further children can be had */
    NODE_PENDING = 4, /* an EVALUATE or EXPAND ticket is open on it */
    NODE_WIDENING = 8, /* a WIDEN ticket is open on it (ucb1, puct) */
    NODE_TRANSPOSED = 16, /* this edge leads to the state of another node */
    NODE_DEAD = 32, /* ab: nothing can be added at or below it */
    NODE_CROWD = 64, /* ab: its children are a crowd */
};

/* Sums of observations in units of 2^-24; the squares are rounded one by one. */
struct tally {
    uint32_t count;
    uint64_t sum;
    uint64_t square;
};

struct ticket_slot {
    uint64_t id; /* 0: free */
    uint32_t depth;
    enum search_want want;
};

struct search_tree {
    struct search_config config;
    bool is_adaptive;
    bool is_full; /* an expansion did not fit: no more are tried */
    struct rng rng; /* Thompson's draws */
    struct rng rollouts; /* search_run's */
    uint64_t selections;

    /* nodes */
    uint32_t count;
    uint32_t *parent;
    uint32_t *last; /* the last child, SEARCH_NONE; a transposed edge's state; a crowd's index */
    uint32_t *next; /* the next sibling in the ring; in a crowd, the position */
    uint32_t *child_count;
    uint32_t *visits;
    uint64_t *sum;
    uint16_t *unobserved;
    uint32_t *own; /* own value as last told, or VALUE_NONE */
    uint32_t *tag;
    uint8_t *depth;
    uint8_t *flags;
    uint64_t *square; /* ab_gaussian */
    float *prior; /* puct; siblings' add up to 1 */

    /* transpositions */
    uint32_t *edge_visits;
    uint16_t *edge_unobserved;
    uint64_t *key;
    uint32_t *table; /* node + 1, 0 empty; open addressing */
    uint32_t table_size;

    struct crowds *crowds; /* ab */

    /* tickets */
    struct ticket_slot *slots;
    uint32_t *paths; /* a slot's, depth_max + 1 each */
    uint32_t *free_slots;
    uint32_t open; /* free_slots holds tickets_max - open */
    uint64_t sequence; /* of the last ticket */

    uint32_t best_terminal, best_terminal_value;
    uint32_t best_valued, best_valued_value;
    double bytes_per_node;
};

static inline uint32_t state_of(const struct search_tree *t, uint32_t edge)
{
    return t->flags[edge] & NODE_TRANSPOSED ? t->last[edge] : edge;
}

static inline double value_to_double(uint32_t value)
{
    return (double)value * 0x1p-24;
}

static inline void tally_add(struct tally *y, uint32_t value)
{
    y->count++;
    y->sum += value;
    y->square += ((uint64_t)value * value + VALUE_ONE / 2) / VALUE_ONE;
}

/* The next child of a state whose children are a ring; see search_child_next(). */
static inline bool ring_next(const struct search_tree *t, uint32_t state, uint32_t *at)
{
    uint32_t last = t->last[state];

    if (*at == last || t->child_count[state] == 0)
        return false;
    *at = t->next[*at == SEARCH_NONE ? last : *at];
    return true;
}

/* ---- tree.c ---- */
/* May children be added to a state of this depth? */
static inline bool is_growable(const struct search_tree *t, uint32_t state)
{
    return !(t->flags[state] & (NODE_TERMINAL | NODE_CLOSED)) &&
           t->depth[state] < t->config.depth_max && !t->is_full;
}
/* [0, 1] to units of 2^-24; false for anything else, NaN included. */
NODISCARD bool value_from_double(double value, uint32_t *out);
/* Records a state's own value; its visit comes with the path's tally. */
void node_own_set(struct search_tree *t, uint32_t state, uint32_t value);
/* Adds children to a state, the valued ones visited once; the observations that they bring to the path are added to
 * *tally. False, and nothing is added, when they do not all fit. The numbers were checked. */
bool node_children_add(struct search_tree *t, uint32_t state, const struct search_child *children,
                       size_t count, struct tally *tally);
/* Adds observations to every edge of a path and every state that it passes. */
void path_backup(struct search_tree *t, const uint32_t *path, uint32_t depth,
                 const struct tally *tally);

/* ---- transposition.c ---- */
uint32_t transposition_table_size(uint32_t nodes_max);
/* The state of this key and depth; SEARCH_NONE when there is none. */
uint32_t transposition_find(const struct search_tree *t, uint64_t key, uint32_t depth);
void transposition_add(struct search_tree *t,
                       uint32_t state); /* key and depth set, not there yet */

/* ---- walk.c: from the root to what wants a look ---- */
enum walk_mode {
    WALK_TO_ASK, /* a leaf that cannot grow is visited again with its known value */
    WALK_TO_ROLL_OUT, /* a leaf that cannot grow is evaluated again; what is pending is ignored */
};
enum walk_end {
    WALK_WANTS, /* the path's last node wants a look */
    WALK_REVISITS, /* the path's last node has a final value */
    WALK_BLOCKED, /* it came to what is pending */
    WALK_NOTHING, /* ab: nothing is left */
};
struct walk {
    enum search_want want;
    uint32_t depth;
    uint32_t path[SEARCH_DEPTH_MAX + 1];
};
/* Goes on from path[depth], which is the root at first. */
enum walk_end walk_down(struct search_tree *t, enum walk_mode mode, struct walk *w);
void walk_restart(struct walk *w);
void walk_revisit(struct search_tree *t, const struct walk *w); /* its final value counts again */

/* ---- adaptive.c ---- */
/* The same for ab. */
enum walk_end walk_down_adaptive(struct search_tree *t, struct walk *w);
struct posterior node_posterior(const struct search_tree *t, uint32_t state);
/* Thompson's draw among a node's living children, one after the other; SEARCH_NONE when none lives. */
uint32_t adaptive_child_each(struct search_tree *t, uint32_t state);

/* ---- crowd.c: many children of an ab node ---- */
#define CROWD_FROM 64 /* children */
bool crowds_open(struct search_tree *t, struct arena *arena);
double crowds_node_bytes(const struct search_tree *t);
void crowd_make(struct search_tree *t, uint32_t state); /* of a ring of CROWD_FROM children */
void crowd_add(struct search_tree *t, uint32_t state, uint32_t child);
void crowd_update(struct search_tree *t, uint32_t state,
                  uint32_t child); /* its tally or life changed */
struct tally crowd_generated(const struct search_tree *t,
                             uint32_t state); /* own values of the children */
uint32_t crowd_child_at(const struct search_tree *t, uint32_t state, uint32_t position);
/* What the draw relies on: when false, no living child of the same number of observations (in octaves), from this one's
 * cell on, beats x with more than this chance. */
bool crowd_may_beat(const struct search_tree *t, uint32_t state, uint32_t child, double x,
                    double chance);
/* The same draw as adaptive_child_each(), in distribution, looking at few of the children. */
uint32_t adaptive_child_crowd(struct search_tree *t, uint32_t state);
uint64_t crowds_hash(const struct search_tree *t, uint64_t hash);

/* ---- tickets.c ---- */
/* search_ask(), and how many ends it visited again. */
bool ask_counting(struct search_tree *t, struct search_ticket *out, uint32_t *revisits);
bool ticket_is_open(const struct search_tree *t, uint64_t ticket);
/* What search_tell() does with numbers that were checked. */
void result_absorb(struct search_tree *t, const uint32_t *path, uint32_t depth,
                   enum search_want want, const struct search_result *result);
NODISCARD bool result_is_valid(const struct search_tree *t, const struct search_result *result);

/* ---- log.c ---- */
void log_open(struct search_tree *t);
/* An ask's ends visited again, and where it ended; NULL: nothing to look at. */
void log_ask(struct search_tree *t, uint32_t revisits, const struct walk *w);
/* A step of search_run(); without a result: the end of the walk was visited again. */
void log_run(struct search_tree *t, const struct walk *w, const struct search_result *result);
void log_tell(struct search_tree *t, uint64_t ticket, const struct search_result *result);
void log_drop(struct search_tree *t, uint64_t ticket);
void log_tag(struct search_tree *t, uint32_t node, uint32_t tag);

#endif
