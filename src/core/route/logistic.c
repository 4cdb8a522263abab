/* SPDX-License-Identifier: Apache-2.0 */
/* logistic: see logistic.h. */
#include "core/route/logistic.h"

#include <math.h>
#include <string.h>

#define MEMORY 8 /* pairs that L-BFGS remembers */
#define ITERATIONS_MAX 60
#define HALVINGS_MAX 30
/* Done when an iteration improves the objective by less than this share of it. */
#define IMPROVEMENT_MIN 1e-6
#define ARMIJO 1e-4

struct pair {
    double step[LOGISTIC_WEIGHTS];
    double change[LOGISTIC_WEIGHTS]; /* of the gradient */
    double rho; /* 1 / step·change */
};

struct problem {
    const struct logistic_task *task;
    const struct logistic_cases *cases;
};

struct logistic_solver {
    double gradient[LOGISTIC_WEIGHTS];
    double direction[LOGISTIC_WEIGHTS];
    double curvature[LOGISTIC_WEIGHTS]; /* diagonal */
    double trial[LOGISTIC_WEIGHTS];
    double trial_gradient[LOGISTIC_WEIGHTS];
    struct pair pairs[MEMORY]; /* a ring */
    size_t pair_count;
    size_t next_pair;
};

struct logistic_solver *logistic_solver_new(struct arena *arena)
{
    return ARENA_NEW(arena, struct logistic_solver);
}

static double dot(const double *a, const double *b)
{
    double sum = 0;

    for (size_t i = 0; i < LOGISTIC_WEIGHTS; i++)
        sum += a[i] * b[i];
    return sum;
}

static size_t grams_begin(const struct logistic_rows *rows, size_t row)
{
    return row > 0 ? rows->gram_ends[row - 1] : 0;
}

double logistic_sum(const struct logistic_rows *rows, size_t row,
                    const double weights[LOGISTIC_WEIGHTS])
{
    const float *dense = &rows->dense[row * ROUTE_DENSE];
    const double *grams = &weights[LOGISTIC_GRAMS];
    double sum = weights[0], gram_sum = 0;

    for (size_t i = 0; i < ROUTE_DENSE; i++)
        sum += weights[LOGISTIC_DENSE + i] * (double)dense[i];
    for (size_t i = grams_begin(rows, row); i < rows->gram_ends[row]; i++)
        gram_sum += grams[rows->grams[i]];
    return sum + gram_sum * (double)rows->gram_value[row];
}

double logistic_loss(double log_odds, bool is_positive)
{
    double x = is_positive ? -log_odds : log_odds;

    return fmax(x, 0) + log1p(exp(-fabs(x)));
}

/* Adds `by` times the row's features to `out`. */
static void row_add(const struct logistic_rows *rows, size_t row, double by, double *out)
{
    const float *dense = &rows->dense[row * ROUTE_DENSE];
    double gram_by = by * (double)rows->gram_value[row];

    out[0] += by;
    for (size_t i = 0; i < ROUTE_DENSE; i++)
        out[LOGISTIC_DENSE + i] += by * (double)dense[i];
    for (size_t i = grams_begin(rows, row); i < rows->gram_ends[row]; i++)
        out[LOGISTIC_GRAMS + rows->grams[i]] += gram_by;
}

static double weight_of(const struct logistic_cases *cases, size_t row)
{
    return cases->weight ? cases->weight[row] : 1;
}

static double target_of(const struct problem *p, size_t row)
{
    if (p->cases->target)
        return p->cases->target[row];
    return p->task->is_positive[row] ? 1 : 0;
}

static double loss_of(const struct problem *p, size_t row, double log_odds)
{
    const double *target = p->cases->target;

    if (!target)
        return logistic_loss(log_odds, p->task->is_positive[row]);
    return target[row] * logistic_loss(log_odds, true) +
           (1 - target[row]) * logistic_loss(log_odds, false);
}

/* The objective; its gradient into `gradient`. */
static double objective(const struct problem *p, const double *weights, double *gradient)
{
    const struct logistic_task *t = p->task;
    double loss = 0;

    gradient[0] = 0;
    for (size_t j = 1; j < LOGISTIC_WEIGHTS; j++) {
        loss += 0.5 * t->lambda * weights[j] * weights[j];
        gradient[j] = t->lambda * weights[j];
    }
    for (size_t k = 0; k < t->n; k++) {
        size_t row = t->subset[k];
        double log_odds = t->offset[row] + logistic_sum(t->rows, row, weights);
        double probability = 1 / (1 + exp(-log_odds));
        double weight = weight_of(p->cases, row);
        loss += weight * loss_of(p, row, log_odds);
        row_add(t->rows, row, weight * (probability - target_of(p, row)), gradient);
    }
    return loss;
}

