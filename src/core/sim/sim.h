/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim: a simulated language model for drills and tests: same inputs, same output, on every machine.
 *
 * It solves the arithmetic that it finds in a prompt with its profile's skill, else it gives a
 * plausible wrong number; other prompts get a canned sentence that starts with 'simulated'. It answers
 * JSON when JSON is asked for, so that a reasoning strategy can be run against it.
 *
 * A caller may rely on:
 *   - at temperature 0 the text does not depend on the salt;
 *   - only latency and fault depend on the arrival, never the text;
 *   - half-way realistic errors: a question that is hard for one prompt or model tends to be hard for the
 *     others (SIM_SHARED_LUCK), so that agreement is evidence but no proof;
 *   - the text is ASCII and, where JSON was asked for, one valid JSON object.
 *
 * May include: base.
 */
#ifndef WEIR_CORE_SIM_SIM_H
#define WEIR_CORE_SIM_SIM_H

#include "base/arena.h"
#include "base/base.h"

/* How often a question's own difficulty decides, rather than the sample's luck. */
#define SIM_SHARED_LUCK 0.4

enum sim_price_class { SIM_PRICE_FREE, SIM_PRICE_SMALL, SIM_PRICE_LARGE };

struct sim_profile {
    const char *model; /* also matches dated snapshots: "gpt-4o" matches "gpt-4o-2024-08-06" */
    double skill; /* P(right) on arithmetic */
    int verbosity; /* sentences before a plain answer */
    double first_token_ms; /* median of a lognormal distribution */
    double first_token_sigma; /* of its logarithm */
    double tokens_per_second;
    enum sim_price_class price_class;
};

/* The profile of a model's name, the default one for an unknown name; never NULL. */
const struct sim_profile *sim_profile_find(str model);
/* The named profiles, without the default. */
const struct sim_profile *sim_profiles(size_t *out_count);

struct sim_request {
    uint64_t seed; /* of the whole simulated world */
    str model;
    str prompt; /* the last user message */
    str schema; /* JSON Schema text that the answer shall satisfy; may be empty */
    bool wants_json; /* response_format asks for JSON; a prompt that names JSON does too */
    double temperature; /* 0: greedy */
    uint64_t salt; /* which sample of the same request */
    uint64_t arrival; /* which call this is; draws latency and fault */
    double fault_rate; /* [0, 1] */
};

struct sim_answer {
    str text; /* in the arena; empty for a fault before the first token */
    nsec first_token; /* from the request's arrival */
    nsec per_token; /* between two tokens afterwards */
    int64_t prompt_tokens; /* estimated: a token per four bytes */
    int64_t completion_tokens;
    enum err
        fault; /* OK, or one of PROVIDER_RATE_LIMITED, _OVERLOADED, _FAILED, _FIRST_BYTE, _CUT, _GARBAGE */
    bool has_arithmetic; /* the prompt held an expression */
    bool is_right; /* and the answer is its value */
};

/* WEIR_NO_MEMORY when the arena failed. */
NODISCARD enum err sim_ask(struct arena *arena, const struct sim_request *request,
                           struct sim_answer *out);

#endif
