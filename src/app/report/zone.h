/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zone: a time zone's offsets from UTC, read from the system's tz database (TZif, RFC 9636) without the C library's, which
 * keeps one zone for the whole process: here any number may be asked at once, from any thread.
 */
#ifndef WEIR_APP_REPORT_ZONE_H
#define WEIR_APP_REPORT_ZONE_H

#include "base/base.h"

#define ZONE_FILE_BYTES_MAX ((size_t)64 << 10)
#define ZONE_NAME_MAX ((size_t)63)

/* When clocks change in each year: the last line of the file. */
struct zone_change {
    char kind; /* 'M', 'J', or '0' for a day from 0 */
    int month, week,
        day; /* 'M': of month 1..12 the week 1..5 (the last), day 0..6 from Sunday; else the day alone */
    int32_t second; /* of local time, from midnight; may be negative or beyond a day */
};
struct zone_rule {
    bool has_dst;
    int32_t standard, daylight; /* seconds east of UTC */
    struct zone_change start, end; /* of daylight time */
};

struct zone {
    char *bytes; /* the file's; the following point into them */
    const uint8_t *times; /* of the changes: count times eight bytes, big-endian */
    const uint8_t *kinds; /* count */
    const uint8_t *offsets; /* of the kinds: kind_count times six bytes */
    size_t count, kind_count;
    bool has_rule; /* for what comes after the last change */
    struct zone_rule rule;
};

/* "UTC", or a name of the tz database, as Europe/Berlin. CALLER_BAD_REQUEST: there is none. */
NODISCARD enum err zone_open(struct zone *out, str name);
void zone_close(struct zone *zone);
/* Takes a copy of a file's bytes; false when they are no zone. */
bool zone_parse(struct zone *out, str bytes);
/* Seconds east of UTC at a second since 1970. */
int32_t zone_offset(const struct zone *zone, int64_t second);

#endif
