/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target of experiment: any bytes to experiment_read, and as sums. What it accepts keeps its promises: disjoint arms inside [0, 1),
 * and every unit in at most one of them; what it refuses has a reason inside the text.
 */
#include <stdlib.h>

#include "core/change/experiment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition)
        abort();
}

static void accepted(const struct experiment *e, str text)
{
    struct experiment_assignment a = experiment_assign(e, text);
    struct buf why = { 0 };
    size_t owners = 0;

    must(e->arm_count >= 2 && e->arm_count <= EXPERIMENT_ARMS_MAX);
    must(bucket_name_is_valid(e->id));
    for (size_t i = 0; i < e->arm_count; i++) {
        struct share_range range = { e->arms[i].start, e->arms[i].start + e->arms[i].share };
        must(range.from < range.to && range.to <= SHARE_WHOLE);
        owners += share_range_holds(range, a.variant.position);
    }
    must(owners <= 1);
    must((a.arm >= 0) == (a.why == EXPERIMENT_ASSIGNED));
    experiment_explain(e, text, &why);
    must(why.len > 0 || why.failed);
    buf_fini(&why);
}

/* The same bytes as sums. */
static void sums_hold(struct arena *arena, const struct experiment *e, str text)
{
    struct experiment_sums sums;
    struct experiment_results results;
    struct json v;
    struct buf once = { 0 }, twice = { 0 };

    if (json_parse(arena, text, &v, NULL) != OK ||
        experiment_sums_read(v, e->arm_count, &sums) != OK)
        return;
    experiment_sums_write(&sums, e->arm_count, &once);
    must(json_parse(arena, buf_str(&once), &v, NULL) == OK);
    must(experiment_sums_read(v, e->arm_count, &sums) == OK);
    experiment_sums_write(&sums, e->arm_count, &twice);
    must(str_eq(buf_str(&once), buf_str(&twice)));
    experiment_results(e, &sums, 0.05, &results);
    must(results.is_trusted == (results.srm_log_bayes < STATS_SRM_ALARM));
    buf_fini(&once);
    buf_fini(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str text = { (const char *)data, size };
    struct arena arena;
    struct change_issues issues = { .arena = &arena };
    struct experiment e;

    arena_init(&arena, 1 << 20);
    enum err result = experiment_read(&e, text, &issues);
    must((result == OK) == (issues.count == 0) || result == WEIR_NO_MEMORY);
    if (result == OK)
        accepted(&e, text);
    for (size_t i = 0; i < change_issues_kept(&issues) && result == CALLER_BAD_REQUEST; i++)
        must(issues.items[i].offset <= size && issues.items[i].what.len > 0);
    issues.count = 0;
    must(experiment_read(&e,
                         STR("{\"id\":\"x\",\"arms\":[{\"name\":\"a\",\"share\":0.1},{\"name\":"
                             "\"b\",\"share\":0.1}]}"),
                         &issues) == OK ||
         arena_failed(&arena));
    if (!arena_failed(&arena))
        sums_hold(&arena, &e, text);
    arena_fini(&arena);
    return 0;
}
