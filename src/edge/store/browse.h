/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/browse: the ledger for people who look at it while a server writes it: pages of queries, one query with all that
 * belongs to it, and what a span was like over time. A browser has a connection of its own and belongs to one thread.
 *
 * A caller may rely on: nothing is written and no writer waits; how many rows a call may pass over is bounded, and when
 * the bound was met the answer says so; texts go out as valid JSON whatever bytes they hold.
 *
 * May include: base, core/json, core/money, core/stats.
 */
#ifndef WEIR_EDGE_STORE_BROWSE_H
#define WEIR_EDGE_STORE_BROWSE_H

#include "base/arena.h"
#include "core/stats/calibration.h"
#include "core/stats/histogram.h"
#include "edge/store/report.h"

struct browser;

/* WEIR_STORE with a sentence in out_why: there is no ledger yet, or it is of another version. */
NODISCARD enum err browser_open(struct browser **out, str directory, char out_why[256]);
void browser_close(struct browser *b); /* NULL is a no-op */
/* Ends the call under way in another thread with WEIR_STORE. */
void browser_interrupt(struct browser *b);
const char *browser_message(const struct browser *b); /* of the last failure */

/* ---- queries ---- */

#define BROWSE_LIMIT_MAX 200
#define BROWSE_ROWS_MAX ((int64_t)1000000) /* passed over in one call */

enum browse_outcome { BROWSE_ANY, BROWSE_SUCCEEDED, BROWSE_FAILED };
struct browse_filter {
    int64_t before; /* ids below this one; 0: from the newest on */
    usec_utc since; /* started then or later */
    enum browse_outcome outcome;
    /* Parts of the names, in any case; empty: all. */
    str model, domain, strategy, tenant, arm, fault;
    size_t limit; /* 1..BROWSE_LIMIT_MAX */
};
struct browse_page {
    size_t count;
    int64_t next; /* to go on before; 0: there are no more */
    bool is_cut; /* the bound was met: what is further back was not looked at */
};
/* Appends JSON objects with commas between, newest first, without calls. */
NODISCARD enum err browse_queries(struct browser *b, const struct browse_filter *filter,
                                  struct buf *out, struct browse_page *out_page);
/* Appends one object with its route, labels and calls; *out_found is false where there is none. */
NODISCARD enum err browse_query(struct browser *b, int64_t id, struct buf *out, bool *out_found);

/* ---- a span over time ---- */

#define BROWSE_BUCKETS_MAX 400
#define BROWSE_NAMES_MAX 24 /* of each axis; further ones go into the last, as "(others)" */
#define BROWSE_BINS 20 /* of confidence */
#define BROWSE_TENTHS 10 /* of confidence, for reliability */

struct browse_span {
    usec_utc from, to; /* queries that started in [from, to) */
    usec_utc width; /* of a bucket; (to - from) / width is at most BROWSE_BUCKETS_MAX */
    bool
        is_simulated; /* queries that simulated providers answered, instead of those that were paid for */
};

struct browse_sums {
    int64_t queries, succeeded;
    int64_t priced; /* queries whose every call has a price, */
    nano_usd priced_cost; /* and their cost */
    nano_usd cost; /* of all priced calls */
    int64_t unpriced_calls;
    int64_t hrm_n, trm_n;
    double hrm_sum, trm_sum;
    struct histogram latency; /* of all queries; microseconds */
    /* Calls that have a price and were not interrupted: */
    int64_t comparable;
    nano_usd comparable_cost;
    struct usage usage;
};
struct browse_group {
    str name;
    struct browse_sums sums;
};
struct browse_model { /* of calls */
    str name;
    int64_t calls, failed, unpriced;
    nano_usd cost;
    int64_t input_tokens, output_tokens;
};
struct browse_tenth { /* of confidence: what was said, and how often it was right */
    int64_t n, right;
    double confidence;
};
enum browse_confidence { BROWSE_HRM, BROWSE_TRM, BROWSE_FINAL, BROWSE_CONFIDENCE_COUNT };

struct browse_summary {
    struct browse_sums *buckets;
    size_t bucket_count;
    struct browse_sums total;
    struct browse_group domains[BROWSE_NAMES_MAX], strategies[BROWSE_NAMES_MAX];
    size_t domain_count, strategy_count;
    struct browse_model models[BROWSE_NAMES_MAX];
    size_t model_count;
    int64_t bins[BROWSE_CONFIDENCE_COUNT][BROWSE_BINS];
    struct browse_tenth tenths[BROWSE_CONFIDENCE_COUNT][BROWSE_TENTHS]; /* of labelled answers */
    int64_t calibrated; /* queries whose confidence is a calibrated probability */
    int64_t
        other_queries; /* simulated, when the span asks for what was paid for; and the other way round */
    int64_t rows; /* queries passed over */
    bool is_cut; /* the bound was met: the newest part of the span is missing */
};
#define BROWSE_SUMMARY_ROWS_MAX ((int64_t)20000000)
/* Everything in *out is in the arena, which needs 16 KB a bucket and 1 MB. */
NODISCARD enum err browse_summarise(struct browser *b, const struct browse_span *span,
                                    struct arena *arena, struct browse_summary *out);

#endif
