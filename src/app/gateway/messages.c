/* SPDX-License-Identifier: Apache-2.0 */
/*
 * messages: the door of POST /v1/messages, Anthropic's API. A model of a provider that speaks it is relayed untouched; other models and
 * strategies are asked in chat completions, and what they answer is translated back.
 */
#include "app/gateway/door.h"

#include "edge/config/config.h"

/* What the client chose of the API's features goes on to the provider. */
static void beta_read(struct visit *v)
{
    str beta = exchange_header(v->exchange, STR("anthropic-beta"));

    if (beta.len > 0)
        v->query.headers = arena_printf(v->query.arena, "anthropic-beta: %.*s\n", STR_ARG(beta));
}

static enum err admit(struct visit *v, struct chat_error *error)
{
    enum err e = relay_request_parse(v->query.arena, API_MESSAGES, exchange_body(v->exchange),
                                     &v->request, error);

    if (e == OK)
        e = visit_route(v, error);
    if (e != OK)
        return e;
    const struct config_provider *provider = visit_provider(v);
    if (!provider || !dialect_find(provider->dialect)->wires[API_MESSAGES])
        return visit_translate(v, &face_messages, error);
    v->query.api = API_MESSAGES;
    beta_read(v);
    return visit_chat_read(v, error);
}

const struct door door_messages = { .names_events = true, .face = &face_messages, .admit = admit };
