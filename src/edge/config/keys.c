/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys: the one table of what a configuration may say, and what is made of it without reading a
 * file: look-up, suggestions for unknown keys, docs/configuration.md.
 */
#include "edge/config/internal.h"

#include <stdlib.h>
#include <string.h>

#define ROOT(member) offsetof(struct config_snapshot, config.member)
#define BUILD(member) offsetof(struct config_snapshot, member)
#define PROVIDER(member) offsetof(struct config_provider, member)
#define MODEL(member) offsetof(struct config_model, member)
#define PRICE(member) offsetof(struct price, member)
#define TENANT(member) offsetof(struct config_tenant, member)
#define CHANNEL(member) offsetof(struct config_channel, member)
#define RULE(member) offsetof(struct config_rule, member)
#define ROLLOUT(member) offsetof(struct plan_rollout, member)
#define STEP(member) offsetof(struct plan_step, member)
#define GUARD(member) offsetof(struct plan_guard, member)
#define EXPERIMENT(member) offsetof(struct plan_experiment, member)
#define ARM(member) offsetof(struct plan_arm, member)
#define SCENARIO(member) offsetof(struct plan_scenario, member)
#define SIM_MODEL(member) offsetof(struct plan_model, member)
#define SIM_EVENT(member) offsetof(struct plan_event, member)
#define SUGGESTIONS_MAX 64

