/* SPDX-License-Identifier: Apache-2.0 */
/* route: a requested model name as what to run. */
#include "app/engine/engine.h"
#include "edge/config/config.h"

enum err route_find(const struct config *config, str requested_model, struct route *out)
{
    struct route route = { .model = config->model, .profile = config };
    str name = requested_model;

    if (!str_starts(requested_model, STR("weir/"))) {
        const struct config_model *model = config_model_offered(config, requested_model);
        if (!model)
            return CALLER_UNKNOWN_MODEL;
        *out = (struct route){ .is_plain = true,
                               .model = model->name,
                               .profile = config,
                               .reason = "the request names a model" };
        return OK;
    }
    name = str_slice(requested_model, STR("weir/").len, requested_model.len);
    route.reason = "the request names a strategy";
    if (str_eq(name, STR("auto"))) {
        name = config->strategy;
        route.reason = "weir/auto runs the configured strategy";
    } else if (str_eq(name, STR("full_stack"))) {
        return WEIR_NOT_SUPPORTED;
    }
    if (str_eq(name,
               STR("full_stack"))) { /* accepted in a configuration, with a warning at start */
        name = STR("hrm_trm");
        route.reason = "full_stack has no effect yet: hrm_trm runs";
    }
    if (!reason_strategy_find(name, &route.strategy))
        return CALLER_UNKNOWN_MODEL;
    *out = route;
    return OK;
}
