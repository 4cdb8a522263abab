/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: a model's output, extracted and brought into canonical form. */
#include "core/reason/answer_internal.h"
#include "core/reason/reason.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct rational value;
    const str text = { (const char *)data, size };

    arena_init(&a, (size_t)32 << 20);
    str form = answer_canonical(&a, text);
    str again = answer_canonical(&a, form);
    if (!arena_failed(&a)) {
        assert((form.len == 0) == (str_trim(text).len == 0));
        assert(str_eq(form, again));
    }
    str answer = answer_extract(&a, text);
    assert(answer.len <= size);
    IGNORE(arithmetic_evaluate(text, NULL, &value));
    IGNORE(answer_agrees(&a, answer, text));
    arena_fini(&a);
    return 0;
}
