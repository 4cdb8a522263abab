/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guards: what must hold of an arm, from the outcomes of its queries: typed metrics with a limit that warns and one that
 * trips, each an e-process that may be looked at after every query (core/stats).
 *
 *     success_rate, error_rate                    shares of queries
 *     hrm_confidence_mean, trm_confidence_mean    means over the answers that have one
 *     cost_per_query                              mean over the priced queries, all attempts included
 *     latency_p95                                 held when at most 5 % of the queries take longer than the limit
 *
 * Everything is turned into a harm X >= 0 with a bound m on its mean: failure (m = 1 - floor), error, 1 - confidence,
 * dollars, "took longer". Cached answers say nothing about an arm's models: they are counted apart and not judged.
 *
 * A caller may rely on: a guard whose mean keeps the limit trips on it with probability at most alpha_trip, over all
 * phases together and however often one looks, and as much again on its comparison with the control (which is asymptotic);
 * sums of several threads merge by addition; adding an outcome allocates nothing.
 *
 * May include: base, core/json, core/stats.
 */
#ifndef WEIR_CORE_CHANGE_GUARDS_H
#define WEIR_CORE_CHANGE_GUARDS_H

#include "base/base.h"
#include "core/change/blocks.h"
#include "core/change/issues.h"
#include "core/change/wager.h"
#include "core/json/json.h"
#include "core/stats/stats.h"

enum change_metric {
    CHANGE_SUCCESS_RATE,
    CHANGE_ERROR_RATE,
    CHANGE_HRM_CONFIDENCE_MEAN,
    CHANGE_TRM_CONFIDENCE_MEAN,
    CHANGE_COST_PER_QUERY,
    CHANGE_LATENCY_P95,
    CHANGE_METRIC_COUNT
};

enum change_metric_kind {
    METRIC_BINARY, /* harm is 0 or 1 */
    METRIC_BOUNDED, /* harm in [0, 1] */
    METRIC_AMOUNT, /* harm >= 0 */
};
struct change_metric_info {
    const char *name; /* "success_rate" */
    const char
        *unit; /* of limits and estimates: "share", "confidence", "nano-dollars", "nanoseconds" */
    enum change_metric_kind kind;
    bool is_floor; /* harm is 1 - value: the guard trips below its limit */
};
const struct change_metric_info *change_metric_info(enum change_metric metric);
bool change_metric_find(str name, enum change_metric *out);

/* How one query ended, for the arm that it was assigned to, whatever model served it. */
struct outcome {
    bool is_success;
    bool is_error; /* failed or ran out of time */
    bool is_cached;
    double hrm_confidence; /* [0, 1], calibrated where it can be; anything else: there is none */
    double trm_confidence;
    nano_usd cost; /* of all attempts; COST_UNPRICED or negative: unknown */
    nsec latency; /* at its limit for what ran out of time */
};

/* ---- the table ---- */
struct guard_spec {
    enum change_metric metric;
    double warn; /* in the metric's unit; 0: no warning */
    double trip;
    double advance; /* must be shown to be kept before the next step; 0: the limit that trips */
    bool is_dry_run; /* recorded, never acts */
    bool is_compared; /* also with the control, at the margin below */
    double
        margin; /* the harm by which the canary may exceed the control: a share or confidence; of costs a part (0.1: 10 %) */
};
/* Warn and trip: success .95/.95, errors .05/.10, HRM .80/.75, TRM .75/.70, cost $.005/$.010,
 * p95 2 s/5 s. No comparisons. */
extern const struct guard_spec guard_defaults[CHANGE_METRIC_COUNT];

struct guard_options {
    double alpha_trip; /* per guard, over all phases together */
    double alpha_warn;
    double alpha_show; /* of "shown to keep its limit" and "not inferior to the control" */
    double detector_run; /* queries until a false alarm after promotion, on average, at least */
    int phases; /* among which alpha_trip is divided; >= 1 */
    nano_usd cost_max; /* what a query may cost at most; 0: unknown */
    nsec latency_max; /* when a query is given up; 0: unknown */
};
extern const struct guard_options guard_options_default; /* .001, .05, .05, 20000, 1 phase */

/* A limit, prepared for the update. */
struct guard_limit {
    double mean; /* m: what the harm's mean may be; 0: no such limit */
    double inverse; /* 1/m */
    nsec latency; /* of latency_p95: longer than this is harm */
};
struct guard_plan { /* immutable once made */
    struct guard_spec specs[CHANGE_METRIC_COUNT];
    struct guard_limit warn[CHANGE_METRIC_COUNT]; /* by guard, as specs */
    struct guard_limit trip[CHANGE_METRIC_COUNT];
    struct guard_limit advance[CHANGE_METRIC_COUNT];
    size_t count;
    struct guard_options options;
};
/* CALLER_BAD_REQUEST with what is wrong ("guards.2.trip": it can never trip) in issues; plan is untouched then. */
NODISCARD enum err guard_plan_init(struct guard_plan *plan, const struct guard_spec *specs,
                                   size_t count, const struct guard_options *options,
                                   struct change_issues *issues);

