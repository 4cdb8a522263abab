/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dashboard: what the admin listener answers beside health and metrics: the dashboard's pages, who may use them, and the part of the
 * admin API that reads: the ledger, the configuration, live events. What changes production it hands on to the controller.
 *
 *     request --> page of web/                                  open to all: holds no data
 *            `--> key, session, origin --> controller           rollouts, experiments, alerts, overview
 *                                     `--> reader ~~> ledger    queries, series: a thread of its own, and a cache
 *                                     `--> events               one snapshot a second, encoded once for all viewers
 *
 * A caller may rely on: the loop never waits for the database; each exchange ends; how many may wait, watch or be signed in is
 * bounded; an answer holds no secret.
 *
 * May include: base, core/json, core/money, core/stats, core/http, edge/world, edge/config, edge/store, edge/http, app/control,
 * app/report.
 */
#ifndef WEIR_APP_ADMIN_DASHBOARD_H
#define WEIR_APP_ADMIN_DASHBOARD_H

#include "base/base.h"

struct config;
struct controller;
struct dashboard;
struct exchange;
struct log;
struct world;

struct dashboard_options {
    struct world *world;
    const struct config *config; /* with which the process began; must outlive it */
    /* The one that holds now, valid until the loop's next turn. */
    const struct config *(*config_now)(const void *reload);
    const void *reload;
    const struct log *log;
    str directory; /* of the ledger */
    struct controller *controller; /* must outlive it */
    /* Asked first about a path of the API, once the asker may use it; false: it is another's. */
    bool (*on_operation)(void *operator, struct exchange * x);
    void *operator;
};

/* WEIR_NO_MEMORY, or WEIR_IO when there is no thread to be had. The ledger is opened when it is first asked for. */
NODISCARD enum err dashboard_open(struct dashboard **out, const struct dashboard_options *options);
/* Ends what waits and who watches; before the listener's server_close(). NULL is a no-op. */
void dashboard_close(struct dashboard *d);

/* ctx is a struct dashboard. */
void dashboard_on_request(void *ctx, struct exchange *x);

/* Whether an address to listen on is this machine's own: without a key nobody else may be let in. */
bool dashboard_is_loopback(str listen);

#endif
