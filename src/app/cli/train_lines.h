/* SPDX-License-Identifier: Apache-2.0 */
/*
 * train_lines: a file of JSON Lines, an object a line; what is wrong is said on stderr as FILE:LINE: message.
 */
#ifndef WEIR_APP_CLI_TRAIN_LINES_H
#define WEIR_APP_CLI_TRAIN_LINES_H

#include "base/arena.h"
#include "base/base.h"
#include "core/json/json.h"

/* The owner embeds it and finds itself again from what `read` is given. */
struct train_lines {
    struct arena *arena; /* texts of lines live here, as long as it does */
    str file; /* that is being read, for messages */
    size_t number; /* of the line, from 1 */
};
/* Takes one line's object; false when it has complained. */
typedef bool (*train_line_reader)(struct train_lines *lines, struct json line);

/* Empty lines are passed over; the first bad one ends it. EXIT_DONE, EXIT_USAGE or EXIT_UNREACHABLE. */
int train_lines_read(struct train_lines *lines, str path, train_line_reader read);
/* FILE:LINE: message; false, for the caller to return. */
bool train_lines_complain(const struct train_lines *lines, const char *what);
/* "weir train: PATH: why", from errno; EXIT_UNREACHABLE. */
int train_unreadable(str path);

/* Members; false when they are there and of another kind. */
bool train_text(struct train_lines *lines, struct json line, const char *name, str *out);
/* Missing or null: COST_UNPRICED. */
bool train_cost(struct json line, const char *name, nano_usd *out);
/* From 0 to max; missing or null: -1. */
bool train_number(struct json line, const char *name, double max, double *out);

#endif
