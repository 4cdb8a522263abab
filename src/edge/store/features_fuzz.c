/* SPDX-License-Identifier: Apache-2.0 */
/* features_fuzz: any bytes as packed features. What is taken packs to the very same bytes. */
#include <string.h>

#include "edge/store/features.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t again[LEDGER_FEATURES_MAX];
    struct route_features features;

    if (!features_unpack((str){ (const char *)data, size }, &features))
        return 0;
    for (size_t i = 0; i < features.gram_count; i++) {
        assert(features.grams[i].bucket < ROUTE_GRAMS);
        assert(i == 0 || features.grams[i].bucket > features.grams[i - 1].bucket);
    }
    size_t len = features_pack(again, &features);
    assert(len == size && memcmp(again, data, size) == 0);
    return 0;
}
