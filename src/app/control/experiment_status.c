/* SPDX-License-Identifier: Apache-2.0 */
/* experiment_status: what an experiment shows so far, valid at every look, as JSON. */
#include "app/control/control_internal.h"

#include <math.h>

#define ALPHA 0.05

static void interval_write(struct buf *out, const char *name, struct interval v)
{
    json_key(out, name);
    buf_add_char(out, '{');
    json_member_double(out, "estimate", v.estimate);
    json_member_double(out, "lower", v.lower);
    json_member_double(out, "upper", v.upper);
    buf_add_char(out, '}');
}

static void arm_status(const struct live_experiment *x, size_t i, struct buf *out)
{
    const struct arm_counts *arm = &x->arms[i];
    int64_t right = (int64_t)arm->success.sum;

    buf_add_char(out, '{');
    json_member_str(out, "name", x->file->experiment.arms[i].name);
    json_member_str(out, "label", str_from(x->labels[i]));
    json_member_double(out, "share", (double)x->file->experiment.arms[i].share / SHARE_WHOLE);
    json_member_i64(out, "units", arm->exposures);
    json_member_i64(out, "n", arm->outcomes);
    json_member_i64(out, "errors", arm->errors);
    interval_write(out, "success_rate", stats_rate_sequence(right, arm->outcomes, 100, ALPHA));
    json_member_double(out, "cost_usd", arm->cost.n > 0 ? moments_mean(&arm->cost) : NAN);
    json_member_double(out, "latency_ms", arm->latency.n > 0 ? moments_mean(&arm->latency) : NAN);
    json_member_double(out, "hrm_confidence", arm->hrm.n > 0 ? moments_mean(&arm->hrm) : NAN);
    json_member_double(out, "trm_confidence", arm->trm.n > 0 ? moments_mean(&arm->trm) : NAN);
    buf_add_char(out, '}');
}

/* The names of what is compared, in the order of experiment_moments(), and which direction is good. */
static const struct {
    const char *name;
    bool less_is_better;
} compared[EXPERIMENT_METRICS] = {
    { "success_rate", false },   { "cost_usd", true },        { "latency_ms", true },
    { "hrm_confidence", false }, { "trm_confidence", false },
};

static const char *verdict_of(const struct comparison *d, bool less_is_better)
{
    bool is_above = d->is_valid && d->diff.lower > 0, is_below = d->is_valid && d->diff.upper < 0;

    if (!is_above && !is_below)
        return stats_verdict_name(STATS_INCONCLUSIVE);
    return stats_verdict_name(is_above == less_is_better ? STATS_INFERIOR : STATS_SUPERIOR);
}

static void comparison_write(const struct live_experiment *x, size_t arm, size_t row,
                             struct buf *out)
{
    const struct compare_options options = { .alpha = ALPHA };
    struct comparison d = stats_compare(experiment_moments(&x->arms[0], row),
                                        experiment_moments(&x->arms[arm], row), &options);

    buf_add_char(out, '{');
    json_member_str(out, "arm", x->file->experiment.arms[arm].name);
    json_member_str(out, "metric", str_from(compared[row].name));
    json_member_double(out, "diff", d.diff.estimate);
    json_member_double(out, "lower", d.diff.lower);
    json_member_double(out, "upper", d.diff.upper);
    json_member_double(out, "p", d.p);
    json_member_str(out, "verdict", str_from(verdict_of(&d, compared[row].less_is_better)));
    buf_add_char(out, '}');
}

static void comparisons_write(const struct live_experiment *x, struct buf *out)
{
    json_key(out, "comparisons");
    buf_add_char(out, '[');
    for (size_t arm = 1; arm < x->file->experiment.arm_count; arm++) {
        for (size_t row = 0; row < EXPERIMENT_METRICS; row++) {
            if (arm > 1 || row > 0)
                buf_add_char(out, ',');
            comparison_write(x, arm, row, out);
        }
    }
    buf_add_char(out, ']');
}

static void srm_write(const struct live_experiment *x, struct buf *out)
{
    double weights[EXPERIMENT_ARMS_MAX];
    int64_t counts[EXPERIMENT_ARMS_MAX];
    size_t n = x->file->experiment.arm_count;

    for (size_t i = 0; i < n; i++) {
        weights[i] = x->file->experiment.arms[i].share;
        counts[i] = x->arms[i].exposures;
    }
    double log_bayes = stats_srm_log_bayes(weights, counts, n);
    json_key(out, "srm");
    buf_add_char(out, '{');
    json_member_double(out, "log_bayes", log_bayes);
    json_member_double(out, "alarm_at", STATS_SRM_ALARM);
    json_member_bool(out, "alarm", log_bayes >= STATS_SRM_ALARM);
    buf_add_char(out, '}');
}

void experiment_status_write(const struct live_experiment *x, struct buf *out)
{
    buf_add_char(out, '{');
    json_member_str(out, "name", x->file->experiment.id);
    json_member_str(out, "state", x->is_running ? STR("running") : STR("stopped"));
    json_member_i64(out, "generation", x->generation);
    json_member_i64(out, "started_us", x->started);
    json_member_i64(out, "stopped_us", x->stopped);
    json_member_str(out, "file", x->file->path);
    json_key(out, "arms");
    buf_add_char(out, '[');
    for (size_t i = 0; i < x->file->experiment.arm_count; i++) {
        if (i > 0)
            buf_add_char(out, ',');
        arm_status(x, i, out);
    }
    buf_add_char(out, ']');
    comparisons_write(x, out);
    srm_write(x, out);
    buf_add_char(out, '}');
}
