/* SPDX-License-Identifier: Apache-2.0 */
/*
 * openai_request: a client's chat request, read for policy and spliced for the provider.
 *
 * Only what weir decides by is read; each such field has a row in the table below. An optional field
 * that is null counts as not given, as SDKs send it so. Everything else passes through as bytes.
 */
#include "core/dialect/dialect.h"
#include "core/dialect/openai_text.h"
#include "core/dialect/wire_internal.h"

#include <stdlib.h>

struct parse {
    struct arena *arena;
    struct chat_request *request;
    struct chat_error error;
};

static bool refuse(struct parse *p, str message, str param)
{
    p->error = (struct chat_error){ CALLER_BAD_REQUEST, message, param };
    return false;
}

static bool model_read(struct parse *p, struct json v)
{
    return json_str(v, p->arena, &p->request->model) && p->request->model.len > 0;
}

static bool stream_read(struct parse *p, struct json v)
{
    return json_bool(v, &p->request->stream);
}

static bool stream_options_read(struct parse *p, struct json v)
{
    struct json wish = json_get(v, STR("include_usage"));
    bool is_absent = !json_exists(wish) || json_is(wish, JSON_NULL);

    return json_is(v, JSON_OBJECT) && (is_absent || json_bool(wish, &p->request->include_usage));
}

static bool tools_read(struct parse *p, struct json v)
{
    if (json_count(v) > 0)
        p->request->has_tools = true;
    return json_is(v, JSON_ARRAY);
}

static bool n_read(struct parse *p, struct json v)
{
    int64_t n;

    if (!json_i64(v, &n) || n < 1 || n > 128)
        return false;
    p->request->n = n;
    return true;
}

static bool temperature_read(struct parse *p, struct json v)
{
    double temperature;

    if (!json_double(v, &temperature) || temperature < 0)
        return false;
    p->request->temperature = temperature;
    return true;
}

/* Of the field's two names the larger value counts: budgets reserve the worst case. */
static bool max_tokens_read(struct parse *p, struct json v)
{
    int64_t tokens;

    if (!json_i64(v, &tokens) || tokens < 1)
        return false;
    if (tokens > p->request->max_tokens)
        p->request->max_tokens = tokens;
    return true;
}

static bool metadata_read(struct parse *p, struct json v)
{
    p->request->metadata = v;
    return json_is(v, JSON_OBJECT);
}

static bool response_format_read(struct parse *p, struct json v)
{
    p->request->response_format = v;
    return json_is(v, JSON_OBJECT);
}

/* The role as a constant; NULL when nobody knows it. */
static const char *role_known(str role)
{
    static const char *const roles[] = { "user",      "assistant", "system",
                                         "developer", "tool",      "function" };

    for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
        if (str_eq(role, str_from(roles[i])))
            return roles[i];
    }
    return NULL;
}

static bool message_refuse(struct parse *p, size_t index, const char *field, const char *must_be)
{
    str param = arena_printf(p->arena, "messages[%zu]%s%s", index, field[0] ? "." : "", field);

    return refuse(p, arena_printf(p->arena, "%.*s must be %s", STR_ARG(param), must_be), param);
}

/* Reads one message; *is_rich tells of content that is more than text. */
static bool message_read(struct parse *p, size_t index, struct json v, bool *is_rich)
{
    struct chat_message *message = &p->request->messages[index];
    struct json content = json_get(v, STR("content"));
    str role = { 0 };

    if (!json_is(v, JSON_OBJECT))
        return message_refuse(p, index, "", "an object");
    if (json_str(json_get(v, STR("role")), p->arena, &role))
        message->role = role_known(role);
    if (!message->role)
        return message_refuse(p, index, "role",
                              "one of system, developer, user, assistant, tool, function");
    /* An assistant that called tools said nothing, and a function may have returned nothing. */
    bool may_be_null = message->role[0] == 'a' || message->role[0] == 'f';
    bool is_null = !json_exists(content) || json_is(content, JSON_NULL);
    enum content_form form = content_read(p->arena, content, &message->content);
    if (form == CONTENT_WRONG || (is_null && !may_be_null))
        return message_refuse(p, index, "content", "a string or an array of content parts");
    *is_rich = form == CONTENT_RICH;
    return true;
}

