/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forecast: what runs will probably cost and what they can cost at most, before they are made. A rough figure: calls of the
 * strategy × tokens of a usual call × the price table; a resumed evaluation uses what its own runs cost instead.
 */
#include "app/eval/local.h"
#include "edge/config/config.h"

/* A token of English is about four bytes; the worst case takes three. */
#define BYTES_PER_TOKEN 4
#define BYTES_PER_TOKEN_LEAST 3
/* What a prompt's template adds to the question. */
#define TEMPLATE_TOKENS 120
#define TEMPLATE_TOKENS_MOST 600
/* A direct answer that cannot be read is asked for once more. */
#define DIRECT_CALLS_MOST 2

/* Usual calls of a query to each class of model, and output tokens of each: for a forecast's order of magnitude. */
static const struct usual {
    double calls[REASON_MODEL_CLASS_COUNT];
    double output_tokens;
} usual[REASON_STRATEGY_COUNT] = {
    [REASON_DIRECT] = { { 1, 0, 0 }, 250 },
    [REASON_HRM] = { { 2.5, 0, 0 }, 200 },
    [REASON_TRM] = { { 3, 0, 0 }, 220 },
    [REASON_HRM_TRM] = { { 4.5, 0, 0 }, 210 },
    [REASON_SELF_CONSISTENCY] = { { 5, 0, 0 }, 250 },
    [REASON_CASCADE] = { { 1, 1, 0.35 }, 250 },
    [REASON_MCTS] = { { 0, 0, 0 }, 150 }, /* a call a simulation */
    [REASON_FULL_STACK] = { { 6, 0, 0.35 }, 210 },
};

static double calls_of(const struct eval_source *s, const struct eval_cell *cell,
                       enum reason_model_class which)
{
    double calls = usual[cell->strategy].calls[which];
    int64_t simulations =
        cell->simulations > 0 ? cell->simulations : s->config->mcts.simulation_budget;

    if (cell->strategy == REASON_MCTS && which == REASON_MODEL_MAIN)
        calls = (double)simulations;
    return calls < (double)s->config->budget.calls_max ? calls
                                                       : (double)s->config->budget.calls_max;
}

/* May this class be asked at all, in this strategy? */
static bool is_asked(const struct eval_cell *cell, enum reason_model_class which)
{
    return which == REASON_MODEL_MAIN || usual[cell->strategy].calls[which] > 0;
}

nano_usd eval_forecast_expected(const struct eval_source *s, const struct eval_question *question,
                                const struct eval_cell *cell)
{
    double input = (double)question->prompt.len / BYTES_PER_TOKEN + TEMPLATE_TOKENS;
    double cost = 0;

    for (int i = 0; i < REASON_MODEL_CLASS_COUNT; i++) {
        str model = eval_model_of(s->plan, cell, (enum reason_model_class)i);
        double calls = calls_of(s, cell, (enum reason_model_class)i);
        if (calls <= 0 || model.len == 0)
            continue;
        const struct price *price = eval_price(s->config, model);
        if (!price)
            return COST_UNPRICED;
        cost += calls * (input * (double)price->input +
                         usual[cell->strategy].output_tokens * (double)price->output);
    }
    double most = (double)s->config->budget.cost_max;
    return (nano_usd)(cost < most ? cost : most);
}

nano_usd eval_forecast_worst(const struct eval_source *s, const struct eval_question *question,
                             const struct eval_cell *cell)
{
    struct usage one = {
        .input = (int64_t)question->prompt.len / BYTES_PER_TOKEN_LEAST + TEMPLATE_TOKENS_MOST,
        .output = s->config->budget.output_tokens_max,
    };
    nano_usd most = s->config->budget.cost_max;
    nano_usd call = 0;

    for (int i = 0; i < REASON_MODEL_CLASS_COUNT; i++) {
        str model = eval_model_of(s->plan, cell, (enum reason_model_class)i);
        if (model.len == 0 || !is_asked(cell, (enum reason_model_class)i))
            continue;
        call = cost_add(call, price_cost(eval_price(s->config, model), &one));
    }
    if (call == COST_UNPRICED || call == 0)
        return call;
    if (cell->strategy == REASON_DIRECT && call < most / DIRECT_CALLS_MOST)
        return call * DIRECT_CALLS_MOST;
    return most;
}
