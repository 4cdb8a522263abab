/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config: YAML files to one immutable typed snapshot, through one key table. The seed's shape
 * (model, strategy, hrm, trm, mcts, …) with weir's own sections (server, providers, models, ledger, …) beside it.
 *
 * A caller may rely on: a snapshot never changes after config_load(); every key has its default when a file does not set it;
 * errors say file, line, column and the nearest known key; secrets come only as env:NAME or file:PATH and are never printed.
 *
 * May include: base, core/json, core/money, core/reason, core/route, core/change, core/alert.
 */
#ifndef WEIR_EDGE_CONFIG_CONFIG_H
#define WEIR_EDGE_CONFIG_CONFIG_H

#include "base/arena.h"
#include "base/base.h"
#include "core/alert/wire.h"
#include "core/money/money.h"
#include "core/reason/reason.h"

struct route_model;

struct config_secrets {
    const str *sources;
    const str *values;
    size_t count;
};
struct config_texts {
    const str *items;
    size_t count;
};

struct config_provider {
    str name; /* "openai" */
    str base_url; /* "https://api.openai.com/v1", no slash at the end */
    str api_key; /* resolved secret, the first one of api_keys; empty: none is sent */
    str api_key_source; /* "env:OPENAI_API_KEY", for messages */
    bool is_simulated; /* its answers are labelled simulated */
    bool has_json_schema; /* it takes response_format json_schema */
    struct config_secrets api_keys; /* in the order of use; none: api_key alone */
    nsec connect_timeout, first_byte_timeout, idle_timeout; /* 0: those of upstream */
    nsec timeout; /* of a call with all its attempts; 0: the query's time alone bounds it */
    str dialect; /* "openai" or "anthropic": see core/dialect/wire.h */
    bool has_responses; /* it has OpenAI's API of responses */
};

struct config_model {
    str name; /* what clients ask for */
    str provider; /* a key of providers */
    str upstream_name; /* what the provider calls it */
    bool is_hidden; /* the fallback's own: clients may not name it */
    struct config_texts fallback; /* models that answer when it cannot, in this order */
    int64_t output_tokens_max; /* that it may answer with when nobody says; 0: not set */
};

/* What a tenant's keys may use together; negative: no such limit. */
struct config_tenant {
    str name;
    nano_usd budget;
    str budget_per; /* "minute", "hour", "day", "month" */
    int64_t requests_per_minute;
    int64_t tokens_per_minute;
    int64_t concurrent;
};

#define CONFIG_FALLBACKS_MAX 8 /* models that one query may fall back to */
#define CONFIG_API_KEYS_MAX 16 /* of a provider */

enum config_durability { DURABILITY_ACKNOWLEDGED, DURABILITY_RELAXED };

struct config {
    /* the seed's keys */
    str model;
    str model_provider;
    double temperature;
    bool use_mcts;
    int64_t mcts_iterations;
    str strategy; /* a name of enum reason_strategy */
    struct {
        int64_t h_module_layers, l_module_iterations, max_decomposition_depth;
        double confidence_threshold;
    } hrm;
    struct {
        int64_t max_refinement_iterations;
        double convergence_threshold, confidence_threshold, min_improvement_delta;
    } trm;
    struct {
        double exploration_constant;
        int64_t max_tree_depth, simulation_budget;
        str selection_policy; /* "ucb1", "puct", "ab_mcts" */
    } mcts;
    struct {
        int64_t samples_max;
        double stop_probability;
    } self_consistency;
    struct {
        str peer_model, strong_model; /* configured models; empty: none */
    } cascade;
    struct {
        str scorer; /* "none", "seed_v1", "words_v1", "learned_v1" */
        double threshold;
        double epsilon;
        double audit_share;
        nano_usd value; /* of a right answer, from route.value_usd */
        /* The profile above the threshold; NULL: none. Its models are among ours. */
        const struct config *fallback;
        const struct route_model *model; /* trained; NULL: none */
    } route;
    nsec timeout; /* timeout_seconds */
    int64_t max_retries;
    bool enable_caching;
    struct {
        bool langsmith_enabled, wandb_enabled, track_cost, track_latency, track_confidence;
        str log_level; /* "DEBUG", "INFO", "WARNING", "ERROR" */
    } monitoring;
    struct {
        uint32_t sample; /* parts per million */
        bool capture_content;
        int64_t traces_per_second_max; /* but for those that failed */
        int64_t content_bytes_max, queue_max, queue_bytes_max;
        nsec interval, metrics_interval, timeout;
        str service;
    } telemetry;
    struct {
        str endpoint; /* empty: nothing is sent */
        const str *headers; /* "Name: value", secrets */
        size_t header_count;
        const str *resource; /* "name=value" */
        size_t resource_count;
        bool traces, metrics;
    } otlp;
    struct {
        str endpoint, api_key, api_key_source, workspace,
            project; /* without a key nothing is sent */
    } langsmith;
    struct {
        str endpoint, api_key, api_key_source, entity, project, run;
    } wandb;

