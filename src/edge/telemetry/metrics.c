/* SPDX-License-Identifier: Apache-2.0 */
/* metrics: relaxed atomics; see metrics.h. */
#include "edge/telemetry/metrics.h"

#include <stdatomic.h>
#include <stdlib.h>

static const char *const strategies[] = { "plain",   "direct",  "hrm",
                                          "trm",     "hrm_trm", "self_consistency",
                                          "cascade", "mcts",    "full_stack",
                                          "audit",   "other" };
#define STRATEGY_COUNT ARRAY_LEN(strategies)

/* Upper bounds of the duration histogram, in milliseconds; the last bucket is +Inf. */
static const int64_t bounds_ms[] = { 1,   2,   5,    10,   20,   50,    100,
                                     200, 500, 1000, 2000, 5000, 10000, 30000 };
#define BUCKET_COUNT (ARRAY_LEN(bounds_ms) + 1)

typedef _Atomic uint64_t counter;

struct metrics {
    counter queries[STRATEGY_COUNT][ERR_COUNT];
    counter duration_buckets[BUCKET_COUNT];
    counter duration_sum_us;
    counter calls;
    counter tokens_input;
    counter tokens_output;
    counter cost_nano_usd;
    counter unpriced;
    counter http[6]; /* by the status's first digit */
};

static void add(counter *c, uint64_t n)
{
    atomic_fetch_add_explicit(c, n, memory_order_relaxed);
}

static uint64_t positive(int64_t n)
{
    return n > 0 ? (uint64_t)n : 0;
}

enum err metrics_open(struct metrics **out)
{
    struct metrics *m = calloc(1, sizeof(*m));

    if (!m)
        return WEIR_NO_MEMORY;
    *out = m;
    return OK;
}

void metrics_close(struct metrics *m)
{
    free(m);
}

void metrics_query_add(struct metrics *m, const struct metrics_query *q)
{
    size_t s = 0, b = 0;

    while (s < STRATEGY_COUNT - 1 && !str_eq(q->strategy, str_from(strategies[s])))
        s++;
    while (b < BUCKET_COUNT - 1 && q->took > bounds_ms[b] * NSEC_PER_MS)
        b++;
    add(&m->queries[s][q->fault], 1);
    add(&m->duration_buckets[b], 1);
    add(&m->duration_sum_us, positive(q->took / NSEC_PER_USEC));
    add(&m->calls, q->calls);
    add(&m->tokens_input, positive(q->usage.input));
    add(&m->tokens_output, positive(q->usage.output));
    if (q->cost == COST_UNPRICED)
        add(&m->unpriced, 1);
    else
        add(&m->cost_nano_usd, positive(q->cost));
}

void metrics_http_add(struct metrics *m, int http_status)
{
    add(&m->http[http_status >= 100 && http_status < 600 ? http_status / 100 : 0], 1);
}

/* The sum of the counter at this offset over all shards. */
static uint64_t sum(struct metrics *const *shards, size_t count, size_t offset)
{
    uint64_t total = 0;

    for (size_t i = 0; i < count; i++) {
        counter *c = (counter *)(void *)((char *)shards[i] + offset);
        total += atomic_load_explicit(c, memory_order_relaxed);
    }
    return total;
}

static void write_head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_plain(struct buf *out, const char *name, const char *help, uint64_t value)
{
    write_head(out, name, "counter", help);
    buf_printf(out, "%s %" PRIu64 "\n", name, value);
}

static void write_queries(struct buf *out, struct metrics *const *shards, size_t count)
{
    write_head(out, "weir_queries_total", "counter", "Queries that ended, by strategy and result.");
    for (size_t s = 0; s < STRATEGY_COUNT; s++) {
        for (size_t e = 0; e < ERR_COUNT; e++) {
            uint64_t n =
                sum(shards, count,
                    offsetof(struct metrics, queries) + (s * ERR_COUNT + e) * sizeof(counter));
            if (n > 0)
                buf_printf(out, "weir_queries_total{strategy=\"%s\",result=\"%s\"} %" PRIu64 "\n",
                           strategies[s], err_info((enum err)e)->name, n);
        }
    }
}

static void write_duration(struct buf *out, struct metrics *const *shards, size_t count)
{
    uint64_t cumulative = 0;

    write_head(out, "weir_query_duration_seconds", "histogram",
               "From a query's first byte to its answer.");
    for (size_t b = 0; b < BUCKET_COUNT; b++) {
        cumulative +=
            sum(shards, count, offsetof(struct metrics, duration_buckets) + b * sizeof(counter));
        if (b < BUCKET_COUNT - 1)
            buf_printf(out, "weir_query_duration_seconds_bucket{le=\"%g\"} %" PRIu64 "\n",
                       (double)bounds_ms[b] / 1e3, cumulative);
        else
            buf_printf(out, "weir_query_duration_seconds_bucket{le=\"+Inf\"} %" PRIu64 "\n",
                       cumulative);
    }
    buf_printf(out, "weir_query_duration_seconds_sum %.6f\n",
               (double)sum(shards, count, offsetof(struct metrics, duration_sum_us)) / 1e6);
    buf_printf(out, "weir_query_duration_seconds_count %" PRIu64 "\n", cumulative);
}

void metrics_write(struct buf *out, struct metrics *const *shards, size_t count)
{
    write_queries(out, shards, count);
    write_duration(out, shards, count);
    write_plain(out, "weir_model_calls_total", "Calls to providers.",
                sum(shards, count, offsetof(struct metrics, calls)));
    write_plain(out, "weir_input_tokens_total", "Input tokens of all calls.",
                sum(shards, count, offsetof(struct metrics, tokens_input)));
    write_plain(out, "weir_output_tokens_total", "Output tokens of all calls.",
                sum(shards, count, offsetof(struct metrics, tokens_output)));
    write_plain(out, "weir_unpriced_queries_total", "Queries whose cost is not known.",
                sum(shards, count, offsetof(struct metrics, unpriced)));
    write_head(out, "weir_cost_usd_total", "counter", "Cost of all priced queries.");
    buf_printf(out, "weir_cost_usd_total %.9f\n",
               (double)sum(shards, count, offsetof(struct metrics, cost_nano_usd)) / 1e9);
    write_head(out, "weir_http_responses_total", "counter", "HTTP answers by class.");
    for (size_t i = 1; i < 6; i++)
        buf_printf(out, "weir_http_responses_total{class=\"%zuxx\"} %" PRIu64 "\n", i,
                   sum(shards, count, offsetof(struct metrics, http) + i * sizeof(counter)));
}
