/* SPDX-License-Identifier: Apache-2.0 */
/* judge: whose fault a trip is. */
#include "core/change/judge.h"

#include <math.h>

#define SURE_GUILTY 7.824046010856292 /* ln 2500 */
#define SURE_COMMON 6.907755278982137 /* ln 1000 */
#define LIKELY 4.605170185988092 /* ln 100: enough for guilty when the time is up */
#define LEANS 1.0 /* and for common */
#define CONTROL_N_MAX 1024 /* outcomes of the control after which the time is up */

static const char *const names[] = {
    [JUDGE_NONE] = "none",     [JUDGE_OPEN] = "open",     [JUDGE_UNCLEAR] = "unclear",
    [JUDGE_COMMON] = "common", [JUDGE_GUILTY] = "guilty",
};

const char *judge_verdict_name(enum judge_verdict v)
{
    return names[v];
}

bool judge_verdict_find(str name, enum judge_verdict *out)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (str_eq(name, str_from(names[i]))) {
            *out = (enum judge_verdict)i;
            return true;
        }
    }
    return false;
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
        .blocks = sums->blocks[metric],
    };
}

/* ln of a (a + 1) ... (a + n - 1). */
static double log_rising(double a, int64_t n)
{
    int sign;

    return lgamma_r(a + (double)n, &sign) - lgamma_r(a, &sign);
}

/* ln of the chance of these outcomes in this order under a share of bad ones with the prior Beta(bad, fine). */
static double log_chance(struct judge_counts seen, double bad, double fine)
{
    return log_rising(bad, seen.over) + log_rising(fine, seen.n - seen.over) -
           log_rising(bad + fine, seen.n);
}

/* The log Bayes factor of the control's outcomes since the trip: as bad as the canary has been since, against as bad as the
 * control was before. Where little is known the prior is flat for the former and Beta(1, 9) for the latter. 0 when the canary
 * is no longer worse than the control was. */
static double as_bad_as_canary(struct judge_counts canary, struct judge_counts control,
                               struct judge_counts before)
{
    double bad = (double)(canary.over + 1), fine = (double)(canary.n - canary.over + 1);
    double bad_before = (double)(before.over + 1),
           fine_before = (double)(before.n - before.over + 9);

    if (bad * fine_before <= bad_before * fine)
        return 0;
    return log_chance(control, bad, fine) - log_chance(control, bad_before, fine_before);
}

/* When the time is up. */
static enum judge_verdict settle(double guilt, double lean, int64_t control_n)
{
    if (lean >= LEANS)
        return JUDGE_COMMON;
    return guilt >= LIKELY || control_n == 0 ? JUDGE_GUILTY : JUDGE_UNCLEAR;
}

void judge_read(struct judge *j, const struct guard_plan *plan, const struct change_sums *sums,
                const struct guard_evidence *e, usec_utc now, int64_t wait_us)
{
    struct judge_counts canary = since(counts_of(sums, SIDE_CANARY, e->metric), j->canary);
    struct judge_counts control = since(counts_of(sums, SIDE_CONTROL, e->metric), j->control);
    struct blocks blocks = blocks_since(&sums->blocks[e->metric], &j->blocks);
    /* The control's own evidence that it is beyond its limit speaks for a common cause as well. */
    double lean = as_bad_as_canary(canary, control, j->control) + fmax(e->control_log_e, 0);
    double guilt =
        fmax(blocks_log_e(&sums->blocks[e->metric]), blocks_log_e(&blocks)) - fmax(lean, 0);
    bool control_trips = e->control_log_e >= -log(plan->options.alpha_trip / plan->options.phases);
    bool is_over = control.n >= CONTROL_N_MAX || now - j->since >= wait_us;

    if (guilt >= SURE_GUILTY)
        j->verdict = JUDGE_GUILTY;
    else if (j->verdict == JUDGE_COMMON)
        return;
    else if (control_trips || lean >= SURE_COMMON)
        j->verdict = JUDGE_COMMON;
    else if (is_over)
        j->verdict = settle(guilt, lean, control.n);
}
