/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recorded: a small folder written here, and the real one where it is present (WEIR_RECORDED, or ../shared/data/recorded
 * beside the project).
 */
#include "app/provider/provider_rig.h"
#include "edge/world/file.h"

static const struct {
    const char *name;
    const char *text;
} files[] = {
    { "questions.jsonl", "{\"id\":\"q1\",\"prompt\":\"\\n## Question: \\n\\nHow many legs?\\n\\n## "
                         "Instruction \\n\\nBe brief.\"}\n"
                         "{\"id\":\"q2\",\"prompt\":\"How many legs? And how many arms?\"}\n\n"
                         "{\"id\":\"q3\",\"prompt\":\"Which colour?\"}\n" },
    { "answers/gpt-4o-2024-08-06.jsonl",
      "{\"id\":\"q1\",\"output\":\"four\\n\\\"legs\\\"\",\"prompt_tokens\":11,\"completion_"
      "tokens\":3}\n"
      "{\"id\":\"q2\",\"output\":\"four and none\",\"prompt_tokens\":12,\"completion_tokens\":4}\n"
      "{\"id\":\"q9\",\"output\":\"lost\",\"prompt_tokens\":1,\"completion_tokens\":1}\n" },
    { "answers/gpt-4o-mini-2024-07-18.jsonl",
      "{\"id\":\"q1\",\"output\":\"eight\",\"prompt_tokens\":11,\"completion_tokens\":1}\n" },
    { "answers/notes.txt", "not an answer\n" },
};

static bool file_write(const char *folder, const char *name, const char *text)
{
    char path[128];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "we");
    if (!file)
        return false;
    fputs(text, file);
    return fclose(file) == 0;
}

static bool folder_make(char folder[64])
{
    char answers[96];
    bool is_made = true;

    snprintf(folder, 64, "/tmp/weir-recorded-XXXXXX");
    if (!mkdtemp(folder))
        return false;
    snprintf(answers, sizeof answers, "%s/answers", folder);
    if (mkdir(answers, 0700) != 0)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        is_made = file_write(folder, files[i].name, files[i].text) && is_made;
    return is_made;
}

static void folder_remove(const char *folder)
{
    char path[128];

    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i].name);
        unlink(path);
    }
    snprintf(path, sizeof path, "%s/answers", folder);
    rmdir(path);
    rmdir(folder);
}

static struct got ask(const struct rig *rig, str model, str prompt, bool wants_stream)
{
    struct buf request = { 0 };

    buf_add(&request, STR("{\"model\":"));
    json_write_str(&request, model);
    buf_add(&request, STR(",\"messages\":[{\"role\":\"system\",\"content\":\"Which colour?\"},"
                          "{\"role\":\"user\",\"content\":"));
    json_write_str(&request, prompt);
    buf_add(&request, wants_stream ? STR("}],\"stream\":true}") : STR("}]}"));
    struct got got = fetch(rig, "POST", CHAT, buf_str(&request));
    buf_fini(&request);
    return got;
}

static void finds_questions_and_models(void)
{
    static const struct {
        const char *model;
        const char *prompt;
        int status;
        const char *answer; /* or a part of the error's message */
        const char *answered_by;
    } cases[] = {
        { "gpt-4o", "\n## Question: \n\nHow many legs?\n\n## Instruction \n\nBe brief.", 200,
          "four\n\"legs\"", "gpt-4o-2024-08-06" },
        { "gpt-4o-2024-08-06", "How many legs?", 200, "four\n\"legs\"", "gpt-4o-2024-08-06" },
        { "gpt-4o-mini", "  How many legs?\n", 200, "eight", "gpt-4o-mini-2024-07-18" },
        { "gpt-4o", "Solve: How many legs? And how many arms? Now.", 200, "four and none",
          "gpt-4o-2024-08-06" },
        { "gpt-4o-mini", "How many legs? And how many arms?", 404, "this question", "" },
        { "gpt-4o", "Which colour?", 404, "this question", "" },
        { "gpt-4o", "Which animal?", 404, "this question", "" },
        { "gpt-4", "How many legs?", 404, "this model", "" },
        { "gpt", "How many legs?", 404, "this model", "" },
        { "gpt-4o-", "How many legs?", 404, "this model", "" },
        { "notes", "How many legs?", 404, "this model", "" },
    };
    struct provider_options options = provider_options_default();
    struct arena arena;
    struct rig rig;
    char folder[64];

    REQUIRE(folder_make(folder));
    options.mode = PROVIDER_MODE_RECORDED;
    options.path = str_from(folder);
    REQUIRE(rig_open(&rig, &options));
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int before = check_failures;
        struct got got = ask(&rig, str_from(cases[i].model), str_from(cases[i].prompt), false);
        str body = buf_str(&got.body);
        CHECK_INT(got.status, cases[i].status);
        CHECK_STR(value_at(&arena, body, "model"), str_from(cases[i].answered_by));
        if (cases[i].status == 200)
            CHECK_STR(value_at(&arena, body, "choices.0.message.content"),
                      str_from(cases[i].answer));
        else
            CHECK(str_find(value_at(&arena, body, "error.message"), str_from(cases[i].answer)) !=
                  STR_NPOS);
        if (check_failures > before)
            fprintf(stderr, "    in case %zu: %.*s\n", i, STR_ARG(body));
        got_fini(&got);
    }
    struct got streamed = ask(&rig, STR("gpt-4o"), STR("How many legs?"), true);
    struct heard heard = hear(buf_str(&streamed.body));
    CHECK_STR(buf_str(&heard.text), STR("four\n\"legs\""));
    buf_fini(&heard.text);
    got_fini(&streamed);
    arena_fini(&arena);
    rig_close(&rig);
    folder_remove(folder);
}

