/* SPDX-License-Identifier: Apache-2.0 */
/* embeddings: the door of POST /v1/embeddings: relayed byte for byte; what it costs is counted. */
#include "app/gateway/door.h"

static enum err admit(struct visit *v, struct chat_error *error)
{
    enum err e = relay_request_parse(v->query.arena, API_EMBEDDINGS, exchange_body(v->exchange),
                                     &v->request, error);

    if (e == OK)
        e = visit_route(v, error);
    if (e != OK)
        return e;
    if (!v->query.route.is_plain) {
        *error = (struct chat_error){ WEIR_NOT_SUPPORTED, STR("a strategy makes no embeddings"),
                                      STR("model") };
        return error->fault;
    }
    v->query.api = API_EMBEDDINGS;
    return visit_chat_read(v, error);
}

const struct door door_embeddings = { .admit = admit };
