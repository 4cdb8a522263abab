/* SPDX-License-Identifier: Apache-2.0 */
/* day: the calendar's oddities. */
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

    const struct day_query query = { .date = str_from(date), .zone = str_from(zone), .now = NOW };
    CHECK_ERR(day_find(&query, &day, why), OK);
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
        const struct day_query query = { .date = str_from(rows[i].date),
                                         .zone = str_from(rows[i].zone),
                                         .now = NOW };
        CHECK_ERR(day_find(&query, &day, why), CALLER_BAD_REQUEST);
        CHECK(why[0] != '\0' && day.from == 7);
    }
}

static struct day span_of(const char *first, const char *last, const char *zone)
{
    const struct day_query query = {
        .date = str_from(first), .last_date = str_from(last), .zone = str_from(zone), .now = NOW
    };
    struct day day = { 0 };
    char why[256] = "";

    CHECK_ERR(day_find(&query, &day, why), OK);
    return day;
}

static void spans_are_their_days(void)
{
    static const char *const zones[] = { "UTC", "Europe/Berlin", "America/Havana",
                                         "Australia/Lord_Howe", "Asia/Kathmandu" };
    struct day_part parts[DAY_PARTS_MAX];

    for (size_t z = 0; z < ARRAY_LEN(zones) && (z == 0 || has_zones()); z++) {
        struct day year = span_of("2026-01-01", "2026-12-31", zones[z]);
        CHECK_INT(year.days, 365);
        CHECK_INT(year.from, day_of("2026-01-01", zones[z]).from);
        CHECK_INT(year.to, day_of("2026-12-31", zones[z]).to);
        REQUIRE(day_split(&year, parts) == 365);
        for (size_t i = 0; i < 365; i++) {
            struct day day = day_of(parts[i].label, zones[z]);
            CHECK(parts[i].from == day.from && parts[i].to == day.to);
            CHECK(day.from % (INT64_C(900) * 1000000) == 0); /* whole quarter hours */
            struct day_part hours[DAY_PARTS_MAX];
            size_t count = day_split(&day, hours);
            CHECK(count >= 23 && count <= 26 && hours[0].from == day.from);
            for (size_t h = 1; h < count; h++)
                CHECK(hours[h].from == hours[h - 1].to);
            CHECK(hours[count - 1].to == day.to);
        }
    }
    CHECK_INT(day_split(&(struct day){ .zone = "UTC", .days = 1 }, parts), 0);
}

/* Samoa went from one side of the date line to the other, and had no 30 December 2011. */
static void a_span_may_begin_with_a_date_that_was_skipped(void)
{
    struct day_part parts[DAY_PARTS_MAX];

    if (!has_zones())
        SKIP("no tz database (tzdata)");
    struct day days = span_of("2011-12-30", "2012-01-01", "Pacific/Apia");
    REQUIRE(day_split(&days, parts) == 3);
    CHECK(strcmp(parts[0].label, "2011-12-30") == 0 && parts[0].from == parts[0].to);
    CHECK(strcmp(parts[1].label, "2011-12-31") == 0 && parts[1].from == days.from);
    CHECK(strcmp(parts[2].label, "2012-01-01") == 0 && parts[2].to == days.to);
}

static void hours_are_those_of_the_clock(void)
{
    struct day_part hours[DAY_PARTS_MAX];

    if (!has_zones())
        SKIP("no tz database (tzdata)");
    struct day spring = day_of("2026-03-29", "Europe/Berlin");
    REQUIRE(day_split(&spring, hours) == 23);
    CHECK(strcmp(hours[1].label, "01:00") == 0 && strcmp(hours[2].label, "03:00") == 0);
    struct day autumn = day_of("2026-10-25", "Europe/Berlin");
    REQUIRE(day_split(&autumn, hours) == 25);
    CHECK(strcmp(hours[2].label, "02:00") == 0 && strcmp(hours[3].label, "02:00") == 0);
}

/* Where clocks go back by half an hour an hour of theirs is cut in two, and the rest are whole. */
static void half_hours_are_cut(void)
{
    struct day_part hours[DAY_PARTS_MAX];

    if (!has_zones())
        SKIP("no tz database (tzdata)");
    struct day day = day_of("2026-04-05", "Australia/Lord_Howe");
    REQUIRE(day_split(&day, hours) == 25);
    CHECK_INT(day.to - day.from, USEC_PER_HOUR * 49 / 2);
    for (size_t i = 0; i < 25; i++)
        CHECK_INT(hours[i].to - hours[i].from, i == 2 ? USEC_PER_HOUR / 2 : USEC_PER_HOUR);
    CHECK(strcmp(hours[1].label, "01:00") == 0 && strcmp(hours[2].label, "01:00") == 0);
    CHECK(strcmp(hours[3].label, "02:00") == 0);
}

static void spans_that_are_none_are_refused(void)
{
    static const struct {
        const char *first, *last;
    } rows[] = {
        { "2026-11-24", "2026-11-23" },
        { "2026-01-01", "2027-01-02" },
        { "2026-01-01", "tomorrow" },
        { "", "2026-11-23" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct day_query query = { .date = str_from(rows[i].first),
                                         .last_date = str_from(rows[i].last),
                                         .zone = STR("UTC"),
                                         .now = NOW };
        struct day day;
        char why[256] = "";
        CHECK_ERR(day_find(&query, &day, why), CALLER_BAD_REQUEST);
        CHECK(why[0] != '\0');
    }
    CHECK_INT(span_of("2026-01-01", "2027-01-01", "UTC").days, 366);
}

TESTS(TEST(days_have_their_hours), TEST(days_follow_each_other), TEST(today_is_that_of_the_zone),
      TEST(nonsense_is_refused), TEST(spans_are_their_days),
      TEST(a_span_may_begin_with_a_date_that_was_skipped), TEST(hours_are_those_of_the_clock),
      TEST(half_hours_are_cut), TEST(spans_that_are_none_are_refused))
