/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_rollup: the tables of the rollups: cells in and out. A row is a cell's numbers, names, sums, reals and latency, in this order. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edge/store/rollup.h"
#include "edge/store/sqlite_internal.h"

#define SQL_MAX 1024

const struct rollup_columns rollup_tables[ROLLUP_TABLE_COUNT] = {
    [ROLLUP_QUERIES] = { "rollup_queries",
                         { "slot", "is_simulated", "tenant", "domain", "strategy", "arm", "fault",
                           "model" } },
    [ROLLUP_CALLS] = { "rollup_calls", { "slot", "is_simulated", "model", "provider", "domain" } },
    [ROLLUP_LABELS] = { "rollup_labels",
                        { "slot", "is_simulated", "is_calibrated", "bin", "source", "domain" } },
};

struct rollup_writer {
    struct database *db;
    const char *schema;
    sqlite3_stmt *select[ROLLUP_TABLE_COUNT], *replace[ROLLUP_TABLE_COUNT];
    struct histogram latency; /* of the cell that is written */
    uint8_t packed[LATENCY_BYTES_MAX];
};

static int shape_columns(const struct rollup_shape *shape)
{
    return shape->numbers + shape->names + shape->sums + shape->reals + shape->has_latency;
}

/* ---- cells out ---- */

/* The texts and bytes are the statement's, until its next step. A sum that is no integer is ROLLUP_OVERFLOW. */
static void cell_read(sqlite3_stmt *statement, enum rollup_table table, struct rollup_cell *cell)
{
    const struct rollup_shape *shape = &rollup_shapes[table];
    int column = 0;

    memset(cell, 0, sizeof(*cell));
    cell->table = table;
    for (int i = 0; i < shape->numbers; i++)
        cell->numbers[i] = sqlite3_column_int64(statement, column++);
    for (int i = 0; i < shape->names; i++)
        cell->names[i] = database_text(statement, column++);
    for (int i = 0; i < shape->sums; i++, column++)
        cell->sums[i] = sqlite3_column_type(statement, column) == SQLITE_INTEGER
                            ? sqlite3_column_int64(statement, column)
                            : ROLLUP_OVERFLOW;
    for (int i = 0; i < shape->reals; i++)
        cell->reals[i] = sqlite3_column_double(statement, column++);
    if (shape->has_latency) {
        const void *bytes = sqlite3_column_blob(statement, column);
        int len = sqlite3_column_bytes(statement, column);
        cell->latency = (str){ bytes, bytes && len > 0 ? (size_t)len : 0 };
    }
}

static enum err cells_show(struct database *db, sqlite3_stmt *statement, enum rollup_table table,
                           rollup_sink *sink, void *ctx)
{
    enum err e = OK;
    int code = SQLITE_DONE;

    while (e == OK && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        struct rollup_cell cell;
        cell_read(statement, table, &cell);
        e = sink(ctx, &cell);
    }
    return e == OK && code != SQLITE_DONE ? database_failed(db, code) : e;
}

static enum err table_read(struct database *db, enum rollup_table table, int64_t from, int64_t to,
                           rollup_sink *sink, void *ctx)
{
    const int64_t span[] = { from, to };
    sqlite3_stmt *statement = NULL;
    char sql[SQL_MAX];

    snprintf(sql, sizeof(sql), "SELECT * FROM main.%s WHERE slot >= ?1 AND slot < ?2",
             rollup_tables[table].name);
    enum err e = database_prepare(db, sql, span, ARRAY_LEN(span), &statement);
    if (e == OK)
        e = cells_show(db, statement, table, sink, ctx);
    sqlite3_finalize(statement);
    return e;
}

enum err rollup_read(struct database *db, int64_t from, int64_t to, rollup_sink *sink, void *ctx)
{
    enum err e = OK;

    for (int t = 0; e == OK && t < ROLLUP_TABLE_COUNT; t++)
        e = table_read(db, (enum rollup_table)t, from, to, sink, ctx);
    return e;
}

/* ---- cells in ---- */

static enum err writer_prepare(struct rollup_writer *w, const char *schema, int t)
{
    const struct rollup_shape *shape = &rollup_shapes[t];
    char sql[SQL_MAX];
    int len =
        snprintf(sql, sizeof(sql), "SELECT * FROM %s.%s WHERE", schema, rollup_tables[t].name);