static bool messages_read(struct parse *p, struct json v)
{
    struct chat_request *request = p->request;
    struct json_iter it = json_iter(v);
    bool is_empty_question = false;

    if (!json_is(v, JSON_ARRAY) || json_count(v) == 0)
        return false;
    request->messages = ARENA_ARRAY(p->arena, json_count(v), struct chat_message);
    if (!request->messages)
        return false;
    for (size_t i = 0; json_next(&it); i++) {
        bool is_rich = false;
        if (!message_read(p, i, it.value, &is_rich))
            return false;
        request->has_parts = request->has_parts || is_rich;
        request->message_count++;
        if (request->messages[i].role[0] == 'u')
            is_empty_question = !is_rich && !text_is_visible(request->messages[i].content);
    }
    if (is_empty_question) {
        p->error = (struct chat_error){ CALLER_EMPTY_QUESTION,
                                        STR("the last user message holds no visible character"),
                                        STR("messages") };
        return false;
    }
    return true;
}

/* clang-format off */
static const struct field {
    str name;
    bool is_required;
    const char *must_be;
    bool (*read)(struct parse *p, struct json v); /* false: wrong; fills the error when it knows better than must_be */
} fields[] = {
    { STR("model"),                 true,  "a non-empty string",                       model_read },
    { STR("messages"),              true,  "a non-empty array",                        messages_read },
    { STR("stream"),                false, "a boolean",                                stream_read },
    { STR("stream_options"),        false, "an object whose include_usage is boolean", stream_options_read },
    { STR("tools"),                 false, "an array",                                 tools_read },
    { STR("functions"),             false, "an array",                                 tools_read },
    { STR("n"),                     false, "an integer from 1 to 128",                 n_read },
    { STR("temperature"),           false, "a number that is not negative",            temperature_read },
    { STR("max_completion_tokens"), false, "a positive integer",                       max_tokens_read },
    { STR("max_tokens"),            false, "a positive integer",                       max_tokens_read },
    { STR("metadata"),              false, "an object",                                metadata_read },
    { STR("response_format"),       false, "an object",                                response_format_read },
};
/* clang-format on */

static bool fields_read(struct parse *p, struct json root)
{
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        const struct field *f = &fields[i];
        struct json v = json_get(root, f->name);
        bool is_absent = !json_exists(v) || json_is(v, JSON_NULL);
        if ((is_absent && !f->is_required) || (!is_absent && f->read(p, v)))
            continue;
        if (p->error.fault != OK)
            return false;
        return refuse(p, arena_printf(p->arena, "%.*s must be %s", STR_ARG(f->name), f->must_be),
                      f->name);
    }
    return true;
}

static bool body_read(struct parse *p, str body)
{
    return body_object(p->arena, body, &p->request->root, &p->error) &&
           fields_read(p, p->request->root);
}

enum err chat_request_parse(struct arena *arena, str body, struct chat_request *out,
                            struct chat_error *out_error)
{
    struct chat_request request = { .n = 1, .temperature = -1 };
    struct parse p = { .arena = arena, .request = &request };
    bool is_read = body_read(&p, body);

    /* Once memory has ended, what was read is not to be trusted, whichever way it looks. */
    if (arena_failed(arena))
        p.error = (struct chat_error){ WEIR_NO_MEMORY,
                                       str_from(err_info(WEIR_NO_MEMORY)->text),
                                       { NULL, 0 } };
    else if (is_read) {
        *out = request;
        return OK;
    }
    *out_error = p.error;
    return p.error.fault;
}

/* A change of the body: the bytes [from, to) give way to before + text + after. */
struct edit {
    const char *from;
    const char *to;
    str text;
};

#define EDITS_MAX 3 /* the model, stream_options, the weir member */

