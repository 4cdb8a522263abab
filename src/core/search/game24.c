/* SPDX-License-Identifier: Apache-2.0 */
/*
 * game24: see environments.h. An action names two positions i < j among the numbers of a state and one of six ways
 * to combine them. A part of any number is a sum of at most four products, each of different ones of the four
 * numbers, so it stays below 4·99^4 < 2^31: only a division by zero is no action.
 */
#include "core/search/environments.h"

enum operation { ADD, SUBTRACT, SUBTRACT_FROM, MULTIPLY, DIVIDE, DIVIDE_INTO, OPERATION_COUNT };

/* i + j, i - j, j - i, i * j, i / j, j / i */
static const struct {
    char sign;
    bool is_reversed;
} operations[OPERATION_COUNT] = {
    [ADD] = { '+', false },      [SUBTRACT] = { '-', false }, [SUBTRACT_FROM] = { '-', true },
    [MULTIPLY] = { '*', false }, [DIVIDE] = { '/', false },   [DIVIDE_INTO] = { '/', true },
};

#define ACTION(i, j, operation) ((((i)*GAME24_NUMBERS + (j)) * OPERATION_COUNT) + (operation))

struct combination {
    uint32_t i, j;
    enum operation operation;
};

static struct combination combination_of(uint32_t action)
{
    return (struct combination){ .i = action / OPERATION_COUNT / GAME24_NUMBERS,
                                 .j = action / OPERATION_COUNT % GAME24_NUMBERS,
                                 .operation = (enum operation)(action % OPERATION_COUNT) };
}

/* ---- rationals ---- */

static int64_t greatest_divisor(int64_t a, int64_t b)
{
    while (b != 0) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a < 0 ? -a : a;
}

/* Lowest terms; false when the denominator is 0 or a part does not fit. */
static bool number_make(int64_t numerator, int64_t denominator, struct game24_number *out)
{
    if (denominator == 0)
        return false;
    int64_t divisor = greatest_divisor(numerator, denominator);
    divisor = denominator < 0 ? -divisor : divisor;
    numerator /= divisor;
    denominator /= divisor;
    if (numerator > INT32_MAX || numerator < -INT32_MAX || denominator > INT32_MAX)
        return false;
    *out = (struct game24_number){ (int32_t)numerator, (int32_t)denominator };
    return true;
}

static bool number_combine(struct game24_number a, struct game24_number b, enum operation o,
                           struct game24_number *out)
{
    const int64_t an = a.numerator, ad = a.denominator, bn = b.numerator, bd = b.denominator;

    switch (o) {
    case ADD:
        return number_make(an * bd + bn * ad, ad * bd, out);
    case SUBTRACT:
        return number_make(an * bd - bn * ad, ad * bd, out);
    case SUBTRACT_FROM:
        return number_make(bn * ad - an * bd, ad * bd, out);
    case MULTIPLY:
        return number_make(an * bn, ad * bd, out);
    case DIVIDE:
        return number_make(an * bd, ad * bn, out);
    case DIVIDE_INTO:
        return number_make(bn * ad, bd * an, out);
    case OPERATION_COUNT:
        break;
    }
    return false;
}

static bool is_less(struct game24_number a, struct game24_number b)
{
    return (int64_t)a.numerator * b.denominator < (int64_t)b.numerator * a.denominator;
}

/* ---- states ---- */

/* Where the result of an action stands among the numbers that are left: before the first greater one. */
static uint32_t state_insert(struct game24_state *s, struct game24_number n)
{
    uint32_t at = s->count++;

    for (; at > 0 && is_less(n, s->numbers[at - 1]); at--)
        s->numbers[at] = s->numbers[at - 1];
    s->numbers[at] = n;
    return at;
}

static void state_remove(struct game24_state *s, uint32_t at)
{
    s->count--;
    for (; at < s->count; at++)
        s->numbers[at] = s->numbers[at + 1];
    s->numbers[s->count] = (struct game24_number){ 0, 0 };
}

static bool state_combine(struct game24_state *s, uint32_t action, uint32_t *out_at)
{
    const struct combination c = combination_of(action);
    struct game24_number n;

    if (c.i >= c.j || c.j >= s->count ||
        !number_combine(s->numbers[c.i], s->numbers[c.j], c.operation, &n))
        return false;
    state_remove(s, c.j);
    state_remove(s, c.i);
    *out_at = state_insert(s, n);
    return true;
}

/* ---- the environment ---- */

