/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/report: the sums of a span of the ledger that a cost report is made from: from the rollups of its quarter hours, and from
 * the rows of what is not rolled up yet or lies in a part of a quarter hour, in one consistent view of the database.
 *
 * A report is of what was paid for, or of what was simulated: a call belongs to one of the two, and a query to each that has a
 * call of it (a query without any call belongs to what was paid for).
 *
 * A caller may rely on: money is exact; for each axis the parts add up to the total, and so do the calls; what is unpriced is
 * counted and in no sum. A sum beyond 64 bits is WEIR_STORE, not a wrapped figure.
 */
#ifndef WEIR_EDGE_STORE_REPORT_H
#define WEIR_EDGE_STORE_REPORT_H

#include "base/arena.h"
#include "core/stats/histogram.h"
#include "core/stats/stats.h"
#include "edge/store/store.h"

struct report_span {
    usec_utc from, to; /* queries that started in [from, to) */
    bool is_simulated; /* of simulated calls instead of those that were paid for */
};

enum report_axis {
    REPORT_TOTAL,
    REPORT_DOMAIN,
    REPORT_TENANT,
    REPORT_STRATEGY,
    REPORT_ARM,
    REPORT_FAULT, /* "": success */
    REPORT_MODEL, /* that answered */
    REPORT_AXIS_COUNT,
};

struct report_part {
    str name; /* as recorded: any bytes; may be empty */
    int64_t queries;
    int64_t succeeded;
    int64_t unpriced_calls;
    nano_usd cost; /* of priced calls */
    nano_usd failed_cost; /* of them: of queries that failed */
    nano_usd priced_cost; /* of the queries whose every call is priced, */
    struct moments priced; /* and each such query's cost in dollars */
    struct moments hrm, trm; /* confidences of queries that have one */
    int64_t confident; /* queries with either of them */
    int64_t calibrated; /* of them: calibrated */
    /* Microseconds that queries took, those left out that were interrupted. NULL but for the total, and the domains, strategies and arms that
     * were met first, REPORT_HISTOGRAMS_MAX in all. */
    struct histogram *latency;
};
#define REPORT_HISTOGRAMS_MAX 256
struct report_parts {
    struct report_part *items; /* dearest first, then by name */
    size_t count;
};

/* Calls of a model on a UTC day, which is what prices go by. */
struct report_calls {
    str model;
    str provider;
    int64_t utc_day; /* days since 1970-01-01 */
    int64_t calls;
    int64_t unpriced;
    nano_usd cost; /* of priced calls; the following three are parts of it */
    int64_t interrupted, failed,
        retried; /* each call is one of these, in this order, or answered at once */
    nano_usd interrupted_cost; /* reserves: the worst case */
    nano_usd failed_cost;
    nano_usd retried_cost; /* answered, after more than one attempt */
    int64_t extra_attempts; /* of all calls */
    int64_t estimated; /* calls whose tokens weir counted because the provider did not say */
    struct usage usage; /* of the priced calls that were not interrupted: */
    int64_t comparable;
    nano_usd comparable_cost;
    nano_usd cached_cost; /* of input that the provider's cache had, in the comparable cost, */
    nano_usd cached_saved; /* and what it would have cost more without the cache */
};

/* Queries of a domain that a model answered. */
struct report_pair {
    str domain, model;
    int64_t queries;
    int64_t succeeded;
    nano_usd cost;
};

/* A quarter hour. */
struct report_slot {
    int64_t queries;
    int64_t succeeded;
    nano_usd cost;
};
#define REPORT_SLOT_USEC (INT64_C(900) * 1000000)
#define REPORT_SLOTS_MAX ((size_t)400 * 96)

/* Labelled queries whose confidence is in [bin/20, (bin + 1)/20). */
struct report_bin {
    int64_t n;
    int64_t right;
    double confidence; /* sum */
};
#define REPORT_BINS 20

struct report_label {
    int64_t n;
    int64_t right; /* value of 0.5 or more */
    double sum; /* of values */
    struct report_bin bins[2][REPORT_BINS]; /* of raw confidences, and of calibrated ones */
};

struct ledger_report {
    bool is_live; /* a server runs: what it has not imported yet is missing */
    struct report_part total;
    struct report_parts parts[REPORT_AXIS_COUNT]; /* of REPORT_TOTAL: none */
    struct report_calls *calls; /* dearest first */
    size_t calls_count;
    struct report_label labels[LABEL_SOURCE_COUNT];
    struct report_pair *pairs; /* by domain, in each the most frequent model first */
    size_t pairs_count;
    /* From the quarter hour that the span begins in; NULL when there are more than REPORT_SLOTS_MAX. */
    struct report_slot *slots;
    size_t slots_count;
    int64_t first_slot; /* quarter hours since 1970 */
    int64_t routed, explored;
    /* What the report is not of: simulated, or paid for. */
    int64_t other_queries; /* without any call of the report's */
    int64_t other_calls;
    nano_usd other_cost;
};

/* Rolls up what a ledger from before has not, when no server runs: one that runs does so by itself. on_progress (NULL: none) is told
 * how many queries are done, and how many there are. A report is right without it, but slow. */
NODISCARD enum err store_roll_up(str directory,
                                 void (*on_progress)(void *ctx, int64_t done, int64_t all),
                                 void *ctx, char out_why[256]);

/* Imports left journals when no server runs. Everything in *out lives in the arena. */
NODISCARD enum err store_read_report(str directory, const struct report_span *span,
                                     struct arena *arena, struct ledger_report *out,
                                     char out_why[256]);

#endif
