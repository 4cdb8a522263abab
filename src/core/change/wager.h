/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wager: core/stats' guard for continuous outcomes, made fast: the 16 bets of one e-process, multiplied up for a while
 * before a logarithm is taken. Sixteen multiplications an outcome instead of sixteen logarithms.
 *
 * A caller may rely on: wager_log_e() is guard_log_e() of the same outcomes up to rounding; order does not matter; two wagers
 * merge by addition; a zero-initialised wager is one without outcomes.
 *
 * May include: base, core/stats.
 */
#ifndef WEIR_CORE_CHANGE_WAGER_H
#define WEIR_CORE_CHANGE_WAGER_H

#include "base/base.h"
#include "core/stats/stats.h"

struct wager {
    double log_wealth[STATS_BETS]; /* of what is settled */
    double product[STATS_BETS]; /* of what is pending; meaningless when nothing is */
    int32_t pending; /* outcomes */
};

/* An outcome's gain: x/limit - 1 against "the mean is at most the limit", (limit - x)/(1 - limit) against "at least".
 * In [-1, WAGER_GAIN_MAX]. */
#define WAGER_GAIN_MAX 1e19
void wager_add(struct wager *w, double gain);
void wager_merge(struct wager *w, const struct wager *other);
/* Nothing is pending then; what wager_log_e() says is the same. Before writing a wager out. */
void wager_settle(struct wager *w);
double wager_log_e(const struct wager *w); /* 0 without outcomes */
/* The log wealth of each bet, as of now. */
void wager_log_wealth(const struct wager *w, double out[STATS_BETS]);
/* ln of the mean wealth, from the bets' log wealth. */
double wager_log_mean(const double log_wealth[STATS_BETS]);

#endif
