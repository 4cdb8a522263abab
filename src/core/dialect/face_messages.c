/* SPDX-License-Identifier: Apache-2.0 */
/*
 * face_messages: chat completions and their streams as Anthropic's Messages.
 *
 * In a stream text is one block while it goes on; each tool call is a block of its own, by its index, and stays open to the end, so that
 * calls whose arguments come interleaved keep theirs apart. What the tokens were is known at the end only: message_delta says it.
 */
#include "core/dialect/face_internal.h"

#include <stdio.h>
#include <string.h>

/* Anthropic counts cached tokens beside the input. */
static void tokens_write(struct buf *out, const struct usage *u)
{
    json_key(out, "usage");
    buf_add_char(out, '{');
    json_member_i64(out, "input_tokens", u->input - u->cached - u->cache_write);
    json_member_i64(out, "cache_creation_input_tokens", u->cache_write);
    json_member_i64(out, "cache_read_input_tokens", u->cached);
    json_member_i64(out, "output_tokens", u->output);
    buf_add_char(out, '}');
}

static void text_block_write(struct buf *out, str text)
{
    buf_add(out, STR("{\"type\":\"text\""));
    json_member_str(out, "text", text);
    buf_add_char(out, '}');
}

static enum err tool_block_write(struct buf *out, struct arena *arena, struct json call)
{
    struct json function = json_get(call, STR("function"));
    str arguments = { NULL, 0 }, input;

    if (!json_is(json_get(call, STR("id")), JSON_STRING) ||
        !json_is(json_get(function, STR("name")), JSON_STRING))
        return PROVIDER_GARBAGE;
    IGNORE(json_str(json_get(function, STR("arguments")), arena, &arguments));
    if (!object_in_text(arena, arguments, &input))
        return PROVIDER_GARBAGE;
    buf_add(out, STR("{\"type\":\"tool_use\""));
    member_copy(out, "id", json_get(call, STR("id")));
    member_copy(out, "name", json_get(function, STR("name")));
    json_key(out, "input");
    buf_add(out, input);
    buf_add_char(out, '}');
    return OK;
}

static void head_write(struct buf *out, str id, str model)
{
    buf_add_char(out, '{');
    json_member_str(out, "id", id);
    buf_add(out, STR(",\"type\":\"message\",\"role\":\"assistant\""));
    json_member_str(out, "model", model);
}

static enum err answer(struct buf *out, struct arena *arena, str completion)
{
    struct spoken p;
    struct usage usage = { 0 };
    enum err e = spoken_read(arena, completion, "message", &p);

    if (e != OK)
        return e;
    struct json_iter it = json_iter(p.tool_calls);
    IGNORE(usage_read(p.usage, &usage));
    head_write(out, p.id, p.model);
    buf_add(out, STR(",\"content\":["));
    if (p.text.len > 0)
        text_block_write(out, p.text);
    while (e == OK && json_next(&it)) {
        json_comma(out);
        e = tool_block_write(out, arena, it.value);
    }
    buf_add_char(out, ']');
    json_member_str(out, "stop_reason", str_from(stop_of_finish(p.finish)));
    buf_add(out, STR(",\"stop_sequence\":null"));
    tokens_write(out, &usage);
    member_copy(out, "weir", given(p.root, STR("weir")));
    buf_add_char(out, '}');
    return arena_failed(arena) ? WEIR_NO_MEMORY : e;
}

/* ---- streams ---- */

static void event_open(struct buf *out, const char *type)
{
    buf_printf(out, "event: %s\ndata: {\"type\":\"%s\"", type, type);
}

static void event_close(struct buf *out)
{
    buf_add(out, STR("}\n\n"));
}

static void block_event_open(struct buf *out, const char *type, int block)
{
    event_open(out, type);
    json_member_i64(out, "index", block);
}

static void start_say(struct face_stream *s, struct buf *out)
{
    event_open(out, "message_start");
    buf_add(out, STR(",\"message\":"));
    head_write(out, s->id, s->model);
    buf_add(out, STR(",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null"));
    tokens_write(out, &s->usage);
    buf_add_char(out, '}');
    event_close(out);
}

static void text_say(struct face_stream *s, str text, struct buf *out)
{
    if (text.len == 0)
        return;
    if (s->text_block < 0) {
        s->text_block = s->block++;
        block_event_open(out, "content_block_start", s->text_block);
        buf_add(out, STR(",\"content_block\":{\"type\":\"text\",\"text\":\"\"}"));
        event_close(out);
    }
    block_event_open(out, "content_block_delta", s->text_block);
    buf_add(out, STR(",\"delta\":{\"type\":\"text_delta\""));
    json_member_str(out, "text", text);
    buf_add_char(out, '}');
    event_close(out);
}

static void block_stop(int block, struct buf *out)
{
    block_event_open(out, "content_block_stop", block);
    event_close(out);
}

