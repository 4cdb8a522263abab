/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run: one seed. The next thing that happens is the earliest of a query's end, the next arrival, a tick and a look at the alerts;
 * at one instant in this order: what has ended is known before anything is decided.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/sim/rehearsal_internal.h"
#include "edge/config/config.h"

#define ARENA_BYTES_MAX ((size_t)256 << 20)
#define ZERO (INT64_C(1704067200) * SECOND_US) /* a Monday midnight, UTC */
/* A tick without news decides nothing but what time decides: such a tick is made only once in so long. */
#define QUIET_US (60 * SECOND_US)
#define FLIGHTS_SPARE 1024

static usec_utc wall(const struct run *r)
{
    return r->zero + r->now_us;
}

static nsec monotonic(const struct run *r)
{
    return wall(r) * NSEC_PER_USEC;
}

/* ---- moves ---- */

static void stop(struct run *r, enum rehearsal_end end)
{
    r->out->end = end;
    r->is_over = true;
}

/* Before a move: another phase counts anew. */
static void units_keep(struct run *r)
{
    memcpy(r->out->units, r->rollout.exposures, sizeof(r->out->units));
}

static void moved(struct run *r, const struct rollout_row *row)
{
    units_keep(r);
    enum err e = rollout_apply(&r->rollout, row);

    assert(e == OK); /* it was made from this very state */
    IGNORE(e != OK);
    if (row->refusal != ROLLOUT_ACCEPTED)
        return;
    timeline_move(r, row);
    rollout_snapshot(&r->rollout, &r->snapshot);
    r->moved_us = r->now_us;
    r->out->reason = row->reason;
    r->out->step = row->to.step;
    r->approve_us = INT64_MAX;
    if (row->to.state == ROLLOUT_COMPLETED) {
        stop(r, REHEARSAL_COMPLETED);
    } else if (row->to.state == ROLLOUT_ABORTED) {
        r->out->guards |= row->guards;
        stop(r, REHEARSAL_ROLLED_BACK);
    } else if (row->to.state == ROLLOUT_PAUSED) {
        bool is_asked = row->reason == ROLLOUT_FOR_APPROVAL && r->scenario->approve_after >= 0;
        if (!is_asked)
            stop(r, REHEARSAL_PAUSED);
        else
            r->approve_us = r->now_us + r->scenario->approve_after / NSEC_PER_USEC;
    }
}

static bool operate(struct run *r, enum rollout_operation operation)
{
    struct rollout_request request = { .operation = operation,
                                       .actor = STR("rehearsal"),
                                       .note = STR("as the scenario says"),
                                       .generation = ROLLOUT_ANY_GENERATION };
    struct rollout_row row;

    rollout_operate(&r->rollout, wall(r), &request, &row);
    moved(r, &row);
    return row.refusal == ROLLOUT_ACCEPTED;
}

/* ---- ticks ---- */

static void rollout_look(struct run *r)
{
    struct rollout_inputs in = { .generation = r->rollout.generation };
    struct rollout_decision decision;

    rollout_tick(&r->rollout, wall(r), &in, &decision);
    if (decision.has_row)
        moved(r, &decision.row);
}

/* Bare triggers know no numbers, only times. */
static void bare_look(struct run *r)
{
    const struct rollout_step *step = &r->scenario->rollout->spec.steps[r->rollout.place.step];

    if (r->now_us - r->moved_us >= step->time_min_us)
        IGNORE(operate(r, ROLLOUT_PROMOTE));
}

static void tick(struct run *r)
{
    int64_t every = r->scenario->tick / NSEC_PER_USEC;
    bool is_due = r->has_news || r->now_us - r->ticked_us >= QUIET_US;

    r->tick_us = r->now_us + every;
    if (r->now_us >= r->approve_us) {
        r->approve_us = INT64_MAX;
        IGNORE(operate(r, ROLLOUT_PROMOTE));
        return;
    }
    if (!is_due)
        return;
    r->has_news = false;
    r->ticked_us = r->now_us;
    if (r->scenario->mode == SCENARIO_BARE_TRIGGERS)
        bare_look(r);
    else
        rollout_look(r);
}

