/* SPDX-License-Identifier: Apache-2.0 */
/* openai_text: the text of a message's content; shared by the files of core/dialect only. */
#ifndef WEIR_CORE_DIALECT_OPENAI_TEXT_H
#define WEIR_CORE_DIALECT_OPENAI_TEXT_H

#include "core/json/json.h"

enum content_form {
    CONTENT_TEXT, /* a string, null, or parts that are all text */
    CONTENT_RICH, /* parts of other types too: images, audio, files */
    CONTENT_WRONG /* neither a string nor null nor an array of parts */
};

/* Reads content: a missing or null one is the empty text; parts of type "text" are joined by a line end. *out is
 * written unless the form is wrong. When the arena fails, *out is empty: the caller checks arena_failed(). */
enum content_form content_read(struct arena *arena, struct json content, str *out);

/* Does UTF-8 text hold a character that a reader would see? White space, control characters and zero-width marks do
 * not count. */
bool text_is_visible(str text);

#endif