/* ---- sums ---- */
struct guard_sums { /* of one metric of one arm */
    int64_t n; /* outcomes that have the metric */
    int64_t missing; /* outcomes that do not: no confidence, unpriced */
    int64_t over_warn; /* whose harm is over the limit's mean (binary: harmful ones) */
    int64_t over_trip;
    int64_t over_advance;
    double sum; /* of the harm; 0 for binary metrics, whose sums are the counts */
    double sum_squares;
    struct wager warn; /* continuous metrics only */
    struct wager trip;
    struct wager below; /* bounded metrics only: against "at least the limit to advance" */
    struct onset onset; /* of the canary only */
    struct detector detector; /* only while the arm has been promoted */
};
struct arm_sums {
    int64_t outcomes; /* judged ones */
    int64_t cached;
    struct guard_sums metrics[CHANGE_METRIC_COUNT]; /* by metric */
};

enum change_side { SIDE_CANARY, SIDE_CONTROL, SIDE_COUNT };
struct change_sums { /* of one phase; zero-initialised is empty */
    struct arm_sums arms[SIDE_COUNT];
    struct blocks blocks[CHANGE_METRIC_COUNT]; /* by metric */
    struct block_waiting
        waiting[CHANGE_METRIC_COUNT]; /* by metric; not written out: at most a block is lost */
    bool is_promoted; /* run the detectors of the canary */
};
void change_sums_add(struct change_sums *sums, const struct guard_plan *plan, enum change_side side,
                     const struct outcome *outcome);
/* Adds. Detectors add too: the expected level of the sum is still at most the number of outcomes, which is what their run
 * length rests on; only their delay grows. Outcomes that wait for a block are dropped. */
void change_sums_merge(struct change_sums *sums, const struct change_sums *other);

/* ---- what they say ---- */
enum guard_verdict {
    GUARD_NO_DATA,
    GUARD_UNDECIDED,
    GUARD_SHOWN, /* to keep the limit to advance, and not inferior to the control where compared */
    GUARD_WARNED,
    GUARD_TRIPPED,
};
const char *guard_verdict_name(enum guard_verdict v); /* "no_data", … */

/* Why it tripped: any of these. */
enum { GUARD_BY_LIMIT = 1, GUARD_BY_DETECTOR = 2, GUARD_BY_CONTROL = 4 };

struct guard_evidence {
    enum change_metric metric;
    enum guard_verdict verdict;
    bool is_dry_run;
    bool is_shown;
    bool is_warned;
    unsigned tripped_by; /* 0: it did not */
    int64_t n;
    int64_t missing;
    struct interval
        value; /* in the metric's unit, always valid at 95 %; of latency_p95 the share over the limit */
    /* Against the limit that trips: four fifths were staked on a breach from the first outcome on, the rest on one that begins
     * later. */
    double log_e;
    double log_e_warn; /* 0 without such a limit */
    double log_e_shown; /* for keeping the limit; 0 for cost, which is shown by its interval */
    double detector; /* level */
    int64_t control_n;
    double control_value;
    double control_log_e;
    double blocks_log_e; /* for "worse than the control at the same moment"; of guard_read() only */
    bool is_compared; /* diff is meaningful and enough was seen */
    struct interval
        diff; /* the canary's harm less the control's (of costs, as a part), one-sided at alpha_trip */
};
/* All but value and blocks_log_e, which take longer than the rest together: for a tick. */
void guard_judge(const struct guard_plan *plan, const struct change_sums *sums, size_t guard,
                 struct guard_evidence *out);
/* All of it: for a row or a status. */
void guard_read(const struct guard_plan *plan, const struct change_sums *sums, size_t guard,
                struct guard_evidence *out);
/* The log wealth of the bets against the limit that trips, for one arm: 16 numbers that add over outcomes. */
void guard_log_wealth(const struct guard_plan *plan, const struct arm_sums *arm, size_t guard,
                      double out[STATS_BETS]);

/* ---- JSON, "version": 1 ---- */
/* Settles what is pending first and drops what waits for a block, so that sums read back are the same in every bit. */
void change_sums_write(struct change_sums *sums, struct buf *out);
/* CALLER_BAD_REQUEST with a sentence in *out_what (static text) for anything that change_sums_write could not have written. */
NODISCARD enum err change_sums_read(struct json value, struct change_sums *out,
                                    const char **out_what);
void guard_evidence_write(const struct guard_evidence *e, struct buf *out);
NODISCARD enum err guard_evidence_read(struct json value, struct guard_evidence *out);

#endif
