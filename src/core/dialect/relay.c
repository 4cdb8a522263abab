/* SPDX-License-Identifier: Apache-2.0 */
/*
 * relay: the wires whose bytes pass through: chat completions, embeddings, responses, messages. Of requests the model's name is changed,
 * of answers what weir accounts for is read.
 */
#include "core/dialect/wire_internal.h"

#include "core/dialect/openai_text.h"

/* Output tokens assumed of a request that names no maximum. */
#define OUTPUT_TOKENS 4096

/* ---- requests ---- */

/* clang-format off */
static const struct {
    str limit; /* the member that bounds the output; empty: none */
    str required; /* besides the model; empty: nothing */
    bool streams;
} rules[API_COUNT] = {
    [API_CHAT]       = { STR("max_tokens"),        STR("messages"), true },
    [API_EMBEDDINGS] = { { NULL, 0 },              STR("input"),    false },
    [API_MESSAGES]   = { STR("max_tokens"),        STR("messages"), true },
    [API_RESPONSES]  = { STR("max_output_tokens"), { NULL, 0 },     true },
};
/* clang-format on */

static enum err wrong(struct arena *arena, struct chat_error *error, str name, const char *must_be)
{
    return refuse_with(error, CALLER_BAD_REQUEST,
                       arena_printf(arena, "%.*s must be %s", STR_ARG(name), must_be), name);
}

static enum err fields_read(struct arena *arena, enum api api, struct chat_request *r,
                            struct chat_error *error)
{
    struct json stream = given(r->root, STR("stream"));
    struct json limit = given(r->root, rules[api].limit);

    if (!json_str(json_get(r->root, STR("model")), arena, &r->model) || r->model.len == 0)
        return wrong(arena, error, STR("model"), "a non-empty string");
    if (rules[api].required.len > 0 && !json_exists(given(r->root, rules[api].required)))
        return wrong(arena, error, rules[api].required, "given");
    if (rules[api].streams && json_exists(stream) && !json_bool(stream, &r->stream))
        return wrong(arena, error, STR("stream"), "a boolean");
    if (json_exists(limit) && (!json_i64(limit, &r->max_tokens) || r->max_tokens < 1))
        return wrong(arena, error, rules[api].limit, "a positive integer");
    r->metadata = json_get(r->root, STR("metadata"));
    return OK;
}

enum err relay_request_parse(struct arena *arena, enum api api, str body, struct chat_request *out,
                             struct chat_error *out_error)
{
    struct chat_request request = { .n = 1, .temperature = -1, .include_usage = true };
    struct chat_error error = { 0 };
    enum err e = body_object(arena, body, &request.root, &error)
                     ? fields_read(arena, api, &request, &error)
                     : error.fault;

    if (arena_failed(arena))
        e = refuse_with(&error, WEIR_NO_MEMORY, str_from(err_info(WEIR_NO_MEMORY)->text),
                        (str){ NULL, 0 });
    if (e == OK)
        *out = request;
    else
        *out_error = error;
    return e;
}

static enum err chat_write(struct buf *out, struct arena *arena, const struct chat_request *request,
                           str model, struct chat_error *error)
{
    (void)arena;
    (void)error;
    chat_request_splice(out, request, model);
    return OK;
}

static enum err relay_write(struct buf *out, struct arena *arena,
                            const struct chat_request *request, str model, struct chat_error *error)
{
    (void)arena;
    (void)error;
    body_splice(out, request->root, request->model, model, false);
    return OK;
}

/* ---- chat completions ---- */

static enum err chat_answer(struct arena *arena, str body, int64_t created, struct chat_answer *out)
{
    (void)created;
    return chat_answer_parse(arena, body, out);
}

static enum err chat_event(struct wire_stream *s, struct arena *scratch, str payload,
                           struct chat_chunk *out)
{
    (void)s;
    return chat_chunk_parse(scratch, payload, out);
}

