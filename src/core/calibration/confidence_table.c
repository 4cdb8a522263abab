/* SPDX-License-Identifier: Apache-2.0 */
/*
 * confidence_table: fitting, and looking up.
 *
 * Rows are sorted by (model, strategy, domain), so that every map's rows are one range of them and a parent's range
 * holds its children's. Each level then turns its parent's held-out values into its own.
 */
#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "core/calibration/confidence_internal.h"
#include "core/calibration/fit_json.h"
#include "core/stats/stats.h"

/* ---- keys ---- */

static bool is_global(const struct confidence_key *key)
{
    return key->domain.len == 0 && key->model.len == 0 && key->strategy.len == 0;
}

static int pair_cmp(const struct confidence_key *a, const struct confidence_key *b)
{
    int order = str_cmp(a->model, b->model);

    return order != 0 ? order : str_cmp(a->strategy, b->strategy);
}

int confidence_key_cmp(const struct confidence_key *a, const struct confidence_key *b)
{
    int order = pair_cmp(a, b);

    return order != 0 ? order : str_cmp(a->domain, b->domain);
}

double confidence_weight(int64_t labels)
{
    return (double)labels / (double)(labels + CONFIDENCE_SHRINK_LABELS);
}

static double mixed(double parent, const struct fit *fit, double raw)
{
    return parent + confidence_weight(fit->n) * (fit_apply(fit, raw) - parent);
}

/* ---- looking up ---- */

