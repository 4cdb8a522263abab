/* SPDX-License-Identifier: Apache-2.0 */
/* replay_test: logs whose truth is known, replayed under other configurations. */
#include "app/engine/replay.h"

#include "app/engine/trained_test.h"
#include "base/rng.h"

/* A configuration of one arm, or with a fallback of two. */
static struct config a_config(const char *scorer, const char *strategy)
{
    return (struct config){ .model = STR("m"),
                            .strategy = str_from(strategy),
                            .route = { .scorer = str_from(scorer), .threshold = 0.5 } };
}

/* One logged query and all that it points to. */
struct logged {
    struct ledger_route route;
    struct ledger_label labels[LABEL_SOURCE_COUNT];
    struct ledger_sample sample;
};

struct given {
    const char *scorer, *strategy;
    int seed_score;
    double propensity, epsilon;
    nano_usd cost;
    double label; /* of feedback; negative: none */
};

static const struct ledger_sample *log_query(struct logged *l, int64_t id, const struct given *g)
{
    l->route = (struct ledger_route){ .query = id,
                                      .scorer = str_from(g->scorer),
                                      .score = -1,
                                      .seed_score = g->seed_score,
                                      .words_score = -1,
                                      .propensity = g->propensity,
                                      .epsilon = g->epsilon };
    l->labels[0] = (struct ledger_label){ .source = LABEL_FEEDBACK, .value = g->label };
    l->sample = (struct ledger_sample){ .id = id,
                                        .domain = STR("stem"),
                                        .strategy = str_from(g->strategy),
                                        .model = STR("m"),
                                        .route = &l->route,
                                        .cost = g->cost,
                                        .labels = l->labels,
                                        .label_count = g->label < 0 ? 0 : 1 };
    return &l->sample;
}

/* Both passes. */
static void run(struct replay *r, const struct config *with, const struct given *given, size_t n)
{
    struct logged l;

    replay_init(r, with);
    for (size_t i = 0; i < n; i++)
        replay_learn(r, log_query(&l, (int64_t)i, &given[i]));
    for (size_t i = 0; i < n; i++)
        replay_decide(r, log_query(&l, (int64_t)i, &given[i]));
}

static const struct replay_arm *arm_named(const struct replay *r, const char *strategy)
{
    static const struct replay_arm none = { .before = -1 };

    for (size_t i = 0; i < r->arm_count; i++)
        if (str_eq(r->arms[i].strategy, str_from(strategy)))
            return &r->arms[i];
    return &none;
}

static void the_same_policy_changes_nothing(void)
{
    static const struct given given[] = {
        { "none", "hrm", 10, 1, 0, 100, 1 },   { "none", "hrm", 90, 1, 0, 300, 0 },
        { "none", "hrm", 90, 1, 0, 200, -1 },  { "none", "hrm", 0, 1, 0, 200, 1 },
        { "named", "direct", 0, -1, 0, 7, 1 },
    };
    struct config with = a_config("none", "hrm");
    struct counterfactual c;
    struct replay r;

    run(&r, &with, given, ARRAY_LEN(given));
    CHECK(r.queries == 5 && r.named == 1 && r.decided == 4 && r.undecided == 0 && r.changed == 0);
    CHECK_NEAR(r.cost_before, 800, 1e-9);
    CHECK_NEAR(r.cost_after, 800, 1e-9);
    CHECK_INT(r.cost_unknown, 0);
    CHECK(r.labelled == 3 && r.without_propensity == 0 && r.unsupported == 0 && r.row_count == 3);
    REQUIRE(replay_success(&r, &c));
    CHECK_NEAR(c.ips.estimate, 2.0 / 3, 1e-12);
    CHECK_NEAR(c.self_normalised.estimate, 2.0 / 3, 1e-12);
    CHECK_NEAR(c.effective_n, 3, 1e-12);
    CHECK_INT(arm_named(&r, "hrm")->before, 4);
    CHECK_NEAR(arm_named(&r, "hrm")->after, 4, 1e-12);
    replay_fini(&r);
}

