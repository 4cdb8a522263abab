/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the verifiers. */
#include "core/reason/reason_internal.h"
#include "test/check.h"

#define S(text)                                                                                    \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }

static const struct {
    enum verifier_kind kind;
    str spec;
    str answer;
    enum verdict want;
} rows[] = {
    { VERIFY_NONE, S(""), S("x"), VERDICT_UNKNOWN },
    { VERIFY_ARITHMETIC, S("12*(3+4)"), S("84"), VERDICT_PASS },
    { VERIFY_ARITHMETIC, S("12*(3+4)"), S("$84.00"), VERDICT_PASS },
    { VERIFY_ARITHMETIC, S("12*(3+4)"), S("85"), VERDICT_FAIL },
    { VERIFY_ARITHMETIC, S("12*(3+4)"), S("eighty-four"), VERDICT_FAIL },
    { VERIFY_ARITHMETIC, S("1/3"), S("0.33"), VERDICT_PASS },
    { VERIFY_ARITHMETIC, S("1/3"), S("0.3"), VERDICT_FAIL },
    { VERIFY_ARITHMETIC, S("2.456"), S("2.46"), VERDICT_FAIL },
    { VERIFY_REGEX, S("[0-9]{4}"), S("2024"), VERDICT_PASS },
    { VERIFY_REGEX, S("[0-9]{4}"), S("in 2024"), VERDICT_FAIL },
    { VERIFY_REGEX, S("a|ab"), S("ab"), VERDICT_PASS },
    { VERIFY_REGEX, S("a|ab"), S("abc"), VERDICT_FAIL },
    { VERIFY_REGEX, S("a*"), S(""), VERDICT_PASS },
    { VERIFY_REGEX, S("([a-z]+ [a-z]+,?)+( and [0-9]+)?"), S("as dry as, so cold and 7"),
      VERDICT_FAIL },
    { VERIFY_REGEX,
      S("[a-z]+-[a-z]+-[a-z]+-[a-z]+-[a-z]+-[a-z]+-[a-z]+-[a-z]+-[a-z]+-[a-z]+-[a-z]+-[a-z]+"),
      S("a-b-c-d-e-f-g-h-i-j-k-l"), VERDICT_PASS },
    { VERIFY_REGEX, S("a.b"), S("a\0b"), VERDICT_FAIL },
    { VERIFY_EXACT, S("Paris"), S("paris."), VERDICT_PASS },
    { VERIFY_EXACT, S("Paris"), S("Rome"), VERDICT_FAIL },
    { VERIFY_EXACT, S("72"), S("$72"), VERDICT_PASS },
    { VERIFY_EXACT, S("72 usd"), S("72"), VERDICT_FAIL },
    { VERIFY_EXACT, S("3600"), S("1 h"), VERDICT_FAIL },
    { VERIFY_EXACT, S("(B)"), S("b"), VERDICT_PASS },
    { VERIFY_EXACT, S("72"), S(""), VERDICT_FAIL },
    { VERIFY_JSON_SCHEMA, S("{\"type\":\"object\",\"required\":[\"a\"]}"), S("{\"a\":1}"),
      VERDICT_PASS },
    { VERIFY_JSON_SCHEMA, S("{\"type\":\"object\",\"required\":[\"a\"]}"),
      S("```json\n{\"a\":1}\n```"), VERDICT_PASS },
    { VERIFY_JSON_SCHEMA, S("{\"type\":\"object\",\"required\":[\"a\"]}"), S("{\"b\":1}"),
      VERDICT_FAIL },
    { VERIFY_JSON_SCHEMA, S("{\"type\":\"object\",\"required\":[\"a\"]}"), S("{\"b\":"),
      VERDICT_FAIL },
    { VERIFY_JSON_SCHEMA, S("{}"), S("```json"), VERDICT_FAIL }, /* a fence that was cut off */
    { VERIFY_JSON_SCHEMA, S("{}"), S("```json\n7"), VERDICT_PASS },
};

static void gives_verdicts(void)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena a;
        const struct verifier v = { rows[i].kind, rows[i].spec };
        enum verdict got = VERDICT_UNKNOWN;
        str why = { 0 };
        arena_init(&a, 1 << 20);
        CHECK_ERR(verifier_check(&v, rows[i].answer, &a, &got, &why), OK);
        if (got != rows[i].want)
            fprintf(stderr, "row %zu: %.*s\n", i, STR_ARG(rows[i].answer));
        CHECK_INT(got, rows[i].want);
        CHECK_INT(why.len > 0, got == VERDICT_FAIL);
        arena_fini(&a);
    }
}