    for (int i = 0; i < shape->numbers + shape->names; i++)
        len += snprintf(sql + len, sizeof(sql) - (size_t)len, "%s %s = ?%d", i > 0 ? " AND" : "",
                        rollup_tables[t].key[i], i + 1);
    int code = sqlite3_prepare_v3(w->db->connection, sql, -1, SQLITE_PREPARE_PERSISTENT,
                                  &w->select[t], NULL);
    if (code != SQLITE_OK)
        return database_failed(w->db, code);
    len = snprintf(sql, sizeof(sql), "INSERT OR REPLACE INTO %s.%s VALUES (?", schema,
                   rollup_tables[t].name);
    for (int i = 1; i < shape_columns(shape); i++)
        len += snprintf(sql + len, sizeof(sql) - (size_t)len, ",?");
    snprintf(sql + len, sizeof(sql) - (size_t)len, ")");
    code = sqlite3_prepare_v3(w->db->connection, sql, -1, SQLITE_PREPARE_PERSISTENT, &w->replace[t],
                              NULL);
    return code == SQLITE_OK ? OK : database_failed(w->db, code);
}

enum err rollup_writer_open(struct rollup_writer **out, struct database *db, const char *schema)
{
    struct rollup_writer *w = calloc(1, sizeof(*w));
    enum err e = OK;

    if (!w)
        return WEIR_NO_MEMORY;
    w->db = db;
    w->schema = schema;
    for (int t = 0; e == OK && t < ROLLUP_TABLE_COUNT; t++)
        e = writer_prepare(w, schema, t);
    if (e != OK) {
        rollup_writer_close(w);
        return e;
    }
    *out = w;
    return OK;
}

void rollup_writer_close(struct rollup_writer *w)
{
    if (!w)
        return;
    for (int t = 0; t < ROLLUP_TABLE_COUNT; t++) {
        sqlite3_finalize(w->select[t]);
        sqlite3_finalize(w->replace[t]);
    }
    free(w);
}

static int key_bind(sqlite3_stmt *statement, const struct rollup_cell *cell)
{
    const struct rollup_shape *shape = &rollup_shapes[cell->table];
    int code = SQLITE_OK, column = 0;

    for (int i = 0; code == SQLITE_OK && i < shape->numbers; i++)
        code = sqlite3_bind_int64(statement, ++column, cell->numbers[i]);
    for (int i = 0; code == SQLITE_OK && i < shape->names; i++) {
        str name = cell->names[i];
        code = sqlite3_bind_text64(statement, ++column, name.len > 0 ? name.ptr : "", name.len,
                                   SQLITE_STATIC, SQLITE_UTF8);
    }
    return code;
}

static int sums_bind(sqlite3_stmt *statement, const struct rollup_cell *cell)
{
    const struct rollup_shape *shape = &rollup_shapes[cell->table];
    int code = SQLITE_OK, column = shape->numbers + shape->names;

    for (int i = 0; code == SQLITE_OK && i < shape->sums; i++)
        code = sqlite3_bind_int64(statement, ++column, cell->sums[i]);
    for (int i = 0; code == SQLITE_OK && i < shape->reals; i++)
        code = sqlite3_bind_double(statement, ++column, cell->reals[i]);
    if (code == SQLITE_OK && shape->has_latency)
        code =
            sqlite3_bind_blob64(statement, ++column, cell->latency.len > 0 ? cell->latency.ptr : "",
                                cell->latency.len, SQLITE_STATIC);
    return code;
}

/* sum becomes what stands there and the cell. Bytes that are no latencies are given up: verify finds them. */
static void cell_merge(struct rollup_writer *w, struct rollup_cell *sum,
                       const struct rollup_cell *cell)
{
    const struct rollup_shape *shape = &rollup_shapes[cell->table];

    for (int i = 0; i < shape->sums; i++)
        rollup_sum(&sum->sums[i], cell->sums[i]);
    for (int i = 0; i < shape->reals; i++)
        sum->reals[i] += cell->reals[i];
    if (!shape->has_latency)
        return;
    memset(&w->latency, 0, sizeof(w->latency));
    IGNORE(latency_add(&w->latency, sum->latency));
    IGNORE(latency_add(&w->latency, cell->latency));
    sum->latency = (str){ (const char *)w->packed, latency_pack(w->packed, &w->latency) };
}

/* *sum becomes the cell with what stands in the table. */
static enum err cell_sum(struct rollup_writer *w, const struct rollup_cell *cell,
                         struct rollup_cell *sum)
{
    sqlite3_stmt *select = w->select[cell->table];
    int code = key_bind(select, cell);

