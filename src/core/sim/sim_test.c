/* SPDX-License-Identifier: Apache-2.0 */
/* sim: what it finds in prompts, that it is deterministic, and how often it is right. */
#include "core/sim/sim.h"

#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "core/sim/sim_internal.h"
#include "test/check.h"

static void finds_arithmetic(void)
{
    static const struct {
        const char *text;
        const char *expression; /* NULL: none */
        const char *value;
    } cases[] = {
        { "What is 17 + 25?", "17+25", "42" },
        { "What is 17 plus 25?", "17+25", "42" },
        { "What is 6 times 7 minus 2?", "6*7-2", "40" },
        { "12*(3+4)", "12*(3+4)", "84" },
        { "2 - -3", "2--3", "5" },
        { "8 divided by 3", "8/3", "8/3" },
        { "5 / 2 = ?", "5/2", "2.5" },
        { "1/8 - 1", "1/8-1", "-0.875" },
        { "4 x 5", "4*5", "20" },
        { "4x5", "4*5", "20" },
        { "6 \xc3\xb7 2 \xc3\x97 3 \xe2\x88\x92 1", "6/2*3-1", "8" },
        { "It costs $1,200 + $0.50 in all.", "1200+0.50", "1200.5" },
        { "3 apples, 1 + 2 pears, 4 + 5 + 6 plums", "4+5+6", "15" },
        { "1 + 2 or 3 + 4", "1+2", "3" },
        { "(1 + 2 or 3 + 4", "1+2", "3" },
        { "3 + 4 and", "3+4", "7" },
        { "3 + a", NULL, NULL },
        { "a12 + 3", NULL, NULL },
        { "a 12-year-old", NULL, NULL },
        { "on 2026-08-06", NULL, NULL },
        { "5 / 0", NULL, NULL },
        { "1 / (2 - 2)", "(2-2)", "0" },
        { "9223372036854775807 + 1", NULL, NULL },
        { "99999999999999999999 + 1", NULL, NULL },
        { "7 timesheets 8", NULL, NULL },
        { "v1.2 + 3", NULL, NULL },
        { "nothing to see", NULL, NULL },
        { "", NULL, NULL },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct sim_expression found;
        char number[SIM_NUMBER_MAX];
        bool is_found = sim_expression_find(str_from(cases[i].text), &found);
        if (is_found != (cases[i].expression != NULL))
            fprintf(stderr, "    in \"%s\"\n", cases[i].text);
        CHECK(is_found == (cases[i].expression != NULL));
        if (!is_found || !cases[i].expression)
            continue;
        CHECK_STR(((str){ found.text, found.len }), str_from(cases[i].expression));
        CHECK_STR(sim_number_format(found.value, number), str_from(cases[i].value));
    }
}

/* Sums and products of small numbers, written with random spaces and words, against plain integers. */
static void evaluates_like_integers(void)
{
    static const char *const plus[] = { "+", " + ", " plus " };
    static const char *const times[] = { "*", " * ", " times " };
    struct rng r;

    rng_init(&r, 7);
    for (int round = 0; round < 2000; round++) {
        long long a = (long long)rng_below(&r, 1000), b = (long long)rng_below(&r, 1000);
        long long c = (long long)rng_below(&r, 1000), d = (long long)rng_below(&r, 1000);
        char text[160], want[32], number[SIM_NUMBER_MAX];
        snprintf(text, sizeof text, "so %lld%s%lld%s(%lld - %lld) then", a,
                 plus[rng_below(&r, ARRAY_LEN(plus))], b, times[rng_below(&r, ARRAY_LEN(times))], c,
                 d);
        snprintf(want, sizeof want, "%lld", a + b * (c - d));
        struct sim_expression found;
        REQUIRE(sim_expression_find(str_from(text), &found));
        CHECK_INT(found.operators, 3);
        CHECK_STR(sim_number_format(found.value, number), str_from(want));
    }
}

/* Sixty parentheses are too deep: the expression begins at the first that is not. */
static void bounds_the_depth(void)
{
    struct sim_expression found;
    char text[200];

    memset(text, '(', 60);
    memcpy(text + 60, "1+1", 3);
    memset(text + 63, ')', 60);
    REQUIRE(sim_expression_find((str){ text, 123 }, &found));
    CHECK_INT(found.len, 2 * 24 + 3);
}

