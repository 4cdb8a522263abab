/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alerts: `alerts` to channels and a policy. Rules begin as the default ones; a mapping of a default rule's name changes only
 * what it sets; another name is a rule of one's own. What cannot work is an error at its place.
 */
#include "edge/config/internal.h"

#define UNSET (-1.0)

static const struct yaml_node *alerts_map(const struct config_build *build, str name,
                                          size_t *out_count)
{
    const struct yaml_node *map = yaml_get(yaml_get(build->root, STR("alerts")), name);

    *out_count = map && map->kind == YAML_MAPPING ? map->count : 0;
    return *out_count > 0 ? map->first : NULL;
}

/* ---- channels ---- */

/* An address that is a secret is named, like any other. */
static bool url_resolve(struct config_build *build, const struct yaml_node *node, str *url)
{
    struct config_place place = place_of(yaml_get(node, STR("url")));

    if (!str_starts(*url, STR("env:")) && !str_starts(*url, STR("file:")))
        return true;
    if (secret_read(build, node->file, *url, url) == SECRET_FOUND)
        return true;
    issue_add(build->issues, &place, "alerts.channels.%.*s.url cannot be read from what it names",
              STR_ARG(issue_text(&build->scratch, node->key)));
    return false;
}

static void channel_make(struct config_build *build, const struct yaml_node *node,
                         const struct config_channel *from, struct wire_channel *out)
{
    struct wire_channel c = { .name = name_take(build, node, "channel"),
                              .url = from->url,
                              .from = from->from,
                              .user = from->user,
                              .password = from->password,
                              .sends_resolved = from->sends_resolved };
    struct config_place place = place_of_key(node);
    bool is_slack = str_eq(from->kind, STR("slack"));

    if (!wire_kind_find(from->kind, &c.kind) ||
        !alert_severity_find(from->severity_min, &c.severity_min))
        return; /* said already */
    if (from->secrets.count > WIRE_SECRETS_MAX || from->to.count > WIRE_RECIPIENTS_MAX) {
        issue_add(build->issues, &place,
                  "alerts.channels.%.*s has more than %d secrets or %d receivers", STR_ARG(c.name),
                  WIRE_SECRETS_MAX, WIRE_RECIPIENTS_MAX);
        return;
    }
    if (is_slack && (str_starts(c.url, STR("http")))) {
        issue_add(build->issues, &place,
                  "alerts.channels.%.*s.url is a secret: write env:NAME or file:PATH instead",
                  STR_ARG(c.name));
        return;
    }
    for (size_t i = 0; i < from->secrets.count; i++)
        c.secrets[c.secret_count++] = from->secrets.values[i];
    for (size_t i = 0; i < from->to.count; i++)
        c.to[c.to_count++] = from->to.items[i];
    if (!url_resolve(build, node, &c.url))
        return;
    const char *why = wire_channel_fault(&c);
    if (why)
        issue_add(build->issues, &place, "alerts.channels.%.*s: %s", STR_ARG(c.name), why);
    *out = c;
}

static void channels_load(struct config_build *build)
{
    struct config *c = &build->snapshot->config;
    size_t n;
    const struct yaml_node *node = alerts_map(build, STR("channels"), &n);
    struct wire_channel *channels = ARENA_ARRAY(&c->arena, n + 1, struct wire_channel);
    struct alert_receiver *receivers = ARENA_ARRAY(&c->arena, n + 1, struct alert_receiver);
    struct config_place place =
        place_of(yaml_get(yaml_get(build->root, STR("alerts")), STR("channels")));

    struct buf written = { 0 };

    if (!channels || !receivers)
        return;
    if (n > ALERT_RECEIVERS_MAX) {
        issue_add(build->issues, &place, "more than %d channels", ALERT_RECEIVERS_MAX);
        return;
    }
    for (size_t i = 0; node; node = node->next, i++) {
        struct config_channel from = { 0 };
        struct record record = { .kind = RECORD_CHANNEL,
                                 .base = &from,
                                 .shown =
                                     path_join(&build->scratch, STR("alerts.channels"), node->key),
                                 .owner = node->key };
        size_t errors = build->issues->errors;
        record_load(build, &record, node);
        entry_print(&record, node->key, &written);
        if (build->issues->errors == errors)
            channel_make(build, node, &from, &channels[i]);
        receivers[i] = (struct alert_receiver){ channels[i].name, channels[i].severity_min,
                                                channels[i].sends_resolved };
    }
    c->alerts.channels = channels;
    c->alerts.channel_count = n;
    c->alerts.policy.receivers = receivers;
    c->alerts.policy.receiver_count = n;
    build->snapshot->channels_hash = str_hash(buf_str(&written));
    buf_fini(&written);
}

/* ---- rules ---- */

static struct config_rule rule_unset(void)
{
    return (struct config_rule){ .is_enabled = true,
                                 .threshold = UNSET,
                                 .clear = UNSET,
                                 .objective = UNSET,
                                 .factor = UNSET,
                                 .window = -1,
                                 .pending = -1,
                                 .keep_firing = -1,
                                 .short_window = -1,
                                 .n_min = -1,
                                 .bad_min = -1 };
}

static void set_number(double *out, double value)
{
    if (value > UNSET)
        *out = value;
}

static void set_integer(int64_t *out, int64_t value)
{
    if (value >= 0)
        *out = value;
}

