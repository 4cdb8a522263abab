/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/upstream: processor time of one small provider call, with CONNECTIONS calls always in flight.
 *
 *     bench-upstream [CALLS [CONNECTIONS [PORT]]]
 *
 * Without a port it forks a provider of its own, which answers every request with 412 bytes. Prints one line.
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "edge/upstream/upstream.h"

struct bench {
    struct world *world;
    struct upstream *upstream;
    struct upstream_request request;
    long left, running, done, failed;
};

static int listen_anywhere(int *out_port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, 4096) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        abort();
    *out_port = ntohs(address.sin_port);
    return fd;
}

/* A request is taken to arrive in one piece. */
static void answer(int fd)
{
    static char reply[600];
    char request[4096];

    if (reply[0] == '\0')
        snprintf(reply, sizeof(reply),
                 "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Sun, 06 Nov 1994 "
                 "08:49:37 GMT\r\n"
                 "Content-Length: 412\r\n\r\n{\"x\":\"%0404d\"}",
                 0);
    ssize_t n = recv(fd, request, sizeof(request), 0);
    if (n <= 0 || send(fd, reply, strlen(reply), MSG_NOSIGNAL) < 0)
        close(fd);
}

static void serve(int listener)
{
    struct epoll_event events[256], watch = { .events = EPOLLIN, .data.fd = listener };
    int epoll = epoll_create1(0);

    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &watch);
    for (;;) {
        int n = epoll_wait(epoll, events, 256, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd != listener) {
                answer(events[i].data.fd);
                continue;
            }
            watch.data.fd = accept(listener, NULL, NULL);
            epoll_ctl(epoll, EPOLL_CTL_ADD, watch.data.fd, &watch);
        }
    }
}

static void on_done(struct upstream_call *call)
{
    struct bench *bench = call->ctx;

    bench->done++;
    bench->failed += call->result != OK;
    if (bench->left > 0) {
        bench->left--;
        upstream_start(bench->upstream, call, &bench->request);
    } else if (--bench->running == 0) {
        world_stop(bench->world);
    }
}

static double seconds_of(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec * 1e-6;
}

static void run(struct bench *bench, long connections)
{
    struct upstream_call *calls = calloc((size_t)connections, sizeof(*calls));
    struct rusage before, after;

    if (!calls)
        abort();
    nsec started = world_now_exact();
    getrusage(RUSAGE_SELF, &before);
    for (long i = 0; i < connections; i++) {
        calls[i].ctx = bench;
        calls[i].on_done = on_done;
        bench->running++;
        upstream_start(bench->upstream, &calls[i], &bench->request);
    }
    world_run(bench->world);
    getrusage(RUSAGE_SELF, &after);
    double user = seconds_of(after.ru_utime) - seconds_of(before.ru_utime);
    double kernel = seconds_of(after.ru_stime) - seconds_of(before.ru_stime);
    double wall = (double)(world_now_exact() - started) * 1e-9, done = (double)bench->done;
    printf("%ld calls, %ld connections, %ld failed: %.2f us of CPU each (%.2f user, %.2f kernel), "
           "%.0f/s\n",
           bench->done, connections, bench->failed, (user + kernel) / done * 1e6, user / done * 1e6,
           kernel / done * 1e6, done / wall);
    for (long i = 0; i < connections; i++)
        upstream_call_fini(&calls[i]);
    free(calls);
}

int main(int argc, char **argv)
{
    struct upstream_options options = upstream_options_default();
    struct bench bench = { .left = argc > 1 ? atol(argv[1]) : 200000 };
    long connections = argc > 2 ? atol(argv[2]) : 64;
    int port = argc > 3 ? atoi(argv[3]) : 0;
    char url[64], body[409];
    pid_t provider = -1;

    signal(SIGPIPE, SIG_IGN);
    if (connections < 1)
        return 2;
    if (port == 0) {
        int listener = listen_anywhere(&port);
        provider = fork();
        if (provider == 0)
            serve(listener);
    }
    options.connections_max = (uint32_t)connections;
    if (world_open(&bench.world) != OK ||
        upstream_open(&bench.upstream, bench.world, &options) != OK)
        return 1;
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/v1/chat/completions", port);
    memset(body, 'x', sizeof(body));
    bench.request = (struct upstream_request){ .url = str_from(url),
                                               .authorization = STR("Bearer sk-0123456789abcdef"),
                                               .body = { body, 408 },
                                               .deadline = NSEC_NEVER };
    run(&bench, connections);
    upstream_close(bench.upstream);
    world_close(bench.world);
    if (provider > 0)
        kill(provider, SIGKILL);
    return bench.failed > 0;
}
