/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify: the ledger checked against itself; for the command line.
 */
#include "edge/store/internal.h"

#include <dirent.h>
#include <stdio.h>

#include "base/utc.h"
#include "edge/store/features.h"
#include "edge/store/sqlite_internal.h"

struct verification {
    struct ledger_check *check;
    struct rollup *rollup; /* what the rows add up to */
    struct rollup_state pending;
    int64_t first_slot; /* of the earliest query */
    enum err fault; /* the first of the rollup */
    void (*on_mismatch)(void *ctx, str sentence);
    void *ctx;
};

static void mismatch(struct verification *v, const char *format, ...) PRINTF_LIKE(2, 3);
static void mismatch(struct verification *v, const char *format, ...)
{
    char sentence[320];
    va_list args;

    v->check->mismatches++;
    if (!v->on_mismatch)
        return;
    va_start(args, format);
    vsnprintf(sentence, sizeof(sentence), format, args);
    va_end(args);
    v->on_mismatch(v->ctx, str_from(sentence));
}

/* sum += count * price, exactly. */
static bool add_product(int64_t *sum, int64_t count, int64_t price)
{
    int64_t product;

    return i64_mul(count, price, &product) && i64_add(*sum, product, sum);
}

/*
 * Is the cost the usage times the price? The price of a cache write is not recorded, so of that part only this can be asked: is what
 * remains a whole, non-negative number of nano-dollars a token?
 */
static bool cost_is_right(const struct ledger_call_end *done)
{
    const struct usage *u = &done->usage;
    nano_usd price_cached = done->price_cached < 0 ? done->price_input : done->price_cached;
    int64_t fresh = u->input, expected = 0;

    if (u->input < 0 || u->output < 0 || u->cached < 0 || u->cache_write < 0 ||
        u->cached > u->input || u->cache_write > u->input - u->cached)
        return false;
    fresh = u->input - u->cached - u->cache_write;
    if (!add_product(&expected, fresh, done->price_input) ||
        !add_product(&expected, u->cached, price_cached) ||
        !add_product(&expected, u->output, done->price_output))
        return done->cost == INT64_MAX; /* costs saturate */
    if (u->cache_write == 0)
        return done->cost == expected;
    return done->cost >= expected && (done->cost - expected) % u->cache_write == 0;
}

static void check_call(struct verification *v, const struct row_call *c, const char *id)
{
    const struct ledger_call_end *done = &c->done;
    bool has_usage = done->usage.is_known || done->usage.is_estimated || done->usage.input != 0 ||
                     done->usage.output != 0;

    v->check->calls++;
    if (done->cost == COST_UNPRICED)
        v->check->unpriced++;
    else if (!i64_add(v->check->sum_nano_usd, done->cost, &v->check->sum_nano_usd))
        mismatch(v, "The sum of all costs does not fit 64 bits at call %u of query %s.",
                 c->begin.number, id);
    if (c->is_interrupted) {
        if (done->cost != c->begin.reserved)
            mismatch(v, "Call %u of query %s was interrupted, but its cost is not its reserve.",
                     c->begin.number, id);
        return;
    }
    if (done->price_input < 0 || done->price_output < 0) {
        /* Nobody was asked, or nobody knows what it costs. */
        if (done->cost != COST_UNPRICED && done->cost != 0)
            mismatch(v, "Call %u of query %s has a cost but no price.", c->begin.number, id);
        return;
    }
    if (!has_usage) {
        /* The provider did not say: nothing, or the worst case. */
        if (done->cost != 0 && done->cost != c->begin.reserved && done->cost != COST_UNPRICED)
            mismatch(v, "Call %u of query %s has a cost but no usage.", c->begin.number, id);
        return;
    }
    if (done->cost == COST_UNPRICED)
        mismatch(v, "Call %u of query %s has a price and usage but no cost.", c->begin.number, id);
    else if (!cost_is_right(done))
        mismatch(v,
                 "Call %u of query %s costs %" PRId64
                 " nano-dollars, which is not its usage times its price.",
                 c->begin.number, id, done->cost);
}

static bool is_share(double v)
{
    return v >= 0 && v <= 1;
}

static void check_route(struct verification *v, const struct row_query *q, const char *id)
{
    const struct ledger_route *r = &q->route;
    struct route_features features;

    if (!q->has_route)
        return;
    v->check->routes++;
    if (r->propensity >= 0 && (r->propensity > 1 || r->propensity <= 0))
        mismatch(v, "The route of query %s was chosen with probability %g.", id, r->propensity);
    if (!is_share(r->epsilon))
        mismatch(v, "The route of query %s explores a share of %g.", id, r->epsilon);
    if (r->features.len > 0 && !features_unpack(r->features, &features))
        mismatch(v, "The features of query %s cannot be read.", id);
}

static void check_label(struct verification *v, const struct ledger_label *label, const char *id)
{
    v->check->labels++;
    if (!is_share(label->value))
        mismatch(v, "A label of query %s is %g.", id, label->value);
}

static void check_confidence(struct verification *v, const struct row_query *q, const char *id)
{
    if (q->end.is_calibrated && (q->end.confidence < 0 || q->end.raw.confidence < 0))
        mismatch(v, "The confidence of query %s is calibrated, but from nothing.", id);
}

static void check_rollup(struct verification *v, const struct row_query *q)
{
    int64_t slot = rollup_slot(q->begin.started);

    if (slot < v->first_slot)
        v->first_slot = slot;
    if (v->fault == OK && !rollup_is_pending(&v->pending, q->begin.id))
        v->fault = upkeep_add(v->rollup, q);
}

