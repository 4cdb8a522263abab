/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine: one query's life: admit, record the intent, ask the strategy, perform its calls, tell it, settle, record
 * the outcome, and only then hand the answer over.
 *
 * A caller embeds `struct query` in its own state and gives it an arena; starting cannot fail: every failure
 * arrives through on_finish.
 *
 * A caller may rely on:
 *   - no callback runs inside a function of this header;
 *   - every started query ends exactly once, in on_finish, also when it was cancelled; the owner may free it there;
 *   - the intent is committed before the first upstream call is sent, the outcome before on_finish;
 *   - one ledger row a query, whatever happens to it; a failed query has no confidence;
 *   - what a verifier or a client says about an answer is a label in the ledger, committed before it is acknowledged.
 *
 * May include: base, core/json, core/money, core/http, core/dialect, core/reason, core/route, core/change, core/tokens, edge/world,
 * edge/config, edge/store, edge/upstream, edge/telemetry, core/telemetry, app/access.
 */
#ifndef WEIR_APP_ENGINE_ENGINE_H
#define WEIR_APP_ENGINE_ENGINE_H

#include "app/access/access.h"
#include "app/engine/feed.h"
#include "base/arena.h"
#include "base/base.h"
#include "base/list.h"
#include "core/dialect/wire.h"
#include "core/money/money.h"
#include "core/reason/reason.h"
#include "core/route/route.h"

struct arms_slot;
struct config;
struct config_provider;
struct engine;
struct engine_profile;
struct lanes;
struct key;
struct ledger;
struct log;
struct metrics;
struct query_call;
struct token_table;
struct reach;
struct telemetry;
struct upstream;
struct world;

struct engine_options {
    struct world *world;
    struct upstream *upstream;
    struct ledger *ledger;
    struct metrics *metrics;
    const struct config *config; /* must outlive the engine */
    const struct log *log;
    struct arms_slot *
        arms; /* who runs under what, until the slot ends; NULL: the configuration is everybody's */
    struct feed *feed; /* told how queries end; NULL: nobody is */
    const struct token_table *const
        *tokens; /* by encoding, NULL where there is none; NULL: none at all */
    struct reach *reach; /* told which providers answer; NULL: nobody is */
    struct lanes *lanes; /* of all workers; NULL: no provider is ever left alone */
    struct telemetry *telemetry; /* takes traces; NULL: nobody does */
};

NODISCARD enum err engine_open(struct engine **out, const struct engine_options *options);
void engine_close(struct engine *e); /* every query must have ended; NULL is a no-op */
/* Queries that start from now on run under another configuration, whose profile, configuration and reach live until
 * engine_generation_oldest() has passed `generation`; numbers grow from 1, the one that engine_open() was given. */
void engine_adopt(struct engine *e, const struct engine_profile *profile, struct reach *reach,
                  uint32_t generation);
uint32_t
engine_generation_oldest(const struct engine *e); /* that a query which has not ended may read */
uint32_t engine_busy(const struct engine *e); /* queries that have not ended */
void engine_stop(struct engine *e); /* cuts every query: each ends with WEIR_STOPPING */

/* What the provider speaks where a request is written in the API; NULL: it has no such API. */
const struct wire *provider_wire(const struct config_provider *provider, enum api api);

/* What to run: a plain call that relays the client's body, or a strategy. */
struct route {
    bool is_plain;
    bool is_auto; /* the strategy is decided at admission; until then it is the configured one */
    enum reason_strategy strategy; /* when not plain */
    str model; /* a configured model */
    const struct config *profile; /* whose settings a strategy runs under */
    const char *reason; /* why, for people */
};

/* A requested model name ('gpt-4o-mini', 'weir/auto', 'weir/direct', …) as a route. CALLER_UNKNOWN_MODEL. */
NODISCARD enum err route_find(const struct config *config, str requested_model, struct route *out);

#define DECISION_REASONS_MAX 8

/* A strategy on a model, as a decision sees it. */
struct decision_arm {
    str strategy;
    str model;
    double propensity; /* with which the decision takes it */
    double quality; /* estimated P(right); negative: unknown */
    nano_usd cost; /* estimated; COST_UNPRICED: unknown */
};

/* Why a strategy's query runs as it does. */
struct decision {
    str scorer; /* "named", "none", "seed_v1", "words_v1", "learned_v1" */
    double score; /* negative: none */
    double propensity; /* P(this arm was chosen); negative: unknown, it was the client's choice */
    double epsilon;
    bool is_explored;
    double quality; /* estimated P(right); negative: unknown */
    nano_usd cost; /* estimated; COST_UNPRICED: unknown */
    str reasons[DECISION_REASONS_MAX]; /* the first says what was chosen */
    size_t reason_count;
    struct decision_arm arms[ROUTE_CANDIDATES_MAX]; /* all that there was to choose from */
    size_t arm_count;
    /* For the ledger: */
    double domain_probability; /* of a guessed domain; negative: the request named it */
    int seed_score, words_score; /* hundredths */
    str features; /* packed */
};
#define DECISION_NONE                                                                              \
    ((struct decision){ .score = -1,                                                               \
                        .propensity = -1,                                                          \
                        .quality = -1,                                                             \
                        .cost = COST_UNPRICED,                                                     \
                        .domain_probability = -1 })

