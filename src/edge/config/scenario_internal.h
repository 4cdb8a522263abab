/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of scenario share. */
#ifndef WEIR_EDGE_CONFIG_SCENARIO_INTERNAL_H
#define WEIR_EDGE_CONFIG_SCENARIO_INTERNAL_H

#include "edge/config/rollout_internal.h"
#include "edge/config/scenario.h"

#define SCENARIO_NOT_WRITTEN (-1) /* of numbers that are none below 0 */

static inline double scenario_or_else(double written, double otherwise)
{
    return written < 0 ? otherwise : written;
}

extern const char *const scenario_domains[SCENARIO_DOMAIN_COUNT];
extern const char *const scenario_arms[SCENARIO_ARM_COUNT + 1]; /* the last: both */
/* The place of a text in a table; count when it is not there. */
size_t scenario_name_at(const char *const *names, size_t count, str name);
/* An error at a node; at the whole file when there is none. */
void scenario_fault(struct plan_build *p, const struct yaml_node *node, str message);
/* models and sources of the scenario. */
void scenario_models_make(struct plan_build *p, struct scenario *s);

#endif