static void text_stop(struct face_stream *s, struct buf *out)
{
    if (s->text_block >= 0)
        block_stop(s->text_block, out);
    s->text_block = -1;
}

static enum err tool_start(struct face_stream *s, int64_t index, struct json call, struct buf *out)
{
    struct json id = json_get(call, STR("id")), name = json_path(call, STR("function.name"));

    if (!json_is(id, JSON_STRING) || !json_is(name, JSON_STRING))
        return PROVIDER_GARBAGE;
    text_stop(s, out);
    block_event_open(out, "content_block_start", s->block);
    buf_add(out, STR(",\"content_block\":{\"type\":\"tool_use\""));
    member_copy(out, "id", id);
    member_copy(out, "name", name);
    buf_add(out, STR(",\"input\":{}}"));
    event_close(out);
    s->block_of_tool[index] = ++s->block;
    return OK;
}

static enum err tool_say(struct face_stream *s, struct arena *scratch, struct json call,
                         struct buf *out)
{
    str arguments = { NULL, 0 };
    int64_t index = 0;

    if (json_exists(given(call, STR("index"))) && !json_i64(json_get(call, STR("index")), &index))
        return PROVIDER_GARBAGE;
    if (index < 0 || index >= BLOCKS_MAX)
        return PROVIDER_GARBAGE;
    enum err e = s->block_of_tool[index] == 0 ? tool_start(s, index, call, out) : OK;
    if (e != OK || !json_str(json_path(call, STR("function.arguments")), scratch, &arguments) ||
        arguments.len == 0)
        return e;
    block_event_open(out, "content_block_delta", s->block_of_tool[index] - 1);
    buf_add(out, STR(",\"delta\":{\"type\":\"input_json_delta\""));
    json_member_str(out, "partial_json", arguments);
    buf_add_char(out, '}');
    event_close(out);
    return OK;
}

static enum err chunk(struct face_stream *s, struct arena *scratch, str payload, struct buf *out)
{
    struct spoken p;
    bool is_first;
    enum err e = spoken_next(s, scratch, payload, &p, &is_first);

    if (e != OK)
        return e;
    if (is_first)
        start_say(s, out);
    text_say(s, p.text, out);
    struct json_iter it = json_iter(p.tool_calls);
    while (e == OK && json_next(&it))
        e = tool_say(s, scratch, it.value, out);
    return e == OK && (out->failed || arena_failed(scratch)) ? WEIR_NO_MEMORY : e;
}

static void end(struct face_stream *s, struct buf *out)
{
    if (!s->has_started)
        start_say(s, out);
    text_stop(s, out);
    for (size_t i = 0; i < BLOCKS_MAX; i++) {
        if (s->block_of_tool[i] > 0)
            block_stop(s->block_of_tool[i] - 1, out);
    }
    event_open(out, "message_delta");
    buf_add(out, STR(",\"delta\":{"));
    json_member_str(out, "stop_reason", str_from(stop_of_finish(str_from(s->finish))));
    buf_add(out, STR(",\"stop_sequence\":null}"));
    tokens_write(out, &s->usage);
    event_close(out);
    event_open(out, "message_stop");
    event_close(out);
}

/* ---- errors ---- */

/* Anthropic's error.type by status; other client errors and other server errors have one each. */
static const char *error_type(int status)
{
    static const struct {
        int status;
        const char *type;
    } types[] = { { 401, "authentication_error" }, { 403, "permission_error" },
                  { 404, "not_found_error" },      { 413, "request_too_large" },
                  { 429, "rate_limit_error" },     { 503, "overloaded_error" },
                  { 504, "timeout_error" } };

    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (types[i].status == status)
            return types[i].type;
    }
    return status < 500 ? "invalid_request_error" : "api_error";
}

static void error_object_write(struct buf *out, enum err fault, str message, str param)
{
    const struct err_info *info = err_info(fault);

    buf_add(out, STR("{\"type\":\"error\",\"error\":{"));
    json_member_str(out, "type", str_from(error_type(info->http_status)));
    json_member_str(out, "message", message.len > 0 ? message : str_from(info->text));
    if (param.len > 0)
        json_member_str(out, "param", param);
    buf_add(out, STR(",\"code\":\""));
    lower_write(out, info->name);
    buf_add(out, STR("\"}}"));
}

static void failed(struct face_stream *s, enum err fault, str message, struct buf *out)
{
    (void)s;
    buf_add(out, STR("event: error\ndata: "));
    error_object_write(out, fault, message, STR(""));
    buf_add(out, STR("\n\n"));
}

const struct face face_messages = { .request = face_messages_request,
                                    .answer = answer,
                                    .chunk = chunk,
                                    .end = end,
                                    .failed = failed,
                                    .error = error_object_write };
