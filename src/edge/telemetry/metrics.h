/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics: counters and histograms of one worker, added to by that worker alone without locks, and summed over the workers when
 * they are read. Label values come from closed sets (strategies, configured models, kinds of arms, outcomes, faults), so a hostile
 * client cannot add a series.
 *
 * May include: base, core/json, core/money, core/telemetry, edge/config, edge/upstream, edge/world.
 */
#ifndef WEIR_EDGE_TELEMETRY_METRICS_H
#define WEIR_EDGE_TELEMETRY_METRICS_H

#include "base/base.h"
#include "core/money/money.h"
#include "core/telemetry/metric.h"

#define METRICS_MODELS_MAX ((size_t)64) /* with series of their own; others are "other" */

struct metrics; /* one worker's shard */

/* models: the names that label series; their texts must outlive the shard, and they must be the same for all shards that are read
 * together. */
NODISCARD enum err metrics_open(struct metrics **out, const str *models, size_t model_count);
void metrics_close(struct metrics *m); /* NULL is a no-op */

/* What a query counted for. */
/* clang-format off */
#define METRICS_ARM_TABLE(X)       \
    X(NONE,      "none")           \
    X(BASELINE,  "baseline")       \
    X(CONTROL,   "control")        \
    X(CANARY,    "canary")         \
    X(HOLDBACK,  "holdback")       \
    X(TREATMENT, "treatment") /* of an experiment, any but the first */
/* clang-format on */
enum metrics_arm {
#define X(name, text) METRICS_ARM_##name,
    METRICS_ARM_TABLE(X)
#undef X
        METRICS_ARM_COUNT
};

struct metrics_query {
    str strategy; /* "plain", "audit", or a strategy's name; anything else counts as "other" */
    str model; /* that answered or was to */
    enum metrics_arm arm;
    enum err fault;
    nano_usd cost; /* or COST_UNPRICED */
    nsec took;
    nsec overhead; /* of `took`, without the time in which a provider was waited for */
    double confidence, hrm_confidence, trm_confidence; /* negative: none */
};
struct metrics_call {
    str model;
    enum err fault;
    int attempts;
    struct usage usage;
    nano_usd cost; /* or COST_UNPRICED */
    nsec took; /* 0: it never left */
    nsec first_byte; /* 0: none came */
};
void metrics_query_begin(struct metrics *m);
void metrics_query_end(struct metrics *m, const struct metrics_query *q);
void metrics_call_add(struct metrics *m, const struct metrics_call *c);
void metrics_http_add(struct metrics *m,
                      int http_status); /* every HTTP answer, refusals included */

/* All families, of the sum of the shards. From any thread. */
struct metrics_shards {
    const struct metrics *const *items;
    size_t count;
};
void metrics_walk(const struct metrics_shards *shards, const struct metric_sink *sink);

uint64_t metrics_queries(const struct metrics_shards *shards); /* that have ended */

/* The same as a few sums, for whoever follows them over time. */
#define METRICS_DURATION_BOUNDS 17
struct metrics_totals {
    uint64_t queries, answered, faults; /* faults: not the caller's */
    uint64_t calls, retries;
    uint64_t input_tokens, output_tokens;
    uint64_t cost_nano_usd, unpriced;
    uint64_t durations[METRICS_DURATION_BOUNDS + 1];
    uint64_t confidence_count[3], confidence_millionths[3]; /* answer, hrm, trm */
};
void metrics_total(const struct metrics_shards *shards, struct metrics_totals *out);
/* The duration in seconds below which a share of the queries between two totals stayed, interpolated within a bucket; negative:
 * there were none. */
double metrics_duration_quantile(const struct metrics_totals *before,
                                 const struct metrics_totals *after, double share);

#endif
