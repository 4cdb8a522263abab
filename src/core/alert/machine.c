/* SPDX-License-Identifier: Apache-2.0 */
/*
 * machine: one reading a rule and series, one step of its instance.
 *
 *                    bad                bad for `pending`
 *     INACTIVE ------------> PENDING ------------------> FIRING
 *        ^  ^-----------------'  not bad                   |
 *        '-------------------------------------------------'
 *            clear for `keep_firing`, or no reading for ALERT_SILENT_MAX
 *
 * Without `pending` an instance goes from INACTIVE to FIRING at once.
 */
#include <string.h>

#include "core/alert/alert_internal.h"

#define SERIES_MAX 64 /* of one rule */

#define TO(state) (1u << (state))

static const unsigned allowed[ALERT_STATE_COUNT] = {
    [ALERT_INACTIVE] = TO(ALERT_PENDING) | TO(ALERT_FIRING),
    [ALERT_PENDING] = TO(ALERT_FIRING) | TO(ALERT_INACTIVE),
    [ALERT_FIRING] = TO(ALERT_INACTIVE),
};

/* What one evaluation carries along. */
struct evaluation {
    struct alert_machine *m;
    const struct alert_source *source;
    void (*on_transition)(void *ctx, const struct alert_transition *t);
    void *ctx;
};

/* What a reading says of a rule. */
enum finding { FINDING_NONE, FINDING_GOOD, FINDING_BETWEEN, FINDING_BAD };

void alert_copy(char *out, size_t size, str s)
{
    size_t n = s.len < size - 1 ? s.len : size - 1;

    if (n > 0)
        memcpy(out, s.ptr, n);
    out[n] = '\0';
}

uint64_t alert_fingerprint(str rule, str arm, str domain)
{
    /* Lengths keep ("ab","c") and ("a","bc") apart. */
    uint64_t hash = str_hash(rule) * UINT64_C(0x9E3779B97F4A7C15) + rule.len;

    hash = (hash ^ str_hash(arm)) * UINT64_C(0x9E3779B97F4A7C15) + arm.len;
    hash = (hash ^ str_hash(domain)) * UINT64_C(0x9E3779B97F4A7C15) + domain.len;
    return hash ? hash : 1;
}

struct alert_instance *alert_place(struct alert_machine *m, uint64_t fingerprint)
{
    struct alert_instance *free_place = NULL;

    for (size_t i = 0; i < ALERT_INSTANCES_MAX; i++) {
        if (m->instances[i].fingerprint == fingerprint)
            return &m->instances[i];
        if (!free_place && m->instances[i].fingerprint == 0)
            free_place = &m->instances[i];
    }
    return free_place;
}

void alert_name(struct alert_machine *m, struct alert_instance *i, size_t rule, str arm, str domain)
{
    str name = m->policy.rules[rule].name;

    i->fingerprint = alert_fingerprint(name, arm, domain);
    i->group = alert_fingerprint(name, arm, STR("*"));
    i->rule = rule;
    alert_copy(i->arm, sizeof(i->arm), arm);
    alert_copy(i->domain, sizeof(i->domain), domain);
}

void alert_forget(struct alert_machine *m)
{
    for (size_t i = 0; i < ALERT_INSTANCES_MAX; i++) {
        struct alert_instance *instance = &m->instances[i];
        if (instance->fingerprint == 0 || instance->state != ALERT_INACTIVE)
            continue;
        for (size_t r = 0; r < m->policy.receiver_count; r++) {
            if (!m->policy.receivers[r].sends_resolved)
                instance->told &= ~(1u << r);
        }
        if (instance->told == 0)
            *instance = (struct alert_instance){ 0 };
    }
}

/* ---- one step ---- */

static void move(struct evaluation *e, struct alert_instance *i, enum alert_state to,
                 bool is_silent)
{
    enum alert_state from = i->state;

    assert(allowed[from] & TO(to));
    i->state = to;
    i->since = e->m->now;
    i->good_since = 0;
    if (to == ALERT_FIRING)
        i->fired = e->m->now;
    if (from == ALERT_FIRING)
        i->ended = e->m->now;
    if (e->on_transition)
        e->on_transition(e->ctx, &(struct alert_transition){ .at = e->m->now,
                                                             .instance = i,
                                                             .from = from,
                                                             .to = to,
                                                             .is_for_want_of_data = is_silent });
}

