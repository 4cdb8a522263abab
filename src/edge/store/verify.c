/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify: the ledger checked against itself, and the ledger as JSON Lines; for the command line.
 */
#include "edge/store/internal.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "core/json/json.h"

/* ---- verify ---- */

struct verification {
    struct ledger_check *check;
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

static void check_query(void *ctx, const struct row_query *q)
{
    struct verification *v = ctx;
    nano_usd cost = 0;
    int64_t input = 0, output = 0;
    bool has_sums = true;
    char id[20];

    ledger_id_format(q->begin.id, id);
    v->check->rows++;
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

static void check_stray(void *ctx, const struct row_call *c)
{
    struct verification *v = ctx;
    char id[20];

    ledger_id_format(c->begin.query, id);
    mismatch(v, "Call %u belongs to query %s, which does not exist.", c->begin.number, id);
    check_call(v, c, id);
}

static enum err check_files(struct verification *v, const char *path, char out_why[256])
{
    DIR *directory = opendir(path);

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

static enum err check_database(struct verification *v, str directory, char out_why[256])
{
    const struct database_visitor visitor = { check_query, check_stray, v };
    struct database *db;
    enum err e = database_open(&db, directory, DATABASE_READ, false, out_why);

    if (e != OK)
        return e;
    e = database_walk(db, INT64_MIN, &visitor);
    if (e != OK)
        snprintf(out_why, 256, "ledger.db: %s",
                 e == WEIR_NO_MEMORY ? "out of memory" : database_message(db));
    database_close(db);
    return e;
}

/* A directory that is not there would be created by the recovery. */
static enum err directory_find(str directory, char out[STORE_PATH_MAX], char out_why[256])
{
    struct stat info;
    int len = snprintf(out, STORE_PATH_MAX, "%.*s", STR_ARG(directory));

    if (len > 0 && (size_t)len < STORE_PATH_MAX && stat(out, &info) == 0 && S_ISDIR(info.st_mode))
        return OK;
    snprintf(out_why, 256, "there is no ledger at %.*s",
             directory.len < 200 ? (int)directory.len : 200, directory.ptr ? directory.ptr : "");
    return WEIR_STORE;
}

/* Imports the journals that no running server is at. A server may start right after: what is read next is one view all the same. */
static enum err directory_recover(str directory, bool *out_is_live, char out_why[256])
{
    const struct store_options options = { .directory = directory, .sync_power = true };
    struct store *recovered = NULL;
    enum err e = store_recover(&recovered, &options, out_why);

    if (e != OK && e != WEIR_OVERLOADED)
        return e;
    store_free(recovered);
    out_why[0] = '\0'; /* broken journals are mismatches, and a running server is no failure */
    *out_is_live = e == WEIR_OVERLOADED;
    return OK;
}

enum err store_verify(str directory, struct ledger_check *out,
                      void (*on_mismatch)(void *ctx, str sentence), void *ctx, char out_why[256])
{
    struct ledger_check check = { 0 };
    struct verification v = { &check, on_mismatch, ctx };
    char path[STORE_PATH_MAX];
    enum err e = directory_find(directory, path, out_why);

    if (e == OK)
        e = directory_recover(directory, &check.is_live, out_why);
    if (e == OK)
        e = check_files(&v, path, out_why);
    if (e == OK)
        e = check_database(&v, directory, out_why);
    if (e == OK)
        *out = check;
    return e;
}

/* ---- export ---- */

struct export
{
    struct buf line;
    void (*on_line)(void *ctx, str line);
    void *ctx;
    bool failed;
};

static void member_or_null(struct buf *out, const char *name, int64_t v, bool is_null)
{
    json_key(out, name);
    if (is_null)
        buf_add(out, STR("null"));
    else
        buf_add_i64(out, v);
}

static void member_cost(struct buf *out, const char *name, nano_usd v)
{
    member_or_null(out, name, v, v == COST_UNPRICED);
}

static void member_price(struct buf *out, const char *name, nano_usd v)
{
    member_or_null(out, name, v, v < 0);
}

static void member_confidence(struct buf *out, const char *name, double v)
{
    json_key(out, name);
    if (v < 0)
        buf_add(out, STR("null"));
    else
        json_write_double(out, v);
}

static void member_result(struct buf *out, enum err fault)
{
    json_member_str(out, "result", str_from(err_info(fault)->name));
}

/* RFC 3339 with microseconds. */
static void member_time(struct buf *out, const char *name, usec_utc at)
{
    int64_t usec = at % 1000000;
    time_t seconds = (time_t)(at / 1000000);
    struct tm parts;
    char text[64];

    if (usec < 0) {
        usec += 1000000;
        seconds--;
    }
    if (!gmtime_r(&seconds, &parts)) {
        member_or_null(out, name, 0, true);
        return;
    }
    size_t len = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
    len += (size_t)snprintf(text + len, sizeof(text) - len, ".%06dZ", (int)usec);
    json_member_str(out, name, (str){ text, len });
}

static void write_call(struct buf *out, const struct row_call *c)
{
    const struct ledger_call_end *done = &c->done;

    buf_add_char(out, '{');
    json_member_i64(out, "number", c->begin.number);
    json_member_str(out, "role", c->begin.role);
    json_member_str(out, "model", c->begin.model);
    json_member_str(out, "provider", c->begin.provider);
    json_member_bool(out, "interrupted", c->is_interrupted);
    member_result(out, done->fault);
    json_member_i64(out, "http_status", done->http_status);
    json_member_i64(out, "attempts", done->attempts);
    json_member_i64(out, "input_tokens", done->usage.input);
    json_member_i64(out, "output_tokens", done->usage.output);
    json_member_i64(out, "cached_tokens", done->usage.cached);
    json_member_i64(out, "cache_write_tokens", done->usage.cache_write);
    json_member_i64(out, "reasoning_tokens", done->usage.reasoning);
    json_member_bool(out, "usage_known", done->usage.is_known);
    json_member_bool(out, "estimated", done->usage.is_estimated);
    member_cost(out, "reserved_nano_usd", c->begin.reserved);
    member_cost(out, "cost_nano_usd", done->cost);
    member_price(out, "price_input_nano_usd", done->price_input);
    member_price(out, "price_output_nano_usd", done->price_output);
    member_price(out, "price_cached_nano_usd", done->price_cached);
    json_member_i64(out, "latency_us", done->latency_us);
    json_member_i64(out, "first_byte_us", done->first_byte_us);
    json_member_bool(out, "simulated", done->is_simulated);
    buf_add_char(out, '}');
}

static void export_query(void *ctx, const struct row_query *q)
{
    struct export *x = ctx;
    struct buf *out = &x->line;
    char id[20];

    buf_reset(out);
    buf_add_char(out, '{');
    json_member_str(out, "id", ledger_id_format(q->begin.id, id));
    member_time(out, "started", q->begin.started);
    json_member_str(out, "tenant", q->begin.tenant);
    json_member_str(out, "domain", q->begin.domain);
    json_member_str(out, "requested_model", q->begin.requested_model);
    json_member_str(out, "strategy", q->begin.strategy);
    json_member_str(out, "arm", q->begin.arm);
    json_member_bool(out, "stream", q->begin.is_stream);
    member_result(out, q->end.fault);
    json_member_i64(out, "http_status", q->end.http_status);
    json_member_bool(out, "truncated", q->end.is_truncated);
    json_member_str(out, "model", q->end.model);
    member_confidence(out, "hrm_confidence", q->end.hrm_confidence);
    member_confidence(out, "trm_confidence", q->end.trm_confidence);
    member_confidence(out, "confidence", q->end.confidence);
    json_member_i64(out, "latency_us", q->end.latency_us);
    json_member_i64(out, "call_count", q->calls_count);
    json_member_i64(out, "input_tokens", q->input_tokens);
    json_member_i64(out, "output_tokens", q->output_tokens);
    member_cost(out, "reserved_nano_usd", q->begin.reserved);
    member_cost(out, "cost_nano_usd", q->cost);
    json_key(out, "calls");
    buf_add_char(out, '[');
    for (size_t i = 0; i < q->calls_len; i++) {
        if (i > 0)
            buf_add_char(out, ',');
        write_call(out, &q->calls[i]);
    }
    buf_add(out, STR("]}"));
    if (out->failed)
        x->failed = true;
    else
        x->on_line(x->ctx, buf_str(out));
}

enum err store_export(str directory, usec_utc since, void (*on_line)(void *ctx, str line),
                      void *ctx, char out_why[256])
{
    struct export x = { .on_line = on_line, .ctx = ctx };
    const struct database_visitor visitor = { export_query, NULL, &x };
    struct database *db = NULL;
    char path[STORE_PATH_MAX];
    bool is_live;
    enum err e = directory_find(directory, path, out_why);

    if (e == OK)
        e = directory_recover(directory, &is_live, out_why);
    if (e == OK)
        e = database_open(&db, directory, DATABASE_READ, false, out_why);
    if (e != OK)
        return e;
    e = database_walk(db, since, &visitor);
    if (e == OK && x.failed)
        e = WEIR_NO_MEMORY;
    if (e != OK)
        snprintf(out_why, 256, "ledger.db: %s",
                 e == WEIR_NO_MEMORY ? "out of memory" : database_message(db));
    database_close(db);
    buf_fini(&x.line);
    return e;
}
