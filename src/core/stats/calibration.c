/* SPDX-License-Identifier: Apache-2.0 */
/* calibration: fits a map from raw confidence to probability: Platt's logistic for few labels, isotonic for many. */
#include "core/stats/calibration.h"

#include <math.h>

#include "core/stats/stats_internal.h"

/* ---- sorting ---- */

static void merge_runs(const struct labelled *from, struct labelled *to, size_t start,
                       size_t middle, size_t end)
{
    size_t a = start, b = middle;

    for (size_t i = start; i < end; i++) {
        bool take_a = a < middle && (b >= end || from[a].score <= from[b].score);
        to[i] = take_a ? from[a++] : from[b++];
    }
}

/* Bottom-up merging between the two arrays; an odd number of rounds ends with a copy back. */
void labelled_sort(struct labelled *items, struct labelled *spare, size_t n)
{
    struct labelled *from = items, *to = spare;

    for (size_t width = 1; width < n; width *= 2) {
        for (size_t start = 0; start < n; start += 2 * width) {
            size_t middle = start + width < n ? start + width : n;
            size_t end = middle + width < n ? middle + width : n;
            merge_runs(from, to, start, middle, end);
        }
        struct labelled *swap = from;
        from = to;
        to = swap;
    }
    if (from != items) {
        for (size_t i = 0; i < n; i++)
            items[i] = from[i];
    }
}

/* ---- Platt ---- */

/* Logistic regression on standardised scores; targets are pulled in as Platt 1999 does, which keeps them finite when the
 * classes separate. */
struct logistic {
    double slope, intercept;
    double high, low; /* targets of right and wrong */
};

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

/* ln(1 + e^x) */
static double softplus(double x)
{
    return fmax(x, 0) + log1p(exp(-fabs(x)));
}

static double logistic_loss(const struct logistic *l, const struct labelled *items, size_t n)
{
    double loss = 0;

    for (size_t i = 0; i < n; i++) {
        double x = l->slope * items[i].score + l->intercept;
        loss += softplus(x) - (items[i].is_right ? l->high : l->low) * x;
    }
    return loss;
}

/* Newton's direction: the gradient divided by the curvature. False when there is nothing left to gain. */
static bool logistic_direction(const struct logistic *l, const struct labelled *items, size_t n,
                               double *out_slope, double *out_intercept)
{
    double g1 = 0, g0 = 0, h11 = 1e-12, h10 = 0, h00 = 1e-12;

    for (size_t i = 0; i < n; i++) {
        double score = items[i].score, p = sigmoid(l->slope * score + l->intercept);
        double rest = p - (items[i].is_right ? l->high : l->low), weight = p * (1 - p);
        g1 += rest * score;
        g0 += rest;
        h11 += weight * score * score;
        h10 += weight * score;
        h00 += weight;
    }
    double determinant = h11 * h00 - h10 * h10;
    *out_slope = -(h00 * g1 - h10 * g0) / determinant;
    *out_intercept = -(h11 * g0 - h10 * g1) / determinant;
    return fabs(g1) + fabs(g0) > 1e-10 * (double)n && determinant > 0;
}

#define NEWTON_STEPS_MAX 100
#define HALVINGS_MAX 40

static void logistic_fit(struct logistic *l, const struct labelled *items, size_t n)
{
    double loss = logistic_loss(l, items, n), slope, intercept;

    for (int step = 0; step < NEWTON_STEPS_MAX; step++) {
        if (!logistic_direction(l, items, n, &slope, &intercept))
            return;
        struct logistic next = *l;
        double size = 1, next_loss = INFINITY;
        for (int i = 0; i < HALVINGS_MAX && !(next_loss < loss); i++, size /= 2) {
            next.slope = l->slope + size * slope;
            next.intercept = l->intercept + size * intercept;
            next_loss = logistic_loss(&next, items, n);
        }
        if (!(next_loss < loss))
            return;
        *l = next;
        loss = next_loss;
    }
}

/* A score that falls while the answers get better carries no usable order: then the best map is the base rate. */
static void fit_platt(struct fit *out, const struct labelled *items, size_t n,
                      struct labelled *standard)
{
    double sum = 0, squares = 0, right = 0, total = (double)n;

    for (size_t i = 0; i < n; i++) {
        sum += items[i].score;
        right += items[i].is_right;
    }
    double mean = sum / total;
    for (size_t i = 0; i < n; i++)
        squares += (items[i].score - mean) * (items[i].score - mean);
    double deviation = sqrt(squares / total);
    bool is_flat = !(deviation > 1e-12 * fmax(fabs(mean), 1));
    for (size_t i = 0; i < n; i++) {
        standard[i] = items[i];
        standard[i].score = is_flat ? 0 : (items[i].score - mean) / deviation;
    }
    struct logistic l = { 0, 0, (right + 1) / (right + 2), 1 / (total - right + 2) };
    double base = (right * l.high + (total - right) * l.low) / total;
    l.intercept = log(base / (1 - base));
    struct logistic flat = l;
    logistic_fit(&l, standard, n);
    if (!(l.slope > 0))
        l = flat;
    out->slope = is_flat ? 0 : l.slope / deviation;
    out->intercept = l.intercept - out->slope * mean;
}

/* ---- isotonic ---- */

static double block_mean(const struct isotonic_block *b)
{
    return (double)b->right / (double)b->n;
}

