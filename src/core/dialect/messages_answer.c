/* SPDX-License-Identifier: Apache-2.0 */
/*
 * messages_answer: what Anthropic's Messages answer, accounted for and as chat completions.
 *
 *     message_start -> (content_block_start -> content_block_delta … -> content_block_stop)… -> message_delta -> message_stop
 *
 * Blocks may interleave: a delta belongs to the block that its index names. One event yields at most one chunk; the usage goes out with
 * message_stop, where the stream is whole.
 */
#include "core/dialect/wire_internal.h"

#include <string.h>

/* ---- usage, reasons, faults ---- */

void messages_usage_read(struct json usage, struct messages_usage *u)
{
    if (tokens_read(usage, STR("input_tokens"), &u->input))
        u->has_input = true;
    if (tokens_read(usage, STR("output_tokens"), &u->output))
        u->has_output = true;
    IGNORE(tokens_read(usage, STR("cache_read_input_tokens"), &u->cached));
    IGNORE(tokens_read(usage, STR("cache_creation_input_tokens"), &u->cache_write));
}

struct usage messages_usage_sum(const struct messages_usage *u)
{
    struct usage sum = { .output = u->output,
                         .cached = u->cached,
                         .cache_write = u->cache_write,
                         .is_known = u->has_input && u->has_output };

    if (!i64_add(u->input, u->cached, &sum.input) ||
        !i64_add(sum.input, u->cache_write, &sum.input))
        return (struct usage){ 0 };
    return sum;
}

/* clang-format off */
static const struct {
    const char *stop;
    const char *finish;
} reasons[] = {
    { "end_turn",                      "stop" }, /* the first row of a finish is the one that it becomes */
    { "stop_sequence",                 "stop" },
    { "pause_turn",                    "stop" },
    { "max_tokens",                    "length" },
    { "model_context_window_exceeded", "length" },
    { "tool_use",                      "tool_calls" },
    { "tool_use",                      "function_call" },
    { "refusal",                       "content_filter" },
};

static const struct {
    const char *type;
    enum err fault;
} faults[] = {
    { "overloaded_error",      PROVIDER_OVERLOADED },
    { "rate_limit_error",      PROVIDER_RATE_LIMITED },
    { "authentication_error",  PROVIDER_AUTH },
    { "permission_error",      PROVIDER_AUTH },
    { "invalid_request_error", PROVIDER_REJECTED },
    { "request_too_large",     PROVIDER_REJECTED },
    { "not_found_error",       PROVIDER_NO_MODEL },
};
/* clang-format on */

const char *finish_of_stop(str stop_reason)
{
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
        if (str_eq(stop_reason, str_from(reasons[i].stop)))
            return reasons[i].finish;
    }
    return "stop";
}

const char *stop_of_finish(str finish_reason)
{
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
        if (str_eq(finish_reason, str_from(reasons[i].finish)))
            return reasons[i].stop;
    }
    return "end_turn";
}

enum err messages_fault(struct json error)
{
    for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
        if (text_is(json_get(error, STR("type")), faults[i].type))
            return faults[i].fault;
    }
    return PROVIDER_FAILED;
}

/* ---- whole answers ---- */

static void head_write(struct buf *out, const char *object, str id, str model, int64_t created)
{
    buf_add_char(out, '{');
    json_member_str(out, "id", id);
    json_member_str(out, "object", str_from(object));
    json_member_i64(out, "created", created);
    json_member_str(out, "model", model);
}

static bool tool_call_write(struct buf *out, struct arena *arena, struct json block)
{
    struct json input = json_get(block, STR("input"));
    str id, name;

    if (!json_str(json_get(block, STR("id")), arena, &id) ||
        !json_str(json_get(block, STR("name")), arena, &name) || !json_is(input, JSON_OBJECT))
        return false;
    if (out->len > 0)
        buf_add_char(out, ',');
    buf_add_char(out, '{');
    json_member_str(out, "id", id);
    buf_add(out, STR(",\"type\":\"function\",\"function\":{"));
    json_member_str(out, "name", name);
    json_member_str(out, "arguments", json_raw(input));
    buf_add(out, STR("}}"));
    return true;
}