static void refuses_bad_specs(void)
{
    static const struct verifier bad[] = {
        { VERIFY_ARITHMETIC, S("1+") },
        { VERIFY_ARITHMETIC, S("") },
        { VERIFY_REGEX, S("(") },
        { VERIFY_REGEX, S("") },
        { VERIFY_REGEX, S("a\0b") },
        { VERIFY_REGEX, S("(a)\\1") },
        { VERIFY_REGEX, S("((a{1,99}){1,99}){1,99}") },
        { VERIFY_REGEX, S("a++++++++++++") },
        { VERIFY_REGEX, S("(((((((((((((a)+)+)+)+)+)+)+)+)+)+)+)+)+") },
        { VERIFY_EXACT, S("  ") },
        { VERIFY_JSON_SCHEMA, S("{") },
        { VERIFY_JSON_SCHEMA, S("{\"no such keyword\":1}") },
        { VERIFY_NUMBER, S("") },
        { VERIFY_NUMBER, S("42") },
        { VERIFY_NUMBER, S("{}") },
        { VERIFY_NUMBER, S("{\"value\":\"42\"}") },
        { VERIFY_NUMBER, S("{\"value\":42,\"tolerance\":-1}") },
        { VERIFY_NUMBER, S("{\"value\":42,\"relative\":\"1%\"}") },
        { VERIFY_NUMBER, S("{\"value\":42,\"unit\":\"\"}") },
        { VERIFY_NUMBER, S("{\"value\":42,\"unit\":7}") },
        { VERIFY_NUMBER, S("{\"value\":42,\"unit\":\"a, b\"}") },
        { VERIFY_NUMBER, S("{\"value\":42,\"units\":\"m\"}") },
        { VERIFY_GAME24, S("") },
        { VERIFY_GAME24, S("24") },
        { VERIFY_GAME24, S("4 9 x 13") },
        { VERIFY_GAME24, S("4,9,10,13") },
        { VERIFY_GAME24, S("4 9 10 1000") },
        { VERIFY_GAME24, S("-4 9 10 13") },
        { VERIFY_GAME24, S("1 2 3 4 5 6 7 8 9") },
        { VERIFY_SCHEDULE, S("[]") },
        { VERIFY_SCHEDULE, S("{\"jobs\":[],\"makespan\":1}") },
        { VERIFY_SCHEDULE, S("{\"jobs\":[[]],\"makespan\":1}") },
        { VERIFY_SCHEDULE, S("{\"jobs\":[[[1,1]],[]],\"makespan\":1}") },
        { VERIFY_SCHEDULE, S("{\"jobs\":[[[1]]],\"makespan\":1}") },
        { VERIFY_SCHEDULE, S("{\"jobs\":[[[1,2,3]]],\"makespan\":1}") },
        { VERIFY_SCHEDULE, S("{\"jobs\":[{\"a\":1}],\"makespan\":1}") },
        { VERIFY_SCHEDULE, S("{\"jobs\":[[[1,-2]]],\"makespan\":1}") },
        { VERIFY_SCHEDULE, S("{\"jobs\":[[[1,2]]]}") },
        { VERIFY_SCHEDULE, S("{\"jobs\":[[[1,2]]],\"makespan\":1.5}") },
        { VERIFY_SCHEDULE, S("{\"jobs\":[[[1,2]]],\"makespan\":1,\"more\":1}") },
        { VERIFY_RUBRIC, S("{}") },
        { VERIFY_RUBRIC, S("{\"need\":1,\"points\":[]}") },
        { VERIFY_RUBRIC, S("{\"need\":0,\"points\":[{\"name\":\"a\",\"any\":[\"x\"]}]}") },
        { VERIFY_RUBRIC, S("{\"need\":2,\"points\":[{\"name\":\"a\",\"any\":[\"x\"]}]}") },
        { VERIFY_RUBRIC, S("{\"need\":1,\"points\":[{\"name\":\"a\",\"any\":[]}]}") },
        { VERIFY_RUBRIC, S("{\"need\":1,\"points\":[{\"name\":\"a\",\"any\":[\" \"]}]}") },
        { VERIFY_RUBRIC, S("{\"need\":1,\"points\":[{\"any\":[\"x\"]}]}") },
        { VERIFY_RUBRIC, S("{\"need\":1,\"points\":[{\"name\":\"a\",\"all\":[\"x\"]}]}") },
        { VERIFY_RUBRIC,
          S("{\"need\":1,\"points\":[{\"name\":\"a\",\"any\":[\"x\"]}],\"never\":\"y\"}") },
        { VERIFY_RUBRIC,
          S("{\"need\":1,\"points\":[{\"name\":\"a\",\"any\":[\"x\"]}],\"never\":[\"\"]}") },
    };

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct arena a;
        enum verdict got = VERDICT_PASS;
        str why = STR("kept");
        arena_init(&a, 1 << 20);
        CHECK_ERR(verifier_check(&bad[i], STR("0"), &a, &got, &why), CALLER_BAD_REQUEST);
        CHECK_INT(got, VERDICT_PASS);
        CHECK_STR(why, STR("kept"));
        arena_fini(&a);
    }
}

