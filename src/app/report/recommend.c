/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recommend: one sentence that follows from the day's figures, and from which: failures come before costs, costs that nobody knows
 * before savings, what was measured before what was only repriced.
 */
#include "app/report/daily_internal.h"

#define MEASURED_ENOUGH "the interval of the saving excludes zero"

static const char *const basis_names[] = {
    [BASIS_NO_TRAFFIC] = "no_traffic", [BASIS_FAILURES] = "failures", [BASIS_UNPRICED] = "unpriced",
    [BASIS_MEASURED] = "measured",     [BASIS_REPRICED] = "repriced", [BASIS_NOTHING] = "nothing",
};

const char *daily_basis_name(enum daily_basis basis)
{
    return basis_names[basis];
}

/* ---- failures ---- */

static const struct report_part *fault_most_frequent(const struct daily *d)
{
    const struct report_parts *faults = &d->ledger->parts[REPORT_FAULT];
    const struct report_part *most = NULL;

    for (size_t i = 0; i < faults->count; i++) {
        const struct report_part *f = &faults->items[i];
        if (f->name.len > 0 && (!most || f->queries > most->queries))
            most = f;
    }
    return most;
}

static bool say_failures(const struct daily *d, struct buf *out)
{
    const struct report_part *fault = fault_most_frequent(d);

    if (!fault || d->success.interval.upper >= DAILY_SUCCESS_TARGET)
        return false;
    buf_add(out, STR("Find out why queries fail before looking at costs: most often "));
    name_write_text(out, fault->name);
    buf_printf(out,
               " (%" PRId64 " of %" PRId64
               "); the success rate is below %.0f %% even at the upper end of its interval",
               fault->queries, d->success.n - d->success.k, 100 * DAILY_SUCCESS_TARGET);
    return true;
}

/* ---- unpriced ---- */

static bool say_unpriced(const struct daily *d, struct buf *out)
{
    const struct report_calls *most = NULL;

    for (size_t i = 0; i < d->models_count; i++) {
        if (d->models[i].unpriced > (most ? most->unpriced : 0))
            most = &d->models[i];
    }
    if (!most)
        return false;
    buf_add(out, STR("Add a price for "));
    name_write_text(out, most->model);
    buf_printf(out, ": %" PRId64 " of %" PRId64 " calls are unpriced and in no sum",
               d->calls.unpriced, d->calls.calls);
    return true;
}

/* ---- measured ---- */

/* How sure it is that an arm succeeds less often than its control: the intervals do not meet. */
static bool is_worse(const struct daily_measure *m)
{
    return m->treated.interval.upper < m->control.interval.lower;
}

/* The comparison that decides: the arm with most queries among those that can be decided. */
static const struct daily_measure *measure_decisive(const struct daily *d)
{
    const struct daily_measure *best = NULL;

    for (size_t i = 0; i < d->measures_count; i++) {
        const struct daily_measure *m = &d->measures[i];
        bool decides = is_worse(m) ||
                       (m->saved.is_valid && (m->saved.diff.lower > 0 || m->saved.diff.upper < 0));
        if (decides && (!best || m->treated.n > best->treated.n))
            best = m;
    }
    return best;
}

static bool say_measured(const struct daily *d, struct buf *out)
{
    const struct daily_measure *m = measure_decisive(d);

    if (!m)
        return false;
    if (is_worse(m)) {
        buf_add(out, STR("Do not widen "));
        name_write_text(out, m->label);
        buf_printf(out,
                   ": measured against its control it succeeds less often (%.1f %% of %" PRId64
                   " against %.1f %% of %" PRId64 ")",
                   100 * m->treated.interval.estimate, m->treated.n,
                   100 * m->control.interval.estimate, m->control.n);
        return true;
    }
    bool saves = m->saved.diff.lower > 0;
    buf_add(out, saves ? STR("Continue with ") : STR("Reconsider "));
    name_write_text(out, m->label);
    buf_printf(out,
               ": measured against its control a query costs %.1f %% %s (" MEASURED_ENOUGH
               "), and nothing shows that it succeeds less often",
               saves ? m->saved_percentage : -m->saved_percentage, saves ? "less" : "more");
    return true;
}

/* ---- repriced ---- */

static bool say_repriced(const struct daily *d, struct buf *out)
{
    if (!d->repriced.is_priced || d->repriced.savings == 0)
        return false;
    buf_add(out, STR("Give a share of the traffic to a control: the same tokens at "));
    name_write_text(out, d->baseline);
    buf_printf(
        out,
        "'s price would cost %s, but it would have used other tokens and answered otherwise, "
        "which nobody measured",
        d->repriced.savings > 0 ? "more" : "less");
    return true;
}

/* In the order of what presses most. */
static const struct {
    enum daily_basis basis;
    bool (*say)(const struct daily *d, struct buf *out);
} rules[] = {
    { BASIS_FAILURES, say_failures },
    { BASIS_UNPRICED, say_unpriced },
    { BASIS_MEASURED, say_measured },
    { BASIS_REPRICED, say_repriced },
};

void daily_recommend(struct daily *d, struct arena *arena)
{
    struct buf text = { 0 };
    bool has_spoken = false;

    d->basis = d->success.n == 0 ? BASIS_NO_TRAFFIC : BASIS_NOTHING;
    for (size_t i = 0; d->success.n > 0 && !has_spoken && i < ARRAY_LEN(rules); i++) {
        has_spoken = rules[i].say(d, &text);
        if (has_spoken)
            d->basis = rules[i].basis;
    }
    if (!has_spoken)
        buf_add(&text, d->basis == BASIS_NO_TRAFFIC
                           ? STR("None: there was no traffic")
                           : STR("None: nothing of this day speaks for or against a change"));
    d->recommendation = arena_str(arena, buf_str(&text));
    buf_fini(&text);
}
