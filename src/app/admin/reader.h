/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reader: what the dashboard asks the ledger, off the loop; for the files of the dashboard.
 *
 * A caller may rely on: an answer depends on its path, its query, the configuration and the ledger alone, and may be given
 * again while it is fresh.
 */
#ifndef WEIR_APP_ADMIN_READER_H
#define WEIR_APP_ADMIN_READER_H

#include "app/admin/dashboard_internal.h"
#include "edge/store/browse.h"

/* ---- reader.c ---- */
NODISCARD enum err reader_open(struct dashboard *d);
void reader_close(struct dashboard *d);

/* ---- answers.c and its neighbours: one question, in the reader's thread ---- */
struct reading {
    const struct config *config;
    str directory;
    struct browser *browser;
    str path, query;
    usec_utc now;
    struct arena arena;
    /* The answer: */
    struct buf *body;
    int status;
    nsec fresh; /* for how long it may be given again, at least */
};
void reading_answer(struct reading *r);
/* The body is the refusal's, whatever was in it. */
void reading_refuse(struct reading *r, int status, const char *code, const char *message);
void reading_store_failed(struct reading *r, const char *why);
/* A parameter; false having refused. */
bool reading_param(struct reading *r, const char *name, str *out);
/* A parameter that is a flag: "1" or "true". */
bool reading_flag(struct reading *r, const char *name, bool *out);

void queries_answer(struct reading *r, str rest);
void series_answer(struct reading *r, str rest);
void reports_answer(struct reading *r, str rest);

#endif
