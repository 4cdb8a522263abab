/* SPDX-License-Identifier: Apache-2.0 */
/* otlp_metrics: families and points as OTLP's metrics. A counter's _total and a unit in a name are Prometheus's habits; names are
 * kept all the same, so that one dashboard serves both ways in. */
#include "core/telemetry/otlp.h"

#include "core/telemetry/otlp_internal.h"
#include "core/telemetry/protobuf.h"

/* Fields of the messages from ExportMetricsServiceRequest down to the data points. */
enum {
    REQUEST_RESOURCE_METRICS = 1,
    RESOURCE_METRICS_SCOPE_METRICS = 2,
    SCOPE_METRICS_METRIC = 2,
    METRIC_NAME = 1,
    METRIC_DESCRIPTION = 2,
    METRIC_UNIT = 3,
    METRIC_DATA_GAUGE = 5,
    METRIC_DATA_SUM = 7,
    METRIC_DATA_HISTOGRAM = 9,
    DATA_POINTS = 1,
    DATA_TEMPORALITY = 2,
    DATA_IS_MONOTONIC = 3,
    CUMULATIVE = 2,
    POINT_START = 2,
    POINT_TIME = 3,
    NUMBER_AS_DOUBLE = 4,
    NUMBER_AS_INT = 6,
    NUMBER_ATTRIBUTES = 7,
    HISTOGRAM_COUNT = 4,
    HISTOGRAM_SUM = 5,
    HISTOGRAM_COUNTS = 6,
    HISTOGRAM_BOUNDS = 7,
    HISTOGRAM_ATTRIBUTES = 9,
};

/* UCUM's codes of the units in use. */
static str unit_of(const struct metric_family *family)
{
    static const struct {
        const char *unit, *code;
    } units[] = { { "seconds", "s" }, { "bytes", "By" }, { "usd", "{USD}" }, { "ratio", "1" } };

    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (str_eq(str_from(family->unit), str_from(units[i].unit)))
            return str_from(units[i].code);
    return STR("1");
}

static uint32_t data_field(enum metric_type type)
{
    switch (type) {
    case METRIC_COUNTER:
        return METRIC_DATA_SUM;
    case METRIC_GAUGE:
        return METRIC_DATA_GAUGE;
    case METRIC_HISTOGRAM:
        break;
    }
    return METRIC_DATA_HISTOGRAM;
}

/* A family without points is left out. */
static void family_end(struct otlp_metrics *m)
{
    if (!m->has_family || m->points.len == 0)
        return;
    size_t metric = protobuf_begin(m->out, SCOPE_METRICS_METRIC);
    protobuf_text(m->out, METRIC_NAME, str_from(m->family.name));
    protobuf_text(m->out, METRIC_DESCRIPTION, str_from(m->family.help));
    protobuf_text(m->out, METRIC_UNIT, unit_of(&m->family));
    size_t data = protobuf_begin(m->out, data_field(m->family.type));
    buf_add(m->out, buf_str(&m->points));
    if (m->family.type != METRIC_GAUGE)
        protobuf_u64(m->out, DATA_TEMPORALITY, CUMULATIVE);
    if (m->family.type == METRIC_COUNTER)
        protobuf_u64(m->out, DATA_IS_MONOTONIC, 1);
    protobuf_end(m->out, data);
    protobuf_end(m->out, metric);
}

static void on_family(void *ctx, const struct metric_family *family)
{
    struct otlp_metrics *m = ctx;

    family_end(m);
    buf_reset(&m->points);
    m->family = *family;
    m->has_family = true;
}

static void add_labels(struct buf *out, uint32_t field, const struct metric_point *p)
{
    const struct otlp_place place = { out, field };

    for (size_t i = 0; i < p->label_count; i++)
        otlp_add_str(&place, str_from(p->labels[i].name), p->labels[i].value);
}

static void add_number(struct buf *out, const struct metric_point *p)
{
    if (p->is_integer)
        protobuf_fixed64(out, NUMBER_AS_INT, (uint64_t)(int64_t)p->value);
    else
        protobuf_double(out, NUMBER_AS_DOUBLE, p->value);
    add_labels(out, NUMBER_ATTRIBUTES, p);
}

static void add_histogram(struct buf *out, const struct metric_point *p)
{
    uint64_t count = 0;

    for (size_t i = 0; i <= p->bound_count; i++)
        count += p->counts[i];
    if (count > 0)
        protobuf_fixed64(out, HISTOGRAM_COUNT, count);
    protobuf_double(out, HISTOGRAM_SUM, p->sum);
    protobuf_packed(out, HISTOGRAM_COUNTS, p->counts, p->bound_count + 1);
    protobuf_packed_double(out, HISTOGRAM_BOUNDS, p->bounds, p->bound_count);
    add_labels(out, HISTOGRAM_ATTRIBUTES, p);
}

static void on_point(void *ctx, const struct metric_point *p)
{
    struct otlp_metrics *m = ctx;
    size_t point = protobuf_begin(&m->points, DATA_POINTS);

    if (m->family.type != METRIC_GAUGE)
        protobuf_fixed64(&m->points, POINT_START, otlp_unix_nano(m->started));
    protobuf_fixed64(&m->points, POINT_TIME, otlp_unix_nano(m->now));
    if (m->family.type == METRIC_HISTOGRAM)
        add_histogram(&m->points, p);
    else
        add_number(&m->points, p);
    protobuf_end(&m->points, point);
}

struct metric_sink otlp_metrics_begin(struct otlp_metrics *m, const struct otlp_resource *resource)
{
    m->marks[0] = protobuf_begin(m->out, REQUEST_RESOURCE_METRICS);
    otlp_add_resource(m->out, resource);
    m->marks[1] = protobuf_begin(m->out, RESOURCE_METRICS_SCOPE_METRICS);
    otlp_add_scope(m->out, resource);
    return (struct metric_sink){ .ctx = m, .family = on_family, .point = on_point };
}

void otlp_metrics_end(struct otlp_metrics *m)
{
    family_end(m);
    protobuf_end(m->out, m->marks[1]);
    protobuf_end(m->out, m->marks[0]);
    m->out->failed = m->out->failed || m->points.failed;
    buf_fini(&m->points);
}
