/* SPDX-License-Identifier: Apache-2.0 */
/* What html.c and html_figures.c share. */
#ifndef WEIR_APP_REPORT_HTML_INTERNAL_H
#define WEIR_APP_REPORT_HTML_INTERNAL_H

#include "app/report/daily_internal.h"

void html_money(struct buf *out, nano_usd cost);
void html_table_open(struct buf *out, const char *title);
void html_table_close(struct buf *out);

/* ---- html_figures.c ---- */
void html_bars(const struct daily *d, struct buf *out); /* cost by hour or day */
void html_kpis(const struct daily *d, struct buf *out);
void html_calibrations(const struct daily *d, struct buf *out); /* reliability diagrams */

#endif
