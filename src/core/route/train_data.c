/* SPDX-License-Identifier: Apache-2.0 */
/* train_data: from rows to numbers: features, folds, domains. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/route/train_internal.h"

/* ---- names and the names above them ---- */

static int name_cmp(const void *a, const void *b)
{
    const str *left = a, *right = b;

    return str_cmp(*left, *right);
}

struct name_count {
    str name;
    size_t n; /* of it and all below it */
};

/* Sorted and distinct, with counts; `all` has the ancestors too, so that a name's count is that of all below it. */
static size_t names_group(str *all, size_t n, struct name_count *out)
{
    size_t count = 0;

    if (n > 1)
        qsort(all, n, sizeof(*all), name_cmp);
    for (size_t i = 0; i < n; i++) {
        if (count == 0 || !str_eq(out[count - 1].name, all[i]))
            out[count++] = (struct name_count){ all[i], 0 };
        out[count - 1].n++;
    }
    return count;
}

static size_t names_keep(struct arena *arena, const struct name_count *counts, size_t n, size_t max,
                         str *out)
{
    size_t kept = n, least = 1;

    /* A name has no more than the one above it, so no name is kept without it. */
    while (kept > max) {
        least *= 2;
        kept = 0;
        for (size_t i = 0; i < n; i++)
            kept += counts[i].n >= least;
    }
    kept = 0;
    for (size_t i = 0; i < n; i++)
        if (counts[i].n >= least || counts[i].name.len == 0)
            out[kept++] = arena_str(arena, counts[i].name);
    return kept;
}

enum err train_names(struct arena *arena, str *names, size_t n, size_t max, str **out,
                     size_t *out_count)
{
    size_t total = n * (DOMAIN_DEPTH_MAX + 1), filled = 0;
    str *all = ARENA_ARRAY(arena, total + 1, str);
    struct name_count *counts = ARENA_ARRAY(arena, total + 1, struct name_count);

    if (!all || !counts)
        return WEIR_NO_MEMORY;
    for (size_t i = 0; i < n; i++) {
        str name = domain_clip(names[i]);
        all[filled++] = name;
        while (domain_parent(name, &name))
            all[filled++] = name;
    }
    if (n == 0)
        all[filled++] = STR("");
    size_t distinct = names_group(all, filled, counts);
    str *kept = ARENA_ARRAY(arena, distinct, str);
    if (!kept)
        return WEIR_NO_MEMORY;
    *out_count = names_keep(arena, counts, distinct, max, kept);
    *out = kept;
    return arena_failed(arena) ? WEIR_NO_MEMORY : OK;
}

/* ---- folds ---- */

#define STRATUM_QUESTIONS_MIN 100

struct dealt {
    str domain; /* its stratum's */
    int outcome; /* which of the two were right */
    uint64_t order; /* of a seeded shuffle of ids */
    str id;
    uint32_t row;
};

static int id_cmp(const void *a, const void *b)
{
    const struct dealt *left = a, *right = b;
    int order = str_cmp(left->id, right->id);

    return order != 0 ? order : (left->row > right->row) - (left->row < right->row);
}

static int domain_cmp(const void *a, const void *b)
{
    const struct dealt *left = a, *right = b;

    return str_cmp(left->domain, right->domain);
}

static int dealt_cmp(const void *a, const void *b)
{
    const struct dealt *left = a, *right = b;
    int order = left->outcome - right->outcome;

    if (order == 0)
        order = str_cmp(left->domain, right->domain);
    if (order == 0)
        order = (left->order > right->order) - (left->order < right->order);
    return order != 0 ? order : str_cmp(left->id, right->id);
}

static bool logged_right(const struct route_row *row)
{
    return row->log->side == ROUTE_SIDE_STRONG ? row->strong_right : row->weak_right;
}

static int outcome_of(const struct route_row *row)
{
    if (row->log)
        return (int)row->log->side * 2 + logged_right(row);
    return row->weak_right * 2 + row->strong_right;
}

