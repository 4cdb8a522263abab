/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the gateway share; nobody else includes it. */
#ifndef WEIR_APP_GATEWAY_GATEWAY_INTERNAL_H
#define WEIR_APP_GATEWAY_GATEWAY_INTERNAL_H

#include "app/gateway/gateway.h"
#include "edge/http/server.h"

#define JSON_TYPE STR("application/json")
#define LIMIT_HEADERS_MAX 6

struct arena;
struct chat_error;
struct query;

/* ---- gateway.c ---- */
/* Answers and counts the answer. */
void gateway_respond(struct gateway *g, struct exchange *x, int status, str type,
                     const struct answer_header *headers, size_t header_count, str body);
/* An error in OpenAI's shape; an empty message is the fault's own text, an empty param null. */
void gateway_refuse(struct gateway *g, struct exchange *x, enum err fault, str message, str param);

/* ---- keys.c ---- */
/* Whether the request may be handled; sets g->caller. */
bool gateway_admits(struct gateway *g, const struct exchange *x);
/* Whether g->caller may ask for the model that the query names. CALLER_FORBIDDEN with a message. */
NODISCARD enum err gateway_allows(const struct gateway *g, const struct query *q,
                                  struct chat_error *error);
/* What is left of the caller's requests and tokens, as OpenAI names it; how many headers. */
size_t gateway_limit_headers(const struct query *q, struct arena *arena,
                             struct answer_header out[LIMIT_HEADERS_MAX]);
/* The query is g->caller's: its tenant, and its limits. */
void gateway_name_caller(const struct gateway *g, struct query *q);

/* ---- ready.c ---- */
struct ready_question {
    struct health *health;
    bool is_draining;
    bool has_details; /* the asker is an operator */
};
/* Appends the answer to a GET /readyz to *body; gives its status. */
int ready_answer(const struct ready_question *question, const struct exchange *x, struct buf *body);

/* ---- feedback.c ---- */
void gateway_post_feedback(struct gateway *g, struct exchange *x);

extern const str gateway_openapi[]; /* docs/openapi.yaml, compiled in; one text */

#endif