/* Rules are decided again from the scores in the log; where that log never explored, nothing is said about success. */
static void another_threshold_moves_queries(void)
{
    static const struct given given[] = {
        { "seed_v1", "hrm", 10, 1, 0, 100, 1 },
        { "seed_v1", "hrm", 40, 1, 0, 300, 1 },
        { "seed_v1", "full_stack", 80, 1, 0, 900, 0 },
        { "seed_v1", "full_stack", 90, 1, 0, 1100, 1 },
        { "none", "hrm", 60, 1, 0, 200, 1 },
        { "seed_v1", "hrm", -1, 1, 0, 200, 1 },
    };
    struct config fallback = a_config("none", "full_stack"), with = a_config("seed_v1", "hrm");
    struct counterfactual c;
    struct replay r;

    with.route.fallback = &fallback;
    with.route.threshold = 0.4;
    run(&r, &with, given, ARRAY_LEN(given));
    CHECK(r.decided == 5 && r.undecided == 1 && r.changed == 2);
    CHECK(arm_named(&r, "hrm")->before == 3 && arm_named(&r, "full_stack")->before == 2);
    CHECK_NEAR(arm_named(&r, "hrm")->after, 1, 1e-12);
    CHECK_NEAR(arm_named(&r, "full_stack")->after, 4, 1e-12);
    CHECK_NEAR(r.cost_before, 3 * 200 + 2 * 1000,
               1e-9); /* means of all that is logged: 800 / 4 and 2000 / 2 */
    CHECK_NEAR(r.cost_after, 200 + 4 * 1000, 1e-9);
    CHECK(r.labelled == 5 && r.unsupported == 2 && r.row_count == 3);
    REQUIRE(replay_success(&r, &c));
    CHECK_NEAR(c.ips.estimate, 2.0 / 3, 1e-12);
    replay_fini(&r);

    with.route.threshold = 1;
    run(&r, &with, given, ARRAY_LEN(given));
    CHECK(r.changed == 2 && r.unsupported == 2);
    CHECK_NEAR(arm_named(&r, "full_stack")->after, 0, 0);
    CHECK_NEAR(r.cost_after, 5 * 200, 1e-9);
    replay_fini(&r);
}

static void unknown_costs_are_left_out_of_both_sums(void)
{
    static const struct given given[] = {
        { "none", "hrm", 0, 1, 0, COST_UNPRICED, -1 },
        { "none", "direct", 0, 1, 0, 50, -1 },
        { "none", "direct", 0, 1, 0, COST_UNPRICED, -1 }, /* at its arm's mean */
    };
    struct config with = a_config("none", "direct");
    struct replay r;

    run(&r, &with, given, ARRAY_LEN(given));
    CHECK(r.decided == 3 && r.changed == 1 && r.cost_unknown == 1);
    CHECK_NEAR(r.cost_before, 100, 1e-9);
    CHECK_NEAR(r.cost_after, 100, 1e-9);
    replay_fini(&r);
    with = a_config("none", "trm"); /* never logged: nobody knows */
    run(&r, &with, given, ARRAY_LEN(given));
    CHECK(r.cost_unknown == 3 && r.cost_before <= 0);
    CHECK_NEAR(arm_named(&r, "trm")->after, 3, 1e-12);
    CHECK(replay_arm_cost(arm_named(&r, "trm")) < 0);
    CHECK(r.labelled == 0 && !replay_success(&r, &(struct counterfactual){ 0 }));
    replay_fini(&r);
}

/* Two arms by lot; the truth is .6 and .9, and dearer questions are harder. Another policy's success is found within its interval. */
static void exploration_supports_estimates(void)
{
    struct config with = a_config("none", "cascade");
    struct counterfactual c;
    struct rng rng;
    int covered[3] = { 0 };
    enum { RUNS = 40, QUERIES = 2000 };

    rng_init(&rng, 11);
    for (int round = 0; round < RUNS; round++) {
        static struct given given[QUERIES];
        struct replay r;
        for (size_t i = 0; i < QUERIES; i++) {
            bool is_hard = rng_unit(&rng) < 0.5;
            double p_cascade = is_hard ? 0.3 : 0.1; /* what is hard is sent there more often */
            bool is_cascade = rng_unit(&rng) < p_cascade;
            double truth = (is_cascade ? 0.9 : 0.6) + (is_hard ? -0.1 : 0.1);
            given[i] = (struct given){ "learned_v1",
                                       is_cascade ? "cascade" : "direct",
                                       0,
                                       is_cascade ? p_cascade : 1 - p_cascade,
                                       0.2,
                                       is_cascade ? 1000 : 10,
                                       rng_unit(&rng) < truth ? 1 : 0 };
        }
        run(&r, &with, given, QUERIES);
        CHECK(r.unsupported == 0 && r.row_count == QUERIES);
        CHECK_NEAR(r.cost_after, 1000.0 * QUERIES, 1e-3);
        REQUIRE(replay_success(&r, &c));
        covered[0] += c.ips.lower <= 0.9 && 0.9 <= c.ips.upper;
        covered[1] += c.self_normalised.lower <= 0.9 && 0.9 <= c.self_normalised.upper;
        covered[2] += c.doubly_robust.lower <= 0.9 && 0.9 <= c.doubly_robust.upper;
        CHECK(c.doubly_robust.upper - c.doubly_robust.lower < c.ips.upper - c.ips.lower);
        CHECK(c.effective_n > 100 && c.effective_n < QUERIES / 2);
        replay_fini(&r);
    }
    for (int i = 0; i < 3; i++)
        CHECK(covered[i] >= RUNS * 85 / 100); /* of 95 %, and P(fewer | 95 %) < .001 */
}

