/* SPDX-License-Identifier: Apache-2.0 */
/* text: the report for people. */
#include "app/report/daily_internal.h"

#include <stdio.h>

#define RULE "============================================================\n"
#define LABEL_WIDTH 22
#define NAME_WIDTH 20
#define LIST_MAX 20 /* rows of a list for people; the other formats have all */

/* ---- pieces ---- */

static void label_write(struct buf *out, const char *label)
{
    buf_printf(out, "%-*s", LABEL_WIDTH, label);
}

static void count_write(struct buf *out, int64_t n)
{
    char digits[32];
    int len = snprintf(digits, sizeof(digits), "%" PRId64, n);

    for (int i = 0; i < len; i++) {
        buf_add_char(out, digits[i]);
        if ((len - i - 1) % 3 == 0 && i + 1 < len && digits[i] != '-')
            buf_add_char(out, ',');
    }
}

static void money_write(struct buf *out, nano_usd cost)
{
    char text[32];

    buf_add(out, cost_format(cost, text));
}

static void money_line(struct buf *out, const char *label, nano_usd cost, const char *note)
{
    label_write(out, label);
    money_write(out, cost);
    buf_printf(out, "%s\n", note);
}

static void rate_write(struct buf *out, const struct daily_rate *r)
{
    if (r->n == 0) {
        buf_add(out, STR("no queries"));
        return;
    }
    buf_printf(out, "%.1f%% (", 100 * r->interval.estimate);
    count_write(out, r->k);
    buf_add(out, STR(" of "));
    count_write(out, r->n);
    buf_printf(out, "; 95 %%: %.1f to %.1f%%)", 100 * r->interval.lower, 100 * r->interval.upper);
}

static void confidence_line(struct buf *out, const char *label, const struct daily_confidence *c,
                            const char *kind)
{
    label_write(out, label);
    if (c->n == 0) {
        buf_add(out, STR("none recorded\n"));
        return;
    }
    buf_printf(out, "%.3f ± %.3f (%s; n = ", c->mean, c->sd, kind);
    count_write(out, c->n);
    buf_add(out, STR(")\n"));
}

/* ---- sections ---- */

static void title_write(const struct daily *d, struct buf *out)
{
    buf_printf(out, RULE "%s - %s%s%s (%s%s)%s\n" RULE "\n", daily_title(d), d->day.date,
               d->day.days > 1 ? " to " : "", d->day.days > 1 ? d->day.last_date : "", d->day.zone,
               d->day.is_over ? "" : ", so far", d->is_simulated ? " - SIMULATED" : "");
}

static void totals_write(const struct daily *d, struct buf *out)
{
    const struct report_part *total = &d->ledger->total;

    label_write(out, "Total Queries:");
    count_write(out, total->queries);
    buf_add_char(out, '\n');
    money_line(out, "Total Cost:", total->cost,
               d->is_simulated ? " (simulated: nobody was paid)" : "");
    label_write(out, "Average per Query:");
    money_write(out, d->average);
    if (total->priced.n < total->queries) {
        buf_add(out, STR(" (of the "));
        count_write(out, total->priced.n);
        buf_add(out, STR(" whose every call is priced)"));
    }
    buf_add_char(out, '\n');
    label_write(out, "Success Rate:");
    rate_write(out, &d->success);
    buf_add_char(out, '\n');
    confidence_line(out, "HRM Confidence:", &d->hrm, daily_confidence_label(d));
    confidence_line(out, "TRM Confidence:", &d->trm, daily_confidence_label(d));
}

static void latency_write(const struct daily *d, struct buf *out)
{
    const struct daily_latency *l = &d->latency;

    label_write(out, "Latency:");
    if (l->n == 0)
        buf_add(out, STR("not recorded\n"));
    else if (l->is_maximum)
        buf_printf(out, "at most %.0f ms (n = %" PRId64 ")\n", l->p95_ms, l->n);
    else
        buf_printf(out, "p50 %.0f ms, p95 %.0f ms, p99 %.0f ms (n = ", l->p50_ms, l->p95_ms,
                   l->p99_ms);
    if (l->n == 0 || l->is_maximum)
        return;
    count_write(out, l->n);
    buf_add(out, STR(")\n"));
}

static void calibration_write(const struct daily *d, struct buf *out)
{
    for (size_t i = 0; i < d->calibrations_count; i++) {
        const struct daily_calibration *c = &d->calibrations[i];
        label_write(out, "Calibration Error:");
        buf_printf(out, "%.3f (ECE of %s confidences against %s; n = ", c->ece,
                   c->is_calibrated ? "calibrated" : "raw", ledger_source_name(c->source));
        count_write(out, c->n);
        buf_add(out, STR(")\n"));
    }
}

