/* SPDX-License-Identifier: Apache-2.0 */
/* trained_test: what the tests of decisions share: a configuration, and a router that was trained on questions made up here. */
#ifndef WEIR_APP_ENGINE_TRAINED_TEST_H
#define WEIR_APP_ENGINE_TRAINED_TEST_H

#include "app/engine/engine_internal.h"
#include "core/route/route_train.h"
#include "test/check.h"

static const struct config_model world_models[] = { { .name = STR("weak") },
                                                    { .name = STR("strong") },
                                                    { .name = STR("big"), .is_hidden = true } };

__attribute__((unused)) static struct config world_config(const char *scorer)
{
    return (struct config){ .model = STR("weak"),
                            .strategy = STR("hrm_trm"),
                            .models = world_models,
                            .model_count = ARRAY_LEN(world_models),
                            .budget = { .cost_max = 1000000 },
                            .route = {
                                .scorer = str_from(scorer), .threshold = 0.8, .value = 10000000 } };
}

static const struct route_run world_runs[] = {
    { .strategy = STR("direct"), .model = STR("weak"), .is_right = false, .cost = 1000 },
    { .strategy = STR("direct"), .model = STR("strong"), .is_right = true, .cost = 20000 },
    { .strategy = STR("cascade"), .model = STR("weak"), .is_right = true, .cost = 8000 },
    { .strategy = STR("cascade"), .model = STR("gone"), .is_right = true, .cost = 1 },
    { .strategy = STR("magic"), .model = STR("weak"), .is_right = true, .cost = 1 },
};

/* Digits make a question hard for the weak model; the cascade is always right. */
__attribute__((unused)) static const struct route_model *world_trained(struct arena *arena)
{
    enum { ROWS = 200 };
    struct route_row *rows = ARENA_ARRAY(arena, ROWS, struct route_row);
    struct route_run *runs = ARENA_ARRAY(arena, ROWS * ARRAY_LEN(world_runs), struct route_run);
    const struct route_model *model = NULL;
    struct route_train_report report;

    for (size_t i = 0; i < ROWS; i++) {
        bool is_hard = i % 2 == 0;
        rows[i] = (struct route_row){
            .id = arena_printf(arena, "q%zu", i),
            .domain = STR("stem"),
            .prompt = is_hard ? arena_printf(arena, "What is %zu * %zu + 17?", i + 100, i * 7 + 13)
                              : arena_printf(arena, "Name a river near the town of letter %c",
                                             (int)('a' + i % 26)),
            .weak_right = !is_hard,
            .strong_right = true,
            .weak_cost = 1000,
            .strong_cost = 20000
        };
        for (size_t n = 0; n < ARRAY_LEN(world_runs); n++) {
            runs[i * ARRAY_LEN(world_runs) + n] = world_runs[n];
            runs[i * ARRAY_LEN(world_runs) + n].domain = STR("stem");
            runs[i * ARRAY_LEN(world_runs) + n].latency_ms = 10;
            runs[i * ARRAY_LEN(world_runs) + n].raw_confidence = -1;
        }
    }
    const struct route_training training = { rows, ROWS, runs, ROWS * ARRAY_LEN(world_runs) };
    const struct route_train_options options = {
        .weak_model = STR("weak"), .strong_model = STR("strong"), .seed = 1, .folds = 5
    };
    CHECK_ERR(route_train(arena, &training, &options, &model, &report), OK);
    return model;
}

#endif
