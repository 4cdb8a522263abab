/* SPDX-License-Identifier: Apache-2.0 */
/*
 * histogram: base-2 exponential buckets of scale 5 (at most 1.1 % relative error), which are OTLP's exponential
 * histogram and, with the index moved by one, Prometheus's native histogram; and windows, rings of slots that
 * carry their epoch so that a stale slot reads as zero.
 *
 * May include: base.
 */
#ifndef WEIR_CORE_STATS_HISTOGRAM_H
#define WEIR_CORE_STATS_HISTOGRAM_H

#include "base/base.h"

#define HISTOGRAM_SCALE 5
#define HISTOGRAM_BUCKETS 1024 /* 32 octaves: 1 µs to over 1 h when values are microseconds */

/* Bucket i holds (base^i, base^(i+1)], base = 2^(1/32); the first also what is at most 1, the last also what is beyond 2^32. */
struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS];
    uint64_t n;
    double sum;
    double min, max; /* meaningful when n > 0 */
};
/* The bucket of a value: exact at powers of two, clamped to the range. */
int histogram_index(double value);
double histogram_upper(int index); /* the bucket's inclusive upper end */
void histogram_add(struct histogram *h, double value); /* finite; below 0 counts as 0 */
void histogram_merge(struct histogram *h, const struct histogram *other);

#define HISTOGRAM_QUANTILE_N_MIN 20
struct quantile {
    double value; /* below HISTOGRAM_QUANTILE_N_MIN values: the maximum */
    bool is_maximum;
    uint64_t n;
};
/* The smallest value with at least the share q of all at or below it, to 1.1 %, within [min, max]; q in [0, 1]. */
struct quantile histogram_quantile(const struct histogram *h, double q);

/* ---- windows: sums over the last while ---- */
#define WINDOW_SLOTS_MAX 60
/* As many sums as a metric needs: n, sum, sum of squares, events over a limit. */
#define WINDOW_SUMS 4

struct window_slot {
    /* now / width when it was last written; a slot of another epoch counts as zero. */
    int64_t epoch;
    double sums[WINDOW_SUMS];
};
struct window {
    nsec width; /* of a slot */
    uint32_t slots; /* <= WINDOW_SLOTS_MAX */
    struct window_slot ring[WINDOW_SLOTS_MAX];
};
void window_init(struct window *w, nsec width, uint32_t slots);
void window_add(struct window *w, nsec now, const double sums[WINDOW_SUMS]);
/* Of the `last` newest slots before and with the current one. A clock that steps back by up to s slots behind the latest instant
 * loses nothing of the newest (slots - s); what was added at instants after `now` does not count until they come again. */
void window_read(const struct window *w, nsec now, uint32_t last, double out_sums[WINDOW_SUMS]);

#endif
