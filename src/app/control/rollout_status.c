/* SPDX-License-Identifier: Apache-2.0 */
/* rollout_status: a rollout as JSON, with every guard's evidence against what it takes to trip. */
#include "app/control/control_internal.h"

#include <math.h>
#include <stdio.h>

/* ---- guards ---- */

/* In the unit of files: a part of 1, US dollars, milliseconds. */
static double to_file_unit(enum change_metric metric, double value)
{
    if (metric == CHANGE_COST_PER_QUERY)
        return value / (double)NANO_PER_USD;
    return metric == CHANGE_LATENCY_P95 ? value / (double)NSEC_PER_MS : value;
}

static const char *unit_of(enum change_metric metric)
{
    if (metric == CHANGE_COST_PER_QUERY)
        return "usd";
    return metric == CHANGE_LATENCY_P95 ? "share over trip" : change_metric_info(metric)->unit;
}

static void limit_words(enum change_metric metric, double limit, struct buf *out)
{
    double value = to_file_unit(metric, limit);

    if (metric == CHANGE_COST_PER_QUERY)
        buf_printf(out, "$%.4g", value);
    else if (metric == CHANGE_LATENCY_P95)
        buf_printf(out, "%.10g ms", value);
    else
        buf_printf(out, "%.4g", value);
}

/* "trips if …": what it watches, and how much evidence it wants. */
static void trips_write(const struct guard_spec *spec, double needed, struct buf *out)
{
    struct buf words = { 0 };
    const struct change_metric_info *info = change_metric_info(spec->metric);

    buf_printf(&words, "%s %s ", info->name, info->is_floor ? "below" : "above");
    limit_words(spec->metric, spec->trip, &words);
    buf_printf(&words, " at log E >= %.2f", needed);
    if (spec->is_compared)
        buf_printf(&words, ", or worse than the control by more than %.4g", spec->margin);
    if (spec->advance != 0) {
        buf_add(&words, STR("; advances when it is shown to keep "));
        limit_words(spec->metric, spec->advance, &words);
    }
    if (spec->is_dry_run)
        buf_add(&words, STR("; a dry run, it never acts"));
    json_member_str(out, "trips_if", buf_str(&words));
    buf_fini(&words);
}

/* The value's interval is in nano-dollars of costs; of latency a share already. */
static void number_write(struct buf *out, const char *name, enum change_metric metric, double value)
{
    double shown = metric == CHANGE_COST_PER_QUERY ? to_file_unit(metric, value) : value;

    json_key(out, name);
    json_write_double(out, isfinite(shown) ? shown : NAN);
}

static void guard_write(const struct rollout *r, size_t i, struct buf *out)
{
    const struct guard_spec *spec = &r->plan.specs[i];
    double needed = log(r->plan.options.phases / r->plan.options.alpha_trip);
    struct guard_evidence e;

    guard_read(&r->plan, &r->sums, i, &e);
    buf_add_char(out, '{');
    json_member_str(out, "name", str_from(change_metric_info(spec->metric)->name));
    json_member_str(out, "unit", str_from(unit_of(spec->metric)));
    json_member_str(out, "verdict", str_from(guard_verdict_name(e.verdict)));
    json_member_i64(out, "n", e.n);
    json_member_i64(out, "missing", e.missing);
    number_write(out, "estimate", spec->metric, e.value.estimate);
    number_write(out, "lower", spec->metric, e.value.lower);
    number_write(out, "upper", spec->metric, e.value.upper);
    json_member_double(out, "warn", to_file_unit(spec->metric, spec->warn));
    json_member_double(out, "trip", to_file_unit(spec->metric, spec->trip));
    json_member_double(out, "log_e", e.log_e);
    json_member_double(out, "log_e_trips", needed);
    json_member_double(out, "log_e_shown", e.log_e_shown);
    json_member_bool(out, "shown", e.is_shown);
    json_member_bool(out, "dry_run", e.is_dry_run);
    json_member_i64(out, "control_n", e.control_n);
    number_write(out, "control", spec->metric, e.control_value);
    trips_write(spec, needed, out);
    buf_add_char(out, '}');
}

/* ---- arms ---- */

