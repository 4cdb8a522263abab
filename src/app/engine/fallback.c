/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fallback: a call that its provider failed goes on with the next model of the chain, as a call of its own: with its own row, price
 * and reservation in the ledger.
 *
 *     call (model a) --fault, nothing relayed--> call (model b) --fault--> call (model c) --fault--> told: what a met
 *
 * The chain was made when the configuration was loaded and holds each model once. One budget of attempts and the query's one
 * deadline cover all of them; who asked gets the first call's fault when none answers, since that one names the model that was
 * asked for.
 */
#include "app/engine/engine_internal.h"

/* Whether somebody else may do better: the provider is to blame, or does not have the model. */
static bool fault_is_the_provider_s(enum err fault)
{
    return err_info(fault)->blames_provider || fault == PROVIDER_NO_MODEL;
}

bool fallback_has_more(const struct query_call *c)
{
    const struct call_target *first = c->original ? c->original->target : c->target;

    return !c->query->forbids_fallback && c->chain_at < first->fallback_count;
}

int fallback_attempts(const struct query_call *c)
{
    return c->endpoint->limits.attempts_max + (int)c->chain_at - c->attempts_before;
}

static bool may_fall_back(const struct query_call *c, enum err fault)
{
    const struct query *q = c->query;

    return fault_is_the_provider_s(fault) && fallback_has_more(c) && !c->upstream.is_given &&
           q->state == QUERY_RUN && !q->is_cancelled && q->fault == OK &&
           world_now(q->engine->world) < q->deadline;
}

/* What a strategy asked before: kept where it was translated, and else read back from what was sent. NULL: out of memory. */
static const struct chat_request *strategy_chat(struct query_call *before)
{
    struct arena *arena = before->query->arena;
    struct chat_request *chat;
    struct chat_error error;

    if (before->chat)
        return before->chat;
    chat = ARENA_NEW(arena, struct chat_request);
    str sent = arena_str(arena, buf_str(&before->request));
    return chat && chat_request_parse(arena, sent, chat, &error) == OK ? chat : NULL;
}

/* The same request for another model, in its provider's own words. */
static enum err request_write(struct query_call *c, struct query_call *before)
{
    struct query *q = c->query;
    struct chat_error error;

    if (q->route.is_plain)
        return call_write(c, q->chat, &error);
    c->chat = strategy_chat(before);
    return c->chat ? call_write(c, c->chat, &error) : WEIR_NO_MEMORY;
}

/* A strategy's budget must cover the other model's price too; a relayed request has none of its own. */
static bool is_affordable(const struct query_call *c)
{
    const struct query *q = c->query;
    nano_usd spent = q->cost == COST_UNPRICED ? 0 : q->cost;

    return q->route.is_plain || spent + q->cost_reserved <= q->profile->config->budget.cost_max;
}

/* Takes the call's worst case from the budgets. What a limit says of it is not told: the client gets the first call's fault. */
static enum err budgets_take(struct query_call *c)
{
    struct query *q = c->query;
    str message = q->fault_message;
    nsec retry_after = q->retry_after;
    enum err refused = limits_call(c);

    q->fault_message = message;
    q->retry_after = retry_after;
    return refused == OK && !is_affordable(c) ? POLICY_BUDGET : refused;
}

bool fallback_start(struct query_call *before, enum err fault)
{
    struct query_call *original = before->original ? before->original : before;
    struct query *q = before->query;

    if (!may_fall_back(before, fault))
        return false;
    struct query_call *c = call_new(q, before->role, before->trace->label, before->trace->parent);
    if (!c)
        return false;
    if (!before->original)
        before->first_fault = fault;
    c->original = original;
    c->reason_id = before->reason_id;
    c->chain_at = before->chain_at + 1;
    c->attempts_before =
        before->attempts_before + before->upstream.attempts - before->upstream.key_walks;
    bool is_aimed = call_aim(c, original->target->fallback[before->chain_at]->name, before->api);
    assert(is_aimed); /* the chain was made from the same configuration */
    enum err refused = request_write(c, before);
    /* What a model may yield when the client names no maximum is its own. */
    call_reserve(c, q->route.is_plain && c->wire ? plain_output_max(c) : before->output_tokens_max);
    if (refused == OK)
        refused = budgets_take(c);
    call_stage(c, before->upstream.request.wants_stream);
    if (refused != OK)
        call_end(c, refused);
    return true;
}

struct query_call *fallback_told(struct query_call *c, enum err *fault)
{
    if (!c->original || *fault == OK || c->upstream.is_given)
        return c;
    *fault = c->original->first_fault;
    return c->original;
}
