/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the engine share; nobody else includes it. */
#ifndef WEIR_APP_ENGINE_ENGINE_INTERNAL_H
#define WEIR_APP_ENGINE_ENGINE_INTERNAL_H

#include "app/engine/arms.h"
#include "app/engine/engine.h"
#include "app/engine/reach.h"
#include "core/http/sse.h"
#include "edge/config/config.h"
#include "edge/store/store.h"
#include "edge/telemetry/metrics.h"
#include "edge/upstream/lanes.h"
#include "edge/upstream/upstream.h"
#include "edge/world/world.h"

/* A provider as calls need it. */
struct endpoint {
    const struct config_provider *provider;
    const struct dialect *dialect;
    const struct wire *wires[API_COUNT]; /* NULL: it has no such API */
    str urls[API_COUNT]; /* empty where there is no wire */
    str headers; /* lines beside the key's, where that is a bearer; with it where it is not */
    struct upstream_limits limits;
};

/* A model as calls need it. */
struct call_target {
    const struct config_model *model;
    const struct endpoint *endpoint;
    const struct upstream_key *keys; /* at least one; of its lanes */
    size_t key_count;
    const struct config_model *fallback[CONFIG_FALLBACKS_MAX];
    size_t fallback_count;
};

/* See arms.h. */
struct engine_profile {
    const struct config *config;
    const struct endpoint *endpoints; /* one a provider, same order */
    const struct call_target *targets; /* one a model of config, same order */
    struct reason_config reason;
    struct reason_config
        reason_fallback; /* of route.fallback; its models are called as config has them */
    struct arena arena;
};

/* What `max_retries`, `upstream` and `breaker` say of one call. */
struct upstream_limits call_limits(const struct config *config);

struct engine {
    struct world *world;
    struct upstream *upstream;
    struct ledger *ledger;
    struct metrics *metrics;
    const struct config *config;
    const struct log *log;
    const struct engine_profile *profile; /* of config */
    struct engine_profile *first; /* that it opened itself */
    uint32_t generation; /* of profile */
    struct arms_slot *arms;
    struct arms_reader arms_reader;
    struct feed *feed;
    const struct token_table *const *tokens;
    struct reach *reach;
    struct lanes *lanes;
    struct telemetry *telemetry;
    struct turn_end hook;
    struct timer retry; /* of a commit that failed */
    struct link staged; /* query_calls whose start waits for a commit */
    struct link queries; /* all that have not ended */
    struct link ending; /* queries whose outcome waits for a commit */
    struct link feedback; /* that waits for a commit */
    struct link idle_calls; /* for reuse */
    size_t idle_call_count;
    uint32_t busy;
};

/* One model call of a query: upstream's call and what is known of it. Lives until its query ends. */
struct query_call {
    struct link link; /* in its query's calls, or among the engine's idle ones */
    struct link staged;
    struct query *query;
    struct upstream_call upstream;
    struct buf request;
    struct sse_decoder events;
    const struct endpoint *endpoint;
    enum api api;
    const struct wire *wire;
    struct wire_stream *stream; /* where the wire needs one */
    const struct chat_request
        *chat; /* a strategy's, where its wire translates; NULL: `request` holds it */
    str answer; /* the whole answer as the client gets it */
    const struct config_model *model;
    const struct call_target *target; /* of both */
    struct upstream_limits limits; /* where a chain of fallbacks shares its attempts */
    struct query_call
        *original; /* whose provider failed, so that this one was made; NULL: itself */
    enum err first_fault; /* of an original that another call followed */
    size_t chain_at; /* place in the original's chain that comes next */
    int attempts_before; /* of the calls before it in the chain */
    int64_t output_tokens_max; /* that were reserved, and a strategy asked for */
    const struct price *price;
    struct call_trace *trace;
    uint32_t reason_id;
    str role;
    nano_usd reserved; /* worst case; 0 when unpriced */
    int64_t reserved_tokens;
    int64_t relayed_bytes; /* of content, while streaming */
    struct buf
        relayed; /* that content, while nobody has said how many tokens it is, and where traces carry it */
    struct usage usage; /* from the stream's usage chunk */
    nsec started; /* 0: it never left */
    bool saw_done; /* [DONE] */
    enum err stream_fault; /* what an event of the stream says, or the lack of sense in it */
    bool has_ended;
    struct access_hold hold; /* of tokens and dollars */
};

