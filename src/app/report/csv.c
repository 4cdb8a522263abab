/* SPDX-License-Identifier: Apache-2.0 */
/*
 * csv: one table (RFC 4180): a row for the total and one for each part of each list. Names are quoted and cannot be formulas; a
 * figure that does not exist is an empty field.
 */
#include "app/report/daily_internal.h"

static const char header[] =
    "date,section,name,queries,succeeded,success_rate,success_lower,success_upper,calls,"
    "unpriced_calls,cost_nano_usd,cost_usd\r\n";

static void row_begin(struct buf *out, const struct daily *d, const char *section, str name)
{
    buf_printf(out, "%s,%s,", d->day.date, section);
    name_write_csv(out, name);
}

static void cost_end(struct buf *out, nano_usd cost)
{
    char text[32];
    str dollars = cost_decimal(cost, text);

    buf_printf(out, ",%" PRId64 ",%.*s\r\n", cost, STR_ARG(dollars));
}

static void queries_write(struct buf *out, int64_t queries, int64_t succeeded)
{
    struct daily_rate success = daily_rate_of(succeeded, queries);

    buf_printf(out, ",%" PRId64 ",%" PRId64, queries, succeeded);
    if (queries > 0)
        buf_printf(out, ",%.6f,%.6f,%.6f", success.interval.estimate, success.interval.lower,
                   success.interval.upper);
    else
        buf_add(out, STR(",,,"));
}

static void part_write(struct buf *out, const struct daily *d, const char *section,
                       const struct report_part *p)
{
    row_begin(out, d, section, p->name);
    queries_write(out, p->queries, p->succeeded);
    buf_printf(out, ",,%" PRId64, p->unpriced_calls);
    cost_end(out, p->cost);
}

/* Rows of calls have no queries. */
static void calls_write(struct buf *out, const struct daily *d, const char *section, str name,
                        int64_t calls, nano_usd cost)
{
    row_begin(out, d, section, name);
    buf_printf(out, ",,,,,,%" PRId64 ",", calls);
    cost_end(out, cost);
}

static void models_write(struct buf *out, const struct daily *d)
{
    for (size_t i = 0; i < d->models_count; i++) {
        const struct report_calls *m = &d->models[i];
        row_begin(out, d, "model", m->model);
        buf_printf(out, ",,,,,,%" PRId64 ",%" PRId64, m->calls, m->unpriced);
        cost_end(out, m->cost);
    }
}

/* Hours or days; how many of their calls are unpriced is not known. */
static void series_write(struct buf *out, const struct daily *d)
{
    for (size_t i = 0; i < d->bars_count; i++) {
        const struct daily_bar *bar = &d->bars[i];
        row_begin(out, d, d->day.days > 1 ? "day" : "hour", str_from(bar->part.label));
        queries_write(out, bar->queries, bar->succeeded);
        buf_add(out, STR(",,"));
        cost_end(out, bar->cost);
    }
}

void daily_write_csv(const struct daily *d, struct buf *out)
{
    struct daily_kind kinds[DAILY_KINDS];

    buf_add(out, STR(header));
    part_write(out, d, "total", &d->ledger->total);
    for (size_t a = 0; a < DAILY_AXES; a++) {
        const struct report_parts *parts = &d->ledger->parts[daily_axes[a].axis];
        for (size_t i = 0; i < parts->count; i++)
            part_write(out, d, daily_axes[a].key, &parts->items[i]);
    }
    models_write(out, d);
    series_write(out, d);
    daily_kinds(&d->calls, kinds);
    for (size_t i = 0; i < DAILY_KINDS; i++)
        calls_write(out, d, "calls", str_from(kinds[i].key), kinds[i].calls, kinds[i].cost);
    calls_write(out, d, d->is_simulated ? "paid_apart" : "simulated_apart", STR(""),
                d->ledger->other_calls, d->ledger->other_cost);
    if (d->repriced.is_priced)
        calls_write(out, d, "repriced_baseline", d->baseline, d->repriced.compared,
                    d->repriced.baseline_cost);
}
