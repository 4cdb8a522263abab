/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of dialect: requests read and spliced. */
#include "test/check.h"

#include "base/rng.h"
#include "core/dialect/dialect.h"

#define ARENA_BYTES ((size_t)1 << 20)
#define USER "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"
#define HEAD "{\"model\":\"m\"," USER

static const struct {
    const char *body;
    enum err fault;
    const char *param;
    const char *message;
} refused_requests[] = {
    { "", CALLER_BAD_JSON, "", "the body is not valid JSON: unexpected end at byte 0" },
    { HEAD ",\"model\":\"n\"}", CALLER_BAD_JSON, "",
      "the body is not valid JSON: duplicate name at byte 57" },
    { HEAD ",\"mod\\u0065l\":\"n\"}", CALLER_BAD_JSON, "",
      "the body is not valid JSON: duplicate name at byte 57" },
    { "[]", CALLER_BAD_REQUEST, "", "the body must be a JSON object" },
    { "{}", CALLER_BAD_REQUEST, "model", "model must be a non-empty string" },
    { "{\"model\":\"\"," USER "}", CALLER_BAD_REQUEST, "model",
      "model must be a non-empty string" },
    { "{\"model\":null," USER "}", CALLER_BAD_REQUEST, "model",
      "model must be a non-empty string" },
    { "{\"model\":1," USER "}", CALLER_BAD_REQUEST, "model", "model must be a non-empty string" },
    { "{\"model\":\"m\"}", CALLER_BAD_REQUEST, "messages", "messages must be a non-empty array" },
    { "{\"model\":\"m\",\"messages\":[]}", CALLER_BAD_REQUEST, "messages",
      "messages must be a non-empty array" },
    { "{\"model\":\"m\",\"messages\":{\"a\":1}}", CALLER_BAD_REQUEST, "messages",
      "messages must be a non-empty array" },
    { "{\"model\":\"m\",\"messages\":[1]}", CALLER_BAD_REQUEST, "messages[0]",
      "messages[0] must be an object" },
    { "{\"model\":\"m\",\"messages\":[{\"role\":\"robot\",\"content\":\"x\"}]}", CALLER_BAD_REQUEST,
      "messages[0].role",
      "messages[0].role must be one of system, developer, user, assistant, tool, function" },
    { "{\"model\":\"m\",\"messages\":[{\"content\":\"x\"}]}", CALLER_BAD_REQUEST,
      "messages[0].role", NULL },
    { "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"},{\"role\":\"user\","
      "\"content\":5}]}",
      CALLER_BAD_REQUEST, "messages[1].content",
      "messages[1].content must be a string or an array of content parts" },
    { "{\"model\":\"m\",\"messages\":[{\"role\":\"user\"}]}", CALLER_BAD_REQUEST,
      "messages[0].content", NULL },
    { "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":null}]}", CALLER_BAD_REQUEST,
      "messages[0].content", NULL },
    { "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[\"x\"]}]}",
      CALLER_BAD_REQUEST, "messages[0].content", NULL },
    { "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"x\"}]}]}",
      CALLER_BAD_REQUEST, "messages[0].content", NULL },
    { HEAD ",\"stream\":1}", CALLER_BAD_REQUEST, "stream", "stream must be a boolean" },
    { HEAD ",\"stream_options\":true}", CALLER_BAD_REQUEST, "stream_options", NULL },
    { HEAD ",\"stream_options\":{\"include_usage\":1}}", CALLER_BAD_REQUEST, "stream_options",
      NULL },
    { HEAD ",\"tools\":{}}", CALLER_BAD_REQUEST, "tools", "tools must be an array" },
    { HEAD ",\"n\":0}", CALLER_BAD_REQUEST, "n", "n must be an integer from 1 to 128" },
    { HEAD ",\"n\":129}", CALLER_BAD_REQUEST, "n", NULL },
    { HEAD ",\"n\":1.5}", CALLER_BAD_REQUEST, "n", NULL },
    { HEAD ",\"temperature\":-0.1}", CALLER_BAD_REQUEST, "temperature", NULL },
    { HEAD ",\"temperature\":\"0\"}", CALLER_BAD_REQUEST, "temperature", NULL },
    { HEAD ",\"max_tokens\":0}", CALLER_BAD_REQUEST, "max_tokens",
      "max_tokens must be a positive integer" },
    { HEAD ",\"max_completion_tokens\":1e30}", CALLER_BAD_REQUEST, "max_completion_tokens", NULL },
    { HEAD ",\"metadata\":[]}", CALLER_BAD_REQUEST, "metadata", "metadata must be an object" },
    { HEAD ",\"response_format\":\"json\"}", CALLER_BAD_REQUEST, "response_format", NULL },
};

