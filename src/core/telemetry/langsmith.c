/* SPDX-License-Identifier: Apache-2.0 */
/* langsmith: the bodies of runs, and what answers mean. */
#include "core/telemetry/langsmith.h"

#include <stdio.h>

#include "base/utc.h"
#include "core/json/json.h"
#include "core/telemetry/messages.h"

#define RUNS_MAX 100
#define BYTES_MAX ((size_t)20 << 20)
#define DEPTH_MAX 32
#define BOUNDARY "weir-7d1f0c2b9a5e4e63"
#define INFO_ARENA_BYTES ((size_t)1 << 20)

const char *const langsmith_multipart_type = "multipart/form-data; boundary=" BOUNDARY;

struct run {
    const struct langsmith_options *options;
    const struct trace *trace;
    const struct trace_call *call; /* NULL: the query's own */
};

/* ---- identity and time ---- */

static const struct trace_call *parent_of(const struct trace *t, const struct trace_call *c)
{
    for (size_t i = 0; c && c->parent != 0 && i < t->call_count; i++)
        if (t->calls[i].number == c->parent && t->calls[i].number < c->number)
            return &t->calls[i];
    return NULL;
}

static uint32_t number_of(const struct trace_call *c)
{
    return c ? c->number : 0;
}

/* No child starts before its parent. */
static usec_utc start_of(const struct trace *t, const struct trace_call *c)
{
    usec_utc start = t->started;

    for (; c; c = parent_of(t, c)) {
        usec_utc own = t->started + c->started / NSEC_PER_USEC;
        start = own > start ? own : start;
    }
    return start;
}

static usec_utc end_of(const struct trace *t, const struct trace_call *c)
{
    return start_of(t, c) + (c ? c->took : t->took) / NSEC_PER_USEC;
}

/* "20261124T234430671865Z" and the id, from the root down: what runs are sorted by. */
static void add_dotted(struct buf *out, const struct trace *t, const struct trace_call *c)
{
    const struct trace_call *path[DEPTH_MAX];
    size_t depth = 0;
    char id[TRACE_UUID_MAX];

    for (; c && depth < DEPTH_MAX - 1; c = parent_of(t, c))
        path[depth++] = c;
    path[depth++] = NULL;
    for (size_t i = depth; i > 0; i--) {
        struct utc_parts p = utc_parts_of(start_of(t, path[i - 1]));
        buf_printf(out, "%s%04d%02d%02dT%02d%02d%02d%06dZ%s", i < depth ? "." : "", (int)p.year,
                   p.month, p.day, p.hour, p.minute, p.second, (int)p.usec,
                   trace_uuid(t, number_of(path[i - 1]), id).ptr);
    }
}

static void member_time(struct buf *out, const char *name, usec_utc t)
{
    char text[UTC_TEXT_MAX];

    json_member_str(out, name, utc_format(t, text));
}

static str fault_text(const struct run *run)
{
    enum err fault = run->call ? run->call->fault : run->trace->fault;

    return fault == OK ? STR("") : str_from(err_info(fault)->name);
}

/* The run without its large members: {"id":… */
static void add_head(struct buf *out, const struct run *run)
{
    const struct trace *t = run->trace;
    const struct trace_call *c = run->call;
    char id[TRACE_UUID_MAX];
    struct buf dotted = { 0 };

    buf_add_char(out, '{');
    json_member_str(out, "id", trace_uuid(t, number_of(c), id));
    json_member_str(out, "trace_id", trace_uuid(t, 0, id));
    add_dotted(&dotted, t, c);
    json_member_str(out, "dotted_order", buf_str(&dotted));
    buf_fini(&dotted);
    if (c)
        json_member_str(out, "parent_run_id", trace_uuid(t, number_of(parent_of(t, c)), id));
    json_member_str(out, "name", c ? c->role : t->strategy);
    json_member_str(out, "run_type", c ? STR("llm") : STR("chain"));
    member_time(out, "start_time", start_of(t, c));
    member_time(out, "end_time", end_of(t, c));
    json_member_str(out, "session_name", run->options->project);
    json_key(out, "tags");
    buf_add(out, STR("[\"production\""));
    if (t->arm.len > 0) {
        buf_add_char(out, ',');
        json_write_str(out, t->arm);
    }
    buf_add_char(out, ']');
}

/* ---- the large members ---- */

static void add_inputs(struct buf *out, const struct run *run)
{
    str input = run->call ? run->call->input : run->trace->input;

    buf_add_char(out, '{');
    if (run->trace->has_content) {
        json_key(out, "messages");
        messages_write_plain(out, input);
    }
    buf_add_char(out, '}');
}

