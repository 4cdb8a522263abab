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

/* ---- what is left ---- */

/* "350ms", "6s", "1h0m6s": as OpenAI writes how long it takes. */
static str duration_text(struct arena *arena, usec_utc left)
{
    int64_t ms = (left + 999) / 1000, seconds = (ms + 999) / 1000;

    if (ms < 1000)
        return arena_printf(arena, "%" PRId64 "ms", ms);
    if (seconds < 60)
        return arena_printf(arena, "%" PRId64 "s", seconds);
    if (seconds < 3600)
        return arena_printf(arena, "%" PRId64 "m%" PRId64 "s", seconds / 60, seconds % 60);
    return arena_printf(arena, "%" PRId64 "h%" PRId64 "m%" PRId64 "s", seconds / 3600,
                        seconds / 60 % 60, seconds % 60);
}

/* Of several limits of a kind the one that is nearest; NULL: there is none. */
static const struct limit_view *nearest(const struct access_view *views, size_t count,
                                        enum limit_kind kind)
{
    const struct limit_view *found = NULL;

    for (size_t i = 0; i < count; i++) {
        const struct limit_view *v = &views[i].limit;
        if (v->rule.kind == kind && (!found || v->left < found->left))
            found = v;
    }
    return found;
}

size_t gateway_limit_headers(const struct query *q, struct arena *arena,
                             struct answer_header out[LIMIT_HEADERS_MAX])
{
    static const struct {
        enum limit_kind kind;
        str limit, remaining, reset;
    } rows[] = { { LIMIT_REQUESTS,
                   { "x-ratelimit-limit-requests", 26 },
                   { "x-ratelimit-remaining-requests", 30 },
                   { "x-ratelimit-reset-requests", 26 } },
                 { LIMIT_TOKENS,
                   { "x-ratelimit-limit-tokens", 24 },
                   { "x-ratelimit-remaining-tokens", 28 },
                   { "x-ratelimit-reset-tokens", 24 } } };
    struct access_view views[2 * LIMIT_RULES_MAX];
    size_t count = access_views(q->key, world_wall(), views), n = 0;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct limit_view *v = nearest(views, count, rows[i].kind);
        if (!v)
            continue;
        out[n++] =
            (struct answer_header){ rows[i].limit, arena_printf(arena, "%" PRId64, v->rule.most) };
        out[n++] =
            (struct answer_header){ rows[i].remaining, arena_printf(arena, "%" PRId64, v->left) };
        out[n++] = (struct answer_header){ rows[i].reset, duration_text(arena, v->reset_after) };
    }
    return n;
}
