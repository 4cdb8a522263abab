/* SPDX-License-Identifier: Apache-2.0 */
/* train: the whole of it: cross-validate, compare with what needs no training, fit, calibrate, report. */
#include "core/route/train_internal.h"

#include <math.h>

static const char *const contender_names[ROUTE_CONTENDER_COUNT] = {
    [ROUTE_BY_LEARNED] = "learned", [ROUTE_BY_DOMAIN_TABLE] = "domain_table",
    [ROUTE_BY_SEED_V1] = "seed_v1", [ROUTE_BY_WORDS_V1] = "words_v1",
    [ROUTE_BY_LENGTH] = "length",   [ROUTE_BY_CHANCE] = "random",
};

const char *route_contender_name(enum route_contender c)
{
    assert(c < ROUTE_CONTENDER_COUNT);
    return contender_names[c];
}

/* ---- the contenders ---- */

struct contest {
    struct route_trial *trials;
    double *scores[ROUTE_CONTENDER_COUNT];
};

static double contender_score(const struct train *t, const struct cross *gain,
                              enum route_contender contender, size_t row)
{
    const struct route_row *r = &t->data->rows[row];
    size_t fold = t->fold[row];

    switch (contender) {
    case ROUTE_BY_LEARNED:
        return cross_at(t, gain, gain->lambda_of_fold[fold], row, fold);
    case ROUTE_BY_DOMAIN_TABLE:
        return cross_at(t, gain, 0, row, fold);
    case ROUTE_BY_SEED_V1:
        return route_score_seed(r->prompt, r->domain).total;
    case ROUTE_BY_WORDS_V1:
        return route_score_words(r->prompt, r->domain).total;
    case ROUTE_BY_LENGTH:
        return (double)r->prompt.len;
    case ROUTE_BY_CHANCE:
    case ROUTE_CONTENDER_COUNT:
        break;
    }
    return 0;
}

/* Rows of one id are one question, as they are one card when folds are dealt. */
static enum err contest_init(struct train *t, const struct cross *gain, struct contest *out)
{
    out->trials = ARENA_ARRAY(t->arena, t->n, struct route_trial);
    for (int c = 0; c < ROUTE_CONTENDER_COUNT; c++)
        out->scores[c] = ARENA_ARRAY(t->arena, t->n, double);
    if (arena_failed(t->arena))
        return WEIR_NO_MEMORY;
    for (size_t i = 0; i < t->n; i++) {
        const struct route_row *r = &t->data->rows[i];
        out->trials[i] = (struct route_trial){ .question = t->question[i],
                                               .weak_right = r->weak_right,
                                               .strong_right = r->strong_right,
                                               .weak_cost = r->weak_cost,
                                               .strong_cost = r->strong_cost };
        for (int c = 0; c < ROUTE_CONTENDER_COUNT; c++)
            out->scores[c][i] = contender_score(t, gain, (enum route_contender)c, i);
    }
    return OK;
}

static enum err contest_judge(struct train *t, const struct contest *contest,
                              struct route_train_report *report)
{
    enum err e = OK;

    for (int c = 0; e == OK && c < ROUTE_CONTENDER_COUNT; c++)
        e = router_measure(&report->metrics[c], contest->trials, contest->scores[c], t->n,
                           t->arena);
    if (e != OK || t->options->rounds == 0)
        return e;
    return router_bootstrap(
        report->intervals, contest->trials, (const double *const *)contest->scores,
        ROUTE_CONTENDER_COUNT, t->n,
        &(struct router_bootstrap_options){ .rounds = t->options->rounds,
                                            .seed = t->options->seed,
                                            .alpha = 0.05,
                                            .reference = ROUTE_BY_DOMAIN_TABLE },
        t->arena);
}

/* ---- how good the calibration of gain is ---- */

