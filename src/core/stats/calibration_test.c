/* SPDX-License-Identifier: Apache-2.0 */
/* calibration's tests: isotonic is the least-squares projection, Platt the maximum of its likelihood, and both keep order. */
#include <math.h>

#include "base/rng.h"
#include "core/stats/stats_internal.h"
#include "test/check.h"

#define MANY 2000
#define ARENA_MAX ((size_t)64 << 20)

static struct fit fit_of(const struct labelled *items, size_t n)
{
    struct fit fit = { .kind = FIT_NONE };
    struct arena arena;

    arena_init(&arena, ARENA_MAX);
    CHECK_ERR(fit_make(&fit, items, n, &arena), OK);
    arena_fini(&arena);
    return fit;
}

/* Scores of a given number of levels (0: continuous), right with a chance that grows with the score. */
static void draw(struct rng *rng, struct labelled *items, size_t n, uint64_t levels)
{
    for (size_t i = 0; i < n; i++) {
        double score = levels > 0 ? (double)rng_below(rng, levels) / (double)levels : rng_unit(rng);
        items[i] = (struct labelled){ score, rng_unit(rng) < score * score };
    }
}

/* ---- isotonic ---- */

/* The isotonic regression at rank i is max over j <= i of min over k >= i of the mean of j..k (Robertson, Wright and Dykstra
 * 1988, theorem 1.4.4); of ranks with equal scores, j must be a first and k a last one. */
static double isotonic_by_definition(const struct labelled *sorted, size_t n, size_t i)
{
    double most = -1;

    for (size_t j = 0; j <= i; j++) {
        double right = 0, least = 2;
        if (j > 0 && sorted[j - 1].score == sorted[j].score)
            continue;
        for (size_t k = j; k < n; k++) {
            bool is_last = k + 1 == n || sorted[k + 1].score > sorted[k].score;
            right += sorted[k].is_right;
            if (k >= i && is_last)
                least = fmin(least, right / (double)(k - j + 1));
        }
        most = fmax(most, least);
    }
    return most;
}

static void isotonic_is_the_projection(void)
{
    static const uint64_t levels[] = { 0, 4, 20, 60 };
    struct labelled items[250], spare[250];
    struct isotonic_block blocks[250];
    struct rng rng;

    rng_init(&rng, 1);
    for (int round = 0; round < 12; round++) {
        size_t n = 1 + (size_t)rng_below(&rng, 250), at = 0;
        draw(&rng, items, n, levels[round % 4]);
        labelled_sort(items, spare, n);
        size_t count = isotonic_pool(items, n, blocks);
        for (size_t b = 0; b < count; b++) {
            double mean = (double)blocks[b].right / (double)blocks[b].n;
            CHECK(b == 0 || mean * (double)blocks[b - 1].n > (double)blocks[b - 1].right);
            CHECK(blocks[b].from == items[at].score);
            for (int64_t i = 0; i < blocks[b].n; i++, at++)
                CHECK_NEAR(mean, isotonic_by_definition(items, n, at), 1e-12);
            CHECK(blocks[b].to == items[at - 1].score);
        }
        CHECK_INT(at, n);
    }
}

/* Where the knots suffice, the map gives every score its block's mean. */
static void the_map_is_the_projection(void)
{
    static struct labelled items[MANY], spare[MANY];
    struct rng rng;

    rng_init(&rng, 2);
    draw(&rng, items, 400, 30);
    struct fit fit = fit_of(items, 400);
    CHECK(fit.kind == FIT_ISOTONIC);
    CHECK_INT(fit.n, 400);
    labelled_sort(items, spare, 400);
    for (size_t i = 0; i < 400; i += 7)
        CHECK_NEAR(fit_apply(&fit, items[i].score), isotonic_by_definition(items, 400, i), 1e-12);
    /* Flat outside, straight between two knots. */
    CHECK(fit_apply(&fit, -100) == fit.value[0]);
    CHECK(fit_apply(&fit, 100) == fit.value[fit.knots - 1]);
    for (size_t i = 0; i + 1 < fit.knots; i++)
        CHECK_NEAR(fit_apply(&fit, (fit.score[i] + fit.score[i + 1]) / 2),
                   (fit.value[i] + fit.value[i + 1]) / 2, 1e-12);
}

