/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connection: one client's requests, one after the other.
 *
 *      .--------------------- kept alive ---------------------.
 *      v                                                      |
 *    IDLE ~~~~> HEAD ~~~~> BODY ~~~~> BUSY ~~~~> FLUSH ~~~~~~~+    a wavy line waits for bytes,
 *      |          |          |                     ^    |          for the owner, or for the
 *      |          +----------+------- refused -----'    |          client to take the answer
 *      |          |          |                          +~~~~> LINGER
 *      '----------+----------+--------------------------+--------+----> CLOSED
 *
 * Readiness, time and the owner's calls are recorded as facts; only the steps decide. A request that
 * comes whole in one read passes from IDLE to BUSY at once, and back with one write; the watch and
 * the timer are not touched on that path.
 */
#include "edge/http/server_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TO(state) (1u << CONNECTION_##state)

typedef enum connection_state step_fn(struct connection *c);
static step_fn step_idle, step_head, step_body, step_busy, step_flush, step_linger;

static const struct rule {
    const char *name;
    step_fn *step;
    unsigned next; /* besides itself */
} rules[CONNECTION_STATE_COUNT] = {
    [CONNECTION_IDLE] = { "idle", step_idle, TO(HEAD) | TO(CLOSED) },
    [CONNECTION_HEAD] = { "head", step_head, TO(BODY) | TO(FLUSH) | TO(CLOSED) },
    [CONNECTION_BODY] = { "body", step_body, TO(BUSY) | TO(FLUSH) | TO(CLOSED) },
    [CONNECTION_BUSY] = { "busy", step_busy, TO(FLUSH) },
    [CONNECTION_FLUSH] = { "flush", step_flush, TO(IDLE) | TO(LINGER) | TO(CLOSED) },
    [CONNECTION_LINGER] = { "linger", step_linger, TO(CLOSED) },
    [CONNECTION_CLOSED] = { "closed", NULL, 0 },
};

static bool is_gone(const struct connection *c)
{
    return c->stream.is_broken || c->stream.has_ended;
}

/* ---- steps ---- */

static enum connection_state step_idle(struct connection *c)
{
    if (c->in.failed)
        return CONNECTION_CLOSED;
    if (c->in.len == 0)
        return is_gone(c) || c->has_timed_out || c->server->is_draining ? CONNECTION_CLOSED
                                                                        : CONNECTION_IDLE;
    c->exchange.started = world_now(c->server->world);
    http_head_init(&c->exchange.head);
    return CONNECTION_HEAD;
}

static enum connection_state refuse(struct connection *c, int status, enum err fault,
                                    const char *text)
{
    const struct server_options *options = &c->server->options;
    const struct http_head *head = &c->exchange.head;

    if (options->on_refused)
        options->on_refused(options->ctx, fault,
                            head->size > 0 ? http_span_str(head->path, buf_str(&c->in)) : STR(""));
    connection_refuse(c, status, fault, text);
    c->closes = true;
    c->lingers = true;
    return CONNECTION_FLUSH;
}

static enum connection_state refuse_fault(struct connection *c, enum err fault)
{
    return refuse(c, err_info(fault)->http_status, fault, err_info(fault)->text);
}

static enum connection_state refuse_malformed(struct connection *c, enum http_refusal refusal)
{
    const struct http_refusal_info *info = http_refusal_info(refusal);
    enum err fault = CALLER_BAD_HTTP;

    if (info->status == err_info(CALLER_HEADERS_TOO_LARGE)->http_status)
        fault = CALLER_HEADERS_TOO_LARGE;
    else if (info->status == err_info(CALLER_TOO_LARGE)->http_status)
        fault = CALLER_TOO_LARGE;
    return refuse(c, info->status, fault, info->text);
}

/* The request is not whole: waits for more of it, in `same`, unless no more will come. */
static enum connection_state wait_for_more(struct connection *c, enum connection_state same)
{
    if (is_gone(c))
        return CONNECTION_CLOSED;
    if (c->in.failed)
        return refuse_fault(c, WEIR_NO_MEMORY);
    return c->has_timed_out ? refuse_fault(c, CALLER_SLOW) : same;
}

