/* SPDX-License-Identifier: Apache-2.0 */
/*
 * otlp: OpenTelemetry's bodies of POST /v1/traces and /v1/metrics in protobuf, with the GenAI conventions; and what the answer
 * means. The conventions are still in development, so every name that we use stands in one table: otlp_names.h.
 *
 *     query      SERVER   chat gpt-4o-mini | invoke_workflow hrm_trm     what was decided: weir.*
 *       call     CLIENT   chat gpt-4o-mini                               what was used: tokens, cost
 *         call   CLIENT                                                  caused by the call above it
 *
 * Tokens and costs stand at calls alone, since those who read traces add up the spans.
 *
 * May include: base, core/json, core/money.
 */
#ifndef WEIR_CORE_TELEMETRY_OTLP_H
#define WEIR_CORE_TELEMETRY_OTLP_H

#include "base/base.h"
#include "core/telemetry/metric.h"
#include "core/telemetry/trace.h"

struct otlp_attribute {
    str name;
    str value;
};

struct otlp_resource {
    str service; /* service.name */
    str version; /* service.version, and the scope's */
    const struct otlp_attribute *attributes; /* further ones */
    size_t attribute_count;
};

/* Appends an ExportTraceServiceRequest of all spans of the traces. */
void otlp_traces_write(struct buf *out, const struct otlp_resource *resource,
                       const struct trace *const *traces, size_t count);

/* A sink that appends an ExportMetricsServiceRequest: begin, walk, end. Sums are cumulative since the start. */
struct otlp_metrics {
    struct buf *out;
    usec_utc started; /* of the process */
    usec_utc now;
    /* private */
    struct metric_family family;
    size_t marks[2]; /* the request's open messages */
    struct buf points; /* of the family */
    bool has_family;
};
struct metric_sink otlp_metrics_begin(struct otlp_metrics *m, const struct otlp_resource *resource);
void otlp_metrics_end(struct otlp_metrics *m);

enum otlp_verdict {
    OTLP_TAKEN, /* all of it, or what could be: *out_rejected says how much was not */
    OTLP_RETRY, /* 429, 502, 503, 504 */
    OTLP_REFUSED /* for good */
};
/* What an answer means. The body of a 2xx is an Export…ServiceResponse; what cannot be read rejects nothing. */
enum otlp_verdict otlp_verdict_of(int http_status, str body, int64_t *out_rejected);

#endif
