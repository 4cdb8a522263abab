/* SPDX-License-Identifier: Apache-2.0 */
/* listener: binds, listens and accepts; stops accepting at its limit and when descriptors run out. */
#include "edge/net/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "edge/world/world.h"

#define BACKLOG 1024
#define ACCEPTS_PER_TURN 64 /* then others get their share of the loop */
#define EXHAUSTED_PAUSE (100 * NSEC_PER_MS)
#define SHOWN_BYTES_MAX 60 /* of an address, in a message */

struct net_listener {
    struct net_listener_options options;
    struct world *world;
    struct watch *watch;
    struct timer pause; /* running: descriptors or memory ran out a moment ago */
    int fd;
    uint16_t port;
    uint32_t accepted;
};

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* ---- addresses ---- */

static bool port_parse(str text, uint16_t *out)
{
    uint64_t port;

    if (!str_to_u64(text, &port) || port > UINT16_MAX)
        return false;
    *out = (uint16_t)port;
    return true;
}

/* Numbers and "localhost" only: looking up names would block. */
static bool address_parse(str text, union address *out, bool *out_is_wildcard)
{
    char host[INET6_ADDRSTRLEN];
    union address address = { .v6 = { 0 } };
    size_t colon = text.len;
    uint16_t port;

    while (colon > 0 && text.ptr[colon - 1] != ':')
        colon--;
    if (colon == 0 || !port_parse(str_slice(text, colon, text.len), &port))
        return false;
    str name = str_slice(text, 0, colon - 1);
    bool has_brackets = name.len >= 2 && name.ptr[0] == '[' && name.ptr[name.len - 1] == ']';
    if (has_brackets)
        name = str_slice(name, 1, name.len - 1);
    bool is_wildcard = name.len == 0 && !has_brackets;
    if (str_eq_nocase(name, STR("localhost")))
        name = STR("127.0.0.1");
    if (is_wildcard)
        name = STR("::");
    if (name.len >= sizeof(host))
        return false;
    memcpy(host, name.len > 0 ? name.ptr : "", name.len);
    host[name.len] = '\0';
    if (has_brackets || is_wildcard) {
        address.v6.sin6_family = AF_INET6;
        address.v6.sin6_port = htons(port);
        if (inet_pton(AF_INET6, host, &address.v6.sin6_addr) != 1)
            return false;
    } else {
        address.v4.sin_family = AF_INET;
        address.v4.sin_port = htons(port);
        if (inet_pton(AF_INET, host, &address.v4.sin_addr) != 1)
            return false;
    }
    *out = address;
    *out_is_wildcard = is_wildcard;
    return true;
}

static socklen_t address_size(const union address *address)
{
    return address->any.sa_family == AF_INET ? sizeof(address->v4) : sizeof(address->v6);
}

static uint16_t address_port(const union address *address)
{
    return ntohs(address->any.sa_family == AF_INET ? address->v4.sin_port : address->v6.sin6_port);
}

static void peer_format(const union address *address, char out[NET_PEER_BYTES])
{
    char host[INET6_ADDRSTRLEN] = "";
    struct in_addr mapped;

    if (address->any.sa_family == AF_INET) {
        inet_ntop(AF_INET, &address->v4.sin_addr, host, sizeof(host));
        snprintf(out, NET_PEER_BYTES, "%s:%u", host, address_port(address));
    } else if (IN6_IS_ADDR_V4MAPPED(&address->v6.sin6_addr)) {
        memcpy(&mapped, address->v6.sin6_addr.s6_addr + 12, sizeof(mapped));
        inet_ntop(AF_INET, &mapped, host, sizeof(host));
        snprintf(out, NET_PEER_BYTES, "%s:%u", host, address_port(address));
    } else {
        inet_ntop(AF_INET6, &address->v6.sin6_addr, host, sizeof(host));
        snprintf(out, NET_PEER_BYTES, "[%s]:%u", host, address_port(address));
    }
}

/* ---- accepting ---- */

static void watch_adjust(struct net_listener *listener)
{
    bool is_open =
        listener->accepted < listener->options.accepted_max && !timer_is_running(&listener->pause);

    watch_set(listener->watch, is_open ? WATCH_READ : 0);
}

static void on_pause_over(struct timer *pause)
{
    watch_adjust(CONTAINER_OF(pause, struct net_listener, pause));
}