/* The model must not learn the answer from the verifier. */
static void never_tells_the_answer(void)
{
    const struct verifier secret[] = {
        { VERIFY_ARITHMETIC, S("6*7") },
        { VERIFY_EXACT, S("42") },
        { VERIFY_NUMBER, S("{\"value\":42}") },
        { VERIFY_NUMBER, S("{\"value\":42,\"unit\":\"m\"}") },
        { VERIFY_RUBRIC,
          S("{\"need\":1,\"points\":[{\"name\":\"n\",\"any\":[\"42\"]}],\"never\":[\"43\"]}") },
    };

    for (size_t i = 0; i < ARRAY_LEN(secret); i++) {
        struct arena a;
        enum verdict got;
        str why;
        arena_init(&a, 1 << 20);
        REQUIRE(verifier_check(&secret[i], STR("41"), &a, &got, &why) == OK);
        CHECK_INT(got, VERDICT_FAIL);
        CHECK(str_find(why, STR("42")) == STR_NPOS);
        CHECK(str_find(why, secret[i].spec) == STR_NPOS);
        arena_fini(&a);
    }
}

/* ---- numbers ---- */

static const struct {
    str spec;
    str answer;
    enum verdict want;
} number_rows[] = {
    { S("{\"value\":254.8,\"tolerance\":0.5,\"unit\":\"m\"}"), S("254.8 m"), VERDICT_PASS },
    { S("{\"value\":254.8,\"tolerance\":0.5,\"unit\":\"m\"}"), S("about 255 meters."),
      VERDICT_PASS },
    { S("{\"value\":254.8,\"tolerance\":0.5,\"unit\":\"m\"}"), S("$R = 0.2548 \\text{ km}$"),
      VERDICT_PASS },
    { S("{\"value\":254.8,\"tolerance\":0.5,\"unit\":\"m\"}"), S("R = 0.2548 km"), VERDICT_PASS },
    { S("{\"value\":254.8,\"tolerance\":0.5,\"unit\":\"m\"}"), S("255"), VERDICT_PASS },
    { S("{\"value\":254.8,\"tolerance\":0.5,\"unit\":\"m\"}"), S("0.2548"), VERDICT_FAIL },
    { S("{\"value\":254.8,\"tolerance\":0.5,\"unit\":\"m\"}"), S("255.3"),
      VERDICT_PASS }, /* the edge */
    { S("{\"value\":254.8,\"tolerance\":0.5,\"unit\":\"m\"}"), S("254.3 m"), VERDICT_PASS },
    { S("{\"value\":254.8,\"tolerance\":0.5,\"unit\":\"m\"}"), S("255.31"), VERDICT_FAIL },
    { S("{\"value\":254.8,\"tolerance\":0.5,\"unit\":\"m\"}"), S("254.29"), VERDICT_FAIL },
    { S("{\"value\":254.8,\"tolerance\":0.5,\"unit\":\"m\"}"), S("254.8 s"), VERDICT_FAIL },
    { S("{\"value\":254.8,\"tolerance\":0.5,\"unit\":\"m\"}"), S("254.8 m/s"), VERDICT_FAIL },
    { S("{\"value\":254.8,\"tolerance\":0.5,\"unit\":\"m\"}"), S("-254.8 m"), VERDICT_FAIL },
    { S("{\"value\":254.8,\"tolerance\":0.5,\"unit\":\"m\"}"), S("255%"), VERDICT_FAIL },
    { S("{\"value\":254.8,\"tolerance\":0.5,\"unit\":\"m\"}"), S("far"), VERDICT_FAIL },
    { S("{\"value\":0.2548,\"relative\":0.01,\"unit\":\"km\"}"), S("256 m"), VERDICT_PASS },
    { S("{\"value\":0.2548,\"relative\":0.01,\"unit\":\"km\"}"), S("0.256"), VERDICT_PASS },
    { S("{\"value\":0.2548,\"relative\":0.01,\"unit\":\"km\"}"), S("256"), VERDICT_FAIL },
    { S("{\"value\":0.2548,\"relative\":0.01,\"unit\":\"km\"}"), S("258 m"), VERDICT_FAIL },
    { S("{\"value\":-200,\"relative\":0.01}"), S("-198"), VERDICT_PASS },
    { S("{\"value\":-200,\"relative\":0.01}"), S("-197.9"), VERDICT_FAIL },
    { S("{\"value\":-200,\"relative\":0.01,\"tolerance\":5}"), S("-195"),
      VERDICT_PASS }, /* the wider */
    { S("{\"value\":-200,\"relative\":0.05,\"tolerance\":5}"), S("-190"), VERDICT_PASS },
    { S("{\"value\":-200,\"relative\":0.01,\"tolerance\":5}"), S("-194"), VERDICT_FAIL },
    { S("{\"value\":1.1,\"tolerance\":0.1}"), S("1.0"),
      VERDICT_PASS }, /* which is more in binary */
    { S("{\"value\":42}"), S("42"), VERDICT_PASS },
    { S("{\"value\":42}"), S("42.0001"), VERDICT_FAIL },
    { S("{\"value\":0.1}"), S("1/10"), VERDICT_PASS },
    { S("{\"value\":3}"), S("3 h"), VERDICT_PASS }, /* as it is written */
    { S("{\"value\":10800}"), S("3 h"), VERDICT_FAIL },
    { S("{\"value\":0.5}"), S("50%"), VERDICT_PASS },
    { S("{\"value\":50}"), S("50%"), VERDICT_PASS },
    { S("{\"value\":50,\"unit\":\"%\"}"), S("50 percent"), VERDICT_PASS },
    { S("{\"value\":50,\"unit\":\"%\"}"), S("50"), VERDICT_PASS },
    { S("{\"value\":50,\"unit\":\"%\"}"), S("0.5"), VERDICT_FAIL },
    { S("{\"value\":11,\"unit\":\"tasks\"}"), S("11 tasks"), VERDICT_PASS },
    { S("{\"value\":11,\"unit\":\"tasks\"}"), S("11 task"), VERDICT_PASS },
    { S("{\"value\":11,\"unit\":\"tasks\"}"), S("11 jobs"), VERDICT_FAIL },
    { S("{\"value\":6.02e23,\"relative\":0.01}"), S("6.022e23"), VERDICT_PASS },
    { S("{\"value\":6.02e23,\"relative\":0.01}"), S("6.2e23"), VERDICT_FAIL },
};

