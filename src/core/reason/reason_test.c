/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the machines: tables of replies by role, budgets, and the order of calls. */
#include "core/reason/reason_world.h"

/* clang-format off */
static const struct scene scenes[] = {
    { "direct answers", REASON_DIRECT, 0, NULL,
      { { ROLE_DIRECT, OK, SURE } },
      "42", "answered", OK, 1, 0, 0.9 },
    { "direct rambles", REASON_DIRECT, 0, NULL,
      { { ROLE_DIRECT, OK, "well\nit is 42." } },
      "it is 42", "answered", OK, 1, 0, -1 },
    { "direct tries again", REASON_DIRECT, 0, NULL,
      { { ROLE_DIRECT, PROVIDER_OVERLOADED, NULL }, { ROLE_DIRECT, OK, SURE } },
      "42", "answered", OK, 2, 0, 0.9 },
    { "direct fails", REASON_DIRECT, 0, NULL,
      { { ROLE_DIRECT, PROVIDER_CUT, NULL }, { ROLE_DIRECT, PROVIDER_OVERLOADED, NULL } },
      NULL, "failed", PROVIDER_OVERLOADED, 2, 0, -1 },
    { "direct is refused", REASON_DIRECT, 0, NULL,
      { { ROLE_DIRECT, PROVIDER_AUTH, NULL } },
      NULL, "failed", PROVIDER_AUTH, 1, 0, -1 },
    { "direct says nothing", REASON_DIRECT, 0, NULL,
      { { ROLE_DIRECT, OK, "" }, { ROLE_DIRECT, OK, " \n" } },
      NULL, "failed", PROVIDER_GARBAGE, 2, 0, -1 },
    { "direct is verified", REASON_DIRECT, VERIFY_EXACT, "42",
      { { ROLE_DIRECT, OK, UNSURE } },
      "42", "answered", OK, 1, 0, 0.96 },
    { "hrm answers at once", REASON_HRM, 0, NULL,
      { { ROLE_PLAN, OK, SURE } },
      "42", "confident", OK, 1, 0, 0.9 },
    { "hrm accepts an unsure plain answer", REASON_HRM, 0, NULL,
      { { ROLE_PLAN, OK, UNSURE } },
      "42", "no sub-questions", OK, 1, 0, 0.6 },
    { "hrm of a rambling model", REASON_HRM, 0, NULL,
      { { ROLE_PLAN, OK, "The the the" } },
      "The the the", "no sub-questions", OK, 1, 0, -1 },
    { "hrm solves and joins", REASON_HRM, 0, NULL,
      { { ROLE_PLAN, OK, SPLIT }, { ROLE_SOLVE, OK, SIX }, { ROLE_SOLVE, OK, SEVEN },
        { ROLE_SYNTHESIS, OK, SURE } },
      "42", "confident", OK, 4, 0, 0.9 },
    { "hrm computes an expression", REASON_HRM, 0, NULL,
      { { ROLE_PLAN, OK, SPLIT_COMPUTED }, { ROLE_SOLVE, OK, SIX }, { ROLE_SOLVE, OK, SEVEN },
        { ROLE_SYNTHESIS, OK, SURE } },
      "42", "confident", OK, 4, 0, 0.9 },
    { "hrm does not compute with scaled units", REASON_HRM, 0, NULL,
      { { ROLE_PLAN, OK, SPLIT_COMPUTED }, { ROLE_SOLVE, OK, "{\"answer\":\"6 min\",\"confidence\":0.95}" },
        { ROLE_SOLVE, OK, SEVEN }, { ROLE_SOLVE, OK, SURE }, { ROLE_SYNTHESIS, OK, SURE } },
      "42", "confident", OK, 5, 0, 0.9 },
    { "hrm checks below the threshold", REASON_HRM, 0, NULL,
      { { ROLE_PLAN, OK, SPLIT }, { ROLE_SOLVE, OK, SIX }, { ROLE_SOLVE, OK, SEVEN },
        { ROLE_SYNTHESIS, OK, UNSURE },
        { ROLE_CHECK, OK, "{\"problem\":\"\",\"sound\":true,\"confidence\":0.8}" } },
      "42", "checked", OK, 5, 0, (0.3 * 0.7 + 0.1 * 0.9) / 0.4 },
    /* Three different answers so far: the last is not believed as much as it says. */
    { "hrm plans again after a check", REASON_HRM, 0, NULL,
      { { ROLE_PLAN, OK, SPLIT }, { ROLE_SOLVE, OK, SIX }, { ROLE_SOLVE, OK, SEVEN },
        { ROLE_SYNTHESIS, OK, WRONG },
        { ROLE_CHECK, OK, "{\"problem\":\"off by one\",\"sound\":false,\"confidence\":0.1}" },
        { ROLE_PLAN, OK, SURE } },
      "42", "no sub-questions", OK, 6, 0, -2 },
    { "hrm tries a failed part again", REASON_HRM, 0, NULL,
      { { ROLE_PLAN, OK, SPLIT }, { ROLE_SOLVE, PROVIDER_CUT, NULL }, { ROLE_SOLVE, OK, SEVEN },
        { ROLE_SOLVE, OK, SIX }, { ROLE_SYNTHESIS, OK, SURE } },
      "42", "confident", OK, 5, 0, 0.9 },
    { "hrm tries a part again that contradicts its own arithmetic", REASON_HRM, 0, NULL,
      { { ROLE_PLAN, OK, SPLIT },
        { ROLE_SOLVE, OK, "{\"expression\":\"3+3\",\"answer\":\"7\",\"confidence\":1}" },
        { ROLE_SOLVE, OK, SEVEN }, { ROLE_SOLVE, OK, SIX }, { ROLE_SYNTHESIS, OK, SURE } },
      "42", "confident", OK, 5, 0, 0.9 },
    { "hrm believes less when a part failed", REASON_HRM, 0, NULL,
      { { ROLE_PLAN, OK, SPLIT }, { ROLE_SOLVE, PROVIDER_AUTH, NULL }, { ROLE_SOLVE, OK, SEVEN }, { ROLE_SYNTHESIS, OK, SURE },
        { ROLE_CHECK, OK, "{\"sound\":true}" } },
      "42", "checked", OK, 5, 0, 0.27 / 0.4 },
    { "hrm does not split what was answered surely", REASON_HRM, 0, NULL,
      { { ROLE_PLAN, OK, SPLIT }, { ROLE_SOLVE, OK, "{\"answer\":\"6\",\"confidence\":0.95,\"subquestions\":[\"x?\",\"y?\"]}" },
        { ROLE_SOLVE, OK, SEVEN }, { ROLE_SYNTHESIS, OK, SURE } },
      "42", "confident", OK, 4, 0, 0.9 },
    { "hrm believes an unsound answer half as much", REASON_HRM, 0, NULL,
      { { ROLE_PLAN, OK, SPLIT }, { ROLE_SOLVE, OK, SIX }, { ROLE_SOLVE, OK, SEVEN }, { ROLE_SYNTHESIS, OK, WRONG },
        { ROLE_CHECK, OK, "{\"sound\":false}" }, { ROLE_PLAN, PROVIDER_AUTH, NULL } },
      "41", "no plan", OK, 6, 0, (0.3 * 0.3 + 0.1 * 0.9) / 0.4 },
    { "hrm keeps the better answer", REASON_HRM, VERIFY_EXACT, "42",
      { { ROLE_PLAN, OK, WRONG }, { ROLE_PLAN, OK, "{\"answer\":\"43\",\"confidence\":0.3}" },
        { ROLE_PLAN, OK, "{\"answer\":\"44\",\"confidence\":0.1}" } },
      "41", "no sub-questions", OK, 3, 0, 0.1 * (0.3 * 0.6 + 0.15 / 3) / 0.45 },
    { "trm goes on after a much worse rewrite", REASON_TRM, 0, NULL,
      { { ROLE_DIRECT, OK, WRONG }, { ROLE_PROGRAM, OK, PROGRAM }, { ROLE_REFINE, OK, "{\"answer\":\"43\",\"confidence\":0}" },
        { ROLE_REFINE, OK, SURE } },
      "42", "formats agree", OK, 4, 2, -2 },
    { "hrm falls back on the plan's guess", REASON_HRM, 0, NULL,
      { { ROLE_PLAN, OK, SPLIT }, { ROLE_SOLVE, PROVIDER_AUTH, NULL }, { ROLE_SOLVE, PROVIDER_AUTH, NULL } },
      "40", "sub-questions failed", OK, 3, 0, 0.3 },
    { "hrm without guess and parts fails", REASON_HRM, 0, NULL,
      { { ROLE_PLAN, OK, SPLIT_COMPUTED }, { ROLE_SOLVE, PROVIDER_AUTH, NULL },
        { ROLE_SOLVE, PROVIDER_AUTH, NULL }, { ROLE_SOLVE, PROVIDER_AUTH, NULL } },
      NULL, "failed", PROVIDER_AUTH, 4, 0, -1 },
    { "hrm falls back when the joining fails", REASON_HRM, 0, NULL,
      { { ROLE_PLAN, OK, SPLIT }, { ROLE_SOLVE, OK, SIX }, { ROLE_SOLVE, OK, SEVEN },
        { ROLE_SYNTHESIS, PROVIDER_AUTH, NULL } },
      "40", "no synthesis", OK, 4, 0, 0.3 },
    { "hrm splits a part", REASON_HRM, 0, NULL,
      { { ROLE_PLAN, OK, SPLIT }, { ROLE_SOLVE, OK, SPLIT_PART }, { ROLE_SOLVE, OK, SEVEN }, { ROLE_SOLVE, OK, SIX },
        { ROLE_SOLVE, OK, SEVEN }, { ROLE_SYNTHESIS, OK, SIX }, { ROLE_SYNTHESIS, OK, SURE } },
      "42", "confident", OK, 7, 0, 0.9 },
    { "hrm plans again for a verifier", REASON_HRM, VERIFY_EXACT, "42",
      { { ROLE_PLAN, OK, WRONG }, { ROLE_PLAN, OK, SURE } },
      "42", "confident", OK, 2, 0, 0.99 },
    { "hrm ends when its cycles do", REASON_HRM, VERIFY_EXACT, "42",
      { { ROLE_PLAN, OK, WRONG }, { ROLE_PLAN, OK, WRONG }, { ROLE_PLAN, OK, WRONG } },
      "41", "no sub-questions", OK, 3, 0, -2 },
    { "trm is confident", REASON_TRM, 0, NULL,
      { { ROLE_DIRECT, OK, SURE } },
      "42", "confident", OK, 1, 0, 0.9 },
    { "trm's formats agree", REASON_TRM, 0, NULL,
      { { ROLE_DIRECT, OK, UNSURE }, { ROLE_PROGRAM, OK, PROGRAM } },
      "42", "formats agree", OK, 2, 0, (0.3 * 0.6 + 0.4) / 0.7 },
    { "trm refines on disagreement", REASON_TRM, 0, NULL,
      { { ROLE_DIRECT, OK, WRONG }, { ROLE_PROGRAM, OK, PROGRAM }, { ROLE_REFINE, OK, SURE } },
      "42", "formats agree", OK, 3, 1, -2 },
    { "trm believes the evaluator, not the model's sum", REASON_TRM, 0, NULL,
      { { ROLE_DIRECT, OK, WRONG }, { ROLE_PROGRAM, OK, "{\"expression\":\"6*7\",\"answer\":\"41\"}" },
        { ROLE_REFINE, OK, SURE } },
      "42", "formats agree", OK, 3, 1, -2 },
    { "trm stands by its answer", REASON_TRM, 0, NULL,
      { { ROLE_DIRECT, OK, WRONG }, { ROLE_PROGRAM, OK, PROGRAM }, { ROLE_REFINE, OK, WRONG } },
      "41", "same answer twice", OK, 3, 1, -2 },
    { "trm converges on a third answer", REASON_TRM, 0, NULL,
      { { ROLE_DIRECT, OK, WRONG }, { ROLE_PROGRAM, OK, PROGRAM },
        { ROLE_REFINE, OK, "{\"answer\":\"43\",\"confidence\":0.6}" } },
      "41", "converged", OK, 3, 1, -2 },
    { "trm without a second opinion", REASON_TRM, 0, NULL,
      { { ROLE_DIRECT, OK, WRONG }, { ROLE_PROGRAM, PROVIDER_AUTH, NULL } },
      "41", "no outside feedback", OK, 2, 0, 0.6 },
    { "trm does not take ramblings for an opinion", REASON_TRM, 0, NULL,
      { { ROLE_DIRECT, OK, "41" }, { ROLE_PROGRAM, OK, "let me see\nseven" } },
      "41", "no outside feedback", OK, 2, 0, -1 },
    { "trm does not compare prose", REASON_TRM, 0, NULL,
      { { ROLE_DIRECT, OK, "{\"answer\":\"Hold the pass until dawn, then fall back to the second line along the river.\",\"confidence\":0.5}" } },
      "Hold the pass until dawn, then fall back to the second line along the river.", "no outside feedback", OK, 1, 0, 0.5 },
    { "trm is verified", REASON_TRM, VERIFY_ARITHMETIC, "6*7",
      { { ROLE_DIRECT, OK, UNSURE } },
      "42", "verified", OK, 1, 0, 0.96 },
    { "trm refines for a verifier", REASON_TRM, VERIFY_ARITHMETIC, "6*7",
      { { ROLE_DIRECT, OK, WRONG }, { ROLE_REFINE, OK, "{\"answer\":\"43\",\"confidence\":0.6}" },
        { ROLE_REFINE, OK, UNSURE } },
      "42", "verified", OK, 3, 2, -2 },
    { "trm uses its refinements up", REASON_TRM, VERIFY_ARITHMETIC, "6*7",
      { { ROLE_DIRECT, OK, "1" }, { ROLE_REFINE, OK, "2" }, { ROLE_REFINE, OK, "3" }, { ROLE_REFINE, OK, "4" },
        { ROLE_REFINE, OK, "5" }, { ROLE_REFINE, OK, "6" } },
      "1", "refinements used up", OK, 6, 5, -2 },
    { "trm survives failed rewrites", REASON_TRM, VERIFY_ARITHMETIC, "6*7",
      { { ROLE_DIRECT, OK, WRONG }, { ROLE_REFINE, PROVIDER_CUT, NULL }, { ROLE_REFINE, OK, UNSURE } },
      "42", "verified", OK, 3, 2, -2 },
    { "trm keeps its answer when rewriting is refused", REASON_TRM, VERIFY_ARITHMETIC, "6*7",
      { { ROLE_DIRECT, OK, WRONG }, { ROLE_REFINE, PROVIDER_AUTH, NULL } },
      "41", "refinement failed", OK, 2, 1, -2 },
    { "hrm_trm ends with the plan", REASON_HRM_TRM, 0, NULL,
      { { ROLE_PLAN, OK, SURE } },
      "42", "confident", OK, 1, 0, 0.9 },
    { "hrm_trm refines the plan's answer", REASON_HRM_TRM, 0, NULL,
      { { ROLE_PLAN, OK, WRONG }, { ROLE_PROGRAM, OK, PROGRAM }, { ROLE_REFINE, OK, SURE } },
      "42", "formats agree", OK, 3, 1, -2 },
    { "hrm_trm leaves a refused plan to refinement", REASON_HRM_TRM, VERIFY_EXACT, "42",
      { { ROLE_PLAN, OK, WRONG }, { ROLE_REFINE, OK, SURE } },
      "42", "verified", OK, 2, 1, -2 },
    { "hrm_trm of a rambling model", REASON_HRM_TRM, 0, NULL,
      { { ROLE_PLAN, OK, "I think so. I think so. I think so. I think so. I think so. I think so. I think" } },
      "I think so. I think so. I think so. I think so. I think so. I think so. I think", "no outside feedback", OK, 1, 0, -1 },
    { "hrm_trm fails with hrm", REASON_HRM_TRM, 0, NULL,
      { { ROLE_PLAN, PROVIDER_REJECTED, NULL } },
      NULL, "failed", PROVIDER_REJECTED, 1, 0, -1 },
};
/* clang-format on */

