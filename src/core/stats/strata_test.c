/* SPDX-License-Identifier: Apache-2.0 */
/* strata's tests: one stratum is the plain comparison, several are weighed by hand, thin ones wait. */
#include <math.h>

#include "core/stats/stats.h"
#include "test/check.h"

static struct moments rate(int64_t n, int64_t right)
{
    return (struct moments){ n, (double)right, (double)right };
}

static void one_stratum_is_the_plain_comparison(void)
{
    static const struct compare_options cases[] = {
        { .alpha = 0.05 },
        { .alpha = 0.01, .is_one_sided = true },
        { .alpha = 0.05, .is_relative = true, .n_star = 300 },
    };
    const struct moments cells[][2] = {
        { rate(400, 300), rate(200, 180) }, { rate(5, 3), rate(7, 2) },
        { rate(150, 150), rate(150, 120) }, { { 300, 900, 4000 }, { 200, 500, 3000 } },
        { rate(0, 0), rate(10, 3) },
    };

    for (size_t i = 0; i < ARRAY_LEN(cells); i++) {
        struct strata s = { cells[i], 1, 2 };
        for (size_t k = 0; k < ARRAY_LEN(cases); k++) {
            struct comparison plain = stats_compare(&cells[i][0], &cells[i][1], &cases[k]);
            struct comparison c = stats_strata_compare(&s, 0, 1, &cases[k]);
            CHECK(c.diff.estimate == plain.diff.estimate && c.diff.lower == plain.diff.lower &&
                  c.diff.upper == plain.diff.upper);
            CHECK(c.p == plain.p && c.is_valid == plain.is_valid);
        }
    }
}

/* Two strata of 400 and 1200 values: means weigh 1/4 and 3/4, whatever the arms' shares in them were. */
static void strata_weigh_by_all_values(void)
{
    const struct moments cells[] = { rate(300, 90), rate(100, 60), rate(200, 120),
                                     rate(1000, 900) };
    struct strata s = { cells, 2, 2 };
    struct arm_moments a, b;
    const struct compare_options options = { .alpha = 0.05 };

    stats_strata_arm(&s, 0, &a);
    stats_strata_arm(&s, 1, &b);
    CHECK_NEAR(a.mean, 0.25 * 0.3 + 0.75 * 0.6, 1e-12);
    CHECK_NEAR(b.mean, 0.25 * 0.6 + 0.75 * 0.9, 1e-12);
    double variance =
        0.0625 * moments_variance(&cells[0]) / 300 + 0.5625 * moments_variance(&cells[2]) / 200;
    CHECK_NEAR(a.variance, variance * 500, 1e-12);
    CHECK_INT(a.n, 500);
    CHECK_NEAR(stats_strata_compare(&s, 0, 1, &options).diff.estimate, 0.3, 1e-12);
    struct interval mean = stats_strata_mean(&s, 1, &options);
    CHECK_NEAR(mean.estimate, b.mean, 1e-12);
    CHECK(mean.lower < b.mean && mean.upper > b.mean && mean.upper - mean.lower < 0.2);
}

static void thin_strata_wait(void)
{
    struct moments cells[] = { rate(300, 90), rate(300, 180), rate(29, 0), rate(500, 1) };
    struct strata one = { cells, 1, 2 }, two = { cells, 2, 2 }, none = { cells + 2, 1, 2 };
    const struct compare_options options = { .alpha = 0.05 };
    struct arm_moments arm;

    CHECK(stats_strata_compare(&two, 0, 1, &options).diff.estimate ==
          stats_strata_compare(&one, 0, 1, &options).diff.estimate);
    cells[2] = rate(30, 0);
    CHECK(stats_strata_compare(&two, 0, 1, &options).diff.estimate < 0.2);
    cells[2] = cells[3] = rate(0, 0);
    stats_strata_arm(&none, 0, &arm);
    CHECK(arm.n == 0 && arm.mean == 0 && arm.variance == 0);
    CHECK(isinf(stats_strata_mean(&none, 0, &options).lower));
    CHECK(!stats_strata_compare(&none, 0, 1, &options).is_valid);
}

TESTS(TEST(one_stratum_is_the_plain_comparison), TEST(strata_weigh_by_all_values),
      TEST(thin_strata_wait))
