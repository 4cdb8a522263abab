/* SPDX-License-Identifier: Apache-2.0 */
/*
 * browse_summary: one pass over the queries of a span with their calls and labels, each table in the order of its key, side by side;
 * sums by time, by name, and of confidences.
 */
#include "edge/store/browse_internal.h"

#include <string.h>

#define OTHERS STR("(others)")

enum {
    Q_ID,
    Q_STARTED,
    Q_DOMAIN,
    Q_STRATEGY,
    Q_FAILED,
    Q_HRM,
    Q_TRM,
    Q_FINAL,
    Q_LATENCY,
    Q_CALIBRATED,
    Q_MODEL
};
static const char sql_queries[] =
    "SELECT id, started, domain, strategy, fault IS NOT NULL, hrm_confidence, trm_confidence,"
    " confidence, latency_us, is_calibrated, model FROM queries WHERE id >= ?1 ORDER BY id";

enum {
    C_QUERY,
    C_MODEL,
    C_SIMULATED,
    C_COST,
    C_INTERRUPTED,
    C_FAILED,
    C_INPUT,
    C_OUTPUT,
    C_CACHED,
    C_WRITE
};
static const char sql_calls[] =
    "SELECT query_id, model, is_simulated, cost_nano_usd, is_interrupted, fault IS NOT NULL,"
    " input_tokens, output_tokens, cached_tokens, cache_write_tokens"
    " FROM calls WHERE query_id >= ?1 ORDER BY query_id, number";

enum { L_QUERY, L_SOURCE, L_VALUE, L_NOISY, L_TEXT };
static const char sql_labels[] =
    "SELECT query_id, source, value, is_noisy, text FROM labels WHERE query_id >= ?1"
    " ORDER BY query_id, source";

/* A statement that stands on a row, or has none left. */
struct cursor {
    sqlite3_stmt *statement;
    bool has_row;
};

struct summing {
    struct browser *b;
    const struct browse_span *span;
    struct arena *arena;
    struct browse_summary *out;
    struct cursor queries, calls, labels;
    bool is_ours; /* the query that is being summed */
};

static enum err cursor_next(struct summing *s, struct cursor *c)
{
    int code = sqlite3_step(c->statement);

    c->has_row = code == SQLITE_ROW;
    return code == SQLITE_ROW || code == SQLITE_DONE ? OK : database_failed(s->b->db, code);
}

static int64_t int_at(const struct cursor *c, int column)
{
    return sqlite3_column_int64(c->statement, column);
}

static bool is_null(const struct cursor *c, int column)
{
    return sqlite3_column_type(c->statement, column) == SQLITE_NULL;
}

static str text_at(const struct cursor *c, int column)
{
    return database_text(c->statement, column);
}

/* ---- names ---- */

/* The sums of a name; the last place is everybody's who comes too late. */
static struct browse_sums *group_of(struct summing *s, struct browse_group *groups, size_t *count,
                                    str name)
{
    for (size_t i = 0; i < *count; i++) {
        if (str_eq(groups[i].name, name))
            return &groups[i].sums;
    }
    if (*count == BROWSE_NAMES_MAX)
        return &groups[BROWSE_NAMES_MAX - 1].sums;
    groups[*count].name = *count == BROWSE_NAMES_MAX - 1 ? OTHERS : arena_str(s->arena, name);
    return &groups[(*count)++].sums;
}

static struct browse_model *model_of(struct summing *s, str name)
{
    struct browse_summary *out = s->out;

    for (size_t i = 0; i < out->model_count; i++) {
        if (str_eq(out->models[i].name, name))
            return &out->models[i];
    }
    if (out->model_count == BROWSE_NAMES_MAX)
        return &out->models[BROWSE_NAMES_MAX - 1];
    out->models[out->model_count].name =
        out->model_count == BROWSE_NAMES_MAX - 1 ? OTHERS : arena_str(s->arena, name);
    return &out->models[out->model_count++];
}

/* ---- calls ---- */

struct cost { /* of one query */
    nano_usd sum;
    int64_t unpriced;
    int64_t comparable;
    nano_usd comparable_cost;
    struct usage usage;
};

static void usage_take(const struct cursor *c, struct usage *sum)
{
    const struct usage told = { .input = int_at(c, C_INPUT),
                                .output = int_at(c, C_OUTPUT),
                                .cached = int_at(c, C_CACHED),
                                .cache_write = int_at(c, C_WRITE) };
    struct usage u = usage_clamped(&told);

    u.is_known = true;
    usage_add(sum, &u);
}

