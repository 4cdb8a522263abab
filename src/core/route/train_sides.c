/* SPDX-License-Identifier: Apache-2.0 */
/*
 * train_sides: a router from a log, where each question was answered by one of the two.
 *
 *     for each side: weighted logistic regression, its lambda by nested cross-validation   ---> P(right | x) of any row
 *     both together: expected outcomes of every row                                        ---> the table of domains
 *     the model's two heads are fitted to P(gain | x) and P(weak right | x), from the table on
 *
 * All three steps are done without each fold, to be judged on it, and once with all rows.
 */
#include <math.h>
#include <string.h>

#include "core/route/train_internal.h"

/* The targets are smooth already: only as much regularisation as keeps weights finite. */
#define DISTILL_LAMBDA 1.0
/* A target is no nearer to 0 or 1. */
#define TARGET_MIN 1e-4

struct expected { /* of a domain and all below it, weighted */
    double both, gain, loss;
    double weight[ROUTE_SIDES]; /* of its rows */
    double squares[ROUTE_SIDES];
};

struct sided {
    struct train t;
    /* By row, 0 for rows of the other side; they sum to the effective number of rows. */
    double *weight[ROUTE_SIDES];
    double *weight_own; /* by row: of its own side */
    struct cross cross[ROUTE_SIDES];
    double *right[ROUTE_SIDES]; /* by row: P(this side is right), by the last fit */
    double *target[HEAD_COUNT]; /* by row, by the last fit */
    double *both; /* by row: P(both are right) */
    struct expected *expected; /* by row of the table */
    /* By row, by what has not seen its fold: */
    double *right_own; /* P(right) of its own side */
    double *gain_learned; /* log odds */
    double *gain_table;
};

static const struct route_log *log_of(const struct sided *s, size_t row)
{
    return s->t.data->rows[row].log;
}

static bool is_right(const struct sided *s, size_t row)
{
    return s->t.labels[HEAD_WEAK][row];
}

/* ---- weights ---- */

static double inverse_propensity(const struct route_log *log)
{
    return log->propensity > 0 ? 1 / fmax(log->propensity, ROUTE_PROPENSITY_MIN) : 1;
}

static void weights_set(struct sided *s, enum route_side side, struct route_side_report *report)
{
    double sum = 0, squares = 0, right = 0;

    for (size_t i = 0; i < s->t.n; i++) {
        if (log_of(s, i)->side != side)
            continue;
        double w = inverse_propensity(log_of(s, i));
        sum += w;
        squares += w * w;
        right += is_right(s, i) ? w : 0;
        report->n++;
        report->right += is_right(s, i);
    }
    report->effective_n = sum * sum / squares;
    report->rate = right / sum;
    for (size_t i = 0; i < s->t.n; i++) {
        if (log_of(s, i)->side != side)
            continue;
        s->weight[side][i] = inverse_propensity(log_of(s, i)) * report->effective_n / sum;
        s->weight_own[i] = s->weight[side][i];
    }
}

/* ---- what is expected of every row ---- */

static void side_fit(struct sided *s, enum route_side side, size_t fold)
{
    struct train *t = &s->t;
    const struct cross *c = &s->cross[side];

    t->weight = s->weight[side];
    size_t n = train_subset(t, fold, fold);
    train_offsets(t, n, HEAD_WEAK);
    train_path(t, HEAD_WEAK, n, fold == t->folds ? c->lambda : c->lambda_of_fold[fold]);
    for (size_t i = 0; i < t->n; i++)
        s->right[side][i] = logistic_of(t->offset[i] + logistic_sum(&t->features, i, t->weights));
}

