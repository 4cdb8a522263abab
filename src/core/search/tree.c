/* SPDX-License-Identifier: Apache-2.0 */
/* tree: see search.h. Opening, growing and backing up a tree; the configuration's ranges. */
#include <math.h>

#include "core/search/search_internal.h"

static const char *const policy_names[SEARCH_POLICY_COUNT] = {
    [SEARCH_UCB1] = "ucb1",
    [SEARCH_PUCT] = "puct",
    [SEARCH_AB_BETA] = "ab_beta",
    [SEARCH_AB_GAUSSIAN] = "ab_gaussian",
};

const char *search_policy_name(enum search_policy p)
{
    return policy_names[p];
}

bool search_policy_find(str name, enum search_policy *out)
{
    for (int p = 0; p < SEARCH_POLICY_COUNT; p++)
        if (str_eq(name, str_from(policy_names[p]))) {
            *out = (enum search_policy)p;
            return true;
        }
    return false;
}

struct search_config search_config_default(void)
{
    return (struct search_config){
        .policy = SEARCH_UCB1,
        .choice = SEARCH_BY_VISITS,
        .nodes_max = 4096,
        .tickets_max = 64,
        .depth_max = 10,
        .exploration = 1.414,
        .widening_exponent = 0.5,
        .prior = { .beta_a = 0.5,
                   .beta_b = 0.5,
                   .mean = 0,
                   .mean_weight = 1,
                   .variance = 0.1,
                   .variance_weight = 1 },
    };
}

/* ---- opening ---- */

static bool is_within(double x, double low, double high)
{
    return x >= low && x <= high; /* false for NaN */
}

static bool config_is_valid(const struct search_config *c)
{
    const double tiny = 1e-6, large = 1e6;
    bool is_adaptive = c->policy == SEARCH_AB_BETA || c->policy == SEARCH_AB_GAUSSIAN;

    return (unsigned)c->policy < SEARCH_POLICY_COUNT && (unsigned)c->choice < SEARCH_CHOICE_COUNT &&
           is_within(c->nodes_max, 1, SEARCH_NODES_MAX) &&
           is_within(c->tickets_max, 1, SEARCH_TICKETS_MAX) &&
           is_within(c->depth_max, 1, SEARCH_DEPTH_MAX) && is_within(c->exploration, 0, 1000) &&
           is_within(c->widening_factor, 0, 1000) && is_within(c->widening_exponent, 0, 1) &&
           is_within(c->prior.beta_a, tiny, large) && is_within(c->prior.beta_b, tiny, large) &&
           is_within(c->prior.mean, 0, 1) && is_within(c->prior.mean_weight, tiny, large) &&
           is_within(c->prior.variance, tiny, 100) &&
           is_within(c->prior.variance_weight, 1, large) &&
           !(is_adaptive && (c->has_transpositions || c->has_two_players));
}

/* An array of one element a node, which counts into the bytes of a node. */
static void *node_array(struct search_tree *t, struct arena *arena, size_t size)
{
    t->bytes_per_node += (double)size;
    return arena_array(arena, t->config.nodes_max, size);
}

static void nodes_open(struct search_tree *t, struct arena *arena)
{
    t->parent = node_array(t, arena, sizeof(*t->parent));
    t->last = node_array(t, arena, sizeof(*t->last));
    t->next = node_array(t, arena, sizeof(*t->next));
    t->child_count = node_array(t, arena, sizeof(*t->child_count));
    t->visits = node_array(t, arena, sizeof(*t->visits));
    t->sum = node_array(t, arena, sizeof(*t->sum));
    t->unobserved = node_array(t, arena, sizeof(*t->unobserved));
    t->own = node_array(t, arena, sizeof(*t->own));
    t->tag = node_array(t, arena, sizeof(*t->tag));
    t->depth = node_array(t, arena, sizeof(*t->depth));
    t->flags = node_array(t, arena, sizeof(*t->flags));
    if (t->config.policy == SEARCH_AB_GAUSSIAN)
        t->square = node_array(t, arena, sizeof(*t->square));
    if (t->config.policy == SEARCH_PUCT)
        t->prior = node_array(t, arena, sizeof(*t->prior));
    t->edge_visits = t->visits;
    t->edge_unobserved = t->unobserved;
    if (t->config.has_transpositions) {
        t->edge_visits = node_array(t, arena, sizeof(*t->edge_visits));
        t->edge_unobserved = node_array(t, arena, sizeof(*t->edge_unobserved));
        t->key = node_array(t, arena, sizeof(*t->key));
        t->table_size = transposition_table_size(t->config.nodes_max);
        t->table = arena_array(arena, t->table_size, sizeof(*t->table));
        t->bytes_per_node +=
            (double)t->table_size * sizeof(*t->table) / (double)t->config.nodes_max;
    }
}

