/* SPDX-License-Identifier: Apache-2.0 */
/* log: see log.h. One write(2) a line, so lines of several threads do not mix. */
#include "edge/world/log.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

static const char *const level_names[] = { "DEBUG", "INFO", "WARNING", "ERROR" };

bool log_level_find(str name, enum log_level *out)
{
    for (unsigned i = 0; i < ARRAY_LEN(level_names); i++) {
        if (str_eq_nocase(name, str_from(level_names[i]))) {
            *out = (enum log_level)i;
            return true;
        }
    }
    return false;
}

static bool is_plain(str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] <= ' ' || s.ptr[i] >= 0x7f || s.ptr[i] == '"' || s.ptr[i] == '\\')
            return false;
    }
    return s.len > 0;
}

static void add_value(struct buf *line, str s)
{
    if (is_plain(s)) {
        buf_add(line, s);
        return;
    }
    buf_add_char(line, '"');
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c == '"' || c == '\\')
            buf_printf(line, "\\%c", c);
        else if (c < 0x20 || c >= 0x7f)
            buf_printf(line, "\\x%02x", c);
        else
            buf_add_char(line, (char)c);
    }
    buf_add_char(line, '"');
}

void log_event(const struct log *log, enum log_level level, const char *event,
               const struct log_field *fields, size_t count)
{
    struct buf line = { .max = 16384 };
    struct timespec now;
    struct tm utc;

    if (level < log->level)
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    buf_printf(&line, "%04d-%02d-%02dT%02d:%02d:%02d.%06ldZ %s %s", utc.tm_year + 1900,
               utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, now.tv_nsec / 1000,
               level_names[level], event);
    for (size_t i = 0; i < count; i++) {
        buf_printf(&line, " %s=", fields[i].name);
        add_value(&line, str_slice(fields[i].text, 0, 1024));
    }
    buf_add_char(&line, '\n');
    if (write(log->fd, line.ptr, line.len) < 0) {
        /* Nowhere to say it. */
    }
    buf_fini(&line);
}
