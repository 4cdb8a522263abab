/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the rollups share: a day of drawn queries, and its report in few numbers. */
#ifndef WEIR_EDGE_STORE_ROLLUP_RIG_TEST_H
#define WEIR_EDGE_STORE_ROLLUP_RIG_TEST_H

#include "base/rng.h"
#include "edge/store/report.h"
#include "edge/store/rollup.h"
#include "edge/store/store_world.h"

#define NOON INT64_C(1795521600000000) /* 2026-11-24 12:00 UTC */
#define MINUTE (INT64_C(60) * 1000000)
#define DAY_FROM (NOON - 12 * 60 * MINUTE)
#define DAY_TO (NOON + 12 * 60 * MINUTE)

/* ---- a day of drawn queries ---- */

static const str tenants[] = { { "acme", 4 }, { "globex", 6 } };
static const str domains[] = { { "stem", 4 }, { "tactical", 8 }, { "", 0 } };
static const str models[] = { { "big", 3 }, { "small", 5 } };

static void drawn_call(struct ledger *l, struct rng *r, int64_t id, uint32_t number)
{
    str model = models[rng_below(r, ARRAY_LEN(models))];
    int64_t input = (int64_t)rng_below(r, 1000), cached = (int64_t)rng_below(r, 1000);
    bool is_priced = rng_below(r, 8) > 0, has_cache = cached <= input;
    int64_t price_cached = rng_below(r, 2) ? 4 : -1; /* none: as input */

    ledger_call_begin(l,
                      &(struct ledger_call){ id, number, STR("plan"), model, STR("p"), 7000, 10 });
    if (rng_below(r, 10) == 0)
        return; /* interrupted */
    ledger_call_done(
        l, &(struct ledger_call_end){ .query = id,
                                      .number = number,
                                      .fault = rng_below(r, 10) == 0 ? PROVIDER_CUT : OK,
                                      .http_status = 200,
                                      .attempts = rng_below(r, 5) == 0 ? 3 : 1,
                                      .usage = { .input = input,
                                                 .cached = has_cache ? cached : 0,
                                                 .is_known = true,
                                                 .is_estimated = rng_below(r, 4) == 0 },
                                      .cost = !is_priced  ? COST_UNPRICED
                                              : has_cache ? (input - cached) * 10 +
                                                                cached * (price_cached < 0 ? 10 : 4)
                                                          : input * 10,
                                      .price_input = is_priced ? 10 : -1,
                                      .price_output = is_priced ? 40 : -1,
                                      .price_cached = is_priced ? price_cached : -1,
                                      .is_simulated = rng_below(r, 3) == 0 });
}

static void drawn_query(struct ledger *l, struct rng *r, int64_t id)
{
    bool is_failed = rng_below(r, 6) == 0;

    ledger_begin(l, &(struct ledger_query){ .id = id,
                                            .started = NOON + (int64_t)rng_below(r, 50) * MINUTE,
                                            .tenant = tenants[rng_below(r, ARRAY_LEN(tenants))],
                                            .domain = domains[rng_below(r, ARRAY_LEN(domains))],
                                            .strategy = STR("hrm"),
                                            .arm = STR("a/control"),
                                            .reserved = 5000 });
    if (rng_below(r, 3) == 0)
        query_route(l, id);
    for (uint32_t i = (uint32_t)rng_below(r, 4); i > 0; i--)
        drawn_call(l, r, id, i);
    ledger_end(l, &(struct ledger_end){ .id = id,
                                        .fault = is_failed ? CALLER_GONE : OK,
                                        .http_status = 200,
                                        .model = models[rng_below(r, ARRAY_LEN(models))],
                                        .hrm_confidence = rng_below(r, 2) ? rng_unit(r) : -1,
                                        .trm_confidence = rng_below(r, 2) ? rng_unit(r) : -1,
                                        .confidence = rng_below(r, 8) == 0 ? 1
                                                      : rng_below(r, 2)    ? rng_unit(r)
                                                                           : -1,
                                        .is_calibrated = false,
                                        .latency_us = (int64_t)rng_below(r, 5000000),
                                        .raw = LEDGER_RAW_NONE });
}

/* Labels of queries that were there, that come now, or that never were. */
static void drawn_labels(struct ledger *l, struct rng *r, int64_t id)
{
    for (uint64_t i = rng_below(r, 4); i > 0; i--)
        query_label(l, id, (enum ledger_source)rng_below(r, LABEL_SOURCE_COUNT), rng_unit(r),
                    (usec_utc)rng_below(r, 5));
    if (rng_below(r, 20) == 0)
        query_label(l, (int64_t)rng_below(r, 1000), LABEL_AUDIT, 1, 1);
}

