/* SPDX-License-Identifier: Apache-2.0 */
/* histogram's tests: exact bucket ends, quantiles within 1.1 %, merging. */
#include <math.h>

#include "base/rng.h"
#include "core/stats/histogram.h"
#include "test/check.h"

static void bucket_ends_are_exact(void)
{
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
        double upper = histogram_upper(i);
        CHECK_NEAR(upper / exp2((i + 1) / 32.0), 1, 1e-15);
        CHECK_INT(histogram_index(upper), i);
        CHECK_INT(histogram_index(nextafter(upper, INFINITY)),
                  i + 1 < HISTOGRAM_BUCKETS ? i + 1 : HISTOGRAM_BUCKETS - 1);
        if ((i + 1) % 32 == 0)
            CHECK(upper == ldexp(1, (i + 1) / 32));
    }
}

static void values_out_of_range_are_clamped(void)
{
    static const double low[] = { 0, -1, -INFINITY, 1e-300, .5, 1 };
    static const double high[] = { 0x1p32, 0x1.1p32, 1e300, INFINITY };

    for (size_t i = 0; i < ARRAY_LEN(low); i++)
        CHECK_INT(histogram_index(low[i]), 0);
    for (size_t i = 0; i < ARRAY_LEN(high); i++)
        CHECK_INT(histogram_index(high[i]), HISTOGRAM_BUCKETS - 1);
    CHECK_INT(histogram_index(NAN), 0);
    CHECK_INT(histogram_index(nextafter(1, 2)), 0);
    CHECK_INT(histogram_index(2), 31);
    CHECK_INT(histogram_index(3.6e9), 1015); /* an hour in microseconds */
}

#define VALUES 1000

static void sort(double *x, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        double value = x[i];
        size_t at = i;
        for (; at > 0 && x[at - 1] > value; at--)
            x[at] = x[at - 1];
        x[at] = value;
    }
}

static void quantiles_are_within_a_bucket(void)
{
    static const double levels[] = { 0, .001, .05, .25, .5, .9, .95, .99, .999, 1 };
    static struct histogram h;
    static double x[VALUES];
    struct rng rng;

    rng_init(&rng, 1);
    for (int round = 0; round < 60; round++) {
        size_t n = HISTOGRAM_QUANTILE_N_MIN + (size_t)rng_below(&rng, VALUES - 20);
        h = (struct histogram){ .n = 0 };
        for (size_t i = 0; i < n; i++) {
            x[i] = round % 2 ? exp(11 + 2 * rng_normal(&rng)) : 1 + 1e6 * rng_unit(&rng);
            histogram_add(&h, x[i]);
        }
        sort(x, n);
        for (size_t q = 0; q < ARRAY_LEN(levels); q++) {
            double rank = fmax(ceil(levels[q] * (double)n - 1e-9), 1), exact = x[(size_t)rank - 1];
            struct quantile got = histogram_quantile(&h, levels[q]);
            CHECK(!got.is_maximum);
            CHECK_INT(got.n, n);
            CHECK(fabs(got.value / exact - 1) <= .011);
        }
        CHECK(h.min == x[0] && h.max == x[n - 1]);
    }
}

/* .07 of 100 is the seventh value, although the product rounds to above 7. */
static void ranks_are_whole_numbers(void)
{
    static struct histogram h;

    h = (struct histogram){ .n = 0 };
    for (int i = 1; i <= 100; i++)
        histogram_add(&h, ldexp(1.4, i / 4)); /* an own bucket for every four */
    CHECK_NEAR(histogram_quantile(&h, .07).value, 2.8, .03);
    CHECK_NEAR(histogram_quantile(&h, .0701).value, 5.6, .06);
}

static void few_values_give_the_maximum(void)
{
    static struct histogram h;

    h = (struct histogram){ .n = 0 };
    CHECK(histogram_quantile(&h, .95).value == 0);
    CHECK(histogram_quantile(&h, .95).is_maximum);
    for (int i = 1; i < HISTOGRAM_QUANTILE_N_MIN; i++) {
        histogram_add(&h, 100 + i);
        struct quantile got = histogram_quantile(&h, .5);
        CHECK(got.is_maximum && got.value == 100 + i);
        CHECK_INT(got.n, i);
    }
    histogram_add(&h, 1);
    CHECK(!histogram_quantile(&h, .5).is_maximum);
    CHECK_NEAR(histogram_quantile(&h, .5).value, 109, 1.2);
}

static void small_and_large_values(void)
{
    static struct histogram h;

    h = (struct histogram){ .n = 0 };
    for (int i = 0; i < 30; i++)
        histogram_add(&h, .25);
    CHECK(histogram_quantile(&h, .5).value == .25); /* no better than its minimum and maximum */
    histogram_add(&h, -5);
    CHECK(h.min == 0);
    CHECK_NEAR(h.sum, 7.5, 1e-12);
    h = (struct histogram){ .n = 0 };
    for (int i = 0; i < 30; i++)
        histogram_add(&h, 1e12);
    CHECK(histogram_quantile(&h, .5).value == 1e12);
}

static void merging_is_adding(void)
{
    static struct histogram whole, parts[3];
    struct rng rng;

    rng_init(&rng, 2);
    whole = (struct histogram){ .n = 0 };
    for (int p = 0; p < 3; p++)
        parts[p] = (struct histogram){ .n = 0 };
    for (int i = 0; i < 5000; i++) {
        double value = floor(exp(15 * rng_unit(&rng)));
        histogram_add(&whole, value);
        histogram_add(&parts[rng_below(&rng, 2)], value);
    }
    histogram_merge(&parts[2], &parts[0]); /* into an empty one */
    histogram_merge(&parts[2], &parts[1]);
    static const struct histogram empty;
    histogram_merge(&parts[2], &empty);
    CHECK(memcmp(whole.counts, parts[2].counts, sizeof(whole.counts)) == 0);
    CHECK_INT(parts[2].n, 5000);
    CHECK(parts[2].sum == whole.sum && parts[2].min == whole.min && parts[2].max == whole.max);
}

TESTS(TEST(bucket_ends_are_exact), TEST(values_out_of_range_are_clamped),
      TEST(quantiles_are_within_a_bucket), TEST(ranks_are_whole_numbers),
      TEST(few_values_give_the_maximum), TEST(small_and_large_values), TEST(merging_is_adding))
