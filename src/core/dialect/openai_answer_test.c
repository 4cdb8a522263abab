/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of dialect: answers, chunks, faults, what weir writes. */
#include "test/check.h"

#include "core/dialect/dialect.h"

#define ARENA_BYTES ((size_t)1 << 20)

static void answers_are_read(void)
{
    struct arena arena;
    struct chat_answer a;

    arena_init(&arena, ARENA_BYTES);
    REQUIRE(chat_answer_parse(
                &arena,
                STR("{\"id\":\"chatcmpl-1\",\"model\":\"gpt\",\"choices\":[{\"message\":{\"role\":"
                    "\"assistant\","
                    "\"content\":\"h\\u00e9\",\"refusal\":null},\"finish_reason\":\"stop\"},{}],"
                    "\"error\":null,"
                    "\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":15,"
                    "\"prompt_tokens_details\":{\"cached_tokens\":4},\"completion_tokens_details\":"
                    "{\"reasoning_tokens\":3}}}"),
                &a) == OK);
    CHECK_STR(a.id, STR("chatcmpl-1"));
    CHECK_STR(a.model, STR("gpt"));
    CHECK_STR(a.content, STR("h\xC3\xA9"));
    CHECK_STR(a.refusal, STR(""));
    CHECK_STR(a.finish, STR("stop"));
    CHECK(!a.has_tool_calls);
    CHECK_INT(a.choices, 2);
    CHECK(a.usage.is_known && !a.usage.is_estimated);
    CHECK_INT(a.usage.input, 10);
    CHECK_INT(a.usage.output, 5);
    CHECK_INT(a.usage.cached, 4);
    CHECK_INT(a.usage.reasoning, 3);

    REQUIRE(
        chat_answer_parse(&arena,
                          STR("{\"choices\":[{\"message\":{\"content\":null,\"tool_calls\":[{}],"
                              "\"refusal\":\"no\"},\"finish_reason\":null}],\"usage\":null}"),
                          &a) == OK);
    CHECK(a.has_tool_calls && !a.usage.is_known);
    CHECK_STR(a.content, STR(""));
    CHECK_STR(a.refusal, STR("no"));
    CHECK_STR(a.finish, STR(""));
    CHECK_STR(a.id, STR(""));
    arena_fini(&arena);
}

static void answers_that_are_none(void)
{
    static const struct {
        const char *body;
        enum err fault;
    } rows[] = {
        { "", PROVIDER_GARBAGE },
        { "<html>", PROVIDER_GARBAGE },
        { "null", PROVIDER_GARBAGE },
        { "[]", PROVIDER_GARBAGE },
        { "{}", PROVIDER_GARBAGE },
        { "{\"choices\":[]}", PROVIDER_GARBAGE },
        { "{\"choices\":[{}]}", PROVIDER_GARBAGE },
        { "{\"choices\":{\"message\":{}}}", PROVIDER_GARBAGE },
        { "{\"choices\":[{\"message\":null}]}", PROVIDER_GARBAGE },
        { "{\"choices\":[{\"message\":{\"content\":5}}]}", PROVIDER_GARBAGE },
        { "{\"choices\":[{\"message\":{\"content\":\"x\"},\"finish_reason\":1}]}",
          PROVIDER_GARBAGE },
        { "{\"choices\":[{\"message\":{\"content\":\"x\"}}],\"model\":[]}", PROVIDER_GARBAGE },
        { "{\"choices\":[{\"message\":{\"content\":\"x\"}}]", PROVIDER_GARBAGE },
        { "{\"error\":{\"message\":\"x\"}}", PROVIDER_FAILED },
        { "{\"error\":\"x\",\"choices\":[{\"message\":{\"content\":\"x\"}}]}", PROVIDER_FAILED },
        { "{\"choices\":[{\"message\":{}}]}", OK },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena arena;
        struct chat_answer a = { .choices = 77 };
        arena_init(&arena, ARENA_BYTES);
        CHECK_ERR(chat_answer_parse(&arena, str_from(rows[i].body), &a), rows[i].fault);
        CHECK_INT(a.choices, rows[i].fault == OK ? 1 : 77);
        arena_fini(&arena);
    }
}

