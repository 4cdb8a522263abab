/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rollup: the sums of the ledger's rows by quarter hour and names, which reports are made from. A day of any zone of today is whole
 * quarter hours, whatever its clocks do.
 *
 * One accumulator makes these sums, whoever asks: the import (in the transaction of the rows), the roll-up of a ledger from before,
 * verify, and a report of rows that are not rolled up. It holds few cells: when it is full, or at rollup_flush(), each is given to its sink,
 * which adds it to what it has. Everything but confidences and squares is an integer, so that the order of rows does not matter.
 *
 * A sum that 64 bits cannot hold becomes ROLLUP_OVERFLOW and stays so: a report refuses it, an import goes on.
 */
#ifndef WEIR_EDGE_STORE_ROLLUP_H
#define WEIR_EDGE_STORE_ROLLUP_H

#include "core/stats/histogram.h"
#include "edge/store/internal.h"

#define ROLLUP_SLOT_USEC (INT64_C(900) * 1000000)
#define ROLLUP_OVERFLOW INT64_MAX
#define ROLLUP_BINS 20 /* of confidence, each .05 wide */
#define ROLLUP_NO_BIN (-1) /* the query has no confidence */
#define ROLLUP_SCALE 1e9 /* of labels' values and confidences in integer sums */

enum rollup_table { ROLLUP_QUERIES, ROLLUP_CALLS, ROLLUP_LABELS, ROLLUP_TABLE_COUNT };

/* Of every table; the labels' have two more. */
enum rollup_number { ROLLUP_SLOT, ROLLUP_SIMULATED, ROLLUP_CALIBRATED, ROLLUP_BIN, ROLLUP_NUMBERS };

/* Of queries. A query is in a cell of what was paid for, in one of what was simulated, or, with calls of both kinds, in both. */
enum {
    QUERY_TENANT,
    QUERY_DOMAIN,
    QUERY_STRATEGY,
    QUERY_ARM,
    QUERY_FAULT,
    QUERY_MODEL,
    QUERY_NAMES
};
enum {
    QUERY_COUNT,
    QUERY_ONLY, /* not in a cell of the other kind */
    QUERY_UNPRICED_CALLS,
    QUERY_COST,
    QUERY_PRICED, /* whose every call is priced, */
    QUERY_PRICED_COST,
    QUERY_HRM, /* that have such a confidence */
    QUERY_TRM,
    QUERY_CONFIDENT, /* either */
    QUERY_CALIBRATED,
    QUERY_ROUTED,
    QUERY_EXPLORED,
    QUERY_SUMS,
};
enum {
    QUERY_DOLLARS_SQUARED,
    QUERY_HRM_SUM,
    QUERY_HRM_SQUARED,
    QUERY_TRM_SUM,
    QUERY_TRM_SQUARED,
    QUERY_REALS,
};

/* Of calls. */
enum { CALL_MODEL, CALL_PROVIDER, CALL_DOMAIN, CALL_NAMES };
enum {
    CALL_COUNT,
    CALL_UNPRICED,
    CALL_COST,
    CALL_INTERRUPTED,
    CALL_INTERRUPTED_COST,
    CALL_FAILED,
    CALL_FAILED_COST,
    CALL_RETRIED,
    CALL_RETRIED_COST,
    CALL_EXTRA_ATTEMPTS,
    CALL_ESTIMATED,
    CALL_COMPARABLE, /* priced and not interrupted; what follows is of these */
    CALL_COMPARABLE_COST,
    CALL_INPUT,
    CALL_OUTPUT,
    CALL_CACHED,
    CALL_CACHE_WRITE,
    CALL_CACHED_COST, /* of tokens that the provider's cache had */
    CALL_CACHED_SAVED, /* what they would have cost more at the input's price */
    CALL_SUMS,
};

/* Of labels: one of each source for a query. */
enum { LABEL_NAME, LABEL_DOMAIN, LABEL_NAMES }; /* its source's name */
enum { LABEL_COUNT, LABEL_RIGHT, LABEL_VALUE, LABEL_CONFIDENCE, LABEL_SUMS };