static void plays_scenes(void)
{
    for (size_t i = 0; i < ARRAY_LEN(scenes); i++)
        scene_check(&scenes[i], &usual, NULL);
}

static void reports_confidence_by_stage(void)
{
    static const struct scene s = {
        .name = "stages", .lines = { { ROLE_PLAN, OK, UNSURE }, { ROLE_PROGRAM, OK, PROGRAM } }
    };
    struct world w;

    REQUIRE(world_open(&w, REASON_HRM_TRM, &usual, &no_verifier) == OK);
    CHECK(reason_best(w.reason).confidence < 0);
    CHECK(!reason_best(w.reason).has_answer);
    world_play(&w, &s, &plenty);
    struct reason_best best = reason_best(w.reason);
    CHECK_NEAR(best.hrm_confidence, 0.6, 1e-9);
    CHECK(best.trm_confidence > best.hrm_confidence);
    CHECK_NEAR(best.confidence, best.trm_confidence, 1e-12);
    CHECK_NEAR(best.signals.agreement, 1.0, 1e-12);
    CHECK_NEAR(best.signals.stated, 0.6, 1e-12);
    CHECK_NEAR(best.signals.vote_share, 1.0, 1e-12);
    CHECK(best.signals.verifier < 0);
    world_close(&w);
}

