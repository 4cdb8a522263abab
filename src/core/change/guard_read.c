/* SPDX-License-Identifier: Apache-2.0 */
/* guard_read: what a guard's sums say. Read at a tick, not at a query. */
#include "core/change/guards.h"

#include <math.h>

#define INTERVAL_ALPHA 0.05
#define RATE_T_OPT 100 /* trials at which the interval of a rate is tightest */
/* Intervals of means are asymptotic: before this many outcomes they decide nothing. */
#define MEAN_N_MIN 100
#define MEAN_V_OPT 500 /* outcomes at which they are tightest */

static struct guard binary_guard(const struct guard_sums *s, double limit, bool is_warn)
{
    struct guard g = { .n = 0 };

    guard_add_counts(&g, is_warn ? s->over_warn : s->over_trip, s->n, limit);
    return g;
}

void guard_log_wealth(const struct guard_plan *plan, const struct arm_sums *arm, size_t guard,
                      double out[STATS_BETS])
{
    enum change_metric metric = plan->specs[guard].metric;
    const struct guard_sums *s = &arm->metrics[metric];

    if (change_metric_info(metric)->kind != METRIC_BINARY) {
        wager_log_wealth(&s->trip, out);
        return;
    }
    struct guard g = binary_guard(s, plan->trip[guard].mean, false);
    for (size_t j = 0; j < STATS_BETS; j++)
        out[j] = g.log_wealth[j];
}

static double log_e_trip(const struct guard_plan *plan, const struct arm_sums *arm, size_t guard)
{
    double log_wealth[STATS_BETS];

    guard_log_wealth(plan, arm, guard, log_wealth);
    return wager_log_mean(log_wealth);
}

/* Of the stake against the canary, what is bet on a breach from its first outcome on. */
#define FIRST_SHARE 0.8

static double log_e_canary(const struct guard_plan *plan, const struct arm_sums *canary,
                           size_t guard)
{
    const struct guard_sums *s = &canary->metrics[plan->specs[guard].metric];
    double logs[] = { log(FIRST_SHARE) + log_e_trip(plan, canary, guard),
                      log(1 - FIRST_SHARE) + onset_log_e(&s->onset) };

    return s->n == 0 ? 0 : stats_log_sum_exp(logs, ARRAY_LEN(logs));
}

static double log_e_warn(const struct guard_plan *plan, const struct guard_sums *s, size_t guard)
{
    const struct guard_limit *warn = &plan->warn[guard];

    if (warn->mean == 0)
        return 0;
    if (change_metric_info(plan->specs[guard].metric)->kind != METRIC_BINARY)
        return wager_log_e(&s->warn);
    struct guard g = binary_guard(s, warn->mean, true);
    return guard_log_e(&g);
}

/* The harm's mean with an asymptotic confidence sequence (Waudby-Smith et al. 2024): a normal mixture's boundary over n
 * standardised outcomes. */
static struct interval mean_interval(const struct guard_sums *s, double alpha)
{
    struct moments m = { s->n, s->sum, s->sum_squares };
    double n = (double)s->n, variance = moments_variance(&m);
    struct interval out = { moments_mean(&m), 0, INFINITY };

    if (s->n < 2)
        return out;
    /* Outcomes that are all equal say that the spread is small, not that there is none. */
    if (variance == 0)
        variance = out.estimate * out.estimate / n;
    double rho = stats_mixture_rho(MEAN_V_OPT, alpha);
    double half = sqrt(variance) * stats_mixture_bound(n, rho, alpha) / n;
    out.lower = fmax(out.estimate - half, 0);
    out.upper = out.estimate + half;
    return out;
}

static struct interval harm_interval(enum change_metric metric, const struct guard_sums *s)
{
    struct interval out;

    if (change_metric_info(metric)->kind == METRIC_BINARY)
        return stats_rate_sequence(s->over_trip, s->n, RATE_T_OPT, INTERVAL_ALPHA);
    out = mean_interval(s, INTERVAL_ALPHA);
    if (change_metric_info(metric)->kind == METRIC_BOUNDED)
        out.upper = fmin(out.upper, 1);
    return out;
}

/* From the harm to the metric's own direction. */
static struct interval value_of(enum change_metric metric, struct interval harm, int64_t n)
{
    if (!change_metric_info(metric)->is_floor)
        return harm;
    return (struct interval){ n > 0 ? 1 - harm.estimate : 0, 1 - harm.upper, 1 - harm.lower };
}

static double control_value(enum change_metric metric, const struct guard_sums *s)
{
    bool is_binary = change_metric_info(metric)->kind == METRIC_BINARY;
    double harm = is_binary ? (double)s->over_trip : s->sum;

    if (s->n == 0)
        return 0;
    harm /= (double)s->n;
    return change_metric_info(metric)->is_floor ? 1 - harm : harm;
}

