/* SPDX-License-Identifier: Apache-2.0 */
/*
 * day: the instants of a local date. A day starts at the first second whose local date is not before it, which is found by bisection,
 * because midnight need not exist (clocks that go forward at midnight) and may exist twice (clocks that go back over it).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "app/report/daily.h"
#include "base/utc.h"

#define USEC_PER_SEC INT64_C(1000000)
#define SECONDS_PER_DAY INT64_C(86400)
#define OFFSET_MAX                                                                                 \
    (26 * INT64_C(3600)) /* of a local midnight from UTC's; zones reach from -16 to +16 hours */
#define ZONES "/usr/share/zoneinfo"
/* Names as the database has them: Area/Place_Name-1+2. */
#define ZONE_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/"

/* ---- zones ---- */

/* tzset() takes an unknown name for UTC, so the name is looked for first. */
static bool zone_is_known(str zone)
{
    char path[128];
    struct stat info;

    if (str_eq(zone, STR("UTC")))
        return true;
    if (zone.len == 0 || zone.len >= sizeof(((struct day *)0)->zone) || zone.ptr[0] == '/')
        return false;
    for (size_t i = 0; i < zone.len; i++) {
        if (str_find_char(STR(ZONE_CHARACTERS), zone.ptr[i]) == STR_NPOS)
            return false;
    }
    snprintf(path, sizeof(path), ZONES "/%.*s", STR_ARG(zone));
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

/* Sets TZ; gives what it was (NULL: it was not set), for zone_leave(). */
static char *zone_enter(const char *zone)
{
    const char *before = getenv("TZ");
    char *kept = before ? strdup(before) : NULL;
    char value[72];

    /* A colon says that a name follows, not a rule. */
    snprintf(value, sizeof(value), ":%s", zone);
    setenv("TZ", value, 1);
    tzset();
    return kept;
}

static void zone_leave(char *kept)
{
    if (kept)
        setenv("TZ", kept, 1);
    else
        unsetenv("TZ");
    tzset();
    free(kept);
}

/* ---- days ---- */

/* Days since 1970-01-01 of the local date at an instant. */
static int64_t local_days(int64_t second)
{
    time_t at = (time_t)second;
    struct tm local = { 0 };

    localtime_r(&at, &local);
    return utc_days(local.tm_year + 1900, local.tm_mon + 1, local.tm_mday);
}

static int64_t day_start(int64_t days)
{
    int64_t low = days * SECONDS_PER_DAY - OFFSET_MAX, high = days * SECONDS_PER_DAY + OFFSET_MAX;

    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (local_days(middle) >= days)
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

enum err day_find(str date, str zone, usec_utc now, struct day *out, char out_why[256])
{
    struct day day = { 0 };
    int64_t days = 0;
    char text[UTC_TEXT_MAX];

    if (!zone_is_known(zone)) {
        snprintf(out_why, 256,
                 "the zone must be a name of the tz database, as UTC or Europe/Berlin (in " ZONES
                 "; the Debian package is tzdata)");
        return CALLER_BAD_REQUEST;
    }
    if (date.len > 0 && !date_parse(date, &days)) {
        snprintf(out_why, 256, "the date must be one of the calendar, as 2026-11-24");
        return CALLER_BAD_REQUEST;
    }
    snprintf(day.zone, sizeof(day.zone), "%.*s", STR_ARG(zone));
    char *kept = zone_enter(day.zone);
    if (date.len == 0)
        days = local_days(now / USEC_PER_SEC);
    day.from = day_start(days) * USEC_PER_SEC;
    day.to = day_start(days + 1) * USEC_PER_SEC;
    zone_leave(kept);
    day.is_over = now >= day.to;
    str shown = utc_format(days * SECONDS_PER_DAY * USEC_PER_SEC, text);
    snprintf(day.date, sizeof(day.date), "%.10s", shown.ptr);
    *out = day;
    return OK;
}
