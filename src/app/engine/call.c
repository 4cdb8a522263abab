/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call: one model call of a query, from its reservation to its row in the ledger.
 *
 *     call_new -> call_reserve -> call_stage ~~commit~~> call_start ~~> call_end -> call_release
 */
#include "app/engine/engine_internal.h"

#include <stdlib.h>

#include "edge/telemetry/telemetry.h"

/* Ended calls that the engine keeps for reuse, and the largest buffer that a kept one may hold. */
#define IDLE_CALLS_MAX 256
#define KEPT_BUFFER_BYTES ((size_t)16 << 10)
/* Of a streamed answer; the tokens of what is beyond are taken from its length, and telemetry cuts further. */
#define RELAYED_KEPT_MAX ((size_t)1 << 20)
#define EVENT_BYTES_MAX ((size_t)4 << 20)

/* About four bytes make a token of English; counted by us only where the provider did not say. */
#define BYTES_PER_TOKEN 4

static void on_upstream_head(struct upstream_call *u, int http_status, str content_type);
static enum err on_upstream_data(struct upstream_call *u, str bytes);
static enum err on_upstream_answer(struct upstream_call *u);
static void on_upstream_done(struct upstream_call *u);

struct query_call *call_new(struct query *q, str role, str label, uint32_t parent)
{
    struct engine *e = q->engine;
    struct link *idle = list_pop(&e->idle_calls);
    struct query_call *c =
        idle ? CONTAINER_OF(idle, struct query_call, link) : calloc(1, sizeof(*c));
    struct call_trace *trace = ARENA_NEW(q->arena, struct call_trace);

    if (idle)
        e->idle_call_count--;
    if (!c || !trace) {
        if (c)
            call_free(c);
        return NULL;
    }
    struct upstream_call upstream = c->upstream;
    struct buf request = c->request, relayed = c->relayed;
    /* What an earlier call met is not this one's, which may end without ever leaving. */
    upstream.attempts = upstream.http_status = 0;
    upstream.took = upstream.first_byte = 0;
    upstream.is_given = false;
    buf_reset(&upstream.body);
    *c = (struct query_call){ .query = q,
                              .upstream = upstream,
                              .request = request,
                              .relayed = relayed,
                              .trace = trace,
                              .role = role };
    sse_decoder_init(&c->events, EVENT_BYTES_MAX);
    link_init(&c->link);
    link_init(&c->staged);
    trace->number = ++q->calls;
    trace->parent = parent;
    trace->label = label;
    *q->trace_end = trace;
    q->trace_end = &trace->next;
    list_add_tail(&q->running, &c->link);
    q->calls_running++;
    return c;
}

void call_free(struct query_call *c)
{
    upstream_call_fini(&c->upstream);
    sse_decoder_fini(&c->events);
    buf_fini(&c->request);
    buf_fini(&c->relayed);
    free(c);
}

void call_release(struct query_call *c, struct engine *e)
{
    assert(c->has_ended);
    list_remove(&c->link);
    sse_decoder_fini(&c->events);
    bool is_small = c->request.cap <= KEPT_BUFFER_BYTES &&
                    c->upstream.body.cap <= KEPT_BUFFER_BYTES &&
                    c->relayed.cap <= KEPT_BUFFER_BYTES;
    if (!is_small || e->idle_call_count >= IDLE_CALLS_MAX) {
        call_free(c);
        return;
    }
    buf_reset(&c->request);
    buf_reset(&c->relayed);
    list_add_tail(&e->idle_calls, &c->link);
    e->idle_call_count++;
}

static int64_t tokens_of_bytes(size_t bytes)
{
    return (int64_t)((bytes + BYTES_PER_TOKEN - 1) / BYTES_PER_TOKEN);
}

/* Counted only where a limit hangs on it: it takes time. */
static int64_t input_worst(const struct query_call *c)
{
    const struct key *key = c->query->key;
    bool is_limited = key_limits(key, LIMIT_TOKENS) || key_limits(key, LIMIT_COST);
    int64_t counted = is_limited ? tokens_sent(c) : -1;

    if (counted >= 0)
        return counted;
    return is_limited ? (int64_t)c->request.len / 3 + 1 : tokens_of_bytes(c->request.len);
}

