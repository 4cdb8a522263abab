/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route_metrics: how good a router is: before it has run, on questions that both models have answered; and after,
 * from a log of what it chose with what probability.
 *
 * Sources: PGR, APGR, CPT: Ong et al. 2024, RouteLLM (arXiv 2406.18665). AIQ: Hu et al. 2024, RouterBench (arXiv
 * 2403.12031). IPS, self-normalised IPS: Horvitz and Thompson 1952; Swaminathan and Joachims 2015. Doubly robust: Dudík,
 * Langford and Li 2011 (arXiv 1103.4601).
 *
 * May include: base, core/stats.
 */
#ifndef WEIR_CORE_ROUTE_ROUTE_METRICS_H
#define WEIR_CORE_ROUTE_ROUTE_METRICS_H

#include "base/arena.h"
#include "base/base.h"
#include "core/stats/calibration.h"
#include "core/stats/stats.h"

/* ---- a weak and a strong model ---- */

/* One question that both have answered. */
struct route_trial {
    uint32_t
        question; /* trials of one question are resampled together; any numbers, equal ones adjacent or not */
    bool weak_right;
    bool strong_right;
    nano_usd weak_cost; /* COST_UNPRICED: not known; then there is no AIQ */
    nano_usd strong_cost;
};

/* Trials by their scores, highest first, equal ones by place. In scratch; NULL: out of memory. No score is NaN. */
struct route_ranked {
    double score;
    uint32_t trial;
};
struct route_ranked *route_rank(const double *scores, size_t n, struct arena *scratch);

/*
 * A router sends the questions with the highest scores to the strong model. Let r(c) be the share of right answers when it
 * sends the share c of them, in expectation where scores tie; weak = r(0), strong = r(1).
 *
 *     PGR(c) = (r(c) − weak) / (strong − weak)            performance gap recovered; 1 is the strong model's level
 *     APGR   = ∫₀¹ PGR(c) dc                              exact, not on a grid; random routing has 1/2
 *     CPT(x) = the smallest c with PGR(c) >= x            share of strong calls that it takes
 *     AIQ    = 1/(b − a) · ∫ₐᵇ R(u) du                    mean quality over the costs a = all weak … b = all strong, on the
 *                                                         non-decreasing convex hull R of the router's (cost, quality)
 */
#define ROUTE_CPT_LEVELS 3 /* .50, .80, .95 */
struct router_metrics {
    int64_t n; /* trials */
    double weak;
    double strong;
    double oracle; /* right when either is: no router does better */
    double
        auc; /* of the score for gain (strong right and weak wrong); .5 without one of both kinds */
    bool has_gap; /* strong > weak; else the following are 0 */
    double apgr;
    double pgr_half; /* PGR(1/2) */
    double cpt[ROUTE_CPT_LEVELS];
    bool has_aiq; /* costs are known, and all strong costs more than all weak */
    double aiq;
};
/* One score a trial, finite. The scratch is the caller's to give back. */
NODISCARD enum err router_measure(struct router_metrics *out, const struct route_trial *trials,
                                  const double *scores, size_t n, struct arena *scratch);

struct router_bootstrap_options {
    int rounds; /* resamples, >= 1; 1000 is usual */
    uint64_t seed;
    double alpha; /* two-sided; .05 is usual */
    size_t reference; /* the scorer that the others are compared with */
};
struct router_intervals { /* percentiles of the resamples; rounds without a gap do not count */
    int rounds; /* that counted */
    struct interval auc;
    struct interval apgr;
    struct interval cpt[ROUTE_CPT_LEVELS];
    struct interval aiq;
    struct interval apgr_over_reference; /* the difference within each resample */
};
/* scores: one array for each of `scorers`; out: one for each. Questions are drawn with replacement, the same for all. */
NODISCARD enum err router_bootstrap(struct router_intervals *out, const struct route_trial *trials,
                                    const double *const *scores, size_t scorers, size_t n,
                                    const struct router_bootstrap_options *options,
                                    struct arena *scratch);

/* ---- what another policy would have got, from a log ---- */

/* One logged decision. The values are what some model of rewards says, which need not be right: only the doubly robust
 * estimate uses them, and its interval is narrower the better they are. */
struct route_logged {
    double propensity; /* with which the logged choice was made, (0, 1] */
    double target; /* with which the other policy would have made it, [0, 1] */
    double reward; /* that came of it, any unit */
    double value_logged; /* predicted for the logged choice */
    double
        value_target; /* predicted for the other policy: Σ over its choices of probability · value */
};
struct counterfactual {
    int64_t n;
    struct interval
        ips; /* mean of w·reward, w = target / propensity: unbiased when the propensities are right */
    struct interval self_normalised; /* Σ w·reward / Σ w: a little biased, much steadier */
    struct interval
        doubly_robust; /* mean of value_target + w·(reward − value_logged): right when either is */
    double effective_n; /* (Σ w)² / Σ w²: how many rows this is worth */
    double weight_max;
};
/* Normal intervals at 1 − alpha. Fewer than two rows, or none that the other policy could have made: estimates are 0 and
 * the intervals are everything, ±DBL_MAX. */
void route_counterfactual(struct counterfactual *out, const struct route_logged *rows, size_t n,
                          double alpha);

#endif
