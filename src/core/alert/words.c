/* SPDX-License-Identifier: Apache-2.0 */
/* words: an instance as a sentence for people: what it fell or rose to, against which threshold. */
#include "core/alert/alert_internal.h"

static str value_text(struct arena *arena, enum alert_unit unit, double value)
{
    switch (unit) {
    case ALERT_UNIT_RATIO:
        return arena_printf(arena, "%.2f %%", value * 100.0);
    case ALERT_UNIT_USD:
        return arena_printf(arena, "$%.6f", value);
    case ALERT_UNIT_MS:
        return arena_printf(arena, "%.0f ms", value);
    case ALERT_UNIT_COUNT:
        return arena_printf(arena, "%.0f", value);
    }
    return (str){ 0 };
}

static str duration_text(struct arena *arena, nsec duration)
{
    int64_t seconds = duration / NSEC_PER_SEC;

    if (seconds % 86400 == 0 && seconds > 86400)
        return arena_printf(arena, "%" PRId64 " d", seconds / 86400);
    if (seconds % 3600 == 0)
        return arena_printf(arena, "%" PRId64 " h", seconds / 3600);
    if (seconds % 60 == 0)
        return arena_printf(arena, "%" PRId64 " min", seconds / 60);
    return arena_printf(arena, "%" PRId64 " s", seconds);
}

static str labels_text(struct arena *arena, const struct alert_instance *i)
{
    return arena_printf(arena, "%s%s%s%s", i->arm[0] ? ", arm " : "", i->arm,
                        i->domain[0] ? ", domain " : "", i->domain);
}

str alert_sentence(const struct alert_machine *m, const struct alert_instance *i,
                   struct arena *arena)
{
    const struct alert_rule *rule = alert_rule_of(m, i);
    const struct alert_metric_info *info = alert_metric_info(rule->metric);
    str window = duration_text(arena, rule->window), labels = labels_text(arena, i);

    if (rule->burn.objective != 0.0)
        return arena_printf(
            arena,
            "the error budget of %.4g %% burns %.1f times too fast, limit %.4g, over "
            "%.*s (n = %" PRId64 ")%.*s",
            (1.0 - rule->burn.objective) * 100.0, i->value, rule->burn.factor, STR_ARG(window),
            i->n, STR_ARG(labels));
    str value = value_text(arena, info->unit, i->value);
    str threshold = value_text(arena, info->unit, rule->threshold);
    bool is_below = info->side == ALERT_BELOW;
    const char *sign = i->state == ALERT_FIRING ? (is_below ? "<" : ">") : "against";
    return arena_printf(arena, "%s %.*s %s %.*s over %.*s (n = %" PRId64 ")%.*s", info->text,
                        STR_ARG(value), sign, STR_ARG(threshold), STR_ARG(window), i->n,
                        STR_ARG(labels));
}
