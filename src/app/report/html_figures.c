/* SPDX-License-Identifier: Apache-2.0 */
/* html_figures: the charts of the report in HTML, and the key figures. */
#include "app/report/html_internal.h"

#include <math.h>

#define LABELS 6 /* below a chart */
#define YEAR_LENGTH 5 /* "2026-": left out of labels, which have little room */
#define SIDE 160.0 /* of a reliability diagram, pixels */

/* ---- cost by hour or day ---- */

static nano_usd bars_highest(const struct daily *d)
{
    nano_usd highest = 0;

    for (size_t i = 0; i < d->bars_count; i++)
        highest = d->bars[i].cost > highest ? d->bars[i].cost : highest;
    return highest;
}

static void bar_column(const struct daily_bar *bar, nano_usd highest, const char *label,
                       struct buf *out)
{
    buf_printf(out, "<div title=\"%s: ", bar->part.label);
    html_money(out, bar->cost);
    buf_printf(out, ", %" PRId64 " queries\"><i style=\"height:%.2f%%\"></i>", bar->queries,
               daily_share(bar->cost, highest));
    buf_printf(out, "<span>%s</span>", label);
    buf_add(out, STR("</div>"));
}

void html_bars(const struct daily *d, struct buf *out)
{
    nano_usd highest = bars_highest(d);
    size_t step = (d->bars_count + LABELS - 1) / LABELS;
    const char *unit = d->day.days > 1 ? "day" : "hour";

    if (highest <= 0)
        return;
    buf_printf(out, "<h2>Cost by %s <span class=\"soft\">(highest: ", unit);
    html_money(out, highest);
    buf_printf(out, ")</span></h2><div class=\"chart\" role=\"img\" aria-label=\"cost by %s\">",
               unit);
    for (size_t i = 0; i < d->bars_count; i++) {
        bool has_label = i % step == 0 && i + step / 2 < d->bars_count; /* with room behind it */
        const char *label = d->bars[i].part.label + (d->day.days > 1 ? YEAR_LENGTH : 0);
        bar_column(&d->bars[i], highest, has_label ? label : "", out);
    }
    buf_add(out, STR("</div>\n"));
}

/* ---- key figures ---- */

static void kpi_row(const struct daily_kpi *k, struct buf *out)
{
    static const char *const classes[] = { [VERDICT_NOT_MEASURED] = "not",
                                           [VERDICT_SHOWN] = "shown",
                                           [VERDICT_NOT_SHOWN] = "not",
                                           [VERDICT_MISSED] = "missed" };

    buf_printf(out, "<tr><th scope=\"row\">%s<div class=\"verdict %s\">%s</div></th><td>", k->title,
               classes[k->verdict], daily_verdict_name(k->verdict));
    if (k->is_known)
        daily_figure_write(out, k->unit, k->actual);
    else
        buf_add(out, STR("–"));
    if (k->is_known && k->has_interval) {
        buf_add(out, STR(" <span class=\"soft\">("));
        daily_figure_write(out, k->unit, k->interval.lower);
        buf_add(out, STR(" to "));
        daily_figure_write(out, k->unit, k->interval.upper);
        buf_add(out, STR(")</span>"));
    }
    if (k->note[0] != '\0')
        buf_printf(out, " <span class=\"soft\">%s</span>", k->note);
    buf_printf(out, "</td><td class=\"n\">%s ", k->is_floor ? "≥" : k->is_strict ? "&lt;" : "≤");
    daily_figure_write(out, k->unit, k->target);
    buf_add(out, STR("</td></tr>\n"));
}

void html_kpis(const struct daily *d, struct buf *out)
{
    if (d->kpis_count == 0)
        return;
    html_table_open(out, "Key figures against their targets");
    buf_add(out, STR("<tr><th>Figure</th><th>Actual</th><th class=\"n\">Target</th></tr>\n"));
    for (size_t i = 0; i < d->kpis_count; i++)
        kpi_row(&d->kpis[i], out);
    html_table_close(out);
}

/* ---- calibration ---- */

/* Mean confidence to the right, share of right answers up; on the diagonal confidence is what it says. Area goes by the queries. */
static void diagram_write(const struct daily_calibration *c, struct buf *out)
{
    buf_printf(out,
               "<svg width=\"%.0f\" height=\"%.0f\" role=\"img\" aria-label=\"reliability "
               "diagram\"><rect class=\"frame\" x=\".5\" y=\".5\" width=\"%.0f\" height=\"%.0f\"/>"
               "<path class=\"line\" d=\"M0 %.0fL%.0f 0\"/>",
               SIDE, SIDE, SIDE - 1, SIDE - 1, SIDE, SIDE);
    for (size_t i = 0; i < REPORT_BINS; i++) {
        const struct report_bin *bin = &c->bins[i];
        double share = (double)bin->n / (double)c->n;
        if (bin->n <= 0)
            continue;
        buf_printf(out, "<circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"/>",
                   SIDE * bin->confidence / (double)bin->n,
                   SIDE * (1 - (double)bin->right / (double)bin->n), 2 + 6 * sqrt(share));
    }
    buf_add(out, STR("</svg>"));
}

void html_calibrations(const struct daily *d, struct buf *out)
{
    if (d->calibrations_count == 0)
        return;
    buf_add(out, STR("<h2>Calibration</h2><div class=\"dots\">\n"));
    for (size_t i = 0; i < d->calibrations_count; i++) {
        const struct daily_calibration *c = &d->calibrations[i];
        buf_add(out, STR("<figure>"));
        diagram_write(c, out);
        buf_printf(out,
                   "<figcaption>%s confidence (right) against the share that %s called right "
                   "(up): ECE %.3f, n = %" PRId64 "</figcaption></figure>\n",
                   c->is_calibrated ? "Calibrated" : "Raw", ledger_source_name(c->source), c->ece,
                   c->n);
    }
    buf_add(out, STR("</div>\n"));
}
