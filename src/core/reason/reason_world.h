/* SPDX-License-Identifier: Apache-2.0 */
/* reason_world: what the tests of the machines share: a usual configuration, an open machine, replies. */
#ifndef WEIR_CORE_REASON_REASON_WORLD_H
#define WEIR_CORE_REASON_REASON_WORLD_H

#include "core/reason/reason_internal.h"
#include "test/check.h"

#define S(text)                                                                                    \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }

static const struct reason_config usual = {
    .hrm = { .h_module_layers = 3,
             .l_module_iterations = 5,
             .confidence_threshold = 0.85,
             .max_decomposition_depth = 4 },
    .trm = { .max_refinement_iterations = 5,
             .convergence_threshold = 0.05,
             .confidence_threshold = 0.80,
             .min_improvement_delta = 0.02 },
    .max_tokens = 500,
    .use_json_schema = true,
};

__attribute__((unused)) static const struct reason_budget plenty = {
    .calls = 1000, .tokens = 1000000, .cost = INT64_MAX, .time = NSEC_PER_SEC
};

/* One reply of a table: to the next call of this role, in order. */
struct line {
    enum reason_role role;
    enum err fault;
    const char *text;
};

#define LINES_MAX 16

struct scene {
    const char *name;
    enum reason_strategy strategy;
    enum verifier_kind verifier;
    const char *spec;
    struct line lines[LINES_MAX];
    /* what is expected */
    const char *answer; /* NULL: none */
    const char *halt;
    enum err fault;
    int calls;
    int rounds;
    double confidence; /* -1: none; -2: any */
};

struct world {
    struct arena arena;
    struct reason *reason;
    size_t used[ROLE_COUNT];
    int calls;
    struct buf log; /* labels in the order of asking */
};

__attribute__((unused)) static enum err world_open(struct world *w, enum reason_strategy strategy,
                                                   const struct reason_config *config,
                                                   const struct verifier *verifier)
{
    const struct reason_message messages[] = {
        { "system", S("Be brief.") },
        { "user", S("Earlier?") },
        { "assistant", S("Yes.") },
        { "user", S("What is six times seven?") },
    };
    const struct reason_question question = { .messages = messages,
                                              .message_count = 4,
                                              .verifier = *verifier };

    *w = (struct world){ 0 };
    arena_init(&w->arena, (size_t)8 << 20);
    return reason_open(&w->reason, &w->arena, strategy, config, &question);
}

__attribute__((unused)) static void world_close(struct world *w)
{
    arena_fini(&w->arena);
    buf_fini(&w->log);
}

#define SURE "{\"steps\":\"s\",\"answer\":\"42\",\"confidence\":0.9}"
#define UNSURE "{\"answer\":\"42\",\"confidence\":0.6}"
#define WRONG "{\"answer\":\"41\",\"confidence\":0.6}"
#define SPLIT                                                                                      \
    "{\"answer\":\"40\",\"confidence\":0.3,\"subquestions\":["                                     \
    "{\"id\":\"a\",\"question\":\"What is six?\",\"needs\":[],\"expression\":\"\"},"               \
    "{\"id\":\"b\",\"question\":\"What is seven?\",\"needs\":[],\"expression\":\"\"}]}"
#define SPLIT_COMPUTED                                                                             \
    "{\"answer\":\"\",\"confidence\":0.3,\"subquestions\":["                                       \
    "{\"id\":\"c\",\"question\":\"The product?\",\"needs\":[\"a\",\"b\"],\"expression\":\"a*b\"}," \
    "{\"id\":\"a\",\"question\":\"What is six?\",\"needs\":[],\"expression\":\"\"},"               \
    "{\"id\":\"b\",\"question\":\"What is seven?\",\"needs\":[],\"expression\":\"\"}]}"
#define SPLIT_PART                                                                                 \
    "{\"answer\":\"\",\"confidence\":0.2,\"subquestions\":[\"What is five?\",\"What is one?\"]}"
#define SIX "{\"answer\":\"6\",\"confidence\":0.95}"
#define SEVEN "{\"answer\":\"7\",\"confidence\":0.9}"
#define PROGRAM "{\"program\":\"\",\"expression\":\"6*7\",\"answer\":\"42\",\"confidence\":0.9}"

__attribute__((unused)) static const struct verifier no_verifier = { VERIFY_NONE, { 0 } };

/* What holds of the best answer at any moment. */
__attribute__((unused)) static void best_is_valid(const struct reason *r)
{
    struct reason_best best = reason_best(r);

    CHECK(best.has_answer == (best.answer.len > 0));
    CHECK(best.has_answer == (best.canonical.len > 0));
    CHECK(best.confidence <= 1.0);
    CHECK(best.has_answer || best.confidence < 0);
    CHECK(!reason_done(r) || best.has_answer || best.fault != OK);
    CHECK(best.fault == OK || !best.has_answer);
    CHECK(best.halt != NULL);
}

#endif
