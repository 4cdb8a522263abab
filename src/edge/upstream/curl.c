/* SPDX-License-Identifier: Apache-2.0 */
/*
 * curl: libcurl behind transport.h.
 *
 * Calls are spread over shards, each one multi handle with a limited number of connections: libcurl looks through
 * a host's connections one by one, so its cost per request grows with their number. The first shard
 * with room takes a call, which keeps few connections warm rather than many.
 *
 * libcurl's callbacks record and nothing else. What they recorded is told after libcurl has returned
 * (shard_tell), so the owner may do anything there, and libcurl is never entered from within itself.
 */
#include "edge/upstream/curl_fault.h"
#include "edge/upstream/curl_headers.h"
#include "edge/upstream/curl_sockets.h"
#include "edge/upstream/transport.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#define SHARD_CONNECTIONS_MAX 128
#define ERROR_BODY_MAX ((size_t)64 << 10)
#define INBOX_KEPT_MAX ((size_t)64 << 10) /* a larger one is freed before its call is used again */
#define URL_MAX ((size_t)8 << 10)

struct shard {
    struct curl_transport *transport;
    CURLM *multi;
    struct timer timer;
    struct turn turn; /* starts what was added in this turn, all at once */
    struct link idle_calls;
    struct link told_calls; /* calls with something to tell */
    struct transport_call *telling; /* NULL when it was cancelled meanwhile */
    uint32_t active;
    bool is_inside; /* libcurl is running */
};

struct transport_call {
    struct link link; /* in its shard's idle_calls or told_calls */
    struct shard *shard;
    CURL *easy;
    const struct transport_events *events;
    void *ctx;
    struct buf *answer;
    struct buf inbox; /* read, not yet told */
    struct buf url; /* what the easy handle is set to */
    struct header_set *headers; /* the same */
    size_t received;
    size_t answer_bytes_max;
    int http_status; /* 0 before the head is complete */
    bool wants_stream;
    bool is_head_told;
    bool is_over;
    bool is_too_large;
    bool is_out_of_memory;
    CURLcode code;
};

struct curl_transport {
    struct transport base;
    struct world *world;
    CURLSH *share; /* names and TLS sessions, over all shards */
    struct shard *shards;
    size_t shard_count;
    uint32_t shard_connections;
    struct sockets sockets;
    struct header_sets headers;
    char *no_proxy; /* NULL: no proxy is configured */
};

/* ---- driving a shard ---- */

static void shard_tell(struct shard *shard);

static void shard_drive(struct shard *shard, curl_socket_t fd, int events)
{
    int running;

    shard->is_inside = true;
    /* Only memory can fail here; the timeouts of the calls concerned see to them. */
    IGNORE(curl_multi_socket_action(shard->multi, fd, events, &running) != CURLM_OK);
    shard->is_inside = false;
    shard_tell(shard);
}

static void on_socket_ready(struct shard *shard, curl_socket_t fd, unsigned events)
{
    shard_drive(shard, fd,
                (events & WATCH_READ ? CURL_CSELECT_IN : 0) |
                    (events & WATCH_WRITE ? CURL_CSELECT_OUT : 0));
}

static curl_socket_t on_open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct shard *shard = ctx;

    (void)purpose;
    return sockets_open(&shard->transport->sockets, shard, address);
}

static int on_close_socket(void *ctx, curl_socket_t fd)
{
    struct shard *shard = ctx;

    return sockets_close(&shard->transport->sockets, fd);
}

/* libcurl says which events of a socket it waits for. */
static int on_socket_wish(CURL *easy, curl_socket_t fd, int what, void *ctx, void *unused)
{
    struct shard *shard = ctx;

    (void)easy;
    (void)unused;
    sockets_wish(&shard->transport->sockets, shard, fd, what);
    return 0;
}

static void on_shard_turn(struct turn *turn)
{
    shard_drive(CONTAINER_OF(turn, struct shard, turn), CURL_SOCKET_TIMEOUT, 0);
}

