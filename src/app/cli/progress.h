/* SPDX-License-Identifier: Apache-2.0 */
/*
 * progress: how far a long command is, on stderr: a bar that redraws itself on a terminal, else a plain line now and
 * then. The caller passes the time, so that the lines can be tested.
 */
#ifndef WEIR_APP_CLI_PROGRESS_H
#define WEIR_APP_CLI_PROGRESS_H

#include <stdio.h>

#include "base/base.h"

struct progress {
    FILE *out;
    bool is_terminal;
    const char *unit; /* "runs" */
    uint64_t total;
    uint64_t before; /* done already when it began: they say nothing about the rate */
    nsec started;
    nsec shown;
    bool has_bar; /* a bar stands in the terminal's last line */
};

/* Draws nothing yet. */
void progress_init(struct progress *p, FILE *out, const char *unit, uint64_t total, uint64_t before,
                   nsec now);
/* note: what else to say, "$0.0012, 3 faulted"; may be empty. Draws only when it is time again. */
void progress_show(struct progress *p, uint64_t done, str note, nsec now);
/* The last state, whatever the time; the next output begins on a line of its own. */
void progress_end(struct progress *p, uint64_t done, str note, nsec now);

/* One line of text without its end: "[#####.....]  50 %  120 of 240 runs, 40.0 a second, 3 s left, NOTE". */
void progress_write(struct buf *out, const struct progress *p, uint64_t done, str note, nsec now);

#endif
