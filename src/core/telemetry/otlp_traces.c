/* SPDX-License-Identifier: Apache-2.0 */
/* otlp_traces: spans of queries and their calls. */
#include "core/telemetry/otlp.h"

#include "core/json/json.h"
#include "core/telemetry/messages.h"
#include "core/telemetry/otlp_internal.h"
#include "core/telemetry/otlp_names.h"
#include "core/telemetry/protobuf.h"

/* Fields of the messages from ExportTraceServiceRequest down to Span and Status. */
enum {
    REQUEST_RESOURCE_SPANS = 1,
    RESOURCE_SPANS_SCOPE_SPANS = 2,
    SCOPE_SPANS_SPAN = 2,
    SPAN_TRACE_ID = 1,
    SPAN_ID = 2,
    SPAN_TRACE_STATE = 3,
    SPAN_PARENT = 4,
    SPAN_NAME = 5,
    SPAN_KIND = 6,
    SPAN_START = 7,
    SPAN_END = 8,
    SPAN_ATTRIBUTES = 9,
    SPAN_STATUS = 15,
    STATUS_MESSAGE = 2,
    STATUS_CODE = 3,
    STATUS_OK = 1,
    STATUS_ERROR = 2,
    KIND_SERVER = 2,
    KIND_CLIENT = 3,
};

static const str names[OTLP_NAME_COUNT] = {
#define X(name, text) [OTLP_##name] = { text, sizeof(text) - 1 },
    OTLP_NAME_TABLE(X)
#undef X
};

/* ---- attributes ---- */

static void set_str(struct buf *out, enum otlp_name name, str value)
{
    const struct otlp_place place = { out, SPAN_ATTRIBUTES };

    if (value.len > 0)
        otlp_add_str(&place, names[name], value);
}

static void set_i64(struct buf *out, enum otlp_name name, int64_t value)
{
    const struct otlp_place place = { out, SPAN_ATTRIBUTES };

    otlp_add_i64(&place, names[name], value);
}

static void set_positive(struct buf *out, enum otlp_name name, int64_t value)
{
    if (value > 0)
        set_i64(out, name, value);
}

/* Negative: there is none. */
static void set_share(struct buf *out, enum otlp_name name, double value)
{
    const struct otlp_place place = { out, SPAN_ATTRIBUTES };

    if (value >= 0)
        otlp_add_double(&place, names[name], value);
}

static void set_true(struct buf *out, enum otlp_name name, bool value)
{
    const struct otlp_place place = { out, SPAN_ATTRIBUTES };

    if (value)
        otlp_add_bool(&place, names[name], true);
}

static void set_fault(struct buf *out, enum err fault)
{
    size_t status = protobuf_begin(out, SPAN_STATUS);

    if (fault != OK)
        protobuf_text(out, STATUS_MESSAGE, str_from(err_info(fault)->text));
    protobuf_u64(out, STATUS_CODE, fault == OK ? STATUS_OK : STATUS_ERROR);
    protobuf_end(out, status);
    if (fault != OK)
        set_str(out, OTLP_ERROR_TYPE, str_from(err_info(fault)->name));
}

/* ---- spans ---- */

struct span {
    uint32_t number; /* of the call; 0: the query */
    int64_t parent; /* number of the parent's; negative: it is the root */
    const char *operation;
    str subject; /* what the operation is done with */
    uint64_t kind;
    nsec started; /* since the query's start */
    nsec took;
};

static void span_head(struct buf *out, const struct trace *t, const struct span *span)
{
    uint8_t trace[TRACE_ID_BYTES], id[TRACE_SPAN_ID_BYTES];
    uint64_t start = otlp_unix_nano(t->started) + (uint64_t)(span->started > 0 ? span->started : 0);
    struct buf name = { 0 };
    char state[TRACE_STATE_MAX];

    trace_id(t, trace);
    protobuf_bytes(out, SPAN_TRACE_ID, (str){ (const char *)trace, sizeof(trace) });
    trace_span_id(t, span->number, id);
    protobuf_bytes(out, SPAN_ID, (str){ (const char *)id, sizeof(id) });
    if (t->threshold != 0)
        protobuf_bytes(out, SPAN_TRACE_STATE, trace_state(t->threshold, state));
    if (span->parent >= 0) {
        trace_span_id(t, (uint32_t)span->parent, id);
        protobuf_bytes(out, SPAN_PARENT, (str){ (const char *)id, sizeof(id) });
    }
    buf_printf(&name, "%s %.*s", span->operation, STR_ARG(span->subject));
    protobuf_text(out, SPAN_NAME, buf_str(&name));
    buf_fini(&name);
    protobuf_u64(out, SPAN_KIND, span->kind);
    protobuf_fixed64(out, SPAN_START, start);
    protobuf_fixed64(out, SPAN_END, start + (uint64_t)(span->took > 0 ? span->took : 0));
    set_str(out, OTLP_OPERATION, str_from(span->operation));
}

static void set_usage(struct buf *out, const struct usage *usage)
{
    set_i64(out, OTLP_INPUT_TOKENS, usage->input);
    set_i64(out, OTLP_OUTPUT_TOKENS, usage->output);
    set_positive(out, OTLP_CACHE_READ_TOKENS, usage->cached);
    set_positive(out, OTLP_CACHE_CREATION_TOKENS, usage->cache_write);
    set_positive(out, OTLP_REASONING_TOKENS, usage->reasoning);
    set_i64(out, OTLP_LLM_INPUT_TOKENS, usage->input);
    set_i64(out, OTLP_LLM_OUTPUT_TOKENS, usage->output);
    set_i64(out, OTLP_LLM_TOKENS, usage->input + usage->output);
}

