/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls end to end on loopback, against a provider that plays a script. Every test closes the client and the loop, which
 * assert that nothing is left: each is a leak test too.
 */
#include <sys/resource.h>
#include <time.h>

#include "edge/upstream/fixture_test.h"

/* ---- single calls, as a table ---- */

struct scenario {
    const char *name;
    struct reply replies[3];
    size_t reply_count;
    bool is_streamed;
    /* what must come of it */
    enum err result;
    int http_status;
    int attempts;
    const char *text; /* given to on_data, or the body */
    int heads;
    int took_ms_min; /* 0: any */
};

#define REPLY(...)                                                                                 \
    {                                                                                              \
        .pieces = { __VA_ARGS__ }                                                                  \
    }
#define REPLY_END(how, ...)                                                                        \
    {                                                                                              \
        .pieces = { __VA_ARGS__ }, .end = how                                                      \
    }

/* clang-format off */
static const struct scenario scenarios[] = {
    { "whole", { OK_REPLY }, 1, false, OK, 200, 1, "{\"a\":1}", 1, 0 },
    { "no body", { REPLY("HTTP/1.1 204 No Content\r\n\r\n") }, 1, false, OK, 204, 1, "", 1, 0 },
    { "streamed without a byte", { REPLY("HTTP/1.1 200 OK\r\n" EMPTY) }, 1, true, OK, 200, 1, "", 1, 0 },
    { "early hints first", { REPLY("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", JSON_OK "{\"a\":1}") }, 1, false, OK, 200, 1, "{\"a\":1}", 1, 0 },
    { "ended by closing", { REPLY_END(CUT, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc") }, 1, false, OK, 200, 1, "abc", 1, 0 },
    { "streamed", { { .pieces = { SSE "3\r\nabc\r\n", "4\r\ndefg\r\n", "0\r\n\r\n" }, .pause_ms = 20 } }, 1, true, OK, 200, 1, "abcdefg", 1, 40 },
    { "streamed with trailers", { REPLY(SSE "3\r\nabc\r\n", "0\r\nX-Sum: 1\r\n\r\n") }, 1, true, OK, 200, 1, "abc", 1, 0 },
    { "streamed, wrong content type", { REPLY("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi") }, 1, true, OK, 200, 1, "hi", 1, 0 },
    { "slow drip under the idle limit", { { .pieces = { SSE, "1\r\na\r\n", "1\r\nb\r\n", "1\r\nc\r\n", "1\r\nd\r\n", "0\r\n\r\n" }, .pause_ms = 100 } }, 1, true, OK, 200, 1, "abcd", 1, 600 },
    { "slow whole answer", { { .pieces = { JSON_OK "{", "\"a\"", ":", "1", "}" }, .pause_ms = 100 } }, 1, false, OK, 200, 1, "{\"a\":1}", 1, 500 },
    { "head hangs", { REPLY_END(HANG, NULL) }, 1, false, PROVIDER_FIRST_BYTE, 0, 3, "", 0, 750 },
    { "half a head hangs", { REPLY_END(HANG, "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\n"), OK_REPLY }, 2, false, OK, 200, 2, "{\"a\":1}", 1, 250 },
    { "first token stalls", { REPLY_END(HANG, SSE), REPLY(SSE "1\r\nz\r\n0\r\n\r\n") }, 2, true, OK, 200, 2, "z", 1, 250 },
    { "stalls in mid stream", { REPLY_END(HANG, SSE "1\r\na\r\n"), OK_REPLY }, 2, true, PROVIDER_STALLED, 200, 1, "a", 1, 250 },
    { "stalls in a whole answer", { REPLY_END(HANG, JSON_OK "{"), OK_REPLY }, 2, false, OK, 200, 2, "{\"a\":1}", 1, 250 },
    { "cut in mid stream, chunked", { REPLY_END(CUT, SSE "1\r\na\r\n"), OK_REPLY }, 2, true, PROVIDER_CUT, 200, 1, "a", 1, 0 },
    { "cut in mid stream, sized", { REPLY_END(CUT, JSON_OK "{\"a"), OK_REPLY }, 2, true, PROVIDER_CUT, 200, 1, "{\"a", 1, 0 },
    { "cut before the first token", { REPLY_END(CUT, SSE), REPLY(SSE "1\r\nz\r\n0\r\n\r\n") }, 2, true, OK, 200, 2, "z", 1, 0 },
    { "cut in a whole answer", { REPLY_END(CUT, JSON_OK "{\"a"), OK_REPLY }, 2, false, OK, 200, 2, "{\"a\":1}", 1, 0 },
    { "always cut in a whole answer", { REPLY_END(CUT, JSON_OK "{\"a") }, 1, false, PROVIDER_CUT, 200, 3, "{\"a", 0, 0 },
    { "chunked without its end", { REPLY_END(CUT, SSE "3\r\nabc\r\n") }, 1, false, PROVIDER_CUT, 200, 3, "abc", 0, 0 },
    { "closed without a word", { REPLY_END(CUT, NULL) }, 1, false, PROVIDER_CUT, 0, 3, "", 0, 0 },
    { "not HTTP", { REPLY_END(CUT, "SSH-2.0-OpenSSH_9.2\r\n\r\n") }, 1, false, PROVIDER_GARBAGE, 0, 3, "", 0, 0 },
    { "broken chunk", { REPLY_END(CUT, SSE "zz\r\nabc\r\n") }, 1, false, PROVIDER_CUT, 200, 3, "", 0, 0 },
    { "redirect", { REPLY("HTTP/1.1 302 Found\r\nLocation: /else\r\n" EMPTY) }, 1, false, PROVIDER_GARBAGE, 302, 3, "", 0, 0 },
    { "429, seconds", { REPLY("HTTP/1.1 429 Slow\r\nRetry-After: 1\r\n" EMPTY), OK_REPLY }, 2, false, OK, 200, 2, "{\"a\":1}", 1, 1000 },
    { "429, too far ahead", { REPLY("HTTP/1.1 429 Slow\r\nRetry-After: 60\r\nContent-Length: 2\r\n\r\nno"), OK_REPLY }, 2, false, PROVIDER_RATE_LIMITED, 429, 1, "no", 0, 0 },
    { "429, no hint", { REPLY("HTTP/1.1 429 Slow\r\n" EMPTY), OK_REPLY }, 2, true, OK, 200, 2, "{\"a\":1}", 1, 0 },
    { "500, then fine", { REPLY("HTTP/1.1 500 Oh\r\n" EMPTY), OK_REPLY }, 2, true, OK, 200, 2, "{\"a\":1}", 1, 0 },
    { "503 storm", { REPLY("HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy") }, 1, true, PROVIDER_OVERLOADED, 503, 3, "busy", 0, 0 },
    { "503, then silence", { REPLY_END(CUT, "HTTP/1.1 503 Busy\r\nConnection: close\r\n\r\nbusy"), REPLY_END(CUT, NULL) }, 2, false, PROVIDER_CUT, 0, 3, "", 0, 0 },
    { "401", { REPLY("HTTP/1.1 401 No\r\nContent-Length: 3\r\n\r\nkey") }, 1, true, PROVIDER_AUTH, 401, 1, "key", 0, 0 },
    { "404", { REPLY("HTTP/1.1 404 No\r\nContent-Length: 3\r\n\r\nwho") }, 1, false, PROVIDER_NO_MODEL, 404, 1, "who", 0, 0 },
    { "400", { REPLY("HTTP/1.1 400 No\r\nContent-Length: 3\r\n\r\nbad") }, 1, false, PROVIDER_REJECTED, 400, 1, "bad", 0, 0 },
    { "400, its text cut", { REPLY_END(CUT, "HTTP/1.1 400 No\r\nContent-Length: 9\r\n\r\nbad") }, 1, false, PROVIDER_REJECTED, 400, 1, "bad", 0, 0 },
    { "500, its text stalls", { REPLY_END(HANG, "HTTP/1.1 500 No\r\nContent-Length: 9\r\n\r\nbad"), OK_REPLY }, 2, false, OK, 200, 2, "{\"a\":1}", 1, 250 },
};
/* clang-format on */

static void plays_scenarios(void)
{
    for (size_t i = 0; i < ARRAY_LEN(scenarios); i++) {
        const struct scenario *s = &scenarios[i];
        const struct upstream_options options = options_quick();
        struct probe p = { 0 };
        struct fixture f;
        int failures = check_failures;
        fixture_open(&f, &options, s->replies, s->reply_count);
        f.request.wants_stream = s->is_streamed;
        probe_start(&f, &p);
        fixture_run(&f);
        CHECK_INT(p.dones, 1);
        CHECK_ERR(p.call.result, s->result);
        CHECK_INT(p.call.http_status, s->http_status);
        CHECK_INT(p.call.attempts, s->attempts);
        CHECK_INT(p.heads, s->heads);
        CHECK_STR(buf_str(p.datas > 0 ? &p.data : &p.call.body), str_from(s->text));
        CHECK(p.datas == 0 || s->is_streamed);
        CHECK(p.call.took >= MS(s->took_ms_min) && p.call.took < MS(s->took_ms_min + 2000));
        CHECK((p.call.first_byte > 0) == (s->http_status != 0));
        CHECK(p.call.first_byte <= p.call.took);
        CHECK_INT(f.server.requests, s->attempts);
        probe_fini(&p);
        fixture_close(&f);
        if (check_failures > failures)
            fprintf(stderr, "    scenario: %s\n", s->name);
    }
}

static void retry_after_date(void)
{
    struct upstream_options options = options_quick();
    struct reply replies[2] = { { .pieces = { NULL } }, OK_REPLY };
    char text[160];
    struct probe p = { 0 };
    struct fixture f;
    time_t at = time(NULL) + 2;
    struct tm tm;

    gmtime_r(&at, &tm);
    strftime(text, sizeof(text),
             "HTTP/1.1 429 Slow\r\nRetry-After: %a, %d %b %Y %H:%M:%S GMT\r\n" EMPTY, &tm);
    replies[0].pieces[0] = text;
    fixture_open(&f, &options, replies, 2);
    probe_start(&f, &p);
    fixture_run(&f);
    CHECK_ERR(p.call.result, OK);
    CHECK_INT(p.call.attempts, 2);
    CHECK(world_wall() + 2000 >= (usec_utc)at * 1000000);
    CHECK(p.call.took >= MS(900) && p.call.took < MS(4000));
    probe_fini(&p);
    fixture_close(&f);
}

/* ---- connections ---- */

static void keeps_connections_alive(void)
{
    const struct upstream_options options = options_quick();
    struct probe p = { .repeat = 19 };
    FIXTURE(f, &options, OK_REPLY);

    probe_start(&f, &p);
    fixture_run(&f);
    CHECK_INT(p.dones, 20);
    CHECK_ERR(p.call.result, OK);
    CHECK_STR(buf_str(&p.call.body), STR("{\"a\":1}"));
    CHECK_STR(str_from(p.content_type), STR("application/json"));
    CHECK_INT(f.server.requests, 20);
    CHECK_INT(f.server.connections, 1);
    str request = buf_str(&f.server.last_request);
    CHECK(str_starts(request, STR("POST /v1/chat HTTP/1.1\r\n")));
    CHECK(str_ends(request, STR("\r\n\r\n{\"model\":\"m\"}")));
    CHECK(str_find(request, STR("\r\nAuthorization: Bearer canary\r\n")) != STR_NPOS);
    CHECK(str_find(request, STR("\r\nAccept: application/json\r\n")) != STR_NPOS);
    CHECK(str_find(request, STR("\r\nContent-Type: application/json\r\n")) != STR_NPOS);
    CHECK(str_find_nocase(request, STR("\r\nexpect:")) == STR_NPOS);
    CHECK(str_find_nocase(request, STR("\r\naccept-encoding:")) == STR_NPOS);
    probe_fini(&p);
    fixture_close(&f);
}

static void kinds_of_requests(void)
{
    static const struct {
        str authorization, body;
        bool is_streamed;
        const char *start, *accept;
    } rows[] = {
        { { "Bearer x", 8 }, { "{}", 2 }, true, "POST /", "text/event-stream" },
        { { NULL, 0 }, { "{}", 2 }, false, "POST /", "application/json" },
        { { "Bearer y", 8 }, { NULL, 0 }, false, "GET /", "application/json" },
        { { NULL, 0 }, { NULL, 0 }, true, "GET /", "text/event-stream" },
        { { "Bearer x", 8 }, { "{}", 2 }, true, "POST /", "text/event-stream" },
    };
    const struct upstream_options options = options_quick();

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct probe first = { 0 }, p = { 0 };
        FIXTURE(f, &options, OK_REPLY);
        probe_start(&f, &first); /* so that an easy handle is not always new */
        f.request.authorization = rows[i].authorization;
        f.request.body = rows[i].body;
        f.request.wants_stream = rows[i].is_streamed;
        first.repeat = 1;
        fixture_run(&f);
        CHECK_ERR(first.call.result, OK);
        str request = buf_str(&f.server.last_request);
        CHECK(str_starts(request, str_from(rows[i].start)));
        CHECK(str_find(request, str_from(rows[i].accept)) != STR_NPOS);
        CHECK((str_find(request, STR("Authorization:")) == STR_NPOS) ==
              (rows[i].authorization.len == 0));
        CHECK(rows[i].authorization.len == 0 ||
              str_find(request, rows[i].authorization) != STR_NPOS);
        CHECK(str_ends(request, rows[i].body));
        probe_fini(&first);
        probe_fini(&p);
        fixture_close(&f);
    }
}

static void sends_large_bodies(void)
{
    struct upstream_options options = options_quick();
    struct probe p = { .repeat = 2 };
    struct buf body = { 0 };
    FIXTURE(f, &options, OK_REPLY);

    for (int i = 0; i < 300000; i++)
        buf_printf(&body, "%07d,", i);
    f.request.body = buf_str(&body);
    probe_start(&f, &p);
    fixture_run(&f);
    CHECK_ERR(p.call.result, OK);
    CHECK_INT(p.call.attempts, 1);
    CHECK(str_ends(buf_str(&f.server.last_request), buf_str(&body)));
    CHECK(str_find_nocase(buf_str(&f.server.last_request), STR("\r\nexpect:")) == STR_NPOS);
    probe_fini(&p);
    buf_fini(&body);
    fixture_close(&f);
}

/* A provider that closes idle connections costs no attempt, and its closed sockets no processor time. */
static void stale_connections(void)
{
    const struct upstream_options options = options_quick();
    struct probe p = { .repeat = 3, .repeat_pause = MS(150) };
    struct rusage before, after;
    FIXTURE(f, &options, { .pieces = { JSON_OK "{\"a\":1}" }, .end = CUT });

    probe_start(&f, &p);
    getrusage(RUSAGE_SELF, &before);
    fixture_run(&f);
    getrusage(RUSAGE_SELF, &after);
    long used_us = (after.ru_utime.tv_sec - before.ru_utime.tv_sec) * 1000000L +
                   (after.ru_utime.tv_usec - before.ru_utime.tv_usec) +
                   (after.ru_stime.tv_sec - before.ru_stime.tv_sec) * 1000000L +
                   (after.ru_stime.tv_usec - before.ru_stime.tv_usec);
    CHECK_INT(p.dones, 4);
    CHECK_ERR(p.call.result, OK);
    CHECK_INT(p.call.attempts, 1);
    CHECK_INT(f.server.connections, 4);
    CHECK(used_us < 150000); /* of 450 ms */
    probe_fini(&p);
    fixture_close(&f);
}

static void resolves_names(void)
{
    struct upstream_options options = options_quick();
    struct probe p = { .repeat = 2 };
    FIXTURE(f, &options, OK_REPLY);

    snprintf(f.url, sizeof(f.url), "http://localhost:%d/", f.server.port);
    f.request.url = str_from(f.url);
    probe_start(&f, &p);
    fixture_run(&f);
    CHECK_ERR(p.call.result, OK);
    CHECK_INT(p.call.attempts, 1);
    probe_fini(&p);
    fixture_close(&f);
}

static enum err result_of_url(const char *format, int port, int *out_attempts)
{
    const struct upstream_options options = options_quick();
    struct probe p = { 0 };
    FIXTURE(f, &options, { .pieces = { "HTTP/1.1 400 Bad\r\n" EMPTY }, .end = CUT });

    struct buf url = { 0 };
    buf_add(&url, str_from(format));
    if (port >= 0)
        buf_printf(&url, ":%d/", port > 0 ? port : f.server.port);
    f.request.url = buf_str(&url);
    probe_start(&f, &p);
    fixture_run(&f);
    enum err result = p.call.result;
    CHECK_INT(p.call.http_status, 0);
    *out_attempts = p.call.attempts;
    probe_fini(&p);
    buf_fini(&url);
    fixture_close(&f);
    return result;
}

static void unreachable_addresses(void)
{
    int attempts, port;
    int fd = script_listen(1, &port);

    close(fd);
    CHECK_ERR(result_of_url("http://127.0.0.1", port, &attempts), PROVIDER_UNREACHABLE);
    CHECK_INT(attempts, 3);
    CHECK_ERR(result_of_url("https://127.0.0.1", 0, &attempts), PROVIDER_TLS);
    CHECK_INT(attempts, 3);
    CHECK_ERR(result_of_url("ftp://127.0.0.1", 0, &attempts), WEIR_CONFIG);
    CHECK_INT(attempts, 1);
    CHECK_ERR(result_of_url("http://", -1, &attempts), WEIR_CONFIG);
    CHECK_ERR(result_of_url("http://a b/", -1, &attempts), WEIR_CONFIG);
    CHECK_ERR(result_of_url("", -1, &attempts), WEIR_CONFIG);
}

/* A listener whose queue is full drops what asks for a connection. */
struct full_listener {
    int fds[5];
    int port;
};

static void full_listener_open(struct full_listener *full)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

    full->fds[0] = script_listen(0, &full->port);
    address.sin_port = htons((uint16_t)full->port);
    for (size_t i = 1; i < ARRAY_LEN(full->fds); i++) {
        full->fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        IGNORE(connect(full->fds[i], (const struct sockaddr *)&address, sizeof(address)));
    }
}

static void full_listener_close(struct full_listener *full)
{
    for (size_t i = 0; i < ARRAY_LEN(full->fds); i++)
        close(full->fds[i]);
}

static void connect_timeout(void)
{
    struct full_listener full;
    int attempts;

    full_listener_open(&full);
    nsec before = world_now_exact();
    CHECK_ERR(result_of_url("http://127.0.0.1", full.port, &attempts), PROVIDER_CONNECT_TIMEOUT);
    CHECK_INT(attempts, 3);
    CHECK(world_now_exact() - before >= MS(1200));
    full_listener_close(&full);
}

static void never_ready(void *ctx, unsigned events)
{
    (void)ctx;
    (void)events;
}

/* Cancels while connecting; the descriptor's next owner must find it unwatched. */
static void cancel_and_reuse(struct timer *timer)
{
    struct fixture *f = CONTAINER_OF(timer, struct fixture, timer);
    struct watch *watch = NULL;
    int free_before = dup(0);

    close(free_before);
    upstream_cancel(&f->probes->call);
    int fd = dup(f->server.listener);
    CHECK(fd < free_before); /* the number that the call's socket had */
    CHECK_ERR(watch_open(&watch, f->world, fd, never_ready, NULL), OK);
    watch_close(watch);
    close(fd);
    world_stop(f->world);
}

static void cancels_while_connecting(void)
{
    const struct upstream_options options = options_quick();
    struct full_listener full;
    struct probe p = { 0 };
    FIXTURE(f, &options, OK_REPLY);

    full_listener_open(&full);
    snprintf(f.url, sizeof(f.url), "http://127.0.0.1:%d/", full.port);
    f.request.url = str_from(f.url);
    f.probes = &p;
    probe_start(&f, &p);
    timer_start(f.world, &f.timer, MS(50), cancel_and_reuse);
    fixture_run(&f);
    CHECK_INT(p.dones, 0);
    probe_fini(&p);
    fixture_close(&f);
    full_listener_close(&full);
}

TESTS(TEST(plays_scenarios), TEST(retry_after_date), TEST(keeps_connections_alive),
      TEST(kinds_of_requests), TEST(sends_large_bodies), TEST(stale_connections),
      TEST(resolves_names), TEST(unreachable_addresses), TEST(connect_timeout),
      TEST(cancels_while_connecting))
