/* SPDX-License-Identifier: Apache-2.0 */
/*
 * train_fit: cross-validation of a head, and its final fit.
 *
 * A model that leaves out the folds a and b serves twice: it judges a for whoever holds out b, and b for whoever holds out a. So
 * all pairs of folds and all single folds are enough to choose a lambda without a fold, to calibrate without it, and then to
 * judge both on it.
 */
#include <math.h>

#include "core/calibration/fit_json.h"
#include "core/route/train_internal.h"

const double train_lambdas[LAMBDAS] = { INFINITY, 1000, 300, 100, 30, 10, 3, 1 };

static size_t cross_index(const struct train *t, size_t lambda, size_t row, size_t other)
{
    return (lambda * t->n + row) * t->folds + other;
}

double cross_at(const struct train *t, const struct cross *c, size_t lambda, size_t row,
                size_t other)
{
    return c->out_of_fold[cross_index(t, lambda, row, other)];
}

void train_progress(struct train *t)
{
    t->done++;
    if (t->options->on_progress)
        t->options->on_progress(t->options->ctx, t->done, t->total);
}

/* Fits at the lambda, from the weights of the lambda before. An infinite one leaves nothing but the rates. */
static void path_step(struct train *t, enum head head, size_t subset_count, size_t lambda)
{
    const struct logistic_task task = { .rows = &t->features,
                                        .subset = t->subset,
                                        .n = subset_count,
                                        .is_positive = t->labels[head],
                                        .offset = t->offset,
                                        .lambda = train_lambdas[lambda] };

    if (lambda > 0) {
        logistic_fit_cases(t->solver, &task, &(struct logistic_cases){ .weight = t->weight },
                           t->weights);
        return;
    }
    for (size_t j = 0; j < LOGISTIC_WEIGHTS; j++)
        t->weights[j] = 0;
}

void train_path(struct train *t, enum head head, size_t subset_count, size_t lambda)
{
    for (size_t step = 0; step <= lambda; step++)
        path_step(t, head, subset_count, step);
}

/* All lambdas without the folds a and b, judged on both. */
static void path_run(struct train *t, enum head head, size_t a, size_t b, struct cross *c)
{
    size_t subset_count = train_subset(t, a, b);

    train_offsets(t, subset_count, head);
    for (size_t lambda = 0; lambda < LAMBDAS; lambda++) {
        path_step(t, head, subset_count, lambda);
        for (size_t i = 0; i < t->n; i++) {
            if (t->fold[i] != a && t->fold[i] != b)
                continue;
            size_t other = t->fold[i] == a ? b : a;
            c->out_of_fold[cross_index(t, lambda, i, other)] =
                t->offset[i] + logistic_sum(&t->features, i, t->weights);
        }
    }
    train_progress(t);
}

/* The lambda of the least loss on rows outside `fold`, by models that have not seen it; `folds`: on all rows. Ties go to
 * the stronger regularisation. The table of rates is no choice for gain: there it is a contender of its own. */
static size_t lambda_choose(const struct train *t, const struct cross *c, enum head head,
                            size_t fold)
{
    size_t best = head == HEAD_GAIN ? 1 : 0;
    double least = INFINITY;

    for (size_t lambda = best; lambda < LAMBDAS; lambda++) {
        double loss = 0;
        for (size_t i = 0; i < t->n; i++) {
            size_t other = fold == t->folds ? t->fold[i] : fold;
            if (t->fold[i] != fold)
                loss += (t->weight ? t->weight[i] : 1) *
                        logistic_loss(cross_at(t, c, lambda, i, other), t->labels[head][i]);
        }
        if (loss < least) {
            least = loss;
            best = lambda;
        }
    }
    return best;
}

enum err train_cross(struct train *t, enum head head, bool is_nested, struct cross *out)
{
    out->out_of_fold = ARENA_ARRAY(t->arena, LAMBDAS * t->n * t->folds, double);
    if (!out->out_of_fold)
        return WEIR_NO_MEMORY;
    for (size_t a = 0; a < t->folds; a++)
        for (size_t b = a; b < (is_nested ? t->folds : a + 1); b++)
            path_run(t, head, a, b, out);
    for (size_t fold = 0; is_nested && fold < t->folds; fold++)
        out->lambda_of_fold[fold] = lambda_choose(t, out, head, fold);
    out->lambda = lambda_choose(t, out, head, t->folds);
    return OK;
}

/* ---- calibration ---- */

/* Below this many of the rarer label isotonic regression mostly learns its noise: its outermost blocks, a few labels each,
 * promise 0 or 1. */
#define ISOTONIC_LABELS_MIN 1000
#define PLATT_ITERATIONS_MAX 50

struct platt {
    double slope, intercept;
};

static double platt_loss(struct platt p, const struct labelled *items, size_t n, double high,
                         double low)
{
    double loss = 0;

    for (size_t i = 0; i < n; i++) {
        double x = p.slope * items[i].score + p.intercept;
        loss += logistic_loss(x, false) - (items[i].is_right ? high : low) * x;
    }
    return loss;
}

