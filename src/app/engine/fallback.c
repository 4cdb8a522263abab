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

/* The chain of the call that was made first. */
static size_t chain_length(const struct query_call *c)
{
    const struct call_target *first = c->original ? c->original->target : c->target;

    return c->query->forbids_fallback ? 0 : first->fallback_count;
}

bool fallback_has_more(const struct query_call *c)
{
    return c->chain_at < chain_length(c);
}

int fallback_attempts(const struct query_call *c)
{
    int length = (int)chain_length(c), to_come = length - (int)c->chain_at;

    return c->endpoint->limits.attempts_max + length - c->attempts_before - to_come;
}

static bool may_fall_back(const struct query_call *c, enum err fault)
{
    const struct query *q = c->query;

    return fault_is_the_provider_s(fault) && fallback_has_more(c) && !c->upstream.is_given &&
           q->state == QUERY_RUN && !q->is_cancelled && q->fault == OK &&
           world_now(q->engine->world) < q->deadline;
}

/* The same request for another model, in its provider's own words. What a strategy asks was written by the first one's wire, and
 * can be read back where that is OpenAI's. */
static enum err request_write(struct query_call *c, const struct query_call *before)
{
    struct query *q = c->query;
    struct chat_request request;
    struct chat_error error;
    const struct chat_request *chat = q->chat;
    str name = c->target->model->upstream_name;

    if (!c->wire)
        return WEIR_NOT_SUPPORTED;
    if (!q->route.is_plain) {
        str sent = arena_str(q->arena, buf_str(&before->request));
        enum err e = chat_request_parse(q->arena, sent, &request, &error);
        if (e != OK)
            return WEIR_NOT_SUPPORTED;
        chat = &request;
    }
    if (c->wire->has_state && chat->stream)
        c->stream = wire_stream_new(q->arena, q->started_wall / 1000000);
    enum err e = c->wire->request(&c->request, q->arena, chat, name, &error);
    return e == OK && (c->request.failed || arena_failed(q->arena)) ? WEIR_NO_MEMORY : e;
}

/* A strategy's budget must cover the other model's price too; a relayed request has none of its own. */
static bool is_affordable(const struct query_call *c)
{
    const struct query *q = c->query;
    nano_usd spent = q->cost == COST_UNPRICED ? 0 : q->cost;

    return q->route.is_plain || spent + q->cost_reserved <= q->profile->config->budget.cost_max;
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
    c->output_tokens_max = before->output_tokens_max;
    c->chain_at = before->chain_at + 1;
    c->attempts_before =
        before->attempts_before + before->upstream.attempts - before->upstream.key_walks;
    bool is_aimed = call_aim(c, original->target->fallback[before->chain_at]->name, before->api);
    assert(is_aimed); /* the chain was made from the same configuration */
    enum err refused = request_write(c, before);
    call_reserve(c, c->output_tokens_max);
    if (refused == OK)
        refused = limits_call(c);
    if (refused == OK && !is_affordable(c))
        refused = POLICY_BUDGET;
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
