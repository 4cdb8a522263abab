/* SPDX-License-Identifier: Apache-2.0 */
/* json: the report as one JSON value. Money is integer nano-dollars, null where nobody knows it. */
#include <math.h>

#include "app/report/daily_internal.h"
#include "core/json/json.h"

static void cost_member(struct buf *out, const char *name, nano_usd cost)
{
    if (cost != COST_UNPRICED)
        json_member_i64(out, name, cost);
    else
        json_member_null(out, name);
}

static void object_open(struct buf *out, const char *name)
{
    json_key(out, name);
    buf_add_char(out, '{');
}

static void item_open(struct buf *out)
{
    json_comma(out);
    buf_add_char(out, '{');
}

static void rate_member(struct buf *out, const char *name, const struct daily_rate *r)
{
    object_open(out, name);
    json_member_i64(out, "k", r->k);
    json_member_i64(out, "n", r->n);
    json_member_double(out, "rate", r->interval.estimate);
    json_member_double(out, "lower", r->interval.lower);
    json_member_double(out, "upper", r->interval.upper);
    buf_add_char(out, '}');
}

static void confidence_member(struct buf *out, const char *name, const struct daily_confidence *c,
                              const char *kind)
{
    object_open(out, name);
    if (c->n > 0) {
        json_member_double(out, "mean", c->mean);
        json_member_double(out, "sd", c->sd);
    } else {
        buf_add(out, STR("\"mean\":null,\"sd\":null"));
    }
    json_member_i64(out, "n", c->n);
    json_member_str(out, "kind", str_from(kind));
    buf_add_char(out, '}');
}

static void repriced_members(struct buf *out, const struct daily *d)
{
    const struct daily_repriced *r = &d->repriced;

    cost_member(out, "baseline_cost_nano_usd", r->is_priced ? r->baseline_cost : COST_UNPRICED);
    cost_member(out, "savings_nano_usd", r->is_priced ? r->savings : COST_UNPRICED);
    json_member_double(out, "savings_percentage",
                       r->is_priced && r->baseline_cost != 0 ? r->percentage : INFINITY);
    object_open(out, "repriced");
    json_member_str(out, "baseline", d->baseline);
    cost_member(out, "cost_nano_usd", r->cost);
    json_member_i64(out, "calls", r->compared);
    json_member_i64(out, "calls_left_out", r->left_out);
    buf_add_char(out, '}');
}

static void measured_member(struct buf *out, const struct daily *d)
{
    object_open(out, "measured");
    json_member_bool(out, "is_measured", d->measures_count > 0);
    if (d->measures_count == 0)
        json_member_str(out, "why", STR("not measured: no control traffic"));
    json_key(out, "comparisons");
    buf_add_char(out, '[');
    for (size_t i = 0; i < d->measures_count; i++) {
        const struct daily_measure *m = &d->measures[i];
        item_open(out);
        json_member_str(out, "experiment", m->experiment);
        json_member_str(out, "arm", m->arm);
        json_member_bool(out, "is_valid", m->saved.is_valid);
        object_open(out, "saved_usd_per_query");
        json_member_double(out, "estimate", m->saved.diff.estimate);
        json_member_double(out, "lower", m->saved.diff.lower);
        json_member_double(out, "upper", m->saved.diff.upper);
        buf_add_char(out, '}');
        json_member_double(out, "saved_percentage", m->saved_percentage);
        json_member_i64(out, "priced_queries", m->treated_dollars.n);
        json_member_i64(out, "control_priced_queries", m->control_dollars.n);
        rate_member(out, "success", &m->treated);
        rate_member(out, "control_success", &m->control);
        buf_add_char(out, '}');
    }
    buf_add(out, STR("]}"));
}

static void latency_member(struct buf *out, const struct daily_latency *l)
{
    bool is_known = l->n > 0;

    object_open(out, "latency_ms");
    json_member_double(out, "p50", is_known ? l->p50_ms : INFINITY);
    json_member_double(out, "p95", is_known ? l->p95_ms : INFINITY);
    json_member_double(out, "p99", is_known ? l->p99_ms : INFINITY);
    json_member_i64(out, "n", l->n);
    json_member_bool(out, "is_maximum", l->is_maximum);
    buf_add_char(out, '}');
}

