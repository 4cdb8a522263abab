/* SPDX-License-Identifier: Apache-2.0 */
/* run: the fast loop over an environment, without tickets. Only a walk's end needs the state, which is made by
 * applying the walk's actions to the root's. */
#include "core/search/search_internal.h"

union state {
    unsigned char bytes[SEARCH_STATE_BYTES_MAX];
    max_align_t aligned;
};

struct runner {
    struct search_tree *tree;
    const struct search_env *env;
    const void *root;
    struct walk walk;
    struct search_action actions[SEARCH_CHILDREN_MAX];
    struct search_child children[SEARCH_CHILDREN_MAX];
};

static void state_make(const struct runner *r, union state *out)
{
    memcpy(out->bytes, r->root, r->env->state_bytes);
    for (uint32_t d = 1; d <= r->walk.depth; d++)
        r->env->apply(r->env, out->bytes, r->tree->tag[r->walk.path[d]]);
}

/* Its value, by the end's rule or a rollout, which uses up the state. */
static bool state_evaluate(const struct runner *r, union state *state, double *out_value)
{
    if (r->env->terminal(r->env, state->bytes, out_value))
        return true;
    *out_value = r->env->value(r->env, state->bytes, &r->tree->rollouts);
    return false;
}

static struct search_child child_make(const struct runner *r, const union state *state,
                                      const struct search_action *action)
{
    struct search_child child = { .value = SEARCH_NO_VALUE,
                                  .prior = (double)action->prior,
                                  .tag = action->tag };
    union state after;

    if (!r->tree->config.has_transpositions && !r->tree->is_adaptive)
        return child;
    memcpy(after.bytes, state->bytes, r->env->state_bytes);
    r->env->apply(r->env, after.bytes, action->tag);
    if (r->tree->config.has_transpositions && r->env->key)
        child.key = r->env->key(r->env, after.bytes);
    if (r->tree->is_adaptive)
        child.is_terminal = state_evaluate(r, &after, &child.value);
    return child;
}

static enum err absorb(struct runner *r, const struct search_result *result)
{
    if (!result_is_valid(r->tree, result))
        return CALLER_BAD_REQUEST;
    log_run(r->tree, &r->walk, result);
    result_absorb(r->tree, r->walk.path, r->walk.depth, r->walk.want, result);
    return OK;
}

static enum err evaluate(struct runner *r)
{
    struct search_result result = { 0 };
    union state state;

    state_make(r, &state);
    result.is_terminal = state_evaluate(r, &state, &result.value);
    return absorb(r, &result);
}

/* All children of a leaf of ucb1 or puct; the next one child of an ab node. */
static enum err expand(struct runner *r)
{
    uint32_t node = state_of(r->tree, r->walk.path[r->walk.depth]);
    struct search_result result = { .value = SEARCH_NO_VALUE, .children = r->children };
    union state state;
    double ignored;

    state_make(r, &state);
    if (r->walk.depth == 0 && r->env->terminal(r->env, state.bytes, &ignored)) {
        result.is_terminal = true;
        return absorb(r, &result);
    }
    size_t n = r->env->actions(r->env, state.bytes, r->actions);
    size_t from = r->tree->is_adaptive ? r->tree->child_count[node] : 0;
    size_t to = r->tree->is_adaptive ? from + 1 : n;
    if (n == 0 || n > SEARCH_CHILDREN_MAX || to > n)
        return CALLER_BAD_REQUEST;
    for (size_t i = from; i < to; i++)
        r->children[result.child_count++] = child_make(r, &state, &r->actions[i]);
    result.is_closed = to == n;
    return absorb(r, &result);
}

/* One simulation: a leaf that gets its children is walked through to the first of them. */
static enum err simulate(struct runner *r, enum walk_end *out_end)
{
    struct search_tree *t = r->tree;
    enum err e = OK;

    walk_restart(&r->walk);
    for (;;) {
        *out_end = walk_down(t, WALK_TO_ROLL_OUT, &r->walk);
        if (*out_end == WALK_REVISITS) {
            log_run(t, &r->walk, NULL);
            walk_revisit(t, &r->walk);
        }
        if (*out_end != WALK_WANTS)
            return OK;
        if (r->walk.want == SEARCH_EVALUATE)
            return evaluate(r);
        e = expand(r);
        if (e != OK || t->is_adaptive)
            return e;
    }
}

enum err search_run(struct search_tree *t, const struct search_env *env, const void *root,
                    uint64_t simulations)
{
    struct runner r = { .tree = t, .env = env, .root = root };
    enum walk_end end = WALK_WANTS;
    enum err e = OK;

    if (env->state_bytes < 1 || env->state_bytes > SEARCH_STATE_BYTES_MAX)
        return CALLER_BAD_REQUEST;
    for (uint64_t i = 0; i < simulations && e == OK; i++) {
        e = simulate(&r, &end);
        if (end == WALK_NOTHING || end == WALK_BLOCKED)
            break;
    }
    return e;
}
