/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of the server over loopback: the server runs on this thread, a client with blocking sockets
 * plays its script on another and then stops the loop. No test asserts on how long something took.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test/check.h"

#include "edge/http/server.h"
#include "edge/world/world.h"

#define FLOOD_BYTES ((size_t)8 << 20)
#define PIECE_BYTES ((size_t)10000)

struct fixture {
    struct world *world;
    struct http_server *server;
    void (*script)(int fd);
    int fd;
    struct turn drain;
    /* of the application below */
    struct exchange *held;
    struct timer timer;
    size_t flooded;
    bool is_in_api; /* a function of the server runs: nothing may call back */
    bool called_back_inside;
    bool sees_slow;
    char peer[64];
    atomic_int requests;
    atomic_int gone;
    atomic_int drained;
};

static struct fixture f;

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
    CHECK(ctx == &f);
    CHECK(exchange_started(x) <= world_now(f.world));
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

static int client_connect(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(server_port(f.server)),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct timeval patience = { .tv_sec = 10 };
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    CHECK(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    return fd;
}

static void say(int fd, str bytes)
{
    for (size_t at = 0; at < bytes.len;) {
        ssize_t n = send(fd, bytes.ptr + at, bytes.len - at, MSG_NOSIGNAL);
        if (n <= 0)
            break;
        at += (size_t)n;
    }
}

/* Reads until the text holds `end`, or the server closes, when `end` is empty. */
static void hear(int fd, str end, struct buf *out)
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

static bool holds(const struct buf *heard, const char *text)
{
    bool is_there = str_find(buf_str(heard), str_from(text)) != STR_NPOS;

    if (!is_there)
        fprintf(stderr, "    no \"%s\" in:\n%.*s\n", text,
                (int)(heard->len < 800 ? heard->len : 800), heard->ptr ? heard->ptr : "");
    return is_there;
}

static size_t count_of(const struct buf *heard, const char *text)
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

static bool is_closed(int fd)
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

static struct server_options options_default(void)
{
    return (struct server_options){ .listen = STR("127.0.0.1:0"),
                                    .limits = server_limits_default(),
                                    .arena_max_bytes = FLOOD_BYTES * 2,
                                    .on_request = on_request,
                                    .ctx = &f };
}

static void play_with(const struct server_options *options, void (*script)(int fd))
{
    char why[160] = "";
    pthread_t client;

    f = (struct fixture){ .script = script };
    turn_init(&f.drain, on_server_drain);
    REQUIRE(world_open(&f.world) == OK);
    REQUIRE(server_open(&f.server, f.world, options, why) == OK);
    REQUIRE(pthread_create(&client, NULL, client_main, NULL) == 0);
    world_run(f.world);
    pthread_join(client, NULL);
    timer_cancel(f.world, &f.timer);
    if (f.held)
        exchange_abort(f.held);
    server_close(f.server);
    world_close(f.world);
    CHECK(!f.called_back_inside);
}

static void play(void (*script)(int fd))
{
    struct server_options options = options_default();

    play_with(&options, script);
}

/* ---- whole answers ---- */

static void script_answer(int fd)
{
    struct buf heard = { 0 };

    say(fd, STR("GET /echo?a=b HTTP/1.1\r\nHost: a\r\nx-echo: hi\r\n\r\n"));
    hear(fd, STR("(hi)"), &heard);
    CHECK(str_starts(buf_str(&heard), STR("HTTP/1.1 200 OK\r\nServer: weir\r\nDate: ")));
    CHECK(holds(&heard, "\r\nContent-Type: text/plain\r\n"));
    CHECK(holds(&heard, "\r\nContent-Length: 22\r\n"));
    CHECK(holds(&heard, "\r\nx-test: yes\r\n"));
    CHECK(holds(&heard, "\r\n\r\nGET /echo ?a=b [] (hi)"));
    CHECK(count_of(&heard, "x-injected") == 0 && count_of(&heard, "Connection:") == 0);
    buf_fini(&heard);
}

static void answers(void)
{
    play(script_answer);
    CHECK(str_starts(str_from(f.peer), STR("127.0.0.1:")));
}

static void script_keep_alive(int fd)
{
    for (int i = 0; i < 50; i++) {
        struct buf heard = { 0 };
        bool is_late = i % 2 == 1;
        say(fd, is_late ? STR("POST /later HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
                        : STR("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"));
        hear(fd, STR("[abc] ()"), &heard);
        CHECK_INT(count_of(&heard, "HTTP/1.1 200"), 1);
        buf_fini(&heard);
    }
}

static void keeps_a_connection_for_many_requests(void)
{
    play(script_keep_alive);
    CHECK_INT(f.requests, 50);
}

static void script_pipeline(int fd)
{
    struct buf heard = { 0 }, said = { 0 };

    for (int i = 0; i < 100; i++)
        buf_printf(&said, "POST /%s?%d HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab",
                   i % 10 == 3 ? "later" : "echo", i);
    buf_add(&said, STR("GET /echo?last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
    say(fd, buf_str(&said));
    hear(fd, STR(""), &heard);
    str rest = buf_str(&heard);
    for (int i = 0; i < 100; i++) {
        char want[24];
        snprintf(want, sizeof(want), " ?%d [ab] ()", i);
        size_t at = str_find(rest, str_from(want));
        CHECK(at != STR_NPOS);
        rest = str_slice(rest, at, rest.len);
    }
    CHECK(holds(&heard, "?last"));
    CHECK_INT(count_of(&heard, "Connection: close"), 1);
    buf_fini(&heard);
    buf_fini(&said);
}

static void answers_pipelined_requests_in_order(void)
{
    play(script_pipeline);
    CHECK_INT(f.requests, 101);
}

/* More behind a slow request than the server buffers: it stops reading, and loses nothing. */
static void script_pipeline_large(int fd)
{
    struct buf heard = { 0 }, said = { 0 };

    buf_add(&said, STR("GET /later HTTP/1.1\r\nHost: a\r\n\r\n"));
    for (int i = 0; i < 40; i++) {
        buf_printf(&said, "POST /size HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\n%050000d",
                   0);
    }
    buf_add(&said, STR("GET /echo?last HTTP/1.1\r\nHost: a\r\n\r\n"));
    say(fd, buf_str(&said));
    hear(fd, STR("?last"), &heard);
    CHECK_INT(count_of(&heard, "\r\n\r\n50000"), 40);
    buf_fini(&heard);
    buf_fini(&said);
}

static void stops_reading_behind_a_slow_request(void)
{
    play(script_pipeline_large);
    CHECK_INT(f.requests, 42);
}

static void script_bytewise(int fd)
{
    str said = STR("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                   "5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nT: 1\r\n\r\n"
                   "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\ndone");
    struct buf heard = { 0 };

    for (size_t i = 0; i < said.len; i++)
        say(fd, str_slice(said, i, i + 1));
    hear(fd, STR("[done]"), &heard);
    CHECK(holds(&heard, "[hello!]"));
    buf_fini(&heard);
}

static void reads_requests_that_come_byte_by_byte(void)
{
    play(script_bytewise);
}

static void script_chunked_pipeline(int fd)
{
    struct buf heard = { 0 };

    say(fd, STR("POST /later HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                "3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n"
                "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                "3\r\nghi\r\n0\r\n\r\n"));
    hear(fd, STR("[ghi]"), &heard);
    CHECK(holds(&heard, "[abcdef]"));
    buf_fini(&heard);
}

static void decodes_chunked_requests_one_behind_the_other(void)
{
    play(script_chunked_pipeline);
}

static void script_large_body(int fd)
{
    struct buf heard = { 0 }, said = { 0 };

    buf_printf(&said, "POST /size HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n%03000000d",
               0);
    buf_add(&said, STR("GET /echo?last HTTP/1.1\r\nHost: a\r\n\r\n"));
    say(fd, buf_str(&said));
    hear(fd, STR("?last"), &heard);
    CHECK(holds(&heard, "\r\n\r\n3000000"));
    buf_fini(&heard);
    buf_fini(&said);
}

static void reads_large_bodies(void)
{
    play(script_large_body);
}

static void script_continue(int fd)
{
    struct buf heard = { 0 };

    say(fd, STR("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
                "Expect: 100-continue\r\n\r\n"));
    hear(fd, STR("\r\n\r\n"), &heard);
    CHECK_STR(buf_str(&heard), STR("HTTP/1.1 100 Continue\r\n\r\n"));
    say(fd, STR("ok"));
    hear(fd, STR("[ok]"), &heard);
    buf_reset(&heard);
    say(fd, STR("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
                "Expect: 100-continue\r\n\r\nno"));
    hear(fd, STR("[no]"), &heard);
    CHECK_INT(count_of(&heard, "100 Continue"), 0);
    buf_fini(&heard);
}

static void asks_for_a_body_that_waits_to_be_asked_for(void)
{
    play(script_continue);
}

static void script_http_1_0(int fd)
{
    struct buf heard = { 0 };

    say(fd, STR("GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
    hear(fd, STR("[]"), &heard);
    CHECK(holds(&heard, "\r\nConnection: keep-alive\r\n"));
    say(fd, STR("GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
    buf_reset(&heard);
    hear(fd, STR(""), &heard);
    CHECK(holds(&heard, "\r\nConnection: close\r\n"));
    CHECK_INT(count_of(&heard, "Transfer-Encoding"), 0);
    CHECK(str_ends(buf_str(&heard), STR("\r\n\r\ndata: one\n\n")));
    int other = client_connect();
    say(other, STR("GET /echo HTTP/1.0\r\n\r\n"));
    buf_reset(&heard);
    hear(other, STR(""), &heard);
    CHECK(holds(&heard, "\r\nConnection: close\r\n"));
    close(other);
    buf_fini(&heard);
}

static void speaks_http_1_0(void)
{
    play(script_http_1_0);
}

static void script_bodiless(int fd)
{
    struct buf heard = { 0 };

    say(fd, STR("HEAD /echo HTTP/1.1\r\nHost: a\r\n\r\nHEAD /stream HTTP/1.1\r\nHost: a\r\n\r\n"
                "GET /empty HTTP/1.1\r\nHost: a\r\n\r\n"
                "GET /echo?last HTTP/1.1\r\nHost: a\r\n\r\n"));
    hear(fd, STR("?last"), &heard);
    CHECK_INT(count_of(&heard, "HTTP/1.1 20"), 4);
    CHECK_INT(count_of(&heard, "\r\n\r\nHTTP/1.1 20"), 3); /* a head directly behind a head */
    CHECK(holds(&heard, "Content-Length: 18\r\n"));
    CHECK_INT(count_of(&heard, "Content-Length"), 2); /* none with 204, none when streamed */
    buf_fini(&heard);
}

static void sends_no_body_where_none_belongs(void)
{
    play(script_bodiless);
}

/* ---- refusals ---- */

struct refusal {
    const char *said;
    int status;
    const char *code;
};

static void check_refusal(int fd, const struct refusal *refusal)
{
    struct buf heard = { 0 };
    char status[32];

    say(fd, str_from(refusal->said));
    hear(fd, STR(""), &heard);
    snprintf(status, sizeof(status), "HTTP/1.1 %d ", refusal->status);
    CHECK(str_starts(buf_str(&heard), str_from(status)));
    CHECK(holds(&heard, refusal->code));
    CHECK(holds(&heard, "\r\nConnection: close\r\n"));
    CHECK_INT(count_of(&heard, "\r\nServer: "), 1);
    buf_fini(&heard);
}

static void script_refusals(int fd)
{
    static const struct refusal refusals[] = {
        { "GET / HTTP/1.1\nHost: a\n\n", 400, "CALLER_BAD_HTTP" },
        { "GET / HTTP/1.1\r\nHost: a\r\nX-Abc: \rTransfer-Encoding: chunked\r\n\r\n", 400,
          "CALLER_BAD_HTTP" },
        { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
          "0\r\n\r\nGET /echo HTTP/1.1\r\nHost: a\r\n\r\n",
          400, "CALLER_BAD_HTTP" },
        { "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
          400, "CALLER_BAD_HTTP" },
        { "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
          400, "CALLER_BAD_HTTP" },
        { "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "CALLER_BAD_HTTP" },
        { "GET / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n", 417, "CALLER_BAD_HTTP" },
        { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\nExpect: 100-continue\r\n\r\n", 413,
          "CALLER_TOO_LARGE" },
        { "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n", 413,
          "CALLER_TOO_LARGE" },
        { "GET / HTTP/1.1\r\nHost: a\r\nX: 0123456789012345678901234567890123456789012345678901234"
          "5678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
          "01234567890123456789012345678901234567890123456789\r\n\r\n",
          431, "CALLER_HEADERS_TOO_LARGE" },
    };

    (void)fd;
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        int other = client_connect();
        check_refusal(other, &refusals[i]);
        close(other);
    }
}

static void refuses_and_closes(void)
{
    struct server_options options = options_default();

    options.limits.head_bytes_max = 200;
    options.limits.body_bytes_max = 1000;
    play_with(&options, script_refusals);
    CHECK_INT(f.requests, 0);
}

/* The answer reaches a client that is still sending its body. */
static void script_too_large(int fd)
{
    struct buf heard = { 0 }, said = { 0 };

    buf_printf(&said, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n%03000000d", 0);
    say(fd, buf_str(&said));
    hear(fd, STR(""), &heard);
    CHECK(str_starts(buf_str(&heard), STR("HTTP/1.1 413 ")));
    buf_fini(&heard);
    buf_fini(&said);
}

static void a_refusal_is_not_lost_when_the_body_is_still_coming(void)
{
    struct server_options options = options_default();

    options.limits.body_bytes_max = 1000;
    play_with(&options, script_too_large);
    CHECK_INT(f.requests, 0);
}

static void script_slow(int fd)
{
    int body = client_connect(), chunked = client_connect();

    say(body, STR("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab"));
    check_refusal(fd, &(struct refusal){ "GET / HT", 408, "CALLER_SLOW" });
    check_refusal(body, &(struct refusal){ "c", 408, "CALLER_SLOW" });
    check_refusal(chunked, &(struct refusal){ "POST / HTTP/1.1\r\nHost: a\r\n"
                                              "Transfer-Encoding: chunked\r\n\r\n5\r\nab",
                                              408, "CALLER_SLOW" });
    close(body);
    close(chunked);
}

static void refuses_slow_requests(void)
{
    struct server_options options = options_default();

    options.limits.head_timeout = 30 * NSEC_PER_MS;
    options.limits.body_timeout = 60 * NSEC_PER_MS;
    play_with(&options, script_slow);
    CHECK_INT(f.requests, 0);
}

/* Bytes that keep trickling in do not extend the time of a head. */
static void script_slow_loris(int fd)
{
    struct buf heard = { 0 };

    say(fd, STR("GET / HTTP/1.1\r\nHost: a\r\n"));
    for (int i = 0; i < 200; i++) {
        char c;
        say(fd, STR("x: 1\r\n"));
        usleep(5000);
        if (recv(fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) == 1)
            break;
    }
    hear(fd, STR("\r\n\r\n"), &heard);
    CHECK(str_starts(buf_str(&heard), STR("HTTP/1.1 408 ")));
    buf_fini(&heard);
}

static void a_trickle_does_not_extend_the_time_of_a_head(void)
{
    struct server_options options = options_default();

    options.limits.head_timeout = 50 * NSEC_PER_MS;
    play_with(&options, script_slow_loris);
    CHECK_INT(f.requests, 0);
}

static void script_idle(int fd)
{
    struct buf heard = { 0 };
    int silent = client_connect();

    say(fd, STR("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n"));
    hear(fd, STR("[] ()"), &heard);
    CHECK(is_closed(fd));
    CHECK(is_closed(silent));
    close(silent);
    buf_fini(&heard);
}

static void closes_idle_connections_without_a_word(void)
{
    struct server_options options = options_default();

    options.limits.idle_timeout = 30 * NSEC_PER_MS;
    play_with(&options, script_idle);
}

/* ---- streams ---- */

static void script_stream(int fd)
{
    struct buf heard = { 0 };

    say(fd, STR("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n"));
    hear(fd, STR("0\r\n\r\n"), &heard);
    CHECK(holds(&heard, "\r\nTransfer-Encoding: chunked\r\n"));
    CHECK(str_ends(buf_str(&heard), STR("\r\n\r\nb\r\ndata: one\n\n\r\n0\r\n\r\n")));
    buf_reset(&heard);
    say(fd, STR("GET /ticks HTTP/1.1\r\nHost: a\r\n\r\n"));
    hear(fd, STR("\r\n\r\n"), &heard); /* the head does not wait for the first bytes */
    hear(fd, STR("0\r\n\r\n"), &heard);
    CHECK_INT(count_of(&heard, "4\r\ntick\r\n"), 3);
    buf_fini(&heard);
}

static void streams_what_a_turn_writes_as_one_chunk(void)
{
    play(script_stream);
}

static void script_flood(int fd)
{
    struct buf heard = { 0 };

    say(fd, STR("GET /flood HTTP/1.1\r\nHost: a\r\n\r\n"));
    usleep(50000); /* the server fills the socket and must wait */
    hear(fd, STR("\r\n0\r\n\r\n"), &heard);
    size_t pieces = (FLOOD_BYTES + PIECE_BYTES - 1) / PIECE_BYTES;
    CHECK_INT(count_of(&heard, "p"), pieces + 2); /* one in each, two in Content-Type: text/plain */
    buf_reset(&heard);
    say(fd, STR("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n"));
    hear(fd, STR("[] ()"), &heard);
    buf_fini(&heard);
}

static void makes_the_owner_wait_for_a_slow_reader(void)
{
    play(script_flood);
    CHECK(f.sees_slow);
    CHECK(f.drained > 0);
    CHECK_INT(f.gone, 0);
}

static void script_large_answer(int fd)
{
    struct buf heard = { 0 };

    say(fd, STR("GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
    usleep(20000);
    hear(fd, STR(""), &heard);
    CHECK(holds(&heard, "Content-Length: 8388608\r\n"));
    size_t head = str_find(buf_str(&heard), STR("\r\n\r\n"));
    CHECK_INT(heard.len - head - 4, FLOOD_BYTES);
    buf_fini(&heard);
}

static void queues_a_large_answer(void)
{
    play(script_large_answer);
}

static void script_never_reads(int fd)
{
    say(fd, STR("GET /flood HTTP/1.1\r\nHost: a\r\n\r\n"));
    for (int i = 0; i < 2000 && atomic_load(&f.gone) == 0; i++)
        usleep(5000);
}

static void a_client_that_takes_nothing_is_gone(void)
{
    struct server_options options = options_default();

    options.limits.write_timeout = 50 * NSEC_PER_MS;
    play_with(&options, script_never_reads);
    CHECK_INT(f.gone, 1);
}

static void script_cut(int fd)
{
    struct buf heard = { 0 };

    say(fd, STR("GET /cut HTTP/1.1\r\nHost: a\r\n\r\n"));
    hear(fd, STR(""), &heard);
    CHECK(str_ends(buf_str(&heard), STR("4\r\npart\r\n")));
    CHECK_INT(count_of(&heard, "0\r\n\r\n"), 0);
    int old = client_connect(), other = client_connect();
    char text[4096];
    ssize_t n;
    say(old, STR("GET /cut HTTP/1.0\r\n\r\n"));
    do {
        n = recv(old, text, sizeof(text), 0);
    } while (n > 0);
    CHECK_INT(n, -1); /* reset: an end would say that the answer is whole */
    buf_reset(&heard);
    say(other, STR("GET /abort HTTP/1.1\r\nHost: a\r\n\r\n"));
    hear(other, STR(""), &heard);
    CHECK_INT(heard.len, 0);
    close(old);
    close(other);
    buf_fini(&heard);
}

static void an_aborted_answer_is_seen_to_be_incomplete(void)
{
    play(script_cut);
}

/* ---- the client leaves, the server leaves ---- */

static void gone_wait(int want)
{
    for (int i = 0; i < 2000 && atomic_load(&f.gone) < want; i++)
        usleep(1000);
}

static void script_leave(int fd)
{
    const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
    int other = client_connect();

    say(fd, STR("POST /hold HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"));
    while (atomic_load(&f.requests) < 1)
        usleep(1000);
    shutdown(fd, SHUT_RDWR);
    gone_wait(1);
    say(other, STR("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n"));
    while (atomic_load(&f.requests) < 2)
        usleep(1000);
    setsockopt(other, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(other);
    gone_wait(2);
}

static void tells_the_owner_that_the_client_left(void)
{
    play(script_leave);
    CHECK_INT(f.gone, 2);
    CHECK(!f.held);
}

/* Asked for by an owner that does not watch, an answer still goes to a client that only half left. */
static void script_half_close(int fd)
{
    struct buf heard = { 0 };

    say(fd, STR("GET /later HTTP/1.1\r\nHost: a\r\n\r\n"));
    shutdown(fd, SHUT_WR);
    hear(fd, STR(""), &heard);
    CHECK(holds(&heard, "GET /later"));
    buf_fini(&heard);
}

static void answers_a_half_closed_client(void)
{
    play(script_half_close);
}

static void script_drain(int fd)
{
    struct buf heard = { 0 };
    int idle = client_connect();

    say(idle, STR("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n"));
    hear(idle, STR("[] ()"), &heard);
    say(fd, STR("GET /later HTTP/1.1\r\nHost: a\r\n\r\n"));
    while (atomic_load(&f.requests) < 2)
        usleep(1000);
    world_post_remote(f.world, &f.drain);
    CHECK(is_closed(idle));
    buf_reset(&heard);
    hear(fd, STR(""), &heard);
    CHECK(holds(&heard, "\r\nConnection: close\r\n"));
    CHECK(holds(&heard, "GET /later"));
    close(idle);
    buf_fini(&heard);
}

static void drains(void)
{
    play(script_drain);
}

static void script_nothing(int fd)
{
    int open_fds[4];

    for (size_t i = 0; i < ARRAY_LEN(open_fds); i++)
        open_fds[i] = client_connect();
    say(open_fds[0], STR("GET / HT"));
    say(open_fds[1], STR("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc"));
    say(open_fds[2], STR("GET /large HTTP/1.1\r\nHost: a\r\n\r\n"));
    say(fd, STR("GET / HTTP/1.1\n"));
    while (atomic_load(&f.requests) < 1)
        usleep(1000);
    for (size_t i = 0; i < ARRAY_LEN(open_fds); i++)
        close(open_fds[i]);
}

static void closes_with_connections_in_every_state(void)
{
    play(script_nothing);
}

static void script_limit(int fd)
{
    struct buf heard = { 0 };
    int second = client_connect();

    say(second, STR("GET /echo?second HTTP/1.1\r\nHost: a\r\n\r\n"));
    say(fd, STR("GET /later?first HTTP/1.1\r\nHost: a\r\n\r\n"));
    hear(fd, STR("?first"), &heard);
    CHECK_INT(f.requests, 1); /* the other waits in the backlog */
    shutdown(fd, SHUT_RDWR);
    hear(second, STR("?second"), &heard);
    CHECK(holds(&heard, "?second"));
    close(second);
    buf_fini(&heard);
}

static void further_connections_wait_in_the_backlog(void)
{
    struct server_options options = options_default();

    options.limits.connections_max = 1;
    play_with(&options, script_limit);
}

static void says_why_it_cannot_listen(void)
{
    struct server_options options = options_default();
    struct http_server *server = NULL;
    struct world *world;
    char why[160] = "";

    REQUIRE(world_open(&world) == OK);
    options.listen = STR("somewhere");
    CHECK_ERR(server_open(&server, world, &options, why), WEIR_IO);
    CHECK(!server && strstr(why, "somewhere"));
    server_close(NULL);
    world_close(world);
}

TESTS(TEST(answers), TEST(keeps_a_connection_for_many_requests),
      TEST(answers_pipelined_requests_in_order), TEST(stops_reading_behind_a_slow_request),
      TEST(reads_requests_that_come_byte_by_byte),
      TEST(decodes_chunked_requests_one_behind_the_other), TEST(reads_large_bodies),
      TEST(asks_for_a_body_that_waits_to_be_asked_for), TEST(speaks_http_1_0),
      TEST(sends_no_body_where_none_belongs), TEST(refuses_and_closes),
      TEST(a_refusal_is_not_lost_when_the_body_is_still_coming), TEST(refuses_slow_requests),
      TEST(a_trickle_does_not_extend_the_time_of_a_head),
      TEST(closes_idle_connections_without_a_word), TEST(streams_what_a_turn_writes_as_one_chunk),
      TEST(makes_the_owner_wait_for_a_slow_reader), TEST(queues_a_large_answer),
      TEST(a_client_that_takes_nothing_is_gone), TEST(an_aborted_answer_is_seen_to_be_incomplete),
      TEST(tells_the_owner_that_the_client_left), TEST(answers_a_half_closed_client), TEST(drains),
      TEST(closes_with_connections_in_every_state), TEST(further_connections_wait_in_the_backlog),
      TEST(says_why_it_cannot_listen))
