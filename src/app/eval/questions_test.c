/* SPDX-License-Identifier: Apache-2.0 */
/* questions: what is taken, and everything that is wrong, by its line. */
#include "app/eval/eval_rig.h"

static enum err read_text(struct arena *arena, const char *text, struct eval_questions *out,
                          struct buf *problems)
{
    return eval_questions_read(arena, STR("q.jsonl"), str_from(text), out, problems);
}

static void takes_questions(void)
{
    struct eval_questions questions;
    struct buf problems = { 0 };
    struct arena arena;

    arena_init(&arena, 1 << 20);
    REQUIRE(
        read_text(
            &arena,
            "{\"id\":\"a\",\"domain\":\"stem\",\"prompt\":\"1+1?\",\"answer\":\"2\",\"set\":"
            "\"gsm\"}\n"
            "\n  {\"id\":\"b\",\"prompt\":\"24!\",\"verifier\":{\"kind\":\"game24\",\"spec\":\"4 6 "
            "1 1\"}}\r\n"
            "{\"id\":\"c\",\"domain\":\"stem\",\"prompt\":\"t\",\"answer\":-4.50}\n"
            "{\"id\":\"d\",\"prompt\":\"t\",\"answer\":true,"
            "\"rubric\":{\"need\":1,\"points\":[{\"name\":\"n\",\"any\":[\"isolat\"]}]}}",
            &questions, &problems) == OK);
    CHECK_INT(problems.len, 0);
    CHECK_INT(questions.count, 4);
    CHECK_INT(questions.domain_count, 2);
    CHECK_STR(questions.domains[0], STR("stem"));
    CHECK_STR(questions.domains[1], STR("generic"));
    CHECK_INT(questions.items[2].domain, 0);
    CHECK_STR(questions.items[0].key, STR("2"));
    CHECK(questions.items[1].key.ptr == NULL);
    CHECK_INT(questions.items[1].verifier.kind, VERIFY_GAME24);
    CHECK_STR(questions.items[2].key, STR("-4.50"));
    CHECK_STR(questions.items[3].key, STR("true"));
    CHECK_INT(questions.items[3].verifier.kind, VERIFY_RUBRIC);
    CHECK(str_starts(questions.items[1].line, STR("{")) &&
          str_ends(questions.items[1].line, STR("}")));
    CHECK_INT(eval_question_find(&questions, STR("c")), 2);
    CHECK(eval_question_find(&questions, STR("e")) == SIZE_MAX);
    arena_fini(&arena);
}

static void says_all_that_is_wrong(void)
{
    static const struct {
        const char *text;
        const char *problems;
    } cases[] = {
        { "", "q.jsonl:1: there is no question\n" },
        { " \n\n", "q.jsonl:1: there is no question\n" },
        { "[1]", "q.jsonl:1: a question must be a JSON object\n" },
        { "{\"id\":\"a\",\"prompt\":\"p\",\"answer\":\"1\"}\n\nno\n{\"prompt\":\"p\",\"answer\":"
          "\"1\"}\n",
          "q.jsonl:3: not valid JSON: unexpected byte at byte 1\nq.jsonl:4: there is no \"id\"\n" },
        { "{\"id\":\"a\",\"answer\":\"1\"}", "q.jsonl:1: there is no \"prompt\"\n" },
        { "{\"id\":\"a\",\"prompt\":\" \",\"answer\":\"1\"}",
          "q.jsonl:1: \"prompt\" must be a text that is not empty\n" },
        { "{\"id\":7,\"prompt\":\"p\",\"answer\":\"1\"}",
          "q.jsonl:1: \"id\" must be a text that is not empty\n" },
        { "{\"id\":\"a\",\"prompt\":\"p\"}",
          "q.jsonl:1: there is no \"answer\", \"verifier\" or \"rubric\"\n" },
        { "{\"id\":\"a\",\"prompt\":\"p\",\"answer\":\"\"}",
          "q.jsonl:1: \"answer\" must be a text that is not empty, a number, true or false\n" },
        { "{\"id\":\"a\",\"prompt\":\"p\",\"answer\":null}",
          "q.jsonl:1: \"answer\" must be a text that is not empty, a number, true or false\n" },
        { "{\"id\":\"a\",\"prompt\":\"p\",\"answer\":\"1\",\"domain\":\"overall\"}",
          "q.jsonl:1: \"domain\" must have at most 100 bytes and not be \"overall\"\n" },
        { "{\"id\":\"a\",\"prompt\":\"p\",\"answer\":\"1\",\"domain\":3}",
          "q.jsonl:1: \"domain\" must be a text that is not empty\n" },
        { "{\"id\":\"a\",\"prompt\":\"p\",\"verifier\":{\"kind\":\"exact\",\"spec\":\"1\"},"
          "\"rubric\":{}}",
          "q.jsonl:1: there are both a \"verifier\" and a \"rubric\"\n" },
        /* The first of two is named, also when it is wrong elsewhere. */
        { "\n{\"id\":\"a\",\"answer\":\"1\"}\n{\"id\":\"a\",\"prompt\":\"p\",\"answer\":\"1\"}\n",
          "q.jsonl:2: there is no \"prompt\"\nq.jsonl:3: the id \"a\" stands in line 2 already\n" },
        { "{}", "q.jsonl:1: there is no \"id\"\nq.jsonl:1: there is no \"prompt\"\n"
                "q.jsonl:1: there is no \"answer\", \"verifier\" or \"rubric\"\n" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct eval_questions questions;
        struct buf problems = { 0 };
        struct arena arena;
        arena_init(&arena, 1 << 20);
        CHECK_ERR(read_text(&arena, cases[i].text, &questions, &problems), CALLER_BAD_REQUEST);
        CHECK_STR(buf_str(&problems), str_from(cases[i].problems));
        buf_fini(&problems);
        arena_fini(&arena);
    }
}

static void tries_verifiers(void)
{
    static const char *const lines[] = {
        "{\"id\":\"a\",\"prompt\":\"p\",\"verifier\":{\"kind\":\"magic\",\"spec\":\"1\"}}",
        "{\"id\":\"a\",\"prompt\":\"p\",\"verifier\":{\"kind\":\"regex\",\"spec\":\"(\"}}",
        "{\"id\":\"a\",\"prompt\":\"p\",\"verifier\":\"regex\"}",
        "{\"id\":\"a\",\"prompt\":\"p\",\"rubric\":{\"need\":1}}",
        "{\"id\":\"a\",\"prompt\":\"p\",\"rubric\":\"be good\"}",
    };

    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        struct eval_questions questions;
        struct buf problems = { 0 };
        struct arena arena;
        arena_init(&arena, 1 << 20);
        CHECK_ERR(read_text(&arena, lines[i], &questions, &problems), CALLER_BAD_REQUEST);
        CHECK(str_starts(buf_str(&problems), i < 3 ? STR("q.jsonl:1: \"verifier\": ")
                                                   : STR("q.jsonl:1: \"rubric\": ")));
        CHECK(problems.len > 30);
        buf_fini(&problems);
        arena_fini(&arena);
    }
}