/* The Hessian's diagonal at the offsets alone, where p(1 − p) is known without weights. */
static void curvature_set(struct logistic_solver *s, const struct problem *problem)
{
    const struct logistic_task *t = problem->task;
    double *out = s->curvature;

    for (size_t j = 0; j < LOGISTIC_WEIGHTS; j++)
        out[j] = j > 0 ? t->lambda : 1e-9;
    for (size_t k = 0; k < t->n; k++) {
        size_t row = t->subset[k];
        const float *dense = &t->rows->dense[row * ROUTE_DENSE];
        double p = 1 / (1 + exp(-t->offset[row]));
        double by = weight_of(problem->cases, row) * p * (1 - p);
        double value = (double)t->rows->gram_value[row];
        out[0] += by;
        for (size_t i = 0; i < ROUTE_DENSE; i++)
            out[LOGISTIC_DENSE + i] += by * (double)dense[i] * (double)dense[i];
        for (size_t i = grams_begin(t->rows, row); i < t->rows->gram_ends[row]; i++)
            out[LOGISTIC_GRAMS + t->rows->grams[i]] += by * value * value;
    }
}

/* L-BFGS's two loops: direction = −H·gradient. */
static void direction_set(struct logistic_solver *s)
{
    double alpha[MEMORY] = { 0 };
    double *d = s->direction;

    for (size_t j = 0; j < LOGISTIC_WEIGHTS; j++)
        d[j] = -s->gradient[j];
    for (size_t k = 0; k < s->pair_count; k++) {
        const struct pair *p = &s->pairs[(s->next_pair + MEMORY - 1 - k) % MEMORY];
        alpha[k] = p->rho * dot(p->step, d);
        for (size_t j = 0; j < LOGISTIC_WEIGHTS; j++)
            d[j] -= alpha[k] * p->change[j];
    }
    for (size_t j = 0; j < LOGISTIC_WEIGHTS; j++)
        d[j] /= s->curvature[j];
    for (size_t k = s->pair_count; k > 0; k--) {
        const struct pair *p = &s->pairs[(s->next_pair + MEMORY - k) % MEMORY];
        double by = alpha[k - 1] - p->rho * dot(p->change, d);
        for (size_t j = 0; j < LOGISTIC_WEIGHTS; j++)
            d[j] += by * p->step[j];
    }
}

/* Halves the step until the objective falls enough (Armijo); false when it does not any more. */
static bool line_search(struct logistic_solver *s, const struct problem *p, const double *weights,
                        double *value)
{
    double slope = dot(s->gradient, s->direction), step = 1;

    for (int i = 0; slope < 0 && i < HALVINGS_MAX; i++, step /= 2) {
        for (size_t j = 0; j < LOGISTIC_WEIGHTS; j++)
            s->trial[j] = weights[j] + step * s->direction[j];
        double trial = objective(p, s->trial, s->trial_gradient);
        if (trial <= *value + ARMIJO * step * slope) {
            *value = trial;
            return true;
        }
    }
    return false;
}

/* Goes to the trial and remembers how the gradient changed on the way. */
static void trial_accept(struct logistic_solver *s, double *weights)
{
    struct pair *p = &s->pairs[s->next_pair];

    for (size_t j = 0; j < LOGISTIC_WEIGHTS; j++) {
        p->step[j] = s->trial[j] - weights[j];
        p->change[j] = s->trial_gradient[j] - s->gradient[j];
    }
    memcpy(weights, s->trial, sizeof(s->trial));
    memcpy(s->gradient, s->trial_gradient, sizeof(s->gradient));
    double product = dot(p->step, p->change);
    if (!(product > 1e-12))
        return; /* no curvature to learn from */
    p->rho = 1 / product;
    s->next_pair = (s->next_pair + 1) % MEMORY;
    if (s->pair_count < MEMORY)
        s->pair_count++;
}

int logistic_fit(struct logistic_solver *solver, const struct logistic_task *task,
                 double weights[LOGISTIC_WEIGHTS])
{
    return logistic_fit_cases(solver, task, &(struct logistic_cases){ NULL, NULL }, weights);
}

int logistic_fit_cases(struct logistic_solver *solver, const struct logistic_task *task,
                       const struct logistic_cases *cases, double weights[LOGISTIC_WEIGHTS])
{
    const struct problem problem = { task, cases };
    double value = objective(&problem, weights, solver->gradient);
    int iterations = 0;

    solver->pair_count = 0;
    solver->next_pair = 0;
    curvature_set(solver, &problem);
    while (iterations < ITERATIONS_MAX) {
        double before = value;
        direction_set(solver);
        if (!line_search(solver, &problem, weights, &value))
            break;
        trial_accept(solver, weights);
        iterations++;
        if (before - value < IMPROVEMENT_MIN * before)
            break;
    }
    return iterations;
}
