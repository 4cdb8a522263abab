/* SPDX-License-Identifier: Apache-2.0 */
/* tictactoe: see environments.h. */
#include "core/search/environments.h"

#define CELLS 9
#define ALL_CELLS ((1u << CELLS) - 1)

bool tictactoe_has_line(uint16_t stones)
{
    static const uint16_t lines[] = { 0007, 0070, 0700, 0111, 0222, 0444, 0421, 0124 };

    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        if ((stones & lines[i]) == lines[i])
            return true;
    return false;
}

static size_t tictactoe_actions(const struct search_env *env, const void *state,
                                struct search_action *out)
{
    const struct tictactoe_state *x = state;
    unsigned taken = x->stones[0] | x->stones[1];
    size_t n = 0;

    (void)env;
    for (uint32_t cell = 0; cell < CELLS; cell++)
        if (!(taken >> cell & 1))
            out[n++] = (struct search_action){ .tag = cell };
    return n;
}

static void tictactoe_apply(const struct search_env *env, void *state, uint32_t action)
{
    struct tictactoe_state *x = state;
    uint16_t *mover = &x->stones[x->moves % 2];

    (void)env;
    *mover = (uint16_t)(*mover | 1u << action);
    x->moves++;
}

static bool tictactoe_terminal(const struct search_env *env, const void *state, double *out_value)
{
    const struct tictactoe_state *x = state;

    (void)env;
    if (tictactoe_has_line(x->stones[0]))
        *out_value = 1;
    else if (tictactoe_has_line(x->stones[1]))
        *out_value = 0;
    else if ((x->stones[0] | x->stones[1]) == ALL_CELLS)
        *out_value = 0.5;
    else
        return false;
    return true;
}

static double tictactoe_value(const struct search_env *env, void *state, struct rng *rng)
{
    struct search_action actions[CELLS];
    double value;

    while (!tictactoe_terminal(env, state, &value)) {
        size_t n = tictactoe_actions(env, state, actions);
        tictactoe_apply(env, state, actions[rng_below(rng, n)].tag);
    }
    return value;
}

static uint64_t tictactoe_key(const struct search_env *env, const void *state)
{
    const struct tictactoe_state *x = state;

    (void)env;
    return (uint64_t)x->stones[0] << 32 | (uint64_t)x->stones[1] << 16 | (x->moves + 1u);
}

enum err tictactoe_init(struct tictactoe *g, uint16_t mine, uint16_t theirs)
{
    if ((mine & theirs) != 0 || (mine | theirs) > ALL_CELLS)
        return CALLER_BAD_REQUEST;
    *g = (struct tictactoe){
        .env = { .state_bytes = sizeof(struct tictactoe_state),
                 .actions = tictactoe_actions,
                 .apply = tictactoe_apply,
                 .terminal = tictactoe_terminal,
                 .value = tictactoe_value,
                 .key = tictactoe_key },
        .root = { .stones = { mine, theirs } },
    };
    return OK;
}
