/* SPDX-License-Identifier: Apache-2.0 */
/*
 * daily: the cost report of a local day, or of several: what the ledger's sums say, in one struct that every format is written from.
 *
 *     day_find -> store_read_report -> daily_make -> daily_write        or all at once: daily_report
 *
 * A caller may rely on: money is integer nano-dollars and the parts of each list add up to the total; savings that are repriced
 * (arithmetic on the same tokens) and savings that were measured (against a control) are never mixed; what is unpriced, simulated or
 * left out is said; names are written so that no terminal, spreadsheet or browser acts on them.
 *
 * May include: base, core/json, core/money, core/stats, edge/config, edge/store.
 */
#ifndef WEIR_APP_REPORT_DAILY_H
#define WEIR_APP_REPORT_DAILY_H

#include "base/arena.h"
#include "core/money/money.h"
#include "core/stats/histogram.h"
#include "core/stats/stats.h"
#include "edge/store/report.h"

struct config;

/* ---- days ---- */

#define DAYS_MAX 366

/* A local day, or several in a row. */
struct day {
    char date[16]; /* "2026-11-24", the first */
    char last_date[16];
    int days; /* 1 to DAYS_MAX */
    char zone[64]; /* "Europe/Berlin" */
    usec_utc from,
        to; /* [from, to): a day has 23 to 25 hours where clocks change, none where the date was skipped */
    bool is_over; /* at `now` */
};
struct day_query {
    str date; /* "2026-11-24"; empty: the one that `now` is in */
    str last_date; /* empty: the same */
    str zone; /* of the system's tz database; "UTC" needs none */
    usec_utc now;
};
/* CALLER_BAD_REQUEST with a sentence in out_why. Any thread. */
NODISCARD enum err day_find(const struct day_query *query, struct day *out, char out_why[256]);

/* An hour of one day's local clock, or a day of several. */
struct day_part {
    usec_utc from, to;
    char label[16]; /* "13:00", "2026-11-24" */
};
#define DAY_PARTS_MAX 400
size_t day_split(const struct day *day, struct day_part out[DAY_PARTS_MAX]); /* their number */

/* ---- the report ---- */

#define DAILY_ALPHA 0.05 /* every interval is one of 95 % */
#define DAILY_SUCCESS_TARGET 0.95 /* below it, failures come before costs */

struct daily_rate { /* k of n with Wilson's interval: a day is looked at once */
    int64_t k, n;
    struct interval interval;
};
struct daily_confidence {
    int64_t n;
    double mean, sd; /* sd: 0 below two */
};

/* An arm against the arms of the same rollout or experiment that kept the old configuration (control, baseline, holdback). */
struct daily_measure {
    str label; /* as recorded: experiment/arm */
    str experiment; /* "" when the label names none */
    str arm;
    struct daily_rate control, treated; /* success */
    struct moments control_dollars, treated_dollars; /* cost of each fully priced query */
    struct comparison saved; /* dollars a query; positive: the arm is cheaper */
    double saved_percentage; /* of the control's mean; 0 without one */
};

struct daily_repriced {
    bool is_priced; /* false: the baseline has no price, or nothing can be compared */
    nano_usd baseline_cost; /* of the compared calls' tokens at the baseline's price of their day */
    nano_usd cost; /* of the compared calls themselves */
    nano_usd savings; /* baseline_cost - cost; may be negative */
    double percentage; /* of baseline_cost; 0 when that is 0 */
    int64_t compared; /* calls */
    int64_t
        left_out; /* calls: unpriced, or interrupted so that their tokens are not known, or on a day without a price */
};

struct daily_latency {
    int64_t n; /* queries; 0: nothing is known */
    bool is_maximum; /* too few queries: each figure is the longest of them */
    double p50_ms, p95_ms, p99_ms;
};

/* Confidences against labels of one source. */
struct daily_calibration {
    enum ledger_source source;
    bool is_calibrated; /* the confidences are probabilities already; else raw */
    int64_t n; /* labelled queries with a confidence */
    double ece;
    const struct report_bin *bins; /* REPORT_BINS */
};

/* An hour of the day, or a day of the span. */
struct daily_bar {
    struct day_part part;
    int64_t queries, succeeded;
    nano_usd cost;
};

/* From the journal of events beside the ledger, control.db. */
struct daily_activity {
    bool is_known; /* there is one */
    int64_t alerts; /* that began to fire in the span */
    bool has_sessions; /* an event of the kind "session" was ever recorded */
    int64_t session_days; /* days of the span with one */
};
NODISCARD enum err daily_activity_read(str directory, const struct day *day,
                                       struct daily_activity *out, char out_why[256]);

