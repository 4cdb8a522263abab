/* SPDX-License-Identifier: Apache-2.0 */
/* runs_fuzz: any bytes as a line of runs.jsonl: no crash, and what is taken has its place in the plan. */
#include <stdlib.h>

#include "app/eval/eval_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char text[] = "{\"id\":\"a\",\"prompt\":\"p\",\"answer\":\"1\"}\n"
                               "{\"id\":\"b\",\"prompt\":\"p\",\"answer\":\"1\"}\n";
    struct eval_options options = { .cells = STR("m/direct,m/mcts:5") };
    struct eval_questions questions;
    struct eval_plan plan = { .runs = 2 };
    struct eval_run_place place;
    struct buf problems = { 0 };
    struct eval_run run;
    struct arena arena;

    arena_init(&arena, (size_t)16 << 20);
    if (eval_questions_read(&arena, STR("f"), STR(text), &questions, &problems) == OK &&
        eval_cells_read(&arena, &options, &plan, &problems) == OK &&
        eval_run_read(&arena, (str){ (const char *)data, size }, &questions, &plan, &place, &run) ==
            OK) {
        if (place.question > 1 || place.cell > 1 || place.run > 1 || run.fault >= ERR_COUNT ||
            (run.cost < 0 && run.cost != COST_UNPRICED) || run.raw_confidence > 1)
            abort();
    }
    buf_fini(&problems);
    arena_fini(&arena);
    return 0;
}
