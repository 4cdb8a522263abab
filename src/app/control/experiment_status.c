/* SPDX-License-Identifier: Apache-2.0 */
/*
 * experiment_status: what an experiment shows, at any time: arms, differences, the sample ratio, and how its shares came about.
 *
 * Of an experiment with several epochs, means and differences are those of strata (see stats.h), never of pooled values.
 */
#include "app/control/control_internal.h"

#include <math.h>

#define ALPHA 0.05

static const struct compare_options compare_options = { .alpha = ALPHA };

static void interval_write(struct buf *out, const char *name, struct interval v)
{
    json_key(out, name);
    buf_add_char(out, '{');
    json_member_double(out, "estimate", v.estimate);
    json_member_double(out, "lower", v.lower);
    json_member_double(out, "upper", v.upper);
    buf_add_char(out, '}');
}

static struct interval success_of(const struct live_experiment *x, size_t arm)
{
    struct moments cells[EXPERIMENT_CELLS_MAX];
    const struct strata seen = experiment_strata(x, EXPERIMENT_SUCCESS_RATE, cells);

    if (seen.count == 1)
        return stats_rate_sequence((int64_t)cells[arm].sum, cells[arm].n, 100, ALPHA);
    struct interval v = stats_strata_mean(&seen, arm, &compare_options);
    return (struct interval){ v.estimate, fmax(v.lower, 0), fmin(v.upper, 1) };
}

/* NAN without a value. */
static double mean_of(const struct live_experiment *x, size_t arm, enum experiment_measure measure)
{
    struct moments cells[EXPERIMENT_CELLS_MAX];
    const struct strata seen = experiment_strata(x, measure, cells);
    struct arm_moments m;

    stats_strata_arm(&seen, arm, &m);
    return m.n > 0 ? m.mean : NAN;
}

static void arm_status(const struct live_experiment *x, size_t i, struct buf *out)
{
    const struct experiment_epoch *newest = &x->epochs[x->epoch_count - 1];
    int64_t units = 0, n = 0, errors = 0;

    for (size_t k = 0; k < x->epoch_count; k++) {
        units += x->epochs[k].arms[i].exposures;
        n += x->epochs[k].arms[i].outcomes;
        errors += x->epochs[k].arms[i].errors;
    }
    buf_add_char(out, '{');
    json_member_str(out, "name", x->file->experiment.arms[i].name);
    json_member_str(out, "label", str_from(x->labels[i]));
    json_member_double(out, "share", (double)newest->shares[i] / SHARE_WHOLE);
    json_member_i64(out, "units", units);
    json_member_i64(out, "n", n);
    json_member_i64(out, "errors", errors);
    interval_write(out, "success_rate", success_of(x, i));
    for (enum experiment_measure m = EXPERIMENT_COST_USD; m < EXPERIMENT_MEASURE_COUNT; m++)
        json_member_double(out, experiment_measure_info(m)->name, mean_of(x, i, m));
    buf_add_char(out, '}');
}

static void arms_write(const struct live_experiment *x, struct buf *out)
{
    json_key(out, "arms");
    for (size_t i = 0; i < x->file->experiment.arm_count; i++) {
        buf_add_char(out, i == 0 ? '[' : ',');
        arm_status(x, i, out);
    }
    buf_add_char(out, ']');
}

/* ---- differences ---- */

static const char *verdict_of(const struct comparison *d, bool less_is_better)
{
    bool is_above = d->is_valid && d->diff.lower > 0, is_below = d->is_valid && d->diff.upper < 0;

    if (!is_above && !is_below)
        return stats_verdict_name(STATS_INCONCLUSIVE);
    return stats_verdict_name(is_above == less_is_better ? STATS_INFERIOR : STATS_SUPERIOR);
}

static void comparison_write(const struct live_experiment *x, size_t arm,
                             enum experiment_measure measure, struct buf *out)
{
    const struct experiment_measure_info *info = experiment_measure_info(measure);
    struct moments cells[EXPERIMENT_CELLS_MAX];
    const struct strata seen = experiment_strata(x, measure, cells);
    struct comparison d = stats_strata_compare(&seen, 0, arm, &compare_options);

    buf_add_char(out, '{');
    json_member_str(out, "arm", x->file->experiment.arms[arm].name);
    json_member_str(out, "metric", str_from(info->name));
    json_member_double(out, "diff", d.diff.estimate);
    json_member_double(out, "lower", d.diff.lower);
    json_member_double(out, "upper", d.diff.upper);
    json_member_double(out, "p", d.p);
    json_member_str(out, "verdict", str_from(verdict_of(&d, info->less_is_better)));
    buf_add_char(out, '}');
}

