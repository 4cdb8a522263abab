/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of face: Messages and Responses as chat requests, completions and chunks in their words. */
#include "test/check.h"

#include "core/dialect/face.h"

#define ARENA_BYTES ((size_t)4 << 20)
#define HI "\"model\":\"m\",\"max_tokens\":9,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"
#define HI_OUT "{\"model\":\"m\",\"max_tokens\":9"
#define HI_SAID "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"

static const struct row {
    const struct face *face;
    const char *members;
    enum err fault;
    const char *want; /* the chat request, or the error's param */
} rows[] = {
    { &face_messages, HI, OK, HI_OUT "," HI_SAID "}" },
    { &face_messages, HI ",\"top_k\":4,\"thinking\":{\"type\":\"enabled\"},\"temperature\":1", OK,
      HI_OUT ",\"temperature\":1," HI_SAID "}" },
    { &face_messages, HI ",\"stream\":true,\"metadata\":{\"user_id\":\"u\"},\"weir\":{\"a\":1}", OK,
      HI_OUT ",\"weir\":{\"a\":1},\"user\":\"u\",\"stream\":true,\"stream_options\":{"
             "\"include_usage\":true}," HI_SAID "}" },
    { &face_messages, HI ",\"system\":\"s\"", OK,
      HI_OUT ",\"messages\":[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\","
             "\"content\":\"hi\"}]}" },
    { &face_messages, HI ",\"system\":[],\"tools\":[]", OK, HI_OUT "," HI_SAID "}" },
    { &face_messages, HI ",\"tool_choice\":{\"type\":\"tool\",\"name\":\"f\"}", OK,
      HI_OUT "," HI_SAID
             ",\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"f\"}}}" },
    { &face_messages, HI ",\"output_config\":{\"format\":{\"type\":\"json_schema\",\"schema\":{}}}",
      OK,
      HI_OUT ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"answer\","
             "\"strict\":true,\"schema\":{}}}," HI_SAID "}" },
    { &face_messages, HI ",\"tools\":[{\"type\":\"web_search_20250305\",\"name\":\"w\"}]",
      WEIR_NOT_SUPPORTED, "tools of the provider's own" },
    { &face_messages, HI ",\"system\":[{\"type\":\"image\"}]", WEIR_NOT_SUPPORTED,
      "content of type \"image\"" },
    { &face_messages, "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"document\"}]}]",
      WEIR_NOT_SUPPORTED, "content of type \"document\"" },
    { &face_messages,
      "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\","
      "\"tool_use_id\":\"t\",\"content\":[{\"type\":\"image\"}]}]}]",
      WEIR_NOT_SUPPORTED, "content of type \"image\"" },
    { &face_messages, "\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":\"image\"}]}]",
      WEIR_NOT_SUPPORTED, "content of type \"image\"" },
    { &face_messages,
      "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image\","
      "\"source\":{\"type\":\"file\"}}]}]",
      WEIR_NOT_SUPPORTED, "an image's source" },
    { &face_messages, "\"messages\":[{\"role\":\"system\",\"content\":\"x\"}]", CALLER_BAD_REQUEST,
      "messages" },
    { &face_messages, "\"messages\":[{\"role\":\"user\",\"content\":5}]", CALLER_BAD_REQUEST,
      "messages" },
    { &face_messages, "\"messages\":{}", CALLER_BAD_REQUEST, "messages" },
    { &face_responses, "\"model\":\"m\",\"input\":\"hi\"", OK, "{\"model\":\"m\"," HI_SAID "}" },
    { &face_responses,
      "\"input\":[{\"role\":\"user\",\"content\":\"hi\"}],\"tools\":[],\"store\":"
      "true,\"previous_response_id\":null,\"background\":false",
      OK, "{\"model\":\"m\"," HI_SAID "}" },
    { &face_responses,
      "\"input\":\"hi\",\"text\":{\"format\":{\"type\":\"json_object\"}},"
      "\"stream\":true",
      OK,
      "{\"model\":\"m\",\"response_format\":{\"type\":\"json_object\"},\"stream\":true,"
      "\"stream_options\":{\"include_usage\":true}," HI_SAID "}" },
    { &face_responses, "\"input\":\"hi\",\"text\":{\"format\":{\"type\":\"grammar\"}}",
      WEIR_NOT_SUPPORTED, "text.format" },
    { &face_responses, "\"input\":\"hi\",\"reasoning\":{\"effort\":\"low\"}", WEIR_NOT_SUPPORTED,
      "reasoning" },
    { &face_responses, "\"input\":\"hi\",\"something_new\":1", WEIR_NOT_SUPPORTED,
      "something_new" },
    { &face_responses, "\"input\":\"hi\",\"tools\":[{\"type\":\"function\"}]", WEIR_NOT_SUPPORTED,
      "tools" },
    { &face_responses, "\"input\":[{\"type\":\"function_call_output\"}]", WEIR_NOT_SUPPORTED,
      "an input item of type \"function_call_output\"" },
    { &face_responses, "\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_image\"}]}]",
      WEIR_NOT_SUPPORTED, "input content of type \"input_image\"" },
    { &face_responses, "\"input\":5", CALLER_BAD_REQUEST, "input" },
    { &face_responses, "\"input\":[{\"role\":\"user\"}]", CALLER_BAD_REQUEST, "input" },
};

