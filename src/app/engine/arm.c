/* SPDX-License-Identifier: Apache-2.0 */
/* arm: a query's assignment to the arms of rollouts and experiments, and what the feed is told of both. */
#include "app/engine/engine_internal.h"

#include "app/access/access.h"
#include "base/rng.h"

/* ---- assignment ---- */

static void profile_take(struct query *q, const struct engine_profile *profile)
{
    if (!profile)
        return; /* the arm changes nothing */
    q->profile = profile;
    q->route.profile = profile->config;
    q->route.model = profile->config->model;
    if (q->route.is_auto)
        q->route.strategy = strategy_configured(profile->config);
}

static struct unit rollout_take(struct query *q, const struct arms *arms,
                                const struct unit_ids *ids)
{
    struct rollout_assignment a = rollout_assign(&arms->snapshot, ids);

    q->assignment.rollout = arms->rollout;
    q->assignment.rollout_phase = a.phase;
    q->assignment.rollout_arm = (uint8_t)a.arm;
    q->arm = arms->labels[a.arm];
    if (a.arm == ARM_CANARY)
        profile_take(q, arms->canary);
    return a.unit;
}

static void experiments_take(struct query *q, const struct arms *arms, str unit)
{
    for (size_t i = 0; i < arms->experiment_count; i++) {
        const struct arms_experiment *x = &arms->experiments[i];
        struct experiment_assignment a = experiment_assign(&x->experiment, unit);
        if (a.arm == EXPERIMENT_ARM_NONE)
            continue;
        q->assignment.experiment = x->number;
        q->assignment.experiment_arm = (uint8_t)a.arm;
        q->assignment.experiment_epoch = x->epoch;
        q->arm = x->labels[a.arm];
        q->arm_share = (double)x->experiment.arms[a.arm].share / SHARE_WHOLE;
        profile_take(q, x->profiles[a.arm]);
        return; /* one at most: two would measure each other */
    }
}

static void expose(const struct query *q, const struct unit *unit)
{
    if (unit->kind == UNIT_NONE || (q->assignment.rollout == 0 && q->assignment.experiment == 0))
        return;
    struct feed_fact fact = {
        .assignment = q->assignment,
        .unit = rng_mix(str_hash(unit->id)),
        .flags = (uint8_t)(FEED_EXPOSURE | (unit->kind == UNIT_REQUEST ? 0 : FEED_IS_REPEATED)),
    };
    feed_put(q->engine->feed, &fact);
}

static void arms_take(struct query *q, const struct arms *arms)
{
    char id[20];
    /* The name of a key in the configuration is no tenant: who shares it would share an arm. */
    str tenant = q->key && key_is_configured(q->key) ? STR("") : q->tenant;

    const struct unit_ids ids = { .conversation = q->conversation,
                                  .user = q->user,
                                  .tenant = tenant,
                                  .request = ledger_id_format(q->id, id) };
    struct unit unit = unit_pick(&ids);

    if (arms->rollout != 0)
        unit = rollout_take(q, arms, &ids);
    if (!arms->is_measured || q->assignment.rollout_arm == ARM_BASELINE)
        experiments_take(q, arms, unit.id);
    expose(q, &unit);
}

void query_assign(struct query *q)
{
    struct engine *e = q->engine;
    bool names_its_model = q->route.is_plain || q->model_override.len > 0;

    q->profile = e->profile;
    if (!e->arms || names_its_model || q->is_audit)
        return;
    const struct arms *arms = arms_enter(e->arms, &e->arms_reader);
    if (!arms)
        return;
    arms_take(q, arms);
    arms_exit(&e->arms_reader);
}

enum metrics_arm query_arm_kind(const struct query *q)
{
    static const enum metrics_arm of_rollout[ROLLOUT_ARM_COUNT] = {
        [ARM_BASELINE] = METRICS_ARM_BASELINE,
        [ARM_CONTROL] = METRICS_ARM_CONTROL,
        [ARM_CANARY] = METRICS_ARM_CANARY,
        [ARM_HOLDBACK] = METRICS_ARM_HOLDBACK,
    };

    if (q->assignment.experiment != 0)
        return q->assignment.experiment_arm == 0 ? METRICS_ARM_CONTROL : METRICS_ARM_TREATMENT;
    return q->assignment.rollout != 0 ? of_rollout[q->assignment.rollout_arm] : METRICS_ARM_NONE;
}

/* ---- how it ended ---- */

/* Of a strategy weir writes the requests: what a provider refuses there is the configuration's fault. */
static bool is_the_clients_fault(const struct query *q)
{
    return (q->fault != OK && q->fault <= CALLER_GONE) || q->fault == POLICY_LIMIT ||
           q->fault == POLICY_QUOTA || (q->fault == PROVIDER_REJECTED && q->route.is_plain);
}

static uint8_t flags_of(const struct query *q)
{
    unsigned flags = q->route.is_plain ? FEED_PLAIN : 0u;

    if (q->fault == OK)
        flags |= FEED_ANSWERED;
    else if (q->fault == CALLER_GONE)
        flags |= FEED_GONE;
    else
        flags |= FEED_FAILED;
    if (q->best.is_calibrated)
        flags |= FEED_IS_CALIBRATED;
    return (uint8_t)flags;
}

void query_report_end(const struct query *q)
{
    struct feed *feed = q->engine->feed;

    if (!feed || q->is_audit || q->fault == WEIR_STOPPING ||
        (is_the_clients_fault(q) && q->fault != CALLER_GONE))
        return;
    double verdict = label_verdict_of(q);
    struct feed_fact fact = {
        .assignment = q->assignment,
        .cost = q->cost,
        .latency = q->took,
        .hrm_confidence = (float)q->best.hrm_confidence,
        .trm_confidence = (float)q->best.trm_confidence,
        .confidence = (float)q->best.confidence,
        .verdict = label_is_noisy(q, verdict) ? -1.0f : (float)verdict,
        .domain = (uint8_t)feed_domain_of(q->domain),
        .flags = flags_of(q),
    };
    feed_put(feed, &fact);
}