static void step_silent(struct evaluation *e, struct alert_instance *i)
{
    if (i->silent_since == 0)
        i->silent_since = e->m->now;
    i->good_since = 0;
    if (i->state == ALERT_PENDING)
        move(e, i, ALERT_INACTIVE, true);
    else if (i->state == ALERT_FIRING && e->m->now - i->silent_since >= usec_of(ALERT_SILENT_MAX))
        move(e, i, ALERT_INACTIVE, true);
}

static void step_firing(struct evaluation *e, struct alert_instance *i,
                        const struct alert_rule *rule, enum finding finding)
{
    if (finding != FINDING_GOOD) {
        i->good_since = 0;
        return;
    }
    if (i->good_since == 0)
        i->good_since = e->m->now;
    if (e->m->now - i->good_since >= usec_of(rule->keep_firing))
        move(e, i, ALERT_INACTIVE, false);
}

static void step(struct evaluation *e, struct alert_instance *i, const struct alert_rule *rule,
                 enum finding finding)
{
    i->silent_since = 0;
    switch (i->state) {
    case ALERT_INACTIVE:
        if (finding == FINDING_BAD)
            move(e, i, rule->pending > 0 ? ALERT_PENDING : ALERT_FIRING, false);
        break;
    case ALERT_PENDING:
        if (finding != FINDING_BAD)
            move(e, i, ALERT_INACTIVE, false);
        else if (e->m->now - i->since >= usec_of(rule->pending))
            move(e, i, ALERT_FIRING, false);
        break;
    case ALERT_FIRING:
        step_firing(e, i, rule, finding);
        break;
    case ALERT_STATE_COUNT:
        assert(false);
    }
}

/* ---- readings ---- */

static enum finding find_level(const struct alert_rule *rule, double value)
{
    bool is_below = alert_metric_info(rule->metric)->side == ALERT_BELOW;

    if (is_below ? value < rule->threshold : value > rule->threshold)
        return FINDING_BAD;
    return (is_below ? value >= rule->clear : value <= rule->clear) ? FINDING_GOOD
                                                                    : FINDING_BETWEEN;
}

static double burn_of(const struct alert_reading *r, double objective)
{
    return r->n > 0 ? (double)r->bad / (double)r->n / (1.0 - objective) : 0.0;
}

/* Both windows must burn: the long one says that it matters, the short one that it still goes on. */
static enum finding find_burn(struct evaluation *e, const struct alert_rule *rule,
                              const struct alert_labels *labels, struct alert_reading *reading)
{
    struct alert_reading recent;
    const struct alert_burn *b = &rule->burn;

    if (!e->source->read(e->source->ctx, rule->metric, labels, b->short_window, &recent))
        return FINDING_NONE;
    reading->value = burn_of(reading, b->objective);
    bool is_bad = reading->value >= b->factor && burn_of(&recent, b->objective) >= b->factor &&
                  reading->bad >= b->bad_min;
    return is_bad ? FINDING_BAD : FINDING_GOOD;
}

static enum finding find(struct evaluation *e, const struct alert_rule *rule,
                         const struct alert_labels *labels, struct alert_reading *out)
{
    int64_t n_min = rule->n_min > 1 ? rule->n_min : 1;

    if (!e->source->read(e->source->ctx, rule->metric, labels, rule->window, out) || out->n < n_min)
        return FINDING_NONE;
    return rule->burn.objective != 0.0 ? find_burn(e, rule, labels, out)
                                       : find_level(rule, out->value);
}

