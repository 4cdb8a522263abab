/* SPDX-License-Identifier: Apache-2.0 */
/*
 * messages_request: a chat request as Anthropic's Messages take it.
 *
 * Roles alternate there and content is a list of blocks: what follows one another under the same role (the results of parallel tool calls,
 * say) becomes one message. Empty texts are left out, as that API refuses them. Hints that it has no word for (seed, penalties) are left
 * out; what would change the answer's form (n, logprobs, audio) is refused.
 */
#include "core/dialect/wire_internal.h"

#include <string.h>

struct writer {
    struct buf *out;
    struct arena *arena;
    struct chat_error *error;
    const char *role; /* of the message that is open; NULL: none */
};

static const char user[] = "user", assistant[] = "assistant";

static enum err bad(struct writer *w, str message, str param)
{
    return refuse_with(w->error, CALLER_BAD_REQUEST, message, param);
}

/* ---- content ---- */

static void message_close(struct writer *w)
{
    if (w->role)
        buf_add(w->out, STR("]}"));
    w->role = NULL;
}

/* Opens a block, and a message around it unless one of this role is open. The caller closes the block. */
static void block_open(struct writer *w, const char *role, const char *type)
{
    if (w->role != role) {
        message_close(w);
        json_comma(w->out);
        buf_add_char(w->out, '{');
        json_member_str(w->out, "role", str_from(role));
        buf_add(w->out, STR(",\"content\":["));
        w->role = role;
    }
    json_comma(w->out);
    buf_add_char(w->out, '{');
    json_member_str(w->out, "type", str_from(type));
}

static void text_block(struct writer *w, const char *role, str text, struct json part)
{
    if (text.len == 0)
        return;
    block_open(w, role, "text");
    json_member_str(w->out, "text", text);
    member_copy(w->out, "cache_control", given(part, STR("cache_control")));
    buf_add_char(w->out, '}');
}

/* "data:image/png;base64,AAAA" or an address. */
static enum err image_block(struct writer *w, struct json part)
{
    str url, prefix = STR("data:"), mark = STR(";base64,");

    if (!json_str(json_path(part, STR("image_url.url")), w->arena, &url))
        return bad(w, STR("image_url.url must be a string"), STR("messages"));
    size_t at = str_find(url, mark);
    bool is_data = str_starts(url, prefix);
    if (is_data && at == STR_NPOS)
        return bad(w, STR("an image's data URL must be base64"), STR("messages"));
    block_open(w, user, "image");
    json_key(w->out, "source");
    buf_add_char(w->out, '{');
    json_member_str(w->out, "type", is_data ? STR("base64") : STR("url"));
    if (is_data) {
        json_member_str(w->out, "media_type", str_slice(url, prefix.len, at));
        json_member_str(w->out, "data", str_slice(url, at + mark.len, url.len));
    } else {
        json_member_str(w->out, "url", url);
    }
    buf_add_char(w->out, '}');
    member_copy(w->out, "cache_control", given(part, STR("cache_control")));
    buf_add_char(w->out, '}');
    return OK;
}

static enum err part_write(struct writer *w, const char *role, struct json part)
{
    struct json type = json_get(part, STR("type"));
    str text = { NULL, 0 };

    if (text_is(type, "text")) {
        IGNORE(json_str(json_get(part, STR("text")), w->arena, &text));
        text_block(w, role, text, part);
        return OK;
    }
    if (text_is(type, "image_url") && role == user)
        return image_block(w, part);
    if (text_is(type, "refusal"))
        return OK;
    return refuse_field(
        w->arena, w->error,
        arena_printf(w->arena, "content of type %.*s", STR_ARG(str_slice(json_raw(type), 0, 60))));
}

static enum err content_write(struct writer *w, const char *role, struct json content)
{
    static const struct json none;
    struct json_iter it = json_iter(content);
    str text = { NULL, 0 };

    if (json_str(content, w->arena, &text)) {
        text_block(w, role, text, none);
        return OK;
    }
    while (json_next(&it)) {
        enum err e = part_write(w, role, it.value);
        if (e != OK)
            return e;
    }
    return OK;
}

/* ---- messages ---- */

static enum err tool_call_write(struct writer *w, struct json call)
{
    struct json function = json_get(call, STR("function"));
    str id, name, arguments = { NULL, 0 }, input;

