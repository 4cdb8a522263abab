/* SPDX-License-Identifier: Apache-2.0 */
/* questions_fuzz: any bytes as a file of questions. What is taken is found by its id and has something to judge by; what is not
 * taken is explained. */
#include <stdlib.h>

#include "app/eval/eval_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct eval_questions questions;
    struct buf problems = { 0 };
    struct arena arena;

    arena_init(&arena, (size_t)16 << 20);
    enum err e = eval_questions_read(&arena, STR("f"), (str){ (const char *)data, size },
                                     &questions, &problems);
    must((e == CALLER_BAD_REQUEST) == (problems.len > 0) || e == WEIR_NO_MEMORY);
    for (size_t i = 0; e == OK && i < questions.count; i++) {
        const struct eval_question *q = &questions.items[i];
        bool is_right;
        must(eval_question_find(&questions, q->id) == i);
        must(q->domain < questions.domain_count);
        must(q->key.ptr || q->verifier.kind != VERIFY_NONE);
        /* A key is its own answer, unless a verifier says otherwise or it has no content. */
        if (q->key.ptr)
            IGNORE(eval_judge(&arena, q, q->key, &is_right));
    }
    buf_fini(&problems);
    arena_fini(&arena);
    return 0;
}
