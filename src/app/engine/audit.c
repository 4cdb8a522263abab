/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit: of the answered queries a small share, drawn by their ids, is put to the strong model as well, after the answer is on its
 * way; that both say the same is a label of the query, a noisy one, since the strong model may be wrong.
 *
 * An audit is a query of the engine's own, with a row and a budget of its own; nobody waits for it.
 */
#include "app/engine/engine_internal.h"

#include <stdlib.h>

#include "base/rng.h"

#define AUDIT_ARENA_BYTES ((size_t)16 << 20)
#define AUDIT_SALT                                                                                 \
    UINT64_C(                                                                                      \
        0x61756469746f7273) /* so that what is audited does not depend on what else an id decides */

struct audit {
    struct arena arena;
    struct query query;
    struct chat_request chat;
    int64_t audited;
    str canonical; /* the audited answer */
};

static void audit_close(struct audit *a)
{
    arena_fini(&a->arena);
    free(a);
}

/* An audit that failed says nothing. */
static void on_finish(struct query *q)
{
    struct audit *a = q->ctx;

    if (q->fault == OK && q->best.has_answer) {
        struct ledger_label label = { .query = a->audited,
                                      .source = LABEL_AUDIT,
                                      .value = str_eq(q->best.canonical, a->canonical) ? 1 : 0,
                                      .is_noisy = true,
                                      .labelled = world_wall(),
                                      .text = q->model };
        ledger_label(q->engine->ledger, &label);
    }
    audit_close(a);
}

static bool is_drawn(const struct query *q)
{
    struct rng rng;

    rng_init(&rng, (uint64_t)q->id ^ AUDIT_SALT);
    return rng_unit(&rng) < q->engine->config->route.audit_share;
}

/* The query's own memory ends with it. */
static void chat_copy(struct audit *a, const struct chat_request *chat)
{
    struct chat_message *messages =
        ARENA_ARRAY(&a->arena, chat->message_count, struct chat_message);

    for (size_t i = 0; messages && i < chat->message_count; i++)
        messages[i] = (struct chat_message){ chat->messages[i].role, /* a constant */
                                             arena_str(&a->arena, chat->messages[i].content) };
    a->chat = (struct chat_request){ .n = 1,
                                     .temperature = chat->temperature,
                                     .max_tokens = chat->max_tokens,
                                     .messages = messages,
                                     .message_count = chat->message_count };
}

void audit_draw(const struct query *q)
{
    const struct config *config = q->engine->config;
    str strong = config->cascade.strong_model;

    if (!q->may_be_audited || !q->best.has_answer || strong.len == 0 || !is_drawn(q))
        return;
    struct audit *a = calloc(1, sizeof(*a));
    if (!a)
        return; /* an audit less */
    arena_init(&a->arena, AUDIT_ARENA_BYTES);
    chat_copy(a, q->chat);
    a->chat.model = strong;
    a->audited = q->id;
    a->canonical = arena_str(&a->arena, q->best.canonical);
    a->query = (struct query){ .arena = &a->arena,
                               .route = { .strategy = REASON_DIRECT,
                                          .model = strong,
                                          .profile = config,
                                          .reason = "an audit" },
                               .requested_model = strong,
                               .tenant = arena_str(&a->arena, q->tenant),
                               .domain = arena_str(&a->arena, q->domain),
                               .chat = &a->chat,
                               .ctx = a,
                               .on_finish = on_finish,
                               .is_audit = true };
    if (arena_failed(&a->arena))
        audit_close(a);
    else
        query_start(q->engine, &a->query);
}
