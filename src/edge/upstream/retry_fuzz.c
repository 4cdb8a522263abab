/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: any Retry-After value gives -1 or a wait between nothing and a year, and white space
 * around it changes nothing.
 */
#include "edge/upstream/upstream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const usec_utc now = INT64_C(1700000000) * 1000000;
    struct buf padded = { 0 };
    str value = { (const char *)data, size };
    nsec wait = upstream_retry_after(value, now);

    assert(wait >= -1);
    assert(wait <= INT64_C(31536000) * NSEC_PER_SEC);
    buf_add(&padded, STR(" \t"));
    buf_add(&padded, value);
    buf_add(&padded, STR(" "));
    assert(upstream_retry_after(buf_str(&padded), now) == wait);
    buf_fini(&padded);
    return 0;
}
