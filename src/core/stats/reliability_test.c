/* SPDX-License-Identifier: Apache-2.0 */
/* reliability's tests: metrics by hand and by brute force, the bootstrap's coverage, the rule for thresholds. */
#include <math.h>

#include "base/rng.h"
#include "core/stats/calibration.h"
#include "core/stats/stats.h"
#include "test/check.h"

#define ARENA_MAX ((size_t)4 << 20)

static struct calibration_metrics measure(const struct labelled *items, size_t n)
{
    struct calibration_metrics m = { .n = -1 };
    struct arena arena;

    arena_init(&arena, ARENA_MAX);
    CHECK_ERR(calibration_measure(&m, items, n, &arena), OK);
    arena_fini(&arena);
    return m;
}

/* Right with the chance score + shift. */
static void draw(struct rng *rng, struct labelled *items, size_t n, double shift, uint64_t levels)
{
    for (size_t i = 0; i < n; i++) {
        double score = levels > 0 ? (double)rng_below(rng, levels) / (double)levels : rng_unit(rng);
        items[i] = (struct labelled){ score, rng_unit(rng) < score + shift };
    }
}

static void by_hand(void)
{
    static const struct labelled items[] = {
        { .9, true }, { .4, false }, { .9, false }, { .2, true }
    };
    struct calibration_metrics m = measure(items, 4);

    CHECK_INT(m.n, 4);
    CHECK_NEAR(m.brier, (.01 + .16 + .81 + .64) / 4, 1e-15);
    CHECK_NEAR(m.accuracy, .5, 1e-15);
    CHECK_NEAR(m.mean_confidence, .6, 1e-15);
    /* Right .9 beats wrong .4 and ties with wrong .9; right .2 loses to both. */
    CHECK_NEAR(m.auroc, 1.5 / 4, 1e-15);
    CHECK_INT(m.bin_count, 3);
    CHECK_NEAR(m.ece, (.8 + .4 + .8) / 4, 1e-15);
    CHECK_INT(m.bins[2].n, 2);
    CHECK_NEAR(m.bins[2].confidence, .9, 1e-15);
    CHECK_NEAR(m.bins[2].accuracy, .5, 1e-15);
}

static void nothing_and_one_class(void)
{
    static const struct labelled all_right[] = { { .9, true }, { .8, true } };
    struct calibration_metrics none = measure(NULL, 0), same = measure(all_right, 2);

    CHECK_INT(none.n, 0);
    CHECK(none.ece == 0 && none.brier == 0 && none.auroc == .5 && none.bin_count == 0);
    CHECK(same.auroc == .5);
    CHECK_NEAR(same.accuracy, 1, 0);
}

/* 300 distinct scores: 15 bins of 20 neighbours. */
static void bins_have_equal_mass(void)
{
    struct labelled items[300];
    double total = 0;

    for (size_t i = 0; i < 300; i++)
        items[i] = (struct labelled){ (double)(i * 7 % 300) / 300, i % 3 == 0 };
    struct calibration_metrics m = measure(items, 300);
    CHECK_INT(m.bin_count, CALIBRATION_BINS);
    for (size_t i = 0; i < m.bin_count; i++) {
        CHECK_INT(m.bins[i].n, 20);
        CHECK_NEAR(m.bins[i].confidence, (20 * (double)i + 9.5) / 300, 1e-12);
        total += (double)m.bins[i].n * fabs(m.bins[i].confidence - m.bins[i].accuracy);
    }
    CHECK_NEAR(m.ece, total / 300, 1e-12);
}

/* Of 30 ranks, two a bin: 1 to 4 are tied and go where their middle belongs, into the second. */
static void ties_go_to_their_middle(void)
{
    struct labelled items[30];

    for (size_t i = 0; i < 30; i++)
        items[i] = (struct labelled){ i >= 1 && i <= 4 ? .02 : (double)i / 30, true };
    struct calibration_metrics m = measure(items, 30);
    CHECK_INT(m.bin_count, 15);
    CHECK_INT(m.bins[0].n, 1);
    CHECK_INT(m.bins[1].n, 4);
    CHECK_INT(m.bins[2].n, 1);
    CHECK_INT(m.bins[3].n, 2);
}