static void usages_are_read(void)
{
    static const struct {
        const char *usage;
        struct usage want;
    } rows[] = {
        { "{\"prompt_tokens\":10,\"completion_tokens\":5}",
          { .input = 10, .output = 5, .is_known = true } },
        { "{\"prompt_tokens\":10,\"completion_tokens\":5,\"prompt_tokens_details\":null,"
          "\"completion_tokens_details\":{}}",
          { .input = 10, .output = 5, .is_known = true } },
        { "{\"prompt_tokens\":0,\"completion_tokens\":0}", { .is_known = true } },
        { "{\"prompt_tokens\":10,\"completion_tokens\":5,\"prompt_cache_hit_tokens\":6}",
          { .input = 10, .output = 5, .cached = 6, .is_known = true } },
        { "{\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":22,\"completion_tokens_"
          "details\":{\"reasoning_tokens\":7}}",
          { .input = 10, .output = 12, .reasoning = 7, .is_known = true } },
        { "{\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":15,\"completion_tokens_"
          "details\":{\"reasoning_tokens\":7}}",
          { .input = 10, .output = 5, .reasoning = 5, .is_known = true } },
        { "{\"prompt_tokens\":3,\"completion_tokens\":5,\"prompt_tokens_details\":{\"cached_"
          "tokens\":4}}",
          { .input = 3, .output = 5, .cached = 3, .is_known = true } },
        { "{\"prompt_tokens\":10,\"completion_tokens\":-5}", { 0 } },
        { "{\"prompt_tokens\":\"10\",\"completion_tokens\":5}", { 0 } },
        { "{\"prompt_tokens\":10}", { 0 } },
        { "{\"completion_tokens\":10}", { 0 } },
        { "{\"prompt_tokens\":10,\"completion_tokens\":1e40}", { 0 } },
        { "{}", { 0 } },
        { "null", { 0 } },
        { "[]", { 0 } },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena arena;
        struct chat_chunk chunk;
        struct usage want = rows[i].want;
        arena_init(&arena, ARENA_BYTES);
        str body = arena_printf(&arena, "{\"choices\":[],\"usage\":%s}", rows[i].usage);
        CHECK_ERR(chat_chunk_parse(&arena, body, &chunk), OK);
        CHECK(chunk.has_usage == want.is_known && chunk.usage.is_known == want.is_known);
        CHECK_INT(chunk.usage.input, want.input);
        CHECK_INT(chunk.usage.output, want.output);
        CHECK_INT(chunk.usage.cached, want.cached);
        CHECK_INT(chunk.usage.reasoning, want.reasoning);
        if (check_failures > 0)
            fprintf(stderr, "    %s\n", rows[i].usage);
        arena_fini(&arena);
    }
}

static void chunks_are_read(void)
{
    static const struct {
        const char *payload;
        enum err fault;
        struct chat_chunk want;
    } rows[] = {
        { "[DONE]", OK, { .is_done = true } },
        { " [DONE]\r", OK, { .is_done = true } },
        { "{}", OK, { .is_done = false } },
        { "{\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\\nb\"},\"finish_"
          "reason\":null}],\"usage\":null}",
          OK,
          { .has_choices = true, .content = STR("a\nb"), .model = STR("m") } },
        { "{\"choices\":[{\"delta\":{\"content\":null,\"tool_calls\":[{\"index\":1}]},\"finish_"
          "reason\":\"tool_calls\"}]}",
          OK,
          { .has_choices = true, .finish = STR("tool_calls") } },
        { "{\"choices\":[{\"index\":0,\"delta\":null,\"finish_reason\":\"stop\"}]}",
          OK,
          { .has_choices = true, .finish = STR("stop") } },
        { "{\"choices\":[{\"index\":0,\"finish_reason\":\"stop\"}]}",
          OK,
          { .has_choices = true, .finish = STR("stop") } },
        { "{\"choices\":[{\"index\":1,\"delta\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}]}",
          OK,
          { .has_choices = true } },
        { "{\"choices\":[{\"index\":1,\"delta\":{\"content\":\"x\"}},{\"index\":0,\"delta\":{"
          "\"content\":\"y\"}}]}",
          OK,
          { .has_choices = true, .content = STR("y") } },
        { "{\"choices\":null}", OK, { .is_done = false } },
        { "{\"error\":{\"message\":\"x\"}}", OK, { .is_error = true } },
        { "{\"error\":null}", OK, { .is_done = false } },
        { "", PROVIDER_GARBAGE, { .is_done = false } },
        { "[DONE", PROVIDER_GARBAGE, { .is_done = false } },
        { "[]", PROVIDER_GARBAGE, { .is_done = false } },
        { "{\"choices\":{}}", PROVIDER_GARBAGE, { .is_done = false } },
        { "{\"choices\":[1]}", PROVIDER_GARBAGE, { .is_done = false } },
        { "{\"choices\":[{\"index\":\"0\"}]}", PROVIDER_GARBAGE, { .is_done = false } },
        { "{\"choices\":[{\"delta\":[]}]}", PROVIDER_GARBAGE, { .is_done = false } },
        { "{\"choices\":[{\"delta\":{\"content\":1}}]}", PROVIDER_GARBAGE, { .is_done = false } },
        { "{\"choices\":[{\"finish_reason\":false}]}", PROVIDER_GARBAGE, { .is_done = false } },
        { "{\"model\":1}", PROVIDER_GARBAGE, { .is_done = false } },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena arena;
        struct chat_chunk got = { .is_done = false };
        const struct chat_chunk *want = &rows[i].want;
        arena_init(&arena, ARENA_BYTES);
        CHECK_ERR(chat_chunk_parse(&arena, str_from(rows[i].payload), &got), rows[i].fault);
        CHECK(got.is_done == want->is_done && got.is_error == want->is_error);
        CHECK(got.has_choices == want->has_choices && !got.has_usage);
        CHECK_STR(got.content, want->content);
        CHECK_STR(got.finish, want->finish);
        CHECK_STR(got.model, want->model);
        if (check_failures > 0)
            fprintf(stderr, "    %s\n", rows[i].payload);
        arena_fini(&arena);
    }
}

