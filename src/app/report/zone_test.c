/* SPDX-License-Identifier: Apache-2.0 */
/* zone: beside the C library, which reads the same files in its own way. */
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/report/zone.h"
#include "base/rng.h"
#include "test/check.h"

#define ZONES "/usr/share/zoneinfo/"

/* nftw() has no context. */
static struct {
    struct rng rng;
    int64_t zones, refused;
} seen;

static int64_t library_offset(int64_t second)
{
    time_t at = (time_t)second;
    struct tm local = { 0 };

    localtime_r(&at, &local);
    return local.tm_gmtoff;
}

/* Instants near changes are the ones that matter: both sides of every change, and drawn ones to the year 2150. */
static void zone_check(const char *name)
{
    struct zone zone;
    char variable[128];

    if (zone_open(&zone, str_from(name)) != OK) {
        seen.refused++;
        return;
    }
    seen.zones++;
    snprintf(variable, sizeof(variable), ":%s", name);
    setenv("TZ", variable, 1);
    tzset();
    int64_t before = 0;
    for (int i = 0; i < 400; i++) {
        int64_t at = (int64_t)rng_below(&seen.rng, UINT64_C(5680000000));
        if (i % 4 == 0 && i > 0) { /* the change between two, by bisection */
            int64_t low = before < at ? before : at, high = before < at ? at : before;
            int32_t first = zone_offset(&zone, low);
            while (high - low > 1 && zone_offset(&zone, high) != first) {
                int64_t middle = low + (high - low) / 2;
                if (zone_offset(&zone, middle) == first)
                    low = middle;
                else
                    high = middle;
            }
            CHECK_INT(zone_offset(&zone, low), library_offset(low));
            at = high;
        }
        if (zone_offset(&zone, at) != library_offset(at))
            fprintf(stderr, "%s at %lld\n", name, (long long)at);
        CHECK_INT(zone_offset(&zone, at), library_offset(at));
        before = at;
    }
    zone_close(&zone);
}

static int file_check(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    const char *name = path + strlen(ZONES);

    (void)info;
    (void)walk;
    if (kind == FTW_F && strncmp(name, "right/", 6) != 0 && strncmp(name, "posix/", 6) != 0)
        zone_check(name);
    return 0;
}

static void offsets_are_those_of_the_c_library(void)
{
    rng_init(&seen.rng, 3);
    IGNORE(nftw(ZONES, file_check, 16, FTW_PHYS));
    unsetenv("TZ");
    tzset();
    if (seen.zones == 0)
        SKIP("no tz database (tzdata)");
    CHECK(seen.zones > 100 && seen.refused < 40); /* tables and leap seconds are no zones */
}

/* A file with one kind of time and a last line. */
static size_t file_make(uint8_t *out, const char *rule)
{
    static const uint8_t head[44] = { 'T', 'Z', 'i', 'f', '2', [39] = 1, [43] = 4 };
    static const uint8_t body[] = { 0, 0, 0x0e, 0x10, 0, 0, 'X', 'Y', 'Z', 0 };
    size_t len = 0;

    for (int block = 0; block < 2; block++) {
        memcpy(out + len, head, sizeof(head));
        memcpy(out + len + sizeof(head), body, sizeof(body));
        len += sizeof(head) + sizeof(body);
    }
    out[len++] = '\n';
    memcpy(out + len, rule, strlen(rule));
    len += strlen(rule);
    out[len++] = '\n';
    return len;
}

static void last_lines(void)
{
    static const struct {
        const char *rule;
        int64_t second;
        int32_t offset; /* -1: refused */
    } rows[] = {
        { "", 0, 3600 }, /* then the last kind holds */
        { "UTC0", 0, 0 },
        { "<+0330>-3:30", 0, 12600 },
        { "CET-1CEST,M3.5.0,M10.5.0/3", 1774746000, 7200 }, /* 2026-03-29 01:00 UTC */
        { "CET-1CEST,M3.5.0,M10.5.0/3", 1774745999, 3600 },
        { "AEST-10AEDT,M10.1.0,M4.1.0/3", 1767225600, 39600 }, /* southern summer */
        { "XXX-1YYY,J60,J300", 1772323199, 3600 }, /* 1 March has number 60 in every year */
        { "XXX-1YYY,J60,J300", 1772330400, 7200 },
        { "XXX-1YYY,J60,J300", 1835438400, 3600 }, /* 2028-02-29 12:00 UTC */
        { "XXX-1YYY,J59,J300", 1835438400, 7200 },
        { "XXX-1YYY-2:30,0/0,365/25", 1767225600, 9000 },
        { "CET-1CEST,M3.5.0", 0, -1 },
        { "CET-1CEST", 0, -1 },
        { "CET-1CEST,M13.5.0,M10.5.0", 0, -1 },
        { "CET-1CEST,M0.5.0,M10.5.0", 0, -1 },
        { "CET-1CEST,M3.0.0,M10.5.0", 0, -1 },
        { "CET-1CEST,M3.5.7,M10.5.0", 0, -1 },
        { "CET-1CEST,J0,J300", 0, -1 },
        { "CET-1CEST,J366,J300", 0, -1 },
        { "CET-1CEST,M3.5.0,M10.5.0/3x", 0, -1 },
        { "CET", 0, -1 },
        { "-1", 0, -1 },
        { "<CET-1", 0, -1 },
        { "CET-99", 0, -1 },
        { "CET-1:60", 0, -1 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint8_t bytes[256];
        struct zone zone;
        size_t len = file_make(bytes, rows[i].rule);
        bool is_zone = zone_parse(&zone, (str){ (const char *)bytes, len });
        if (is_zone != (rows[i].offset != -1))
            fprintf(stderr, "%s\n", rows[i].rule);
        CHECK(is_zone == (rows[i].offset != -1));
        if (!is_zone)
            continue;
        CHECK_INT(zone_offset(&zone, rows[i].second), rows[i].offset);
        zone_close(&zone);
        for (size_t cut = 0; cut < len; cut++)
            CHECK(!zone_parse(&zone, (str){ (const char *)bytes, cut }));
    }
}

TESTS(TEST(offsets_are_those_of_the_c_library), TEST(last_lines))