#define ROLLUP_NAMES_MAX QUERY_NAMES
#define ROLLUP_SUMS_MAX CALL_SUMS

struct rollup_cell {
    enum rollup_table table;
    int64_t numbers[ROLLUP_NUMBERS];
    str names[ROLLUP_NAMES_MAX];
    int64_t sums[ROLLUP_SUMS_MAX];
    double reals[QUERY_REALS];
    str latency; /* of queries: latency_pack() of microseconds */
};

/* What adds a cell to what it has; the cell is its until it returns. */
typedef enum err rollup_sink(void *ctx, const struct rollup_cell *cell);

struct rollup;
NODISCARD enum err rollup_open(struct rollup **out, rollup_sink *sink, void *ctx);
void rollup_close(struct rollup *r); /* what was not flushed is lost; NULL is a no-op */
/* With its calls and route; its labels are added apart. A failure is the sink's. */
NODISCARD enum err rollup_add_query(struct rollup *r, const struct row_query *q);
/* What a label's sums need of its query. */
struct rollup_subject {
    usec_utc started;
    str domain;
    double confidence; /* negative: none */
    bool is_calibrated;
    bool is_paid, is_simulated; /* has calls of the kind; a query without calls is paid for */
};
struct rollup_subject rollup_subject_of(const struct row_query *q);
/* Once more, or with times -1 once less. */
NODISCARD enum err rollup_add_label(struct rollup *r, const struct rollup_subject *subject,
                                    const struct ledger_label *label, int times);
NODISCARD enum err rollup_flush(struct rollup *r); /* gives all cells to the sink */
void rollup_clear(struct rollup *r); /* forgets them */

int64_t rollup_slot(usec_utc t); /* the quarter hour that an instant is in */
/* Sticky at ROLLUP_OVERFLOW. */
void rollup_sum(int64_t *sum, int64_t value);
/* How many numbers, names and so on the cells of a table have. */
struct rollup_shape {
    int numbers, names, sums, reals;
    bool has_latency;
};
extern const struct rollup_shape rollup_shapes[ROLLUP_TABLE_COUNT];

/* ---- latency.c: a histogram in few bytes ---- */

/* Of values that are whole and below 2^53: min, max and sum, then for each bucket with values its distance to the one before and its
 * count, all LEB128. An empty histogram is no bytes. */
#define LATENCY_BYTES_MAX ((size_t)(3 * 10 + HISTOGRAM_BUCKETS * 12))
size_t latency_pack(uint8_t out[LATENCY_BYTES_MAX], const struct histogram *h);
/* Adds what was packed; false, and nothing added, when the bytes are not what latency_pack() gives. */
bool latency_add(struct histogram *h, str packed);

/* ---- sqlite_rollup.c: the tables ---- */

struct rollup_columns {
    const char *name;
    const char *key[ROLLUP_NUMBERS + ROLLUP_NAMES_MAX]; /* the numbers, then the names */
};
extern const struct rollup_columns rollup_tables[ROLLUP_TABLE_COUNT];

/* Adds a cell to the tables of a schema, "main" or "temp". */
struct rollup_writer;
NODISCARD enum err rollup_writer_open(struct rollup_writer **out, struct database *db,
                                      const char *schema);
void rollup_writer_close(struct rollup_writer *w); /* NULL is a no-op */
NODISCARD enum err rollup_write(void *writer, const struct rollup_cell *cell); /* a rollup_sink */

/* Holds what the writer's schema has against "main", slots before `from` left out: on_difference says of each table with differences
 * how many cells differ, and the earliest slot of one. Sums of doubles may differ by their rounding; a cell of nothing is none. */
NODISCARD enum err rollup_compare(struct rollup_writer *w, int64_t from,
                                  void (*on_difference)(void *ctx, const char *table, int64_t cells,
                                                        int64_t slot),
                                  void *ctx);

/* Cells of slots [from, to), of every table. */
NODISCARD enum err rollup_read(struct database *db, int64_t from, int64_t to, rollup_sink *sink,
                               void *ctx);

#endif