/* An arm that was never taken where there was exploration is beyond the log. */
static void arms_outside_the_exploration_are_unsupported(void)
{
    static const struct given given[] = {
        { "learned_v1", "direct", 0, 0.9, 0.1, 10, 1 },
        { "learned_v1", "hrm", 0, 0.1, 0.1, 10, 1 },
        { "none", "trm", 0, 1, 0, 10, 1 },
        { "none", "trm", 0, -1, 0, 10, 1 },
    };
    struct config with = a_config("none", "trm");
    struct replay r;

    run(&r, &with, given, ARRAY_LEN(given));
    CHECK(r.labelled == 4 && r.without_propensity == 1 && r.unsupported == 2 && r.row_count == 1);
    replay_fini(&r);
    with = a_config("none", "hrm");
    run(&r, &with, given, ARRAY_LEN(given));
    CHECK(r.unsupported == 1 && r.row_count == 2); /* the deterministic one */
    replay_fini(&r);
}

/* The surest word counts: what is noisy only where nothing else is. */
static void the_surest_label_counts(void)
{
    static const struct {
        struct ledger_label labels[3];
        size_t count;
        double want;
    } cases[] = {
        { { { .source = LABEL_AUDIT, .value = 1, .is_noisy = true },
            { .source = LABEL_FEEDBACK, .value = 0 } },
          2,
          0 },
        { { { .source = LABEL_AUDIT, .value = 0, .is_noisy = true },
            { .source = LABEL_VERIFIER, .value = 1 } },
          2,
          1 },
        { { { .source = LABEL_VERIFIER, .value = 1, .is_noisy = true },
            { .source = LABEL_AUDIT, .value = 0, .is_noisy = true } },
          2,
          1 },
        { { { .source = LABEL_VERIFIER, .value = 0 }, { .source = LABEL_FEEDBACK, .value = 1 } },
          2,
          1 },
        { { { .source = LABEL_FEEDBACK, .value = 1, .is_noisy = true },
            { .source = LABEL_AUDIT, .value = 0 } },
          2,
          0 },
        { { { .source = LABEL_AUDIT, .value = 0.25, .is_noisy = true } }, 1, 0.25 },
    };
    struct config with = a_config("none", "hrm");

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        static const struct given given = { "none", "hrm", 0, 1, 0, 1, 1 };
        struct logged l;
        struct replay r;
        replay_init(&r, &with);
        log_query(&l, 1, &given);
        l.sample.labels = cases[i].labels;
        l.sample.label_count = cases[i].count;
        replay_learn(&r, &l.sample);
        replay_decide(&r, &l.sample);
        CHECK_NEAR(r.reward_sum, cases[i].want, 0);
        CHECK_INT(r.labelled, 1);
        replay_fini(&r);
    }
}

/* Both passes over queries of one question, answered by the weak model. */
static void run_weak(struct replay *r, const struct given *given, size_t n)
{
    struct route_features features;
    struct logged l;

    route_features_read(&features, STR("What is 47 * 11?"), &(struct route_context){ .turns = 1 });
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < n; i++) {
            log_query(&l, (int64_t)i, &given[i]);
            l.sample.features = &features;
            l.sample.model = STR("weak");
            if (pass == 0)
                replay_learn(r, &l.sample);
            else
                replay_decide(r, &l.sample);
        }
    }
}

