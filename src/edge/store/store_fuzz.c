/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: any bytes as a journal; a record that reads must write back to the same bytes. */
#include <stdlib.h>
#include <string.h>

#include "edge/store/journal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str bytes = { (const char *)data, size };
    struct journal_record record;
    size_t used;

    while (journal_read(bytes, &record, &used) == JOURNAL_RECORD) {
        struct buf again = { 0 };
        journal_write(&again, &record);
        if (again.len != used)
            abort();
        buf_fini(&again);
        bytes = str_slice(bytes, used, bytes.len);
    }
    return 0;
}
