/* SPDX-License-Identifier: Apache-2.0 */
/* behaviour: see behaviour_internal.h. */
#include "app/sim/behaviour_internal.h"

#include <math.h>

#include "core/stats/stats.h"

#define RAMP_STEPS 1000 /* a growing event is renewed so often */
#define PI 3.14159265358979323846

/* ---- events ---- */

static int64_t start_of(const struct scenario_event *e)
{
    return e->start / NSEC_PER_USEC;
}

static int64_t end_of(const struct scenario_event *e)
{
    return e->length == NSEC_NEVER ? INT64_MAX : start_of(e) + e->length / NSEC_PER_USEC;
}

bool behaviour_event_is_on(const struct scenario_event *e, int64_t us)
{
    return us >= start_of(e) && us < end_of(e);
}

/* How far it has grown, [0, 1]; *until is brought forward to its next change. */
static double level_of(const struct scenario_event *e, int64_t us, int64_t *until)
{
    int64_t start = start_of(e), end = end_of(e), ramp = e->ramp / NSEC_PER_USEC;
    int64_t next = us < start ? start : us < end ? end : INT64_MAX;
    bool is_on = behaviour_event_is_on(e, us);

    if (is_on && us - start < ramp && next > us + ramp / RAMP_STEPS + 1)
        next = us + ramp / RAMP_STEPS + 1;
    if (next < *until)
        *until = next;
    if (!is_on)
        return 0;
    return us - start < ramp ? (double)(us - start) / (double)ramp : 1;
}

/* What the events that are on make of a model. */
struct change {
    double success_drop, confidence_drop, down, cost, latency, lost;
};

static void change_add(struct change *c, const struct scenario_event *e, double level)
{
    double size = e->size * level;

    switch (e->kind) {
    case SCENARIO_QUALITY_DROP:
        c->success_drop += size;
        break;
    case SCENARIO_COST_CREEP:
        c->cost *= 1 + (e->size - 1) * level;
        break;
    case SCENARIO_LATENCY_STEP:
        c->latency *= 1 + (e->size - 1) * level;
        break;
    case SCENARIO_OUTAGE:
    case SCENARIO_BROKEN:
        c->down = 1 - (1 - c->down) * (1 - size);
        break;
    case SCENARIO_CONFIDENCE_DRIFT:
        c->confidence_drop += size;
        break;
    case SCENARIO_SAMPLE_RATIO:
        c->lost = 1 - (1 - c->lost) * (1 - size);
        break;
    case SCENARIO_DROUGHT: /* the traffic's */
    case SCENARIO_EVENT_COUNT:
        break;
    }
}

/* ---- a model, changed ---- */

static double unit(double x)
{
    return fmin(fmax(x, 0), 1);
}

/* The share that takes less than a time when each takes so many times as long as it was recorded. */
static double share_below(const struct scenario_latencies *l, double factor, double time)
{
    size_t low = 0, high = l->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if ((double)l->sorted[middle] * factor < time)
            low = middle + 1;
        else
            high = middle;
    }
    return l->count > 0 ? (double)low / (double)l->count : 0;
}

double behaviour_slow(const struct behaviour *b, nsec limit)
{
    double over = log((double)limit) - b->latency_mu;

    if (limit >= b->timeout)
        return 0;
    if (b->answers && b->answers->has[SCENARIO_LATENCY])
        return 1 - share_below(&b->answers->latencies, b->latency_factor, (double)limit + 1);
    if (b->latency_sigma <= 0)
        return over < 0 ? 1 : 0;
    return 1 - stats_normal_cdf(over / b->latency_sigma);
}

static double timed_out(const struct behaviour *b)
{
    double over = log((double)b->timeout) - b->latency_mu;

    if (b->latency_sigma <= 0)
        return over < 0 ? 1 : 0;
    return 1 - stats_normal_cdf(over / b->latency_sigma);
}

static struct behaviour behave(const struct scenario_model *m, const struct change *c)
{
    double cost = m->cost_usd * c->cost, spread = m->cost_usd > 0 ? m->cost_sd / m->cost_usd : 0;
    double variance = log1p(spread * spread);
    double drop = c->confidence_drop + (m->is_calibrated ? c->success_drop : 0);
    struct behaviour b = {
        .down = c->down,
        .success = unit(m->success - c->success_drop),
        .errors = m->errors,
        .cost_mu = cost > 0 ? log(cost * (double)NANO_PER_USD) - variance / 2 : 0,
        .cost_sigma = cost > 0 ? sqrt(variance) : -1,
        .latency_mu = log(fmax(m->latency_ms * c->latency, 1e-3) * (double)NSEC_PER_MS),
        .latency_sigma = m->latency_sigma,
        .timeout = (nsec)(m->timeout_ms * (double)NSEC_PER_MS),
        .hrm = unit(m->hrm_confidence - drop),
        .hrm_sd = m->hrm_sd,
        .trm = unit(m->trm_confidence - drop),
        .trm_sd = m->trm_sd,
        .lost = c->lost,
    };
    double late = timed_out(&b), answered = (1 - c->down) * (1 - late);

