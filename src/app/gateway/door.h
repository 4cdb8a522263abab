/* SPDX-License-Identifier: Apache-2.0 */
/*
 * door: an endpoint whose requests become queries. Doors differ in what they read and in how they say what came of it; one path
 * leads through all of them:
 *
 *     enter -> admit -> query ~~~~> answer, whole or streamed        refused at any step: an error in the door's own shape
 *
 * Only the gateway's files include it.
 */
#ifndef WEIR_APP_GATEWAY_DOOR_H
#define WEIR_APP_GATEWAY_DOOR_H

#include "app/engine/engine.h"
#include "app/gateway/gateway_internal.h"
#include "core/dialect/face.h"

/* A request on its way through a door; lives in the exchange's arena. */
struct visit {
    const struct door *door;
    struct gateway *gateway;
    struct exchange *exchange;
    struct query query;
    struct chat_request request;
    const struct face *face; /* translates what the query answers; NULL: it goes out as it comes */
    struct face_stream *stream; /* of the face */
    enum err face_fault; /* what could not be translated, once the answer was under way */
    bool has_begun; /* the streamed answer's head is out */
    bool is_gone;
};

struct door {
    bool names_events; /* events go out as "event: TYPE" and data; and no [DONE] ends them */
    const struct face
        *face; /* how refusals and failed streams are said; NULL: as chat completions do */
    /* Reads the body into v->request, finds the route, and says in v->face whether to translate. */
    enum err (*admit)(struct visit *v, struct chat_error *error);
};

extern const struct door door_chat, door_embeddings, door_messages, door_responses;

struct refusal {
    enum err fault;
    str message; /* empty: the fault's own text */
    str param; /* empty: null */
    const struct answer_header *headers;
    size_t header_count;
};

void door_enter(const struct door *door, struct gateway *g, struct exchange *x);
/* Answers with an error in the door's shape; a NULL door's is OpenAI's. */
void door_refuse(const struct door *door, struct gateway *g, struct exchange *x,
                 const struct refusal *refusal);

/* ---- what admissions share ---- */

/* The route of v->request.model. */
NODISCARD enum err visit_route(struct visit *v, struct chat_error *error);
/* Of any request: weir's own members; and of a strategy's what it does not take. */
NODISCARD enum err visit_chat_read(struct visit *v, struct chat_error *error);
/* Admits a request of an API that some providers speak: relayed to those, and for other models and strategies v->request becomes
 * the chat request that the face makes of the body. */
NODISCARD enum err visit_relay_or_translate(struct visit *v, enum api api, const struct face *face,
                                            struct chat_error *error);

#endif