/* ---- alerts ---- */

static size_t on_series(void *ctx, unsigned by, struct alert_labels *out, size_t max)
{
    struct run *r = (struct run *)ctx;

    return windows_series(r->windows, monotonic(r), by, out, max);
}

static bool on_read(void *ctx, enum alert_metric metric, const struct alert_labels *labels,
                    nsec window, struct alert_reading *out)
{
    struct run *r = (struct run *)ctx;

    return windows_read(r->windows, monotonic(r), metric, labels, window, out);
}

static void on_transition(void *ctx, const struct alert_transition *t)
{
    struct run *r = (struct run *)ctx;
    const struct alert_rule *rule = &r->policy.rules[t->instance->rule];

    if (t->to == ALERT_FIRING) {
        r->out->alerts[t->instance->rule]++;
        r->out->alert_count++;
        timeline_alert(r);
    }
    if (t->to == ALERT_FIRING || t->from == ALERT_FIRING)
        timeline_note(r, "alert %.*s%s%s %s", STR_ARG(rule->name),
                      t->instance->arm[0] ? " of " : "", t->instance->arm,
                      t->to == ALERT_FIRING ? "fires" : "is resolved");
}

static void alerts_look(struct run *r)
{
    struct alert_source source = { r, on_series, on_read };

    alert_evaluate(r->alerts, wall(r), &source, on_transition, r);
    r->alerts_us = r->now_us + r->scenario->alerts_every / NSEC_PER_USEC;
}

/* ---- queries ---- */

static enum scenario_arm model_of(enum rollout_arm arm)
{
    return arm == ARM_CANARY ? SCENARIO_CANARY : SCENARIO_BASELINE;
}

static void harm_count(struct run *r, enum scenario_domain domain)
{
    const struct behaviour *canary = &r->behaviours.now[SCENARIO_CANARY][domain];
    const struct behaviour *baseline = &r->behaviours.now[SCENARIO_BASELINE][domain];

    r->out->extra_failures += canary->failure - baseline->failure;
    r->out->extra_usd += canary->cost_usd - baseline->cost_usd;
}

/* A conversation meets its arm anew in each generation; it is exposed once in each phase (a new one comes from none, 0). */
static void meet(struct run *r, struct conversation *c, bool is_new)
{
    int64_t phase = c->assignment.phase;
    struct unit_ids ids = { .conversation = { c->id, c->id_length } };

    if (!is_new && c->generation == r->snapshot.generation)
        return;
    c->assignment = rollout_assign(&r->snapshot, &ids);
    c->generation = r->snapshot.generation;
    c->is_lost = c->luck < r->behaviours.now[model_of(c->assignment.arm)][c->domain].lost;
    if (phase != c->assignment.phase && !c->is_lost)
        rollout_expose(&r->rollout, &c->assignment);
}

static void arrive(struct run *r)
{
    bool is_new;
    struct conversation *c = traffic_pick(&r->traffic, &is_new);

    meet(r, c, is_new);
    struct flight flight = { .phase = c->assignment.phase,
                             .arm = c->assignment.arm,
                             .domain = c->domain };
    behaviour_draw(&r->behaviours.now[model_of(flight.arm)][flight.domain], &r->rng,
                   &flight.outcome);
    r->out->queries++;
    timeline_arrival(r);
    if (flight.arm == ARM_CANARY)
        harm_count(r, flight.domain);
    if (!c->is_lost)
        flights_add(&r->flights, r->now_us + flight.outcome.latency / NSEC_PER_USEC, &flight);
}

static struct feed_fact fact_of(const struct flight *f)
{
    static const enum feed_domain domains[SCENARIO_DOMAIN_COUNT] = {
        [SCENARIO_GENERIC] = FEED_DOMAIN_GENERIC,
        [SCENARIO_TACTICAL] = FEED_DOMAIN_TACTICAL,
        [SCENARIO_CYBERSECURITY] = FEED_DOMAIN_CYBERSECURITY,
        [SCENARIO_STEM] = FEED_DOMAIN_STEM,
    };
    const struct outcome *o = &f->outcome;

