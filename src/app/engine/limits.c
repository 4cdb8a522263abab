/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limits: what a query and its calls take from the accounts of their key.
 *
 *     query: one request, one at once ---------------------------------> settled when it ends
 *     each call: its worst case in tokens and dollars, before it leaves -> settled when it ends
 *
 * A query without a key takes nothing and no lock. A query that a limit refused counts as none, so that the ledger's rows say
 * what counts: all of a key but those with POLICY_LIMIT and POLICY_QUOTA.
 */
#include "app/engine/engine_internal.h"

#include "core/tokens/tokens.h"

#define COUNT_ARENA_BYTES ((size_t)64 << 20)
/* What a chat adds to its texts, as OpenAI counts it: three tokens a message and three of the answer's beginning; a role is one. */
#define TOKENS_PER_MESSAGE 4
#define TOKENS_PER_ANSWER 3

/* ---- refusals ---- */

static str amount_text(struct arena *arena, enum limit_kind kind, int64_t amount)
{
    char cost[32];

    if (kind == LIMIT_COST)
        return arena_str(arena, cost_format(amount, cost));
    if (kind == LIMIT_CONCURRENT)
        return arena_printf(arena, "%" PRId64 " requests at once", amount);
    return arena_printf(arena, "%" PRId64 " %s", amount, limit_kind_name(kind));
}

/* Which limit, what is left, when to come back. */
static enum err refuse(struct query *q, const struct limit_refusal *why)
{
    enum limit_kind kind = why->rule.kind;
    bool is_never = why->retry_after == LIMIT_RETRY_NEVER;
    int64_t seconds = is_never ? 0 : (why->retry_after + 999999) / 1000000;
    str most = amount_text(q->arena, kind, why->rule.most);
    str left = amount_text(q->arena, kind, why->left);
    str wanted = amount_text(q->arena, kind, why->wanted);
    const char *per = kind == LIMIT_CONCURRENT ? "" : limit_window_name(why->rule.window);
    str when = is_never ? STR("this request alone is above the limit")
                        : arena_printf(q->arena, "try again in %" PRId64 " s", seconds);

    q->fault_message = arena_printf(
        q->arena, "the limit is %.*s%s%s, of which %.*s left; at worst this takes %.*s; %.*s",
        STR_ARG(most), per[0] ? " a " : "", per, STR_ARG(left), STR_ARG(wanted), STR_ARG(when));
    q->retry_after = is_never ? -1 : seconds * NSEC_PER_SEC;
    return kind == LIMIT_COST ? POLICY_QUOTA : POLICY_LIMIT;
}

/* ---- the query ---- */

bool limits_admit(struct query *q)
{
    static const struct limit_amounts one = { { [LIMIT_REQUESTS] = 1, [LIMIT_CONCURRENT] = 1 } };
    struct limit_refusal why;

    if (access_reserve(q->key, q->started_wall, &one, &q->hold, &why))
        return true;
    q->fault = refuse(q, &why);
    return false;
}

void limits_leave(struct query *q)
{
    bool is_refused = q->fault == POLICY_LIMIT || q->fault == POLICY_QUOTA;
    const struct limit_amounts used = { { [LIMIT_REQUESTS] = is_refused ? 0 : 1 } };

    access_settle(q->key, &q->hold, &used);
}

/* ---- its calls ---- */

enum err limits_call(struct query_call *c)
{
    struct query *q = c->query;
    const struct limit_amounts worst = {
        { [LIMIT_TOKENS] = c->reserved_tokens, [LIMIT_COST] = c->reserved }
    };
    struct limit_refusal why;

    if (!c->price && key_limits(q->key, LIMIT_COST)) {
        q->fault_message = STR("the model has no price, so a budget in dollars cannot hold it");
        return POLICY_QUOTA;
    }
    /* Of a plain query at the instant that the ledger has, so that both count it in the same slot. */
    usec_utc now = q->route.is_plain || !q->key ? q->started_wall : world_wall();
    if (access_reserve(q->key, now, &worst, &c->hold, &why))
        return OK;
    return refuse(q, &why);
}

void limits_call_end(struct query_call *c)
{
    const struct usage *u = &c->usage;
    nano_usd cost = c->trace->cost;
    int64_t tokens = INT64_MAX;

    if (!i64_add(u->input > 0 ? u->input : 0, u->output > 0 ? u->output : 0, &tokens))
        tokens = INT64_MAX;
    const struct limit_amounts used = {
        { [LIMIT_TOKENS] = tokens, [LIMIT_COST] = cost > 0 ? cost : 0 }
    };
    access_settle(c->query->key, &c->hold, &used);
}

/* ---- tokens ---- */

/* NULL: nobody knows how this model cuts its texts. */
static const struct token_table *table_of(const struct query_call *c)
{
    const struct token_table *const *tables = c->query->engine->tokens;
    enum token_encoding encoding;

    if (!tables || !token_encoding_of_model(c->model->upstream_name, &encoding))
        return NULL;
    return tables[encoding];
}

static bool count_add(const struct token_table *table, str text, struct arena *arena, int64_t *sum)
{
    int64_t count;

    return token_count(table, text, arena, &count) == OK && i64_add(*sum, count, sum);
}

/* The messages of a plain chat; of all else the whole body, whose punctuation makes it a little more. */
static bool sent_count(const struct query_call *c, const struct token_table *table,
                       struct arena *arena, int64_t *sum)
{
    const struct chat_request *chat = c->query->chat;
    bool is_chat = c->query->route.is_plain && !chat->has_tools && !chat->has_parts &&
                   !json_exists(chat->response_format);

    if (!is_chat)
        return count_add(table, buf_str(&c->request), arena, sum);
    *sum = TOKENS_PER_ANSWER;
    for (size_t i = 0; i < chat->message_count; i++) {
        *sum += TOKENS_PER_MESSAGE;
        if (!count_add(table, chat->messages[i].content, arena, sum))
            return false;
    }
    return true;
}

int64_t tokens_sent(const struct query_call *c)
{
    const struct token_table *table = table_of(c);
    struct arena arena;
    int64_t sum = 0;

    if (!table)
        return -1;
    arena_init(&arena, COUNT_ARENA_BYTES);
    bool is_counted = sent_count(c, table, &arena, &sum);
    arena_fini(&arena);
    return is_counted ? sum : -1;
}

int64_t tokens_relayed(const struct query_call *c)
{
    const struct token_table *table = table_of(c);
    str text = c->relayed_bytes > 0 ? buf_str(&c->relayed) : c->trace->text;
    struct arena arena;
    int64_t sum = 0;

    if (!table || (size_t)c->relayed_bytes > text.len)
        return -1;
    arena_init(&arena, COUNT_ARENA_BYTES);
    bool is_counted = count_add(table, text, &arena, &sum);
    arena_fini(&arena);
    return is_counted ? sum : -1;
}
