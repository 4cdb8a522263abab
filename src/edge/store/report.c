/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report: the rollups of the whole quarter hours of a span; and, by the same sums, the rows of what these do not have: queries that are not
 * rolled up yet, and those in a quarter hour that the span cuts, as no day of a zone of today does.
 */
#include "edge/store/report.h"

#include <stdio.h>
#include <string.h>

#include "edge/store/report_internal.h"
#include "edge/store/sqlite_internal.h"

#define CACHE "-65536" /* KiB: the tables of rows are read side by side */
#define ROLL_UP_ROWS 50000

/* ---- rows ---- */

struct rows {
    const struct report_span *span;
    int64_t slot_from, slot_to; /* whose rollups are read */
    struct rollup_state pending;
    struct rollup *rollup;
    enum err fault; /* the first */
};

static void rows_take(void *ctx, const struct row_query *q)
{
    struct rows *rows = ctx;
    usec_utc started = q->begin.started;
    int64_t slot = rollup_slot(started);
    bool is_rolled_up = slot >= rows->slot_from && slot < rows->slot_to &&
                        !rollup_is_pending(&rows->pending, q->begin.id);

    if (rows->fault == OK && started >= rows->span->from && started < rows->span->to &&
        !is_rolled_up)
        rows->fault = upkeep_add(rows->rollup, q);
}

static enum err rows_read(struct database *db, struct rows *rows, struct report_build *build)
{
    const struct report_span *span = rows->span;
    bool is_cut = span->from % ROLLUP_SLOT_USEC != 0 || span->to % ROLLUP_SLOT_USEC != 0;
    struct database_visitor visitor = { .on_query = rows_take, .ctx = rows };

    if (span->from >= span->to || (!is_cut && rows->pending.done >= rows->pending.last))
        return OK;
    if (!is_cut) {
        visitor.id_after = rows->pending.done;
        visitor.id_last = rows->pending.last;
    }
    enum err e = rollup_open(&rows->rollup, report_build_take, build);
    if (e == OK)
        e = database_walk_rows(db, span->from, &visitor);
    if (e == OK)
        e = rows->fault;
    if (e == OK)
        e = rollup_flush(rows->rollup);
    rollup_close(rows->rollup);
    return e;
}

/* ---- the whole ---- */

static enum err report_read(struct database *db, struct report_build *build)
{
    const struct report_span *span = build->span;
    struct rows rows = { .span = span,
                         .slot_from = rollup_slot(span->from + ROLLUP_SLOT_USEC - 1),
                         .slot_to = rollup_slot(span->to) };
    enum err e = database_exec(db, "PRAGMA cache_size = " CACHE "; BEGIN"); /* one view */

    if (e == OK)
        e = database_rollup_read(db, &rows.pending);
    if (e == OK)
        e = rollup_read(db, rows.slot_from, rows.slot_to, report_build_take, build);
    if (e == OK)
        e = rows_read(db, &rows, build);
    database_rollback(db);
    return e;
}

static const char *failure(const struct report_build *build, const struct database *db, enum err e)
{
    if (e == WEIR_NO_MEMORY)
        return "too many names for the memory of a report";
    return build->has_overflow ? "integer overflow: a sum is beyond 64 bits" : database_message(db);
}

enum err store_read_report(str directory, const struct report_span *span, struct arena *arena,
                           struct ledger_report *out, char out_why[256])
{
    struct ledger_report report = { 0 };
    struct report_build build;
    struct database *db = NULL;
    enum err e = directory_read(directory, &db, &report.is_live, out_why);

    if (e != OK)
        return e;
    e = report_build_init(&build, span, arena, &report);
    if (e == OK)
        e = report_read(db, &build);
    if (e == OK) {
        report_build_finish(&build);
        *out = report;
    } else {
        snprintf(out_why, 256, "ledger.db: %s", failure(&build, db, e));
    }
    database_close(db);
    return e;
}

/* ---- a ledger from before ---- */

static enum err backlog_run(struct store *s,
                            void (*on_progress)(void *ctx, int64_t done, int64_t all), void *ctx,
                            char out_why[256])
{
    int64_t all, done = 0;
    bool is_done = false;
    enum err e = importer_backlog(s->importer, &all, out_why);

    while (e == OK && all > 0 && !is_done) {
        int64_t rows = 0;
        if (on_progress)
            on_progress(ctx, done, all);
        e = importer_roll_up(s->importer, ROLL_UP_ROWS, &rows, &is_done, out_why);
        done += rows;
    }
    if (e == OK && all > 0 && on_progress)
        on_progress(ctx, done, all);
    return e;
}

enum err store_roll_up(str directory, void (*on_progress)(void *ctx, int64_t done, int64_t all),
                       void *ctx, char out_why[256])
{
    const struct store_options options = { .directory = directory, .sync_power = true };
    struct store *s = NULL;
    enum err e = directory_find(directory, out_why);

    if (e == OK)
        e = store_recover(&s, &options, out_why);
    if (e == WEIR_OVERLOADED) {
        out_why[0] = '\0'; /* a server holds it, and does so by itself */
        return OK;
    }
    if (e != OK)
        return e;
    out_why[0] = '\0';
    e = backlog_run(s, on_progress, ctx, out_why);
    store_free(s);
    return e;
}
