/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hrm: plan, solve, join, check; then plan again with what the check found, for at most
 * h_module_layers cycles.
 *
 * Calls are spent where they may change the answer: a plan that answers confidently ends it; an
 * unsure answer without sub-questions is accepted with its low confidence, because asking the same
 * again brings nothing new, unless the caller's verifier refused it; a check is made only below the
 * threshold and while a cycle is left in which its finding could be used.
 */
#include "core/reason/reason_internal.h"

/* The answer of a model that was told to be wrong by its own check is believed half as much. */
#define UNSOUND_FACTOR 0.5

static enum state hrm_end(struct reason *r, const char *halt)
{
    r->hrm_confidence = r->best.confidence;
    return r->strategy == REASON_HRM ? reason_finish(r, halt) : STATE_JUDGING;
}

/* Without an answer of this cycle: an earlier one is still there, or all failed. */
static enum state hrm_give_up(struct reason *r, enum err fault, const char *halt)
{
    return r->best.answer.len > 0 ? hrm_end(r, halt) : reason_fail(r, fault);
}

static bool is_confident(const struct reason *r, const struct candidate *c)
{
    return c->verdict == VERDICT_PASS ||
           (c->verdict != VERDICT_FAIL &&
            confidence_is_met(r, c->confidence, r->config.hrm.confidence_threshold));
}

static bool has_cycle_left(const struct reason *r)
{
    return r->cycles < r->config.hrm.h_module_layers;
}

/* ---- planning ---- */

static enum state ask_plan(struct reason *r)
{
    if (r->attempts == 0) {
        r->cycles++;
        plan_reset(r);
    }
    r->attempts++;
    r->current = reason_queue(
        r, &(struct call_plan){
               .role = ROLE_PLAN,
               .label = r->cycles == 1 ? STR("plan")
                                       : arena_printf(r->arena, "plan (cycle %d)", r->cycles),
               .parent = r->last_id,
               .may_split = true,
               .values.at = { [SLOT_QUESTION] = r->question,
                              [SLOT_CONTEXT] = r->plan_context,
                              [SLOT_FORMAT] = r->format },
           });
    return r->current == 0 ? reason_finish(r, "call limit") : STATE_PLANNING;
}

static enum state plan_again(struct reason *r, const struct candidate *c, str problem)
{
    r->plan_context =
        arena_printf(r->arena, "An earlier answer was \"%.*s\". What is wrong with it: %.*s\n",
                     STR_ARG(str_slice(c->answer, 0, 400)), STR_ARG(str_slice(problem, 0, 400)));
    r->attempts = 0;
    r->current = 0;
    return STATE_PLANNING;
}

enum state hrm_step_planning(struct reason *r)
{
    if (r->current == 0)
        return ask_plan(r);
    const struct reply *reply = reason_take(r);
    if (!reply)
        return STATE_PLANNING;
    int parts = plan_split(r, 0, reply, r->last_id);
    if (reply->answer.len == 0 && parts == 0) {
        if (reply_may_improve(reply) && r->attempts < OPENING_ATTEMPTS_MAX)
            return ask_plan(r);
        return hrm_give_up(r, reply->fault, "no plan");
    }
    struct candidate c = { 0 };
    if (reply->answer.len > 0) {
        c = candidate_make(r, reply, NOT_AVAILABLE);
        candidate_offer(r, &c);
        if (is_confident(r, &c))
            return hrm_end(r, "confident");
    }
    if (parts > 0)
        return STATE_SOLVING;
    if (c.verdict == VERDICT_FAIL && r->strategy == REASON_HRM && has_cycle_left(r)) {
        (void)plan_again(r, &c, c.why);
        return ask_plan(r);
    }
    return hrm_end(r, "no sub-questions");
}

/* ---- solving ---- */

static const char split_hint[] = "Only if it is too hard to answer at once, add \"subquestions\": "
                                 "[{\"id\": \"a\", \"question\": \"...\", "
                                 "\"needs\": [], \"expression\": \"\"}].\n";

static bool ask_solve(struct reason *r, int index)
{
    struct node *n = &r->nodes[index];
    str facts = plan_facts(r, n->parent, n->needs);
    bool may_split = n->depth < r->config.hrm.max_decomposition_depth;
    str context = arena_printf(r->arena, "%s%.*s%.*s%s", facts.len > 0 ? "Known facts:\n" : "",
                               STR_ARG(facts), STR_ARG(n->feedback), may_split ? split_hint : "");

    n->attempts++;
    n->state = NODE_ASKED;
    return reason_queue(
               r, &(struct call_plan){
                      .role = ROLE_SOLVE,
                      .label = arena_printf(r->arena, "solve %.*s (try %d)",
                                            STR_ARG(str_slice(n->id, 0, 32)), n->attempts),
                      .parent = n->cause,
                      .node = index,
                      .is_apart = true,
                      .may_split = may_split,
                      .values.at = { [SLOT_QUESTION] = n->question, [SLOT_CONTEXT] = context },
                  }) != 0;
}

