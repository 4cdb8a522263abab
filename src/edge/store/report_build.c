/* SPDX-License-Identifier: Apache-2.0 */
/* report_build: cells of the rollups are added up to a report: each to the total, to its part of every list, and to its quarter hour. */
#include "edge/store/report_internal.h"

#include <stdlib.h>

#include "base/rng.h"

#define INDEX_FIRST ((size_t)32)

_Static_assert(REPORT_SLOT_USEC == ROLLUP_SLOT_USEC, "a report's slots are the rollups'");
_Static_assert(REPORT_BINS == ROLLUP_BINS, "a report's bins are the rollups'");

static void sum(struct report_build *b, int64_t *total, int64_t value)
{
    rollup_sum(total, value);
    b->has_overflow = b->has_overflow || *total == ROLLUP_OVERFLOW;
}

/* ---- where items of growing lists are; the arena keeps the old ones: that bounds the waste to once more ---- */

/* The bucket where a search of this hash begins; there is none before the first index_room(). */
static size_t index_start(const struct report_index *index, uint64_t hash)
{
    return (size_t)(rng_mix(hash) & (index->cap - 1));
}

/* Room for one more item than count: *out_is_new says that the index was made anew, and is empty. */
static bool index_room(struct report_build *b, struct report_index *index, size_t count,
                       bool *out_is_new)
{
    *out_is_new = false;
    if (2 * (count + 1) <= index->cap)
        return true;
    size_t cap = index->cap > 0 ? 2 * index->cap : INDEX_FIRST;
    uint32_t *buckets = ARENA_ARRAY(b->arena, cap, uint32_t);
    if (!buckets)
        return false;
    *index = (struct report_index){ buckets, cap };
    *out_is_new = true;
    return true;
}

/* Puts item `number` at the end of the search of its hash. */
static void index_put(struct report_index *index, uint64_t hash, size_t number)
{
    size_t at = index_start(index, hash);

    while (index->buckets[at] != 0)
        at = (at + 1) & (index->cap - 1);
    index->buckets[at] = (uint32_t)(number + 1);
}

/* ---- parts ---- */

static struct report_part *part_lookup(const struct report_build *b, enum report_axis axis,
                                       str name)
{
    const struct report_index *index = &b->parts_index[axis];
    struct report_part *items = b->out->parts[axis].items;

    if (index->cap == 0)
        return NULL;
    for (size_t at = index_start(index, str_hash(name)); index->buckets[at] != 0;
         at = (at + 1) & (index->cap - 1)) {
        struct report_part *part = &items[index->buckets[at] - 1];
        if (str_eq(part->name, name))
            return part;
    }
    return NULL;
}

static bool axis_has_latency(enum report_axis axis)
{
    return axis == REPORT_DOMAIN || axis == REPORT_STRATEGY || axis == REPORT_ARM;
}

static struct report_part *part_find(struct report_build *b, enum report_axis axis, str name)
{
    struct report_part *found = part_lookup(b, axis, name);
    struct report_parts *parts = &b->out->parts[axis];
    bool is_new;

    if (found)
        return found;
    struct report_part *items =
        arena_room(b->arena, parts->items, parts->count, &b->parts_cap[axis], sizeof(*items));
    if (!items || !index_room(b, &b->parts_index[axis], parts->count, &is_new))
        return NULL;
    parts->items = items;
    for (size_t i = 0; is_new && i < parts->count; i++)
        index_put(&b->parts_index[axis], str_hash(items[i].name), i);
    index_put(&b->parts_index[axis], str_hash(name), parts->count);
    items[parts->count] = (struct report_part){ .name = arena_str(b->arena, name) };
    if (axis_has_latency(axis) && b->histograms < REPORT_HISTOGRAMS_MAX) {
        b->histograms++;
        items[parts->count].latency = ARENA_NEW(b->arena, struct histogram);
    }
    return &items[parts->count++];
}

