/* SPDX-License-Identifier: Apache-2.0 */
/* runs: lines of runs.jsonl there and back, and what is none. */
#include "app/eval/eval_rig.h"
#include "base/rng.h"
#include "core/json/json.h"

static double share_draw(struct rng *rng)
{
    return rng_below(rng, 3) == 0 ? -1 : rng_unit(rng);
}

static struct eval_outcome outcome_draw(struct rng *rng)
{
    static const char *const answers[] = { "", "42", "a \"b\"\n\t\xC3\xA9", "-1/3 usd" };
    str answer = str_from(answers[rng_below(rng, ARRAY_LEN(answers))]);

    return (struct eval_outcome){
        .fault = rng_below(rng, 4) == 0 ? (enum err)(1 + rng_below(rng, ERR_COUNT - 1)) : OK,
        .answer = answer,
        .canonical = answer,
        .signals = { .stated = share_draw(rng), .agreement = share_draw(rng) },
        .halt = "answered",
        .raw_confidence = share_draw(rng),
        .confidence = share_draw(rng),
        .usage = { .input = (int64_t)rng_below(rng, 100000),
                   .output = (int64_t)rng_below(rng, 9000) },
        .cost = rng_below(rng, 5) == 0 ? COST_UNPRICED : (int64_t)rng_below(rng, 1000000000),
        .calls = (uint32_t)rng_below(rng, 100),
        .latency_us = rng_below(rng, 4) == 0 ? -1 : (int64_t)rng_below(rng, 1000000000),
        .is_simulated = rng_below(rng, 2) == 0,
        .label = (enum eval_label)rng_below(rng, 3),
    };
}

static bool is_same(const struct eval_run *a, const struct eval_run *b)
{
    return a->is_done == b->is_done && a->is_right == b->is_right &&
           a->is_simulated == b->is_simulated && a->label == b->label && a->fault == b->fault &&
           a->calls == b->calls && a->answer == b->answer && a->cost == b->cost &&
           a->tokens_input == b->tokens_input && a->tokens_output == b->tokens_output &&
           a->latency_us == b->latency_us && a->raw_confidence == b->raw_confidence &&
           a->confidence == b->confidence && str_eq(a->disputed, b->disputed);
}

/* A run in memory and a run read back from its line are the same, so that resumed tables are. */
static void lines_come_back(void)
{
    struct rig rig;
    struct rng rng;

    REQUIRE(rig_open(&rig, 7, "a/direct,b/mcts,b/mcts:9", 3));
    rng_init(&rng, 11);
    for (int i = 0; i < 3000; i++) {
        struct eval_run_place place = { rng_below(&rng, 7), rng_below(&rng, 3),
                                        rng_below(&rng, 3) },
                              back;
        struct eval_outcome outcome = outcome_draw(&rng);
        bool is_right = rng_below(&rng, 2) == 0;
        struct eval_run want = eval_run_of(&rig.eval.arena, &outcome, is_right), got;
        struct buf line = { 0 };
        eval_run_write(&line, &rig.eval.questions, &rig.eval.plan, &place, &outcome, is_right);
        REQUIRE(str_ends(buf_str(&line), STR("}\n")));
        REQUIRE(eval_run_read(&rig.eval.arena, str_trim(buf_str(&line)), &rig.eval.questions,
                              &rig.eval.plan, &back, &got) == OK);
        CHECK(back.question == place.question && back.cell == place.cell && back.run == place.run);
        CHECK((want.disputed.ptr != NULL) == (outcome.label != EVAL_LABEL_NONE &&
                                              (outcome.label == EVAL_LABEL_RIGHT) != is_right));
        CHECK(is_same(&got, &want));
        buf_fini(&line);
    }
    rig_close(&rig);
}

#define LINE                                                                                       \
    "{\"id\":\"q1\",\"model\":\"a\",\"strategy\":\"direct\",\"run\":1,\"right\":true,\"answer\":"  \
    "\"1\","                                                                                       \
    "\"cost_nano_usd\":5,\"tokens\":{\"input\":1,\"output\":2},\"calls\":1,\"latency_ms\":null,"   \
    "\"raw_confidence\":null,\"confidence\":null,\"fault\":null,\"simulated\":false}"

static void refuses_what_is_no_run(void)
{
    static const struct {
        const char *from; /* of LINE */
        const char *to;
    } changes[] = {
        { "\"q1\"", "\"q9\"" },
        { "\"model\":\"a\"", "\"model\":\"b\"" },
        { "\"direct\"", "\"hrm\"" },
        { "\"run\":1", "\"run\":2" },
        { "\"run\":1", "\"run\":0" },
        { "\"run\":1", "\"run\":1,\"simulations\":3" },
        { "\"right\":true", "\"right\":1" },
        { "\"cost_nano_usd\":5", "\"cost_nano_usd\":-5" },
        { "\"cost_nano_usd\":5", "\"cost_nano_usd\":\"5\"" },
        { "\"input\":1,", "" },
        { "\"calls\":1", "\"calls\":-1" },
        { "\"latency_ms\":null", "\"latency_ms\":-1" },
        { "\"raw_confidence\":null", "\"raw_confidence\":1.5" },
        { "\"confidence\":null,\"fault\"", "\"confidence\":-0.5,\"fault\"" },
        { "\"fault\":null", "\"fault\":\"NONSENSE\"" },
        { "\"fault\":null", "\"fault\":\"OK\"" },
        { "\"fault\":null", "\"fault\":7" },
        { "\"simulated\":false", "\"simulated\":null" },
        { "\"answer\":\"1\"", "\"answer\":1" },
        { "}", "" },
    };
    struct eval_run_place place;
    struct eval_run run;
    struct rig rig;

    REQUIRE(rig_open(&rig, 3, "a/direct", 1));
    CHECK_ERR(eval_run_read(&rig.eval.arena, STR(LINE), &rig.eval.questions, &rig.eval.plan, &place,
                            &run),
              OK);
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        struct buf line = { 0 };
        size_t at = str_find(STR(LINE), str_from(changes[i].from));
        REQUIRE(at != STR_NPOS);
        buf_add(&line, str_slice(STR(LINE), 0, at));
        buf_add(&line, str_from(changes[i].to));
        buf_add(&line, str_slice(STR(LINE), at + strlen(changes[i].from), sizeof(LINE) - 1));
        enum err e = eval_run_read(&rig.eval.arena, buf_str(&line), &rig.eval.questions,
                                   &rig.eval.plan, &place, &run);
        if (e == OK)
            fprintf(stderr, "    taken: %s\n", changes[i].to);
        CHECK(e == CALLER_BAD_REQUEST || e == CALLER_BAD_JSON);
        buf_fini(&line);
    }
    rig_close(&rig);
}

TESTS(TEST(lines_come_back), TEST(refuses_what_is_no_run))
