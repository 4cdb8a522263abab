/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever an endpoint answers and a client asks: answers of OTLP are read, texts are redacted and become talks that are JSON. */
#include <stdlib.h>

#include "base/arena.h"
#include "core/json/json.h"
#include "core/telemetry/langsmith.h"
#include "core/telemetry/messages.h"
#include "core/telemetry/otlp.h"
#include "core/telemetry/redact.h"
#include "core/telemetry/wandb.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void json_is_json(const struct buf *text)
{
    struct arena arena;
    struct json root;

    arena_init(&arena, (size_t)64 << 20);
    if (!text->failed && text->len > 0 &&
        json_parse(&arena, buf_str(text), &root, NULL) == CALLER_BAD_JSON)
        abort();
    arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const str secrets[] = { { "hunter22", 8 } };
    const struct redact_known known = { secrets, 1 };
    str given = { (const char *)data, size };
    struct buf out = { 0 };
    int64_t rejected;

    if (otlp_verdict_of(200, given, &rejected) != OTLP_TAKEN || rejected < 0)
        abort();
    struct langsmith_info info = langsmith_info_read(given);
    if (info.runs_max == 0 || info.bytes_max == 0)
        abort();
    struct wandb_bucket bucket;
    struct arena arena;
    str why;
    arena_init(&arena, (size_t)64 << 20);
    if (wandb_bucket_read(&arena, given, &bucket, &why) == OK && bucket.history_lines < 0)
        abort();
    arena_fini(&arena);
    (void)wandb_is_stopped(given);
    redact_add(&out, given, size / 2, &known);
    if (out.len > size / 2 || str_find(buf_str(&out), secrets[0]) != STR_NPOS)
        abort();
    buf_reset(&out);
    messages_write_parts(&out, given);
    json_is_json(&out);
    buf_reset(&out);
    messages_write_plain(&out, given);
    json_is_json(&out);
    buf_fini(&out);
    return 0;
}
