/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics: counters and one histogram per worker, added to without locks and summed when read. Label
 * values come from closed sets, so a hostile client cannot add a series.
 *
 * May include: base, core/money.
 */
#ifndef WEIR_EDGE_TELEMETRY_METRICS_H
#define WEIR_EDGE_TELEMETRY_METRICS_H

#include "base/base.h"
#include "core/money/money.h"

struct metrics; /* one worker's shard */

NODISCARD enum err metrics_open(struct metrics **out);
void metrics_close(struct metrics *m); /* NULL is a no-op */

/* The strategies that label series; anything else counts as "other". */
struct metrics_query {
    str strategy; /* "plain", "audit", or a strategy's name */
    enum err fault;
    struct usage usage;
    nano_usd cost; /* or COST_UNPRICED */
    uint32_t calls;
    nsec took;
};
void metrics_query_add(struct metrics *m, const struct metrics_query *q);
void metrics_http_add(struct metrics *m,
                      int http_status); /* every HTTP answer, refusals included */

/* The sum of the shards in Prometheus's text exposition format. */
void metrics_write(struct buf *out, struct metrics *const *shards, size_t count);

#endif
