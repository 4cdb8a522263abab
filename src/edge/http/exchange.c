/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exchange: what the owner of an exchange reads of the request and says of the answer. Answers are
 * sent from here at once; anything that could call back waits for the connection's next step.
 */
#include "edge/http/server_internal.h"

#include <string.h>

struct connection *exchange_connection(const struct exchange *x)
{
    /* A union takes the const away: the connection is not const, only the caller's view of it. */
    union {
        const struct exchange *view;
        struct exchange *exchange;
    } of = { .view = x };

    return CONTAINER_OF(of.exchange, struct connection, exchange);
}

/* A connection that runs now looks at the exchange itself when the callback returns. */
static void wake(const struct exchange *x)
{
    struct connection *c = exchange_connection(x);

    if (!c->is_running)
        connection_wake(c);
}

/* ---- the request ---- */

static str span_read(const struct exchange *x, struct http_span span)
{
    return http_span_str(span, buf_str(&exchange_connection(x)->in));
}

str exchange_method(const struct exchange *x)
{
    return span_read(x, x->head.method);
}

str exchange_path(const struct exchange *x)
{
    return x->head.path.len > 0 ? span_read(x, x->head.path) : STR("/");
}

str exchange_query(const struct exchange *x)
{
    return span_read(x, x->head.query);
}

str exchange_header(const struct exchange *x, str name)
{
    return http_header_find(span_read(x, x->head.lines), name);
}

str exchange_body(const struct exchange *x)
{
    str all = buf_str(&exchange_connection(x)->in);

    return str_slice(all, x->head.size, x->head.size + x->body_len);
}

str exchange_peer(const struct exchange *x)
{
    return str_from(exchange_connection(x)->peer);
}

nsec exchange_started(const struct exchange *x)
{
    return x->started;
}

struct arena *exchange_arena(struct exchange *x)
{
    return &x->arena;
}

/* ---- heads ---- */

/* The header lines that every answer has, made once a second. */
static str common_lines(struct http_server *s)
{
    usec_utc now = world_wall();
    char date[HTTP_DATE_BYTES];

    if (now / 1000000 != s->common_second) {
        s->common_second = now / 1000000;
        http_date_format(now, date);
        buf_reset(&s->common);
        buf_add(&s->common, STR("Server: weir\r\nDate: "));
        buf_add(&s->common, (str){ date, sizeof(date) });
        buf_add(&s->common, STR("\r\n"));
    }
    return buf_str(&s->common);
}

enum framing { FRAMING_NONE, FRAMING_LENGTH, FRAMING_CHUNKED, FRAMING_CLOSE };

struct answer {
    int status;
    str content_type;
    const struct answer_header *headers;
    size_t header_count;
    enum framing framing;
    size_t body_len; /* when FRAMING_LENGTH */
};

static void framing_write(struct buf *out, const struct answer *answer)
{
    switch (answer->framing) {
    case FRAMING_LENGTH:
        buf_add(out, STR("Content-Length: "));
        buf_add_i64(out, (int64_t)answer->body_len);
        buf_add(out, STR("\r\n"));
        break;
    case FRAMING_CHUNKED:
        buf_add(out, STR("Transfer-Encoding: chunked\r\n"));
        break;
    case FRAMING_NONE:
    case FRAMING_CLOSE:
        break;
    }
}

/* The answer's head, in the server's buffer until the next one. Decides whether the connection closes. */
static str head_write(struct connection *c, const struct answer *answer)
{
    const struct http_head *request = &c->exchange.head;
    struct buf *out = &c->server->head;

    if (c->server->is_draining || answer->framing == FRAMING_CLOSE || !request->is_keep_alive)
        c->closes = true;
    buf_reset(out);
    http_answer_start(out, answer->status);
    buf_add(out, common_lines(c->server));
    if (answer->content_type.len > 0)
        IGNORE(http_answer_header(out, STR("Content-Type"), answer->content_type));
    framing_write(out, answer);
    for (size_t i = 0; i < answer->header_count; i++)
        IGNORE(http_answer_header(out, answer->headers[i].name, answer->headers[i].value));
    if (c->closes)
        buf_add(out, STR("Connection: close\r\n"));
    else if (request->minor == 0)
        buf_add(out, STR("Connection: keep-alive\r\n"));
    http_answer_finish(out);
    if (out->failed)
        net_stream_break(&c->stream); /* half a head must not be sent */
    return buf_str(out);
}

void connection_refuse(struct connection *c, int status, enum err fault, const char *text)
{
    const struct err_info *info = err_info(fault);
    struct buf body = { 0 };

    buf_printf(&body,
               "{\"error\":{\"message\":\"%s\",\"type\":\"%s\",\"param\":null,\"code\":\"%s\"}}",
               text, info->type, info->name);
    c->closes = true;
    str head = head_write(c, &(struct answer){ .status = status,
                                               .content_type = STR("application/json"),
                                               .framing = FRAMING_LENGTH,
                                               .body_len = body.len });
    net_stream_write(&c->stream, (str[]){ head, buf_str(&body) }, 2);
    buf_fini(&body);
}

