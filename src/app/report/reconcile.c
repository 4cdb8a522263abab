/* SPDX-License-Identifier: Apache-2.0 */
/* reconcile: two lists of amounts side by side: see reconcile.h. */
#include "app/report/reconcile.h"

#include <stdlib.h>
#include <string.h>

#include "app/report/daily_internal.h"
#include "base/utc.h"
#include "core/json/json.h"

#define ROWS_SHOWN_MAX 400 /* for people; JSON has all */
#define DAY_USEC (INT64_C(86400) * 1000000)

/* ---- comparing ---- */

static int rows_order(const void *a, const void *b)
{
    const struct reconcile_row *x = a, *y = b;

    if (x->utc_day != y->utc_day)
        return x->utc_day < y->utc_day ? -1 : 1;
    return str_cmp(x->model, y->model);
}

/* False: beyond 64 bits. */
static bool row_merge(struct reconcile_row *sum, const struct reconcile_row *row)
{
    sum->is_ours = sum->is_ours || row->is_ours;
    sum->is_theirs = sum->is_theirs || row->is_theirs;
    sum->calls += row->calls;
    sum->unpriced += row->unpriced;
    sum->interrupted += row->interrupted;
    sum->failed += row->failed;
    sum->retried += row->retried;
    return i64_add(sum->ours, row->ours, &sum->ours) &&
           i64_add(sum->theirs, row->theirs, &sum->theirs) &&
           i64_add(sum->interrupted_cost, row->interrupted_cost, &sum->interrupted_cost);
}

static struct reconcile_row row_of_calls(const struct report_calls *c, bool has_models)
{
    return (struct reconcile_row){
        .utc_day = c->utc_day,
        .model = has_models ? reconcile_model(c->model) : STR(""),
        .is_ours = true,
        .ours = c->cost,
        .calls = c->calls,
        .unpriced = c->unpriced,
        .interrupted = c->interrupted,
        .failed = c->failed,
        .retried = c->retried,
        .interrupted_cost = c->interrupted_cost,
    };
}

/* Adds up rows of one day and model, in place. */
static bool rows_merge(struct reconcile_row *rows, size_t *count)
{
    size_t kept = 0;

    if (*count == 0)
        return true;
    qsort(rows, *count, sizeof(*rows), rows_order);
    for (size_t i = 1; i < *count; i++) {
        if (rows_order(&rows[kept], &rows[i]) != 0)
            rows[++kept] = rows[i];
        else if (!row_merge(&rows[kept], &rows[i]))
            return false;
    }
    *count = kept + 1;
    return true;
}

static bool row_judge(struct reconcile_row *row, nano_usd tolerance)
{
    nano_usd difference;

    if (!i64_add(row->theirs, -row->ours, &difference))
        return false;
    row->difference = difference;
    row->is_within = difference <= tolerance && difference >= -tolerance;
    return true;
}

enum err reconcile_make(struct reconciliation *out, const struct invoice *invoice,
                        const struct ledger_report *ledger, nano_usd tolerance, struct arena *arena)
{
    struct reconciliation r = { .tolerance = tolerance };
    size_t room = invoice->count + ledger->calls_count;

    r.rows = ARENA_ARRAY(arena, room + 1, struct reconcile_row);
    if (!r.rows)
        return WEIR_NO_MEMORY;
    for (size_t i = 0; i < invoice->count; i++)
        r.rows[r.count++] = (struct reconcile_row){ .utc_day = invoice->rows[i].utc_day,
                                                    .model = invoice->rows[i].model,
                                                    .is_theirs = true,
                                                    .theirs = invoice->rows[i].amount };
    for (size_t i = 0; i < ledger->calls_count; i++)
        r.rows[r.count++] = row_of_calls(&ledger->calls[i], invoice->has_models);
    bool can_add = rows_merge(r.rows, &r.count);
    for (size_t i = 0; can_add && i < r.count; i++) {
        can_add = row_judge(&r.rows[i], tolerance) && row_merge(&r.total, &r.rows[i]);
        r.beyond += !r.rows[i].is_within;
    }
    if (!can_add || !row_judge(&r.total, tolerance))
        return WEIR_STORE;
    *out = r;
    return OK;
}

bool reconcile_holds(const struct reconciliation *r)
{
    return r->beyond == 0 && r->total.is_within;
}

/* ---- writing ---- */

static str day_text(int64_t utc_day, char out[UTC_TEXT_MAX])
{
    return str_slice(utc_format(utc_day * DAY_USEC, out), 0, 10);
}

/* "-$0.500000": what is less than nothing is an amount here, too. */
static void amount_write(struct buf *out, nano_usd amount)
{
    char text[32];

    if (amount < 0)
        buf_add_char(out, '-');
    buf_add(out, cost_format(amount < 0 ? -amount : amount, text));
}

