/* SPDX-License-Identifier: Apache-2.0 */
/*
 * controller: watches production and changes it: drains the workers' feeds, keeps windows, evaluates alerts, moves the
 * rollout, counts experiments. One for a gateway, on the main thread's loop; its state is in control.db beside the ledger.
 *
 *     workers --feed--> windows --> alerts --> outbox ~~> channels
 *        ^          `-> rollout, experiments
 *        `--arms--------'   a row is committed, then applied, then published
 *
 * A caller may rely on:
 *   - a move of a rollout is durable before any query runs under it, and a message is in the outbox with the state that says
 *     so: after a crash nothing is skipped and nothing is done twice;
 *   - what cannot be written changes nothing and is tried again;
 *   - what is published points to what lives until controller_close(), which comes after the workers' end.
 *
 * May include: base, core/json, core/stats, core/change, core/alert, core/telemetry, edge/world, edge/config, edge/store, edge/http, edge/notify,
 * app/access, app/engine.
 */
#ifndef WEIR_APP_CONTROL_CONTROLLER_H
#define WEIR_APP_CONTROL_CONTROLLER_H

#include "base/base.h"

struct access;
struct arms_slot;
struct lanes;
struct config;
struct controller;
struct exchange;
struct feed;
struct log;
struct metric_sink;
struct world;

struct controller_options {
    struct world *world;
    const struct config *config; /* must outlive it */
    const struct log *log;
    str directory; /* of control.db: the ledger's, which this process has locked */
    struct feed *const *feeds; /* one a worker */
    size_t feed_count;
    struct arms_slot *arms; /* where it publishes */
    struct lanes *lanes; /* of the calls of arms that have a configuration of their own */
    struct access *access; /* whose keys it restores, creates and revokes; NULL: there are none */
};

/* Restores what was under way and starts. post_init() must have been called. WEIR_STORE with a sentence in out_why. */
NODISCARD enum err controller_open(struct controller **out,
                                   const struct controller_options *options, char out_why[256]);
/* Reads what is left in the feeds and writes checkpoints; NULL is a no-op. */
void controller_close(struct controller *c);

/* Families about the rollout, alerts, channels and what the feeds lost; ctx is a struct controller. */
void controller_measure(void *ctx, const struct metric_sink *sink);
/* Can control.db be used? Never waits. ctx is a struct controller. */
NODISCARD enum err controller_probe(void *ctx);

/* Requests to /admin/v1/{rollouts,experiments,alerts,silences,outbox,keys,overview}; ctx is a struct controller. */
void controller_on_request(void *ctx, struct exchange *x);

/* What happens now, as one JSON object: the sums of the last while, and what is under way. */
void controller_snapshot_write(struct controller *c, struct buf *out);

#endif
