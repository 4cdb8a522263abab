/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calls: the calls of a machine: their slots, which come in chunks from the arena, their prompts and
 * schemas, and handing them out within a budget.
 */
#include <string.h>

#include "core/reason/reason_internal.h"

/* For the forecast of a call's input; most tokenisers need fewer tokens for English. */
#define BYTES_PER_TOKEN 4
/* A reply below this cannot hold an answer. */
#define OUTPUT_TOKENS_MIN 16

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
                                            TEXT("step") "," TEXT("state") "," TEXT(
                                                "answer") "," NUMBER("value"),
                                            "\"step\",\"state\",\"answer\",\"value\"") "}",
                                        "\"proposals\"") },
};
static const char split_schema[] =
    SCHEMA(TEXT("steps") "," TEXT("expression") "," TEXT("answer") "," NUMBER(
               "confidence") "," SUBQUESTIONS,
           "\"steps\",\"expression\",\"answer\",\"confidence\",\"subquestions\"");

/* ---- making calls ---- */

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

struct call_slot *reason_slot(const struct reason *r, uint32_t id)
{
    assert(id > 0);
    assert(id <= r->slot_count);
    return &r->chunks[(id - 1) / SLOTS_PER_CHUNK][(id - 1) % SLOTS_PER_CHUNK];
}

size_t calls_limit(const struct reason *r)
{
    size_t search = (size_t)r->config.mcts.simulation_budget + 1;

    if (r->strategy == REASON_MCTS)
        return search;
    if (r->strategy != REASON_FULL_STACK || !r->has_chosen)
        return CALLS_MAX;
    return r->slot_count + CALLS_MAX + search;
}

/* Room for one more slot. */
static bool slot_reserve(struct reason *r)
{
    struct call_slot **chunk = &r->chunks[r->slot_count / SLOTS_PER_CHUNK];

    if (!*chunk)
        *chunk = ARENA_ARRAY(r->arena, SLOTS_PER_CHUNK, struct call_slot);
    return *chunk != NULL;
}

uint32_t reason_queue(struct reason *r, const struct call_plan *plan)
{
    if (r->slot_count == r->slots_max || !slot_reserve(r))
        return 0;
    struct call_slot slot = { .state = CALL_QUEUED, .node = plan->node };
    slot.call = (struct reason_call){ .id = (uint32_t)r->slot_count + 1,
                                      .role = plan->role,
                                      .model = plan->model,
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
    r->slot_count++;
    *reason_slot(r, slot.call.id) = slot;
    return slot.call.id;
}

const struct reply *reason_take(struct reason *r)
{
    struct call_slot *slot = reason_slot(r, r->current);

    if (slot->state != CALL_TOLD)
        return NULL;
    slot->is_used = true;
    r->last_id = r->current;
    r->current = 0;
    return &slot->reply;
}

/* ---- handing them out ---- */

size_t reason_count_calls(const struct reason *r, enum call_state state)
{
    size_t n = 0;

    for (uint32_t id = 1; id <= r->slot_count; id++)
        n += reason_slot(r, id)->state == state;
    return n;
}

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

size_t reason_hand_out(struct reason *r, int calls, int64_t tokens,
                       struct reason_call out[REASON_CALLS_AT_ONCE])
{
    size_t n = 0;

    for (uint32_t id = 1; id <= r->slot_count && n < REASON_CALLS_AT_ONCE && (int64_t)n < calls;
         id++) {
        struct call_slot *slot = reason_slot(r, id);
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