    *sum = *cell;
    if (code == SQLITE_OK)
        code = sqlite3_step(select);
    if (code == SQLITE_ROW) {
        cell_read(select, cell->table, sum);
        cell_merge(w, sum, cell);
        code = SQLITE_DONE;
    }
    memcpy(sum->names, cell->names, sizeof(sum->names)); /* the statement's are gone */
    enum err e = code == SQLITE_DONE ? OK : database_failed(w->db, code);
    sqlite3_reset(select);
    return e;
}

enum err rollup_write(void *writer, const struct rollup_cell *cell)
{
    struct rollup_writer *w = writer;
    sqlite3_stmt *replace = w->replace[cell->table];
    struct rollup_cell sum;
    enum err e = cell_sum(w, cell, &sum);

    if (e != OK)
        return e;
    int code = key_bind(replace, &sum);
    if (code == SQLITE_OK)
        code = sums_bind(replace, &sum);
    if (code == SQLITE_OK)
        code = sqlite3_step(replace);
    e = code == SQLITE_DONE ? OK : database_failed(w->db, code);
    sqlite3_reset(replace);
    return e;
}

/* ---- comparing ---- */

struct comparing {
    struct rollup_writer *w;
    int64_t found; /* cells that both have, alike or not */
    int64_t differ;
    int64_t first_slot; /* of those that differ */
};

/* Two sums of the same values, added in other orders. */
static bool reals_are_alike(double a, double b)
{
    return fabs(a - b) <= 1e-9 * (fabs(a) + fabs(b));
}

static bool cells_are_alike(const struct rollup_cell *a, const struct rollup_cell *b)
{
    const struct rollup_shape *shape = &rollup_shapes[a->table];

    for (int i = 0; i < shape->sums; i++) {
        if (a->sums[i] != b->sums[i])
            return false;
    }
    for (int i = 0; i < shape->reals; i++) {
        if (!reals_are_alike(a->reals[i], b->reals[i]))
            return false;
    }
    return str_eq(a->latency, b->latency);
}

static enum err compare_take(void *ctx, const struct rollup_cell *cell)
{
    struct comparing *c = ctx;
    sqlite3_stmt *select = c->w->select[cell->table];
    struct rollup_cell other;
    bool is_alike = false;

    if (cell->sums[0] == 0)
        return OK;
    int code = key_bind(select, cell);
    if (code == SQLITE_OK)
        code = sqlite3_step(select);
    if (code == SQLITE_ROW) {
        c->found++;
        cell_read(select, cell->table, &other);
        is_alike = cells_are_alike(cell, &other);
    }
    sqlite3_reset(select);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        return database_failed(c->w->db, code);
    if (is_alike)
        return OK;
    if (c->differ++ == 0 || cell->numbers[ROLLUP_SLOT] < c->first_slot)
        c->first_slot = cell->numbers[ROLLUP_SLOT];
    return OK;
}

/* How many cells the writer's table has, and the earliest slot of one; nothing is in *out_slot when there is none. */
static enum err cells_count(struct rollup_writer *w, const char *table, int64_t *out_count,
                            int64_t *out_slot)
{
    sqlite3_stmt *statement = NULL;
    char sql[SQL_MAX];

    snprintf(sql, sizeof(sql), "SELECT count(*), min(slot) FROM %s.%s", w->schema, table);
    enum err e = database_prepare(w->db, sql, NULL, 0, &statement);
    if (e != OK)
        return e;
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        *out_count = sqlite3_column_int64(statement, 0);
        *out_slot = sqlite3_column_int64(statement, 1);
    } else {
        e = database_failed(w->db, code);
    }
    sqlite3_finalize(statement);
    return e;
}

static enum err table_compare(struct rollup_writer *w, enum rollup_table table, int64_t from,
                              struct comparing *out)
{
    struct comparing c = { .w = w };
    int64_t count = 0, slot = 0;
    enum err e = table_read(w->db, table, from, INT64_MAX, compare_take, &c);

    if (e == OK)
        e = cells_count(w, rollup_tables[table].name, &count, &slot);
    if (count > c.found) { /* some are missing in main */
        c.first_slot = c.differ > 0 ? c.first_slot : slot;
        c.differ += count - c.found;
    }
    *out = c;
    return e;
}

enum err rollup_compare(struct rollup_writer *w, int64_t from,
                        void (*on_difference)(void *ctx, const char *table, int64_t cells,
                                              int64_t slot),
                        void *ctx)
{
    enum err e = OK;

    for (int t = 0; e == OK && t < ROLLUP_TABLE_COUNT; t++) {
        struct comparing c = { 0 };
        e = table_compare(w, (enum rollup_table)t, from, &c);
        if (e == OK && c.differ > 0)
            on_difference(ctx, rollup_tables[t].name, c.differ, c.first_slot);
    }
    return e;
}
