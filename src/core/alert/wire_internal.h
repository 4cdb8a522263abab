/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of wire share; nobody else includes it. */
#ifndef WEIR_CORE_ALERT_WIRE_INTERNAL_H
#define WEIR_CORE_ALERT_WIRE_INTERNAL_H

#include "base/utc.h"
#include "core/alert/wire.h"

bool wire_is_firing(const struct wire_notice *n); /* does any alert still fire? */
str wire_cut(str s, size_t max); /* at most max bytes, whole characters */
/* The same for text in which & begins an entity: none is cut in the middle. */
str wire_cut_escaped(str s, size_t max);
void wire_title(struct buf *out,
                const struct wire_notice *n); /* "[FIRING] name (arm): 3 alerts", "[CHANGE] …" */

/* One body each; i counts where a notice makes several. */
void wire_slack(struct buf *out, const struct wire_notice *n, size_t i, usec_utc now);
void wire_pagerduty(struct buf *out, const struct wire_notice *n, size_t i, usec_utc now);
void wire_webhook(struct buf *out, const struct wire_notice *n, size_t i, usec_utc now);
void wire_alertmanager(struct buf *out, const struct wire_notice *n, size_t i, usec_utc now);
void wire_email(struct buf *out, const struct wire_notice *n, size_t i, usec_utc now);

#endif
