/* SPDX-License-Identifier: Apache-2.0 */
/*
 * judge: a guard of the canary has tripped: is it the canary, or has everything gone bad? When the provider is down the
 * control trips too, only not at the same query; a rollback then costs more and helps nobody.
 *
 *     guilty   the blocks, all of them or those since the trip, say that the canary is worse than the control at the same moment
 *     common   the control tripped the same guard; or, since the trip, is as bad as the canary
 *     open     neither yet
 *     unclear  neither, though the time is up or the control has had 1024 more outcomes. Somebody must look; what comes
 *              later may still make it guilty or common
 *
 * Guilty needs evidence of 2500 to 1, common of 1000 to 1; when the time is up 100 to 1 for guilty, and for common what
 * leans to it. From the evidence for guilty what leans to common is taken away. A control without any outcome since the trip
 * does not delay a rollback for longer than that time. So an hour that is bad for both arms alike, short or long, mild or
 * complete, makes a canary guilty with a probability of at most one in 1250, each of the two sums of blocks one in 2500 (Ville
 * 1939), and of one in 50 where the time is up; what rehearsals show is far below. A canary that fails altogether is found
 * guilty after some eight outcomes of each arm.
 *
 * May include: base, core/stats.
 */
#ifndef WEIR_CORE_CHANGE_JUDGE_H
#define WEIR_CORE_CHANGE_JUDGE_H

#include "base/base.h"
#include "core/change/guards.h"

enum judge_verdict { JUDGE_NONE, JUDGE_OPEN, JUDGE_UNCLEAR, JUDGE_COMMON, JUDGE_GUILTY };
const char *judge_verdict_name(enum judge_verdict v); /* "none", "open", "unclear", … */
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
    struct blocks blocks; /* at the trip */
};

/* The metric's guard has tripped just now. */
void judge_open(struct judge *j, const struct change_sums *sums, enum change_metric metric,
                usec_utc now);
/* A verdict "common" becomes "guilty" only by the blocks. wait_us: how long it may stay open; e: guard_judge() of now. */
void judge_read(struct judge *j, const struct guard_plan *plan, const struct change_sums *sums,
                const struct guard_evidence *e, usec_utc now, int64_t wait_us);

#endif
