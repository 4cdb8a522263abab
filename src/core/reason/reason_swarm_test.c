/* SPDX-License-Identifier: Apache-2.0 */
/* Seeded swarms of nonsense: whatever models say, in whatever order, a machine ends within its budget. */
#include "base/rng.h"
#include "core/reason/reason_world.h"

/* ---- swarms ---- */

/* clang-format off */
static const char *const said[] = {
    "",
    " ",
    "42",
    "{",
    "}",
    "{\"answer\"",
    "{\"answer\":\"",
    "{\"answer\":\"4",
    SURE,
    UNSURE,
    WRONG,
    SPLIT,
    SPLIT_COMPUTED,
    SIX,
    SEVEN,
    PROGRAM,
    "Answer: 42",
    "\\boxed{",
    "{\"sound\":false}",
    "{\"sound\":true,\"confidence\":85}",
    "{\"sound\":7}",
    "{\"answer\":null,\"subquestions\":[\"a?\",\"b?\",\"c?\",\"d?\",\"e?\",\"f?\",\"g?\",\"h?\",\"i?\",\"j?\"]}",
    "{\"answer\":\"1\",\"confidence\":-3,\"subquestions\":{}}",
    "{\"answer\":\"1\",\"confidence\":\"90%\",\"subquestions\":[1,{},[]]}",
    "{\"expression\":\"1/0\",\"answer\":\"x\"}",
    "{\"expression\":\"2+2\",\"answer\":\"5\",\"confidence\":0.5}",
    "\xFF\xFE{\"answer\":\"\xFF\"}",
    "{\"answer\":\"a\",\"answer\":\"b\"}",
    "{\"answer\":{\"a\":[1]}}",
    "no idea\nreally\n",
};
/* clang-format on */
static const enum err faults[] = { PROVIDER_CUT, PROVIDER_AUTH, PROVIDER_OVERLOADED,
                                   DEADLINE_EXCEEDED, POLICY_BUDGET };

static struct reason_outcome any_outcome(struct rng *rng, uint64_t fault_percent)
{
    if (rng_below(rng, 100) < fault_percent)
        return (struct reason_outcome){ .fault = faults[rng_below(rng, ARRAY_LEN(faults))] };
    return (struct reason_outcome){ .text = str_from(said[rng_below(rng, ARRAY_LEN(said))]),
                                    .is_truncated = rng_below(rng, 4) == 0 };
}

/* Plays one random machine; the hash of everything that it asked. */
static uint64_t swarm(uint64_t seed)
{
    static const struct verifier verifiers[] = { { VERIFY_NONE, { 0 } },
                                                 { VERIFY_NONE, { 0 } },
                                                 { VERIFY_EXACT, S("42") },
                                                 { VERIFY_REGEX, S("[0-9]+") } };
    struct rng rng;
    struct world w;
    struct reason_config config = usual;
    uint32_t pending[CALLS_MAX];
    size_t pending_count = 0;
    uint64_t hash = 0;
    int total = 0, turns = 0;

    rng_init(&rng, seed);
    config.use_json_schema = rng_below(&rng, 2) == 0;
    config.hrm.h_module_layers = 1 + (int)rng_below(&rng, 10);
    config.hrm.l_module_iterations = 1 + (int)rng_below(&rng, 20);
    config.hrm.max_decomposition_depth = 1 + (int)rng_below(&rng, 8);
    config.hrm.confidence_threshold = rng_unit(&rng) + 0.01;
    config.trm.max_refinement_iterations = 1 + (int)rng_below(&rng, 20);
    uint64_t fault_percent = rng_below(&rng, 3) * 30;
    struct reason_budget left = { .calls = (int)rng_below(&rng, 80),
                                  .tokens = (int64_t)rng_below(&rng, 40000),
                                  .cost = 1,
                                  .time = 1 };
    const struct verifier *verifier = &verifiers[rng_below(&rng, ARRAY_LEN(verifiers))];
    if (world_open(&w, (enum reason_strategy)rng_below(&rng, REASON_STRATEGY_COUNT), &config,
                   verifier) != OK) {
        check_note(__FILE__, __LINE__, "does not open");
        world_close(&w);
        return 0;
    }
    for (; !reason_done(w.reason) && turns < 1000; turns++) {
        struct reason_call calls[REASON_CALLS_AT_ONCE];
        size_t n = reason_ask(w.reason, &left, calls);
        int64_t tokens = 0;
        CHECK((int64_t)n <= left.calls);
        for (size_t i = 0; i < n; i++) {
            tokens += calls[i].max_tokens;
            hash = rng_mix(hash ^ str_hash(calls[i].messages[calls[i].message_count - 1].content) ^
                           calls[i].id);
            pending[pending_count++] = calls[i].id;
            total++;
        }
        CHECK(tokens <= left.tokens);
        left.calls -= (int)n;
        left.tokens -= tokens;
        CHECK(n > 0 || pending_count > 0 || reason_done(w.reason));
        /* Tells in any order, some twice, some of calls that nobody made. */
        for (uint64_t k = 1 + rng_below(&rng, 4); k > 0 && pending_count > 0; k--) {
            size_t at = (size_t)rng_below(&rng, pending_count);
            uint32_t id = pending[at];
            struct reason_outcome outcome = any_outcome(&rng, fault_percent);
            pending[at] = pending[--pending_count];
            reason_tell(w.reason, id, &outcome);
            outcome = any_outcome(&rng, fault_percent);
            reason_tell(w.reason,
                        rng_below(&rng, 2) ? id : (uint32_t)rng_below(&rng, 100) + CALLS_MAX + 1,
                        &outcome);
            best_is_valid(w.reason);
        }
    }
    CHECK(reason_done(w.reason));
    CHECK(total <= CALLS_MAX);
    best_is_valid(w.reason);
    hash = rng_mix(hash ^ str_hash(reason_best(w.reason).answer));
    world_close(&w);
    return hash;
}

static void always_ends_within_its_budget(void)
{
    for (uint64_t seed = 0; seed < 3000; seed++) {
        int failures = check_failures;
        uint64_t hash = swarm(seed);
        if (seed % 8 == 0)
            CHECK(hash == swarm(seed));
        if (check_failures > failures) {
            fprintf(stderr, "seed %" PRIu64 "\n", seed);
            return;
        }
    }
}

TESTS(TEST(always_ends_within_its_budget))
