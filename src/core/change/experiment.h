/* SPDX-License-Identifier: Apache-2.0 */
/*
 * experiment: an A/B test: arms as overlays of the configuration, each with a share of the units.
 *
 * Two hashes decide. The first says whether a unit takes part: its position in the layer must lie in the experiment's
 * inclusion range; experiments of one layer own disjoint ranges, so that no unit is in two of them. The second, under a
 * salt of the experiment's own, says which arm: an arm owns the positions [start, start + share). Both ranges grow by
 * their ends only, so a ramp moves nobody who is already in.
 *
 *     position in the layer:     0 |----[ inclusion ]---------------| 1
 *     position in the variants:  0 |[ control >     [ mcts >        | 1      > is where an arm grows
 *
 * A caller may rely on: an assignment is a function of the experiment and the unit alone; no change of shares moves a unit from one
 * arm into another.
 *
 * May include: base, core/json, core/stats.
 */
#ifndef WEIR_CORE_CHANGE_EXPERIMENT_H
#define WEIR_CORE_CHANGE_EXPERIMENT_H

#include "base/arena.h"
#include "base/base.h"
#include "core/change/bucket.h"
#include "core/change/guards.h"
#include "core/change/issues.h"
#include "core/json/json.h"
#include "core/stats/stats.h"

#define EXPERIMENT_ARMS_MAX 8
#define EXPERIMENT_ARM_NONE (-1)

struct experiment_arm {
    str name;
    uint32_t start; /* parts per million */
    uint32_t share;
    str overlay; /* JSON object: the configuration keys that the arm sets; empty: none, the base configuration */
};

/* What an experiment's results are about, in the unit that its name says. */
enum experiment_measure {
    EXPERIMENT_SUCCESS_RATE,
    EXPERIMENT_COST_USD,
    EXPERIMENT_LATENCY_MS,
    EXPERIMENT_HRM_CONFIDENCE,
    EXPERIMENT_TRM_CONFIDENCE,
    EXPERIMENT_MEASURE_COUNT
};
struct experiment_measure_info {
    const char *name; /* "success_rate", … */
    bool less_is_better;
};
const struct experiment_measure_info *experiment_measure_info(enum experiment_measure measure);
bool experiment_measure_find(str name, enum experiment_measure *out);

#define EXPERIMENT_FLOOR_MIN 0.01
#define EXPERIMENT_FLOOR_MAX 0.05
#define EXPERIMENT_EVERY_MIN NSEC_PER_SEC

struct experiment_tracking {
    bool is_on; /* else the shares stay as they are */
    enum experiment_measure measure; /* of which the best arm is wanted */
    double epsilon; /* differences up to this do not matter; in the measure's unit */
    double delta; /* chance that "known" is wrong */
    double floor; /* of each arm, as a part of what the arms have together */
    nsec every; /* an epoch lasts at least this long */
};

/* Filled by the caller (or experiment_read), then prepared. Texts are the caller's and must outlive it. */
struct experiment {
    str id; /* never changes: it is a part of the salts */
    str seed; /* may be empty; another seed deals the units anew */
    enum bucket_scheme
        scheme; /* growthbook_v2: the salt is the seed, or the id without one; no layer, no inclusion */
    str layer; /* empty: a layer of its own */
    struct share_range inclusion;
    struct experiment_arm arms[EXPERIMENT_ARMS_MAX]; /* the first is the control */
    size_t arm_count; /* 2..EXPERIMENT_ARMS_MAX */
    struct experiment_tracking tracking;

    struct bucket_salt inclusion_salt; /* made by experiment_prepare */
    struct bucket_salt variant_salt;
};

/* Checks everything and makes the salts. CALLER_BAD_REQUEST with what is wrong in issues. */
NODISCARD enum err experiment_prepare(struct experiment *e, struct change_issues *issues);
/* Adds an issue for each pair whose inclusion ranges overlap in one layer, or whose ids are equal. All prepared. */
void experiments_check(const struct experiment *const *list, size_t count,
                       struct change_issues *issues);

/*
 * A JSON object: {"id": "mcts_validation", "seed": "1", "scheme": "weir", "layer": "reasoning", "inclusion": [0, 0.5],
 * "arms": [{"name": "control", "share": 0.05}, {"name": "mcts", "start": 0.5, "share": 0.05, "overlay": {"use_mcts": true}}]}
 * Only id, arms, name and share are needed. Shares are numbers (0.07) or texts ("7%"). Without a start, arm i of k starts
 * at i/k, so that each may grow to an equal part. Spans point into text, which must outlive out; it is prepared.
 */
NODISCARD enum err experiment_read(struct experiment *out, str text, struct change_issues *issues);

