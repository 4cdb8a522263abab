/* SPDX-License-Identifier: Apache-2.0 */
/* rate: intervals of a rate from k of n: always valid (Bernoulli mixture), Wilson's, Clopper and Pearson's. */
#include <math.h>

#include "core/stats/stats_internal.h"

static const struct interval everything = { 0, 0, 1 };

static double share(int64_t k, int64_t n)
{
    return (double)k / (double)n;
}

/* ---- fixed n ---- */

/* Wilson 1927. */
struct interval stats_rate_wilson(int64_t k, int64_t n, double alpha)
{
    assert(k >= 0 && k <= n);
    if (n == 0)
        return everything;
    double z = normal_upper(alpha / 2), trials = (double)n;
    double p = share(k, n), q = share(n - k, n), shrink = 1 + z * z / trials;
    double middle = (p + z * z / (2 * trials)) / shrink;
    double half = z / shrink * sqrt(p * q / trials + z * z / (4 * trials * trials));

    return (struct interval){ p, k == 0 ? 0 : fmax(middle - half, 0),
                              k == n ? 1 : fmin(middle + half, 1) };
}

/* The p at which k or more of n have the probability alpha. */
static struct fraction exact_lower(int64_t k, int64_t n, double alpha)
{
    if (k == 0)
        return (struct fraction){ 0, 1 };
    return fraction_of_logit(beta_quantile_logit(alpha, (double)k, (double)(n - k) + 1));
}

/* Clopper and Pearson 1934, by the beta distribution; the upper end is the lower one of the failures. */
struct interval stats_rate_exact(int64_t k, int64_t n, double alpha)
{
    assert(k >= 0 && k <= n);
    if (n == 0)
        return everything;
    return (struct interval){ share(k, n), exact_lower(k, n, alpha / 2).p,
                              exact_lower(n - k, n, alpha / 2).q };
}

double stats_rate_lower(int64_t k, int64_t n, double alpha)
{
    assert(k >= 0 && k <= n);
    return exact_lower(k, n, alpha).p;
}

/* ---- always valid ---- */

#define SEQUENCE_ALPHA_OPT 0.05

/*
 * The log martingale of k successes and `misses` failures against rate p, less the level that rejects p (Howard et al. 2021,
 * proposition 7). The mixture's prior is Beta(a, b) with mean p: a = r/q, b = r/p; r is chosen as for the normal mixture at
 * t_opt trials. ln B(a + k, b + misses) - ln B(a, b) - k ln p - misses ln q is written with Stirling's formula: A, B and N
 * being the parameters after the data, ln(A/N) - ln p is small and known from diff = k - np, and nothing large is left to
 * cancel.
 */
struct sequence_curve {
    struct curve curve;
    double k, misses;
    double t_opt;
    double level; /* ln(1/alpha) */
};

static double sequence_curve_at(const struct curve *curve, double logit)
{
    const struct sequence_curve *s = CONTAINER_OF_CONST(curve, struct sequence_curve, curve);
    struct fraction x = fraction_of_logit(logit);
    double variance = x.p * x.q;
    double r = fmax(stats_mixture_rho(variance * s->t_opt, SEQUENCE_ALPHA_OPT) - variance,
                    1e-3 * variance);
    double a = r / x.q, b = r / x.p, n = r / variance;
    double a_after = a + s->k, b_after = b + s->misses, n_after = n + s->k + s->misses;
    double diff = s->k * x.q - s->misses * x.p;

    return (a_after - 0.5) * log_ratio(a_after / n_after, x.p, diff / n_after) +
           (b_after - 0.5) * log_ratio(b_after / n_after, x.q, -diff / n_after) +
           0.5 * log(n / n_after) + stirling_remainder(a_after) + stirling_remainder(b_after) -
           stirling_remainder(n_after) - stirling_remainder(a) - stirling_remainder(b) +
           stirling_remainder(n) - s->level;
}

#define SEQUENCE_LOGIT_MIN -700.0

static struct fraction sequence_lower(int64_t k, int64_t n, double t_opt, double alpha)
{
    struct sequence_curve s = { { sequence_curve_at }, (double)k, (double)(n - k), t_opt, 0 };
    double hi = n == k ? 40 : log((double)k / (double)(n - k)), step = 1;

    s.level = -log(alpha);
    if (k == 0)
        return (struct fraction){ 0, 1 };
    double lo = hi - step;
    while (sequence_curve_at(&s.curve, lo) < 0 && lo > SEQUENCE_LOGIT_MIN) {
        step *= 2;
        lo -= step;
    }
    return fraction_of_logit(curve_root(&s.curve, lo, hi));
}

struct interval stats_rate_sequence(int64_t k, int64_t n, double t_opt, double alpha)
{
    assert(k >= 0 && k <= n && t_opt > 0);
    if (n == 0)
        return everything;
    return (struct interval){ share(k, n), sequence_lower(k, n, t_opt, alpha).p,
                              sequence_lower(n - k, n, t_opt, alpha).q };
}
