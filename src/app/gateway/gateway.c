/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateway: which path is whose, and who may ask.
 *
 *     request -> route table -> authorise -> door (door.c), or an answer at once
 */
#include "app/gateway/door.h"
#include "app/gateway/gateway_internal.h"

#include <stdio.h>

#include "app/access/access.h"
#include "app/engine/engine.h"
#include "core/json/json.h"
#include "edge/config/config.h"
#include "edge/telemetry/metrics.h"

void gateway_respond(struct gateway *g, struct exchange *x, int status, str type,
                     const struct answer_header *headers, size_t header_count, str body)
{
    metrics_http_add(g->metrics, status);
    exchange_respond(x, status, type, headers, header_count, body);
}

void gateway_refuse(struct gateway *g, struct exchange *x, enum err fault, str message, str param)
{
    door_refuse(NULL, g, x,
                &(struct refusal){ .fault = fault, .message = message, .param = param });
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
    const struct door *door; /* whose requests become queries; NULL: */
    void (*handle)(struct gateway *g, struct exchange *x);
};

/* clang-format off */
/* Also without the /v1 prefix, as some clients call them. */
static const struct endpoint_row endpoints[] = {
    { "POST", "/v1/chat/completions", false, &door_chat,       NULL },
    { "POST", "/chat/completions",    false, &door_chat,       NULL },
    { "POST", "/v1/embeddings",       false, &door_embeddings, NULL },
    { "POST", "/embeddings",          false, &door_embeddings, NULL },
    { "POST", "/v1/messages",         false, &door_messages,   NULL },
    { "POST", "/messages",            false, &door_messages,   NULL },
    { "POST", "/v1/responses",        false, &door_responses,  NULL },
    { "POST", "/responses",           false, &door_responses,  NULL },
    { "POST", "/v1/feedback",         false, NULL,             gateway_post_feedback },
    { "GET",  "/v1/models",           false, NULL,             get_models },
    { "GET",  "/models",              false, NULL,             get_models },
    { "GET",  "/healthz",             true,  NULL,             get_health },
    { "GET",  "/readyz",              true,  NULL,             get_ready },
};
/* clang-format on */

void gateway_on_refused(void *ctx, enum err fault, str path)
{
    struct gateway *g = ctx;

    metrics_http_add(g->metrics, err_info(fault)->http_status);
    for (size_t i = 0; i < ARRAY_LEN(endpoints); i++) {
        if (endpoints[i].door && str_eq(path, str_from(endpoints[i].path)))
            engine_refused(g->engine, fault, STR(""));
    }
}

static void endpoint_answer(const struct endpoint_row *row, struct gateway *g, struct exchange *x)
{
    g->caller = NULL;
    bool may_enter = row->is_open || gateway_admits(g, x);

    if (may_enter && row->door) {
        door_enter(row->door, g, x);
    } else if (may_enter) {
        row->handle(g, x);
    } else {
        if (row->door)
            engine_refused(g->engine, CALLER_UNAUTHORIZED, STR(""));
        door_refuse(row->door, g, x, &(struct refusal){ .fault = CALLER_UNAUTHORIZED });
    }
}

void gateway_on_request(void *ctx, struct exchange *x)
{
    struct gateway *g = ctx;
    str path = exchange_path(x);
    const struct endpoint_row *known = NULL;

    for (size_t i = 0; i < ARRAY_LEN(endpoints); i++) {
        if (!str_eq(path, str_from(endpoints[i].path)))
            continue;
        known = &endpoints[i];
        if (str_eq(exchange_method(x), str_from(known->method))) {
            endpoint_answer(known, g, x);
            return;
        }
    }
    door_refuse(known ? known->door : NULL, g, x,
                &(struct refusal){ .fault = known ? CALLER_BAD_METHOD : CALLER_UNKNOWN_PATH });
}
