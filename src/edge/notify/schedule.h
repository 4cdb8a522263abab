/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schedule: what becomes of a message after an attempt. Pure.
 *
 * Webhooks follow the schedule of Standard Webhooks (0, 5 s, 5 min, 30 min, 2 h, 5 h, 10 h); the others back off
 * exponentially from 5 s to 10 min, with jitter, for three days: a service that is down for a day loses nothing.
 *
 * May include: base, core/alert, edge/store.
 */
#ifndef WEIR_EDGE_NOTIFY_SCHEDULE_H
#define WEIR_EDGE_NOTIFY_SCHEDULE_H

#include "base/rng.h"
#include "core/alert/wire.h"
#include "edge/store/control.h"

#define SCHEDULE_LIFE                                                                              \
    (INT64_C(3) * 86400 * 1000000) /* µs from a message's creation, webhooks excepted */

/* Sets attempts, state and due of a message that was attempted now; retry_after < 0: none was asked for. */
void schedule_next(struct outbox_message *message, enum wire_kind kind, enum wire_result result,
                   nsec retry_after, usec_utc now, struct rng *rng);

#endif
