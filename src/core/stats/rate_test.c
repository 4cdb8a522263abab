/* SPDX-License-Identifier: Apache-2.0 */
/* rate's tests: each interval inverts its test, covers as promised, and has an answer at every extreme. */
#include <math.h>

#include "base/rng.h"
#include "core/stats/stats.h"
#include "test/check.h"

#define BIG INT64_C(1000000000000)

/* P(X >= k) by adding up the binomial terms. */
static double tail(int k, int n, double p)
{
    double sum = 0;
    int sign;

    for (int i = k; i <= n; i++)
        sum += exp(lgamma_r(n + 1, &sign) - lgamma_r(i + 1, &sign) - lgamma_r(n - i + 1, &sign) +
                   i * log(p) + (n - i) * log1p(-p));
    return sum;
}

static void the_exact_interval_inverts_the_test(void)
{
    for (int n = 1; n <= 30; n++) {
        for (int k = 0; k <= n; k++) {
            struct interval v = stats_rate_exact(k, n, .05);
            CHECK_NEAR(v.estimate, (double)k / n, 1e-15);
            if (k > 0) {
                CHECK_NEAR(tail(k, n, v.lower), .025, 1e-10);
                CHECK_NEAR(tail(k, n, stats_rate_lower(k, n, .05)), .05, 1e-10);
            } else {
                CHECK(v.lower == 0 && stats_rate_lower(k, n, .05) == 0);
            }
            if (k < n)
                CHECK_NEAR(1 - tail(k + 1, n, v.upper), .025, 1e-10);
            else
                CHECK(v.upper == 1);
        }
    }
}

static void the_exact_interval_covers_everywhere(void)
{
    for (int n = 1; n <= 25; n += 4) {
        for (double p = .004; p < 1; p += .004) {
            double covered = 0;
            for (int k = 0; k <= n; k++) {
                struct interval v = stats_rate_exact(k, n, .05);
                if (v.lower <= p && p <= v.upper)
                    covered += tail(k, n, p) - tail(k + 1, n, p);
            }
            CHECK(covered >= .95 - 1e-9);
        }
    }
}

/* "100 %" of 115 runs. */
static void perfect_records_prove_little(void)
{
    CHECK_NEAR(stats_rate_lower(115, 115, .05), .974, .0005);
    CHECK_NEAR(stats_rate_lower(115, 115, .05), pow(.05, 1 / 115.0), 1e-14);
}

/* At its ends the observed rate is z standard deviations of that end away. */
static void wilson_inverts_the_score_test(void)
{
    double z = stats_normal_quantile(.975);

    for (int n = 1; n <= 60; n += 7) {
        for (int k = 0; k <= n; k++) {
            struct interval v = stats_rate_wilson(k, n, .05);
            double ends[] = { v.lower, v.upper };
            for (int e = 0; e < 2; e++)
                CHECK_NEAR(fabs(v.estimate - ends[e]), z * sqrt(ends[e] * (1 - ends[e]) / n),
                           (k == 0 && e == 0) || (k == n && e == 1) ? 1e-12 : 1e-9);
        }
    }
}

/* ---- always valid ---- */

static void the_sequence_has_its_published_values(void)
{
    struct interval v = stats_rate_sequence(700, 1000, 100, .05);

    CHECK_NEAR(v.estimate, .7, 1e-15);
    CHECK_NEAR(v.lower, .651629, 1e-6);
    CHECK_NEAR(v.upper, .745949, 1e-6);
}

static double log_beta(double a, double b)
{
    int sign;

    return lgamma_r(a, &sign) + lgamma_r(b, &sign) - lgamma_r(a + b, &sign);
}

/* The formula as the design writes it. */
static double log_martingale(double k, double n, double p, double t_opt)
{
    double variance = p * (1 - p);
    double r = fmax(stats_mixture_rho(variance * t_opt, .05) - variance, 1e-3 * variance);

    return -k * log(p) - (n - k) * log1p(-p) + log_beta(r / p + n - k, r / (1 - p) + k) -
           log_beta(r / p, r / (1 - p));
}

static void the_sequence_ends_where_the_martingale_rejects(void)
{
    static const double alphas[] = { .2, .05, 1e-6 }, t_opts[] = { 1, 100, 1e5 };
    struct rng rng;

    rng_init(&rng, 1);
    for (int i = 0; i < 2000; i++) {
        double alpha = alphas[i % 3], t_opt = t_opts[i / 3 % 3];
        int64_t n = 1 + (int64_t)rng_below(&rng, 2000);
        int64_t k = (int64_t)rng_below(&rng, (uint64_t)n + 1);
        struct interval v = stats_rate_sequence(k, n, t_opt, alpha);
        CHECK(v.lower <= v.estimate && v.estimate <= v.upper);
        if (k > 0 && v.lower > 1e-9)
            CHECK_NEAR(log_martingale((double)k, (double)n, v.lower, t_opt), -log(alpha), 1e-6);
        if (k < n && v.upper < 1 - 1e-6)
            CHECK_NEAR(log_martingale((double)k, (double)n, v.upper, t_opt), -log(alpha), 1e-6);
    }
}

