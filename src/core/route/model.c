/* SPDX-License-Identifier: Apache-2.0 */
/* model: rates by domain, and looking things up. */
#include "core/route/model.h"

#include <math.h>

static const char *const scorer_names[ROUTE_SCORER_COUNT] = {
    [ROUTE_SEED_V1] = "seed_v1",
    [ROUTE_WORDS_V1] = "words_v1",
    [ROUTE_LEARNED_V1] = "learned_v1",
};

const char *route_scorer_name(enum route_scorer s)
{
    assert(s < ROUTE_SCORER_COUNT);
    return scorer_names[s];
}

bool route_scorer_find(str name, enum route_scorer *out)
{
    for (size_t i = 0; i < ARRAY_LEN(scorer_names); i++) {
        if (str_eq(name, str_from(scorer_names[i]))) {
            *out = (enum route_scorer)i;
            return true;
        }
    }
    return false;
}

const struct confidence_table *route_model_confidence(const struct route_model *model)
{
    return model ? model->confidence : NULL;
}

const struct route_facts *route_model_facts(const struct route_model *model)
{
    return &model->facts;
}

bool route_model_has_scorer(const struct route_model *model)
{
    return model->facts.n > 0;
}

size_t route_model_arms(const struct route_model *model, struct route_candidate *out, size_t max)
{
    size_t n = 0;

    for (size_t i = 0; i < model->arm_count && n < max; i++) {
        const struct arm_row *row = &model->arms[i];
        if (row->domain.len > 0)
            continue; /* a part of the row without a domain */
        out[n++] = (struct route_candidate){
            .strategy = row->strategy,
            .model = row->model,
            .cost_estimate = row->cost_n > 0 ? row->cost_mean : COST_UNPRICED,
        };
    }
    return n;
}

/* ---- domains ---- */

bool domain_parent(str name, str *out)
{
    size_t end = name.len;

    if (name.len == 0)
        return false;
    while (end > 0 && name.ptr[end - 1] != '.')
        end--;
    *out = str_slice(name, 0, end > 0 ? end - 1 : 0);
    return true;
}

str domain_clip(str name)
{
    int dots = 0;

    for (size_t i = 0; i < name.len; i++) {
        dots += name.ptr[i] == '.';
        if (dots == DOMAIN_DEPTH_MAX)
            return str_slice(name, 0, i);
    }
    return name;
}

static const struct domain_row *row_of(const struct domain_table *table, str name)
{
    size_t low = 0, high = table->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = str_cmp(table->rows[middle].name, name);
        if (order == 0)
            return &table->rows[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const struct domain_row *domain_row_find(const struct domain_table *table, str name)
{
    const struct domain_row *row;

    name = domain_clip(name);
    while (!(row = row_of(table, name)))
        if (!domain_parent(name, &name))
            break;
    assert(row); /* a table has its root */
    return row;
}

double rate_shrunk(int64_t k, int64_t n, double above)
{
    return ((double)k + SHRINK_LABELS * above) / (double)(n + SHRINK_LABELS);
}

static double log_odds_of(double rate)
{
    return log(rate / (1 - rate));
}

void domain_rates_set(struct domain_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        struct domain_row *row = &table->rows[i];
        int64_t n = row->both + row->gain + row->loss + row->neither;
        str parent;
        if (domain_parent(row->name, &parent)) {
            const struct domain_row *above = domain_row_find(table, parent);
            row->gain_rate = rate_shrunk(row->gain, n, above->gain_rate);
            row->loss_rate = rate_shrunk(row->loss, n, above->loss_rate);
            row->weak_rate = rate_shrunk(row->both + row->loss, n, above->weak_rate);
        } else { /* half a label each way: rates of neither 0 nor 1 */
            row->gain_rate = ((double)row->gain + 0.5) / (double)(n + 1);
            row->loss_rate = ((double)row->loss + 0.5) / (double)(n + 1);
            row->weak_rate = ((double)(row->both + row->loss) + 0.5) / (double)(n + 1);
        }
        row->log_odds[HEAD_GAIN] = log_odds_of(row->gain_rate);
        row->log_odds[HEAD_WEAK] = log_odds_of(row->weak_rate);
    }
}

double logistic_of(double log_odds)
{
    return 1 / (1 + exp(-log_odds));
}

double feature_standardised(double value, double mean, double scale)
{
    double z = (value - mean) / scale;

    return fmax(-FEATURE_DEVIATIONS_MAX, fmin(FEATURE_DEVIATIONS_MAX, z));
}

/* ---- arms ---- */

int arm_cmp(const struct arm_row *a, const struct arm_row *b)
{
    int order = str_cmp(a->strategy, b->strategy);

    if (order == 0)
        order = str_cmp(a->model, b->model);
    return order != 0 ? order : str_cmp(a->domain, b->domain);
}

const struct arm_row *arm_find(const struct route_model *model, str strategy, str model_name,
                               str domain)
{
    const struct arm_row wanted = { .strategy = strategy, .model = model_name, .domain = domain };
    size_t low = 0, high = model->arm_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = arm_cmp(&model->arms[middle], &wanted);
        if (order == 0)
            return &model->arms[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* ---- numbers ---- */

uint64_t features_hash(void)
{
    uint64_t hash = ROUTE_GRAMS;

    for (size_t i = 0; i < ROUTE_DENSE; i++)
        hash = rng_mix(hash ^ str_hash(str_from(route_feature_name(i))));
    for (size_t i = 0; i < LEXICON_SLOTS; i++)
        hash = rng_mix(hash ^ route_lexicon[i].hash ^ (uint64_t)route_lexicon[i].kinds << 32);
    return hash;
}

double weight_rounded(double weight)
{
    return fmax(-WEIGHT_UNITS_MAX, fmin(WEIGHT_UNITS_MAX, round(weight / WEIGHT_UNIT)));
}

double six_decimals(double x)
{
    return round(x * 1e6) / 1e6;
}