/* clang-format off */
static const struct config_key keys[] = {
    /* path, record, type, unit, range, default, choices, reload, effect, field, secret's field, required, text */
    { "extends", RECORD_ROOT, KEY_FILE, NULL, NULL, NULL, NULL, RELOAD, EFFECT, BUILD(extends), 0, false,
      "another file, seen from this one, whose values hold where this one sets none" },
    { "model", RECORD_ROOT, KEY_TEXT, NULL, NULL, "gpt-4o-mini", NULL, RELOAD, EFFECT, ROOT(model), 0, false,
      "the model that answers queries" },
    { "model_provider", RECORD_ROOT, KEY_TEXT, NULL, NULL, "openai", NULL, RELOAD, EFFECT, ROOT(model_provider), 0, false,
      "the provider of `model` and of every model that names none; one of `providers`" },
    { "temperature", RECORD_ROOT, KEY_NUMBER, NULL, "[0, 2]", "0.7", NULL, RELOAD, EFFECT, ROOT(temperature), 0, false,
      "sampling temperature of the calls that weir makes" },
    { "use_mcts", RECORD_ROOT, KEY_BOOL, NULL, NULL, "false", NULL, RELOAD, EFFECT, ROOT(use_mcts), 0, false,
      "where strategy is hrm_trm, full_stack runs: a tree search follows where it can be expected to help" },
    { "mcts_iterations", RECORD_ROOT, KEY_INTEGER, "calls", "[1, 1000]", "100", NULL, RELOAD, EFFECT, ROOT(mcts_iterations), 0, false,
      "calls that one tree search may make; the smaller of this and mcts.simulation_budget holds" },
    { "strategy", RECORD_ROOT, KEY_CHOICE, NULL, NULL, "hrm_trm", "direct hrm trm hrm_trm self_consistency cascade mcts full_stack", RELOAD, EFFECT, ROOT(strategy), 0, false,
      "how a query is answered" },

    { "hrm.h_module_layers", RECORD_ROOT, KEY_INTEGER, NULL, "[1, 10]", "3", NULL, RELOAD, EFFECT, ROOT(hrm.h_module_layers), 0, false,
      "cycles of plan, check and new plan" },
    { "hrm.l_module_iterations", RECORD_ROOT, KEY_INTEGER, NULL, "[1, 20]", "5", NULL, RELOAD, EFFECT, ROOT(hrm.l_module_iterations), 0, false,
      "attempts at one sub-question" },
    { "hrm.confidence_threshold", RECORD_ROOT, KEY_NUMBER, NULL, "(0, 1]", "0.85", NULL, RELOAD, EFFECT, ROOT(hrm.confidence_threshold), 0, false,
      "confidence at which planning stops" },
    { "hrm.max_decomposition_depth", RECORD_ROOT, KEY_INTEGER, NULL, "[1, 8]", "4", NULL, RELOAD, EFFECT, ROOT(hrm.max_decomposition_depth), 0, false,
      "how deep sub-questions may have sub-questions" },

    { "trm.max_refinement_iterations", RECORD_ROOT, KEY_INTEGER, NULL, "[1, 20]", "5", NULL, RELOAD, EFFECT, ROOT(trm.max_refinement_iterations), 0, false,
      "rewrites of one answer" },
    { "trm.convergence_threshold", RECORD_ROOT, KEY_NUMBER, NULL, "[0, 1]", "0.05", NULL, RELOAD, EFFECT, ROOT(trm.convergence_threshold), 0, false,
      "change between rewrites below which refinement stops" },
    { "trm.confidence_threshold", RECORD_ROOT, KEY_NUMBER, NULL, "(0, 1]", "0.8", NULL, RELOAD, EFFECT, ROOT(trm.confidence_threshold), 0, false,
      "confidence at which refinement stops" },
    { "trm.min_improvement_delta", RECORD_ROOT, KEY_NUMBER, NULL, "[0, 1]", "0.02", NULL, RELOAD, EFFECT, ROOT(trm.min_improvement_delta), 0, false,
      "what a rewrite must gain to be kept" },

    { "mcts.exploration_constant", RECORD_ROOT, KEY_NUMBER, NULL, "(0, 10]", "1.414", NULL, RELOAD, EFFECT, ROOT(mcts.exploration_constant), 0, false,
      "weight of exploration in the tree search" },
    { "mcts.max_tree_depth", RECORD_ROOT, KEY_INTEGER, NULL, "[1, 64]", "10", NULL, RELOAD, EFFECT, ROOT(mcts.max_tree_depth), 0, false,
      "depth of the search tree" },
    { "mcts.simulation_budget", RECORD_ROOT, KEY_INTEGER, "calls", "[1, 1000]", "100", NULL, RELOAD, EFFECT, ROOT(mcts.simulation_budget), 0, false,
      "calls that one tree search may make" },
    { "mcts.selection_policy", RECORD_ROOT, KEY_CHOICE, NULL, NULL, "ucb1", "ucb1 puct ab_mcts", RELOAD, EFFECT, ROOT(mcts.selection_policy), 0, false,
      "how the search picks the next node" },

    { "self_consistency.samples_max", RECORD_ROOT, KEY_INTEGER, NULL, "[1, 32]", "8", NULL, RELOAD, EFFECT, ROOT(self_consistency.samples_max), 0, false,
      "answers to one question that are compared" },
    { "self_consistency.stop_probability", RECORD_ROOT, KEY_NUMBER, NULL, "(0.5, 1)", "0.95", NULL, RELOAD, EFFECT, ROOT(self_consistency.stop_probability), 0, false,
      "probability that the leading answer has the majority at which no further one is asked for" },

    { "cascade.peer_model", RECORD_ROOT, KEY_TEXT, NULL, NULL, NULL, NULL, RELOAD, EFFECT, ROOT(cascade.peer_model), 0, false,
      "a second cheap model, whose answers are compared with `model`'s; one of `models`; none: the same model asked in another way" },
    { "cascade.strong_model", RECORD_ROOT, KEY_TEXT, NULL, NULL, NULL, NULL, RELOAD, EFFECT, ROOT(cascade.strong_model), 0, false,
      "the model that is asked where the cheap ones differ, and by audits; one of `models`" },

    { "route.scorer", RECORD_ROOT, KEY_CHOICE, NULL, NULL, "none", "none seed_v1 words_v1 learned_v1", RELOAD, EFFECT, ROOT(route.scorer), 0, false,
      "what `weir/auto` is decided by: nothing, a score of the question against route.threshold, or a trained model" },
    { "route.threshold", RECORD_ROOT, KEY_NUMBER, NULL, "[0, 1]", "0.8", NULL, RELOAD, EFFECT, ROOT(route.threshold), 0, false,
      "score of seed_v1 or words_v1 from which route.fallback answers" },
    { "route.fallback", RECORD_ROOT, KEY_FILE, NULL, NULL, NULL, NULL, RELOAD, EFFECT, BUILD(fallback_file), 0, false,
      "a configuration, seen from this file, whose model, strategy, hrm, trm, mcts, self_consistency and cascade answer from route.threshold on; its own `route` is ignored" },
    { "route.model", RECORD_ROOT, KEY_FILE, NULL, NULL, NULL, NULL, RELOAD, EFFECT, BUILD(route_model_file), 0, false,
      "a file that `weir train` wrote, seen from this one: what learned_v1 decides by, and the calibration of confidences" },
    { "route.epsilon", RECORD_ROOT, KEY_NUMBER, NULL, "[0, 0.5]", "0", NULL, RELOAD, EFFECT, ROOT(route.epsilon), 0, false,
      "share of the queries that learned_v1 decides by lot, so that what was not chosen is learned about" },
    { "route.value_usd", RECORD_ROOT, KEY_DOLLARS, "US dollars", "[0, 1000000]", "0.01", NULL, RELOAD, EFFECT, ROOT(route.value), 0, false,
      "what a right answer is worth: learned_v1 weighs cost against it" },
    { "route.audit_share", RECORD_ROOT, KEY_NUMBER, NULL, "[0, 0.2]", "0", NULL, RELOAD, EFFECT, ROOT(route.audit_share), 0, false,
      "share of the answered queries that cascade.strong_model is asked as well, afterwards, to label the answer" },

    { "timeout_seconds", RECORD_ROOT, KEY_SECONDS, "seconds", "(0, 3600]", "30", NULL, RELOAD, EFFECT, ROOT(timeout), 0, false,
      "time allowed for a whole query" },
    { "max_retries", RECORD_ROOT, KEY_INTEGER, NULL, "[0, 10]", "2", NULL, RELOAD, EFFECT, ROOT(max_retries), 0, false,
      "further attempts at a call that failed in a way that may pass" },
    { "enable_caching", RECORD_ROOT, KEY_BOOL, NULL, NULL, "false", NULL, RELOAD, NONE_YET_WHEN_TRUE, ROOT(enable_caching), 0, false,
      "answers equal requests from memory" },

    { "monitoring.langsmith_enabled", RECORD_ROOT, KEY_BOOL, NULL, NULL, "false", NULL, RELOAD, NONE_YET_WHEN_TRUE, ROOT(monitoring.langsmith_enabled), 0, false,
      "sends traces to LangSmith" },
    { "monitoring.wandb_enabled", RECORD_ROOT, KEY_BOOL, NULL, NULL, "false", NULL, RELOAD, NONE_YET_WHEN_TRUE, ROOT(monitoring.wandb_enabled), 0, false,
      "sends metrics to Weights & Biases" },
    { "monitoring.track_cost", RECORD_ROOT, KEY_BOOL, NULL, NULL, "true", NULL, RELOAD, EFFECT, ROOT(monitoring.track_cost), 0, false,
      "records what queries cost" },
    { "monitoring.track_latency", RECORD_ROOT, KEY_BOOL, NULL, NULL, "true", NULL, RELOAD, EFFECT, ROOT(monitoring.track_latency), 0, false,
      "records how long queries take" },
    { "monitoring.track_confidence", RECORD_ROOT, KEY_BOOL, NULL, NULL, "true", NULL, RELOAD, EFFECT, ROOT(monitoring.track_confidence), 0, false,
      "records how confident answers are" },
    { "monitoring.log_level", RECORD_ROOT, KEY_CHOICE, NULL, NULL, "INFO", "DEBUG INFO WARNING ERROR", RELOAD, EFFECT, ROOT(monitoring.log_level), 0, false,
      "the least serious messages that are logged" },

    { "server.listen", RECORD_ROOT, KEY_ADDRESS, NULL, NULL, "127.0.0.1:8080", NULL, RESTART, EFFECT, ROOT(server.listen), 0, false,
      "where clients connect, HOST:PORT" },
    { "server.admin", RECORD_ROOT, KEY_ADDRESS, NULL, NULL, "127.0.0.1:8081", NULL, RESTART, EFFECT, ROOT(server.admin), 0, false,
      "where operators connect, HOST:PORT" },
    { "server.workers", RECORD_ROOT, KEY_INTEGER, NULL, "[0, 1024]", "0", NULL, RESTART, EFFECT, ROOT(server.workers), 0, false,
      "threads that serve; 0: one for each core" },
    { "server.body_max_bytes", RECORD_ROOT, KEY_BYTES, "bytes", "[1024, 1073741824]", "8388608", NULL, RELOAD, EFFECT, ROOT(server.body_bytes_max), 0, false,
      "the largest body of a request" },
    { "server.head_max_bytes", RECORD_ROOT, KEY_BYTES, "bytes", "[1024, 1048576]", "32768", NULL, RELOAD, EFFECT, ROOT(server.head_bytes_max), 0, false,
      "the largest request line and headers together" },
    { "server.connections_max", RECORD_ROOT, KEY_INTEGER, NULL, "[1, 1000000]", "4096", NULL, RESTART, EFFECT, ROOT(server.connections_max), 0, false,
      "clients connected at once" },
    { "server.head_timeout_seconds", RECORD_ROOT, KEY_SECONDS, "seconds", "(0, 3600]", "10", NULL, RELOAD, EFFECT, ROOT(server.head_timeout), 0, false,
      "time for a request's line and headers to arrive" },
    { "server.idle_timeout_seconds", RECORD_ROOT, KEY_SECONDS, "seconds", "(0, 86400]", "75", NULL, RELOAD, EFFECT, ROOT(server.idle_timeout), 0, false,
      "how long a connection stays open without a request" },
    { "server.drain_timeout_seconds", RECORD_ROOT, KEY_SECONDS, "seconds", "[0, 3600]", "30", NULL, RELOAD, EFFECT, ROOT(server.drain_timeout), 0, false,
      "how long requests under way may take once weir is told to stop" },
    { "server.ready_probe_seconds", RECORD_ROOT, KEY_SECONDS, "seconds", "[0.1, 3600]", "10", NULL, RESTART, EFFECT, ROOT(server.ready_probe), 0, false,
      "how often readiness tries the ledger's disk, control.db, and providers that answered no query meanwhile" },
    { "server.ready_needs_provider", RECORD_ROOT, KEY_BOOL, NULL, NULL, "true", NULL, RESTART, EFFECT, ROOT(server.ready_needs_provider), 0, false,
      "not ready while no provider answers; false: it is shown and does not count" },
    { "server.keys", RECORD_ROOT, KEY_SECRETS, NULL, NULL, NULL, NULL, RELOAD, EFFECT, BUILD(keys), 0, false,
      "keys that clients must send (`Authorization: Bearer`), each env:NAME or file:PATH; none: everyone is let in" },

    { "upstream.connect_timeout_seconds", RECORD_ROOT, KEY_SECONDS, "seconds", "(0, 600]", "5", NULL, RELOAD, EFFECT, ROOT(upstream.connect_timeout), 0, false,
      "time for a provider to accept a connection" },
    { "upstream.first_byte_timeout_seconds", RECORD_ROOT, KEY_SECONDS, "seconds", "(0, 3600]", "25", NULL, RELOAD, EFFECT, ROOT(upstream.first_byte_timeout), 0, false,
      "time for a provider to begin its answer" },
    { "upstream.idle_timeout_seconds", RECORD_ROOT, KEY_SECONDS, "seconds", "(0, 3600]", "15", NULL, RELOAD, EFFECT, ROOT(upstream.idle_timeout), 0, false,
      "the longest silence within an answer" },
    { "upstream.backoff_seconds", RECORD_ROOT, KEY_SECONDS, "seconds", "(0, 600]", "0.25", NULL, RELOAD, EFFECT, ROOT(upstream.backoff), 0, false,
      "wait before the first retry; it doubles with each further one" },
    { "upstream.backoff_max_seconds", RECORD_ROOT, KEY_SECONDS, "seconds", "(0, 600]", "4", NULL, RELOAD, EFFECT, ROOT(upstream.backoff_max), 0, false,
      "the longest wait before a retry" },
    { "upstream.connections_max", RECORD_ROOT, KEY_INTEGER, NULL, "[1, 1000000]", "1024", NULL, RESTART, EFFECT, ROOT(upstream.connections_max), 0, false,
      "connections to providers at once" },
    { "upstream.answer_max_bytes", RECORD_ROOT, KEY_BYTES, "bytes", "[1024, 1073741824]", "16777216", NULL, RELOAD, EFFECT, ROOT(upstream.answer_bytes_max), 0, false,
      "the largest answer of a provider" },

    { "budget.calls_max", RECORD_ROOT, KEY_INTEGER, "calls", "[1, 10000]", "24", NULL, RELOAD, EFFECT, ROOT(budget.calls_max), 0, false,
      "model calls of one query" },
    { "budget.tokens_max", RECORD_ROOT, KEY_INTEGER, "tokens", "[1, 1000000000]", "60000", NULL, RELOAD, EFFECT, ROOT(budget.tokens_max), 0, false,
      "tokens of one query, input and output together" },
    { "budget.usd_max", RECORD_ROOT, KEY_DOLLARS, "US dollars", "(0, 1000000]", "0.05", NULL, RELOAD, EFFECT, ROOT(budget.cost_max), 0, false,
      "cost of one query; models without a price are bounded by calls and tokens alone" },
    { "budget.output_tokens_max", RECORD_ROOT, KEY_INTEGER, "tokens", "[1, 1000000]", "1024", NULL, RELOAD, EFFECT, ROOT(budget.output_tokens_max), 0, false,
      "output tokens of each call that weir makes" },

    { "ledger.directory", RECORD_ROOT, KEY_TEXT, NULL, NULL, "./weir-ledger", NULL, RESTART, EFFECT, ROOT(ledger.directory), 0, false,
      "where the ledger is kept, seen from where weir runs" },
    { "ledger.durability", RECORD_ROOT, KEY_DURABILITY, NULL, NULL, "acknowledged", "acknowledged relaxed", RESTART, EFFECT, ROOT(ledger.durability), 0, false,
      "acknowledged: an answer is sent once its row is written; relaxed: the row may follow" },
    { "ledger.sync", RECORD_ROOT, KEY_SYNC, NULL, NULL, "process", "process power", RESTART, EFFECT, ROOT(ledger.sync_power), 0, false,
      "what written rows survive: the end of the process, or of the power too" },
    { "ledger.journal_max_bytes", RECORD_ROOT, KEY_BYTES, "bytes", "[1048576, 1099511627776]", "4294967296", NULL, RESTART, EFFECT, ROOT(ledger.journal_bytes_max), 0, false,
      "the largest journal; queries are refused beyond it" },

    { "prices", RECORD_ROOT, KEY_FILE, NULL, NULL, NULL, NULL, RELOAD, EFFECT, BUILD(prices_file), 0, false,
      "a file of dated prices, seen from this one, in place of the built-in config/prices.yaml" },
    { "prompts", RECORD_ROOT, KEY_FILE, NULL, NULL, NULL, NULL, RELOAD, EFFECT, BUILD(prompts_directory), 0, false,
      "a directory of prompts, seen from this file, in place of the built-in config/prompts" },

    { "providers.*.base_url", RECORD_PROVIDER, KEY_URL, NULL, NULL, NULL, NULL, RELOAD, EFFECT, PROVIDER(base_url), 0, true,
      "where its API begins: https://api.openai.com/v1" },
    { "providers.*.api_key", RECORD_PROVIDER, KEY_SECRET, NULL, NULL, NULL, NULL, RELOAD, EFFECT, PROVIDER(api_key_source), PROVIDER(api_key), false,
      "env:NAME or file:PATH (its first line); none: no key is sent" },
    { "providers.*.simulated", RECORD_PROVIDER, KEY_BOOL, NULL, NULL, "false", NULL, RELOAD, EFFECT, PROVIDER(is_simulated), 0, false,
      "its answers are marked as simulated" },
    { "providers.*.json_schema", RECORD_PROVIDER, KEY_BOOL, NULL, NULL, "false", NULL, RELOAD, EFFECT, PROVIDER(has_json_schema), 0, false,
      "it takes response_format json_schema" },

    { "models.*.provider", RECORD_MODEL, KEY_TEXT, NULL, NULL, NULL, NULL, RELOAD, EFFECT, MODEL(provider), 0, false,
      "who serves it, one of `providers`; none: `model_provider`" },
    { "models.*.upstream_name", RECORD_MODEL, KEY_TEXT, NULL, NULL, NULL, NULL, RELOAD, EFFECT, MODEL(upstream_name), 0, false,
      "what its provider calls it; none: the same name" },
    { "models.*.output_tokens_max", RECORD_MODEL, KEY_INTEGER, "tokens", "[1, 1000000000]", NULL, NULL, RELOAD, EFFECT, MODEL(output_tokens_max), 0, false,
      "what is reserved for an answer of a relayed request that names no maximum (4096); what a model can give at most is never too little" },

    { "prices[].model", RECORD_PRICE, KEY_TEXT, NULL, NULL, NULL, NULL, RELOAD, EFFECT, PRICE(model), 0, true,
      "a model's name; it serves for the name with a date behind it too" },
    { "prices[].from", RECORD_PRICE, KEY_DAY, NULL, NULL, NULL, NULL, RELOAD, EFFECT, PRICE(from_day), 0, true,
      "the first UTC day on which the price holds, YYYY-MM-DD" },
    { "prices[].input", RECORD_PRICE, KEY_PRICE, "US dollars per million tokens", NULL, NULL, NULL, RELOAD, EFFECT, PRICE(input), 0, true,
      "input tokens" },
    { "prices[].output", RECORD_PRICE, KEY_PRICE, "US dollars per million tokens", NULL, NULL, NULL, RELOAD, EFFECT, PRICE(output), 0, true,
      "output tokens, reasoning included" },
    { "prices[].cached", RECORD_PRICE, KEY_PRICE, "US dollars per million tokens", NULL, NULL, NULL, RELOAD, EFFECT, PRICE(cached), 0, false,
      "input tokens that the provider had in its cache; none: as input" },
    { "prices[].cache_write", RECORD_PRICE, KEY_PRICE, "US dollars per million tokens", NULL, NULL, NULL, RELOAD, EFFECT, PRICE(cache_write), 0, false,
      "input tokens that the provider wrote to its cache; none: as input" },

    { "tenants.*.budget_usd", RECORD_TENANT, KEY_DOLLARS, "US dollars", "[0, 10000000]", NULL, NULL, RESTART, EFFECT, TENANT(budget), 0, false,
      "what the queries of all its keys may cost in any span of `budget_per`; models without a price are refused then; none: no limit" },
    { "tenants.*.budget_per", RECORD_TENANT, KEY_CHOICE, NULL, NULL, "month", "minute hour day month", RESTART, EFFECT, TENANT(budget_per), 0, false,
      "the span of `budget_usd`; a month is 30 days" },
    { "tenants.*.requests_per_minute", RECORD_TENANT, KEY_INTEGER, "queries", "[0, 1000000000]", NULL, NULL, RESTART, EFFECT, TENANT(requests_per_minute), 0, false,
      "queries of all its keys in any minute; none: no limit" },
    { "tenants.*.tokens_per_minute", RECORD_TENANT, KEY_INTEGER, "tokens", "[0, 1000000000000]", NULL, NULL, RESTART, EFFECT, TENANT(tokens_per_minute), 0, false,
      "tokens of input and output of all its keys in any minute; none: no limit" },
    { "tenants.*.concurrent", RECORD_TENANT, KEY_INTEGER, "queries", "[0, 1000000]", NULL, NULL, RESTART, EFFECT, TENANT(concurrent), 0, false,
      "queries of all its keys at once; none: no limit" },
    { "report.baseline", RECORD_ROOT, KEY_TEXT, NULL, NULL, "gpt-4o", NULL, RELOAD, EFFECT, ROOT(report.baseline), 0, false,
      "the model at whose price savings are repriced" },
    { "report.validated_domains", RECORD_ROOT, KEY_TEXTS, NULL, NULL, NULL, NULL, RELOAD, EFFECT, ROOT(report.validated_domains), 0, false,
      "domains in which `model` was found good enough; none: every domain" },
    { "report.targets.cost_per_query_usd", RECORD_ROOT, KEY_DOLLARS, "US dollars", "[0, 1000000]", "0.002", NULL, RELOAD, EFFECT, ROOT(report.cost_per_query), 0, false,
      "a query's mean cost, at most" },
    { "report.targets.success_rate", RECORD_ROOT, KEY_NUMBER, NULL, "[0, 1]", "0.99", NULL, RELOAD, EFFECT, ROOT(report.success_rate), 0, false,
      "share of queries that succeed, at least" },
    { "report.targets.hrm_confidence", RECORD_ROOT, KEY_NUMBER, NULL, "[0, 1]", "0.85", NULL, RELOAD, EFFECT, ROOT(report.hrm_confidence), 0, false,
      "mean confidence of hierarchical reasoning, at least" },
    { "report.targets.trm_confidence", RECORD_ROOT, KEY_NUMBER, NULL, "[0, 1]", "0.8", NULL, RELOAD, EFFECT, ROOT(report.trm_confidence), 0, false,
      "mean confidence of refinement, at least" },
    { "report.targets.latency_p95_ms", RECORD_ROOT, KEY_NUMBER, "milliseconds", "(0, 3600000]", "2000", NULL, RELOAD, EFFECT, ROOT(report.latency_p95_ms), 0, false,
      "95th percentile of a query's latency, below" },
    { "report.targets.monthly_savings_usd", RECORD_ROOT, KEY_DOLLARS, "US dollars", "[0, 1000000000]", "1100", NULL, RELOAD, EFFECT, ROOT(report.monthly_savings), 0, false,
      "measured savings in 30 days at the pace of the report's days, at least" },
    { "report.targets.model_share", RECORD_ROOT, KEY_NUMBER, NULL, "[0, 1]", "1", NULL, RELOAD, EFFECT, ROOT(report.model_share), 0, false,
      "share of the queries of validated domains that `model` answers, at least" },
    { "report.targets.mcts_share", RECORD_ROOT, KEY_NUMBER, NULL, "[0, 1]", "0.05", NULL, RELOAD, EFFECT, ROOT(report.mcts_share), 0, false,
      "share of queries that a tree search answers, below" },
    { "report.targets.alerts_per_day", RECORD_ROOT, KEY_NUMBER, "alerts", "[0, 100000]", "1", NULL, RELOAD, EFFECT, ROOT(report.alerts_per_day), 0, false,
      "alerts that begin to fire in a day, below" },

    { "alerts.link", RECORD_ROOT, KEY_TEXT, NULL, NULL, "http://127.0.0.1:8081/#alerts", NULL, RELOAD, EFFECT, ROOT(alerts.link), 0, false,
      "where messages point to for the evidence" },
    { "alerts.group_wait", RECORD_ROOT, KEY_DURATION, NULL, "[0, 3600]", "30s", NULL, RELOAD, EFFECT, ROOT(alerts.policy.group_wait), 0, false,
      "how long a new group of alerts waits for company before it is sent" },
    { "alerts.group_interval", RECORD_ROOT, KEY_DURATION, NULL, "[1, 86400]", "5m", NULL, RELOAD, EFFECT, ROOT(alerts.policy.group_interval), 0, false,
      "the least time between two messages about one group" },
    { "alerts.repeat_interval", RECORD_ROOT, KEY_DURATION, NULL, "[60, 604800]", "4h", NULL, RELOAD, EFFECT, ROOT(alerts.policy.repeat_interval), 0, false,
      "how often a group that goes on firing is sent again" },
    { "alerts.mute_warnings", RECORD_ROOT, KEY_BOOL, NULL, NULL, "true", NULL, RELOAD, EFFECT, BUILD(mutes_warnings), 0, false,
      "while a critical alert fires, warnings of the same arm are not sent" },

    { "alerts.channels.*.kind", RECORD_CHANNEL, KEY_CHOICE, NULL, NULL, NULL, "slack pagerduty webhook alertmanager email", RELOAD, EFFECT, CHANNEL(kind), 0, true,
      "what is at the other end" },
    { "alerts.channels.*.url", RECORD_CHANNEL, KEY_TEXT, NULL, NULL, NULL, NULL, RELOAD, EFFECT, CHANNEL(url), 0, false,
      "its address, or env:NAME or file:PATH where the address is a secret (Slack); PagerDuty's may be left out" },
    { "alerts.channels.*.secrets", RECORD_CHANNEL, KEY_SECRETS, NULL, NULL, NULL, NULL, RELOAD, EFFECT, CHANNEL(secrets), 0, false,
      "PagerDuty's routing key; a webhook's whsec_ keys, which all sign; each env:NAME or file:PATH" },
    { "alerts.channels.*.severity_min", RECORD_CHANNEL, KEY_CHOICE, NULL, NULL, "info", "info warning critical", RELOAD, EFFECT, CHANNEL(severity_min), 0, false,
      "the least serious alerts that it is told" },
    { "alerts.channels.*.sends_resolved", RECORD_CHANNEL, KEY_BOOL, NULL, NULL, "true", NULL, RELOAD, EFFECT, CHANNEL(sends_resolved), 0, false,
      "it is told when an alert ends, too" },
    { "alerts.channels.*.from", RECORD_CHANNEL, KEY_TEXT, NULL, NULL, NULL, NULL, RELOAD, EFFECT, CHANNEL(from), 0, false,
      "e-mail: the sender" },
    { "alerts.channels.*.to", RECORD_CHANNEL, KEY_TEXTS, NULL, NULL, NULL, NULL, RELOAD, EFFECT, CHANNEL(to), 0, false,
      "e-mail: at most 16 receivers" },
    { "alerts.channels.*.user", RECORD_CHANNEL, KEY_TEXT, NULL, NULL, NULL, NULL, RELOAD, EFFECT, CHANNEL(user), 0, false,
      "e-mail: the server's user, when it wants one" },
    { "alerts.channels.*.password", RECORD_CHANNEL, KEY_SECRET, NULL, NULL, NULL, NULL, RELOAD, EFFECT, CHANNEL(password_source), CHANNEL(password), false,
      "e-mail: env:NAME or file:PATH; sent over TLS only" },

    { "alerts.rules.*.enabled", RECORD_RULE, KEY_BOOL, NULL, NULL, NULL, NULL, RELOAD, EFFECT, RULE(is_enabled), 0, false,
      "false: this rule, or the default one of the name, is not watched" },
    { "alerts.rules.*.metric", RECORD_RULE, KEY_CHOICE, NULL, NULL, NULL, "success_rate error_rate hrm_confidence_mean trm_confidence_mean cost_per_query latency_p95 calibration_ece unpriced_calls dead_letters", RELOAD, EFFECT, RULE(metric), 0, false,
      "what is watched; a default rule has its own" },
    { "alerts.rules.*.severity", RECORD_RULE, KEY_CHOICE, NULL, NULL, NULL, "info warning critical", RELOAD, EFFECT, RULE(severity), 0, false,
      "how serious it is" },
    { "alerts.rules.*.threshold", RECORD_RULE, KEY_NUMBER, NULL, NULL, NULL, NULL, RELOAD, EFFECT, RULE(threshold), 0, false,
      "beyond it the value is bad; in the metric's unit: a part of 1, US dollars, milliseconds, a count" },
    { "alerts.rules.*.clear", RECORD_RULE, KEY_NUMBER, NULL, NULL, NULL, NULL, RELOAD, EFFECT, RULE(clear), 0, false,
      "the level that ends the alert; none: the threshold" },
    { "alerts.rules.*.window", RECORD_RULE, KEY_DURATION, NULL, "[1, 432000]", NULL, NULL, RELOAD, EFFECT, RULE(window), 0, false,
      "the time over which the value is taken" },
    { "alerts.rules.*.for", RECORD_RULE, KEY_DURATION, NULL, "[0, 86400]", NULL, NULL, RELOAD, EFFECT, RULE(pending), 0, false,
      "how long it must be bad before it fires" },
    { "alerts.rules.*.keep_firing", RECORD_RULE, KEY_DURATION, NULL, "[0, 86400]", NULL, NULL, RELOAD, EFFECT, RULE(keep_firing), 0, false,
      "how long it must be good before it ends" },
    { "alerts.rules.*.n_min", RECORD_RULE, KEY_INTEGER, NULL, "[1, 1000000000]", NULL, NULL, RELOAD, EFFECT, RULE(n_min), 0, false,
      "queries in the window below which nothing is decided" },
    { "alerts.rules.*.by", RECORD_RULE, KEY_TEXTS, NULL, NULL, NULL, NULL, RELOAD, EFFECT, RULE(by), 0, false,
      "a series for each: arm, domain" },
    { "alerts.rules.*.runbook", RECORD_RULE, KEY_TEXT, NULL, NULL, NULL, NULL, RELOAD, EFFECT, RULE(runbook), 0, false,
      "where it is written what to do" },
    { "alerts.rules.*.objective", RECORD_RULE, KEY_NUMBER, NULL, "(0, 1)", NULL, NULL, RELOAD, EFFECT, RULE(objective), 0, false,
      "of a burn-rate rule: the success that is promised" },
    { "alerts.rules.*.factor", RECORD_RULE, KEY_NUMBER, NULL, "(0, 1000000]", NULL, NULL, RELOAD, EFFECT, RULE(factor), 0, false,
      "of a burn-rate rule: how many times too fast the error budget may be used up" },
    { "alerts.rules.*.short_window", RECORD_RULE, KEY_DURATION, NULL, "[1, 432000]", NULL, NULL, RELOAD, EFFECT, RULE(short_window), 0, false,
      "of a burn-rate rule: the window that says that it still goes on" },
    { "alerts.rules.*.bad_min", RECORD_RULE, KEY_INTEGER, NULL, "[1, 1000000000]", NULL, NULL, RELOAD, EFFECT, RULE(bad_min), 0, false,
      "of a burn-rate rule: failures in the long window below which nothing is said" },

    { "rollout-file.name", RECORD_ROLLOUT, KEY_TEXT, NULL, NULL, NULL, NULL, RELOAD, EFFECT, ROLLOUT(name), 0, false,
      "required: what it is called; with the seed it decides who is in the canary" },
    { "rollout-file.seed", RECORD_ROLLOUT, KEY_TEXT, NULL, NULL, NULL, NULL, RELOAD, EFFECT, ROLLOUT(seed), 0, false,
      "another seed deals the traffic anew" },
    { "rollout-file.canary", RECORD_ROLLOUT, KEY_FILE, NULL, NULL, NULL, NULL, RELOAD, EFFECT, ROLLOUT(canary), 0, false,
      "required: the new configuration, seen from this file; it mostly extends the one that runs" },
    { "rollout-file.holdback", RECORD_ROLLOUT, KEY_SHARE, NULL, NULL, "5%", NULL, RELOAD, EFFECT, ROLLOUT(holdback), 0, false,
      "what keeps the old configuration during the last step, to compare with" },
    { "rollout-file.thin_data", RECORD_ROLLOUT, KEY_CHOICE, NULL, NULL, "pause", "pause ship roll_back", RELOAD, EFFECT, ROLLOUT(thin_data), 0, false,
      "what happens when a step's time is over with too little data" },
    { "rollout-file.common_cause", RECORD_ROLLOUT, KEY_CHOICE, NULL, NULL, "pause", "pause roll_back", RELOAD, EFFECT, ROLLOUT(common_cause), 0, false,
      "what happens when the old configuration goes bad together with the new one" },
    { "rollout-file.stale_after", RECORD_ROLLOUT, KEY_DURATION, NULL, "(0, 31536000]", "10m", NULL, RELOAD, EFFECT, ROLLOUT(stale_after), 0, false,
      "an arm without an answer for so long holds the rollout" },
    { "rollout-file.tick_gap_max", RECORD_ROLLOUT, KEY_DURATION, NULL, "(0, 31536000]", "5m", NULL, RELOAD, EFFECT, ROLLOUT(tick_gap_max), 0, false,
      "a longer time unwatched does not count as time in the step" },
    { "rollout-file.judge", RECORD_ROLLOUT, KEY_DURATION, NULL, "(0, 31536000]", "5m", NULL, RELOAD, EFFECT, ROLLOUT(judge), 0, false,
      "how long a trip may wait for the control's evidence" },
    { "rollout-file.alpha_trip", RECORD_ROLLOUT, KEY_NUMBER, NULL, "(0, 0.5)", "0.001", NULL, RELOAD, EFFECT, ROLLOUT(alpha_trip), 0, false,
      "the probability that a guard ever trips on a canary that keeps its limit" },
    { "rollout-file.alpha_warn", RECORD_ROLLOUT, KEY_NUMBER, NULL, "(0, 0.5)", "0.05", NULL, RELOAD, EFFECT, ROLLOUT(alpha_warn), 0, false,
      "the same of a warning" },
    { "rollout-file.alpha_show", RECORD_ROLLOUT, KEY_NUMBER, NULL, "(0, 0.5)", "0.05", NULL, RELOAD, EFFECT, ROLLOUT(alpha_show), 0, false,
      "of taking a guard as shown to hold that does not" },
    { "rollout-file.detector_run", RECORD_ROLLOUT, KEY_NUMBER, "queries", "[100, 1000000000000]", "20000", NULL, RELOAD, EFFECT, ROLLOUT(detector_run), 0, false,
      "after promotion: queries until a false alarm, on average, at least" },

    { "rollout-file.steps[].share", RECORD_STEP, KEY_SHARE, NULL, NULL, NULL, NULL, RELOAD, EFFECT, STEP(share), 0, true,
      "what the canary gets, 10% or 0.1; the last step is 100%, less the holdback" },
    { "rollout-file.steps[].min", RECORD_STEP, KEY_DURATION, NULL, "(0, 315360000]", NULL, NULL, RELOAD, EFFECT, STEP(time_min), 0, true,
      "how long it stays at least" },
    { "rollout-file.steps[].max", RECORD_STEP, KEY_DURATION, NULL, "(0, 315360000]", NULL, NULL, RELOAD, EFFECT, STEP(time_max), 0, false,
      "when it is undecided then, it pauses; none: three times min" },
    { "rollout-file.steps[].n_min", RECORD_STEP, KEY_INTEGER, "queries", "[1, 1000000000]", "200", NULL, RELOAD, EFFECT, STEP(n_min), 0, false,
      "answers of each arm that it takes at least" },
    { "rollout-file.steps[].approval", RECORD_STEP, KEY_BOOL, NULL, NULL, "false", NULL, RELOAD, EFFECT, STEP(needs_approval), 0, false,
      "somebody must promote it to leave this step" },

    { "rollout-file.guards.*.enabled", RECORD_GUARD, KEY_BOOL, NULL, NULL, "true", NULL, RELOAD, EFFECT, GUARD(is_enabled), 0, false,
      "false: this metric has no guard" },
    { "rollout-file.guards.*.warn", RECORD_GUARD, KEY_NUMBER, NULL, "[0, 1000000000]", NULL, NULL, RELOAD, EFFECT, GUARD(warn), 0, false,
      "the limit that warns, in the metric's unit: a part of 1, US dollars, milliseconds; 0: none; not written: docs/rollouts.md" },
    { "rollout-file.guards.*.trip", RECORD_GUARD, KEY_NUMBER, NULL, "[0, 1000000000]", NULL, NULL, RELOAD, EFFECT, GUARD(trip), 0, false,
      "the limit that rolls back" },
    { "rollout-file.guards.*.advance", RECORD_GUARD, KEY_NUMBER, NULL, "[0, 1000000000]", NULL, NULL, RELOAD, EFFECT, GUARD(advance), 0, false,
      "what must be shown to be kept before the next step, at least as strict as trip; without it trip" },
    { "rollout-file.guards.*.dry_run", RECORD_GUARD, KEY_BOOL, NULL, NULL, "false", NULL, RELOAD, EFFECT, GUARD(is_dry_run), 0, false,
      "it is recorded and never acts" },
    { "rollout-file.guards.*.compare", RECORD_GUARD, KEY_BOOL, NULL, NULL, "false", NULL, RELOAD, EFFECT, GUARD(is_compared), 0, false,
      "it is compared with the control too, at the margin" },
    { "rollout-file.guards.*.margin", RECORD_GUARD, KEY_NUMBER, NULL, "[0, 1000]", "0", NULL, RELOAD, EFFECT, GUARD(margin), 0, false,
      "by how much the canary may be worse than the control: a part of 1; of costs a part of the control's" },

    { "experiment-file.name", RECORD_EXPERIMENT, KEY_TEXT, NULL, NULL, NULL, NULL, RELOAD, EFFECT, EXPERIMENT(name), 0, false,
      "required: what it is called; it never changes, since it decides who is in which arm" },
    { "experiment-file.seed", RECORD_EXPERIMENT, KEY_TEXT, NULL, NULL, NULL, NULL, RELOAD, EFFECT, EXPERIMENT(seed), 0, false,
      "another seed deals the traffic anew" },
    { "experiment-file.layer", RECORD_EXPERIMENT, KEY_TEXT, NULL, NULL, NULL, NULL, RELOAD, EFFECT, EXPERIMENT(layer), 0, false,
      "experiments of one layer never share a unit; none: a layer of its own" },
    { "experiment-file.from", RECORD_EXPERIMENT, KEY_SHARE, NULL, NULL, "0%", NULL, RELOAD, EFFECT, EXPERIMENT(from), 0, false,
      "the part of the layer that it takes: from here" },
    { "experiment-file.to", RECORD_EXPERIMENT, KEY_SHARE, NULL, NULL, "100%", NULL, RELOAD, EFFECT, EXPERIMENT(to), 0, false,
      "to here" },

    { "experiment-file.allocation", RECORD_EXPERIMENT, KEY_CHOICE, NULL, NULL, "fixed", "fixed track_and_stop", RELOAD, EFFECT, EXPERIMENT(allocation), 0, false,
      "fixed: the shares stay; track_and_stop: they follow the results, so that the best arm is known soonest" },
    { "experiment-file.metric", RECORD_EXPERIMENT, KEY_CHOICE, NULL, NULL, NULL, "success_rate cost_usd latency_ms hrm_confidence trm_confidence", RELOAD, EFFECT, EXPERIMENT(metric), 0, false,
      "with track_and_stop, required: in what the best arm is wanted" },
    { "experiment-file.epsilon", RECORD_EXPERIMENT, KEY_NUMBER, NULL, "[0, 1000000]", NULL, NULL, RELOAD, EFFECT, EXPERIMENT(epsilon), 0, false,
      "with track_and_stop, required: a difference that does not matter, in the metric's unit" },
    { "experiment-file.delta", RECORD_EXPERIMENT, KEY_NUMBER, NULL, "(0, 1)", NULL, NULL, RELOAD, EFFECT, EXPERIMENT(delta), 0, false,
      "with track_and_stop: the chance that the arm said to be best is not; none: 0.05" },
    { "experiment-file.floor", RECORD_EXPERIMENT, KEY_NUMBER, NULL, "[0.01, 0.05]", NULL, NULL, RELOAD, EFFECT, EXPERIMENT(floor), 0, false,
      "with track_and_stop: the least that an arm gets of what the arms have together; none: 0.05" },
    { "experiment-file.every", RECORD_EXPERIMENT, KEY_DURATION, NULL, "[1, 604800]", NULL, NULL, RELOAD, EFFECT, EXPERIMENT(every), 0, false,
      "with track_and_stop: how long shares hold at least; none: 5m" },
    { "experiment-file.arms.*.share", RECORD_ARM, KEY_SHARE, NULL, NULL, NULL, NULL, RELOAD, EFFECT, ARM(share), 0, true,
      "of the units that take part, 5% or 0.05; the first arm is the control" },
    { "experiment-file.arms.*.start", RECORD_ARM, KEY_SHARE, NULL, NULL, NULL, NULL, RELOAD, EFFECT, ARM(start), 0, false,
      "where its part begins; none: arm i of k at i/k, so that each may grow" },
    { "experiment-file.arms.*.profile", RECORD_ARM, KEY_FILE, NULL, NULL, NULL, NULL, RELOAD, EFFECT, ARM(profile), 0, false,
      "the configuration that it runs under, seen from this file; none: what holds without the experiment" },

    { "scenario-file.name", RECORD_SCENARIO, KEY_TEXT, NULL, NULL, NULL, NULL, RELOAD, EFFECT, SCENARIO(name), 0, false,
      "what it is called; none: its file" },
    { "scenario-file.about", RECORD_SCENARIO, KEY_TEXT, NULL, NULL, NULL, NULL, RELOAD, EFFECT, SCENARIO(about), 0, false,
      "a sentence that says what it shows" },
    { "scenario-file.rollout", RECORD_SCENARIO, KEY_TEXT, NULL, NULL, NULL, NULL, RELOAD, EFFECT, SCENARIO(name), 0, false,
      "required: a rollout's file, seen from this one, or its keys right here, without a canary's configuration" },
    { "scenario-file.mode", RECORD_SCENARIO, KEY_CHOICE, NULL, NULL, "rollout", "rollout bare_triggers", RELOAD, EFFECT, SCENARIO(mode), 0, false,
      "bare_triggers: thresholds on the last window queries of the canary, without statistics and without a control, to compare with" },
    { "scenario-file.window", RECORD_SCENARIO, KEY_INTEGER, "queries", "[1, 1000000]", "100", NULL, RELOAD, EFFECT, SCENARIO(window), 0, false,
      "of bare triggers" },
    { "scenario-file.tick", RECORD_SCENARIO, KEY_DURATION, NULL, "[0.1, 3600]", "1s", NULL, RELOAD, EFFECT, SCENARIO(tick), 0, false,
      "how often the rollout is looked at" },
    { "scenario-file.alerts_every", RECORD_SCENARIO, KEY_DURATION, NULL, "[0, 86400]", "1m", NULL, RELOAD, EFFECT, SCENARIO(alerts_every), 0, false,
      "how often the rules of alerts are, 1s at least; 0s: never" },
    { "scenario-file.approve_after", RECORD_SCENARIO, KEY_DURATION, NULL, "[0, 315360000]", NULL, NULL, RELOAD, EFFECT, SCENARIO(approve_after), 0, false,
      "how long an approval takes; none: nobody approves" },
    { "scenario-file.traffic.per_second", RECORD_SCENARIO, KEY_NUMBER, "queries a second", "(0, 100000]", "10", NULL, RELOAD, EFFECT, SCENARIO(per_second), 0, false,
      "mean of a day" },
    { "scenario-file.traffic.hours", RECORD_SCENARIO, KEY_TEXTS, NULL, NULL, NULL, NULL, RELOAD, EFFECT, SCENARIO(hours), 0, false,
      "24 weights, of each hour of the day; none: all alike" },
    { "scenario-file.traffic.start_hour", RECORD_SCENARIO, KEY_NUMBER, "hours", "[0, 24)", "9", NULL, RELOAD, EFFECT, SCENARIO(start_hour), 0, false,
      "the hour of the day at which the rollout starts" },
    { "scenario-file.traffic.conversation", RECORD_SCENARIO, KEY_NUMBER, "queries", "[1, 10000]", "3", NULL, RELOAD, EFFECT, SCENARIO(conversation), 0, false,
      "of one conversation, on average; it stays in its arm and its domain" },
    { "scenario-file.traffic.open", RECORD_SCENARIO, KEY_INTEGER, NULL, "[1, 100000]", "200", NULL, RELOAD, EFFECT, SCENARIO(open), 0, false,
      "conversations at a time" },
    { "scenario-file.traffic.domains.generic", RECORD_SCENARIO, KEY_NUMBER, NULL, "[0, 1]", NULL, NULL, RELOAD, EFFECT, SCENARIO(generic), 0, false,
      "share of the conversations; none of the four: all are generic" },
    { "scenario-file.traffic.domains.tactical", RECORD_SCENARIO, KEY_NUMBER, NULL, "[0, 1]", NULL, NULL, RELOAD, EFFECT, SCENARIO(tactical), 0, false,
      "share of the conversations; none of the four: all are generic" },
    { "scenario-file.traffic.domains.cybersecurity", RECORD_SCENARIO, KEY_NUMBER, NULL, "[0, 1]", NULL, NULL, RELOAD, EFFECT, SCENARIO(cybersecurity), 0, false,
      "share of the conversations; none of the four: all are generic" },
    { "scenario-file.traffic.domains.stem", RECORD_SCENARIO, KEY_NUMBER, NULL, "[0, 1]", NULL, NULL, RELOAD, EFFECT, SCENARIO(stem), 0, false,
      "share of the conversations; none of the four: all are generic" },
    { "scenario-file.traffic.queries", RECORD_SCENARIO, KEY_INTEGER, "queries", "[1, 1000000000000]", "1000000", NULL, RELOAD, EFFECT, SCENARIO(queries_max), 0, false,
      "after so many the traffic ends" },
    { "scenario-file.traffic.duration", RECORD_SCENARIO, KEY_DURATION, NULL, "(0, 31536000]", "30d", NULL, RELOAD, EFFECT, SCENARIO(duration), 0, false,
      "or after so long" },
    { "scenario-file.expect.outcome", RECORD_SCENARIO, KEY_TEXT, NULL, NULL, NULL, NULL, RELOAD, EFFECT, SCENARIO(outcome), 0, false,
      "completed, rolled_back, paused, paused:REASON or unfinished" },
    { "scenario-file.expect.share_min", RECORD_SCENARIO, KEY_NUMBER, NULL, "[0, 1]", "1", NULL, RELOAD, EFFECT, SCENARIO(share_min), 0, false,
      "of the runs that have it at least" },
    { "scenario-file.expect.guard", RECORD_SCENARIO, KEY_TEXT, NULL, NULL, NULL, NULL, RELOAD, EFFECT, SCENARIO(guard), 0, false,
      "the guard that trips in most runs" },
    { "scenario-file.expect.alert", RECORD_SCENARIO, KEY_TEXT, NULL, NULL, NULL, NULL, RELOAD, EFFECT, SCENARIO(alert), 0, false,
      "a rule of alerts that fires in at least share_min of the runs" },
    { "scenario-file.expect.max_false_rollback_rate", RECORD_SCENARIO, KEY_NUMBER, NULL, "[0, 1]", NULL, NULL, RELOAD, EFFECT, SCENARIO(false_rollback_max), 0, false,
      "of the runs that are rolled back before anything harmed the canary alone" },
    { "scenario-file.expect.detected_within_queries", RECORD_SCENARIO, KEY_NUMBER, "queries", "[0, 1000000000000]", NULL, NULL, RELOAD, EFFECT, SCENARIO(detected_within), 0, false,
      "median of the canary's queries from the harm to the end" },
    { "scenario-file.models.*.success", RECORD_SCENARIO_MODEL, KEY_NUMBER, NULL, "[0, 1]", NULL, NULL, RELOAD, EFFECT, SIM_MODEL(success), 0, false,
      "probability of a right answer (.98). Models are baseline and canary; what is not written of the canary is as the baseline, and what is not written below domains.NAME as the model" },
    { "scenario-file.models.*.errors", RECORD_SCENARIO_MODEL, KEY_NUMBER, NULL, "[0, 1]", NULL, NULL, RELOAD, EFFECT, SIM_MODEL(errors), 0, false,
      "share of the failures that are errors, not wrong answers (.5)" },
    { "scenario-file.models.*.cost_usd", RECORD_SCENARIO_MODEL, KEY_NUMBER, "US dollars", "[0, 1000000]", NULL, NULL, RELOAD, EFFECT, SIM_MODEL(cost_usd), 0, false,
      "of a query, on average (.002)" },
    { "scenario-file.models.*.cost_sd", RECORD_SCENARIO_MODEL, KEY_NUMBER, "US dollars", "[0, 1000000]", NULL, NULL, RELOAD, EFFECT, SIM_MODEL(cost_sd), 0, false,
      "standard deviation; costs are lognormal (.001)" },
    { "scenario-file.models.*.latency_ms", RECORD_SCENARIO_MODEL, KEY_NUMBER, "milliseconds", "(0, 86400000]", NULL, NULL, RELOAD, EFFECT, SIM_MODEL(latency_ms), 0, false,
      "median (800)" },
    { "scenario-file.models.*.latency_sigma", RECORD_SCENARIO_MODEL, KEY_NUMBER, NULL, "[0, 10]", NULL, NULL, RELOAD, EFFECT, SIM_MODEL(latency_sigma), 0, false,
      "of the latency's logarithm (.4)" },
    { "scenario-file.models.*.timeout_ms", RECORD_SCENARIO_MODEL, KEY_NUMBER, "milliseconds", "(0, 86400000]", NULL, NULL, RELOAD, EFFECT, SIM_MODEL(timeout_ms), 0, false,
      "what takes longer fails then (30000)" },
    { "scenario-file.models.*.hrm_confidence", RECORD_SCENARIO_MODEL, KEY_NUMBER, NULL, "[0, 1]", NULL, NULL, RELOAD, EFFECT, SIM_MODEL(hrm_confidence), 0, false,
      "mean (.87)" },
    { "scenario-file.models.*.hrm_sd", RECORD_SCENARIO_MODEL, KEY_NUMBER, NULL, "[0, 1]", NULL, NULL, RELOAD, EFFECT, SIM_MODEL(hrm_sd), 0, false,
      "standard deviation (.06)" },
    { "scenario-file.models.*.trm_confidence", RECORD_SCENARIO_MODEL, KEY_NUMBER, NULL, "[0, 1]", NULL, NULL, RELOAD, EFFECT, SIM_MODEL(trm_confidence), 0, false,
      "mean (.83)" },
    { "scenario-file.models.*.trm_sd", RECORD_SCENARIO_MODEL, KEY_NUMBER, NULL, "[0, 1]", NULL, NULL, RELOAD, EFFECT, SIM_MODEL(trm_sd), 0, false,
      "standard deviation (.06)" },
    { "scenario-file.models.*.confidence", RECORD_SCENARIO_MODEL, KEY_CHOICE, NULL, NULL, NULL, "calibrated raw", RELOAD, EFFECT, SIM_MODEL(confidence), 0, false,
      "calibrated: it falls by as much as an event takes from the success (raw)" },
    { "scenario-file.models.*.recorded.from", RECORD_SCENARIO_MODEL, KEY_TEXT, NULL, NULL, NULL, NULL, RELOAD, EFFECT, SIM_MODEL(recorded_from), 0, false,
      "the folder of an evaluation (weir eval --out), seen from this file: whether answers are right, and what else is recorded of them, comes from there" },
    { "scenario-file.models.*.recorded.cell", RECORD_SCENARIO_MODEL, KEY_TEXT, NULL, NULL, NULL, NULL, RELOAD, EFFECT, SIM_MODEL(recorded_cell), 0, false,
      "which of its cells, such as gpt-4o/direct" },
    { "scenario-file.events[].what", RECORD_SCENARIO_EVENT, KEY_CHOICE, NULL, NULL, NULL, "quality_drop cost_creep latency_step outage broken confidence_drift drought sample_ratio", RELOAD, EFFECT, SIM_EVENT(what), 0, true,
      "what happens" },
    { "scenario-file.events[].start", RECORD_SCENARIO_EVENT, KEY_DURATION, NULL, "[0, 31536000]", "0s", NULL, RELOAD, EFFECT, SIM_EVENT(start), 0, false,
      "from the start of the rollout" },
    { "scenario-file.events[].length", RECORD_SCENARIO_EVENT, KEY_DURATION, NULL, "(0, 31536000]", NULL, NULL, RELOAD, EFFECT, SIM_EVENT(length), 0, false,
      "none: to the end" },
    { "scenario-file.events[].ramp", RECORD_SCENARIO_EVENT, KEY_DURATION, NULL, "[0, 31536000]", "0s", NULL, RELOAD, EFFECT, SIM_EVENT(ramp), 0, false,
      "it grows for so long to its size" },
    { "scenario-file.events[].size", RECORD_SCENARIO_EVENT, KEY_NUMBER, NULL, "[0, 1000000]", NULL, NULL, RELOAD, EFFECT, SIM_EVENT(size), 0, false,
      "docs/simulate.md says of what" },
    { "scenario-file.events[].arm", RECORD_SCENARIO_EVENT, KEY_CHOICE, NULL, NULL, NULL, "baseline canary both", RELOAD, EFFECT, SIM_EVENT(arm), 0, false,
      "whom it hits; none: the canary, and both in an outage or a drought" },
    { "scenario-file.events[].domain", RECORD_SCENARIO_EVENT, KEY_CHOICE, NULL, NULL, NULL, "generic tactical cybersecurity stem", RELOAD, EFFECT, SIM_EVENT(domain), 0, false,
      "none: all" },
};
/* clang-format on */

