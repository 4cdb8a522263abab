/* SPDX-License-Identifier: Apache-2.0 */
#include "core/search/posterior.h"

#include <math.h>

#include "test/check.h"

static void beliefs_follow_from_observations(void)
{
    const struct student_prior prior = {
        .mean = 0, .mean_weight = 1, .variance = 0.1, .variance_weight = 1
    };
    /* Observed .2 and .6: kappa 3, nu 3, m = .8/3, variance (.1 + .08 + 2/3·.16)/3. */
    struct posterior p = posterior_student(&prior, 2, 0.8, 0.4);
    CHECK_NEAR(p.location, 0.8 / 3, 1e-12);
    CHECK_NEAR(p.freedom, 3, 0);
    CHECK_NEAR(p.scale, sqrt((0.1 + 0.08 + 2.0 / 3 * 0.16) / 3 / 3), 1e-12);
    p = posterior_student(&prior, 0, 0, 0);
    CHECK_NEAR(p.location, 0, 0);
    CHECK_NEAR(p.scale, sqrt(0.1), 1e-12);
    CHECK_NEAR(p.freedom, 1, 0);
    p = posterior_student(&prior, 2, 1, 0.4999999); /* two of .5, squares rounded down */
    CHECK_NEAR(p.scale, sqrt((0.1 + 2.0 / 3 * 0.25) / 3 / 3), 1e-6);
    p = posterior_beta(0.5, 0.25, 3, 1.25);
    CHECK_NEAR(p.a, 1.75, 0);
    CHECK_NEAR(p.b, 2, 0);
}

/* Student's table, and closed forms: Beta(a, 1) is u^(1/a), Beta(1/2, 1/2) the arc sine. */
static void tails_have_their_known_values(void)
{
    static const struct {
        struct posterior p;
        double x, tail;
    } rows[] = {
        { { .kind = POSTERIOR_STUDENT, .scale = 1, .freedom = 1 }, 1, 0.25 },
        { { .kind = POSTERIOR_STUDENT, .scale = 1, .freedom = 2 }, 2, 0.09175170953613698 },
        { { .kind = POSTERIOR_STUDENT, .scale = 1, .freedom = 5 }, 2.0150483726691575, 0.05 },
        { { .kind = POSTERIOR_STUDENT, .scale = 1, .freedom = 5 }, -2.0150483726691575, 0.95 },
        { { .kind = POSTERIOR_STUDENT, .location = 1, .scale = 2, .freedom = 30 },
          6.499991307134462,
          0.005 },
        { { .kind = POSTERIOR_BETA, .a = 2, .b = 3 }, 0.5, 0.3125 },
        { { .kind = POSTERIOR_BETA, .a = 4, .b = 1 }, 0.9, 1 - 0.6561 },
        { { .kind = POSTERIOR_BETA, .a = 0.5, .b = 0.5 }, 0.75, 1.0 / 3 },
        { { .kind = POSTERIOR_BETA, .a = 1, .b = 30 }, 0.1, 0.042391158275216215 },
        { { .kind = POSTERIOR_BETA, .a = 3, .b = 2 }, 0, 1 },
        { { .kind = POSTERIOR_BETA, .a = 3, .b = 2 }, 1, 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        CHECK_NEAR(posterior_tail(&rows[i].p, rows[i].x), rows[i].tail,
                   1e-5 * rows[i].tail + 1e-12);
}

static const struct posterior samples[] = {
    { .kind = POSTERIOR_STUDENT, .location = 0.3, .scale = 0.2, .freedom = 2 },
    { .kind = POSTERIOR_STUDENT, .location = 0.3, .scale = 0.2, .freedom = 3 },
    { .kind = POSTERIOR_STUDENT, .location = 0.5, .scale = 0.1, .freedom = 4.5 },
    { .kind = POSTERIOR_STUDENT, .location = 0.5, .scale = 0.1, .freedom = 40 },
    { .kind = POSTERIOR_STUDENT, .location = 0.9, .scale = 0.01, .freedom = 30000 },
    { .kind = POSTERIOR_BETA, .a = 0.5, .b = 0.5 },
    { .kind = POSTERIOR_BETA, .a = 1.4, .b = 0.6 },
    { .kind = POSTERIOR_BETA, .a = 0.6, .b = 9.9 },
    { .kind = POSTERIOR_BETA, .a = 33, .b = 71 },
    { .kind = POSTERIOR_BETA, .a = 9000, .b = 1000 },
};

static void inverse_tails_invert(void)
{
    static const double tails[] = { 0.999, 0.9, 0.6, 0.5, 0.3, 0.1, 0.02, 1e-3, 1e-6 };

    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        double before = -INFINITY;
        for (size_t k = 0; k < ARRAY_LEN(tails); k++) {
            double x = posterior_tail_inverse(&samples[i], tails[k]);
            CHECK_NEAR(posterior_tail(&samples[i], x) / tails[k], 1, 2e-4);
            CHECK(x > before);
            before = x;
        }
    }
}

static void draws_follow_the_tails(void)
{
    enum { DRAWS = 40000 };
    static const double tails[] = { 0.95, 0.5, 0.2, 0.05, 0.01 };
    struct rng rng;

    rng_init(&rng, 1);
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        int above[ARRAY_LEN(tails)] = { 0 };
        double at[ARRAY_LEN(tails)];
        for (size_t k = 0; k < ARRAY_LEN(tails); k++)
            at[k] = posterior_tail_inverse(&samples[i], tails[k]);
        for (int n = 0; n < DRAWS; n++) {
            double draw = posterior_draw(&samples[i], &rng);
            for (size_t k = 0; k < ARRAY_LEN(tails); k++)
                above[k] += draw > at[k];
        }
        for (size_t k = 0; k < ARRAY_LEN(tails); k++)
            CHECK_NEAR(above[k], DRAWS * tails[k],
                       4.5 * sqrt(DRAWS * tails[k] * (1 - tails[k])) + 1);
    }
}

