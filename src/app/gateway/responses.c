/* SPDX-License-Identifier: Apache-2.0 */
/*
 * responses: the door of POST /v1/responses. A model of a provider that has this API is relayed untouched; other models and strategies
 * are asked in chat completions, for text only, and what they answer is translated back.
 */
#include "app/gateway/door.h"

#include "edge/config/config.h"

static enum err admit(struct visit *v, struct chat_error *error)
{
    enum err e = relay_request_parse(v->query.arena, API_RESPONSES, exchange_body(v->exchange),
                                     &v->request, error);

    if (e == OK)
        e = visit_route(v, error);
    if (e != OK)
        return e;
    const struct config_provider *provider = visit_provider(v);
    if (!provider || !provider->has_responses ||
        !dialect_find(provider->dialect)->wires[API_RESPONSES])
        return visit_translate(v, &face_responses, error);
    v->query.api = API_RESPONSES;
    return visit_chat_read(v, error);
}

const struct door door_responses = { .names_events = true,
                                     .face = &face_responses,
                                     .admit = admit };
