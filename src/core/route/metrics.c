/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics: a router's curve and what is read off it. The trials are sorted by score once; a resample only changes how often
 * each counts, so a round of the bootstrap is one walk along that order.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "core/route/route_metrics.h"

static const double cpt_levels[ROUTE_CPT_LEVELS] = { 0.50, 0.80, 0.95 };

/* ---- the order of a score ---- */

static int ranked_cmp(const void *a, const void *b)
{
    const struct route_ranked *left = a, *right = b;

    if (left->score < right->score || left->score > right->score)
        return left->score > right->score ? -1 : 1;
    return (left->trial > right->trial) - (left->trial < right->trial);
}

struct route_ranked *route_rank(const double *scores, size_t n, struct arena *scratch)
{
    struct route_ranked *ranked = ARENA_ARRAY(scratch, n, struct route_ranked);

    for (size_t i = 0; ranked && i < n; i++)
        ranked[i] = (struct route_ranked){ scores[i], (uint32_t)i };
    if (ranked && n > 1)
        qsort(ranked, n, sizeof(*ranked), ranked_cmp);
    return ranked;
}

/* ---- one walk ---- */

struct point {
    double cost;
    double quality;
};

struct walk {
    const struct route_trial *trials;
    const struct route_ranked *ranked;
    const uint32_t *times; /* by trial: how often it counts */
    size_t n;
    bool has_costs;
    struct point *points; /* scratch of n + 1, for the hull */
    struct point *hull; /* scratch of n + 1 */
};

/* What is sent to the strong model as one: the trials of one score. */
struct block {
    double count;
    double weak;
    double strong;
    double gains;
    double weak_cost;
    double strong_cost;
};

/* The block that begins at *at; moves *at behind it. */
static struct block block_next(const struct walk *w, size_t *at)
{
    struct block b = { .count = 0 };
    double score = w->ranked[*at].score;

    for (; *at < w->n && !(w->ranked[*at].score < score); ++*at) {
        uint32_t i = w->ranked[*at].trial;
        const struct route_trial *t = &w->trials[i];
        double times = w->times[i];
        b.count += times;
        b.weak += t->weak_right ? times : 0;
        b.strong += t->strong_right ? times : 0;
        b.gains += t->strong_right && !t->weak_right ? times : 0;
        b.weak_cost += times * (double)t->weak_cost;
        b.strong_cost += times * (double)t->strong_cost;
    }
    return b;
}

static struct block totals_of(const struct walk *w)
{
    struct block sum = { .count = 0 };

    for (size_t at = 0; at < w->n;) {
        struct block b = block_next(w, &at);
        sum.count += b.count;
        sum.weak += b.weak;
        sum.strong += b.strong;
        sum.gains += b.gains;
        sum.weak_cost += b.weak_cost;
        sum.strong_cost += b.strong_cost;
    }
    return sum;
}

/* ---- AUC, APGR, CPT ---- */

/* The chance that a gain is ranked above what is none; ties count half. */
static double walk_auc(const struct walk *w, const struct block *total)
{
    double below = total->count - total->gains, area = 0;

    if (!(total->gains > 0) || !(below > 0))
        return 0.5;
    for (size_t at = 0; at < w->n;) {
        struct block b = block_next(w, &at);
        double others = b.count - b.gains;
        below -= others;
        area += b.gains * (below + others / 2);
    }
    return area / (total->gains * (total->count - total->gains));
}

/* Within a block the curve is straight: each of its trials is as likely as the next to be sent first. */
static void walk_gap(const struct walk *w, const struct block *total, struct router_metrics *out)
{
    double gap = total->strong - total->weak, share = 0, pgr = 0;
    bool is_reached[ROUTE_CPT_LEVELS] = { false }, is_half = false;

    for (size_t at = 0; at < w->n;) {
        struct block b = block_next(w, &at);
        double width = b.count / total->count, rise = (b.strong - b.weak) / gap;
        out->apgr += width * (pgr + rise / 2);
        for (int i = 0; i < ROUTE_CPT_LEVELS; i++) {
            if (is_reached[i] || pgr + rise < cpt_levels[i])
                continue;
            is_reached[i] = true;
            out->cpt[i] = share + width * (cpt_levels[i] - pgr) / rise;
        }
        if (!is_half && share + width >= 0.5 && width > 0) {
            is_half = true;
            out->pgr_half = pgr + rise * (0.5 - share) / width;
        }
        share += width;
        pgr += rise;
    }
    for (int i = 0; i < ROUTE_CPT_LEVELS; i++)
        if (!is_reached[i])
            out->cpt[i] = 1; /* only rounding keeps the last point below 1 */
}

