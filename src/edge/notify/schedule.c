/* SPDX-License-Identifier: Apache-2.0 */
/* schedule: see schedule.h. */
#include "edge/notify/schedule.h"

#define SECONDS(n) (INT64_C(1000000) * (n))
#define BACKOFF_FIRST SECONDS(5)
#define BACKOFF_MAX SECONDS(600)
#define RETRY_AFTER_MAX SECONDS(3600) /* nobody may hold a channel for longer by asking */

/* Before the attempt after the i-th. */
static const usec_utc webhook_waits[] = { SECONDS(5),    SECONDS(300),   SECONDS(1800),
                                          SECONDS(7200), SECONDS(18000), SECONDS(36000) };

/* Half of the wait is fixed, half is drawn, so that channels that failed together do not return together. */
static usec_utc jittered(usec_utc wait, struct rng *rng)
{
    return wait / 2 + (usec_utc)rng_below(rng, (uint64_t)(wait / 2) + 1);
}

static usec_utc backoff(int64_t attempts, struct rng *rng)
{
    usec_utc wait = BACKOFF_FIRST;

    for (int64_t i = 1; i < attempts && wait < BACKOFF_MAX; i++)
        wait *= 2;
    return jittered(wait < BACKOFF_MAX ? wait : BACKOFF_MAX, rng);
}

static void retry(struct outbox_message *m, enum wire_kind kind, nsec retry_after, usec_utc now,
                  struct rng *rng)
{
    usec_utc asked = retry_after / NSEC_PER_USEC;
    usec_utc wait;

    if (kind == WIRE_WEBHOOK) {
        if (m->attempts > (int64_t)ARRAY_LEN(webhook_waits)) {
            m->state = OUTBOX_DEAD;
            return;
        }
        wait = webhook_waits[m->attempts - 1];
    } else {
        if (now - m->created >= SCHEDULE_LIFE) {
            m->state = OUTBOX_DEAD;
            return;
        }
        wait = backoff(m->attempts, rng);
    }
    if (retry_after >= 0 && asked > wait)
        wait = asked < RETRY_AFTER_MAX ? asked : RETRY_AFTER_MAX;
    m->due = now + wait;
}

void schedule_next(struct outbox_message *message, enum wire_kind kind, enum wire_result result,
                   nsec retry_after, usec_utc now, struct rng *rng)
{
    message->attempts++;
    switch (result) {
    case WIRE_DELIVERED:
        message->state = OUTBOX_SENT;
        break;
    case WIRE_RETRY:
        retry(message, kind, retry_after, now, rng);
        break;
    case WIRE_REFUSED:
    case WIRE_DISABLED:
        message->state = OUTBOX_DEAD;
        break;
    }
}
