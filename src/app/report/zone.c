/* SPDX-License-Identifier: Apache-2.0 */
/* zone: see zone.h. */
#include "app/report/zone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/utc.h"

#define ZONES "/usr/share/zoneinfo"
/* Names as the database has them: Area/Place_Name-1+2. */
#define NAME_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/"
#define HEAD_BYTES 44
#define KIND_BYTES 6
#define SECONDS_PER_DAY INT64_C(86400)
#define OFFSET_MAX (26 * 3600)

/* ---- the last line: "CET-1CEST,M3.5.0,M10.5.0/3" ---- */

static bool take_char(str *left, char c)
{
    if (left->len == 0 || left->ptr[0] != c)
        return false;
    *left = str_slice(*left, 1, left->len);
    return true;
}

static bool is_between(char c, char low, char high)
{
    return c >= low && c <= high;
}

static bool take_number(str *left, int max, int *out)
{
    int value = 0;
    size_t digits = 0;

    while (digits < left->len && is_between(left->ptr[digits], '0', '9') && value <= max)
        value = value * 10 + (left->ptr[digits++] - '0');
    if (digits == 0 || value > max)
        return false;
    *left = str_slice(*left, digits, left->len);
    *out = value;
    return true;
}

/* "CET" or "<+0330>"; what it is called nobody needs. */
static bool take_name(str *left)
{
    size_t len = 0;

    if (take_char(left, '<')) {
        size_t end = str_find_char(*left, '>');
        if (end == STR_NPOS)
            return false;
        *left = str_slice(*left, end + 1, left->len);
        return true;
    }
    while (len < left->len &&
           (is_between(left->ptr[len], 'A', 'Z') || is_between(left->ptr[len], 'a', 'z')))
        len++;
    *left = str_slice(*left, len, left->len);
    return len > 0;
}

/* "[+-]h[h[h]][:mm[:ss]]" in seconds. */
static bool take_time(str *left, int32_t *out)
{
    bool is_negative = take_char(left, '-');
    int hours, minutes = 0, seconds = 0;

    if (!is_negative)
        IGNORE(take_char(left, '+'));
    if (!take_number(left, 167, &hours))
        return false;
    if (take_char(left, ':') && !take_number(left, 59, &minutes))
        return false;
    if (take_char(left, ':') && !take_number(left, 59, &seconds))
        return false;
    *out = (hours * 3600 + minutes * 60 + seconds) * (is_negative ? -1 : 1);
    return true;
}

/* West is positive there, east is here. */
static bool take_offset(str *left, int32_t *out)
{
    int32_t west;

    if (!take_time(left, &west) || west > OFFSET_MAX || west < -OFFSET_MAX)
        return false;
    *out = -west;
    return true;
}

static bool take_change(str *left, struct zone_change *out)
{
    struct zone_change c = { .kind = '0', .second = 2 * 3600 };

    if (!take_char(left, ','))
        return false;
    if (take_char(left, 'M')) {
        c.kind = 'M';
        if (!take_number(left, 12, &c.month) || !take_char(left, '.') ||
            !take_number(left, 5, &c.week) || !take_char(left, '.') ||
            !take_number(left, 6, &c.day) || c.month < 1 || c.week < 1)
            return false;
    } else {
        c.kind = take_char(left, 'J') ? 'J' : '0';
        if (!take_number(left, 365, &c.day) || (c.kind == 'J' && c.day < 1))
            return false;
    }
    if (take_char(left, '/') && !take_time(left, &c.second))
        return false;
    *out = c;
    return true;
}

static bool rule_parse(str text, struct zone_rule *out)
{
    struct zone_rule rule = { 0 };

    if (!take_name(&text) || !take_offset(&text, &rule.standard))
        return false;
    if (text.len > 0) {
        rule.has_dst = true;
        rule.daylight = rule.standard + 3600;
        if (!take_name(&text))
            return false;
        if (text.len > 0 && text.ptr[0] != ',' && !take_offset(&text, &rule.daylight))
            return false;
        if (!take_change(&text, &rule.start) || !take_change(&text, &rule.end) || text.len > 0)
            return false;
    }
    *out = rule;
    return true;
}

