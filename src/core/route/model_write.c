/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_write: the model's file. Its form:
 *
 *     {"version": 1, "features_hash": "…",
 *      "facts": {"n", "holdout", "folds", "seed", "data_hash", "auc", "ece", "apgr", "apgr_learned", "apgr_domain_table",
 *                "scorer": "learned" | "domain_table", "weak_model", "strong_model", "basis": "sides"; absent: pairs},
 *      "intercept": [gain, weak],
 *      "dense": [{"name", "mean", "scale", "gain", "weak"}, …],
 *      "grams": {"gain": [4096 integers], "weak": [4096 integers]},
 *      "calibration": {"gain": fit, "weak": fit},
 *      "domains": [{"domain", "both", "gain", "loss", "neither"}, …],
 *      "arms": [{"strategy", "model", "domain", "n", "right", "cost_n", "cost_mean_nano_usd", "latency_n", "latency_ms_mean"}],
 *      "confidence": the confidence table, or null}
 *
 * Weights are integers of 10^-5. An APGR that could not be measured is null, then all three are. But from pairs, auc and ece
 * are null.
 */
#include "core/calibration/fit_json.h"
#include "core/route/model.h"

static const char *const head_names[HEAD_COUNT] = { [HEAD_GAIN] = "gain", [HEAD_WEAK] = "weak" };

static void weight_write(struct buf *out, double weight)
{
    buf_add_i64(out, (int64_t)weight_rounded(weight));
}

static void figure_write(struct buf *out, const char *name, double figure, bool is_measured)
{
    json_key(out, name);
    if (is_measured)
        json_write_double(out, figure);
    else
        buf_add(out, STR("null"));
}

static void hash_write(struct buf *out, const char *name, uint64_t hash)
{
    json_key(out, name);
    buf_printf(out, "\"%016" PRIx64 "\"", hash);
}

static void facts_write(struct buf *out, const struct route_facts *facts)
{
    json_key(out, "facts");
    buf_add_char(out, '{');
    json_member_i64(out, "n", facts->n);
    json_member_i64(out, "holdout", facts->holdout);
    json_member_i64(out, "folds", facts->folds);
    hash_write(out, "seed", facts->seed);
    hash_write(out, "data_hash", facts->data_hash);
    bool is_of_pairs = facts->basis == ROUTE_FROM_PAIRS;
    figure_write(out, "auc", facts->auc, is_of_pairs);
    figure_write(out, "ece", facts->ece, is_of_pairs);
    figure_write(out, "apgr", facts->apgr, facts->has_apgr);
    figure_write(out, "apgr_learned", facts->apgr_learned, facts->has_apgr);
    figure_write(out, "apgr_domain_table", facts->apgr_domain_table, facts->has_apgr);
    json_member_str(out, "scorer", facts->is_domain_table ? STR("domain_table") : STR("learned"));
    json_member_str(out, "weak_model", facts->weak_model);
    json_member_str(out, "strong_model", facts->strong_model);
    if (!is_of_pairs)
        json_member_str(out, "basis", STR("sides"));
    buf_add_char(out, '}');
}

static void dense_write(struct buf *out, const struct route_model *model)
{
    json_key(out, "intercept");
    buf_add_char(out, '[');
    weight_write(out, model->intercept[HEAD_GAIN]);
    buf_add_char(out, ',');
    weight_write(out, model->intercept[HEAD_WEAK]);
    buf_add_char(out, ']');
    json_key(out, "dense");
    buf_add_char(out, '[');
    for (size_t i = 0; i < ROUTE_DENSE; i++) {
        buf_add(out, i > 0 ? STR(",{") : STR("{"));
        json_member_str(out, "name", str_from(route_feature_name(i)));
        json_member_double(out, "mean", model->feature_mean[i]);
        json_member_double(out, "scale", model->feature_scale[i]);
        for (int h = 0; h < HEAD_COUNT; h++) {
            json_key(out, head_names[h]);
            weight_write(out, model->dense[h][i]);
        }
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

static void grams_write(struct buf *out, const struct route_model *model)
{
    json_key(out, "grams");
    buf_add_char(out, '{');
    for (int h = 0; h < HEAD_COUNT; h++) {
        json_key(out, head_names[h]);
        buf_add_char(out, '[');
        for (size_t i = 0; i < ROUTE_GRAMS; i++) {
            json_comma(out);
            weight_write(out, (double)model->grams[i][h]);
        }
        buf_add_char(out, ']');
    }
    buf_add_char(out, '}');
    json_key(out, "calibration");
    buf_add_char(out, '{');
    for (int h = 0; h < HEAD_COUNT; h++) {
        json_key(out, head_names[h]);
        fit_write(&model->calibration[h], out);
    }
    buf_add_char(out, '}');
}

static void domains_write(struct buf *out, const struct domain_table *domains)
{
    json_key(out, "domains");
    buf_add_char(out, '[');
    for (size_t i = 0; i < domains->count; i++) {
        const struct domain_row *row = &domains->rows[i];
        buf_add(out, i > 0 ? STR(",{") : STR("{"));
        json_member_str(out, "domain", row->name);
        json_member_i64(out, "both", row->both);
        json_member_i64(out, "gain", row->gain);
        json_member_i64(out, "loss", row->loss);
        json_member_i64(out, "neither", row->neither);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

static void arms_write(struct buf *out, const struct route_model *model)
{
    json_key(out, "arms");
    buf_add_char(out, '[');
    for (size_t i = 0; i < model->arm_count; i++) {
        const struct arm_row *row = &model->arms[i];
        buf_add(out, i > 0 ? STR(",{") : STR("{"));
        json_member_str(out, "strategy", row->strategy);
        json_member_str(out, "model", row->model);
        json_member_str(out, "domain", row->domain);
        json_member_i64(out, "n", row->n);
        json_member_i64(out, "right", row->right);
        json_member_i64(out, "cost_n", row->cost_n);
        json_member_i64(out, "cost_mean_nano_usd", row->cost_mean);
        json_member_i64(out, "latency_n", row->latency_n);
        json_member_double(out, "latency_ms_mean", row->latency_ms_mean);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

void route_model_write(const struct route_model *model, struct buf *out)
{
    buf_add_char(out, '{');
    json_member_i64(out, "version", MODEL_VERSION);
    hash_write(out, "features_hash", features_hash());
    facts_write(out, &model->facts);
    dense_write(out, model);
    grams_write(out, model);
    domains_write(out, &model->domains);
    arms_write(out, model);
    json_key(out, "confidence");
    if (model->confidence)
        confidence_table_write(model->confidence, out);
    else
        buf_add(out, STR("null"));
    buf_add(out, STR("}\n"));
}