/* How often the strong model repeats a right answer of the weak one, in audits outside the fold. */
static double agreement_of(const struct sided *s, size_t fold, int64_t *out_n)
{
    double sum = 0, same = 0;

    *out_n = 0;
    for (size_t i = 0; i < s->t.n; i++) {
        const struct route_log *log = log_of(s, i);
        if (s->t.fold[i] == fold || log->side != ROUTE_SIDE_WEAK || !log->is_audited ||
            !is_right(s, i))
            continue;
        ++*out_n;
        sum += s->weight_own[i];
        same += log->is_same ? s->weight_own[i] : 0;
    }
    return (same + 0.5) / (sum + 1);
}

static double clamped(double x, double low, double high)
{
    return fmax(low, fmin(high, x));
}

/* Both right: as the audits say, or as independence does; never what no two events of these rates could do. */
static void targets_set(struct sided *s, size_t fold, bool has_agreement)
{
    int64_t n;
    double agreement = agreement_of(s, fold, &n);

    for (size_t i = 0; i < s->t.n; i++) {
        double weak = s->right[ROUTE_SIDE_WEAK][i], strong = s->right[ROUTE_SIDE_STRONG][i];
        double both = weak * (has_agreement ? agreement : strong);
        s->both[i] = clamped(both, fmax(0, weak + strong - 1), fmin(weak, strong));
        s->target[HEAD_GAIN][i] = clamped(strong - s->both[i], TARGET_MIN, 1 - TARGET_MIN);
        s->target[HEAD_WEAK][i] = clamped(weak, TARGET_MIN, 1 - TARGET_MIN);
    }
}

static void expected_add(struct expected *to, const struct expected *from)
{
    to->both += from->both;
    to->gain += from->gain;
    to->loss += from->loss;
    for (int side = 0; side < ROUTE_SIDES; side++) {
        to->weight[side] += from->weight[side];
        to->squares[side] += from->squares[side];
    }
}

static double effective_n(const struct expected *e, enum route_side side)
{
    return e->squares[side] > 0 ? e->weight[side] * e->weight[side] / e->squares[side] : 0;
}

/* Counts of pairs that nobody has seen: as many as the side with fewer (effective) rows could have been part of. */
static void counts_set(struct domain_row *row, const struct expected *e)
{
    double weight = e->weight[ROUTE_SIDE_WEAK] + e->weight[ROUTE_SIDE_STRONG];
    double pairs = fmin(effective_n(e, ROUTE_SIDE_WEAK), effective_n(e, ROUTE_SIDE_STRONG));
    double scale = weight > 0 ? pairs / weight : 0;
    int64_t total = llround(pairs);

    row->both = llround(e->both * scale);
    row->gain = llround(e->gain * scale);
    row->loss = llround(e->loss * scale);
    row->neither = total - row->both - row->gain - row->loss;
    if (row->neither < 0) /* all three were rounded up */
        row->neither = 0;
}

static void table_set(struct sided *s, size_t fold)
{
    struct train *t = &s->t;
    struct domain_table *table = &t->part;

    memset(s->expected, 0, table->count * sizeof(*s->expected));
    for (size_t i = 0; i < t->n; i++) {
        double w = s->weight_own[i];
        if (t->fold[i] == fold)
            continue;
        struct expected row = { .both = w * s->both[i],
                                .gain = w * (s->right[ROUTE_SIDE_STRONG][i] - s->both[i]),
                                .loss = w * (s->right[ROUTE_SIDE_WEAK][i] - s->both[i]) };
        row.weight[log_of(s, i)->side] = w;
        row.squares[log_of(s, i)->side] = w * w;
        expected_add(&s->expected[t->domain[i]], &row);
    }
    for (size_t i = table->count; i-- > 1;)
        expected_add(&s->expected[t->domain_above[i]], &s->expected[i]);
    for (size_t i = 0; i < table->count; i++)
        counts_set(&table->rows[i], &s->expected[i]);
    domain_rates_set(table);
}

/* ---- the model's heads ---- */