/* Is it shown that the mean keeps the limit to advance? */
static bool keeps_limit(const struct guard_plan *plan, const struct guard_sums *s, size_t guard,
                        double *out_log_e)
{
    double limit = plan->advance[guard].mean, alpha = plan->options.alpha_show;
    struct guard g = { .n = 0 };

    *out_log_e = 0;
    switch (change_metric_info(plan->specs[guard].metric)->kind) {
    case METRIC_BINARY:
        guard_add_below_counts(&g, s->over_advance, s->n, limit);
        *out_log_e = guard_log_e(&g);
        return *out_log_e >= -log(alpha);
    case METRIC_BOUNDED:
        *out_log_e = wager_log_e(&s->below);
        return *out_log_e >= -log(alpha);
    case METRIC_AMOUNT:
        /* What unpriced queries cost is not known to be like the rest. */
        return s->n >= MEAN_N_MIN && s->missing == 0 && mean_interval(s, alpha).upper < limit;
    }
    return false;
}

static struct moments harm_moments(enum change_metric metric, const struct guard_sums *s)
{
    double over = (double)s->over_trip;

    if (change_metric_info(metric)->kind == METRIC_BINARY)
        return (struct moments){ s->n, over, over };
    return (struct moments){ s->n, s->sum, s->sum_squares };
}

static struct comparison compare(const struct guard_plan *plan, const struct change_sums *sums,
                                 size_t guard, double alpha)
{
    enum change_metric metric = plan->specs[guard].metric;
    struct moments control = harm_moments(metric, &sums->arms[SIDE_CONTROL].metrics[metric]);
    struct moments canary = harm_moments(metric, &sums->arms[SIDE_CANARY].metrics[metric]);
    struct compare_options options = { .alpha = alpha,
                                       .is_relative =
                                           change_metric_info(metric)->kind == METRIC_AMOUNT,
                                       .is_one_sided = true };

    return stats_compare(&control, &canary, &options);
}

/* Against the control; gives whether the canary was shown not to be inferior. */
static bool control_read(const struct guard_plan *plan, const struct change_sums *sums,
                         size_t guard, struct guard_evidence *out)
{
    const struct guard_spec *spec = &plan->specs[guard];
    double alpha = plan->options.alpha_trip / plan->options.phases;
    struct comparison harsh, mild;

    if (!spec->is_compared)
        return true;
    harsh = compare(plan, sums, guard, alpha);
    mild = compare(plan, sums, guard, plan->options.alpha_show);
    out->diff = harsh.diff;
    out->is_compared = harsh.is_valid;
    if (harsh.is_valid && harsh.diff.lower > spec->margin)
        out->tripped_by |= GUARD_BY_CONTROL;
    return mild.is_valid && mild.diff.upper < spec->margin;
}

static enum guard_verdict verdict_of(const struct guard_evidence *e)
{
    if (e->tripped_by != 0)
        return GUARD_TRIPPED;
    if (e->is_warned)
        return GUARD_WARNED;
    if (e->n == 0)
        return GUARD_NO_DATA;
    return e->is_shown ? GUARD_SHOWN : GUARD_UNDECIDED;
}

void guard_judge(const struct guard_plan *plan, const struct change_sums *sums, size_t guard,
                 struct guard_evidence *out)
{
    const struct guard_spec *spec = &plan->specs[guard];
    const struct guard_options *o = &plan->options;
    const struct guard_sums *canary = &sums->arms[SIDE_CANARY].metrics[spec->metric];
    const struct guard_sums *control = &sums->arms[SIDE_CONTROL].metrics[spec->metric];

    *out = (struct guard_evidence){
        .metric = spec->metric,
        .is_dry_run = spec->is_dry_run,
        .n = canary->n,
        .missing = canary->missing,
        .log_e = log_e_canary(plan, &sums->arms[SIDE_CANARY], guard),
        .log_e_warn = log_e_warn(plan, canary, guard),
        .detector = detector_level(&canary->detector),
        .control_n = control->n,
        .control_value = control_value(spec->metric, control),
        .control_log_e = log_e_trip(plan, &sums->arms[SIDE_CONTROL], guard),
    };
    if (out->log_e >= -log(o->alpha_trip / o->phases))
        out->tripped_by |= GUARD_BY_LIMIT;
    if (out->detector >= o->detector_run)
        out->tripped_by |= GUARD_BY_DETECTOR;
    out->is_warned = out->log_e_warn >= -log(o->alpha_warn);
    bool is_not_inferior = control_read(plan, sums, guard, out);
    out->is_shown = keeps_limit(plan, canary, guard, &out->log_e_shown) && is_not_inferior;
    out->verdict = verdict_of(out);
}

void guard_read(const struct guard_plan *plan, const struct change_sums *sums, size_t guard,
                struct guard_evidence *out)
{
    enum change_metric metric = plan->specs[guard].metric;
    const struct guard_sums *canary = &sums->arms[SIDE_CANARY].metrics[metric];

    guard_judge(plan, sums, guard, out);
    out->blocks_log_e = blocks_log_e(&sums->blocks[metric]);
    out->value = value_of(metric, harm_interval(metric, canary), canary->n);
}
