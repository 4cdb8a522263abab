/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls end to end on loopback, against a provider that plays a script. Every test closes the client and the loop, which
 * assert that nothing is left: each is a leak test too.
 */
#include "edge/upstream/upstream.h"

#include <signal.h>
#include <sys/resource.h>
#include <time.h>

#include "edge/upstream/script_server.h"

#define MS(n) ((n)*NSEC_PER_MS)
#define JSON_OK "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n"
#define OK_REPLY                                                                                   \
    {                                                                                              \
        .pieces = { JSON_OK "{\"a\":1}" }                                                          \
    }
#define SSE                                                                                        \
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
#define EMPTY "Content-Length: 0\r\n\r\n"

struct fixture;

/* A call and what came of it. */
struct probe {
    struct upstream_call call;
    struct fixture *f;
    struct buf data;
    char content_type[64];
    int heads, datas, dones;
    nsec done_at;
    int repeat; /* start it again so often */
    nsec repeat_pause;
    struct timer timer;
    void (*in_head)(struct probe *p);
    void (*in_data)(struct probe *p);
};

struct fixture {
    struct world *world;
    struct upstream *upstream;
    struct script_server server;
    struct upstream_options options;
    struct upstream_request request;
    char url[128];
    int pending; /* the loop stops when none is */
    struct timer watchdog;
    struct timer timer;
    bool is_late;
    nsec cancelled_at;
    struct probe *probes;
};

static struct fixture *fixture_of(struct timer *watchdog)
{
    return CONTAINER_OF(watchdog, struct fixture, watchdog);
}

static void on_watchdog(struct timer *timer)
{
    fixture_of(timer)->is_late = true;
    world_stop(fixture_of(timer)->world);
}

static struct upstream_options options_quick(void)
{
    struct upstream_options options = upstream_options_default();

    options.connect_timeout = MS(400);
    options.first_byte_timeout = MS(250);
    options.idle_timeout = MS(250);
    options.backoff_base = MS(4);
    options.backoff_max = MS(20);
    return options;
}

static void fixture_open(struct fixture *f, const struct upstream_options *options,
                         const struct reply *replies, size_t reply_count)
{
    signal(SIGPIPE, SIG_IGN);
    *f = (struct fixture){ .options = *options };
    script_server_start(&f->server, replies, reply_count);
    if (world_open(&f->world) != OK || upstream_open(&f->upstream, f->world, options) != OK)
        abort();
    snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%d/v1/chat", f->server.port);
    f->request = (struct upstream_request){
        .url = str_from(f->url),
        .authorization = STR("Bearer canary"),
        .body = STR("{\"model\":\"m\"}"),
        .deadline = world_now(f->world) + 20 * NSEC_PER_SEC,
    };
}

static void fixture_run(struct fixture *f)
{
    timer_start(f->world, &f->watchdog, 15 * NSEC_PER_SEC, on_watchdog);
    world_run(f->world);
    CHECK(!f->is_late);
}

static void fixture_close(struct fixture *f)
{
    upstream_close(f->upstream);
    world_close(f->world);
    script_server_stop(&f->server);
}

static struct probe *probe_of(struct upstream_call *call)
{
    return CONTAINER_OF(call, struct probe, call);
}

static void probe_again(struct timer *timer)
{
    struct probe *p = CONTAINER_OF(timer, struct probe, timer);

    p->heads = p->datas = 0;
    upstream_start(p->f->upstream, &p->call, &p->f->request);
}

static void on_head(struct upstream_call *call, int http_status, str content_type)
{
    struct probe *p = probe_of(call);

    CHECK_INT(p->datas, 0);
    CHECK(http_status >= 200 && http_status <= 299);
    snprintf(p->content_type, sizeof(p->content_type), "%.*s", STR_ARG(content_type));
    p->heads++;
    if (p->in_head)
        p->in_head(p);
}