/* Rows of one id become one card; every row gets the number of its question. */
static size_t questions_number(struct train *t, struct dealt *cards)
{
    size_t count = 0;

    for (size_t i = 0; i < t->n; i++) {
        const struct route_row *row = &t->data->rows[i];
        cards[i] = (struct dealt){ .domain = row->domain,
                                   .outcome = outcome_of(row),
                                   .order = rng_mix(t->options->seed ^ str_hash(row->id)),
                                   .id = row->id,
                                   .row = (uint32_t)i };
    }
    qsort(cards, t->n, sizeof(*cards), id_cmp);
    for (size_t i = 0; i < t->n; i++) {
        if (i == 0 || !str_eq(cards[i].id, cards[count - 1].id))
            cards[count++] = cards[i];
        t->question[cards[i].row] = (uint32_t)(count - 1);
    }
    return count;
}

/* Small domains become one. Were each a stratum of its own, two questions of one domain and outcome would never share a
 * fold, and then what a table has counted of a domain would betray the outcome of what it has not. */
static void strata_merge(struct dealt *cards, size_t count)
{
    qsort(cards, count, sizeof(*cards), domain_cmp);
    for (size_t at = 0, end; at < count; at = end) {
        for (end = at + 1; end < count && domain_cmp(&cards[at], &cards[end]) == 0;)
            end++;
        for (size_t i = end - at < STRATUM_QUESTIONS_MIN ? at : end; i < end; i++)
            cards[i].domain = STR("");
    }
}

/* Deals the questions of each outcome and large domain, shuffled, one to each fold in turn. Without such strata a fold that
 * has more gains than its share is judged by models that have seen fewer, and its rows rank below the other folds'. */
static enum err folds_deal(struct train *t)
{
    struct dealt *cards = ARENA_ARRAY(t->arena, t->n, struct dealt);
    uint8_t *fold_of_question = ARENA_ARRAY(t->arena, t->n, uint8_t);

    t->fold = ARENA_ARRAY(t->arena, t->n, uint8_t);
    t->question = ARENA_ARRAY(t->arena, t->n, uint32_t);
    if (arena_failed(t->arena))
        return WEIR_NO_MEMORY;
    size_t questions = questions_number(t, cards);
    strata_merge(cards, questions);
    qsort(cards, questions, sizeof(*cards), dealt_cmp);
    for (size_t i = 0; i < questions; i++)
        fold_of_question[t->question[cards[i].row]] = (uint8_t)(i % t->folds);
    for (size_t i = 0; i < t->n; i++)
        t->fold[i] = fold_of_question[t->question[i]];
    return OK;
}

/* ---- features ---- */

static size_t grams_at_most(const struct train *t)
{
    size_t total = 0;

    /* A word takes at least two bytes, the last one. */
    for (size_t i = 0; i < t->n; i++) {
        const struct route_log *log = t->data->rows[i].log;
        size_t len = log ? log->kept.gram_count : t->data->rows[i].prompt.len + 1;
        total += len < ROUTE_GRAMS_MAX ? len : ROUTE_GRAMS_MAX;
    }
    return total;
}

static void row_features(const struct route_row *row, struct route_features *out)
{
    const struct route_context context = { .turns = 0 };

    if (!row->log) {
        route_features_read(out, row->prompt, &context);
        return;
    }
    const struct route_kept *kept = &row->log->kept;
    assert(kept->gram_count <= ROUTE_GRAMS_MAX);
    memcpy(out->dense, kept->dense, sizeof(out->dense));
    out->gram_count = kept->gram_count;
    for (size_t k = 0; k < kept->gram_count; k++)
        out->grams[k] = (struct route_gram){ .bucket = kept->grams[k] };
}

