/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes behind a question mark: a value is never longer than what it was made from, and always text. */
#include "app/admin/params.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str query = { (const char *)data, size }, value;
    struct arena arena;

    arena_init(&arena, (size_t)1 << 20);
    if (param_read(query, STR("model"), &arena, &value)) {
        assert(value.len <= size);
        assert(str_is_utf8(value));
    }
    arena_fini(&arena);
    return 0;
}
