/* SPDX-License-Identifier: Apache-2.0 */
/* logistic's tests: at the minimum the gradient is nothing, which is all that a minimum of a convex function is. */
#include "core/route/logistic.h"

#include <math.h>
#include <string.h>

#include "test/check.h"

#define ROWS 300

struct world {
    struct arena arena;
    struct logistic_rows rows;
    struct logistic_task task;
    struct logistic_solver *solver;
    double weights[LOGISTIC_WEIGHTS];
};

/* Labels that follow one feature and one gram; five grams a row. */
static void world_open(struct world *w, uint64_t seed, double lambda)
{
    struct rng rng;

    memset(w, 0, sizeof(*w));
    arena_init(&w->arena, 64 << 20);
    rng_init(&rng, seed);
    float *dense = ARENA_ARRAY(&w->arena, ROWS * ROUTE_DENSE, float);
    uint32_t *ends = ARENA_ARRAY(&w->arena, ROWS, uint32_t);
    uint32_t *subset = ARENA_ARRAY(&w->arena, ROWS, uint32_t);
    uint16_t *grams = ARENA_ARRAY(&w->arena, ROWS * 5, uint16_t);
    float *values = ARENA_ARRAY(&w->arena, ROWS, float);
    bool *labels = ARENA_ARRAY(&w->arena, ROWS, bool);
    double *offsets = ARENA_ARRAY(&w->arena, ROWS, double);
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t j = 0; j < ROUTE_DENSE; j++)
            dense[i * ROUTE_DENSE + j] = (float)rng_normal(&rng);
        bool has_word = rng_below(&rng, 2) == 0;
        for (size_t k = 0; k < 5; k++)
            grams[i * 5 + k] =
                (uint16_t)(k == 0 && has_word ? 7 : 10 + rng_below(&rng, 60) + 60 * k);
        ends[i] = (uint32_t)(i + 1) * 5;
        values[i] = 0.5f;
        offsets[i] = rng_normal(&rng) - 1;
        double log_odds =
            offsets[i] + 1.5 * (double)dense[i * ROUTE_DENSE + 3] + (has_word ? 1 : 0);
        labels[i] = rng_unit(&rng) < 1 / (1 + exp(-log_odds));
        subset[i] = (uint32_t)(ROWS - 1 - i);
    }
    w->rows = (struct logistic_rows){ ROWS, dense, ends, grams, values };
    w->task = (struct logistic_task){ &w->rows, subset, ROWS, labels, offsets, lambda };
    w->solver = logistic_solver_new(&w->arena);
}

/* The objective as it stands in the header, summed slowly. */
static double objective(const struct world *w)
{
    const struct logistic_task *t = &w->task;
    double sum = 0;

    for (size_t j = 1; j < LOGISTIC_WEIGHTS; j++)
        sum += t->lambda / 2 * w->weights[j] * w->weights[j];
    for (size_t k = 0; k < t->n; k++) {
        size_t row = t->subset[k];
        double s = t->offset[row] + logistic_sum(t->rows, row, w->weights);
        sum += log1p(exp(t->is_positive[row] ? -s : s));
    }
    return sum;
}

/* The slope along one weight, from two objectives. */
static double slope(struct world *w, size_t j)
{
    const double h = 1e-5;
    double at = w->weights[j];

    w->weights[j] = at + h;
    double above = objective(w);
    w->weights[j] = at - h;
    double below = objective(w);
    w->weights[j] = at;
    return (above - below) / (2 * h);
}

static void the_slope_is_nothing_at_the_minimum(void)
{
    static const double lambdas[] = { 100, 10, 1, 0.1 };

    for (size_t i = 0; i < ARRAY_LEN(lambdas); i++) {
        struct world w;
        world_open(&w, 50 + i, lambdas[i]);
        double start = objective(&w);
        int iterations = logistic_fit(w.solver, &w.task, w.weights);
        CHECK(iterations > 1 && iterations < 60);
        CHECK(objective(&w) < start);
        for (size_t j = 0; j < LOGISTIC_GRAMS; j++)
            CHECK_NEAR(slope(&w, j), 0, 0.1);
        CHECK_NEAR(slope(&w, LOGISTIC_GRAMS + 7), 0, 0.1);
        CHECK_NEAR(slope(&w, LOGISTIC_GRAMS + 100), 0, 0.1);
        arena_fini(&w.arena);
    }
}