/* From the table on to the targets; the weights are in t->weights, each row's offset in t->offset. */
static void head_fit(struct sided *s, enum head head, size_t fold)
{
    struct train *t = &s->t;

    t->weight = s->weight_own;
    const struct logistic_task task = { .rows = &t->features,
                                        .subset = t->subset,
                                        .n = train_subset(t, fold, fold),
                                        .offset = t->offset,
                                        .lambda = DISTILL_LAMBDA };

    for (size_t i = 0; i < t->n; i++)
        t->offset[i] = t->part.rows[t->domain[i]].log_odds[head];
    memset(t->weights, 0, LOGISTIC_WEIGHTS * sizeof(*t->weights));
    logistic_fit_cases(
        t->solver, &task,
        &(struct logistic_cases){ .target = s->target[head], .weight = s->weight_own }, t->weights);
}

/* All but the heads. */
static void fold_fit(struct sided *s, size_t fold, bool has_agreement)
{
    side_fit(s, ROUTE_SIDE_WEAK, fold);
    side_fit(s, ROUTE_SIDE_STRONG, fold);
    targets_set(s, fold, has_agreement);
    table_set(s, fold);
}

static void folds_judge(struct sided *s, bool has_agreement)
{
    struct train *t = &s->t;

    for (size_t fold = 0; fold < t->folds; fold++) {
        fold_fit(s, fold, has_agreement);
        head_fit(s, HEAD_GAIN, fold);
        for (size_t i = 0; i < t->n; i++) {
            if (t->fold[i] != fold)
                continue;
            s->right_own[i] = s->right[log_of(s, i)->side][i];
            s->gain_table[i] = t->offset[i];
            s->gain_learned[i] = t->offset[i] + logistic_sum(&t->features, i, t->weights);
        }
        train_progress(t);
    }
}

/* ---- what it is worth ---- */

static enum err sides_measure(struct sided *s, struct route_sides_report *report)
{
    struct labelled *items = ARENA_ARRAY(s->t.arena, s->t.n, struct labelled);
    struct calibration_metrics metrics;

    for (int side = 0; items && side < ROUTE_SIDES; side++) {
        size_t n = 0;
        for (size_t i = 0; i < s->t.n; i++)
            if (log_of(s, i)->side == (enum route_side)side)
                items[n++] = (struct labelled){ s->right_own[i], is_right(s, i) };
        enum err e = calibration_measure(&metrics, items, n, s->t.arena);
        if (e != OK)
            return e;
        report->sides[side].auroc = metrics.auroc;
        report->sides[side].ece = metrics.ece;
    }
    return items ? OK : WEIR_NO_MEMORY;
}

/* Only where there was another choice does a log say what another policy would have got. */
static enum err apgr_measure(struct sided *s, struct route_sides_report *report)
{
    struct train *t = &s->t;
    struct sided_trial *learned = ARENA_ARRAY(t->arena, t->n, struct sided_trial);
    struct sided_trial *table = ARENA_ARRAY(t->arena, t->n, struct sided_trial);
    size_t n = 0;

    if (!learned || !table)
        return WEIR_NO_MEMORY;
    for (size_t i = 0; i < t->n; i++) {
        const struct route_log *log = log_of(s, i);
        if (!(log->propensity > 0 && log->propensity < 1))
            continue;
        learned[n] = (struct sided_trial){ .score = s->gain_learned[i],
                                           .weight = inverse_propensity(log),
                                           .question = t->question[i],
                                           .fold = t->fold[i],
                                           .is_strong = log->side == ROUTE_SIDE_STRONG,
                                           .is_right = is_right(s, i) };
        table[n] = learned[n];
        table[n++].score = s->gain_table[i];
        report->apgr_rows[log->side]++;
    }
    if (report->apgr_rows[ROUTE_SIDE_WEAK] < ROUTE_TRAIN_ROWS_MIN ||
        report->apgr_rows[ROUTE_SIDE_STRONG] < ROUTE_TRAIN_ROWS_MIN)
        return OK;
    enum err e = sided_rank_in_folds(learned, n, t->arena);
    if (e == OK)
        e = sided_rank_in_folds(table, n, t->arena);
    return e == OK ? sided_apgr_measure(t, learned, table, n, report) : e;
}

