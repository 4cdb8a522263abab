/* SPDX-License-Identifier: Apache-2.0 */
/* plan: the cells, the order of the questions, and what makes two evaluations the same one. */
#include <stdio.h>

#include "app/eval/eval_internal.h"
#include "base/rng.h"
#include "core/json/json.h"

#define PLAN_VERSION 1
#define PLAN_ARENA_MAX ((size_t)4 << 20)
#define SIMULATIONS_MAX REASON_SIMULATIONS_MAX

void eval_problem(struct buf *problems, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    buf_vprintf(problems, fmt, args);
    buf_add_char(problems, '\n');
    va_end(args);
}

/* ---- cells ---- */

size_t eval_cell_find(const struct eval_plan *plan, str name)
{
    for (size_t i = 0; i < plan->cell_count; i++) {
        if (str_eq(plan->cells[i].name, name))
            return i;
    }
    return SIZE_MAX;
}

static bool strategy_read(str name, enum reason_strategy *out, struct buf *problems)
{
    if (reason_strategy_find(name, out))
        return true;
    buf_printf(problems, "there is no strategy '%.*s'; there are:", STR_ARG(name));
    for (int i = 0; i < REASON_STRATEGY_COUNT; i++)
        buf_printf(problems, "%s %s", i > 0 ? "," : "",
                   reason_strategy_name((enum reason_strategy)i));
    buf_add_char(problems, '\n');
    return false;
}

/* A cell that stands there already is not run twice. */
static bool cell_add(struct arena *arena, struct eval_plan *plan, struct eval_cell cell,
                     struct buf *problems)
{
    cell.name =
        arena_printf(arena, "%.*s/%s", STR_ARG(cell.model), reason_strategy_name(cell.strategy));
    if (cell.simulations > 0)
        cell.name = arena_printf(arena, "%.*s:%" PRId64, STR_ARG(cell.name), cell.simulations);
    if (eval_cell_find(plan, cell.name) != SIZE_MAX)
        return true;
    if (plan->cell_count == EVAL_CELLS_MAX) {
        eval_problem(problems, "there are more than %d cells; evaluate fewer models or strategies",
                     EVAL_CELLS_MAX);
        return false;
    }
    plan->cells[plan->cell_count++] = cell;
    return true;
}

/* Every model with every strategy. */
static bool grid_read(struct arena *arena, const struct eval_options *options,
                      struct eval_plan *plan, struct buf *problems)
{
    str models = options->models, model;

    while (models.len > 0 && str_next(&models, ',', &model)) {
        str strategies = options->strategies, strategy;
        struct eval_cell cell = { .model = str_trim(model) };
        if (cell.model.len == 0) {
            eval_problem(problems, "--models: a name is empty");
            return false;
        }
        while (str_next(&strategies, ',', &strategy)) {
            if (!strategy_read(str_trim(strategy), &cell.strategy, problems) ||
                !cell_add(arena, plan, cell, problems))
                return false;
        }
    }
    return true;
}

/* MODEL/STRATEGY or MODEL/STRATEGY:SIMULATIONS; a model's name may hold '/' and ':'. */
static bool cell_read(struct arena *arena, str text, struct eval_plan *plan, struct buf *problems)
{
    struct eval_cell cell = { 0 };
    size_t slash = text.len;

    while (slash > 0 && text.ptr[slash - 1] != '/')
        slash--;
    str strategy = str_slice(text, slash, text.len);
    size_t colon = str_find_char(strategy, ':');
    cell.model = str_slice(text, 0, slash > 0 ? slash - 1 : 0);
    if (cell.model.len == 0) {
        eval_problem(problems,
                     "--cells: '%.*s' is not MODEL/STRATEGY or MODEL/STRATEGY:SIMULATIONS",
                     STR_ARG(text));
        return false;
    }
    bool has_count = colon != STR_NPOS;
    str count = str_slice(strategy, has_count ? colon + 1 : strategy.len, strategy.len);
    if (has_count && (!str_to_i64(count, &cell.simulations) || cell.simulations < 1 ||
                      cell.simulations > SIMULATIONS_MAX)) {
        eval_problem(problems, "--cells: '%.*s': simulations must be a number from 1 to %d",
                     STR_ARG(text), SIMULATIONS_MAX);
        return false;
    }
    return strategy_read(str_slice(strategy, 0, colon), &cell.strategy, problems) &&
           cell_add(arena, plan, cell, problems);
}

enum err eval_cells_read(struct arena *arena, const struct eval_options *options,
                         struct eval_plan *out, struct buf *problems)
{
    str cells = options->cells, cell;

    if ((options->models.len == 0) != (options->strategies.len == 0)) {
        eval_problem(problems,
                     "--models and --strategies belong together: every model with every one");
        return CALLER_BAD_REQUEST;
    }
    if (!grid_read(arena, options, out, problems))
        return CALLER_BAD_REQUEST;
    while (cells.len > 0 && str_next(&cells, ',', &cell)) {
        if (!cell_read(arena, str_trim(cell), out, problems))
            return CALLER_BAD_REQUEST;
    }
    if (out->cell_count == 0) {
        eval_problem(problems, "nothing to evaluate: give --models and --strategies, or --cells");
        return CALLER_BAD_REQUEST;
    }
    return arena_failed(arena) ? WEIR_NO_MEMORY : OK;
}