/* Random bytes of the grammar's alphabet neither trip the finder nor yield an empty expression. */
static void survives_nonsense(void)
{
    static const char alphabet[] = "0123456789+-*/().,$ x plustimes\xc3\x97";
    struct rng r;

    rng_init(&r, 11);
    for (int round = 0; round < 3000; round++) {
        char text[300];
        size_t len = (size_t)rng_below(&r, sizeof text);
        for (size_t i = 0; i < len; i++)
            text[i] = alphabet[rng_below(&r, sizeof alphabet - 1)];
        struct sim_expression found;
        if (sim_expression_find((str){ text, len }, &found)) {
            CHECK(found.len > 0);
            CHECK(found.operators > 0);
            CHECK(found.value.denominator > 0);
        }
    }
}

/* The answer to a request, its text kept in the caller's arena. */
static struct sim_answer ask(struct arena *arena, const struct sim_request *request)
{
    struct sim_answer answer = { 0 };

    CHECK_ERR(sim_ask(arena, request, &answer), OK);
    return answer;
}

static void check_same(const struct sim_answer *a, const struct sim_answer *b)
{
    CHECK_STR(a->text, b->text);
    CHECK_INT(a->first_token, b->first_token);
    CHECK_INT(a->per_token, b->per_token);
    CHECK_INT(a->prompt_tokens, b->prompt_tokens);
    CHECK_INT(a->completion_tokens, b->completion_tokens);
    CHECK_INT(a->fault, b->fault);
}

static void is_deterministic(void)
{
    static const char *const models[] = { "gpt-4o", "gpt-4o-mini", "smollm2-135m-instruct", "x" };
    struct arena arena;
    struct rng r;

    arena_init(&arena, (size_t)64 << 20);
    rng_init(&r, 3);
    for (int round = 0; round < 2000; round++) {
        char prompt[100];
        snprintf(prompt, sizeof prompt, round % 2 ? "What is %d + %d?" : "Tell me about %d or %d",
                 (int)rng_below(&r, 500), (int)rng_below(&r, 500));
        struct sim_request request = { .seed = rng_u64(&r),
                                       .model = str_from(models[rng_below(&r, 4)]),
                                       .prompt = str_from(prompt),
                                       .temperature = round % 3 ? 0.0 : 0.7,
                                       .salt = rng_u64(&r),
                                       .arrival = rng_u64(&r),
                                       .fault_rate = round % 5 ? 0.0 : 0.5 };
        struct sim_answer first = ask(&arena, &request), second = ask(&arena, &request);
        check_same(&first, &second);
        if (request.temperature == 0.0) {
            request.salt = rng_u64(&r);
            struct sim_answer other = ask(&arena, &request);
            check_same(&first, &other);
        }
    }
    arena_fini(&arena);
}

/* A warm model does vary with the salt, and so does the delivery with the arrival. */
static void varies_where_it_should(void)
{
    struct arena arena;
    int texts = 0, latencies = 0, seeds = 0;

    arena_init(&arena, (size_t)16 << 20);
    struct sim_request request = { .model = STR("smollm2-135m-instruct"),
                                   .prompt = STR("What is 12 + 30?"),
                                   .temperature = 1.0 };
    struct sim_answer first = ask(&arena, &request);
    for (uint64_t i = 1; i <= 200; i++) {
        struct sim_request salted = request, later = request, reseeded = request;
        salted.salt = i;
        later.arrival = i;
        reseeded.seed = i;
        texts += !str_eq(ask(&arena, &salted).text, first.text);
        struct sim_answer after = ask(&arena, &later);
        CHECK_STR(after.text, first.text);
        latencies += after.first_token != first.first_token;
        seeds += !str_eq(ask(&arena, &reseeded).text, first.text);
    }
    CHECK(texts > 20);
    CHECK(seeds > 20);
    CHECK(latencies > 190);
    arena_fini(&arena);
}