static void on_shard_timer(struct timer *timer)
{
    shard_drive(CONTAINER_OF(timer, struct shard, timer), CURL_SOCKET_TIMEOUT, 0);
}

/* A timer that fires too early does no harm: libcurl then asks for the rest of the time again. */
static int on_timer_wish(CURLM *multi, long delay_ms, void *ctx)
{
    struct shard *shard = ctx;
    struct world *w = shard->transport->world;

    (void)multi;
    if (delay_ms < 0) {
        timer_cancel(w, &shard->timer);
    } else if (delay_ms == 0) {
        turn_post(w, &shard->turn);
    } else {
        nsec delay = delay_ms * NSEC_PER_MS;
        if (!timer_is_running(&shard->timer) || shard->timer.at > world_now(w) + delay)
            timer_start(w, &shard->timer, delay, on_shard_timer);
    }
    return 0;
}

/* ---- what libcurl tells of a call ---- */

static void call_note(struct transport_call *call)
{
    list_remove(&call->link);
    list_add_tail(&call->shard->told_calls, &call->link);
}

static bool is_success(int http_status)
{
    return http_status >= 200 && http_status <= 299;
}

static int on_prerequest(void *ctx, char *peer_ip, char *own_ip, int peer_port, int own_port)
{
    struct transport_call *call = ctx;

    (void)peer_ip;
    (void)own_ip;
    (void)peer_port;
    (void)own_port;
    call->events->on_sent(call->ctx);
    return CURL_PREREQFUNC_OK;
}

/* Called for each header line; the head ends with an empty one. Trailers come here too. */
static size_t on_header(char *line, size_t size, size_t count, void *ctx)
{
    struct transport_call *call = ctx;
    size_t len = size * count;

    if (call->http_status != 0 || len > 2 || (line[0] != '\r' && line[0] != '\n'))
        return len;
    long status = 0;
    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 200 && status <= 999) { /* not one of the heads that precede the answer's */
        call->http_status = (int)status;
        call->events->on_read(call->ctx);
        call_note(call);
    }
    return len;
}

/* How much of a body is taken: of an error's the beginning says enough. */
static size_t body_bytes_max(const struct transport_call *call)
{
    if (is_success(call->http_status) || call->answer_bytes_max < ERROR_BODY_MAX)
        return call->answer_bytes_max;
    return ERROR_BODY_MAX;
}

/* Anything but len ends the transfer with CURLE_WRITE_ERROR. */
static size_t on_body(char *bytes, size_t size, size_t count, void *ctx)
{
    struct transport_call *call = ctx;
    size_t len = size * count, room = body_bytes_max(call) - call->received;
    size_t taken = len < room ? len : room;
    bool is_good = is_success(call->http_status);
    struct buf *target = is_good && call->wants_stream ? &call->inbox : call->answer;

    call->events->on_read(call->ctx);
    call->received += taken;
    buf_add(target, (str){ bytes, taken });
    call->is_too_large = is_good && taken < len;
    call->is_out_of_memory = target->failed;
    if (target == &call->inbox)
        call_note(call);
    return target->failed || taken < len ? CURL_WRITEFUNC_ERROR : len;
}

/* ---- telling the owner ---- */

static enum err call_result(const struct transport_call *call)
{
    if (call->is_out_of_memory)
        return WEIR_NO_MEMORY;
    if (call->is_too_large)
        return PROVIDER_GARBAGE;
    if (call->code == CURLE_WRITE_ERROR)
        return OK; /* on_body had enough of an error's text */
    return curl_fault(call->code);
}

static void call_release(struct transport_call *call)
{
    struct shard *shard = call->shard;

    list_remove(&call->link);
    /* The one used last is used first: its memory is warm, and its settings often the right ones. */
    call->link.next = shard->idle_calls.next;
    call->link.prev = &shard->idle_calls;
    shard->idle_calls.next->prev = &call->link;
    shard->idle_calls.next = &call->link;
    shard->active--;
}

