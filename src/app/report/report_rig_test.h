/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of app/report share: a ledger of a day, written through the store, and its report. */
#ifndef WEIR_APP_REPORT_REPORT_RIG_TEST_H
#define WEIR_APP_REPORT_REPORT_RIG_TEST_H

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/report/daily_internal.h"
#include "test/check.h"

#define DAY_FROM INT64_C(1795478400000000) /* 2026-11-24 UTC */
#define HOUR (INT64_C(3600) * 1000000)
#define DAY_TO (DAY_FROM + 24 * HOUR)

/* ---- a ledger of one's own ---- */

struct world {
    char directory[256];
    struct store *store;
    struct ledger *ledger;
    struct arena arena;
    struct ledger_report sums;
    struct daily daily;
    struct buf out;
};

static struct price prices[] = {
    { STR("big"), 0, 1000, 4000, 500, -1 },
    { STR("big"), 20781, 2000, 8000, 1000, -1 }, /* 2026-11-24 */
    { STR("small"), 0, 100, 400, 50, -1 },
};

static inline bool world_open(struct world *w)
{
    const char *base = getenv("TMPDIR");
    char why[256];

    memset(w, 0, sizeof(*w));
    arena_init(&w->arena, (size_t)64 << 20);
    snprintf(w->directory, sizeof(w->directory), "%.200s/weir-report-XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(w->directory))
        return false;
    const struct store_options options = { .directory = str_from(w->directory) };
    return store_open(&w->store, &options, why) == OK && ledger_open(&w->ledger, w->store, 1) == OK;
}

static inline void world_seal(struct world *w)
{
    CHECK_ERR(ledger_commit(w->ledger), OK);
    ledger_close(w->ledger);
    store_close(w->store);
    w->ledger = NULL;
    w->store = NULL;
}

static inline void world_report(struct world *w, bool is_simulated, const char *baseline)
{
    const struct report_span span = { DAY_FROM, DAY_TO, is_simulated };
    struct price_table table;
    char why[256] = "";

    CHECK_ERR(price_table_init(&table, prices, ARRAY_LEN(prices)), OK);
    CHECK_ERR(store_read_report(str_from(w->directory), &span, &w->arena, &w->sums, why), OK);
    struct daily_options options = { .baseline = str_from(baseline),
                                     .is_simulated = is_simulated,
                                     .prices = &table };
    const struct day_query day = { .date = STR("2026-11-24"), .zone = STR("UTC"), .now = DAY_TO };
    CHECK_ERR(day_find(&day, &options.day, why), OK);
    CHECK_ERR(daily_make(&w->daily, &options, &w->sums, &w->arena), OK);
}

static inline str world_write(struct world *w, enum daily_format format)
{
    buf_reset(&w->out);
    daily_write(&w->daily, format, &w->out);
    return buf_str(&w->out);
}

static inline void world_fini(struct world *w)
{
    DIR *directory = opendir(w->directory);

    for (const struct dirent *entry; directory && (entry = readdir(directory)) != NULL;) {
        char path[600];
        snprintf(path, sizeof(path), "%s/%s", w->directory, entry->d_name);
        if (entry->d_name[0] != '.')
            IGNORE(unlink(path));
    }
    if (directory)
        closedir(directory);
    IGNORE(rmdir(w->directory));
    arena_fini(&w->arena);
    buf_fini(&w->out);
}

/* A query of one call, with what is usual unless said otherwise. */
struct sample {
    usec_utc started; /* 0: noon */
    str domain, arm, tenant, strategy, model;
    enum err query_fault, call_fault;
    bool is_simulated, is_interrupted, is_unpriced, is_calibrated;
    int attempts;
    int64_t input, output, cached;
    nano_usd cost;
    double hrm, trm;
};

static inline int64_t sample_begin(struct world *w, const struct sample *s)
{
    int64_t id = ledger_query_id(w->ledger);

    ledger_begin(w->ledger,
                 &(struct ledger_query){ .id = id,
                                         .started = s->started ? s->started : DAY_FROM + 12 * HOUR,
                                         .tenant = s->tenant,
                                         .domain = s->domain,
                                         .requested_model = STR("weir/auto"),
                                         .strategy = s->strategy,
                                         .arm = s->arm });
    return id;
}

static inline void sample_call(struct world *w, int64_t id, uint32_t number, const struct sample *s)
{
    ledger_call_begin(w->ledger, &(struct ledger_call){ .query = id,
                                                        .number = number,
                                                        .role = STR("direct"),
                                                        .model = s->model,
                                                        .provider = STR("p"),
                                                        .reserved = s->cost });
    if (s->is_interrupted)
        return;
    ledger_call_done(w->ledger,
                     &(struct ledger_call_end){ .query = id,
                                                .number = number,
                                                .fault = s->call_fault,
                                                .http_status = 200,
                                                .attempts = s->attempts ? s->attempts : 1,
                                                .usage = { .input = s->input,
                                                           .output = s->output,
                                                           .cached = s->cached,
                                                           .is_known = true },
                                                .cost = s->is_unpriced ? COST_UNPRICED : s->cost,
                                                .is_simulated = s->is_simulated });
}

static inline void sample_end(struct world *w, int64_t id, const struct sample *s)
{
    ledger_end(w->ledger, &(struct ledger_end){ .id = id,
                                                .fault = s->query_fault,
                                                .http_status = 200,
                                                .model = s->model,
                                                .hrm_confidence = s->hrm,
                                                .trm_confidence = s->trm,
                                                .confidence = -1,
                                                .is_calibrated = s->is_calibrated,
                                                .raw = LEDGER_RAW_NONE });
}

static inline int64_t sample_add(struct world *w, const struct sample *s)
{
    int64_t id = sample_begin(w, s);

    sample_call(w, id, 1, s);
    sample_end(w, id, s);
    return id;
}

/* The usual call: 600 tokens of 1000 are not cached. */
#define SMALL_1000                                                                                 \
    .model = STR("small"), .input = 1000, .output = 100, .cached = 400, .cost = 120000, .hrm = -1, \
    .trm = -1

#endif
