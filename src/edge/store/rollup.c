/* SPDX-License-Identifier: Apache-2.0 */
/* rollup: rows to cells: see rollup.h. Pure but for its memory. */
#include "edge/store/rollup.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/rng.h"

#define CELLS_MAX 2048 /* some 17 MB, touched only as far as they are used */
#define BUCKETS 4096 /* of the hash table; a power of two */
#define NAME_BYTES_MAX ((size_t)4 << 20)

_Static_assert(CELLS_MAX <= BUCKETS / 2, "there is an empty bucket at the end of each search");

const struct rollup_shape rollup_shapes[ROLLUP_TABLE_COUNT] = {
    [ROLLUP_QUERIES] = { 2, QUERY_NAMES, QUERY_SUMS, QUERY_REALS, true },
    [ROLLUP_CALLS] = { 2, CALL_NAMES, CALL_SUMS, 0, false },
    [ROLLUP_LABELS] = { 4, LABEL_NAMES, LABEL_SUMS, 0, false },
};

/* What makes a cell. */
struct key {
    enum rollup_table table;
    int64_t numbers[ROLLUP_NUMBERS];
    str names[ROLLUP_NAMES_MAX];
};

struct rollup {
    rollup_sink *sink;
    void *ctx;
    struct rollup_cell cells[CELLS_MAX];
    struct histogram latencies[CELLS_MAX]; /* of the cells of queries */
    size_t count;
    uint16_t buckets[BUCKETS]; /* a cell's number + 1; 0: empty */
    struct rollup_cell *last[ROLLUP_TABLE_COUNT]; /* found last: mostly the next, too */
    struct arena names;
    uint8_t packed[LATENCY_BYTES_MAX];
};

/* ---- cells ---- */

enum err rollup_open(struct rollup **out, rollup_sink *sink, void *ctx)
{
    struct rollup *r = calloc(1, sizeof(*r));

    if (!r)
        return WEIR_NO_MEMORY;
    r->sink = sink;
    r->ctx = ctx;
    arena_init(&r->names, NAME_BYTES_MAX);
    *out = r;
    return OK;
}

void rollup_close(struct rollup *r)
{
    if (!r)
        return;
    arena_fini(&r->names);
    free(r);
}

void rollup_clear(struct rollup *r)
{
    if (r->count == 0)
        return;
    memset(r->buckets, 0, sizeof(r->buckets));
    memset(r->last, 0, sizeof(r->last));
    r->count = 0;
    arena_fini(&r->names);
}

enum err rollup_flush(struct rollup *r)
{
    enum err e = OK;

    for (size_t i = 0; e == OK && i < r->count; i++) {
        struct rollup_cell *cell = &r->cells[i];
        if (rollup_shapes[cell->table].has_latency)
            cell->latency =
                (str){ (const char *)r->packed, latency_pack(r->packed, &r->latencies[i]) };
        e = r->sink(r->ctx, cell);
    }
    if (e == OK)
        rollup_clear(r);
    return e;
}

static bool key_is(const struct rollup_cell *a, const struct key *b)
{
    const struct rollup_shape *shape = &rollup_shapes[b->table];

    if (a->table != b->table)
        return false;
    for (int i = 0; i < shape->numbers; i++) {
        if (a->numbers[i] != b->numbers[i])
            return false;
    }
    for (int i = 0; i < shape->names; i++) {
        if (!str_eq(a->names[i], b->names[i]))
            return false;
    }
    return true;
}

static size_t key_bucket(const struct key *key)
{
    const struct rollup_shape *shape = &rollup_shapes[key->table];
    uint64_t hash = (uint64_t)key->table;

    for (int i = 0; i < shape->numbers; i++)
        hash = rng_mix(hash ^ (uint64_t)key->numbers[i]);
    for (int i = 0; i < shape->names; i++)
        hash = rng_mix(hash ^ str_hash(key->names[i]));
    return (size_t)(hash & (BUCKETS - 1));
}

static enum err cell_add(struct rollup *r, const struct key *key, size_t bucket,
                         struct rollup_cell **out)
{
    struct rollup_cell *cell = &r->cells[r->count];

    memset(cell, 0, sizeof(*cell));
    cell->table = key->table;
    memcpy(cell->numbers, key->numbers, sizeof(cell->numbers));
    for (int i = 0; i < rollup_shapes[key->table].names; i++)
        cell->names[i] = arena_str(&r->names, key->names[i]);
    if (arena_failed(&r->names))
        return WEIR_NO_MEMORY;
    if (rollup_shapes[key->table].has_latency)
        memset(&r->latencies[r->count], 0, sizeof(r->latencies[0]));
    r->buckets[bucket] = (uint16_t)++r->count;
    *out = cell;
    return OK;
}

/* The cell of the key, which has no sums; made, when there is none. Valid until the next search. */
static enum err cell_find(struct rollup *r, const struct key *key, struct rollup_cell **out)
{
    struct rollup_cell *last = r->last[key->table];
    enum err e = OK;