/* ---- AIQ ---- */

static int point_cmp(const void *a, const void *b)
{
    const struct point *left = a, *right = b;

    if (left->cost < right->cost || left->cost > right->cost)
        return left->cost < right->cost ? -1 : 1;
    return (left->quality > right->quality) - (left->quality < right->quality);
}

/* The curve's corners in (mean cost, quality), sorted by cost. */
static size_t points_of(const struct walk *w, const struct block *total)
{
    double quality = total->weak, cost = total->weak_cost;
    bool is_sorted = true;
    size_t n = 0;

    w->points[n++] = (struct point){ cost / total->count, quality / total->count };
    for (size_t at = 0; at < w->n;) {
        struct block b = block_next(w, &at);
        quality += b.strong - b.weak;
        cost += b.strong_cost - b.weak_cost;
        w->points[n++] = (struct point){ cost / total->count, quality / total->count };
        is_sorted = is_sorted && point_cmp(&w->points[n - 2], &w->points[n - 1]) <= 0;
    }
    if (!is_sorted)
        qsort(w->points, n, sizeof(*w->points), point_cmp);
    return n;
}

/* Is b on or below the line from a to c? */
static bool is_below(struct point a, struct point b, struct point c)
{
    return (b.quality - a.quality) * (c.cost - a.cost) <=
           (c.quality - a.quality) * (b.cost - a.cost);
}

/* The upper hull from the left end up to the best quality: beyond, spending more would not help. */
static size_t hull_of(const struct walk *w, size_t points)
{
    size_t n = 0;

    for (size_t i = 0; i < points; i++) {
        struct point p = w->points[i];
        if (n > 0 && !(p.quality > w->hull[n - 1].quality))
            continue;
        while (n > 0 && !(w->hull[n - 1].cost < p.cost))
            n--;
        while (n > 1 && is_below(w->hull[n - 2], w->hull[n - 1], p))
            n--;
        w->hull[n++] = p;
    }
    return n;
}

/* The hull's area between two costs, its ends continued level. */
static double hull_area(const struct point *hull, size_t n, double from, double to)
{
    double area = 0;

    if (hull[0].cost > from)
        area += (fmin(hull[0].cost, to) - from) * hull[0].quality;
    for (size_t i = 1; i < n; i++) {
        struct point a = hull[i - 1], b = hull[i];
        double left = fmax(a.cost, from), right = fmin(b.cost, to);
        double slope = (b.quality - a.quality) / (b.cost - a.cost);
        if (right > left)
            area += (right - left) * (a.quality + slope * ((left + right) / 2 - a.cost));
    }
    double last = fmax(hull[n - 1].cost, from);
    return to > last ? area + (to - last) * hull[n - 1].quality : area;
}

static void walk_aiq(const struct walk *w, const struct block *total, struct router_metrics *out)
{
    double from = total->weak_cost / total->count, to = total->strong_cost / total->count;

    if (!(to > from))
        return;
    out->has_aiq = true;
    out->aiq = hull_area(w->hull, hull_of(w, points_of(w, total)), from, to) / (to - from);
}

/* The totals are those of the trials, whatever their order. */
static void walk_measure(const struct walk *w, const struct block *total,
                         struct router_metrics *out)
{
    *out = (struct router_metrics){ .n = (int64_t)total->count, .auc = 0.5 };
    if (!(total->count > 0))
        return;
    out->weak = total->weak / total->count;
    out->strong = total->strong / total->count;
    out->oracle = (total->weak + total->gains) / total->count;
    out->auc = walk_auc(w, total);
    out->has_gap = total->strong > total->weak;
    if (out->has_gap)
        walk_gap(w, total, out);
    if (w->has_costs)
        walk_aiq(w, total, out);
}

static bool all_priced(const struct route_trial *trials, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (trials[i].weak_cost == COST_UNPRICED || trials[i].strong_cost == COST_UNPRICED)
            return false;
    return n > 0;
}

/* ---- measuring ---- */

