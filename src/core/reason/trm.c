/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trm: refines on outside feedback only. Outside feedback is the verifier's verdict, or, where there is no
 * verdict, a second opinion in a program-like format, whose arithmetic is computed here and not
 * believed. A rewrite is kept only when it is worth more by min_improvement_delta, in calibrated confidence where
 * there is a calibration.
 */
#include "core/reason/reason_internal.h"

static enum state ask_opinion(struct reason *r)
{
    r->current = reason_queue(
        r, &(struct call_plan){
               .role = ROLE_PROGRAM,
               .label = STR("second opinion"),
               .parent = r->last_id,
               .values.at = { [SLOT_QUESTION] = r->question, [SLOT_FORMAT] = r->format },
           });
    return r->current == 0 ? reason_finish(r, "call limit") : STATE_JUDGING;
}

static str disagreement(struct reason *r, const struct reply *reply)
{
    if (r->opinion.has_value) {
        str exact = rational_text(r->arena, r->opinion.value);
        return arena_printf(r->arena,
                            "a calculation of the same question, %.*s, gives exactly %.*s.",
                            STR_ARG(str_slice(reply->expression, 0, 200)), STR_ARG(exact));
    }
    return arena_printf(r->arena, "an independent solution of the same question gives \"%.*s\".",
                        STR_ARG(str_slice(r->opinion.answer, 0, 200)));
}

static void remember(struct reason *r, str canonical)
{
    if (r->tried_count < ARRAY_LEN(r->tried))
        r->tried[r->tried_count++] = canonical;
}

static enum state judge(struct reason *r)
{
    struct candidate *best = &r->best;

    r->stage = STAGE_TRM;
    remember(r, best->canonical);
    switch (best->verdict) {
    case VERDICT_PASS:
        return reason_finish(r, "verified");
    case VERDICT_FAIL:
        r->feedback = best->why;
        return STATE_REFINING;
    case VERDICT_UNKNOWN:
        break;
    }
    if (confidence_is_met(r, best->confidence, r->config.trm.confidence_threshold))
        return reason_finish(r, "confident");
    if (!form_is_comparable(best->canonical))
        return reason_finish(r, "no outside feedback");
    return ask_opinion(r);
}

enum state trm_step_judging(struct reason *r)
{
    if (r->current == 0)
        return judge(r);
    const struct reply *reply = reason_take(r);
    if (!reply)
        return STATE_JUDGING;
    struct opinion opinion = opinion_read(r->arena, reply);
    if (!form_is_comparable(answer_canonical(r->arena, opinion.answer)))
        return reason_finish(r, "no outside feedback");
    r->opinion = opinion;
    bool agrees = opinion_agrees(r->arena, &opinion, r->best.answer);
    candidate_vote(r, agrees ? r->best.canonical : answer_canonical(r->arena, opinion.answer));
    r->best.agreement = agrees ? 1.0 : 0.0;
    candidate_rate(r, &r->best);
    if (agrees)
        return reason_finish(r, "formats agree");
    r->feedback = disagreement(r, reply);
    return STATE_REFINING;
}

static enum state ask_refinement(struct reason *r)
{
    r->current =
        reason_queue(r, &(struct call_plan){
                            .role = ROLE_REFINE,
                            .label = arena_printf(r->arena, "refine (round %d)", r->rounds + 1),
                            .parent = r->last_id,
                            .values.at = { [SLOT_QUESTION] = r->question,
                                           [SLOT_ANSWER] = r->best.answer,
                                           [SLOT_FEEDBACK] = r->feedback,
                                           [SLOT_FORMAT] = r->format },
                        });
    return r->current == 0 ? reason_finish(r, "call limit") : STATE_REFINING;
}

static bool was_tried(const struct reason *r, str canonical)
{
    for (size_t i = 0; i < r->tried_count; i++) {
        if (str_eq(r->tried[i], canonical))
            return true;
    }
    return false;
}

/* Why to stop after a rewrite; NULL to go on. gain is how much more the rewrite is worth. */
static const char *halt_after(const struct reason *r, const struct candidate *c, bool was_seen,
                              double gain)
{
    if (r->best.verdict == VERDICT_PASS)
        return "verified";
    if (r->best.agreement > 0.5)
        return "formats agree";
    if (confidence_is_met(r, r->best.confidence, r->config.trm.confidence_threshold))
        return "confident";
    if (was_seen)
        return "same answer twice";
    /* A refused rewrite brings new feedback, so that standing still is not convergence. */
    if (c->verdict != VERDICT_FAIL && gain < r->config.trm.convergence_threshold &&
        gain > -r->config.trm.convergence_threshold)
        return "converged";
    if (r->rounds >= r->config.trm.max_refinement_iterations)
        return "refinements used up";
    return NULL;
}

enum state trm_step_refining(struct reason *r)
{
    if (r->current == 0)
        return ask_refinement(r);
    const struct reply *reply = reason_take(r);
    if (!reply)
        return STATE_REFINING;
    r->rounds++;
    if (reply->answer.len == 0) {
        if (reply_may_improve(reply) && r->rounds < r->config.trm.max_refinement_iterations)
            return ask_refinement(r);
        return reason_finish(r, "refinement failed");
    }
    struct candidate c = candidate_make(r, reply, NOT_AVAILABLE);
    bool was_seen = was_tried(r, c.canonical);
    if (!str_eq(r->tried[r->tried_count - 1], c.canonical))
        r->changes++;
    remember(r, c.canonical);
    if (str_eq(c.canonical, r->best.canonical))
        c.worst_sub = r->best.worst_sub;
    if (r->opinion.answer.len > 0)
        c.agreement = opinion_agrees(r->arena, &r->opinion, c.answer) ? 1.0 : 0.0;
    candidate_rate(r, &c);
    candidate_rate(r, &r->best);
    double gain = confidence_gain(r, r->best.confidence, c.confidence);
    /* Something known beats nothing known, whatever the difference. */
    if (c.confidence >= 0.0 && !arena_failed(r->arena) &&
        (r->best.confidence < 0.0 || gain >= r->config.trm.min_improvement_delta))
        r->best = c;
    const char *halt = halt_after(r, &c, was_seen, gain);
    if (halt)
        return reason_finish(r, halt);
    if (c.verdict == VERDICT_FAIL)
        r->feedback = arena_printf(r->arena, "%.*s Tried since: %.*s",
                                   STR_ARG(str_slice(r->feedback, 0, 800)), STR_ARG(c.why));
    return ask_refinement(r);
}
