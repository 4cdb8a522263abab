/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of blocks: e-variables of every size, what is joined to what, what they tell apart, how they are written. */
#include "core/change/blocks.h"

#include <math.h>

#include "base/rng.h"
#include "test/check.h"

#define SURE 6.907755278982137 /* ln 1000 */

static struct blocks of_size(size_t i, int64_t canary_bad, int64_t control_bad, int64_t n)
{
    struct blocks b = { .sizes = { { { 0 }, { 0 } } } };

    b.sizes[i] = (struct block_counts){ { (n << i) - canary_bad, canary_bad },
                                        { n - control_bad, control_bad } };
    return b;
}

static double chance(unsigned bad, unsigned n, double p)
{
    double ways = exp(lgamma(n + 1) - lgamma(bad + 1) - lgamma(n - bad + 1));

    return ways * pow(p, bad) * pow(1 - p, n - bad);
}

/* The wealth of a block has an expectation of at most 1 whatever the chance, when both arms share it; and over 1 where the
 * canary is worse. */
static void a_block_of_any_size_is_an_e_variable(void)
{
    for (unsigned i = 0; i < BLOCK_SIZES; i++) {
        unsigned size = 1u << i;
        double worse = 0;
        for (int step = 0; step <= 256; step++) {
            double p = step / 256.0, mean = 0;
            for (unsigned bad = 0; bad <= size; bad++) {
                for (unsigned control = 0; control < 2; control++) {
                    struct blocks b = of_size(i, bad, control, 1);
                    mean += chance(bad, size, p) * chance(control, 1, p) * exp(blocks_log_e(&b));
                    if (step == 0)
                        worse += chance(bad, size, 0.5) * chance(control, 1, 0.02) *
                                 exp(blocks_log_e(&b));
                }
            }
            CHECK(mean <= 1 + 1e-9);
        }
        CHECK(worse > 1.1);
    }
    CHECK_NEAR(blocks_log_e(&(struct blocks){ .sizes[0].canary[0] = 0 }), 0, 1e-12);
}

static double pairs(int64_t fine, int64_t control_only, int64_t canary_only, int64_t both)
{
    struct blocks b = of_size(0, canary_only + both, control_only + both,
                              fine + control_only + canary_only + both);

    return blocks_log_e(&b);
}

static void blocks_tell_a_worse_canary_from_a_bad_hour(void)
{
    CHECK(pairs(0, 0, 6, 0) < SURE);
    CHECK(pairs(0, 0, 8, 0) > SURE); /* broken from the start */
    CHECK(pairs(3000, 60, 80, 1) < SURE);
    CHECK(pairs(3000, 60, 125, 1) > SURE); /* broken late: 65 blocks more */
    CHECK(pairs(280, 6, 30, 1) > SURE - 1); /* 10 % against 2 % */
    CHECK(pairs(0, 0, 0, 1000) < 0); /* everything fails everywhere */
    CHECK(pairs(250, 250, 250, 250) < 0); /* half of it */
    CHECK(pairs(1000, 100, 10, 1) < 0); /* the canary is better */
}

static void outcomes_join_their_neighbours(void)
{
    struct block_waiting w = { .canary_n = 0 };
    struct blocks b = of_size(0, 0, 0, 0);

    blocks_add_canary(&b, &w, true);
    blocks_add_control(&b, &w, false); /* one and one, the canary's bad */
    blocks_add_control(&b, &w, false); /* its place is taken */
    blocks_add_control(&b, &w, true);
    blocks_add_canary(&b, &w, false); /* one and one, the control's bad */
    CHECK_INT(b.sizes[0].canary[0], 1);
    CHECK_INT(b.sizes[0].canary[1], 1);
    CHECK_INT(b.sizes[0].control[0], 1);
    CHECK_INT(b.sizes[0].control[1], 1);
    CHECK(w.canary_n == 0 && !w.has_control);

    for (int i = 0; i < 7; i++)
        blocks_add_canary(&b, &w, i < 5); /* of seven, the last four: bad, bad, fine, fine */
    blocks_add_control(&b, &w, false);
    CHECK_INT(b.sizes[2].canary[0], 2);
    CHECK_INT(b.sizes[2].canary[1], 2);
    CHECK_INT(b.sizes[2].control[0], 1);

    for (int i = 0; i < 40; i++)
        blocks_add_canary(&b, &w, i < 39); /* the last sixteen */
    blocks_add_control(&b, &w, true);
    CHECK_INT(b.sizes[4].canary[0], 1);
    CHECK_INT(b.sizes[4].canary[1], 15);
    CHECK_INT(b.sizes[4].control[1], 1);
    blocks_add_canary(&b, &w, false);
    CHECK(w.canary_n == 1 && w.canary_bad == 0); /* nothing is left of before */
}

