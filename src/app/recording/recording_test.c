/* SPDX-License-Identifier: Apache-2.0 */
/* recording: questions and answers from texts; the folder itself is read in provider's recorded_test. */
#include "app/recording/recording.h"
#include "test/check.h"

#define QUESTIONS                                                                                  \
    "{\"id\":\"a\",\"prompt\":\"\\n## Question: \\n\\nHow many?\\n\\n## Instruction "              \
    "\\n\\nBrief.\"}\n"                                                                            \
    "\n{\"id\":\"b\",\"prompt\":\"  How many? And why?  \"}\n"                                     \
    "{\"id\":\"c\",\"prompt\":\"How many? And why?\"}"

static bool open_with(struct recording **out, const char *questions)
{
    size_t line;

    return recording_new(out) == OK &&
           recording_read_questions(*out, str_from(questions), &line) == OK;
}

static void finds_questions(void)
{
    struct recording *r;

    REQUIRE(open_with(&r, QUESTIONS));
    CHECK_INT(recording_question_count(r), 3);
    CHECK_STR(recording_question(r, 0)->core, STR("How many?"));
    CHECK_STR(recording_question(r, 1)->text, STR("How many? And why?"));
    CHECK_INT(recording_find_id(r, STR("a")), 0);
    CHECK_INT(recording_find_id(r, STR("c")), 2);
    CHECK(recording_find_id(r, STR("d")) == RECORDING_NONE);
    CHECK(recording_find_id(r, STR("")) == RECORDING_NONE);
    CHECK_INT(recording_find_prompt(r, STR("So: How many? Say.")), 0);
    /* Of two questions with one text the later one is found. */
    CHECK_INT(recording_find_prompt(r, STR("\nHow many? And why?")), 2);
    CHECK_INT(recording_find_prompt(r, STR("So: How many? And why? Say.")), 1);
    CHECK(recording_find_prompt(r, STR("Who?")) == RECORDING_NONE);
    recording_close(r);
}

static void finds_models_and_answers(void)
{
    struct recording *r;
    size_t line;

    REQUIRE(open_with(&r, QUESTIONS));
    CHECK_ERR(
        recording_read_answers(
            r, STR("m-2024-08-06"),
            STR("{\"id\":\"b\",\"output\":\"x\",\"prompt_tokens\":3,\"completion_tokens\":4,"
                "\"correct\":true}\n"
                "{\"id\":\"z\",\"output\":\"y\",\"prompt_tokens\":1,\"completion_tokens\":1}\n"),
            &line),
        OK);
    CHECK_ERR(recording_read_answers(r, STR("l"), STR(""), &line), OK);
    CHECK_ERR(recording_read_answers(r, STR("m-mini-2024-07-18"), STR(""), &line), OK);
    CHECK_INT(recording_model_count(r), 3);
    CHECK_STR(recording_model(r, 0)->name, STR("l"));
    CHECK(recording_find_model(r, STR("m")) == recording_model(r, 1));
    CHECK(recording_find_model(r, STR("m-mini")) == recording_model(r, 2));
    CHECK(recording_find_model(r, STR("m-mini-2024-07-18")) == recording_model(r, 2));
    CHECK(recording_find_model(r, STR("m-")) == NULL);
    CHECK(recording_find_model(r, STR("")) == NULL);
    const struct recorded_answer *answers = recording_find_model(r, STR("m"))->answers;
    CHECK(answers[0].output.ptr == NULL);
    CHECK_STR(answers[1].output, STR("x"));
    CHECK_INT(answers[1].prompt_tokens, 3);
    CHECK_INT(answers[1].completion_tokens, 4);
    CHECK(answers[1].is_labelled && answers[1].is_correct);
    recording_close(r);
}

static void names_the_line_that_is_none(void)
{
    static const struct {
        const char *questions;
        const char *answers;
        size_t line;
    } cases[] = {
        { "{\"id\":\"a\"}", NULL, 1 },
        { "{\"id\":\"a\",\"prompt\":\"p\"}\n\n{\"id\":\"a\",\"prompt\":\"q\"}\n", NULL, 3 },
        { "{\"id\":\"a\",\"prompt\":\" \"}", NULL, 1 },
        { "\n{\"id\":1,\"prompt\":\"p\"}", NULL, 2 },
        { "{\"id\":\"a\",\"prompt\":\"p\"}\nno", NULL, 2 },
        { QUESTIONS, "{\"id\":\"a\",\"output\":\"x\"}", 1 },
        { QUESTIONS, "{\"id\":\"a\",\"output\":\"x\",\"prompt_tokens\":-1,\"completion_tokens\":1}",
          1 },
        { QUESTIONS,
          "\n{\"id\":\"a\",\"output\":\"x\",\"prompt_tokens\":1,\"completion_tokens\":1.5}", 2 },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct recording *r;
        size_t line = 0;
        REQUIRE(recording_new(&r) == OK);
        enum err e = recording_read_questions(r, str_from(cases[i].questions), &line);
        if (cases[i].answers) {
            CHECK_ERR(e, OK);
            e = recording_read_answers(r, STR("m"), str_from(cases[i].answers), &line);
        }
        CHECK_ERR(e, WEIR_CONFIG);
        CHECK_INT(line, cases[i].line);
        recording_close(r);
    }
}

static void limits_the_models(void)
{
    struct recording *r;
    size_t line;
    char name[8];

    REQUIRE(open_with(&r, QUESTIONS));
    for (int i = 0; i < RECORDING_MODELS_MAX; i++) {
        snprintf(name, sizeof name, "m%d", i);
        CHECK_ERR(recording_read_answers(r, str_from(name), STR(""), &line), OK);
    }
    CHECK_ERR(recording_read_answers(r, STR("one more"), STR(""), &line), WEIR_OVERLOADED);
    recording_close(r);
    recording_close(NULL);
}

static void says_why_a_folder_cannot_be_read(void)
{
    struct recording *r = NULL;
    char why[256] = "";

    CHECK_ERR(recording_open(&r, STR("/nowhere/at/all"), why), WEIR_IO);
    CHECK(strstr(why, "/nowhere/at/all/questions.jsonl: ") == why);
    CHECK(r == NULL);
}

TESTS(TEST(finds_questions), TEST(finds_models_and_answers), TEST(names_the_line_that_is_none),
      TEST(limits_the_models), TEST(says_why_a_folder_cannot_be_read))
