/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exposed: the units that were counted, in control.db, written in the transaction that writes the counts: after a crash either
 * knows what the other knows, and a conversation that comes back is not counted once more.
 *
 *     rollout.units.NAME@EVENT.PHASE      of one phase; those of other phases go when this one is written
 *     experiment.units.NAME@STARTED.EPOCH of one epoch, likewise; gone when it is stopped
 */
#include "app/control/control_internal.h"

#include <stdio.h>

enum err units_put(struct controller *c, const struct units *u, str key)
{
    struct buf bytes = { 0 };
    int64_t number;
    enum err e = OK;

    for (size_t i = 0; e == OK && units_part(u, i, &number, &bytes); i++) {
        e = bytes.failed ? WEIR_NO_MEMORY
                         : control_part_put(c->store, key, number, buf_str(&bytes));
        buf_reset(&bytes);
    }
    buf_fini(&bytes);
    return e;
}

struct restoring {
    struct units *units;
    bool is_damaged;
};

static void on_part(void *ctx, int64_t number, str bytes)
{
    struct restoring *r = ctx;

    if (!r->is_damaged)
        r->is_damaged = !units_restore(r->units, number, bytes);
}

void units_get(struct controller *c, struct units *u, str key)
{
    struct restoring r = { .units = u };
    enum err e = control_parts(c->store, key, on_part, &r);

    if (e != OK || r.is_damaged)
        LOG(c->options.log, LOG_ERROR,
            "some of the units that were counted cannot be read: those are counted again",
            LOG_TEXT("key", key));
}
