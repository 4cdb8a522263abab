/* SPDX-License-Identifier: Apache-2.0 */
/*
 * html: the report as one file that needs nothing else: no script, no request, light and dark as the reader's system has it. Each list is a
 * table with bars of its parts' costs, and success with its interval as a picture. html_figures.c has the charts.
 */
#include "app/report/html_internal.h"

#define BAR_WIDTH 160.0
#define BAR_HEIGHT 12

static const char head[] =
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
    "'unsafe-inline'\">\n<style>\n"
    ":root{color-scheme:light dark;--text:#1b1f24;--page:#fff;--soft:#5a646f;--line:#d8dee4;"
    "--bar:#2f6fbf;--good:#1f7a4d;--bad:#b3372f}\n"
    "@media(prefers-color-scheme:dark){:root{--text:#e6e9ed;--page:#14171b;--soft:#9aa5b1;"
    "--line:#333b44;--bar:#6aa5ee;--good:#54c08a;--bad:#f2897f}}\n"
    "body{font:15px/1.5 system-ui,sans-serif;color:var(--text);background:var(--page);"
    "max-width:56rem;margin:0 auto;padding:1rem}\n"
    "h1{font-size:1.4rem}h2{font-size:1.05rem;margin:1.6rem 0 .4rem}\n"
    ".scroll{overflow-x:auto}table{border-collapse:collapse;width:100%}\n"
    "th,td{padding:.3rem .6rem .3rem 0;text-align:left;border-bottom:1px solid var(--line);"
    "vertical-align:top}\n"
    "th{font-weight:600}td.name{overflow-wrap:anywhere;min-width:7rem}"
    ".track{height:.35rem;margin-top:.3rem;border-radius:2px;background:var(--line)}"
    ".track i{display:block;height:100%;min-width:1px;border-radius:2px;background:var(--bar)}\n"
    ".chart{display:flex;align-items:flex-end;height:9rem;gap:1px;padding-bottom:1.4rem;"
    "border-bottom:0;position:relative}\n"
    ".chart div{flex:1 1 0;min-width:0;height:100%;display:flex;align-items:flex-end;"
    "position:relative;background:linear-gradient(var(--line),var(--line)) bottom/100% 1px "
    "no-repeat}\n"
    ".chart i{width:100%;background:var(--bar);border-radius:2px 2px 0 0}"
    ".chart span{position:absolute;top:100%;left:0;padding-top:.2rem;font-size:.75rem;"
    "color:var(--soft);white-space:nowrap}\n"
    ".dots{display:flex;flex-wrap:wrap;gap:1.5rem}figure{margin:0}figcaption{color:var(--soft);"
    "font-size:.85rem;max-width:14rem}\n"
    ".dots svg{overflow:visible}.dot{fill:var(--bar)}.line{stroke:var(--soft);stroke-dasharray:3 3}"
    ".frame{fill:none;stroke:var(--line)}\n"
    ".verdict{font-weight:600;white-space:nowrap}.shown{color:var(--good)}.missed{color:var(--bad)}"
    ".not{color:var(--soft)}\n"
    "td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}\n"
    "svg{display:block}.bar{fill:var(--bar)}.back{fill:var(--line)}.mark{stroke:var(--good);"
    "stroke-width:2}.soft{color:var(--soft)}\n"
    ".advice{border-left:4px solid var(--bar);padding:.2rem .8rem}\n"
    /* A narrow page keeps the numbers and leaves the pictures of them out. */
    "@media(max-width:40rem){body{font-size:14px;padding:.7rem}.p{display:none}"
    "td.name{min-width:4.5rem}th,td{padding-right:.4rem}}\n</style>\n";

/* ---- pieces ---- */

void html_money(struct buf *out, nano_usd cost)
{
    char text[32];

    buf_add(out, cost_format(cost, text));
}

static void rate_write(struct buf *out, const struct daily_rate *r)
{
    if (r->n == 0)
        buf_add(out, STR("no queries"));
    else
        buf_printf(out,
                   "%.1f %% <span class=\"soft\">(%" PRId64 " of %" PRId64 "; %.1f to %.1f)</span>",
                   100 * r->interval.estimate, r->k, r->n, 100 * r->interval.lower,
                   100 * r->interval.upper);
}

/* A part of 1 as a bar below a name. */
static void bar_write(struct buf *out, double part)
{
    buf_printf(out,
               "<div class=\"track\" aria-hidden=\"true\"><i style=\"width:%.2f%%\"></i></div>",
               100 * (part < 0   ? 0
                      : part > 1 ? 1
                                 : part));
}

/* An interval within [0, 1] as a line, its estimate as a stroke. */
static void interval_write(struct buf *out, const struct interval *i)
{
    buf_printf(out,
               "<svg width=\"%.0f\" height=\"%d\" role=\"img\" aria-label=\"95 %% interval\">"
               "<rect class=\"back\" y=\"5\" width=\"%.0f\" height=\"2\"/>"
               "<path class=\"mark\" d=\"M%.2f 6H%.2fM%.2f 1V11\"/></svg>",
               BAR_WIDTH, BAR_HEIGHT, BAR_WIDTH, BAR_WIDTH * i->lower, BAR_WIDTH * i->upper,
               BAR_WIDTH * i->estimate);
}