static void refuses_broken_folders(void)
{
    static const struct {
        const char *name;
        const char *text;
        const char *why;
    } cases[] = {
        { "questions.jsonl", "{\"id\":\"q1\"}\n", "questions.jsonl:1" },
        { "questions.jsonl", "{\"id\":\"q1\",\"prompt\":\"a\"}\n{\"id\":\"q2\",\"prompt\":\" \"}\n",
          "questions.jsonl:2" },
        { "answers/gpt-4o-2024-08-06.jsonl", "{\"id\":\"q1\",\"output\":\"a\"}\n",
          "08-06.jsonl:1" },
        { "answers/gpt-4o-2024-08-06.jsonl", "nonsense", "08-06.jsonl:1" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct provider_options options = provider_options_default();
        struct provider *provider = NULL;
        struct world *world;
        char folder[64], why[256] = "";
        REQUIRE(folder_make(folder));
        REQUIRE(file_write(folder, cases[i].name, cases[i].text));
        options.mode = PROVIDER_MODE_RECORDED;
        options.path = str_from(folder);
        REQUIRE(world_open(&world) == OK);
        CHECK_ERR(provider_open(&provider, world, &options, why), WEIR_CONFIG);
        CHECK(strstr(why, cases[i].why) != NULL);
        world_close(world);
        folder_remove(folder);
    }
}

/* The real folder, wherever the build directory lies below the project; NULL when it is absent. */
static const char *real_folder(void)
{
    static const char *const places[] = { "../shared/data/recorded", "../../shared/data/recorded",
                                          "../../../shared/data/recorded" };
    const char *named = getenv("WEIR_RECORDED");

    if (named)
        return access(named, R_OK) == 0 ? named : NULL;
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        if (access(places[i], R_OK) == 0)
            return places[i];
    }
    return NULL;
}

static bool read_file(const char *folder, const char *name, struct buf *out)
{
    char path[512], why[256];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return file_load(str_from(path), out, why) == OK;
}

/* The two files list the same questions in the same order; every 37th answer comes back over the wire byte for byte, with
 * its token counts, also when the question stands inside of other text. */
static void replays_what_was_recorded(void)
{
    const char *folder = real_folder();
    struct provider_options options = provider_options_default();
    struct buf questions = { 0 }, answers = { 0 }, wrapped = { 0 };
    struct rig rig;
    str question, answer;
    size_t line = 0, asked = 0;

    if (!folder)
        SKIP("no recorded answers");
    options.mode = PROVIDER_MODE_RECORDED;
    options.path = str_from(folder);
    REQUIRE(rig_open(&rig, &options));
    CHECK(read_file(folder, "questions.jsonl", &questions));
    CHECK(read_file(folder, "answers/gpt-4o-mini-2024-07-18.jsonl", &answers));
    str question_rest = buf_str(&questions), answer_rest = buf_str(&answers);
    while (str_next(&question_rest, '\n', &question) && str_next(&answer_rest, '\n', &answer)) {
        struct arena arena;
        if (question.len == 0 || line++ % 37 != 0)
            continue;
        arena_init(&arena, 1 << 20);
        CHECK_STR(value_at(&arena, question, "id"), value_at(&arena, answer, "id"));
        buf_reset(&wrapped);
        if (asked % 2 == 0)
            buf_add(&wrapped, STR("Work in short steps.\nQuestion: "));
        buf_add(&wrapped, value_at(&arena, question, "prompt"));
        struct got got = ask(&rig, STR("gpt-4o-mini"), buf_str(&wrapped), false);
        str body = buf_str(&got.body);
        CHECK_STR(value_at(&arena, body, "choices.0.message.content"),
                  value_at(&arena, answer, "output"));
        CHECK_STR(value_at(&arena, body, "usage.prompt_tokens"),
                  value_at(&arena, answer, "prompt_tokens"));
        CHECK_STR(value_at(&arena, body, "usage.completion_tokens"),
                  value_at(&arena, answer, "completion_tokens"));
        got_fini(&got);
        arena_fini(&arena);
        asked++;
    }
    CHECK(asked >= 40);
    buf_fini(&questions);
    buf_fini(&answers);
    buf_fini(&wrapped);
    rig_close(&rig);
}

TESTS(TEST(finds_questions_and_models), TEST(refuses_broken_folders),
      TEST(replays_what_was_recorded))
