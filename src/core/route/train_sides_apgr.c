/* SPDX-License-Identifier: Apache-2.0 */
/* train_sides_apgr: what a score would have recovered, from a log in which each question was answered by one of the two. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/route/train_internal.h"

/* ---- one walk along the order ---- */

struct totals {
    double weight[ROUTE_SIDES];
    double right[ROUTE_SIDES];
};

static struct totals totals_of(const struct sided_trial *trials, const uint32_t *times, size_t n)
{
    struct totals t = { .weight = { 0 } };

    for (size_t i = 0; i < n; i++) {
        double w = trials[i].weight * times[i];
        t.weight[trials[i].is_strong] += w;
        t.right[trials[i].is_strong] += trials[i].is_right ? w : 0;
    }
    return t;
}

bool sided_apgr(const struct sided_trial *trials, const uint32_t *order, const uint32_t *times,
                size_t n, double *out)
{
    struct totals all = totals_of(trials, times, n);
    double above = 0, routed = 0;

    if (!(all.weight[0] > 0 && all.weight[1] > 0))
        return false;
    double weak = all.right[0] / all.weight[0], strong = all.right[1] / all.weight[1];
    if (!(strong > weak))
        return false;
    for (size_t at = 0, end; at < n; at = end) {
        struct totals tie = { .weight = { 0 } };
        double score = trials[order[at]].score;
        for (end = at; end < n && !(trials[order[end]].score < score); end++) {
            const struct sided_trial *trial = &trials[order[end]];
            double w = trial->weight * times[order[end]];
            tie.weight[trial->is_strong] += w;
            tie.right[trial->is_strong] += trial->is_right ? w : 0;
        }
        /* Each side's weights stand for the whole traffic; the order is that of both together. */
        double share = (tie.weight[0] / all.weight[0] + tie.weight[1] / all.weight[1]) / 2;
        double q = above + share / 2;
        routed += tie.right[0] / all.weight[0] * q + tie.right[1] / all.weight[1] * (1 - q);
        above += share;
    }
    *out = (routed - weak) / (strong - weak);
    return true;
}

/* ---- orders ---- */

static uint32_t *order_of(const struct sided_trial *trials, size_t n, struct arena *arena)
{
    double *scores = ARENA_ARRAY(arena, n, double);
    uint32_t *order = ARENA_ARRAY(arena, n, uint32_t);

    for (size_t i = 0; scores && i < n; i++)
        scores[i] = trials[i].score;
    const struct route_ranked *ranked = scores ? route_rank(scores, n, arena) : NULL;
    if (!ranked || !order)
        return NULL;
    for (size_t i = 0; i < n; i++)
        order[i] = ranked[i].trial;
    return order;
}

enum err sided_rank_in_folds(struct sided_trial *trials, size_t n, struct arena *arena)
{
    const uint32_t *order = order_of(trials, n, arena);
    double *scores = ARENA_ARRAY(arena, n, double);
    double total[ROUTE_FOLDS_MAX] = { 0 }, above[ROUTE_FOLDS_MAX] = { 0 };

    if (!order || !scores)
        return WEIR_NO_MEMORY;
    for (size_t i = 0; i < n; i++)
        total[trials[i].fold] += trials[i].weight;
    for (size_t at = 0, end; at < n; at = end) {
        double tie[ROUTE_FOLDS_MAX] = { 0 }, score = trials[order[at]].score;
        for (end = at; end < n && !(trials[order[end]].score < score); end++)
            tie[trials[order[end]].fold] += trials[order[end]].weight;
        for (size_t k = at; k < end; k++) {
            size_t fold = trials[order[k]].fold;
            scores[order[k]] = 1 - (above[fold] + tie[fold] / 2) / total[fold];
        }
        for (size_t fold = 0; fold < ROUTE_FOLDS_MAX; fold++)
            above[fold] += tie[fold];
    }
    for (size_t i = 0; i < n; i++)
        trials[i].score = scores[i];
    return OK;
}

/* ---- with intervals ---- */

