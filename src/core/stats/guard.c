/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guard: e-processes against an absolute limit. Each of 16 bettors stakes a fixed share of its wealth on the mean being
 * beyond the limit; under the hypothesis their mean wealth is a supermartingale, so it reaches 1/alpha with probability at most
 * alpha, ever (Ville 1939). As the stakes are fixed, log wealth is a sum: order does not matter.
 */
#include <math.h>

#include "core/stats/stats.h"

/* 2^-(0.15 + j/2): from a stake for gross breaches to one for a mean just beyond the limit. */
static const double stakes[STATS_BETS] = {
    /* clang-format off */
    0.9012504626108302, 0.6372803136596311, 0.4506252313054151, 0.31864015682981556,
    0.22531261565270755, 0.15932007841490778, 0.11265630782635377, 0.07966003920745389,
    0.05632815391317689, 0.039830019603726945, 0.028164076956588444, 0.019915009801863472,
    0.014082038478294222, 0.009957504900931736, 0.007041019239147111, 0.004978752450465868,
    /* clang-format on */
};

/* ln(1 - stake): what an outcome without harm makes of each bet. */
static const double log_losses[STATS_BETS] = {
    /* clang-format off */
    -2.3151685598785137, -1.0141249569664303, -0.5989744315765319, -0.38366470832107635,
    -0.255295706042136, -0.1735442840985018, -0.11952289463826099, -0.08301215459511924,
    -0.05797679394144578, -0.0406449472812581, -0.02856829222388472, -0.02011598638591209,
    -0.01418213116593229, -0.010007412432231473, -0.007065924188112466, -0.0049911877304047204,
    /* clang-format on */
};

/* No outcome weighs more than this many limits, so that wealth stays finite. */
#define GAIN_MAX 1e300

static void bets_settle(struct guard *g, double gain)
{
    for (size_t j = 0; j < STATS_BETS; j++)
        g->log_wealth[j] += log(1 + stakes[j] * gain);
}

/* What so many gains of one size and so many losses of the whole stake make. */
static void bets_settle_counts(struct guard *g, double gains, double gain, double losses)
{
    for (size_t j = 0; j < STATS_BETS; j++) {
        double won = gains > 0 ? gains * log1p(stakes[j] * gain) : 0;
        g->log_wealth[j] += won + losses * log_losses[j];
    }
}

void guard_add(struct guard *g, double x, double limit)
{
    assert(x >= 0);
    assert(limit > 0);
    bets_settle(g, fmin(x / limit - 1, GAIN_MAX));
    g->n++;
    g->sum += x;
}

void guard_add_counts(struct guard *g, int64_t k, int64_t n, double limit)
{
    assert(k >= 0 && k <= n);
    assert(limit > 0);
    bets_settle_counts(g, (double)k, fmin(1 / limit - 1, GAIN_MAX), (double)(n - k));
    g->n += n;
    g->sum += (double)k;
}

void guard_add_below(struct guard *g, double x, double limit)
{
    assert(x >= 0 && x <= 1);
    assert(limit > 0 && limit < 1);
    bets_settle(g, (limit - x) / (1 - limit));
    g->n++;
    g->sum += x;
}

void guard_add_below_counts(struct guard *g, int64_t k, int64_t n, double limit)
{
    assert(k >= 0 && k <= n);
    assert(limit > 0 && limit < 1);
    bets_settle_counts(g, (double)(n - k), limit / (1 - limit), (double)k);
    g->n += n;
    g->sum += (double)k;
}

void guard_merge(struct guard *g, const struct guard *other)
{
    for (size_t j = 0; j < STATS_BETS; j++)
        g->log_wealth[j] += other->log_wealth[j];
    g->n += other->n;
    g->sum += other->sum;
}

double guard_log_e(const struct guard *g)
{
    return stats_log_sum_exp(g->log_wealth, STATS_BETS) - log(STATS_BETS);
}

bool guard_trips(const struct guard *g, double alpha)
{
    return guard_log_e(g) >= -log(alpha);
}

/* A level beyond this has long raised its alarm. */
#define LEVEL_MAX 1e300

/* Opens a bet with `stake` in each of the 16 and lets an outcome decide on all that are open. */
static void levels_add(double level[STATS_BETS], double stake, double x, double limit)
{
    assert(x >= 0);
    assert(limit > 0);
    double gain = fmin(x / limit - 1, GAIN_MAX);
    for (size_t j = 0; j < STATS_BETS; j++) {
        double next = (level[j] + stake) * (1 + stakes[j] * gain);
        level[j] = next < LEVEL_MAX ? next : LEVEL_MAX;
    }
}

static double levels_mean(const double level[STATS_BETS])
{
    double sum = 0;

    for (size_t j = 0; j < STATS_BETS; j++)
        sum += level[j] / STATS_BETS;
    return sum;
}

/* ---- a breach that begins later ---- */

/* What is staked after k outcomes: 2^i times 1/(2^i (i + 1)(i + 2)) is 1/(i + 1) - 1/(i + 2), so that all of them add up to 1. */
static double onset_stake(int64_t k)
{
    if (k == 0)
        return 0; /* that is the guard itself */
    int octave = 63 - __builtin_clzll((unsigned long long)k);
    return 1 / ((double)((int64_t)1 << octave) * (octave + 1) * (octave + 2));
}

void onset_add(struct onset *o, double x, double limit)
{
    levels_add(o->level, onset_stake(o->n), x, limit);
    o->n++;
    o->streams += o->streams == 0;
}

void onset_merge(struct onset *o, const struct onset *other)
{
    for (size_t j = 0; j < STATS_BETS; j++)
        o->level[j] = fmin(o->level[j] + other->level[j], LEVEL_MAX);
    o->n += other->n;
    o->streams += other->streams;
}

double onset_log_e(const struct onset *o)
{
    if (o->streams == 0)
        return -INFINITY;
    return log(levels_mean(o->level)) - log((double)o->streams);
}

/* ---- the detector ---- */

/* Shiryaev and Roberts' recursion: every moment opens a new bet with 1 (Shin, Ramdas and Rinaldo 2022). */
void detector_add(struct detector *d, double x, double limit)
{
    levels_add(d->level, 1, x, limit);
    d->n++;
}

double detector_level(const struct detector *d)
{
    return levels_mean(d->level);
}