static void set_cost(struct buf *out, nano_usd cost)
{
    if (cost == COST_UNPRICED)
        return; /* nobody knows it: not zero */
    set_i64(out, OTLP_COST, cost);
    set_share(out, OTLP_USAGE_COST, (double)cost / (double)NANO_PER_USD);
    set_share(out, OTLP_LLM_COST, (double)cost / (double)NANO_PER_USD);
}

static void set_content(struct buf *out, str input, str output)
{
    struct buf json = { 0 };

    messages_write_parts(&json, input);
    set_str(out, OTLP_INPUT_MESSAGES, buf_str(&json));
    buf_reset(&json);
    if (output.len > 0)
        messages_write_answer_parts(&json, output);
    set_str(out, OTLP_OUTPUT_MESSAGES, buf_str(&json));
    buf_fini(&json);
    set_str(out, OTLP_INPUT_VALUE, input);
    set_str(out, OTLP_OUTPUT_VALUE, output);
}

static void call_write(struct buf *out, const struct trace *t, const struct trace_call *c)
{
    size_t message = protobuf_begin(out, SCOPE_SPANS_SPAN);

    span_head(out, t,
              &(struct span){ .number = c->number,
                              .parent = (int64_t)c->parent,
                              .operation = "chat",
                              .subject = c->model,
                              .kind = KIND_CLIENT,
                              .started = c->started,
                              .took = c->took });
    set_str(out, OTLP_INFERENCE_KIND, STR("LLM"));
    set_str(out, OTLP_PROVIDER, c->provider);
    set_str(out, OTLP_SYSTEM, c->provider);
    set_str(out, OTLP_REQUEST_MODEL, c->model);
    set_str(out, OTLP_RESPONSE_MODEL, c->fault == OK ? c->model : STR(""));
    set_str(out, OTLP_LLM_MODEL, c->model);
    set_str(out, OTLP_ROLE, c->role);
    set_true(out, OTLP_REQUEST_STREAM, t->is_stream);
    set_usage(out, &c->usage);
    set_cost(out, c->cost);
    set_positive(out, OTLP_HTTP_STATUS, c->http_status);
    set_positive(out, OTLP_RESEND_COUNT, c->attempts - 1);
    if (c->first_byte > 0)
        set_share(out, OTLP_RESPONSE_FIRST_CHUNK, (double)c->first_byte / 1e9);
    if (t->has_content)
        set_content(out, c->input, c->output);
    set_fault(out, c->fault);
    protobuf_end(out, message);
}

static void set_decision(struct buf *out, const struct trace *t)
{
    char id[20];

    set_str(out, OTLP_QUERY_ID, trace_query_name(t, id));
    set_str(out, OTLP_STRATEGY, t->strategy);
    set_str(out, OTLP_DOMAIN, t->domain);
    set_str(out, OTLP_TENANT, t->tenant);
    set_str(out, OTLP_CONVERSATION, t->conversation);
    set_str(out, OTLP_ARM, t->arm);
    set_str(out, OTLP_SCORER, t->scorer);
    set_share(out, OTLP_CONFIDENCE, t->confidence);
    set_share(out, OTLP_HRM_CONFIDENCE, t->hrm_confidence);
    set_share(out, OTLP_TRM_CONFIDENCE, t->trm_confidence);
    set_share(out, OTLP_VERDICT, t->verdict);
    set_true(out, OTLP_CONFIDENCE_CALIBRATED, t->is_calibrated);
    set_true(out, OTLP_SIMULATED, t->is_simulated);
    set_true(out, OTLP_TRUNCATED, t->is_truncated);
    set_i64(out, OTLP_CALLS, (int64_t)t->call_count + t->calls_left_out);
    set_positive(out, OTLP_CALLS_LEFT_OUT, t->calls_left_out);
}

static void query_write(struct buf *out, const struct trace *t)
{
    bool is_plain = str_eq(t->strategy, STR("plain"));
    size_t message = protobuf_begin(out, SCOPE_SPANS_SPAN);

    span_head(out, t,
              &(struct span){ .parent = -1,
                              .operation = is_plain ? "chat" : "invoke_workflow",
                              .subject = is_plain ? t->model : t->strategy,
                              .kind = KIND_SERVER,
                              .took = t->took });
    set_str(out, OTLP_INFERENCE_KIND, STR("CHAIN"));
    set_str(out, OTLP_REQUEST_MODEL, t->requested_model);
    set_str(out, OTLP_RESPONSE_MODEL, t->model);
    set_share(out, OTLP_REQUEST_TEMPERATURE, t->temperature);
    set_positive(out, OTLP_REQUEST_MAX_TOKENS, t->max_tokens);
    set_decision(out, t);
    if (t->has_content)
        set_content(out, t->input, t->output);
    set_fault(out, t->fault);
    protobuf_end(out, message);
}

void otlp_traces_write(struct buf *out, const struct otlp_resource *resource,
                       const struct trace *const *traces, size_t count)
{
    size_t spans = protobuf_begin(out, REQUEST_RESOURCE_SPANS);

    otlp_add_resource(out, resource);
    size_t scope = protobuf_begin(out, RESOURCE_SPANS_SCOPE_SPANS);
    otlp_add_scope(out, resource);
    for (size_t i = 0; i < count; i++) {
        query_write(out, traces[i]);
        for (size_t j = 0; j < traces[i]->call_count; j++)
            call_write(out, traces[i], &traces[i]->calls[j]);
    }
    protobuf_end(out, scope);
    protobuf_end(out, spans);
}
