/* SPDX-License-Identifier: Apache-2.0 */
/* metrics_walk: the sums of the shards as families and points. */
#include "edge/telemetry/metrics_internal.h"

#define NANO 1e-9
#define MILLIONTH 1e-6

static const str arm_names[] = {
#define X(name, text) { text, sizeof(text) - 1 },
    METRICS_ARM_TABLE(X)
#undef X
};
static const str outcome_names[] = {
#define X(name, text) { text, sizeof(text) - 1 },
    OUTCOME_TABLE(X)
#undef X
};
static const str token_names[] = {
#define X(name, text, field) { text, sizeof(text) - 1 },
    TOKEN_TABLE(X)
#undef X
};
static const str confidence_names[] = {
#define X(name, text, field) { text, sizeof(text) - 1 },
    CONFIDENCE_TABLE(X)
#undef X
};

uint64_t metrics_sum(const struct metrics_shards *shards, size_t offset)
{
    uint64_t total = 0;

    for (size_t i = 0; i < shards->count; i++) {
        const counter *c = (const counter *)(const void *)((const char *)shards->items[i] + offset);
        total += atomic_load_explicit(c, memory_order_relaxed);
    }
    return total;
}

struct walk {
    const struct metrics_shards *shards;
    const struct metric_sink *sink;
    size_t models;
};

static uint64_t sum(const struct walk *w, size_t offset)
{
    return metrics_sum(w->shards, offset);
}

static void family(const struct walk *w, const char *name, enum metric_type type, const char *unit,
                   const char *help)
{
    metric_family_put(w->sink, &(struct metric_family){ name, type, unit, help });
}

static str model_name(const struct walk *w, size_t model)
{
    return metrics_model_name(w->shards->items[0], model);
}

static void count_put(const struct walk *w, const struct metric_label *labels, size_t n,
                      uint64_t value)
{
    struct metric_point p = { .label_count = n, .value = (double)value, .is_integer = true };

    for (size_t i = 0; i < n; i++)
        p.labels[i] = labels[i];
    metric_point_put(w->sink, &p);
}

/* ---- histograms ---- */

#define BOUNDS_MAX 18
_Static_assert(OVERHEAD_BOUNDS <= BOUNDS_MAX && METRICS_DURATION_BOUNDS <= BOUNDS_MAX &&
                   CONFIDENCE_BOUNDS <= BOUNDS_MAX,
               "a histogram's counts fit");

struct histogram {
    size_t offset; /* of its counts; the sum stands behind them */
    const int64_t *bounds;
    size_t bound_count;
    double unit; /* of bounds and sum, in the family's */
    struct metric_label label; /* name NULL: none */
};

/* One that never saw anything is left out, unless it is the family's only one. */
static void histogram_put(const struct walk *w, const struct histogram *h, bool even_when_empty)
{
    uint64_t counts[BOUNDS_MAX + 1], total = 0;
    double bounds[BOUNDS_MAX];

    for (size_t i = 0; i <= h->bound_count; i++) {
        counts[i] = sum(w, h->offset + i * sizeof(counter));
        total += counts[i];
    }
    if (total == 0 && !even_when_empty)
        return;
    for (size_t i = 0; i < h->bound_count; i++)
        bounds[i] = (double)h->bounds[i] * h->unit;
    struct metric_point p = {
        .labels = { h->label },
        .label_count = h->label.name ? 1 : 0,
        .counts = counts,
        .bounds = bounds,
        .bound_count = h->bound_count,
        .sum = (double)sum(w, h->offset + (h->bound_count + 1) * sizeof(counter)) * h->unit,
    };
    metric_point_put(w->sink, &p);
}

static struct histogram duration_at(size_t offset, const char *label, str value)
{
    return (struct histogram){ .offset = offset,
                               .bounds = metrics_duration_bounds,
                               .bound_count = METRICS_DURATION_BOUNDS,
                               .unit = NANO,
                               .label = { label, value } };
}

/* ---- queries ---- */

static void queries_put(const struct walk *w)
{
    family(w, "weir_queries_total", METRIC_COUNTER, "",
           "Queries that ended, by strategy, model, arm and outcome.");
    for (size_t m = 0; m < w->models; m++) {
        for (size_t i = 0; i < (size_t)STRATEGY_COUNT * METRICS_ARM_COUNT * OUTCOME_COUNT; i++) {
            uint64_t n = sum(w, MODEL_OFFSET(m, queries) + i * sizeof(counter));
            const struct metric_label labels[] = {
                { "strategy", metrics_strategy_names[i / (METRICS_ARM_COUNT * OUTCOME_COUNT)] },
                { "model", model_name(w, m) },
                { "arm", arm_names[i / OUTCOME_COUNT % METRICS_ARM_COUNT] },
                { "outcome", outcome_names[i % OUTCOME_COUNT] },
            };
            if (n > 0)
                count_put(w, labels, ARRAY_LEN(labels), n);
        }
    }
}

static void faults_put(const struct walk *w, size_t offset, const struct metric_label *model)
{
    for (size_t e = 0; e < ERR_COUNT; e++) {
        uint64_t n = sum(w, offset + e * sizeof(counter));
        struct metric_label labels[2] = { { "result", str_from(err_info((enum err)e)->name) } };
        if (model)
            labels[1] = *model;
        if (n > 0)
            count_put(w, labels, model ? 2 : 1, n);
    }
}

