/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kpi: the key figures against their targets. A figure that stands for more than the days themselves (a mean, a rate, a percentile) has shown
 * its target when its whole interval is on the right side of it, and missed it when all of it is on the other; a figure that is a
 * count of what happened needs no interval.
 */
#include "app/report/daily_internal.h"

#include <math.h>

#include "edge/config/config.h"

#define MEAN_N_MIN 30 /* below it the normal interval of a mean says too little */
#define BUCKET_ERROR 0.0109 /* of a percentile from a histogram of scale 5 */
#define DAYS_OF_A_MONTH 30.0

static const char *const verdict_names[] = {
    [VERDICT_NOT_MEASURED] = "not measured",
    [VERDICT_SHOWN] = "shown",
    [VERDICT_NOT_SHOWN] = "not shown",
    [VERDICT_MISSED] = "missed",
};

const char *daily_verdict_name(enum daily_verdict verdict)
{
    return verdict_names[verdict];
}

const char *daily_unit_name(enum daily_unit unit)
{
    static const char *const names[] = {
        [UNIT_USD] = "usd", [UNIT_SHARE] = "share", [UNIT_SCORE] = "score",
        [UNIT_MS] = "ms",   [UNIT_COUNT] = "count",
    };

    return names[unit];
}

void daily_figure_write(struct buf *out, enum daily_unit unit, double value)
{
    switch (unit) {
    case UNIT_USD:
        buf_printf(out, fabs(value) < 1 ? "$%.6f" : "$%.2f", value);
        return;
    case UNIT_SHARE:
        buf_printf(out, "%.1f%%", 100 * value);
        return;
    case UNIT_SCORE:
        buf_printf(out, "%.3f", value);
        return;
    case UNIT_MS:
        buf_printf(out, "%.0f ms", value);
        return;
    case UNIT_COUNT:
        buf_printf(out, "%.15g", round(100 * value) / 100);
        return;
    }
}

/* ---- verdicts ---- */

static bool is_met(const struct daily_kpi *k, double value)
{
    if (k->is_floor)
        return value >= k->target;
    return k->is_strict ? value < k->target : value <= k->target;
}

static enum daily_verdict verdict_of(const struct daily_kpi *k)
{
    double worst = k->is_floor ? k->interval.lower : k->interval.upper;
    double best = k->is_floor ? k->interval.upper : k->interval.lower;

    if (!k->is_known)
        return VERDICT_NOT_MEASURED;
    if (k->is_count)
        return is_met(k, k->actual) ? VERDICT_SHOWN : VERDICT_MISSED;
    if (!k->has_interval)
        return VERDICT_NOT_SHOWN;
    if (is_met(k, worst))
        return VERDICT_SHOWN;
    return is_met(k, best) ? VERDICT_NOT_SHOWN : VERDICT_MISSED;
}

/* ---- means, rates, percentiles ---- */

/* Of one look at finished days: the mean and its normal interval. */
static void mean_set(struct daily_kpi *k, const struct moments *m)
{
    double half = stats_normal_quantile(1 - DAILY_ALPHA / 2) *
                  sqrt(moments_variance(m) / (double)(m->n > 0 ? m->n : 1));

    k->n = m->n;
    k->is_known = m->n > 0;
    k->actual = moments_mean(m);
    k->has_interval = m->n >= MEAN_N_MIN;
    k->interval = (struct interval){ k->actual, k->actual - half, k->actual + half };
}

static void rate_set(struct daily_kpi *k, const struct daily_rate *r)
{
    k->n = r->n;
    k->is_known = r->n > 0;
    k->actual = r->interval.estimate;
    k->has_interval = true;
    k->interval = r->interval;
}

/* By order statistics: the ranks around the share that the true percentile's lies between, each as far as its bucket leaves open. */
static void percentile_set(struct daily_kpi *k, const struct histogram *h, double share)
{
    double reach = stats_normal_quantile(1 - DAILY_ALPHA / 2) *
                   sqrt(share * (1 - share) / (double)(h->n > 0 ? h->n : 1));
    struct quantile q = histogram_quantile(h, share);

    k->n = (int64_t)h->n;
    k->is_known = h->n > 0;
    k->actual = q.value / 1000;
    k->has_interval = !q.is_maximum && share + reach < 1;
    if (k->has_interval)
        k->interval = (struct interval){
            k->actual, histogram_quantile(h, share - reach).value / 1000 * (1 - BUCKET_ERROR),
            histogram_quantile(h, share + reach).value / 1000 * (1 + BUCKET_ERROR)
        };
}

static void count_set(struct daily_kpi *k, double value, int64_t n)
{
    k->is_known = true;
    k->is_count = true;
    k->actual = value;
    k->n = n;
}

/* ---- each figure ---- */

static void set_cost(const struct daily *d, struct daily_kpi *k)
{
    mean_set(k, &d->ledger->total.priced);
    if (d->ledger->total.priced.n < d->ledger->total.queries)
        k->note = "of the queries whose every call is priced";
}

static void set_success(const struct daily *d, struct daily_kpi *k)
{
    rate_set(k, &d->success);
}

static void set_hrm(const struct daily *d, struct daily_kpi *k)
{
    mean_set(k, &d->ledger->total.hrm);
    k->note = daily_confidence_label(d);
}

static void set_trm(const struct daily *d, struct daily_kpi *k)
{
    mean_set(k, &d->ledger->total.trm);
    k->note = daily_confidence_label(d);
}

static void set_latency(const struct daily *d, struct daily_kpi *k)
{
    percentile_set(k, d->ledger->total.latency, 0.95);
}