static bool year_is_leap(int32_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Of a year, in seconds since 1970 of local time. */
static int64_t change_local(const struct zone_change *c, int32_t year)
{
    int64_t days = utc_days(year, 1, 1);

    if (c->kind == 'M') {
        int64_t first = utc_days(year, c->month, 1);
        int64_t next = c->month == 12 ? utc_days(year + 1, 1, 1) : utc_days(year, c->month + 1, 1);
        int64_t weekday = ((first + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */
        days = first + (c->day - weekday + 7) % 7 + 7 * (c->week - 1);
        if (days >= next)
            days -= 7;
    } else if (c->kind == 'J') {
        days += c->day - 1 + (year_is_leap(year) && c->day >= 60); /* 29 February has no number */
    } else {
        days += c->day;
    }
    return days * SECONDS_PER_DAY + c->second;
}

static int32_t rule_offset(const struct zone_rule *rule, int64_t second)
{
    if (!rule->has_dst)
        return rule->standard;
    int32_t year = utc_parts_of((second + rule->standard) * 1000000).year;
    int64_t start = change_local(&rule->start, year) - rule->standard;
    int64_t end = change_local(&rule->end, year) - rule->daylight;
    bool is_daylight =
        start < end ? second >= start && second < end : second >= start || second < end;
    return is_daylight ? rule->daylight : rule->standard;
}

/* ---- the file ---- */

static uint32_t get_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static int64_t get_i64(const uint8_t *at)
{
    return (int64_t)((uint64_t)get_u32(at) << 32 | get_u32(at + 4));
}

struct head {
    size_t utc, standard, leaps, times, kinds, characters;
};

/* Of a block whose times have `width` bytes; *out_len is what follows the head. */
static bool head_read(str bytes, size_t width, struct head *out, size_t *out_len)
{
    const uint8_t *at = (const uint8_t *)bytes.ptr;

    if (bytes.len < HEAD_BYTES || memcmp(at, "TZif", 4) != 0 || at[4] < '2')
        return false;
    size_t counts[6];
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        counts[i] = get_u32(at + 20 + 4 * i);
        if (counts[i] > ZONE_FILE_BYTES_MAX)
            return false;
    }
    struct head h = { counts[0], counts[1], counts[2], counts[3], counts[4], counts[5] };
    size_t len = h.times * (width + 1) + h.kinds * KIND_BYTES + h.characters +
                 h.leaps * (width + 4) + h.standard + h.utc;
    if (len > bytes.len - HEAD_BYTES)
        return false;
    *out = h;
    *out_len = len;
    return true;
}

static bool changes_are_sound(const struct zone *zone)
{
    for (size_t i = 0; i < zone->count; i++) {
        if (zone->kinds[i] >= zone->kind_count)
            return false;
        if (i > 0 && get_i64(zone->times + 8 * i) <= get_i64(zone->times + 8 * (i - 1)))
            return false;
    }
    for (size_t i = 0; i < zone->kind_count; i++) {
        int32_t offset = (int32_t)get_u32(zone->offsets + KIND_BYTES * i);
        if (offset > OFFSET_MAX || offset < -OFFSET_MAX)
            return false;
    }
    return zone->kind_count > 0;
}

static bool footer_read(str rest, struct zone *zone)
{
    if (!take_char(&rest, '\n'))
        return false;
    size_t end = str_find_char(rest, '\n');
    if (end == STR_NPOS)
        return false;
    zone->has_rule = end > 0;
    return end == 0 || rule_parse(str_slice(rest, 0, end), &zone->rule);
}

/* Leap seconds are refused: nobody's clock counts them. */
static bool blocks_read(str bytes, struct zone *zone)
{
    struct head h;
    size_t len;

    if (!head_read(bytes, 4, &h, &len)) /* of before 2038, for old readers */
        return false;
    bytes = str_slice(bytes, HEAD_BYTES + len, bytes.len);
    if (!head_read(bytes, 8, &h, &len) || h.leaps > 0)
        return false;
    zone->count = h.times;
    zone->kind_count = h.kinds;
    zone->times = (const uint8_t *)bytes.ptr + HEAD_BYTES;
    zone->kinds = zone->times + 8 * h.times;
    zone->offsets = zone->kinds + h.times;
    return changes_are_sound(zone) &&
           footer_read(str_slice(bytes, HEAD_BYTES + len, bytes.len), zone);
}

bool zone_parse(struct zone *out, str bytes)
{
    struct zone zone = { 0 };

    if (bytes.len > ZONE_FILE_BYTES_MAX || bytes.len == 0)
        return false;
    zone.bytes = malloc(bytes.len);
    if (!zone.bytes)
        return false;
    memcpy(zone.bytes, bytes.ptr, bytes.len);
    if (!blocks_read((str){ zone.bytes, bytes.len }, &zone)) {
        free(zone.bytes);
        return false;
    }
    *out = zone;
    return true;
}

int32_t zone_offset(const struct zone *zone, int64_t second)
{
    size_t low = 0, high = zone->count; /* changes before `low` are at or before the second */

    if (zone->kind_count == 0)
        return 0; /* UTC */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (get_i64(zone->times + 8 * middle) <= second)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == zone->count && zone->has_rule)
        return rule_offset(&zone->rule, second);
    size_t kind = low > 0 ? zone->kinds[low - 1] : 0;
    return (int32_t)get_u32(zone->offsets + KIND_BYTES * kind);
}

/* ---- opening ---- */

static bool name_is_sound(str name)
{
    if (name.len == 0 || name.len > ZONE_NAME_MAX || name.ptr[0] == '/')
        return false;
    for (size_t i = 0; i < name.len; i++) {
        if (str_find_char(STR(NAME_CHARACTERS), name.ptr[i]) == STR_NPOS)
            return false;
    }
    return true;
}

enum err zone_open(struct zone *out, str name)
{
    char path[128], *bytes;
    struct stat info;
    size_t len = 0;

    if (str_eq(name, STR("UTC"))) {
        *out = (struct zone){ 0 };
        return OK;
    }
    if (!name_is_sound(name))
        return CALLER_BAD_REQUEST;
    snprintf(path, sizeof(path), ZONES "/%.*s", STR_ARG(name));
    if (stat(path, &info) != 0 || !S_ISREG(info.st_mode))
        return CALLER_BAD_REQUEST;
    FILE *file = fopen(path, "re");
    bytes = malloc(ZONE_FILE_BYTES_MAX);
    if (file && bytes)
        len = fread(bytes, 1, ZONE_FILE_BYTES_MAX, file);
    bool is_zone = zone_parse(out, (str){ bytes, len });
    free(bytes);
    if (file)
        fclose(file);
    return is_zone ? OK : CALLER_BAD_REQUEST;
}

void zone_close(struct zone *zone)
{
    free(zone->bytes);
    *zone = (struct zone){ 0 };
}