    if (last && key_is(last, key)) {
        *out = last;
        return OK;
    }
    if (r->count == CELLS_MAX)
        e = rollup_flush(r);
    if (e != OK)
        return e;
    size_t bucket = key_bucket(key);
    for (; r->buckets[bucket] != 0; bucket = (bucket + 1) & (BUCKETS - 1)) {
        struct rollup_cell *cell = &r->cells[r->buckets[bucket] - 1];
        if (key_is(cell, key)) {
            *out = r->last[key->table] = cell;
            return OK;
        }
    }
    e = cell_add(r, key, bucket, out);
    if (e == OK)
        r->last[key->table] = *out;
    return e;
}

void rollup_sum(int64_t *sum, int64_t value)
{
    if (*sum == ROLLUP_OVERFLOW || !i64_add(*sum, value, sum))
        *sum = ROLLUP_OVERFLOW;
}

int64_t rollup_slot(usec_utc t)
{
    return t / ROLLUP_SLOT_USEC - (t % ROLLUP_SLOT_USEC < 0);
}

/* ---- queries ---- */

/* A query's calls of one kind. */
struct kind {
    int64_t calls, unpriced;
    nano_usd cost;
};

static void kinds_of(const struct row_query *q, struct kind out[2])
{
    memset(out, 0, 2 * sizeof(*out));
    for (size_t i = 0; i < q->calls_len; i++) {
        const struct ledger_call_end *done = &q->calls[i].done;
        struct kind *kind = &out[done->is_simulated];
        kind->calls++;
        if (done->cost == COST_UNPRICED)
            kind->unpriced++;
        else
            rollup_sum(&kind->cost, done->cost);
    }
}

static void confidence_add(struct rollup_cell *cell, const struct ledger_end *end)
{
    bool has_hrm = end->hrm_confidence >= 0, has_trm = end->trm_confidence >= 0;

    if (has_hrm) {
        cell->sums[QUERY_HRM]++;
        cell->reals[QUERY_HRM_SUM] += end->hrm_confidence;
        cell->reals[QUERY_HRM_SQUARED] += end->hrm_confidence * end->hrm_confidence;
    }
    if (has_trm) {
        cell->sums[QUERY_TRM]++;
        cell->reals[QUERY_TRM_SUM] += end->trm_confidence;
        cell->reals[QUERY_TRM_SQUARED] += end->trm_confidence * end->trm_confidence;
    }
    cell->sums[QUERY_CONFIDENT] += has_hrm || has_trm;
    cell->sums[QUERY_CALIBRATED] += (has_hrm || has_trm) && end->is_calibrated;
}

static void query_sum(struct rollup_cell *cell, const struct row_query *q, const struct kind *kind,
                      bool is_only)
{
    double dollars = (double)kind->cost / 1e9;

    cell->sums[QUERY_COUNT]++;
    cell->sums[QUERY_ONLY] += is_only;
    cell->sums[QUERY_UNPRICED_CALLS] += kind->unpriced;
    rollup_sum(&cell->sums[QUERY_COST], kind->cost);
    if (kind->unpriced == 0) {
        cell->sums[QUERY_PRICED]++;
        rollup_sum(&cell->sums[QUERY_PRICED_COST], kind->cost);
        cell->reals[QUERY_DOLLARS_SQUARED] += dollars * dollars;
    }
    confidence_add(cell, &q->end);
    cell->sums[QUERY_ROUTED] += q->has_route;
    cell->sums[QUERY_EXPLORED] += q->has_route && q->route.is_explored;
}

static enum err query_add(struct rollup *r, const struct row_query *q, const struct kind kinds[2],
                          bool is_simulated)
{
    const struct key key = {
        .table = ROLLUP_QUERIES,
        .numbers = { rollup_slot(q->begin.started), is_simulated },
        .names = { q->begin.tenant, q->begin.domain, q->begin.strategy, q->begin.arm,
                   q->end.fault == OK ? STR("") : str_from(err_info(q->end.fault)->name),
                   q->end.model },
    };
    struct rollup_cell *cell;
    enum err e = cell_find(r, &key, &cell);

    if (e != OK)
        return e;
    query_sum(cell, q, &kinds[is_simulated], kinds[!is_simulated].calls == 0);
    /* How long an interrupted one took, nobody knows. */
    if (q->end.fault != WEIR_INTERRUPTED)
        histogram_add(&r->latencies[cell - r->cells], (double)q->end.latency_us);
    return OK;
}

/* ---- calls ---- */

static void product_sum(int64_t *sum, int64_t count, int64_t price)
{
    int64_t product;

    rollup_sum(sum, i64_mul(count, price, &product) ? product : ROLLUP_OVERFLOW);
}

static void comparable_sum(int64_t *sums, const struct ledger_call_end *done)
{
    struct usage u = usage_clamped(&done->usage); /* call by call */

    sums[CALL_COMPARABLE]++;
    rollup_sum(&sums[CALL_COMPARABLE_COST], done->cost);
    rollup_sum(&sums[CALL_INPUT], u.input);
    rollup_sum(&sums[CALL_OUTPUT], u.output);
    if (u.cached == 0 && u.cache_write == 0)
        return;
    rollup_sum(&sums[CALL_CACHED], u.cached);
    rollup_sum(&sums[CALL_CACHE_WRITE], u.cache_write);
    if (done->price_input < 0)
        return;
    nano_usd cached = done->price_cached < 0 ? done->price_input : done->price_cached;
    product_sum(&sums[CALL_CACHED_COST], u.cached, cached);
    product_sum(&sums[CALL_CACHED_SAVED], u.cached, done->price_input - cached);
}

