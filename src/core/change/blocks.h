/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blocks: is the canary worse than the control at the same moment? Evidence that no provider's bad hour can fake.
 *
 * A block is one outcome of the control with the one of the canary that ended next to it, or with the last 2, 4, 8 or 16 that
 * ended since the control's one before; each is good or bad (beyond a guard's limit). When both arms have the same chance to
 * be bad, whatever it is and however it changes from block to block, the wealth bet on "the canary is worse" is a
 * supermartingale, so it reaches 1/alpha with probability at most alpha, ever (Turner, Ly and Grünwald 2024: e-variables for k
 * samples; here k = 2 with blocks of 1, 2, 4, 8 or 16 and one, a mixture of 16 fixed alternatives).
 *
 * A caller may rely on: the state is counts, which merge by addition; a difference of two states is the blocks between them.
 *
 * May include: base, core/json, core/stats.
 */
#ifndef WEIR_CORE_CHANGE_BLOCKS_H
#define WEIR_CORE_CHANGE_BLOCKS_H

#include "base/base.h"
#include "core/json/json.h"

#define BLOCK_SIZES 5 /* 1, 2, 4, 8, 16 of the canary */
#define BLOCK_SIZE_MAX 16

struct blocks {
    struct block_counts { /* outcomes in the blocks of one size, by whether they are bad */
        int64_t canary[2];
        int64_t control[2];
    } sizes[BLOCK_SIZES];
};

/* Outcomes that wait for their neighbours; zero-initialised: none. At most one side of it waits. */
struct block_waiting {
    uint8_t canary_n; /* at most BLOCK_SIZE_MAX; older ones are dropped */
    uint16_t canary_bad; /* the newest in bit 0 */
    bool has_control;
    bool control_is_bad;
};
void blocks_add_canary(struct blocks *b, struct block_waiting *waiting, bool is_bad);
void blocks_add_control(struct blocks *b, struct block_waiting *waiting, bool is_bad);
void blocks_merge(struct blocks *b, const struct blocks *other);
/* Since an earlier state of the same. */
struct blocks blocks_since(const struct blocks *now, const struct blocks *then);

/* JSON: the counts by size, each canary fine, canary bad, control fine, control bad. */
void blocks_write(const struct blocks *b, struct buf *out);
/* False: no counts that blocks_write() could have written. Four numbers, as were written when all blocks were of one and one, are
 * blocks by [canary is bad][control is bad]. */
bool blocks_read(struct json v, struct blocks *out);

double blocks_log_e(const struct blocks *b); /* against "the canary is no worse"; 0 without any */

#endif