/* 30 blocks of two scores each: 60 knots, and the steps between them stay steep. */
static void blocks_are_flat_while_they_fit(void)
{
    static struct labelled items[30 * 60];
    size_t n = 0;

    for (int block = 0; block < 30; block++) {
        for (int i = 0; i < 60; i++)
            items[n++] = (struct labelled){ block + (i % 2 ? .4 : 0), i / 2 < block };
    }
    struct fit fit = fit_of(items, n);
    CHECK_INT(fit.knots, 60);
    for (int block = 0; block < 30; block++) {
        CHECK_NEAR(fit_apply(&fit, block), block / 30.0, 1e-12);
        CHECK_NEAR(fit_apply(&fit, block + .4), block / 30.0, 1e-12);
    }
    CHECK_NEAR(fit_apply(&fit, 10.7), 10.5 / 30, 1e-12);
}

static double squared_error(const struct fit *fit, const struct labelled *items, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++) {
        double miss = fit_apply(fit, items[i].score) - items[i].is_right;
        sum += miss * miss;
    }
    return sum / (double)n;
}

/* 300 levels of strictly growing accuracy are 300 blocks: joined to 64 knots they lose next to nothing. */
static void many_blocks_are_joined(void)
{
    static struct labelled items[300 * 300];
    static struct isotonic_block blocks[300 * 300];
    size_t n = 0;

    for (int level = 0; level < 300; level++) {
        for (int i = 0; i < 300; i++)
            items[n++] = (struct labelled){ level, i < level };
    }
    CHECK_INT(isotonic_pool(items, n, blocks), 300);
    struct arena arena;
    struct fit fit;
    arena_init(&arena, (size_t)64 << 20);
    CHECK_ERR(fit_make(&fit, items, n, &arena), OK);
    arena_fini(&arena);
    CHECK_INT(fit.knots, FIT_KNOTS_MAX);
    for (int level = 0; level < 300; level++)
        CHECK_NEAR(fit_apply(&fit, level), level / 300.0, .01);
    CHECK(squared_error(&fit, items, n) < 1 / 6.0 + 1e-4);
    for (size_t i = 1; i < fit.knots; i++)
        CHECK(fit.score[i] > fit.score[i - 1] && fit.value[i] >= fit.value[i - 1]);
}

/* Uneven steps of uneven sizes: what is given up is small and shared by few. */
static void joining_spares_the_large_blocks(void)
{
    static struct labelled items[200 * 1000];
    struct rng rng;
    size_t n = 0;
    double share = 0, loss = 0;

    rng_init(&rng, 9);
    for (int level = 0; level < 200; level++) {
        int count = level % 3 ? 100 : 1000;
        share += .001 + pow(rng_unit(&rng), 4) / 60;
        for (int i = 0; i < count; i++)
            items[n++] = (struct labelled){ level, i < share * count };
    }
    struct fit fit = fit_of(items, n);
    CHECK_INT(fit.knots, FIT_KNOTS_MAX);
    share = 0;
    rng_init(&rng, 9);
    for (int level = 0; level < 200; level++) {
        share += .001 + pow(rng_unit(&rng), 4) / 60;
        loss += pow(fit_apply(&fit, level) - share, 2) * (level % 3 ? 100 : 1000);
    }
    CHECK(loss / (double)n < 8e-6); /* 9.6e-6 when sizes do not count */
}

