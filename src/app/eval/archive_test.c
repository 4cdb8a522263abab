/* SPDX-License-Identifier: Apache-2.0 */
/* archive: a folder of an evaluation is read as it was written, also a half-written one; what is none is named. */
#include "app/eval/archive.h"

#include "app/eval/eval_rig.h"

#define PLAN "{\"version\":1,\"cells\":[\"a/direct\",\"b/hrm\"],\"runs\":2,\"seed\":1}\n"
#define PLACE(q, c, r) (&(struct eval_archive_place){ .question = (q), .cell = (c), .run = (r) })

struct bench {
    char folder[RIG_PATH_MAX];
    struct rig rig;
    struct buf lines, problems;
    struct eval_archive *archive;
};

static bool bench_open(struct bench *b)
{
    *b = (struct bench){ .archive = NULL };
    return rig_folder_make(b->folder) && rig_open(&b->rig, 3, "a/direct,b/hrm", 2) &&
           rig_write(b->folder, "plan.json", STR(PLAN)) &&
           rig_write(b->folder, "questions.jsonl", buf_str(&b->rig.eval.text)) &&
           rig_write(b->folder, "runs.jsonl", STR(""));
}

static void bench_close(struct bench *b)
{
    eval_archive_close(b->archive);
    buf_fini(&b->lines);
    buf_fini(&b->problems);
    rig_close(&b->rig);
    rig_folder_remove(b->folder);
}

static void line_add(struct bench *b, const struct eval_run_place *place,
                     const struct eval_outcome *outcome, bool is_right)
{
    struct eval_outcome whole = *outcome;

    whole.halt = "answered";
    whole.canonical = STR("1");
    eval_run_write(&b->lines, &b->rig.eval.questions, &b->rig.eval.plan, place, &whole, is_right);
}

static enum err bench_read(struct bench *b)
{
    eval_archive_close(b->archive);
    b->archive = NULL;
    buf_reset(&b->problems);
    CHECK(rig_write(b->folder, "runs.jsonl", buf_str(&b->lines)));
    return eval_archive_open(&b->archive, str_from(b->folder), &b->problems);
}

static void what_was_written_is_read(void)
{
    struct eval_outcome cheap = {
        .cost = 100, .latency_us = 2500, .raw_confidence = 0.5, .confidence = 0.75
    };
    struct eval_outcome bare = {
        .cost = COST_UNPRICED, .latency_us = -1, .raw_confidence = 0.25, .confidence = -1
    };
    struct eval_outcome cut = {
        .fault = PROVIDER_CUT, .raw_confidence = -1, .confidence = -1, .is_simulated = true
    };
    struct bench b;

    REQUIRE(bench_open(&b));
    line_add(&b, &(struct eval_run_place){ 2, 0, 1 }, &bare, false);
    line_add(&b, &(struct eval_run_place){ 2, 0, 1 }, &cheap, true); /* the later one counts */
    line_add(&b, &(struct eval_run_place){ 0, 1, 0 }, &bare, false);
    line_add(&b, &(struct eval_run_place){ 1, 1, 0 }, &cut, true);
    buf_add(&b.lines, STR("{\"id\":\"q1\",\"mod")); /* is being written */
    CHECK_ERR(bench_read(&b), OK);
    REQUIRE(b.archive);
    const struct eval_archive *a = b.archive;

    CHECK_INT(eval_archive_cell_count(a), 2);
    CHECK_STR(eval_archive_cell(a, 0).name, STR("a/direct"));
    CHECK_STR(str_from(eval_archive_cell(a, 1).strategy), STR("hrm"));
    CHECK_INT(eval_archive_find_cell(a, STR("b/hrm")), 1);
    CHECK(eval_archive_find_cell(a, STR("b")) == EVAL_ARCHIVE_NONE);
    CHECK_INT(eval_archive_question_count(a), 3);
    CHECK_INT(eval_archive_runs(a), 2);
    CHECK_INT(eval_archive_find_question(a, STR("q2")), 2);
    CHECK(eval_archive_find_question(a, STR("q3")) == EVAL_ARCHIVE_NONE);
    CHECK_STR(eval_archive_question(a, 2).id, STR("q2"));
    CHECK_STR(eval_archive_question(a, 2).domain, STR("y"));
    CHECK_STR(eval_archive_question(a, 2).prompt, STR("p"));
    struct eval_archive_run r = eval_archive_run(a, PLACE(2, 0, 1));
    CHECK(r.is_done && r.is_right && !r.is_error && !r.is_simulated);
    CHECK_INT(r.cost, 100);
    CHECK_INT(r.latency_us, 2500);
    CHECK_NEAR(r.confidence, 0.75, 0);
    r = eval_archive_run(a, PLACE(0, 1, 0));
    CHECK(r.is_done && !r.is_right && !r.is_error && r.cost == COST_UNPRICED && r.latency_us < 0);
    CHECK_NEAR(r.confidence, 0.25, 0);
    r = eval_archive_run(a, PLACE(1, 1, 0));
    CHECK(r.is_done && !r.is_right && r.is_error && r.is_simulated && r.confidence < 0);
    CHECK(!eval_archive_run(a, PLACE(2, 0, 0)).is_done);
    bench_close(&b);
}

