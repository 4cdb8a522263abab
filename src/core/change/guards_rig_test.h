/* SPDX-License-Identifier: Apache-2.0 */
/* guards_rig: plans and outcomes for guards' tests. */
#ifndef WEIR_CORE_CHANGE_GUARDS_RIG_TEST_H
#define WEIR_CORE_CHANGE_GUARDS_RIG_TEST_H

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "core/change/guards.h"
#include "test/check.h"

__attribute__((unused)) static struct guard_plan make_plan(const struct guard_spec *specs,
                                                           size_t count, double alpha)
{
    struct guard_options options = guard_options_default;
    struct arena arena;
    struct change_issues issues = { .arena = &arena };
    struct guard_plan plan = { .count = 0 };

    arena_init(&arena, 1 << 16);
    options.alpha_trip = alpha;
    CHECK_ERR(guard_plan_init(&plan, specs, count, &options, &issues), OK);
    arena_fini(&arena);
    return plan;
}

__attribute__((unused)) static struct guard_plan default_plan(void)
{
    return make_plan(guard_defaults, CHANGE_METRIC_COUNT, guard_options_default.alpha_trip);
}

static const struct outcome good = {
    .is_success = true,
    .hrm_confidence = 0.87,
    .trm_confidence = 0.83,
    .cost = 2000000,
    .latency = 900 * NSEC_PER_MS,
};

/* Around `good`, failing with the probability given. */
__attribute__((unused)) static struct outcome outcome_draw(struct rng *rng, double failure)
{
    struct outcome o = good;

    o.is_success = !(rng_unit(rng) < failure);
    o.is_error = !o.is_success && rng_unit(rng) < 0.5;
    o.hrm_confidence = fmin(fmax(0.87 + 0.08 * rng_normal(rng), 0), 1);
    o.trm_confidence = rng_unit(rng) < 0.3 ? -1 : fmin(fmax(0.83 + 0.08 * rng_normal(rng), 0), 1);
    o.cost = (nano_usd)(2000000 * exp(0.5 * rng_normal(rng)));
    o.latency = (nsec)(900e6 * exp(0.4 * rng_normal(rng)));
    return o;
}

#endif
