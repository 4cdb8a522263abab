/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retry: faults of statuses, Retry-After, and the plan for another attempt. Pure but for the generator.
 */
#include "edge/upstream/retry.h"

#include <time.h>

#define RETRY_AFTER_SECONDS_MAX                                                                    \
    INT64_C(31536000) /* a year: past it the exact figure is of no use */
#define USEC_PER_SEC INT64_C(1000000)

enum err upstream_fault_of_status(int http_status)
{
    static const struct {
        int first, last;
        enum err fault;
    } rows[] = {
        /* clang-format off */
        { 200, 299, OK },
        { 401, 401, PROVIDER_AUTH },
        { 403, 403, PROVIDER_AUTH },
        { 404, 404, PROVIDER_NO_MODEL },
        { 408, 409, PROVIDER_FAILED },
        { 425, 425, PROVIDER_FAILED },
        { 429, 429, PROVIDER_RATE_LIMITED },
        { 400, 499, PROVIDER_REJECTED },
        { 503, 503, PROVIDER_OVERLOADED },
        { 529, 529, PROVIDER_OVERLOADED },
        { 500, 599, PROVIDER_FAILED },
        /* clang-format on */
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (http_status >= rows[i].first && http_status <= rows[i].last)
            return rows[i].fault;
    }
    return PROVIDER_GARBAGE;
}

/* ---- HTTP dates ---- */

/* Cuts n decimal digits off the text. */
static bool take_digits(str *rest, size_t n, int *out)
{
    int value = 0;

    if (rest->len < n)
        return false;
    for (size_t i = 0; i < n; i++) {
        char c = rest->ptr[i];
        if (c < '0' || c > '9')
            return false;
        value = value * 10 + (c - '0');
    }
    *out = value;
    *rest = str_slice(*rest, n, rest->len);
    return true;
}

static bool take_literal(str *rest, str literal)
{
    if (!str_starts(*rest, literal))
        return false;
    *rest = str_slice(*rest, literal.len, rest->len);
    return true;
}

/* Cuts one of the names, each `width` letters wide, off the text. */
static bool take_name(str *rest, str names, size_t width, int *out)
{
    for (size_t at = 0; at + width <= names.len; at += width) {
        if (take_literal(rest, str_slice(names, at, at + width))) {
            *out = (int)(at / width);
            return true;
        }
    }
    return false;
}

static bool take_weekday(str *rest)
{
    int day;

    if (!take_name(rest, STR("SunMonTueWedThuFriSat"), 3, &day))
        return false;
    /* The long form, of which nothing is checked but that it is a word. */
    while (rest->len > 0 && rest->ptr[0] >= 'a' && rest->ptr[0] <= 'z')
        *rest = str_slice(*rest, 1, rest->len);
    return true;
}

static bool take_time(str *rest, struct tm *tm)
{
    return take_digits(rest, 2, &tm->tm_hour) && take_literal(rest, STR(":")) &&
           take_digits(rest, 2, &tm->tm_min) && take_literal(rest, STR(":")) &&
           take_digits(rest, 2, &tm->tm_sec);
}

/* A year of two digits is the one of the last hundred that is at most 50 years ahead (RFC 9110, 5.6.7). */
static bool take_short_year(str *rest, int year_now, int *out)
{
    int year;

    if (!take_digits(rest, 2, &year))
        return false;
    year += year_now - year_now % 100;
    if (year > year_now + 50)
        year -= 100;
    *out = year - 1900;
    return true;
}

/* One field of a pattern: D day, d day padded with a space, M month, T time, W weekday, Y year, y
 * short year; any other letter stands for itself. */
static bool take_field(str *rest, str field, int year_now, struct tm *tm)
{
    switch (field.ptr[0]) {
    case 'D':
        return take_digits(rest, 2, &tm->tm_mday);
    case 'd':
        return take_literal(rest, STR(" ")) ? take_digits(rest, 1, &tm->tm_mday)
                                            : take_digits(rest, 2, &tm->tm_mday);
    case 'M':
        return take_name(rest, STR("JanFebMarAprMayJunJulAugSepOctNovDec"), 3, &tm->tm_mon);
    case 'T':
        return take_time(rest, tm);
    case 'W':
        return take_weekday(rest);
    case 'Y':
        if (!take_digits(rest, 4, &tm->tm_year))
            return false;
        tm->tm_year -= 1900;
        return true;
    case 'y':
        return take_short_year(rest, year_now, &tm->tm_year);
    default:
        return take_literal(rest, field);
    }
}

