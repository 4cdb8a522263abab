/* SPDX-License-Identifier: Apache-2.0 */
/* wager: bets multiplied up, settled now and then. */
#include "core/change/wager.h"

#include <math.h>

/* 2^-(0.15 + j/2), the stakes of core/stats' guard. */
static const double stakes[STATS_BETS] = {
    /* clang-format off */
    0.9012504626108302, 0.6372803136596311, 0.4506252313054151, 0.31864015682981556,
    0.22531261565270755, 0.15932007841490778, 0.11265630782635377, 0.07966003920745389,
    0.05632815391317689, 0.039830019603726945, 0.028164076956588444, 0.019915009801863472,
    0.014082038478294222, 0.009957504900931736, 0.007041019239147111, 0.004978752450465868,
    /* clang-format on */
};

/* A factor lies in [1 - 0.91, 1 + 0.91 * WAGER_GAIN_MAX], so that sixteen of them stay within 10^-17 .. 10^304. */
#define PENDING_MAX 16

void wager_settle(struct wager *w)
{
    if (w->pending == 0)
        return;
    for (size_t j = 0; j < STATS_BETS; j++)
        w->log_wealth[j] += log(w->product[j]);
    w->pending = 0;
}

void wager_add(struct wager *w, double gain)
{
    assert(gain >= -1);
    assert(gain <= WAGER_GAIN_MAX);
    if (w->pending == 0) {
        for (size_t j = 0; j < STATS_BETS; j++)
            w->product[j] = 1 + stakes[j] * gain;
    } else {
        for (size_t j = 0; j < STATS_BETS; j++)
            w->product[j] *= 1 + stakes[j] * gain;
    }
    if (++w->pending == PENDING_MAX)
        wager_settle(w);
}

void wager_log_wealth(const struct wager *w, double out[STATS_BETS])
{
    struct wager copy = *w;

    wager_settle(&copy);
    for (size_t j = 0; j < STATS_BETS; j++)
        out[j] = copy.log_wealth[j];
}

void wager_merge(struct wager *w, const struct wager *other)
{
    double added[STATS_BETS];

    wager_log_wealth(other, added);
    for (size_t j = 0; j < STATS_BETS; j++)
        w->log_wealth[j] += added[j];
}

double wager_log_mean(const double log_wealth[STATS_BETS])
{
    return stats_log_sum_exp(log_wealth, STATS_BETS) - log(STATS_BETS);
}

double wager_log_e(const struct wager *w)
{
    double log_wealth[STATS_BETS];

    wager_log_wealth(w, log_wealth);
    return wager_log_mean(log_wealth);
}
