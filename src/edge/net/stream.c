/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream: a nonblocking socket with a queue of bytes that it did not take yet. The watch for reading
 * stays in place all the time; the one for writing only while the queue waits.
 */
#include "edge/net/net.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "edge/world/world.h"

static void watch_adjust(struct net_stream *stream)
{
    unsigned events = 0;

    if (!stream->watch)
        return;
    if (!stream->is_broken && stream->is_reading && !stream->has_ended)
        events |= WATCH_READ;
    if (!stream->is_broken && stream->is_blocked)
        events |= WATCH_WRITE;
    watch_set(stream->watch, events);
}

static void queue_drop(struct net_stream *stream)
{
    stream->queue_at = 0;
    if (stream->queue.cap > NET_QUEUE_BYTES_KEPT)
        buf_fini(&stream->queue);
    else
        buf_reset(&stream->queue);
}

void net_stream_break(struct net_stream *stream)
{
    stream->is_broken = true;
    stream->is_blocked = false;
    queue_drop(stream);
    watch_adjust(stream);
}

size_t net_stream_queued(const struct net_stream *stream)
{
    return stream->queue.len - stream->queue_at;
}

void net_stream_queue(struct net_stream *stream, str bytes)
{
    if (stream->is_broken)
        return;
    /* Moving is worth it once more was sent than waits: each byte then moves at most once or so. */
    if (stream->queue_at > 0 && stream->queue_at >= net_stream_queued(stream)) {
        buf_consume(&stream->queue, stream->queue_at);
        stream->queue_at = 0;
    }
    buf_add(&stream->queue, bytes);
    if (stream->queue.failed)
        net_stream_break(stream);
}

/* How many bytes the socket took; 0 when it takes none now or broke. */
static size_t send_parts(struct net_stream *stream, struct iovec *parts, size_t part_count)
{
    struct msghdr message = { .msg_iov = parts, .msg_iovlen = part_count };
    ssize_t sent;

    do {
        sent = sendmsg(stream->fd, &message, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent >= 0) {
        stream->sent_bytes += (uint64_t)sent;
        return (size_t)sent;
    }
    if (errno != EAGAIN && errno != EWOULDBLOCK)
        net_stream_break(stream);
    return 0;
}

static struct iovec part_of(const char *ptr, size_t len)
{
    /* struct iovec serves for reading too and so has no const; sendmsg does not write there. */
    union {
        const char *from;
        void *base;
    } address = { .from = ptr };

    return (struct iovec){ .iov_base = address.base, .iov_len = len };
}

void net_stream_write(struct net_stream *stream, const str *parts, size_t part_count)
{
    struct iovec all[NET_PARTS_MAX + 1];
    size_t n = 0, sent = 0, queued = net_stream_queued(stream);

    assert(part_count <= NET_PARTS_MAX);
    if (stream->is_broken)
        return;
    if (queued > 0)
        all[n++] = part_of(stream->queue.ptr + stream->queue_at, queued);
    for (size_t i = 0; i < part_count; i++) {
        if (parts[i].len > 0)
            all[n++] = part_of(parts[i].ptr, parts[i].len);
    }
    if (n > 0 && !stream->is_blocked)
        sent = send_parts(stream, all, n);
    size_t of_queue = sent < queued ? sent : queued;
    stream->queue_at += of_queue;
    sent -= of_queue;
    if (net_stream_queued(stream) == 0 && queued > 0)
        queue_drop(stream);
    for (size_t i = 0; i < part_count; i++) {
        size_t of_part = sent < parts[i].len ? sent : parts[i].len;
        sent -= of_part;
        net_stream_queue(stream, str_slice(parts[i], of_part, parts[i].len));
    }
    stream->is_blocked = net_stream_queued(stream) > 0;
    watch_adjust(stream);
}

size_t net_stream_read(struct net_stream *stream, char *into, size_t n)
{
    ssize_t got;

    if (stream->is_broken || stream->has_ended || n == 0)
        return 0;
    do {
        got = read(stream->fd, into, n);
    } while (got < 0 && errno == EINTR);
    if (got > 0)
        return (size_t)got;
    if (got == 0)
        stream->has_ended = true;
    else if (errno != EAGAIN && errno != EWOULDBLOCK)
        net_stream_break(stream);
    if (stream->has_ended)
        watch_adjust(stream); /* an end stays readable: do not be told again and again */
    return 0;
}

/* The loop reports what was not asked for only when the connection failed. */
static void failure_look(struct net_stream *stream)
{
    int error = 0;
    socklen_t size = sizeof(error);

    if (getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0)
        net_stream_break(stream);
}

static void on_stream_ready(void *ctx, unsigned events)
{
    struct net_stream *stream = ctx;

    if ((events & WATCH_WRITE) && stream->is_blocked) {
        stream->is_blocked = false;
        net_stream_write(stream, NULL, 0);
    } else if ((events & WATCH_WRITE) && !stream->is_reading) {
        failure_look(stream);
    }
    watch_adjust(stream); /* after a failure the loop watches nothing any more */
    stream->on_ready(stream);
}

void net_stream_set_reading(struct net_stream *stream, bool is_reading)
{
    stream->is_reading = is_reading;
    watch_adjust(stream);
}

void net_stream_shutdown(struct net_stream *stream)
{
    assert(net_stream_queued(stream) == 0);
    if (!stream->is_broken && shutdown(stream->fd, SHUT_WR) != 0)
        net_stream_break(stream);
}

enum err net_stream_open(struct net_stream *stream, struct world *w, int fd,
                         void (*on_ready)(struct net_stream *stream))
{
    struct watch *watch;
    enum err e = watch_open(&watch, w, fd, on_stream_ready, stream);

    if (e != OK)
        return e;
    *stream = (struct net_stream){ .fd = fd, .watch = watch, .on_ready = on_ready };
    stream->queue.max = NET_QUEUE_BYTES_MAX;
    net_stream_set_reading(stream, true);
    return OK;
}

void net_stream_close(struct net_stream *stream, bool with_reset)
{
    const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

    if (!stream->watch)
        return;
    watch_close(stream->watch);
    stream->watch = NULL;
    if (with_reset)
        IGNORE(setsockopt(stream->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)));
    close(stream->fd);
    buf_fini(&stream->queue);
}
