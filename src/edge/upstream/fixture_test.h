/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fixture: for tests: a loop, a client and a provider that plays a script; and probes, calls that note what came of them.
 *
 * Included by test programs only, once each.
 */
#ifndef WEIR_EDGE_UPSTREAM_FIXTURE_TEST_H
#define WEIR_EDGE_UPSTREAM_FIXTURE_TEST_H

#include <signal.h>

#include "edge/upstream/script_server.h"
#include "edge/upstream/upstream.h"

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

    options.limits.connect_timeout = MS(400);
    options.limits.first_byte_timeout = MS(250);
    options.limits.idle_timeout = MS(250);
    options.limits.backoff_base = MS(4);
    options.limits.backoff_max = MS(20);
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

/* One call against the script, with the fixture as the test left it. */
#define FIXTURE(f, options, ...)                                                                   \
    static const struct reply script[] = { __VA_ARGS__ };                                          \
    struct fixture f;                                                                              \
    fixture_open(&f, options, script, ARRAY_LEN(script))

#endif
