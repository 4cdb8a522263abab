/* SPDX-License-Identifier: Apache-2.0 */
/* config's tests of texts: what is refused and where, defaults, values, limits. */
#include "edge/config/internal.h"

#include "edge/config/config_check.h"

static const struct {
    const char *text, *want;
} bad_files[] = {
    { "modle: x", "1:1 unknown key 'modle'; did you mean 'model'?" },
    { "model: a\nhrm:\n  confidence_treshold: 1",
      "3:3 unknown key 'hrm.confidence_treshold'; did you mean 'hrm.confidence_threshold'?" },
    { "max_tree_depth: 3",
      "1:1 unknown key 'max_tree_depth'; did you mean 'mcts.max_tree_depth'?" },
    { "zzzzzzzz: 1", "1:1 unknown key 'zzzzzzzz'" },
    { "providers: {x: {base_url: 'http://a', api_ky: 'sk-1'}}",
      "1:39 unknown key 'providers.x.api_ky'; did you mean 'providers.x.api_key'?" },
    { "hrm:\n  confidence_threshold: 1.5",
      "2:25 hrm.confidence_threshold must be in (0, 1], got 1.5" },
    { "hrm: {confidence_threshold: 0}", "1:29 hrm.confidence_threshold must be in (0, 1], got 0" },
    { "trm: {convergence_threshold: -0.01}",
      "1:30 trm.convergence_threshold must be in [0, 1], got -0.01" },
    { "hrm: {h_module_layers: 11}", "1:24 hrm.h_module_layers must be in [1, 10], got 11" },
    { "hrm: {h_module_layers: 2.5}", "1:24 hrm.h_module_layers must be a whole number, got 2.5" },
    { "hrm: {h_module_layers: three}",
      "1:24 hrm.h_module_layers must be a whole number, got 'three'" },
    { "temperature: warm", "1:14 temperature must be a number, got 'warm'" },
    { "temperature: .inf", "1:14 temperature must be a number, got '.inf'" },
    { "timeout_seconds: 0", "1:18 timeout_seconds must be in (0, 3600], got 0" },
    { "timeout_seconds: -1", "1:18 timeout_seconds must be in (0, 3600], got -1" },
    { "timeout_seconds: 30s",
      "1:18 timeout_seconds must be a decimal number with at most nine places, got '30s'" },
    { "timeout_seconds: 1e1",
      "1:18 timeout_seconds must be a decimal number with at most nine places, got 1e1" },
    { "budget: {usd_max: 0.0000000001}", "1:19 budget.usd_max must be a decimal number with at "
                                         "most nine places, got 0.0000000001" },
    { "use_mcts: yes", "1:11 use_mcts must be true or false, got 'yes'" },
    { "strategy: hrm_tmr",
      "1:11 strategy must be one of direct, hrm, trm, hrm_trm, self_consistency, cascade, mcts, "
      "full_stack, got 'hrm_tmr'; did you mean 'hrm_trm'?" },
    { "self_consistency: {stop_probability: 0.5}",
      "1:38 self_consistency.stop_probability must be in (0.5, 1), got 0.5" },
    { "self_consistency: {stop_probability: 1}",
      "1:38 self_consistency.stop_probability must be in (0.5, 1), got 1" },
    { "self_consistency: {samples_max: 33}",
      "1:33 self_consistency.samples_max must be in [1, 32], got 33" },
    { "cascade: {strong_model: gpt-4o-mni}",
      "1:25 cascade.strong_model: no model is called 'gpt-4o-mni'; did you mean 'gpt-4o-mini'?" },
    { "cascade: {peer_model: zzz}", "1:23 cascade.peer_model: no model is called 'zzz'" },
    { "route: {scorer: seed}", "1:17 route.scorer must be one of none, seed_v1, words_v1, "
                               "learned_v1, got 'seed'" },
    { "route: {scorer: learned_v1}", "1:17 route.scorer learned_v1 needs route.model, a file that "
                                     "`weir train --out FILE` writes" },
    { "route: {model: /nowhere.json}",
      "1:16 route.model cannot be read from '/nowhere.json': No such "
      "file or directory; `weir train --out FILE` writes one" },
    { "route: {threshold: 1.1}", "1:20 route.threshold must be in [0, 1], got 1.1" },
    { "route: {epsilon: 0.51}", "1:18 route.epsilon must be in [0, 0.5], got 0.51" },
    { "route: {audit_share: 0.21}", "1:22 route.audit_share must be in [0, 0.2], got 0.21" },
    { "route: {value_usd: -1}", "1:20 route.value_usd must be in [0, 1000000], got -1" },
    { "route: {fallback: /nowhere.yaml}",
      "1:19 route.fallback cannot be read from '/nowhere.yaml': No such file or directory" },
    { "ledger: {sync: disk}", "1:16 ledger.sync must be one of process, power, got 'disk'" },
    { "ledger: {durability: no}",
      "1:22 ledger.durability must be one of acknowledged, relaxed, got 'no'" },
    { "model:", "1:1 model has no value" },
    { "model: ~", "1:8 model has no value" },
    { "model: ''", "1:8 model must not be empty, got ''" },
    { "model: \"a\\nb\"", "1:8 model must not hold control characters, got 'a?b'" },
    { "model: [a]", "1:8 model must be a single value" },
    { "hrm: 3", "1:6 hrm must be a mapping of keys" },
    { "providers: 3", "1:12 providers must be a mapping of keys" },
    { "models: {a: b}", "1:13 models.a must be a mapping of keys" },
    { "- a", "1:1 the file must be a mapping of keys" },
    { "just text", "1:1 the file must be a mapping of keys" },
    { "model: a\nmodel: b", "2:1 duplicate key 'model'; it stands on line 1 already" },
    { "hrm: {a: 1, \"a\": 2}", "1:13 duplicate key 'a'; it stands on line 1 already" },
    { "a: &x 1", "1:7 anchors are not allowed" },
    { "a: &x {b: 1}", "1:7 anchors are not allowed" },
    { "a: *x", "1:4 aliases are not allowed" },
    { "a: !!int 3", "1:10 tags are not allowed" },
    { "a: 1\n---\nb: 2", "2:1 more than one document" },
    { "{[a]: 1}", "1:2 a key must be a plain name" },
    { "'': 1", "1:1 a key must not be empty" },
    { "a: [[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]", "1:19 nested more than 16 levels deep" },
    { "model: a\n b: [2", "1:8 syntax: invalid multiline plain key" },
    { "model: \x01", "1:8 control characters are not allowed" },
    { "model: \xff", "0:0 the file is not valid UTF-8" },
    { "server: {listen: 8080}", "1:18 server.listen must be HOST:PORT, as 127.0.0.1:8080 or "
                                "[::1]:8080, got 8080" },
    { "server: {listen: '1.2.3.400:80'}", "1:18 server.listen must be HOST:PORT, as 127.0.0.1:8080 "
                                          "or [::1]:8080, got '1.2.3.400:80'" },
    { "server: {listen: 'a:65536'}", "1:18 server.listen must be HOST:PORT, as 127.0.0.1:8080 or "
                                     "[::1]:8080, got 'a:65536'" },
    { "server: {listen: '::1:80'}", "1:18 server.listen must be HOST:PORT, as 127.0.0.1:8080 or "
                                    "[::1]:8080, got '::1:80'" },
    { "server: {listen: 'h:1', admin: 'h:1'}", "1:32 server.admin must differ from server.listen" },
    { "upstream: {backoff_seconds: 5}",
      "1:29 upstream.backoff_seconds must not be above upstream.backoff_max_seconds" },
    { "providers: {x: {simulated: true}}", "1:13 providers.x.base_url is required" },
    { "providers: {x: {base_url: 'ftp://a'}}",
      "1:27 providers.x.base_url must begin with http:// or https://" },
    { "providers: {x: {base_url: 'http://u:sk-1@a'}}",
      "1:27 providers.x.base_url must name a valid host, and port if any" },
    { "providers: {x: {base_url: 'http://'}}",
      "1:27 providers.x.base_url must name a valid host, and port if any" },
    { "providers: {x: {base_url: 'http://a/?k=sk-1'}}",
      "1:27 providers.x.base_url must not have a query or a fragment" },
    { "providers: {'a b': {base_url: 'http://a'}}",
      "1:13 the name of a provider must not hold spaces or control characters" },
    { "model_provider: opnai",
      "1:17 model gpt-4o-mini: no provider is called 'opnai'; did you mean "
      "'openai'?" },
    { "models: {m: {provider: zzzzzz}}", "1:24 model m: no provider is called 'zzzzzz'" },
    { "tenants: {t: {budget_per: year}}",
      "1:27 tenants.t.budget_per must be one of minute, hour, day, month, got 'year'" },
    { "tenants: {t: {budget_usd: -1}}",
      "1:27 tenants.t.budget_usd must be in [0, 10000000], got -1" },
    { "tenants: {t: {concurrency: 1}}",
      "1:15 unknown key 'tenants.t.concurrency'; did you mean 'tenants.t.concurrent'?" },
    { "server: {keys: 'sk-1'}", "1:16 server.keys must be a list" },
    { "server: {keys: ['sk-1']}",
      "1:17 server.keys[0] must be env:NAME or file:PATH, never the secret itself" },
    { "server: {keys: ['env:WEIR_TEST_UNSET']}",
      "1:17 server.keys[0] needs the environment variable WEIR_TEST_UNSET, which is not set" },
    { "server: {keys: ['file:/nowhere/at/all']}",
      "1:17 server.keys[0] cannot be read from '/nowhere/at/all'" },
    { "server: {keys: ['file:/dev/zero']}", "1:17 server.keys[0] cannot be read from '/dev/zero'" },
    { "providers: {x: {base_url: 'http://a', api_key: 'sk-1'}}",
      "1:48 providers.x.api_key must be env:NAME or file:PATH, never the secret itself" },
    { "providers: {x: {base_url: 'http://a', api_key: 'env:sk-1'}}",
      "1:48 providers.x.api_key must be env:NAME or file:PATH, never the secret itself" },
    { "models: {a: {fallback: [b]}}", "1:25 models.a.fallback: no model is called 'b'" },
    { "models: {a: {fallback: [slw]}, slow: {}}",
      "1:25 models.a.fallback: no model is called 'slw'; did you mean 'slow'?" },
    { "models: {a: {fallback: [a]}}", "1:25 models.a.fallback goes round in a circle: a -> a" },
    { "models: {a: {fallback: [c, b]}, b: {fallback: [a]}, c: {}}",
      "1:28 models.a.fallback goes round in a circle: a -> b -> a" },
    { "models: {x: {fallback: [a]}, a: {fallback: [b]}, b: {fallback: [c]}, c: {fallback: [a]}}",
      "1:45 models.a.fallback goes round in a circle: a -> b -> c -> a" },
    { "models: {a: {fallback: b}}", "1:24 models.a.fallback must be a list" },
    { "providers: {x: {base_url: 'http://a', api_key: 'env:HOME', api_keys: ['env:HOME']}}",
      "1:70 providers.x has both api_key and api_keys; write the list alone" },
    { "providers: {x: {base_url: 'http://a', api_keys: ['sk-1']}}",
      "1:50 providers.x.api_keys[0] must be env:NAME or file:PATH, never the secret itself" },
    { "breaker: {open_seconds: 100}",
      "1:25 breaker.open_seconds must not be above breaker.open_max_seconds" },
    { "extends: /nowhere.yaml",
      "1:10 extends cannot use '/nowhere.yaml': No such file or directory" },
    { "prices: /nowhere.yaml",
      "1:9 prices cannot be read from '/nowhere.yaml': No such file or directory" },
};