static void requests_become_chat(void)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *row = &rows[i];
        struct arena arena;
        struct json root, v;
        struct chat_error error = { 0 };
        struct buf out = { 0 };
        arena_init(&arena, ARENA_BYTES);
        str body = arena_printf(&arena, "{%s}", row->members);
        REQUIRE(json_parse(&arena, body, &root, NULL) == OK);
        CHECK_ERR(row->face->request(&out, &arena, root, STR("m"), &error), row->fault);
        if (row->fault == OK) {
            CHECK_STR(buf_str(&out), str_from(row->want));
            CHECK(json_parse(&arena, buf_str(&out), &v, NULL) == OK);
        } else {
            CHECK_STR(error.param, str_from(row->want));
            CHECK(error.message.len > 0);
        }
        buf_fini(&out);
        arena_fini(&arena);
    }
}

#define COMPLETION(message, finish, usage)                                                         \
    "{\"id\":\"chatcmpl-1\",\"created\":5,\"model\":\"m\",\"choices\":[{\"message\":" message      \
    ",\"finish_reason\":" finish "}],\"usage\":" usage "}"
#define USAGE                                                                                      \
    "{\"prompt_tokens\":10,\"completion_tokens\":4,\"prompt_tokens_details\":{\"cached_tokens\":"  \
    "6,\"cache_write_tokens\":1}}"

static void completions_become_messages(void)
{
    static const struct {
        const char *completion;
        enum err fault;
        const char *want; /* behind the head */
    } answers[] = {
        { COMPLETION("{\"content\":\"x\"}", "\"stop\"", USAGE), OK,
          "[{\"type\":\"text\",\"text\":\"x\"}],\"stop_reason\":\"end_turn\",\"stop_sequence\":"
          "null,\"usage\":{\"input_tokens\":3,\"cache_creation_input_tokens\":1,"
          "\"cache_read_input_tokens\":6,\"output_tokens\":4}}" },
        { COMPLETION("{\"content\":null,\"refusal\":\"no\"}", "\"length\"", "null"), OK,
          "[{\"type\":\"text\",\"text\":\"no\"}],\"stop_reason\":\"max_tokens\",\"stop_sequence\":"
          "null,\"usage\":{\"input_tokens\":0,\"cache_creation_input_tokens\":0,"
          "\"cache_read_input_tokens\":0,\"output_tokens\":0}}" },
        { COMPLETION("{\"content\":null,\"tool_calls\":[{\"id\":\"a\",\"function\":{\"name\":\"f\","
                     "\"arguments\":\"{\\\"x\\\":1}\"}},{\"id\":\"b\",\"function\":{\"name\":\"g\","
                     "\"arguments\":\"\"}}]}",
                     "\"tool_calls\"", "{}"),
          OK,
          "[{\"type\":\"tool_use\",\"id\":\"a\",\"name\":\"f\",\"input\":{\"x\":1}},{\"type\":"
          "\"tool_use\",\"id\":\"b\",\"name\":\"g\",\"input\":{}}],\"stop_reason\":\"tool_use\","
          "\"stop_sequence\":null,\"usage\":{\"input_tokens\":0,\"cache_creation_input_tokens\":0,"
          "\"cache_read_input_tokens\":0,\"output_tokens\":0}}" },
        { COMPLETION("{\"tool_calls\":[{\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":"
                     "\"{\"}}]}",
                     "\"tool_calls\"", "{}"),
          PROVIDER_GARBAGE, "" },
        { COMPLETION("{\"tool_calls\":[{}]}", "\"tool_calls\"", "{}"), PROVIDER_GARBAGE, "" },
        { "x", PROVIDER_GARBAGE, "" },
    };

    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        struct arena arena;
        struct buf out = { 0 };
        arena_init(&arena, ARENA_BYTES);
        CHECK_ERR(face_messages.answer(&out, &arena, str_from(answers[i].completion)),
                  answers[i].fault);
        if (answers[i].fault == OK)
            CHECK_STR(buf_str(&out),
                      arena_printf(&arena,
                                   "{\"id\":\"chatcmpl-1\",\"type\":\"message\",\"role\":"
                                   "\"assistant\",\"model\":\"m\",\"content\":%s",
                                   answers[i].want));
        buf_fini(&out);
        arena_fini(&arena);
    }
}

