/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reason: the machine's frame: opening, asking within a budget, telling, and the best answer.
 *
 *     direct    OPENING ~~~> DONE
 *     trm       OPENING ~~~> JUDGING ~~~> REFINING ~~~> DONE
 *     hrm       PLANNING ~~> SOLVING ~~~> SYNTHESIS ~~> CHECKING ~~> DONE
 *                  ^------------------------'--------------'   a cycle is left
 *     hrm_trm   hrm, then JUDGING instead of DONE             a wavy line waits for tells
 *
 * Any state may end the machine. It ends: every state waits for calls, calls are at most CALLS_MAX,
 * and a state that is left without a new call happens only forwards.
 */
#include <string.h>

#include "core/reason/reason_internal.h"

#define QUESTION_BYTES_MAX ((size_t)4 << 20)
/* For the forecast of a call's input; most tokenisers need fewer tokens for English. */
#define BYTES_PER_TOKEN 4
/* A reply below this cannot hold an answer. */
#define OUTPUT_TOKENS_MIN 16
/* Below this many answers a share says nothing. */
#define VOTES_MIN 3

#define TO(state) (1u << (state))

struct rule {
    enum state (*step)(struct reason *r);
    unsigned next; /* besides itself and DONE */
};

static const struct rule rules[STATE_COUNT] = {
    [STATE_OPENING] = { direct_step_opening, TO(STATE_JUDGING) },
    [STATE_PLANNING] = { hrm_step_planning, TO(STATE_SOLVING) | TO(STATE_JUDGING) },
    [STATE_SOLVING] = { hrm_step_solving, TO(STATE_SYNTHESIS) | TO(STATE_JUDGING) },
    [STATE_SYNTHESIS] = { hrm_step_synthesis,
                          TO(STATE_PLANNING) | TO(STATE_CHECKING) | TO(STATE_JUDGING) },
    [STATE_CHECKING] = { hrm_step_checking, TO(STATE_PLANNING) | TO(STATE_JUDGING) },
    [STATE_JUDGING] = { trm_step_judging, TO(STATE_REFINING) },
    [STATE_REFINING] = { trm_step_refining, 0 },
    [STATE_DONE] = { NULL, 0 },
};

static const char *const strategy_names[REASON_STRATEGY_COUNT] = {
    [REASON_DIRECT] = "direct",
    [REASON_HRM] = "hrm",
    [REASON_TRM] = "trm",
    [REASON_HRM_TRM] = "hrm_trm",
    [REASON_SELF_CONSISTENCY] = "self_consistency",
    [REASON_CASCADE] = "cascade",
    [REASON_MCTS] = "mcts",
    [REASON_FULL_STACK] = "full_stack",
};

/* ---- schemas of replies, in the strict subset: every member required, nothing else allowed ---- */

#define SCHEMA(properties, required)                                                               \
    "{\"type\":\"object\",\"properties\":{" properties "},\"required\":[" required                 \
    "],\"additionalProperties\":false}"
#define TEXT(name) "\"" name "\":{\"type\":\"string\"}"
#define NUMBER(name) "\"" name "\":{\"type\":\"number\"}"
#define SUBQUESTIONS                                                                               \
    "\"subquestions\":{\"type\":\"array\",\"items\":" SCHEMA(                                      \
        TEXT("id") "," TEXT("question") ",\"needs\":{\"type\":\"array\",\"items\":{\"type\":"      \
                                        "\"string\"}}," TEXT("expression"),                        \
        "\"id\",\"question\",\"needs\",\"expression\"") "}"

