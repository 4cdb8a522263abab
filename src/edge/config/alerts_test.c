/* SPDX-License-Identifier: Apache-2.0 */
/* The tests of `alerts`: defaults, what a mapping changes of them, channels, and errors at their places. */
#include "edge/config/config_check.h"

#include <stdlib.h>

static const struct alert_rule *rule_of(const struct config *c, const char *name)
{
    for (size_t i = 0; i < c->alerts.policy.rule_count; i++) {
        if (str_eq(c->alerts.policy.rules[i].name, str_from(name)))
            return &c->alerts.policy.rules[i];
    }
    return NULL;
}

static void without_a_word_the_default_rules_are_watched(void)
{
    struct loaded l = load(STR("model: gpt-4o-mini\n"));
    size_t n;

    REQUIRE(l.c != NULL);
    (void)alert_rules_default(&n);
    CHECK_INT(l.c->alerts.policy.rule_count, n);
    CHECK_INT(l.c->alerts.channel_count, 0);
    CHECK_INT(l.c->alerts.policy.group_wait, 30 * NSEC_PER_SEC);
    CHECK_INT(l.c->alerts.policy.group_interval, 300 * NSEC_PER_SEC);
    CHECK_INT(l.c->alerts.policy.repeat_interval, 4 * 3600 * NSEC_PER_SEC);
    CHECK_INT(l.c->alerts.policy.inhibition_count, 1);
    unload(&l);
}

static void rules_are_changed_added_and_taken_away(void)
{
    struct loaded l = load(
        STR("alerts:\n"
            "  mute_warnings: false\n"
            "  group_wait: 5s\n"
            "  rules:\n"
            "    success_rate_low: {threshold: 0.97}\n"
            "    cost_per_query_high: {enabled: false}\n"
            "    mine:\n"
            "      {metric: latency_p95, threshold: 900, window: 2m, for: 30s, by: [arm, domain],\n"
            "       severity: critical, n_min: 10}\n"
            "    slow: {metric: error_rate, objective: 0.999, factor: 6, window: 1d, short_window: "
            "2h,\n"
            "           bad_min: 3}\n"));
    size_t n;

    if (!l.c)
        fprintf(stderr, "%s\n", l.first);
    REQUIRE(l.c != NULL);
    (void)alert_rules_default(&n);
    CHECK_INT(l.c->alerts.policy.rule_count, n + 1);
    CHECK_INT(l.c->alerts.policy.inhibition_count, 0);
    CHECK_INT(l.c->alerts.policy.group_wait, 5 * NSEC_PER_SEC);
    CHECK(!rule_of(l.c, "cost_per_query_high"));
    CHECK_NEAR(rule_of(l.c, "success_rate_low")->threshold, 0.97, 0);
    CHECK_NEAR(rule_of(l.c, "success_rate_low")->clear, 0.98, 1e-12); /* as far above as before */
    CHECK_INT(rule_of(l.c, "success_rate_low")->n_min, 50);
    const struct alert_rule *mine = rule_of(l.c, "mine");
    REQUIRE(mine != NULL);
    CHECK_INT(mine->metric, ALERT_LATENCY_P95);
    CHECK_INT(mine->severity, ALERT_CRITICAL);
    CHECK_INT(mine->by, ALERT_BY_ARM | ALERT_BY_DOMAIN);
    CHECK_INT(mine->window, 120 * NSEC_PER_SEC);
    CHECK_INT(mine->pending, 30 * NSEC_PER_SEC);
    CHECK_INT(mine->n_min, 10);
    CHECK_NEAR(mine->clear, 900, 0);
    CHECK_INT(rule_of(l.c, "slow")->burn.short_window, 7200 * NSEC_PER_SEC);
    unload(&l);
}