const struct wire wire_chat = { .path = "/chat/completions",
                                .output_tokens_max = OUTPUT_TOKENS,
                                .request = chat_write,
                                .answer = chat_answer,
                                .event = chat_event };

/* ---- embeddings ---- */

/* Behind an array or an object comes the next member or the end. */
static bool is_followed_well(str body, size_t at)
{
    str rest = str_trim(str_slice(body, at, at + 64 < body.len ? at + 64 : body.len));

    return rest.len == 0 || rest.ptr[0] == ',' || rest.ptr[0] == '}';
}

/* The end of the value that begins at `at`, by brackets and quotes alone: a batch of embeddings is millions of numbers, of which nothing
 * is of interest here. STR_NPOS when it has no end. */
static size_t value_end(str body, size_t at)
{
    size_t depth = 0;

    for (; at < body.len; at++) {
        char c = body.ptr[at];
        if (c == '"') {
            for (at++; at < body.len && body.ptr[at] != '"'; at++)
                at += body.ptr[at] == '\\';
        } else if (c == '[' || c == '{') {
            depth++;
        } else if (c == ']' || c == '}') {
            if (depth == 0)
                return at;
            if (--depth == 0 && !is_followed_well(body, at + 1))
                return STR_NPOS;
        } else if (c == ',' && depth == 0) {
            return at;
        }
    }
    return STR_NPOS;
}

/* Cuts the next member off the inside of an object; false at its end. *rest becomes empty text with NULL when there is no sense in it. */
static bool member_next(str *rest, str *out_name, str *out_value)
{
    str text = str_trim(*rest);
    size_t name_end = text.len > 0 && text.ptr[0] == '"' ? 1 : STR_NPOS;

    while (name_end < text.len && text.ptr[name_end] != '"')
        name_end += text.ptr[name_end] == '\\' ? 2 : 1;
    if (name_end >= text.len)
        return false;
    str behind = str_trim(str_slice(text, name_end + 1, text.len));
    if (behind.len == 0 || behind.ptr[0] != ':')
        return false;
    size_t end = value_end(behind, 1);
    if (end == STR_NPOS)
        return false;
    *out_name = str_slice(text, 1, name_end);
    *out_value = str_trim(str_slice(behind, 1, end));
    bool is_last = behind.ptr[end] != ',';
    *rest = is_last ? str_slice(behind, end, end) : str_slice(behind, end + 1, behind.len);
    return behind.ptr[end] != ']';
}

static enum err embeddings_answer(struct arena *arena, str body, int64_t created,
                                  struct chat_answer *out)
{
    struct chat_answer answer = { .choices = 1 };
    str text = str_trim(body), rest = str_slice(text, 1, text.len), name, value;
    bool has_data = false;
    struct json usage;

    (void)created;
    if (text.len < 2 || text.ptr[0] != '{' || text.ptr[text.len - 1] != '}')
        return PROVIDER_GARBAGE;
    while (member_next(&rest, &name, &value)) {
        if (str_eq(name, STR("error")) && !str_eq(value, STR("null")))
            return PROVIDER_FAILED;
        if (str_eq(name, STR("data")))
            has_data = value.len > 1 && value.ptr[0] == '[';
        if (!str_eq(name, STR("usage")) || json_parse(arena, value, &usage, NULL) != OK)
            continue;
        answer.usage.is_known = tokens_read(usage, STR("prompt_tokens"), &answer.usage.input) ||
                                tokens_read(usage, STR("total_tokens"), &answer.usage.input);
    }
    if (arena_failed(arena))
        return WEIR_NO_MEMORY;
    if (!has_data || rest.len > 0)
        return PROVIDER_GARBAGE;
    *out = answer;
    return OK;
}

const struct wire wire_embeddings = {
    .path = "/embeddings", .request = relay_write, .answer = embeddings_answer, .event = chat_event
};

/* ---- responses ---- */

