/* SPDX-License-Identifier: Apache-2.0 */
/* expect: a scenario's expectations against what its runs did. */
#include <stdio.h>

#include "app/sim/rehearsal.h"

static const char *const ends[REHEARSAL_END_COUNT] = {
    [REHEARSAL_COMPLETED] = "completed",
    [REHEARSAL_ROLLED_BACK] = "rolled_back",
    [REHEARSAL_PAUSED] = "paused",
    [REHEARSAL_UNFINISHED] = "unfinished",
};

str rehearsal_outcome(enum rehearsal_end end, enum rollout_reason reason, char out[48])
{
    int n = snprintf(out, 48, "%s%s%s", ends[end], end == REHEARSAL_PAUSED ? ":" : "",
                     end == REHEARSAL_PAUSED ? rollout_reason_name(reason) : "");

    return (str){ out, n > 0 ? (size_t)n : 0 };
}

/* Runs whose outcome it is; "paused" is that for any reason. */
static int64_t count_of(const struct rehearsal_summary *s, str outcome)
{
    char text[48];

    for (size_t e = 0; e < REHEARSAL_END_COUNT; e++) {
        if (str_eq(outcome, str_from(ends[e])))
            return s->ends[e];
    }
    for (size_t r = 0; r < ROLLOUT_REASON_COUNT; r++) {
        if (str_eq(outcome, rehearsal_outcome(REHEARSAL_PAUSED, (enum rollout_reason)r, text)))
            return s->pauses[r];
    }
    return 0;
}

static void outcome_check(const struct scenario *s, const struct rehearsal_summary *summary,
                          struct rehearsal_check *c)
{
    int64_t k = count_of(summary, s->expect.outcome);

    c->name = "outcome";
    c->is_met = (double)k >= s->expect.share_min * (double)summary->n - 1e-9;
    snprintf(c->want, sizeof(c->want), "%.*s in at least %g %%", STR_ARG(s->expect.outcome),
             100 * s->expect.share_min);
    snprintf(c->got, sizeof(c->got), "%" PRId64 " of %zu", k, summary->n);
}

static void guard_check(const struct scenario *s, const struct rehearsal_summary *summary,
                        struct rehearsal_check *c)
{
    enum change_metric metric;
    int64_t k = change_metric_find(s->expect.guard, &metric) ? summary->guards[metric] : 0;

    c->name = "guard";
    c->is_met = 2 * k > summary->ends[REHEARSAL_ROLLED_BACK];
    snprintf(c->want, sizeof(c->want), "%.*s in most rollbacks", STR_ARG(s->expect.guard));
    snprintf(c->got, sizeof(c->got), "%" PRId64 " of %" PRId64, k,
             summary->ends[REHEARSAL_ROLLED_BACK]);
}

static void alert_check(const struct scenario *s, const struct rehearsal_summary *summary,
                        struct rehearsal_check *c)
{
    struct alert_policy policy;
    int64_t k = 0;

    IGNORE(rehearsal_policy(s, &policy));
    for (size_t i = 0; i < policy.rule_count; i++) {
        if (str_eq(policy.rules[i].name, s->expect.alert))
            k = summary->alerts[i];
    }
    c->name = "alert";
    c->is_met = (double)k >= s->expect.share_min * (double)summary->n - 1e-9;
    snprintf(c->want, sizeof(c->want), "%.*s fires in at least %g %%", STR_ARG(s->expect.alert),
             100 * s->expect.share_min);
    snprintf(c->got, sizeof(c->got), "%" PRId64 " of %zu", k, summary->n);
}

static void false_check(const struct scenario *s, const struct rehearsal_summary *summary,
                        struct rehearsal_check *c)
{
    const struct interval *rate = &summary->false_rollback_rate;

    c->name = "max_false_rollback_rate";
    c->is_met = rate->estimate <= s->expect.false_rollback_max;
    snprintf(c->want, sizeof(c->want), "at most %g %%", 100 * s->expect.false_rollback_max);
    snprintf(c->got, sizeof(c->got), "%.2f %% (95 %%: %.2f to %.2f)", 100 * rate->estimate,
             100 * rate->lower, 100 * rate->upper);
}

static void delay_check(const struct scenario *s, const struct rehearsal_summary *summary,
                        struct rehearsal_check *c)
{
    const struct spread *delay = &summary->detected_after_queries;

    c->name = "detected_within_queries";
    c->is_met = delay->n > 0 && delay->median <= s->expect.detected_within;
    snprintf(c->want, sizeof(c->want), "a median of at most %.0f", s->expect.detected_within);
    snprintf(c->got, sizeof(c->got), "%.0f (of %zu)", delay->median, delay->n);
}

size_t rehearsal_checks(const struct scenario *s, const struct rehearsal_summary *summary,
                        struct rehearsal_check out[REHEARSAL_CHECKS_MAX])
{
    const struct {
        bool is_wanted;
        void (*run)(const struct scenario *, const struct rehearsal_summary *,
                    struct rehearsal_check *);
    } rows[] = {
        { s->expect.outcome.len > 0, outcome_check },
        { s->expect.guard.len > 0, guard_check },
        { s->expect.alert.len > 0, alert_check },
        { s->expect.false_rollback_max >= 0, false_check },
        { s->expect.detected_within >= 0, delay_check },
    };
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].is_wanted)
            rows[i].run(s, summary, &out[n++]);
    }
    return n;
}