static void channels_are_read_with_their_secrets(void)
{
    setenv("WEIR_TEST_SLACK", "https://hooks.example/T/B/x", 1);
    setenv("WEIR_TEST_ROUTING", "0123456789abcdef0123456789abcdef", 1);
    setenv("WEIR_TEST_WHSEC", "whsec_MDEyMzQ1Njc4OWFiY2RlZg==", 1);
    struct loaded l = load(STR(
        "alerts:\n"
        "  channels:\n"
        "    chat: {kind: slack, url: 'env:WEIR_TEST_SLACK', severity_min: warning}\n"
        "    pager: {kind: pagerduty, secrets: ['env:WEIR_TEST_ROUTING'], severity_min: critical,\n"
        "            sends_resolved: false}\n"
        "    hook: {kind: webhook, url: 'http://127.0.0.1:9/x', secrets: ['env:WEIR_TEST_WHSEC']}\n"
        "    am: {kind: alertmanager, url: 'http://127.0.0.1:9093'}\n"
        "    mail: {kind: email, url: 'smtp://127.0.0.1:25', from: a@b.example, to: "
        "[c@d.example]}\n"));

    if (!l.c)
        fprintf(stderr, "%s\n", l.first);
    REQUIRE(l.c != NULL);
    REQUIRE(l.c->alerts.channel_count == 5);
    CHECK_STR(l.c->alerts.channels[0].url, STR("https://hooks.example/T/B/x"));
    CHECK_STR(l.c->alerts.channels[1].secrets[0], STR("0123456789abcdef0123456789abcdef"));
    CHECK_INT(l.c->alerts.channels[1].kind, WIRE_PAGERDUTY);
    CHECK_STR(l.c->alerts.channels[4].to[0], STR("c@d.example"));
    CHECK_STR(l.c->alerts.policy.receivers[1].name, STR("pager"));
    CHECK_INT(l.c->alerts.policy.receivers[1].severity_min, ALERT_CRITICAL);
    CHECK(!l.c->alerts.policy.receivers[1].sends_resolved);
    CHECK(l.c->alerts.policy.receivers[0].sends_resolved);
    unload(&l);
}

static void what_cannot_work_is_refused_at_its_place(void)
{
    static const struct {
        const char *text;
        const char *want;
    } rows[] = {
        { "alerts:\n  rules:\n    mine: {threshold: 1}\n",
          "3:5 alerts.rules.mine: a rule of your own needs a metric" },
        { "alerts:\n  rules:\n    mine: {metric: succes_rate}\n",
          "3:20 alerts.rules.mine.metric must be one of" },
        { "alerts:\n  rules:\n    mine: {metric: success_rate}\n",
          "3:5 alerts.rules.mine: a rule of your own needs a threshold" },
        { "alerts:\n  rules:\n    success_rate_low: {thresold: 1}\n",
          "3:24 unknown key 'alerts.rules.success_rate_low.thresold'; did you mean" },
        { "alerts:\n  rules:\n    success_rate_low: {clear: 0.9}\n",
          "3:5 alerts.rules.success_rate_low: the level that ends it" },
        { "alerts:\n  rules:\n    success_rate_low: {window: 10}\n",
          "3:32 alerts.rules.success_rate_low.window must be a time such as" },
        { "alerts:\n  rules:\n    success_rate_low: {by: [arms]}\n",
          "3:5 alerts.rules.success_rate_low: `by` lists arm and domain" },
        { "alerts:\n  rules:\n    Mine: {metric: cost_per_query, threshold: 1}\n",
          "3:5 alerts.rules.Mine: a name is" },
        { "alerts:\n  group_wait: 2w\n", "2:15 alerts.group_wait must be a time such as" },
        { "alerts:\n  group_interval: 0s\n", "2:19 alerts.group_interval must be in" },
        { "alerts:\n  channels:\n    a: {kind: carrier}\n",
          "3:15 alerts.channels.a.kind must be one of" },
        { "alerts:\n  channels:\n    a: {url: 'http://x'}\n",
          "3:5 alerts.channels.a.kind is required" },
        { "alerts:\n  channels:\n    a: {kind: slack, url: 'https://hooks.slack.com/x'}\n",
          "3:5 alerts.channels.a.url is a secret" },
        { "alerts:\n  channels:\n    a: {kind: slack, url: 'env:WEIR_TEST_UNSET_X'}\n",
          "3:27 alerts.channels.a.url cannot be read" },
        { "alerts:\n  channels:\n    a: {kind: pagerduty}\n",
          "3:5 alerts.channels.a: pagerduty needs a routing key" },
        { "alerts:\n  channels:\n    a: {kind: email, url: 'smtp://x', to: hm}\n",
          "must be a list" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct loaded l = load(str_from(rows[i].text));
        if (l.c || str_find(str_from(l.first), str_from(rows[i].want)) == STR_NPOS)
            fprintf(stderr, "%s    %s\n", rows[i].text, l.first);
        CHECK(!l.c);
        CHECK(str_find(str_from(l.first), str_from(rows[i].want)) != STR_NPOS);
        unload(&l);
    }
}

TESTS(TEST(without_a_word_the_default_rules_are_watched),
      TEST(rules_are_changed_added_and_taken_away), TEST(channels_are_read_with_their_secrets),
      TEST(what_cannot_work_is_refused_at_its_place))
