/* SPDX-License-Identifier: Apache-2.0 */
/* timeline: what happened when in one run, in columns of time and in sentences. */
#include <stdarg.h>
#include <stdio.h>

#include "app/sim/rehearsal_internal.h"

static struct timeline_column *column_at(struct run *r, int64_t us)
{
    double at = (double)us / 1e6 / r->timeline->width_s;

    return &r->timeline->columns[at < TIMELINE_COLUMNS ? (size_t)at : TIMELINE_COLUMNS - 1];
}

void timeline_note(struct run *r, const char *fmt, ...)
{
    struct timeline *t = r->timeline;
    va_list args;

    if (!t)
        return;
    if (t->entry_count == TIMELINE_ENTRIES_MAX) {
        t->entries_lost++;
        return;
    }
    t->entries[t->entry_count].at_s = (double)r->now_us / 1e6;
    t->entries[t->entry_count].queries = r->out->queries;
    t->entries[t->entry_count].canary_queries = r->out->canary_queries;
    va_start(args, fmt);
    vsnprintf(t->entries[t->entry_count].text, TIMELINE_TEXT_MAX, fmt, args);
    va_end(args);
    t->entry_count++;
}

void timeline_arrival(struct run *r)
{
    if (r->timeline)
        column_at(r, r->now_us)->arrived++;
}

void timeline_outcome(struct run *r, const struct outcome *o)
{
    if (!r->timeline)
        return;
    struct timeline_column *c = column_at(r, r->now_us);
    c->canary++;
    c->canary_failed += !o->is_success;
}

void timeline_alert(struct run *r)
{
    if (r->timeline)
        column_at(r, r->now_us)->has_alert = true;
}

static void guards_name(uint32_t bits, char *out, size_t size)
{
    size_t used = 0;

    out[0] = '\0';
    for (size_t m = 0; m < CHANGE_METRIC_COUNT && used < size; m++) {
        if (bits >> m & 1)
            used += (size_t)snprintf(out + used, size - used, "%s%s", used > 0 ? ", " : ": ",
                                     change_metric_info((enum change_metric)m)->name);
    }
}

void timeline_move(struct run *r, const struct rollout_row *row)
{
    char share[16], guards[96];

    if (!r->timeline)
        return;
    guards_name(row->guards | (row->to.state == ROLLOUT_ABORTED ? r->out->guards : 0), guards,
                sizeof(guards));
    IGNORE(share_format(r->scenario->rollout->spec.steps[row->to.step].share, share).len > 0);
    timeline_note(r, "%s (step %zu, %s): %s%s", rollout_state_name(row->to.state), row->to.step + 1,
                  share, rollout_reason_text(row->reason), guards);
    column_at(r, r->now_us)->state = row->to.state;
}

void timeline_events(struct run *r, int64_t from, int64_t to)
{
    const struct scenario *s = r->scenario;

    for (size_t i = 0; r->timeline && i < s->event_count; i++) {
        const struct scenario_event *e = &s->events[i];
        bool was = from > 0 && behaviour_event_is_on(e, from), is = behaviour_event_is_on(e, to);
        if (was == is)
            continue;
        r->now_us = is ? (e->start / NSEC_PER_USEC > from ? e->start / NSEC_PER_USEC : from)
                       : (e->start + e->length) / NSEC_PER_USEC;
        timeline_note(r, "event %s %s", scenario_event_name(e->kind), is ? "begins" : "ends");
    }
}

/* Columns are filled from the moves, in their order. */
void timeline_finish(struct run *r)
{
    struct timeline *t = r->timeline;
    enum rollout_state state = ROLLOUT_DRAFT;

    if (!t)
        return;
    size_t last = (size_t)(column_at(r, r->now_us) - t->columns);
    for (size_t i = 0; i <= last; i++) {
        int64_t us = (int64_t)(((double)i + 0.5) * t->width_s * 1e6);
        for (size_t e = 0; e < r->scenario->event_count; e++)
            t->columns[i].has_event |= behaviour_event_is_on(&r->scenario->events[e], us);
        if (t->columns[i].state != ROLLOUT_DRAFT)
            state = t->columns[i].state;
        t->columns[i].state = state;
    }
}

str timeline_duration(double seconds, char out[24])
{
    int n;

    if (seconds < 100)
        n = snprintf(out, 24, "%.0f s", seconds);
    else if (seconds < 6000)
        n = snprintf(out, 24, "%.0f min", seconds / 60);
    else if (seconds < 48 * 3600)
        n = snprintf(out, 24, "%.1f h", seconds / 3600);
    else
        n = snprintf(out, 24, "%.1f d", seconds / 86400);
    return (str){ out, n > 0 ? (size_t)n : 0 };
}
