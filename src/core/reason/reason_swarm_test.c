/* SPDX-License-Identifier: Apache-2.0 */
/* Seeded swarms of nonsense: whatever models say, in whatever order, a machine ends within its budget; and whatever is
 * never told, it waits with a valid best answer. */
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
    "{\"answer\":\"43\",\"confidence\":0.4}",
    "{\"expression\":\"41+2\",\"answer\":\"43\"}",
};
static const char *const proposed[] = {
    "{\"proposals\":[{\"step\":\"add\",\"state\":\"\",\"answer\":\"\",\"value\":0.5},{\"step\":\"multiply\",\"state\":\"6 7\",\"answer\":\"\",\"value\":0.9}]}",
    "{\"proposals\":[{\"step\":\"Add.\",\"state\":\"6  7\",\"answer\":\"\",\"value\":1e9},{\"step\":\"count\",\"answer\":\"\",\"value\":\"30%\"}]}",
    "{\"proposals\":[{\"step\":\"\",\"state\":\"\",\"answer\":\"41\",\"value\":0.3},{\"step\":\"on\",\"state\":\"x\",\"answer\":\"\",\"value\":0}]}",
    "{\"proposals\":[{\"step\":\"a\"},{\"step\":\"b\"},{\"step\":\"c\"},{\"step\":\"d\"},{\"step\":\"e\"},{\"step\":\"f\"},{\"step\":\"g\"},{\"step\":\"h\"},{\"step\":\"i\"}]}",
    "{\"proposals\":[{\"answer\":\"(10-4)*(13-9)\",\"value\":0.01}]}",
    "{\"proposals\":[]}",
    "{\"proposals\":[null,{\"value\":2},{\"step\":7,\"state\":[1],\"answer\":{},\"value\":[]}]}",
};
/* clang-format on */
static const enum err faults[] = { PROVIDER_CUT, PROVIDER_AUTH, PROVIDER_OVERLOADED,
                                   DEADLINE_EXCEEDED, POLICY_BUDGET };

/* Half of what is said to a call for steps are proposals; now and then also elsewhere. */
static struct reason_outcome any_outcome(struct rng *rng, uint64_t fault_percent,
                                         enum reason_role role)
{
    uint64_t proposes = role == ROLE_STEP ? 80 : 5;

    if (rng_below(rng, 100) < fault_percent)
        return (struct reason_outcome){ .fault = faults[rng_below(rng, ARRAY_LEN(faults))] };
    if (rng_below(rng, 100) < proposes)
        return (struct reason_outcome){ .text = str_from(
                                            proposed[rng_below(rng, ARRAY_LEN(proposed))]) };
    return (struct reason_outcome){ .text = str_from(said[rng_below(rng, ARRAY_LEN(said))]),
                                    .is_truncated = rng_below(rng, 4) == 0 };
}

static struct reason_config any_config(struct rng *rng)
{
    struct reason_config config = usual;

    config.use_json_schema = rng_below(rng, 2) == 0;
    config.hrm.h_module_layers = 1 + (int)rng_below(rng, 10);
    config.hrm.l_module_iterations = 1 + (int)rng_below(rng, 20);
    config.hrm.max_decomposition_depth = 1 + (int)rng_below(rng, 8);
    config.hrm.confidence_threshold = rng_unit(rng) + 0.01;
    config.trm.max_refinement_iterations = 1 + (int)rng_below(rng, 20);
    config.self_consistency.samples_max = (int)rng_below(rng, REASON_SAMPLES_MAX + 8);
    config.self_consistency.stop_probability = rng_unit(rng);
    config.cascade.has_peer = rng_below(rng, 2) == 0;
    config.cascade.has_strong = rng_below(rng, 2) == 0;
    config.mcts.policy = (enum reason_policy)rng_below(rng, REASON_POLICY_COUNT);
    config.mcts.exploration_constant = rng_unit(rng) * 3.0;
    config.mcts.max_tree_depth = (int)rng_below(rng, 12);
    config.mcts.simulation_budget = (int)rng_below(rng, 60);
    config.mcts.value_auroc = rng_below(rng, 2) == 0 ? 0.95 : 0.5;
    config.seed = rng_u64(rng);
    return config;
}

struct swarm {
    struct rng rng;
    struct world world;
    struct reason_budget left;
    struct {
        uint32_t id;
        enum reason_role role;
    } pending[2048];
    size_t pending_count;
    uint64_t fault_percent;
    uint64_t lost_percent; /* calls that are never told */
    int total; /* calls */
    int lost;
    uint64_t hash; /* of everything that was asked */
};

