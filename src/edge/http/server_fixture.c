/* SPDX-License-Identifier: Apache-2.0 */
/* server_fixture: see server_fixture.h. */
#include "edge/http/server_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct fixture f;

/* ---- the application: what it does is said by the path ---- */

static void entered(void)
{
    if (f.is_in_api)
        f.called_back_inside = true;
}

static void respond(struct exchange *x, int status, str body)
{
    const struct answer_header headers[] = {
        { STR("x-test"), STR("yes") },
        { STR("x-evil"), STR("a\r\nx-injected: 1") },
    };

    f.is_in_api = true;
    exchange_respond(x, status, STR("text/plain"), headers, ARRAY_LEN(headers), body);
    f.is_in_api = false;
}

static void app_echo(struct exchange *x)
{
    str method = exchange_method(x), path = exchange_path(x), query = exchange_query(x);
    str body = exchange_body(x), header = exchange_header(x, STR("X-Echo"));
    str answer = arena_printf(exchange_arena(x), "%.*s %.*s ?%.*s [%.*s] (%.*s)", STR_ARG(method),
                              STR_ARG(path), STR_ARG(query), STR_ARG(body), STR_ARG(header));

    snprintf(f.peer, sizeof(f.peer), "%.*s", STR_ARG(exchange_peer(x)));
    respond(x, 200, answer);
}

static void on_later(struct timer *timer)
{
    struct exchange *x = f.held;

    (void)timer;
    f.held = NULL;
    app_echo(x);
}

static void app_later(struct exchange *x)
{
    f.held = x;
    timer_start(f.world, &f.timer, 20 * NSEC_PER_MS, on_later);
}

static void app_empty(struct exchange *x)
{
    respond(x, 204, STR(""));
}

static void app_size(struct exchange *x)
{
    respond(x, 200, arena_printf(exchange_arena(x), "%zu", exchange_body(x).len));
}

static void app_large(struct exchange *x)
{
    char *body = arena_alloc(exchange_arena(x), FLOOD_BYTES);

    memset(body, 'x', FLOOD_BYTES);
    respond(x, 200, (str){ body, FLOOD_BYTES });
}

static void app_stream(struct exchange *x)
{
    f.is_in_api = true;
    exchange_begin(x, 200, STR("text/event-stream"), NULL, 0);
    IGNORE(exchange_write(x, STR("data: ")));
    IGNORE(exchange_write(x, STR("")));
    IGNORE(exchange_write(x, STR("one\n\n")));
    exchange_end(x);
    f.is_in_api = false;
}

static void on_tick(struct timer *timer)
{
    IGNORE(exchange_write(f.held, STR("tick")));
    if (++f.flooded < 3) {
        timer_start(f.world, timer, 5 * NSEC_PER_MS, on_tick);
        return;
    }
    exchange_end(f.held);
    f.held = NULL;
}

static void app_ticks(struct exchange *x)
{
    f.held = x;
    exchange_begin(x, 200, STR("text/plain"), NULL, 0);
    timer_start(f.world, &f.timer, 5 * NSEC_PER_MS, on_tick);
}

static void on_gone(void *ctx)
{
    struct exchange *x = ctx;

    entered();
    atomic_fetch_add(&f.gone, 1);
    f.held = NULL;
    timer_cancel(f.world, &f.timer);
    exchange_abort(x);
}

static void app_hold(struct exchange *x)
{
    f.held = x;
    exchange_watch(x, x, on_gone, NULL);
}

static void flood(struct exchange *x)
{
    static const char piece[PIECE_BYTES] = { 'p' };
    bool is_slow = false;

    f.is_in_api = true;
    while (!is_slow && f.flooded < FLOOD_BYTES) {
        f.flooded += PIECE_BYTES;
        is_slow = !exchange_write(x, (str){ piece, PIECE_BYTES });
    }
    f.sees_slow |= is_slow;
    if (!is_slow)
        exchange_end(x);
    f.is_in_api = false;
}

static void on_drain(void *ctx)
{
    entered();
    atomic_fetch_add(&f.drained, 1);
    flood(ctx);
}

static void app_flood(struct exchange *x)
{
    f.flooded = 0;
    exchange_watch(x, x, on_gone, on_drain);
    exchange_begin(x, 200, STR("text/plain"), NULL, 0);
    flood(x);
}

static void on_cut(struct timer *timer)
{
    (void)timer;
    f.is_in_api = true;
    exchange_abort(f.held);
    f.is_in_api = false;
    f.held = NULL;
}