    return (struct feed_fact){ .cost = o->cost,
                               .latency = o->latency,
                               .hrm_confidence = (float)o->hrm_confidence,
                               .trm_confidence = (float)o->trm_confidence,
                               .confidence = -1,
                               .verdict = o->is_error     ? -1
                                          : o->is_success ? 1
                                                          : 0,
                               .domain = (uint8_t)domains[f->domain],
                               .flags = o->is_error ? FEED_FAILED : FEED_ANSWERED };
}

static void canary_ended(struct run *r, const struct flight *f)
{
    r->out->canary_queries++;
    if (r->now_us < r->trouble_us)
        r->canary_before_trouble = r->out->canary_queries;
    timeline_outcome(r, &f->outcome);
    if (r->scenario->mode != SCENARIO_BARE_TRIGGERS)
        return;
    bare_add(&r->bare, &f->outcome);
    uint32_t tripped = bare_tripped(&r->bare);
    if (tripped == 0)
        return;
    r->out->guards = tripped;
    IGNORE(operate(r, ROLLOUT_ABORT));
}

static void land(struct run *r)
{
    const struct flight *f = flights_take(&r->flights);
    struct rollout_assignment a = { .arm = f->arm, .phase = f->phase };

    r->has_news = true;
    if (r->scenario->mode == SCENARIO_ROLLOUT)
        rollout_observe(&r->rollout, &a, wall(r), &f->outcome);
    if (r->windows) {
        struct feed_fact fact = fact_of(f);
        windows_add(r->windows, monotonic(r), str_from(r->labels[f->arm]), &fact);
    }
    if (f->arm == ARM_CANARY)
        canary_ended(r, f);
}

/* ---- the loop ---- */

