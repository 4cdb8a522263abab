/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scenario: files that describe a rehearsal of a rollout: traffic, two models, what goes wrong when, the rollout itself and
 * what should come of it. YAML through the same key table as the configuration, so that errors say file, line and column.
 *
 * A caller may rely on: a scenario that was loaded is sound and never changes, but for the answers of recorded models, which
 * whoever runs it adds before (app/sim); every number in it is finite.
 *
 * May include: base, core/change, edge/config.
 */
#ifndef WEIR_EDGE_CONFIG_SCENARIO_H
#define WEIR_EDGE_CONFIG_SCENARIO_H

#include "base/arena.h"
#include "base/base.h"
#include "edge/config/rollout.h"

/* clang-format off */
#define SCENARIO_DOMAIN_TABLE(X)         \
    X(GENERIC,       "generic")          \
    X(TACTICAL,      "tactical")         \
    X(CYBERSECURITY, "cybersecurity")    \
    X(STEM,          "stem")

/* Name, arms that it hits unless the file says otherwise, size by default, least and largest size. */
#define SCENARIO_EVENT_TABLE(X)                                                                             \
    X(QUALITY_DROP,     "quality_drop",     CANARY, 0.10, 0, 1)    /* success falls by this */             \
    X(COST_CREEP,       "cost_creep",       CANARY, 2,    0, 1e6)  /* costs times this */                  \
    X(LATENCY_STEP,     "latency_step",     CANARY, 3,    0, 1e6)  /* latencies times this */              \
    X(OUTAGE,           "outage",           BOTH,   1,    0, 1)    /* this share of the queries fails */   \
    X(BROKEN,           "broken",           CANARY, 1,    0, 1)    /* the same, of one arm */              \
    X(CONFIDENCE_DRIFT, "confidence_drift", CANARY, 0.20, 0, 1)    /* confidences fall by this */          \
    X(DROUGHT,          "drought",          BOTH,   0.95, 0, 1)    /* this share of the traffic stays away */ \
    X(SAMPLE_RATIO,     "sample_ratio",     CANARY, 0.30, 0, 1)    /* this share of the units is not seen */
/* clang-format on */

enum scenario_domain {
#define X(name, text) SCENARIO_##name,
    SCENARIO_DOMAIN_TABLE(X)
#undef X
        SCENARIO_DOMAIN_COUNT
};
const char *scenario_domain_name(enum scenario_domain d);

enum scenario_event_kind {
#define X(name, text, arms, size, low, high) SCENARIO_##name,
    SCENARIO_EVENT_TABLE(X)
#undef X
        SCENARIO_EVENT_COUNT
};
const char *scenario_event_name(enum scenario_event_kind k);

enum scenario_arm { SCENARIO_BASELINE, SCENARIO_CANARY, SCENARIO_ARM_COUNT };
const char *scenario_arm_name(enum scenario_arm a); /* "baseline", … */

#define SCENARIO_HOURS 24
struct scenario_traffic {
    double per_second; /* queries, mean of a day; > 0 */
    double hours[SCENARIO_HOURS]; /* weight of each hour of the day; the mean is 1 */
    double start_hour; /* of the day, [0, 24) */
    double conversation; /* queries of one, on average; >= 1 */
    int64_t open; /* conversations at a time */
    double shares[SCENARIO_DOMAIN_COUNT]; /* of conversations; the sum is 1 */
    bool has_shares; /* they are written; else recorded models bring theirs */
    int64_t queries_max; /* when the traffic ends, */
    nsec duration; /* or then */
};

/* Figures that a recording may lack. */
enum scenario_figure {
    SCENARIO_COST,
    SCENARIO_LATENCY,
    SCENARIO_HRM,
    SCENARIO_TRM,
    SCENARIO_FIGURE_COUNT
};

/* How a model answers in one domain. */
struct scenario_model {
    double success; /* probability, timeouts and events apart */
    double errors; /* share of the failures that are errors; the others are wrong answers */
    double cost_usd, cost_sd; /* lognormal */
    double latency_ms, latency_sigma; /* lognormal: median, sigma of the logarithm */
    double timeout_ms; /* what takes longer fails then */
    double hrm_confidence, hrm_sd; /* normal, cut to [0, 1] */
    double trm_confidence, trm_sd;
    bool is_calibrated; /* its confidence falls by as much as an event takes from its success */
    bool is_written[SCENARIO_FIGURE_COUNT]; /* by the file, of this model or of what it is like */
};

