/* SPDX-License-Identifier: Apache-2.0 */
/* rules: the closed table of metrics, what makes a rule sound, and the rules that weir ships with. */
#include <math.h>

#include "core/alert/alert_internal.h"

#define MINUTES(n) ((n)*60 * NSEC_PER_SEC)
#define HOURS(n) MINUTES((n)*60)
#define TEXT(literal)                                                                              \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }
#define RUNBOOK(anchor) TEXT("docs/runbooks.md#" anchor)
#define NO_BURN                                                                                    \
    {                                                                                              \
        0, 0, 0, 0                                                                                 \
    }

static const struct alert_metric_info metrics[ALERT_METRIC_COUNT] = {
#define X(id, name, side, unit, text) [id] = { name, side, unit, text },
    ALERT_METRIC_TABLE(X)
#undef X
};

static const char *const severities[ALERT_SEVERITY_COUNT] = { "info", "warning", "critical" };
static const char *const states[ALERT_STATE_COUNT] = { "inactive", "pending", "firing" };

/* The thresholds are those of the strategy document that weir began with; the levels that end an alert, the windows and
 * the counts are ours, so that a single bad query is no alert and a value that hovers is one, not twenty. */
/* clang-format off */
static const struct alert_rule defaults[] = {
    /* name, metric, severity, threshold, clear, window, pending, keep_firing, n_min, by, burn, runbook */
    { TEXT("hrm_confidence_low"), ALERT_HRM_CONFIDENCE, ALERT_WARNING, 0.80, 0.81, MINUTES(10), MINUTES(2), MINUTES(5), 50, ALERT_BY_ARM, NO_BURN, RUNBOOK("hrm_confidence_low") },
    { TEXT("trm_confidence_low"), ALERT_TRM_CONFIDENCE, ALERT_WARNING, 0.75, 0.76, MINUTES(10), MINUTES(2), MINUTES(5), 50, ALERT_BY_ARM, NO_BURN, RUNBOOK("trm_confidence_low") },
    { TEXT("success_rate_low"), ALERT_SUCCESS_RATE, ALERT_CRITICAL, 0.95, 0.96, MINUTES(10), MINUTES(2), MINUTES(5), 50, ALERT_BY_ARM, NO_BURN, RUNBOOK("success_rate_low") },
    { TEXT("cost_per_query_high"), ALERT_COST, ALERT_WARNING, 0.005, 0.0045, MINUTES(10), MINUTES(2), MINUTES(5), 50, ALERT_BY_ARM, NO_BURN, RUNBOOK("cost_per_query_high") },
    { TEXT("latency_p95_high"), ALERT_LATENCY_P95, ALERT_WARNING, 2000, 1800, MINUTES(10), MINUTES(2), MINUTES(5), 50, ALERT_BY_ARM, NO_BURN, RUNBOOK("latency_p95_high") },
    { TEXT("error_rate_high"), ALERT_ERROR_RATE, ALERT_CRITICAL, 0.05, 0.04, MINUTES(10), MINUTES(2), MINUTES(5), 50, ALERT_BY_ARM, NO_BURN, RUNBOOK("error_rate_high") },
    { TEXT("error_budget_fast"), ALERT_ERROR_RATE, ALERT_CRITICAL, 0, 0, HOURS(1), 0, MINUTES(5), 1, 0, { 0.99, 14.4, MINUTES(5), 5 }, RUNBOOK("error_budget") },
    { TEXT("error_budget_medium"), ALERT_ERROR_RATE, ALERT_CRITICAL, 0, 0, HOURS(6), 0, MINUTES(15), 1, 0, { 0.99, 6, MINUTES(30), 10 }, RUNBOOK("error_budget") },
    { TEXT("error_budget_slow"), ALERT_ERROR_RATE, ALERT_WARNING, 0, 0, HOURS(72), 0, HOURS(1), 1, 0, { 0.99, 1, HOURS(6), 20 }, RUNBOOK("error_budget") },
    { TEXT("calibration_drift"), ALERT_CALIBRATION, ALERT_WARNING, 0.10, 0.08, HOURS(24), MINUTES(10), HOURS(1), 200, 0, NO_BURN, RUNBOOK("calibration_drift") },
    { TEXT("unpriced_calls"), ALERT_UNPRICED, ALERT_WARNING, 0, 0, MINUTES(10), 0, MINUTES(30), 1, 0, NO_BURN, RUNBOOK("unpriced_calls") },
    { TEXT("dead_letters"), ALERT_DEAD_LETTERS, ALERT_WARNING, 0, 0, MINUTES(10), 0, MINUTES(30), 1, 0, NO_BURN, RUNBOOK("dead_letters") },
};
/* clang-format on */

