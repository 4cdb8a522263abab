/* SPDX-License-Identifier: Apache-2.0 */
/* fixture_test: a small model made by hand, for the tests of what reads and uses one. */
#ifndef WEIR_CORE_ROUTE_FIXTURE_TEST_H
#define WEIR_CORE_ROUTE_FIXTURE_TEST_H

#include "core/route/model.h"
#include "test/check.h"

/* Gains are rare in "stem", frequent in "stem.code"; the weights say that long questions with "prove" in them gain. */
static inline struct route_model *fixture_model(struct arena *arena)
{
    static const struct domain_row domains[] = {
        { .name = { "", 0 }, .both = 700, .gain = 120, .loss = 60, .neither = 120 },
        { .name = { "stem", 4 }, .both = 600, .gain = 100, .loss = 50, .neither = 50 },
        { .name = { "stem.code", 9 }, .both = 20, .gain = 60, .loss = 10, .neither = 10 },
    };
    static const struct arm_row arms[] = {
        { { "cascade", 7 }, { "mini", 4 }, { "", 0 }, 400, 360, 400, 500, 0, 0 },
        { { "cascade", 7 }, { "mini", 4 }, { "stem", 4 }, 100, 95, 100, 900, 0, 0 },
        { { "direct", 6 }, { "large", 5 }, { "", 0 }, 1000, 820, 1000, 2000, 10, 812.5 },
        { { "direct", 6 }, { "mini", 4 }, { "", 0 }, 1000, 760, 1000, 120, 10, 400 },
        { { "hrm", 3 }, { "mini", 4 }, { "", 0 }, 5, 5, 0, 0, 0, 0 },
    };
    struct route_model *m = ARENA_NEW(arena, struct route_model);
    struct route_features f;

    m->facts = (struct route_facts){ .n = 1000,
                                     .holdout = 1000,
                                     .folds = 5,
                                     .seed = UINT64_MAX,
                                     .data_hash = 0x0123456789abcdef,
                                     .auc = 0.61,
                                     .ece = 0.02,
                                     .has_apgr = true,
                                     .apgr = 0.58,
                                     .apgr_learned = 0.58,
                                     .apgr_domain_table = -0.55,
                                     .weak_model = STR("mini"),
                                     .strong_model = STR("large") };
    for (size_t i = 0; i < ROUTE_DENSE; i++) {
        m->feature_mean[i] = 0.25 * (double)i;
        m->feature_scale[i] = 1 + 0.5 * (double)i;
    }
    m->intercept[HEAD_GAIN] = -0.25;
    m->intercept[HEAD_WEAK] = 0.5;
    m->dense[HEAD_GAIN][0] = 0.75;
    m->dense[HEAD_WEAK][0] = -0.5;
    m->dense[HEAD_WEAK][3] = 0.125;
    route_features_read(&f, STR("prove"), &(struct route_context){ .turns = 0 });
    m->grams[f.grams[0].bucket][HEAD_GAIN] = 2.5f;
    m->grams[f.grams[0].bucket][HEAD_WEAK] = -1.25f;
    m->calibration[HEAD_GAIN] = (struct fit){
        .kind = FIT_ISOTONIC, .n = 1000, .knots = 2, .score = { -6, 6 }, .value = { 0, 0.9 }
    };
    m->calibration[HEAD_WEAK] = (struct fit){ .kind = FIT_PLATT, .n = 150, .slope = 1 };
    m->domains.rows = ARENA_ARRAY(arena, ARRAY_LEN(domains), struct domain_row);
    m->arms = ARENA_ARRAY(arena, ARRAY_LEN(arms), struct arm_row);
    m->domains.count = ARRAY_LEN(domains);
    m->arm_count = ARRAY_LEN(arms);
    for (size_t i = 0; i < ARRAY_LEN(domains); i++)
        m->domains.rows[i] = domains[i];
    for (size_t i = 0; i < ARRAY_LEN(arms); i++)
        m->arms[i] = arms[i];
    domain_rates_set(&m->domains);
    return m;
}

#endif
