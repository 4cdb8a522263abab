/* SPDX-License-Identifier: Apache-2.0 */
/* export_otlp: traces and metrics to whatever speaks OTLP over HTTP with protobuf. */
#include <stdlib.h>

#include "core/telemetry/otlp.h"
#include "edge/config/config.h"
#include "edge/telemetry/exporter.h"

#define BODY_BYTES_MAX ((size_t)64 << 20)
#define RESOURCE_MAX 32

struct otlp {
    struct otlp_attribute attributes[RESOURCE_MAX];
    struct otlp_resource resource;
    struct buf traces_url, metrics_url;
    struct buf body; /* of traces; kept for its memory */
    usec_utc started;
    struct buf measured; /* under the exporter's lock; the newest replaces what was not sent */
    struct buf sending; /* the thread's own */
};

static str value_behind(str pair, char sign)
{
    return str_trim(str_slice(pair, str_find_char(pair, sign) + 1, pair.len));
}

static enum sent post(struct exporter *x, str url, str body, struct delivery *out)
{
    const struct config *config = x->options.config;
    struct post_request request = { .url = url,
                                    .content_type = STR("application/x-protobuf"),
                                    .body = body };
    struct post_answer answer;
    enum sent sent = SENT_LATER;

    for (size_t i = 0; i < config->otlp.header_count; i++) {
        str line = config->otlp.headers[i];
        request.headers[request.header_count++] =
            (struct post_header){ str_trim(str_slice(line, 0, str_find_char(line, ':'))),
                                  value_behind(line, ':') };
    }
    if (exporter_post(x, &request, &answer, out)) {
        static const enum sent meanings[] = {
            [OTLP_TAKEN] = SENT_TAKEN, [OTLP_RETRY] = SENT_LATER, [OTLP_REFUSED] = SENT_REFUSED
        };
        sent = meanings[otlp_verdict_of(answer.status, buf_str(&answer.body), &out->rejected)];
        if (answer.status == 413)
            sent = SENT_TOO_LARGE;
        if (sent != SENT_TAKEN)
            exporter_explain(x, out, &answer);
    }
    buf_fini(&answer.body);
    return sent;
}

static enum sent send_traces(struct exporter *x, const struct trace *const *traces, size_t n,
                             struct delivery *out)
{
    struct otlp *o = x->state;

    buf_reset(&o->body);
    otlp_traces_write(&o->body, &o->resource, traces, n);
    if (o->body.failed)
        return SENT_TOO_LARGE;
    return post(x, buf_str(&o->traces_url), buf_str(&o->body), out);
}

static void measure(struct exporter *x, const struct measurement *m)
{
    struct otlp *o = x->state;
    struct buf body = { .max = BODY_BYTES_MAX };
    struct otlp_metrics metrics = { .out = &body, .started = o->started, .now = m->now };
    struct metric_sink sink = otlp_metrics_begin(&metrics, &o->resource);

    m->walk(m->ctx, &sink);
    otlp_metrics_end(&metrics);
    pthread_mutex_lock(&x->lock);
    struct buf old = o->measured;
    o->measured = body; /* sums are cumulative: what an older one said is in it */
    pthread_mutex_unlock(&x->lock);
    buf_fini(&old);
}

static enum sent send_metrics(struct exporter *x, struct delivery *out)
{
    struct otlp *o = x->state;

    pthread_mutex_lock(&x->lock);
    if (o->measured.len > 0) {
        buf_fini(&o->sending);
        o->sending = o->measured;
        o->measured = (struct buf){ 0 };
    }
    pthread_mutex_unlock(&x->lock);
    if (o->sending.len == 0 || o->sending.failed)
        return SENT_TAKEN;
    enum sent sent = post(x, buf_str(&o->metrics_url), buf_str(&o->sending), out);
    if (sent != SENT_LATER)
        buf_fini(&o->sending);
    if (sent == SENT_REFUSED || sent == SENT_TOO_LARGE)
        atomic_fetch_add_explicit(&x->dropped, 1, memory_order_relaxed);
    return sent;
}

static void close_state(void *state)
{
    struct otlp *o = state;

    buf_fini(&o->traces_url);
    buf_fini(&o->metrics_url);
    buf_fini(&o->body);
    buf_fini(&o->measured);
    buf_fini(&o->sending);
    free(o);
}

static const struct exporter_methods both = { "otlp",     EXPORTER_BATCH_MAX, send_traces,
                                              measure,    send_metrics,       NULL,
                                              close_state };
static const struct exporter_methods traces_only = {
    "otlp", EXPORTER_BATCH_MAX, send_traces, NULL, NULL, NULL, close_state
};
static const struct exporter_methods metrics_only = { "otlp",     EXPORTER_BATCH_MAX, NULL,
                                                      measure,    send_metrics,       NULL,
                                                      close_state };

static void resource_take(struct otlp *o, const struct config *config)
{
    size_t n =
        config->otlp.resource_count < RESOURCE_MAX ? config->otlp.resource_count : RESOURCE_MAX;

    for (size_t i = 0; i < n; i++) {
        str pair = config->otlp.resource[i];
        o->attributes[i].name = str_trim(str_slice(pair, 0, str_find_char(pair, '=')));
        o->attributes[i].value = value_behind(pair, '=');
    }
    o->resource.service = config->telemetry.service;
    o->resource.attributes = o->attributes;
    o->resource.attribute_count = n;
}

enum err export_otlp_open(struct exporter **out, const struct exporter_options *options)
{
    const struct config *config = options->config;
    bool sends_anything = config->otlp.traces || config->otlp.metrics;

    if (config->otlp.endpoint.len == 0 || !sends_anything)
        return OK;
    struct otlp *o = calloc(1, sizeof(*o));
    if (!o)
        return WEIR_NO_MEMORY;
    o->body.max = BODY_BYTES_MAX;
    o->started = options->started;
    resource_take(o, config);
    o->resource.version = options->version;
    buf_printf(&o->traces_url, "%.*s/v1/traces", STR_ARG(config->otlp.endpoint));
    buf_printf(&o->metrics_url, "%.*s/v1/metrics", STR_ARG(config->otlp.endpoint));
    return exporter_open(out,
                         !config->otlp.metrics  ? &traces_only
                         : !config->otlp.traces ? &metrics_only
                                                : &both,
                         o, options);
}
