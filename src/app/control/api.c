/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api: the admin API of what changes production. JSON in and out, errors in OpenAI's shape.
 *
 * A write needs the content type application/json, which a page of another origin cannot send unasked, and names its actor.
 */
#include "app/control/control_internal.h"

#include <stdio.h>

#include "base/utc.h"

#define JSON_TYPE STR("application/json")
#define EVENTS_MAX 1000
#define TEXT_MAX 1000 /* of an actor or a reason */

const struct api_error api_unknown_path = { 404,
                                            "unknown_path",
                                            { "there is nothing at this path", 29 } };
const struct api_error api_bad_method = { 405,
                                          "bad_method",
                                          { "this path does not take this method", 35 } };

static const struct api_error store_locked = {
    503, "store", { "control.db is locked or failing; nothing has changed: try again", 63 }
};
static const struct api_error store_outrun = {
    503, "outrun", { "another process has taken over control.db: ask that one", 55 }
};

const struct api_error *api_store_error(const struct controller *c)
{
    return c->is_outrun ? &store_outrun : &store_locked;
}

void api_answer(struct exchange *x, int status, const struct buf *body)
{
    const struct api_error too_large = { 500, "too_large", STR("the answer is too large") };

    if (body->failed)
        api_refuse(x, &too_large);
    else
        exchange_respond(x, status, JSON_TYPE, NULL, 0, buf_str(body));
}

void api_refuse(struct exchange *x, const struct api_error *error)
{
    struct buf body = { 0 };

    buf_add(&body, STR("{\"error\":{"));
    json_member_str(&body, "message", error->message);
    json_member_str(&body, "type",
                    error->status >= 500 ? STR("server_error") : STR("invalid_request_error"));
    buf_add(&body, STR(",\"param\":null"));
    json_member_str(&body, "code", str_from(error->code));
    buf_add(&body, STR("}}"));
    const struct answer_header again = { STR("retry-after"), STR("1") };
    exchange_respond(x, error->status, JSON_TYPE, &again, error->status == 503, buf_str(&body));
    buf_fini(&body);
}

void api_issues(struct exchange *x, const struct config_issues *issues)
{
    struct buf body = { 0 };
    const struct config_issue *first = NULL;

    for (size_t i = 0; i < issues->count; i++) {
        if (!issues->items[i].is_warning && !first)
            first = &issues->items[i];
    }
    buf_add(&body, STR("{\"error\":{\"message\":"));
    str message = first ? arena_printf(exchange_arena(x), "%.*s:%d:%d: %.*s", STR_ARG(first->file),
                                       first->line, first->column, STR_ARG(first->message))
                        : STR("the file is not valid");
    json_write_str(&body, message);
    buf_add(&body,
            STR(",\"type\":\"invalid_request_error\",\"param\":\"file\",\"code\":\"bad_file\"},"
                "\"errors\":["));
    for (size_t i = 0; i < issues->count; i++) {
        const struct config_issue *issue = &issues->items[i];
        if (issue->is_warning)
            continue;
        json_comma(&body);
        buf_add_char(&body, '{');
        json_member_str(&body, "file", issue->file);
        json_member_i64(&body, "line", issue->line);
        json_member_i64(&body, "column", issue->column);
        json_member_str(&body, "message", issue->message);
        buf_add_char(&body, '}');
    }
    buf_add(&body, STR("]}"));
    exchange_respond(x, 400, JSON_TYPE, NULL, 0, buf_str(&body));
    buf_fini(&body);
}

void api_member_utc(struct buf *out, const char *name, usec_utc at)
{
    char text[UTC_TEXT_MAX];

    json_key(out, name);
    if (at == 0)
        buf_add(out, STR("null"));
    else
        json_write_str(out, utc_format(at, text));
}

/* ---- requests ---- */

/* 12, "12" and W/"12". */
static bool if_match_read(str header, int64_t *out)
{
    str text = str_trim(header);

    *out = -1;
    if (text.len == 0 || str_eq(text, STR("*")))
        return true;
    if (str_starts(text, STR("W/")))
        text = str_slice(text, 2, text.len);
    if (text.len >= 2 && text.ptr[0] == '"' && text.ptr[text.len - 1] == '"')
        text = str_slice(text, 1, text.len - 1);
    return str_to_i64(text, out) && *out >= 0;
}

