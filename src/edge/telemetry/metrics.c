/* SPDX-License-Identifier: Apache-2.0 */
/* metrics: what is counted; see metrics.h. */
#include "edge/telemetry/metrics.h"

#include <stdlib.h>

#include "edge/telemetry/metrics_internal.h"

#define MS NSEC_PER_MS
#define US NSEC_PER_USEC

const int64_t metrics_duration_bounds[METRICS_DURATION_BOUNDS] = {
    MS / 4,    MS / 2,    1 * MS,     2 * MS,     5 * MS,    10 * MS,
    20 * MS,   50 * MS,   100 * MS,   200 * MS,   500 * MS,  1000 * MS,
    2000 * MS, 5000 * MS, 10000 * MS, 30000 * MS, 60000 * MS
};
const int64_t metrics_overhead_bounds[OVERHEAD_BOUNDS] = {
    5 * US,   10 * US,  15 * US,  20 * US,  30 * US,   40 * US,   50 * US,   75 * US,    100 * US,
    150 * US, 200 * US, 300 * US, 500 * US, 1000 * US, 2000 * US, 5000 * US, 20000 * US, 100000 * US
};
const int64_t metrics_confidence_bounds[CONFIDENCE_BOUNDS] = { 100000, 200000, 300000, 400000,
                                                               500000, 600000, 650000, 700000,
                                                               750000, 800000, 850000, 900000,
                                                               950000, 990000 };

const str metrics_strategy_names[STRATEGY_COUNT] = {
#define X(name) { name, sizeof(name) - 1 },
    STRATEGY_TABLE(X)
#undef X
};

static void add(counter *c, uint64_t n)
{
    atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

static uint64_t positive(int64_t n)
{
    return n > 0 ? (uint64_t)n : 0;
}

enum err metrics_open(struct metrics **out, const str *models, size_t model_count)
{
    size_t n = (model_count < METRICS_MODELS_MAX ? model_count : METRICS_MODELS_MAX) + 1;
    struct metrics *m = calloc(1, sizeof(*m) + n * (sizeof(struct model_counters) + sizeof(str)));

    if (!m)
        return WEIR_NO_MEMORY;
    m->model_count = n;
    m->model_names = (str *)(void *)&m->models[n];
    for (size_t i = 0; i < n - 1; i++)
        m->model_names[i] = models[i];
    m->model_names[n - 1] = STR("other");
    *out = m;
    return OK;
}

void metrics_close(struct metrics *m)
{
    free(m);
}

str metrics_model_name(const struct metrics *m, size_t model)
{
    return m->model_names[model];
}

static struct model_counters *model_of(struct metrics *m, str name)
{
    size_t i = 0;

    while (i < m->model_count - 1 && !str_eq(m->model_names[i], name))
        i++;
    return &m->models[i];
}

static size_t strategy_of(str name)
{
    size_t i = 0;

    while (i < STRATEGY_COUNT - 1 && !str_eq(metrics_strategy_names[i], name))
        i++;
    return i;
}

static enum metrics_outcome outcome_of(enum err fault)
{
    if (fault == OK)
        return OUTCOME_ANSWERED;
    if (fault == CALLER_GONE)
        return OUTCOME_GONE;
    if (fault < CALLER_GONE)
        return OUTCOME_CALLER;
    if (fault <= POLICY_LIMIT)
        return OUTCOME_POLICY;
    if (fault < DEADLINE_EXCEEDED)
        return OUTCOME_PROVIDER;
    return fault == DEADLINE_EXCEEDED ? OUTCOME_DEADLINE : OUTCOME_WEIR;
}

static size_t bucket_of(const int64_t *bounds, size_t n, int64_t value)
{
    size_t i = 0;

    while (i < n && value > bounds[i])
        i++;
    return i;
}

static void duration_add(struct duration_histogram *h, nsec took)
{
    add(&h->counts[bucket_of(metrics_duration_bounds, METRICS_DURATION_BOUNDS, took)], 1);
    add(&h->sum, positive(took));
}

static void confidence_add(struct confidence_histogram *h, double confidence)
{
    if (!(confidence >= 0))
        return;
    int64_t millionths = (int64_t)(confidence * 1e6 + 0.5);
    add(&h->counts[bucket_of(metrics_confidence_bounds, CONFIDENCE_BOUNDS, millionths)], 1);
    add(&h->sum, positive(millionths));
}

void metrics_query_begin(struct metrics *m)
{
    add(&m->begun, 1);
}

void metrics_query_end(struct metrics *m, const struct metrics_query *q)
{
    struct model_counters *model = model_of(m, q->model);
    size_t strategy = strategy_of(q->strategy);
    size_t b = bucket_of(metrics_overhead_bounds, OVERHEAD_BOUNDS, q->overhead);

    add(&m->ended, 1);
    add(&model->queries[strategy][q->arm][outcome_of(q->fault)], 1);
    if (q->fault != OK)
        add(&m->faults[q->fault], 1);
    if (q->cost == COST_UNPRICED)
        add(&m->unpriced, 1);
    duration_add(&m->duration[strategy], q->took);
    add(&m->overhead.counts[b], 1);
    add(&m->overhead.sum, positive(q->overhead));
#define X(name, text, field) confidence_add(&m->confidence[CONFIDENCE_##name], q->field);
    CONFIDENCE_TABLE(X)
#undef X
}

void metrics_call_add(struct metrics *m, const struct metrics_call *c)
{
    struct model_counters *model = model_of(m, c->model);

    add(&model->calls[c->fault], 1);
    add(&model->retries, positive(c->attempts - 1));
#define X(name, text, field) add(&model->tokens[TOKEN_##name], positive(c->usage.field));
    TOKEN_TABLE(X)
#undef X
    if (c->cost == COST_UNPRICED)
        add(&model->unpriced_calls, 1);
    else
        add(&model->cost_nano_usd, positive(c->cost));
    if (c->took > 0)
        duration_add(&model->duration, c->took);
    if (c->first_byte > 0)
        duration_add(&model->first_byte, c->first_byte);
}

void metrics_http_add(struct metrics *m, int http_status)
{
    add(&m->http[http_status >= 100 && http_status < 600 ? http_status / 100 : 0], 1);
}
