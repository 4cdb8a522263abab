/* SPDX-License-Identifier: Apache-2.0 */
/*
 * search: Monte-Carlo tree search as a pure machine. Its owner asks which node to look at, looks (a model call
 * of seconds, a rollout of nanoseconds), and tells what it saw: in any order, once, twice, or never.
 *
 *     ucb1    Q + c·sqrt(ln(N_p + O_p) / (N_i + O_i))        Auer et al. 2002; O: Liu et al. 2020 (WU-UCT)
 *     puct    Q + c·P·sqrt(N_p + O_p) / (1 + N_i + O_i)      Silver et al. 2017
 *     ab      Thompson sampling of wider (a new child) or deeper (one of the children), by Beta or by
 *             normal posteriors of what each has brought so far   AB-MCTS-A, arXiv 2503.04412
 *
 * N counts observations, O looks that are under way (unobserved), so that several tickets at once spread out
 * without pretending a loss. Nodes are indices into arrays of one fixed capacity: nothing grows, at most 64 bytes
 * a node (search_node_bytes()); when they run out, the search goes on without new nodes.
 *
 * A caller may rely on: the same configuration and the same calls give the same tree, bit for bit; values are kept
 * as integers of 2^-24, so sums are exact and do not depend on the order of tells; what is told about
 * a ticket that is not open is ignored; with no ticket open every unobserved count is 0; no clock, no
 * allocation outside the arena given to search_open() and the log's buffer.
 *
 * May include: base.
 */
#ifndef WEIR_CORE_SEARCH_SEARCH_H
#define WEIR_CORE_SEARCH_SEARCH_H

#include "base/arena.h"
#include "base/base.h"
#include "base/rng.h"

enum search_policy {
    SEARCH_UCB1,
    SEARCH_PUCT,
    SEARCH_AB_BETA,
    SEARCH_AB_GAUSSIAN,
    SEARCH_POLICY_COUNT
};
const char *search_policy_name(enum search_policy p); /* "ucb1", "puct", "ab_beta", "ab_gaussian" */
bool search_policy_find(str name, enum search_policy *out);

/* How the move is chosen in the end (Chaslot et al. 2008). Ties go to the higher mean, then to the older node. */
enum search_choice {
    SEARCH_BY_VISITS, /* the robust child: the one looked at most */
    SEARCH_BY_VALUE, /* the max child: the highest mean */
    SEARCH_BY_LOWER_BOUND, /* the secure child: the highest mean - c·sqrt(ln N_p / N_i) */
    SEARCH_CHOICE_COUNT
};

#define SEARCH_DEPTH_MAX 255
#define SEARCH_TICKETS_MAX 4096
#define SEARCH_NODES_MAX (UINT32_C(1) << 28)
#define SEARCH_CHILDREN_MAX 1024 /* of one tell; actions of one state */

struct search_config {
    enum search_policy policy;
    enum search_choice choice;
    uint64_t seed;
    uint32_t nodes_max; /* capacity, the root included, 1..SEARCH_NODES_MAX */
    uint32_t tickets_max; /* open at once, 1..SEARCH_TICKETS_MAX */
    uint32_t
        depth_max; /* nodes this deep get no children; the root has depth 0. 1..SEARCH_DEPTH_MAX */
    double exploration; /* c, [0, 1000] */
    /* Progressive widening (ucb1, puct): a node of N observations considers its first ceil(factor·N^exponent)
     * children, at least one, and asks for more when it has fewer. factor 0: all, and never more. */
    double widening_factor; /* [0, 1000] */
    double widening_exponent; /* [0, 1] */
    bool
        has_two_players; /* who moves at odd depths wants the value low; values are the root's mover's */
    /* ucb1, puct: children of one depth with equal keys (not 0) are one state, whose children and value are shared;
     * each edge into it keeps its own count (Childs et al. 2008, UCT2). */
    bool has_transpositions;
    struct {
        double beta_a, beta_b; /* > 0; Jeffreys' prior 1/2, 1/2 */
        double mean,
            mean_weight; /* [0, 1], > 0: the normal posterior's prior mean, and how many observations it is worth */
        double variance, variance_weight; /* > 0, > 0: the same for the variance */
    } prior; /* ab */
    struct buf *
        log; /* NULL, or where every ask, tell and drop is recorded for search_replay(); the caller's */
};
/* ucb1, by visits, seed 0, 4096 nodes, 64 tickets, depth 10, c = 1.414, one player, no widening, no transpositions. */
struct search_config search_config_default(void);

struct search_tree;

/* Everything is allocated here, from the arena, which must outlive the tree. CALLER_BAD_REQUEST for a configuration out of
 * range (or transpositions with ab), WEIR_NO_MEMORY. */
NODISCARD enum err search_open(struct search_tree **out, struct arena *arena,
                               const struct search_config *config);

/* ---- ask and tell ---- */
enum search_want {
    SEARCH_EVALUATE, /* the node's value; its children too, if they come with the same look */
    SEARCH_EXPAND, /* children of a node that has none yet */
    SEARCH_WIDEN, /* one or more children beside those it has */
};

#define SEARCH_ROOT 0
#define SEARCH_NONE UINT32_MAX

struct search_ticket {
    uint64_t id; /* never 0, never used again within the tree */
    enum search_want want;
    uint32_t node; /* where to look: path[depth], or the state that it leads to */
    uint32_t depth;
    const uint32_t *
        path; /* depth + 1 nodes as walked, the root first; valid until this ticket is told or dropped */
};

#define SEARCH_NO_VALUE (-1.0)

