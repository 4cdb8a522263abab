/* SPDX-License-Identifier: Apache-2.0 */
/*
 * windows: what happened lately, for each arm and domain: rings of slots from a second to six hours wide, in which the
 * metrics of alerts are sums, and latencies are exponential histograms (16 buckets an octave, so that a quantile is
 * right to 4.4 % and, interpolated, mostly to less).
 *
 *     60 x 1 s      60 x 1 min      48 x 1 h      24 x 6 h        a reading takes the finest ring that is long enough
 *
 * A slot carries its epoch: an old one reads as empty and is cleared when it is written again. A window is its newest whole
 * slots and the current one: of ten minutes the last nine to ten.
 *
 * A caller may rely on: memory is bounded by WINDOWS_ARMS_MAX arms times the closed set of domains, 250 KB each, taken
 * when an arm first answers in a domain.
 *
 * May include: base, core/alert, core/stats, app/engine.
 */
#ifndef WEIR_APP_CONTROL_WINDOWS_H
#define WEIR_APP_CONTROL_WINDOWS_H

#include "app/engine/feed.h"
#include "base/base.h"
#include "core/alert/alert.h"

#define WINDOWS_ARMS_MAX 24
#define WINDOWS_LABEL_MAX ALERT_NAME_MAX
/* Of what is in no arm. */
#define WINDOWS_ARM_DEFAULT STR("default")

struct windows;

NODISCARD enum err windows_open(struct windows **out);
void windows_close(struct windows *w); /* NULL is a no-op */

/* How a query ended, under its arm's label (at most WINDOWS_LABEL_MAX - 1 bytes count). now: of a clock that does not go back; to
 * be saved and restored, of one that also goes on while nobody runs. What the client left is not judged. */
void windows_add(struct windows *w, nsec now, str arm, const struct feed_fact *fact);

/* As alert_source wants them. */
size_t windows_series(const struct windows *w, nsec now, unsigned by, struct alert_labels *out,
                      size_t max);
/* False for a metric that is not kept here. */
bool windows_read(const struct windows *w, nsec now, enum alert_metric metric,
                  const struct alert_labels *labels, nsec window, struct alert_reading *out);

/* What a window holds, for people to look at. A mean or a quantile of nothing is 0; n says so. */
#define WINDOWS_QUANTILES 4
extern const double windows_quantiles[WINDOWS_QUANTILES]; /* .5, .9, .95, .99 */
struct windows_summary {
    int64_t n; /* queries that were answered or failed */
    int64_t failed; /* of them: the provider's fault, ours, a budget's */
    int64_t wrong; /* of them: answered, and a verifier says no */
    int64_t priced, unpriced;
    int64_t hrm_n, trm_n;
    double cost_usd; /* of the priced */
    double hrm, trm; /* means */
    double latency_ms[WINDOWS_QUANTILES];
};
void windows_summarise(const struct windows *w, nsec now, const struct alert_labels *labels,
                       nsec window, struct windows_summary *out);
/* The last count slots of a second or a minute each, of all arms and domains, oldest first, the current one last: out[count]. */
enum windows_step { WINDOWS_SECONDS, WINDOWS_MINUTES };
#define WINDOWS_RECENT_MAX 60
void windows_recent(const struct windows *w, nsec now, enum windows_step step, size_t count,
                    struct windows_summary out[]);
/* Queries that could not be kept for want of memory. */
uint64_t windows_lost(const struct windows *w);

/* Appends all that can still be read at `now` or later, as bytes of which equal windows have equal ones. */
void windows_save(const struct windows *w, nsec now, struct buf *out);
/* What windows_save() wrote, into empty windows; what is newer than `now` is left out (the clock went back). WEIR_STORE: of
 * another version or damaged; WEIR_NO_MEMORY. Then w is as it was. */
NODISCARD enum err windows_restore(struct windows *w, nsec now, str bytes);

#endif
