/* SPDX-License-Identifier: Apache-2.0 */
/*
 * telemetry: exporters: OpenTelemetry, LangSmith, Weights & Biases. Each has a thread and a bounded queue of its own, so that what
 * is slow or down delays only itself.
 *
 *     worker --trace--> queue of an exporter ~~> its thread --> POST         main thread --metrics--> its thread
 *
 * A caller may rely on: no function waits for an endpoint but telemetry_close(), which waits a few seconds at most; a full queue
 * drops its oldest trace and counts it; secrets are taken out before a trace is in a queue; what leaves is what the
 * configuration allows: prompts and answers only where telemetry.capture_content is set.
 *
 * May include: base, core/json, core/money, core/telemetry, edge/config, edge/upstream, edge/world.
 */
#ifndef WEIR_EDGE_TELEMETRY_TELEMETRY_H
#define WEIR_EDGE_TELEMETRY_TELEMETRY_H

#include "base/base.h"
#include "core/telemetry/metric.h"
#include "core/telemetry/trace.h"
#include "edge/telemetry/metrics.h"

struct config;
struct log;
struct telemetry; /* NULL, with every function below: nothing is exported */

struct telemetry_options {
    const struct config *config; /* must outlive it */
    const struct log *log;
    str version;
    uint64_t seed; /* of ids and of jitter: another one for each process */
};
/* Starts what the configuration switches on; *out is NULL when that is nothing. post_init() must have been called.
 * WEIR_NO_MEMORY. */
NODISCARD enum err telemetry_open(struct telemetry **out, const struct telemetry_options *options);
void telemetry_close(struct telemetry *t); /* one last attempt at what waits */

/* ---- from any worker ---- */

/* Whether a query's trace is to be taken: its id, fault and verdict must be set; seed and threshold are set here. */
bool telemetry_wants(const struct telemetry *t, struct trace *trace);
bool telemetry_captures(const struct telemetry *t); /* whether its texts are to be set */
void telemetry_take(struct telemetry *t, const struct trace *trace); /* copies */

/* ---- from the main thread ---- */

/* A few times a second: how many queries there have been; fits the share that is sampled to what may be exported. */
void telemetry_pace(struct telemetry *t, uint64_t queries, nsec now);

nsec telemetry_interval(
    const struct telemetry *t); /* between two calls of the next; 0: none is wanted */
struct measurement {
    const struct metrics_shards *shards;
    void (*walk)(void *ctx, const struct metric_sink *sink); /* all families */
    void *ctx;
    usec_utc now;
};
void telemetry_measure(struct telemetry *t, const struct measurement *m);

/* Families about the exporters. */
void telemetry_walk(const struct telemetry *t, const struct metric_sink *sink);

#endif
