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

/* One reply of a table: to the next call of this role and model, in order. */
struct line {
    int role; /* of the main model; PEER(role), STRONG(role) of the others */
    enum err fault;
    const char *text;
};
#define PEER(role) ((role) + ROLE_COUNT * REASON_MODEL_PEER)
#define STRONG(role) ((role) + ROLE_COUNT * REASON_MODEL_STRONG)
#define LINE_ROLES (ROLE_COUNT * REASON_MODEL_CLASS_COUNT)

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
    size_t used[LINE_ROLES];
    int calls;
    struct buf log; /* labels in the order of asking */
};

/* arena_max: bytes that the machine may use. */
__attribute__((unused)) static enum err world_open_within(struct world *w,
                                                          enum reason_strategy strategy,
                                                          const struct reason_config *config,
                                                          const struct verifier *verifier,
                                                          size_t arena_max)
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
    arena_init(&w->arena, arena_max);
    return reason_open(&w->reason, &w->arena, strategy, config, &question);
}

__attribute__((unused)) static enum err world_open(struct world *w, enum reason_strategy strategy,
                                                   const struct reason_config *config,
                                                   const struct verifier *verifier)
{
    return world_open_within(w, strategy, config, verifier, (size_t)8 << 20);
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

/* The next line of the scene for a call; what is not in the table fails without hope. */
__attribute__((unused)) static struct reason_outcome
scene_reply(struct world *w, const struct scene *s, const struct reason_call *call)
{
    int role = (int)call->role + ROLE_COUNT * (int)call->model;
    size_t seen = 0;

    for (size_t i = 0; i < LINES_MAX && (s->lines[i].text || s->lines[i].fault != OK); i++) {
        if (s->lines[i].role != role || seen++ != w->used[role])
            continue;
        w->used[role]++;
        return (struct reason_outcome){ .fault = s->lines[i].fault,
                                        .text = str_from(s->lines[i].text) };
    }
    fprintf(stderr, "    %s: no reply for %s\n", s->name, reason_role_name(call->role));
    check_failures++;
    return (struct reason_outcome){ .fault = PROVIDER_AUTH };
}

__attribute__((unused)) static void world_play(struct world *w, const struct scene *s,
                                               const struct reason_budget *budget)
{
    struct reason_budget left = *budget;

    for (int turn = 0; turn < 400 && !reason_done(w->reason); turn++) {
        struct reason_call calls[REASON_CALLS_AT_ONCE];
        size_t n = reason_ask(w->reason, &left, calls);
        CHECK(n > 0 || reason_done(w->reason));
        for (size_t i = 0; i < n; i++) {
            const struct reason_outcome outcome = scene_reply(w, s, &calls[i]);
            buf_printf(&w->log, "%.*s;", STR_ARG(calls[i].label));
            w->calls++;
            left.calls--;
            reason_tell(w->reason, calls[i].id, &outcome);
            best_is_valid(w->reason);
        }
    }
    CHECK(reason_done(w->reason));
}

/* Plays a scene under a configuration; log: the labels that it must ask, NULL for any. */
__attribute__((unused)) static void scene_check(const struct scene *s,
                                                const struct reason_config *config, const char *log)
{
    const struct verifier verifier = { s->verifier, str_from(s->spec) };
    struct world w;
    int failures = check_failures;

    REQUIRE(world_open(&w, s->strategy, config, &verifier) == OK);
    world_play(&w, s, &plenty);
    struct reason_best best = reason_best(w.reason);
    CHECK_INT(best.has_answer, s->answer != NULL);
    CHECK_STR(best.answer, str_from(s->answer));
    CHECK_STR(str_from(best.halt), str_from(s->halt));
    CHECK_ERR(best.fault, s->fault);
    CHECK_INT(w.calls, s->calls);
    CHECK_INT(best.rounds, s->rounds);
    if (s->confidence > -2)
        CHECK_NEAR(best.confidence, s->confidence, 1e-9);
    if (log)
        CHECK_STR(buf_str(&w.log), str_from(log));
    if (check_failures > failures)
        fprintf(stderr, "in scene \"%s\": %.*s\n", s->name, STR_ARG(buf_str(&w.log)));
    world_close(&w);
}

#endif
