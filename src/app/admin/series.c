/* SPDX-License-Identifier: Apache-2.0 */
/*
 * series: GET /admin/v1/series?range=24h&baseline=gpt-4o&simulated=1: what a span was like over time, by name, and how its
 * confidences are spread and kept. Columns, so that a chart takes them as they are. Money is integer nano-dollars.
 *
 * Without `simulated` it is of what was paid for, or, where no call was, of what simulated providers answered, and says which.
 */
#include "app/admin/reader.h"

#include <math.h>

#include "core/stats/stats.h"

#define MINUTE_US (INT64_C(60) * 1000000)
#define HOUR_US (60 * MINUTE_US)
#define DAY_US (24 * HOUR_US)
#define FRESH (10 * NSEC_PER_SEC)
#define ALPHA 0.05

/* Widths divide a day, so that a bucket has one price. */
static const struct range {
    const char *name;
    usec_utc length, width;
} ranges[] = {
    { "1h", HOUR_US, MINUTE_US },        { "6h", 6 * HOUR_US, 5 * MINUTE_US },
    { "24h", DAY_US, 15 * MINUTE_US },   { "7d", 7 * DAY_US, 2 * HOUR_US },
    { "30d", 30 * DAY_US, 6 * HOUR_US },
};

struct series {
    struct reading *reading;
    const struct browse_summary *summary;
    struct browse_span span;
    const struct range *range;
    str baseline;
};

/* ---- values ---- */

static void mean_write(struct buf *out, double sum, int64_t n)
{
    json_write_double(out, n > 0 ? sum / (double)n : NAN);
}

static void quantile_write(struct buf *out, const struct histogram *h, double q)
{
    if (h->n == 0)
        buf_add(out, STR("null"));
    else
        json_write_double(out, histogram_quantile(h, q).value / 1000);
}

/* What the comparable calls' tokens would have cost at the baseline's price; null where that has none. */
static nano_usd baseline_of(const struct series *s, const struct browse_sums *sums, usec_utc at)
{
    const struct price *price = price_find(&s->reading->config->prices, s->baseline, at);

    return sums->comparable == 0 ? 0 : price_cost(price, &sums->usage);
}

static void money_write(struct buf *out, nano_usd cost)
{
    if (cost == COST_UNPRICED)
        buf_add(out, STR("null"));
    else
        buf_add_i64(out, cost);
}

/* ---- columns ---- */

static usec_utc bucket_at(const struct series *s, size_t i)
{
    return s->span.from + (usec_utc)i * s->span.width;
}

enum column {
    COLUMN_AT,
    COLUMN_N,
    COLUMN_SUCCEEDED,
    COLUMN_COST,
    COLUMN_PRICED,
    COLUMN_PRICED_COST,
    COLUMN_COMPARABLE_COST,
    COLUMN_BASELINE,
    COLUMN_HRM,
    COLUMN_TRM,
    COLUMN_P50,
    COLUMN_P95,
    COLUMN_P99,
    COLUMN_COUNT
};
static const char *const column_names[COLUMN_COUNT] = {
    [COLUMN_AT] = "at",
    [COLUMN_N] = "n",
    [COLUMN_SUCCEEDED] = "succeeded",
    [COLUMN_COST] = "cost_nano_usd",
    [COLUMN_PRICED] = "priced",
    [COLUMN_PRICED_COST] = "priced_cost_nano_usd",
    [COLUMN_COMPARABLE_COST] = "comparable_cost_nano_usd",
    [COLUMN_BASELINE] = "baseline_cost_nano_usd",
    [COLUMN_HRM] = "hrm_confidence",
    [COLUMN_TRM] = "trm_confidence",
    [COLUMN_P50] = "p50_ms",
    [COLUMN_P95] = "p95_ms",
    [COLUMN_P99] = "p99_ms",
};

