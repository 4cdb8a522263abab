/* SPDX-License-Identifier: Apache-2.0 */
/* server: opens, drains and closes; see server.h. */
#include "edge/http/server_internal.h"

#include <stdlib.h>

struct server_limits server_limits_default(void)
{
    return (struct server_limits){ .head_bytes_max = (size_t)32 << 10,
                                   .body_bytes_max = (size_t)16 << 20,
                                   .connections_max = 10000,
                                   .head_timeout = 10 * NSEC_PER_SEC,
                                   .body_timeout = 30 * NSEC_PER_SEC,
                                   .idle_timeout = 75 * NSEC_PER_SEC,
                                   .write_timeout = 30 * NSEC_PER_SEC };
}

static void on_accept(void *ctx, int fd, const char *peer)
{
    connection_accept(ctx, fd, peer);
}

enum err server_open(struct http_server **out, struct world *w,
                     const struct server_options *options, char out_why[160])
{
    struct net_listener_options listen = { .address = options->listen,
                                           .reuse_port = options->reuse_port,
                                           .accepted_max = options->limits.connections_max,
                                           .on_accept = on_accept };
    struct http_server *s = calloc(1, sizeof(*s));

    _Static_assert(NET_WHY_BYTES == 160, "the sentence is the listener's");
    if (!s)
        return WEIR_NO_MEMORY;
    s->world = w;
    s->options = *options;
    s->options.listen = (str){ NULL, 0 }; /* the caller's; not needed any more */
    s->common_second = -1;
    link_init(&s->connections);
    listen.ctx = s;
    enum err e = net_listener_open(&s->listener, w, &listen, out_why);
    if (e != OK) {
        free(s);
        return e;
    }
    s->port = net_listener_port(s->listener);
    *out = s;
    return OK;
}

uint16_t server_port(const struct http_server *s)
{
    return s->port;
}

uint32_t server_busy(const struct http_server *s)
{
    return s->busy;
}

void server_drain(struct http_server *s)
{
    if (s->is_draining)
        return;
    s->is_draining = true;
    net_listener_close(s->listener);
    s->listener = NULL;
    /* Idle connections look once more for a request already sent, then close. */
    for (struct link *l = s->connections.next; l != &s->connections; l = l->next)
        connection_wake(CONTAINER_OF(l, struct connection, link));
}

void server_close(struct http_server *s)
{
    if (!s)
        return;
    for (struct link *l = list_pop(&s->connections); l; l = list_pop(&s->connections)) {
        struct connection *c = CONTAINER_OF(l, struct connection, link);
        assert(c->state != CONNECTION_BUSY || c->exchange.has_ended);
        connection_free(c);
    }
    net_listener_close(s->listener);
    buf_fini(&s->head);
    buf_fini(&s->common);
    free(s);
}
