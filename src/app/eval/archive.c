/* SPDX-License-Identifier: Apache-2.0 */
/* archive: see archive.h. */
#include "app/eval/archive.h"

#include <stdlib.h>

#include "app/eval/eval_internal.h"
#include "edge/world/file.h"

#define ARCHIVE_ARENA_MAX ((size_t)4 << 30)

struct eval_archive {
    struct buf questions_text; /* outlives the questions */
    struct eval_questions questions;
    struct eval_plan plan;
    struct eval_runs runs;
    struct arena arena;
};

/* ---- opening ---- */

static enum err part_load(struct eval_archive *a, str folder, const char *name, struct buf *out,
                          struct buf *problems)
{
    char why[256] = "";
    enum err e = file_load(arena_printf(&a->arena, "%.*s/%s", STR_ARG(folder), name), out, why);

    if (e != OK)
        eval_problem(problems, "%s", why[0] ? why : "out of memory");
    return e;
}

static enum err plan_load(struct eval_archive *a, str folder, struct buf *problems)
{
    struct buf text = { 0 };
    enum err e = part_load(a, folder, "plan.json", &text, problems);

    if (e == OK) {
        e = eval_plan_read(&a->arena, arena_str(&a->arena, buf_str(&text)), &a->plan);
        if (e == CALLER_BAD_REQUEST)
            eval_problem(problems, "%.*s/plan.json is no plan of an evaluation", STR_ARG(folder));
    }
    buf_fini(&text);
    return e;
}

static enum err questions_load(struct eval_archive *a, str folder, struct buf *problems)
{
    str name = arena_printf(&a->arena, "%.*s/questions.jsonl", STR_ARG(folder));
    enum err e = part_load(a, folder, "questions.jsonl", &a->questions_text, problems);

    return e == OK ? eval_questions_read(&a->arena, name, buf_str(&a->questions_text),
                                         &a->questions, problems)
                   : e;
}

static enum err runs_load(struct eval_archive *a, str folder, struct buf *problems)
{
    size_t questions = a->questions.count, cells = a->plan.cell_count, line = 0;
    struct buf text = { 0 };
    nano_usd spent;

    if (questions > EVAL_RUNS_TOTAL_MAX / (cells * a->plan.runs)) {
        eval_problem(problems, "%.*s holds more than %d runs", STR_ARG(folder),
                     EVAL_RUNS_TOTAL_MAX);
        return CALLER_BAD_REQUEST;
    }
    enum err e = eval_runs_init(&a->arena, &a->runs, questions, cells, a->plan.runs);
    if (e == OK)
        e = part_load(a, folder, "runs.jsonl", &text, problems);
    if (e == OK)
        e = eval_runs_read(&a->arena, eval_whole_lines(buf_str(&text)), &a->questions, &a->plan,
                           &a->runs, &spent, &line);
    buf_fini(&text);
    if (e != CALLER_BAD_JSON && (e != CALLER_BAD_REQUEST || line == 0))
        return e;
    eval_problem(problems, "%.*s/runs.jsonl:%zu: not a run of this evaluation", STR_ARG(folder),
                 line);
    return CALLER_BAD_REQUEST;
}

enum err eval_archive_open(struct eval_archive **out, str folder, struct buf *problems)
{
    struct eval_archive *a = calloc(1, sizeof(*a));

    if (!a)
        return WEIR_NO_MEMORY;
    arena_init(&a->arena, ARCHIVE_ARENA_MAX);
    enum err e = plan_load(a, folder, problems);
    if (e == OK)
        e = questions_load(a, folder, problems);
    if (e == OK)
        e = runs_load(a, folder, problems);
    if (e != OK) {
        eval_archive_close(a);
        return e;
    }
    *out = a;
    return OK;
}

void eval_archive_close(struct eval_archive *a)
{
    if (!a)
        return;
    buf_fini(&a->questions_text);
    arena_fini(&a->arena);
    free(a);
}

/* ---- reading ---- */

size_t eval_archive_cell_count(const struct eval_archive *a)
{
    return a->plan.cell_count;
}

struct eval_archive_cell eval_archive_cell(const struct eval_archive *a, size_t index)
{
    assert(index < a->plan.cell_count);
    const struct eval_cell *cell = &a->plan.cells[index];
    return (struct eval_archive_cell){ cell->name, reason_strategy_name(cell->strategy) };
}

size_t eval_archive_find_cell(const struct eval_archive *a, str name)
{
    return eval_cell_find(&a->plan, name);
}

size_t eval_archive_question_count(const struct eval_archive *a)
{
    return a->questions.count;
}

struct eval_archive_question eval_archive_question(const struct eval_archive *a, size_t index)
{
    assert(index < a->questions.count);
    const struct eval_question *q = &a->questions.items[index];
    return (struct eval_archive_question){ q->id, a->questions.domains[q->domain], q->prompt };
}

size_t eval_archive_find_question(const struct eval_archive *a, str id)
{
    return eval_question_find(&a->questions, id);
}

size_t eval_archive_runs(const struct eval_archive *a)
{
    return a->plan.runs;
}

struct eval_archive_run eval_archive_run(const struct eval_archive *a,
                                         const struct eval_archive_place *place)
{
    const struct eval_run *run = eval_run_at(&a->runs, place->question, place->cell, place->run);

    return (struct eval_archive_run){
        .is_done = run->is_done,
        .is_right = run->is_right && run->fault == OK,
        .is_error = run->fault != OK,
        .is_simulated = run->is_simulated,
        .cost = run->cost,
        .latency_us = run->latency_us,
        .confidence = run->confidence >= 0 ? run->confidence : run->raw_confidence,
    };
}
