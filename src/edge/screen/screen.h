/* SPDX-License-Identifier: Apache-2.0 */
/*
 * screen: a terminal as a grid of cells: text at a place, in a style, shown at once; and the keys that are typed.
 *
 * The terminal is given back as it was, also when the process is ended by SIGINT or SIGTERM. Without
 * colours, or with NO_COLOR set, styles differ by brightness only.
 *
 * May include: base.
 */
#ifndef WEIR_EDGE_SCREEN_SCREEN_H
#define WEIR_EDGE_SCREEN_SCREEN_H

#include "base/base.h"

struct screen;

enum screen_style {
    SCREEN_PLAIN,
    SCREEN_BOLD,
    SCREEN_DIM,
    SCREEN_TITLE, /* reversed */
    SCREEN_GOOD,
    SCREEN_WARN,
    SCREEN_BAD,
    SCREEN_STYLE_COUNT
};

/* Not a key of a keyboard. */
enum { SCREEN_NO_KEY = -1, SCREEN_RESIZED = -2 };

/* Takes over the terminal of stdin and stdout. WEIR_NOT_SUPPORTED when that is none, or one that cannot place text. */
NODISCARD enum err screen_open(struct screen **out);
void screen_close(struct screen *s); /* NULL is a no-op */
void screen_size(const struct screen *s, int *out_rows, int *out_columns);
bool screen_is_utf8(const struct screen *s);
void screen_clear(struct screen *s);
/* What does not fit is cut. The text must be UTF-8 without control characters. */
void screen_put(struct screen *s, int row, int column, enum screen_style style, str text);
void screen_show(struct screen *s);
/* A character, or one of the above; waits at most timeout_ms (0: does not wait). */
int screen_key(struct screen *s, int timeout_ms);

#endif
