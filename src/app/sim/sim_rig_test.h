/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of app/sim share: scenarios from texts. */
#ifndef WEIR_APP_SIM_SIM_RIG_TEST_H
#define WEIR_APP_SIM_SIM_RIG_TEST_H

#include "app/sim/rehearsal_internal.h"
#include "edge/config/config.h"
#include "test/check.h"

#define STEPS                                                                                      \
    "  steps: [{share: 10%, min: 2m, max: 6h, n_min: 300}, {share: 50%, min: 2m, max: 6h, n_min: " \
    "300}, {share: 100%, min: 2m, max: 6h, n_min: 300}]\n"
#define ROLLOUT "rollout:\n  name: r\n" STEPS

static inline struct scenario *scenario_of(const char *text)
{
    struct scenario *s = NULL;
    struct config_issues issues;

    CHECK_ERR(scenario_load_text(STR("s.yaml"), str_from(text), true, &s, &issues), OK);
    for (size_t i = 0; i < issues.count; i++)
        fprintf(stderr, "%d:%d %.*s\n", issues.items[i].line, issues.items[i].column,
                STR_ARG(issues.items[i].message));
    config_issues_fini(&issues);
    return s;
}

#endif