/* ---- Game of 24 ---- */

static const struct {
    str answer;
    enum verdict want;
} game_rows[] = {
    /* of 4 9 10 13 */
    { S("(10-4)*(13-9)"), VERDICT_PASS },
    { S("(13 - 9) * (10 - 4) = 24"), VERDICT_PASS },
    { S("$(10-4) \\times (13-9) = 24$"), VERDICT_PASS },
    { S("Answer: \\boxed{\\left(10 - 4\\right) \\cdot (13 - 9)}."), VERDICT_PASS },
    { S("(10\xE2\x88\x92"
        "4)\xC3\x97(13-9)"),
      VERDICT_PASS },
    { S("-(4-10)*(13-9)"), VERDICT_PASS },
    { S("10-4*13-9"), VERDICT_FAIL },
    { S("(10-4)*(13-9) = 25"), VERDICT_FAIL },
    { S("24"), VERDICT_FAIL },
    { S("(10-4)*4"), VERDICT_FAIL }, /* 24 without the others */
    { S("(10-4)*(13-9)+4-4"), VERDICT_FAIL }, /* 4 three times */
    { S("(10-4)*(13-9)*1"), VERDICT_FAIL },
    { S("(10-4)*(13-9)/9*9"), VERDICT_FAIL },
    { S("4**9//10//13"), VERDICT_FAIL },
    { S("(10-4)*(13-9"), VERDICT_FAIL },
    { S("10/(4-4)+9+13"), VERDICT_FAIL },
    { S("sqrt(4)+9+13*10"), VERDICT_FAIL },
    { S("4! + 0*9*10*13"), VERDICT_FAIL },
    { S("4 9 10 13"), VERDICT_FAIL },
    { S("49-13-10"), VERDICT_FAIL }, /* two numbers as one */
    { S(""), VERDICT_FAIL },
    { S("()"), VERDICT_FAIL },
    { S("no idea"), VERDICT_FAIL },
};

