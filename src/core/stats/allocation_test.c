/* SPDX-License-Identifier: Apache-2.0 */
/* allocation's tests: the shares are optimal, floors hold, and stopping errs as rarely as promised. */
#include <math.h>

#include "base/rng.h"
#include "core/stats/stats.h"
#include "test/check.h"

#define ARMS 4

static double total_of(const double *x, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += x[i];
    return sum;
}

/* The rate at which the hardest rival is told from arm 0, the best. */
static double rate_of(const struct arm_moments *arms, const double *shares, size_t count)
{
    double least = INFINITY;

    for (size_t i = 1; i < count; i++) {
        double gap = arms[0].mean - arms[i].mean;
        double spread = arms[0].variance / shares[0] + arms[i].variance / shares[i];
        least = fmin(least, gap * gap / (2 * spread));
    }
    return least;
}

/* With two arms trials go in proportion to the standard deviations (Neyman). */
static void two_arms(void)
{
    struct arm_moments arms[] = { { 1, 9, 10 }, { .5, 1, 10 } };
    double shares[2];

    stats_allocation(arms, 2, 0, shares);
    CHECK_NEAR(shares[0], .75, 1e-12);
    CHECK_NEAR(shares[1], .25, 1e-12);
    arms[1].mean = 1;
    stats_allocation(arms, 2, 0, shares);
    CHECK_NEAR(shares[0], .75, 1e-12);
}

/* No small change of the shares tells the arms apart sooner, and all rivals are equally hard. */
static void shares_are_optimal(void)
{
    struct rng rng;

    rng_init(&rng, 1);
    for (int round = 0; round < 300; round++) {
        struct arm_moments arms[ARMS];
        double shares[ARMS], moved[ARMS];
        for (size_t i = 0; i < ARMS; i++)
            arms[i] = (struct arm_moments){ i == 0 ? 1 : rng_unit(&rng) * .99,
                                            exp(2 * rng_normal(&rng)), 100 };
        stats_allocation(arms, ARMS, 0, shares);
        CHECK_NEAR(total_of(shares, ARMS), 1, 1e-12);
        double best = rate_of(arms, shares, ARMS);
        for (int change = 0; change < 20; change++) {
            for (size_t i = 0; i < ARMS; i++)
                moved[i] = shares[i] * exp(.1 * rng_normal(&rng));
            double total = total_of(moved, ARMS);
            for (size_t i = 0; i < ARMS; i++)
                moved[i] /= total;
            CHECK(rate_of(arms, moved, ARMS) <= best * (1 + 1e-9));
        }
    }
}

static void floors_hold(void)
{
    struct arm_moments arms[] = { { 1, 1, 9 }, { .9, 1, 9 }, { 0, 1, 9 }, { -5, 1, 9 } };
    double shares[4];

    for (double floor = 0; floor < .5; floor += .05) {
        stats_allocation(arms, 4, floor, shares);
        for (size_t i = 0; i < 4; i++)
            CHECK(shares[i] >= fmin(floor, .25) - 1e-12);
        CHECK_NEAR(total_of(shares, 4), 1, 1e-12);
    }
    stats_allocation(arms, 4, 0, shares);
    CHECK(shares[1] > shares[2] && shares[2] > shares[3]);
}

static void what_is_not_known_is_shared_equally(void)
{
    struct arm_moments tied[] = { { 1, 4, 9 }, { 1, 4, 9 }, { 1, 4, 9 } };
    struct arm_moments unknown[] = { { 1, 4, 9 }, { 1, 0, 9 } },
                       wild[] = { { 1, 1e-30, 9 }, { 0, 1e30, 9 } };
    double shares[3] = { 0 };

    stats_allocation(tied, 3, 0, shares);
    /* The best is not known, so the one that counts as it gets √2 times a rival's. */
    CHECK_NEAR(shares[1], shares[2], 1e-12);
    CHECK_NEAR(shares[0], sqrt(2) * shares[1], 1e-12);
    stats_allocation(unknown, 2, .1, shares);
    CHECK_NEAR(shares[0], .5, 0);
    CHECK(!stats_allocation_stops(unknown, 2, .1, .05));
    unknown[1].mean = -1e6;
    CHECK(!stats_allocation_stops(unknown, 2, .1, .05));
    stats_allocation(wild, 2, 0, shares);
    CHECK(shares[0] >= 0 && shares[1] <= 1);
    CHECK_NEAR(shares[0] + shares[1], 1, 1e-12);
    stats_allocation(tied, 1, 0, shares);
    CHECK_NEAR(shares[0], 1, 0);
    stats_allocation(tied, 0, 0, shares);
}

/* (gap + epsilon)² / (2 (v/n + v/n)) against ln((1 + ln N)/delta), by hand. */
static void the_stopping_rule(void)
{
    struct arm_moments arms[] = { { .8, .25, 200 }, { .7, .16, 100 }, { .2, .25, 100 } };
    double level = log((1 + log(400)) / .05);
    double epsilon = sqrt(2 * (.25 / 200 + .16 / 100) * level) - .1;

    CHECK(stats_allocation_stops(arms, 3, epsilon * 1.001, .05));
    CHECK(!stats_allocation_stops(arms, 3, epsilon * .999, .05));
    CHECK(!stats_allocation_stops(arms, 3, epsilon * 1.001, .049));
    CHECK(stats_allocation_stops(arms, 1, 0, .05));
    arms[2].n = 0;
    CHECK(!stats_allocation_stops(arms, 3, 10, .05));
    CHECK(stats_allocation_stops(&arms[2], 1, 0, .05));
    CHECK(stats_allocation_stops(NULL, 0, 0, .05));
    arms[0].n = arms[1].n = 0;
    CHECK(!stats_allocation_stops(arms, 3, 10, .05));
}

/* Three arms followed by their optimal shares until it stops: the wrong one at most as often as delta. */
static void stopping_is_rarely_wrong(void)
{
    static const double means[] = { .5, .3, .4 };
    struct rng rng;
    int wrong = 0;

    rng_init(&rng, 2);
    for (int run = 0; run < 200; run++) {
        struct moments seen[3] = { { .n = 0 } };
        struct arm_moments arms[3] = { { 0, 0, 0 } };
        do {
            double shares[3];
            stats_allocation(arms, 3, .05, shares);
            for (int i = 0; i < 60; i++) {
                double u = rng_unit(&rng);
                size_t arm = u < shares[0] ? 0 : u < shares[0] + shares[1] ? 1 : 2;
                moments_add(&seen[arm], means[arm] + .3 * rng_normal(&rng));
            }
            for (size_t i = 0; i < 3; i++)
                arms[i] = (struct arm_moments){ moments_mean(&seen[i]), moments_variance(&seen[i]),
                                                seen[i].n };
        } while (!stats_allocation_stops(arms, 3, 0, .1));
        wrong += arms[0].mean < arms[1].mean || arms[0].mean < arms[2].mean;
    }
    CHECK(wrong <= 20);
}

TESTS(TEST(two_arms), TEST(shares_are_optimal), TEST(floors_hold),
      TEST(what_is_not_known_is_shared_equally), TEST(the_stopping_rule),
      TEST(stopping_is_rarely_wrong))
