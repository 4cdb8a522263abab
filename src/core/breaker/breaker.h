/* SPDX-License-Identifier: Apache-2.0 */
/*
 * breaker: leaves alone what fails nearly always, and comes back to it carefully. One for each thing that can fail by itself.
 *
 *              score reaches `failures`            pause over
 *     CLOSED ---------------------------> OPEN ~~~~~~~~~~~~~~> HALF_OPEN       one attempt, the probe, goes out
 *        ^                                 ^  ^--------------------' | fault: a pause twice as long
 *        |                                 '-------------. fault,   | success
 *        '~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~ RAMP <------'      a share of the attempts, growing to all
 *                      ramp over                          again
 *
 * The score is a cumulative sum (E. S. Page, "Continuous inspection schemes", Biometrika 41, 1954): a fault adds 1, a success takes
 * 2 away, never below 0. It grows in the long run only where more than two attempts in three fail. At a fault rate p below that, an
 * excursion reaches k with a probability near x^-k, x the root above 1 of p x^3 - x^2 + (1 - p) = 0: 3.1 at 30 %, so that twelve in
 * a row or as good as that come about once in millions of attempts, while a dead provider is left alone after twelve.
 *
 * An attempt is admitted with a ticket, and its outcome counts only while the state that admitted it lasts: what was sent before
 * the opening and ends during the pause says nothing new.
 *
 * A caller may rely on: pure, nothing is allocated, every function takes constant time; in HALF_OPEN at most one attempt is out;
 * the same calls give the same states.
 *
 * May include: base.
 */
#ifndef WEIR_CORE_BREAKER_BREAKER_H
#define WEIR_CORE_BREAKER_BREAKER_H

#include "base/base.h"

enum breaker_state {
    BREAKER_CLOSED,
    BREAKER_OPEN,
    BREAKER_HALF_OPEN,
    BREAKER_RAMP,
    BREAKER_STATE_COUNT
};

struct breaker_options {
    int32_t failures; /* the score that opens; 0: never */
    nsec pause; /* of the first opening; doubles each time until a ramp was completed */
    nsec pause_max;
    nsec ramp; /* how long the share grows; 0: all at once */
};

struct breaker { /* zero-initialised is closed */
    enum breaker_state state;
    int32_t score;
    uint32_t epoch; /* states passed through */
    bool has_probe; /* HALF_OPEN: it is out */
    uint32_t credit; /* RAMP: millionths of an attempt that may go out */
    nsec pause; /* OPEN: how long it was; kept for the next one */
    nsec until; /* OPEN: the pause's end; RAMP: the ramp's */
    uint64_t opened; /* times */
};

/* What admitted an attempt, to be given back once with its outcome. */
struct breaker_ticket {
    uint32_t epoch;
};

/* Whether an attempt may go out now. Without an alternative a ramp refuses nobody: who has nowhere else to go gains nothing by it. */
bool breaker_admit(struct breaker *b, const struct breaker_options *options, nsec now,
                   bool has_alternative, struct breaker_ticket *out);
void breaker_note(struct breaker *b, const struct breaker_options *options, nsec now,
                  struct breaker_ticket ticket, bool is_fault);
/* The attempt ended without saying anything about the provider (its client left). */
void breaker_forget(struct breaker *b, struct breaker_ticket ticket);
const char *
breaker_state_name(enum breaker_state state); /* "closed", "open", "half_open", "ramp" */

#endif
