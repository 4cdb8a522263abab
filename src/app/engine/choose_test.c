/* SPDX-License-Identifier: Apache-2.0 */
/* choose_test: what weir/auto takes, as a function of the configuration and of what is known of a question. */
#include <math.h>

#include "app/engine/trained_test.h"

struct chosen {
    bool is_decided;
    struct route route;
    struct decision decision;
};

static struct chosen choose(struct arena *arena, const struct config *config,
                            const struct route_known *known)
{
    struct chosen c;

    memset(&c, 0, sizeof(c));
    c.is_decided = route_choose(config, known, arena, &c.route, &c.decision);
    return c;
}

static bool has_reason(const struct decision *d, const char *part)
{
    for (size_t i = 0; i < d->reason_count; i++)
        if (str_find(d->reasons[i], str_from(part)) != STR_NPOS)
            return true;
    return false;
}

static void without_a_scorer_the_configured_strategy_runs(void)
{
    struct config config = world_config("none");
    struct arena arena;

    arena_init(&arena, 1 << 20);
    struct chosen c = choose(&arena, &config, &(struct route_known){ .seed_score = 100 });
    CHECK(c.is_decided && c.route.strategy == REASON_HRM_TRM && c.route.profile == &config);
    CHECK_STR(c.route.model, STR("weak"));
    CHECK_STR(c.decision.scorer, STR("none"));
    CHECK_NEAR(c.decision.propensity, 1, 0);
    CHECK(c.decision.score < 0 && c.decision.arm_count == 1 && !c.decision.is_explored);
    CHECK_STR(c.decision.arms[0].strategy, STR("hrm_trm"));
    config.use_mcts = true; /* the seed's switch turns hrm_trm into the whole */
    c = choose(&arena, &config, &(struct route_known){ .seed_score = 0 });
    CHECK_INT(c.route.strategy, REASON_FULL_STACK);
    config.strategy = STR("cascade");
    c = choose(&arena, &config, &(struct route_known){ .seed_score = 0 });
    CHECK_INT(c.route.strategy, REASON_CASCADE);
    config.route.scorer = STR("unheard");
    CHECK(!choose(&arena, &config, &(struct route_known){ .seed_score = 0 }).is_decided);
    arena_fini(&arena);
}

/* At every threshold of whole hundredths, as a configuration reads it, the very score reaches it and one less does not. */
static void thresholds_are_met_exactly(void)
{
    struct config config = world_config("seed_v1"), fallback = world_config("none");
    struct arena arena;

    arena_init(&arena, 1 << 20);
    fallback.model = STR("big");
    fallback.strategy = STR("full_stack");
    config.route.fallback = &fallback;
    for (int h = 0; h <= 100; h++) {
        char text[16];
        snprintf(text, sizeof(text), "%d.%02d", h / 100, h % 100);
        REQUIRE(str_to_double(str_from(text), &config.route.threshold));
        struct route_known known = { .seed_score = h, .words_score = -1 };
        struct chosen c = choose(&arena, &config, &known);
        CHECK(c.is_decided && c.route.profile == &fallback);
        CHECK_INT(c.route.strategy, REASON_FULL_STACK);
        CHECK_STR(c.route.model, STR("big"));
        CHECK_NEAR(c.decision.score, h / 100.0, 0);
        known.seed_score = h - 1;
        c = choose(&arena, &config, &known);
        CHECK(c.is_decided == (h > 0) && c.route.profile != &fallback);
    }
    CHECK(!arena_failed(&arena));
    arena_fini(&arena);
}

static void rules_say_what_they_found(void)
{
    struct config config = world_config("seed_v1");
    str question = STR("First plan, then act: it must hold. Maybe?");
    struct route_known known = { .question = question,
                                 .domain = STR("stem"),
                                 .seed_score = route_score_seed(question, STR("stem")).total,
                                 .words_score = -1 };
    struct arena arena;

    arena_init(&arena, 1 << 20);
    struct chosen c = choose(&arena, &config, &known);
    CHECK(has_reason(&c.decision, "below the threshold 0.8: the configured strategy"));
    CHECK(has_reason(&c.decision, "several steps +0.25"));
    CHECK(has_reason(&c.decision, "constraints +0.05"));
    CHECK(has_reason(&c.decision, "ambiguity +0.15"));
    CHECK(has_reason(&c.decision, "several questions +0.10"));
    CHECK(!has_reason(&c.decision, "optimisation"));
    config.route.threshold = 0.5;
    c = choose(&arena, &config, &known);
    CHECK(has_reason(&c.decision, "since there is no fallback"));
    CHECK(c.route.profile == &config);
    config.route.scorer = STR("words_v1");
    CHECK(!choose(&arena, &config, &known).is_decided); /* its score is not known */
    known.words_score = 10;
    CHECK_NEAR(choose(&arena, &config, &known).decision.score, 0.1, 0);
    /* Without the question its score decides all the same. */
    config.route.scorer = STR("seed_v1");
    known.question = STR("");
    c = choose(&arena, &config, &known);
    CHECK_NEAR(c.decision.score, 0.55, 0);
    CHECK_INT(c.decision.reason_count, 1);
    arena_fini(&arena);
}

/* ---- the trained model ---- */