static void call_tell_head(struct transport_call *call)
{
    struct transport_head head = { .http_status = call->http_status };
    struct curl_header *retry_after;
    const char *content_type = NULL;

    curl_easy_getinfo(call->easy, CURLINFO_CONTENT_TYPE, &content_type);
    head.content_type = str_from(content_type);
    if (!is_success(call->http_status) &&
        curl_easy_header(call->easy, "Retry-After", 0, CURLH_HEADER, -1, &retry_after) == CURLHE_OK)
        head.retry_after = str_from(retry_after->value);
    call->is_head_told = true;
    call->events->on_head(call->ctx, &head);
}

static void call_tell(struct transport_call *call)
{
    struct shard *shard = call->shard;

    shard->telling = call;
    if (call->http_status != 0 && !call->is_head_told)
        call_tell_head(call);
    if (shard->telling == call && call->inbox.len > 0) {
        call->events->on_data(call->ctx, buf_str(&call->inbox));
        buf_reset(&call->inbox); /* done for a cancelled call as well: it is still ours */
    }
    if (shard->telling == call && call->is_over) {
        shard->telling = NULL;
        curl_multi_remove_handle(shard->multi, call->easy);
        call->events->on_end(call->ctx, call_result(call), call->is_too_large);
        call_release(call);
    }
    shard->telling = NULL;
}

static void shard_tell(struct shard *shard)
{
    struct CURLMsg *message;
    struct transport_call *call;
    int left;

    while ((message = curl_multi_info_read(shard->multi, &left)) != NULL) {
        CURLcode code = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
        call->is_over = true;
        call->code = code;
        call_note(call);
    }
    for (struct link *l = list_pop(&shard->told_calls); l; l = list_pop(&shard->told_calls))
        call_tell(CONTAINER_OF(l, struct transport_call, link));
}

/* ---- calls ---- */

/* What never changes in the life of an easy handle. */
static bool easy_configure(struct transport_call *call)
{
    const struct curl_transport *t = call->shard->transport;
    CURL *easy = call->easy;
    bool is_good = true;

#define SET(option, value) is_good &= curl_easy_setopt(easy, option, value) == CURLE_OK
    SET(CURLOPT_PRIVATE, call);
    SET(CURLOPT_SHARE, t->share);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L); /* cancelling never waits for a resolver's thread */
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_TCP_NODELAY, 1L);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_BUFFERSIZE, 16384L);
    SET(CURLOPT_UPLOAD_BUFFERSIZE, 16384L);
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_USERAGENT, "weir");
    SET(CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    SET(CURLOPT_OPENSOCKETDATA, call->shard);
    SET(CURLOPT_CLOSESOCKETFUNCTION, on_close_socket);
    SET(CURLOPT_CLOSESOCKETDATA, call->shard);
    SET(CURLOPT_PREREQFUNCTION, on_prerequest);
    SET(CURLOPT_PREREQDATA, call);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, call);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, call);
    if (t->no_proxy)
        SET(CURLOPT_NOPROXY, t->no_proxy);
    else
        SET(CURLOPT_PROXY, ""); /* spares the search of the environment in every call */
#undef SET
    return is_good;
}

static void call_free(struct transport_call *call)
{
    if (!call)
        return;
    curl_easy_cleanup(call->easy);
    header_set_release(call->headers);
    buf_fini(&call->inbox);
    buf_fini(&call->url);
    free(call);
}

static struct transport_call *call_new(struct shard *shard)
{
    struct transport_call *call = calloc(1, sizeof(*call));

    if (!call)
        return NULL;
    link_init(&call->link);
    call->shard = shard;
    call->url.max = URL_MAX;
    call->easy = curl_easy_init();
    if (!call->easy || !easy_configure(call)) {
        call_free(call);
        return NULL;
    }
    return call;
}

