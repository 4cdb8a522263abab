/* SPDX-License-Identifier: Apache-2.0 */
/* A router's model read from outside: refused with a sentence, or else it is written and read again as the same bytes, and
 * its scores and decisions are numbers in their ranges. */
#include <math.h>

#include "core/route/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const struct route_model *model)
{
    const struct route_facts *facts = route_model_facts(model);
    const struct route_candidate candidates[] = {
        { STR("direct"), facts->weak_model, COST_UNPRICED },
        { STR("direct"), facts->strong_model, 100 },
        { STR("cascade"), facts->weak_model, COST_UNPRICED },
    };
    const struct route_options options = { .value_nano_usd = 1000000,
                                           .cost_cap_nano_usd = 1000,
                                           .epsilon = 0.1 };
    str question = STR("Prove that 2 + 2 = 4, then sort the list [3, 1, 2].");
    struct learned_score score;
    struct route_features f;
    struct route_decision decision;
    struct rng rng;

    rng_init(&rng, 1);
    route_features_read(&f, question, &(struct route_context){ .turns = 1 });
    route_score_learned(model, &f, question, STR("stem.code"), &score);
    assert(score.gain >= 0 && score.gain <= 1 && score.weak_success >= 0 &&
           score.weak_success <= 1);
    route_decide(model, &(struct route_question){ STR("stem.code"), &score }, candidates,
                 ARRAY_LEN(candidates), &options, &rng, &decision);
    double sum = 0;
    for (size_t i = 0; i < decision.candidate_count; i++) {
        assert(decision.estimates[i].quality >= 0 && decision.estimates[i].quality <= 1);
        sum += decision.estimates[i].propensity;
    }
    assert(fabs(sum - 1) < 1e-9);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf once = { 0 }, twice = { 0 };
    struct arena arena;
    const struct route_model *model, *again;
    str what = STR("");

    arena_init(&arena, (size_t)256 << 20);
    enum err e = route_model_read(&arena, (str){ (const char *)data, size }, &model, &what);
    assert(e == OK || e == WEIR_NO_MEMORY || what.len > 0);
    if (e == OK) {
        use(model);
        route_model_write(model, &once);
        e = route_model_read(&arena, buf_str(&once), &again, &what);
        assert(e == OK);
        route_model_write(again, &twice);
        assert(str_eq(buf_str(&once), buf_str(&twice)));
    }
    buf_fini(&once);
    buf_fini(&twice);
    arena_fini(&arena);
    return 0;
}