struct parts {
    struct buf text, thinking, calls;
    bool has_text;
};

/* Blocks of other types (searches of the provider's own, say) have no place in a chat completion. */
static bool block_read(struct parts *p, struct arena *arena, struct json block)
{
    struct json type = json_get(block, STR("type"));
    str text = { NULL, 0 };

    if (text_is(type, "tool_use"))
        return tool_call_write(&p->calls, arena, block);
    if (text_is(type, "text")) {
        p->has_text = true;
        if (!json_str(json_get(block, STR("text")), arena, &text))
            return false;
        buf_add(&p->text, text);
    }
    if (text_is(type, "thinking") && json_str(json_get(block, STR("thinking")), arena, &text))
        buf_add(&p->thinking, text);
    return json_is(type, JSON_STRING);
}

static void completion_write(struct buf *out, const struct chat_answer *a, const struct parts *p,
                             int64_t created)
{
    head_write(out, "chat.completion", a->id, a->model, created);
    buf_add(out, STR(",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\""));
    if (p->has_text || p->calls.len == 0)
        json_member_str(out, "content", buf_str(&p->text));
    else
        buf_add(out, STR(",\"content\":null"));
    if (p->thinking.len > 0)
        json_member_str(out, "reasoning_content", buf_str(&p->thinking));
    if (p->calls.len > 0) {
        buf_add(out, STR(",\"tool_calls\":["));
        buf_add(out, buf_str(&p->calls));
        buf_add_char(out, ']');
    }
    buf_add(out, STR(",\"refusal\":null},\"logprobs\":null"));
    json_member_str(out, "finish_reason", a->finish);
    buf_add(out, STR("}]"));
    if (a->usage.is_known)
        usage_write(out, &a->usage);
    buf_add_char(out, '}');
}

static enum err answer_translate(struct arena *arena, struct parts *p, int64_t created,
                                 struct chat_answer *a)
{
    struct json_iter it = json_iter(json_get(a->root, STR("content")));
    struct buf body = { 0 };
    str stop = { NULL, 0 };

    while (json_next(&it)) {
        if (!block_read(p, arena, it.value))
            return PROVIDER_GARBAGE;
    }
    IGNORE(json_str(json_get(a->root, STR("id")), arena, &a->id));
    IGNORE(json_str(json_get(a->root, STR("model")), arena, &a->model));
    IGNORE(json_str(json_get(a->root, STR("stop_reason")), arena, &stop));
    a->finish = str_from(finish_of_stop(stop));
    a->has_tool_calls = p->calls.len > 0;
    a->content = arena_str(arena, buf_str(&p->text));
    completion_write(&body, a, p, created);
    bool is_whole = !body.failed && !p->text.failed && !p->calls.failed && !p->thinking.failed;
    if (is_whole)
        a->translated = arena_str(arena, buf_str(&body));
    buf_fini(&body);
    return is_whole && !arena_failed(arena) ? OK : WEIR_NO_MEMORY;
}

static enum err answer(struct arena *arena, str body, int64_t created, struct chat_answer *out)
{
    struct chat_answer a = { .choices = 1 };
    struct parts parts = { .has_text = false };
    enum err e = wire_messages.answer(arena, body, created, &a);

    if (e == OK && !json_is(json_get(a.root, STR("content")), JSON_ARRAY))
        e = PROVIDER_GARBAGE;
    if (e == OK)
        e = answer_translate(arena, &parts, created, &a);
    buf_fini(&parts.text);
    buf_fini(&parts.thinking);
    buf_fini(&parts.calls);
    if (e == OK)
        *out = a;
    return e;
}

/* ---- streams ---- */

enum err messages_event_read(struct wire_stream *s, struct arena *scratch, str payload,
                             struct json *out_root, struct chat_chunk *out)
{
    static const char *const texts[] = { "text", "partial_json", "thinking" };
    struct chat_chunk chunk = { .has_choices = true, .payload = payload };
    struct json root;
    enum err e = body_parse(scratch, payload, &root);