static int64_t earliest(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void advance(struct run *r, int64_t us)
{
    timeline_events(r, r->now_us, us);
    r->now_us = us;
    if (us >= r->behaviours.until_us)
        behaviours_renew(&r->behaviours, us);
}

static void loop(struct run *r)
{
    int64_t arrival;
    bool has_arrival = traffic_next(&r->traffic, &arrival);

    while (!r->is_over) {
        int64_t landing = flights_next(&r->flights);
        int64_t looking = earliest(r->tick_us, r->alerts_us);
        bool may_arrive = has_arrival && r->out->queries < r->scenario->traffic.queries_max;
        if (!may_arrive && landing == INT64_MAX) {
            stop(r, REHEARSAL_UNFINISHED);
            return;
        }
        int64_t next = earliest(earliest(landing, may_arrive ? arrival : INT64_MAX), looking);
        advance(r, next);
        if (landing == next) {
            land(r);
        } else if (may_arrive && arrival == next && flights_are_full(&r->flights)) {
            land(r); /* beyond what the scenario was checked for: one ends early */
        } else if (may_arrive && arrival == next) {
            arrive(r);
            has_arrival = traffic_next(&r->traffic, &arrival);
        } else if (r->tick_us == next) {
            tick(r);
        } else {
            alerts_look(r);
        }
    }
}

/* ---- a run from its scenario ---- */

const struct alert_policy *rehearsal_policy(const struct scenario *s, struct alert_policy *storage)
{
    *storage = alert_policy_default();
    if (s->rollout->canary) {
        *storage = s->rollout->canary->alerts.policy;
        storage->receivers = NULL; /* nobody is told */
        storage->receiver_count = 0;
    }
    return storage;
}

static size_t flights_needed(const struct scenario *s)
{
    double most = 0;

    for (size_t a = 0; a < SCENARIO_ARM_COUNT; a++)
        for (size_t d = 0; d < SCENARIO_DOMAIN_COUNT; d++)
            for (size_t h = 0; h < SCENARIO_HOURS; h++) {
                double under_way =
                    s->traffic.per_second * s->traffic.hours[h] * s->models[a][d].timeout_ms / 1000;
                most = under_way > most ? under_way : most;
            }
    return (size_t)(2 * most) + FLIGHTS_SPARE;
}

static enum err rollout_begin(struct run *r)
{
    const struct scenario *s = r->scenario;
    struct change_issues issues = { .arena = &r->arena };
    enum err e = rollout_init(&r->rollout, &s->rollout->spec, &issues);

    if (e != OK)
        return e;
    for (size_t a = 0; a < ROLLOUT_ARM_COUNT; a++)
        snprintf(r->labels[a], sizeof(r->labels[a]), "%.*s/%s", STR_ARG(s->rollout->spec.id),
                 rollout_arm_name((enum rollout_arm)a));
    IGNORE(operate(r, ROLLOUT_START));
    return OK;
}

static enum err run_init(struct run *r)
{
    const struct scenario *s = r->scenario;
    struct conversation *open =
        ARENA_ARRAY(&r->arena, (size_t)s->traffic.open, struct conversation);
    struct outcome *ring = ARENA_ARRAY(&r->arena, (size_t)s->window, struct outcome);
    enum err e = flights_init(&r->flights, &r->arena, flights_needed(s));

    if (e != OK || !open || !ring)
        return WEIR_NO_MEMORY;
    rng_init(&r->rng, rng_mix(r->seed + UINT64_C(0x6f7574636f6d6573)));
    traffic_init(&r->traffic, s, r->seed, open);
    r->behaviours.scenario = s;
    behaviours_renew(&r->behaviours, 0);
    bare_init(&r->bare, s, ring);
    r->harm_us = behaviour_harm_us(s);
    r->trouble_us = behaviour_trouble_us(s);
    r->zero = ZERO + (int64_t)(s->traffic.start_hour * (double)HOUR_US);
    r->tick_us = s->tick / NSEC_PER_USEC;
    r->alerts_us = r->approve_us = INT64_MAX;
    if (s->alerts_every > 0) {
        r->alerts_us = s->alerts_every / NSEC_PER_USEC;
        IGNORE(rehearsal_policy(s, &r->policy));
        e = windows_open(&r->windows);
        if (e == OK)
            e = alert_open(&r->alerts, &r->arena, &r->policy);
        if (e != OK)
            return e;
    }
    return rollout_begin(r);
}

static void conclude(struct run *r)
{
    struct rehearsal *out = r->out;
    bool is_stop =
        out->end == REHEARSAL_ROLLED_BACK ||
        (out->end == REHEARSAL_PAUSED &&
         (out->reason == ROLLOUT_FOR_COMMON_CAUSE || out->reason == ROLLOUT_FOR_SAMPLE_RATIO ||
          (out->reason == ROLLOUT_FOR_INCONCLUSIVE && out->guards != 0)));

    if (out->end == REHEARSAL_UNFINISHED)
        units_keep(r);
    out->ended_s = (double)r->now_us / 1e6;
    out->is_false_rollback = out->end == REHEARSAL_ROLLED_BACK && r->now_us < r->harm_us;
    out->is_detected = is_stop && !out->is_false_rollback && r->now_us >= r->trouble_us;
    if (out->is_detected) {
        out->detected_after_queries = out->canary_queries - r->canary_before_trouble;
        out->detected_after_s = (double)(r->now_us - r->trouble_us) / 1e6;
    }
    timeline_finish(r);
}

enum err rehearsal_run(const struct scenario *s, uint64_t seed, struct rehearsal *out,
                       struct timeline *timeline)
{
    struct rehearsal result = { .seed = seed };
    struct run *r = calloc(1, sizeof(*r));

    for (size_t a = 0; a < SCENARIO_ARM_COUNT; a++)
        assert(s->sources[a].folder.len == 0 || s->recorded_questions > 0);
    if (!r)
        return WEIR_NO_MEMORY;
    *r = (struct run){ .scenario = s, .seed = seed, .out = &result, .timeline = timeline };
    arena_init(&r->arena, ARENA_BYTES_MAX);
    enum err e = run_init(r);
    if (e == OK) {
        loop(r);
        conclude(r);
        *out = result;
    }
    windows_close(r->windows);
    arena_fini(&r->arena);
    free(r);
    return e;
}
