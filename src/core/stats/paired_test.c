/* SPDX-License-Identifier: Apache-2.0 */
/* paired's tests: the design's planning figures, Tango's interval against its definition and by coverage, McNemar, verdicts. */
#include <math.h>

#include "base/rng.h"
#include "core/stats/stats.h"
#include "test/check.h"

/* ---- planning ---- */

/* At 12.6 % discordance. */
static void pairs_are_planned(void)
{
    static const struct {
        double margin;
        int64_t pairs;
    } rows[] = { { .05, 312 }, { .03, 866 }, { .02, 1948 }, { .01, 7791 } };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t pairs = stats_plan_pairs(rows[i].margin, .126);
        CHECK_INT(pairs, rows[i].pairs);
        CHECK(stats_plan_margin(pairs, .126) <= rows[i].margin);
        CHECK(stats_plan_margin(pairs - 1, .126) > rows[i].margin);
    }
    CHECK_NEAR(stats_plan_margin(23, .126), .18, .005);
    CHECK(stats_plan_margin(0, .126) == 1);
    CHECK(stats_plan_margin(1, .9) == 1);
    CHECK_INT(stats_plan_pairs(1e-300, .5), INT64_MAX);
    CHECK_INT(stats_plan_pairs(.1, 0), 0);
}

/* What the plan promises: at a true difference of 0, about four of five runs of that size show non-inferiority (a little less:
 * Tango's variance is the one at the margin). */
static void the_plan_has_its_power(void)
{
    struct rng rng;
    int shown = 0;

    rng_init(&rng, 1);
    for (int run = 0; run < 600; run++) {
        struct pairs p = { 0 };
        for (int64_t i = stats_plan_pairs(.05, .126); i > 0; i--) {
            double u = rng_unit(&rng);
            *(u < .063 ? &p.only_a : u < .126 ? &p.only_b : &p.both) += 1;
        }
        shown += stats_paired(&p, .05, .05).lower_one_sided > -.05;
    }
    CHECK_NEAR(shown / 600.0, .77, .04);
}

/* ---- Tango's interval ---- */

/* ln of the likelihood of the discordant cells under difference delta: q is the chance of 'only a'. */
static double likelihood(const struct pairs *p, double delta, double q)
{
    double n_rest = (double)(p->both + p->neither), rest = 1 - 2 * q - delta;
    double sum = p->only_b > 0 ? (double)p->only_b * log(q + delta) : 0;

    sum += p->only_a > 0 ? (double)p->only_a * log(q) : 0;
    return sum + (n_rest > 0 ? n_rest * log(rest) : 0);
}

/* The restricted maximum found by search, not by the formula; and the score with it. */
static double score(const struct pairs *p, double delta)
{
    double lo = fmax(0, -delta), hi = (1 - delta) / 2, golden = (sqrt(5) - 1) / 2;
    double n = (double)(p->both + p->neither + p->only_a + p->only_b);

    for (int i = 0; i < 100; i++) {
        double left = hi - golden * (hi - lo), right = lo + golden * (hi - lo);
        if (likelihood(p, delta, left) < likelihood(p, delta, right))
            lo = left;
        else
            hi = right;
    }
    double q = (lo + hi) / 2;
    return ((double)(p->only_b - p->only_a) - n * delta) /
           sqrt(n * (2 * q + delta - delta * delta));
}

static struct pairs draw_pairs(struct rng *rng)
{
    uint64_t most = rng_below(rng, 2) ? 8 : 200;
    struct pairs p = { (int64_t)rng_below(rng, most), (int64_t)rng_below(rng, most),
                       (int64_t)rng_below(rng, most), 1 + (int64_t)rng_below(rng, most) };

    return p;
}

static void the_interval_inverts_the_score_test(void)
{
    double two = stats_normal_quantile(.975), one = stats_normal_quantile(.95);
    struct rng rng;

    rng_init(&rng, 2);
    for (int i = 0; i < 1000; i++) {
        struct pairs p = draw_pairs(&rng);
        struct paired r = stats_paired(&p, .02, .05);
        CHECK_NEAR(score(&p, r.diff.lower), two, 1e-5);
        CHECK_NEAR(score(&p, r.diff.upper), -two, 1e-5);
        CHECK_NEAR(score(&p, r.lower_one_sided), one, 1e-5);
        CHECK_NEAR(score(&p, r.upper_one_sided), -one, 1e-5);
    }
}