static void value_write(const struct series *s, enum column column, size_t i, struct buf *out)
{
    const struct browse_sums *b = &s->summary->buckets[i];

    switch (column) {
    case COLUMN_AT:
        buf_add_i64(out, bucket_at(s, i) / 1000000);
        break;
    case COLUMN_N:
        buf_add_i64(out, b->queries);
        break;
    case COLUMN_SUCCEEDED:
        buf_add_i64(out, b->succeeded);
        break;
    case COLUMN_COST:
        buf_add_i64(out, b->cost);
        break;
    case COLUMN_PRICED:
        buf_add_i64(out, b->priced);
        break;
    case COLUMN_PRICED_COST:
        buf_add_i64(out, b->priced_cost);
        break;
    case COLUMN_COMPARABLE_COST:
        buf_add_i64(out, b->comparable_cost);
        break;
    case COLUMN_BASELINE:
        money_write(out, baseline_of(s, b, bucket_at(s, i)));
        break;
    case COLUMN_HRM:
        mean_write(out, b->hrm_sum, b->hrm_n);
        break;
    case COLUMN_TRM:
        mean_write(out, b->trm_sum, b->trm_n);
        break;
    case COLUMN_P50:
        quantile_write(out, &b->latency, 0.5);
        break;
    case COLUMN_P95:
        quantile_write(out, &b->latency, 0.95);
        break;
    case COLUMN_P99:
        quantile_write(out, &b->latency, 0.99);
        break;
    case COLUMN_COUNT:
        break;
    }
}

static void columns_write(const struct series *s, struct buf *out)
{
    json_key(out, "buckets");
    buf_add_char(out, '{');
    for (int c = 0; c < COLUMN_COUNT; c++) {
        json_key(out, column_names[c]);
        buf_add_char(out, '[');
        for (size_t i = 0; i < s->summary->bucket_count; i++) {
            json_comma(out);
            value_write(s, (enum column)c, i, out);
        }
        buf_add_char(out, ']');
    }
    buf_add_char(out, '}');
}

/* ---- sums ---- */

static void sums_members(const struct browse_sums *b, struct buf *out)
{
    static const struct {
        const char *name;
        double q;
    } quantiles[] = { { "p5", 0.05 },  { "p25", 0.25 }, { "p50", 0.5 },
                      { "p75", 0.75 }, { "p95", 0.95 }, { "p99", 0.99 } };
    struct interval success = stats_rate_wilson(b->succeeded, b->queries, ALPHA);

    json_member_i64(out, "n", b->queries);
    json_member_i64(out, "succeeded", b->succeeded);
    json_member_double(out, "success_lower", success.lower);
    json_member_double(out, "success_upper", success.upper);
    json_member_i64(out, "priced", b->priced);
    json_member_i64(out, "priced_cost_nano_usd", b->priced_cost);
    json_member_i64(out, "cost_nano_usd", b->cost);
    json_member_i64(out, "unpriced_calls", b->unpriced_calls);
    json_member_i64(out, "hrm_n", b->hrm_n);
    json_key(out, "hrm_confidence");
    mean_write(out, b->hrm_sum, b->hrm_n);
    json_member_i64(out, "trm_n", b->trm_n);
    json_key(out, "trm_confidence");
    mean_write(out, b->trm_sum, b->trm_n);
    json_key(out, "latency_ms");
    buf_add_char(out, '{');
    for (size_t i = 0; i < ARRAY_LEN(quantiles); i++) {
        json_key(out, quantiles[i].name);
        quantile_write(out, &b->latency, quantiles[i].q);
    }
    buf_add_char(out, '}');
}

/* Of the whole span: the buckets' baselines added up, because prices change with the day. */
static void total_write(const struct series *s, struct buf *out)
{
    nano_usd baseline = 0;

    for (size_t i = 0; i < s->summary->bucket_count; i++)
        baseline = cost_add(baseline, baseline_of(s, &s->summary->buckets[i], bucket_at(s, i)));
    json_key(out, "total");
    buf_add_char(out, '{');
    sums_members(&s->summary->total, out);
    json_member_i64(out, "comparable_calls", s->summary->total.comparable);
    json_member_i64(out, "comparable_cost_nano_usd", s->summary->total.comparable_cost);
    json_key(out, "baseline_cost_nano_usd");
    money_write(out, baseline);
    buf_add_char(out, '}');
}

