/* SPDX-License-Identifier: Apache-2.0 */
/* invoice_fuzz: any bytes as an invoice. What is taken has rows in order, no two of one day and model, that add up to its total. */
#include "app/report/reconcile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct invoice invoice;
    struct arena arena;
    nano_usd total = 0;
    char why[256] = "";

    arena_init(&arena, (size_t)64 << 20);
    if (invoice_read((str){ (const char *)data, size }, &arena, &invoice, why) != OK) {
        assert(why[0] != '\0' || arena_failed(&arena));
        arena_fini(&arena);
        return 0;
    }
    assert(invoice.count > 0 && (int64_t)invoice.count <= invoice.lines);
    for (size_t i = 0; i < invoice.count; i++) {
        const struct invoice_row *row = &invoice.rows[i];
        bool can_add = i64_add(total, row->amount, &total);
        assert(can_add);
        assert(i == 0 || row->utc_day > row[-1].utc_day ||
               (row->utc_day == row[-1].utc_day && str_cmp(row->model, row[-1].model) > 0));
    }
    assert(total == invoice.total);
    arena_fini(&arena);
    return 0;
}
