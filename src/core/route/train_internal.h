/* SPDX-License-Identifier: Apache-2.0 */
/* train_internal: what the files that train share. */
#ifndef WEIR_CORE_ROUTE_TRAIN_INTERNAL_H
#define WEIR_CORE_ROUTE_TRAIN_INTERNAL_H

#include "core/route/logistic.h"
#include "core/route/model.h"
#include "core/route/route_train.h"

/* The grid of L2 weights, from infinity (no features at all) down; a path starts each from the one before. */
#define LAMBDAS 8
extern const double train_lambdas[LAMBDAS];

struct train {
    struct arena *arena;
    const struct route_training *data;
    const struct route_train_options *options;
    size_t n;
    size_t folds;

    struct logistic_rows features;
    double feature_mean[ROUTE_DENSE];
    double feature_scale[ROUTE_DENSE];
    uint8_t *fold; /* by row */
    uint32_t *question; /* by row: the same for rows of one id */
    bool *labels[HEAD_COUNT]; /* by row */

    struct domain_table domains; /* with the counts of all rows */
    uint32_t *domain; /* by row: its row in the tables */
    uint32_t *domain_above; /* by row of the table; the root's is itself */
    struct domain_table part; /* the same rows with the counts of a part of the data */

    struct logistic_solver *solver;
    uint32_t *subset; /* scratch of n */
    double *offset; /* scratch of n */
    double *weights; /* scratch: LOGISTIC_WEIGHTS */
    int done, total; /* paths, for the progress */
};

/* train_data.c: reads features, deals folds, counts domains. */
NODISCARD enum err train_data_read(struct train *t);
/* The rows outside folds a and b (equal: one fold; `folds`: none) into t->subset; returns how many. */
size_t train_subset(struct train *t, size_t a, size_t b);
/* The rates of the subset into t->part, and every row's log odds under them into t->offset. */
void train_offsets(struct train *t, size_t subset_count, enum head head);

/* train_fit.c: what cross-validation found out about one head. */
struct cross {
    /* Log odds of a row at a lambda, by a model that has seen neither the row's fold nor `other`. */
    double *
        out_of_fold; /* [lambda][row][other]; other = the row's own fold: all the other folds were seen */
    size_t lambda_of_fold[ROUTE_FOLDS_MAX]; /* chosen without this fold */
    size_t lambda; /* chosen on all folds */
};
double cross_at(const struct train *t, const struct cross *c, size_t lambda, size_t row,
                size_t other);
/* Nested: also every pair of folds is left out, so that choices and calibrations can be judged on a fold they have not seen. */
NODISCARD enum err train_cross(struct train *t, enum head head, bool is_nested, struct cross *out);
/* Fits on all rows at the lambda and puts the head into the model, calibrated on the out-of-fold log odds. */
NODISCARD enum err train_head(struct train *t, enum head head, const struct cross *c, size_t lambda,
                              struct route_model *model);
/* Each row's gain as calibrated without its fold. */
NODISCARD enum err train_calibrated(struct train *t, const struct cross *c, bool is_domain_table,
                                    double *out);

/* train_arms.c */
NODISCARD enum err train_arms(struct arena *arena, const struct route_training *data,
                              struct route_model *model);
/* The distinct names among n and all names above them, with "" first, sorted, at most `max`: the rarest give way to
 * the name above. Counts, of a name and all below it, beside them. */
NODISCARD enum err train_names(struct arena *arena, str *names, size_t n, size_t max, str **out,
                               size_t *out_count);

#endif