const struct config_key *config_keys(size_t *out_count)
{
    *out_count = ARRAY_LEN(keys);
    return keys;
}

str record_pattern(enum key_record record)
{
    static const char *const patterns[RECORD_COUNT] = {
        [RECORD_ROOT] = "",
        [RECORD_PROVIDER] = "providers.*",
        [RECORD_MODEL] = "models.*",
        [RECORD_PRICE] = "prices[]",
        [RECORD_TENANT] = "tenants.*",
        [RECORD_CHANNEL] = "alerts.channels.*",
        [RECORD_RULE] = "alerts.rules.*",
        [RECORD_ROLLOUT] = "rollout-file",
        [RECORD_STEP] = "rollout-file.steps[]",
        [RECORD_GUARD] = "rollout-file.guards.*",
        [RECORD_EXPERIMENT] = "experiment-file",
        [RECORD_ARM] = "experiment-file.arms.*",
        [RECORD_SCENARIO] = "scenario-file",
        [RECORD_SCENARIO_MODEL] = "scenario-file.models.*",
        [RECORD_SCENARIO_EVENT] = "scenario-file.events[]",
    };

    return str_from(patterns[record]);
}

const struct config_key *key_find(str pattern)
{
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (str_eq(str_from(keys[i].path), pattern))
            return &keys[i];
    return NULL;
}