static void bad_files_are_refused_at_their_place(void)
{
    for (size_t i = 0; i < ARRAY_LEN(bad_files); i++) {
        struct loaded l = load(str_from(bad_files[i].text));
        CHECK_ERR(l.e, CALLER_BAD_REQUEST);
        CHECK(l.c == NULL && l.issues.errors > 0);
        CHECK_STR(str_from(l.first), str_from(bad_files[i].want));
        for (size_t j = 0; j < l.issues.count; j++)
            CHECK(str_find(l.issues.items[j].message, STR("sk-1")) == STR_NPOS);
        unload(&l);
    }
}

static void defaults_hold_without_a_file(void)
{
    struct loaded l = load_file("");

    REQUIRE(l.e == OK);
    const struct config *c = l.c;
    CHECK_STR(c->model, STR("gpt-4o-mini"));
    CHECK_STR(c->strategy, STR("hrm_trm"));
    CHECK_NEAR(c->hrm.confidence_threshold, 0.85, 0);
    CHECK_INT(c->timeout, 30 * NSEC_PER_SEC);
    CHECK_INT(c->max_retries, 2);
    CHECK(c->monitoring.track_cost && !c->monitoring.wandb_enabled);
    CHECK_STR(c->server.listen, STR("127.0.0.1:8080"));
    CHECK_STR(c->server.admin, STR("127.0.0.1:8081"));
    CHECK_INT(c->server.body_bytes_max, 8 << 20);
    CHECK_INT(c->server.head_bytes_max, 32 << 10);
    CHECK_INT(c->server.connections_max, 4096);
    CHECK_INT(c->server.head_timeout, 10 * NSEC_PER_SEC);
    CHECK_INT(c->server.idle_timeout, 75 * NSEC_PER_SEC);
    CHECK_INT(c->server.drain_timeout, 30 * NSEC_PER_SEC);
    CHECK_INT(c->server.key_count, 0);
    CHECK_INT(c->upstream.connect_timeout, 5 * NSEC_PER_SEC);
    CHECK_INT(c->upstream.first_byte_timeout, 25 * NSEC_PER_SEC);
    CHECK_INT(c->upstream.idle_timeout, 15 * NSEC_PER_SEC);
    CHECK_INT(c->upstream.backoff, 250 * NSEC_PER_MS);
    CHECK_INT(c->upstream.backoff_max, 4 * NSEC_PER_SEC);
    CHECK_INT(c->upstream.connections_max, 1024);
    CHECK_INT(c->upstream.answer_bytes_max, 16 << 20);
    CHECK_INT(c->budget.calls_max, 24);
    CHECK_INT(c->budget.tokens_max, 60000);
    CHECK_INT(c->budget.cost_max, 50000000);
    CHECK_INT(c->budget.output_tokens_max, 1024);
    CHECK_INT(c->ledger.journal_bytes_max, INT64_C(4) << 30);
    CHECK(c->ledger.durability == DURABILITY_ACKNOWLEDGED && !c->ledger.sync_power);
    REQUIRE(c->provider_count == 1 && c->model_count == 1);
    CHECK_STR(c->providers[0].base_url, STR("https://api.openai.com/v1"));
    CHECK(c->providers[0].has_json_schema && !c->providers[0].is_simulated);
    CHECK_STR(c->models[0].upstream_name, STR("gpt-4o-mini"));
    struct reason_config reason = config_reason(c);
    CHECK_INT(reason.max_tokens, 1024);
    CHECK_INT(reason.hrm.max_decomposition_depth, 4);
    CHECK_INT(reason.trm.max_refinement_iterations, 5);
    CHECK(reason.use_json_schema);
    CHECK_INT(reason.self_consistency.samples_max, 8);
    CHECK_NEAR(reason.self_consistency.stop_probability, 0.95, 0);
    CHECK(!reason.cascade.has_peer && !reason.cascade.has_strong);
    CHECK_NEAR(reason.mcts.exploration_constant, 1.414, 0);
    CHECK_INT(reason.mcts.max_tree_depth, 10);
    CHECK_INT(reason.mcts.simulation_budget, 100);
    CHECK(reason.mcts.policy == REASON_POLICY_UCB1 && !reason.confidences);
    CHECK_STR(reason.model, STR("gpt-4o-mini"));
    CHECK_STR(c->route.scorer, STR("none"));
    CHECK_NEAR(c->route.threshold, 0.8, 0);
    CHECK(c->route.epsilon <= 0 && c->route.audit_share <= 0 && !c->route.fallback);
    CHECK_INT(c->route.value, 10000000);
    unload(&l);
}

