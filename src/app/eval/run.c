/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run: the coordinator. Keeps as many runs under way as it may, judges and keeps what comes back.
 *
 *     fill: next due run -> does its worst case fit the budget? -> source
 *     done: judge -> table and line -> fill; at the end of the turn the lines go to disk
 *
 * Question by question, all its cells and runs before the next one: what a budget or an interrupt leaves undone is whole
 * questions, save at most those under way.
 */
#include <signal.h>
#include <stdlib.h>

#include "app/eval/eval_internal.h"
#include "edge/world/world.h"

/* Sources in this process do a batch each turn. */
#define LOCAL_BATCH 64

struct runner {
    struct eval *eval;
    const struct eval_watcher *watcher;
    struct eval_job *jobs;
    size_t job_count;
    struct link idle;
    uint64_t under_way;
    uint64_t next; /* in the order of runs */
    nano_usd reserved;
    struct buf lines; /* that are not on disk yet */
    struct turn begin;
    struct turn_end hook;
    bool is_stopping;
    enum err fault;
};

static struct eval_run_place place_of(const struct eval *e, uint64_t at)
{
    size_t cells = e->runs.cells, per_question = cells * e->runs.per_cell;

    return (struct eval_run_place){ .question = e->plan.order[at / per_question],
                                    .cell = (size_t)(at % cells),
                                    .run = (size_t)(at % per_question / cells) };
}

/* The next place that is due; false at the end. */
static bool next_due(struct runner *r, struct eval_run_place *out)
{
    const struct eval *e = r->eval;

    for (; r->next < e->progress.total; r->next++) {
        *out = place_of(e, r->next);
        if (eval_run_is_due(e, eval_run_at(&e->runs, out->question, out->cell, out->run)))
            return true;
    }
    return false;
}

static bool fits_budget(const struct runner *r, nano_usd worst)
{
    nano_usd budget = r->eval->options.budget, sum = cost_add(r->eval->progress.spent, r->reserved);

    return budget < 0 || cost_add(sum, worst) <= budget;
}

static void job_start(struct runner *r, const struct eval_run_place *place, nano_usd worst)
{
    struct eval *e = r->eval;
    struct eval_job *job = CONTAINER_OF(list_pop(&r->idle), struct eval_job, link);
    const struct eval_question *question = &e->questions.items[place->question];

    *job = (struct eval_job){ .question = question,
                              .cell = &e->plan.cells[place->cell],
                              .domain = e->questions.domains[question->domain],
                              .place = *place,
                              .seed = eval_run_seed(&e->plan, question, place->run),
                              .reserved = worst == COST_UNPRICED ? 0 : worst };
    link_init(&job->link);
    arena_init(&job->arena, EVAL_LINE_ARENA_MAX);
    r->reserved = cost_add(r->reserved, job->reserved);
    r->under_way++;
    e->source->kind->start(e->source, job);
}

static void fill(struct runner *r)
{
    struct eval *e = r->eval;
    struct eval_run_place place;

    while (!r->is_stopping && !list_empty(&r->idle) && next_due(r, &place)) {
        nano_usd worst = e->source->kind->worst(e->source, &e->questions.items[place.question],
                                                &e->plan.cells[place.cell]);
        if (!fits_budget(r, worst)) {
            if (r->under_way > 0)
                return; /* what is under way may cost less than was reserved for it */
            e->end = EVAL_OUT_OF_BUDGET;
            break;
        }
        r->next++;
        job_start(r, &place, worst);
    }
    if (r->under_way == 0)
        world_stop(e->source->world);
}

static void stop(struct runner *r, enum err fault)
{
    if (r->fault == OK)
        r->fault = fault;
    r->is_stopping = true;
}

