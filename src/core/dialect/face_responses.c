/* SPDX-License-Identifier: Apache-2.0 */
/*
 * face_responses: chat completions and their streams as OpenAI's Responses, for text.
 *
 *     response.created, response.in_progress, response.output_item.added, response.content_part.added,
 *     response.output_text.delta …, response.output_text.done, response.content_part.done, response.output_item.done,
 *     response.completed or response.incomplete
 */
#include "core/dialect/face_internal.h"

#include <ctype.h>
#include <string.h>

static void tokens_write(struct buf *out, const struct usage *u)
{
    int64_t total;

    if (!i64_add(u->input, u->output, &total))
        total = INT64_MAX;
    json_key(out, "usage");
    buf_add_char(out, '{');
    json_member_i64(out, "input_tokens", u->input);
    buf_add(out, STR(",\"input_tokens_details\":{"));
    json_member_i64(out, "cached_tokens", u->cached);
    buf_add_char(out, '}');
    json_member_i64(out, "output_tokens", u->output);
    buf_add(out, STR(",\"output_tokens_details\":{"));
    json_member_i64(out, "reasoning_tokens", u->reasoning);
    buf_add_char(out, '}');
    json_member_i64(out, "total_tokens", total);
    buf_add_char(out, '}');
}

static void part_write(struct buf *out, str text)
{
    buf_add(out, STR("{\"type\":\"output_text\",\"annotations\":[],\"logprobs\":[]"));
    json_member_str(out, "text", text);
    buf_add_char(out, '}');
}

/* The one item of an answer: what the assistant says. */
static void item_write(struct buf *out, str id, const char *status, const str *text)
{
    buf_add(out, STR("{\"type\":\"message\",\"role\":\"assistant\",\"id\":"));
    buf_add(out, STR("\"msg_"));
    buf_add(out, id);
    buf_add_char(out, '"');
    json_member_str(out, "status", str_from(status));
    buf_add(out, STR(",\"content\":["));
    if (text)
        part_write(out, *text);
    buf_add(out, STR("]}"));
}

struct response {
    str id, model;
    int64_t created;
    const char *status; /* "in_progress", "completed", "incomplete" */
    const char *reason; /* why it is incomplete, or NULL */
    const str *text; /* NULL: there is no item yet */
    const struct usage *usage; /* NULL: not known */
    struct json weir;
};

static void response_write(struct buf *out, const struct response *r)
{
    buf_add(out, STR("{\"id\":\"resp_"));
    buf_add(out, r->id);
    buf_add(out, STR("\",\"object\":\"response\""));
    json_member_i64(out, "created_at", r->created);
    json_member_str(out, "status", str_from(r->status));
    json_member_str(out, "model", r->model);
    buf_add(out, STR(",\"error\":null,\"incomplete_details\":"));
    if (r->reason)
        buf_printf(out, "{\"reason\":\"%s\"}", r->reason);
    else
        buf_add(out, STR("null"));
    buf_add(out, STR(",\"output\":["));
    if (r->text)
        item_write(out, r->id, r->status, r->text);
    buf_add(out, STR("],\"instructions\":null,\"metadata\":{},\"parallel_tool_calls\":true,"
                     "\"previous_response_id\":null,\"temperature\":null,\"top_p\":null,"
                     "\"tool_choice\":\"auto\",\"tools\":[],\"truncation\":\"disabled\""));
    if (r->usage)
        tokens_write(out, r->usage);
    else
        buf_add(out, STR(",\"usage\":null"));
    member_copy(out, "weir", r->weir);
    buf_add_char(out, '}');
}

/* Why an answer with this finish is not whole; NULL: it is. */
static const char *reason_of(str finish)
{
    if (str_eq(finish, STR("length")))
        return "max_output_tokens";
    return str_eq(finish, STR("content_filter")) ? "content_filter" : NULL;
}

/* What stands in ids: letters, digits, '-' and '_' of the completion's id. */
static str id_clean(struct arena *arena, str id)
{
    str copy = arena_str(arena, str_slice(id, 0, 100));
    char *out = copy.len > 0 ? arena_alloc(arena, copy.len) : NULL;
    size_t n = 0;

    for (size_t i = 0; out && i < copy.len; i++) {
        char c = copy.ptr[i];
        if (isalnum((unsigned char)c) || c == '-' || c == '_')
            out[n++] = c;
    }
    return (str){ out, n };
}

static enum err answer(struct buf *out, struct arena *arena, str completion)
{
    struct spoken p;
    struct usage usage;
    enum err e = spoken_read(arena, completion, "message", &p);

    if (e != OK)
        return e;
    struct response r = { .id = id_clean(arena, p.id),
                          .model = p.model,
                          .reason = reason_of(p.finish),
                          .text = &p.text,
                          .weir = given(p.root, STR("weir")) };
    r.status = r.reason ? "incomplete" : "completed";
    r.usage = usage_read(p.usage, &usage) ? &usage : NULL;
    IGNORE(json_i64(json_get(p.root, STR("created")), &r.created));
    response_write(out, &r);
    return arena_failed(arena) ? WEIR_NO_MEMORY : OK;
}

