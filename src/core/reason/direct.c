/* SPDX-License-Identifier: Apache-2.0 */
/*
 * direct: one call. It is also how trm starts.
 */
#include "core/reason/reason_internal.h"

static enum state ask(struct reason *r)
{
    r->attempts++;
    r->current = reason_queue(
        r, &(struct call_plan){
               .role = ROLE_DIRECT,
               .label = r->attempts == 1 ? STR("direct") : STR("direct (again)"),
               .parent = r->last_id,
               .values.at = { [SLOT_QUESTION] = r->question, [SLOT_FORMAT] = r->format },
           });
    return r->current == 0 ? reason_finish(r, "call limit") : STATE_OPENING;
}

enum state direct_step_opening(struct reason *r)
{
    if (r->current == 0)
        return ask(r);
    const struct reply *reply = reason_take(r);
    if (!reply)
        return STATE_OPENING;
    if (reply->answer.len == 0) {
        if (reply_may_improve(reply) && r->attempts < OPENING_ATTEMPTS_MAX)
            return ask(r);
        return reason_fail(r, reply->fault);
    }
    struct candidate c = candidate_make(r, reply, NOT_AVAILABLE);
    candidate_offer(r, &c);
    return r->strategy == REASON_TRM ? STATE_JUDGING : reason_finish(r, "answered");
}
