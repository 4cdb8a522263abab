/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recorded: what real models once answered, as a source. There is one direct answer of each model to each question, so
 * that only strategies of direct answers can be evaluated; how long an answer took was not recorded.
 */
#include <stdlib.h>

#include "app/eval/local.h"
#include "app/recording/recording.h"
#include "base/rng.h"
#include "edge/config/config.h"

/* Ids that a message names when answers are missing. */
#define MISSING_NAMED_MAX 3

struct recorded {
    struct eval_local local;
    struct recording *recording;
    size_t *indices; /* in the recording, of each question */
    const struct recorded_model *models[EVAL_CELLS_MAX][REASON_MODEL_CLASS_COUNT];
    const struct eval_questions *questions;
    struct arena arena;
};

static struct recorded *recorded_of(struct eval_source *s)
{
    return CONTAINER_OF(CONTAINER_OF(s, struct eval_local, source), struct recorded, local);
}

/* ---- answering ---- */

static const struct recorded_answer *answer_of(const struct recorded *r,
                                               const struct eval_run_place *place,
                                               enum reason_model_class which)
{
    const struct recorded_model *model = r->models[place->cell][which];

    return model ? &model->answers[r->indices[place->question]] : NULL;
}

static struct usage usage_of(const struct recorded_answer *a)
{
    return (struct usage){ .input = a->prompt_tokens,
                           .output = a->completion_tokens,
                           .is_known = true };
}

/* A second call for the same answer finds nothing: it was given once. */
static void on_call(struct eval_local *l, struct eval_job *job, const struct reason_call *call,
                    struct eval_local_reply *out)
{
    struct recorded *r = CONTAINER_OF(l, struct recorded, local);
    const struct recorded_answer *a = answer_of(r, &job->place, call->model);
    unsigned bit = 1u << call->model;

    if (!a || call->role != ROLE_DIRECT || (job->given & bit) != 0) {
        out->fault = PROVIDER_REJECTED;
        return;
    }
    job->given |= bit;
    out->text = a->output;
    out->usage = usage_of(a);
}

static bool is_chosen(struct eval_job *job, const struct recorded_answer *a)
{
    str form = answer_canonical(&job->arena, answer_extract(&job->arena, a->output));

    return str_eq(form, job->outcome.canonical);
}

/* The label of the answer that was chosen: the only one, else that of the first model whose answer has the same form. */
static void on_finish(struct eval_local *l, struct eval_job *job)
{
    struct recorded *r = CONTAINER_OF(l, struct recorded, local);
    bool is_only = (job->given & (job->given - 1)) == 0;

    for (unsigned which = 0; which < REASON_MODEL_CLASS_COUNT; which++) {
        if ((job->given & (1u << which)) == 0)
            continue;
        const struct recorded_answer *a = answer_of(r, &job->place, (enum reason_model_class)which);
        if (!a->is_labelled || !(is_only || is_chosen(job, a)))
            continue;
        job->outcome.label = a->is_correct ? EVAL_LABEL_RIGHT : EVAL_LABEL_WRONG;
        return;
    }
}

/* ---- cost: known beforehand ---- */

static nano_usd cost_of(const struct eval_source *s, const struct eval_question *question,
                        const struct eval_cell *cell)
{
    const struct recorded *r = CONTAINER_OF_CONST(CONTAINER_OF_CONST(s, struct eval_local, source),
                                                  struct recorded, local);
    struct eval_run_place place = { .question = (size_t)(question - r->questions->items),
                                    .cell = (size_t)(cell - s->plan->cells) };
    nano_usd cost = 0;

    for (unsigned which = 0; which < REASON_MODEL_CLASS_COUNT; which++) {
        const struct recorded_answer *a = answer_of(r, &place, (enum reason_model_class)which);
        if (!a)
            continue;
        struct usage usage = usage_of(a);
        str model = eval_model_of(s->plan, cell, (enum reason_model_class)which);
        cost = cost_add(cost, price_cost(eval_price(s->config, model), &usage));
    }
    return cost;
}

/* ---- opening: everything that will be asked must be there ---- */

static bool strategy_is_recorded(enum reason_strategy strategy)
{
    return strategy == REASON_DIRECT || strategy == REASON_CASCADE;
}

static bool model_find(struct recorded *r, str name, const struct recorded_model **out,
                       struct buf *problems)
{
    *out = recording_find_model(r->recording, name);
    if (*out)
        return true;
    buf_printf(problems, "no answers of '%.*s' are recorded; there are:", STR_ARG(name));
    for (size_t i = 0; i < recording_model_count(r->recording); i++)
        buf_printf(problems, "%s %.*s", i > 0 ? "," : "",
                   STR_ARG(recording_model(r->recording, i)->name));
    buf_add_char(problems, '\n');
    return false;
}