/* Leaves go out together; what needs them only afterwards. */
static void asks_leaves_at_once(void)
{
    const struct reason_outcome plan = {
        .text = STR("{\"answer\":\"\",\"confidence\":0,\"subquestions\":["
                    "{\"id\":\"a\",\"question\":\"one\",\"needs\":[\"b\",\"zz\",\"a\"]},{\"id\":"
                    "\"b\",\"question\":\"two\",\"needs\":[\"a\"]},"
                    "{\"id\":\"c\",\"question\":\"three\",\"needs\":[]},{\"id\":\"c\",\"question\":"
                    "\"again\"},{\"id\":\"d\",\"question\":\" \"},"
                    "\"four\"]}")
    };
    const struct reason_outcome part = { .text = STR("{\"answer\":\"v1\",\"confidence\":0.5}") };
    struct reason_call calls[3 + REASON_CALLS_AT_ONCE];
    struct world w;

    REQUIRE(world_open(&w, REASON_HRM, &usual, &no_verifier) == OK);
    REQUIRE(reason_ask(w.reason, &plenty, calls) == 1);
    CHECK_INT(calls[0].id, 1);
    CHECK_INT(calls[0].parent, 0);
    CHECK_INT(calls[0].message_count, 4);
    CHECK(str_find(calls[0].messages[3].content, STR("six times seven")) != STR_NPOS);
    CHECK_STR(calls[0].schema_name, STR("plan"));
    reason_tell(w.reason, 1, &plan);
    /* a and b need each other: the cycle is broken at a. */
    REQUIRE(reason_ask(w.reason, &plenty, calls) == 3);
    CHECK_STR(calls[0].label, STR("solve a (try 1)"));
    CHECK_STR(calls[1].label, STR("solve c (try 1)"));
    CHECK(str_find(calls[2].messages[1].content, STR("four")) != STR_NPOS);
    CHECK_INT(calls[0].parent, 1);
    CHECK_INT(calls[0].message_count, 2); /* the system's message and the sub-question */
    CHECK_INT(reason_ask(w.reason, &plenty, calls + 3), 0);
    CHECK(!reason_done(w.reason));
    reason_tell(w.reason, calls[2].id, &part);
    reason_tell(w.reason, calls[2].id, &part); /* once more: ignored */
    reason_tell(w.reason, 99, &part);
    reason_tell(w.reason, 0, &part);
    CHECK_INT(reason_ask(w.reason, &plenty, calls + 3), 0);
    reason_tell(w.reason, calls[0].id, &part);
    REQUIRE(reason_ask(w.reason, &plenty, calls + 3) == 1);
    CHECK_STR(calls[3].label, STR("solve b (try 1)"));
    CHECK(str_find(calls[3].messages[1].content, STR("- a: one = v1")) != STR_NPOS);
    world_close(&w);
}

