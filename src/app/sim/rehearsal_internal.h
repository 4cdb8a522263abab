/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of app/sim share. */
#ifndef WEIR_APP_SIM_REHEARSAL_INTERNAL_H
#define WEIR_APP_SIM_REHEARSAL_INTERNAL_H

#include "app/control/windows.h"
#include "app/sim/behaviour_internal.h"
#include "app/sim/flights_internal.h"
#include "app/sim/rehearsal.h"
#include "app/sim/traffic_internal.h"

#define SECOND_US INT64_C(1000000)

/* Thresholds on the last few queries: what a strategy without statistics does. */
struct bare {
    const struct rollout_spec *spec;
    int64_t window;
    struct outcome *ring; /* of the last `window` outcomes of the canary */
    int64_t seen;
    int64_t failed, errors, slow, confident;
    double confidence; /* sum */
    double cost;
};
/* ring: window places, the caller's. */
void bare_init(struct bare *b, const struct scenario *s, struct outcome *ring);
void bare_add(struct bare *b, const struct outcome *o);
/* Bits by metric: the triggers that the window is beyond; 0 until it is full. */
uint32_t bare_tripped(const struct bare *b);

struct run {
    const struct scenario *scenario;
    uint64_t seed;
    struct rng rng; /* of outcomes */
    struct traffic traffic;
    struct behaviours behaviours;
    struct flights flights;
    struct bare bare;

    struct rollout rollout;
    struct rollout_snapshot snapshot;
    char labels[ROLLOUT_ARM_COUNT][ALERT_NAME_MAX];

    struct windows *windows; /* NULL without alerts */
    struct alert_machine *alerts;
    struct alert_policy policy;

    int64_t now_us; /* from the start */
    int64_t zero; /* the start, UTC */
    int64_t tick_us, alerts_us; /* the next ones */
    int64_t ticked_us; /* the last one that looked */
    bool has_news; /* an outcome since */
    int64_t approve_us; /* INT64_MAX: nobody is asked */
    int64_t moved_us; /* the last move */
    int64_t harm_us, trouble_us;
    int64_t canary_before_trouble;
    bool is_over;

    struct rehearsal *out;
    struct timeline *timeline;
    struct arena arena;
};

/* ---- timeline.c: nothing without a timeline ---- */
void timeline_note(struct run *r, const char *fmt, ...) PRINTF_LIKE(2, 3);
void timeline_arrival(struct run *r);
void timeline_outcome(struct run *r, const struct outcome *o);
void timeline_alert(struct run *r);
void timeline_move(struct run *r, const struct rollout_row *row);
/* The events that begin or end in (from, to]. */
void timeline_events(struct run *r, int64_t from, int64_t to);
void timeline_finish(struct run *r);
str timeline_duration(double seconds, char out[24]); /* "3 h 20 min" */

#endif