/* ---- the answer ---- */

static bool is_bodiless(const struct exchange *x, int status)
{
    return !http_status_has_body(status) || str_eq(exchange_method(x), STR("HEAD"));
}

static void answer_end(struct exchange *x)
{
    x->has_ended = true;
    x->on_gone = NULL;
    x->on_drain = NULL;
    wake(x);
}

void exchange_respond(struct exchange *x, int status, str content_type,
                      const struct answer_header *headers, size_t header_count, str body)
{
    struct connection *c = exchange_connection(x);
    bool has_body = http_status_has_body(status);

    assert(!x->has_begun);
    assert(!x->has_ended);
    x->has_begun = true;
    str head = head_write(c, &(struct answer){ .status = status,
                                               .content_type = content_type,
                                               .headers = headers,
                                               .header_count = header_count,
                                               .framing = has_body ? FRAMING_LENGTH : FRAMING_NONE,
                                               .body_len = body.len });
    net_stream_write(&c->stream, (str[]){ head, body }, is_bodiless(x, status) ? 1 : 2);
    answer_end(x);
}

void exchange_begin(struct exchange *x, int status, str content_type,
                    const struct answer_header *headers, size_t header_count)
{
    struct connection *c = exchange_connection(x);
    enum framing framing = x->head.minor > 0 ? FRAMING_CHUNKED : FRAMING_CLOSE;

    assert(!x->has_begun);
    assert(!x->has_ended);
    x->has_begun = true;
    x->is_bodiless = is_bodiless(x, status);
    x->is_chunked = x->head.minor > 0 && !x->is_bodiless;
    net_stream_queue(
        &c->stream,
        head_write(c, &(struct answer){ .status = status,
                                        .content_type = content_type,
                                        .headers = headers,
                                        .header_count = header_count,
                                        .framing = http_status_has_body(status) ? framing
                                                                                : FRAMING_NONE }));
    wake(x); /* the head goes out with what is written in this turn */
}

size_t exchange_pressure(const struct exchange *x)
{
    return x->chunk.len + net_stream_queued(&exchange_connection(x)->stream);
}

void exchange_flush(struct exchange *x)
{
    struct connection *c = exchange_connection(x);
    char line[HTTP_CHUNK_HEAD_BYTES];
    str parts[NET_PARTS_MAX];
    size_t n = 0;

    if (x->chunk.failed)
        net_stream_break(&c->stream);
    if (x->chunk.len > 0 && x->is_chunked)
        parts[n++] = (str){ line, http_chunk_head_format(x->chunk.len, line) };
    if (x->chunk.len > 0)
        parts[n++] = buf_str(&x->chunk);
    if (x->chunk.len > 0 && x->is_chunked)
        parts[n++] = STR("\r\n");
    if (x->has_ended && x->is_chunked && !x->is_cut)
        parts[n++] = STR(HTTP_LAST_CHUNK);
    if (n > 0 || net_stream_queued(&c->stream) > 0)
        net_stream_write(&c->stream, parts, n);
    buf_reset(&x->chunk);
}

bool exchange_write(struct exchange *x, str bytes)
{
    struct connection *c = exchange_connection(x);

    assert(x->has_begun);
    assert(!x->has_ended);
    if (x->is_bodiless || bytes.len == 0 || c->stream.is_broken)
        return true;
    buf_add(&x->chunk, bytes);
    if (x->chunk.len >= QUEUE_HIGH_BYTES || x->chunk.failed)
        exchange_flush(x);
    wake(x);
    if (exchange_pressure(x) < QUEUE_HIGH_BYTES)
        return true;
    x->waits_for_drain = true;
    return false;
}

void exchange_end(struct exchange *x)
{
    assert(x->has_begun);
    assert(!x->has_ended);
    x->has_ended = true;
    exchange_flush(x);
    answer_end(x);
}

void exchange_abort(struct exchange *x)
{
    struct connection *c = exchange_connection(x);

    assert(!x->has_ended);
    x->is_cut = true;
    c->closes = true;
    c->resets = x->has_begun && !x->is_chunked; /* without chunks, an end would look like the end */
    if (x->has_begun)
        exchange_flush(x);
    answer_end(x);
}

void exchange_watch(struct exchange *x, void *ctx, void (*on_gone)(void *ctx),
                    void (*on_drain)(void *ctx))
{
    x->watch_ctx = ctx;
    x->on_gone = on_gone;
    x->on_drain = on_drain;
    wake(x); /* the client may have gone before */
}
