/* SPDX-License-Identifier: Apache-2.0 */
/* eval: whole evaluations in this process, on a recording that the test writes and on the simulated model. */
#include "app/eval/eval_rig.h"

struct bench {
    char folder[RIG_PATH_MAX]; /* the recording, the questions, and out below it */
    char questions[RIG_PATH_MAX * 2];
    char provider[RIG_PATH_MAX * 2];
    char out[RIG_PATH_MAX * 2];
    struct config *config;
    struct eval_options options;
    struct buf problems;
    uint64_t shown; /* calls of on_progress */
};

#define QUESTIONS 12

/* Model a is right on all, b where i % 3 > 0; b's answer to the last question holds nothing. */
static bool recording_write(const char *folder)
{
    struct buf questions = { 0 }, a = { 0 }, b = { 0 };
    char answers[RIG_PATH_MAX * 2];

    snprintf(answers, sizeof(answers), "%s/answers", folder);
    for (int i = 0; i < QUESTIONS; i++) {
        buf_printf(&questions,
                   "{\"id\":\"q%d\",\"domain\":\"%s\",\"prompt\":\"What is %d + "
                   "%d?\",\"answer\":\"%d\"}\n",
                   i, i < 6 ? "x" : "y", i, i, 2 * i);
        buf_printf(&a,
                   "{\"id\":\"q%d\",\"output\":\"Answer: "
                   "%d\",\"prompt_tokens\":10,\"completion_tokens\":20,\"correct\":true}\n",
                   i, 2 * i);
        buf_printf(
            &b,
            "{\"id\":\"q%d\",\"output\":\"%s%d\",\"prompt_tokens\":10,\"completion_tokens\":2}\n",
            i, i == QUESTIONS - 1 ? "{\\\"answer\\\": \\\"\\\"}\\n" : "Answer: ",
            2 * i + (i % 3 == 0));
    }
    /* The last answer of b is a JSON object without content. */
    b.len = str_find(buf_str(&b), STR("{\"id\":\"q11\""));
    buf_add(&b, STR("{\"id\":\"q11\",\"output\":\"{\\\"answer\\\":\\\"\\\"}\",\"prompt_tokens\":10,"
                    "\"completion_tokens\":2}\n"));
    bool is_written = mkdir(answers, 0700) == 0 &&
                      rig_write(folder, "questions.jsonl", buf_str(&questions)) &&
                      rig_write(folder, "answers/gpt-4o-2024-08-06.jsonl", buf_str(&a)) &&
                      rig_write(folder, "answers/gpt-4o-mini-2024-07-18.jsonl", buf_str(&b));
    buf_fini(&questions);
    buf_fini(&a);
    buf_fini(&b);
    return is_written;
}

static bool bench_open(struct bench *b)
{
    struct config_issues issues;

    *b = (struct bench){ 0 };
    if (!rig_folder_make(b->folder) || !recording_write(b->folder))
        return false;
    bool is_loaded = config_load(STR(""), &b->config, &issues) == OK;
    config_issues_fini(&issues);
    snprintf(b->questions, sizeof(b->questions), "%s/questions.jsonl", b->folder);
    snprintf(b->provider, sizeof(b->provider), "recorded:%s", b->folder);
    snprintf(b->out, sizeof(b->out), "%s/out", b->folder);
    b->options = (struct eval_options){ .questions = str_from(b->questions),
                                        .provider = str_from(b->provider),
                                        .cells = STR("gpt-4o/direct,gpt-4o-mini/direct"),
                                        .margin = 0.02,
                                        .budget = -1,
                                        .runs = 1,
                                        .parallel = 4,
                                        .seed = 1,
                                        .config = b->config };
    return is_loaded;
}

static void bench_close(struct bench *b)
{
    buf_fini(&b->problems);
    config_close(b->config);
    rig_folder_remove(b->folder);
}

static void on_progress(void *ctx, const struct eval_progress *progress)
{
    struct bench *b = ctx;

    b->shown++;
    CHECK(progress->done <= progress->total);
}

/* Runs it, and gives its JSON; the caller finishes it. */
static struct eval *evaluate(struct bench *b, enum eval_end *end, struct buf *json)
{
    struct eval_watcher watcher = { b, on_progress, NULL };
    struct eval *e = NULL;

    buf_reset(json);
    buf_reset(&b->problems);
    enum err fault = eval_open(&e, &b->options, &b->problems);
    if (fault == OK)
        fault = eval_run(e, &watcher, end);
    if (fault == OK)
        fault = eval_report(e);
    if (fault == OK)
        fault = eval_write_files(e, &b->problems);
    CHECK_ERR(fault, OK);
    if (fault == OK)
        eval_write_json(e, json);
    else
        fprintf(stderr, "    %.*s", STR_ARG(buf_str(&b->problems)));
    return e;
}