    if (e != OK)
        return e;
    struct json type = json_get(root, STR("type")), delta = json_get(root, STR("delta"));
    if (!json_is(type, JSON_STRING))
        return PROVIDER_GARBAGE;
    if (text_is(type, "error")) {
        chunk.is_error = true;
        chunk.fault = messages_fault(json_get(root, STR("error")));
    }
    messages_usage_read(json_path(root, STR("message.usage")), &s->usage);
    s->usage.has_output = s->usage.has_output && !text_is(type, "message_start");
    messages_usage_read(json_get(root, STR("usage")), &s->usage);
    chunk.usage = messages_usage_sum(&s->usage);
    chunk.has_usage = chunk.usage.is_known;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        IGNORE(json_str(json_get(delta, str_from(texts[i])), scratch, &chunk.content));
    chunk.is_done = text_is(type, "message_stop");
    if (arena_failed(scratch))
        return WEIR_NO_MEMORY;
    *out_root = root;
    *out = chunk;
    return OK;
}

/* One event on its way to a chunk. */
struct reading {
    struct wire_stream *s;
    struct arena *arena;
    struct json root;
    struct chat_chunk *chunk;
    struct buf *out; /* the chunk's text; empty: nothing for the client */
};

static void chunk_open(struct reading *r)
{
    head_write(r->out, "chat.completion.chunk", (str){ r->s->id, r->s->id_len },
               (str){ r->s->model, r->s->model_len }, r->s->created);
    buf_add(r->out, STR(",\"choices\":["));
}

static void delta_open(struct reading *r)
{
    chunk_open(r);
    buf_add(r->out, STR("{\"index\":0,\"delta\":{"));
}

static void delta_close(struct reading *r)
{
    buf_add(r->out, STR("},\"logprobs\":null,\"finish_reason\":null}]}"));
}

static bool name_keep(struct reading *r, struct json v, char out[NAME_BYTES_MAX], size_t *out_len)
{
    str text;

    if (!json_str(v, r->arena, &text) || text.len > NAME_BYTES_MAX)
        return false;
    if (text.len > 0)
        memcpy(out, text.ptr, text.len);
    *out_len = text.len;
    return true;
}

static bool on_start(struct reading *r)
{
    struct json message = json_get(r->root, STR("message"));

    if (r->s->has_started || !name_keep(r, json_get(message, STR("id")), r->s->id, &r->s->id_len) ||
        !name_keep(r, json_get(message, STR("model")), r->s->model, &r->s->model_len))
        return false;
    r->s->has_started = true;
    delta_open(r);
    buf_add(r->out, STR("\"role\":\"assistant\",\"content\":\"\""));
    delta_close(r);
    return true;
}

/* The slot of the block that the event's index names; NULL when it names none. */
static int16_t *block_of(struct reading *r)
{
    int64_t index;

    if (!r->s->has_started || !json_i64(json_get(r->root, STR("index")), &index) || index < 0 ||
        index >= BLOCKS_MAX)
        return NULL;
    return &r->s->tool_of_block[index];
}

static void text_write(struct reading *r, const char *name, str text)
{
    if (text.len == 0)
        return;
    delta_open(r);
    json_member_str(r->out, name, text);
    delta_close(r);
}

static bool on_block_start(struct reading *r)
{
    struct json block = json_get(r->root, STR("content_block"));
    int16_t *slot = block_of(r);
    str id, name, text = { NULL, 0 };

    if (!slot || !json_is(block, JSON_OBJECT))
        return false;
    *slot = 0;
    if (text_is(json_get(block, STR("type")), "text") &&
        json_str(json_get(block, STR("text")), r->arena, &text))
        text_write(r, "content", text);
    if (!text_is(json_get(block, STR("type")), "tool_use"))
        return true;
    if (!json_str(json_get(block, STR("id")), r->arena, &id) ||
        !json_str(json_get(block, STR("name")), r->arena, &name) || r->s->tool_count >= BLOCKS_MAX)
        return false;
    *slot = (int16_t)++r->s->tool_count;
    delta_open(r);
    buf_printf(r->out, "\"tool_calls\":[{\"index\":%d", *slot - 1);
    json_member_str(r->out, "id", id);
    buf_add(r->out, STR(",\"type\":\"function\",\"function\":{"));
    json_member_str(r->out, "name", name);
    buf_add(r->out, STR(",\"arguments\":\"\"}}]"));
    delta_close(r);
    return true;
}

