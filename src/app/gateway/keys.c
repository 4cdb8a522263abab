/* SPDX-License-Identifier: Apache-2.0 */
/* keys: who asks, from what a request's headers say. */
#include "app/gateway/gateway_internal.h"

#include "app/access/access.h"
#include "app/engine/engine.h"
#include "core/dialect/dialect.h"
#include "edge/world/world.h"

/* As OpenAI's clients send a key, or as Anthropic's do. */
static str key_of(const struct exchange *x)
{
    str header = exchange_header(x, STR("authorization"));

    if (str_eq_nocase(str_slice(header, 0, 7), STR("bearer ")))
        return str_trim(str_slice(header, 7, header.len));
    return exchange_header(x, STR("x-api-key"));
}

bool gateway_admits(struct gateway *g, const struct exchange *x)
{
    g->caller = NULL;
    if (!g->access || !access_is_closed(g->access))
        return true; /* there are no keys: what a client sends as one means nothing */
    return access_find(g->access, key_of(x), world_wall(), &g->caller) == OK;
}

/* ---- what the caller may ask for ---- */

enum err gateway_allows(const struct gateway *g, const struct query *q, struct chat_error *error)
{
    bool is_allowed =
        !g->caller || (key_allows(g->caller, q->requested_model) &&
                       (q->model_override.len == 0 || key_allows(g->caller, q->model_override)));

    if (is_allowed)
        return OK;
    error->param = STR("model");
    error->message = STR("this key may not ask for this model");
    return CALLER_FORBIDDEN;
}

void gateway_name_caller(const struct gateway *g, struct query *q)
{
    q->key = g->caller;
    if (g->caller)
        q->tenant = key_tenant(g->caller);
}
