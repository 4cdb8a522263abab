/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metric_text: Prometheus's text exposition format 0.0.4, and OpenMetrics 1.0.0, which differs in what a family of
 * counters is called, in its units and in its last line.
 */
#include "core/telemetry/metric.h"

#include <stdio.h>

static const char *const type_names[] = {
    [METRIC_COUNTER] = "counter",
    [METRIC_GAUGE] = "gauge",
    [METRIC_HISTOGRAM] = "histogram",
};

/* A family's name in its HELP and TYPE lines. */
static str family_name(const struct metric_text *t)
{
    str name = str_from(t->family.name);
    str suffix = STR("_total");

    if (t->format == METRIC_TEXT_OPENMETRICS && t->family.type == METRIC_COUNTER &&
        str_ends(name, suffix))
        return str_slice(name, 0, name.len - suffix.len);
    return name;
}

static void on_family(void *ctx, const struct metric_family *family)
{
    struct metric_text *t = ctx;

    t->family = *family;
    str name = family_name(t);
    buf_printf(t->out, "# HELP %.*s %s\n# TYPE %.*s %s\n", STR_ARG(name), family->help,
               STR_ARG(name), type_names[family->type]);
    if (t->format == METRIC_TEXT_OPENMETRICS && family->unit[0] != '\0')
        buf_printf(t->out, "# UNIT %.*s %s\n", STR_ARG(name), family->unit);
}

/* Backslash, quote and line feed are escaped; nothing else needs to be. */
static void add_label(struct buf *out, const char *name, str value)
{
    buf_printf(out, "%s=\"", name);
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        if (c == '\n')
            buf_add(out, STR("\\n"));
        else if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else
            buf_add_char(out, c);
    }
    buf_add_char(out, '"');
}

static void add_series(const struct metric_text *t, const char *suffix,
                       const struct metric_point *p, const char *bound)
{
    bool has_labels = p->label_count > 0 || bound;

    buf_printf(t->out, "%s%s", t->family.name, suffix);
    if (has_labels)
        buf_add_char(t->out, '{');
    for (size_t i = 0; i < p->label_count; i++) {
        if (i > 0)
            buf_add_char(t->out, ',');
        add_label(t->out, p->labels[i].name, p->labels[i].value);
    }
    if (bound)
        buf_printf(t->out, "%sle=\"%s\"", p->label_count > 0 ? "," : "", bound);
    if (has_labels)
        buf_add_char(t->out, '}');
}

/* OpenMetrics wants a bound to be seen as a floating-point number. */
static void bound_text(const struct metric_text *t, const struct metric_point *p, size_t i,
                       char out[32])
{
    if (i == p->bound_count) {
        snprintf(out, 32, "+Inf");
        return;
    }
    bool is_whole = p->bounds[i] == (double)(int64_t)p->bounds[i];
    snprintf(out, 32, "%.10g%s", p->bounds[i],
             is_whole && t->format == METRIC_TEXT_OPENMETRICS ? ".0" : "");
}

static void add_histogram(const struct metric_text *t, const struct metric_point *p)
{
    uint64_t cumulative = 0;
    char bound[32];

    for (size_t i = 0; i <= p->bound_count; i++) {
        cumulative += p->counts[i];
        bound_text(t, p, i, bound);
        add_series(t, "_bucket", p, bound);
        buf_printf(t->out, " %" PRIu64 "\n", cumulative);
    }
    add_series(t, "_sum", p, NULL);
    buf_printf(t->out, " %.9g\n", p->sum);
    add_series(t, "_count", p, NULL);
    buf_printf(t->out, " %" PRIu64 "\n", cumulative);
}

static void on_point(void *ctx, const struct metric_point *p)
{
    const struct metric_text *t = ctx;

    if (t->family.type == METRIC_HISTOGRAM) {
        add_histogram(t, p);
        return;
    }
    add_series(t, "", p, NULL);
    if (p->is_integer)
        buf_printf(t->out, " %.0f\n", p->value);
    else
        buf_printf(t->out, " %.15g\n", p->value);
}

struct metric_sink metric_text_sink(struct metric_text *text)
{
    return (struct metric_sink){ .ctx = text, .family = on_family, .point = on_point };
}

void metric_text_end(struct metric_text *text)
{
    if (text->format == METRIC_TEXT_OPENMETRICS)
        buf_add(text->out, STR("# EOF\n"));
}

enum metric_text_format metric_text_wanted(str accept)
{
    return str_find_nocase(accept, STR("application/openmetrics-text")) != STR_NPOS
               ? METRIC_TEXT_OPENMETRICS
               : METRIC_TEXT_PROMETHEUS;
}

str metric_text_type(enum metric_text_format format)
{
    return format == METRIC_TEXT_OPENMETRICS
               ? STR("application/openmetrics-text; version=1.0.0; charset=utf-8")
               : STR("text/plain; version=0.0.4; charset=utf-8");
}

void metric_put(const struct metric_sink *sink, const struct metric_family *family, double value,
                bool is_integer)
{
    struct metric_point point = { .value = value, .is_integer = is_integer };

    metric_family_put(sink, family);
    metric_point_put(sink, &point);
}
