/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: the bytes are what models say, one outcome per line, told in the order of asking. The first byte
 * chooses the strategy and the verifier, the second the number of calls. A line that starts with '!'
 * is a failed call.
 */
#include "core/reason/reason_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct reason_config config = {
    .hrm = { .h_module_layers = 3,
             .l_module_iterations = 3,
             .confidence_threshold = 0.85,
             .max_decomposition_depth = 3 },
    .trm = { .max_refinement_iterations = 5,
             .convergence_threshold = 0.05,
             .confidence_threshold = 0.8,
             .min_improvement_delta = 0.02 },
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
    assert(total <= CALLS_MAX);
    assert(reason_best(r).has_answer || reason_best(r).fault != OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct verifier verifiers[] = { { VERIFY_NONE, { 0 } },
                                                 { VERIFY_EXACT, { "42", 2 } } };
    const struct reason_message message = { "user", STR("six times seven?") };
    struct arena a;
    struct reason *r;

    if (size < 2)
        return 0;
    const struct reason_question question = { .messages = &message,
                                              .message_count = 1,
                                              .verifier = verifiers[(data[0] >> 2) & 1] };
    arena_init(&a, (size_t)16 << 20);
    if (reason_open(&r, &a, (enum reason_strategy)(data[0] & 3), &config, &question) == OK)
        play(r, (str){ (const char *)data + 2, size - 2 }, data[1]);
    arena_fini(&a);
    return 0;
}