/* ---- call.c ---- */
struct query_call *call_new(struct query *q, str role, str label, uint32_t parent);
void call_stage(struct query_call *c, bool wants_stream);
void call_start(struct query_call *c);
void call_end(
    struct query_call *c,
    enum err fault); /* once; counts, prices, records, tells; query_step() is the caller's */
void call_release(struct query_call *c, struct engine *e); /* its query may be gone */
void call_free(struct query_call *c);
/* What the worst case of a call with this many output tokens costs and uses. */
void call_reserve(struct query_call *c, int64_t output_tokens_max);

/* It never left and has no row: its query forgets it. */
void call_drop(struct query_call *c);

/* ---- limits.c ---- */
/* Takes one request from the accounts of the query's key. On a refusal the query has its fault and message. */
NODISCARD bool limits_admit(struct query *q);
void limits_leave(
    struct query *q); /* gives back what it holds; it counts unless a limit refused it */
/* Takes the call's worst case. POLICY_LIMIT or POLICY_QUOTA, with the query's message. */
NODISCARD enum err limits_call(struct query_call *c);
void limits_call_end(struct query_call *c); /* what it came to takes the place of the worst case */
/* Tokens of what is sent and of what was relayed: counted where the model's encoding is known and its table is there; else
 * negative. */
int64_t tokens_sent(const struct query_call *c);
int64_t tokens_relayed(const struct query_call *c);

/* ---- fallback.c ---- */
/* The attempts that a call may take of its chain's, at least one each left for those to come. */
int fallback_attempts(const struct query_call *c);
bool fallback_has_more(const struct query_call *c);
/* Another call for one that ended with a fault; false: there is none to be made, and whoever asked is to be told. */
bool fallback_start(struct query_call *before, enum err fault);
/* Which call, and with which fault in *fault, is told when c was the last of its chain. */
struct query_call *fallback_told(struct query_call *c, enum err *fault);

/* ---- query.c ---- */
bool call_aim(struct query_call *c, str model,
              enum api api); /* false: no such model is configured */
/* The chat request, in the words of the call's wire. *error may be left as it is. */
NODISCARD enum err call_write(struct query_call *c, const struct chat_request *chat,
                              struct chat_error *error);
int64_t plain_output_max(const struct query_call *c); /* of all the answers that were asked for */
const char *query_strategy_name(const struct query *q); /* "plain", "audit", or the strategy's */
void query_step(struct query *q);
void query_call_told(struct query *q, struct query_call *c,
                     enum err fault); /* a call ended: tell the strategy, or keep the answer */
void query_cut(struct query *q, enum err why); /* ends its calls; no-op past RUN */
void query_finished(struct query *q); /* its outcome is committed */

/* ---- route.c ---- */
enum reason_strategy strategy_configured(const struct config *profile); /* that weir/auto runs */

/* ---- arm.c ---- */
/* The profile that the query runs under, and the arms that it counts for. */
void query_assign(struct query *q);
/* Its outcome, to the feed. */
void query_report_end(const struct query *q);
enum metrics_arm query_arm_kind(const struct query *q);

/* ---- decide.c ---- */
/* Strategy, model and domain of a query that is not plain. */
NODISCARD enum err query_decide(struct query *q);
void query_record_route(const struct query *q);

/* ---- trace.c ---- */
void query_trace(const struct query *q); /* what became of it, to the exporters */

/* ---- label.c ---- */
/* What its verifier says of its answer: 1 right, 0 wrong; -1: nothing. */
double label_verdict_of(const struct query *q);
bool label_is_noisy(const struct query *q, double verdict);
void label_verdict(
    struct query *q); /* what its verifier says of its answer; no-op without either */
void feedback_finish(struct engine *e, enum err committed);

/* ---- audit.c ---- */
/* Perhaps asks the strong model the same, apart from the query, which has been answered but not handed over yet. */
void audit_draw(const struct query *q);

#endif
