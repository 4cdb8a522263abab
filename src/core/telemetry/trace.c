/* SPDX-License-Identifier: Apache-2.0 */
/* trace: see trace.h. */
#include "core/telemetry/trace.h"

#include <stdio.h>
#include <string.h>

#include "base/rng.h"

#define RANDOM_RANGE (UINT64_C(1) << 56)

/* The texts of a trace and of a call, by their place, so that none is forgotten when it is copied. */
static const size_t trace_texts[] = {
    offsetof(struct trace, strategy), offsetof(struct trace, requested_model),
    offsetof(struct trace, model),    offsetof(struct trace, domain),
    offsetof(struct trace, tenant),   offsetof(struct trace, conversation),
    offsetof(struct trace, arm),      offsetof(struct trace, scorer),
    offsetof(struct trace, input),    offsetof(struct trace, output),
};
static const size_t call_texts[] = {
    offsetof(struct trace_call, role),     offsetof(struct trace_call, model),
    offsetof(struct trace_call, provider), offsetof(struct trace_call, input),
    offsetof(struct trace_call, output),
};

static size_t calls_kept(const struct trace *t)
{
    return t->call_count < TRACE_CALLS_MAX ? t->call_count : TRACE_CALLS_MAX;
}

static size_t texts_size(const void *base, const size_t *places, size_t n)
{
    size_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += ((const str *)(const void *)((const char *)base + places[i]))->len;
    return sum;
}

size_t trace_size(const struct trace *t)
{
    size_t sum = sizeof(struct trace) + calls_kept(t) * sizeof(struct trace_call);

    sum += texts_size(t, trace_texts, ARRAY_LEN(trace_texts));
    for (size_t i = 0; i < calls_kept(t); i++)
        sum += texts_size(&t->calls[i], call_texts, ARRAY_LEN(call_texts));
    return sum;
}

/* Moves the texts of a struct to *at. */
static void texts_copy(void *base, const size_t *places, size_t n, char **at)
{
    for (size_t i = 0; i < n; i++) {
        str *text = (str *)(void *)((char *)base + places[i]);
        if (text->len > 0)
            memcpy(*at, text->ptr, text->len);
        text->ptr = *at;
        *at += text->len;
    }
}

const struct trace *trace_copy(const struct trace *t, void *block)
{
    struct trace *copy = block;
    struct trace_call *calls = (struct trace_call *)(void *)(copy + 1);
    size_t n = calls_kept(t);
    char *at = (char *)(calls + n);

    *copy = *t;
    if (n > 0)
        memcpy(calls, t->calls, n * sizeof(*calls));
    copy->calls = calls;
    copy->call_count = n;
    copy->calls_left_out += (uint32_t)(t->call_count - n);
    texts_copy(copy, trace_texts, ARRAY_LEN(trace_texts), &at);
    for (size_t i = 0; i < n; i++)
        texts_copy(&calls[i], call_texts, ARRAY_LEN(call_texts), &at);
    return copy;
}

/* ---- ids ---- */

static void put_u64(uint8_t out[8], uint64_t v)
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(v >> (56 - 8 * i));
}

/* The salt keeps the ids of one query apart. */
static uint64_t mixed(const struct trace *t, uint64_t salt)
{
    uint64_t v =
        rng_mix(rng_mix(t->seed ^ (salt * UINT64_C(0x9e3779b97f4a7c15))) ^ (uint64_t)t->id);

    return v != 0 ? v : 1;
}

enum { SALT_TRACE_HIGH = 1, SALT_TRACE_LOW, SALT_UUID_HIGH, SALT_CALLS };

void trace_id(const struct trace *t, uint8_t out[TRACE_ID_BYTES])
{
    put_u64(out, mixed(t, SALT_TRACE_HIGH));
    put_u64(out + 8, mixed(t, SALT_TRACE_LOW));
}

void trace_span_id(const struct trace *t, uint32_t call, uint8_t out[TRACE_SPAN_ID_BYTES])
{
    put_u64(out, mixed(t, SALT_CALLS + (uint64_t)call));
}

str trace_uuid(const struct trace *t, uint32_t call, char out[TRACE_UUID_MAX])
{
    uint64_t ms = (uint64_t)(t->started > 0 ? t->started / 1000 : 0) & UINT64_C(0xffffffffffff);
    uint64_t low = mixed(t, SALT_CALLS + (uint64_t)call);
    uint64_t high = mixed(t, SALT_UUID_HIGH + ((uint64_t)call << 8));
    int n = snprintf(out, TRACE_UUID_MAX, "%08x-%04x-7%03x-%04x-%012" PRIx64, (unsigned)(ms >> 16),
                     (unsigned)(ms & 0xffff), (unsigned)(high & 0xfff),
                     (unsigned)(0x8000 | ((high >> 12) & 0x3fff)), low & UINT64_C(0xffffffffffff));

    return (str){ out, (size_t)n };
}

uint64_t trace_threshold(double share)
{
    if (share >= 1)
        return 0;
    return share > 0 ? (uint64_t)((1 - share) * (double)RANDOM_RANGE) : RANDOM_RANGE;
}

bool trace_is_sampled(const struct trace *t, uint64_t threshold)
{
    return (mixed(t, SALT_TRACE_LOW) & (RANDOM_RANGE - 1)) >= threshold;
}

/* Fourteen hexadecimal digits, those that are zero at the end left out. */
str trace_state(uint64_t threshold, char out[TRACE_STATE_MAX])
{
    if (threshold == 0 || threshold >= RANDOM_RANGE)
        return STR("");
    int n = snprintf(out, TRACE_STATE_MAX, "ot=th:%014" PRIx64, threshold);
    while (out[n - 1] == '0')
        n--;
    return (str){ out, (size_t)n };
}

str trace_query_name(const struct trace *t, char out[20])
{
    return (str){ out, (size_t)snprintf(out, 20, "q%016" PRIx64, (uint64_t)t->id) };
}
