/* SPDX-License-Identifier: Apache-2.0 */
/*
 * choose: which strategy and model weir/auto takes, and why: a function of the configuration and of what the ledger keeps of a query, so
 * that `weir replay` can decide again what was decided before.
 *
 *     route.scorer none ---------------> the configured strategy
 *     seed_v1, words_v1: the score ----> the configured strategy, or from route.threshold on the fallback profile
 *     learned_v1: the trained model ---> the arm of the highest expected value less cost, sometimes another by lot
 */
#include "app/engine/engine_internal.h"

#include <stdio.h>

#include "base/rng.h"

/* So that what is explored does not depend on what else an id decides. */
#define EXPLORE_SALT UINT64_C(0x6578706c6f726572)

/* What is being decided, and what has been. */
struct choice {
    const struct config *config;
    const struct route_known *known;
    struct arena *arena;
    struct route *route;
    struct decision *decision;
};

static void reason_add(struct choice *c, const char *format, ...) PRINTF_LIKE(2, 3);
static void reason_add(struct choice *c, const char *format, ...)
{
    struct decision *d = c->decision;
    char text[LEDGER_TEXT_MAX];
    va_list args;

    if (d->reason_count == DECISION_REASONS_MAX)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    d->reasons[d->reason_count++] = arena_str(c->arena, str_from(text));
}

/* The only arm that there is. */
static void arm_take(struct choice *c, const struct config *profile)
{
    struct route *route = c->route;

    route->profile = profile;
    route->strategy = strategy_configured(profile);
    route->model = profile->model;
    c->decision->propensity = 1;
    c->decision->arm_count = 1;
    c->decision->arms[0] =
        (struct decision_arm){ .strategy = str_from(reason_strategy_name(route->strategy)),
                               .model = route->model,
                               .propensity = 1,
                               .quality = -1,
                               .cost = COST_UNPRICED };
}

static bool none_choose(struct choice *c)
{
    arm_take(c, c->config);
    reason_add(c, "the configured strategy");
    return true;
}

/* ---- rules ---- */

/* Scores are whole hundredths: their quotient by 100 is the very double that a threshold of as many hundredths is read as. */
static bool rule_choose(struct choice *c, int score_hundredths)
{
    const struct config *config = c->config;
    double score = (double)score_hundredths / 100;
    bool is_above = score >= config->route.threshold;

    if (score_hundredths < 0)
        return false;
    c->decision->score = score;
    arm_take(c, is_above && config->route.fallback ? config->route.fallback : config);
    reason_add(c, "score %.2f is %s the threshold %g: %s", score,
               is_above ? "at or above" : "below", config->route.threshold,
               !is_above                ? "the configured strategy"
               : config->route.fallback ? "the fallback profile"
                                        : "the configured strategy, since there is no fallback");
    return true;
}

static void rule_explain(struct choice *c, const struct rule_score *score)
{
    const struct {
        const char *what;
        int hundredths;
    } parts[] = {
        { "several steps", score->multi_step },  { "constraints", score->constraints },
        { "ambiguity", score->ambiguity },       { "several questions", score->questions },
        { "optimisation", score->optimisation },
    };

    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (parts[i].hundredths > 0)
            reason_add(c, "%s +0.%02d", parts[i].what, parts[i].hundredths);
}

static bool seed_choose(struct choice *c)
{
    struct rule_score score = route_score_seed(c->known->question, c->known->domain);

    if (!rule_choose(c, c->known->seed_score))
        return false;
    rule_explain(c, &score); /* of no question, when only its score is known: nothing */
    return true;
}

static bool words_choose(struct choice *c)
{
    struct rule_score score = route_score_words(c->known->question, c->known->domain);

    if (!rule_choose(c, c->known->words_score))
        return false;
    rule_explain(c, &score);
    return true;
}

/* ---- the trained model ---- */

static bool candidate_is_in(const struct route_candidate *list, size_t n,
                            const struct route_candidate *c)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(list[i].strategy, c->strategy) && str_eq(list[i].model, c->model))
            return true;
    return false;
}

/* The configured arm, and those that the model knows and this configuration can run. */
static size_t candidates_find(const struct config *config,
                              struct route_candidate out[ROUTE_CANDIDATES_MAX])
{
    struct route_candidate known[ROUTE_CANDIDATES_MAX];
    size_t count = route_model_arms(config->route.model, known, ARRAY_LEN(known)), n = 1;
    enum reason_strategy strategy;