static void evaluate_series(struct evaluation *e, size_t rule_index,
                            const struct alert_labels *labels)
{
    struct alert_machine *m = e->m;
    const struct alert_rule *rule = &m->policy.rules[rule_index];
    struct alert_reading reading = { 0 };
    str arm = str_slice(labels->arm, 0, ALERT_NAME_MAX - 1);
    str domain = str_slice(labels->domain, 0, ALERT_NAME_MAX - 1);
    uint64_t fingerprint = alert_fingerprint(rule->name, arm, domain);
    struct alert_instance *i = alert_place(m, fingerprint);
    enum finding finding = find(e, rule, labels, &reading);

    if (!i) {
        m->overflow += finding == FINDING_BAD;
        return;
    }
    if (i->fingerprint == 0) {
        if (finding != FINDING_BAD)
            return;
        alert_name(m, i, rule_index, arm, domain);
    }
    i->is_seen = true;
    if (finding == FINDING_NONE) {
        step_silent(e, i);
        return;
    }
    i->value = reading.value;
    i->n = reading.n;
    step(e, i, rule, finding);
}

static void evaluate_rule(struct evaluation *e, size_t rule)
{
    struct alert_machine *m = e->m;
    struct alert_labels series[SERIES_MAX] = { 0 };
    unsigned by = m->policy.rules[rule].by;
    size_t n = by == 0 ? 1 : e->source->series(e->source->ctx, by, series, SERIES_MAX);

    for (size_t i = 0; i < n && i < SERIES_MAX; i++)
        evaluate_series(e, rule, &series[i]);
    for (size_t i = 0; i < ALERT_INSTANCES_MAX; i++) {
        struct alert_instance *instance = &m->instances[i];
        if (instance->fingerprint != 0 && instance->rule == rule && !instance->is_seen)
            step_silent(e, instance);
        instance->is_seen = false;
    }
}

void alert_evaluate(struct alert_machine *m, usec_utc now, const struct alert_source *source,
                    void (*on_transition)(void *ctx, const struct alert_transition *t), void *ctx)
{
    struct evaluation e = { m, source, on_transition, ctx };

    if (now > m->now)
        m->now = now;
    for (size_t i = 0; i < m->policy.rule_count; i++)
        evaluate_rule(&e, i);
    alert_forget(m);
}

/* ---- opening and looking ---- */

enum err alert_open(struct alert_machine **out, struct arena *arena,
                    const struct alert_policy *policy)
{
    if (policy->rule_count > ALERT_RULES_MAX || policy->receiver_count > ALERT_RECEIVERS_MAX ||
        policy->inhibition_count > ALERT_INHIBITIONS_MAX)
        return WEIR_CONFIG;
    for (size_t i = 0; i < policy->rule_count; i++) {
        if (alert_rule_fault(&policy->rules[i]))
            return WEIR_CONFIG;
    }
    struct alert_machine *m = ARENA_NEW(arena, struct alert_machine);
    if (!m)
        return WEIR_NO_MEMORY;
    m->policy = *policy;
    m->instances = ARENA_ARRAY(arena, ALERT_INSTANCES_MAX, struct alert_instance);
    m->log = ARENA_ARRAY(arena, LOG_ROWS_MAX, struct log_row);
    m->silences = ARENA_ARRAY(arena, ALERT_SILENCES_MAX, struct alert_silence);
    if (arena_failed(arena))
        return WEIR_NO_MEMORY;
    *out = m;
    return OK;
}

size_t alert_count(const struct alert_machine *m, enum alert_state state)
{
    size_t n = 0;

    for (size_t i = 0; i < ALERT_INSTANCES_MAX; i++)
        n += m->instances[i].fingerprint != 0 && m->instances[i].state == state;
    return n;
}

const struct alert_instance *alert_at(const struct alert_machine *m, size_t index)
{
    for (size_t i = 0; i < ALERT_INSTANCES_MAX; i++) {
        if (m->instances[i].fingerprint != 0 && index-- == 0)
            return &m->instances[i];
    }
    return NULL;
}

const struct alert_rule *alert_rule_of(const struct alert_machine *m,
                                       const struct alert_instance *i)
{
    return &m->policy.rules[i->rule];
}

str alert_receiver_name(const struct alert_machine *m, size_t receiver)
{
    return m->policy.receivers[receiver].name;
}

uint64_t alert_overflow(const struct alert_machine *m)
{
    return m->overflow;
}
