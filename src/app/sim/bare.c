/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bare: bare triggers: the guards' own limits compared with the last few queries of the canary, at each of them, without any
 * statistics. They are here to be seen beside the guards, and for nothing else.
 */
#include <string.h>

#include "app/sim/rehearsal_internal.h"

#define SLOW_SHARE 0.05 /* of a window over its 95th percentile */

void bare_init(struct bare *b, const struct scenario *s, struct outcome *ring)
{
    *b = (struct bare){ .spec = &s->rollout->spec, .window = s->window, .ring = ring };
}

static nsec slow_limit(const struct bare *b)
{
    for (size_t i = 0; i < b->spec->guard_count; i++) {
        if (b->spec->guards[i].metric == CHANGE_LATENCY_P95)
            return (nsec)b->spec->guards[i].trip;
    }
    return NSEC_NEVER;
}

static void count(struct bare *b, const struct outcome *o, int sign)
{
    b->failed += sign * !o->is_success;
    b->errors += sign * o->is_error;
    b->slow += sign * (o->latency > slow_limit(b));
    b->cost += sign * (double)o->cost;
    if (o->hrm_confidence < 0)
        return;
    b->confident += sign;
    b->confidence += sign * o->hrm_confidence;
}

void bare_add(struct bare *b, const struct outcome *o)
{
    struct outcome *place = &b->ring[b->seen % b->window];

    if (b->seen >= b->window)
        count(b, place, -1);
    *place = *o;
    count(b, o, 1);
    b->seen++;
}

static bool is_beyond(const struct bare *b, const struct guard_spec *g)
{
    double n = (double)b->window;

    switch (g->metric) {
    case CHANGE_SUCCESS_RATE:
        return 1 - (double)b->failed / n < g->trip;
    case CHANGE_ERROR_RATE:
        return (double)b->errors / n > g->trip;
    case CHANGE_HRM_CONFIDENCE_MEAN:
        return b->confident > 0 && b->confidence / (double)b->confident < g->trip;
    case CHANGE_COST_PER_QUERY:
        return b->cost / n > g->trip;
    case CHANGE_LATENCY_P95:
        return (double)b->slow / n > SLOW_SHARE;
    case CHANGE_TRM_CONFIDENCE_MEAN: /* has no trigger */
    case CHANGE_METRIC_COUNT:
        break;
    }
    return false;
}

uint32_t bare_tripped(const struct bare *b)
{
    uint32_t bits = 0;

    for (size_t i = 0; b->seen >= b->window && i < b->spec->guard_count; i++) {
        if (!b->spec->guards[i].is_dry_run && is_beyond(b, &b->spec->guards[i]))
            bits |= 1u << b->spec->guards[i].metric;
    }
    return bits;
}
