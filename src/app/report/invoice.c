/* SPDX-License-Identifier: Apache-2.0 */
/* invoice: a provider's CSV to amounts by day and model: see reconcile.h. Pure. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/report/reconcile.h"
#include "base/utc.h"

#define COLUMNS_MAX 64
#define FIELD_BYTES_MAX ((size_t)4096)
#define SECONDS_PER_DAY INT64_C(86400)
#define DAY_LAST 2932896 /* 9999-12-31 */

enum column { COLUMN_DAY, COLUMN_MODEL, COLUMN_AMOUNT, COLUMN_CURRENCY, COLUMN_COUNT };

/* ---- fields: RFC 4180 ---- */

struct reader {
    str left;
    struct arena *arena;
    int64_t line; /* of the record that was read last, from 1 */
    int64_t next_line;
    str fields[COLUMNS_MAX];
    size_t count;
    const char *fault; /* why a record could not be read */
};

/* Without the second of each two quotes. */
static str quotes_undo(struct arena *arena, str raw)
{
    char *text = arena_alloc(arena, raw.len + 1);
    size_t len = 0;

    for (size_t i = 0; text && i < raw.len; i++) {
        text[len++] = raw.ptr[i];
        i += raw.ptr[i] == '"';
    }
    return (str){ text, len };
}

/* After the opening quote; "" is a quote. */
static bool quoted_read(struct reader *r, str *out)
{
    bool has_quotes = false;

    for (size_t at = 0; at < r->left.len && at < FIELD_BYTES_MAX; at++) {
        r->next_line += r->left.ptr[at] == '\n';
        if (r->left.ptr[at] != '"')
            continue;
        if (at + 1 < r->left.len && r->left.ptr[at + 1] == '"') {
            has_quotes = true;
            at++;
            continue;
        }
        str raw = str_slice(r->left, 0, at);
        *out = has_quotes ? quotes_undo(r->arena, raw) : raw;
        r->left = str_slice(r->left, at + 1, r->left.len);
        return true;
    }
    r->fault = "a quoted field does not end";
    return false;
}

static size_t plain_length(str s)
{
    size_t len = 0;

    while (len < s.len && s.ptr[len] != ',' && s.ptr[len] != '\n' && s.ptr[len] != '\r')
        len++;
    return len;
}

static bool field_read(struct reader *r, str *out)
{
    if (r->left.len > 0 && r->left.ptr[0] == '"') {
        r->left = str_slice(r->left, 1, r->left.len);
        return quoted_read(r, out);
    }
    size_t len = plain_length(r->left);
    *out = str_slice(r->left, 0, len);
    r->left = str_slice(r->left, len, r->left.len);
    return true;
}

/* Past the end of a line; false when something else stands there. */
static bool line_end(struct reader *r)
{
    size_t len = 0;

    if (r->left.len == 0)
        return true;
    len += r->left.ptr[0] == '\r';
    len += len < r->left.len && r->left.ptr[len] == '\n';
    if (len == 0)
        return false;
    r->left = str_slice(r->left, len, r->left.len);
    r->next_line++;
    return true;
}

/* The next record with something in it; false at the end, or with a fault. */
static bool record_read(struct reader *r)
{
    do {
        if (r->left.len == 0)
            return false;
        r->count = 0;
        r->line = r->next_line;
        for (;;) {
            str field;
            if (!field_read(r, &field))
                return false;
            if (r->count < COLUMNS_MAX)
                r->fields[r->count] = str_trim(field);
            r->count++;
            if (r->left.len == 0 || r->left.ptr[0] != ',')
                break;
            r->left = str_slice(r->left, 1, r->left.len);
        }
        if (!line_end(r)) {
            r->fault = "something stands behind a quoted field";
            return false;
        }
    } while (r->count == 1 && r->fields[0].len == 0);
    if (r->count > COLUMNS_MAX)
        r->fault = "there are more than 64 columns";
    return r->fault == NULL;
}

/* ---- the header ---- */