/* The three forms of RFC 9110, 5.6.7. */
static const str date_patterns[] = {
    { "W, D M Y T", 10 }, /* Sun, 06 Nov 1994 08:49:37 GMT */
    { "W, D-M-y T", 10 }, /* Sunday, 06-Nov-94 08:49:37 GMT */
    { "W M d T Y", 9 }, /* Sun Nov  6 08:49:37 1994 */
};

static bool date_parse(str value, str pattern, int year_now, struct tm *out)
{
    struct tm tm = { 0 };

    for (size_t i = 0; i < pattern.len; i++) {
        if (!take_field(&value, str_slice(pattern, i, i + 1), year_now, &tm))
            return false;
    }
    if (value.len > 0 && !str_eq(value, STR(" GMT")))
        return false;
    if (tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60 || tm.tm_mday < 1)
        return false;
    *out = tm;
    return true;
}

static bool date_to_seconds(str value, int64_t now_seconds, int64_t *out)
{
    time_t now = (time_t)now_seconds;
    struct tm now_tm, tm;

    if (!gmtime_r(&now, &now_tm))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(date_patterns); i++) {
        if (!date_parse(value, date_patterns[i], now_tm.tm_year + 1900, &tm))
            continue;
        int month = tm.tm_mon, second = tm.tm_sec;
        tm.tm_sec = 0; /* else a leap second could move the date that is checked below */
        int64_t seconds = timegm(&tm) + second;
        if (tm.tm_mon != month)
            return false; /* February 30 */
        *out = seconds;
        return true;
    }
    return false;
}

nsec upstream_retry_after(str value, usec_utc now)
{
    uint64_t seconds;
    int64_t at;

    value = str_trim(value);
    if (value.len > 0 && value.ptr[0] >= '0' && value.ptr[0] <= '9') {
        if (!str_to_u64(value, &seconds))
            return -1;
        if (seconds > (uint64_t)RETRY_AFTER_SECONDS_MAX)
            seconds = (uint64_t)RETRY_AFTER_SECONDS_MAX;
        return (nsec)seconds * NSEC_PER_SEC;
    }
    if (!date_to_seconds(value, now / USEC_PER_SEC, &at))
        return -1;
    if (at > now / USEC_PER_SEC + RETRY_AFTER_SECONDS_MAX)
        return RETRY_AFTER_SECONDS_MAX * NSEC_PER_SEC;
    int64_t wait_usec = at * USEC_PER_SEC - now;
    return wait_usec > 0 ? wait_usec * NSEC_PER_USEC : 0;
}

/* ---- the plan ---- */

static nsec backoff_ceiling(int attempts, const struct upstream_limits *limits)
{
    nsec ceiling = limits->backoff_base;

    for (int i = 1; i < attempts && ceiling < limits->backoff_max; i++)
        ceiling = ceiling > limits->backoff_max / 2 ? limits->backoff_max : ceiling * 2;
    return ceiling < limits->backoff_max ? ceiling : limits->backoff_max;
}

bool retry_plan(const struct retry_facts *facts, const struct upstream_limits *limits,
                struct rng *rng, nsec *out_delay)
{
    nsec at;

    if (!err_info(facts->fault)->retryable || facts->is_final)
        return false;
    if (facts->attempts >= limits->attempts_max)
        return false;
    nsec ceiling = backoff_ceiling(facts->attempts, limits);
    nsec delay = ceiling > 0 ? (nsec)rng_below(rng, (uint64_t)ceiling + 1) : 0;
    if (delay < facts->retry_after)
        delay = facts->retry_after;
    if (!i64_add(facts->now, delay, &at) || at >= facts->deadline)
        return false;
    *out_delay = delay;
    return true;
}
