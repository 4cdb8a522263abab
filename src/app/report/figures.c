/* SPDX-License-Identifier: Apache-2.0 */
/* figures: what a report draws: cost by hour or day, calibration, percentiles of latency. */
#include <math.h>

#include "app/report/daily_internal.h"

/* ---- cost by hour or day ---- */

static void bar_sum(const struct ledger_report *ledger, struct daily_bar *bar)
{
    int64_t from = bar->part.from / REPORT_SLOT_USEC - ledger->first_slot;
    int64_t to = bar->part.to / REPORT_SLOT_USEC - ledger->first_slot;

    for (int64_t i = from; i < to && i >= 0 && (uint64_t)i < ledger->slots_count; i++) {
        bar->queries += ledger->slots[i].queries;
        bar->succeeded += ledger->slots[i].succeeded;
        bar->cost = cost_add(bar->cost, ledger->slots[i].cost);
    }
}

/* None where hours are not whole quarter hours, as in zones of long ago. */
void daily_bars_make(struct daily *d, struct arena *arena)
{
    struct day_part *parts = ARENA_ARRAY(arena, DAY_PARTS_MAX, struct day_part);
    size_t count = parts ? day_split(&d->day, parts) : 0;

    d->bars = ARENA_ARRAY(arena, count + 1, struct daily_bar);
    if (!d->bars)
        return;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].from % REPORT_SLOT_USEC != 0 || parts[i].to % REPORT_SLOT_USEC != 0) {
            d->bars_count = 0;
            return;
        }
        d->bars[i] = (struct daily_bar){ .part = parts[i] };
        bar_sum(d->ledger, &d->bars[i]);
        d->bars_count = i + 1;
    }
}

/* ---- calibration ---- */

/* ECE (Naeini et al. 2015): the gap between mean confidence and share of right answers in each bin, weighed by its queries. */
static struct daily_calibration calibration_of(enum ledger_source source, bool is_calibrated,
                                               const struct report_bin bins[REPORT_BINS])
{
    struct daily_calibration c = { .source = source, .is_calibrated = is_calibrated, .bins = bins };
    double gaps = 0;

    for (size_t i = 0; i < REPORT_BINS; i++) {
        c.n += bins[i].n;
        gaps += fabs(bins[i].confidence - (double)bins[i].right);
    }
    c.ece = c.n > 0 ? gaps / (double)c.n : 0;
    return c;
}

void daily_calibrations_make(struct daily *d)
{
    for (size_t s = 0; s < LABEL_SOURCE_COUNT; s++) {
        for (size_t kind = 0; kind < 2; kind++) {
            struct daily_calibration c =
                calibration_of((enum ledger_source)s, kind == 1, d->ledger->labels[s].bins[kind]);
            if (c.n > 0)
                d->calibrations[d->calibrations_count++] = c;
        }
    }
}

/* ---- latency ---- */

struct daily_latency daily_latency_of(const struct histogram *h)
{
    if (!h || h->n == 0)
        return (struct daily_latency){ 0 };
    return (struct daily_latency){
        .n = (int64_t)h->n,
        .is_maximum = h->n < HISTOGRAM_QUANTILE_N_MIN,
        .p50_ms = histogram_quantile(h, 0.5).value / 1000,
        .p95_ms = histogram_quantile(h, 0.95).value / 1000,
        .p99_ms = histogram_quantile(h, 0.99).value / 1000,
    };
}