    b.failure = 1 - answered * b.success;
    b.error = 1 - answered * (b.success + (1 - b.success) * (1 - b.errors));
    b.cost_usd = (1 - c->down) * cost;
    return b;
}

/* What a recorded model's answers make of it; what they lack stays as it was. */
static void record_over(struct behaviour *b, const struct scenario_model *m,
                        const struct scenario_answers *a, const struct change *c)
{
    double timeout = (double)b->timeout, drop = c->confidence_drop;

    b->answers = a;
    b->kept = a->right > 0 ? unit(1 - c->success_drop / a->right) : 0;
    b->cost_factor = c->cost;
    b->latency_factor = c->latency;
    b->confidence_drop = drop + (m->is_calibrated ? c->success_drop : 0);
    if (a->has[SCENARIO_HRM])
        b->hrm = unit(a->hrm - b->confidence_drop);
    else if (!m->is_written[SCENARIO_HRM])
        b->hrm = -1;
    if (a->has[SCENARIO_TRM])
        b->trm = unit(a->trm - b->confidence_drop);
    else if (!m->is_written[SCENARIO_TRM])
        b->trm = -1;

    double in_time = 1 - timed_out(b), right = in_time, answered = in_time;
    if (a->has[SCENARIO_LATENCY]) {
        right = share_below(&a->latencies_right, c->latency, timeout);
        answered = share_below(&a->latencies_answered, c->latency, timeout);
    }
    b->failure = 1 - (1 - c->down) * right * a->right * b->kept;
    b->error = 1 - (1 - c->down) * answered * a->answered;
    if (a->has[SCENARIO_COST])
        b->cost_usd = (1 - c->down) * a->cost_usd * c->cost;
}

void behaviours_renew(struct behaviours *b, int64_t us)
{
    const struct scenario *s = b->scenario;
    double levels[SCENARIO_EVENTS_MAX];

    b->until_us = INT64_MAX;
    for (size_t i = 0; i < s->event_count; i++)
        levels[i] = level_of(&s->events[i], us, &b->until_us);
    for (size_t arm = 0; arm < SCENARIO_ARM_COUNT; arm++) {
        for (size_t d = 0; d < SCENARIO_DOMAIN_COUNT; d++) {
            struct change c = { .cost = 1, .latency = 1 };
            for (size_t i = 0; i < s->event_count; i++) {
                if (levels[i] > 0 && s->events[i].hits[arm] && s->events[i].hits_domain[d])
                    change_add(&c, &s->events[i], levels[i]);
            }
            b->now[arm][d] = behave(&s->models[arm][d], &c);
            if (s->answers[arm][d].items)
                record_over(&b->now[arm][d], &s->models[arm][d], &s->answers[arm][d], &c);
        }
    }
}

/* ---- one query ---- */

/* Both normal values that one pair of uniform ones gives (Box and Muller 1958). */
static void normals(struct rng *rng, double out[2])
{
    double radius = sqrt(-2 * log(1 - rng_unit(rng))), angle = 2 * PI * rng_unit(rng);
    double sine, cosine;

    sincos(angle, &sine, &cosine);
    out[0] = radius * cosine;
    out[1] = radius * sine;
}

/* A query before it is known whether somebody is there to answer it, in time. */
struct draft {
    bool is_right, is_error;
    double latency, cost; /* nanoseconds, nano-dollars */
    double hrm, trm; /* below 0: none */
};

/* luck decides whether it is right and else whether it is an error. */
static struct draft figures_draw(const struct behaviour *b, struct rng *rng, double luck)
{
    double own[2], confidence[2];
    bool is_right = luck < b->success;

    normals(rng, own);
    normals(rng, confidence);
    return (struct draft){
        .is_right = is_right,
        .is_error = !is_right && luck - b->success < b->errors * (1 - b->success),
        .latency = exp(b->latency_mu + b->latency_sigma * own[0]),
        .cost = b->cost_sigma < 0 ? 0 : fmin(exp(b->cost_mu + b->cost_sigma * own[1]), 1e18),
        .hrm = unit(b->hrm + b->hrm_sd * confidence[0]),
        .trm = unit(b->trm + b->trm_sd * confidence[1]),
    };
}

/* luck decides whether a right answer stays right. */
static struct draft answers_draw(const struct behaviour *b, struct rng *rng, double luck)
{
    const struct scenario_answers *from = b->answers;
    const struct scenario_answer *a = &from->items[rng_below(rng, from->count)];
    struct draft d = figures_draw(b, rng, luck);

