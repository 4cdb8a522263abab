/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reconcile: the ledger beside a provider's invoice, by UTC day and model.
 *
 *     invoice_read -> store_read_report over its days -> reconcile_make -> reconcile_write
 *
 * An invoice is CSV with a header line. Columns are known by their names, in any order and any case, others are passed over:
 *
 *     the day     date, day, start_time, start_time_iso, usage_date, timestamp: 2026-11-20, with a time in UTC, or seconds since 1970
 *     the model   model, line_item, snapshot_id, sku: of "gpt-4o-2024-08-06, input" what stands before the comma, without the date
 *     the amount  amount_value, amount, cost, cost_usd, amount_usd, total: US dollars as plain numbers, 1e-05 too; may be negative
 *     (currency)  amount_currency, currency: usd, or empty
 *
 * A file without a model column is held against the ledger by day. Rows of one day and model add up. Nothing is guessed: a thousands
 * separator, another currency, a time of another zone or a row with too few fields is refused with its line.
 */
#ifndef WEIR_APP_REPORT_RECONCILE_H
#define WEIR_APP_REPORT_RECONCILE_H

#include "base/arena.h"
#include "base/base.h"
#include "edge/store/report.h"

#define INVOICE_BYTES_MAX ((size_t)64 << 20)
#define INVOICE_ROWS_MAX ((size_t)200000) /* after adding up; more days and models are no invoice */

struct invoice_row {
    int64_t utc_day; /* days since 1970-01-01 */
    str model; /* empty without a column of them */
    nano_usd amount; /* finer parts of a dollar are rounded, row by row */
};
struct invoice {
    struct invoice_row *rows; /* one a day and model; by day, then model */
    size_t count;
    int64_t lines; /* of amounts in the file */
    bool has_models;
    nano_usd total;
};
/* Everything in *out lives in the arena. CALLER_BAD_REQUEST with a sentence in out_why, or WEIR_NO_MEMORY. */
NODISCARD enum err invoice_read(str text, struct arena *arena, struct invoice *out,
                                char out_why[256]);

struct reconcile_row {
    int64_t utc_day;
    str model; /* as it was compared: without a date */
    bool is_ours, is_theirs; /* which side has it */
    nano_usd ours, theirs;
    nano_usd difference; /* theirs - ours */
    int64_t calls; /* ours; of them, what may explain a difference: */
    int64_t unpriced, interrupted, failed, retried;
    nano_usd interrupted_cost; /* of ours: at the worst case */
    bool is_within; /* the tolerance */
};
struct reconciliation {
    struct reconcile_row *rows; /* by day, then model */
    size_t count;
    struct reconcile_row total;
    int64_t beyond; /* rows whose difference is beyond the tolerance */
    nano_usd tolerance;
};
/* WEIR_NO_MEMORY, or WEIR_STORE when a sum is beyond 64 bits. tolerance >= 0. */
NODISCARD enum err reconcile_make(struct reconciliation *out, const struct invoice *invoice,
                                  const struct ledger_report *ledger, nano_usd tolerance,
                                  struct arena *arena);
bool reconcile_holds(const struct reconciliation *r);

str reconcile_model(str model); /* as it is compared: "gpt-4o" of "gpt-4o-2024-08-06, input" */

void reconcile_write_text(const struct reconciliation *r, struct buf *out);
void reconcile_write_json(const struct reconciliation *r, struct buf *out);

#endif