static void judges_numbers_and_games(void)
{
    for (size_t i = 0; i < ARRAY_LEN(number_rows) + ARRAY_LEN(game_rows); i++) {
        bool is_game = i >= ARRAY_LEN(number_rows);
        size_t k = is_game ? i - ARRAY_LEN(number_rows) : i;
        const struct verifier v = { is_game ? VERIFY_GAME24 : VERIFY_NUMBER,
                                    is_game ? STR("4 9 10 13") : number_rows[k].spec };
        str answer = is_game ? game_rows[k].answer : number_rows[k].answer;
        enum verdict want = is_game ? game_rows[k].want : number_rows[k].want, got;
        struct arena a;
        str why;
        arena_init(&a, 1 << 20);
        REQUIRE(verifier_check(&v, answer, &a, &got, &why) == OK);
        if (got != want)
            fprintf(stderr, "%.*s: %.*s\n", STR_ARG(v.spec), STR_ARG(answer));
        CHECK_INT(got, want);
        CHECK_INT(why.len > 0, got == VERDICT_FAIL);
        arena_fini(&a);
    }
}

/* A game whose solution needs fractions: 8/(3-8/3) = 24, which floating point misses. */
static void computes_games_exactly(void)
{
    const struct verifier v = { VERIFY_GAME24, STR("3 3 8 8") };
    enum verdict got;
    struct arena a;
    str why;

    arena_init(&a, 1 << 20);
    REQUIRE(verifier_check(&v, STR("8/(3-8/3)"), &a, &got, &why) == OK);
    CHECK_INT(got, VERDICT_PASS);
    REQUIRE(verifier_check(&v, STR("8/3/(3-8)"), &a, &got, &why) == OK);
    CHECK_STR(why, STR("\"8/3/(3-8)\" is -8/15, not 24."));
    arena_fini(&a);
}

/* All are 24, but not all play by the rules. */
static void keeps_the_rules_of_the_game(void)
{
    static const struct {
        str numbers;
        str answer;
        enum verdict want;
    } rule_rows[] = {
        { S("1 1 4 6"), S("4*6*1*1"), VERDICT_PASS },
        { S("1 1 4 6"), S("4*6"), VERDICT_FAIL },
        { S("1 1 4 6"), S("4*6*1"), VERDICT_FAIL },
        { S("1 1 4 6"), S("4*6*1*1*1"), VERDICT_FAIL },
        { S("1 2 5"), S("5**2-1"), VERDICT_FAIL },
        { S("2 49"), S("49//2"), VERDICT_FAIL },
        { S("1 2 5"), S("5^2-1"), VERDICT_FAIL },
        { S("4 1"), S("4!*1"), VERDICT_FAIL },
        { S("1 2 3 6"), S("6+6+6+6"), VERDICT_FAIL },
        { S("1 1 4 6"), S("6*4/1/1"), VERDICT_PASS },
        { S("24 1"), S("24 * 1 = 24"), VERDICT_PASS },
        { S("24 1"), S("24 = 24 * 1"), VERDICT_FAIL },
    };

    for (size_t i = 0; i < ARRAY_LEN(rule_rows); i++) {
        const struct verifier v = { VERIFY_GAME24, rule_rows[i].numbers };
        enum verdict got;
        struct arena a;
        str why;
        arena_init(&a, 1 << 20);
        REQUIRE(verifier_check(&v, rule_rows[i].answer, &a, &got, &why) == OK);
        if (got != rule_rows[i].want)
            fprintf(stderr, "row %zu\n", i);
        CHECK_INT(got, rule_rows[i].want);
        arena_fini(&a);
    }
}

/* ---- schedules ---- */

#define SHOP "{\"jobs\":[[[1,3],[2,2]],[[2,2],[1,4]]],\"makespan\":7}"
#define AT(job, operation, start)                                                                  \
    "{\"job\":" #job ",\"operation\":" #operation ",\"start\":" #start "}"

