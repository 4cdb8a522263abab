/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateway: requests to queries and back.
 *
 *     request -> route table -> authorise -> parse -> query ~~~~> answer
 */
#include "app/gateway/gateway_internal.h"

#include <stdio.h>
#include <string.h>

#include "app/access/access.h"
#include "app/engine/engine.h"
#include "core/dialect/dialect.h"
#include "core/json/json.h"
#include "core/money/money.h"
#include "edge/config/config.h"
#include "edge/store/store.h"
#include "edge/telemetry/metrics.h"
#include "edge/world/log.h"
#include "edge/world/world.h"

#define EVENTS_TYPE STR("text/event-stream; charset=utf-8")

/* A query and the exchange that waits for it; lives in the exchange's arena. */
struct chat {
    struct gateway *gateway;
    struct exchange *exchange;
    struct query query;
    struct chat_request request;
    bool has_begun; /* the streamed answer's head is out */
    bool is_gone;
};

void gateway_respond(struct gateway *g, struct exchange *x, int status, str type,
                     const struct answer_header *headers, size_t header_count, str body)
{
    metrics_http_add(g->metrics, status);
    exchange_respond(x, status, type, headers, header_count, body);
}

static void refuse_with(struct gateway *g, struct exchange *x, enum err fault, str message,
                        str param, const struct answer_header *headers, size_t header_count)
{
    struct buf body = { 0 };

    chat_error_write(&body, fault, message.len > 0 ? message : str_from(err_info(fault)->text),
                     param);
    gateway_respond(g, x, err_info(fault)->http_status, JSON_TYPE, headers, header_count,
                    buf_str(&body));
    buf_fini(&body);
}

void gateway_refuse(struct gateway *g, struct exchange *x, enum err fault, str message, str param)
{
    refuse_with(g, x, fault, message, param, NULL, 0);
}

/* ---- answers ---- */

#define ANSWER_HEADERS_MAX (5 + LIMIT_HEADERS_MAX)

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

static void stream_begin(struct chat *c)
{
    struct answer_header headers[ANSWER_HEADERS_MAX + 1];
    size_t n = answer_headers(&c->query, c->query.arena, headers);

    headers[n++] = (struct answer_header){ STR("cache-control"), STR("no-cache") };
    c->has_begun = true;
    metrics_http_add(c->gateway->metrics, 200);
    exchange_begin(c->exchange, 200, EVENTS_TYPE, headers, n);
}

static void send_event(struct chat *c, str payload)
{
    exchange_write(c->exchange, STR("data: "));
    exchange_write(c->exchange, payload);
    exchange_write(c->exchange, STR("\n\n"));
}

/* A strategy's answer as a chat completion. */
static void send_strategy(struct chat *c)
{
    const struct query *q = &c->query;
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

    if (c->request.stream) {
        stream_begin(c);
        chat_reply_write_events(&body, &reply, c->request.include_usage);
        exchange_write(c->exchange, buf_str(&body));
        exchange_end(c->exchange);
    } else {
        struct answer_header headers[ANSWER_HEADERS_MAX];
        size_t n = answer_headers(q, q->arena, headers);
        chat_reply_write(&body, &reply);
        gateway_respond(c->gateway, c->exchange, 200, JSON_TYPE, headers, n, buf_str(&body));
    }
    buf_fini(&body);
}

static void send_plain_stream_end(struct chat *c)
{
    const struct query *q = &c->query;
    struct buf tail = { 0 };
    char cost[32];

    if (q->fault == OK) {
        buf_add(&tail, STR(": x-weir-cost-usd="));
        buf_add(&tail, cost_decimal(q->cost, cost));
        buf_add(&tail, STR("\n\ndata: [DONE]\n\n"));
    } else { /* an error event and never [DONE] */
        buf_add(&tail, STR("data: "));
        chat_error_write(&tail, q->fault, str_from(err_info(q->fault)->text), STR(""));
        buf_add(&tail, STR("\n\n"));
    }
    exchange_write(c->exchange, buf_str(&tail));
    exchange_end(c->exchange);
    buf_fini(&tail);
}

static void on_finish(struct query *q)
{
    struct chat *c = q->ctx;
    struct answer_header headers[ANSWER_HEADERS_MAX];

    if (c->is_gone) {
        exchange_abort(c->exchange);
    } else if (c->has_begun) {
        send_plain_stream_end(c);
    } else if (q->fault != OK) {
        size_t n = answer_headers(q, q->arena, headers);
        refuse_with(c->gateway, c->exchange, q->fault, q->fault_message, STR(""), headers, n);
    } else if (q->route.is_plain && !c->request.stream) {
        size_t n = answer_headers(q, q->arena, headers);
        gateway_respond(c->gateway, c->exchange, 200, JSON_TYPE, headers, n, q->body);
    } else if (q->route.is_plain) {
        stream_begin(c); /* a stream without a single event */
        send_plain_stream_end(c);
    } else {
        send_strategy(c);
    }
}

