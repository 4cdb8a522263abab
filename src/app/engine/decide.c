/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decide: a strategy's query before its first call: its domain, its strategy and model, and all that into the ledger, with the
 * probability of the choice, so that what other choices would have brought can be estimated.
 */
#include "app/engine/engine_internal.h"

#include "core/json/json.h"
#include "edge/store/features.h"

/* The last thing that the user said. */
static str question_of(const struct chat_request *chat)
{
    for (size_t i = chat->message_count; i > 0; i--)
        if (str_eq(str_from(chat->messages[i - 1].role), STR("user")))
            return chat->messages[i - 1].content;
    return STR("");
}

/* Negative: the request named the domain. */
static double domain_decide(struct query *q, str question)
{
    if (q->domain.len > 0)
        return -1;
    struct domain_guess guess = route_domain_guess(question);
    q->domain = guess.domain;
    return guess.probability;
}

static void route_take(struct query *q, const struct route_known *known)
{
    struct decision *d = q->decision;

    /* A model that the request names leaves nothing to decide. */
    if (q->route.is_auto && q->model_override.len == 0 &&
        route_choose(q->profile->config, known, q->arena, &q->route, d))
        return;
    *d = DECISION_NONE;
    d->scorer = STR("named");
    d->reasons[d->reason_count++] = str_from(q->route.reason);
}

enum err query_decide(struct query *q)
{
    struct route_context context = { .turns = (int)q->chat->message_count,
                                     .has_schema = json_exists(q->chat->response_format) };
    struct route_features *features = ARENA_NEW(q->arena, struct route_features);
    str question = question_of(q->chat);
    uint8_t packed[LEDGER_FEATURES_MAX];

    q->decision = ARENA_NEW(q->arena, struct decision);
    if (!features || !q->decision)
        return WEIR_NO_MEMORY;
    double domain_probability = domain_decide(q, question);
    route_features_read(features, question, &context);
    struct route_known known = { .question = question,
                                 .domain = q->domain,
                                 .features = features,
                                 .seed_score = route_score_seed(question, q->domain).total,
                                 .words_score = route_score_words(question, q->domain).total,
                                 .seed = (uint64_t)q->id };
    route_take(q, &known);
    if (q->model_override.len == 0)
        q->model = q->route.model;
    struct decision *d = q->decision;
    d->domain_probability = domain_probability;
    d->seed_score = known.seed_score;
    d->words_score = known.words_score;
    d->features =
        arena_str(q->arena, (str){ (const char *)packed, features_pack(packed, features) });
    return arena_failed(q->arena) ? WEIR_NO_MEMORY : OK;
}

void query_record_route(const struct query *q)
{
    const struct decision *d = q->decision;
    struct buf reasons = { .max = (size_t)DECISION_REASONS_MAX * (LEDGER_TEXT_MAX + 2) };

    for (size_t i = 0; i < d->reason_count; i++) {
        if (i > 0)
            buf_add(&reasons, STR("; "));
        buf_add(&reasons, d->reasons[i]);
    }
    struct ledger_route row = { .query = q->id,
                                .scorer = d->scorer,
                                .score = d->score,
                                .seed_score = d->seed_score,
                                .words_score = d->words_score,
                                .strategy = str_from(reason_strategy_name(q->route.strategy)),
                                .model = q->model,
                                .propensity = d->propensity,
                                .epsilon = d->epsilon,
                                .is_explored = d->is_explored,
                                .domain = q->domain,
                                .domain_probability = d->domain_probability,
                                .quality = d->quality,
                                .cost = d->cost,
                                .reasons = buf_str(&reasons),
                                .features = d->features };
    ledger_route(q->engine->ledger, &row);
    buf_fini(&reasons);
}