/* Held-out loss of the sides, by their lambdas less by the table alone: below 0 the features have helped. */
static double features_loss(struct sided *s)
{
    struct train *t = &s->t;
    double loss = 0;

    for (size_t i = 0; i < t->n; i++) {
        const struct cross *c = &s->cross[log_of(s, i)->side];
        size_t fold = t->fold[i];
        loss += s->weight_own[i] *
                (logistic_loss(cross_at(t, c, c->lambda_of_fold[fold], i, fold), is_right(s, i)) -
                 logistic_loss(cross_at(t, c, 0, i, fold), is_right(s, i)));
    }
    return loss;
}

/* ---- the model ---- */

static uint64_t bytes_hash(uint64_t hash, const void *bytes, size_t len)
{
    return rng_mix(hash ^ str_hash((str){ bytes, len })) + len;
}

static uint64_t log_hash(const struct route_training *data)
{
    uint64_t hash = data->row_count;

    for (size_t i = 0; i < data->row_count; i++) {
        const struct route_row *r = &data->rows[i];
        const struct route_kept *kept = &r->log->kept;
        hash = bytes_hash(hash, r->domain.ptr, r->domain.len);
        hash = bytes_hash(hash, kept->dense, sizeof(kept->dense));
        hash = bytes_hash(hash, kept->grams, kept->gram_count * sizeof(*kept->grams));
        hash = bytes_hash(hash, &r->log->propensity, sizeof(r->log->propensity));
        hash = rng_mix(hash + (uint64_t)r->log->side * 4 + (uint64_t)r->weak_right * 2 +
                       r->strong_right);
    }
    return hash;
}

static void facts_set(struct sided *s, const struct route_sides_report *report,
                      struct route_facts *out)
{
    const struct route_train_options *options = s->t.options;
    double learned = report->apgr_learned.estimate, table = report->apgr_domain_table.estimate;
    /* The simpler one wins a draw. */
    bool is_table = report->has_apgr ? !(learned > table) : !(features_loss(s) < 0);

    *out = (struct route_facts){ .basis = ROUTE_FROM_SIDES,
                                 .n = (int64_t)s->t.n,
                                 .holdout = (int64_t)s->t.n,
                                 .folds = (int)s->t.folds,
                                 .seed = options->seed,
                                 .data_hash = log_hash(s->t.data),
                                 .has_apgr = report->has_apgr,
                                 .apgr = six_decimals(is_table ? table : learned),
                                 .apgr_learned = six_decimals(learned),
                                 .apgr_domain_table = six_decimals(table),
                                 .is_domain_table = is_table,
                                 .weak_model = arena_str(s->t.arena, options->weak_model),
                                 .strong_model = arena_str(s->t.arena, options->strong_model) };
}

static void model_make(struct sided *s, bool has_agreement, struct route_model *model)
{
    struct train *t = &s->t;

    fold_fit(s, t->folds, has_agreement);
    if (!model->facts.is_domain_table) {
        head_fit(s, HEAD_GAIN, t->folds);
        train_keep(t, HEAD_GAIN, model);
    }
    head_fit(s, HEAD_WEAK, t->folds);
    train_keep(t, HEAD_WEAK, model);
    train_progress(t);
    for (size_t i = 0; i < ROUTE_DENSE; i++) {
        model->feature_mean[i] = t->feature_mean[i];
        model->feature_scale[i] = t->feature_scale[i];
    }
    model->domains = t->part;
}

static enum err sided_init(struct sided *s)
{
    struct train *t = &s->t;
    enum err e = train_data_read(t);