static enum err walk_init(struct walk *w, const struct route_trial *trials, uint32_t *times,
                          size_t n, struct arena *scratch)
{
    *w = (struct walk){
        .trials = trials, .times = times, .n = n, .has_costs = all_priced(trials, n)
    };
    w->points = ARENA_ARRAY(scratch, n + 1, struct point);
    w->hull = ARENA_ARRAY(scratch, n + 1, struct point);
    return arena_failed(scratch) ? WEIR_NO_MEMORY : OK;
}

enum err router_measure(struct router_metrics *out, const struct route_trial *trials,
                        const double *scores, size_t n, struct arena *scratch)
{
    uint32_t *times = ARENA_ARRAY(scratch, n, uint32_t);
    struct walk w;
    enum err e = walk_init(&w, trials, times, n, scratch);

    w.ranked = route_rank(scores, n, scratch);
    if (e != OK || !w.ranked || !times)
        return WEIR_NO_MEMORY;
    for (size_t i = 0; i < n; i++)
        times[i] = 1;
    struct block total = totals_of(&w);
    walk_measure(&w, &total, out);
    return OK;
}

/* ---- the bootstrap ---- */

enum figure {
    FIGURE_AUC,
    FIGURE_APGR,
    FIGURE_CPT,
    FIGURE_AIQ = FIGURE_CPT + ROUTE_CPT_LEVELS,
    FIGURE_OVER,
    FIGURE_COUNT
};

struct bootstrap {
    const struct router_bootstrap_options *options;
    struct walk walk;
    const struct route_ranked **orders; /* by scorer */
    size_t scorers;
    uint32_t *question; /* by trial: 0..questions − 1 */
    size_t questions;
    uint32_t *drawn; /* by question */
    uint32_t *times; /* by trial */
    double *samples; /* scorer × figure × round */
    int *counted; /* by scorer: rounds with a gap */
};

struct numbered {
    uint32_t question;
    uint32_t trial;
};

static int numbered_cmp(const void *a, const void *b)
{
    const struct numbered *left = a, *right = b;

    return (left->question > right->question) - (left->question < right->question);
}

static bool questions_number(struct bootstrap *b, const struct route_trial *trials, size_t n,
                             struct arena *scratch)
{
    struct numbered *sorted = ARENA_ARRAY(scratch, n, struct numbered);

    if (!sorted || !b->question)
        return false;
    for (size_t i = 0; i < n; i++)
        sorted[i] = (struct numbered){ trials[i].question, (uint32_t)i };
    if (n > 1)
        qsort(sorted, n, sizeof(*sorted), numbered_cmp);
    for (size_t i = 0; i < n; i++) {
        b->questions += i == 0 || sorted[i].question != sorted[i - 1].question;
        b->question[sorted[i].trial] = (uint32_t)(b->questions - 1);
    }
    return true;
}

static enum err bootstrap_init(struct bootstrap *b, const struct route_trial *trials,
                               const double *const *scores, size_t n, struct arena *scratch)
{
    size_t rounds = (size_t)b->options->rounds;

    b->question = ARENA_ARRAY(scratch, n, uint32_t);
    b->drawn = ARENA_ARRAY(scratch, n, uint32_t);
    b->times = ARENA_ARRAY(scratch, n, uint32_t);
    b->samples = ARENA_ARRAY(scratch, b->scorers * FIGURE_COUNT * rounds, double);
    b->counted = ARENA_ARRAY(scratch, b->scorers, int);
    b->orders = ARENA_ARRAY(scratch, b->scorers, const struct route_ranked *);
    if (arena_failed(scratch) || !questions_number(b, trials, n, scratch))
        return WEIR_NO_MEMORY;
    for (size_t s = 0; s < b->scorers; s++)
        b->orders[s] = route_rank(scores[s], n, scratch);
    if (arena_failed(scratch))
        return WEIR_NO_MEMORY;
    return walk_init(&b->walk, trials, b->times, n, scratch);
}

static double *samples_of(const struct bootstrap *b, size_t scorer, int figure)
{
    return &b->samples[(scorer * FIGURE_COUNT + (size_t)figure) * (size_t)b->options->rounds];
}

