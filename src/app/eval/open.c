/* SPDX-License-Identifier: Apache-2.0 */
/* open: from options to an evaluation that can run: everything that is wrong is said before anything is asked. */
#include <stdlib.h>

#include "app/eval/eval_internal.h"
#include "app/eval/report.h"
#include "edge/config/config.h"
#include "edge/world/file.h"

#define ARENA_BYTES_MAX ((size_t)4 << 30)
#define COMPARISONS_MAX 4096 /* of stats_holm */
/* From so many runs of its own a cell's forecast is made. */
#define FORECAST_RUNS_MIN 10

/* ---- questions and plan ---- */

static enum err questions_open(struct eval *e, struct buf *problems)
{
    char why[256] = "";
    enum err fault = file_load(e->options.questions, &e->text, why);

    if (fault != OK) {
        eval_problem(problems, "%s", why);
        return fault;
    }
    fault = eval_questions_read(&e->arena, e->options.questions, buf_str(&e->text), &e->questions,
                                problems);
    if (fault == OK && e->options.limit > 0)
        fault = eval_questions_draw(&e->arena, &e->questions, (size_t)e->options.limit,
                                    e->options.seed);
    return fault;
}

static enum err sizes_check(const struct eval *e, struct buf *problems)
{
    size_t pairs = e->plan.cell_count * (e->plan.cell_count - 1) / 2;

    if (pairs * (e->questions.domain_count + 1) > COMPARISONS_MAX) {
        eval_problem(problems,
                     "%zu cells in %zu domains are more than %d comparisons: evaluate fewer",
                     e->plan.cell_count, e->questions.domain_count, COMPARISONS_MAX);
        return CALLER_BAD_REQUEST;
    }
    if (e->questions.count * e->plan.cell_count * e->plan.runs > EVAL_RUNS_TOTAL_MAX) {
        eval_problem(problems, "more than %d runs: evaluate fewer questions (--limit)",
                     EVAL_RUNS_TOTAL_MAX);
        return CALLER_BAD_REQUEST;
    }
    return OK;
}

static enum err baseline_check(const struct eval *e, struct buf *problems)
{
    if (e->options.baseline.len == 0 && e->options.expects == EVAL_EXPECT_NOTHING)
        return OK;
    if (e->options.baseline.len == 0) {
        eval_problem(problems, "--expect needs a --baseline to compare with");
        return CALLER_BAD_REQUEST;
    }
    if (eval_cell_find(&e->plan, e->options.baseline) != SIZE_MAX)
        return OK;
    buf_printf(problems, "--baseline '%.*s' is none of the cells:", STR_ARG(e->options.baseline));
    for (size_t i = 0; i < e->plan.cell_count; i++)
        buf_printf(problems, "%s %.*s", i > 0 ? "," : "", STR_ARG(e->plan.cells[i].name));
    buf_add_char(problems, '\n');
    return CALLER_BAD_REQUEST;
}

static enum err plan_open(struct eval *e, struct buf *problems)
{
    e->plan = (struct eval_plan){ .runs = (size_t)e->options.runs,
                                  .seed = e->options.seed,
                                  .peer = e->options.peer,
                                  .strong = e->options.strong };
    if (e->plan.peer.len == 0)
        e->plan.peer = e->options.config->cascade.peer_model;
    if (e->plan.strong.len == 0)
        e->plan.strong = e->options.config->cascade.strong_model;
    enum err fault = eval_cells_read(&e->arena, &e->options, &e->plan, problems);
    if (fault == OK)
        fault = sizes_check(e, problems);
    if (fault == OK)
        fault = baseline_check(e, problems);
    if (fault == OK)
        fault = eval_order_draw(&e->arena, &e->plan, e->questions.count);
    if (fault == OK)
        fault = eval_runs_init(&e->arena, &e->runs, e->questions.count, e->plan.cell_count,
                               e->plan.runs);
    return fault;
}

/* ---- source and folder ---- */

static enum err source_open(struct eval *e, struct buf *problems)
{
    struct eval_source_options options = {
        .options = &e->options,
        .questions = &e->questions,
        .plan = &e->plan,
        .ctx = e,
        .on_done = eval_run_done,
    };

    if (str_starts(e->options.provider, STR("recorded:")))
        return eval_recorded_open(&e->source, &options, &e->identity.provider_hash, problems);
    if (str_eq(e->options.provider, STR("sim")))
        return eval_simulated_open(&e->source, &options, problems);
    if (str_eq(e->options.provider, STR("configured")))
        return eval_configured_open(&e->source, &options, problems);
    eval_problem(problems, "--provider must be configured, sim or recorded:DIR, not '%.*s'",
                 STR_ARG(e->options.provider));
    return CALLER_BAD_REQUEST;
}

/* A budget over a model without a price would be no budget. */
static enum err budget_check(const struct eval *e, struct buf *problems)
{
    for (size_t i = 0; i < e->plan.cell_count && e->options.budget >= 0; i++) {
        const struct eval_cell *cell = &e->plan.cells[i];
        if (e->source->kind->worst(e->source, &e->questions.items[0], cell) != COST_UNPRICED)
            continue;
        eval_problem(problems,
                     "--budget-usd: a model of %.*s has no price; add it to the prices file",
                     STR_ARG(cell->name));
        return CALLER_BAD_REQUEST;
    }
    return OK;
}

/* What is there already is taken over, when it is of the same plan. */
static enum err folder_match(struct eval *e, struct buf *problems)
{
    struct buf plan = { 0 };