static void call_take(struct summing *s, struct cost *cost)
{
    const struct cursor *c = &s->calls;
    struct browse_model *model = model_of(s, text_at(c, C_MODEL));
    bool is_priced = !is_null(c, C_COST);
    nano_usd price = is_priced ? int_at(c, C_COST) : 0;

    model->calls++;
    model->failed += int_at(c, C_FAILED) != 0;
    model->unpriced += !is_priced;
    model->cost = cost_add(model->cost, price);
    model->input_tokens += int_at(c, C_INPUT);
    model->output_tokens += int_at(c, C_OUTPUT);
    cost->sum = cost_add(cost->sum, price);
    cost->unpriced += !is_priced;
    if (is_priced && int_at(c, C_INTERRUPTED) == 0) {
        cost->comparable++;
        cost->comparable_cost = cost_add(cost->comparable_cost, price);
        usage_take(c, &cost->usage);
    }
}

/* The query's calls of the kind that is asked for; which kind it is of is its first call's. */
static enum err calls_take(struct summing *s, int64_t id, bool counts, struct cost *cost)
{
    enum err e = OK;
    bool is_first = true;

    while (e == OK && s->calls.has_row && int_at(&s->calls, C_QUERY) < id)
        e = cursor_next(s, &s->calls);
    s->is_ours = !s->span->is_simulated; /* a query without a call was not simulated */
    while (e == OK && s->calls.has_row && int_at(&s->calls, C_QUERY) == id) {
        bool is_simulated = int_at(&s->calls, C_SIMULATED) != 0;
        if (is_first)
            s->is_ours = is_simulated == s->span->is_simulated;
        is_first = false;
        if (counts && is_simulated == s->span->is_simulated)
            call_take(s, cost);
        e = cursor_next(s, &s->calls);
    }
    return e;
}

/* ---- labels ---- */

/* The label that counts, as training takes it (ledger_sample_label). */
static enum err labels_take(struct summing *s, int64_t id, double *out_value)
{
    struct ledger_label labels[LABEL_SOURCE_COUNT];
    struct ledger_sample sample = { .model = text_at(&s->queries, Q_MODEL), .labels = labels };
    struct arena texts;
    enum err e = OK;

    *out_value = -1;
    arena_init(&texts, (size_t)64 << 10);
    while (e == OK && s->labels.has_row && int_at(&s->labels, L_QUERY) < id)
        e = cursor_next(s, &s->labels);
    while (e == OK && s->labels.has_row && int_at(&s->labels, L_QUERY) == id) {
        struct ledger_label label = {
            .value = sqlite3_column_double(s->labels.statement, L_VALUE),
            .is_noisy = int_at(&s->labels, L_NOISY) != 0,
        };
        bool is_known = ledger_source_find(text_at(&s->labels, L_SOURCE), &label.source);
        label.text = arena_str(&texts, text_at(&s->labels, L_TEXT));
        if (is_known && sample.label_count < LABEL_SOURCE_COUNT)
            labels[sample.label_count++] = label;
        e = cursor_next(s, &s->labels);
    }
    const struct ledger_label *label = ledger_sample_label(&sample);
    if (label)
        *out_value = label->value;
    arena_fini(&texts);
    return e;
}

/* ---- a query ---- */

static void confidence_take(struct browse_summary *out, enum browse_confidence which,
                            double confidence, double label)
{
    size_t bin = (size_t)(confidence * BROWSE_BINS), tenth = (size_t)(confidence * BROWSE_TENTHS);

    out->bins[which][bin < BROWSE_BINS ? bin : BROWSE_BINS - 1]++;
    if (label < 0)
        return;
    struct browse_tenth *t = &out->tenths[which][tenth < BROWSE_TENTHS ? tenth : BROWSE_TENTHS - 1];
    t->n++;
    t->right += label >= 0.5;
    t->confidence += confidence;
}

static void sums_take(const struct summing *s, struct browse_sums *sums, const struct cost *cost)
{
    const struct cursor *q = &s->queries;

    sums->queries++;
    sums->succeeded += int_at(q, Q_FAILED) == 0;
    sums->cost = cost_add(sums->cost, cost->sum);
    sums->unpriced_calls += cost->unpriced;
    if (cost->unpriced == 0) {
        sums->priced++;
        sums->priced_cost = cost_add(sums->priced_cost, cost->sum);
    }
    if (!is_null(q, Q_HRM)) {
        sums->hrm_n++;
        sums->hrm_sum += sqlite3_column_double(q->statement, Q_HRM);
    }
    if (!is_null(q, Q_TRM)) {
        sums->trm_n++;
        sums->trm_sum += sqlite3_column_double(q->statement, Q_TRM);
    }
    histogram_add(&sums->latency, (double)int_at(q, Q_LATENCY));
    sums->comparable += cost->comparable;
    sums->comparable_cost = cost_add(sums->comparable_cost, cost->comparable_cost);
    usage_add(&sums->usage, &cost->usage);
}

