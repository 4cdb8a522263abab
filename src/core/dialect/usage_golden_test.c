/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What providers report as usage, whole and streamed, and what it costs to the nano-dollar. Each row is the form that the provider's
 * documentation shows. Prices are nano-dollars a token: input 3000, output 15000, cached 300, cache writes 3750.
 */
#include "test/check.h"

#include "core/dialect/wire.h"

#define ARENA_BYTES ((size_t)1 << 20)
#define CHAT_HEAD "{\"choices\":[{\"index\":0,\"message\":{\"content\":\"x\"}}],\"usage\":"
#define CHUNK_HEAD "{\"choices\":[],\"usage\":"
#define MESSAGE_HEAD "{\"id\":\"m\",\"type\":\"message\",\"model\":\"c\",\"content\":[],\"usage\":"

static const struct price price = {
    .input = 3000, .output = 15000, .cached = 300, .cache_write = 3750
};

/* clang-format off */
static const struct {
    const char *provider;
    const char *dialect;
    enum api api;
    const char *usage;
    struct usage want;
    nano_usd cost;
} rows[] = {
    { "OpenAI", "openai", API_CHAT,
      "{\"prompt_tokens\":2006,\"completion_tokens\":300,\"total_tokens\":2306,\"prompt_tokens_details\":{\"cached_tokens\":1920,\"audio_tokens\":0},"
      "\"completion_tokens_details\":{\"reasoning_tokens\":128,\"audio_tokens\":0,\"accepted_prediction_tokens\":0,\"rejected_prediction_tokens\":0}}",
      { .input = 2006, .cached = 1920, .output = 300, .reasoning = 128 }, 86 * 3000 + 1920 * 300 + 300 * 15000 },
    { "OpenAI without details", "openai", API_CHAT,
      "{\"prompt_tokens\":9,\"completion_tokens\":12,\"total_tokens\":21}",
      { .input = 9, .output = 12 }, 9 * 3000 + 12 * 15000 },
    { "DeepSeek", "openai", API_CHAT,
      "{\"prompt_tokens\":100,\"completion_tokens\":20,\"total_tokens\":120,\"prompt_cache_hit_tokens\":64,\"prompt_cache_miss_tokens\":36}",
      { .input = 100, .cached = 64, .output = 20 }, 36 * 3000 + 64 * 300 + 20 * 15000 },
    { "DeepSeek with both names", "openai", API_CHAT,
      "{\"prompt_tokens\":100,\"completion_tokens\":20,\"total_tokens\":120,\"prompt_tokens_details\":{\"cached_tokens\":64},\"prompt_cache_hit_tokens\":64}",
      { .input = 100, .cached = 64, .output = 20 }, 36 * 3000 + 64 * 300 + 20 * 15000 },
    { "Moonshot", "openai", API_CHAT,
      "{\"prompt_tokens\":100,\"completion_tokens\":20,\"total_tokens\":120,\"cached_tokens\":80}",
      { .input = 100, .cached = 80, .output = 20 }, 20 * 3000 + 80 * 300 + 20 * 15000 },
    { "OpenRouter", "openai", API_CHAT,
      "{\"prompt_tokens\":100,\"completion_tokens\":20,\"total_tokens\":120,\"prompt_tokens_details\":{\"cached_tokens\":50,\"cache_write_tokens\":30}}",
      { .input = 100, .cached = 50, .cache_write = 30, .output = 20 }, 20 * 3000 + 50 * 300 + 30 * 3750 + 20 * 15000 },
    { "Anthropic's names within", "openai", API_CHAT,
      "{\"prompt_tokens\":100,\"completion_tokens\":20,\"cache_read_input_tokens\":50,\"cache_creation_input_tokens\":30}",
      { .input = 100, .cached = 50, .cache_write = 30, .output = 20 }, 20 * 3000 + 50 * 300 + 30 * 3750 + 20 * 15000 },
    { "xAI: reasoning beside", "openai", API_CHAT,
      "{\"prompt_tokens\":32,\"completion_tokens\":9,\"total_tokens\":135,\"completion_tokens_details\":{\"reasoning_tokens\":94}}",
      { .input = 32, .output = 103, .reasoning = 94 }, 32 * 3000 + 103 * 15000 },
    { "more cached than there is", "openai", API_CHAT,
      "{\"prompt_tokens\":10,\"completion_tokens\":1,\"prompt_tokens_details\":{\"cached_tokens\":8,\"cache_write_tokens\":8}}",
      { .input = 10, .cached = 8, .cache_write = 2, .output = 1 }, 8 * 300 + 2 * 3750 + 15000 },
    { "Anthropic", "anthropic", API_CHAT,
      "{\"input_tokens\":21,\"cache_creation_input_tokens\":188086,\"cache_read_input_tokens\":0,\"output_tokens\":393}",
      { .input = 188107, .cache_write = 188086, .output = 393 }, 21 * 3000 + INT64_C(188086) * 3750 + 393 * 15000 },
    { "Anthropic, read", "anthropic", API_MESSAGES,
      "{\"input_tokens\":21,\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":188086,\"output_tokens\":393,"
      "\"cache_creation\":{\"ephemeral_5m_input_tokens\":0,\"ephemeral_1h_input_tokens\":0},\"service_tier\":\"standard\"}",
      { .input = 188107, .cached = 188086, .output = 393 }, 21 * 3000 + INT64_C(188086) * 300 + 393 * 15000 },
    { "Anthropic, null", "anthropic", API_MESSAGES,
      "{\"input_tokens\":10,\"cache_creation_input_tokens\":null,\"cache_read_input_tokens\":null,\"output_tokens\":2}",
      { .input = 10, .output = 2 }, 10 * 3000 + 2 * 15000 },
    { "Responses", "openai", API_RESPONSES,
      "{\"input_tokens\":36,\"input_tokens_details\":{\"cached_tokens\":6},\"output_tokens\":87,"
      "\"output_tokens_details\":{\"reasoning_tokens\":80},\"total_tokens\":123}",
      { .input = 36, .cached = 6, .output = 87, .reasoning = 80 }, 30 * 3000 + 6 * 300 + 87 * 15000 },
    { "Responses, more cached than there is", "openai", API_RESPONSES,
      "{\"input_tokens\":5,\"input_tokens_details\":{\"cached_tokens\":6},\"output_tokens\":2,\"output_tokens_details\":{\"reasoning_tokens\":3}}",
      { .input = 5, .cached = 5, .output = 2, .reasoning = 2 }, 5 * 300 + 2 * 15000 },
    { "embeddings", "openai", API_EMBEDDINGS,
      "{\"prompt_tokens\":8,\"total_tokens\":8}",
      { .input = 8 }, 8 * 3000 },
};

