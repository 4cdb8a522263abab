/* SPDX-License-Identifier: Apache-2.0 */
/*
 * err: the one closed table of faults. A row defines a fault everywhere: in results, in the HTTP
 * answer, in retries, in the ledger, in metrics.
 *
 * Causes: CALLER (the request is at fault), POLICY (a limit that the operator set), PROVIDER (the
 * upstream is at fault), WEIR (we are).
 *
 * Columns: name, HTTP status, may another attempt help, does it blame the provider, OpenAI's error
 * type, text for people.
 */
#ifndef WEIR_BASE_ERR_H
#define WEIR_BASE_ERR_H

#include <stdbool.h>

/* clang-format off */
#define ERR_TABLE(X)                                                                                                              \
    X(CALLER_BAD_HTTP,          400, false, false, "invalid_request_error", "the request is not valid HTTP/1.1")                   \
    X(CALLER_BAD_JSON,          400, false, false, "invalid_request_error", "the body is not valid JSON")                          \
    X(CALLER_BAD_REQUEST,       400, false, false, "invalid_request_error", "the request does not have the expected form")         \
    X(CALLER_EMPTY_QUESTION,    400, false, false, "invalid_request_error", "the question is empty")                               \
    X(CALLER_UNKNOWN_MODEL,     404, false, false, "invalid_request_error", "no such model is configured")                         \
    X(CALLER_UNKNOWN_PATH,      404, false, false, "invalid_request_error", "there is nothing at this path")                       \
    X(CALLER_BAD_METHOD,        405, false, false, "invalid_request_error", "this path does not take this method")                 \
    X(CALLER_SLOW,              408, false, false, "invalid_request_error", "the request did not arrive in time")                  \
    X(CALLER_TOO_LARGE,         413, false, false, "invalid_request_error", "the body is too large")                               \
    X(CALLER_HEADERS_TOO_LARGE, 431, false, false, "invalid_request_error", "the headers are too large")                           \
    X(CALLER_UNAUTHORIZED,      401, false, false, "authentication_error",  "the key is missing or wrong")                         \
    X(CALLER_FORBIDDEN,         403, false, false, "permission_error",      "the key may not do this")                                     \
    X(CALLER_GONE,              499, false, false, "invalid_request_error", "the client went away")                                \
    X(POLICY_BUDGET,            429, false, false, "insufficient_quota",    "the query's budget is used up")                       \
    X(POLICY_LIMIT,             429, false, false, "rate_limit_error",      "a configured limit is reached")                       \
    X(POLICY_QUOTA,             429, false, false, "insufficient_quota",    "the budget of the key or its tenant is used up")              \
    X(PROVIDER_UNREACHABLE,     502, true,  true,  "upstream_error",        "the provider cannot be reached")                      \
    X(PROVIDER_TLS,             502, true,  true,  "upstream_error",        "the provider's TLS handshake failed")                 \
    X(PROVIDER_CONNECT_TIMEOUT, 504, true,  true,  "upstream_error",        "the provider did not accept a connection in time")    \
    X(PROVIDER_FIRST_BYTE,      504, true,  true,  "upstream_error",        "the provider sent no answer in time")                 \
    X(PROVIDER_STALLED,         504, true,  true,  "upstream_error",        "the provider stopped sending in the middle")          \
    X(PROVIDER_CUT,             502, true,  true,  "upstream_error",        "the provider's connection ended too early")           \
    X(PROVIDER_RATE_LIMITED,    429, true,  true,  "rate_limit_error",      "the provider is rate limiting")                       \
    X(PROVIDER_RESTING,         503, false, true,  "upstream_error",        "the provider failed too often and is left alone for a while") \
    X(PROVIDER_OVERLOADED,      503, true,  true,  "upstream_error",        "the provider is overloaded")                          \
    X(PROVIDER_FAILED,          502, true,  true,  "upstream_error",        "the provider failed")                                 \
    X(PROVIDER_GARBAGE,         502, true,  true,  "upstream_error",        "the provider's answer makes no sense")                \
    X(PROVIDER_AUTH,            502, false, true,  "upstream_error",        "the provider refused our key")                        \
    X(PROVIDER_REJECTED,        400, false, false, "invalid_request_error", "the provider refused the request")                    \
    X(PROVIDER_NO_MODEL,        404, false, false, "invalid_request_error", "the provider does not know the model")                \
    X(DEADLINE_EXCEEDED,        504, false, true,  "upstream_error",        "the time allowed for the query ran out")              \
    X(WEIR_NO_MEMORY,           503, false, false, "server_error",          "weir is out of memory for this request")              \
    X(WEIR_OVERLOADED,          503, false, false, "server_error",          "weir is at one of its limits")                        \
    X(WEIR_STORE,               503, false, false, "server_error",          "the ledger cannot be written")                        \
    X(WEIR_STOPPING,            503, false, false, "server_error",          "weir is shutting down")                               \
    X(WEIR_NOT_SUPPORTED,       501, false, false, "server_error",          "not supported yet")                                   \
    X(WEIR_CONFIG,              500, false, false, "server_error",          "the configuration is not valid")                      \
    X(WEIR_IO,                  500, false, false, "server_error",          "a system call failed")                                \
    X(WEIR_INTERRUPTED,         500, false, false, "server_error",          "weir was stopped before the query ended")             \
    X(WEIR_DEFECT,              500, false, false, "server_error",          "a defect of weir")
/* clang-format on */

enum err {
    OK = 0,
#define X(name, status, retryable, blames, type, text) name,
    ERR_TABLE(X)
#undef X
        ERR_COUNT
};

struct err_info {
    const char *name; /* upper case, as in the ledger and in metrics: "PROVIDER_CUT" */
    int http_status;
    bool retryable;
    bool blames_provider;
    const char *type; /* OpenAI's error.type */
    const char *text; /* one clause for people */
};

/* The row of a fault; err_info(OK) is {"OK", 200, …}. Never NULL for an enumerator. */
const struct err_info *err_info(enum err e);

/* The fault of a name as err_info() gives it; ERR_COUNT for an unknown name. */
enum err err_from_name(const char *name);

#endif