static struct chosen choose_learned(struct arena *arena, const struct config *config, str question,
                                    uint64_t seed)
{
    static struct route_features features;
    const struct route_known known = { .question = question,
                                       .domain = STR("stem"),
                                       .features = &features,
                                       .seed_score = -1,
                                       .words_score = -1,
                                       .seed = seed };

    route_features_read(&features, question, &(struct route_context){ .turns = 1 });
    return choose(arena, config, &known);
}

static const struct decision_arm *arm_named(const struct decision *d, str strategy, str model)
{
    for (size_t i = 0; i < d->arm_count; i++)
        if (str_eq(d->arms[i].strategy, strategy) && str_eq(d->arms[i].model, model))
            return &d->arms[i];
    return NULL;
}

static void the_trained_model_weighs_arms(void)
{
    str hard = STR("What is 4711 * 815 + 17?"),
        easy = STR("Name a river near the town of letter q");
    struct config config = world_config("learned_v1");
    struct arena arena;

    arena_init(&arena, (size_t)256 << 20);
    config.route.model = world_trained(&arena);
    config.route.value =
        50000; /* what the strong model costs more is worth .38 of a right answer, the cascade .14 */
    REQUIRE(config.route.model);
    struct chosen c = choose_learned(&arena, &config, hard, 1);
    REQUIRE(c.is_decided);
    /* The configured arm, and of the trained ones those that can be run here. */
    CHECK_INT(c.decision.arm_count, 4);
    CHECK(arm_named(&c.decision, STR("hrm_trm"), STR("weak")));
    CHECK(!arm_named(&c.decision, STR("cascade"), STR("gone")));
    CHECK(!arm_named(&c.decision, STR("magic"), STR("weak")));
    CHECK_STR(c.decision.scorer, STR("learned_v1"));
    CHECK(c.decision.score > 0.5 && c.route.profile == &config);
    CHECK(c.route.strategy != REASON_DIRECT || str_eq(c.route.model, STR("strong")));
    CHECK_NEAR(c.decision.propensity, 1, 0);
    CHECK(c.decision.quality > 0.5 && c.decision.cost > 1000 && !c.decision.is_explored);
    CHECK(c.decision.reason_count > 1 && c.decision.reasons[0].len > 0);

    c = choose_learned(&arena, &config, easy, 1);
    CHECK(c.decision.score < 0.5);
    CHECK(c.route.strategy == REASON_DIRECT && str_eq(c.route.model, STR("weak")));
    CHECK_NEAR((double)c.decision.cost, 1000, 1);

    config.budget.cost_max = 2000; /* what costs more is not taken, however good */
    c = choose_learned(&arena, &config, hard, 1);
    CHECK(c.route.strategy == REASON_DIRECT && str_eq(c.route.model, STR("weak")));
    config.budget.cost_max = 1000000;
    config.route.value = 0; /* a right answer is worth nothing: the cheapest */
    c = choose_learned(&arena, &config, hard, 1);
    CHECK(c.route.strategy == REASON_DIRECT && str_eq(c.route.model, STR("weak")));
    CHECK(!choose(&arena, &config, &(struct route_known){ .seed_score = 100 }).is_decided);
    arena_fini(&arena);
}

/* How often an arm is taken is what is recorded as its propensity. */
static void exploration_is_as_recorded(void)
{
    enum { ROUNDS = 4000 };
    struct config config = world_config("learned_v1");
    struct arena arena;
    double expected[ROUTE_CANDIDATES_MAX] = { 0 };
    int taken[ROUTE_CANDIDATES_MAX] = { 0 }, explored = 0;
    size_t count = 0;

    arena_init(&arena, (size_t)256 << 20);
    config.route.model = world_trained(&arena);
    config.route.epsilon = 0.4;
    REQUIRE(config.route.model);
    for (uint64_t seed = 0; seed < ROUNDS; seed++) {
        struct arena scratch;
        arena_init(&scratch, 1 << 20);
        struct chosen c = choose_learned(&scratch, &config, STR("What is 12 * 34 + 17?"), seed);
        double sum = 0;
        count = c.decision.arm_count;
        for (size_t i = 0; i < count; i++) {
            const struct decision_arm *arm = &c.decision.arms[i];
            str strategy = str_from(reason_strategy_name(c.route.strategy));
            sum += arm->propensity;
            expected[i] += arm->propensity;
            if (!str_eq(arm->strategy, strategy) || !str_eq(arm->model, c.route.model))
                continue;
            taken[i]++;
            CHECK_NEAR(c.decision.propensity, arm->propensity, 0);
        }
        CHECK_NEAR(sum, 1, 1e-9);
        CHECK_NEAR(c.decision.epsilon, 0.4, 0);
        explored += c.decision.is_explored;
        if (seed == 7) { /* the same query is decided the same */
            struct chosen again =
                choose_learned(&scratch, &config, STR("What is 12 * 34 + 17?"), 7);
            CHECK(again.route.strategy == c.route.strategy &&
                  again.decision.is_explored == c.decision.is_explored);
        }
        arena_fini(&scratch);
    }
    CHECK_NEAR(explored / (double)ROUNDS, 0.4, 0.04);
    for (size_t i = 0; i < count; i++)
        CHECK_NEAR(taken[i] / (double)ROUNDS, expected[i] / ROUNDS, 0.04);
    arena_fini(&arena);
}

TESTS(TEST(without_a_scorer_the_configured_strategy_runs), TEST(thresholds_are_met_exactly),
      TEST(rules_say_what_they_found), TEST(the_trained_model_weighs_arms),
      TEST(exploration_is_as_recorded))
