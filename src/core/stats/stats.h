/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stats: the statistics that decide something: a guard, a promotion, a verdict of an evaluation. What is watched
 * while it grows is correct at every peek (e-processes, confidence sequences); what is reported once has
 * its fixed-n interval. Each state is a plain struct of sums, which merge by addition across threads and machines.
 *
 * A caller may rely on: no clock, no input or output, no allocation; the same numbers on every machine with IEEE
 * doubles; a question that the data cannot answer gives the widest interval and VERDICT_STATS_INCONCLUSIVE, never a NaN.
 *
 * Calibration of confidence is in calibration.h, quantiles and windows in histogram.h.
 *
 * May include: base.
 */
#ifndef WEIR_CORE_STATS_STATS_H
#define WEIR_CORE_STATS_STATS_H

#include "base/base.h"

/* An estimate with its interval; estimate is NAN-free: with no data it is 0 and the interval is the whole range. */
struct interval {
    double estimate;
    double lower;
    double upper;
};

enum stats_verdict {
    STATS_SUPERIOR, /* the whole interval is on the good side of 0 */
    STATS_NON_INFERIOR, /* the one-sided lower bound is above -margin, even where it is worse for certain */
    STATS_INCONCLUSIVE,
    STATS_INFERIOR, /* the whole interval is on the bad side of 0, and not non-inferior */
};
/* "superior", "non_inferior", "inconclusive", "inferior" */
const char *stats_verdict_name(enum stats_verdict v);

/* ---- special functions, for this module and its neighbours ---- */
double stats_normal_cdf(double z);
double stats_normal_quantile(double p); /* p in (0, 1); full double precision */
double stats_beta_cdf(double x, double a, double b); /* regularised incomplete beta */
double stats_beta_quantile(double p, double a, double b);
double stats_log_sum_exp(const double *x, size_t n);

/* ---- 1. guard against an absolute limit: a mixture of 16 fixed bets (statistics: e-process; Ville's inequality) ---- */
#define STATS_BETS 16

/* Wealth against H0: E[X | past] <= limit, for X >= 0. Order does not matter; merge by addition. All that goes into one guard
 * is held against one limit, on one side of it. */
struct guard {
    double log_wealth[STATS_BETS];
    int64_t n;
    double sum; /* of X */
};
void guard_add(struct guard *g, double x, double limit); /* x >= 0 finite, limit > 0 */
/* 0/1 outcomes, k of n, in one step; equal to n calls of guard_add up to rounding. limit in (0, 1). */
void guard_add_counts(struct guard *g, int64_t k, int64_t n, double limit);
void guard_merge(struct guard *g, const struct guard *other);
double guard_log_e(const struct guard *g); /* 0 without data */
bool guard_trips(const struct guard *g, double alpha); /* log E >= ln(1/alpha) */

/* The promotion side: H0: E[X] >= limit, X in [0, 1], limit in (0, 1): wealth says that the mean is below it. */
void guard_add_below(struct guard *g, double x, double limit);
void guard_add_below_counts(struct guard *g, int64_t k, int64_t n, double limit);

/* A breach that begins later. The same bets, opened anew before every outcome but the first, each time with a part of the stake:
 * before outcome k + 1 with 1/(2^i (i + 1)(i + 2)), i = floor(log2 k), which add up to 1. So this is an e-process too (a
 * mixture over the moment of the change), and found is what began after k outcomes once some 2 ln k more evidence is there,
 * however well the k went. Merging adds; of s streams the wealth is the mean. */
struct onset {
    double level[STATS_BETS];
    int64_t n;
    int64_t streams; /* merged; 0: nothing was added */
};
void onset_add(struct onset *o, double x, double limit); /* x >= 0, limit > 0 */
void onset_merge(struct onset *o, const struct onset *other);
double onset_log_e(const struct onset *o); /* -INFINITY before the second outcome */

/* After promotion: the e-detector (e-SR). Average run to a false alarm >= threshold. */
struct detector {
    double level[STATS_BETS]; /* M_j */
    int64_t n;
};
void detector_add(struct detector *d, double x, double limit);
double detector_level(const struct detector *d); /* mean M_j; alarm when >= threshold */

/* ---- 2. difference of means: asymptotic confidence sequence ---- */
struct moments { /* of one arm; merge by addition */
    int64_t n;
    double sum;
    double sum_squares;
};
void moments_add(struct moments *m, double x);
void moments_merge(struct moments *m, const struct moments *other);
double moments_mean(const struct moments *m); /* 0 without data */
/* By n - 1; 0 below two values, and where the spread is no more than the rounding of the sums. */
double moments_variance(const struct moments *m);

struct compare_options {
    double alpha; /* (0, 1); one-sided: of each bound by itself */
    double n_star; /* where the sequence is tightest; 0: 5000 */
    bool is_relative; /* (b - a)/|a| */
    bool is_one_sided;
};
struct comparison {
    struct interval
        diff; /* b minus a; infinite to both sides where there is no variance or no base */
    double se; /* INFINITY likewise */
    double p; /* two-sided, always valid */
    bool is_valid; /* before that nothing may be decided */
};
/* Valid from 100 values an arm, both with a variance, and of 0/1 outcomes (whose sum is that of their squares) 10 of the rarer
 * one, both arms together. An arm of equal 0/1 outcomes has the variance of Laplace's rate, (k + 1)/(n + 2). */
