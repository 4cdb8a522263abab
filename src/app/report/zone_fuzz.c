/* SPDX-License-Identifier: Apache-2.0 */
/* zone_fuzz: any bytes as a zone's file. What is taken has an offset of at most 26 hours at every instant. */
#include "app/report/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct zone zone;

    if (!zone_parse(&zone, (str){ (const char *)data, size }))
        return 0;
    for (int64_t second = -3000000000; second < 6000000000; second += 7777777) {
        int32_t offset = zone_offset(&zone, second);
        assert(offset <= 26 * 3600 && offset >= -26 * 3600);
    }
    zone_close(&zone);
    return 0;
}