static void values_reach_their_fields(void)
{
    struct loaded l = load(STR("model: tiny\n"
                               "model_provider: local\n"
                               "timeout_seconds: 0.000000001\n"
                               "budget: {usd_max: 0.000000007}\n"
                               "ledger: {durability: relaxed, sync: power}\n"
                               "server: {listen: '[::1]:0', admin: 'localhost:65535'}\n"
                               "providers:\n"
                               "  local: {base_url: 'http://[::1]:9001/v1//', simulated: true}\n"
                               "  other: {base_url: 'HTTPS'}\n"));
    CHECK_STR(str_from(l.first),
              STR("9:21 providers.other.base_url must begin with http:// or https://"));
    unload(&l);

    l = load(STR("model: tiny\n"
                 "model_provider: local\n"
                 "timeout_seconds: 0.000000001\n"
                 "budget: {usd_max: 0.000000007}\n"
                 "ledger: {durability: relaxed, sync: power}\n"
                 "upstream: {backoff_seconds: 2, backoff_max_seconds: 2}\n"
                 "server: {listen: '[::1]:0', admin: 'localhost:65535'}\n"
                 "providers:\n"
                 "  local: {base_url: 'http://[::1]:9001/v1//', simulated: true}\n"
                 "models:\n"
                 "  big: {provider: openai, upstream_name: gpt-4o-2024-08-06}\n"
                 "  a/b.c:d: {}\n"
                 "  bare:\n"
                 "tenants:\n"
                 "  acme: {budget_usd: 12.5, budget_per: day, tokens_per_minute: 0}\n"
                 "  none:\n"));
    REQUIRE(l.e == OK);
    CHECK_INT(l.c->timeout, 1);
    CHECK_INT(l.c->budget.cost_max, 7);
    CHECK(l.c->ledger.durability == DURABILITY_RELAXED && l.c->ledger.sync_power);
    CHECK_STR(l.c->server.listen, STR("[::1]:0"));
    const struct config_provider *local = config_provider_find(l.c, STR("local"));
    REQUIRE(local && config_provider_find(l.c, STR("openai")));
    CHECK_STR(local->base_url, STR("http://[::1]:9001/v1"));
    CHECK(local->is_simulated && !local->has_json_schema && local->api_key.len == 0);
    CHECK(!config_reason(l.c).use_json_schema);
    CHECK_INT(l.c->model_count, 4);
    const struct config_model *big = config_model_find(l.c, STR("big"));
    const struct config_model *odd = config_model_find(l.c, STR("a/b.c:d"));
    const struct config_model *bare = config_model_find(l.c, STR("bare"));
    REQUIRE(big && odd && bare && config_model_find(l.c, STR("tiny")));
    CHECK_STR(big->provider, STR("openai"));
    CHECK_STR(big->upstream_name, STR("gpt-4o-2024-08-06"));
    CHECK_STR(odd->provider, STR("local"));
    CHECK_STR(odd->upstream_name, STR("a/b.c:d"));
    CHECK_STR(bare->upstream_name, STR("bare"));
    CHECK(config_model_find(l.c, STR("none")) == NULL);
    REQUIRE(l.c->tenant_count == 2);
    const struct config_tenant *acme = &l.c->tenants[0], *none = &l.c->tenants[1];
    CHECK_STR(acme->name, STR("acme"));
    CHECK(acme->budget == 12500000000 && acme->tokens_per_minute == 0 && acme->concurrent < 0 &&
          acme->requests_per_minute < 0);
    CHECK_STR(acme->budget_per, STR("day"));
    CHECK(none->budget < 0 && none->tokens_per_minute < 0);
    CHECK_STR(none->budget_per, STR("month"));
    unload(&l);
}

