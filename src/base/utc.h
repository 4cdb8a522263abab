/* SPDX-License-Identifier: Apache-2.0 */
/*
 * utc: wall-clock instants as text. The proleptic Gregorian calendar, no leap seconds, as RFC 3339 and POSIX have it.
 */
#ifndef WEIR_BASE_UTC_H
#define WEIR_BASE_UTC_H

#include "base/base.h"

struct utc_parts {
    int32_t year; /* may be negative */
    int month; /* 1..12 */
    int day; /* 1..31 */
    int hour, minute, second;
    int32_t usec;
};

/* Days since 1970-01-01 of a date, and back (Hinnant's days_from_civil and civil_from_days). */
int64_t utc_days(int32_t year, int month, int day);
struct utc_parts utc_parts_of(usec_utc t);

#define UTC_TEXT_MAX 40
/* "2026-11-24T20:36:01.000250Z", RFC 3339 with microseconds; for years 0 to 9999, others are clamped to them. */
str utc_format(usec_utc t, char out[UTC_TEXT_MAX]);
/* What utc_format writes, also without the fraction or with one of 1 to 6 digits, and a whole date "2026-11-24" (midnight).
 * False for anything else. */
bool utc_parse(str text, usec_utc *out);

#endif