/* Plays a scene under another configuration and checks its answer, end and number of calls. */
static void plays_under(const struct reason_config *config, const struct scene *s)
{
    struct world w;

    REQUIRE(world_open(&w, s->strategy, config, &no_verifier) == OK);
    world_play(&w, s, &plenty);
    CHECK_STR(reason_best(w.reason).answer, str_from(s->answer));
    CHECK_STR(str_from(reason_best(w.reason).halt), str_from(s->halt));
    CHECK_INT(w.calls, s->calls);
    CHECK_NEAR(reason_best(w.reason).confidence, s->confidence, 1e-9);
    world_close(&w);
}

static void obeys_its_configuration(void)
{
    struct reason_config shallow = usual, once = usual, easy = usual;

    shallow.hrm.max_decomposition_depth = 1;
    plays_under(
        &shallow,
        &(struct scene){
            .name = "shallow",
            .strategy = REASON_HRM,
            .lines = { { ROLE_PLAN, OK, SPLIT },
                       { ROLE_SOLVE, OK,
                         "{\"answer\":\"6\",\"confidence\":0.2,\"subquestions\":[\"x?\",\"y?\"]}" },
                       { ROLE_SOLVE, OK, SEVEN },
                       { ROLE_SYNTHESIS, OK, SURE },
                       { ROLE_CHECK, OK, "{}" } },
            .answer = "42",
            .halt = "check said nothing",
            .calls = 5,
            .confidence = (0.3 * 0.9 + 0.1 * 0.2) / 0.4 });
    once.hrm.l_module_iterations = 1;
    plays_under(&once,
                &(struct scene){
                    .name = "once",
                    .strategy = REASON_HRM,
                    .lines = { { ROLE_PLAN, OK, SPLIT },
                               { ROLE_SOLVE, OK,
                                 "{\"expression\":\"3+3\",\"answer\":\"7\",\"confidence\":1}" },
                               { ROLE_SOLVE, OK, SEVEN },
                               { ROLE_SYNTHESIS, OK, SURE },
                               { ROLE_CHECK, OK, "{}" } },
                    .answer = "42",
                    .halt = "check said nothing",
                    .calls = 5,
                    .confidence = (0.3 * 0.9 + 0.1 * 0.1) / 0.4 });
    easy.trm.confidence_threshold = 0.35;
    easy.trm.convergence_threshold = 0.0;
    plays_under(&easy, &(struct scene){
                           .name = "easy",
                           .strategy = REASON_TRM,
                           .lines = { { ROLE_DIRECT, OK, "{\"answer\":\"41\",\"confidence\":0.3}" },
                                      { ROLE_PROGRAM, OK, PROGRAM },
                                      { ROLE_REFINE, OK, "{\"answer\":\"43\",\"confidence\":1}" } },
                           .answer = "43",
                           .halt = "confident",
                           .calls = 3,
                           .confidence = (0.3 + 0.15 / 3) / 0.9 });
}

