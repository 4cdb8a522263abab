/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the cascade and of full_stack: who is asked when, what ends it, what faults do. */
#include "core/reason/reason_world.h"

#define A "{\"answer\":\"42\",\"confidence\":0.6}"
#define B "{\"answer\":\"41\",\"confidence\":0.7}"
#define LOW "{\"answer\":\"42\",\"confidence\":0.1}"
#define PA "{\"expression\":\"6*7\",\"answer\":\"42\",\"confidence\":0.9}"
#define PB "{\"answer\":\"41\",\"confidence\":0.9}"
#define PROSE(word)                                                                                \
    "{\"answer\":\"Hold the pass " word                                                            \
    " and then fall back to the second line along the river.\",\"confidence\":0.5}"

enum who { ALONE, WITH_PEER, WITH_STRONG, WITH_BOTH };

static struct reason_config with(enum who who)
{
    struct reason_config config = usual;

    config.cascade.has_peer = who == WITH_PEER || who == WITH_BOTH;
    config.cascade.has_strong = who == WITH_STRONG || who == WITH_BOTH;
    return config;
}

/* clang-format off */
static const struct {
    enum who who;
    struct scene scene;
    const char *log;
} plays[] = {
    { WITH_BOTH, { "models agree", REASON_CASCADE, 0, NULL,
        { { ROLE_DIRECT, OK, A }, { PEER(ROLE_DIRECT), OK, A } },
        "42", "models agree", OK, 2, 0, (0.3 * 0.6 + 0.4) / 0.7 }, "main;peer;" },
    { WITH_BOTH, { "one with a unit and one without", REASON_CASCADE, 0, NULL,
        { { ROLE_DIRECT, OK, "{\"answer\":\"0.5 h\"}" }, { PEER(ROLE_DIRECT), OK, "{\"answer\":\"1800\"}" } },
        "0.5 h", "models agree", OK, 2, 0, 1.0 }, NULL },
    { WITH_BOTH, { "code that is spaced differently", REASON_CASCADE, 0, NULL,
        { { ROLE_DIRECT, OK, "{\"answer\":\"['a', 1]\"}" }, { PEER(ROLE_DIRECT), OK, "{\"answer\":[\"a\",1.0]}" } },
        "['a', 1]", "models agree", OK, 2, 0, 1.0 }, NULL },
    { WITH_BOTH, { "the stronger model decides", REASON_CASCADE, 0, NULL,
        { { ROLE_DIRECT, OK, A }, { PEER(ROLE_DIRECT), OK, B }, { STRONG(ROLE_DIRECT), OK, "{\"answer\":\"40\",\"confidence\":0.2}" } },
        "40", "stronger model", OK, 3, 0, (0.3 * 0.2 + 0.15 / 3) / 0.85 }, "main;peer;stronger model;" },
    { WITH_BOTH, { "the stronger model sides with one", REASON_CASCADE, 0, NULL,
        { { ROLE_DIRECT, OK, A }, { PEER(ROLE_DIRECT), OK, B }, { STRONG(ROLE_DIRECT), OK, B } },
        "41", "stronger model", OK, 3, 0, (0.3 * 0.7 + 0.4 + 0.15 * 2 / 3) / 0.85 }, NULL },
    { WITH_BOTH, { "prose cannot agree", REASON_CASCADE, 0, NULL,
        { { ROLE_DIRECT, OK, PROSE("at dawn") }, { PEER(ROLE_DIRECT), OK, PROSE("at noon") }, { STRONG(ROLE_DIRECT), OK, PROSE("at dusk") } },
        "Hold the pass at dusk and then fall back to the second line along the river.", "stronger model", OK, 3, 0, -2 }, NULL },
    { WITH_BOTH, { "a peer that fails is a disagreement", REASON_CASCADE, 0, NULL,
        { { ROLE_DIRECT, OK, A }, { PEER(ROLE_DIRECT), PROVIDER_AUTH, NULL }, { STRONG(ROLE_DIRECT), OK, B } },
        "41", "stronger model", OK, 3, 0, -2 }, "main;peer;stronger model;" },
    { WITH_BOTH, { "a peer that says nothing is a disagreement", REASON_CASCADE, 0, NULL,
        { { ROLE_DIRECT, OK, A }, { PEER(ROLE_DIRECT), OK, " " }, { STRONG(ROLE_DIRECT), OK, B } },
        "41", "stronger model", OK, 3, 0, -2 }, NULL },
    { WITH_BOTH, { "a main model that fails is a disagreement", REASON_CASCADE, 0, NULL,
        { { ROLE_DIRECT, PROVIDER_CUT, NULL }, { PEER(ROLE_DIRECT), OK, A }, { STRONG(ROLE_DIRECT), OK, B } },
        "41", "stronger model", OK, 3, 0, -2 }, NULL },
    { WITH_BOTH, { "the stronger model fails", REASON_CASCADE, 0, NULL,
        { { ROLE_DIRECT, OK, A }, { PEER(ROLE_DIRECT), OK, B }, { STRONG(ROLE_DIRECT), PROVIDER_CUT, NULL } },
        "41", "stronger model failed", OK, 3, 0, 0.3 * 0.7 / 0.7 }, NULL },
    { WITH_BOTH, { "all fail but the stronger model's second try", REASON_CASCADE, 0, NULL,
        { { ROLE_DIRECT, PROVIDER_CUT, NULL }, { PEER(ROLE_DIRECT), PROVIDER_CUT, NULL },
          { STRONG(ROLE_DIRECT), PROVIDER_CUT, NULL }, { STRONG(ROLE_DIRECT), OK, A } },
        "42", "stronger model", OK, 4, 0, 0.6 }, "main;peer;stronger model;stronger model (again);" },
    { WITH_BOTH, { "all fail", REASON_CASCADE, 0, NULL,
        { { ROLE_DIRECT, PROVIDER_CUT, NULL }, { PEER(ROLE_DIRECT), PROVIDER_CUT, NULL }, { STRONG(ROLE_DIRECT), PROVIDER_AUTH, NULL } },
        NULL, "failed", PROVIDER_AUTH, 3, 0, -1 }, NULL },
    { WITH_PEER, { "without a stronger model the better stands", REASON_CASCADE, 0, NULL,
        { { ROLE_DIRECT, OK, A }, { PEER(ROLE_DIRECT), OK, B } },
        "41", "models differ", OK, 2, 0, 0.3 * 0.7 / 0.7 }, NULL },
    { WITH_PEER, { "the main model's when they are worth the same", REASON_CASCADE, 0, NULL,
        { { ROLE_DIRECT, OK, "{\"answer\":\"1\",\"confidence\":0.5}" }, { PEER(ROLE_DIRECT), OK, "{\"answer\":\"2\",\"confidence\":0.5}" } },
        "1", "models differ", OK, 2, 0, -2 }, NULL },
    { WITH_PEER, { "only the main model answers", REASON_CASCADE, 0, NULL,
        { { ROLE_DIRECT, OK, A }, { PEER(ROLE_DIRECT), PROVIDER_CUT, NULL } },
        "42", "peer failed", OK, 2, 0, 0.6 }, NULL },
    { WITH_PEER, { "only the peer answers", REASON_CASCADE, 0, NULL,
        { { ROLE_DIRECT, PROVIDER_AUTH, NULL }, { PEER(ROLE_DIRECT), OK, A } },
        "42", "main model failed", OK, 2, 0, 0.6 }, NULL },
    { WITH_PEER, { "nobody answers at first", REASON_CASCADE, 0, NULL,
        { { ROLE_DIRECT, PROVIDER_CUT, NULL }, { PEER(ROLE_DIRECT), PROVIDER_CUT, NULL }, { ROLE_DIRECT, OK, A }, { PEER(ROLE_DIRECT), OK, A } },
        "42", "models agree", OK, 4, 0, -2 }, "main;peer;main;peer;" },
    { WITH_PEER, { "nobody answers", REASON_CASCADE, 0, NULL,
        { { ROLE_DIRECT, PROVIDER_CUT, NULL }, { PEER(ROLE_DIRECT), PROVIDER_CUT, NULL }, { ROLE_DIRECT, PROVIDER_CUT, NULL }, { PEER(ROLE_DIRECT), PROVIDER_CUT, NULL } },
        NULL, "failed", PROVIDER_CUT, 4, 0, -1 }, NULL },
    { WITH_PEER, { "nobody ever will", REASON_CASCADE, 0, NULL,
        { { ROLE_DIRECT, PROVIDER_AUTH, NULL }, { PEER(ROLE_DIRECT), PROVIDER_AUTH, NULL } },
        NULL, "failed", PROVIDER_AUTH, 2, 0, -1 }, NULL },
    { ALONE, { "formats agree", REASON_CASCADE, 0, NULL,
        { { ROLE_DIRECT, OK, A }, { ROLE_PROGRAM, OK, PA } },
        "42", "formats agree", OK, 2, 0, (0.3 * 0.6 + 0.4) / 0.7 }, "main;second opinion;" },
    { ALONE, { "formats differ", REASON_CASCADE, 0, NULL,
        { { ROLE_DIRECT, OK, A }, { ROLE_PROGRAM, OK, PB } },
        "41", "formats differ", OK, 2, 0, 0.3 * 0.9 / 0.7 }, NULL },
    { ALONE, { "the second opinion fails", REASON_CASCADE, 0, NULL,
        { { ROLE_DIRECT, OK, A }, { ROLE_PROGRAM, PROVIDER_CUT, NULL } },
        "42", "second opinion failed", OK, 2, 0, 0.6 }, NULL },
    { WITH_STRONG, { "formats differ and the stronger model decides", REASON_CASCADE, 0, NULL,
        { { ROLE_DIRECT, OK, A }, { ROLE_PROGRAM, OK, PB }, { STRONG(ROLE_DIRECT), OK, A } },
        "42", "stronger model", OK, 3, 0, -2 }, "main;second opinion;stronger model;" },
    { WITH_BOTH, { "refused by the verifier though they agree", REASON_CASCADE, VERIFY_EXACT, "42",
        { { ROLE_DIRECT, OK, B }, { PEER(ROLE_DIRECT), OK, B }, { STRONG(ROLE_DIRECT), OK, A } },
        "42", "stronger model", OK, 3, 0, -2 }, NULL },
    { WITH_PEER, { "refused, and nobody else to ask", REASON_CASCADE, VERIFY_EXACT, "42",
        { { ROLE_DIRECT, OK, B }, { PEER(ROLE_DIRECT), OK, B } },
        "41", "models differ", OK, 2, 0, -2 }, NULL },
    { WITH_BOTH, { "the verifier passes the second", REASON_CASCADE, VERIFY_EXACT, "42",
        { { ROLE_DIRECT, OK, B }, { PEER(ROLE_DIRECT), OK, A } },
        "42", "verified", OK, 2, 0, -2 }, NULL },

    /* ---- full_stack ---- */
    { WITH_BOTH, { "a confident plan ends it", REASON_FULL_STACK, 0, NULL,
        { { ROLE_PLAN, OK, SURE } },
        "42", "confident", OK, 1, 0, 0.9 }, "plan;" },
    { WITH_BOTH, { "a verified plan ends it", REASON_FULL_STACK, VERIFY_EXACT, "42",
        { { ROLE_PLAN, OK, LOW } },
        "42", "verified", OK, 1, 0, 0.91 }, "plan;" },
    { WITH_BOTH, { "a plan verified by conditions ends it", REASON_FULL_STACK, VERIFY_REGEX, "4[0-9]",
        { { ROLE_PLAN, OK, LOW } },
        "42", "verified", OK, 1, 0, 0.91 }, "plan;" },
    { WITH_BOTH, { "formats that agree are confident enough", REASON_FULL_STACK, 0, NULL,
        { { ROLE_PLAN, OK, A }, { ROLE_PROGRAM, OK, PA } },
        "42", "formats agree", OK, 2, 0, (0.3 * 0.6 + 0.4) / 0.7 }, NULL },
    { WITH_BOTH, { "samples confirm it", REASON_FULL_STACK, 0, NULL,
        { { ROLE_PLAN, OK, LOW }, { ROLE_PROGRAM, OK, PA }, /* (.03 + .4)/.7 is not enough */
          { ROLE_DIRECT, OK, A }, { ROLE_PROGRAM, OK, PA }, { ROLE_DIRECT, OK, A }, { ROLE_PROGRAM, OK, PA } },
        "42", "vote settled", OK, 6, 0, -2 }, NULL },
    { WITH_BOTH, { "samples settle on another answer", REASON_FULL_STACK, 0, NULL,
        { { ROLE_PLAN, OK, LOW }, { ROLE_PROGRAM, PROVIDER_CUT, NULL },
          { ROLE_DIRECT, OK, B }, { ROLE_PROGRAM, OK, PB }, { ROLE_DIRECT, OK, B }, { ROLE_PROGRAM, OK, PB }, { STRONG(ROLE_DIRECT), OK, A } },
        "42", "stronger model", OK, 7, 0, -2 },
      "plan;second opinion;sample 1 (steps);sample 2 (program);sample 3 (steps);sample 4 (program);stronger model;" },
    { WITH_BOTH, { "samples do not settle", REASON_FULL_STACK, 0, NULL,
        { { ROLE_PLAN, OK, LOW }, { ROLE_PROGRAM, PROVIDER_CUT, NULL },
          { ROLE_DIRECT, OK, B }, { ROLE_PROGRAM, OK, PA }, { ROLE_DIRECT, OK, B }, { ROLE_PROGRAM, OK, PA },
          { ROLE_DIRECT, OK, B }, { ROLE_PROGRAM, OK, PA }, { ROLE_DIRECT, OK, B }, { ROLE_PROGRAM, OK, PA }, { STRONG(ROLE_DIRECT), OK, A } },
        "42", "stronger model", OK, 11, 0, -2 }, NULL },
    { ALONE, { "samples settle on another answer, and that is it", REASON_FULL_STACK, 0, NULL,
        { { ROLE_PLAN, OK, LOW }, { ROLE_PROGRAM, PROVIDER_CUT, NULL },
          { ROLE_DIRECT, OK, B }, { ROLE_PROGRAM, OK, PB }, { ROLE_DIRECT, OK, B }, { ROLE_PROGRAM, OK, PB } },
        "41", "vote differs", OK, 6, 0, -2 }, NULL },
    /* (.3·.49 + .4)/.7 is not enough, but still more than the samples' (.4 + .15·4/6)/.85. */
    { ALONE, { "a settled vote wins over prouder words", REASON_FULL_STACK, 0, NULL,
        { { ROLE_PLAN, OK, "{\"answer\":\"42\",\"confidence\":0.49}" }, { ROLE_PROGRAM, OK, PA },
          { ROLE_DIRECT, OK, "{\"answer\":\"41\",\"confidence\":0}" }, { ROLE_PROGRAM, OK, "{\"answer\":\"41\"}" },
          { ROLE_DIRECT, OK, "{\"answer\":\"41\",\"confidence\":0}" }, { ROLE_PROGRAM, OK, "{\"answer\":\"41\"}" } },
        "41", "vote differs", OK, 6, 0, (0.4 + 0.15 * 4 / 6) / 0.85 }, NULL },
    { ALONE, { "an open vote does not", REASON_FULL_STACK, 0, NULL,
        { { ROLE_PLAN, OK, "{\"answer\":\"43\",\"confidence\":0.79}" }, { ROLE_PROGRAM, PROVIDER_CUT, NULL },
          { ROLE_DIRECT, OK, "{\"answer\":\"41\",\"confidence\":0}" }, { ROLE_PROGRAM, OK, "{\"answer\":\"40\"}" },
          { ROLE_DIRECT, PROVIDER_AUTH, NULL }, { ROLE_PROGRAM, PROVIDER_AUTH, NULL } },
        "43", "samples failed", OK, 6, 0, -2 }, NULL },
    { WITH_BOTH, { "a main model that is out of service", REASON_FULL_STACK, 0, NULL,
        { { ROLE_PLAN, PROVIDER_AUTH, NULL }, { STRONG(ROLE_DIRECT), OK, A } },
        "42", "stronger model", OK, 2, 0, 0.6 }, "plan;stronger model;" },
    { ALONE, { "a main model that is out of service, alone", REASON_FULL_STACK, 0, NULL,
        { { ROLE_PLAN, PROVIDER_AUTH, NULL } },
        NULL, "failed", PROVIDER_AUTH, 1, 0, -1 }, NULL },
    { ALONE, { "a plan that does not come leaves it to samples", REASON_FULL_STACK, 0, NULL,
        { { ROLE_PLAN, PROVIDER_CUT, NULL }, { ROLE_PLAN, OK, "" },
          { ROLE_DIRECT, OK, A }, { ROLE_PROGRAM, OK, PA }, { ROLE_DIRECT, OK, A }, { ROLE_PROGRAM, OK, PA } },
        "42", "vote settled", OK, 6, 0, -2 }, NULL },
    { ALONE, { "a refused plan is refined, then searched for by conditions", REASON_FULL_STACK, VERIFY_REGEX, "4[0-9]",
        { { ROLE_PLAN, OK, "{\"answer\":\"7\",\"confidence\":0.99}" }, { ROLE_REFINE, OK, "{\"answer\":\"7\",\"confidence\":0.99}" },
          { ROLE_STEP, OK, "{\"proposals\":[{\"step\":\"multiply\",\"answer\":\"42\",\"value\":0.1}]}" } },
        "42", "verified", OK, 3, 1, -2 }, NULL },
    { ALONE, { "a verifier that knows the answer is no ground for a search", REASON_FULL_STACK, VERIFY_EXACT, "42",
        { { ROLE_PLAN, OK, B }, { ROLE_REFINE, OK, B }, { ROLE_DIRECT, OK, B }, { ROLE_PROGRAM, OK, PA },
          { ROLE_DIRECT, OK, A }, { ROLE_PROGRAM, OK, PA } },
        "42", "verified", OK, 6, 1, -2 }, NULL },
};
/* clang-format on */

