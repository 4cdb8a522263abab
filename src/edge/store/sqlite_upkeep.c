/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite_upkeep: the rollups follow the rows, in the transaction of the rows.
 *
 * A query is counted when it is inserted, which happens once; a label when it comes, and what it replaces is taken away. A label that
 * came before its query waits for it. Queries of a ledger from before rollups were kept are pending: they and their labels are counted
 * by database_roll_up(), chunk by chunk, each in one transaction with how far it came; until then nothing else counts them.
 */
#include "edge/store/sqlite_internal.h"

#define LABEL_BYTES_MAX ((size_t)1 << 20) /* of all labels of a query, which has one of a source */

/* ---- opening ---- */

static enum err state_load(struct database *db)
{
    sqlite3_stmt *statement = NULL;
    enum err e = database_statement(db, STATEMENT_ROLLUP_STATE, &statement);

    if (e != OK)
        return e;
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        db->rollups.done = sqlite3_column_int64(statement, 0);
        db->rollups.last = sqlite3_column_int64(statement, 1);
        db->waiting_last = sqlite3_column_type(statement, 2) == SQLITE_NULL
                               ? INT64_MIN
                               : sqlite3_column_int64(statement, 2);
    } else {
        e = database_failed(db, code);
    }
    sqlite3_reset(statement);
    return e;
}

enum err upkeep_open(struct database *db, enum database_mode mode)
{
    enum err e = state_load(db);

    if (e == OK && mode == DATABASE_WRITE)
        e = rollup_writer_open(&db->writer, db, "main");
    return e == OK && mode == DATABASE_WRITE ? rollup_open(&db->rollup, rollup_write, db->writer)
                                             : e;
}

void upkeep_close(struct database *db)
{
    rollup_close(db->rollup);
    rollup_writer_close(db->writer);
}

enum err database_rollup_read(struct database *db, struct rollup_state *out)
{
    enum err e = state_load(db);

    if (e == OK)
        *out = db->rollups;
    return e;
}

enum err database_pending(struct database *db, int64_t *out_rows)
{
    return database_integer(db, STATEMENT_ROLLUP_PENDING, out_rows);
}

enum err upkeep_temporary(struct database *db)
{
    return database_exec(db, sqlite_rollup_temporary);
}

/* ---- labels whose query is not there yet ---- */

/* Runs a statement that needs an id only and gives no rows. */
static enum err id_do(struct database *db, enum statement which, int64_t id)
{
    sqlite3_stmt *statement = NULL;
    enum err e = database_statement(db, which, &statement);

    return e == OK ? database_finish(db, statement, sqlite3_bind_int64(statement, 1, id)) : e;
}

static enum err waiting_add(struct database *db, int64_t id)
{
    if (id > db->waiting_last)
        db->waiting_last = id;
    return id_do(db, STATEMENT_WAITING_ADD, id);
}

/* Counts the labels that came before their query. */
static enum err waiting_count(struct database *db, const struct row_query *q)
{
    struct rollup_subject subject = rollup_subject_of(q);
    struct arena arena;
    sqlite3_stmt *statement = NULL;
    enum err e = database_statement(db, STATEMENT_LABELS_OF, &statement);

    if (e != OK)
        return e;
    arena_init(&arena, LABEL_BYTES_MAX);
    int code = sqlite3_bind_int64(statement, 1, q->begin.id);
    while (e == OK && code != SQLITE_DONE) {
        struct ledger_label label;
        code = sqlite3_step(statement);
        if (code == SQLITE_ROW) {
            rows_read_label(statement, &arena, &label);
            e = rollup_add_label(db->rollup, &subject, &label, 1);
        } else if (code != SQLITE_DONE) {
            e = database_failed(db, code);
        }
    }
    sqlite3_reset(statement);
    if (e == OK && arena_failed(&arena))
        e = WEIR_NO_MEMORY;
    arena_fini(&arena);
    return e;
}

/* ---- rows in ---- */

enum err upkeep_query(struct database *db, const struct row_query *q)
{
    if (rollup_is_pending(&db->rollups, q->begin.id))
        return OK;
    enum err e = rollup_add_query(db->rollup, q);
    if (e != OK || q->begin.id > db->waiting_last)
        return e;
    e = id_do(db, STATEMENT_WAITING_TAKE, q->begin.id);
    return e == OK && sqlite3_changes(db->connection) > 0 ? waiting_count(db, q) : e;
}

enum err upkeep_label_find(struct database *db, const struct ledger_label *label,
                           struct ledger_label *out_old, bool *out_found)
{
    str source = str_from(ledger_source_name(label->source));
    sqlite3_stmt *statement = NULL;
    enum err e = database_statement(db, STATEMENT_LABEL_FIND, &statement);

    if (e != OK)
        return e;
    int code = sqlite3_bind_int64(statement, 1, label->query);
    if (code == SQLITE_OK)
        code =
            sqlite3_bind_text64(statement, 2, source.ptr, source.len, SQLITE_STATIC, SQLITE_UTF8);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        *out_old = (struct ledger_label){ .query = label->query,
                                          .source = label->source,
                                          .value = sqlite3_column_double(statement, 0) };
    *out_found = code == SQLITE_ROW;
    e = code == SQLITE_ROW || code == SQLITE_DONE ? OK : database_failed(db, code);
    sqlite3_reset(statement);
    return e;
}