static enum err calibration_judge(struct train *t, const struct cross *gain, bool is_domain_table,
                                  struct route_train_report *report)
{
    double *calibrated = ARENA_ARRAY(t->arena, t->n, double);
    struct labelled *items = ARENA_ARRAY(t->arena, t->n, struct labelled);

    if (!calibrated || !items)
        return WEIR_NO_MEMORY;
    for (size_t i = 0; i < t->n; i++) {
        size_t fold = t->fold[i], lambda = is_domain_table ? 0 : gain->lambda_of_fold[fold];
        items[i] = (struct labelled){ logistic_of(cross_at(t, gain, lambda, i, fold)),
                                      t->labels[HEAD_GAIN][i] };
    }
    enum err e = calibration_measure(&report->gain_before, items, t->n, t->arena);
    if (e == OK)
        e = train_calibrated(t, gain, is_domain_table, calibrated);
    if (e != OK)
        return e;
    for (size_t i = 0; i < t->n; i++)
        items[i].score = calibrated[i];
    return calibration_measure(&report->gain_after, items, t->n, t->arena);
}

/* ---- the model ---- */

static uint64_t hash_add(uint64_t hash, str text)
{
    return rng_mix(hash ^ str_hash(text)) + text.len;
}

static uint64_t data_hash(const struct route_training *data)
{
    uint64_t hash = data->row_count;

    for (size_t i = 0; i < data->row_count; i++) {
        const struct route_row *r = &data->rows[i];
        hash = hash_add(hash_add(hash_add(hash, r->id), r->domain), r->prompt);
        hash = rng_mix(hash + (uint64_t)r->weak_right * 2 + r->strong_right);
    }
    return hash;
}

static void facts_set(struct train *t, const struct route_train_report *report,
                      struct route_facts *out)
{
    const struct router_metrics *learned = &report->metrics[ROUTE_BY_LEARNED];
    const struct router_metrics *table = &report->metrics[ROUTE_BY_DOMAIN_TABLE];
    /* The simpler one wins a draw. */
    bool is_table =
        learned->has_gap ? !(learned->apgr > table->apgr) : !(learned->auc > table->auc);
    const struct router_metrics *chosen = is_table ? table : learned;

    *out = (struct route_facts){ .n = (int64_t)t->n,
                                 .holdout = (int64_t)t->n,
                                 .folds = (int)t->folds,
                                 .seed = t->options->seed,
                                 .data_hash = data_hash(t->data),
                                 .auc = six_decimals(chosen->auc),
                                 .has_apgr = chosen->has_gap,
                                 .apgr = six_decimals(chosen->apgr),
                                 .apgr_learned = six_decimals(learned->apgr),
                                 .apgr_domain_table = six_decimals(table->apgr),
                                 .is_domain_table = is_table,
                                 .weak_model = arena_str(t->arena, t->options->weak_model),
                                 .strong_model = arena_str(t->arena, t->options->strong_model) };
}

enum err train_confidence(struct arena *arena, const struct route_training *data, uint64_t seed,
                          struct route_model *model)
{
    struct confidence_row *rows = ARENA_ARRAY(arena, data->run_count, struct confidence_row);
    size_t n = 0;

    if (!rows)
        return WEIR_NO_MEMORY;
    for (size_t i = 0; i < data->run_count; i++) {
        const struct route_run *run = &data->runs[i];
        if (run->raw_confidence >= 0)
            rows[n++] = (struct confidence_row){ { run->domain, run->model, run->strategy },
                                                 run->raw_confidence,
                                                 run->is_right };
    }
    if (n < CONFIDENCE_LABELS_MIN)
        return OK;
    return confidence_table_make(arena, rows, n, seed, &model->confidence);
}

static enum err heads_make(struct train *t, const struct cross *gain,
                           struct route_train_report *report, struct route_model *model)
{
    size_t lambda = model->facts.is_domain_table ? 0 : gain->lambda;
    struct cross weak;
    enum err e = train_head(t, HEAD_GAIN, gain, lambda, model);

