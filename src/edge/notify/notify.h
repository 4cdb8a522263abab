/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify: delivers what is in the outbox, one thread a channel, so that a slow service delays only itself.
 *
 * A caller may rely on: messages of one channel leave in the order they were added, each until it is taken, is
 * refused for good, or is too old; a message leaves again only when its delivery could not be recorded (the process died
 * between the two), and then under the same key; a channel whose address is gone stops, and its messages stay pending
 * and visible; no secret is in the outbox, in an error or in a log.
 *
 * May include: base, core/alert, core/change, edge/store, edge/upstream, edge/world.
 */
#ifndef WEIR_EDGE_NOTIFY_NOTIFY_H
#define WEIR_EDGE_NOTIFY_NOTIFY_H

#include "base/base.h"
#include "core/alert/wire.h"

struct log;
struct notify;

#define NOTIFY_CHANNELS_MAX ALERT_RECEIVERS_MAX

struct notify_options {
    str directory; /* of control.db, which exists */
    const struct wire_channel *channels; /* sound, and outliving the notifier */
    size_t channel_count;
    const struct log *log;
    nsec timeout; /* of one attempt; 0: 10 s */
    nsec interval_min; /* between two messages of a channel; 0: 1 s, which is what Slack allows */
    uint64_t seed; /* of the jitter */
};
/* post_init() must have been called. WEIR_STORE with a sentence, WEIR_NO_MEMORY. */
NODISCARD enum err notify_open(struct notify **out, const struct notify_options *options,
                               char out_why[256]);
void notify_wake(struct notify *n); /* something was added to the outbox; from any thread */
void notify_close(struct notify *n); /* waits for attempts under way; NULL is a no-op */

/* One attempt, now, without an outbox. *out_status: of the answer, 0: none; out_why: a sentence, empty when it was delivered. */
enum wire_result notify_send(const struct wire_channel *c, str key, str body, usec_utc now,
                             nsec timeout, nsec *out_retry_after, char out_why[256]);

#endif