const struct alert_metric_info *alert_metric_info(enum alert_metric m)
{
    return &metrics[m];
}

bool alert_metric_find(str name, enum alert_metric *out)
{
    for (size_t i = 0; i < ALERT_METRIC_COUNT; i++) {
        if (!str_eq(name, str_from(metrics[i].name)))
            continue;
        *out = (enum alert_metric)i;
        return true;
    }
    return false;
}

const char *alert_severity_name(enum alert_severity s)
{
    return severities[s];
}

bool alert_severity_find(str name, enum alert_severity *out)
{
    for (size_t i = 0; i < ALERT_SEVERITY_COUNT; i++) {
        if (!str_eq(name, str_from(severities[i])))
            continue;
        *out = (enum alert_severity)i;
        return true;
    }
    return false;
}

const char *alert_state_name(enum alert_state s)
{
    return states[s];
}

const struct alert_rule *alert_rules_default(size_t *out_count)
{
    *out_count = ARRAY_LEN(defaults);
    return defaults;
}

static bool is_name(str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'))
            return false;
    }
    return s.len > 0 && s.len < ALERT_NAME_MAX;
}

static const char *burn_fault(const struct alert_rule *r)
{
    const struct alert_burn *b = &r->burn;

    if (r->metric != ALERT_ERROR_RATE)
        return "a burn rate is one of error_rate";
    if (!(b->objective > 0.0 && b->objective < 1.0))
        return "the objective must lie between 0 and 1";
    if (!(b->factor > 0.0) || !isfinite(b->factor))
        return "the factor must be a number above 0";
    if (b->factor * (1.0 - b->objective) >= 1.0)
        return "it can never fire: the factor asks for more failures than there are queries";
    if (b->short_window <= 0 || b->short_window >= r->window)
        return "the short window must be shorter than the long one and above 0";
    return NULL;
}

const char *alert_rule_fault(const struct alert_rule *r)
{
    bool is_below = metrics[r->metric].side == ALERT_BELOW;
    bool is_ratio = metrics[r->metric].unit == ALERT_UNIT_RATIO;

    if (!is_name(r->name))
        return "a name is lower-case letters, digits and _, at most 63 of them";
    if (r->window <= 0)
        return "the window must be longer than nothing";
    if (r->pending < 0 || r->keep_firing < 0)
        return "times cannot be negative";
    if (r->burn.objective != 0.0)
        return burn_fault(r);
    if (!isfinite(r->threshold) || !isfinite(r->clear) || r->threshold < 0.0)
        return "the threshold must be a number of at least 0";
    if (is_below ? r->clear < r->threshold : r->clear > r->threshold)
        return "the level that ends it lies on the bad side of the threshold";
    if (is_ratio && (is_below ? r->threshold <= 0.0 : r->threshold >= 1.0))
        return "it can never fire: no rate is beyond this threshold";
    if (is_ratio && (r->clear > 1.0 || r->clear < 0.0))
        return "it can never end: no rate reaches the level that ends it";
    return NULL;
}

struct alert_policy alert_policy_default(void)
{
    struct alert_policy policy = { .group_wait = 30 * NSEC_PER_SEC,
                                   .group_interval = MINUTES(5),
                                   .repeat_interval = HOURS(4) };

    policy.rules = alert_rules_default(&policy.rule_count);
    return policy;
}