    if (!json_str(json_get(call, STR("id")), w->arena, &id) ||
        !json_str(json_get(function, STR("name")), w->arena, &name))
        return bad(w, STR("a tool call needs an id and a function with a name"), STR("messages"));
    IGNORE(json_str(json_get(function, STR("arguments")), w->arena, &arguments));
    if (!object_in_text(w->arena, arguments, &input))
        return bad(w, STR("a tool call's arguments must be the text of a JSON object"),
                   STR("messages"));
    block_open(w, assistant, "tool_use");
    json_member_str(w->out, "id", id);
    json_member_str(w->out, "name", name);
    json_key(w->out, "input");
    buf_add(w->out, input);
    buf_add_char(w->out, '}');
    return OK;
}

static enum err assistant_write(struct writer *w, struct json message, str text)
{
    enum err e = content_write(w, assistant, json_get(message, STR("content")));
    struct json_iter it = json_iter(given(message, STR("tool_calls")));

    (void)text;
    while (e == OK && json_next(&it))
        e = tool_call_write(w, it.value);
    return e;
}

static enum err tool_write(struct writer *w, struct json message, str text)
{
    str id;

    if (!json_str(json_get(message, STR("tool_call_id")), w->arena, &id))
        return bad(w, STR("a tool's message needs tool_call_id"), STR("messages"));
    block_open(w, user, "tool_result");
    json_member_str(w->out, "tool_use_id", id);
    json_member_str(w->out, "content", text);
    buf_add_char(w->out, '}');
    return OK;
}

static enum err user_write(struct writer *w, struct json message, str text)
{
    (void)text;
    return content_write(w, user, json_get(message, STR("content")));
}

/* They stand in `system`. */
static enum err system_write(struct writer *w, struct json message, str text)
{
    (void)w;
    (void)message;
    (void)text;
    return OK;
}

static enum err function_write(struct writer *w, struct json message, str text)
{
    (void)message;
    (void)text;
    return refuse_field(w->arena, w->error, STR("messages of role function"));
}

static const struct {
    const char *role;
    enum err (*write)(struct writer *w, struct json message, str text);
} roles[] = { { "user", user_write },        { "assistant", assistant_write },
              { "tool", tool_write },        { "system", system_write },
              { "developer", system_write }, { "function", function_write } };

static enum err message_write(struct writer *w, const char *role, struct json message, str text)
{
    for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
        if (strcmp(role, roles[i].role) == 0)
            return roles[i].write(w, message, text);
    }
    return OK;
}

static enum err messages_write(struct writer *w, const struct chat_request *request)
{
    struct json_iter it = json_iter(json_get(request->root, STR("messages")));
    enum err e = OK;

    json_key(w->out, "messages");
    buf_add_char(w->out, '[');
    for (size_t i = 0; e == OK && i < request->message_count && json_next(&it); i++)
        e = message_write(w, request->messages[i].role, it.value, request->messages[i].content);
    message_close(w);
    buf_add_char(w->out, ']');
    return e;
}

/* The texts of all system and developer messages, in order. */
static void system_texts_write(struct writer *w, const struct chat_request *request)
{
    bool has_any = false;

    for (size_t i = 0; i < request->message_count; i++) {
        const struct chat_message *m = &request->messages[i];
        bool is_system = strcmp(m->role, "system") == 0 || strcmp(m->role, "developer") == 0;
        struct json message = json_at(json_get(request->root, STR("messages")), is_system ? i : 0);
        struct json first = json_at(json_get(message, STR("content")), 0);
        if (!is_system || m->content.len == 0)
            continue;
        buf_add(w->out, has_any ? STR(",{") : STR(",\"system\":[{"));
        has_any = true;
        json_member_str(w->out, "type", STR("text"));
        json_member_str(w->out, "text", m->content);
        member_copy(w->out, "cache_control", given(first, STR("cache_control")));
        buf_add_char(w->out, '}');
    }
    if (has_any)
        buf_add_char(w->out, ']');
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
        struct json function = json_get(it.value, STR("function"));
        struct json parameters = given(function, STR("parameters"));
        if (!text_is(json_get(it.value, STR("type")), "function"))
            return refuse_field(w->arena, w->error, STR("tools of another type than function"));
        json_comma(w->out);
        buf_add_char(w->out, '{');
        member_copy(w->out, "name", given(function, STR("name")));
        member_copy(w->out, "description", given(function, STR("description")));
        json_key(w->out, "input_schema");
        buf_add(w->out, json_exists(parameters) ? json_raw(parameters)
                                                : STR("{\"type\":\"object\",\"properties\":{}}"));
        member_copy(w->out, "cache_control", given(it.value, STR("cache_control")));
        buf_add_char(w->out, '}');
    }
    buf_add_char(w->out, ']');
    return OK;
}