static const struct {
    const char *name;
    const char *text;
} schemas[ROLE_COUNT] = {
#define ANSWER_SCHEMA                                                                              \
    SCHEMA(TEXT("steps") "," TEXT("answer") "," NUMBER("confidence"),                              \
           "\"steps\",\"answer\",\"confidence\"")
    [ROLE_DIRECT] = { "answer", ANSWER_SCHEMA },
    [ROLE_PLAN] = { "plan", SCHEMA(TEXT("steps") "," TEXT("answer") "," NUMBER(
                                       "confidence") "," SUBQUESTIONS,
                                   "\"steps\",\"answer\",\"confidence\",\"subquestions\"") },
    [ROLE_SOLVE] = { "solution", SCHEMA(TEXT("steps") "," TEXT("expression") "," TEXT(
                                            "answer") "," NUMBER("confidence"),
                                        "\"steps\",\"expression\",\"answer\",\"confidence\"") },
    [ROLE_CHECK] = { "check", SCHEMA(TEXT("problem") ",\"sound\":{\"type\":\"boolean\"}," NUMBER(
                                         "confidence"),
                                     "\"problem\",\"sound\",\"confidence\"") },
    [ROLE_SYNTHESIS] = { "answer", ANSWER_SCHEMA },
    [ROLE_PROGRAM] = { "program", SCHEMA(TEXT("program") "," TEXT("expression") "," TEXT(
                                             "answer") "," NUMBER("confidence"),
                                         "\"program\",\"expression\",\"answer\",\"confidence\"") },
    [ROLE_REFINE] = { "answer", ANSWER_SCHEMA },
    [ROLE_STEP] = { "proposals", SCHEMA("\"proposals\":{\"type\":\"array\",\"items\":" SCHEMA(
                                            TEXT("step") "," TEXT("answer") "," NUMBER("value"),
                                            "\"step\",\"answer\",\"value\"") "}",
                                        "\"proposals\"") },
};
static const char split_schema[] =
    SCHEMA(TEXT("steps") "," TEXT("expression") "," TEXT("answer") "," NUMBER(
               "confidence") "," SUBQUESTIONS,
           "\"steps\",\"expression\",\"answer\",\"confidence\",\"subquestions\"");

static const char *const policy_names[REASON_POLICY_COUNT] = {
    [REASON_POLICY_UCB1] = "ucb1",
    [REASON_POLICY_PUCT] = "puct",
    [REASON_POLICY_AB_MCTS] = "ab_mcts",
};

const char *reason_strategy_name(enum reason_strategy s)
{
    return strategy_names[s];
}

