/* SPDX-License-Identifier: Apache-2.0 */
/*
 * day: the instants of a local date. A day starts at the first second whose local date is not before it, which is found by bisection,
 * because midnight need not exist (clocks that go forward at midnight) and may exist twice (clocks that go back over it).
 */
#include <stdio.h>
#include <string.h>

#include "app/report/daily.h"
#include "app/report/zone.h"
#include "base/utc.h"

#define USEC_PER_SEC INT64_C(1000000)
#define SECONDS_PER_DAY INT64_C(86400)
_Static_assert(DAYS_MAX <= DAY_PARTS_MAX, "each day of a span is a part");

#define OFFSET_MAX                                                                                 \
    (26 * INT64_C(3600)) /* of a local midnight from UTC's; zones reach from -16 to +16 hours */

/* ---- days ---- */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Days since 1970-01-01 of the local date at an instant. */
static int64_t local_days(const struct zone *zone, int64_t second)
{
    return floor_div(second + zone_offset(zone, second), SECONDS_PER_DAY);
}

static int64_t day_start(const struct zone *zone, int64_t days)
{
    int64_t low = days * SECONDS_PER_DAY - OFFSET_MAX, high = days * SECONDS_PER_DAY + OFFSET_MAX;

    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (local_days(zone, middle) >= days)
            high = middle;
        else
            low = middle;
    }
    return high;
}

/* A whole date of a year that has four digits. */
static bool date_parse(str date, int64_t *out_days)
{
    usec_utc midnight;

    if (date.len != 10 || !utc_parse(date, &midnight))
        return false;
    *out_days = utc_days(utc_parts_of(midnight).year, utc_parts_of(midnight).month,
                         utc_parts_of(midnight).day);
    return true;
}

static void date_write(int64_t days, char out[16])
{
    char text[UTC_TEXT_MAX];

    snprintf(out, 16, "%.10s", utc_format(days * SECONDS_PER_DAY * USEC_PER_SEC, text).ptr);
}

static void day_make(const struct zone *zone, int64_t first, int64_t last, usec_utc now,
                     struct day *out)
{
    out->from = day_start(zone, first) * USEC_PER_SEC;
    out->to = day_start(zone, last + 1) * USEC_PER_SEC;
    out->days = (int)(last - first + 1);
    out->is_over = now >= out->to;
    date_write(first, out->date);
    date_write(last, out->last_date);
}

/* The dates as days since 1970-01-01; a sentence when they are none. */
static const char *dates_find(const struct day_query *query, const struct zone *zone,
                              int64_t *out_first, int64_t *out_last)
{
    int64_t first = local_days(zone, floor_div(query->now, USEC_PER_SEC)), last;

    if (query->date.len > 0 && !date_parse(query->date, &first))
        return "the date must be one of the calendar, as 2026-11-24";
    last = first;
    if (query->last_date.len > 0 && !date_parse(query->last_date, &last))
        return "the last date must be one of the calendar, as 2026-11-24";
    if (last < first)
        return "the last date is before the first";
    if (last - first >= DAYS_MAX)
        return "a report is of 366 days at most";
    *out_first = first;
    *out_last = last;
    return NULL;
}

enum err day_find(const struct day_query *query, struct day *out, char out_why[256])
{
    struct day day = { 0 };
    struct zone zone;
    int64_t first = 0, last = 0;

    if (zone_open(&zone, query->zone) != OK) {
        snprintf(out_why, 256,
                 "the zone must be a name of the tz database, as UTC or Europe/Berlin (in "
                 "/usr/share/zoneinfo; the Debian package is tzdata)");
        return CALLER_BAD_REQUEST;
    }
    const char *fault = dates_find(query, &zone, &first, &last);
    if (!fault)
        day_make(&zone, first, last, query->now, &day);
    zone_close(&zone);
    if (fault) {
        snprintf(out_why, 256, "%s", fault);
        return CALLER_BAD_REQUEST;
    }
    snprintf(day.zone, sizeof(day.zone), "%.*s", STR_ARG(query->zone));
    *out = day;
    return OK;
}

/* ---- hours and days of a span ---- */

/* Hours of the local clock begin at its whole hours; the first and the last may be shorter. */
static size_t hours_split(const struct zone *zone, const struct day *day, struct day_part *out)
{
    size_t count = 0;

    for (int64_t at = day->from / USEC_PER_SEC, to = day->to / USEC_PER_SEC; at < to;) {
        int64_t local = at + zone_offset(zone, at), end = at + 3600 - local % 3600;
        struct day_part *part = &out[count++];
        assert(count <= DAY_PARTS_MAX);
        part->from = at * USEC_PER_SEC;
        part->to = (end < to ? end : to) * USEC_PER_SEC;
        snprintf(part->label, sizeof(part->label), "%02d:00",
                 (int)(local % SECONDS_PER_DAY / 3600));
        at = end;
    }
    return count;
}

/* By their dates: the first need not have an instant of its own. */
static size_t days_split(const struct zone *zone, const struct day *day, struct day_part *out)
{
    int64_t first;

    if (!date_parse(str_from(day->date), &first))
        return 0;
    for (int i = 0; i < day->days; i++) {
        out[i].from = day_start(zone, first + i) * USEC_PER_SEC;
        out[i].to = day_start(zone, first + i + 1) * USEC_PER_SEC;
        date_write(first + i, out[i].label);
    }
    return (size_t)day->days;
}

size_t day_split(const struct day *day, struct day_part out[DAY_PARTS_MAX])
{
    struct zone zone;

    if (day->from >= day->to || zone_open(&zone, str_from(day->zone)) != OK)
        return 0;
    size_t count = day->days > 1 ? days_split(&zone, day, out) : hours_split(&zone, day, out);
    zone_close(&zone);
    return count;
}
