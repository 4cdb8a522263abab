/* SPDX-License-Identifier: Apache-2.0 */
/*
 * query: one query as a machine.
 *
 *     ADMIT ----> RUN ~~~~> SETTLE ~~~~> DONE          a wavy line waits for an event
 *        `-------------------^   refused at admission
 *
 * RUN waits for calls, SETTLE for the ledger's commit. A cancelled query passes from RUN to SETTLE at once.
 */
#include "app/engine/engine_internal.h"

#include "base/rng.h"

/* More than any model gives; a client may ask for more, and sums must not overflow. */
#define OUTPUT_TOKENS_MOST (INT64_C(1) << 40)
/* A call that could not even answer with this many tokens is not worth its price. */
#define OUTPUT_TOKENS_MIN 16

#define TO(state) (1u << (state))

struct rule {
    const char *name;
    enum query_state (*step)(struct query *q);
    unsigned next; /* allowed successors */
};

static enum query_state step_admit(struct query *q);
static enum query_state step_run(struct query *q);
static enum query_state step_settle(struct query *q);

static const struct rule rules[QUERY_STATE_COUNT] = {
    [QUERY_ADMIT] = { "admit", step_admit, TO(QUERY_RUN) | TO(QUERY_SETTLE) },
    [QUERY_RUN] = { "run", step_run, TO(QUERY_RUN) | TO(QUERY_SETTLE) },
    [QUERY_SETTLE] = { "settle", step_settle, TO(QUERY_SETTLE) | TO(QUERY_DONE) },
    [QUERY_DONE] = { "done", NULL, 0 },
};

void query_step(struct query *q)
{
    while (q->state != QUERY_DONE) {
        enum query_state next = rules[q->state].step(q);
        assert(rules[q->state].next & TO(next));
        if (next == q->state)
            return; /* waits */
        q->state = next;
    }
}

const char *query_strategy_name(const struct query *q)
{
    if (q->is_audit)
        return "audit";
    return q->route.is_plain ? "plain" : reason_strategy_name(q->route.strategy);
}

/* The call's target, wire and price; false when the model is not configured. */
bool call_aim(struct query_call *c, str model, enum api api)
{
    const struct engine_profile *profile = c->query->profile;
    const struct config *config = profile->config;

    c->model = config_model_find(config, model);
    if (!c->model)
        return false;
    c->target = &profile->targets[c->model - config->models];
    c->endpoint = c->target->endpoint;
    c->api = api;
    c->wire = c->endpoint ? c->endpoint->wires[api] : NULL;
    if (config->monitoring.track_cost)
        c->price = price_find(&config->prices, c->model->name, c->query->started_wall);
    return c->endpoint != NULL;
}

static void fail(struct query *q, enum err fault)
{
    if (q->fault == OK)
        q->fault = fault;
}

/* ---- admit ---- */

enum err call_write(struct query_call *c, const struct chat_request *chat, struct chat_error *error)
{
    struct arena *arena = c->query->arena;

    if (!c->wire) {
        *error = (struct chat_error){ WEIR_NOT_SUPPORTED,
                                      STR("this model's provider has no such API"), STR("model") };
        return error->fault;
    }
    enum err e = c->wire->request(&c->request, arena, chat, c->model->upstream_name, error);
    return e == OK && (c->request.failed || arena_failed(arena)) ? WEIR_NO_MEMORY : e;
}

int64_t plain_output_max(const struct query_call *c)
{
    const struct chat_request *chat = c->query->chat;
    int64_t each = chat->max_tokens > 0              ? chat->max_tokens
                   : c->wire->output_tokens_max == 0 ? 0
                   : c->model->output_tokens_max > 0 ? c->model->output_tokens_max
                                                     : c->wire->output_tokens_max;
    int64_t all = OUTPUT_TOKENS_MOST;

    IGNORE(!i64_mul(each, chat->n > 0 ? chat->n : 1, &all));
    return all < OUTPUT_TOKENS_MOST ? all : OUTPUT_TOKENS_MOST;
}

static void plain_call(struct query *q)
{
    struct query_call *c = call_new(q, STR("plain"), STR("plain"), 0);

    if (!c) {
        fail(q, WEIR_NO_MEMORY);
        return;
    }
    struct chat_error error = { 0 };
    enum err e =
        call_aim(c, q->model, q->api) ? call_write(c, q->chat, &error) : CALLER_UNKNOWN_MODEL;
    q->fault_message = error.message;
    q->fault_param = error.param;
    if (e == OK) {
        call_reserve(c, plain_output_max(c));
        e = limits_call(c);
    }
    if (e != OK) { /* a call that is not made has no row */
        call_drop(c);
        fail(q, e);
        return;
    }
    call_stage(c, q->chat->stream);
}