static void what_is_no_evaluation_is_said(void)
{
    static const struct {
        const char *name, *content, *what;
        enum err want;
    } cases[] = {
        { "plan.json", "nonsense", "/plan.json is no plan of an evaluation", CALLER_BAD_REQUEST },
        { "plan.json", "{\"version\":2,\"cells\":[\"a/direct\"],\"runs\":1}", "is no plan",
          CALLER_BAD_REQUEST },
        { "plan.json", "{\"version\":1,\"cells\":[\"a/direct\"],\"runs\":0}", "is no plan",
          CALLER_BAD_REQUEST },
        { "plan.json", "{\"version\":1,\"cells\":[\"a/direct\"],\"runs\":101}", "is no plan",
          CALLER_BAD_REQUEST },
        { "plan.json", "{\"version\":1,\"cells\":[],\"runs\":1}", "is no plan",
          CALLER_BAD_REQUEST },
        { "plan.json", "{\"version\":1,\"cells\":[1],\"runs\":1}", "is no plan",
          CALLER_BAD_REQUEST },
        { "plan.json", "{\"version\":1,\"cells\":[\"a/chess\"],\"runs\":1}", "is no plan",
          CALLER_BAD_REQUEST },
        { "questions.jsonl", "{}\n", "/questions.jsonl:1: ", CALLER_BAD_REQUEST },
        { "runs.jsonl", "{}\n", "/runs.jsonl:1: not a run of this evaluation", CALLER_BAD_REQUEST },
        { "runs.jsonl", "x\n", "/runs.jsonl:1: not a run of this evaluation", CALLER_BAD_REQUEST },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bench b;
        REQUIRE(bench_open(&b));
        REQUIRE(rig_write(b.folder, cases[i].name, str_from(cases[i].content)));
        CHECK_ERR(eval_archive_open(&b.archive, str_from(b.folder), &b.problems), cases[i].want);
        CHECK(b.archive == NULL);
        if (str_find(buf_str(&b.problems), str_from(cases[i].what)) == STR_NPOS)
            fprintf(stderr, "case %zu: %.*s", i, STR_ARG(buf_str(&b.problems)));
        CHECK(str_find(buf_str(&b.problems), str_from(cases[i].what)) != STR_NPOS);
        bench_close(&b);
    }
}

static void a_missing_file_is_named(void)
{
    struct bench b;

    REQUIRE(bench_open(&b));
    CHECK_ERR(eval_archive_open(&b.archive, STR("/nowhere"), &b.problems), WEIR_IO);
    CHECK(str_find(buf_str(&b.problems), STR("/nowhere/plan.json")) != STR_NPOS);
    eval_archive_close(NULL);
    bench_close(&b);
}

TESTS(TEST(what_was_written_is_read), TEST(what_is_no_evaluation_is_said),
      TEST(a_missing_file_is_named))