static void plays_scenes(void)
{
    for (size_t i = 0; i < ARRAY_LEN(plays); i++) {
        const struct reason_config config = with(plays[i].who);
        scene_check(&plays[i].scene, &config, plays[i].log);
    }
}

static void asks_both_at_once(void)
{
    const struct reason_config config = with(WITH_BOTH);
    struct reason_call calls[REASON_CALLS_AT_ONCE];
    struct world w;

    REQUIRE(world_open(&w, REASON_CASCADE, &config, &no_verifier) == OK);
    REQUIRE(reason_ask(w.reason, &plenty, calls) == 2);
    CHECK_INT(calls[0].model, REASON_MODEL_MAIN);
    CHECK_INT(calls[1].model, REASON_MODEL_PEER);
    CHECK_INT(calls[1].role, ROLE_DIRECT);
    CHECK_INT(reason_ask(w.reason, &plenty, calls), 0);
    /* The peer first, and each twice: the second word does not count. */
    reason_tell(w.reason, 2, &(struct reason_outcome){ .text = STR(B) });
    reason_tell(w.reason, 2, &(struct reason_outcome){ .text = STR(A) });
    CHECK_STR(reason_best(w.reason).answer, STR("41"));
    CHECK(!reason_done(w.reason));
    reason_tell(w.reason, 1, &(struct reason_outcome){ .text = STR(A) });
    REQUIRE(reason_ask(w.reason, &plenty, calls) == 1);
    CHECK_INT(calls[0].model, REASON_MODEL_STRONG);
    reason_tell(w.reason, 3, &(struct reason_outcome){ .text = STR(A) });
    CHECK(reason_done(w.reason));
    CHECK_STR(reason_best(w.reason).answer, STR("42"));
    CHECK_NEAR(reason_best(w.reason).signals.vote_share, 2.0 / 3, 1e-12);
    CHECK_NEAR(reason_best(w.reason).signals.agreement, 1.0, 1e-12);
    world_close(&w);
}