static bool cells_check(struct recorded *r, const struct eval_plan *plan, struct buf *problems)
{
    for (size_t i = 0; i < plan->cell_count; i++) {
        const struct eval_cell *cell = &plan->cells[i];
        bool is_cascade = cell->strategy == REASON_CASCADE;
        if (!strategy_is_recorded(cell->strategy)) {
            eval_problem(
                problems,
                "%.*s: recorded answers hold direct answers only: strategies direct and cascade",
                STR_ARG(cell->name));
            return false;
        }
        if (is_cascade && (plan->peer.len == 0 || plan->strong.len == 0)) {
            eval_problem(problems, "%.*s: a cascade of recorded answers needs --peer and --strong",
                         STR_ARG(cell->name));
            return false;
        }
        for (unsigned which = 0; which < (is_cascade ? REASON_MODEL_CLASS_COUNT : 1u); which++) {
            str name = eval_model_of(plan, cell, (enum reason_model_class)which);
            if (!model_find(r, name, &r->models[i][which], problems))
                return false;
        }
    }
    return true;
}

static bool questions_check(struct recorded *r, struct buf *problems)
{
    size_t missing = 0, changed = 0;

    for (size_t i = 0; i < r->questions->count; i++) {
        const struct eval_question *q = &r->questions->items[i];
        r->indices[i] = recording_find_id(r->recording, q->id);
        if (r->indices[i] == RECORDING_NONE) {
            if (missing++ < MISSING_NAMED_MAX)
                eval_problem(problems, "the question %.*s is not recorded", STR_ARG(q->id));
        } else if (!str_eq(recording_question(r->recording, r->indices[i])->text,
                           str_trim(q->prompt))) {
            if (changed++ < MISSING_NAMED_MAX)
                eval_problem(problems, "the question %.*s was recorded with another prompt",
                             STR_ARG(q->id));
        }
    }
    if (missing > MISSING_NAMED_MAX || changed > MISSING_NAMED_MAX)
        eval_problem(problems, "in all %zu are not recorded and %zu have another prompt", missing,
                     changed);
    return missing + changed == 0;
}

/* Every model that may be asked has an answer to every question. */
static bool answers_check(struct recorded *r, const struct eval_plan *plan, struct buf *problems)
{
    for (size_t i = 0; i < plan->cell_count; i++) {
        for (unsigned which = 0; which < REASON_MODEL_CLASS_COUNT; which++) {
            const struct recorded_model *model = r->models[i][which];
            for (size_t q = 0; model && q < r->questions->count; q++) {
                if (model->answers[r->indices[q]].output.ptr)
                    continue;
                eval_problem(problems, "no answer of %.*s to the question %.*s is recorded",
                             STR_ARG(model->name), STR_ARG(r->questions->items[q].id));
                return false;
            }
        }
    }
    return true;
}

static uint64_t hash_of(const struct recorded *r, const struct eval_plan *plan)
{
    uint64_t hash = 0;

    for (size_t i = 0; i < plan->cell_count; i++) {
        for (unsigned which = 0; which < REASON_MODEL_CLASS_COUNT; which++) {
            const struct recorded_model *model = r->models[i][which];
            for (size_t q = 0; model && q < r->questions->count; q++)
                hash = rng_mix(hash ^ str_hash(model->answers[r->indices[q]].output));
        }
    }
    return hash;
}

static void recorded_close(struct eval_source *s)
{
    struct recorded *r = recorded_of(s);

    eval_local_fini(&r->local);
    recording_close(r->recording);
    arena_fini(&r->arena);
    free(r);
}

static const struct eval_source_kind kind = {
    .name = "recorded",
    .start = eval_local_start,
    .cut = eval_local_cut,
    .worst = cost_of,
    .expected = cost_of,
    .close = recorded_close,
};

static enum err recorded_read(struct recorded *r, const struct eval_source_options *options,
                              struct buf *problems)
{
    str provider = options->options->provider;
    str folder = str_slice(provider, STR("recorded:").len, provider.len);
    char why[256] = "";

    if (options->plan->runs > 1) {
        eval_problem(problems, "a recorded question has one answer: --runs 1");
        return CALLER_BAD_REQUEST;
    }
    enum err e = recording_open(&r->recording, folder, why);
    if (e != OK) {
        eval_problem(problems, "--provider %.*s: %s", STR_ARG(provider), why);
        return e;
    }
    r->indices = ARENA_ARRAY(&r->arena, r->questions->count, size_t);
    if (!r->indices)
        return WEIR_NO_MEMORY;
    return cells_check(r, options->plan, problems) && questions_check(r, problems) &&
                   answers_check(r, options->plan, problems)
               ? OK
               : CALLER_BAD_REQUEST;
}

enum err eval_recorded_open(struct eval_source **out, const struct eval_source_options *options,
                            uint64_t *out_hash, struct buf *problems)
{
    struct recorded *r = calloc(1, sizeof(*r));

    if (!r)
        return WEIR_NO_MEMORY;
    arena_init(&r->arena, (size_t)64 << 20);
    r->questions = options->questions;
    enum err e = eval_local_init(&r->local, &kind, options);
    r->local.answer = on_call;
    r->local.finish = on_finish;
    if (e == OK)
        e = recorded_read(r, options, problems);
    if (e != OK) {
        recorded_close(&r->local.source);
        return e;
    }
    *out_hash = hash_of(r, options->plan);
    *out = &r->local.source;
    return OK;
}
