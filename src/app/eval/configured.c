/* SPDX-License-Identifier: Apache-2.0 */
/*
 * configured: the configured providers as a source, through the engine: every query is in a ledger, with its calls and what
 * they cost. Each cell has an engine of its own, on the same loop and ledger, whose configuration holds the cell's
 * simulations and the evaluation's peer and strong models.
 */
#include <stdlib.h>

#include "app/engine/engine.h"
#include "app/engine/stack.h"
#include "app/eval/local.h"
#include "edge/config/config.h"
#include "edge/store/store.h"
#include "edge/world/world.h"

/* One job's query. There are as many as runs may be under way, so that starting one cannot fail. */
struct flight {
    struct link link; /* among the idle ones */
    struct query query;
    struct chat_request request;
    struct chat_message message;
    struct eval_job *job;
    struct configured *owner;
};

struct configured {
    struct eval_source source;
    struct store *store;
    struct stack stack;
    struct flight *flights;
    struct link idle;
    struct config *variants; /* of each cell; what they point to is the configuration's */
    struct engine *engines[EVAL_CELLS_MAX];
};

static struct configured *configured_of(struct eval_source *s)
{
    return CONTAINER_OF(s, struct configured, source);
}

/* ---- a run ---- */

static void on_finish(struct query *q)
{
    struct flight *flight = q->ctx;
    struct eval_job *job = flight->job;
    struct eval_source *s = &flight->owner->source;

    job->outcome = (struct eval_outcome){
        .fault = q->fault,
        .halt = q->best.halt ? q->best.halt : "failed",
        .signals = q->best.signals,
        .raw_confidence = -1,
        .confidence = -1,
        .usage = q->usage,
        .cost = q->cost,
        .calls = q->calls,
        .latency_us = q->took / NSEC_PER_USEC,
        .is_simulated = q->is_simulated,
    };
    if (q->fault == OK) {
        job->outcome.answer = q->best.answer;
        job->outcome.canonical = q->best.canonical;
        job->outcome.raw_confidence = q->best.raw_confidence;
        job->outcome.confidence = q->best.is_calibrated ? q->best.confidence : -1;
    }
    job->was_cut = q->fault == WEIR_STOPPING;
    list_add_tail(&flight->owner->idle, &flight->link);
    s->on_done(s->ctx, job);
}

static void configured_start(struct eval_source *s, struct eval_job *job)
{
    struct configured *c = configured_of(s);
    struct link *idle = list_pop(&c->idle);
    size_t cell = job->place.cell;

    assert(idle);
    struct flight *flight = CONTAINER_OF(idle, struct flight, link);
    flight->job = job;
    flight->owner = c;
    flight->message = (struct chat_message){ "user", job->question->prompt };
    flight->request = (struct chat_request){ .model = job->cell->model,
                                             .n = 1,
                                             .temperature = -1,
                                             .messages = &flight->message,
                                             .message_count = 1 };
    flight->query = (struct query){
        .arena = &job->arena,
        .route = { .strategy = job->cell->strategy,
                   .model = job->cell->model,
                   .profile = &c->variants[cell],
                   .reason = "an evaluation names it" },
        .requested_model = job->cell->name,
        .domain = job->domain,
        .chat = &flight->request,
        .verifier = eval_visible_verifier(job->question),
        .ctx = flight,
        .on_finish = on_finish,
    };
    query_start(c->engines[cell], &flight->query);
}

static void configured_cut(struct eval_source *s)
{
    struct configured *c = configured_of(s);

    for (size_t i = 0; i < s->plan->cell_count; i++)
        engine_stop(c->engines[i]);
}

/* ---- opening ---- */

static bool model_check(const struct config *config, str name, struct buf *problems)
{
    if (config_model_find(config, name))
        return true;
    buf_printf(problems, "no model '%.*s' is configured; there are:", STR_ARG(name));
    for (size_t i = 0; i < config->model_count; i++)
        buf_printf(problems, "%s %.*s", i > 0 ? "," : "", STR_ARG(config->models[i].name));
    buf_add_char(problems, '\n');
    return false;
}