/* b joins the block before it. */
static void block_join(struct isotonic_block *a, const struct isotonic_block *b)
{
    a->to = b->to;
    a->score_sum += b->score_sum;
    a->n += b->n;
    a->right += b->right;
}

/* a's mean is at least b's; products of counts below 2^31 are exact. */
static bool is_violated(const struct isotonic_block *a, const struct isotonic_block *b)
{
    return a->right * b->n >= b->right * a->n;
}

/* Ayer et al. 1955. */
size_t isotonic_pool(const struct labelled *sorted, size_t n, struct isotonic_block *out)
{
    size_t count = 0;

    for (size_t i = 0; i < n; i++) {
        double score = sorted[i].score;
        struct isotonic_block one = { score, score, score, 1, sorted[i].is_right };
        bool is_tied = i + 1 < n && sorted[i + 1].score == score;
        if (i > 0 && sorted[i - 1].score == score)
            block_join(&out[count - 1], &one);
        else
            out[count++] = one;
        while (!is_tied && count > 1 && is_violated(&out[count - 2], &out[count - 1])) {
            block_join(&out[count - 2], &out[count - 1]);
            count--;
        }
    }
    return count;
}

/* What joining two neighbours adds to the squared error (Ward 1963). */
static double join_loss(const struct isotonic_block *a, const struct isotonic_block *b)
{
    double diff = block_mean(b) - block_mean(a), na = (double)a->n, nb = (double)b->n;

    return na * nb / (na + nb) * diff * diff;
}

/* Joins the neighbours that lose least until at most `most` blocks are left; how many that are. */
static size_t blocks_thin(struct isotonic_block *blocks, size_t count, size_t most)
{
    while (count > most) {
        size_t best = 0;
        for (size_t i = 1; i + 1 < count; i++) {
            if (join_loss(&blocks[i], &blocks[i + 1]) < join_loss(&blocks[best], &blocks[best + 1]))
                best = i;
        }
        block_join(&blocks[best], &blocks[best + 1]);
        count--;
        for (size_t i = best + 1; i < count; i++)
            blocks[i] = blocks[i + 1];
    }
    return count;
}

static void knot_add(struct fit *out, double score, double value)
{
    out->score[out->knots] = score;
    out->value[out->knots++] = value;
}

/* Knots at both ends of each block (at one, when it is one score): the projection itself. */
static void fit_flat(struct fit *out, const struct isotonic_block *blocks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        knot_add(out, blocks[i].from, block_mean(&blocks[i]));
        if (blocks[i].from < blocks[i].to)
            knot_add(out, blocks[i].to, block_mean(&blocks[i]));
    }
}

/* One knot a block, at the mean of its scores (centred isotonic regression, Oron and Flournoy 2017). */
static void fit_centred(struct fit *out, const struct isotonic_block *blocks, size_t count)
{
    for (size_t i = 0; i < count; i++)
        knot_add(out, blocks[i].score_sum / (double)blocks[i].n, block_mean(&blocks[i]));
}

static void fit_isotonic(struct fit *out, struct isotonic_block *blocks, size_t count)
{
    size_t knots = 0;

    for (size_t i = 0; i < count; i++)
        knots += blocks[i].from < blocks[i].to ? 2 : 1;
    if (knots <= FIT_KNOTS_MAX)
        fit_flat(out, blocks, count);
    else
        fit_centred(out, blocks, blocks_thin(blocks, count, FIT_KNOTS_MAX));
}

/* ---- the fit ---- */

enum err fit_make(struct fit *out, const struct labelled *items, size_t n, struct arena *scratch)
{
    struct fit fit = { .kind = n == 0                ? FIT_NONE
                               : n < FIT_PLATT_BELOW ? FIT_PLATT
                                                     : FIT_ISOTONIC,
                       .n = (int64_t)n };
    struct labelled *sorted = ARENA_ARRAY(scratch, n, struct labelled);
    struct labelled *spare = ARENA_ARRAY(scratch, n, struct labelled);
    struct isotonic_block *blocks = ARENA_ARRAY(scratch, n, struct isotonic_block);

    if (arena_failed(scratch))
        return WEIR_NO_MEMORY;
    if (fit.kind == FIT_PLATT) {
        fit_platt(&fit, items, n, sorted);
    } else if (fit.kind == FIT_ISOTONIC) {
        for (size_t i = 0; i < n; i++)
            sorted[i] = items[i];
        labelled_sort(sorted, spare, n);
        fit_isotonic(&fit, blocks, isotonic_pool(sorted, n, blocks));
    }
    *out = fit;
    return OK;
}

static double isotonic_apply(const struct fit *fit, double score)
{
    size_t lo = 0, hi = fit->knots - 1;

    if (!(score > fit->score[lo]))
        return fit->value[lo];
    if (score >= fit->score[hi])
        return fit->value[hi];
    while (hi - lo > 1) {
        size_t middle = (lo + hi) / 2;
        if (fit->score[middle] <= score)
            lo = middle;
        else
            hi = middle;
    }
    double share = (score - fit->score[lo]) / (fit->score[hi] - fit->score[lo]);
    return fit->value[lo] + share * (fit->value[hi] - fit->value[lo]);
}

double fit_apply(const struct fit *fit, double score)
{
    switch (fit->kind) {
    case FIT_PLATT:
        return sigmoid(fit->slope * score + fit->intercept);
    case FIT_ISOTONIC:
        return isotonic_apply(fit, score);
    case FIT_NONE:
        break;
    }
    return fmin(fmax(score, 0), 1);
}
