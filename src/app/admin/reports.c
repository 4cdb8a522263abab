/* SPDX-License-Identifier: Apache-2.0 */
/* reports: GET /admin/v1/reports?date=2026-11-24&baseline=gpt-4o&simulated=1: a UTC day's cost report, as `weir report --json` has it. */
#include "app/admin/reader.h"

#include <stdio.h>

#include "app/report/daily.h"
#include "base/utc.h"

#define DAY_US (INT64_C(86400) * 1000000)
#define FRESH (30 * NSEC_PER_SEC)
#define BASELINE_DEFAULT STR("gpt-4o")

static bool day_read(struct reading *r, struct day *out)
{
    usec_utc at = r->now;
    char text[UTC_TEXT_MAX];
    str date;

    if (!reading_param(r, "date", &date))
        return false;
    if (date.len > 0 && (date.len != 10 || !utc_parse(date, &at))) {
        reading_refuse(r, 400, "bad_request", "date must be a day of the calendar, as 2026-11-24");
        return false;
    }
    at -= (at % DAY_US + DAY_US) % DAY_US;
    *out = (struct day){
        .zone = "UTC", .from = at, .to = at + DAY_US, .is_over = at + DAY_US <= r->now
    };
    snprintf(out->date, sizeof(out->date), "%.10s", utc_format(at, text).ptr);
    return true;
}

void reports_answer(struct reading *r, str rest)
{
    struct daily_options options = { .prices = &r->config->prices };
    struct ledger_report ledger;
    struct daily daily;
    char why[256] = "";

    if (rest.len > 0) {
        reading_refuse(r, 404, "unknown_path", "there is nothing at this path");
        return;
    }
    if (!day_read(r, &options.day) || !reading_param(r, "baseline", &options.baseline) ||
        !reading_flag(r, "simulated", &options.is_simulated))
        return;
    if (options.baseline.len == 0)
        options.baseline = BASELINE_DEFAULT;
    const struct report_span span = { options.day.from, options.day.to, options.is_simulated };
    enum err e = store_read_report(r->directory, &span, &r->arena, &ledger, why);
    if (e == OK)
        e = daily_make(&daily, &options, &ledger, &r->arena);
    if (e != OK) {
        reading_store_failed(r, why[0] ? why : err_info(e)->text);
        return;
    }
    daily_write(&daily, DAILY_JSON, r->body);
    r->fresh = FRESH;
}
