/* SPDX-License-Identifier: Apache-2.0 */
/* reliability: how good probabilities are: ECE, Brier, AUROC, the bins of a reliability diagram, and what a threshold accepts. */
#include <math.h>

#include "base/rng.h"
#include "core/stats/stats_internal.h"

/* ---- bins ---- */

/* Items of one score go into one bin, that of their middle rank, so that the result does not depend on their order. */
static size_t tie_end(const struct labelled *sorted, size_t n, size_t start)
{
    size_t end = start + 1;

    while (end < n && sorted[end].score == sorted[start].score)
        end++;
    return end;
}

static size_t tie_bin(size_t start, size_t end, size_t n)
{
    return (start + end - 1) * CALIBRATION_BINS / (2 * n);
}

/* The bin of every item; items of a bin are neighbours. */
static void bins_assign(const struct labelled *sorted, size_t n, uint8_t *out_bin)
{
    for (size_t start = 0, end; start < n; start = end) {
        end = tie_end(sorted, n, start);
        for (size_t i = start; i < end; i++)
            out_bin[i] = (uint8_t)tie_bin(start, end, n);
    }
}

/* Sums first; means when all is in. */
static void bins_finish(struct calibration_metrics *m, const struct reliability_bin *sums)
{
    double total = 0;

    for (size_t i = 0; i < CALIBRATION_BINS; i++) {
        if (sums[i].n == 0)
            continue;
        double n = (double)sums[i].n;
        m->bins[m->bin_count++] =
            (struct reliability_bin){ sums[i].n, sums[i].confidence / n, sums[i].accuracy / n };
        total += fabs(sums[i].confidence - sums[i].accuracy);
    }
    m->ece = total / (double)m->n;
}

/* ---- metrics ---- */

/* Mann and Whitney's U over the pairs, ties counting half. */
static double auroc_of(const struct labelled *sorted, size_t n)
{
    double right = 0, wrong = 0, wins = 0;

    for (size_t start = 0, end; start < n; start = end) {
        double here = 0;
        end = tie_end(sorted, n, start);
        for (size_t i = start; i < end; i++)
            here += sorted[i].is_right;
        double misses = (double)(end - start) - here;
        wins += here * (wrong + misses / 2);
        right += here;
        wrong += misses;
    }
    return right > 0 && wrong > 0 ? wins / (right * wrong) : 0.5;
}

static void metrics_sum(struct calibration_metrics *m, const struct labelled *sorted, size_t n,
                        const uint8_t *bin)
{
    struct reliability_bin sums[CALIBRATION_BINS] = { 0 };

    for (size_t i = 0; i < n; i++) {
        double miss = sorted[i].score - sorted[i].is_right;
        sums[bin[i]].n++;
        sums[bin[i]].confidence += sorted[i].score;
        sums[bin[i]].accuracy += sorted[i].is_right;
        m->brier += miss * miss;
        m->accuracy += sorted[i].is_right;
        m->mean_confidence += sorted[i].score;
    }
    m->brier /= (double)n;
    m->accuracy /= (double)n;
    m->mean_confidence /= (double)n;
    bins_finish(m, sums);
}

/* A sorted copy; NULL when memory ended. */
static struct labelled *sorted_copy(const struct labelled *items, size_t n, struct arena *scratch)
{
    struct labelled *sorted = ARENA_ARRAY(scratch, n, struct labelled);
    struct labelled *spare = ARENA_ARRAY(scratch, n, struct labelled);

    if (arena_failed(scratch))
        return NULL;
    for (size_t i = 0; i < n; i++)
        sorted[i] = items[i];
    labelled_sort(sorted, spare, n);
    return sorted;
}

enum err calibration_measure(struct calibration_metrics *out, const struct labelled *items,
                             size_t n, struct arena *scratch)
{
    struct calibration_metrics m = { .n = (int64_t)n, .auroc = 0.5 };
    struct labelled *sorted = sorted_copy(items, n, scratch);
    uint8_t *bin = ARENA_ARRAY(scratch, n, uint8_t);

    if (arena_failed(scratch))
        return WEIR_NO_MEMORY;
    if (n > 0) {
        bins_assign(sorted, n, bin);
        metrics_sum(&m, sorted, n, bin);
        m.auroc = auroc_of(sorted, n);
    }
    *out = m;
    return OK;
}

/* ---- bootstrap ---- */

