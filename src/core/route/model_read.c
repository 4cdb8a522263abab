/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_read: the model's file, from outside. What no training could have written is refused with a sentence that says
 * where: sizes, order, ranges, sums that do not fit. Its form stands in model_write.c.
 */
#include <math.h>

#include "core/calibration/fit_json.h"
#include "core/route/model.h"
#include "core/route/route_train.h"

/* Counts in a file are below this, so that no sum of them overflows. */
#define COUNT_MAX (INT64_C(1) << 48)

struct reader {
    struct arena *arena;
    struct route_model *model;
    str what; /* the first complaint */
};

static bool complain(struct reader *r, const char *what)
{
    if (r->what.len == 0)
        r->what = str_from(what);
    return false;
}

/* ---- members ---- */

/* Points into the reader's copy of the text. */
static bool text_get(struct reader *r, struct json object, str name, str *out)
{
    return json_str(json_get(object, name), r->arena, out);
}

static bool count_get(struct json object, str name, int64_t *out)
{
    return json_i64(json_get(object, name), out) && *out >= 0 && *out <= COUNT_MAX;
}

static bool finite_get(struct json value, double *out)
{
    return json_double(value, out) && isfinite(*out) && fabs(*out) < 1e15;
}

static bool weight_get(struct json value, double *out)
{
    int64_t units;

    if (!json_i64(value, &units) || units < -WEIGHT_UNITS_MAX || units > WEIGHT_UNITS_MAX)
        return false;
    *out = (double)units * WEIGHT_UNIT;
    return true;
}

static bool hash_get(struct json object, str name, uint64_t *out)
{
    str raw = json_raw(json_get(object, name));
    uint64_t hash = 0;

    if (raw.len != 18)
        return false;
    for (size_t i = 1; i < 17; i++) {
        char c = raw.ptr[i];
        bool is_digit = c >= '0' && c <= '9', is_letter = c >= 'a' && c <= 'f';
        if (!is_digit && !is_letter)
            return false;
        hash = hash << 4 | (uint64_t)(is_digit ? c - '0' : c - 'a' + 10);
    }
    *out = hash;
    return true;
}

/* ---- parts ---- */

static bool version_read(struct reader *r, struct json root)
{
    int64_t version;
    uint64_t hash;

    if (!json_i64(json_get(root, STR("version")), &version))
        return complain(r, "this is no model of a router: it has no version");
    if (version != MODEL_VERSION)
        return complain(r, "the model's version is not 1: train it again with this weir");
    if (!hash_get(root, STR("features_hash"), &hash) || hash != features_hash())
        return complain(r, "the model was trained on other features: train it again with this "
                           "weir");
    return true;
}

/* All three APGRs, or null for each. */
static bool apgr_read(struct json facts, struct route_facts *out)
{
    const struct {
        str name;
        double *figure;
    } figures[] = { { STR("apgr"), &out->apgr },
                    { STR("apgr_learned"), &out->apgr_learned },
                    { STR("apgr_domain_table"), &out->apgr_domain_table } };

    out->has_apgr = !json_is(json_get(facts, STR("apgr")), JSON_NULL);
    for (size_t i = 0; i < ARRAY_LEN(figures); i++) {
        struct json value = json_get(facts, figures[i].name);
        if (out->has_apgr ? !finite_get(value, figures[i].figure) : !json_is(value, JSON_NULL))
            return false;
    }
    return true;
}

/* Null where gain was never seen. */
static bool gain_figure_read(const struct route_facts *facts, struct json value, double *out)
{
    if (facts->basis != ROUTE_FROM_PAIRS)
        return json_is(value, JSON_NULL);
    return finite_get(value, out);
}

static bool basis_read(struct reader *r, struct json value, enum route_basis *out)
{
    str name;

    *out = json_exists(value) ? ROUTE_FROM_SIDES : ROUTE_FROM_PAIRS;
    if (!json_exists(value) || (json_str(value, r->arena, &name) && str_eq(name, STR("sides"))))
        return true;
    return complain(r, "facts.basis must be \"sides\", or absent");
}