static enum connection_state step_head(struct connection *c)
{
    const struct server_limits *limits = &c->server->options.limits;
    struct http_head *head = &c->exchange.head;

    switch (http_head_read(head, buf_str(&c->in), limits->head_bytes_max)) {
    case HTTP_MORE:
        return wait_for_more(c, CONNECTION_HEAD);
    case HTTP_REFUSED:
        return refuse_malformed(c, head->refusal);
    case HTTP_COMPLETE:
        break;
    }
    if (head->content_length > limits->body_bytes_max)
        return refuse_malformed(c, HTTP_BODY_TOO_LARGE);
    http_chunked_init(&c->chunked, limits->body_bytes_max);
    c->body_end = head->size;
    bool has_body = head->is_chunked || head->content_length > 0;
    if (head->expects_continue && has_body && c->in.len == head->size)
        net_stream_write(&c->stream, &STR("HTTP/1.1 100 Continue\r\n\r\n"), 1);
    return CONNECTION_BODY;
}

static enum connection_state step_chunked_body(struct connection *c)
{
    struct exchange *x = &c->exchange;
    str raw = str_slice(buf_str(&c->in), c->body_end, c->in.len);
    size_t read, written;

    enum http_progress progress =
        http_chunked_read(&c->chunked, raw, c->in.ptr + c->body_end, &read, &written);
    c->request_end = c->body_end + read;
    c->body_end += written;
    switch (progress) {
    case HTTP_MORE:
        c->in.len = c->body_end;
        return wait_for_more(c, CONNECTION_BODY);
    case HTTP_REFUSED:
        return refuse_malformed(c, c->chunked.refusal);
    case HTTP_COMPLETE:
        break;
    }
    x->body_len = c->body_end - x->head.size;
    return CONNECTION_BUSY;
}

static enum connection_state step_body(struct connection *c)
{
    struct exchange *x = &c->exchange;

    if (x->head.is_chunked)
        return step_chunked_body(c);
    if (c->in.len - x->head.size < x->head.content_length)
        return wait_for_more(c, CONNECTION_BODY);
    x->body_len = (size_t)x->head.content_length;
    c->request_end = x->head.size + x->body_len;
    return CONNECTION_BUSY;
}

static void buf_shrink(struct buf *b)
{
    if (b->len == 0 && b->cap > KEPT_BYTES)
        buf_fini(b);
}

/* Frees what the exchange had; what came behind its request moves to the front. */
static void exchange_fini(struct connection *c)
{
    struct exchange *x = &c->exchange;
    struct buf chunk = x->chunk;

    arena_fini(&x->arena);
    buf_reset(&chunk);
    buf_shrink(&chunk);
    *x = (struct exchange){ .chunk = chunk, .arena = x->arena, .is_cut = x->is_cut };
    buf_consume(&c->in, c->request_end);
    buf_add(&c->in, buf_str(&c->next));
    c->in.failed |= c->next.failed; /* bytes are missing: what follows is no request */
    buf_reset(&c->next);
    buf_shrink(&c->next);
    if (!c->in.failed)
        buf_shrink(&c->in);
}

static void exchange_ask(struct connection *c)
{
    struct exchange *x = &c->exchange;

    x->was_asked = true;
    c->server->busy++;
    c->is_counted = true;
    c->request_count++;
    arena_init(&x->arena, c->server->options.arena_max_bytes);
    c->server->options.on_request(c->server->options.ctx, x);
}

static enum connection_state step_busy(struct connection *c)
{
    struct exchange *x = &c->exchange;

    if (!x->was_asked)
        exchange_ask(c);
    if (c->has_timed_out)
        net_stream_break(&c->stream);
    if (!x->has_ended)
        exchange_flush(x);
    if (!x->has_ended && is_gone(c) && !x->was_told_gone && x->on_gone) {
        x->was_told_gone = true;
        x->on_gone(x->watch_ctx);
    }
    if (!x->has_ended && x->waits_for_drain && exchange_pressure(x) <= QUEUE_LOW_BYTES) {
        x->waits_for_drain = false;
        if (x->on_drain)
            x->on_drain(x->watch_ctx);
        connection_wake(c); /* what it wrote is sent by the next step */
    }
    if (!x->has_ended)
        return CONNECTION_BUSY;
    exchange_fini(c);
    return CONNECTION_FLUSH;
}