static void it_finds_what_is_there(void)
{
    struct world w;

    world_open(&w, 60, 1);
    logistic_fit(w.solver, &w.task, w.weights);
    for (size_t j = 0; j < ROUTE_DENSE; j++)
        CHECK(j == 3 ? w.weights[LOGISTIC_DENSE + j] > 1
                     : fabs(w.weights[LOGISTIC_DENSE + j]) < 0.6);
    CHECK(w.weights[LOGISTIC_GRAMS + 7] > 0.5); /* half of it, as its value is .5 */
    CHECK_NEAR(w.weights[LOGISTIC_GRAMS + 8], 0, 0); /* in no row */
    arena_fini(&w.arena);
}

static void a_larger_lambda_gives_smaller_weights(void)
{
    double last = 1e9;

    for (double lambda = 0.1; lambda < 1e5; lambda *= 10) {
        struct world w;
        double size = 0;
        world_open(&w, 61, lambda);
        logistic_fit(w.solver, &w.task, w.weights);
        for (size_t j = 1; j < LOGISTIC_WEIGHTS; j++)
            size += w.weights[j] * w.weights[j];
        CHECK(size < last);
        last = size;
        arena_fini(&w.arena);
    }
    CHECK(last < 1e-3);
}

/* Where it starts does not matter, but for how soon it is there. */
static void a_warm_start_ends_where_a_cold_one_does(void)
{
    struct world w;
    double cold[LOGISTIC_WEIGHTS];

    world_open(&w, 62, 3);
    int cold_iterations = logistic_fit(w.solver, &w.task, w.weights);
    memcpy(cold, w.weights, sizeof(cold));
    int warm_iterations = logistic_fit(w.solver, &w.task, w.weights);
    CHECK(warm_iterations < cold_iterations);
    memset(w.weights, 0, sizeof(w.weights));
    w.task.lambda = 10;
    logistic_fit(w.solver, &w.task, w.weights);
    w.task.lambda = 3;
    logistic_fit(w.solver, &w.task, w.weights);
    for (size_t j = 0; j < LOGISTIC_WEIGHTS; j++)
        CHECK_NEAR(w.weights[j], cold[j], 0.02);
    arena_fini(&w.arena);
}

/* Only the subset counts, and its offsets are as good as weights. */
static void only_the_subset_counts(void)
{
    struct world w;
    double all[LOGISTIC_WEIGHTS];

    world_open(&w, 63, 1);
    w.task.n = ROWS / 2;
    logistic_fit(w.solver, &w.task, w.weights);
    memcpy(all, w.weights, sizeof(all));
    bool *labels = ARENA_ARRAY(&w.arena, ROWS, bool);
    for (size_t i = 0; i < ROWS; i++) /* rows beyond the subset change */
        labels[i] = i < ROWS / 2 ? !w.task.is_positive[i] : w.task.is_positive[i];
    w.task.is_positive = labels;
    memset(w.weights, 0, sizeof(w.weights));
    logistic_fit(w.solver, &w.task, w.weights);
    for (size_t j = 0; j < LOGISTIC_WEIGHTS; j++)
        CHECK_NEAR(w.weights[j], all[j], 0);
    arena_fini(&w.arena);
}

static void nothing_to_learn_is_learned(void)
{
    struct world w;

    world_open(&w, 64, 1);
    w.task.n = 0;
    logistic_fit(w.solver, &w.task, w.weights);
    for (size_t j = 0; j < LOGISTIC_WEIGHTS; j++)
        CHECK_NEAR(w.weights[j], 0, 0);
    CHECK_NEAR(logistic_loss(0, true), log(2), 1e-12);
    CHECK_NEAR(logistic_loss(800, false), 800, 1e-9);
    CHECK_NEAR(logistic_loss(800, true), 0, 1e-9);
    arena_fini(&w.arena);
}

TESTS(TEST(the_slope_is_nothing_at_the_minimum), TEST(it_finds_what_is_there),
      TEST(a_larger_lambda_gives_smaller_weights), TEST(a_warm_start_ends_where_a_cold_one_does),
      TEST(only_the_subset_counts), TEST(nothing_to_learn_is_learned))
