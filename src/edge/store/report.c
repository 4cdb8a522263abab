/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report: five aggregate statements. Ids grow with time but are not time, so the span's first and last id are found
 * first, in one pass over the queries; everything else reads between those two.
 */
#include "edge/store/report.h"

#include <stdio.h>
#include <string.h>

#include "edge/store/sqlite_internal.h"

#define CACHE "-65536" /* KiB: the two tables are read side by side */

/* Parameters of every statement: */
enum { BIND_FROM = 1, BIND_TO, BIND_SIMULATED, BIND_ID_MIN, BIND_ID_MAX };

#define IN_SPAN " q.id BETWEEN ?4 AND ?5 AND q.started >= ?1 AND q.started < ?2 "

static const char sql_ids[] = "SELECT min(q.id), max(q.id) FROM queries q"
                              " WHERE q.started >= ?1 AND q.started < ?2";

/* Sums of the cube, which sum again over its rows; the order of struct report_part's columns (part_read). */
#define PART_SUMS                                                                                  \
    " sum(queries), sum(succeeded), sum(unpriced), sum(cost), sum(failed_cost), sum(priced_cost)," \
    " sum(priced), sum(dollars), sum(dollars2), sum(hrm), sum(hrm_sum), sum(hrm_sum2),"            \
    " sum(trm), sum(trm_sum), sum(trm_sum2), sum(confident), sum(calibrated)"
#define PART_OF(axis, name)                                                                        \
    "SELECT " axis ", " name "," PART_SUMS " FROM cube WHERE is_in GROUP BY 2"

/* One pass: each query with its calls, grouped by all names at once; that small cube is then grouped by each name. */
static const char sql_parts[] =
    "WITH each AS (SELECT q.tenant, q.domain, q.strategy, q.arm, coalesce(q.fault, '') AS fault,"
    " q.hrm_confidence AS hrm, q.trm_confidence AS trm, q.is_calibrated,"
    " count(c.number) AS calls, count(CASE WHEN c.is_simulated = ?3 THEN 1 END) AS ours,"
    " coalesce(sum(CASE WHEN c.is_simulated = ?3 THEN c.cost_nano_usd END), 0) AS cost,"
    " count(CASE WHEN c.is_simulated = ?3 AND c.cost_nano_usd IS NULL THEN 1 END) AS unpriced"
    " FROM queries q LEFT JOIN calls c ON c.query_id = q.id WHERE" IN_SPAN "GROUP BY q.id),"
    " cube AS MATERIALIZED (SELECT tenant, domain, strategy, arm, fault,"
    " (ours > 0 OR (calls = 0 AND ?3 = 0)) AS is_in, count(*) AS queries,"
    " count(CASE WHEN fault = '' THEN 1 END) AS succeeded, sum(unpriced) AS unpriced,"
    " sum(cost) AS cost, sum(CASE WHEN fault <> '' THEN cost ELSE 0 END) AS failed_cost,"
    " sum(CASE WHEN unpriced = 0 THEN cost ELSE 0 END) AS priced_cost,"
    " count(CASE WHEN unpriced = 0 THEN 1 END) AS priced,"
    " total(CASE WHEN unpriced = 0 THEN cost / 1e9 END) AS dollars,"
    " total(CASE WHEN unpriced = 0 THEN (cost / 1e9) * (cost / 1e9) END) AS dollars2,"
    " count(hrm) AS hrm, total(hrm) AS hrm_sum, total(hrm * hrm) AS hrm_sum2,"
    " count(trm) AS trm, total(trm) AS trm_sum, total(trm * trm) AS trm_sum2,"
    " count(coalesce(hrm, trm)) AS confident,"
    " count(CASE WHEN is_calibrated THEN coalesce(hrm, trm) END) AS calibrated"
    " FROM each GROUP BY tenant, domain, strategy, arm, fault, 6) "
    /* clang-format off */
    PART_OF("0", "''")
    " UNION ALL " PART_OF("1", "domain")
    " UNION ALL " PART_OF("2", "tenant")
    " UNION ALL " PART_OF("3", "strategy")
    " UNION ALL " PART_OF("4", "arm")
    " UNION ALL " PART_OF("5", "fault")
    /* The last: queries that are none of the report's. */
    " UNION ALL SELECT 6, ''," PART_SUMS " FROM cube WHERE NOT is_in GROUP BY 2"
    " ORDER BY 1, 6 DESC, 2";
/* clang-format on */
#define AXIS_OTHER REPORT_AXIS_COUNT

/* A provider's token counts are foreign: the parts of the input are clamped as price_cost() does, call by call, so that the
 * price of the sums is the sum of the prices. */
