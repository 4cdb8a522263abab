/* SPDX-License-Identifier: Apache-2.0 */
/*
 * door: a request through its door: admission, the query, its answer. See door.h.
 */
#include "app/gateway/door.h"

#include "core/http/sse.h"
#include "core/json/json.h"
#include "core/money/money.h"
#include "edge/config/config.h"
#include "edge/store/store.h"
#include "edge/telemetry/metrics.h"
#include "edge/world/world.h"

#define EVENTS_TYPE STR("text/event-stream; charset=utf-8")
#define ANSWER_HEADERS_MAX (5 + LIMIT_HEADERS_MAX)
/* A strategy's whole stream, and what one event may take while it is translated. */
#define EVENT_BYTES_MAX ((size_t)16 << 20)
#define SCRATCH_BYTES_MAX ((size_t)64 << 20)

void door_refuse(const struct door *door, struct gateway *g, struct exchange *x,
                 const struct refusal *refusal)
{
    const struct err_info *info = err_info(refusal->fault);
    str message = refusal->message.len > 0 ? refusal->message : str_from(info->text);
    struct buf body = { 0 };

    if (door && door->face)
        door->face->error(&body, refusal->fault, message, refusal->param);
    else
        chat_error_write(&body, refusal->fault, message, refusal->param);
    gateway_respond(g, x, info->http_status, JSON_TYPE, refusal->headers, refusal->header_count,
                    buf_str(&body));
    buf_fini(&body);
}

static size_t answer_headers(const struct query *q, struct arena *arena,
                             struct answer_header out[ANSWER_HEADERS_MAX])
{
    char id[20], cost[32];
    size_t n = 0;

    out[n++] = (struct answer_header){ STR("x-weir-query-id"),
                                       arena_str(arena, ledger_id_format(q->id, id)) };
    out[n++] = (struct answer_header){ STR("x-weir-model"), q->model };
    n += gateway_limit_headers(q, arena, out + n);
    if (q->state != QUERY_DONE)
        return n;
    out[n++] = (struct answer_header){ STR("x-weir-cost-usd"),
                                       arena_str(arena, cost_decimal(q->cost, cost)) };
    if (q->is_simulated)
        out[n++] = (struct answer_header){ STR("x-weir-simulated"), STR("true") };
    if (err_info(q->fault)->http_status == 429 && q->retry_after >= 0)
        out[n++] = (struct answer_header){
            STR("retry-after"),
            arena_printf(arena, "%" PRId64, (q->retry_after + NSEC_PER_SEC - 1) / NSEC_PER_SEC)
        };
    return n;
}

static void visit_refuse(struct visit *v, enum err fault, str message, str param)
{
    struct answer_header headers[ANSWER_HEADERS_MAX];
    struct refusal refusal = { fault, message, param, headers, 0 };

    refusal.header_count = answer_headers(&v->query, v->query.arena, headers);
    door_refuse(v->door, v->gateway, v->exchange, &refusal);
}

/* ---- whole answers ---- */

static void send_whole(struct visit *v, str completion)
{
    struct answer_header headers[ANSWER_HEADERS_MAX];
    size_t n = answer_headers(&v->query, v->query.arena, headers);
    struct buf said = { 0 };
    enum err e = OK;

    if (v->face)
        e = v->face->answer(&said, v->query.arena, completion);
    if (e == OK && said.failed)
        e = WEIR_NO_MEMORY;
    if (e == OK)
        gateway_respond(v->gateway, v->exchange, 200, JSON_TYPE, headers, n,
                        v->face ? buf_str(&said) : completion);
    else
        visit_refuse(v, e, STR(""), STR(""));
    buf_fini(&said);
}

/* ---- streams ---- */

static void stream_begin(struct visit *v)
{
    struct answer_header headers[ANSWER_HEADERS_MAX + 1];
    size_t n = answer_headers(&v->query, v->query.arena, headers);

    headers[n++] = (struct answer_header){ STR("cache-control"), STR("no-cache") };
    v->has_begun = true;
    metrics_http_add(v->gateway->metrics, 200);
    exchange_begin(v->exchange, 200, EVENTS_TYPE, headers, n);
}

