/* SPDX-License-Identifier: Apache-2.0 */
/* special's tests: tables made with 50 digits, inverses, and ends. */
#include <math.h>

#include "base/rng.h"
#include "core/stats/stats_internal.h"
#include "test/check.h"

static double relative_error(double got, double want)
{
    return want != 0 ? fabs(got / want - 1) : fabs(got);
}

static void normal_quantiles(void)
{
    static const struct {
        double p, z;
    } rows[] = {
        { 1e-300, -37.047096299361199 }, { 1e-100, -21.273453560965324 },
        { 1e-20, -9.2623400897984076 },  { 1e-08, -5.6120012441747887 },
        { 0.001, -3.0902323061678135 },  { 0.025, -1.9599639845400542 },
        { 0.2, -0.84162123357291417 },   { 0.5, 0.0 },
        { 0.8, 0.84162123357291436 },    { 0.95, 1.6448536269514723 },
        { 0.975, 1.9599639845400539 },   { 0.9999, 3.7190164854557084 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CHECK(relative_error(stats_normal_quantile(rows[i].p), rows[i].z) < 4e-16);
        CHECK(relative_error(stats_normal_cdf(rows[i].z), rows[i].p) < 1e-12);
    }
}

static void beta_distributions(void)
{
    /* clang-format off */
    static const struct { double x, a, b, p, tolerance; } rows[] = {
        { 0.5, 0.5, 0.5, 0.5, 1e-14 },
        { 0.1, 0.5, 0.5, 0.20483276469913346, 1e-14 },
        { 0.2, 2, 3, 0.1808, 1e-14 },
        { 0.8, 2, 3, 0.9728, 1e-14 },
        { 0.3, 1, 1, 0.3, 1e-14 },
        { 0.01, 30, 40, 2.1646349506125994e-41, 1e-13 },
        { 0.42, 30, 40, 0.44704953086047479, 1e-14 },
        { 0.001, 1, 1e3, 0.63230457522903596, 1e-14 },
        { 0.001, 3, 0.5, 3.1261725786136479e-10, 1e-14 },
        { 0.999, 3, 0.5, 0.94074681048405374, 1e-14 },
        { 1e-09, 0.5, 2.5, 5.3684492884610593e-5, 1e-14 },
        { 0.5, 1000, 1000, 0.5, 1e-13 },
        { 0.49, 1000, 1001, 0.19153110439545383, 1e-12 },
        { 0.52, 2999, 3001, 0.99911195062400469, 1e-12 },
        { 0.03, 3100, 1e5, 0.45143524700204993, 1e-11 },
        { 0.0302, 3100, 1e5, 0.6001534639571748, 1e-11 },
        { 0.499, 5000, 5001, 0.42465249656730933, 1e-11 },
        { 0.48, 40000, 40000, 5.3317955443219065e-30, 1e-10 },
        { 0.9999, 1e5, 3, 0.0027680339601161102, 1e-12 },
        { 0.9999999999990905, 1e12, 0.5, 0.17743361791278231, 1e-12 },
        { 3e-12, 2, 1e12, 0.80085172652944042, 1e-12 },
        { 2e-12, 1, 1e12, 0.86466471676365797, 1e-12 },
        { 0.4999988, 5e11, 5e11, 0.0081975359254729359, 1e-8 },
    };
    /* clang-format on */
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        double got = stats_beta_cdf(rows[i].x, rows[i].a, rows[i].b);
        if (relative_error(got, rows[i].p) > rows[i].tolerance)
            fprintf(stderr, "row %zu: %.17g\n", i, got);
        CHECK(relative_error(got, rows[i].p) <= rows[i].tolerance);
    }
    CHECK(stats_beta_cdf(0, 2, 3) == 0);
    CHECK(stats_beta_cdf(1, 2, 3) == 1);
}

/* Sums of binomial terms are the beta distribution's other face. */
static void beta_is_the_binomial_tail(void)
{
    for (int n = 1; n <= 40; n += 3) {
        for (double p = .05; p < 1; p += .09) {
            double term = pow(1 - p, n), below = 0;
            for (int k = 1; k <= n; k++) {
                below += term;
                term *= (n - k + 1) / (double)k * p / (1 - p);
                CHECK_NEAR(stats_beta_cdf(p, k, n - k + 1), 1 - below, 1e-12);
            }
        }
    }
}

/* Does P(X <= x) come back as p, for p up to ½? By its relative error; where x is close to 1, so that rounding it moves P, by
 * way of the complement. */