static bool facts_read(struct reader *r, struct json facts)
{
    struct route_facts *out = &r->model->facts;
    int64_t folds;
    str scorer;

    if (!count_get(facts, STR("n"), &out->n) || !count_get(facts, STR("holdout"), &out->holdout) ||
        !count_get(facts, STR("folds"), &folds) || folds > ROUTE_FOLDS_MAX ||
        !hash_get(facts, STR("seed"), &out->seed) ||
        !hash_get(facts, STR("data_hash"), &out->data_hash))
        return complain(r, "facts must hold n, holdout, folds, seed and data_hash");
    out->folds = (int)folds;
    if (!basis_read(r, json_get(facts, STR("basis")), &out->basis))
        return false;
    if (!gain_figure_read(out, json_get(facts, STR("auc")), &out->auc) ||
        !gain_figure_read(out, json_get(facts, STR("ece")), &out->ece) || !apgr_read(facts, out))
        return complain(r, "facts must hold auc, ece, apgr, apgr_learned and apgr_domain_table");
    if (!text_get(r, facts, STR("scorer"), &scorer) ||
        !text_get(r, facts, STR("weak_model"), &out->weak_model) ||
        !text_get(r, facts, STR("strong_model"), &out->strong_model))
        return complain(r, "facts must hold scorer, weak_model and strong_model");
    out->is_domain_table = str_eq(scorer, STR("domain_table"));
    if (!out->is_domain_table && !str_eq(scorer, STR("learned")))
        return complain(r, "facts.scorer must be \"learned\" or \"domain_table\"");
    return true;
}

static bool dense_read(struct reader *r, struct json root)
{
    struct route_model *model = r->model;
    struct json intercept = json_get(root, STR("intercept")), dense = json_get(root, STR("dense"));
    size_t i = 0;

    if (json_count(intercept) != HEAD_COUNT ||
        !weight_get(json_at(intercept, HEAD_GAIN), &model->intercept[HEAD_GAIN]) ||
        !weight_get(json_at(intercept, HEAD_WEAK), &model->intercept[HEAD_WEAK]))
        return complain(r, "intercept must be two weights, integers of 10^-5");
    if (!json_is(dense, JSON_ARRAY) || json_count(dense) != ROUTE_DENSE)
        return complain(r, "dense must hold the 25 features");
    for (struct json_iter it = json_iter(dense); json_next(&it); i++) {
        str name;
        if (!text_get(r, it.value, STR("name"), &name) ||
            !str_eq(name, str_from(route_feature_name(i))))
            return complain(r, "dense must hold the 25 features by their names, in order");
        if (!finite_get(json_get(it.value, STR("mean")), &model->feature_mean[i]) ||
            !finite_get(json_get(it.value, STR("scale")), &model->feature_scale[i]) ||
            !(model->feature_scale[i] >= FEATURE_SCALE_MIN) ||
            !weight_get(json_get(it.value, STR("gain")), &model->dense[HEAD_GAIN][i]) ||
            !weight_get(json_get(it.value, STR("weak")), &model->dense[HEAD_WEAK][i]))
            return complain(r, "a feature must hold mean, scale (above 0), gain and weak");
    }
    return true;
}

static bool grams_read(struct reader *r, struct json weights, enum head head)
{
    size_t i = 0;

    if (!json_is(weights, JSON_ARRAY) || json_count(weights) != ROUTE_GRAMS)
        return complain(r, "grams.gain and grams.weak must be 4096 integers each");
    for (struct json_iter it = json_iter(weights); json_next(&it); i++) {
        double weight;
        if (!weight_get(it.value, &weight))
            return complain(r, "a gram's weight must be an integer of 10^-5, at most 50");
        r->model->grams[i][head] = (float)weight;
    }
    return true;
}

static bool heads_read(struct reader *r, struct json root)
{
    struct json grams = json_get(root, STR("grams"));
    struct json calibration = json_get(root, STR("calibration"));

    if (!grams_read(r, json_get(grams, STR("gain")), HEAD_GAIN) ||
        !grams_read(r, json_get(grams, STR("weak")), HEAD_WEAK))
        return false;
    if (!fit_read(json_get(calibration, STR("gain")), &r->model->calibration[HEAD_GAIN]) ||
        !fit_read(json_get(calibration, STR("weak")), &r->model->calibration[HEAD_WEAK]))
        return complain(r, "calibration.gain and calibration.weak must be fits");
    return true;
}

static bool domain_read(struct reader *r, struct json value, struct domain_row *row)
{
    return text_get(r, value, STR("domain"), &row->name) &&
           count_get(value, STR("both"), &row->both) && count_get(value, STR("gain"), &row->gain) &&
           count_get(value, STR("loss"), &row->loss) &&
           count_get(value, STR("neither"), &row->neither);
}