static const struct {
    str answer;
    str why; /* empty: passes */
} schedule_rows[] = {
    /* Machine 1: job 1 in [0, 3), job 2 in [3, 7); machine 2: job 2 in [0, 2), job 1 in [3, 5). Ends touch. */
    { S("[" AT(1, 1, 0) "," AT(1, 2, 3) "," AT(2, 1, 0) "," AT(2, 2, 3) "]"), { 0 } },
    { S("{\"schedule\":[" AT(2, 2, 3) "," AT(1, 1, 0) "," AT(2, 1, 0) "," AT(1, 2, 3) "]}"),
      { 0 } },
    { S("```json\n[" AT(1, 1, 0) "," AT(1, 2, 3) "," AT(2, 1, 0) "," AT(2, 2, 3) "]\n```"), { 0 } },
    { S("[" AT(1, 1, 0) "," AT(1, 2, 3) "," AT(2, 1, 0) "," AT(2, 2, 4) "]"),
      S("It ends at 8, which is too late.") },
    { S("[" AT(1, 1, 0) "," AT(1, 2, 3) "," AT(2, 1, 0) "," AT(2, 2, 2) "]"),
      S("On machine 1, operation 1 of job 1 and operation 2 of job 2 overlap.") },
    { S("[" AT(1, 1, 1) "," AT(1, 2, 4) "," AT(2, 1, 0) "," AT(2, 2, 3) "]"),
      S("On machine 1, operation 1 of job 1 and operation 2 of job 2 overlap.") }, /* by one */
    { S("[" AT(1, 1, 0) "," AT(1, 2, 2) "," AT(2, 1, 0) "," AT(2, 2, 3) "]"),
      S("Operation 2 of job 1 starts before the one before it has ended.") },
    { S("[" AT(1, 1, 0) "," AT(1, 2, 3) "," AT(2, 2, 3) "]"),
      S("Operation 1 of job 2 is missing.") },
    { S("[" AT(1, 1, 0) "," AT(1, 1, 0) "]"), S("Operation 1 of job 1 stands twice.") },
    { S("[" AT(1, 3, 0) "]"), S("There is no operation 3 of job 1.") },
    { S("[" AT(3, 1, 0) "]"), S("There is no operation 1 of job 3.") },
    { S("[" AT(0, 1, 0) "]"), S("There is no operation 1 of job 0.") },
    { S("[" AT(1, 0, 0) "]"), S("There is no operation 0 of job 1.") },
    { S("[" AT(1, 1, -1) "]"),
      S("\"" AT(
          1, 1,
          -1) "\" does not state job, operation and start as whole numbers from 1, 1 and 0 on.") },
    { S("[" AT(1, 1, 0.5) "]"),
      S("\"" AT(
          1, 1,
          0.5) "\" does not state job, operation and start as whole numbers from 1, 1 and 0 on.") },
    { S("[7]"),
      S("\"7\" does not state job, operation and start as whole numbers from 1, 1 and 0 on.") },
    { S("[]"), S("Operation 1 of job 1 is missing.") },
    { S("{\"plan\":[]}"), S("The answer is not a JSON array of operations.") },
    { S("7"), S("The answer is not a JSON array of operations.") },
    { S("job 1 first"), S("The answer is not JSON: unexpected byte at byte 0.") },
};

static void judges_schedules(void)
{
    const struct verifier v = { VERIFY_SCHEDULE, S(SHOP) };

    for (size_t i = 0; i < ARRAY_LEN(schedule_rows); i++) {
        enum verdict got;
        struct arena a;
        str why;
        arena_init(&a, 1 << 20);
        REQUIRE(verifier_check(&v, schedule_rows[i].answer, &a, &got, &why) == OK);
        CHECK_INT(got, schedule_rows[i].why.len > 0 ? VERDICT_FAIL : VERDICT_PASS);
        CHECK_STR(why, schedule_rows[i].why);
        arena_fini(&a);
    }
}

/* An oracle that shares nothing with the check: on a shop of two jobs, time step by time step. */
static bool is_feasible(const int64_t start[4], int64_t makespan)
{
    static const int machine[4] = { 1, 2, 2, 1 }, duration[4] = { 3, 2, 2, 4 };

    for (int64_t t = 0; t < 20; t++) {
        int busy[3] = { 0 }, working[2] = { 0 };
        for (int o = 0; o < 4; o++) {
            bool is_on = t >= start[o] && t < start[o] + duration[o];
            busy[machine[o]] += is_on;
            working[o / 2] += is_on;
            if (is_on && t >= makespan)
                return false;
        }
        if (busy[1] > 1 || busy[2] > 1 || working[0] > 1 || working[1] > 1)
            return false;
    }
    return start[0] < start[1] && start[2] < start[3];
}

static void agrees_with_a_clock_on_every_schedule(void)
{
    const struct verifier v = { VERIFY_SCHEDULE,
                                S("{\"jobs\":[[[1,3],[2,2]],[[2,2],[1,4]]],\"makespan\":11}") };
    int feasible = 0;

    for (int code = 0; code < 10 * 10 * 10 * 10; code++) {
        const int64_t start[4] = { code % 10, code / 10 % 10, code / 100 % 10, code / 1000 };
        enum verdict got;
        struct arena a;
        str why;
        arena_init(&a, 1 << 20);
        str answer = arena_printf(
            &a,
            "[{\"job\":1,\"operation\":1,\"start\":%d},{\"job\":1,\"operation\":2,\"start\":%d},"
            "{\"job\":2,\"operation\":1,\"start\":%d},{\"job\":2,\"operation\":2,\"start\":%d}]",
            (int)start[0], (int)start[1], (int)start[2], (int)start[3]);
        REQUIRE(verifier_check(&v, answer, &a, &got, &why) == OK);
        CHECK_INT(got == VERDICT_PASS, is_feasible(start, 11));
        feasible += got == VERDICT_PASS;
        arena_fini(&a);
    }
    CHECK(feasible > 0);
}

