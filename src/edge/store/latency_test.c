/* SPDX-License-Identifier: Apache-2.0 */
/* Histograms in few bytes, and sums that stop where 64 bits end. */
#include <string.h>

#include "base/rng.h"
#include "edge/store/rollup.h"
#include "test/check.h"

static void latencies_come_back(void)
{
    static struct histogram h, again;
    static uint8_t packed[LATENCY_BYTES_MAX];
    struct rng r;

    rng_init(&r, 5);
    for (int n = 0; n < 300; n++) {
        memset(&h, 0, sizeof(h));
        memset(&again, 0, sizeof(again));
        for (int i = 0; i < n; i++)
            histogram_add(&h, (double)rng_below(&r, UINT64_C(1) << rng_below(&r, 40)));
        str bytes = { (const char *)packed, latency_pack(packed, &h) };
        CHECK((bytes.len == 0) == (n == 0));
        REQUIRE(latency_add(&again, bytes));
        CHECK(memcmp(&again, &h, sizeof(h)) == 0);
        if (n > 0)
            CHECK(!latency_add(&again, str_slice(bytes, 0, bytes.len - 1)));
        CHECK_INT((int64_t)again.n, n);
    }
}

static void sums_that_overflow_stay_so(void)
{
    int64_t sum = INT64_MAX - 5;

    rollup_sum(&sum, 4);
    CHECK_INT(sum, INT64_MAX - 1);
    rollup_sum(&sum, 10);
    CHECK(sum == ROLLUP_OVERFLOW);
    rollup_sum(&sum, -10);
    CHECK(sum == ROLLUP_OVERFLOW);
    CHECK_INT(rollup_slot(-1), -1);
    CHECK_INT(rollup_slot(0), 0);
    CHECK_INT(rollup_slot(ROLLUP_SLOT_USEC), 1);
}

TESTS(TEST(latencies_come_back), TEST(sums_that_overflow_stay_so))
