/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of app/report share. */
#ifndef WEIR_APP_REPORT_DAILY_INTERNAL_H
#define WEIR_APP_REPORT_DAILY_INTERNAL_H

#include "app/report/daily.h"

/* ---- names, which are foreign bytes ---- */

/* On a terminal: control bytes, and whatever is not UTF-8, as \xNN; so are the code points that turn the direction of writing. "(none)"
 * when it is empty. */
void name_write_text(struct buf *out, str name);
/* A field in double quotes; what a spreadsheet would take for a formula gets an apostrophe before it. Control bytes as on a terminal. */
void name_write_csv(struct buf *out, str name);
void name_write_html(struct buf *out, str name); /* in text and in quoted attributes */

/* ---- recommend.c ---- */
void daily_recommend(struct daily *d, struct arena *arena);

/* ---- figures.c, kpi.c: what daily_make() asks for last ---- */
void daily_bars_make(struct daily *d, struct arena *arena);
void daily_calibrations_make(struct daily *d);
void daily_kpis_make(struct daily *d);
void daily_figure_write(struct buf *out, enum daily_unit unit,
                        double value); /* for people: "$0.001000", "99.5%" */

const char *daily_title(const struct daily *d); /* "Daily Cost Report", "Cost Report" */

/* ---- one file a format ---- */
void daily_write_text(const struct daily *d, struct buf *out);
void daily_write_json(const struct daily *d, struct buf *out);
void daily_write_csv(const struct daily *d, struct buf *out);
void daily_write_html(const struct daily *d, struct buf *out);

/* The lists by name, in the order of every format. */
struct daily_axis {
    enum report_axis axis;
    const char *key; /* in CSV */
    const char *list; /* in JSON */
    const char *title; /* for people */
};
#define DAILY_AXES 4
extern const struct daily_axis daily_axes[DAILY_AXES];

/* Calls by how they went; the four add up to all. */
struct daily_kind {
    const char *key;
    const char *title;
    int64_t calls;
    nano_usd cost;
};
#define DAILY_KINDS 4
void daily_kinds(const struct report_calls *calls, struct daily_kind out[DAILY_KINDS]);

#endif