static void completions_become_responses(void)
{
    static const struct {
        const char *finish, *status, *reason;
    } ends[] = { { "\"stop\"", "\"completed\"", "null" },
                 { "\"length\"", "\"incomplete\"", "{\"reason\":\"max_output_tokens\"}" },
                 { "\"content_filter\"", "\"incomplete\"", "{\"reason\":\"content_filter\"}" } };

    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        struct arena arena;
        struct buf out = { 0 };
        struct json root;
        arena_init(&arena, ARENA_BYTES);
        str body = arena_printf(&arena,
                                "{\"id\":\"a\\\"b-1\",\"created\":5,\"model\":\"m\",\"choices\":[{"
                                "\"message\":{\"content\":\"x\"},\"finish_reason\":%s}],"
                                "\"usage\":" USAGE ",\"weir\":{\"k\":1}}",
                                ends[i].finish);
        CHECK_ERR(face_responses.answer(&out, &arena, body), OK);
        REQUIRE(json_parse(&arena, buf_str(&out), &root, NULL) == OK);
        CHECK_STR(json_raw(json_get(root, STR("id"))), STR("\"resp_ab-1\""));
        CHECK_STR(json_raw(json_get(root, STR("status"))), str_from(ends[i].status));
        CHECK_STR(json_raw(json_get(root, STR("incomplete_details"))), str_from(ends[i].reason));
        CHECK_STR(json_raw(json_path(root, STR("output.0.content.0.text"))), STR("\"x\""));
        CHECK_STR(json_raw(json_get(root, STR("created_at"))), STR("5"));
        CHECK_STR(json_raw(json_get(root, STR("usage"))),
                  STR("{\"input_tokens\":10,\"input_tokens_details\":{\"cached_tokens\":6},"
                      "\"output_tokens\":4,\"output_tokens_details\":{\"reasoning_tokens\":0},"
                      "\"total_tokens\":14}"));
        CHECK_STR(json_raw(json_path(root, STR("weir.k"))), STR("1"));
        buf_fini(&out);
        arena_fini(&arena);
    }
}

/* ---- streams ---- */

#define CHUNK(delta)                                                                               \
    "{\"id\":\"i\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":" delta "}]}"

