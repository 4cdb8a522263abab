/* SPDX-License-Identifier: Apache-2.0 */
/* replay: see replay.h. */
#include "app/engine/replay.h"

#include <stdlib.h>

#include "app/engine/engine.h"
#include "edge/config/config.h"
#include "edge/store/store.h"

#define ARENA_BYTES ((size_t)64 << 20) /* names of arms */
#define SCRATCH_BYTES ((size_t)1 << 20) /* of one decision */
#define ALPHA 0.05
#define PRIOR_LABELS 2.0 /* that an arm's rate is drawn to the rate of all arms by */

/* ---- arms ---- */

static struct replay_arm *arm_of(struct replay *r, str strategy, str model)
{
    for (size_t i = 0; i < r->arm_count; i++)
        if (str_eq(r->arms[i].strategy, strategy) && str_eq(r->arms[i].model, model))
            return &r->arms[i];
    if (r->arm_count == REPLAY_ARMS_MAX) {
        r->has_too_many = true;
        return NULL;
    }
    struct replay_arm *arm = &r->arms[r->arm_count++];
    *arm = (struct replay_arm){ .strategy = arena_str(&r->arena, strategy),
                                .model = arena_str(&r->arena, model) };
    return arm;
}

double replay_arm_cost(const struct replay_arm *arm)
{
    return arm && arm->cost_n > 0 ? arm->cost_sum / (double)arm->cost_n : -1;
}

/* What the log says, else what the decision was made by. */
static double arm_cost_or(const struct replay_arm *arm, nano_usd estimate)
{
    double cost = replay_arm_cost(arm);

    return cost < 0 && estimate != COST_UNPRICED ? (double)estimate : cost;
}

static double arm_success(const struct replay_arm *arm, double overall)
{
    double n = arm ? (double)arm->label_n : 0, sum = arm ? arm->label_sum : 0;

    return (sum + PRIOR_LABELS * overall) / (n + PRIOR_LABELS);
}

/* How right the answer was. Negative: nobody said. */
static double reward_of(const struct ledger_sample *s)
{
    const struct ledger_label *label = ledger_sample_label(s);

    return label ? label->value : -1;
}

/* ---- first pass: what the log knows of arms ---- */

void replay_learn(struct replay *r, const struct ledger_sample *s)
{
    struct replay_arm *arm = s->route ? arm_of(r, s->strategy, s->model) : NULL;
    double reward = reward_of(s);

    if (!arm)
        return;
    if (s->cost != COST_UNPRICED) {
        arm->cost_n++;
        arm->cost_sum += (double)s->cost;
    }
    if (reward >= 0) {
        arm->label_n++;
        arm->label_sum += reward;
    }
    arm->is_explored = arm->is_explored || s->route->epsilon > 0;
}

static double overall_success(const struct replay *r)
{
    double n = 0, sum = 0;

    for (size_t i = 0; i < r->arm_count; i++) {
        n += (double)r->arms[i].label_n;
        sum += r->arms[i].label_sum;
    }
    return n > 0 ? sum / n : 0.5;
}

/* ---- second pass: decisions ---- */

static void row_add(struct replay *r, const struct route_logged *row)
{
    if (r->row_count == r->row_cap) {
        size_t cap = r->row_cap > 0 ? r->row_cap * 2 : 1024;
        struct route_logged *bigger = realloc(r->rows, cap * sizeof(*bigger));
        if (!bigger) {
            r->has_no_memory = true;
            return;
        }
        r->rows = bigger;
        r->row_cap = cap;
    }
    r->rows[r->row_count++] = *row;
    r->reward_sum += row->reward;
}

/* Could the log have done all that this decision might do? */
static bool is_supported(struct replay *r, const struct ledger_sample *s,
                         const struct replay_arm *logged, const struct decision *d)
{
    for (size_t i = 0; i < d->arm_count; i++) {
        const struct replay_arm *arm = arm_of(r, d->arms[i].strategy, d->arms[i].model);
        bool is_taken = d->arms[i].propensity > 0;
        if (is_taken && arm != logged && !(s->route->epsilon > 0 && arm && arm->is_explored))
            return false;
    }
    return true;
}

static void success_add(struct replay *r, const struct ledger_sample *s,
                        const struct replay_arm *logged, const struct decision *d)
{
    double reward = reward_of(s), overall = overall_success(r);
    struct route_logged row = { .propensity = s->route->propensity,
                                .reward = reward,
                                .value_logged = arm_success(logged, overall) };

    if (reward < 0)
        return;
    r->labelled++;
    if (!(row.propensity > 0)) {
        r->without_propensity++;
        return;
    }
    if (!logged || !is_supported(r, s, logged, d)) {
        r->unsupported++;
        return;
    }
    for (size_t i = 0; i < d->arm_count; i++) {
        const struct replay_arm *arm = arm_of(r, d->arms[i].strategy, d->arms[i].model);
        row.value_target += d->arms[i].propensity * arm_success(arm, overall);
        if (arm == logged)
            row.target += d->arms[i].propensity;
    }
    row_add(r, &row);
}

static void cost_add_up(struct replay *r, const struct replay_arm *logged, const struct decision *d)
{
    double before = replay_arm_cost(logged), after = 0, unknown = 0;

    for (size_t i = 0; i < d->arm_count; i++) {
        struct replay_arm *arm = arm_of(r, d->arms[i].strategy, d->arms[i].model);
        double cost = arm_cost_or(arm, d->arms[i].cost);
        if (arm)
            arm->after += d->arms[i].propensity;
        if (cost < 0)
            unknown += d->arms[i].propensity;
        else
            after += d->arms[i].propensity * cost;
    }
    /* A query counts in both sums or in neither, so that they can be compared. */
    if (before < 0 || unknown > 0) {
        r->cost_unknown++;
        return;
    }
    r->cost_before += before;
    r->cost_after += after;
}

void replay_decide(struct replay *r, const struct ledger_sample *s)
{
    struct route route = { 0 };
    struct decision decision;
    struct arena scratch;

    if (!s->route)
        return;
    r->queries++;
    if (str_eq(s->route->scorer, STR("named"))) {
        r->named++;
        return;
    }
    struct route_known known = { .domain = s->domain,
                                 .features = s->features,
                                 .seed_score = s->route->seed_score,
                                 .words_score = s->route->words_score,
                                 .seed = (uint64_t)s->id };
    arena_init(&scratch, SCRATCH_BYTES);
    if (route_choose(r->with, &known, &scratch, &route, &decision)) {
        struct replay_arm *logged = arm_of(r, s->strategy, s->model);
        str strategy = str_from(reason_strategy_name(route.strategy));
        r->decided++;
        r->changed += !str_eq(strategy, s->strategy) || !str_eq(route.model, s->model);
        if (logged)
            logged->before++;
        cost_add_up(r, logged, &decision);
        success_add(r, s, logged, &decision);
    } else {
        r->undecided++;
    }
    arena_fini(&scratch);
}

bool replay_success(const struct replay *r, struct counterfactual *out)
{
    if (r->row_count < 2)
        return false;
    route_counterfactual(out, r->rows, r->row_count, ALPHA);
    return true;
}

void replay_init(struct replay *r, const struct config *with)
{
    *r = (struct replay){ .with = with };
    arena_init(&r->arena, ARENA_BYTES);
}

void replay_fini(struct replay *r)
{
    free(r->rows);
    arena_fini(&r->arena);
}
