/* SPDX-License-Identifier: Apache-2.0 */
/*
 * full_stack: hrm_trm first, and what its result calls for.
 *
 *     hrm_trm ~~> CHOOSING --- verified, or confident ------------------------------------------> DONE
 *                    |-------- the search has something to go by: SEARCHING ~~~~~~~~~~~~~~~~~~~~> DONE
 *                    |-------- SAMPLING ~~~ the vote settles on the same answer -----------------> DONE
 *                    |             '------- it does not, or on another: DECIDING ~~~~~~~~~~~~~~~> DONE
 *                    '-------- nothing came and asking the same model is hopeless: DECIDING      a wavy line waits
 *
 * What a search may go by: a verifier that states conditions but does not know the answer, or the model's own values
 * where they were measured to tell good steps from bad ones. With less, search does worse than sampling, and costs
 * more. DECIDING needs a stronger model; without one the better answer stands.
 */
#include "core/reason/reason_internal.h"

/* A judge of less accuracy makes search worse than sampling. */
#define VALUE_AUROC_MIN 0.9

static bool search_pays(const struct reason *r)
{
    bool has_conditions =
        r->verifier.kind != VERIFY_NONE && !verifier_knows_answer(r->verifier.kind);

    return has_conditions || r->config.mcts.value_auroc >= VALUE_AUROC_MIN;
}

enum state full_step_choosing(struct reason *r)
{
    const struct candidate *best = &r->best;

    r->has_chosen = true;
    r->slots_max = calls_limit(r);
    if (r->stage == STAGE_TRM)
        r->trm_confidence = best->confidence;
    r->stage = STAGE_DIRECT;
    if (best->verdict == VERDICT_PASS)
        return reason_finish(r, "verified");
    if (best->verdict != VERDICT_FAIL &&
        confidence_is_met(r, best->confidence, r->config.trm.confidence_threshold))
        return reason_finish(r, r->halt);
    if (best->answer.len == 0 && !err_info(r->fault)->retryable)
        return r->config.cascade.has_strong ? STATE_DECIDING : reason_fail(r, r->fault);
    return search_pays(r) ? STATE_SEARCHING : STATE_SAMPLING;
}

enum state full_after_vote(struct reason *r, const char *halt, bool has_settled)
{
    bool agrees =
        r->before.answer.len == 0 || forms_agree(r->arena, r->before.canonical, r->best.canonical);

    if (has_settled && agrees)
        return reason_finish(r, halt);
    if (r->config.cascade.has_strong)
        return STATE_DECIDING;
    if (r->best.answer.len == 0)
        return reason_fail(r, r->fault);
    return reason_finish(r, has_settled ? "vote differs" : halt);
}