static void draws_a_part(void)
{
    struct rig rig;
    struct eval_questions all, part;
    size_t seen[20] = { 0 };

    REQUIRE(rig_open(&rig, 20, "m/direct", 1));
    all = rig.eval.questions;
    for (uint64_t seed = 0; seed < 400; seed++) {
        struct arena arena;
        arena_init(&arena, 1 << 20);
        part = all;
        REQUIRE(eval_questions_draw(&arena, &part, 5, seed) == OK);
        REQUIRE(part.count == 5);
        for (size_t i = 0; i < part.count; i++) {
            size_t at = eval_question_find(&all, part.items[i].id);
            seen[at]++;
            CHECK(i == 0 || at > eval_question_find(&all, part.items[i - 1].id));
            CHECK_INT(eval_question_find(&part, part.items[i].id), i);
            CHECK_STR(part.domains[part.items[i].domain], all.domains[all.items[at].domain]);
        }
        arena_fini(&arena);
    }
    for (size_t i = 0; i < 20; i++) /* 100 expected, standard deviation 8.7 */
        CHECK(seen[i] > 65 && seen[i] < 135);
    part = all;
    CHECK_ERR(eval_questions_draw(&rig.eval.arena, &part, 20, 1), OK);
    CHECK(part.items == all.items);
    rig_close(&rig);
}

static void hashes_what_is_asked(void)
{
    struct rig a, b;

    REQUIRE(rig_open(&a, 5, "m/direct", 1));
    REQUIRE(rig_open(&b, 5, "m/direct", 1));
    CHECK(eval_questions_hash(&a.eval.questions) == eval_questions_hash(&b.eval.questions));
    b.eval.questions.items[4].line = STR("{}");
    CHECK(eval_questions_hash(&a.eval.questions) != eval_questions_hash(&b.eval.questions));
    b.eval.questions.items[4].line = a.eval.questions.items[4].line;
    b.eval.questions.items[0].line = a.eval.questions.items[1].line;
    b.eval.questions.items[1].line = a.eval.questions.items[0].line;
    CHECK(eval_questions_hash(&a.eval.questions) !=
          eval_questions_hash(&b.eval.questions)); /* the order counts */
    b.eval.questions = a.eval.questions;
    b.eval.questions.count = 4;
    CHECK(eval_questions_hash(&a.eval.questions) != eval_questions_hash(&b.eval.questions));
    rig_close(&a);
    rig_close(&b);
}

TESTS(TEST(takes_questions), TEST(says_all_that_is_wrong), TEST(tries_verifiers),
      TEST(draws_a_part), TEST(hashes_what_is_asked))
