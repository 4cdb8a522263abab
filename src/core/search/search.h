/* SPDX-License-Identifier: Apache-2.0 */
/*
 * search: Monte-Carlo tree search as a pure machine. Its owner asks which node to look at, looks
 * (a model call of seconds, a rollout of nanoseconds), and tells what it saw: in any order, once,
 * twice, or never.
 *
 *     ucb1   Q + c·sqrt(ln(N_p + O_p) / (N_i + O_i))     Auer et al. 2002; O: Liu et al. 2020, WU-UCT
 *     puct   Q + c·P·sqrt(N_p + O_p) / (1 + N_i + O_i)   Silver et al. 2017
 *     ab     Thompson sampling of wider (a new child) or deeper (one of the children) by what each has
 *            brought so far, as Beta or Student t posteriors: AB-MCTS-A, arXiv 2503.04412
 *
 * N counts observations, O looks that are under way (unobserved), so that several tickets at once
 * spread out without pretending a loss. Nodes are indices into arrays of a fixed capacity, at most 64
 * bytes a node in all; when they run out, the search goes on without new nodes.
 *
 * A caller may rely on: the same configuration and the same calls give the same tree, bit for bit;
 * values are integers of 2^-24, so sums are exact and do not depend on the order of tells; what is told
 * about a ticket that is not open is ignored; with no ticket open every unobserved count is 0; no
 * clock, no allocation outside the arena given to search_open() and the log's buffer.
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

/* How the move is chosen in the end (Chaslot et al. 2008). Ties go to the higher mean, then to the
 * child told first. */
enum search_choice {
    SEARCH_BY_VISITS, /* the robust child: the one looked at most */
    SEARCH_BY_VALUE, /* the max child: the highest mean */
    SEARCH_BY_LOWER_BOUND, /* the secure child: the highest Q - c·sqrt(ln N_p / N_i) */
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
    uint32_t nodes_max; /* capacity, the root included; 1..SEARCH_NODES_MAX */
    uint32_t tickets_max; /* open at once; 1..SEARCH_TICKETS_MAX */
    uint32_t depth_max; /* nodes this deep get no children, the root has 0; 1..SEARCH_DEPTH_MAX */
    double exploration; /* c, [0, 1000] */
    /* Progressive widening (ucb1, puct): a node of N observations considers its first
     * ceil(factor·N^exponent) children, at least one, and asks for more when it has fewer. Factor 0:
     * all, and never more. [0, 1000], [0, 1]. */
    double widening_factor;
    double widening_exponent;
    /* ucb1, puct: who moves at odd depths wants the value low; values are those of the root's mover. */
    bool has_two_players;
    /* ucb1, puct: children of one depth with equal keys (not 0) are one state, whose children and
     * value are shared; each edge into it keeps its own count (Childs et al. 2008, UCT2). */
    bool has_transpositions;
    /* ab: what is believed before anything was seen. The weights say how many observations it counts for. */
    struct {
        double beta_a, beta_b; /* > 0; ½, ½ is Jeffreys' */
        double mean, mean_weight; /* [0, 1], > 0 */
        double variance, variance_weight; /* > 0 and <= 100, >= 1 */
    } prior;
    /* NULL, or where every ask, tell and drop is recorded for search_replay(); the caller's. */
    struct buf *log;
};
/* ucb1, by visits, seed 0, 4096 nodes, 64 tickets, depth 10, c = 1.414, one player, no widening, no
 * transpositions, Jeffreys' prior, mean 0 of weight 1, variance .1 of weight 1. */
struct search_config search_config_default(void);

struct search_tree;

/* Everything is allocated here, from the arena, which must outlive the tree. CALLER_BAD_REQUEST for a
 * configuration out of range or a combination that has no meaning; WEIR_NO_MEMORY. */
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
    uint32_t node; /* what to look at: the state that the path's last edge leads to */
    uint32_t depth;
    /* The depth + 1 edges as walked, the root first; valid until this ticket is told or dropped. */
    const uint32_t *path;
};

#define SEARCH_NO_VALUE (-1.0)

struct search_child {
    /* [0, 1] when it was scored already (several siblings by one prompt), else SEARCH_NO_VALUE. ab: always
     * scored, this is its observation. */
    double value;
    double prior; /* puct: a weight in [0, 10^6], normalised among siblings; 0 for all: equal */
    uint64_t key; /* the state's hash for transpositions; 0: none */
    uint32_t tag; /* the caller's */
    bool is_terminal; /* nothing follows; its value is final */
};

struct search_result {
    double value; /* of the ticket's node, [0, 1], or SEARCH_NO_VALUE; ab: ignored */
    const struct search_child *children;
    size_t child_count; /* at most SEARCH_CHILDREN_MAX */
    bool is_terminal; /* the node turned out to be an end; its children are ignored */
    bool is_closed; /* it will never get more children than it has now and are told here */
};

/* Takes a ticket. False when there is nothing to look at now: every ticket is taken, or all that is worth
 * a look is under way. With no ticket open, false means that nothing is left: the tree is exhausted, its
 * nodes are, or 256 visits in a row came to ends. A node's value is asked for until it is told, then
 * never again; ends are visited again without asking. */