static void query_count(struct summing *s, const struct cost *cost, double label)
{
    static const struct {
        enum browse_confidence which;
        int column;
    } confidences[] = { { BROWSE_HRM, Q_HRM }, { BROWSE_TRM, Q_TRM }, { BROWSE_FINAL, Q_FINAL } };
    const struct cursor *q = &s->queries;
    struct browse_summary *out = s->out;
    usec_utc offset = int_at(q, Q_STARTED) - s->span->from;
    struct browse_sums *const into[] = {
        &out->total,
        &out->buckets[offset / s->span->width],
        group_of(s, out->domains, &out->domain_count, text_at(q, Q_DOMAIN)),
        group_of(s, out->strategies, &out->strategy_count, text_at(q, Q_STRATEGY)),
    };

    for (size_t i = 0; i < ARRAY_LEN(into); i++)
        sums_take(s, into[i], cost);
    out->calibrated += int_at(q, Q_CALIBRATED) != 0;
    for (size_t i = 0; i < ARRAY_LEN(confidences); i++) {
        double confidence = sqlite3_column_double(q->statement, confidences[i].column);
        if (!is_null(q, confidences[i].column) && confidence >= 0)
            confidence_take(out, confidences[i].which, confidence, label);
    }
}

static enum err query_take(struct summing *s)
{
    int64_t id = int_at(&s->queries, Q_ID);
    usec_utc started = int_at(&s->queries, Q_STARTED);
    bool is_in = started >= s->span->from && started < s->span->to;
    struct cost cost = { 0 };
    double label = -1;
    enum err e = calls_take(s, id, is_in, &cost);

    if (e == OK)
        e = labels_take(s, id, &label);
    if (e != OK || !is_in)
        return e;
    if (s->is_ours)
        query_count(s, &cost, label);
    else
        s->out->other_queries++;
    return arena_failed(s->arena) ? WEIR_NO_MEMORY : OK;
}

/* ---- the pass ---- */

static enum err cursors_open(struct summing *s)
{
    int64_t floor = ledger_id_floor(s->span->from);
    const struct {
        struct cursor *cursor;
        const char *sql;
    } each[] = { { &s->queries, sql_queries },
                 { &s->calls, sql_calls },
                 { &s->labels, sql_labels } };
    enum err e = OK;

    for (size_t i = 0; e == OK && i < ARRAY_LEN(each); i++) {
        e = database_prepare(s->b->db, each[i].sql, &floor, 1, &each[i].cursor->statement);
        if (e == OK)
            e = cursor_next(s, each[i].cursor);
    }
    return e;
}

static enum err pass(struct summing *s)
{
    enum err e = cursors_open(s);

    while (e == OK && s->queries.has_row) {
        s->out->is_cut = s->out->rows++ == BROWSE_SUMMARY_ROWS_MAX;
        if (s->out->is_cut)
            break;
        e = query_take(s);
        if (e == OK)
            e = cursor_next(s, &s->queries);
    }
    sqlite3_finalize(s->queries.statement);
    sqlite3_finalize(s->calls.statement);
    sqlite3_finalize(s->labels.statement);
    return e;
}

enum err browse_summarise(struct browser *b, const struct browse_span *span, struct arena *arena,
                          struct browse_summary *out)
{
    struct browse_summary *summary = ARENA_NEW(arena, struct browse_summary);
    size_t count = (size_t)((span->to - span->from + span->width - 1) / span->width);
    struct summing s = { .b = b, .span = span, .arena = arena, .out = summary };

    assert(span->width > 0 && span->to > span->from && count <= BROWSE_BUCKETS_MAX);
    struct browse_sums *buckets = ARENA_ARRAY(arena, count, struct browse_sums);
    if (!summary || !buckets)
        return WEIR_NO_MEMORY;
    summary->buckets = buckets;
    summary->bucket_count = count;
    enum err e = database_exec(b->db, "BEGIN"); /* one view */
    if (e == OK)
        e = pass(&s);
    database_rollback(b->db);
    if (e == OK)
        *out = *summary;
    return e;
}
