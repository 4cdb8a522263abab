/* SPDX-License-Identifier: Apache-2.0 */
/*
 * confidence: the raw combination of signals, and what a calibration makes of it where there are labels.
 *
 *     c = Σ w·s / Σ w            over the signals that are available
 *     c = 1 - (1 - c)·VERDICT    when a verifier passed the answer (c = 1 - VERDICT when nothing else is known)
 *     c = c·VERDICT              when a verifier refused it (c = VERDICT when nothing else is known)
 *
 * The weights say in what order the signals are believed, no more: agreement across formats first
 * (it was right about 90 % of the time on recorded answers, against about 78 % for agreement of one
 * prompt with itself), then the model's own number, the answer's share of three or more answers, the
 * weakest sub-question, and stability.
 */
#include "core/calibration/confidence_table.h"
#include "core/reason/reason_internal.h"

#define WEIGHT_STATED 0.30
#define WEIGHT_AGREEMENT 0.40
#define WEIGHT_VOTES 0.15
#define WEIGHT_WORST_SUB 0.10
#define WEIGHT_STABILITY 0.05
#define VERDICT 0.10

double confidence_combine(const struct signals *signals, double own_share)
{
    const struct {
        double weight;
        double value;
    } parts[] = {
        { WEIGHT_STATED, signals->stated },
        { WEIGHT_AGREEMENT, signals->agreement },
        { WEIGHT_VOTES, own_share },
        { WEIGHT_WORST_SUB, signals->worst_sub },
        { WEIGHT_STABILITY, signals->stability },
    };
    double total = 0.0, weight = 0.0;

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (parts[i].value < 0.0)
            continue;
        total += parts[i].weight * parts[i].value;
        weight += parts[i].weight;
    }
    double mean = weight > 0.0 ? total / weight : NOT_AVAILABLE;
    if (signals->verifier < 0.0)
        return mean;
    if (signals->verifier > 0.5)
        return mean < 0.0 ? 1.0 - VERDICT : 1.0 - (1.0 - mean) * VERDICT;
    return mean < 0.0 ? VERDICT : mean * VERDICT;
}

/* ---- calibration ---- */

static struct confidence_key key_of(const struct reason *r)
{
    return (struct confidence_key){ .domain = r->domain,
                                    .model = r->config.model,
                                    .strategy = str_from(reason_strategy_name(r->strategy)) };
}

double confidence_calibrated(const struct reason *r, double raw, bool *out_is_calibrated)
{
    struct confidence c = { raw, false };

    if (raw >= 0.0 && r->config.confidences) {
        struct confidence_key key = key_of(r);
        c = confidence_calibrate(r->config.confidences, &key, raw);
    }
    *out_is_calibrated = c.is_calibrated;
    return c.value;
}

double confidence_gain(const struct reason *r, double from, double to)
{
    bool is_calibrated;

    return confidence_calibrated(r, to, &is_calibrated) -
           confidence_calibrated(r, from, &is_calibrated);
}

bool confidence_is_met(const struct reason *r, double raw, double threshold)
{
    if (raw < 0.0 || !r->config.confidences)
        return raw >= threshold;
    struct confidence_key key = key_of(r);
    struct confidence c = confidence_calibrate(r->config.confidences, &key, raw);
    return confidence_meets(r->config.confidences, &key, c, threshold);
}