static void tool_choice_write(struct writer *w, struct json root)
{
    static const char *const words[][2] = { { "auto", "auto" },
                                            { "required", "any" },
                                            { "none", "none" } };
    struct json choice = given(root, STR("tool_choice"));
    struct json name = json_path(choice, STR("function.name"));
    bool is_parallel = true;
    const char *type = json_exists(name) ? "tool" : NULL;

    IGNORE(json_bool(json_get(root, STR("parallel_tool_calls")), &is_parallel));
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (text_is(choice, words[i][0]))
            type = words[i][1];
    }
    if (json_count(json_get(root, STR("tools"))) == 0 || (!type && is_parallel))
        return;
    json_key(w->out, "tool_choice");
    buf_add_char(w->out, '{');
    json_member_str(w->out, "type", str_from(type ? type : "auto"));
    member_copy(w->out, "name", name);
    if (!is_parallel && (!type || strcmp(type, "none") != 0))
        json_member_bool(w->out, "disable_parallel_tool_use", true);
    buf_add_char(w->out, '}');
}

static enum err format_write(struct writer *w, struct json format)
{
    struct json schema = json_path(format, STR("json_schema.schema"));

    if (!json_exists(format) || text_is(json_get(format, STR("type")), "text"))
        return OK;
    if (!json_is(schema, JSON_OBJECT))
        return refuse_field(w->arena, w->error, STR("response_format"));
    buf_add(w->out, STR(",\"output_config\":{\"format\":{\"type\":\"json_schema\",\"schema\":"));
    buf_add(w->out, json_raw(schema));
    buf_add(w->out, STR("}}"));
    return OK;
}

static void stop_write(struct writer *w, struct json stop)
{
    if (!json_exists(stop))
        return;
    json_key(w->out, "stop_sequences");
    buf_add(w->out, json_is(stop, JSON_STRING) ? STR("[") : STR(""));
    buf_add(w->out, json_raw(stop));
    buf_add(w->out, json_is(stop, JSON_STRING) ? STR("]") : STR(""));
}

/* What would change the form of the answer, and is asked for. */
static enum err refusals(struct writer *w, const struct chat_request *request)
{
    static const char *const names[] = { "logprobs",   "functions",          "audio",
                                         "logit_bias", "web_search_options", "prediction" };

    if (request->n != 1)
        return refuse_field(w->arena, w->error, STR("n"));
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct json v = given(request->root, str_from(names[i]));
        bool is_empty = json_is(v, JSON_FALSE) || str_eq(json_raw(v), STR("{}")) ||
                        str_eq(json_raw(v), STR("[]"));
        if (json_exists(v) && !is_empty)
            return refuse_field(w->arena, w->error, str_from(names[i]));
    }
    return OK;
}

enum err messages_request_write(struct buf *out, struct arena *arena,
                                const struct chat_request *request, str model,
                                struct chat_error *error)
{
    /* Its own words, for those who know that this provider is behind. */
    static const char *const same[] = { "top_p", "top_k", "thinking" };
    struct writer w = { out, arena, error, NULL };
    struct json root = request->root, person = given(root, STR("user"));
    enum err e = refusals(&w, request);

    if (e != OK)
        return e;
    buf_add_char(out, '{');
    json_member_str(out, "model", model);
    json_member_i64(out, "max_tokens",
                    request->max_tokens > 0 ? request->max_tokens
                                            : wire_chat_as_messages.output_tokens_max);
    if (request->temperature >= 0) /* its scale ends at 1 */
        json_member_double(out, "temperature", request->temperature > 1 ? 1 : request->temperature);
    for (size_t i = 0; i < ARRAY_LEN(same); i++)
        member_copy(out, same[i], given(root, str_from(same[i])));
    stop_write(&w, given(root, STR("stop")));
    if (json_is(person, JSON_STRING)) {
        buf_add(out, STR(",\"metadata\":{"));
        member_copy(out, "user_id", person);
        buf_add_char(out, '}');
    }
    if (request->stream)
        json_member_bool(out, "stream", true);
    system_texts_write(&w, request);
    e = format_write(&w, given(root, STR("response_format")));
    if (e == OK)
        e = tools_write(&w, given(root, STR("tools")));
    if (e == OK)
        e = messages_write(&w, request);
    tool_choice_write(&w, root);
    buf_add_char(out, '}');
    return e;
}