/* Without a discordant pair: z²/(n + z²) to both sides. All pairs to one side: up to 1. */
static void ends_in_closed_form(void)
{
    double z = stats_normal_quantile(.975), n = 50;
    struct paired same = stats_paired(&(struct pairs){ 30, 0, 0, 20 }, .02, .05);
    struct paired all = stats_paired(&(struct pairs){ 0, 0, 50, 0 }, .02, .05);

    CHECK_NEAR(same.diff.upper, z * z / (n + z * z), 1e-12);
    CHECK_NEAR(same.diff.lower, -z * z / (n + z * z), 1e-12);
    struct paired none = stats_paired(&(struct pairs){ 0, 50, 0, 0 }, .02, .05);
    CHECK(all.diff.upper == 1);
    CHECK(none.diff.lower == -1);
    CHECK(none.diff.upper == -all.diff.lower);
    CHECK_NEAR(all.diff.lower, (n - z * z) / (n + z * z), 1e-12);
    CHECK(all.diff.estimate == 1);
}

/* Every table of n pairs, weighted by its chance: how often the interval holds the truth. */
static double coverage(int n, double only_a, double only_b)
{
    double covered = 0, rest = 1 - only_a - only_b;
    int sign;

    for (int a = 0; a <= n; a++) {
        for (int b = 0; a + b <= n; b++) {
            struct paired r = stats_paired(&(struct pairs){ n - a - b, a, b, 0 }, .02, .05);
            if (r.diff.lower > only_b - only_a || r.diff.upper < only_b - only_a)
                continue;
            covered += exp(lgamma_r(n + 1, &sign) - lgamma_r(a + 1, &sign) -
                           lgamma_r(b + 1, &sign) - lgamma_r(n - a - b + 1, &sign) +
                           a * log(only_a) + b * log(only_b) + (n - a - b) * log(rest));
        }
    }
    return covered;
}

/* A score interval's coverage swings: for small n it is mostly above 95 %, and it never falls far below. */
static void the_interval_covers(void)
{
    static const int sizes[] = { 8, 15, 25 };

    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        double least = 1, sum = 0;
        int count = 0;
        for (double a = .03; a < .5; a += .06) {
            for (double b = .03; b < .5; b += .06) {
                double c = coverage(sizes[i], a, b);
                least = fmin(least, c);
                sum += c;
                count++;
            }
        }
        CHECK(least > .92);
        CHECK(sum / count > .95 && sum / count < .975);
    }
}

/* ---- McNemar ---- */

static double mcnemar_by_sum(int64_t a, int64_t b)
{
    double total = 0, term = exp2(-(double)(a + b));

    for (int64_t i = 0; i <= (a < b ? a : b); i++) {
        total += term;
        term *= (double)(a + b - i) / (double)(i + 1);
    }
    return fmin(2 * total, 1);
}

static void mcnemar_is_exact(void)
{
    for (int64_t a = 0; a <= 30; a++) {
        for (int64_t b = 0; b <= 30; b++) {
            struct paired r = stats_paired(&(struct pairs){ 5, a, b, 5 }, .02, .05);
            CHECK_NEAR(r.mcnemar_p, mcnemar_by_sum(a, b), 1e-13);
        }
    }
    CHECK_NEAR(stats_paired(&(struct pairs){ 0, 9, 3, 0 }, .02, .05).mcnemar_p, .14599609375,
               1e-12);
}

/* ---- verdicts ---- */

