/* SPDX-License-Identifier: Apache-2.0 */
/* train_sides_apgr's tests: figures that can be worked out by hand. */
#include "core/route/train_internal.h"

#include "test/check.h"

/* By hand: two questions of the weak side, right and wrong, two of the strong side, right and right. */
static void apgr_by_hand(void)
{
    static const struct sided_trial trials[] = {
        { .score = 4, .weight = 1, .is_right = false },
        { .score = 1, .weight = 3, .is_right = true },
        { .score = 3, .weight = 1, .is_right = true, .is_strong = true },
        { .score = 1, .weight = 1, .is_right = true, .is_strong = true },
    };
    static const uint32_t order[] = { 0, 2, 1, 3 }, times[] = { 1, 1, 1, 1 };
    static const uint32_t none[] = { 1, 1, 0, 0 }, lone[] = { 0, 1, 1, 1 };
    double apgr = -1;

    /* Shares 1/8, 2/8, and (3/4 + 1/2)/2 for the two that tie: middles 1/16, 1/4, 11/16. The weak side's 3/4 · 11/16, the
     * strong side's 1/2 · 3/4 + 1/2 · 5/16; weak 3/4, strong 1. */
    CHECK(sided_apgr(trials, order, times, 4, &apgr));
    CHECK_NEAR(apgr, (0.75 * 11 / 16 + 0.5 * 0.75 + 0.5 * 5 / 16 - 0.75) / 0.25, 1e-12);
    CHECK(!sided_apgr(trials, order, none, 4, &apgr));
    CHECK(!sided_apgr(trials, order, lone, 4, &apgr)); /* both always right: no gap */
    CHECK(!sided_apgr(trials, order, times, 0, &apgr));
}

static void folds_are_ranked_apart(void)
{
    struct sided_trial trials[] = {
        { .score = 9, .weight = 1, .fold = 0 }, { .score = 8, .weight = 1, .fold = 0 },
        { .score = 8, .weight = 2, .fold = 0 }, { .score = 8, .weight = 3, .fold = 1 },
        { .score = 2, .weight = 1, .fold = 1 },
    };
    static const double shares[] = { 0.875, 0.375, 0.375, 0.625, 0.125 };
    struct arena arena;

    arena_init(&arena, 1 << 20);
    CHECK_ERR(sided_rank_in_folds(trials, ARRAY_LEN(trials), &arena), OK);
    for (size_t i = 0; i < ARRAY_LEN(trials); i++)
        CHECK_NEAR(trials[i].score, shares[i], 1e-12);
    arena_fini(&arena);
}

TESTS(TEST(apgr_by_hand), TEST(folds_are_ranked_apart))
