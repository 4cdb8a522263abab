/* SPDX-License-Identifier: Apache-2.0 */
/* telemetry: which exporters there are, and a trace's way into their queues. */
#include "edge/telemetry/telemetry.h"

#include <stdlib.h>

#include "core/telemetry/redact.h"
#include "edge/config/config.h"
#include "edge/telemetry/exporter.h"
#include "edge/world/world.h"

typedef enum err (*open_fn)(struct exporter **out, const struct exporter_options *options);
static const open_fn openers[] = { export_otlp_open, export_langsmith_open, export_wandb_open };

#define EXPORTERS_MAX ARRAY_LEN(openers)
#define PACE_RISE_MAX 1.5 /* of the share, from one call of telemetry_pace() to the next */
#define CAPTURE_BYTES_MAX ((size_t)256 << 20)

struct telemetry {
    struct telemetry_options options;
    struct exporter *exporters[EXPORTERS_MAX];
    size_t count;
    uint32_t takers; /* of traces */
    bool measures;
    _Atomic uint64_t threshold; /* of sampling, now */
    double share; /* the same as a share; the main thread's, like what follows */
    nsec paced_at;
    uint64_t paced_queries;
    str *secrets; /* room for all that are known */
    struct redact_known known;
};

/* ---- opening ---- */

static void secret_add(struct telemetry *t, str secret)
{
    if (secret.len > 0)
        t->secrets[t->known.count++] = secret;
}

/* Every secret of the configuration, so that none leaves in a prompt. */
static bool secrets_gather(struct telemetry *t)
{
    const struct config *c = t->options.config;
    size_t room = c->server.key_count + c->otlp.header_count + 3; /* three that stand alone */

    for (size_t i = 0; i < c->provider_count; i++)
        room += 1 + c->providers[i].api_keys.count;
    for (size_t i = 0; i < c->alerts.channel_count; i++)
        room += c->alerts.channels[i].secret_count + 1;
    t->secrets = calloc(room, sizeof(*t->secrets));
    if (!t->secrets)
        return false;
    t->known.secrets = t->secrets;
    for (size_t i = 0; i < c->provider_count; i++) {
        secret_add(t, c->providers[i].api_key);
        for (size_t k = 0; k < c->providers[i].api_keys.count; k++)
            secret_add(t, c->providers[i].api_keys.values[k]);
    }
    for (size_t i = 0; i < c->server.key_count; i++)
        secret_add(t, c->server.keys[i]);
    for (size_t i = 0; i < c->otlp.header_count; i++) {
        str line = c->otlp.headers[i];
        secret_add(t, str_trim(str_slice(line, str_find_char(line, ':') + 1, line.len)));
    }
    for (size_t i = 0; i < c->alerts.channel_count; i++) {
        for (size_t k = 0; k < c->alerts.channels[i].secret_count; k++)
            secret_add(t, c->alerts.channels[i].secrets[k]);
        secret_add(t, c->alerts.channels[i].password);
    }
    secret_add(t, c->server.admin_key);
    secret_add(t, c->langsmith.api_key);
    secret_add(t, c->wandb.api_key);
    return true;
}

static enum err exporters_open(struct telemetry *t)
{
    const struct exporter_options options = { .config = t->options.config,
                                              .log = t->options.log,
                                              .version = t->options.version,
                                              .seed = t->options.seed,
                                              .started = world_wall(),
                                              .known = &t->known };
    enum err e = OK;

    for (size_t i = 0; e == OK && i < EXPORTERS_MAX; i++) {
        struct exporter *x = NULL;
        e = openers[i](&x, &options);
        if (e != OK || !x)
            continue;
        t->exporters[t->count++] = x;
        t->takers += x->methods->send_traces != NULL;
        t->measures = t->measures || x->methods->measure;
    }
    return e;
}

enum err telemetry_open(struct telemetry **out, const struct telemetry_options *options)
{
    struct telemetry *t = calloc(1, sizeof(*t));

    if (!t)
        return WEIR_NO_MEMORY;
    t->options = *options;
    telemetry_pace(t, 0, 0);
    enum err e = secrets_gather(t) ? exporters_open(t) : WEIR_NO_MEMORY;
    if (e != OK || t->count == 0) {
        telemetry_close(t);
        t = NULL;
    }
    if (e == OK)
        *out = t;
    return e;
}

void telemetry_close(struct telemetry *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->count; i++)
        exporter_close(t->exporters[i]);
    free(t->secrets);
    free(t);
}

/* ---- traces ---- */

bool telemetry_wants(const struct telemetry *t, struct trace *trace)
{
    if (!t || t->takers == 0)
        return false;
    trace->seed = t->options.seed;
    if (trace->fault != OK || trace->verdict == 0)
        return true; /* what somebody may have to look at */
    trace->threshold = atomic_load_explicit(&t->threshold, memory_order_relaxed);
    return trace_is_sampled(trace, trace->threshold);
}

void telemetry_pace(struct telemetry *t, uint64_t queries, nsec now)
{
    if (!t)
        return;
    double share = t->options.config->telemetry.sample / 1e6;
    double seconds = (double)(now - t->paced_at) / 1e9;
    double rate =
        t->paced_at != 0 && seconds > 0 ? (double)(queries - t->paced_queries) / seconds : 0;
    double most = (double)t->options.config->telemetry.traces_per_second_max;

    if (rate * share > most)
        share = most / rate;
    if (t->paced_at != 0 && share > t->share * PACE_RISE_MAX)
        share = t->share * PACE_RISE_MAX; /* traffic that comes in bursts is still much traffic */
    atomic_store_explicit(&t->threshold, trace_threshold(share), memory_order_relaxed);
    t->share = share;
    t->paced_at = now;
    t->paced_queries = queries;
}