static void app_cut(struct exchange *x)
{
    f.held = x;
    exchange_begin(x, 200, STR("text/plain"), NULL, 0);
    IGNORE(exchange_write(x, STR("part")));
    timer_start(f.world, &f.timer, NSEC_PER_MS, on_cut);
}

static void app_refuse_all(struct exchange *x)
{
    exchange_abort(x);
}

static void on_request(void *ctx, struct exchange *x)
{
    static const struct {
        const char *path;
        void (*run)(struct exchange *x);
    } apps[] = {
        { "/echo", app_echo },   { "/later", app_later },      { "/empty", app_empty },
        { "/size", app_size },   { "/large", app_large },      { "/stream", app_stream },
        { "/ticks", app_ticks }, { "/hold", app_hold },        { "/flood", app_flood },
        { "/cut", app_cut },     { "/abort", app_refuse_all },
    };

    entered();
    f.called_back_inside |= ctx != &f || exchange_started(x) > world_now(f.world);
    atomic_fetch_add(&f.requests, 1);
    for (size_t i = 0; i < ARRAY_LEN(apps); i++) {
        if (str_eq(exchange_path(x), str_from(apps[i].path))) {
            apps[i].run(x);
            return;
        }
    }
    respond(x, 404, STR("nothing here"));
}

/* ---- the client ---- */

int client_connect(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(server_port(f.server)),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct timeval patience = { .tv_sec = 10 };
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        fprintf(stderr, "cannot connect\n");
    return fd;
}

void say(int fd, str bytes)
{
    for (size_t at = 0; at < bytes.len;) {
        ssize_t n = send(fd, bytes.ptr + at, bytes.len - at, MSG_NOSIGNAL);
        if (n <= 0)
            break;
        at += (size_t)n;
    }
}

void hear(int fd, str end, struct buf *out)
{
    for (;;) {
        char *room = buf_reserve(out, 65536);
        bool is_there = end.len > 0 && str_find(buf_str(out), end) != STR_NPOS;
        ssize_t n = is_there || !room ? 0 : recv(fd, room, 65536, 0);
        if (n < 0)
            fprintf(stderr, "the server neither answered nor closed, or reset the connection\n");
        if (n <= 0)
            break;
        out->len += (size_t)n;
    }
}

bool holds(const struct buf *heard, const char *text)
{
    bool is_there = str_find(buf_str(heard), str_from(text)) != STR_NPOS;

    if (!is_there)
        fprintf(stderr, "    no \"%s\" in:\n%.*s\n", text,
                (int)(heard->len < 800 ? heard->len : 800), heard->ptr ? heard->ptr : "");
    return is_there;
}

size_t count_of(const struct buf *heard, const char *text)
{
    size_t count = 0;

    for (str rest = buf_str(heard); rest.len > 0; count++) {
        size_t at = str_find(rest, str_from(text));
        if (at == STR_NPOS)
            break;
        rest = str_slice(rest, at + 1, rest.len);
    }
    return count;
}

bool is_closed(int fd)
{
    char c;

    return recv(fd, &c, 1, 0) == 0;
}

/* ---- running a test ---- */

static void *client_main(void *arg)
{
    (void)arg;
    f.fd = client_connect();
    f.script(f.fd);
    close(f.fd);
    world_stop(f.world);
    return NULL;
}

static void on_server_drain(struct turn *turn)
{
    (void)turn;
    f.is_in_api = true;
    server_drain(f.server);
    f.is_in_api = false;
}

struct server_options options_default(void)
{
    return (struct server_options){ .listen = STR("127.0.0.1:0"),
                                    .limits = server_limits_default(),
                                    .arena_max_bytes = FLOOD_BYTES * 2,
                                    .on_request = on_request,
                                    .ctx = &f };
}

bool play_with(const struct server_options *options, void (*script)(int fd))
{
    char why[160] = "";
    pthread_t client;

    f = (struct fixture){ .script = script };
    turn_init(&f.drain, on_server_drain);
    if (world_open(&f.world) != OK)
        return false;
    if (server_open(&f.server, f.world, options, why) != OK ||
        pthread_create(&client, NULL, client_main, NULL) != 0) {
        server_close(f.server);
        world_close(f.world);
        return false;
    }
    world_run(f.world);
    pthread_join(client, NULL);
    timer_cancel(f.world, &f.timer);
    if (f.held)
        exchange_abort(f.held);
    server_close(f.server);
    world_close(f.world);
    return !f.called_back_inside;
}

bool play(void (*script)(int fd))
{
    struct server_options options = options_default();

    return play_with(&options, script);
}