static void kpi_write(const struct daily_kpi *k, struct buf *out)
{
    buf_printf(out, "  %-24s ", k->title);
    if (k->is_known)
        daily_figure_write(out, k->unit, k->actual);
    else
        buf_add_char(out, '-');
    if (k->is_known && k->has_interval) {
        buf_add(out, STR(" (95 %: "));
        daily_figure_write(out, k->unit, k->interval.lower);
        buf_add(out, STR(" to "));
        daily_figure_write(out, k->unit, k->interval.upper);
        buf_add_char(out, ')');
    }
    buf_printf(out, ", target %s ", k->is_floor ? ">=" : k->is_strict ? "<" : "<=");
    daily_figure_write(out, k->unit, k->target);
    buf_printf(out, ": %s%s%s%s\n", daily_verdict_name(k->verdict), k->note[0] ? " [" : "", k->note,
               k->note[0] ? "]" : "");
}

static void kpis_write(const struct daily *d, struct buf *out)
{
    if (d->kpis_count > 0)
        buf_add(out, STR("\nKey Figures against their Targets:\n"));
    for (size_t i = 0; i < d->kpis_count; i++)
        kpi_write(&d->kpis[i], out);
}

static void labels_write(const struct daily *d, struct buf *out)
{
    for (size_t i = 0; i < LABEL_SOURCE_COUNT; i++) {
        const struct report_label *l = &d->ledger->labels[i];
        struct daily_rate right = daily_rate_of(l->right, l->n);
        if (l->n == 0)
            continue;
        label_write(out, "Right, of labelled:");
        rate_write(out, &right);
        buf_printf(out, ", by %s\n", ledger_source_name((enum ledger_source)i));
    }
}

static void repriced_write(const struct daily *d, struct buf *out)
{
    const struct daily_repriced *r = &d->repriced;

    buf_add(out, STR("\nSavings, repriced (the same tokens at the price of "));
    name_write_text(out, d->baseline);
    buf_add(out, STR("):\n"));
    if (!r->is_priced) {
        buf_add(out, STR("  unknown: no call can be priced by it\n"));
        return;
    }
    money_line(out, "  Baseline Cost:", r->baseline_cost, "");
    label_write(out, "  Savings:");
    money_write(out, r->savings);
    buf_printf(out, " (%.1f%%)\n", r->percentage);
    buf_add(out, STR("  Of "));
    count_write(out, r->compared);
    buf_add(out, STR(" calls that cost "));
    money_write(out, r->cost);
    buf_add(out, STR("; left out: "));
    count_write(out, r->left_out);
    buf_add(out, STR(" unpriced or interrupted calls\n"));
}

static void measure_write(const struct daily_measure *m, struct buf *out)
{
    buf_add(out, STR("  "));
    name_write_text(out, m->label);
    buf_add(out, STR(" against its control: "));
    if (m->saved.is_valid)
        buf_printf(out, "$%.6f a query (95 %%: $%.6f to $%.6f; %.1f%%)\n", m->saved.diff.estimate,
                   m->saved.diff.lower, m->saved.diff.upper, m->saved_percentage);
    else
        buf_add(out, STR("too little data to decide (100 priced queries an arm, with a spread)\n"));
    buf_add(out, STR("    its success   "));
    rate_write(out, &m->treated);
    buf_add(out, STR("\n    the control's "));
    rate_write(out, &m->control);
    buf_add_char(out, '\n');
}

static void measured_write(const struct daily *d, struct buf *out)
{
    buf_add(out, STR("\nSavings, measured (queries of an arm against its control's):\n"));
    if (d->measures_count == 0)
        buf_add(out, STR("  not measured: no control traffic\n"));
    for (size_t i = 0; i < d->measures_count; i++)
        measure_write(&d->measures[i], out);
}

/* "  1. stem:               $0.012000 (40.0%)" */
static void row_begin(struct buf *out, size_t number, str name, nano_usd cost, nano_usd total)
{
    struct buf shown = { 0 };

    name_write_text(&shown, name);
    buf_add_char(&shown, ':');
    buf_printf(out, "  %2zu. %-*s ", number, NAME_WIDTH, buf_cstr(&shown));
    buf_fini(&shown);
    money_write(out, cost);
    buf_printf(out, " (%.1f%%), ", daily_share(cost, total));
}

static void rest_write(struct buf *out, size_t count)
{
    if (count > LIST_MAX)
        buf_printf(out, "      and %zu more (--format json has all)\n", count - LIST_MAX);
}

