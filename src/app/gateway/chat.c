/* SPDX-License-Identifier: Apache-2.0 */
/* chat: the door of POST /v1/chat/completions, and what all that become chat requests share. */
#include "app/gateway/door.h"

#include "core/json/json.h"
#include "edge/config/config.h"

/* What a strategy's query is known by, so that who is in an arm of a rollout stays there. */
static void unit_read(struct visit *v)
{
    struct query *q = &v->query;

    q->conversation = exchange_header(v->exchange, STR("x-weir-conversation"));
    if (q->conversation.len == 0)
        IGNORE(json_str(json_get(v->request.metadata, STR("conversation")), q->arena,
                        &q->conversation));
    IGNORE(json_str(json_get(v->request.root, STR("user")), q->arena, &q->user));
}

/* {"weir": {"domain": …, "model": …, "verifier": {"kind": …, "spec": …}}}; all optional. */
static enum err extension_read(struct visit *v, struct chat_error *error)
{
    struct query *q = &v->query;
    struct json weir = json_get(v->request.root, STR("weir"));
    str header = exchange_header(v->exchange, STR("x-weir-domain"));

    if (!json_str(json_get(v->request.metadata, STR("domain")), q->arena, &q->domain) &&
        header.len > 0)
        q->domain = header;
    if (!q->route.is_plain)
        unit_read(v);
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
static enum err strategy_check(const struct visit *v, struct chat_error *error)
{
    if (v->request.has_tools || v->request.has_parts || v->request.n != 1) {
        error->message = STR("tools, images and n > 1 are relayed to a plain model, but a strategy "
                             "(weir/…) does not take them yet");
        return WEIR_NOT_SUPPORTED;
    }
    return OK;
}

/* A strategy's model; a plain request has said which model it wants. */
static enum err override_check(const struct visit *v, struct chat_error *error)
{
    const struct query *q = &v->query;
    bool is_offered = config_model_offered(v->gateway->config, q->model_override) != NULL;

    if (q->model_override.len == 0 || (!q->route.is_plain && is_offered))
        return OK;
    error->param = STR("weir.model");
    error->message = q->route.is_plain
                         ? STR("weir.model is for strategies (weir/…); name the model in model")
                         : STR("weir.model is not a configured model");
    return q->route.is_plain ? CALLER_BAD_REQUEST : CALLER_UNKNOWN_MODEL;
}

enum err visit_chat_read(struct visit *v, struct chat_error *error)
{
    enum err e = extension_read(v, error);

    if (e == OK && !v->query.route.is_plain)
        e = strategy_check(v, error);
    return e == OK ? override_check(v, error) : e;
}

static enum err admit(struct visit *v, struct chat_error *error)
{
    enum err e = chat_request_parse(v->query.arena, exchange_body(v->exchange), &v->request, error);

    if (e == OK)
        e = visit_route(v, error);
    return e == OK ? visit_chat_read(v, error) : e;
}

const struct door door_chat = { .admit = admit };
