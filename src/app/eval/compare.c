/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compare: pairs of cells on the same questions. With one run of each question: Tango's interval, exact McNemar. With
 * several: differences of the questions' means, whose standard error is clustered by question (Miller 2024), and t.
 * Differences without variance would give an interval of no width, which claims too much.
 */
#include <math.h>
#include <stdlib.h>

#include "app/eval/report.h"
#include "base/rng.h"

/* Resamples of the cost's bootstrap; fewer where there are very many questions, so that a table does not take minutes. */
#define BOOTSTRAP_ROUNDS 2000
#define BOOTSTRAP_ROUNDS_MIN 200
#define BOOTSTRAP_DRAWS_MAX 40000000.0
/* z(1 - .05) + z(.8): what a resolvable margin has in standard errors (statistics: planning). */
#define RESOLVABLE_SE 2.486474860

/* What a pair's common questions add up to. */
struct common {
    size_t count; /* questions */
    struct pairs pairs;
    struct cluster *diffs; /* one a question: mean of b minus mean of a */
    double *cost_a; /* of a question, all runs */
    double *cost_b;
    bool has_cost;
};

/* All runs of a question in a cell: how many right, what they cost; false when one is missing. */
static bool question_sum(const struct eval *e, size_t question, size_t cell, int64_t *out_right,
                         nano_usd *out_cost)
{
    int64_t right = 0;
    nano_usd cost = 0;

    for (size_t i = 0; i < e->runs.per_cell; i++) {
        const struct eval_run *run = eval_run_at(&e->runs, question, cell, i);
        if (!run->is_done)
            return false;
        right += run->is_right;
        cost = cost_add(cost, run->cost);
    }
    *out_right = right;
    *out_cost = cost;
    return true;
}

static void common_gather(const struct eval *e, const struct eval_pair_row *pair, struct common *c)
{
    for (size_t q = 0; q < e->questions.count; q++) {
        int64_t right_a, right_b;
        nano_usd cost_a, cost_b;
        if (!eval_domain_holds(e, pair->domain, q) ||
            !question_sum(e, q, pair->a, &right_a, &cost_a) ||
            !question_sum(e, q, pair->b, &right_b, &cost_b))
            continue;
        c->pairs.both += right_a > 0 && right_b > 0;
        c->pairs.only_a += right_a > 0 && right_b == 0;
        c->pairs.only_b += right_a == 0 && right_b > 0;
        c->pairs.neither += right_a == 0 && right_b == 0;
        c->diffs[c->count] =
            (struct cluster){ .n = 1,
                              .sum = (double)(right_b - right_a) / (double)e->runs.per_cell };
        c->has_cost = c->has_cost && cost_a != COST_UNPRICED && cost_b != COST_UNPRICED;
        c->cost_a[c->count] = (double)cost_a;
        c->cost_b[c->count] = (double)cost_b;
        c->count++;
    }
}

/* ---- success ---- */

static void compare_once(const struct eval *e, const struct common *c, struct eval_pair_row *pair)
{
    struct paired p = stats_paired(&c->pairs, e->options.margin, EVAL_ALPHA);

    pair->diff = p.diff;
    pair->lower_one_sided = p.lower_one_sided;
    pair->upper_one_sided = p.upper_one_sided;
    pair->p = p.mcnemar_p;
    pair->resolvable = p.resolvable;
    pair->verdict = p.verdict;
}

/* Two-sided P(|T| >= t) with so many degrees of freedom (Abramowitz and Stegun 26.7.1). */
static double t_two_sided(double t, double freedom)
{
    return stats_beta_cdf(freedom / (freedom + t * t), freedom / 2, 0.5);
}

/* Every question says the same. That they all differ, or that none does, pairs can judge; for anything between there is no
 * interval. */
static void compare_without_variance(const struct eval *e, const struct common *c,
                                     struct eval_pair_row *pair, double estimate)
{
    if (estimate == 0 || fabs(estimate) == 1) {
        compare_once(e, c, pair);
        return;
    }
    pair->diff = (struct interval){ estimate, -1, 1 };
    pair->lower_one_sided = -1;
    pair->upper_one_sided = 1;
    pair->p = 1;
    pair->resolvable = 1;
    pair->verdict = STATS_INCONCLUSIVE;
}

static void compare_clustered(const struct eval *e, const struct common *c,
                              struct eval_pair_row *pair)
{
    double se = 0;
    struct interval one_sided = stats_clustered_mean(c->diffs, c->count, 2 * EVAL_ALPHA, &se);
    struct interval diff = stats_clustered_mean(c->diffs, c->count, EVAL_ALPHA, &se);