static void amount_cell(struct buf *out, nano_usd amount)
{
    struct buf text = { 0 };

    amount_write(&text, amount);
    buf_printf(out, " %16s", buf_cstr(&text));
    buf_fini(&text);
}

static const char *side_of(const struct reconcile_row *row)
{
    if (!row->is_theirs)
        return "only in the ledger";
    if (!row->is_ours)
        return "only in the invoice";
    return row->is_within ? "" : "differs";
}

static void row_write(const struct reconcile_row *row, struct buf *out)
{
    char text[UTC_TEXT_MAX];
    struct buf name = { 0 };

    name_write_text(&name, row->model);
    buf_printf(out, "%.*s  %-24s", STR_ARG(day_text(row->utc_day, text)), buf_cstr(&name));
    buf_fini(&name);
    amount_cell(out, row->ours);
    amount_cell(out, row->theirs);
    amount_cell(out, row->difference);
    if (!row->is_within)
        buf_printf(out, "  %s", side_of(row));
    buf_add_char(out, '\n');
}

/* What a difference may come from, as far as the ledger knows. */
static void candidates_write(const struct reconcile_row *total, struct buf *out)
{
    buf_printf(out, "\nWhat may explain differences, of the ledger's %" PRId64 " calls:\n",
               total->calls);
    buf_printf(out, "  unpriced, in no sum of ours:          %" PRId64 "\n", total->unpriced);
    buf_printf(out, "  interrupted, counted at their reserve: %" PRId64 " (", total->interrupted);
    amount_write(out, total->interrupted_cost);
    buf_add(out, STR(")\n"));
    buf_printf(out, "  failed: %" PRId64 "; answered after an attempt that failed: %" PRId64 "\n",
               total->failed, total->retried);
}

void reconcile_write_text(const struct reconciliation *r, struct buf *out)
{
    size_t shown = 0;

    buf_printf(out, "%-10s  %-24s %16s %16s %16s\n", "day (UTC)", "model", "ledger", "invoice",
               "difference");
    for (size_t i = 0; i < r->count && shown < ROWS_SHOWN_MAX; i++, shown++)
        row_write(&r->rows[i], out);
    if (shown < r->count)
        buf_printf(out, "and %zu more (--json has all)\n", r->count - shown);
    buf_printf(out, "%-10s  %-24s", "total", "");
    amount_cell(out, r->total.ours);
    amount_cell(out, r->total.theirs);
    amount_cell(out, r->total.difference);
    buf_add_char(out, '\n');
    candidates_write(&r->total, out);
    buf_add(out, STR("\nWithin "));
    amount_write(out, r->tolerance);
    buf_printf(out, ": %" PRId64 " of %zu rows%s\n", (int64_t)r->count - r->beyond, r->count,
               r->total.is_within ? ", and the total" : "; the total is not");
}

static void row_members(const struct reconcile_row *row, struct buf *out)
{
    json_member_i64(out, "ledger_nano_usd", row->ours);
    json_member_i64(out, "invoice_nano_usd", row->theirs);
    json_member_i64(out, "difference_nano_usd", row->difference);
    json_member_bool(out, "is_within", row->is_within);
    json_member_i64(out, "calls", row->calls);
    json_member_i64(out, "unpriced_calls", row->unpriced);
    json_member_i64(out, "interrupted_calls", row->interrupted);
    json_member_i64(out, "interrupted_nano_usd", row->interrupted_cost);
    json_member_i64(out, "failed_calls", row->failed);
    json_member_i64(out, "retried_calls", row->retried);
}

void reconcile_write_json(const struct reconciliation *r, struct buf *out)
{
    char text[UTC_TEXT_MAX];

    buf_add_char(out, '{');
    json_member_bool(out, "ok", reconcile_holds(r));
    json_member_i64(out, "tolerance_nano_usd", r->tolerance);
    json_member_i64(out, "rows_beyond", r->beyond);
    row_members(&r->total, out);
    json_key(out, "rows");
    buf_add_char(out, '[');
    for (size_t i = 0; i < r->count; i++) {
        const struct reconcile_row *row = &r->rows[i];
        buf_add(out, i == 0 ? STR("{") : STR(",{"));
        json_member_str(out, "date", day_text(row->utc_day, text));
        json_member_str(out, "model", row->model);
        json_member_bool(out, "in_ledger", row->is_ours);
        json_member_bool(out, "in_invoice", row->is_theirs);
        row_members(row, out);
        buf_add_char(out, '}');
    }
    buf_add(out, STR("]}\n"));
}