/* Newton's step; nothing where there is no curvature. */
static struct platt platt_step(struct platt p, const struct labelled *items, size_t n, double high,
                               double low)
{
    double g1 = 0, g0 = 0, h11 = 1e-9, h10 = 0, h00 = 1e-9;

    for (size_t i = 0; i < n; i++) {
        double x = items[i].score, q = logistic_of(p.slope * x + p.intercept);
        double miss = q - (items[i].is_right ? high : low), curve = q * (1 - q);
        g1 += miss * x;
        g0 += miss;
        h11 += curve * x * x;
        h10 += curve * x;
        h00 += curve;
    }
    double determinant = h11 * h00 - h10 * h10;
    if (!(determinant > 0))
        return (struct platt){ 0, 0 };
    return (struct platt){ (h10 * g0 - h00 * g1) / determinant,
                           (h10 * g1 - h11 * g0) / determinant };
}

/* Platt 1999, his targets included: slope and intercept of log odds. A slope below 0 says that the score is worth
 * nothing, and then the calibration is the rate alone. */
static struct platt platt_fit(const struct labelled *items, size_t n, size_t right)
{
    double high = ((double)right + 1) / ((double)right + 2);
    double low = 1 / ((double)(n - right) + 2);
    double rate = ((double)right * high + (double)(n - right) * low) / (double)n;
    struct platt p = { 1, 0 };
    double loss = platt_loss(p, items, n, high, low);

    for (int i = 0; i < PLATT_ITERATIONS_MAX; i++) {
        struct platt step = platt_step(p, items, n, high, low), next;
        double share = 1, reached = INFINITY;
        for (; share > 1e-6 && !(reached < loss); share /= 2) {
            next = (struct platt){ p.slope + share * step.slope,
                                   p.intercept + share * step.intercept };
            reached = platt_loss(next, items, n, high, low);
        }
        if (!(reached < loss))
            break;
        p = next;
        loss = reached;
    }
    return p.slope > 0 ? p : (struct platt){ 0, log(rate / (1 - rate)) };
}

static enum err items_fit(struct train *t, const struct labelled *items, size_t n, struct fit *out)
{
    size_t right = 0;

    for (size_t i = 0; i < n; i++)
        right += items[i].is_right;
    if (n > 0 && (right < ISOTONIC_LABELS_MIN || n - right < ISOTONIC_LABELS_MIN)) {
        struct platt p = platt_fit(items, n, right);
        *out = (struct fit){
            .kind = FIT_PLATT, .n = (int64_t)n, .slope = p.slope, .intercept = p.intercept
        };
        return OK;
    }
    return fit_make(out, items, n, t->arena);
}

/* From the out-of-fold log odds of the rows outside `fold`; `folds`: of all rows. */
static enum err calibration_fit(struct train *t, const struct cross *c, enum head head,
                                size_t lambda, size_t fold, struct fit *out)
{
    struct labelled *items = ARENA_ARRAY(t->arena, t->n, struct labelled);
    size_t n = 0;

    if (!items)
        return WEIR_NO_MEMORY;
    for (size_t i = 0; i < t->n; i++) {
        size_t other = fold == t->folds ? t->fold[i] : fold;
        if (t->fold[i] != fold)
            items[n++] = (struct labelled){ cross_at(t, c, lambda, i, other), t->labels[head][i] };
    }
    enum err e = items_fit(t, items, n, out);
    if (e == OK)
        fit_round(out);
    return e;
}

enum err train_calibrated(struct train *t, const struct cross *c, bool is_domain_table, double *out)
{
    for (size_t fold = 0; fold < t->folds; fold++) {
        size_t lambda = is_domain_table ? 0 : c->lambda_of_fold[fold];
        struct fit fit;
        enum err e = calibration_fit(t, c, HEAD_GAIN, lambda, fold, &fit);
        if (e != OK)
            return e;
        for (size_t i = 0; i < t->n; i++)
            if (t->fold[i] == fold)
                out[i] = fit_apply(&fit, cross_at(t, c, lambda, i, fold));
    }
    return OK;
}

/* ---- the final fit ---- */

static double kept(double weight)
{
    return weight_rounded(weight) * WEIGHT_UNIT;
}

void train_keep(const struct train *t, enum head head, struct route_model *model)
{
    model->intercept[head] = kept(t->weights[0]);
    for (size_t i = 0; i < ROUTE_DENSE; i++)
        model->dense[head][i] = kept(t->weights[LOGISTIC_DENSE + i]);
    for (size_t i = 0; i < ROUTE_GRAMS; i++)
        model->grams[i][head] = (float)kept(t->weights[LOGISTIC_GRAMS + i]);
}

enum err train_head(struct train *t, enum head head, const struct cross *c, size_t lambda,
                    struct route_model *model)
{
    size_t subset_count = train_subset(t, t->folds, t->folds);

    train_offsets(t, subset_count, head);
    train_path(t, head, subset_count, lambda);
    train_keep(t, head, model);
    train_progress(t);
    return calibration_fit(t, c, head, lambda, t->folds, &model->calibration[head]);
}
