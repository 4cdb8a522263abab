/* SPDX-License-Identifier: Apache-2.0 */
/* folder: one evaluation, one process, whole lines. */
#include "app/eval/eval_rig.h"

#define PLAN "{\"version\":1,\"cells\":[\"a/direct\"],\"seed\":1}\n"

struct bench {
    char folder[RIG_PATH_MAX];
    struct rig rig;
    struct buf problems;
    struct eval_folder *f;
    nano_usd spent;
};

static enum err bench_start(struct bench *b, const char *plan)
{
    enum err e = eval_folder_open(&b->f, str_from(b->folder), &b->problems);

    if (e == OK)
        e = eval_folder_match(b->f, str_from(plan), &b->rig.eval.questions, &b->problems);
    if (e == OK)
        e = eval_folder_load(b->f, &b->rig.eval.arena, &b->rig.eval.questions, &b->rig.eval.plan,
                             &b->rig.eval.runs, &b->spent, &b->problems);
    return e;
}

static bool bench_open(struct bench *b)
{
    *b = (struct bench){ 0 };
    return rig_folder_make(b->folder) && rig_open(&b->rig, 3, "a/direct", 1);
}

static void bench_stop(struct bench *b)
{
    eval_folder_close(b->f);
    b->f = NULL;
    buf_fini(&b->problems);
}

static void bench_close(struct bench *b)
{
    bench_stop(b);
    rig_close(&b->rig);
    rig_folder_remove(b->folder);
}

static bool said(const struct bench *b, const char *part)
{
    bool is_said = str_find(buf_str(&b->problems), str_from(part)) != STR_NPOS;

    if (!is_said)
        fprintf(stderr, "    said: %.*s", STR_ARG(buf_str(&b->problems)));
    return is_said;
}

static void line_write(struct bench *b, struct buf *out, size_t question, bool is_right,
                       enum err fault)
{
    struct eval_run_place place = { .question = question };
    struct eval_outcome outcome = { .fault = fault,
                                    .halt = "answered",
                                    .raw_confidence = -1,
                                    .confidence = -1,
                                    .latency_us = 5,
                                    .cost = 100,
                                    .canonical = STR("1") };

    eval_run_write(out, &b->rig.eval.questions, &b->rig.eval.plan, &place, &outcome, is_right);
}

static void keeps_and_finds_runs(void)
{
    struct bench b;
    struct buf lines = { 0 }, file = { 0 };

    REQUIRE(bench_open(&b));
    CHECK_ERR(bench_start(&b, PLAN), OK);
    CHECK_INT(b.spent, 0);
    CHECK(rig_read(b.folder, "questions.jsonl", &file));
    CHECK_STR(buf_str(&file), buf_str(&b.rig.eval.text));
    line_write(&b, &lines, 0, false, PROVIDER_CUT);
    line_write(&b, &lines, 2, true, OK);
    line_write(&b, &lines, 0, true, OK); /* tried again: the later one counts, both cost */
    CHECK_ERR(eval_folder_append(b.f, buf_str(&lines)), OK);
    bench_stop(&b);
    /* A line that was being written when the power went. */
    buf_add(&lines, STR("{\"id\":\"q1\",\"mod"));
    REQUIRE(rig_write(b.folder, "runs.jsonl", buf_str(&lines)));
    CHECK_ERR(bench_start(&b, PLAN), OK);
    CHECK_INT(b.spent, 300);
    CHECK(eval_run_at(&b.rig.eval.runs, 0, 0, 0)->is_right);
    CHECK(!eval_run_at(&b.rig.eval.runs, 1, 0, 0)->is_done);
    CHECK(eval_run_at(&b.rig.eval.runs, 2, 0, 0)->is_done);
    line_write(&b, &lines, 1, true, OK);
    buf_reset(&lines);
    line_write(&b, &lines, 1, true, OK);
    CHECK_ERR(eval_folder_append(b.f, buf_str(&lines)), OK);
    bench_stop(&b);
    CHECK_ERR(bench_start(&b, PLAN), OK); /* the torn line is gone, so the next one is whole */
    CHECK_INT(b.spent, 400);
    buf_fini(&lines);
    buf_fini(&file);
    bench_close(&b);
}

static void refuses_other_evaluations(void)
{
    struct bench b;

    REQUIRE(bench_open(&b));
    REQUIRE(bench_start(&b, PLAN) == OK);
    bench_stop(&b);
    CHECK_ERR(bench_start(&b, "{\"version\":1,\"cells\":[\"a/direct\"],\"seed\":2}"),
              CALLER_BAD_REQUEST);
    CHECK(said(&b, "holds another evaluation (what differs: seed)"));
    bench_stop(&b);
    REQUIRE(rig_write(b.folder, "plan.json", STR("nonsense")));
    CHECK_ERR(bench_start(&b, PLAN), CALLER_BAD_REQUEST);
    CHECK(said(&b, "plan.json is no plan"));
    bench_close(&b);
}

static void refuses_broken_runs(void)
{
    struct bench b;

    REQUIRE(bench_open(&b));
    REQUIRE(rig_write(b.folder, "runs.jsonl", STR("{}\n")));
    CHECK_ERR(bench_start(&b, PLAN), CALLER_BAD_REQUEST);
    CHECK(said(&b, "holds runs but no plan.json"));
    bench_stop(&b);
    REQUIRE(rig_write(b.folder, "plan.json", STR(PLAN)));
    CHECK_ERR(bench_start(&b, PLAN), CALLER_BAD_REQUEST);
    CHECK(said(&b, "runs.jsonl:1: not a run of this evaluation"));
    bench_close(&b);
}

static void is_one_process_s(void)
{
    struct bench b;
    struct eval_folder *second = NULL;

    REQUIRE(bench_open(&b));
    REQUIRE(bench_start(&b, PLAN) == OK);
    CHECK_ERR(eval_folder_open(&second, str_from(b.folder), &b.problems), CALLER_BAD_REQUEST);
    CHECK(said(&b, "in use by another evaluation"));
    bench_stop(&b);
    CHECK_ERR(eval_folder_open(&second, STR("/nowhere/at/all"), &b.problems), WEIR_IO);
    CHECK(said(&b, "/nowhere/at/all: "));
    CHECK(second == NULL);
    bench_close(&b);
}

TESTS(TEST(keeps_and_finds_runs), TEST(refuses_other_evaluations), TEST(refuses_broken_runs),
      TEST(is_one_process_s))
