/* SPDX-License-Identifier: Apache-2.0 */
/* srm's tests: the formula, fair odds, false alarms over time, and huge counts. */
#include <math.h>

#include "base/rng.h"
#include "core/stats/stats.h"
#include "test/check.h"

/* The formula as the design writes it. */
static double direct(const double *p, const int64_t *counts, size_t arms)
{
    double total = 0, sum = 0;
    int sign;

    for (size_t i = 0; i < arms; i++) {
        double a = 1e4 * p[i], n = (double)counts[i];
        sum += lgamma_r(a + n, &sign) - lgamma_r(a, &sign) - n * log(p[i]);
        total += n;
    }
    return lgamma_r(1e4, &sign) - lgamma_r(1e4 + total, &sign) + sum;
}

static void the_formula(void)
{
    static const double weights[] = { .1, .2, .3, .4 };
    struct rng rng;

    rng_init(&rng, 1);
    for (int round = 0; round < 500; round++) {
        int64_t counts[4];
        double scaled[4];
        for (size_t i = 0; i < 4; i++) {
            counts[i] = (int64_t)rng_below(&rng, 5000);
            scaled[i] = 70 * weights[i]; /* weights need not sum to 1 */
        }
        double want = direct(weights, counts, 4);
        CHECK_NEAR(stats_srm_log_bayes(weights, counts, 4), want, 1e-8);
        CHECK_NEAR(stats_srm_log_bayes(scaled, counts, 4), want, 1e-8);
    }
}

/* Under the weights the Bayes factor's mean is 1: all outcomes of three trials. */
static void the_odds_are_fair(void)
{
    static const double weights[] = { .3, .7 };
    static const double choices[] = { 1, 3, 3, 1 };
    double mean = 0;

    for (int k = 0; k <= 3; k++) {
        int64_t counts[] = { k, 3 - k };
        mean +=
            choices[k] * pow(.3, k) * pow(.7, 3 - k) * exp(stats_srm_log_bayes(weights, counts, 2));
    }
    CHECK_NEAR(mean, 1, 1e-12);
}

static void special_cases(void)
{
    static const double weights[] = { 1, 1 }, with_zero[] = { 1, 1, 0 };
    static const int64_t none[] = { 0, 0 }, some[] = { 40, 50, 0 }, stray[] = { 40, 50, 1 };

    CHECK_NEAR(stats_srm_log_bayes(weights, none, 2), 0, 1e-12);
    CHECK_NEAR(stats_srm_log_bayes(weights, some, 1), 0, 1e-12);
    CHECK(stats_srm_log_bayes(weights, some, 0) == 0);
    CHECK_NEAR(stats_srm_log_bayes(with_zero, some, 3), stats_srm_log_bayes(weights, some, 2),
               1e-12);
    CHECK(stats_srm_log_bayes(with_zero, stray, 3) == INFINITY);
}

/* At 10^12 lnΓ has lost all digits behind the second; the answer must not have. For counts as expected it
 * is ½ ln(C / (C + N)) a degree of freedom. */
static void huge_counts(void)
{
    static const double weights[] = { .5, .5 }, uneven[] = { 1, 999999 };
    static const int64_t even[] = { INT64_C(500000000000), INT64_C(500000000000) };
    static const int64_t off[] = { INT64_C(500005000000), INT64_C(499995000000) };
    static const double three[] = { 1, 2, 7 };
    static const int64_t near[] = { INT64_C(100001000000), INT64_C(200000000000),
                                    INT64_C(699999000000) };
    static const int64_t split[] = { INT64_C(1000000), INT64_C(999999000000) };

    CHECK_NEAR(stats_srm_log_bayes(weights, even, 2), .5 * log(1e4 / (1e4 + 1e12)), 1e-4);
    /* With 60 digits; the second is ten standard deviations off: 50 in likelihood, less what the mixture costs. */
    CHECK_NEAR(stats_srm_log_bayes(weights, even, 2), -9.2103653769758910, 1e-9);
    CHECK_NEAR(stats_srm_log_bayes(weights, off, 2), 40.789634123907447, 1e-7);
    CHECK_NEAR(stats_srm_log_bayes(three, near, 3), -12.706544280369106, 1e-7);
    CHECK(isfinite(stats_srm_log_bayes(uneven, split, 2)));
    CHECK(stats_srm_log_bayes(uneven, split, 2) < 0);
    CHECK(stats_srm_log_bayes(uneven, even, 2) > 1e9);
}

/* Looking after every exposure: a true split hardly ever alarms, 57 to 43 soon does. */
static void alarms(void)
{
    static const double weights[] = { 1, 1 };
    struct rng rng;
    int false_alarms = 0, found = 0;

    rng_init(&rng, 2);
    for (int run = 0; run < 100; run++) {
        for (int is_off = 0; is_off < 2; is_off++) {
            int64_t counts[2] = { 0 };
            bool has_alarm = false;
            for (int i = 0; i < 4000 && !has_alarm; i++) {
                counts[rng_unit(&rng) < (is_off ? .43 : .5)]++;
                has_alarm =
                    i % 4 == 0 && stats_srm_log_bayes(weights, counts, 2) >= STATS_SRM_ALARM;
            }
            *(is_off ? &found : &false_alarms) += has_alarm;
        }
    }
    CHECK_INT(false_alarms, 0);
    CHECK(found >= 95);
}

TESTS(TEST(the_formula), TEST(the_odds_are_fair), TEST(special_cases), TEST(huge_counts),
      TEST(alarms))