struct search_child {
    double
        value; /* [0, 1] when it was scored already (several siblings by one prompt), else SEARCH_NO_VALUE.
                   * ab: always scored */
    double prior; /* puct: any weight >= 0; normalised among siblings. 0 for all: equal */
    uint64_t key; /* the state's hash for transpositions; 0: none */
    uint32_t tag; /* the caller's */
    bool is_terminal; /* nothing follows; its value is final */
};

struct search_result {
    double value; /* of the ticket's node, [0, 1], or SEARCH_NO_VALUE */
    const struct search_child *children;
    size_t child_count; /* at most SEARCH_CHILDREN_MAX */
    bool is_terminal; /* the node turned out to be an end; it gets no children */
    bool is_closed; /* it will never get more children than it has now and are told here */
};

/* Takes a ticket. False when there is nothing to look at now: every ticket is taken, or all that is worth a look is under
 * way; with no ticket open, false means that nothing is left (the tree is exhausted, or its nodes are). A node is
 * asked for its value once; ends are visited again without asking. */
bool search_ask(struct search_tree *t, struct search_ticket *out);
/* Closes the ticket. Ignored (OK) when it is not open. Children that do not fit the capacity or the depth are left out,
 * as are those that another ticket's tell made superfluous (an EXPAND of what has children by now).
 * CALLER_BAD_REQUEST, and the ticket stays open, when a number is out of its range. */
NODISCARD enum err search_tell(struct search_tree *t, uint64_t ticket,
                               const struct search_result *result);
void search_drop(struct search_tree *t,
                 uint64_t ticket); /* nothing was seen; ignored when not open */
uint32_t search_open_tickets(const struct search_tree *t);

/* ---- what it found so far, at any time ---- */
struct search_best {
    uint32_t node; /* the root's chosen child; SEARCH_NONE before there is one with a value */
    uint32_t tag;
    uint32_t visits;
    double mean;
};
struct search_best search_best(const struct search_tree *t);
/* The line of chosen children from the root's on, as walked (at most max nodes); how many. */
size_t search_best_line(const struct search_tree *t, uint32_t *out, size_t max);
/* The node with the highest value of its own, the first of equals: among ends, or among all. SEARCH_NONE: none yet. */
uint32_t search_best_terminal(const struct search_tree *t);
uint32_t search_best_valued(const struct search_tree *t);

struct search_node {
    uint32_t parent; /* SEARCH_NONE for the root */
    uint32_t
        state; /* the node whose children and value this edge shares; itself unless transposed */
    uint32_t depth;
    uint32_t tag;
    uint32_t
        visits; /* observations at or below, through every edge into it; of a transposed edge: through it */
    uint32_t unobserved; /* open tickets through it */
    uint32_t child_count;
    double mean; /* of the observations of its state; SEARCH_NO_VALUE without any */
    double own_value; /* its own value as last told; SEARCH_NO_VALUE without one */
    double prior; /* puct; else 0 */
    bool is_terminal;
    bool is_closed;
};
uint32_t search_node_count(const struct search_tree *t);
struct search_node search_node_at(const struct search_tree *t, uint32_t node);
/* The children in the order in which they were told: start with *at = SEARCH_NONE; false at the end. */
bool search_child_next(const struct search_tree *t, uint32_t node, uint32_t *at);
void search_tag_set(struct search_tree *t, uint32_t node, uint32_t tag);
/* Nodes from the root to this one along parents, both included (at most max, the deepest left out first); how many. */
size_t search_path(const struct search_tree *t, uint32_t node, uint32_t *out, size_t max);
/* Of every statistic and link of the tree; equal trees have equal hashes. */
uint64_t search_hash(const struct search_tree *t);
/* Bytes that one node takes in all arrays together, its share of the transposition table included. At most 64. */
double search_node_bytes(const struct search_tree *t);
uint64_t
search_selections(const struct search_tree *t); /* children chosen on the way down, since open */

/* ---- the log ---- */
/* Rebuilds a tree from the log of another, open tickets included; it goes on where the other stood. No log is kept of the
 * new one. CALLER_BAD_REQUEST for what is no log, or one that another version or library decides differently;
 * a log that was cut in the middle of a record too. WEIR_NO_MEMORY. */
NODISCARD enum err search_replay(struct search_tree **out, struct arena *arena, str log);

/* ---- the fast loop over an environment ---- */
#define SEARCH_STATE_BYTES_MAX 512

struct search_action {
    uint32_t tag;
    float prior; /* as in search_child */
};

/* A pure environment. A state is a plain value of state_bytes, copied freely. An instance embeds this struct. */
struct search_env {
    size_t state_bytes; /* 1..SEARCH_STATE_BYTES_MAX */
    /* Legal actions of a state that is no end: at least 1, at most SEARCH_CHILDREN_MAX. */
    size_t (*actions)(const struct search_env *env, const void *state,
                      struct search_action out[SEARCH_CHILDREN_MAX]);
    void (*apply)(const struct search_env *env, void *state, uint32_t action);
    /* Is it an end? Then *out_value is its value in [0, 1]. */
    bool (*terminal)(const struct search_env *env, const void *state, double *out_value);
    /* An estimate in [0, 1] of a state that is no end, usually a rollout; may use up the state. */
    double (*value)(const struct search_env *env, void *state, struct rng *rng);
    /* The state's hash, not 0; NULL when it has none. */
    uint64_t (*key)(const struct search_env *env, const void *state);
};

/* Runs whole simulations from the root, whose state must be the same in every call; goes on where the last call
 * stopped. The tree's tags are actions. Leaves are rolled out when first reached and get their children when reached
 * again. May run while tickets are open. Fewer simulations only when nothing is left (ab). CALLER_BAD_REQUEST for a
 * state size or a value out of range. */
NODISCARD enum err search_run(struct search_tree *t, const struct search_env *env, const void *root,
                              uint64_t simulations);

#endif