static void row_open(struct buf *out, const char *label)
{
    buf_printf(out, "<tr><th scope=\"row\">%s</th><td>", label);
}

static void row_close(struct buf *out)
{
    buf_add(out, STR("</td></tr>\n"));
}

static void money_row(struct buf *out, const char *label, nano_usd cost)
{
    row_open(out, label);
    html_money(out, cost);
    row_close(out);
}

void html_table_open(struct buf *out, const char *title)
{
    buf_printf(out, "<h2>%s</h2><div class=\"scroll\"><table>\n", title);
}

void html_table_close(struct buf *out)
{
    buf_add(out, STR("</table></div>\n"));
}

static void confidence_row(struct buf *out, const char *label, const struct daily_confidence *c,
                           const char *kind)
{
    row_open(out, label);
    if (c->n > 0)
        buf_printf(out, "%.3f ± %.3f <span class=\"soft\">(%s; n = %" PRId64 ")</span>", c->mean,
                   c->sd, kind, c->n);
    else
        buf_add(out, STR("none recorded"));
    row_close(out);
}

static void latency_row(struct buf *out, const struct daily_latency *l)
{
    row_open(out, "Latency");
    if (l->n == 0)
        buf_add(out, STR("not recorded"));
    else if (l->is_maximum)
        buf_printf(out, "at most %.0f ms <span class=\"soft\">(n = %" PRId64 ")</span>", l->p95_ms,
                   l->n);
    else
        buf_printf(out,
                   "p50 %.0f ms, p95 %.0f ms, p99 %.0f ms <span class=\"soft\">(n = %" PRId64
                   ")</span>",
                   l->p50_ms, l->p95_ms, l->p99_ms, l->n);
    row_close(out);
}

/* ---- sections ---- */

static void totals_write(const struct daily *d, struct buf *out)
{
    const char *kind = daily_confidence_label(d);

    html_table_open(out, d->day.days > 1 ? "These days" : "The day");
    row_open(out, "Queries");
    buf_printf(out, "%" PRId64, d->ledger->total.queries);
    row_close(out);
    money_row(out, d->is_simulated ? "Cost (simulated: nobody was paid)" : "Cost",
              d->ledger->total.cost);
    money_row(out, "Average per query", d->average);
    row_open(out, "Success");
    rate_write(out, &d->success);
    row_close(out);
    confidence_row(out, "HRM confidence", &d->hrm, kind);
    confidence_row(out, "TRM confidence", &d->trm, kind);
    latency_row(out, &d->latency);
    row_open(out, "Unpriced calls, in no sum");
    buf_printf(out, "%" PRId64, d->calls.unpriced);
    row_close(out);
    html_table_close(out);
}

static void repriced_write(const struct daily *d, struct buf *out)
{
    const struct daily_repriced *r = &d->repriced;

    html_table_open(out, "Savings, repriced: the same tokens at the baseline&#39;s price");
    row_open(out, "Baseline");
    name_write_html(out, d->baseline);
    row_close(out);
    if (r->is_priced) {
        money_row(out, "Its cost", r->baseline_cost);
        row_open(out, "Savings");
        html_money(out, r->savings);
        buf_printf(out, " (%.1f %%)", r->percentage);
        row_close(out);
        row_open(out, "Of calls");
        buf_printf(out, "%" PRId64 "; left out: %" PRId64, r->compared, r->left_out);
        row_close(out);
    } else {
        row_open(out, "Savings");
        buf_add(out, STR("unknown: no call can be priced by it"));
        row_close(out);
    }
    html_table_close(out);
}

static void measure_write(const struct daily_measure *m, struct buf *out)
{
    buf_add(out, STR("<tr><td class=\"name\">"));
    name_write_html(out, m->label);
    buf_add(out, STR("</td><td>"));
    if (m->saved.is_valid)
        buf_printf(out, "$%.6f <span class=\"soft\">(%.6f to %.6f)</span>, %.1f %%",
                   m->saved.diff.estimate, m->saved.diff.lower, m->saved.diff.upper,
                   m->saved_percentage);
    else
        buf_add(out, STR("too little data to decide"));
    buf_add(out, STR("</td><td>"));
    rate_write(out, &m->treated);
    buf_add(out, STR("</td><td>"));
    rate_write(out, &m->control);
    row_close(out);
}

static void measured_write(const struct daily *d, struct buf *out)
{
    html_table_open(out, "Savings, measured: an arm against its control");
    if (d->measures_count == 0)
        buf_add(out, STR("<tr><td>not measured: no control traffic</td></tr>\n"));
    else
        buf_add(out, STR("<tr><th>Arm</th><th>Saved a query</th><th>Its success</th><th>The "
                         "control&#39;s</th></tr>\n"));
    for (size_t i = 0; i < d->measures_count; i++)
        measure_write(&d->measures[i], out);
    html_table_close(out);
}