static enum err features_read(struct train *t)
{
    struct logistic_rows *rows = &t->features;
    float *dense = ARENA_ARRAY(t->arena, t->n * ROUTE_DENSE, float);
    uint32_t *ends = ARENA_ARRAY(t->arena, t->n, uint32_t);
    uint16_t *grams = ARENA_ARRAY(t->arena, grams_at_most(t) + 1, uint16_t);
    float *values = ARENA_ARRAY(t->arena, t->n, float);
    struct route_features *f = ARENA_NEW(t->arena, struct route_features);
    uint32_t end = 0;

    if (arena_failed(t->arena))
        return WEIR_NO_MEMORY;
    for (size_t i = 0; i < t->n; i++) {
        row_features(&t->data->rows[i], f);
        memcpy(&dense[i * ROUTE_DENSE], f->dense, sizeof(f->dense));
        for (size_t k = 0; k < f->gram_count; k++)
            grams[end++] = f->grams[k].bucket;
        ends[i] = end;
        values[i] = f->gram_count > 0 ? (float)(1 / sqrt(f->gram_count)) : 0;
    }
    *rows = (struct logistic_rows){ t->n, dense, ends, grams, values };
    for (size_t j = 0; j < ROUTE_DENSE; j++) {
        double sum = 0, squares = 0;
        for (size_t i = 0; i < t->n; i++)
            sum += (double)dense[i * ROUTE_DENSE + j];
        double mean = sum / (double)t->n;
        for (size_t i = 0; i < t->n; i++)
            squares += pow((double)dense[i * ROUTE_DENSE + j] - mean, 2);
        double sd = sqrt(squares / (double)t->n);
        t->feature_mean[j] = six_decimals(mean);
        /* A feature that does not vary says nothing; whatever it is divided by, its weight stays 0. */
        t->feature_scale[j] = sd > 1e-4 ? six_decimals(sd) : 1;
        for (size_t i = 0; i < t->n; i++)
            dense[i * ROUTE_DENSE + j] = (float)feature_standardised(
                (double)dense[i * ROUTE_DENSE + j], t->feature_mean[j], t->feature_scale[j]);
    }
    return OK;
}

/* ---- domains ---- */

static enum err domains_collect(struct train *t)
{
    str *names = ARENA_ARRAY(t->arena, t->n, str);
    size_t count;

    if (!names)
        return WEIR_NO_MEMORY;
    for (size_t i = 0; i < t->n; i++)
        names[i] = t->data->rows[i].domain;
    enum err e = train_names(t->arena, names, t->n, MODEL_DOMAINS_MAX, &names, &count);
    if (e != OK)
        return e;
    t->domains = (struct domain_table){ ARENA_ARRAY(t->arena, count, struct domain_row), count };
    t->part = (struct domain_table){ ARENA_ARRAY(t->arena, count, struct domain_row), count };
    t->domain = ARENA_ARRAY(t->arena, t->n, uint32_t);
    t->domain_above = ARENA_ARRAY(t->arena, count, uint32_t);
    t->sums = ARENA_ARRAY(t->arena, count, struct domain_sums);
    if (arena_failed(t->arena))
        return WEIR_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        t->domains.rows[i].name = t->part.rows[i].name = names[i];
    for (size_t i = 0; i < count; i++) {
        str above = names[i];
        if (domain_parent(names[i], &above))
            t->domain_above[i] = (uint32_t)(domain_row_find(&t->domains, above) - t->domains.rows);
    }
    for (size_t i = 0; i < t->n; i++)
        t->domain[i] =
            (uint32_t)(domain_row_find(&t->domains, t->data->rows[i].domain) - t->domains.rows);
    return OK;
}

static void counts_add(struct domain_row *to, const struct domain_row *from)
{
    to->both += from->both;
    to->gain += from->gain;
    to->loss += from->loss;
    to->neither += from->neither;
}