static void on_data(struct upstream_call *call, str bytes)
{
    struct probe *p = probe_of(call);

    CHECK_INT(p->heads, 1);
    buf_add(&p->data, bytes);
    p->datas++;
    if (p->in_data)
        p->in_data(p);
}

static void on_done(struct upstream_call *call)
{
    struct probe *p = probe_of(call);

    p->dones++;
    p->done_at = world_now_exact();
    if (p->repeat > 0) {
        p->repeat--;
        timer_start(p->f->world, &p->timer, p->repeat_pause, probe_again);
        return;
    }
    if (--p->f->pending == 0)
        world_stop(p->f->world);
}

static void probe_start(struct fixture *f, struct probe *p)
{
    p->f = f;
    p->call.on_head = on_head;
    p->call.on_data = on_data;
    p->call.on_done = on_done;
    f->pending++;
    upstream_start(f->upstream, &p->call, &f->request);
    CHECK_INT(p->dones, 0);
}

static void probe_fini(struct probe *p)
{
    upstream_call_fini(&p->call);
    buf_fini(&p->data);
}

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

static const struct scenario scenarios[] = {
    { "whole", { OK_REPLY }, 1, false, OK, 200, 1, "{\"a\":1}", 1, 0 },
    { "no body", { REPLY("HTTP/1.1 204 No Content\r\n\r\n") }, 1, false, OK, 204, 1, "", 1, 0 },
    { "streamed without a byte",
      { REPLY("HTTP/1.1 200 OK\r\n" EMPTY) },
      1,
      true,
      OK,
      200,
      1,
      "",
      1,
      0 },
    { "early hints first",
      { REPLY("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", JSON_OK "{\"a\":1}") },
      1,
      false,
      OK,
      200,
      1,
      "{\"a\":1}",
      1,
      0 },
    { "ended by closing",
      { REPLY_END(CUT, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc") },
      1,
      false,
      OK,
      200,
      1,
      "abc",
      1,
      0 },
    { "streamed",
      { { .pieces = { SSE "3\r\nabc\r\n", "4\r\ndefg\r\n", "0\r\n\r\n" }, .pause_ms = 20 } },
      1,
      true,
      OK,
      200,
      1,
      "abcdefg",
      1,
      40 },
    { "streamed with trailers",
      { REPLY(SSE "3\r\nabc\r\n", "0\r\nX-Sum: 1\r\n\r\n") },
      1,
      true,
      OK,
      200,
      1,
      "abc",
      1,
      0 },
    { "streamed, wrong content type",
      { REPLY("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi") },
      1,
      true,
      OK,
      200,
      1,
      "hi",
      1,
      0 },
    { "slow drip under the idle limit",
      { { .pieces = { SSE, "1\r\na\r\n", "1\r\nb\r\n", "1\r\nc\r\n", "1\r\nd\r\n", "0\r\n\r\n" },
          .pause_ms = 100 } },
      1,
      true,
      OK,
      200,
      1,
      "abcd",
      1,
      600 },
    { "slow whole answer",
      { { .pieces = { JSON_OK "{", "\"a\"", ":", "1", "}" }, .pause_ms = 100 } },
      1,
      false,
      OK,
      200,
      1,
      "{\"a\":1}",
      1,
      500 },
    { "head hangs", { REPLY_END(HANG, NULL) }, 1, false, PROVIDER_FIRST_BYTE, 0, 3, "", 0, 750 },
    { "half a head hangs",
      { REPLY_END(HANG, "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\n"), OK_REPLY },
      2,
      false,
      OK,
      200,
      2,
      "{\"a\":1}",
      1,
      250 },
    { "first token stalls",
      { REPLY_END(HANG, SSE), REPLY(SSE "1\r\nz\r\n0\r\n\r\n") },
      2,
      true,
      OK,
      200,
      2,
      "z",
      1,
      250 },
    { "stalls in mid stream",
      { REPLY_END(HANG, SSE "1\r\na\r\n"), OK_REPLY },
      2,
      true,
      PROVIDER_STALLED,
      200,
      1,
      "a",
      1,
      250 },
    { "stalls in a whole answer",
      { REPLY_END(HANG, JSON_OK "{"), OK_REPLY },
      2,
      false,
      OK,
      200,
      2,
      "{\"a\":1}",
      1,
      250 },
    { "cut in mid stream, chunked",
      { REPLY_END(CUT, SSE "1\r\na\r\n"), OK_REPLY },
      2,
      true,
      PROVIDER_CUT,
      200,
      1,
      "a",
      1,
      0 },
    { "cut in mid stream, sized",
      { REPLY_END(CUT, JSON_OK "{\"a"), OK_REPLY },
      2,
      true,
      PROVIDER_CUT,
      200,
      1,
      "{\"a",
      1,
      0 },
    { "cut before the first token",
      { REPLY_END(CUT, SSE), REPLY(SSE "1\r\nz\r\n0\r\n\r\n") },
      2,
      true,
      OK,
      200,
      2,
      "z",
      1,
      0 },
    { "cut in a whole answer",
      { REPLY_END(CUT, JSON_OK "{\"a"), OK_REPLY },
      2,
      false,
      OK,
      200,
      2,
      "{\"a\":1}",
      1,
      0 },
    { "always cut in a whole answer",
      { REPLY_END(CUT, JSON_OK "{\"a") },
      1,
      false,
      PROVIDER_CUT,
      200,
      3,
      "{\"a",
      0,
      0 },
    { "chunked without its end",
      { REPLY_END(CUT, SSE "3\r\nabc\r\n") },
      1,
      false,
      PROVIDER_CUT,
      200,
      3,
      "abc",
      0,
      0 },
    { "closed without a word", { REPLY_END(CUT, NULL) }, 1, false, PROVIDER_CUT, 0, 3, "", 0, 0 },
    { "not HTTP",
      { REPLY_END(CUT, "SSH-2.0-OpenSSH_9.2\r\n\r\n") },
      1,
      false,
      PROVIDER_GARBAGE,
      0,
      3,
      "",
      0,
      0 },
    { "broken chunk",
      { REPLY_END(CUT, SSE "zz\r\nabc\r\n") },
      1,
      false,
      PROVIDER_CUT,
      200,
      3,
      "",
      0,
      0 },
    { "redirect",
      { REPLY("HTTP/1.1 302 Found\r\nLocation: /else\r\n" EMPTY) },
      1,
      false,
      PROVIDER_GARBAGE,
      302,
      3,
      "",
      0,
      0 },
    { "429, seconds",
      { REPLY("HTTP/1.1 429 Slow\r\nRetry-After: 1\r\n" EMPTY), OK_REPLY },
      2,
      false,
      OK,
      200,
      2,
      "{\"a\":1}",
      1,
      1000 },
    { "429, too far ahead",
      { REPLY("HTTP/1.1 429 Slow\r\nRetry-After: 60\r\nContent-Length: 2\r\n\r\nno"), OK_REPLY },
      2,
      false,
      PROVIDER_RATE_LIMITED,
      429,
      1,
      "no",
      0,
      0 },
    { "429, no hint",
      { REPLY("HTTP/1.1 429 Slow\r\n" EMPTY), OK_REPLY },
      2,
      true,
      OK,
      200,
      2,
      "{\"a\":1}",
      1,
      0 },
    { "500, then fine",
      { REPLY("HTTP/1.1 500 Oh\r\n" EMPTY), OK_REPLY },
      2,
      true,
      OK,
      200,
      2,
      "{\"a\":1}",
      1,
      0 },
    { "503 storm",
      { REPLY("HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy") },
      1,
      true,
      PROVIDER_OVERLOADED,
      503,
      3,
      "busy",
      0,
      0 },
    { "503, then silence",
      { REPLY_END(CUT, "HTTP/1.1 503 Busy\r\nConnection: close\r\n\r\nbusy"),
        REPLY_END(CUT, NULL) },
      2,
      false,
      PROVIDER_CUT,
      0,
      3,
      "",
      0,
      0 },
    { "401",
      { REPLY("HTTP/1.1 401 No\r\nContent-Length: 3\r\n\r\nkey") },
      1,
      true,
      PROVIDER_AUTH,
      401,
      1,
      "key",
      0,
      0 },
    { "404",
      { REPLY("HTTP/1.1 404 No\r\nContent-Length: 3\r\n\r\nwho") },
      1,
      false,
      PROVIDER_NO_MODEL,
      404,
      1,
      "who",
      0,
      0 },
    { "400",
      { REPLY("HTTP/1.1 400 No\r\nContent-Length: 3\r\n\r\nbad") },
      1,
      false,
      PROVIDER_REJECTED,
      400,
      1,
      "bad",
      0,
      0 },
    { "400, its text cut",
      { REPLY_END(CUT, "HTTP/1.1 400 No\r\nContent-Length: 9\r\n\r\nbad") },
      1,
      false,
      PROVIDER_REJECTED,
      400,
      1,
      "bad",
      0,
      0 },
    { "500, its text stalls",
      { REPLY_END(HANG, "HTTP/1.1 500 No\r\nContent-Length: 9\r\n\r\nbad"), OK_REPLY },
      2,
      false,
      OK,
      200,
      2,
      "{\"a\":1}",
      1,
      250 },
};

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

/* One call against the script, with the fixture as the test left it. */
#define FIXTURE(f, options, ...)                                                                   \
    static const struct reply script[] = { __VA_ARGS__ };                                          \
    struct fixture f;                                                                              \
    fixture_open(&f, options, script, ARRAY_LEN(script))

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
static void connect_timeout(void)
{
    const struct sockaddr_in any = { .sin_family = AF_INET,
                                     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fds[4], attempts, port;
    int listener = script_listen(0, &port);
    struct sockaddr_in address = any;

    address.sin_port = htons((uint16_t)port);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        IGNORE(connect(fds[i], (const struct sockaddr *)&address, sizeof(address)));
    }
    nsec before = world_now_exact();
    CHECK_ERR(result_of_url("http://127.0.0.1", port, &attempts), PROVIDER_CONNECT_TIMEOUT);
    CHECK_INT(attempts, 3);
    CHECK(world_now_exact() - before >= MS(1200));
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        close(fds[i]);
    close(listener);
}

/* ---- limits ---- */

static void deadline_over_all_attempts(void)
{
    struct upstream_options options = options_quick();
    struct probe hang = { 0 }, storm = { 0 };
    FIXTURE(f, &options, { .pieces = { NULL }, .end = HANG });

    f.request.deadline = world_now(f.world) + MS(120); /* before the first byte's timeout */
    probe_start(&f, &hang);
    f.request.deadline = world_now(f.world) + MS(600);
    f.request.attempts_max = 1000;
    probe_start(&f, &storm);
    fixture_run(&f);
    CHECK_ERR(hang.call.result, DEADLINE_EXCEEDED);
    CHECK_INT(hang.call.attempts, 1);
    CHECK(hang.call.took >= MS(119) && hang.call.took < MS(400));
    CHECK_ERR(storm.call.result, DEADLINE_EXCEEDED);
    CHECK_INT(storm.call.attempts, 3);
    CHECK(storm.call.took >= MS(599) && storm.call.took < MS(900));
    probe_fini(&hang);
    probe_fini(&storm);
    fixture_close(&f);
}

static void deadline_in_mid_stream(void)
{
    struct upstream_options options = options_quick();
    struct probe p = { 0 }, past = { 0 };
    FIXTURE(f, &options,
            { .pieces = { SSE "1\r\na\r\n", "1\r\nb\r\n", "1\r\nc\r\n", "1\r\nd\r\n" },
              .pause_ms = 60 });

    f.request.wants_stream = true;
    f.request.deadline = world_now(f.world) + MS(150);
    probe_start(&f, &p);
    f.request.deadline = world_now(f.world);
    probe_start(&f, &past);
    fixture_run(&f);
    CHECK_ERR(p.call.result, DEADLINE_EXCEEDED);
    CHECK_INT(p.call.http_status, 200);
    CHECK(p.datas >= 1);
    CHECK_INT(p.call.attempts, 1);
    CHECK_ERR(past.call.result, DEADLINE_EXCEEDED);
    CHECK_INT(past.call.attempts, 0);
    probe_fini(&p);
    probe_fini(&past);
    fixture_close(&f);
}

#define SIZED(n) "HTTP/1.1 200 OK\r\nContent-Length: " #n "\r\n\r\n"

static void limits_answers(void)
{
    static const struct {
        struct reply reply;
        bool is_streamed;
        enum err result;
        int attempts;
        size_t kept;
    } rows[] = {
        { { .pieces = { SIZED(100000) }, .filler = 100000 }, false, OK, 1, 100000 },
        { { .pieces = { SIZED(100001) }, .filler = 100001 }, false, PROVIDER_GARBAGE, 1, 0 },
        { { .pieces = { SIZED(100000) }, .filler = 100000 }, true, OK, 1, 100000 },
        { { .pieces = { SIZED(100001) }, .filler = 100001 }, true, PROVIDER_GARBAGE, 1, 0 },
        { { .pieces = { "HTTP/1.1 400 No\r\n\r\n" }, .filler = 100001, .end = CUT },
          true,
          PROVIDER_REJECTED,
          1,
          65536 },
        { { .pieces = { "HTTP/1.1 500 No\r\n\r\n" }, .filler = 65536, .end = CUT },
          false,
          PROVIDER_FAILED,
          3,
          65536 },
    };
    struct upstream_options options = options_quick();

    options.answer_bytes_max = 100000;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct probe p = { 0 };
        struct fixture f;
        fixture_open(&f, &options, &rows[i].reply, 1);
        f.request.wants_stream = rows[i].is_streamed;
        probe_start(&f, &p);
        fixture_run(&f);
        CHECK_ERR(p.call.result, rows[i].result);
        CHECK_INT(p.call.attempts, rows[i].attempts);
        if (rows[i].kept > 0)
            CHECK_INT(p.datas > 0 ? p.data.len : p.call.body.len, rows[i].kept);
        CHECK(p.data.len + p.call.body.len <= options.answer_bytes_max);
        probe_fini(&p);
        fixture_close(&f);
    }
}

static void many_at_once(struct fixture *f, size_t n)
{
    struct probe *probes = calloc(n, sizeof(*probes));

    REQUIRE(probes);
    for (size_t i = 0; i < n; i++) {
        probes[i].repeat = 2;
        probe_start(f, &probes[i]);
    }
    fixture_run(f);
    for (size_t i = 0; i < n; i++) {
        CHECK_ERR(probes[i].call.result, OK);
        CHECK_INT(probes[i].call.attempts, 1);
        CHECK_INT(probes[i].dones, 3);
        CHECK_STR(buf_str(&probes[i].call.body), STR("{\"a\":1}"));
        probe_fini(&probes[i]);
    }
    free(probes);
    CHECK_INT(f->server.requests, 3 * n);
}

static void three_hundred_at_once(void)
{
    struct upstream_options options = options_quick();
    FIXTURE(f, &options, { .pieces = { JSON_OK, "{\"a\":1}" }, .pause_ms = 20 });

    options.first_byte_timeout = options.idle_timeout = 5 * NSEC_PER_SEC;
    many_at_once(&f, 300);
    CHECK(f.server.open_peak >= 250);
    CHECK(f.server.connections <= 310); /* and then they are kept */
    fixture_close(&f);
}

static void waits_for_a_connection(void)
{
    struct upstream_options options = options_quick();
    options.connections_max = 3;
    FIXTURE(f, &options, { .pieces = { JSON_OK "{\"a\":1}" }, .pause_ms = 5 });

    many_at_once(&f, 40);
    CHECK_INT(f.server.connections, 3);
    fixture_close(&f);
}

static void overloaded_while_waiting(void)
{
    struct upstream_options options = options_quick();
    struct probe first = { 0 }, second = { 0 }, third = { 0 };
    options.connections_max = 1;
    FIXTURE(f, &options, { .pieces = { NULL }, .end = HANG }, OK_REPLY);

    f.request.attempts_max = 1;
    probe_start(&f, &first);
    f.request.deadline = world_now(f.world) + MS(60);
    probe_start(&f, &second);
    f.request.deadline = world_now(f.world) + MS(9000);
    probe_start(&f, &third);
    fixture_run(&f);
    CHECK_ERR(first.call.result, PROVIDER_FIRST_BYTE);
    CHECK_ERR(second.call.result, WEIR_OVERLOADED);
    CHECK_INT(second.call.attempts, 0);
    CHECK_ERR(third.call.result, OK);
    probe_fini(&first);
    probe_fini(&second);
    probe_fini(&third);
    fixture_close(&f);
}

/* ---- cancelling ---- */

static void stop_soon(struct timer *timer)
{
    world_stop(CONTAINER_OF(timer, struct fixture, timer)->world);
}

static void cancel_all(struct fixture *f)
{
    f->cancelled_at = world_now_exact();
    for (struct probe *p = f->probes; p->f; p++)
        upstream_cancel(&p->call);
    timer_start(f->world, &f->timer, MS(80), stop_soon);
}

static void cancel_by_timer(struct timer *timer)
{
    cancel_all(CONTAINER_OF(timer, struct fixture, timer));
}

static void cancel_by_probe(struct probe *p)
{
    cancel_all(p->f);
}

static void cancel_closes_at_once(void)
{
    const struct upstream_options options = options_quick();
    static const struct reply replies[] = {
        { .pieces = { NULL }, .end = HANG },
        { .pieces = { SSE "1\r\na\r\n" }, .end = HANG },
        { .pieces = { JSON_OK "{" }, .end = HANG },
    };

    for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
        for (int is_streamed = 0; is_streamed < 2; is_streamed++) {
            struct probe probes[2] = { 0 };
            struct fixture f;
            fixture_open(&f, &options, &replies[i], 1);
            f.probes = probes;
            f.request.wants_stream = is_streamed;
            probe_start(&f, &probes[0]);
            timer_start(f.world, &f.timer, MS(60), cancel_by_timer);
            fixture_run(&f);
            CHECK_INT(probes[0].dones, 0);
            CHECK_INT(f.server.requests, 1);
            nsec closed = script_closed_by_client(&f.server);
            CHECK(closed > 0 && closed - f.cancelled_at < MS(50));
            probe_fini(&probes[0]);
            fixture_close(&f);
        }
    }
}

