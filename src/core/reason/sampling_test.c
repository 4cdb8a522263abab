/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of adaptive self-consistency: the stopping rule, the formats, the vote. */
#include <math.h>

#include "base/rng.h"
#include "core/reason/reason_world.h"

/* ---- the stopping rule ---- */

/* Against integers from Pascal's triangle, in 128 bits. */
static void the_rule_is_exact(void)
{
    unsigned __int128 rows[REASON_SAMPLES_MAX + 2][REASON_SAMPLES_MAX + 2] = { { 0 } };

    for (int n = 0; n <= REASON_SAMPLES_MAX + 1; n++) {
        rows[n][0] = 1;
        for (int k = 1; k <= n; k++)
            rows[n][k] = rows[n - 1][k - 1] + (k < n ? rows[n - 1][k] : 0);
    }
    for (int a = 0; a <= REASON_SAMPLES_MAX; a++) {
        for (int b = 0; a + b <= REASON_SAMPLES_MAX; b++) {
            int n = a + b + 1;
            unsigned __int128 sum = 0;
            for (int k = 0; k <= a; k++)
                sum += rows[n][k];
            CHECK(vote_majority(a, b) == (double)sum / (double)((unsigned __int128)1 << n));
            CHECK(vote_majority(a, b) + vote_majority(b, a) == 1.0);
        }
    }
    CHECK(vote_majority(3, 0) == 15.0 / 16.0);
    CHECK(vote_majority(4, 0) == 31.0 / 32.0);
    CHECK(vote_majority(5, 1) == 15.0 / 16.0);
    CHECK(vote_majority(6, 1) == 247.0 / 256.0);
}

/* The tail of the binomial is the Beta posterior's: against Simpson's rule on p^a (1 - p)^b. */
static void the_rule_is_the_integral(void)
{
    static const int rows[][2] = { { 0, 0 }, { 1, 0 }, { 2, 1 }, { 4, 0 }, { 5, 3 }, { 12, 9 } };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        double above = 0.0, all = 0.0;
        int steps = 2000;
        for (int k = 0; k <= steps; k++) {
            double p = (double)k / steps;
            double weight = k == 0 || k == steps ? 1.0 : k % 2 == 1 ? 4.0 : 2.0;
            double density = pow(p, rows[i][0]) * pow(1.0 - p, rows[i][1]);
            all += weight * density;
            /* Half-way is an end of its part. */
            if (k >= steps / 2)
                above += (k == steps / 2 ? 1.0 : weight) * density;
        }
        CHECK_NEAR(vote_majority(rows[i][0], rows[i][1]), above / all, 1e-6);
    }
}

/* ---- scenes ---- */

#define A "{\"answer\":\"42\",\"confidence\":0.8}"
#define B "{\"answer\":\"41\",\"confidence\":0.7}"
#define C "{\"answer\":\"40\",\"confidence\":0.6}"
#define D "{\"answer\":\"39\",\"confidence\":0.5}"
#define PA "{\"expression\":\"6*7\",\"answer\":\"42\",\"confidence\":0.8}"
#define PB "{\"expression\":\"6*7-1\",\"answer\":\"41\",\"confidence\":0.7}"
#define PC "{\"answer\":\"40\",\"confidence\":0.6}"
#define PD "{\"answer\":\"39\",\"confidence\":0.5}"
#define PROSE(word)                                                                                \
    "{\"answer\":\"Hold the pass " word                                                            \
    " and then fall back to the second line along the river.\",\"confidence\":0.5}"
#define FOUR "sample 1 (steps);sample 2 (program);sample 3 (steps);sample 4 (program);"

