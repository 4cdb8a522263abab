/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rehearsal: a scenario in virtual time: simulated traffic and models against the very rollout machine, guards, windows and
 * rules of alerts that serve production.
 *
 *     arrivals (Poisson, by the day) --> conversation, arm --> outcome --> ends after its latency --> rollout, windows
 *                                                                   a tick: rollout_tick(); a minute: alert_evaluate()
 *
 * A caller may rely on: the result is a function of the scenario and the seed; nothing waits, reads or writes anything
 * outside of it; the scenario is shared by threads; no memory is taken per query.
 *
 * May include: base, core/alert, core/change, core/json, core/stats, edge/config, app/control, app/engine, app/eval.
 */
#ifndef WEIR_APP_SIM_REHEARSAL_H
#define WEIR_APP_SIM_REHEARSAL_H

#include "base/base.h"
#include "core/alert/alert.h"
#include "core/stats/stats.h"
#include "edge/config/config.h"
#include "edge/config/scenario.h"

/* ---- recorded models ---- */

/* What they answered, from the folders that the scenario names; once, before its first run. Nothing to do without any. On
 * CALLER_BAD_REQUEST the issues, which were initialised before, say where and why. */
NODISCARD enum err rehearsal_answers_add(struct scenario *s, struct config_issues *issues);

/* ---- one seed ---- */
enum rehearsal_end {
    REHEARSAL_COMPLETED,
    REHEARSAL_ROLLED_BACK,
    REHEARSAL_PAUSED,
    REHEARSAL_UNFINISHED, /* the traffic ended first */
    REHEARSAL_END_COUNT
};

struct rehearsal {
    uint64_t seed;
    enum rehearsal_end end;
    enum rollout_reason reason; /* of the last move */
    uint32_t guards; /* bits by metric: those that rolled it back */
    /* Rolled back though nothing had harmed the canary alone: neither an event nor its model, which is beyond a limit. */
    bool is_false_rollback;
    /* Stopped (rolled back, or paused for a common cause or the sample ratio) after something had begun to go wrong: */
    bool is_detected;
    int64_t detected_after_queries; /* of the canary that had ended since */
    double detected_after_s;
    int64_t queries; /* all that arrived */
    int64_t canary_queries; /* that ended in the canary */
    int64_t units
        [ROLLOUT_ARM_COUNT]; /* conversations that were exposed in the step in which it ended */
    double ended_s; /* from the start */
    size_t step;
    /* What the canary's queries cost more than the baseline's would have at the same moment, in expectation; negative: less. */
    double extra_failures;
    double extra_usd;
    uint32_t alerts[ALERT_RULES_MAX]; /* times that each rule began to fire */
    uint32_t alert_count; /* of all */
};

/* The rules that it runs with: those of the canary's configuration, else the default ones. */
const struct alert_policy *rehearsal_policy(const struct scenario *s, struct alert_policy *storage);

/* What happened when, for people. */
#define TIMELINE_COLUMNS 64
#define TIMELINE_ENTRIES_MAX 256
#define TIMELINE_TEXT_MAX 160
struct timeline_column {
    int64_t arrived;
    int64_t canary, canary_failed; /* ended */
    uint32_t share; /* of the canary at its end, parts per million */
    enum rollout_state state;
    bool has_event; /* one is on */
    bool has_alert; /* one began to fire */
};
struct timeline {
    double width_s; /* of a column, > 0; the caller's */
    struct timeline_column columns[TIMELINE_COLUMNS];
    struct {
        double at_s;
        int64_t queries, canary_queries;
        char text[TIMELINE_TEXT_MAX];
    } entries[TIMELINE_ENTRIES_MAX];
    size_t entry_count;
    size_t entries_lost;
};

/* timeline may be NULL. WEIR_NO_MEMORY, WEIR_CONFIG for rules of alerts that are not sound. */
NODISCARD enum err rehearsal_run(const struct scenario *s, uint64_t seed, struct rehearsal *out,
                                 struct timeline *timeline);

/* ---- many seeds ---- */
struct rehearsal_fleet {
    uint64_t first_seed;
    size_t count;
    int jobs; /* threads, >= 1 */
    /* How many are done, now and then, from the calling thread; may be NULL. */
    void (*on_progress)(void *ctx, size_t done);
    void *ctx;
};
/* out has fleet->count places, in the order of the seeds, whatever the number of threads. */
NODISCARD enum err rehearsal_run_many(const struct scenario *s, const struct rehearsal_fleet *fleet,
                                      struct rehearsal *out);

/* ---- what they say together ---- */
struct spread { /* of n values; 0 without any */
    size_t n;
    double median, p95;
};
struct rehearsal_summary {
    size_t n;
    int64_t ends[REHEARSAL_END_COUNT];
    int64_t pauses[ROLLOUT_REASON_COUNT]; /* by reason */
    int64_t guards[CHANGE_METRIC_COUNT]; /* runs that each rolled back */
    int64_t alerts[ALERT_RULES_MAX]; /* runs in which each rule fired */
    int64_t false_rollbacks;
    struct interval false_rollback_rate; /* exact, 95 % */
    struct interval detected_rate;
    struct spread detected_after_queries, detected_after_s, extra_failures, extra_usd, ended_s,
        canary_queries;
};
/* WEIR_NO_MEMORY. */
NODISCARD enum err rehearsal_summarise(const struct rehearsal *runs, size_t n,
                                       struct rehearsal_summary *out);

/* The scenario's expectations, each with what came of it. */
#define REHEARSAL_CHECKS_MAX 8
struct rehearsal_check {
    const char *name; /* "outcome" */
    bool is_met;
    char want[80];
    char got[80];
};
size_t rehearsal_checks(const struct scenario *s, const struct rehearsal_summary *summary,
                        struct rehearsal_check out[REHEARSAL_CHECKS_MAX]);

/* "completed", "paused:no_data"; out has room for 48 bytes. */
str rehearsal_outcome(enum rehearsal_end end, enum rollout_reason reason, char out[48]);

/* ---- words ---- */
struct rehearsal_report {
    const struct scenario *scenario;
    const struct rehearsal *runs;
    const struct rehearsal_summary *summary;
    const struct rehearsal_check *checks;
    size_t check_count;
    const struct timeline *timeline; /* of the first run; NULL: none is shown */
};
/* One JSON object: scenario, runs, summary, checks, met. */
void rehearsal_write_json(struct buf *out, const struct rehearsal_report *report);
/* A table, the timeline, the expectations; ASCII. */
void rehearsal_write_text(struct buf *out, const struct rehearsal_report *report);

#endif