/* Of two calls in flight, the first that gets data cancels both: its own, and one in the same shard. */
static void cancels_inside_callbacks(void)
{
    const struct upstream_options options = options_quick();

    for (int in_head = 0; in_head < 2; in_head++) {
        struct probe probes[3] = { 0 };
        FIXTURE(f, &options, { .pieces = { SSE "1\r\na\r\n1\r\nb\r\n" }, .end = HANG });
        f.probes = probes;
        f.request.wants_stream = true;
        for (int i = 0; i < 2; i++) {
            probes[i].in_head = in_head ? cancel_by_probe : NULL;
            probes[i].in_data = cancel_by_probe;
            probe_start(&f, &probes[i]);
        }
        fixture_run(&f);
        CHECK_INT(probes[0].dones + probes[1].dones, 0);
        CHECK_INT(probes[0].heads + probes[1].heads, 1);
        CHECK_INT(probes[0].datas + probes[1].datas, in_head ? 0 : 1);
        nsec closed = script_closed_by_client(&f.server);
        CHECK(closed > 0 && closed - f.cancelled_at < MS(50));
        probe_fini(&probes[0]);
        probe_fini(&probes[1]);
        fixture_close(&f);
    }
}

static void free_in_callback(struct probe *p)
{
    struct fixture *f = p->f;

    probe_fini(p);
    free(p);
    if (--f->pending == 0)
        world_stop(f->world);
}

