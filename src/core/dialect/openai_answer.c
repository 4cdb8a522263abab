/* SPDX-License-Identifier: Apache-2.0 */
/*
 * openai_answer: what a provider sends: whole answers, chunks of a stream, errors.
 *
 * Only what weir accounts for and decides by is read. Fields may be null wherever providers are known
 * to send null (content, usage, finish_reason, delta); a known field of a wrong type is garbage.
 */
#include "core/dialect/dialect.h"
#include "core/dialect/openai_text.h"
#include "core/dialect/wire_internal.h"

/* A text that may be absent; false when it is something else. */
static bool text_read(struct arena *arena, struct json v, str name, str *out)
{
    struct json member = given(v, name);

    return !json_exists(member) || json_str(member, arena, out);
}

/* Tokens; nothing is written unless they are a number that is not negative. */
static bool count_read(struct json v, int64_t *out)
{
    int64_t tokens;

    if (!json_exists(v) || !json_i64(v, &tokens) || tokens < 0)
        return false;
    *out = tokens;
    return true;
}

/* Some providers count reasoning beside the completion, others (like OpenAI) within; only the total tells. */
static void reasoning_add(struct usage *u, struct json usage)
{
    int64_t total = 0, visible, all, output;

    if (u->reasoning == 0 || !count_read(json_get(usage, STR("total_tokens")), &total))
        return;
    if (!i64_add(u->input, u->output, &visible) || !i64_add(visible, u->reasoning, &all))
        return;
    if (total == all && i64_add(u->output, u->reasoning, &output))
        u->output = output;
}

static int64_t at_most(int64_t v, int64_t max)
{
    return v < max ? v : max;
}

/* Where providers of this dialect say how much of the prompt was cached: OpenAI and most; DeepSeek; Moonshot; and those that pass
 * Anthropic's names on. All count it within prompt_tokens. */
static const struct place {
    bool in_details; /* prompt_tokens_details */
    str name;
} cached_places[] = { { true, STR("cached_tokens") },
                      { false, STR("prompt_cache_hit_tokens") },
                      { false, STR("cached_tokens") },
                      { false, STR("cache_read_input_tokens") } },
  write_places[] = { { true, STR("cache_write_tokens") },
                     { true, STR("cache_creation_tokens") },
                     { false, STR("cache_creation_input_tokens") } };

/* The first that is there; none leaves *out as it is. */
static void first_read(struct json usage, const struct place *places, size_t count, int64_t *out)
{
    struct json details = json_get(usage, STR("prompt_tokens_details"));

    for (size_t i = 0; i < count; i++) {
        struct json around = places[i].in_details ? details : usage;
        if (count_read(json_get(around, places[i].name), out))
            return;
    }
}

bool usage_read(struct json usage, struct usage *out)
{
    struct usage u = { .is_known = true };

    if (!count_read(json_get(usage, STR("prompt_tokens")), &u.input) ||
        !count_read(json_get(usage, STR("completion_tokens")), &u.output))
        return false;
    /* Absent details stay zero. */
    first_read(usage, cached_places, ARRAY_LEN(cached_places), &u.cached);
    first_read(usage, write_places, ARRAY_LEN(write_places), &u.cache_write);
    struct json details = json_get(usage, STR("completion_tokens_details"));
    IGNORE(count_read(json_get(details, STR("reasoning_tokens")), &u.reasoning));
    reasoning_add(&u, usage);
    /* Parts are never more than their whole, whatever the provider says. */
    u.cached = at_most(u.cached, u.input);
    u.cache_write = at_most(u.cache_write, u.input - u.cached);
    u.reasoning = at_most(u.reasoning, u.output);
    *out = u;
    return true;
}

static bool has_tool_calls(struct json message)
{
    return json_count(json_get(message, STR("tool_calls"))) > 0 ||
           json_is(json_get(message, STR("function_call")), JSON_OBJECT);
}