static void verdicts(void)
{
    static const struct {
        struct pairs pairs;
        double margin;
        enum stats_verdict verdict;
        bool is_equivalent;
    } rows[] = {
        { { 500, 10, 40, 50 }, .02, STATS_SUPERIOR, false },
        { { 5000, 60, 60, 880 }, .02, STATS_NON_INFERIOR, true },
        { { 500, 40, 38, 50 }, .02, STATS_INCONCLUSIVE, false },
        { { 500, 60, 10, 50 }, .02, STATS_INFERIOR, false },
        { { 500, 60, 10, 50 },
          .2,
          STATS_NON_INFERIOR,
          true }, /* worse, but within the margin asked for */
        { { 500, 30, 45, 50 }, .03, STATS_NON_INFERIOR, false },
        { { 910, 50, 40, 0 }, .027, STATS_NON_INFERIOR, true }, /* one-sided only */
        { { 898, 60, 42, 0 }, .02, STATS_INCONCLUSIVE, false }, /* worse one-sided only */
        { { 115, 0, 0, 0 }, .01, STATS_INCONCLUSIVE, false },
        { { 0, 0, 0, 0 }, .02, STATS_INCONCLUSIVE, false },
        { { 0, 0, 1, 0 }, .02, STATS_INCONCLUSIVE, false },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct paired r = stats_paired(&rows[i].pairs, rows[i].margin, .05);
        CHECK_STR(str_from(stats_verdict_name(r.verdict)),
                  str_from(stats_verdict_name(rows[i].verdict)));
        CHECK(r.is_equivalent == rows[i].is_equivalent);
    }
    CHECK_STR(str_from(stats_verdict_name(STATS_NON_INFERIOR)), STR("non_inferior"));
}

static void exchanging_the_candidates_changes_signs(void)
{
    struct rng rng;

    rng_init(&rng, 3);
    for (int i = 0; i < 500; i++) {
        struct pairs p = draw_pairs(&rng), q = { p.both, p.only_b, p.only_a, p.neither };
        struct paired r = stats_paired(&p, .05, .05), s = stats_paired(&q, .05, .05);
        CHECK_NEAR(r.diff.estimate, -s.diff.estimate, 1e-15);
        CHECK(r.diff.lower == -s.diff.upper);
        CHECK(r.lower_one_sided == -s.upper_one_sided);
        CHECK(r.mcnemar_p == s.mcnemar_p);
        CHECK(r.is_equivalent == s.is_equivalent);
        CHECK(r.diff.lower < r.lower_one_sided && r.lower_one_sided <= r.diff.estimate);
    }
}

/* What these pairs could have resolved: as planned, and not less than pairs without any difference would show. */
static void resolvable_margins(void)
{
    struct paired some = stats_paired(&(struct pairs){ 800, 63, 63, 74 }, .02, .05);
    struct paired same = stats_paired(&(struct pairs){ 23, 0, 0, 0 }, .02, .05);
    double z = stats_normal_quantile(.95);

    CHECK_NEAR(some.resolvable, stats_plan_margin(1000, .126), 1e-15);
    CHECK_NEAR(same.resolvable, z * z / (23 + z * z), 1e-12);
    CHECK_NEAR(same.resolvable, -same.lower_one_sided, 1e-12);
}

static void extremes_stay_numbers(void)
{
    int64_t big = INT64_C(250000000000);
    const struct pairs rows[] = {
        { 0, 0, 0, 0 },         { 1, 0, 0, 0 },   { 0, 1, 0, 0 },   { 0, 0, 1, 0 },
        { big, big, big, big }, { big, 1, 0, 0 }, { 0, big, 0, 0 }, { big, 0, 0, big },
    };
    static const double alphas[] = { 1e-300, .05, .5, .9 };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (size_t a = 0; a < ARRAY_LEN(alphas); a++) {
            struct paired r = stats_paired(&rows[i], .02, alphas[a]);
            CHECK(r.diff.lower >= -1 && r.diff.upper <= 1);
            CHECK(r.diff.lower <= r.diff.estimate && r.diff.estimate <= r.diff.upper);
            CHECK(r.lower_one_sided >= -1 && r.lower_one_sided <= 1);
            CHECK(r.mcnemar_p > 0 || r.n > 2000);
            CHECK(r.mcnemar_p >= 0 && r.mcnemar_p <= 1);
            CHECK(r.resolvable > 0 && r.resolvable <= 1);
        }
    }
    struct paired r = stats_paired(&(struct pairs){ big, big, big, big }, .02, .05);
    CHECK_NEAR(r.diff.upper * 1e6, 1.959963984540054 * sqrt(.5), 1e-4);
    CHECK_NEAR(r.mcnemar_p, 1, 1e-6);
}

TESTS(TEST(pairs_are_planned), TEST(the_plan_has_its_power),
      TEST(the_interval_inverts_the_score_test), TEST(ends_in_closed_form),
      TEST(the_interval_covers), TEST(mcnemar_is_exact), TEST(verdicts),
      TEST(exchanging_the_candidates_changes_signs), TEST(resolvable_margins),
      TEST(extremes_stay_numbers))
