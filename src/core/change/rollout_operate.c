/* SPDX-License-Identifier: Apache-2.0 */
/* rollout_operate: what somebody asks of a rollout: where it may be asked, and where it leads. */
#include "core/change/rollout_internal.h"

#define IN(state) (1u << (state))
#define LIVE (IN(ROLLOUT_RUNNING) | IN(ROLLOUT_BAKING))

static const struct operation_row {
    unsigned from;
    enum rollout_reason reason;
    bool goes_on; /* over a step's checks: not over a guard that has tripped */
    bool adopts_config;
} operations[ROLLOUT_OPERATION_COUNT] = {
    /* clang-format off */
    [ROLLOUT_TICK]         = { 0,                                             ROLLOUT_FOR_MANUAL,   false, false },
    [ROLLOUT_START]        = { IN(ROLLOUT_DRAFT),                             ROLLOUT_FOR_STARTED,  false, true },
    [ROLLOUT_PAUSE]        = { LIVE,                                          ROLLOUT_FOR_MANUAL,   false, false },
    [ROLLOUT_RESUME]       = { IN(ROLLOUT_PAUSED),                            ROLLOUT_FOR_RESUMED,  false, true },
    [ROLLOUT_PROMOTE]      = { LIVE | IN(ROLLOUT_PAUSED),                     ROLLOUT_FOR_PROMOTED, true,  false },
    [ROLLOUT_PROMOTE_FULL] = { IN(ROLLOUT_RUNNING) | IN(ROLLOUT_PAUSED),      ROLLOUT_FOR_PROMOTED, true,  false },
    [ROLLOUT_ABORT]        = { LIVE | IN(ROLLOUT_DRAFT) | IN(ROLLOUT_PAUSED), ROLLOUT_FOR_MANUAL,   false, false },
    [ROLLOUT_ROLL_BACK]    = { LIVE | IN(ROLLOUT_PAUSED) | IN(ROLLOUT_COMPLETED), ROLLOUT_FOR_ROLLBACK, false, false },
    [ROLLOUT_RETRY]        = { IN(ROLLOUT_ABORTED),                           ROLLOUT_FOR_RETRIED,  false, true },
    [ROLLOUT_SUPERSEDE]    = { LIVE | IN(ROLLOUT_DRAFT) | IN(ROLLOUT_PAUSED) | IN(ROLLOUT_COMPLETED) | IN(ROLLOUT_ABORTED),
                               ROLLOUT_FOR_NEWER, false, false },
    /* clang-format on */
};

static struct rollout_place target_of(const struct rollout *r, enum rollout_operation operation)
{
    const struct rollout_spec *spec = r->spec;
    struct rollout_place place = r->place;

    switch (operation) {
    case ROLLOUT_START:
    case ROLLOUT_RETRY:
        return rollout_step_place(spec, 0);
    case ROLLOUT_PAUSE:
        place.state = ROLLOUT_PAUSED;
        break;
    case ROLLOUT_RESUME:
        return rollout_step_place(spec, place.step);
    case ROLLOUT_PROMOTE:
        return rollout_next_place(spec, place.step);
    case ROLLOUT_PROMOTE_FULL:
        return rollout_step_place(spec, spec->step_count - 1);
    case ROLLOUT_ABORT:
    case ROLLOUT_ROLL_BACK:
        place.state = ROLLOUT_ABORTED;
        break;
    case ROLLOUT_SUPERSEDE:
        place.state = ROLLOUT_SUPERSEDED;
        break;
    case ROLLOUT_TICK:
    case ROLLOUT_OPERATION_COUNT:
        break;
    }
    return place;
}

static bool any_guard_trips(const struct rollout *r)
{
    for (size_t i = 0; i < r->plan.count; i++) {
        struct guard_evidence e;
        guard_judge(&r->plan, &r->sums, i, &e);
        if (!e.is_dry_run && (e.tripped_by != 0 || r->judges[e.metric].verdict != JUDGE_NONE))
            return true;
    }
    return false;
}

static enum rollout_refusal refusal_of(const struct rollout *r,
                                       const struct rollout_request *request)
{
    const struct operation_row *row = &operations[request->operation];
    bool is_last = r->place.step + 1 == r->spec->step_count;

    if (request->generation != ROLLOUT_ANY_GENERATION && request->generation != r->generation)
        return ROLLOUT_STALE_GENERATION;
    if ((row->from & IN(r->place.state)) == 0)
        return ROLLOUT_NOT_ALLOWED;
    if (request->operation == ROLLOUT_PROMOTE_FULL && is_last)
        return ROLLOUT_NOT_ALLOWED; /* it is there already */
    if (row->goes_on && any_guard_trips(r))
        return ROLLOUT_GUARD_TRIPPED;
    return ROLLOUT_ACCEPTED;
}

void rollout_operate(const struct rollout *r, usec_utc now, const struct rollout_request *request,
                     struct rollout_row *out)
{
    const struct operation_row *row = &operations[request->operation];

    rollout_row_init(r, now, out);
    out->operation = request->operation;
    out->actor = request->actor;
    out->note = request->note;
    out->refusal = refusal_of(r, request);
    if (out->refusal != ROLLOUT_ACCEPTED)
        return;
    rollout_row_move(r, target_of(r, request->operation), row->reason, out);
    if (request->operation == ROLLOUT_ROLL_BACK)
        out->revision = request->revision;
    if (request->operation == ROLLOUT_RETRY)
        out->attempt++;
    if (row->adopts_config)
        out->config_hash = request->config_hash;
}