static enum connection_state step_flush(struct connection *c)
{
    if (c->stream.is_broken || c->has_timed_out || c->exchange.is_cut)
        return CONNECTION_CLOSED;
    if (net_stream_queued(&c->stream) > 0)
        return CONNECTION_FLUSH;
    if (!c->closes)
        return CONNECTION_IDLE;
    /* Closing over unread bytes would reset the connection and lose the answer. */
    if (!c->lingers && c->in.len == 0)
        return CONNECTION_CLOSED;
    net_stream_shutdown(&c->stream);
    c->linger_end = c->read_bytes + LINGER_BYTES_MAX;
    return CONNECTION_LINGER;
}

static enum connection_state step_linger(struct connection *c)
{
    bool is_over = is_gone(c) || c->has_timed_out || c->read_bytes > c->linger_end;

    return is_over ? CONNECTION_CLOSED : CONNECTION_LINGER;
}

/* ---- waiting ---- */

static nsec wait_limit(const struct connection *c)
{
    const struct server_limits *limits = &c->server->options.limits;

    switch (c->state) {
    case CONNECTION_IDLE:
        return limits->idle_timeout;
    case CONNECTION_HEAD:
        return limits->head_timeout;
    case CONNECTION_BODY:
        return limits->body_timeout;
    case CONNECTION_BUSY:
    case CONNECTION_FLUSH:
        return c->stream.is_blocked ? limits->write_timeout : NSEC_NEVER;
    case CONNECTION_LINGER:
        return LINGER_TIME;
    case CONNECTION_CLOSED:
    case CONNECTION_STATE_COUNT:
        break;
    }
    return NSEC_NEVER;
}

/* While this stays the same, the wait goes on; when it changes, its time starts anew. */
static uint64_t wait_mark(const struct connection *c)
{
    if (c->state == CONNECTION_BODY)
        return c->read_bytes;
    if (c->state == CONNECTION_BUSY || c->state == CONNECTION_FLUSH)
        return c->stream.sent_bytes;
    return c->request_count;
}

static void on_timer(struct timer *timer)
{
    struct connection *c = CONTAINER_OF(timer, struct connection, timer);
    nsec now = world_now(c->server->world);

    if (c->deadline == NSEC_NEVER)
        return;
    if (c->deadline > now) {
        timer_start(c->server->world, timer, c->deadline - now, on_timer);
        return;
    }
    c->has_timed_out = true;
    connection_wake(c); /* the loop still looks at a timer that fires: do not free it here */
}

/* The deadline moves with every request; the timer only when it would fire too late. */
static void deadline_update(struct connection *c)
{
    nsec limit = wait_limit(c);
    uint64_t mark = wait_mark(c);
    bool is_same_wait = c->state == c->waiting_state && mark == c->waiting_mark &&
                        (limit == NSEC_NEVER) == (c->deadline == NSEC_NEVER);

    if (is_same_wait)
        return;
    c->waiting_state = c->state;
    c->waiting_mark = mark;
    c->has_timed_out = false;
    c->deadline = NSEC_NEVER;
    if (limit == NSEC_NEVER || !i64_add(world_now(c->server->world), limit, &c->deadline))
        return;
    if (!timer_is_running(&c->timer) || c->timer.at > c->deadline)
        timer_start(c->server->world, &c->timer, limit, on_timer);
}

static bool discards(const struct connection *c)
{
    return c->closes && (c->state == CONNECTION_FLUSH || c->state == CONNECTION_LINGER);
}

static void reading_update(struct connection *c)
{
    bool is_answering = c->state == CONNECTION_BUSY || c->state == CONNECTION_FLUSH;
    size_t behind = c->next.len + c->in.len - (c->state == CONNECTION_BUSY ? c->request_end : 0);

    net_stream_set_reading(&c->stream,
                           !is_answering || discards(c) || behind <= PIPELINE_BYTES_MAX);
}