/* What follows "section." in a path; false when the path is not in that section. */
static bool path_under(str path, str section, str *out_rest)
{
    if (section.len == 0) {
        *out_rest = path;
        return true;
    }
    if (path.len <= section.len + 1 || !str_starts(path, section) || path.ptr[section.len] != '.')
        return false;
    *out_rest = str_slice(path, section.len + 1, path.len);
    return true;
}

bool key_is_section(str pattern)
{
    str rest;

    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (path_under(str_from(keys[i].path), pattern, &rest))
            return true;
    return false;
}

str name_nearest(const str *names, size_t n, str name)
{
    str best = { 0 };
    /* A third of the letters may be wrong; more is another word. */
    size_t limit = (name.len + 2) / 3;

    for (size_t i = 0; i < n; i++) {
        size_t distance = str_distance(names[i], name);
        if (distance <= limit && (best.len == 0 || distance < str_distance(best, name)))
            best = names[i];
    }
    return best;
}

static str last_part(str path)
{
    size_t from = path.len;

    while (from > 0 && path.ptr[from - 1] != '.')
        from--;
    return str_slice(path, from, path.len);
}

str key_unknown(struct arena *arena, str pattern, str shown, str name)
{
    str names[ARRAY_LEN(keys)], rest;
    size_t n = 0;
    str prefix = shown.len > 0 ? arena_printf(arena, "%.*s.", STR_ARG(shown)) : shown;
    str key = issue_text(arena, name);

    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (path_under(str_from(keys[i].path), pattern, &rest) &&
            str_find(rest, STR("[]")) == STR_NPOS)
            names[n++] = str_slice(rest, 0, str_find_char(rest, '.'));
    str nearest = name_nearest(names, n, name);
    if (nearest.len > 0)
        return arena_printf(arena, "unknown key '%.*s%.*s'; did you mean '%.*s%.*s'?",
                            STR_ARG(prefix), STR_ARG(key), STR_ARG(prefix), STR_ARG(nearest));
    bool is_configuration = !str_starts(pattern, record_pattern(RECORD_ROLLOUT)) &&
                            !str_starts(pattern, record_pattern(RECORD_EXPERIMENT));
    for (size_t i = 0; i < ARRAY_LEN(keys) && is_configuration; i++) {
        str path = str_from(keys[i].path);
        if (keys[i].record == RECORD_ROOT && str_eq(last_part(path), name))
            return arena_printf(arena, "unknown key '%.*s%.*s'; did you mean '%s'?",
                                STR_ARG(prefix), STR_ARG(key), keys[i].path);
    }
    return arena_printf(arena, "unknown key '%.*s%.*s'", STR_ARG(prefix), STR_ARG(key));
}

bool key_range_parse(const char *range, struct key_range *out)
{
    str text = str_from(range);
    struct key_range parsed = { .is_low_open = str_starts(text, STR("(")),
                                .is_high_open = str_ends(text, STR(")")) };
    size_t comma = str_find(text, STR(", "));

    if (!parsed.is_low_open && !str_starts(text, STR("[")))
        return false;
    if (comma == STR_NPOS || (!parsed.is_high_open && !str_ends(text, STR("]"))))
        return false;
    if (!str_to_double(str_slice(text, 1, comma), &parsed.low) ||
        !str_to_double(str_slice(text, comma + 2, text.len - 1), &parsed.high))
        return false;
    *out = parsed;
    return true;
}