static void usage_is_cut_out(void)
{
    static const struct {
        const char *payload, *want;
    } rows[] = {
        { "{\"a\":1,\"usage\":{\"b\":2},\"c\":3}", "{\"a\":1,\"c\":3}" },
        { "{\"usage\":{\"b\":2}, \"c\":3}", "{\"c\":3}" },
        { "{\"c\":[\"usage\"] , \"usage\":null}", "{\"c\":[\"usage\"]}" },
        { "{\"usage\":1}", "{}" },
        { "{\"c\":{\"usage\":1}}", "{\"c\":{\"usage\":1}}" },
        { "[DONE]", "[DONE]" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena arena;
        arena_init(&arena, ARENA_BYTES);
        CHECK_STR(chat_chunk_without_usage(&arena, str_from(rows[i].payload)),
                  str_from(rows[i].want));
        arena_fini(&arena);
    }
}

static void error_messages_are_found(void)
{
    static const struct {
        const char *body;
        const char *want;
    } rows[] = {
        { "{\"error\":{\"message\":\"too \\\"fast\\\"\"}}", "too \"fast\"" },
        { "{\"error\":\"plain\"}", "plain" },
        { "{\"message\":\"top\"}", "top" },
        { "{\"detail\":\"detail\"}", "detail" },
        { "{\"error\":{\"message\":5}}", "" },
        { "{\"error\":{}}", "" },
        { "nonsense", "" },
        { "", "" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena arena;
        arena_init(&arena, ARENA_BYTES);
        CHECK_STR(chat_error_message(&arena, str_from(rows[i].body)), str_from(rows[i].want));
        arena_fini(&arena);
    }
}

static void calls_are_written(void)
{
    static const struct chat_message messages[] = { { "system", STR("s") },
                                                    { "user", STR("\"u\"\n") } };
    struct chat_call call = {
        .model = STR("gpt-4o"), .messages = messages, .message_count = 2, .temperature = -1
    };
    struct buf out = { 0 };

    chat_call_write(&out, &call);
    CHECK_STR(buf_str(&out),
              STR("{\"model\":\"gpt-4o\",\"messages\":[{\"role\":\"system\",\"content\":\"s\"},"
                  "{\"role\":\"user\",\"content\":\"\\\"u\\\"\\n\"}]}"));
    buf_reset(&out);
    call = (struct chat_call){ .model = STR("gpt-4o"),
                               .messages = messages,
                               .message_count = 1,
                               .temperature = 0,
                               .max_tokens = 9,
                               .schema_name = STR("x"),
                               .schema = STR("{\"type\":\"object\"}"),
                               .stream = true };
    chat_call_write(&out, &call);
    CHECK_STR(buf_str(&out),
              STR("{\"model\":\"gpt-4o\",\"messages\":[{\"role\":\"system\",\"content\":\"s\"}],"
                  "\"temperature\":0,"
                  "\"max_tokens\":9,\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{"
                  "\"name\":\"x\","
                  "\"strict\":true,\"schema\":{\"type\":\"object\"}}},\"stream\":true,"
                  "\"stream_options\":{\"include_usage\":true}}"));
    buf_reset(&out);
    call.model = STR("o3-mini");
    chat_call_write(&out, &call);
    CHECK(str_find(buf_str(&out), STR("\"max_completion_tokens\":9,")) != STR_NPOS);
    buf_fini(&out);
}

static const struct chat_reply reply = {
    .id = STR("chatcmpl-9"),
    .created = 5,
    .model = STR("m"),
    .content = STR("h\"\n"),
    .finish = "stop",
    .usage = { .input = 3, .output = 2, .cached = 1, .reasoning = 1, .is_known = true },
    .weir = STR("{\"arm\":1}")
};

static void replies_read_back(void)
{
    struct arena arena;
    struct chat_answer a;
    struct buf out = { 0 };

    arena_init(&arena, ARENA_BYTES);
    chat_reply_write(&out, &reply);
    REQUIRE(chat_answer_parse(&arena, buf_str(&out), &a) == OK);
    CHECK_STR(a.id, reply.id);
    CHECK_STR(a.content, reply.content);
    CHECK_STR(a.finish, STR("stop"));
    CHECK_INT(a.usage.input + a.usage.output * 10 + a.usage.cached * 100 + a.usage.reasoning * 1000,
              1123);
    CHECK_STR(json_raw(json_get(a.root, STR("weir"))), reply.weir);
    CHECK_STR(json_raw(json_path(a.root, STR("usage.total_tokens"))), STR("5"));
    CHECK_STR(json_raw(json_get(a.root, STR("object"))), STR("\"chat.completion\""));
    CHECK_STR(json_raw(json_get(a.root, STR("created"))), STR("5"));
    buf_reset(&out);
    struct chat_reply bare = { .id = STR("i"), .finish = "stop" };
    chat_reply_write(&out, &bare);
    REQUIRE(chat_answer_parse(&arena, buf_str(&out), &a) == OK);
    CHECK(!json_exists(json_get(a.root, STR("usage"))) &&
          !json_exists(json_get(a.root, STR("weir"))));
    buf_fini(&out);
    arena_fini(&arena);
}

static void events_read_back(void)
{
    for (int include_usage = 0; include_usage <= 1; include_usage++) {
        struct arena arena;
        struct buf out = { 0 }, content = { 0 };
        struct chat_chunk chunk = { .is_done = false };
        size_t events = 0, finishes = 0, usages = 0, weirs = 0;
        arena_init(&arena, ARENA_BYTES);
        chat_reply_write_events(&out, &reply, include_usage);
        str rest = buf_str(&out);
        for (; rest.len > 0; events++) {
            size_t end = str_find(rest, STR("\n\n"));
            REQUIRE(end != STR_NPOS && str_starts(rest, STR("data: ")) && !chunk.is_done);
            str payload = str_slice(rest, 6, end);
            REQUIRE(chat_chunk_parse(&arena, payload, &chunk) == OK);
            buf_add(&content, chunk.content);
            finishes += str_eq(chunk.finish, STR("stop"));
            usages += chunk.has_usage && chunk.usage.output == 2;
            weirs += str_find(payload, reply.weir) != STR_NPOS;
            rest = str_slice(rest, end + 2, rest.len);
        }
        CHECK(chunk.is_done);
        CHECK_INT(events, 4 + include_usage);
        CHECK_INT(finishes, 1);
        CHECK_INT(usages, include_usage);
        CHECK_INT(weirs, 1);
        CHECK_STR(buf_str(&content), reply.content);
        buf_fini(&out);
        buf_fini(&content);
        arena_fini(&arena);
    }
}

static void errors_are_written(void)
{
    struct buf out = { 0 };

    chat_error_write(&out, POLICY_LIMIT, STR("slow \"down\""), STR("model"));
    CHECK_STR(buf_str(&out),
              STR("{\"error\":{\"message\":\"slow \\\"down\\\"\",\"type\":\"rate_limit_error\","
                  "\"param\":\"model\",\"code\":\"rate_limit_exceeded\"}}"));
    buf_reset(&out);
    chat_error_write(&out, PROVIDER_CUT, (str){ NULL, 0 }, (str){ NULL, 0 });
    CHECK_STR(buf_str(&out),
              STR("{\"error\":{\"message\":\"the provider's connection ended too early\","
                  "\"type\":\"upstream_error\",\"param\":null,\"code\":\"provider_cut\"}}"));
    buf_fini(&out);
}

TESTS(TEST(answers_are_read), TEST(answers_that_are_none), TEST(usages_are_read),
      TEST(chunks_are_read), TEST(usage_is_cut_out), TEST(error_messages_are_found),
      TEST(calls_are_written), TEST(replies_read_back), TEST(events_read_back),
      TEST(errors_are_written))