str eval_model_of(const struct eval_plan *plan, const struct eval_cell *cell,
                  enum reason_model_class model)
{
    switch (model) {
    case REASON_MODEL_MAIN:
        return cell->model;
    case REASON_MODEL_PEER:
        return plan->peer;
    case REASON_MODEL_STRONG:
        return plan->strong;
    case REASON_MODEL_CLASS_COUNT:
        break;
    }
    return (str){ 0 };
}

/* ---- order and seeds ---- */

enum err eval_order_draw(struct arena *arena, struct eval_plan *plan, size_t questions)
{
    struct rng rng;

    plan->order = ARENA_ARRAY(arena, questions, uint32_t);
    if (!plan->order)
        return WEIR_NO_MEMORY;
    for (size_t i = 0; i < questions; i++)
        plan->order[i] = (uint32_t)i;
    rng_init(&rng, plan->seed);
    for (size_t i = questions; i > 1; i--) { /* Fisher and Yates */
        size_t other = (size_t)rng_below(&rng, i);
        uint32_t moved = plan->order[i - 1];
        plan->order[i - 1] = plan->order[other];
        plan->order[other] = moved;
    }
    return OK;
}

uint64_t eval_run_seed(const struct eval_plan *plan, const struct eval_question *question,
                       size_t run)
{
    uint64_t mixed = rng_mix(plan->seed ^ rng_mix(str_hash(question->id)) ^ rng_mix(run + 1));

    return mixed >> 1; /* so that it is an integer for every reader of JSON that has 64 bits */
}

/* ---- plan.json ---- */

static void write_hash(struct buf *out, const char *name, uint64_t hash)
{
    char text[20];
    int len = snprintf(text, sizeof(text), "%016" PRIx64, hash);

    json_member_str(out, name, (str){ text, (size_t)len });
}

void eval_plan_write(struct buf *out, const struct eval_plan *plan,
                     const struct eval_identity *identity)
{
    buf_add_char(out, '{');
    json_member_i64(out, "version", PLAN_VERSION);
    json_member_str(out, "provider", identity->provider);
    write_hash(out, "provider_hash", identity->provider_hash);
    json_member_i64(out, "questions", (int64_t)identity->question_count);
    write_hash(out, "questions_hash", identity->questions_hash);
    write_hash(out, "config_hash", identity->config_hash);
    write_hash(out, "prompts_hash", identity->prompts_hash);
    json_key(out, "cells");
    buf_add_char(out, '[');
    for (size_t i = 0; i < plan->cell_count; i++) {
        json_comma(out);
        json_write_str(out, plan->cells[i].name);
    }
    buf_add_char(out, ']');
    json_member_str(out, "peer", plan->peer);
    json_member_str(out, "strong", plan->strong);
    json_member_i64(out, "runs", (int64_t)plan->runs);
    json_member_i64(out, "seed", (int64_t)plan->seed);
    buf_add(out, STR("}\n"));
}

enum err eval_plan_compare(str a, str b, struct buf *out_differences)
{
    struct arena arena;
    struct json ours = { 0 }, theirs = { 0 };

    arena_init(&arena, PLAN_ARENA_MAX);
    enum err e = json_parse(&arena, str_trim(a), &ours, NULL);
    if (e == OK)
        e = json_parse(&arena, str_trim(b), &theirs, NULL);
    for (struct json_iter it = json_iter(ours); e == OK && json_next(&it);) {
        if (str_eq(json_raw(it.value), json_raw(json_get(theirs, it.name))))
            continue;
        if (out_differences->len > 0)
            buf_add(out_differences, STR(", "));
        buf_add(out_differences, it.name);
    }
    arena_fini(&arena);
    return e;
}

enum err eval_plan_read(struct arena *arena, str text, struct eval_plan *out)
{
    struct eval_plan plan = { .runs = 0 };
    struct buf cells = { 0 }, ignored = { 0 };
    struct json root;
    str cell;
    int64_t version, runs;
    enum err e = json_parse(arena, str_trim(text), &root, NULL);

    if (e != OK)
        return e == WEIR_NO_MEMORY ? e : CALLER_BAD_REQUEST;
    if (!json_i64(json_get(root, STR("version")), &version) || version != PLAN_VERSION ||
        !json_i64(json_get(root, STR("runs")), &runs) || runs < 1 || runs > EVAL_RUNS_MAX)
        return CALLER_BAD_REQUEST;
    for (struct json_iter it = json_iter(json_get(root, STR("cells")));
         e == OK && json_next(&it);) {
        if (!json_str(it.value, arena, &cell) || cell.len == 0)
            e = CALLER_BAD_REQUEST;
        else
            buf_printf(&cells, "%s%.*s", cells.len > 0 ? "," : "", STR_ARG(cell));
    }
    if (e == OK)
        e = cells.failed
                ? WEIR_NO_MEMORY
                : eval_cells_read(
                      arena, &(struct eval_options){ .cells = arena_str(arena, buf_str(&cells)) },
                      &plan, &ignored);
    buf_fini(&cells);
    buf_fini(&ignored);
    if (e != OK)
        return e;
    plan.runs = (size_t)runs;
    *out = plan;
    return OK;
}