/* The rows of the subset, each for its domain and all above it. */
static void domains_count(const struct train *t, size_t subset_count, struct domain_table *out)
{
    for (size_t i = 0; i < out->count; i++)
        out->rows[i] = (struct domain_row){ .name = out->rows[i].name };
    for (size_t k = 0; k < subset_count; k++) {
        const struct route_row *row = &t->data->rows[t->subset[k]];
        counts_add(&out->rows[t->domain[t->subset[k]]],
                   &(struct domain_row){ .both = row->weak_right && row->strong_right,
                                         .gain = !row->weak_right && row->strong_right,
                                         .loss = row->weak_right && !row->strong_right,
                                         .neither = !row->weak_right && !row->strong_right });
    }
    /* Descendants stand behind their ancestors: from the last on, a row is complete when it is handed up. */
    for (size_t i = out->count; i-- > 1;)
        counts_add(&out->rows[t->domain_above[i]], &out->rows[i]);
    domain_rates_set(out);
}

/* domain_rates_set() for weights: the same half a label each way at the root, the same pull to the domain above. */
static void logged_offsets(struct train *t, size_t subset_count)
{
    for (size_t i = 0; i < t->domains.count; i++)
        t->sums[i] = (struct domain_sums){ 0 };
    for (size_t k = 0; k < subset_count; k++) {
        size_t row = t->subset[k];
        struct domain_sums *sums = &t->sums[t->domain[row]];
        sums->weight += t->weight[row];
        sums->right += t->labels[HEAD_WEAK][row] ? t->weight[row] : 0;
    }
    for (size_t i = t->domains.count; i-- > 1;) {
        t->sums[t->domain_above[i]].weight += t->sums[i].weight;
        t->sums[t->domain_above[i]].right += t->sums[i].right;
    }
    for (size_t i = 0; i < t->domains.count; i++) {
        struct domain_sums *s = &t->sums[i];
        double above = i > 0 ? t->sums[t->domain_above[i]].rate : 0.5;
        double pull = i > 0 ? SHRINK_LABELS : 1;
        s->rate = (s->right + pull * above) / (s->weight + pull);
    }
    for (size_t i = 0; i < t->n; i++) {
        double rate = t->sums[t->domain[i]].rate;
        t->offset[i] = log(rate / (1 - rate));
    }
}

void train_offsets(struct train *t, size_t subset_count, enum head head)
{
    if (t->weight) {
        logged_offsets(t, subset_count);
        return;
    }
    domains_count(t, subset_count, &t->part);
    for (size_t i = 0; i < t->n; i++)
        t->offset[i] = t->part.rows[t->domain[i]].log_odds[head];
}

size_t train_subset(struct train *t, size_t a, size_t b)
{
    size_t count = 0;

    for (size_t i = 0; i < t->n; i++)
        if (t->fold[i] != a && t->fold[i] != b && (!t->weight || t->weight[i] > 0))
            t->subset[count++] = (uint32_t)i;
    return count;
}

/* ---- all of it ---- */

static enum err scratch_alloc(struct train *t)
{
    t->solver = logistic_solver_new(t->arena);
    t->subset = ARENA_ARRAY(t->arena, t->n, uint32_t);
    t->offset = ARENA_ARRAY(t->arena, t->n, double);
    t->weights = ARENA_ARRAY(t->arena, LOGISTIC_WEIGHTS, double);
    for (int h = 0; h < HEAD_COUNT; h++)
        t->labels[h] = ARENA_ARRAY(t->arena, t->n, bool);
    return arena_failed(t->arena) ? WEIR_NO_MEMORY : OK;
}

enum err train_data_read(struct train *t)
{
    enum err e = scratch_alloc(t);

    if (e == OK)
        e = folds_deal(t);
    if (e == OK)
        e = features_read(t);
    if (e == OK)
        e = domains_collect(t);
    if (e != OK)
        return e;
    for (size_t i = 0; i < t->n; i++) {
        const struct route_row *row = &t->data->rows[i];
        t->labels[HEAD_GAIN][i] =
            row->log ? logged_right(row) : row->strong_right && !row->weak_right;
        t->labels[HEAD_WEAK][i] = row->log ? logged_right(row) : row->weak_right;
    }
    domains_count(t, train_subset(t, t->folds, t->folds), &t->domains);
    return OK;
}