void call_drop(struct query_call *c)
{
    struct query *q = c->query;

    c->has_ended = true;
    q->calls--;
    q->calls_running--;
    q->cost_reserved -= c->reserved;
    q->tokens_reserved -= c->reserved_tokens;
}

void call_reserve(struct query_call *c, int64_t output_tokens_max)
{
    struct usage worst = { .input = input_worst(c), .output = output_tokens_max };
    nano_usd cost = price_cost(c->price, &worst);

    c->output_tokens_max = output_tokens_max;
    c->reserved = cost == COST_UNPRICED ? 0 : cost;
    c->reserved_tokens = worst.input + worst.output;
    c->query->cost_reserved += c->reserved;
    c->query->tokens_reserved += c->reserved_tokens;
}

/* Where others may answer in its stead, attempts are left for them, and a long wait is none of its business. */
static const struct upstream_limits *limits_of(struct query_call *c)
{
    const struct upstream_limits *own = &c->endpoint->limits;

    if (!c->original && c->target->fallback_count == 0)
        return own;
    c->limits = *own;
    c->limits.attempts_max = fallback_attempts(c);
    if (fallback_has_more(c))
        c->limits.wait_max = own->backoff_max;
    return &c->limits;
}

void call_stage(struct query_call *c, bool wants_stream)
{
    struct query *q = c->query;
    struct ledger_call row = { .query = q->id,
                               .number = c->trace->number,
                               .role = c->role,
                               .model = c->model->name,
                               .provider = c->endpoint->provider->name,
                               .reserved = c->price ? c->reserved : COST_UNPRICED,
                               .started_us =
                                   (world_now(q->engine->world) - q->started) / NSEC_PER_USEC };

    str headers = c->endpoint->headers;
    if (q->headers.len > 0)
        headers = arena_printf(q->arena, "%.*s%.*s", STR_ARG(headers), STR_ARG(q->headers));
    ledger_call_begin(q->engine->ledger, &row);
    c->upstream.request = (struct upstream_request){ .url = c->endpoint->urls[c->api],
                                                     .keys = c->target->keys,
                                                     .key_count = c->target->key_count,
                                                     .has_alternative = fallback_has_more(c),
                                                     .headers = headers,
                                                     .body = buf_str(&c->request),
                                                     .wants_stream = wants_stream,
                                                     .deadline = q->deadline,
                                                     .limits = limits_of(c) };
    list_add_tail(&q->engine->staged, &c->staged);
}

void call_start(struct query_call *c)
{
    struct upstream_request request = c->upstream.request;
    struct query *q = c->query;

    c->started = world_now(q->engine->world);
    if (q->calls_away++ == 0)
        q->away_since = world_now_exact();
    c->upstream.ctx = c;
    c->upstream.on_head = on_upstream_head;
    c->upstream.on_data = on_upstream_data;
    c->upstream.on_answer = on_upstream_answer;
    c->upstream.on_done = on_upstream_done;
    upstream_start(q->engine->upstream, &c->upstream, &request);
}

/* ---- what the provider sends ---- */

/* An attempt's answer begins; what an earlier attempt's had brought is void. */
static void on_upstream_head(struct upstream_call *u, int http_status, str content_type)
{
    struct query_call *c = u->ctx;
    bool is_events = str_eq_nocase(str_slice(content_type, 0, STR("text/event-stream").len),
                                   STR("text/event-stream"));

    (void)http_status;
    if (!u->request.wants_stream)
        return;
    sse_decoder_fini(&c->events);
    sse_decoder_init(&c->events, EVENT_BYTES_MAX);
    c->saw_done = false;
    c->usage = (struct usage){ 0 };
    c->stream_fault = content_type.len == 0 || is_events ? OK : PROVIDER_GARBAGE;
    if (!c->wire->has_state)
        return;
    c->stream = wire_stream_new(c->query->arena, c->query->started_wall / 1000000);
    if (!c->stream)
        c->stream_fault = WEIR_NO_MEMORY;
}

