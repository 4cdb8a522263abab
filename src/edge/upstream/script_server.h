/* SPDX-License-Identifier: Apache-2.0 */
/*
 * script_server: for tests: an HTTP provider on loopback that plays a script. The n-th request it gets is answered with
 * the n-th reply, those past the end with the last. One thread accepts, one serves each connection.
 *
 * Included by test programs only, once each.
 */
#ifndef WEIR_EDGE_UPSTREAM_SCRIPT_SERVER_H
#define WEIR_EDGE_UPSTREAM_SCRIPT_SERVER_H

#include <arpa/inet.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "edge/world/world.h"
#include "test/check.h"

#define SCRIPT_CONNECTIONS_MAX 600

enum script_end {
    KEEP, /* the next request may come */
    CUT, /* close the connection */
    HANG, /* say nothing more until the client closes */
};

struct reply {
    const char *pieces[8]; /* sent one by one; NULL ends */
    int pause_ms; /* before each piece */
    enum script_end end;
    size_t filler; /* so many bytes 'x' after the pieces */
};

struct script_server {
    int listener;
    int port;
    pthread_t acceptor;
    pthread_mutex_t lock;
    const struct reply *replies;
    size_t reply_count;
    pthread_t threads[SCRIPT_CONNECTIONS_MAX];
    int fds[SCRIPT_CONNECTIONS_MAX];
    int connections; /* accepted so far */
    int open, open_peak;
    int requests;
    nsec closed_by_client; /* when the last HANG saw its end; 0: not yet */
    struct buf last_request;
};

struct script_connection {
    struct script_server *server;
    int fd;
};

/* Reads one request, head and body; false at the end of the connection. */
static bool script_read(int fd, struct buf *request)
{
    size_t want = 0;

    buf_reset(request);
    for (;;) {
        size_t head = str_find(buf_str(request), STR("\r\n\r\n"));
        if (head != STR_NPOS && want == 0) {
            size_t at = str_find_nocase(buf_str(request), STR("content-length: "));
            want = head + 4;
            if (at != STR_NPOS && at < head)
                want += strtoul(buf_cstr(request) + at + 16, NULL, 10);
        }
        if (want > 0 && request->len >= want)
            return true;
        char *room = buf_reserve(request, 16384);
        ssize_t n = room ? recv(fd, room, 16384, 0) : -1;
        if (n <= 0)
            return false;
        request->len += (size_t)n;
        if (request->ptr[0] == 0x16) /* a TLS handshake: answered in clear text */
            return true;
    }
}

static bool script_send(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

static bool script_play(int fd, const struct reply *reply)
{
    char filler[4096];

    for (size_t i = 0; i < ARRAY_LEN(reply->pieces) && reply->pieces[i]; i++) {
        if (reply->pause_ms > 0)
            usleep((useconds_t)reply->pause_ms * 1000);
        if (!script_send(fd, reply->pieces[i], strlen(reply->pieces[i])))
            return false;
    }
    memset(filler, 'x', sizeof(filler));
    for (size_t left = reply->filler; left > 0;) {
        size_t n = left < sizeof(filler) ? left : sizeof(filler);
        if (!script_send(fd, filler, n))
            return false;
        left -= n;
    }
    return true;
}

static void *script_serve(void *ctx)
{
    struct script_connection *connection = ctx;
    struct script_server *server = connection->server;
    struct buf request = { 0 };
    int fd = connection->fd;

    free(connection);
    while (script_read(fd, &request)) {
        pthread_mutex_lock(&server->lock);
        size_t n = (size_t)server->requests++;
        buf_reset(&server->last_request);
        buf_add(&server->last_request, buf_str(&request));
        pthread_mutex_unlock(&server->lock);
        const struct reply *reply =
            &server->replies[n < server->reply_count ? n : server->reply_count - 1];
        bool is_sent = script_play(fd, reply);
        if (reply->end == HANG) {
            char byte;
            while (recv(fd, &byte, 1, 0) > 0)
                continue;
            pthread_mutex_lock(&server->lock);
            server->closed_by_client = world_now_exact();
            pthread_mutex_unlock(&server->lock);
        }
        if (!is_sent || reply->end != KEEP)
            break;
    }
    buf_fini(&request);
    shutdown(fd,
             SHUT_RDWR); /* closed by script_server_stop, so that the number is not used again */
    pthread_mutex_lock(&server->lock);
    server->open--;
    pthread_mutex_unlock(&server->lock);
    return NULL;
}

static void *script_accept(void *ctx)
{
    struct script_server *server = ctx;

    for (;;) {
        int fd = accept(server->listener, NULL, NULL);
        if (fd < 0 || server->connections == SCRIPT_CONNECTIONS_MAX)
            return NULL;
        struct script_connection *connection = malloc(sizeof(*connection));
        if (!connection)
            abort();
        *connection = (struct script_connection){ server, fd };
        pthread_mutex_lock(&server->lock);
        server->open++;
        if (server->open > server->open_peak)
            server->open_peak = server->open;
        server->fds[server->connections] = fd;
        if (pthread_create(&server->threads[server->connections], NULL, script_serve, connection))
            abort();
        server->connections++;
        pthread_mutex_unlock(&server->lock);
    }
}

static int script_listen(int backlog, int *out_port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, backlog) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        abort();
    *out_port = ntohs(address.sin_port);
    return fd;
}

static void script_server_start(struct script_server *server, const struct reply *replies,
                                size_t reply_count)
{
    *server = (struct script_server){ .replies = replies, .reply_count = reply_count };
    pthread_mutex_init(&server->lock, NULL);
    server->listener = script_listen(512, &server->port);
    if (pthread_create(&server->acceptor, NULL, script_accept, server))
        abort();
}

/* Ends every connection and thread; the figures stay readable. */
static void script_server_stop(struct script_server *server)
{
    shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->acceptor, NULL);
    close(server->listener);
    for (int i = 0; i < server->connections; i++) {
        shutdown(server->fds[i], SHUT_RDWR);
        pthread_join(server->threads[i], NULL);
        close(server->fds[i]);
    }
    buf_fini(&server->last_request);
    pthread_mutex_destroy(&server->lock);
}

__attribute__((unused)) static nsec script_closed_by_client(struct script_server *server)
{
    pthread_mutex_lock(&server->lock);
    nsec at = server->closed_by_client;
    pthread_mutex_unlock(&server->lock);
    return at;
}

#endif