/* What crowd.c's bounds rest on: of two Betas of one mean the one of fewer observations has the larger tail,
 * where its tail is at most a quarter, if a >= 1, or a tenth, if a >= 1/2. */
static void fewer_observations_have_the_larger_tail(void)
{
    int compared = 0;

    for (double sum = 1; sum < 3000; sum *= 1.7)
        for (double mean = 0.002; mean < 1; mean += mean < 0.05 || mean > 0.95 ? 0.006 : 0.03) {
            const struct posterior few = { .kind = POSTERIOR_BETA,
                                           .a = mean * sum,
                                           .b = (1 - mean) * sum };
            for (double tail = few.a >= 1 ? 0.25 : 0.1; few.a >= 0.5 && tail > 1e-8; tail *= 0.4)
                for (double ratio = 1.02; ratio < 40; ratio *= ratio < 2 ? 1.3 : 3) {
                    const struct posterior many = { .kind = POSTERIOR_BETA,
                                                    .a = few.a * ratio,
                                                    .b = few.b * ratio };
                    double x = posterior_tail_inverse(&few, tail);
                    if (x > 1 - 1e-9)
                        continue; /* 1 - x has lost its digits */
                    CHECK(posterior_tail(&many, x) <= posterior_tail(&few, x) * (1 + 1e-6));
                    CHECK(posterior_tail(&few, x) <= posterior_tail_chernoff(&few, x));
                    compared++;
                }
        }
    CHECK(compared > 10000);
}

static void exceeding_is_what_the_inverse_says(void)
{
    static const double floors[] = { -INFINITY, 0, 0.1, 0.3, 0.52, 0.9, 0.999, 1, 1.5 };
    static const double tails[] = { 0.999, 0.7, 0.4, 0.1, 1e-3, 1e-6 };

    for (size_t i = 0; i < ARRAY_LEN(samples); i++)
        for (size_t k = 0; k < ARRAY_LEN(tails); k++)
            for (size_t f = 0; f < ARRAY_LEN(floors); f++) {
                double x = posterior_tail_inverse(&samples[i], tails[k]), out = -7;
                bool exceeds = posterior_tail_exceeds(&samples[i], tails[k], floors[f], &out);
                CHECK(exceeds == (x > floors[f]));
                CHECK_NEAR(out, exceeds ? x : -7, 1e-5);
            }
}

TESTS(TEST(beliefs_follow_from_observations), TEST(tails_have_their_known_values),
      TEST(inverse_tails_invert), TEST(draws_follow_the_tails),
      TEST(fewer_observations_have_the_larger_tail), TEST(exceeding_is_what_the_inverse_says))
