/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of stats share: pieces of special functions that neighbours need in logarithms, and sorting. */
#ifndef WEIR_CORE_STATS_STATS_INTERNAL_H
#define WEIR_CORE_STATS_STATS_INTERNAL_H

#include "core/stats/calibration.h"
#include "core/stats/stats.h"

#define HALF_LOG_TWO_PI 0.91893853320467274178

/* A point of (0, 1) with both ends exact: near 1 the complement still has all its digits. */
struct fraction {
    double p;
    double q; /* 1 - p */
};
struct fraction fraction_of_logit(double logit);

/* lnΓ(x) - ((x - ½) ln x - x + ½ ln 2π), Stirling's remainder, for x > 0. Differences of lnΓ written with it keep their
 * digits where lnΓ itself has lost them (x = 10^12). */
double stirling_remainder(double x);

/* ln(x/base), where diff = x - base is known better than x is. */
double log_ratio(double x, double base, double diff);

/* ln of p^a q^b / B(a, b), for a, b > 0. */
double log_beta_power(struct fraction x, double a, double b);

/* The logit of the p-quantile of Beta(a, b); p in (0, 1). Keeps tiny values and tiny complements. */
double beta_quantile_logit(double p, double a, double b);

/* The z with P(Z > z) = alpha, also where 1 - alpha would round to 1. */
static inline double normal_upper(double alpha)
{
    return -stats_normal_quantile(alpha);
}

/* The t with P(|T| > t) = alpha for Student's t; degrees > 0. */
double student_two_sided(double alpha, double degrees);

/* A continuous function of one variable; its parameters stand around it (CONTAINER_OF_CONST). */
struct curve {
    double (*at)(const struct curve *curve, double x);
};
/* A zero between lo and hi, where the curve's signs differ. */
double curve_root(const struct curve *curve, double lo, double hi);

/* Sorts by score, ascending. spare has room for n. */
void labelled_sort(struct labelled *items, struct labelled *spare, size_t n);

/* One stretch of a monotone fit: the labels with scores in [from, to] share one mean. */
struct isotonic_block {
    double from, to;
    double score_sum;
    int64_t n;
    int64_t right;
};
/* Pool adjacent violators over items sorted by score, equal scores pooled first; gives the number of blocks (at most n). */
size_t isotonic_pool(const struct labelled *sorted, size_t n, struct isotonic_block *out);

/* ---- compare.c ---- */
/* One side of a comparison, however its mean came about. */
struct compare_side {
    double mean;
    double variance; /* of the mean */
    struct moments all; /* what it was made from */
};
struct comparison stats_compare_sides(const struct compare_side *a, const struct compare_side *b,
                                      const struct compare_options *options);
struct interval stats_side_interval(const struct compare_side *side,
                                    const struct compare_options *options);
/* An arm of successes only has still some chance to fail: Laplace's (k + 1)/(n + 2) instead of 0. */
double stats_arm_variance(const struct moments *m);

#endif
