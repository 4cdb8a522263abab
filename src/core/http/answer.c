/* SPDX-License-Identifier: Apache-2.0 */
/* answer: writes the heads of answers, their dates and the lines between chunks. */
#include "core/http/http.h"

#include <string.h>

const char *http_reason(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        { 200, "OK" },
        { 100, "Continue" },
        { 201, "Created" },
        { 202, "Accepted" },
        { 204, "No Content" },
        { 206, "Partial Content" },
        { 301, "Moved Permanently" },
        { 302, "Found" },
        { 303, "See Other" },
        { 304, "Not Modified" },
        { 307, "Temporary Redirect" },
        { 308, "Permanent Redirect" },
        { 400, "Bad Request" },
        { 401, "Unauthorized" },
        { 402, "Payment Required" },
        { 403, "Forbidden" },
        { 404, "Not Found" },
        { 405, "Method Not Allowed" },
        { 406, "Not Acceptable" },
        { 408, "Request Timeout" },
        { 409, "Conflict" },
        { 410, "Gone" },
        { 411, "Length Required" },
        { 412, "Precondition Failed" },
        { 413, "Content Too Large" },
        { 414, "URI Too Long" },
        { 415, "Unsupported Media Type" },
        { 417, "Expectation Failed" },
        { 422, "Unprocessable Content" },
        { 425, "Too Early" },
        { 429, "Too Many Requests" },
        { 431, "Request Header Fields Too Large" },
        { 499, "Client Closed Request" },
        { 500, "Internal Server Error" },
        { 501, "Not Implemented" },
        { 502, "Bad Gateway" },
        { 503, "Service Unavailable" },
        { 504, "Gateway Timeout" },
        { 505, "HTTP Version Not Supported" },
    };

    for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
        if (reasons[i].status == status)
            return reasons[i].reason;
    }
    return "";
}

bool http_status_has_body(int status)
{
    return status >= 200 && status != 204 && status != 304;
}

void http_answer_start(struct buf *out, int status)
{
    assert(status >= 100 && status <= 999);
    buf_add(out, STR("HTTP/1.1 "));
    buf_add_i64(out, status);
    buf_add_char(out, ' ');
    buf_add(out, str_from(http_reason(status)));
    buf_add(out, STR("\r\n"));
}

static bool is_value(str value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        if ((c < 0x20 && c != '\t') || c == 0x7F)
            return false;
    }
    return true;
}

bool http_answer_header(struct buf *out, str name, str value)
{
    if (!http_is_token(name) || !is_value(value))
        return false;
    buf_add(out, name);
    buf_add(out, STR(": "));
    buf_add(out, value);
    buf_add(out, STR("\r\n"));
    return true;
}

void http_answer_finish(struct buf *out)
{
    buf_add(out, STR("\r\n"));
}

static void digits_put(char *at, size_t width, int64_t value)
{
    for (size_t i = width; i > 0; i--) {
        at[i - 1] = (char)('0' + value % 10);
        value /= 10;
    }
}

/* Days since 1970-01-01 to the proleptic Gregorian calendar: eras of 400 years from 1 March on, in
 * which leap days come last. */
static void civil_of_days(int64_t days, int64_t *out_year, int64_t *out_month, int64_t *out_day)
{
    int64_t shifted = days + 719468; /* from 0000-03-01 */
    int64_t era = shifted / 146097;
    int64_t of_era = shifted % 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month_from_march = (5 * of_year + 2) / 153;

    *out_day = of_year - (153 * month_from_march + 2) / 5 + 1;
    *out_month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    *out_year = year + era * 400 + (*out_month <= 2 ? 1 : 0);
}

void http_date_format(usec_utc at, char out[HTTP_DATE_BYTES])
{
    static const char weekdays[] = "ThuFriSatSunMonTueWed"; /* 1970-01-01 was a Thursday */
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    const int64_t second_max = INT64_C(253402300799); /* the last one of 9999 */
    int64_t second = at > 0 ? at / 1000000 : 0;

    if (second > second_max)
        second = second_max;
    int64_t days = second / 86400, year, month, day;
    civil_of_days(days, &year, &month, &day);
    memcpy(out, "Thu, 01 Jan 1970 00:00:00 GMT", HTTP_DATE_BYTES);
    memcpy(out, weekdays + days % 7 * 3, 3);
    digits_put(out + 5, 2, day);
    memcpy(out + 8, months + (month - 1) * 3, 3);
    digits_put(out + 12, 4, year);
    digits_put(out + 17, 2, second / 3600 % 24);
    digits_put(out + 20, 2, second / 60 % 60);
    digits_put(out + 23, 2, second % 60);
}

size_t http_chunk_head_format(size_t bytes, char out[HTTP_CHUNK_HEAD_BYTES])
{
    char digits[16];
    size_t n = 0;

    assert(bytes > 0);
    for (size_t rest = bytes; rest > 0; rest /= 16)
        digits[sizeof(digits) - ++n] = "0123456789abcdef"[rest % 16];
    memcpy(out, digits + sizeof(digits) - n, n);
    memcpy(out + n, "\r\n", 2);
    return n + 2;
}
