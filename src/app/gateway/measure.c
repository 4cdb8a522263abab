/* SPDX-License-Identifier: Apache-2.0 */
/* measure: see measure.h. */
#include "app/gateway/measure.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "app/health/health.h"
#include "edge/store/store.h"
#include "edge/telemetry/telemetry.h"

static void ledger_walk(const struct store *store, const struct metric_sink *sink)
{
    static const struct metric_family spill = { "weir_ledger_journal_bytes", METRIC_GAUGE, "bytes",
                                                "Journals that are not imported yet, or not yet "
                                                "deleted." };
    static const struct metric_family failures = { "weir_ledger_import_failures_total",
                                                   METRIC_COUNTER, "",
                                                   "Imports that the database refused." };
    struct store_health health;

    store_health_read(store, &health);
    metric_put(sink, &spill, (double)health.journal_bytes, true);
    metric_put(sink, &failures, (double)health.import_failures, true);
}

/* Resident bytes; 0 where /proc cannot be read. */
static double resident_bytes(void)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");

    if (!f)
        return 0;
    if (fscanf(f, "%*s %ld", &pages) != 1)
        pages = 0;
    fclose(f);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static void process_walk(const struct measure *m, const struct metric_sink *sink)
{
    static const struct metric_family cpu = { "process_cpu_seconds_total", METRIC_COUNTER,
                                              "seconds", "User and system time of all threads." };
    static const struct metric_family memory = { "process_resident_memory_bytes", METRIC_GAUGE,
                                                 "bytes", "Resident memory." };
    static const struct metric_family start = { "process_start_time_seconds", METRIC_GAUGE,
                                                "seconds", "When it started, since 1970." };
    static const struct metric_family build = { "weir_build_info", METRIC_GAUGE, "",
                                                "Always 1; which weir this is." };
    struct metric_point one = {
        .labels = { { "version", m->version } }, .label_count = 1, .value = 1, .is_integer = true
    };
    struct timespec used = { 0 };

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    metric_put(sink, &cpu, (double)used.tv_sec + (double)used.tv_nsec / 1e9, false);
    metric_put(sink, &memory, resident_bytes(), true);
    metric_put(sink, &start, (double)m->started / 1e6, false);
    metric_family_put(sink, &build);
    metric_point_put(sink, &one);
}

void measure_walk(const struct measure *m, const struct metric_sink *sink)
{
    const struct metrics_shards shards = { m->shards, m->shard_count };

    metrics_walk(&shards, sink);
    if (m->store)
        ledger_walk(m->store, sink);
    if (m->health) {
        struct health_report report;
        health_read(m->health, &report);
        health_walk(&report, sink);
    }
    if (m->on_control)
        m->on_control(m->control, sink);
    telemetry_walk(m->telemetry, sink);
    process_walk(m, sink);
}
