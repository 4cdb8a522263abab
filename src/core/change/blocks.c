/* SPDX-License-Identifier: Apache-2.0 */
/* blocks: the two-sample e-process on blocks of one and one. */
#include "core/change/blocks.h"

#include <math.h>

#include "core/stats/stats.h"

/* The alternatives: what the control's share of bad outcomes might be, and how many times as large the canary's odds. */
static const double control_shares[] = { 0.005, 0.02, 0.08, 0.3 };
static const double odds_ratios[] = { 2.5, 6, 30, 1000 };
#define ALTERNATIVES (ARRAY_LEN(control_shares) * ARRAY_LEN(odds_ratios))

/* The log likelihood ratio of the counts: shares a and b against both having their mean, which is the hypothesis that is
 * hardest to tell apart (Turner, Ly and Grünwald 2024, theorem 1). */
static double log_ratio_of(const struct blocks *blocks, double canary, double control)
{
    double canary_log[2] = { log1p(-canary), log(canary) };
    double control_log[2] = { log1p(-control), log(control) };
    double mean = (canary + control) / 2;
    double mean_log[2] = { log1p(-mean), log(mean) };
    double sum = 0;

    for (size_t i = 0; i < 2; i++) {
        for (size_t j = 0; j < 2; j++)
            sum += (double)blocks->counts[i][j] *
                   (canary_log[i] + control_log[j] - mean_log[i] - mean_log[j]);
    }
    return sum;
}

double blocks_log_e(const struct blocks *b)
{
    double logs[ALTERNATIVES];
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_LEN(control_shares); i++) {
        for (size_t j = 0; j < ARRAY_LEN(odds_ratios); j++) {
            double share = control_shares[i];
            double odds = odds_ratios[j] * share / (1 - share);
            logs[n++] = log_ratio_of(b, odds / (1 + odds), share);
        }
    }
    return stats_log_sum_exp(logs, n) - log((double)n);
}
