/* SPDX-License-Identifier: Apache-2.0 */
/* report: a rehearsal for people and for programs. */
#include <stdio.h>

#include "app/sim/rehearsal_internal.h"
#include "core/json/json.h"

/* ---- JSON ---- */

static void guards_write(struct buf *out, uint32_t bits)
{
    json_key(out, "guards");
    buf_add_char(out, '[');
    for (size_t m = 0; m < CHANGE_METRIC_COUNT; m++) {
        if (!(bits >> m & 1))
            continue;
        json_comma(out);
        json_write_str(out, str_from(change_metric_info((enum change_metric)m)->name));
    }
    buf_add_char(out, ']');
}

static void units_write(struct buf *out, const int64_t units[ROLLOUT_ARM_COUNT])
{
    json_key(out, "units");
    buf_add_char(out, '{');
    for (size_t a = 0; a < ROLLOUT_ARM_COUNT; a++)
        json_member_i64(out, rollout_arm_name((enum rollout_arm)a), units[a]);
    buf_add_char(out, '}');
}

static void run_write(struct buf *out, const struct rehearsal *r)
{
    char text[48];

    buf_add_char(out, '{');
    json_member_i64(out, "seed", (int64_t)r->seed);
    json_member_str(out, "outcome", rehearsal_outcome(r->end, r->reason, text));
    if (r->is_detected) {
        json_member_i64(out, "detected_after_queries", r->detected_after_queries);
        json_member_double(out, "detected_after_s", r->detected_after_s);
    } else {
        buf_add(out, STR(",\"detected_after_queries\":null,\"detected_after_s\":null"));
    }
    json_member_bool(out, "false_rollback", r->is_false_rollback);
    guards_write(out, r->guards);
    json_member_i64(out, "step", (int64_t)r->step + 1);
    json_member_i64(out, "queries", r->queries);
    json_member_i64(out, "canary_queries", r->canary_queries);
    units_write(out, r->units);
    json_member_double(out, "ended_s", r->ended_s);
    json_member_double(out, "extra_failures", r->extra_failures);
    json_member_double(out, "extra_usd", r->extra_usd);
    json_member_i64(out, "alerts", r->alert_count);
    buf_add_char(out, '}');
}

static void spread_write(struct buf *out, const char *name, const struct spread *s)
{
    json_key(out, name);
    buf_add_char(out, '{');
    json_member_i64(out, "n", (int64_t)s->n);
    json_member_double(out, "median", s->median);
    json_member_double(out, "p95", s->p95);
    buf_add_char(out, '}');
}

static void interval_write(struct buf *out, const char *name, struct interval v)
{
    json_key(out, name);
    buf_add_char(out, '{');
    json_member_double(out, "estimate", v.estimate);
    json_member_double(out, "lower", v.lower);
    json_member_double(out, "upper", v.upper);
    buf_add_char(out, '}');
}

static void outcomes_write(struct buf *out, const struct rehearsal_summary *s)
{
    char text[48];

    json_key(out, "outcomes");
    buf_add_char(out, '{');
    for (size_t e = 0; e < REHEARSAL_END_COUNT; e++) {
        str name = rehearsal_outcome((enum rehearsal_end)e, ROLLOUT_FOR_MANUAL, text);
        if (e != REHEARSAL_PAUSED && s->ends[e] > 0)
            json_member_i64(out, text, s->ends[e]);
        IGNORE(name.len > 0);
    }
    for (size_t r = 0; r < ROLLOUT_REASON_COUNT; r++) {
        str name = rehearsal_outcome(REHEARSAL_PAUSED, (enum rollout_reason)r, text);
        if (s->pauses[r] > 0)
            json_member_i64(out, text, s->pauses[r]);
        IGNORE(name.len > 0);
    }
    buf_add_char(out, '}');
}

