/* SPDX-License-Identifier: Apache-2.0 */
/*
 * face_messages_request: a request in Anthropic's Messages as a chat request.
 *
 * One message of that API may become several: the results of tools in front, each as a message of its own, then what else the user says.
 * Thinking is left out, as no chat request takes it back. Hints without a counterpart (top_k, thinking, cache_control) are left out.
 */
#include "core/dialect/face_internal.h"

struct writer {
    struct buf *out;
    struct arena *arena;
    struct chat_error *error;
};

static enum err bad(struct writer *w, str message, str param)
{
    return refuse_with(w->error, CALLER_BAD_REQUEST, message, param);
}

static enum err block_refuse(struct writer *w, struct json block)
{
    return refuse_field(
        w->arena, w->error,
        arena_printf(w->arena, "content of type %.*s",
                     STR_ARG(str_slice(json_raw(json_get(block, STR("type"))), 0, 60))));
}

static bool block_is(struct json block, const char *type)
{
    return text_is(json_get(block, STR("type")), type);
}

static void text_part(struct writer *w, struct json block)
{
    json_comma(w->out);
    buf_add(w->out, STR("{\"type\":\"text\""));
    member_copy(w->out, "text", given(block, STR("text")));
    buf_add_char(w->out, '}');
}

static enum err image_part(struct writer *w, struct json block)
{
    struct json source = json_get(block, STR("source"));
    str media, data, url;

    if (json_str(json_get(source, STR("media_type")), w->arena, &media) &&
        json_str(json_get(source, STR("data")), w->arena, &data))
        url = arena_printf(w->arena, "data:%.*s;base64,%.*s", STR_ARG(media), STR_ARG(data));
    else if (!json_str(json_get(source, STR("url")), w->arena, &url))
        return refuse_field(w->arena, w->error, STR("an image's source"));
    json_comma(w->out);
    buf_add(w->out, STR("{\"type\":\"image_url\",\"image_url\":{"));
    json_member_str(w->out, "url", url);
    buf_add(w->out, STR("}}"));
    return OK;
}

/* ---- messages ---- */

/* The text of a tool's result: a string, or blocks of text. */
static enum err result_text(struct writer *w, struct json content, struct buf *out)
{
    struct json_iter it = json_iter(content);
    str text;

    if (json_str(content, w->arena, &text))
        buf_add(out, text);
    if (!json_is(content, JSON_ARRAY))
        return OK;
    while (json_next(&it)) {
        if (!block_is(it.value, "text") ||
            !json_str(json_get(it.value, STR("text")), w->arena, &text))
            return block_refuse(w, it.value);
        if (out->len > 0)
            buf_add_char(out, '\n');
        buf_add(out, text);
    }
    return OK;
}

static enum err results_write(struct writer *w, struct json content)
{
    struct json_iter it = json_iter(content);
    enum err e = OK;

    while (e == OK && json_next(&it)) {
        struct buf text = { 0 };
        if (!block_is(it.value, "tool_result"))
            continue;
        e = result_text(w, given(it.value, STR("content")), &text);
        json_comma(w->out);
        buf_add(w->out, STR("{\"role\":\"tool\""));
        member_copy(w->out, "tool_call_id", given(it.value, STR("tool_use_id")));
        json_member_str(w->out, "content", buf_str(&text));
        buf_add_char(w->out, '}');
        if (text.failed)
            e = WEIR_NO_MEMORY;
        buf_fini(&text);
    }
    return e;
}

static enum err user_blocks_write(struct writer *w, struct json content)
{
    struct json_iter it = json_iter(content);
    enum err e = results_write(w, content);
    bool is_open = false;

    while (e == OK && json_next(&it)) {
        if (block_is(it.value, "tool_result"))
            continue;
        if (!is_open) {
            json_comma(w->out);
            buf_add(w->out, STR("{\"role\":\"user\",\"content\":["));
        }
        is_open = true;
        if (block_is(it.value, "text"))
            text_part(w, it.value);
        else
            e = block_is(it.value, "image") ? image_part(w, it.value) : block_refuse(w, it.value);
    }
    if (is_open)
        buf_add(w->out, STR("]}"));
    return e;
}

static void tool_use_write(struct writer *w, struct json block, bool is_first)
{
    buf_add(w->out, is_first ? STR(",\"tool_calls\":[") : STR(","));
    buf_add(w->out, STR("{\"type\":\"function\""));
    member_copy(w->out, "id", given(block, STR("id")));
    buf_add(w->out, STR(",\"function\":{"));
    member_copy(w->out, "name", given(block, STR("name")));
    json_member_str(w->out, "arguments", json_raw(json_get(block, STR("input"))));
    buf_add(w->out, STR("}}"));
}

static enum err assistant_blocks_write(struct writer *w, struct json content)
{
    struct json_iter it = json_iter(content);
    struct buf text = { 0 };
    size_t calls = 0;
    str said;
    enum err e = OK;

    while (json_next(&it)) {
        if (block_is(it.value, "text") &&
            json_str(json_get(it.value, STR("text")), w->arena, &said))
            buf_add(&text, said);
    }
    json_comma(w->out);
    buf_add(w->out, STR("{\"role\":\"assistant\""));
    json_member_str(w->out, "content", buf_str(&text));
    if (text.failed)
        e = WEIR_NO_MEMORY;
    buf_fini(&text);
    it = json_iter(content);
    while (e == OK && json_next(&it)) {
        bool is_silent = block_is(it.value, "text") || block_is(it.value, "thinking") ||
                         block_is(it.value, "redacted_thinking");
        if (block_is(it.value, "tool_use"))
            tool_use_write(w, it.value, calls++ == 0);
        else if (!is_silent)
            e = block_refuse(w, it.value);
    }
    buf_add(w->out, calls > 0 ? STR("]}") : STR("}"));
    return e;
}