static void stops_at_the_first_that_passes(void)
{
    const struct reason_config config = with(WITH_BOTH);
    const struct verifier exact = { VERIFY_EXACT, S("42") };
    struct reason_call calls[REASON_CALLS_AT_ONCE];
    struct world w;

    REQUIRE(world_open(&w, REASON_CASCADE, &config, &exact) == OK);
    REQUIRE(reason_ask(w.reason, &plenty, calls) == 2);
    reason_tell(w.reason, 2, &(struct reason_outcome){ .text = STR(A) });
    CHECK(reason_done(w.reason));
    CHECK_STR(str_from(reason_best(w.reason).halt), STR("verified"));
    reason_tell(w.reason, 1, &(struct reason_outcome){ .text = STR(B) });
    CHECK_STR(reason_best(w.reason).answer, STR("42"));
    world_close(&w);
}

/* Two that agree have one vote share, however they are spelt. */
static void counts_agreement_as_one_answer(void)
{
    static const struct scene s = {
        .name = "rounded",
        .lines = { { ROLE_DIRECT, OK, "{\"answer\":\"0.33\"}" },
                   { ROLE_PROGRAM, OK, "{\"expression\":\"1/3\",\"answer\":\"1/3\"}" } }
    };
    struct world w;

    REQUIRE(world_open(&w, REASON_CASCADE, &usual, &no_verifier) == OK);
    world_play(&w, &s, &plenty);
    CHECK_STR(str_from(reason_best(w.reason).halt), STR("formats agree"));
    CHECK_NEAR(reason_best(w.reason).signals.vote_share, 1.0, 1e-12);
    CHECK_NEAR(reason_best(w.reason).signals.margin, 1.0, 1e-12);
    world_close(&w);
}