/* A broken cycle keeps the needs that lead out of it. */
static void breaks_cycles_gently(void)
{
    const struct reason_outcome plan = { .text = STR(
                                             "{\"answer\":\"\",\"subquestions\":[{\"id\":\"a\","
                                             "\"question\":\"one\",\"needs\":[\"x\",\"b\"]},"
                                             "{\"id\":\"b\",\"question\":\"two\",\"needs\":[\"a\"]}"
                                             ",{\"id\":\"x\",\"question\":\"three\"}]}") };
    const struct reason_outcome part = { .text = STR("{\"answer\":\"v\"}") };
    struct reason_call calls[REASON_CALLS_AT_ONCE];
    struct world w;

    REQUIRE(world_open(&w, REASON_HRM, &usual, &no_verifier) == OK);
    REQUIRE(reason_ask(w.reason, &plenty, calls) == 1);
    reason_tell(w.reason, 1, &plan);
    REQUIRE(reason_ask(w.reason, &plenty, calls) == 1);
    CHECK_STR(calls[0].label, STR("solve x (try 1)"));
    reason_tell(w.reason, calls[0].id, &part);
    REQUIRE(reason_ask(w.reason, &plenty, calls) == 1);
    CHECK_STR(calls[0].label, STR("solve a (try 1)"));
    world_close(&w);
}