static enum err flights_make(struct configured *c, size_t count)
{
    link_init(&c->idle);
    c->flights = calloc(count, sizeof(*c->flights));
    for (size_t i = 0; c->flights && i < count; i++) {
        link_init(&c->flights[i].link);
        list_add_tail(&c->idle, &c->flights[i].link);
    }
    return c->flights ? OK : WEIR_NO_MEMORY;
}

static bool models_check(const struct eval_source *s, struct buf *problems)
{
    bool is_good = true;

    for (size_t i = 0; i < s->plan->cell_count; i++)
        is_good = model_check(s->config, s->plan->cells[i].model, problems) && is_good;
    if (s->plan->peer.len > 0)
        is_good = model_check(s->config, s->plan->peer, problems) && is_good;
    if (s->plan->strong.len > 0)
        is_good = model_check(s->config, s->plan->strong, problems) && is_good;
    return is_good;
}

static enum err stack_start(struct configured *c, const struct eval_options *options,
                            struct buf *problems)
{
    char why[256] = "";
    struct buf beside = { 0 };
    str place = options->ledger;

    if (place.len == 0 && options->out.len > 0) {
        buf_printf(&beside, "%.*s/ledger", STR_ARG(options->out));
        place = buf_str(&beside);
    }
    enum err e = stack_store_open(&c->store, options->config, place, why);
    if (e == OK)
        e = stack_open(&c->stack, c->store, options->config, options->log, 0, NULL);
    if (e != OK)
        eval_problem(problems,
                     "%s%s%s (a running gateway holds its ledger: keep this one elsewhere with "
                     "--ledger DIR or --out DIR)",
                     err_info(e)->text, why[0] ? ": " : "", why);
    buf_fini(&beside);
    c->source.world = c->stack.world;
    return e;
}

static struct config variant_of(const struct eval_source *s, const struct eval_cell *cell)
{
    struct config variant = *s->config;

    variant.model = cell->model;
    variant.cascade.peer_model = s->plan->peer;
    variant.cascade.strong_model = s->plan->strong;
    if (cell->simulations > 0) {
        variant.mcts.simulation_budget = cell->simulations;
        variant.mcts_iterations = cell->simulations;
    }
    return variant;
}

static enum err engines_open(struct configured *c, const struct eval_options *options)
{
    size_t count = c->source.plan->cell_count;
    enum err e = OK;

    c->variants = calloc(count, sizeof(*c->variants));
    if (!c->variants)
        return WEIR_NO_MEMORY;
    for (size_t i = 0; i < count && e == OK; i++) {
        c->variants[i] = variant_of(&c->source, &c->source.plan->cells[i]);
        e = engine_open(&c->engines[i], &(struct engine_options){ .world = c->stack.world,
                                                                  .upstream = c->stack.upstream,
                                                                  .ledger = c->stack.ledger,
                                                                  .metrics = c->stack.metrics,
                                                                  .config = &c->variants[i],
                                                                  .log = options->log });
    }
    return e;
}

static void configured_close(struct eval_source *s)
{
    struct configured *c = configured_of(s);

    for (size_t i = 0; i < EVAL_CELLS_MAX; i++)
        engine_close(c->engines[i]);
    free(c->variants);
    stack_close(&c->stack);
    store_close(c->store);
    free(c->flights);
    free(c);
}

static const struct eval_source_kind kind = {
    .name = "configured",
    .is_live = true,
    .has_latency = true,
    .start = configured_start,
    .cut = configured_cut,
    .worst = eval_forecast_worst,
    .expected = eval_forecast_expected,
    .close = configured_close,
};

enum err eval_configured_open(struct eval_source **out, const struct eval_source_options *options,
                              struct buf *problems)
{
    struct configured *c = calloc(1, sizeof(*c));

    if (!c)
        return WEIR_NO_MEMORY;
    c->source = (struct eval_source){ .kind = &kind,
                                      .plan = options->plan,
                                      .config = options->options->config,
                                      .ctx = options->ctx,
                                      .on_done = options->on_done };
    enum err e = models_check(&c->source, problems) ? OK : CALLER_BAD_REQUEST;
    if (e == OK)
        e = flights_make(c, (size_t)options->options->parallel);
    if (e == OK)
        e = stack_start(c, options->options, problems);
    if (e == OK)
        e = engines_open(c, options->options);
    if (e != OK) {
        configured_close(&c->source);
        return e;
    }
    *out = &c->source;
    return OK;
}