/* What differs from the last use of this easy handle. */
static enum err call_configure(struct transport_call *call, const struct transport_request *request)
{
    struct header_set *headers = header_set_find(&call->shard->transport->headers, request);
    bool is_good = headers != NULL;

    if (!is_good)
        return WEIR_NO_MEMORY;
    if (headers != call->headers) {
        header_set_release(call->headers);
        call->headers = header_set_share(headers);
        is_good =
            curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, header_set_list(headers)) == CURLE_OK;
    }
    if (!str_eq(buf_str(&call->url), request->url)) {
        buf_reset(&call->url);
        buf_add(&call->url, request->url);
        is_good &= curl_easy_setopt(call->easy, CURLOPT_URL, buf_cstr(&call->url)) == CURLE_OK;
        if (call->url.failed)
            return WEIR_CONFIG;
    }
    if (request->body.len == 0)
        is_good &= curl_easy_setopt(call->easy, CURLOPT_HTTPGET, 1L) == CURLE_OK;
    else if (request->body.len <= LONG_MAX)
        is_good &=
            curl_easy_setopt(call->easy, CURLOPT_POSTFIELDS, request->body.ptr) == CURLE_OK &&
            curl_easy_setopt(call->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                             (curl_off_t)request->body.len) == CURLE_OK;
    return is_good ? OK : WEIR_NO_MEMORY;
}