/* One chunk in the face's words. What cannot be said ends the stream with an error. */
static void chunk_say(struct visit *v, str payload, struct buf *out)
{
    struct arena scratch;

    if (v->face_fault != OK)
        return;
    arena_init(&scratch, SCRATCH_BYTES_MAX);
    v->face_fault = v->stream ? v->face->chunk(v->stream, &scratch, payload, out) : WEIR_NO_MEMORY;
    arena_fini(&scratch);
}

/* An event under its name; the payload is the provider's, byte for byte. */
static void event_say(str payload, struct buf *out)
{
    struct arena scratch;

    arena_init(&scratch, SCRATCH_BYTES_MAX);
    face_event_write(out, &scratch, payload);
    arena_fini(&scratch);
}

static void send_event(struct visit *v, str payload)
{
    struct buf out = { 0 };

    if (!v->face && !v->door->names_events) {
        exchange_write(v->exchange, STR("data: "));
        exchange_write(v->exchange, payload);
        exchange_write(v->exchange, STR("\n\n"));
        return;
    }
    if (v->face)
        chunk_say(v, payload, &out);
    else
        event_say(payload, &out);
    exchange_write(v->exchange, buf_str(&out));
    buf_fini(&out);
}

static void failure_say(struct visit *v, enum err fault, struct buf *out)
{
    str text = str_from(err_info(fault)->text);

    if (v->door->face) {
        v->door->face->failed(v->stream, fault, text, out);
        return;
    }
    buf_add(out, STR("data: "));
    chat_error_write(out, fault, text, STR(""));
    buf_add(out, STR("\n\n"));
}

/* The end of a stream that is whole, or an error event and never [DONE] or what stands for it. */
static void send_stream_end(struct visit *v)
{
    const struct query *q = &v->query;
    struct buf tail = { 0 };
    char cost[32];

    if (q->fault == OK && q->last_event.len > 0)
        send_event(v, q->last_event);
    enum err fault = q->fault != OK ? q->fault : v->face_fault;
    if (fault == OK) {
        buf_add(&tail, STR(": x-weir-cost-usd="));
        buf_add(&tail, cost_decimal(q->cost, cost));
        buf_add(&tail, STR("\n\n"));
        if (v->face)
            v->face->end(v->stream, &tail);
        else if (!v->door->names_events)
            buf_add(&tail, STR("data: [DONE]\n\n"));
    } else {
        failure_say(v, fault, &tail);
    }
    exchange_write(v->exchange, buf_str(&tail));
    exchange_end(v->exchange);
    buf_fini(&tail);
}

/* ---- a strategy's answer, as a chat completion ---- */

static void on_reply_event(void *ctx, str payload)
{
    struct visit *v = ctx;

    if (!str_eq(payload, STR("[DONE]")))
        send_event(v, payload);
}

static void send_reply_events(struct visit *v, const struct chat_reply *reply)
{
    struct buf body = { 0 };
    struct sse_decoder decoder;

    stream_begin(v);
    chat_reply_write_events(&body, reply, v->request.include_usage);
    if (v->face) {
        sse_decoder_init(&decoder, EVENT_BYTES_MAX);
        enum err e = sse_decoder_feed(&decoder, buf_str(&body), on_reply_event, v);
        sse_decoder_fini(&decoder);
        if (e != OK && v->face_fault == OK)
            v->face_fault = e;
        send_stream_end(v);
    } else {
        exchange_write(v->exchange, buf_str(&body));
        exchange_end(v->exchange);
    }
    buf_fini(&body);
}

static void send_strategy(struct visit *v)
{
    const struct query *q = &v->query;
    struct buf body = { 0 };
    char id[20];
    struct chat_reply reply = {
        .id = arena_printf(q->arena, "chatcmpl-%.*s", STR_ARG(ledger_id_format(q->id, id))),
        .created = world_wall() / 1000000,
        .model = q->requested_model,
        .content = q->best.answer,
        .finish = "stop",
        .usage = q->usage,
        .weir = query_report(q, q->arena),
    };

    if (v->request.stream) {
        send_reply_events(v, &reply);
    } else {
        chat_reply_write(&body, &reply);
        send_whole(v, buf_str(&body));
    }
    buf_fini(&body);
}

/* ---- the query's callbacks ---- */