static void on_head(struct query *q, int http_status)
{
    struct chat *c = q->ctx;

    (void)http_status;
    if (!c->is_gone)
        stream_begin(c);
}

static void on_event(struct query *q, str payload)
{
    struct chat *c = q->ctx;

    if (c->is_gone)
        return;
    if (!c->has_begun)
        stream_begin(c);
    send_event(c, payload);
}

static void on_gone(void *ctx)
{
    struct chat *c = ctx;

    c->is_gone = true;
    query_cancel(&c->query);
}

/* ---- POST /v1/chat/completions ---- */

/* What a strategy's query is known by, so that who is in an arm of a rollout stays there. */
static void unit_read(struct chat *c)
{
    struct query *q = &c->query;

    q->conversation = exchange_header(c->exchange, STR("x-weir-conversation"));
    if (q->conversation.len == 0)
        IGNORE(json_str(json_get(c->request.metadata, STR("conversation")), q->arena,
                        &q->conversation));
    IGNORE(json_str(json_get(c->request.root, STR("user")), q->arena, &q->user));
}

/* {"weir": {"domain": …, "model": …, "verifier": {"kind": …, "spec": …}}}; all optional. */
static enum err extension_read(struct chat *c, struct chat_error *error)
{
    struct query *q = &c->query;
    struct json weir = json_get(c->request.root, STR("weir"));
    str header = exchange_header(c->exchange, STR("x-weir-domain"));

    if (!json_str(json_get(c->request.metadata, STR("domain")), q->arena, &q->domain) &&
        header.len > 0)
        q->domain = header;
    if (!q->route.is_plain)
        unit_read(c);
    if (!json_exists(weir))
        return OK;
    IGNORE(json_str(json_get(weir, STR("domain")), q->arena, &q->domain));
    IGNORE(json_str(json_get(weir, STR("model")), q->arena, &q->model_override));
    struct json verifier = json_get(weir, STR("verifier"));
    if (!json_exists(verifier))
        return OK;
    error->param = STR("weir.verifier");
    return verifier_parse(q->arena, verifier, &q->verifier, &error->message);
}

/* What relays cannot be asked of a strategy. */
static enum err strategy_check(const struct chat *c, struct chat_error *error)
{
    if (c->request.has_tools || c->request.has_parts || c->request.n != 1) {
        error->message = STR("tools, images and n > 1 are relayed to a plain model, but a strategy "
                             "(weir/…) does not take them yet");
        return WEIR_NOT_SUPPORTED;
    }
    if (c->query.model_override.len > 0 &&
        !config_model_offered(c->gateway->config, c->query.model_override)) {
        error->message = STR("weir.model is not a configured model");
        error->param = STR("weir.model");
        return CALLER_UNKNOWN_MODEL;
    }
    return OK;
}

static enum err chat_admit(struct chat *c, struct chat_error *error)
{
    struct query *q = &c->query;
    enum err e = chat_request_parse(q->arena, exchange_body(c->exchange), &c->request, error);

    if (e != OK)
        return e;
    q->requested_model = c->request.model;
    e = route_find(c->gateway->config, c->request.model, &q->route);
    if (e != OK) {
        error->message =
            arena_printf(q->arena, "%s: '%.*s'; GET /v1/models lists what there is",
                         err_info(e)->text, STR_ARG(str_slice(c->request.model, 0, 200)));
        error->param = STR("model");
        return e;
    }
    e = extension_read(c, error);
    if (e == OK)
        e = gateway_allows(c->gateway, q, error);
    if (e == OK && !q->route.is_plain)
        e = strategy_check(c, error);
    return e;
}

static void post_chat(struct gateway *g, struct exchange *x)
{
    struct chat *c = ARENA_NEW(exchange_arena(x), struct chat);
    struct chat_error error = { 0 };

    if (!c) {
        gateway_refuse(g, x, WEIR_NO_MEMORY, STR(""), STR(""));
        return;
    }
    c->gateway = g;
    c->exchange = x;
    c->query.arena = exchange_arena(x);
    enum err e = chat_admit(c, &error);
    if (e != OK) {
        engine_refused(g->engine, e, c->request.model);
        gateway_refuse(g, x, e, error.message, error.param);
        return;
    }
    c->query.chat = &c->request;
    gateway_name_caller(g, &c->query);
    c->query.ctx = c;
    c->query.on_head = on_head;
    c->query.on_event = on_event;
    c->query.on_finish = on_finish;
    c->query.may_be_audited = !g->is_draining;
    exchange_watch(x, c, on_gone, NULL);
    query_start(g->engine, &c->query);
}

