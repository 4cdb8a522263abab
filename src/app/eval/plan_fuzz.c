/* SPDX-License-Identifier: Apache-2.0 */
/* plan_fuzz: any bytes as a plan.json: no crash, and a plan that is taken is within its limits and names each cell once. */
#include <stdlib.h>

#include "app/eval/eval_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct eval_plan plan;
    struct arena arena;

    arena_init(&arena, (size_t)16 << 20);
    if (eval_plan_read(&arena, (str){ (const char *)data, size }, &plan) == OK) {
        if (plan.cell_count < 1 || plan.cell_count > EVAL_CELLS_MAX || plan.runs < 1 ||
            plan.runs > EVAL_RUNS_MAX)
            abort();
        for (size_t i = 0; i < plan.cell_count; i++) {
            if (eval_cell_find(&plan, plan.cells[i].name) != i)
                abort();
        }
    }
    arena_fini(&arena);
    return 0;
}
