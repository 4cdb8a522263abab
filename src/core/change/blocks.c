/* SPDX-License-Identifier: Apache-2.0 */
/* blocks: the two-sample e-process on blocks of one and one. */
#include "core/change/blocks.h"

#include <math.h>

#include "core/stats/stats.h"

/* The alternatives: the control's share of bad outcomes is .005, .02, .08 or .3, and the canary's odds are 2.5, 6, 30 or 1000 times as
 * large. A row is what a block adds, [canary is bad][control is bad]: the log likelihood ratio of the shares a and b against both
 * having their mean, which is the hypothesis that is hardest to tell apart (Turner, Ly and Grünwald 2024, theorem 1). */
static const double log_ratios[][2][2] = {
    /* clang-format off */
    { { -1.3957718967758798e-05, -0.5580273238746658 }, { 0.358263407999488, -0.199749958156211 } },
    { { -0.00015242740674280275, -1.24405794206805 }, { 0.5477015271600053, -0.6962039875013009 } },
    { { -0.004580106633866987, -2.6800942729599955 }, { 0.7211031087021593, -1.9544110576239682 } },
    { { -0.7131710666355209, -5.681707838986482 }, { 1.226047439995654, -3.7424893323553077 } },
    { { -0.00021842274595690325, -0.5534805006374666 }, { 0.3628102312366886, -0.1904518466548204 } },
    { { -0.0022701485345391625, -1.220427587852432 }, { 0.5713318813756236, -0.646825557942269 } },
    { { -0.051859589708286025, -2.556594199602256 }, { 0.8446031820598994, -1.6601314278340709 } },
    { { -1.750401933862909, -5.58878721422165 }, { 1.3189680647604876, -2.5194172155982533 } },
    { { -0.0032091309409483237, -0.538267068094707 }, { 0.37802366377944774, -0.15703427337431108 } },
    { { -0.02817087696669629, -1.1541821398229204 }, { 0.6375773294051343, -0.4884339334510899 } },
    { { -0.34025166046375, -2.383154075506373 }, { 1.0180433061557825, -1.0248591088868406 } },
    { { -3.0317309491629576, -5.611555597222005 }, { 1.2961996817601285, -1.28362496629892 } },
    { { -0.03431813156089758, -0.5119456859172927 }, { 0.4043450459568628, -0.07328250839953232 } },
    { { -0.20294084399669, -1.090244038997593 }, { 0.7015154302304619, -0.1857877647704409 } },
    { { -1.0820672363064934, -2.393174682531778 }, { 1.008022699130378, -0.3030847470949067 } },
    { { -4.3264588412156435, -5.787683555120323 }, { 1.1200717238618005, -0.3411529900428791 } },
    /* clang-format on */
};
#define ALTERNATIVES ARRAY_LEN(log_ratios)

double blocks_log_e(const struct blocks *b)
{
    double logs[ALTERNATIVES];

    for (size_t a = 0; a < ALTERNATIVES; a++) {
        logs[a] = 0;
        for (size_t i = 0; i < 2; i++) {
            for (size_t j = 0; j < 2; j++)
                logs[a] += (double)b->counts[i][j] * log_ratios[a][i][j];
        }
    }
    return stats_log_sum_exp(logs, ALTERNATIVES) - log((double)ALTERNATIVES);
}
