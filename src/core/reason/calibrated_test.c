/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of confidence: how signals combine, and thresholds under a calibration: what a raw value is worth decides, and
 * only where labels allow it. */
#include "core/calibration/confidence_table.h"
#include "core/reason/reason_world.h"

#define LABELS 400 /* for each raw value */

/* What raw confidences are worth for (stem, mini, *): .99 is right 98 times in 100, .9 six in 10, .6 three in 10. */
static const struct {
    double raw;
    int right_of_100;
} worth[] = { { 0.99, 98 }, { 0.9, 60 }, { 0.6, 30 } };

static const struct confidence_table *table_make(struct arena *arena, const char *strategy)
{
    size_t n = 0;
    struct confidence_row *rows =
        ARENA_ARRAY(arena, ARRAY_LEN(worth) * LABELS, struct confidence_row);
    const struct confidence_table *table = NULL;

    for (size_t i = 0; rows && i < ARRAY_LEN(worth); i++) {
        for (int k = 0; k < LABELS; k++)
            rows[n++] = (struct confidence_row){
                .key = { STR("stem"), STR("mini"), str_from(strategy) },
                .raw = worth[i].raw,
                .is_right = k % 100 < worth[i].right_of_100,
            };
    }
    if (!rows || confidence_table_make(arena, rows, n, 7, &table) != OK)
        return NULL;
    return table;
}

struct calibrated {
    struct arena tables;
    struct world world;
};

static bool calibrated_open(struct calibrated *c, enum reason_strategy strategy, str domain)
{
    const struct reason_message message = { "user", STR("What is six times seven?") };
    const struct reason_question question = { .messages = &message,
                                              .message_count = 1,
                                              .domain = domain };
    struct reason_config config = usual;

    *c = (struct calibrated){ .world = { .calls = 0 } };
    arena_init(&c->tables, (size_t)64 << 20);
    arena_init(&c->world.arena, (size_t)8 << 20);
    config.model = STR("mini");
    config.confidences = table_make(&c->tables, reason_strategy_name(strategy));
    return config.confidences &&
           reason_open(&c->world.reason, &c->world.arena, strategy, &config, &question) == OK;
}

static void calibrated_close(struct calibrated *c)
{
    world_close(&c->world);
    arena_fini(&c->tables);
}

#define SAYS(answer, confidence) "{\"answer\":\"" answer "\",\"confidence\":" #confidence "}"

