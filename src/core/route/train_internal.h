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
    bool *labels[HEAD_COUNT]; /* by row; of a log both are whether the one who answered was right */
    const double *weight; /* by row; 0: it does not count; NULL: all count alike */

    struct domain_table domains; /* with the counts of all rows */
    uint32_t *domain; /* by row: its row in the tables */
    uint32_t *domain_above; /* by row of the table; the root's is itself */
    struct domain_table part; /* the same rows with the counts of a part of the data */

    struct logistic_solver *solver;
    uint32_t *subset; /* scratch of n */
    double *offset; /* scratch of n */
    double *weights; /* scratch: LOGISTIC_WEIGHTS */
    struct domain_sums *sums; /* scratch, by row of the table, of a log */
    int done, total; /* paths, for the progress */
};

/* train_data.c: reads features, deals folds, counts domains. */
NODISCARD enum err train_data_read(struct train *t);
/* The rows outside folds a and b (equal: one fold; `folds`: none) into t->subset; returns how many. */
size_t train_subset(struct train *t, size_t a, size_t b);
/* The rates of the subset into t->part, and every row's log odds under them into t->offset. */
void train_offsets(struct train *t, size_t subset_count, enum head head);

/* The table's weighted rates of rows that are right, shrunk as domain_rates_set() does it. */
struct domain_sums {
    double weight;
    double right;
    double rate;
};

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
/* Fits t->subset along the path down to the lambda, into t->weights. */
void train_path(struct train *t, enum head head, size_t subset_count, size_t lambda);
void train_progress(struct train *t); /* one path more is done */
/* Puts t->weights into the model. */
void train_keep(const struct train *t, enum head head, struct route_model *model);
/* Fits on all rows at the lambda and puts the head into the model, calibrated on the out-of-fold log odds. */
NODISCARD enum err train_head(struct train *t, enum head head, const struct cross *c, size_t lambda,
                              struct route_model *model);
/* Each row's gain as calibrated without its fold. */
NODISCARD enum err train_calibrated(struct train *t, const struct cross *c, bool is_domain_table,
                                    double *out);

/* Into the model: the confidence table, where there are enough of them. */
NODISCARD enum err train_confidence(struct arena *arena, const struct route_training *data,
                                    uint64_t seed, struct route_model *model);

/* train_sides_apgr.c: a logged row that a score has judged. */
struct sided_trial {
    double score; /* for the strong model */
    double weight; /* inverse propensity, > 0 */
    uint32_t question;
    uint8_t fold; /* < ROUTE_FOLDS_MAX */
    bool is_strong; /* who answered */
    bool is_right;
};
/*
 * APGR by inverse propensity: let a row stand at the share q of the traffic that has a higher score (ties half). A policy
 * that sends a share c to the strong model leaves the row to the weak one when c < q. So, averaged over all c,
 *
 *     r = Σ over weak rows of w·right·q / Σ w  +  Σ over strong rows of w·right·(1 − q) / Σ w
 *
 * and APGR = (r − weak) / (strong − weak), where weak and strong are each side's weighted rates. False, 0 when the strong
 * side's is no higher, or a side is empty. times: by trial, how often it counts; order: trials, the highest score first.
 */
bool sided_apgr(const struct sided_trial *trials, const uint32_t *order, const uint32_t *times,
                size_t n, double *out);
/* A score becomes the share of its fold's weights with a lower one (ties half): models of different folds start from rates of
 * their own, and the lower one belongs to the fold that has more gains than its share. */
NODISCARD enum err sided_rank_in_folds(struct sided_trial *trials, size_t n, struct arena *arena);
NODISCARD enum err sided_apgr_measure(struct train *t, const struct sided_trial *learned,
                                      const struct sided_trial *table, size_t n,
                                      struct route_sides_report *report);

/* train_arms.c */
NODISCARD enum err train_arms(struct arena *arena, const struct route_training *data,
                              struct route_model *model);
/* The distinct names among n and all names above them, with "" first, sorted, at most `max`: the rarest give way to
 * the name above. Counts, of a name and all below it, beside them. */
NODISCARD enum err train_names(struct arena *arena, str *names, size_t n, size_t max, str **out,
                               size_t *out_count);

#endif
