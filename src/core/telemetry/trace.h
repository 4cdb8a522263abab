/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace: what exporters are told about one query that ended, with its calls: one flat block of memory that can wait in a queue
 * and be read by several threads. And what every exporter derives from it: its ids, whether it is sampled.
 *
 * A caller may rely on: prompts and answers are in it only where somebody put them there; ids are the same whenever the same
 * query is asked for them, so that a batch that is sent twice is the same batch.
 *
 * May include: base, core/json, core/money.
 */
#ifndef WEIR_CORE_TELEMETRY_TRACE_H
#define WEIR_CORE_TELEMETRY_TRACE_H

#include "base/base.h"
#include "core/money/money.h"

#define TRACE_CALLS_MAX ((size_t)256) /* of one query; later ones are left out and counted */

struct trace_call {
    uint32_t number; /* 1.. within the query */
    uint32_t parent; /* number of the call that caused it; 0: the query itself */
    str role; /* "plain", "plan", "solve", … */
    str model;
    str provider;
    enum err fault;
    int http_status; /* 0: nobody answered */
    int attempts;
    struct usage usage;
    nano_usd cost; /* or COST_UNPRICED */
    nsec started; /* since the query's start */
    nsec took;
    nsec first_byte; /* since the call's start; 0: none came */
    str input; /* the request's body; empty unless content is captured */
    str output; /* the answer's text; likewise */
};

struct trace {
    int64_t id; /* the query's */
    uint64_t seed; /* of the process: two gateways' queries may have the same id */
    uint64_t
        threshold; /* that its id had to reach to be sampled; 0: it is exported whatever its id */
    usec_utc started;
    nsec took;
    str strategy; /* "plain", "hrm_trm", … */
    str requested_model;
    str model; /* that answered */
    str domain; /* any of these may be empty */
    str tenant;
    str conversation;
    str arm;
    str scorer;
    enum err fault;
    struct usage usage; /* of all calls */
    nano_usd cost; /* or COST_UNPRICED */
    double hrm_confidence; /* negative: none */
    double trm_confidence;
    double confidence;
    double verdict; /* of the request's verifier: 1 right, 0 wrong; negative: none */
    double temperature; /* negative: not given */
    int64_t max_tokens; /* 0: not given */
    bool is_calibrated; /* `confidence` is a probability */
    bool is_stream;
    bool is_simulated;
    bool is_truncated;
    bool has_content; /* the texts below and those of the calls are there */
    str input; /* the client's messages, JSON */
    str output; /* the answer's text */
    uint32_t calls_left_out;
    size_t call_count;
    const struct trace_call *calls;
};

/* The bytes that trace_copy() needs, at most TRACE_CALLS_MAX calls counted. */
size_t trace_size(const struct trace *t);
/* A copy that points into the block alone; the block is aligned as malloc() aligns. */
const struct trace *trace_copy(const struct trace *t, void *block);

#define TRACE_ID_BYTES 16
#define TRACE_SPAN_ID_BYTES 8
void trace_id(const struct trace *t, uint8_t out[TRACE_ID_BYTES]); /* never all zero */
/* Of a call by its number, or of the query itself: 0. Never all zero. */
void trace_span_id(const struct trace *t, uint32_t call, uint8_t out[TRACE_SPAN_ID_BYTES]);
/* RFC 9562's version 7, of the same; as text, 36 characters. */
#define TRACE_UUID_MAX 37
str trace_uuid(const struct trace *t, uint32_t call, char out[TRACE_UUID_MAX]);

/* Sampling is by the trace id's low 56 bits against a threshold, as W3C's Trace Context level 2 and OpenTelemetry's consistent
 * probability sampling have it: a smaller share takes a part of a larger one's, and whoever knows the threshold knows for how
 * many queries one stands. */
uint64_t trace_threshold(double share); /* [0, 1] */
bool trace_is_sampled(const struct trace *t, uint64_t threshold);
/* OpenTelemetry's "ot=th:…" of a threshold; empty: 0. */
#define TRACE_STATE_MAX 24
str trace_state(uint64_t threshold, char out[TRACE_STATE_MAX]);

/* "q" and 16 hexadecimal digits, as everywhere else. */
str trace_query_name(const struct trace *t, char out[20]);

#endif