/* Over 4,000 prompts the share of right answers lies within four standard errors of the skill. */
static void is_as_skilled_as_its_profile(void)
{
    enum { PROMPTS = 4000 };
    static const char *const models[] = { "gpt-4o", "gpt-4o-mini", "smollm2-135m-instruct",
                                          "someone-else" };
    struct arena arena;

    for (size_t m = 0; m < ARRAY_LEN(models); m++) {
        double skill = sim_profile_find(str_from(models[m]))->skill;
        int right = 0;
        for (int i = 0; i < PROMPTS; i++) {
            char prompt[64], want[64];
            snprintf(prompt, sizeof prompt, "What is %d * %d?", i + 2, 7 + i % 13);
            snprintf(want, sizeof want, "Answer: %d", (i + 2) * (7 + i % 13));
            struct sim_request request = { .seed = 5,
                                           .model = str_from(models[m]),
                                           .prompt = str_from(prompt),
                                           .temperature = i % 2 ? 0.0 : 1.0,
                                           .salt = (uint64_t)i };
            arena_init(&arena, 1 << 16);
            struct sim_answer answer = ask(&arena, &request);
            CHECK(answer.has_arithmetic);
            CHECK(str_ends(answer.text, str_from(want)) == answer.is_right);
            right += answer.is_right;
            arena_fini(&arena);
        }
        double band = 4.0 * sqrt(skill * (1.0 - skill) / PROMPTS);
        CHECK_NEAR((double)right / PROMPTS, skill, band);
    }
}

/* Two samples of one question err together more often than chance: with probability
 * SIM_SHARED_LUCK squared both follow the question, otherwise they are independent. */
static void shares_some_luck(void)
{
    enum { PROMPTS = 4000 };
    double wrong = 1.0 - sim_profile_find(STR("smollm2-135m-instruct"))->skill;
    double together = SIM_SHARED_LUCK * SIM_SHARED_LUCK;
    double want = together * wrong + (1.0 - together) * wrong * wrong;
    int both_wrong = 0;

    for (int i = 0; i < PROMPTS; i++) {
        struct arena arena;
        char prompt[64];
        arena_init(&arena, 1 << 16);
        snprintf(prompt, sizeof prompt, "What is %d + 9?", i);
        struct sim_request request = { .seed = 8,
                                       .model = STR("smollm2-135m-instruct"),
                                       .prompt = str_from(prompt),
                                       .temperature = 1.0 };
        struct sim_answer first = ask(&arena, &request);
        request.salt = 1;
        both_wrong += !first.is_right && !ask(&arena, &request).is_right;
        arena_fini(&arena);
    }
    CHECK_NEAR((double)both_wrong / PROMPTS, want, 4.0 * sqrt(want * (1.0 - want) / PROMPTS));
}

/* First tokens have the profile's median: half of the draws lie below it, within four standard errors. */
static void latency_has_its_median(void)
{
    enum { CALLS = 4000 };
    const struct sim_profile *profile = sim_profile_find(STR("gpt-4o"));
    struct arena arena;
    int below = 0;

    for (uint64_t i = 0; i < CALLS; i++) {
        arena_init(&arena, 1 << 16);
        struct sim_request request = { .model = STR("gpt-4o"), .prompt = STR("hi"), .arrival = i };
        struct sim_answer answer = ask(&arena, &request);
        CHECK(answer.first_token > 0);
        below += (double)answer.first_token < profile->first_token_ms * (double)NSEC_PER_MS;
        arena_fini(&arena);
    }
    CHECK_NEAR((double)below / CALLS, 0.5, 4.0 * 0.5 / sqrt(CALLS));
}

static void faults_come_at_their_rate(void)
{
    enum { CALLS = 4000 };
    struct arena arena;
    int faults = 0, kinds[ERR_COUNT] = { 0 };

    for (uint64_t i = 0; i < CALLS; i++) {
        arena_init(&arena, 1 << 16);
        struct sim_request request = {
            .model = STR("gpt-4o"), .prompt = STR("hi"), .arrival = i, .fault_rate = 0.2
        };
        struct sim_answer answer = ask(&arena, &request);
        faults += answer.fault != OK;
        kinds[answer.fault]++;
        CHECK((answer.text.len > 0) == (answer.fault == OK || answer.fault == PROVIDER_CUT));
        arena_fini(&arena);
    }
    CHECK_NEAR((double)faults / CALLS, 0.2, 4.0 * sqrt(0.2 * 0.8 / CALLS));
    CHECK(kinds[PROVIDER_RATE_LIMITED] > kinds[PROVIDER_GARBAGE]);
    CHECK(kinds[PROVIDER_FIRST_BYTE] > 0);
    CHECK(kinds[PROVIDER_CUT] > 0);
}

