/* SPDX-License-Identifier: Apache-2.0 */
/* runs: what came out of each run, in memory and as a line of runs.jsonl. */
#include "app/eval/eval_internal.h"

#include <math.h>

#include "core/json/json.h"

/* ---- in memory ---- */

enum err eval_runs_init(struct arena *arena, struct eval_runs *out, size_t questions, size_t cells,
                        size_t per_cell)
{
    struct eval_runs runs = { .questions = questions, .cells = cells, .per_cell = per_cell };

    assert(questions * cells * per_cell <= EVAL_RUNS_TOTAL_MAX);
    runs.items = ARENA_ARRAY(arena, questions * cells * per_cell, struct eval_run);
    if (!runs.items)
        return WEIR_NO_MEMORY;
    *out = runs;
    return OK;
}

struct eval_run *eval_run_at(const struct eval_runs *runs, size_t question, size_t cell, size_t run)
{
    assert(question < runs->questions && cell < runs->cells && run < runs->per_cell);
    return &runs->items[(question * runs->cells + cell) * runs->per_cell + run];
}

/* Nine decimals are more than a confidence knows; rounded at once, so that a run in memory and a run read back from
 * its line are the same number. */
static double rounded(double share)
{
    return share < 0 ? -1 : round(share * 1e9) / 1e9;
}

static bool is_disputed(const struct eval_run *run)
{
    return run->label != EVAL_LABEL_NONE && (run->label == EVAL_LABEL_RIGHT) != run->is_right;
}

struct eval_run eval_run_of(struct arena *arena, const struct eval_outcome *outcome, bool is_right)
{
    struct eval_run run = {
        .is_done = true,
        .is_right = is_right,
        .is_simulated = outcome->is_simulated,
        .label = outcome->label,
        .fault = outcome->fault,
        .calls = outcome->calls,
        .answer = outcome->canonical.len > 0 ? str_hash(outcome->canonical) : 0,
        .cost = outcome->cost,
        .tokens_input = outcome->usage.input,
        .tokens_output = outcome->usage.output,
        .latency_us = outcome->latency_us,
        .raw_confidence = rounded(outcome->raw_confidence),
        .confidence = rounded(outcome->confidence),
    };

    if (is_disputed(&run))
        run.disputed = arena_str(arena, outcome->answer);
    return run;
}

/* ---- writing ---- */

/* Negative: null. */
static void write_share(struct buf *out, const char *name, double value)
{
    if (value < 0)
        json_member_null(out, name);
    else
        json_member_double(out, name, rounded(value));
}

static void write_text(struct buf *out, const char *name, str text)
{
    if (text.len == 0)
        json_member_null(out, name);
    else
        json_member_str(out, name, text);
}

/* Only those that there are. */
static void write_signals(struct buf *out, const struct signals *s)
{
    const struct {
        const char *name;
        double value;
    } signals[] = {
        { "stated", s->stated },       { "vote_share", s->vote_share }, { "margin", s->margin },
        { "agreement", s->agreement }, { "worst_sub", s->worst_sub },   { "verifier", s->verifier },
        { "stability", s->stability },
    };

    json_key(out, "signals");
    buf_add_char(out, '{');
    for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
        if (signals[i].value >= 0)
            write_share(out, signals[i].name, signals[i].value);
    }
    buf_add_char(out, '}');
}

static void write_place(struct buf *out, const struct eval_questions *questions,
                        const struct eval_plan *plan, const struct eval_run_place *place)
{
    const struct eval_question *question = &questions->items[place->question];
    const struct eval_cell *cell = &plan->cells[place->cell];

    json_member_str(out, "id", question->id);
    json_member_str(out, "domain", questions->domains[question->domain]);
    json_member_str(out, "model", cell->model);
    json_member_str(out, "strategy", str_from(reason_strategy_name(cell->strategy)));
    if (cell->simulations > 0)
        json_member_i64(out, "simulations", cell->simulations);
    json_member_i64(out, "run", (int64_t)place->run + 1);
    json_member_i64(out, "seed", (int64_t)eval_run_seed(plan, question, place->run));
}