static void kpis_member(struct buf *out, const struct daily *d)
{
    json_key(out, "kpis");
    buf_add_char(out, '[');
    for (size_t i = 0; i < d->kpis_count; i++) {
        const struct daily_kpi *k = &d->kpis[i];
        bool has_interval = k->is_known && k->has_interval;
        item_open(out);
        json_member_str(out, "name", str_from(k->key));
        json_member_str(out, "title", str_from(k->title));
        json_member_bool(out, "is_primary", k->is_primary);
        json_member_str(out, "unit", str_from(daily_unit_name(k->unit)));
        json_member_str(out, "target_is",
                        k->is_floor    ? STR("at_least")
                        : k->is_strict ? STR("below")
                                       : STR("at_most"));
        json_member_double(out, "target", k->target);
        json_member_double(out, "actual", k->is_known ? k->actual : INFINITY);
        json_member_double(out, "lower", has_interval ? k->interval.lower : INFINITY);
        json_member_double(out, "upper", has_interval ? k->interval.upper : INFINITY);
        json_member_i64(out, "n", k->n);
        json_member_str(out, "verdict", str_from(daily_verdict_name(k->verdict)));
        json_member_str(out, "note", str_from(k->note));
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

static void calibration_member(struct buf *out, const struct daily *d)
{
    json_key(out, "calibration");
    buf_add_char(out, '[');
    for (size_t i = 0; i < d->calibrations_count; i++) {
        const struct daily_calibration *c = &d->calibrations[i];
        item_open(out);
        json_member_str(out, "source", str_from(ledger_source_name(c->source)));
        json_member_bool(out, "is_calibrated", c->is_calibrated);
        json_member_i64(out, "n", c->n);
        json_member_double(out, "ece", c->ece);
        json_key(out, "bins");
        buf_add_char(out, '[');
        for (size_t b = 0; b < REPORT_BINS; b++) {
            const struct report_bin *bin = &c->bins[b];
            if (bin->n == 0)
                continue;
            item_open(out);
            json_member_i64(out, "n", bin->n);
            json_member_double(out, "confidence", bin->confidence / (double)bin->n);
            json_member_double(out, "accuracy", (double)bin->right / (double)bin->n);
            buf_add_char(out, '}');
        }
        buf_add(out, STR("]}"));
    }
    buf_add_char(out, ']');
}

/* Hours of a day, days of a span. */
static void series_member(struct buf *out, const struct daily *d)
{
    json_key(out, "series");
    buf_add_char(out, '[');
    for (size_t i = 0; i < d->bars_count; i++) {
        const struct daily_bar *bar = &d->bars[i];
        item_open(out);
        json_member_i64(out, "from_us", bar->part.from);
        json_member_i64(out, "to_us", bar->part.to);
        json_member_str(out, "label", str_from(bar->part.label));
        json_member_i64(out, "queries", bar->queries);
        json_member_i64(out, "succeeded", bar->succeeded);
        json_member_i64(out, "cost_nano_usd", bar->cost);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

static void domain_models_member(struct buf *out, const struct daily *d)
{
    json_key(out, "domain_models");
    buf_add_char(out, '[');
    for (size_t i = 0; i < d->ledger->pairs_count; i++) {
        const struct report_pair *pair = &d->ledger->pairs[i];
        item_open(out);
        json_member_str(out, "domain", pair->domain);
        json_member_str(out, "model", pair->model);
        json_member_i64(out, "queries", pair->queries);
        json_member_i64(out, "succeeded", pair->succeeded);
        json_member_i64(out, "cost_nano_usd", pair->cost);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

static void axis_member(struct buf *out, const struct daily *d, const struct daily_axis *axis)
{
    const struct report_parts *parts = &d->ledger->parts[axis->axis];

    json_key(out, axis->list);
    buf_add_char(out, '[');
    for (size_t i = 0; i < parts->count; i++) {
        const struct report_part *p = &parts->items[i];
        struct daily_rate success = daily_rate_of(p->succeeded, p->queries);
        item_open(out);
        json_member_str(out, "name", p->name);
        json_member_i64(out, "queries", p->queries);
        json_member_i64(out, "cost_nano_usd", p->cost);
        json_member_double(out, "cost_percentage", daily_share(p->cost, d->ledger->total.cost));
        json_member_i64(out, "failed_cost_nano_usd", p->failed_cost);
        json_member_i64(out, "unpriced_calls", p->unpriced_calls);
        rate_member(out, "success", &success);
        if (p->latency) {
            struct daily_latency latency = daily_latency_of(p->latency);
            latency_member(out, &latency);
        }
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

static void models_member(struct buf *out, const struct daily *d)
{
    json_key(out, "models");
    buf_add_char(out, '[');
    for (size_t i = 0; i < d->models_count; i++) {
        const struct report_calls *m = &d->models[i];
        item_open(out);
        json_member_str(out, "name", m->model);
        json_member_i64(out, "calls", m->calls);
        json_member_i64(out, "cost_nano_usd", m->cost);
        json_member_double(out, "cost_percentage", daily_share(m->cost, d->ledger->total.cost));
        json_member_i64(out, "unpriced_calls", m->unpriced);
        json_member_i64(out, "input_tokens", m->usage.input);
        json_member_i64(out, "cached_tokens", m->usage.cached);
        json_member_i64(out, "output_tokens", m->usage.output);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

static void faults_member(struct buf *out, const struct daily *d)
{
    const struct report_parts *faults = &d->ledger->parts[REPORT_FAULT];

    json_key(out, "faults");
    buf_add_char(out, '[');
    for (size_t i = 0; i < faults->count; i++) {
        if (faults->items[i].name.len == 0)
            continue; /* success */
        item_open(out);
        json_member_str(out, "name", faults->items[i].name);
        json_member_i64(out, "queries", faults->items[i].queries);
        json_member_i64(out, "cost_nano_usd", faults->items[i].cost);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

static void calls_member(struct buf *out, const struct daily *d)
{
    struct daily_kind kinds[DAILY_KINDS];

    daily_kinds(&d->calls, kinds);
    object_open(out, "calls");
    json_member_i64(out, "total", d->calls.calls);
    json_member_i64(out, "unpriced", d->calls.unpriced);
    json_member_i64(out, "estimated", d->calls.estimated);
    json_member_i64(out, "extra_attempts", d->calls.extra_attempts);
    object_open(out, "cached_input");
    json_member_i64(out, "tokens", d->calls.usage.cached);
    json_member_i64(out, "cost_nano_usd", d->calls.cached_cost);
    json_member_i64(out, "saved_nano_usd", d->calls.cached_saved);
    buf_add_char(out, '}');
    for (size_t i = 0; i < DAILY_KINDS; i++) {
        object_open(out, kinds[i].key);
        json_member_i64(out, "calls", kinds[i].calls);
        json_member_i64(out, "cost_nano_usd", kinds[i].cost);
        buf_add_char(out, '}');
    }
    buf_add_char(out, '}');
}

static void labels_member(struct buf *out, const struct daily *d)
{
    object_open(out, "labels");
    for (size_t i = 0; i < LABEL_SOURCE_COUNT; i++) {
        const struct report_label *l = &d->ledger->labels[i];
        struct daily_rate right = daily_rate_of(l->right, l->n);
        rate_member(out, ledger_source_name((enum ledger_source)i), &right);
    }
    buf_add_char(out, '}');
}

static void other_member(struct buf *out, const struct daily *d)
{
    object_open(out, d->is_simulated ? "paid_apart" : "simulated_apart");
    json_member_i64(out, "queries", d->ledger->other_queries);
    json_member_i64(out, "calls", d->ledger->other_calls);
    json_member_i64(out, "cost_nano_usd", d->ledger->other_cost);
    buf_add_char(out, '}');
}

static void day_members(struct buf *out, const struct daily *d)
{
    json_member_str(out, "date", str_from(d->day.date));
    json_member_str(out, "last_date", str_from(d->day.last_date));
    json_member_i64(out, "days", d->day.days);
    json_member_str(out, "zone", str_from(d->day.zone));
    json_member_i64(out, "from_us", d->day.from);
    json_member_i64(out, "to_us", d->day.to);
    json_member_bool(out, "is_over", d->day.is_over);
    json_member_bool(out, "is_simulated", d->is_simulated);
    json_member_bool(out, "is_live", d->ledger->is_live);
}

void daily_write_json(const struct daily *d, struct buf *out)
{
    const struct report_part *total = &d->ledger->total;
    const char *kind = daily_confidence_label(d);

    buf_add_char(out, '{');
    day_members(out, d);
    json_member_i64(out, "total_queries", total->queries);
    json_member_i64(out, "total_cost_nano_usd", total->cost);
    cost_member(out, "avg_cost_nano_usd", d->average);
    json_member_i64(out, "avg_queries", total->priced.n);
    repriced_members(out, d);
    measured_member(out, d);
    axis_member(out, d, &daily_axes[0]);
    json_member_double(out, "success_rate",
                       d->success.n > 0 ? d->success.interval.estimate : INFINITY);
    rate_member(out, "success", &d->success);
    confidence_member(out, "hrm_confidence", &d->hrm, kind);
    confidence_member(out, "trm_confidence", &d->trm, kind);
    json_member_str(out, "recommendation", d->recommendation);
    json_member_str(out, "recommendation_basis", str_from(daily_basis_name(d->basis)));
    for (size_t i = 1; i < DAILY_AXES; i++)
        axis_member(out, d, &daily_axes[i]);
    models_member(out, d);
    faults_member(out, d);
    json_member_i64(out, "failed_cost_nano_usd", total->failed_cost);
    calls_member(out, d);
    other_member(out, d);
    labels_member(out, d);
    object_open(out, "routes");
    json_member_i64(out, "queries", d->ledger->routed);
    json_member_i64(out, "explored", d->ledger->explored);
    buf_add_char(out, '}');
    latency_member(out, &d->latency);
    calibration_member(out, d);
    kpis_member(out, d);
    domain_models_member(out, d);
    series_member(out, d);
    buf_add(out, STR("}\n"));
}