static void maps_are_read_between_knots(void)
{
    struct fit two = { .kind = FIT_ISOTONIC, .knots = 2, .score = { 1, 3 }, .value = { .2, .8 } };
    struct fit one = { .kind = FIT_ISOTONIC, .knots = 1, .score = { 1 }, .value = { .4 } };
    static const struct {
        double score, value;
    } rows[] = {
        { -9, .2 }, { 1, .2 }, { 2, .5 }, { 2.5, .65 }, { 3, .8 }, { 99, .8 }, { NAN, .2 }
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        CHECK_NEAR(fit_apply(&two, rows[i].score), rows[i].value, 1e-15);
    CHECK(fit_apply(&one, 0) == .4 && fit_apply(&one, 1) == .4 && fit_apply(&one, 2) == .4);
}

/* ---- Platt ---- */

/* At the maximum the gradient is 0: fitted and wanted sums agree, weighted by 1 and by the score. */
static void platt_is_the_maximum(void)
{
    static const double scales[] = { 1, 1e-6, 1e6 };
    struct labelled items[150];
    struct rng rng;

    rng_init(&rng, 3);
    for (int round = 0; round < 60; round++) {
        size_t n = 20 + (size_t)rng_below(&rng, 130);
        double right = 0, rest = 0, rest_by_score = 0, scale = scales[round % 3];
        draw(&rng, items, n, 0);
        for (size_t i = 0; i < n; i++) {
            items[i].score = scale * (items[i].score + 5);
            right += items[i].is_right;
        }
        struct fit fit = fit_of(items, n);
        CHECK(fit.kind == FIT_PLATT);
        double high = (right + 1) / (right + 2), low = 1 / ((double)n - right + 2);
        for (size_t i = 0; i < n; i++) {
            double miss = fit_apply(&fit, items[i].score) - (items[i].is_right ? high : low);
            rest += miss;
            rest_by_score += miss * (items[i].score / scale - 5);
        }
        CHECK_NEAR(rest, 0, 1e-5);
        if (fit.slope > 0)
            CHECK_NEAR(rest_by_score, 0, 1e-5);
        else
            CHECK(rest_by_score > -1e-5); /* a falling map would fit better: the base rate it is */
    }
}

/* The parameters themselves, from many labels drawn from a known curve in small lots. */
static void platt_recovers_a_curve(void)
{
    struct labelled items[199];
    struct rng rng;
    double slope = 0, intercept = 0;

    rng_init(&rng, 4);
    for (int round = 0; round < 100; round++) {
        for (size_t i = 0; i < ARRAY_LEN(items); i++) {
            double score = rng_normal(&rng);
            items[i] =
                (struct labelled){ score, rng_unit(&rng) < 1 / (1 + exp(-(1.5 * score + .5))) };
        }
        struct fit fit = fit_of(items, ARRAY_LEN(items));
        slope += fit.slope / 100;
        intercept += fit.intercept / 100;
    }
    CHECK_NEAR(slope, 1.5, .1);
    CHECK_NEAR(intercept, .5, .1);
}

static void degenerate_labels(void)
{
    struct labelled items[150];

    for (size_t i = 0; i < 150; i++)
        items[i] = (struct labelled){ (double)i, true };
    struct fit all_right = fit_of(items, 150);
    CHECK_NEAR(fit_apply(&all_right, 3), 151.0 / 152, 1e-9);
    for (size_t i = 0; i < 150; i++)
        items[i] = (struct labelled){ .7, i < 30 };
    struct fit constant = fit_of(items, 150);
    CHECK(constant.slope == 0);
    CHECK_NEAR(fit_apply(&constant, .1), fit_apply(&constant, .9), 0);
    CHECK_NEAR(fit_apply(&constant, .7), .2, .01);
    for (size_t i = 0; i < 150; i++)
        items[i] = (struct labelled){ (double)i, i >= 75 };
    struct fit separated = fit_of(items, 150);
    CHECK(isfinite(separated.slope) && separated.slope > 0);
    CHECK(fit_apply(&separated, 0) < .1 && fit_apply(&separated, 149) > .9);
    for (size_t i = 0; i < 150; i++)
        items[i] = (struct labelled){ (double)i, i < 75 };
    struct fit reversed = fit_of(items, 150);
    CHECK(reversed.slope == 0);
    CHECK_NEAR(fit_apply(&reversed, 3), .5, 1e-9);
    struct fit one = fit_of(items, 1);
    CHECK(one.kind == FIT_PLATT);
    CHECK_NEAR(fit_apply(&one, 0), 2.0 / 3, 1e-9);
    for (size_t i = 0; i < 150; i++)
        items[i] = (struct labelled){ i % 2 ? 1e300 : -1e300, i % 2 };
    struct fit far = fit_of(items, 150);
    CHECK(fit_apply(&far, 1e300) >= 0 && fit_apply(&far, 1e300) <= 1);
}

/* ---- both ---- */

static void no_labels_no_fit(void)
{
    struct fit fit = fit_of(NULL, 0);

    CHECK(fit.kind == FIT_NONE);
    CHECK_NEAR(fit_apply(&fit, .3), .3, 0);
    CHECK_NEAR(fit_apply(&fit, -2), 0, 0);
    CHECK_NEAR(fit_apply(&fit, 2), 1, 0);
}

static void the_number_of_labels_chooses(void)
{
    static struct labelled items[MANY];
    struct rng rng;

    rng_init(&rng, 5);
    draw(&rng, items, MANY, 0);
    CHECK(fit_of(items, FIT_PLATT_BELOW - 1).kind == FIT_PLATT);
    CHECK(fit_of(items, FIT_PLATT_BELOW).kind == FIT_ISOTONIC);
}

static void order_does_not_matter_and_is_kept(void)
{
    static struct labelled items[MANY], shuffled[MANY];
    static const size_t sizes[] = { 5, 60, 199, 200, MANY };
    struct rng rng;

    rng_init(&rng, 6);
    for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
        size_t n = sizes[s];
        draw(&rng, items, n, s % 2 ? 10 : 0);
        for (size_t i = 0; i < n; i++) {
            size_t other = (size_t)rng_below(&rng, i + 1);
            shuffled[i] = shuffled[other];
            shuffled[other] = items[i];
        }
        struct fit a = fit_of(items, n), b = fit_of(shuffled, n);
        double before = 0;
        for (double score = -.5; score < 1.5; score += .01) {
            double value = fit_apply(&a, score);
            CHECK_NEAR(value, fit_apply(&b, score), 1e-9);
            CHECK(value >= before && value <= 1);
            before = value;
        }
    }
}

