/* SPDX-License-Identifier: Apache-2.0 */
/* rollout_names: what states, reasons, operations and the rest are called in rows, answers and files. */
#include "core/change/rollout.h"

static const char *const states[ROLLOUT_STATE_COUNT] = {
    [ROLLOUT_DRAFT] = "draft",           [ROLLOUT_RUNNING] = "running",
    [ROLLOUT_PAUSED] = "paused",         [ROLLOUT_BAKING] = "baking",
    [ROLLOUT_COMPLETED] = "completed",   [ROLLOUT_ABORTED] = "aborted",
    [ROLLOUT_SUPERSEDED] = "superseded",
};

static const char *const reasons[ROLLOUT_REASON_COUNT] = {
#define X(id, name, text) [ROLLOUT_FOR_##id] = name,
    ROLLOUT_REASON_TABLE(X)
#undef X
};
static const char *const reason_texts[ROLLOUT_REASON_COUNT] = {
#define X(id, name, text) [ROLLOUT_FOR_##id] = text,
    ROLLOUT_REASON_TABLE(X)
#undef X
};

static const char *const operations[ROLLOUT_OPERATION_COUNT] = {
    [ROLLOUT_TICK] = "tick",       [ROLLOUT_START] = "start",
    [ROLLOUT_PAUSE] = "pause",     [ROLLOUT_RESUME] = "resume",
    [ROLLOUT_PROMOTE] = "promote", [ROLLOUT_PROMOTE_FULL] = "promote_full",
    [ROLLOUT_ABORT] = "abort",     [ROLLOUT_ROLL_BACK] = "rollback",
    [ROLLOUT_RETRY] = "retry",     [ROLLOUT_SUPERSEDE] = "supersede",
};

static const char *const refusals[ROLLOUT_REFUSAL_COUNT] = {
    [ROLLOUT_ACCEPTED] = "accepted",
    [ROLLOUT_STALE_GENERATION] = "stale_generation",
    [ROLLOUT_NOT_ALLOWED] = "not_allowed",
    [ROLLOUT_GUARD_TRIPPED] = "guard_tripped",
};

static const char *const arms[ROLLOUT_ARM_COUNT] = {
    [ARM_BASELINE] = "baseline",
    [ARM_CONTROL] = "control",
    [ARM_CANARY] = "canary",
    [ARM_HOLDBACK] = "holdback",
};

static const char *const holds[HOLD_COUNT] = {
    [HOLD_NONE] = "none",
    [HOLD_IDLE] = "idle",
    [HOLD_PAUSED] = "paused",
    [HOLD_OUTRUN] = "outrun",
    [HOLD_JUDGING] = "judging",
    [HOLD_NO_TRAFFIC] = "no_traffic",
    [HOLD_STALE_DATA] = "stale_data",
    [HOLD_TIME] = "time",
    [HOLD_SAMPLES] = "samples",
    [HOLD_FRESH_SAMPLES] = "fresh_samples",
    [HOLD_EVIDENCE] = "evidence",
};

/* The index of a name, or count. */
static size_t name_index(str name, const char *const *names, size_t count)
{
    size_t i = 0;

    while (i < count && !str_eq(name, str_from(names[i])))
        i++;
    return i;
}

const char *rollout_state_name(enum rollout_state s)
{
    return states[s];
}

bool rollout_state_find(str name, enum rollout_state *out)
{
    size_t i = name_index(name, states, ROLLOUT_STATE_COUNT);

    if (i < ROLLOUT_STATE_COUNT)
        *out = (enum rollout_state)i;
    return i < ROLLOUT_STATE_COUNT;
}

const char *rollout_reason_name(enum rollout_reason r)
{
    return reasons[r];
}

const char *rollout_reason_text(enum rollout_reason r)
{
    return reason_texts[r];
}

bool rollout_reason_find(str name, enum rollout_reason *out)
{
    size_t i = name_index(name, reasons, ROLLOUT_REASON_COUNT);

    if (i < ROLLOUT_REASON_COUNT)
        *out = (enum rollout_reason)i;
    return i < ROLLOUT_REASON_COUNT;
}

const char *rollout_operation_name(enum rollout_operation o)
{
    return operations[o];
}

bool rollout_operation_find(str name, enum rollout_operation *out)
{
    size_t i = name_index(name, operations, ROLLOUT_OPERATION_COUNT);

    if (i < ROLLOUT_OPERATION_COUNT)
        *out = (enum rollout_operation)i;
    return i < ROLLOUT_OPERATION_COUNT;
}

const char *rollout_refusal_name(enum rollout_refusal r)
{
    return refusals[r];
}

bool rollout_refusal_find(str name, enum rollout_refusal *out)
{
    size_t i = name_index(name, refusals, ROLLOUT_REFUSAL_COUNT);

    if (i < ROLLOUT_REFUSAL_COUNT)
        *out = (enum rollout_refusal)i;
    return i < ROLLOUT_REFUSAL_COUNT;
}

const char *rollout_arm_name(enum rollout_arm arm)
{
    return arms[arm];
}

const char *rollout_hold_name(enum rollout_hold h)
{
    return holds[h];
}
