/* SPDX-License-Identifier: Apache-2.0 */
/*
 * curl_sockets: which sockets libcurl has and what it waits for.
 */
#include "edge/upstream/curl_sockets.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct socket {
    struct sockets *sockets;
    struct shard *shard;
    struct watch *watch;
    curl_socket_t fd;
    bool is_connection; /* opened by sockets_open; others are libcurl's own, as the resolver's */
    unsigned events; /* wished */
    bool is_connected;
    bool is_wanted; /* a transfer waits for it */
};

static struct socket *socket_of(const struct sockets *sockets, curl_socket_t fd)
{
    return fd >= 0 && (size_t)fd < sockets->slot_count ? sockets->slots[fd] : NULL;
}

static void socket_forget(struct sockets *sockets, curl_socket_t fd)
{
    struct socket *s = socket_of(sockets, fd);

    if (!s)
        return;
    sockets->slots[fd] = NULL;
    watch_close(s->watch);
    free(s);
}

static bool socket_slots_grow(struct sockets *sockets, size_t need)
{
    size_t slots = sockets->slot_count > 0 ? sockets->slot_count : 64;

    while (slots < need)
        slots *= 2;
    struct socket **grown = realloc(sockets->slots, slots * sizeof(struct socket *));
    if (!grown)
        return false;
    memset(grown + sockets->slot_count, 0, (slots - sockets->slot_count) * sizeof(struct socket *));
    sockets->slots = grown;
    sockets->slot_count = slots;
    return true;
}

static void on_watch(void *ctx, unsigned events)
{
    struct socket *s = ctx;

    if (s->is_wanted)
        s->sockets->on_ready(s->shard, s->fd, events);
    else /* the provider closed a connection that nobody uses; libcurl sees it before it uses it again */
        watch_set(s->watch, 0);
}

static struct socket *socket_remember(struct sockets *sockets, struct shard *shard,
                                      curl_socket_t fd, bool is_connection)
{
    if ((size_t)fd >= sockets->slot_count && !socket_slots_grow(sockets, (size_t)fd + 1))
        return NULL;
    struct socket *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    *s = (struct socket){
        .sockets = sockets, .shard = shard, .fd = fd, .is_connection = is_connection
    };
    sockets->slots[fd] = s;
    return s;
}

static bool socket_watch(struct socket *s, unsigned events)
{
    s->events = events;
    if (!s->watch && watch_open(&s->watch, s->sockets->world, s->fd, on_watch, s) != OK)
        return false;
    s->is_wanted = true;
    watch_set(s->watch, events);
    return true;
}

/*
 * libcurl 7.88 to 8.2 closes a socket that never became a connection itself, past CURLOPT_CLOSESOCKETFUNCTION
 * (curl pull request 11439), and says so late or, when the next one gets the same number, not at
 * all; then it does not repeat its wish either.
 */
curl_socket_t sockets_open(struct sockets *sockets, struct shard *shard,
                           const struct curl_sockaddr *address)
{
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                    address->protocol);
    const struct socket *stale = socket_of(sockets, fd);
    unsigned events = stale && stale->is_wanted && stale->shard == shard ? stale->events : 0;

    if (fd < 0)
        return CURL_SOCKET_BAD;
    socket_forget(sockets, fd);
    struct socket *s = socket_remember(sockets, shard, fd, true);
    if (!s || (events != 0 && !socket_watch(s, events))) {
        socket_forget(sockets, fd);
        close(fd);
        return CURL_SOCKET_BAD;
    }
    return fd;
}

int sockets_close(struct sockets *sockets, curl_socket_t fd)
{
    socket_forget(sockets, fd);
    return close(fd);
}

static void socket_unwish(struct sockets *sockets, struct socket *s)
{
    if (!s)
        return;
    s->is_wanted = false;
    if (!s->is_connection) {
        socket_forget(sockets, s->fd);
    } else if (!s->is_connected) {
        watch_close(s->watch); /* maybe closed already: see sockets_open */
        s->watch = NULL;
    }
}

void sockets_wish(struct sockets *sockets, struct shard *shard, curl_socket_t fd, int what)
{
    struct socket *s = socket_of(sockets, fd);

    if (what == CURL_POLL_REMOVE) {
        socket_unwish(sockets, s);
        return;
    }
    if (!s)
        s = socket_remember(sockets, shard, fd, false);
    if (!s)
        return; /* libcurl looks after its resolver by timer too */
    s->is_connected |= (what & CURL_POLL_IN) != 0; /* before, it waits for writing only */
    IGNORE(socket_watch(s, (what & CURL_POLL_IN ? WATCH_READ : 0U) |
                               (what & CURL_POLL_OUT ? WATCH_WRITE : 0U)));
}

void sockets_fini(struct sockets *sockets)
{
    for (size_t i = 0; i < sockets->slot_count; i++)
        socket_forget(sockets, (curl_socket_t)i);
    free(sockets->slots);
    sockets->slots = NULL;
    sockets->slot_count = 0;
}