/* A verdict is not a matter of thresholds: what passed ends it below a high one, what was refused goes on above a low one. */
static void a_verdict_stands_above_thresholds(void)
{
    static const struct {
        double threshold;
        struct scene scene;
    } rows[] = {
        { 0.99,
          { "passed",
            REASON_FULL_STACK,
            VERIFY_REGEX,
            "4[0-9]",
            { { ROLE_PLAN, OK, LOW } },
            "42",
            "verified",
            OK,
            1,
            0,
            0.91 } },
        { 0.99,
          { "passed by the key",
            REASON_FULL_STACK,
            VERIFY_EXACT,
            "42",
            { { ROLE_PLAN, OK, LOW } },
            "42",
            "verified",
            OK,
            1,
            0,
            0.91 } },
        { 0.01,
          { "refused",
            REASON_FULL_STACK,
            VERIFY_REGEX,
            "4[0-9]",
            { { ROLE_PLAN, OK, "{\"answer\":\"7\",\"confidence\":0.9}" },
              { ROLE_REFINE, OK, "{\"answer\":\"7\",\"confidence\":0.9}" },
              { ROLE_STEP, OK, "{\"proposals\":[{\"answer\":\"42\",\"value\":0.1}]}" } },
            "42",
            "verified",
            OK,
            3,
            1,
            -2 } },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct reason_config config = usual;
        config.hrm.confidence_threshold = config.trm.confidence_threshold = rows[i].threshold;
        scene_check(&rows[i].scene, &config, NULL);
    }
}