/* clang-format off */
static const struct {
    const char *name;
    enum reason_strategy strategy;
    str domain;
    struct line lines[LINES_MAX];
    const char *answer;
    const char *halt;
    double raw;
    double calibrated; /* within .02; negative: it is not */
} plays[] = {
    { "a raw .9 that is worth .6 does not stop trm", REASON_TRM, S("stem"),
      { { ROLE_DIRECT, OK, SAYS("42", 0.9) }, { ROLE_PROGRAM, PROVIDER_CUT, NULL } },
      "42", "no outside feedback", 0.9, 0.6 },
    { "a raw .99 that is worth .98 does", REASON_TRM, S("stem"),
      { { ROLE_DIRECT, OK, SAYS("42", 0.99) } },
      "42", "confident", 0.99, 0.98 },
    { "of another domain nothing is known", REASON_TRM, S("law"),
      { { ROLE_DIRECT, OK, SAYS("42", 0.99) }, { ROLE_PROGRAM, PROVIDER_CUT, NULL } },
      "42", "no outside feedback", 0.99, -1 },
    { "hrm's threshold, too", REASON_HRM, S("stem"),
      { { ROLE_PLAN, OK, SAYS("42", 0.9) } },
      "42", "no sub-questions", 0.9, 0.6 },
    { "and it is met", REASON_HRM, S("stem"),
      { { ROLE_PLAN, OK, SAYS("42", 0.99) } },
      "42", "confident", 0.99, 0.98 },
    /* Raw confidences rise by more than min_improvement_delta from .089 to .122, but both are worth the same. */
    { "a rewrite that is worth no more is not taken", REASON_TRM, S("stem"),
      { { ROLE_DIRECT, OK, SAYS("41", 0.1) }, { ROLE_PROGRAM, OK, "{\"answer\":\"7\"}" }, { ROLE_REFINE, OK, SAYS("43", 0.2) } },
      "41", "converged", (0.3 * 0.1 + 0.15 / 3) / 0.9, 0.3 },
    { "full_stack goes on below the calibrated threshold", REASON_FULL_STACK, S("stem"),
      { { ROLE_PLAN, OK, SAYS("42", 0.9) }, { ROLE_PROGRAM, PROVIDER_AUTH, NULL },
        { ROLE_DIRECT, OK, SAYS("42", 0.9) }, { ROLE_PROGRAM, OK, SAYS("42", 0.9) }, { ROLE_DIRECT, OK, SAYS("42", 0.9) }, { ROLE_PROGRAM, OK, SAYS("42", 0.9) } },
      "42", "vote settled", (0.3 * 0.9 + 0.4 + 0.15) / 0.85, 0.88 },
    { "full_stack stops above it", REASON_FULL_STACK, S("stem"),
      { { ROLE_PLAN, OK, SAYS("42", 0.99) } },
      "42", "confident", 0.99, 0.98 },
    { "a search ends when its answer is met", REASON_MCTS, S("stem"),
      { { ROLE_STEP, OK, "{\"proposals\":[{\"answer\":\"42\",\"value\":0.99},{\"step\":\"on\",\"value\":0.5}]}" } },
      "42", "confident", 0.99, 0.98 },
    { "a search goes on when it is not", REASON_MCTS, S("stem"),
      { { ROLE_STEP, OK, "{\"proposals\":[{\"answer\":\"42\",\"value\":0.9},{\"step\":\"on\",\"value\":0.5}]}" },
        { ROLE_STEP, PROVIDER_AUTH, NULL }, { ROLE_STEP, PROVIDER_AUTH, NULL } },
      "42", "search failed", 0.9, 0.6 },
};
/* clang-format on */

static void thresholds_act_on_calibrated_values(void)
{
    for (size_t i = 0; i < ARRAY_LEN(plays); i++) {
        struct calibrated c;
        struct scene s = { .name = plays[i].name };
        int failures = check_failures;
        memcpy(s.lines, plays[i].lines, sizeof(s.lines));
        REQUIRE(calibrated_open(&c, plays[i].strategy, plays[i].domain));
        world_play(&c.world, &s, &plenty);
        struct reason_best best = reason_best(c.world.reason);
        CHECK_STR(best.answer, str_from(plays[i].answer));
        CHECK_STR(str_from(best.halt), str_from(plays[i].halt));
        CHECK_NEAR(best.raw_confidence, plays[i].raw, 1e-9);
        CHECK_INT(best.is_calibrated, plays[i].calibrated >= 0);
        if (plays[i].calibrated >= 0)
            CHECK_NEAR(best.confidence, plays[i].calibrated, 0.02);
        if (check_failures > failures)
            fprintf(stderr, "in scene \"%s\"\n", plays[i].name);
        calibrated_close(&c);
    }
}

static void stages_are_calibrated_too(void)
{
    static const struct scene s = { .name = "stages",
                                    .lines = { { ROLE_PLAN, OK, SAYS("42", 0.9) },
                                               { ROLE_PROGRAM, PROVIDER_CUT, NULL } } };
    struct calibrated c;

    REQUIRE(calibrated_open(&c, REASON_HRM_TRM, STR("stem")));
    struct reason_best before = reason_best(c.world.reason);
    CHECK(before.confidence < 0);
    CHECK(before.raw_confidence < 0);
    CHECK(!before.is_calibrated);
    world_play(&c.world, &s, &plenty);
    struct reason_best best = reason_best(c.world.reason);
    CHECK_NEAR(best.hrm_confidence, 0.6, 0.02);
    CHECK_NEAR(best.trm_confidence, 0.6, 0.02);
    CHECK_NEAR(best.raw_confidence, 0.9, 1e-9);
    calibrated_close(&c);
}