static void counts_write(struct buf *out, const struct rehearsal_report *report)
{
    const struct rehearsal_summary *s = report->summary;
    struct alert_policy policy;

    IGNORE(rehearsal_policy(report->scenario, &policy));
    json_key(out, "guards");
    buf_add_char(out, '{');
    for (size_t m = 0; m < CHANGE_METRIC_COUNT; m++) {
        if (s->guards[m] > 0)
            json_member_i64(out, change_metric_info((enum change_metric)m)->name, s->guards[m]);
    }
    buf_add(out, STR("},\"alerts\":{"));
    for (size_t i = 0; i < policy.rule_count; i++) {
        if (s->alerts[i] == 0)
            continue;
        json_comma(out);
        json_write_str(out, policy.rules[i].name);
        buf_printf(out, ":%" PRId64, s->alerts[i]);
    }
    buf_add_char(out, '}');
}

static void summary_write(struct buf *out, const struct rehearsal_report *report)
{
    const struct rehearsal_summary *s = report->summary;

    json_key(out, "summary");
    buf_add_char(out, '{');
    json_member_i64(out, "n", (int64_t)s->n);
    outcomes_write(out, s);
    json_member_i64(out, "false_rollbacks", s->false_rollbacks);
    interval_write(out, "false_rollback_rate", s->false_rollback_rate);
    interval_write(out, "detected_rate", s->detected_rate);
    spread_write(out, "detected_after_queries", &s->detected_after_queries);
    spread_write(out, "detected_after_s", &s->detected_after_s);
    spread_write(out, "extra_failures", &s->extra_failures);
    spread_write(out, "extra_usd", &s->extra_usd);
    spread_write(out, "ended_s", &s->ended_s);
    spread_write(out, "canary_queries", &s->canary_queries);
    counts_write(out, report);
    buf_add_char(out, '}');
}

static bool all_met(const struct rehearsal_report *report)
{
    for (size_t i = 0; i < report->check_count; i++) {
        if (!report->checks[i].is_met)
            return false;
    }
    return true;
}

/* Whose recorded answers to how many questions; null without any. */
static void recorded_write(struct buf *out, const struct scenario *s)
{
    json_key(out, "recorded");
    if (s->recorded_questions == 0) {
        buf_add(out, STR("null"));
        return;
    }
    buf_add_char(out, '{');
    json_member_i64(out, "questions", (int64_t)s->recorded_questions);
    if (s->sources[SCENARIO_BASELINE].cell.len > 0)
        json_member_str(out, "baseline", s->sources[SCENARIO_BASELINE].cell);
    if (s->sources[SCENARIO_CANARY].cell.len > 0)
        json_member_str(out, "canary", s->sources[SCENARIO_CANARY].cell);
    buf_add_char(out, '}');
}

