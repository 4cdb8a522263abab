/* SPDX-License-Identifier: Apache-2.0 */
/* several's tests: clustered means against plain ones, Holm against its definition. */
#include <math.h>

#include "base/rng.h"
#include "core/stats/stats.h"
#include "test/check.h"

static void holm_adjusts(void)
{
    double p[] = { .01, .04, .03, .005 }, one[] = { .2 }, large[] = { .9, .8 };

    stats_holm(p, 4);
    CHECK_NEAR(p[0], .03, 1e-15);
    CHECK_NEAR(p[1], .06, 1e-15);
    CHECK_NEAR(p[2], .06, 1e-15);
    CHECK_NEAR(p[3], .02, 1e-15);
    stats_holm(one, 1);
    CHECK_NEAR(one[0], .2, 0);
    stats_holm(large, 2);
    CHECK_NEAR(large[0], 1, 0);
    CHECK_NEAR(large[1], 1, 0);
    stats_holm(one, 0);
}

/* Never below the raw value, in the same order, equal for equals; and rejecting at alpha is the step-down procedure. */
static void holm_keeps_order(void)
{
    struct rng rng;
    double raw[60], p[60];

    rng_init(&rng, 1);
    for (int round = 0; round < 100; round++) {
        size_t n = 1 + (size_t)rng_below(&rng, 60);
        for (size_t i = 0; i < n; i++)
            p[i] = raw[i] = pow(rng_unit(&rng), 4) + (double)rng_below(&rng, 2) * .001;
        for (size_t i = 0; i < n; i++)
            p[i] = raw[i] = fmin(raw[i], 1);
        stats_holm(p, n);
        for (size_t i = 0; i < n; i++) {
            size_t below = 0;
            bool is_rejected = true;
            CHECK(p[i] >= raw[i] && p[i] <= 1);
            for (size_t j = 0; j < n; j++) {
                CHECK(raw[i] > raw[j] || p[i] <= p[j]);
                below += raw[j] < raw[i];
            }
            for (size_t j = 0; j < n; j++) { /* every smaller one must be rejected too */
                size_t rank = 0;
                for (size_t k = 0; k < n; k++)
                    rank += raw[k] < raw[j];
                if (raw[j] <= raw[i])
                    is_rejected = is_rejected && (double)(n - rank) * raw[j] <= .05;
            }
            CHECK((p[i] <= .05) == is_rejected);
            CHECK(p[i] >= fmin((double)(n - below) * raw[i], 1) - 1e-12);
        }
    }
}

/* One value a cluster: the usual t interval. Each value three times over: the same. */
static void clusters_of_equals(void)
{
    static const double x[] = { .2, .9, .4, .5, .7, .1, .6, .6 };
    struct cluster single[8], triple[8];
    double mean = 0, squares = 0, se, se_triple;

    for (size_t i = 0; i < 8; i++) {
        single[i] = (struct cluster){ 1, x[i] };
        triple[i] = (struct cluster){ 3, 3 * x[i] };
        mean += x[i] / 8;
    }
    for (size_t i = 0; i < 8; i++)
        squares += (x[i] - mean) * (x[i] - mean);
    struct interval v = stats_clustered_mean(single, 8, .05, &se);
    CHECK_NEAR(v.estimate, mean, 1e-15);
    CHECK_NEAR(se, sqrt(squares / 7 / 8), 1e-14);
    CHECK_NEAR(v.upper - mean, 2.3646242515927844 * se, 1e-12);
    CHECK_NEAR(mean - v.lower, v.upper - mean, 1e-14);
    struct interval w = stats_clustered_mean(triple, 8, .05, &se_triple);
    CHECK_NEAR(se_triple, se, 1e-14);
    CHECK_NEAR(w.lower, v.lower, 1e-14);
}

/* Runs of a question agree: the interval must be as wide as questions, not runs, make it. */
static void the_interval_covers(void)
{
    struct rng rng;
    int missed = 0;

    rng_init(&rng, 2);
    for (int run = 0; run < 1000; run++) {
        struct cluster clusters[25];
        for (size_t i = 0; i < ARRAY_LEN(clusters); i++) {
            double effect = rng_normal(&rng);
            clusters[i] = (struct cluster){ 4, 0 };
            for (int j = 0; j < 4; j++)
                clusters[i].sum += effect + .5 * rng_normal(&rng);
        }
        struct interval v = stats_clustered_mean(clusters, ARRAY_LEN(clusters), .05, NULL);
        missed += v.lower > 0 || v.upper < 0;
    }
    CHECK_NEAR(missed / 1000.0, .05, .02);
}

static void too_few_clusters(void)
{
    struct cluster one[] = { { 5, 3 }, { 0, 0 } };
    double se;
    struct interval v = stats_clustered_mean(one, 1, .05, &se);

    CHECK_NEAR(v.estimate, .6, 1e-15);
    CHECK(v.lower == -INFINITY && v.upper == INFINITY && se == INFINITY);
    v = stats_clustered_mean(one, 0, .05, NULL);
    CHECK(v.estimate == 0 && v.lower == -INFINITY && v.upper == INFINITY);
    struct cluster empty[] = { { 0, 0 }, { 0, 0 } };
    v = stats_clustered_mean(empty, 2, .05, &se);
    CHECK(v.estimate == 0 && v.upper == INFINITY && se == INFINITY);
    v = stats_clustered_mean(&one[1], 1, .05, &se);
    CHECK(v.estimate == 0 && se == INFINITY);
    struct cluster same[] = { { 2, 1 }, { 4, 2 } };
    v = stats_clustered_mean(same, 2, .05, &se);
    CHECK(v.lower == .5 && v.upper == .5 && se == 0);
}

TESTS(TEST(holm_adjusts), TEST(holm_keeps_order), TEST(clusters_of_equals),
      TEST(the_interval_covers), TEST(too_few_clusters))