/* Whose answers a recorded model gives. */
struct scenario_source {
    str folder; /* of an evaluation; empty: the model is not recorded, its figures are all there is */
    str cell; /* "gpt-4o/direct" */
    int line, column; /* where the file says so */
};

/* What a recorded model once answered to the questions of one domain: instead of success and errors, and of the figures that it has. */
struct scenario_answer {
    bool is_right, is_error;
    nano_usd cost;
    nsec latency;
    double hrm, trm; /* without meaning when it is an error */
};
struct scenario_answers {
    const struct scenario_answer
        *items; /* by question, both arms' the same ones; NULL: not recorded */
    size_t count;
    bool has[SCENARIO_FIGURE_COUNT]; /* every answer has it; else it is the model's */
    double right, answered; /* shares */
    double cost_usd, hrm, trm; /* means of those that it has, errors without confidence */
    struct scenario_latencies {
        const nsec *sorted;
        size_t count;
    } latencies, latencies_answered,
        latencies_right; /* of all, of those that are no errors, of the right ones */
};

#define SCENARIO_EVENTS_MAX 16
struct scenario_event {
    enum scenario_event_kind kind;
    bool hits[SCENARIO_ARM_COUNT];
    bool hits_domain[SCENARIO_DOMAIN_COUNT];
    nsec start; /* from the rollout's start */
    nsec length; /* NSEC_NEVER: to the end */
    nsec ramp; /* it grows for so long to its size */
    double size;
};

enum scenario_mode {
    SCENARIO_ROLLOUT, /* weir's own machine */
    SCENARIO_BARE_TRIGGERS /* thresholds on the last `window` queries of the canary, without statistics */
};

struct scenario_expect { /* a negative number, an empty text: nothing is expected */
    str outcome; /* "completed", "rolled_back", "paused", "paused:REASON", "unfinished" */
    str guard; /* that trips in most runs */
    str alert; /* a rule that fires in at least share_min of the runs */
    double share_min; /* of the runs that have the outcome */
    double false_rollback_max; /* rate */
    double detected_within; /* canary queries, median */
};

struct scenario {
    str path;
    str name;
    str about; /* may be empty */
    struct scenario_traffic traffic;
    struct scenario_model models[SCENARIO_ARM_COUNT][SCENARIO_DOMAIN_COUNT];
    struct scenario_source sources[SCENARIO_ARM_COUNT];
    struct scenario_answers answers[SCENARIO_ARM_COUNT][SCENARIO_DOMAIN_COUNT];
    size_t recorded_questions; /* that answers are of; 0: none were added */
    struct scenario_event events[SCENARIO_EVENTS_MAX];
    size_t event_count;
    struct rollout_file *rollout;
    enum scenario_mode mode;
    int64_t window; /* of bare triggers */
    nsec tick; /* how often the rollout is looked at */
    nsec alerts_every; /* 0: no alerts */
    nsec approve_after; /* somebody approves after so long; negative: nobody does */
    struct scenario_expect expect;
};

/* Traffic that cannot be held: more queries than this would be under way at once. */
#define SCENARIO_FLIGHTS_MAX 100000

/* OK with the scenario on the heap, else CALLER_BAD_REQUEST with at least one error in issues, which are initialised here. */
NODISCARD enum err scenario_load(str path, struct scenario **out, struct config_issues *issues);
/* The same of a text; with_files false reads no other file: the rollout must stand in the text. */
NODISCARD enum err scenario_load_text(str path, str text, bool with_files, struct scenario **out,
                                      struct config_issues *issues);
void scenario_close(struct scenario *s); /* NULL is a no-op */

/* For who adds answers: memory that ends with the scenario, and an error in what `recorded` of an arm names. */
struct arena *scenario_arena(struct scenario *s);
void scenario_source_fault(const struct scenario *s, enum scenario_arm arm,
                           struct config_issues *issues, const char *fmt, ...) PRINTF_LIKE(4, 5);

#endif
