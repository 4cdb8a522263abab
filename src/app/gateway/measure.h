/* SPDX-License-Identifier: Apache-2.0 */
/*
 * measure: everything that this process measures, as one walk: the workers' counters, the ledger, readiness, breakers, rollout and
 * alerts, exporters, the process itself. Prometheus reads it from /metrics; exporters are given it now and then.
 *
 * May include: base, core/telemetry, edge/store, edge/telemetry, edge/upstream, app/health.
 */
#ifndef WEIR_APP_GATEWAY_MEASURE_H
#define WEIR_APP_GATEWAY_MEASURE_H

#include "base/base.h"
#include "core/telemetry/metric.h"

struct health;
struct lanes;
struct metrics;
struct store;
struct telemetry;

struct measure {
    const struct metrics *const *shards;
    size_t shard_count;
    const struct store *store; /* any of these may be NULL: then its families are left out */
    const struct telemetry *telemetry;
    struct health *health;
    struct lanes *lanes;
    void (*on_control)(void *control, const struct metric_sink *sink);
    void *control;
    str version;
    usec_utc started;
};
/* On the thread whose `control` it is. */
void measure_walk(const struct measure *m, const struct metric_sink *sink);

#endif