static void questions_draw(struct bootstrap *b, struct rng *rng)
{
    memset(b->drawn, 0, b->questions * sizeof(*b->drawn));
    for (size_t i = 0; i < b->questions; i++)
        b->drawn[rng_below(rng, b->questions)]++;
    for (size_t i = 0; i < b->walk.n; i++)
        b->times[i] = b->drawn[b->question[i]];
}

static void round_keep(struct bootstrap *b, size_t scorer, const struct router_metrics *m,
                       double reference_apgr)
{
    int round = b->counted[scorer]++;

    samples_of(b, scorer, FIGURE_AUC)[round] = m->auc;
    samples_of(b, scorer, FIGURE_APGR)[round] = m->apgr;
    for (int i = 0; i < ROUTE_CPT_LEVELS; i++)
        samples_of(b, scorer, FIGURE_CPT + i)[round] = m->cpt[i];
    samples_of(b, scorer, FIGURE_AIQ)[round] = m->aiq;
    samples_of(b, scorer, FIGURE_OVER)[round] = m->apgr - reference_apgr;
}

static void round_run(struct bootstrap *b)
{
    struct router_metrics reference, metrics;

    b->walk.ranked = b->orders[b->options->reference];
    struct block total = totals_of(&b->walk);
    walk_measure(&b->walk, &total, &reference);
    for (size_t s = 0; reference.has_gap && s < b->scorers; s++) {
        b->walk.ranked = b->orders[s];
        walk_measure(&b->walk, &total, &metrics);
        round_keep(b, s, &metrics, reference.apgr);
    }
}

static int double_cmp(const void *a, const void *b)
{
    const double *left = a, *right = b;

    return (*left > *right) - (*left < *right);
}

/* Linear between the sorted samples. */
static double quantile_of(const double *sorted, int n, double q)
{
    double at = q * (n - 1);
    int low = (int)at, high = low + 1 < n ? low + 1 : low;

    return sorted[low] + (at - low) * (sorted[high] - sorted[low]);
}

static struct interval percentiles(struct bootstrap *b, size_t scorer, int figure, double estimate)
{
    double *samples = samples_of(b, scorer, figure);
    int n = b->counted[scorer];

    if (n == 0)
        return (struct interval){ estimate, estimate, estimate };
    qsort(samples, (size_t)n, sizeof(*samples), double_cmp);
    return (struct interval){ estimate, quantile_of(samples, n, b->options->alpha / 2),
                              quantile_of(samples, n, 1 - b->options->alpha / 2) };
}

static void intervals_set(struct bootstrap *b, size_t scorer, const struct router_metrics *point,
                          double reference_apgr, struct router_intervals *out)
{
    out->rounds = b->counted[scorer];
    out->auc = percentiles(b, scorer, FIGURE_AUC, point->auc);
    out->apgr = percentiles(b, scorer, FIGURE_APGR, point->apgr);
    for (int i = 0; i < ROUTE_CPT_LEVELS; i++)
        out->cpt[i] = percentiles(b, scorer, FIGURE_CPT + i, point->cpt[i]);
    out->aiq = percentiles(b, scorer, FIGURE_AIQ, point->aiq);
    out->apgr_over_reference = percentiles(b, scorer, FIGURE_OVER, point->apgr - reference_apgr);
}

enum err router_bootstrap(struct router_intervals *out, const struct route_trial *trials,
                          const double *const *scores, size_t scorers, size_t n,
                          const struct router_bootstrap_options *options, struct arena *scratch)
{
    struct bootstrap b = { .options = options, .scorers = scorers };
    struct router_metrics point, reference;
    struct rng rng;

    assert(options->rounds >= 1);
    assert(options->reference < scorers);
    enum err e = bootstrap_init(&b, trials, scores, n, scratch);
    if (e != OK)
        return e;
    rng_init(&rng, options->seed);
    for (int round = 0; n > 0 && round < options->rounds; round++) {
        questions_draw(&b, &rng);
        round_run(&b);
    }
    for (size_t i = 0; i < n; i++)
        b.times[i] = 1;
    b.walk.ranked = b.orders[options->reference];
    struct block total = totals_of(&b.walk);
    walk_measure(&b.walk, &total, &reference);
    for (size_t s = 0; s < scorers; s++) {
        b.walk.ranked = b.orders[s];
        walk_measure(&b.walk, &total, &point);
        intervals_set(&b, s, &point, reference.apgr, &out[s]);
    }
    return OK;
}
