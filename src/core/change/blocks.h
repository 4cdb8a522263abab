/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blocks: is the canary worse than the control at the same moment? Evidence that no provider's bad hour can fake.
 *
 * A block is one outcome of the canary and one of the control that ended next to each other; each is good or bad (beyond
 * a guard's limit). When both arms have the same chance to be bad, whatever it is and however it changes, the wealth bet on
 * "the canary is worse" is a supermartingale, so it reaches 1/alpha with probability at most alpha, ever
 * (Turner, Ly and Grünwald 2024: e-variables for k samples; here k = 2, blocks of one and one, a mixture of 16 fixed alternatives).
 *
 * A caller may rely on: the state is four counts, which merge by addition.
 *
 * May include: base, core/stats.
 */
#ifndef WEIR_CORE_CHANGE_BLOCKS_H
#define WEIR_CORE_CHANGE_BLOCKS_H

#include "base/base.h"

struct blocks {
    int64_t counts[2][2]; /* [canary is bad][control is bad] */
};

double
blocks_log_e(const struct blocks *b); /* against "the canary is no worse"; 0 without blocks */

#endif
