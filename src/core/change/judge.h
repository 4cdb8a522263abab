/* SPDX-License-Identifier: Apache-2.0 */
/*
 * judge: a guard of the canary has tripped: is it the canary, or has everything gone bad? When the provider is down the
 * control trips too, only not at the same query; a rollback then costs more and helps nobody.
 *
 *     guilty   the blocks say that the canary is worse than the control at the same moment; or the control, since the trip,
 *              is as good as it was before and not as bad as the canary is now
 *     common   the control tripped the same guard; or, since the trip, is as bad as the canary
 *     open     neither yet. Not for ever: after 256 more outcomes of the control, or the time given, what leans towards common
 *              is, and everything else is guilty
 *
 * Guilty and common before that time need evidence of 1000 to 1. A canary that fails altogether is found guilty after some
 * seven outcomes of each arm; one that fails a little more than the control, after as many as its guard needs to trip.
 *
 * May include: base, core/stats.
 */
#ifndef WEIR_CORE_CHANGE_JUDGE_H
#define WEIR_CORE_CHANGE_JUDGE_H

#include "base/base.h"
#include "core/change/guards.h"

enum judge_verdict { JUDGE_NONE, JUDGE_OPEN, JUDGE_COMMON, JUDGE_GUILTY };
const char *judge_verdict_name(enum judge_verdict v); /* "none", "open", "common", "guilty" */
bool judge_verdict_find(str name, enum judge_verdict *out);

struct judge_counts {
    int64_t n;
    int64_t over; /* beyond the limit */
};
struct judge { /* of one guard; zero-initialised: it has not tripped */
    enum judge_verdict verdict;
    usec_utc since; /* of the trip */
    struct judge_counts canary; /* at the trip */
    struct judge_counts control;
    double blocks; /* what the blocks said for "guilty" then, >= 0 */
};

/* The guard has tripped just now; e: guard_judge() of now. */
void judge_open(struct judge *j, const struct change_sums *sums, const struct guard_evidence *e,
                usec_utc now);
/* A verdict "common" becomes "guilty" only by the blocks. wait_us: how long it may stay open; e: guard_judge() of now. */
void judge_read(struct judge *j, const struct guard_plan *plan, const struct change_sums *sums,
                const struct guard_evidence *e, usec_utc now, int64_t wait_us);

#endif
