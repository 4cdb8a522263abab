/* SPDX-License-Identifier: Apache-2.0 */
/* experiment_results: what the arms' outcomes are, compared. */
#include <math.h>

#include "core/change/experiment.h"

/* ---- sums ---- */

/* The metric's value of one outcome; false when it has none. */
static bool value_of(enum change_metric metric, const struct outcome *o, double *out)
{
    switch (metric) {
    case CHANGE_SUCCESS_RATE:
        *out = o->is_success;
        return true;
    case CHANGE_ERROR_RATE:
        *out = o->is_error;
        return true;
    case CHANGE_HRM_CONFIDENCE_MEAN:
        *out = o->hrm_confidence;
        return o->hrm_confidence >= 0 && o->hrm_confidence <= 1;
    case CHANGE_TRM_CONFIDENCE_MEAN:
        *out = o->trm_confidence;
        return o->trm_confidence >= 0 && o->trm_confidence <= 1;
    case CHANGE_COST_PER_QUERY:
        *out = (double)o->cost;
        return o->cost >= 0;
    case CHANGE_LATENCY_P95:
        *out = o->latency > EXPERIMENT_LATENCY_LIMIT;
        return true;
    case CHANGE_METRIC_COUNT:
        break;
    }
    return false;
}

void experiment_expose(struct experiment_sums *sums, const struct experiment_assignment *a)
{
    if (a->arm != EXPERIMENT_ARM_NONE)
        sums->arms[a->arm].exposures++;
}

void experiment_observe(struct experiment_sums *sums, const struct experiment_assignment *a,
                        const struct outcome *outcome)
{
    double value;

    if (a->arm == EXPERIMENT_ARM_NONE)
        return;
    if (outcome->is_cached) {
        sums->arms[a->arm].cached++;
        return;
    }
    for (size_t m = 0; m < CHANGE_METRIC_COUNT; m++) {
        if (value_of((enum change_metric)m, outcome, &value))
            moments_add(&sums->arms[a->arm].metrics[m], value);
    }
}

void experiment_sums_merge(struct experiment_sums *sums, const struct experiment_sums *other)
{
    for (size_t i = 0; i < EXPERIMENT_ARMS_MAX; i++) {
        sums->arms[i].exposures += other->arms[i].exposures;
        sums->arms[i].cached += other->arms[i].cached;
        for (size_t m = 0; m < CHANGE_METRIC_COUNT; m++)
            moments_merge(&sums->arms[i].metrics[m], &other->arms[i].metrics[m]);
    }
}

/* ---- comparisons ---- */

/* 1 where more is better for people, -1 where less is. */
static double better(enum change_metric metric)
{
    return change_metric_info(metric)->is_floor ? 1 : -1;
}

static double srm_of(const struct experiment *e, const struct experiment_sums *sums)
{
    double weights[EXPERIMENT_ARMS_MAX];
    int64_t counts[EXPERIMENT_ARMS_MAX];

    for (size_t i = 0; i < e->arm_count; i++) {
        weights[i] = e->arms[i].share;
        counts[i] = sums->arms[i].exposures;
    }
    return stats_srm_log_bayes(weights, counts, e->arm_count);
}

static void cell_compare(const struct moments *control, const struct moments *arm,
                         enum change_metric metric, double alpha, struct experiment_comparison *out)
{
    struct compare_options options = { .alpha = alpha,
                                       .is_relative = metric == CHANGE_COST_PER_QUERY };
    struct comparison c = stats_compare(control, arm, &options);

    *out = (struct experiment_comparison){ .diff = c.diff,
                                           .p = c.p,
                                           .p_adjusted = c.p,
                                           .is_valid = c.is_valid,
                                           .verdict = STATS_INCONCLUSIVE };
}

/* Holm's adjustment of all comparisons that can be made, written back to where they came from. */
static void adjust(const struct experiment *e, struct experiment_results *out)
{
    struct experiment_comparison *all[EXPERIMENT_ARMS_MAX * CHANGE_METRIC_COUNT];
    double p[ARRAY_LEN(all)];
    size_t n = 0;

    for (size_t i = 1; i < e->arm_count; i++) {
        for (size_t m = 0; m < CHANGE_METRIC_COUNT; m++) {
            struct experiment_comparison *c = &out->cells[i][m].against_control;
            if (!c->is_valid)
                continue;
            p[n] = c->p;
            all[n++] = c;
        }
    }
    stats_holm(p, n);
    for (size_t i = 0; i < n; i++)
        all[i]->p_adjusted = p[i];
}