static void requests_are_refused_with_reasons(void)
{
    for (size_t i = 0; i < ARRAY_LEN(refused_requests); i++) {
        struct arena arena;
        struct chat_request request = { .n = 77 };
        struct chat_error error = { 0 };
        arena_init(&arena, ARENA_BYTES);
        CHECK_ERR(chat_request_parse(&arena, str_from(refused_requests[i].body), &request, &error),
                  refused_requests[i].fault);
        CHECK_ERR(error.fault, refused_requests[i].fault);
        CHECK_STR(error.param, str_from(refused_requests[i].param));
        if (refused_requests[i].message)
            CHECK_STR(error.message, str_from(refused_requests[i].message));
        CHECK(error.message.len > 0);
        CHECK_INT(request.n, 77);
        if (check_failures > 0)
            fprintf(stderr, "    %s\n", refused_requests[i].body);
        arena_fini(&arena);
    }
}

static void requests_are_read(void)
{
    static const char body[] =
        "{\"model\":\"weir/auto\",\"messages\":["
        "{\"role\":\"system\",\"content\":\"be \\\"brief\\\"\"},"
        "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"one\"},{\"type\":\"image_"
        "url\",\"image_url\":{\"url\":\"u\"}},"
        "{\"type\":\"text\",\"text\":\"\"},{\"type\":\"text\",\"text\":\"two\"}]},"
        "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{}]},"
        "{\"role\":\"tool\",\"content\":\"\",\"tool_call_id\":\"t\"}],"
        "\"stream\":true,\"stream_options\":{\"include_usage\":true},\"tools\":[{}],\"n\":2,"
        "\"temperature\":0.5,"
        "\"max_tokens\":10,\"max_completion_tokens\":7,\"metadata\":{\"a\":\"b\"},\"response_"
        "format\":{\"type\":\"text\"},\"new\":{}}";
    struct arena arena;
    struct chat_request r;
    struct chat_error error;

    arena_init(&arena, ARENA_BYTES);
    REQUIRE(chat_request_parse(&arena, STR(body), &r, &error) == OK);
    CHECK_STR(r.model, STR("weir/auto"));
    CHECK(r.stream && r.include_usage && r.has_tools && r.has_parts);
    CHECK_INT(r.n, 2);
    CHECK_NEAR(r.temperature, 0.5, 0);
    CHECK_INT(r.max_tokens, 10);
    CHECK_INT(r.message_count, 4);
    CHECK_STR(str_from(r.messages[0].role), STR("system"));
    CHECK_STR(r.messages[0].content, STR("be \"brief\""));
    CHECK_STR(str_from(r.messages[1].role), STR("user"));
    CHECK_STR(r.messages[1].content, STR("one\n\ntwo"));
    CHECK_STR(str_from(r.messages[2].role), STR("assistant"));
    CHECK_STR(r.messages[2].content, STR(""));
    CHECK_STR(str_from(r.messages[3].role), STR("tool"));
    CHECK_STR(json_raw(r.metadata), STR("{\"a\":\"b\"}"));
    CHECK_STR(json_raw(r.response_format), STR("{\"type\":\"text\"}"));
    CHECK_STR(json_raw(r.root), STR(body));
    arena_fini(&arena);
}