static void part_sum(struct report_build *b, struct report_part *p, const struct rollup_cell *cell)
{
    const int64_t *sums = cell->sums;
    const double *reals = cell->reals;
    bool is_success = cell->names[QUERY_FAULT].len == 0;

    sum(b, &p->queries, sums[QUERY_COUNT]);
    p->succeeded += is_success ? sums[QUERY_COUNT] : 0;
    p->unpriced_calls += sums[QUERY_UNPRICED_CALLS];
    sum(b, &p->cost, sums[QUERY_COST]);
    sum(b, &p->failed_cost, is_success ? 0 : sums[QUERY_COST]);
    sum(b, &p->priced_cost, sums[QUERY_PRICED_COST]);
    moments_merge(&p->priced,
                  &(struct moments){ sums[QUERY_PRICED], (double)sums[QUERY_PRICED_COST] / 1e9,
                                     reals[QUERY_DOLLARS_SQUARED] });
    moments_merge(&p->hrm, &(struct moments){ sums[QUERY_HRM], reals[QUERY_HRM_SUM],
                                              reals[QUERY_HRM_SQUARED] });
    moments_merge(&p->trm, &(struct moments){ sums[QUERY_TRM], reals[QUERY_TRM_SUM],
                                              reals[QUERY_TRM_SQUARED] });
    p->confident += sums[QUERY_CONFIDENT];
    p->calibrated += sums[QUERY_CALIBRATED];
    if (p->latency)
        IGNORE(latency_add(p->latency, cell->latency)); /* what cannot be read, verify finds */
}

/* ---- domains and their models ---- */

static uint64_t pair_hash(str domain, str model)
{
    return rng_mix(str_hash(domain)) ^ str_hash(model);
}

static struct report_pair *pair_find(struct report_build *b, str domain, str model)
{
    struct report_index *index = &b->pairs_index;
    uint64_t hash = pair_hash(domain, model);
    bool is_new;

    for (size_t at = index->cap > 0 ? index_start(index, hash) : 0;
         index->cap > 0 && index->buckets[at] != 0; at = (at + 1) & (index->cap - 1)) {
        struct report_pair *pair = &b->out->pairs[index->buckets[at] - 1];
        if (str_eq(pair->domain, domain) && str_eq(pair->model, model))
            return pair;
    }
    size_t count = b->out->pairs_count;
    struct report_pair *items =
        arena_room(b->arena, b->out->pairs, count, &b->pairs_cap, sizeof(*items));
    if (!items || !index_room(b, index, count, &is_new))
        return NULL;
    b->out->pairs = items;
    for (size_t i = 0; is_new && i < count; i++)
        index_put(index, pair_hash(items[i].domain, items[i].model), i);
    index_put(index, hash, count);
    items[count] = (struct report_pair){ .domain = arena_str(b->arena, domain),
                                         .model = arena_str(b->arena, model) };
    b->out->pairs_count++;
    return &items[count];
}

/* ---- queries ---- */

static void slot_sum(struct report_build *b, const struct rollup_cell *cell)
{
    int64_t at = cell->numbers[ROLLUP_SLOT] - b->out->first_slot;

    if (at < 0 || (uint64_t)at >= b->out->slots_count)
        return;
    struct report_slot *slot = &b->out->slots[at];
    slot->queries += cell->sums[QUERY_COUNT];
    slot->succeeded += cell->names[QUERY_FAULT].len == 0 ? cell->sums[QUERY_COUNT] : 0;
    sum(b, &slot->cost, cell->sums[QUERY_COST]);
}

static enum err query_take(struct report_build *b, const struct rollup_cell *cell)
{
    static const struct {
        enum report_axis axis;
        int name;
    } axes[] = {
        { REPORT_DOMAIN, QUERY_DOMAIN },     { REPORT_TENANT, QUERY_TENANT },
        { REPORT_STRATEGY, QUERY_STRATEGY }, { REPORT_ARM, QUERY_ARM },
        { REPORT_FAULT, QUERY_FAULT },       { REPORT_MODEL, QUERY_MODEL },
    };

