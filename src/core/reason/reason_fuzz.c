/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: the bytes are what models say, one outcome per line, told in the order of asking. The first byte
 * chooses the strategy (3 bits), the verifier (2), whether there is a peer and a stronger model, and whether the
 * model's values may be believed; the second the number of calls and the search's policy. A line that starts
 * with '!' is a failed call.
 */
#include "core/reason/reason_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SIMULATIONS 50

static const struct reason_config usual = {
    .hrm = { .h_module_layers = 3,
             .l_module_iterations = 3,
             .confidence_threshold = 0.85,
             .max_decomposition_depth = 3 },
    .trm = { .max_refinement_iterations = 5,
             .convergence_threshold = 0.05,
             .confidence_threshold = 0.8,
             .min_improvement_delta = 0.02 },
    .mcts = { .simulation_budget = SIMULATIONS },
    .max_tokens = 100,
};

static void play(struct reason *r, str lines, int calls_left)
{
    struct reason_budget left = {
        .calls = calls_left, .tokens = INT64_MAX / 2, .cost = INT64_MAX, .time = 1
    };
    int total = 0;

    while (!reason_done(r)) {
        struct reason_call calls[REASON_CALLS_AT_ONCE];
        size_t n = reason_ask(r, &left, calls);
        assert((int)n <= left.calls);
        assert(n > 0 || reason_done(r));
        left.calls -= (int)n;
        total += (int)n;
        for (size_t i = 0; i < n; i++) {
            str line = { 0 };
            IGNORE(!str_next(&lines, '\n', &line));
            const struct reason_outcome outcome = {
                .fault = str_starts(line, STR("!")) ? PROVIDER_CUT : OK, .text = line
            };
            reason_tell(r, calls[i].id, &outcome);
            reason_tell(r, calls[i].id, &outcome);
            struct reason_best best = reason_best(r);
            assert(best.has_answer == (best.canonical.len > 0));
            assert(best.confidence <= 1.0);
        }
    }
    assert(total <= 2 * CALLS_MAX + SIMULATIONS);
    assert(reason_best(r).has_answer || reason_best(r).fault != OK);
}

_Static_assert(REASON_STRATEGY_COUNT == 8, "three bits choose a strategy");

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct verifier verifiers[] = { { VERIFY_NONE, { 0 } },
                                                 { VERIFY_EXACT, { "42", 2 } },
                                                 { VERIFY_REGEX, { "4[0-9]", 6 } },
                                                 { VERIFY_GAME24, { "4 9 10 13", 9 } } };
    const struct reason_message message = { "user", STR("six times seven?") };
    struct reason_config config = usual;
    struct arena a;
    struct reason *r;

    if (size < 2)
        return 0;
    const struct reason_question question = { .messages = &message,
                                              .message_count = 1,
                                              .verifier = verifiers[(data[0] >> 3) & 3] };
    config.cascade.has_peer = data[0] & 0x20;
    config.cascade.has_strong = data[0] & 0x40;
    config.mcts.value_auroc = data[0] & 0x80 ? 0.95 : 0.5;
    config.mcts.policy = (enum reason_policy)(data[1] % REASON_POLICY_COUNT);
    arena_init(&a, (size_t)16 << 20);
    if (reason_open(&r, &a, (enum reason_strategy)(data[0] & 7), &config, &question) == OK)
        play(r, (str){ (const char *)data + 2, size - 2 }, data[1]);
    arena_fini(&a);
    return 0;
}