static size_t game24_actions(const struct search_env *env, const void *state,
                             struct search_action *out)
{
    const struct game24_state *x = state;
    struct game24_number ignored;
    size_t n = 0;

    (void)env;
    for (uint32_t i = 0; i < x->count; i++)
        for (uint32_t j = i + 1; j < x->count; j++)
            for (uint32_t o = 0; o < OPERATION_COUNT; o++)
                if (number_combine(x->numbers[i], x->numbers[j], (enum operation)o, &ignored))
                    out[n++] = (struct search_action){ .tag = ACTION(i, j, o) };
    return n;
}

static void game24_apply(const struct search_env *env, void *state, uint32_t action)
{
    uint32_t at;

    (void)env;
    bool is_legal = state_combine(state, action, &at);
    assert(is_legal);
}

static bool game24_terminal(const struct search_env *env, const void *state, double *out_value)
{
    const struct game24_state *x = state;

    (void)env;
    if (x->count > 1)
        return false;
    *out_value = x->numbers[0].numerator == 24 && x->numbers[0].denominator == 1 ? 1 : 0;
    return true;
}

static double game24_value(const struct search_env *env, void *state, struct rng *rng)
{
    struct search_action actions[GAME24_NUMBERS * GAME24_NUMBERS * OPERATION_COUNT];
    double value;

    while (!game24_terminal(env, state, &value)) {
        size_t n = game24_actions(env, state, actions);
        game24_apply(env, state, actions[rng_below(rng, n)].tag);
    }
    return value;
}

static uint64_t game24_key(const struct search_env *env, const void *state)
{
    const struct game24_state *x = state;
    uint64_t hash = 0;

    (void)env;
    for (uint32_t i = 0; i < x->count; i++)
        hash = rng_mix(hash + ((uint64_t)(uint32_t)x->numbers[i].numerator << 32 |
                               (uint32_t)x->numbers[i].denominator));
    return hash | 1;
}

enum err game24_init(struct game24 *g, const int numbers[GAME24_NUMBERS])
{
    struct game24_state root = { 0 };

    for (int i = 0; i < GAME24_NUMBERS; i++) {
        if (numbers[i] < 1 || numbers[i] > GAME24_NUMBER_MAX)
            return CALLER_BAD_REQUEST;
        state_insert(&root, (struct game24_number){ numbers[i], 1 });
    }
    *g = (struct game24){
        .env = { .state_bytes = sizeof(struct game24_state),
                 .actions = game24_actions,
                 .apply = game24_apply,
                 .terminal = game24_terminal,
                 .value = game24_value,
                 .key = game24_key },
        .root = root,
    };
    return OK;
}

/* ---- as text ---- */

/* Replaces the texts of two numbers by that of what they were combined to. */
static void texts_combine(str *texts, uint32_t count, const struct combination *c, uint32_t at,
                          struct arena *arena)
{
    bool is_reversed = operations[c->operation].is_reversed;
    str left = texts[is_reversed ? c->j : c->i], right = texts[is_reversed ? c->i : c->j];
    bool is_last = count == 2;
    str text = arena_printf(arena, "%s%.*s %c %.*s%s", is_last ? "" : "(", STR_ARG(left),
                            operations[c->operation].sign, STR_ARG(right), is_last ? "" : ")");

    for (uint32_t i = c->j; i + 1 < count; i++)
        texts[i] = texts[i + 1];
    for (uint32_t i = c->i; i + 2 < count; i++)
        texts[i] = texts[i + 1];
    for (uint32_t i = count - 2; i > at; i--)
        texts[i] = texts[i - 1];
    texts[at] = text;
}

str game24_expression(const struct game24 *g, const uint32_t *actions, size_t count,
                      struct arena *arena)
{
    struct game24_state s = g->root;
    str texts[GAME24_NUMBERS], all = { 0 };

    for (uint32_t i = 0; i < GAME24_NUMBERS; i++)
        texts[i] = arena_printf(arena, "%" PRId32, s.numbers[i].numerator);
    for (size_t k = 0; k < count; k++) {
        const struct combination c = combination_of(actions[k]);
        uint32_t before = s.count, at;
        if (!state_combine(&s, actions[k], &at))
            return (str){ 0 };
        texts_combine(texts, before, &c, at, arena);
    }
    for (uint32_t i = 0; i < s.count; i++)
        all = arena_printf(arena, "%.*s%s%.*s", STR_ARG(all), i > 0 ? ", " : "", STR_ARG(texts[i]));
    return all;
}