/* A tell counts only for a call that was asked, and only the first. */
static void hears_each_call_once(void)
{
    const struct reason_outcome plan = { .text = STR(SPLIT) }, six = { .text = STR(SIX) };
    const struct reason_outcome seven = { .text = STR(SEVEN) };
    struct reason_budget two = plenty;
    struct reason_call calls[REASON_CALLS_AT_ONCE];
    struct world w;

    REQUIRE(world_open(&w, REASON_HRM, &usual, &no_verifier) == OK);
    reason_tell(w.reason, 1, &six); /* queued, not asked */
    CHECK(!reason_best(w.reason).has_answer);
    REQUIRE(reason_ask(w.reason, &plenty, calls) == 1);
    reason_tell(w.reason, 1, &plan);
    two.calls = 2; /* one of them is kept for the synthesis */
    REQUIRE(reason_ask(w.reason, &two, calls) == 1);
    reason_tell(w.reason, 3, &seven);
    reason_tell(w.reason, 2, &six);
    reason_tell(w.reason, 2, &seven);
    REQUIRE(reason_ask(w.reason, &plenty, calls) == 1);
    CHECK_INT(calls[0].id, 3);
    reason_tell(w.reason, 3, &seven);
    REQUIRE(reason_ask(w.reason, &plenty, calls) == 1);
    CHECK_INT(calls[0].role, ROLE_SYNTHESIS);
    CHECK(str_find(calls[0].messages[3].content, STR("What is six? = 6")) != STR_NPOS);
    world_close(&w);
}