/* Texts are joined by line ends, empty ones included; of two limits the larger counts, whichever name has it. */
static void parts_are_joined_and_limits_compared(void)
{
    struct arena arena;
    struct chat_request r;
    struct chat_error error;

    arena_init(&arena, ARENA_BYTES);
    REQUIRE(
        chat_request_parse(
            &arena,
            STR("{\"model\":\"m\",\"max_completion_tokens\":12,\"max_tokens\":10,\"messages\":["
                "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"\"},"
                "{\"type\":\"refusal\",\"refusal\":\"r\"},{\"type\":\"text\",\"text\":\"x\"}]}]}"),
            &r, &error) == OK);
    CHECK_STR(r.messages[0].content, STR("\nx"));
    CHECK_INT(r.max_tokens, 12);
    CHECK(!r.has_parts);
    arena_fini(&arena);
}

static void absent_and_null_fields_have_defaults(void)
{
    static const char *const bodies[] = {
        HEAD "}",
        HEAD ",\"stream\":null,\"stream_options\":null,\"tools\":null,\"functions\":null,\"n\":"
             "null,\"temperature\":null,"
             "\"max_tokens\":null,\"max_completion_tokens\":null,\"metadata\":null,\"response_"
             "format\":null}",
        HEAD ",\"stream\":false,\"stream_options\":{\"include_usage\":null},\"tools\":[],\"n\":1}",
    };
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        struct arena arena;
        struct chat_request r;
        struct chat_error error;
        arena_init(&arena, ARENA_BYTES);
        REQUIRE(chat_request_parse(&arena, str_from(bodies[i]), &r, &error) == OK);
        CHECK(!r.stream && !r.include_usage && !r.has_tools && !r.has_parts);
        CHECK_INT(r.n, 1);
        CHECK(r.temperature < 0);
        CHECK_INT(r.max_tokens, 0);
        CHECK(!json_exists(r.metadata) && !json_exists(r.response_format));
        arena_fini(&arena);
    }
}

static void an_empty_question_is_refused(void)
{
    static const struct {
        const char *messages;
        bool ok;
    } rows[] = {
        { "{\"role\":\"user\",\"content\":\"\"}", false },
        { "{\"role\":\"user\",\"content\":\" \\n\\t\"}", false },
        { "{\"role\":\"user\",\"content\":\"\\u00a0\\u200b\\ufeff\\u3000\\u2800\\u00ad\"}", false },
        { "{\"role\":\"user\",\"content\":\"\xF3\xA0\x80\xA0\"}", false },
        { "{\"role\":\"user\",\"content\":[]}", false },
        { "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\" \"}]}", false },
        { "{\"role\":\"user\",\"content\":\"x\"},{\"role\":\"user\",\"content\":\" \"}", false },
        { "{\"role\":\"user\",\"content\":\" \"},{\"role\":\"assistant\",\"content\":\"x\"}",
          false },
        { "{\"role\":\"user\",\"content\":\" \"},{\"role\":\"user\",\"content\":\"x\"}", true },
        { "{\"role\":\"user\",\"content\":\"\\u200b\xC3\xA9\"}", true },
        { "{\"role\":\"user\",\"content\":\"\\u00a1\"}", true },
        { "{\"role\":\"user\",\"content\":\"\\u2010\"}", true },
        { "{\"role\":\"user\",\"content\":\"!\"}", true },
        { "{\"role\":\"user\",\"content\":\"\xF0\x9F\x98\x80\"}", true },
        { "{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{}}]}", true },
        { "{\"role\":\"system\",\"content\":\" \"}", true },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena arena;
        struct chat_request r;
        struct chat_error error;
        arena_init(&arena, ARENA_BYTES);
        str body = arena_printf(&arena, "{\"model\":\"m\",\"messages\":[%s]}", rows[i].messages);
        CHECK_ERR(chat_request_parse(&arena, body, &r, &error),
                  rows[i].ok ? OK : CALLER_EMPTY_QUESTION);
        if (check_failures > 0)
            fprintf(stderr, "    %s\n", rows[i].messages);
        arena_fini(&arena);
    }
}

