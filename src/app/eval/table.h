/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table: a table of texts that is made once and written aligned for a terminal or as Markdown. Control bytes that came
 * from outside cannot move a cursor: they become '?'.
 */
#ifndef WEIR_APP_EVAL_TABLE_H
#define WEIR_APP_EVAL_TABLE_H

#include "base/arena.h"
#include "base/base.h"

struct eval_column {
    const char *title;
    bool is_right; /* aligned */
};

struct eval_table {
    struct arena arena;
    const struct eval_column *columns;
    size_t column_count;
    str *cells; /* row by row */
    size_t count;
    size_t room;
};

/* The columns must outlive the table. */
NODISCARD enum err eval_table_init(struct eval_table *t, const struct eval_column *columns,
                                   size_t column_count, size_t rows_max);
void eval_table_fini(struct eval_table *t);
void eval_table_add(struct eval_table *t, str cell); /* the next cell */
void eval_table_printf(struct eval_table *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Columns that are empty in every row are left out. */
void eval_table_write_text(const struct eval_table *t, bool has_colour, struct buf *out);
void eval_table_write_markdown(const struct eval_table *t, struct buf *out);

#endif
