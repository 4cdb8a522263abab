/* SPDX-License-Identifier: Apache-2.0 */
/* metrics_total: the few sums that are followed over time. */
#include "edge/telemetry/metrics_internal.h"

static void queries_total(const struct metrics_shards *shards, size_t model,
                          struct metrics_totals *t)
{
    for (size_t i = 0; i < (size_t)STRATEGY_COUNT * METRICS_ARM_COUNT * OUTCOME_COUNT; i++) {
        size_t outcome = i % OUTCOME_COUNT;
        uint64_t n = metrics_sum(shards, MODEL_OFFSET(model, queries) + i * sizeof(counter));
        t->queries += n;
        if (outcome == OUTCOME_ANSWERED)
            t->answered += n;
        else if (outcome != OUTCOME_CALLER && outcome != OUTCOME_GONE)
            t->faults += n;
    }
}

static void calls_total(const struct metrics_shards *shards, size_t model, struct metrics_totals *t)
{
    for (size_t e = 0; e < ERR_COUNT; e++)
        t->calls += metrics_sum(shards, MODEL_OFFSET(model, calls) + e * sizeof(counter));
    t->retries += metrics_sum(shards, MODEL_OFFSET(model, retries));
    t->input_tokens += metrics_sum(shards, MODEL_OFFSET(model, tokens[TOKEN_INPUT]));
    t->output_tokens += metrics_sum(shards, MODEL_OFFSET(model, tokens[TOKEN_OUTPUT]));
    t->cost_nano_usd += metrics_sum(shards, MODEL_OFFSET(model, cost_nano_usd));
}

static void confidences_total(const struct metrics_shards *shards, struct metrics_totals *t)
{
    for (size_t i = 0; i < CONFIDENCE_COUNT; i++) {
        size_t at = offsetof(struct metrics, confidence) + i * sizeof(struct confidence_histogram);
        for (size_t b = 0; b <= CONFIDENCE_BOUNDS; b++)
            t->confidence_count[i] += metrics_sum(shards, at + b * sizeof(counter));
        t->confidence_millionths[i] =
            metrics_sum(shards, at + offsetof(struct confidence_histogram, sum));
    }
}

uint64_t metrics_queries(const struct metrics_shards *shards)
{
    return metrics_sum(shards, offsetof(struct metrics, ended));
}

void metrics_total(const struct metrics_shards *shards, struct metrics_totals *out)
{
    struct metrics_totals t = { 0 };

    for (size_t m = 0; shards->count > 0 && m < shards->items[0]->model_count; m++) {
        queries_total(shards, m, &t);
        calls_total(shards, m, &t);
    }
    t.unpriced = metrics_sum(shards, offsetof(struct metrics, unpriced));
    for (size_t s = 0; s < STRATEGY_COUNT; s++)
        for (size_t b = 0; b <= METRICS_DURATION_BOUNDS; b++)
            t.durations[b] += metrics_sum(shards, offsetof(struct metrics, duration) +
                                                      s * sizeof(struct duration_histogram) +
                                                      b * sizeof(counter));
    confidences_total(shards, &t);
    *out = t;
}

double metrics_duration_quantile(const struct metrics_totals *before,
                                 const struct metrics_totals *after, double share)
{
    uint64_t total = 0, below = 0;

    for (size_t b = 0; b <= METRICS_DURATION_BOUNDS; b++)
        total += after->durations[b] - before->durations[b];
    for (size_t b = 0; b <= METRICS_DURATION_BOUNDS && total > 0; b++) {
        uint64_t here = after->durations[b] - before->durations[b];
        double low = b > 0 ? (double)metrics_duration_bounds[b - 1] : 0;
        if (b == METRICS_DURATION_BOUNDS)
            return low / 1e9; /* nobody knows how far beyond */
        double wanted = share * (double)total - (double)below;
        if ((double)here >= wanted && here > 0)
            return (low + ((double)metrics_duration_bounds[b] - low) * wanted / (double)here) / 1e9;
        below += here;
    }
    return -1;
}