static void groups_write(const char *name, const struct browse_group *groups, size_t count,
                         struct buf *out)
{
    json_key(out, name);
    buf_add_char(out, '[');
    for (size_t i = 0; i < count; i++) {
        json_comma(out);
        buf_add_char(out, '{');
        json_member_str(out, "name", groups[i].name);
        sums_members(&groups[i].sums, out);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

static void models_write(const struct browse_summary *summary, struct buf *out)
{
    json_key(out, "models");
    buf_add_char(out, '[');
    for (size_t i = 0; i < summary->model_count; i++) {
        const struct browse_model *m = &summary->models[i];
        json_comma(out);
        buf_add_char(out, '{');
        json_member_str(out, "name", m->name);
        json_member_i64(out, "calls", m->calls);
        json_member_i64(out, "failed", m->failed);
        json_member_i64(out, "unpriced", m->unpriced);
        json_member_i64(out, "cost_nano_usd", m->cost);
        json_member_i64(out, "input_tokens", m->input_tokens);
        json_member_i64(out, "output_tokens", m->output_tokens);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

/* ---- confidences ---- */

static void tenth_write(const struct browse_tenth *t, struct buf *out)
{
    struct interval right = stats_rate_wilson(t->right, t->n, ALPHA);

    buf_add_char(out, '{');
    json_member_i64(out, "n", t->n);
    json_key(out, "confidence");
    mean_write(out, t->confidence, t->n);
    json_key(out, "accuracy");
    mean_write(out, (double)t->right, t->n);
    json_member_double(out, "lower", right.lower);
    json_member_double(out, "upper", right.upper);
    buf_add_char(out, '}');
}

static void confidences_write(const struct browse_summary *summary, struct buf *out)
{
    static const char *const names[BROWSE_CONFIDENCE_COUNT] = { "hrm", "trm", "final" };

    json_key(out, "confidences");
    buf_add_char(out, '{');
    for (size_t c = 0; c < BROWSE_CONFIDENCE_COUNT; c++) {
        json_key(out, names[c]);
        buf_add(out, STR("{\"bins\":["));
        for (size_t i = 0; i < BROWSE_BINS; i++) {
            json_comma(out);
            buf_add_i64(out, summary->bins[c][i]);
        }
        buf_add(out, STR("],\"tenths\":["));
        for (size_t i = 0; i < BROWSE_TENTHS; i++) {
            json_comma(out);
            tenth_write(&summary->tenths[c][i], out);
        }
        buf_add(out, STR("]}"));
    }
    buf_add_char(out, '}');
    json_member_i64(out, "calibrated", summary->calibrated);
}

/* ---- the whole ---- */

static void series_write(const struct series *s, struct buf *out)
{
    const struct browse_summary *summary = s->summary;

    buf_add_char(out, '{');
    json_member_str(out, "range", str_from(s->range->name));
    json_member_i64(out, "from", s->span.from / 1000000);
    json_member_i64(out, "to", s->span.to / 1000000);
    json_member_i64(out, "width", s->span.width / 1000000);
    json_member_bool(out, "simulated", s->span.is_simulated);
    json_member_i64(out, "other_queries", summary->other_queries);
    json_member_bool(out, "cut", summary->is_cut);
    json_member_str(out, "baseline", s->baseline);
    total_write(s, out);
    columns_write(s, out);
    groups_write("domains", summary->domains, summary->domain_count, out);
    groups_write("strategies", summary->strategies, summary->strategy_count, out);
    models_write(summary, out);
    confidences_write(summary, out);
    buf_add_char(out, '}');
}

static const struct range *range_find(str name)
{
    for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
        if (str_eq(name, str_from(ranges[i].name)))
            return &ranges[i];
    }
    return NULL;
}

static bool params_read(struct reading *r, struct series *s, bool *out_chooses)
{
    str range, simulated;

    if (!reading_param(r, "range", &range) || !reading_param(r, "baseline", &s->baseline) ||
        !reading_param(r, "simulated", &simulated) ||
        !reading_flag(r, "simulated", &s->span.is_simulated))
        return false;
    *out_chooses = simulated.len == 0;
    if (s->baseline.len == 0)
        s->baseline = r->config->report.baseline;
    s->range = range_find(range.len > 0 ? range : STR("24h"));
    if (s->range)
        return true;
    reading_refuse(r, 400, "bad_request", "range must be 1h, 6h, 24h, 7d or 30d");
    return false;
}

void series_answer(struct reading *r, str rest)
{
    struct series s = { .reading = r };
    struct browse_summary summary = { .rows = 0 };
    bool chooses;

    if (rest.len > 0) {
        reading_refuse(r, 404, "unknown_path", "there is nothing at this path");
        return;
    }
    if (!params_read(r, &s, &chooses))
        return;
    s.span.width = s.range->width;
    s.span.to = (r->now / s.span.width + 1) * s.span.width;
    s.span.from = s.span.to - s.range->length;
    enum err e = browse_summarise(r->browser, &s.span, &r->arena, &summary);
    if (e == OK && chooses && summary.model_count == 0 && summary.other_queries > 0) {
        s.span.is_simulated = true;
        e = browse_summarise(r->browser, &s.span, &r->arena, &summary);
    }
    if (e != OK) {
        reading_store_failed(r,
                             e == WEIR_NO_MEMORY ? "out of memory" : browser_message(r->browser));
        return;
    }
    s.summary = &summary;
    series_write(&s, r->body);
    r->fresh = FRESH;
}