static void comparisons_write(const struct live_experiment *x, struct buf *out)
{
    json_key(out, "comparisons");
    buf_add_char(out, '[');
    for (size_t arm = 1; arm < x->file->experiment.arm_count; arm++) {
        for (enum experiment_measure m = 0; m < EXPERIMENT_MEASURE_COUNT; m++) {
            json_comma(out);
            comparison_write(x, arm, m, out);
        }
    }
    buf_add_char(out, ']');
}

/* ---- the split ---- */

/* Each epoch's split against its own shares. A Bayes factor is a fair bet's wealth, and so is the product of several one after another. */
double experiment_srm(const struct live_experiment *x)
{
    double weights[EXPERIMENT_ARMS_MAX], log_bayes = 0;
    int64_t counts[EXPERIMENT_ARMS_MAX];
    size_t n = x->file->experiment.arm_count;

    for (size_t k = 0; k < x->epoch_count; k++) {
        for (size_t i = 0; i < n; i++) {
            weights[i] = x->epochs[k].shares[i];
            counts[i] = x->epochs[k].arms[i].exposures;
        }
        log_bayes += stats_srm_log_bayes(weights, counts, n);
    }
    return log_bayes;
}

static void srm_write(const struct live_experiment *x, struct buf *out)
{
    double log_bayes = experiment_srm(x);

    json_key(out, "srm");
    buf_add_char(out, '{');
    json_member_double(out, "log_bayes", log_bayes);
    json_member_double(out, "alarm_at", STATS_SRM_ALARM);
    json_member_bool(out, "alarm", log_bayes >= STATS_SRM_ALARM);
    buf_add_char(out, '}');
}

/* ---- the shares ---- */

static void epoch_status(const struct live_experiment *x, size_t k, struct buf *out)
{
    const struct experiment_epoch *epoch = &x->epochs[k];

    buf_add_char(out, '{');
    json_member_i64(out, "epoch", (int64_t)k);
    json_member_i64(out, "began_us", epoch->began);
    json_key(out, "arms");
    for (size_t i = 0; i < x->file->experiment.arm_count; i++) {
        buf_add(out, i == 0 ? STR("[{") : STR(",{"));
        json_member_str(out, "name", x->file->experiment.arms[i].name);
        json_member_double(out, "share", (double)epoch->shares[i] / SHARE_WHOLE);
        json_member_i64(out, "units", epoch->arms[i].exposures);
        json_member_i64(out, "n", epoch->arms[i].outcomes);
        buf_add_char(out, '}');
    }
    buf_add(out, STR("]}"));
}

static void stop_write(const struct live_experiment *x, struct buf *out)
{
    struct buf words = { 0 };

    json_key(out, "stop");
    if (!x->best.is_known) {
        buf_add(out, STR("null"));
        return;
    }
    experiment_best_print(x, &words);
    buf_add_char(out, '{');
    json_member_str(out, "arm", x->file->experiment.arms[x->best.arm].name);
    json_member_i64(out, "at_us", x->best.at);
    json_member_str(out, "text", buf_str(&words));
    buf_add_char(out, '}');
    buf_fini(&words);
}

static void allocation_write(const struct live_experiment *x, struct buf *out)
{
    const struct experiment_tracking *t = &x->file->experiment.tracking;

    json_key(out, "allocation");
    buf_add_char(out, '{');
    json_member_str(out, "kind", t->is_on ? STR("track_and_stop") : STR("fixed"));
    if (t->is_on) {
        json_member_str(out, "metric", str_from(experiment_measure_info(t->measure)->name));
        json_member_double(out, "epsilon", t->epsilon);
        json_member_double(out, "delta", t->delta);
        json_member_double(out, "floor", t->floor);
        json_member_double(out, "every_seconds", (double)t->every / (double)NSEC_PER_SEC);
        stop_write(x, out);
        json_key(out, "epochs");
        for (size_t k = 0; k < x->epoch_count; k++) {
            buf_add_char(out, k == 0 ? '[' : ',');
            epoch_status(x, k, out);
        }
        buf_add_char(out, ']');
    }
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
    arms_write(x, out);
    comparisons_write(x, out);
    srm_write(x, out);
    allocation_write(x, out);
    buf_add_char(out, '}');
}
