/* SPDX-License-Identifier: Apache-2.0 */
/*
 * face_responses_request: a request in OpenAI's Responses as a chat request: text only. A table says what becomes of each member: what
 * is not in it, or asks for what cannot be had, is refused by name.
 */
#include "core/dialect/face_internal.h"

struct writer {
    struct buf *out;
    struct arena *arena;
    struct chat_error *error;
    str model;
};

static enum err bad(struct writer *w, str message, str param)
{
    return refuse_with(w->error, CALLER_BAD_REQUEST, message, param);
}

/* ---- input ---- */

static enum err parts_write(struct writer *w, struct json parts)
{
    struct json_iter it = json_iter(parts);

    buf_add_char(w->out, '[');
    while (json_next(&it)) {
        struct json type = json_get(it.value, STR("type"));
        if (!text_is(type, "input_text") && !text_is(type, "output_text"))
            return refuse_field(w->arena, w->error,
                                arena_printf(w->arena, "input content of type %.*s",
                                             STR_ARG(str_slice(json_raw(type), 0, 60))));
        json_comma(w->out);
        buf_add(w->out, STR("{\"type\":\"text\""));
        member_copy(w->out, "text", given(it.value, STR("text")));
        buf_add_char(w->out, '}');
    }
    buf_add_char(w->out, ']');
    return OK;
}

static enum err item_write(struct writer *w, struct json item)
{
    struct json type = given(item, STR("type")), content = json_get(item, STR("content"));

    if (json_exists(type) && !text_is(type, "message"))
        return refuse_field(w->arena, w->error,
                            arena_printf(w->arena, "an input item of type %.*s",
                                         STR_ARG(str_slice(json_raw(type), 0, 60))));
    json_comma(w->out);
    buf_add_char(w->out, '{');
    member_copy(w->out, "role", given(item, STR("role")));
    json_key(w->out, "content");
    enum err e = OK;
    if (json_is(content, JSON_ARRAY))
        e = parts_write(w, content);
    else if (json_is(content, JSON_STRING))
        buf_add(w->out, json_raw(content));
    else
        e = bad(w, STR("an input item's content must be a string or an array"), STR("input"));
    buf_add_char(w->out, '}');
    return e;
}

static enum err messages_write(struct writer *w, struct json root)
{
    struct json input = given(root, STR("input")), told = given(root, STR("instructions"));
    struct json_iter it = json_iter(input);
    enum err e = OK;

    json_key(w->out, "messages");
    buf_add_char(w->out, '[');
    if (json_is(told, JSON_STRING)) {
        buf_add(w->out, STR("{\"role\":\"system\""));
        member_copy(w->out, "content", told);
        buf_add_char(w->out, '}');
    }
    if (json_is(input, JSON_STRING)) {
        json_comma(w->out);
        buf_add(w->out, STR("{\"role\":\"user\""));
        member_copy(w->out, "content", input);
        buf_add_char(w->out, '}');
    } else if (json_is(input, JSON_ARRAY)) {
        while (e == OK && json_next(&it))
            e = item_write(w, it.value);
    } else {
        e = bad(w, STR("input must be a string or an array of items"), STR("input"));
    }
    buf_add_char(w->out, ']');
    return e;
}

/* ---- the other members ---- */

static enum err copy(struct writer *w, const char *name, struct json v)
{
    member_copy(w->out, name, v);
    return OK;
}

static enum err limit_copy(struct writer *w, const char *name, struct json v)
{
    (void)name;
    member_copy(w->out, limit_name(w->model), v);
    return OK;
}

static enum err skip(struct writer *w, const char *name, struct json v)
{
    (void)w;
    (void)name;
    (void)v;
    return OK;
}

static enum err stream_write(struct writer *w, const char *name, struct json v)
{
    (void)name;
    if (json_is(v, JSON_TRUE))
        buf_add(w->out, STR(",\"stream\":true,\"stream_options\":{\"include_usage\":true}"));
    return OK;
}

/* {"format": {"type": "json_schema", "name", "schema", "strict"}}; a verbosity is a hint. */
static enum err text_write(struct writer *w, const char *name, struct json v)
{
    struct json format = given(v, STR("format")), type = json_get(format, STR("type"));

    (void)name;
    if (!json_exists(format) || text_is(type, "text"))
        return OK;
    if (text_is(type, "json_object")) {
        buf_add(w->out, STR(",\"response_format\":{\"type\":\"json_object\"}"));
        return OK;
    }
    if (!text_is(type, "json_schema"))
        return refuse_field(w->arena, w->error, STR("text.format"));
    buf_add(w->out, STR(",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{"));
    member_copy(w->out, "name", given(format, STR("name")));
    member_copy(w->out, "strict", given(format, STR("strict")));
    member_copy(w->out, "schema", given(format, STR("schema")));
    buf_add(w->out, STR("}}"));
    return OK;
}

/* Fine as long as it asks for nothing. */
static enum err none_of_it(struct writer *w, const char *name, struct json v)
{
    bool is_empty =
        json_is(v, JSON_FALSE) || str_eq(json_raw(v), STR("[]")) || str_eq(json_raw(v), STR("{}"));

    return is_empty ? OK : refuse_field(w->arena, w->error, str_from(name));
}

static const struct {
    const char *name;
    enum err (*write)(struct writer *w, const char *name, struct json v);
} members[] = {
    { "model", skip },
    { "input", skip },
    { "instructions", skip },
    { "max_output_tokens", limit_copy },
    { "temperature", copy },
    { "top_p", copy },
    { "user", copy },
    { "metadata", copy },
    { "weir", copy },
    { "stream", stream_write },
    { "text", text_write },
    { "tools", none_of_it },
    { "include", none_of_it },
    { "background", none_of_it },
    /* nothing is stored here, and nothing needs to be truncated, cached or billed otherwise */
    { "store", skip },
    { "truncation", skip },
    { "service_tier", skip },
    { "prompt_cache_key", skip },
    { "safety_identifier", skip },
    { "stream_options", skip },
    { "tool_choice", skip },
    { "parallel_tool_calls", skip },
};

static enum err member_write(struct writer *w, str name, struct json v)
{
    if (json_is(v, JSON_NULL))
        return OK;
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        if (str_eq(name, str_from(members[i].name)))
            return members[i].write(w, members[i].name, v);
    }
    return refuse_field(w->arena, w->error, name);
}

enum err face_responses_request(struct buf *out, struct arena *arena, struct json root, str model,
                                struct chat_error *error)
{
    struct writer w = { out, arena, error, model };
    struct json_iter it = json_iter(root);
    enum err e = OK;

    buf_add_char(out, '{');
    json_member_str(out, "model", model);
    while (e == OK && json_next(&it))
        e = member_write(&w, it.name, it.value);
    if (e == OK)
        e = messages_write(&w, root);
    buf_add_char(out, '}');
    return e;
}
