/* SPDX-License-Identifier: Apache-2.0 */
/* plan: cells from lists, orders and seeds, plan.json. */
#include "app/eval/eval_rig.h"

static enum err read_cells(struct arena *arena, const struct eval_options *options,
                           struct eval_plan *plan, struct buf *problems)
{
    *plan = (struct eval_plan){ .runs = 1 };
    return eval_cells_read(arena, options, plan, problems);
}

static void makes_cells(void)
{
    struct eval_options options = { .models = STR("a, b/c"),
                                    .strategies = STR("direct,hrm_trm"),
                                    .cells = STR("a/direct,llama3:8b/mcts:200, b/c/mcts") };
    static const char *const names[] = { "a/direct",    "a/hrm_trm",          "b/c/direct",
                                         "b/c/hrm_trm", "llama3:8b/mcts:200", "b/c/mcts" };
    struct buf problems = { 0 };
    struct eval_plan plan;
    struct arena arena;

    arena_init(&arena, 1 << 20);
    CHECK_ERR(read_cells(&arena, &options, &plan, &problems), OK);
    CHECK_INT(plan.cell_count, ARRAY_LEN(names)); /* a/direct stands there once */
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        CHECK_STR(plan.cells[i].name, str_from(names[i]));
        CHECK_INT(eval_cell_find(&plan, str_from(names[i])), i);
    }
    CHECK_STR(plan.cells[4].model, STR("llama3:8b"));
    CHECK_INT(plan.cells[4].simulations, 200);
    CHECK_INT(plan.cells[4].strategy, REASON_MCTS);
    CHECK_INT(plan.cells[5].simulations, 0);
    CHECK(eval_cell_find(&plan, STR("a")) == SIZE_MAX);
    plan.peer = STR("p");
    CHECK_STR(eval_model_of(&plan, &plan.cells[0], REASON_MODEL_MAIN), STR("a"));
    CHECK_STR(eval_model_of(&plan, &plan.cells[0], REASON_MODEL_PEER), STR("p"));
    CHECK_STR(eval_model_of(&plan, &plan.cells[0], REASON_MODEL_STRONG), STR(""));
    arena_fini(&arena);
}

static void refuses_what_is_no_cell(void)
{
    static const struct {
        struct eval_options options;
        const char *problem;
    } cases[] = {
        { { .margin = 0 }, "nothing to evaluate" },
        { { .models = { "a", 1 } }, "belong together" },
        { { .strategies = { "direct", 6 } }, "belong together" },
        { { .models = { "a", 1 }, .strategies = { "magic", 5 } },
          "there is no strategy 'magic'; there are: direct, hrm," },
        { { .models = { "a,,b", 4 }, .strategies = { "direct", 6 } }, "a name is empty" },
        { { .cells = { "direct", 6 } }, "'direct' is not MODEL/STRATEGY" },
        { { .cells = { "/direct", 7 } }, "is not MODEL/STRATEGY" },
        { { .cells = { "a/mcts:0", 8 } }, "simulations must be a number from 1 to" },
        { { .cells = { "a/mcts:", 7 } }, "simulations must be" },
        { { .cells = { "a/mcts:x", 8 } }, "simulations must be" },
        { { .cells = { "a/", 2 } }, "there is no strategy ''" },
        { { .models = { "a,b,c,d,e,f,g", 13 }, .strategies = { "direct,hrm,trm,mcts", 19 } },
          "more than 24 cells" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf problems = { 0 };
        struct eval_plan plan;
        struct arena arena;
        arena_init(&arena, 1 << 20);
        CHECK_ERR(read_cells(&arena, &cases[i].options, &plan, &problems), CALLER_BAD_REQUEST);
        if (str_find(buf_str(&problems), str_from(cases[i].problem)) == STR_NPOS)
            fprintf(stderr, "    %zu: %s", i, buf_cstr(&problems));
        CHECK(str_find(buf_str(&problems), str_from(cases[i].problem)) != STR_NPOS);
        CHECK(str_ends(buf_str(&problems), STR("\n")));
        buf_fini(&problems);
        arena_fini(&arena);
    }
}

static void orders_are_permutations(void)
{
    struct arena arena;
    size_t first[10] = { 0 };

    for (uint64_t seed = 0; seed < 500; seed++) {
        struct eval_plan plan = { .seed = seed };
        bool seen[10] = { false };
        arena_init(&arena, 1 << 16);
        REQUIRE(eval_order_draw(&arena, &plan, 10) == OK);
        for (size_t i = 0; i < 10; i++) {
            REQUIRE(plan.order[i] < 10);
            CHECK(!seen[plan.order[i]]);
            seen[plan.order[i]] = true;
        }
        first[plan.order[0]]++;
        arena_fini(&arena);
    }
    for (size_t i = 0; i < 10; i++) /* 50 expected, standard deviation 6.7 */
        CHECK(first[i] > 20 && first[i] < 85);
}

static void seeds_differ(void)
{
    struct eval_plan plan = { .seed = 1 }, other = { .seed = 2 };
    struct eval_question a = { .id = STR("a") }, b = { .id = STR("b") };

    CHECK(eval_run_seed(&plan, &a, 0) == eval_run_seed(&plan, &a, 0));
    CHECK(eval_run_seed(&plan, &a, 0) != eval_run_seed(&plan, &a, 1));
    CHECK(eval_run_seed(&plan, &a, 0) != eval_run_seed(&plan, &b, 0));
    CHECK(eval_run_seed(&plan, &a, 0) != eval_run_seed(&other, &a, 0));
    CHECK(eval_run_seed(&plan, &a, 0) <= INT64_MAX);
}

static void plans_are_compared_member_by_member(void)
{
    struct eval_identity identity = { .provider = STR("sim"),
                                      .questions_hash = 7,
                                      .question_count = 3 };
    struct eval_identity other = identity;
    struct buf ours = { 0 }, theirs = { 0 }, differences = { 0 };
    struct rig rig;

    REQUIRE(rig_open(&rig, 3, "a/direct,b/trm:5", 2));
    eval_plan_write(&ours, &rig.eval.plan, &identity);
    CHECK_ERR(eval_plan_compare(buf_str(&ours), buf_str(&ours), &differences), OK);
    CHECK_INT(differences.len, 0);
    other.questions_hash = 8;
    rig.eval.plan.cell_count = 1;
    eval_plan_write(&theirs, &rig.eval.plan, &other);
    CHECK_ERR(eval_plan_compare(buf_str(&ours), buf_str(&theirs), &differences), OK);
    CHECK_STR(buf_str(&differences), STR("questions_hash, cells"));
    CHECK_ERR(eval_plan_compare(buf_str(&ours), STR("no plan"), &differences), CALLER_BAD_JSON);
    buf_reset(&differences);
    CHECK_ERR(eval_plan_compare(buf_str(&ours), STR("[]"), &differences), OK);
    CHECK(differences.len > 0);
    buf_fini(&ours);
    buf_fini(&theirs);
    buf_fini(&differences);
    rig_close(&rig);
}

TESTS(TEST(makes_cells), TEST(refuses_what_is_no_cell), TEST(orders_are_permutations),
      TEST(seeds_differ), TEST(plans_are_compared_member_by_member))
