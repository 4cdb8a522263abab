/* SPDX-License-Identifier: Apache-2.0 */
/* utc's tests: known instants, round trips over a long time, and what is no instant. */
#include "base/utc.h"

#include <time.h>

#include "base/rng.h"
#include "test/check.h"

static void known_instants(void)
{
    static const struct {
        usec_utc t;
        const char *text;
    } rows[] = {
        { 0, "1970-01-01T00:00:00.000000Z" },
        { -1, "1969-12-31T23:59:59.999999Z" },
        { INT64_C(951782400000000), "2000-02-29T00:00:00.000000Z" },
        { INT64_C(1795400710800001), "2026-11-23T02:25:10.800001Z" },
        { INT64_C(4107542399999999), "2100-02-28T23:59:59.999999Z" },
        { INT64_C(253402300799999999), "9999-12-31T23:59:59.999999Z" },
        { INT64_C(-62167219200000000), "0000-01-01T00:00:00.000000Z" },
    };
    char text[UTC_TEXT_MAX];
    usec_utc back;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CHECK_STR(utc_format(rows[i].t, text), str_from(rows[i].text));
        CHECK(utc_parse(str_from(rows[i].text), &back));
        CHECK_INT(back, rows[i].t);
    }
    CHECK_STR(utc_format(INT64_MAX, text), STR("9999-12-31T23:59:59.999999Z"));
    CHECK_STR(utc_format(INT64_MIN, text), STR("0000-01-01T00:00:00.000000Z"));
}

static void agrees_with_the_c_library(void)
{
    struct rng rng;

    rng_init(&rng, 7);
    for (int i = 0; i < 20000; i++) {
        int64_t seconds = (int64_t)rng_below(&rng, UINT64_C(400000000000)) - INT64_C(62000000000);
        time_t at = (time_t)seconds;
        struct tm tm;
        struct utc_parts p = utc_parts_of(seconds * 1000000 + 5);
        REQUIRE(gmtime_r(&at, &tm));
        CHECK(p.year == tm.tm_year + 1900 && p.month == tm.tm_mon + 1 && p.day == tm.tm_mday);
        CHECK(p.hour == tm.tm_hour && p.minute == tm.tm_min && p.second == tm.tm_sec &&
              p.usec == 5);
    }
}

static void shorter_forms_are_read(void)
{
    usec_utc t;

    CHECK(utc_parse(STR("1970-01-02"), &t) && t == INT64_C(86400000000));
    CHECK(utc_parse(STR("1970-01-01T00:00:01Z"), &t) && t == 1000000);
    CHECK(utc_parse(STR("1970-01-01T00:00:01.5Z"), &t) && t == 1500000);
}

static void other_texts_are_refused(void)
{
    static const char *const rows[] = {
        "",
        "1970",
        "1970-13-01",
        "1970-00-01",
        "1970-01-00",
        "1970-02-29",
        "1970-04-31",
        "2100-02-29",
        "1970-01-01T",
        "1970-01-01T24:00:00Z",
        "1970-01-01T00:60:00Z",
        "1970-01-01T00:00:60Z",
        "1970-01-01T00:00:00",
        "1970-01-01T00:00:00.Z",
        "1970-01-01T00:00:00.1234567Z",
        "1970-01-01T00:00:00Z ",
        "1970-01-01 00:00:00Z",
        "-970-01-01",
        "1970-1-1",
        "1970-01-01T00:00:00+00:00",
    };
    usec_utc t = 77;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (utc_parse(str_from(rows[i]), &t))
            fprintf(stderr, "row '%s'\n", rows[i]);
        CHECK(!utc_parse(str_from(rows[i]), &t));
    }
    CHECK_INT(t, 77);
}

TESTS(TEST(known_instants), TEST(agrees_with_the_c_library), TEST(shorter_forms_are_read),
      TEST(other_texts_are_refused))