enum experiment_why {
    EXPERIMENT_NO_UNIT, /* nothing identifies the request */
    EXPERIMENT_NOT_INCLUDED, /* outside the inclusion range */
    EXPERIMENT_BETWEEN_ARMS, /* no arm owns its position */
    EXPERIMENT_ASSIGNED,
};
struct experiment_assignment {
    int arm; /* index, or EXPERIMENT_ARM_NONE */
    enum experiment_why why;
    struct bucket inclusion;
    struct bucket variant;
};
struct experiment_assignment experiment_assign(const struct experiment *e, str unit);
/* Why a unit is where it is, in a sentence with the salts, positions and ranges. */
void experiment_explain(const struct experiment *e, str unit, struct buf *out);

/* ---- what was seen ---- */
#define EXPERIMENT_LATENCY_LIMIT                                                                   \
    (2 * NSEC_PER_SEC) /* latency_p95 is compared as the share of queries over this */

struct experiment_arm_sums {
    int64_t exposures; /* units, each once */
    int64_t cached; /* answers from the cache: counted apart, not compared */
    struct moments
        metrics[CHANGE_METRIC_COUNT]; /* of values in the metrics' units, as in guards.h */
};
/* Of one phase: begin anew when shares change, else early and late traffic mix in different proportions. Zero-initialised is
 * empty. */
struct experiment_sums {
    struct experiment_arm_sums arms[EXPERIMENT_ARMS_MAX];
};
/* Both ignore assignments to no arm. */
void experiment_expose(struct experiment_sums *sums, const struct experiment_assignment *a);
void experiment_observe(struct experiment_sums *sums, const struct experiment_assignment *a,
                        const struct outcome *outcome);
void experiment_sums_merge(struct experiment_sums *sums, const struct experiment_sums *other);
/* JSON, "version": 1. */
void experiment_sums_write(const struct experiment_sums *sums, size_t arm_count, struct buf *out);
/* CALLER_BAD_REQUEST for what experiment_sums_write() could not have written for so many arms. */
NODISCARD enum err experiment_sums_read(struct json value, size_t arm_count,
                                        struct experiment_sums *out);

/* ---- what it says, at any time: sequential, so looking often costs nothing ---- */
struct experiment_comparison { /* of one arm with the control, in one metric */
    struct interval diff; /* arm minus control, two-sided at alpha; of costs relative */
    double p; /* always valid */
    double p_adjusted; /* by Holm over all arms and metrics that can be compared */
    bool is_valid; /* enough was seen */
    enum stats_verdict verdict; /* superior is better for people: fewer errors, more success */
};
struct experiment_cell {
    int64_t n;
    double mean;
    struct experiment_comparison against_control; /* of the control itself: not valid */
};
struct experiment_results {
    double srm_log_bayes;
    bool
        is_trusted; /* false: the arms' units are not split as meant; every verdict is inconclusive then */
    struct experiment_cell cells[EXPERIMENT_ARMS_MAX][CHANGE_METRIC_COUNT];
};
/* alpha in (0, 1), .05 is usual. */
void experiment_results(const struct experiment *e, const struct experiment_sums *sums,
                        double alpha, struct experiment_results *out);

/*
 * ---- adaptive shares (track and stop) ----
 *
 * Time is cut into epochs; within one the shares are fixed. At its end they may be set anew, so that the best arm is known soonest.
 * An arm grows and shrinks at its end, within the room that is its own: a unit is in its arm or in none, never in another one,
 * whatever the shares become. Epochs are strata (see stats.h), so that shares which follow the results do not bias the means.
 */
#define EXPERIMENT_EPOCHS_MAX 64 /* then the shares stay */
#define EXPERIMENT_EPOCH_N_MIN 30 /* answers of each arm before an epoch may end */
#define EXPERIMENT_MOVE_MIN 0.01 /* of the experiment's units; less is not worth an epoch */

enum experiment_look {
    EXPERIMENT_WAITS, /* too little was seen of some arm in the newest epoch */
    EXPERIMENT_STAYS, /* the shares are about as they should be */
    EXPERIMENT_MOVES, /* an epoch with the new shares should begin */
    EXPERIMENT_KNOWS, /* the best arm is known, with error at most delta: stop */
};
struct experiment_allocation {
    uint32_t shares[EXPERIMENT_ARMS_MAX]; /* sum to what the arms have now */
    size_t best; /* arm, so far */
};
/* One look. e: with the shares of the newest epoch, tracking on, prepared. seen: the measure's values of each epoch and arm, at least one
 * epoch. */
enum experiment_look experiment_track(const struct experiment *e, const struct strata *seen,
                                      struct experiment_allocation *out);
/* Of experiment_prepare(). */
void experiment_tracking_check(const struct experiment *e, struct change_issues *issues);

#endif