/* ---- the machine ---- */

static void state_enter(struct connection *c, enum connection_state next)
{
    assert(rules[c->state].next & (1u << next));
    if (c->state == CONNECTION_FLUSH && c->is_counted) {
        c->is_counted = false;
        c->server->busy--;
    }
    c->has_timed_out = false;
    c->state = next;
}

static void connection_run(struct connection *c)
{
    uint64_t request_end = c->request_count + PIPELINE_REQUESTS_PER_TURN;

    assert(!c->is_running);
    c->is_running = true;
    while (c->state != CONNECTION_CLOSED) {
        enum connection_state next = rules[c->state].step(c);
        if (next == c->state)
            break;
        state_enter(c, next);
        if (next == CONNECTION_IDLE && c->request_count >= request_end) {
            connection_wake(c);
            break;
        }
    }
    c->is_running = false;
    if (c->state == CONNECTION_CLOSED) {
        connection_free(c);
        return;
    }
    reading_update(c);
    deadline_update(c);
}

void connection_wake(struct connection *c)
{
    turn_post(c->server->world, &c->turn);
}

/* ---- reading ---- */

/* A body of known length is read to where it stays; anything else passes through the scratch. */
static char *room_find(struct connection *c, size_t *out_size)
{
    const struct http_head *head = &c->exchange.head;

    if (c->state == CONNECTION_BODY && !head->is_chunked) {
        size_t left = head->size + (size_t)head->content_length - c->in.len;
        *out_size = left < BODY_READ_BYTES ? left : BODY_READ_BYTES;
        return buf_reserve(&c->in, *out_size);
    }
    *out_size = SCRATCH_BYTES;
    return c->server->scratch;
}

static void connection_read(struct connection *c)
{
    size_t size;
    char *room = room_find(c, &size);
    size_t got = room ? net_stream_read(&c->stream, room, size) : 0;

    c->read_bytes += got;
    if (got == 0 || discards(c))
        return;
    if (room != c->server->scratch)
        c->in.len += got;
    else
        buf_add(c->state == CONNECTION_BUSY ? &c->next : &c->in, (str){ room, got });
}

static void on_stream_ready(struct net_stream *stream)
{
    struct connection *c = CONTAINER_OF(stream, struct connection, stream);

    if (stream->is_reading)
        connection_read(c);
    connection_run(c);
}

static void on_turn(struct turn *turn)
{
    struct connection *c = CONTAINER_OF(turn, struct connection, turn);

    if (c->state == CONNECTION_IDLE && c->server->is_draining)
        connection_read(c);
    connection_run(c);
}

/* ---- opening and closing ---- */

static enum err connection_open(struct http_server *s, int fd, const char *peer)
{
    const struct server_limits *limits = &s->options.limits;
    struct connection *c = calloc(1, sizeof(*c));

    if (!c)
        return WEIR_NO_MEMORY;
    enum err e = net_stream_open(&c->stream, s->world, fd, on_stream_ready);
    if (e != OK) {
        free(c);
        return e;
    }
    c->server = s;
    c->deadline = NSEC_NEVER;
    c->waiting_state = CONNECTION_CLOSED;
    c->in.max = limits->head_bytes_max + limits->body_bytes_max + 4 * SCRATCH_BYTES;
    snprintf(c->peer, sizeof(c->peer), "%s", peer);
    turn_init(&c->turn, on_turn);
    list_add_tail(&s->connections, &c->link);
    deadline_update(c);
    return OK;
}

void connection_accept(struct http_server *s, int fd, const char *peer)
{
    if (connection_open(s, fd, peer) == OK)
        return;
    close(fd);
    net_listener_release(s->listener);
}

void connection_free(struct connection *c)
{
    struct http_server *s = c->server;

    list_remove(&c->link);
    turn_cancel(&c->turn);
    timer_cancel(s->world, &c->timer);
    net_stream_close(&c->stream, c->resets);
    arena_fini(&c->exchange.arena);
    buf_fini(&c->exchange.chunk);
    buf_fini(&c->in);
    buf_fini(&c->next);
    free(c);
    if (s->listener)
        net_listener_release(s->listener);
}
