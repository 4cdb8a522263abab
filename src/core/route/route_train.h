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
 * A log has questions that only one of the two answered; route_train_sides() learns from those, with what it must assume
 * written there.
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

/* Who answered a question. */
enum route_side { ROUTE_SIDE_WEAK, ROUTE_SIDE_STRONG, ROUTE_SIDE_BOTH };
#define ROUTE_SIDES 2

/* A question's features as a log keeps them; its text is gone. */
struct route_kept {
    float dense[ROUTE_DENSE];
    uint16_t gram_count; /* <= ROUTE_GRAMS_MAX */
    const uint16_t *grams; /* buckets, < ROUTE_GRAMS, none twice */
};
/* What only a log knows of a row. */
struct route_log {
    struct route_kept kept; /* instead of the prompt */
    enum route_side side; /* that answered: what the other would have said is not known */
    double propensity; /* with which this side was chosen, (0, 1]; not above 0: not known */
    bool is_audited; /* the strong model was asked as well, afterwards */
    bool is_same; /* and gave the same answer */
};
/* One question, answered by both, or in a log by one. */
struct route_row {
    str id; /* rows of one question have one id */
    str domain; /* may be empty */
    str prompt;
    bool weak_right;
    bool strong_right;
    nano_usd weak_cost; /* COST_UNPRICED: not known */
    nano_usd strong_cost;
    const struct route_log
        *log; /* for route_train_sides() only; then of the two above, that of its side counts */
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

/* ---- from a log ---- */

/* A choice that was less likely counts as if it had been made with this probability: no row weighs more than its inverse. */
#define ROUTE_PROPENSITY_MIN 0.02

struct route_side_report {
    int64_t n; /* rows */
    int64_t right;
    double effective_n; /* (Σ w)² / Σ w² of their weights */
    double rate; /* P(right) over the whole traffic: weighted */
    double auroc; /* of P(right | question), held out, on the rows as they were logged */
    double ece;
};
struct route_sides_report {
    struct route_side_report sides[ROUTE_SIDES];
    int64_t propensities_known; /* rows */
    int64_t propensities_clipped; /* of them: below ROUTE_PROPENSITY_MIN */
    int64_t agreement_n; /* audited right answers of the weak model */
    bool has_agreement; /* they are enough, and gain is made from their agreement */
    double agreement; /* P(the strong model says the same | the weak one is right); else 0 */
    int64_t apgr_rows[ROUTE_SIDES]; /* that were chosen with a known probability below 1 */
    bool has_apgr; /* they are enough, and the strong model was right more often in them */
    struct interval apgr_learned; /* held out, by inverse propensity; a point without rounds */
    struct interval apgr_domain_table;
    struct interval apgr_over_domain_table;
    double lambda[ROUTE_SIDES];
};
/*
 * From rows with a log, at least ROUTE_TRAIN_ROWS_MIN of each side: a logistic regression for each side, P(weak right | x)
 * and P(strong right | x), each row weighted by the inverse of its propensity (Horvitz and Thompson 1952), 1 where that is
 * not known, so that a choice made by what the features do not show does not distort them. Gain was never seen:
 *
 *     P(gain | x) = P(strong right | x) · (1 − P(weak right | x))        weak and strong independent given x; or, with
 *     P(gain | x) = P(strong right | x) − P(weak right | x) · a          a = P(same answer | weak right) from audits,
 *
 * taken as one number for all questions: equal right answers are right together, so that what both get right is known. The
 * heads of the model are fitted to these two functions, and its table of domains holds their expected counts.
 *
 * AUC and calibration error of gain cannot be measured; APGR can, where there was exploration: the chosen side's answers,
 * weighted, are what a policy would have got that chooses so. CALLER_BAD_REQUEST as above. Arms and confidences are
 * made as by route_train(), which also makes a model of them alone.
 */
NODISCARD enum err route_train_sides(struct arena *arena, const struct route_training *training,
                                     const struct route_train_options *options,
                                     const struct route_model **out,
                                     struct route_sides_report *report);

#endif