/* clang-format off */
static const struct {
    struct scene scene;
    const char *log; /* NULL: any */
    double vote_share, margin, agreement;
} plays[] = {
    { { "four that agree", REASON_SELF_CONSISTENCY, 0, NULL,
        { { ROLE_DIRECT, OK, A }, { ROLE_PROGRAM, OK, PA }, { ROLE_DIRECT, OK, A }, { ROLE_PROGRAM, OK, PA } },
        "42", "vote settled", OK, 4, 0, (0.3 * 0.8 + 0.4 + 0.15) / 0.85 },
      FOUR, 1, 1, 1 },
    { { "units and code agree as they do elsewhere", REASON_SELF_CONSISTENCY, 0, NULL,
        { { ROLE_DIRECT, OK, "{\"answer\":\"$1,200.50\"}" }, { ROLE_PROGRAM, OK, "{\"answer\":\"2401/2\"}" },
          { ROLE_DIRECT, OK, "{\"answer\":\"1200.5 usd\"}" },
          { ROLE_PROGRAM, OK, "{\"expression\":\"1200+1/2\",\"answer\":\"1200.5\"}" } },
        "$1,200.50", "vote settled", OK, 4, 0, 1.0 },
      FOUR, 1, 1, 1 },
    { { "a rounded value agrees with the exact one", REASON_SELF_CONSISTENCY, 0, NULL,
        { { ROLE_DIRECT, OK, "{\"answer\":\"0.33\"}" }, { ROLE_PROGRAM, OK, "{\"expression\":\"1/3\",\"answer\":\"0.333\"}" },
          { ROLE_DIRECT, OK, "{\"answer\":\"0.33\"}" }, { ROLE_PROGRAM, OK, "{\"expression\":\"1/3\",\"answer\":\"1/3\"}" } },
        "0.33", "vote settled", OK, 4, 0, 1.0 },
      FOUR, 1, 1, 1 },
    { { "also when the exact one came first", REASON_SELF_CONSISTENCY, 0, NULL,
        { { ROLE_DIRECT, PROVIDER_CUT, NULL }, { ROLE_PROGRAM, OK, "{\"expression\":\"1/3\",\"answer\":\"1/3\"}" },
          { ROLE_DIRECT, OK, "{\"answer\":\"0.33\"}" }, { ROLE_PROGRAM, OK, "{\"expression\":\"1/3\",\"answer\":\"1/3\"}" },
          { ROLE_DIRECT, OK, "{\"answer\":\"0.33\"}" } },
        "1/3", "vote settled", OK, 5, 0, 1.0 },
      FOUR "sample 5 (steps);", 1, 1, 1 },
    { { "one against three needs three more", REASON_SELF_CONSISTENCY, 0, NULL,
        { { ROLE_DIRECT, OK, A }, { ROLE_PROGRAM, OK, PB }, { ROLE_DIRECT, OK, A }, { ROLE_PROGRAM, OK, PA },
          { ROLE_DIRECT, OK, A }, { ROLE_PROGRAM, OK, PA }, { ROLE_DIRECT, OK, A } },
        "42", "vote settled", OK, 7, 0, -2 },
      FOUR "sample 5 (steps);sample 6 (program);sample 7 (steps);", 6.0 / 7, 5.0 / 7, 1 },
    { { "the formats' leaders differ", REASON_SELF_CONSISTENCY, 0, NULL,
        { { ROLE_DIRECT, OK, A }, { ROLE_PROGRAM, OK, PB }, { ROLE_DIRECT, OK, A }, { ROLE_PROGRAM, OK, PB },
          { ROLE_DIRECT, OK, A }, { ROLE_PROGRAM, OK, PB }, { ROLE_DIRECT, OK, A }, { ROLE_PROGRAM, OK, PB } },
        "42", "samples used up", OK, 8, 0, (0.3 * 0.8 + 0.15 * 0.5) / 0.85 },
      NULL, 0.5, 0, 0 },
    { { "a format whose leaders are tied agrees by half", REASON_SELF_CONSISTENCY, 0, NULL,
        { { ROLE_DIRECT, OK, A }, { ROLE_PROGRAM, OK, PB }, { ROLE_DIRECT, OK, A }, { ROLE_PROGRAM, OK, PA },
          { ROLE_DIRECT, OK, B }, { ROLE_PROGRAM, OK, PB }, { ROLE_DIRECT, OK, A }, { ROLE_PROGRAM, OK, PA } },
        "42", "samples used up", OK, 8, 0, -2 },
      NULL, 5.0 / 8, 2.0 / 8, 0.5 },
    { { "nobody can catch up", REASON_SELF_CONSISTENCY, 0, NULL,
        { { ROLE_DIRECT, OK, A }, { ROLE_PROGRAM, OK, PA }, { ROLE_DIRECT, OK, A }, { ROLE_PROGRAM, OK, PB },
          { ROLE_DIRECT, OK, B }, { ROLE_PROGRAM, OK, PA }, { ROLE_DIRECT, OK, A } },
        "42", "vote decided", OK, 7, 0, -2 },
      NULL, 5.0 / 7, 3.0 / 7, 1 },
    { { "all differ: the surest leads", REASON_SELF_CONSISTENCY, 0, NULL,
        { { ROLE_DIRECT, OK, D }, { ROLE_PROGRAM, OK, PC }, { ROLE_DIRECT, OK, B }, { ROLE_PROGRAM, OK, PA },
          { ROLE_DIRECT, OK, "1" }, { ROLE_PROGRAM, OK, "{\"answer\":\"2\"}" }, { ROLE_DIRECT, OK, "3" },
          { ROLE_PROGRAM, OK, "{\"answer\":\"4\"}" } },
        "42", "samples used up", OK, 8, 0, -2 },
      NULL, 1.0 / 8, 0, -2 },
    { { "the evaluator votes, not the model's sum", REASON_SELF_CONSISTENCY, 0, NULL,
        { { ROLE_DIRECT, OK, A }, { ROLE_PROGRAM, OK, "{\"expression\":\"6*7\",\"answer\":\"41\",\"confidence\":0}" },
          { ROLE_DIRECT, OK, A }, { ROLE_PROGRAM, OK, "{\"expression\":\"6*7 = 40\",\"answer\":\"40\",\"confidence\":0}" } },
        "42", "vote settled", OK, 4, 0, (0.3 * 0.8 + 0.4 + 0.15) / 0.85 },
      FOUR, 1, 1, 1 },
    { { "a program's ramblings have no vote", REASON_SELF_CONSISTENCY, 0, NULL,
        { { ROLE_DIRECT, OK, A }, { ROLE_PROGRAM, OK, "let me see\n41" }, { ROLE_DIRECT, OK, A }, { ROLE_PROGRAM, OK, PA },
          { ROLE_DIRECT, OK, A } },
        "42", "vote settled", OK, 5, 0, -2 },
      FOUR "sample 5 (steps);", 1, 1, 1 },
    { { "prose cannot be compared", REASON_SELF_CONSISTENCY, 0, NULL,
        { { ROLE_DIRECT, OK, PROSE("until dawn") }, { ROLE_PROGRAM, OK, PROSE("by night") },
          { ROLE_DIRECT, OK, PROSE("at noon") }, { ROLE_PROGRAM, OK, PROSE("at dusk") } },
        "Hold the pass until dawn and then fall back to the second line along the river.", "nothing to compare", OK, 4, 0, 0.5 },
      FOUR, -1, -1, -1 },
    { { "what fails has no vote but its price", REASON_SELF_CONSISTENCY, 0, NULL,
        { { ROLE_DIRECT, OK, A }, { ROLE_PROGRAM, PROVIDER_CUT, NULL }, { ROLE_DIRECT, OK, A }, { ROLE_PROGRAM, OK, PA },
          { ROLE_DIRECT, OK, A } },
        "42", "vote settled", OK, 5, 0, -2 },
      NULL, 1, 1, 1 },
    { { "a hopeless fault ends the asking", REASON_SELF_CONSISTENCY, 0, NULL,
        { { ROLE_DIRECT, OK, A }, { ROLE_PROGRAM, PROVIDER_AUTH, NULL }, { ROLE_DIRECT, OK, A }, { ROLE_PROGRAM, OK, PA } },
        "42", "samples failed", OK, 4, 0, -2 },
      NULL, 1, 1, 1 },
    { { "all fail", REASON_SELF_CONSISTENCY, 0, NULL,
        { { ROLE_DIRECT, PROVIDER_AUTH, NULL }, { ROLE_PROGRAM, PROVIDER_AUTH, NULL }, { ROLE_DIRECT, PROVIDER_AUTH, NULL },
          { ROLE_PROGRAM, PROVIDER_AUTH, NULL } },
        NULL, "failed", PROVIDER_AUTH, 4, 0, -1 },
      NULL, -1, -1, -1 },
    { { "all are cut off", REASON_SELF_CONSISTENCY, 0, NULL,
        { { ROLE_DIRECT, PROVIDER_CUT, NULL }, { ROLE_PROGRAM, PROVIDER_CUT, NULL }, { ROLE_DIRECT, OK, "" },
          { ROLE_PROGRAM, PROVIDER_CUT, NULL }, { ROLE_DIRECT, PROVIDER_CUT, NULL }, { ROLE_PROGRAM, PROVIDER_CUT, NULL },
          { ROLE_DIRECT, OK, "" }, { ROLE_PROGRAM, PROVIDER_CUT, NULL } },
        NULL, "failed", PROVIDER_CUT, 8, 0, -1 },
      NULL, -1, -1, -1 },
    { { "refused answers have no vote", REASON_SELF_CONSISTENCY, VERIFY_REGEX, "[0-9]+ m",
        { { ROLE_DIRECT, OK, B }, { ROLE_PROGRAM, OK, PB }, { ROLE_DIRECT, OK, B }, { ROLE_PROGRAM, OK, PB },
          { ROLE_DIRECT, OK, B }, { ROLE_PROGRAM, OK, PB }, { ROLE_DIRECT, OK, B }, { ROLE_PROGRAM, OK, "{\"answer\":\"42 m\"}" } },
        "42 m", "verified", OK, 8, 0, 0.9 },
      NULL, -2, -2, -2 },
    { { "all are refused", REASON_SELF_CONSISTENCY, VERIFY_EXACT, "7",
        { { ROLE_DIRECT, OK, B }, { ROLE_PROGRAM, OK, PA }, { ROLE_DIRECT, OK, B }, { ROLE_PROGRAM, OK, PB },
          { ROLE_DIRECT, OK, B }, { ROLE_PROGRAM, OK, PB }, { ROLE_DIRECT, OK, B }, { ROLE_PROGRAM, OK, PC } },
        "42", "samples used up", OK, 8, 0, 0.08 },
      NULL, -1, -1, -1 },
};
/* clang-format on */

