/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of metrics share: how a shard lies in memory. */
#ifndef WEIR_EDGE_TELEMETRY_METRICS_INTERNAL_H
#define WEIR_EDGE_TELEMETRY_METRICS_INTERNAL_H

#include <stdatomic.h>

#include "edge/telemetry/metrics.h"

/* Written by its worker alone, so adding is a load and a store; read by anybody. */
typedef _Atomic uint64_t counter;

/* clang-format off */
#define STRATEGY_TABLE(X) \
    X("plain") X("direct") X("hrm") X("trm") X("hrm_trm") X("self_consistency") X("cascade") X("mcts") X("full_stack") X("audit") X("other")
#define OUTCOME_TABLE(X)                                        \
    X(ANSWERED, "answered")                                     \
    X(GONE,     "gone")     /* the client went away */          \
    X(CALLER,   "caller")   /* the request's fault */           \
    X(POLICY,   "policy")   /* a limit that the operator set */ \
    X(PROVIDER, "provider")                                     \
    X(DEADLINE, "deadline")                                     \
    X(WEIR,     "weir")
#define TOKEN_TABLE(X)                                  \
    X(INPUT,       "input",       input)                \
    X(OUTPUT,      "output",      output)               \
    X(CACHED,      "cached",      cached)      /* a part of input */  \
    X(CACHE_WRITE, "cache_write", cache_write) /* a part of input */  \
    X(REASONING,   "reasoning",   reasoning)   /* a part of output */
#define CONFIDENCE_TABLE(X)                 \
    X(ANSWER, "answer", confidence)         \
    X(HRM,    "hrm",    hrm_confidence)     \
    X(TRM,    "trm",    trm_confidence)
/* clang-format on */

#define X(name) +1
enum { STRATEGY_COUNT = 0 STRATEGY_TABLE(X) };
#undef X
enum metrics_outcome {
#define X(name, text) OUTCOME_##name,
    OUTCOME_TABLE(X)
#undef X
        OUTCOME_COUNT
};
enum metrics_token {
#define X(name, text, field) TOKEN_##name,
    TOKEN_TABLE(X)
#undef X
        TOKEN_COUNT
};
enum metrics_confidence {
#define X(name, text, field) CONFIDENCE_##name,
    CONFIDENCE_TABLE(X)
#undef X
        CONFIDENCE_COUNT
};

#define OVERHEAD_BOUNDS 18
#define CONFIDENCE_BOUNDS 14

/* A histogram's buckets; the last has no upper bound. Sums are in the smallest unit that is ever wanted. */
#define HISTOGRAM(name, bounds)                                                                    \
    struct name {                                                                                  \
        counter counts[(bounds) + 1];                                                              \
        counter sum;                                                                               \
    }
HISTOGRAM(duration_histogram, METRICS_DURATION_BOUNDS); /* nanoseconds */
HISTOGRAM(overhead_histogram, OVERHEAD_BOUNDS); /* nanoseconds */
HISTOGRAM(confidence_histogram, CONFIDENCE_BOUNDS); /* millionths */

struct model_counters {
    counter queries[STRATEGY_COUNT][METRICS_ARM_COUNT][OUTCOME_COUNT];
    counter calls[ERR_COUNT];
    counter retries;
    counter tokens[TOKEN_COUNT];
    counter cost_nano_usd;
    counter unpriced_calls;
    struct duration_histogram duration;
    struct duration_histogram first_byte;
};

struct metrics {
    counter begun; /* queries */
    counter ended;
    counter unpriced;
    counter faults[ERR_COUNT];
    counter http[6]; /* by the status's first digit */
    struct duration_histogram duration[STRATEGY_COUNT];
    struct overhead_histogram overhead;
    struct confidence_histogram confidence[CONFIDENCE_COUNT];
    str *model_names; /* behind the models */
    size_t model_count; /* the last one is "other" */
    struct model_counters models[];
};

/* Upper bounds: nanoseconds, nanoseconds, millionths. */
extern const int64_t metrics_duration_bounds[METRICS_DURATION_BOUNDS];
extern const int64_t metrics_overhead_bounds[OVERHEAD_BOUNDS];
extern const int64_t metrics_confidence_bounds[CONFIDENCE_BOUNDS];

extern const str metrics_strategy_names[STRATEGY_COUNT];

str metrics_model_name(const struct metrics *m, size_t model);

/* The sum of one counter over all shards, by its place in a shard. */
uint64_t metrics_sum(const struct metrics_shards *shards, size_t offset);
static inline size_t model_offset(size_t model, size_t member)
{
    return offsetof(struct metrics, models) + model * sizeof(struct model_counters) + member;
}
#define MODEL_OFFSET(model, member) model_offset(model, offsetof(struct model_counters, member))

#endif
