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

/* ---- all of them ---- */

static const struct {
    const char *name; /* as route.scorer has it */
    bool (*choose)(struct choice *c);
} scorers[] = {
    { "none", none_choose },
    { "seed_v1", seed_choose },
    { "words_v1", words_choose },
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
