/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decide: expected quality times the value of a right answer, less the expected cost, under a cap.
 *
 * Where the trained pair is among the candidates, the question itself speaks: the weak model is right with P(weak), the
 * strong one with P(weak) + P(gain) − P(loss), the loss being the domain's rate of questions that only the weak model got
 * right. Everything else is known by its arm's rate, shrunk from the domain to the domain above, to the arm, to all arms.
 */
#include <math.h>

#include "core/money/money.h"
#include "core/route/model.h"

/* ---- what is known of an arm ---- */

struct known {
    double quality;
    double cost; /* nano-dollars */
    bool has_cost;
    int64_t n;
    enum route_ground ground;
};

/* What an arm is taken for that nobody has seen: the mean of all arms, one half without any. */
static double prior_of(const struct route_model *model)
{
    int64_t n = 0, right = 0;

    for (size_t i = 0; model && i < model->arm_count; i++) {
        if (model->arms[i].domain.len > 0)
            continue;
        n += model->arms[i].n;
        right += model->arms[i].right;
    }
    return rate_shrunk(right, n, 0.5);
}

static void known_narrow(struct known *k, const struct arm_row *row)
{
    if (!row || row->n == 0)
        return;
    k->quality = rate_shrunk(row->right, row->n, k->quality);
    k->n = row->n;
    k->ground = row->domain.len > 0 ? ROUTE_GROUND_DOMAIN : ROUTE_GROUND_ARM;
    if (row->cost_n == 0)
        return;
    double n = (double)row->cost_n, mean = (double)row->cost_mean;
    k->cost = k->has_cost ? (n * mean + SHRINK_LABELS * k->cost) / (n + SHRINK_LABELS) : mean;
    k->has_cost = true;
}

/* From all arms down to the arm in the domain, through the domains above it. */
static struct known arm_known(const struct route_model *model, const struct route_candidate *c,
                              str domain)
{
    struct known k = { .quality = prior_of(model), .ground = ROUTE_GROUND_PRIOR };
    str path[DOMAIN_DEPTH_MAX + 2] = { domain_clip(domain) };
    size_t depth = 1;

    if (!model)
        return k;
    while (domain_parent(path[depth - 1], &path[depth]))
        depth++;
    while (depth-- > 0)
        known_narrow(&k, arm_find(model, c->strategy, c->model, path[depth]));
    return k;
}

static double clamped(double share)
{
    return fmax(0, fmin(1, share));
}

/* The trained pair, asked directly, is judged by the question. */
static void question_apply(const struct route_model *model, const struct route_question *question,
                           const struct route_candidate *c, struct known *k)
{
    const struct learned_score *score = question->score;

    if (!model || model->facts.n == 0 || !score || !str_eq(c->strategy, STR("direct")))
        return;
    bool is_weak = str_eq(c->model, model->facts.weak_model);
    if (!is_weak && !str_eq(c->model, model->facts.strong_model))
        return;
    double loss = domain_row_find(&model->domains, question->domain)->loss_rate;
    k->quality = is_weak ? score->weak_success : clamped(score->weak_success + score->gain - loss);
    k->ground = ROUTE_GROUND_QUESTION;
    k->n = model->facts.n;
}

static void estimate_set(const struct route_model *model, const struct route_question *question,
                         const struct route_candidate *c, struct route_estimate *out)
{
    struct known k = arm_known(model, c, question->domain);

    question_apply(model, question, c, &k);
    *out = (struct route_estimate){ .quality = k.quality,
                                    .ground = k.ground,
                                    .n = k.n,
                                    .cost =
                                        k.has_cost ? (nano_usd)llround(k.cost) : c->cost_estimate };
}

/* ---- choosing ---- */

/* An unknown cost counts as the highest known one. */
static void utilities_set(struct route_decision *d, nano_usd value)
{
    nano_usd highest = 0;

    for (size_t i = 0; i < d->candidate_count; i++)
        if (d->estimates[i].cost > highest)
            highest = d->estimates[i].cost;
    for (size_t i = 0; i < d->candidate_count; i++) {
        struct route_estimate *e = &d->estimates[i];
        nano_usd cost = e->cost == COST_UNPRICED ? highest : e->cost;
        e->utility = e->quality * (double)value - (double)cost;
    }
}

static bool is_cheaper(const struct route_estimate *a, const struct route_estimate *b)
{
    if (a->cost == COST_UNPRICED || b->cost == COST_UNPRICED)
        return a->cost != COST_UNPRICED && b->cost == COST_UNPRICED;
    return a->cost < b->cost;
}

typedef bool (*better)(const struct route_estimate *a, const struct route_estimate *b);

static bool has_more_utility(const struct route_estimate *a, const struct route_estimate *b)
{
    if (a->utility < b->utility || a->utility > b->utility)
        return a->utility > b->utility;
    return is_cheaper(a, b);
}

static bool has_more_quality(const struct route_estimate *a, const struct route_estimate *b)
{
    if (a->quality < b->quality || a->quality > b->quality)
        return a->quality > b->quality;
    return is_cheaper(a, b);
}

/* The best of what is allowed; the first where nothing tells them apart. */
static size_t best_of(const struct route_decision *d, better is_better)
{
    size_t best = SIZE_MAX;

    for (size_t i = 0; i < d->candidate_count; i++) {
        if (!d->estimates[i].is_allowed)
            continue;
        if (best == SIZE_MAX || is_better(&d->estimates[i], &d->estimates[best]))
            best = i;
    }
    assert(best != SIZE_MAX);
    return best;
}

