/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server: HTTP/1.1 on one loop: connections, limits, keep-alive, bodies, streamed answers.
 *
 * A caller may rely on:
 *   - on_request is called once per whole request (head and body received and valid); malformed, slow and oversized requests are
 *     answered here and never reach it;
 *   - each exchange ends exactly once: by the caller's exchange_end() (or exchange_respond()), and on_gone is called at most
 *     once, before that, when the client went away: the caller must still end the exchange;
 *   - no callback runs inside a function of this header;
 *   - memory of the exchange (its arena, its request) lives until it ends.
 *
 * May include: base, core/http, edge/world, edge/net.
 */
#ifndef WEIR_EDGE_HTTP_SERVER_H
#define WEIR_EDGE_HTTP_SERVER_H

#include "base/arena.h"
#include "base/base.h"

struct world;
struct http_server;
struct exchange;

struct server_limits {
    size_t head_bytes_max; /* request line and headers; 431 past it */
    size_t body_bytes_max; /* 413 past it */
    uint32_t connections_max; /* further ones wait in the backlog */
    nsec head_timeout; /* from a request's first byte to the end of its head; 408 */
    nsec body_timeout; /* between two reads of a body; 408 */
    nsec idle_timeout; /* of a keep-alive connection */
    nsec write_timeout; /* a client that takes no byte for so long is gone */
};
struct server_limits server_limits_default(void);

struct server_options {
    str listen; /* "127.0.0.1:8080", "[::1]:8080", ":8080"; port 0 picks one */
    bool reuse_port; /* SO_REUSEPORT: one listener a worker */
    struct server_limits limits;
    size_t arena_max_bytes; /* of one exchange */
    void (*on_request)(void *ctx, struct exchange *x);
    /* Optional: a request was answered here, because of this fault; path is empty when its head was not read. */
    void (*on_refused)(void *ctx, enum err fault, str path);
    void *ctx;
};

/* WEIR_IO with a sentence in out_why (160 bytes) when the address cannot be bound. */
NODISCARD enum err server_open(struct http_server **out, struct world *w,
                               const struct server_options *options, char out_why[160]);
uint16_t server_port(const struct http_server *s); /* the port bound */
void server_drain(
    struct http_server *
        s); /* closes the listener and idle connections; answers carry Connection: close from now on */
uint32_t server_busy(const struct http_server *s); /* exchanges that have not ended */
void server_close(
    struct http_server *s); /* cuts every connection; exchanges must have ended; NULL is a no-op */

/* ---- the request ---- */
str exchange_method(const struct exchange *x);
str exchange_path(const struct exchange *x); /* without the query, as sent */
str exchange_query(const struct exchange *x);
str exchange_header(const struct exchange *x,
                    str name); /* case-insensitive; ptr NULL when absent */
str exchange_body(const struct exchange *x);
str exchange_peer(const struct exchange *x); /* "127.0.0.1:54321" */
nsec exchange_started(const struct exchange *x); /* when its first byte was read */
struct arena *exchange_arena(struct exchange *x);

/* ---- the answer ---- */
struct answer_header {
    str name;
    str value; /* CR, LF and NUL are refused: the header is dropped */
};

/* A whole answer at once (Content-Length; Date and Server are added); ends the exchange. */
void exchange_respond(struct exchange *x, int status, str content_type,
                      const struct answer_header *headers, size_t header_count, str body);
/* A streamed answer (chunked; or close-delimited for HTTP/1.0). */
void exchange_begin(struct exchange *x, int status, str content_type,
                    const struct answer_header *headers, size_t header_count);
/* Copies; sends in this turn. false when the client is slow (much is queued): wait for on_drain before more; nothing is lost. */
bool exchange_write(struct exchange *x, str bytes);
void exchange_end(struct exchange *x); /* finishes the stream; x must not be used afterwards */
void exchange_abort(
    struct exchange *x); /* ends by cutting the connection: the client sees an incomplete answer */

/* Set by the owner at any time before the end. */
void exchange_watch(struct exchange *x, void *ctx, void (*on_gone)(void *ctx),
                    void (*on_drain)(void *ctx));

#endif