enum daily_unit { UNIT_USD, UNIT_SHARE, UNIT_SCORE, UNIT_MS, UNIT_COUNT };
const char *daily_unit_name(enum daily_unit unit); /* "usd", "share", "score", "ms", "count" */
enum daily_verdict { VERDICT_NOT_MEASURED, VERDICT_SHOWN, VERDICT_NOT_SHOWN, VERDICT_MISSED };
const char *daily_verdict_name(enum daily_verdict verdict); /* "shown", "not shown", … */

struct daily_kpi {
    const char *key; /* "cost_per_query" */
    const char *title; /* "Cost per Query" */
    const char *note; /* what to know about it; may be empty */
    enum daily_unit unit;
    bool is_primary;
    bool is_floor; /* the target is a least value, else a greatest */
    bool is_strict; /* which itself is not good enough */
    double target;
    bool is_known;
    bool is_count; /* of what happened: it has no interval and needs none */
    bool has_interval;
    double actual;
    struct interval interval; /* 95 % */
    int64_t n;
    enum daily_verdict verdict;
};
#define DAILY_KPIS 10

/* From what the recommendation follows, the most pressing first. */
enum daily_basis {
    BASIS_NO_TRAFFIC,
    BASIS_FAILURES,
    BASIS_UNPRICED,
    BASIS_MEASURED,
    BASIS_REPRICED,
    BASIS_NOTHING,
};
const char *daily_basis_name(enum daily_basis basis); /* "no_traffic", … */

struct daily {
    struct day day;
    str baseline; /* model */
    bool is_simulated; /* of simulated calls */
    const struct ledger_report *ledger;
    struct report_calls *models; /* summed over providers and days; dearest first */
    size_t models_count;
    struct report_calls calls; /* of all */
    nano_usd average; /* of the fully priced queries, rounded; COST_UNPRICED: there is none */
    struct daily_rate success;
    struct daily_confidence hrm, trm;
    struct daily_repriced repriced;
    struct daily_measure *measures;
    size_t measures_count;
    const struct config *config; /* NULL: there are no targets */
    struct daily_activity activity;
    struct daily_latency latency;
    struct daily_calibration calibrations[2 * LABEL_SOURCE_COUNT]; /* of sources with labels */
    size_t calibrations_count;
    struct daily_bar *bars;
    size_t bars_count;
    struct daily_kpi kpis[DAILY_KPIS]; /* the primary ones first */
    size_t kpis_count;
    enum daily_basis basis;
    str recommendation; /* for people, names in it made safe for a terminal */
};

struct daily_options {
    struct day day;
    str baseline;
    bool is_simulated;
    const struct price_table *prices;
    const struct config *config; /* whose targets hold; NULL: none do */
    struct daily_activity activity;
};
/* Everything in *out points into the options, the ledger's report and the arena. WEIR_NO_MEMORY. */
NODISCARD enum err daily_make(struct daily *out, const struct daily_options *options,
                              const struct ledger_report *ledger, struct arena *arena);

struct daily_rate daily_rate_of(int64_t k, int64_t n);
const char *
daily_confidence_label(const struct daily *d); /* "calibrated", "raw", "partly calibrated" */
/* Of the total, in percent; 0 when the total is 0. */
double daily_share(nano_usd part, nano_usd total);

/* ---- writing ---- */

struct daily_latency daily_latency_of(const struct histogram *h); /* of microseconds; may be NULL */

enum daily_format { DAILY_TEXT, DAILY_JSON, DAILY_CSV, DAILY_HTML, DAILY_FORMAT_COUNT };
bool daily_format_find(str name, enum daily_format *out); /* "text", "json", "csv", "html" */
void daily_write(const struct daily *d, enum daily_format format, struct buf *out);

/* ---- all of it: for whoever serves reports ---- */

struct daily_request {
    str directory; /* of the ledger */
    struct day day; /* from day_find() */
    str baseline; /* empty: the configuration's */
    bool is_simulated;
    const struct config *config; /* its prices and targets */
    enum daily_format format;
};
/* Appends the report. From any thread, beside a running server of the same directory too; it opens the databases for itself and takes some ten
 * milliseconds. WEIR_STORE or WEIR_NO_MEMORY with a sentence in out_why. */
NODISCARD enum err daily_report(const struct daily_request *request, struct buf *out,
                                char out_why[256]);

#endif