static bool answer_read(struct arena *arena, struct json root, struct chat_answer *a)
{
    struct json choices = json_get(root, STR("choices"));
    struct json choice = json_at(choices, 0), message = json_get(choice, STR("message"));

    a->root = root;
    a->choices = json_count(choices);
    a->has_tool_calls = has_tool_calls(message);
    IGNORE(usage_read(json_get(root, STR("usage")), &a->usage));
    return json_is(choices, JSON_ARRAY) && json_is(message, JSON_OBJECT) &&
           text_read(arena, root, STR("id"), &a->id) &&
           text_read(arena, root, STR("model"), &a->model) &&
           content_read(arena, json_get(message, STR("content")), &a->content) != CONTENT_WRONG &&
           text_read(arena, message, STR("refusal"), &a->refusal) &&
           text_read(arena, choice, STR("finish_reason"), &a->finish);
}

enum err chat_answer_parse(struct arena *arena, str body, struct chat_answer *out)
{
    struct chat_answer answer = { .choices = 0 };
    struct json root;
    enum err e = body_parse(arena, body, &root);

    if (e != OK)
        return e;
    if (json_exists(given(root, STR("error"))))
        return PROVIDER_FAILED;
    bool is_read = answer_read(arena, root, &answer);
    if (arena_failed(arena))
        return WEIR_NO_MEMORY;
    if (!is_read)
        return PROVIDER_GARBAGE;
    *out = answer;
    return OK;
}

/* The choice with index 0, which a chunk of several parallel choices need not hold. */
static bool choice_read(struct arena *arena, struct json choice, struct chat_chunk *chunk)
{
    struct json index = given(choice, STR("index")), delta = given(choice, STR("delta"));
    int64_t number = 0;
    str content = { 0 };

    if (!json_is(choice, JSON_OBJECT) || (json_exists(index) && !json_i64(index, &number)))
        return false;
    if (number != 0)
        return true;
    if (json_exists(delta) && !json_is(delta, JSON_OBJECT))
        return false;
    if (content_read(arena, json_get(delta, STR("content")), &content) == CONTENT_WRONG)
        return false;
    chunk->content = content;
    return text_read(arena, choice, STR("finish_reason"), &chunk->finish);
}

static bool chunk_read(struct arena *arena, struct json root, struct chat_chunk *chunk)
{
    struct json choices = given(root, STR("choices"));
    struct json_iter it = json_iter(choices);

    chunk->is_error = json_exists(given(root, STR("error")));
    chunk->has_usage = usage_read(json_get(root, STR("usage")), &chunk->usage);
    chunk->has_choices = json_count(choices) > 0;
    if (json_exists(choices) && !json_is(choices, JSON_ARRAY))
        return false;
    while (json_next(&it)) {
        if (!choice_read(arena, it.value, chunk))
            return false;
    }
    return text_read(arena, root, STR("model"), &chunk->model);
}

enum err chat_chunk_parse(struct arena *arena, str payload, struct chat_chunk *out)
{
    struct chat_chunk chunk = { .is_done = str_eq(str_trim(payload), STR("[DONE]")) };
    struct json root;

    if (!chunk.is_done) {
        chunk.payload = payload;
        enum err e = body_parse(arena, payload, &root);
        if (e != OK)
            return e;
        bool is_read = chunk_read(arena, root, &chunk);
        if (arena_failed(arena))
            return WEIR_NO_MEMORY;
        if (!is_read)
            return PROVIDER_GARBAGE;
    }
    *out = chunk;
    return OK;
}

str chat_error_message(struct arena *arena, str body)
{
    /* OpenAI's form, then those of servers that speak its dialect with an accent. */
    static const char *const paths[] = { "error.message", "error", "message", "detail" };
    str message = { NULL, 0 };
    struct json root;

    if (json_parse(arena, body, &root, NULL) != OK)
        return message;
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        if (json_str(json_path(root, str_from(paths[i])), arena, &message))
            break;
    }
    return message;
}