static void axis_write(const struct daily *d, const struct daily_axis *axis, struct buf *out)
{
    const struct report_parts *parts = &d->ledger->parts[axis->axis];

    buf_printf(out, "\n%s:\n", axis->title);
    for (size_t i = 0; i < parts->count && i < LIST_MAX; i++) {
        const struct report_part *p = &parts->items[i];
        struct daily_rate success = daily_rate_of(p->succeeded, p->queries);
        row_begin(out, i + 1, p->name, p->cost, d->ledger->total.cost);
        buf_add(out, STR("success "));
        rate_write(out, &success);
        buf_add_char(out, '\n');
    }
    rest_write(out, parts->count);
}

static void models_write(const struct daily *d, struct buf *out)
{
    buf_add(out, STR("\nBy Model:\n"));
    for (size_t i = 0; i < d->models_count && i < LIST_MAX; i++) {
        const struct report_calls *m = &d->models[i];
        row_begin(out, i + 1, m->model, m->cost, d->ledger->total.cost);
        count_write(out, m->calls);
        buf_add(out, STR(" calls"));
        if (m->unpriced > 0) {
            buf_add(out, STR(", of them unpriced "));
            count_write(out, m->unpriced);
        }
        buf_add_char(out, '\n');
    }
    rest_write(out, d->models_count);
}

static void where_write(const struct daily *d, struct buf *out)
{
    struct daily_kind kinds[DAILY_KINDS];

    buf_add(out, STR("\nWhere the Money Went:\n"));
    money_line(out, "  failed queries", d->ledger->total.failed_cost, "");
    daily_kinds(&d->calls, kinds);
    for (size_t i = 0; i < DAILY_KINDS; i++) {
        buf_printf(out, "  calls %-30s ", kinds[i].title);
        money_write(out, kinds[i].cost);
        buf_add(out, STR(" ("));
        count_write(out, kinds[i].calls);
        buf_add(out, STR(")\n"));
    }
    buf_add(out, STR("  input from the provider's cache      "));
    money_write(out, d->calls.cached_cost);
    buf_add(out, STR(" ("));
    count_write(out, d->calls.usage.cached);
    buf_add(out, STR(" tokens; without the cache "));
    money_write(out, d->calls.cached_saved);
    buf_add(out, STR(" more)\n  attempts after a call's first: "));
    count_write(out, d->calls.extra_attempts);
    buf_add(out, STR("\n  unpriced calls, in no sum: "));
    count_write(out, d->calls.unpriced);
    buf_add(out, STR("; tokens counted by weir: "));
    count_write(out, d->calls.estimated);
    buf_printf(out, "\n  %s: ", d->is_simulated ? "paid for, apart" : "simulated, apart");
    money_write(out, d->ledger->other_cost);
    buf_add(out, STR(" ("));
    count_write(out, d->ledger->other_calls);
    buf_add(out, STR(" calls, "));
    count_write(out, d->ledger->other_queries);
    buf_add(out, STR(" queries)\n"));
}

static void routes_write(const struct daily *d, struct buf *out)
{
    if (d->ledger->routed == 0)
        return;
    label_write(out, "Routed:");
    count_write(out, d->ledger->routed);
    buf_add(out, STR(" queries, explored "));
    count_write(out, d->ledger->explored);
    buf_add_char(out, '\n');
}

void daily_write_text(const struct daily *d, struct buf *out)
{
    title_write(d, out);
    if (d->ledger->total.queries == 0) {
        buf_add(out, d->day.from == d->day.to ? STR("This date was skipped in this zone.\n")
                     : d->day.days > 1        ? STR("The ledger has no queries of these days.\n")
                                              : STR("The ledger has no queries of this day.\n"));
        if (d->ledger->other_queries > 0)
            buf_printf(out, "It has %" PRId64 " %s.\n", d->ledger->other_queries,
                       d->is_simulated ? "that were paid for"
                                       : "simulated ones: weir report --simulated");
    } else {
        totals_write(d, out);
        latency_write(d, out);
        labels_write(d, out);
        calibration_write(d, out);
        routes_write(d, out);
        repriced_write(d, out);
        measured_write(d, out);
        for (size_t i = 0; i < DAILY_AXES; i++)
            axis_write(d, &daily_axes[i], out);
        models_write(d, out);
        where_write(d, out);
        kpis_write(d, out);
    }
    buf_add(out, STR("\nRecommendation: "));
    buf_add(out, d->recommendation);
    buf_printf(out, ". [from: %s]\n", daily_basis_name(d->basis));
    if (d->ledger->is_live)
        buf_add(
            out,
            STR("A running weir holds this ledger: what it has not imported yet is missing.\n"));
    buf_add(out, STR(RULE));
}
