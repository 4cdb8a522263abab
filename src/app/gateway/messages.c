/* SPDX-License-Identifier: Apache-2.0 */
/*
 * messages: the door of POST /v1/messages, Anthropic's API. A model of a provider that speaks it is relayed untouched; other models and
 * strategies are asked in chat completions, and what they answer is translated back.
 */
#include "app/gateway/door.h"

/* What the client chose of the API's features goes on to the provider. */
static void beta_read(struct visit *v)
{
    str beta = exchange_header(v->exchange, STR("anthropic-beta"));

    if (beta.len > 0)
        v->query.headers = arena_printf(v->query.arena, "anthropic-beta: %.*s\n", STR_ARG(beta));
}

static enum err admit(struct visit *v, struct chat_error *error)
{
    enum err e = visit_relay_or_translate(v, API_MESSAGES, &face_messages, error);

    if (e == OK && v->query.api == API_MESSAGES)
        beta_read(v);
    return e;
}

const struct door door_messages = { .names_events = true, .face = &face_messages, .admit = admit };