/* What a decision is made from. */
struct route_known {
    str question; /* may be empty: then no reason names a word of it */
    str domain;
    const struct route_features *features; /* NULL: unknown */
    int seed_score, words_score; /* hundredths; negative: unknown */
    uint64_t seed; /* of what is drawn: the query's id */
};
/* Decides weir/auto: sets the route's strategy, model and profile. False, with nothing decided, when the scorer needs what is not known. Texts
 * live in the arena, the configuration or the question. */
bool route_choose(const struct config *config, const struct route_known *known, struct arena *arena,
                  struct route *route, struct decision *out);

/* One call of a query, as it is shown in a trace. */
struct call_trace {
    struct call_trace *next;
    uint32_t number;
    uint32_t parent; /* number of the call that caused it; 0: none */
    str label;
    str text; /* the model's output */
    enum err fault;
    int attempts;
    struct usage usage;
    nano_usd cost;
    nsec took;
};

enum query_state { QUERY_ADMIT, QUERY_RUN, QUERY_SETTLE, QUERY_DONE, QUERY_STATE_COUNT };

struct query {
    /* The owner sets these before starting; what they point to must live until on_finish. */
    struct arena *arena;
    struct route route;
    str requested_model;
    str tenant;
    const struct key *key; /* whose limits hold; NULL: nobody's. Must outlive the query */
    str conversation; /* what a strategy's query is known by: whoever is in an arm stays there; */
    str user; /*          either may be empty */
    str domain; /* empty: guessed from a strategy's question */
    enum api api; /* that the request is written in; a strategy's is chat completions */
    const struct chat_request *chat; /* the client's request; its messages are the question */
    str headers; /* for a plain call's provider, beside its own: lines, each with its line feed; may be empty */
    struct verifier verifier;
    str model_override; /* a strategy on another model than the route's; empty: none */
    bool forbids_fallback; /* the model that it names answers, or none */
    bool
        may_be_audited; /* once answered, the strong model may be asked the same; see route.audit_share */
    void *ctx;
    void (*on_head)(struct query *q,
                    int http_status); /* a plain stream begins, with its first event */
    void (*on_event)(
        struct query *q,
        str payload); /* an SSE payload of a plain stream in one line, never the last one */
    void (*on_finish)(struct query *q);

    /* Readable in on_finish. */
    int64_t id;
    struct decision *decision; /* of a strategy; NULL: of a plain query */
    str arm; /* of a rollout or an experiment, "gpt-4o-mini/canary"; empty: in none */
    double
        arm_share; /* of an experiment: the probability with which its unit was shown the arm; 0: in none */
    enum err fault;
    str fault_message; /* for people; may be empty */
    str fault_param; /* the field of the request that is at fault; may be empty */
    nsec retry_after; /* that a provider or a limit asked for; negative: none */
    str body; /* of a plain answer, byte for byte where its provider speaks the request's API */
    str last_event; /* of a plain stream, the payload that says that it is whole; may be empty */
    struct reason_best best; /* of a strategy */
    str model; /* that answered; of a fallback when it did */
    struct usage usage; /* of all calls */
    nano_usd cost;
    uint32_t calls;
    bool is_simulated;
    bool is_truncated;
    nsec took;
    struct call_trace *trace;

    /* private */
    struct engine *engine;
    const struct engine_profile *profile; /* that it runs under, whatever is published meanwhile */
    struct feed_assignment assignment;
    uint32_t generation; /* of the configuration that was the engine's when it started */
    enum query_state state;
    struct link link; /* among those that wait for a commit */
    struct link all; /* among the engine's queries */
    struct reason *reason;
    struct link running; /* its query_calls */
    nsec started;
    usec_utc started_wall;
    nsec deadline;
    nano_usd cost_reserved; /* of calls that run */
    int64_t tokens_reserved;
    uint32_t calls_running;
    uint32_t calls_away; /* of them, those that have left */
    nsec away_since; /* when the first of these left */
    nsec away; /* how long at least one was */
    nsec started_exact; /* of the clock itself, where `started` is of the loop's turn */
    struct call_trace **trace_end;
    bool is_cancelled;
    enum err cut; /* why it was cancelled */
    bool has_head;
    bool is_audit; /* the engine's own question to the strong model */
    struct access_hold
        hold; /* of its key's accounts, for the query itself; its calls have theirs */
};

void query_start(struct engine *e, struct query *q);
void query_cancel(
    struct query *q); /* the client is gone: calls are cut, on_finish follows with CALLER_GONE */

/* A request that was refused before it could be a query (bad JSON, unknown model, …) has its ledger row all the same. */
void engine_refused(struct engine *e, enum err fault, str requested_model);

/* What a client says about an answer; the caller embeds it. */
struct feedback {
    /* The owner sets these; the text must live until feedback_put() returns. */
    int64_t query;
    double value; /* [0, 1]: 1 right, 0 wrong */
    str text; /* may be empty */
    void *ctx;
    void (*on_done)(struct feedback *f, enum err committed);

    struct link link; /* private */
};
/* Records it as a label; on_done follows once it is committed, or WEIR_STORE when it cannot be. */
void feedback_put(struct engine *e, struct feedback *f);

/* The `weir` member of an answer: strategy, route, confidences, calls, tokens, cost; JSON text in the arena. */
str query_report(const struct query *q, struct arena *arena);

#endif
