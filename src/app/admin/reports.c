/* SPDX-License-Identifier: Apache-2.0 */
/* reports: GET /admin/v1/reports?date=2026-11-24&baseline=gpt-4o&simulated=1: a UTC day's cost report, as `weir report --json` has it. */
#include "app/admin/reader.h"

#include "app/report/daily.h"

#define FRESH (30 * NSEC_PER_SEC)

static bool day_read(struct reading *r, struct day *out)
{
    struct day_query query = { .zone = STR("UTC"), .now = r->now };
    char why[256] = "";

    if (!reading_param(r, "date", &query.date))
        return false;
    if (day_find(&query, out, why) == OK)
        return true;
    reading_refuse(r, 400, "bad_request", why);
    return false;
}

void reports_answer(struct reading *r, str rest)
{
    struct daily_request request = { .directory = r->directory,
                                     .config = r->config,
                                     .format = DAILY_JSON };
    char why[256] = "";

    if (rest.len > 0) {
        reading_refuse(r, 404, "unknown_path", "there is nothing at this path");
        return;
    }
    if (!day_read(r, &request.day) || !reading_param(r, "baseline", &request.baseline) ||
        !reading_flag(r, "simulated", &request.is_simulated))
        return;
    if (daily_report(&request, r->body, why) != OK) {
        reading_store_failed(r, why);
        return;
    }
    r->fresh = FRESH;
}
