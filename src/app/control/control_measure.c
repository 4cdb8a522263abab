/* SPDX-License-Identifier: Apache-2.0 */
/* control_measure: what the controller knows, as families for whoever scrapes. Rollouts, arms and rules have names that operators
 * give, so labels are their kinds alone. */
#include "app/control/control_internal.h"

#include "core/telemetry/metric.h"

static void labelled_put(const struct metric_sink *sink, const char *label, const char *value,
                         double n)
{
    struct metric_point p = {
        .labels = { { label, str_from(value) } }, .label_count = 1, .value = n, .is_integer = true
    };

    metric_point_put(sink, &p);
}

static void alerts_put(const struct controller *c, const struct metric_sink *sink)
{
    static const struct metric_family firing = { "weir_alerts_firing", METRIC_GAUGE, "",
                                                 "Alerts that fire, by severity." };
    static const struct metric_family dead = { "weir_notifications_dead", METRIC_GAUGE, "",
                                               "Messages that no channel took." };
    int64_t counts[ALERT_SEVERITY_COUNT] = { 0 };
    const struct alert_instance *instance;

    for (size_t i = 0; (instance = alert_at(c->alerting.machine, i)) != NULL; i++)
        if (instance->state == ALERT_FIRING)
            counts[alert_rule_of(c->alerting.machine, instance)->severity]++;
    metric_family_put(sink, &firing);
    for (size_t s = 0; s < ALERT_SEVERITY_COUNT; s++)
        labelled_put(sink, "severity", alert_severity_name((enum alert_severity)s),
                     (double)counts[s]);
    if (c->alerting.dead_known >= 0)
        metric_put(sink, &dead, (double)c->alerting.dead_known, true);
}

static void rollout_put(const struct controller *c, const struct metric_sink *sink)
{
    static const struct metric_family state = { "weir_rollout_state", METRIC_GAUGE, "",
                                                "1 for the state that the current rollout is in." };
    static const struct metric_family step = { "weir_rollout_step", METRIC_GAUGE, "",
                                               "Its step, from 1; 0: there is none." };
    static const struct metric_family share = { "weir_rollout_step_ratio", METRIC_GAUGE, "ratio",
                                                "The share of units in the canary at that step." };
    const struct rollout *r = c->rollout ? &c->rollout->machine : NULL;

    metric_family_put(sink, &state);
    for (size_t s = 0; s < ROLLOUT_STATE_COUNT; s++)
        labelled_put(sink, "state", rollout_state_name((enum rollout_state)s),
                     r && r->place.state == (enum rollout_state)s);
    bool is_under_way = r && (r->place.state == ROLLOUT_RUNNING ||
                              r->place.state == ROLLOUT_PAUSED || r->place.state == ROLLOUT_BAKING);
    metric_put(sink, &step, is_under_way ? (double)(r->place.step + 1) : 0, true);
    metric_put(sink, &share, is_under_way ? (double)r->spec->steps[r->place.step].share / 1e6 : 0,
               false);
}

static void running_put(const struct controller *c, const struct metric_sink *sink)
{
    static const struct metric_family experiments = { "weir_experiments_running", METRIC_GAUGE, "",
                                                      "Experiments that take traffic." };
    static const struct metric_family dropped = {
        "weir_feed_dropped_total", METRIC_COUNTER, "",
        "Facts about queries that the control loop was too slow for."
    };
    size_t running = 0;
    uint64_t lost = 0;

    for (size_t i = 0; i < c->experiment_count; i++)
        running += c->experiments[i]->is_running;
    for (size_t i = 0; i < c->options.feed_count; i++)
        lost += feed_dropped(c->options.feeds[i]);
    metric_put(sink, &experiments, (double)running, true);
    metric_put(sink, &dropped, (double)lost, true);
}

void controller_measure(void *ctx, const struct metric_sink *sink)
{
    const struct controller *c = ctx;

    alerts_put(c, sink);
    rollout_put(c, sink);
    running_put(c, sink);
}
