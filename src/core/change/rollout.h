/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rollout: a new configuration takes over from an old one step by step, under guards, and goes back by itself.
 *
 *      draft ---> running(step) ---> ... ---> baking ---> completed       baking: 100 % less the holdback
 *                   ^  |                       ^  |
 *                   |  v                       |  v                       aborted: from anywhere but superseded;
 *                 paused(reason) <-------------'--'                                only retry leads out of it
 *                                                                         superseded: by a newer rollout
 *
 * Time and data come in: rollout_observe() adds what was seen, rollout_tick() decides. A decision to move is a row; the owner
 * commits the row to durable storage and only then calls rollout_apply(), which is the one function that changes the state,
 * also when rows are read back after a crash. A row that could not be committed has changed nothing.
 *
 * A caller may rely on:
 *   - within a tick the order is: configuration changed; abort asked for; a guard tripped; sample ratio and freshness of data;
 *     minimum time; minimum number; every guard shown to hold; approval; advance;
 *   - nobody who is in the canary leaves it while the rollout advances;
 *   - after rollout_restore() it does not advance until outcomes newer than that have met the step's minimum;
 *   - time counts only while it is watched: a gap between ticks longer than the specification's adds nothing, nor does a
 *     clock that goes back, nor does a pause.
 *
 * May include: base, core/json, core/stats.
 */
#ifndef WEIR_CORE_CHANGE_ROLLOUT_H
#define WEIR_CORE_CHANGE_ROLLOUT_H

#include "base/arena.h"
#include "base/base.h"
#include "core/change/bucket.h"
#include "core/change/guards.h"
#include "core/change/issues.h"
#include "core/change/judge.h"

/* ---- the specification: a value; its texts must outlive every rollout that uses it ---- */
#define ROLLOUT_STEPS_MAX 8

struct rollout_step {
    uint32_t
        share; /* of the canary, parts per million; grows from step to step; the last is SHARE_WHOLE and bakes */
    int64_t time_min_us; /* > 0 */
    int64_t time_max_us; /* >= time_min_us; when it ends undecided, a human or a policy decides */
    int64_t n_min; /* outcomes of each arm, >= 1; of the holdback in proportion */
    bool needs_approval; /* to leave this step */
};
enum rollout_thin_policy {
    THIN_PAUSE,
    THIN_SHIP,
    THIN_ROLL_BACK
}; /* too little data at the end of a step */
enum rollout_common_policy { COMMON_PAUSE, COMMON_ROLL_BACK }; /* the control goes bad too */

struct rollout_spec {
    str id;
    str seed; /* may be empty */
    struct rollout_step steps[ROLLOUT_STEPS_MAX];
    size_t step_count;
    uint32_t holdback; /* parts that keep the old configuration while baking */
    struct guard_spec guards[CHANGE_METRIC_COUNT];
    size_t guard_count;
    struct guard_options guard_options; /* phases is ignored: it is the number of steps */
    enum rollout_thin_policy thin_data;
    enum rollout_common_policy common_cause;
    int64_t stale_after_us; /* without an outcome of an arm for so long, it does not advance */
    int64_t tick_gap_max_us;
    int64_t judge_us; /* how long a trip may wait for the control's evidence */
};
/* Guards and options by default; stale after 10 min, gap 5 min, judge 15 min, holdback 5 %; no steps yet. */
void rollout_spec_init(struct rollout_spec *spec, str id);
/* Adds what is wrong: "steps.1.share", "guards.0.trip". CALLER_BAD_REQUEST when anything is. */
NODISCARD enum err rollout_spec_check(const struct rollout_spec *spec,
                                      struct change_issues *issues);
uint64_t rollout_spec_hash(const struct rollout_spec *spec);

/* ---- the machine ---- */
enum rollout_state {
    ROLLOUT_DRAFT,
    ROLLOUT_RUNNING,
    ROLLOUT_PAUSED,
    ROLLOUT_BAKING,
    ROLLOUT_COMPLETED,
    ROLLOUT_ABORTED,
    ROLLOUT_SUPERSEDED,
    ROLLOUT_STATE_COUNT
};
struct rollout_place {
    enum rollout_state state;
    size_t step; /* a paused one keeps it */
};

