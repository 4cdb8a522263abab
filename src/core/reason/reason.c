/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reason: the machine's frame: opening, asking within a budget, telling, and the best answer.
 *
 *     direct            OPENING ~~~> DONE
 *     trm               OPENING ~~~> JUDGING ~~~> REFINING ~~~> DONE
 *     hrm               PLANNING ~~> SOLVING ~~~> SYNTHESIS ~~> CHECKING ~~> DONE
 *                          ^------------------------'--------------'   a cycle is left
 *     hrm_trm           hrm, then JUDGING instead of DONE
 *     self_consistency  SAMPLING ~~> DONE
 *     cascade           PAIRING ~~~> DECIDING ~~> DONE
 *     mcts              SEARCHING ~> DONE
 *     full_stack        hrm_trm, then CHOOSING instead of DONE (full.c)      a wavy line waits for tells
 *
 * Any state may end the machine. It ends: every state waits for calls, calls are at most SLOTS_MAX,
 * and a state that is left without a new call happens only forwards.
 */
#include <string.h>

#include "core/reason/reason_internal.h"

#define QUESTION_BYTES_MAX ((size_t)4 << 20)

/* Of what a configuration leaves open. */
#define SAMPLES_USUAL 8
#define STOP_USUAL 0.95
#define DEPTH_USUAL 10
#define SIMULATIONS_USUAL 100
#define EXPLORATION_USUAL 1.414
#define EXPLORATION_MAX 10.0

#define TO(state) (1u << (state))

struct rule {
    enum state (*step)(struct reason *r);
    unsigned next; /* besides itself and DONE */
};

/* clang-format off */
static const struct rule rules[STATE_COUNT] = {
    [STATE_OPENING]   = { direct_step_opening,    TO(STATE_JUDGING) },
    [STATE_PLANNING]  = { hrm_step_planning,      TO(STATE_SOLVING) | TO(STATE_JUDGING) | TO(STATE_CHOOSING) },
    [STATE_SOLVING]   = { hrm_step_solving,       TO(STATE_SYNTHESIS) | TO(STATE_JUDGING) | TO(STATE_CHOOSING) },
    [STATE_SYNTHESIS] = { hrm_step_synthesis,     TO(STATE_PLANNING) | TO(STATE_CHECKING) | TO(STATE_JUDGING) | TO(STATE_CHOOSING) },
    [STATE_CHECKING]  = { hrm_step_checking,      TO(STATE_PLANNING) | TO(STATE_JUDGING) | TO(STATE_CHOOSING) },
    [STATE_JUDGING]   = { trm_step_judging,       TO(STATE_REFINING) | TO(STATE_CHOOSING) },
    [STATE_REFINING]  = { trm_step_refining,      TO(STATE_CHOOSING) },
    [STATE_SAMPLING]  = { sampling_step,          TO(STATE_DECIDING) },
    [STATE_PAIRING]   = { cascade_step_pairing,   TO(STATE_DECIDING) },
    [STATE_DECIDING]  = { cascade_step_deciding,  0 },
    [STATE_SEARCHING] = { mcts_step_searching,    0 },
    [STATE_CHOOSING]  = { full_step_choosing,     TO(STATE_SEARCHING) | TO(STATE_SAMPLING) | TO(STATE_DECIDING) },
    [STATE_DONE]      = { NULL, 0 },
};
/* clang-format on */

/* clang-format off */
static const struct {
    const char *name;
    enum state first;
    enum stage stage;
} strategies[REASON_STRATEGY_COUNT] = {
    [REASON_DIRECT]           = { "direct",           STATE_OPENING,   STAGE_DIRECT },
    [REASON_HRM]              = { "hrm",              STATE_PLANNING,  STAGE_HRM },
    [REASON_TRM]              = { "trm",              STATE_OPENING,   STAGE_DIRECT },
    [REASON_HRM_TRM]          = { "hrm_trm",          STATE_PLANNING,  STAGE_HRM },
    [REASON_SELF_CONSISTENCY] = { "self_consistency", STATE_SAMPLING,  STAGE_DIRECT },
    [REASON_CASCADE]          = { "cascade",          STATE_PAIRING,   STAGE_DIRECT },
    [REASON_MCTS]             = { "mcts",             STATE_SEARCHING, STAGE_DIRECT },
    [REASON_FULL_STACK]       = { "full_stack",       STATE_PLANNING,  STAGE_HRM },
};
/* clang-format on */

static const char *const policy_names[REASON_POLICY_COUNT] = {
    [REASON_POLICY_UCB1] = "ucb1",
    [REASON_POLICY_PUCT] = "puct",
    [REASON_POLICY_AB_MCTS] = "ab_mcts",
};

