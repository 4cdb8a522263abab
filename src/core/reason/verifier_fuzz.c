/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: the first line is a verifier as JSON, the rest an answer. A verifier that was read can check any
 * answer, gives a reason exactly when it refuses, and the same verdict again.
 */
#include "core/reason/reason_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const str all = { (const char *)data, size };
    size_t first = str_find_char(all, '\n');
    struct verifier v;
    struct json value;
    struct arena a;
    str what = { 0 }, why = { 0 };
    enum verdict verdict = VERDICT_UNKNOWN, again = VERDICT_UNKNOWN;

    if (first == STR_NPOS)
        return 0;
    str line = str_slice(all, 0, first), answer = str_slice(all, first + 1, all.len);
    arena_init(&a, (size_t)64 << 20);
    if (json_parse(&a, line, &value, NULL) == OK) {
        enum err e = verifier_parse(&a, value, &v, &what);
        assert(e == OK || arena_failed(&a) || (e == CALLER_BAD_REQUEST && what.len > 0));
        if (e == OK) {
            IGNORE(verifier_format(&a, &v).len);
            e = verifier_check(&v, answer, &a, &verdict, &why);
            assert(e == OK || arena_failed(&a));
            if (e == OK && verifier_check(&v, answer, &a, &again, &why) == OK) {
                assert(verdict != VERDICT_UNKNOWN);
                assert((why.len > 0) == (verdict == VERDICT_FAIL));
                assert(verdict == again);
            }
        }
    }
    arena_fini(&a);
    return 0;
}