static void keeps_the_budget(void)
{
    static const struct scene s = { .name = "budget",
                                    .lines = { { ROLE_PLAN, OK, SPLIT },
                                               { ROLE_SOLVE, OK, SIX },
                                               { ROLE_SOLVE, OK, SEVEN },
                                               { ROLE_SYNTHESIS, OK, UNSURE },
                                               { ROLE_CHECK, OK, "{\"sound\":true}" },
                                               { ROLE_PROGRAM, OK, PROGRAM } } };
    static const struct {
        int calls;
        const char *answer;
        const char *halt;
        const char *log;
    } rows[] = {
        { 0, NULL, "budget", "" },
        { 1, "40", "budget", "plan;" },
        /* One call is left and nothing solved: it goes to the second opinion, not to a joining of nothing. */
        { 2, "40", "budget", "plan;second opinion;" },
        { 3, "42", "budget", "plan;solve a (try 1);synthesis;" },
        { 4, "42", "budget", "plan;solve a (try 1);solve b (try 1);synthesis;" },
        { 5, "42", "budget", "plan;solve a (try 1);solve b (try 1);synthesis;check;" },
        { 6, "42", "formats agree",
          "plan;solve a (try 1);solve b (try 1);synthesis;check;second opinion;" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct world w;
        struct reason_budget budget = plenty;
        budget.calls = rows[i].calls;
        REQUIRE(world_open(&w, REASON_HRM_TRM, &usual, &no_verifier) == OK);
        world_play(&w, &s, &budget);
        struct reason_best best = reason_best(w.reason);
        CHECK_STR(best.answer, str_from(rows[i].answer));
        CHECK_STR(str_from(best.halt), str_from(rows[i].halt));
        CHECK_STR(buf_str(&w.log), str_from(rows[i].log));
        CHECK_ERR(best.fault, rows[i].answer ? OK : POLICY_BUDGET);
        world_close(&w);
    }
}

static void each_kind_of_budget_stops(void)
{
    struct reason_budget rows[4] = { plenty, plenty, plenty, plenty };

    rows[0].tokens = 0;
    rows[1].cost = 0;
    rows[2].time = 0;
    rows[3].tokens = 40; /* less than the prompt */
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct reason_call calls[REASON_CALLS_AT_ONCE];
        struct world w;
        REQUIRE(world_open(&w, REASON_DIRECT, &usual, &no_verifier) == OK);
        CHECK_INT(reason_ask(w.reason, &rows[i], calls), 0);
        CHECK(reason_done(w.reason));
        CHECK_ERR(reason_best(w.reason).fault, POLICY_BUDGET);
        world_close(&w);
    }
}

