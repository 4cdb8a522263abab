/* SPDX-License-Identifier: Apache-2.0 */
/* eval_rig: what eval's tests share: a temporary directory, questions from a text, an evaluation whose runs a test fills in. */
#ifndef WEIR_APP_EVAL_EVAL_RIG_H
#define WEIR_APP_EVAL_EVAL_RIG_H

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/eval/report.h"
#include "edge/config/config.h"
#include "edge/world/file.h"
#include "test/check.h"

#define RIG_PATH_MAX 128

/* ---- files ---- */

__attribute__((unused)) static bool rig_folder_make(char folder[RIG_PATH_MAX])
{
    snprintf(folder, RIG_PATH_MAX, "/tmp/weir-eval-test-XXXXXX");
    return mkdtemp(folder) != NULL;
}

__attribute__((unused)) static void rig_folder_remove(const char *folder)
{
    char path[RIG_PATH_MAX * 4];
    DIR *dir = opendir(folder);

    for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        if (entry->d_type == DT_DIR)
            rig_folder_remove(path);
        else
            unlink(path);
    }
    if (dir)
        closedir(dir);
    rmdir(folder);
}

__attribute__((unused)) static bool rig_write(const char *folder, const char *name, str content)
{
    char path[RIG_PATH_MAX * 4];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "we");
    if (!file)
        return false;
    fwrite(content.ptr, 1, content.len, file);
    return fclose(file) == 0;
}

/* Appends the file's content to out. */
__attribute__((unused)) static bool rig_read(const char *folder, const char *name, struct buf *out)
{
    char path[RIG_PATH_MAX * 4], why[256];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return file_load(str_from(path), out, why) == OK;
}

/* ---- an evaluation without a source's work ---- */

struct rig {
    struct eval eval;
    struct eval_source source;
    struct eval_source_kind kind;
    struct config config;
};

/* n questions a to z, the first half in domain "x", the rest in "y"; the key of the i-th is i. */
__attribute__((unused)) static bool rig_open(struct rig *rig, size_t n, const char *cells,
                                             size_t runs)
{
    struct eval *e = &rig->eval;
    struct buf problems = { 0 };

    *rig = (struct rig){ .kind = { .name = "configured", .is_live = true, .has_latency = true } };
    rig->source.kind = &rig->kind;
    e->source = &rig->source;
    e->options = (struct eval_options){
        .cells = str_from(cells), .margin = 0.02, .budget = -1, .config = &rig->config
    };
    arena_init(&e->arena, (size_t)64 << 20);
    for (size_t i = 0; i < n; i++)
        buf_printf(&e->text,
                   "{\"id\":\"q%zu\",\"domain\":\"%s\",\"prompt\":\"p\",\"answer\":%zu}\n", i,
                   i < n / 2 ? "x" : "y", i);
    enum err fault =
        eval_questions_read(&e->arena, STR("f"), buf_str(&e->text), &e->questions, &problems);
    e->plan.runs = runs;
    e->plan.seed = 1;
    if (fault == OK)
        fault = eval_cells_read(&e->arena, &e->options, &e->plan, &problems);
    if (fault == OK)
        fault = eval_runs_init(&e->arena, &e->runs, n, e->plan.cell_count, runs);
    buf_fini(&problems);
    return fault == OK;
}

__attribute__((unused)) static void rig_close(struct rig *rig)
{
    eval_report_free(rig->eval.report);
    buf_fini(&rig->eval.text);
    arena_fini(&rig->eval.arena);
}

/* One finished run. */
__attribute__((unused)) static struct eval_run *rig_run(struct rig *rig, size_t question,
                                                        size_t cell, size_t run, bool is_right)
{
    struct eval_run *at = eval_run_at(&rig->eval.runs, question, cell, run);

    *at = (struct eval_run){ .is_done = true,
                             .is_right = is_right,
                             .calls = 1,
                             .answer = question + 1,
                             .cost = 1000,
                             .latency_us = 1000 * (int64_t)(question + 1),
                             .raw_confidence = -1,
                             .confidence = -1 };
    return at;
}

#endif