static void the_strategies_get_their_part(void)
{
    struct loaded l = load(STR("cascade: {peer_model: p, strong_model: s}\n"
                               "models: {p: {}, s: {}}\n"
                               "self_consistency: {samples_max: 32, stop_probability: 0.51}\n"
                               "mcts_iterations: 50\n"
                               "mcts: {exploration_constant: 2, max_tree_depth: 64,\n"
                               "  simulation_budget: 40, selection_policy: ab_mcts}\n"));

    REQUIRE(l.e == OK);
    struct reason_config reason = config_reason(l.c);
    CHECK(reason.cascade.has_peer && reason.cascade.has_strong);
    CHECK_INT(reason.self_consistency.samples_max, REASON_SAMPLES_MAX);
    CHECK_NEAR(reason.self_consistency.stop_probability, 0.51, 0);
    CHECK_NEAR(reason.mcts.exploration_constant, 2, 0);
    CHECK_INT(reason.mcts.max_tree_depth, REASON_DEPTH_MAX);
    CHECK_INT(reason.mcts.simulation_budget, 40);
    CHECK_INT(reason.mcts.policy, REASON_POLICY_AB_MCTS);
    unload(&l);
    l = load(STR("mcts_iterations: 30\nmcts: {simulation_budget: 40}\n"
                 "models: {s: {}}\ncascade: {strong_model: s}"));
    REQUIRE(l.e == OK);
    CHECK(!config_reason(l.c).cascade.has_peer && config_reason(l.c).cascade.has_strong);
    CHECK_INT(config_reason(l.c).mcts.simulation_budget, 30);
    unload(&l);
}