static enum err strategy_open(struct query *q)
{
    size_t n = q->chat->message_count;
    struct reason_message *messages = ARENA_ARRAY(q->arena, n, struct reason_message);

    if (!messages)
        return WEIR_NO_MEMORY;
    for (size_t i = 0; i < n; i++)
        messages[i] =
            (struct reason_message){ q->chat->messages[i].role, q->chat->messages[i].content };
    struct reason_question question = {
        .messages = messages, .message_count = n, .domain = q->domain, .verifier = q->verifier
    };
    const struct engine_profile *profile = q->profile;
    struct reason_config config =
        q->route.profile == profile->config ? profile->reason : profile->reason_fallback;
    const struct config_model *model = config_model_find(profile->config, q->model);
    const struct config_provider *provider =
        model ? config_provider_find(profile->config, model->provider) : NULL;
    if (!provider)
        return CALLER_UNKNOWN_MODEL;
    config.use_json_schema = provider->has_json_schema;
    config.model = model->name;
    config.seed = rng_mix((uint64_t)q->id);
    if (q->chat->temperature >= 0)
        config.temperature = q->chat->temperature;
    if (q->chat->max_tokens > 0 && q->chat->max_tokens < config.max_tokens)
        config.max_tokens = (uint32_t)q->chat->max_tokens;
    return reason_open(&q->reason, q->arena, q->route.strategy, &config, &question);
}

static void record_begin(struct query *q)
{
    struct ledger_query row = { .id = q->id,
                                .started = q->started_wall,
                                .tenant = q->tenant,
                                .domain = q->domain,
                                .requested_model = q->requested_model,
                                .strategy = str_from(query_strategy_name(q)),
                                .arm = q->arm,
                                .is_stream = q->chat->stream,
                                .reserved = q->cost_reserved,
                                .key = q->key ? key_id(q->key) : STR("") };

    ledger_begin(q->engine->ledger, &row);
}

static enum query_state step_admit(struct query *q)
{
    bool is_decided = !q->route.is_plain && !q->is_audit;

    if (limits_admit(q) && is_decided)
        fail(q, query_decide(q));
    record_begin(q);
    if (q->fault != OK)
        return QUERY_SETTLE;
    if (is_decided)
        query_record_route(q);
    if (q->route.is_plain)
        plain_call(q);
    else
        fail(q, strategy_open(q));
    return q->fault == OK ? QUERY_RUN : QUERY_SETTLE;
}

/* ---- run ---- */

static struct reason_budget budget_left(const struct query *q)
{
    const struct config *config = q->profile->config;
    int64_t used = q->usage.input + q->usage.output + q->tokens_reserved;
    nano_usd spent = (q->cost == COST_UNPRICED ? 0 : q->cost) + q->cost_reserved;

    return (struct reason_budget){
        .calls =
            (int)(config->budget.calls_max > q->calls ? config->budget.calls_max - q->calls : 0),
        .tokens = config->budget.tokens_max - used,
        .cost = config->budget.cost_max - spent,
        .time = q->deadline - world_now(q->engine->world),
    };
}

/* The output tokens that what is left of the budget can pay for. */
static int64_t tokens_affordable(const struct query_call *c, const struct reason_budget *left,
                                 int64_t wanted)
{
    struct usage input = { .input = (int64_t)c->request.len / 3 };
    nano_usd input_cost = price_cost(c->price, &input);

    if (input_cost == COST_UNPRICED || c->price->output == 0)
        return wanted;
    int64_t most = (left->cost - input_cost) / c->price->output;
    return most < wanted ? most : wanted;
}

static enum err strategy_call_write(struct query_call *c, const struct reason_call *call,
                                    int64_t max_tokens)
{
    /* The machine asked for what the main model's provider takes. */
    bool takes_schema = c->endpoint->provider->has_json_schema;
    struct chat_message messages[8];
    size_t n =
        call->message_count < ARRAY_LEN(messages) ? call->message_count : ARRAY_LEN(messages);

    /* The first messages hold the instructions and the last ones the question: a longer talk was
     * folded by the strategy. */
    for (size_t i = 0; i < n; i++)
        messages[i] = (struct chat_message){ call->messages[i].role, call->messages[i].content };
    struct chat_call body = { .model = c->model->upstream_name,
                              .messages = messages,
                              .message_count = n,
                              .temperature = call->temperature,
                              .max_tokens = max_tokens,
                              .schema_name = takes_schema ? call->schema_name : STR(""),
                              .schema = takes_schema ? call->schema : STR("") };
    buf_reset(&c->request);
    return wire_call_write(c->wire, &c->request, c->query->arena, &body, &c->chat);
}

