/* SPDX-License-Identifier: Apache-2.0 */
/* paired: two candidates on the same questions: exact McNemar, Tango's score interval, verdicts at a margin, planning. */
#include <math.h>

#include "core/stats/stats_internal.h"

const char *stats_verdict_name(enum stats_verdict v)
{
    static const char *const names[] = {
        [STATS_SUPERIOR] = "superior",
        [STATS_NON_INFERIOR] = "non_inferior",
        [STATS_INCONCLUSIVE] = "inconclusive",
        [STATS_INFERIOR] = "inferior",
    };

    return names[v];
}

/* ---- planning ---- */

#define PLAN_ALPHA 0.05
#define PLAN_POWER 0.8

/* Squared sum of the two normal quantiles: what n·margin²/discordance must reach. */
static double plan_constant(void)
{
    double z = normal_upper(PLAN_ALPHA) + stats_normal_quantile(PLAN_POWER);
    return z * z;
}

int64_t stats_plan_pairs(double margin, double discordance)
{
    assert(margin > 0 && discordance >= 0);
    double pairs = ceil(plan_constant() * discordance / (margin * margin));

    return pairs < 0x1p62 ? (int64_t)pairs : INT64_MAX;
}

double stats_plan_margin(int64_t n, double discordance)
{
    if (n <= 0)
        return 1;
    return fmin(sqrt(plan_constant() * discordance / (double)n), 1);
}

/* ---- McNemar ---- */

/* Twice the smaller binomial tail at ½, which is the beta distribution's. */
static double mcnemar_exact(int64_t only_a, int64_t only_b)
{
    int64_t few = only_a < only_b ? only_a : only_b, many = only_a + only_b - few;

    if (few == many)
        return 1;
    return fmin(2 * stats_beta_cdf(0.5, (double)many, (double)few + 1), 1);
}

/* ---- Tango's interval ---- */

/* Tango 1998, equations 3 and 4, for a true difference delta >= 0: how far the observed difference stands above it, in
 * n's, and the standard deviation of that under the restricted maximum likelihood estimate. */
struct tango {
    double n;
    double only_a, only_b;
};

static double tango_deviation(const struct tango *t, double delta)
{
    double up = t->only_b, down = t->only_a, size = delta;

    if (delta < 0) { /* the same question with the roles exchanged */
        up = t->only_a;
        down = t->only_b;
        size = -delta;
    }
    double b = (2 * t->n - up + down) * size - up - down;
    double c = down * size * (1 - size);
    double root = sqrt(b * b + 8 * t->n * c);
    double q = (root - b) / (4 * t->n); /* the root of 2n q² + b q - c */
    return sqrt(t->n * fmax(2 * q + size * (1 - size), 0));
}

#define BISECTION_STEPS 80

/* The delta at which the score is z; it falls from -1 to 1. Where both sides are 0, at the observed difference of pairs that do
 * not differ at all, the bound lies on the side of z's sign. */
static double tango_bound(const struct tango *t, double z)
{
    double lo = -1, hi = 1;

    for (int i = 0; i < BISECTION_STEPS; i++) {
        double middle = lo + (hi - lo) / 2;
        double excess = t->only_b - t->only_a - t->n * middle;
        double wanted = z * tango_deviation(t, middle);
        if (excess > wanted || (excess == wanted && z < 0))
            lo = middle;
        else
            hi = middle;
    }
    return lo + (hi - lo) / 2;
}

/* A margin at which non-inferiority and the whole interval's sign both hold is decided by the margin: that is the question
 * that was asked. */
static enum stats_verdict verdict_of(const struct paired *p, double margin)
{
    if (p->diff.lower > 0)
        return STATS_SUPERIOR;
    if (p->lower_one_sided > -margin)
        return STATS_NON_INFERIOR;
    return p->diff.upper < 0 ? STATS_INFERIOR : STATS_INCONCLUSIVE;
}

/* What n pairs can show at all is bounded by the interval of n pairs without any difference: z²/(n + z²). */
static double resolvable_margin(const struct pairs *pairs, int64_t n)
{
    double z = normal_upper(PLAN_ALPHA);
    double discordance = (double)(pairs->only_a + pairs->only_b) / (double)n;

    return fmax(stats_plan_margin(n, discordance), z * z / ((double)n + z * z));
}

struct paired stats_paired(const struct pairs *pairs, double margin, double alpha)
{
    int64_t n = pairs->both + pairs->only_a + pairs->only_b + pairs->neither;
    struct paired out = { n, { 0, -1, 1 }, -1, 1, 1, 1, false, STATS_INCONCLUSIVE };

    assert(pairs->both >= 0 && pairs->only_a >= 0 && pairs->only_b >= 0 && pairs->neither >= 0);
    assert(margin > 0 && alpha > 0 && alpha < 1);
    if (n == 0)
        return out;
    struct tango t = { (double)n, (double)pairs->only_a, (double)pairs->only_b };
    double z_two = normal_upper(alpha / 2), z_one = normal_upper(alpha);
    out.diff = (struct interval){ (t.only_b - t.only_a) / t.n, tango_bound(&t, z_two),
                                  tango_bound(&t, -z_two) };
    out.lower_one_sided = tango_bound(&t, z_one);
    out.upper_one_sided = tango_bound(&t, -z_one);
    out.mcnemar_p = mcnemar_exact(pairs->only_a, pairs->only_b);
    out.resolvable = resolvable_margin(pairs, n);
    out.is_equivalent = out.lower_one_sided > -margin && out.upper_one_sided < margin;
    out.verdict = verdict_of(&out, margin);
    return out;
}