/* The choices of a key are the names that the code knows. */
static void choices_are_known(void)
{
    str rest = str_from(key_find(STR("strategy"))->choices), name;
    int count = 0;

    for (; str_next(&rest, ' ', &name); count++) {
        enum reason_strategy strategy;
        CHECK(reason_strategy_find(name, &strategy));
    }
    CHECK_INT(count, REASON_STRATEGY_COUNT);
    rest = str_from(key_find(STR("mcts.selection_policy"))->choices);
    for (count = 0; str_next(&rest, ' ', &name); count++) {
        enum reason_policy policy;
        CHECK(reason_policy_find(name, &policy));
    }
    CHECK_INT(count, REASON_POLICY_COUNT);
}

static void keys_without_effect_are_said(void)
{
    static const struct {
        const char *text, *want; /* NULL: no word */
    } rows[] = {
        { "enable_caching: true", "1:1 enable_caching has no effect yet" },
        { "enable_caching: false", NULL },
        { "monitoring: {track_cost: true, log_level: DEBUG}", NULL },
        { "strategy: cascade",
          "1:11 strategy cascade has no stronger model to turn to: set cascade.strong_model" },
        { "route: {scorer: seed_v1}", "1:17 route.scorer has nothing to choose from: set "
                                      "route.fallback; scores are only recorded" },
        { "route: {audit_share: 0.1}",
          "1:22 route.audit_share has nobody to ask: set cascade.strong_model" },
        { "mcts: {simulation_budget: 200}",
          "1:27 mcts.simulation_budget is above mcts_iterations, which holds" },
        { "strategy: direct\nuse_mcts: true",
          "2:11 use_mcts has no effect on this strategy: it acts on hrm_trm" },
        { "strategy: trm", NULL },
        { "strategy: hrm_trm\nuse_mcts: true", NULL },
        { "strategy: full_stack\nuse_mcts: true", NULL },
        { "mcts: {simulation_budget: 20}", NULL },
        { "mcts: {simulation_budget: 100}", NULL },
        { "mcts_iterations: 20", NULL }, /* only what somebody wrote is spoken of */
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[256];
        snprintf(text, sizeof(text),
                 "%s\nmodel_provider: p\nproviders: {p: {base_url: 'http://h'}}", rows[i].text);
        struct loaded l = load(str_from(text));
        CHECK_ERR(l.e, OK);
        CHECK_INT(l.issues.count, rows[i].want ? 1 : 0);
        CHECK_STR(str_from(l.first), str_from(rows[i].want));
        unload(&l);
    }
}