static bool ask_join(struct reason *r, int index)
{
    struct node *n = &r->nodes[index];

    n->is_joining = true;
    return reason_queue(r, &(struct call_plan){
                               .role = ROLE_SYNTHESIS,
                               .label = arena_printf(r->arena, "join %.*s",
                                                     STR_ARG(str_slice(n->id, 0, 32))),
                               .parent = n->cause,
                               .node = index,
                               .is_apart = true,
                               .values.at = { [SLOT_QUESTION] = n->question,
                                              [SLOT_CONTEXT] = plan_facts(r, index, UINT32_MAX) },
                           }) != 0;
}

static void node_settle(struct node *n, str answer, const struct signals *signals)
{
    n->answer = answer;
    n->confidence = confidence_combine(signals, NOT_AVAILABLE);
    n->state = answer.len > 0 ? NODE_SOLVED : NODE_FAILED;
}

static const struct signals no_signals = {
    .stated = NOT_AVAILABLE,
    .vote_share = NOT_AVAILABLE,
    .margin = NOT_AVAILABLE,
    .agreement = NOT_AVAILABLE,
    .worst_sub = NOT_AVAILABLE,
    .verifier = NOT_AVAILABLE,
    .stability = NOT_AVAILABLE,
};

static void join_told(struct reason *r, int index, const struct reply *reply)
{
    struct node *n = &r->nodes[index];
    struct signals signals = no_signals;

    signals.worst_sub = plan_worst(r, index);
    signals.stated = reply->stated;
    /* When the joining failed, the answer given before the split has to do. */
    node_settle(n, reply->answer.len > 0 ? reply->answer : n->answer, &signals);
}

/* Does the arithmetic that the model wrote down give another value than it says? */
static bool contradicts_itself(struct reason *r, const struct reply *reply, struct rational *out)
{
    return reply->expression.len > 0 && arithmetic_evaluate(reply->expression, NULL, out) &&
           !answer_states(r->arena, reply->answer, *out);
}

static void solve_told(struct reason *r, int index, uint32_t id, const struct reply *reply)
{
    struct node *n = &r->nodes[index];
    struct signals signals = no_signals;
    bool may_try = reply_may_improve(reply) && n->attempts < r->config.hrm.l_module_iterations;
    struct rational value;

    n->cause = id;
    /* Calibrations know whole questions only: of a part, the model's own number has to do. */
    bool is_unsure = reply->stated < r->config.hrm.confidence_threshold;
    if (reply->fault == OK && is_unsure && plan_split(r, index, reply, id) > 0) {
        n->answer = reply->answer;
        n->state = NODE_SPLIT;
        return;
    }
    if (reply->answer.len == 0) {
        r->fault = reply->fault != OK ? reply->fault : PROVIDER_GARBAGE;
        n->state = may_try ? NODE_WAITING : NODE_FAILED;
        return;
    }
    signals.stated = reply->stated;
    if (contradicts_itself(r, reply, &value)) {
        if (may_try) {
            str exact = rational_text(r->arena, value);
            n->feedback =
                arena_printf(r->arena, "An earlier try said %.*s, but %.*s is %.*s.\n",
                             STR_ARG(str_slice(reply->answer, 0, 200)),
                             STR_ARG(str_slice(reply->expression, 0, 200)), STR_ARG(exact));
            n->state = NODE_WAITING;
            return;
        }
        signals.verifier = 0.0;
    }
    node_settle(n, reply->answer, &signals);
}

static void nodes_told(struct reason *r)
{
    for (uint32_t id = 1; id <= r->slot_count; id++) {
        struct call_slot *slot = reason_slot(r, id);
        if (slot->state != CALL_TOLD || slot->is_used || slot->node == 0)
            continue;
        slot->is_used = true;
        if (r->nodes[slot->node].is_joining)
            join_told(r, slot->node, &slot->reply);
        else
            solve_told(r, slot->node, slot->call.id, &slot->reply);
    }
}

/* Advances what can be advanced; false when the machine has no calls left. */
static bool nodes_advance(struct reason *r)
{
    bool has_changed;

    do {
        has_changed = false;
        for (int i = 1; i < r->node_count; i++) {
            struct node *n = &r->nodes[i];
            if (n->state == NODE_WAITING && plan_needs_settled(r, i)) {
                has_changed = true;
                if (!plan_compute(r, i) && !ask_solve(r, i))
                    return false;
            } else if (n->state == NODE_SPLIT && !n->is_joining && plan_children_settled(r, i)) {
                has_changed = true;
                if (!ask_join(r, i))
                    return false;
            }
        }
    } while (has_changed);
    return true;
}