/* Why a move was made. The first seven are those a pause can have. */
/* clang-format off */
#define ROLLOUT_REASON_TABLE(X)                                                                   \
    X(MANUAL,         "manual",         "somebody asked for it")                                   \
    X(INCONCLUSIVE,   "inconclusive",   "what was seen does not decide")          \
    X(SAMPLE_RATIO,   "sample_ratio",   "the arms' traffic is not split as it was meant")          \
    X(NO_DATA,        "no_data",        "the step's time is over with too little data")            \
    X(COMMON_CAUSE,   "common_cause",   "the old configuration has gone bad too")                  \
    X(APPROVAL,       "approval",       "an approval is needed to go on")                          \
    X(CONFIG_CHANGED, "config_changed", "the configuration is not the one that was started")       \
    X(STARTED,        "started",        "the first step begins")                                   \
    X(RESUMED,        "resumed",        "it goes on where it was paused")                          \
    X(SHOWN,          "shown",          "every guard is shown to hold")                            \
    X(PROMOTED,       "promoted",       "somebody moved it on")                                    \
    X(THIN_DATA,      "thin_data",      "the policy for too little data")                          \
    X(GUARD,          "guard",          "a guard tripped")                                         \
    X(ROLLBACK,       "rollback",       "somebody rolled it back")                                 \
    X(RETRIED,        "retried",        "a new attempt begins")                                    \
    X(NEWER,          "newer",          "a newer rollout takes its place")
/* clang-format on */
enum rollout_reason {
#define X(name, text, sentence) ROLLOUT_FOR_##name,
    ROLLOUT_REASON_TABLE(X)
#undef X
        ROLLOUT_REASON_COUNT
};
const char *rollout_state_name(enum rollout_state s); /* "draft", … */
bool rollout_state_find(str name, enum rollout_state *out);
const char *rollout_reason_name(enum rollout_reason r);
bool rollout_reason_find(str name, enum rollout_reason *out);
const char *rollout_reason_text(enum rollout_reason r); /* a clause for people */

enum rollout_arm { ARM_BASELINE, ARM_CONTROL, ARM_CANARY, ARM_HOLDBACK, ROLLOUT_ARM_COUNT };
const char *
rollout_arm_name(enum rollout_arm arm); /* "baseline", "control", "canary", "holdback" */

struct rollout { /* the caller's; fields are for reading */
    const struct rollout_spec *spec;
    struct guard_plan plan;
    struct bucket_salt salt;

    struct rollout_place place;
    enum rollout_reason reason; /* of the last move */
    int64_t sequence; /* of the last row */
    int64_t generation; /* moves made */
    int64_t attempt; /* 1, 2, … */
    int64_t
        phase; /* number of the sums below: outcomes of requests assigned in another phase do not count */
    uint64_t config_hash;

    struct change_sums sums; /* of the phase */
    int64_t exposures[ROLLOUT_ARM_COUNT];
    int64_t late; /* outcomes of other phases */
    int64_t watched_us;
    usec_utc last_outcome[SIDE_COUNT]; /* INT64_MIN: none */
    int64_t n_before[SIDE_COUNT]; /* outcomes from before a restart */
    bool is_restored; /* since this phase began */
    struct judge judges[CHANGE_METRIC_COUNT];

    bool has_ticked;
    usec_utc last_tick; /* or move */
};

/* A draft. CALLER_BAD_REQUEST with issues when the specification is wrong. */
NODISCARD enum err rollout_init(struct rollout *r, const struct rollout_spec *spec,
                                struct change_issues *issues);

/* ---- routing ---- */
struct rollout_snapshot { /* immutable; swap the whole */
    struct bucket_salt salt;
    int64_t phase;
    int64_t generation;
    uint32_t canary_to; /* [0, canary_to) is the canary's */
    uint32_t control_from; /* [control_from, SHARE_WHOLE) is the control's or the holdback */
    bool is_baking;
};
void rollout_snapshot(const struct rollout *r, struct rollout_snapshot *out);

struct
    rollout_assignment { /* the request keeps it until its outcome, whatever happens to the rollout */
    enum rollout_arm arm;
    int64_t phase;
    struct bucket bucket;
    struct unit unit;
};
/* Without any id: baseline, unless the rollout is completed. */
struct rollout_assignment rollout_assign(const struct rollout_snapshot *s,
                                         const struct unit_ids *ids);

/* ---- what was seen ---- */
/* Once per unit, when it first meets its arm: the sample ratio is counted on these. A request without any id was not dealt by
 * its bucket, and does not count. */
void rollout_expose(struct rollout *r, const struct rollout_assignment *a);
void rollout_observe(struct rollout *r, const struct rollout_assignment *a, usec_utc now,
                     const struct outcome *outcome);
/* The same for sums that were gathered elsewhere; last: of the newest outcome of each side, INT64_MIN for none. */
struct rollout_shard {
    int64_t phase;
    struct change_sums sums;
    int64_t exposures[ROLLOUT_ARM_COUNT];
    usec_utc last_outcome[SIDE_COUNT];
};
void rollout_absorb(struct rollout *r, const struct rollout_shard *shard);

/* ---- rows ---- */
enum rollout_operation {
    ROLLOUT_TICK, /* no operation: the machine itself */
    ROLLOUT_START,
    ROLLOUT_PAUSE,
    ROLLOUT_RESUME,
    ROLLOUT_PROMOTE, /* to the next step, also as the approval */
    ROLLOUT_PROMOTE_FULL, /* to baking */
    ROLLOUT_ABORT,
    ROLLOUT_ROLL_BACK, /* also from completed; to a revision */
    ROLLOUT_RETRY,
    ROLLOUT_SUPERSEDE,
    ROLLOUT_OPERATION_COUNT
};
const char *rollout_operation_name(
    enum rollout_operation o); /* "tick", "start", …, "promote_full", "rollback" */