static void every_key_of_the_seed_is_in_the_table(void)
{
    static const char *const seed[] = {
        "model",
        "model_provider",
        "temperature",
        "use_mcts",
        "mcts_iterations",
        "strategy",
        "hrm.h_module_layers",
        "hrm.l_module_iterations",
        "hrm.confidence_threshold",
        "hrm.max_decomposition_depth",
        "trm.max_refinement_iterations",
        "trm.convergence_threshold",
        "trm.confidence_threshold",
        "trm.min_improvement_delta",
        "mcts.exploration_constant",
        "mcts.max_tree_depth",
        "mcts.simulation_budget",
        "mcts.selection_policy",
        "timeout_seconds",
        "max_retries",
        "enable_caching",
        "monitoring.langsmith_enabled",
        "monitoring.wandb_enabled",
        "monitoring.track_cost",
        "monitoring.track_latency",
        "monitoring.track_confidence",
        "monitoring.log_level",
    };

    for (size_t i = 0; i < ARRAY_LEN(seed); i++) {
        const struct config_key *key = key_find(str_from(seed[i]));
        CHECK(key && key->fallback && key->text[0] != '\0');
    }
}

static void the_table_is_sound_and_documented(void)
{
    size_t n;
    const struct config_key *keys = config_keys(&n);
    struct buf out = { 0 };

    config_document(&out);
    for (size_t i = 0; i < n; i++) {
        struct key_range range;
        char want[128];
        CHECK(!keys[i].range || key_range_parse(keys[i].range, &range));
        CHECK(key_find(str_from(keys[i].path)) == &keys[i]);
        CHECK(str_starts(str_from(keys[i].path), record_pattern(keys[i].record)));
        snprintf(want, sizeof(want), "| `%s` |", keys[i].path);
        CHECK(str_find(buf_str(&out), str_from(want)) != STR_NPOS);
    }
    CHECK(!out.failed);
    buf_fini(&out);
}