/* An answer and an event around the usage, by what the provider speaks. */
static const struct {
    const char *answer;
    const char *event;
} shapes[2][API_COUNT] = {
    { [API_CHAT]       = { CHAT_HEAD "%s}", CHUNK_HEAD "%s}" },
      [API_EMBEDDINGS] = { "{\"data\":[{\"embedding\":[0.1]}],\"usage\":%s}", NULL },
      [API_RESPONSES]  = { "{\"object\":\"response\",\"usage\":%s}", "{\"type\":\"response.completed\",\"response\":{\"usage\":%s}}" } },
    { [API_CHAT]       = { MESSAGE_HEAD "%s}", "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":%s}" },
      [API_MESSAGES]   = { MESSAGE_HEAD "%s}", "{\"type\":\"message_delta\",\"delta\":{},\"usage\":%s}" } },
};
/* clang-format on */

static str filled(struct arena *arena, const char *shape, const char *usage)
{
    str text = str_from(shape);
    size_t at = str_find(text, STR("%s"));

    return arena_printf(arena, "%.*s%s%.*s", STR_ARG(str_slice(text, 0, at)), usage,
                        STR_ARG(str_slice(text, at + 2, text.len)));
}

static void usage_check(size_t i, const struct usage *got)
{
    const struct usage *want = &rows[i].want;
    int before = check_failures;

    CHECK(got->is_known && !got->is_estimated);
    CHECK_INT(got->input, want->input);
    CHECK_INT(got->output, want->output);
    CHECK_INT(got->cached, want->cached);
    CHECK_INT(got->cache_write, want->cache_write);
    CHECK_INT(got->reasoning, want->reasoning);
    CHECK_INT(price_cost(&price, got), rows[i].cost);
    if (check_failures > before)
        fprintf(stderr, "    %s\n", rows[i].provider);
}

static void usage_is_exact_per_provider(void)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct dialect *dialect = dialect_find(str_from(rows[i].dialect));
        struct arena arena;
        struct chat_answer answer;
        arena_init(&arena, ARENA_BYTES);
        REQUIRE(dialect && dialect->wires[rows[i].api]);
        const char *shape = shapes[!dialect->takes_bearer][rows[i].api].answer;
        str body = filled(&arena, shape, rows[i].usage);
        CHECK_ERR(dialect->wires[rows[i].api]->answer(&arena, body, 1, &answer), OK);
        usage_check(i, &answer.usage);
        arena_fini(&arena);
    }
}

/* A stream says the same; Anthropic's says the input at its start and the output at its end. */
static void usage_is_exact_in_streams(void)
{
    static const char start[] =
        "{\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"model\":\"c\",\"usage\":{"
        "\"input_tokens\":7,\"output_tokens\":1}}}";

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct dialect *dialect = dialect_find(str_from(rows[i].dialect));
        const struct wire *wire = dialect->wires[rows[i].api];
        const char *shape = shapes[!dialect->takes_bearer][rows[i].api].event;
        struct arena arena;
        struct chat_chunk chunk;
        if (!shape)
            continue;
        arena_init(&arena, ARENA_BYTES);
        struct wire_stream *s = wire_stream_new(&arena, 1);
        if (wire->has_state) {
            CHECK_ERR(wire->event(s, &arena, str_from(start), &chunk), OK);
            CHECK(!chunk.has_usage); /* the output is not counted yet, but the input is known */
            CHECK_INT(chunk.usage.input, 7);
        }
        CHECK_ERR(wire->event(s, &arena, filled(&arena, shape, rows[i].usage), &chunk), OK);
        CHECK(chunk.has_usage);
        usage_check(i, &chunk.usage);
        arena_fini(&arena);
    }
}

static void usage_that_is_none(void)
{
    static const char *const usages[] = {
        "null",
        "{}",
        "[]",
        "{\"input_tokens\":1}",
        "{\"output_tokens\":1}",
        "{\"input_tokens\":-1,\"output_tokens\":1}",
        "{\"input_tokens\":\"1\",\"output_tokens\":1}",
        "{\"input_tokens\":9223372036854775807,\"cache_read_input_tokens\":1,\"output_tokens\":1}",
    };

    for (size_t i = 0; i < ARRAY_LEN(usages); i++) {
        struct arena arena;
        struct chat_answer answer;
        arena_init(&arena, ARENA_BYTES);
        const struct wire *wire = dialect_find(STR("anthropic"))->wires[API_MESSAGES];
        CHECK_ERR(wire->answer(&arena, filled(&arena, MESSAGE_HEAD "%s}", usages[i]), 1, &answer),
                  OK);
        CHECK(!answer.usage.is_known);
        arena_fini(&arena);
    }
}

TESTS(TEST(usage_is_exact_per_provider), TEST(usage_is_exact_in_streams), TEST(usage_that_is_none))
