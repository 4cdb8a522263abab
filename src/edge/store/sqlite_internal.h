/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/sqlite_internal: what the files of the SQLite driver share: the connection, its statements, the schema's columns.
 */
#ifndef WEIR_EDGE_STORE_SQLITE_INTERNAL_H
#define WEIR_EDGE_STORE_SQLITE_INTERNAL_H

#include <sqlite3.h>

#include "base/arena.h"
#include "edge/store/internal.h"
#include "edge/store/rollup.h"

enum statement {
    STATEMENT_BEGIN,
    STATEMENT_COMMIT,
    STATEMENT_ROLLBACK,
    STATEMENT_QUERY,
    STATEMENT_CALL,
    STATEMENT_ROUTE,
    STATEMENT_LABEL,
    STATEMENT_ID_MAX,
    STATEMENT_ROLLUP_STATE,
    STATEMENT_ROLLUP_DONE,
    STATEMENT_ROLLUP_CHUNK,
    STATEMENT_ROLLUP_PENDING,
    STATEMENT_SUBJECT,
    STATEMENT_LABEL_FIND,
    STATEMENT_LABELS_OF,
    STATEMENT_WAITING_ADD,
    STATEMENT_WAITING_TAKE,
    STATEMENT_SELECT_QUERIES,
    STATEMENT_SELECT_CALLS,
    STATEMENT_SELECT_ROUTES,
    STATEMENT_SELECT_LABELS,
    STATEMENT_SELECT_SAMPLES,
    STATEMENT_COUNT,
};

struct database {
    sqlite3 *connection;
    sqlite3_stmt *prepared[STATEMENT_COUNT];
    struct rollup_state rollups;
    struct rollup *rollup; /* of the transaction that is open; NULL: opened for reading */
    struct rollup_writer *writer; /* of the rollup's cells */
    int64_t waiting_last; /* no query after this one has labels that came before it */
    int code; /* of the last failure */
    char message[200];
};

/* Keeps the message; WEIR_STORE. */
enum err database_failed(struct database *db, int code);
NODISCARD enum err database_exec(struct database *db, const char *sql);
NODISCARD enum err database_statement(struct database *db, enum statement which,
                                      sqlite3_stmt **out); /* prepared on first use */
/* Of text that is used once, with its parameters from ?1 on; to be finalised by the caller. */
NODISCARD enum err database_prepare(struct database *db, const char *sql, const int64_t *values,
                                    int count, sqlite3_stmt **out);
NODISCARD enum err database_version(struct database *db, int *out);

NODISCARD enum err database_finish(struct database *db, sqlite3_stmt *statement,
                                   int code); /* steps one without rows, unless code is a failure */
/* Of a statement without parameters that gives one row: its first column; a NULL is 0. */
NODISCARD enum err database_integer(struct database *db, enum statement which, int64_t *out);
/* A column of the row that the statement stands on, valid until its next step or reset; a NULL is empty. */
str database_text(sqlite3_stmt *statement, int column);

/* ---- sqlite_upkeep.c: the rollups follow the rows ---- */
NODISCARD enum err upkeep_open(struct database *db, enum database_mode mode);
void upkeep_close(struct database *db);
/* A query that was inserted. */
NODISCARD enum err upkeep_query(struct database *db, const struct row_query *q);
/* What is known of a label before it is replaced: its value; false: it is not there. */
NODISCARD enum err upkeep_label_find(struct database *db, const struct ledger_label *label,
                                     struct ledger_label *out_old, bool *out_found);
/* A label that was inserted, or that took the old one's place. */
NODISCARD enum err upkeep_label(struct database *db, const struct ledger_label *old,
                                const struct ledger_label *label);
/* A query with its labels, as a walk shows it. */
NODISCARD enum err upkeep_add(struct rollup *rollup, const struct row_query *q);
/* The rollups' tables, again, in the connection's temporary database. */
NODISCARD enum err upkeep_temporary(struct database *db);

/* ---- sqlite_schema.c ---- */
extern const char sqlite_rollup_temporary[];
NODISCARD enum err database_migrate(struct database *db);
/* A ledger of a later weir must not be written by this one. */
NODISCARD enum err database_check_version(struct database *db);

/* ---- sqlite_rows.c ---- */

/* SQLite's code of the first binding that failed, else SQLITE_OK. The texts must live until the statement was stepped. */
int rows_bind_query(sqlite3_stmt *statement, const struct row_query *q);
int rows_bind_call(sqlite3_stmt *statement, const struct row_call *c);
int rows_bind_route(sqlite3_stmt *statement, const struct ledger_route *r);
int rows_bind_label(sqlite3_stmt *statement, const struct ledger_label *label);
/* The texts are the statement's, until its next step. */
void rows_read_query(sqlite3_stmt *statement, struct row_query *q);
/* The texts are copied to the arena: the statement moves on while the query's other calls are read. */
void rows_read_call(sqlite3_stmt *statement, struct arena *arena, struct row_call *call);
void rows_read_route(sqlite3_stmt *statement, struct arena *arena, struct ledger_route *r);
void rows_read_label(sqlite3_stmt *statement, struct arena *arena, struct ledger_label *label);

#endif