/* A call is of the first of these that it is: interrupted, failed, answered after a retry, answered at once. */
static void call_sum(int64_t *sums, const struct row_call *c)
{
    const struct ledger_call_end *done = &c->done;
    bool is_priced = done->cost != COST_UNPRICED;
    int kind = c->is_interrupted    ? CALL_INTERRUPTED
               : done->fault != OK  ? CALL_FAILED
               : done->attempts > 1 ? CALL_RETRIED
                                    : CALL_COUNT;

    sums[CALL_COUNT]++;
    sums[CALL_UNPRICED] += !is_priced;
    if (is_priced)
        rollup_sum(&sums[CALL_COST], done->cost);
    if (kind != CALL_COUNT) {
        sums[kind]++;
        if (is_priced)
            rollup_sum(&sums[kind + 1], done->cost);
    }
    sums[CALL_EXTRA_ATTEMPTS] += done->attempts > 1 ? done->attempts - 1 : 0;
    sums[CALL_ESTIMATED] += done->usage.is_estimated;
    if (is_priced && !c->is_interrupted)
        comparable_sum(sums, done);
}

_Static_assert(CALL_INTERRUPTED_COST == CALL_INTERRUPTED + 1 &&
                   CALL_FAILED_COST == CALL_FAILED + 1 && CALL_RETRIED_COST == CALL_RETRIED + 1,
               "the cost of a kind of calls follows their number");

static enum err call_add(struct rollup *r, const struct row_query *q, const struct row_call *c)
{
    const struct key key = {
        .table = ROLLUP_CALLS,
        .numbers = { rollup_slot(q->begin.started), c->done.is_simulated },
        .names = { c->begin.model, c->begin.provider, q->begin.domain },
    };
    struct rollup_cell *cell;
    enum err e = cell_find(r, &key, &cell);

    if (e == OK)
        call_sum(cell->sums, c);
    return e;
}

enum err rollup_add_query(struct rollup *r, const struct row_query *q)
{
    struct kind kinds[2];
    enum err e = OK;

    kinds_of(q, kinds);
    if (kinds[false].calls > 0 || q->calls_len == 0)
        e = query_add(r, q, kinds, false);
    if (e == OK && kinds[true].calls > 0)
        e = query_add(r, q, kinds, true);
    for (size_t i = 0; e == OK && i < q->calls_len; i++)
        e = call_add(r, q, &q->calls[i]);
    return e;
}

/* ---- labels ---- */

struct rollup_subject rollup_subject_of(const struct row_query *q)
{
    struct kind kinds[2];

    kinds_of(q, kinds);
    return (struct rollup_subject){
        .started = q->begin.started,
        .domain = q->begin.domain,
        .confidence = q->end.confidence,
        .is_calibrated = q->end.is_calibrated,
        .is_paid = kinds[false].calls > 0 || q->calls_len == 0,
        .is_simulated = kinds[true].calls > 0,
    };
}

static int64_t scaled(double share)
{
    double within = share > 0 ? share < 1 ? share : 1 : 0; /* a NaN counts as 0 */

    return (int64_t)(within * ROLLUP_SCALE + 0.5);
}

static int64_t bin_of(double confidence)
{
    if (!(confidence >= 0))
        return ROLLUP_NO_BIN;
    return confidence < 1 ? (int64_t)(confidence * ROLLUP_BINS) : ROLLUP_BINS - 1;
}

static enum err label_add(struct rollup *r, const struct rollup_subject *subject,
                          const struct ledger_label *label, int times, bool is_simulated)
{
    int64_t bin = bin_of(subject->confidence);
    const struct key key = {
        .table = ROLLUP_LABELS,
        .numbers = { rollup_slot(subject->started), is_simulated, subject->is_calibrated, bin },
        .names = { str_from(ledger_source_name(label->source)), subject->domain },
    };
    struct rollup_cell *cell;
    enum err e = cell_find(r, &key, &cell);

    if (e != OK)
        return e;
    cell->sums[LABEL_COUNT] += times;
    cell->sums[LABEL_RIGHT] += label->value >= 0.5 ? times : 0;
    cell->sums[LABEL_VALUE] += times * scaled(label->value);
    cell->sums[LABEL_CONFIDENCE] += bin == ROLLUP_NO_BIN ? 0 : times * scaled(subject->confidence);
    return OK;
}

enum err rollup_add_label(struct rollup *r, const struct rollup_subject *subject,
                          const struct ledger_label *label, int times)
{
    enum err e = OK;

    if (label->source == LABEL_SOURCE_COUNT)
        return OK; /* a source of a later weir */
    if (subject->is_paid)
        e = label_add(r, subject, label, times, false);
    if (e == OK && subject->is_simulated)
        e = label_add(r, subject, label, times, true);
    return e;
}