    if (e != OK)
        return e;
    for (int i = 0; i < ROUTE_SIDES; i++) {
        s->weight[i] = ARENA_ARRAY(t->arena, t->n, double);
        s->right[i] = ARENA_ARRAY(t->arena, t->n, double);
    }
    for (int h = 0; h < HEAD_COUNT; h++)
        s->target[h] = ARENA_ARRAY(t->arena, t->n, double);
    s->weight_own = ARENA_ARRAY(t->arena, t->n, double);
    s->both = ARENA_ARRAY(t->arena, t->n, double);
    s->right_own = ARENA_ARRAY(t->arena, t->n, double);
    s->gain_learned = ARENA_ARRAY(t->arena, t->n, double);
    s->gain_table = ARENA_ARRAY(t->arena, t->n, double);
    s->expected = ARENA_ARRAY(t->arena, t->part.count, struct expected);
    return arena_failed(t->arena) ? WEIR_NO_MEMORY : OK;
}

static enum err sided_train(struct sided *s, struct route_sides_report *report,
                            struct route_model *model)
{
    struct train *t = &s->t;
    enum err e = sided_init(s);

    for (int side = 0; e == OK && side < ROUTE_SIDES; side++) {
        weights_set(s, (enum route_side)side, &report->sides[side]);
        t->weight = s->weight[side];
        e = train_cross(t, HEAD_WEAK, true, &s->cross[side]);
        report->lambda[side] = train_lambdas[s->cross[side].lambda];
    }
    if (e != OK)
        return e;
    for (size_t i = 0; i < t->n; i++) {
        double propensity = log_of(s, i)->propensity;
        report->propensities_known += propensity > 0;
        report->propensities_clipped += propensity > 0 && propensity < ROUTE_PROPENSITY_MIN;
    }
    double agreement = agreement_of(s, t->folds, &report->agreement_n);
    report->has_agreement = report->agreement_n >= ROUTE_TRAIN_ROWS_MIN;
    report->agreement = report->has_agreement ? agreement : 0;
    folds_judge(s, report->has_agreement);
    e = sides_measure(s, report);
    if (e == OK)
        e = apgr_measure(s, report);
    if (e != OK)
        return e;
    facts_set(s, report, &model->facts);
    model_make(s, report->has_agreement, model);
    return OK;
}

static bool has_both_sides(const struct route_training *training)
{
    size_t counts[ROUTE_SIDES] = { 0 };

    for (size_t i = 0; i < training->row_count; i++) {
        const struct route_log *log = training->rows[i].log;
        assert(log);
        assert(log->side < ROUTE_SIDE_BOTH);
        counts[log->side]++;
    }
    return counts[ROUTE_SIDE_WEAK] >= ROUTE_TRAIN_ROWS_MIN &&
           counts[ROUTE_SIDE_STRONG] >= ROUTE_TRAIN_ROWS_MIN;
}

enum err route_train_sides(struct arena *arena, const struct route_training *training,
                           const struct route_train_options *options,
                           const struct route_model **out, struct route_sides_report *report)
{
    size_t n = training->row_count, folds = (size_t)options->folds;
    struct sided s = { .t = { .arena = arena,
                              .data = training,
                              .options = options,
                              .n = n,
                              .folds = folds,
                              .total = (int)(folds * (folds + 1) + folds + 1) } };
    struct route_sides_report found = { .agreement = 0 };

    if (n > ROUTE_TRAIN_ROWS_MAX || !has_both_sides(training) || options->folds < ROUTE_FOLDS_MIN ||
        options->folds > ROUTE_FOLDS_MAX)
        return CALLER_BAD_REQUEST;
    struct route_model *model = ARENA_NEW(arena, struct route_model);
    if (!model)
        return WEIR_NO_MEMORY;
    enum err e = sided_train(&s, &found, model);
    if (e == OK)
        e = train_arms(arena, training, model);
    if (e == OK)
        e = train_confidence(arena, training, options->seed, model);
    if (e == OK && arena_failed(arena))
        e = WEIR_NO_MEMORY;
    if (e != OK)
        return e;
    *out = model;
    *report = found;
    return OK;
}
