/* SPDX-License-Identifier: Apache-2.0 */
/* table: see table.h. */
#include "app/eval/table.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_BYTES_MAX ((size_t)64 << 20)
#define COLUMNS_MAX 24

#define BOLD "\x1b[1m"
#define PLAIN "\x1b[0m"

/* What a word means, as a colour. */
static const struct {
    str word;
    const char *colour;
} colours[] = {
    { { "superior", 8 }, "\x1b[32m" },
    { { "non-inferior", 12 }, "\x1b[32m" },
    { { "inconclusive", 12 }, "\x1b[33m" },
    { { "inferior", 8 }, "\x1b[31m" },
};

enum err eval_table_init(struct eval_table *t, const struct eval_column *columns,
                         size_t column_count, size_t rows_max)
{
    assert(column_count <= COLUMNS_MAX);
    *t = (struct eval_table){ .columns = columns,
                              .column_count = column_count,
                              .room = column_count * rows_max };
    arena_init(&t->arena, ARENA_BYTES_MAX);
    t->cells = ARENA_ARRAY(&t->arena, t->room > 0 ? t->room : 1, str);
    return t->cells ? OK : WEIR_NO_MEMORY;
}

void eval_table_fini(struct eval_table *t)
{
    arena_fini(&t->arena);
}

void eval_table_add(struct eval_table *t, str cell)
{
    assert(t->count < t->room);
    str *own = &t->cells[t->count++];
    char *bytes = arena_alloc(&t->arena, cell.len + 1);

    for (size_t i = 0; bytes && i < cell.len; i++) {
        unsigned char c = (unsigned char)cell.ptr[i];
        bytes[i] = c < 0x20 || c == 0x7f ? '?' : (char)c;
    }
    *own = bytes ? (str){ bytes, cell.len } : (str){ 0 };
}

void eval_table_printf(struct eval_table *t, const char *fmt, ...)
{
    struct buf text = { .max = 4096 };
    va_list args;

    va_start(args, fmt);
    buf_vprintf(&text, fmt, args);
    va_end(args);
    eval_table_add(t, buf_str(&text));
    buf_fini(&text);
}

/* Characters, not bytes: continuation bytes of UTF-8 take no room. */
static size_t width_of(str s)
{
    size_t n = 0;

    for (size_t i = 0; i < s.len; i++)
        n += ((unsigned char)s.ptr[i] & 0xC0) != 0x80;
    return n;
}

static str cell_at(const struct eval_table *t, size_t row, size_t column)
{
    return t->cells[row * t->column_count + column];
}

static size_t rows_of(const struct eval_table *t)
{
    return t->count / t->column_count;
}

/* 0: nothing stands in it. */
static size_t column_width(const struct eval_table *t, size_t column)
{
    size_t widest = 0, title = width_of(str_from(t->columns[column].title));

    for (size_t row = 0; row < rows_of(t); row++) {
        size_t width = width_of(cell_at(t, row, column));
        widest = width > widest ? width : widest;
    }
    return widest > 0 && title > widest ? title : widest;
}

static void pad(struct buf *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_add_char(out, ' ');
}

static const char *colour_of(str cell)
{
    for (size_t i = 0; i < ARRAY_LEN(colours); i++) {
        if (str_eq(cell, colours[i].word))
            return colours[i].colour;
    }
    return NULL;
}

static void write_cell(struct buf *out, str cell, const struct eval_column *column, size_t width,
                       const char *colour)
{
    size_t missing = width - width_of(cell);

    if (column->is_right)
        pad(out, missing);
    if (colour)
        buf_add(out, str_from(colour));
    buf_add(out, cell);
    if (colour)
        buf_add(out, STR(PLAIN));
    if (!column->is_right)
        pad(out, missing);
}

/* Without the blanks that the last column left. */
static void end_line(struct buf *out)
{
    while (out->len > 0 && out->ptr[out->len - 1] == ' ')
        out->len--;
    buf_add_char(out, '\n');
}

void eval_table_write_text(const struct eval_table *t, bool has_colour, struct buf *out)
{
    size_t widths[COLUMNS_MAX];

    for (size_t c = 0; c < t->column_count; c++)
        widths[c] = column_width(t, c);
    for (size_t row = 0; row <= rows_of(t); row++) {
        bool is_first = true;
        for (size_t c = 0; c < t->column_count; c++) {
            if (widths[c] == 0)
                continue;
            str cell = row == 0 ? str_from(t->columns[c].title) : cell_at(t, row - 1, c);
            if (!is_first)
                pad(out, 2);
            is_first = false;
            write_cell(out, cell, &t->columns[c], widths[c],
                       !has_colour ? NULL
                       : row == 0  ? BOLD
                                   : colour_of(cell));
        }
        end_line(out);
    }
}

static void write_escaped(struct buf *out, str cell)
{
    for (size_t i = 0; i < cell.len; i++) {
        if (strchr("|\\`*_<>[]", cell.ptr[i]))
            buf_add_char(out, '\\');
        buf_add_char(out, cell.ptr[i]);
    }
}

void eval_table_write_markdown(const struct eval_table *t, struct buf *out)
{
    for (size_t row = 0; row <= rows_of(t) + 1; row++) {
        buf_add_char(out, '|');
        for (size_t c = 0; c < t->column_count; c++) {
            if (column_width(t, c) == 0)
                continue;
            if (row == 1) {
                buf_add(out, t->columns[c].is_right ? STR("---:|") : STR("---|"));
                continue;
            }
            buf_add_char(out, ' ');
            write_escaped(out, row == 0 ? str_from(t->columns[c].title) : cell_at(t, row - 2, c));
            buf_add(out, STR(" |"));
        }
        buf_add_char(out, '\n');
    }
}