/* Without a table the raw value acts, and says what it is. */
static void raw_values_act_without_a_table(void)
{
    static const struct scene s = { .name = "raw", .lines = { { ROLE_DIRECT, OK, SURE } } };
    struct world w;

    REQUIRE(world_open(&w, REASON_TRM, &usual, &no_verifier) == OK);
    world_play(&w, &s, &plenty);
    struct reason_best best = reason_best(w.reason);
    CHECK_STR(str_from(best.halt), STR("confident"));
    CHECK(best.confidence == best.raw_confidence);
    CHECK_NEAR(best.raw_confidence, 0.9, 1e-12);
    CHECK(!best.is_calibrated);
    world_close(&w);
}

/* A search without a table does not end at the first proud proposal. */
static void raw_values_do_not_end_a_search(void)
{
    struct reason_call calls[REASON_CALLS_AT_ONCE];
    struct world w;

    REQUIRE(world_open(&w, REASON_MCTS, &usual, &no_verifier) == OK);
    REQUIRE(reason_ask(w.reason, &plenty, calls) == 1);
    reason_tell(
        w.reason, 1,
        &(struct reason_outcome){ .text = STR("{\"proposals\":[{\"answer\":\"42\",\"value\":0.99},"
                                              "{\"step\":\"on\",\"value\":0.5}]}") });
    CHECK(reason_ask(w.reason, &plenty, calls) > 0);
    world_close(&w);
}

/* What was refused is not met, whatever its confidence is worth. */
static void a_refused_answer_never_ends_a_search(void)
{
    struct reason_call calls[REASON_CALLS_AT_ONCE];
    struct calibrated c;

    REQUIRE(calibrated_open(&c, REASON_MCTS, STR("stem")));
    c.world.reason->config.trm.confidence_threshold = 0.05;
    c.world.reason->verifier = (struct verifier){ VERIFY_EXACT, STR("41") };
    REQUIRE(reason_ask(c.world.reason, &plenty, calls) == 1);
    reason_tell(
        c.world.reason, 1,
        &(struct reason_outcome){ .text = STR("{\"proposals\":[{\"answer\":\"42\",\"value\":0.99},"
                                              "{\"step\":\"on\",\"value\":0.5}]}") });
    CHECK(reason_best(c.world.reason).is_calibrated);
    CHECK(reason_best(c.world.reason).confidence > 0.05);
    CHECK(reason_ask(c.world.reason, &plenty, calls) > 0);
    calibrated_close(&c);
}

static void combines_signals(void)
{
    const struct signals none = { -1, -1, -1, -1, -1, -1, -1 };
    struct signals s = none;

    CHECK(confidence_combine(&s, -1) < 0);
    s.stated = 0.7;
    CHECK_NEAR(confidence_combine(&s, -1), 0.7, 1e-12);
    s.agreement = 1.0;
    CHECK_NEAR(confidence_combine(&s, -1), (0.3 * 0.7 + 0.4) / 0.7, 1e-12);
    s.agreement = 0.0;
    CHECK_NEAR(confidence_combine(&s, -1), 0.3, 1e-12);
    s.verifier = 1.0;
    CHECK_NEAR(confidence_combine(&s, -1), 0.93, 1e-12);
    s.verifier = 0.0;
    CHECK_NEAR(confidence_combine(&s, -1), 0.03, 1e-12);
    s = none;
    s.verifier = 1.0;
    CHECK_NEAR(confidence_combine(&s, -1), 0.9, 1e-12);
    s.verifier = 0.0;
    CHECK_NEAR(confidence_combine(&s, -1), 0.1, 1e-12);
    s = none;
    CHECK_NEAR(confidence_combine(&s, 0.5), 0.5, 1e-12);
}

TESTS(TEST(combines_signals), TEST(thresholds_act_on_calibrated_values),
      TEST(stages_are_calibrated_too), TEST(raw_values_act_without_a_table),
      TEST(raw_values_do_not_end_a_search), TEST(a_refused_answer_never_ends_a_search))
