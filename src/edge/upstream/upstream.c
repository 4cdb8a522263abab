/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upstream: the machine of one call, over its attempts.
 *
 *    QUEUE ~~~~> CONNECT ~~~~> HEAD ~~~~> ANSWER ~~~~> SETTLE ----> DONE       a wavy line waits for an event
 *      ^            '-------------'----------------------^ |
 *      '~~~~~~~~~~~~~~~~~~~~~~~~~ BACKOFF <----------------|  retryable, nothing given away yet
 *      '---------------------------------------------------'  its key was refused, and there is another
 *
 * Events of the transport record facts and post the call's turn; data alone is handed on at once. Each
 * call has one timer, set to the earliest moment at which a step must look again. It is moved only to
 * come earlier: when it fires too soon, the step finds nothing due and sets it anew, which makes the
 * many prolongations of the idle timeout free.
 */
#include "edge/upstream/lanes.h"
#include "edge/upstream/retry.h"
#include "edge/upstream/transport.h"
#include "edge/upstream/upstream.h"

#include <stdlib.h>

enum state { QUEUE, CONNECT, HEAD, ANSWER, SETTLE, BACKOFF, DONE, STATE_COUNT };
#define TO(state) (1U << (state))

struct rule {
    const char *name;
    enum state (*step)(struct upstream_call *call);
    unsigned next;
};

struct upstream {
    struct world *world;
    struct upstream_options options;
    struct transport *transport;
    struct rng rng;
    uint32_t slots_used;
    struct link waiting; /* calls without a slot, oldest first */
    struct upstream_call *telling; /* whose callback runs; NULL when it cancelled itself */
    size_t calls_active;
};

struct upstream_options upstream_options_default(void)
{
    return (struct upstream_options){
        .limits = { .attempts_max = 3,
                    .connect_timeout = 5 * NSEC_PER_SEC,
                    .first_byte_timeout = 60 * NSEC_PER_SEC,
                    .idle_timeout = 30 * NSEC_PER_SEC,
                    .backoff_base = 100 * NSEC_PER_MS,
                    .backoff_max = 5 * NSEC_PER_SEC,
                    .key_rest = 30 * NSEC_PER_SEC,
                    .answer_bytes_max = (size_t)16 << 20 },
        .connections_max = 1024,
        .seed = 1,
    };
}

static nsec now_of(const struct upstream_call *call)
{
    return world_now(call->owner->world);
}

/* ---- the transport's events ---- */

static bool is_success(int http_status)
{
    return http_status >= 200 && http_status <= 299;
}

static void on_sent(void *ctx)
{
    struct upstream_call *call = ctx;

    call->is_sent = true;
    call->sent = now_of(call);
    turn_post(call->owner->world, &call->turn);
}

static void on_read(void *ctx)
{
    struct upstream_call *call = ctx;

    call->last_read = now_of(call);
}

static void on_head(void *ctx, const struct transport_head *head)
{
    struct upstream_call *call = ctx;

    call->http_status = head->http_status;
    call->head_content_type = head->content_type;
    call->first_byte = now_of(call) - call->started;
    call->retry_after = upstream_retry_after(head->retry_after, world_wall());
    turn_post(call->owner->world, &call->turn);
}

/* False when the owner cancelled the call in on_head, and may have freed it. */
static bool head_give(struct upstream_call *call)
{
    struct upstream *u = call->owner;

    if (call->is_head_given || !call->on_head)
        return true;
    call->is_head_given = true;
    u->telling = call;
    call->on_head(call, call->http_status, call->head_content_type);
    bool is_there = u->telling == call;
    u->telling = NULL;
    return is_there;
}

/* The attempt ends as if the transport had ended it. */
static void attempt_fail(struct upstream_call *call, enum err fault)
{
    call->owner->transport->methods->cancel(call->transport);
    call->transport = NULL;
    call->is_over = true;
    call->fault = fault;
    turn_post(call->owner->world, &call->turn);
}

static void on_data(void *ctx, str bytes)
{
    struct upstream_call *call = ctx;
    struct upstream *u = call->owner;

    if (!head_give(call))
        return;
    u->telling = call;
    enum err fault = call->on_data(call, bytes);
    bool is_there = u->telling == call;
    u->telling = NULL;
    if (is_there && fault != OK)
        attempt_fail(call, fault);
}

