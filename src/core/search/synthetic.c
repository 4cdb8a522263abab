/* SPDX-License-Identifier: Apache-2.0 */
/* synthetic: see environments.h. */
#include "core/search/environments.h"

static const struct synthetic *synthetic_of(const struct search_env *env)
{
    return CONTAINER_OF_CONST(env, struct synthetic, env);
}

static size_t synthetic_actions(const struct search_env *env, const void *state,
                                struct search_action *out)
{
    const struct synthetic *s = synthetic_of(env);

    (void)state;
    for (uint32_t i = 0; i < s->branching; i++)
        out[i] = (struct search_action){ .tag = i };
    return s->branching;
}

static void synthetic_apply(const struct search_env *env, void *state, uint32_t action)
{
    struct synthetic_state *x = state;

    (void)env;
    x->hash = rng_mix(x->hash + (action + UINT64_C(1)) * UINT64_C(0x9e3779b97f4a7c15));
    x->sum += (double)(x->hash >> 11) * 0x1p-53;
    x->depth++;
}

static bool synthetic_terminal(const struct search_env *env, const void *state, double *out_value)
{
    const struct synthetic *s = synthetic_of(env);
    const struct synthetic_state *x = state;

    if (x->depth < s->depth)
        return false;
    *out_value = x->sum / s->depth;
    return true;
}

static double synthetic_value(const struct search_env *env, void *state, struct rng *rng)
{
    const struct synthetic *s = synthetic_of(env);
    const struct synthetic_state *x = state;

    while (x->depth < s->depth)
        synthetic_apply(env, state, (uint32_t)rng_below(rng, s->branching));
    return x->sum / s->depth;
}

static uint64_t synthetic_key(const struct search_env *env, const void *state)
{
    const struct synthetic_state *x = state;

    (void)env;
    return x->hash | 1;
}

enum err synthetic_init(struct synthetic *s, const struct synthetic_options *options)
{
    if (options->branching < 1 || options->branching > SEARCH_CHILDREN_MAX || options->depth < 1 ||
        options->depth > SEARCH_DEPTH_MAX)
        return CALLER_BAD_REQUEST;
    *s = (struct synthetic){
        .env = { .state_bytes = sizeof(struct synthetic_state),
                 .actions = synthetic_actions,
                 .apply = synthetic_apply,
                 .terminal = synthetic_terminal,
                 .value = synthetic_value,
                 .key = synthetic_key },
        .root = { .hash = rng_mix(options->seed + 1) },
        .branching = options->branching,
        .depth = options->depth,
    };
    return OK;
}