    d.is_right = a->is_right && luck < b->kept;
    d.is_error = a->is_error;
    if (from->has[SCENARIO_COST])
        d.cost = fmin((double)a->cost * b->cost_factor, 1e18);
    if (from->has[SCENARIO_LATENCY])
        d.latency = (double)a->latency * b->latency_factor;
    if (from->has[SCENARIO_HRM] || b->hrm < 0)
        d.hrm = b->hrm < 0 ? -1 : unit(a->hrm - b->confidence_drop);
    if (from->has[SCENARIO_TRM] || b->trm < 0)
        d.trm = b->trm < 0 ? -1 : unit(a->trm - b->confidence_drop);
    return d;
}

void behaviour_draw(const struct behaviour *b, struct rng *rng, struct outcome *out)
{
    double luck = rng_unit(rng);
    bool is_down = luck < b->down;

    /* One uniform value decides whether it is down, and what is left of it the rest. */
    luck = is_down ? 1 : (luck - b->down) / (1 - b->down);
    struct draft d = b->answers ? answers_draw(b, rng, luck) : figures_draw(b, rng, luck);
    bool is_late = !(d.latency < (double)b->timeout), is_answered = !is_down && !is_late;
    *out = (struct outcome){ .is_success = is_answered && d.is_right,
                             .is_error = !is_answered || d.is_error,
                             .latency = is_late ? b->timeout : (nsec)d.latency,
                             .cost = is_down ? 0 : (nano_usd)d.cost };
    out->hrm_confidence = out->is_error ? -1 : d.hrm;
    out->trm_confidence = out->is_error ? -1 : d.trm;
}

/* ---- what is to be expected ---- */

/* The mean harm of an arm at an instant, as a guard measures it. */
static double harm_of(const struct scenario *s, const struct behaviours *b, enum scenario_arm arm,
                      const struct guard_spec *guard)
{
    double sum = 0, weights = 0;

    for (size_t d = 0; d < SCENARIO_DOMAIN_COUNT; d++) {
        const struct behaviour *x = &b->now[arm][d];
        double share = s->traffic.shares[d], harm = 0, weight = share;
        switch (guard->metric) {
        case CHANGE_SUCCESS_RATE:
            harm = x->failure;
            break;
        case CHANGE_ERROR_RATE:
            harm = x->error;
            break;
        case CHANGE_HRM_CONFIDENCE_MEAN:
            harm = 1 - x->hrm;
            weight = share * (1 - x->error);
            break;
        case CHANGE_TRM_CONFIDENCE_MEAN:
            harm = 1 - x->trm;
            weight = share * (1 - x->error);
            break;
        case CHANGE_COST_PER_QUERY:
            harm = x->cost_usd * (double)NANO_PER_USD;
            break;
        case CHANGE_LATENCY_P95:
            harm = behaviour_slow(x, (nsec)guard->trip);
            break;
        case CHANGE_METRIC_COUNT:
            break;
        }
        sum += weight * harm;
        weights += weight;
    }
    return weights > 0 ? sum / weights : 0;
}

static bool is_beyond(const struct scenario *s, const struct behaviours *b,
                      const struct guard_spec *guard)
{
    const struct change_metric_info *info = change_metric_info(guard->metric);
    double canary = harm_of(s, b, SCENARIO_CANARY, guard);
    double baseline = harm_of(s, b, SCENARIO_BASELINE, guard);
    double limit = guard->metric == CHANGE_LATENCY_P95 ? 0.05
                   : info->is_floor                    ? 1 - guard->trip
                                                       : guard->trip;
    double worse =
        info->kind == METRIC_AMOUNT && baseline > 0 ? canary / baseline - 1 : canary - baseline;

    return canary > limit || (guard->is_compared && worse > guard->margin);
}

int64_t behaviour_harm_us(const struct scenario *s)
{
    const struct rollout_spec *spec = &s->rollout->spec;
    struct scenario calm = *s;
    struct behaviours b = { .scenario = &calm };
    int64_t first = INT64_MAX;

    calm.event_count = 0;
    behaviours_renew(&b, 0);
    for (size_t i = 0; i < spec->guard_count; i++) {
        if (!spec->guards[i].is_dry_run && is_beyond(&calm, &b, &spec->guards[i]))
            return 0;
    }
    for (size_t i = 0; i < s->event_count; i++) {
        const struct scenario_event *e = &s->events[i];
        bool is_canarys = e->hits[SCENARIO_CANARY] && !e->hits[SCENARIO_BASELINE];
        bool is_harm = e->kind != SCENARIO_DROUGHT && e->kind != SCENARIO_SAMPLE_RATIO;
        if (is_canarys && is_harm && e->size > 0 && start_of(e) < first)
            first = start_of(e);
    }
    return first;
}

int64_t behaviour_trouble_us(const struct scenario *s)
{
    int64_t first = behaviour_harm_us(s);

    for (size_t i = 0; i < s->event_count; i++) {
        if (start_of(&s->events[i]) < first)
            first = start_of(&s->events[i]);
    }
    return first;
}