    if (cell->numbers[ROLLUP_SIMULATED] != b->span->is_simulated) {
        b->out->other_queries += cell->sums[QUERY_ONLY];
        return OK;
    }
    part_sum(b, &b->out->total, cell);
    slot_sum(b, cell);
    b->out->routed += cell->sums[QUERY_ROUTED];
    b->out->explored += cell->sums[QUERY_EXPLORED];
    for (size_t i = 0; i < ARRAY_LEN(axes); i++) {
        struct report_part *part = part_find(b, axes[i].axis, cell->names[axes[i].name]);
        if (!part)
            return WEIR_NO_MEMORY;
        part_sum(b, part, cell);
    }
    struct report_pair *pair = pair_find(b, cell->names[QUERY_DOMAIN], cell->names[QUERY_MODEL]);
    if (!pair)
        return WEIR_NO_MEMORY;
    pair->queries += cell->sums[QUERY_COUNT];
    pair->succeeded += cell->names[QUERY_FAULT].len == 0 ? cell->sums[QUERY_COUNT] : 0;
    sum(b, &pair->cost, cell->sums[QUERY_COST]);
    return OK;
}

/* ---- calls ---- */

static int64_t slot_day(int64_t slot)
{
    return slot / 96 - (slot % 96 < 0);
}

static uint64_t calls_hash(str model, str provider, int64_t day)
{
    return rng_mix(rng_mix(str_hash(model)) ^ str_hash(provider)) ^ (uint64_t)day;
}

static struct report_calls *calls_find(struct report_build *b, const struct rollup_cell *cell)
{
    str model = cell->names[CALL_MODEL], provider = cell->names[CALL_PROVIDER];
    int64_t day = slot_day(cell->numbers[ROLLUP_SLOT]);
    uint64_t hash = calls_hash(model, provider, day);
    struct report_index *index = &b->calls_index;
    size_t count = b->out->calls_count;
    bool is_new;

    for (size_t at = index->cap > 0 ? index_start(index, hash) : 0;
         index->cap > 0 && index->buckets[at] != 0; at = (at + 1) & (index->cap - 1)) {
        struct report_calls *c = &b->out->calls[index->buckets[at] - 1];
        if (c->utc_day == day && str_eq(c->model, model) && str_eq(c->provider, provider))
            return c;
    }
    struct report_calls *items =
        arena_room(b->arena, b->out->calls, count, &b->calls_cap, sizeof(*items));
    if (!items || !index_room(b, index, count, &is_new))
        return NULL;
    b->out->calls = items;
    for (size_t i = 0; is_new && i < count; i++)
        index_put(index, calls_hash(items[i].model, items[i].provider, items[i].utc_day), i);
    index_put(index, hash, count);
    items[count] = (struct report_calls){ .model = arena_str(b->arena, model),
                                          .provider = arena_str(b->arena, provider),
                                          .utc_day = day,
                                          .usage = { .is_known = true } };
    b->out->calls_count++;
    return &items[count];
}

static void calls_sum(struct report_build *b, struct report_calls *c, const int64_t *sums)
{
    c->calls += sums[CALL_COUNT];
    c->unpriced += sums[CALL_UNPRICED];
    c->interrupted += sums[CALL_INTERRUPTED];
    c->failed += sums[CALL_FAILED];
    c->retried += sums[CALL_RETRIED];
    c->extra_attempts += sums[CALL_EXTRA_ATTEMPTS];
    c->estimated += sums[CALL_ESTIMATED];
    c->comparable += sums[CALL_COMPARABLE];
    const struct {
        int64_t *total;
        int64_t value;
    } others[] = {
        { &c->cost, sums[CALL_COST] },
        { &c->interrupted_cost, sums[CALL_INTERRUPTED_COST] },
        { &c->failed_cost, sums[CALL_FAILED_COST] },
        { &c->retried_cost, sums[CALL_RETRIED_COST] },
        { &c->comparable_cost, sums[CALL_COMPARABLE_COST] },
        { &c->cached_cost, sums[CALL_CACHED_COST] },
        { &c->cached_saved, sums[CALL_CACHED_SAVED] },
        { &c->usage.input, sums[CALL_INPUT] },
        { &c->usage.output, sums[CALL_OUTPUT] },
        { &c->usage.cached, sums[CALL_CACHED] },
        { &c->usage.cache_write, sums[CALL_CACHE_WRITE] },
    };
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        sum(b, others[i].total, others[i].value);
}

static enum err call_take(struct report_build *b, const struct rollup_cell *cell)
{
    if (cell->numbers[ROLLUP_SIMULATED] != b->span->is_simulated) {
        b->out->other_calls += cell->sums[CALL_COUNT];
        sum(b, &b->out->other_cost, cell->sums[CALL_COST]);
        return OK;
    }
    struct report_calls *calls = calls_find(b, cell);
    if (!calls)
        return WEIR_NO_MEMORY;
    calls_sum(b, calls, cell->sums);
    return OK;
}