static void cost_cells(struct buf *out, str name, nano_usd cost, nano_usd total)
{
    buf_add(out, STR("<tr><td class=\"name\">"));
    name_write_html(out, name);
    bar_write(out, daily_share(cost, total) / 100);
    buf_add(out, STR("</td><td class=\"n\">"));
    html_money(out, cost);
    buf_printf(out, "</td><td class=\"n p\">%.1f %%", daily_share(cost, total));
}

static void axis_write(const struct daily *d, const struct daily_axis *axis, struct buf *out)
{
    const struct report_parts *parts = &d->ledger->parts[axis->axis];

    html_table_open(out, axis->title);
    buf_add(out, STR("<tr><th>Name</th><th class=\"n\">Cost</th><th class=\"n p\">Share</th>"
                     "<th class=\"p\"></th><th>Success</th></tr>\n"));
    for (size_t i = 0; i < parts->count; i++) {
        const struct report_part *p = &parts->items[i];
        struct daily_rate success = daily_rate_of(p->succeeded, p->queries);
        cost_cells(out, p->name, p->cost, d->ledger->total.cost);
        buf_add(out, STR("</td><td class=\"p\">"));
        interval_write(out, &success.interval);
        buf_add(out, STR("</td><td>"));
        rate_write(out, &success);
        row_close(out);
    }
    html_table_close(out);
}

static void models_write(const struct daily *d, struct buf *out)
{
    html_table_open(out, "By Model");
    buf_add(out, STR("<tr><th>Name</th><th class=\"n\">Cost</th><th class=\"n p\">Share</th>"
                     "<th>Calls</th></tr>\n"));
    for (size_t i = 0; i < d->models_count; i++) {
        const struct report_calls *m = &d->models[i];
        cost_cells(out, m->model, m->cost, d->ledger->total.cost);
        buf_printf(out, "</td><td>%" PRId64 ", unpriced %" PRId64, m->calls, m->unpriced);
        row_close(out);
    }
    html_table_close(out);
}

static void where_write(const struct daily *d, struct buf *out)
{
    struct daily_kind kinds[DAILY_KINDS];

    daily_kinds(&d->calls, kinds);
    html_table_open(out, "Where the Money Went");
    money_row(out, "Failed queries", d->ledger->total.failed_cost);
    for (size_t i = 0; i < DAILY_KINDS; i++) {
        buf_printf(out, "<tr><th scope=\"row\">Calls %s</th><td>", kinds[i].title);
        html_money(out, kinds[i].cost);
        buf_printf(out, " (%" PRId64 ")", kinds[i].calls);
        row_close(out);
    }
    row_open(out, "Input from the provider&#39;s cache");
    html_money(out, d->calls.cached_cost);
    buf_printf(out, " (%" PRId64 " tokens; without the cache ", d->calls.usage.cached);
    html_money(out, d->calls.cached_saved);
    buf_add(out, STR(" more)"));
    row_close(out);
    row_open(out, d->is_simulated ? "Paid for, apart" : "Simulated, apart");
    html_money(out, d->ledger->other_cost);
    buf_printf(out, " (%" PRId64 " calls)", d->ledger->other_calls);
    row_close(out);
    html_table_close(out);
}

void daily_write_html(const struct daily *d, struct buf *out)
{
    buf_add(out, STR(head));
    buf_printf(out,
               "<title>%s - %s</title></head>\n<body><h1>%s - %s%s%s "
               "<span class=\"soft\">(%s%s)%s</span></h1>\n",
               daily_title(d), d->day.date, daily_title(d), d->day.date,
               d->day.days > 1 ? " to " : "", d->day.days > 1 ? d->day.last_date : "", d->day.zone,
               d->day.is_over ? "" : ", so far", d->is_simulated ? " SIMULATED" : "");
    buf_add(out, STR("<p class=\"advice\"><strong>Recommendation:</strong> "));
    name_write_html(out, d->recommendation);
    buf_printf(out, ". <span class=\"soft\">[from: %s]</span></p>\n", daily_basis_name(d->basis));
    if (d->ledger->is_live)
        buf_add(out, STR("<p>A running weir holds this ledger: what it has not imported yet is "
                         "missing.</p>\n"));
    if (d->ledger->total.queries == 0) {
        buf_printf(out, "<p>The ledger has no %squeries of this day.</p>\n</body></html>\n",
                   d->is_simulated ? "simulated " : "");
        return;
    }
    html_bars(d, out);
    totals_write(d, out);
    html_kpis(d, out);
    repriced_write(d, out);
    measured_write(d, out);
    for (size_t i = 0; i < DAILY_AXES; i++)
        axis_write(d, &daily_axes[i], out);
    models_write(d, out);
    where_write(d, out);
    html_calibrations(d, out);
    buf_add(out, STR("</body></html>\n"));
}
