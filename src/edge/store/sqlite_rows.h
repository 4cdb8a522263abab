/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/sqlite_rows: the columns of the ledger's two tables, in the schema's order.
 */
#ifndef WEIR_EDGE_STORE_SQLITE_ROWS_H
#define WEIR_EDGE_STORE_SQLITE_ROWS_H

#include <sqlite3.h>

#include "base/arena.h"
#include "edge/store/internal.h"

/* SQLite's code of the first binding that failed, else SQLITE_OK. The texts must live until the statement was stepped. */
int rows_bind_query(sqlite3_stmt *statement, const struct row_query *q);
int rows_bind_call(sqlite3_stmt *statement, const struct row_call *c);
/* The texts are the statement's, until its next step. */
void rows_read_query(sqlite3_stmt *statement, struct row_query *q);
/* The texts are copied to the arena: the statement moves on while the query's other calls are read. */
void rows_read_call(sqlite3_stmt *statement, struct arena *arena, struct row_call *call);

#endif