static bool domains_read(struct reader *r, struct json domains)
{
    struct domain_table *table = &r->model->domains;

    if (!json_is(domains, JSON_ARRAY) || json_count(domains) == 0 ||
        json_count(domains) > MODEL_DOMAINS_MAX)
        return complain(r, "domains must be 1 to 512 rows");
    table->rows = ARENA_ARRAY(r->arena, json_count(domains), struct domain_row);
    if (!table->rows)
        return false;
    for (struct json_iter it = json_iter(domains); json_next(&it); table->count++) {
        struct domain_row *row = &table->rows[table->count];
        if (!domain_read(r, it.value, row))
            return complain(r, "a domain must hold domain, both, gain, loss and neither");
        if (table->count == 0 ? row->name.len > 0 : str_cmp(row[-1].name, row->name) >= 0)
            return complain(r, "domains must be sorted, the root \"\" first");
    }
    domain_rates_set(table);
    return true;
}

static bool arm_read(struct reader *r, struct json value, struct arm_row *row)
{
    return text_get(r, value, STR("strategy"), &row->strategy) &&
           text_get(r, value, STR("model"), &row->model) &&
           text_get(r, value, STR("domain"), &row->domain) && count_get(value, STR("n"), &row->n) &&
           count_get(value, STR("right"), &row->right) && row->right <= row->n &&
           count_get(value, STR("cost_n"), &row->cost_n) && row->cost_n <= row->n &&
           count_get(value, STR("cost_mean_nano_usd"), &row->cost_mean) &&
           count_get(value, STR("latency_n"), &row->latency_n) && row->latency_n <= row->n &&
           finite_get(json_get(value, STR("latency_ms_mean")), &row->latency_ms_mean) &&
           row->latency_ms_mean >= 0;
}

static bool arms_read(struct reader *r, struct json arms)
{
    struct route_model *model = r->model;

    if (!json_is(arms, JSON_ARRAY) || json_count(arms) > MODEL_ARMS_MAX)
        return complain(r, "arms must be at most 1024 rows");
    model->arms = ARENA_ARRAY(r->arena, json_count(arms), struct arm_row);
    if (!model->arms)
        return false;
    for (struct json_iter it = json_iter(arms); json_next(&it); model->arm_count++) {
        struct arm_row *row = &model->arms[model->arm_count];
        if (!arm_read(r, it.value, row))
            return complain(r, "an arm must hold strategy, model, domain and counts that fit");
        if (model->arm_count > 0 && arm_cmp(row - 1, row) >= 0)
            return complain(r, "arms must be sorted by strategy, model and domain");
    }
    return true;
}

static bool confidence_read(struct reader *r, struct json confidence)
{
    if (json_is(confidence, JSON_NULL))
        return true;
    enum err e = confidence_table_read(r->arena, confidence, &r->model->confidence, &r->what);
    return e == OK;
}

enum err route_model_read(struct arena *arena, str text, const struct route_model **out,
                          str *out_what)
{
    struct reader r = { .arena = arena, .model = ARENA_NEW(arena, struct route_model) };
    struct json_error error = { 0 };
    struct json root;

    if (text.len > ROUTE_MODEL_BYTES_MAX) {
        *out_what = STR("the model's file is larger than 2 MiB");
        return CALLER_BAD_REQUEST;
    }
    /* The names that are kept may point into the text, which belongs to the caller. */
    str copy = arena_str(arena, text);
    if (arena_failed(arena))
        return WEIR_NO_MEMORY;
    enum err e = json_parse(arena, copy, &root, &error);
    if (e != OK) {
        *out_what = arena_printf(arena, "byte %zu: %s", error.offset, error.what);
        return e;
    }
    bool is_read = version_read(&r, root) && facts_read(&r, json_get(root, STR("facts"))) &&
                   dense_read(&r, root) && heads_read(&r, root) &&
                   domains_read(&r, json_get(root, STR("domains"))) &&
                   arms_read(&r, json_get(root, STR("arms"))) &&
                   confidence_read(&r, json_get(root, STR("confidence")));
    if (arena_failed(arena))
        return WEIR_NO_MEMORY;
    if (!is_read) {
        *out_what = r.what;
        return CALLER_BAD_REQUEST;
    }
    *out = r.model;
    return OK;
}