void eval_run_write(struct buf *out, const struct eval_questions *questions,
                    const struct eval_plan *plan, const struct eval_run_place *place,
                    const struct eval_outcome *outcome, bool is_right)
{
    buf_add_char(out, '{');
    write_place(out, questions, plan, place);
    json_member_bool(out, "right", is_right);
    write_text(out, "answer", outcome->canonical);
    if (outcome->cost == COST_UNPRICED)
        json_member_null(out, "cost_nano_usd");
    else
        json_member_i64(out, "cost_nano_usd", outcome->cost);
    json_key(out, "tokens");
    buf_printf(out, "{\"input\":%" PRId64 ",\"output\":%" PRId64 ",\"cached\":%" PRId64 "}",
               outcome->usage.input, outcome->usage.output, outcome->usage.cached);
    json_member_i64(out, "calls", outcome->calls);
    if (outcome->latency_us < 0)
        json_member_null(out, "latency_ms");
    else
        json_member_double(out, "latency_ms", (double)outcome->latency_us / 1e3);
    write_share(out, "raw_confidence", outcome->raw_confidence);
    write_share(out, "confidence", outcome->confidence);
    write_signals(out, &outcome->signals);
    json_member_str(out, "halt", str_from(outcome->halt));
    if (outcome->fault == OK)
        json_member_null(out, "fault");
    else
        json_member_str(out, "fault", str_from(err_info(outcome->fault)->name));
    json_member_bool(out, "simulated", outcome->is_simulated);
    if (outcome->label != EVAL_LABEL_NONE) {
        json_member_bool(out, "label", outcome->label == EVAL_LABEL_RIGHT);
        if ((outcome->label == EVAL_LABEL_RIGHT) != is_right)
            json_member_str(out, "disputed", outcome->answer);
    }
    buf_add(out, STR("}\n"));
}

/* ---- reading ---- */

/* null is -1. */
static bool read_share(struct json line, str name, double *out)
{
    struct json value = json_get(line, name);
    double share;

    if (json_is(value, JSON_NULL)) {
        *out = -1;
        return true;
    }
    if (!json_double(value, &share) || share < 0 || share > 1)
        return false;
    *out = share;
    return true;
}

static bool read_place(struct arena *arena, struct json line,
                       const struct eval_questions *questions, const struct eval_plan *plan,
                       struct eval_run_place *out)
{
    str id, model, strategy;
    int64_t run, simulations = 0;

    if (!json_str(json_get(line, STR("id")), arena, &id) ||
        !json_str(json_get(line, STR("model")), arena, &model) ||
        !json_str(json_get(line, STR("strategy")), arena, &strategy) ||
        !json_i64(json_get(line, STR("run")), &run) || run < 1 || run > (int64_t)plan->runs)
        return false;
    IGNORE(json_i64(json_get(line, STR("simulations")), &simulations));
    out->question = eval_question_find(questions, id);
    out->run = (size_t)run - 1;
    for (size_t i = 0; i < plan->cell_count; i++) {
        const struct eval_cell *cell = &plan->cells[i];
        if (str_eq(cell->model, model) && cell->simulations == simulations &&
            str_eq(str_from(reason_strategy_name(cell->strategy)), strategy)) {
            out->cell = i;
            return out->question != SIZE_MAX;
        }
    }
    return false;
}

static bool read_cost(struct json line, nano_usd *out)
{
    struct json value = json_get(line, STR("cost_nano_usd"));

    if (json_is(value, JSON_NULL)) {
        *out = COST_UNPRICED;
        return true;
    }
    return json_i64(value, out) && *out >= 0;
}