static void tickets_open(struct search_tree *t, struct arena *arena)
{
    t->slots = ARENA_ARRAY(arena, t->config.tickets_max, struct ticket_slot);
    t->free_slots = ARENA_ARRAY(arena, t->config.tickets_max, uint32_t);
    t->paths =
        ARENA_ARRAY(arena, (size_t)t->config.tickets_max * (t->config.depth_max + 1), uint32_t);
    if (t->free_slots)
        for (uint32_t i = 0; i < t->config.tickets_max; i++)
            t->free_slots[i] = t->config.tickets_max - 1 - i;
}

static uint32_t node_new(struct search_tree *t, uint32_t parent)
{
    uint32_t n = t->count++;

    t->parent[n] = parent;
    t->last[n] = SEARCH_NONE;
    t->next[n] = n;
    t->own[n] = VALUE_NONE;
    t->depth[n] = parent == SEARCH_NONE ? 0 : (uint8_t)(t->depth[parent] + 1);
    return n;
}

enum err search_open(struct search_tree **out, struct arena *arena,
                     const struct search_config *config)
{
    if (!config_is_valid(config))
        return CALLER_BAD_REQUEST;
    struct search_tree *t = ARENA_NEW(arena, struct search_tree);
    if (!t)
        return WEIR_NO_MEMORY;
    t->config = *config;
    t->is_adaptive = config->policy == SEARCH_AB_BETA || config->policy == SEARCH_AB_GAUSSIAN;
    rng_init(&t->rng, config->seed);
    rng_init(&t->rollouts, rng_mix(config->seed ^ UINT64_C(0x726f6c6c6f757473)));
    t->best_terminal = t->best_valued = SEARCH_NONE;
    nodes_open(t, arena);
    tickets_open(t, arena);
    if ((t->is_adaptive && !crowds_open(t, arena)) || arena_failed(arena))
        return WEIR_NO_MEMORY;
    node_new(t, SEARCH_NONE);
    log_open(t);
    *out = t;
    return OK;
}

/* ---- values ---- */

bool value_from_double(double value, uint32_t *out)
{
    if (!is_within(value, 0, 1))
        return false;
    *out = (uint32_t)(value * VALUE_ONE + 0.5);
    return true;
}

void node_own_set(struct search_tree *t, uint32_t state, uint32_t value)
{
    t->own[state] = value;
    if (t->best_valued == SEARCH_NONE || value > t->best_valued_value) {
        t->best_valued = state;
        t->best_valued_value = value;
    }
    if (t->flags[state] & NODE_TERMINAL &&
        (t->best_terminal == SEARCH_NONE || value > t->best_terminal_value)) {
        t->best_terminal = state;
        t->best_terminal_value = value;
    }
}

static void state_observe(struct search_tree *t, uint32_t state, const struct tally *y)
{
    t->visits[state] += y->count;
    t->sum[state] += y->sum;
    if (t->square)
        t->square[state] += y->square;
}

void path_backup(struct search_tree *t, const uint32_t *path, uint32_t depth,
                 const struct tally *tally)
{
    for (uint32_t d = depth + 1; d-- > 0;) {
        uint32_t state = state_of(t, path[d]);
        state_observe(t, state, tally);
        if (t->edge_visits != t->visits)
            t->edge_visits[path[d]] += tally->count;
        if (d > 0 && t->flags[path[d - 1]] & NODE_CROWD)
            crowd_update(t, path[d - 1], path[d]);
    }
}