static void keeps_the_budget(void)
{
    static const struct scene s = { .name = "budget",
                                    .lines = { { ROLE_DIRECT, OK, A },
                                               { PEER(ROLE_DIRECT), OK, B },
                                               { STRONG(ROLE_DIRECT), OK, A } } };
    static const struct {
        int calls;
        const char *answer;
        const char *halt;
    } rows[] = {
        { 0, NULL, "budget" },
        { 1, "42", "budget" },
        { 2, "41", "budget" }, /* the better of the two, and nobody to ask */
        { 3, "42", "stronger model" },
    };
    const struct reason_config config = with(WITH_BOTH);

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct world w;
        struct reason_budget budget = plenty;
        budget.calls = rows[i].calls;
        REQUIRE(world_open(&w, REASON_CASCADE, &config, &no_verifier) == OK);
        world_play(&w, &s, &budget);
        CHECK_STR(reason_best(w.reason).answer, str_from(rows[i].answer));
        CHECK_STR(str_from(reason_best(w.reason).halt), str_from(rows[i].halt));
        CHECK_INT(w.calls, rows[i].calls);
        world_close(&w);
    }
}

/* What a search may go by: conditions, or values that were measured. */
static void searches_only_with_something_to_go_by(void)
{
    static const struct {
        struct verifier verifier;
        double value_auroc;
        enum reason_role role; /* of the first call after refinement */
    } rows[] = {
        { { VERIFY_NONE, { 0 } }, 0.0, ROLE_DIRECT },
        { { VERIFY_NONE, { 0 } }, 0.899, ROLE_DIRECT },
        { { VERIFY_NONE, { 0 } }, 0.9, ROLE_STEP },
        { { VERIFY_REGEX, S("x") }, 0.0, ROLE_STEP },
        { { VERIFY_GAME24, S("4 9 10 13") }, 0.0, ROLE_STEP },
        { { VERIFY_EXACT, S("x") }, 0.0, ROLE_DIRECT },
        { { VERIFY_NUMBER, S("{\"value\":1}") }, 0.0, ROLE_DIRECT },
        { { VERIFY_NUMBER, S("{\"value\":1}") }, 0.95, ROLE_STEP },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct reason_call calls[REASON_CALLS_AT_ONCE];
        struct reason_config config = usual;
        struct world w;
        config.mcts.value_auroc = rows[i].value_auroc;
        REQUIRE(world_open(&w, REASON_FULL_STACK, &config, &rows[i].verifier) == OK);
        REQUIRE(reason_ask(w.reason, &plenty, calls) == 1);
        reason_tell(w.reason, 1, &(struct reason_outcome){ .text = STR(LOW) });
        REQUIRE(reason_ask(w.reason, &plenty, calls) == 1); /* a second opinion, or a rewrite */
        reason_tell(w.reason, 2, &(struct reason_outcome){ .text = STR(LOW) });
        REQUIRE(reason_ask(w.reason, &plenty, calls) > 0);
        CHECK_INT(calls[0].role, rows[i].role);
        world_close(&w);
    }
}

