/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server_internal: what the three files of the server share. connection.c owns a connection's state
 * and all calls of callbacks; exchange.c records what the owner of an exchange asks for and posts;
 * server.c opens, drains and closes.
 *
 * May include: base, core/http, edge/world, edge/net.
 */
#ifndef WEIR_EDGE_HTTP_SERVER_INTERNAL_H
#define WEIR_EDGE_HTTP_SERVER_INTERNAL_H

#include "core/http/http.h"
#include "edge/http/server.h"
#include "edge/net/net.h"
#include "edge/world/world.h"

#define SCRATCH_BYTES ((size_t)64 << 10) /* of one read of unknown length */
#define BODY_READ_BYTES ((size_t)256 << 10) /* of one read of a body of known length */
#define PIPELINE_BYTES_MAX                                                                         \
    ((size_t)16 << 10) /* behind the request being answered; then no reading */
#define PIPELINE_REQUESTS_PER_TURN 32 /* of one connection; then others get their share */
#define QUEUE_HIGH_BYTES ((size_t)64 << 10) /* of a streamed answer: its owner must wait */
#define QUEUE_LOW_BYTES ((size_t)16 << 10) /* its owner may go on */
#define KEPT_BYTES ((size_t)2048) /* of a buffer, from one request to the next */
#define LINGER_TIME (2 * NSEC_PER_SEC) /* reading on after a refusal, so that it is not lost */
#define LINGER_BYTES_MAX ((uint64_t)32 << 20)

enum connection_state {
    CONNECTION_IDLE,
    CONNECTION_HEAD,
    CONNECTION_BODY,
    CONNECTION_BUSY,
    CONNECTION_FLUSH,
    CONNECTION_LINGER,
    CONNECTION_CLOSED,
    CONNECTION_STATE_COUNT
};

/* One request and its answer; part of its connection, which has at most one at a time. */
struct exchange {
    struct http_head head;
    size_t body_len; /* behind the head in the connection's `in` */
    nsec started;
    struct arena arena;

    void *watch_ctx;
    void (*on_gone)(void *ctx);
    void (*on_drain)(void *ctx);

    struct buf chunk; /* streamed bytes of this turn, not yet framed */
    bool was_asked; /* on_request was called */
    bool was_told_gone;
    bool has_begun; /* the answer's head was written */
    bool has_ended;
    bool is_cut; /* ended by cutting the connection */
    bool is_chunked; /* the answer */
    bool is_bodiless; /* the answer: to HEAD, or by its status */
    bool waits_for_drain;
};

struct connection {
    struct link link; /* in the server's connections */
    struct http_server *server;
    struct net_stream stream;
    struct turn turn;
    struct timer timer; /* fires at or before the deadline */
    nsec deadline; /* of what is waited for; NSEC_NEVER */
    enum connection_state waiting_state; /* what the deadline was set for */
    uint64_t waiting_mark;

    enum connection_state state;
    struct buf in; /* the request being read or answered, and what came behind it */
    struct buf next; /* what came behind it while it was being answered: `in` must not move then */
    size_t request_end; /* in `in`, once the request is whole */
    size_t body_end; /* in `in`, of a chunked body as far as it is decoded */
    struct http_chunked chunked;
    uint64_t read_bytes;
    uint64_t linger_end; /* in read_bytes */
    uint64_t request_count;
    bool has_timed_out;
    bool closes; /* after the answer */
    bool lingers; /* before closing */
    bool resets; /* when closing */
    bool is_running;
    bool is_counted; /* in the server's `busy` */
    char peer[NET_PEER_BYTES];

    struct exchange exchange;
};

struct http_server {
    struct world *world;
    struct server_options options;
    struct net_listener *listener; /* NULL when draining */
    struct link connections;
    uint32_t busy; /* exchanges whose answers are not yet with the system as a whole */
    uint16_t port;
    bool is_draining;
    struct buf head; /* of the answer being written */
    struct buf common; /* "Server: …" and "Date: …" lines of this second */
    int64_t common_second;
    char scratch[SCRATCH_BYTES];
};

/* connection.c */
void connection_accept(struct http_server *s, int fd, const char *peer); /* owns fd */
void connection_free(struct connection *c);
void connection_wake(struct connection *c); /* runs its machine in a later turn */

/* exchange.c */
struct connection *exchange_connection(const struct exchange *x);
void exchange_flush(struct exchange *x); /* frames and sends what this turn wrote */
size_t exchange_pressure(const struct exchange *x); /* bytes that the client has not taken */
/* Answers a request that no exchange will see, with OpenAI's error body. */
void connection_refuse(struct connection *c, int status, enum err fault, const char *text);

#endif
