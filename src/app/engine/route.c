/* SPDX-License-Identifier: Apache-2.0 */
/* route: a requested model name as what to run. */
#include "app/engine/engine_internal.h"

enum reason_strategy strategy_configured(const struct config *profile)
{
    enum reason_strategy strategy = REASON_HRM_TRM;
    bool is_known = reason_strategy_find(profile->strategy, &strategy);

    assert(is_known); /* the key's choices are the strategies' names */
    return strategy == REASON_HRM_TRM && profile->use_mcts ? REASON_FULL_STACK : strategy;
}

enum err route_find(const struct config *config, str requested_model, struct route *out)
{
    struct route route = { .model = config->model,
                           .profile = config,
                           .reason = "the request names a strategy" };
    str name = str_slice(requested_model, STR("weir/").len, requested_model.len);

    if (!str_starts(requested_model, STR("weir/"))) {
        const struct config_model *model = config_model_offered(config, requested_model);
        if (!model)
            return CALLER_UNKNOWN_MODEL;
        route.is_plain = true;
        route.model = model->name;
        route.reason = "the request names a model";
    } else if (str_eq(name, STR("auto"))) {
        route.is_auto = true;
        route.strategy = strategy_configured(config);
        route.reason = "weir/auto runs the configured strategy";
    } else if (!reason_strategy_find(name, &route.strategy)) {
        return CALLER_UNKNOWN_MODEL;
    }
    *out = route;
    return OK;
}
