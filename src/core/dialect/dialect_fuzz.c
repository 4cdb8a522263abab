/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target of dialect: any bytes as a request, an answer, a chunk; a spliced request must stay a request. */
#include "core/dialect/dialect.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition)
        abort();
}

static void request_try(str text)
{
    struct arena arena;
    struct chat_request request, again;
    struct chat_error error = { .fault = OK };
    struct buf out = { 0 };

    arena_init(&arena, (size_t)16 << 20);
    enum err e = chat_request_parse(&arena, text, &request, &error);
    must(e == error.fault);
    if (e == OK) {
        must(request.message_count > 0 && request.n >= 1 && request.max_tokens >= 0);
        chat_request_splice(&out, &request, STR("an\"other"));
        must(chat_request_parse(&arena, buf_str(&out), &again, &error) == OK);
        must(str_eq(again.model, STR("an\"other")));
        must(again.stream == request.stream && again.message_count == request.message_count);
        must(!again.stream || again.include_usage);
        must(!json_exists(json_get(again.root, STR("weir"))));
    } else {
        must(error.message.len > 0);
        chat_error_write(&out, e, error.message, error.param);
        struct json v;
        must(json_parse(&arena, buf_str(&out), &v, NULL) == OK || arena_failed(&arena));
    }
    buf_fini(&out);
    arena_fini(&arena);
}

static void answer_try(str text)
{
    struct arena arena;
    struct chat_answer answer;
    struct chat_chunk chunk;

    arena_init(&arena, (size_t)16 << 20);
    if (chat_answer_parse(&arena, text, &answer) == OK) {
        must(answer.choices > 0 && str_is_utf8(answer.content));
        must(answer.usage.cached <= answer.usage.input &&
             answer.usage.reasoning <= answer.usage.output);
    }
    if (chat_chunk_parse(&arena, text, &chunk) == OK)
        must(chunk.has_usage == chunk.usage.is_known && str_is_utf8(chunk.content));
    must(str_is_utf8(chat_error_message(&arena, text)));
    arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str text = { (const char *)data, size };

    request_try(text);
    answer_try(text);
    return 0;
}