/* ---- growing ---- */

static void ring_append(struct search_tree *t, uint32_t state, uint32_t child)
{
    uint32_t last = t->last[state];

    if (last != SEARCH_NONE) {
        t->next[child] = t->next[last];
        t->next[last] = child;
    }
    t->last[state] = child;
}

/* Is this state among the children already, by one edge or another? */
static bool has_child_state(const struct search_tree *t, uint32_t state, uint32_t sought)
{
    uint32_t at = SEARCH_NONE;

    while (search_child_next(t, state, &at))
        if (state_of(t, at) == sought)
            return true;
    return false;
}

static void child_observe(struct search_tree *t, uint32_t edge, double value, struct tally *tally)
{
    struct tally one = { 0 };
    uint32_t state = state_of(t, edge), exact;

    if (!value_from_double(value, &exact))
        return;
    tally_add(&one, exact);
    tally_add(tally, exact);
    state_observe(t, state, &one);
    if (t->edge_visits != t->visits)
        t->edge_visits[edge]++;
    node_own_set(t, state, exact);
}

/* The new child's edge; SEARCH_NONE when this state is a child already. */
static uint32_t child_link(struct search_tree *t, uint32_t state, const struct search_child *child)
{
    uint32_t known = SEARCH_NONE;

    if (t->config.has_transpositions && child->key != 0) {
        known = transposition_find(t, child->key, t->depth[state] + 1u);
        if (known != SEARCH_NONE && has_child_state(t, state, known))
            return SEARCH_NONE;
    }
    uint32_t edge = node_new(t, state);
    t->tag[edge] = child->tag;
    if (known != SEARCH_NONE) {
        t->flags[edge] = NODE_TRANSPOSED;
        t->last[edge] = known;
        return edge;
    }
    if (child->is_terminal)
        t->flags[edge] |= NODE_TERMINAL;
    if (t->is_adaptive && (child->is_terminal || t->depth[edge] == t->config.depth_max))
        t->flags[edge] |= NODE_DEAD;
    if (t->config.has_transpositions && child->key != 0) {
        t->key[edge] = child->key;
        transposition_add(t, edge);
    }
    return edge;
}

/* New children's priors add up to their share among all siblings, the older ones' shrink by as much. */
static void priors_mix(struct search_tree *t, uint32_t state, uint32_t old_count, uint32_t added,
                       double weight)
{
    double all = (double)old_count + (double)added;
    uint32_t at = SEARCH_NONE, i = 0;

    while (search_child_next(t, state, &at)) {
        double prior = t->prior[at];
        if (i++ < old_count)
            t->prior[at] = (float)(prior * old_count / all);
        else
            t->prior[at] = (float)(weight > 0 ? prior / weight * added / all : 1 / all);
    }
}

static void child_attach(struct search_tree *t, uint32_t state, uint32_t edge)
{
    if (t->flags[state] & NODE_CROWD)
        crowd_add(t, state, edge);
    else
        ring_append(t, state, edge);
    t->child_count[state]++;
    if (t->is_adaptive && t->child_count[state] == CROWD_FROM)
        crowd_make(t, state);
}

bool node_children_add(struct search_tree *t, uint32_t state, const struct search_child *children,
                       size_t count, struct tally *tally)
{
    uint32_t old_count = t->child_count[state], added = 0;
    double weight = 0;

    if (count > t->config.nodes_max - t->count) {
        t->is_full = true;
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        uint32_t edge = child_link(t, state, &children[i]);
        if (edge == SEARCH_NONE)
            continue;
        added++;
        child_observe(t, edge, children[i].value, tally);
        child_attach(t, state, edge);
        if (t->prior) {
            t->prior[edge] = (float)children[i].prior;
            weight += (double)t->prior[edge];
        }
    }
    if (t->prior && added > 0)
        priors_mix(t, state, old_count, added, weight);
    return true;
}