static void on_end(void *ctx, enum err result, bool is_final)
{
    struct upstream_call *call = ctx;

    call->transport = NULL;
    call->is_over = true;
    call->fault = result;
    call->is_final = is_final;
    turn_post(call->owner->world, &call->turn);
    if (result == OK && is_success(call->http_status))
        IGNORE(head_give(call)); /* now, since the content type's text ends with the attempt */
}

static const struct transport_events events = {
    .on_sent = on_sent,
    .on_read = on_read,
    .on_head = on_head,
    .on_data = on_data,
    .on_end = on_end,
};

/* ---- slots: calls in flight ---- */

static void slot_release(struct upstream_call *call)
{
    struct upstream *u = call->owner;

    list_remove(&call->waiting);
    if (!call->has_slot)
        return;
    call->has_slot = false;
    u->slots_used--;
    struct link *first = list_pop(&u->waiting);
    if (!first)
        return;
    struct upstream_call *heir = CONTAINER_OF(first, struct upstream_call, waiting);
    heir->has_slot = true;
    u->slots_used++;
    turn_post(u->world, &heir->turn);
}

static bool slot_take(struct upstream_call *call)
{
    struct upstream *u = call->owner;

    if (call->has_slot)
        return true;
    if (u->slots_used >= u->options.connections_max)
        return false;
    call->has_slot = true;
    u->slots_used++;
    return true;
}

/* ---- steps ---- */

static void on_timer(struct timer *timer);

static void look_again_at(struct upstream_call *call, nsec at)
{
    if (at > call->request.deadline)
        at = call->request.deadline;
    if (!timer_is_running(&call->timer) || call->timer.at > at)
        timer_start(call->owner->world, &call->timer, at - now_of(call), on_timer);
}

static nsec after(nsec from, nsec timeout)
{
    nsec at;

    return i64_add(from, timeout, &at) ? at : NSEC_NEVER;
}

/* ---- keys and their lanes ---- */

static uint32_t key_bit(const struct upstream_call *call, const struct upstream_key *key)
{
    return UINT32_C(1) << (key - call->request.keys);
}

static bool key_take(struct upstream_call *call, const struct upstream_key *key)
{
    bool has_alternative = call->request.has_alternative || call->request.key_count > 1;

    if (!lane_admit(key->lane, &call->request.limits->breaker, now_of(call), has_alternative,
                    &call->ticket))
        return false;
    call->key = key;
    call->has_ticket = true;
    return true;
}

/* The first key that this call was not refused with, does not rest and has a lane that admits; one that rests is better than none.
 * False: no attempt may be made. */
static bool key_pick(struct upstream_call *call)
{
    const struct upstream_request *request = &call->request;
    nsec now = now_of(call);

    for (size_t i = 0; i < 2 * request->key_count; i++) {
        const struct upstream_key *key = &request->keys[i % request->key_count];
        bool may_rest = i >= request->key_count;
        if ((call->keys_refused & key_bit(call, key)) == 0 &&
            lane_is_resting(key->lane, now) == may_rest && key_take(call, key))
            return true;
    }
    return request->key_count == 0;
}

/* The attempt ended because of its key: refused or limited. */
static bool is_of_key(const struct upstream_call *call)
{
    return call->result == PROVIDER_AUTH || call->result == PROVIDER_RATE_LIMITED;
}

/* What the attempt says about the provider. A refused key and a limit say that it is there; that we gave up says nothing. */
static void lane_tell(struct upstream_call *call)
{
    bool is_alive = call->result == OK || call->result == PROVIDER_REJECTED ||
                    call->result == PROVIDER_NO_MODEL;

    if (!call->has_ticket)
        return;
    call->has_ticket = false;
    if (is_of_key(call) || (!is_alive && !err_info(call->result)->blames_provider))
        lane_forget(call->key->lane, call->ticket);
    else
        lane_note(call->key->lane, &call->request.limits->breaker, now_of(call), call->ticket,
                  !is_alive);
}

/* True when the attempt's key was refused or limited and another one can be tried at once. */
static bool key_walk(struct upstream_call *call)
{
    const struct upstream_request *request = &call->request;

    if (!is_of_key(call) || request->key_count < 2 || call->is_refused)
        return false;
    nsec rest = call->retry_after >= 0 ? call->retry_after : request->limits->key_rest;
    call->keys_refused |= key_bit(call, call->key);
    lane_rest(call->key->lane, after(now_of(call), rest));
    if (call->keys_refused == (UINT32_C(1) << request->key_count) - 1)
        return false;
    call->key_walks++;
    return true;
}