/* The owner may free a call in a callback, also when the whole answer has come: nothing touches it then. */
static void frees_inside_callbacks(void)
{
    const struct upstream_options options = options_quick();

    for (int in_head = 0; in_head < 2; in_head++) {
        for (int is_streamed = in_head ? 0 : 1; is_streamed < 2; is_streamed++) {
            FIXTURE(f, &options, OK_REPLY);
            f.request.wants_stream = is_streamed;
            for (int i = 0; i < 5; i++) {
                struct probe *p = calloc(1, sizeof(*p));
                REQUIRE(p);
                p->in_head = in_head ? free_in_callback : NULL;
                p->in_data = in_head ? NULL : free_in_callback;
                probe_start(&f, p);
            }
            fixture_run(&f);
            fixture_close(&f);
        }
    }
}

static void start_other(struct probe *p)
{
    struct probe *other = p + 1;

    if (!other->f && p->f->probes)
        probe_start(p->f, other);
}

static void starts_inside_callbacks(void)
{
    const struct upstream_options options = options_quick();
    struct probe probes[2] = { { .in_data = start_other } };
    FIXTURE(f, &options, { .pieces = { SSE "1\r\na\r\n", "1\r\nb\r\n0\r\n\r\n" }, .pause_ms = 10 });

    f.probes = probes;
    f.request.wants_stream = true;
    probe_start(&f, &probes[0]);
    fixture_run(&f);
    for (int i = 0; i < 2; i++) {
        CHECK_ERR(probes[i].call.result, OK);
        CHECK_STR(buf_str(&probes[i].data), STR("ab"));
        probe_fini(&probes[i]);
    }
    CHECK_INT(f.server.connections, 2);
    fixture_close(&f);
}