static const struct confidence_map *map_find(const struct confidence_table *table,
                                             const struct confidence_key *key)
{
    size_t low = 0, high = table ? table->count : 0;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = confidence_key_cmp(&table->maps[middle].report.key, key);
        if (order == 0)
            return &table->maps[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* From the global map down to the key's own; fewer where labels are missing. *out_own: NULL when the key has none. */
static size_t maps_of(const struct confidence_table *table, const struct confidence_key *key,
                      const struct confidence_map *out[3], const struct confidence_map **out_own)
{
    const struct confidence_key levels[] = {
        { .model = { NULL, 0 } },
        { .model = key->model, .strategy = key->strategy },
        *key,
    };
    size_t n = 0;

    *out_own = map_find(table, key);
    for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
        const struct confidence_map *map = map_find(table, &levels[i]);
        if (map && (n == 0 || out[n - 1] != map))
            out[n++] = map;
    }
    return n;
}

struct confidence confidence_calibrate(const struct confidence_table *table,
                                       const struct confidence_key *key, double raw)
{
    const struct confidence_map *maps[3] = { NULL }, *own;
    size_t n = maps_of(table, key, maps, &own);

    if (!(raw >= 0) || n == 0)
        return (struct confidence){ raw, false };
    double value = fit_apply(&maps[0]->fit, raw);
    for (size_t i = 1; i < n; i++)
        value = mixed(value, &maps[i]->fit, raw);
    return (struct confidence){ value, own != NULL };
}

/* The threshold, in [0, 1], in hundredths: .85 is a little more or less than 85/100 in binary, and only what is clearly between
 * hundredths is rounded up. */
static int hundredths_of(double threshold)
{
    return (int)ceil(threshold * 100 - 1e-9);
}

/* Met: the one-sided 95 % lower bound of the accuracy among the accepted reaches the threshold. */
static struct acceptance counts_accept(const struct accepted_counts *counts, int hundredths)
{
    struct acceptance a = { .accepted = counts->accepted[hundredths],
                            .right = counts->right[hundredths] };

    a.lower = a.accepted > 0 ? stats_rate_lower(a.right, a.accepted, 0.05) : 0;
    a.is_met = a.accepted > 0 && a.lower >= hundredths / 100.0;
    return a;
}

bool confidence_meets(const struct confidence_table *table, const struct confidence_key *key,
                      struct confidence c, double threshold)
{
    const struct confidence_map *own = map_find(table, key);

    if (!c.is_calibrated || !own || !(threshold >= 0 && threshold <= 1))
        return false;
    int hundredths = hundredths_of(threshold);
    return c.value >= hundredths / 100.0 && counts_accept(&own->counts, hundredths).is_met;
}

struct acceptance confidence_table_accept(const struct confidence_table *table, size_t i,
                                          double threshold)
{
    assert(i < confidence_table_count(table));
    assert(threshold >= 0 && threshold <= 1);
    return counts_accept(&table->maps[i].counts, hundredths_of(threshold));
}

/* ---- making ---- */

struct sorted_row {
    const struct confidence_row *row;
    uint32_t number; /* in the caller's order: sorting must not depend on qsort's whim */
    uint8_t fold;
};

#define ECE_ROUNDS 500 /* of the bootstrap of each map's ECE */

struct making {
    struct arena *arena;
    struct sorted_row *rows; /* sorted by key */
    size_t n;
    struct labelled *items; /* scratch of n */
    struct labelled *held_items; /* scratch of n */
    double *held; /* by row: the value that the level done last gives it, held out */
    double *held_of_parent;
    int64_t labels_min;
    uint64_t seed;
    struct confidence_table *table;
};

struct range {
    size_t first;
    size_t n;
};

static int row_compare(const void *a, const void *b)
{
    const struct sorted_row *left = a, *right = b;
    int order = confidence_key_cmp(&left->row->key, &right->row->key);

    if (order != 0)
        return order;
    return (left->number > right->number) - (left->number < right->number);
}

static void rows_shuffle(struct sorted_row *rows, size_t n, uint64_t seed)
{
    struct rng rng;

    rng_init(&rng, seed);
    for (size_t i = n; i > 1; i--) {
        size_t j = (size_t)rng_below(&rng, i);
        struct sorted_row row = rows[i - 1];
        rows[i - 1] = rows[j];
        rows[j] = row;
    }
}

static enum err making_init(struct making *m, struct arena *arena,
                            const struct confidence_row *rows, size_t n, uint64_t seed)
{
    *m = (struct making){
        .arena = arena, .n = n, .labels_min = CONFIDENCE_LABELS_MIN, .seed = seed
    };
    m->rows = ARENA_ARRAY(arena, n, struct sorted_row);
    m->items = ARENA_ARRAY(arena, n, struct labelled);
    m->held_items = ARENA_ARRAY(arena, n, struct labelled);
    m->held = ARENA_ARRAY(arena, n, double);
    m->held_of_parent = ARENA_ARRAY(arena, n, double);
    m->table = ARENA_NEW(arena, struct confidence_table);
    if (arena_failed(arena))
        return WEIR_NO_MEMORY;
    for (size_t i = 0; i < n; i++) {
        if (!(rows[i].raw >= 0 && rows[i].raw <= 1))
            return CALLER_BAD_REQUEST;
        m->rows[i] = (struct sorted_row){ .row = &rows[i], .number = (uint32_t)i };
    }
    rows_shuffle(m->rows, n, seed);
    for (size_t i = 0; i < n; i++)
        m->rows[i].fold = (uint8_t)(i % CONFIDENCE_FOLDS);
    if (n > 1)
        qsort(m->rows, n, sizeof(*m->rows), row_compare);
    return OK;
}

static enum err fit_rounded(struct making *m, size_t n, struct fit *out)
{
    enum err e = fit_make(out, m->items, n, m->arena);

    if (e != OK)
        return e;
    fit_round(out);
    return OK;
}

/* The range's labels without those of a fold (none: -1), into items. */
static size_t items_collect(struct making *m, struct range range, int without)
{
    size_t n = 0;

    for (size_t i = range.first; i < range.first + range.n; i++) {
        const struct sorted_row *row = &m->rows[i];
        if (row->fold != without)
            m->items[n++] = (struct labelled){ row->row->raw, row->row->is_right };
    }
    return n;
}

/* Each row's value from a fit that has not seen its fold, mixed with the parent's held-out value. */
static enum err held_out_fill(struct making *m, struct range range, bool has_parent)
{
    struct fit fit;

    for (int fold = 0; fold < CONFIDENCE_FOLDS; fold++) {
        enum err e = fit_rounded(m, items_collect(m, range, fold), &fit);
        if (e != OK)
            return e;
        for (size_t i = range.first; i < range.first + range.n; i++) {
            double raw = m->rows[i].row->raw;
            if (m->rows[i].fold != fold)
                continue;
            m->held[i] = has_parent ? mixed(m->held_of_parent[i], &fit, raw) : fit_apply(&fit, raw);
        }
    }
    return OK;
}

/* Six decimals: what is reported is what can be written. */
static double rounded(double x)
{
    return round(x * 1e6) / 1e6;
}

static void counts_fill(struct accepted_counts *counts, const struct labelled *items, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (int t = 0; t < THRESHOLDS && items[i].score >= t / 100.0; t++) {
            counts->accepted[t]++;
            counts->right[t] += items[i].is_right;
        }
    }
}

static void metrics_round(struct calibration_metrics *metrics)
{
    double *const numbers[] = { &metrics->ece, &metrics->brier, &metrics->auroc, &metrics->accuracy,
                                &metrics->mean_confidence };

    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        *numbers[i] = rounded(*numbers[i]);
    for (size_t i = 0; i < metrics->bin_count; i++) {
        metrics->bins[i].confidence = rounded(metrics->bins[i].confidence);
        metrics->bins[i].accuracy = rounded(metrics->bins[i].accuracy);
    }
}

static enum err ece_interval_set(struct making *m, size_t n, struct interval_pair *out)
{
    enum err e = calibration_ece_interval(out, m->held_items, n, ECE_ROUNDS, m->seed, m->arena);

    if (e == OK)
        *out = (struct interval_pair){ rounded(out->lower), rounded(out->upper) };
    return e;
}