/* The ECE of a resample, given how often each item was drawn. */
static double resample_ece(const struct labelled *sorted, const uint32_t *times, size_t n)
{
    double gaps[CALIBRATION_BINS] = { 0 }, total = 0;
    size_t rank = 0;

    for (size_t start = 0, end; start < n; start = end) {
        size_t drawn = 0;
        double gap = 0;
        end = tie_end(sorted, n, start);
        for (size_t i = start; i < end; i++) {
            drawn += times[i];
            gap += times[i] * (sorted[i].score - sorted[i].is_right);
        }
        if (drawn > 0)
            gaps[tie_bin(rank, rank + drawn, n)] += gap;
        rank += drawn;
    }
    for (size_t i = 0; i < CALIBRATION_BINS; i++)
        total += fabs(gaps[i]);
    return total / (double)n;
}

static void doubles_sort(double *x, size_t n)
{
    for (size_t gap = n / 2; gap > 0; gap /= 2) {
        for (size_t i = gap; i < n; i++) {
            double value = x[i];
            size_t at = i;
            for (; at >= gap && x[at - gap] > value; at -= gap)
                x[at] = x[at - gap];
            x[at] = value;
        }
    }
}

#define INTERVAL_TAIL 0.025

struct bootstrap {
    struct labelled *sorted;
    size_t n;
    uint32_t *times;
    double *found; /* the ECE of each round, sorted */
    size_t rounds;
    struct rng rng;
};

static void times_fill(struct bootstrap *b, uint32_t value)
{
    for (size_t i = 0; i < b->n; i++)
        b->times[i] = value;
}

/* Items drawn with replacement. */
static void resample_items(struct bootstrap *b)
{
    for (size_t round = 0; round < b->rounds; round++) {
        times_fill(b, 0);
        for (size_t i = 0; i < b->n; i++)
            b->times[rng_below(&b->rng, b->n)]++;
        b->found[round] = resample_ece(b->sorted, b->times, b->n);
    }
    doubles_sort(b->found, b->rounds);
}

/* Labels drawn as if every score were its item's true chance; the items' own are lost. */
static void resample_labels(struct bootstrap *b)
{
    times_fill(b, 1);
    for (size_t round = 0; round < b->rounds; round++) {
        for (size_t i = 0; i < b->n; i++)
            b->sorted[i].is_right = rng_unit(&b->rng) < b->sorted[i].score;
        b->found[round] = resample_ece(b->sorted, b->times, b->n);
    }
    doubles_sort(b->found, b->rounds);
}

/*
 * An ECE is never negative, so its estimate is biased upwards, and in a resample of the items once more. The lower end
 * is the pivotal bootstrap's, 2 ece - quantile (Davison and Hinkley 1997, section 5.2), which takes the bias off, and 0 when
 * perfect scores would often give such an ECE; the upper end is the plain quantile, which leaves the bias in. So 95 % is
 * about what it covers, also near 0, where the pivotal interval alone covers 40 % and the plain one nothing.
 */
static struct interval_pair bootstrap_interval(struct bootstrap *b)
{
    size_t tail = (size_t)(INTERVAL_TAIL * (double)b->rounds), last = b->rounds - 1 - tail;

    times_fill(b, 1);
    double ece = resample_ece(b->sorted, b->times, b->n);
    resample_items(b);
    double high = b->found[last];
    resample_labels(b);
    double lower = ece > b->found[last] ? fmax(2 * ece - high, 0) : 0;
    return (struct interval_pair){ lower, fmin(fmax(high, ece), 1) };
}

enum err calibration_ece_interval(struct interval_pair *out, const struct labelled *items, size_t n,
                                  int rounds, uint64_t seed, struct arena *scratch)
{
    struct bootstrap b = { .n = n, .rounds = rounds > 0 ? (size_t)rounds : 0 };

    b.sorted = sorted_copy(items, n, scratch);
    b.times = ARENA_ARRAY(scratch, n, uint32_t);
    b.found = ARENA_ARRAY(scratch, b.rounds, double);
    if (arena_failed(scratch))
        return WEIR_NO_MEMORY;
    rng_init(&b.rng, seed);
    *out = n > 0 && b.rounds > 0 ? bootstrap_interval(&b) : (struct interval_pair){ 0, 1 };
    return OK;
}

/* ---- thresholds ---- */

#define ACCEPTANCE_ALPHA 0.05

struct acceptance calibration_accept(const struct labelled *items, size_t n, double threshold)
{
    struct acceptance a = { 0 };

    for (size_t i = 0; i < n; i++) {
        if (items[i].score >= threshold) {
            a.accepted++;
            a.right += items[i].is_right;
        }
    }
    a.lower = stats_rate_lower(a.right, a.accepted, ACCEPTANCE_ALPHA);
    a.is_met = a.accepted > 0 && a.lower >= threshold;
    return a;
}
