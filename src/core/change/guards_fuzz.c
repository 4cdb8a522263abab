/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target of guards: any bytes as sums and as evidence. What is accepted is written to a fixed point, merges, takes
 * outcomes, and never makes a number that is not one.
 */
#include <math.h>
#include <stdlib.h>

#include "core/change/guards.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition)
        abort();
}

static struct json parsed(struct arena *arena, const struct buf *text)
{
    struct json v = { 0 };

    must(json_parse(arena, buf_str(text), &v, NULL) == OK);
    return v;
}

static void sums_hold(struct arena *arena, struct change_sums *sums)
{
    struct guard_plan plan;
    struct change_issues issues = { .arena = arena };
    struct change_sums again;
    struct buf once = { 0 }, twice = { 0 };
    const char *what;

    change_sums_write(sums, &once);
    must(change_sums_read(parsed(arena, &once), &again, &what) == OK);
    change_sums_write(&again, &twice);
    must(str_eq(buf_str(&once), buf_str(&twice)));
    must(guard_plan_init(&plan, guard_defaults, CHANGE_METRIC_COUNT, &guard_options_default,
                         &issues) == OK);
    change_sums_merge(sums, &again);
    for (int i = 0; i < 20; i++)
        change_sums_add(sums, &plan, (enum change_side)(i % SIDE_COUNT),
                        &(struct outcome){
                            .hrm_confidence = 0.5, .trm_confidence = 1, .cost = i, .latency = i });
    for (size_t g = 0; g < plan.count; g++) {
        struct guard_evidence e;
        guard_judge(&plan, sums, g, &e);
        must(!isnan(e.log_e) && !isnan(e.log_e_shown) && !isnan(e.blocks_log_e) &&
             !isnan(e.detector));
    }
    buf_fini(&once);
    buf_fini(&twice);
}

static void evidence_holds(struct arena *arena, const struct guard_evidence *e)
{
    struct guard_evidence again;
    struct buf once = { 0 }, twice = { 0 };

    guard_evidence_write(e, &once);
    must(guard_evidence_read(parsed(arena, &once), &again) == OK);
    guard_evidence_write(&again, &twice);
    must(str_eq(buf_str(&once), buf_str(&twice)));
    buf_fini(&once);
    buf_fini(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str text = { (const char *)data, size };
    struct change_sums sums;
    struct guard_evidence evidence;
    struct arena arena;
    struct json v;
    const char *what = NULL;

    arena_init(&arena, 8 << 20);
    if (json_parse(&arena, text, &v, NULL) == OK) {
        if (change_sums_read(v, &sums, &what) == OK)
            sums_hold(&arena, &sums);
        else
            must(what != NULL);
        if (guard_evidence_read(v, &evidence) == OK)
            evidence_holds(&arena, &evidence);
    }
    arena_fini(&arena);
    return 0;
}
