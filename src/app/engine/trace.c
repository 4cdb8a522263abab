/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace: a query that ended, as the exporters are told of it. Where nothing is exported this costs a comparison; else the query's
 * facts are gathered, and telemetry copies them.
 */
#include "app/engine/engine_internal.h"

#include "core/telemetry/trace.h"
#include "edge/telemetry/telemetry.h"

static struct trace_call call_of(const struct query *q, const struct query_call *c, bool captures)
{
    struct trace_call call = { .number = c->trace->number,
                               .parent = c->trace->parent,
                               .role = c->role,
                               .fault = c->trace->fault,
                               .usage = c->trace->usage,
                               .cost = c->trace->cost };

    if (c->model) {
        call.model = c->model->name;
        call.provider = c->endpoint->provider->name;
    }
    if (c->started != 0) {
        call.started = c->started - q->started;
        call.took = c->trace->took;
        call.first_byte = c->upstream.first_byte;
        call.attempts = c->trace->attempts;
        call.http_status = c->upstream.http_status;
    }
    if (captures) {
        call.input = buf_str(&c->request);
        call.output = c->trace->text;
    }
    return call;
}

static struct trace trace_of(const struct query *q)
{
    return (struct trace){ .id = q->id,
                           .started = q->started_wall,
                           .took = q->took,
                           .strategy = str_from(query_strategy_name(q)),
                           .requested_model = q->requested_model,
                           .model = q->model,
                           .domain = q->domain,
                           .tenant = q->tenant,
                           .conversation = q->conversation,
                           .arm = q->arm,
                           .scorer = q->decision ? q->decision->scorer : (str){ 0 },
                           .fault = q->fault,
                           .usage = q->usage,
                           .cost = q->cost,
                           .hrm_confidence = q->best.hrm_confidence,
                           .trm_confidence = q->best.trm_confidence,
                           .confidence = q->best.confidence,
                           .temperature = q->chat->temperature,
                           .max_tokens = q->chat->max_tokens,
                           .is_calibrated = q->best.is_calibrated,
                           .is_stream = q->chat->stream,
                           .is_simulated = q->is_simulated,
                           .is_truncated = q->is_truncated };
}

/* In the query's own memory, which ends after this. */
static void calls_set(const struct query *q, struct trace *t, bool captures)
{
    size_t room = q->calls < TRACE_CALLS_MAX ? q->calls : TRACE_CALLS_MAX;
    struct trace_call *calls = ARENA_ARRAY(q->arena, room, struct trace_call);

    for (struct link *l = q->running.next; l != &q->running; l = l->next) {
        const struct query_call *c = CONTAINER_OF(l, struct query_call, link);
        if (calls && t->call_count < room)
            calls[t->call_count++] = call_of(q, c, captures);
        else
            t->calls_left_out++;
    }
    t->calls = calls;
}

/* A plain answer's text is its one call's. */
static void content_set(const struct query *q, struct trace *t)
{
    t->has_content = true;
    t->input = json_raw(json_get(q->chat->root, STR("messages")));
    t->output = q->route.is_plain ? (q->trace ? q->trace->text : STR("")) : q->best.answer;
}

void query_trace(const struct query *q)
{
    struct telemetry *telemetry = q->engine->telemetry;

    if (!telemetry)
        return;
    struct trace asked = { .id = q->id, .fault = q->fault, .verdict = label_verdict_of(q) };
    if (!telemetry_wants(telemetry, &asked))
        return;
    bool captures = telemetry_captures(telemetry);
    struct trace t = trace_of(q);
    t.seed = asked.seed;
    t.threshold = asked.threshold;
    t.verdict = asked.verdict;
    calls_set(q, &t, captures);
    if (captures)
        content_set(q, &t);
    telemetry_take(telemetry, &t);
}