/* The arms' measured savings together, at the pace of these days. */
static void set_savings(const struct daily *d, struct daily_kpi *k)
{
    double pace = DAYS_OF_A_MONTH / (double)d->day.days;

    k->note = d->measures_count > 0 ? "too little data to decide" : "no control traffic";
    for (size_t i = 0; i < d->measures_count; i++) {
        const struct daily_measure *m = &d->measures[i];
        double queries = (double)m->treated_dollars.n * pace;
        if (!m->saved.is_valid)
            continue;
        k->is_known = true;
        k->has_interval = true;
        k->n += m->treated_dollars.n;
        k->interval.lower += m->saved.diff.lower * queries;
        k->interval.upper += m->saved.diff.upper * queries;
        k->interval.estimate += m->saved.diff.estimate * queries;
        k->note = d->day.is_over ? "measured; 30 days at this pace"
                                 : "measured; 30 days at the pace so far";
    }
    k->actual = k->interval.estimate;
}

static bool domain_is_validated(const struct config *config, str domain)
{
    const struct config_texts *domains = &config->report.validated_domains;

    for (size_t i = 0; i < domains->count; i++) {
        if (str_eq(domains->items[i], domain))
            return true;
    }
    return domains->count == 0;
}

static void set_model(const struct daily *d, struct daily_kpi *k)
{
    int64_t ours = 0, all = 0;

    for (size_t i = 0; i < d->ledger->pairs_count; i++) {
        const struct report_pair *pair = &d->ledger->pairs[i];
        if (!domain_is_validated(d->config, pair->domain))
            continue;
        all += pair->succeeded;
        ours += str_eq(pair->model, d->config->model) ? pair->succeeded : 0;
    }
    if (all > 0)
        count_set(k, (double)ours / (double)all, all);
    k->note = d->config->report.validated_domains.count > 0 ? "of answers in validated domains"
                                                            : "of all answers";
}

static void set_search(const struct daily *d, struct daily_kpi *k)
{
    const struct report_parts *strategies = &d->ledger->parts[REPORT_STRATEGY];
    int64_t searched = 0, all = d->ledger->total.queries;

    for (size_t i = 0; i < strategies->count; i++) {
        str name = strategies->items[i].name;
        if (str_eq(name, STR("mcts")) || str_eq(name, STR("full_stack")))
            searched += strategies->items[i].queries;
    }
    if (all > 0)
        count_set(k, (double)searched / (double)all, all);
    k->note = "strategies mcts and full_stack";
}

static void set_alerts(const struct daily *d, struct daily_kpi *k)
{
    k->note = "no weir watched here";
    if (!d->activity.is_known)
        return;
    count_set(k, (double)d->activity.alerts / (double)d->day.days, d->activity.alerts);
    k->note = "that began to fire";
}

static void set_dashboard(const struct daily *d, struct daily_kpi *k)
{
    k->target = (double)d->day.days;
    k->note = "no session is recorded";
    if (!d->activity.has_sessions)
        return;
    count_set(k, (double)d->activity.session_days, d->day.days);
    k->note = "days with a session";
}

/* ---- the table ---- */

struct row {
    const char *key, *title;
    enum daily_unit unit;
    bool is_primary, is_floor, is_strict;
    void (*set)(const struct daily *d, struct daily_kpi *k);
};

static const struct row rows[DAILY_KPIS] = {
    { "cost_per_query", "Cost per Query", UNIT_USD, true, false, false, set_cost },
    { "success_rate", "Success Rate", UNIT_SHARE, true, true, false, set_success },
    { "hrm_confidence", "HRM Confidence", UNIT_SCORE, true, true, false, set_hrm },
    { "trm_confidence", "TRM Confidence", UNIT_SCORE, true, true, false, set_trm },
    { "latency_p95", "Latency p95", UNIT_MS, true, false, true, set_latency },
    { "monthly_savings", "Monthly Savings", UNIT_USD, true, true, false, set_savings },
    { "model_share", "Model Distribution", UNIT_SHARE, false, true, false, set_model },
    { "mcts_share", "MCTS Usage", UNIT_SHARE, false, false, true, set_search },
    { "alerts_per_day", "Alerts a Day", UNIT_COUNT, false, false, true, set_alerts },
    { "dashboard_days", "Days with the Dashboard", UNIT_COUNT, false, true, false, set_dashboard },
};

static double target_of(const struct config *config, size_t row)
{
    const double targets[DAILY_KPIS] = {
        (double)config->report.cost_per_query / (double)NANO_PER_USD,
        config->report.success_rate,
        config->report.hrm_confidence,
        config->report.trm_confidence,
        config->report.latency_p95_ms,
        (double)config->report.monthly_savings / (double)NANO_PER_USD,
        config->report.model_share,
        config->report.mcts_share,
        config->report.alerts_per_day,
        1, /* each day; set_dashboard() knows how many these are */
    };

    return targets[row];
}

void daily_kpis_make(struct daily *d)
{
    for (size_t i = 0; d->config && i < DAILY_KPIS; i++) {
        struct daily_kpi *k = &d->kpis[d->kpis_count++];
        *k = (struct daily_kpi){ .key = rows[i].key,
                                 .title = rows[i].title,
                                 .unit = rows[i].unit,
                                 .is_primary = rows[i].is_primary,
                                 .is_floor = rows[i].is_floor,
                                 .is_strict = rows[i].is_strict,
                                 .target = target_of(d->config, i),
                                 .note = "" };
        rows[i].set(d, k);
        k->verdict = verdict_of(k);
    }
}