static bool has_solved(const struct reason *r)
{
    for (int i = 1; i < r->node_count; i++) {
        if (r->nodes[i].parent == 0 && r->nodes[i].state == NODE_SOLVED)
            return true;
    }
    return false;
}

/* One call is left: what is not solved now stays unsolved. */
static void nodes_abandon(struct reason *r)
{
    for (uint32_t id = 1; id <= r->slot_count; id++) {
        if (reason_slot(r, id)->state == CALL_QUEUED)
            reason_slot(r, id)->state = CALL_DROPPED;
    }
    for (int i = 1; i < r->node_count; i++) {
        struct node *n = &r->nodes[i];
        if (n->state != NODE_SOLVED)
            n->state = n->answer.len > 0 ? NODE_SOLVED : NODE_FAILED;
    }
}

enum state hrm_step_solving(struct reason *r)
{
    nodes_told(r);
    if (r->is_hurried)
        nodes_abandon(r);
    else if (!nodes_advance(r))
        return reason_finish(r, "call limit");
    if (!plan_children_settled(r, 0))
        return STATE_SOLVING;
    /* Without facts the synthesis would be the plan's guess again, unless there is no guess. */
    if (!has_solved(r) && (r->best.answer.len > 0 || !r->is_hurried))
        return hrm_give_up(r, r->fault, "sub-questions failed");
    return STATE_SYNTHESIS;
}

/* ---- synthesis and check ---- */

static enum state ask_synthesis(struct reason *r)
{
    r->attempts++;
    r->facts = plan_facts(r, 0, UINT32_MAX);
    r->current = reason_queue(r, &(struct call_plan){
                                     .role = ROLE_SYNTHESIS,
                                     .label = STR("synthesis"),
                                     .parent = r->last_id,
                                     .values.at = { [SLOT_QUESTION] = r->question,
                                                    [SLOT_CONTEXT] = r->facts,
                                                    [SLOT_FORMAT] = r->format },
                                 });
    return r->current == 0 ? reason_finish(r, "call limit") : STATE_SYNTHESIS;
}

enum state hrm_step_synthesis(struct reason *r)
{
    if (r->current == 0)
        return ask_synthesis(r);
    const struct reply *reply = reason_take(r);
    if (!reply)
        return STATE_SYNTHESIS;
    if (reply->answer.len == 0) {
        if (reply_may_improve(reply) && r->attempts < OPENING_ATTEMPTS_MAX)
            return ask_synthesis(r);
        return hrm_give_up(r, reply->fault, "no synthesis");
    }
    r->fresh = candidate_make(r, reply, plan_worst(r, 0));
    candidate_offer(r, &r->fresh);
    if (is_confident(r, &r->fresh))
        return hrm_end(r, "confident");
    if (!has_cycle_left(r))
        return hrm_end(r, "cycles used up");
    if (r->fresh.verdict != VERDICT_FAIL)
        return STATE_CHECKING;
    /* The verifier's word needs no check; in hrm_trm it is refinement's to use. */
    return r->strategy == REASON_HRM ? plan_again(r, &r->fresh, r->fresh.why)
                                     : hrm_end(r, "refused");
}

static enum state ask_check(struct reason *r)
{
    r->current = reason_queue(r, &(struct call_plan){
                                     .role = ROLE_CHECK,
                                     .label = STR("check"),
                                     .parent = r->last_id,
                                     .values.at = { [SLOT_QUESTION] = r->question,
                                                    [SLOT_ANSWER] = r->fresh.answer,
                                                    [SLOT_CONTEXT] = r->facts },
                                 });
    return r->current == 0 ? reason_finish(r, "call limit") : STATE_CHECKING;
}

enum state hrm_step_checking(struct reason *r)
{
    if (r->current == 0)
        return ask_check(r);
    const struct reply *reply = reason_take(r);
    if (!reply)
        return STATE_CHECKING;
    bool is_best = str_eq(r->best.canonical, r->fresh.canonical);
    struct candidate *checked = is_best ? &r->best : &r->fresh;
    switch (reply->sound) {
    case SOUND_UNSAID:
        return hrm_end(r, "check said nothing");
    case SOUND_YES:
        if (reply->stated >= 0.0)
            checked->stated =
                checked->stated < 0.0 ? reply->stated : (checked->stated + reply->stated) / 2.0;
        candidate_rate(r, checked);
        if (!is_best)
            candidate_offer(r, checked);
        return hrm_end(r, "checked");
    case SOUND_NO:
        break;
    }
    if (checked->stated >= 0.0)
        checked->stated *= UNSOUND_FACTOR;
    candidate_rate(r, checked);
    str problem = reply->problem.len > 0 ? reply->problem : STR("a check found it unsound");
    return plan_again(r, &r->fresh, problem);
}