    pair->is_clustered = true;
    if (!isfinite(se) || se <= 0) {
        compare_without_variance(e, c, pair, diff.estimate);
        return;
    }
    pair->diff = (struct interval){ diff.estimate, fmax(diff.lower, -1), fmin(diff.upper, 1) };
    pair->lower_one_sided = fmax(one_sided.lower, -1);
    pair->upper_one_sided = fmin(one_sided.upper, 1);
    pair->resolvable = fmin(RESOLVABLE_SE * se, 1);
    pair->p = t_two_sided(pair->diff.estimate / se, (double)c->count - 1);
    if (pair->diff.lower > 0)
        pair->verdict = STATS_SUPERIOR;
    else if (pair->lower_one_sided > -e->options.margin)
        pair->verdict = STATS_NON_INFERIOR;
    else
        pair->verdict = pair->diff.upper < 0 ? STATS_INFERIOR : STATS_INCONCLUSIVE;
}

/* ---- cost ---- */

static int compare_doubles(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

static double sum_of(const double *values, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += values[i];
    return sum;
}

/* Percentile bootstrap over questions, both cells on the same resample (Efron and Tibshirani 1993, chapter 13). A resample
 * that costs nothing in a says nothing. */
static enum err compare_cost(const struct eval *e, const struct common *c,
                             struct eval_pair_row *pair)
{
    double total_a = sum_of(c->cost_a, c->count), total_b = sum_of(c->cost_b, c->count);
    double affordable = BOOTSTRAP_DRAWS_MAX / (double)(c->count > 0 ? c->count : 1);
    size_t rounds = affordable < BOOTSTRAP_ROUNDS_MIN ? BOOTSTRAP_ROUNDS_MIN
                    : affordable < BOOTSTRAP_ROUNDS   ? (size_t)affordable
                                                      : BOOTSTRAP_ROUNDS;
    size_t kept = 0;
    struct rng rng;

    if (!c->has_cost || c->count == 0 || total_a <= 0)
        return OK;
    double *ratios = calloc(rounds, sizeof(double));
    if (!ratios)
        return WEIR_NO_MEMORY;
    rng_init(&rng, rng_mix(e->plan.seed ^ rng_mix(pair->a * 64 + pair->b)));
    for (size_t i = 0; i < rounds; i++) {
        double a = 0, b = 0;
        for (size_t k = 0; k < c->count; k++) {
            size_t q = (size_t)rng_below(&rng, c->count);
            a += c->cost_a[q];
            b += c->cost_b[q];
        }
        if (a > 0)
            ratios[kept++] = b / a - 1;
    }
    qsort(ratios, kept, sizeof(double), compare_doubles);
    pair->has_cost = kept > 0;
    if (kept > 0) {
        double last = (double)(kept - 1);
        pair->cost =
            (struct interval){ .estimate = total_b / total_a - 1,
                               .lower = ratios[(size_t)(last * EVAL_ALPHA / 2)],
                               .upper = ratios[(size_t)ceil(last * (1 - EVAL_ALPHA / 2))] };
    }
    free(ratios);
    return OK;
}

/* ---- the table ---- */

static enum err pair_compute(const struct eval *e, struct eval_pair_row *pair)
{
    struct common c = { .diffs = calloc(e->questions.count, sizeof(struct cluster)),
                        .cost_a = calloc(e->questions.count, sizeof(double)),
                        .cost_b = calloc(e->questions.count, sizeof(double)),
                        .has_cost = true };
    enum err fault = WEIR_NO_MEMORY;

    if (c.diffs && c.cost_a && c.cost_b) {
        common_gather(e, pair, &c);
        pair->n = (int64_t)c.count;
        if (e->runs.per_cell > 1)
            compare_clustered(e, &c, pair);
        else
            compare_once(e, &c, pair);
        fault = compare_cost(e, &c, pair);
    }
    free(c.diffs);
    free(c.cost_a);
    free(c.cost_b);
    return fault;
}

/* The baseline comes first in its pairs; else the cell that was named first does. */
static void pair_name(const struct eval *e, size_t first, size_t second, struct eval_pair_row *out)
{
    bool is_turned = eval_cell_find(&e->plan, e->options.baseline) == second;

    out->a = is_turned ? second : first;
    out->b = is_turned ? first : second;
}

enum err eval_pairs_compute(const struct eval *e, struct eval_report *r)
{
    size_t cells = e->plan.cell_count, domains = e->questions.domain_count, at = 0;
    size_t count = cells * (cells - 1) / 2 * (domains + 1);
    double *p = calloc(count + 1, sizeof(double));
    enum err fault = p ? OK : WEIR_NO_MEMORY;

    r->pairs = ARENA_ARRAY(&r->arena, count, struct eval_pair_row);
    if (!r->pairs)
        fault = WEIR_NO_MEMORY;
    for (size_t d = 0; d <= domains && fault == OK; d++) {
        for (size_t i = 0; i < cells; i++) {
            for (size_t k = i + 1; k < cells && fault == OK; k++) {
                struct eval_pair_row *pair = &r->pairs[at];
                pair->domain = d == domains ? EVAL_OVERALL : d;
                pair_name(e, i, k, pair);
                fault = pair_compute(e, pair);
                p[at++] = pair->p;
            }
        }
    }
    if (fault == OK) {
        stats_holm(p, count);
        for (size_t i = 0; i < count; i++)
            r->pairs[i].p_holm = p[i];
        r->pair_count = count;
    }
    free(p);
    return fault;
}