/* The name of the model that a call goes to; empty when the configuration names none for it. */
static str model_of(const struct query *q, enum reason_model_class class)
{
    switch (class) {
    case REASON_MODEL_MAIN:
    case REASON_MODEL_CLASS_COUNT:
        break;
    case REASON_MODEL_PEER:
        return q->route.profile->cascade.peer_model;
    case REASON_MODEL_STRONG:
        return q->route.profile->cascade.strong_model;
    }
    return q->model;
}

/* A call that nobody can be asked ends here: it costs nothing and has no row. */
static void strategy_refuse(struct query *q, const struct reason_call *call)
{
    const struct reason_outcome outcome = { .fault = WEIR_CONFIG };

    if (q->fault_message.len == 0)
        q->fault_message = call->model == REASON_MODEL_PEER
                               ? STR("a strategy asked for a peer model: set cascade.peer_model")
                               : STR("a strategy asked for a strong model: set "
                                     "cascade.strong_model");
    reason_tell(q->reason, call->id, &outcome);
}

static void strategy_call(struct query *q, const struct reason_call *call)
{
    str model = model_of(q, call->model);

    if (model.len == 0) {
        strategy_refuse(q, call);
        return;
    }
    struct query_call *c =
        call_new(q, str_from(reason_role_name(call->role)), call->label, call->parent);
    if (!c || !call_aim(c, model, API_CHAT)) {
        fail(q, WEIR_NO_MEMORY); /* the model was found at admission */
        return;
    }
    c->reason_id = call->id;
    struct reason_budget left = budget_left(q);
    enum err written = strategy_call_write(c, call, call->max_tokens);
    int64_t max_tokens = tokens_affordable(c, &left, call->max_tokens);
    if (max_tokens < call->max_tokens && max_tokens >= OUTPUT_TOKENS_MIN)
        written = strategy_call_write(c, call, max_tokens);
    call_reserve(c, max_tokens);
    enum err refused = max_tokens < OUTPUT_TOKENS_MIN ? POLICY_BUDGET : limits_call(c);
    call_stage(c, false);
    if (refused != OK)
        call_end(c, refused);
    else if (written != OK || c->request.failed)
        call_end(c, written != OK ? written : WEIR_NO_MEMORY);
}

static enum query_state step_run(struct query *q)
{
    struct reason_call calls[REASON_CALLS_AT_ONCE];

    if (q->is_cancelled || q->fault != OK || q->route.is_plain)
        return q->calls_running == 0 || q->is_cancelled ? QUERY_SETTLE : QUERY_RUN;
    if (reason_done(q->reason))
        return QUERY_SETTLE;
    size_t n;
    do { /* again when every call was refused at once, for want of budget */
        struct reason_budget left = budget_left(q);
        n = reason_ask(q->reason, &left, calls);
        for (size_t i = 0; i < n && q->fault == OK; i++)
            strategy_call(q, &calls[i]);
    } while (n > 0 && q->calls_running == 0 && q->fault == OK && !reason_done(q->reason));
    return q->calls_running == 0 ? QUERY_SETTLE : QUERY_RUN;
}

/* What a provider says about a key may repeat the key, or a part of it. */
static str provider_message(const struct query_call *c, enum err fault)
{
    str key = c->endpoint->provider->api_key;
    str message = chat_error_message(c->query->arena, buf_str(&c->upstream.body));
    bool repeats_key = key.len > 0 && str_find(message, key) != STR_NPOS;

    if (fault == PROVIDER_AUTH || repeats_key)
        return STR("");
    return message;
}

void query_call_told(struct query *q, struct query_call *c, enum err fault)
{
    if (q->route.is_plain) {
        if (fault == OK) {
            q->body = c->answer;
            q->model = c->model->name;
        }
        q->is_truncated = fault != OK && c->relayed_bytes > 0;
        fail(q, fault);
    } else if (!q->is_cancelled && q->fault == OK) {
        struct reason_outcome outcome = { .fault = fault, .text = c->trace->text };
        reason_tell(q->reason, c->reason_id, &outcome);
    }
    if (fault != OK && q->fault_message.len == 0)
        q->fault_message = provider_message(c, fault);
    if (fault == PROVIDER_RATE_LIMITED)
        q->retry_after = c->upstream.retry_after;
}

/* ---- settle ---- */

static void calls_cut(struct query *q)
{
    for (struct link *l = q->running.next; l != &q->running; l = l->next) {
        struct query_call *c = CONTAINER_OF(l, struct query_call, link);
        if (c->has_ended)
            continue;
        upstream_cancel(&c->upstream);
        call_end(c, q->cut);
    }
}

static struct reason_best no_answer(enum err fault)
{
    return (struct reason_best){ .signals = { -1, -1, -1, -1, -1, -1, -1 },
                                 .hrm_confidence = -1,
                                 .trm_confidence = -1,
                                 .confidence = -1,
                                 .raw_confidence = -1,
                                 .fault = fault };
}