static const char sql_calls[] =
    "SELECT is_ours, model, provider, day, count(*), count(*) - count(cost), coalesce(sum(cost), "
    "0),"
    " count(CASE WHEN kind = 1 THEN 1 END), coalesce(sum(CASE WHEN kind = 1 THEN cost END), 0),"
    " count(CASE WHEN kind = 2 THEN 1 END), coalesce(sum(CASE WHEN kind = 2 THEN cost END), 0),"
    " count(CASE WHEN kind = 3 THEN 1 END), coalesce(sum(CASE WHEN kind = 3 THEN cost END), 0),"
    " sum(max(attempts - 1, 0)), sum(is_estimated),"
    " count(CASE WHEN can_compare THEN 1 END),"
    " coalesce(sum(CASE WHEN can_compare THEN cost END), 0),"
    " coalesce(sum(CASE WHEN can_compare THEN input END), 0),"
    " coalesce(sum(CASE WHEN can_compare THEN output END), 0),"
    " coalesce(sum(CASE WHEN can_compare THEN cached END), 0),"
    " coalesce(sum(CASE WHEN can_compare THEN min(max(cache_write, 0), input - cached) END), 0)"
    " FROM (SELECT c.is_simulated = ?3 AS is_ours, c.model, c.provider,"
    " q.started / 86400000000 AS day, c.cost_nano_usd AS cost, c.attempts,"
    " c.is_usage_estimated AS is_estimated,"
    " CASE WHEN c.is_interrupted THEN 1 WHEN c.fault IS NOT NULL THEN 2"
    " WHEN c.attempts > 1 THEN 3 ELSE 0 END AS kind,"
    " c.cost_nano_usd IS NOT NULL AND NOT c.is_interrupted AS can_compare,"
    " max(c.input_tokens, 0) AS input, max(c.output_tokens, 0) AS output,"
    " min(max(c.cached_tokens, 0), max(c.input_tokens, 0)) AS cached,"
    " c.cache_write_tokens AS cache_write"
    " FROM queries q JOIN calls c ON c.query_id = q.id WHERE" IN_SPAN ")"
    " GROUP BY is_ours, model, provider, day ORDER BY 7 DESC, 2, 3, 4";

#define IS_OURS                                                                                    \
    " (EXISTS (SELECT 1 FROM calls c WHERE c.query_id = q.id AND c.is_simulated = ?3)"             \
    " OR (q.calls = 0 AND ?3 = 0)) "

static const char sql_labels[] =
    "SELECT l.source, count(*), count(CASE WHEN l.value >= 0.5 THEN 1 END), total(l.value)"
    " FROM labels l CROSS JOIN queries q ON q.id = l.query_id"
    " WHERE l.query_id BETWEEN ?4 AND ?5 AND" IN_SPAN "AND" IS_OURS "GROUP BY 1";

static const char sql_routes[] = "SELECT count(*), count(CASE WHEN r.is_explored THEN 1 END)"
                                 " FROM routes r CROSS JOIN queries q ON q.id = r.query_id"
                                 " WHERE r.query_id BETWEEN ?4 AND ?5 AND" IN_SPAN "AND" IS_OURS;

struct reader {
    struct database *db;
    const struct report_span *span;
    struct arena *arena;
    struct ledger_report *out;
    int64_t id_min, id_max;
    size_t parts_cap, calls_cap; /* of the array that grows now */
    sqlite3_stmt *statement;
    int column; /* the next to be read */
};

static int64_t next_int(struct reader *r)
{
    return sqlite3_column_int64(r->statement, r->column++);
}

static double next_double(struct reader *r)
{
    return sqlite3_column_double(r->statement, r->column++);
}

static str next_text(struct reader *r)
{
    const unsigned char *text = sqlite3_column_text(r->statement, r->column);
    int len = sqlite3_column_bytes(r->statement, r->column++);

    return arena_str(r->arena, (str){ (const char *)text, text && len > 0 ? (size_t)len : 0 });
}

/* A copy with twice the room; the arena keeps the old one, which bounds the waste to once more. NULL: it failed. */
static void *array_grow(struct reader *r, const void *items, size_t count, size_t *cap, size_t size)
{
    size_t wider = *cap > 0 ? 2 * *cap : 16;
    void *grown = arena_array(r->arena, wider, size);

    if (!grown)
        return NULL;
    if (count > 0)
        memcpy(grown, items, count * size);
    *cap = wider;
    return grown;
}

/* ---- a row of each statement ---- */

static void ids_take(struct reader *r)
{
    r->id_min = next_int(r);
    r->id_max = next_int(r);
}

static struct report_moments next_moments(struct reader *r)
{
    struct report_moments m = { .n = next_int(r) };

    m.sum = next_double(r);
    m.sum_squares = next_double(r);
    return m;
}

static struct report_part part_read(struct reader *r)
{
    struct report_part p = { .name = next_text(r) };

    p.queries = next_int(r);
    p.succeeded = next_int(r);
    p.unpriced_calls = next_int(r);
    p.cost = next_int(r);
    p.failed_cost = next_int(r);
    p.priced_cost = next_int(r);
    p.priced = next_moments(r);
    p.hrm = next_moments(r);
    p.trm = next_moments(r);
    p.confident = next_int(r);
    p.calibrated = next_int(r);
    return p;
}

