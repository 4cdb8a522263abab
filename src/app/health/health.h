/* SPDX-License-Identifier: Apache-2.0 */
/*
 * health: is this gateway ready? Three parts, each judged on the main thread's loop and off every request's path:
 *
 *     ledger      the store thread answers, the newest write into the directory went, the spill has room
 *     control     control.db can be used
 *     provider    at least one provider of a configured model answers
 *
 * A provider that answered queries lately is known to be there; only for one that did not, a small request (GET {base_url}/models,
 * with the key) goes out, at most one in server.ready_probe_seconds. Until each part is known the gateway is starting.
 *
 * A caller may rely on: reading costs a copy and never waits for a disk, a database or a provider; probing never delays a query;
 * health says nothing about liveness, which is the loop's answer alone.
 *
 * May include: base, core/dialect, core/json, core/telemetry, edge/world, edge/config, edge/store, edge/upstream, app/engine.
 */
#ifndef WEIR_APP_HEALTH_HEALTH_H
#define WEIR_APP_HEALTH_HEALTH_H

#include "base/base.h"

struct config;
struct health;
struct log;
struct metric_sink;
struct reach;
struct store;
struct world;

/* clang-format off */
enum health_part_kind { HEALTH_LEDGER, HEALTH_CONTROL, HEALTH_PROVIDER, HEALTH_PART_COUNT };
/* clang-format on */

struct health_part {
    const char *name; /* "ledger", "control", "provider" */
    bool is_known; /* it was looked at */
    bool is_ok;
    bool is_required; /* else it is shown and does not count */
    usec_utc since; /* when is_ok last changed, or the start */
    char detail[200]; /* for people; no secret */
};

enum health_state { HEALTH_READY, HEALTH_STARTING, HEALTH_NOT_READY, HEALTH_STOPPING };
const char *health_state_name(enum health_state state); /* "ready", "starting", … */

struct health_report {
    enum health_state state; /* never HEALTH_STOPPING: that is the listener's to say */
    struct health_part parts[HEALTH_PART_COUNT];
};

struct health_options {
    struct world *world; /* where it lives */
    const struct config *config; /* must outlive it */
    const struct log *log; /* told when the state changes */
    struct store *store;
    const struct reach *reach; /* what the queries' calls show */
    /* Can control.db be used? OK, or a fault; called in the loop, so it must not wait. */
    enum err (*control_probe)(void *control);
    void *control;
    struct health *before; /* what it knew holds until this one has looked; NULL: nothing did */
};

NODISCARD enum err health_open(struct health **out, const struct health_options *options);
void health_close(struct health *h); /* NULL is a no-op */
/* From any thread. */
void health_read(struct health *h, struct health_report *out);

/* JSON: {"status": "ready"}, with the parts that keep it from being ready, or with all. Details are for operators: who needs no key to ask
 * is not given them. */
enum health_show { HEALTH_SHOW_FAULTS, HEALTH_SHOW_ALL };
void health_write(const struct health_report *report, enum health_show show, bool has_details,
                  struct buf *out);

/* A family: weir_ready{part="…"} 1 or 0. */
void health_walk(const struct health_report *report, const struct metric_sink *sink);

/* ---- the judgements, pure ---- */
/* waited: since the store was asked to probe, 0 when it has answered. */
bool health_ledger_judge(uint64_t journal_bytes, uint64_t journal_bytes_max, bool is_writable,
                         nsec waited, char detail[200]);
/* What all required parts together are. */
enum health_state health_judge(const struct health_part *parts, size_t count);

#endif