bool search_ask(struct search_tree *t, struct search_ticket *out);
/* Closes the ticket; ignored (OK) when it is not open. The children of a tell that do not all fit the
 * capacity are left out, and so are those below depth_max and those of an EXPAND whose node has got
 * children by now. CALLER_BAD_REQUEST, and the ticket stays open, when a number is out of range. */
NODISCARD enum err search_tell(struct search_tree *t, uint64_t ticket,
                               const struct search_result *result);
void search_drop(struct search_tree *t,
                 uint64_t ticket); /* nothing was seen; ignored when not open */
uint32_t search_open_tickets(const struct search_tree *t);

/* ---- what it found so far, at any time ---- */
struct search_best {
    uint32_t node; /* the root's chosen child; SEARCH_NONE before there is one with a value */
    uint32_t tag;
    uint32_t visits; /* through this edge */
    double mean;
};
struct search_best search_best(const struct search_tree *t);
/* The line of chosen children from the root's on, as walked, at most max; how many. */
size_t search_best_line(const struct search_tree *t, uint32_t *out, size_t max);
/* The node that was told the highest value of its own, the first of equals: among ends, or among all.
 * SEARCH_NONE: none yet. */
uint32_t search_best_terminal(const struct search_tree *t);
uint32_t search_best_valued(const struct search_tree *t);

struct search_node {
    uint32_t parent; /* SEARCH_NONE for the root */
    uint32_t
        state; /* the node whose children and value this edge shares; itself unless transposed */
    uint32_t depth;
    uint32_t tag;
    uint32_t
        visits; /* observations of its state: of itself and below, through every edge into it */
    uint32_t edge_visits; /* those that came through this edge */
    uint32_t unobserved; /* open tickets through this edge */
    uint32_t child_count;
    double mean; /* of its state's observations; SEARCH_NO_VALUE without any */
    double own_value; /* as last told; SEARCH_NO_VALUE without one */
    double prior; /* puct; else 0 */
    bool is_terminal;
    bool is_closed;
};
uint32_t search_node_count(const struct search_tree *t);
struct search_node search_node_at(const struct search_tree *t, uint32_t node);
/* The children of a node's state, in the order in which they were told (ab: in no order once they are
 * many). Start with *at = SEARCH_NONE; false at the end. */
bool search_child_next(const struct search_tree *t, uint32_t node, uint32_t *at);
void search_tag_set(struct search_tree *t, uint32_t node, uint32_t tag);
/* Nodes from the root to this one along parents, both included; how many. out: its depth + 1. */
size_t search_path(const struct search_tree *t, uint32_t node, uint32_t *out);
/* Of every statistic and link of the tree: equal trees have equal hashes. */
uint64_t search_hash(const struct search_tree *t);
/* What one node takes in all arrays together, its share of tables included. At most 64 for trees of
 * 1,000 nodes or more. */
double search_node_bytes(const struct search_tree *t);
uint64_t
search_selections(const struct search_tree *t); /* children chosen on the way down so far */

/* ---- the log ---- */
/* Rebuilds a tree from the log of another, open tickets included, and goes on where the other stood; no
 * log is kept of the new one. CALLER_BAD_REQUEST for what is no log, for one cut in the middle of a
 * record, and for one whose decisions this version or its math library would not make. WEIR_NO_MEMORY. */
NODISCARD enum err search_replay(struct search_tree **out, struct arena *arena, str log);

/* ---- the fast loop over an environment ---- */
#define SEARCH_STATE_BYTES_MAX 512

struct search_action {
    uint32_t tag;
    float prior; /* as in search_child */
};

/* A pure environment. A state is a plain value of state_bytes, copied freely. An instance embeds this. */
struct search_env {
    size_t state_bytes; /* 1..SEARCH_STATE_BYTES_MAX */
    /* The actions of a state that is no end: at least 1, at most SEARCH_CHILDREN_MAX, always the same. */
    size_t (*actions)(const struct search_env *env, const void *state, struct search_action *out);
    void (*apply)(const struct search_env *env, void *state, uint32_t action);
    /* Is it an end? Then *out_value is its value in [0, 1]. */
    bool (*terminal)(const struct search_env *env, const void *state, double *out_value);
    /* An estimate in [0, 1] of a state that is no end, usually a rollout; may use up the state. */
    double (*value)(const struct search_env *env, void *state, struct rng *rng);
    /* The state's hash, not 0; NULL when it has none. */
    uint64_t (*key)(const struct search_env *env, const void *state);
};

/* Runs whole simulations from the root, whose state must be the same in every call; goes on where the
 * last call stopped. The tree's tags are the actions. A leaf is rolled out when first reached and gets
 * its children when reached again; ab adds the next action's child and rolls that out. May run while
 * tickets are open. Fewer simulations only when nothing is left, or nothing but what open tickets hold
 * (ab). CALLER_BAD_REQUEST for a state size or a value out of range. */
NODISCARD enum err search_run(struct search_tree *t, const struct search_env *env, const void *root,
                              uint64_t simulations);

#endif