static void check_inverse(struct fraction x, double a, double b, double p)
{
    if (x.p < .9)
        CHECK(relative_error(stats_beta_cdf(x.p, a, b), p) < 1e-6);
    else
        CHECK_NEAR(1 - stats_beta_cdf(x.q, b, a), p, 1e-8);
}

static void quantiles_invert_distributions(void)
{
    static const double shapes[] = { .5, 1, 2, 7.5, 300, 2999, 3001, 1e5, 1e9, 1e12 };
    static const double levels[] = { 1e-200, 1e-12, .001, .3, .5, .77, .999, 1 - 0x1p-40 };

    for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
        for (size_t j = 0; j < ARRAY_LEN(shapes); j++) {
            double a = shapes[i], b = shapes[j], before = -INFINITY;
            for (size_t k = 0; k < ARRAY_LEN(levels); k++) {
                double logit = beta_quantile_logit(levels[k], a, b);
                CHECK(logit > before);
                before = logit;
                struct fraction x = fraction_of_logit(logit);
                if (x.p < 1e-280 || x.q < 1e-280)
                    continue; /* out of a double's range */
                if (levels[k] <= .5)
                    check_inverse(x, a, b, levels[k]);
                else
                    check_inverse((struct fraction){ x.q, x.p }, b, a, 1 - levels[k]);
            }
        }
    }
    CHECK(stats_beta_quantile(0, 2, 3) == 0);
    CHECK(stats_beta_quantile(1, 2, 3) == 1);
    CHECK(stats_beta_quantile(1e-200, .01, 1) < 1e-300); /* 10^-20000 */
    CHECK(stats_beta_quantile(1 - 1e-9, 1, .01) == 1);
}

static void student_quantiles(void)
{
    static const struct {
        double degrees, five, one;
    } rows[] = { { 1, 12.706204736174705, 636.6192487687196 },
                 { 2, 4.302652729749464, 31.59905457644362 },
                 { 3, 3.1824463052837086, 12.923978636687481 },
                 { 10, 2.2281388519862753, 4.586893858702636 },
                 { 100, 1.983971518523552, 3.3904913111642294 },
                 { 1e6, 1.9599663568141072, 3.2905364612486916 } };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CHECK(relative_error(student_two_sided(.05, rows[i].degrees), rows[i].five) < 1e-10);
        CHECK(relative_error(student_two_sided(.001, rows[i].degrees), rows[i].one) < 1e-10);
    }
}

static void log_sum_exp_has_no_range(void)
{
    static const double far[] = { 1e4, 10001.098612288668, -1e4 },
                        ends[] = { -INFINITY, -INFINITY }, mixed[] = { -INFINITY, 2 },
                        high[] = { INFINITY, 1 };

    CHECK_NEAR(stats_log_sum_exp(far, 3), 1e4 + log(4), 1e-11);
    CHECK(stats_log_sum_exp(far, 0) == -INFINITY);
    CHECK(stats_log_sum_exp(ends, 2) == -INFINITY);
    CHECK_NEAR(stats_log_sum_exp(mixed, 2), 2, 0);
    CHECK(stats_log_sum_exp(high, 2) == INFINITY);
}

static void stirling_remainders(void)
{
    int sign;

    for (double x = 1e-6; x < 1e4; x *= 1.37) {
        double direct = lgamma_r(x, &sign) - (x - .5) * log(x) + x - HALF_LOG_TWO_PI;
        CHECK_NEAR(stirling_remainder(x), direct, 1e-11);
    }
    CHECK_NEAR(stirling_remainder(1e12), 1 / 12e12, 1e-28);
}

struct cubic {
    struct curve curve;
    double zero;
};

static double cubic_at(const struct curve *curve, double x)
{
    const struct cubic *c = CONTAINER_OF_CONST(curve, struct cubic, curve);
    double d = x - c->zero;
    return d * (d * d + 1e-3);
}

static void roots_are_found(void)
{
    struct rng rng;

    rng_init(&rng, 1);
    for (int i = 0; i < 1000; i++) {
        struct cubic c = { { cubic_at }, 10 * rng_unit(&rng) - 5 };
        CHECK_NEAR(curve_root(&c.curve, -6, 7), c.zero, 1e-14);
    }
}

TESTS(TEST(normal_quantiles), TEST(beta_distributions), TEST(beta_is_the_binomial_tail),
      TEST(quantiles_invert_distributions), TEST(student_quantiles), TEST(log_sum_exp_has_no_range),
      TEST(stirling_remainders), TEST(roots_are_found))