    out[0] = (struct route_candidate){ .strategy = str_from(
                                           reason_strategy_name(strategy_configured(config))),
                                       .model = config->model,
                                       .cost_estimate = COST_UNPRICED };
    for (size_t i = 0; i < count && n < ROUTE_CANDIDATES_MAX; i++)
        if (reason_strategy_find(known[i].strategy, &strategy) &&
            config_model_find(config, known[i].model) && !candidate_is_in(out, n, &known[i]))
            out[n++] = known[i];
    return n;
}

static void learned_explain(struct choice *c, const struct learned_score *score)
{
    for (size_t i = 0; i < score->reason_count; i++) {
        const struct route_reason *r = &score->reasons[i];
        bool is_nameless = r->name.len == 0; /* words of a question that is not here */
        switch (r->kind) {
        case ROUTE_REASON_FEATURE:
            reason_add(c, "%.*s %+.2f", STR_ARG(r->name), r->contribution);
            break;
        case ROUTE_REASON_WORDS:
            if (!is_nameless)
                reason_add(c, "'%.*s' %+.2f", STR_ARG(r->name), r->contribution);
            break;
        case ROUTE_REASON_DOMAIN:
            reason_add(c, "domain %.*s %+.2f", STR_ARG(r->name), r->contribution);
            break;
        }
    }
}

static void arms_keep(struct choice *c, const struct route_candidate *candidates,
                      const struct route_decision *made)
{
    struct decision *d = c->decision;

    d->arm_count = made->candidate_count;
    for (size_t i = 0; i < made->candidate_count; i++)
        d->arms[i] = (struct decision_arm){ .strategy = candidates[i].strategy,
                                            .model = candidates[i].model,
                                            .propensity = made->estimates[i].propensity,
                                            .quality = made->estimates[i].quality,
                                            .cost = made->estimates[i].cost };
    d->propensity = made->propensity;
    d->is_explored = made->is_explored;
    d->quality = made->estimates[made->chosen].quality;
    d->cost = made->estimates[made->chosen].cost;
}

static bool learned_choose(struct choice *c)
{
    const struct config *config = c->config;
    const struct route_options options = { .value_nano_usd = config->route.value,
                                           .cost_cap_nano_usd = config->budget.cost_max,
                                           .epsilon = config->route.epsilon };
    struct route_candidate candidates[ROUTE_CANDIDATES_MAX];
    struct learned_score score;
    struct route_decision made;
    struct buf why = { .max = 4096 };
    struct rng rng;

    if (!c->known->features)
        return false;
    bool has_score = route_model_has_scorer(config->route.model);
    if (has_score)
        route_score_learned(config->route.model, c->known->features, c->known->question,
                            c->known->domain, &score);
    size_t n = candidates_find(config, candidates);
    rng_init(&rng, c->known->seed ^ EXPLORE_SALT);
    route_decide(
        config->route.model,
        &(struct route_question){ .domain = c->known->domain, .score = has_score ? &score : NULL },
        candidates, n, &options, &rng, &made);
    if (has_score)
        c->decision->score = score.gain;
    c->decision->epsilon = config->route.epsilon;
    arms_keep(c, candidates, &made);
    route_decision_explain(&made, candidates, &options, &why);
    reason_add(c, "%.*s", STR_ARG(buf_str(&why)));
    buf_fini(&why);
    if (has_score)
        learned_explain(c, &score);
    bool is_known = reason_strategy_find(candidates[made.chosen].strategy, &c->route->strategy);
    assert(is_known);
    c->route->profile = config;
    c->route->model = candidates[made.chosen].model;
    return true;
}

/* ---- all of them ---- */

static const struct {
    const char *name; /* as route.scorer has it */
    bool (*choose)(struct choice *c);
} scorers[] = {
    { "none", none_choose },
    { "seed_v1", seed_choose },
    { "words_v1", words_choose },
    { "learned_v1", learned_choose },
};

bool route_choose(const struct config *config, const struct route_known *known, struct arena *arena,
                  struct route *route, struct decision *out)
{
    struct choice c = { config, known, arena, route, out };

    *out = DECISION_NONE;
    for (size_t i = 0; i < ARRAY_LEN(scorers); i++) {
        if (!str_eq(config->route.scorer, str_from(scorers[i].name)))
            continue;
        out->scorer = str_from(scorers[i].name);
        return scorers[i].choose(&c);
    }
    return false;
}
