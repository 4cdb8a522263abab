/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net: listening sockets and nonblocking byte streams on the loop.
 *
 * A caller may rely on: no callback runs inside a function of this header; a closed listener or
 * stream never calls; bytes are written in the order given, at once when the socket takes them.
 *
 * May include: base, edge/world.
 */
#ifndef WEIR_EDGE_NET_NET_H
#define WEIR_EDGE_NET_NET_H

#include "base/base.h"

struct sockaddr;
struct world;
struct watch;

#define NET_PEER_BYTES 64 /* "[IPv6]:port" and a NUL fit */
#define NET_WHY_BYTES 160

/* ---- listeners ---- */

struct net_listener;

struct net_listener_options {
    str address; /* "127.0.0.1:8080", "[::1]:8080", "localhost:0", ":8080" for every address */
    bool reuse_port; /* SO_REUSEPORT */
    uint32_t accepted_max; /* open at a time; further connections wait in the backlog */
    /* fd is nonblocking, without Nagle's delay, and the callee's to close. */
    void (*on_accept)(void *ctx, int fd, const char *peer);
    void *ctx;
};

/* WEIR_IO with a sentence in out_why when the address is not valid or cannot be bound; WEIR_NO_MEMORY. */
NODISCARD enum err net_listener_open(struct net_listener **out, struct world *w,
                                     const struct net_listener_options *options,
                                     char out_why[NET_WHY_BYTES]);
void net_listener_close(struct net_listener *listener); /* NULL is a no-op */
uint16_t net_listener_port(const struct net_listener *listener);
/* One connection accepted here has been closed: another may be accepted. */
void net_listener_release(struct net_listener *listener);

/* ---- streams ---- */

/* More than this is refused: the peer reads too slowly, and the stream breaks. */
#define NET_QUEUE_BYTES_MAX ((size_t)64 << 20)
/* A queue's memory up to this size is kept when the queue is empty. */
#define NET_QUEUE_BYTES_KEPT ((size_t)4096)

struct net_stream {
    bool is_broken; /* the connection failed: nothing can be read or written */
    bool has_ended; /* the peer will send no more */
    bool is_reading;
    bool is_blocked; /* the socket takes no more; waits for it */
    uint64_t sent_bytes; /* taken by the socket so far */
    struct buf queue; /* bytes that wait, from `queue_at` on */
    size_t queue_at;

    /* private */
    int fd;
    struct watch *watch;
    void (*on_ready)(struct net_stream *stream);
};

/* on_ready: there is something to read (when reading), or queued bytes were sent, or the stream broke. */
NODISCARD enum err net_stream_open(struct net_stream *stream, struct world *w, int fd,
                                   void (*on_ready)(struct net_stream *stream));
/* with_reset: the peer sees an error instead of an end. Queued bytes are lost. May be repeated. */
void net_stream_close(struct net_stream *stream, bool with_reset);

/* Reads at most n bytes; 0 when there are none now, or has_ended or is_broken was set. */
size_t net_stream_read(struct net_stream *stream, char *into, size_t n);
void net_stream_set_reading(struct net_stream *stream,
                            bool is_reading); /* cheap when nothing changes */

#define NET_PARTS_MAX 4
/* Sends what is queued and then the parts; what the socket does not take is copied and queued. */
void net_stream_write(struct net_stream *stream, const str *parts, size_t part_count);
/* Only queues: a net_stream_write() must follow, its parts may be none. */
void net_stream_queue(struct net_stream *stream, str bytes);
size_t net_stream_queued(const struct net_stream *stream);
/* Gives the connection up, as if it had failed; it is closed by net_stream_close() only. */
void net_stream_break(struct net_stream *stream);
/* Tells the peer that no more comes; the queue must be empty. */
void net_stream_shutdown(struct net_stream *stream);

#endif
