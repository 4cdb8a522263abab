/* SPDX-License-Identifier: Apache-2.0 */
/* compare's tests: published values, sample sizes of the design, validity, and coverage at every look. */
#include <math.h>

#include "base/rng.h"
#include "core/stats/stats.h"
#include "test/check.h"

static void published_values(void)
{
    struct moments a = { 3000, 1396.87, 52377.9767 }, b = { 3461, 2422.7, 134698.29 };
    struct comparison c = stats_compare(
        &a, &b, &(struct compare_options){ .alpha = .05, .n_star = 1000, .is_relative = true });

    CHECK(c.is_valid);
    CHECK_NEAR(c.diff.estimate, .50336, 5e-6);
    CHECK_NEAR(c.diff.lower, -.55844, 5e-6);
    CHECK_NEAR(c.diff.upper, 1.56516, 5e-6);
    CHECK_NEAR(c.se, .33341, 5e-6);
}

static void the_normal_mixture(void)
{
    double rho = stats_mixture_rho(100, .05);

    CHECK_NEAR(rho, 12.60056, 5e-6);
    CHECK_NEAR(stats_mixture_log(10, 100, rho), -.6510052, 5e-8);
    CHECK_NEAR(stats_mixture_bound(100, rho, .05), 30.35209, 5e-6);
    /* The bound is where the martingale reaches 1/alpha. */
    for (double v = .01; v < 1e9; v *= 7)
        CHECK_NEAR(stats_mixture_log(stats_mixture_bound(v, rho, .01), v, rho), log(100), 1e-9);
}

/* ---- how many are needed (one-sided alpha .05, N* 2000, success 99 % in both arms) ---- */

static bool is_shown(int64_t total, double share_b, double margin)
{
    int64_t n_b = llround((double)total * share_b), n_a = total - n_b;
    struct moments a = { n_a, .99 * (double)n_a, .99 * (double)n_a };
    struct moments b = { n_b, .99 * (double)n_b, .99 * (double)n_b };
    struct comparison c = stats_compare(
        &a, &b, &(struct compare_options){ .alpha = .05, .n_star = 2000, .is_one_sided = true });

    return c.diff.upper < margin;
}

/* To half a percent: the design's figures were counted in whole successes. */
static void sample_sizes_of_the_design(void)
{
    static const struct {
        double margin, share_b;
        int total;
    } rows[] = { { .02, .1, 2135 }, { .02, .5, 824 }, { .01, .1, 9204 }, { .01, .5, 3076 } };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t total = 400;
        while (!is_shown(total, rows[i].share_b, rows[i].margin))
            total++;
        CHECK_NEAR((double)total, rows[i].total, .005 * rows[i].total);
    }
}

/* ---- properties ---- */

static struct moments draw(struct rng *rng, int n, double mean, double deviation)
{
    struct moments m = { 0 };

    for (int i = 0; i < n; i++)
        moments_add(&m, mean + deviation * rng_normal(rng));
    return m;
}