static enum state attempt_start(struct upstream_call *call)
{
    struct upstream *u = call->owner;
    const struct transport_request request = {
        .url = call->request.url,
        .authorization = call->key ? call->key->authorization : call->request.authorization,
        .headers = call->request.headers,
        .body = call->request.body,
        .wants_stream = call->request.wants_stream,
        .answer_bytes_max = call->request.limits->answer_bytes_max,
        .answer = &call->body,
    };

    call->attempts++;
    call->attempt_started = call->last_read = now_of(call);
    call->http_status = 0;
    call->first_byte = 0;
    call->retry_after = -1;
    call->is_sent = call->is_over = call->is_final = call->is_head_given = false;
    buf_reset(&call->body);
    call->fault =
        u->transport->methods->start(u->transport, &call->transport, &request, &events, call);
    return call->fault == OK ? CONNECT : SETTLE;
}

static enum state attempt_stop(struct upstream_call *call, enum err fault)
{
    call->owner->transport->methods->cancel(call->transport);
    call->transport = NULL;
    call->fault = fault;
    return SETTLE;
}

static enum state step_queue(struct upstream_call *call)
{
    if (now_of(call) >= call->request.deadline) {
        call->fault = list_empty(&call->waiting) ? DEADLINE_EXCEEDED : WEIR_OVERLOADED;
        return SETTLE;
    }
    if (slot_take(call)) {
        if (key_pick(call))
            return attempt_start(call);
        call->is_refused = true;
        return SETTLE;
    }
    if (list_empty(&call->waiting))
        list_add_tail(&call->owner->waiting, &call->waiting);
    look_again_at(call, NSEC_NEVER);
    return QUEUE;
}

/* An attempt in flight: its end and the deadline come before everything else. */
static enum state attempt_wait(struct upstream_call *call, nsec limit, enum err fault)
{
    if (call->is_over)
        return SETTLE;
    if (now_of(call) >= call->request.deadline)
        return attempt_stop(call, DEADLINE_EXCEEDED);
    if (now_of(call) >= limit)
        return attempt_stop(call, fault);
    look_again_at(call, limit);
    return (enum state)call->state;
}

static enum state step_connect(struct upstream_call *call)
{
    if (call->is_sent && !call->is_over)
        return HEAD;
    return attempt_wait(call, after(call->attempt_started, call->request.limits->connect_timeout),
                        PROVIDER_CONNECT_TIMEOUT);
}

static enum state step_head(struct upstream_call *call)
{
    if (call->http_status != 0 && !call->is_over)
        return ANSWER;
    return attempt_wait(call, after(call->sent, call->request.limits->first_byte_timeout),
                        PROVIDER_FIRST_BYTE);
}

static enum state step_answer(struct upstream_call *call)
{
    return attempt_wait(call, after(call->last_read, call->request.limits->idle_timeout),
                        PROVIDER_STALLED);
}

/* A status that is no success says more than the way in which its body ended. */
static enum err attempt_fault(struct upstream_call *call)
{
    if (call->is_refused) /* what an earlier attempt met says more */
        return call->attempts > 0 ? call->result : PROVIDER_RESTING;
    if (call->http_status == 0 || call->fault == DEADLINE_EXCEEDED ||
        call->fault == WEIR_OVERLOADED)
        return call->fault;
    enum err fault = upstream_fault_of_status(call->http_status);
    if (fault != OK || call->fault != OK)
        return fault != OK ? fault : call->fault;
    return call->on_answer ? call->on_answer(call) : OK;
}

static enum state step_settle(struct upstream_call *call)
{
    struct upstream *u = call->owner;
    const struct upstream_limits *limits = call->request.limits;
    nsec delay;

    slot_release(call);
    call->result = attempt_fault(call);
    lane_tell(call);
    if (key_walk(call))
        return QUEUE;
    const struct retry_facts facts = {
        .fault = call->result,
        .is_final = call->is_given || call->is_final || call->is_refused,
        .attempts = call->attempts - call->key_walks,
        .retry_after = call->retry_after,
        .now = now_of(call),
        .deadline = call->request.deadline,
    };
    if (call->result == OK || !retry_plan(&facts, limits, &u->rng, &delay))
        return DONE;
    call->keys_refused = 0;
    call->resume_at = facts.now + delay;
    return BACKOFF;
}

static enum state step_backoff(struct upstream_call *call)
{
    if (now_of(call) >= call->resume_at)
        return QUEUE;
    look_again_at(call, call->resume_at);
    return BACKOFF;
}