/* The stages' confidences stay what they were when the stages ended. */
static void reports_confidence_by_stage(void)
{
    static const struct scene s = { .name = "stages",
                                    .lines = { { ROLE_PLAN, OK, LOW },
                                               { ROLE_PROGRAM, OK, PA },
                                               { ROLE_DIRECT, OK, A },
                                               { ROLE_PROGRAM, OK, PA },
                                               { ROLE_DIRECT, OK, A },
                                               { ROLE_PROGRAM, OK, PA } } };
    struct world w;

    REQUIRE(world_open(&w, REASON_FULL_STACK, &usual, &no_verifier) == OK);
    world_play(&w, &s, &plenty);
    struct reason_best best = reason_best(w.reason);
    CHECK_NEAR(best.hrm_confidence, 0.1, 1e-9);
    CHECK_NEAR(best.trm_confidence, (0.3 * 0.1 + 0.4) / 0.7, 1e-9);
    /* The samples state .6, .9, .6, .9 and agree. */
    CHECK_NEAR(best.confidence, (0.3 * 0.75 + 0.4 + 0.15) / 0.85, 1e-9);
    CHECK(best.confidence == best.raw_confidence);
    CHECK(!best.is_calibrated);
    CHECK_NEAR(best.signals.vote_share, 1.0, 1e-12);
    world_close(&w);
}

TESTS(TEST(plays_scenes), TEST(asks_both_at_once), TEST(stops_at_the_first_that_passes),
      TEST(counts_agreement_as_one_answer), TEST(a_verdict_stands_above_thresholds),
      TEST(keeps_the_budget), TEST(searches_only_with_something_to_go_by),
      TEST(reports_confidence_by_stage))
