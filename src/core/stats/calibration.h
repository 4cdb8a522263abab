/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calibration: from a raw confidence to a probability that is right as often as it says, and how good it is at that.
 *
 * A fit is a small immutable value: Platt's logistic below 200 labels, isotonic regression (pool adjacent violators, ties
 * pooled) from there on. Both never fall: a score that goes down while accuracy goes up is mapped to the base rate.
 * Labels are 0 or 1, raw scores finite. Nothing depends on the order of the items.
 *
 * May include: base.
 */
#ifndef WEIR_CORE_STATS_CALIBRATION_H
#define WEIR_CORE_STATS_CALIBRATION_H

#include "base/arena.h"
#include "base/base.h"

struct labelled {
    double score; /* raw confidence, or a probability for the metrics below */
    bool is_right;
};

enum fit_kind { FIT_NONE, FIT_PLATT, FIT_ISOTONIC };

#define FIT_PLATT_BELOW 200 /* labels */
#define FIT_KNOTS_MAX 64

struct fit {
    enum fit_kind kind;
    int64_t n; /* labels it was made from */
    double slope, intercept; /* Platt: 1/(1 + exp(-(slope·score + intercept))) */
    /* Isotonic: value[i] at score[i], linear between, constant outside. A block of pooled labels is a knot at its lowest score and
     * one at its highest. Where that makes too many knots, it is one knot at the mean of its scores; and where there are
     * more blocks than knots, neighbours whose joining adds least to the squared error are joined before. */
    size_t knots;
    double score[FIT_KNOTS_MAX];
    double value[FIT_KNOTS_MAX];
};

/* Chooses by n; scratch is used and given back by the caller's fini. items are not changed. No labels: FIT_NONE. */
NODISCARD enum err fit_make(struct fit *out, const struct labelled *items, size_t n,
                            struct arena *scratch);
/* [0, 1]; FIT_NONE gives the score clamped. */
double fit_apply(const struct fit *fit, double score);

/* ---- how good probabilities are ---- */
#define CALIBRATION_BINS 15

/* Bins of equal mass by rank, lowest scores first. Equal scores share a bin, so there may be fewer than 15, and none is empty. */
struct reliability_bin {
    int64_t n;
    double confidence; /* mean */
    double accuracy;
};
struct calibration_metrics {
    int64_t n;
    double ece; /* equal-mass bins */
    double brier;
    double auroc; /* ties count half; .5 when a class is missing */
    double accuracy;
    double mean_confidence;
    struct reliability_bin bins[CALIBRATION_BINS];
    size_t bin_count;
};
NODISCARD enum err calibration_measure(struct calibration_metrics *out,
                                       const struct labelled *items, size_t n,
                                       struct arena *scratch);
/* Bootstrap interval of the ECE, 95 %: seeded, 2 × rounds resamples (1,000 are usual). [0, 1] without items or rounds. The
 * lower end is 0 when perfectly calibrated scores would often show such an ECE. */
struct interval_pair {
    double lower, upper;
};
NODISCARD enum err calibration_ece_interval(struct interval_pair *out, const struct labelled *items,
                                            size_t n, int rounds, uint64_t seed,
                                            struct arena *scratch);

/* Accepting what has at least this confidence: how many, how many right, and the one-sided 95 % lower bound
 * (Clopper–Pearson) of their accuracy. A threshold is met only when that bound is at least the threshold. */
struct acceptance {
    int64_t accepted;
    int64_t right;
    double lower;
    bool is_met;
};
struct acceptance calibration_accept(const struct labelled *items, size_t n, double threshold);

#endif
