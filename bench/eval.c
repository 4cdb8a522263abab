/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-eval: one core through `weir eval` with recorded answers: each of all questions once, direct, one model. Prints one JSON value:
 * questions a second of running alone (asking, judging, pricing, writing a line each to disk), and with loading the
 * recording and computing the results.
 *
 *     bench-eval [FOLDER [MODEL [ROUNDS]]]      a recording; without one 2,000 questions are made up
 */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/eval/eval.h"
#include "edge/config/config.h"
#include "edge/world/log.h"
#include "edge/world/world.h"

#define MADE_UP 2000
#define PATH_MAX_BYTES 512

static bool file_write(const char *folder, const char *name, const struct buf *content)
{
    char path[PATH_MAX_BYTES];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "we");
    if (!file)
        return false;
    fwrite(content->ptr, 1, content->len, file);
    return fclose(file) == 0;
}

/* As long as real ones: some 750 bytes of prompt, 1,000 of answer. */
static bool recording_make(const char *folder)
{
    struct buf questions = { 0 }, answers = { 0 };
    char below[PATH_MAX_BYTES];

    for (int i = 0; i < MADE_UP; i++) {
        buf_printf(
            &questions,
            "{\"id\":\"q%d\",\"domain\":\"d%d\",\"answer\":\"%d\",\"prompt\":\"%700s %d?\"}\n", i,
            i % 3, i, "What is the value of", i);
        buf_printf(&answers,
                   "{\"id\":\"q%d\",\"prompt_tokens\":200,\"completion_tokens\":250,\"output\":\"%"
                   "960s {\\\"reasoning\\\": "
                   "\\\"r\\\", \\\"answer\\\": \\\"%d\\\"}\"}\n",
                   i, "Step by step.", i + (i % 5 == 0));
    }
    snprintf(below, sizeof(below), "%s/answers", folder);
    bool is_made = mkdir(below, 0700) == 0 && file_write(folder, "questions.jsonl", &questions) &&
                   file_write(folder, "answers/gpt-4o-mini.jsonl", &answers);
    buf_fini(&questions);
    buf_fini(&answers);
    return is_made;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *at)
{
    (void)status;
    (void)type;
    (void)at;
    return remove(path);
}

static double seconds_since(nsec start)
{
    return (double)(world_now_exact() - start) / 1e9;
}

struct measured {
    uint64_t runs;
    double open, run, report;
};

static enum err evaluate_once(const struct eval_options *options, struct measured *m)
{
    struct eval_watcher watcher = { NULL, NULL, NULL };
    struct buf problems = { 0 };
    struct eval *e = NULL;
    enum eval_end end;
    nsec start = world_now_exact();

    enum err fault = eval_open(&e, options, &problems);
    m->open = seconds_since(start);
    if (fault == OK) {
        start = world_now_exact();
        m->runs = eval_forecast(e).runs;
        fault = eval_run(e, &watcher, &end);
        m->run = seconds_since(start);
    }
    if (fault == OK) {
        start = world_now_exact();
        fault = eval_report(e);
        if (fault == OK)
            fault = eval_write_files(e, &problems);
        m->report = seconds_since(start);
    }
    if (fault != OK)
        fprintf(stderr, "bench-eval: %s: %.*s\n", err_info(fault)->name,
                STR_ARG(buf_str(&problems)));
    eval_close(e);
    buf_fini(&problems);
    return fault;
}

int main(int argc, char **argv)
{
    char made[] = "/tmp/weir-bench-eval-XXXXXX", questions[PATH_MAX_BYTES],
         provider[PATH_MAX_BYTES], cells[PATH_MAX_BYTES], out[PATH_MAX_BYTES];
    const char *folder = argc > 1 ? argv[1] : made, *model = argc > 2 ? argv[2] : "gpt-4o-mini";
    int rounds = argc > 3 ? atoi(argv[3]) : 5;
    struct log log = { LOG_ERROR, STDERR_FILENO };
    struct config_issues issues;
    struct config *config = NULL;
    struct measured best = { .run = 1e9 };

    if (!mkdtemp(made) || (argc < 2 && !recording_make(made)) ||
        config_load(STR(""), &config, &issues) != OK)
        return 3;
    config_issues_fini(&issues);
    snprintf(questions, sizeof(questions), "%s/questions.jsonl", folder);
    snprintf(provider, sizeof(provider), "recorded:%s", folder);
    snprintf(cells, sizeof(cells), "%s/direct", model);
    for (int i = 0; i < rounds; i++) {
        struct measured m;
        snprintf(out, sizeof(out), "%s/out-%d", made, i);
        struct eval_options options = { .questions = str_from(questions),
                                        .provider = str_from(provider),
                                        .cells = str_from(cells),
                                        .out = str_from(out),
                                        .margin = 0.02,
                                        .budget = -1,
                                        .runs = 1,
                                        .parallel = 1,
                                        .seed = (uint64_t)i,
                                        .config = config,
                                        .log = &log };
        if (evaluate_once(&options, &m) != OK)
            return 1;
        if (m.run < best.run)
            best = m;
    }
    double all = best.open + best.run + best.report;
    printf("{\"questions\":%" PRIu64
           ",\"rounds\":%d,\"open_seconds\":%.4f,\"run_seconds\":%.4f,\"report_seconds\":%.4f,"
           "\"questions_per_second\":%.0f,\"with_loading_and_report\":%.0f}\n",
           best.runs, rounds, best.open, best.run, best.report, (double)best.runs / best.run,
           (double)best.runs / all);
    config_close(config);
    nftw(made, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return 0;
}
