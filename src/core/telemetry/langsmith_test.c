/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of LangSmith's bodies: limits, order, what servers say. That the shapes are the SDK's is for test/oracle/langsmith.py. */
#include "core/telemetry/langsmith.h"

#include "core/json/json.h"
#include "test/check.h"

static const struct langsmith_options options = { { "weir", 4 }, { "weir", 4 }, { "1", 1 } };

static void servers_say_what_they_take(void)
{
    static const struct {
        const char *body;
        bool has_multipart;
        size_t runs_max, bytes_max;
    } rows[] = {
        { "", true, 100, (size_t)20 << 20 },
        { "<html>", true, 100, (size_t)20 << 20 },
        { "{}", true, 100, (size_t)20 << 20 },
        { "{\"batch_ingest_config\":{\"use_multipart_endpoint\":false,\"size_limit\":7,"
          "\"size_limit_bytes\":1000}}",
          false, 7, 1000 },
        { "{\"batch_ingest_config\":{\"size_limit\":0,\"size_limit_bytes\":-1}}", true, 100,
          (size_t)20 << 20 },
        { "{\"batch_ingest_config\":{\"size_limit\":1000000,\"size_limit_bytes\":1e15}}", true, 100,
          (size_t)20 << 20 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct langsmith_info info = langsmith_info_read(str_from(rows[i].body));
        CHECK_INT(info.has_multipart, rows[i].has_multipart);
        CHECK_INT(info.runs_max, rows[i].runs_max);
        CHECK_INT(info.bytes_max, rows[i].bytes_max);
    }
}

static void answers_mean(void)
{
    static const struct {
        int status;
        bool was_multipart;
        enum langsmith_verdict want;
    } rows[] = {
        { 200, true, LANGSMITH_TAKEN },    { 202, false, LANGSMITH_TAKEN },
        { 409, true, LANGSMITH_TAKEN },    { 404, true, LANGSMITH_NO_MULTIPART },
        { 404, false, LANGSMITH_REFUSED }, { 413, true, LANGSMITH_TOO_LARGE },
        { 429, true, LANGSMITH_RETRY },    { 408, true, LANGSMITH_RETRY },
        { 500, true, LANGSMITH_RETRY },    { 503, false, LANGSMITH_RETRY },
        { 400, true, LANGSMITH_REFUSED },  { 401, true, LANGSMITH_REFUSED },
        { 403, true, LANGSMITH_REFUSED },  { 422, true, LANGSMITH_REFUSED },
        { 302, true, LANGSMITH_REFUSED },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        CHECK_INT(langsmith_verdict_of(rows[i].status, rows[i].was_multipart), rows[i].want);
}

static struct json parsed(struct arena *arena, const struct buf *body)
{
    struct json root = { 0 };

    CHECK(json_parse(arena, buf_str(body), &root, NULL) == OK);
    return json_get(root, STR("post"));
}

/* Three traces of two calls are nine runs; whatever a request may hold, each is in exactly one and in order. */
static void limits_are_kept_and_nothing_is_lost(void)
{
    struct trace_call calls[2] = { { .number = 1, .role = STR("plan") },
                                   { .number = 2, .parent = 1, .role = STR("solve") } };
    struct trace traces[3];
    const struct trace *pointers[3];

    for (size_t i = 0; i < 3; i++) {
        traces[i] = (struct trace){ .id = (int64_t)i + 1, .calls = calls, .call_count = 2 };
        pointers[i] = &traces[i];
    }
    for (size_t max = 1; max <= 10; max++) {
        for (int small = 0; small < 2; small++) {
            const struct langsmith_info info = { false, max, small ? 1 : 1 << 20 };
            const struct langsmith_batch batch = { &options, &info, pointers, 3 };
            struct langsmith_cursor at = { 0 };
            struct buf body = { 0 };
            size_t runs = 0;
            while (langsmith_json_write(&body, &batch, &at)) {
                struct arena arena;
                arena_init(&arena, (size_t)1 << 20);
                struct json post = parsed(&arena, &body);
                CHECK(json_count(post) >= 1 && json_count(post) <= (small ? 1 : max));
                for (size_t i = 0; i < json_count(post); i++, runs++) {
                    char id[TRACE_UUID_MAX];
                    str got = { 0 };
                    CHECK(json_str(json_get(json_at(post, i), STR("id")), &arena, &got));
                    CHECK_STR(got, trace_uuid(&traces[runs / 3], (uint32_t)(runs % 3), id));
                }
                arena_fini(&arena);
                buf_reset(&body);
            }
            CHECK_INT(runs, 9);
            buf_fini(&body);
        }
    }
}

static void children_come_after_their_parents(void)
{
    struct trace_call calls[5] = {
        { .number = 1, .started = 2000, .took = 5000 },
        { .number = 2, .parent = 1, .started = 1000, .took = 1000 }, /* a clock that is coarse */
        { .number = 3, .parent = 9, .started = 3000 }, /* of one that was left out */
        { .number = 4, .parent = 5 }, /* nobody's parent comes after it */
        { .number = 5, .parent = 1, .started = 9000 },
    };
    const struct trace t = { .id = 5, .started = 1000000, .calls = calls, .call_count = 5 };
    const struct trace *pointer = &t;
    const struct langsmith_info info = langsmith_info_default();
    const struct langsmith_batch batch = { &options, &info, &pointer, 1 };
    struct langsmith_cursor at = { 0 };
    struct buf body = { 0 };
    struct arena arena;
    str dotted[6] = { { 0 } }, start[6] = { { 0 } }, parent = { 0 };
    char id[TRACE_UUID_MAX];

    arena_init(&arena, (size_t)1 << 20);
    REQUIRE(langsmith_json_write(&body, &batch, &at));
    struct json post = parsed(&arena, &body);
    REQUIRE(json_count(post) == 6);
    for (size_t i = 0; i < 6; i++) {
        CHECK(json_str(json_get(json_at(post, i), STR("dotted_order")), &arena, &dotted[i]));
        CHECK(json_str(json_get(json_at(post, i), STR("start_time")), &arena, &start[i]));
    }
    CHECK(str_starts(dotted[0], STR("19700101T000001000000Z")));
    CHECK_INT(dotted[0].len, 22 + 36);
    CHECK(str_starts(dotted[2], dotted[1]) && dotted[2].len == 3 * (22 + 36) + 2);
    CHECK(str_cmp(start[2], start[1]) >= 0);
    CHECK(str_starts(dotted[3], dotted[0]) && dotted[3].len == 2 * (22 + 36) + 1);
    CHECK(json_str(json_get(json_at(post, 3), STR("parent_run_id")), &arena, &parent));
    CHECK_STR(parent, trace_uuid(&t, 0, id));
    CHECK(json_str(json_get(json_at(post, 4), STR("parent_run_id")), &arena, &parent));
    CHECK_STR(parent, trace_uuid(&t, 0, id));
    CHECK_STR(start[5], STR("1970-01-01T00:00:01.000009Z"));
    CHECK(!json_exists(json_get(json_at(post, 0), STR("parent_run_id"))));
    arena_fini(&arena);
    buf_fini(&body);
}

TESTS(TEST(servers_say_what_they_take), TEST(answers_mean),
      TEST(limits_are_kept_and_nothing_is_lost), TEST(children_come_after_their_parents))