static void check_query(void *ctx, const struct row_query *q)
{
    struct verification *v = ctx;
    nano_usd cost = 0;
    int64_t input = 0, output = 0;
    bool has_sums = true;
    char id[20];

    ledger_id_format(q->begin.id, id);
    v->check->rows++;
    check_rollup(v, q);
    check_confidence(v, q, id);
    check_route(v, q, id);
    for (size_t i = 0; i < q->labels_len; i++)
        check_label(v, &q->labels[i], id);
    if (q->end.fault == WEIR_INTERRUPTED)
        v->check->interrupted++;
    for (size_t i = 0; i < q->calls_len; i++) {
        const struct ledger_call_end *done = &q->calls[i].done;
        check_call(v, &q->calls[i], id);
        cost = cost_add(cost, done->cost);
        has_sums = has_sums && i64_add(input, done->usage.input, &input) &&
                   i64_add(output, done->usage.output, &output);
    }
    if (q->calls_count != (int64_t)q->calls_len)
        mismatch(v, "Query %s says %" PRId64 " calls but has %zu.", id, q->calls_count,
                 q->calls_len);
    if (q->cost != cost)
        mismatch(v, "The cost of query %s is not the sum of its calls.", id);
    if (has_sums && (q->input_tokens != input || q->output_tokens != output))
        mismatch(v, "The tokens of query %s are not the sum of its calls.", id);
}

static void check_stray_call(void *ctx, const struct row_call *c)
{
    struct verification *v = ctx;
    char id[20];

    ledger_id_format(c->begin.query, id);
    mismatch(v, "Call %u belongs to query %s, which does not exist.", c->begin.number, id);
    check_call(v, c, id);
}

static void check_stray_route(void *ctx, const struct ledger_route *r)
{
    struct verification *v = ctx;
    char id[20];

    v->check->routes++;
    ledger_id_format(r->query, id);
    mismatch(v, "A route belongs to query %s, which does not exist.", id);
}

/* Its query may have been deleted, or was never there: whoever gives feedback may be wrong. */
static void check_stray_label(void *ctx, const struct ledger_label *label)
{
    struct verification *v = ctx;
    char id[20];

    v->check->labels_unknown++;
    ledger_id_format(label->query, id);
    check_label(v, label, id);
}

static enum err check_files(struct verification *v, str name, char out_why[256])
{
    char path[STORE_PATH_MAX];
    int len = snprintf(path, sizeof(path), "%.*s", STR_ARG(name));
    DIR *directory = len >= 0 && (size_t)len < sizeof(path) ? opendir(path) : NULL;

    if (!directory) {
        snprintf(out_why, 256, "%.200s cannot be read", path);
        return WEIR_STORE;
    }
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;)
        if (str_starts(str_from(entry->d_name), STR("journal-")) &&
            str_ends(str_from(entry->d_name), STR(CORRUPT_SUFFIX)))
            mismatch(v, "The journal %.200s is broken: what could be read of it was imported.",
                     entry->d_name);
    closedir(directory);
    return OK;
}

/* ---- the rollups against the rows ---- */

static void rollup_mismatch(void *ctx, const char *table, int64_t cells, int64_t slot)
{
    struct verification *v = ctx;
    char text[UTC_TEXT_MAX];
    str when = utc_format(slot * ROLLUP_SLOT_USEC, text);

    v->check->rollup_mismatches++;
    mismatch(v,
             "%" PRId64 " sums of %s are not those of their rows, the first in the quarter hour "
             "of %.16s.",
             cells, table, when.ptr);
}

/* Adds the rows up once more, in a temporary database, and compares. */
static enum err check_all(struct verification *v, struct database *db)
{
    const struct database_visitor visitor = { .on_query = check_query,
                                              .on_stray_call = check_stray_call,
                                              .on_stray_route = check_stray_route,
                                              .on_stray_label = check_stray_label,
                                              .ctx = v };
    struct rollup_writer *writer = NULL;
    enum err e = database_exec(db, "PRAGMA query_only = 0; PRAGMA temp_store = FILE; BEGIN");

    if (e == OK)
        e = upkeep_temporary(db);
    if (e == OK)
        e = database_rollup_read(db, &v->pending);
    if (e == OK)
        e = rollup_writer_open(&writer, db, "temp");
    if (e == OK)
        e = rollup_open(&v->rollup, rollup_write, writer);
    if (e == OK)
        e = database_walk_rows(db, INT64_MIN, &visitor);
    if (e == OK)
        e = v->fault;
    if (e == OK)
        e = rollup_flush(v->rollup);
    if (e == OK)
        e = rollup_compare(writer, v->first_slot, rollup_mismatch, v);
    rollup_close(v->rollup);
    rollup_writer_close(writer);
    database_rollback(db);
    return e;
}

enum err store_verify(str directory, struct ledger_check *out,
                      void (*on_mismatch)(void *ctx, str sentence), void *ctx, char out_why[256])
{
    struct ledger_check check = { 0 };
    struct verification v = {
        .check = &check, .on_mismatch = on_mismatch, .ctx = ctx, .first_slot = INT64_MAX
    };
    struct database *db = NULL;
    enum err e = directory_read(directory, &db, &check.is_live, out_why);

    if (e == OK)
        e = check_files(&v, directory, out_why);
    if (e == OK) {
        e = check_all(&v, db);
        if (e != OK)
            snprintf(out_why, 256, "ledger.db: %s",
                     e == WEIR_NO_MEMORY ? "out of memory" : database_message(db));
    }
    database_close(db);
    if (e == OK)
        *out = check;
    return e;
}
