/* SPDX-License-Identifier: Apache-2.0 */
/* judge: whose fault a trip is. */
#include "core/change/judge.h"

#include <math.h>

#define SURE 6.907755278982137 /* ln 1000 */
/* Leanings, for when the time is up. */
#define LEANS 1.0
#define CONTROL_LEANS 3.0
#define CONTROL_N_MAX 32 /* outcomes of the control after which it may not stay open */

const char *judge_verdict_name(enum judge_verdict v)
{
    static const char *const names[] = {
        [JUDGE_NONE] = "none",
        [JUDGE_OPEN] = "open",
        [JUDGE_COMMON] = "common",
        [JUDGE_GUILTY] = "guilty",
    };

    return names[v];
}

static struct judge_counts counts_of(const struct change_sums *sums, enum change_side side,
                                     enum change_metric metric)
{
    const struct guard_sums *s = &sums->arms[side].metrics[metric];

    return (struct judge_counts){ s->n, s->over_trip };
}

static struct judge_counts since(struct judge_counts now, struct judge_counts then)
{
    return (struct judge_counts){ now.n - then.n, now.over - then.over };
}

void judge_open(struct judge *j, const struct change_sums *sums, enum change_metric metric,
                usec_utc now)
{
    *j = (struct judge){
        .verdict = JUDGE_OPEN,
        .since = now,
        .canary = counts_of(sums, SIDE_CANARY, metric),
        .control = counts_of(sums, SIDE_CONTROL, metric),
    };
}

/* The log likelihood ratio of the control's outcomes since the trip: as bad as the canary has been since, against as bad as
 * the control was before. 0 when the canary is no longer worse than that. */
static double as_bad_as_canary(struct judge_counts canary, struct judge_counts control,
                               struct judge_counts before)
{
    double bad = (double)(canary.over + 1) / (double)(canary.n + 2);
    double fine = (double)(before.over + 1) / (double)(before.n + 10);

    if (bad <= fine)
        return 0;
    return (double)control.over * log(bad / fine) +
           (double)(control.n - control.over) * log((1 - bad) / (1 - fine));
}

void judge_read(struct judge *j, const struct guard_plan *plan, const struct change_sums *sums,
                const struct guard_evidence *e, usec_utc now, int64_t wait_us)
{
    struct judge_counts canary = since(counts_of(sums, SIDE_CANARY, e->metric), j->canary);
    struct judge_counts control = since(counts_of(sums, SIDE_CONTROL, e->metric), j->control);
    double ratio = as_bad_as_canary(canary, control, j->control);
    bool control_trips = e->control_log_e >= -log(plan->options.alpha_trip / plan->options.phases);
    bool is_over = control.n >= CONTROL_N_MAX || now - j->since >= wait_us;

    if (e->blocks_log_e >= SURE)
        j->verdict = JUDGE_GUILTY;
    else if (j->verdict == JUDGE_COMMON)
        return;
    else if (ratio <= -SURE)
        j->verdict = JUDGE_GUILTY;
    else if (control_trips || ratio >= SURE)
        j->verdict = JUDGE_COMMON;
    else if (is_over)
        j->verdict =
            ratio >= LEANS || e->control_log_e >= CONTROL_LEANS ? JUDGE_COMMON : JUDGE_GUILTY;
}
