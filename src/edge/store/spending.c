/* SPDX-License-Identifier: Apache-2.0 */
/* spending: one aggregate statement over the queries of a span, see spending.h. */
#include "edge/store/spending.h"

#include <stdio.h>

#include "edge/store/sqlite_internal.h"

#define RECENT_US (INT64_C(7200) * 1000000)

/* The rows before the id ?1 need not be read. A figure beyond 2^50 is nobody's: it must not make a sum overflow. */
static const char sql[] =
    "SELECT key_id, tenant, at, count(*), sum(min(tokens, 1125899906842624)),"
    " sum(min(cost, 1125899906842624)) FROM (SELECT key_id, tenant,"
    " CASE WHEN started >= ?3 THEN started / 1000000 * 1000000"
    " ELSE started / 1800000000 * 1800000000 END AS at,"
    " max(input_tokens, 0) + max(output_tokens, 0) AS tokens,"
    " coalesce(cost_nano_usd, 0) AS cost FROM queries"
    " WHERE id >= ?1 AND started >= ?2 AND key_id <> ''"
    " AND coalesce(fault, '') NOT IN ('POLICY_LIMIT', 'POLICY_QUOTA')) GROUP BY 1, 2, 3";

static enum err rows_walk(struct database *db, sqlite3_stmt *statement,
                          void (*on_row)(void *ctx, const struct spending *row), void *ctx)
{
    int code;

    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        const struct spending row = { .key = database_text(statement, 0),
                                      .tenant = database_text(statement, 1),
                                      .at = sqlite3_column_int64(statement, 2),
                                      .requests = sqlite3_column_int64(statement, 3),
                                      .tokens = sqlite3_column_int64(statement, 4),
                                      .cost = sqlite3_column_int64(statement, 5) };
        on_row(ctx, &row);
    }
    return code == SQLITE_DONE ? OK : database_failed(db, code);
}

enum err store_read_spending(str directory, usec_utc since, usec_utc now,
                             void (*on_row)(void *ctx, const struct spending *row), void *ctx,
                             char out_why[256])
{
    const int64_t values[] = { ledger_id_floor(since), since, now - RECENT_US };
    struct database *db = NULL;
    sqlite3_stmt *statement = NULL;
    bool is_live;
    enum err e = directory_read(directory, &db, &is_live, out_why);

    if (e != OK)
        return e;
    e = database_prepare(db, sql, values, ARRAY_LEN(values), &statement);
    if (e == OK)
        e = rows_walk(db, statement, on_row, ctx);
    if (e != OK)
        snprintf(out_why, 256, "ledger.db: %s", database_message(db));
    sqlite3_finalize(statement);
    database_close(db);
    return e;
}