static void keep(struct runner *r, struct eval_job *job)
{
    struct eval *e = r->eval;
    bool is_right = false;
    enum err fault = OK;

    if (job->outcome.fault == OK)
        fault = eval_judge(&job->arena, job->question, job->outcome.answer, &is_right);
    if (fault != OK)
        job->outcome.fault = fault;
    struct eval_run run = eval_run_of(&e->arena, &job->outcome, is_right);
    *eval_run_at(&e->runs, job->place.question, job->place.cell, job->place.run) = run;
    if (run.cost != COST_UNPRICED)
        e->progress.spent = cost_add(e->progress.spent, run.cost);
    e->progress.done++;
    e->progress.faulted += run.fault != OK;
    if (e->folder)
        eval_run_write(&r->lines, &e->questions, &e->plan, &job->place, &job->outcome, is_right);
    if (r->lines.failed || arena_failed(&e->arena))
        stop(r, WEIR_NO_MEMORY);
}

void eval_run_done(void *ctx, struct eval_job *job)
{
    struct eval *e = ctx;
    struct runner *r = e->runner;

    r->under_way--;
    r->reserved -= job->reserved;
    if (!job->was_cut) {
        keep(r, job);
        if (r->watcher->on_progress)
            r->watcher->on_progress(r->watcher->ctx, &e->progress);
    }
    arena_fini(&job->arena);
    list_add_tail(&r->idle, &job->link);
    fill(r);
}

/* ---- the loop ---- */

static void lines_write(struct runner *r)
{
    if (r->lines.len == 0 || !r->eval->folder)
        return;
    enum err fault = eval_folder_append(r->eval->folder, buf_str(&r->lines));
    buf_reset(&r->lines);
    if (fault != OK)
        stop(r, fault);
}

static void on_turn_end(struct turn_end *hook)
{
    lines_write(CONTAINER_OF(hook, struct runner, hook));
}

static void on_begin(struct turn *turn)
{
    fill(CONTAINER_OF(turn, struct runner, begin));
}

static void on_signal(void *ctx, int signum)
{
    struct eval *e = ctx;
    struct runner *r = e->runner;

    (void)signum;
    if (!r)
        return;
    if (r->is_stopping) {
        e->source->kind->cut(e->source);
        return;
    }
    r->is_stopping = true;
    e->end = EVAL_INTERRUPTED;
    if (r->watcher->on_interrupt)
        r->watcher->on_interrupt(r->watcher->ctx, r->under_way);
    if (r->under_way == 0)
        world_stop(e->source->world);
}

static enum err runner_init(struct runner *r, struct eval *e, const struct eval_watcher *watcher)
{
    size_t slots = e->source->kind->is_live ? (size_t)e->options.parallel : LOCAL_BATCH;

    *r = (struct runner){ .eval = e, .watcher = watcher, .job_count = slots };
    r->jobs = calloc(slots, sizeof(*r->jobs));
    link_init(&r->idle);
    turn_init(&r->begin, on_begin);
    link_init(&r->hook.link);
    if (!r->jobs)
        return WEIR_NO_MEMORY;
    for (size_t i = 0; i < slots; i++) {
        link_init(&r->jobs[i].link);
        list_add_tail(&r->idle, &r->jobs[i].link);
    }
    enum err fault = world_on_signal(e->source->world, SIGINT, on_signal, e);
    return fault == OK ? world_on_signal(e->source->world, SIGTERM, on_signal, e) : fault;
}

enum err eval_run(struct eval *e, const struct eval_watcher *watcher, enum eval_end *out_end)
{
    struct runner *r = calloc(1, sizeof(*r));
    enum err fault = r ? runner_init(r, e, watcher) : WEIR_NO_MEMORY;

    if (fault == OK) {
        e->runner = r;
        e->end = EVAL_DONE;
        world_on_turn_end(e->source->world, &r->hook, on_turn_end);
        turn_post(e->source->world, &r->begin);
        world_run(e->source->world);
        list_remove(&r->hook.link);
        lines_write(r);
        fault = r->fault;
        *out_end = e->end;
    }
    if (r) {
        free(r->jobs);
        buf_fini(&r->lines);
    }
    free(r);
    e->runner = NULL;
    return fault;
}