const char *reason_strategy_name(enum reason_strategy s)
{
    return strategies[s].name;
}

bool reason_strategy_find(str name, enum reason_strategy *out)
{
    for (size_t i = 0; i < REASON_STRATEGY_COUNT; i++) {
        if (!str_eq(name, str_from(strategies[i].name)))
            continue;
        *out = (enum reason_strategy)i;
        return true;
    }
    return false;
}

const char *reason_policy_name(enum reason_policy p)
{
    return policy_names[p];
}

bool reason_policy_find(str name, enum reason_policy *out)
{
    for (size_t i = 0; i < REASON_POLICY_COUNT; i++) {
        if (!str_eq(name, str_from(policy_names[i])))
            continue;
        *out = (enum reason_policy)i;
        return true;
    }
    return false;
}

/* ---- ends ---- */

enum state reason_finish(struct reason *r, const char *halt)
{
    r->halt = halt;
    if (r->best.answer.len == 0 && r->fault == OK)
        r->fault = PROVIDER_GARBAGE;
    return r->strategy == REASON_FULL_STACK && !r->has_chosen ? STATE_CHOOSING : STATE_DONE;
}

enum state reason_fail(struct reason *r, enum err fault)
{
    /* A reply that came and held no answer is the provider's nonsense. */
    r->fault = fault != OK ? fault : PROVIDER_GARBAGE;
    return reason_finish(r, "failed");
}

static void end_now(struct reason *r, const char *halt, enum err fault)
{
    if (r->best.answer.len == 0)
        r->fault = fault;
    r->halt = halt;
    r->state = STATE_DONE;
}

/* Steps until a state waits. What a step did with a failed arena does not count. */
static void run(struct reason *r)
{
    while (r->state != STATE_DONE && !arena_failed(r->arena)) {
        enum state next = rules[r->state].step(r);
        assert(next == r->state || next == STATE_DONE || (rules[r->state].next & TO(next)));
        if (next == r->state)
            break;
        r->state = next;
        r->attempts = 0;
        r->current = 0;
    }
    if (arena_failed(r->arena))
        end_now(r, "memory", WEIR_NO_MEMORY);
}

/* ---- opening ---- */

static bool messages_copy(struct reason *r, const struct reason_question *question)
{
    struct reason_message *copies =
        ARENA_ARRAY(r->arena, question->message_count, struct reason_message);

    if (!copies)
        return false;
    for (size_t i = 0; i < question->message_count; i++) {
        const struct reason_message *m = &question->messages[i];
        copies[i].role = arena_str(r->arena, str_from(m->role)).ptr;
        copies[i].content = arena_str(r->arena, m->content);
        if (arena_failed(r->arena))
            return false;
        if (strcmp(m->role, "user") == 0)
            r->question_at = i;
    }
    r->messages = copies;
    r->message_count = question->message_count;
    r->question = copies[r->question_at].content;
    return true;
}

static enum err question_check(const struct reason_question *question)
{
    const struct reason_message *last = NULL;
    size_t bytes = 0;

    for (size_t i = 0; i < question->message_count; i++) {
        if (strcmp(question->messages[i].role, "user") == 0)
            last = &question->messages[i];
        if (!size_add(bytes, question->messages[i].content.len, &bytes) ||
            bytes > QUESTION_BYTES_MAX)
            return CALLER_TOO_LARGE;
    }
    return !last || str_trim(last->content).len == 0 ? CALLER_EMPTY_QUESTION : OK;
}

static int within(int value, int usual, int most)
{
    return value <= 0 ? usual : value > most ? most : value;
}

/* What is zero gets its default, what is beyond a limit the limit. */
static struct reason_config config_complete(const struct reason_config *config)
{
    struct reason_config c = *config;
    double stop = c.self_consistency.stop_probability, exploration = c.mcts.exploration_constant;

    if (!c.prompts)
        c.prompts = reason_prompts_builtin();
    c.self_consistency.samples_max =
        within(c.self_consistency.samples_max, SAMPLES_USUAL, REASON_SAMPLES_MAX);
    if (!(stop > 0.5 && stop < 1.0))
        c.self_consistency.stop_probability = STOP_USUAL;
    c.mcts.max_tree_depth = within(c.mcts.max_tree_depth, DEPTH_USUAL, REASON_DEPTH_MAX);
    c.mcts.simulation_budget =
        within(c.mcts.simulation_budget, SIMULATIONS_USUAL, REASON_SIMULATIONS_MAX);
    if (!(exploration > 0.0 && exploration <= EXPLORATION_MAX))
        c.mcts.exploration_constant = EXPLORATION_USUAL;
    return c;
}

