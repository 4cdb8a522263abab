/* SPDX-License-Identifier: Apache-2.0 */
/* A table of confidence read from outside: refused, or else it is written and read again as the same bytes and calibrates
 * every raw value into [0, 1]. */
#include "core/calibration/confidence_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void calibrate_all(const struct confidence_table *table)
{
    for (size_t i = 0; i < confidence_table_count(table); i++) {
        const struct confidence_key *key = &confidence_table_report(table, i)->key;
        for (int raw = 0; raw <= 10; raw++) {
            struct confidence c = confidence_calibrate(table, key, raw / 10.0);
            assert(c.value >= 0);
            assert(c.value <= 1);
            assert(c.is_calibrated);
            IGNORE(confidence_meets(table, key, c, raw / 10.0));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf once = { 0 }, twice = { 0 };
    struct arena arena;
    struct json value;
    const struct confidence_table *table, *again;
    str what = STR("");

    arena_init(&arena, (size_t)64 << 20);
    enum err e = json_parse(&arena, (str){ (const char *)data, size }, &value, NULL);
    if (e == OK) {
        e = confidence_table_read(&arena, value, &table, &what);
        assert(e == OK || what.len > 0 || e == WEIR_NO_MEMORY);
    }
    if (e == OK) {
        calibrate_all(table);
        confidence_table_write(table, &once);
        enum err reread = json_parse(&arena, buf_str(&once), &value, NULL);
        assert(reread == OK);
        reread = confidence_table_read(&arena, value, &again, &what);
        assert(reread == OK);
        confidence_table_write(again, &twice);
        assert(str_eq(buf_str(&once), buf_str(&twice)));
    }
    buf_fini(&once);
    buf_fini(&twice);
    arena_fini(&arena);
    return 0;
}
