/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reload: a new configuration for a gateway that serves, as one immutable value that takes the place of the old one.
 *
 *     file --config_load()--> wrong: said where, nothing changes
 *       '--> generation (configuration, profile, reach, health) --a turn of each worker's loop--> new queries run under it
 *                      the one before: closed once no worker has a query that began before its own turn
 *
 * A worker takes the new value in a turn of its own between two requests, so that no query sees half of each and the path of a
 * request reads nothing shared. What was under way goes on under what it began with.
 *
 * A caller may rely on: no request fails or waits because of a reload; a file that is not valid changes nothing; keys that need a
 * restart keep their values and are named; of what was replaced nothing is freed that a query may still read.
 */
#ifndef WEIR_APP_CLI_RELOAD_H
#define WEIR_APP_CLI_RELOAD_H

#include <stdatomic.h>

#include "base/base.h"
#include "edge/world/world.h"

struct admin;
struct config;
struct engine;
struct exchange;
struct gateway;
struct generation;
struct health;
struct lanes;
struct log;
struct reach;
struct store;

/* A worker's side; lives in the worker. */
struct reload_seat {
    struct world *world;
    struct engine *engine;
    struct gateway *gateway;

    /* private */
    struct turn adopt;
    struct timer poll; /* while queries of older generations run */
    _Atomic(const struct generation *) next;
    _Atomic uint32_t adopted; /* the newest generation taken over */
    _Atomic uint32_t oldest; /* of the generations that it may still read */
};

struct reload_options {
    struct world *world; /* the main thread's */
    const struct log *log;
    str path; /* of the file; empty: the default */
    const struct config
        *running; /* with which the process began: what needs a restart is compared with it */
    struct store *store;
    struct lanes *lanes;
    enum err (*control_probe)(void *control);
    void *control;
    struct admin *admin;
    struct reload_seat *const *seats;
    size_t seat_count;
    struct reach *reach; /* of the first generation; both become the reload's to close */
    struct health *health;
};

struct reload;
NODISCARD enum err reload_open(struct reload **out, const struct reload_options *options);
/* The workers' threads have ended and their engines are closed; NULL is a no-op. */
void reload_close(struct reload *r);
/* Before the engine of its worker closes. */
void reload_seat_fini(struct reload_seat *seat);

/* Reads the file again; what came of it is logged, and appended as JSON to *out unless that is NULL. CALLER_BAD_REQUEST: the file
 * is not valid; WEIR_OVERLOADED: a reload is under way; WEIR_NO_MEMORY. In each case nothing has changed. */
NODISCARD enum err reload_run(struct reload *r, struct buf *out);
/* The configuration that holds now, for the main thread, until its loop's next turn. r is a struct reload. */
const struct config *reload_config(const void *r);
/* POST /admin/v1/config/reload; ctx is a struct reload. */
void reload_on_request(void *ctx, struct exchange *x);

#endif