/* Where confidences are calibrated, the raw ones of the stages are not known, only the answer's. */
static struct ledger_raw raw_of(const struct query *q)
{
    bool is_raw = q->profile->reason.confidences == NULL;

    return (struct ledger_raw){ is_raw ? q->best.hrm_confidence : -1,
                                is_raw ? q->best.trm_confidence : -1, q->best.raw_confidence };
}

/* 0: there is no answer. */
static uint64_t answer_hash(const struct query *q)
{
    uint64_t hash = q->best.has_answer ? str_hash(q->best.canonical) : 0;

    return q->best.has_answer && hash == 0 ? 1 : hash;
}

static void record_end(struct query *q)
{
    bool tracks = q->profile->config->monitoring.track_confidence;
    struct ledger_raw raw = raw_of(q);
    struct ledger_end row = { .id = q->id,
                              .fault = q->fault,
                              .http_status = err_info(q->fault)->http_status,
                              .is_truncated = q->is_truncated,
                              .model = q->model,
                              .hrm_confidence = tracks ? q->best.hrm_confidence : -1,
                              .trm_confidence = tracks ? q->best.trm_confidence : -1,
                              .confidence = tracks ? q->best.confidence : -1,
                              .latency_us = q->took / NSEC_PER_USEC,
                              .raw = tracks ? raw : LEDGER_RAW_NONE,
                              .is_calibrated = tracks && q->best.is_calibrated,
                              .answer_hash = answer_hash(q) };

    ledger_end(q->engine->ledger, &row);
}

static enum query_state step_settle(struct query *q)
{
    struct engine *e = q->engine;

    if (!list_empty(&q->link))
        return QUERY_SETTLE; /* waits for the commit */
    q->best = no_answer(OK);
    if (q->reason && q->fault == OK) {
        q->best = reason_best(q->reason);
        if (!q->best.has_answer)
            fail(q, q->best.fault != OK ? q->best.fault : POLICY_BUDGET);
    }
    if (q->is_cancelled)
        q->fault = q->cut;
    if (q->fault != OK)
        q->best = no_answer(q->fault);
    q->took = world_now(e->world) - q->started;
    limits_leave(q);
    record_end(q);
    label_verdict(q);
    list_add_tail(&e->ending, &q->link);
    return QUERY_SETTLE;
}

static void query_count(const struct query *q)
{
    const struct metrics_query row = { .strategy = str_from(query_strategy_name(q)),
                                       .model = q->model,
                                       .arm = query_arm_kind(q),
                                       .fault = q->fault,
                                       .cost = q->cost,
                                       .took = q->took,
                                       .overhead = world_now_exact() - q->started_exact - q->away,
                                       .confidence = q->best.confidence,
                                       .hrm_confidence = q->best.hrm_confidence,
                                       .trm_confidence = q->best.trm_confidence };

    metrics_query_end(q->engine->metrics, &row);
}

void query_finished(struct query *q)
{
    struct engine *e = q->engine;

    assert(q->state == QUERY_SETTLE);
    q->state = QUERY_DONE;
    list_remove(&q->all);
    if (q->fault != OK)
        q->best = no_answer(q->fault);
    query_count(q);
    query_trace(q);
    query_report_end(q);
    audit_draw(q);
    struct link calls;
    link_init(&calls);
    list_take(&calls, &q->running);
    struct link *next;
    /* The answer may lie in a call's buffer, so calls go after the owner has used it; the owner may
     * free the query, so nothing of it is read afterwards. */
    q->on_finish(q);
    for (struct link *l = calls.next; l != &calls; l = next) {
        next = l->next;
        call_release(CONTAINER_OF(l, struct query_call, link), e);
    }
    e->busy--;
}

void query_start(struct engine *e, struct query *q)
{
    q->engine = e;
    q->generation = e->generation;
    q->id = ledger_query_id(e->ledger);
    q->started = world_now(e->world);
    q->started_wall = world_wall();
    q->started_exact = world_now_exact();
    metrics_query_begin(e->metrics);
    query_assign(q);
    q->deadline = q->started + q->profile->config->timeout;
    q->model = q->model_override.len > 0 ? q->model_override : q->route.model;
    if (q->route.is_plain && q->domain.len == 0)
        q->domain = STR("generic"); /* of what is only relayed nothing is guessed */
    q->trace_end = &q->trace;
    q->retry_after = -1;
    link_init(&q->link);
    link_init(&q->running);
    list_add_tail(&e->queries, &q->all);
    e->busy++;
    query_step(q);
}

void query_cut(struct query *q, enum err why)
{
    if (q->is_cancelled || q->state != QUERY_RUN)
        return;
    q->is_cancelled = true;
    q->cut = why;
    calls_cut(q);
    query_step(q);
}

void query_cancel(struct query *q)
{
    query_cut(q, CALLER_GONE);
}
