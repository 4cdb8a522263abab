/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route_train: makes a router's model from questions that a weak and a strong model have both answered, and says how good
 * it is on rows that it has not seen.
 *
 * The head is logistic, on gain: strong right and weak wrong. Its L2 weight is chosen by inner cross-validation over a
 * small grid; its calibration is fitted on out-of-fold scores. Beside it stands the table of rates by domain, which is
 * the same head with an infinite L2 weight: whichever has the higher held-out APGR becomes the model.
 *
 * All figures of the report come from folds that were held out from everything that produced them: weights, domain rates,
 * the choice of the L2 weight, and calibration. Only the choice between the two is made on the figures that are reported,
 * so that the chosen one's is a little optimistic; both are there to be compared. Rows of one id are in one fold.
 *
 * May include: base, core/json, core/stats, core/calibration.
 */
#ifndef WEIR_CORE_ROUTE_ROUTE_TRAIN_H
#define WEIR_CORE_ROUTE_ROUTE_TRAIN_H

#include "core/route/route.h"
#include "core/route/route_metrics.h"

#define ROUTE_TRAIN_ROWS_MIN 20
#define ROUTE_TRAIN_ROWS_MAX 1000000
#define ROUTE_FOLDS_MIN 2
#define ROUTE_FOLDS_MAX 20

/* One question, answered by both. */
struct route_row {
    str id; /* rows of one question have one id */
    str domain; /* may be empty */
    str prompt;
    bool weak_right;
    bool strong_right;
    nano_usd weak_cost; /* COST_UNPRICED: not known */
    nano_usd strong_cost;
};
/* One answer of any strategy on any model: what the arms and the calibration of confidence are made of. */
struct route_run {
    str domain;
    str strategy;
    str model;
    bool is_right;
    nano_usd cost; /* COST_UNPRICED: not known */
    double latency_ms; /* negative: not known */
    double raw_confidence; /* [0, 1]; negative: none */
};
struct route_training {
    const struct route_row
        *rows; /* ROUTE_TRAIN_ROWS_MIN..ROUTE_TRAIN_ROWS_MAX, or none when there are runs */
    size_t row_count;
    const struct route_run *runs; /* may be none */
    size_t run_count;
};
struct route_train_options {
    str weak_model;
    str strong_model;
    uint64_t seed; /* of the folds and the bootstrap */
    int folds;
    int rounds; /* of the bootstrap; 0: no intervals */
    void (*on_progress)(void *ctx, int done, int total); /* may be NULL */
    void *ctx;
};

enum route_contender {
    ROUTE_BY_LEARNED,
    ROUTE_BY_DOMAIN_TABLE,
    ROUTE_BY_SEED_V1,
    ROUTE_BY_WORDS_V1,
    ROUTE_BY_LENGTH, /* of the prompt */
    ROUTE_BY_CHANCE, /* all alike: in expectation 1/2 */
    ROUTE_CONTENDER_COUNT
};
const char *
route_contender_name(enum route_contender c); /* "learned", "domain_table", "seed_v1", … "random" */

struct route_train_report {
    struct router_metrics
        metrics[ROUTE_CONTENDER_COUNT]; /* learned and domain table: out of fold */
    struct router_intervals
        intervals[ROUTE_CONTENDER_COUNT]; /* against the domain table; when rounds > 0 */
    struct calibration_metrics
        gain_before; /* the logistic function's own probabilities, out of fold */
    struct calibration_metrics gain_after; /* calibrated, held out */
    double lambda; /* of the gain head; infinite: the table of rates */
    double lambda_weak;
};

/* Model and report; everything lives in the arena (about 4 KiB a row and 1 MiB besides). Without rows the model knows arms
 * and confidences only: its facts.n is 0, and the report is empty. CALLER_BAD_REQUEST for too few or too many rows, or folds
 * out of range. */
NODISCARD enum err route_train(struct arena *arena, const struct route_training *training,
                               const struct route_train_options *options,
                               const struct route_model **out, struct route_train_report *report);

#endif
