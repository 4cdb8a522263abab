/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateway: the HTTP side of the engine: chat completions, embeddings, messages, responses, models, feedback, health; one gateway a
 * worker. And the admin's: health and metrics on a listener of its own.
 *
 * A caller may rely on: every request is answered in its API's shapes, errors too; a client that goes away
 * cancels its query.
 *
 * May include: base, core/json, core/money, core/dialect, core/reason, core/http, core/telemetry, edge/world, edge/config, edge/store, edge/http,
 * edge/upstream, edge/telemetry, app/access, app/engine, app/health.
 */
#ifndef WEIR_APP_GATEWAY_GATEWAY_H
#define WEIR_APP_GATEWAY_GATEWAY_H

#include "app/gateway/measure.h"
#include "base/base.h"

struct access;
struct config;
struct engine;
struct exchange;
struct health;
struct key;
struct log;
struct metrics;
struct world;

struct gateway {
    struct world *world;
    struct engine *engine;
    struct metrics *metrics;
    const struct config *config;
    const struct log *log;
    const struct access *access; /* who may ask; NULL: everyone */
    const struct key *caller; /* of the request that is being handled; NULL: of nobody known */
    struct health *health; /* what readyz asks */
    bool is_draining; /* readyz says 503 */
};

/* The server's on_request of the data listener; ctx is a struct gateway. */
void gateway_on_request(void *ctx, struct exchange *x);

/* The server's on_refused: what it answered itself is counted, and a refused question has its ledger row. */
void gateway_on_refused(void *ctx, enum err fault, str path);

struct admin {
    struct world *world;
    struct measure measure;
    struct health *health;
    bool is_draining;
    /* Answers every other path: the dashboard and the admin API. NULL: there is nothing. */
    void (*on_rest)(void *rest, struct exchange *x);
    void *rest;
    /* Answers /admin/v1/config/reload; NULL: nobody does. */
    void (*on_reload)(void *reload, struct exchange *x);
    void *reload;
};
/* The server's on_request of the admin listener; ctx is a struct admin. */
void admin_on_request(void *ctx, struct exchange *x);
/* Breakers and reload, for whoever has checked that the asker may; false: the path is another's. */
bool admin_on_operation(void *ctx, struct exchange *x);

#endif