/* The subject's domain is the statement's, until its reset. */
static struct rollup_subject subject_read(sqlite3_stmt *statement)
{
    bool has_confidence = sqlite3_column_type(statement, 2) != SQLITE_NULL;

    return (struct rollup_subject){
        .started = sqlite3_column_int64(statement, 0),
        .domain = database_text(statement, 1),
        .confidence = has_confidence ? sqlite3_column_double(statement, 2) : -1,
        .is_calibrated = sqlite3_column_int(statement, 3) != 0,
        .is_paid = sqlite3_column_int(statement, 4) != 0,
        .is_simulated = sqlite3_column_int(statement, 5) != 0,
    };
}

enum err upkeep_label(struct database *db, const struct ledger_label *old,
                      const struct ledger_label *label)
{
    sqlite3_stmt *statement = NULL;

    if (rollup_is_pending(&db->rollups, label->query))
        return OK;
    enum err e = database_statement(db, STATEMENT_SUBJECT, &statement);
    if (e != OK)
        return e;
    int code = sqlite3_bind_int64(statement, 1, label->query);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        struct rollup_subject subject = subject_read(statement);
        e = old ? rollup_add_label(db->rollup, &subject, old, -1) : OK;
        if (e == OK)
            e = rollup_add_label(db->rollup, &subject, label, 1);
    } else {
        e = code == SQLITE_DONE ? waiting_add(db, label->query) : database_failed(db, code);
    }
    sqlite3_reset(statement);
    return e;
}

/* ---- a ledger from before ---- */

enum err upkeep_add(struct rollup *rollup, const struct row_query *q)
{
    enum err e = rollup_add_query(rollup, q);

    if (e != OK || q->labels_len == 0)
        return e;
    struct rollup_subject subject = rollup_subject_of(q);
    for (size_t i = 0; e == OK && i < q->labels_len; i++)
        e = rollup_add_label(rollup, &subject, &q->labels[i], 1);
    return e;
}

struct chunk {
    struct database *db;
    int64_t rows;
    enum err fault; /* the first */
};

static void chunk_query(void *ctx, const struct row_query *q)
{
    struct chunk *chunk = ctx;

    chunk->rows++;
    if (chunk->fault == OK)
        chunk->fault = upkeep_add(chunk->db->rollup, q);
}

static void chunk_stray_label(void *ctx, const struct ledger_label *label)
{
    struct chunk *chunk = ctx;

    if (chunk->fault == OK)
        chunk->fault = waiting_add(chunk->db, label->query);
}

/* The last id of the next chunk. */
static enum err chunk_end(struct database *db, int64_t rows_max, int64_t *out)
{
    const int64_t values[] = { db->rollups.done, db->rollups.last, rows_max };
    sqlite3_stmt *statement = NULL;
    enum err e = database_statement(db, STATEMENT_ROLLUP_CHUNK, &statement);
    int code = SQLITE_OK;

    if (e != OK)
        return e;
    for (int i = 0; code == SQLITE_OK && i < (int)ARRAY_LEN(values); i++)
        code = sqlite3_bind_int64(statement, i + 1, values[i]);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        *out = sqlite3_column_int64(statement, 0) < rows_max ? db->rollups.last
                                                             : sqlite3_column_int64(statement, 1);
    else
        e = database_failed(db, code);
    sqlite3_reset(statement);
    return e;
}

static enum err chunk_roll_up(struct database *db, int64_t rows_max, int64_t *out_end,
                              int64_t *out_rows)
{
    struct chunk chunk = { .db = db };
    struct database_visitor visitor = { .id_after = db->rollups.done,
                                        .on_query = chunk_query,
                                        .on_stray_label = chunk_stray_label,
                                        .ctx = &chunk };
    enum err e = chunk_end(db, rows_max, out_end);

    visitor.id_last = *out_end;
    if (e == OK)
        e = database_walk_rows(db, INT64_MIN, &visitor);
    if (e == OK)
        e = chunk.fault;
    if (e == OK)
        e = id_do(db, STATEMENT_ROLLUP_DONE, *out_end);
    *out_rows = chunk.rows;
    return e;
}

enum err database_roll_up(struct database *db, int64_t rows_max, int64_t *out_rows,
                          bool *out_is_done)
{
    int64_t end = db->rollups.last, rows = 0;
    bool has_more = db->rollups.done < db->rollups.last;
    enum err e = has_more ? database_begin(db) : OK;

    if (e == OK && has_more)
        e = chunk_roll_up(db, rows_max, &end, &rows);
    if (e == OK && has_more)
        e = database_commit(db);
    if (e != OK) {
        database_rollback(db);
        return e;
    }
    db->rollups.done = has_more ? end : db->rollups.done;
    *out_rows = rows;
    *out_is_done = db->rollups.done >= db->rollups.last;
    return OK;
}