/* ---- the rest ---- */

static void add_model(const struct gateway *g, struct buf *out, str id, str owner)
{
    if (g->caller && !key_allows(g->caller, id))
        return;
    if (out->ptr[out->len - 1] == '}')
        buf_add_char(out, ',');
    buf_add_char(out, '{');
    json_member_str(out, "id", id);
    json_member_str(out, "object", STR("model"));
    json_member_i64(out, "created", 0);
    json_member_str(out, "owned_by", owner);
    buf_add_char(out, '}');
}

static void get_models(struct gateway *g, struct exchange *x)
{
    struct buf body = { 0 };
    char name[64];

    buf_add(&body, STR("{\"object\":\"list\",\"data\":["));
    add_model(g, &body, STR("weir/auto"), STR("weir"));
    for (int i = 0; i < REASON_STRATEGY_COUNT; i++) {
        snprintf(name, sizeof(name), "weir/%s", reason_strategy_name((enum reason_strategy)i));
        add_model(g, &body, str_from(name), STR("weir"));
    }
    for (size_t i = 0; i < g->config->model_count; i++)
        if (!g->config->models[i].is_hidden)
            add_model(g, &body, g->config->models[i].name, g->config->models[i].provider);
    buf_add(&body, STR("]}"));
    gateway_respond(g, x, 200, JSON_TYPE, NULL, 0, buf_str(&body));
    buf_fini(&body);
}

static void get_health(struct gateway *g, struct exchange *x)
{
    gateway_respond(g, x, 200, JSON_TYPE, NULL, 0, STR("{\"status\":\"ok\"}"));
}

static void get_ready(struct gateway *g, struct exchange *x)
{
    const struct ready_question question = { g->health, g->is_draining, false };
    struct buf body = { 0 };
    int status = ready_answer(&question, x, &body);

    gateway_respond(g, x, status, JSON_TYPE, NULL, 0, buf_str(&body));
    buf_fini(&body);
}

struct endpoint_row {
    const char *method;
    const char *path;
    bool is_open; /* needs no key */
    void (*handle)(struct gateway *g, struct exchange *x);
};

/* Also without the /v1 prefix, as some clients call them. */
static const struct endpoint_row endpoints[] = {
    { "POST", "/v1/chat/completions", false, post_chat },
    { "POST", "/chat/completions", false, post_chat },
    { "POST", "/v1/feedback", false, gateway_post_feedback },
    { "GET", "/v1/models", false, get_models },
    { "GET", "/models", false, get_models },
    { "GET", "/healthz", true, get_health },
    { "GET", "/readyz", true, get_ready },
};

/* Paths that clients of this API know and that are not built: said so, not hidden behind a 404. */
static const char *const not_yet[] = { "/v1/responses", "/v1/embeddings", "/v1/messages" };

void gateway_on_refused(void *ctx, enum err fault, str path)
{
    struct gateway *g = ctx;

    metrics_http_add(g->metrics, err_info(fault)->http_status);
    for (size_t i = 0; i < ARRAY_LEN(endpoints); i++) {
        if (endpoints[i].handle == post_chat && str_eq(path, str_from(endpoints[i].path)))
            engine_refused(g->engine, fault, STR(""));
    }
}

void gateway_on_request(void *ctx, struct exchange *x)
{
    struct gateway *g = ctx;
    str path = exchange_path(x);
    bool path_is_known = false;

    for (size_t i = 0; i < ARRAY_LEN(endpoints); i++) {
        if (!str_eq(path, str_from(endpoints[i].path)))
            continue;
        path_is_known = true;
        if (!str_eq(exchange_method(x), str_from(endpoints[i].method)))
            continue;
        g->caller = NULL;
        if (endpoints[i].is_open || gateway_admits(g, x)) {
            endpoints[i].handle(g, x);
            return;
        }
        if (endpoints[i].handle == post_chat)
            engine_refused(g->engine, CALLER_UNAUTHORIZED, STR(""));
        gateway_refuse(g, x, CALLER_UNAUTHORIZED, STR(""), STR(""));
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(not_yet); i++) {
        if (str_eq(path, str_from(not_yet[i]))) {
            gateway_refuse(g, x, WEIR_NOT_SUPPORTED, STR(""), STR(""));
            return;
        }
    }
    gateway_refuse(g, x, path_is_known ? CALLER_BAD_METHOD : CALLER_UNKNOWN_PATH, STR(""), STR(""));
}
