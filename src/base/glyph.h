/* SPDX-License-Identifier: Apache-2.0 */
/*
 * glyph: text of others, character by character, each with what it could do where people read it.
 *
 * What is written in place of a character that is not harmless is the caller's: a report shows its bytes, a terminal a mark or a blank.
 *
 * May include: base.
 */
#ifndef WEIR_BASE_GLYPH_H
#define WEIR_BASE_GLYPH_H

#include "base/str.h"

enum glyph_kind {
    GLYPH_PLAIN,
    GLYPH_UNSEEN, /* of no width: joiners, spaces of width zero; scripts and emoji need some of them */
    GLYPH_HOSTILE, /* C0, DEL, C1, separators of lines, marks, embeddings, overrides and isolates of direction */
    GLYPH_BROKEN, /* one byte that belongs to no character of UTF-8 */
};

struct glyph {
    enum glyph_kind kind;
    str bytes; /* 1 to 4, in the text */
};

/* Takes the first one off the text; false when nothing is left. */
bool glyph_next(str *text, struct glyph *out);

#endif
