/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of rollout share. */
#ifndef WEIR_CORE_CHANGE_ROLLOUT_INTERNAL_H
#define WEIR_CORE_CHANGE_ROLLOUT_INTERNAL_H

#include "core/change/rollout.h"

#define ROLLOUT_NEVER INT64_MIN /* of an instant: there is none */

/* May the machine go from one to the other? By the table of states. */
bool rollout_may_move(enum rollout_state from, enum rollout_state to);
bool rollout_place_is_sound(const struct rollout_spec *spec, struct rollout_place place);
/* Where a step runs: running, or baking for the last one. */
struct rollout_place rollout_step_place(const struct rollout_spec *spec, size_t step);
/* The step behind, or completed. */
struct rollout_place rollout_next_place(const struct rollout_spec *spec, size_t step);
static inline const struct rollout_step *rollout_step_of(const struct rollout *r)
{
    return &r->spec->steps[r->place.step];
}

/* Shares of the step, parts per million. */
struct rollout_shares {
    uint32_t canary;
    uint32_t control;
};
struct rollout_shares rollout_shares_of(const struct rollout_spec *spec, size_t step);

/* A row without a move: from == to, the next sequence number, everything else as it is. */
void rollout_row_init(const struct rollout *r, usec_utc now, struct rollout_row *row);
/* Makes it one that moves. */
void rollout_row_move(const struct rollout *r, struct rollout_place to, enum rollout_reason reason,
                      struct rollout_row *row);

#endif
