/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport: one HTTP exchange, without retries or timeouts: what upstream.c needs of an HTTP client.
 *
 * A caller may rely on:
 *   - nothing is called inside start() or cancel();
 *   - on_head comes before on_data, both before on_end; every started call ends once, in on_end or cancel();
 *   - when on_end is called, the call is the transport's again: it must not be cancelled any more;
 *   - on_sent and on_read come from inside the transport and may only record; every other callback may
 *     start and cancel calls, its own too;
 *   - cancel() closes the call's connection before it returns.
 *
 * May include: base, edge/world.
 */
#ifndef WEIR_EDGE_UPSTREAM_TRANSPORT_H
#define WEIR_EDGE_UPSTREAM_TRANSPORT_H

#include "base/base.h"
#include "edge/world/world.h"

struct transport;
struct transport_call; /* owned by the transport */

struct transport_head {
    int http_status; /* >= 200 */
    str content_type; /* both live until on_end has returned */
    str retry_after;
};

struct transport_events {
    void (*on_sent)(void *ctx); /* the connection stands, the request goes out; may come again */
    void (*on_read)(void *ctx); /* something of the answer came in */
    void (*on_head)(void *ctx, const struct transport_head *head);
    void (*on_data)(void *ctx, str bytes); /* of a 2xx answer to a streamed request */
    /* is_final: the same request would meet the same end again. */
    void (*on_end)(void *ctx, enum err result, bool is_final);
};

struct transport_request {
    str url; /* http or https */
    str authorization; /* empty: no header */
    str headers; /* more header lines, each with its line feed; may hold a key */
    str body; /* lives until the end; POST when not empty, else GET */
    bool wants_stream;
    size_t answer_bytes_max;
    struct buf
        *answer; /* takes every body that does not go to on_data; of a non-2xx the first 64 KiB */
};

struct transport_methods {
    /* At most connections_max calls at a time; WEIR_NO_MEMORY, WEIR_CONFIG. */
    enum err (*start)(struct transport *t, struct transport_call **out,
                      const struct transport_request *request,
                      const struct transport_events *events, void *ctx);
    void (*cancel)(struct transport_call *call);
    void (*close)(struct transport *t); /* every call must have ended */
};

struct transport {
    const struct transport_methods *methods;
};

NODISCARD enum err transport_curl_open(struct transport **out, struct world *w,
                                       uint32_t connections_max);

#endif