static void splices_change_nothing_else(void)
{
    static const struct {
        const char *body;
        const char *want;
    } rows[] = {
        { HEAD "}", "{\"model\":\"p\\\"q\"," USER "}" },
        { "{ \"model\" : \"m\" ,\n " USER ", \"x\" : 1.50 }\n",
          "{ \"model\" : \"p\\\"q\" ,\n " USER ", \"x\" : 1.50 }" },
        { "{" USER ",\"m\\u006fdel\":\"m\"}", "{" USER ",\"m\\u006fdel\":\"p\\\"q\"}" },
        { HEAD ",\"weir\":{\"a\":[1]}}", "{\"model\":\"p\\\"q\"," USER "}" },
        { HEAD " , \"weir\" : 1 , \"b\":2}", "{\"model\":\"p\\\"q\"," USER " , \"b\":2}" },
        { "{ \"weir\":1 , \"model\":\"m\"," USER "}", "{ \"model\":\"p\\\"q\"," USER "}" },
        { "{\"model\":\"m\",\"weir\":1," USER "}", "{\"model\":\"p\\\"q\"," USER "}" },
        { "{" USER ",\"model\":\"m\",\"w\\u0065ir\":{}}", "{" USER ",\"model\":\"p\\\"q\"}" },
        { HEAD ",\"x\":{\"weir\":1,\"model\":2}}",
          "{\"model\":\"p\\\"q\"," USER ",\"x\":{\"weir\":1,\"model\":2}}" },
        { HEAD ",\"stream\":false,\"stream_options\":{}}",
          "{\"model\":\"p\\\"q\"," USER ",\"stream\":false,\"stream_options\":{}}" },
        { HEAD ",\"stream\":true}",
          "{\"model\":\"p\\\"q\"," USER
          ",\"stream\":true,\"stream_options\":{\"include_usage\":true}}" },
        { HEAD ",\"stream\":true }",
          "{\"model\":\"p\\\"q\"," USER
          ",\"stream\":true,\"stream_options\":{\"include_usage\":true} }" },
        { HEAD ",\"stream\":true,\"weir\":0}",
          "{\"model\":\"p\\\"q\"," USER
          ",\"stream\":true,\"stream_options\":{\"include_usage\":true}}" },
        { "{" USER ",\"stream\":true,\"model\":\"m\"}",
          "{" USER
          ",\"stream\":true,\"model\":\"p\\\"q\",\"stream_options\":{\"include_usage\":true}}" },
        { HEAD ",\"stream_options\":{\"include_usage\":true},\"stream\":true}",
          "{\"model\":\"p\\\"q\"," USER
          ",\"stream_options\":{\"include_usage\":true},\"stream\":true}" },
        { HEAD ",\"stream_options\":{\"include_usage\":false,\"y\":1},\"stream\":true}",
          "{\"model\":\"p\\\"q\"," USER
          ",\"stream_options\":{\"include_usage\":true,\"y\":1},\"stream\":true}" },
        { HEAD ",\"stream_options\":{\"include_usage\":null},\"stream\":true}",
          "{\"model\":\"p\\\"q\"," USER
          ",\"stream_options\":{\"include_usage\":true},\"stream\":true}" },
        { HEAD ",\"stream_options\":{ \"y\":1},\"stream\":true}",
          "{\"model\":\"p\\\"q\"," USER
          ",\"stream_options\":{\"include_usage\":true, \"y\":1},\"stream\":true}" },
        { HEAD ",\"stream_options\":{ },\"stream\":true}",
          "{\"model\":\"p\\\"q\"," USER
          ",\"stream_options\":{\"include_usage\":true},\"stream\":true}" },
        { HEAD ",\"stream_options\":null,\"stream\":true}",
          "{\"model\":\"p\\\"q\"," USER
          ",\"stream_options\":{\"include_usage\":true},\"stream\":true}" },
        { "{\"stream_options\":{},\"weir\":1,\"stream\":true,\"model\":\"m\"," USER "}",
          "{\"stream_options\":{\"include_usage\":true},\"stream\":true,\"model\":\"p\\\"q\"," USER
          "}" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena arena;
        struct chat_request r;
        struct chat_error error;
        struct buf out = { 0 };
        arena_init(&arena, ARENA_BYTES);
        REQUIRE(chat_request_parse(&arena, str_from(rows[i].body), &r, &error) == OK);
        chat_request_splice(&out, &r, STR("p\"q"));
        CHECK_STR(buf_str(&out), str_from(rows[i].want));
        buf_fini(&out);
        arena_fini(&arena);
    }
}

/* The same name leaves its spelling alone. */
static void a_kept_model_keeps_its_bytes(void)
{
    struct arena arena;
    struct chat_request r;
    struct chat_error error;
    struct buf out = { 0 };
    str body = STR("{\"model\":\"\\u006d\"," USER "}");

    arena_init(&arena, ARENA_BYTES);
    REQUIRE(chat_request_parse(&arena, body, &r, &error) == OK);
    chat_request_splice(&out, &r, STR("m"));
    CHECK_STR(buf_str(&out), body);
    buf_fini(&out);
    arena_fini(&arena);
}

/* Bodies put together at random: the splice is valid, asks for usage when streaming, and differs in nothing else. */
static void splices_of_any_order_are_sound(void)
{
    static const char *const members[] = { "\"model\":\"m\"",       USER,
                                           "\"stream\":true",       "\"weir\":{\"x\":1}",
                                           "\"stream_options\":{}", "\"user\":\"u\"",
                                           "\"top_p\":1",           "\"seed\":[ ]" };
    struct rng rng;

    rng_init(&rng, 9);
    for (int round = 0; round < 2000; round++) {
        struct arena arena;
        struct chat_request r, again;
        struct chat_error error;
        struct buf body = { 0 }, out = { 0 };
        size_t order[ARRAY_LEN(members)] = { 0 };
        arena_init(&arena, ARENA_BYTES);
        buf_add_char(&body, '{');
        for (size_t i = 0; i < ARRAY_LEN(members); i++) {
            size_t j = (size_t)rng_below(&rng, i + 1);
            order[i] = order[j];
            order[j] = i;
        }
        for (size_t i = 0; i < ARRAY_LEN(members); i++) {
            if (order[i] >= 2 && rng_below(&rng, 3) == 0)
                continue;
            buf_add(&body, body.len > 1 ? STR(" , ") : STR(" "));
            buf_add(&body, str_from(members[order[i]]));
        }
        buf_add(&body, STR(" }"));
        REQUIRE(chat_request_parse(&arena, buf_str(&body), &r, &error) == OK);
        chat_request_splice(&out, &r, STR("other"));
        CHECK_ERR(chat_request_parse(&arena, buf_str(&out), &again, &error), OK);
        CHECK_STR(again.model, STR("other"));
        CHECK(again.include_usage == r.stream && again.stream == r.stream);
        CHECK(!json_exists(json_get(again.root, STR("weir"))));
        struct json_iter it = json_iter(r.root);
        while (json_next(&it)) {
            if (str_eq(it.name, STR("model")) || str_eq(it.name, STR("weir")) ||
                str_eq(it.name, STR("stream_options")))
                continue;
            CHECK_STR(json_raw(json_get(again.root, it.name)), json_raw(it.value));
        }
        buf_fini(&body);
        buf_fini(&out);
        arena_fini(&arena);
    }
}

/* A request that memory cuts anywhere says so, and nothing else. */
static void memory_may_end_anywhere(void)
{
    str body = STR("{\"model\":\"\\u006d\",\"messages\":[{\"role\":\"user\",\"content\":\"a\\nb\"},"
                   "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"c\"}]}]}");
    int failures = 0;

    for (size_t max = 0;; max += 16) {
        struct arena arena;
        struct chat_request r;
        struct chat_error error;
        arena_init(&arena, max);
        enum err e = chat_request_parse(&arena, body, &r, &error);
        if (e == OK) {
            CHECK_STR(r.messages[1].content, STR("c"));
            arena_fini(&arena);
            break;
        }
        failures++;
        CHECK_ERR(e, WEIR_NO_MEMORY);
        CHECK(error.message.len > 0);
        arena_fini(&arena);
    }
    CHECK(failures > 3);
}

TESTS(TEST(requests_are_refused_with_reasons), TEST(requests_are_read),
      TEST(parts_are_joined_and_limits_compared), TEST(absent_and_null_fields_have_defaults),
      TEST(an_empty_question_is_refused), TEST(splices_change_nothing_else),
      TEST(a_kept_model_keeps_its_bytes), TEST(splices_of_any_order_are_sound),
      TEST(memory_may_end_anywhere))