static enum stats_verdict verdict_of(const struct experiment_comparison *c,
                                     enum change_metric metric, double alpha)
{
    if (!c->is_valid || c->p_adjusted > alpha)
        return STATS_INCONCLUSIVE;
    return c->diff.estimate * better(metric) > 0 ? STATS_SUPERIOR : STATS_INFERIOR;
}

void experiment_results(const struct experiment *e, const struct experiment_sums *sums,
                        double alpha, struct experiment_results *out)
{
    *out = (struct experiment_results){ .srm_log_bayes = srm_of(e, sums) };
    out->is_trusted = out->srm_log_bayes < STATS_SRM_ALARM;
    for (size_t i = 0; i < e->arm_count; i++) {
        for (size_t m = 0; m < CHANGE_METRIC_COUNT; m++) {
            const struct moments *arm = &sums->arms[i].metrics[m];
            out->cells[i][m].n = arm->n;
            out->cells[i][m].mean = moments_mean(arm);
            if (i > 0)
                cell_compare(&sums->arms[0].metrics[m], arm, (enum change_metric)m, alpha,
                             &out->cells[i][m].against_control);
        }
    }
    adjust(e, out);
    for (size_t i = 1; i < e->arm_count && out->is_trusted; i++) {
        for (size_t m = 0; m < CHANGE_METRIC_COUNT; m++) {
            struct experiment_comparison *c = &out->cells[i][m].against_control;
            c->verdict = verdict_of(c, (enum change_metric)m, alpha);
        }
    }
}

/* ---- JSON ---- */

#define FORMAT_VERSION 1
#define COUNT_MAX (INT64_C(1) << 53)
#define SUM_MAX 1e300

static void arm_write(const struct experiment_arm_sums *arm, struct buf *out)
{
    buf_add_char(out, '{');
    json_member_i64(out, "exposures", arm->exposures);
    json_member_i64(out, "cached", arm->cached);
    for (size_t m = 0; m < CHANGE_METRIC_COUNT; m++) {
        json_key(out, change_metric_info((enum change_metric)m)->name);
        buf_printf(out, "[%" PRId64 ",", arm->metrics[m].n);
        json_write_double(out, arm->metrics[m].sum);
        buf_add_char(out, ',');
        json_write_double(out, arm->metrics[m].sum_squares);
        buf_add_char(out, ']');
    }
    buf_add_char(out, '}');
}

void experiment_sums_write(const struct experiment_sums *sums, size_t arm_count, struct buf *out)
{
    buf_add_char(out, '{');
    json_member_i64(out, "version", FORMAT_VERSION);
    json_key(out, "arms");
    for (size_t i = 0; i < arm_count; i++) {
        buf_add_char(out, i == 0 ? '[' : ',');
        arm_write(&sums->arms[i], out);
    }
    buf_add(out, STR("]}"));
}

static bool count_read(struct json v, int64_t *out)
{
    return json_i64(v, out) && *out >= 0 && *out <= COUNT_MAX;
}

static bool sum_read(struct json v, double *out)
{
    return json_double(v, out) && *out >= 0 && *out <= SUM_MAX;
}

static bool arm_read(struct json v, struct experiment_arm_sums *out)
{
    if (!count_read(json_get(v, STR("exposures")), &out->exposures) ||
        !count_read(json_get(v, STR("cached")), &out->cached))
        return false;
    for (size_t m = 0; m < CHANGE_METRIC_COUNT; m++) {
        struct json row = json_get(v, str_from(change_metric_info((enum change_metric)m)->name));
        if (!json_is(row, JSON_ARRAY) || json_count(row) != 3 ||
            !count_read(json_at(row, 0), &out->metrics[m].n) ||
            !sum_read(json_at(row, 1), &out->metrics[m].sum) ||
            !sum_read(json_at(row, 2), &out->metrics[m].sum_squares))
            return false;
    }
    return true;
}

enum err experiment_sums_read(struct json value, size_t arm_count, struct experiment_sums *out)
{
    struct json list = json_get(value, STR("arms"));
    struct experiment_sums sums = { .arms = { { .exposures = 0 } } };
    int64_t version;

    if (!json_i64(json_get(value, STR("version")), &version) || version != FORMAT_VERSION ||
        !json_is(list, JSON_ARRAY) || json_count(list) != arm_count ||
        arm_count > EXPERIMENT_ARMS_MAX)
        return CALLER_BAD_REQUEST;
    for (size_t i = 0; i < arm_count; i++) {
        if (!arm_read(json_at(list, i), &sums.arms[i]))
            return CALLER_BAD_REQUEST;
    }
    *out = sums;
    return OK;
}