static void member_details(struct buf *out, const char *name, const struct usage *u, bool of_input)
{
    json_key(out, name);
    buf_add_char(out, '{');
    if (of_input) {
        json_member_i64(out, "cache_read", u->cached);
        json_member_i64(out, "cache_creation", u->cache_write);
    } else {
        json_member_i64(out, "reasoning", u->reasoning);
    }
    buf_add_char(out, '}');
}

static void member_usage(struct buf *out, const struct trace_call *c)
{
    json_key(out, "usage_metadata");
    buf_add_char(out, '{');
    json_member_i64(out, "input_tokens", c->usage.input);
    json_member_i64(out, "output_tokens", c->usage.output);
    json_member_i64(out, "total_tokens", c->usage.input + c->usage.output);
    member_details(out, "input_token_details", &c->usage, true);
    member_details(out, "output_token_details", &c->usage, false);
    if (c->cost != COST_UNPRICED)
        json_member_double(out, "total_cost", (double)c->cost / (double)NANO_PER_USD);
    buf_add_char(out, '}');
}

static void add_outputs(struct buf *out, const struct run *run)
{
    const struct trace *t = run->trace;
    str output = run->call ? run->call->output : t->output;

    buf_add_char(out, '{');
    if (t->has_content && output.len > 0) {
        json_key(out, "choices");
        buf_add(out, STR("[{\"message\":{\"role\":\"assistant\",\"content\":"));
        json_write_str(out, output);
        buf_add(out, STR("}}]"));
    }
    if (run->call)
        member_usage(out, run->call);
    buf_add_char(out, '}');
}

static void member_text(struct buf *out, const char *name, str text)
{
    if (text.len > 0)
        json_member_str(out, name, text);
}

static void member_share(struct buf *out, const char *name, double share)
{
    if (share >= 0)
        json_member_double(out, name, share);
}

static void add_query_metadata(struct buf *out, const struct trace *t)
{
    char id[20];

    json_member_str(out, "weir_query_id", trace_query_name(t, id));
    member_text(out, "thread_id", t->conversation);
    member_text(out, "strategy", t->strategy);
    member_text(out, "requested_model", t->requested_model);
    member_text(out, "model", t->model);
    member_text(out, "domain", t->domain);
    member_text(out, "tenant", t->tenant);
    member_text(out, "arm", t->arm);
    member_text(out, "scorer", t->scorer);
    member_share(out, "confidence", t->confidence);
    member_share(out, "hrm_confidence", t->hrm_confidence);
    member_share(out, "trm_confidence", t->trm_confidence);
    member_share(out, "verdict", t->verdict);
    json_member_bool(out, "calibrated", t->is_calibrated);
    json_member_bool(out, "simulated", t->is_simulated);
    json_member_i64(out, "calls", (int64_t)t->call_count + t->calls_left_out);
    if (t->cost != COST_UNPRICED)
        json_member_i64(out, "cost_nano_usd", t->cost);
}

static void add_call_metadata(struct buf *out, const struct trace *t, const struct trace_call *c)
{
    json_member_str(out, "ls_provider", c->provider);
    json_member_str(out, "ls_model_name", c->model);
    json_member_str(out, "ls_model_type", STR("chat"));
    member_share(out, "ls_temperature", t->temperature);
    if (t->max_tokens > 0)
        json_member_i64(out, "ls_max_tokens", t->max_tokens);
    json_member_i64(out, "attempts", c->attempts);
    if (c->http_status > 0)
        json_member_i64(out, "http_status", c->http_status);
    if (c->first_byte > 0)
        json_member_double(out, "first_byte_ms", (double)(c->first_byte / NSEC_PER_USEC) / 1e3);
}

static void add_extra(struct buf *out, const struct run *run)
{
    buf_add(out, STR("{\"metadata\":{"));
    if (run->call)
        add_call_metadata(out, run->trace, run->call);
    else
        add_query_metadata(out, run->trace);
    buf_add(out, STR("},\"runtime\":{"));
    json_member_str(out, "sdk", STR("weir"));
    json_member_str(out, "sdk_version", run->options->version);
    json_member_str(out, "service", run->options->service);
    buf_add(out, STR("}}"));
}

static void add_error(struct buf *out, const struct run *run)
{
    if (fault_text(run).len > 0)
        json_write_str(out, fault_text(run));
}

/* Members that multipart sends as parts of their own; one that writes nothing is left out. */
static const struct {
    const char *name;
    void (*add)(struct buf *out, const struct run *run);
} members[] = {
    { "inputs", add_inputs },
    { "outputs", add_outputs },
    { "extra", add_extra },
    { "error", add_error },
};

/* ---- the two forms ---- */

