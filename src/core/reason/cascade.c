/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cascade: two cheap answers at once, and a stronger model where they disagree. The second answer is the peer
 * model's, else the main model's in a program-like format. A verifier's word stands above agreement: what passes
 * ends it, what was refused counts as disagreement. So does an answer that did not come.
 */
#include "core/reason/reason_internal.h"

enum { MAIN, SECOND };

static bool ask(struct reason *r, int which, const struct call_plan *as)
{
    struct call_plan plan = *as;

    plan.parent = r->last_id;
    plan.values.at[SLOT_QUESTION] = r->question;
    plan.values.at[SLOT_FORMAT] = r->format;
    r->pair[which] = (struct sample){ .id = reason_queue(r, &plan), .role = plan.role };
    return r->pair[which].id != 0;
}

static enum state ask_pair(struct reason *r)
{
    static const struct call_plan peer = { .role = ROLE_DIRECT, .model = REASON_MODEL_PEER },
                                  program = { .role = ROLE_PROGRAM };
    struct call_plan second = r->config.cascade.has_peer ? peer : program;

    r->attempts++;
    second.label = r->config.cascade.has_peer ? STR("peer") : STR("second opinion");
    if (!ask(r, MAIN, &(struct call_plan){ .role = ROLE_DIRECT, .label = STR("main") }) ||
        !ask(r, SECOND, &second))
        return reason_finish(r, "call limit");
    return STATE_PAIRING;
}

static bool has_answer(const struct sample *s)
{
    return s->candidate.answer.len > 0;
}

/* Votes and agreement of what was told so far. */
static void pair_rate(struct reason *r)
{
    struct sample *main = &r->pair[MAIN], *second = &r->pair[SECOND];
    bool has_both = has_answer(main) && has_answer(second);
    bool agrees = has_both && samples_agree(r, main, second);

    r->votes = (struct votes){ 0 };
    if (has_answer(main))
        candidate_vote(r, main->candidate.canonical);
    if (has_answer(second))
        candidate_vote(r, agrees ? main->candidate.canonical : second->candidate.canonical);
    if (has_both)
        main->candidate.agreement = second->candidate.agreement = agrees ? 1.0 : 0.0;
    candidate_rate(r, &main->candidate);
    candidate_rate(r, &second->candidate);
}

/* Reads what was told; true when both were. */
static bool pair_told(struct reason *r)
{
    for (int i = MAIN; i <= SECOND; i++) {
        struct call_slot *slot = reason_slot(r, r->pair[i].id);
        if (slot->state != CALL_TOLD || slot->is_used)
            continue;
        slot->is_used = true;
        sample_read(r, &r->pair[i], &slot->reply);
    }
    pair_rate(r);
    return r->pair[MAIN].is_told && r->pair[SECOND].is_told;
}

/* The better of the two so far, the main model's when they are equal. */
static void adopt_better(struct reason *r)
{
    const struct sample *main = &r->pair[MAIN], *second = &r->pair[SECOND];
    bool is_second = !has_answer(main) || (has_answer(second) && second->candidate.confidence >
                                                                     main->candidate.confidence);

    if (!arena_failed(r->arena) && has_answer(is_second ? second : main))
        r->best = is_second ? second->candidate : main->candidate;
}

static const char *halt_of(const struct reason *r)
{
    bool has_peer = r->config.cascade.has_peer;

    if (!has_answer(&r->pair[MAIN]))
        return "main model failed";
    if (!has_answer(&r->pair[SECOND]))
        return has_peer ? "peer failed" : "second opinion failed";
    return has_peer ? "models differ" : "formats differ";
}

static enum state disagree(struct reason *r)
{
    if (r->config.cascade.has_strong)
        return STATE_DECIDING;
    if (r->best.answer.len > 0)
        return reason_finish(r, halt_of(r));
    if (!r->is_hopeless && r->attempts < OPENING_ATTEMPTS_MAX)
        return ask_pair(r);
    return reason_fail(r, r->fault);
}

enum state cascade_step_pairing(struct reason *r)
{
    const struct candidate *main = &r->pair[MAIN].candidate, *second = &r->pair[SECOND].candidate;

    if (r->attempts == 0)
        return ask_pair(r);
    bool both_told = pair_told(r);
    adopt_better(r);
    if (r->best.verdict == VERDICT_PASS)
        return reason_finish(r, "verified");
    if (!both_told)
        return STATE_PAIRING;
    bool is_refused = main->verdict == VERDICT_FAIL || second->verdict == VERDICT_FAIL;
    if (main->agreement < 0.5 || is_refused)
        return disagree(r);
    r->best = *main;
    return reason_finish(r, r->config.cascade.has_peer ? "models agree" : "formats agree");
}

/* ---- the stronger model ---- */

static enum state ask_strong(struct reason *r)
{
    r->attempts++;
    r->current = reason_queue(
        r, &(struct call_plan){
               .role = ROLE_DIRECT,
               .model = REASON_MODEL_STRONG,
               .label = r->attempts == 1 ? STR("stronger model") : STR("stronger model (again)"),
               .parent = r->last_id,
               .values.at = { [SLOT_QUESTION] = r->question, [SLOT_FORMAT] = r->format },
           });
    return r->current == 0 ? reason_finish(r, "call limit") : STATE_DECIDING;
}

enum state cascade_step_deciding(struct reason *r)
{
    if (r->current == 0)
        return ask_strong(r);
    const struct reply *reply = reason_take(r);
    if (!reply)
        return STATE_DECIDING;
    if (reply->answer.len == 0) {
        if (r->best.answer.len > 0)
            return reason_finish(r, "stronger model failed");
        if (reply_may_improve(reply) && r->attempts < OPENING_ATTEMPTS_MAX)
            return ask_strong(r);
        return reason_fail(r, reply->fault);
    }
    struct candidate c = candidate_judge(r, reply->answer, reply->stated);
    if (r->votes.total > 0)
        c.agreement = votes_for(r, c.canonical) > 0 ? 1.0 : 0.0;
    candidate_vote(r, c.canonical);
    candidate_rate(r, &c);
    if (!arena_failed(r->arena))
        r->best = c;
    return reason_finish(r, "stronger model");
}