static bool member_read(struct json root, const char *name, struct arena *arena, str *out)
{
    struct json v = json_get(root, str_from(name));

    return !json_exists(v) || (json_str(v, arena, out) && out->len <= TEXT_MAX);
}

static const char *body_read(struct exchange *x, struct api_request *out)
{
    struct arena *arena = exchange_arena(x);
    struct json supersede;

    if (json_parse(arena, exchange_body(x), &out->body, NULL) != OK ||
        !json_is(out->body, JSON_OBJECT))
        return "the body must be a JSON object";
    supersede = json_get(out->body, STR("supersede"));
    if (json_exists(supersede) && !json_bool(supersede, &out->supersede))
        return "supersede must be true or false";
    if (!member_read(out->body, "actor", arena, &out->actor) ||
        !member_read(out->body, "reason", arena, &out->reason) ||
        !member_read(out->body, "file", arena, &out->file))
        return "actor, reason and file must be texts of at most 1000 bytes";
    if (out->actor.len == 0)
        return "say who does it: \"actor\"";
    return NULL;
}

bool api_read(struct exchange *x, struct api_request *out)
{
    struct api_error error = { 400, "bad_request", { 0 } };
    const char *why = NULL;

    *out = (struct api_request){ .generation = -1 };
    if (!str_starts(exchange_header(x, STR("content-type")), JSON_TYPE))
        why = "the content type must be application/json";
    if (!why && !if_match_read(exchange_header(x, STR("if-match")), &out->generation))
        why = "If-Match must be a generation, a number";
    if (!why)
        why = body_read(x, out);
    if (!why)
        return true;
    error.message = str_from(why);
    api_refuse(x, &error);
    return false;
}

/* ---- events ---- */

static void on_event(void *ctx, const struct control_event *event)
{
    struct buf *out = ctx;

    json_comma(out);
    buf_add_char(out, '{');
    json_member_i64(out, "event", event->sequence);
    json_member_i64(out, "at_us", event->at);
    json_member_str(out, "subject", event->subject);
    json_key(out, "row");
    buf_add(out, event->text); /* JSON, as we wrote it */
    buf_add_char(out, '}');
}

enum err api_events(struct controller *c, str kind, str subject, int64_t after, struct buf *out)
{
    buf_add(out, STR("{\"object\":\"list\",\"data\":["));
    enum err e = control_events(c->store, kind, subject, after, EVENTS_MAX, on_event, out);
    buf_add(out, STR("]}"));
    return e;
}

void api_history(struct controller *c, struct exchange *x, str kind, str name)
{
    struct buf body = { 0 };
    str query = exchange_query(x);
    int64_t after = 0;

    if (str_starts(query, STR("after=")) &&
        !str_to_i64(str_slice(query, STR("after=").len, query.len), &after))
        after = 0;
    if (api_events(c, kind, name, after, &body) == OK)
        api_answer(x, 200, &body);
    else
        api_refuse(x, api_store_error(c));
    buf_fini(&body);
}

/* ---- the paths ---- */

static const struct {
    const char *path;
    void (*handle)(struct controller *c, struct exchange *x, str rest);
} paths[] = {
    { "/admin/v1/rollouts", api_rollouts }, { "/admin/v1/experiments", api_experiments },
    { "/admin/v1/alerts", api_alerts },     { "/admin/v1/silences", api_silences },
    { "/admin/v1/outbox", api_outbox },     { "/admin/v1/overview", api_overview },
    { "/admin/v1/keys", api_keys },
};

void controller_on_request(void *ctx, struct exchange *x)
{
    struct controller *c = ctx;

    controller_clock(c);
    transaction_patience(c, PATIENCE_REQUEST);
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        str path = str_from(paths[i].path), rest = exchange_path(x);
        if (!str_starts(rest, path))
            continue;
        rest = str_slice(rest, path.len, rest.len);
        if (rest.len == 0 || rest.ptr[0] == '/') {
            paths[i].handle(c, x, str_slice(rest, 1, rest.len));
            return;
        }
    }
    api_refuse(x, &api_unknown_path);
}