/* clang-format off */
static const struct rule rules[STATE_COUNT] = {
    [QUEUE]   = { "queue",   step_queue,   TO(QUEUE) | TO(CONNECT) | TO(SETTLE) },
    [CONNECT] = { "connect", step_connect, TO(CONNECT) | TO(HEAD) | TO(SETTLE) },
    [HEAD]    = { "head",    step_head,    TO(HEAD) | TO(ANSWER) | TO(SETTLE) },
    [ANSWER]  = { "answer",  step_answer,  TO(ANSWER) | TO(SETTLE) },
    [SETTLE]  = { "settle",  step_settle,  TO(QUEUE) | TO(BACKOFF) | TO(DONE) },
    [BACKOFF] = { "backoff", step_backoff, TO(BACKOFF) | TO(QUEUE) },
    [DONE]    = { "done",    NULL,         0 },
};
/* clang-format on */

/* Nothing of the call is left in the loop, in a queue or in the transport. */
static void call_end(struct upstream_call *call)
{
    struct upstream *u = call->owner;

    slot_release(call);
    if (call->has_ticket)
        lane_forget(call->key->lane, call->ticket);
    call->has_ticket = false;
    turn_cancel(&call->turn);
    timer_cancel(u->world, &call->timer);
    call->is_active = false;
    u->calls_active--;
}

static void call_run(struct upstream_call *call)
{
    while (call->state != DONE) {
        enum state next = rules[call->state].step(call);
        assert(rules[call->state].next & TO(next));
        if (next == (enum state)call->state)
            return; /* waits */
        call->state = (uint8_t)next;
    }
    call->took = now_of(call) - call->started;
    call_end(call);
    call->on_done(call); /* last: the owner may free the call */
}

static void on_turn(struct turn *turn)
{
    call_run(CONTAINER_OF(turn, struct upstream_call, turn));
}

static void on_timer(struct timer *timer)
{
    call_run(CONTAINER_OF(timer, struct upstream_call, timer));
}

/* ---- calls ---- */

void upstream_start(struct upstream *u, struct upstream_call *call,
                    const struct upstream_request *request)
{
    assert(!call->is_active);
    assert(call->on_done);
    assert(call->on_data || !request->wants_stream);
    assert(request->key_count <= UPSTREAM_KEYS_MAX);
    call->owner = u;
    call->request = *request;
    if (!request->limits)
        call->request.limits = &u->options.limits;
    size_t answer_max = call->request.limits->answer_bytes_max;
    call->body.max = answer_max < SIZE_MAX ? answer_max + 1 : SIZE_MAX; /* and a NUL of buf_cstr */
    buf_reset(&call->body);
    call->result = OK;
    call->http_status = 0;
    call->attempts = call->key_walks = 0;
    call->key = NULL;
    call->keys_refused = 0;
    call->first_byte = 0;
    call->took = 0;
    call->started = world_now(u->world);
    nsec total = call->request.limits->total_timeout, end = after(call->started, total);
    if (total > 0 && end < call->request.deadline)
        call->request.deadline = end;
    call->transport = NULL;
    call->state = QUEUE;
    call->is_given = call->is_final = call->is_refused = call->has_ticket = call->has_slot = false;
    call->is_active = true;
    u->calls_active++;
    link_init(&call->waiting);
    turn_init(&call->turn, on_turn);
    turn_post(u->world, &call->turn);
}

void upstream_cancel(struct upstream_call *call)
{
    if (!call->is_active)
        return;
    if (call->owner->telling == call)
        call->owner->telling = NULL;
    if (call->transport)
        call->owner->transport->methods->cancel(call->transport);
    call->transport = NULL;
    call_end(call);
}

void upstream_call_fini(struct upstream_call *call)
{
    upstream_cancel(call);
    buf_fini(&call->body);
}

/* ---- the service ---- */

enum err upstream_open(struct upstream **out, struct world *w,
                       const struct upstream_options *options)
{
    struct upstream *u = calloc(1, sizeof(*u));

    if (!u)
        return WEIR_NO_MEMORY;
    u->world = w;
    u->options = *options;
    if (u->options.connections_max == 0)
        u->options.connections_max = 1;
    rng_init(&u->rng, options->seed);
    link_init(&u->waiting);
    enum err e = transport_curl_open(&u->transport, w, u->options.connections_max);
    if (e != OK) {
        free(u);
        return e;
    }
    *out = u;
    return OK;
}

void upstream_close(struct upstream *u)
{
    if (!u)
        return;
    assert(u->calls_active == 0);
    u->transport->methods->close(u->transport);
    free(u);
}