/* The mask of `by`; false when a word is none of its words. */
static bool by_of(const struct config_texts *texts, unsigned *out)
{
    unsigned by = 0;

    for (size_t i = 0; i < texts->count; i++) {
        if (str_eq(texts->items[i], STR("arm")))
            by |= ALERT_BY_ARM;
        else if (str_eq(texts->items[i], STR("domain")))
            by |= ALERT_BY_DOMAIN;
        else
            return false;
    }
    *out = by;
    return true;
}

/* What was written over what the rule was; what is wrong with it then, or NULL. */
static const char *rule_apply(const struct config_rule *from, bool is_new, struct alert_rule *rule)
{
    double threshold_before = rule->threshold;

    if (is_new && from->metric.len == 0)
        return "a rule of your own needs a metric";
    if (is_new && from->threshold <= UNSET && from->objective <= UNSET)
        return "a rule of your own needs a threshold, or an objective and a factor";
    if (from->metric.len > 0 && !alert_metric_find(from->metric, &rule->metric))
        return "unknown metric";
    if (from->severity.len > 0 && !alert_severity_find(from->severity, &rule->severity))
        return "unknown severity";
    if (from->by.items && !by_of(&from->by, &rule->by))
        return "`by` lists arm and domain, nothing else";
    if (from->runbook.len > 0)
        rule->runbook = from->runbook;
    set_number(&rule->threshold, from->threshold);
    if (from->clear > UNSET)
        rule->clear = from->clear;
    else if (is_new)
        rule->clear = rule->threshold;
    else /* the distance stays, so that a default's hysteresis does */
        rule->clear += rule->threshold - threshold_before;
    set_number(&rule->burn.objective, from->objective);
    set_number(&rule->burn.factor, from->factor);
    set_integer(&rule->burn.short_window, from->short_window);
    set_integer(&rule->burn.bad_min, from->bad_min);
    set_integer(&rule->window, from->window);
    set_integer(&rule->pending, from->pending);
    set_integer(&rule->keep_firing, from->keep_firing);
    set_integer(&rule->n_min, from->n_min);
    return alert_rule_fault(rule);
}

/* The default rule of a name, else a free place at the end. */
static struct alert_rule *rule_place(struct alert_rule *rules, size_t *count, str name,
                                     bool *out_is_new)
{
    for (size_t i = 0; i < *count; i++) {
        if (!str_eq(rules[i].name, name))
            continue;
        *out_is_new = false;
        return &rules[i];
    }
    *out_is_new = true;
    struct alert_rule *rule = &rules[(*count)++];
    *rule = (struct alert_rule){ .name = name,
                                 .severity = ALERT_WARNING,
                                 .window = 600 * NSEC_PER_SEC,
                                 .pending = 120 * NSEC_PER_SEC,
                                 .keep_firing = 300 * NSEC_PER_SEC,
                                 .n_min = 50 };
    return rule;
}

static void rule_load(struct config_build *build, const struct yaml_node *node,
                      struct alert_rule *rules, size_t *count, struct buf *written)
{
    struct config_rule from = rule_unset();
    struct record record = { .kind = RECORD_RULE,
                             .base = &from,
                             .shown = path_join(&build->scratch, STR("alerts.rules"), node->key) };
    size_t errors = build->issues->errors;
    struct config_place place = place_of_key(node);
    bool is_new;

    record_load(build, &record, node);
    entry_print(&record, node->key, written);
    if (build->issues->errors != errors)
        return;
    str name = name_take(build, node, "rule");
    struct alert_rule *rule = rule_place(rules, count, name, &is_new);
    if (!from.is_enabled) {
        *rule = rules[--*count]; /* the order says nothing */
        return;
    }
    const char *why = rule_apply(&from, is_new, rule);
    if (why)
        issue_add(build->issues, &place, "alerts.rules.%.*s: %s", STR_ARG(name), why);
}

static void rules_load(struct config_build *build)
{
    struct config *c = &build->snapshot->config;
    size_t n, count;
    const struct alert_rule *defaults = alert_rules_default(&count);
    const struct yaml_node *node = alerts_map(build, STR("rules"), &n);
    struct alert_rule *rules = ARENA_ARRAY(&c->arena, count + n, struct alert_rule);
    struct buf written = { 0 };

    if (!rules)
        return;
    if (count + n > ALERT_RULES_MAX) {
        struct config_place place = place_of(node);
        issue_add(build->issues, &place, "more than %zu rules beside the default ones",
                  ALERT_RULES_MAX - count);
        return;
    }
    for (size_t i = 0; i < count; i++)
        rules[i] = defaults[i];
    for (; node; node = node->next)
        rule_load(build, node, rules, &count, &written);
    c->alerts.policy.rules = rules;
    c->alerts.policy.rule_count = count;
    build->snapshot->rules_hash = str_hash(buf_str(&written));
    buf_fini(&written);
}

void alerts_load(struct config_build *build)
{
    static const struct alert_inhibition mute = {
        .source = { "severity", "critical", false },
        .target = { "severity", "warning", false },
        .same_arm = true,
    };
    struct alert_policy *policy = &build->snapshot->config.alerts.policy;

    channels_load(build);
    rules_load(build);
    policy->inhibitions = build->snapshot->mutes_warnings ? &mute : NULL;
    policy->inhibition_count = build->snapshot->mutes_warnings ? 1 : 0;
}