/* ---- streams ---- */

static void event_open(struct face_stream *s, struct buf *out, const char *type)
{
    buf_printf(out, "event: %s\ndata: {\"type\":\"%s\"", type, type);
    json_member_i64(out, "sequence_number", s->sequence++);
}

static void event_close(struct buf *out)
{
    buf_add(out, STR("}\n\n"));
}

/* Events about the one part of the one item. */
static void part_event_open(struct face_stream *s, struct buf *out, const char *type)
{
    event_open(s, out, type);
    buf_add(out, STR(",\"item_id\":\"msg_"));
    buf_add(out, s->id);
    buf_add(out, STR("\",\"output_index\":0,\"content_index\":0"));
}

static void response_say(struct face_stream *s, struct buf *out, const char *type,
                         const struct response *r)
{
    event_open(s, out, type);
    json_key(out, "response");
    response_write(out, r);
    event_close(out);
}

static void start_say(struct face_stream *s, struct buf *out)
{
    struct response r = {
        .id = s->id, .model = s->model, .created = s->created, .status = "in_progress"
    };
    str nothing = { NULL, 0 };

    response_say(s, out, "response.created", &r);
    response_say(s, out, "response.in_progress", &r);
    event_open(s, out, "response.output_item.added");
    buf_add(out, STR(",\"output_index\":0,\"item\":"));
    item_write(out, s->id, "in_progress", NULL);
    event_close(out);
    part_event_open(s, out, "response.content_part.added");
    json_key(out, "part");
    part_write(out, nothing);
    event_close(out);
}

/* Keeps what was said, for the events that repeat it whole. */
static bool text_keep(struct face_stream *s, str text)
{
    size_t len = s->text.len + text.len;

    if (len > s->text_cap) {
        size_t cap = len * 2;
        char *grown = arena_alloc(s->arena, cap);
        if (!grown)
            return false;
        if (s->text.len > 0)
            memcpy(grown, s->text.ptr, s->text.len);
        s->text.ptr = s->kept = grown;
        s->text_cap = cap;
    }
    memcpy(s->kept + s->text.len, text.ptr, text.len);
    s->text.len = len;
    return true;
}

static enum err chunk(struct face_stream *s, struct arena *scratch, str payload, struct buf *out)
{
    struct spoken p;
    bool is_first;
    enum err e = spoken_next(s, scratch, payload, &p, &is_first);

    if (e != OK)
        return e;
    if (is_first) {
        s->id = id_clean(s->arena, s->id);
        start_say(s, out);
    }
    if (p.text.len == 0)
        return out->failed ? WEIR_NO_MEMORY : OK;
    if (!text_keep(s, p.text))
        return WEIR_NO_MEMORY;
    part_event_open(s, out, "response.output_text.delta");
    json_member_str(out, "delta", p.text);
    buf_add(out, STR(",\"logprobs\":[]"));
    event_close(out);
    return out->failed ? WEIR_NO_MEMORY : OK;
}

static void end(struct face_stream *s, struct buf *out)
{
    struct response r = { .id = s->id,
                          .model = s->model,
                          .created = s->created,
                          .reason = reason_of(str_from(s->finish)),
                          .text = &s->text,
                          .usage = s->usage.is_known ? &s->usage : NULL };

    r.status = r.reason ? "incomplete" : "completed";
    if (!s->has_started)
        start_say(s, out);
    part_event_open(s, out, "response.output_text.done");
    json_member_str(out, "text", s->text);
    buf_add(out, STR(",\"logprobs\":[]"));
    event_close(out);
    part_event_open(s, out, "response.content_part.done");
    json_key(out, "part");
    part_write(out, s->text);
    event_close(out);
    event_open(s, out, "response.output_item.done");
    buf_add(out, STR(",\"output_index\":0,\"item\":"));
    item_write(out, s->id, r.status, &s->text);
    event_close(out);
    response_say(s, out, r.reason ? "response.incomplete" : "response.completed", &r);
}

static void failed(struct face_stream *s, enum err fault, str message, struct buf *out)
{
    buf_add(out, STR("event: error\ndata: {\"type\":\"error\",\"code\":\""));
    lower_write(out, err_info(fault)->name);
    buf_add_char(out, '"');
    json_member_str(out, "message", message);
    buf_add(out, STR(",\"param\":null"));
    json_member_i64(out, "sequence_number", s ? s->sequence++ : 0);
    buf_add(out, STR("}\n\n"));
}

const struct face face_responses = { .request = face_responses_request,
                                     .answer = answer,
                                     .chunk = chunk,
                                     .end = end,
                                     .failed = failed,
                                     .error = chat_error_write };
