/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metric: measurements on their way from where they are kept to a format: families, each with its points, one after another.
 * Prometheus's text, OpenMetrics and OTLP are three sinks for one walk.
 *
 * May include: base.
 */
#ifndef WEIR_CORE_TELEMETRY_METRIC_H
#define WEIR_CORE_TELEMETRY_METRIC_H

#include "base/base.h"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

#define METRIC_LABELS_MAX 6

struct metric_family {
    const char *name; /* "weir_queries_total": as Prometheus has it, _total on counters */
    enum metric_type type;
    const char *unit; /* "seconds", "bytes", "usd", "ratio", or "": then a count */
    const char *help;
};

struct metric_label {
    const char *name;
    str value; /* of a closed set: never a key, a user, a query */
};

struct metric_point {
    struct metric_label labels[METRIC_LABELS_MAX];
    size_t label_count;
    double value; /* of a counter or a gauge */
    bool is_integer; /* the value is a count below 2^53 */
    /* Of a histogram: bound_count + 1 counts, each of its own bucket; the last has no upper bound. */
    const uint64_t *counts;
    const double *bounds; /* in the family's unit, ascending */
    size_t bound_count;
    double sum;
};

/* Every point belongs to the family given last. */
struct metric_sink {
    void *ctx;
    void (*family)(void *ctx, const struct metric_family *family);
    void (*point)(void *ctx, const struct metric_point *point);
};

static inline void metric_family_put(const struct metric_sink *sink, const struct metric_family *f)
{
    sink->family(sink->ctx, f);
}

static inline void metric_point_put(const struct metric_sink *sink, const struct metric_point *p)
{
    sink->point(sink->ctx, p);
}

/* A family of one point without labels. */
void metric_put(const struct metric_sink *sink, const struct metric_family *family, double value,
                bool is_integer);

/* ---- Prometheus ---- */
enum metric_text_format { METRIC_TEXT_PROMETHEUS, METRIC_TEXT_OPENMETRICS };

struct metric_text {
    enum metric_text_format format;
    struct buf *out;
    struct metric_family family; /* private */
};
/* A sink that writes to text->out; the text must outlive it. */
struct metric_sink metric_text_sink(struct metric_text *text);
void metric_text_end(struct metric_text *text); /* OpenMetrics wants its end marked */
/* What a client's Accept header asks for: OpenMetrics when it names it, Prometheus's text otherwise. */
enum metric_text_format metric_text_wanted(str accept);
str metric_text_type(enum metric_text_format format); /* the Content-Type */

#endif