enum err reason_open(struct reason **out, struct arena *arena, enum reason_strategy strategy,
                     const struct reason_config *config, const struct reason_question *question)
{
    enum verdict verdict;
    str why;
    enum err e = question_check(question);

    if (e != OK)
        return e;
    e = verifier_check(&question->verifier, STR("0"), arena, &verdict, &why);
    if (e != OK)
        return e;
    struct reason *r = ARENA_NEW(arena, struct reason);
    if (!r)
        return WEIR_NO_MEMORY;
    r->arena = arena;
    r->strategy = strategy;
    r->config = config_complete(config);
    r->config.model = arena_str(arena, config->model);
    r->domain = arena_str(arena, question->domain);
    r->verifier =
        (struct verifier){ question->verifier.kind, arena_str(arena, question->verifier.spec) };
    r->format = verifier_format(arena, &r->verifier);
    r->hrm_confidence = NOT_AVAILABLE;
    r->trm_confidence = NOT_AVAILABLE;
    r->slots_max = calls_limit(r);
    r->halt = "under way";
    if (!messages_copy(r, question) || arena_failed(arena))
        return WEIR_NO_MEMORY;
    r->stage = strategies[strategy].stage;
    r->state = strategies[strategy].first;
    run(r);
    if (arena_failed(arena))
        return WEIR_NO_MEMORY;
    *out = r;
    return OK;
}

/* ---- asking and telling ---- */

/* Sub-answers are worth nothing without the call that joins them, nor are steps without an answer behind them: one
 * call is kept for it. */
static bool keeps_a_call(const struct reason *r)
{
    return r->state == STATE_SOLVING || (r->state == STATE_SEARCHING && r->best.answer.len == 0);
}

size_t reason_ask(struct reason *r, const struct reason_budget *left,
                  struct reason_call out[REASON_CALLS_AT_ONCE])
{
    bool may = left->calls > 0 && left->tokens > 0 && left->cost > 0 && left->time > 0;
    int calls = left->calls;

    if (r->state == STATE_DONE)
        return 0;
    if (arena_failed(r->arena)) {
        end_now(r, "memory", WEIR_NO_MEMORY);
        return 0;
    }
    bool is_idle = reason_count_calls(r, CALL_ASKED) == 0;
    if (may && keeps_a_call(r)) {
        if (calls == 1 && is_idle) {
            r->is_hurried = true;
            run(r);
        } else {
            calls--;
        }
    }
    size_t n = may && r->state != STATE_DONE ? reason_hand_out(r, calls, left->tokens, out) : 0;
    if (n == 0 && is_idle && r->state != STATE_DONE)
        end_now(r, "budget", POLICY_BUDGET);
    return n;
}

void reason_tell(struct reason *r, uint32_t id, const struct reason_outcome *outcome)
{
    if (r->state == STATE_DONE || id == 0 || id > r->slot_count)
        return;
    struct call_slot *slot = reason_slot(r, id);
    if (slot->state != CALL_ASKED)
        return;
    slot->reply = reply_parse(r->arena, outcome);
    slot->state = CALL_TOLD;
    run(r);
}

bool reason_done(const struct reason *r)
{
    return r->state == STATE_DONE;
}

struct reason_best reason_best(const struct reason *r)
{
    bool has_answer = r->best.answer.len > 0;
    struct candidate none = { .stated = NOT_AVAILABLE,
                              .worst_sub = NOT_AVAILABLE,
                              .agreement = NOT_AVAILABLE,
                              .confidence = NOT_AVAILABLE };
    const struct candidate *c = has_answer ? &r->best : &none;
    bool is_calibrated;
    struct reason_best best = { .has_answer = has_answer,
                                .answer = c->answer,
                                .canonical = c->canonical,
                                .signals = candidate_signals(r, c),
                                .hrm_confidence =
                                    r->stage == STAGE_HRM ? c->confidence : r->hrm_confidence,
                                .trm_confidence =
                                    r->stage == STAGE_TRM ? c->confidence : r->trm_confidence,
                                .raw_confidence = c->confidence,
                                .fault = has_answer ? OK : r->fault,
                                .rounds = r->rounds,
                                .halt = r->halt };

    best.hrm_confidence = confidence_calibrated(r, best.hrm_confidence, &is_calibrated);
    best.trm_confidence = confidence_calibrated(r, best.trm_confidence, &is_calibrated);
    best.confidence = confidence_calibrated(r, best.raw_confidence, &best.is_calibrated);
    return best;
}
