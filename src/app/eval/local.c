/* SPDX-License-Identifier: Apache-2.0 */
/* local: see local.h. */
#include "app/eval/local.h"

#include "edge/config/config.h"

/* Calls that may be under way at once in virtual time. */
#define CALLS_MAX 64

struct pending {
    uint32_t id;
    nsec ends;
    struct eval_local_reply reply;
};

/* One query in virtual time. */
struct drive {
    struct eval_local *local;
    struct eval_job *job;
    struct reason *reason;
    struct pending pending[CALLS_MAX];
    size_t pending_count;
    nsec now;
    struct usage usage;
    nano_usd cost;
    uint32_t calls;
};

/* ---- what a query costs and may use ---- */

const struct price *eval_price(const struct config *config, str model)
{
    return price_find(&config->prices, model, world_wall());
}

struct reason_config eval_reason_config(const struct eval_source *s, const struct eval_cell *cell,
                                        uint64_t seed)
{
    struct reason_config config = config_reason(s->config);

    config.cascade.has_peer = s->plan->peer.len > 0;
    config.cascade.has_strong = s->plan->strong.len > 0;
    if (cell->simulations > 0)
        config.mcts.simulation_budget = (int)cell->simulations;
    config.seed = seed;
    config.model = cell->model;
    return config;
}

struct verifier eval_visible_verifier(const struct eval_question *question)
{
    return verifier_knows_answer(question->verifier.kind) ? (struct verifier){ VERIFY_NONE, { 0 } }
                                                          : question->verifier;
}

static struct reason_budget budget_left(const struct drive *d)
{
    const struct config *config = d->local->source.config;
    int64_t calls = config->budget.calls_max - d->calls;

    return (struct reason_budget){
        .calls = calls > 0 ? (int)calls : 0,
        .tokens = config->budget.tokens_max - d->usage.input - d->usage.output,
        .cost = config->budget.cost_max - (d->cost == COST_UNPRICED ? 0 : d->cost),
        .time = config->timeout - d->now,
    };
}

/* ---- the loop of asking and telling ---- */

/* An answer that costs more than the query has left is not bought. */
static void call_perform(struct drive *d, const struct reason_call *call)
{
    struct eval_local *l = d->local;
    struct pending *p = &d->pending[d->pending_count++];
    str model = eval_model_of(l->source.plan, d->job->cell, call->model);
    nano_usd left = budget_left(d).cost;

    *p = (struct pending){ .id = call->id };
    l->answer(l, d->job, call, &p->reply);
    nano_usd cost = price_cost(eval_price(l->source.config, model), &p->reply.usage);
    if (cost != COST_UNPRICED && cost > left) {
        cost = 0;
        p->reply = (struct eval_local_reply){ .fault = POLICY_BUDGET };
    }
    p->ends = d->now + p->reply.took;
    usage_add(&d->usage, &p->reply.usage);
    d->cost = cost_add(d->cost, cost);
    d->calls++;
}

static void calls_ask(struct drive *d)
{
    struct reason_call calls[REASON_CALLS_AT_ONCE];
    size_t n = 1;

    while (n > 0 && d->pending_count + REASON_CALLS_AT_ONCE <= CALLS_MAX) {
        struct reason_budget left = budget_left(d);
        n = reason_ask(d->reason, &left, calls);
        for (size_t i = 0; i < n; i++)
            call_perform(d, &calls[i]);
    }
}

/* The call that ends first; of those that end together, the one that was asked first. */
static void call_end(struct drive *d)
{
    size_t first = 0;

    for (size_t i = 1; i < d->pending_count; i++) {
        if (d->pending[i].ends < d->pending[first].ends)
            first = i;
    }
    struct pending ended = d->pending[first];
    d->pending_count--;
    for (size_t i = first; i < d->pending_count; i++)
        d->pending[i] = d->pending[i + 1];
    d->now = ended.ends;
    struct reason_outcome outcome = { .fault = ended.reply.fault, .text = ended.reply.text };
    reason_tell(d->reason, ended.id, &outcome);
}

static enum err drive_open(struct drive *d)
{
    const struct eval_question *question = d->job->question;
    const struct reason_message message = { "user", question->prompt };
    const struct eval_source *s = &d->local->source;
    struct reason_config config = eval_reason_config(s, d->job->cell, d->job->seed);
    struct reason_question asked = { .messages = &message,
                                     .message_count = 1,
                                     .domain = d->job->domain,
                                     .verifier = eval_visible_verifier(question) };

    config.use_json_schema = d->local->use_json_schema;
    return reason_open(&d->reason, &d->job->arena, d->job->cell->strategy, &config, &asked);
}

static void outcome_take(struct drive *d, struct eval_outcome *out)
{
    struct reason_best best = reason_best(d->reason);

    *out =
        (struct eval_outcome){ .halt = best.halt,
                               .signals = best.signals,
                               .raw_confidence = -1,
                               .confidence = -1,
                               .usage = d->usage,
                               .cost = d->cost,
                               .calls = d->calls,
                               .latency_us =
                                   d->local->source.kind->has_latency ? d->now / NSEC_PER_USEC : -1,
                               .is_simulated = d->local->source.kind->is_simulated };
    if (!best.has_answer) {
        out->fault = best.fault != OK ? best.fault : POLICY_BUDGET;
        return;
    }
    out->answer = best.answer;
    out->canonical = best.canonical;
    out->raw_confidence = best.raw_confidence;
    out->confidence = best.is_calibrated ? best.confidence : -1;
}

static void job_run(struct eval_local *l, struct eval_job *job)
{
    struct drive d = { .local = l, .job = job };
    enum err e = drive_open(&d);

    if (e != OK) {
        job->outcome = (struct eval_outcome){ .fault = e,
                                              .halt = "failed",
                                              .raw_confidence = -1,
                                              .confidence = -1,
                                              .latency_us = -1,
                                              .is_simulated = l->source.kind->is_simulated };
        return;
    }
    calls_ask(&d);
    while (d.pending_count > 0) {
        call_end(&d);
        calls_ask(&d);
    }
    outcome_take(&d, &job->outcome);
    if (l->finish)
        l->finish(l, job);
}

/* ---- as a source ---- */

static void on_turn(struct turn *turn)
{
    struct eval_local *l = CONTAINER_OF(turn, struct eval_local, turn);
    struct link jobs;

    link_init(&jobs);
    list_take(&jobs, &l->jobs);
    for (struct link *link = list_pop(&jobs); link; link = list_pop(&jobs)) {
        struct eval_job *job = CONTAINER_OF(link, struct eval_job, link);
        job_run(l, job);
        l->source.on_done(l->source.ctx, job);
    }
}

void eval_local_start(struct eval_source *s, struct eval_job *job)
{
    struct eval_local *l = CONTAINER_OF(s, struct eval_local, source);

    list_add_tail(&l->jobs, &job->link);
    turn_post(s->world, &l->turn);
}

/* What is under way ends in the next turn anyway. */
void eval_local_cut(struct eval_source *s)
{
    (void)s;
}

enum err eval_local_init(struct eval_local *l, const struct eval_source_kind *kind,
                         const struct eval_source_options *options)
{
    l->source = (struct eval_source){ .kind = kind,
                                      .plan = options->plan,
                                      .config = options->options->config,
                                      .ctx = options->ctx,
                                      .on_done = options->on_done };
    link_init(&l->jobs);
    turn_init(&l->turn, on_turn);
    return world_open(&l->source.world);
}

void eval_local_fini(struct eval_local *l)
{
    turn_cancel(&l->turn);
    world_close(l->source.world);
}