/* A policy that decides by lot takes each arm in part. */
static void policies_by_lot_are_expected_values(void)
{
    struct config with = world_config("learned_v1");
    struct arena arena;
    struct replay r;
    static const struct given given[] = {
        { "learned_v1", "direct", 0, 0.5, 0.5, 1000, 0 },
        { "learned_v1", "cascade", 0, 0.25, 0.5, 9000, 1 },
        { "learned_v1", "hrm_trm", 0, 0.25, 0.5, 3000, 1 },
    };

    arena_init(&arena, (size_t)256 << 20);
    with.route.model = world_trained(&arena);
    with.route.epsilon = 0.4;
    replay_init(&r, &with);
    run_weak(&r, given, ARRAY_LEN(given));
    CHECK(r.decided == 3 && r.undecided == 0);
    double after = 0, of_log = 0, cost = 0;
    for (size_t i = 0; i < r.arm_count; i++) {
        after += r.arms[i].after;
        if (r.arms[i].before > 0)
            of_log += r.arms[i].after;
        if (r.arms[i].before > 0)
            cost += r.arms[i].after * replay_arm_cost(&r.arms[i]);
    }
    CHECK_NEAR(after, 3, 1e-9);
    CHECK(of_log > 0 && of_log < 3); /* the strong model, asked directly, is in nobody's log */
    CHECK_NEAR(r.cost_after, cost + (after - of_log) * 20000,
               1); /* at what the model was trained on */
    CHECK_INT(r.unsupported, 3);
    replay_fini(&r);

    /* Where every arm of the policy was explored, each row holds its share and the policy's value. */
    with.models = (const struct config_model[]){ { .name = STR("weak") } };
    with.model_count = 1;
    replay_init(&r, &with);
    run_weak(&r, given, ARRAY_LEN(given));
    REQUIRE(r.row_count == 3);
    for (size_t i = 0; i < r.row_count; i++) {
        double share = 0, value = 0, overall = 2.0 / 3;
        static const char *const arms[] = { "direct", "cascade", "hrm_trm" };
        for (size_t n = 0; n < ARRAY_LEN(arms); n++) {
            double p = arm_named(&r, arms[n])->after / 3; /* the question is the same each time */
            double success = (given[n].label + 2 * overall) / 3;
            value += p * success;
            if (n == i)
                share = p;
        }
        CHECK_NEAR(r.rows[i].target, share, 1e-9);
        CHECK_NEAR(r.rows[i].value_target, value, 1e-9);
        CHECK_NEAR(r.rows[i].value_logged, (given[i].label + 2 * overall) / 3, 1e-9);
    }
    replay_fini(&r);

    /* What the policy never takes need not have been explored: of hrm_trm's cost nothing is known, so no cap admits it. */
    replay_init(&r, &with);
    run_weak(&r, given, 2);
    CHECK(r.row_count == 2 && r.unsupported == 0);
    CHECK_NEAR(arm_named(&r, "hrm_trm")->after, 0, 0);
    replay_fini(&r);
    arena_fini(&arena);
}

static void another_model_is_another_way(void)
{
    static const struct given given = { "none", "hrm", 0, 1, 0, 10, 1 };
    struct config with = a_config("none", "hrm");
    struct replay r;

    with.model = STR("n");
    run(&r, &with, &given, 1);
    CHECK(r.changed == 1 && r.unsupported == 1);
    replay_fini(&r);
    with.model = STR("m");
    run(&r, &with, &given, 1);
    CHECK(r.changed == 0 && r.row_count == 1);
    CHECK(!replay_success(&r, &(struct counterfactual){ 0 })); /* one row has no spread */
    replay_fini(&r);
}

static void too_many_arms_are_said(void)
{
    struct config with = a_config("none", "hrm");
    struct replay r;
    struct logged l;
    char name[16];

    replay_init(&r, &with);
    for (int i = 0; i < REPLAY_ARMS_MAX + 3; i++) {
        struct given given = { "none", name, 0, 1, 0, 1, 1 };
        snprintf(name, sizeof(name), "s%d", i);
        replay_learn(&r, log_query(&l, i, &given));
        replay_decide(&r, &l.sample);
    }
    CHECK(r.has_too_many && r.arm_count == REPLAY_ARMS_MAX);
    CHECK_INT(r.decided, REPLAY_ARMS_MAX + 3);
    CHECK_INT(r.changed, r.decided);
    replay_fini(&r);
}

static void samples_without_a_route_are_passed_over(void)
{
    const struct ledger_sample plain = { .id = 1, .cost = 5 };
    struct config with = a_config("none", "hrm");
    struct replay r;

    replay_init(&r, &with);
    replay_learn(&r, &plain);
    replay_decide(&r, &plain);
    CHECK(r.queries == 0 && r.arm_count == 0);
    replay_fini(&r);
}

TESTS(TEST(the_same_policy_changes_nothing), TEST(another_threshold_moves_queries),
      TEST(unknown_costs_are_left_out_of_both_sums), TEST(exploration_supports_estimates),
      TEST(arms_outside_the_exploration_are_unsupported), TEST(the_surest_label_counts),
      TEST(policies_by_lot_are_expected_values), TEST(another_model_is_another_way),
      TEST(too_many_arms_are_said), TEST(samples_without_a_route_are_passed_over))
