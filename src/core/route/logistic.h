/* SPDX-License-Identifier: Apache-2.0 */
/*
 * logistic: L2-regularised logistic regression with an offset for each row, on 25 dense features and hashed grams:
 *
 *     minimise  Σ v·log(1 + exp(−y·s)) + λ/2·|w|²,   s = offset + b + w·x,  y = ±1
 *
 * by L-BFGS (Nocedal and Wright, Numerical Optimization, algorithm 7.4) from a diagonal first guess of the curvature. The
 * intercept b is not regularised. Deterministic: the same rows in the same order give the same weights.
 */
#ifndef WEIR_CORE_ROUTE_LOGISTIC_H
#define WEIR_CORE_ROUTE_LOGISTIC_H

#include "core/route/route_internal.h"

/* Of a weights vector: the intercept, the dense features, the grams. */
#define LOGISTIC_DENSE 1
#define LOGISTIC_GRAMS (LOGISTIC_DENSE + ROUTE_DENSE)
#define LOGISTIC_WEIGHTS (LOGISTIC_GRAMS + ROUTE_GRAMS)

struct logistic_rows {
    size_t n;
    const float *dense; /* n × ROUTE_DENSE, standardised */
    const uint32_t *gram_ends; /* the row's grams are [gram_ends[i − 1], gram_ends[i]), from 0 */
    const uint16_t *grams;
    const float *gram_value; /* by row, of each of its grams */
};
/* What differs from fit to fit. */
struct logistic_task {
    const struct logistic_rows *rows;
    const uint32_t *subset; /* rows that count */
    size_t n;
    const bool *is_positive; /* by row */
    const double *offset; /* by row */
    double lambda; /* > 0 */
};

/* What a log adds to a task; either may be NULL. */
struct logistic_cases {
    const double *target; /* by row: P(positive), instead of is_positive */
    const double *weight; /* v by row, >= 0; else 1 */
};

struct logistic_solver; /* its buffers */
struct logistic_solver *logistic_solver_new(struct arena *arena); /* NULL without memory */
/* From `weights` (a warm start; zeros are one) to the minimum, in place. Returns the iterations that it took. */
int logistic_fit(struct logistic_solver *solver, const struct logistic_task *task,
                 double weights[LOGISTIC_WEIGHTS]);
int logistic_fit_cases(struct logistic_solver *solver, const struct logistic_task *task,
                       const struct logistic_cases *cases, double weights[LOGISTIC_WEIGHTS]);
/* s of a row, without its offset. */
double logistic_sum(const struct logistic_rows *rows, size_t row,
                    const double weights[LOGISTIC_WEIGHTS]);
/* log(1 + exp(−y·s)) */
double logistic_loss(double log_odds, bool is_positive);

#endif
