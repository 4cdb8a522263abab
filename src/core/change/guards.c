/* SPDX-License-Identifier: Apache-2.0 */
/* guards: the table of metrics, and specifications made into plans. */
#include "core/change/guards.h"

#include <math.h>
#include <string.h>

/* What "95 %" in latency_p95 leaves. */
#define P95_REST 0.05
/* Shares and confidences outside of this cannot be told from 0 and 1 with any traffic. */
#define SHARE_MIN 1e-6

static const struct change_metric_info metrics[CHANGE_METRIC_COUNT] = {
    [CHANGE_SUCCESS_RATE] = { "success_rate", "share", METRIC_BINARY, true },
    [CHANGE_ERROR_RATE] = { "error_rate", "share", METRIC_BINARY, false },
    [CHANGE_HRM_CONFIDENCE_MEAN] = { "hrm_confidence_mean", "confidence", METRIC_BOUNDED, true },
    [CHANGE_TRM_CONFIDENCE_MEAN] = { "trm_confidence_mean", "confidence", METRIC_BOUNDED, true },
    [CHANGE_COST_PER_QUERY] = { "cost_per_query", "nano-dollars", METRIC_AMOUNT, false },
    [CHANGE_LATENCY_P95] = { "latency_p95", "nanoseconds", METRIC_BINARY, false },
};

const struct guard_spec guard_defaults[CHANGE_METRIC_COUNT] = {
    { .metric = CHANGE_SUCCESS_RATE, .warn = 0.95, .trip = 0.95 },
    { .metric = CHANGE_ERROR_RATE, .warn = 0.05, .trip = 0.10 },
    { .metric = CHANGE_HRM_CONFIDENCE_MEAN, .warn = 0.80, .trip = 0.75 },
    { .metric = CHANGE_TRM_CONFIDENCE_MEAN, .warn = 0.75, .trip = 0.70 },
    { .metric = CHANGE_COST_PER_QUERY, .warn = 0.005 * NANO_PER_USD, .trip = 0.010 * NANO_PER_USD },
    { .metric = CHANGE_LATENCY_P95, .warn = 2.0 * NSEC_PER_SEC, .trip = 5.0 * NSEC_PER_SEC },
};

const struct guard_options guard_options_default = {
    .alpha_trip = 0.001,
    .alpha_warn = 0.05,
    .alpha_show = 0.05,
    .detector_run = 20000,
    .phases = 1,
};

const struct change_metric_info *change_metric_info(enum change_metric metric)
{
    return &metrics[metric];
}

bool change_metric_find(str name, enum change_metric *out)
{
    for (size_t i = 0; i < CHANGE_METRIC_COUNT; i++) {
        if (str_eq(name, str_from(metrics[i].name))) {
            *out = (enum change_metric)i;
            return true;
        }
    }
    return false;
}

const char *guard_verdict_name(enum guard_verdict v)
{
    static const char *const names[] = {
        [GUARD_NO_DATA] = "no_data", [GUARD_UNDECIDED] = "undecided", [GUARD_SHOWN] = "shown",
        [GUARD_WARNED] = "warned",   [GUARD_TRIPPED] = "tripped",
    };

    return names[v];
}

/* ---- checks ---- */

struct check {
    const struct guard_spec *spec;
    const struct guard_options *options;
    size_t index;
    struct change_issues *issues;
};

static void check_add(const struct check *c, const char *member, const char *what)
{
    change_issue_add(c->issues, change_issue_place(c->issues, "guards", c->index, member), "%s",
                     what);
}

/* A limit of a share or confidence must leave room on both sides. */
static void share_check(const struct check *c, const char *member, double limit, bool is_floor)
{
    bool is_low = !(limit >= SHARE_MIN), is_high = !(limit <= 1 - SHARE_MIN);

    if (!is_low && !is_high)
        return;
    if (is_low == is_floor)
        check_add(c, member,
                  "nothing lies beyond this limit, so the guard can never trip; it must be "
                  "between 0 and 1");
    else
        check_add(c, member,
                  "everything lies beyond this limit, so the guard always trips; it must be "
                  "between 0 and 1");
}