static void relay(struct query_call *c, str payload)
{
    struct query *q = c->query;

    c->upstream.is_given = true;
    if (!q->has_head) {
        q->has_head = true;
        q->model = c->model->name;
        q->on_head(q, c->upstream.http_status);
    }
    q->on_event(q, payload);
}

/* Kept until the provider says how many tokens it was, which most do at the end, and beyond where traces carry it. */
static void relayed_keep(struct query_call *c, str content)
{
    if (c->usage.is_known && !telemetry_captures(c->query->engine->telemetry))
        buf_reset(&c->relayed);
    else if (c->relayed.len + content.len <= RELAYED_KEPT_MAX)
        buf_add(&c->relayed, content);
}

/* What an event tells of tokens; and its way to the client, unless it is usage that was not asked for. The last one waits for the ledger. */
static void event_take(struct query_call *c, struct arena *scratch, const struct chat_chunk *chunk)
{
    struct query *q = c->query;
    bool is_unasked = chunk->has_usage && !q->chat->include_usage;
    str payload = chunk->payload;

    c->relayed_bytes += (int64_t)chunk->content.len;
    if (chunk->has_usage || chunk->usage.input > 0)
        c->usage = chunk->usage;
    relayed_keep(c, chunk->content);
    if (chunk->is_error)
        c->stream_fault = chunk->fault != OK ? chunk->fault : PROVIDER_FAILED;
    c->saw_done = chunk->is_done;
    if (chunk->is_error || payload.len == 0 || (is_unasked && !chunk->has_choices))
        return;
    if (is_unasked)
        payload = chat_chunk_without_usage(scratch, payload);
    if (chunk->is_done)
        q->last_event = arena_str(q->arena, payload);
    else
        relay(c, payload);
}

/* Data that came in several lines is in the decoder's own memory, joined by line feeds: white space of JSON, which would break the line
 * that the client gets. */
static void lines_join(struct query_call *c, str payload)
{
    char *at = c->events.data.ptr;

    if (payload.ptr != at)
        return;
    for (size_t i = 0; i < payload.len; i++) {
        if (at[i] == '\n')
            at[i] = ' ';
    }
}

static void on_event(void *ctx, str payload)
{
    struct query_call *c = ctx;
    struct chat_chunk chunk;
    struct arena scratch;

    if (c->has_ended || c->saw_done || c->stream_fault != OK)
        return;
    arena_init(&scratch, EVENT_BYTES_MAX * 8);
    enum err e = c->wire->event(c->stream, &scratch, payload, &chunk);
    if (e == OK) {
        lines_join(c, payload); /* once it was read: within a text it is an error */
        event_take(c, &scratch, &chunk);
    } else {
        c->stream_fault = e;
    }
    arena_fini(&scratch);
}

static enum err on_upstream_data(struct upstream_call *u, str bytes)
{
    struct query_call *c = u->ctx;

    if (c->has_ended)
        return OK;
    enum err e = sse_decoder_feed(&c->events, bytes, on_event, c);
    if (c->has_ended)
        return OK; /* the client left while it was told */
    if (c->stream_fault != OK)
        return c->stream_fault;
    return e == OK ? OK : PROVIDER_GARBAGE;
}

static enum err answer_read(struct query_call *c);

static enum err on_upstream_answer(struct upstream_call *u)
{
    struct query_call *c = u->ctx;

    if (!u->request.wants_stream)
        return answer_read(c);
    if (c->stream_fault != OK)
        return c->stream_fault;
    return c->saw_done ? OK : PROVIDER_CUT; /* a stream without [DONE] is not whole */
}

static void on_upstream_done(struct upstream_call *u)
{
    struct query_call *c = u->ctx;

    call_end(c, u->result);
    query_step(c->query);
}

/* ---- its end ---- */

/* Tokens of a call that the provider did not report: what was sent and what came back, by length. */
static struct usage usage_estimate(const struct query_call *c, enum err fault)
{
    bool was_sent = c->upstream.attempts > 0;
    bool was_answered = fault == OK || c->relayed_bytes > 0 || fault == CALLER_GONE ||
                        fault == WEIR_STOPPING || fault == DEADLINE_EXCEEDED ||
                        fault == PROVIDER_STALLED || fault == PROVIDER_CUT;