static void replays_a_recording(void)
{
    struct bench b;
    struct buf json = { 0 };
    enum eval_end end;

    REQUIRE(bench_open(&b));
    struct eval *e = evaluate(&b, &end, &json);
    REQUIRE(e);
    const struct eval_cell_row *large = eval_row_overall(e, 0), *small = eval_row_overall(e, 1);
    CHECK_INT(end, EVAL_DONE);
    CHECK_INT(b.shown, 2 * QUESTIONS);
    CHECK_INT(large->n, QUESTIONS);
    CHECK_INT(large->right, QUESTIONS);
    CHECK_INT(large->labelled, QUESTIONS);
    CHECK_INT(small->right, 7); /* 8 are, save the one without content */
    CHECK_INT(small->faulted, 1);
    CHECK_INT(small->labelled, 0);
    CHECK_INT(large->latency.n, 0);
    CHECK_INT(large->confidence.n, 0);
    CHECK_INT(large->cost, QUESTIONS * (10 * 2500 + 20 * 10000));
    CHECK_INT(small->cost,
              QUESTIONS * (10 * 150 + 2 * 600)); /* the same answer is not paid for twice */
    CHECK(!eval_is_refused(e));
    eval_close(e);
    buf_fini(&json);
    bench_close(&b);
}

/* Cut after any number of lines, resumed: the same bytes. */
static void resumes_to_the_same_bytes(void)
{
    struct bench b;
    struct buf whole = { 0 }, json = { 0 }, runs = { 0 };
    enum eval_end end;

    REQUIRE(bench_open(&b));
    b.options.out = str_from(b.out);
    eval_close(evaluate(&b, &end, &whole));
    REQUIRE(rig_read(b.out, "runs.jsonl", &runs));
    size_t lines = 0;
    for (size_t at = 0; at <= runs.len; at++) {
        if (at > 0 && runs.ptr[at - 1] != '\n' && at % 701 != 0)
            continue; /* every end of a line, and some places within one */
        REQUIRE(rig_write(b.out, "runs.jsonl", str_slice(buf_str(&runs), 0, at)));
        b.shown = 0;
        struct eval *e = evaluate(&b, &end, &json);
        CHECK_STR(buf_str(&json), buf_str(&whole));
        lines = at > 0 && runs.ptr[at - 1] == '\n' ? lines + 1 : lines;
        CHECK_INT(b.shown, 2 * QUESTIONS - lines);
        eval_close(e);
    }
    CHECK_INT(lines, 2 * QUESTIONS);
    buf_fini(&whole);
    buf_fini(&json);
    buf_fini(&runs);
    bench_close(&b);
}

/* Any budget: never exceeded, and the questions asked are whole ones. */
static void keeps_to_its_budget(void)
{
    nano_usd total = QUESTIONS * (225000 + 2700);
    struct bench b;
    struct buf json = { 0 };
    enum eval_end end;

    REQUIRE(bench_open(&b));
    for (nano_usd budget = 0; budget <= total + 1; budget += total / 40) {
        b.options.budget = budget;
        struct eval *e = evaluate(&b, &end, &json);
        const struct eval_cell_row *large = eval_row_overall(e, 0), *small = eval_row_overall(e, 1);
        CHECK(large->cost + small->cost <= budget);
        CHECK(end == (large->n + small->n < 2 * QUESTIONS ? EVAL_OUT_OF_BUDGET : EVAL_DONE));
        CHECK(large->cost + small->cost + 225000 > budget || end == EVAL_DONE);
        CHECK(large->n - small->n <= 1 && small->n - large->n <= 1);
        eval_close(e);
    }
    b.options.budget = total;
    struct eval *e = evaluate(&b, &end, &json);
    CHECK_INT(end, EVAL_DONE); /* exactly enough */
    eval_close(e);
    /* What a budget leaves is a draw, not the beginning of the file. */
    b.options.budget = total / 2;
    e = evaluate(&b, &end, &json);
    size_t done_behind = 0;
    for (size_t q = QUESTIONS / 2; q < QUESTIONS; q++)
        done_behind += eval_run_at(&e->runs, q, 0, 0)->is_done;
    CHECK(done_behind > 0);
    eval_close(e);
    buf_fini(&json);
    bench_close(&b);
}

/* A worst case far above the cost is given back when the run has ended, so that a budget is used up. */
static void gives_back_what_it_reserved(void)
{
    struct bench b;
    struct buf json = { 0 };
    enum eval_end end;

    REQUIRE(bench_open(&b));
    b.options.provider = STR("sim");
    b.options.cells = STR("gpt-4o/direct");
    b.options.runs = 40;
    b.options.allows_simulated = true;
    b.options.budget = 100000000;
    struct eval *e = evaluate(&b, &end, &json);
    nano_usd worst =
        e->source->kind->worst(e->source, &e->questions.items[QUESTIONS - 1], &e->plan.cells[0]);
    nano_usd spent = eval_row_overall(e, 0)->cost;
    CHECK_INT(end, EVAL_OUT_OF_BUDGET);
    CHECK(spent <= b.options.budget);
    CHECK(spent + worst > b.options.budget);
    CHECK(worst > 5 * eval_row_overall(e, 0)->cost / eval_row_overall(e, 0)->n);
    eval_close(e);
    buf_fini(&json);
    bench_close(&b);
}