static void chunks_become_message_events(void)
{
    static const char *const chunks[] = {
        CHUNK("{\"role\":\"assistant\",\"content\":\"\"}"),
        CHUNK("{\"content\":\"a\"}"),
        CHUNK("{\"content\":\"b\"}"),
        CHUNK("{\"tool_calls\":[{\"index\":1,\"id\":\"t\",\"function\":{\"name\":\"f\","
              "\"arguments\":\"{\"}}]}"),
        CHUNK("{\"tool_calls\":[{\"index\":1,\"function\":{\"arguments\":\"}\"}}]}"),
        CHUNK("{\"content\":\"c\"}"),
        "{\"choices\":[{\"delta\":{},\"finish_reason\":\"tool_calls\"}]}",
        "{\"choices\":[],\"usage\":" USAGE "}",
    };
    static const char want[] =
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"i\","
        "\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\",\"content\":[],"
        "\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":0,"
        "\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,\"output_tokens\":0}}}\n\n"
        "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,"
        "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":"
        "{\"type\":\"text_delta\",\"text\":\"a\"}}\n\n"
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":"
        "{\"type\":\"text_delta\",\"text\":\"b\"}}\n\n"
        "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n"
        "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":1,"
        "\"content_block\":{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{}}}\n\n"
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":"
        "{\"type\":\"input_json_delta\",\"partial_json\":\"{\"}}\n\n"
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":"
        "{\"type\":\"input_json_delta\",\"partial_json\":\"}\"}}\n\n"
        "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":2,"
        "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":2,\"delta\":"
        "{\"type\":\"text_delta\",\"text\":\"c\"}}\n\n"
        "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":2}\n\n"
        "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":1}\n\n"
        "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":"
        "\"tool_use\",\"stop_sequence\":null},\"usage\":{\"input_tokens\":3,"
        "\"cache_creation_input_tokens\":1,\"cache_read_input_tokens\":6,\"output_tokens\":4}}\n\n"
        "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
    struct arena arena;
    struct buf out = { 0 };

    arena_init(&arena, ARENA_BYTES);
    struct face_stream *s = face_stream_new(&arena, 1);
    for (size_t i = 0; i < ARRAY_LEN(chunks); i++)
        CHECK_ERR(face_messages.chunk(s, &arena, str_from(chunks[i]), &out), OK);
    face_messages.end(s, &out);
    CHECK_STR(buf_str(&out), str_from(want));
    buf_fini(&out);
    arena_fini(&arena);
}

static void chunks_without_sense(void)
{
    static const char *const chunks[] = {
        "x",
        "[]",
        CHUNK("{\"tool_calls\":[{\"index\":0}]}"),
        CHUNK("{\"tool_calls\":[{\"index\":-1,\"id\":\"t\",\"function\":{\"name\":\"f\"}}]}"),
        CHUNK("{\"tool_calls\":[{\"index\":256,\"id\":\"t\",\"function\":{\"name\":\"f\"}}]}"),
        CHUNK("{\"tool_calls\":[{\"index\":\"0\",\"id\":\"t\",\"function\":{\"name\":\"f\"}}]}"),
    };

    for (size_t i = 0; i < ARRAY_LEN(chunks); i++) {
        struct arena arena;
        struct buf out = { 0 };
        arena_init(&arena, ARENA_BYTES);
        CHECK_ERR(
            face_messages.chunk(face_stream_new(&arena, 1), &arena, str_from(chunks[i]), &out),
            PROVIDER_GARBAGE);
        buf_fini(&out);
        arena_fini(&arena);
    }
}

static void long_texts_are_kept_for_the_end(void)
{
    struct arena arena;
    struct buf out = { 0 }, want = { 0 };

    arena_init(&arena, ARENA_BYTES);
    struct face_stream *s = face_stream_new(&arena, 1);
    for (int i = 0; i < 100; i++) {
        str delta = arena_printf(&arena, "part %d ", i);
        str text = arena_printf(&arena, CHUNK("{\"content\":\"%.*s\"}"), STR_ARG(delta));
        buf_add(&want, delta);
        CHECK_ERR(face_responses.chunk(s, &arena, text, &out), OK);
    }
    buf_reset(&out);
    face_responses.end(s, &out);
    str whole = arena_printf(&arena, "\"text\":\"%.*s\"", STR_ARG(buf_str(&want)));
    str said = buf_str(&out);
    for (int i = 0; i < 4; i++) { /* of the part, twice of the item, and of the response */
        size_t at = str_find(said, whole);
        CHECK(at != STR_NPOS);
        said = str_slice(said, at == STR_NPOS ? said.len : at + 1, said.len);
    }
    buf_fini(&out);
    buf_fini(&want);
    arena_fini(&arena);
}

