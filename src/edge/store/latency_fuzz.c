/* SPDX-License-Identifier: Apache-2.0 */
/* latency_fuzz: any bytes as a packed histogram. What is taken packs to the very same bytes; what is refused adds nothing. */
#include <string.h>

#include "edge/store/rollup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct histogram h;
    static uint8_t again[LATENCY_BYTES_MAX];
    uint64_t n = 0;

    memset(&h, 0, sizeof(h));
    if (!latency_add(&h, (str){ (const char *)data, size })) {
        assert(h.n == 0);
        return 0;
    }
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        n += h.counts[i];
    assert(n == h.n && (n > 0) == (size > 0));
    size_t len = latency_pack(again, &h);
    assert(len == size && memcmp(again, data, size) == 0);
    return 0;
}