bool reason_strategy_find(str name, enum reason_strategy *out)
{
    for (size_t i = 0; i < REASON_STRATEGY_COUNT; i++) {
        if (!str_eq(name, str_from(strategy_names[i])))
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
    return STATE_DONE;
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

/* ---- candidates ---- */

void candidate_vote(struct reason *r, str answer)
{
    if (r->vote_count < ARRAY_LEN(r->votes))
        r->votes[r->vote_count++] = answer_canonical(r->arena, answer);
}

static size_t votes_for(const struct reason *r, str canonical)
{
    size_t n = 0;

    for (size_t i = 0; i < r->vote_count; i++)
        n += str_eq(r->votes[i], canonical);
    return n;
}

struct signals candidate_signals(const struct reason *r, const struct candidate *c)
{
    struct signals s = { .stated = c->stated,
                         .vote_share = NOT_AVAILABLE,
                         .margin = NOT_AVAILABLE,
                         .agreement = c->agreement,
                         .worst_sub = c->worst_sub,
                         .verifier = NOT_AVAILABLE,
                         .stability = NOT_AVAILABLE };
    size_t first = 0, second = 0;
    str leader = { 0 };

    for (size_t i = 0; i < r->vote_count; i++) {
        size_t n = votes_for(r, r->votes[i]);
        if (n > first) {
            first = n;
            leader = r->votes[i];
        }
    }
    for (size_t i = 0; i < r->vote_count; i++) {
        size_t n = votes_for(r, r->votes[i]);
        if (n > second && !str_eq(r->votes[i], leader))
            second = n;
    }
    if (r->vote_count > 1) {
        s.vote_share = (double)first / (double)r->vote_count;
        s.margin = (double)(first - second) / (double)r->vote_count;
    }
    if (c->verdict != VERDICT_UNKNOWN)
        s.verifier = c->verdict == VERDICT_PASS ? 1.0 : 0.0;
    if (r->rounds > 0)
        s.stability = 1.0 - (double)r->changes / (double)r->rounds;
    return s;
}

void candidate_rate(struct reason *r, struct candidate *c)
{
    struct signals s = candidate_signals(r, c);
    double share = NOT_AVAILABLE;

    if (r->vote_count >= VOTES_MIN)
        share = (double)votes_for(r, c->canonical) / (double)r->vote_count;
    c->confidence = confidence_combine(&s, share);
}

struct candidate candidate_make(struct reason *r, const struct reply *reply, double worst_sub)
{
    struct candidate c = { .answer = reply->answer,
                           .stated = reply->stated,
                           .worst_sub = worst_sub,
                           .agreement = NOT_AVAILABLE,
                           .confidence = NOT_AVAILABLE };

    c.canonical = answer_canonical(r->arena, c.answer);
    /* The spec was tried when the machine opened, so that only memory can fail: no verdict then. */
    IGNORE(verifier_check(&r->verifier, c.answer, r->arena, &c.verdict, &c.why));
    candidate_vote(r, c.answer);
    candidate_rate(r, &c);
    return c;
}

void candidate_offer(struct reason *r, const struct candidate *c)
{
    /* Without memory its canonical form may be missing. */
    if (arena_failed(r->arena))
        return;
    if (r->best.answer.len > 0)
        candidate_rate(r, &r->best);
    if (r->best.answer.len == 0 || c->confidence >= r->best.confidence)
        r->best = *c;
}

/* ---- calls ---- */

static bool is_system(const struct reason_message *m)
{
    return strcmp(m->role, "system") == 0 || strcmp(m->role, "developer") == 0;
}

/* The caller's conversation with the prompt in place of its question; of a sub-question only the
 * system messages, for it makes sense on its own. */
static bool messages_make(struct reason *r, const struct call_plan *plan, struct reason_call *call)
{
    struct reason_message *messages =
        ARENA_ARRAY(r->arena, r->message_count, struct reason_message);
    str prompt = prompt_render(r->arena, r->config.prompts, plan->role, &plan->values);
    size_t n = 0;

    if (!messages || arena_failed(r->arena))
        return false;
    for (size_t i = 0; i < r->message_count; i++) {
        if (i == r->question_at)
            messages[n++] = (struct reason_message){ "user", prompt };
        else if (!plan->is_apart || is_system(&r->messages[i]))
            messages[n++] = r->messages[i];
    }
    call->messages = messages;
    call->message_count = n;
    return true;
}

uint32_t reason_queue(struct reason *r, const struct call_plan *plan)
{
    if (r->slot_count == CALLS_MAX)
        return 0;
    struct call_slot slot = { .state = CALL_QUEUED, .node = plan->node };
    slot.call = (struct reason_call){ .id = (uint32_t)r->slot_count + 1,
                                      .role = plan->role,
                                      .label = arena_str(r->arena, plan->label),
                                      .parent = plan->parent,
                                      .temperature = r->config.temperature,
                                      .max_tokens = r->config.max_tokens };
    if (r->config.use_json_schema) {
        bool splits = plan->may_split && plan->role == ROLE_SOLVE;
        slot.call.schema_name = str_from(schemas[plan->role].name);
        slot.call.schema = str_from(splits ? split_schema : schemas[plan->role].text);
    }
    if (!messages_make(r, plan, &slot.call))
        return 0;
    r->slots[r->slot_count++] = slot;
    return slot.call.id;
}

const struct reply *reason_take(struct reason *r)
{
    struct call_slot *slot = &r->slots[r->current - 1];

    if (slot->state != CALL_TOLD)
        return NULL;
    slot->is_used = true;
    r->last_id = r->current;
    r->current = 0;
    return &slot->reply;
}

static size_t count_calls(const struct reason *r, enum call_state state)
{
    size_t n = 0;

    for (size_t i = 0; i < r->slot_count; i++)
        n += r->slots[i].state == state;
    return n;
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

enum err reason_open(struct reason **out, struct arena *arena, enum reason_strategy strategy,
                     const struct reason_config *config, const struct reason_question *question)
{
    enum verdict verdict;
    str why;
    enum err e = question_check(question);

    if (e != OK)
        return e;
    if (strategy > REASON_HRM_TRM)
        return WEIR_NOT_SUPPORTED;
    e = verifier_check(&question->verifier, STR("0"), arena, &verdict, &why);
    if (e != OK)
        return e;
    struct reason *r = ARENA_NEW(arena, struct reason);
    if (!r)
        return WEIR_NO_MEMORY;
    r->arena = arena;
    r->strategy = strategy;
    r->config = *config;
    if (!r->config.prompts)
        r->config.prompts = reason_prompts_builtin();
    r->verifier =
        (struct verifier){ question->verifier.kind, arena_str(arena, question->verifier.spec) };
    r->format = verifier_format(arena, &r->verifier);
    r->hrm_confidence = NOT_AVAILABLE;
    r->trm_confidence = NOT_AVAILABLE;
    r->halt = "under way";
    if (!messages_copy(r, question) || arena_failed(arena))
        return WEIR_NO_MEMORY;
    bool plans = strategy == REASON_HRM || strategy == REASON_HRM_TRM;
    r->stage = plans ? STAGE_HRM : STAGE_DIRECT;
    r->state = plans ? STATE_PLANNING : STATE_OPENING;
    run(r);
    if (arena_failed(arena))
        return WEIR_NO_MEMORY;
    *out = r;
    return OK;
}

/* ---- asking and telling ---- */

/* Output tokens that a call may have when `tokens` are left for it; 0 when they are too few. */
static uint32_t output_tokens(const struct reason *r, const struct reason_call *call,
                              int64_t tokens)
{
    int64_t least =
        r->config.max_tokens < OUTPUT_TOKENS_MIN ? r->config.max_tokens : OUTPUT_TOKENS_MIN;
    size_t bytes = 0;

    for (size_t i = 0; i < call->message_count; i++)
        bytes += call->messages[i].content.len; /* bounded by QUESTION_BYTES_MAX and the prompts */
    int64_t room = tokens - (int64_t)(bytes / BYTES_PER_TOKEN);
    if (room < least || room < 1)
        return 0;
    return room < r->config.max_tokens ? (uint32_t)room : r->config.max_tokens;
}

/* Hands queued calls out, oldest first. */
static size_t hand_out(struct reason *r, int calls, int64_t tokens, struct reason_call *out)
{
    size_t n = 0;

    for (size_t i = 0; i < r->slot_count && n < REASON_CALLS_AT_ONCE && (int64_t)n < calls; i++) {
        struct call_slot *slot = &r->slots[i];
        if (slot->state != CALL_QUEUED)
            continue;
        uint32_t max_tokens = output_tokens(r, &slot->call, tokens);
        if (max_tokens == 0)
            break;
        tokens -= max_tokens;
        for (size_t k = 0; k < slot->call.message_count; k++)
            tokens -= (int64_t)(slot->call.messages[k].content.len / BYTES_PER_TOKEN);
        slot->call.max_tokens = max_tokens;
        slot->state = CALL_ASKED;
        out[n++] = slot->call;
    }
    return n;
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
    bool is_idle = count_calls(r, CALL_ASKED) == 0;
    /* Sub-answers are worth nothing without the call that joins them, so one is kept for it. */
    if (may && r->state == STATE_SOLVING) {
        if (calls == 1 && is_idle) {
            r->is_hurried = true;
            run(r);
        } else {
            calls--;
        }
    }
    size_t n = may && r->state != STATE_DONE ? hand_out(r, calls, left->tokens, out) : 0;
    if (n == 0 && is_idle && r->state != STATE_DONE)
        end_now(r, "budget", POLICY_BUDGET);
    return n;
}

void reason_tell(struct reason *r, uint32_t id, const struct reason_outcome *outcome)
{
    if (r->state == STATE_DONE || id == 0 || id > r->slot_count)
        return;
    struct call_slot *slot = &r->slots[id - 1];
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
    struct reason_best best = { .has_answer = has_answer,
                                .answer = c->answer,
                                .canonical = c->canonical,
                                .signals = candidate_signals(r, c),
                                .hrm_confidence =
                                    r->stage == STAGE_HRM ? c->confidence : r->hrm_confidence,
                                .trm_confidence =
                                    r->stage == STAGE_TRM ? c->confidence : r->trm_confidence,
                                .confidence = c->confidence,
                                .raw_confidence = c->confidence,
                                .fault = has_answer ? OK : r->fault,
                                .rounds = r->rounds,
                                .halt = r->halt };
    return best;
}
