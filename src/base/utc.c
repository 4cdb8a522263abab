/* SPDX-License-Identifier: Apache-2.0 */
/* utc: see utc.h. */
#include "base/utc.h"

#include <stdio.h>

#define USEC_PER_SEC INT64_C(1000000)
#define USEC_PER_DAY (86400 * USEC_PER_SEC)
#define DAYS_PER_ERA 146097 /* 400 years */
#define DAYS_TO_EPOCH 719468 /* from 0000-03-01 to 1970-01-01 */

int64_t utc_days(int32_t year, int month, int day)
{
    int64_t y = month <= 2 ? (int64_t)year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return era * DAYS_PER_ERA + day_of_era - DAYS_TO_EPOCH;
}

static void date_of(int64_t days, struct utc_parts *out)
{
    int64_t z = days + DAYS_TO_EPOCH;
    int64_t era = (z >= 0 ? z : z - (DAYS_PER_ERA - 1)) / DAYS_PER_ERA;
    int64_t day_of_era = z - era * DAYS_PER_ERA;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153;

    out->day = (int)(day_of_year - (153 * month + 2) / 5 + 1);
    out->month = (int)(month < 10 ? month + 3 : month - 9);
    out->year = (int32_t)(year_of_era + era * 400 + (out->month <= 2));
}

struct utc_parts utc_parts_of(usec_utc t)
{
    struct utc_parts p = { 0 };
    int64_t days = t / USEC_PER_DAY, rest = t % USEC_PER_DAY;

    if (rest < 0) {
        rest += USEC_PER_DAY;
        days--;
    }
    date_of(days, &p);
    p.hour = (int)(rest / (3600 * USEC_PER_SEC));
    p.minute = (int)(rest / (60 * USEC_PER_SEC) % 60);
    p.second = (int)(rest / USEC_PER_SEC % 60);
    p.usec = (int32_t)(rest % USEC_PER_SEC);
    return p;
}

str utc_format(usec_utc t, char out[UTC_TEXT_MAX])
{
    usec_utc first = utc_days(0, 1, 1) * USEC_PER_DAY;
    usec_utc last = utc_days(10000, 1, 1) * USEC_PER_DAY - 1;
    struct utc_parts p = utc_parts_of(t < first ? first : t > last ? last : t);
    int n = snprintf(out, UTC_TEXT_MAX, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", (int)p.year, p.month,
                     p.day, p.hour, p.minute, p.second, (int)p.usec);

    return (str){ out, (size_t)n };
}

/* ---- reading ---- */

/* Takes `width` digits off the front. */
static bool take_number(str *rest, size_t width, int *out)
{
    int v = 0;

    if (rest->len < width)
        return false;
    for (size_t i = 0; i < width; i++) {
        char c = rest->ptr[i];
        if (c < '0' || c > '9')
            return false;
        v = v * 10 + (c - '0');
    }
    *out = v;
    *rest = str_slice(*rest, width, rest->len);
    return true;
}

static bool take_char(str *rest, char c)
{
    if (rest->len == 0 || rest->ptr[0] != c)
        return false;
    *rest = str_slice(*rest, 1, rest->len);
    return true;
}

static bool take_date(str *rest, struct utc_parts *p)
{
    int year;

    if (!take_number(rest, 4, &year) || !take_char(rest, '-') || !take_number(rest, 2, &p->month) ||
        !take_char(rest, '-') || !take_number(rest, 2, &p->day))
        return false;
    p->year = year;
    if (p->month < 1 || p->month > 12 || p->day < 1)
        return false;
    /* A day that the month does not have is another date when it is written again. */
    struct utc_parts again = { 0 };
    date_of(utc_days(p->year, p->month, p->day), &again);
    return again.day == p->day && again.month == p->month;
}

static bool take_fraction(str *rest, int32_t *out_usec)
{
    int32_t usec = 0, scale = 100000;
    size_t digits = 0;

    while (rest->len > 0 && rest->ptr[0] >= '0' && rest->ptr[0] <= '9' && digits < 6) {
        usec += (rest->ptr[0] - '0') * scale;
        scale /= 10;
        digits++;
        *rest = str_slice(*rest, 1, rest->len);
    }
    *out_usec = usec;
    return digits > 0;
}

bool utc_parse(str text, usec_utc *out)
{
    struct utc_parts p = { 0 };
    str rest = text;

    if (!take_date(&rest, &p))
        return false;
    if (rest.len > 0) {
        if (!take_char(&rest, 'T') || !take_number(&rest, 2, &p.hour) || !take_char(&rest, ':') ||
            !take_number(&rest, 2, &p.minute) || !take_char(&rest, ':') ||
            !take_number(&rest, 2, &p.second))
            return false;
        if (take_char(&rest, '.') && !take_fraction(&rest, &p.usec))
            return false;
        if (!take_char(&rest, 'Z') || rest.len > 0)
            return false;
    }
    if (p.hour > 23 || p.minute > 59 || p.second > 59)
        return false;
    int64_t seconds =
        utc_days(p.year, p.month, p.day) * 86400 + p.hour * 3600 + p.minute * 60 + p.second;
    *out = seconds * USEC_PER_SEC + p.usec;
    return true;
}
