/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of W&B's bodies and answers; that the shapes are the SDK's is for test/oracle/wandb_sdk.py. */
#include "core/telemetry/wandb.h"

#include "test/check.h"

static void keys_become_basic(void)
{
    static const struct {
        const char *key, *want;
    } rows[] = {
        { "", "Basic YXBpOg==" },
        { "a", "Basic YXBpOmE=" },
        { "ab", "Basic YXBpOmFi" },
        { "0000", "Basic YXBpOjAwMDA=" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf out = { 0 };
        wandb_authorization(&out, str_from(rows[i].key));
        CHECK_STR(buf_str(&out), str_from(rows[i].want));
        buf_fini(&out);
    }
}

static void streams_append_and_overwrite(void)
{
    static const struct wandb_line lines[] = { { { "\"a\":1", 5 } }, { { "\"a\":2", 5 } } };
    static const struct {
        struct wandb_stream stream;
        const char *want;
    } rows[] = {
        { { .offset = 0 }, "{}" },
        { { .offset = 7, .lines = lines, .line_count = 2, .summary = { "\"a\":2", 5 } },
          "{\"files\":{\"wandb-history.jsonl\":{\"offset\":7,\"content\":[\"{\\\"_step\\\":7,"
          "\\\"a\\\":1}\",\"{\\\"_step\\\":8,\\\"a\\\":2}\"]},\"wandb-summary.json\":{\"offset\":0,"
          "\"content\":[\"{\\\"a\\\":2}\"]}}}" },
        { { .is_complete = true }, "{\"complete\":true,\"exitcode\":0}" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf out = { 0 };
        wandb_stream_write(&out, &rows[i].stream);
        CHECK_STR(buf_str(&out), str_from(rows[i].want));
        buf_fini(&out);
    }
}

#define BUCKET(more)                                                                               \
    "{\"data\":{\"upsertBucket\":{\"bucket\":{\"name\":\"r\"," more                                \
    "\"project\":{\"name\":\"p\",\"entity\":{\"name\":\"e\"}}}}}}"

static void buckets_are_read(void)
{
    static const struct {
        const char *body;
        enum err want;
        int64_t lines;
        double runtime;
        const char *why;
    } rows[] = {
        { BUCKET(""), OK, 0, 0, "" },
        { BUCKET("\"historyLineCount\":12,\"summaryMetrics\":\"{\\\"_runtime\\\":90.5}\","), OK, 12,
          90.5, "" },
        { BUCKET("\"historyLineCount\":-3,\"summaryMetrics\":\"{\\\"_runtime\\\":-1}\","), OK, 0, 0,
          "" },
        { BUCKET("\"historyLineCount\":null,\"summaryMetrics\":\"[\","), OK, 0, 0, "" },
        { "", CALLER_BAD_REQUEST, 0, 0, "" },
        { "{}", CALLER_BAD_REQUEST, 0, 0, "" },
        { "{\"data\":null,\"errors\":[{\"message\":\"no such project\"}]}", CALLER_BAD_REQUEST, 0,
          0, "no such project" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena arena;
        struct wandb_bucket bucket = { .history_lines = -7 };
        str why;
        arena_init(&arena, (size_t)1 << 20);
        CHECK_INT(wandb_bucket_read(&arena, str_from(rows[i].body), &bucket, &why), rows[i].want);
        CHECK_STR(why, str_from(rows[i].why));
        if (rows[i].want == OK) {
            CHECK_STR(bucket.run, STR("r"));
            CHECK_STR(bucket.entity, STR("e"));
            CHECK_INT(bucket.history_lines, rows[i].lines);
            CHECK_NEAR(bucket.runtime, rows[i].runtime, 0);
        } else {
            CHECK_INT(bucket.history_lines, -7);
        }
        arena_fini(&arena);
    }
    CHECK(wandb_is_stopped(STR("{\"stopped\":true}")));
    CHECK(!wandb_is_stopped(STR("{\"stopped\":false}")));
    CHECK(!wandb_is_stopped(STR("stopped")));
}

static void what_is_final_is_not_tried_again(void)
{
    static const int final[] = { 400, 401, 403, 404, 409, 410, 413, 422, 501 };
    static const int passing[] = { 302, 408, 429, 500, 502, 503, 504 };

    for (size_t i = 0; i < ARRAY_LEN(final); i++)
        CHECK_INT(wandb_verdict_of(final[i]), WANDB_REFUSED);
    for (size_t i = 0; i < ARRAY_LEN(passing); i++)
        CHECK_INT(wandb_verdict_of(passing[i]), WANDB_RETRY);
    CHECK_INT(wandb_verdict_of(200), WANDB_TAKEN);
}

TESTS(TEST(keys_become_basic), TEST(streams_append_and_overwrite), TEST(buckets_are_read),
      TEST(what_is_final_is_not_tried_again))
