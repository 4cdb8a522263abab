/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target of rollout: any bytes as {"checkpoint": …, "rows": […]}. What is restored is checkpointed to a fixed point, and
 * goes on under ticks, outcomes and operations as any rollout does: every row it makes follows.
 */
#include <stdlib.h>

#include "core/change/rollout.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ROWS_MAX 32
#define SECOND INT64_C(1000000)
#define HOUR (3600 * SECOND)

static void must(bool condition)
{
    if (!condition)
        abort();
}

static void spec_make(struct rollout_spec *spec)
{
    rollout_spec_init(spec, STR("gpt-4o-mini"));
    spec->step_count = 3;
    spec->steps[0] = (struct rollout_step){ 100000, HOUR, 48 * HOUR, 200, false };
    spec->steps[1] = (struct rollout_step){ 500000, HOUR, 48 * HOUR, 200, false };
    spec->steps[2] = (struct rollout_step){ SHARE_WHOLE, 24 * HOUR, 48 * HOUR, 200, false };
}

static void checkpoint_is_fixed(struct arena *arena, const struct rollout_spec *spec,
                                struct rollout *r)
{
    struct rollout again;
    struct buf once = { 0 }, twice = { 0 };
    struct json v;
    const char *what;

    rollout_checkpoint(r, &once);
    must(json_parse(arena, buf_str(&once), &v, NULL) == OK);
    must(rollout_restore(&again, spec, v, NULL, 0, &what) == OK);
    rollout_checkpoint(&again, &twice);
    must(str_eq(buf_str(&once), buf_str(&twice)));
    buf_fini(&once);
    buf_fini(&twice);
}

static void row_is_fixed(struct arena *arena, const struct rollout_row *row)
{
    struct rollout_row again;
    struct buf once = { 0 }, twice = { 0 };
    struct json v;

    rollout_row_write(row, STR("x"), &once);
    must(json_parse(arena, buf_str(&once), &v, NULL) == OK);
    must(rollout_row_read(arena, v, &again) == OK);
    rollout_row_write(&again, STR("x"), &twice);
    must(str_eq(buf_str(&once), buf_str(&twice)));
    buf_fini(&once);
    buf_fini(&twice);
}

static void goes_on(struct rollout *r)
{
    usec_utc now = (INT64_C(1) << 51) + r->sequence % 1000;

    for (unsigned i = 0; i < 24; i++) {
        struct rollout_inputs in = { .config_hash = r->config_hash, .generation = r->generation };
        struct rollout_request request = { .operation = (enum rollout_operation)(
                                               1 + i % (ROLLOUT_OPERATION_COUNT - 1)),
                                           .generation = ROLLOUT_ANY_GENERATION };
        struct rollout_assignment a = { .arm = (enum rollout_arm)(i % ROLLOUT_ARM_COUNT),
                                        .phase = r->phase };
        struct rollout_decision decision;
        struct rollout_row row;
        rollout_expose(r, &a);
        rollout_observe(r, &a, now,
                        &(struct outcome){ .is_success = i % 3 == 0, .cost = i, .latency = i });
        rollout_tick(r, now, &in, &decision);
        if (decision.has_row)
            must(rollout_apply(r, &decision.row) == OK);
        if (i % 4 == 3) {
            rollout_operate(r, now, &request, &row);
            must(rollout_apply(r, &row) == OK);
        }
        now += i % 5 == 4 ? -SECOND : HOUR / 7;
    }
}

static size_t rows_read(struct arena *arena, struct json list, struct rollout_row *rows)
{
    struct json_iter it = json_iter(list);
    size_t n = 0;

    while (json_is(list, JSON_ARRAY) && n < ROWS_MAX && json_next(&it)) {
        if (rollout_row_read(arena, it.value, &rows[n]) != OK)
            break;
        row_is_fixed(arena, &rows[n]);
        n++;
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str text = { (const char *)data, size };
    struct rollout_row *rows = calloc(ROWS_MAX, sizeof(*rows));
    struct rollout_spec spec;
    struct rollout r;
    struct arena arena;
    struct json v;
    const char *what = NULL;

    must(rows != NULL);
    arena_init(&arena, 16 << 20);
    spec_make(&spec);
    if (json_parse(&arena, text, &v, NULL) == OK) {
        size_t n = rows_read(&arena, json_get(v, STR("rows")), rows);
        if (rollout_restore(&r, &spec, json_get(v, STR("checkpoint")), rows, n, &what) == OK) {
            checkpoint_is_fixed(&arena, &spec, &r);
            goes_on(&r);
        } else {
            must(what != NULL);
        }
    }
    free(rows);
    arena_fini(&arena);
    return 0;
}