static void run_write_json(struct buf *out, const struct run *run)
{
    struct buf value = { 0 };

    add_head(out, run);
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        buf_reset(&value);
        members[i].add(&value, run);
        if (value.len == 0)
            continue;
        json_key(out, members[i].name);
        buf_add(out, buf_str(&value));
    }
    buf_add_char(out, '}');
    out->failed = out->failed || value.failed;
    buf_fini(&value);
}

static void part_write(struct buf *out, str id, const char *member, str value)
{
    buf_printf(out,
               "--" BOUNDARY "\r\nContent-Disposition: form-data; name=\"post.%.*s%s%s\"\r\n"
               "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
               STR_ARG(id), member ? "." : "", member ? member : "", value.len);
    buf_add(out, value);
    buf_add(out, STR("\r\n"));
}

static void run_write_parts(struct buf *out, const struct run *run)
{
    struct buf value = { 0 };
    char text[TRACE_UUID_MAX];
    str id = trace_uuid(run->trace, number_of(run->call), text);

    add_head(&value, run);
    buf_add_char(&value, '}');
    part_write(out, id, NULL, buf_str(&value));
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        buf_reset(&value);
        members[i].add(&value, run);
        if (value.len > 0)
            part_write(out, id, members[i].name, buf_str(&value));
    }
    out->failed = out->failed || value.failed;
    buf_fini(&value);
}

static bool run_next(const struct langsmith_batch *batch, struct langsmith_cursor *at,
                     struct run *out)
{
    while (at->trace < batch->count && at->run > batch->traces[at->trace]->call_count)
        *at = (struct langsmith_cursor){ at->trace + 1, 0 };
    if (at->trace == batch->count)
        return false;
    const struct trace *t = batch->traces[at->trace];
    *out = (struct run){ batch->options, t, at->run > 0 ? &t->calls[at->run - 1] : NULL };
    at->run++;
    return true;
}

/* Writes runs until the next one would be too many; that one is taken back. */
static bool runs_write(struct buf *out, const struct langsmith_batch *batch,
                       struct langsmith_cursor *at,
                       void (*write)(struct buf *out, const struct run *run), const char *between)
{
    size_t begin = out->len, n = 0;
    struct run run;

    while (n < batch->info->runs_max) {
        struct langsmith_cursor here = *at;
        size_t before = out->len;
        if (!run_next(batch, at, &run))
            break;
        if (n > 0)
            buf_add(out, str_from(between));
        write(out, &run);
        if (n > 0 && out->len - begin > batch->info->bytes_max && !out->failed) {
            out->len = before;
            *at = here;
            break;
        }
        n++;
    }
    return n > 0;
}

bool langsmith_json_write(struct buf *out, const struct langsmith_batch *batch,
                          struct langsmith_cursor *at)
{
    buf_add(out, STR("{\"post\":["));
    bool has_any = runs_write(out, batch, at, run_write_json, ",");
    buf_add(out, STR("]}"));
    return has_any;
}

bool langsmith_multipart_write(struct buf *out, const struct langsmith_batch *batch,
                               struct langsmith_cursor *at)
{
    bool has_any = runs_write(out, batch, at, run_write_parts, "");

    buf_add(out, STR("--" BOUNDARY "--\r\n"));
    return has_any;
}

/* ---- answers ---- */

struct langsmith_info langsmith_info_default(void)
{
    return (struct langsmith_info){ true, RUNS_MAX, BYTES_MAX };
}

struct langsmith_info langsmith_info_read(str body)
{
    struct langsmith_info info = langsmith_info_default();
    struct arena arena;
    struct json root;
    int64_t n;

    arena_init(&arena, INFO_ARENA_BYTES);
    if (json_parse(&arena, body, &root, NULL) == OK) {
        struct json config = json_get(root, STR("batch_ingest_config"));
        IGNORE(json_bool(json_get(config, STR("use_multipart_endpoint")), &info.has_multipart));
        if (json_i64(json_get(config, STR("size_limit")), &n) && n > 0 && n < RUNS_MAX)
            info.runs_max = (size_t)n;
        if (json_i64(json_get(config, STR("size_limit_bytes")), &n) && n > 0 &&
            (uint64_t)n < BYTES_MAX)
            info.bytes_max = (size_t)n;
    }
    arena_fini(&arena);
    return info;
}

enum langsmith_verdict langsmith_verdict_of(int http_status, bool was_multipart)
{
    if ((http_status >= 200 && http_status < 300) || http_status == 409)
        return LANGSMITH_TAKEN;
    if (http_status == 404 && was_multipart)
        return LANGSMITH_NO_MULTIPART;
    if (http_status == 413)
        return LANGSMITH_TOO_LARGE;
    bool may_pass = http_status == 408 || http_status == 425 || http_status == 429;
    return may_pass || http_status >= 500 ? LANGSMITH_RETRY : LANGSMITH_REFUSED;
}
