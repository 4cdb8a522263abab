/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a question: the rules keep their ranges and whole words find no more than substrings do, features stay in
 * scale, grams point into the question, a domain is one of four. */
#include <math.h>

#include "core/route/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_rules(str question)
{
    struct rule_score seed = route_score_seed(question, STR("stem"));
    struct rule_score words = route_score_words(question, STR("stem"));

    assert(seed.total >= 0 && seed.total <= 100 && seed.total % 5 == 0);
    assert(words.total >= 0 && words.total <= seed.total);
    assert(words.questions == seed.questions);
    assert(seed.multi_step + seed.constraints + seed.ambiguity + seed.questions +
               seed.optimisation ==
           seed.total);
}

static void check_features(str question)
{
    struct route_features f;

    route_features_read(&f, question, &(struct route_context){ .turns = 1 });
    for (size_t i = 0; i < ROUTE_DENSE; i++)
        assert(isfinite(f.dense[i]) && f.dense[i] >= 0);
    assert(f.gram_count <= ROUTE_GRAMS_MAX);
    for (size_t i = 0; i < f.gram_count; i++) {
        assert(f.grams[i].bucket < ROUTE_GRAMS);
        assert(f.grams[i].len > 0 && f.grams[i].start + f.grams[i].len <= question.len);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str question = { size > 0 ? (const char *)data : NULL, size };
    struct domain_guess guess = route_domain_guess(question);

    check_rules(question);
    check_features(question);
    assert(guess.domain.len > 0 && guess.probability >= 0 && guess.probability <= 1);
    return 0;
}