static void moments_add_up(void)
{
    struct rng rng;
    struct moments whole = { 0 }, parts[2] = { { .n = 0 } };
    double x[500], mean = 0, squares = 0;

    rng_init(&rng, 1);
    for (size_t i = 0; i < ARRAY_LEN(x); i++) {
        x[i] = 3 + rng_normal(&rng);
        mean += x[i] / 500;
        moments_add(&whole, x[i]);
        moments_add(&parts[rng_below(&rng, 2)], x[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(x); i++)
        squares += (x[i] - mean) * (x[i] - mean);
    moments_merge(&parts[0], &parts[1]);
    CHECK_NEAR(moments_mean(&whole), mean, 1e-12);
    CHECK_NEAR(moments_variance(&whole), squares / 499, 1e-12);
    CHECK_INT(parts[0].n, 500);
    CHECK_NEAR(moments_mean(&parts[0]), mean, 1e-12);
    CHECK_NEAR(moments_variance(&parts[0]), squares / 499, 1e-12);
}

static void equal_values_have_no_variance(void)
{
    static const double values[] = { .1, 1e-9, 3.3e7, 1, 0, -.7 };

    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        struct moments m = { 0 };
        for (int n = 1; n <= 200000; n++)
            moments_add(&m, values[i]);
        CHECK(moments_variance(&m) == 0);
    }
    CHECK(moments_variance(&(struct moments){ 1, 5, 25 }) == 0);
    CHECK(moments_mean(&(struct moments){ 0 }) == 0);
    /* Rare failures among very many are a variance all the same. */
    struct moments rare = { INT64_C(1000000000000), 1e5, 1e5 };
    CHECK_NEAR(moments_variance(&rare) * 1e7, 1, 1e-3);
    struct moments mostly = { INT64_C(1000000000000), 1e12 - 1e6, 1e12 - 1e6 };
    CHECK_NEAR(moments_variance(&mostly) * 1e6, 1, 1e-3);
}

/* p says at which alpha 0 would leave the interval; exchanging the arms changes the sign only. */
static void p_belongs_to_the_interval(void)
{
    struct rng rng;

    rng_init(&rng, 2);
    for (int i = 0; i < 300; i++) {
        struct compare_options o = { .alpha = .01 + .3 * rng_unit(&rng), .n_star = 500 };
        struct moments a = draw(&rng, 120, 1, 1), b = draw(&rng, 150, 1.3, .5);
        struct comparison c = stats_compare(&a, &b, &o), back = stats_compare(&b, &a, &o);
        CHECK(c.is_valid);
        CHECK((c.p <= o.alpha) == (c.diff.lower >= 0 || c.diff.upper <= 0));
        CHECK_NEAR(back.diff.lower, -c.diff.upper, 1e-12);
        CHECK_NEAR(back.p, c.p, 1e-12);
        CHECK_NEAR(c.se, sqrt(moments_variance(&a) / 120 + moments_variance(&b) / 150), 1e-12);
        o.is_one_sided = true;
        CHECK(stats_compare(&a, &b, &o).diff.lower > c.diff.lower);
        o.n_star = 0;
        struct comparison usual = stats_compare(&a, &b, &o);
        o.n_star = 5000;
        CHECK(stats_compare(&a, &b, &o).diff.lower == usual.diff.lower);
    }
}

/* (b - a)/|a|, also for a negative base. */
static void relative_differences(void)
{
    struct rng rng;
    struct compare_options o = { .alpha = .05, .is_relative = true };

    rng_init(&rng, 3);
    struct moments a = draw(&rng, 1000, 2, .1), b = draw(&rng, 1000, 3, .1);
    struct comparison c = stats_compare(&a, &b, &o);
    CHECK_NEAR(c.diff.estimate, .5, .02);
    CHECK_NEAR(c.se, sqrt(.01 / 1000 / 4 + .01 / 1000 * 9 / 16), 2e-4);
    struct moments minus_a = { a.n, -a.sum, a.sum_squares },
                   minus_b = { b.n, -b.sum, b.sum_squares };
    struct comparison minus = stats_compare(&minus_a, &minus_b, &o);
    CHECK_NEAR(minus.diff.estimate, -c.diff.estimate, 1e-12);
    CHECK_NEAR(minus.se, c.se, 1e-12);
}

static void nothing_is_decided_early(void)
{
    struct compare_options o = { .alpha = .05 }, relative = { .alpha = .05, .is_relative = true };
    struct moments none = { 0 }, constant = { 1000, 500, 250 }, zero = { 1000, 0, 1000 };
    struct moments varied = { 1000, 500, 400 }, few = { 99, 50, 40 }, enough = { 100, 50, 40 };
    struct moments good = { 1000, 997, 997 }, fair = { 1000, 993, 993 },
                   perfect = { 1000, 1000, 1000 };
    const struct {
        struct moments a, b;
        struct compare_options o;
        bool is_valid, is_finite;
    } rows[] = {
        { none, varied, o, false, false },
        { varied, none, o, false, false },
        { varied, constant, o, false, false },
        { constant, varied, o, false, false },
        { zero, varied, relative, false, false },
        { zero, varied, o, true, true },
        { few, varied, o, false, true },
        { varied, few, o, false, true },
        { enough, enough, o, true, true },
        { good, fair, o, true, true },
        { good, varied, o, true, true },
        { varied, good, o, true, true },
        { { 1000, 1000, 1500 }, good, o, true, true },
        { { 1000, 1e308, 1e308 }, { 1000, -1e308, 1e308 }, o, false, false },
        { { 1, -1e308, 1e308 }, { 1, 1e308, 1e308 }, o, false, false },
        { { 1000, NAN, NAN }, varied, o, false, false },
        { good, good, o, false, true },
        { fair, perfect, o, false, true },
        { perfect, perfect, o, false, true },
        { { 1000, 990, 990 }, perfect, o, true, true },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct comparison c = stats_compare(&rows[i].a, &rows[i].b, &rows[i].o);
        if (c.is_valid != rows[i].is_valid || isfinite(c.diff.upper) != rows[i].is_finite)
            fprintf(stderr, "row %zu\n", i);
        CHECK(c.is_valid == rows[i].is_valid);
        CHECK((isfinite(c.diff.upper) && isfinite(c.diff.lower)) == rows[i].is_finite);
        CHECK(isfinite(c.se) == rows[i].is_finite);
        CHECK(isfinite(c.diff.estimate));
        CHECK(c.p > 0 && c.p <= 1);
    }
}

static void extremes_stay_numbers(void)
{
    static const double alphas[] = { 1e-300, 1e-9, .3, .5, .7, .999999 };
    struct moments a = { INT64_C(1000000000000), 1e12, 2e12 }, b = { 100, 500, 1e6 };

    for (size_t i = 0; i < ARRAY_LEN(alphas); i++) {
        for (int kind = 0; kind < 4; kind++) {
            struct compare_options o = { .alpha = alphas[i],
                                         .is_relative = kind & 1,
                                         .is_one_sided = kind & 2 };
            struct comparison c = stats_compare(&a, &b, &o);
            CHECK(c.is_valid);
            CHECK(c.diff.lower <= c.diff.estimate && c.diff.estimate <= c.diff.upper);
            CHECK(c.p >= 0 && c.p <= 1);
        }
    }
}

/* ---- coverage ---- */

/* Looks from the 100th of each arm to the 4,000th; normal values, true difference 0. */
static void the_interval_covers_at_every_look(void)
{
    struct rng rng;
    int missed = 0, missed_below = 0;

    rng_init(&rng, 4);
    for (int run = 0; run < 300; run++) {
        struct moments a = { 0 }, b = { 0 };
        bool has_missed = false, has_missed_below = false;
        for (int i = 1; i <= 4000; i++) {
            moments_add(&a, rng_normal(&rng));
            moments_add(&b, rng_normal(&rng));
            if (i < 100 || i % 10 != 0)
                continue;
            struct compare_options o = { .alpha = .1, .n_star = 1000 };
            has_missed |= stats_compare(&a, &b, &o).p < .1;
            o.is_one_sided = true;
            has_missed_below |= stats_compare(&a, &b, &o).diff.lower > 0;
        }
        missed += has_missed;
        missed_below += has_missed_below;
    }
    CHECK(missed <= 30);
    CHECK(missed_below <= 30);
    CHECK(missed > 3 && missed_below > 3); /* nor wide without need */
}

TESTS(TEST(published_values), TEST(the_normal_mixture), TEST(sample_sizes_of_the_design),
      TEST(moments_add_up), TEST(equal_values_have_no_variance), TEST(p_belongs_to_the_interval),
      TEST(relative_differences), TEST(nothing_is_decided_early), TEST(extremes_stay_numbers),
      TEST(the_interval_covers_at_every_look))
