/* SPDX-License-Identifier: Apache-2.0 */
/* wandb: see wandb.h. */
#include "core/telemetry/wandb.h"

#include "core/json/json.h"

#define ARENA_BYTES ((size_t)4 << 20)

static const char upsert[] =
    "mutation UpsertBucket($name: String, $project: String, $entity: String, $displayName: String, "
    "$config: JSONString, $jobType: String, $tags: [String!]) { upsertBucket(input: {name: $name, "
    "modelName: $project, entityName: $entity, displayName: $displayName, config: $config, "
    "jobType: $jobType, tags: $tags}) { bucket { id name historyLineCount summaryMetrics project { "
    "name entity { name } } } inserted } }";

/* ---- the run ---- */

/* {"model":{"value":"gpt-4o-mini"}} */
static void config_write(struct buf *out, const struct wandb_run *run)
{
    buf_add_char(out, '{');
    for (size_t i = 0; i < run->setting_count; i++) {
        json_key(out, run->settings[i].name);
        buf_add_char(out, '{');
        json_member_str(out, "value", run->settings[i].value);
        buf_add_char(out, '}');
    }
    buf_add_char(out, '}');
}

void wandb_upsert_write(struct buf *out, const struct wandb_run *run)
{
    struct buf config = { 0 };

    config_write(&config, run);
    buf_add_char(out, '{');
    json_member_str(out, "query", str_from(upsert));
    json_key(out, "variables");
    buf_add_char(out, '{');
    json_member_str(out, "name", run->id);
    json_member_str(out, "project", run->project);
    json_member_str_or_null(out, "entity", run->entity);
    json_member_str(out, "displayName", run->name);
    json_member_str(out, "config", buf_str(&config)); /* JSON within a string */
    json_member_str(out, "jobType", STR("gateway"));
    json_key(out, "tags");
    buf_add(out, STR("[\"production\"]},"));
    buf_add(out, STR("\"operationName\":\"UpsertBucket\"}"));
    out->failed = out->failed || config.failed;
    buf_fini(&config);
}

/* Of the summary that an earlier life of the run left; it is JSON within a string. */
static double runtime_of(struct arena *arena, struct json bucket)
{
    struct json summary;
    str text;
    double runtime = 0;

    if (json_str(json_get(bucket, STR("summaryMetrics")), arena, &text) &&
        json_parse(arena, text, &summary, NULL) == OK)
        IGNORE(json_double(json_get(summary, STR("_runtime")), &runtime));
    return runtime > 0 ? runtime : 0;
}

enum err wandb_bucket_read(struct arena *arena, str body, struct wandb_bucket *out, str *out_why)
{
    struct wandb_bucket found = { 0 };
    struct json root;

    *out_why = STR("");
    if (json_parse(arena, body, &root, NULL) != OK)
        return CALLER_BAD_REQUEST;
    struct json bucket = json_path(root, STR("data.upsertBucket.bucket"));
    bool is_whole = json_str(json_get(bucket, STR("name")), arena, &found.run) &&
                    json_str(json_path(bucket, STR("project.name")), arena, &found.project) &&
                    json_str(json_path(bucket, STR("project.entity.name")), arena, &found.entity);
    if (!is_whole) {
        IGNORE(json_str(json_path(root, STR("errors.0.message")), arena, out_why));
        return CALLER_BAD_REQUEST;
    }
    IGNORE(json_i64(json_get(bucket, STR("historyLineCount")), &found.history_lines));
    if (found.history_lines < 0)
        found.history_lines = 0;
    found.runtime = runtime_of(arena, bucket);
    *out = found;
    return OK;
}

/* ---- the stream ---- */

static void history_write(struct buf *out, const struct wandb_stream *s)
{
    struct buf line = { 0 };

    json_key(out, "wandb-history.jsonl");
    buf_add_char(out, '{');
    json_member_i64(out, "offset", s->offset);
    json_key(out, "content");
    buf_add_char(out, '[');
    for (size_t i = 0; i < s->line_count; i++) {
        buf_reset(&line);
        buf_printf(&line, "{\"_step\":%" PRId64 ",%.*s}", s->offset + (int64_t)i,
                   STR_ARG(s->lines[i].members));
        json_comma(out);
        json_write_str(out, buf_str(&line));
    }
    buf_add(out, STR("]}"));
    out->failed = out->failed || line.failed;
    buf_fini(&line);
}

static void summary_write(struct buf *out, str summary)
{
    struct buf line = { 0 };

    buf_printf(&line, "{%.*s}", STR_ARG(summary));
    json_key(out, "wandb-summary.json");
    buf_add_char(out, '{');
    json_member_i64(out, "offset", 0);
    json_key(out, "content");
    buf_add_char(out, '[');
    json_write_str(out, buf_str(&line));
    buf_add(out, STR("]}"));
    out->failed = out->failed || line.failed;
    buf_fini(&line);
}

void wandb_stream_write(struct buf *out, const struct wandb_stream *s)
{
    buf_add_char(out, '{');
    if (s->line_count > 0 || s->summary.len > 0) {
        json_key(out, "files");
        buf_add_char(out, '{');
        if (s->line_count > 0)
            history_write(out, s);
        if (s->summary.len > 0)
            summary_write(out, s->summary);
        buf_add_char(out, '}');
    }
    if (s->is_complete) {
        json_member_bool(out, "complete", true);
        json_member_i64(out, "exitcode", 0);
    }
    buf_add_char(out, '}');
}

bool wandb_is_stopped(str body)
{
    struct arena arena;
    struct json root;
    bool is_stopped = false;

    arena_init(&arena, ARENA_BYTES);
    if (json_parse(&arena, body, &root, NULL) == OK)
        IGNORE(json_bool(json_get(root, STR("stopped")), &is_stopped));
    arena_fini(&arena);
    return is_stopped;
}

/* ---- the rest ---- */

void wandb_authorization(struct buf *out, str api_key)
{
    struct buf pair = { 0 };

    buf_add(&pair, STR("api:"));
    buf_add(&pair, api_key);
    buf_add(out, STR("Basic "));
    buf_add_base64(out, buf_str(&pair));
    out->failed = out->failed || pair.failed;
    buf_fini(&pair);
}

enum wandb_verdict wandb_verdict_of(int http_status)
{
    static const int final[] = { 400, 401, 403, 404, 409, 410, 413, 422, 501 };

    if (http_status >= 200 && http_status < 300)
        return WANDB_TAKEN;
    for (size_t i = 0; i < ARRAY_LEN(final); i++)
        if (http_status == final[i])
            return WANDB_REFUSED;
    return WANDB_RETRY;
}