    if (!was_sent || !was_answered)
        return (struct usage){ .is_known = true };
    size_t output = c->relayed_bytes > 0 ? (size_t)c->relayed_bytes
                    : fault == OK        ? c->trace->text.len
                                         : 0;
    int64_t sent = tokens_sent(c), relayed = tokens_relayed(c);
    struct usage usage = c->usage; /* of the input the stream may have told already */
    if (usage.input == 0)
        usage.input = sent >= 0 ? sent : tokens_of_bytes(c->request.len);
    usage.output = relayed >= 0 ? relayed : tokens_of_bytes(output);
    usage.is_estimated = true;
    return usage;
}

static enum err answer_read(struct query_call *c)
{
    struct query *q = c->query;
    struct chat_answer answer;
    str body = buf_str(&c->upstream.body), fingerprint;
    enum err e = c->wire->answer(q->arena, body, q->started_wall / 1000000, &answer);

    if (e != OK)
        return e;
    c->answer = answer.translated.len > 0 ? answer.translated : body;
    c->usage = answer.usage;
    c->trace->text = answer.content;
    if (json_str(json_get(answer.root, STR("system_fingerprint")), q->arena, &fingerprint) &&
        str_starts(fingerprint, STR("weir-simulated")))
        q->is_simulated = true;
    return OK;
}

static void call_record(struct query_call *c, enum err fault)
{
    struct query *q = c->query;
    const struct config *config = q->profile->config;
    struct ledger_call_end row = { .query = q->id,
                                   .number = c->trace->number,
                                   .fault = fault,
                                   .http_status = c->upstream.http_status,
                                   .attempts = c->upstream.attempts,
                                   .usage = c->usage,
                                   .cost = c->trace->cost,
                                   .price_input = c->price ? c->price->input : -1,
                                   .price_output = c->price ? c->price->output : -1,
                                   .price_cached = c->price ? c->price->cached : -1,
                                   .is_simulated = q->is_simulated };

    if (config->monitoring.track_latency) {
        row.latency_us = c->upstream.took / NSEC_PER_USEC;
        row.first_byte_us = c->upstream.first_byte / NSEC_PER_USEC;
    }
    ledger_call_done(q->engine->ledger, &row);
}

static void call_count(const struct query_call *c, enum err fault)
{
    struct query *q = c->query;
    const struct metrics_call row = { .model = c->model->name,
                                      .fault = fault,
                                      .attempts = c->upstream.attempts,
                                      .usage = c->usage,
                                      .cost = c->trace->cost,
                                      .took = c->upstream.took,
                                      .first_byte = c->upstream.first_byte };

    metrics_call_add(q->engine->metrics, &row);
    if (c->started != 0 && --q->calls_away == 0)
        q->away += world_now_exact() - q->away_since;
}

void call_end(struct query_call *c, enum err fault)
{
    struct query *q = c->query;

    assert(!c->has_ended);
    c->has_ended = true;
    list_remove(&c->staged);
    reach_note(q->engine->reach, c->endpoint->provider, c->upstream.http_status,
               world_now(q->engine->world));
    if (c->endpoint->provider->is_simulated)
        q->is_simulated = true;
    if (!c->usage.is_known)
        c->usage = usage_estimate(c, fault);
    if (c->relayed.len > 0)
        c->trace->text = buf_str(&c->relayed);
    c->trace->fault = fault;
    c->trace->attempts = c->upstream.attempts;
    c->trace->usage = c->usage;
    c->trace->cost = price_cost(c->price, &c->usage);
    c->trace->took = c->upstream.took;
    usage_add(&q->usage, &c->usage);
    q->cost = cost_add(q->cost, c->trace->cost);
    q->cost_reserved -= c->reserved;
    q->tokens_reserved -= c->reserved_tokens;
    q->calls_running--;
    limits_call_end(c);
    call_count(c, fault);
    call_record(c, fault);
    if (fallback_start(c, fault))
        return;
    struct query_call *told = fallback_told(c, &fault);
    query_call_told(q, told, fault);
}
