/* SPDX-License-Identifier: Apache-2.0 */
/* compare: moments of an arm, and the difference of two means by an asymptotic confidence sequence. */
#include <float.h>
#include <math.h>

#include "core/stats/stats_internal.h"

/* ---- moments ---- */

void moments_add(struct moments *m, double x)
{
    m->n++;
    m->sum += x;
    m->sum_squares += x * x;
}

void moments_merge(struct moments *m, const struct moments *other)
{
    m->n += other->n;
    m->sum += other->sum;
    m->sum_squares += other->sum_squares;
}

double moments_mean(const struct moments *m)
{
    return m->n > 0 ? m->sum / (double)m->n : 0;
}

/* Adding n equal values leaves a spread of the order of n roundings (more is not to be seen in practice beyond a million);
 * what does not exceed that is no variance. */
#define ROUNDINGS_MAX 1e6

double moments_variance(const struct moments *m)
{
    double n = (double)m->n;

    if (m->n < 2)
        return 0;
    double squares = m->sum_squares - m->sum * (m->sum / n);
    double noise = fmin(n, ROUNDINGS_MAX) * DBL_EPSILON * m->sum_squares;
    return squares > noise ? squares / (n - 1) : 0;
}

/* ---- the normal mixture (Howard et al. 2021, proposition 5) ---- */

double stats_mixture_rho(double v_opt, double alpha)
{
    double level = -2 * log(alpha);

    return v_opt / (level + log1p(level));
}

double stats_mixture_log(double s, double v, double rho)
{
    return 0.5 * log(rho / (v + rho)) + s * s / (2 * (v + rho));
}

double stats_mixture_bound(double v, double rho, double alpha)
{
    return sqrt((v + rho) * (log1p(v / rho) - 2 * log(alpha)));
}

/* ---- the difference (Waudby-Smith et al. 2024, theorem 2.2 and its one-sided form) ---- */

#define N_STAR_DEFAULT 5000
#define ARM_N_MIN 100
#define RARER_N_MIN 10
/* The tuning of a one-sided sequence takes 2 alpha; any value is valid. */
#define TUNING_ALPHA_MAX 0.99

/* Outcomes of 0 and 1 are those whose sum is that of their squares. */
static bool is_binary(const struct moments *m)
{
    return m->sum == m->sum_squares && m->sum <= (double)m->n;
}

double stats_arm_variance(const struct moments *m)
{
    double variance = moments_variance(m), n = (double)m->n;

    if (variance > 0 || m->n < 2 || !is_binary(m))
        return variance;
    double rate = (m->sum + 1) / (n + 2);
    return rate * (1 - rate);
}

static bool has_enough(const struct moments *a, const struct moments *b)
{
    double n = (double)a->n + (double)b->n, ones = a->sum + b->sum;

    if (a->n < ARM_N_MIN || b->n < ARM_N_MIN)
        return false;
    return !is_binary(a) || !is_binary(b) || fmin(ones, n - ones) >= RARER_N_MIN;
}

/* n rho², rho being chosen so that the sequence is tightest at n_star. */
static double scaled_n(double n, const struct compare_options *o)
{
    double n_star = o->n_star > 0 ? o->n_star : N_STAR_DEFAULT;
    double tuning = o->is_one_sided ? fmin(2 * o->alpha, TUNING_ALPHA_MAX) : o->alpha;
    double level = -2 * log(tuning);

    return n * (level + log1p(level)) / n_star;
}

/* Half the width for one standard error. */
static double half_width(double scaled, const struct compare_options *o)
{
    double root = sqrt(scaled + 1);
    double last = o->is_one_sided ? log1p(root / (2 * o->alpha)) : log(root / o->alpha);

    return sqrt(2 * (scaled + 1) / scaled * last);
}

/* The alpha at which the two-sided interval would end at 0. */
static double always_valid_p(double z, double scaled)
{
    return exp(fmin(0.5 * log1p(scaled) - z * z * scaled / (2 * (scaled + 1)), 0));
}

struct comparison stats_compare_sides(const struct compare_side *a, const struct compare_side *b,
                                      const struct compare_options *options)
{
    struct comparison out = { { 0, -INFINITY, INFINITY }, INFINITY, 1, false };
    double scaled = scaled_n((double)a->all.n + (double)b->all.n, options);

    assert(options->alpha > 0 && options->alpha < 1);
    if (a->all.n == 0 || b->all.n == 0 || (options->is_relative && a->mean == 0))
        return out;
    double scale = options->is_relative ? fabs(a->mean) : 1;
    double estimate = (b->mean - a->mean) / scale;
    if (!isfinite(estimate))
        return out;
    out.diff.estimate = estimate;
    double share = options->is_relative ? b->mean / a->mean : 1;
    double se = sqrt(b->variance + a->variance * share * share) / scale;
    if (!(a->variance > 0 && b->variance > 0 && isfinite(se)))
        return out;
    double half = se * half_width(scaled, options);
    out.diff.lower = estimate - half;
    out.diff.upper = estimate + half;
    out.se = se;
    out.p = always_valid_p(estimate / se, scaled);
    out.is_valid = has_enough(&a->all, &b->all);
    return out;
}

static struct compare_side side_of(const struct moments *m)
{
    return (struct compare_side){
        .mean = moments_mean(m),
        .variance = m->n > 0 ? stats_arm_variance(m) / (double)m->n : 0,
        .all = *m,
    };
}

struct comparison stats_compare(const struct moments *a, const struct moments *b,
                                const struct compare_options *options)
{
    const struct compare_side side_a = side_of(a), side_b = side_of(b);

    return stats_compare_sides(&side_a, &side_b, options);
}

struct interval stats_side_interval(const struct compare_side *side,
                                    const struct compare_options *options)
{
    double half =
        sqrt(side->variance) * half_width(scaled_n((double)side->all.n, options), options);

    if (side->all.n == 0 || !(side->variance > 0) || !isfinite(half))
        return (struct interval){ side->mean, -INFINITY, INFINITY };
    return (struct interval){ side->mean, side->mean - half, side->mean + half };
}