static void arm_write(const struct live_rollout *l, const struct rollout_snapshot *s,
                      enum rollout_arm arm, struct buf *out)
{
    const struct rollout *r = &l->machine;
    uint32_t compared = SHARE_WHOLE - s->control_from;
    uint32_t share = arm == ARM_CANARY     ? s->canary_to
                     : arm == ARM_BASELINE ? s->control_from - s->canary_to
                                           : compared;
    const struct arm_sums *sums = &r->sums.arms[arm == ARM_CANARY ? SIDE_CANARY : SIDE_CONTROL];

    buf_add_char(out, '{');
    json_member_str(out, "name", str_from(rollout_arm_name(arm)));
    json_member_str(out, "label", str_from(l->labels[arm]));
    json_member_double(out, "share", (double)share / SHARE_WHOLE);
    json_member_i64(out, "units", r->exposures[arm]);
    if (arm != ARM_BASELINE) {
        json_member_i64(out, "n", sums->outcomes);
        json_member_i64(out, "cached", sums->cached);
    }
    buf_add_char(out, '}');
}

static void arms_write(const struct live_rollout *l, struct buf *out)
{
    struct rollout_snapshot s;

    rollout_snapshot(&l->machine, &s);
    json_key(out, "arms");
    buf_add_char(out, '[');
    for (size_t i = 0; i < ROLLOUT_ARM_COUNT; i++) {
        enum rollout_arm arm = (enum rollout_arm)i;
        if (arm == (s.is_baking ? ARM_CONTROL : ARM_HOLDBACK))
            continue;
        json_comma(out);
        arm_write(l, &s, arm, out);
    }
    buf_add_char(out, ']');
}

/* ---- the whole ---- */

str rollout_holds(const struct controller *c, const struct live_rollout *l)
{
    return str_from(l->is_outrun || c->is_outrun ? "outrun" : rollout_hold_name(l->last.hold));
}

void rollout_status_write(const struct controller *c, const struct live_rollout *l, struct buf *out)
{
    const struct rollout *r = &l->machine;
    const struct rollout_step *step = &r->spec->steps[r->place.step];
    char hash[24];

    buf_add_char(out, '{');
    json_member_str(out, "name", r->spec->id);
    json_member_str(out, "state", str_from(rollout_state_name(r->place.state)));
    json_member_i64(out, "step", (int64_t)r->place.step + 1);
    json_member_i64(out, "steps", (int64_t)r->spec->step_count);
    json_member_i64(out, "generation", r->generation);
    json_member_i64(out, "attempt", r->attempt);
    json_member_i64(out, "sequence", r->sequence);
    json_member_str(out, "reason", str_from(rollout_reason_name(r->reason)));
    json_member_str(out, "reason_text", str_from(rollout_reason_text(r->reason)));
    json_member_str(out, "holds", rollout_holds(c, l));
    json_member_str(out, "file", l->file->path);
    snprintf(hash, sizeof(hash), "%016" PRIx64, c->options.config->hash);
    json_member_str(out, "revision_before", str_from(hash));
    snprintf(hash, sizeof(hash), "%016" PRIx64, l->file->canary ? l->file->canary->hash : 0);
    json_member_str(out, "revision_after", str_from(hash));
    json_member_bool(out, "canary_loaded", l->canary != NULL);
    json_member_double(out, "watched_seconds", (double)r->watched_us / 1e6);
    json_member_double(out, "step_min_seconds", (double)step->time_min_us / 1e6);
    json_member_double(out, "step_max_seconds", (double)step->time_max_us / 1e6);
    json_member_i64(out, "step_n_min", step->n_min);
    json_member_i64(out, "late", r->late);
    json_member_i64(out, "gone", (int64_t)l->gone);
    json_member_i64(out, "dropped", (int64_t)c->dropped_told);
    json_member_bool(out, "suspended", l->is_suspended);
    arms_write(l, out);
    json_key(out, "guards");
    buf_add_char(out, '[');
    for (size_t i = 0; i < r->plan.count; i++) {
        json_comma(out);
        guard_write(r, i, out);
    }
    buf_add(out, STR("]}"));
}