static void sorting(void)
{
    struct labelled items[257], spare[257];
    struct rng rng;

    rng_init(&rng, 7);
    for (size_t n = 0; n <= 257; n++) {
        double sum = 0, sorted_sum = 0;
        for (size_t i = 0; i < n; i++) {
            items[i] = (struct labelled){ (double)rng_below(&rng, 40), false };
            sum += items[i].score;
        }
        labelled_sort(items, spare, n);
        for (size_t i = 0; i < n; i++) {
            CHECK(i == 0 || items[i - 1].score <= items[i].score);
            sorted_sum += items[i].score;
        }
        CHECK(sum == sorted_sum);
    }
}

static void too_little_memory_changes_nothing(void)
{
    static struct labelled items[MANY];
    struct fit fit = { .kind = FIT_NONE, .n = 77 };
    struct arena arena;
    struct rng rng;

    rng_init(&rng, 8);
    draw(&rng, items, MANY, 0);
    arena_init(&arena, 1000);
    CHECK_ERR(fit_make(&fit, items, MANY, &arena), WEIR_NO_MEMORY);
    CHECK_INT(fit.n, 77);
    arena_fini(&arena);
}

TESTS(TEST(isotonic_is_the_projection), TEST(the_map_is_the_projection),
      TEST(blocks_are_flat_while_they_fit), TEST(many_blocks_are_joined),
      TEST(joining_spares_the_large_blocks), TEST(maps_are_read_between_knots),
      TEST(platt_is_the_maximum), TEST(platt_recovers_a_curve), TEST(degenerate_labels),
      TEST(no_labels_no_fit), TEST(the_number_of_labels_chooses),
      TEST(order_does_not_matter_and_is_kept), TEST(sorting),
      TEST(too_little_memory_changes_nothing))