    if (e == OK)
        e = train_cross(t, HEAD_WEAK, false, &weak);
    if (e == OK)
        e = train_head(t, HEAD_WEAK, &weak, weak.lambda, model);
    if (e != OK)
        return e;
    report->lambda = train_lambdas[lambda];
    report->lambda_weak = train_lambdas[weak.lambda];
    for (size_t i = 0; i < ROUTE_DENSE; i++) {
        model->feature_mean[i] = t->feature_mean[i];
        model->feature_scale[i] = t->feature_scale[i];
    }
    model->domains = t->domains;
    return OK;
}

static enum err model_make(struct train *t, struct route_train_report *report,
                           struct route_model *model)
{
    struct cross gain;
    struct contest contest;
    enum err e = train_cross(t, HEAD_GAIN, true, &gain);

    if (e == OK)
        e = contest_init(t, &gain, &contest);
    if (e == OK)
        e = contest_judge(t, &contest, report);
    if (e != OK)
        return e;
    facts_set(t, report, &model->facts);
    e = calibration_judge(t, &gain, model->facts.is_domain_table, report);
    model->facts.ece = six_decimals(report->gain_after.ece);
    if (e == OK)
        e = heads_make(t, &gain, report, model);
    if (e == OK)
        e = train_arms(t->arena, t->data, model);
    return e == OK ? train_confidence(t->arena, t->data, t->options->seed, model) : e;
}

/* Nothing to route between: the model knows arms and confidences, and of questions nothing. */
static enum err runs_only_make(struct train *t, struct route_model *model)
{
    struct domain_row *root = ARENA_NEW(t->arena, struct domain_row);

    if (!root)
        return WEIR_NO_MEMORY;
    for (size_t i = 0; i < ROUTE_DENSE; i++)
        model->feature_scale[i] = 1;
    model->domains = (struct domain_table){ root, 1 };
    domain_rates_set(&model->domains);
    model->facts =
        (struct route_facts){ .seed = t->options->seed,
                              .folds = (int)t->folds,
                              .data_hash = data_hash(t->data),
                              .auc = 0.5,
                              .is_domain_table = true,
                              .weak_model = arena_str(t->arena, t->options->weak_model),
                              .strong_model = arena_str(t->arena, t->options->strong_model) };
    enum err e = train_arms(t->arena, t->data, model);
    return e == OK ? train_confidence(t->arena, t->data, t->options->seed, model) : e;
}

static bool is_trainable(const struct route_training *training,
                         const struct route_train_options *options)
{
    size_t n = training->row_count;
    bool has_rows = n >= ROUTE_TRAIN_ROWS_MIN && n <= ROUTE_TRAIN_ROWS_MAX;

    return options->folds >= ROUTE_FOLDS_MIN && options->folds <= ROUTE_FOLDS_MAX &&
           (has_rows || (n == 0 && training->run_count > 0));
}

enum err route_train(struct arena *arena, const struct route_training *training,
                     const struct route_train_options *options, const struct route_model **out,
                     struct route_train_report *report)
{
    size_t n = training->row_count, folds = (size_t)options->folds;
    struct train t = {
        .arena = arena, .data = training, .options = options, .n = n, .folds = folds
    };
    struct route_train_report found = { .lambda = INFINITY, .lambda_weak = INFINITY };
    enum err e = OK;

    if (!is_trainable(training, options))
        return CALLER_BAD_REQUEST;
    struct route_model *model = ARENA_NEW(arena, struct route_model);
    if (!model)
        return WEIR_NO_MEMORY;
    t.total = (int)(folds * (folds + 1) / 2 + folds + 2);
    if (n > 0)
        e = train_data_read(&t);
    if (e == OK)
        e = n > 0 ? model_make(&t, &found, model) : runs_only_make(&t, model);
    if (e == OK && arena_failed(arena))
        e = WEIR_NO_MEMORY;
    if (e != OK)
        return e;
    *out = model;
    *report = found;
    return OK;
}