static void on_finish(struct query *q)
{
    struct visit *v = q->ctx;

    if (v->is_gone) {
        exchange_abort(v->exchange);
    } else if (v->has_begun) {
        send_stream_end(v);
    } else if (q->fault != OK) {
        visit_refuse(v, q->fault, q->fault_message, q->fault_param);
    } else if (q->route.is_plain && !v->request.stream) {
        send_whole(v, q->body);
    } else if (q->route.is_plain) {
        stream_begin(v); /* a stream without a single event */
        send_stream_end(v);
    } else {
        send_strategy(v);
    }
}

static void on_head(struct query *q, int http_status)
{
    struct visit *v = q->ctx;

    (void)http_status;
    if (!v->is_gone)
        stream_begin(v);
}

static void on_event(struct query *q, str payload)
{
    struct visit *v = q->ctx;

    if (v->is_gone)
        return;
    if (!v->has_begun)
        stream_begin(v);
    send_event(v, payload);
}

static void on_gone(void *ctx)
{
    struct visit *v = ctx;

    v->is_gone = true;
    query_cancel(&v->query);
}

/* ---- admission ---- */

enum err visit_route(struct visit *v, struct chat_error *error)
{
    struct query *q = &v->query;
    str model = v->request.model;

    q->requested_model = model;
    enum err e = route_find(v->gateway->config, model, &q->route);
    if (e != OK) {
        error->message = arena_printf(q->arena, "%s: '%.*s'; GET /v1/models lists what there is",
                                      err_info(e)->text, STR_ARG(str_slice(model, 0, 200)));
        error->param = STR("model");
    }
    return e;
}

/* model: of a plain route; NULL for a strategy. */
static enum err translate(struct visit *v, const struct face *face,
                          const struct config_model *model, struct chat_error *error)
{
    struct query *q = &v->query;
    struct buf chat = { 0 };
    enum err e = face->request(&chat, q->arena, v->request.root,
                               model ? model->upstream_name : v->request.model, error);

    str body = e == OK && !chat.failed ? arena_str(q->arena, buf_str(&chat)) : STR("");
    buf_fini(&chat);
    if (e == OK)
        e = chat_request_parse(q->arena, body, &v->request, error);
    if (e != OK)
        return e;
    v->face = face;
    v->request.model = q->requested_model;
    v->stream = face_stream_new(q->arena, world_wall() / 1000000);
    return v->stream ? visit_chat_read(v, error) : WEIR_NO_MEMORY;
}

enum err visit_relay_or_translate(struct visit *v, enum api api, const struct face *face,
                                  struct chat_error *error)
{
    struct query *q = &v->query;
    const struct config *config = v->gateway->config;
    enum err e = relay_request_parse(q->arena, api, exchange_body(v->exchange), &v->request, error);

    if (e == OK)
        e = visit_route(v, error);
    if (e != OK)
        return e;
    const struct config_model *model =
        q->route.is_plain ? config_model_find(config, q->route.model) : NULL;
    const struct config_provider *provider =
        model ? config_provider_find(config, model->provider) : NULL;
    if (!provider || !provider_wire(provider, api))
        return translate(v, face, model, error);
    q->api = api;
    return visit_chat_read(v, error);
}

void door_enter(const struct door *door, struct gateway *g, struct exchange *x)
{
    struct visit *v = ARENA_NEW(exchange_arena(x), struct visit);
    struct chat_error error = { 0 };

    if (!v) {
        door_refuse(door, g, x, &(struct refusal){ .fault = WEIR_NO_MEMORY });
        return;
    }
    v->door = door;
    v->gateway = g;
    v->exchange = x;
    v->query.arena = exchange_arena(x);
    v->query.forbids_fallback =
        str_eq_nocase(exchange_header(x, STR("x-weir-fallback")), STR("off"));
    enum err e = door->admit(v, &error);
    if (e == OK)
        e = gateway_allows(g, &v->query, &error);
    if (e != OK) {
        engine_refused(g->engine, e, v->request.model);
        door_refuse(
            door, g, x,
            &(struct refusal){ .fault = e, .message = error.message, .param = error.param });
        return;
    }
    v->query.chat = &v->request;
    gateway_name_caller(g, &v->query);
    v->query.ctx = v;
    v->query.on_head = on_head;
    v->query.on_event = on_event;
    v->query.on_finish = on_finish;
    v->query.may_be_audited = !g->is_draining;
    exchange_watch(x, v, on_gone, NULL);
    query_start(g->engine, &v->query);
}