/* ---- rubrics ---- */

#define RUBRIC                                                                                     \
    "{\"need\":2,\"points\":[{\"name\":\"isolate\",\"any\":[\"isolat\",\"quarantin\"]},"           \
    "{\"name\":\"tell\",\"any\":[\"notify\"]},{\"name\":\"restore\",\"any\":[\"backup\"]}],"       \
    "\"never\":[\"pay the ransom\"]}"

static void judges_rubrics(void)
{
    static const struct {
        str answer;
        enum verdict want;
    } rubric_rows[] = {
        { S("ISOLATE the host, then Notify the owner."), VERDICT_PASS },
        { S("Quarantine it and restore from backups."), VERDICT_PASS },
        { S("Isolate and quarantine the host."), VERDICT_FAIL }, /* one point twice */
        { S("Isolate it, restore the backup, notify all, and Pay The Ransom."), VERDICT_FAIL },
        { S(""), VERDICT_FAIL },
    };
    const struct verifier v = { VERIFY_RUBRIC, S(RUBRIC) };

    for (size_t i = 0; i < ARRAY_LEN(rubric_rows); i++) {
        enum verdict got;
        struct arena a;
        str why;
        arena_init(&a, 1 << 20);
        REQUIRE(verifier_check(&v, rubric_rows[i].answer, &a, &got, &why) == OK);
        CHECK_INT(got, rubric_rows[i].want);
        CHECK_INT(why.len > 0, got == VERDICT_FAIL);
        arena_fini(&a);
    }
}

/* ---- reading one ---- */

static void reads_verifiers(void)
{
    static const struct {
        const char *text;
        enum verifier_kind kind; /* NONE: refused */
        const char *spec_or_what; /* of a refusal: how the sentence starts */
    } parse_rows[] = {
        { "{\"kind\":\"arithmetic\",\"spec\":\"6*7\"}", VERIFY_ARITHMETIC, "6*7" },
        { "{\"spec\":\"a\\\\.b\",\"kind\":\"regex\"}", VERIFY_REGEX, "a\\.b" },
        { "{\"kind\":\"exact\",\"spec\":\"Paris\"}", VERIFY_EXACT, "Paris" },
        { "{\"kind\":\"exact\",\"spec\":42}", VERIFY_EXACT, "42" },
        { "{\"kind\":\"exact\",\"spec\":[1, 2]}", VERIFY_EXACT, "[1, 2]" },
        { "{\"kind\":\"json_schema\",\"spec\":{\"type\":\"object\"}}", VERIFY_JSON_SCHEMA,
          "{\"type\":\"object\"}" },
        { "{\"kind\":\"json_schema\",\"spec\":\"{\\\"type\\\":\\\"object\\\"}\"}",
          VERIFY_JSON_SCHEMA, "{\"type\":\"object\"}" },
        { "{\"kind\":\"number\",\"spec\":{\"value\":1}}", VERIFY_NUMBER, "{\"value\":1}" },
        { "{\"kind\":\"game24\",\"spec\":\"4 9 10 13\"}", VERIFY_GAME24, "4 9 10 13" },
        { "{\"kind\":\"schedule\",\"spec\":" SHOP "}", VERIFY_SCHEDULE, SHOP },
        { "{\"kind\":\"rubric\",\"spec\":" RUBRIC "}", VERIFY_RUBRIC, RUBRIC },
        { "{\"kind\":\"none\",\"spec\":\"\"}", VERIFY_NONE,
          "the verifier's kind \"none\" is none of arithmetic, regex" },
        { "{\"kind\":\"guess\",\"spec\":\"\"}", VERIFY_NONE,
          "the verifier's kind \"guess\" is none of arithmetic, regex" },
        { "{\"kind\":\"exact\",\"spec\":\" \"}", VERIFY_NONE,
          "the spec of a verifier of kind exact is the answer" },
        { "{\"kind\":\"arithmetic\",\"spec\":[1]}", VERIFY_NONE,
          "the spec of a verifier of kind arithmetic is an expression" },
        { "{\"kind\":\"regex\",\"spec\":7}", VERIFY_NONE,
          "the spec of a verifier of kind regex is a POSIX" },
        { "{\"kind\":\"number\",\"spec\":{\"value\":1,\"tolerence\":2}}", VERIFY_NONE,
          "the spec of a verifier of kind number is {\"value\"" },
        { "{\"kind\":\"exact\"}", VERIFY_NONE, "a verifier is {" },
        { "{\"spec\":\"x\"}", VERIFY_NONE, "a verifier is {" },
        { "{\"kind\":7,\"spec\":\"x\"}", VERIFY_NONE, "a verifier is {" },
        { "{\"kind\":\"exact\",\"spec\":\"x\",\"case\":true}", VERIFY_NONE, "a verifier is {" },
        { "[]", VERIFY_NONE, "a verifier is {" },
        { "\"exact\"", VERIFY_NONE, "a verifier is {" },
    };

    for (size_t i = 0; i < ARRAY_LEN(parse_rows); i++) {
        struct verifier v = { VERIFY_NONE, STR("kept") };
        struct arena a;
        struct json value;
        str what = { 0 };
        bool is_bad = parse_rows[i].kind == VERIFY_NONE;
        str want = str_from(parse_rows[i].spec_or_what);
        arena_init(&a, 1 << 20);
        REQUIRE(json_parse(&a, str_from(parse_rows[i].text), &value, NULL) == OK);
        CHECK_ERR(verifier_parse(&a, value, &v, &what), is_bad ? CALLER_BAD_REQUEST : OK);
        CHECK_INT(v.kind, parse_rows[i].kind);
        CHECK_STR(v.spec, is_bad ? STR("kept") : want);
        CHECK_STR(str_slice(what, 0, is_bad ? want.len : what.len), is_bad ? want : (str){ 0 });
        arena_fini(&a);
    }
    struct arena a;
    struct verifier v;
    str what;
    arena_init(&a, 1 << 20);
    CHECK_ERR(verifier_parse(&a, (struct json){ 0 }, &v, &what), CALLER_BAD_REQUEST);
    arena_fini(&a);
}