static bool on_block_delta(struct reading *r)
{
    struct json delta = json_get(r->root, STR("delta")), type = json_get(delta, STR("type"));
    const int16_t *slot = block_of(r);
    str text = r->chunk->content;

    if (!slot || !json_is(type, JSON_STRING))
        return false;
    if (text_is(type, "text_delta"))
        text_write(r, "content", text);
    if (text_is(type, "thinking_delta"))
        text_write(r, "reasoning_content", text);
    /* Deltas of what is no tool of the client's belong to the provider's own. */
    if (!text_is(type, "input_json_delta") || *slot == 0 || text.len == 0)
        return true;
    delta_open(r);
    buf_printf(r->out, "\"tool_calls\":[{\"index\":%d,\"function\":{", *slot - 1);
    json_member_str(r->out, "arguments", text);
    buf_add(r->out, STR("}}]"));
    delta_close(r);
    return true;
}

static bool on_delta(struct reading *r)
{
    str stop = { NULL, 0 };

    if (!r->s->has_started)
        return false;
    if (!json_str(json_path(r->root, STR("delta.stop_reason")), r->arena, &stop))
        return true;
    if (r->s->has_finish)
        return false;
    r->s->has_finish = true;
    r->chunk->finish = str_from(finish_of_stop(stop));
    chunk_open(r);
    buf_add(r->out, STR("{\"index\":0,\"delta\":{},\"logprobs\":null"));
    json_member_str(r->out, "finish_reason", r->chunk->finish);
    buf_add(r->out, STR("}]}"));
    return true;
}

/* A stream that ends without a reason is not whole. */
static bool on_stop(struct reading *r)
{
    if (!r->s->has_finish)
        return false;
    r->chunk->has_choices = false;
    if (!r->chunk->has_usage)
        return true;
    chunk_open(r);
    buf_add_char(r->out, ']');
    usage_write(r->out, &r->chunk->usage);
    buf_add_char(r->out, '}');
    return true;
}

static const struct {
    const char *type;
    bool (*read)(struct reading *r); /* false: there is no sense in it */
} events[] = {
    { "message_start", on_start },
    { "content_block_start", on_block_start },
    { "content_block_delta", on_block_delta },
    { "message_delta", on_delta },
    { "message_stop", on_stop },
};

static enum err event(struct wire_stream *s, struct arena *scratch, str payload,
                      struct chat_chunk *out)
{
    struct buf text = { 0 };
    struct chat_chunk chunk;
    struct reading r = { .s = s, .arena = scratch, .chunk = &chunk, .out = &text };
    enum err e = messages_event_read(s, scratch, payload, &r.root, &chunk);
    bool makes_sense = true;

    if (e != OK)
        return e;
    for (size_t i = 0; i < ARRAY_LEN(events); i++) {
        if (text_is(json_get(r.root, STR("type")), events[i].type))
            makes_sense = events[i].read(&r);
    }
    chunk.payload = text.len > 0 ? arena_str(scratch, buf_str(&text)) : (str){ NULL, 0 };
    bool is_out = text.failed || arena_failed(scratch);
    buf_fini(&text);
    if (is_out)
        return WEIR_NO_MEMORY;
    if (!makes_sense)
        return PROVIDER_GARBAGE;
    *out = chunk;
    return OK;
}

const struct wire wire_chat_as_messages = { .path = "/messages",
                                            .output_tokens_max = 4096,
                                            .request = messages_request_write,
                                            .answer = answer,
                                            .event = event,
                                            .has_state = true };