static bool is_exhausted(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static void on_listener_ready(void *ctx, unsigned events)
{
    struct net_listener *listener = ctx;

    (void)events;
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        char peer[NET_PEER_BYTES];
        union address address = { .v6 = { 0 } };
        socklen_t size = sizeof(address);
        if (listener->accepted >= listener->options.accepted_max)
            break;
        int fd = accept4(listener->fd, &address.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
            continue;
        if (fd < 0) {
            if (is_exhausted(errno))
                timer_start(listener->world, &listener->pause, EXHAUSTED_PAUSE, on_pause_over);
            break;
        }
        listener->accepted++;
        peer_format(&address, peer);
        listener->options.on_accept(listener->options.ctx, fd, peer);
    }
    watch_adjust(listener);
}

void net_listener_release(struct net_listener *listener)
{
    assert(listener->accepted > 0);
    listener->accepted--;
    watch_adjust(listener);
}

uint16_t net_listener_port(const struct net_listener *listener)
{
    return listener->port;
}

/* ---- opening ---- */

static bool option_set(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof(value)) == 0;
}

/* The descriptor of a listening socket, or -1 with errno set. */
static int socket_listen(const struct net_listener_options *options, const union address *address,
                         bool is_wildcard)
{
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    bool is_v6 = address->any.sa_family == AF_INET6;
    /* Accepted sockets inherit TCP_NODELAY. */
    bool is_ok = option_set(fd, SOL_SOCKET, SO_REUSEADDR, 1) &&
                 option_set(fd, IPPROTO_TCP, TCP_NODELAY, 1) &&
                 (!options->reuse_port || option_set(fd, SOL_SOCKET, SO_REUSEPORT, 1)) &&
                 (!is_v6 || option_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, is_wildcard ? 0 : 1)) &&
                 bind(fd, &address->any, address_size(address)) == 0 && listen(fd, BACKLOG) == 0;
    if (is_ok)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static int wildcard_listen(const struct net_listener_options *options, uint16_t port)
{
    union address v4 = { .v4 = { .sin_family = AF_INET, .sin_port = htons(port) } };

    return socket_listen(options, &v4, false);
}

static enum err listener_start(struct net_listener *listener, struct world *w,
                               const union address *address, bool is_wildcard,
                               char out_why[NET_WHY_BYTES])
{
    const struct net_listener_options *options = &listener->options;
    str shown = str_slice(options->address, 0, SHOWN_BYTES_MAX);
    union address bound;
    socklen_t size = sizeof(bound);

    listener->fd = socket_listen(options, address, is_wildcard);
    if (listener->fd < 0 && is_wildcard && errno == EAFNOSUPPORT)
        listener->fd = wildcard_listen(options, address_port(address));
    if (listener->fd < 0 || getsockname(listener->fd, &bound.any, &size) != 0) {
        snprintf(out_why, NET_WHY_BYTES, "cannot listen on \"%.*s\": %s", STR_ARG(shown),
                 strerror(errno));
        return WEIR_IO;
    }
    listener->port = address_port(&bound);
    enum err e = watch_open(&listener->watch, w, listener->fd, on_listener_ready, listener);
    if (e != OK) {
        snprintf(out_why, NET_WHY_BYTES, "cannot watch the socket of \"%.*s\"", STR_ARG(shown));
        return e;
    }
    watch_adjust(listener);
    return OK;
}

enum err net_listener_open(struct net_listener **out, struct world *w,
                           const struct net_listener_options *options, char out_why[NET_WHY_BYTES])
{
    union address address;
    bool is_wildcard;

    assert(options->accepted_max > 0);
    if (!address_parse(options->address, &address, &is_wildcard)) {
        str shown = str_slice(options->address, 0, SHOWN_BYTES_MAX);
        snprintf(out_why, NET_WHY_BYTES,
                 "\"%.*s\" is not an address such as 127.0.0.1:8080, [::1]:8080 or :8080",
                 STR_ARG(shown));
        return WEIR_IO;
    }
    struct net_listener *listener = calloc(1, sizeof(*listener));
    if (!listener) {
        snprintf(out_why, NET_WHY_BYTES, "out of memory");
        return WEIR_NO_MEMORY;
    }
    listener->options = *options;
    listener->world = w;
    enum err e = listener_start(listener, w, &address, is_wildcard, out_why);
    if (e != OK) {
        net_listener_close(listener);
        return e;
    }
    listener->options.address = (str){ NULL, 0 }; /* the caller's; not needed any more */
    *out = listener;
    return OK;
}

void net_listener_close(struct net_listener *listener)
{
    if (!listener)
        return;
    timer_cancel(listener->world, &listener->pause);
    watch_close(listener->watch);
    if (listener->fd >= 0)
        close(listener->fd);
    free(listener);
}
