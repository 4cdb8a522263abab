/* SPDX-License-Identifier: Apache-2.0 */
/* silence: who must not be woken: matchers, silences, inhibition. */
#include "core/alert/alert_internal.h"

static const char *const labels[] = { "alertname", "severity", "arm", "domain" };

/* The value of a label; ptr NULL for an unknown one. */
static str label_value(const struct alert_machine *m, const struct alert_instance *i, str label)
{
    const struct alert_rule *rule = alert_rule_of(m, i);

    if (str_eq(label, STR("alertname")))
        return rule->name;
    if (str_eq(label, STR("severity")))
        return str_from(alert_severity_name(rule->severity));
    if (str_eq(label, STR("arm")))
        return str_from(i->arm);
    if (str_eq(label, STR("domain")))
        return str_from(i->domain);
    return (str){ 0 };
}

static bool is_label(str name)
{
    for (size_t i = 0; i < ARRAY_LEN(labels); i++) {
        if (str_eq(name, str_from(labels[i])))
            return true;
    }
    return false;
}

bool alert_matches(const struct alert_machine *m, const struct alert_matcher *matcher,
                   const struct alert_instance *i)
{
    str value = label_value(m, i, str_from(matcher->label));
    str want = str_from(matcher->value);
    bool is_prefix = str_ends(want, STR("*"));
    bool is_equal =
        is_prefix ? str_starts(value, str_slice(want, 0, want.len - 1)) : str_eq(value, want);

    return is_equal != matcher->is_negative;
}

static bool is_bounded(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '\0')
            return true;
    }
    return false;
}

enum err alert_silence_add(struct alert_machine *m, const struct alert_silence *silence,
                           uint64_t *out_id)
{
    bool is_sound = silence->matcher_count > 0 && silence->matcher_count <= ALERT_MATCHERS_MAX &&
                    silence->ends > silence->starts && silence->author[0] != '\0' &&
                    is_bounded(silence->author, sizeof(silence->author)) &&
                    is_bounded(silence->comment, sizeof(silence->comment));

    for (size_t i = 0; is_sound && i < silence->matcher_count; i++) {
        const struct alert_matcher *matcher = &silence->matchers[i];
        is_sound = is_bounded(matcher->label, sizeof(matcher->label)) &&
                   is_bounded(matcher->value, sizeof(matcher->value)) &&
                   is_label(str_from(matcher->label));
    }
    if (!is_sound)
        return CALLER_BAD_REQUEST;
    struct alert_silence *place = NULL;
    if (m->silence_count < ALERT_SILENCES_MAX) {
        place = &m->silences[m->silence_count++];
    } else {
        for (size_t i = 0; i < m->silence_count && !place; i++) {
            if (m->silences[i].ends <= m->now)
                place = &m->silences[i];
        }
    }
    if (!place)
        return WEIR_OVERLOADED;
    *place = *silence;
    place->id = ++m->silence_last;
    *out_id = place->id;
    return OK;
}

bool alert_silence_end(struct alert_machine *m, uint64_t id, usec_utc now)
{
    for (size_t i = 0; i < m->silence_count; i++) {
        struct alert_silence *s = &m->silences[i];
        if (s->id != id || s->ends <= now)
            continue;
        s->ends = now;
        return true;
    }
    return false;
}

const struct alert_silence *alert_silence_at(const struct alert_machine *m, size_t i)
{
    return i < m->silence_count ? &m->silences[i] : NULL;
}

bool alert_is_silenced(const struct alert_machine *m, const struct alert_instance *instance,
                       usec_utc now, uint64_t *out_id)
{
    for (size_t i = 0; i < m->silence_count; i++) {
        const struct alert_silence *s = &m->silences[i];
        bool holds = s->starts <= now && now < s->ends;
        for (size_t k = 0; holds && k < s->matcher_count; k++)
            holds = alert_matches(m, &s->matchers[k], instance);
        if (!holds)
            continue;
        if (out_id)
            *out_id = s->id;
        return true;
    }
    return false;
}

static bool is_source(const struct alert_machine *m, const struct alert_inhibition *rule,
                      const struct alert_instance *source, const struct alert_instance *target)
{
    return source->fingerprint != 0 && source != target && source->state == ALERT_FIRING &&
           alert_matches(m, &rule->source, source) &&
           (!rule->same_arm || str_eq(str_from(source->arm), str_from(target->arm))) &&
           (!rule->same_domain || str_eq(str_from(source->domain), str_from(target->domain)));
}

bool alert_is_inhibited(const struct alert_machine *m, const struct alert_instance *target)
{
    for (size_t i = 0; i < m->policy.inhibition_count; i++) {
        const struct alert_inhibition *rule = &m->policy.inhibitions[i];
        /* What is itself a source is never muted by its own rule, or two could mute each other. */
        if (!alert_matches(m, &rule->target, target) || alert_matches(m, &rule->source, target))
            continue;
        for (size_t k = 0; k < ALERT_INSTANCES_MAX; k++) {
            if (is_source(m, rule, &m->instances[k], target))
                return true;
        }
    }
    return false;
}