static const struct {
    enum column column;
    const char *name;
} names[] = {
    /* Of a column's names the first that stands there holds. */
    { COLUMN_DAY, "date" },
    { COLUMN_DAY, "day" },
    { COLUMN_DAY, "usage_date" },
    { COLUMN_DAY, "start_time" },
    { COLUMN_DAY, "start_time_iso" },
    { COLUMN_DAY, "timestamp" },
    { COLUMN_MODEL, "model" },
    { COLUMN_MODEL, "line_item" },
    { COLUMN_MODEL, "snapshot_id" },
    { COLUMN_MODEL, "sku" },
    { COLUMN_AMOUNT, "amount_value" },
    { COLUMN_AMOUNT, "amount" },
    { COLUMN_AMOUNT, "amount_usd" },
    { COLUMN_AMOUNT, "cost" },
    { COLUMN_AMOUNT, "cost_usd" },
    { COLUMN_AMOUNT, "total" },
    { COLUMN_CURRENCY, "amount_currency" },
    { COLUMN_CURRENCY, "currency" },
};

/* A name as the table has it: lower case, a blank or a hyphen as an underscore. */
static bool name_is(str field, const char *name)
{
    if (field.len != strlen(name))
        return false;
    for (size_t i = 0; i < field.len; i++) {
        char c = field.ptr[i];
        char folded = c == ' ' || c == '-' ? '_' : c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
        if (folded != name[i])
            return false;
    }
    return true;
}

/* Where each column is; -1: nowhere. */
static void columns_find(const struct reader *r, int out[COLUMN_COUNT])
{
    for (int c = 0; c < COLUMN_COUNT; c++)
        out[c] = -1;
    for (size_t n = 0; n < ARRAY_LEN(names); n++) {
        for (size_t i = 0; i < r->count && out[names[n].column] < 0; i++) {
            if (name_is(r->fields[i], names[n].name))
                out[names[n].column] = (int)i;
        }
    }
}

/* ---- values ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool digits_only(str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!is_digit(s.ptr[i]))
            return false;
    }
    return s.len > 0;
}

/* What may follow a date: nothing, or a time of UTC. */
static bool time_is_utc(str rest)
{
    if (rest.len == 0)
        return true;
    if (rest.ptr[0] != 'T' && rest.ptr[0] != ' ')
        return false;
    bool is_zoned = str_ends(rest, STR("Z")) || str_ends(rest, STR("+00:00"));
    str clock = is_zoned ? str_slice(rest, 1, rest.len - (str_ends(rest, STR("Z")) ? 1 : 6))
                         : str_slice(rest, 1, rest.len);
    for (size_t i = 0; i < clock.len; i++) {
        if (!is_digit(clock.ptr[i]) && clock.ptr[i] != ':' && clock.ptr[i] != '.')
            return false;
    }
    return clock.len >= 5;
}

static bool day_parse(str s, int64_t *out)
{
    usec_utc midnight;
    int64_t seconds = 0;

    if (digits_only(s) && s.len <= 12) {
        for (size_t i = 0; i < s.len; i++)
            seconds = seconds * 10 + (s.ptr[i] - '0');
        *out = seconds / SECONDS_PER_DAY;
        return s.len > 8 &&
               *out <= DAY_LAST; /* 20261120 is a date that is written in a way that nobody named */
    }
    if (s.len < 10 || !utc_parse(str_slice(s, 0, 10), &midnight) ||
        !time_is_utc(str_slice(s, 10, s.len)))
        return false;
    *out = midnight / (SECONDS_PER_DAY * 1000000);
    return midnight >= 0;
}

/* A decimal number as digits and the power of ten of the last; the first 17 digits count, further ones are dropped. */
struct decimal {
    bool is_negative;
    int64_t digits;
    int exponent;
};

static bool mantissa_parse(str *s, struct decimal *d)
{
    bool has_point = false, has_digit = false;
    int kept = 0;
    size_t i = 0;

    for (; i < s->len; i++) {
        char c = s->ptr[i];
        if (c == '.' && !has_point) {
            has_point = true;
            continue;
        }
        if (!is_digit(c))
            break;
        has_digit = true;
        if (kept == 17) {
            d->exponent += !has_point;
            continue;
        }
        d->digits = d->digits * 10 + (c - '0');
        kept += d->digits > 0;
        d->exponent -= has_point;
    }
    *s = str_slice(*s, i, s->len);
    return has_digit;
}