static bool shard_open(struct shard *shard, struct curl_transport *t)
{
    long connections = (long)t->shard_connections;

    shard->transport = t;
    link_init(&shard->idle_calls);
    link_init(&shard->told_calls);
    turn_init(&shard->turn, on_shard_turn);
    shard->multi = curl_multi_init();
    if (!shard->multi)
        return false;
    bool is_good = true;
#define SET(option, value) is_good &= curl_multi_setopt(shard->multi, option, value) == CURLM_OK
    SET(CURLMOPT_SOCKETFUNCTION, on_socket_wish);
    SET(CURLMOPT_SOCKETDATA, shard);
    SET(CURLMOPT_TIMERFUNCTION, on_timer_wish);
    SET(CURLMOPT_TIMERDATA, shard);
    SET(CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
    SET(CURLMOPT_MAX_TOTAL_CONNECTIONS, connections);
    SET(CURLMOPT_MAXCONNECTS, connections + 8); /* else libcurl closes what is about to be reused */
#undef SET
    return is_good;
}

static void shard_close(struct shard *shard)
{
    if (!shard->multi)
        return;
    assert(shard->active == 0);
    for (struct link *l = list_pop(&shard->idle_calls); l; l = list_pop(&shard->idle_calls))
        call_free(CONTAINER_OF(l, struct transport_call, link));
    curl_multi_cleanup(shard->multi);
    timer_cancel(shard->transport->world, &shard->timer);
    turn_cancel(&shard->turn);
}

/* The first shard with room, opened when it is its first call. */
static struct shard *shard_pick(struct curl_transport *t)
{
    for (size_t i = 0; i < t->shard_count; i++) {
        struct shard *shard = &t->shards[i];
        if (!shard->multi && !shard_open(shard, t))
            return NULL;
        if (shard->active < t->shard_connections)
            return shard;
    }
    return NULL;
}

static enum err transport_start(struct transport *base, struct transport_call **out,
                                const struct transport_request *request,
                                const struct transport_events *events, void *ctx)
{
    struct curl_transport *t = CONTAINER_OF(base, struct curl_transport, base);

    if (!str_starts(request->url, STR("http://")) && !str_starts(request->url, STR("https://")))
        return WEIR_CONFIG;
    struct shard *shard = shard_pick(t);
    if (!shard)
        return WEIR_NO_MEMORY;
    assert(!shard->is_inside);
    struct link *idle = list_pop(&shard->idle_calls);
    struct transport_call *call =
        idle ? CONTAINER_OF(idle, struct transport_call, link) : call_new(shard);
    if (!call)
        return WEIR_NO_MEMORY;
    shard->active++;
    call->events = events;
    call->ctx = ctx;
    call->answer = request->answer;
    call->wants_stream = request->wants_stream;
    call->answer_bytes_max = request->answer_bytes_max;
    call->received = 0;
    call->http_status = 0;
    call->is_head_told = call->is_over = call->is_too_large = call->is_out_of_memory = false;
    if (call->inbox.cap > INBOX_KEPT_MAX)
        buf_fini(&call->inbox);
    buf_reset(&call->inbox);
    enum err e = call_configure(call, request);
    if (e == OK && curl_multi_add_handle(shard->multi, call->easy) != CURLM_OK)
        e = WEIR_NO_MEMORY;
    if (e != OK) {
        call_release(call);
        return e;
    }
    *out = call;
    return OK;
}

/* Taking an unfinished transfer out makes libcurl close its connection. */
static void transport_cancel(struct transport_call *call)
{
    struct shard *shard = call->shard;

    assert(!shard->is_inside);
    if (shard->telling == call)
        shard->telling = NULL;
    curl_multi_remove_handle(shard->multi, call->easy);
    call_release(call);
}

/* ---- the transport ---- */

static void transport_close(struct transport *base)
{
    struct curl_transport *t = CONTAINER_OF(base, struct curl_transport, base);

    for (size_t i = 0; t->shards && i < t->shard_count; i++)
        shard_close(&t->shards[i]);
    header_sets_fini(&t->headers);
    sockets_fini(&t->sockets);
    free(t->shards);
    free(t->no_proxy);
    curl_share_cleanup(t->share);
    free(t);
    curl_global_cleanup();
}

/* The environment's exceptions from its proxies, and this machine. NULL in *out when no proxy is set. */
static enum err no_proxy_read(char **out)
{
    static const char *const proxies[] = { "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy",
                                           "ALL_PROXY" };
    const char *exceptions = getenv("no_proxy");
    bool is_set = false;

    for (size_t i = 0; i < ARRAY_LEN(proxies); i++) {
        const char *value = getenv(proxies[i]);
        is_set |= value && value[0] != '\0';
    }
    if (!is_set)
        return OK;
    if (!exceptions)
        exceptions = getenv("NO_PROXY");
    if (exceptions &&
        strcmp(exceptions, "*") == 0) /* which libcurl only knows alone: no proxy at all */
        return OK;
    struct buf list = { 0 };
    buf_printf(&list, "%s%slocalhost,127.0.0.1,::1", exceptions ? exceptions : "",
               exceptions && exceptions[0] != '\0' ? "," : "");
    if (list.failed)
        return WEIR_NO_MEMORY;
    *out = list.ptr; /* ended by buf_printf's NUL */
    return OK;
}

static const struct transport_methods curl_methods = {
    .start = transport_start,
    .cancel = transport_cancel,
    .close = transport_close,
};

enum err transport_curl_open(struct transport **out, struct world *w, uint32_t connections_max)
{
    struct curl_transport *t = calloc(1, sizeof(*t));
    uint32_t connections = connections_max > 0 ? connections_max : 1;

    if (!t)
        return WEIR_NO_MEMORY;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(t);
        return WEIR_NO_MEMORY;
    }
    t->base.methods = &curl_methods;
    t->world = w;
    t->sockets.world = w;
    t->sockets.on_ready = on_socket_ready;
    t->shard_connections =
        connections < SHARD_CONNECTIONS_MAX ? connections : SHARD_CONNECTIONS_MAX;
    t->shard_count = (connections + t->shard_connections - 1) / t->shard_connections;
    t->shards = calloc(t->shard_count, sizeof(*t->shards));
    t->share = curl_share_init();
    if (!t->shards || !t->share || no_proxy_read(&t->no_proxy) != OK ||
        curl_share_setopt(t->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS) != CURLSHE_OK ||
        curl_share_setopt(t->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) != CURLSHE_OK) {
        transport_close(&t->base);
        return WEIR_NO_MEMORY;
    }
    *out = &t->base;
    return OK;
}