static size_t allow_only(struct route_decision *d, size_t only)
{
    for (size_t i = 0; i < d->candidate_count; i++)
        d->estimates[i].is_allowed = i == only;
    return 1;
}

static size_t allowed_count(const struct route_decision *d)
{
    size_t n = 0;

    for (size_t i = 0; i < d->candidate_count; i++)
        n += d->estimates[i].is_allowed;
    return n;
}

/* Marks what may be taken; at least one is. Returns how many. */
static size_t candidates_allow(struct route_decision *d, const struct route_options *options)
{
    d->cause = ROUTE_CAUSE_BEST;
    for (size_t i = 0; i < d->candidate_count; i++) {
        struct route_estimate *e = &d->estimates[i];
        e->is_allowed = options->cost_cap_nano_usd < 0 ||
                        (e->cost != COST_UNPRICED && e->cost <= options->cost_cap_nano_usd);
    }
    if (allowed_count(d) == 0) {
        d->cause = ROUTE_CAUSE_CAP;
        for (size_t i = 0; i < d->candidate_count; i++)
            d->estimates[i].is_allowed = true;
        return allow_only(d, best_of(d, is_cheaper));
    }
    size_t best = best_of(d, has_more_quality);
    for (size_t i = 0; i < d->candidate_count; i++)
        if (d->estimates[i].quality < options->quality_min)
            d->estimates[i].is_allowed = false;
    if (allowed_count(d) == 0) {
        d->cause = ROUTE_CAUSE_QUALITY;
        return allow_only(d, best);
    }
    return allowed_count(d);
}

static size_t allowed_at(const struct route_decision *d, size_t k)
{
    for (size_t i = 0; i < d->candidate_count; i++)
        if (d->estimates[i].is_allowed && k-- == 0)
            return i;
    assert(false);
    return 0;
}

void route_decide(const struct route_model *model, const struct route_question *question,
                  const struct route_candidate *candidates, size_t n,
                  const struct route_options *options, struct rng *rng, struct route_decision *out)
{
    assert(n >= 1);
    assert(n <= ROUTE_CANDIDATES_MAX);
    *out = (struct route_decision){ .candidate_count = n };
    for (size_t i = 0; i < n; i++)
        estimate_set(model, question, &candidates[i], &out->estimates[i]);
    utilities_set(out, options->value_nano_usd);
    size_t allowed = candidates_allow(out, options), best = best_of(out, has_more_utility);
    for (size_t i = 0; i < n; i++)
        if (out->estimates[i].is_allowed)
            out->estimates[i].propensity =
                options->epsilon / (double)allowed + (i == best ? 1 - options->epsilon : 0);
    out->chosen = best;
    if (options->epsilon > 0 && rng_unit(rng) < options->epsilon) {
        out->is_explored = true;
        out->chosen = allowed_at(out, (size_t)rng_below(rng, allowed));
        if (out->chosen != best)
            out->cause = ROUTE_CAUSE_EXPLORED;
    }
    out->propensity = out->estimates[out->chosen].propensity;
}

/* ---- for people ---- */

static void ground_explain(const struct route_estimate *e, struct buf *out)
{
    switch (e->ground) {
    case ROUTE_GROUND_QUESTION:
        buf_printf(out, "judged by the question, after %" PRId64 " trained ones", e->n);
        break;
    case ROUTE_GROUND_DOMAIN:
        buf_printf(out, "from %" PRId64 " answers in this domain", e->n);
        break;
    case ROUTE_GROUND_ARM:
        buf_printf(out, "from %" PRId64 " answers, none in this domain", e->n);
        break;
    case ROUTE_GROUND_PRIOR:
        buf_add(out, STR("nothing is known of it, taken for the mean of what is known"));
        break;
    }
}

void route_decision_explain(const struct route_decision *decision,
                            const struct route_candidate *candidates,
                            const struct route_options *options, struct buf *out)
{
    const struct route_candidate *c = &candidates[decision->chosen];
    const struct route_estimate *e = &decision->estimates[decision->chosen];
    char cost[32], cap[32];
    str cost_text = cost_format(e->cost, cost);
    str cap_text = cost_format(options->cost_cap_nano_usd, cap);

    buf_printf(out, "%.*s on %.*s: expected right %.1f %% (", STR_ARG(c->strategy),
               STR_ARG(c->model), e->quality * 100);
    ground_explain(e, out);
    buf_printf(out, ") for %.*s; ", STR_ARG(cost_text));
    switch (decision->cause) {
    case ROUTE_CAUSE_BEST:
        buf_printf(out, "the best of %zu", allowed_count(decision));
        break;
    case ROUTE_CAUSE_EXPLORED:
        buf_add(out, STR("drawn to explore, though another was expected to be better"));
        break;
    case ROUTE_CAUSE_CAP:
        buf_printf(out, "nothing fits under the cap of %.*s, this is the cheapest",
                   STR_ARG(cap_text));
        break;
    case ROUTE_CAUSE_QUALITY:
        buf_printf(out, "nothing reaches %.1f %%, this comes nearest", options->quality_min * 100);
        break;
    }
}