void rehearsal_write_json(struct buf *out, const struct rehearsal_report *report)
{
    buf_add_char(out, '{');
    json_member_str(out, "scenario", report->scenario->name);
    json_member_str(out, "file", report->scenario->path);
    recorded_write(out, report->scenario);
    json_key(out, "runs");
    buf_add_char(out, '[');
    for (size_t i = 0; i < report->summary->n; i++) {
        json_comma(out);
        run_write(out, &report->runs[i]);
    }
    buf_add_char(out, ']');
    summary_write(out, report);
    json_key(out, "checks");
    buf_add_char(out, '[');
    for (size_t i = 0; i < report->check_count; i++) {
        const struct rehearsal_check *c = &report->checks[i];
        buf_add(out, i > 0 ? STR(",{") : STR("{"));
        json_member_str(out, "name", str_from(c->name));
        json_member_bool(out, "ok", c->is_met);
        json_member_str(out, "want", str_from(c->want));
        json_member_str(out, "got", str_from(c->got));
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
    json_member_bool(out, "ok", all_met(report));
    buf_add_char(out, '}');
}

/* ---- for people ---- */

static void outcomes_show(struct buf *out, const struct rehearsal_summary *s)
{
    char text[48];

    for (size_t e = 0; e < REHEARSAL_END_COUNT; e++) {
        for (size_t r = 0; r < ROLLOUT_REASON_COUNT; r++) {
            bool is_pause = e == REHEARSAL_PAUSED;
            int64_t count = is_pause ? s->pauses[r] : s->ends[e];
            if (count == 0 || (!is_pause && r > 0))
                continue;
            str name = rehearsal_outcome((enum rehearsal_end)e, (enum rollout_reason)r, text);
            struct interval rate = stats_rate_wilson(count, (int64_t)s->n, 0.05);
            buf_printf(out, "  %-24.*s %6" PRId64 "   %5.1f %%  (95 %%: %.1f to %.1f)\n",
                       STR_ARG(name), count, 100 * rate.estimate, 100 * rate.lower,
                       100 * rate.upper);
        }
    }
}

static void spread_show(struct buf *out, const char *label, const struct spread *s, int digits)
{
    if (s->n == 0)
        return;
    buf_printf(out, "  %-24s %10.*f %12.*f   (n = %zu)\n", label, digits, s->median, digits, s->p95,
               s->n);
}

static void names_show(struct buf *out, const struct rehearsal_report *report)
{
    const struct rehearsal_summary *s = report->summary;
    struct alert_policy policy;
    const char *label = "  rolled back by         ";

    IGNORE(rehearsal_policy(report->scenario, &policy));
    for (size_t m = 0; m < CHANGE_METRIC_COUNT; m++) {
        if (s->guards[m] == 0)
            continue;
        buf_printf(out, "%s %s (%" PRId64 ")", label,
                   change_metric_info((enum change_metric)m)->name, s->guards[m]);
        label = ",";
    }
    if (label[0] == ',')
        buf_add_char(out, '\n');
    label = "  alerts that fired      ";
    for (size_t i = 0; i < policy.rule_count; i++) {
        if (s->alerts[i] == 0)
            continue;
        buf_printf(out, "%s %.*s (%" PRId64 ")", label, STR_ARG(policy.rules[i].name),
                   s->alerts[i]);
        label = ",";
    }
    if (label[0] == ',')
        buf_add_char(out, '\n');
}

/* ---- the timeline ---- */

#define SHADES " .:-=+*#%@"

static char shade(double value, double most)
{
    static const char shades[] = SHADES;
    size_t last = sizeof(shades) - 2;

    if (most <= 0 || value <= 0)
        return shades[0];
    size_t at = 1 + (size_t)(value / most * (double)(last - 1) + 0.5);
    return shades[at < last ? at : last];
}

static size_t columns_used(const struct timeline *t)
{
    size_t n = TIMELINE_COLUMNS;

    while (n > 0 && t->columns[n - 1].state == ROLLOUT_DRAFT)
        n--;
    return n;
}

static char state_letter(enum rollout_state state)
{
    static const char letters[ROLLOUT_STATE_COUNT] = {
        [ROLLOUT_DRAFT] = ' ',      [ROLLOUT_RUNNING] = 'r',   [ROLLOUT_PAUSED] = 'p',
        [ROLLOUT_BAKING] = 'b',     [ROLLOUT_COMPLETED] = 'C', [ROLLOUT_ABORTED] = 'X',
        [ROLLOUT_SUPERSEDED] = ' ',
    };

    return letters[state];
}

static void rows_show(struct buf *out, const struct timeline *t)
{
    size_t n = columns_used(t);
    double busiest = 0;

    for (size_t i = 0; i < n; i++)
        busiest = (double)t->columns[i].arrived > busiest ? (double)t->columns[i].arrived : busiest;
    buf_add(out, STR("  traffic  |"));
    for (size_t i = 0; i < n; i++)
        buf_add_char(out, shade((double)t->columns[i].arrived, busiest));
    buf_add(out, STR("|\n  canary   |"));
    for (size_t i = 0; i < n; i++)
        buf_add_char(out, shade((double)t->columns[i].canary, busiest));
    buf_add(out, STR("|\n  failures |"));
    for (size_t i = 0; i < n; i++) {
        const struct timeline_column *c = &t->columns[i];
        buf_add_char(out, c->canary > 0 ? shade((double)c->canary_failed / (double)c->canary, 0.2)
                                        : ' ');
    }
    buf_add(out, STR("|  of the canary, @ = 20 % or more\n  state    |"));
    for (size_t i = 0; i < n; i++)
        buf_add_char(out, state_letter(t->columns[i].state));
    buf_add(out, STR("|  r running, b baking, p paused, C completed, X rolled back\n  events   |"));
    for (size_t i = 0; i < n; i++)
        buf_add_char(out, t->columns[i].has_event ? '=' : ' ');
    buf_add(out, STR("|\n  alerts   |"));
    for (size_t i = 0; i < n; i++)
        buf_add_char(out, t->columns[i].has_alert ? '!' : ' ');
    buf_add(out, STR("|\n"));
}

static void timeline_show(struct buf *out, const struct timeline *t, uint64_t seed)
{
    char text[24];
    str width = timeline_duration(t->width_s, text);

    buf_printf(out, "\n  seed %" PRIu64 ", a column is %.*s\n", seed, STR_ARG(width));
    rows_show(out, t);
    for (size_t i = 0; i < t->entry_count; i++) {
        str at = timeline_duration(t->entries[i].at_s, text);
        buf_printf(out, "  %9.*s  %9" PRId64 " queries, %8" PRId64 " of the canary: %s\n",
                   STR_ARG(at), t->entries[i].queries, t->entries[i].canary_queries,
                   t->entries[i].text);
    }
    if (t->entries_lost > 0)
        buf_printf(out, "  and %zu more\n", t->entries_lost);
}

static void recorded_show(struct buf *out, const struct scenario *s)
{
    const str *cells[] = { &s->sources[SCENARIO_BASELINE].cell, &s->sources[SCENARIO_CANARY].cell };

    if (s->recorded_questions == 0)
        return;
    buf_printf(out, "  recorded answers to %zu questions: baseline %.*s, canary %.*s\n",
               s->recorded_questions, STR_ARG(cells[0]->len > 0 ? *cells[0] : STR("simulated")),
               STR_ARG(cells[1]->len > 0 ? *cells[1] : STR("simulated")));
}

void rehearsal_write_text(struct buf *out, const struct rehearsal_report *report)
{
    const struct rehearsal_summary *s = report->summary;
    const struct scenario *scenario = report->scenario;

    buf_printf(out, "%.*s: %zu %s\n", STR_ARG(scenario->name), s->n, s->n == 1 ? "run" : "runs");
    if (scenario->about.len > 0)
        buf_printf(out, "  %.*s\n", STR_ARG(scenario->about));
    recorded_show(out, scenario);
    buf_add_char(out, '\n');
    outcomes_show(out, s);
    buf_printf(out, "  %-24s %6" PRId64 "   %5.2f %%  (95 %%: %.2f to %.2f)\n", "false rollbacks",
               s->false_rollbacks, 100 * s->false_rollback_rate.estimate,
               100 * s->false_rollback_rate.lower, 100 * s->false_rollback_rate.upper);
    buf_printf(out, "\n  %-24s %10s %12s\n", "", "median", "95 of 100");
    spread_show(out, "stopped after, queries", &s->detected_after_queries, 0);
    spread_show(out, "stopped after, seconds", &s->detected_after_s, 0);
    spread_show(out, "extra failures", &s->extra_failures, 1);
    spread_show(out, "extra dollars", &s->extra_usd, 4);
    spread_show(out, "ended after, seconds", &s->ended_s, 0);
    spread_show(out, "queries of the canary", &s->canary_queries, 0);
    names_show(out, report);
    if (report->timeline)
        timeline_show(out, report->timeline, report->runs[0].seed);
    if (report->check_count > 0)
        buf_add_char(out, '\n');
    for (size_t i = 0; i < report->check_count; i++) {
        const struct rehearsal_check *c = &report->checks[i];
        buf_printf(out, "  %-6s %s: expected %s, got %s\n", c->is_met ? "ok" : "FAILED", c->name,
                   c->want, c->got);
    }
}