struct comparison stats_compare(const struct moments *a, const struct moments *b,
                                const struct compare_options *options);

/* The normal mixture behind it (Howard et al. 2021): rho for a v_opt, log martingale, boundary. */
double stats_mixture_rho(double v_opt, double alpha);
double stats_mixture_log(double s, double v, double rho);
double stats_mixture_bound(double v, double rho, double alpha);

/* ---- 3. rates ---- */
/* Always valid (Bernoulli mixture); t_opt: trials at which it is tightest, 100 is usual. 0 <= k <= n. */
struct interval stats_rate_sequence(int64_t k, int64_t n, double t_opt, double alpha);
/* Fixed n, for one look. */
struct interval stats_rate_wilson(int64_t k, int64_t n, double alpha);
struct interval stats_rate_exact(int64_t k, int64_t n,
                                 double alpha); /* Clopper–Pearson, two-sided */
/* The one-sided lower bound at confidence 1 - alpha (Clopper–Pearson). */
double stats_rate_lower(int64_t k, int64_t n, double alpha);

/* ---- 4. sample ratio mismatch, sequential (Lindon and Malek 2022) ---- */
#define STATS_ARMS_MAX 16
#define STATS_SRM_ALARM 6.907755278982137 /* ln 1000 */
/* The log Bayes factor of the counts against the weights (which need not sum to 1); alarm at STATS_SRM_ALARM. INFINITY when an
 * arm of weight 0 has counts. */
double stats_srm_log_bayes(const double *weights, const int64_t *counts, size_t arms);

/* ---- 5. paired evaluation on the same questions ---- */
struct pairs {
    int64_t both; /* right */
    int64_t only_a;
    int64_t only_b;
    int64_t neither;
};
struct paired {
    int64_t n;
    struct interval diff; /* success of b minus a; Tango's score interval, two-sided 1 - alpha */
    double lower_one_sided; /* at 1 - alpha */
    double upper_one_sided;
    double mcnemar_p; /* exact, two-sided */
    /* The margin that n pairs at this discordance resolve (power .8, one-sided alpha .05), and not below what n pairs without
     * any difference would show. */
    double resolvable;
    bool is_equivalent; /* TOST at the margin */
    enum stats_verdict verdict; /* of b against a at the margin */
};
/* margin > 0; alpha .05 is usual. */
struct paired stats_paired(const struct pairs *pairs, double margin, double alpha);
/* Pairs needed for a margin at a discordance, alpha .05 one-sided, power .8, true difference 0; both in (0, 1). INT64_MAX when
 * there are not so many. */
int64_t stats_plan_pairs(double margin, double discordance);
double stats_plan_margin(int64_t n, double discordance); /* the other way round */

/* A mean of clustered values: several runs of one question are not independent. */
struct cluster { /* one question */
    int64_t n;
    double sum;
};
/* Mean over all values with the cluster-robust standard error and its t interval (clusters - 1 degrees of freedom);
 * infinite for fewer than two clusters. out_se may be NULL. */
struct interval stats_clustered_mean(const struct cluster *clusters, size_t count, double alpha,
                                     double *out_se);

/* Holm's adjusted p-values, in place; order kept. n <= 4096. */
void stats_holm(double *p, size_t n);

/* ---- 6. adaptive allocation (track and stop) ---- */
struct arm_moments {
    double mean;
    double variance;
    int64_t n;
};
/* Optimal shares, each at least floor (at most 1/count); sums to 1. Equal shares while an arm has no positive variance. */
void stats_allocation(const struct arm_moments *arms, size_t count, double floor,
                      double *out_shares);
/* May it stop: is the best arm known, up to tolerance epsilon, with error at most delta? Not while an arm has no trial or no
 * variance. */
bool stats_allocation_stops(const struct arm_moments *arms, size_t count, double epsilon,
                            double delta);

/*
 * Arms whose shares changed. Within a stratum the shares were fixed before it began, so its means are unbiased; pooled over
 * strata they are not, since early and late values mix in other proportions in each arm. So an arm's mean here is that of its
 * strata, each weighed by the part of all arms' values that came in it (post-stratification), and its variance is that of this
 * mean. One stratum gives what stats_compare() gives. Of several, one in which some arm has fewer than 30 values is left out
 * until it has.
 */
struct strata {
    const struct moments *cells; /* count rows of `arms` cells, oldest first */
    size_t count;
    size_t arms;
};
/* The arm for stats_allocation() and its stopping rule: variance is that of one value of n. */
void stats_strata_arm(const struct strata *s, size_t arm, struct arm_moments *out);
/* An asymptotic confidence sequence of the mean; infinite without a variance. */
struct interval stats_strata_mean(const struct strata *s, size_t arm,
                                  const struct compare_options *options);
/* b minus a, as stats_compare() has it. */
struct comparison stats_strata_compare(const struct strata *s, size_t a, size_t b,
                                       const struct compare_options *options);

#endif