static bool exponent_parse(str s, int *out)
{
    int value = 0;

    if (s.len == 0)
        return true;
    if (s.ptr[0] != 'e' && s.ptr[0] != 'E')
        return false;
    s = str_slice(s, 1, s.len);
    bool is_negative = s.len > 0 && s.ptr[0] == '-';
    if (s.len > 0 && (s.ptr[0] == '-' || s.ptr[0] == '+'))
        s = str_slice(s, 1, s.len);
    if (!digits_only(s) || s.len > 3)
        return false;
    for (size_t i = 0; i < s.len; i++)
        value = value * 10 + (s.ptr[i] - '0');
    *out += is_negative ? -value : value;
    return true;
}

/* digits * 10^(exponent + 9) in nano-dollars, half away from zero. */
static bool decimal_scale(struct decimal d, nano_usd *out)
{
    int power = d.exponent + 9;
    int64_t value = d.digits, rest = 0;

    for (; power > 0 && value != 0; power--) {
        if (!i64_mul(value, 10, &value))
            return false;
    }
    for (; power < 0 && value != 0; power++) {
        rest = value % 10;
        value /= 10;
        if (power == -1)
            value += rest >= 5;
    }
    *out = d.is_negative ? -value : value;
    return true;
}

/* NULL, or what is wrong with it. */
static const char *amount_parse(str s, nano_usd *out)
{
    struct decimal d = { 0 };

    if (str_find_char(s, ',') != STR_NPOS || str_find_char(s, '\'') != STR_NPOS)
        return "has a thousands separator or a decimal comma: write plain numbers, as 1234.56";
    if (s.len > 0 && (s.ptr[0] == '-' || s.ptr[0] == '+')) {
        d.is_negative = s.ptr[0] == '-';
        s = str_slice(s, 1, s.len);
    }
    if (s.len > 0 && s.ptr[0] == '$')
        s = str_slice(s, 1, s.len);
    if (!mantissa_parse(&s, &d) || !exponent_parse(s, &d.exponent))
        return "is no amount in US dollars, as 12.34";
    return decimal_scale(d, out) ? NULL : "is more than can be added up";
}

str reconcile_model(str model)
{
    size_t comma = str_find_char(model, ',');

    return price_family(str_trim(str_slice(model, 0, comma == STR_NPOS ? model.len : comma)));
}

/* ---- rows ---- */

struct rows {
    struct invoice_row *items;
    size_t count, cap;
};

static int rows_order(const void *a, const void *b)
{
    const struct invoice_row *x = a, *y = b;

    if (x->utc_day != y->utc_day)
        return x->utc_day < y->utc_day ? -1 : 1;
    return str_cmp(x->model, y->model);
}

/* Adds up rows of one day and model; false: beyond 64 bits. */
static bool rows_merge(struct rows *rows)
{
    size_t kept = 0;

    if (rows->count == 0)
        return true;
    qsort(rows->items, rows->count, sizeof(*rows->items), rows_order);
    for (size_t i = 1; i < rows->count; i++) {
        struct invoice_row *last = &rows->items[kept];
        if (rows_order(last, &rows->items[i]) != 0)
            rows->items[++kept] = rows->items[i];
        else if (!i64_add(last->amount, rows->items[i].amount, &last->amount))
            return false;
    }
    rows->count = kept + 1;
    return true;
}

static const char *rows_add(struct rows *rows, struct arena *arena, struct invoice_row row)
{
    if (rows->count == rows->cap && rows->count >= INVOICE_ROWS_MAX) {
        if (!rows_merge(rows))
            return "the amounts are more than can be added up";
        if (rows->count > INVOICE_ROWS_MAX / 2)
            return "there are more days and models than in any invoice";
    }
    struct invoice_row *items =
        arena_room(arena, rows->items, rows->count, &rows->cap, sizeof(*items));
    if (!items)
        return "out of memory";
    rows->items = items;
    items[rows->count++] = row;
    return NULL;
}

static str field_of(const struct reader *r, int column)
{
    return column >= 0 ? r->fields[column] : STR("");
}