static void query_families_put(const struct walk *w)
{
    uint64_t ended = sum(w, offsetof(struct metrics, ended));
    uint64_t begun = sum(w, offsetof(struct metrics, begun));

    queries_put(w);
    family(w, "weir_query_faults_total", METRIC_COUNTER, "",
           "Queries that were not answered, by what went wrong.");
    faults_put(w, offsetof(struct metrics, faults), NULL);
    family(w, "weir_queries_in_flight", METRIC_GAUGE, "", "Queries that have not ended.");
    count_put(w, NULL, 0, begun > ended ? begun - ended : 0);
    family(w, "weir_unpriced_queries_total", METRIC_COUNTER, "",
           "Queries whose cost is not known.");
    count_put(w, NULL, 0, sum(w, offsetof(struct metrics, unpriced)));
    family(w, "weir_query_duration_seconds", METRIC_HISTOGRAM, "seconds",
           "From a query's admission to its answer.");
    for (size_t s = 0; s < STRATEGY_COUNT; s++) {
        struct histogram h =
            duration_at(offsetof(struct metrics, duration) + s * sizeof(struct duration_histogram),
                        "strategy", metrics_strategy_names[s]);
        histogram_put(w, &h, s == 0);
    }
    family(w, "weir_query_overhead_seconds", METRIC_HISTOGRAM, "seconds",
           "Of a query's duration, the time in which no provider was waited for.");
    histogram_put(w,
                  &(struct histogram){ .offset = offsetof(struct metrics, overhead),
                                       .bounds = metrics_overhead_bounds,
                                       .bound_count = OVERHEAD_BOUNDS,
                                       .unit = NANO },
                  true);
    family(w, "weir_confidence_ratio", METRIC_HISTOGRAM, "ratio",
           "Confidences of answers, and of the stages that made them.");
    for (size_t i = 0; i < CONFIDENCE_COUNT; i++)
        histogram_put(w,
                      &(struct histogram){ .offset = offsetof(struct metrics, confidence) +
                                                     i * sizeof(struct confidence_histogram),
                                           .bounds = metrics_confidence_bounds,
                                           .bound_count = CONFIDENCE_BOUNDS,
                                           .unit = MILLIONTH,
                                           .label = { "of", confidence_names[i] } },
                      i == 0);
}

/* ---- calls ---- */

/* A counter of each model. */
static void model_counts_put(const struct walk *w, size_t member)
{
    for (size_t m = 0; m < w->models; m++) {
        const struct metric_label label = { "model", model_name(w, m) };
        count_put(w, &label, 1, sum(w, model_offset(m, member)));
    }
}

static void tokens_put(const struct walk *w)
{
    family(w, "weir_tokens_total", METRIC_COUNTER, "",
           "Tokens of all calls; cached and cache_write are parts of input, reasoning of output.");
    for (size_t m = 0; m < w->models; m++) {
        for (size_t t = 0; t < TOKEN_COUNT; t++) {
            const struct metric_label labels[] = { { "model", model_name(w, m) },
                                                   { "kind", token_names[t] } };
            count_put(w, labels, 2, sum(w, MODEL_OFFSET(m, tokens) + t * sizeof(counter)));
        }
    }
}

static void costs_put(const struct walk *w)
{
    family(w, "weir_cost_usd_total", METRIC_COUNTER, "usd", "Cost of all priced calls.");
    for (size_t m = 0; m < w->models; m++) {
        struct metric_point p = { .labels = { { "model", model_name(w, m) } },
                                  .label_count = 1,
                                  .value = (double)sum(w, MODEL_OFFSET(m, cost_nano_usd)) * NANO };
        metric_point_put(w->sink, &p);
    }
}

static void model_durations_put(const struct walk *w, size_t member)
{
    for (size_t m = 0; m < w->models; m++) {
        struct histogram h = duration_at(model_offset(m, member), "model", model_name(w, m));
        histogram_put(w, &h, m == 0);
    }
}

static void call_families_put(const struct walk *w)
{
    family(w, "weir_model_calls_total", METRIC_COUNTER, "", "Calls to providers, by result.");
    for (size_t m = 0; m < w->models; m++) {
        const struct metric_label label = { "model", model_name(w, m) };
        faults_put(w, MODEL_OFFSET(m, calls), &label);
    }
    family(w, "weir_model_call_retries_total", METRIC_COUNTER, "",
           "Further attempts at calls to providers.");
    model_counts_put(w, offsetof(struct model_counters, retries));
    tokens_put(w);
    costs_put(w);
    family(w, "weir_unpriced_calls_total", METRIC_COUNTER, "", "Calls whose cost is not known.");
    model_counts_put(w, offsetof(struct model_counters, unpriced_calls));
    family(w, "weir_model_call_duration_seconds", METRIC_HISTOGRAM, "seconds",
           "Calls to providers, all attempts.");
    model_durations_put(w, offsetof(struct model_counters, duration));
    family(w, "weir_model_call_first_byte_seconds", METRIC_HISTOGRAM, "seconds",
           "From a call's start to its answer's first byte.");
    model_durations_put(w, offsetof(struct model_counters, first_byte));
}

static void http_put(const struct walk *w)
{
    static const char *const classes[] = { "1xx", "2xx", "3xx", "4xx", "5xx" };

    family(w, "weir_http_responses_total", METRIC_COUNTER, "", "HTTP answers by class.");
    for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
        const struct metric_label label = { "class", str_from(classes[i]) };
        count_put(w, &label, 1, sum(w, offsetof(struct metrics, http) + (i + 1) * sizeof(counter)));
    }
}

void metrics_walk(const struct metrics_shards *shards, const struct metric_sink *sink)
{
    if (shards->count == 0)
        return;
    const struct walk w = { shards, sink, shards->items[0]->model_count };
    query_families_put(&w);
    call_families_put(&w);
    http_put(&w);
}