static enum err message_write(struct writer *w, struct json message)
{
    struct json content = json_get(message, STR("content"));
    bool is_user = text_is(json_get(message, STR("role")), "user");

    if (!is_user && !text_is(json_get(message, STR("role")), "assistant"))
        return bad(w, STR("a message's role must be user or assistant"), STR("messages"));
    if (json_is(content, JSON_ARRAY))
        return is_user ? user_blocks_write(w, content) : assistant_blocks_write(w, content);
    if (!json_is(content, JSON_STRING))
        return bad(w, STR("a message's content must be a string or an array of blocks"),
                   STR("messages"));
    json_comma(w->out);
    buf_add_char(w->out, '{');
    member_copy(w->out, "role", json_get(message, STR("role")));
    member_copy(w->out, "content", content);
    buf_add_char(w->out, '}');
    return OK;
}

static enum err system_write(struct writer *w, struct json system)
{
    struct json_iter it = json_iter(system);

    if (!json_exists(system) || (json_is(system, JSON_ARRAY) && json_count(system) == 0))
        return OK;
    buf_add(w->out, STR("{\"role\":\"system\",\"content\":"));
    if (json_is(system, JSON_STRING)) {
        buf_add(w->out, json_raw(system));
    } else {
        buf_add_char(w->out, '[');
        while (json_next(&it)) {
            if (!block_is(it.value, "text"))
                return block_refuse(w, it.value);
            text_part(w, it.value);
        }
        buf_add_char(w->out, ']');
    }
    buf_add_char(w->out, '}');
    return OK;
}

static enum err messages_write(struct writer *w, struct json root)
{
    struct json messages = json_get(root, STR("messages"));
    struct json_iter it = json_iter(messages);

    if (!json_is(messages, JSON_ARRAY))
        return bad(w, STR("messages must be an array"), STR("messages"));
    json_key(w->out, "messages");
    buf_add_char(w->out, '[');
    enum err e = system_write(w, given(root, STR("system")));
    while (e == OK && json_next(&it))
        e = message_write(w, it.value);
    buf_add_char(w->out, ']');
    return e;
}

/* ---- the other members ---- */

static enum err tools_write(struct writer *w, struct json tools)
{
    struct json_iter it = json_iter(tools);

    if (json_count(tools) == 0)
        return OK;
    json_key(w->out, "tools");
    buf_add_char(w->out, '[');
    while (json_next(&it)) {
        struct json type = given(it.value, STR("type"));
        if (json_exists(type) && !text_is(type, "custom"))
            return refuse_field(w->arena, w->error, STR("tools of the provider's own"));
        json_comma(w->out);
        buf_add(w->out, STR("{\"type\":\"function\",\"function\":{"));
        member_copy(w->out, "name", given(it.value, STR("name")));
        member_copy(w->out, "description", given(it.value, STR("description")));
        member_copy(w->out, "parameters", given(it.value, STR("input_schema")));
        buf_add(w->out, STR("}}"));
    }
    buf_add_char(w->out, ']');
    return OK;
}

static void tool_choice_write(struct writer *w, struct json choice)
{
    static const char *const words[][2] = { { "auto", "\"auto\"" },
                                            { "any", "\"required\"" },
                                            { "none", "\"none\"" } };
    struct json type = json_get(choice, STR("type"));
    bool is_single = false;

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (!text_is(type, words[i][0]))
            continue;
        json_key(w->out, "tool_choice");
        buf_add(w->out, str_from(words[i][1]));
    }
    if (text_is(type, "tool")) {
        buf_add(w->out, STR(",\"tool_choice\":{\"type\":\"function\",\"function\":{"));
        member_copy(w->out, "name", given(choice, STR("name")));
        buf_add(w->out, STR("}}"));
    }
    if (json_bool(json_get(choice, STR("disable_parallel_tool_use")), &is_single) && is_single)
        json_member_bool(w->out, "parallel_tool_calls", false);
}

static void format_write(struct writer *w, struct json schema)
{
    if (!json_exists(schema))
        return;
    buf_add(w->out, STR(",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":"
                        "{\"name\":\"answer\",\"strict\":true,\"schema\":"));
    buf_add(w->out, json_raw(schema));
    buf_add(w->out, STR("}}"));
}

enum err face_messages_request(struct buf *out, struct arena *arena, struct json root, str model,
                               struct chat_error *error)
{
    static const char *const same[][2] = { { "temperature", "temperature" },
                                           { "top_p", "top_p" },
                                           { "stop_sequences", "stop" },
                                           { "weir", "weir" } };
    struct writer w = { out, arena, error };
    bool is_stream = false;

    buf_add_char(out, '{');
    json_member_str(out, "model", model);
    member_copy(out, limit_name(model), given(root, STR("max_tokens")));
    for (size_t i = 0; i < ARRAY_LEN(same); i++)
        member_copy(out, same[i][1], given(root, str_from(same[i][0])));
    member_copy(out, "user", given(json_get(root, STR("metadata")), STR("user_id")));
    if (json_bool(json_get(root, STR("stream")), &is_stream) && is_stream)
        buf_add(out, STR(",\"stream\":true,\"stream_options\":{\"include_usage\":true}"));
    format_write(&w, given(json_path(root, STR("output_config.format")), STR("schema")));
    enum err e = tools_write(&w, given(root, STR("tools")));
    if (e == OK)
        e = messages_write(&w, root);
    tool_choice_write(&w, given(root, STR("tool_choice")));
    buf_add_char(out, '}');
    return e;
}
