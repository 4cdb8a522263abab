/* SPDX-License-Identifier: Apache-2.0 */
/* windows_fuzz: any bytes as saved windows. The checksum is made right for half of the inputs, else nothing gets beyond it. What is
 * taken is saved again as bytes that are taken again and are the same when saved once more. */
#include <string.h>

#include "app/control/windows.h"

#define NOW (INT64_C(1764000000) * NSEC_PER_SEC)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool again(str bytes, struct buf *out)
{
    struct windows *w;

    if (windows_open(&w) != OK)
        return false;
    bool is_taken = windows_restore(w, NOW, bytes) == OK;
    struct alert_labels all = { .arm = { 0 } };
    struct alert_reading reading = { .n = 0 };
    if (is_taken) {
        for (size_t m = 0; m < ALERT_METRIC_COUNT; m++)
            windows_read(w, NOW, (enum alert_metric)m, &all, 3600 * NSEC_PER_SEC, &reading);
        windows_save(w, NOW, out);
    }
    windows_close(w);
    return is_taken;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf input = { 0 }, first = { 0 }, second = { 0 };

    buf_add(&input, (str){ (const char *)data, size });
    if (input.len >= 8 && (input.len & 1) == 0) {
        uint64_t sum = str_hash(str_slice(buf_str(&input), 0, input.len - 8));
        for (size_t i = 0; i < 8; i++)
            input.ptr[input.len - 8 + i] = (char)(sum >> 8 * i & 0xff);
    }
    if (again(buf_str(&input), &first)) {
        bool is_taken = again(buf_str(&first), &second);
        assert(is_taken && str_eq(buf_str(&first), buf_str(&second)));
    }
    buf_fini(&input);
    buf_fini(&first);
    buf_fini(&second);
    return 0;
}