    /* weir's own */
    struct {
        str listen; /* 127.0.0.1:8080 */
        str admin; /* 127.0.0.1:8081 */
        str admin_key; /* resolved secret; empty: the admin API needs none, on this machine */
        str admin_key_source; /* "env:WEIR_ADMIN_KEY" */
        int64_t workers; /* 0: one per core */
        int64_t body_bytes_max, head_bytes_max, connections_max;
        nsec head_timeout, idle_timeout, drain_timeout;
        nsec ready_probe; /* how old what is known of readiness may be */
        bool ready_needs_provider;
        const str *keys; /* server.keys: secrets that clients must send as Bearer; none: open */
        size_t key_count;
    } server;
    struct {
        nsec connect_timeout, first_byte_timeout, idle_timeout, backoff, backoff_max;
        nsec key_rest;
        int64_t connections_max, answer_bytes_max;
    } upstream;
    struct {
        int64_t failures; /* 0: never */
        nsec pause, pause_max, ramp;
    } breaker;
    struct {
        int64_t calls_max; /* per query */
        int64_t tokens_max; /* per query, input and output */
        nano_usd
            cost_max; /* per query, from budget.usd_max; unpriced models are bounded by calls and tokens */
        int64_t output_tokens_max; /* per call that weir makes */
    } budget;
    struct {
        str directory; /* ./weir-ledger */
        enum config_durability durability;
        bool sync_power; /* ledger.sync: process | power */
        int64_t journal_bytes_max;
    } ledger;
    const struct config_provider *providers;
    size_t provider_count;
    const struct config_model *models; /* `model` itself is always among them */
    size_t model_count;
    const struct config_tenant *tenants;
    size_t tenant_count;
    struct {
        str link;
        struct alert_policy policy; /* the default rules as changed, and one receiver a channel */
        const struct wire_channel *channels; /* in the order of policy.receivers */
        size_t channel_count;
    } alerts;
    struct {
        str baseline; /* whose price savings are held against */
        struct config_texts validated_domains; /* none: every domain */
        nano_usd cost_per_query, monthly_savings; /* targets, from report.targets.* */
        double success_rate, hrm_confidence, trm_confidence, latency_p95_ms;
        double model_share, mcts_share, alerts_per_day;
    } report;
    struct price_table
        prices; /* from `prices:` (a path beside the file), else the compiled-in config/prices.yaml */
    const struct reason_prompts
        *prompts; /* from `prompts:` (a directory), else the compiled-in ones */

    uint64_t hash; /* of all values, secrets left out */
    struct arena arena; /* owns everything above */
};

struct config_issue {
    str file;
    int line; /* 1-based; 0: the whole file */
    int column;
    str message; /* "unknown key 'modle'; did you mean 'model'?" */
    bool is_warning; /* "mcts.selection_policy has no effect yet" */
};

struct config_issues {
    struct config_issue *items; /* owned by arena */
    size_t count;
    size_t errors; /* how many are not warnings */
    struct arena arena;
};
void config_issues_fini(struct config_issues *issues);

/* Reads path (and what it `extends:`), or the built-in defaults when path is empty. OK with the snapshot on the heap (warnings may be in
 * issues), else CALLER_BAD_REQUEST with at least one error in issues. issues is initialised here. */
NODISCARD enum err config_load(str path, struct config **out, struct config_issues *issues);
void config_close(struct config *c); /* NULL is a no-op */
/* The file to use when none is named: ./weir.yaml, /etc/weir/weir.yaml, else empty (built-in defaults). */
str config_default_path(void);

const struct config_model *config_model_find(const struct config *c, str name);
/* The same, for names that clients give: hidden ones are not found. */
const struct config_model *config_model_offered(const struct config *c, str name);
/* The models that answer in its stead, in order: its own list, each followed by that one's; none twice, never itself. */
size_t config_fallbacks(const struct config *c, const struct config_model *model,
                        const struct config_model *out[CONFIG_FALLBACKS_MAX]);
const struct config_provider *config_provider_find(const struct config *c, str name);
struct reason_config config_reason(const struct config *c);

/* Tells which keys that need a restart differ between two configurations of one process. */
void config_restart_keys(const struct config *running, const struct config *wanted,
                         void (*on_key)(void *ctx, str path), void *ctx);
/* What holds in a process that began with `running` and has taken over `latest` since (which may be the same): keys that need a
 * restart are of the former. A JSON object: keys [{key, value, default, unit, needs_restart, text}], prices, channels, hash (of the
 * latter). Times are in seconds, money in dollars; of a secret only where it comes from. */
void config_effective_write(const struct config *running, const struct config *latest,
                            struct buf *out);

/* The key table as Markdown: docs/configuration.md. */
void config_document(struct buf *out);

#endif