/* A row of the record; NULL, or what is wrong with *out_value. */
static const char *row_parse(const struct reader *r, const int columns[COLUMN_COUNT],
                             struct invoice_row *out, str *out_value)
{
    for (int c = 0; c < COLUMN_COUNT; c++) {
        if (columns[c] >= (int)r->count) {
            *out_value = r->fields[0];
            return "begins a row with too few fields";
        }
    }
    *out_value = field_of(r, columns[COLUMN_CURRENCY]);
    if (out_value->len > 0 && !name_is(*out_value, "usd"))
        return "is a currency that weir does not know: it counts in US dollars";
    *out_value = field_of(r, columns[COLUMN_DAY]);
    if (!day_parse(*out_value, &out->utc_day))
        return "is no day or time of UTC, as 2026-11-20";
    *out_value = field_of(r, columns[COLUMN_AMOUNT]);
    const char *fault = amount_parse(*out_value, &out->amount);
    if (fault)
        return fault;
    out->model = reconcile_model(field_of(r, columns[COLUMN_MODEL]));
    return NULL;
}

/* Bytes of the file in a message: what a terminal could act on is not shown. */
static void fault_write(int64_t line, str value, const char *fault, char out_why[256])
{
    char shown[48];
    size_t len = 0;

    for (; len < value.len && len < sizeof(shown) - 1; len++)
        shown[len] = value.ptr[len] >= ' ' && value.ptr[len] <= '~' ? value.ptr[len] : '?';
    shown[len] = '\0';
    snprintf(out_why, 256, "line %" PRId64 ": '%s' %s", line, shown, fault);
}

static enum err header_read(struct reader *r, int columns[COLUMN_COUNT], char out_why[256])
{
    static const char *const missing[] = {
        [COLUMN_DAY] = "there is no column of days: date, or start_time",
        [COLUMN_AMOUNT] = "there is no column of amounts: cost, amount, or amount_value",
    };

    if (!record_read(r)) {
        snprintf(out_why, 256, "%s", r->fault ? r->fault : "the file is empty");
        return CALLER_BAD_REQUEST;
    }
    columns_find(r, columns);
    for (size_t c = 0; c < ARRAY_LEN(missing); c++) {
        if (missing[c] && columns[c] < 0) {
            snprintf(out_why, 256, "%s", missing[c]);
            return CALLER_BAD_REQUEST;
        }
    }
    return OK;
}

static enum err records_read(struct reader *r, struct rows *rows, int64_t *out_lines,
                             const int columns[COLUMN_COUNT], char out_why[256])
{
    while (record_read(r)) {
        struct invoice_row row = { 0 };
        str value = STR("");
        const char *fault = row_parse(r, columns, &row, &value);
        if (fault) {
            fault_write(r->line, value, fault, out_why);
            return CALLER_BAD_REQUEST;
        }
        fault = rows_add(rows, r->arena, row);
        if (fault) {
            snprintf(out_why, 256, "line %" PRId64 ": %s", r->line, fault);
            return arena_failed(r->arena) ? WEIR_NO_MEMORY : CALLER_BAD_REQUEST;
        }
        (*out_lines)++;
    }
    if (!r->fault)
        return OK;
    snprintf(out_why, 256, "line %" PRId64 ": %s", r->line, r->fault);
    return CALLER_BAD_REQUEST;
}

enum err invoice_read(str text, struct arena *arena, struct invoice *out, char out_why[256])
{
    struct reader *r = ARENA_NEW(arena, struct reader);
    struct invoice invoice = { 0 };
    struct rows rows = { 0 };
    int columns[COLUMN_COUNT];

    if (!r)
        return WEIR_NO_MEMORY;
    *r = (struct reader){ .left = text, .arena = arena, .next_line = 1 };
    if (str_starts(text, STR("\xef\xbb\xbf")))
        r->left = str_slice(text, 3, text.len);
    enum err e = header_read(r, columns, out_why);
    if (e == OK)
        e = records_read(r, &rows, &invoice.lines, columns, out_why);
    if (e != OK)
        return e;
    bool can_add = rows_merge(&rows);
    for (size_t i = 0; i < rows.count; i++)
        can_add = can_add && i64_add(invoice.total, rows.items[i].amount, &invoice.total);
    if (!can_add || rows.count == 0) {
        snprintf(out_why, 256, "%s",
                 can_add ? "there are no amounts below the header"
                         : "the amounts are more than can be added up");
        return CALLER_BAD_REQUEST;
    }
    invoice.rows = rows.items;
    invoice.count = rows.count;
    invoice.has_models = columns[COLUMN_MODEL] >= 0;
    *out = invoice;
    return OK;
}