    e->identity.provider = str_from(e->source->kind->name);
    e->identity.config_hash = e->options.config->hash;
    e->identity.prompts_hash = reason_prompts_hash(
        e->options.config->prompts ? e->options.config->prompts : reason_prompts_builtin());
    e->identity.questions_hash = eval_questions_hash(&e->questions);
    e->identity.question_count = e->questions.count;
    if (!e->folder)
        return OK;
    eval_plan_write(&plan, &e->plan, &e->identity);
    enum err fault = plan.failed
                         ? WEIR_NO_MEMORY
                         : eval_folder_match(e->folder, buf_str(&plan), &e->questions, problems);
    if (fault == OK)
        fault = eval_folder_load(e->folder, &e->arena, &e->questions, &e->plan, &e->runs,
                                 &e->progress.spent, problems);
    buf_fini(&plan);
    return fault;
}

/* A provider's fault may have passed when a run is resumed. That an answer made no sense is the model's doing, and stays. */
bool eval_run_is_due(const struct eval *e, const struct eval_run *run)
{
    if (!run->is_done)
        return true;
    return e->source->kind->is_live && run->fault != OK && run->fault != PROVIDER_GARBAGE &&
           err_info(run->fault)->retryable;
}

static void progress_count(struct eval *e)
{
    size_t total = e->runs.questions * e->runs.cells * e->runs.per_cell;

    e->progress.total = total;
    for (size_t i = 0; i < total; i++) {
        const struct eval_run *run = &e->runs.items[i];
        e->progress.done += !eval_run_is_due(e, run);
        e->progress.faulted += !eval_run_is_due(e, run) && run->fault != OK;
    }
}

enum err eval_open(struct eval **out, const struct eval_options *options, struct buf *problems)
{
    struct eval *e = calloc(1, sizeof(*e));

    if (!e)
        return WEIR_NO_MEMORY;
    e->options = *options;
    arena_init(&e->arena, ARENA_BYTES_MAX);
    enum err fault = questions_open(e, problems);
    if (fault == OK)
        fault = plan_open(e, problems);
    /* The folder before the source: the configured one puts its ledger there. */
    if (fault == OK && options->out.len > 0)
        fault = eval_folder_open(&e->folder, options->out, problems);
    if (fault == OK)
        fault = source_open(e, problems);
    if (fault == OK)
        fault = budget_check(e, problems);
    if (fault == OK)
        fault = folder_match(e, problems);
    if (fault != OK) {
        eval_close(e);
        return fault;
    }
    progress_count(e);
    *out = e;
    return OK;
}

void eval_close(struct eval *e)
{
    if (!e)
        return;
    if (e->source)
        e->source->kind->close(e->source);
    eval_folder_close(e->folder);
    eval_report_free(e->report);
    arena_fini(&e->arena);
    buf_fini(&e->text);
    free(e);
}

/* ---- before it runs ---- */

static bool model_is_simulated(const struct config *config, str name)
{
    const struct config_model *model = config_model_find(config, name);
    const struct config_provider *provider =
        model ? config_provider_find(config, model->provider) : NULL;

    return provider && provider->is_simulated;
}

bool eval_provider_is_simulated(const struct eval *e)
{
    bool is_simulated = e->source->kind->is_simulated;

    for (size_t i = 0; i < e->plan.cell_count && e->source->kind->is_live; i++)
        is_simulated =
            is_simulated || model_is_simulated(e->options.config, e->plan.cells[i].model);
    return is_simulated;
}

bool eval_refuses_to_run(const struct eval *e)
{
    return eval_provider_is_simulated(e) && !e->options.allows_simulated;
}

/* What the cell's own runs cost, when there are enough of them. */
static bool mean_cost(const struct eval *e, size_t cell, double *out)
{
    double sum = 0;
    int64_t n = 0;

    for (size_t q = 0; q < e->runs.questions; q++) {
        for (size_t r = 0; r < e->runs.per_cell; r++) {
            const struct eval_run *run = eval_run_at(&e->runs, q, cell, r);
            if (!run->is_done || run->fault != OK || run->cost == COST_UNPRICED)
                continue;
            sum += (double)run->cost;
            n++;
        }
    }
    if (n < FORECAST_RUNS_MIN)
        return false;
    *out = sum / (double)n;
    return true;
}

static void forecast_cell(const struct eval *e, size_t cell, struct eval_forecast *f)
{
    const struct eval_source *s = e->source;
    double mean = 0;
    bool has_mean = s->kind->is_live && mean_cost(e, cell, &mean);

    for (size_t q = 0; q < e->runs.questions; q++) {
        const struct eval_question *question = &e->questions.items[q];
        nano_usd expected = s->kind->expected(s, question, &e->plan.cells[cell]);
        nano_usd worst = s->kind->worst(s, question, &e->plan.cells[cell]);
        if (expected == COST_UNPRICED || worst == COST_UNPRICED) {
            f->has_unpriced = true;
            return;
        }
        for (size_t r = 0; r < e->runs.per_cell; r++) {
            if (!eval_run_is_due(e, eval_run_at(&e->runs, q, cell, r)))
                continue;
            f->expected = cost_add(f->expected, has_mean ? (nano_usd)mean : expected);
            f->worst = cost_add(f->worst, worst);
        }
    }
}

struct eval_forecast eval_forecast(const struct eval *e)
{
    struct eval_forecast f = { .runs = e->progress.total,
                               .done = e->progress.done,
                               .spends = e->source->kind->is_live,
                               .is_exact =
                                   !e->source->kind->is_live && !e->source->kind->is_simulated };

    for (size_t i = 0; i < e->plan.cell_count; i++)
        forecast_cell(e, i, &f);
    return f;
}
