/* SPDX-License-Identifier: Apache-2.0 */
/* json_pattern: a schema's pattern against a text; used by core/json only. */
#ifndef WEIR_CORE_JSON_JSON_PATTERN_H
#define WEIR_CORE_JSON_JSON_PATTERN_H

#include "base/arena.h"
#include "base/base.h"

/* Does the pattern match somewhere in the text? CALLER_BAD_REQUEST for a pattern that is malformed, too costly, or
 * means something else in ECMA's language than in POSIX's. */
NODISCARD enum err json_pattern_match(struct arena *arena, str pattern, str text, bool *out_match);

#endif
