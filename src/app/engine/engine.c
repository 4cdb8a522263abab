/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine: the group commit. Within a turn of the loop queries append to the ledger; at its end one
 * commit covers them all, and only then do staged calls leave and finished answers go out.
 */
#include "app/engine/engine_internal.h"

#include <stdlib.h>
#include <string.h>

/* How soon a commit that failed (disk full) or was deferred is tried again. */
#define COMMIT_RETRY (20 * NSEC_PER_MS)

static void on_retry(struct timer *t)
{
    (void)t; /* the turn that follows ends with a commit */
}

static void calls_start(struct engine *e, enum err committed)
{
    struct link staged;

    link_init(&staged);
    list_take(&staged, &e->staged);
    for (struct link *l = list_pop(&staged); l; l = list_pop(&staged)) {
        struct query_call *c = CONTAINER_OF(l, struct query_call, staged);
        if (committed == OK) {
            call_start(c);
        } else {
            call_end(c, committed);
            query_step(c->query);
        }
    }
}

/* Without a commit an answer is held back, until its query's deadline. */
static void queries_finish(struct engine *e, enum err committed)
{
    struct link ending;
    nsec now = world_now(e->world);

    link_init(&ending);
    list_take(&ending, &e->ending);
    for (struct link *l = list_pop(&ending); l; l = list_pop(&ending)) {
        struct query *q = CONTAINER_OF(l, struct query, link);
        bool gives_up = q->fault == WEIR_STORE || q->is_cancelled || now >= q->deadline;
        if (committed != OK && !gives_up) {
            list_add_tail(&e->ending, &q->link);
            continue;
        }
        if (committed != OK && q->fault == OK)
            q->fault = committed;
        query_finished(q);
    }
}

static void on_turn_end(struct turn_end *hook)
{
    struct engine *e = CONTAINER_OF(hook, struct engine, hook);

    if (!ledger_is_dirty(e->ledger) && list_empty(&e->staged) && list_empty(&e->ending))
        return;
    enum err committed = ledger_commit(e->ledger);
    calls_start(e, committed);
    queries_finish(e, committed);
    feedback_finish(e, committed);
    if (ledger_is_dirty(e->ledger) && !timer_is_running(&e->retry))
        timer_start(e->world, &e->retry, COMMIT_RETRY, on_retry);
}

enum err engine_open(struct engine **out, const struct engine_options *options)
{
    struct engine *e = aligned_alloc(_Alignof(struct engine), sizeof(*e));

    if (!e)
        return WEIR_NO_MEMORY;
    memset(e, 0, sizeof(*e));
    e->world = options->world;
    e->upstream = options->upstream;
    e->ledger = options->ledger;
    e->metrics = options->metrics;
    e->config = options->config;
    e->log = options->log;
    e->arms = options->arms;
    e->feed = options->feed;
    e->tokens = options->tokens;
    e->reach = options->reach;
    e->lanes = options->lanes;
    e->telemetry = options->telemetry;
    link_init(&e->queries);
    link_init(&e->staged);
    link_init(&e->ending);
    link_init(&e->feedback);
    link_init(&e->idle_calls);
    enum err fault = engine_profile_open(&e->first, e->config, e->lanes);
    if (fault != OK) {
        free(e);
        return fault;
    }
    e->profile = e->first;
    e->generation = 1;
    world_on_turn_end(e->world, &e->hook, on_turn_end);
    if (e->arms)
        arms_join(e->arms, &e->arms_reader);
    *out = e;
    return OK;
}

void engine_close(struct engine *e)
{
    if (!e)
        return;
    assert(e->busy == 0);
    timer_cancel(e->world, &e->retry);
    list_remove(&e->hook.link);
    for (struct link *l = list_pop(&e->idle_calls); l; l = list_pop(&e->idle_calls))
        call_free(CONTAINER_OF(l, struct query_call, link));
    engine_profile_close(e->first);
    free(e);
}

void engine_adopt(struct engine *e, const struct engine_profile *profile, struct reach *reach,
                  uint32_t generation)
{
    e->profile = profile;
    e->config = profile->config;
    e->reach = reach;
    e->generation = generation;
}

/* Queries stand in the order in which they started. */
uint32_t engine_generation_oldest(const struct engine *e)
{
    if (list_empty(&e->queries))
        return e->generation;
    return CONTAINER_OF_CONST(e->queries.next, struct query, all)->generation;
}

void engine_stop(struct engine *e)
{
    for (struct link *l = e->queries.next, *next; l != &e->queries; l = next) {
        next = l->next;
        query_cut(CONTAINER_OF(l, struct query, all), WEIR_STOPPING);
    }
}

void engine_refused(struct engine *e, enum err fault, str requested_model)
{
    int64_t id = ledger_query_id(e->ledger);
    struct ledger_query begin = { .id = id,
                                  .started = world_wall(),
                                  .requested_model = requested_model,
                                  .strategy = STR("refused") };
    struct ledger_end end = { .id = id,
                              .fault = fault,
                              .http_status = err_info(fault)->http_status,
                              .hrm_confidence = -1,
                              .trm_confidence = -1,
                              .confidence = -1,
                              .raw = LEDGER_RAW_NONE };

    ledger_begin(e->ledger, &begin);
    ledger_end(e->ledger, &end);
}

uint32_t engine_busy(const struct engine *e)
{
    return e->busy;
}
