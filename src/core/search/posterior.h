/* SPDX-License-Identifier: Apache-2.0 */
/*
 * posterior: what an adaptive search believes of a mean in [0, 1] after some observations: a Beta, or the Student t
 * of a normal with unknown mean and variance. Draws from it, its upper tail, and the tail's inverse.
 *
 * May include: base.
 */
#ifndef WEIR_CORE_SEARCH_POSTERIOR_H
#define WEIR_CORE_SEARCH_POSTERIOR_H

#include "base/base.h"
#include "base/rng.h"

enum posterior_kind { POSTERIOR_BETA, POSTERIOR_STUDENT };

struct posterior {
    enum posterior_kind kind;
    double a, b; /* Beta(a, b) */
    double location, scale, freedom; /* location + scale · t(freedom) */
};

/* Observations of a count, sum and sum of squares on top of a Beta prior: fractional successes. */
struct posterior posterior_beta(double prior_a, double prior_b, double count, double sum);

struct student_prior {
    double mean, mean_weight, variance, variance_weight;
};
/* Murphy, Probabilistic Machine Learning: Advanced Topics (2023), section 3.4.3.3: normal-inverse-chi-squared. */
struct posterior posterior_student(const struct student_prior *prior, double count, double sum,
                                   double square);

double posterior_draw(const struct posterior *p, struct rng *rng);
/* P(X > x). */
double posterior_tail(const struct posterior *p, double x);
/* The x with P(X > x) = tail; tail in (0, 1). For the Student t, Hill 1970 (CACM algorithm 396), six digits or so. */
double posterior_tail_inverse(const struct posterior *p, double tail);

#endif
