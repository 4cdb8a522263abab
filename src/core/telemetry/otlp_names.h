/* SPDX-License-Identifier: Apache-2.0 */
/*
 * otlp_names: every attribute of a span that weir sets, in one place. gen_ai.* is OpenTelemetry's GenAI convention, llm.* and
 * openinference.* are what Phoenix reads, gen_ai.usage.cost and llm.cost.total what Langfuse and others do; weir.* is our own.
 */
#ifndef WEIR_CORE_TELEMETRY_OTLP_NAMES_H
#define WEIR_CORE_TELEMETRY_OTLP_NAMES_H

/* clang-format off */
#define OTLP_NAME_TABLE(X)                                                             \
    X(OPERATION,             "gen_ai.operation.name")                                  \
    X(PROVIDER,              "gen_ai.provider.name")                                   \
    X(SYSTEM,                "gen_ai.system") /* before 1.37 */                        \
    X(REQUEST_MODEL,         "gen_ai.request.model")                                   \
    X(REQUEST_TEMPERATURE,   "gen_ai.request.temperature")                             \
    X(REQUEST_MAX_TOKENS,    "gen_ai.request.max_tokens")                              \
    X(REQUEST_STREAM,        "gen_ai.request.stream")                                  \
    X(RESPONSE_MODEL,        "gen_ai.response.model")                                  \
    X(RESPONSE_FIRST_CHUNK,  "gen_ai.response.time_to_first_chunk")                    \
    X(INPUT_TOKENS,          "gen_ai.usage.input_tokens")                              \
    X(OUTPUT_TOKENS,         "gen_ai.usage.output_tokens")                             \
    X(CACHE_READ_TOKENS,     "gen_ai.usage.cache_read.input_tokens")                   \
    X(CACHE_CREATION_TOKENS, "gen_ai.usage.cache_creation.input_tokens")               \
    X(REASONING_TOKENS,      "gen_ai.usage.reasoning.output_tokens")                   \
    X(CONVERSATION,          "gen_ai.conversation.id")                                 \
    X(INPUT_MESSAGES,        "gen_ai.input.messages")                                  \
    X(OUTPUT_MESSAGES,       "gen_ai.output.messages")                                 \
    X(USAGE_COST,            "gen_ai.usage.cost") /* US dollars */                     \
    X(ERROR_TYPE,            "error.type")                                             \
    X(HTTP_STATUS,           "http.response.status_code")                              \
    X(RESEND_COUNT,          "http.request.resend_count")                              \
    X(LLM_COST,              "llm.cost.total") /* US dollars */                        \
    X(LLM_MODEL,             "llm.model_name")                                         \
    X(LLM_INPUT_TOKENS,      "llm.token_count.prompt")                                 \
    X(LLM_OUTPUT_TOKENS,     "llm.token_count.completion")                             \
    X(LLM_TOKENS,            "llm.token_count.total")                                  \
    X(INFERENCE_KIND,        "openinference.span.kind")                                \
    X(INPUT_VALUE,           "input.value")                                            \
    X(OUTPUT_VALUE,          "output.value")                                           \
    X(QUERY_ID,              "weir.query.id")                                          \
    X(STRATEGY,              "weir.strategy")                                          \
    X(DOMAIN,                "weir.domain")                                            \
    X(TENANT,                "weir.tenant")                                            \
    X(ARM,                   "weir.arm")                                               \
    X(SCORER,                "weir.route.scorer")                                      \
    X(COST,                  "weir.cost.nano_usd")                                     \
    X(CONFIDENCE,            "weir.confidence")                                        \
    X(CONFIDENCE_CALIBRATED, "weir.confidence.calibrated")                             \
    X(HRM_CONFIDENCE,        "weir.confidence.hrm")                                    \
    X(TRM_CONFIDENCE,        "weir.confidence.trm")                                    \
    X(VERDICT,               "weir.verdict")                                           \
    X(CALLS,                 "weir.calls")                                             \
    X(CALLS_LEFT_OUT,        "weir.calls.left_out")                                    \
    X(ROLE,                  "weir.call.role")                                         \
    X(SIMULATED,             "weir.simulated")                                         \
    X(TRUNCATED,             "weir.truncated")
/* clang-format on */

enum otlp_name {
#define X(name, text) OTLP_##name,
    OTLP_NAME_TABLE(X)
#undef X
        OTLP_NAME_COUNT
};

#endif