static void write_day(struct world *w, uint64_t seed, int queries)
{
    struct rng r;

    rng_init(&r, seed);
    for (int i = 0; i < queries; i++) {
        int64_t id = ledger_query_id(w->ledger);
        if (rng_below(&r, 4) == 0) { /* its labels come first */
            drawn_labels(w->ledger, &r, id);
            if (rng_below(&r, 4) == 0) {
                CHECK_ERR(ledger_commit(w->ledger), OK);
                sleep_ms(4);
            }
        }
        drawn_query(w->ledger, &r, id);
        drawn_labels(w->ledger, &r, id);
        if (rng_below(&r, 10) == 0) {
            CHECK_ERR(ledger_commit(w->ledger), OK);
            sleep_ms((int)rng_below(&r, 4)); /* an import may happen between, or not */
        }
    }
    CHECK_ERR(ledger_commit(w->ledger), OK);
}

/* ---- a report in few numbers, to be held against another ---- */

struct figures {
    int64_t queries, succeeded, cost, failed_cost, unpriced, routed, calls;
    int64_t cached_cost, cached_saved, binned_right, slot_succeeded, pair_succeeded;
    int64_t estimated, labels, right, binned, other_queries, other_cost, slot_queries, slot_cost;
    int64_t tenants, domains, models, pairs, latency_n;
    double hrm, dollars_squared, latency_sum, latency_p95;
};

static struct figures read_figures(struct world *w, usec_utc from, usec_utc to, bool is_simulated)
{
    const struct report_span span = { from, to, is_simulated };
    struct figures f;
    struct ledger_report report;
    struct arena arena;

    memset(&f, 0, sizeof(f));
    memset(&report, 0, sizeof(report));
    arena_init(&arena, (size_t)64 << 20);
    CHECK_ERR(store_read_report(w->options.directory, &span, &arena, &report, w->why), OK);
    const struct report_part *total = &report.total;
    f.queries = total->queries;
    f.succeeded = total->succeeded;
    f.cost = total->cost;
    f.failed_cost = total->failed_cost;
    f.unpriced = total->unpriced_calls;
    f.routed = report.routed;
    f.other_queries = report.other_queries;
    f.other_cost = report.other_cost;
    f.tenants = (int64_t)report.parts[REPORT_TENANT].count;
    f.domains = (int64_t)report.parts[REPORT_DOMAIN].count;
    f.models = (int64_t)report.parts[REPORT_MODEL].count;
    f.pairs = (int64_t)report.pairs_count;
    f.hrm = total->hrm.sum;
    f.dollars_squared = total->priced.sum_squares;
    for (size_t i = 0; i < report.calls_count; i++) {
        f.calls += report.calls[i].calls;
        f.estimated += report.calls[i].estimated;
        f.cached_cost += report.calls[i].cached_cost;
        f.cached_saved += report.calls[i].cached_saved;
    }
    for (size_t i = 0; i < report.slots_count; i++) {
        f.slot_queries += report.slots[i].queries;
        f.slot_succeeded += report.slots[i].succeeded;
        f.slot_cost += report.slots[i].cost;
    }
    for (size_t s = 0; s < LABEL_SOURCE_COUNT; s++) {
        f.labels += report.labels[s].n;
        f.right += report.labels[s].right;
        for (size_t i = 0; i < REPORT_BINS; i++) {
            f.binned += report.labels[s].bins[0][i].n;
            f.binned_right += report.labels[s].bins[0][i].right;
        }
    }
    for (size_t i = 0; i < report.pairs_count; i++)
        f.pair_succeeded += report.pairs[i].succeeded;
    if (total->latency) {
        f.latency_n = (int64_t)total->latency->n;
        f.latency_sum = total->latency->sum;
        f.latency_p95 = histogram_quantile(total->latency, 0.95).value;
    }
    arena_fini(&arena);
    return f;
}

static void check_alike(const struct figures *a, const struct figures *b)
{
    CHECK(memcmp(a, b, offsetof(struct figures, hrm)) == 0);
    CHECK_NEAR(a->hrm, b->hrm, 1e-9);
    CHECK_NEAR(a->dollars_squared, b->dollars_squared, 1e-12);
    CHECK_NEAR(a->latency_sum, b->latency_sum, 0);
    CHECK_NEAR(a->latency_p95, b->latency_p95, 0);
}

#endif