static void swarm_ask(struct swarm *s)
{
    struct reason_call calls[REASON_CALLS_AT_ONCE];
    size_t n = reason_ask(s->world.reason, &s->left, calls);
    int64_t tokens = 0;

    CHECK((int64_t)n <= s->left.calls);
    for (size_t i = 0; i < n; i++) {
        tokens += calls[i].max_tokens;
        s->hash = rng_mix(s->hash ^ calls[i].id ^ (uint64_t)calls[i].model << 32 ^
                          str_hash(calls[i].messages[calls[i].message_count - 1].content));
        s->total++;
        if (rng_below(&s->rng, 100) < s->lost_percent) {
            s->lost++;
            continue;
        }
        s->pending[s->pending_count].id = calls[i].id;
        s->pending[s->pending_count++].role = calls[i].role;
    }
    CHECK(tokens <= s->left.tokens);
    s->left.calls -= (int)n;
    s->left.tokens -= tokens;
    CHECK(n > 0 || s->pending_count > 0 || s->lost > 0 || reason_done(s->world.reason));
}

/* Tells in any order, some twice, some of calls that nobody made. */
static void swarm_tell(struct swarm *s)
{
    for (uint64_t k = 1 + rng_below(&s->rng, 4); k > 0 && s->pending_count > 0; k--) {
        size_t at = (size_t)rng_below(&s->rng, s->pending_count);
        uint32_t id = s->pending[at].id;
        enum reason_role role = s->pending[at].role;
        struct reason_outcome outcome = any_outcome(&s->rng, s->fault_percent, role);
        s->pending[at] = s->pending[--s->pending_count];
        reason_tell(s->world.reason, id, &outcome);
        outcome = any_outcome(&s->rng, s->fault_percent, role);
        reason_tell(s->world.reason,
                    rng_below(&s->rng, 2) ? id : (uint32_t)rng_below(&s->rng, 100) + 5000,
                    &outcome);
        best_is_valid(s->world.reason);
    }
}

static const struct verifier verifiers[] = { { VERIFY_NONE, { 0 } },
                                             { VERIFY_NONE, { 0 } },
                                             { VERIFY_EXACT, S("42") },
                                             { VERIFY_REGEX, S("[0-9]+") },
                                             { VERIFY_GAME24, S("4 9 10 13") } };

/* How many calls a machine may make, by its strategy and limits alone. */
static int calls_most(enum reason_strategy strategy, const struct reason_config *config)
{
    int simulations = config->mcts.simulation_budget > 0 ? config->mcts.simulation_budget : 100;
    int samples =
        config->self_consistency.samples_max > 0 ? config->self_consistency.samples_max : 8;

    if (samples > REASON_SAMPLES_MAX)
        samples = REASON_SAMPLES_MAX;
    switch (strategy) {
    case REASON_DIRECT:
        return 2;
    case REASON_HRM:
    case REASON_TRM:
    case REASON_HRM_TRM:
        return CALLS_MAX;
    case REASON_SELF_CONSISTENCY:
        return samples;
    case REASON_CASCADE:
        return 6;
    case REASON_MCTS:
        return simulations + 1;
    case REASON_FULL_STACK:
        return CALLS_MAX + (simulations + 1 > samples + 2 ? simulations + 1 : samples + 2);
    case REASON_STRATEGY_COUNT:
        break;
    }
    return 0;
}

/* Plays one random machine; the hash of everything that it asked. */
static uint64_t swarm(uint64_t seed)
{
    static struct swarm s; /* too large for the stack */

    s = (struct swarm){ .pending_count = 0 };
    rng_init(&s.rng, seed);
    const struct reason_config config = any_config(&s.rng);
    const struct verifier *verifier = &verifiers[rng_below(&s.rng, ARRAY_LEN(verifiers))];
    enum reason_strategy strategy = (enum reason_strategy)rng_below(&s.rng, REASON_STRATEGY_COUNT);
    s.fault_percent = rng_below(&s.rng, 4) * 10;
    s.lost_percent = rng_below(&s.rng, 4) == 0 ? 10 : 0;
    s.left = (struct reason_budget){ .calls = (int)rng_below(&s.rng, 160),
                                     .tokens = (int64_t)rng_below(&s.rng, 80000),
                                     .cost = 1,
                                     .time = 1 };
    bool is_cramped = rng_below(&s.rng, 6) == 0; /* by its arena */
    size_t arena_max = is_cramped ? 4000 + (size_t)rng_below(&s.rng, 200000) : (size_t)8 << 20;
    enum err e = world_open_within(&s.world, strategy, &config, verifier, arena_max);
    if (e != OK) {
        if (!is_cramped || e != WEIR_NO_MEMORY)
            check_note(__FILE__, __LINE__, "does not open");
        world_close(&s.world);
        return 0;
    }
    for (int turns = 0; !reason_done(s.world.reason) && turns < 2000; turns++) {
        swarm_ask(&s);
        swarm_tell(&s);
    }
    CHECK(reason_done(s.world.reason) || (s.lost > 0 && s.pending_count == 0));
    CHECK(s.total <= calls_most(strategy, &config));
    best_is_valid(s.world.reason);
    s.hash = rng_mix(s.hash ^ str_hash(reason_best(s.world.reason).answer));
    world_close(&s.world);
    return s.hash;
}

static void always_ends_within_its_budget(void)
{
    for (uint64_t seed = 0; seed < 5000; seed++) {
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