/* ---- labels ---- */

static enum err label_take(struct report_build *b, const struct rollup_cell *cell)
{
    int64_t bin = cell->numbers[ROLLUP_BIN];
    enum ledger_source source;

    if (cell->numbers[ROLLUP_SIMULATED] != b->span->is_simulated ||
        !ledger_source_find(cell->names[LABEL_NAME], &source))
        return OK;
    struct report_label *label = &b->out->labels[source];
    label->n += cell->sums[LABEL_COUNT];
    label->right += cell->sums[LABEL_RIGHT];
    label->sum += (double)cell->sums[LABEL_VALUE] / ROLLUP_SCALE;
    if (bin < 0 || bin >= REPORT_BINS)
        return OK;
    struct report_bin *in = &label->bins[cell->numbers[ROLLUP_CALIBRATED] != 0][bin];
    in->n += cell->sums[LABEL_COUNT];
    in->right += cell->sums[LABEL_RIGHT];
    in->confidence += (double)cell->sums[LABEL_CONFIDENCE] / ROLLUP_SCALE;
    return OK;
}

/* ---- the whole ---- */

enum err report_build_init(struct report_build *b, const struct report_span *span,
                           struct arena *arena, struct ledger_report *out)
{
    int64_t first = rollup_slot(span->from), end = rollup_slot(span->to - 1) + 1;

    *b = (struct report_build){ .span = span, .arena = arena, .out = out };
    out->first_slot = first;
    out->total.latency = ARENA_NEW(arena, struct histogram);
    if (span->to > span->from && (uint64_t)(end - first) <= REPORT_SLOTS_MAX) {
        out->slots = ARENA_ARRAY(arena, (size_t)(end - first), struct report_slot);
        out->slots_count = (size_t)(end - first);
    }
    return arena_failed(arena) ? WEIR_NO_MEMORY : OK;
}

enum err report_build_take(void *build, const struct rollup_cell *cell)
{
    static enum err (*const takes[])(struct report_build * b, const struct rollup_cell *cell) = {
        [ROLLUP_QUERIES] = query_take,
        [ROLLUP_CALLS] = call_take,
        [ROLLUP_LABELS] = label_take,
    };
    struct report_build *b = build;
    enum err e = takes[cell->table](b, cell);

    if (e == OK && arena_failed(b->arena))
        return WEIR_NO_MEMORY;
    return e == OK && b->has_overflow ? WEIR_STORE : e;
}

static int order(int64_t dearer, int64_t than, str name, str other)
{
    return dearer != than ? (dearer > than ? -1 : 1) : str_cmp(name, other);
}

static int parts_order(const void *a, const void *b)
{
    const struct report_part *x = a, *y = b;

    return order(x->cost, y->cost, x->name, y->name);
}

static int calls_order(const void *a, const void *b)
{
    const struct report_calls *x = a, *y = b;
    int by_name = order(x->cost, y->cost, x->model, y->model);

    if (by_name == 0)
        by_name = str_cmp(x->provider, y->provider);
    return by_name != 0 ? by_name : (x->utc_day > y->utc_day) - (x->utc_day < y->utc_day);
}

static int pairs_order(const void *a, const void *b)
{
    const struct report_pair *x = a, *y = b;
    int by_domain = str_cmp(x->domain, y->domain);

    return by_domain != 0 ? by_domain : order(x->queries, y->queries, x->model, y->model);
}

void report_build_finish(struct report_build *b)
{
    struct ledger_report *out = b->out;

    for (int i = 0; i < REPORT_AXIS_COUNT; i++) {
        struct report_parts *parts = &out->parts[i];
        if (parts->count > 0)
            qsort(parts->items, parts->count, sizeof(*parts->items), parts_order);
    }
    if (out->calls_count > 0)
        qsort(out->calls, out->calls_count, sizeof(*out->calls), calls_order);
    if (out->pairs_count > 0)
        qsort(out->pairs, out->pairs_count, sizeof(*out->pairs), pairs_order);
}