static bool read_latency(struct json line, int64_t *out)
{
    struct json value = json_get(line, STR("latency_ms"));
    double ms;

    if (json_is(value, JSON_NULL)) {
        *out = -1;
        return true;
    }
    if (!json_double(value, &ms) || ms < 0 || ms > 1e12)
        return false;
    *out = (int64_t)llround(ms * 1e3);
    return true;
}

static bool read_fault(struct arena *arena, struct json line, enum err *out)
{
    struct json value = json_get(line, STR("fault"));
    str name;

    if (json_is(value, JSON_NULL)) {
        *out = OK;
        return true;
    }
    if (!json_str(value, arena, &name))
        return false;
    name = arena_str(arena, name); /* for its NUL */
    *out = name.ptr ? err_from_name(name.ptr) : ERR_COUNT;
    return *out != ERR_COUNT && *out != OK;
}

static bool read_outcome(struct arena *arena, struct json line, struct eval_outcome *out,
                         bool *out_right)
{
    int64_t calls;
    bool label;

    if (!json_bool(json_get(line, STR("right")), out_right) || !read_cost(line, &out->cost) ||
        !json_i64(json_path(line, STR("tokens.input")), &out->usage.input) ||
        !json_i64(json_path(line, STR("tokens.output")), &out->usage.output) ||
        !json_i64(json_get(line, STR("calls")), &calls) || calls < 0 || calls > UINT32_MAX ||
        !read_latency(line, &out->latency_us) ||
        !read_share(line, STR("raw_confidence"), &out->raw_confidence) ||
        !read_share(line, STR("confidence"), &out->confidence) ||
        !read_fault(arena, line, &out->fault) ||
        !json_bool(json_get(line, STR("simulated")), &out->is_simulated))
        return false;
    out->calls = (uint32_t)calls;
    if (json_bool(json_get(line, STR("label")), &label))
        out->label = label ? EVAL_LABEL_RIGHT : EVAL_LABEL_WRONG;
    IGNORE(json_str(json_get(line, STR("disputed")), arena, &out->answer));
    if (json_is(json_get(line, STR("answer")), JSON_NULL))
        return true;
    return json_str(json_get(line, STR("answer")), arena, &out->canonical);
}

enum err eval_run_read(struct arena *arena, str line, const struct eval_questions *questions,
                       const struct eval_plan *plan, struct eval_run_place *out_place,
                       struct eval_run *out)
{
    struct arena scratch;
    struct json object;
    struct eval_run_place place;
    struct eval_outcome outcome = { 0 };
    bool is_right;

    arena_init(&scratch, EVAL_LINE_ARENA_MAX);
    enum err e = json_parse(&scratch, line, &object, NULL);
    if (e == OK && (!read_place(&scratch, object, questions, plan, &place) ||
                    !read_outcome(&scratch, object, &outcome, &is_right)))
        e = CALLER_BAD_REQUEST;
    if (arena_failed(&scratch))
        e = WEIR_NO_MEMORY;
    if (e == OK) {
        *out = eval_run_of(arena, &outcome, is_right);
        *out_place = place;
    }
    arena_fini(&scratch);
    return e;
}

/* ---- all of them ---- */

str eval_whole_lines(str text)
{
    while (text.len > 0 && text.ptr[text.len - 1] != '\n')
        text.len--;
    return text;
}

enum err eval_runs_read(struct arena *arena, str text, const struct eval_questions *questions,
                        const struct eval_plan *plan, struct eval_runs *runs, nano_usd *out_spent,
                        size_t *out_line)
{
    nano_usd spent = 0;
    size_t number = 0;
    str line;

    while (text.len > 0 && str_next(&text, '\n', &line)) {
        struct eval_run_place place;
        struct eval_run run;
        number++;
        enum err e = eval_run_read(arena, line, questions, plan, &place, &run);
        if (e != OK) {
            *out_line = number;
            return e;
        }
        *eval_run_at(runs, place.question, place.cell, place.run) = run;
        if (run.cost != COST_UNPRICED)
            spent = cost_add(spent, run.cost);
    }
    *out_spent = spent;
    return OK;
}