static void ids_stay_clean_in_streams(void)
{
    struct arena arena;
    struct buf out = { 0 };

    arena_init(&arena, ARENA_BYTES);
    struct face_stream *s = face_stream_new(&arena, 1);
    CHECK_ERR(face_responses.chunk(
                  s, &arena,
                  STR("{\"id\":\"a\\\"b\",\"model\":\"m\",\"choices\":[{\"delta\":{}}]}"), &out),
              OK);
    CHECK(str_find(buf_str(&out), STR("\"id\":\"resp_ab\"")) != STR_NPOS);
    CHECK(str_find(buf_str(&out), STR("\"item_id\":\"msg_ab\"")) != STR_NPOS);
    buf_fini(&out);
    arena_fini(&arena);
}

static void refusals_have_the_face_s_shape(void)
{
    static const struct {
        enum err fault;
        const char *type;
    } types[] = {
        { CALLER_BAD_JSON, "invalid_request_error" },
        { CALLER_UNAUTHORIZED, "authentication_error" },
        { CALLER_UNKNOWN_MODEL, "not_found_error" },
        { CALLER_TOO_LARGE, "request_too_large" },
        { POLICY_LIMIT, "rate_limit_error" },
        { PROVIDER_OVERLOADED, "overloaded_error" },
        { DEADLINE_EXCEEDED, "timeout_error" },
        { PROVIDER_FAILED, "api_error" },
        { WEIR_NOT_SUPPORTED, "api_error" },
    };
    struct buf out = { 0 };

    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        struct arena arena;
        struct json root;
        arena_init(&arena, ARENA_BYTES);
        buf_reset(&out);
        face_messages.error(&out, types[i].fault, STR("m\""), STR("p"));
        REQUIRE(json_parse(&arena, buf_str(&out), &root, NULL) == OK);
        CHECK_STR(json_raw(json_get(root, STR("type"))), STR("\"error\""));
        str type = { NULL, 0 };
        CHECK(json_str(json_path(root, STR("error.type")), &arena, &type));
        CHECK_STR(type, str_from(types[i].type));
        arena_fini(&arena);
    }
    buf_reset(&out);
    face_messages.failed(NULL, PROVIDER_CUT, STR("m"), &out);
    CHECK_STR(buf_str(&out),
              STR("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\","
                  "\"message\":\"m\",\"code\":\"provider_cut\"}}\n\n"));
    buf_reset(&out);
    face_responses.failed(NULL, PROVIDER_CUT, STR("m"), &out);
    CHECK_STR(buf_str(&out),
              STR("event: error\ndata: {\"type\":\"error\",\"code\":\"provider_cut\",\"message\":"
                  "\"m\",\"param\":null,\"sequence_number\":0}\n\n"));
    buf_fini(&out);
}

static void events_have_names(void)
{
    static const struct {
        const char *payload, *want;
    } events[] = {
        { "{\"type\":\"a\"}", "event: a\ndata: {\"type\":\"a\"}\n\n" },
        { "{\"type\":\n\"a\"}", "event: a\ndata: {\"type\":\ndata: \"a\"}\n\n" },
        { "{\"type\":\"a\\nb\"}", "data: {\"type\":\"a\\nb\"}\n\n" },
        { "{\"type\":1}", "data: {\"type\":1}\n\n" },
        { "x", "data: x\n\n" },
    };

    for (size_t i = 0; i < ARRAY_LEN(events); i++) {
        struct arena arena;
        struct buf out = { 0 };
        arena_init(&arena, ARENA_BYTES);
        face_event_write(&out, &arena, str_from(events[i].payload));
        CHECK_STR(buf_str(&out), str_from(events[i].want));
        buf_fini(&out);
        arena_fini(&arena);
    }
}

TESTS(TEST(requests_become_chat), TEST(completions_become_messages),
      TEST(completions_become_responses), TEST(chunks_become_message_events),
      TEST(chunks_without_sense), TEST(long_texts_are_kept_for_the_end),
      TEST(ids_stay_clean_in_streams), TEST(refusals_have_the_face_s_shape),
      TEST(events_have_names))
