/* SPDX-License-Identifier: Apache-2.0 */
/*
 * learned: the logistic heads at work.
 *
 *     log odds = log odds of the domain's rate + intercept + Σ w·z(dense) + Σ w(grams present) / sqrt(their number)
 *
 * so that a model whose weights are all 0 is the table of rates by domain.
 */
#include <math.h>

#include "core/route/model.h"

/* Keeps the reasons sorted by size; what is smaller than all of a full list falls out. */
static void reason_offer(struct learned_score *out, const struct route_reason *reason)
{
    double size = fabs(reason->contribution);
    size_t at = out->reason_count;

    while (at > 0 && fabs(out->reasons[at - 1].contribution) < size)
        at--;
    if (at == ROUTE_REASONS_MAX || !(size > 0))
        return;
    if (out->reason_count < ROUTE_REASONS_MAX)
        out->reason_count++;
    for (size_t i = out->reason_count - 1; i > at; i--)
        out->reasons[i] = out->reasons[i - 1];
    out->reasons[at] = *reason;
}

static double calibrated(const struct fit *fit, double log_odds)
{
    return fit->kind == FIT_NONE ? logistic_of(log_odds) : fit_apply(fit, log_odds);
}

static void domain_add(const struct route_model *model, str domain, double sums[HEAD_COUNT],
                       struct learned_score *out)
{
    const struct domain_row *row = domain_row_find(&model->domains, domain);
    const struct domain_row *root = &model->domains.rows[0];

    for (int h = 0; h < HEAD_COUNT; h++)
        sums[h] += row->log_odds[h];
    reason_offer(out,
                 &(struct route_reason){ ROUTE_REASON_DOMAIN, row->name,
                                         row->log_odds[HEAD_GAIN] - root->log_odds[HEAD_GAIN] });
}

static void dense_add(const struct route_model *model, const struct route_features *f,
                      double sums[HEAD_COUNT], struct learned_score *out)
{
    for (size_t i = 0; i < ROUTE_DENSE; i++) {
        double z = feature_standardised((double)f->dense[i], model->feature_mean[i],
                                        model->feature_scale[i]);
        double gain = model->dense[HEAD_GAIN][i] * z;
        sums[HEAD_GAIN] += gain;
        sums[HEAD_WEAK] += model->dense[HEAD_WEAK][i] * z;
        reason_offer(out, &(struct route_reason){ ROUTE_REASON_FEATURE,
                                                  str_from(route_feature_name(i)), gain });
    }
}

static void grams_add(const struct route_model *model, const struct route_features *f, str question,
                      double sums[HEAD_COUNT], struct learned_score *out)
{
    double value = f->gram_count > 0 ? 1 / sqrt(f->gram_count) : 0;

    for (size_t i = 0; i < f->gram_count; i++) {
        const struct route_gram *gram = &f->grams[i];
        const float *weight = model->grams[gram->bucket];
        double gain = (double)weight[HEAD_GAIN] * value;
        sums[HEAD_GAIN] += gain;
        sums[HEAD_WEAK] += (double)weight[HEAD_WEAK] * value;
        reason_offer(out, &(struct route_reason){
                              ROUTE_REASON_WORDS,
                              str_slice(question, gram->start, gram->start + gram->len), gain });
    }
}

void route_score_learned(const struct route_model *model, const struct route_features *f,
                         str question, str domain, struct learned_score *out)
{
    double sums[HEAD_COUNT] = { model->intercept[HEAD_GAIN], model->intercept[HEAD_WEAK] };

    out->reason_count = 0;
    domain_add(model, domain, sums, out);
    dense_add(model, f, sums, out);
    grams_add(model, f, question, sums, out);
    out->log_odds = sums[HEAD_GAIN];
    out->gain = calibrated(&model->calibration[HEAD_GAIN], sums[HEAD_GAIN]);
    out->weak_success = calibrated(&model->calibration[HEAD_WEAK], sums[HEAD_WEAK]);
}
