/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redact: takes secrets out of a text before it goes anywhere: those that are known, word for word, and what looks like one.
 * A secret becomes "[redacted]", which keeps JSON JSON.
 *
 * A caller may rely on: a known secret of REDACT_KNOWN_MIN bytes or more never passes; a text without secrets comes out as it
 * went in. What looks like none of the shapes in redact.c passes: capturing content is a decision to export content.
 *
 * May include: base.
 */
#ifndef WEIR_CORE_TELEMETRY_REDACT_H
#define WEIR_CORE_TELEMETRY_REDACT_H

#include "base/base.h"

#define REDACT_KNOWN_MIN ((size_t)6) /* shorter "secrets" would make holes in ordinary words */

struct redact_known {
    const str *secrets;
    size_t count;
};

/* Appends the text, at most max bytes of it, cut between characters of UTF-8. */
void redact_add(struct buf *out, str text, size_t max, const struct redact_known *known);

#endif
