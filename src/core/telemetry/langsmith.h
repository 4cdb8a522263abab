/* SPDX-License-Identifier: Apache-2.0 */
/*
 * langsmith: traces as runs of LangSmith, in both of its ways in: POST /runs/multipart, and POST /runs/batch where that is not to
 * be had. A query is a run of type chain, each of its calls one of type llm below it (or below the call that caused it).
 *
 * A run is sent whole, when it has ended. Its ids are the same whenever it is sent again, and LangSmith answers 409 to what it
 * has already: a success.
 *
 * May include: base, core/json, core/money.
 */
#ifndef WEIR_CORE_TELEMETRY_LANGSMITH_H
#define WEIR_CORE_TELEMETRY_LANGSMITH_H

#include "base/base.h"
#include "core/telemetry/trace.h"

struct langsmith_options {
    str project;
    str service;
    str version;
};

/* What a server can take: GET /info. */
struct langsmith_info {
    bool has_multipart;
    size_t runs_max; /* of one request */
    size_t bytes_max;
};
/* What the released clients assume when there is no answer, or one without a word about it. */
struct langsmith_info langsmith_info_default(void);
/* An answer's body; what it does not say, or says without sense, keeps its default. */
struct langsmith_info langsmith_info_read(str body);

/* The next run that is to be sent. */
struct langsmith_cursor {
    size_t trace;
    size_t run; /* within it: 0 is the query's, then its calls */
};

struct langsmith_batch {
    const struct langsmith_options *options;
    const struct langsmith_info *info;
    const struct trace *const *traces;
    size_t count;
};
/* Appends a body with as many runs from the cursor on as one request takes, at least one, and moves the cursor behind them. False:
 * there are none left. */
bool langsmith_json_write(struct buf *out, const struct langsmith_batch *batch,
                          struct langsmith_cursor *at);
bool langsmith_multipart_write(struct buf *out, const struct langsmith_batch *batch,
                               struct langsmith_cursor *at);
extern const char *const langsmith_multipart_type; /* Content-Type, with its boundary */

enum langsmith_verdict {
    LANGSMITH_TAKEN, /* 2xx, 409 */
    LANGSMITH_NO_MULTIPART, /* 404 there: the other way is left */
    LANGSMITH_TOO_LARGE, /* 413 */
    LANGSMITH_RETRY, /* 408, 425, 429, 5xx */
    LANGSMITH_REFUSED
};
enum langsmith_verdict langsmith_verdict_of(int http_status, bool was_multipart);

#endif