static void clips_tokens(void)
{
    struct reason_budget budget = plenty;
    struct reason_call calls[REASON_CALLS_AT_ONCE];
    struct world w;

    budget.tokens = 400;
    REQUIRE(world_open(&w, REASON_DIRECT, &usual, &no_verifier) == OK);
    REQUIRE(reason_ask(w.reason, &budget, calls) == 1);
    CHECK(calls[0].max_tokens >= 16);
    CHECK(calls[0].max_tokens < 400);
    world_close(&w);
}

static void refuses_bad_questions(void)
{
    const struct reason_message blank[] = { { "user", S(" \n") } };
    const struct reason_message only_system[] = { { "system", S("x") } };
    const struct reason_message fine[] = { { "user", S("x") } };
    const struct {
        struct reason_question question;
        enum err want;
    } rows[] = {
        { { .messages = blank, .message_count = 1 }, CALLER_EMPTY_QUESTION },
        { { .messages = only_system, .message_count = 1 }, CALLER_EMPTY_QUESTION },
        { { .messages = NULL, .message_count = 0 }, CALLER_EMPTY_QUESTION },
        { { .messages = fine, .message_count = 1, .verifier = { VERIFY_REGEX, S("(") } },
          CALLER_BAD_REQUEST },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena a;
        struct reason *r = NULL;
        arena_init(&a, 1 << 20);
        CHECK_ERR(reason_open(&r, &a, REASON_DIRECT, &usual, &rows[i].question), rows[i].want);
        CHECK(r == NULL);
        arena_fini(&a);
    }
}

/* Whatever the ceiling of the arena, the machine ends and keeps what it had. */
static void survives_a_full_arena(void)
{
    static const struct scene s = { .name = "memory",
                                    .lines = { { ROLE_PLAN, OK, SPLIT },
                                               { ROLE_SOLVE, OK, SIX },
                                               { ROLE_SOLVE, OK, SEVEN },
                                               { ROLE_SYNTHESIS, OK, UNSURE },
                                               { ROLE_CHECK, OK, "{\"sound\":true}" },
                                               { ROLE_PROGRAM, OK, PROGRAM } } };
    const struct reason_message message = { "user", S("What is six times seven?") };
    const struct reason_question question = { .messages = &message, .message_count = 1 };
    bool is_whole = false;

    for (size_t max = 1000; max < 400000 && !is_whole; max += 500) {
        struct world w = { 0 };
        arena_init(&w.arena, max);
        enum err e = reason_open(&w.reason, &w.arena, REASON_HRM_TRM, &usual, &question);
        CHECK(e == OK || e == WEIR_NO_MEMORY);
        if (e == OK) {
            world_play(&w, &s, &plenty);
            best_is_valid(w.reason);
            is_whole = !arena_failed(&w.arena);
            if (!is_whole)
                CHECK_STR(str_from(reason_best(w.reason).halt), STR("memory"));
        }
        world_close(&w);
    }
    CHECK(is_whole);
}

TESTS(TEST(plays_scenes), TEST(reports_confidence_by_stage), TEST(asks_leaves_at_once),
      TEST(obeys_its_configuration), TEST(breaks_cycles_gently), TEST(hears_each_call_once),
      TEST(keeps_the_budget), TEST(each_kind_of_budget_stops), TEST(clips_tokens),
      TEST(refuses_bad_questions), TEST(survives_a_full_arena))