static void answers_in_the_form_asked_for(void)
{
    static const struct {
        const char *prompt;
        const char *schema;
        bool wants_json;
        const char *starts;
        const char *holds;
        const char *lacks; /* NULL: nothing */
    } cases[] = {
        { "Tell me a story", "", false, "simulated", "", "{" },
        { "What is 2+2?", "", false, "simulated", "\nAnswer: ", "{" },
        { "What is 2+2?", "", true, "{\"answer\": \"", ", \"confidence\": 0.", "subq" },
        { "Tell me a story", "", true, "{\"answer\": \"simulated", "\"confidence\": 0.", "subq" },
        { "Reply in JSON: {\"answer\": \"...\"}. 2+2?", "", false, "{\"answer\": \"", "}", "conf" },
        { "JSON {\"answer\",\"confidence\",\"subquestions\":[{\"expression\"}]} Question: 2+2", "",
          false, "{\"answer\": \"", "\"subquestions\": []}", "expression" },
        { "Question: 20+22", "{\"properties\":{\"expression\":{\"type\":\"string\"}}}", false,
          "{\"expression\": \"20+22", "\"}", "answer" },
        { "JSON \"steps\", such as 3*4 and 5*6*7. Question: 20+22", "", false, "{\"steps\": \"sim",
          "\"}", "answer" },
        { "JSON {\"expression\"} such as 3*4*5*6. Question: What is 20+22?\n", "", false,
          "{\"expression\": \"20+22", "\"}", NULL },
    };
    struct arena arena;

    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct sim_request request = { .model = STR("gpt-4o"),
                                       .prompt = str_from(cases[i].prompt),
                                       .schema = str_from(cases[i].schema),
                                       .wants_json = cases[i].wants_json };
        str text = ask(&arena, &request).text;
        bool is_right = str_starts(text, str_from(cases[i].starts)) &&
                        str_find(text, str_from(cases[i].holds)) != STR_NPOS &&
                        (!cases[i].lacks || str_find(text, str_from(cases[i].lacks)) == STR_NPOS);
        if (!is_right)
            fprintf(stderr, "    %s\n    gave %.*s\n", cases[i].prompt, STR_ARG(text));
        CHECK(is_right);
    }
    arena_fini(&arena);
}

/* A checking prompt gets a verdict that follows the proposed answer (but for the model's own slips). */
static void judges_proposals(void)
{
    struct arena arena;
    int agreed = 0;

    arena_init(&arena, 4 << 20);
    for (int i = 0; i < 400; i++) {
        char prompt[200];
        bool is_sound = i % 2 == 0;
        snprintf(prompt, sizeof prompt,
                 "JSON {\"sound\": true}\nQuestion: What is %d + 5?\nProposed answer: %d\n", i,
                 i + 5 + !is_sound);
        struct sim_request request = { .model = STR("gpt-4o"), .prompt = str_from(prompt) };
        str text = ask(&arena, &request).text;
        agreed += str_eq(text, is_sound ? STR("{\"sound\": true}") : STR("{\"sound\": false}"));
    }
    CHECK(agreed >= 380);
    CHECK(agreed <= 400);
    arena_fini(&arena);
}

static void finds_profiles(void)
{
    size_t count;

    CHECK(sim_profiles(&count) != NULL);
    CHECK_INT(count, 3);
    CHECK_STR(str_from(sim_profile_find(STR("gpt-4o"))->model), STR("gpt-4o"));
    CHECK_STR(str_from(sim_profile_find(STR("gpt-4o-2024-08-06"))->model), STR("gpt-4o"));
    CHECK_STR(str_from(sim_profile_find(STR("gpt-4o-mini-2024-07-18"))->model), STR("gpt-4o-mini"));
    CHECK_STR(str_from(sim_profile_find(STR("gpt-4o-max"))->model), STR("default"));
    CHECK_STR(str_from(sim_profile_find(STR(""))->model), STR("default"));
}

static void says_when_memory_ends(void)
{
    struct arena arena;
    struct sim_request request = { .model = STR("gpt-4o"), .prompt = STR("hello") };
    struct sim_answer answer = { .prompt_tokens = -1 };

    arena_init(&arena, 16);
    CHECK_ERR(sim_ask(&arena, &request, &answer), WEIR_NO_MEMORY);
    CHECK_INT(answer.prompt_tokens, -1);
    arena_fini(&arena);
}

TESTS(TEST(finds_arithmetic), TEST(evaluates_like_integers), TEST(bounds_the_depth),
      TEST(survives_nonsense), TEST(shares_some_luck), TEST(is_deterministic),
      TEST(varies_where_it_should), TEST(is_as_skilled_as_its_profile),
      TEST(latency_has_its_median), TEST(faults_come_at_their_rate),
      TEST(answers_in_the_form_asked_for), TEST(judges_proposals), TEST(finds_profiles),
      TEST(says_when_memory_ends))
