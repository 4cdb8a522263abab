/* SPDX-License-Identifier: Apache-2.0 */
/* day: the calendar's oddities, and that what is put back is put back. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "app/report/daily.h"
#include "base/utc.h"
#include "test/check.h"

#define USEC_PER_HOUR (INT64_C(3600) * 1000000)
#define NOW INT64_C(1795478400000000) /* 2026-11-24T00:00:00Z */

static bool has_zones(void)
{
    struct stat info;

    return stat("/usr/share/zoneinfo/America/Havana", &info) == 0;
}

static struct day day_of(const char *date, const char *zone)
{
    struct day day = { 0 };
    char why[256] = "";

    CHECK_ERR(day_find(str_from(date), str_from(zone), NOW, &day, why), OK);
    return day;
}

static void days_have_their_hours(void)
{
    static const struct {
        const char *date, *zone, *from;
        int hours;
    } rows[] = {
        { "2026-11-24", "UTC", "2026-11-24", 24 },
        { "2024-02-29", "UTC", "2024-02-29", 24 },
        { "2026-06-01", "Europe/Berlin", "2026-05-31T22:00:00Z", 24 },
        { "2026-03-29", "Europe/Berlin", "2026-03-28T23:00:00Z", 23 },
        { "2026-10-25", "Europe/Berlin", "2026-10-24T22:00:00Z", 25 },
        { "2026-03-08", "America/New_York", "2026-03-08T05:00:00Z", 23 },
        { "2026-11-01", "America/New_York", "2026-11-01T04:00:00Z", 25 },
        { "2026-11-24", "Asia/Kathmandu", "2026-11-23T18:15:00Z", 24 },
        { "2026-11-24", "Pacific/Kiritimati", "2026-11-23T10:00:00Z", 24 },
        /* Midnight does not exist: clocks go from 24:00 to 01:00. */
        { "2018-11-04", "America/Sao_Paulo", "2018-11-04T03:00:00Z", 23 },
        /* 23:00 to 24:00 comes twice. */
        { "2018-02-17", "America/Sao_Paulo", "2018-02-17T02:00:00Z", 25 },
        /* 00:00 to 01:00 comes twice: the day starts at the first. */
        { "2026-11-01", "America/Havana", "2026-11-01T04:00:00Z", 25 },
        /* The date line went over the island: no such date. */
        { "2011-12-30", "Pacific/Apia", "2011-12-30T10:00:00Z", 0 },
    };

    if (!has_zones())
        SKIP("no tz database (tzdata)");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct day day = day_of(rows[i].date, rows[i].zone);
        usec_utc from = -1;
        CHECK(utc_parse(str_from(rows[i].from), &from));
        CHECK_INT(day.from, from);
        CHECK_INT((day.to - day.from) / USEC_PER_HOUR, rows[i].hours);
        CHECK_STR(str_from(day.date), str_from(rows[i].date));
    }
}

/* Every instant is in one day: each starts where the one before ends. */
static void days_follow_each_other(void)
{
    static const char *const zones[] = { "UTC", "America/Havana", "America/St_Johns",
                                         "Pacific/Apia" };

    if (!has_zones())
        SKIP("no tz database (tzdata)");
    for (size_t z = 0; z < ARRAY_LEN(zones); z++) {
        usec_utc end = -1;
        for (int64_t d = utc_days(2006, 10, 1); d < utc_days(2007, 5, 1); d++) {
            char date[UTC_TEXT_MAX];
            utc_format(d * 24 * USEC_PER_HOUR, date);
            date[10] = '\0';
            struct day day = day_of(date, zones[z]);
            CHECK(end < 0 || day.from == end);
            CHECK(day.to >= day.from);
            end = day.to;
        }
    }
}

static void today_is_that_of_the_zone(void)
{
    CHECK_STR(str_from(day_of("", "UTC").date), STR("2026-11-24"));
    CHECK(!day_of("", "UTC").is_over);
    CHECK(day_of("2026-11-23", "UTC").is_over);
    if (!has_zones())
        SKIP("no tz database (tzdata)");
    CHECK_STR(str_from(day_of("", "America/New_York").date), STR("2026-11-23"));
}

static void nonsense_is_refused(void)
{
    static const struct {
        const char *date, *zone;
    } rows[] = {
        { "2026-02-29", "UTC" },
        { "2026-13-01", "UTC" },
        { "2026-1-1", "UTC" },
        { "yesterday", "UTC" },
        { "2026-11-24T00", "UTC" },
        { "2026-11-24", "" },
        { "2026-11-24", "CET-1X" },
        { "2026-11-24", "../../../etc/passwd" },
        { "2026-11-24", "/etc/localtime" },
        { "2026-11-24", "Europe" },
        { "2026-11-24", "Europe/Nowhere" },
        { "2026-11-24", "a b" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct day day = { .from = 7 };
        char why[256] = "";
        CHECK_ERR(day_find(str_from(rows[i].date), str_from(rows[i].zone), NOW, &day, why),
                  CALLER_BAD_REQUEST);
        CHECK(why[0] != '\0' && day.from == 7);
    }
}

static void the_zone_is_put_back(void)
{
    setenv("TZ", "Asia/Tokyo", 1);
    day_of("2026-11-24", "UTC");
    CHECK(strcmp(getenv("TZ"), "Asia/Tokyo") == 0);
    unsetenv("TZ");
    day_of("2026-11-24", "UTC");
    CHECK(getenv("TZ") == NULL);
}

TESTS(TEST(days_have_their_hours), TEST(days_follow_each_other), TEST(today_is_that_of_the_zone),
      TEST(nonsense_is_refused), TEST(the_zone_is_put_back))