static enum err map_measure(struct making *m, struct range range, struct confidence_map *map)
{
    for (size_t i = 0; i < range.n; i++)
        m->held_items[i] =
            (struct labelled){ m->held[range.first + i], m->rows[range.first + i].row->is_right };
    counts_fill(&map->counts, m->held_items, range.n);
    enum err e = calibration_measure(&map->report.after, m->held_items, range.n, m->arena);
    if (e == OK)
        e = calibration_measure(&map->report.before, m->items, items_collect(m, range, -1),
                                m->arena);
    if (e == OK)
        e = ece_interval_set(m, range.n, &map->report.after_ece);
    metrics_round(&map->report.before);
    metrics_round(&map->report.after);
    return e;
}

static enum err map_make(struct making *m, struct range range, const struct confidence_key *key)
{
    struct confidence_map *map = &m->table->maps[m->table->count];

    map->report.key =
        (struct confidence_key){ arena_str(m->arena, key->domain), arena_str(m->arena, key->model),
                                 arena_str(m->arena, key->strategy) };
    enum err e = held_out_fill(m, range, !is_global(key));
    if (e == OK)
        e = map_measure(m, range, map);
    if (e == OK)
        e = fit_rounded(m, items_collect(m, range, -1), &map->fit);
    if (e == OK)
        m->table->count++;
    return e;
}

/* The rows from `first` on that have the same model and strategy, and the same domain when that counts. */
static struct range range_of(const struct making *m, size_t first, bool with_domain)
{
    const struct confidence_key *key = &m->rows[first].row->key;
    size_t end = first + 1;

    while (end < m->n && (with_domain ? confidence_key_cmp(key, &m->rows[end].row->key)
                                      : pair_cmp(key, &m->rows[end].row->key)) == 0)
        end++;
    return (struct range){ first, end - first };
}

static bool has_own_map(const struct making *m, struct range range,
                        const struct confidence_key *key)
{
    return (int64_t)range.n >= m->labels_min && !is_global(key);
}

/* At most as many maps as there will be: of the global one, of pairs, of keys with a domain. */
static size_t maps_count(const struct making *m)
{
    size_t maps = 1;

    for (size_t at = 0; at < m->n;) {
        struct range own = range_of(m, at, true);
        maps += has_own_map(m, own, &m->rows[at].row->key);
        at += own.n;
    }
    for (size_t at = 0; at < m->n;) {
        struct range pair = range_of(m, at, false);
        maps += has_own_map(m, pair, &m->rows[at].row->key);
        at += pair.n;
    }
    return maps;
}

/* Too many keys: the poorest go without a map of their own. */
static enum err maps_alloc(struct making *m)
{
    while (maps_count(m) > CONFIDENCE_MAPS_MAX)
        m->labels_min *= 2;
    m->table->maps = ARENA_ARRAY(m->arena, maps_count(m), struct confidence_map);
    return m->table->maps ? OK : WEIR_NO_MEMORY;
}

static void held_keep(struct making *m, struct range range)
{
    for (size_t i = range.first; i < range.first + range.n; i++)
        m->held_of_parent[i] = m->held[i];
}

/* The map of a model and strategy over all domains, then those of its domains. */
static enum err pair_make(struct making *m, struct range pair)
{
    struct confidence_key key = m->rows[pair.first].row->key;
    enum err e = OK;

    key.domain = (str){ NULL, 0 };
    if (has_own_map(m, pair, &key)) {
        e = map_make(m, pair, &key);
        held_keep(m, pair);
    }
    for (size_t at = pair.first; e == OK && at < pair.first + pair.n;) {
        struct range own = range_of(m, at, true);
        key = m->rows[at].row->key;
        if (key.domain.len > 0 && has_own_map(m, own, &key))
            e = map_make(m, own, &key);
        at += own.n;
    }
    return e;
}

enum err confidence_table_make(struct arena *arena, const struct confidence_row *rows, size_t n,
                               uint64_t seed, const struct confidence_table **out)
{
    const struct confidence_key nothing = { .domain = { NULL, 0 } };
    struct making m;
    enum err e = making_init(&m, arena, rows, n, seed);

    if (e != OK)
        return e;
    if (n >= CONFIDENCE_LABELS_MIN) {
        e = maps_alloc(&m);
        if (e == OK)
            e = map_make(&m, (struct range){ 0, n }, &nothing);
        held_keep(&m, (struct range){ 0, n });
    }
    for (size_t at = 0; e == OK && m.table->count > 0 && at < n;) {
        struct range pair = range_of(&m, at, false);
        e = pair_make(&m, pair);
        at += pair.n;
    }
    if (e == OK && arena_failed(arena))
        e = WEIR_NO_MEMORY;
    if (e == OK)
        *out = m.table;
    return e;
}

size_t confidence_table_count(const struct confidence_table *table)
{
    return table ? table->count : 0;
}

const struct confidence_report *confidence_table_report(const struct confidence_table *table,
                                                        size_t i)
{
    assert(i < confidence_table_count(table));
    return &table->maps[i].report;
}