static void plays_scenes(void)
{
    for (size_t i = 0; i < ARRAY_LEN(plays); i++) {
        const struct verifier verifier = { plays[i].scene.verifier, str_from(plays[i].scene.spec) };
        struct world w;
        int failures = check_failures;
        scene_check(&plays[i].scene, &usual, plays[i].log);
        REQUIRE(world_open(&w, plays[i].scene.strategy, &usual, &verifier) == OK);
        world_play(&w, &plays[i].scene, &plenty);
        struct signals s = reason_best(w.reason).signals;
        if (plays[i].vote_share > -2)
            CHECK_NEAR(s.vote_share, plays[i].vote_share, 1e-12);
        if (plays[i].margin > -2)
            CHECK_NEAR(s.margin, plays[i].margin, 1e-12);
        if (plays[i].agreement > -2)
            CHECK_NEAR(s.agreement, plays[i].agreement, 1e-12);
        if (check_failures > failures)
            fprintf(stderr, "in scene \"%s\"\n", plays[i].scene.name);
        world_close(&w);
    }
}

/* At exactly the probability it stops: three that agree are 15/16. */
static void obeys_its_configuration(void)
{
    static const struct {
        double stop;
        int samples_max;
        int calls; /* when all agree */
    } rows[] = {
        { 0.0, 0, 4 },  { 0.9375, 0, 3 }, { 0.93750001, 0, 4 },    { 0.74, 0, 1 },   { 0.75, 0, 1 },
        { 0.76, 0, 2 }, { 0.99, 0, 6 },   { 0.999, 0, 8 },         { 0.999, 20, 9 }, { 0.95, 3, 3 },
        { 0.95, 1, 1 }, { 1.0, 0, 4 },    { 0.9999999, 1000, 23 }, { 0.5, 0, 4 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct reason_budget left = plenty;
        struct reason_config config = usual;
        struct reason_outcome told = { .text = STR(PA) };
        struct world w;
        int calls = 0;
        config.self_consistency.stop_probability = rows[i].stop;
        config.self_consistency.samples_max = rows[i].samples_max;
        REQUIRE(world_open(&w, REASON_SELF_CONSISTENCY, &config, &no_verifier) == OK);
        while (!reason_done(w.reason)) {
            struct reason_call asked[REASON_CALLS_AT_ONCE];
            size_t n = reason_ask(w.reason, &left, asked);
            REQUIRE(n > 0);
            calls += (int)n;
            for (size_t k = 0; k < n; k++) {
                CHECK_INT(asked[k].role, asked[k].id % 2 == 1 ? ROLE_DIRECT : ROLE_PROGRAM);
                CHECK_INT(asked[k].model, REASON_MODEL_MAIN);
                reason_tell(w.reason, asked[k].id, &told);
            }
        }
        CHECK_INT(calls, rows[i].calls);
        world_close(&w);
    }
}

/* All that could settle it go out together. */
static void asks_in_batches(void)
{
    struct reason_call calls[REASON_CALLS_AT_ONCE];
    struct world w;

    REQUIRE(world_open(&w, REASON_SELF_CONSISTENCY, &usual, &no_verifier) == OK);
    REQUIRE(reason_ask(w.reason, &plenty, calls) == 4);
    struct reason_call more[REASON_CALLS_AT_ONCE];
    CHECK_INT(reason_ask(w.reason, &plenty, more), 0);
    for (size_t i = 0; i < 4; i++)
        reason_tell(w.reason, calls[i].id, &(struct reason_outcome){ .text = STR(A) });
    CHECK(reason_done(w.reason));
    world_close(&w);
}

/* A verifier's word ends it while others are still under way. */
static void stops_when_verified(void)
{
    const struct verifier exact = { VERIFY_EXACT, S("42") };
    struct reason_call calls[REASON_CALLS_AT_ONCE];
    struct world w;

    REQUIRE(world_open(&w, REASON_SELF_CONSISTENCY, &usual, &exact) == OK);
    REQUIRE(reason_ask(w.reason, &plenty, calls) == 4);
    reason_tell(w.reason, calls[1].id, &(struct reason_outcome){ .text = STR(PB) });
    CHECK(!reason_done(w.reason));
    CHECK_STR(reason_best(w.reason).answer, STR("41"));
    reason_tell(w.reason, calls[2].id, &(struct reason_outcome){ .text = STR(A) });
    CHECK(reason_done(w.reason));
    CHECK_STR(reason_best(w.reason).answer, STR("42"));
    world_close(&w);
}

/* In whatever order the samples are told, the same is asked next and the same is best. */
static void the_order_of_tells_changes_nothing(void)
{
    static const char *const said[] = { A, PB, B, PA, C, PC, D, PD };
    struct rng rng;
    double confidence = 0.0;
    str answer = { 0 };

    rng_init(&rng, 7);
    for (int round = 0; round < 50; round++) {
        struct reason_budget left = plenty;
        struct world w;
        REQUIRE(world_open(&w, REASON_SELF_CONSISTENCY, &usual, &no_verifier) == OK);
        while (!reason_done(w.reason)) {
            struct reason_call calls[REASON_CALLS_AT_ONCE];
            size_t n = reason_ask(w.reason, &left, calls);
            REQUIRE(n > 0);
            for (size_t k = n; k > 0; k--) {
                size_t at = round == 0 ? 0 : (size_t)rng_below(&rng, k);
                struct reason_outcome outcome = { .text = str_from(said[calls[at].id - 1]) };
                reason_tell(w.reason, calls[at].id, &outcome);
                memmove(&calls[at], &calls[at + 1], (k - at - 1) * sizeof(calls[0]));
                best_is_valid(w.reason);
            }
        }
        struct reason_best best = reason_best(w.reason);
        if (round == 0) {
            answer = STR("42");
            confidence = best.confidence;
        }
        CHECK_STR(best.answer, answer);
        CHECK(best.confidence == confidence);
        world_close(&w);
    }
}

TESTS(TEST(the_rule_is_exact), TEST(the_rule_is_the_integral), TEST(plays_scenes),
      TEST(obeys_its_configuration), TEST(asks_in_batches), TEST(stops_when_verified),
      TEST(the_order_of_tells_changes_nothing))
