/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log: one event, one line on stderr, fields instead of prose, never a secret:
 *
 *     2026-11-23T10:20:30.123456Z INFO listening address=127.0.0.1:8080 workers=2
 *
 * Values with other than printable ASCII, spaces or quotes are quoted and escaped, so a hostile text cannot forge a line or
 * move a terminal's cursor. May be called from any thread.
 *
 * May include: base.
 */
#ifndef WEIR_EDGE_WORLD_LOG_H
#define WEIR_EDGE_WORLD_LOG_H

#include "base/base.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

struct log {
    enum log_level level; /* quieter events are dropped */
    int fd;
};

struct log_field {
    const char *name;
    str text;
};
#define LOG_TEXT(name, text) ((struct log_field){ (name), (text) })

bool log_level_find(str name, enum log_level *out); /* "DEBUG", "INFO", "WARNING", "ERROR" */
void log_event(const struct log *log, enum log_level level, const char *event,
               const struct log_field *fields, size_t count);
#define LOG(log, level, event, ...)                                                                \
    log_event((log), (level), (event), (struct log_field[]){ __VA_ARGS__ },                        \
              sizeof((struct log_field[]){ __VA_ARGS__ }) / sizeof(struct log_field))

#endif