/* The chance to miss the truth at any of many looks, from the first trial on. */
static void the_sequence_covers_at_every_look(void)
{
    static const double rates[] = { .02, .3, .5, .95 };
    struct rng rng;

    rng_init(&rng, 2);
    for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
        int missed = 0;
        for (int run = 0; run < 400; run++) {
            int64_t k = 0, n = 0;
            bool has_missed = false;
            for (int64_t look = 1; look <= 4000; look += 1 + look / 8) {
                for (; n < look; n++)
                    k += rng_unit(&rng) < rates[i];
                struct interval v = stats_rate_sequence(k, n, 100, .1);
                has_missed |= rates[i] < v.lower || rates[i] > v.upper;
            }
            missed += has_missed;
        }
        CHECK(missed <= 40);
    }
}

/* ---- all of them ---- */

static void an_interval_makes_sense(struct interval v, int64_t k, int64_t n)
{
    CHECK(v.lower >= 0 && v.upper <= 1);
    CHECK(v.lower <= v.estimate && v.estimate <= v.upper);
    if (n > 0) {
        CHECK_NEAR(v.estimate, (double)k / (double)n, 1e-15);
        CHECK(k > 0 || v.lower == 0);
        CHECK(k < n || v.upper == 1);
        CHECK(v.lower < v.upper);
    } else {
        CHECK(v.estimate == 0 && v.lower == 0 && v.upper == 1);
    }
}

static void extremes_have_answers(void)
{
    static const int64_t totals[] = { 0, 1, 2, 1000, 123456789, BIG };
    static const double alphas[] = { 1e-300, 1e-9, .05, .5, .9 };

    for (size_t i = 0; i < ARRAY_LEN(totals); i++) {
        int64_t n = totals[i], tries[] = { 0, n > 0 ? 1 : 0, n / 2, n > 0 ? n - 1 : 0, n };
        for (size_t j = 0; j < ARRAY_LEN(tries); j++) {
            for (size_t a = 0; a < ARRAY_LEN(alphas); a++) {
                int64_t k = tries[j];
                an_interval_makes_sense(stats_rate_exact(k, n, alphas[a]), k, n);
                an_interval_makes_sense(stats_rate_wilson(k, n, alphas[a]), k, n);
                an_interval_makes_sense(stats_rate_sequence(k, n, 100, alphas[a]), k, n);
                an_interval_makes_sense(stats_rate_sequence(k, n, 1e-3, alphas[a]), k, n);
                double lower = stats_rate_lower(k, n, alphas[a]);
                CHECK(lower >= 0 && lower <= 1);
            }
        }
    }
    /* At half of 10^12 all are the normal interval. */
    CHECK_NEAR(stats_rate_exact(BIG / 2, BIG, .05).lower, .5 - .5 * 1.959963984540054e-6, 1e-12);
    CHECK_NEAR(stats_rate_wilson(BIG / 2, BIG, .05).upper, .5 + .5 * 1.959963984540054e-6, 1e-12);
    /* None of 10^12: -ln(.025)/n. */
    CHECK_NEAR(stats_rate_exact(0, BIG, .05).upper * 1e12, 3.6888794541139363, 1e-10);
    /* With 60 digits: 5, a million and half of 10^12. */
    struct interval few = stats_rate_sequence(5, BIG, 100, .05);
    CHECK_NEAR(few.lower * 1e15, 1.9325239302892239, 1e-12);
    CHECK_NEAR(few.upper * 1e11, 3.9725632665755577, 1e-12);
    struct interval rare = stats_rate_sequence(1000000, BIG, 100, .05);
    CHECK_NEAR(rare.lower * 1e7, 9.9363304448291002, 1e-11);
    CHECK_NEAR(rare.upper * 1e6, 1.0063920878948933, 1e-11);
    CHECK_NEAR(stats_rate_sequence(BIG / 2, BIG, 100, .05).lower, .49999720650395315726, 1e-15);
}

static void failures_mirror_successes(void)
{
    struct rng rng;

    rng_init(&rng, 3);
    for (int i = 0; i < 300; i++) {
        int64_t n = 1 + (int64_t)rng_below(&rng, 500),
                k = (int64_t)rng_below(&rng, (uint64_t)n + 1);
        struct interval pairs[][2] = {
            { stats_rate_exact(k, n, .05), stats_rate_exact(n - k, n, .05) },
            { stats_rate_wilson(k, n, .05), stats_rate_wilson(n - k, n, .05) },
            { stats_rate_sequence(k, n, 100, .05), stats_rate_sequence(n - k, n, 100, .05) },
        };
        for (size_t j = 0; j < ARRAY_LEN(pairs); j++) {
            CHECK_NEAR(pairs[j][0].lower, 1 - pairs[j][1].upper, 1e-12);
            CHECK_NEAR(pairs[j][0].upper, 1 - pairs[j][1].lower, 1e-12);
        }
    }
}

TESTS(TEST(the_exact_interval_inverts_the_test), TEST(the_exact_interval_covers_everywhere),
      TEST(perfect_records_prove_little), TEST(wilson_inverts_the_score_test),
      TEST(the_sequence_has_its_published_values),
      TEST(the_sequence_ends_where_the_martingale_rejects), TEST(the_sequence_covers_at_every_look),
      TEST(extremes_have_answers), TEST(failures_mirror_successes))