/* With sixteen of the canary to each of the control's, far fewer of the control's are needed. */
static void larger_blocks_need_fewer_of_the_control(void)
{
    CHECK(pairs(215, 5, 25, 1) < SURE); /* 246 at 10 % against 2 % */
    struct blocks large = of_size(4, 394, 5, 246);
    CHECK(blocks_log_e(&large) > SURE);
    large = of_size(4, 394, 25, 246);
    CHECK(blocks_log_e(&large) < 0); /* as bad as the canary */
}

/* At 10 % in both arms, whose traffic is split 19 to 1, over many seeds: hardly ever beyond 1000. */
static void a_common_cause_is_not_taken_for_the_canarys(void)
{
    int beyond = 0;

    for (int seed = 0; seed < 300; seed++) {
        struct block_waiting w = { .canary_n = 0 };
        struct blocks b = of_size(0, 0, 0, 0);
        struct rng rng;
        bool is_beyond = false;
        rng_init(&rng, (uint64_t)seed);
        for (int i = 0; i < 4000; i++) {
            double p = i / 500 % 2 ? 0.1 : 0.4; /* and the hour is worse at times */
            bool is_bad = rng_unit(&rng) < p;
            if (rng_unit(&rng) < 0.05)
                blocks_add_control(&b, &w, is_bad);
            else
                blocks_add_canary(&b, &w, is_bad);
            is_beyond = is_beyond || (i % 16 == 0 && blocks_log_e(&b) >= SURE);
        }
        beyond += is_beyond;
    }
    CHECK(beyond <= 2);
}

static void blocks_add_up_and_differ(void)
{
    struct blocks a = of_size(1, 3, 1, 5), b = of_size(3, 11, 2, 4), sum = a;

    blocks_merge(&sum, &b);
    CHECK_INT(sum.sizes[1].canary[1], 3);
    CHECK_INT(sum.sizes[3].control[1], 2);
    struct blocks back = blocks_since(&sum, &b);
    CHECK_NEAR(blocks_log_e(&back), blocks_log_e(&a), 0);
    CHECK_INT(back.sizes[3].canary[0] + back.sizes[3].control[0], 0);
}

static bool read_text(const char *text, struct blocks *out)
{
    struct arena arena;
    struct json v = { 0 };

    arena_init(&arena, 1 << 16);
    bool is_read = json_parse(&arena, str_from(text), &v, NULL) == OK && blocks_read(v, out);
    arena_fini(&arena);
    return is_read;
}

static void counts_come_back(void)
{
    static const char *const refused[] = {
        "[]",
        "{}",
        "7",
        "[1,2,3]",
        "[1,2,3,-4]",
        "[1,2,3,4.5]",
        "[1,2,3,1e300]",
        "[1,0,1,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]",
        "[1,0,1,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]",
        "[2,0,1,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]", /* two and one in blocks of one and one */
    };
    struct blocks b = of_size(0, 3, 1, 5), large = of_size(4, 17, 2, 9), back, untouched;
    struct buf text = { 0 };

    blocks_merge(&b, &large);
    blocks_write(&b, &text);
    buf_add_char(&text, '\0');
    CHECK(read_text(text.ptr, &back));
    for (size_t i = 0; i < BLOCK_SIZES; i++) {
        for (size_t bad = 0; bad < 2; bad++) {
            CHECK_INT(back.sizes[i].canary[bad], b.sizes[i].canary[bad]);
            CHECK_INT(back.sizes[i].control[bad], b.sizes[i].control[bad]);
        }
    }
    buf_fini(&text);
    CHECK(read_text("[10,2,5,1]", &back)); /* as they were written once */
    CHECK_NEAR(blocks_log_e(&back), pairs(10, 2, 5, 1), 0);
    untouched = back;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++)
        CHECK(!read_text(refused[i], &back));
    CHECK_INT(back.sizes[0].canary[0], untouched.sizes[0].canary[0]);
}

TESTS(TEST(a_block_of_any_size_is_an_e_variable), TEST(blocks_tell_a_worse_canary_from_a_bad_hour),
      TEST(outcomes_join_their_neighbours), TEST(larger_blocks_need_fewer_of_the_control),
      TEST(a_common_cause_is_not_taken_for_the_canarys), TEST(blocks_add_up_and_differ),
      TEST(counts_come_back))