static void responses_usage(struct json usage, struct usage *out)
{
    struct usage u = { .is_known = true };

    if (!tokens_read(usage, STR("input_tokens"), &u.input) ||
        !tokens_read(usage, STR("output_tokens"), &u.output))
        return;
    IGNORE(tokens_read(usage, STR("input_tokens_details.cached_tokens"), &u.cached));
    IGNORE(tokens_read(usage, STR("output_tokens_details.reasoning_tokens"), &u.reasoning));
    u.cached = u.cached < u.input ? u.cached : u.input;
    u.reasoning = u.reasoning < u.output ? u.reasoning : u.output;
    *out = u;
}

static enum err responses_answer(struct arena *arena, str body, int64_t created,
                                 struct chat_answer *out)
{
    struct chat_answer answer = { .choices = 1 };
    enum err e = body_parse(arena, body, &answer.root);

    (void)created;
    if (e != OK)
        return e;
    if (json_exists(given(answer.root, STR("error"))))
        return PROVIDER_FAILED;
    if (!text_is(json_get(answer.root, STR("object")), "response"))
        return PROVIDER_GARBAGE;
    responses_usage(json_get(answer.root, STR("usage")), &answer.usage);
    *out = answer;
    return OK;
}

static enum err responses_event(struct wire_stream *s, struct arena *scratch, str payload,
                                struct chat_chunk *out)
{
    /* How a stream ends; its other events are deltas and frames. */
    static const struct {
        const char *type;
        bool is_done, is_error;
    } ends[] = { { "response.completed", true, false },
                 { "response.incomplete", true, false },
                 { "response.failed", false, true },
                 { "error", false, true } };
    struct chat_chunk chunk = { .has_choices = true, .payload = payload };
    struct json root;
    enum err e = body_parse(scratch, payload, &root);

    (void)s;
    if (e != OK)
        return e;
    struct json type = json_get(root, STR("type"));
    if (!json_is(type, JSON_STRING))
        return PROVIDER_GARBAGE;
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        if (!text_is(type, ends[i].type))
            continue;
        chunk.is_done = ends[i].is_done;
        chunk.is_error = ends[i].is_error;
    }
    responses_usage(json_path(root, STR("response.usage")), &chunk.usage);
    chunk.has_usage = chunk.usage.is_known;
    IGNORE(json_str(json_get(root, STR("delta")), scratch, &chunk.content));
    *out = chunk;
    return arena_failed(scratch) ? WEIR_NO_MEMORY : OK;
}

const struct wire wire_responses = { .path = "/responses",
                                     .output_tokens_max = OUTPUT_TOKENS,
                                     .request = relay_write,
                                     .answer = responses_answer,
                                     .event = responses_event };

/* ---- messages ---- */

static enum err messages_answer(struct arena *arena, str body, int64_t created,
                                struct chat_answer *out)
{
    struct chat_answer answer = { .choices = 1 };
    struct messages_usage usage = { 0 };
    enum err e = body_parse(arena, body, &answer.root);

    (void)created;
    if (e != OK)
        return e;
    if (text_is(json_get(answer.root, STR("type")), "error"))
        return messages_fault(json_get(answer.root, STR("error")));
    if (!text_is(json_get(answer.root, STR("type")), "message"))
        return PROVIDER_GARBAGE;
    messages_usage_read(json_get(answer.root, STR("usage")), &usage);
    answer.usage = messages_usage_sum(&usage);
    *out = answer;
    return OK;
}

static enum err messages_event(struct wire_stream *s, struct arena *scratch, str payload,
                               struct chat_chunk *out)
{
    struct json root;

    return messages_event_read(s, scratch, payload, &root, out);
}

const struct wire wire_messages = { .path = "/messages",
                                    .output_tokens_max = OUTPUT_TOKENS,
                                    .request = relay_write,
                                    .answer = messages_answer,
                                    .event = messages_event,
                                    .has_state = true };
