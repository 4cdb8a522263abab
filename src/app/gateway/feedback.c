/* SPDX-License-Identifier: Apache-2.0 */
/*
 * feedback: POST /v1/feedback: what a client says about an answer, into the ledger.
 *
 *     {"query_id": "q…", "correct": true | "score": 0.8 | "label": "right", "label": "why, in words"}
 *
 * The answer is sent once the label is committed. Whether there is such a query is not asked: it may have been deleted, or still be on
 * its way into the database; `weir ledger verify` counts the labels of none.
 */
#include "app/gateway/gateway_internal.h"

#include "app/engine/engine.h"
#include "core/dialect/dialect.h"
#include "core/json/json.h"
#include "edge/store/store.h"

/* Lives in the exchange's arena. */
struct opinion {
    struct feedback feedback;
    struct gateway *gateway;
    struct exchange *exchange;
    bool is_gone;
};

/* One word may say what is right. */
static bool word_value(str word, double *out)
{
    static const struct {
        const char *word;
        double value;
    } words[] = {
        { "right", 1 }, { "correct", 1 },   { "good", 1 }, { "yes", 1 },
        { "wrong", 0 }, { "incorrect", 0 }, { "bad", 0 },  { "no", 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (str_eq_nocase(word, str_from(words[i].word))) {
            *out = words[i].value;
            return true;
        }
    }
    return false;
}

static enum err wrong(struct chat_error *error, str param, str message)
{
    error->param = param;
    error->message = message;
    return CALLER_BAD_REQUEST;
}

/* As answers give it: in x-weir-query-id and weir.query_id, and in the id of a strategy's completion, message or response. */
static enum err id_read(struct json root, struct arena *arena, int64_t *out,
                        struct chat_error *error)
{
    static const char *const prefixes[] = { "resp_", "chatcmpl-" };
    str text = { 0 };
    bool is_text = json_str(json_get(root, STR("query_id")), arena, &text);

    for (size_t i = 0; is_text && i < ARRAY_LEN(prefixes); i++) {
        if (str_starts(text, str_from(prefixes[i])))
            text = str_slice(text, str_from(prefixes[i]).len, text.len);
    }
    if (is_text && ledger_id_parse(text, out))
        return OK;
    return wrong(error, STR("query_id"),
                 STR("query_id must be an answer's x-weir-query-id: q and 16 hexadecimal digits"));
}

static enum err value_read(struct json root, str label, double *out, struct chat_error *error)
{
    struct json correct = json_get(root, STR("correct")), score = json_get(root, STR("score"));
    bool is_right;

    if (json_exists(correct) && json_exists(score))
        return wrong(error, STR("score"), STR("give correct or score, not both"));
    if (json_exists(correct)) {
        if (!json_bool(correct, &is_right))
            return wrong(error, STR("correct"), STR("correct must be true or false"));
        *out = is_right ? 1 : 0;
        return OK;
    }
    if (json_exists(score)) {
        if (!json_double(score, out) || !(*out >= 0 && *out <= 1))
            return wrong(error, STR("score"), STR("score must be a number from 0 to 1"));
        return OK;
    }
    if (word_value(str_trim(label), out))
        return OK;
    return wrong(
        error, STR("correct"),
        STR("say how right the answer was: correct (true or false), score (0 to 1), or label "
            "(right, correct, good, yes, wrong, incorrect, bad, no)"));
}

static enum err feedback_read(str body, struct arena *arena, struct feedback *out,
                              struct chat_error *error)
{
    struct json root;
    struct json_error where;

    if (json_parse(arena, body, &root, &where) != OK)
        return CALLER_BAD_JSON;
    if (!json_is(root, JSON_OBJECT))
        return wrong(error, STR(""), STR("the body must be an object"));
    enum err e = id_read(root, arena, &out->query, error);
    if (e != OK)
        return e;
    struct json label = json_get(root, STR("label"));
    if (json_exists(label) && !json_str(label, arena, &out->text))
        return wrong(error, STR("label"), STR("label must be a text"));
    return value_read(root, out->text, &out->value, error);
}

static void on_done(struct feedback *f, enum err committed)
{
    struct opinion *o = f->ctx;
    struct buf body = { 0 };
    char id[20];

    if (o->is_gone) {
        exchange_abort(o->exchange);
    } else if (committed != OK) {
        gateway_refuse(o->gateway, o->exchange, committed, STR(""), STR(""));
    } else {
        buf_add_char(&body, '{');
        json_member_str(&body, "object", STR("weir.feedback"));
        json_member_str(&body, "query_id", ledger_id_format(f->query, id));
        json_member_double(&body, "value", f->value);
        buf_add_char(&body, '}');
        gateway_respond(o->gateway, o->exchange, 200, JSON_TYPE, NULL, 0, buf_str(&body));
    }
    buf_fini(&body);
}

static void on_gone(void *ctx)
{
    struct opinion *o = ctx;

    o->is_gone = true; /* what was said holds all the same */
}

void gateway_post_feedback(struct gateway *g, struct exchange *x)
{
    struct opinion *o = ARENA_NEW(exchange_arena(x), struct opinion);
    struct chat_error error = { 0 };

    if (!o) {
        gateway_refuse(g, x, WEIR_NO_MEMORY, STR(""), STR(""));
        return;
    }
    *o = (struct opinion){ .gateway = g,
                           .exchange = x,
                           .feedback = { .ctx = o, .on_done = on_done } };
    enum err e = feedback_read(exchange_body(x), exchange_arena(x), &o->feedback, &error);
    if (e != OK) {
        gateway_refuse(g, x, e, error.message, error.param);
        return;
    }
    exchange_watch(x, o, on_gone, NULL);
    feedback_put(g->engine, &o->feedback);
}