static void auroc_counts_pairs(void)
{
    struct labelled items[120];
    struct rng rng;

    rng_init(&rng, 1);
    for (int round = 0; round < 20; round++) {
        double wins = 0, pairs = 0;
        draw(&rng, items, ARRAY_LEN(items), 0, round % 2 ? 7 : 0);
        for (size_t i = 0; i < ARRAY_LEN(items); i++) {
            for (size_t j = 0; j < ARRAY_LEN(items); j++) {
                if (!items[i].is_right || items[j].is_right)
                    continue;
                pairs++;
                wins += items[i].score > items[j].score    ? 1
                        : items[i].score == items[j].score ? .5
                                                           : 0;
            }
        }
        CHECK_NEAR(measure(items, ARRAY_LEN(items)).auroc, wins / pairs, 1e-12);
    }
}

/* Scores of few levels: whatever the order, one bin a level at most, and the same numbers. */
static void ties_make_no_difference(void)
{
    struct labelled items[400], turned[400];
    struct rng rng;

    rng_init(&rng, 2);
    for (uint64_t levels = 1; levels <= 40; levels += 3) {
        draw(&rng, items, 400, .1, levels);
        for (size_t i = 0; i < 400; i++)
            turned[i] = items[399 - i];
        struct calibration_metrics a = measure(items, 400), b = measure(turned, 400);
        CHECK(a.bin_count <= levels && a.bin_count <= CALIBRATION_BINS);
        CHECK_INT(a.bin_count, b.bin_count);
        CHECK_NEAR(a.ece, b.ece, 1e-12);
        CHECK_NEAR(a.auroc, b.auroc, 1e-12);
        int64_t total = 0;
        for (size_t i = 0; i < a.bin_count; i++)
            total += a.bins[i].n;
        CHECK_INT(total, 400);
    }
}

/* ---- the bootstrap ---- */

static struct interval_pair bootstrap(const struct labelled *items, size_t n, int rounds,
                                      uint64_t seed)
{
    struct interval_pair v = { -1, -1 };
    struct arena arena;

    arena_init(&arena, ARENA_MAX);
    CHECK_ERR(calibration_ece_interval(&v, items, n, rounds, seed, &arena), OK);
    arena_fini(&arena);
    return v;
}

/* The true ECE is the shift. Scores of ten levels, so that averaging within bins plays no part. */
static void the_interval_covers(void)
{
    static const double shifts[] = { 0, .03, .07, .15 };
    struct labelled items[500];
    struct rng rng;

    rng_init(&rng, 3);
    for (size_t s = 0; s < ARRAY_LEN(shifts); s++) {
        int covered = 0;
        double width = 0;
        for (int run = 0; run < 60; run++) {
            for (size_t i = 0; i < ARRAY_LEN(items); i++) {
                double score = .1 + .07 * (double)rng_below(&rng, 10);
                items[i] = (struct labelled){ score, rng_unit(&rng) < score + shifts[s] };
            }
            struct interval_pair v = bootstrap(items, ARRAY_LEN(items), 200, (uint64_t)run);
            covered += v.lower <= shifts[s] && shifts[s] <= v.upper;
            width += (v.upper - v.lower) / 60;
        }
        CHECK(covered >= 53);
        CHECK(width < .11);
    }
}