/* Cancelled before its first turn, in a backoff, while waiting for a connection, and when it never started. */
static void cancels_without_a_connection(void)
{
    struct upstream_options options = options_quick();
    struct probe probes[4] = { 0 }, never = { 0 };
    options.connections_max = 1;
    FIXTURE(f, &options, { .pieces = { "HTTP/1.1 429 Slow\r\nRetry-After: 3\r\n" EMPTY } },
            { .pieces = { NULL }, .end = HANG });

    f.probes = probes;
    for (int i = 0; i < 3; i++)
        probe_start(&f, &probes[i]);
    upstream_cancel(&probes[1].call);
    upstream_cancel(&probes[1].call);
    f.request.deadline = NSEC_NEVER;
    probe_start(&f, &probes[1]);
    timer_start(f.world, &f.timer, MS(100), cancel_by_timer);
    fixture_run(&f);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(probes[i].dones, 0);
        probe_fini(&probes[i]);
    }
    probe_fini(&never);
    fixture_close(&f);
}

TESTS(TEST(plays_scenarios), TEST(retry_after_date), TEST(keeps_connections_alive),
      TEST(kinds_of_requests), TEST(sends_large_bodies), TEST(stale_connections),
      TEST(resolves_names), TEST(unreachable_addresses), TEST(connect_timeout),
      TEST(deadline_over_all_attempts), TEST(deadline_in_mid_stream), TEST(limits_answers),
      TEST(three_hundred_at_once), TEST(waits_for_a_connection), TEST(overloaded_while_waiting),
      TEST(cancel_closes_at_once), TEST(cancels_inside_callbacks), TEST(frees_inside_callbacks),
      TEST(starts_inside_callbacks), TEST(cancels_without_a_connection))