/* What an evaluation may give to a strategy: conditions, not answers. */
static void knows_who_knows(void)
{
    static const bool knows[] = {
        [VERIFY_NONE] = false,   [VERIFY_ARITHMETIC] = true,   [VERIFY_REGEX] = false,
        [VERIFY_EXACT] = true,   [VERIFY_JSON_SCHEMA] = false, [VERIFY_NUMBER] = true,
        [VERIFY_GAME24] = false, [VERIFY_SCHEDULE] = false,    [VERIFY_RUBRIC] = true,
    };

    for (size_t i = 0; i < ARRAY_LEN(knows); i++)
        CHECK_INT(verifier_knows_answer((enum verifier_kind)i), knows[i]);
}

/* What prompts say of the form: the conditions, nothing that gives a key away. */
static void formats_keep_the_secret(void)
{
    static const struct {
        struct verifier verifier;
        str want;
    } format_rows[] = {
        { { VERIFY_NONE, S("") }, { 0 } },
        { { VERIFY_EXACT, S("Paris") }, { 0 } },
        { { VERIFY_RUBRIC, S(RUBRIC) }, { 0 } },
        { { VERIFY_ARITHMETIC, S("6*7") }, S("The final answer must be one number.") },
        { { VERIFY_NUMBER, S("{\"value\":3}") }, S("The final answer must be one number.") },
        { { VERIFY_NUMBER, S("{\"value\":3,\"unit\":\"m\"}") },
          S("The final answer must be one number, in m.") },
        { { VERIFY_SCHEDULE, S(SHOP) },
          S("The final answer must be a JSON array with one {\"job\": 1, \"operation\": 1, "
            "\"start\": 0} for each operation, jobs and operations counted from 1.") },
        { { VERIFY_GAME24, S(" 1 2 3 4 ") },
          S("The final answer must be an expression that uses each of the numbers 1 2 3 4 exactly "
            "once, with + - * / and parentheses only, and whose value is 24.") },
    };

    for (size_t i = 0; i < ARRAY_LEN(format_rows); i++) {
        struct arena a;
        arena_init(&a, 1 << 20);
        CHECK_STR(verifier_format(&a, &format_rows[i].verifier), format_rows[i].want);
        arena_fini(&a);
    }
}

TESTS(TEST(gives_verdicts), TEST(refuses_bad_specs), TEST(never_tells_the_answer),
      TEST(judges_numbers_and_games), TEST(computes_games_exactly),
      TEST(keeps_the_rules_of_the_game), TEST(judges_schedules),
      TEST(agrees_with_a_clock_on_every_schedule), TEST(judges_rubrics), TEST(reads_verifiers),
      TEST(knows_who_knows), TEST(formats_keep_the_secret))