static void ranges_are_parsed(void)
{
    static const char *const bad[] = {
        "[0, 10", "0, 1]", "[0; 1]", "[a, 1]", "[0, b]", "", "(0, 1"
    };
    struct key_range range = { 0 };

    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK(!key_range_parse(bad[i], &range));
    CHECK(key_range_parse("(0.5, 1)", &range) && range.is_low_open && range.is_high_open);
    CHECK_NEAR(range.low + range.high, 1.5, 0);
    CHECK(key_range_parse("[0, 1]", &range) && !range.is_low_open && !range.is_high_open);
}

/* Once for each place. */
static void what_is_wrong_twice_is_said_twice(void)
{
    struct loaded l = load(STR("providers:\n  'a b': {base_url: 'http://a'}\n"
                               "  'c d': {base_url: 'http://a'}\n"));

    CHECK_INT(l.issues.errors, 2);
    unload(&l);
}

static void limits_hold(void)
{
    struct buf text = { 0 };

    for (int i = 0; i < 5000; i++)
        buf_printf(&text, "k%d: 1\n", i);
    struct loaded l = load(buf_str(&text));
    CHECK_STR(str_from(l.first), STR("4097:8 more than 4096 entries"));
    unload(&l);

    buf_reset(&text);
    for (int i = 0; i < 200; i++)
        buf_printf(&text, "k%d: 1\n", i);
    l = load(buf_str(&text));
    CHECK_INT(l.issues.count, CONFIG_ISSUES_MAX);
    CHECK_INT(l.issues.errors, 200);
    CHECK_STR(l.issues.items[CONFIG_ISSUES_MAX - 1].message,
              STR("and more; the rest is not shown"));
    unload(&l);

    buf_reset(&text);
    while (text.len <= CONFIG_FILE_BYTES_MAX)
        buf_add(&text, STR("# a comment of some length that says nothing\n"));
    l = load(buf_str(&text));
    CHECK_STR(str_from(l.first), STR("0:0 the file is larger than 1 MiB"));
    unload(&l);
    l = load(str_slice(buf_str(&text), 0, CONFIG_FILE_BYTES_MAX));
    CHECK_ERR(l.e, OK);
    unload(&l);
    buf_fini(&text);

    l = load((str){ "model: a\0b", 10 });
    CHECK_STR(str_from(l.first), STR("1:9 control characters are not allowed"));
    unload(&l);
    l = load_file("/nowhere/at/all.yaml");
    CHECK_STR(str_from(l.first), STR("0:0 cannot be read: No such file or directory"));
    unload(&l);
    l = load_file("/tmp");
    CHECK_STR(str_from(l.first), STR("0:0 cannot be read: it is no regular file"));
    unload(&l);
    config_close(NULL);
}

TESTS(TEST(bad_files_are_refused_at_their_place), TEST(defaults_hold_without_a_file),
      TEST(values_reach_their_fields), TEST(the_strategies_get_their_part), TEST(choices_are_known),
      TEST(keys_without_effect_are_said), TEST(every_key_of_the_seed_is_in_the_table),
      TEST(the_table_is_sound_and_documented), TEST(limits_hold), TEST(ranges_are_parsed),
      TEST(what_is_wrong_twice_is_said_twice))