static void part_take(struct reader *r)
{
    int64_t axis = next_int(r);
    struct report_part part = part_read(r);

    if (axis == REPORT_TOTAL) {
        r->out->total = part;
        return;
    }
    if (axis == AXIS_OTHER) {
        r->out->other_queries = part.queries;
        return;
    }
    struct report_parts *parts = &r->out->parts[axis];
    if (parts->count == 0)
        r->parts_cap = 0; /* rows come axis by axis */
    if (parts->count == r->parts_cap) {
        void *grown = array_grow(r, parts->items, parts->count, &r->parts_cap, sizeof(part));
        if (!grown)
            return;
        parts->items = grown;
    }
    parts->items[parts->count++] = part;
}

static void calls_take(struct reader *r)
{
    bool is_ours = next_int(r) != 0;
    struct report_calls c = { .model = next_text(r) };

    c.provider = next_text(r);
    c.utc_day = next_int(r);
    c.calls = next_int(r);
    c.unpriced = next_int(r);
    c.cost = next_int(r);
    c.interrupted = next_int(r);
    c.interrupted_cost = next_int(r);
    c.failed = next_int(r);
    c.failed_cost = next_int(r);
    c.retried = next_int(r);
    c.retried_cost = next_int(r);
    c.extra_attempts = next_int(r);
    c.estimated = next_int(r);
    c.comparable = next_int(r);
    c.comparable_cost = next_int(r);
    c.usage = (struct usage){ .is_known = true, .input = next_int(r) };
    c.usage.output = next_int(r);
    c.usage.cached = next_int(r);
    c.usage.cache_write = next_int(r);
    if (!is_ours) {
        r->out->other_calls += c.calls;
        r->out->other_cost = cost_add(r->out->other_cost, c.cost);
        return;
    }
    if (r->out->calls_count == r->calls_cap) {
        void *grown = array_grow(r, r->out->calls, r->out->calls_count, &r->calls_cap, sizeof(c));
        if (!grown)
            return;
        r->out->calls = grown;
    }
    r->out->calls[r->out->calls_count++] = c;
}

static void label_take(struct reader *r)
{
    enum ledger_source source;

    if (!ledger_source_find(next_text(r), &source))
        return; /* a source of a later weir */
    struct report_label *label = &r->out->labels[source];
    label->n = next_int(r);
    label->right = next_int(r);
    label->sum = next_double(r);
}

static void routes_take(struct reader *r)
{
    r->out->routed = next_int(r);
    r->out->explored = next_int(r);
}

/* ---- running them ---- */

static const struct {
    const char *sql;
    void (*take)(struct reader *r);
} steps[] = {
    { sql_ids, ids_take },      { sql_parts, part_take },    { sql_calls, calls_take },
    { sql_labels, label_take }, { sql_routes, routes_take },
};

static int statement_bind(const struct reader *r)
{
    const int64_t values[] = {
        [BIND_FROM] = r->span->from,
        [BIND_TO] = r->span->to,
        [BIND_SIMULATED] = r->span->is_simulated,
        [BIND_ID_MIN] = r->id_min,
        [BIND_ID_MAX] = r->id_max,
    };
    int code = SQLITE_OK, count = sqlite3_bind_parameter_count(r->statement);

    for (int i = BIND_FROM; code == SQLITE_OK && i <= count; i++)
        code = sqlite3_bind_int64(r->statement, i, values[i]);
    return code;
}

static enum err step_run(struct reader *r, size_t step)
{
    int code = sqlite3_prepare_v2(r->db->connection, steps[step].sql, -1, &r->statement, NULL);

    if (code == SQLITE_OK)
        code = statement_bind(r);
    if (code == SQLITE_OK) {
        while ((code = sqlite3_step(r->statement)) == SQLITE_ROW) {
            r->column = 0;
            steps[step].take(r);
            if (arena_failed(r->arena))
                break;
        }
    }
    enum err e = arena_failed(r->arena) ? WEIR_NO_MEMORY
                 : code == SQLITE_DONE  ? OK
                                        : database_failed(r->db, code);
    sqlite3_finalize(r->statement);
    r->statement = NULL;
    return e;
}

static enum err report_read(struct reader *r)
{
    enum err e = database_exec(r->db, "PRAGMA cache_size = " CACHE "; BEGIN"); /* one view */

    for (size_t i = 0; e == OK && i < ARRAY_LEN(steps); i++)
        e = step_run(r, i);
    database_rollback(r->db);
    return e;
}

enum err store_read_report(str directory, const struct report_span *span, struct arena *arena,
                           struct ledger_report *out, char out_why[256])
{
    struct ledger_report report = { 0 };
    struct reader r = { .span = span, .arena = arena, .out = &report };
    enum err e = directory_read(directory, &r.db, &report.is_live, out_why);

    if (e != OK)
        return e;
    e = report_read(&r);
    if (e == OK)
        *out = report;
    else
        snprintf(out_why, 256, "ledger.db: %s",
                 e == WEIR_NO_MEMORY ? "too many names for the memory of a report"
                                     : database_message(r.db));
    database_close(r.db);
    return e;
}