bool rollout_operation_find(str name, enum rollout_operation *out);

enum rollout_refusal {
    ROLLOUT_ACCEPTED,
    ROLLOUT_STALE_GENERATION, /* it has moved since the operator looked */
    ROLLOUT_NOT_ALLOWED, /* in this state */
    ROLLOUT_GUARD_TRIPPED, /* it is not promoted over a guard that has tripped */
    ROLLOUT_REFUSAL_COUNT
};
const char *rollout_refusal_name(enum rollout_refusal r); /* "accepted", "stale_generation", … */
bool rollout_refusal_find(str name, enum rollout_refusal *out);

struct rollout_row {
    int64_t sequence;
    usec_utc time;
    str actor; /* "weir" for the machine itself */
    str note; /* the operator's words */
    str revision; /* that a rollback goes to; may be empty */
    int64_t generation; /* after it */
    int64_t attempt; /* after it */
    enum rollout_operation operation;
    enum rollout_refusal refusal; /* a refused one moves nothing: from == to */
    struct rollout_place from;
    struct rollout_place to;
    enum rollout_reason reason;
    uint32_t guards; /* bits by metric: those that tripped */
    uint64_t config_hash; /* that holds after it */
    struct guard_evidence evidence[CHANGE_METRIC_COUNT];
    size_t evidence_count;
};

/* ---- deciding ---- */
#define ROLLOUT_ANY_GENERATION (-1)
struct rollout_request {
    enum rollout_operation operation;
    str actor;
    str note;
    str revision;
    int64_t
        generation; /* that the operator saw, or ROLLOUT_ANY_GENERATION, as an emergency's abort should say */
    uint64_t config_hash; /* of now: what start, resume and retry adopt */
};
/* What an operation does: a row to commit and apply, refused or not. Texts are borrowed from the request. */
void rollout_operate(const struct rollout *r, usec_utc now, const struct rollout_request *request,
                     struct rollout_row *out);

struct rollout_inputs {
    uint64_t config_hash; /* of now */
    int64_t generation; /* that the storage holds */
    const struct rollout_request *abort; /* asked for since the last tick, or NULL */
};
enum rollout_hold {
    HOLD_NONE, /* it moves */
    HOLD_IDLE, /* draft, completed, aborted, superseded */
    HOLD_PAUSED,
    HOLD_OUTRUN, /* the storage holds another generation: somebody else moved it; restore from the rows */
    HOLD_JUDGING, /* a guard has tripped and the control is being looked at */
    HOLD_NO_TRAFFIC,
    HOLD_STALE_DATA,
    HOLD_TIME,
    HOLD_SAMPLES,
    HOLD_FRESH_SAMPLES, /* since the restart */
    HOLD_EVIDENCE, /* some guard is not shown to hold */
    HOLD_COUNT
};
const char *rollout_hold_name(enum rollout_hold h);
struct rollout_decision {
    bool has_row; /* commit it, then apply it */
    enum rollout_hold hold;
    uint32_t warned; /* bits by metric */
    uint32_t tripped; /* that act */
    uint32_t dry_tripped; /* that do not */
    uint32_t alarms; /* detectors, after completion: nothing moves by itself then */
    bool clock_went_back;
    struct rollout_row row;
};
void rollout_tick(struct rollout *r, usec_utc now, const struct rollout_inputs *in,
                  struct rollout_decision *out);

/* Makes a committed row true. CALLER_BAD_REQUEST, and nothing changes, when the row does not follow the last one. */
NODISCARD enum err rollout_apply(struct rollout *r, const struct rollout_row *row);

/* What the guards say now; gives how many. */
size_t rollout_evidence(const struct rollout *r, struct guard_evidence out[CHANGE_METRIC_COUNT]);

/* ---- durability ---- */
/* JSON, "version": 1. The sums are settled first, so that a restored rollout is the same in every bit. */
void rollout_checkpoint(struct rollout *r, struct buf *out);
void rollout_row_write(const struct rollout_row *row, str rollout_id, struct buf *out);
/* Texts are in the arena. */
NODISCARD enum err rollout_row_read(struct arena *arena, struct json value,
                                    struct rollout_row *out);
/*
 * From the last checkpoint (missing: none was made) and every row behind it, in order; rows that the checkpoint already knows
 * are skipped. CALLER_BAD_REQUEST with a sentence in *out_what (static) when they do not fit each other or the
 * specification, WEIR_NO_MEMORY; r is then untouched.
 */
NODISCARD enum err rollout_restore(struct rollout *r, const struct rollout_spec *spec,
                                   struct json checkpoint, const struct rollout_row *rows,
                                   size_t row_count, const char **out_what);

#endif