struct edits {
    struct edit list[EDITS_MAX];
    size_t count;
};

/* Keeps the list in the order of the body; the edits never overlap. */
static void edit_add(struct edits *e, struct edit edit)
{
    size_t at = e->count++;

    for (; at > 0 && e->list[at - 1].from > edit.from; at--)
        e->list[at] = e->list[at - 1];
    e->list[at] = edit;
}

static const char *end_of(struct json v)
{
    str raw = json_raw(v);

    return raw.ptr + raw.len;
}

/* Cuts out one top-level member with the comma on its left, or on its right when it is the first. */
static void member_cut(struct edits *e, struct json root, struct json member)
{
    struct json_iter it = json_iter(root);
    const char *left = NULL; /* the end of the member in front */

    while (json_next(&it) && it.value.node != member.node)
        left = end_of(it.value);
    const char *name = it.name.ptr - 1;
    if (left)
        edit_add(e, (struct edit){ left, end_of(member), { NULL, 0 } });
    else if (json_next(&it))
        edit_add(e, (struct edit){ name, it.name.ptr - 1, { NULL, 0 } });
    else
        edit_add(e, (struct edit){ name, end_of(member), { NULL, 0 } });
}

static const char *last_end(struct json root)
{
    struct json_iter it = json_iter(root);
    const char *end = json_raw(root).ptr + 1;

    while (json_next(&it))
        end = end_of(it.value);
    return end;
}

static void usage_ask(struct edits *e, struct json root)
{
    struct json options = json_get(root, STR("stream_options"));
    struct json wish = json_get(options, STR("include_usage"));
    str raw = json_raw(options);

    if (json_exists(wish))
        edit_add(e, (struct edit){ json_raw(wish).ptr, end_of(wish), STR("true") });
    else if (json_count(options) > 0)
        edit_add(e, (struct edit){ raw.ptr + 1, raw.ptr + 1, STR("\"include_usage\":true,") });
    else if (json_exists(options))
        edit_add(e, (struct edit){ raw.ptr, end_of(options), STR("{\"include_usage\":true}") });
    else
        edit_add(e, (struct edit){ last_end(root), last_end(root),
                                   STR(",\"stream_options\":{\"include_usage\":true}") });
}

static void edits_apply(struct buf *out, str body, const struct edits *edits)
{
    const char *at = body.ptr;

    for (size_t i = 0; i < edits->count; i++) {
        buf_add(out, (str){ at, (size_t)(edits->list[i].from - at) });
        buf_add(out, edits->list[i].text);
        at = edits->list[i].to;
    }
    buf_add(out, (str){ at, (size_t)(body.ptr + body.len - at) });
}

str chat_chunk_without_usage(struct arena *arena, str payload)
{
    struct edits edits = { .count = 0 };
    struct buf out = { 0 };
    struct json root;

    if (json_parse(arena, payload, &root, NULL) != OK || !json_exists(json_get(root, STR("usage"))))
        return payload;
    member_cut(&edits, root, json_get(root, STR("usage")));
    edits_apply(&out, json_raw(root), &edits);
    str text = arena_str(arena, buf_str(&out));
    buf_fini(&out);
    return text;
}

void body_splice(struct buf *out, struct json root, str old_model, str model, bool asks_usage)
{
    struct json old = json_get(root, STR("model")), ours = json_get(root, STR("weir"));
    struct edits edits = { .count = 0 };
    struct buf name = { 0 };

    json_write_str(&name, model);
    if (name.failed)
        out->failed = true;
    if (!str_eq(model, old_model))
        edit_add(&edits, (struct edit){ json_raw(old).ptr, end_of(old), buf_str(&name) });
    if (json_exists(ours))
        member_cut(&edits, root, ours);
    if (asks_usage)
        usage_ask(&edits, root);
    edits_apply(out, json_raw(root), &edits);
    buf_fini(&name);
}

void chat_request_splice(struct buf *out, const struct chat_request *request, str model)
{
    body_splice(out, request->root, request->model, model,
                request->stream && !request->include_usage);
}
