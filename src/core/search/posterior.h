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

#define HALF_PI 1.57079632679489661923

enum posterior_kind { POSTERIOR_BETA, POSTERIOR_STUDENT };

struct posterior {
#define HALF_PI 1.57079632679489661923

    enum posterior_kind kind;
    double a, b; /* Beta(a, b) */
    double location, scale, freedom; /* location + scale · t(freedom) */
    /* ln B(a, b), or ln B(freedom/2, 1/2), when posterior_prepare() has computed it; else 0. */
    double log_beta;
};
/* Makes the tails of a belief that is asked for many of them cheaper. */
void posterior_prepare(struct posterior *p);

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
/* A bound on P(X > x) of a Beta that costs less. */
double posterior_tail_chernoff(const struct posterior *p, double x);
/* The x with P(X > x) = tail; tail in (0, 1). For the Student t, Hill 1970 (CACM algorithm 396), six digits or so. */
double posterior_tail_inverse(const struct posterior *p, double tail);
/* Is that x above `floor`? Then it is *out. Cheaper than the inverse when it is not. */
bool posterior_tail_exceeds(const struct posterior *p, double tail, double floor, double *out);

#endif