static void simulates_in_virtual_time(void)
{
    struct bench b;
    struct buf first = { 0 }, second = { 0 };
    enum eval_end end;

    REQUIRE(bench_open(&b));
    b.options.provider = STR("sim");
    b.options.cells = STR("gpt-4o-mini/direct,gpt-4o-mini/hrm_trm,gpt-4o/trm");
    b.options.runs = 3;
    struct eval *e = evaluate(&b, &end, &first);
    CHECK(eval_refuses_to_run(e));
    CHECK(eval_is_refused(e));
    eval_close(e);
    b.options.allows_simulated = true;
    e = evaluate(&b, &end, &first);
    CHECK(!eval_refuses_to_run(e) && !eval_is_refused(e));
    CHECK(eval_row_overall(e, 0)->latency.p50_ms > 0);
    CHECK(eval_row_overall(e, 1)->latency.p50_ms > eval_row_overall(e, 0)->latency.p50_ms);
    CHECK_INT(eval_row_overall(e, 2)->n, 3 * QUESTIONS);
    eval_close(e);
    eval_close(evaluate(&b, &end, &second));
    CHECK_STR(buf_str(&second), buf_str(&first));
    b.options.seed = 2;
    eval_close(evaluate(&b, &end, &second));
    CHECK(!str_eq(buf_str(&second), buf_str(&first)));
    buf_fini(&first);
    buf_fini(&second);
    bench_close(&b);
}

static void forecasts_before_it_runs(void)
{
    struct bench b;
    struct buf json = { 0 };
    enum eval_end end;
    struct eval *e;

    REQUIRE(bench_open(&b));
    REQUIRE(eval_open(&e, &b.options, &b.problems) == OK);
    struct eval_forecast f = eval_forecast(e);
    CHECK_INT(f.runs, 2 * QUESTIONS);
    CHECK_INT(f.done, 0);
    CHECK_INT(f.expected, QUESTIONS * (225000 + 2700));
    CHECK_INT(f.worst, f.expected);
    CHECK(!f.spends && f.is_exact && !f.has_unpriced);
    eval_close(e);
    b.options.out = str_from(b.out);
    eval_close(evaluate(&b, &end, &json));
    REQUIRE(eval_open(&e, &b.options, &b.problems) == OK);
    f = eval_forecast(e);
    CHECK_INT(f.done, 2 * QUESTIONS);
    CHECK_INT(f.expected, 0); /* what is done is paid for */
    eval_close(e);
    b.options.out = (str){ 0 };
    b.options.provider = STR("sim");
    b.options.cells = STR("nobody-knows-it/direct,gpt-4o/direct");
    REQUIRE(eval_open(&e, &b.options, &b.problems) == OK);
    f = eval_forecast(e);
    CHECK(f.has_unpriced && f.expected > 0 && f.worst > f.expected);
    eval_close(e);
    b.options.cells = STR("smollm2-135m-instruct/hrm_trm");
    REQUIRE(eval_open(&e, &b.options, &b.problems) == OK);
    f = eval_forecast(e);
    CHECK(!f.has_unpriced && f.expected == 0 && f.worst == 0); /* a price of nothing */
    eval_close(e);
    b.config->budget.cost_max = 10;
    b.options.cells = STR("gpt-4o/hrm_trm");
    REQUIRE(eval_open(&e, &b.options, &b.problems) == OK);
    f = eval_forecast(e);
    CHECK_INT(f.expected, QUESTIONS * 10); /* a query's cap is a forecast's */
    CHECK_INT(f.worst, QUESTIONS * 10);
    eval_close(e);
    b.options.cells = STR("nobody-knows-it/direct,gpt-4o/direct");
    b.options.budget = 1000;
    CHECK_ERR(eval_open(&e, &b.options, &b.problems), CALLER_BAD_REQUEST);
    CHECK(str_find(buf_str(&b.problems), STR("nobody-knows-it/direct has no price")) != STR_NPOS);
    buf_fini(&json);
    bench_close(&b);
}

static void refuses_too_much(void)
{
    struct bench b;
    struct eval *e;
    struct buf questions = { 0 };

    REQUIRE(bench_open(&b));
    for (int i = 0; i < 40; i++)
        buf_printf(&questions,
                   "{\"id\":\"q%d\",\"domain\":\"d%d\",\"prompt\":\"p\",\"answer\":1}\n", i, i);
    REQUIRE(rig_write(b.folder, "questions.jsonl", buf_str(&questions)));
    b.options.provider = STR("sim");
    b.options.cells = (str){ 0 };
    b.options.models = STR("a,b,c,d");
    b.options.strategies = STR("direct,hrm,trm,hrm_trm");
    CHECK_ERR(eval_open(&e, &b.options, &b.problems), CALLER_BAD_REQUEST);
    CHECK(str_find(buf_str(&b.problems), STR("more than 4096 comparisons")) != STR_NPOS);
    buf_fini(&questions);
    bench_close(&b);
}

TESTS(TEST(replays_a_recording), TEST(resumes_to_the_same_bytes), TEST(keeps_to_its_budget),
      TEST(gives_back_what_it_reserved), TEST(simulates_in_virtual_time),
      TEST(forecasts_before_it_runs), TEST(refuses_too_much))