/* One round, drawn by hand with the same seed: its ECE is that of the items drawn. */
static void a_resample_is_measured_like_a_sample(void)
{
    struct labelled items[90], drawn[90];
    struct rng rng;

    for (uint64_t seed = 0; seed < 20; seed++) {
        rng_init(&rng, seed + 100);
        draw(&rng, items, 90, .3, seed % 2 ? 12 : 0);
        for (size_t i = 1; i < 90;
             i++) { /* in the order of their scores, which the draws count by */
            struct labelled item = items[i];
            size_t at = i;
            for (; at > 0 && items[at - 1].score > item.score; at--)
                items[at] = items[at - 1];
            items[at] = item;
        }
        rng_init(&rng, seed);
        for (size_t i = 0; i < 90; i++)
            drawn[i] = items[rng_below(&rng, 90)];
        double want = fmax(measure(drawn, 90).ece, measure(items, 90).ece);
        CHECK_NEAR(bootstrap(items, 90, 1, seed).upper, want, 1e-12);
    }
}

static void the_seed_decides(void)
{
    struct labelled items[100];
    struct rng rng;

    rng_init(&rng, 4);
    draw(&rng, items, 100, .1, 0);
    struct interval_pair a = bootstrap(items, 100, 100, 1), b = bootstrap(items, 100, 100, 1);
    struct interval_pair c = bootstrap(items, 100, 100, 2);
    CHECK(a.lower == b.lower && a.upper == b.upper);
    CHECK(a.lower != c.lower || a.upper != c.upper);
    CHECK(a.lower >= 0 && a.lower <= a.upper && a.upper <= 1);
    struct interval_pair none = bootstrap(items, 0, 100, 1),
                         no_rounds = bootstrap(items, 100, 0, 1);
    CHECK(none.lower == 0 && none.upper == 1);
    CHECK(no_rounds.lower == 0 && no_rounds.upper == 1);
}

/* ---- thresholds ---- */

static void thresholds_are_met_by_the_bound(void)
{
    struct labelled items[400];

    /* 300 at .9, all right but 10; 100 at .5, half of them right. */
    for (size_t i = 0; i < 400; i++)
        items[i] = (struct labelled){ i < 300 ? .9 : .5, i < 300 ? i >= 10 : i % 2 == 0 };
    struct acceptance a = calibration_accept(items, 400, .9);
    CHECK_INT(a.accepted, 300);
    CHECK_INT(a.right, 290);
    CHECK_NEAR(a.lower, stats_rate_lower(290, 300, .05), 0);
    CHECK(a.is_met);
    CHECK(!calibration_accept(items, 400, .91).is_met); /* nothing is accepted */
    CHECK_INT(calibration_accept(items, 400, .91).accepted, 0);
    a = calibration_accept(items, 400, .5);
    CHECK_INT(a.accepted, 400);
    CHECK(a.is_met);
    /* 85 % right on 40 is not 85 % shown. */
    for (size_t i = 0; i < 40; i++)
        items[i] = (struct labelled){ .85, i < 34 };
    CHECK(!calibration_accept(items, 40, .85).is_met);
    CHECK(calibration_accept(items, 40, .7).is_met);
    CHECK(!calibration_accept(items, 0, 0).is_met);
}

static void too_little_memory_changes_nothing(void)
{
    struct labelled items[200] = { { 0, false } };
    struct calibration_metrics m = { .n = 77 };
    struct interval_pair v = { 7, 7 };
    struct arena arena;

    arena_init(&arena, 100);
    CHECK_ERR(calibration_measure(&m, items, 200, &arena), WEIR_NO_MEMORY);
    arena_fini(&arena);
    CHECK_INT(m.n, 77);
    arena_init(&arena, 100);
    CHECK_ERR(calibration_ece_interval(&v, items, 200, 10, 1, &arena), WEIR_NO_MEMORY);
    arena_fini(&arena);
    CHECK(v.lower == 7);
}

TESTS(TEST(by_hand), TEST(nothing_and_one_class), TEST(bins_have_equal_mass),
      TEST(ties_go_to_their_middle), TEST(auroc_counts_pairs), TEST(ties_make_no_difference),
      TEST(the_interval_covers), TEST(a_resample_is_measured_like_a_sample), TEST(the_seed_decides),
      TEST(thresholds_are_met_by_the_bound), TEST(too_little_memory_changes_nothing))