static void amount_check(const struct check *c, const char *member, double limit, double ceiling)
{
    if (!(limit >= 1) || !(limit <= (double)INT64_MAX))
        check_add(c, member, "the limit must be at least 1 of its unit");
    else if (ceiling > 0 && limit >= ceiling)
        check_add(c, member,
                  "no query reaches this limit, because it is ended before, so the guard can "
                  "never trip");
}

static void limit_check(const struct check *c, const char *member, double limit)
{
    const struct change_metric_info *info = &metrics[c->spec->metric];

    if (c->spec->metric == CHANGE_LATENCY_P95)
        amount_check(c, member, limit, (double)c->options->latency_max);
    else if (c->spec->metric == CHANGE_COST_PER_QUERY)
        amount_check(c, member, limit, (double)c->options->cost_max);
    else
        share_check(c, member, limit, info->is_floor);
}

static void spec_check(const struct check *c)
{
    const struct guard_spec *spec = c->spec;

    if ((unsigned)spec->metric >= CHANGE_METRIC_COUNT) {
        check_add(c, "metric", "unknown metric");
        return;
    }
    for (size_t i = 1; i <= c->index; i++) {
        if (spec[-(ptrdiff_t)i].metric == spec->metric)
            check_add(c, "metric", "this metric already has a guard");
    }
    limit_check(c, "trip", spec->trip);
    if (spec->warn != 0) {
        limit_check(c, "warn", spec->warn);
        if (metrics[spec->metric].is_floor ? spec->warn < spec->trip : spec->warn > spec->trip)
            check_add(c, "warn", "it would trip before it warns");
    }
    if (spec->advance != 0) {
        limit_check(c, "advance", spec->advance);
        if (metrics[spec->metric].is_floor ? spec->advance < spec->trip
                                           : spec->advance > spec->trip)
            check_add(c, "advance", "it would advance where it trips");
    }
    if (spec->is_compared && !(spec->margin > 0 && isfinite(spec->margin)))
        check_add(c, "margin",
                  "a comparison needs a margin above 0: by how much the canary may be worse");
}

static bool is_alpha(double alpha)
{
    return alpha > 0 && alpha < 0.5;
}

static void options_check(const struct guard_options *o, struct change_issues *issues)
{
    if (!is_alpha(o->alpha_trip) || !is_alpha(o->alpha_warn) || !is_alpha(o->alpha_show))
        change_issue_add(issues, STR("guards"), "each alpha must be above 0 and below 0.5");
    if (!(o->detector_run >= 100 && o->detector_run <= 1e12))
        change_issue_add(issues, STR("guards"), "detector_run must be 100 to 1e12 queries");
    if (o->phases < 1)
        change_issue_add(issues, STR("guards"), "there must be at least one phase");
}

/* ---- the plan ---- */

static struct guard_limit limit_make(enum change_metric metric, double limit)
{
    struct guard_limit out = { .mean = limit };

    if (limit == 0)
        return out;
    if (metric == CHANGE_LATENCY_P95) {
        out.latency = (nsec)limit;
        out.mean = P95_REST;
    } else if (metrics[metric].is_floor) {
        out.mean = 1 - limit;
    }
    out.inverse = 1 / out.mean;
    return out;
}

enum err guard_plan_init(struct guard_plan *plan, const struct guard_spec *specs, size_t count,
                         const struct guard_options *options, struct change_issues *issues)
{
    size_t before = issues->count;

    if (count == 0 || count > CHANGE_METRIC_COUNT)
        change_issue_add(issues, STR("guards"), "there must be 1 to %d guards",
                         CHANGE_METRIC_COUNT);
    for (size_t i = 0; i < count && count <= CHANGE_METRIC_COUNT; i++)
        spec_check(&(struct check){ &specs[i], options, i, issues });
    options_check(options, issues);
    if (issues->count > before)
        return CALLER_BAD_REQUEST;
    *plan = (struct guard_plan){ .count = count, .options = *options };
    for (size_t i = 0; i < count; i++) {
        plan->specs[i] = specs[i];
        plan->warn[i] = limit_make(specs[i].metric, specs[i].warn);
        plan->trip[i] = limit_make(specs[i].metric, specs[i].trip);
        plan->advance[i] =
            specs[i].advance != 0 ? limit_make(specs[i].metric, specs[i].advance) : plan->trip[i];
    }
    return OK;
}