enum figure { FIGURE_LEARNED, FIGURE_TABLE, FIGURE_OVER, FIGURE_COUNT };

struct judged {
    const struct sided_trial *trials[2]; /* learned, table: the same rows */
    const uint32_t *orders[2];
    size_t n;
    uint32_t *times;
};

static bool figures_read(const struct judged *j, double out[FIGURE_COUNT])
{
    bool has_gap = sided_apgr(j->trials[0], j->orders[0], j->times, j->n, &out[FIGURE_LEARNED]) &&
                   sided_apgr(j->trials[1], j->orders[1], j->times, j->n, &out[FIGURE_TABLE]);

    if (has_gap)
        out[FIGURE_OVER] = out[FIGURE_LEARNED] - out[FIGURE_TABLE];
    return has_gap;
}

static int double_cmp(const void *a, const void *b)
{
    const double *left = a, *right = b;

    return (*left > *right) - (*left < *right);
}

/* Percentiles of the resamples, linear between them. */
static struct interval percentiles(double *samples, size_t n, double estimate)
{
    static const double levels[2] = { 0.025, 0.975 };
    double ends[2] = { estimate, estimate };

    if (n > 1)
        qsort(samples, n, sizeof(*samples), double_cmp);
    for (int i = 0; n > 0 && i < 2; i++) {
        double at = levels[i] * (double)(n - 1);
        size_t low = (size_t)at, high = low + 1 < n ? low + 1 : low;
        ends[i] = samples[low] + (at - (double)low) * (samples[high] - samples[low]);
    }
    return (struct interval){ estimate, ends[0], ends[1] };
}

/* Questions are drawn with replacement; resamples without a gap do not count. */
static enum err intervals_set(struct train *t, struct judged *j, const double point[FIGURE_COUNT],
                              struct route_sides_report *report)
{
    size_t rounds = (size_t)t->options->rounds, counted = 0, questions = 0;
    uint32_t *drawn = ARENA_ARRAY(t->arena, t->n, uint32_t);
    double *samples = ARENA_ARRAY(t->arena, rounds * FIGURE_COUNT + 1, double);
    double figures[FIGURE_COUNT];
    struct rng rng;

    if (!drawn || !samples)
        return WEIR_NO_MEMORY;
    for (size_t i = 0; i < t->n; i++)
        if (t->question[i] >= questions)
            questions = t->question[i] + 1;
    rng_init(&rng, t->options->seed);
    for (size_t round = 0; round < rounds; round++) {
        memset(drawn, 0, questions * sizeof(*drawn));
        for (size_t i = 0; i < questions; i++)
            drawn[rng_below(&rng, questions)]++;
        for (size_t i = 0; i < j->n; i++)
            j->times[i] = drawn[j->trials[0][i].question];
        if (!figures_read(j, figures))
            continue;
        for (size_t f = 0; f < FIGURE_COUNT; f++)
            samples[f * rounds + counted] = figures[f];
        counted++;
    }
    struct interval *const out[FIGURE_COUNT] = { &report->apgr_learned, &report->apgr_domain_table,
                                                 &report->apgr_over_domain_table };
    for (size_t f = 0; f < FIGURE_COUNT; f++)
        *out[f] = percentiles(&samples[f * rounds], counted, point[f]);
    return OK;
}

enum err sided_apgr_measure(struct train *t, const struct sided_trial *learned,
                            const struct sided_trial *table, size_t n,
                            struct route_sides_report *report)
{
    struct judged j = { .trials = { learned, table },
                        .orders = { order_of(learned, n, t->arena), order_of(table, n, t->arena) },
                        .n = n,
                        .times = ARENA_ARRAY(t->arena, n, uint32_t) };
    double point[FIGURE_COUNT];

    if (arena_failed(t->arena))
        return WEIR_NO_MEMORY;
    for (size_t i = 0; i < n; i++)
        j.times[i] = 1;
    report->has_apgr = figures_read(&j, point);
    return report->has_apgr ? intervals_set(t, &j, point, report) : OK;
}