bool telemetry_captures(const struct telemetry *t)
{
    return t && t->options.config->telemetry.capture_content;
}

static struct record *record_make(const struct trace *trace, uint32_t holders)
{
    size_t bytes = trace_size(trace);
    struct record *r = malloc(sizeof(*r) + bytes);

    if (!r)
        return NULL;
    atomic_init(&r->holders, holders);
    r->bytes = sizeof(*r) + bytes;
    r->trace = trace_copy(trace, r->block);
    return r;
}

/* Captured texts on their way out: one after another in a buffer, so they are placed once it no longer moves. */
struct capture {
    const struct telemetry *owner;
    struct buf texts;
    size_t ends[2 + 2 * TRACE_CALLS_MAX];
    size_t count;
};

static void capture_add(struct capture *c, str text)
{
    redact_add(&c->texts, text, (size_t)c->owner->options.config->telemetry.content_bytes_max,
               &c->owner->known);
    c->ends[c->count++] = c->texts.len;
}

static str capture_at(const struct capture *c, size_t i)
{
    return str_slice(buf_str(&c->texts), i > 0 ? c->ends[i - 1] : 0, c->ends[i]);
}

/* The trace with its texts redacted and cut, as a record. */
static struct record *record_redact(const struct telemetry *t, const struct trace *trace)
{
    struct capture c = { .owner = t, .texts = { .max = CAPTURE_BYTES_MAX } };
    struct trace copy = *trace;
    struct record *r = NULL;
    size_t n = trace->call_count < TRACE_CALLS_MAX ? trace->call_count : TRACE_CALLS_MAX;
    struct trace_call *calls = calloc(n + 1, sizeof(*calls));

    capture_add(&c, trace->input);
    capture_add(&c, trace->output);
    for (size_t i = 0; i < n; i++) {
        capture_add(&c, trace->calls[i].input);
        capture_add(&c, trace->calls[i].output);
    }
    if (calls && !c.texts.failed) {
        copy.input = capture_at(&c, 0);
        copy.output = capture_at(&c, 1);
        for (size_t i = 0; i < n; i++) {
            calls[i] = trace->calls[i];
            calls[i].input = capture_at(&c, 2 + 2 * i);
            calls[i].output = capture_at(&c, 3 + 2 * i);
        }
        copy.calls = calls;
        copy.call_count = n;
        copy.calls_left_out = (uint32_t)(trace->call_count - n);
        r = record_make(&copy, t->takers);
    }
    free(calls);
    buf_fini(&c.texts);
    return r;
}

void telemetry_take(struct telemetry *t, const struct trace *trace)
{
    struct record *r = trace->has_content ? record_redact(t, trace) : record_make(trace, t->takers);

    for (size_t i = 0; i < t->count; i++) {
        struct exporter *x = t->exporters[i];
        if (!x->methods->send_traces)
            continue;
        if (r)
            exporter_offer(x, r);
        else /* for want of memory */
            atomic_fetch_add_explicit(&x->dropped, 1, memory_order_relaxed);
    }
}

/* ---- metrics ---- */

nsec telemetry_interval(const struct telemetry *t)
{
    return t && t->measures ? t->options.config->telemetry.metrics_interval : 0;
}

void telemetry_measure(struct telemetry *t, const struct measurement *m)
{
    for (size_t i = 0; t && i < t->count; i++)
        if (t->exporters[i]->methods->measure)
            t->exporters[i]->methods->measure(t->exporters[i], m);
}

void telemetry_walk(const struct telemetry *t, const struct metric_sink *sink)
{
    static const struct {
        struct metric_family family;
        size_t offset;
    } rows[] = {
        { { "weir_export_queue_traces", METRIC_GAUGE, "", "Traces that wait for an exporter." },
          offsetof(struct exporter, queued) },
        { { "weir_export_sent_total", METRIC_COUNTER, "", "Traces that an endpoint took." },
          offsetof(struct exporter, sent) },
        { { "weir_export_dropped_total", METRIC_COUNTER, "",
            "Traces and measurements that never reached an endpoint." },
          offsetof(struct exporter, dropped) },
        { { "weir_export_rejected_total", METRIC_COUNTER, "",
            "Spans that an endpoint took and did not want." },
          offsetof(struct exporter, rejected) },
        { { "weir_export_failures_total", METRIC_COUNTER, "",
            "Attempts that an endpoint did not take." },
          offsetof(struct exporter, failures) },
    };

    static const struct metric_family share = { "weir_export_sample_ratio", METRIC_GAUGE, "ratio",
                                                "Share of the queries whose traces are exported." };

    if (t && t->takers > 0)
        metric_put(sink, &share, t->share, false);
    for (size_t r = 0; t && r < ARRAY_LEN(rows); r++) {
        metric_family_put(sink, &rows[r].family);
        for (size_t i = 0; i < t->count; i++) {
            const struct exporter *x = t->exporters[i];
            const _Atomic uint64_t *counter =
                (const _Atomic uint64_t *)(const void *)((const char *)x + rows[r].offset);
            struct metric_point p = { .labels = { { "exporter", str_from(x->methods->name) } },
                                      .label_count = 1,
                                      .value = (double)atomic_load_explicit(counter,
                                                                            memory_order_relaxed),
                                      .is_integer = true };
            metric_point_put(sink, &p);
        }
    }
}
